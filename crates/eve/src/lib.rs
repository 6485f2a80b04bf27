//! Shared memory for many processes: regions, a slab with persistent structures, rings.
//!
//! Two handles on one file, in one process or in two, share a map:
//!
//! ```
//! use eve::{Addr, Options, Read, Region, Slab, Write};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("world.eve");
//! let here = Slab::create(Region::create(&path, &Options::default())?)?;
//! let there = Slab::open(Region::open(&path)?)?;
//!
//! here.swap(|txn| {
//!     let block = txn.alloc(8)?;
//!     txn.words_mut(block).expect("born here")[0] = 42;
//!     Ok::<_, eve::Error>((block, ()))
//! })?;
//!
//! let seen = there.snapshot()?; // holds what it sees, whatever is committed meanwhile
//! assert_eq!(seen.words(seen.root())?[0], 42);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Region`] is memory: a file that is mapped by any number of processes, anonymous memory, or a
//! block of the heap. A [`Slab`] keeps immutable blocks in it and one root that changes by
//! compare-and-swap. A [`Snapshot`] owns a version, a [`Txn`] makes the next one, and
//! [`structure`] holds persistent maps and sets over both. A [`ring`] moves messages.
//!
//! What is promised: readers never wait for writers nor writers for readers; a process may be
//! killed at any instant, and nothing committed is lost and nothing needs repair; a snapshot never
//! changes; a full disk is an error; a damaged file is an error.
//!
//! What is not: a process that attaches can write all of the region, so attach only processes that
//! trust each other; nobody may truncate a region file in use (the system would end whoever touches
//! the missing part); after the machine itself stops, what counts is the last [`Slab::sync`].

mod addr;
mod attachment;
mod bits;
mod blocks;
mod checkpoint;
mod claim;
mod class;
mod domain;
mod durability;
mod epoch;
mod error;
mod guard;
mod header;
pub mod inspect;
mod lane;
mod layout;
mod lease;
mod memory;
mod offer;
mod payload;
mod pins;
mod reclaim;
mod record;
mod region;
pub mod ring;
mod scan;
mod slab;
mod snapshot;
mod stats;
pub mod structure;
mod sync;
mod txn;
mod unsaved;
mod verify;
mod view;

/// Dying at a store: for `cargo xtask torture` alone, and only there.
#[cfg(torture)]
pub mod torture {
    pub use crate::sync::counted::{AtomicU64, die_at_store, stores_left};
}

pub use addr::Addr;
pub use domain::{Atoms, Domain, Loaded, NAME_BYTES_MAX, Value};
pub use durability::Durability;
pub use error::{CommitError, Error};
pub use memory::{Fill, Read, Write};
pub use payload::{Payload, Shared};
pub use region::{Options, Region};
pub use slab::{Commit, Recovery, Slab};
pub use snapshot::Snapshot;
pub use stats::{OldestPin, Stats, Status};
pub use txn::Txn;
pub use verify::{Marks, Verification};
pub use view::View;

/// How many versions can be looked at at once by those who only read. See [`View`].
pub const VIEWS_MAX: usize = layout::VIEWS;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
