//! Persistent structures over blocks, with one interface.
//!
//! | | keys, elements | values |
//! | --- | --- | --- |
//! | [`Map`], [`Set`] | plain data or byte strings | plain data or byte strings |
//! | [`Vector`] | plain data or byte strings | |
//! | [`Array`] | plain data, lent as one slice | |
//! | [`SortedSet`], [`SortedMap`] | words, compared as numbers | words |
//! | [`ByteSet`], [`ByteMap`] | byte strings or plain data, compared by their bytes | plain data or byte strings |
//!
//! Each has `empty`, `from_root` and `root`; `len` in O(1), `get` or `contains`, `iter`, and `range` where
//! there is an order; `insert`, `remove` or their like; `from_iter` and `extend`, which write each block
//! once; `diff`, whose cost follows the difference, and `merge` upon it; `trace` and `verify`. A
//! transaction is a transient of all of them: what was born in it is edited in place.
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

mod array;
mod byte_map;
mod byte_set;
#[cfg(all(test, not(loom)))]
mod format;
mod hash;
mod map;
mod set;
mod sorted;
mod sorted_map;
mod stored;
mod vector;

use std::ops::{Bound, RangeBounds};

pub use array::Array;
pub use byte_map::{ByteChanges, ByteCursor, ByteEntries, ByteMap};
pub use byte_set::{ByteElements, ByteSet};
pub use map::{Change, Changes, Entries, Map, WordMap};
pub use set::{Elements, Set};
pub use sorted::{Cursor, Differences, Few, Keys, SortedSet};
pub use sorted_map::{RowChanges, SortedMap};
pub use stored::Stored;
pub use vector::{Items, Replaced, Vector};

/// First index of a range and the one behind its last, clipped to a length.
fn limits(range: &impl RangeBounds<u64>, len: u64) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Unbounded => 0,
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.saturating_add(1),
    };
    let end = match range.end_bound() {
        Bound::Unbounded => len,
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(end) => *end,
    };
    let end = end.min(len);
    (start.min(end), end)
}

#[cfg(all(test, not(loom)))]
mod tests;
