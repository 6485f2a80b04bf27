//! Waiting for the other side: spin, then yield, then sleep on a futex.
//!
//! Spinning answers in nanoseconds while both sides run. Yielding lets two sides that share a core
//! take turns. Sleeping costs nothing for as long as it takes. The theorem: a side never sleeps
//! while it could go on.
//!
//! | the sleeper | the other |
//! | --- | --- |
//! | 1. stores 1 in its `sleeps` word | 1. publishes, releases or closes |
//! | 2. passes the heavy barrier | 2. passes the light barrier |
//! | 3. looks whether it can go on | 3. looks at the `sleeps` word |
//! | 4. sleeps on the futex while the word is 1 | 4. if it was 1: stores 0, wakes the futex |
//!
//! The barriers order each side's store before its look, so at least one of the two sees the
//! other's store. If the sleeper does, it goes on; if the other does, the word is 0 before the
//! kernel compares it, or the sleeper is woken. Where the kernel has no heavy barrier, sleeps are
//! naps of [`NAP`], and the wait is only late, never lost.

use std::iter::repeat_n;
use std::time::{Duration, Instant};

use super::{Error, Words, link::Link};
use crate::sync::{self, Ordering};

/// A model that spun would let the other side finish first, and never see a side asleep.
const SPINS: usize = if cfg!(any(loom, miri)) { 0 } else { 256 };
const YIELDS: usize = if cfg!(any(loom, miri)) { 0 } else { 64 };

/// The longest sleep where nobody can promise to wake us.
const NAP: Duration = Duration::from_millis(1);

/// A side that may have to wait.
pub(super) trait Waits {
    type Words: Words;

    fn link(&self) -> &Link<Self::Words>;

    /// Whether this side can go on.
    fn is_ready(&mut self) -> Result<bool, Error>;
}

/// Waits until `side` can go on.
pub(super) fn until_ready<S: Waits>(side: &mut S, timeout: Option<Duration>) -> Result<(), Error> {
    for () in repeat_n((), SPINS) {
        if side.is_ready()? {
            return Ok(());
        }
        sync::spin_loop();
    }
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    for () in repeat_n((), YIELDS) {
        if side.is_ready()? {
            return Ok(());
        }
        sync::yield_now();
    }
    loop {
        side.link().sleeps().store(1, Ordering::Relaxed);
        let is_sure = sync::heavy_barrier("ring.sleep");
        let outcome = match side.is_ready() {
            Ok(false) => sleep(side.link(), deadline, is_sure).map(|()| false),
            ready => ready,
        };
        side.link().sleeps().store(0, Ordering::Relaxed);
        if outcome? {
            return Ok(());
        }
    }
}

fn sleep<W: Words>(link: &Link<W>, deadline: Option<Instant>, is_sure: bool) -> Result<(), Error> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left == Some(Duration::ZERO) {
        return Err(Error::TimedOut { other: link.side().other() });
    }
    let limit = if is_sure { left } else { Some(left.unwrap_or(NAP).min(NAP)) };
    sync::futex_wait(link.sleeps(), 1, limit);
    Ok(())
}
