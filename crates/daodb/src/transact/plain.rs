//! All stages at once, for many facts of which nothing special is said: the bulk of what is loaded.
//!
//! 1. It is for transactions that state new facts, of entities given by their numbers, under attributes
//!    that ask for no more than a type: no composite, predicate or schema.
//! 2. Whatever else there is, what would be refused included, makes it `None`, and the transaction goes
//!    the whole way. So nothing is refused here, and what is answered is what the whole way answers.

use std::collections::HashMap;

use datom::{Datom, Frame, Value, Word, id};
use eve::Read;

use super::Proposal;
use crate::attribute::{Attribute, ValueType};
use crate::builtin;
use crate::error::Error;
use crate::index::Index;
use crate::lookup::Basis;
use crate::mix::{Mix, WordHashSet};
use crate::order;
use crate::schema::Schema;

/// Facts below which the whole way costs no more.
const FACTS_MIN: usize = if cfg!(test) { 2 } else { 64 };

/// A fact to be stated: see [`Database::load`](crate::Database::load).
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The entity.
    pub e: u64,
    /// The attribute's entity.
    pub a: u64,
    /// The value, as a transaction form has it: an entity is its number.
    pub v: Value,
}

impl Statement {
    /// A fact of an entity, an attribute and a value.
    #[must_use]
    pub fn new(e: u64, a: u64, v: impl Into<Value>) -> Self {
        Self { e, a, v: v.into() }
    }

    /// The form that says the same.
    pub(crate) fn form(&self) -> Value {
        let [e, a] = [self.e, self.a].map(Value::Ref);
        Value::Vector(vec![Value::keyword("db/add"), e, a, self.v.clone()])
    }
}

/// What a fact says, if it is given plainly.
type Said<'b, 'a> = Option<(u64, &'b Attribute, &'a Value)>;

/// The proposal of forms that are plain.
pub(super) fn of_forms<'b, 'a, R: Read>(
    basis: Basis<'b, R>,
    forms: &'a [Value],
    metadata: Option<&Value>,
    now: i64,
) -> Result<Option<Proposal>, Error> {
    let said = |form: &'a Value| -> Said<'b, 'a> {
        let Value::Vector(parts) = form else { return None };
        let [Value::Keyword(operation), e, Value::Keyword(a), v] = parts.as_slice() else {
            return None;
        };
        let attribute = basis.schema.attribute_named(a)?;
        (operation.as_str() == "db/add").then_some((number(e)?, attribute, v))
    };
    match metadata {
        None if forms.len() >= FACTS_MIN => propose(basis, forms.iter().map(said), now),
        _ => Ok(None),
    }
}

/// The proposal of facts that are plain.
pub(super) fn of_facts<'b, 'a, R: Read>(
    basis: Basis<'b, R>,
    facts: &'a [Statement],
    metadata: Option<&Value>,
    now: i64,
) -> Result<Option<Proposal>, Error> {
    let mut last: Option<&'b Attribute> = None;
    let said = |fact: &'a Statement| -> Said<'b, 'a> {
        let Statement { e, a, v } = fact;
        if last.is_none_or(|last| last.id != *a) {
            last = basis.schema.attribute(*a);
        }
        Some((*e, last?, v))
    };
    match metadata {
        None => propose(basis, facts.iter().map(said), now),
        Some(_) => Ok(None),
    }
}

/// The number of an entity that is given by it.
fn number(name: &Value) -> Option<u64> {
    match name {
        Value::Ref(id) => Some(*id),
        Value::Int(id) => u64::try_from(*id).ok(),
        _ => None,
    }
}

fn propose<'b, 'a, R: Read>(
    basis: Basis<'b, R>,
    said: impl ExactSizeIterator<Item = Said<'b, 'a>>,
    now: i64,
) -> Result<Option<Proposal>, Error> {
    let mut facts = Facts::new(basis, said.len(), now)?;
    for said in said {
        let Some((e, attribute, value)) = said else { return Ok(None) };
        if facts.take(e, attribute, value).is_none() {
            return Ok(None);
        }
    }
    facts.propose()
}

/// Facts in the making of a frame.
struct Facts<'b, 'a, R> {
    basis: Basis<'b, R>,
    frame: Frame,
    values: Vec<&'a Value>,
    texts: HashMap<&'a str, usize, Mix>,
    others: HashMap<&'a Value, usize, Mix>,
    plain: Plain<'b>,
    /// Facts of entities that the state may know, by their places.
    known: Vec<usize>,
    /// Facts of unique attributes.
    unique: Vec<usize>,
}

impl<'b, 'a, R: Read> Facts<'b, 'a, R> {
    fn new(basis: Basis<'b, R>, count: usize, now: i64) -> Result<Self, Error> {
        let t = basis.record.t + 1;
        let instant = now.max(basis.record.instant + 1);
        let stamp = Word::instant(instant);
        let stamp = stamp.ok_or_else(|| Error::corrupt("the clock is out of range"))?;
        let mut datoms = Vec::with_capacity(count + 1);
        datoms.push(Datom::assert(id::transaction(t), builtin::TX_INSTANT, stamp, t));
        Ok(Self {
            basis,
            frame: Frame { t, instant, previous: basis.record.hash, datoms, values: Vec::new() },
            values: Vec::new(),
            texts: HashMap::default(),
            others: HashMap::default(),
            plain: Plain::new(basis.schema),
            known: Vec::new(),
            unique: Vec::new(),
        })
    }

    /// Takes a fact, unless it is not plain.
    fn take(&mut self, e: u64, attribute: &'b Attribute, value: &'a Value) -> Option<()> {
        let is_fit = (id::USER_MIN..id::TX_BASE).contains(&e) && self.basis.may_be_chosen(e);
        if !is_fit || !self.plain.is(attribute) {
            return None;
        }
        let v = match attribute.value_type {
            ValueType::Ref => {
                let to = number(value).filter(|to| (builtin::MIN..id::TX_BASE).contains(to))?;
                Word::entity(self.basis.may_be_chosen(to).then_some(to)?)
            }
            value_type if value_type.admits(value) => self.word(value)?,
            _ => return None,
        };
        let place = self.frame.datoms.len();
        if e < self.basis.record.next_entity {
            self.known.push(place);
        }
        if attribute.unique.is_some() {
            self.unique.push(place);
        }
        self.frame.datoms.push(Datom::assert(e, attribute.id, v, self.frame.t));
        Some(())
    }

    /// The word of a value within the frame.
    fn word(&mut self, value: &'a Value) -> Option<Word> {
        if let Some(word) = value.to_inline() {
            return Some(word);
        }
        let tag = value.word_tag()?;
        let next = self.values.len();
        let place = match value {
            Value::Text(text) => *self.texts.entry(text).or_insert(next),
            other => *self.others.entry(other).or_insert(next),
        };
        if place == next {
            self.values.push(value);
        }
        Some(Word::new(tag, place as u64))
    }

    /// The frame, unless a fact is one that holds, is said twice, contradicts another or a stored one, or
    /// gives an entity a name that somebody has.
    fn propose(mut self) -> Result<Option<Proposal>, Error> {
        if self.contradicts_itself() || self.contradicts_what_is_stored()? || self.takes_a_name()? {
            return Ok(None);
        }
        self.frame.values = self.values.into_iter().cloned().collect();
        // Words of values are found when the frame is applied: looking for them here is of no use.
        Ok(Some(Proposal { fits: true, ..Proposal::foreign(self.frame) }))
    }

    fn contradicts_itself(&self) -> bool {
        // All but the first, which is that of the transaction.
        let facts = self.frame.datoms.get(1..).unwrap_or_default();
        let fact = |place: &u64| facts.get(*place as usize);
        let places = order::places(facts, |fact| (fact.e, fact.a));
        let is_same = |one: &u64, other: &u64| {
            fact(one).map(|one| (one.e, one.a)) == fact(other).map(|other| (other.e, other.a))
        };
        let mut words = Vec::new();
        places.chunk_by(is_same).filter(|same| same.len() > 1).any(|same| {
            let attribute = same.first().and_then(fact);
            let attribute = attribute.and_then(|fact| self.basis.schema.attribute(fact.a));
            words.clear();
            words.extend(same.iter().filter_map(fact).map(|fact| fact.v));
            words.sort_unstable();
            let is_twice = words.windows(2).any(|two| two.first() == two.last());
            is_twice || !attribute.is_some_and(Attribute::is_many)
        })
    }

    /// A word of the frame as the state has it; `None`: it does not have it.
    fn stored(&self, word: Word) -> Result<Option<Word>, Error> {
        let tag = word.tag();
        if !tag.is_heap() && !tag.is_name() {
            return Ok(Some(word));
        }
        match self.values.get(word.payload() as usize) {
            Some(value) => self.basis.find(value),
            None => Ok(None),
        }
    }

    fn contradicts_what_is_stored(&self) -> Result<bool, Error> {
        let Basis { memory, record, schema } = self.basis;
        let eavt = record.current(Index::Eavt);
        for fact in self.known.iter().filter_map(|place| self.frame.datoms.get(*place)) {
            let found = match schema.attribute(fact.a).is_some_and(Attribute::is_many) {
                false => eavt.first_with(memory, &[fact.e, fact.a])?,
                true => match self.stored(fact.v)? {
                    Some(v) => eavt.first_with(memory, &[fact.e, fact.a, v.raw()])?,
                    None => None,
                },
            };
            if found.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn takes_a_name(&self) -> Result<bool, Error> {
        let mut taken = WordHashSet::default();
        taken.reserve(self.unique.len());
        for fact in self.unique.iter().filter_map(|place| self.frame.datoms.get(*place)) {
            let stored = self.stored(fact.v)?;
            let owner = stored.map(|v| self.basis.owner(fact.a, v)).transpose()?.flatten();
            if owner.is_some() || !taken.insert((fact.a, fact.v)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Attributes that ask for no more than a type.
struct Plain<'b> {
    schema: &'b Schema,
    /// Some that were looked at, each where its number says.
    seen: [Option<u64>; 32],
}

impl<'b> Plain<'b> {
    fn new(schema: &'b Schema) -> Self {
        Self { schema, seen: [None; 32] }
    }

    fn is(&mut self, attribute: &Attribute) -> bool {
        let slot = &mut self.seen[attribute.id as usize % self.seen.len()];
        if *slot == Some(attribute.id) {
            return true;
        }
        let is_plain = attribute.id >= id::USER_MIN
            && attribute.tuple.is_none()
            && attribute.elements.is_none()
            && attribute.preds.is_empty()
            && self.schema.composites_of(attribute.id).is_empty()
            && !matches!(attribute.value_type, ValueType::Any | ValueType::Tuple | ValueType::Uri);
        if is_plain {
            *slot = Some(attribute.id);
        }
        is_plain
    }
}

#[cfg(test)]
mod tests;
