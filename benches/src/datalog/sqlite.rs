//! Sets and cases in SQLite.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Result};

use super::{Set, Val};

/// A database in memory, and until when its query may run.
pub struct Held {
    connection: Connection,
    until: Arc<Mutex<Option<Instant>>>,
}

impl Held {
    fn new() -> Result<Self> {
        let mut connection = Connection::open_in_memory()?;
        let until = Arc::new(Mutex::new(None));
        let seen = until.clone();
        let over = move || {
            let until = *seen.lock().unwrap_or_else(PoisonError::into_inner);
            until.is_some_and(|until| Instant::now() >= until)
        };
        connection.progress_handler(100_000, Some(over))?;
        Ok(Self { connection, until })
    }
}

/// A database in memory that holds the set as one table of facts, with covering indexes.
///
/// # Errors
/// When SQLite refuses.
pub fn eav(set: &Set) -> Result<Held> {
    let mut held = Held::new()?;
    let connection = &mut held.connection;
    connection.execute_batch(
        "CREATE TABLE d(e INTEGER, a INTEGER, v, PRIMARY KEY(e, a, v)) WITHOUT ROWID;",
    )?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT INTO d VALUES (?, ?, ?)")?;
        for (e, a, v) in &set.facts {
            let value = match v {
                Val::Int(n) => Value::Integer(*n),
                Val::Text(text) => Value::Text(text.clone()),
                Val::Keyword(name) => Value::Text((*name).to_owned()),
                Val::Ref(to) => Value::Integer(i64::from(*to)),
            };
            insert.execute((i64::from(*e), *a as i64, value))?;
        }
    }
    transaction.commit()?;
    connection.execute_batch(
        "CREATE INDEX ave ON d(a, v, e); CREATE INDEX aev ON d(a, e, v); ANALYZE;",
    )?;
    Ok(held)
}

/// The set in tables as a user of SQL would have them.
///
/// # Errors
/// When SQLite refuses.
pub fn tables(set: &Set) -> Result<Held> {
    let held = eav(set)?;
    held.connection.execute_batch(&numbered(set, set.tables))?;
    held.connection.execute_batch("DROP TABLE d; ANALYZE;")?;
    Ok(held)
}

/// SQL with the names of attributes replaced by their numbers.
#[must_use]
pub fn numbered(set: &Set, sql: &str) -> String {
    let mut names: Vec<(usize, &str)> =
        set.schema.iter().enumerate().map(|(at, attribute)| (at, attribute.name)).collect();
    // A name may begin another one.
    names.sort_by_key(|(_, name)| std::cmp::Reverse(name.len()));
    names
        .into_iter()
        .fold(sql.to_owned(), |sql, (at, name)| sql.replace(&format!(":{name}"), &at.to_string()))
}

/// Runs a query and reads every value; the number of rows. `None` when it took longer than allowed.
///
/// # Errors
/// When SQLite refuses.
pub fn fetch(held: &Held, sql: &str, allowed: Duration) -> Result<Option<usize>> {
    let until = Some(Instant::now() + allowed);
    *held.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    let mut statement = held.connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut count = 0;
    loop {
        match rows.next() {
            Ok(Some(row)) => {
                for column in 0..columns {
                    match row.get_ref(column)? {
                        ValueRef::Text(text) => {
                            std::hint::black_box(text);
                        }
                        other => {
                            std::hint::black_box(other);
                        }
                    }
                }
                count += 1;
            }
            Ok(None) => return Ok(Some(count)),
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Every row of a query, as text.
///
/// # Errors
/// When SQLite refuses.
pub fn rows(held: &Held, sql: &str) -> Result<Vec<Vec<String>>> {
    let mut statement = held.connection.prepare(sql)?;
    let columns = statement.column_count();
    let text = |value: ValueRef<'_>| match value {
        ValueRef::Integer(n) => n.to_string(),
        ValueRef::Real(float) => format!("{float:.6}"),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    };
    let rows = statement
        .query_map([], |row| (0..columns).map(|column| row.get_ref(column).map(text)).collect())?;
    rows.collect()
}
