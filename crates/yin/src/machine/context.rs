//! A program that stands still, taken off its machine as it is.
//!
//! A [`State`](crate::State) can go anywhere, and costs what it holds; a context goes to machines with
//! copies of the same code and names only, and costs nothing to move.
//!
//! 1. Taking a context off a machine and putting it on one copies at most [`COPIED_WORDS_MAX`] registers;
//!    everything else changes its owner.
//! 2. A machine without a context is idle, its registers nil: no word of one program is ever seen by the
//!    next.
//! 3. Register code only: the stepper moves as a state.

use std::collections::{BTreeSet, HashMap};

use datom::{Symbol, Word};

use super::{Frame, Machine, Queue, State};
use crate::error::Trouble;
use crate::heap::Detached;
use crate::projection::WINDOW;

/// Registers beyond these are handed over with the array they are in.
const COPIED_WORDS_MAX: usize = 2 * WINDOW;
/// Frames that an agent may keep room for while it waits, beside as many as it has.
const SPARE_FRAMES: usize = 4;

/// All of a program that a machine has.
#[derive(Debug)]
pub(crate) struct Context {
    objects: Detached,
    registers: Vec<Word>,
    frames: Vec<Frame>,
    pc: u32,
    base: u32,
    state: State,
    queue: Option<Queue>,
    is_spent: bool,
    requests: u64,
    turns: u64,
    namespaces: BTreeSet<Symbol>,
    globals: Vec<Word>,
    literals: Vec<Word>,
    /// What names were redefined as.
    live: HashMap<Symbol, Word>,
}

impl Context {
    /// Bytes of the host's memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let words = self.registers.capacity() + self.globals.capacity() + self.literals.capacity();
        size_of::<Self>()
            + self.objects.bytes()
            + words * size_of::<Word>()
            + self.frames.capacity() * size_of::<Frame>()
    }

    /// Calls that run and wait.
    pub(crate) fn calls(&self) -> usize {
        self.frames.len()
    }
}

impl Machine {
    /// Takes the program off the machine. One that will wait for long gives back what it does not need.
    ///
    /// # Errors
    /// What it holds is too much for it, found out by a collection: see [`Machine::collect`].
    pub(crate) fn unload(&mut self, will_wait: bool) -> Result<Context, Trouble> {
        if will_wait && self.heap.is_wasteful() {
            self.collect()?;
        }
        let live = (self.base as usize + self.running_registers()).min(self.registers.len());
        let registers = if live <= COPIED_WORDS_MAX {
            let copy = self.registers.get(..live).unwrap_or(&[]).to_vec();
            self.registers.truncate(COPIED_WORDS_MAX);
            self.registers.fill(Word::NIL);
            copy
        } else {
            std::mem::replace(&mut self.registers, vec![Word::NIL; COPIED_WORDS_MAX])
        };
        let mut context = Context {
            objects: self.heap.detach(will_wait),
            registers,
            frames: std::mem::take(&mut self.frames),
            pc: self.pc,
            base: self.base,
            state: self.state,
            queue: self.queue,
            is_spent: std::mem::take(&mut self.spent),
            requests: std::mem::take(&mut self.requests),
            turns: std::mem::take(&mut self.turns),
            namespaces: std::mem::take(&mut self.namespaces),
            globals: std::mem::take(&mut self.projection.values),
            literals: std::mem::take(&mut self.projection.objects),
            live: std::mem::take(&mut self.live),
        };
        if will_wait {
            if context.frames.capacity() > 2 * context.frames.len() + SPARE_FRAMES {
                context.frames.shrink_to_fit();
            }
            context.globals.shrink_to_fit();
            context.literals.shrink_to_fit();
        }
        self.starved = None;
        self.heap.take_work();
        self.abandon();
        Ok(context)
    }

    /// Puts a program on the machine, which has none, and has the code and names that the program had.
    pub(crate) fn load(&mut self, context: Context) {
        debug_assert!(self.is_idle(), "a machine runs one program at a time");
        self.heap.attach(context.objects);
        if context.registers.len() <= COPIED_WORDS_MAX {
            self.registers.resize(COPIED_WORDS_MAX, Word::NIL);
            if let Some(live) = self.registers.get_mut(..context.registers.len()) {
                live.copy_from_slice(&context.registers);
            }
        } else {
            self.registers = context.registers;
        }
        self.frames = context.frames;
        (self.pc, self.base) = (context.pc, context.base);
        self.state = context.state;
        self.queue = context.queue;
        self.spent = context.is_spent;
        self.requests = context.requests;
        self.turns = context.turns;
        self.namespaces = context.namespaces;
        self.projection.values = context.globals;
        self.projection.complete();
        self.projection.objects = context.literals;
        self.live = context.live;
    }

    /// Makes the machine as if it had never run anything, but for its code and names.
    pub(crate) fn clear(&mut self) {
        self.abandon();
        self.forget();
        self.live.clear();
        self.requests = 0;
        self.spent = false;
        self.turns = 0;
    }
}
