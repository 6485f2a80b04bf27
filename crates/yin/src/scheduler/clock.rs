//! What time it is for agents: that of the system, or one that tests move.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A clock that never goes back.
pub trait Clock: Send + Sync {
    /// The time since some fixed moment.
    fn now(&self) -> Duration;

    /// Nobody can run before a moment, and nothing is awaited from outside. True if the clock has moved
    /// there at once; false if the time must pass by itself.
    fn skip(&self, to: Duration) -> bool;
}

/// The system's clock: real time.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn skip(&self, _: Duration) -> bool {
        false
    }
}

/// A clock that stands still while anybody can run, and then goes to the next moment somebody waits for:
/// a program that sleeps for a year takes no time, and always does the same.
///
/// ```
/// use std::sync::Arc;
/// use yin::{Event, Limits, NoFacts, Program, Scheduler, Setup, VirtualClock};
///
/// let setup = Setup::default().clock(Arc::new(VirtualClock::default()));
/// let mut scheduler = Scheduler::with(NoFacts, Limits::default(), setup);
/// let program = Program::read("nap", "(perform :time/sleep 31536000000) :rested").unwrap();
/// let agent = scheduler.spawn(&program);
/// let result = Ok(datom::Value::keyword("rested"));
/// assert_eq!(scheduler.run(), Event::Ended { agent, result });
/// ```
#[derive(Default)]
pub struct VirtualClock {
    nanoseconds: AtomicU64,
}

impl fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VirtualClock").field(&self.now()).finish()
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Acquire))
    }

    fn skip(&self, to: Duration) -> bool {
        self.nanoseconds.fetch_max(nanoseconds(to), Ordering::AcqRel);
        true
    }
}

/// As a count of nanoseconds, at most 584 years.
pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
