//! redb, a table for each order.

use redb::{Durability, ReadableDatabase, ReadableTable, Table, TableDefinition};
use tempfile::TempDir;

use super::ordered::{Keys, Ordered, behind};

const ORDERS: [TableDefinition<'_, &[u8], ()>; 2] =
    [TableDefinition::new("eav"), TableDefinition::new("aev")];

/// A database with two tables.
pub(crate) struct Store {
    db: redb::Database,
    durable: bool,
    folder: TempDir,
}

/// The two tables of a transaction.
pub(crate) struct Txn<'s>([Table<'s, &'static [u8], ()>; 2]);

impl Keys for Txn<'_> {
    fn put(&mut self, order: usize, key: &[u8]) {
        self.0[order].insert(key, ()).expect("room");
    }

    fn remove(&mut self, order: usize, key: &[u8]) {
        self.0[order].remove(key).expect("a fact");
    }

    fn of(&self, prefix: &[u8]) -> Vec<Vec<u8>> {
        let found = self.0[0].range(prefix..&behind(prefix)).expect("facts");
        found.map(|fact| fact.expect("a fact").0.value().to_vec()).collect()
    }
}

impl Ordered for Store {
    const NAME: &'static str = "redb";
    type Txn<'s> = Txn<'s>;

    fn new(durable: bool) -> Self {
        let folder = super::folder();
        let mut options = redb::Database::builder();
        options.set_cache_size(1 << 30);
        let db = options.create(folder.path().join("facts")).expect("a database");
        Store { db, durable, folder }
    }

    fn write(&self, work: impl FnOnce(&mut Txn<'_>)) {
        let mut txn = self.db.begin_write().expect("a transaction");
        if !self.durable {
            txn.set_durability(Durability::None).expect("no savepoint is open");
        }
        work(&mut Txn(ORDERS.map(|order| txn.open_table(order).expect("a table"))));
        txn.commit().expect("a commit");
    }

    fn count(&self, prefixes: impl Iterator<Item = Vec<u8>>) -> usize {
        let txn = self.db.begin_read().expect("a transaction");
        let eav = txn.open_table(ORDERS[0]).expect("a table");
        let of = |prefix: Vec<u8>| {
            eav.range(prefix.as_slice()..behind(&prefix).as_slice()).expect("facts").count()
        };
        prefixes.map(of).sum()
    }

    fn bytes(&mut self) -> u64 {
        self.db.compact().expect("a compaction");
        std::fs::metadata(self.folder.path().join("facts")).expect("a file").len()
    }
}
