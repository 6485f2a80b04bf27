//! What a plan is made of.
//!
//! A plan runs over rows of words, one slot for each variable of its scope. Each step takes rows
//! and makes rows in which more slots are filled; the meaning of the others is nothing.
//!
//! 1. A plan says what to do and holds nothing of what it is done with: sources, tables and relations
//!    are numbers, and what a run reads them through are its [`Tools`](super::tools::Tools). So a plan
//!    outlives its run, and threads share it.

use std::sync::Arc;

use datom::{Datom, Symbol, Value, Word, id};

use super::ast::Binding;
use super::callee::Callable;
use super::column::By;
use super::error::{Error, Place};
use super::function::{Comparison, Lookup};
use crate::index::Index;

/// A position of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Entity,
    Attribute,
    Value,
    Tx,
    Added,
    /// The entity that says why the fact was stated.
    Reason,
}

impl Part {
    pub(crate) const ALL: [Part; 6] =
        [Part::Entity, Part::Attribute, Part::Value, Part::Tx, Part::Added, Part::Reason];

    /// What the positions of a pattern mean: `[e a v tx added]`, or `[e a v tx reason added]`.
    pub(crate) fn positions(width: usize) -> [Part; 6] {
        let [e, a, v, tx, added, reason] = Self::ALL;
        if width == 6 { [e, a, v, tx, reason, added] } else { Self::ALL }
    }

    /// The word that queries see.
    pub(crate) fn word(self, fact: &Datom) -> u64 {
        match self {
            Part::Entity => Word::entity(fact.e).raw(),
            Part::Attribute => Word::entity(fact.a).raw(),
            Part::Value => fact.v.raw(),
            Part::Tx => Word::entity(id::transaction(fact.t)).raw(),
            Part::Added => Word::bool(fact.added()).raw(),
            Part::Reason => fact.metadata().map_or(Word::NIL, Word::entity).raw(),
        }
    }

    /// The word that keys hold, of one that queries see; `None` where no key can hold it.
    pub(crate) fn key_word(self, word: u64) -> Option<u64> {
        match self {
            Part::Entity | Part::Attribute => Word::from_raw(word).as_entity(),
            Part::Value => Some(word),
            Part::Tx | Part::Added | Part::Reason => None,
        }
    }
}

/// The parts of an index's key, in its order.
pub(crate) const fn parts(index: Index) -> [Part; 3] {
    match index {
        Index::Eavt => [Part::Entity, Part::Attribute, Part::Value],
        Index::Aevt => [Part::Attribute, Part::Entity, Part::Value],
        Index::Avet => [Part::Attribute, Part::Value, Part::Entity],
        Index::Vaet => [Part::Value, Part::Attribute, Part::Entity],
    }
}

/// Where a word comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Slot(usize),
    Const(u64),
}

impl Cell {
    #[inline]
    pub(crate) fn of(self, row: &[u64]) -> u64 {
        match self {
            Cell::Slot(slot) => row.get(slot).copied().unwrap_or(0),
            Cell::Const(word) => word,
        }
    }
}

/// What a step does with one word of what it found: fill a slot, or compare.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Take {
    /// Fill the slot. The source of which the variable is an entity, if it is one.
    Fill { slot: usize, entity: Option<usize> },
    /// Keep the row only if the words are equal. As above.
    Check { cell: Cell, entity: Option<usize> },
}

/// What a step does with the other side of a fact.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    Fill(usize),
    /// Keep the row if the fact with this word exists.
    Check(Cell),
    /// Keep the row if there is any.
    Exists,
}

/// The facts of one attribute of one source, looked up by one of their sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side {
    /// The source, as a place of `:in`.
    pub(crate) at: usize,
    pub(crate) attribute: u64,
    pub(crate) by: By,
}

/// A comparison of a word that a step finds with one that its row has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    pub(crate) comparison: Comparison,
    pub(crate) cell: Cell,
}

/// Facts of one attribute by one of their sides.
pub(crate) struct Follow {
    pub(crate) side: Side,
    pub(crate) key: Cell,
    pub(crate) then: Then,
    /// What holds for the words that fill the slot.
    pub(crate) keep: Vec<Keep>,
    /// Whether a key has one word on the other side at most.
    pub(crate) functional: bool,
}

/// Every fact of one attribute.
pub(crate) struct All {
    pub(crate) side: Side,
    /// The slots of entity and value, where anybody reads them.
    pub(crate) entity: Option<usize>,
    pub(crate) value: Option<usize>,
    /// What holds for values.
    pub(crate) keep: Vec<Keep>,
    /// Whether AVET has the values that are kept side by side.
    pub(crate) ranged: bool,
    /// Whether an entity has one value at most.
    pub(crate) functional: bool,
}

/// Patterns that all restrict one variable.
pub(crate) struct Meet {
    /// Each with what its other side holds.
    pub(crate) members: Vec<(Side, Cell)>,
    pub(crate) slot: usize,
}

/// Facts of one source by a prefix of one index.
pub(crate) struct Scan {
    pub(crate) at: usize,
    pub(crate) foreign: bool,
    pub(crate) index: Index,
    pub(crate) prefix: Vec<(Part, Cell)>,
    pub(crate) takes: Vec<(Part, Take)>,
    /// Whether one fact is as good as many.
    pub(crate) once: bool,
    /// Whether facts without a reason do not match.
    pub(crate) reasoned: bool,
    /// The facts of an attribute without the index AVET, in that order; read instead of the index.
    pub(crate) by_value: Option<u64>,
}

impl Scan {
    /// The attribute of all of them, where the plan knows it.
    pub(crate) fn attribute(&self) -> Option<u64> {
        let attribute = self.prefix.iter().find(|(part, _)| *part == Part::Attribute);
        match attribute {
            Some((part, Cell::Const(word))) => part.key_word(*word),
            _ => None,
        }
    }
}

/// Where a table is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    /// A relation in the place of a database.
    Source(usize),
    /// An input of many rows.
    Input(usize),
}

/// Rows of a table by some of its columns.
pub(crate) struct Find {
    pub(crate) table: At,
    pub(crate) columns: Vec<usize>,
    pub(crate) key: Vec<Cell>,
    pub(crate) takes: Vec<(usize, Take)>,
    pub(crate) once: bool,
}

/// Rows of a relation by the first columns of one of its orders.
pub(crate) struct Probe {
    /// Its number in the component that the plan is of.
    pub(crate) relation: usize,
    pub(crate) order: usize,
    pub(crate) prefix: Vec<Cell>,
    pub(crate) takes: Vec<(usize, Take)>,
    pub(crate) once: bool,
}

/// Rows of a rule of another component, computed for what is asked.
pub(crate) struct Call {
    pub(crate) rule: Symbol,
    pub(crate) at: usize,
    pub(crate) mask: Vec<bool>,
    pub(crate) demand: Vec<Cell>,
    /// A look into the answers, whose columns are the bound arguments first.
    pub(crate) probe: Probe,
}

/// What can be reached in a graph.
pub(crate) struct Search {
    /// The rule that is a closure, and the source it is one on.
    pub(crate) rule: Symbol,
    pub(crate) at: usize,
    /// Against its edges where only the far end is given.
    pub(crate) backward: bool,
    /// The ends, where they are given.
    pub(crate) ends: [Option<Cell>; 2],
    /// The slots of the others, where anybody reads them.
    pub(crate) fills: [Option<usize>; 2],
    /// Whether both ends are one variable.
    pub(crate) same: bool,
}

/// A function's value, kept if it is true or bound.
pub(crate) struct Apply {
    pub(crate) function: Callable,
    pub(crate) args: Vec<ArgCell>,
    pub(crate) binding: Option<Binding>,
    /// By variable of the binding: what becomes of its word.
    pub(crate) takes: Vec<(usize, Take)>,
}

pub(crate) enum ArgCell {
    Cell(Cell),
    /// A constant, kept as the value it is.
    Value(Value),
}

/// A function that reads a database.
pub(crate) struct Consult {
    pub(crate) at: usize,
    pub(crate) lookup: Lookup,
    pub(crate) entity: Cell,
    pub(crate) attributes: Vec<(u64, Value)>,
    pub(crate) default: Option<Cell>,
    pub(crate) apply: Apply,
}

pub(crate) enum Action {
    /// No row can match.
    Nothing,
    Scan(Scan),
    All(All),
    Follow(Follow),
    /// One variable that several patterns restrict: a worst-case-optimal join.
    Meet(Meet),
    Find(Find),
    Probe(Probe),
    Call(Call),
    Search(Search),
    Compare {
        comparison: Comparison,
        left: Cell,
        right: Cell,
    },
    Apply(Apply),
    Consult(Consult),
    /// Rows for which the plan finds nothing; `slot` numbers the rows.
    Not {
        plan: Plan,
        slot: usize,
    },
    Or(Vec<Plan>),
}

/// One step, and what is expected of it.
pub(crate) struct Step {
    pub(crate) action: Action,
    /// Rows expected for each row that comes in.
    pub(crate) estimate: f64,
    pub(crate) places: Vec<Arc<Place>>,
}

/// Steps, in order.
pub(crate) struct Plan {
    pub(crate) width: usize,
    pub(crate) steps: Vec<Step>,
}

impl Plan {
    /// Whether no two rows agree in `shown`, given that those with `given` filled come from one row:
    /// every step makes distinct rows, and every slot follows from what is shown.
    pub(crate) fn is_distinct<'v>(
        &self,
        shown: &'v [usize],
        given: impl Iterator<Item = &'v usize>,
    ) -> bool {
        let mut known: Vec<usize> = shown.iter().chain(given).copied().collect();
        // Slots that were filled, and which slot follows from which.
        let (mut filled, mut follows) = (Vec::new(), Vec::new());
        for step in &self.steps {
            match &step.action {
                Action::All(All { entity: Some(entity), value, functional, .. }) => {
                    filled.push(*entity);
                    filled.extend(*value);
                    follows.extend(value.filter(|_| *functional).map(|value| (*entity, value)));
                }
                Action::Follow(Follow { key, then: Then::Fill(slot), functional, .. }) => {
                    filled.push(*slot);
                    match key {
                        Cell::Slot(key) if *functional => follows.push((*key, *slot)),
                        Cell::Const(_) if *functional => known.push(*slot),
                        _ => {}
                    }
                }
                Action::Meet(meet) => filled.push(meet.slot),
                Action::Search(Search { ends: [None, None], fills: [None, _], .. }) => {
                    return false;
                }
                Action::Search(search) => filled.extend(search.fills.iter().flatten()),
                Action::Apply(Apply { args, takes, binding, .. })
                    if binding.as_ref().is_none_or(|binding| !binding.collects()) =>
                {
                    let slots = |(_, take): &(usize, Take)| match take {
                        Take::Fill { slot, .. } => Some(*slot),
                        Take::Check { .. } => None,
                    };
                    let made: Vec<usize> = takes.iter().filter_map(slots).collect();
                    let is_slot = |arg: &ArgCell| matches!(arg, ArgCell::Cell(Cell::Slot(_)));
                    if args.iter().any(is_slot) {
                        filled.extend(made);
                    } else {
                        known.extend(made);
                    }
                }
                Action::Follow(_)
                | Action::Compare { .. }
                | Action::Not { .. }
                | Action::Nothing => {}
                _ => return false,
            }
        }
        let mut before = usize::MAX;
        while before != known.len() {
            before = known.len();
            for (from, to) in &follows {
                if known.contains(from) && !known.contains(to) {
                    known.push(*to);
                }
            }
        }
        filled.iter().all(|slot| known.contains(slot))
    }

    /// Rows expected for each row that comes in.
    pub(crate) fn estimate(&self) -> f64 {
        self.steps.iter().map(|step| step.estimate).product()
    }
}

impl Step {
    /// The same error at the first clause of this step.
    pub(crate) fn locate(&self, error: Error) -> Error {
        match self.places.first() {
            Some(place) => error.at(place),
            None => error,
        }
    }
}
