//! Agents on a runner: a program that goes on where its last process was.

use bridge::handlers::{Again, again};
use datom::{Keyword, Value};
use yin::{Outcome, State};

use super::{FUEL_SLICE, Runner};
use crate::agent::{self, Agent, Record};
use crate::fault::Fault;
use crate::program::Stored;

impl Runner {
    /// Runs a program as an agent: from where its last process was, or from its beginning.
    ///
    /// # Errors
    /// Whatever ended it early. An agent that was paused, cancelled or taken over is such an end.
    pub fn run_durable(
        &mut self,
        stored: &Stored,
        name: &str,
        fuel: u64,
    ) -> Result<Value, Box<Fault>> {
        match Record::of(&self.database.db()?, name)? {
            None => self.begin(stored, name)?,
            Some(record) => match record.status() {
                agent::DONE => return Ok(record.result().unwrap_or(Value::Nil)),
                agent::FAILED | agent::CANCELLED | agent::PAUSED => {
                    let how = record.status().trim_start_matches("agent.status/");
                    return Err(Fault::new(format!("the agent {name} is {how}"))
                        .help(format!("see `datom agent show`, or choose another name than {name}"))
                        .into());
                }
                _ => self.go_on(name, &record)?,
            },
        }
        let Some(agent) = self.agent.get().cloned() else { return Err(Self::nobody()) };
        let ended = self.drive_durable(&agent, fuel);
        let closed = self.trail.close();
        ended.and_then(|value| Ok(closed.map(|()| value)?))
    }

    fn nobody() -> Box<Fault> {
        Fault::new("this machine is another agent's already").into()
    }

    fn begin(&mut self, stored: &Stored, name: &str) -> Result<(), Box<Fault>> {
        self.machine.start(&stored.program)?;
        let state = self.machine.capture()?;
        let named = (name, self.world.as_slice());
        let agent = Agent::begin(&self.database, &self.trail, named, stored.entity, &state)?;
        self.agent.set(agent).map_err(|_| Self::nobody())
    }

    /// Takes the agent over, puts the machine where it stood, and gives it the answer it had or must
    /// get.
    fn go_on(&mut self, name: &str, known: &Record) -> Result<(), Box<Fault>> {
        let named = (name, self.world.as_slice());
        let agent = Agent::take(&self.database, &self.trail, named, known)?;
        // Its last owner may have got on until now, and does so no more.
        let db = self.database.db()?;
        let lost = |what: &str| Fault::new(format!("the agent {name} has no {what}"));
        let record = Record::of(&db, name)?.ok_or_else(|| lost("record"))?;
        let state = record.state()?.ok_or_else(|| lost("state"))?;
        self.machine.restore(&state, |hash| agent::program(&db, hash))?;
        agent.sees(db.as_of(record.basis(&db, state.request())?));
        self.agent.set(agent.clone()).map_err(|_| Self::nobody())?;
        let Some(id) = state.request() else { return Ok(()) };
        let answer = match (record.answer(id), record.request()) {
            (Some(answer), _) => answer,
            (None, Some((asked, op, args))) if asked == id => {
                self.once(&agent, &state, (id, &op, args), true)?
            }
            _ => {
                return Err(Fault::new("the agent waits for a request that is not recorded").into());
            }
        };
        Ok(self.machine.resume(id, answer)?)
    }

    fn drive_durable(&mut self, agent: &Agent, fuel: u64) -> Result<Value, Box<Fault>> {
        let mut left = fuel;
        loop {
            let slice = left.min(FUEL_SLICE);
            match self.machine.run(slice) {
                Outcome::Done(value) => {
                    agent.ended(&Ok(value.clone()))?;
                    return Ok(value);
                }
                Outcome::Failed(error) => {
                    if error.kind != yin::Kind::Interrupted {
                        agent.ended(&Err(error.to_string()))?;
                    }
                    return Err(Box::new(Fault::in_program(&error)));
                }
                Outcome::Perform { id, op, args } => {
                    let state = self.machine.capture()?;
                    let args = match again(&op) {
                        Again::HarmlessWithKey => agent.with_key(id, args),
                        _ => args,
                    };
                    let answer = self.once(agent, &state, (id, &op, args), false)?;
                    self.machine.resume(id, answer)?;
                }
                Outcome::OutOfFuel => {
                    let state = self.machine.capture()?;
                    agent.checkpoint(&state)?;
                    left -= slice;
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

    /// Asks, performs and keeps the answer. What was asked for before may have been performed.
    fn once(
        &mut self,
        agent: &Agent,
        state: &State,
        (id, op, args): (u64, &Keyword, Vec<Value>),
        was_asked: bool,
    ) -> Result<Result<Value, Value>, Box<Fault>> {
        let answer = if was_asked && !is_harmless_again(op, &args) {
            Err(agent::ambiguous(op))
        } else {
            self.trail.keep_before(agent.asks(state, id, op, &args));
            let answer = self.perform(op, args)?;
            if let Some(error) = self.trail.take_refused() {
                return Err(agent.why(&error));
            }
            answer
        };
        agent.answered(id, &answer)?;
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
