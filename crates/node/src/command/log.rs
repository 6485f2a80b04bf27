//! `datom log`: each transaction, and who and why.

use std::collections::BTreeMap;

use daodb::{Db, Index, Transaction};
use datom::{Datom, Keyword, Value, Word, id};

use super::Outcome;
use crate::cli;
use crate::fault::Fault;
use crate::render::Output;
use crate::sight;
use crate::world::World;

const COLUMNS: [&str; 6] = ["t", "time", "added", "removed", "by", "why"];

pub(super) fn log(arguments: &cli::Log) -> Outcome {
    let world = World::open(&arguments.dir)?;
    let db = world.database().db()?;
    let mut rows = Vec::new();
    for transaction in
        world.database().tx_range(arguments.from, arguments.to.unwrap_or(u64::MAX))?
    {
        rows.push(row(&db, &transaction?)?);
    }
    let columns = COLUMNS.map(str::to_owned).to_vec();
    Ok(Output::Table { columns, rows }.print(arguments.format)?)
}

fn row(db: &Db, transaction: &Transaction) -> Result<Vec<Value>, Box<Fault>> {
    let added = transaction.datoms.iter().filter(|datom| datom.added()).count();
    let facts = facts(db, id::transaction(transaction.t))?;
    let said = |name: &str| facts.get(&Keyword::from(name)).cloned().unwrap_or(Value::Nil);
    Ok(vec![
        count(transaction.t),
        Value::Instant(transaction.instant),
        count(added as u64),
        count((transaction.datoms.len() - added) as u64),
        said("tx/by"),
        match facts.get(&Keyword::from("db/doc")) {
            Some(why) => why.clone(),
            None => reason(db, transaction)?,
        },
    ])
}

/// What the facts of a transaction name as their reason.
fn reason(db: &Db, transaction: &Transaction) -> Result<Value, Box<Fault>> {
    let others = |datom: &&Datom| datom.metadata().is_some_and(|entity| entity != transaction.tx());
    match transaction.datoms.iter().find(others) {
        Some(datom) => Ok(sight::reason(db.reason(datom)?)),
        None => Ok(Value::Nil),
    }
}

/// What is stated about one entity; of several values the first.
fn facts(db: &Db, entity: u64) -> Result<BTreeMap<Keyword, Value>, Box<Fault>> {
    let mut facts = BTreeMap::new();
    for datom in db.datoms(Index::Eavt, &[Word::entity(entity)])? {
        let datom = datom?;
        if let Some(attribute) = db.attribute(datom.a) {
            facts.entry(attribute.ident.clone()).or_insert(db.value(datom.v)?);
        }
    }
    Ok(facts)
}

fn count(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}
