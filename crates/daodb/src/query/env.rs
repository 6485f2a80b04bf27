//! What a run has at hand: its sources, words, limits, rules, and what it learned on the way.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use datom::{Value, Word};

use super::ast::{Arg, Clause, ClauseKind, SourceRef, Term, Var, walk};
use super::callee::{self, Stored};
use super::closure::Closures;
use super::demand::{Components, DEPTH_MAX, too_deep};
use super::error::Error;
use super::limits::Watch;
use super::program::Program;
use super::source::Source;
use super::space::Space;
use super::step::At;
use super::table::Table;
use crate::attribute::Attribute;
use crate::index::{Index, Key};

/// What a source of `:in` is.
pub(crate) enum Data<'s> {
    /// A view of a database.
    Facts { source: &'s dyn Source, foreign: bool },
    /// A relation: patterns match its columns.
    Rows(Rc<Table>),
}

/// Facts sorted by value.
pub(crate) type Sorted = Rc<Vec<Key>>;

/// One run.
pub(crate) struct Env<'s> {
    /// By the position in `:in`.
    pub(crate) data: Vec<Option<Data<'s>>>,
    pub(crate) space: Space<'s>,
    pub(crate) watch: Rc<Watch>,
    pub(crate) program: Arc<Program>,
    /// Inputs of many rows.
    pub(crate) tables: Vec<Rc<Table>>,
    pub(crate) components: RefCell<Components<'s>>,
    pub(crate) closures: RefCell<Closures<'s>>,
    /// Rules being computed right now, one inside the other.
    pub(crate) depth: std::cell::Cell<usize>,
    /// Whether steps are timed.
    pub(crate) timed: std::cell::Cell<bool>,
    stored: RefCell<HashMap<(usize, Value), Stored>>,
    averages: RefCell<HashMap<(usize, u64, Index), f64>>,
    by_value: RefCell<HashMap<(usize, u64), Sorted>>,
}

impl<'s> Env<'s> {
    pub(crate) fn new(data: Vec<Option<Data<'s>>>, space: Space<'s>, watch: Rc<Watch>) -> Self {
        Self {
            data,
            space,
            watch,
            program: Arc::default(),
            tables: Vec::new(),
            components: RefCell::default(),
            closures: RefCell::default(),
            depth: std::cell::Cell::new(0),
            timed: std::cell::Cell::new(false),
            stored: RefCell::default(),
            averages: RefCell::default(),
            by_value: RefCell::default(),
        }
    }

    /// Does something for a rule that is used inside another one.
    ///
    /// # Errors
    /// When rules use each other through more levels than are allowed.
    pub(crate) fn deeper<R>(&self, work: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
        let depth = self.depth.get();
        if depth >= DEPTH_MAX {
            return Err(too_deep());
        }
        self.depth.set(depth + 1);
        let result = work();
        self.depth.set(depth);
        result
    }

    pub(crate) fn data(&self, at: usize) -> Result<&Data<'s>, Error> {
        self.data
            .get(at)
            .and_then(Option::as_ref)
            .ok_or_else(|| Error::syntax("the clause reads a source that was not given"))
    }

    /// Rows that stand at a place.
    pub(crate) fn table(&self, at: At) -> Result<&Table, Error> {
        let table = match at {
            At::Input(at) => self.tables.get(at),
            At::Source(at) => match self.data.get(at) {
                Some(Some(Data::Rows(table))) => Some(table),
                _ => None,
            },
        };
        table.map(|table| &**table).ok_or_else(|| Error::storage("rows that were not given"))
    }

    /// The database at a place of `:in`.
    pub(crate) fn facts(&self, at: usize) -> Option<&'s dyn Source> {
        match self.data.get(at) {
            Some(Some(Data::Facts { source, .. })) => Some(*source),
            _ => None,
        }
    }

    /// The function of a database that a name or entity names: of the database at a place of `:in`,
    /// or of the first one where a relation stands there.
    pub(crate) fn stored(&self, at: usize, name: &Value) -> Result<Stored, Error> {
        let key = (at, name.clone());
        if let Some(known) = self.stored.borrow().get(&key) {
            return Ok(known.clone());
        }
        let first = || (0..self.data.len()).find_map(|at| self.facts(at));
        let source = self.facts(at).or_else(first).ok_or_else(|| callee::unknown(name, []))?;
        let found = source.function(name)?;
        self.stored.borrow_mut().insert(key, found.clone());
        Ok(found)
    }

    /// The attribute a constant names, if it names one.
    pub(crate) fn attribute(&self, at: usize, name: &Value) -> Option<&'s Attribute> {
        let source = self.facts(at)?;
        match name {
            Value::Keyword(name) => source.attribute_named(name),
            Value::Ref(id) => source.attribute(*id),
            Value::Int(id) => source.attribute(u64::try_from(*id).ok()?),
            _ => None,
        }
    }

    /// The word that stands for an entity where a variable is known to be one: integers, idents and
    /// lookup refs become references; what names no entity stays as it is and matches nothing.
    pub(crate) fn entity(&self, at: usize, word: u64) -> Result<u64, Error> {
        let known = Word::from_raw(word);
        if known.as_entity().is_some() {
            return Ok(word);
        }
        let Some(source) = self.facts(at) else { return Ok(word) };
        if let Some(id) = known.as_int() {
            return Ok(u64::try_from(id).map_or(word, |id| Word::entity(id).raw()));
        }
        let value = self.space.value(word)?;
        match value {
            Value::Keyword(_) | Value::Vector(_) => {
                Ok(source.entity_id(&value)?.map_or(word, |id| Word::entity(id).raw()))
            }
            _ => Ok(word),
        }
    }

    /// How many facts stand side by side under one second component of `attribute` in `index`, on
    /// average; looked up once a run.
    pub(crate) fn average(&self, at: usize, attribute: u64, index: Index) -> Result<f64, Error> {
        let key = (at, attribute, index);
        if let Some(known) = self.averages.borrow().get(&key) {
            return Ok(*known);
        }
        let Some(source) = self.facts(at) else { return Ok(1.0) };
        let (facts, distinct) = source.statistics(attribute, index == Index::Aevt)?;
        let average = facts as f64 / distinct.max(1) as f64;
        self.averages.borrow_mut().insert(key, average);
        Ok(average)
    }

    /// The facts of an attribute that is not indexed, in the order AVET: made once a run.
    pub(crate) fn by_value(&self, at: usize, attribute: u64) -> Result<Sorted, Error> {
        if let Some(known) = self.by_value.borrow().get(&(at, attribute)) {
            return Ok(known.clone());
        }
        let mut rows = Vec::new();
        if let Some(source) = self.facts(at) {
            source.reader(Index::Aevt, Some(attribute)).scan(&[attribute], |key| {
                self.watch.scan()?;
                rows.push(Index::Avet.key(&Index::Aevt.datom(key)));
                Ok(true)
            })?;
        }
        self.watch.take(size_of::<Key>() * rows.len())?;
        rows.sort_unstable();
        let rows = Rc::new(rows);
        self.by_value.borrow_mut().insert((at, attribute), rows.clone());
        Ok(rows)
    }

    /// The variables of a scope that are entities, each with the source it is an entity of: those
    /// in an entity, attribute or transaction position, in the value position of a reference, or at
    /// such a place of a rule.
    pub(crate) fn entities(&self, clauses: &[Clause], default: usize) -> HashMap<Var, usize> {
        let mut found = HashMap::new();
        walk(clauses, &mut |clause| self.entities_of(clause, default, &mut found));
        found
    }

    fn entities_of(&self, clause: &Clause, default: usize, found: &mut HashMap<Var, usize>) {
        let mut note = |term: Option<&Term>, at: usize| {
            if let Some(var) = term.and_then(Term::var) {
                found.entry(var).or_insert(at);
            }
        };
        match &clause.kind {
            ClauseKind::Pattern { source, terms } => {
                let at = source.resolve(default);
                if self.facts(at).is_none() {
                    return;
                }
                note(terms.first(), at);
                note(terms.get(1), at);
                note(terms.get(3), at);
                note(terms.get(4).filter(|_| terms.len() == 6), at);
                if let Some(Term::Const(name)) = terms.get(1)
                    && self.attribute(at, name).is_some_and(Attribute::is_ref)
                {
                    note(terms.get(2), at);
                }
            }
            ClauseKind::Call { rule, source, terms } => {
                let at = source.resolve(default);
                for (place, term) in terms.iter().enumerate() {
                    if let Some(of) = self.program.entity_param(rule, at, place) {
                        note(Some(term), of);
                    }
                }
            }
            ClauseKind::Function { function, args, .. } if function.reads_database() => {
                if let (Some(Arg::Source(source)), Some(Arg::Var(var))) =
                    (args.first(), args.get(1))
                {
                    found.entry(*var).or_insert(source.resolve(default));
                }
            }
            _ => {}
        }
    }

    /// The source a pull or function reads.
    pub(crate) fn source(&self, of: SourceRef, default: usize) -> Result<&'s dyn Source, Error> {
        let at = of.resolve(default);
        self.facts(at).ok_or_else(|| Error::syntax("needs a database, not a relation"))
    }
}
