//! Who may still do something, so that it is known when nobody will.
//!
//! 1. An agent that is queued or claimed is active. It is counted before it is given to a queue, and no more after
//!    whatever its turn had to tell was told.
//! 2. An agent that comes to wait says for what before it is active no more. Whoever wakes it counts it as active
//!    before he takes away what it waited for. So at any moment it is found in one of the two.
//! 3. A look takes longer than a moment. What is awaited is looked at between two looks at who is active, which also
//!    tell whether anybody became inactive between them: who was woken meanwhile is found by the second, and who
//!    came to wait meanwhile by that. So if nobody is active, nothing is awaited and both looks agree, all stand
//!    still for good.

use crate::sync::{AtomicU64, Ordering, at};

/// Of the word of those who are active: one of them, and one who is no more.
const ONE: u64 = 1;
const REST: u64 = (1 << u32::BITS) - ONE;

/// What an agent waits for outside of the scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// The answer of whoever runs the scheduler.
    Host,
    /// That of somebody who serves requests.
    Server,
}

/// How all agents stand, as far as a look tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing<T> {
    /// Somebody can run.
    pub(super) is_active: bool,
    /// Somebody serves a request.
    pub(super) is_served: bool,
    /// Whoever runs the scheduler owes an answer, or said that he may bring more.
    pub(super) is_promised: bool,
    /// What else may wake somebody.
    pub(super) next: T,
}

/// Counts of those who may do something.
#[derive(Debug)]
pub(super) struct Census {
    /// Those who are active in the lower half; in the upper how often one became inactive.
    active: AtomicU64,
    asked: AtomicU64,
    served: AtomicU64,
    sources: AtomicU64,
}

impl Census {
    pub(super) fn new() -> Self {
        let [active, asked, served, sources] = [0; 4].map(AtomicU64::new);
        Self { active, asked, served, sources }
    }

    fn of(&self, awaited: Awaited) -> &AtomicU64 {
        match awaited {
            Awaited::Host => &self.asked,
            Awaited::Server => &self.served,
        }
    }

    /// One agent more can run.
    pub(super) fn begin(&self) {
        // Goes before `forget`, whose release shows it to whoever finds nothing awaited.
        self.active.fetch_add(ONE, Ordering::Relaxed);
    }

    /// An agent's turn is over, and it cannot run now. True if it was the last one.
    pub(super) fn rest(&self) -> bool {
        // Pairs with the looks at who is active: who finds this finds what was told, and what is awaited.
        let before = self.active.fetch_add(REST, at("census: rest", Ordering::AcqRel));
        active(before) == 1
    }

    /// Somebody waits for an answer.
    pub(super) fn expect(&self, awaited: Awaited) {
        // Shown by `rest`, or by `forget` of what was awaited in its stead.
        self.of(awaited).fetch_add(1, Ordering::Relaxed);
    }

    /// Nobody waits for that answer any more.
    pub(super) fn forget(&self, awaited: Awaited) {
        // Pairs with the look at what is awaited: who does not find it finds who was woken.
        self.of(awaited).fetch_sub(1, at("census: forget", Ordering::Release));
    }

    /// More agents may be brought.
    pub(super) fn open(&self) {
        self.sources.fetch_add(1, Ordering::Relaxed);
    }

    /// One of those who might bring more is no more. What he brought is active by now.
    pub(super) fn close(&self) {
        self.sources.fetch_sub(1, Ordering::Release);
    }

    pub(super) fn is_served(&self) -> bool {
        self.served.load(at("census: awaited", Ordering::Acquire)) > 0
    }

    /// The word of those who are active, and whether there are any.
    pub(super) fn active(&self) -> (u64, bool) {
        let word = self.active.load(at("census: active", Ordering::Acquire));
        (word, active(word) > 0)
    }

    /// Looks at everybody (invariant 3). `next` is looked at as what is awaited.
    pub(super) fn look<T>(&self, next: impl FnOnce() -> T) -> Standing<T> {
        let (before, _) = self.active();
        let is_served = self.is_served();
        let promised = self.asked.load(Ordering::Acquire) + self.sources.load(Ordering::Acquire);
        let next = next();
        let (after, is_active) = self.active();
        // Whoever becomes inactive brings news, if he was the last.
        let is_active = is_active || before != after;
        Standing { is_active, is_served, is_promised: promised > 0, next }
    }
}

/// How many are active.
const fn active(word: u64) -> u64 {
    word & u32::MAX as u64
}
