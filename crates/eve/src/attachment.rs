//! One process's place in a region: its slot, its pins, its lanes.
//!
//! 1. A slot is claimed by one compare-and-swap of its identity word, under the kernel's lock on the
//!    slot's byte, which is held until the attachment ends or its process dies.
//! 2. Only the holder of a slot's lock writes the slot, its pins and the lanes it owns. Whoever gets
//!    the lock of a slot that names somebody knows that this somebody is dead, and buries it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::blocks::Blocks;
use crate::claim::{claim_lane, claim_slot, clear_slot, leave_lane};
use crate::class::CLASSES;
use crate::epoch::{EPOCH_MASK, RootWord, Scan};
use crate::guard::Guard;
use crate::lane::{self, Lane};
use crate::layout::{self, GUARDS, LANES, PINS, SLOTS, cell, cell_at, page, pin_at, slot, slot_at};
use crate::lease::Lease;
use crate::pins::{Pins, stripe};
use crate::ring::identity::Identity;
use crate::sync::{AtomicU64, Ordering};
use crate::{Addr, Error, Region, scan};

/// After how many such pins a process looks again which transactions have ended.
const SETTLE_EVERY: u64 = if cfg!(any(test, loom, miri)) { 2 } else { 64 };

/// What this process holds of a region.
pub(crate) struct Attachment {
    pub(crate) blocks: Blocks,
    slot: usize,
    pub(crate) pins: Pins,
    /// Pins of versions that were not settled.
    unsettled_pins: AtomicU64,
    /// Lanes of this attachment that no transaction uses at the moment; boxed, since a lane is a
    /// kilobyte and every transaction takes one.
    #[expect(clippy::vec_box, reason = "moved in and out by every transaction")]
    idle: Mutex<Vec<Box<Lane>>>,
    /// The lane that payloads come from, once there was one.
    pub(crate) payloads: Mutex<Option<Box<Lane>>>,
    /// Locks of the same file are one for the threads of this process: this tells them apart.
    sweeping: Mutex<()>,
}

/// What attaching found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// Nobody else is attached.
    pub(crate) alone: bool,
    /// Dead attachments that were cleared away.
    pub(crate) buried: u32,
}

impl Attachment {
    /// Claims a slot and clears away the dead. The caller holds the gate.
    pub(crate) fn new(blocks: Blocks) -> Result<(Attachment, Arrival), Error> {
        let mut arrival = Arrival { alone: true, buried: 0 };
        // Who holds the gate has a guard of its own, before it has a slot. The dead may have left it.
        let gate = blocks.region().atomics(page::GATE_GUARD, 1);
        gate.iter().for_each(|word| word.store(0, Ordering::Release));
        let guard = Guard::take(gate, 0, blocks.region().word(page::ROOT));
        let mut mine = None;
        for slot in 0..SLOTS {
            let region = blocks.region();
            let identity = region.word(slot_at(slot) + slot::IDENTITY);
            if identity.load(Ordering::Acquire) == 0 && mine.is_some() {
                continue;
            }
            if !lock_of_the_dead(region, slot) {
                arrival.alone = false;
                continue;
            }
            if identity.load(Ordering::Acquire) != 0 {
                bury(&blocks, slot);
                arrival.buried += 1;
            } else if mine.is_none() && holds_back(region, slot) {
                clear(region, slot);
            }
            if mine.is_none() {
                mine = Some(slot);
            } else {
                Lease::Slot(slot).give_back(region);
            }
        }
        let slot = mine.ok_or(Error::SlotsFull { slots: SLOTS })?;
        let used = blocks.region().word(page::SLOTS_USED);
        let identity = blocks.region().word(slot_at(slot) + slot::IDENTITY);
        if !claim_slot(used, slot, identity, Identity::current().raw()) {
            return Err(Error::corrupt("a slot that changed while it was locked", at_slot(slot)));
        }
        drop(guard);
        let attachment = Attachment {
            blocks,
            slot,
            pins: Pins::new(slot),
            unsettled_pins: AtomicU64::new(0),
            idle: Mutex::new(Vec::new()),
            payloads: Mutex::new(None),
            sweeping: Mutex::new(()),
        };
        Ok((attachment, arrival))
    }

    pub(crate) fn region(&self) -> &Region {
        self.blocks.region()
    }

    #[inline]
    pub(crate) fn root(&self) -> RootWord {
        RootWord(self.root_word().load(Ordering::Acquire))
    }

    #[inline]
    pub(crate) fn root_word(&self) -> &AtomicU64 {
        // SAFETY: page 0 is always there.
        unsafe { self.region().word_unchecked(page::ROOT) }
    }

    /// Pins the newest epoch. The view is given back by [`Pins::leaving`] and what follows it.
    #[inline]
    pub(crate) fn pin(&self) -> Result<(usize, RootWord, Addr), Error> {
        let region = self.region();
        // SAFETY: there are lanes, which lie before every chunk, for all numbers of cells.
        let cell_root = |cell: u8| unsafe { region.word_unchecked(cell_at(cell) + cell::ROOT) };
        let pinned = self.pins.pin(region, self.root_word(), cell_root)?;
        self.settle_now_and_then(pinned.1.epoch());
        Ok(pinned)
    }

    /// Finds out which transactions have ended, so that reading needs not: for every so many pins of
    /// a version with blocks of which that is not known.
    #[inline]
    fn settle_now_and_then(&self, epoch: u64) {
        if epoch > self.blocks.settled()
            && self.unsettled_pins.fetch_add(1, Ordering::Relaxed).is_multiple_of(SETTLE_EVERY)
        {
            self.settle();
        }
    }

    #[cold]
    fn settle(&self) {
        // A transaction wants to become the epoch after the one it pins.
        self.blocks.settle(self.scan().oldest());
    }

    /// Every pinned epoch there is.
    pub(crate) fn scan(&self) -> Scan {
        scan::scan(self.region())
    }

    /// The right to go through chunks without a pin (blocks, 5).
    #[inline]
    pub(crate) fn guard(&self) -> Guard<'_> {
        let words = self.region().atomics(slot_at(self.slot) + slot::GUARDS, GUARDS);
        Guard::take(words, stripe() % GUARDS, self.root_word())
    }

    /// Makes what this lane's commits retired usable again, as far as nobody sees it.
    pub(crate) fn reclaim(&self, lane: &mut Lane) {
        let _guard = self.guard();
        lane.reclaim(&self.blocks, || self.scan());
    }

    /// Does so with what was left behind in lanes that nobody owns.
    pub(crate) fn reclaim_left_behind(&self) {
        let me = self.slot as u64 + 1;
        for number in 0..LANES as u8 {
            let word = |field| self.region().word(layout::lane_at(number) + field);
            let owner = word(layout::lane::OWNER);
            if word(layout::lane::RETIRED).load(Ordering::Relaxed) != 0 && claim_lane(owner, me) {
                let mut lane = Lane::adopt(&self.blocks, number);
                self.reclaim(&mut lane);
                let _guard = self.guard();
                lane.free_spare(&self.blocks);
                leave_lane(owner);
            }
        }
    }

    /// A lane for one transaction: one of this attachment's, or one that nobody owns.
    #[inline]
    pub(crate) fn take_lane(&self) -> Result<Box<Lane>, Error> {
        if let Some(lane) = lock(&self.idle).pop() {
            return Ok(lane);
        }
        self.claim_lane()
    }

    #[cold]
    fn claim_lane(&self) -> Result<Box<Lane>, Error> {
        for attempt in 0..2 {
            for number in 0..LANES as u8 {
                let owner = self.region().word(layout::lane_at(number) + layout::lane::OWNER);
                if claim_lane(owner, self.slot as u64 + 1) {
                    return Ok(Box::new(Lane::adopt(&self.blocks, number)));
                }
            }
            if attempt == 0 && self.sweep() == 0 {
                break;
            }
        }
        Err(Error::LanesFull { lanes: LANES })
    }

    /// Gives a lane back for the next transaction of this process.
    #[inline]
    pub(crate) fn return_lane(&self, lane: Box<Lane>) {
        lock(&self.idle).push(lane);
    }

    /// How many lanes wait for transactions; the others run one.
    pub(crate) fn idle_lanes(&self) -> usize {
        lock(&self.idle).len()
    }

    /// Blocks that wait for nobody to see them any more: whose lanes account for them, and how many.
    pub(crate) fn retired_by(&self) -> Vec<(Option<u32>, u64)> {
        let mut by = BTreeMap::new();
        for number in 0..LANES as u8 {
            let word = |field| self.region().word(layout::lane_at(number) + field);
            let pending = word(layout::lane::PENDING).load(Ordering::Relaxed);
            if pending == 0 {
                continue;
            }
            let owner = word(layout::lane::OWNER).load(Ordering::Relaxed);
            let slot = (owner as usize).checked_sub(1).filter(|slot| *slot < SLOTS);
            let identity = slot.map_or(0, |slot| {
                self.region().word(slot_at(slot) + slot::IDENTITY).load(Ordering::Relaxed)
            });
            *by.entry(Identity::from_raw(identity).map(Identity::pid)).or_default() += pending;
        }
        by.into_iter().collect()
    }

    /// Clears away attachments whose process died. Returns how many.
    pub(crate) fn sweep(&self) -> u32 {
        let _one_at_a_time = lock(&self.sweeping);
        let _guard = self.guard();
        let region = self.region();
        let mut buried = 0;
        for slot in (0..SLOTS).filter(|slot| *slot != self.slot) {
            let identity = region.word(slot_at(slot) + slot::IDENTITY);
            if identity.load(Ordering::Acquire) != 0 && lock_of_the_dead(region, slot) {
                if identity.load(Ordering::Acquire) != 0 {
                    bury(&self.blocks, slot);
                    buried += 1;
                }
                Lease::Slot(slot).give_back(region);
            }
        }
        buried
    }

    /// Forgets the active chunks of a lane that nobody uses: a rebuild lists them again.
    pub(crate) fn forget_active(blocks: &Blocks, number: u8) {
        let active = layout::lane_at(number) + layout::lane::ACTIVE;
        for word in blocks.region().atomics(active, CLASSES) {
            word.store(0, Ordering::Release);
        }
    }

    /// Whether any other slot names somebody.
    pub(crate) fn has_company(&self) -> bool {
        (0..SLOTS).filter(|slot| *slot != self.slot).any(|slot| {
            self.region().word(slot_at(slot) + slot::IDENTITY).load(Ordering::Acquire) != 0
        })
    }

    /// The attachments there are: their process id and the oldest epoch each pins.
    pub(crate) fn attachments(&self) -> Vec<(u32, Option<u64>)> {
        let region = self.region();
        let slots = (0..SLOTS).filter_map(|slot| {
            let identity = region.word(slot_at(slot) + slot::IDENTITY).load(Ordering::Acquire);
            let identity = Identity::from_raw(identity)?;
            let used = region.word(slot_at(slot) + slot::PINS_USED).load(Ordering::Acquire);
            let pins = region.atomics(pin_at(slot, 0), PINS.min(used as usize));
            let pinned = pins.iter().map(|pin| pin.load(Ordering::Acquire));
            Some((identity.pid(), pinned.filter(|pin| *pin != 0).map(|pin| pin & EPOCH_MASK).min()))
        });
        slots.collect()
    }

    /// Leaves: lanes and slot are nobody's again, but for the slot's lock. The caller holds the gate.
    pub(crate) fn leave(&self) {
        for mut lane in lock(&self.idle).drain(..).chain(lock(&self.payloads).take()) {
            self.reclaim(&mut lane);
            let _guard = self.guard();
            lane.free_spare(&self.blocks);
            let owner = layout::lane_at(lane.number()) + layout::lane::OWNER;
            leave_lane(self.region().word(owner));
        }
        let word = |field| self.region().word(slot_at(self.slot) + field);
        clear_slot(word(slot::IDENTITY), word(slot::PINS_USED), &[]);
    }

    /// The end of leaving: nothing of this attachment is left.
    pub(crate) fn give_up_slot(&self) {
        Lease::Slot(self.slot).give_back(self.region());
    }

    /// The same, as far as it can be known without the right to write.
    pub(crate) fn is_somebody_seen(region: &Region) -> bool {
        (0..SLOTS).any(|slot| Lease::Slot(slot).is_held(region))
    }

    /// Whether a living process is attached to a region file. The caller holds the gate.
    pub(crate) fn somebody_lives(region: &Region) -> bool {
        (0..SLOTS).map(Lease::Slot).any(|lease| match lease.try_take(region) {
            Some(true) => {
                lease.give_back(region);
                false
            }
            Some(false) => true,
            None => false,
        })
    }
}

/// Takes a slot's lock, which succeeds only if its holder is dead or there is none. Memory without
/// locks has no dead: a slot that names somebody is somebody's.
fn lock_of_the_dead(region: &Region, slot: usize) -> bool {
    Lease::Slot(slot)
        .try_take(region)
        .unwrap_or_else(|| region.word(slot_at(slot) + slot::IDENTITY).load(Ordering::Acquire) == 0)
}

/// Clears a slot whose lock was taken from the dead.
fn bury(blocks: &Blocks, slot: usize) {
    let region = blocks.region();
    for number in 0..LANES as u8 {
        let owner = region.word(layout::lane_at(number) + layout::lane::OWNER);
        if owner.load(Ordering::Acquire) == slot as u64 + 1 {
            lane::bury(blocks, number);
            leave_lane(owner);
        }
    }
    clear(region, slot);
}

/// Whether a slot pins or guards something. One that is nobody's does so only in a damaged file; its next
/// owner would take that for its own, and never be done with it.
fn holds_back(region: &Region, slot: usize) -> bool {
    let used = region.word(slot_at(slot) + slot::PINS_USED);
    let guards = region.atomics(slot_at(slot) + slot::GUARDS, GUARDS);
    let mut words = region.atomics(pin_at(slot, 0), PINS).iter().chain(guards).chain([used]);
    words.any(|word| word.load(Ordering::Acquire) != 0)
}

/// Makes a slot hold nothing back, and nobody's.
fn clear(region: &Region, slot: usize) {
    let word = |field| region.word(slot_at(slot) + field);
    let pins = region.atomics(pin_at(slot, 0), PINS);
    for guard in region.atomics(slot_at(slot) + slot::GUARDS, GUARDS) {
        guard.store(0, Ordering::Release);
    }
    clear_slot(word(slot::IDENTITY), word(slot::PINS_USED), pins);
}

fn at_slot(slot: usize) -> Addr {
    Addr::from_raw(slot_at(slot))
}

/// What the mutexes of this file hold stays whole whoever panicked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
