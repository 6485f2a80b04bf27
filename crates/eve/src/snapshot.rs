//! A version, pinned.

use std::fmt;
use std::sync::Arc;

use crate::epoch::RootWord;
use crate::slab::Inner;
use crate::{Addr, Error, Read};

/// One version of the slab, held as long as the value or a clone of it lives.
///
/// It owns its pin, so anything borrowed from it is safe from reuse, whatever is committed
/// meanwhile. Clones share the pin and cost an increment.
pub struct Snapshot {
    pub(crate) inner: Arc<Inner>,
    pin: usize,
    pub(crate) word: RootWord,
    root: Addr,
}

impl Snapshot {
    #[inline]
    pub(crate) fn new(inner: &Arc<Inner>) -> Result<Snapshot, Error> {
        let (pin, word, root) = inner.attachment.pin()?;
        Ok(Snapshot { inner: Arc::clone(inner), pin, word, root })
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

    /// A block that is large, or so new that whoever made it may still be at it, or none at all.
    #[cold]
    fn words_of_rare(&self, at: Addr) -> Result<&[u64], Error> {
        let blocks = self.inner.blocks();
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
        // SAFETY: the slice borrows the snapshot, and that owns its pin.
        match unsafe { self.inner.blocks().visible(at, self.epoch()) } {
            Some(words) => Ok(words),
            None => self.words_of_rare(at),
        }
    }

    fn seed(&self) -> u64 {
        crate::header::seed(self.inner.attachment.region())
    }
}

impl Clone for Snapshot {
    #[inline]
    fn clone(&self) -> Snapshot {
        let joined = self.inner.attachment.join(self.pin);
        assert!(joined, "a pin is shared by fewer than four billion views");
        Snapshot { inner: Arc::clone(&self.inner), ..*self }
    }
}

impl Drop for Snapshot {
    #[inline]
    fn drop(&mut self) {
        self.inner.attachment.release(self.pin);
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("epoch", &self.epoch()).field("root", &self.root).finish()
    }
}
