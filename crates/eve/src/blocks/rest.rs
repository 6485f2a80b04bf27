//! Chunks with nothing in them, on their way to another size class.
//!
//! A chunk whose blocks are all free stays on its class's stack: most likely the class wants it again.
//! When there is no free chunk and the region would have to grow, empty ones are put to *rest*: the
//! directory names the class no more, so nobody finds a block there. When all are gone who may have
//! found the chunk before, it is free, and its words may become anything. Until then only its own class
//! can have it back, for which the words mean what they did.
//!
//! 1. Only who has a chunk active puts it to rest, and only when every birth in it is 0.
//! 2. **A chunk changes its class only when nobody looks who looked before it was hidden.** The entry
//!    says of which epoch the root was after that; whoever pins, or guards with, a later epoch finds
//!    it hidden. It is free when a scan that began after that finds no look of that epoch or before.
//! 3. While its entry is *judged* by a lane, a chunk is hidden and is that lane's alone: so what was
//!    scanned is still so when the entry changes. A death leaves it to whoever buries the lane.
//!
//! Counts are hints, as elsewhere.

use super::{Blocks, Entry, Taken};
use crate::class::Class;
use crate::epoch::RootWord;
use crate::layout::{ChunkId, page, stack};
use crate::scan;
use crate::sync::{AtomicU64, Ordering, fence_at};

/// So many chunks, and so much of all that are used, may be empty before they are looked for: that costs
/// a look at each, and classes that take turns would take chunks from each other.
const IDLE_MIN: u64 = if cfg!(torture) { 1 } else { 8 };
const IDLE_PART: u64 = 16;
/// An entry has room for epochs below this: then chunks keep their class.
const STAMP_MAX: u64 = (1 << 48) - 1;

impl Blocks {
    /// Whether a claim of `count` chunks should look for empty ones before the region grows.
    pub(crate) fn may_collect(&self, count: u32) -> bool {
        if self.skips_one() {
            return false;
        }
        let emptied = |class| self.stack_word(class, stack::EMPTIED).load(Ordering::Relaxed);
        let emptied = Class::all().map(emptied).fold(0, u64::saturating_add);
        let resting = self.region.word(page::RESTING).load(Ordering::Relaxed);
        emptied.saturating_add(resting) >= self.idle_most().max(count.into())
    }

    /// Puts empty chunks to rest, and frees those that have rested. The caller has lane `lane`.
    pub(crate) fn collect(&self, lane: u8) {
        let rested: u64 = Class::all().map(|class| self.put_to_rest(class, lane)).sum();
        if rested + self.free_rested(lane) == 0 {
            // Somebody holds an old version: no more of this for a while.
            self.skips.store(self.idle_most(), Ordering::Relaxed);
        }
    }

    /// Frees chunks that have rested, now and then where it is in vain. Not under a guard: that would be
    /// what it waits for.
    #[inline]
    pub(crate) fn free_rested_if_worthwhile(&self, lane: u8) {
        let resting = self.region.word(page::RESTING).load(Ordering::Relaxed);
        if resting >= self.idle_most() && !self.skips_one() && self.free_rested(lane) == 0 {
            self.skips.store(self.idle_most(), Ordering::Relaxed);
        }
    }

    /// Whether this is no time to look again.
    fn skips_one(&self) -> bool {
        let skips = self.skips.load(Ordering::Relaxed);
        self.skips.store(skips.saturating_sub(1), Ordering::Relaxed);
        skips > 0
    }

    fn idle_most(&self) -> u64 {
        (u64::from(self.high_water().0) / IDLE_PART).max(IDLE_MIN)
    }

    fn put_to_rest(&self, class: Class, lane: u8) -> u64 {
        if self.stack_word(class, stack::EMPTIED).swap(0, Ordering::Relaxed) == 0 {
            return 0;
        }
        let mut rested = 0;
        // What stays goes to the other stack, one by one: a death loses no more than one chunk.
        for (from, to) in [(stack::OTHER, stack::HEAD), (stack::HEAD, stack::OTHER)] {
            for _ in 0..self.high_water().0 {
                let Some(Taken { chunk, .. }) = self.pop_from(class, from, lane) else { break };
                let mut births = self.births(chunk, class).iter();
                // Acquire: pairs with the release in `Blocks::free`.
                if births.all(|birth| birth.load(Ordering::Acquire) == 0)
                    && hide(self.entry_word(chunk), class, lane, self.root_word())
                {
                    self.count_resting(class, |resting| resting.saturating_add(1));
                    rested += 1;
                } else {
                    self.let_loose_to(chunk, class, to);
                }
            }
        }
        rested
    }

    /// Frees chunks that have rested long enough (2). Returns how many. The caller has lane `lane`.
    pub(crate) fn free_rested(&self, lane: u8) -> u64 {
        if self.region.word(page::RESTING).load(Ordering::Relaxed) == 0 {
            return 0;
        }
        let old_enough = |stamp: u64, oldest: Option<u64>| oldest.is_none_or(|first| stamp < first);
        let oldest = scan::oldest_look(&self.region);
        let judged = |chunk: ChunkId| {
            let entry = self.entry(chunk);
            let (class, stamp) =
                entry.as_resting().filter(|(_, stamp)| old_enough(*stamp, oldest))?;
            let taken = self.replace(chunk, entry, Entry::judged(lane, class));
            taken.then_some((chunk, class, stamp))
        };
        let judged: Vec<_> = self.chunks().filter_map(judged).collect();
        // Again, now that nobody else can take them back and hide them once more.
        let oldest = scan::oldest_look(&self.region);
        let mut freed = 0;
        for (chunk, class, stamp) in judged {
            let is_free = old_enough(stamp, oldest);
            let entry = if is_free { Entry::FREE } else { Entry::resting(class, stamp) };
            self.entry_word(chunk).store(entry.0, Ordering::Release);
            if is_free {
                self.count_resting(class, |resting| resting.saturating_sub(1));
                freed += 1;
            }
        }
        self.count_free_chunks(|free| free + freed);
        freed
    }

    /// Takes a chunk of this class back that is at rest, and lists some more: then looking through the
    /// directory has paid.
    pub(crate) fn wake(&self, class: Class, lane: u8) -> Option<Taken> {
        let hint = self.stack_word(class, stack::RESTING);
        let said = hint.load(Ordering::Relaxed);
        if said == 0 {
            return None;
        }
        let of_class = |chunk: &ChunkId| {
            let entry = self.entry(*chunk);
            entry.as_resting().is_some_and(|(resting, _)| resting == class)
                && self.replace(*chunk, entry, Entry::small(class))
        };
        let mut woken = self.chunks().filter(of_class).take(1 + self.idle_most() as usize);
        let Some(first) = woken.next() else {
            // Somebody died between the entry and the count.
            let _ = hint.compare_exchange(said, 0, Ordering::Relaxed, Ordering::Relaxed);
            return None;
        };
        self.count_resting(class, |resting| resting.saturating_sub(1));
        let taken = self.make_active(first, class, lane);
        for chunk in woken {
            self.count_resting(class, |resting| resting.saturating_sub(1));
            self.make_active(chunk, class, lane);
            self.let_loose(chunk, class);
        }
        Some(taken)
    }

    fn replace(&self, chunk: ChunkId, old: Entry, new: Entry) -> bool {
        let word = self.entry_word(chunk);
        word.compare_exchange(old.0, new.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Counts a chunk that rests, or does so no more, for its class and for all.
    pub(super) fn count_resting(&self, class: Class, change: impl Fn(u64) -> u64) {
        for word in [self.stack_word(class, stack::RESTING), self.region.word(page::RESTING)] {
            let changed = |resting| Some(change(resting));
            let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed);
        }
    }

    /// Forgets what was counted of empty chunks: a rebuild counts again.
    pub(super) fn forget_idle(&self) {
        for class in Class::all() {
            self.stack_word(class, stack::EMPTIED).store(0, Ordering::Relaxed);
            self.stack_word(class, stack::RESTING).store(0, Ordering::Relaxed);
        }
        self.region.word(page::RESTING).store(0, Ordering::Relaxed);
    }
}

/// Hides a chunk that is the caller's, and puts it to rest. False if there were too many commits for
/// the entry to tell when.
fn hide(entry: &AtomicU64, class: Class, lane: u8, root: &AtomicU64) -> bool {
    if RootWord(root.load(Ordering::Relaxed)).epoch() >= STAMP_MAX {
        return false;
    }
    entry.store(Entry::judged(lane, class).0, Ordering::Release);
    stamp(entry, class, root);
    true
}

/// Says of which epoch the root is, now that the chunk is hidden and the caller's alone.
pub(super) fn stamp(entry: &AtomicU64, class: Class, root: &AtomicU64) {
    // Pairs with the fence of a pin, and of a guard: whoever found the chunk before it was hidden is
    // seen by a scan after this, and is of this epoch or an older one.
    fence_at("rest: fence", Ordering::SeqCst);
    let epoch = RootWord(root.load(Ordering::Acquire)).epoch();
    entry.store(Entry::resting(class, epoch.min(STAMP_MAX)).0, Ordering::Release);
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
