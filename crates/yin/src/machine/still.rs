//! What capturing and restoring need of a machine that stands still.

use std::sync::Arc;

use datom::{Symbol, Word};

use super::{Engine, Frame, Machine, Queue, State};
use crate::ast::{Node, NodeId};
use crate::error::{Kind, Trouble};
use crate::program::{Places, Program};
use crate::projection::{Site, WINDOW};
use crate::state::Standing;
use crate::stepper::Walk;

/// A program with its places.
#[derive(Clone)]
pub(crate) struct Code {
    pub(crate) id: u32,
    pub(crate) program: Arc<Program>,
    pub(crate) places: Arc<Places>,
}

impl Code {
    /// What a function is called if it does not say itself: the name it is bound to.
    pub(crate) fn hint(&self, node: NodeId) -> Option<&Symbol> {
        let place = self.places.get(node)?;
        match self.program.tree().node(place.parent?) {
            Node::Definition { name, value } if *value == node => Some(name),
            Node::Let { names, values, .. } => {
                let at = usize::from(place.child);
                names.get(at).filter(|_| values.get(at) == Some(&node))
            }
            _ => None,
        }
    }
}

impl Machine {
    /// A program with its places.
    pub(crate) fn code(&mut self, id: u32) -> Option<Code> {
        self.projection.places(id)?;
        self.code_so_far(id)
    }

    /// A program with its places, if they have been found out.
    pub(crate) fn code_so_far(&self, id: u32) -> Option<Code> {
        let places = self.projection.places_so_far(id)?;
        Some(Code { id, program: self.projection.program(id)?.clone(), places })
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    /// The value of the last form.
    pub(crate) fn result_word(&self) -> Word {
        match self.state {
            State::Between => self.get(0),
            _ => Word::NIL,
        }
    }

    /// How the program stands, which program it is, and which form comes next.
    pub(crate) fn standing(&self) -> Result<(Standing, (u32, u32)), Trouble> {
        let queue = self.queue.map_or((0, 0), |queue| (queue.program, queue.next as u32));
        match self.state {
            State::Idle => Err(Trouble::new(Kind::State, "there is no program to take")),
            State::Between => Ok((Standing::Between, queue)),
            State::Running => Ok((Standing::Turn, queue)),
            State::Parked { .. } => Ok((Standing::Parked, queue)),
        }
    }

    /// Forgets everything that belongs to a program, and no code.
    pub(crate) fn forget(&mut self) {
        self.heap.forget();
        self.registers.truncate(WINDOW);
        self.registers.fill(Word::NIL);
        self.frames.clear();
        self.walk = Walk::default();
        self.projection.unbind();
        self.projection.objects.clear();
        self.namespaces.clear();
        self.starved = None;
    }

    /// The function of a lambda.
    pub(crate) fn function_at_lambda(&mut self, code: &Code, node: NodeId) -> Option<u32> {
        let names = code.places.captures(node).iter().map(|(name, _)| name.clone()).collect();
        self.projection.lambda(Site { program: code.id, node }, names, code.hint(node))
    }

    /// The forms of a program are run from one on.
    pub(crate) fn take_over(&mut self, (program, next): (u32, u32), requests: u64, value: Word) {
        self.queue = Some(Queue { program, next: next as usize });
        self.requests = requests;
        self.state = State::Between;
        self.set(0, value);
        if self.engine == Engine::Register {
            self.frames.push(Frame::new(0, 0));
        }
    }

    pub(crate) fn run_on(&mut self) {
        self.state = State::Running;
    }

    pub(crate) fn park_at(&mut self, request: u64) {
        self.state = State::Parked { id: request, at: 0 };
    }
}
