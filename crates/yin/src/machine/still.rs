//! What capturing and restoring need of a machine that stands still.

use datom::Word;

use super::{Engine, Frame, Machine, Queue, State};
use crate::ast::NodeId;
use crate::error::{Kind, Trouble};
use crate::projection::{PRELUDE, Site, WINDOW};
use crate::state::Standing;
use crate::stepper::{Code, Wait, Walk};

impl Machine {
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
        let queue = self.queue.map_or((PRELUDE, 0), |queue| (queue.program, queue.next as u32));
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
        match self.engine {
            Engine::Register => self.frames.push(Frame { pc: 0, base: 0 }),
            Engine::Stepper => {
                self.walk.waits.push(Wait::Function(self.walk.running));
                self.walk.depth = 1;
            }
        }
    }

    pub(crate) fn run_on(&mut self) {
        self.state = State::Running;
    }

    pub(crate) fn park_at(&mut self, request: u64) {
        self.state = State::Parked { id: request, at: 0 };
    }
}
