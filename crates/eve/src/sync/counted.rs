//! Atomics that count their stores, so that a process can be made to die at the k-th of them: what
//! `cargo xtask torture` kills at. Compiled with `--cfg torture` only.

use std::sync::atomic::{self, Ordering};

static LEFT: atomic::AtomicU64 = atomic::AtomicU64::new(u64::MAX);

/// This process dies by SIGKILL instead of its `stores`-th store from now on, 1 being the next.
pub fn die_at_store(stores: u64) {
    LEFT.store(stores, Ordering::SeqCst);
}

/// How many stores are left until it dies.
pub fn stores_left() -> u64 {
    LEFT.load(Ordering::SeqCst)
}

fn count() {
    if LEFT.fetch_sub(1, Ordering::Relaxed) == 1 {
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}

/// Std's, of which everything that may write counts.
#[repr(transparent)]
#[derive(Debug, Default)]
pub struct AtomicU64(atomic::AtomicU64);

#[allow(missing_docs, clippy::missing_errors_doc, reason = "std's methods")]
impl AtomicU64 {
    pub const fn new(value: u64) -> AtomicU64 {
        AtomicU64(atomic::AtomicU64::new(value))
    }

    pub fn load(&self, order: Ordering) -> u64 {
        self.0.load(order)
    }

    pub fn store(&self, value: u64, order: Ordering) {
        count();
        self.0.store(value, order);
    }

    pub fn swap(&self, value: u64, order: Ordering) -> u64 {
        count();
        self.0.swap(value, order)
    }

    pub fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        count();
        self.0.fetch_add(value, order)
    }

    pub fn fetch_max(&self, value: u64, order: Ordering) -> u64 {
        count();
        self.0.fetch_max(value, order)
    }

    pub fn fetch_or(&self, value: u64, order: Ordering) -> u64 {
        count();
        self.0.fetch_or(value, order)
    }

    pub fn compare_exchange(
        &self,
        old: u64,
        new: u64,
        done: Ordering,
        failed: Ordering,
    ) -> Result<u64, u64> {
        count();
        self.0.compare_exchange(old, new, done, failed)
    }

    pub fn compare_exchange_weak(
        &self,
        old: u64,
        new: u64,
        done: Ordering,
        failed: Ordering,
    ) -> Result<u64, u64> {
        self.compare_exchange(old, new, done, failed)
    }

    pub fn fetch_update(
        &self,
        done: Ordering,
        failed: Ordering,
        change: impl FnMut(u64) -> Option<u64>,
    ) -> Result<u64, u64> {
        count();
        self.0.fetch_update(done, failed, change)
    }
}
