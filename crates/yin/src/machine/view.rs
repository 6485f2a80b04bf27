//! Looking at a machine that stands still: where each call waits, and with what.

use std::sync::Arc;

use datom::{Symbol, Value, Word};

use super::{Machine, State, Told};
use crate::builtin;
use crate::error::Position;
use crate::heap::{PRIMITIVE, payload, sort};
use crate::projection::is_prelude;

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
    /// The calls of a program that stands still, innermost first.
    #[must_use]
    pub fn levels(&mut self) -> Vec<Level> {
        if !matches!(self.state, State::Running | State::Parked { .. }) {
            return Vec::new();
        }
        let Ok(stack) = self.stack() else { return Vec::new() };
        let mut from = 0;
        let mut levels = Vec::with_capacity(stack.frames.len());
        for told in &stack.frames {
            let words = stack.words.get(from..from + told.count as usize).unwrap_or(&[]);
            from += told.count as usize;
            levels.extend(self.level(told, words));
        }
        levels.reverse();
        levels
    }

    fn level(&mut self, told: &Told, words: &[Word]) -> Option<Level> {
        let code = self.code(told.program)?;
        let id = self.function_of(&code, told.node).ok()?;
        let function = self.projection.function(id)?;
        let words = words.get(usize::from(!function.captures.is_empty())..).unwrap_or(&[]);
        let names = code.program.names_at(&code.places, told.node).into_iter().zip(words);
        let position = match told.program {
            id if is_prelude(id) => None,
            _ => code.program.position(told.node),
        };
        Some(Level {
            function: function.name.clone(),
            node: code.program.tree().hash(told.node),
            position,
            names: names
                .map(|(name, &word)| (name, self.value(word).unwrap_or(Value::Nil)))
                .collect(),
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
