//! The stepper as one engine of the machine.

use std::sync::atomic::Ordering;

use datom::Word;

use super::{Machine, Outcome, STEPS_PER_FUEL, State};
use crate::ast::{Node, NodeId};
use crate::error::{Call, Kind, Trouble};
use crate::projection::{Projection, Site, is_prelude};
use crate::stepper::{Activation, Control, Walk};

impl Machine {
    /// Begins a form as a function of no arguments, below which nothing waits.
    pub(super) fn begin_walk(&mut self, function: u32, form: NodeId) {
        let word = Projection::plain(function);
        let program = self.projection.function(function).map_or(u32::MAX, |f| f.program);
        self.walk = Walk {
            control: Control::Eval(form),
            running: Activation { function: word, id: function, program, base: 0, at: form },
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
        let walked = self.walk();
        self.turns += budget - self.fuel;
        let is_spent = self.fuel == 0;
        let work = self.heap.take_work() / STEPS_PER_FUEL;
        self.fuel = (self.fuel + later).saturating_sub(work);
        if let Err(trouble) = walked {
            self.starving(Err(trouble))?;
            return Ok(None);
        }
        match self.walk.control {
            Control::Done(word) => {
                self.set(0, word);
                self.walk = Walk::default();
                self.state = State::Between;
            }
            Control::Ask(node) => return self.ask(node).map(Some),
            Control::Call(_) | Control::Turn(_) if is_spent && (self.fuel == 0 || pauses) => {
                return Ok(Some(Outcome::OutOfFuel));
            }
            _ => {}
        }
        Ok(None)
    }

    /// Parks the program under the request of a node that has its operands.
    fn ask(&mut self, node: NodeId) -> Result<Outcome, Trouble> {
        let site = Site { program: self.walk.running.program, node };
        let Some(Node::Perform { op, operands }) = self.projection.node(site) else {
            return Err(Trouble::new(Kind::State, "a request without an operation"));
        };
        let from = self.walk.words.len() - operands.len();
        let (op, args) = (op.clone(), self.walk.words.get(from..).unwrap_or(&[]).to_vec());
        let outcome = self.request(op, args, 0)?;
        self.walk.words.truncate(from);
        self.walk.control = Control::Await(node);
        Ok(outcome)
    }

    /// Every word the stepper will use again.
    pub(super) fn walk_roots(walk: &mut Walk) -> impl Iterator<Item = &mut Word> {
        let control = match &mut walk.control {
            Control::Value(_, word) | Control::Done(word) => Some(word),
            _ => None,
        };
        let calls = std::iter::once(&mut walk.running).chain(&mut walk.calls);
        let functions = calls.map(|call| &mut call.function);
        control.into_iter().chain(functions).chain(&mut walk.words)
    }

    /// The calls that run and wait, innermost first.
    pub(super) fn walk_calls(&self) -> impl Iterator<Item = Call> {
        let running = (&self.walk.running, self.walk.control.node());
        let waiting = self.walk.calls.iter().rev().map(|call| (call, Some(call.at)));
        let calls = std::iter::once(running).chain(waiting);
        calls.filter_map(|(call, node)| self.walk_call(call, node))
    }

    fn walk_call(&self, running: &Activation, node: Option<NodeId>) -> Option<Call> {
        let function = self.projection.function(running.id)?.name.clone();
        let program = self.projection.program(running.program)?;
        let shown = node.filter(|_| !is_prelude(running.program));
        let position = shown.and_then(|node| program.position(node));
        Some(Call { function, position })
    }
}
