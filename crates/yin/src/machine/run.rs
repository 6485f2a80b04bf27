//! A program from form to form: runs of the engine that has it, and what each of them ended for.

use std::sync::atomic::Ordering;

use datom::{Keyword, Word};

use super::served::{Nobody, Server};
use super::step::Exit;
use super::{Engine, Frame, Machine, Outcome, POLL, STEPS_PER_FUEL, State};
use crate::ast::Node;
use crate::error::{Error, Kind, Trouble};
use crate::projection::Projection;
use crate::stepper::Control;

impl Machine {
    /// Runs until the program is done, parked, out of fuel or failed. Fuel is counted in calls
    /// and turns of loops.
    pub fn run(&mut self, fuel: u64) -> Outcome {
        self.run_served(fuel, &mut Nobody)
    }

    /// As [`Machine::run`], with somebody who answers requests while the program runs.
    pub(crate) fn run_served(&mut self, fuel: u64, server: &mut dyn Server) -> Outcome {
        self.fuel = fuel;
        match self.run_inside(server) {
            Ok(outcome) => outcome,
            Err(trouble) => {
                let error = self.error(trouble);
                self.abandon();
                Outcome::Failed(error)
            }
        }
    }

    fn run_inside(&mut self, server: &mut dyn Server) -> Result<Outcome, Trouble> {
        loop {
            match self.state {
                State::Idle => {
                    return Err(Trouble::new(Kind::State, "there is no program to run"));
                }
                State::Parked { id, .. } => {
                    let message = format!("the program waits for the answer to request {id}");
                    return Ok(Outcome::Failed(Error::new(Kind::State, message)));
                }
                State::Between => {
                    if !self.next_form()? {
                        return self.done();
                    }
                }
                State::Running => {
                    let advanced = match self.engine {
                        Engine::Register => self.advance(server),
                        Engine::Stepper => self.advance_walk(),
                    };
                    match advanced {
                        Ok(Some(outcome)) => return Ok(outcome),
                        Ok(None) => {}
                        Err(trouble) => self.catch(trouble)?,
                    }
                }
            }
        }
    }

    /// Begins the next form; false if there is none.
    fn next_form(&mut self) -> Result<bool, Trouble> {
        let Some(queue) = &mut self.queue else { return Ok(false) };
        let Some(program) = self.projection.program(queue.program).cloned() else {
            return Ok(false);
        };
        let Some(&form) = program.forms().get(queue.next) else { return Ok(false) };
        queue.next += 1;
        if let Node::Definition { name, .. } = program.tree().node(form)
            && let Some(&word) = self.live.get(name)
        {
            let name = name.clone();
            self.projection.bind(name.as_str(), word);
            self.set(0, word);
            return Ok(true);
        }
        let function = self.projection.form(queue.program, form, program.name());
        self.state = State::Running;
        if self.engine == Engine::Stepper {
            self.begin_walk(function, form);
            return Ok(true);
        }
        self.compile(function)?;
        self.frames.clear();
        self.frames.push(Frame::new(0, 0));
        self.base = 0;
        self.pc = self.projection.entries.get(function as usize).map_or(0, |entry| entry.pc);
        self.set(0, Projection::plain(function));
        Ok(true)
    }

    fn done(&mut self) -> Result<Outcome, Trouble> {
        let word = self.get(0);
        let value = self.value(word)?;
        self.abandon();
        Ok(Outcome::Done(value))
    }

    /// Runs instructions until one needs the machine, and does what it needs.
    fn advance(&mut self, server: &mut dyn Server) -> Result<Option<Outcome>, Trouble> {
        if self.heap.interrupt.load(Ordering::Relaxed) {
            return Err(Trouble::Interrupted);
        }
        let (budget, pauses) = self.budget();
        // Code that another thread compiled came here with the last change of this machine's: its names, too.
        self.heap.names.refresh();
        let (exit, left) = self.steps(budget);
        self.turns += budget - left;
        let work = self.heap.take_work() / STEPS_PER_FUEL;
        self.fuel = self.fuel.saturating_sub(budget - left).saturating_sub(work);
        match exit {
            Exit::Done => self.state = State::Between,
            Exit::Poll => {
                if self.fuel == 0 || pauses {
                    return Ok(Some(Outcome::OutOfFuel));
                }
            }
            Exit::Settle if self.heap.is_full() => self.settle()?,
            Exit::Settle => {}
            Exit::Compile(function) => self.compile(function)?,
            Exit::Literal(id) => self.make_literal(id)?,
            Exit::Grow => self.grow()?,
            Exit::Depth => return Err(self.too_deep()),
            Exit::Perform { at, n } => match self.is_served((at, n), server) {
                Ok(true) => {}
                Ok(false) => return self.park(at, n).map(Some),
                Err(error) => return Ok(Some(Outcome::Failed(error))),
            },
            Exit::Call { at, n, tail } => {
                let result = self.call(at, n, tail);
                self.starving(result)?;
            }
            Exit::Apply { at, tail } => {
                let result = self.apply(at, tail);
                self.starving(result)?;
            }
            Exit::Verb { verb, at, n } if verb.is_control() => {
                let args = self.arguments(at, n);
                let result = self.control(verb, &args, at, false);
                self.starving(result)?;
            }
            Exit::Verb { verb, at, n } => {
                let args = self.arguments(at, n);
                let word = self.verb(verb, &args)?;
                self.set(at, word);
                self.pc += 1;
            }
            Exit::Trouble(trouble) => self.starving(Err(trouble))?,
        }
        Ok(std::mem::take(&mut self.spent).then_some(Outcome::OutOfFuel))
    }

    fn park(&mut self, at: u8, n: u8) -> Result<Outcome, Trouble> {
        let site = self.projection.site(self.pc);
        let Some(Node::Perform { op, .. }) = site.and_then(|site| self.projection.node(site))
        else {
            return Err(Trouble::new(Kind::State, "a request without an operation"));
        };
        let op = op.clone();
        self.request(op, self.arguments(at, n), at)
    }

    /// The answer to a request arrives.
    pub(super) fn answered(&mut self, at: u8, word: Word) {
        match self.engine {
            Engine::Register => {
                self.set(at, word);
                self.pc += 1;
            }
            Engine::Stepper => {
                let node = self.walk.control.node().unwrap_or_default();
                self.walk.control = Control::Value(node, word);
            }
        }
    }

    /// Parks the program under a new request.
    pub(super) fn request(
        &mut self,
        op: Keyword,
        args: Vec<Word>,
        at: u8,
    ) -> Result<Outcome, Trouble> {
        let args = args.into_iter().map(|word| self.value(word)).collect::<Result<_, _>>()?;
        self.requests += 1;
        let id = self.requests;
        self.state = State::Parked { id, at };
        Ok(Outcome::Perform { id, op, args })
    }

    /// Fuel to go on with, until it is looked again whether anybody wants a stop; and whether that is so
    /// now.
    pub(super) fn budget(&self) -> (u64, bool) {
        let pauses = self.pause.load(Ordering::Relaxed);
        (self.fuel.min(if pauses { 0 } else { POLL }), pauses)
    }
}
