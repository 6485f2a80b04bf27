//! The transactions of an agent's program: each is made once, however often it is asked for.
//!
//! 1. The transaction states its key, `agent/number`, which is unique: it cannot be made twice.
//! 2. What a program is answered follows from the transaction alone, so asking again for one that
//!    was made gives the same answer.

use std::collections::BTreeMap;

use daodb::{Database, Db, Error, Report};
use datom::{Datom, Value, edn, id};

use super::owner::Agent;

/// A transaction as its program is told of it.
pub(crate) struct Made {
    pub(crate) t: u64,
    pub(crate) added: usize,
    pub(crate) removed: usize,
    tempids: BTreeMap<Value, u64>,
}

impl Made {
    pub(crate) fn of_report(report: &Report) -> Self {
        Self::new(report.t, &report.datoms, report.tempids.clone())
    }

    fn new(t: u64, datoms: &[Datom], tempids: BTreeMap<Value, u64>) -> Self {
        let added = datoms.iter().filter(|datom| datom.added()).count();
        Self { t, added, removed: datoms.len() - added, tempids }
    }

    /// The transaction of a key, if it was made.
    pub(super) fn known(database: &Database, db: &Db, key: &str) -> Result<Option<Self>, Error> {
        let lookup = Value::Vector(vec![Value::keyword("agent/key"), Value::text(key)]);
        let Some(t) = db.entity_id(&lookup)?.and_then(id::t_of) else { return Ok(None) };
        let Some(transaction) = database.tx_range(t, t + 1)?.next().transpose()? else {
            return Ok(None);
        };
        let attribute = |name: &str| db.ident(&name.into()).map(Option::unwrap_or_default);
        let (name, is) = (attribute("agent.tempid/name")?, attribute("agent.tempid/is")?);
        let mut tempids = BTreeMap::new();
        for fact in transaction.datoms.iter().filter(|fact| fact.a == name) {
            let Value::Text(text) = db.value(fact.v)? else { continue };
            let found = transaction.datoms.iter().find(|other| other.e == fact.e && other.a == is);
            if let (Ok(name), Some(entity)) =
                (edn::read(&text), found.and_then(|found| found.v.as_entity()))
            {
                tempids.insert(name, entity);
            }
        }
        Ok(Some(Self::new(t, &transaction.datoms, tempids)))
    }

    /// `{:t 7 :added 3 :retracted 1 :tempids {"a" 4711}}`
    pub(crate) fn to_value(&self) -> Value {
        let tempids = self.tempids.iter().map(|(name, id)| (name.clone(), Value::Ref(*id)));
        let count = |count: usize| Value::Int(count as i64);
        Value::map([
            (Value::keyword("t"), Value::Int(self.t as i64)),
            (Value::keyword("added"), count(self.added)),
            (Value::keyword("retracted"), count(self.removed)),
            (Value::keyword("tempids"), Value::map(tempids)),
        ])
    }
}

/// What names the n-th named entity of such a transaction.
fn tempid(at: usize) -> Value {
    Value::text(&format!("agent-tempid-{at}"))
}

impl Agent {
    fn key(&self, request: u64) -> String {
        key(&self.name, request)
    }

    /// Makes the transaction of a request, or finds that it was made. `signature` says who makes it.
    pub(crate) fn transact_once(
        &self,
        request: u64,
        data: &[Value],
        signature: Value,
    ) -> Result<Made, Error> {
        let key = self.key(request);
        let db = self.database.db()?;
        if let Some(made) = Made::known(&self.database, &db, &key)? {
            self.sees(made.t, None);
            return Ok(made);
        }
        let mut whole = data.to_vec();
        for (at, name) in db.with(data)?.tempids.into_keys().enumerate() {
            whole.push(Value::map([
                (Value::keyword("db/id"), tempid(at)),
                (Value::keyword("agent.tempid/name"), Value::text(&name.to_string())),
                (Value::keyword("agent.tempid/is"), name),
            ]));
        }
        whole.push(signature);
        whole.push(Value::Vector(vec![
            Value::keyword("db/add"),
            Value::text("datomic.tx"),
            Value::keyword("agent/key"),
            Value::text(&key),
        ]));
        whole.push(self.guard());
        let mut report = self.database.transact(&whole)?;
        report.tempids.retain(|name, _| {
            !name.as_text().is_some_and(|name| name.starts_with("agent-tempid-"))
        });
        self.sees(report.t, Some(report.db_after()?));
        self.pause_if_wanted();
        Ok(Made::of_report(&report))
    }
}

/// The key of a request of an agent.
pub(super) fn key(agent: &str, request: u64) -> String {
    format!("{agent}/{request}")
}
