//! Stage four: what really changes.
//!
//! 1. The claims of a transaction hold all at once: their order changes nothing, and claims that
//!    contradict each other are refused.
//! 2. A fact that holds already is not stated again, and one that does not hold is not retracted.
//! 3. A new value of a cardinality-one attribute retracts the old one.
//! 4. After the transaction a unique value has one owner.
//! 5. Composite tuples are nobody's to state: they follow their parts ([`super::tuples`]).

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use datom::{Word, id};
use eve::Read;

use super::forms::Origin;
use super::identity::{Action, Step};
use super::words::{Words, is_provisional};
use crate::attribute::Attribute;
use crate::builtin;
use crate::error::{Category, Error, Rejection};
use crate::index::Index;
use crate::lookup::Basis;
use crate::mix::{WordHashMap, WordHashSet};

/// A fact without its time.
pub(crate) type Fact = (u64, u64, Word);

/// One fact stated or withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) fact: Fact,
    pub(crate) added: bool,
}

/// A composite tuple that was stated, to be compared with what it must be.
pub(crate) struct StatedTuple<'a> {
    pub(crate) origin: Origin<'a>,
    pub(crate) e: u64,
    pub(crate) a: u64,
    pub(crate) v: Word,
}

/// What a transaction changes, while it is being worked out.
pub(crate) struct Changes<'a, 'b, 'w, R> {
    steps: &'w [Step<'a>],
    pub(crate) basis: Basis<'b, R>,
    pub(crate) words: &'w mut Words<'b, R>,
    pub(crate) order: Vec<Change>,
    /// Facts of cardinality-many attributes that are stated; the others are in `ones`.
    added: WordHashSet<Fact>,
    pub(crate) retracted: WordHashSet<Fact>,
    /// Retractions that were asked for in so many words, whether or not the fact holds.
    denied: WordHashSet<Fact>,
    /// The value that a cardinality-one attribute gets.
    ones: WordHashMap<(u64, u64), Word>,
    /// Composite tuples whose parts changed.
    pub(crate) touched: BTreeSet<(u64, u64)>,
    pub(crate) tuples: Vec<StatedTuple<'a>>,
    /// The instant that the transaction gives itself.
    pub(crate) instant: Option<(Origin<'a>, Word)>,
    /// Entities whose schema facts are stated or withdrawn, and by which form first.
    pub(crate) altered: BTreeMap<u64, Origin<'a>>,
}

impl<'a, 'b, 'w, R: Read> Changes<'a, 'b, 'w, R> {
    /// Works out the changes of all steps, but for tuples and schema.
    pub(crate) fn work_out(
        basis: Basis<'b, R>,
        words: &'w mut Words<'b, R>,
        steps: &'w [Step<'a>],
    ) -> Result<Self, Error> {
        let mut changes = Self {
            steps,
            basis,
            words,
            order: Vec::with_capacity(steps.len()),
            added: WordHashSet::default(),
            retracted: WordHashSet::default(),
            denied: WordHashSet::default(),
            ones: WordHashMap::default(),
            touched: BTreeSet::new(),
            tuples: Vec::new(),
            instant: None,
            altered: BTreeMap::new(),
        };
        for step in steps {
            changes.withdraw(step)?;
        }
        for step in steps {
            changes.state(step)?;
        }
        changes.check_unique()?;
        Ok(changes)
    }

    fn attribute(&self, a: u64) -> Result<&'b Attribute, Error> {
        self.basis
            .schema
            .attribute(a)
            .ok_or_else(|| Error::corrupt(format!("a fact has attribute {a}, which is none")))
    }

    /// Whether a fact holds before the transaction.
    fn holds(&self, (e, a, v): Fact) -> Result<bool, Error> {
        if is_provisional(v) {
            return Ok(false);
        }
        let eavt = self.basis.record.current(Index::Eavt);
        Ok(eavt.first_with(self.basis.memory, &[e, a, v.raw()])?.is_some())
    }

    /// The values of an attribute of an entity before the transaction.
    fn values(&self, e: u64, a: u64) -> Result<Vec<Word>, Error> {
        let (prefix, place) = ([e, a], 2);
        let mut cursor = self.basis.record.current(Index::Eavt).cursor(self.basis.memory);
        let mut values = Vec::new();
        cursor.seek(&prefix)?;
        cursor.next_column(&prefix, place, &mut values)?;
        Ok(values.into_iter().map(Word::from_raw).collect())
    }

    /// The value of a cardinality-one attribute after the transaction.
    pub(crate) fn value_after(&self, e: u64, a: u64) -> Result<Option<Word>, Error> {
        if let Some(&value) = self.ones.get(&(e, a)) {
            return Ok(Some(value));
        }
        let value = self.values(e, a)?.first().copied();
        Ok(value.filter(|&v| !self.retracted.contains(&(e, a, v))))
    }

    fn withdraw(&mut self, step: &Step<'a>) -> Result<(), Error> {
        let Step { origin, e, action } = *step;
        match action {
            Action::Add { .. } => {}
            Action::Retract { a, v } => {
                self.guard(origin, e, a)?;
                let attribute = self.attribute(a)?;
                if attribute.tuple.is_some() {
                    return Err(tuple_is_derived(origin, attribute).into());
                }
                let values = match v {
                    Some(v) => {
                        self.denied.insert((e, a, v));
                        if self.holds((e, a, v))? { vec![v] } else { Vec::new() }
                    }
                    None => self.values(e, a)?,
                };
                for v in values {
                    self.retract((e, a, v));
                }
            }
            Action::RetractEntity => self.retract_entity(origin, e)?,
            Action::Cas { a, old, new: _ } => self.compare(origin, e, a, old)?,
        }
        Ok(())
    }

    fn retract(&mut self, fact: Fact) {
        if self.retracted.insert(fact) {
            self.order.push(Change { fact, added: false });
            self.touch(fact);
        }
    }

    fn touch(&mut self, (e, a, _): Fact) {
        for &composite in self.basis.schema.composites_of(a) {
            self.touched.insert((e, composite));
        }
    }

    /// Everything about an entity, what refers to it, and its parts, and theirs.
    fn retract_entity(&mut self, origin: Origin<'a>, whole: u64) -> Result<(), Error> {
        let Basis { memory, record, schema } = self.basis;
        let mut seen = HashSet::from([whole]);
        let mut queue = vec![whole];
        while let Some(entity) = queue.pop() {
            if (id::transaction(1)..=id::transaction(record.t)).contains(&entity) {
                self.guard(origin, entity, builtin::TX_INSTANT)?;
            }
            for key in record.current(Index::Eavt).prefix(memory, &[entity]) {
                let datom = Index::Eavt.datom(&key?);
                self.guard(origin, entity, datom.a)?;
                let attribute = schema.attribute(datom.a);
                if attribute.is_some_and(|attribute| attribute.tuple.is_some()) {
                    continue;
                }
                let part = datom.v.as_entity().filter(|_| attribute.is_some_and(|a| a.component));
                if let Some(part) = part
                    && seen.insert(part)
                {
                    queue.push(part);
                }
                self.retract((entity, datom.a, datom.v));
            }
            for key in record.current(Index::Vaet).prefix(memory, &[Word::entity(entity).raw()]) {
                let datom = Index::Vaet.datom(&key?);
                self.guard(origin, datom.e, datom.a)?;
                self.retract((datom.e, datom.a, datom.v));
            }
        }
        Ok(())
    }

    /// `:db/cas`: the value before must be the one expected.
    fn compare(
        &mut self,
        origin: Origin<'a>,
        e: u64,
        a: u64,
        old: Option<Word>,
    ) -> Result<(), Error> {
        let values = self.values(e, a)?;
        let as_expected = match old {
            Some(old) => values.contains(&old),
            None => values.is_empty(),
        };
        if as_expected {
            return Ok(());
        }
        let attribute = self.attribute(a)?;
        let mut found = Vec::new();
        for value in values {
            found.push(self.words.value(value)?.to_string());
        }
        let found = if found.is_empty() { "nothing".into() } else { found.join(", ") };
        let message = format!(
            "{} of entity {e} is {found}, not what the comparison expects; read it again and retry",
            attribute.ident
        );
        Err(origin.reject(Category::Cas, message).into())
    }

    fn state(&mut self, step: &Step<'a>) -> Result<(), Error> {
        let Step { origin, e, action } = *step;
        let (a, v) = match action {
            Action::Add { a, v } | Action::Cas { a, new: v, .. } => (a, v),
            _ => return Ok(()),
        };
        let attribute = self.attribute(a)?;
        if a == builtin::TX_INSTANT {
            return self.set_instant(origin, e, v);
        }
        self.guard(origin, e, a)?;
        if attribute.tuple.is_some() {
            self.tuples.push(StatedTuple { origin, e, a, v });
            return Ok(());
        }
        self.add(origin, attribute, (e, a, v))
    }

    fn set_instant(&mut self, origin: Origin<'a>, e: u64, v: Word) -> Result<(), Error> {
        if e != id::transaction(self.basis.record.t + 1) {
            let message = ":db/txInstant can only be stated about this transaction, \"datomic.tx\"";
            return Err(origin.reject(Category::Instant, message).into());
        }
        match self.instant {
            Some((_, other)) if other != v => {
                Err(origin.reject(Category::Conflict, "two instants for one transaction").into())
            }
            _ => {
                self.instant = Some((origin, v));
                Ok(())
            }
        }
    }

    /// States a fact that no tuple rule forbids.
    pub(crate) fn add(
        &mut self,
        origin: Origin<'a>,
        attribute: &Attribute,
        fact: Fact,
    ) -> Result<(), Error> {
        let (e, a, v) = fact;
        let before = self.values_to_compare(attribute, fact)?;
        let held = before.contains(&v);
        if self.denied.contains(&fact) || held && self.retracted.contains(&fact) {
            let message = format!("{} of entity {e} is both stated and retracted", attribute.ident);
            return Err(origin.reject(Category::Conflict, message).into());
        }
        if attribute.is_many() {
            if held || !self.added.insert(fact) {
                return Ok(());
            }
        } else {
            match self.ones.entry((e, a)) {
                Entry::Occupied(other) if *other.get() != v => {
                    let message = format!(
                        "{} holds one value at a time, and entity {e} is given two, {} and {}",
                        attribute.ident,
                        self.words.value(*other.get())?,
                        self.words.value(v)?
                    );
                    return Err(origin.reject(Category::Conflict, message).into());
                }
                Entry::Occupied(_) => return Ok(()),
                Entry::Vacant(place) => place.insert(v),
            };
            if held {
                return Ok(());
            }
            for old in before {
                self.retract((e, a, old));
            }
        }
        self.order.push(Change { fact, added: true });
        self.touch(fact);
        Ok(())
    }

    /// The stored values that matter for stating a fact: the one of a cardinality-one attribute, the
    /// same one of a cardinality-many attribute.
    fn values_to_compare(&self, attribute: &Attribute, fact: Fact) -> Result<Vec<Word>, Error> {
        let (e, a, v) = fact;
        if e >= self.basis.record.next_entity && e < id::TX_BASE {
            return Ok(Vec::new());
        }
        if attribute.is_many() {
            return Ok(if self.holds(fact)? { vec![v] } else { Vec::new() });
        }
        let eavt = self.basis.record.current(Index::Eavt);
        let held = eavt.first_with(self.basis.memory, &[e, a])?;
        Ok(held.map(|[_, _, held, ..]| Word::from_raw(held)).into_iter().collect())
    }

    /// Refuses changes of what no transaction may change, and notes those of the schema.
    fn guard(&mut self, origin: Origin<'a>, e: u64, a: u64) -> Result<(), Error> {
        if e < id::USER_MIN {
            let message = format!("entity {e} belongs to the built-in schema, which never changes");
            return Err(origin.reject(Category::Schema, message).into());
        }
        if a == builtin::TX_INSTANT {
            let message = "the instant of a transaction never changes";
            return Err(origin.reject(Category::Instant, message).into());
        }
        if builtin::is_schema(a) {
            self.altered.entry(e).or_insert(origin);
        }
        Ok(())
    }

    fn check_unique(&self) -> Result<(), Error> {
        let mut owners: WordHashMap<(u64, Word), u64> = WordHashMap::default();
        for change in self.order.iter().filter(|change| change.added) {
            let attribute = self.attribute(change.fact.1)?;
            if attribute.unique.is_some() {
                self.check_owner(attribute, change.fact, &mut owners)?;
            }
        }
        Ok(())
    }

    /// Invariant 4 for one stated fact of a unique attribute.
    pub(crate) fn check_owner(
        &self,
        attribute: &Attribute,
        fact: Fact,
        owners: &mut WordHashMap<(u64, Word), u64>,
    ) -> Result<(), Error> {
        let (e, a, v) = fact;
        let stored = match is_provisional(v) {
            true => None,
            false => self.basis.owner(a, v)?,
        };
        let stored = stored.filter(|&owner| !self.retracted.contains(&(owner, a, v)));
        let owner = stored.unwrap_or_else(|| *owners.entry((a, v)).or_insert(e));
        if owner == e {
            return Ok(());
        }
        let message = format!(
            "{} is unique, and {} belongs to entity {owner} already; use another value, or retract \
             that one",
            attribute.ident,
            self.words.value(v)?
        );
        match self.who_stated(attribute, fact) {
            Some(origin) => Err(origin.reject(Category::Unique, message).into()),
            None => {
                let form = self.words.value(v)?;
                Err(Rejection { form, ..Rejection::new(Category::Unique, message) }.into())
            }
        }
    }

    /// Who stated a fact first. Of a tuple, which follows from other facts: who stated a part of it, or else
    /// installed it.
    fn who_stated(&self, attribute: &Attribute, fact: Fact) -> Option<Origin<'a>> {
        let stated = |step: &Step<'a>| match step.action {
            Action::Add { a, v } | Action::Cas { a, new: v, .. } => Some((step.e, a, v)),
            Action::Retract { .. } | Action::RetractEntity => None,
        };
        let by = |is_it: &dyn Fn(Fact) -> bool| {
            let step = self.steps.iter().find(|step| stated(step).is_some_and(is_it));
            step.map(|step| step.origin)
        };
        let is_part = |a: u64| attribute.tuple.as_ref().is_some_and(|parts| parts.contains(&a));
        by(&|other| other == fact)
            .or_else(|| by(&|(e, a, _)| e == fact.0 && is_part(a)))
            .or_else(|| by(&|(e, ..)| e == attribute.id))
    }
}

pub(crate) fn tuple_is_derived(origin: Origin<'_>, attribute: &Attribute) -> Rejection {
    origin.reject(
        Category::Tuple,
        format!("{} follows its parts; state or retract those instead", attribute.ident),
    )
}
