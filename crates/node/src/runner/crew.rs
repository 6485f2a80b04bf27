//! A crew: many agents in one scheduler, whose effects all go through one runner.
//!
//! 1. Agents have the rights of the runner, all the same ones: who starts an agent gives it nothing that
//!    he has not himself.
//! 2. Every agent has an inbox, a bounded stream. It ends with its agent, so nobody waits to be read by
//!    somebody who is no more.
//! 3. What a started agent ended with is put into a stream of one value, which is its own.
//! 4. There are at most [`AGENTS_MAX`] agents at a time; whoever starts one more is refused.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bridge::Failure;
use datom::{Keyword, Value};
use yin::{
    AgentId, Error, Event, Kind, Limits, Node, Outside, Program, Request, Scheduler, Setup, Stopper,
};

use super::Runner;
use crate::awaits::{AWAIT, QueryWaits};
use crate::fault::Fault;
use crate::live::Live;
use crate::program::{self, Stored};
use crate::trace::{Traced, Traces};

/// Agents at a time.
pub(crate) const AGENTS_MAX: usize = 100_000;
/// Values that fit into an inbox.
const INBOX_VALUES: usize = 64;
/// Agents whose failure is told, a line each.
const FAILURES_TOLD: u64 = 10;

const START: &str = "agent/start";
const INBOX: &str = "agent/inbox";

/// What the scheduler answers by itself.
const OWN: [&str; 10] = [
    "stream/make",
    "stream/put",
    "stream/cursor",
    "stream/next",
    "stream/close",
    "time/sleep",
    "vm/park",
    "vm/resume",
    START,
    INBOX,
];

/// How many agents run the program, and where.
pub(crate) struct Plan {
    pub(crate) agents: usize,
    pub(crate) threads: usize,
    /// For each agent.
    pub(crate) fuel: u64,
    /// Whether they follow the functions of the world.
    pub(crate) is_live: bool,
    /// Turns of each agent between two samples.
    pub(crate) trace: Option<u64>,
}

/// How agents ended.
#[derive(Default)]
pub(crate) struct Ended {
    /// The values of the program, by the agent that ended with it.
    pub(crate) values: BTreeMap<u64, Value>,
    /// What ended the others that ran the program.
    pub(crate) errors: BTreeMap<u64, Box<Fault>>,
}

/// What a program asks for that only a scheduler answers, by `perform` or by the library's function of that
/// name: the first such operation.
pub(crate) fn only_of_a_crew(program: &Program) -> Option<Keyword> {
    named(program, is_of_a_crew)
}

/// The first operation of some kind that a program asks for.
fn named(program: &Program, is_meant: impl Fn(&Keyword) -> bool) -> Option<Keyword> {
    let tree = program.tree();
    tree.ids().find_map(|id| {
        let op = match tree.node(id) {
            Node::Perform { op, .. } => op.clone(),
            Node::Variable(name) => Keyword::from(name.as_str()),
            _ => return None,
        };
        is_meant(&op).then_some(op)
    })
}

fn is_of_a_crew(op: &Keyword) -> bool {
    op.as_str() != "time/sleep" && OWN.contains(&op.as_str())
}

/// What a durable agent cannot have, and what it can.
const DURABLE: &str = "an agent that outlives its process is parked and started by nobody: agents of one \
                       program are run by `--durable NAME --agents N`, and wait for each other at streams \
                       or by `(perform :db/await query)`";

/// Whether only agents of one process have an operation; streams and inboxes, which the others have too, are facts
/// of the world there.
fn is_of_a_process(op: &Keyword) -> bool {
    matches!(op.as_str(), START | "vm/park" | "vm/resume")
}

/// Why a durable agent cannot be made of a program, or cannot go on with it.
///
/// # Errors
/// It parks or starts agents, or something is denied that passes no gate.
pub(super) fn refuse_durable(program: &Program, denied: &[Keyword]) -> Result<(), Box<Fault>> {
    refuse_denial(denied.iter().filter(|op| is_of_a_crew(op)))?;
    let Some(op) = named(program, is_of_a_process) else { return Ok(()) };
    let message = format!("{} asks for {op}, and a durable agent has none of that", program.name());
    Err(Fault::new(message).help(DURABLE).into())
}

fn refuse_denial<'k>(mut denied: impl Iterator<Item = &'k Keyword>) -> Result<(), Box<Fault>> {
    match denied.next() {
        Some(op) => {
            let message = format!("{op} cannot be denied: agents answer it among themselves");
            Err(Fault::usage(message).into())
        }
        None => Ok(()),
    }
}

/// The answer to a request for streams or agents where there is no scheduler; `None` for other requests.
pub(super) fn refused(op: &Keyword, is_durable: bool) -> Option<Value> {
    let why = if is_durable { DURABLE } else { "run the program with `--agents 1`" };
    let refusal =
        || Failure::new("agent/no-scheduler", &format!("nobody answers {op} here: {why}"));
    is_of_a_crew(op).then(|| refusal().to_value())
}

/// An agent's streams.
struct Member {
    inbox: Value,
    result: Value,
    /// The hash of the program that it runs.
    program: [u8; 32],
}

/// The inboxes, for whoever writes to an agent.
type Inboxes = Arc<Mutex<HashMap<u64, Value>>>;

/// Agents that run a program, and those that they start.
pub(crate) struct Crew<'r> {
    runner: &'r mut Runner,
    scheduler: Scheduler,
    program: Program,
    plan: Plan,
    args: Value,
    inboxes: Inboxes,
    members: HashMap<AgentId, Member>,
    /// The programs of names: the same one for as long as the crew works.
    programs: HashMap<String, Program>,
    /// Agents that have begun, and so the number of the next one.
    begun: u64,
    requests: u64,
    failed: u64,
    interrupted: u64,
    traces: Option<Arc<Traces>>,
    traced: Traced,
    /// Whoever follows the functions does so as long as this is here.
    _follows: Arc<()>,
}

impl<'r> Crew<'r> {
    /// A crew that is about to begin. Its agents find `args` defined, `agents`, and each its own number
    /// `agent` and the reader `inbox`.
    ///
    /// # Errors
    /// An operation is denied that the scheduler answers by itself.
    pub(crate) fn new(
        runner: &'r mut Runner,
        stored: &Stored,
        plan: Plan,
        args: Value,
    ) -> Result<Self, Box<Fault>> {
        refuse_denial(runner.denied.iter().filter(|op| OWN.contains(&op.as_str())))?;
        let inboxes = Inboxes::default();
        let outside = Desk {
            waits: (!runner.denied.iter().any(|op| op.as_str() == AWAIT))
                .then(|| QueryWaits::new(&runner.database)),
            inboxes: inboxes.clone(),
        };
        let mut setup =
            Setup::default().threads(plan.threads).fuel(plan.fuel).outside(Arc::new(outside));
        let traces = plan.trace.map(Traces::new);
        if let (Some(every), Some(traces)) = (plan.trace, &traces) {
            setup = setup.observer(every, traces.clone());
        }
        let scheduler = Scheduler::with(runner.facts.clone(), Limits::default(), setup);
        let follows = Arc::new(());
        if plan.is_live {
            let live = Live::new(&runner.database, runner.reporter)?;
            live.follow_for(scheduler.redefiner(), Arc::downgrade(&follows))?;
        }
        Ok(Self {
            traces,
            traced: Traced::default(),
            _follows: follows,
            scheduler,
            runner,
            program: stored.program.clone(),
            plan,
            args,
            inboxes,
            members: HashMap::new(),
            programs: HashMap::new(),
            begun: 0,
            requests: 0,
            failed: 0,
            interrupted: 0,
        })
    }

    /// What ends all agents, from another thread.
    pub(crate) fn stopper(&self) -> Stopper {
        self.scheduler.stopper()
    }

    /// Works until every agent has ended.
    ///
    /// # Errors
    /// An effect could not be recorded.
    pub(crate) fn work(mut self) -> Result<Ended, Box<Fault>> {
        let started = Instant::now();
        let agents = self.plan.agents;
        // All inboxes are there before anybody writes to one.
        let inboxes: Vec<Value> =
            (0..agents).map(|_| self.scheduler.stream(INBOX_VALUES)).collect();
        self.inboxes().extend((0..).zip(inboxes.iter().cloned()));
        let program = self.program.clone();
        for inbox in inboxes {
            self.begin(&program, self.args.clone(), inbox);
        }
        let worked = self.serve();
        let closed = self.runner.trail.close();
        self.tell(started);
        let ended = worked?;
        closed?;
        std::mem::take(&mut self.traced).state(&self.runner.database, self.runner.reporter)?;
        Ok(ended)
    }

    fn serve(&mut self) -> Result<Ended, Box<Fault>> {
        let mut ended = Ended::default();
        loop {
            match self.scheduler.run() {
                Event::Perform { agent, request, op, args } => {
                    self.requests += 1;
                    let answer = match op.as_str() {
                        START => self.start(args),
                        _ => self.runner.perform(&op, args)?,
                    };
                    // Whoever was ended meanwhile waits for nothing.
                    let _ = self.scheduler.resume(agent, request, answer);
                }
                Event::Ended { agent, result } => {
                    self.bury(agent, &result)?;
                    let number = agent.number();
                    match result {
                        _ if number >= self.plan.agents as u64 => {}
                        Ok(value) => drop(ended.values.insert(number, value)),
                        Err(error) => {
                            ended.errors.insert(number, Fault::in_program(&error).into());
                        }
                    }
                }
                Event::Stopped => self.end_all(),
                Event::Idle if self.members.is_empty() => return Ok(ended),
                // Those that are left are parked, and whoever could have resumed them is no more.
                Event::Idle => self.end_all(),
                _ => {}
            }
        }
    }

    /// A new agent, whose inbox that is.
    fn begin(&mut self, program: &Program, args: Value, inbox: Value) -> (u64, &Member) {
        let number = self.begun;
        self.begun += 1;
        let reader = self.scheduler.cursor(&inbox).unwrap_or(Value::Nil);
        let defined = [
            ("args", args),
            ("agent", Value::Int(number.cast_signed())),
            ("agents", Value::Int(self.plan.agents as i64)),
            ("inbox", reader),
        ];
        let agent = self.scheduler.spawn_with(program, &defined);
        if let Some(traces) = &self.traces {
            traces.begin(agent);
        }
        let (result, program) = (self.scheduler.stream(1), program.hash());
        (number, self.members.entry(agent).or_insert(Member { inbox, result, program }))
    }

    fn inboxes(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Value>> {
        // One call changes it, so a panic elsewhere leaves it whole.
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `(perform :agent/start "worker.yin" args)`: an agent more, by the name of its program.
    fn start(&mut self, args: Vec<Value>) -> Result<Value, Value> {
        let refused = |kind, message: &str| Err(Failure::new(kind, message).to_value());
        let mut args = args.into_iter();
        let Some(Value::Text(name)) = args.next() else {
            return refused("bridge/bad-args", ":agent/start wants the name of a program");
        };
        if self.members.len() >= AGENTS_MAX {
            let message = format!("there are {AGENTS_MAX} agents already");
            return refused("agent/too-many", &message);
        }
        let program = match self.programs.get(name.as_ref()) {
            Some(program) => program.clone(),
            None => match self.named(&name) {
                Ok(program) => program,
                Err(fault) => return refused("agent/no-program", &fault.to_string()),
            },
        };
        let inbox = self.scheduler.stream(INBOX_VALUES);
        self.inboxes().insert(self.begun, inbox.clone());
        let args = args.next().unwrap_or(Value::Nil);
        let (number, member) = self.begin(&program, args, inbox.clone());
        let result = member.result.clone();
        let result = self.scheduler.cursor(&result).unwrap_or(Value::Nil);
        Ok(Value::map([
            (Value::keyword("agent"), Value::Int(number.cast_signed())),
            (Value::keyword("inbox"), inbox),
            (Value::keyword("result"), result),
        ]))
    }

    /// The program of a name: the crew's own, or the newest of the world.
    fn named(&mut self, name: &str) -> Result<Program, Box<Fault>> {
        let program = match name == self.program.name() {
            true => self.program.clone(),
            false => program::newest(&self.runner.database.db()?, name)?.program,
        };
        self.programs.insert(name.to_owned(), program.clone());
        Ok(program)
    }

    /// Ends the streams of an agent that has ended.
    fn bury(&mut self, agent: AgentId, result: &Result<Value, Error>) -> Result<(), Box<Fault>> {
        let number = agent.number();
        self.inboxes().remove(&number);
        let is_main = number < self.plan.agents as u64;
        let Some(member) = self.members.remove(&agent) else { return Ok(()) };
        if let Some(trace) = self.traces.as_ref().and_then(|traces| traces.end(agent)) {
            let world = (&self.runner.database, self.runner.reporter);
            self.traced.add(&trace, (number, member.program), world)?;
        }
        self.scheduler.close(&member.inbox, None);
        match result {
            Ok(_) if is_main => self.scheduler.close(&member.result, None),
            Ok(value) => {
                self.scheduler.put(&member.result, value.clone());
                self.scheduler.close(&member.result, None);
            }
            Err(error) => {
                let why = Failure::new("agent/failed", &error.to_string()).to_value();
                self.scheduler.close(&member.result, Some(why));
                if error.kind == Kind::Interrupted {
                    self.interrupted += 1;
                } else {
                    self.failed += 1;
                    // The only one that runs the program says so at the end.
                    if self.failed <= FAILURES_TOLD && (self.plan.agents > 1 || !is_main) {
                        self.runner
                            .reporter
                            .tell("failed", format_args!("agent {number}: {error}"));
                    }
                }
            }
        }
        Ok(())
    }

    fn end_all(&self) {
        for sight in self.scheduler.agents() {
            self.scheduler.kill(sight.agent);
        }
    }

    fn tell(&self, started: Instant) {
        let Self { runner, plan, begun, failed, interrupted, requests, .. } = self;
        let done = begun - failed - interrupted;
        let mut ends = format!("{done} done");
        for (count, how) in [(failed, "failed"), (interrupted, "interrupted")] {
            if *count > 0 {
                ends += &format!(", {count} {how}");
            }
        }
        let threads = match plan.threads {
            0 | 1 => "1 thread".to_owned(),
            threads => format!("{threads} threads"),
        };
        let (steps, ms) = (self.scheduler.spent(), started.elapsed().as_millis());
        runner.reporter.tell(
            "agents",
            format_args!("{begun}: {ends}; {steps} steps, {requests} effects, {threads}, {ms} ms"),
        );
    }
}

/// What is served while agents run, on their threads.
struct Desk {
    waits: Option<QueryWaits>,
    inboxes: Inboxes,
}

impl Outside for Desk {
    fn serve(&self, request: Request) -> Option<Request> {
        if request.op.as_str() != INBOX {
            return match &self.waits {
                Some(waits) => waits.serve(request),
                None => Some(request),
            };
        }
        let number = match request.args.as_slice() {
            [Value::Int(number)] => u64::try_from(*number).ok(),
            _ => None,
        };
        let inboxes = self.inboxes.lock().unwrap_or_else(PoisonError::into_inner);
        let inbox = number.and_then(|number| inboxes.get(&number).cloned());
        drop(inboxes);
        let why = || Failure::new("agent/unknown", "there is no agent of that number any more");
        request.answer(inbox.ok_or_else(|| why().to_value()));
        None
    }
}
