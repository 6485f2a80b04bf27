//! What a ring looks like from outside, for people.

use super::format::{
    CLOSED_BY_CONSUMER, CLOSED_BY_PRODUCER, POISONED, WORD_CONSUMER, WORD_CONSUMER_SLEEPS,
    WORD_PRODUCER, WORD_PRODUCER_SLEEPS, WORD_PUBLISHED, WORD_RELEASED, WORD_STATE,
};
use super::identity::Identity;
use super::{Layout, Ring, Words};
use crate::sync::Ordering;

/// A ring at one moment. While it is in use the numbers may not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// How slots lie in memory.
    pub layout: Layout,
    /// How many records fit.
    pub capacity: u64,
    /// How many records the producer has ever published.
    pub published: u64,
    /// How many records the consumer has ever released.
    pub released: u64,
    /// Who holds the producer's side.
    pub producer: Option<Holder>,
    /// Who holds the consumer's side.
    pub consumer: Option<Holder>,
    /// Whether the producer said that nothing more will come.
    pub closed_by_producer: bool,
    /// Whether the consumer said that nothing more will be taken.
    pub closed_by_consumer: bool,
    /// Whether one side found the other breaking the protocol.
    pub poisoned: bool,
}

/// A process that holds a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Its pid, in its own namespace.
    pub pid: u32,
    /// Whether it lives, or might; the side of one that does not is free.
    pub lives: bool,
    /// Whether it waits for the other side.
    pub sleeps: bool,
}

impl<W: Words> Ring<W> {
    /// Looks at the ring without a side; writes nothing.
    #[must_use]
    pub fn status(&self) -> Status {
        let words = self.words.words();
        // `open` has seen a whole header; a mapping never gets shorter.
        let word = |index: usize| words.get(index).map_or(0, |word| word.load(Ordering::Relaxed));
        let holder = |owner, sleeps| {
            Identity::from_raw(word(owner)).map(|identity| Holder {
                pid: identity.pid(),
                lives: identity.is_alive(),
                sleeps: word(sleeps) != 0,
            })
        };
        let state = word(WORD_STATE);
        Status {
            layout: self.geometry.layout(),
            capacity: self.geometry.capacity(),
            published: word(WORD_PUBLISHED),
            released: word(WORD_RELEASED),
            producer: holder(WORD_PRODUCER, WORD_PRODUCER_SLEEPS),
            consumer: holder(WORD_CONSUMER, WORD_CONSUMER_SLEEPS),
            closed_by_producer: state & CLOSED_BY_PRODUCER != 0,
            closed_by_consumer: state & CLOSED_BY_CONSUMER != 0,
            poisoned: state & POISONED != 0,
        }
    }
}
