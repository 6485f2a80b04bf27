//! Corium's Datalog, in process, over its database value in memory.

use std::sync::Arc;

use benches::datalog::{Case, Kind, Set, Val};
use corium_core::{
    Attribute, Cardinality, EntityId, Keyword, KeywordInterner, Partition, Schema, Value, ValueType,
};
use corium_db::{Db, Idents};
use corium_query::ast::{Query, parse_query};
use corium_query::edn::Edn;
use corium_query::{ExecOptions, QInput, QueryError, run};
use corium_tx::{EntityRef, TxItem, TxOp, prepare};

/// Attributes count from here, and entities of users from there.
const ATTRIBUTE: u64 = 10_000;
const FIRST: u64 = 100_000;
/// Datoms that a query may touch before it is given up: it has no clock and no flag.
const FUEL: u64 = 8_000_000;

fn attribute(at: usize) -> EntityId {
    EntityId::new(Partition::Db as u32, ATTRIBUTE + at as u64)
}

fn entity(number: u32) -> EntityId {
    EntityId::new(Partition::User as u32, FIRST + u64::from(number))
}

fn keyword(name: &str) -> Keyword {
    match name.split_once('/') {
        Some((namespace, name)) => Keyword::new(Some(namespace), name),
        None => Keyword::new(None, name),
    }
}

/// The set as one transaction, every attribute indexed.
pub(crate) fn load(set: &Set) -> Db {
    let (mut schema, mut idents) = (Schema::default(), Idents::default());
    for (at, known) in set.schema.iter().enumerate() {
        idents.insert(keyword(known.name), attribute(at));
        schema.insert(Attribute {
            id: attribute(at),
            value_type: match known.kind {
                Kind::Long => ValueType::Long,
                Kind::Text => ValueType::Str,
                Kind::Keyword => ValueType::Keyword,
                Kind::Ref => ValueType::Ref,
            },
            cardinality: if known.many { Cardinality::Many } else { Cardinality::One },
            unique: None,
            is_component: false,
            indexed: true,
            no_history: false,
        });
    }
    let mut interner = KeywordInterner::default();
    for (_, _, value) in &set.facts {
        if let Val::Keyword(name) = value {
            interner.intern(keyword(name));
        }
    }
    let db = Db::new(schema).with_naming(idents, interner);
    let items = set.facts.iter().map(|(e, a, v)| {
        let value = match v {
            Val::Int(number) => Value::Long(*number),
            Val::Text(text) => Value::Str(Arc::from(text.as_str())),
            Val::Keyword(name) => {
                Value::Keyword(db.interner().get(&keyword(name)).expect("a known keyword"))
            }
            Val::Ref(to) => Value::Ref(entity(*to)),
        };
        TxItem::Op(TxOp::Add(EntityRef::Id(entity(*e)), attribute(*a), value))
    });
    let tx = EntityId::new(Partition::Tx as u32, 1);
    let prepared = prepare(&db, items.collect::<Vec<_>>(), tx, 0).expect("a transaction");
    db.with_transaction_at(1, 1, &prepared.datoms)
}

/// A case, read once; why, where Corium cannot ask it.
pub(crate) fn prepare_case(case: &Case) -> Result<Query, QueryError> {
    parse_query(&corium_query::edn::read_one(case.query)?)
}

/// How many rows there are, each looked at; `None` where it was given up.
pub(crate) fn fetch(db: &Db, query: &Query) -> Option<usize> {
    let inputs = [QInput::Db(db)];
    let options = ExecOptions { fuel: Some(FUEL), ..ExecOptions::default() };
    match run(query, &inputs, options) {
        Ok((Edn::Set(rows) | Edn::Vector(rows) | Edn::List(rows), _)) => {
            rows.iter().for_each(|row| {
                std::hint::black_box(row);
            });
            Some(rows.len())
        }
        Ok((other, _)) => panic!("no rows: {other:?}"),
        Err(QueryError::FuelExhausted) => None,
        Err(error) => panic!("Corium: {error}"),
    }
}
