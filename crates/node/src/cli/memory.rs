//! Shared memory looked at from outside.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Format;

/// `datom ring`
#[derive(Debug, Subcommand)]
pub enum Ring {
    /// Print what a ring holds, and which processes have its sides.
    #[command(after_help = "\
Example:
  datom ring stat requests.ring")]
    Stat {
        /// File of the ring.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// `datom slab`
#[derive(Debug, Subcommand)]
pub enum Slab {
    /// Print what a region holds: sizes, blocks by class, who is attached and holds back what.
    #[command(after_help = "\
The file is only read, nobody waits, and it may be in use: then the numbers need not fit together \
exactly.

Examples:
  datom slab stat world/region.eve
  datom slab stat world/region.eve --format json | jq .attached")]
    Stat {
        /// File of the region.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// How to print the result.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Check what can be checked without knowing what the blocks mean; exit status 1 if anything is
    /// wrong.
    #[command(after_help = "\
Each problem is a line of standard error. Of a region in use only what stays wrong counts.

Example:
  datom slab verify world/region.eve && echo sound")]
    Verify {
        /// File of the region.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// How to print the result.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print the blocks: address, size, what they are, and how they begin.
    #[command(after_help = "\
Examples:
  datom slab dump world/region.eve
  datom slab dump world/region.eve --from 0xd0000 --to 0xe0000 --words
  datom slab dump world/region.eve --kind payload --bytes 256 --format json")]
    Dump(Dump),
}

/// `datom slab dump`
#[derive(Debug, Args)]
pub struct Dump {
    /// File of the region.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Only blocks at this address or behind it, decimal or as 0x….
    #[arg(long, value_name = "ADDRESS", value_parser = address, default_value = "0")]
    pub from: u64,
    /// Only blocks before this address.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub to: Option<u64>,
    /// Only blocks of this kind.
    #[arg(long, value_enum)]
    pub kind: Option<Block>,
    /// How many bytes of each block to show.
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub bytes: u64,
    /// Show content as words of 64 bits instead of bytes.
    #[arg(long)]
    pub words: bool,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// What a block is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Block {
    /// Of a version, or of a running transaction.
    Version,
    /// A list of what a commit made unreachable.
    Record,
    /// Waits for nobody to see it any more.
    Dying,
    /// A payload that somebody holds or that is under way.
    Payload,
    /// Words that processes share.
    Shared,
    /// Of no kind that there is.
    Unknown,
}

fn address(text: &str) -> Result<u64, String> {
    let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("@0x")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    number.ok_or_else(|| "an address such as 851968 or 0xd0000".into())
}
