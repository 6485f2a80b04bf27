//! Loom looks at every interleaving of small cases; each has a twin with one place weakened in
//! which it must find the fault.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::sync::{Access, holds_without, witness, witness_slots};

/// The shared words that the protocol is about: root, two lanes with one cell each, one pin.
struct Words {
    root: AtomicU64,
    cells: [AtomicU64; 4],
    committed: [AtomicU64; 2],
    pins: [AtomicU64; 2],
}

impl Words {
    fn new(root: RootWord) -> Arc<Words> {
        Arc::new(Words {
            root: AtomicU64::new(root.0),
            cells: std::array::from_fn(|_| AtomicU64::new(0)),
            committed: std::array::from_fn(|_| AtomicU64::new(0)),
            pins: std::array::from_fn(|_| AtomicU64::new(0)),
        })
    }

    /// A pin that is the caller's alone, or shared at one epoch: it is always to be had.
    fn pin(&self, index: usize) -> (RootWord, Addr) {
        pin(&self.root, |cell| &self.cells[usize::from(cell)], &self.pins[index]).unwrap()
    }

    fn unpin(&self, index: usize) {
        unpin(&self.pins[index], self.pins[index].load(Ordering::Relaxed));
    }

    /// One attempt of `lane` to follow `base` with this root.
    fn commit(&self, lane: u8, base: RootWord, root: u64) -> bool {
        let first = lane << 1;
        let cell = if base.cell() == first { first | 1 } else { first };
        self.cells[usize::from(cell)].store(root, Ordering::Relaxed);
        let next = RootWord::new(cell, base.epoch() + 1);
        publish(&self.root, base, &self.committed[usize::from(base.lane())], next)
    }
}

/// Two writers count up by one each; a version is whole, and no increment is lost.
fn two_writers() {
    let words = Words::new(RootWord::new(0, 0));
    let count_up = |words: &Words, lane: u8| loop {
        let (base, count) = words.pin(usize::from(lane));
        assert_eq!(count.raw(), base.epoch(), "a version is whole");
        let done = words.commit(lane, base, count.raw() + 1);
        words.unpin(usize::from(lane));
        if done {
            break;
        }
    };
    let other = Arc::clone(&words);
    let writer = thread::spawn(move || count_up(&other, 1));
    count_up(&words, 0);
    writer.join().unwrap();
    let (root, count) = words.pin(0);
    assert_eq!((root.epoch(), count.raw()), (2, 2), "both happened");
}

/// A reader looks at the block of the version it pinned, while a writer replaces that version and
/// uses the block again if the scan allows it.
fn pin_against_reclaim() {
    witness_slots(1);
    let words = Words::new(RootWord::new(0, 1));
    let other = Arc::clone(&words);
    let reader = thread::spawn(move || {
        let (seen, _) = other.pin(0);
        if seen.epoch() == 1 {
            witness(0, Access::Read);
        }
        other.unpin(0);
    });
    assert!(words.commit(1, RootWord::new(0, 1), 16));
    let mut scan = Scan::begin(&words.root);
    scan.see(&words.pins[0]);
    scan.finish();
    if scan.holder(1, 2).is_none() {
        witness(0, Access::Write);
    }
    reader.join().unwrap();
}

/// Two views of one pin, of which either may be the last, while the owner of one of them replaces the
/// version and uses the block again. Who takes the pin after its owner gave it back reads what the
/// owner wrote there, and so the new root: that the fence is needed shows [`pin_against_reclaim`].
fn shared_pin_against_reclaim() {
    witness_slots(1);
    let words = Words::new(RootWord::new(0, 1));
    words.pin(0);
    let other = Arc::clone(&words);
    let reader = thread::spawn(move || {
        // Held at another epoch, it is not to be had.
        let pinned = pin(&other.root, |cell| &other.cells[usize::from(cell)], &other.pins[0]);
        if let Some((seen, _)) = pinned {
            if seen.epoch() == 1 {
                witness(0, Access::Read);
            }
            other.unpin(0);
        }
    });
    assert!(words.commit(1, RootWord::new(0, 1), 16));
    words.unpin(0);
    let mut scan = Scan::begin(&words.root);
    scan.see(&words.pins[0]);
    scan.finish();
    if scan.holder(1, 2).is_none() {
        witness(0, Access::Write);
    }
    reader.join().unwrap();
}

/// A reader has the address of a block that its version does not see any more, though its birth says
/// nothing against it, while a writer marks the block and uses it again if the scan allows it.
fn stale_address_against_reuse() {
    const BIRTH: u64 = 1;
    const DYING: u64 = 2;
    witness_slots(1);
    let words = Words::new(RootWord::new(0, 2));
    let birth = Arc::new(AtomicU64::new(BIRTH));
    let (other, stale) = (Arc::clone(&words), Arc::clone(&birth));
    let reader = thread::spawn(move || {
        other.pin(0);
        if stale.load(Ordering::Acquire) == BIRTH {
            witness(0, Access::Read);
        }
        other.unpin(0);
    });
    birth.store(DYING, Ordering::Release);
    let mut scan = Scan::begin(&words.root);
    scan.see(&words.pins[0]);
    scan.finish();
    if scan.holder(1, scan.newest() + 1).is_none() {
        witness(0, Access::Write);
    }
    words.commit(1, RootWord::new(0, 2), 16);
    reader.join().unwrap();
}

/// A transaction that cannot win any more writes its block, while somebody whose version has reached
/// its epoch finds out whether what has such a birth is published.
fn settling_against_a_loser() {
    const WANTED: u64 = 3;
    witness_slots(1);
    let words = Words::new(RootWord::new(0, 2));
    let birth = Arc::new(AtomicU64::new(0));
    let (other, own) = (Arc::clone(&words), Arc::clone(&birth));
    let loser = thread::spawn(move || {
        let (base, _) = other.pin(0);
        if base.epoch() + 1 == WANTED {
            own.store(WANTED, Ordering::Release);
            witness(0, Access::Write);
            own.store(0, Ordering::Release);
        }
        other.unpin(0);
    });
    assert!(words.commit(1, RootWord::new(0, 2), 16));
    let mut scan = Scan::begin(&words.root);
    scan.see(&words.pins[0]);
    scan.finish();
    if scan.oldest() >= WANTED && birth.load(Ordering::Acquire) == WANTED {
        witness(0, Access::Read);
    }
    loser.join().unwrap();
}

/// Lane 0 tries one commit and dies. Whoever buries it knows whether it happened, while lane 1
/// commits on top of it or instead of it.
fn burial() {
    let words = Words::new(RootWord::new(2, 0));
    let dying = Arc::clone(&words);
    let victim = thread::spawn(move || dying.commit(0, RootWord::new(2, 0), 16));
    let living = Arc::clone(&words);
    let survivor = thread::spawn(move || {
        let (base, _) = living.pin(1);
        living.commit(1, base, 32);
    });
    let happened = victim.join().unwrap();
    assert_eq!(was_published(&words.root, &words.committed[0], 0, 1), happened);
    survivor.join().unwrap();
}

#[test]
fn loom_two_writers() {
    loom::model(two_writers);
}

#[test]
fn loom_two_writers_need_the_order_of_the_swap() {
    assert!(!holds_without(&["publish"], two_writers));
}

#[test]
fn loom_pin_against_reclaim() {
    loom::model(pin_against_reclaim);
}

#[test]
fn loom_pin_needs_its_fence() {
    assert!(!holds_without(&["pin: fence"], pin_against_reclaim));
}

#[test]
fn loom_scan_needs_its_fence() {
    assert!(!holds_without(&["scan: fence"], pin_against_reclaim));
}

#[test]
fn loom_unpin_needs_its_release() {
    assert!(!holds_without(&["unpin"], pin_against_reclaim));
}

#[test]
fn loom_scan_needs_its_acquire() {
    assert!(!holds_without(&["scan: pin"], pin_against_reclaim));
}

#[test]
fn loom_shared_pin_against_reclaim() {
    loom::model(shared_pin_against_reclaim);
}

#[test]
fn loom_every_view_of_a_shared_pin_needs_its_release() {
    assert!(!holds_without(&["unpin"], shared_pin_against_reclaim));
}

#[test]
fn loom_stale_address_against_reuse() {
    loom::model(stale_address_against_reuse);
}

#[test]
fn loom_a_stale_address_needs_the_fence_of_the_pin() {
    assert!(!holds_without(&["pin: fence"], stale_address_against_reuse));
}

#[test]
fn loom_a_stale_address_needs_the_fence_of_the_scan() {
    assert!(!holds_without(&["scan: fence"], stale_address_against_reuse));
}

#[test]
fn loom_settling_against_a_loser() {
    loom::model(settling_against_a_loser);
}

#[test]
fn loom_settling_needs_the_fence_of_the_pin() {
    assert!(!holds_without(&["pin: fence"], settling_against_a_loser));
}

#[test]
fn loom_settling_needs_the_fence_of_the_scan() {
    assert!(!holds_without(&["scan: fence"], settling_against_a_loser));
}

#[test]
fn loom_burial() {
    loom::model(burial);
}

#[test]
fn loom_burial_needs_to_acquire_the_root() {
    assert!(!holds_without(&["bury: root"], burial));
}
