//! Looking at a machine that stands still: where each call waits, and with what.

use std::sync::Arc;

use datom::{Symbol, Value, Word};

use super::{Machine, State};
use crate::builtin;
use crate::error::Position;
use crate::heap::{PRIMITIVE, payload, sort};

/// One waiting call, told in terms of the AST: this is what a continuation is made of.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Level {
    /// The name of the function.
    pub function: Arc<str>,
    /// The hash of the node it waits at.
    pub node: [u8; 32],
    /// Where that is in the source. `None` in the machine's own functions.
    pub position: Option<Position>,
    /// The names in scope with their values, outermost first. Captured names are in the closure.
    pub names: Vec<(Symbol, Value)>,
}

impl Machine {
    /// The calls of a parked program or one that is out of fuel, innermost first.
    #[must_use]
    pub fn levels(&self) -> Vec<Level> {
        if !matches!(self.state, State::Running | State::Parked { .. }) {
            return Vec::new();
        }
        let waiting =
            self.frames.iter().rev().map(|frame| (frame.pc.saturating_sub(1), frame.base));
        std::iter::once((self.pc, self.base))
            .chain(waiting)
            .filter_map(|(pc, base)| self.level(pc, base))
            .collect()
    }

    fn level(&self, pc: u32, base: u32) -> Option<Level> {
        let site = self.projection.site(pc)?;
        let program = self.projection.program(site.program)?;
        let names = self
            .projection
            .slots_at(pc)
            .map(|(name, register)| {
                let word = self.registers.get(base as usize + usize::from(register));
                let value = self.value(word.copied().unwrap_or(Word::NIL));
                (name.clone(), value.unwrap_or(Value::Nil))
            })
            .collect();
        Some(Level {
            function: self.projection.function_at(pc)?.name.clone(),
            node: program.tree().hash(site.node),
            position: self.projection.position(pc),
            names,
        })
    }

    /// What a function is called outside.
    pub(super) fn show(&self, word: Word) -> String {
        if sort(word) == PRIMITIVE {
            return builtin::primitive(payload(word) as u32)
                .map_or_else(String::new, |primitive| primitive.name.to_owned());
        }
        let id = self.heap.function(word);
        let function = id.and_then(|id| self.projection.function(id));
        function.map_or_else(|| "fn".to_owned(), |function| function.name.to_string())
    }
}
