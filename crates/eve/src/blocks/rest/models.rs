//! Loom looks at every interleaving of one that goes through a chunk and one that gives it another
//! class; each twin has a place weakened, and loom must find the fault.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::epoch::{self, Scan};
use crate::guard::{Guard, epoch_of};
use crate::sync::{Access, holds_without, witness, witness_slots};

/// The directory's word of one chunk, the root, one pin, one guard. The chunk is the witness.
struct Words {
    root: AtomicU64,
    cell: AtomicU64,
    entry: AtomicU64,
    pin: AtomicU64,
    guard: [AtomicU64; 1],
}

fn class() -> Class {
    Class::all().next().unwrap()
}

impl Words {
    fn new() -> Arc<Words> {
        witness_slots(1);
        Arc::new(Words {
            root: AtomicU64::new(RootWord::new(0, 1).0),
            cell: AtomicU64::new(0),
            entry: AtomicU64::new(Entry::small(class()).0),
            pin: AtomicU64::new(0),
            guard: [AtomicU64::new(0)],
        })
    }

    /// Looks at the chunk if the directory says that it is one of the class.
    fn look(&self) {
        if Entry(self.entry.load(Ordering::Acquire)).class().is_some() {
            witness(0, Access::Read);
        }
    }

    fn guarded(&self) {
        let guard = Guard::take(&self.guard, 0, &self.root);
        self.look();
        drop(guard);
    }

    fn pinned(&self) {
        epoch::pin(&self.root, |_| &self.cell, &self.pin).unwrap();
        self.look();
        epoch::unpin(&self.pin, self.pin.load(Ordering::Relaxed));
    }

    fn commit(&self) {
        let next = RootWord::new(0, 2).0;
        self.root.compare_exchange(1, next, Ordering::AcqRel, Ordering::Relaxed).unwrap();
    }

    /// Hides the chunk, and makes something else of it if nobody looks.
    fn put_to_rest(&self) {
        assert!(hide(&self.entry, class(), 0, &self.root));
        let (_, stamp) = Entry(self.entry.load(Ordering::Relaxed)).as_resting().unwrap();
        let mut scan = Scan::begin(&self.root);
        scan.see(&self.pin);
        scan.finish();
        let looks = [scan.reader(0, u64::MAX), epoch_of(&self.guard[0])];
        if looks.into_iter().flatten().all(|look| stamp < look) {
            witness(0, Access::Write);
        }
    }
}

fn run(look: impl Fn(&Words) + Send + 'static) {
    let words = Words::new();
    let other = Arc::clone(&words);
    let looks = thread::spawn(move || look(&other));
    words.put_to_rest();
    looks.join().unwrap();
}

/// Somebody goes through the chunk under a guard.
fn guard_against_rest() {
    run(Words::guarded);
}

/// The same under a pin.
fn pin_against_rest() {
    run(Words::pinned);
}

/// The root moves on before somebody guards: a guard younger than the stamp is of who finds the chunk
/// hidden.
fn younger_guard_against_rest() {
    run(|words| {
        words.commit();
        words.guarded();
    });
}

#[test]
fn loom_a_chunk_changes_under_nobody() {
    loom::model(guard_against_rest);
    loom::model(pin_against_rest);
    loom::model(younger_guard_against_rest);
}

#[test]
fn loom_finds_a_guard_without_its_fence() {
    assert!(!holds_without(&["guard: fence"], guard_against_rest));
}

#[test]
fn loom_finds_a_guard_that_ends_without_release() {
    assert!(!holds_without(&["guard: end"], guard_against_rest));
}

#[test]
fn loom_finds_a_pin_without_its_fence() {
    assert!(!holds_without(&["pin: fence"], pin_against_rest));
}

#[test]
fn loom_finds_a_stamp_from_before_the_chunk_was_hidden() {
    assert!(!holds_without(&["rest: fence"], younger_guard_against_rest));
}
