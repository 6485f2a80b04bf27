//! Bounds on a running query: a cancel flag, a deadline, a number of rows, a number of bytes.
//!
//! 1. Every loop whose length depends on data passes through [`Watch::tick`], or through [`Watch::steps`] for
//!    so many short steps. Rows are sorted in pieces; what sorts edges, groups, columns and the facts of one
//!    attribute does so in one go: before and after.
//! 2. The error says which bound was hit.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::error::{Error, ErrorKind};

/// A flag that stops a query from another thread.
///
/// ```
/// let cancel = daodb::Cancel::new();
/// let other = cancel.clone(); // hand this one to the thread that may want to stop the query
/// other.cancel();
/// assert!(cancel.is_cancelled());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Flag>);

#[derive(Debug, Default)]
struct Flag {
    set: Arc<AtomicBool>,
    parent: Option<Cancel>,
    /// Looks at the flag so far, and the one that finds it set, for tests that stop a query everywhere.
    #[cfg(test)]
    looks: AtomicUsize,
    #[cfg(test)]
    sets_at: AtomicUsize,
}

impl Cancel {
    /// A flag that is not set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag that is set when this one is, and can be set by itself.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(Arc::new(Flag { parent: Some(self.clone()), ..Flag::default() }))
    }

    /// Stops every query that runs under this flag.
    ///
    /// It stays set. A session in which one thing is stopped after the other makes its flags of one of its
    /// own (`Cancel::from`), which it clears.
    pub fn cancel(&self) {
        // Relaxed: the flag carries no data, and a query may notice it a little later.
        self.0.set.store(true, Ordering::Relaxed);
    }

    /// Whether the flag is set.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.set.load(Ordering::Relaxed)
            || self.0.parent.as_ref().is_some_and(Cancel::is_cancelled)
    }

    /// What a query finds when it looks.
    fn stops(&self) -> bool {
        #[cfg(test)]
        if 1 + self.0.looks.fetch_add(1, Ordering::Relaxed)
            == self.0.sets_at.load(Ordering::Relaxed)
        {
            self.cancel();
        }
        self.is_cancelled()
    }

    /// A flag that the `n`th look finds set, counted from 1.
    #[cfg(test)]
    pub(crate) fn at_look(n: usize) -> Self {
        let cancel = Self::new();
        cancel.0.sets_at.store(n, Ordering::Relaxed);
        cancel
    }

    #[cfg(test)]
    pub(crate) fn looks(&self) -> usize {
        self.0.looks.load(Ordering::Relaxed)
    }
}

/// The flag of someone else, which is set and cleared there too: of a signal handler, say.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// let interrupted = Arc::new(AtomicBool::new(false));
/// let cancel = daodb::Cancel::from(interrupted.clone());
/// interrupted.store(true, Ordering::Relaxed);
/// assert!(cancel.is_cancelled());
/// ```
impl From<Arc<AtomicBool>> for Cancel {
    fn from(set: Arc<AtomicBool>) -> Self {
        Self(Arc::new(Flag { set, ..Flag::default() }))
    }
}

/// What a query may use. The default bounds nothing.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Stops the query when it is set.
    pub cancel: Option<Cancel>,
    /// The longest the query may run.
    pub timeout: Option<Duration>,
    /// The most rows it may hold: intermediate rows of one step, rows of a rule, or answers.
    pub max_rows: Option<u64>,
    /// The most bytes it may hold: rows of the answer, rows of rules, graphs that are searched, inputs and what
    /// functions make of them, and attributes that it reads as columns and that find no room among those that
    /// are kept. The plan, batches of rows between steps, a megabyte or so, and the one value that a function is
    /// making are not counted.
    pub max_bytes: Option<u64>,
    /// The most threads that a large query may run on, the caller's among them. `None`: one a core, four
    /// at most. A query of few rows, one with `max_rows` and one that is explained run on one.
    pub threads: Option<usize>,
}

/// Steps of work between two looks at the clock.
const STRIDE: u32 = if cfg!(test) { 16 } else { 4096 };

/// The limits of one run, counting down.
pub(crate) struct Watch {
    limits: Limits,
    deadline: Option<Instant>,
    left: Cell<u32>,
    /// Index rows looked at, for `explain`.
    scanned: Cell<u64>,
    /// Bytes held.
    bytes: Arc<AtomicUsize>,
}

/// The limits of a run, on their way to another thread.
#[derive(Clone)]
pub(crate) struct Shared {
    limits: Limits,
    deadline: Option<Instant>,
    bytes: Arc<AtomicUsize>,
}

impl Shared {
    pub(crate) fn watch(self) -> Watch {
        let Self { limits, deadline, bytes } = self;
        Watch { limits, deadline, left: Cell::new(1), scanned: Cell::new(0), bytes }
    }
}

/// Bytes that are held for a while.
pub(crate) struct Held<'w> {
    watch: &'w Watch,
    bytes: usize,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Relaxed: as in `Watch::take`.
        self.watch.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Watch {
    pub(crate) fn start(limits: &Limits) -> Self {
        let deadline = limits.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Self {
            limits: limits.clone(),
            deadline,
            // The first step looks, so that a query of no length still sees a set flag.
            left: Cell::new(1),
            scanned: Cell::new(0),
            bytes: Arc::default(),
        }
    }

    /// What watches the same run on another thread.
    pub(crate) fn share(&self) -> Shared {
        let (limits, deadline) = (self.limits.clone(), self.deadline);
        Shared { limits, deadline, bytes: self.bytes.clone() }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// One step of work.
    #[inline]
    pub(crate) fn tick(&self) -> Result<(), Error> {
        match self.left.get().checked_sub(1) {
            Some(0) | None => self.look(),
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
        }
    }

    /// Counts one row of an index as looked at.
    #[inline]
    pub(crate) fn scan(&self) -> Result<(), Error> {
        self.scanned.set(self.scanned.get() + 1);
        self.tick()
    }

    /// Counts so many rows of an index as looked at, as one step of work for every few.
    #[inline]
    pub(crate) fn scan_many(&self, rows: usize) -> Result<(), Error> {
        self.scanned.set(self.scanned.get() + rows as u64);
        self.steps(rows)
    }

    /// So many short steps of work at once.
    #[inline]
    pub(crate) fn steps(&self, rows: usize) -> Result<(), Error> {
        let steps = u32::try_from(rows / 4).unwrap_or(u32::MAX).saturating_add(1);
        match self.left.get().checked_sub(steps) {
            Some(0) | None => self.look(),
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
        }
    }

    pub(crate) fn scanned(&self) -> u64 {
        self.scanned.get()
    }

    #[cold]
    fn look(&self) -> Result<(), Error> {
        self.left.set(STRIDE);
        if self.limits.cancel.as_ref().is_some_and(Cancel::stops) {
            return Err(Error::new(ErrorKind::Cancelled));
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let allowed = self.limits.timeout.unwrap_or_default().as_millis();
            return Err(Error::new(ErrorKind::TimedOut(
                u64::try_from(allowed).unwrap_or(u64::MAX),
            )));
        }
        Ok(())
    }

    /// Refuses to hold more bytes than allowed, so many more than before.
    pub(crate) fn take(&self, bytes: usize) -> Result<(), Error> {
        // Relaxed: a number that bounds memory, and orders nothing.
        let held = self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        match self.limits.max_bytes {
            Some(max) if held as u64 > max => Err(Error::new(ErrorKind::TooManyBytes(max))),
            _ => Ok(()),
        }
    }

    /// The same for what is held until the guard is dropped.
    pub(crate) fn hold(&self, bytes: usize) -> Result<Held<'_>, Error> {
        let held = Held { watch: self, bytes };
        self.take(bytes).map(|()| held)
    }

    /// The same for something that grows: `held` is what it had, and becomes what it has.
    pub(crate) fn grow(&self, held: &mut usize, now: usize) -> Result<(), Error> {
        let more = now.saturating_sub(*held);
        *held = now.max(*held);
        if more == 0 { Ok(()) } else { self.take(more) }
    }

    /// Refuses to hold more rows than allowed.
    pub(crate) fn rows(&self, held: usize) -> Result<(), Error> {
        match self.limits.max_rows {
            Some(max) if held as u64 > max => Err(Error::new(ErrorKind::TooManyRows(max))),
            _ => Ok(()),
        }
    }
}
