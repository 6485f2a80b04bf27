//! A persistent map sorted by the bytes of its keys: a B+tree with prefixes and bounds cut short.
//!
//! Each node stores once what all its keys begin with (prefix truncation), and an inner node no more of
//! a bound than it takes to tell two children apart (suffix truncation; Bayer and Unterauer, "Prefix
//! B-trees", 1977). Of what is left of a key the first four bytes lie in the row itself, as a number, so
//! that most of a search looks at one array of words (Graefe and Larson, "B-tree indexes and CPU
//! caches", 2001). Nodes have at most 4 KiB, or few rows with long keys.

mod bulk;
mod cursor;
mod diff;
mod edit;
mod entries;
mod node;
mod rows;
#[cfg(all(test, not(loom)))]
mod tests;
mod walk;
mod write;

pub use cursor::ByteCursor;
pub use diff::ByteChanges;
pub use entries::ByteEntries;
#[cfg(all(test, not(loom)))]
pub(super) use node::{HEIGHT_MAX, KEY_BYTES_MAX, VALUE_WORDS_MAX};

use std::{fmt, marker::PhantomData, ops::RangeBounds};

use super::stored::Stored;
use crate::{Addr, Error, Read};
use entries::Limits;
use node::{Node, Shape};

/// What a handle knows of keys and values: their types.
type Kept<K, V> = PhantomData<(fn(&K), fn(&V))>;

/// A persistent map that is sorted by the bytes of its keys, as `memcmp` and [`BTreeMap`] sort them.
///
/// Keys are byte strings of up to 64 MiB, or plain data of any size, which also sort by their bytes: `[u8;
/// 16]` as one expects, numbers by their lowest byte first, so better as
/// [`to_be_bytes`](u64::to_be_bytes). Values are what those of a [`Map`](super::Map) are: plain data, or
/// byte strings.
///
/// Handles and versions are as those of [`Map`](super::Map). An entry is found in O(log n); a key takes
/// what it does not share with the others of its node, and eight bytes. Keys much longer than a node is
/// (4 KiB) cost each change near them a copy of a few of them.
///
/// ```
/// # use eve::{Error, Read, Write, structure::ByteMap};
/// fn example<W: Write>(memory: &mut W) -> Result<(), Error> {
///     let sizes = ByteMap::<[u8], u64>::from_iter(memory, [
///         (&b"/home/ada/notes"[..], 1_815),
///         (b"/home/ada/engine.c", 1_837),
///         (b"/home/ben/todo", 12),
///     ])?;
///     let (sizes, before) = sizes.insert(memory, b"/home/ada/notes", 1_843)?;
///     assert_eq!(before, Some(1_815));
///     assert_eq!(sizes.get(memory, b"/home/ada/notes")?, Some(1_843));
///
///     // What Ada has, in order.
///     let hers = sizes.prefix(memory, b"/home/ada/").collect::<Result<Vec<_>, _>>()?;
///     assert_eq!(hers, [
///         (b"/home/ada/engine.c".to_vec(), 1_837),
///         (b"/home/ada/notes".to_vec(), 1_843),
///     ]);
///     let from = &b"/home/ada/f"[..];
///     assert_eq!(sizes.range(memory, from..).count(), 2);
///     let mut cursor = sizes.cursor(memory);
///     assert_eq!(cursor.seek(b"/home/b")?, Some((&b"/home/ben/todo"[..], 12)));
///     assert_eq!(cursor.prev()?, Some((&b"/home/ada/notes"[..], 1_843)));
///     Ok(())
/// }
/// # use eve::{Region, Slab};
/// # Slab::create(Region::anonymous(1 << 24)?)?.swap(|txn| Ok::<_, Error>((eve::Addr::NONE, example(txn)?)))?;
/// # Ok::<(), Error>(())
/// ```
///
/// [`BTreeMap`]: std::collections::BTreeMap
pub struct ByteMap<K: Stored + ?Sized = [u8], V: Stored + ?Sized = u64> {
    root: Addr,
    kinds: Kept<K, V>,
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> ByteMap<K, V> {
    const SHAPE: Shape = Shape::of::<V>();

    /// The map without entries; it needs no memory.
    #[must_use]
    pub const fn empty() -> Self {
        Self::from_root(Addr::NONE)
    }

    /// The map whose [`root`](ByteMap::root) this is.
    #[must_use]
    pub const fn from_root(root: Addr) -> Self {
        ByteMap { root, kinds: PhantomData }
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
        if self.is_empty() {
            return Ok(0);
        }
        Ok(Node::root(reader, self.root, Self::SHAPE)?.total)
    }

    /// The value of `key`. O(log n).
    ///
    /// # Errors
    /// When a node is damaged.
    #[inline]
    pub fn get<'r, R: Read + ?Sized>(
        self,
        reader: &'r R,
        key: &K,
    ) -> Result<Option<V::Shown<'r>>, Error> {
        if self.is_empty() {
            return Ok(None);
        }
        let key = key.key_bytes();
        let mut node = Node::root(reader, self.root, Self::SHAPE)?;
        while node.height > 0 {
            node = node.child_for(reader, key)?.0;
        }
        match node.position(reader, key) {
            (position, true) => V::show(reader, node.words(position)).map(Some),
            (_, false) => Ok(None),
        }
    }

    /// Whether `key` has a value.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn contains_key<R: Read + ?Sized>(self, reader: &R, key: &K) -> Result<bool, Error> {
        Ok(self.get(reader, key)?.is_some())
    }

    /// A cursor before the first entry.
    pub fn cursor<R: Read + ?Sized>(self, reader: &R) -> ByteCursor<'_, K, V, R> {
        ByteCursor::new(reader, self.root)
    }

    /// All entries, ascending by key, and from both ends. A [`cursor`](ByteMap::cursor) lends the keys
    /// instead of copying them.
    pub fn iter<R: Read + ?Sized>(self, reader: &R) -> ByteEntries<'_, K, V, R> {
        self.range(reader, ..)
    }

    /// The entries whose keys lie in `range`, ascending, and from both ends.
    ///
    /// O(log n) to start, O(1) an entry.
    pub fn range<'r, 'k, R: Read + ?Sized>(
        self,
        reader: &'r R,
        range: impl RangeBounds<&'k K>,
    ) -> ByteEntries<'r, K, V, R>
    where
        K: 'k,
    {
        ByteEntries::new(reader, self, Limits::of(&range))
    }

    /// The entries whose keys begin with `prefix`, ascending, and from both ends. As
    /// [`ByteMap::range`].
    pub fn prefix<'r, R: Read + ?Sized>(
        self,
        reader: &'r R,
        prefix: &[u8],
    ) -> ByteEntries<'r, K, V, R> {
        ByteEntries::new(reader, self, Limits::of_prefix(prefix))
    }

    /// How many keys lie in `range`. O(log n).
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn count<'k, R: Read + ?Sized>(
        self,
        reader: &R,
        range: impl RangeBounds<&'k K>,
    ) -> Result<u64, Error>
    where
        K: 'k,
    {
        let Limits { from, to } = Limits::of(&range);
        self.count_between(reader, &from, to.as_deref())
    }

    /// How many keys begin with `prefix`. O(log n).
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn count_prefix<R: Read + ?Sized>(self, reader: &R, prefix: &[u8]) -> Result<u64, Error> {
        let Limits { from, to } = Limits::of_prefix(prefix);
        self.count_between(reader, &from, to.as_deref())
    }

    fn count_between<R: Read + ?Sized>(
        self,
        reader: &R,
        from: &[u8],
        to: Option<&[u8]>,
    ) -> Result<u64, Error> {
        let end = match to {
            Some(to) => self.rank(reader, to)?,
            None => self.len(reader)?,
        };
        let start = if from.is_empty() { 0 } else { self.rank(reader, from)? };
        Ok(end.saturating_sub(start))
    }

    /// How many keys sort before these bytes. O(log n).
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn rank<R: Read + ?Sized>(self, reader: &R, key: &[u8]) -> Result<u64, Error> {
        if self.is_empty() {
            return Ok(0);
        }
        let (mut before, mut node) = (0_u64, Node::root(reader, self.root, Self::SHAPE)?);
        while node.height > 0 {
            let (child, index) = node.child_for(reader, key)?;
            before = before.wrapping_add(node.sum(index));
            node = child;
        }
        Ok(before.wrapping_add(node.position(reader, key).0 as u64))
    }
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> Clone for ByteMap<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> Copy for ByteMap<K, V> {}

impl<K: Stored + ?Sized, V: Stored + ?Sized> Default for ByteMap<K, V> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> PartialEq for ByteMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> Eq for ByteMap<K, V> {}

impl<K: Stored + ?Sized, V: Stored + ?Sized> fmt::Debug for ByteMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteMap").field("root", &self.root).finish()
    }
}
