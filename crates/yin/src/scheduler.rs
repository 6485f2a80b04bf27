//! Many programs on one machine: agents, round robin by fuel.
//!
//! An agent runs until its fuel slice is used up, or it asks for something. Requests for streams
//! and for other agents are answered here; all others leave as [`Event::Perform`], and the agent is
//! parked until [`Scheduler::resume`] brings the answer, in whatever order answers come.
//!
//! 1. One agent is on the machine; every other one is a [`State`], so an agent costs what it holds.
//! 2. Agents share code and nothing else: what one defines, spends or breaks, no other notices.
//! 3. Every agent that can run is in the queue once, so none waits for more than one slice of each
//!    other.
//! 4. What travels on streams are values; functions do not leave their agent.

use std::collections::{BTreeMap, HashMap, VecDeque};

use datom::{Keyword, Value};

use crate::error::{Error, Kind};
use crate::facts::Facts;
use crate::machine::{Limits, Machine, Outcome};
use crate::program::Program;
use crate::state::State;
use crate::stream::{Answer, Streams, refused};

/// Fuel that an agent may use before the next one's turn.
const SLICE: u64 = 10_000;

/// An agent of one scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(u64);

impl AgentId {
    /// The one program of a machine that has no scheduler.
    pub(crate) const ALONE: Self = Self(u64::MAX);

    /// The number it has in its scheduler.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// What a scheduler needs, or tells.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// An agent asks the world for something.
    Perform {
        /// Who asks.
        agent: AgentId,
        /// Names the request among the agent's.
        request: u64,
        /// What is asked for.
        op: Keyword,
        /// What it is given.
        args: Vec<Value>,
    },
    /// An agent waits for another one to resume it.
    Parked {
        /// Who waits.
        agent: AgentId,
    },
    /// An agent is done.
    Ended {
        /// Who.
        agent: AgentId,
        /// The value of its program, or what ended it.
        result: Result<Value, Error>,
    },
    /// Nobody can run: all agents that are left wait for answers.
    Idle,
}

/// Where an agent is.
enum Home {
    /// It has not begun: the hash of its program.
    Program([u8; 32]),
    Machine,
    State(Box<State>),
}

struct Agent {
    home: Home,
    /// The request it waits for.
    request: Option<u64>,
    answer: Option<Result<Value, Value>>,
    /// Parked until another agent resumes it.
    is_parked: bool,
}

/// Runs agents.
///
/// ```
/// use yin::{Event, Limits, NoFacts, Program, Scheduler};
///
/// let mut scheduler = Scheduler::new(NoFacts, Limits::default());
/// let program = Program::read("p", "(+ 1 (perform :ask))").unwrap();
/// let agents: Vec<_> = (0..3).map(|_| scheduler.spawn(&program)).collect();
/// let mut asked = Vec::new();
/// while let Event::Perform { agent, request, .. } = scheduler.run() {
///     asked.push((agent, request));
/// }
/// // Answers go to who asked, in any order.
/// for (agent, request) in asked.into_iter().rev() {
///     scheduler.resume(agent, request, Ok((agent.number() as i64).into())).unwrap();
/// }
/// let ended = std::iter::from_fn(|| match scheduler.run() {
///     Event::Ended { agent, result } => Some((agent, result.unwrap())),
///     _ => None,
/// });
/// let mut ended: Vec<_> = ended.collect();
/// ended.sort();
/// assert_eq!(ended, agents.iter().map(|&a| (a, (a.number() as i64 + 1).into())).collect::<Vec<_>>());
/// ```
pub struct Scheduler {
    machine: Machine,
    agents: BTreeMap<AgentId, Agent>,
    ready: VecDeque<AgentId>,
    on_machine: Option<AgentId>,
    programs: HashMap<[u8; 32], Program>,
    streams: Streams,
    next: u64,
}

impl Scheduler {
    /// A scheduler whose agents share a database and have these limits each.
    #[must_use]
    pub fn new(facts: impl Facts + Send + 'static, limits: Limits) -> Self {
        Self {
            machine: Machine::new(facts, limits),
            agents: BTreeMap::new(),
            ready: VecDeque::new(),
            on_machine: None,
            programs: HashMap::new(),
            streams: Streams::default(),
            next: 0,
        }
    }

    fn add(&mut self, home: Home, request: Option<u64>) -> AgentId {
        let id = AgentId(self.next);
        self.next += 1;
        self.agents.insert(id, Agent { home, request, answer: None, is_parked: false });
        if request.is_none() {
            self.ready.push_back(id);
        }
        id
    }

    /// A new agent that runs a program.
    pub fn spawn(&mut self, program: &Program) -> AgentId {
        self.programs.entry(program.hash()).or_insert_with(|| program.clone());
        self.add(Home::Program(program.hash()), None)
    }

    /// Takes over an agent that another scheduler, or another process, gave up with
    /// [`Scheduler::give_up`]. Its programs must be known here, or be among `programs`.
    pub fn adopt(&mut self, state: State, programs: &[Program]) -> AgentId {
        for program in programs {
            self.programs.entry(program.hash()).or_insert_with(|| program.clone());
        }
        let request = state.request();
        self.add(Home::State(Box::new(state)), request)
    }

    /// Takes an agent away, to go on elsewhere. `None` if there is no such agent, or it has not
    /// begun or has an answer that it has not seen yet.
    pub fn give_up(&mut self, agent: AgentId) -> Option<State> {
        if self.agents.get(&agent).is_none_or(|agent| agent.answer.is_some()) {
            return None;
        }
        self.clear_machine(Some(agent));
        let state = match self.agents.get(&agent)?.home {
            Home::State(_) => self.agents.remove(&agent)?,
            _ => return None,
        };
        self.ready.retain(|&id| id != agent);
        match state.home {
            Home::State(state) => Some(*state),
            _ => None,
        }
    }

    /// How many agents there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.agents.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    /// Answers a request; the agent goes on when its turn comes.
    ///
    /// # Errors
    /// [`Kind::State`] if the agent does not wait for this request.
    pub fn resume(
        &mut self,
        agent: AgentId,
        request: u64,
        answer: Result<Value, Value>,
    ) -> Result<(), Error> {
        match self.agents.get_mut(&agent) {
            Some(waiting) if waiting.request == Some(request) && waiting.answer.is_none() => {
                waiting.answer = Some(answer);
                self.ready.push_back(agent);
                Ok(())
            }
            _ => {
                let message = format!("agent {} does not wait for request {request}", agent.0);
                Err(Error::new(Kind::State, message))
            }
        }
    }

    /// Runs agents until one needs something or ends, or none can run.
    pub fn run(&mut self) -> Event {
        while let Some(id) = self.ready.pop_front() {
            if let Err(error) = self.put_on_machine(id) {
                return self.end(id, Err(error));
            }
            match self.machine.run(SLICE) {
                Outcome::Done(value) => return self.end(id, Ok(value)),
                Outcome::Failed(error) => return self.end(id, Err(error)),
                Outcome::OutOfFuel => self.ready.push_back(id),
                Outcome::Perform { id: request, op, args } => {
                    if let Some(agent) = self.agents.get_mut(&id) {
                        agent.request = Some(request);
                    }
                    if let Some(event) = self.perform(id, request, op, args) {
                        return event;
                    }
                }
            }
        }
        Event::Idle
    }

    /// Serves a request, if it is one of ours.
    fn perform(
        &mut self,
        agent: AgentId,
        request: u64,
        op: Keyword,
        args: Vec<Value>,
    ) -> Option<Event> {
        match op.as_str() {
            "vm/park" => {
                self.agents.get_mut(&agent)?.is_parked = true;
                Some(Event::Parked { agent })
            }
            "vm/resume" => self.resume_parked(agent, args),
            _ => match self.streams.perform((agent, request), op.as_str(), args) {
                Ok(answers) => {
                    self.deliver(answers);
                    None
                }
                Err(args) => Some(Event::Perform { agent, request, op, args }),
            },
        }
    }

    fn deliver(&mut self, answers: Vec<Answer>) {
        for Answer { to: (agent, request), answer } in answers {
            // Who has ended meanwhile needs no answer.
            let _gone = self.resume(agent, request, answer);
        }
    }

    /// `(perform :vm/resume id value)`: the parked agent goes on in the place of this one, whose
    /// own continuation is forgotten. A parked agent is resumed once.
    fn resume_parked(&mut self, agent: AgentId, args: Vec<Value>) -> Option<Event> {
        let mut args = args.into_iter();
        let parked = match args.next() {
            Some(Value::Int(id)) => u64::try_from(id).ok().map(AgentId),
            _ => None,
        };
        let value = args.next().unwrap_or(Value::Nil);
        let parked = parked.filter(|id| self.agents.get(id).is_some_and(|agent| agent.is_parked));
        let Some(parked) = parked else {
            let error = Error::new(Kind::State, "parked continuation not found")
                .help("a parked agent is resumed by its number, and once");
            return Some(self.end(agent, Err(error)));
        };
        self.clear_machine(Some(parked));
        self.machine_is_free(agent);
        let mut taken = self.agents.remove(&parked)?;
        taken.is_parked = false;
        taken.answer = Some(Ok(value));
        self.agents.insert(agent, taken);
        self.ready.push_back(agent);
        None
    }

    /// Forgets what an agent has on the machine.
    fn machine_is_free(&mut self, agent: AgentId) {
        if self.on_machine == Some(agent) {
            self.machine.abandon();
            self.on_machine = None;
        }
    }

    fn end(&mut self, agent: AgentId, result: Result<Value, Error>) -> Event {
        self.machine_is_free(agent);
        self.agents.remove(&agent);
        self.streams.forget(agent);
        Event::Ended { agent, result }
    }

    /// Takes whoever is on the machine off it, or only a certain agent.
    fn clear_machine(&mut self, only: Option<AgentId>) {
        let Some(id) = self.on_machine else { return };
        if only.is_some_and(|only| only != id) {
            return;
        }
        self.on_machine = None;
        // An agent that stands still has a state; one that cannot be taken is ended when its turn
        // comes.
        if let (Ok(mut state), Some(agent)) = (self.machine.capture(), self.agents.get_mut(&id)) {
            state.shrink();
            agent.home = Home::State(Box::new(state));
        }
        self.machine.abandon();
    }

    fn put_on_machine(&mut self, id: AgentId) -> Result<(), Error> {
        if self.on_machine != Some(id) {
            self.clear_machine(None);
            let lost = || Error::new(Kind::State, "the agent's state was lost");
            let agent = self.agents.get_mut(&id).ok_or_else(lost)?;
            match std::mem::replace(&mut agent.home, Home::Machine) {
                Home::Program(hash) => {
                    let program = self.programs.get(&hash).ok_or_else(lost)?;
                    self.machine.forget();
                    self.machine.start(program)?;
                }
                Home::State(state) => {
                    let programs = &self.programs;
                    self.machine.restore(&state, |hash| programs.get(hash).cloned())?;
                }
                Home::Machine => return Err(lost()),
            }
            self.on_machine = Some(id);
        }
        if let Some(agent) = self.agents.get_mut(&id)
            && let (Some(request), Some(answer)) = (agent.request, agent.answer.take())
        {
            agent.request = None;
            self.machine.resume(request, answer)?;
        }
        Ok(())
    }
}

/// What a request that makes no sense is answered.
pub(crate) fn no_such(what: &str) -> Result<Value, Value> {
    Err(refused("stream/unknown", &format!("there is no such {what}")))
}
