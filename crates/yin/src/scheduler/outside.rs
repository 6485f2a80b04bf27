//! Requests that are served from outside, by whatever thread, while agents run; and who looks at these.

use std::fmt;
use std::sync::Arc;

use datom::{Keyword, Value};

use super::agent::{Agent, AgentId};
use super::shared::Shared;
use crate::machine::Machine;
use crate::stream::refused;

/// Serves the requests of a scheduler's agents, such as waiting for a query to have rows. What it is built
/// on, yin does not know.
pub trait Outside: Send + Sync {
    /// Takes a request, to be answered now or later, from any thread; or gives it back, and it becomes an
    /// [`Event::Perform`](crate::Event::Perform). It is called on the thread that ran the agent, which runs
    /// no other meanwhile: whatever takes long belongs on a thread of its own.
    fn serve(&self, request: Request) -> Option<Request>;
}

/// Looks at agents while they run, such as to sample which functions do.
pub trait Observer: Send + Sync {
    /// Looks at an agent that stands still on its machine for that moment. It is called on the thread that runs the
    /// agent, after each so many turns of it: see [`Setup::observer`](crate::Setup::observer).
    fn look(&self, agent: AgentId, machine: &Machine);
}

/// A request of an agent that waits for the answer. One that is dropped is answered with the error
/// `effect/unanswered`.
pub struct Request {
    /// Who asks.
    pub agent: AgentId,
    /// What is asked for.
    pub op: Keyword,
    /// What it is given.
    pub args: Vec<Value>,
    pub(super) number: u64,
    /// Whom to tell; nobody once it is answered.
    pub(super) asker: Option<(Arc<Shared>, Arc<Agent>)>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("agent", &self.agent)
            .field("op", &self.op)
            .field("args", &self.args)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// Answers; the agent goes on when its turn comes. An agent that has ended meanwhile needs no answer.
    pub fn answer(mut self, answer: Result<Value, Value>) {
        self.tell(answer);
    }

    fn tell(&mut self, answer: Result<Value, Value>) {
        if let Some((shared, agent)) = self.asker.take()
            && let Some(agent) = shared.answer(&agent, self.number, answer)
        {
            shared.inject(agent);
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.tell(Err(refused("effect/unanswered", "whoever took the request dropped it")));
    }
}
