//! `datom agents`, `datom agent`: programs that outlive their processes.

use std::sync::atomic::Ordering;

use datom::{Value, edn};
use yin::{Level, Limits, Machine, NoFacts};

use super::{Outcome, step};
use crate::agent::travel::{Standing, Travel};
use crate::agent::{self, CANCELLED, DONE, FAILED, PAUSED, RUNNING, Record};
use crate::cli;
use crate::fault::Fault;
use crate::program;
use crate::render::Output;
use crate::reporter::Reporter;
use crate::runner::{Grants, Runner};
use crate::sight;
use crate::world::World;

/// Who there is, what each does, and what it waits for.
const AGENTS: &str = "[:find ?name ?status ?program ?op
  :where [?a :agent/name ?name] [?a :agent/status ?status]
         [?a :agent/program ?p] [?p :yin.program/name ?program]
         [(get-else $ ?a :agent/waits-for :none) ?op]]";

pub(super) fn agents(arguments: &cli::World) -> Outcome {
    let world = World::open(&arguments.dir)?;
    let query =
        daodb::Query::parse(AGENTS).map_err(|error| Fault::in_query(&error.into(), AGENTS))?;
    let answer = world.database().db()?.query(&query, &[])?;
    Ok(sight::of_answer(answer).print(cli::Format::Auto)?)
}

pub(super) fn agent(arguments: &cli::Agent) -> Outcome {
    if let cli::Agent::Facts { dir, names } = arguments {
        return facts(&World::open(dir)?, names);
    }
    one(arguments)
}

/// States where agents stand as facts.
fn facts(world: &World, names: &[String]) -> Outcome {
    const NAMES: &str = "[:find [?name ...] :where [_ :agent/name ?name]]";
    world.state_schema(None)?;
    let database = world.database();
    let mut names = names.to_vec();
    if names.is_empty() {
        let query =
            daodb::Query::parse(NAMES).map_err(|error| Fault::in_query(&error.into(), NAMES))?;
        let all = database.db()?.query(&query, &[])?.to_value();
        let all = all.as_slice().unwrap_or(&[]);
        names = all.iter().filter_map(Value::as_text).map(str::to_owned).collect();
    }
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
    let db = match arguments {
        cli::Agent::At { t: Some(t), .. } => db.as_of(*t),
        _ => db,
    };
    let record = Record::of(&db, &which.name)?.ok_or_else(|| {
        Fault::new(format!("there is no agent {}", which.name))
            .help("`datom agents` lists those there are")
    })?;
    match arguments {
        cli::Agent::At { step: Some(step), .. } => at(world.database(), &which.name, *step),
        cli::Agent::Step(_) => step::converse(Travel::begin(world.database(), &which.name)?),
        cli::Agent::Facts { .. } => Ok(()),
        cli::Agent::Show(_) | cli::Agent::At { .. } => show(&db, &record),
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
    travel.go_to(step)?;
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

/// Where it stands, and with what.
fn show(db: &daodb::Db, record: &Record) -> Outcome {
    let known = ["name", "status", "epoch", "request", "answer", "result"];
    let mut shown: Vec<(Value, Value)> = known
        .iter()
        .filter_map(|&key| Some((Value::keyword(key), record.get(key)?.clone())))
        .map(|(key, value)| match value.as_text().map(edn::read) {
            Some(Ok(read)) if key != Value::keyword("name") => (key, read),
            _ => (key, value),
        })
        .collect();
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
