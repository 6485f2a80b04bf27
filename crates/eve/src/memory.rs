//! The two traits that structures are written over.
//!
//! 1. What [`Read`] hands out was checked: the block lies in allocated memory and the slice ends
//!    where its size class ends. Its *content* is not trusted: whoever decodes it checks.
//! 2. A published block never changes while anything pinned can reach it.
//! 3. Only blocks born in the running transaction can be written ([`Write::words_mut`]).

use std::ops::Range;

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

    /// Says that what lies `bytes` behind `at` will soon be read: the memory may fetch that line
    /// meanwhile. Any address will do, and nothing need happen.
    #[inline]
    fn prefetch(&self, at: Addr, bytes: usize) {
        let _ = (at, bytes);
    }

    /// The secret that keys every hash kept in this memory: made at random with the region, the
    /// same for its whole life, so that nobody outside can choose keys that collide.
    fn seed(&self) -> u64 {
        0
    }
}

/// Makes a block's content of another's: see [`Write::renew`].
pub type Fill<'f> = dyn FnMut(&[u64], &mut [u64]) -> Result<(), Error> + 'f;

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

    /// The block `at` for editing, with room for `room` words: itself where it was born in this
    /// transaction and has the room, else a new block that begins with its first `keep` words; then
    /// `at` is retired.
    ///
    /// # Errors
    /// As [`Write::alloc`], and [`Error::Corrupt`] when no block of `keep` words begins at `at`.
    fn rewrite(&mut self, at: Addr, keep: usize, room: usize) -> Result<(Addr, &mut [u64]), Error> {
        let own = self.words_mut(at).map(|words| words.len());
        let mut to = at;
        if own.is_none_or(|len| len < room) {
            // What grows twice in one transaction will grow again; what does not stays exact.
            let spare = if own.is_some() { room / 4 } else { 0 };
            to = self.alloc((room + spare) * 8)?;
            self.copy(at, 0..keep, to, 0)?;
            self.retire(at);
        }
        match self.words_mut(to) {
            Some(words) => Ok((to, words)),
            None => Err(Error::corrupt("new block cannot be written", to)),
        }
    }

    /// A new block of at least `room` words in place of `at`, which is retired: `fill` is shown the old
    /// block and writes every word of the new one, whose content may be anything before. Memory that can
    /// lend both blocks at once should.
    ///
    /// # Errors
    /// As [`Write::alloc`], [`Error::Corrupt`] when no block begins at `at`, and those of `fill`; then
    /// drop the transaction.
    fn renew(&mut self, at: Addr, room: usize, fill: &mut Fill<'_>) -> Result<Addr, Error> {
        let old = self.words(at)?.to_vec();
        let new = self.alloc(room * 8)?;
        let words = self.words_mut(new).filter(|words| words.len() >= room);
        fill(&old, words.ok_or(Error::corrupt("new block cannot be written", new))?)?;
        self.retire(at);
        Ok(new)
    }

    /// Copies the `words` of one block to another, born in this transaction, from its word `to_word`
    /// on. Memory that can lend both blocks at once should do it in one move.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when either range leaves its block or `to` cannot be written.
    fn copy(
        &mut self,
        from: Addr,
        words: Range<usize>,
        to: Addr,
        to_word: usize,
    ) -> Result<(), Error> {
        /// Moved at a time: small enough for the stack, large enough that checks do not show.
        const STEP: usize = 128;
        let mut step = [0; STEP];
        for start in words.clone().step_by(STEP) {
            let len = STEP.min(words.end - start);
            let Some(source) = self.words(from)?.get(start..start + len) else {
                return Err(Error::corrupt("block shorter than its content", from));
            };
            step[..len].copy_from_slice(source);
            let offset = to_word + (start - words.start);
            match self.words_mut(to).and_then(|w| w.get_mut(offset..offset + len)) {
                Some(target) => target.copy_from_slice(&step[..len]),
                None => return Err(Error::corrupt("block is too short or published", to)),
            }
        }
        Ok(())
    }
}

impl<R: Read + ?Sized> Read for &R {
    fn words(&self, at: Addr) -> Result<&[u64], Error> {
        (**self).words(at)
    }

    fn bytes(&self, at: Addr) -> Result<&[u8], Error> {
        (**self).bytes(at)
    }

    fn prefetch(&self, at: Addr, bytes: usize) {
        (**self).prefetch(at, bytes);
    }

    fn seed(&self) -> u64 {
        (**self).seed()
    }
}

#[cfg(all(test, not(loom)))]
mod arena;
#[cfg(all(test, not(loom)))]
pub(crate) use arena::Arena;
