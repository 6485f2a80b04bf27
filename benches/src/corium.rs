//! A data set as a database value of Corium's, in process and in memory.

use std::sync::Arc;

use corium_core::{
    Attribute, Cardinality, EntityId, Keyword, KeywordInterner, Partition, Schema, Value, ValueType,
};
use corium_db::{Db, Idents};
use corium_tx::{EntityRef, TxItem, TxOp, prepare};

use crate::datalog::{Kind, Set, Val};

/// Attributes count from here, and entities of users from there.
const ATTRIBUTE: u64 = 10_000;
const FIRST: u64 = 100_000;

/// The id of an attribute of a set.
#[must_use]
pub fn attribute(at: usize) -> EntityId {
    EntityId::new(Partition::Db as u32, ATTRIBUTE + at as u64)
}

/// The id of an entity of a set.
#[must_use]
pub fn entity(number: u32) -> EntityId {
    EntityId::new(Partition::User as u32, FIRST + u64::from(number))
}

fn keyword(name: &str) -> Keyword {
    match name.split_once('/') {
        Some((namespace, name)) => Keyword::new(Some(namespace), name),
        None => Keyword::new(None, name),
    }
}

/// A database with the schema of a set and the names that its facts use, and no fact.
#[must_use]
pub fn empty(set: &Set, indexed: bool) -> Db {
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
            indexed,
            no_history: false,
        });
    }
    let mut interner = KeywordInterner::default();
    for (_, _, value) in &set.facts {
        if let Val::Keyword(name) = value {
            interner.intern(keyword(name));
        }
    }
    Db::new(schema).with_naming(idents, interner)
}

/// The database after one transaction more.
///
/// # Panics
/// When Corium refuses the facts.
#[must_use]
pub fn transact<'f>(db: &Db, facts: impl Iterator<Item = &'f (u32, usize, Val)>) -> Db {
    let t = db.basis_t() + 1;
    let tx = EntityId::new(Partition::Tx as u32, t);
    let items: Vec<TxItem> = facts.map(|fact| add(db, fact)).collect();
    let prepared = prepare(db, items, tx, 0).expect("a transaction");
    db.with_transaction_at(t, t as i64, &prepared.datoms)
}

fn add(db: &Db, (e, a, v): &(u32, usize, Val)) -> TxItem {
    let value = match v {
        Val::Int(number) => Value::Long(*number),
        Val::Text(text) => Value::Str(Arc::from(text.as_str())),
        Val::Keyword(name) => {
            Value::Keyword(db.interner().get(&keyword(name)).expect("a known keyword"))
        }
        Val::Ref(to) => Value::Ref(entity(*to)),
    };
    TxItem::Op(TxOp::Add(EntityRef::Id(entity(*e)), attribute(*a), value))
}
