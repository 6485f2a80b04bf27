//! The runner: a machine, the bridge, and the ring between them.
//!
//! 1. The machine touches nothing but the database; every other effect leaves as a request datom.
//! 2. Whatever the machine commits says which program made it and under which tokens it had acted.

mod crew;
mod durable;
mod group;
mod stream;
mod waiting;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use bridge::{Bridge, Deny, Dock, Failure, Layer, Operation, Port, Shelf, handlers};
use daodb::Database;
use datom::{Keyword, Value};
use eve::ring::Heap;
use shibi::{Expiry, Rights, Token};
use yin::{Limits, Machine, Outcome, Program};

use crate::agent::Agent;
use crate::clock;
use crate::command::token::grant;
use crate::facts::ProgramFacts;
use crate::fault::Fault;
use crate::ledger::{self, Trail};
use crate::live::{self, Live};
use crate::program::operations;
use crate::reporter::Reporter;
use crate::trace::Trace;
use crate::world::World;

pub(crate) use crew::{AGENTS_MAX, Crew, Ended, Plan, only_of_a_crew};
pub(crate) use group::{GROUP_MAX, Group, stop};

/// Requests that can be under way at once.
const RING_SLOTS: u64 = 64;
/// Machine steps between two looks at what else is to be done.
const FUEL_SLICE: u64 = 1 << 24;
/// The same, where functions may change meanwhile: some milliseconds.
const LIVE_SLICE: u64 = 1 << 16;

/// What a program may do.
#[derive(Debug, Default)]
pub struct Grants {
    /// Operations to mint tokens for.
    pub mint: Vec<Keyword>,
    /// Folders that minted file operations are confined to.
    pub folders: Vec<PathBuf>,
    /// Tokens that somebody granted.
    pub tokens: Vec<Token>,
    /// Operations that are answered with an error, whatever token there is.
    pub deny: Vec<Keyword>,
    /// The folder that paths begin in; the current one, if none.
    pub base: Option<PathBuf>,
}

/// A machine attached to a world.
pub struct Runner {
    machine: Machine,
    /// The database as its programs see it.
    facts: ProgramFacts,
    bridge: Bridge,
    port: Port<Heap>,
    dock: Dock<Heap>,
    database: Database,
    trail: Trail,
    /// The agent that the program is, if it is one.
    agent: Arc<OnceLock<Arc<Agent>>>,
    /// Tells worlds apart: the public key of this one.
    world: Vec<u8>,
    /// The folder of the world.
    dir: PathBuf,
    /// Where the program works and what it may do, for whoever runs it elsewhere.
    rights: Value,
    reporter: Reporter,
    program: Option<u64>,
    live: Option<Live>,
    trace: Option<Trace>,
    /// Operations that are answered with an error.
    denied: Vec<Keyword>,
    /// Whether it sees a state of the past, in which nothing happens.
    is_past: bool,
}

impl Runner {
    /// Attaches a machine to a world. `by` says in the log who acts; `program` is the entity that
    /// its transactions point to.
    ///
    /// # Errors
    /// A token is refused, or the database is.
    pub fn new(
        world: &World,
        reporter: Reporter,
        by: &str,
        program: Option<u64>,
        grants: &Grants,
    ) -> Result<Self, Box<Fault>> {
        Self::attach(world, reporter, by, program, grants, None)
    }

    /// As [`Runner::new`], with the functions and the facts of the state after a transaction. It
    /// changes nothing of them.
    ///
    /// # Errors
    /// As [`Runner::new`], and if a function of then cannot be loaded.
    pub fn as_of(
        world: &World,
        reporter: Reporter,
        by: &str,
        program: Option<u64>,
        grants: &Grants,
        t: u64,
    ) -> Result<Self, Box<Fault>> {
        let mut this = Self::attach(world, reporter, by, program, grants, Some(t))?;
        let db = this.database.db()?.as_of(t);
        live::apply_as_of(&db, &mut this.machine)?;
        Ok(this)
    }

    fn attach(
        world: &World,
        reporter: Reporter,
        by: &str,
        program: Option<u64>,
        grants: &Grants,
        as_of: Option<u64>,
    ) -> Result<Self, Box<Fault>> {
        let database = world.database().clone();
        let trail = Trail::new(world.journal(), reporter, by, program);
        let mut bridge = Bridge::new(world.trust(), *world.key().public(), trail.clone());
        let rights = install(world, reporter, by, grants, &mut bridge)?;
        if !grants.deny.is_empty() {
            bridge.layer(Deny::new(grants.deny.iter().cloned()));
        }
        let (port, dock) = bridge::link(RING_SLOTS, Shelf::shared()).map_err(Fault::new)?;
        let facts = ProgramFacts::new(&database, reporter, by, program, trail.clone(), as_of);
        let agent = facts.agent();
        let machine = Machine::new(facts.clone(), Limits::default());
        facts.stop_with(machine.interrupt());
        Ok(Self {
            agent,
            world: world.key().public().to_bytes().to_vec(),
            dir: world.dir().to_path_buf(),
            rights,
            machine,
            facts,
            bridge,
            port,
            dock,
            database,
            trail,
            reporter,
            program,
            live: None,
            trace: None,
            denied: grants.deny.clone(),
            is_past: as_of.is_some(),
        })
    }

    /// Follows the functions of the world: see [`live`].
    pub(crate) fn follow_functions(&mut self) -> Result<(), Box<Fault>> {
        self.live = Some(Live::new(&self.database, self.reporter)?);
        if let Value::Map(rights) = &mut self.rights {
            rights.insert(Value::keyword("live"), Value::Bool(true));
        }
        Ok(())
    }

    /// Samples what runs, after every so many turns.
    pub(crate) fn sample(&mut self, every: u64) {
        self.trace = Some(Trace::new(every));
    }

    /// The flag that stops the machine at its next safepoint.
    #[must_use]
    pub fn interrupt(&self) -> Arc<AtomicBool> {
        self.machine.interrupt()
    }

    /// Adds a layer around every effect, inside of those that are there.
    pub fn layer(&mut self, layer: impl Layer + 'static) {
        self.bridge.layer(layer);
    }

    /// Defines a global name.
    pub fn define(&mut self, name: &str, value: &Value) -> Result<(), Box<Fault>> {
        Ok(self.machine.define(name, value)?)
    }

    /// Runs a program to its end and gives the value of its last form.
    ///
    /// # Errors
    /// Whatever ended it early.
    pub fn run(&mut self, program: &Program, fuel: u64) -> Result<Value, Box<Fault>> {
        self.machine.start(program)?;
        let ended = self.drive(fuel);
        self.close(ended)
    }

    /// States what was sampled, and what became of the last effect.
    fn close(&mut self, ended: Result<Value, Box<Fault>>) -> Result<Value, Box<Fault>> {
        if let Some(trace) = self.trace.take() {
            trace.state(&self.database, self.reporter, self.program)?;
        }
        let closed = self.trail.close();
        // Why the program ended early says more than why its record could not be closed.
        ended.and_then(|value| Ok(closed.map(|()| value)?))
    }

    fn drive(&mut self, fuel: u64) -> Result<Value, Box<Fault>> {
        let mut left = fuel;
        loop {
            if let Some(live) = &mut self.live {
                live.follow(&mut self.machine)?;
            }
            let slice = left.min(self.slice());
            let outcome = self.machine.run(slice);
            left -= slice.saturating_sub(self.machine.fuel());
            if let Some(trace) = &mut self.trace {
                trace.look(&self.machine);
            }
            match outcome {
                Outcome::Done(value) => return Ok(value),
                Outcome::Failed(error) => return Err(Box::new(Fault::in_program(&error))),
                Outcome::Perform { id, op, args } => {
                    let answer = self.perform(&op, args)?;
                    self.machine.resume(id, answer)?;
                }
                Outcome::OutOfFuel => {
                    if left == 0 {
                        let mut error = self.machine.exhausted(fuel);
                        error.help = Some("allow more with --fuel".to_owned());
                        self.machine.abandon();
                        return Err(Fault::in_program(&error).into());
                    }
                }
                other => return Err(Fault::new(format!("the machine stopped: {other:?}")).into()),
            }
        }
    }

    /// Fuel up to the next look at anything else.
    fn slice(&self) -> u64 {
        let sample = self.trace.as_ref().map_or(FUEL_SLICE, |trace| trace.left(&self.machine));
        let live = if self.live.is_some() { LIVE_SLICE } else { FUEL_SLICE };
        sample.min(live)
    }

    /// One effect, through the ring and the bridge. The inner error is the program's to handle.
    fn perform(
        &mut self,
        op: &Keyword,
        args: Vec<Value>,
    ) -> Result<Result<Value, Value>, Box<Fault>> {
        if self.is_wait(op) {
            return self.wait_for(op, &args, clock::micros());
        }
        if let Some(refused) = crew::refused(op, self.agent.get().is_some()) {
            return Ok(Err(refused));
        }
        // An operation nobody knows has no entity; the bridge refuses 0 and records that.
        let db = self.database.db()?;
        self.port.note(db.basis(), 0);
        let entity = db.ident(op)?.unwrap_or(0);
        let args = match <[Value; 1]>::try_from(args) {
            Ok([one]) => one,
            Err(none) if none.is_empty() => Value::Nil,
            Err(several) => Value::Vector(several),
        };
        let id = match self.port.send(entity, &args) {
            Ok(id) => id,
            Err(error) => {
                return Ok(Err(refusal(op, &Failure::new("bridge/unsent", &error.to_string()))));
            }
        };
        self.bridge.serve(&mut self.dock).map_err(Fault::new)?;
        while let Some(response) = self.port.poll().map_err(Fault::new)? {
            if response.id == id {
                return Ok(response.result.map_err(|failure| refusal(op, &failure)));
            }
        }
        Err(Fault::new(format!("the bridge gave no answer to {op}")).into())
    }
}

/// A failure as the program sees it, its operation named.
fn refusal(op: &Keyword, failure: &Failure) -> Value {
    let message = if failure.kind.as_str() == "bridge/no-handler" {
        format!("no token allows {op}; grant one")
    } else if failure.message.contains(&op.to_string()) {
        failure.message.clone()
    } else {
        format!("{op}: {}", failure.message)
    };
    Failure { kind: failure.kind.clone(), message }.to_value()
}

/// Registers the built-in handlers, each with a token for exactly its operation. Tells what makes the
/// same rights again.
fn install(
    world: &World,
    reporter: Reporter,
    by: &str,
    grants: &Grants,
    bridge: &mut Bridge,
) -> Result<Value, Box<Fault>> {
    let base = match &grants.base {
        Some(base) => base.clone(),
        None => std::env::current_dir()
            .map_err(|error| Fault::new(format!("no current folder: {error}")))?,
    };
    let tokens = tokens(world, grants)?;
    ledger::record(world, reporter, by, &tokens)?;
    let db = world.database().db()?;
    for (name, handler) in handlers::builtin(&base) {
        let Some(entity) = db.ident(&name)? else { continue };
        let operation = Operation { entity, name: name.clone() };
        bridge.declare(operation.clone());
        let granted = tokens.iter().find(|rights| rights.operations().any(|op| *op == name));
        if let Some(rights) = granted {
            bridge.install(operation, handler, rights.token(), world.key()).map_err(Fault::new)?;
        }
    }
    let texts = tokens.iter().map(|rights| Value::text(&rights.token().to_text()));
    let denied = grants.deny.iter().cloned().map(Value::Keyword);
    Ok(Value::map([
        (Value::keyword("folder"), Value::text(&base.to_string_lossy())),
        (Value::keyword("tokens"), Value::Vector(texts.collect())),
        (Value::keyword("deny"), Value::Vector(denied.collect())),
    ]))
}

impl Grants {
    /// The rights that a program ran with before.
    pub(crate) fn of_rights(rights: &Value) -> Result<Self, Box<Fault>> {
        let items = |key| rights.get(key).and_then(Value::as_slice).unwrap_or(&[]);
        let texts = items("tokens").iter().filter_map(Value::as_text);
        let tokens: Result<_, _> = texts.map(Token::from_text).collect();
        Ok(Self {
            tokens: tokens.map_err(Fault::new)?,
            deny: items("deny").iter().filter_map(Value::as_keyword).cloned().collect(),
            base: rights.get("folder").and_then(Value::as_text).map(PathBuf::from),
            ..Self::default()
        })
    }
}

fn tokens(world: &World, grants: &Grants) -> Result<Vec<Rights>, Box<Fault>> {
    let now = clock::micros();
    let mut rights = Vec::new();
    for token in &grants.tokens {
        let verified = token.verify(&world.trust(), now);
        rights.push(verified.map_err(|refused| {
            Fault::new(format!("a granted token does not count here: {refused}"))
                .help("`datom token mint` makes tokens of this world")
        })?);
    }
    for operation in &grants.mint {
        let files = operation.namespace() == Some("fs");
        let folders = if files { grants.folders.as_slice() } else { &[] };
        let grant = grant(operation.clone(), folders, Expiry::Never)?;
        let token = ledger::standing(world, &grant, now)?;
        rights.push(token.verify(&world.trust(), now).map_err(Fault::new)?);
    }
    Ok(rights)
}

/// The operations that a program gets without being granted them: those that change nothing.
pub(crate) fn harmless(program: &Program, allow: &[Keyword]) -> Vec<Keyword> {
    let known = handlers::builtin(Path::new("/"));
    let writes =
        |name: &Keyword| matches!(name.as_str(), "fs/write" | "fs/append") && !allow.contains(name);
    operations(program)
        .into_iter()
        .filter(|op| known.iter().any(|(name, _)| name == op) && !writes(op))
        .collect()
}
