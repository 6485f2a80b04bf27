//! One growing thing, as the machines of several threads have it: each its own copy, all of one.
//!
//! A machine reads its copy without a lock and without an atomic operation. To change it, a thread
//! locks the original, brings its copy up to date, changes the copy, and brings the original up to date
//! from it. What was made by one thread is never made by another again.
//!
//! 1. Every copy is a beginning of the original's history: what has a number in one has the same number
//!    in all, and its numbers never mean anything else.
//! 2. Whoever is handed a number by another thread [refreshes](Original::refresh) its copy first. The
//!    hand-over orders the change before the look at the version, so the copy then has that number.

use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// What grows, and can be brought up to date.
pub(crate) trait Grow {
    /// Takes over what the other, of the same history, has beyond this one.
    fn catch_up(&mut self, other: &Self);
}

/// The original: as much as any copy has.
#[derive(Debug)]
pub(crate) struct Original<T> {
    whole: Mutex<T>,
    /// Changes so far.
    version: AtomicU64,
}

impl<T: Grow> Original<T> {
    pub(crate) fn new(whole: T) -> Self {
        Self { whole: Mutex::new(whole), version: AtomicU64::new(0) }
    }

    /// A first copy, by whoever knows how to make one, with its version.
    pub(crate) fn copy(&self, copy: impl FnOnce(&T) -> T) -> (T, u64) {
        let whole = lock(&self.whole);
        (copy(&whole), self.version.load(Ordering::Relaxed))
    }

    /// Brings a copy of some version up to date. Gives the version it then has.
    #[inline]
    pub(crate) fn refresh(&self, copy: &mut T, version: u64) -> u64 {
        // The hand-over has ordered what this copy must know before this: see invariant 2.
        if self.version.load(Ordering::Relaxed) == version {
            return version;
        }
        let whole = lock(&self.whole);
        copy.catch_up(&whole);
        self.version.load(Ordering::Relaxed)
    }

    /// Changes a copy, and with it the original.
    pub(crate) fn change<R>(
        &self,
        copy: &mut T,
        version: &mut u64,
        change: impl FnOnce(&mut T) -> R,
    ) -> R {
        let mut whole = lock(&self.whole);
        let now = self.version.load(Ordering::Relaxed);
        if now != *version {
            copy.catch_up(&whole);
        }
        let result = change(copy);
        whole.catch_up(copy);
        *version = now + 1;
        self.version.store(*version, Ordering::Relaxed);
        result
    }
}
