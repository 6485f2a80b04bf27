//! Loom looks at every interleaving of two threads on a stack of two chunks; each twin has one place
//! weakened, and loom must find the fault.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::sync::{Access, holds_without, witness, witness_slots};

/// The head, and two chunks that know what is below them.
struct Stack {
    head: AtomicU64,
    next: [AtomicU64; 2],
}

impl Stack {
    fn new() -> Arc<Stack> {
        let next = std::array::from_fn(|_| AtomicU64::new(0));
        Arc::new(Stack { head: AtomicU64::new(0), next })
    }

    fn next(&self, chunk: ChunkId) -> &AtomicU64 {
        &self.next[chunk.0 as usize - 1]
    }

    /// Puts a chunk there after writing to it.
    fn put(&self, chunk: ChunkId) {
        witness(chunk.0 as usize - 1, Access::Write);
        put(&self.head, self.next(chunk), chunk);
    }

    /// Takes one and writes to it: it is the taker's.
    fn take(&self) -> Option<ChunkId> {
        let taken = take(&self.head, |chunk| Some(self.next(chunk)));
        taken.inspect(|chunk| witness(chunk.0 as usize - 1, Access::Write))
    }
}

/// One takes both chunks and puts the upper one back, while another takes one: a head that says what
/// it said before is not what it was. In the end each chunk is somewhere, once.
fn taken_and_put_back() {
    witness_slots(2);
    let stack = Stack::new();
    stack.put(ChunkId(2));
    stack.put(ChunkId(1));
    let other = Arc::clone(&stack);
    let juggler = thread::spawn(move || {
        let (upper, kept) = (other.take(), other.take());
        upper.into_iter().for_each(|chunk| other.put(chunk));
        kept
    });
    let taken = stack.take();
    let kept = juggler.join().unwrap();
    let left = std::iter::from_fn(|| stack.take()).take(3);
    let mut all: Vec<ChunkId> = taken.into_iter().chain(kept).chain(left).collect();
    all.sort_unstable();
    assert_eq!(all, [ChunkId(1), ChunkId(2)]);
}

#[test]
fn loom_stack() {
    loom::model(taken_and_put_back);
}

#[test]
fn loom_stack_needs_its_versions() {
    assert!(!holds_without(&["stack: version"], taken_and_put_back));
}

#[test]
fn loom_stack_needs_the_release_of_what_is_put() {
    assert!(!holds_without(&["stack: put"], taken_and_put_back));
}

#[test]
fn loom_stack_needs_to_acquire_what_is_taken() {
    assert!(!holds_without(&["stack: take"], taken_and_put_back));
}
