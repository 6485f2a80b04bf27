//! Std's atomics, or loom's: the only file that knows which.
//!
//! 1. No other file of this crate says `cfg(loom)` about an atomic, a fence or a thread; what loom
//!    checks is what ships.
//! 2. A thread that says it sleeps, passes [`heavy_barrier`] and then looks once more, and a thread
//!    that publishes, passes [`LightBarrier::pass`] and then looks who sleeps, cannot both miss the
//!    other's store.
//! 3. An operation whose ordering carries a proof names it with [`at`] or [`fence_at`]. A loom
//!    model can then weaken that one place and must find the fault: the twin that must fail.

#![allow(unused_imports, dead_code)]

#[cfg(not(loom))]
pub(crate) use std::{
    hint::spin_loop,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering, fence},
    },
    thread::yield_now,
};

#[cfg(torture)]
pub(crate) mod counted;

#[cfg(torture)]
pub(crate) use counted::AtomicU64;
#[cfg(not(any(loom, torture)))]
pub(crate) use std::sync::atomic::AtomicU64;

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

/// What the version at one named place counts up by: 1, unless a model takes the versions away.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) const fn step(_place: &'static str) -> u64 {
    1
}

/// Replaces `old` by `new`, and is a full barrier towards SeqCst loads that follow: on every machine
/// cheaper than a fence of its own.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) fn exchange_fenced(
    _place: &'static str,
    word: &AtomicU64,
    old: u64,
    new: u64,
) -> Result<u64, u64> {
    word.compare_exchange(old, new, Ordering::SeqCst, Ordering::Relaxed)
}

/// Loom takes SeqCst accesses for less than they are: here it is the fence that the barrier stands for.
#[cfg(loom)]
pub(crate) fn exchange_fenced(
    place: &'static str,
    word: &AtomicU64,
    old: u64,
    new: u64,
) -> Result<u64, u64> {
    let done = word.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed)?;
    fence_at(place, Ordering::SeqCst);
    Ok(done)
}

/// A slot that only one side may touch at this moment. Loom proves it; at run time it is nothing.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) const fn witness(_slot: usize, _access: Access) {}

#[cfg(loom)]
pub(crate) use model::{at, fence_at, holds_without, step, witness, witness_slots};

/// What a thread does to a slot of its own.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    Read,
    Write,
}

/// The `count` words of shared memory from `start` on.
///
/// # Safety
/// The words are mapped for reading and writing for `'a`, and nothing in this program accesses
/// them but atomically.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) unsafe fn shared_words<'a>(start: *const u64, count: usize) -> &'a [AtomicU64] {
    // SAFETY: what the caller promised; an `AtomicU64` is a u64 in size, alignment and validity.
    unsafe { std::slice::from_raw_parts(start.cast::<AtomicU64>(), count) }
}

/// Loom's atomics are objects and not memory: a mapping has no words for it.
#[cfg(loom)]
pub(crate) unsafe fn shared_words<'a>(_start: *const u64, _count: usize) -> &'a [AtomicU64] {
    &[]
}

/// Asks for the line of a word that will be read soon. A hint: it changes nothing but time.
#[inline(always)]
pub(crate) fn prefetch_read(word: *const AtomicU64) {
    #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch accesses nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(word.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(loom), not(miri))))]
    let _ = word;
}

/// Asks for the line of a word that will be written soon, for this core alone.
#[inline(always)]
pub(crate) fn prefetch_write(word: *const AtomicU64) {
    #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
    // SAFETY: a prefetch accesses nothing, whatever the address; a processor that does not know
    // this one does nothing.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) word, options(nostack, preserves_flags));
    }
    #[cfg(not(all(target_arch = "x86_64", not(loom), not(miri))))]
    let _ = word;
}

pub(crate) use bell::{LightBarrier, futex_wait, futex_wake, heavy_barrier};

#[cfg(not(loom))]
mod bell {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering, compiler_fence, fence};
    use std::time::Duration;

    use super::AtomicU64;

    use rustix::thread::{MembarrierCommand, futex, membarrier};

    /// The side of an asymmetric fence that is passed often, and costs nothing where the kernel
    /// can interrupt this process instead.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct LightBarrier {
        registered: bool,
    }

    impl LightBarrier {
        pub(crate) fn new() -> LightBarrier {
            static REGISTERED: OnceLock<bool> = OnceLock::new();
            let register = || membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok();
            LightBarrier { registered: *REGISTERED.get_or_init(register) }
        }

        /// Orders the stores before it before the loads after it, as [`heavy_barrier`] sees them.
        #[inline(always)]
        pub(crate) fn pass(self, _place: &'static str) {
            compiler_fence(Ordering::SeqCst);
            if !self.registered {
                full_fence();
            }
        }
    }

    /// Out of line, because hardly any machine needs it.
    #[cold]
    #[inline(never)]
    fn full_fence() {
        fence(Ordering::SeqCst);
    }

    /// The side that is passed before sleeping: a fence here and in every process that registered.
    /// False where the kernel cannot do it: then sleep only briefly.
    pub(crate) fn heavy_barrier(_place: &'static str) -> bool {
        fence(Ordering::SeqCst);
        membarrier(MembarrierCommand::GlobalExpedited).is_ok()
    }

    /// Sleeps while the low half of `word` is `expected`, until woken, interrupted or timed out.
    pub(crate) fn futex_wait(word: &AtomicU64, expected: u32, timeout: Option<Duration>) {
        let timeout = timeout.and_then(|timeout| timeout.try_into().ok());
        // Woken, changed, interrupted, timed out: the caller looks again in every case.
        let _ = futex::wait(low_half(word), futex::Flags::empty(), expected, timeout.as_ref());
    }

    /// Wakes whoever sleeps on `word`, in whatever process.
    pub(crate) fn futex_wake(word: &AtomicU64) {
        let _ = futex::wake(low_half(word), futex::Flags::empty(), i32::MAX as u32);
    }

    fn low_half(word: &AtomicU64) -> &AtomicU32 {
        const { assert!(cfg!(target_endian = "little"), "shared formats are little-endian") };
        // SAFETY: the low half of a live, aligned u64 is a live, aligned u32 on a little-endian
        // machine; only the kernel looks at it through this reference.
        unsafe { &*std::ptr::from_ref(word).cast::<AtomicU32>() }
    }
}

#[cfg(loom)]
mod bell {
    use std::time::Duration;

    use super::{AtomicU64, Ordering, fence_at, yield_now};

    /// For loom both sides are the fence that the pair stands for.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct LightBarrier;

    impl LightBarrier {
        pub(crate) fn new() -> LightBarrier {
            LightBarrier
        }

        pub(crate) fn pass(self, place: &'static str) {
            fence_at(place, Ordering::SeqCst);
        }
    }

    pub(crate) fn heavy_barrier(place: &'static str) -> bool {
        fence_at(place, Ordering::SeqCst);
        true
    }

    /// Without a waker this never ends, and loom says so.
    pub(crate) fn futex_wait(word: &AtomicU64, expected: u32, _timeout: Option<Duration>) {
        while word.load(Ordering::Relaxed) as u32 == expected {
            yield_now();
        }
    }

    /// Whoever wakes has changed the word.
    pub(crate) fn futex_wake(_word: &AtomicU64) {}
}

#[cfg(loom)]
mod model {
    use super::{Access, Ordering, fence};
    use std::cell::{Cell, RefCell};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;

    std::thread_local! {
        /// Loom runs every thread of a model on one thread of the system, so that this reaches
        /// all of the model and nothing of the models beside it.
        static WEAK: Cell<&'static [&'static str]> = const { Cell::new(&[]) };
        static WITNESSES: RefCell<Rc<[loom::cell::UnsafeCell<()>]>> =
            RefCell::new(Rc::new([]));
    }

    fn is_weak(place: &'static str) -> bool {
        WEAK.get().contains(&place)
    }

    pub(crate) fn at(place: &'static str, order: Ordering) -> Ordering {
        if is_weak(place) { Ordering::Relaxed } else { order }
    }

    pub(crate) fn fence_at(place: &'static str, order: Ordering) {
        if !is_weak(place) {
            fence(order);
        }
    }

    pub(crate) fn step(place: &'static str) -> u64 {
        u64::from(!is_weak(place))
    }

    /// Lets loom watch the slots of the ring that the running model is about.
    pub(crate) fn witness_slots(count: usize) {
        let fresh = (0..count).map(|_| loom::cell::UnsafeCell::new(())).collect();
        WITNESSES.with(|witnesses| *witnesses.borrow_mut() = fresh);
    }

    pub(crate) fn witness(slot: usize, access: Access) {
        let witnesses = WITNESSES.with(|witnesses| witnesses.borrow().clone());
        match (witnesses.get(slot), access) {
            (Some(cell), Access::Read) => cell.with(|_| ()),
            (Some(cell), Access::Write) => cell.with_mut(|_| ()),
            (None, _) => {}
        }
    }

    /// Whether loom finds no fault in `model` once the orderings at `places` are relaxed.
    pub(crate) fn holds_without(
        places: &'static [&'static str],
        model: impl Fn() + Send + Sync + 'static,
    ) -> bool {
        WEAK.set(places);
        let outcome = catch_unwind(AssertUnwindSafe(|| loom::model(model)));
        WEAK.set(&[]);
        outcome.is_ok()
    }
}
