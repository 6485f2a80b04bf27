//! The two traits that structures are written over.
//!
//! 1. What [`Read`] hands out was checked: the block lies in allocated memory and the slice ends
//!    where its size class ends. Its *content* is not trusted: whoever decodes it checks.
//! 2. A published block never changes while anything pinned can reach it.
//! 3. Only blocks born in the running transaction can be written ([`Write::words_mut`]).

use crate::{Addr, Error};

/// Read access to blocks.
pub trait Read {
    /// The whole block at `at`, as words: as long as its size class, so maybe longer than asked for
    /// when it was allocated. The rest is zero.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when no block begins at `at`.
    fn words(&self, at: Addr) -> Result<&[u64], Error>;

    /// The whole block at `at`, as bytes.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when no block begins at `at`.
    fn bytes(&self, at: Addr) -> Result<&[u8], Error> {
        self.words(at).map(bytemuck::cast_slice)
    }
}

/// A transaction's access to blocks.
pub trait Write: Read {
    /// A new, zeroed block of at least `bytes` bytes.
    ///
    /// # Errors
    /// When there is no room left: [`Error::DiskFull`], [`Error::RegionFull`], [`Error::TooLarge`].
    fn alloc(&mut self, bytes: usize) -> Result<Addr, Error>;

    /// The block for editing in place; `None` unless it was born in this transaction, in which case
    /// the caller copies it.
    fn words_mut(&mut self, at: Addr) -> Option<&mut [u64]>;

    /// Says that the block is unreachable once this transaction commits. A block born in it returns
    /// at once.
    fn retire(&mut self, at: Addr);
}

impl<R: Read + ?Sized> Read for &R {
    fn words(&self, at: Addr) -> Result<&[u64], Error> {
        (**self).words(at)
    }

    fn bytes(&self, at: Addr) -> Result<&[u8], Error> {
        (**self).bytes(at)
    }
}

#[cfg(test)]
mod arena;
#[cfg(test)]
pub(crate) use arena::Arena;
