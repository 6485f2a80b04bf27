//! What is asked of a world as a whole: its size, its copies.

use std::path::PathBuf;

use clap::Args;

use super::{Format, Moment};

/// `datom stats`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  datom stats world")]
pub struct Stats {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `datom gc`
#[derive(Debug, Args)]
#[command(after_help = "\
Transactions are never deleted: what is moved is read where it is. A world has one cold folder. What \
--before takes out of the indexes stays in the log, and datom rebuild brings it back.

Examples:
  datom gc world
  datom gc world --before 2026-01-01T00:00:00Z
  datom gc world --cold /mnt/large/world --keep 1000000")]
pub struct Gc {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Move compressed segments to this folder, on a larger or cheaper disk.
    #[arg(long, value_name = "FOLDER")]
    pub cold: Option<PathBuf>,
    /// Give up the history of the indexes before transaction T, or before a time: what was withdrawn
    /// by then. Moments from T on are answered as ever, earlier ones refused.
    #[arg(long, value_name = "T")]
    pub before: Option<Moment>,
    /// Leave segments that hold any of the last so many transactions where they are.
    #[arg(long, value_name = "TRANSACTIONS", default_value_t = 0)]
    pub keep: u64,
}

/// `datom backup`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  datom backup world /mnt/backup/world")]
pub struct Backup {
    /// Folder of the world. Others may write to it meanwhile.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Folder of the backup; made if absent. The world's key is not copied.
    #[arg(value_name = "BACKUP")]
    pub backup: PathBuf,
}

/// `datom restore`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  datom restore /mnt/backup/world again")]
pub struct Restore {
    /// Folder of the backup.
    #[arg(value_name = "BACKUP")]
    pub backup: PathBuf,
    /// Folder of the new world, which gets a key of its own.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}
