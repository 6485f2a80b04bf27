//! The facts of a state as transaction data, one form at a time.
//!
//! 1. Forms are maps with `:db/id`, and come in three rounds: what the schema states, what has no
//!    entity in it, and what has. So whoever reads them in order knows every attribute before it is
//!    used, and nearly every entity before it is referred to.
//! 2. Nothing is held but one form, of at most [`FACTS_MAX`] facts.
//! 3. What follows from other facts (composite tuples) and what is said about transactions is left
//!    out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use datom::{Datom, Symbol, Tag, Value, Word, id};

use crate::attribute::{Attribute, ValueType};
use crate::builtin;
use crate::datoms::Datoms;
use crate::db::Db;
use crate::error::Error;
use crate::index::Index;

/// Facts of one form.
const FACTS_MAX: usize = 1 << 10;

/// The tag of a reference where the attribute does not say that it is one.
pub(crate) const REF_TAG: &str = "db/ref";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    Schema,
    Values,
    References,
}

/// The facts of a state as forms: see [`Db::export`].
///
/// An error is given at most once and ends the iteration.
pub struct Export<'d> {
    db: &'d Db,
    rounds: VecDeque<Round>,
    facts: Option<Datoms<'d>>,
    /// The first fact of the next form.
    ahead: Option<Datom>,
}

impl Db {
    /// Everything that this view shows, as forms that [`Import`](crate::Import) takes in, in this
    /// database or another. Entities keep their numbers as names.
    ///
    /// Reads the facts three times; holds one form.
    #[must_use]
    pub fn export(&self) -> Export<'_> {
        let rounds = VecDeque::from([Round::Schema, Round::Values, Round::References]);
        Export { db: self, rounds, facts: None, ahead: None }
    }
}

impl Export<'_> {
    /// Whether a fact belongs to this round.
    fn belongs(&self, round: Round, fact: &Datom) -> Result<bool, Error> {
        if fact.e < id::USER_MIN || fact.e >= id::TX_BASE || !fact.added() {
            return Ok(false);
        }
        let Some(attribute) = self.db.attribute(fact.a) else { return Ok(false) };
        let is_schema = builtin::is_schema(fact.a) && self.db.attribute(fact.e).is_some();
        Ok(match round {
            Round::Schema => is_schema,
            _ if is_schema || attribute.tuple.is_some() => false,
            Round::Values => !self.refers(attribute, fact)?,
            Round::References => self.refers(attribute, fact)?,
        })
    }

    /// Whether the value is an entity, or has one in it.
    fn refers(&self, attribute: &Attribute, fact: &Datom) -> Result<bool, Error> {
        if attribute.is_ref() || fact.v.tag() == Tag::Ref {
            return Ok(true);
        }
        let may = attribute.value_type == ValueType::Any || attribute.elements.is_some();
        Ok(may && fact.v.tag() == Tag::Collection && has_ref(&self.db.value(fact.v)?))
    }

    fn form(&mut self) -> Result<Option<Value>, Error> {
        while let Some(&round) = self.rounds.front() {
            if self.facts.is_none() {
                let first = [Word::entity(id::USER_MIN)];
                self.facts = Some(self.db.seek_datoms(Index::Eavt, &first)?);
            }
            let (mut entity, mut count) = (None, 0);
            let mut map: BTreeMap<Value, Value> = BTreeMap::new();
            while count < FACTS_MAX {
                let next = match self.ahead.take() {
                    Some(fact) => Some(fact),
                    None => self.facts.as_mut().and_then(Iterator::next).transpose()?,
                };
                let Some(fact) = next else { break };
                if !self.belongs(round, &fact)? {
                    continue;
                }
                if entity.is_some_and(|entity| entity != fact.e) {
                    self.ahead = Some(fact);
                    break;
                }
                entity = Some(fact.e);
                self.state(&mut map, &fact)?;
                count += 1;
            }
            if let Some(entity) = entity {
                map.insert(Value::keyword("db/id"), Value::Ref(entity));
                return Ok(Some(Value::Map(map)));
            }
            self.facts = None;
            self.rounds.pop_front();
        }
        Ok(None)
    }

    fn state(&self, map: &mut BTreeMap<Value, Value>, fact: &Datom) -> Result<(), Error> {
        let Some(attribute) = self.db.attribute(fact.a) else { return Ok(()) };
        let value = match self.db.value(fact.v)? {
            // The built-in entities have the same names everywhere.
            Value::Ref(e) if e < id::USER_MIN => match self.db.ident_of(e)? {
                Some(ident) => Value::Keyword(ident),
                None => Value::Ref(e),
            },
            value if attribute.value_type == ValueType::Any => tagged(value),
            value => value,
        };
        let key = Value::Keyword(attribute.ident.clone());
        if !attribute.is_many() {
            map.insert(key, value);
        } else if let Value::Set(values) =
            map.entry(key).or_insert_with(|| Value::Set(BTreeSet::new()))
        {
            values.insert(value);
        }
        Ok(())
    }
}

fn has_ref(value: &Value) -> bool {
    match value {
        Value::Ref(_) => true,
        Value::Vector(items) | Value::List(items) => items.iter().any(has_ref),
        Value::Set(items) => items.iter().any(has_ref),
        Value::Map(map) => map.iter().any(|(key, value)| has_ref(key) || has_ref(value)),
        Value::Tagged(_, inner) => has_ref(inner),
        _ => false,
    }
}

/// Entities within values of any type say what they are.
fn tagged(value: Value) -> Value {
    let all = |items: Vec<Value>| items.into_iter().map(tagged).collect();
    match value {
        Value::Ref(e) => {
            let number = Value::Int(i64::try_from(e).unwrap_or(i64::MAX));
            Value::Tagged(Symbol::from(REF_TAG), Box::new(number))
        }
        Value::Vector(items) => Value::Vector(all(items)),
        Value::List(items) => Value::List(all(items)),
        Value::Set(items) => Value::Set(items.into_iter().map(tagged).collect()),
        Value::Tagged(tag, inner) => Value::Tagged(tag, Box::new(tagged(*inner))),
        Value::Map(map) => {
            Value::Map(map.into_iter().map(|(k, v)| (tagged(k), tagged(v))).collect())
        }
        value => value,
    }
}

impl Iterator for Export<'_> {
    type Item = Result<Value, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let form = self.form().transpose();
        if matches!(form, Some(Err(_))) {
            self.rounds.clear();
        }
        form
    }
}
