//! Steps that call functions: comparisons, values that are bound, looks into a database.

use datom::{Value, Word};

use super::super::aggregate::order_as_words;
use super::super::ast::Binding;
use super::super::env::Env;
use super::super::error::Error;
use super::super::function::{Comparison, Lookup, truthy};
use super::super::source::Source;
use super::super::step::{Apply, ArgCell, Cell, Consult};
use super::super::tools::misplaced;
use super::{Flow, taken};
use crate::index::Index;

impl Flow<'_, '_, '_> {
    pub(super) fn compare(
        &mut self,
        comparison: Comparison,
        left: Cell,
        right: Cell,
        row: &[u64],
    ) -> Result<(), Error> {
        let (left, right) = (left.of(row), right.of(row));
        let ordering = match order_as_words(left, right) {
            true => left.cmp(&right),
            false => self.env.space.compare(left, right)?,
        };
        if comparison.holds(ordering) { self.pass(row) } else { Ok(()) }
    }

    pub(super) fn apply(&mut self, apply: &Apply, row: &[u64]) -> Result<(), Error> {
        let mut args = Vec::with_capacity(apply.args.len());
        for arg in &apply.args {
            args.push(match arg {
                ArgCell::Cell(cell) => self.env.space.value(cell.of(row))?,
                ArgCell::Value(value) => value.clone(),
            });
        }
        let value = apply.function.call(&args)?;
        self.bind(apply, &value, row)
    }

    /// Keeps the row if the value is true, or once for each way to bind it.
    fn bind(&mut self, apply: &Apply, value: &Value, row: &[u64]) -> Result<(), Error> {
        let Some(binding) = &apply.binding else {
            return if truthy(value) { self.pass(row) } else { Ok(()) };
        };
        if *value == Value::Nil {
            return Ok(());
        }
        let mut rows = Vec::new();
        take_apart(self.env, binding, value, &mut rows)?;
        for words in rows {
            self.env.watch.tick()?;
            self.emit(row, taken(&apply.takes, &words))?;
        }
        Ok(())
    }

    pub(super) fn consult(&mut self, consult: &Consult, row: &[u64]) -> Result<(), Error> {
        let source = self.env.facts(consult.at).ok_or_else(misplaced)?;
        let word = self.env.entity(consult.at, consult.entity.of(row))?;
        let entity = Word::from_raw(word).as_entity();
        let mut found = None;
        if let Some(entity) = entity {
            let mut reader = source.reader(Index::Eavt);
            for (attribute, name) in &consult.attributes {
                reader.scan(&[entity, *attribute], |key| {
                    self.env.watch.scan()?;
                    found = Some((name, Index::Eavt.datom(key).v));
                    Ok(false)
                })?;
                if found.is_some() {
                    break;
                }
            }
        }
        let value = match (consult.lookup, found) {
            (Lookup::Missing, found) => Value::Bool(found.is_none()),
            (Lookup::GetElse, Some((_, word))) => value_of(source, word)?,
            (Lookup::GetElse, None) => match consult.default {
                Some(cell) => self.env.space.value(cell.of(row))?,
                None => Value::Nil,
            },
            (Lookup::GetSome, Some((name, word))) => {
                Value::Vector(vec![name.clone(), value_of(source, word)?])
            }
            (Lookup::GetSome, None) => Value::Nil,
        };
        self.bind(&consult.apply, &value, row)
    }
}

/// The rows of words that a value gives a binding's variables, in the order of the variables. A
/// value of another form than the binding is an error: it would silently match nothing.
pub(crate) fn take_apart(
    env: &Env<'_>,
    binding: &Binding,
    value: &Value,
    rows: &mut Vec<Vec<u64>>,
) -> Result<(), Error> {
    env.watch.tick()?;
    match binding {
        Binding::Ignore => rows.push(Vec::new()),
        Binding::Scalar(_) => rows.push(vec![env.space.word(value)?]),
        Binding::Tuple(parts) => {
            let items = value.as_slice().filter(|items| items.len() >= parts.len());
            let Some(items) = items else {
                let message = format!("{value} is no tuple of {} elements", parts.len());
                return Err(Error::syntax(message));
            };
            let mut made = vec![Vec::new()];
            for (part, item) in parts.iter().zip(items) {
                let mut inner = Vec::new();
                take_apart(env, part, item, &mut inner)?;
                env.watch.rows(made.len().saturating_mul(inner.len()))?;
                made = made
                    .iter()
                    .flat_map(|row| inner.iter().map(move |more| [row.as_slice(), more].concat()))
                    .collect();
            }
            rows.append(&mut made);
        }
        Binding::Collection(inner) => {
            let pair = |(k, v): (&Value, &Value)| Value::Vector(vec![k.clone(), v.clone()]);
            match value {
                Value::Vector(items) | Value::List(items) => {
                    items.iter().try_for_each(|item| take_apart(env, inner, item, rows))?;
                }
                Value::Set(items) => {
                    items.iter().try_for_each(|item| take_apart(env, inner, item, rows))?;
                }
                Value::Map(map) => {
                    map.iter().try_for_each(|e| take_apart(env, inner, &pair(e), rows))?;
                }
                other => {
                    return Err(Error::syntax(format!("{other} is no collection")));
                }
            }
            env.watch.rows(rows.len())?;
        }
    }
    Ok(())
}

fn value_of(source: &dyn Source, word: Word) -> Result<Value, Error> {
    Value::from_inline(word).map_or_else(|| source.value(word), Ok)
}
