//! Loom looks at every interleaving of small cases; each has a twin with one place weakened in
//! which it must find the fault.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::epoch::{RootWord, VIEW, pin, publish};
use crate::sync::{Access, holds_without, witness, witness_slots};

const NOBODY: u64 = 0;
const DEAD: u64 = 1;
const SWEEPER: u64 = 2;
const NEWCOMER: u64 = 3;

/// A slot with one pin, a lane, and what the kernel does for them: a lock that a death sets free.
struct Words {
    lock: AtomicU64,
    slots_used: AtomicU64,
    identity: AtomicU64,
    pins_used: AtomicU64,
    pins: [AtomicU64; 1],
    owner: AtomicU64,
    root: AtomicU64,
    cells: [AtomicU64; 4],
    committed: AtomicU64,
}

impl Words {
    /// Somebody is attached, pins epoch 1 and owns the lane.
    fn new() -> Arc<Words> {
        Arc::new(Words {
            lock: AtomicU64::new(DEAD),
            slots_used: AtomicU64::new(1),
            identity: AtomicU64::new(DEAD),
            pins_used: AtomicU64::new(1),
            pins: [AtomicU64::new(VIEW | 1)],
            owner: AtomicU64::new(DEAD),
            root: AtomicU64::new(RootWord::new(0, 1).0),
            cells: std::array::from_fn(|_| AtomicU64::new(0)),
            committed: AtomicU64::new(0),
        })
    }

    /// The kernel's part of a death: what the dead one did is there before anybody gets the lock.
    fn die(&self) {
        self.lock.store(NOBODY, Ordering::Release);
    }

    fn lock(&self, me: u64) -> bool {
        self.lock.compare_exchange(NOBODY, me, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    fn bury(&self) {
        clear_slot(&self.identity, &self.pins_used, &self.pins);
    }
}

/// Somebody dies in the middle of a transaction. One buries it and takes back the block that it wrote,
/// another wants a lane and takes the block from there.
fn adoption() {
    witness_slots(1);
    let words = Words::new();
    let (dying, coming) = (Arc::clone(&words), Arc::clone(&words));
    let victim = thread::spawn(move || {
        witness(0, Access::Write);
        dying.die();
    });
    let newcomer = thread::spawn(move || {
        if claim_lane(&coming.owner, NEWCOMER) {
            witness(0, Access::Write);
        }
    });
    if words.lock(SWEEPER) {
        witness(0, Access::Write);
        leave_lane(&words.owner);
        words.bury();
    }
    victim.join().unwrap();
    newcomer.join().unwrap();
}

/// Somebody comes, finds the slot of a dead one, and pins what it then reads, while another commits
/// and uses the block again if its scan allows it.
fn slot_of_the_dead() {
    witness_slots(1);
    let words = Words::new();
    words.die();
    let coming = Arc::clone(&words);
    let newcomer = thread::spawn(move || {
        assert!(coming.lock(NEWCOMER));
        coming.bury();
        assert!(claim_slot(&coming.slots_used, 0, &coming.identity, NEWCOMER));
        count_pin(&coming.pins_used, 0);
        let cell = |cell: u8| &coming.cells[usize::from(cell)];
        let (seen, _) = pin(&coming.root, cell, &coming.pins[0]).unwrap();
        if seen.epoch() == 1 {
            witness(0, Access::Read);
        }
    });
    let base = RootWord::new(0, 1);
    assert!(publish(&words.root, base, &words.committed, RootWord::new(2, 2)));
    let mut scan = Scan::begin(&words.root);
    see_slot(&mut scan, &words.identity, &words.pins_used, &words.pins);
    scan.finish();
    if scan.holder(1, 2).is_none() {
        witness(0, Access::Write);
    }
    newcomer.join().unwrap();
}

#[test]
fn loom_adoption() {
    loom::model(adoption);
}

#[test]
fn loom_adoption_needs_the_release_of_the_lane() {
    assert!(!holds_without(&["lane: leave"], adoption));
}

#[test]
fn loom_adoption_needs_to_acquire_the_lane() {
    assert!(!holds_without(&["lane: claim"], adoption));
}

#[test]
fn loom_slot_of_the_dead() {
    loom::model(slot_of_the_dead);
}

#[test]
fn loom_slot_of_the_dead_needs_the_fence_of_the_pin() {
    assert!(!holds_without(&["pin: fence"], slot_of_the_dead));
}

#[test]
fn loom_slot_of_the_dead_needs_the_fence_of_the_scan() {
    assert!(!holds_without(&["scan: fence"], slot_of_the_dead));
}
