//! Fixtures as databases of ours, and answers as the recorded engines show them.

use std::collections::{BTreeMap, BTreeSet};

use daodb::{Attribute, Database, Index, Input};
use datom::{Datom, Value, Word, id};

use crate::shift::{Entities, SHIFT, Shifter, shift};
use crate::{Order, Outcome, Verdict, expect_error};

/// The recorded engines number transactions from here.
const RECORDED_TX: i64 = 1 << 29;

/// What is known of each attribute, by name.
#[derive(Clone, Default)]
pub(crate) struct Schema {
    attributes: BTreeMap<String, BTreeMap<Value, Value>>,
}

impl Schema {
    pub(crate) fn from_recorded(schema: &Value) -> Result<Self, String> {
        let mut all = Self::default();
        for (name, spec) in schema.as_map().ok_or("a schema is a map")? {
            let name = name.as_keyword().ok_or("attributes are keywords")?.as_str().to_owned();
            let spec = spec.as_map().cloned().unwrap_or_default();
            all.attributes.insert(name, spec);
        }
        Ok(all)
    }

    fn declare(&mut self, name: &str) {
        if !name.starts_with("db/") && !name.starts_with("db.") {
            self.attributes.entry(name.to_owned()).or_default();
        }
    }

    fn refs(&self) -> BTreeSet<String> {
        let is_ref = |spec: &BTreeMap<Value, Value>| {
            spec.get(&Value::keyword("db/valueType")) == Some(&Value::keyword("db.type/ref"))
        };
        self.attributes.iter().filter(|(_, spec)| is_ref(spec)).map(|(n, _)| n.clone()).collect()
    }

    /// A database with these attributes, named in order so that ids are in the order of names.
    pub(crate) fn database(&self) -> Result<Database, String> {
        let database = Database::memory().map_err(|error| error.to_string())?;
        let (mut plain, mut tuples) = (Vec::new(), Vec::new());
        for (name, spec) in &self.attributes {
            let mut form = spec.clone();
            form.insert(Value::keyword("db/ident"), Value::keyword(name));
            let is_tuple = form.contains_key(&Value::keyword("db/tupleAttrs"));
            let value_type = Value::keyword("db/valueType");
            if !is_tuple {
                let of = form.entry(value_type).or_insert(Value::keyword("db.type/any"));
                // The recorded engines index every reference by value.
                if *of == Value::keyword("db.type/ref") {
                    form.insert(Value::keyword("db/index"), Value::Bool(true));
                }
                plain.push(Value::Map(form));
            } else {
                tuples.push(Value::Map(form));
            }
        }
        for forms in [plain, tuples] {
            if !forms.is_empty() {
                database.transact(&forms).map_err(|error| error.to_string())?;
            }
        }
        Ok(database)
    }
}

/// A fixture's database, built for one case.
pub(crate) struct Fixture {
    schema: Schema,
    database: Database,
    /// The transaction before the first of the fixture.
    base: u64,
    known: BTreeSet<i64>,
}

fn keywords(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Keyword(name) => {
            let forward = match (name.namespace(), name.name().strip_prefix('_')) {
                (Some(namespace), Some(bare)) => format!("{namespace}/{bare}"),
                (None, Some(bare)) => bare.to_owned(),
                _ => name.as_str().to_owned(),
            };
            found.insert(forward);
        }
        Value::Vector(items) | Value::List(items) => {
            items.iter().for_each(|item| keywords(item, found));
        }
        Value::Set(items) => items.iter().for_each(|item| keywords(item, found)),
        Value::Map(map) => map.iter().for_each(|(k, v)| {
            keywords(k, found);
            keywords(v, found);
        }),
        _ => {}
    }
}

impl Fixture {
    /// Every keyword of the fixture and the case that can be an attribute is declared.
    pub(crate) fn new(recorded: Option<&Value>, case: &Value) -> Result<Self, String> {
        let mut schema = match recorded.and_then(|recorded| recorded.get("schema")) {
            Some(schema) => Schema::from_recorded(schema)?,
            None => Schema::default(),
        };
        let mut found = BTreeSet::new();
        let txs = recorded.and_then(|recorded| recorded.get("txs"));
        let parts = [txs, case.get("body"), case.get("args"), case.get("expected")];
        parts.into_iter().flatten().for_each(|part| keywords(part, &mut found));
        found.iter().for_each(|name| schema.declare(name));
        let database = schema.database()?;
        let base = database.db().map_err(|error| error.to_string())?.basis();
        let mut fixture = Self { schema, database, base, known: BTreeSet::new() };
        for tx in txs.and_then(Value::as_slice).unwrap_or_default() {
            fixture.note_ids(tx);
            fixture.transact(tx)?;
        }
        Ok(fixture)
    }

    pub(crate) fn without_facts(&self) -> Result<Self, String> {
        let database = self.schema.database()?;
        Ok(Self { schema: self.schema.clone(), database, base: self.base, known: BTreeSet::new() })
    }

    fn note_ids(&mut self, tx: &Value) {
        for form in tx.as_slice().unwrap_or_default() {
            if let Some(Value::Int(id)) = form.get("db/id") {
                self.known.insert(*id);
            }
        }
    }

    fn transact(&self, tx: &Value) -> Result<daodb::Report, String> {
        let forms = tx.as_slice().ok_or("a transaction is a vector")?;
        let forms: Vec<Value> = forms.iter().map(|form| self.shifted_form(form)).collect();
        self.database.transact(&forms).map_err(|error| error.to_string())
    }

    /// Transaction data with entities shifted.
    fn shifted_form(&self, form: &Value) -> Value {
        let refs = self.schema.refs();
        let is_ref = |name: &Value| {
            name.as_keyword()
                .is_some_and(|k| refs.contains(k.as_str()) || k.name().starts_with('_'))
        };
        match form {
            Value::Map(map) => Value::Map(
                map.iter()
                    .map(|(key, value)| {
                        let id = *key == Value::keyword("db/id");
                        let value =
                            if id || is_ref(key) { self.shifted_ref(value) } else { value.clone() };
                        (key.clone(), value)
                    })
                    .collect(),
            ),
            Value::Vector(parts) => {
                let reference = parts.get(2).is_some_and(is_ref);
                let part = |(at, part): (usize, &Value)| match at {
                    0 => rename(part),
                    1 => self.shifted_ref(part),
                    at if at > 2 && reference => self.shifted_ref(part),
                    _ => part.clone(),
                };
                Value::Vector(parts.iter().enumerate().map(part).collect())
            }
            other => other.clone(),
        }
    }

    fn shifted_ref(&self, value: &Value) -> Value {
        match value {
            Value::Vector(items) if !matches!(items.first(), Some(Value::Keyword(_))) => {
                Value::Vector(items.iter().map(|item| self.shifted_ref(item)).collect())
            }
            Value::Keyword(name) if name.as_str() == "db/current-tx" => Value::text("datomic.tx"),
            Value::Map(_) => self.shifted_form(value),
            other => shift(other),
        }
    }

    /// A query and its inputs in our form.
    pub(crate) fn translate(
        &self,
        body: &Value,
        args: &[Value],
        order: Order,
    ) -> Result<(Value, Vec<Input>), String> {
        let refs = self.schema.refs();
        let shifter = Shifter { refs: &refs };
        let ins = section(body, "in");
        let place = |name: &str| ins.iter().position(|part| *part == Value::symbol(name));
        let rules = place("%").and_then(|at| args.get(at));
        let of_rules = rules.map(|rules| shifter.rules(rules)).unwrap_or_default();
        let clauses = section(body, "where");
        // A relation in place of the database has no entities to shift.
        let relation =
            args.first().is_some_and(|arg| *arg != Value::symbol("$db")) && place("$").is_some();
        let entities =
            if relation { Entities::default() } else { shifter.query(&clauses, of_rules) };
        let moved = if relation {
            body.clone()
        } else {
            with_section(body, "where", &|clause| shifter.shifted(clause, &entities))
        };
        let db = self.database.db().map_err(|error| error.to_string())?;
        let inputs = args.iter().enumerate().map(|(at, arg)| {
            let binding = ins.get(at);
            if *arg == Value::symbol("$db") {
                Input::Db(db.clone())
            } else if binding == Some(&Value::symbol("%")) {
                Input::Value(order.of_rules(arg))
            } else {
                let nil = Value::Nil;
                Input::Value(shifter.input(binding.unwrap_or(&nil), arg, &entities))
            }
        });
        Ok((moved, inputs.collect()))
    }

    /// An answer as the recorded engines show it.
    pub(crate) fn show(&self, value: &Value) -> Value {
        match value {
            Value::Ref(id) => self.show_entity(*id),
            Value::Vector(items) => Value::Vector(items.iter().map(|v| self.show(v)).collect()),
            Value::List(items) => Value::List(items.iter().map(|v| self.show(v)).collect()),
            Value::Set(items) => Value::Set(items.iter().map(|v| self.show(v)).collect()),
            Value::Map(map) => {
                Value::Map(map.iter().map(|(k, v)| (self.show(k), self.show(v))).collect())
            }
            other => other.clone(),
        }
    }

    fn show_entity(&self, entity: u64) -> Value {
        let number = i64::try_from(entity).unwrap_or(i64::MAX);
        if let Some(t) = id::t_of(entity) {
            return Value::Int(RECORDED_TX + i64::try_from(t - self.base).unwrap_or(0));
        }
        let db = self.database.db().ok();
        let name = db.as_ref().and_then(|db| db.attribute(entity)).map(|a| a.ident.clone());
        match name {
            Some(name) => Value::Keyword(name),
            None if number >= SHIFT => Value::Int(number - SHIFT),
            None => Value::Int(number),
        }
    }

    pub(crate) fn run(&self, kind: &str, body: &Value, args: &[Value], case: &Value) -> Verdict {
        let text = |error: daodb::Error| error.to_string();
        let db = self.database.db().map_err(text)?;
        let first = args.first().map(shift).unwrap_or(Value::Nil);
        match kind {
            "pull" => {
                expect_error(case, db.pull(body, &first).map(|v| self.show(&v)).map_err(text))
            }
            "pull-many" => {
                let entities = args.first().and_then(Value::as_slice).unwrap_or_default();
                let entities: Vec<Value> = entities.iter().map(shift).collect();
                let pulled = db.pull_many(body, &entities).map(Value::Vector);
                expect_error(case, pulled.map(|v| self.show(&v)).map_err(text))
            }
            "entity" => {
                let Some(entity) = db.entity_id(&shift(body)).map_err(text)? else {
                    return expect_error(case, Ok(Value::Nil));
                };
                expect_error(case, db.touch(entity).map(|v| self.show(&v)).map_err(text))
            }
            "with+q" => {
                self.transact(body)?;
                let Some((query, rest)) = args.split_first() else { return Err("no query".into()) };
                let args = [&[Value::symbol("$db")], rest].concat();
                let (body, args) = self.translate(query, &args, Order::Written)?;
                expect_error(case, crate::ask(self, &body, &args))
            }
            "datoms" | "seek" | "rseek" => self.datoms(kind, body, args, case),
            "range" => self.range(body, args, case),
            "tx" => self.tx(body, case),
            other => Ok(Outcome::Skipped(format!("cases of the kind {other} are not run"))),
        }
    }

    fn datoms(&self, kind: &str, body: &Value, args: &[Value], case: &Value) -> Verdict {
        let text = |error: daodb::Error| error.to_string();
        let db = self.database.db().map_err(text)?;
        let index = match body.as_keyword().map(|name| name.as_str()) {
            Some("eavt") => Index::Eavt,
            Some("aevt") => Index::Aevt,
            Some("avet") => Index::Avet,
            _ => return Ok(Outcome::Skipped(format!("the index {body}"))),
        };
        let mut components = Vec::new();
        for (at, arg) in args.iter().enumerate() {
            let is_entity = at == usize::from(index == Index::Aevt) && index != Index::Avet;
            let word = match arg {
                Value::Keyword(_) => db.entity_id(arg).map_err(text)?.map(Word::entity),
                arg if is_entity => db.entity_id(&shift(arg)).map_err(text)?.map(Word::entity),
                arg => db.word(arg).map_err(text)?,
            };
            let Some(word) = word else { return expect_error(case, Ok(Value::Vector(vec![]))) };
            components.push(word);
        }
        let (facts, count) = match kind {
            "seek" => (db.seek_datoms(index, &components).map_err(text)?, 12),
            "rseek" => (db.rseek_datoms(index, &components).map_err(text)?, 12),
            _ => (db.datoms(index, &components).map_err(text)?, usize::MAX),
        };
        let mut shown = Vec::new();
        for fact in facts {
            let fact = fact.map_err(text)?;
            // The schema is made of facts here; the recorded engines keep it apart.
            if fact.e >= SHIFT as u64 && fact.e < id::TX_BASE && shown.len() < count {
                shown.push(self.fact(&db, &fact)?);
            }
        }
        expect_error(case, Ok(Value::Vector(shown)))
    }

    fn range(&self, body: &Value, args: &[Value], case: &Value) -> Verdict {
        let text = |error: daodb::Error| error.to_string();
        let db = self.database.db().map_err(text)?;
        let attribute = db.entity_id(body).map_err(text)?.ok_or("no such attribute")?;
        if !db.attribute(attribute).is_some_and(Attribute::in_avet) {
            return Ok(Outcome::Skipped("the attribute is not indexed here".into()));
        }
        let bound = |at: usize| args.get(at).filter(|value| **value != Value::Nil);
        let facts = db.index_range(attribute, bound(0), bound(1)).map_err(text)?;
        let shown: Result<Vec<Value>, String> = facts.iter().map(|f| self.fact(&db, f)).collect();
        expect_error(case, shown.map(Value::Vector))
    }

    fn fact(&self, db: &daodb::Db, fact: &Datom) -> Result<Value, String> {
        let value = db.value(fact.v).map_err(|error| error.to_string())?;
        Ok(Value::Vector(vec![
            self.show_entity(fact.e),
            self.show_entity(fact.a),
            self.show(&value),
        ]))
    }

    /// A transaction: its facts, with new entities up to renaming.
    fn tx(&self, body: &Value, case: &Value) -> Verdict {
        let report = self.transact(body);
        let Some(expected) = case.get("expected") else {
            return match report {
                Err(_) => Ok(Outcome::Passed),
                Ok(_) => Err("must be refused".into()),
            };
        };
        let report = report?;
        let mut given = BTreeSet::new();
        let after = report.db_after().map_err(|error| error.to_string())?;
        for fact in &report.datoms {
            let is_instant = id::t_of(fact.e).is_some() && fact.a < SHIFT as u64 && {
                let name = after.attribute(fact.a).map(|a| a.ident.clone());
                name.is_some_and(|name| name.as_str() == "db/txInstant")
            };
            if is_instant {
                continue;
            }
            let Value::Vector(mut parts) = self.fact(&after, fact)? else { continue };
            parts.insert(0, Value::keyword(if fact.added() { "add" } else { "retract" }));
            given.insert(Value::Vector(parts));
        }
        let expected: BTreeSet<Value> = expected
            .get("tx-data")
            .and_then(Value::as_slice)
            .unwrap_or_default()
            .iter()
            .cloned()
            .collect();
        // New ids of either side are paired in every way. Plain integers among the values that look
        // like ids are renamed alike on both sides, which changes nothing.
        let new = |facts: &BTreeSet<Value>| -> Vec<i64> {
            let mut ids = BTreeSet::new();
            for fact in facts {
                for part in fact.as_slice().unwrap_or_default() {
                    match part {
                        Value::Int(id) if *id < RECORDED_TX && !self.known.contains(id) => {
                            ids.insert(*id);
                        }
                        _ => {}
                    }
                }
            }
            ids.into_iter().collect()
        };
        let (ours, theirs) = (new(&given), new(&expected));
        let matches = ours.len() == theirs.len()
            && permutations(&theirs).into_iter().any(|theirs| {
                let renamed: BTreeSet<Value> =
                    given.iter().map(|fact| renamed(fact, &ours, &theirs)).collect();
                renamed == expected
            });
        if matches {
            Ok(Outcome::Passed)
        } else {
            Err(format!("expected {expected:?}, not {given:?}"))
        }
    }
}

fn renamed(fact: &Value, from: &[i64], to: &[i64]) -> Value {
    let part = |part: &Value| match part {
        Value::Int(id) => match from.iter().position(|known| known == id) {
            Some(at) => to.get(at).map_or(part.clone(), |id| Value::Int(*id)),
            None => part.clone(),
        },
        other => other.clone(),
    };
    Value::Vector(fact.as_slice().unwrap_or_default().iter().map(part).collect())
}

fn permutations(items: &[i64]) -> Vec<Vec<i64>> {
    let Some((first, rest)) = items.split_first() else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for shorter in permutations(rest) {
        for at in 0..=shorter.len() {
            let mut longer = shorter.clone();
            longer.insert(at, *first);
            all.push(longer);
        }
    }
    all
}

/// Names of operations that the recorded engines write in another way.
fn rename(operation: &Value) -> Value {
    match operation.as_keyword().map(|name| name.as_str()) {
        Some("db.fn/cas") => Value::keyword("db/cas"),
        Some("db.fn/retractEntity") => Value::keyword("db/retractEntity"),
        // A retraction without a value retracts the attribute.
        Some("db.fn/retractAttribute") => Value::keyword("db/retract"),
        _ => operation.clone(),
    }
}

/// The part of a query under a keyword.
fn section(query: &Value, name: &str) -> Vec<Value> {
    let key = Value::keyword(name);
    match query {
        Value::Vector(items) => items
            .iter()
            .skip_while(|item| **item != key)
            .skip(1)
            .take_while(|item| !matches!(item, Value::Keyword(_)))
            .cloned()
            .collect(),
        Value::Map(map) => map.get(&key).and_then(Value::as_slice).unwrap_or_default().to_vec(),
        _ => Vec::new(),
    }
}

fn with_section(query: &Value, name: &str, map: &dyn Fn(&Value) -> Value) -> Value {
    let key = Value::keyword(name);
    match query {
        Value::Vector(items) => {
            let mut inside = false;
            let moved = items.iter().map(|item| {
                if matches!(item, Value::Keyword(_)) {
                    inside = *item == key;
                    item.clone()
                } else if inside {
                    map(item)
                } else {
                    item.clone()
                }
            });
            Value::Vector(moved.collect())
        }
        Value::Map(parts) => {
            let mut parts = parts.clone();
            if let Some(Value::Vector(clauses)) = parts.get_mut(&key) {
                *clauses = clauses.iter().map(map).collect();
            }
            Value::Map(parts)
        }
        other => other.clone(),
    }
}
