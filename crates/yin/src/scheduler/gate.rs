//! Who may touch an agent: its state word.
//!
//! ```text
//!            claim              park
//!   QUEUED --------> RUNNING --------> PARKED
//!      ^                |  |              |
//!      +---- yield -----+  | wake         | wake
//!      ^                   v              |
//!      |                 WOKEN            |
//!      |                   | park: go on  |
//!      +-------------------|--------------+
//! ```
//!
//! 1. An agent that is QUEUED is in one queue, or was seized there; in every other state it is in none.
//! 2. From claim to yield, park or end, the claimer alone has what is in the agent. Each of these gives it
//!    to whoever changes the word next.
//! 3. One request has one waker. If it comes before the agent is parked, the word says so (WOKEN), and the
//!    claimer goes on instead of parking; so no wake-up is lost, and none makes an agent run twice.
//! 4. Whoever wants an agent that runs says so in the word; the claimer then lets go of it at its next
//!    yield or park, parked, and rings for whoever wanted it.

use crate::sync::{AtomicU32, Ordering, at};

const QUEUED: u32 = 0;
const RUNNING: u32 = 1;
const WOKEN: u32 = 2;
const PARKED: u32 = 3;
const ENDED: u32 = 4;
/// Beside RUNNING and WOKEN: somebody waits for the claimer to let go.
const WANTED: u32 = 8;

/// What became of an agent that its claimer let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// It is to be queued.
    Ready,
    /// It waits.
    Parked,
    /// The answer is there already; the agent is still the claimer's.
    Woken,
    /// It is parked for somebody who wants it.
    Wanted,
}

/// What became of an attempt to take an agent away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seized {
    /// It had been waiting.
    Parked,
    /// It could have run; its place in a queue means nothing any more.
    Queued,
    /// It runs, and will be let go.
    Busy,
    /// It has ended.
    Gone,
}

#[derive(Debug)]
pub(crate) struct Gate(AtomicU32);

impl Gate {
    /// The gate of an agent that is about to be queued, or of one that waits.
    pub(crate) fn new(is_parked: bool) -> Self {
        Self(AtomicU32::new(if is_parked { PARKED } else { QUEUED }))
    }

    /// Replaces the word by what a rule makes of it, until it is so or the rule has nothing to say.
    fn change(&self, place: &'static str, rule: impl Fn(u32) -> Option<u32>) -> Result<u32, u32> {
        let order = at(place, Ordering::AcqRel);
        // The failure only tells where the word stands, and is looked at by nobody but the rule.
        self.0.fetch_update(order, Ordering::Relaxed, rule)
    }

    /// Takes an agent out of its queue. False if it was seized there.
    pub(crate) fn claim(&self) -> bool {
        // Takes over what `leave` or `wake` gave away.
        self.change("gate: claim", |word| (word == QUEUED).then_some(RUNNING)).is_ok()
    }

    /// The claimer's turn is over.
    pub(crate) fn give_way(&self) -> Left {
        let rule = |word| match word {
            RUNNING => Some(QUEUED),
            _ => Some(PARKED),
        };
        match self.change("gate: leave", rule) {
            Ok(RUNNING) => Left::Ready,
            _ => Left::Wanted,
        }
    }

    /// The claimer's agent waits for an answer, unless it is there.
    pub(crate) fn park(&self) -> Left {
        let rule = |word| match word {
            WOKEN => Some(RUNNING),
            _ => Some(PARKED),
        };
        match self.change("gate: leave", rule) {
            Ok(RUNNING) => Left::Parked,
            Ok(WOKEN) => Left::Woken,
            _ => Left::Wanted,
        }
    }

    /// An answer is in the agent. True if whoever brought it must queue the agent.
    pub(crate) fn wake(&self) -> bool {
        let rule = |word| match word {
            PARKED => Some(QUEUED),
            RUNNING => Some(WOKEN),
            word if word == RUNNING | WANTED => Some(WOKEN | WANTED),
            _ => None,
        };
        self.change("gate: wake", rule) == Ok(PARKED)
    }

    /// Takes an agent away for good, or says that it is wanted.
    pub(crate) fn seize(&self) -> Seized {
        let rule = |word| match word {
            PARKED | QUEUED => Some(ENDED),
            RUNNING | WOKEN => Some(word | WANTED),
            _ => None,
        };
        match self.change("gate: seize", rule) {
            Ok(PARKED) => Seized::Parked,
            Ok(QUEUED) => Seized::Queued,
            Err(ENDED) => Seized::Gone,
            _ => Seized::Busy,
        }
    }

    /// Takes an agent away that waits.
    pub(crate) fn seize_parked(&self) -> bool {
        self.change("gate: seize", |word| (word == PARKED).then_some(ENDED)).is_ok()
    }

    /// The claimer's agent is no more. True if somebody waits for it to be let go.
    pub(crate) fn end(&self) -> bool {
        self.0.swap(ENDED, Ordering::AcqRel) & WANTED != 0
    }

    /// What an onlooker may say of the agent.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.0.load(Ordering::Relaxed) & !WANTED, RUNNING | WOKEN)
    }

    pub(crate) fn is_queued(&self) -> bool {
        self.0.load(Ordering::Relaxed) == QUEUED
    }
}
