//! A persistent sorted set of fixed-width word keys: a B+tree whose leaves are runs.
//!
//! Keys are `[u64; N]`, compared word by word as numbers, and given by value. Inner nodes count the keys
//! below each child: the size of any range is two descents.

mod batch;
mod column;
mod cursor;
mod diff;
mod edit;
mod few;
mod front;
mod keys;
mod node;
mod patch;
mod search;
#[cfg(all(test, not(loom)))]
mod tests;
mod walk;
mod write;

pub use cursor::Cursor;
pub use diff::Differences;
pub use few::Few;
pub use keys::Keys;
#[cfg(all(test, not(loom)))]
pub(super) use node::{HEIGHT_MAX, KEY_WORDS_MAX};

use std::ops::{Bound, RangeBounds};

use crate::{Addr, Error, Read};
use node::Node;
use search::less;

/// A persistent sorted set of keys of `N` words.
///
/// The handle is the address of its root and as cheap to copy. Edits answer a new handle and leave
/// what was published before as it was; *within* a transaction only the newest handle counts,
/// because blocks born in it are edited in place.
///
/// ```
/// # use eve::{Addr, Error, Read, Write, structure::SortedSet};
/// fn example<W: Write>(memory: &mut W) -> Result<(), Error> {
///     let set = SortedSet::<2>::empty();
///     let (set, new) = set.insert(memory, [7, 1])?;
///     assert!(new);
///     let (set, _) = set.insert(memory, [7, 2])?;
///     let (set, _) = set.insert(memory, [9, 1])?;
///     assert_eq!(set.count_prefix(memory, &[7])?, 2);
///
///     let mut cursor = set.cursor(memory);
///     assert_eq!(cursor.seek(&[8])?, Some([9, 1]));
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortedSet<const N: usize> {
    root: Addr,
}

impl<const N: usize> Default for SortedSet<N> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<const N: usize> SortedSet<N> {
    /// The set without keys; it needs no memory.
    #[must_use]
    pub const fn empty() -> Self {
        SortedSet { root: Addr::NONE }
    }

    /// The set whose [`root`](SortedSet::root) this is.
    #[must_use]
    pub const fn from_root(root: Addr) -> Self {
        SortedSet { root }
    }

    /// What to store in order to find the set again; [`Addr::NONE`] when it is empty.
    #[must_use]
    pub const fn root(self) -> Addr {
        self.root
    }

    /// Whether there is no key.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.root.is_none()
    }

    /// How many keys there are. O(1).
    ///
    /// # Errors
    /// When the root is damaged.
    pub fn len<R: Read + ?Sized>(self, reader: &R) -> Result<u64, Error> {
        if self.root.is_none() {
            return Ok(0);
        }
        Ok(Node::<N>::root(reader, self.root)?.total)
    }

    /// Whether `key` is there. O(log n).
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn contains<R: Read + ?Sized>(self, reader: &R, key: &[u64; N]) -> Result<bool, Error> {
        if self.root.is_none() {
            return Ok(false);
        }
        let node = Node::<N>::leaf_for(reader, self.root, key)?;
        let position = node.lower_bound(key);
        Ok(position < node.len() && node.key(position) == *key)
    }

    /// The first key that begins with `prefix`. O(log n), and cheaper than a cursor's first step.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn first_with<R: Read + ?Sized>(
        self,
        reader: &R,
        prefix: &[u64],
    ) -> Result<Option<[u64; N]>, Error> {
        if self.root.is_none() {
            return Ok(None);
        }
        let target = pad(prefix, 0);
        let mut node = Node::<N>::root(reader, self.root)?;
        // The nearest row to the right of the way: where the way ends at the end of a leaf, the key is
        // the first below it.
        let mut right = None;
        while node.height > 0 {
            let (child, index) = node.child_for(reader, &target, 0)?;
            if index + 1 < node.len() {
                right = Some((node, index + 1));
            }
            node = child;
        }
        let mut position = node.lower_bound(&target);
        if position == node.len() {
            let Some((above, index)) = right else { return Ok(None) };
            (node, position) = (above.child(reader, index)?, 0);
            while node.height > 0 {
                node = node.child(reader, 0)?;
            }
        }
        let key = node.key(position);
        Ok(Some(key).filter(|key| key.starts_with(prefix)))
    }

    /// A cursor before the first key.
    pub fn cursor<R: Read + ?Sized>(self, reader: &R) -> Cursor<'_, N, R> {
        Cursor::new(reader, self.root)
    }

    /// The keys in `range`, ascending, and from both ends.
    ///
    /// O(log n) to start, O(1) a key.
    pub fn range<'r, R: Read + ?Sized>(
        self,
        reader: &'r R,
        range: impl RangeBounds<[u64; N]>,
    ) -> Keys<'r, N, R> {
        match limits(&range) {
            Some((from, to)) => Keys::new(reader, self.root, from, to),
            None => Keys::new(reader, Addr::NONE, [0; N], None),
        }
    }

    /// All keys, ascending, and from both ends.
    pub fn iter<R: Read + ?Sized>(self, reader: &R) -> Keys<'_, N, R> {
        self.range(reader, ..)
    }

    /// The keys that begin with `prefix`, ascending, and from both ends. Words of `prefix` beyond
    /// the width of a key don't count.
    pub fn prefix<'r, R: Read + ?Sized>(self, reader: &'r R, prefix: &[u64]) -> Keys<'r, N, R> {
        let (from, to) = prefix_limits(prefix);
        Keys::new(reader, self.root, from, to)
    }

    /// How many keys lie in `range`. O(log n), and one descent when they lie together.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn count<R: Read + ?Sized>(
        self,
        reader: &R,
        range: impl RangeBounds<[u64; N]>,
    ) -> Result<u64, Error> {
        match limits(&range) {
            Some((from, to)) => self.count_between(reader, &from, to.as_ref()),
            None => Ok(0),
        }
    }

    /// How many keys begin with `prefix`. O(log n), and one descent when they lie together.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn count_prefix<R: Read + ?Sized>(self, reader: &R, prefix: &[u64]) -> Result<u64, Error> {
        let (from, to) = prefix_limits(prefix);
        self.count_between(reader, &from, to.as_ref())
    }

    /// How many keys sort before `key`. O(log n).
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn rank<R: Read + ?Sized>(self, reader: &R, key: &[u64; N]) -> Result<u64, Error> {
        if self.root.is_none() {
            return Ok(0);
        }
        rank_in(reader, Node::root(reader, self.root)?, key)
    }

    fn count_between<R: Read + ?Sized>(
        self,
        reader: &R,
        from: &[u64; N],
        to: Option<&[u64; N]>,
    ) -> Result<u64, Error> {
        if self.root.is_none() || to.is_some_and(|to| !less(from, to)) {
            return Ok(0);
        }
        let mut node = Node::<N>::root(reader, self.root)?;
        // Both ends go down together as long as they go the same way.
        while node.height > 0 {
            let first = node.route(from, 0);
            let last = to.map_or(node.len() - 1, |to| node.route(to, first));
            if first != last {
                let below = rank_in(reader, node.child(reader, first)?, from)?;
                let last_child = node.child(reader, last)?;
                let above = match to {
                    Some(to) => rank_in(reader, last_child, to)?,
                    None => last_child.total,
                };
                return Ok(node.sum(first..last).wrapping_sub(below).wrapping_add(above));
            }
            node = node.child(reader, first)?;
        }
        let first = node.lower_bound(from);
        Ok((to.map_or(node.len(), |to| node.gallop(first, to)) - first) as u64)
    }
}

fn rank_in<'r, const N: usize, R: Read + ?Sized>(
    reader: &'r R,
    mut node: Node<'r, N>,
    key: &[u64; N],
) -> Result<u64, Error> {
    let mut before = 0_u64;
    while node.height > 0 {
        let index = node.route(key, 0);
        before = before.wrapping_add(node.sum(0..index));
        node = node.child(reader, index)?;
    }
    Ok(before.wrapping_add(node.lower_bound(key) as u64))
}

/// `prefix` and then `fill` up to the width of a key.
fn pad<const N: usize>(prefix: &[u64], fill: u64) -> [u64; N] {
    let mut key = [fill; N];
    let len = prefix.len().min(N);
    key[..len].copy_from_slice(&prefix[..len]);
    key
}

/// The least key that sorts after `key`.
fn successor<const N: usize>(mut key: [u64; N]) -> Option<[u64; N]> {
    for word in key.iter_mut().rev() {
        let (next, carry) = word.overflowing_add(1);
        *word = next;
        if !carry {
            return Some(key);
        }
    }
    None
}

/// The first key with `prefix`, and the first after all of them.
fn prefix_limits<const N: usize>(prefix: &[u64]) -> ([u64; N], Option<[u64; N]>) {
    (pad(prefix, 0), successor(pad(prefix, u64::MAX)))
}

/// A range as first key in it and first key after it; `None` where no key can be.
fn limits<const N: usize>(
    range: &impl RangeBounds<[u64; N]>,
) -> Option<([u64; N], Option<[u64; N]>)> {
    let from = match range.start_bound() {
        Bound::Unbounded => [0; N],
        Bound::Included(key) => *key,
        Bound::Excluded(key) => successor(*key)?,
    };
    let to = match range.end_bound() {
        Bound::Unbounded => None,
        Bound::Included(key) => successor(*key),
        Bound::Excluded(key) => Some(*key),
    };
    Some((from, to))
}
