//! Shared memory for many processes: regions, a slab with persistent structures, rings.

mod addr;
mod error;
mod memory;
pub mod ring;
pub mod structure;
mod sync;

pub use addr::Addr;
pub use error::{CommitError, Error};
pub use memory::{Read, Write};
pub use structure::{Cursor, Entries, Hamt, Keys, Map, SortedSet, WordMap};
