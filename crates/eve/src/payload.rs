//! Blocks that are no part of any version: what travels beside a ring, and the ring itself.
//!
//! 1. A payload is held by exactly one [`Payload`] value in all processes, or it is under way: then
//!    exactly one [`Slab::receive`] of its address succeeds.
//! 2. Shared words are only ever accessed atomically, and never freed while the region is in use.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::attachment::lock;
use crate::blocks::{Birth, Place};
use crate::ring::Words;
use crate::slab::Handle;
use crate::sync::{AtomicU64, Ordering};
use crate::{Addr, Error, Slab};

/// A block of bytes that this value alone holds. It goes back when dropped, unless it was sent.
///
/// ```
/// use eve::{Region, Slab};
///
/// let slab = Slab::create(Region::anonymous(1 << 24)?)?;
/// let mut letter = slab.allocate(5)?;
/// letter.copy_from_slice(b"hello");
/// let at = letter.send(); // the address goes through a ring to whoever shall have it
///
/// let received = slab.receive(at)?;
/// assert_eq!(&received[..], b"hello");
/// assert!(slab.receive(at).is_err(), "only one receives it");
/// # Ok::<(), eve::Error>(())
/// ```
///
/// A payload that was sent and never received stays until somebody receives or [releases]
/// (`Slab::release`) it. One that was held by a process that died goes back when the region is next
/// opened by a process that is alone.
///
/// [releases]: Slab::release
pub struct Payload {
    inner: Arc<Handle>,
    place: Place,
    bytes: usize,
    sent: bool,
}

impl Slab {
    /// A zeroed payload of `bytes` bytes.
    ///
    /// # Errors
    /// When there is no room left: [`Error::DiskFull`], [`Error::RegionFull`], [`Error::TooLarge`].
    pub fn allocate(&self, bytes: usize) -> Result<Payload, Error> {
        let place = self.take(bytes as u64, Birth::held(bytes as u64))?;
        Ok(Payload { inner: Arc::clone(&self.inner), place, bytes, sent: false })
    }

    /// The payload that was [sent](Payload::send) as `at`, by whatever process.
    ///
    /// # Errors
    /// [`Error::NotThat`] when none is under way there, [`Error::Corrupt`] when no block is.
    pub fn receive(&self, at: Addr) -> Result<Payload, Error> {
        let blocks = self.inner.blocks();
        let _guard = self.inner.attachment.guard();
        let place = blocks.locate(at)?;
        let sent = blocks.birth(&place);
        let not = Error::NotThat { expected: "payload under way", at };
        let Some(bytes) = sent.sent_bytes() else { return Err(not) };
        if bytes > u64::from(place.words) * 8 {
            return Err(Error::corrupt("a payload longer than its block", at));
        }
        // Acquire: pairs with the release of `Payload::send`; what was written is there.
        let held = Birth::held(bytes).0;
        let word = blocks.birth_word(&place);
        match word.compare_exchange(sent.0, held, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Ok(Payload {
                inner: Arc::clone(&self.inner),
                place,
                bytes: bytes as usize,
                sent: false,
            }),
            Err(_) => Err(not),
        }
    }

    /// Gives back a payload that is under way, unread.
    ///
    /// # Errors
    /// As [`Slab::receive`].
    pub fn release(&self, at: Addr) -> Result<(), Error> {
        self.receive(at).map(drop)
    }

    /// Zeroed words for all processes, at an address of their own: a place for a ring. They stay as
    /// long as the region does.
    ///
    /// # Errors
    /// As [`Slab::allocate`].
    pub fn share(&self, bytes: usize) -> Result<Shared, Error> {
        let bytes = bytes.next_multiple_of(8);
        let place = self.take(bytes as u64, Birth::shared(bytes as u64))?;
        Ok(Shared { inner: Arc::clone(&self.inner), at: place.at, words: bytes / 8 })
    }

    /// The words that somebody [shared](Slab::share) at `at`.
    ///
    /// # Errors
    /// [`Error::NotThat`] when no shared words begin there, [`Error::Corrupt`] when no block does.
    pub fn shared(&self, at: Addr) -> Result<Shared, Error> {
        let blocks = self.inner.blocks();
        let _guard = self.inner.attachment.guard();
        let place = blocks.locate(at)?;
        let not = Error::NotThat { expected: "block of shared words", at };
        let bytes = blocks.birth(&place).shared_bytes().ok_or(not)?;
        if bytes > u64::from(place.words) * 8 {
            return Err(Error::corrupt("shared words longer than their block", at));
        }
        Ok(Shared { inner: Arc::clone(&self.inner), at: place.at, words: bytes as usize / 8 })
    }

    fn take(&self, bytes: u64, birth: Birth) -> Result<Place, Error> {
        let blocks = self.inner.blocks();
        let mut payloads = lock(&self.inner.attachment.payloads);
        let lane = match payloads.as_mut() {
            Some(lane) => lane,
            None => payloads.insert(self.inner.attachment.take_lane()?),
        };
        blocks.free_rested_if_worthwhile(lane.number());
        let _guard = self.inner.attachment.guard();
        lane.take(blocks, bytes, birth)
    }
}

impl Payload {
    /// Lets go of it: whoever gets the address can [receive](Slab::receive) it.
    #[must_use]
    pub fn send(mut self) -> Addr {
        self.sent = true;
        // Release: pairs with the acquire of `Slab::receive`.
        let sent = Birth::sent(self.bytes as u64).0;
        self.inner.blocks().birth_word(&self.place).store(sent, Ordering::Release);
        Addr::from_raw(self.place.at)
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: this value alone holds the block (1), and this borrow of it excludes writing.
        let words = unsafe { self.inner.blocks().content(&self.place) };
        bytemuck::cast_slice(words).get(..self.bytes).unwrap_or_default()
    }
}

impl DerefMut for Payload {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: this value alone holds the block (1), and this borrow of it is the only one.
        let words = unsafe { self.inner.blocks().content_mut(&self.place) };
        bytemuck::cast_slice_mut(words).get_mut(..self.bytes).unwrap_or_default()
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        if !self.sent {
            let _guard = self.inner.attachment.guard();
            self.inner.blocks().free(&self.place);
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("at", &Addr::from_raw(self.place.at))
            .field("bytes", &self.bytes)
            .finish()
    }
}

/// Words of the region that any number of processes use at once. Clones are the same words.
#[derive(Clone)]
pub struct Shared {
    inner: Arc<Handle>,
    at: u64,
    words: usize,
}

impl Shared {
    /// Where they are, for [`Slab::shared`] in another process.
    #[must_use]
    pub fn addr(&self) -> Addr {
        Addr::from_raw(self.at)
    }
}

// SAFETY: the same words of the region, which stays where it is mapped while `inner` holds it.
unsafe impl Words for Shared {
    #[inline]
    fn words(&self) -> &[AtomicU64] {
        self.inner.attachment.region().atomics(self.at, self.words)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("at", &self.addr()).field("words", &self.words).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
