//! Guards: who goes through chunks without looking at a version.
//!
//! Readers and transactions pin what they look at. Whoever gives blocks back, buries the dead or takes
//! a payload reads the directory and then words of a chunk, too, and must not find that it has become
//! something else in between. A *guard* is a word of the slot with the epoch of the moment in which it
//! was taken: it holds no version and no block, only the class of chunks (`blocks::rest`).
//!
//! 1. A guard is taken by a full barrier before the first directory word is read, and given back after
//!    the last word of a chunk was touched.
//! 2. A guard that several threads share keeps the epoch of the first, which is the older one.

use crate::epoch::{EPOCH_BITS, EPOCH_MASK, RootWord};
use crate::sync::{AtomicU64, Ordering, at, exchange_fenced, yield_now};

/// In a guard's word, above the epoch: one of those who share it. So 0 is nobody's guard.
const SHARE: u64 = 1 << EPOCH_BITS;
const SHARES_MAX: u64 = (1 << (64 - EPOCH_BITS)) - 1;

/// The right to go through chunks, while it lives.
pub(crate) struct Guard<'r> {
    word: &'r AtomicU64,
}

impl<'r> Guard<'r> {
    /// Takes one of these words, from `first` on: one of its own if there is any.
    #[inline]
    pub(crate) fn take(words: &'r [AtomicU64], first: usize, root: &AtomicU64) -> Guard<'r> {
        let (before, from_first) = words.split_at(first.min(words.len()));
        loop {
            let epoch = RootWord(root.load(Ordering::Acquire)).epoch();
            for word in from_first.iter().chain(before) {
                if let Some(guard) = Guard::exchange(word, 0, SHARE | epoch) {
                    return guard;
                }
            }
            for word in from_first.iter().chain(before) {
                let now = word.load(Ordering::Relaxed);
                if now >> EPOCH_BITS < SHARES_MAX
                    && now != 0
                    && let Some(guard) = Guard::exchange(word, now, now + SHARE)
                {
                    return guard;
                }
            }
            yield_now();
        }
    }

    #[inline]
    fn exchange(word: &'r AtomicU64, old: u64, new: u64) -> Option<Guard<'r>> {
        // Pairs with the fence of `rest::hide`: either the chunk is found hidden, or the guard is seen.
        let taken = word.load(Ordering::Relaxed) == old
            && exchange_fenced("guard: fence", word, old, new).is_ok();
        taken.then_some(Guard { word })
    }
}

impl Drop for Guard<'_> {
    #[inline]
    fn drop(&mut self) {
        let one_less =
            |now: u64| Some(if now >> EPOCH_BITS <= 1 { 0 } else { now.wrapping_sub(SHARE) });
        // Pairs with the load in `epoch_of`: who sees it gone sees all that was done under it.
        let _ = self.word.fetch_update(
            at("guard: end", Ordering::Release),
            Ordering::Relaxed,
            one_less,
        );
    }
}

/// The epoch of a guard that somebody has.
#[inline]
pub(crate) fn epoch_of(word: &AtomicU64) -> Option<u64> {
    let guard = word.load(Ordering::Acquire);
    (guard != 0).then_some(guard & EPOCH_MASK)
}
