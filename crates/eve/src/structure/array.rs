//! An array of a fixed length: plain data side by side in one block, lent as a slice.

use std::{fmt, marker::PhantomData, ops::RangeBounds};

use bytemuck::Pod;

use crate::{Addr, Error, Read, Write};

/// Word 0 of an array's block: this above the bytes of an element; word 1 the length.
const MAGIC: u64 = (u32::from_le_bytes(*b"arry") as u64) << 32;
const HEAD_WORDS: usize = 2;
/// Blocks begin at multiples of this.
const ALIGN_MAX: usize = Addr::GRANULE as usize;

/// A persistent array of plain data, at most 1 GiB of it.
///
/// Reading lends the elements themselves, as one slice. An edit copies the whole array unless it was
/// made in the same transaction: for long ones that change often take a [`Vector`](super::Vector).
///
/// ```
/// # use eve::{Error, Read, Write, structure::Array};
/// fn example<W: Write>(memory: &mut W) -> Result<(), Error> {
///     let heights = Array::<f32>::from_slice(memory, &[1.5, 1.7, 1.6])?;
///     let heights = heights.set(memory, 1, 1.8)?;
///     assert_eq!(heights.as_slice(memory)?, [1.5, 1.8, 1.6]);
///     Ok(())
/// }
/// ```
pub struct Array<T: Pod> {
    root: Addr,
    element: PhantomData<fn(&T)>,
}

impl<T: Pod> Array<T> {
    const SOUND: () = {
        assert!(align_of::<T>() <= ALIGN_MAX, "elements are aligned as blocks are");
        assert!(size_of::<T>() > 0 && size_of::<T>() < 1 << 32, "elements take room");
    };

    /// The array of no elements; it needs no memory.
    #[must_use]
    pub const fn empty() -> Self {
        Self::from_root(Addr::NONE)
    }

    /// The array whose [`root`](Array::root) this is.
    #[must_use]
    pub const fn from_root(root: Addr) -> Self {
        Array { root, element: PhantomData }
    }

    /// What to store in order to find the array again; [`Addr::NONE`] when it is empty.
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
    /// When the array is damaged.
    pub fn len<R: Read + ?Sized>(self, reader: &R) -> Result<u64, Error> {
        Ok(self.as_slice(reader)?.len() as u64)
    }

    /// The array of these elements.
    ///
    /// # Errors
    /// When memory is full, or [`Error::TooLarge`].
    pub fn from_slice<W: Write + ?Sized>(memory: &mut W, elements: &[T]) -> Result<Self, Error> {
        let () = Self::SOUND;
        if elements.is_empty() {
            return Ok(Self::empty());
        }
        let at = memory.alloc(HEAD_WORDS * 8 + size_of_val(elements))?;
        let Some(words) = memory.words_mut(at) else {
            return Err(Error::corrupt("new block cannot be written", at));
        };
        words[..HEAD_WORDS]
            .copy_from_slice(&[MAGIC | size_of::<T>() as u64, elements.len() as u64]);
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words[HEAD_WORDS..]);
        bytes[..size_of_val(elements)].copy_from_slice(bytemuck::cast_slice(elements));
        Ok(Self::from_root(at))
    }

    /// The array of these elements.
    ///
    /// # Errors
    /// As [`Array::from_slice`].
    pub fn from_iter<W: Write + ?Sized>(
        memory: &mut W,
        elements: impl IntoIterator<Item = T>,
    ) -> Result<Self, Error> {
        Self::from_slice(memory, &elements.into_iter().collect::<Vec<T>>())
    }

    /// All elements, where they lie. O(1).
    ///
    /// # Errors
    /// When the array is damaged.
    pub fn as_slice<R: Read + ?Sized>(self, reader: &R) -> Result<&[T], Error> {
        let () = Self::SOUND;
        if self.root.is_none() {
            return Ok(&[]);
        }
        let words = reader.words(self.root)?;
        let body = words.get(HEAD_WORDS..).unwrap_or_default();
        let bytes = bytes_in::<T>(words).and_then(|n| bytemuck::cast_slice::<_, u8>(body).get(..n));
        bytes.and_then(|bytes| bytemuck::try_cast_slice(bytes).ok()).ok_or_else(|| self.damaged())
    }

    #[cold]
    fn damaged(self) -> Error {
        Error::corrupt("not an array of elements of this size", self.root)
    }

    /// Element `index`; `None` beyond the end. O(1).
    ///
    /// # Errors
    /// When the array is damaged.
    pub fn get<R: Read + ?Sized>(self, reader: &R, index: u64) -> Result<Option<T>, Error> {
        let elements = self.as_slice(reader)?;
        Ok(usize::try_from(index).ok().and_then(|index| elements.get(index)).copied())
    }

    /// Those elements of a range that are there. O(1).
    ///
    /// # Errors
    /// When the array is damaged.
    pub fn range<R: Read + ?Sized>(
        self,
        reader: &R,
        range: impl RangeBounds<u64>,
    ) -> Result<&[T], Error> {
        let elements = self.as_slice(reader)?;
        let (start, end) = super::limits(&range, elements.len() as u64);
        Ok(&elements[start as usize..end as usize])
    }

    /// All elements.
    ///
    /// # Errors
    /// When the array is damaged.
    pub fn iter<R: Read + ?Sized>(
        self,
        reader: &R,
    ) -> Result<impl DoubleEndedIterator<Item = T> + ExactSizeIterator, Error> {
        Ok(self.as_slice(reader)?.iter().copied())
    }

    /// The array after `edit` has changed its elements. O(n), and O(1) besides `edit` where the array
    /// was made in this transaction.
    ///
    /// # Errors
    /// When memory is full or the array is damaged; then drop the transaction.
    pub fn edit<W: Write + ?Sized>(
        self,
        memory: &mut W,
        edit: impl FnOnce(&mut [T]),
    ) -> Result<Self, Error> {
        let Some(len) = Some(size_of_val(self.as_slice(memory)?)).filter(|len| *len > 0) else {
            return Ok(self);
        };
        let all = HEAD_WORDS + len.div_ceil(8);
        let (at, words) = memory.rewrite(self.root, all, all)?;
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words[HEAD_WORDS..]);
        match bytes.get_mut(..len).map(bytemuck::try_cast_slice_mut) {
            Some(Ok(elements)) => edit(elements),
            _ => return Err(self.damaged()),
        }
        Ok(Self::from_root(at))
    }

    /// The array with `element` at `index`; beyond the end nothing changes. As [`Array::edit`].
    ///
    /// # Errors
    /// When memory is full or the array is damaged; then drop the transaction.
    pub fn set<W: Write + ?Sized>(
        self,
        memory: &mut W,
        index: u64,
        element: T,
    ) -> Result<Self, Error> {
        if index >= self.len(memory)? {
            return Ok(self);
        }
        self.edit(memory, |elements| elements[index as usize] = element)
    }

    /// Gives the array's block back.
    pub fn clear<W: Write + ?Sized>(self, memory: &mut W) -> Self {
        if !self.root.is_none() {
            memory.retire(self.root);
        }
        Self::empty()
    }

    /// Shows the array's block to `visit`.
    ///
    /// # Errors
    /// When the array is damaged.
    pub fn trace<R: Read + ?Sized>(
        self,
        reader: &R,
        visit: &mut impl FnMut(Addr) -> bool,
    ) -> Result<(), Error> {
        if !self.root.is_none() {
            self.verify(reader)?;
            visit(self.root);
        }
        Ok(())
    }

    /// Checks the array's head. O(1).
    ///
    /// # Errors
    /// When it is damaged.
    pub fn verify<R: Read + ?Sized>(self, reader: &R) -> Result<(), Error> {
        self.as_slice(reader).map(|_| ())
    }
}

/// How many bytes the elements of an array take.
fn bytes_in<T: Pod>(words: &[u64]) -> Option<usize> {
    let [head, len, ..] = words else { return None };
    let fits = *head == MAGIC | size_of::<T>() as u64 && *len > 0;
    let bytes = usize::try_from(*len).ok()?.checked_mul(size_of::<T>())?;
    fits.then_some(bytes)
}

impl<T: Pod> Clone for Array<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Pod> Copy for Array<T> {}

impl<T: Pod> Default for Array<T> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<T: Pod> PartialEq for Array<T> {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl<T: Pod> Eq for Array<T> {}

impl<T: Pod> fmt::Debug for Array<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Array").field("root", &self.root).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
