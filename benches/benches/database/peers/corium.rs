//! Corium in process, without its server and log: the nearest neighbour in what it means, an immutable
//! database value of datoms with history, in memory alone.

use std::sync::Arc;

use benches::datalog::{Kind, Set, Val};
use corium_core::{
    Attribute, Cardinality, EntityId, IndexOrder, Keyword, KeywordInterner, Partition, Schema,
    Value, ValueType,
};
use corium_db::{Db, Idents};
use corium_tx::{EntityRef, TxItem, TxOp, prepare};

use crate::Engine;

/// Attributes count from here, and entities of users from there.
const ATTRIBUTE: u64 = 10_000;
const FIRST: u64 = 100_000;

/// The newest value of the database.
pub(crate) struct Corium(Db);

fn attribute(at: usize) -> EntityId {
    EntityId::new(Partition::Db as u32, ATTRIBUTE + at as u64)
}

fn entity(number: u32) -> EntityId {
    EntityId::new(Partition::User as u32, FIRST + u64::from(number))
}

impl Corium {
    fn add(&self, (e, a, v): &(u32, usize, Val)) -> TxItem {
        let value = match v {
            Val::Int(number) => Value::Long(*number),
            Val::Text(text) => Value::Str(Arc::from(text.as_str())),
            Val::Keyword(name) => {
                Value::Keyword(self.0.interner().get(&keyword(name)).expect("a known keyword"))
            }
            Val::Ref(to) => Value::Ref(entity(*to)),
        };
        TxItem::Op(TxOp::Add(EntityRef::Id(entity(*e)), attribute(*a), value))
    }

    fn transact<'f>(&mut self, facts: impl Iterator<Item = &'f (u32, usize, Val)>) {
        let t = self.0.basis_t() + 1;
        let tx = EntityId::new(Partition::Tx as u32, t);
        let items: Vec<TxItem> = facts.map(|fact| self.add(fact)).collect();
        let prepared = prepare(&self.0, items, tx, 0).expect("a transaction");
        self.0 = self.0.with_transaction_at(t, t as i64, &prepared.datoms);
    }
}

fn keyword(name: &str) -> Keyword {
    Keyword::new(None, name)
}

impl Engine for Corium {
    const NAME: &'static str = "corium";

    fn new(set: &Set, _: bool) -> Self {
        let mut schema = Schema::default();
        for (at, known) in set.schema.iter().enumerate() {
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
                indexed: false,
                no_history: false,
            });
        }
        let mut interner = KeywordInterner::default();
        for (_, _, value) in &set.facts {
            if let Val::Keyword(name) = value {
                interner.intern(keyword(name));
            }
        }
        Corium(Db::new(schema).with_naming(Idents::default(), interner))
    }

    fn load(&mut self, set: &Set) {
        self.transact(set.facts.iter());
        // Indexes are made when they are first read.
        let first = self.0.datoms_at(IndexOrder::Eavt).next();
        assert!(first.is_some());
    }

    fn entities(&mut self, set: &Set) {
        for facts in set.facts.chunk_by(|one, other| one.0 == other.0) {
            self.transact(facts.iter());
        }
    }

    fn singles(&mut self, set: &Set, facts: &[usize]) {
        for at in facts {
            self.transact(std::iter::once(&set.facts[*at]));
        }
    }

    fn look_up(&self, entities: &[u32], attribute: usize) -> usize {
        let of = |e: &u32| self.0.values(entity(*e), self::attribute(attribute)).len();
        entities.iter().map(of).sum()
    }
}
