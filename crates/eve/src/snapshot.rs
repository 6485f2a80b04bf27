//! A version, pinned.

use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use crate::blocks::Birth;
use crate::epoch::{self, RootWord};
use crate::pins::Released;
use crate::slab::Inner;
use crate::sync::{AtomicU64, Ordering};
use crate::{Addr, Error, Read};

/// One version of the slab, held as long as the value or a clone of it lives.
///
/// It owns its pin, so anything borrowed from it is safe from reuse, whatever is committed
/// meanwhile. Clones share the pin and cost an increment.
pub struct Snapshot {
    /// Kept by the pin, which this value has a view of (pins, 2).
    inner: ManuallyDrop<Arc<Inner>>,
    pin: usize,
    pub(crate) word: RootWord,
    root: Addr,
    /// What [`Blocks::sure`](crate::blocks::Blocks::sure) said when it was last asked.
    sure: AtomicU64,
}

impl Snapshot {
    #[inline]
    pub(crate) fn new(inner: &Arc<Inner>) -> Result<Snapshot, Error> {
        let (pin, word, root) = inner.attachment.pin()?;
        let sure = AtomicU64::new(inner.blocks().sure(word.epoch()));
        Ok(Snapshot { inner: uncounted(inner), pin, word, root, sure })
    }

    #[inline]
    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// The root that the version's commit gave; [`Addr::NONE`] before the first.
    #[must_use]
    #[inline]
    pub fn root(&self) -> Addr {
        self.root
    }

    /// The number of the version's commit.
    #[must_use]
    #[inline]
    pub fn epoch(&self) -> u64 {
        self.word.epoch()
    }

    #[inline]
    pub(crate) fn sure(&self) -> u64 {
        // Acquire: pairs with the release of who has asked since.
        self.sure.load(Ordering::Acquire)
    }

    /// A block that is large, or so new that whoever made it may still be at it, or none at all.
    #[cold]
    pub(crate) fn words_of_rare(&self, at: Addr) -> Result<&[u64], Error> {
        let blocks = self.inner.blocks();
        self.sure.store(blocks.sure(self.epoch()), Ordering::Release);
        let place = blocks.locate(at)?;
        if blocks.published(&place, self.epoch()).is_none() {
            return Err(Error::corrupt("a block that this version does not have", at));
        }
        // SAFETY: as in `Blocks::visible`.
        Ok(unsafe { blocks.content(&place) })
    }
}

impl Read for Snapshot {
    #[inline]
    fn words(&self, at: Addr) -> Result<&[u64], Error> {
        // Of the lane that made this version all transactions before have ended as well (lane, 2).
        let last = (Birth::transaction(self.word.lane(), self.epoch()), self.epoch());
        // SAFETY: the slice borrows the snapshot, and that owns its pin.
        match unsafe { self.inner.blocks().visible(at, self.sure(), Some(last)) } {
            Some(words) => Ok(words),
            None => self.words_of_rare(at),
        }
    }

    #[inline]
    fn prefetch(&self, at: Addr, bytes: usize) {
        self.inner().blocks().region().prefetch(at.raw().wrapping_add(bytes as u64));
    }

    #[inline]
    fn seed(&self) -> u64 {
        crate::header::seed(self.inner.attachment.region())
    }
}

/// The same attachment, without counting it.
#[inline]
fn uncounted(inner: &Arc<Inner>) -> ManuallyDrop<Arc<Inner>> {
    // SAFETY: a copy that is never dropped unless a count was made for it (pins, 2), so that the
    // counts are those of the values that are dropped.
    ManuallyDrop::new(unsafe { std::ptr::read(inner) })
}

impl Clone for Snapshot {
    #[inline]
    fn clone(&self) -> Snapshot {
        let attachment = &self.inner.attachment;
        attachment.pins.join(attachment.region(), self.pin);
        let sure = AtomicU64::new(self.sure());
        Snapshot {
            inner: uncounted(&self.inner),
            pin: self.pin,
            word: self.word,
            root: self.root,
            sure,
        }
    }
}

impl Drop for Snapshot {
    #[inline]
    fn drop(&mut self) {
        let attachment = &self.inner.attachment;
        let (word, now) = attachment.pins.leaving(attachment.region(), self.pin);
        match epoch::unpin(word, now) {
            Released::Done => {}
            rest => self.drop_rare(rest),
        }
    }
}

impl Snapshot {
    #[cold]
    fn drop_rare(&mut self, mut released: Released) {
        if released == Released::Rare {
            let kept = Arc::clone(&self.inner);
            released = kept.attachment.pins.leave_rare(kept.attachment.region(), self.pin);
        }
        if released == Released::Orphan {
            // SAFETY: once, in the value's own drop: the count that was made when the pin was
            // orphaned is now this value's.
            unsafe { ManuallyDrop::drop(&mut self.inner) };
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("epoch", &self.epoch()).field("root", &self.root).finish()
    }
}
