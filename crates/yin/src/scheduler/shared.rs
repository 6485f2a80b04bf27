//! What all threads of a scheduler have in common.
//!
//! 1. Locks are taken in the order stream, agent, timers, news; of each kind one at a time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crossbeam_deque::{Injector, Stealer};
use datom::Value;

use super::agent::{Agent, AgentId, Event, Home, Waiter, Waits};
use super::bell::Bell;
use super::census::{Awaited, Census};
use super::clock::Clock;
use super::desk::Space;
use super::live::Live;
use super::news::News;
use super::number::ByNumber;
use super::outside::{Observer, Outside};
use super::ports::{Port, Ports};
use super::timers::Timers;
use crate::error::{Error, Kind};
use crate::machine::Machine;
use crate::program::Program;
use crate::stream::{Answers, End, Reply, StreamTrouble, refused};
use crate::sync::{Mutex, MutexGuard, lock};

const SHARDS: usize = 16;
/// The owner of what no agent has made.
pub(super) const NOBODY: u64 = u64::MAX;

/// The clock, who serves requests, and who looks at agents after every so many turns.
pub(super) type Others =
    (Arc<dyn Clock>, Option<Arc<dyn Outside>>, Option<(u64, Arc<dyn Observer>)>);

pub(crate) struct Shared {
    agents: [Mutex<ByNumber<Arc<Agent>>>; SHARDS],
    next_agent: AtomicU64,
    next_space: AtomicU64,
    spaces: Mutex<HashMap<[u8; 32], Weak<Space>>>,
    programs: Mutex<HashMap<[u8; 32], Arc<Program>>>,
    pub(super) ports: Ports,
    pub(super) timers: Timers,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) outside: Option<Arc<dyn Outside>>,
    pub(super) observer: Option<(u64, Arc<dyn Observer>)>,
    pub(super) injector: Injector<Arc<Agent>>,
    pub(super) stealers: Vec<Stealer<Arc<Agent>>>,
    pub(super) bell: Bell,
    pub(super) census: Census,
    pub(super) live: Live,
    /// For the host.
    pub(super) news: News<Event>,
    pub(super) is_over: AtomicBool,
    /// The host is to hear that before anything else.
    pub(super) is_stopped: AtomicBool,
    /// Fuel for each agent, and what those that ended have used.
    pub(super) fuel: u64,
    pub(super) spent: AtomicU64,
}

impl Shared {
    pub(super) fn new(
        (clock, outside, observer): Others,
        fuel: u64,
        stealers: Vec<Stealer<Arc<Agent>>>,
    ) -> Self {
        Self {
            agents: std::array::from_fn(|_| Mutex::new(ByNumber::default())),
            next_agent: AtomicU64::new(0),
            next_space: AtomicU64::new(0),
            spaces: Mutex::new(HashMap::new()),
            programs: Mutex::new(HashMap::new()),
            ports: Ports::new(),
            timers: Timers::new(),
            clock,
            outside,
            observer,
            injector: Injector::new(),
            stealers,
            bell: Bell::new(),
            census: Census::new(),
            live: Live::new(),
            news: News::new(),
            is_over: AtomicBool::new(false),
            is_stopped: AtomicBool::new(false),
            fuel,
            spent: AtomicU64::new(0),
        }
    }

    /// Whether somebody has stopped the host; it is told so once.
    pub(super) fn is_told_to_stop(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire) && self.is_stopped.swap(false, Ordering::AcqRel)
    }

    /// The space of a program's agents.
    pub(super) fn space(&self, program: [u8; 32]) -> Arc<Space> {
        let mut spaces = lock(&self.spaces);
        if let Some(space) = spaces.get(&program).and_then(Weak::upgrade) {
            return space;
        }
        let space = Arc::new(Space::new(self.next_space.fetch_add(1, Ordering::Relaxed)));
        if spaces.len().is_power_of_two() {
            spaces.retain(|_, space| space.strong_count() > 0);
        }
        spaces.insert(program, Arc::downgrade(&space));
        space
    }

    /// Keeps a program, for agents that begin it and for states that name it.
    pub(super) fn learn(&self, program: &Program) -> Arc<Program> {
        let mut programs = lock(&self.programs);
        programs.entry(program.hash()).or_insert_with(|| Arc::new(program.clone())).clone()
    }

    pub(super) fn program(&self, hash: &[u8; 32]) -> Option<Program> {
        lock(&self.programs).get(hash).map(|program| Program::clone(program))
    }

    fn shard(&self, id: AgentId) -> Option<MutexGuard<'_, ByNumber<Arc<Agent>>>> {
        self.agents.get(id.0 as usize % SHARDS).map(lock)
    }

    pub(super) fn agent(&self, id: AgentId) -> Option<Arc<Agent>> {
        self.shard(id)?.get(&id.0).cloned()
    }

    pub(super) fn agents(&self) -> Vec<Arc<Agent>> {
        let mut all: Vec<_> = self
            .agents
            .iter()
            .flat_map(|shard| lock(shard).values().cloned().collect::<Vec<_>>())
            .collect();
        all.sort_by_key(|agent| agent.id);
        all
    }

    pub(super) fn count(&self) -> usize {
        self.agents.iter().map(|shard| lock(shard).len()).sum()
    }

    pub(super) fn add(&self, home: Home, space: Arc<Space>, request: Option<u64>) -> AgentId {
        let id = AgentId(self.next_agent.fetch_add(1, Ordering::Relaxed));
        let agent = Arc::new(Agent::new(id, home, Some(space), request));
        if let Some(mut shard) = self.shard(id) {
            shard.insert(id.0, agent.clone());
        }
        match request {
            Some(_) => self.census.expect(Awaited::Host),
            None => {
                self.census.begin();
                self.inject(agent);
            }
        }
        id
    }

    /// An agent's turn is over, and it cannot run now.
    pub(super) fn rest(&self) {
        if self.census.rest() {
            self.news.call();
        }
    }

    /// Puts a program on a machine that has its code.
    ///
    /// # Errors
    /// What is wrong with the program, or with a state from elsewhere, or that it is nowhere.
    pub(super) fn put_on(
        &self,
        machine: &mut Machine,
        home: Home,
        answer: Option<Box<(u64, Reply)>>,
    ) -> Result<(), Error> {
        match home {
            Home::Context(context) => machine.load(*context),
            Home::Program(beginning) => {
                machine.clear();
                for (name, value) in &beginning.defined {
                    machine.define(name, value)?;
                }
                machine.start(&beginning.program)?;
            }
            Home::State(state) => {
                machine.clear();
                machine.restore(&state, |hash| self.program(hash))?;
            }
            Home::Away => return Err(Error::new(Kind::State, "the agent's state was lost")),
        }
        match answer {
            Some(answer) => machine.resume(answer.0, answer.1),
            None => Ok(()),
        }
    }

    /// Queues an agent from outside of the workers.
    pub(super) fn inject(&self, agent: Arc<Agent>) {
        self.injector.push(agent);
        self.bell.ring();
    }

    /// Brings the answer to a request. Gives the agent if it is to be queued; whoever has it must queue it.
    /// Nothing happens if the agent does not wait for it.
    pub(super) fn answer(
        &self,
        agent: &Arc<Agent>,
        request: u64,
        reply: Reply,
    ) -> Option<Arc<Agent>> {
        let (waits, deadline) = {
            let mut body = agent.body();
            if body.request != Some(request) {
                return None;
            }
            body.request = None;
            body.answer = Some(Box::new((request, reply)));
            (std::mem::replace(&mut body.waits, Waits::Nothing), body.deadline.take())
        };
        self.census.begin();
        if let Some(at) = deadline {
            self.timers.remove(at, agent.id, request);
        }
        self.forget(&waits);
        if agent.gate.wake() {
            return Some(agent.clone());
        }
        self.rest();
        None
    }

    /// A request is not waited for any more.
    fn forget(&self, waits: &Waits) {
        if let Waits::Outside { is_served } = waits {
            self.census.forget(if *is_served { Awaited::Server } else { Awaited::Host });
        }
    }

    /// Brings answers that a stream has given.
    pub(super) fn answer_all(&self, answers: Answers<Waiter>, queue: &mut impl FnMut(Arc<Agent>)) {
        for (waiter, reply) in answers {
            if let Some(agent) = self.answer(&waiter.agent, waiter.request, reply) {
                queue(agent);
            }
        }
    }

    /// Wakes whose time has come.
    pub(super) fn fire(&self, now: Duration, queue: &mut impl FnMut(Arc<Agent>)) {
        // Between its timer and its answer an agent is nowhere: somebody has to be active meanwhile.
        self.census.begin();
        self.fire_due(now, queue);
        self.rest();
    }

    fn fire_due(&self, now: Duration, queue: &mut impl FnMut(Arc<Agent>)) {
        for (agent, request) in self.timers.due(now) {
            let waits = {
                let body = agent.body();
                if body.request != Some(request) {
                    continue;
                }
                body.waits.clone()
            };
            match waits {
                Waits::Value { port, otherwise } => {
                    self.give_up_waiting(&agent, request, &port, Ok(otherwise), queue);
                }
                Waits::Room { port } => {
                    self.give_up_waiting(
                        &agent,
                        request,
                        &port,
                        Err(StreamTrouble::Full.to_value()),
                        queue,
                    );
                }
                _ => {
                    if let Some(agent) = self.answer(&agent, request, Ok(Value::Nil)) {
                        queue(agent);
                    }
                }
            }
        }
    }

    /// An agent waits no longer at a stream, unless it is answered already.
    fn give_up_waiting(
        &self,
        agent: &Arc<Agent>,
        request: u64,
        port: &Port,
        reply: Reply,
        queue: &mut impl FnMut(Arc<Agent>),
    ) {
        let mut answers = Vec::new();
        let waiter = Waiter { agent: agent.clone(), request };
        let has_waited = port.channel().withdraw(&waiter, &mut answers);
        if has_waited {
            answers.push((waiter, reply));
        }
        self.answer_all(answers, queue);
    }

    /// An agent is no more: what it owned ends, and whoever waited for that is told. Its claimer, or who
    /// seized it, calls this.
    pub(super) fn end(
        &self,
        agent: &Arc<Agent>,
        result: Result<Value, Error>,
        queue: &mut impl FnMut(Arc<Agent>),
    ) {
        let how = if result.is_ok() { End::Closed } else { End::Broken };
        self.bury(agent, how, queue);
        self.news.tell(Event::Ended { agent: agent.id, result });
        if agent.gate.end() {
            self.news.call();
        }
        self.rest();
    }

    /// Takes an agent out of everything.
    pub(super) fn bury(&self, agent: &Arc<Agent>, how: End, queue: &mut impl FnMut(Arc<Agent>)) {
        let (owned, request, waits, deadline) = {
            let mut body = agent.body();
            body.home = Home::Away;
            body.space = None;
            body.answer = None;
            let used = agent.fuel.swap(0, crate::sync::Ordering::Relaxed);
            self.spent.fetch_add(used, Ordering::Relaxed);
            let waits = std::mem::replace(&mut body.waits, Waits::Nothing);
            (std::mem::take(&mut body.owned), body.request.take(), waits, body.deadline.take())
        };
        if let Some(mut shard) = self.shard(agent.id) {
            shard.remove(&agent.id.0);
        }
        if let (Some(at), Some(request)) = (deadline, request) {
            self.timers.remove(at, agent.id, request);
        }
        self.forget(&waits);
        let mut answers = Vec::new();
        if let (Waits::Value { port, .. } | Waits::Room { port }, Some(request)) = (waits, request)
        {
            let waiter = Waiter { agent: agent.clone(), request };
            port.channel().withdraw(&waiter, &mut answers);
        }
        for id in owned {
            let Some(port) = self.ports.get(id) else { continue };
            if port.id() == id {
                let mut channel = port.channel();
                if channel.owner == agent.id.0 {
                    channel.close(how.clone(), &mut answers);
                }
            } else if port.channel().reader(id) == Some(agent.id.0) {
                port.channel().shut(id, &mut answers);
                self.ports.remove(id);
            }
            self.ports.tidy(&port);
        }
        self.answer_all(answers, queue);
    }

    /// Nobody runs, nothing is awaited, and no time will bring anything: whoever waits at a stream waits
    /// for ever, and is told so. False if nobody does.
    pub(super) fn break_deadlock(&self) -> bool {
        let mut is_broken = false;
        for agent in self.agents() {
            let waits = {
                let body = agent.body();
                body.request.map(|request| (request, body.waits.clone()))
            };
            if let Some((request, Waits::Value { port, .. } | Waits::Room { port })) = waits {
                let why = refused(
                    "agent/deadlock",
                    "all agents wait for each other, and nothing else is to come",
                );
                self.give_up_waiting(&agent, request, &port, Err(why), &mut |agent| {
                    self.inject(agent)
                });
                is_broken = true;
            }
        }
        is_broken
    }
}
