//! What can go wrong with a ring, and what to do about it.

use std::fmt;

/// One end of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Writes records.
    Producer,
    /// Reads records.
    Consumer,
}

impl Side {
    /// The other end.
    #[must_use]
    pub const fn other(self) -> Side {
        match self {
            Side::Producer => Side::Consumer,
            Side::Consumer => Side::Producer,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Producer => "producer",
            Side::Consumer => "consumer",
        })
    }
}

/// Why an operation on a ring could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The memory holds something else.
    #[error("no ring here: the first word is {found:#018x}; check the address")]
    NotARing {
        /// The word in the magic's place.
        found: u64,
    },
    /// The ring was made by another version of this format.
    #[error("ring of format version {found}, this program knows {known}; make a new ring")]
    Version {
        /// The ring's version.
        found: u32,
        /// The version this program reads and writes.
        known: u32,
    },
    /// The header contradicts itself.
    #[error("damaged ring header: {what}; make a new ring")]
    Damaged {
        /// What was wrong.
        what: &'static str,
    },
    /// The ring needs more memory than there is.
    #[error("a ring of {needed_bytes} bytes does not fit into {found_bytes} bytes")]
    TooSmall {
        /// What the ring takes.
        needed_bytes: u64,
        /// What there is.
        found_bytes: u64,
    },
    /// No such capacity can be made.
    #[error("capacity {capacity}: choose a power of two from 2 to 2^40")]
    Capacity {
        /// What was asked for.
        capacity: u64,
    },
    /// The side belongs to a live process.
    #[error("the {side}'s side belongs to process {pid}, which lives; let it detach first")]
    Occupied {
        /// The side that was asked for.
        side: Side,
        /// Who has it.
        pid: u32,
    },
    /// No such number of lanes can be made.
    #[error("{lanes} lanes: choose from 1 to {max}")]
    Lanes {
        /// What was asked for.
        lanes: usize,
        /// The most a fan can have.
        max: usize,
    },
    /// Every lane of a fan belongs to a live producer, or was closed.
    #[error("all {lanes} lanes are taken; let a producer detach first, or make a wider fan")]
    NoLane {
        /// How many there are.
        lanes: usize,
    },
    /// One side closed the ring: nothing more will come, or nothing more will be taken.
    #[error("the ring is closed")]
    Closed,
    /// The other side broke the protocol, or the memory is damaged. Nothing more is believed.
    #[error("the ring is poisoned: {what}; make a new ring, and distrust the other side")]
    Poisoned {
        /// What was seen.
        what: &'static str,
    },
    /// The time was up first.
    #[error("timed out waiting for the {other}")]
    TimedOut {
        /// Whom the operation waited for.
        other: Side,
    },
    /// There is another ring than the one that was asked for.
    #[error("a {layout:?} ring of {capacity} records is there already; ask for such, or remove it")]
    Different {
        /// Its layout.
        layout: super::Layout,
        /// How many records fit.
        capacity: u64,
    },
    /// A ring's file could not be used.
    #[error("cannot {doing} the ring {}: {source}", path.display())]
    File {
        /// Which.
        path: std::path::PathBuf,
        /// What was being done, as a verb.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The operating system refused memory for a ring.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}
