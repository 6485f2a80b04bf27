//! A persistent hash map: a compressed hash-array mapped prefix tree with a keyed 64-bit hash.
//!
//! Each level takes five bits of the hash. A node keeps two bitmaps, one of slots that hold an entry
//! inline and one of slots that hold a child, and after them nothing but the entries and children that
//! are there (Steindorfer and Vinju, "Optimizing Hash-Array Mapped Tries for Fast and Lean Immutable
//! JVM Collections", 2015). After the hash's 64 bits come collision nodes.
//!
//! 1. **Canonical form.** A node below the root holds at least two entries, itself or through its
//!    children; so equal content under one seed has one shape, whatever was inserted or removed on
//!    the way.
//! 2. A node knows its level and counts the entries below it: no damaged link can lead round in
//!    a circle, and no walk gives more entries than the root counts.
//! 3. The hash is keyed with the memory's secret ([`Read::seed`]): who does not know it cannot
//!    choose keys that collide.

mod edit;
mod entries;
mod key;
mod node;
#[cfg(all(test, not(loom)))]
mod tests;
mod walk;

pub use entries::Entries;
pub use key::Key;
#[cfg(all(test, not(loom)))]
pub(super) use {key::hash_word, node::LEVELS as LEVELS_OF_HASH};

use std::{fmt, marker::PhantomData};

use crate::{Addr, Error, Read};
use node::{LEVELS, Node, Slot, collision_entries, peek, slot};

/// A persistent map from byte strings to words.
///
/// ```
/// # use eve::{Error, Read, Write, structure::Map};
/// fn example<W: Write>(memory: &mut W) -> Result<(), Error> {
///     let map = Map::empty();
///     let (map, before) = map.insert(memory, b"answer", 42)?;
///     assert_eq!(before, None);
///     assert_eq!(map.get(memory, b"answer")?, Some(42));
///     let (map, before) = map.remove(memory, b"answer")?;
///     assert_eq!(before, Some(42));
///     assert!(map.is_empty());
///     Ok(())
/// }
/// ```
pub type Map = Hamt<[u8]>;

/// A persistent map from words to words; its entries need no block of their own.
///
/// ```
/// # use eve::{Error, Read, Write, structure::WordMap};
/// fn example<W: Write>(memory: &mut W) -> Result<(), Error> {
///     let (map, _) = WordMap::empty().insert(memory, &7, 49)?;
///     assert_eq!(map.get(memory, &7)?, Some(49));
///     Ok(())
/// }
/// ```
pub type WordMap = Hamt<u64>;

/// A persistent map to words, whose keys are byte strings ([`Map`]) or words ([`WordMap`]).
///
/// The handle is the address of its root and as cheap to copy. Edits answer a new handle and leave
/// what was published before as it was; *within* a transaction only the newest handle counts,
/// because blocks born in it are edited in place.
pub struct Hamt<K: Key + ?Sized> {
    root: Addr,
    key: PhantomData<fn(&K)>,
}

impl<K: Key + ?Sized> Hamt<K> {
    /// The map without entries; it needs no memory.
    #[must_use]
    pub const fn empty() -> Self {
        Self::from_root(Addr::NONE)
    }

    /// The map whose [`root`](Hamt::root) this is.
    #[must_use]
    pub const fn from_root(root: Addr) -> Self {
        Hamt { root, key: PhantomData }
    }

    /// What to store in order to find the map again; [`Addr::NONE`] when it is empty.
    #[must_use]
    pub const fn root(self) -> Addr {
        self.root
    }

    /// Whether there is no entry.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.root.is_none()
    }

    /// How many entries there are. O(1).
    ///
    /// # Errors
    /// When the root is damaged.
    pub fn len<R: Read + ?Sized>(self, reader: &R) -> Result<u64, Error> {
        if self.root.is_none() {
            return Ok(0);
        }
        Ok(Node::read::<K, R>(reader, self.root, 0)?.count)
    }

    /// The value of `key`. O(log n) with base 32, and no more than 13 nodes.
    ///
    /// # Errors
    /// When a node is damaged.
    #[inline]
    pub fn get<R: Read + ?Sized>(self, reader: &R, key: &K) -> Result<Option<u64>, Error> {
        if self.root.is_none() {
            return Ok(None);
        }
        let hash = key.hash(reader.seed());
        let mut at = self.root;
        for level in 0..LEVELS {
            match peek::<K, R>(reader, at, level, slot(hash, level))? {
                Slot::Child(child) => at = child,
                Slot::Entry([word, value]) => {
                    return Ok(key.is_stored(reader, word)?.then_some(value));
                }
                Slot::Empty => return Ok(None),
            }
        }
        for [word, value] in collision_entries::<K, R>(reader, at)? {
            if key.is_stored(reader, *word)? {
                return Ok(Some(*value));
            }
        }
        Ok(None)
    }

    /// Whether `key` has a value.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn contains_key<R: Read + ?Sized>(self, reader: &R, key: &K) -> Result<bool, Error> {
        Ok(self.get(reader, key)?.is_some())
    }

    /// All entries, in the order of their hashes: the same for equal content under one seed.
    pub fn iter<R: Read + ?Sized>(self, reader: &R) -> Entries<'_, K, R> {
        Entries::new(reader, self.root)
    }
}

impl<K: Key + ?Sized> Clone for Hamt<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Key + ?Sized> Copy for Hamt<K> {}

impl<K: Key + ?Sized> Default for Hamt<K> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<K: Key + ?Sized> PartialEq for Hamt<K> {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl<K: Key + ?Sized> Eq for Hamt<K> {}

impl<K: Key + ?Sized> fmt::Debug for Hamt<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hamt").field("root", &self.root).finish()
    }
}
