//! Agents on a runner: a program that goes on where its last process was.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bridge::handlers::{Again, again};
use daodb::Db;
use datom::{Keyword, Value};
use yin::{Outcome, State};

use super::{FUEL_SLICE, Runner, crew};
use crate::agent::code::{self, Code};
use crate::agent::{self, Agent, Lease, Named, Record, Request};
use crate::fault::Fault;
use crate::live::Functions;
use crate::program::Stored;

/// Machine steps between two looks at what the world wants of the agent.
const LOOK_SLICE: u64 = 1 << 12;
/// The longest time between two looks at whether the agent's process has ended.
const LEASE_LOOK: Duration = Duration::from_millis(20);

impl Runner {
    /// Runs a program as an agent: from where its last process was, or from its beginning. If a process
    /// runs the agent now, it is asked to leave, and waited for.
    ///
    /// # Errors
    /// Whatever ended it early. An agent that was paused, cancelled or asked to leave is such an end.
    pub fn run_durable(
        &mut self,
        stored: &Stored,
        name: &str,
        fuel: u64,
    ) -> Result<Value, Box<Fault>> {
        crew::refuse_durable(&stored.program, &self.denied)?;
        let lease = Arc::new(self.lease(name)?);
        let (agent, is_new) = loop {
            let Some(record) = Record::of(&self.database.db()?, name)? else {
                break (self.begin(stored, name, &lease)?, true);
            };
            match record.status() {
                agent::DONE => return Ok(record.result().unwrap_or(Value::Nil)),
                agent::FAILED | agent::CANCELLED | agent::PAUSED => {
                    let how = record.status().trim_start_matches("agent.status/");
                    return Err(Fault::new(format!("the agent {name} is {how}"))
                        .help(format!("see `datom agent show`, or choose another name than {name}"))
                        .into());
                }
                _ => {}
            }
            let named = self.named(name, &lease);
            if let Some(agent) = Agent::take(&self.database, &self.trail, named, &record)? {
                break (agent, false);
            }
        };
        self.agent.set(agent.clone()).map_err(|_| Self::nobody())?;
        let stands = if is_new { Ok(()) } else { self.go_on(&agent, name) };
        let ended = stands.and_then(|()| self.drive_durable(&agent, fuel));
        self.close(ended)
    }

    fn nobody() -> Box<Fault> {
        Fault::new("this machine is another agent's already").into()
    }

    /// The right to run an agent. Each owner that is met meanwhile is asked to leave once.
    fn lease(&self, name: &str) -> Result<Lease, Box<Fault>> {
        let interrupt = self.machine.interrupt();
        let mut asked = None;
        let mut t = 0;
        loop {
            if let Some(lease) = Lease::of(&self.dir, name)? {
                return Ok(lease);
            }
            let owner = Record::of(&self.database.db()?, name)?;
            let owner = owner.filter(|owner| asked != Some(owner.epoch()));
            if let Some(owner) = owner.filter(|owner| owner.status() == agent::RUNNING) {
                let process = owner.process();
                self.reporter
                    .tell("agent", format_args!("{name} is asked to leave process {process}"));
                agent::turn(&self.database, name, (agent::RUNNING, agent::MOVING))?;
                asked = Some(owner.epoch());
            }
            if interrupt.load(Ordering::Relaxed) {
                agent::turn(&self.database, name, (agent::MOVING, agent::RUNNING))?;
                return Err(Fault::new(format!("{name} was not waited for any longer")).into());
            }
            t = self.database.wait(t, Some(LEASE_LOOK))?;
        }
    }

    fn named<'a>(&'a self, name: &'a str, lease: &Arc<Lease>) -> Named<'a> {
        let (lease, pause) = (lease.clone(), self.machine.pause());
        Named { name, world: &self.world, rights: &self.rights, lease, pause }
    }

    fn begin(
        &mut self,
        stored: &Stored,
        name: &str,
        lease: &Arc<Lease>,
    ) -> Result<Arc<Agent>, Box<Fault>> {
        self.define_inbox(&stored.program, name)?;
        self.machine.start(&stored.program)?;
        let code = self.follow(0)?;
        let state = self.machine.capture()?;
        let (named, code) = (self.named(name, lease), code.as_ref());
        Agent::begin(&self.database, &self.trail, named, stored.entity, &state, code)
    }

    /// Takes over how functions of the world have changed, behind the answer to a request.
    fn follow(&mut self, request: u64) -> Result<Option<Code>, Box<Fault>> {
        let Some(live) = &mut self.live else { return Ok(None) };
        let Some((t, hash)) = live.follow(&mut self.machine)? else { return Ok(None) };
        Ok(Some(Code { request, t, hash }))
    }

    /// Gives names the meaning that they had where the agent stands.
    fn run_code_of_then(&mut self, db: &Db, name: &str) -> Result<(), Box<Fault>> {
        let codes = code::taken_over(db, name)?;
        for code in &codes {
            code.apply(db, &mut self.machine)?;
        }
        if let (Some(live), Some(code)) = (&mut self.live, codes.last()) {
            live.has_taken(Functions::of(&db.as_of(code.t))?);
        }
        Ok(())
    }

    /// Puts the machine where the agent stands, and gives it the answer it had or must get.
    fn go_on(&mut self, agent: &Agent, name: &str) -> Result<(), Box<Fault>> {
        // Its last owner may have got on until now, and does so no more.
        let db = self.database.db()?;
        let lost = |what: &str| Fault::new(format!("the agent {name} has no {what}"));
        let record = Record::of(&db, name)?.ok_or_else(|| lost("record"))?;
        let state = record.state()?.ok_or_else(|| lost("state"))?;
        self.machine.restore(&state, |hash| agent::program(&db, hash))?;
        self.run_code_of_then(&db, name)?;
        agent.sees(record.basis(&db, state.request())?, None);
        let Some(id) = state.request() else { return Ok(()) };
        let known = record.answer(id);
        let is_new = known.is_none();
        let answer = match (known, record.request()) {
            (Some(answer), _) => answer,
            (None, Some(request)) if request.id == id && request.was_made => {
                self.again(agent, &state, &request, record.asked(&db)?)?
            }
            (None, Some(request)) if request.id == id => self.once(agent, &state, &request)?,
            _ => {
                return Err(Fault::new("the agent waits for a request that is not recorded").into());
            }
        };
        self.machine.resume(id, answer)?;
        // Whoever had the answer before has gone on with the code of then.
        if is_new && let Some(code) = self.follow(id)? {
            agent.runs(&code);
        }
        Ok(())
    }

    fn drive_durable(&mut self, agent: &Agent, fuel: u64) -> Result<Value, Box<Fault>> {
        let mut left = fuel;
        // Steps since the state was kept.
        let mut since = 0;
        loop {
            let slice = left.min(LOOK_SLICE).min(self.slice());
            let outcome = self.machine.run(slice);
            if let Some(trace) = &mut self.trace {
                trace.look(&self.machine);
            }
            let used = slice.saturating_sub(self.machine.fuel());
            left -= used;
            since += used;
            match outcome {
                Outcome::Done(value) => {
                    agent.ended(&Ok(value.clone()))?;
                    return Ok(value);
                }
                Outcome::Failed(error) => {
                    match error.kind {
                        yin::Kind::Interrupted => agent.keep_answer()?,
                        _ => agent.ended(&Err(error.to_string()))?,
                    }
                    return Err(Box::new(Fault::in_program(&error)));
                }
                Outcome::Perform { id, op, args } => {
                    let state = self.machine.capture()?;
                    let args = match again(&op) {
                        Again::HarmlessWithKey => agent.with_key(id, args),
                        _ => args,
                    };
                    let request = Request { id, op, args, was_made: true };
                    let answer = self.once(agent, &state, &request)?;
                    since = 0;
                    self.machine.resume(id, answer)?;
                    if let Some(code) = self.follow(id)? {
                        agent.runs(&code);
                    }
                }
                Outcome::OutOfFuel => {
                    self.machine.pause().store(false, Ordering::Relaxed);
                    agent.keep_answer()?;
                    if let Some(why) = agent.must_stop()? {
                        let state = self.machine.capture()?;
                        return Err(Self::leave(agent, &state, None, why));
                    }
                    if left == 0 || since >= FUEL_SLICE {
                        agent.checkpoint(&self.machine.capture()?)?;
                        since = 0;
                    }
                    if left == 0 {
                        return Err(Fault::new(format!("the agent took more than {fuel} steps"))
                            .help("the same command goes on with it")
                            .into());
                    }
                }
                other => return Err(Fault::new(format!("the machine stopped: {other:?}")).into()),
            }
        }
    }

    /// Leaves the agent to others, where its program stands. Why that is so is known already.
    pub(super) fn leave(
        agent: &Agent,
        state: &State,
        request: Option<&Request>,
        why: Box<Fault>,
    ) -> Box<Fault> {
        match agent.leaves(state, request) {
            // Where it cannot be kept, what was kept before still is.
            Ok(()) | Err(_) => why,
        }
    }

    /// Asks, performs and takes the answer. If the agent may not go on here, nothing is performed.
    fn once(
        &mut self,
        agent: &Agent,
        state: &State,
        request: &Request,
    ) -> Result<Result<Value, Value>, Box<Fault>> {
        let asked = Request { was_made: true, ..request.clone() };
        agent.looks_away();
        if let Some(ask) = Self::ask_of_stream(agent, request) {
            return self.at_stream(agent, (state, &asked), &ask, None);
        }
        if self.is_wait(&request.op) {
            return match agent.waits(state, &asked) {
                Ok(since) => self.wait(agent, request, since),
                Err(why) => Err(Self::leave(agent, state, Some(request), why)),
            };
        }
        agent.asks(state, &asked);
        let answer = self.perform(&request.op, request.args.clone())?;
        if let Some(why) = self.trail.take_refused() {
            let why = agent.why(why);
            return Err(Self::leave(agent, state, Some(request), why));
        }
        agent.has_asked()?;
        agent.answered(request.id, &answer, is_harmless_again(&request.op, &request.args))?;
        Ok(answer)
    }

    /// Answers what was asked for at an instant, and may have been performed.
    fn again(
        &mut self,
        agent: &Agent,
        state: &State,
        request: &Request,
        asked: i64,
    ) -> Result<Result<Value, Value>, Box<Fault>> {
        if let Some(ask) = Self::ask_of_stream(agent, request) {
            return self.at_stream(agent, (state, request), &ask, Some(asked));
        }
        if self.is_wait(&request.op) {
            return self.wait(agent, request, asked);
        }
        if is_harmless_again(&request.op, &request.args) {
            return self.once(agent, state, request);
        }
        let answer = Err(agent::ambiguous(&request.op));
        agent.answered(request.id, &answer, false)?;
        Ok(answer)
    }

    /// Waits for what was asked for at an instant, and keeps the answer. A wait that ends early is gone on
    /// with by whoever takes the agent next: what was asked for is kept.
    fn wait(
        &mut self,
        agent: &Agent,
        request: &Request,
        asked: i64,
    ) -> Result<Result<Value, Value>, Box<Fault>> {
        let answer = self.wait_for(&request.op, &request.args, asked)?;
        agent.answered(request.id, &answer, false)?;
        Ok(answer)
    }
}

/// Whether doing it twice is doing it once.
fn is_harmless_again(op: &Keyword, args: &[Value]) -> bool {
    match again(op) {
        Again::Harmless => true,
        Again::HarmlessWithKey => {
            matches!(args, [map] if map.get("key").is_some_and(|key| *key != Value::Nil))
        }
        _ => false,
    }
}
