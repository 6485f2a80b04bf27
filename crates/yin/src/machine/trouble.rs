//! Memory, depth, and what a fault becomes: an error with its place and its calls.

use std::sync::atomic::Ordering;

use datom::Word;

use super::{Engine, Machine, State};
use crate::error::{CALLS_MAX, Error, Fault, Kind, Trouble};
use crate::heap::Reach;
use crate::projection::{Projection, WINDOW};

/// Registers are made at most so many at a time, and a collection leaves no more above those that are used: it
/// clears them.
const GROWTH_WORDS: usize = if cfg!(test) { WINDOW } else { 1 << 12 };

impl Machine {
    /// Out of memory means: collect and run the instruction again, unless that was tried just now.
    pub(super) fn starving(&mut self, result: Result<(), Trouble>) -> Result<(), Trouble> {
        match result {
            Err(Trouble::Memory) if self.starved != Some((self.place(), self.turns)) => {
                self.collect()?;
                self.starved = Some((self.place(), self.turns));
                Ok(())
            }
            other => other,
        }
    }

    /// What runs now, to tell whether anything has moved on.
    fn place(&self) -> u32 {
        match self.engine {
            Engine::Register => self.pc,
            Engine::Stepper => self.walk.control.node().map_or(0, |node| node.index() as u32),
        }
    }

    /// Looks after the heap between two instructions: the old are collected only when they have grown.
    pub(crate) fn settle(&mut self) -> Result<(), Trouble> {
        if self.heap.wants_all() {
            return self.collect();
        }
        self.forget_garbage(Reach::Young);
        Ok(())
    }

    /// Forgets what nothing reaches. Fails if what is left does not leave the program room to
    /// work in, for then it would do nothing but collect.
    pub(crate) fn collect(&mut self) -> Result<(), Trouble> {
        self.forget_garbage(Reach::All);
        if self.heap.used() > self.limits.heap_words - self.limits.heap_words / 8 {
            return Err(self.too_much());
        }
        Ok(())
    }

    fn forget_garbage(&mut self, reach: Reach) {
        let first = match reach {
            Reach::Young => self.settled_registers(),
            Reach::All => 0,
        };
        let top = (self.base as usize + self.running_registers()).min(self.registers.len());
        self.registers.truncate(self.base as usize + WINDOW + GROWTH_WORDS);
        let (live, dead) = self.registers.split_at_mut(top);
        dead.fill(Word::NIL);
        let live = live.get_mut(first..).unwrap_or(&mut []);
        let Projection { objects, values, .. } = &mut self.projection;
        let walk = Self::walk_roots(&mut self.walk);
        self.heap.collect(reach, live.iter_mut().chain(objects).chain(values).chain(walk));
        self.settle_frames();
    }

    /// How many registers the running function uses.
    pub(super) fn running_registers(&self) -> usize {
        match self.state {
            State::Idle => 0,
            State::Between => 1,
            _ => self.projection.function_at(self.pc).map_or(WINDOW, |f| usize::from(f.registers)),
        }
    }

    pub(super) fn too_much(&self) -> Trouble {
        let megabytes = self.limits.heap_words as f64 * 8.0 / f64::from(1 << 20);
        Trouble::new(
            Kind::Memory,
            format!("the program needs more than its {megabytes:.1} MiB of memory"),
        )
        .help("keep less at a time, or give the machine a larger heap")
    }

    pub(crate) fn too_deep(&self) -> Trouble {
        let waiting = self.frames.len().max(self.walk.calls.len() + 1);
        let message = format!("more than {waiting} calls wait for each other");
        Trouble::new(Kind::Depth, message)
            .help("make the recursive call the last thing the function does, or use loop and recur")
    }

    /// The words that waiting calls may hold together.
    pub(crate) fn stack_words_max(&self) -> usize {
        self.limits.heap_words.max(1 << 16)
    }

    /// Makes room for the registers of the next call.
    pub(super) fn grow(&mut self) -> Result<(), Trouble> {
        if self.registers.len() >= self.stack_words_max() {
            return Err(self.too_deep());
        }
        let more = self.registers.len().min(GROWTH_WORDS);
        self.registers.resize(self.registers.len() + more, Word::NIL);
        Ok(())
    }

    /// The error without a place.
    pub(crate) fn plain_error(&self, trouble: Trouble) -> Error {
        let trouble = match trouble {
            Trouble::Unbound(id) => self.unbound(id),
            other => other,
        };
        let fault = match trouble {
            Trouble::Fault(fault) => *fault,
            Trouble::Memory | Trouble::Unbound(_) => match self.too_much() {
                Trouble::Fault(fault) => *fault,
                _ => Fault { kind: Kind::Memory, message: String::new(), help: None, value: None },
            },
            Trouble::Interrupted => {
                self.heap.interrupt.store(false, Ordering::Relaxed);
                let message = "the program was interrupted".to_owned();
                Fault { kind: Kind::Interrupted, message, help: None, value: None }
            }
        };
        let mut error = Error::new(fault.kind, fault.message);
        error.help = fault.help;
        error.value = fault.value.map(Box::new);
        error
    }

    /// The error of a program that took all the steps it was allowed: where it stands, with its
    /// calls. What to do with it is the host's to say.
    #[must_use]
    pub fn exhausted(&self, fuel: u64) -> Error {
        let message = format!("the program took more than {fuel} steps");
        self.error(Trouble::new(Kind::Limit, message))
    }

    /// The error at the instruction that runs now, in its calls.
    pub(crate) fn error(&self, trouble: Trouble) -> Error {
        let mut error = self.plain_error(trouble);
        if !matches!(self.state, State::Running | State::Parked { .. }) {
            return error;
        }
        let calls: Vec<_> = match self.engine {
            Engine::Stepper => self.walk_calls().take(CALLS_MAX).collect(),
            Engine::Register => {
                let waiting = self.frames.iter().rev().map(|frame| frame.pc().saturating_sub(1));
                let places = std::iter::once(self.pc).chain(waiting).filter(|&pc| pc > 0);
                places.filter_map(|pc| self.projection.call(pc)).take(CALLS_MAX).collect()
            }
        };
        // The prelude has no place a reader of the program could look at: blame its caller.
        error.position = calls.iter().find_map(|call| call.position.clone()).map(Box::new);
        error.calls = calls;
        error
    }
}
