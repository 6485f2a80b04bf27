//! A persistent hash set: a map whose values take no room.

use std::{borrow::Borrow, fmt};

use super::map::{Changes, Entries, Map};
use super::stored::Stored;
use crate::{Addr, Error, Read, Write};

/// A persistent set of plain data or byte strings, see [`Stored`].
///
/// Handles, versions and costs are as those of [`Map`].
///
/// ```
/// # use eve::{Error, Read, Write, structure::Set};
/// fn example<W: Write>(memory: &mut W) -> Result<(), Error> {
///     let (seen, new) = Set::<[u8]>::empty().insert(memory, b"a byte string")?;
///     assert!(new && seen.contains(memory, b"a byte string")?);
///     let primes = Set::<u64>::from_iter(memory, [2, 3, 5, 7, 3])?;
///     assert_eq!(primes.len(memory)?, 4);
///     Ok(())
/// }
/// ```
pub struct Set<K: Stored + ?Sized = [u8]> {
    map: Map<K, ()>,
}

impl<K: Stored + ?Sized> Set<K> {
    /// The set without elements; it needs no memory.
    #[must_use]
    pub const fn empty() -> Self {
        Set { map: Map::empty() }
    }

    /// The set whose [`root`](Set::root) this is.
    #[must_use]
    pub const fn from_root(root: Addr) -> Self {
        Set { map: Map::from_root(root) }
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

    /// Whether `element` is there. As [`Map::get`].
    ///
    /// # Errors
    /// When a node is damaged.
    #[inline]
    pub fn contains<R: Read + ?Sized>(self, reader: &R, element: &K) -> Result<bool, Error> {
        Ok(self.map.get(reader, element)?.is_some())
    }

    /// The set with `element`, and whether it is new. As [`Map::insert`].
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn insert<W: Write + ?Sized>(
        self,
        memory: &mut W,
        element: &K,
    ) -> Result<(Self, bool), Error> {
        let (map, before) = self.map.insert(memory, element, ())?;
        Ok((Set { map }, before.is_none()))
    }

    /// The set without `element`, and whether it was there. As [`Map::remove`].
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn remove<W: Write + ?Sized>(
        self,
        memory: &mut W,
        element: &K,
    ) -> Result<(Self, bool), Error> {
        let (map, before) = self.map.remove(memory, element)?;
        Ok((Set { map }, before.is_some()))
    }

    /// The set of these elements. As [`Map::from_iter`].
    ///
    /// # Errors
    /// When memory is full; then drop the transaction.
    pub fn from_iter<W: Write + ?Sized, Q: Borrow<K>>(
        memory: &mut W,
        elements: impl IntoIterator<Item = Q>,
    ) -> Result<Self, Error> {
        Self::empty().extend(memory, elements)
    }

    /// The set with these elements. As [`Map::extend`].
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn extend<W: Write + ?Sized, Q: Borrow<K>>(
        self,
        memory: &mut W,
        elements: impl IntoIterator<Item = Q>,
    ) -> Result<Self, Error> {
        let entries = elements.into_iter().map(|element| (element, ()));
        Ok(Set { map: self.map.extend(memory, entries)? })
    }

    /// All elements, in the order of their hashes: the same for equal content under one seed.
    pub fn iter<R: Read + ?Sized>(self, reader: &R) -> Elements<'_, K, R> {
        Elements { entries: self.map.iter(reader) }
    }

    /// What must be added and removed to get `other`. As [`Map::diff`].
    pub fn diff<'r, R: Read + ?Sized, S: Read + ?Sized>(
        self,
        reader: &'r R,
        other: Self,
        other_reader: &'r S,
    ) -> Changes<'r, K, (), R, S> {
        self.map.diff(reader, other.map, other_reader)
    }

    /// The set with the elements of `other`, read by `reader`, besides. As [`Map::merge`].
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
        Ok(Set { map: self.map.merge(memory, other.map, reader, |_, (), ()| None)? })
    }

    /// Shows every block of the set to `visit`. As [`Map::trace`].
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

/// Iterator over a set's elements: see [`Set::iter`].
///
/// It gives an error at most once, and nothing after it.
pub struct Elements<'r, K: Stored + ?Sized, R: Read + ?Sized> {
    entries: Entries<'r, K, (), R>,
}

impl<'r, K: Stored + ?Sized, R: Read + ?Sized> Iterator for Elements<'r, K, R> {
    type Item = Result<K::Shown<'r>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.entries.next().map(|entry| entry.map(|(element, ())| element))
    }
}

impl<K: Stored + ?Sized> Clone for Set<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Stored + ?Sized> Copy for Set<K> {}

impl<K: Stored + ?Sized> Default for Set<K> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<K: Stored + ?Sized> PartialEq for Set<K> {
    fn eq(&self, other: &Self) -> bool {
        self.map == other.map
    }
}

impl<K: Stored + ?Sized> Eq for Set<K> {}

impl<K: Stored + ?Sized> fmt::Debug for Set<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Set").field("root", &self.root()).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
