//! `datom run`: a program, from its text to its answer.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use datom::{Keyword, Value};
use shibi::Token;

use super::Outcome;
use super::token::operation_named;
use crate::cli;
use crate::fault::Fault;
use crate::live;
use crate::program::{self, Stored};
use crate::render::Output;
use crate::reporter::Reporter;
use crate::runner::{
    self, Crew, Ended, GROUP_MAX, Grants, Group, Plan, Runner, harmless, only_of_a_crew,
};
use crate::world::World;

pub(super) fn run(arguments: &cli::Run) -> Outcome {
    let started = Instant::now();
    let reporter = Reporter::telling();
    let name = arguments.file.display().to_string();
    // The file is read first, so that a mistyped name makes no world.
    let text = match arguments.as_of {
        None => fs::read_to_string(&arguments.file).map_err(|error| {
            Fault::new(format!("cannot read the program {name}: {error}"))
                .help("the first argument is the world, the second the program")
        })?,
        Some(_) => String::new(),
    };
    let world = World::open_or_create(&arguments.dir)?;
    reporter.tell("world", format_args!("{}", arguments.dir.display()));

    let as_of = arguments.as_of.map(|moment| moment.t(world.database())).transpose()?;
    let stored = match as_of {
        None => program::store(world.database(), reporter, &name, &text)?,
        Some(t) => program::newest(&world.database().db()?.as_of(t), &name)?,
    };
    let mut programs = vec![stored.program.clone()];
    for file in &arguments.with {
        let name = file.display().to_string();
        let text = fs::read_to_string(file)
            .map_err(|error| Fault::new(format!("cannot read the program {name}: {error}")))?;
        programs.push(program::store(world.database(), reporter, &name, &text)?.program);
    }
    let grants = grants(arguments, &programs)?;
    let by = name.as_str();
    let runner = || match as_of {
        None => Runner::new(&world, reporter, by, Some(stored.entity), &grants),
        Some(t) => Runner::as_of(&world, reporter, by, Some(stored.entity), &grants, t),
    };
    if arguments.live && stored.is_new {
        live::publish(world.database(), reporter, &stored.program)?;
    }
    let args = Value::Vector(arguments.args.iter().map(|arg| Value::text(arg)).collect());
    let is_alone = arguments.durable.is_some() || as_of.is_some();
    let is_asked = arguments.agents.is_some() || arguments.threads.is_some() || programs.len() > 1;
    let outcome = if let (Some(group), Some(agents)) = (&arguments.durable, arguments.agents) {
        if agents > GROUP_MAX {
            let message = format!("a group has at most {GROUP_MAX} agents, not {agents}");
            return Err(Fault::usage(message).help("each has a thread of its own").into());
        }
        let runners =
            (0..agents).map(|_| followed(arguments, runner()?)).collect::<Result<_, _>>()?;
        run_group(arguments, Group::new(group, &stored, runners, &args)?)
    } else if !is_alone && (is_asked || only_of_a_crew(&stored.program).is_some()) {
        run_crew(arguments, &mut runner()?, &stored, args)
    } else {
        run_alone(arguments, followed(arguments, runner()?)?, &stored, &args)
    };
    reporter.tell("done", format_args!("{} ms", started.elapsed().as_millis()));
    outcome
}

/// A runner that does as it is asked to beside running the program.
fn followed(arguments: &cli::Run, mut runner: Runner) -> Result<Runner, Box<Fault>> {
    if arguments.live {
        runner.follow_functions()?;
    }
    if let Some(every) = arguments.trace {
        runner.sample(every);
    }
    Ok(runner)
}

fn run_alone(arguments: &cli::Run, mut runner: Runner, stored: &Stored, args: &Value) -> Outcome {
    runner.define("args", args)?;
    let interrupt = runner.interrupt();
    ctrlc::set_handler(move || interrupt.store(true, Ordering::Relaxed)).map_err(Fault::new)?;
    let value = match &arguments.durable {
        None => runner.run(&stored.program, arguments.fuel)?,
        Some(agent) => runner.run_durable(stored, agent, arguments.fuel)?,
    };
    Ok(Output::from_value(value).print(arguments.format)?)
}

/// Runs the agents of a group, and prints what they end with.
fn run_group(arguments: &cli::Run, group: Group<'_>) -> Outcome {
    let interrupts = group.interrupts();
    ctrlc::set_handler(move || runner::stop(&interrupts)).map_err(Fault::new)?;
    let ended = group.work(arguments.fuel);
    for (number, why) in &ended.errors {
        Reporter::telling().tell("left", format_args!("agent {number}: {why}"));
    }
    print(arguments, ended)
}

/// Runs the program by agents, and prints what they end with.
fn run_crew(arguments: &cli::Run, runner: &mut Runner, stored: &Stored, args: Value) -> Outcome {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let plan = Plan {
        agents: arguments.agents.unwrap_or(1) as usize,
        threads: arguments.threads.map_or_else(cores, usize::from),
        fuel: arguments.fuel,
        is_live: arguments.live,
        trace: arguments.trace,
    };
    // Stops what an agent asks of the database; the stopper stops the agents.
    let interrupt = runner.interrupt();
    let crew = Crew::new(runner, stored, plan, args)?;
    let stopper = crew.stopper();
    ctrlc::set_handler(move || {
        stopper.stop();
        interrupt.store(true, Ordering::Relaxed);
    })
    .map_err(Fault::new)?;
    print(arguments, crew.work()?)
}

/// The value of one agent, or those of several with their numbers.
fn print(arguments: &cli::Run, ended: Ended) -> Outcome {
    let Ended { mut values, mut errors } = ended;
    let agents = arguments.agents.unwrap_or(1);
    if agents == 1 {
        return match (values.pop_first(), errors.pop_first()) {
            (Some((_, value)), _) => Ok(Output::from_value(value).print(arguments.format)?),
            (None, Some((_, why))) => Err(why),
            (None, None) => Ok(()),
        };
    }
    let row = |(agent, value): (u64, Value)| vec![Value::Int(agent.cast_signed()), value];
    let columns = vec!["agent".to_owned(), "value".to_owned()];
    Output::Table { columns, rows: values.into_iter().map(row).collect() }
        .print(arguments.format)?;
    match errors.len() {
        0 => Ok(()),
        wrong => Err(Fault::new(format!("{wrong} of {agents} agents did not end well")).into()),
    }
}

fn grants(arguments: &cli::Run, programs: &[yin::Program]) -> Result<Grants, Box<Fault>> {
    let named = |texts: &[String]| -> Result<Vec<Keyword>, Box<Fault>> {
        texts.iter().map(|text| operation_named(text)).collect()
    };
    let token = |text: &String| Token::from_text(text).map_err(|error| Fault::new(error).into());
    let tokens = arguments.grant.iter().map(token).collect::<Result<Vec<_>, Box<Fault>>>()?;
    let mint = match tokens.is_empty() {
        true => {
            let allow = named(&arguments.allow)?;
            let mut mint: Vec<_> =
                programs.iter().flat_map(|program| harmless(program, &allow)).collect();
            mint.sort();
            mint.dedup();
            mint
        }
        false => named(&arguments.allow)?,
    };
    let deny = named(&arguments.deny)?;
    Ok(Grants { mint, folders: folders(&arguments.args), tokens, deny, base: None })
}

/// The current folder, and the folders of the files that the arguments name.
pub(super) fn folders(args: &[String]) -> Vec<PathBuf> {
    let folder = |arg: &String| {
        let path = Path::new(arg).canonicalize().ok()?;
        if path.is_dir() { Some(path) } else { path.parent().map(Path::to_path_buf) }
    };
    let here = Path::new(".").canonicalize().ok();
    let mut folders: Vec<PathBuf> =
        here.into_iter().chain(args.iter().filter_map(folder)).collect();
    folders.sort();
    folders.dedup();
    folders
}
