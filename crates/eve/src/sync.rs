//! Std's atomics, or loom's: the only file that knows which.
//!
//! 1. No other file of this crate says `cfg(loom)` about an atomic, a fence or a thread; what loom
//!    checks is what ships.
//! 2. An operation whose ordering carries a proof names it with [`at`] or [`fence_at`]. A loom
//!    model can then weaken that one place and must find the fault: the twin that must fail.

#![allow(unused_imports, dead_code)]

#[cfg(not(loom))]
pub(crate) use std::{
    hint::spin_loop,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
    },
    thread::yield_now,
};

#[cfg(loom)]
pub(crate) use loom::{
    hint::spin_loop,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
    },
    thread::yield_now,
};

/// The ordering of one named place: as written, unless a model weakens that place.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) const fn at(_place: &'static str, order: Ordering) -> Ordering {
    order
}

/// A fence at one named place, there unless a model weakens that place.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) fn fence_at(_place: &'static str, order: Ordering) {
    fence(order);
}

#[cfg(loom)]
pub(crate) use model::{at, fence_at, rejects};

#[cfg(loom)]
mod model {
    use super::{Ordering, fence};
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    std::thread_local! {
        /// Loom runs every thread of a model on one thread of the system, so that this reaches
        /// all of the model and nothing of the models beside it.
        static WEAK: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    fn is_weak(place: &'static str) -> bool {
        WEAK.get() == Some(place)
    }

    pub(crate) fn at(place: &'static str, order: Ordering) -> Ordering {
        if is_weak(place) { Ordering::Relaxed } else { order }
    }

    pub(crate) fn fence_at(place: &'static str, order: Ordering) {
        if !is_weak(place) {
            fence(order);
        }
    }

    /// Whether loom finds a fault in `model` once the ordering at `place` is relaxed.
    pub(crate) fn rejects(place: &'static str, model: impl Fn() + Send + Sync + 'static) -> bool {
        WEAK.set(Some(place));
        let outcome = catch_unwind(AssertUnwindSafe(|| loom::model(model)));
        WEAK.set(None);
        outcome.is_err()
    }
}
