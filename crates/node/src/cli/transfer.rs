//! Facts that leave and come.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::View;

/// `datom export`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  datom export world facts.edn
  datom export world --as-of 12 facts.csv
  datom export world --format json | grep package/name")]
pub struct Export {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Where to; standard output, if not given or -.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Which moments to see.
    #[command(flatten)]
    pub view: View,
    /// The form; if not given, what the file's name ends in, else EDN.
    #[arg(long, value_enum)]
    pub format: Option<Transfer>,
}

/// `datom import`
#[derive(Debug, Args)]
#[command(after_help = "\
A number under db/id names an entity within the file; the world gives it a number of its own, or takes \
the entity that has the unique identity it states. CSV is either facts (entity,attribute,value) or an \
entity a row, under columns that are attributes.

Examples:
  datom import world facts.edn
  datom import world people.csv
  datom import world git ~/src/project")]
pub struct Import {
    /// Folder of the world; made if absent.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The file, - for standard input, or the word git.
    #[arg(value_name = "FILE|git")]
    pub source: PathBuf,
    /// The folder of a git repository: each of its commits becomes a transaction with its real time.
    #[arg(value_name = "REPO")]
    pub repository: Option<PathBuf>,
    /// The form; if not given, what the file's name ends in, else EDN.
    #[arg(long, value_enum)]
    pub format: Option<Transfer>,
}

/// The form of exported facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Transfer {
    /// A map a line.
    #[default]
    Edn,
    /// JSON Lines: an object a line.
    #[value(alias = "jsonl")]
    Json,
    /// A row a fact.
    Csv,
}

impl Transfer {
    /// The form that a file's name says.
    #[must_use]
    pub fn of(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()? {
            "edn" => Some(Transfer::Edn),
            "json" | "jsonl" | "ndjson" => Some(Transfer::Json),
            "csv" => Some(Transfer::Csv),
            _ => None,
        }
    }
}
