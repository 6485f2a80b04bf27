//! Whose turn it is to write the log: threads of a process that wait for the disk share a sync.
//!
//! 1. One thread leads and writes for all; those that come meanwhile sleep until their transactions
//!    are on the disk, or until one of them is to lead.
//! 2. Whoever stops leading wakes exactly those whose transactions are on the disk, and makes the
//!    first of the rest lead: so nobody waits for more than two syncs, and nobody is woken in vain.
//! 3. That also happens when leading failed or panicked: each of the rest tries for itself, in turn.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::sleeper::{Call, Sleeper};

/// Whoever leads waits at most this long for as many threads as shared the last sync, which come
/// back with their next transaction: a fraction of what a sync costs.
const GATHER: Duration = Duration::from_micros(50);

#[derive(Default)]
pub(crate) struct Turn {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    /// Somebody leads.
    is_led: bool,
    sleepers: Vec<Waiting>,
    /// How many shared the last sync.
    group: usize,
}

/// One who sleeps until a transaction is on the disk.
pub(crate) struct Waiting {
    pub(crate) t: u64,
    pub(crate) sleeper: Arc<Sleeper>,
}

impl Turn {
    /// Lets others wait who sleep already. If the caller has a transaction `t` of its own, sleeps until
    /// it is on the disk, which is `None`, or until it is this thread's turn to see to it. `durable`
    /// tells the last one that is.
    pub(crate) fn take(
        &self,
        t: Option<u64>,
        others: Vec<Waiting>,
        durable: impl Fn() -> u64,
    ) -> Option<Leading<'_>> {
        let mut queue = self.queue();
        queue.sleepers.extend(others);
        let t = t.filter(|t| durable() < *t);
        if !queue.is_led {
            queue.is_led = true;
            if t.is_none() {
                // Hands on what it does not need.
                drop(queue);
                drop(self.lead());
                return None;
            }
            return Some(self.lead());
        }
        let t = t?;
        let sleeper = Sleeper::new(None);
        queue.sleepers.push(Waiting { t, sleeper: sleeper.clone() });
        drop(queue);
        (sleeper.sleep() == Call::Sync).then(|| self.lead())
    }

    /// The turn of a thread that was called to lead.
    pub(crate) fn lead(&self) -> Leading<'_> {
        Leading { turn: self, reached: 0 }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// This thread's turn, until it is dropped.
pub(crate) struct Leading<'t> {
    turn: &'t Turn,
    reached: u64,
}

impl Leading<'_> {
    /// Gives those who shared the last sync the chance to share this one.
    pub(crate) fn gather(&self) {
        let began = Instant::now();
        loop {
            let mut queue = self.turn.queue();
            let here = queue.sleepers.len() + 1;
            if here >= queue.group || began.elapsed() >= GATHER {
                queue.group = here;
                return;
            }
            drop(queue);
            thread::yield_now();
        }
    }

    /// Everything up to `t` is on the disk.
    pub(crate) fn reached(&mut self, t: u64) {
        self.reached = t;
    }
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        let mut queue = self.turn.queue();
        let sleepers = std::mem::take(&mut queue.sleepers);
        let (done, mut rest): (Vec<_>, Vec<_>) =
            sleepers.into_iter().partition(|waiting| waiting.t <= self.reached);
        let next = (!rest.is_empty()).then(|| rest.remove(0));
        queue.is_led = next.is_some();
        queue.sleepers = rest;
        drop(queue);
        if let Some(next) = next {
            next.sleeper.wake(Call::Sync);
        }
        done.iter().for_each(|waiting| waiting.sleeper.wake(Call::Done));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A disk that syncs what was committed when the sync began.
    #[derive(Default)]
    struct Disk {
        turn: Turn,
        committed: AtomicU64,
        durable: AtomicU64,
        syncs: AtomicU64,
        fails_every: u64,
    }

    impl Disk {
        fn commit(&self) -> bool {
            let t = self.committed.fetch_add(1, Ordering::SeqCst) + 1;
            let durable = || self.durable.load(Ordering::SeqCst);
            let Some(mut leading) = self.turn.take(Some(t), Vec::new(), durable) else {
                return true;
            };
            leading.gather();
            let end = self.committed.load(Ordering::SeqCst);
            let sync = self.syncs.fetch_add(1, Ordering::SeqCst) + 1;
            if self.fails_every > 0 && sync.is_multiple_of(self.fails_every) {
                return false;
            }
            thread::yield_now();
            self.durable.fetch_max(end, Ordering::SeqCst);
            leading.reached(end);
            true
        }

        fn run(&self, threads: u64, each: u64) -> u64 {
            thread::scope(|scope| {
                let commits = || (0..each).filter(|_| self.commit()).count() as u64;
                let threads: Vec<_> = (0..threads).map(|_| scope.spawn(commits)).collect();
                threads.into_iter().map(|thread| thread.join().expect("it ends")).sum()
            })
        }
    }

    #[test]
    fn everybody_is_told_and_syncs_are_shared() {
        let disk = Disk::default();
        assert_eq!(disk.run(6, 300), 1_800);
        assert_eq!(disk.durable.load(Ordering::SeqCst), 1_800);
        assert!(disk.syncs.load(Ordering::SeqCst) <= 1_800);
        assert!(!disk.turn.queue().is_led);
    }

    #[test]
    fn a_failure_is_told_to_who_led_and_the_rest_try_for_themselves() {
        let disk = Disk { fails_every: 3, ..Disk::default() };
        let told = disk.run(4, 300);
        let failed = disk.syncs.load(Ordering::SeqCst) / 3;
        assert_eq!(told + failed, 1_200);
    }

    #[test]
    fn whoever_panics_hands_the_turn_on() {
        let turn = Turn::default();
        thread::scope(|scope| {
            let leads = scope.spawn(|| {
                let _leading = turn.take(Some(1), Vec::new(), || 0).expect("its turn");
                while turn.queue().sleepers.is_empty() {
                    thread::yield_now();
                }
                panic!("on purpose");
            });
            while !turn.queue().is_led {
                thread::yield_now();
            }
            assert!(turn.take(Some(2), Vec::new(), || 0).is_some());
            assert!(leads.join().is_err());
        });
    }
}
