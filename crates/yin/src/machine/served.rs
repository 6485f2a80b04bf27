//! Requests that are answered on the spot, while the program runs.
//!
//! 1. Whoever serves a request here answers it as it would be answered behind an
//!    [`Outcome::Perform`](crate::Outcome::Perform), which says what that is: only sooner.

use datom::{Keyword, Value, Word};

use super::Machine;
use crate::ast::Node;
use crate::error::Error;

/// Fuel that a request costs.
pub(crate) const REQUEST: u64 = 1;

/// Answers requests where they are made.
pub(crate) trait Server {
    /// The answer, if there is one at once; otherwise nothing has happened.
    fn serve(&mut self, machine: &Machine, op: &Keyword, args: &[Word]) -> Option<Answer>;
}

/// What a request is answered.
pub(crate) enum Answer {
    /// The argument at a place.
    Argument(usize),
    Value(Value),
}

/// Answers nothing.
pub(crate) struct Nobody;

impl Server for Nobody {
    fn serve(&mut self, _: &Machine, _: &Keyword, _: &[Word]) -> Option<Answer> {
        None
    }
}

impl Machine {
    /// Goes on behind the request of the register code, if it is answered at once.
    ///
    /// # Errors
    /// The answer does not fit, which ends the program.
    pub(super) fn is_served(
        &mut self,
        (at, n): (u8, u8),
        server: &mut dyn Server,
    ) -> Result<bool, Error> {
        let site = self.projection.site(self.pc);
        let Some(Node::Perform { op, .. }) = site.and_then(|site| self.projection.node(site))
        else {
            return Ok(false);
        };
        let start = self.base as usize + usize::from(at);
        let args = self.registers.get(start..start + usize::from(n)).unwrap_or(&[]);
        let word = match server.serve(self, op, args) {
            None => return Ok(false),
            Some(Answer::Argument(place)) => Ok(args.get(place).copied().unwrap_or(Word::NIL)),
            Some(Answer::Value(value)) => self.adopt(&value),
        };
        let word = word.map_err(|trouble| {
            let error = self.error(trouble);
            self.abandon();
            error
        })?;
        self.requests += 1;
        self.fuel = self.fuel.saturating_sub(REQUEST);
        self.answered(at, word);
        Ok(true)
    }

    /// The number of something of the host's, such as a stream, that programs have as a tagged number.
    pub(crate) fn number_of(&self, tag: &str, word: Word) -> Option<u64> {
        let (found, number) = self.heap.untagged(word)?;
        let number = number.as_int().filter(|_| self.heap.name(found) == Some(tag))?;
        u64::try_from(number).ok()
    }
}
