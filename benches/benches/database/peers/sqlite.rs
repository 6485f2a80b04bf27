//! SQLite on a file with a write-ahead log.

use std::sync::Mutex;

use benches::datalog::{Set, Val};
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use crate::{Engine, Kept};

/// One table of facts, three covering orders.
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
        let folder = super::folder();
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
}

impl Kept for Sqlite {
    fn retract(&mut self, entities: u32) {
        let connection = self.connection();
        let mut delete = connection.prepare("DELETE FROM d WHERE e=?").expect("a statement");
        for e in 1..=entities {
            delete.execute((i64::from(e),)).expect("facts");
        }
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
