//! The rules of calls.

use datom::Word;

use super::{Activation, Control, Linked, Rule};
use crate::ast::NodeId;
use crate::builtin;
use crate::heap::{Form, PRIMITIVE, payload, sort};
use crate::machine::Machine;

impl Machine {
    /// A node calls its operator with its operands. Without fuel for it, it stands still.
    pub(super) fn call_parts(&mut self, code: &Linked, node: NodeId, last: bool) -> Rule {
        let length = self.walk.words.len();
        let next = self.call_operator(code, node, last);
        match next {
            Ok(Control::Call(_)) => self.walk.words.truncate(length),
            Err(trouble) => {
                self.walk.words.truncate(length);
                return self.blame(Control::Call(node), trouble);
            }
            Ok(_) => {}
        }
        next
    }

    fn call_operator(&mut self, code: &Linked, node: NodeId, last: bool) -> Rule {
        let mut at = self.first_part(code, node);
        loop {
            let callee = self.held(at);
            if let Some(id) = self.heap.function(callee) {
                return self.enter_function(node, last, (callee, id), at + 1);
            }
            if self.heap.form(callee) == Some(Form::Continuation) {
                return self.reinstate_step(code, node, last, callee, at + 1);
            }
            let n = self.walk.words.len() - at - 1;
            if sort(callee) != PRIMITIVE || !builtin::is_apply(payload(callee) as u32) {
                return self.call_built_in(node, last, callee, at + 1);
            }
            if n != 2 {
                return Err(self.heap.wrong("apply", "a function and its arguments", callee));
            }
            let (function, operand) = (self.held(at + 1), self.held(at + 2));
            let Some(args) = self.heap.elements(operand)? else {
                return Err(self.heap.wrong("apply", "a collection of arguments", operand));
            };
            at = self.walk.words.len();
            self.walk.words.push(function);
            self.walk.words.extend(args);
        }
    }

    /// Where a node of the running function has its first part.
    pub(super) fn first_part(&self, code: &Linked, node: NodeId) -> usize {
        self.walk.running.base as usize + usize::from(code.spot(node).depth)
    }

    /// A primitive, a keyword, a map or a set gives its value at once.
    fn call_built_in(&mut self, node: NodeId, last: bool, callee: Word, from: usize) -> Rule {
        let args = self.walk.words.get(from..).unwrap_or(&[]);
        let word = if sort(callee) == PRIMITIVE {
            let id = payload(callee) as u32;
            match builtin::verb_of(id) {
                None => builtin::run(&mut self.heap, id, args)?,
                Some(verb) if verb.is_control() => {
                    builtin::check_arity(id, args.len())?;
                    let args = args.to_vec();
                    return self.control_step(node, last, verb, &args);
                }
                Some(_) => {
                    let args = args.to_vec();
                    self.plain(id, &args)?
                }
            }
        } else if self.looks_up(callee) {
            let args = args.to_vec();
            self.look_up(callee, &args)?
        } else {
            return Err(self.not_callable(callee));
        };
        Ok(Control::Value(node, word))
    }

    /// A function begins: its arguments are its first words. In the last place of its caller, the
    /// caller is forgotten.
    #[inline(always)]
    pub(super) fn enter_function(
        &mut self,
        node: NodeId,
        last: bool,
        (callee, id): (Word, u32),
        from: usize,
    ) -> Rule {
        let words = self.walk.words.len();
        let (params, variadic) = self.check_arity(id, words - from)?;
        if self.fuel == 0 {
            return Ok(Control::Call(node));
        }
        // What runs is a call, too.
        let depth = self.walk.calls.len() + 1;
        if !last && (depth >= self.limits.calls || words >= self.stack_words_max()) {
            return Err(self.too_deep());
        }
        if variadic {
            let rest = self.heap.vector(self.walk.words.get(from + params..).unwrap_or(&[]))?;
            self.walk.words.truncate(from + params);
            self.walk.words.push(rest);
        }
        self.fuel -= 1;
        let mut base = from as u32;
        if last {
            base = self.walk.running.base;
            self.walk.words.copy_within(from.., base as usize);
            self.walk.words.truncate(base as usize + params + usize::from(variadic));
        } else {
            self.walk.calls.push(Activation { at: node, ..self.walk.running });
        }
        let Some(function) = self.projection.function(id) else { return Ok(Control::Call(node)) };
        let (program, body) = (function.program, function.body);
        self.walk.running = Activation { function: callee, id, program, base, at: node };
        Ok(Control::Eval(body))
    }
}
