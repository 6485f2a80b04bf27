//! Epochs, the root word and pins: how readers keep what they see.
//!
//! The epoch is the number of the last commit. The root word holds the epoch and the *cell* that
//! the commit wrote: `cell << 56 | epoch`. A cell holds the root address and what the commit
//! retired. Each lane has two cells, and its transaction writes the one that is not the root.
//!
//! 1. The root word only ever changes by compare-and-swap to a greater epoch.
//! 2. A cell does not change while the root word names it, nor between two loads of the root word
//!    that found the same value: epochs do not repeat.
//! 3. **A pin holds.** [`pin`] stores the epoch, by an exchange that is a full barrier, and loads the
//!    root word again. If it is unchanged, every reclaimer that could free what this epoch sees
//!    passes its own fence after that and finds the pin: either the second load sees the newer root,
//!    or the reclaimer's scan sees the pin.
//! 4. **A made-up address harms nobody.** What is to be used again is first marked, so that no reader
//!    gets it any more; a scan that begins after that finds every reader who may have got it before,
//!    and knows an epoch (`newest`) that none of these is beyond.
//! 5. Before a root word is replaced, the lane that wrote it has `committed` at its epoch or more.
//!    So whoever buries a dead lane knows whether its last commit happened.

use crate::header::check;
use crate::layout::{cell, cell_at};
use crate::pins::Released;
use crate::sync::{AtomicU64, Ordering, at, exchange_fenced, fence_at};
use crate::{Addr, Region};

/// Bits of a root word, and of a birth, that hold the epoch.
pub(crate) const EPOCH_BITS: u32 = 56;
pub(crate) const EPOCH_MASK: u64 = (1 << EPOCH_BITS) - 1;

/// In a pin, above the epoch: one of the views that share it. So 0, the epoch of the empty version,
/// is a pin as well.
pub(crate) const VIEW: u64 = 1 << EPOCH_BITS;
/// As many views as a pin can count.
pub(crate) const VIEWS_MAX: u64 = (1 << 7) - 1;
/// In a pin: every handle of its attachment is gone.
pub(crate) const ORPHANED: u64 = 1 << 63;

/// How many views share a pin.
#[inline]
pub(crate) const fn views(pin: u64) -> u64 {
    pin >> EPOCH_BITS & VIEWS_MAX
}

/// The root word: which commit is the newest, and where its cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RootWord(pub(crate) u64);

impl RootWord {
    pub(crate) fn new(cell: u8, epoch: u64) -> RootWord {
        debug_assert!(epoch <= EPOCH_MASK);
        RootWord(u64::from(cell) << EPOCH_BITS | epoch)
    }

    #[inline]
    pub(crate) fn epoch(self) -> u64 {
        self.0 & EPOCH_MASK
    }

    /// What a pin of this epoch says that `pin` becomes by one more view; `None` if it is of another
    /// epoch, or is shared by so many that it should rather be left alone.
    #[inline]
    fn joined(self, pin: u64) -> Option<u64> {
        match pin {
            0 => Some(VIEW | self.epoch()),
            _ if pin & EPOCH_MASK == self.epoch() && views(pin) <= VIEWS_MAX / 2 => {
                Some(pin + VIEW)
            }
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn cell(self) -> u8 {
        (self.0 >> EPOCH_BITS) as u8
    }

    #[inline]
    pub(crate) fn lane(self) -> u8 {
        self.cell() >> 1
    }
}

/// Pins the newest epoch in `pin`, if that is free or held at this very epoch. Returns the root word
/// and the root address of that epoch.
#[inline]
pub(crate) fn pin<'w>(
    root: &AtomicU64,
    cell_root: impl Fn(u8) -> &'w AtomicU64,
    pin: &AtomicU64,
) -> Option<(RootWord, Addr)> {
    let mut held = pin.load(Ordering::Relaxed);
    loop {
        let word = RootWord(root.load(at("pin: root", Ordering::Acquire)));
        let next = word.joined(held)?;
        // Pairs with the fence of `Scan::begin`: see invariant 3.
        if let Err(now) = exchange_fenced("pin: fence", pin, held, next) {
            held = now;
            continue;
        }
        let address = cell_root(word.cell()).load(at("pin: cell", Ordering::Acquire));
        if RootWord(root.load(Ordering::SeqCst)) == word {
            return Some((word, Addr::from_raw(address)));
        }
        unpin_one(pin);
        held = pin.load(Ordering::Relaxed);
    }
}

/// Gives back a view of a pin that probably is `now`. Pairs with the acquire load of [`Scan::see`]:
/// whoever sees it gone also sees that every read under it is over, by whichever view.
#[inline]
pub(crate) fn unpin(pin: &AtomicU64, mut now: u64) -> Released {
    loop {
        let left = match views(now) {
            VIEWS_MAX => return Released::Rare,
            1 => 0,
            _ => now - VIEW,
        };
        let order = at("unpin", Ordering::Release);
        match pin.compare_exchange_weak(now, left, order, Ordering::Relaxed) {
            Ok(_) if left == 0 && now & ORPHANED != 0 => return Released::Orphan,
            Ok(_) => return Released::Done,
            Err(other) => now = other,
        }
    }
}

/// The same, for whoever knows that no view is counted elsewhere.
pub(crate) fn unpin_one(pin: &AtomicU64) -> Released {
    let one_less = |now: u64| Some(if views(now) == 1 { 0 } else { now.saturating_sub(VIEW) });
    let order = at("unpin", Ordering::Release);
    match pin.fetch_update(order, Ordering::Relaxed, one_less) {
        Ok(now) if views(now) == 1 && now & ORPHANED != 0 => Released::Orphan,
        _ => Released::Done,
    }
}

/// The epochs that were pinned when it was begun, or later.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    epochs: Vec<u64>,
    /// Those by which somebody may be reading just now.
    read: Vec<u64>,
    before: u64,
    newest: u64,
}

impl Scan {
    /// Begins a scan. Everything that is judged by its result must have died, or must have been
    /// marked, before this call.
    pub(crate) fn begin(root: &AtomicU64) -> Scan {
        let before = RootWord(root.load(Ordering::Acquire)).epoch();
        // Pairs with the fence of `pin`.
        fence_at("scan: fence", Ordering::SeqCst);
        let newest = RootWord(root.load(Ordering::Acquire)).epoch();
        Scan { epochs: Vec::new(), read: Vec::new(), before, newest }
    }

    /// The newest epoch when it began. Whoever pins a newer one sees what was marked before (4).
    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// An epoch such that every transaction that runs, or ever begins, is on its version or a later
    /// one: each pins the version it began on, and none begins on one that was replaced before this
    /// scan.
    pub(crate) fn oldest(&self) -> u64 {
        self.epochs.first().map_or(self.before, |first| self.before.min(*first))
    }

    #[inline]
    pub(crate) fn see(&mut self, pin: &AtomicU64) {
        let epoch = pin.load(at("scan: pin", Ordering::Acquire));
        if epoch != 0 {
            self.epochs.push(epoch & EPOCH_MASK);
            self.read.push(epoch & EPOCH_MASK);
        }
    }

    /// As [`Scan::see`], of a pin by which nobody has read anything so far: what can be found from its
    /// version stays, but nobody can have got a block by an address that was made up (4).
    pub(crate) fn see_unread(&mut self, pin: &AtomicU64) {
        let epoch = pin.load(Ordering::Acquire);
        if epoch != 0 {
            self.epochs.push(epoch & EPOCH_MASK);
        }
    }

    pub(crate) fn finish(&mut self) {
        for epochs in [&mut self.epochs, &mut self.read] {
            epochs.sort_unstable();
            epochs.dedup();
        }
    }

    /// The oldest pinned epoch in `[birth, death)`; `None` if the block can be reused.
    #[inline]
    pub(crate) fn holder(&self, birth: u64, death: u64) -> Option<u64> {
        let first = self.epochs.partition_point(|&epoch| epoch < birth);
        self.epochs.get(first).copied().filter(|&epoch| epoch < death)
    }

    /// The oldest epoch from `birth` to `newest` by which somebody may be reading.
    pub(crate) fn reader(&self, birth: u64, newest: u64) -> Option<u64> {
        let first = self.read.partition_point(|&epoch| epoch < birth);
        self.read.get(first).copied().filter(|&epoch| epoch <= newest)
    }

    pub(crate) fn holds(&self, epoch: u64) -> bool {
        self.epochs.binary_search(&epoch).is_ok()
    }
}

/// Replaces the root: the commit itself. False if another commit came first.
///
/// `base_committed` is the `committed` word of the lane that wrote `base` (5).
#[inline]
pub(crate) fn publish(
    root: &AtomicU64,
    base: RootWord,
    base_committed: &AtomicU64,
    next: RootWord,
) -> bool {
    debug_assert_eq!(next.epoch(), base.epoch() + 1);
    if base_committed.load(Ordering::Relaxed) < base.epoch() {
        base_committed.fetch_max(base.epoch(), Ordering::Release);
    }
    // Release: whoever acquires the root word sees the blocks and the cell. Acquire: this
    // transaction comes after the one it replaces.
    let order = at("publish", Ordering::AcqRel);
    root.compare_exchange(base.0, next.0, order, Ordering::Relaxed).is_ok()
}

/// Whether the commit of `lane` at `epoch` happened. For a lane that runs no more, or once the root
/// is at this epoch or beyond.
pub(crate) fn was_published(root: &AtomicU64, committed: &AtomicU64, lane: u8, epoch: u64) -> bool {
    // Acquire: whoever replaced this lane's root said before that it was committed (5).
    let root = RootWord(root.load(at("bury: root", Ordering::Acquire)));
    if root.lane() == lane && root.epoch() == epoch {
        return true;
    }
    committed.load(Ordering::Acquire) >= epoch
}

/// What a cell says, if it is whole and of this epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) epoch: u64,
    pub(crate) root: Addr,
    pub(crate) retired: Addr,
}

pub(crate) fn write_cell(region: &Region, number: u8, epoch: u64, root: Addr, retired: Addr) {
    let at = cell_at(number);
    let checked = check(&[epoch, root.raw(), retired.raw()]);
    region.word(at + cell::EPOCH).store(epoch, Ordering::Release);
    region.word(at + cell::ROOT).store(root.raw(), Ordering::Release);
    region.word(at + cell::RETIRED).store(retired.raw(), Ordering::Release);
    region.word(at + cell::CHECK).store(checked, Ordering::Release);
}

pub(crate) fn read_cell(region: &Region, number: u8) -> Option<Cell> {
    let at = cell_at(number);
    let [epoch, root, retired, stored] = [cell::EPOCH, cell::ROOT, cell::RETIRED, cell::CHECK]
        .map(|field| region.word(at + field).load(Ordering::Acquire));
    let whole = check(&[epoch, root, retired]) == stored;
    whole.then_some(Cell { epoch, root: Addr::from_raw(root), retired: Addr::from_raw(retired) })
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
