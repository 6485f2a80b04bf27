//! A machine, and the code of the programs whose agents it runs.
//!
//! Agents of one program share its code and names; agents of different programs share nothing.
//!
//! 1. A space is one program's code, names and cells of globals, as all machines know them. Within it
//!    every number in an agent (an address, a function, a name) means the same on every desk, so moving an
//!    agent between desks moves an owner.
//! 2. A space lives as long as an agent has it: what a program's agents made up goes with the last one.

use std::sync::{Arc, OnceLock, Weak};

use super::number::ByNumber;
use crate::Facts;
use crate::facts::NoFacts;
use crate::machine::{Limits, Machine};
use crate::names::Names;
use crate::projection::Projection;
use crate::replica::Original;

/// Copies of spaces that nobody has any more are looked for when there are so many.
const COPIES_MIN: usize = 64;

/// What the agents of one program have in common.
pub(crate) struct Space {
    number: u64,
    code: Arc<Original<Projection>>,
    names: Arc<Original<Names>>,
}

impl Space {
    /// A space that knows the language alone.
    pub(super) fn new(number: u64) -> Self {
        static BLANK: OnceLock<(Projection, Names)> = OnceLock::new();
        let (code, names) = BLANK.get_or_init(|| {
            let machine = Machine::new(NoFacts, Limits::default());
            (machine.projection, machine.heap.names)
        });
        Self { number, code: Arc::new(code.original()), names: Arc::new(names.original()) }
    }
}

/// A desk's copy of a space, while the machine has another one.
struct Copy {
    space: Weak<Space>,
    code: Projection,
    names: Names,
}

/// One machine.
pub(super) struct Desk {
    pub(super) machine: Machine,
    /// The space that the machine has.
    present: Option<(u64, Weak<Space>)>,
    others: ByNumber<Copy>,
    /// When to look for copies that nobody needs.
    full: usize,
}

impl Desk {
    pub(super) fn new(facts: impl Facts + Send + 'static, limits: Limits) -> Self {
        let machine = Machine::new(facts, limits);
        Self { machine, present: None, others: ByNumber::default(), full: COPIES_MIN }
    }

    /// Gives the machine, which is idle, the code and names of a space, as new as they are.
    pub(super) fn open(&mut self, space: &Arc<Space>) {
        if self.present.as_ref().is_none_or(|(number, _)| *number != space.number) {
            self.switch(space);
        }
        self.machine.projection.refresh();
        self.machine.heap.names.refresh();
    }

    fn switch(&mut self, space: &Arc<Space>) {
        let next = self.others.remove(&space.number).unwrap_or_else(|| Copy {
            space: Arc::downgrade(space),
            code: Projection::copy_of(&space.code),
            names: Names::copy_of(&space.names),
        });
        let code = std::mem::replace(&mut self.machine.projection, next.code);
        let names = std::mem::replace(&mut self.machine.heap.names, next.names);
        if let Some((number, before)) = self.present.replace((space.number, next.space)) {
            self.others.insert(number, Copy { space: before, code, names });
        }
        if self.others.len() >= self.full {
            self.others.retain(|_, copy| copy.space.strong_count() > 0);
            self.full = (self.others.len() * 2).max(COPIES_MIN);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::machine::Outcome;
    use crate::program::Program;
    use datom::Value;

    /// One that is on its way to the code of a program gets what another has compiled meanwhile: with the
    /// names that stand in it.
    #[test]
    fn code_that_another_desk_compiled_comes_with_its_names() {
        let space = Arc::new(Space::new(0));
        let [mut one, mut other] = [(); 2].map(|()| Desk::new(NoFacts, Limits::default()));
        let program = Program::read("gone", ":a-name-of-its-own").unwrap();
        one.open(&space);
        other.open(&space);
        for desk in [&mut other, &mut one] {
            desk.machine.start(&program).unwrap();
            let outcome = desk.machine.run(1_000);
            assert_eq!(outcome, Outcome::Done(Value::keyword("a-name-of-its-own")));
        }
    }
}
