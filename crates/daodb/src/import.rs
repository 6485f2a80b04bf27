//! Taking in facts from elsewhere, in batches.
//!
//! 1. An entity's number in the data is a name: whatever the same number names is one entity here,
//!    which gets a number of its own, or is the one that has the unique identity it states.
//! 2. A batch is a transaction. Held are the facts of one batch, sixteen bytes for each entity seen,
//!    and the facts that refer to entities of which nothing was said yet.
//! 3. Attributes are installed in a transaction of their own before they are used.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use datom::{Keyword, Value, id};

use crate::attribute::{Attribute, ValueType};
use crate::database::Database;
use crate::db::Db;
use crate::error::{Category, Error, Rejection};
use crate::export::REF_TAG;
use crate::options::TransactOptions;

/// Facts of a batch, unless told otherwise.
const BATCH_FACTS: usize = 10_000;

/// What an import did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Forms that were taken in.
    pub forms: u64,
    /// Facts that were new, transactions' own included.
    pub datoms: u64,
    /// Entities that were named.
    pub entities: u64,
    /// The last transaction; 0 before the first.
    pub t: u64,
}

/// An import in progress: see [`Database::import`].
pub struct Import {
    database: Database,
    options: TransactOptions,
    /// Forms that belong to every transaction.
    also: Vec<Value>,
    batch_facts: usize,
    /// The entities here, by what they are called there.
    entities: HashMap<u64, u64>,
    schema: Vec<BTreeMap<Value, Value>>,
    batch: Vec<BTreeMap<Value, Value>>,
    facts: usize,
    /// Facts with entities that are not known yet, as they are called there.
    waiting: Vec<(u64, Value, Value)>,
    /// Names for maps that have none.
    unnamed: u64,
    done: Imported,
}

impl Database {
    /// Begins to take in forms: maps such as [`Db::export`] gives, or as a person writes. A
    /// number under `:db/id` or in a reference is a name that means the same in the whole import.
    ///
    /// ```
    /// use daodb::Database;
    /// use datom::edn;
    ///
    /// let (one, other) = (Database::memory()?, Database::memory()?);
    /// one.transact(&edn::read_all("{:db/ident :name :db/valueType :db.type/string}
    ///                              {:db/ident :friend :db/valueType :db.type/ref}")?)?;
    /// one.transact(&edn::read_all("{:name \"Ada\" :friend {:name \"Mary\"}}")?)?;
    ///
    /// let mut import = other.import();
    /// for form in one.db()?.export() {
    ///     import.add(form?)?;
    /// }
    /// import.finish()?;
    /// let friend = "[:find ?f . :where [?a :name \"Ada\"] [?a :friend ?b] [?b :name ?f]]";
    /// assert_eq!(other.db()?.q(friend, &[])?, edn::read("\"Mary\"")?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn import(&self) -> Import {
        Import {
            database: self.clone(),
            options: TransactOptions::new(),
            also: Vec::new(),
            batch_facts: BATCH_FACTS,
            entities: HashMap::new(),
            schema: Vec::new(),
            batch: Vec::new(),
            facts: 0,
            waiting: Vec::new(),
            unnamed: 0,
            done: Imported::default(),
        }
    }
}

impl Import {
    /// How each batch is made.
    #[must_use]
    pub fn options(self, options: TransactOptions) -> Self {
        Self { options, ..self }
    }

    /// Makes a form part of every transaction of the import: who made it and why, said of `"datomic.tx"`.
    #[must_use]
    pub fn also(mut self, form: Value) -> Self {
        self.also.push(form);
        self
    }

    /// How many facts make a batch.
    #[must_use]
    pub fn batch_facts(self, batch_facts: usize) -> Self {
        Self { batch_facts: batch_facts.max(1), ..self }
    }

    /// What was done so far. What waits for its batch counts as a form only.
    #[must_use]
    pub fn done(&self) -> Imported {
        Imported { entities: self.entities.len() as u64, ..self.done }
    }

    /// The attribute of a name, also if it was taken in and not installed yet: whoever reads text
    /// needs its type.
    ///
    /// # Errors
    /// As [`Import::add`].
    pub fn attribute(&mut self, name: &str) -> Result<Option<Attribute>, Error> {
        let ident = Keyword::from(name);
        if let Some(known) = self.database.db()?.attribute_named(&ident) {
            return Ok(Some(known.clone()));
        }
        self.install()?;
        Ok(self.database.db()?.attribute_named(&ident).cloned())
    }

    /// Takes in a form.
    ///
    /// # Errors
    /// As [`Database::transact`], when the form completes a batch. What was made before stays; of the
    /// batch nothing is.
    pub fn add(&mut self, form: Value) -> Result<(), Error> {
        let Value::Map(mut map) = form else {
            let message = format!("an import is made of maps, not of {}", form.kind());
            return Err(Rejection { form, ..Rejection::new(Category::Syntax, message) }.into());
        };
        let key = Value::keyword("db/id");
        map.entry(key).or_insert_with(|| {
            // Above every number that an entity can have.
            self.unnamed += 1;
            Value::Ref(u64::MAX - self.unnamed)
        });
        self.done.forms += 1;
        let is_schema = ["db/valueType", "db/tupleAttrs", "db/tupleTypes", "db/tupleType"]
            .into_iter()
            .any(|name| map.contains_key(&Value::keyword(name)));
        if is_schema {
            self.flush()?;
            self.schema.push(map);
            return Ok(());
        }
        self.install()?;
        self.facts += map.values().map(|value| width(value).max(1)).sum::<usize>();
        self.batch.push(map);
        if self.facts >= self.batch_facts { self.flush() } else { Ok(()) }
    }

    /// Makes what is left.
    ///
    /// # Errors
    /// As [`Import::add`].
    pub fn finish(mut self) -> Result<Imported, Error> {
        self.install()?;
        self.flush()?;
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.is_empty() {
            let db = self.database.db()?;
            // References first: then every entity that anything is said about is known.
            let holder = |attribute: &Value| {
                let known = attribute.as_keyword().and_then(|ident| db.attribute_named(ident));
                known.filter(|attribute| !attribute.is_ref())
            };
            let (within, plain): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|(_, attribute, _)| holder(attribute).is_some());
            let mut forms = Vec::with_capacity(plain.len());
            for (e, attribute, to) in plain {
                let to = number(&to).map_or(to, |to| self.name(to));
                forms.push(add(self.name(e), attribute, to));
            }
            self.transact_some(forms)?;
            let mut forms = Vec::with_capacity(within.len());
            for (e, attribute, value) in within {
                let known = holder(&attribute).and_then(|known| self.plain(known, &value));
                forms.push(add(self.name(e), attribute, known.unwrap_or(value)));
            }
            self.transact_some(forms)?;
        }
        Ok(self.done())
    }

    fn install(&mut self) -> Result<(), Error> {
        let schema = std::mem::take(&mut self.schema);
        let forms: Vec<Value> = schema
            .into_iter()
            .map(|mut map| {
                if let Some(e) = map.remove(&Value::keyword("db/id")).as_ref().and_then(number) {
                    map.insert(Value::keyword("db/id"), self.name(e));
                }
                Value::Map(map)
            })
            .collect();
        self.transact_some(forms)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.facts = 0;
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        let db = self.database.db()?;
        // What is said something about here, other than references that have to wait.
        let mut stated: HashSet<u64> = HashSet::new();
        for map in &batch {
            let plain = |(key, _): (&Value, &Value)| {
                let attribute = key.as_keyword().and_then(|ident| db.attribute_named(ident));
                *key != Value::keyword("db/id") && !attribute.is_some_and(Attribute::is_ref)
            };
            if map.iter().any(plain) {
                stated.extend(map.get(&Value::keyword("db/id")).and_then(number));
            }
        }
        let mut forms = Vec::with_capacity(batch.len());
        for map in batch {
            let form = self.local(&db, map, &stated);
            if form.len() > 1 {
                forms.push(Value::Map(form));
            }
        }
        self.transact_some(forms)
    }

    /// A map with the entities that are known here; references to others wait.
    fn local(
        &mut self,
        db: &Db,
        map: BTreeMap<Value, Value>,
        stated: &HashSet<u64>,
    ) -> BTreeMap<Value, Value> {
        let id_key = Value::keyword("db/id");
        let subject = map.get(&id_key).and_then(number);
        let mut local = BTreeMap::new();
        for (key, value) in map {
            if key == id_key {
                let name = number(&value).map_or(value, |e| self.name(e));
                local.insert(key, name);
                continue;
            }
            let attribute = key.as_keyword().and_then(|ident| db.attribute_named(ident));
            let Some(attribute) = attribute else {
                local.insert(key, value);
                continue;
            };
            let value = match (attribute.is_ref(), value) {
                (true, Value::Set(values)) => {
                    let mut known = BTreeSet::new();
                    for value in values {
                        known.extend(self.target(subject, &key, value, stated));
                    }
                    Some(Value::Set(known)).filter(|set| *set != Value::Set(BTreeSet::new()))
                }
                (true, value) => self.target(subject, &key, value, stated),
                (false, Value::Set(values)) if attribute.is_many() => {
                    let mut known = BTreeSet::new();
                    for value in values {
                        known.extend(self.other(subject, attribute, &key, value));
                    }
                    Some(Value::Set(known)).filter(|set| *set != Value::Set(BTreeSet::new()))
                }
                (false, value) => self.other(subject, attribute, &key, value),
            };
            if let Some(value) = value {
                local.insert(key, value);
            }
        }
        local
    }

    /// What is referred to. `None`: nobody knows it yet, so the fact waits.
    fn target(
        &mut self,
        subject: Option<u64>,
        attribute: &Value,
        value: Value,
        stated: &HashSet<u64>,
    ) -> Option<Value> {
        let Some(to) = number(&value) else { return Some(value) };
        if self.entities.contains_key(&to) || stated.contains(&to) {
            return Some(self.name(to));
        }
        self.waiting.push((subject?, attribute.clone(), value));
        None
    }

    /// A value that is no reference. `None`: it has entities in it that nobody knows yet.
    fn other(
        &mut self,
        subject: Option<u64>,
        attribute: &Attribute,
        key: &Value,
        value: Value,
    ) -> Option<Value> {
        let known = self.plain(attribute, &value);
        if known.is_none() {
            self.waiting.push((subject?, key.clone(), value));
        }
        known
    }

    /// A value that is no reference, with the entities in it as they are here; `None` when one of
    /// them is not known.
    fn plain(&self, attribute: &Attribute, value: &Value) -> Option<Value> {
        if attribute.value_type == ValueType::Any {
            return self.untagged(value);
        }
        let (Some(elements), Value::Vector(items)) = (&attribute.elements, value) else {
            return Some(value.clone());
        };
        let local = |(place, item): (usize, &Value)| match number(item) {
            Some(e) if elements.at(place) == Some(ValueType::Ref) => self.known(e),
            _ => Some(item.clone()),
        };
        items.iter().enumerate().map(local).collect::<Option<_>>().map(Value::Vector)
    }

    fn known(&self, e: u64) -> Option<Value> {
        self.entities.get(&e).copied().map(Value::Ref)
    }

    fn untagged(&self, value: &Value) -> Option<Value> {
        let one = |item: &Value| self.untagged(item);
        Some(match value {
            Value::Tagged(tag, inner) if tag.as_str() == REF_TAG => self.known(number(inner)?)?,
            Value::Tagged(tag, inner) => Value::Tagged(tag.clone(), Box::new(one(inner)?)),
            Value::Vector(items) => Value::Vector(items.iter().map(one).collect::<Option<_>>()?),
            Value::List(items) => Value::List(items.iter().map(one).collect::<Option<_>>()?),
            Value::Set(items) => Value::Set(items.iter().map(one).collect::<Option<_>>()?),
            Value::Map(map) => {
                let pairs = map.iter().map(|(key, value)| Some((one(key)?, one(value)?)));
                Value::Map(pairs.collect::<Option<_>>()?)
            }
            value => value.clone(),
        })
    }

    /// An entity as a transaction calls it.
    fn name(&self, e: u64) -> Value {
        match self.entities.get(&e) {
            Some(&known) => Value::Ref(known),
            None => Value::text(&format!("{TEMPID}{e}")),
        }
    }

    fn transact_some(&mut self, mut forms: Vec<Value>) -> Result<(), Error> {
        if forms.is_empty() {
            return Ok(());
        }
        forms.extend_from_slice(&self.also);
        let report = self.database.transact_with(&forms, &self.options)?;
        for (name, &entity) in &report.tempids {
            let number = name.as_text().and_then(|name| name.strip_prefix(TEMPID)?.parse().ok());
            // Maps without a number are never named again.
            if let Some(number) = number.filter(|&number: &u64| number < id::TX_BASE) {
                self.entities.insert(number, entity);
            }
        }
        self.done.datoms += report.datoms.len() as u64;
        self.done.t = report.t;
        Ok(())
    }
}

fn add(e: Value, attribute: Value, value: Value) -> Value {
    Value::Vector(vec![Value::keyword("db/add"), e, attribute, value])
}

/// What an entity that is not known yet is called in a transaction.
const TEMPID: &str = "import ";

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Ref(e) => Some(*e),
        Value::Int(e) => u64::try_from(*e).ok(),
        _ => None,
    }
}

fn width(value: &Value) -> usize {
    match value {
        Value::Set(items) => items.len(),
        _ => 1,
    }
}

impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import").field("done", &self.done()).finish_non_exhaustive()
    }
}
