//! A persistent set sorted by the bytes of its elements: a byte map whose values take no room.

use std::{borrow::Borrow, fmt, ops::RangeBounds};

use super::byte_map::{ByteChanges, ByteCursor, ByteEntries, ByteMap};
use super::stored::Stored;
use crate::{Addr, Error, Read, Write};

/// A persistent set that is sorted by the bytes of its elements: byte strings or plain data, see
/// [`ByteMap`].
///
/// Handles, versions and costs are as those of [`ByteMap`].
///
/// ```
/// # use eve::{Error, Read, Write, structure::ByteSet};
/// fn example<W: Write>(memory: &mut W) -> Result<(), Error> {
///     let names = [&b"ada"[..], b"adele", b"ben"];
///     let set = ByteSet::<[u8]>::from_iter(memory, names)?;
///     let (set, new) = set.insert(memory, b"adam")?;
///     assert!(new && set.contains(memory, b"adam")?);
///     let found = set.prefix(memory, b"ad").collect::<Result<Vec<_>, _>>()?;
///     assert_eq!(found, [&b"ada"[..], b"adam", b"adele"]);
///     assert_eq!(set.range(memory, &b"adb"[..]..).next_back().transpose()?, Some(b"ben".to_vec()));
///     Ok(())
/// }
/// # use eve::{Region, Slab};
/// # Slab::create(Region::anonymous(1 << 24)?)?.swap(|txn| Ok::<_, Error>((eve::Addr::NONE, example(txn)?)))?;
/// # Ok::<(), Error>(())
/// ```
pub struct ByteSet<K: Stored + ?Sized = [u8]> {
    map: ByteMap<K, ()>,
}

impl<K: Stored + ?Sized> ByteSet<K> {
    /// The set without elements; it needs no memory.
    #[must_use]
    pub const fn empty() -> Self {
        ByteSet { map: ByteMap::empty() }
    }

    /// The set whose [`root`](ByteSet::root) this is.
    #[must_use]
    pub const fn from_root(root: Addr) -> Self {
        ByteSet { map: ByteMap::from_root(root) }
    }

    /// What to store in order to find the set again; [`Addr::NONE`] when it is empty.
    #[must_use]
    pub const fn root(self) -> Addr {
        self.map.root()
    }

    /// Whether there is no element.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.map.is_empty()
    }

    /// How many elements there are. O(1).
    ///
    /// # Errors
    /// When the root is damaged.
    pub fn len<R: Read + ?Sized>(self, reader: &R) -> Result<u64, Error> {
        self.map.len(reader)
    }

    /// Whether `element` is there. As [`ByteMap::get`].
    ///
    /// # Errors
    /// When a node is damaged.
    #[inline]
    pub fn contains<R: Read + ?Sized>(self, reader: &R, element: &K) -> Result<bool, Error> {
        Ok(self.map.get(reader, element)?.is_some())
    }

    /// The set with `element`, and whether it is new. As [`ByteMap::insert`].
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn insert<W: Write + ?Sized>(
        self,
        memory: &mut W,
        element: &K,
    ) -> Result<(Self, bool), Error> {
        let (map, before) = self.map.insert(memory, element, ())?;
        Ok((ByteSet { map }, before.is_none()))
    }

    /// The set without `element`, and whether it was there. As [`ByteMap::remove`].
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn remove<W: Write + ?Sized>(
        self,
        memory: &mut W,
        element: &K,
    ) -> Result<(Self, bool), Error> {
        let (map, before) = self.map.remove(memory, element)?;
        Ok((ByteSet { map }, before.is_some()))
    }

    /// The set of these elements. As [`ByteMap::from_iter`].
    ///
    /// # Errors
    /// When memory is full; then drop the transaction.
    pub fn from_iter<W: Write + ?Sized, Q: Borrow<K>>(
        memory: &mut W,
        elements: impl IntoIterator<Item = Q>,
    ) -> Result<Self, Error> {
        Self::empty().extend(memory, elements)
    }

    /// The set with these elements. As [`ByteMap::extend`].
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn extend<W: Write + ?Sized, Q: Borrow<K>>(
        self,
        memory: &mut W,
        elements: impl IntoIterator<Item = Q>,
    ) -> Result<Self, Error> {
        let entries = elements.into_iter().map(|element| (element, ()));
        Ok(ByteSet { map: self.map.extend(memory, entries)? })
    }

    /// All elements, ascending, and from both ends. A [`cursor`](ByteSet::cursor) lends them instead of
    /// copying them.
    pub fn iter<R: Read + ?Sized>(self, reader: &R) -> ByteElements<'_, K, R> {
        ByteElements { entries: self.map.iter(reader) }
    }

    /// The elements in `range`, ascending, and from both ends. As [`ByteMap::range`].
    pub fn range<'r, 'k, R: Read + ?Sized>(
        self,
        reader: &'r R,
        range: impl RangeBounds<&'k K>,
    ) -> ByteElements<'r, K, R>
    where
        K: 'k,
    {
        ByteElements { entries: self.map.range(reader, range) }
    }

    /// The elements that begin with `prefix`, ascending, and from both ends. As [`ByteMap::prefix`].
    pub fn prefix<'r, R: Read + ?Sized>(
        self,
        reader: &'r R,
        prefix: &[u8],
    ) -> ByteElements<'r, K, R> {
        ByteElements { entries: self.map.prefix(reader, prefix) }
    }

    /// A cursor before the first element.
    pub fn cursor<R: Read + ?Sized>(self, reader: &R) -> ByteCursor<'_, K, (), R> {
        self.map.cursor(reader)
    }

    /// How many elements lie in `range`. As [`ByteMap::count`].
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
        self.map.count(reader, range)
    }

    /// How many elements begin with `prefix`. As [`ByteMap::count_prefix`].
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn count_prefix<R: Read + ?Sized>(self, reader: &R, prefix: &[u8]) -> Result<u64, Error> {
        self.map.count_prefix(reader, prefix)
    }

    /// How many elements sort before these bytes. As [`ByteMap::rank`].
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn rank<R: Read + ?Sized>(self, reader: &R, element: &[u8]) -> Result<u64, Error> {
        self.map.rank(reader, element)
    }

    /// What must be added and removed to get `other`, ascending. As [`ByteMap::diff`].
    pub fn diff<'r, R: Read + ?Sized, S: Read + ?Sized>(
        self,
        reader: &'r R,
        other: Self,
        other_reader: &'r S,
    ) -> ByteChanges<'r, K, (), R, S> {
        self.map.diff(reader, other.map, other_reader)
    }

    /// The set with the elements of `other`, read by `reader`, besides. As [`ByteMap::merge`].
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn merge<W: Write + ?Sized, R: Read + ?Sized>(
        self,
        memory: &mut W,
        other: Self,
        reader: &R,
    ) -> Result<Self, Error>
    where
        K::Owned: Borrow<K>,
    {
        Ok(ByteSet { map: self.map.merge(memory, other.map, reader, |_, (), ()| None)? })
    }

    /// Shows every block of the set to `visit`. As [`ByteMap::trace`].
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn trace<R: Read + ?Sized>(
        self,
        reader: &R,
        visit: &mut impl FnMut(Addr) -> bool,
    ) -> Result<(), Error> {
        self.map.trace(reader, visit)
    }

    /// Checks every invariant of every node. O(n).
    ///
    /// # Errors
    /// What is wrong and where, for the first thing that is.
    pub fn verify<R: Read + ?Sized>(self, reader: &R) -> Result<(), Error> {
        self.map.verify(reader)
    }
}

/// Iterator over a set's elements: see [`ByteSet::iter`].
///
/// It gives an error at most once, and nothing after it.
pub struct ByteElements<'r, K: Stored + ?Sized, R: Read + ?Sized> {
    entries: ByteEntries<'r, K, (), R>,
}

impl<K: Stored + ?Sized, R: Read + ?Sized> Iterator for ByteElements<'_, K, R> {
    type Item = Result<K::Owned, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.entries.next().map(|entry| entry.map(|(element, ())| element))
    }
}

impl<K: Stored + ?Sized, R: Read + ?Sized> DoubleEndedIterator for ByteElements<'_, K, R> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.entries.next_back().map(|entry| entry.map(|(element, ())| element))
    }
}

impl<K: Stored + ?Sized> Clone for ByteSet<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Stored + ?Sized> Copy for ByteSet<K> {}

impl<K: Stored + ?Sized> Default for ByteSet<K> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<K: Stored + ?Sized> PartialEq for ByteSet<K> {
    fn eq(&self, other: &Self) -> bool {
        self.map == other.map
    }
}

impl<K: Stored + ?Sized> Eq for ByteSet<K> {}

impl<K: Stored + ?Sized> fmt::Debug for ByteSet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteSet").field("root", &self.root()).finish()
    }
}
