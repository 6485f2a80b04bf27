//! The columns of one state, made when first worth it and gone on with by the states after it.
//!
//! A commit costs its columns nothing but a note of what it changed. The first query of the new state that
//! asks for a column makes it of the old one and the notes: see [`Column::after`].
//!
//! 1. A column of a state holds that state's facts, whichever way it came.
//! 2. Moments of the past have columns of their own. They are kept for the states after, too: the past
//!    does not change.
//! 3. The columns that states keep take at most the bytes of their [`Budget`]. What finds no room lives
//!    as long as the run that made it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use datom::Datom;

use super::column::{By, Column};
use super::error::Error;
use super::limits::Watch;
use super::source::Source;
use crate::db::View;

/// Facts that are noted before columns that nobody asked for since are given up.
const NOTED_MAX: usize = if cfg!(test) { 16 } else { 1 << 13 };

/// Views whose columns are kept; the one that was not asked for the longest time goes.
const VIEWS_MAX: usize = if cfg!(test) { 2 } else { 8 };

/// Bytes that columns may take where nothing else is said.
pub(crate) const BYTES_MAX: u64 = 512 << 20;

/// How many bytes of columns a world keeps.
#[derive(Debug)]
pub(crate) struct Budget {
    max: usize,
    held: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(bytes_max: u64) -> Arc<Self> {
        let max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        Arc::new(Self { max, held: AtomicUsize::new(0) })
    }

    fn take(self: &Arc<Self>, bytes: usize) -> Option<Share> {
        // Relaxed: a number that bounds memory, and orders nothing.
        let before = self.held.fetch_add(bytes, Ordering::Relaxed);
        let share = Share { budget: self.clone(), bytes };
        (before.saturating_add(bytes) <= self.max).then_some(share)
    }
}

/// Bytes of a budget that are in use until this is dropped.
#[derive(Debug)]
struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

type Key = (u64, By);

/// A column that is kept, and what it takes: shares of a column it came from are kept alive with it.
#[derive(Clone, Debug)]
struct Kept {
    column: Arc<Column>,
    shares: Vec<Arc<Share>>,
    /// The transaction of its state.
    t: u64,
}

/// The columns of one state.
#[derive(Debug)]
pub(crate) struct Columns {
    /// The last transaction of the state.
    t: u64,
    budget: Arc<Budget>,
    known: Mutex<Known>,
    views: Arc<Views>,
    /// Where they are to be kept once there is one, if they are of a view.
    viewed: Option<(Weak<Views>, View, Option<u64>)>,
}

/// The columns of the views of a line of states.
#[derive(Debug, Default)]
struct Views(Mutex<Vec<Viewed>>);

#[derive(Debug)]
struct Viewed {
    view: View,
    /// The basis, where what the view shows depends on it.
    basis: Option<u64>,
    columns: Arc<Columns>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    /// Columns of this state and of states before.
    columns: HashMap<Key, Kept>,
    /// What was changed since the oldest of them, transaction by transaction.
    noted: Vec<(u64, Arc<[Datom]>)>,
}

impl Columns {
    /// No column yet, of the state after transaction `t`.
    pub(crate) fn new(t: u64, budget: Arc<Budget>) -> Self {
        Self { t, budget, known: Mutex::default(), views: Arc::default(), viewed: None }
    }

    /// No column yet, of another state of the same line.
    pub(crate) fn anew(&self, t: u64) -> Self {
        Self { views: self.views.clone(), ..Self::new(t, self.budget.clone()) }
    }

    /// The same without what belongs to the line: for a state that is none of it.
    pub(crate) fn apart(self) -> Self {
        Self { views: Arc::default(), ..self }
    }

    pub(crate) fn t(&self) -> u64 {
        self.t
    }

    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is nothing that the next state could go on with.
    pub(crate) fn is_empty(&self) -> bool {
        self.known().columns.is_empty()
    }

    /// The columns of the state after the next transaction, which stated and withdrew these facts.
    pub(crate) fn next(&self, t: u64, datoms: &[Datom]) -> Self {
        let next = self.anew(t);
        let mut known = self.known().clone();
        if !known.columns.is_empty() {
            known.noted.push((t, datoms.into()));
            known.forget();
            *next.known() = known;
        }
        next
    }

    /// The columns of a view of this state, which looks at a moment of the past.
    pub(crate) fn of_view(&self, view: View) -> Arc<Columns> {
        // What was stated since a moment and still holds is another matter in each state.
        let basis = view.since.map(|_| self.t);
        self.views.take(view, basis).unwrap_or_else(|| {
            let fresh = Self::new(view.as_of.unwrap_or(self.t), self.budget.clone());
            let viewed = Some((Arc::downgrade(&self.views), view, basis));
            Arc::new(Self { viewed, ..fresh })
        })
    }

    /// Has the columns kept, if they are of a view.
    fn keep(self: &Arc<Self>) {
        let Some((views, view, basis)) = &self.viewed else { return };
        let Some(views) = views.upgrade() else { return };
        if views.take(*view, *basis).is_none() {
            let mut views = views.lock();
            if views.len() >= VIEWS_MAX {
                views.remove(0);
            }
            views.push(Viewed { view: *view, basis: *basis, columns: self.clone() });
        }
    }

    /// The column if it was made already, of this state or of one before.
    pub(crate) fn get(&self, attribute: u64, by: By) -> Option<Arc<Column>> {
        let key = (attribute, by);
        let known = &mut *self.known();
        let kept = known.columns.get(&key)?;
        if kept.t == self.t {
            return Some(kept.column.clone());
        }
        let facts = known
            .noted
            .iter()
            .filter(|(t, _)| *t > kept.t)
            .flat_map(|(_, datoms)| datoms.iter().filter(|fact| fact.a == attribute));
        let column = kept.column.after(by, facts).map(Arc::new);
        let before = known.columns.remove(&key)?;
        let column = column?;
        let bytes = column.bytes_beside(Some(&before.column));
        if let Some(share) = self.budget.take(bytes) {
            // The arrays belong to the share that they were made with, the first one.
            let rests = bytes < column.bytes();
            let first = before.shares.into_iter().take(usize::from(rests));
            let shares = first.chain([Arc::new(share)]).collect();
            known.columns.insert(key, Kept { column: column.clone(), shares, t: self.t });
        }
        Some(column)
    }

    /// The column; `None` where the attribute has too many facts for one. Two threads may make the
    /// same one at once: both are right.
    pub(crate) fn make(
        self: &Arc<Self>,
        source: &dyn Source,
        attribute: u64,
        by: By,
        watch: &Watch,
    ) -> Result<Option<Arc<Column>>, Error> {
        if let Some(column) = self.get(attribute, by) {
            return Ok(Some(column));
        }
        let Some(column) = Column::read(source, attribute, by, watch)? else { return Ok(None) };
        let column = Arc::new(column);
        let share = self.budget.take(column.bytes()).or_else(|| {
            // Those of views, and of states before that nobody asked for since, make room.
            self.views.lock().clear();
            self.known().columns.retain(|_, kept| kept.t == self.t);
            self.budget.take(column.bytes())
        });
        match share {
            Some(share) => {
                let shares = vec![Arc::new(share)];
                let kept = Kept { column: column.clone(), shares, t: self.t };
                self.known().columns.insert((attribute, by), kept);
                self.keep();
            }
            None => watch.take(column.bytes())?,
        }
        Ok(Some(column))
    }
}

impl Views {
    /// Those of a view, which is asked for now and so is the last to go.
    fn take(&self, view: View, basis: Option<u64>) -> Option<Arc<Columns>> {
        let mut views = self.lock();
        let at = views.iter().position(|known| (known.view, known.basis) == (view, basis))?;
        let known = views.remove(at);
        let columns = known.columns.clone();
        views.push(known);
        Some(columns)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Viewed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Gives up what would have to be gone on with over too many facts, and notes that nobody needs.
    fn forget(&mut self) {
        let mut facts = 0;
        let from = self.noted.iter().rev().find_map(|(t, datoms)| {
            facts += datoms.len();
            (facts > NOTED_MAX).then_some(*t)
        });
        if let Some(from) = from {
            self.columns.retain(|_, kept| kept.t >= from);
        }
        let oldest = self.columns.values().map(|kept| kept.t).min().unwrap_or(u64::MAX);
        self.noted.retain(|(t, _)| *t > oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_given_back() {
        let budget = Budget::new(100);
        let first = budget.take(60).unwrap();
        assert!(budget.take(41).is_none());
        let second = budget.take(40).unwrap();
        drop((first, second));
        assert!(budget.take(100).is_some());
    }
}
