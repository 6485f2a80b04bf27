//! How the database is looked at: moments, and answers as output.

use daodb::{Answer, Db};
use datom::Value;

use crate::cli::View;
use crate::fault::Fault;
use crate::render::Output;

/// The database at the moments that the command line names.
pub(crate) fn look(db: &Db, view: View) -> Db {
    let db = view.as_of.map_or_else(|| db.clone(), |t| db.as_of(t));
    let db = view.since.map_or_else(|| db.clone(), |t| db.since(t));
    if view.history { db.history() } else { db }
}

/// An entity by its ident where it has one, else by its number.
pub(crate) fn entity(db: &Db, entity: u64) -> Result<Value, Box<Fault>> {
    Ok(db.ident_of(entity)?.map_or(Value::Ref(entity), Value::Keyword))
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
