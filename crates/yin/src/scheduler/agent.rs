//! An agent: a program on its way, between its turns.
//!
//! 1. What is in an agent belongs to whoever claimed it at its [`Gate`]; the lock around it is held for
//!    moments, never while the agent runs.
//! 2. An agent that waits has a request, and no answer to it yet. The answer is taken once: whoever
//!    brings it takes the request away.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datom::{Keyword, Value};

use super::desk::Space;
use super::gate::Gate;
use super::ports::Port;
use crate::error::Error;
use crate::machine::Context;
use crate::program::Program;
use crate::state::State;
use crate::stream::Reply;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, lock};

/// An agent of one scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(pub(super) u64);

impl AgentId {
    /// The number it has in its scheduler.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// A program, and what it finds defined.
pub(crate) struct Beginning {
    pub(super) program: Arc<Program>,
    pub(super) defined: Vec<(String, Value)>,
}

/// Where an agent's program is.
pub(crate) enum Home {
    /// It has not begun.
    Program(Box<Beginning>),
    /// It came from elsewhere.
    State(Box<State>),
    /// It stands still.
    Context(Box<Context>),
    /// Somebody has taken it, to run or to look at it.
    Away,
}

/// What an agent waits for.
#[derive(Clone)]
pub(crate) enum Waits {
    Nothing,
    /// For a moment.
    Time,
    /// At a stream, to read; what it goes on with if it has waited for too long.
    Value {
        port: Arc<Port>,
        otherwise: Value,
    },
    /// At a stream, to put a value into it.
    Room {
        port: Arc<Port>,
    },
    /// For another agent to resume it.
    Park,
    /// For the answer of whoever runs the scheduler, or of who serves requests for it.
    Outside {
        is_served: bool,
    },
}

pub(crate) struct Body {
    pub(super) home: Home,
    pub(super) space: Option<Arc<Space>>,
    /// What it waits for an answer to, and what that is.
    pub(super) request: Option<u64>,
    pub(super) op: Option<Keyword>,
    pub(super) waits: Waits,
    /// The moment until when.
    pub(super) deadline: Option<Duration>,
    pub(super) answer: Option<Box<(u64, Reply)>>,
    /// The numbers of streams and cursors that end with it.
    pub(super) owned: Vec<u64>,
}

pub(crate) struct Agent {
    pub(super) id: AgentId,
    pub(super) gate: Gate,
    /// Fuel that it has used. Its claimer alone writes it.
    pub(super) fuel: AtomicU64,
    /// The redefinition up to which it has them.
    pub(super) redefined: AtomicU64,
    body: Mutex<Body>,
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("id", &self.id)
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

impl Agent {
    pub(super) fn new(
        id: AgentId,
        home: Home,
        space: Option<Arc<Space>>,
        request: Option<u64>,
    ) -> Self {
        let waits = match request {
            None => Waits::Nothing,
            Some(_) => Waits::Outside { is_served: false },
        };
        let body = Body {
            home,
            space,
            request,
            op: None,
            waits,
            deadline: None,
            answer: None,
            owned: Vec::new(),
        };
        let gate = Gate::new(request.is_some());
        let [fuel, redefined] = [0; 2].map(AtomicU64::new);
        Self { id, gate, fuel, redefined, body: Mutex::new(body) }
    }

    pub(super) fn body(&self) -> MutexGuard<'_, Body> {
        lock(&self.body)
    }
}

/// Who waits in a stream.
#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    pub(super) agent: Arc<Agent>,
    pub(super) request: u64,
}

impl PartialEq for Waiter {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.agent, &other.agent) && self.request == other.request
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
    /// Somebody has stopped whoever asks for events; see [`Scheduler::stopper`](crate::Scheduler::stopper).
    Stopped,
}

/// How an agent stands, for onlookers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sight {
    /// Who.
    pub agent: AgentId,
    /// Whether it is on a thread just now.
    pub is_running: bool,
    /// Whether it would run if it had a thread.
    pub is_ready: bool,
    /// What it waits for: the operation of its request.
    pub waits_for: Option<Keyword>,
    /// Calls that run and wait; unknown while it is on a thread.
    pub calls: Option<usize>,
    /// Bytes of memory it holds, without what it shares; unknown while it is on a thread.
    pub bytes: Option<usize>,
    /// Fuel it has used.
    pub fuel: u64,
}

impl Sight {
    pub(super) fn of(agent: &Agent) -> Self {
        let body = agent.body();
        let (calls, bytes) = match &body.home {
            Home::Context(context) => (Some(context.calls()), Some(context.bytes())),
            Home::State(state) => (Some(state.calls()), None),
            Home::Program(_) => (Some(0), Some(0)),
            Home::Away => (None, None),
        };
        let fixed = size_of::<Agent>() + body.owned.capacity() * size_of::<u64>();
        Self {
            agent: agent.id,
            is_running: agent.gate.is_running(),
            is_ready: agent.gate.is_queued(),
            waits_for: body.request.and(body.op.clone()),
            calls,
            bytes: bytes.map(|bytes| bytes + fixed),
            fuel: agent.fuel.load(Ordering::Relaxed),
        }
    }
}
