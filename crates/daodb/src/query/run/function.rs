//! Steps that call functions: comparisons, values that are bound, looks into a database.

use datom::{Value, Word};

use super::super::aggregate::order_as_words;
use super::super::ast::Binding;
use super::super::env::Env;
use super::super::error::{Brief, Error};
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
            let mut reader = source.reader(Index::Eavt, None);
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
        Binding::Tuple(parts) => take_tuple(env, parts, value, rows)?,
        Binding::Collection(inner) => {
            let mut one = |item: &Value| {
                take_apart(env, inner, item, rows)?;
                env.watch.rows(rows.len())
            };
            let pair = |(k, v): (&Value, &Value)| Value::Vector(vec![k.clone(), v.clone()]);
            match value {
                Value::Vector(items) | Value::List(items) => items.iter().try_for_each(one)?,
                Value::Set(items) => items.iter().try_for_each(one)?,
                Value::Map(map) => map.iter().try_for_each(|entry| one(&pair(entry)))?,
                other => {
                    return Err(Error::syntax(format!("{} is no collection", Brief(other))));
                }
            }
        }
    }
    Ok(())
}

/// One row for each way to take the parts together.
fn take_tuple(
    env: &Env<'_>,
    parts: &[Binding],
    value: &Value,
    rows: &mut Vec<Vec<u64>>,
) -> Result<(), Error> {
    let Some(items) = value.as_slice().filter(|items| items.len() >= parts.len()) else {
        let message = format!("{} is no tuple of {} elements", Brief(value), parts.len());
        return Err(Error::syntax(message));
    };
    let mut made = vec![Vec::new()];
    for (part, item) in parts.iter().zip(items) {
        let mut inner = Vec::new();
        take_apart(env, part, item, &mut inner)?;
        let product = made.len().saturating_mul(inner.len());
        env.watch.rows(product)?;
        let words = made.iter().chain(&inner).map(Vec::len).max().unwrap_or(0);
        let row = size_of::<Vec<u64>>() + size_of::<u64>() * words;
        let _product = env.watch.hold(product.saturating_mul(row))?;
        let mut rows = Vec::with_capacity(product);
        for row in &made {
            env.watch.steps(inner.len())?;
            rows.extend(inner.iter().map(|more| [row.as_slice(), more].concat()));
        }
        made = rows;
    }
    rows.append(&mut made);
    Ok(())
}

fn value_of(source: &dyn Source, word: Word) -> Result<Value, Error> {
    Value::from_inline(word).map_or_else(|| source.value(word), Ok)
}
