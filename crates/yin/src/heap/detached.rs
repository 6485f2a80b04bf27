//! The objects of a program that is on no machine.
//!
//! 1. Taking them off a heap and putting them on one moves an owner and copies nothing.
//! 2. A heap that its objects were taken from is empty.

use super::Heap;

/// Garbage that a program may keep while it waits, beside as much as it uses.
const WASTE_WORDS: usize = 32;

/// Objects without a heap. Their words mean the same on every machine with the same code and names.
#[derive(Debug, Default)]
pub(crate) struct Detached {
    words: Vec<u64>,
    noted: Vec<usize>,
    old: usize,
    kept: usize,
    gensym: u64,
    stamps: u32,
}

impl Detached {
    /// Bytes that they take of the host's memory.
    pub(crate) fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>() + self.noted.capacity() * size_of::<usize>()
    }
}

impl Heap {
    /// Whether most of the heap may be garbage that has come since the last collection of all.
    pub(crate) fn is_wasteful(&self) -> bool {
        self.words.len() > 2 * self.kept + WASTE_WORDS
    }

    /// Takes the objects away. Those of a program that will wait give back what they have in reserve, if
    /// it is more than they need: growing again takes a reserve of at most the same size, so that both
    /// together copy each word a bounded number of times.
    pub(crate) fn detach(&mut self, will_wait: bool) -> Detached {
        let mut words = std::mem::take(&mut self.words);
        if will_wait && words.capacity() > 2 * words.len() + WASTE_WORDS {
            words.shrink_to_fit();
        }
        let detached = Detached {
            words,
            noted: std::mem::take(&mut self.noted),
            old: self.old,
            kept: self.kept,
            gensym: self.gensym,
            stamps: self.stamps,
        };
        self.forget();
        detached
    }

    /// Makes these the heap's objects. It has none of its own.
    pub(crate) fn attach(&mut self, detached: Detached) {
        debug_assert!(self.words.is_empty(), "a heap serves one program at a time");
        self.words = detached.words;
        self.noted = detached.noted;
        (self.old, self.kept) = (detached.old, detached.kept);
        (self.gensym, self.stamps) = (detached.gensym, detached.stamps);
        self.soft = self.next_soft();
        self.fingers.forget();
    }
}
