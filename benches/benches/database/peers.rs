//! The others.

use std::sync::Mutex;

use benches::datalog::{Set, Val};
use heed::types::Bytes;
use heed::{CommitOrAbort, EnvFlags, EnvOpenOptions};
use redb::{Durability, ReadableDatabase, ReadableTable, TableDefinition};
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use crate::Engine;

const MAP_BYTES: usize = 1 << 32;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// SQLite on a file with a write-ahead log: one table of facts, three covering orders.
pub(crate) struct Sqlite {
    connection: Mutex<Connection>,
    folder: TempDir,
}

fn open_sqlite(folder: &TempDir, durable: bool) -> Connection {
    let connection = Connection::open(folder.path().join("facts")).expect("a database");
    let synchronous = if durable { "FULL" } else { "OFF" };
    let settings = format!(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; PRAGMA busy_timeout=60000;"
    );
    connection.execute_batch(&settings).expect("settings");
    connection
}

fn bind(v: &Val) -> Value {
    match v {
        Val::Int(number) => Value::Integer(*number),
        Val::Text(text) => Value::Text(text.clone()),
        Val::Keyword(name) => Value::Text((*name).to_owned()),
        Val::Ref(to) => Value::Integer(i64::from(*to)),
    }
}

const INSERT: &str = "INSERT INTO d VALUES (?, ?, ?)";

impl Sqlite {
    fn insert<'f>(connection: &mut Connection, facts: impl Iterator<Item = &'f (u32, usize, Val)>) {
        let transaction = connection.transaction().expect("a transaction");
        {
            let mut insert = transaction.prepare_cached(INSERT).expect("a statement");
            for (e, a, v) in facts {
                insert.execute((i64::from(*e), *a as i64, bind(v))).expect("a fact");
            }
        }
        transaction.commit().expect("a commit");
    }

    fn connection(&mut self) -> &mut Connection {
        self.connection.get_mut().expect("nobody panicked")
    }
}

impl Engine for Sqlite {
    const NAME: &'static str = "sqlite";

    fn new(_: &Set, durable: bool) -> Self {
        let folder = folder();
        let connection = open_sqlite(&folder, durable);
        let tables = "CREATE TABLE d(e INTEGER, a INTEGER, v, PRIMARY KEY(e, a, v)) WITHOUT ROWID;
            CREATE INDEX ave ON d(a, v, e); CREATE INDEX aev ON d(a, e, v);";
        connection.execute_batch(tables).expect("tables");
        Sqlite { connection: Mutex::new(connection), folder }
    }

    fn load(&mut self, set: &Set) {
        Self::insert(self.connection(), set.facts.iter());
    }

    fn entities(&mut self, set: &Set) {
        for facts in set.facts.chunk_by(|one, other| one.0 == other.0) {
            Self::insert(self.connection(), facts.iter());
        }
    }

    fn singles(&mut self, set: &Set, facts: &[usize]) {
        for at in facts {
            Self::insert(self.connection(), std::iter::once(&set.facts[*at]));
        }
    }

    fn retract(&mut self, entities: u32) {
        let connection = self.connection();
        let mut delete = connection.prepare("DELETE FROM d WHERE e=?").expect("a statement");
        for e in 1..=entities {
            delete.execute((i64::from(e),)).expect("facts");
        }
    }

    fn look_up(&self, entities: &[u32], attribute: usize) -> usize {
        let connection = self.connection.lock().expect("nobody panicked");
        let mut select =
            connection.prepare("SELECT v FROM d WHERE e=? AND a=?").expect("a statement");
        let mut found = 0;
        for e in entities {
            let mut rows = select.query((i64::from(*e), attribute as i64)).expect("facts");
            while rows.next().expect("a fact").is_some() {
                found += 1;
            }
        }
        found
    }

    fn commit(&self, _: &Set, threads: usize, each: usize) {
        std::thread::scope(|scope| {
            for thread in 0..threads {
                scope.spawn(move || {
                    let connection = open_sqlite(&self.folder, true);
                    let set = "INSERT OR REPLACE INTO d VALUES (?, 99, ?)";
                    let mut set = connection.prepare(set).expect("a statement");
                    for number in 0..each {
                        let row = (thread as i64, (threads * 1_000_000 + number) as i64);
                        set.execute(row).expect("a fact");
                    }
                });
            }
        });
    }

    fn bytes(&mut self) -> u64 {
        let connection = self.connection();
        let count = |pragma: &str| -> u64 {
            connection.query_row(pragma, (), |row| row.get::<_, i64>(0)).expect("a number") as u64
        };
        count("PRAGMA page_count") * count("PRAGMA page_size")
    }
}

/// A fact as a key: entity, attribute and value, or attribute, entity and value.
fn keys((e, a, v): &(u32, usize, Val)) -> [Vec<u8>; 2] {
    let (e, a) = (e.to_be_bytes(), [*a as u8]);
    let value: Vec<u8> = match v {
        Val::Int(number) => number.to_be_bytes().to_vec(),
        Val::Text(text) => text.as_bytes().to_vec(),
        Val::Keyword(name) => name.as_bytes().to_vec(),
        Val::Ref(to) => to.to_be_bytes().to_vec(),
    };
    [[&e[..], &a, &value].concat(), [&a[..], &e, &value].concat()]
}

/// The facts of an entity and what to remove of both orders.
fn turned(key: &[u8]) -> Vec<u8> {
    let (e, rest) = key.split_at(4.min(key.len()));
    let (a, value) = rest.split_at(1.min(rest.len()));
    [a, e, value].concat()
}

/// LMDB, both orders in one database, behind a byte that tells them apart.
pub(crate) struct Lmdb {
    env: &'static heed::Env,
    db: heed::Database<'static, Bytes, Bytes>,
    folder: TempDir,
}

/// A key of LMDB's one database.
fn ordered(order: u8, key: &[u8]) -> Vec<u8> {
    [&[order], key].concat()
}

impl Lmdb {
    fn insert<'f>(&self, facts: impl Iterator<Item = &'f (u32, usize, Val)>) {
        let mut txn = self.env.write_txn().expect("a transaction");
        for fact in facts {
            for (order, key) in (0..).zip(keys(fact)) {
                self.db.put(&mut txn, &ordered(order, &key), &[]).expect("room");
            }
        }
        txn.commit().expect("a commit");
    }
}

impl Engine for Lmdb {
    const NAME: &'static str = "lmdb";

    fn new(_: &Set, durable: bool) -> Self {
        let folder = folder();
        let mut options = EnvOpenOptions::new();
        options.map_size(MAP_BYTES);
        let flags = if durable { EnvFlags::empty() } else { EnvFlags::NO_SYNC };
        // SAFETY: the folder is new and nobody else's, so the environment is opened once and not
        // changed behind its back; nobody relies on the file after a crash.
        let env = unsafe { options.flags(flags).open(folder.path()) }.expect("a store");
        // LMDB hands out databases that borrow the environment: let it live to the end.
        let env: &'static heed::Env = Box::leak(Box::new(env));
        let txn = env.write_txn().expect("a transaction");
        let db = env.create_databases_and_commit(txn, |opener, txn| {
            opener.create_database(txn, None).map(CommitOrAbort::<_, ()>::Commit)
        });
        Lmdb { env, db: db.expect("a database").unwrap_commit(), folder }
    }

    fn load(&mut self, set: &Set) {
        self.insert(set.facts.iter());
    }

    fn entities(&mut self, set: &Set) {
        for facts in set.facts.chunk_by(|one, other| one.0 == other.0) {
            self.insert(facts.iter());
        }
    }

    fn singles(&mut self, set: &Set, facts: &[usize]) {
        for at in facts {
            self.insert(std::iter::once(&set.facts[*at]));
        }
    }

    fn retract(&mut self, entities: u32) {
        for e in 1..=entities {
            let mut txn = self.env.write_txn().expect("a transaction");
            let mut gone: Vec<Vec<u8>> = Vec::new();
            let prefix = ordered(0, &e.to_be_bytes());
            for fact in self.db.prefix_iter(&txn, &prefix).expect("facts") {
                gone.push(fact.expect("a fact").0[1..].to_vec());
            }
            for key in gone {
                self.db.delete(&mut txn, &ordered(0, &key)).expect("a fact");
                self.db.delete(&mut txn, &ordered(1, &turned(&key))).expect("a fact");
            }
            txn.commit().expect("a commit");
        }
    }

    fn look_up(&self, entities: &[u32], attribute: usize) -> usize {
        let txn = self.env.read_txn().expect("a transaction");
        let mut found = 0;
        for e in entities {
            let prefix = ordered(0, &[&e.to_be_bytes()[..], &[attribute as u8]].concat());
            found += self.db.prefix_iter(&txn, &prefix).expect("facts").count();
        }
        found
    }

    fn commit(&self, _: &Set, threads: usize, each: usize) {
        std::thread::scope(|scope| {
            for thread in 0..threads {
                scope.spawn(move || {
                    for number in 0..each {
                        let fact = (thread as u32, 99, Val::Int(number as i64));
                        self.insert(std::iter::once(&fact));
                    }
                });
            }
        });
    }

    fn bytes(&mut self) -> u64 {
        std::fs::metadata(self.folder.path().join("data.mdb")).expect("a file").len()
    }
}

const ORDERS: [TableDefinition<'_, &[u8], ()>; 2] =
    [TableDefinition::new("eav"), TableDefinition::new("aev")];

/// redb, a table for each order.
pub(crate) struct Redb {
    db: redb::Database,
    durable: bool,
    folder: TempDir,
}

impl Redb {
    fn begin(&self) -> redb::WriteTransaction {
        let mut txn = self.db.begin_write().expect("a transaction");
        if !self.durable {
            txn.set_durability(Durability::None).expect("no savepoint is open");
        }
        txn
    }

    fn insert<'f>(&self, facts: impl Iterator<Item = &'f (u32, usize, Val)>) {
        let txn = self.begin();
        {
            let mut tables = ORDERS.map(|order| txn.open_table(order).expect("a table"));
            for fact in facts {
                for (table, key) in tables.iter_mut().zip(keys(fact)) {
                    table.insert(key.as_slice(), ()).expect("room");
                }
            }
        }
        txn.commit().expect("a commit");
    }
}

impl Engine for Redb {
    const NAME: &'static str = "redb";

    fn new(_: &Set, durable: bool) -> Self {
        let folder = folder();
        let mut options = redb::Database::builder();
        options.set_cache_size(1 << 30);
        let db = options.create(folder.path().join("facts")).expect("a database");
        Redb { db, durable, folder }
    }

    fn load(&mut self, set: &Set) {
        self.insert(set.facts.iter());
    }

    fn entities(&mut self, set: &Set) {
        for facts in set.facts.chunk_by(|one, other| one.0 == other.0) {
            self.insert(facts.iter());
        }
    }

    fn singles(&mut self, set: &Set, facts: &[usize]) {
        for at in facts {
            self.insert(std::iter::once(&set.facts[*at]));
        }
    }

    fn retract(&mut self, entities: u32) {
        for e in 1..=entities {
            let txn = self.begin();
            {
                let [mut eav, mut aev] =
                    ORDERS.map(|order| txn.open_table(order).expect("a table"));
                let (from, to) = (e.to_be_bytes(), (e + 1).to_be_bytes());
                let gone: Vec<Vec<u8>> = eav
                    .range(&from[..]..&to[..])
                    .expect("facts")
                    .map(|fact| fact.expect("a fact").0.value().to_vec())
                    .collect();
                for key in gone {
                    eav.remove(key.as_slice()).expect("a fact");
                    aev.remove(turned(&key).as_slice()).expect("a fact");
                }
            }
            txn.commit().expect("a commit");
        }
    }

    fn look_up(&self, entities: &[u32], attribute: usize) -> usize {
        let txn = self.db.begin_read().expect("a transaction");
        let eav = txn.open_table(ORDERS[0]).expect("a table");
        let mut found = 0;
        for e in entities {
            let from = [&e.to_be_bytes()[..], &[attribute as u8]].concat();
            let to = [&e.to_be_bytes()[..], &[attribute as u8 + 1]].concat();
            found += eav.range(from.as_slice()..to.as_slice()).expect("facts").count();
        }
        found
    }

    fn commit(&self, _: &Set, threads: usize, each: usize) {
        std::thread::scope(|scope| {
            for thread in 0..threads {
                scope.spawn(move || {
                    for number in 0..each {
                        let fact = (thread as u32, 99, Val::Int(number as i64));
                        self.insert(std::iter::once(&fact));
                    }
                });
            }
        });
    }

    fn bytes(&mut self) -> u64 {
        self.db.compact().expect("a compaction");
        std::fs::metadata(self.folder.path().join("facts")).expect("a file").len()
    }
}
