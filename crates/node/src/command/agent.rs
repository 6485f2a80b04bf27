//! `datom agents`, `datom agent`: programs that outlive their processes.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datom::{Value, edn};
use yin::{Level, Limits, Machine, NoFacts};

use super::step::{self, Walk};
use super::{Outcome, repl};
use crate::agent::presence::{self, Presence};
use crate::agent::travel::{Standing, Travel};
use crate::agent::{self, CANCELLED, DONE, FAILED, PAUSED, RUNNING, Record};
use crate::cli;
use crate::fault::Fault;
use crate::program;
use crate::render::Output;
use crate::reporter::Reporter;
use crate::runner::{Grants, Runner};
use crate::world::World;

pub(super) fn agents(arguments: &cli::World) -> Outcome {
    let world = World::open(&arguments.dir)?;
    Ok(listed(&world)?.print(cli::Format::Auto)?)
}

/// The agents of a world: who there is, what each does, and what it waits for.
pub(super) fn listed(world: &World) -> Result<Output, Box<Fault>> {
    const COLUMNS: [&str; 6] = ["agent", "status", "program", "asked for", "kept", "process"];
    let db = world.database().db()?;
    let mut rows = Vec::new();
    for name in names(&db)? {
        let Some(found) = Presence::of(world.database(), world.dir(), &name)? else { continue };
        let program = found.record.program().map(|program| db.entity(&program)).transpose()?;
        let program = program.flatten().map(|program| program.get("yin.program/name"));
        rows.push(vec![
            Value::text(&name),
            Value::Keyword(found.status),
            program.transpose()?.flatten().unwrap_or(Value::Nil),
            found.record.get("waits-for").cloned().unwrap_or(Value::Nil),
            found.kept,
            found.process.map_or(Value::Nil, Value::Int),
        ]);
    }
    Ok(Output::Table { columns: COLUMNS.map(str::to_owned).to_vec(), rows })
}

pub(super) fn agent(arguments: &cli::Agent) -> Outcome {
    if let cli::Agent::Facts { dir, names } = arguments {
        return facts(&World::open(dir)?, names);
    }
    one(arguments)
}

/// The names of all agents, in their order.
pub(super) fn names(db: &daodb::Db) -> Result<Vec<String>, Box<Fault>> {
    const NAMES: &str = "[:find [?name ...] :where [_ :agent/name ?name]]";
    let query =
        daodb::Query::parse(NAMES).map_err(|error| Fault::in_query(&error.into(), NAMES))?;
    let all = db.query(&query, &[])?.to_value();
    let all = all.as_slice().unwrap_or(&[]);
    let mut names: Vec<String> = all.iter().filter_map(Value::as_text).map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

/// States where agents stand as facts.
fn facts(world: &World, names: &[String]) -> Outcome {
    world.state_schema(None)?;
    let database = world.database();
    let names = match names {
        [] => self::names(&database.db()?)?,
        names => names.to_vec(),
    };
    let reporter = Reporter::telling();
    for name in &names {
        match agent::stated::state(database, name)? {
            Some(t) => reporter.committed("facts", format_args!("where {name} stands"), t),
            None => reporter.tell("facts", format_args!("of {name}: nothing new")),
        }
    }
    Ok(())
}

fn one(arguments: &cli::Agent) -> Outcome {
    let (cli::Agent::Show(which)
    | cli::Agent::Pause(which)
    | cli::Agent::Resume(which)
    | cli::Agent::Cancel(which)
    | cli::Agent::Replay(which)
    | cli::Agent::Migrate { agent: which, .. }
    | cli::Agent::Step(which)
    | cli::Agent::At { agent: which, .. }) = arguments
    else {
        return Ok(());
    };
    let world = World::open(&which.dir)?;
    world.state_schema(None)?;
    let db = world.database().db()?;
    let record = Record::of(&db, &which.name)?.ok_or_else(|| {
        Fault::new(format!("there is no agent {}", which.name))
            .help("`datom agents` lists those there are")
    })?;
    match arguments {
        cli::Agent::At { step: Some(step), .. } => at(world.database(), &which.name, *step),
        cli::Agent::At { t: Some(moment), .. } => {
            then(&world, &which.name, &record, moment.t(world.database())?)
        }
        cli::Agent::Step(_) if io::stdin().is_terminal() => repl::at_agent(&world, &which.name),
        cli::Agent::Step(_) => {
            let mut walk = Walk::begin(world.database(), &which.name, Arc::default())?;
            step::recite(&mut walk, io::stdin().lock())
        }
        cli::Agent::Facts { .. } => Ok(()),
        cli::Agent::Show(_) | cli::Agent::At { .. } => {
            let now = Presence::of(world.database(), world.dir(), &which.name)?;
            let Some(now) = now else { return Ok(()) };
            let of_now = [
                Some(("status", Value::Keyword(now.status))),
                Some(("kept", now.kept)),
                now.process.map(|process| ("process", Value::Int(process))),
            ];
            show(&db, &now.record, of_now.into_iter().flatten())
        }
        cli::Agent::Replay(_) => replay(world.database(), &which.name),
        cli::Agent::Migrate { fuel, format, .. } => {
            Ok(Output::from_value(migrate(&world, &which.name, &record, *fuel)?).print(*format)?)
        }
        cli::Agent::Pause(_) => tell(&world, &which.name, &record, PAUSED),
        cli::Agent::Cancel(_) => tell(&world, &which.name, &record, CANCELLED),
        cli::Agent::Resume(_) => tell(&world, &which.name, &record, RUNNING),
    }
}

/// Says what an agent is to do, unless it has ended.
fn tell(world: &World, name: &str, record: &Record, status: &str) -> Outcome {
    if matches!(record.status(), DONE | FAILED | CANCELLED) {
        let how = record.status().trim_start_matches("agent.status/");
        return Err(Fault::new(format!("the agent {name} has ended: it is {how}")).into());
    }
    agent::tell(world.database(), name, status)
}

/// Where the program of an agent stood at a step.
fn at(database: &daodb::Database, name: &str, step: u64) -> Outcome {
    let mut travel = Travel::begin(database, name)?;
    travel.go_to(step, &AtomicBool::new(false))?;
    let (kind, what) = match travel.standing() {
        Standing::Runs => ("runs", None),
        Standing::Asks { op, args, .. } => {
            let asked = [Value::Keyword(op.clone()), Value::Vector(args.clone())];
            ("asks", Some(Value::Vector(asked.to_vec())))
        }
        Standing::Ended(Ok(value)) => ("done", Some(value.clone())),
        Standing::Ended(Err(error)) => ("failed", Some(Value::text(&error.to_string()))),
    };
    let calls = travel.levels().iter().map(call).collect();
    let mut shown = vec![
        (Value::keyword("step"), Value::Int(travel.step().cast_signed())),
        (Value::keyword("standing"), Value::keyword(kind)),
        (Value::keyword("calls"), Value::Vector(calls)),
    ];
    shown.extend(what.map(|what| (Value::keyword("what"), what)));
    shown.extend(travel.hash().map(|hash| (Value::keyword("state-hash"), Value::Hash(hash))));
    Ok(Output::Value(Value::map(shown)).print(cli::Format::Auto)?)
}

/// Goes on with an agent here, as it is allowed to do where it is now.
fn migrate(world: &World, name: &str, record: &Record, fuel: u64) -> Result<Value, Box<Fault>> {
    let database = world.database();
    let lacks = |what: &str| Fault::new(format!("the world does not say {what} of {name}"));
    let program = record.program().ok_or_else(|| lacks("the program"))?;
    let stored = program::stored(&database.db()?, &program)?;
    let rights = record.rights().ok_or_else(|| {
        lacks("the rights").help("`datom run --durable` goes on with it and states them")
    })?;
    let by = stored.program.name().to_owned();
    let grants = Grants::of_rights(&rights)?;
    let reporter = Reporter::telling();
    let mut runner = Runner::new(world, reporter, &by, Some(stored.entity), &grants)?;
    if rights.get("live") == Some(&Value::Bool(true)) {
        runner.follow_functions()?;
    }
    let interrupt = runner.interrupt();
    ctrlc::set_handler(move || interrupt.store(true, Ordering::Relaxed)).map_err(Fault::new)?;
    agent::turn(database, name, (PAUSED, RUNNING))?;
    runner.run_durable(&stored, name, fuel)
}

/// Steps that a replay takes at most.
const REPLAY_FUEL: u64 = 1 << 40;

fn replay(database: &daodb::Database, name: &str) -> Outcome {
    let done = agent::replay::replay(database, name, REPLAY_FUEL)?;
    let shown = Value::map([
        (Value::keyword("requests"), Value::Int(done.requests as i64)),
        (Value::keyword("ended"), Value::Bool(done.ended)),
        (Value::keyword("state-hash"), Value::Hash(done.hash)),
    ]);
    Ok(Output::Value(shown).print(cli::Format::Auto)?)
}

/// Where it stood after a transaction.
fn then(world: &World, name: &str, record: &Record, t: u64) -> Outcome {
    let db = world.database().db()?;
    if let Some((first, when)) = presence::began(&db, record)?
        && t < first
    {
        let message = format!("the agent {name} had not begun after transaction {t}");
        let when = format!("it began with transaction {first}, at {when}");
        return Err(Fault::new(message).help(when).into());
    }
    let db = db.as_of(t);
    let Some(record) = Record::of(&db, name)? else { return Ok(()) };
    let status = record.get("status").cloned();
    show(&db, &record, status.into_iter().map(|status| ("status", status)))
}

/// Where it stands, and with what.
fn show(
    db: &daodb::Db,
    record: &Record,
    more: impl Iterator<Item = (&'static str, Value)>,
) -> Outcome {
    let known = ["name", "epoch", "request", "answer", "result"];
    let mut shown: Vec<(Value, Value)> = known
        .iter()
        .filter_map(|&key| Some((Value::keyword(key), record.get(key)?.clone())))
        .map(|(key, value)| match value.as_text().map(edn::read) {
            Some(Ok(read)) if key != Value::keyword("name") => (key, read),
            _ => (key, value),
        })
        .collect();
    shown.extend(more.map(|(key, value)| (Value::keyword(key), value)));
    if let Some(state) = record.state()? {
        let mut machine = Machine::new(NoFacts, Limits::default());
        machine.restore(&state, |hash| agent::program(db, hash))?;
        let calls = machine.levels().iter().map(call).collect();
        shown.push((Value::keyword("calls"), Value::Vector(calls)));
        shown.push((Value::keyword("state-hash"), Value::Hash(state.hash())));
    }
    Ok(Output::Value(Value::map(shown)).print(cli::Format::Auto)?)
}

fn call(level: &Level) -> Value {
    let at = level.position.as_ref().map_or(Value::Nil, |at| Value::text(&at.to_string()));
    let names =
        level.names.iter().map(|(name, value)| (Value::Symbol(name.clone()), value.clone()));
    Value::map([
        (Value::keyword("function"), Value::text(&level.function)),
        (Value::keyword("at"), at),
        (Value::keyword("names"), Value::map(names)),
    ])
}
