//! Std's atomics and locks, or loom's: the only file that knows which. The flag is this crate's own, for
//! what lies below it does without loom here.
//!
//! 1. An operation whose ordering carries a proof names it with [`at`] or [`fence_at`]. A loom model can
//!    then weaken that one place and must find the fault: the twin that must fail.

#[cfg(not(loom_yin))]
pub(crate) use std::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

#[cfg(loom_yin)]
pub(crate) use loom::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

/// Takes a lock. What a lock of this crate guards is whole between any two steps, so that a thread
/// which died with the lock leaves nothing that must not be seen.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The ordering of one named place: as written, unless a model weakens that place.
#[cfg(not(loom_yin))]
#[inline(always)]
pub(crate) const fn at(_place: &'static str, order: Ordering) -> Ordering {
    order
}

/// A fence at one named place, there unless a model weakens that place.
#[cfg(not(loom_yin))]
#[inline(always)]
pub(crate) fn fence_at(_place: &'static str, order: Ordering) {
    std::sync::atomic::fence(order);
}

#[cfg(loom_yin)]
pub(crate) use model::{at, bounded, fence_at, holds_without};

#[cfg(loom_yin)]
mod model {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::Ordering;

    std::thread_local! {
        /// Loom runs every thread of a model on one thread of the system, so that this reaches all of
        /// the model and nothing of the models beside it.
        static WEAK: Cell<&'static [&'static str]> = const { Cell::new(&[]) };
    }

    fn is_weak(place: &'static str) -> bool {
        WEAK.get().contains(&place)
    }

    pub(crate) fn at(place: &'static str, order: Ordering) -> Ordering {
        if is_weak(place) { Ordering::Relaxed } else { order }
    }

    pub(crate) fn fence_at(place: &'static str, order: Ordering) {
        if !is_weak(place) {
            loom::sync::atomic::fence(order);
        }
    }

    /// A search of all that so many changes of thread out of turn can do: enough for every twin's fault, and for
    /// models of three threads to end.
    pub(crate) fn bounded() -> loom::model::Builder {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder
    }

    /// Whether loom finds no fault in `model` once the orderings at `places` are relaxed.
    pub(crate) fn holds_without(
        places: &'static [&'static str],
        model: impl Fn() + Send + Sync + 'static,
    ) -> bool {
        WEAK.set(places);
        let outcome = catch_unwind(AssertUnwindSafe(|| bounded().check(model)));
        WEAK.set(&[]);
        outcome.is_ok()
    }
}
