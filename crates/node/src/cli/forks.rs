//! Branches of a world.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Format;

/// `datom fork`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  datom fork world draft
  datom transact world changes.edn --fork draft
  datom q world '[:find ?n :where [_ :package/name ?n]]' --fork draft
  datom diff world --fork draft
  datom merge world draft")]
pub struct Fork {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The new fork's name. Without one, forks are listed.
    pub name: Option<String>,
    /// Fork the world as it was after transaction T.
    #[arg(long, value_name = "T", requires = "name")]
    pub at: Option<u64>,
    /// Retract the fork of this name instead. Its commits stay in the world's history.
    #[arg(long, requires = "name", conflicts_with = "at")]
    pub retract: bool,
    /// How to print the list.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `datom merge`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  datom merge world draft
  datom merge world draft --resolve theirs")]
pub struct Merge {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The fork.
    pub name: String,
    /// Who wins where both changed the same. Without this, conflicts are printed and nothing is
    /// merged.
    #[arg(long, value_enum)]
    pub resolve: Option<Resolve>,
    /// How to print conflicts.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Who wins where both changed the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Resolve {
    /// The world.
    Ours,
    /// The fork.
    Theirs,
}
