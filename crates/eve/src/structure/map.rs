//! A persistent hash map: a compressed hash-array mapped prefix tree with a keyed 64-bit hash.
//!
//! Each level takes six bits of the hash, from the highest on. A node keeps two bitmaps, one of slots
//! that hold an entry inline and one of slots that hold a child, and after them nothing but the
//! entries and children that are there (Steindorfer and Vinju, "Optimizing Hash-Array Mapped Tries for
//! Fast and Lean Immutable JVM Collections", 2015). After the hash's 64 bits come collision nodes.
//! What a lookup costs is how often it waits for memory: with 64 slots a node, all nodes but the last
//! on a way through a million entries stay in the caches.
//!
//! 1. **Canonical form.** A node below the root holds at least two entries, itself or through its
//!    children; so equal content under one seed has one shape, whatever was inserted or removed on
//!    the way.
//! 2. A node knows its level and counts the entries below it: no damaged link can lead round in
//!    a circle, and no walk gives more entries than the root counts.
//! 3. The hash is keyed with the memory's secret ([`Read::seed`]): who does not know it cannot
//!    choose keys that collide.
//! 4. Entries, in the order of nodes, ascend by hash.

mod bulk;
mod diff;
mod edit;
mod entries;
mod node;
#[cfg(all(test, not(loom)))]
mod tests;
mod walk;

pub use diff::{Change, Changes};
pub use entries::Entries;
#[cfg(all(test, not(loom)))]
pub(super) use node::LEVELS as LEVELS_OF_HASH;

use std::{fmt, marker::PhantomData};

use super::stored::Stored;
use crate::bits::{Asking, Count, Native};
use crate::{Addr, Error, Read};
use node::{
    Descent, KEYS_APART, LEVELS, MAGIC, Slot, VALUES_APART, collision_entries, count_of, peek,
};

/// Words of an entry, at most.
const ENTRY_WORDS_MAX: usize = 32;
/// Keys that [`Map::get_many`] looks for at a time.
const TOGETHER: usize = 16;

/// How keys and values of a map lie in its nodes.
trait Kinds {
    /// Words of an entry.
    const ENTRY: usize;
    /// What every node says of them.
    const TAG: u64;
}

struct Of<K: ?Sized, V: ?Sized>(Kept<K, V>);

/// What a handle knows of keys and values: their types.
type Kept<K, V> = PhantomData<(fn(&K), fn(&V))>;

impl<K: Stored + ?Sized, V: Stored + ?Sized> Kinds for Of<K, V> {
    const ENTRY: usize = {
        let words = K::WORDS + V::WORDS;
        assert!(K::WORDS > 0 && words <= ENTRY_WORDS_MAX, "an entry has 1 to 32 words");
        words
    };
    const TAG: u64 = {
        let keys = if K::APART { KEYS_APART } else { 0 };
        let values = if V::APART { VALUES_APART } else { 0 };
        MAGIC | keys | values | (Self::ENTRY as u64) << 40
    };
}

/// A persistent map. Keys and values are plain data or byte strings, see [`Stored`].
///
/// The handle is the address of its root and as cheap to copy. Edits answer a new handle and leave
/// what was published before as it was; *within* a transaction only the newest handle counts,
/// because blocks born in it are edited in place.
///
/// ```
/// # use eve::{Error, Read, Write, structure::Map};
/// fn example<W: Write>(memory: &mut W) -> Result<(), Error> {
///     let ages = Map::<[u8], u64>::empty();
///     let (ages, before) = ages.insert(memory, b"Ada", 36)?;
///     assert_eq!(before, None);
///     assert_eq!(ages.get(memory, b"Ada")?, Some(36));
///     let (ages, before) = ages.remove(memory, b"Ada")?;
///     assert_eq!(before, Some(36));
///     assert!(ages.is_empty());
///
///     let places = Map::<u32, [f64; 2]>::from_iter(memory, [(7, [52.5, 13.4]), (8, [0.0, 0.5])])?;
///     assert_eq!(places.get(memory, &8)?, Some([0.0, 0.5]));
///     let (notes, _) = Map::<[u8], [u8]>::empty().insert(memory, b"to do", &b"everything else"[..])?;
///     assert_eq!(notes.get(memory, b"to do")?, Some(&b"everything else"[..]));
///     Ok(())
/// }
/// ```
pub struct Map<K: Stored + ?Sized = [u8], V: Stored + ?Sized = u64> {
    root: Addr,
    kinds: Kept<K, V>,
}

/// A persistent map from words to words.
///
/// ```
/// # use eve::{Error, Read, Write, structure::WordMap};
/// fn example<W: Write>(memory: &mut W) -> Result<(), Error> {
///     let (map, _) = WordMap::empty().insert(memory, &7, 49)?;
///     assert_eq!(map.get(memory, &7)?, Some(49));
///     Ok(())
/// }
/// ```
pub type WordMap = Map<u64, u64>;

impl<K: Stored + ?Sized, V: Stored + ?Sized> Map<K, V> {
    /// The map without entries; it needs no memory.
    #[must_use]
    pub const fn empty() -> Self {
        Self::from_root(Addr::NONE)
    }

    /// The map whose [`root`](Map::root) this is.
    #[must_use]
    pub const fn from_root(root: Addr) -> Self {
        Map { root, kinds: PhantomData }
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
        peek::<Of<K, V>>(Asking, reader.words(self.root)?, self.root, 0, 0)?;
        Ok(count_of(reader.words(self.root)?))
    }

    /// The value of `key`. O(log n) with base 64, and no more than 11 nodes.
    ///
    /// # Errors
    /// When a node is damaged.
    #[inline]
    pub fn get<'r, R: Read + ?Sized>(
        self,
        reader: &'r R,
        key: &K,
    ) -> Result<Option<V::Shown<'r>>, Error> {
        if self.root.is_none() {
            return Ok(None);
        }
        match Native::detect() {
            Some(count) => self.find(count, reader, key),
            None => self.find(Asking, reader, key),
        }
    }

    #[inline(always)]
    fn find<'r, R: Read + ?Sized>(
        self,
        count: impl Count,
        reader: &'r R,
        key: &K,
    ) -> Result<Option<V::Shown<'r>>, Error> {
        let hash = key.hash(reader.seed());
        let mut at = self.root;
        let mut words = reader.words(at)?;
        let mut way = Descent::new(hash, count_of(words));
        for level in 0..LEVELS {
            match peek::<Of<K, V>>(count, words, at, level, way.slot())? {
                Slot::Child(child) => {
                    way = way.descend(reader, child);
                    (at, words) = (child, reader.words(child)?);
                }
                Slot::Entry(entry) => return Self::value_in(reader, entry, key),
                Slot::Empty => return Ok(None),
            }
        }
        self.get_in_collision(reader, at, key)
    }

    /// The value in an entry, if it is this key's.
    #[inline(always)]
    fn value_in<'r, R: Read + ?Sized>(
        reader: &'r R,
        entry: &'r [u64],
        key: &K,
    ) -> Result<Option<V::Shown<'r>>, Error> {
        let (stored, value) = entry.split_at(K::WORDS);
        match key.is_stored(reader, stored)? {
            true => V::show(reader, value).map(Some),
            false => Ok(None),
        }
    }

    #[cold]
    fn get_in_collision<'r, R: Read + ?Sized>(
        self,
        reader: &'r R,
        at: Addr,
        key: &K,
    ) -> Result<Option<V::Shown<'r>>, Error> {
        let entries = collision_entries::<Of<K, V>>(reader.words(at)?, at)?;
        for entry in entries.chunks_exact(<Of<K, V>>::ENTRY) {
            if let Some(value) = Self::value_in(reader, entry, key)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The values of many keys, shown in their order.
    ///
    /// As so many [`Map::get`], but some are on their way at once, so that one waits for memory
    /// while another works: twice as fast and more where the map is larger than the caches.
    ///
    /// # Errors
    /// When a node is damaged; what was shown before counts.
    pub fn get_many<'r, 'k, R: Read + ?Sized>(
        self,
        reader: &'r R,
        keys: impl IntoIterator<Item = &'k K>,
        mut show: impl FnMut(&'k K, Option<V::Shown<'r>>),
    ) -> Result<(), Error>
    where
        K: 'k,
    {
        let mut keys = keys.into_iter();
        let mut batch: Vec<(&K, u64)> = Vec::with_capacity(TOGETHER);
        loop {
            batch.clear();
            batch.extend(keys.by_ref().take(TOGETHER).map(|key| (key, key.hash(reader.seed()))));
            if batch.is_empty() {
                return Ok(());
            }
            match Native::detect() {
                Some(count) => self.get_batch(count, reader, &batch, &mut show)?,
                None => self.get_batch(Asking, reader, &batch, &mut show)?,
            }
        }
    }

    /// All of a batch go down one level, then all the next: their loads don't depend on each other.
    fn get_batch<'r, 'k, R: Read + ?Sized>(
        self,
        count: impl Count,
        reader: &'r R,
        batch: &[(&'k K, u64)],
        show: &mut impl FnMut(&'k K, Option<V::Shown<'r>>),
    ) -> Result<(), Error> {
        let mut places = [Slot::Empty; TOGETHER];
        let mut ways = [Descent::new(0, 0); TOGETHER];
        if !self.root.is_none() {
            places = [Slot::Child(self.root); TOGETHER];
            let entries = count_of(reader.words(self.root)?);
            for (way, (_, hash)) in ways.iter_mut().zip(batch) {
                *way = Descent::new(*hash, entries);
            }
        }
        for level in 0..LEVELS {
            let mut deeper = false;
            for (place, way) in places.iter_mut().zip(&mut ways).take(batch.len()) {
                if let Slot::Child(at) = *place {
                    let words = reader.words(at)?;
                    let found = peek::<Of<K, V>>(count, words, at, level, way.slot())?;
                    if let Slot::Child(child) = found {
                        reader.prefetch(child, 0);
                        *way = way.descend(reader, child);
                        deeper = true;
                    }
                    *place = found;
                }
            }
            if !deeper {
                break;
            }
        }
        for (place, (key, _)) in places.into_iter().zip(batch) {
            let value = match place {
                Slot::Empty => None,
                Slot::Entry(entry) => Self::value_in(reader, entry, key)?,
                Slot::Child(at) => self.get_in_collision(reader, at, key)?,
            };
            show(key, value);
        }
        Ok(())
    }

    /// Whether `key` has a value.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn contains_key<R: Read + ?Sized>(self, reader: &R, key: &K) -> Result<bool, Error> {
        Ok(self.get(reader, key)?.is_some())
    }

    /// All entries, in the order of their hashes: the same for equal content under one seed.
    pub fn iter<R: Read + ?Sized>(self, reader: &R) -> Entries<'_, K, V, R> {
        Entries::new(reader, self.root)
    }
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> Clone for Map<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> Copy for Map<K, V> {}

impl<K: Stored + ?Sized, V: Stored + ?Sized> Default for Map<K, V> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> PartialEq for Map<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> Eq for Map<K, V> {}

impl<K: Stored + ?Sized, V: Stored + ?Sized> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("root", &self.root).finish()
    }
}
