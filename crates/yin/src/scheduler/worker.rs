//! A worker: one desk, one queue, one agent at a time.
//!
//! 1. A worker that takes an agent and leaves others behind rings: so whenever somebody sleeps, each queue
//!    holds at most what its owner, who is awake, takes next.
//! 2. An agent that is woken goes to the queue of the worker that woke it, behind all others there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_deque::{Steal, Worker as Queue};
use datom::Value;

use super::agent::{Agent, Event, Home, Waits};
use super::census::Awaited;
use super::desk::Desk;
use super::gate::Left;
use super::outside::Request;
use super::ports::Recent;
use super::serve::{AtOnce, Served, Tell};
use super::shared::Shared;
use crate::error::{Error, Kind};
use crate::machine::{Outcome, REQUEST};

/// Fuel that an agent may use before the next one's turn.
const SLICE: u64 = 10_000;
/// Turns after which a worker looks for timers, and for agents from outside, though it has others.
const TURNS_TIMERS: u64 = 8;
const TURNS_OUTSIDE: u64 = 64;

/// Makes a desk anew.
pub(super) type DeskMaker = Box<dyn FnMut() -> Desk + Send>;

pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) queue: Queue<Arc<Agent>>,
    pub(super) desk: Desk,
    /// Streams that its agents use.
    recent: Recent,
    make_desk: DeskMaker,
    turns: u64,
}

impl Worker {
    pub(super) fn new(
        shared: Arc<Shared>,
        queue: Queue<Arc<Agent>>,
        mut make_desk: DeskMaker,
    ) -> Self {
        let desk = make_desk();
        Self { shared, queue, desk, recent: Recent::new(), make_desk, turns: 0 }
    }

    /// Works until the scheduler is no more.
    pub(super) fn work(&mut self) {
        while !self.shared.is_over.load(Ordering::Acquire) {
            if !self.turn() {
                self.rest();
            }
        }
    }

    /// Sleeps until there is work, unless there is some.
    pub(super) fn rest(&mut self) {
        let shared = self.shared.clone();
        let listening = shared.bell.listen();
        let next = self.find();
        let now = shared.clock.now();
        let time = shared.timers.next().map(|at| at.saturating_sub(now));
        if next.is_some()
            || shared.is_over.load(Ordering::Acquire)
            || shared.is_stopped.load(Ordering::Acquire)
            || time.is_some_and(|t| t.is_zero())
        {
            shared.bell.stop(listening);
            self.fire();
            if let Some(agent) = next {
                self.queue.push(agent);
            }
            return;
        }
        self.recent.forget();
        shared.bell.sleep(listening, time);
    }

    /// Wakes whose time has come.
    fn fire(&self) {
        let Some(next) = self.shared.timers.next() else { return };
        let now = self.shared.clock.now();
        if next <= now {
            self.shared.fire(now, &mut |agent| self.queue.push(agent));
        }
    }

    /// Runs an agent for a slice. False if there is none that can run.
    pub(super) fn turn(&mut self) -> bool {
        self.turns += 1;
        if self.turns.is_multiple_of(TURNS_TIMERS) {
            self.fire();
        }
        let Some(agent) = self.find() else { return false };
        if !self.queue.is_empty() {
            self.shared.bell.ring();
        }
        if !agent.gate.claim() {
            return true;
        }
        // A fault of the machine itself ends the agent that met it, and nobody else.
        let ran = catch_unwind(AssertUnwindSafe(|| self.run(&agent)));
        if ran.is_err() {
            self.desk = (self.make_desk)();
            let error = Error::new(Kind::State, "the machine failed; this is a fault of its own");
            self.end(&agent, Err(error));
        }
        true
    }

    fn find(&self) -> Option<Arc<Agent>> {
        if self.turns.is_multiple_of(TURNS_OUTSIDE)
            && let Some(agent) = self.take(|queue| self.shared.injector.steal_batch_and_pop(queue))
        {
            return Some(agent);
        }
        let own = self.queue.pop();
        own.or_else(|| self.take(|queue| self.shared.injector.steal_batch_and_pop(queue))).or_else(
            || {
                let steal = |stealer: &crossbeam_deque::Stealer<_>| {
                    self.take(|queue| stealer.steal_batch_and_pop(queue))
                };
                self.shared.stealers.iter().find_map(steal)
            },
        )
    }

    /// Steals until that is done or there is nothing.
    fn take(&self, steal: impl Fn(&Queue<Arc<Agent>>) -> Steal<Arc<Agent>>) -> Option<Arc<Agent>> {
        loop {
            match steal(&self.queue) {
                Steal::Success(agent) => return Some(agent),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    /// Runs an agent that was claimed, until its slice is over or it waits.
    fn run(&mut self, agent: &Arc<Agent>) {
        if let Err(error) = self.put_on_desk(agent) {
            return self.end(agent, Err(error));
        }
        let mut left = SLICE;
        loop {
            let fuel = left.min(self.until_look());
            let turns = self.desk.machine.turns();
            let outcome = self.go(agent, fuel);
            let spent = fuel.saturating_sub(self.desk.machine.fuel);
            left -= spent;
            self.look(agent, turns);
            let asked = if matches!(outcome, Outcome::Perform { .. }) { REQUEST } else { 0 };
            let used = agent.fuel.load(Ordering::Relaxed) + spent + asked;
            agent.fuel.store(used, Ordering::Relaxed);
            let result = match outcome {
                Outcome::Done(value) => Ok(value),
                Outcome::Failed(error) => Err(error),
                _ if used >= self.shared.fuel => Err(self.desk.machine.exhausted(self.shared.fuel)),
                Outcome::OutOfFuel if left > 0 => continue,
                Outcome::OutOfFuel => return self.give_way(agent),
                Outcome::Perform { id, op, args } => match self.serve(agent, id, op, args) {
                    Served::Now(reply) => match self.desk.machine.resume(id, reply) {
                        Ok(()) => {
                            left = left.saturating_sub(REQUEST);
                            continue;
                        }
                        Err(error) => Err(error),
                    },
                    Served::Later(tell) => return self.park(agent, tell),
                    Served::Replaced => return self.queue_again(agent),
                    Served::Failed(error) => Err(error),
                },
            };
            return self.end(agent, result);
        }
    }

    /// Runs the machine until somebody must serve a request who is not at hand.
    fn go(&mut self, agent: &Agent, fuel: u64) -> Outcome {
        let mut server = AtOnce {
            shared: &self.shared,
            queue: &self.queue,
            recent: &mut self.recent,
            agent: agent.id.number(),
        };
        self.desk.machine.run_served(fuel, &mut server)
    }

    /// Turns up to where an observer looks at the agent on the machine.
    fn until_look(&self) -> u64 {
        let every = self.shared.observer.as_ref().map(|(every, _)| every);
        every.map_or(u64::MAX, |every| every - self.desk.machine.turns() % every)
    }

    /// Lets the observer look, if it is time, at an agent that had taken so many turns before.
    fn look(&self, agent: &Agent, before: u64) {
        let Some((every, observer)) = &self.shared.observer else { return };
        let machine = &self.desk.machine;
        if machine.turns() / every > before / every {
            observer.look(agent.id, machine);
        }
    }

    fn put_on_desk(&mut self, agent: &Agent) -> Result<(), Error> {
        let lost = || Error::new(Kind::State, "the agent's state was lost");
        let (home, space, answer) = {
            let mut body = agent.body();
            let home = std::mem::replace(&mut body.home, Home::Away);
            (home, body.space.clone(), body.answer.take())
        };
        self.desk.open(&space.ok_or_else(lost)?);
        self.shared.put_on(&mut self.desk.machine, home, answer)?;
        self.shared.live.follow(agent, &mut self.desk.machine)
    }

    /// Puts the program back into its agent. False if it could not be, and the agent has ended.
    fn put_back(&mut self, agent: &Arc<Agent>, will_wait: bool) -> bool {
        match self.desk.machine.unload(will_wait) {
            Ok(context) => {
                agent.body().home = Home::Context(Box::new(context));
                true
            }
            Err(trouble) => {
                let error = self.desk.machine.error(trouble);
                self.desk.machine.abandon();
                self.end(agent, Err(error));
                false
            }
        }
    }

    /// The slice is over.
    fn give_way(&mut self, agent: &Arc<Agent>) {
        if self.put_back(agent, false) {
            self.queue_again(agent);
        }
    }

    fn queue_again(&mut self, agent: &Arc<Agent>) {
        match agent.gate.give_way() {
            Left::Ready => self.queue.push(agent.clone()),
            _ => self.let_go(),
        }
    }

    /// Somebody wants the agent, and has it now.
    fn let_go(&self) {
        self.shared.rest();
        self.shared.news.call();
    }

    fn park(&mut self, agent: &Arc<Agent>, tell: Option<Tell>) {
        if !self.put_back(agent, true) {
            return;
        }
        let left = agent.gate.park();
        match tell {
            Some(Tell::Event(event)) => self.shared.news.tell(event),
            Some(Tell::Serve(request)) => self.ask_outside(agent, request),
            None => {}
        }
        match left {
            Left::Parked => self.shared.rest(),
            Left::Woken => self.queue_again(agent),
            Left::Wanted | Left::Ready => self.let_go(),
        }
    }

    fn ask_outside(&self, agent: &Arc<Agent>, request: Request) {
        let back = match &self.shared.outside {
            Some(outside) => outside.serve(request),
            None => Some(request),
        };
        let Some(mut request) = back else { return };
        request.asker = None;
        let is_waiting = {
            let mut body = agent.body();
            let is_waiting = body.request == Some(request.number);
            if is_waiting {
                body.waits = Waits::Outside { is_served: false };
                self.shared.census.expect(Awaited::Host);
                self.shared.census.forget(Awaited::Server);
            }
            is_waiting
        };
        if !is_waiting {
            return;
        }
        let (op, args) = (request.op.clone(), std::mem::take(&mut request.args));
        self.shared.news.tell(Event::Perform {
            agent: agent.id,
            request: request.number,
            op,
            args,
        });
    }

    fn end(&mut self, agent: &Arc<Agent>, result: Result<Value, Error>) {
        self.desk.machine.clear();
        let shared = self.shared.clone();
        shared.end(agent, result, &mut |agent| self.queue.push(agent));
    }
}
