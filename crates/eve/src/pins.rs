//! The pins of one attachment: words of its slot that say which epochs its process looks at.
//!
//! A pin is `views << 56 | epoch`, with [`ORPHANED`] above: 0 is free, otherwise so many views share
//! it. Taking one, joining it and giving it back are each one compare-and-swap.
//!
//! 1. A view is a right to the pin's epoch: of [`epoch::pin`], or of a view there was.
//! 2. Whoever has a view of a pin that is not orphaned knows that a handle of the attachment lives,
//!    and with it all the attachment is made of; so views cost no count of their own. The last handle
//!    [orphans](Pins::orphan) the pins that are left: from then on each keeps the attachment by a
//!    count, which the pin's last view gives back.
//! 3. Giving back the last view of a pin may be the last that happens to this value: nothing of it is
//!    touched afterwards.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::attachment::lock;
use crate::claim::count_pin;
use crate::epoch::{self, ORPHANED, RootWord, VIEW, VIEWS_MAX, views};
use crate::layout::{PINS, pin_at, slot, slot_at};
use crate::sync::{AtomicU64, AtomicUsize, Ordering};
use crate::{Addr, Error, Region};

/// Threads look for a pin from so many different places on, so that they need not share a line.
const STRIPES: usize = 8;
/// Two lines of pins lie between them.
const STRIPE: usize = 16;

/// Where threads of one stripe look first, on lines of its own.
#[repr(align(128))]
struct Hint(AtomicUsize);

pub(crate) struct Pins {
    slot: usize,
    hints: [Hint; STRIPES],
    /// Views beyond what the pin's word can count.
    beyond: Mutex<HashMap<usize, u64>>,
}

/// What became of a view's pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Released {
    Done,
    /// It was the last view of a pin that outlived every handle: the attachment's count is its.
    Orphan,
    /// There are too many views to give this one back without a lock: see [`Pins::leave_rare`].
    Rare,
}

impl Pins {
    pub(crate) fn new(slot: usize) -> Pins {
        let hint = |stripe| Hint(AtomicUsize::new(stripe * STRIPE));
        Pins { slot, hints: std::array::from_fn(hint), beyond: Mutex::new(HashMap::new()) }
    }

    /// Pins the newest epoch.
    #[inline]
    pub(crate) fn pin<'w>(
        &self,
        region: &'w Region,
        root: &AtomicU64,
        cell_root: impl Fn(u8) -> &'w AtomicU64,
    ) -> Result<(usize, RootWord, Addr), Error> {
        let hint = &self.hints[stripe()].0;
        let used = region.word(slot_at(self.slot) + slot::PINS_USED);
        let first = hint.load(Ordering::Relaxed);
        for pin in (first..PINS).chain(0..first) {
            count_pin(used, pin);
            if let Some((word, address)) = epoch::pin(root, &cell_root, self.word(region, pin)) {
                if pin != first {
                    hint.store(pin, Ordering::Relaxed);
                }
                return Ok((pin, word, address));
            }
        }
        Err(Error::PinsFull { pins: PINS })
    }

    /// One more view of a pin, of somebody who has one.
    #[inline]
    pub(crate) fn join(&self, region: &Region, pin: usize) {
        let word = self.word(region, pin);
        let mut now = word.load(Ordering::Relaxed);
        while views(now) < VIEWS_MAX {
            let more = now + VIEW;
            match word.compare_exchange_weak(now, more, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) => now = other,
            }
        }
        self.join_rare(region, pin);
    }

    /// The word only leaves the most it can count under this lock.
    #[cold]
    fn join_rare(&self, region: &Region, pin: usize) {
        let mut beyond = lock(&self.beyond);
        if views(self.word(region, pin).load(Ordering::Relaxed)) == VIEWS_MAX {
            *beyond.entry(pin).or_default() += 1;
            return;
        }
        drop(beyond);
        self.join(region, pin);
    }

    /// The word to give a view of this pin back by [`epoch::unpin`], and what it probably is. After
    /// that nothing of the attachment may be touched, unless the outcome says so (3): hence in two
    /// steps, of which the second borrows the word alone.
    #[inline]
    pub(crate) fn leaving<'r>(&self, region: &'r Region, pin: usize) -> (&'r AtomicU64, u64) {
        let word = self.word(region, pin);
        (word, word.load(Ordering::Relaxed))
    }

    /// Gives back a view of a pin that has more of them than its word can count. The caller keeps the
    /// attachment by other means.
    #[cold]
    pub(crate) fn leave_rare(&self, region: &Region, pin: usize) -> Released {
        let mut beyond = lock(&self.beyond);
        match beyond.get_mut(&pin) {
            Some(1) => drop(beyond.remove(&pin)),
            Some(more) => *more -= 1,
            None => return epoch::unpin_one(self.word(region, pin)),
        }
        Released::Done
    }

    /// Gives back a view, for whoever keeps the attachment by other means and is no orphan.
    pub(crate) fn leave_kept(&self, region: &Region, pin: usize) {
        let (word, now) = self.leaving(region, pin);
        if epoch::unpin(word, now) == Released::Rare {
            self.leave_rare(region, pin);
        }
    }

    /// Orphans every pin that is held (2). `keep` counts the attachment once more, `drop` once less.
    pub(crate) fn orphan(&self, region: &Region, keep: impl Fn(), drop: impl Fn()) {
        let used = region.word(slot_at(self.slot) + slot::PINS_USED).load(Ordering::Relaxed);
        for pin in region.atomics(pin_at(self.slot, 0), PINS.min(used as usize)) {
            keep(); // before anybody can give it back
            let orphan = |now: u64| (now != 0).then_some(now | ORPHANED);
            if pin.fetch_update(Ordering::AcqRel, Ordering::Relaxed, orphan).is_err() {
                drop();
            }
        }
    }

    #[inline]
    fn word<'r>(&self, region: &'r Region, pin: usize) -> &'r AtomicU64 {
        debug_assert!(pin < PINS);
        // SAFETY: slots lie before every chunk, and the slot has so many pins.
        unsafe { region.word_unchecked(pin_at(self.slot, pin)) }
    }
}

/// Which of the stripes is this thread's.
#[inline]
pub(crate) fn stripe() -> usize {
    static THREADS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    std::thread_local! {
        static STRIPE: usize =
            THREADS.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % STRIPES;
    }
    // Of a thread that ends: any will do.
    STRIPE.try_with(|stripe| *stripe).unwrap_or_default()
}
