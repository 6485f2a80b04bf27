//! `datom diff`: the facts added and removed between two moments.

use daodb::Db;
use datom::{Datom, Value};

use super::Outcome;
use crate::cli;
use crate::fault::Fault;
use crate::render::Output;
use crate::sight;
use crate::world::World;

const COLUMNS: [&str; 4] = ["change", "entity", "attribute", "value"];

pub(super) fn diff(arguments: &cli::Diff) -> Outcome {
    let world = World::open(&arguments.dir)?;
    let db = world.database().db()?;
    for t in [arguments.from, arguments.to] {
        if t > db.basis() {
            return Err(Fault::new(format!("there is no transaction {t} yet"))
                .help(format!("transactions run from 1 to {}", db.basis()))
                .into());
        }
    }
    let difference = world.database().diff(arguments.from, arguments.to)?;
    let mut rows = Vec::new();
    for (change, datoms) in [("removed", &difference.removed), ("added", &difference.added)] {
        for datom in datoms {
            rows.push(row(&db, change, datom)?);
        }
    }
    let columns = COLUMNS.map(str::to_owned).to_vec();
    Ok(Output::Table { columns, rows }.print(arguments.format)?)
}

fn row(db: &Db, change: &str, datom: &Datom) -> Result<Vec<Value>, Box<Fault>> {
    Ok(vec![
        Value::keyword(change),
        sight::entity(db, datom.e)?,
        sight::entity(db, datom.a)?,
        db.value(datom.v)?,
    ])
}
