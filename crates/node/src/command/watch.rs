//! `datom watch`: what each commit changes of an answer, a line each, as it happens.

use std::io::{self, Write};

use daodb::Change;
use datom::Value;

use super::{Outcome, query};
use crate::cli;
use crate::fault::Fault;
use crate::world::World;

pub(super) fn watch(arguments: &cli::Watch) -> Outcome {
    let refused = |error: daodb::Error| Fault::in_query(&error, &arguments.query);
    let query = daodb::Query::parse(&arguments.query).map_err(|error| refused(error.into()))?;
    let inputs = query::inputs(&arguments.inputs)?;
    let world = World::open(&arguments.dir)?;
    let database = world.database();
    let mut left = arguments.count.unwrap_or(u64::MAX);
    let mut subscription = match arguments.since {
        Some(t) => database.subscribe_from(t, &query, &inputs),
        None => database.subscribe(&query, &inputs),
    }
    .map_err(refused)?;
    if arguments.since.is_none() {
        let rows: Vec<Value> = subscription.rows().map(|row| Value::Vector(row.to_vec())).collect();
        let first = [(Value::keyword("t"), t(subscription.t())), (added(), Value::Vector(rows))];
        if !print(&Value::map(first))? {
            return Ok(());
        }
    }
    while left > 0 {
        let Some(change) = subscription.next(None).map_err(refused)? else { continue };
        if !print(&to_value(change))? {
            return Ok(());
        }
        left -= 1;
    }
    Ok(())
}

fn t(t: u64) -> Value {
    Value::Int(i64::try_from(t).unwrap_or(i64::MAX))
}

fn added() -> Value {
    Value::keyword("added")
}

fn to_value(change: Change) -> Value {
    let rows = |rows: Vec<Vec<Value>>| Value::Vector(rows.into_iter().map(Value::Vector).collect());
    Value::map([
        (Value::keyword("t"), t(change.t)),
        (Value::keyword("instant"), Value::Instant(change.instant)),
        (added(), rows(change.added)),
        (Value::keyword("removed"), rows(change.removed)),
    ])
}

/// False when nobody reads any more.
fn print(value: &Value) -> Result<bool, Box<Fault>> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{value}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}
