//! The rules of handlers, prompts and dynamic names.
//!
//! A mark is a waiting call of `%try`, `%prompt` or `%binding`, as in register code.

use datom::Word;

use super::{Activation, Control, Linked, Rule};
use crate::ast::NodeId;
use crate::builtin::{Verb, failure};
use crate::error::{Kind, Trouble};
use crate::heap::Use;
use crate::machine::{Machine, PROGRAM_TAG, check_unspent, continuation_argument, no_prompt};
use crate::projection::Projection;

type Done = Result<(), Trouble>;

impl Machine {
    /// The innermost waiting call of a function of the prelude whose first argument is what is
    /// looked for: its place in the continuation.
    pub(crate) fn mark_in_walk(
        &self,
        name: &str,
        is: impl Fn(&Self, Word) -> Result<bool, Trouble>,
    ) -> Result<Option<usize>, Trouble> {
        let Some(id) = self.projection.prelude_function(name) else { return Ok(None) };
        for (at, call) in self.walk.calls.iter().enumerate().rev() {
            if call.id == id && is(self, self.held(call.base as usize))? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// The value of the innermost `binding` of a name.
    pub(crate) fn bound_in_walk(&self, name: Word) -> Result<Option<Word>, Trouble> {
        let mark = self.mark_in_walk("%binding", |_, word| Ok(word == name))?;
        let call = mark.and_then(|at| self.walk.calls.get(at));
        Ok(call.map(|call| self.held(call.base as usize + 1)))
    }

    /// Forgets the calls inside of a mark, and what the mark's own holds: it stands where it waits.
    pub(crate) fn unwind_walk(&mut self, mark: usize) {
        let Some(&call) = self.walk.calls.get(mark) else { return };
        self.walk.calls.truncate(mark);
        self.walk.words.truncate(call.base as usize);
        self.walk.running = call;
        self.walk.control = Control::Await(call.at);
    }

    /// In the stead of the running function, `%hand` calls a function with one argument.
    fn hand_on(&mut self, function: Word, argument: Word) -> Done {
        let id = self.projection.prelude_function("%hand");
        let body = id.and_then(|id| self.projection.function(id)).map(|f| (f.program, f.body));
        let (Some(id), Some((program, body))) = (id, body) else {
            return Err(Trouble::new(Kind::State, "the prelude has no `%hand`"));
        };
        let base = self.walk.words.len() as u32;
        self.walk.words.extend([function, argument]);
        let function = Projection::plain(id);
        self.walk.running = Activation { function, id, program, base, at: body };
        self.walk.control = Control::Eval(body);
        Ok(())
    }

    /// Gives a value to the handler of a mark.
    pub(crate) fn hand_in_walk(&mut self, mark: usize, value: Word) -> Done {
        let call = self.walk.calls.get(mark);
        let handler = call.map_or(Word::NIL, |call| self.held(call.base as usize));
        self.unwind_walk(mark);
        self.hand_on(handler, value)
    }

    /// A verb that decides what comes next.
    pub(super) fn control_step(
        &mut self,
        node: NodeId,
        last: bool,
        verb: Verb,
        args: &[Word],
    ) -> Rule {
        match (verb, args) {
            (Verb::Throw, &[word]) => match self.mark_in_walk("%try", |_, _| Ok(true))? {
                Some(mark) => self.hand_in_walk(mark, word)?,
                None => return Err(failure(&self.heap, word)?),
            },
            (Verb::Control, &[tag, function]) => self.take(node, tag, function, Use::Many)?,
            (Verb::ControlOnce, &[tag, function]) => self.take(node, tag, function, Use::Once)?,
            (Verb::Namespace, names) => {
                let Some(load) = self.projection.prelude_function("%load") else {
                    return Err(Trouble::new(Kind::State, "the prelude has no `%load`"));
                };
                let (forms, loaded) = self.forms_to_load(names)?;
                let from = self.walk.words.len();
                self.walk.words.push(forms);
                let callee = (Projection::plain(load), load);
                let next = self.enter_function(node, last, callee, from)?;
                if !matches!(next, Control::Call(_)) {
                    self.namespaces.extend(loaded);
                }
                return Ok(next);
            }
            _ => return Err(Trouble::new(Kind::State, "an unknown verb")),
        }
        Ok(self.walk.control)
    }

    /// The calls from a prompt on become a continuation, and a function is called with it inside of
    /// the prompt in their stead.
    fn take(&mut self, node: NodeId, tag: Word, function: Word, may: Use) -> Done {
        let prompt = self.mark_in_walk("%prompt", |this, word| this.heap.equal(word, tag))?;
        if prompt.is_none() && self.heap.name(tag) != Some(PROGRAM_TAG) {
            return Err(no_prompt(&self.heap.excerpt(tag)));
        }
        // The continuation begins with the prompt's own call, and leaves that call waiting, too.
        self.walk.control = Control::Await(node);
        let stack = self.stack_of_walk(prompt.unwrap_or(0))?;
        let word = self.heap.told_continuation(may, &stack)?;
        match prompt {
            Some(mark) => {
                let next = self.walk.calls.get(mark + 1).unwrap_or(&self.walk.running);
                self.walk.words.truncate(next.base as usize);
                self.walk.calls.truncate(mark + 1);
            }
            None => {
                self.walk.words.clear();
                self.walk.calls.clear();
            }
        }
        self.hand_on(function, word)
    }

    /// A continuation is called: its calls wait on top of the present ones, and the innermost goes
    /// on with the value.
    pub(super) fn reinstate_step(
        &mut self,
        code: &Linked,
        node: NodeId,
        last: bool,
        callee: Word,
        from: usize,
    ) -> Rule {
        let value = continuation_argument(self.walk.words.get(from..).unwrap_or(&[]))?;
        let Some((may, stack)) = self.told_of(callee)? else {
            return Err(Trouble::new(Kind::State, "a damaged continuation"));
        };
        check_unspent(may)?;
        let Some(top) = stack.frames.last() else { return Ok(Control::Value(node, value)) };
        let (running, calls) = (self.walk.running, self.walk.calls.len());
        let mut start = running.base as usize;
        if !last {
            start = self.first_part(code, node);
            self.walk.calls.push(Activation { at: node, ..running });
        }
        let forgotten = self.walk.words.split_off(start);
        if let Err(trouble) = self.put_stack(&stack, 0) {
            self.walk.words.truncate(start);
            self.walk.words.extend(forgotten);
            self.walk.calls.truncate(calls);
            self.walk.running = running;
            return Err(trouble);
        }
        if may == Use::Once {
            self.heap.spend(callee);
        }
        Ok(Control::Value(top.node, value))
    }

    /// A continuation in terms of the AST, whichever engine took it.
    pub(crate) fn told_of(
        &self,
        word: Word,
    ) -> Result<Option<(Use, crate::machine::Stack)>, Trouble> {
        if let Some(told) = self.heap.as_told(word) {
            return Ok(Some(told));
        }
        match self.heap.as_continuation(word) {
            Some(k) => Ok(Some((k.may, self.stack_of_continuation(&k)?))),
            None => Ok(None),
        }
    }
}
