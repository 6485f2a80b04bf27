//! How the database is looked at: moments, and answers as output.

use daodb::{Answer, Database, Db};
use datom::Value;

use crate::cli::{Moment, View};
use crate::command::fork;
use crate::fault::Fault;
use crate::render::Output;
use crate::world::World;

/// The database, or a fork of it, at the moments that the command line names.
pub(crate) fn look(world: &World, view: &View) -> Result<Db, Box<Fault>> {
    let mut db = match &view.fork {
        Some(name) => fork::open(world, name)?.db()?,
        None => world.database().db()?,
    };
    db = match view.as_of {
        Some(Moment::Transaction(t)) => db.as_of(t),
        Some(Moment::Instant(instant)) => db.as_of_instant(instant)?,
        None => db,
    };
    db = match view.since {
        Some(Moment::Transaction(t)) => db.since(t),
        Some(Moment::Instant(instant)) => db.since_instant(instant)?,
        None => db,
    };
    Ok(if view.history { db.history() } else { db })
}

impl Moment {
    /// Its transaction.
    pub(crate) fn t(self, database: &Database) -> Result<u64, Box<Fault>> {
        let db = database.db()?;
        match self {
            Moment::Transaction(t) if t > db.basis() => {
                Err(Fault::new(format!("transactions run to {}, not to {t}", db.basis())).into())
            }
            Moment::Transaction(t) => Ok(t),
            Moment::Instant(instant) => Ok(db.t_at(instant)?),
        }
    }
}

/// An entity by its ident where it has one, else by its number.
pub(crate) fn entity(db: &Db, entity: u64) -> Result<Value, Box<Fault>> {
    Ok(db.ident_of(entity)?.map_or(Value::Ref(entity), Value::Keyword))
}

/// What names a reason, where something does; else all that is known of it.
pub(crate) fn reason(known: Value) -> Value {
    if let Some(ident) = known.get("db/ident") {
        return ident.clone();
    }
    match known.get("db.fork/name") {
        Some(name) => Value::Vector(vec![Value::keyword("db.fork/name"), name.clone()]),
        None => known,
    }
}

/// An answer as it is shown. Rows that have no order of their own are shown in that of their values.
pub(crate) fn of_answer(answer: Answer) -> Output {
    match answer {
        Answer::Relation { columns, rows, ordered, .. } => {
            let mut rows: Vec<Vec<Value>> = rows.iter().map(|row| row.to_vec()).collect();
            if !ordered {
                rows.sort();
            }
            Output::Table { columns, rows }
        }
        other => Output::from_value(other.to_value()),
    }
}
