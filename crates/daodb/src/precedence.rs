//! Who goes first when transactions overtake each other again and again.
//!
//! A commit is a compare-and-swap, so of two writers the quicker one wins. A transaction that takes long to
//! work out would lose to steady small ones of other processes for as long as they come.
//!
//! 1. Who has lost [`LOST_MIN`] times and [`LOST_TIME`] takes the lock on the file `precedence`, if nobody has
//!    it, and says in a word of the region for how many milliseconds others shall let it go first.
//! 2. Whoever begins looks at the word, and while it is not 0 waits, but no longer than it says: four
//!    times what the transaction took before. So one that ends at all ends, and a process that is
//!    stopped, or code that never returns, holds nobody up for good.
//! 3. The lock is the kernel's and goes with its process. Only who has it, or a share of it, changes the
//!    word: so a word that a dead process left is taken back by the first who looks, and never that of
//!    a living one.
//! 4. Nothing depends on it: the swap decides. Who began before the word was there may win once more, and
//!    where the lock cannot be had all is as without it.
//! 5. Who was let go first has to lose again before it is the next time, while others wait: so of
//!    several long transactions each has its turn.
//!
//! Threads that share a handle stand in line anyway.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use eve::Slab;

/// A transaction that has lost less often,
const LOST_MIN: u32 = 2;
/// or less time by it, tries on without asking anything of others.
const LOST_TIME: Duration = Duration::from_millis(10);
/// Others wait for so many times what the longest try took,
const PATIENCE_FACTOR: u32 = 4;
/// and at most so long.
const PATIENCE_MAX: Duration = Duration::from_secs(600);
/// Who waits looks this often whether the other is still alive.
const LOOK: Duration = Duration::from_millis(5);
/// The user word of the region.
const WORD: usize = 8;

/// The precedence in one world, for the threads of one handle.
pub(crate) struct Precedence {
    /// `None`: the region is this process's alone.
    path: Option<PathBuf>,
    lock: Mutex<Lock>,
}

#[derive(Default)]
struct Lock {
    file: Option<File>,
    /// The thread of this handle that has it.
    holder: Option<ThreadId>,
}

impl Lock {
    /// The file, opened the first time. Where that fails there is no precedence.
    fn file(&mut self, path: &Path) -> Option<&File> {
        if self.file.is_none() {
            let mut options = OpenOptions::new();
            options.create(true).truncate(false).read(true).write(true);
            self.file = options.open(path).ok();
        }
        self.file.as_ref()
    }
}

impl Precedence {
    /// In the world whose log is in a folder; without one there is no other process.
    pub(crate) fn new(log: Option<&Path>) -> Self {
        let path = log.map(|log| log.join("precedence"));
        Self { path, lock: Mutex::default() }
    }

    /// Waits while another goes first. Costs a load when nobody does.
    #[inline]
    pub(crate) fn give_way(&self, slab: &Slab) {
        if slab.user_word(WORD).load(Ordering::Relaxed) != 0 {
            self.wait(slab);
        }
    }

    #[cold]
    fn wait(&self, slab: &Slab) {
        let began = Instant::now();
        loop {
            let seen = slab.user_word(WORD).load(Ordering::Relaxed);
            let patience = Duration::from_millis(seen).min(PATIENCE_MAX);
            let left = patience.saturating_sub(began.elapsed());
            if left.is_zero() || !self.is_anothers(slab) {
                return;
            }
            slab.wait_user(WORD, seen, left.min(LOOK));
        }
    }

    /// Whether another thread goes first, which lives. The word of a dead one is taken back.
    fn is_anothers(&self, slab: &Slab) -> bool {
        let mut lock = self.lock();
        if let Some(holder) = lock.holder {
            // Code that a transaction calls may make another: it waits for nobody.
            return holder != thread::current().id();
        }
        let Some(file) = self.path.as_ref().and_then(|path| lock.file(path)) else { return false };
        if file.try_lock_shared().is_err() {
            return true;
        }
        slab.user_word(WORD).store(0, Ordering::Relaxed);
        slab.wake_user(WORD);
        let _ = file.unlock();
        false
    }

    /// Takes precedence for so long, if nobody has it.
    fn take<'s>(&'s self, slab: &'s Slab, patience: Duration) -> Option<First<'s>> {
        let mut lock = self.lock();
        if lock.holder.is_some() {
            return None;
        }
        lock.file(self.path.as_ref()?)?.try_lock().ok()?;
        lock.holder = Some(thread::current().id());
        let ms = patience.min(PATIENCE_MAX).as_millis() as u64;
        slab.user_word(WORD).store(ms.max(1), Ordering::Relaxed);
        Some(First { precedence: self, slab })
    }

    fn lock(&self) -> MutexGuard<'_, Lock> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Precedence, until it is dropped.
struct First<'s> {
    precedence: &'s Precedence,
    slab: &'s Slab,
}

impl Drop for First<'_> {
    fn drop(&mut self) {
        let mut lock = self.precedence.lock();
        // In this order: the next one's word is not to be taken for this one's.
        self.slab.user_word(WORD).store(0, Ordering::Relaxed);
        lock.holder = None;
        // The kernel drops it with the file at the latest.
        let _ = lock.file.as_ref().map(File::unlock);
        drop(lock);
        self.slab.wake_user(WORD);
    }
}

/// The tries to make one commit.
pub(crate) struct Tries<'s> {
    precedence: &'s Precedence,
    slab: &'s Slab,
    began: Instant,
    lost: u32,
    lost_time: Duration,
    longest: Duration,
    first: Option<First<'s>>,
}

impl<'s> Tries<'s> {
    pub(crate) fn new(precedence: &'s Precedence, slab: &'s Slab) -> Self {
        let (lost_time, longest) = (Duration::ZERO, Duration::ZERO);
        let began = Instant::now();
        Self { precedence, slab, began, lost: 0, lost_time, longest, first: None }
    }

    /// Before a try: lets another go first, or sees to it that others do.
    pub(crate) fn begin(&mut self) {
        if self.first.is_none() {
            self.precedence.give_way(self.slab);
        }
        if self.lost >= LOST_MIN && self.lost_time >= LOST_TIME {
            // Given back first where the last try has outlived the patience that it asked for.
            self.first = None;
            self.first = self.precedence.take(self.slab, self.longest * PATIENCE_FACTOR);
        }
        self.began = Instant::now();
    }

    /// The try lost to another commit.
    pub(crate) fn lost(&mut self) {
        let took = self.began.elapsed();
        self.lost += 1;
        self.lost_time += took;
        self.longest = self.longest.max(took);
    }
}

#[cfg(test)]
mod tests;
