//! `datom diff`: the facts added and removed between two moments.

use daodb::Db;
use datom::{Datom, Value};

use super::{Outcome, fork};
use crate::cli;
use crate::fault::Fault;
use crate::render::Output;
use crate::sight;
use crate::world::World;

const COLUMNS: [&str; 4] = ["change", "entity", "attribute", "value"];

pub(super) fn diff(arguments: &cli::Diff) -> Outcome {
    let world = World::open(&arguments.dir)?;
    if let Some(name) = &arguments.fork {
        let fork = fork::open(&world, name)?;
        return show(arguments, &fork.db()?, &fork.diff()?);
    }
    let db = world.database().db()?;
    let (from, to) = (arguments.from.unwrap_or(0), arguments.to.unwrap_or(db.basis()));
    for t in [from, to] {
        if t > db.basis() {
            return Err(Fault::new(format!("there is no transaction {t} yet"))
                .help(format!("transactions run from 1 to {}", db.basis()))
                .into());
        }
    }
    show(arguments, &db, &world.database().diff(from, to)?)
}

fn show(arguments: &cli::Diff, db: &Db, difference: &daodb::Diff) -> Outcome {
    let mut rows = Vec::new();
    for (change, datoms) in [("removed", &difference.removed), ("added", &difference.added)] {
        for datom in datoms {
            rows.push(row(db, change, datom)?);
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
