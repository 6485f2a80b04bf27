//! The journal: what runs have to keep, in as few transactions as they can share.
//!
//! 1. An entry is kept whole or not at all, and whoever brings it is told when it is on the disk.
//! 2. Entries of runs on several threads that come while a transaction is made share the next one. One of
//!    those who wait leads and makes it for all; the others sleep until theirs is kept.
//! 3. Nobody's entry is refused for another's: if a shared transaction is refused, each of its entries is
//!    given a transaction of its own.
//! 4. The lead is handed on once the transaction is made, before it is on the disk: the next one is made while the
//!    disk writes.
//! 5. A run brings one entry at a time and waits for it, so the entries of a transaction are of different runs.
//!    Whatever names entities in them (`db/id` texts) must be different, too.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

use daodb::{Database, Durability, Error, Report, TransactOptions};
use datom::Value;

use crate::fault::Fault;
use crate::schema;

/// Entries of one transaction.
const ENTRIES_MAX: usize = 256;
/// Bytes of states in one transaction, unless the first has more.
const BYTES_MAX: usize = if cfg!(test) { 1 << 12 } else { 4 << 20 };
/// Makers of a transaction that are named in it.
const NAMED_MAX: usize = 3;

/// What a run wants kept.
pub(crate) struct Entry {
    pub(crate) data: Vec<Value>,
    pub(crate) by: String,
    pub(crate) why: String,
    pub(crate) program: Option<u64>,
}

/// Why an entry was not kept.
#[derive(Debug)]
pub(crate) enum Unkept {
    Database(Error),
    /// The thread that led panicked: whether it was kept only the world knows.
    Broken,
}

impl From<Error> for Unkept {
    fn from(error: Error) -> Self {
        Unkept::Database(error)
    }
}

impl From<Unkept> for Box<Fault> {
    fn from(why: Unkept) -> Self {
        match why {
            Unkept::Database(error) => error.into(),
            Unkept::Broken => {
                Box::new(Fault::new("the thread that wrote the journal for this one broke"))
            }
        }
    }
}

impl std::fmt::Display for Unkept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unkept::Database(error) => error.fmt(f),
            Unkept::Broken => f.write_str("the thread that wrote the journal broke"),
        }
    }
}

/// What is brought is kept in one world, by the threads of one process.
pub(crate) struct Journal {
    database: Database,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    /// Somebody makes a transaction.
    is_led: bool,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    entry: Entry,
    sleeper: Arc<Sleeper>,
}

/// Who waits for an entry.
struct Sleeper {
    thread: Thread,
    fate: AtomicU8,
    result: Mutex<Option<Result<Arc<Report>, Unkept>>>,
}

/// What becomes of a sleeper.
mod fate {
    pub(super) const OPEN: u8 = 0;
    pub(super) const TOLD: u8 = 1;
    pub(super) const LEADS: u8 = 2;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is whole before anything that may panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    pub(crate) fn new(database: &Database) -> Arc<Self> {
        Arc::new(Self { database: database.clone(), queue: Mutex::default() })
    }

    /// Keeps an entry, perhaps with those of others: the report is of the transaction that they share.
    pub(crate) fn keep(&self, entry: Entry) -> Result<Arc<Report>, Unkept> {
        let sleeper = Arc::new(Sleeper {
            thread: thread::current(),
            fate: AtomicU8::new(fate::OPEN),
            result: Mutex::default(),
        });
        let leads = {
            let mut queue = lock(&self.queue);
            queue.waiting.push_back(Waiting { entry, sleeper: sleeper.clone() });
            !std::mem::replace(&mut queue.is_led, true)
        };
        if leads || sleeper.sleep() == fate::LEADS {
            self.lead();
        }
        lock(&sleeper.result).take().unwrap_or(Err(Unkept::Broken))
    }

    /// Makes one transaction for those who are first in the queue, its own thread among them.
    fn lead(&self) {
        let mut lead = Lead { journal: self, is_held: true };
        let (entries, sleepers): (Vec<Entry>, Vec<Arc<Sleeper>>) =
            self.batch().into_iter().map(|waiting| (waiting.entry, waiting.sleeper)).unzip();
        let untold = Untold(sleepers);
        match self.transact(&entries) {
            Ok(report) => {
                lead.hand_on();
                let synced = self.synced(&report).map_err(Arc::new);
                untold.tell(|| match &synced {
                    Ok(()) => Ok(report.clone()),
                    Err(why) => Err(not_durable(report.t, why)),
                });
            }
            // It is made: not once more.
            Err(Error::NotDurable { t, why }) => untold.tell(|| Err(not_durable(t, &why))),
            Err(why) if entries.len() == 1 => {
                let mut why = Some(Unkept::Database(why));
                untold.tell(|| Err(why.take().unwrap_or(Unkept::Broken)));
            }
            Err(_) => {
                let mut alone = entries.chunks(1);
                untold.tell(|| {
                    let report = self.transact(alone.next().unwrap_or(&[]))?;
                    self.synced(&report).map_err(|why| not_durable(report.t, &Arc::new(why)))?;
                    Ok(report)
                });
            }
        }
    }

    /// Waits for the disk.
    fn synced(&self, report: &Report) -> Result<(), Error> {
        match self.database.durable_t() >= report.t {
            true => Ok(()),
            false => self.database.sync().map(drop),
        }
    }

    /// The first of the queue, as many as a transaction may have.
    fn batch(&self) -> Vec<Waiting> {
        let mut queue = lock(&self.queue);
        let mut bytes = 0;
        let mut fits = |waiting: &Waiting| {
            bytes += waiting.entry.data.iter().map(state_bytes).sum::<usize>();
            bytes <= BYTES_MAX
        };
        let more =
            queue.waiting.iter().take(ENTRIES_MAX).take_while(|waiting| fits(waiting)).count();
        let end = more.max(1).min(queue.waiting.len());
        queue.waiting.drain(..end).collect()
    }

    /// Makes a transaction of entries, and does not wait for the disk.
    fn transact(&self, entries: &[Entry]) -> Result<Arc<Report>, Error> {
        let mut data: Vec<Value> = entries.iter().flat_map(|entry| &entry.data).cloned().collect();
        data.push(signature(entries));
        let visible = TransactOptions::new().durability(Durability::Process);
        self.database.transact_with(&data, &visible).map(Arc::new)
    }
}

fn not_durable(t: u64, why: &Arc<Error>) -> Unkept {
    Unkept::Database(Error::NotDurable { t, why: why.clone() })
}

/// Bytes of a state in a form of an agent.
fn state_bytes(form: &Value) -> usize {
    match form.get("agent/state") {
        Some(Value::Bytes(bytes)) => bytes.len(),
        _ => 0,
    }
}

/// Who made a transaction and why. What its makers do not have in common it does not say: the agents in it
/// name their programs.
fn signature(entries: &[Entry]) -> Value {
    let makers: BTreeSet<&str> = entries.iter().map(|entry| entry.by.as_str()).collect();
    let mut by = makers.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    if makers.len() > NAMED_MAX {
        by.push_str(&format!(" and {} more", makers.len() - NAMED_MAX));
    }
    let first = entries.first();
    let why = match entries {
        [only] => only.why.clone(),
        several => format!("steps of {} runs", several.len()),
    };
    let program = first.and_then(|entry| entry.program);
    let program = program.filter(|_| entries.iter().all(|entry| entry.program == program));
    schema::signature(&[], &by, &why, program, &[])
}

impl Sleeper {
    /// Until its entry is kept, or until it is to lead.
    fn sleep(&self) -> u8 {
        loop {
            // Pairs with the release in `wake`.
            match self.fate.load(Ordering::Acquire) {
                fate::OPEN => thread::park(),
                fate => return fate,
            }
        }
    }

    fn wake(&self, fate: u8) {
        // Pairs with the acquire in `sleep`.
        self.fate.store(fate, Ordering::Release);
        self.thread.unpark();
    }
}

/// The right to make a transaction, until it is handed on.
struct Lead<'j> {
    journal: &'j Journal,
    is_held: bool,
}

impl Lead<'_> {
    /// The first of those who wait leads from now on.
    fn hand_on(&mut self) {
        if !std::mem::replace(&mut self.is_held, false) {
            return;
        }
        let mut queue = lock(&self.journal.queue);
        match queue.waiting.front() {
            Some(next) => next.sleeper.wake(fate::LEADS),
            None => queue.is_led = false,
        }
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.hand_on();
    }
}

/// Sleepers of a transaction: however it ends, each is woken.
struct Untold(Vec<Arc<Sleeper>>);

impl Untold {
    /// Tells each what became of its entry, in their order.
    fn tell(mut self, mut result: impl FnMut() -> Result<Arc<Report>, Unkept>) {
        self.0.reverse();
        while let Some(sleeper) = self.0.last() {
            let result = result();
            *lock(&sleeper.result) = Some(result);
            sleeper.wake(fate::TOLD);
            self.0.pop();
        }
    }
}

impl Drop for Untold {
    fn drop(&mut self) {
        self.0.iter().for_each(|sleeper| sleeper.wake(fate::TOLD));
    }
}

#[cfg(test)]
mod tests;
