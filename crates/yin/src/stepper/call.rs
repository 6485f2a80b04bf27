//! The rules of calls.

use datom::{Tag, Word};

use super::{Activation, Code, Control, Need, ON, Rule, Step, Wait};
use crate::ast::Node;
use crate::builtin;
use crate::error::{Kind, Trouble};
use crate::heap::{Form, PRIMITIVE, payload, sort};
use crate::machine::Machine;
use crate::program::Meaning;
use crate::projection::{Free, Site};

impl Machine {
    /// The innermost waiting node calls its operator with its operands.
    pub(super) fn apply_step(&mut self, code: &Code) -> Rule {
        let Some(&Wait::Step(step)) = self.walk.waits.last() else {
            return Err(Trouble::new(Kind::State, "nothing waits to call"));
        };
        let length = self.walk.done.len();
        let result = self.call_operator(code, step);
        // What failed, or stands still for want of fuel, holds what it held.
        if !matches!(result, Ok(None)) {
            self.walk.done.truncate(length);
        }
        result
    }

    fn call_operator(&mut self, code: &Code, step: Step) -> Rule {
        let mut from = step.done();
        loop {
            let callee = self.held(from);
            if let Some(id) = self.heap.function(callee) {
                return self.enter_function(code, step, (callee, id), from + 1);
            }
            if self.heap.form(callee) == Some(Form::Continuation) {
                return self.reinstate_step(code, step, callee, from + 1);
            }
            let n = self.walk.done.len() - from - 1;
            if sort(callee) != PRIMITIVE || !builtin::is_apply(payload(callee) as u32) {
                return self.call_built_in(code, step, callee, from + 1);
            }
            if n != 2 {
                return Err(self.heap.wrong("apply", "a function and its arguments", callee));
            }
            let (function, operand) = (self.held(from + 1), self.held(from + 2));
            let Some(args) = self.heap.elements(operand)? else {
                return Err(self.heap.wrong("apply", "a collection of arguments", operand));
            };
            from = self.walk.done.len();
            self.walk.done.push(function);
            self.walk.done.extend(args);
        }
    }

    fn held(&self, at: usize) -> Word {
        self.walk.done.get(at).copied().unwrap_or(Word::NIL)
    }

    /// A primitive or a keyword gives its value at once.
    fn call_built_in(&mut self, code: &Code, step: Step, callee: Word, from: usize) -> Rule {
        let args = self.walk.done.get(from..).unwrap_or(&[]);
        let word = if sort(callee) == PRIMITIVE {
            let id = payload(callee) as u32;
            match builtin::verb_of(id) {
                None => builtin::run(&mut self.heap, id, args)?,
                Some(verb) if verb.is_control() => {
                    builtin::check_arity(id, args.len())?;
                    let args = args.to_vec();
                    return self.control_step(code, step, verb, &args);
                }
                Some(_) => {
                    let args = args.to_vec();
                    self.plain(id, &args)?
                }
            }
        } else if callee.tag() == Tag::Keyword {
            let args = args.to_vec();
            self.look_up(callee, &args)?
        } else {
            return Err(self.not_callable(callee));
        };
        self.finish(step, word)
    }

    /// A function begins: its names are bound, and in the last place of its caller, the caller is
    /// forgotten.
    pub(super) fn enter_function(
        &mut self,
        code: &Code,
        step: Step,
        (callee, id): (Word, u32),
        from: usize,
    ) -> Rule {
        let (params, variadic) = self.check_arity(id, self.walk.done.len() - from)?;
        if self.fuel == 0 {
            return Ok(Some(Need::Fuel));
        }
        let last = code.places.get(step.node()).is_some_and(|place| place.tail);
        let forgets = last && !self.is_traced(code, step);
        let words = self.walk.locals.len() + self.walk.done.len();
        if !forgets && (self.walk.depth >= self.limits.calls || words >= self.stack_words_max()) {
            return Err(self.too_deep());
        }
        let rest = match variadic {
            true => Some(self.heap.vector(self.walk.done.get(from + params..).unwrap_or(&[]))?),
            false => None,
        };
        self.fuel -= 1;
        let mut held = step.done();
        if forgets {
            while let Some(Wait::Step(inner)) = self.walk.waits.last() {
                held = inner.done();
                self.walk.waits.pop();
            }
            self.walk.locals.truncate(self.walk.running.locals as usize);
        } else {
            self.walk.set_top(step.called());
            self.walk.waits.push(Wait::Function(self.walk.running));
            self.walk.depth += 1;
        }
        let locals = self.walk.locals.len() as u32;
        let plain = self.walk.done.get(from..from + params).unwrap_or(&[]);
        self.walk.locals.extend_from_slice(plain);
        self.walk.locals.extend(rest);
        self.walk.done.truncate(held);
        let Some(function) = self.projection.function(id) else { return ON };
        let (program, body) = (function.program, function.body);
        self.walk.running = Activation { function: callee, id, program, locals };
        self.walk.control = Control::Eval(body);
        ON
    }

    /// Whether a call waits even where it comes last.
    fn is_traced(&mut self, code: &Code, step: Step) -> bool {
        let tree = code.program.tree();
        let Node::Application { operator, .. } = tree.node(step.node()) else { return false };
        let Node::Variable(name) = tree.node(*operator) else { return false };
        let site = Site { program: code.id, node: *operator };
        code.places.get(*operator).is_some_and(|place| place.meaning == Meaning::Free)
            && matches!(self.projection.free(site, name), Free::BuiltIn(_))
            && self.projection.is_traced(code.id, name)
    }
}
