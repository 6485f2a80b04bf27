//! From the rows of a plan to the answer: distinct rows, aggregates, order, limit, form.

use std::collections::{BTreeMap, BTreeSet};

use datom::Value;

use super::aggregate::Aggregate;
use super::ast::{Find, Shape, Var};
use super::env::Env;
use super::error::Error;
use super::group::{Fold, Groups};
use super::order::{ordered, ordered_values};
use super::parse::Parsed;
use super::rows::Rows;
use crate::pull::Pattern;

/// The answer to a query.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// `:find ?x ?y`: rows. Distinct; in no promised order unless `ordered`.
    Relation {
        /// The names of the columns, as written in `:find`.
        columns: Vec<String>,
        /// The rows.
        rows: Rows,
        /// The keys of `:keys`, `:strs` or `:syms`.
        keys: Option<Vec<Value>>,
        /// Whether rows are a sequence and not a set: aggregates, pulls, `:order-by`, `:limit`.
        ordered: bool,
    },
    /// `:find [?x ...]`.
    Collection(Vec<Value>),
    /// `:find [?x ?y]`: one row, or none.
    Tuple {
        /// The row.
        row: Option<Vec<Value>>,
        /// The keys of `:keys`, `:strs` or `:syms`.
        keys: Option<Vec<Value>>,
    },
    /// `:find ?x .`: one value, or none.
    Scalar(Option<Value>),
}

impl Answer {
    /// The answer as one value: a set of vectors (a vector of vectors where rows are a sequence), a
    /// vector, a vector or nil, a value or nil. With `:keys` rows are maps.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let shaped = |row: Vec<Value>, keys: &Option<Vec<Value>>| match keys {
            Some(keys) => Value::Map(keys.iter().cloned().zip(row).collect()),
            None => Value::Vector(row),
        };
        match self {
            Answer::Relation { rows, keys, ordered, .. } => {
                let rows = rows.iter().map(|row| shaped(row.to_vec(), keys));
                if *ordered {
                    Value::Vector(rows.collect())
                } else {
                    Value::Set(rows.collect::<BTreeSet<_>>())
                }
            }
            Answer::Collection(values) => Value::Vector(values.clone()),
            Answer::Tuple { row, keys } => row.clone().map_or(Value::Nil, |row| shaped(row, keys)),
            Answer::Scalar(value) => value.clone().unwrap_or(Value::Nil),
        }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Answer::Relation { rows, .. } => rows.len(),
            Answer::Collection(values) => values.len(),
            Answer::Tuple { row, .. } => usize::from(row.is_some()),
            Answer::Scalar(value) => usize::from(value.is_some()),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Makes the answer of distinct rows of the `:find` and then the `:with` variables.
pub(crate) fn answer(
    env: &Env<'_>,
    parsed: &Parsed,
    patterns: &[Option<(usize, Pattern)>],
    words: Vec<u64>,
) -> Result<Answer, Error> {
    let rows = rows(env, parsed, patterns, words)?;
    let is_sequence =
        aggregates(parsed) || pulls(parsed) || parsed.is_cut() || !parsed.order.is_empty();
    let one = |rows: &Rows| rows.get(0).map(|row| row.to_vec());
    Ok(match parsed.shape {
        Shape::Relation => Answer::Relation {
            columns: parsed.find.iter().map(|find| column(parsed, find)).collect(),
            rows,
            keys: parsed.keys.clone(),
            ordered: is_sequence,
        },
        Shape::Collection => Answer::Collection(rows.into_column(0)),
        Shape::Tuple => Answer::Tuple { row: one(&rows), keys: parsed.keys.clone() },
        Shape::Scalar => Answer::Scalar(rows.get(0).map(|row| row.get(0))),
    })
}

fn aggregates(parsed: &Parsed) -> bool {
    parsed.find.iter().any(|find| matches!(find, Find::Aggregate { .. }))
}

fn pulls(parsed: &Parsed) -> bool {
    parsed.find.iter().any(|find| matches!(find, Find::Pull { .. }))
}

/// The rows of the answer, whatever its form.
pub(crate) fn rows(
    env: &Env<'_>,
    parsed: &Parsed,
    patterns: &[Option<(usize, Pattern)>],
    words: Vec<u64>,
) -> Result<Rows, Error> {
    let width = (parsed.find.len() + parsed.with.len()).max(1);
    let aggregated = aggregates(parsed);
    if aggregated || pulls(parsed) {
        let rows = match aggregated {
            true => grouped(env, parsed, patterns, &words, width)?,
            false => pulled(env, parsed, patterns, &words, width)?,
        };
        return Ok(Rows::from_values(parsed.find.len(), ordered_values(env, parsed, rows)?));
    }
    let words = match parsed.is_cut() || !parsed.order.is_empty() {
        true => ordered(env, parsed, &words, width)?,
        false => words,
    };
    shown(env, parsed, patterns, words)
}

/// Some rows of the answer as they are, of a query that aggregates nothing.
pub(crate) fn shown(
    env: &Env<'_>,
    parsed: &Parsed,
    patterns: &[Option<(usize, Pattern)>],
    words: Vec<u64>,
) -> Result<Rows, Error> {
    let columns = parsed.find.len();
    let width = (columns + parsed.with.len()).max(1);
    if pulls(parsed) {
        let rows = pulled(env, parsed, patterns, &words, width)?;
        return Ok(Rows::from_values(columns, rows));
    }
    Rows::new(&env.space, words, width, columns, &env.watch)
}

fn pulled(
    env: &Env<'_>,
    parsed: &Parsed,
    patterns: &[Option<(usize, Pattern)>],
    words: &[u64],
    width: usize,
) -> Result<Vec<Vec<Value>>, Error> {
    let shown = |row| env.watch.tick().and_then(|()| values(env, parsed, patterns, row));
    words.chunks_exact(width).map(shown).collect()
}

/// Whether the rows of the answer come in an order that must not depend on the plan, though the
/// query asks for none.
pub(crate) fn wants_order(parsed: &Parsed) -> bool {
    // Groups have an order of their own, and aggregates that depend on one order their values.
    pulls(parsed) || (parsed.shape != Shape::Relation && !aggregates(parsed))
}

fn column(parsed: &Parsed, find: &Find) -> String {
    let name = parsed.names.get(find.var());
    match find {
        Find::Var(_) => name.to_owned(),
        Find::Aggregate { aggregate, .. } => format!("({} {name})", aggregate.name()),
        Find::Pull { .. } => format!("(pull {name})"),
    }
}

fn values(
    env: &Env<'_>,
    parsed: &Parsed,
    patterns: &[Option<(usize, Pattern)>],
    row: &[u64],
) -> Result<Vec<Value>, Error> {
    let mut values = Vec::with_capacity(parsed.find.len());
    for (at, find) in parsed.find.iter().enumerate() {
        let word = row.get(at).copied().unwrap_or(0);
        values.push(match (find, patterns.get(at)) {
            (Find::Pull { written, .. }, Some(Some((source, pattern)))) => {
                let entity = datom::Word::from_raw(env.entity(*source, word)?).as_entity();
                let facts = env.facts(*source);
                match (entity, facts) {
                    (Some(entity), Some(facts)) => pattern
                        .pull(facts, entity, &env.watch)
                        .map_err(|error| written.locate(error))?,
                    _ => Value::Nil,
                }
            }
            _ => env.space.value(word)?,
        });
    }
    Ok(values)
}

/// One row for each distinct combination of the columns that are no aggregates.
fn grouped(
    env: &Env<'_>,
    parsed: &Parsed,
    patterns: &[Option<(usize, Pattern)>],
    words: &[u64],
    width: usize,
) -> Result<Vec<Vec<Value>>, Error> {
    let plain: Vec<usize> = (0..parsed.find.len())
        .filter(|at| !matches!(parsed.find.get(*at), Some(Find::Aggregate { .. })))
        .collect();
    let groups = Groups::new(words, width, &plain, &env.watch)?;
    let mut answers = Vec::with_capacity(groups.counts().len());
    for first in groups.firsts() {
        env.watch.tick()?;
        let row = words.get(first * width..(first + 1) * width).unwrap_or_default();
        answers.push(values(env, parsed, patterns, row)?);
    }
    let mut folds: BTreeMap<Var, Vec<Option<Fold>>> = BTreeMap::new();
    for (at, find) in parsed.find.iter().enumerate() {
        let Find::Aggregate { aggregate, var, .. } = find else { continue };
        if aggregate.is_fold() && !folds.contains_key(var) {
            folds.insert(*var, groups.fold(words, width, at, &env.watch)?);
        }
        let fold = folds.get(var).filter(|_| aggregate.is_fold());
        let mut aggregates = Aggregates { env, parsed, groups: &groups, words, width, bags: None };
        for (group, answer) in answers.iter_mut().enumerate() {
            let fold = fold.and_then(|folds| folds.get(group)?.as_ref());
            if let Some(place) = answer.get_mut(at) {
                *place = aggregates.of(aggregate, at, group, fold)?;
            }
        }
    }
    Ok(answers)
}

/// The words of a column, group behind group, and where each group ends.
type Bags = (Vec<u64>, Vec<usize>);

/// One aggregate of one column, group by group.
struct Aggregates<'a, 's> {
    env: &'a Env<'s>,
    parsed: &'a Parsed,
    groups: &'a Groups,
    words: &'a [u64],
    width: usize,
    /// Made for the first group that needs its words.
    bags: Option<Bags>,
}

impl Aggregates<'_, '_> {
    fn of(
        &mut self,
        aggregate: &Aggregate,
        column: usize,
        group: usize,
        fold: Option<&Fold>,
    ) -> Result<Value, Error> {
        let env = self.env;
        env.watch.tick()?;
        let length = self.groups.counts().get(group).map_or(0, |count| *count as usize);
        if let Some(value) = fold.and_then(|fold| aggregate.of_integers(fold, length)) {
            return Ok(value);
        }
        if *aggregate == Aggregate::Count {
            return Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)));
        }
        if self.bags.is_none() {
            self.bags = Some(self.groups.bags(self.words, self.width, column, &env.watch)?);
        }
        let bag = self.bags.as_mut().and_then(|(words, ends)| {
            let end = *ends.get(group)?;
            words.get_mut(end - length..end)
        });
        let stored = |name: &Value| env.stored(self.parsed.default_source(), name);
        aggregate.of(bag.unwrap_or_default(), &|word| env.space.value(word), &stored)
    }
}
