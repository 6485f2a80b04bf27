//! Claims: the words by which lanes and slots get an owner, lose it, and are found.
//!
//! A lane is anybody's who replaces its owner, which is nobody. A slot is claimed under the kernel's
//! lock on it, so the exchange only makes sure; what matters is who finds it.
//!
//! 1. Whoever claims a lane sees all that was done in it by its last owner, or by whoever buried that
//!    one.
//! 2. **A pin is found.** The words that lead to a pin are written before the fence of the pin, and
//!    read behind the fence of the scan: how many slots there are, whose the slot is, how many pins it
//!    has. So a scan either finds the pin, or the pin finds a newer root and was not to be had
//!    (epoch, 3), also where the slot was a dead one's a moment ago.

use crate::epoch::Scan;
use crate::sync::{AtomicU64, Ordering, at};

/// Makes a lane that nobody owns that of `me`; false if somebody does.
#[inline]
pub(crate) fn claim_lane(owner: &AtomicU64, me: u64) -> bool {
    let order = at("lane: claim", Ordering::Acquire);
    owner.load(Ordering::Relaxed) == 0
        && owner.compare_exchange(0, me, order, Ordering::Relaxed).is_ok()
}

/// The lane is nobody's. Pairs with [`claim_lane`] (1).
#[inline]
pub(crate) fn leave_lane(owner: &AtomicU64) {
    owner.store(0, at("lane: leave", Ordering::Release));
}

/// Makes a slot whose lock the caller holds its own. False if it names somebody all the same.
pub(crate) fn claim_slot(
    slots_used: &AtomicU64,
    slot: usize,
    identity: &AtomicU64,
    me: u64,
) -> bool {
    slots_used.fetch_max(slot as u64 + 1, Ordering::AcqRel);
    identity.compare_exchange(0, me, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

/// The slot has a pin of this number, which the caller is about to take.
#[inline]
pub(crate) fn count_pin(pins_used: &AtomicU64, pin: usize) {
    if pins_used.load(Ordering::Relaxed) <= pin as u64 {
        pins_used.fetch_max(pin as u64 + 1, Ordering::Relaxed);
    }
}

/// Makes a slot, of which the caller knows that its owner is dead or leaves, nobody's.
pub(crate) fn clear_slot(identity: &AtomicU64, pins_used: &AtomicU64, pins: &[AtomicU64]) {
    for pin in pins {
        pin.store(0, Ordering::Release);
    }
    pins_used.store(0, Ordering::Release);
    identity.store(0, Ordering::Release);
}

/// Sees what a slot pins, if it is anybody's.
pub(crate) fn see_slot(
    scan: &mut Scan,
    identity: &AtomicU64,
    pins_used: &AtomicU64,
    pins: &[AtomicU64],
) {
    if identity.load(Ordering::Acquire) == 0 {
        return;
    }
    let used = pins_used.load(Ordering::Acquire) as usize;
    for pin in pins.iter().take(used) {
        scan.see(pin);
    }
}

#[cfg(all(test, loom))]
mod models;
