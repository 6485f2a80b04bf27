//! Whose turn it is to write the log: threads of a process that wait for the disk share a sync.
//!
//! 1. One thread leads and writes for all; those that come meanwhile sleep until their transactions
//!    are on the disk, or until one of them is to lead.
//! 2. Who comes alone leads for itself. Whoever stops leading while others wait hands the turn to the relief,
//!    a thread that makes no transactions: it begins the next sync as soon as one ends, while those that the
//!    last one served come back, and stops when nobody does.
//! 3. Whoever leads wakes exactly those whose transactions are on the disk: so nobody waits for more than
//!    two syncs, and nobody is woken in vain.
//! 4. When leading failed or panicked, or there is no relief, the first of the rest is woken to lead: each of
//!    them tries for itself, in turn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::sleeper::{Call, Sleeper};

/// The relief waits at most this long for those who come back with their next transaction: a fraction of
/// what a sync costs.
const LINGER: Duration = Duration::from_micros(50);

#[derive(Default)]
pub(crate) struct Turn {
    queue: Mutex<Queue>,
    /// The relief is called, or shall end.
    called: Condvar,
    /// Somebody waited while another led, and there was no relief.
    is_crowded: AtomicBool,
}

#[derive(Default)]
struct Queue {
    /// Somebody leads.
    is_led: bool,
    sleepers: Vec<Waiting>,
    relief: Relief,
}

/// What the thread that syncs for others is at.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Relief {
    /// There is none, or it is at work.
    #[default]
    Absent,
    Waits,
    /// It has the turn, and does not know yet.
    Called,
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
            drop(queue);
            let mut leading = self.lead();
            if t.is_none() {
                // Hands on what it does not need.
                leading.reached(durable());
                return None;
            }
            return Some(leading);
        }
        let t = t?;
        let sleeper = Sleeper::new(None);
        queue.sleepers.push(Waiting { t, sleeper: sleeper.clone() });
        drop(queue);
        (sleeper.sleep() == Call::Sync).then(|| self.lead())
    }

    /// The turn of a thread that was called to lead.
    pub(crate) fn lead(&self) -> Leading<'_> {
        Leading { turn: self, reached: 0, is_well: false }
    }

    /// Whether a relief is missing. Says so once.
    pub(crate) fn lacks_relief(&self) -> bool {
        self.is_crowded.load(Ordering::Relaxed) && self.is_crowded.swap(false, Ordering::Relaxed)
    }

    /// For the thread that is the relief: waits until the turn is its own. `None` when it is over.
    pub(crate) fn stand_by(&self, is_over: impl Fn() -> bool) -> Option<Leading<'_>> {
        let mut queue = self.queue();
        while queue.relief != Relief::Called && !is_over() {
            queue.relief = Relief::Waits;
            queue = self.called.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let is_called = std::mem::take(&mut queue.relief) == Relief::Called;
        drop(queue);
        is_called.then(|| self.lead())
    }

    /// Has the relief look whether it is over.
    pub(crate) fn end_relief(&self) {
        let _queue = self.queue();
        self.called.notify_all();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Takes those out whose transactions are among the first `t`.
    fn served(&mut self, t: u64) -> Vec<Waiting> {
        let (served, rest) =
            std::mem::take(&mut self.sleepers).into_iter().partition(|waiting| waiting.t <= t);
        self.sleepers = rest;
        served
    }
}

/// This thread's turn, until it is dropped.
pub(crate) struct Leading<'t> {
    turn: &'t Turn,
    reached: u64,
    is_well: bool,
}

impl Leading<'_> {
    /// Everything up to `t` is on the disk, and more can be brought there.
    pub(crate) fn reached(&mut self, t: u64) {
        (self.reached, self.is_well) = (t, true);
    }

    /// Everything up to `t` is on the disk, and the rest could not be brought there.
    pub(crate) fn failed(&mut self, t: u64) {
        (self.reached, self.is_well) = (t, false);
    }

    /// Wakes those whose transactions are on the disk, and goes on leading.
    pub(crate) fn serve(&mut self) {
        let served = self.turn.queue().served(self.reached);
        served.iter().for_each(|waiting| waiting.sleeper.wake(Call::Done));
    }

    /// The last transaction that anybody waits for. `None`: nobody comes for a while.
    pub(crate) fn wanted(&self) -> Option<u64> {
        let mut began = None;
        loop {
            let last = self.turn.queue().sleepers.iter().map(|waiting| waiting.t).max();
            if last.is_some() || began.get_or_insert_with(Instant::now).elapsed() >= LINGER {
                return last;
            }
            thread::yield_now();
        }
    }
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        let mut queue = self.turn.queue();
        let served = queue.served(self.reached);
        let mut next = None;
        if queue.sleepers.is_empty() {
            queue.is_led = false;
        } else if self.is_well && queue.relief == Relief::Waits {
            queue.relief = Relief::Called;
            self.turn.called.notify_all();
        } else {
            self.turn.is_crowded.store(true, Ordering::Relaxed);
            next = Some(queue.sleepers.remove(0));
        }
        drop(queue);
        if let Some(next) = next {
            next.sleeper.wake(Call::Sync);
        }
        served.iter().for_each(|waiting| waiting.sleeper.wake(Call::Done));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    /// A disk that syncs what was committed when the sync began.
    #[derive(Default)]
    struct Disk {
        turn: Turn,
        committed: AtomicU64,
        durable: AtomicU64,
        syncs: AtomicU64,
        /// Syncs by the relief.
        relieved: AtomicU64,
        fails_every: u64,
    }

    impl Disk {
        /// Commits and waits. Whether it was told that the disk has it.
        fn commit(&self) -> bool {
            let t = self.committed.fetch_add(1, Ordering::SeqCst) + 1;
            let durable = || self.durable.load(Ordering::SeqCst);
            let leading = self.turn.take(Some(t), Vec::new(), durable);
            leading.is_none_or(|mut leading| self.sync(&mut leading))
        }

        fn sync(&self, leading: &mut Leading<'_>) -> bool {
            let end = self.committed.load(Ordering::SeqCst);
            let sync = self.syncs.fetch_add(1, Ordering::SeqCst) + 1;
            if self.fails_every > 0 && sync.is_multiple_of(self.fails_every) {
                leading.failed(self.durable.load(Ordering::SeqCst));
                return false;
            }
            thread::yield_now();
            self.durable.fetch_max(end, Ordering::SeqCst);
            leading.reached(end);
            true
        }

        fn relieve(&self, is_over: &AtomicBool) {
            while let Some(mut leading) = self.turn.stand_by(|| is_over.load(Ordering::SeqCst)) {
                while leading.wanted().is_some() && self.sync(&mut leading) {
                    self.relieved.fetch_add(1, Ordering::SeqCst);
                    leading.serve();
                }
            }
        }

        /// How many commits of so many threads were told that the disk has them.
        fn run(&self, threads: u64, each: u64, has_relief: bool) -> u64 {
            let is_over = AtomicBool::new(false);
            thread::scope(|scope| {
                let relief = has_relief.then(|| scope.spawn(|| self.relieve(&is_over)));
                let commits = || (0..each).filter(|_| self.commit()).count() as u64;
                let threads: Vec<_> = (0..threads).map(|_| scope.spawn(commits)).collect();
                let told = threads.into_iter().map(|thread| thread.join().expect("it ends")).sum();
                is_over.store(true, Ordering::SeqCst);
                self.turn.end_relief();
                if let Some(relief) = relief {
                    relief.join().expect("it ends");
                }
                told
            })
        }
    }

    #[test]
    fn everybody_is_told_and_syncs_are_shared() {
        for has_relief in [false, true] {
            let disk = Disk::default();
            assert_eq!(disk.run(6, 300, has_relief), 1_800);
            assert_eq!(disk.durable.load(Ordering::SeqCst), 1_800);
            assert!(disk.syncs.load(Ordering::SeqCst) <= 1_800);
            assert!(!disk.turn.queue().is_led && disk.turn.queue().sleepers.is_empty());
            assert!(has_relief || disk.relieved.load(Ordering::SeqCst) == 0);
        }
    }

    #[test]
    fn the_relief_has_the_turn_while_others_wait_and_gives_it_up_when_nobody_does() {
        let (disk, is_over) = (Disk::default(), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| disk.relieve(&is_over));
            while disk.turn.queue().relief != Relief::Waits {
                thread::yield_now();
            }
            let t = disk.committed.fetch_add(1, Ordering::SeqCst) + 1;
            let mut leading = disk.turn.take(Some(t), Vec::new(), || 0).expect("its turn");
            let waits = scope.spawn(|| disk.commit());
            while disk.turn.queue().sleepers.is_empty() {
                thread::yield_now();
            }
            leading.reached(t);
            drop(leading);
            assert!(waits.join().expect("it is served"));
            assert!(disk.relieved.load(Ordering::SeqCst) > 0);
            while disk.turn.queue().is_led {
                thread::yield_now();
            }
            is_over.store(true, Ordering::SeqCst);
            disk.turn.end_relief();
        });
        assert!(!disk.turn.lacks_relief());
    }

    #[test]
    fn a_failure_is_told_to_who_led_and_the_rest_try_for_themselves() {
        let disk = Disk { fails_every: 3, ..Disk::default() };
        let told = disk.run(4, 300, false);
        let failed = disk.syncs.load(Ordering::SeqCst) / 3;
        assert_eq!(told + failed, 1_200);
    }

    #[test]
    fn what_the_relief_fails_at_is_tried_by_those_who_wait() {
        let disk = Disk { fails_every: 1, ..Disk::default() };
        assert_eq!(disk.run(4, 300, true), 0, "each is told that it failed");
        assert_eq!(disk.relieved.load(Ordering::SeqCst), 0);
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
