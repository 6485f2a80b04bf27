//! `datom fork` and `datom merge`: branches of a world.

use daodb::{Conflict, Error, Resolution};
use datom::Value;

use super::Outcome;
use crate::cli::{self, Resolve};
use crate::fault::Fault;
use crate::render::Output;
use crate::reporter::Reporter;
use crate::world::World;

const COLUMNS: [&str; 4] = ["fork", "base", "head", "own"];

pub(super) fn fork(arguments: &cli::Fork) -> Outcome {
    let world = World::open(&arguments.dir)?;
    let database = world.database();
    let Some(name) = &arguments.name else {
        let rows = database.forks()?.into_iter().map(|fork| {
            let own = fork.head - fork.base;
            vec![Value::text(&fork.name), count(fork.base), count(fork.head), count(own)]
        });
        let columns = COLUMNS.map(str::to_owned).to_vec();
        let rows = rows.collect();
        return Ok(Output::Table { columns, rows }.print(arguments.format)?);
    };
    if arguments.retract {
        let report = open(&world, name)?.retract()?;
        Reporter::telling().committed("retracted", format_args!("fork {name}"), report.t);
        return Ok(());
    }
    let fork = database.fork(name, arguments.at)?;
    let t = database.db()?.basis();
    Reporter::telling().committed("forked", format_args!("{name} at {}", fork.base()), t);
    Ok(())
}

pub(super) fn merge(arguments: &cli::Merge) -> Outcome {
    let world = World::open(&arguments.dir)?;
    let fork = open(&world, &arguments.name)?;
    let policy = |conflict: &Conflict| match arguments.resolve {
        None => daodb::refuse(conflict),
        Some(Resolve::Ours) => Resolution::Ours,
        Some(Resolve::Theirs) => Resolution::Theirs,
    };
    let report = match fork.merge(&policy) {
        Ok(report) => report,
        Err(Error::Conflicts { conflicts, .. }) => return refused(&world, arguments, &conflicts),
        Err(error) => return Err(error.into()),
    };
    match report {
        Some(report) => {
            let facts = format_args!("{} facts of {}", report.datoms.len(), fork.name());
            Reporter::telling().committed("merged", facts, report.t);
        }
        None => Reporter::telling().tell("merged", "nothing: the fork has no news"),
    }
    Ok(())
}

/// Conflicts are a result: whoever resolves them reads them from standard output.
fn refused(world: &World, arguments: &cli::Merge, conflicts: &[Conflict]) -> Outcome {
    let db = world.database().db()?;
    let mut rows = Vec::with_capacity(conflicts.len());
    for conflict in conflicts {
        let side = |value: &Option<Value>| value.clone().unwrap_or(Value::Nil);
        rows.push(vec![
            crate::sight::entity(&db, conflict.entity)?,
            Value::Keyword(conflict.attribute.clone()),
            side(&conflict.base),
            side(&conflict.ours),
            side(&conflict.theirs),
        ]);
    }
    let columns = ["entity", "attribute", "base", "ours", "theirs"].map(str::to_owned).to_vec();
    Output::Table { columns, rows }.print(arguments.format)?;
    let number = conflicts.len();
    let conflicts = if number == 1 { "conflict" } else { "conflicts" };
    Err(Fault::new(format!("{number} {conflicts}; nothing was merged"))
        .help("--resolve ours or --resolve theirs, or make the values agree on either side")
        .into())
}

/// A fork that must be there.
pub(crate) fn open(world: &World, name: &str) -> Result<daodb::Fork, Box<Fault>> {
    world.database().open_fork(name)?.ok_or_else(|| {
        Fault::new(format!("there is no fork {name}"))
            .help(format!("`datom fork {}` lists them", world.dir().display()))
            .into()
    })
}

fn count(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}
