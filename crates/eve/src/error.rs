//! What can go wrong with a region, and what to do about it.

use std::{io, path::PathBuf};

use crate::{Addr, Commit};

/// Why an operation on a region or on something in it could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    #[error("{path}: cannot {doing}: {source}", path = path.display())]
    Io {
        /// The region file.
        path: PathBuf,
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The file is already there and was to be created.
    #[error("{path}: already exists; open it, or choose another name", path = path.display())]
    Exists {
        /// The region file.
        path: PathBuf,
    },
    /// There is no such file and it was to be opened.
    #[error("{path}: no such file; create the region first", path = path.display())]
    Missing {
        /// The region file.
        path: PathBuf,
    },
    /// The file or its folder may not be written, and sharing needs to write.
    #[error(
        "{path}: no permission to write; every process that attaches writes its own slot, so give \
         this user write access to the file and its folder, or look at it by a View",
        path = path.display()
    )]
    ReadOnly {
        /// The region file.
        path: PathBuf,
    },
    /// The disk (or the quota) has no room for the next extent. Nothing was changed.
    #[error(
        "{path}: disk full: could not grow from {from_bytes} to {to_bytes} bytes; free some space \
         and try again",
        path = path.display()
    )]
    DiskFull {
        /// The region file.
        path: PathBuf,
        /// What is allocated now.
        from_bytes: u64,
        /// What was asked for.
        to_bytes: u64,
    },
    /// The region's address space is used up. Nothing was changed.
    #[error(
        "the region is full: {wanted_bytes} more bytes do not fit into its limit of {limit_bytes} \
         bytes; release old snapshots, or copy it into a region with a larger limit"
    )]
    RegionFull {
        /// What was asked for.
        wanted_bytes: u64,
        /// The most this region can ever hold.
        limit_bytes: u64,
    },
    /// An earlier checkpoint failed; what the disk holds of it is unknown.
    #[error(
        "{path}: an earlier checkpoint failed, so further ones from this process would prove \
         nothing; close the region, look after the disk, open it again",
        path = path.display()
    )]
    SyncFailed {
        /// The region file.
        path: PathBuf,
    },
    /// A transaction was committed, and what it was to wait for failed.
    #[error(
        "commit {epoch} has happened and is visible, but it is not safe from the machine: {source}"
    )]
    NotDurable {
        /// The commit's number.
        epoch: u64,
        /// Why there is no checkpoint of it.
        source: Box<Error>,
    },
    /// The file is something else.
    #[error("{path}: not a region file: {found}; check the path", path = path.display())]
    NotARegion {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        found: String,
    },
    /// The file was made by another version of this format.
    #[error(
        "{path}: layout version {found}, this program knows {known}; use the program that made the \
         file, or export there and import here",
        path = path.display()
    )]
    Version {
        /// The region file.
        path: PathBuf,
        /// The file's layout version.
        found: u32,
        /// The version this program reads and writes.
        known: u32,
    },
    /// The header of a file contradicts itself or its size.
    #[error(
        "{path}: damaged region header: {what}; restore the file from a backup, or rebuild it from \
         the log",
        path = path.display()
    )]
    Header {
        /// The region file.
        path: PathBuf,
        /// What was wrong.
        what: String,
    },
    /// Something in the region is not what its place says it must be.
    #[error("corrupt region: {what} at {at}; run verify, and restore or rebuild the file")]
    Corrupt {
        /// What was wrong.
        what: &'static str,
        /// Where.
        at: Addr,
    },
    /// The system has no memory or no address space for a region of this size.
    #[error("no memory for a region of {bytes} bytes; ask for less")]
    Memory {
        /// What was asked for.
        bytes: u64,
    },
    /// Something else was expected at an address: a payload that was received before, say.
    #[error("{at} is no {expected}")]
    NotThat {
        /// What the caller expected.
        expected: &'static str,
        /// Where.
        at: Addr,
    },
    /// Every lane is taken: too many transactions run at once.
    #[error(
        "{lanes} transactions run at once in all processes, which is the most; commit or drop some \
         and try again"
    )]
    LanesFull {
        /// How many transactions a region can have running at once, in all processes.
        lanes: usize,
    },
    /// Every attachment slot belongs to a living process.
    #[error(
        "{slots} handles on this region are open in living processes, which is the most; close one \
         and try again"
    )]
    SlotsFull {
        /// How many slots a region has.
        slots: usize,
    },
    /// Every pin of this handle is held: snapshots or transactions of too many different versions
    /// are alive at once. Those of one version share a pin.
    #[error(
        "this process holds snapshots of {pins} different versions, which is the most; drop those \
         that are no longer needed"
    )]
    PinsFull {
        /// How many pins an attachment has.
        pins: usize,
    },
    /// A block larger than the region could ever hold was asked for.
    #[error("a block of {bytes} bytes is more than the region's limit of {limit_bytes} bytes")]
    TooLarge {
        /// What was asked for.
        bytes: u64,
        /// The most a block can have.
        limit_bytes: u64,
    },
}

impl Error {
    /// A [`Error::Corrupt`], short enough for decoders.
    #[must_use]
    pub const fn corrupt(what: &'static str, at: Addr) -> Error {
        Error::Corrupt { what, at }
    }
}

/// Why a transaction was not committed, or not as it should have been.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Another commit came first: what was built went back; begin again on the new root.
    #[error("another transaction committed first; begin again on the new root")]
    Conflict,
    /// The commit could not be tried at all. Nothing of it happened.
    #[error(transparent)]
    Failed(#[from] Error),
    /// The commit has happened and everybody sees it, but its [`Durability`](crate::Durability) is
    /// not kept: there is no checkpoint of it.
    #[error("commit {} has happened and is visible, but it is not safe from the machine: {source}",
        commit.epoch)]
    NotDurable {
        /// The commit.
        commit: Commit,
        /// Why there is no checkpoint of it.
        source: Error,
    },
}
