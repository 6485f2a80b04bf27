//! Queries that were checked and planned, kept for the next time.
//!
//! ```text
//!     schema ──▶ (query, rules) ──▶ Checked ──▶ forms of the inputs ──▶ Planned
//! ```
//!
//! Plans belong to a schema: a change of it makes another one, with nothing kept. Within a schema a
//! plan depends on statistics, and says on which: see [`Guard`].
//!
//! 1. A plan that is kept holds no word of a store, and no function of one: what it does is right on
//!    every state of the schema, and guards decide only whether it is still a good way to do it.
//! 2. At most [`QUERIES_MAX`] queries are kept, and [`FORMS_MAX`] plans of each; the one that was not used
//!    for the longest time goes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datom::Value;

use super::ast::{Clause, Names, Var};
use super::env::Env;
use super::error::Error;
use super::lift::Lifted;
use super::parse::Parsed;
use super::program::Program;
use super::source::Standing;
use super::step::{Cell, Part, Plan};
use crate::index::Index;

/// Queries that are kept for one schema.
const QUERIES_MAX: usize = if cfg!(test) { 4 } else { 512 };
/// Plans that are kept of one query, for inputs of different forms and statistics.
const FORMS_MAX: usize = 4;
/// Statistics are the same while no number is so many times another, and some more.
const DRIFT: u64 = 4;
const SLACK: u64 = 64;

/// A query as far as it can be prepared without its inputs.
#[derive(Debug)]
pub(crate) struct Checked {
    parsed: Arc<Parsed>,
    /// The rules, as they were given.
    given: Vec<Value>,
    sources: Sources,
    pub(crate) program: Arc<Program>,
    /// The query's variables, those that rules brought in, and those of lifted constants.
    pub(crate) names: Names,
    pub(crate) clauses: Vec<Clause>,
    pub(crate) entities: HashMap<Var, usize>,
    pub(crate) lifted: Vec<Lifted>,
    plans: Mutex<Vec<Arc<Planned>>>,
}

/// What plans depend on of each source of facts: whether its words are foreign, and its standing.
pub(crate) type Sources = Vec<Option<(bool, Standing)>>;

/// The form of each input: nothing for one row, else about how many rows it has.
pub(crate) type Form = Vec<Option<u32>>;

/// A plan, and what it was made for.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// Whether its rows are distinct.
    pub(crate) distinct: bool,
    pub(crate) form: Form,
    /// The state it was made on, the words that were bound, and the figures that were read.
    pub(crate) state: (u64, u64),
    pub(crate) bound: Vec<u64>,
    pub(crate) guards: Vec<Guard>,
}

/// A figure that a plan was made by: how many facts a prefix of an index has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Guard {
    pub(crate) at: usize,
    pub(crate) index: Index,
    pub(crate) prefix: Vec<(Part, Cell)>,
    pub(crate) count: u64,
}

impl Guard {
    /// The figure now, for a row of bound words.
    pub(crate) fn count(&self, env: &Env<'_>, row: &[u64]) -> Result<u64, Error> {
        let Some(source) = env.facts(self.at) else { return Ok(0) };
        let mut prefix = [0; 3];
        for (place, (part, cell)) in prefix.iter_mut().zip(&self.prefix) {
            let Some(word) = part.key_word(cell.of(row)) else { return Ok(0) };
            *place = word;
        }
        source.count(self.index, prefix.get(..self.prefix.len()).unwrap_or_default())
    }

    fn holds(&self, env: &Env<'_>, row: &[u64]) -> Result<bool, Error> {
        let (before, now) = (self.count, self.count(env, row)?);
        Ok(now <= before * DRIFT + SLACK && before <= now * DRIFT + SLACK)
    }

    /// Whether the figure is of something that is bound before the query runs.
    fn is_bound(&self) -> bool {
        self.prefix.iter().any(|(_, cell)| matches!(cell, Cell::Slot(_)))
    }
}

impl Planned {
    /// Whether the plan is still a good one.
    fn fits(&self, env: &Env<'_>, state: (u64, u64), row: &[u64]) -> Result<bool, Error> {
        let (same_state, same_words) = (self.state == state, self.bound == row);
        for guard in &self.guards {
            let known = same_state && (same_words || !guard.is_bound());
            if !known && !guard.holds(env, row)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Checked {
    pub(crate) fn new(
        parsed: &Arc<Parsed>,
        given: &[&Value],
        sources: Sources,
        program: Arc<Program>,
        names: Names,
    ) -> Self {
        Self {
            parsed: parsed.clone(),
            given: given.iter().map(|rules| (*rules).clone()).collect(),
            sources,
            program,
            names,
            clauses: Vec::new(),
            entities: HashMap::new(),
            lifted: Vec::new(),
            plans: Mutex::default(),
        }
    }

    fn is_of(&self, parsed: &Arc<Parsed>, given: &[&Value], sources: &Sources) -> bool {
        Arc::ptr_eq(&self.parsed, parsed)
            && self.sources == *sources
            && self.given.len() == given.len()
            && self.given.iter().zip(given).all(|(known, rules)| known == *rules)
    }

    fn plans(&self) -> MutexGuard<'_, Vec<Arc<Planned>>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A plan for inputs of this form that still fits; one that does not is dropped.
    pub(crate) fn plan(
        &self,
        env: &Env<'_>,
        form: &Form,
        state: (u64, u64),
        row: &[u64],
    ) -> Result<Option<Arc<Planned>>, Error> {
        let known: Option<Arc<Planned>> =
            self.plans().iter().find(|planned| planned.form == *form).cloned();
        let Some(planned) = known else { return Ok(None) };
        if planned.fits(env, state, row)? {
            return Ok(Some(planned));
        }
        self.plans().retain(|other| !Arc::ptr_eq(other, &planned));
        Ok(None)
    }

    pub(crate) fn keep(&self, planned: &Arc<Planned>) {
        let mut plans = self.plans();
        plans.retain(|other| other.form != planned.form);
        if plans.len() >= FORMS_MAX {
            plans.remove(0);
        }
        plans.push(planned.clone());
    }
}

/// What is kept for one schema.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// By the address of the parsed query, which each entry keeps alive.
    queries: HashMap<usize, Vec<Entry>>,
    count: usize,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    checked: Arc<Checked>,
    used: u64,
}

fn address(parsed: &Arc<Parsed>) -> usize {
    Arc::as_ptr(parsed).addr()
}

impl Plans {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(
        &self,
        parsed: &Arc<Parsed>,
        given: &[&Value],
        sources: &Sources,
    ) -> Option<Arc<Checked>> {
        let kept = &mut *self.kept();
        kept.clock += 1;
        let entries = kept.queries.get_mut(&address(parsed))?;
        let entry = entries.iter_mut().find(|entry| entry.checked.is_of(parsed, given, sources))?;
        entry.used = kept.clock;
        Some(entry.checked.clone())
    }

    pub(crate) fn keep(&self, checked: &Arc<Checked>) {
        let kept = &mut *self.kept();
        while kept.count >= QUERIES_MAX {
            let entries = kept.queries.iter().flat_map(|(at, entries)| {
                entries.iter().enumerate().map(move |(place, entry)| (entry.used, *at, place))
            });
            let Some((_, at, place)) = entries.min() else { break };
            if let Some(entries) = kept.queries.get_mut(&at) {
                entries.remove(place);
                if entries.is_empty() {
                    kept.queries.remove(&at);
                }
            }
            kept.count -= 1;
        }
        let entry = Entry { checked: checked.clone(), used: kept.clock };
        kept.queries.entry(address(&checked.parsed)).or_default().push(entry);
        kept.count += 1;
    }
}

impl PartialEq for Plans {
    /// What is kept is no part of what a schema says.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl std::fmt::Debug for Planned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Planned").field("form", &self.form).finish_non_exhaustive()
    }
}
