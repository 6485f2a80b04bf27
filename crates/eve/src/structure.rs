//! Persistent structures over blocks: [`Map`], [`WordMap`] and [`SortedSet`].
//!
//! A structure is a handle, one [`Addr`](crate::Addr), and everything else lies in blocks. The code is
//! written over [`Read`](crate::Read) and [`Write`](crate::Write) alone and knows no region, slab
//! or epoch.
//!
//! 1. **Persistence.** An edit copies the path from the root to the place and answers a new handle;
//!    whatever an older handle, published before this transaction, can reach stays as it was.
//! 2. **Transience.** A block born in the running transaction is edited in place: nobody else has
//!    seen it. So, within one transaction, *only the newest handle counts*; the ones it came from
//!    are used up, unless they were published before.
//! 3. **Accounting.** Each replaced block is retired exactly once, and no retired block is
//!    reachable from the newest handle. An emptied structure holds no block.
//! 4. **Distrust.** Every block is checked when it is read. A damaged one is
//!    [`Error::Corrupt`](crate::Error::Corrupt) or gives a wrong answer, never a panic nor an
//!    endless loop: every descent is bounded by the height, every walk by the counts on its way.
//! 5. An edit that fails has done half its work: drop the transaction.

#![forbid(unsafe_code)]

#[cfg(all(test, not(loom)))]
mod format;
mod hash;
mod map;
mod sorted;
mod stored;

pub use map::{Change, Changes, Entries, Map, WordMap};
pub use sorted::{Cursor, Keys, SortedSet};
pub use stored::Stored;

#[cfg(all(test, not(loom)))]
mod tests;
