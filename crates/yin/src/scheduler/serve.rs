//! The requests that a scheduler answers itself: streams, time, and agents that wait for agents.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_deque::Worker as Queue;
use datom::{Keyword, Value, Word};

use super::agent::{Agent, AgentId, Event, Home, Waiter, Waits};
use super::census::Awaited;
use super::outside::Request;
use super::ports::Recent;
use super::shared::Shared;
use super::worker::Worker;
use crate::error::{Error, Kind};
use crate::machine::{Answer, Machine, Server};
use crate::stream::{
    Answers, CURSOR, End, Reply, STREAM, StreamRequest as Ask, StreamTrouble, cursor_value,
    milliseconds, refused, stream_value,
};

/// What became of a request.
pub(super) enum Served {
    /// It is answered.
    Now(Reply),
    /// The answer will come. Until then the agent waits; what is to be told of that, once it waits, is told.
    Later(Option<Tell>),
    /// Another agent goes on in this one's place.
    Replaced,
    Failed(Error),
}

pub(super) enum Tell {
    Event(Event),
    Serve(Request),
}

/// Serves what a stream has room or a value for while the agent runs: by the same rules, without the request and its
/// answer as values of the host.
pub(super) struct AtOnce<'w> {
    pub(super) shared: &'w Shared,
    pub(super) queue: &'w Queue<Arc<Agent>>,
    pub(super) recent: &'w mut Recent,
    /// The number of the agent that asks.
    pub(super) agent: u64,
}

impl Server for AtOnce<'_> {
    fn serve(&mut self, machine: &Machine, op: &Keyword, args: &[Word]) -> Option<Answer> {
        let (&of, rest) = args.split_first()?;
        match op.as_str() {
            "stream/put" => {
                let stream = machine.number_of(STREAM, of)?;
                let value = machine.value(*rest.first()?).ok()?;
                self.put(stream, value).then_some(Answer::Argument(1))
            }
            "stream/next" => self.next(machine.number_of(CURSOR, of)?).map(Answer::Value),
            _ => None,
        }
    }
}

impl AtOnce<'_> {
    fn put(&mut self, stream: u64, value: Value) -> bool {
        let port = self.recent.get(&self.shared.ports, stream);
        let Some(port) = port.filter(|port| port.id() == stream) else { return false };
        let mut answers = Vec::new();
        let is_put = port.channel().offer(value, &mut answers);
        deliver(self.shared, self.queue, answers);
        is_put
    }

    fn next(&mut self, cursor: u64) -> Option<Value> {
        let port = self.recent.get(&self.shared.ports, cursor)?;
        let mut answers = Vec::new();
        let value = port.channel().take(cursor, self.agent, &mut answers);
        deliver(self.shared, self.queue, answers);
        value
    }
}

/// Wakes whom a stream has answered: they go to the queue of the worker at hand.
fn deliver(shared: &Shared, queue: &Queue<Arc<Agent>>, answers: Answers<Waiter>) {
    if !answers.is_empty() {
        shared.answer_all(answers, &mut |agent| queue.push(agent));
    }
}

impl Worker {
    /// From now on the agent waits for an answer, which may come at once.
    fn expect(
        &self,
        agent: &Arc<Agent>,
        request: u64,
        op: Keyword,
        waits: Waits,
        within: Option<Duration>,
    ) {
        let deadline = within.map(|within| self.shared.clock.now().saturating_add(within));
        {
            let mut body = agent.body();
            body.request = Some(request);
            body.op = Some(op);
            body.waits = waits;
            body.deadline = deadline;
        }
        if let Some(at) = deadline {
            self.shared.timers.add(at, agent, request);
        }
    }

    /// Serves a request.
    pub(super) fn serve(
        &mut self,
        agent: &Arc<Agent>,
        request: u64,
        op: Keyword,
        args: Vec<Value>,
    ) -> Served {
        match op.as_str() {
            "vm/park" => {
                self.expect(agent, request, op, Waits::Park, None);
                Served::Later(Some(Tell::Event(Event::Parked { agent: agent.id })))
            }
            "vm/resume" => self.resume_parked(agent, args),
            "time/sleep" => match milliseconds(args.first()) {
                Some(time) => {
                    self.expect(agent, request, op, Waits::Time, Some(time));
                    Served::Later(None)
                }
                None => Served::Now(Err(refused("type", "`:time/sleep` wants milliseconds"))),
            },
            name => match Ask::read(name, args) {
                Ok(ask) => self.serve_stream(agent, request, op, ask),
                Err(args) => {
                    self.shared.census.expect(Awaited::Server);
                    self.expect(
                        agent,
                        request,
                        op.clone(),
                        Waits::Outside { is_served: true },
                        None,
                    );
                    let asker = Some((self.shared.clone(), agent.clone()));
                    let request = Request { agent: agent.id, op, args, number: request, asker };
                    Served::Later(Some(Tell::Serve(request)))
                }
            },
        }
    }

    fn serve_stream(&mut self, agent: &Arc<Agent>, request: u64, op: Keyword, ask: Ask) -> Served {
        let shared = self.shared.clone();
        let ports = &shared.ports;
        let stream = |id| ports.get(id).filter(|port| port.id() == id);
        match ask {
            Ask::Wrong(trouble) => Served::Now(Err(trouble.to_value())),
            Ask::Make { capacity } => {
                let id = ports.make(capacity, agent.id.0);
                agent.body().owned.push(id);
                Served::Now(Ok(stream_value(id)))
            }
            Ask::Put { stream: id, value, within } => match stream(id) {
                Some(port) => {
                    let mut answers = Vec::new();
                    let by = || {
                        let waits = Waits::Room { port: port.clone() };
                        self.wait_there(agent, request, op, waits, within)
                    };
                    let reply = port.channel().put(by, value, &mut answers);
                    deliver(&self.shared, &self.queue, answers);
                    reply.map_or(Served::Later(None), Served::Now)
                }
                None if ports.has_been(id) => Served::Now(Err(StreamTrouble::Closed.to_value())),
                None => Served::Now(Err(StreamTrouble::NoStream.to_value())),
            },
            Ask::Cursor { stream: id } => match stream(id) {
                Some(port) => {
                    let cursor = ports.fresh();
                    port.channel().open(cursor, agent.id.0);
                    ports.name(cursor, port);
                    agent.body().owned.push(cursor);
                    Served::Now(Ok(cursor_value(cursor)))
                }
                None if ports.has_been(id) => Served::Now(Ok(cursor_value(ports.fresh()))),
                None => Served::Now(Err(StreamTrouble::NoStream.to_value())),
            },
            Ask::Next { cursor, within, otherwise } => match ports.get(cursor) {
                Some(port) => {
                    let mut answers = Vec::new();
                    let by = || {
                        let waits = Waits::Value { port: port.clone(), otherwise };
                        self.wait_there(agent, request, op, waits, within)
                    };
                    let (reply, is_new) = {
                        let mut channel = port.channel();
                        let is_new = channel.hand_over(cursor, agent.id.0);
                        (channel.next(by, cursor, &mut answers), is_new)
                    };
                    if is_new {
                        agent.body().owned.push(cursor);
                    }
                    deliver(&self.shared, &self.queue, answers);
                    if reply == Some(Ok(Value::Nil)) {
                        ports.tidy(&port);
                    }
                    reply.map_or(Served::Later(None), Served::Now)
                }
                None if ports.has_been(cursor) => Served::Now(Ok(Value::Nil)),
                None => Served::Now(Err(StreamTrouble::NoCursor.to_value())),
            },
            Ask::Close { stream: id } => match stream(id) {
                Some(port) => {
                    let mut answers = Vec::new();
                    port.channel().close(End::Closed, &mut answers);
                    ports.tidy(&port);
                    deliver(&self.shared, &self.queue, answers);
                    Served::Now(Ok(Value::Nil))
                }
                None if ports.has_been(id) => Served::Now(Ok(Value::Nil)),
                None => Served::Now(Err(StreamTrouble::NoStream.to_value())),
            },
        }
    }

    /// The agent is about to wait at a stream, under whose lock this is called.
    fn wait_there(
        &self,
        agent: &Arc<Agent>,
        request: u64,
        op: Keyword,
        waits: Waits,
        within: Option<Duration>,
    ) -> Waiter {
        self.expect(agent, request, op, waits, within);
        Waiter { agent: agent.clone(), request }
    }

    /// `(perform :vm/resume id value)`: the parked agent goes on in the place of this one, whose
    /// own continuation is forgotten. A parked agent is resumed once.
    fn resume_parked(&mut self, agent: &Arc<Agent>, args: Vec<Value>) -> Served {
        let mut args = args.into_iter();
        let id = match args.next() {
            Some(Value::Int(id)) => u64::try_from(id).ok().map(AgentId),
            _ => None,
        };
        let value = args.next().unwrap_or(Value::Nil);
        let parked = id.and_then(|id| self.shared.agent(id)).filter(|parked| {
            let body = parked.body();
            matches!(body.waits, Waits::Park) && parked.gate.seize_parked()
        });
        let Some(parked) = parked else {
            let error = Error::new(Kind::State, "parked continuation not found")
                .help("a parked agent is resumed by its number, and once");
            return Served::Failed(error);
        };
        self.desk.machine.clear();
        let (home, space, request, owned) = {
            let mut body = parked.body();
            let home = std::mem::replace(&mut body.home, Home::Away);
            (home, body.space.take(), body.request.take(), std::mem::take(&mut body.owned))
        };
        for &id in &owned {
            if let Some(port) = self.shared.ports.get(id) {
                port.channel().change_owner(id, port.id() == id, agent.id.0);
            }
        }
        self.shared.bury(&parked, End::Closed, &mut |agent| self.queue.push(agent));
        let mut body = agent.body();
        body.home = home;
        body.space = space;
        body.answer = request.map(|request| Box::new((request, Ok(value))));
        body.owned.extend(owned);
        Served::Replaced
    }
}
