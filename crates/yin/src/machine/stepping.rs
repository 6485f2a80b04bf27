//! The stepper as one engine of the machine.

use std::sync::atomic::Ordering;

use datom::Word;

use super::{Machine, Outcome, STEPS_PER_FUEL, State};
use crate::ast::{Node, NodeId};
use crate::error::{Call, Kind, Trouble};
use crate::projection::{PRELUDE, Projection, Site};
use crate::stepper::{Activation, Code, Control, Need, Wait, Walk};

impl Machine {
    /// A program with its places.
    pub(crate) fn code(&mut self, id: u32) -> Option<Code> {
        let places = self.projection.places(id)?;
        Some(Code { id, program: self.projection.program(id)?.clone(), places })
    }

    /// Begins a form as a function of no arguments, below which nothing waits.
    pub(super) fn begin_walk(&mut self, function: u32, form: NodeId) {
        let word = Projection::plain(function);
        let program = self.projection.function(function).map_or(u32::MAX, |f| f.program);
        let nobody = Walk::default().running;
        self.walk = Walk {
            control: Control::Eval(form),
            running: Activation { function: word, id: function, program, locals: 0 },
            waits: vec![Wait::Function(nobody)],
            depth: 1,
            ..Walk::default()
        };
    }

    /// Steps until the program needs something, for as much fuel as is left.
    pub(super) fn advance_walk(&mut self) -> Result<Option<Outcome>, Trouble> {
        if self.heap.interrupt.load(Ordering::Relaxed) {
            return Err(Trouble::Interrupted);
        }
        let (budget, pauses) = self.budget();
        let later = self.fuel - budget;
        self.fuel = budget;
        let need = self.walk();
        self.turns += budget - self.fuel;
        let work = self.heap.take_work() / STEPS_PER_FUEL;
        self.fuel = (self.fuel + later).saturating_sub(work);
        match need {
            Ok(Some(Need::Done)) => {
                if let Control::Value(word) = self.walk.control {
                    self.set(0, word);
                }
                self.walk = Walk::default();
                self.state = State::Between;
            }
            Ok(Some(Need::Fuel)) if self.fuel == 0 || pauses => {
                return Ok(Some(Outcome::OutOfFuel));
            }
            Ok(Some(Need::Request(node))) => return self.ask(node).map(Some),
            Ok(_) => {}
            Err(trouble) => self.starving(Err(trouble))?,
        }
        Ok(None)
    }

    /// Parks the program under the request of a node that waits with its operands.
    fn ask(&mut self, node: NodeId) -> Result<Outcome, Trouble> {
        let site = Site { program: self.walk.running.program, node };
        let (Some(Node::Perform { op, .. }), Some(&Wait::Step(step))) =
            (self.projection.node(site), self.walk.waits.last())
        else {
            return Err(Trouble::new(Kind::State, "a request without an operation"));
        };
        let op = op.clone();
        let args = self.walk.done.get(step.done()..).unwrap_or(&[]).to_vec();
        let outcome = self.request(op, args, 0)?;
        self.walk.done.truncate(step.done());
        if let Some(last) = self.walk.waits.last_mut() {
            *last = Wait::Step(step.called());
        }
        self.walk.control = Control::Await;
        Ok(outcome)
    }

    /// Every word the stepper will use again.
    pub(super) fn walk_roots(walk: &mut Walk) -> impl Iterator<Item = &mut Word> {
        let control = match &mut walk.control {
            Control::Value(word) => Some(word),
            _ => None,
        };
        let functions = walk.waits.iter_mut().filter_map(|wait| match wait {
            Wait::Function(activation) => Some(&mut activation.function),
            Wait::Step(_) => None,
        });
        control
            .into_iter()
            .chain(std::iter::once(&mut walk.running.function))
            .chain(functions)
            .chain(&mut walk.locals)
            .chain(&mut walk.done)
    }

    /// The calls that run and wait, innermost first.
    pub(super) fn walk_calls(&self) -> impl Iterator<Item = Call> {
        let now = match self.walk.control {
            Control::Eval(node) | Control::Turn(node) => Some(node),
            _ => None,
        };
        let mut running = self.walk.running;
        let mut node = now;
        let waits = self.walk.waits.iter().rev().map(Some).chain([None]);
        waits.filter_map(move |wait| match wait {
            Some(Wait::Step(step)) => {
                node = node.or(Some(step.node()));
                None
            }
            Some(Wait::Function(caller)) => {
                let call = self.walk_call(running, node.take());
                running = *caller;
                call
            }
            None => None,
        })
    }

    fn walk_call(&self, running: Activation, node: Option<NodeId>) -> Option<Call> {
        let function = self.projection.function(running.id)?.name.clone();
        let program = self.projection.program(running.program)?;
        let position = match running.program {
            PRELUDE => None,
            _ => node.and_then(|node| program.position(node)),
        };
        Some(Call { function, position })
    }
}
