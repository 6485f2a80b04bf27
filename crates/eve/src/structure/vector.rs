//! A persistent vector: a radix trie of leaves, and beside it the last leaf, the tail.
//!
//! Five bits of the index choose the child at each level (Bagwell and Rompf, "RRB-Trees", 2011, of which
//! this is the radix-balanced case, and the vectors of Clojure). Pushing and popping touch the tail
//! alone, thirty-one times of thirty-two.
//!
//! 1. All leaves but the tail hold 32 elements; the tail holds 1 to 32, unless the vector is empty.
//! 2. A trie of height `h` holds at most 32^h leaves and, above height 0, more than 32^(h-1): it
//!    is as low as can be, so content alone decides the shape.
//! 3. Every node knows its height and how many rows it has: no damaged link can lead round in a
//!    circle.

mod diff;
mod edit;
mod elements;
mod node;
#[cfg(all(test, not(loom)))]
mod tests;
mod walk;

pub use diff::Replaced;
pub use elements::Items;
#[cfg(all(test, not(loom)))]
pub(super) use node::HEIGHT_MAX as VECTOR_HEIGHT_MAX;

use std::{fmt, marker::PhantomData, ops::RangeBounds};

use super::stored::Stored;
use crate::{Addr, Error, Read};
use node::{Head, leaf_of};

/// A persistent vector of plain data or byte strings, see [`Stored`].
///
/// The handle is the address of its root and as cheap to copy. Edits answer a new handle and leave
/// what was published before as it was; *within* a transaction only the newest handle counts,
/// because blocks born in it are edited in place.
///
/// ```
/// # use eve::{Error, Read, Write, structure::Vector};
/// fn example<W: Write>(memory: &mut W) -> Result<(), Error> {
///     let squares = Vector::<u64>::from_iter(memory, (0..100).map(|n| n * n))?;
///     let squares = squares.push(memory, 10_000)?;
///     assert_eq!(squares.get(memory, 100)?, Some(10_000));
///     let (squares, last) = squares.pop(memory)?;
///     assert_eq!((squares.len(memory)?, last), (100, Some(10_000)));
///     Ok(())
/// }
/// ```
pub struct Vector<T: Stored + ?Sized = u64> {
    root: Addr,
    element: PhantomData<fn(&T)>,
}

impl<T: Stored + ?Sized> Vector<T> {
    /// The vector without elements; it needs no memory.
    #[must_use]
    pub const fn empty() -> Self {
        Self::from_root(Addr::NONE)
    }

    /// The vector whose [`root`](Vector::root) this is.
    #[must_use]
    pub const fn from_root(root: Addr) -> Self {
        Vector { root, element: PhantomData }
    }

    /// What to store in order to find the vector again; [`Addr::NONE`] when it is empty.
    #[must_use]
    pub const fn root(self) -> Addr {
        self.root
    }

    /// Whether there is no element.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.root.is_none()
    }

    /// How many elements there are. O(1).
    ///
    /// # Errors
    /// When the root is damaged.
    pub fn len<R: Read + ?Sized>(self, reader: &R) -> Result<u64, Error> {
        Ok(Head::read::<T, R>(reader, self.root)?.len)
    }

    /// Element `index`; `None` beyond the end. O(log n) with base 32, O(1) near the end.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn get<'r, R: Read + ?Sized>(
        self,
        reader: &'r R,
        index: u64,
    ) -> Result<Option<T::Shown<'r>>, Error> {
        let head = Head::read::<T, R>(reader, self.root)?;
        if index >= head.len {
            return Ok(None);
        }
        let leaf = leaf_of::<T, R>(reader, &head, index)?;
        let at = (index % node::WIDTH) as usize * T::WORDS;
        match leaf.get(at..at + T::WORDS) {
            Some(words) => T::show(reader, words).map(Some),
            None => Err(Error::corrupt("vector leaf that is too short", self.root)),
        }
    }

    /// The elements of a range, as far as they are there, from both ends. O(log n) every 32 elements.
    pub fn range<'r, R: Read + ?Sized>(
        self,
        reader: &'r R,
        range: impl RangeBounds<u64>,
    ) -> Items<'r, T, R> {
        Items::new(reader, self.root, &range)
    }

    /// All elements, from both ends.
    pub fn iter<R: Read + ?Sized>(self, reader: &R) -> Items<'_, T, R> {
        self.range(reader, ..)
    }
}

impl<T: Stored + ?Sized> Clone for Vector<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Stored + ?Sized> Copy for Vector<T> {}

impl<T: Stored + ?Sized> Default for Vector<T> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<T: Stored + ?Sized> PartialEq for Vector<T> {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl<T: Stored + ?Sized> Eq for Vector<T> {}

impl<T: Stored + ?Sized> fmt::Debug for Vector<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vector").field("root", &self.root).finish()
    }
}
