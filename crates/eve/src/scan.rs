//! Every pin and every guard of a region, seen at once.

use crate::claim::see_slot;
use crate::epoch::Scan;
use crate::layout::{GUARDS, PINS, SLOTS, VIEWS, page, pin_at, slot, slot_at, view_at};
use crate::lease::Lease;
use crate::sync::Ordering;
use crate::{Region, guard};

/// Every pinned epoch of every attachment, of the checkpoints and of what is offered.
pub(crate) fn scan(region: &Region) -> Scan {
    let mut scan = Scan::begin(region.word(page::ROOT));
    for slot in 0..slots_used(region) {
        let word = |field| region.word(slot_at(slot) + field);
        let pins = region.atomics(pin_at(slot, 0), PINS);
        see_slot(&mut scan, word(slot::IDENTITY), word(slot::PINS_USED), pins);
    }
    // After the pins: a checkpoint takes over from the pin it was written under, and then an offer.
    for pin in region.atomics(page::CHECKPOINT_PINS, 2) {
        scan.see_unread(pin);
    }
    for view in 0..VIEWS {
        let pin = region.word(view_at(view));
        match pin.load(Ordering::Acquire) {
            0 => {}
            // Whoever takes the lock from now on finds everything marked that was to be.
            _ if !Lease::View(view).is_held(region) => scan.see_unread(pin),
            _ => scan.see(pin),
        }
    }
    scan.finish();
    scan
}

/// The epoch of the oldest pin by which somebody may be reading, or guard; `None` if there is none.
pub(crate) fn oldest_look(region: &Region) -> Option<u64> {
    let oldest = scan(region).reader(0, u64::MAX);
    let slots = (0..slots_used(region)).map(|slot| slot_at(slot) + slot::GUARDS);
    let words = slots.flat_map(|guards| region.atomics(guards, GUARDS));
    let words = words.chain([region.word(page::GATE_GUARD)]);
    oldest.into_iter().chain(words.filter_map(guard::epoch_of)).min()
}

fn slots_used(region: &Region) -> usize {
    SLOTS.min(region.word(page::SLOTS_USED).load(Ordering::Acquire) as usize)
}
