//! Live code: names that mean something else from the next call on, and who runs now.
//!
//! 1. A call of a global name goes through its cell, so a name is redefined by one write. What runs or
//!    waits goes on with the code that it began with.
//! 2. The code of the function that a name meant before is dropped. Whoever still holds that function as a
//!    value calls the old one, which is compiled again then.
//! 3. A name that was redefined stays so: a form of a program that defines it gives it the newer
//!    meaning, for the program is older.

use std::sync::Arc;

use datom::Symbol;

use super::{Engine, Machine};
use crate::ast::{Node, NodeId};
use crate::error::{Error, Kind};
use crate::heap::sort;
use crate::heap::{FUNCTION, payload};
use crate::program::Program;
use crate::projection::{Function, Projection, Site};

/// A function that runs or waits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Active {
    /// What it is called.
    pub function: Arc<str>,
    /// The hash of its program.
    pub program: [u8; 32],
    /// The hash of its node: of a lambda, or of a whole form.
    pub node: [u8; 32],
}

impl Program {
    /// The function that a form of the program defines a name as, the last if there are several.
    #[must_use]
    pub fn function(&self, name: &Symbol) -> Option<NodeId> {
        self.functions().filter(|(defined, _)| *defined == name).last().map(|(_, node)| node)
    }

    /// As [`Program::function`], or the error that there is none.
    pub(crate) fn defines(&self, name: &Symbol) -> Result<NodeId, Error> {
        self.function(name).ok_or_else(|| self.lacks(name))
    }

    fn lacks(&self, name: &Symbol) -> Error {
        Error::new(Kind::Code, format!("{} defines no function `{name}`", self.name()))
    }

    /// The names that forms of the program define as functions.
    pub fn functions(&self) -> impl Iterator<Item = (&Symbol, NodeId)> {
        self.forms().iter().filter_map(|&form| match self.tree().node(form) {
            Node::Definition { name, value } => match self.tree().node(*value) {
                Node::Lambda { .. } => Some((name, *value)),
                _ => None,
            },
            _ => None,
        })
    }
}

impl Machine {
    /// Makes a name mean the function that a program defines it as, from the next call on. The machine
    /// may be running a program, between two runs. Nothing of the other program is run.
    ///
    /// Cost: that of looking through the names that the program defines; what is compiled is the new
    /// function, at its first call.
    ///
    /// ```
    /// use yin::{Limits, Machine, NoFacts, Outcome, Program};
    ///
    /// let read = |name, source| Program::read(name, source).unwrap();
    /// let mut machine = Machine::new(NoFacts, Limits::default());
    /// machine.start(&read("a", "(defn f [] 1) (loop [] (if (= (f) 1) (recur) (f)))")).unwrap();
    /// assert_eq!(machine.run(1_000), Outcome::OutOfFuel);
    /// machine.redefine(&"f".into(), &read("b", "(defn f [] 2)")).unwrap();
    /// assert_eq!(machine.run(1_000), Outcome::Done(2.into()));
    /// ```
    ///
    /// # Errors
    /// [`Kind::Code`] if the program does not define the name as a function.
    pub fn redefine(&mut self, name: &Symbol, program: &Program) -> Result<(), Error> {
        let node = program.defines(name)?;
        let id = match self.projection.program_of(&program.hash()) {
            Some(id) => id,
            None => self.projection.add_program(Arc::new(program.clone())),
        };
        let site = Site { program: id, node };
        let function = self.projection.lambda(site, Vec::new(), Some(name));
        let word = Projection::plain(function.ok_or_else(|| program.lacks(name))?);
        let before = self.projection.definition(name);
        if let Some(before) = before.filter(|&before| before != word && sort(before) == FUNCTION) {
            let before = payload(before) as u32;
            // Another agent of the same program may have dropped it already.
            if self.projection.entries.get(before as usize).is_some_and(|entry| entry.pc != 0) {
                self.projection.drop_code(before);
            }
        }
        self.projection.bind(name.as_str(), word);
        self.live.insert(name.clone(), word);
        Ok(())
    }

    /// The functions that run and wait, innermost first, at most so many. Cost: linear in these.
    #[must_use]
    pub fn active(&self, most: usize) -> Vec<Active> {
        let projection = &self.projection;
        let functions: Vec<&Function> = match self.engine {
            Engine::Register => {
                let waiting = self.frames.iter().rev().map(|frame| frame.pc().saturating_sub(1));
                let places = std::iter::once(self.pc).chain(waiting).filter(|&pc| pc > 0);
                places.take(most).filter_map(|pc| projection.function_at(pc)).collect()
            }
            Engine::Stepper => {
                let calls = std::iter::once(&self.walk.running).chain(self.walk.calls.iter().rev());
                calls.take(most).filter_map(|call| projection.function(call.id)).collect()
            }
        };
        let active = functions.into_iter().filter_map(|function| {
            let program = projection.program(function.program)?;
            Some(Active {
                function: function.name.clone(),
                program: program.hash(),
                node: program.tree().hash(function.node),
            })
        });
        active.collect()
    }

    /// Calls and turns of loops so far, of all programs.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// What the last run left of its fuel.
    #[must_use]
    pub fn fuel(&self) -> u64 {
        self.fuel
    }
}
