//! The rules of handlers, prompts and dynamic names.
//!
//! A mark is a waiting call of `%try`, `%prompt` or `%binding`, as in register code.

use datom::Word;

use super::{Activation, Code, Control, ON, Rule, Step, Wait};
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
        for (at, wait) in self.walk.waits.iter().enumerate().rev() {
            if let Wait::Function(activation) = wait
                && activation.id == id
                && is(self, self.argument(activation, 0))?
            {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn argument(&self, activation: &Activation, n: usize) -> Word {
        self.walk.locals.get(activation.locals as usize + n).copied().unwrap_or(Word::NIL)
    }

    /// The value of the innermost `binding` of a name.
    pub(crate) fn bound_in_walk(&self, name: Word) -> Result<Option<Word>, Trouble> {
        let mark = self.mark_in_walk("%binding", |_, word| Ok(word == name))?;
        Ok(mark.and_then(|at| match self.walk.waits.get(at) {
            Some(Wait::Function(activation)) => Some(self.argument(activation, 1)),
            _ => None,
        }))
    }

    /// Forgets the calls inside of a mark, and the mark: its caller waits.
    pub(crate) fn unwind_walk(&mut self, mark: usize) {
        let Some(&Wait::Function(activation)) = self.walk.waits.get(mark) else { return };
        let mut to = mark;
        let mut done = self.walk.done.len();
        while let Some(Wait::Step(step)) = to.checked_sub(1).and_then(|at| self.walk.waits.get(at))
        {
            done = step.done();
            to -= 1;
        }
        self.cut(to, done, activation.locals);
        self.walk.running = activation;
    }

    /// Forgets the links of the continuation from the n-th on, and what they hold.
    fn cut(&mut self, to: usize, done: usize, locals: u32) {
        let gone = self.walk.waits.get(to..).unwrap_or(&[]);
        self.walk.depth -= gone.iter().filter(|wait| matches!(wait, Wait::Function(_))).count();
        self.walk.waits.truncate(to);
        self.walk.done.truncate(done);
        self.walk.locals.truncate(locals as usize);
    }

    /// In the stead of the running function, `%hand` calls a function with one argument.
    fn hand_on(&mut self, function: Word, argument: Word) -> Done {
        let id = self.projection.prelude_function("%hand");
        let body = id.and_then(|id| self.projection.function(id)).map(|f| (f.program, f.body));
        let (Some(id), Some((program, body))) = (id, body) else {
            return Err(Trouble::new(Kind::State, "the prelude has no `%hand`"));
        };
        let locals = self.walk.locals.len() as u32;
        self.walk.locals.extend([function, argument]);
        self.walk.running = Activation { function: Projection::plain(id), id, program, locals };
        self.walk.control = Control::Eval(body);
        Ok(())
    }

    /// Gives a value to the handler of a mark.
    pub(crate) fn hand_in_walk(&mut self, mark: usize, value: Word) -> Done {
        let handler = match self.walk.waits.get(mark) {
            Some(Wait::Function(activation)) => self.argument(activation, 0),
            _ => Word::NIL,
        };
        self.unwind_walk(mark);
        self.hand_on(handler, value)
    }

    /// A verb that decides what comes next.
    pub(super) fn control_step(
        &mut self,
        code: &Code,
        step: Step,
        verb: Verb,
        args: &[Word],
    ) -> Rule {
        match (verb, args) {
            (Verb::Throw, &[word]) => match self.mark_in_walk("%try", |_, _| Ok(true))? {
                Some(mark) => self.hand_in_walk(mark, word)?,
                None => return Err(failure(&self.heap, word)?),
            },
            (Verb::Control, &[tag, function]) => self.take(step, tag, function, Use::Many)?,
            (Verb::ControlOnce, &[tag, function]) => self.take(step, tag, function, Use::Once)?,
            (Verb::Namespace, names) => {
                let Some(load) = self.projection.prelude_function("%load") else {
                    return Err(Trouble::new(Kind::State, "the prelude has no `%load`"));
                };
                let (forms, loaded) = self.forms_to_load(names)?;
                let from = self.walk.done.len();
                self.walk.done.push(forms);
                let callee = (Projection::plain(load), load);
                let need = self.enter_function(code, step, callee, from)?;
                if need.is_none() {
                    self.namespaces.extend(loaded);
                }
                return Ok(need);
            }
            _ => return Err(Trouble::new(Kind::State, "an unknown verb")),
        }
        ON
    }

    /// The calls from a prompt on become a continuation, and a function is called with it inside of
    /// the prompt in their stead.
    fn take(&mut self, step: Step, tag: Word, function: Word, may: Use) -> Done {
        let prompt = self.mark_in_walk("%prompt", |this, word| this.heap.equal(word, tag))?;
        if prompt.is_none() && self.heap.name(tag) != Some(PROGRAM_TAG) {
            return Err(no_prompt(&self.heap.excerpt(tag)));
        }
        // The continuation begins with the prompt's own call, and leaves that call waiting, too.
        let mut first = prompt.unwrap_or(1);
        while prompt.is_some() && matches!(self.walk.waits.get(first - 1), Some(Wait::Step(_))) {
            first -= 1;
        }
        let before = self.walk.done.len();
        let held = self.walk.done.split_off(step.done());
        self.walk.set_top(step.called());
        self.walk.control = Control::Await;
        let word = self.stack_of_walk(first).and_then(|k| self.heap.told_continuation(may, &k));
        let word = match word {
            Ok(word) => word,
            Err(trouble) => {
                self.walk.done.extend(held);
                self.walk.set_top(step);
                self.walk.control = Control::Apply;
                debug_assert_eq!(self.walk.done.len(), before);
                return Err(trouble);
            }
        };
        match prompt {
            Some(mark) => {
                let inner = self.walk.waits.get(mark + 1..).unwrap_or(&[]);
                let next = inner.iter().find_map(|wait| match wait {
                    Wait::Function(activation) => Some(activation.locals),
                    Wait::Step(_) => None,
                });
                let locals = next.unwrap_or(self.walk.running.locals);
                let done = match inner.first() {
                    Some(Wait::Step(step)) => step.done(),
                    _ => self.walk.done.len(),
                };
                self.cut(mark + 1, done, locals);
            }
            None => self.cut(1, 0, 0),
        }
        self.hand_on(function, word)
    }

    /// A continuation is called: its calls wait on top of the present ones, and the innermost goes
    /// on with the value.
    pub(super) fn reinstate_step(
        &mut self,
        code: &Code,
        step: Step,
        callee: Word,
        from: usize,
    ) -> Rule {
        let value = continuation_argument(self.walk.done.get(from..).unwrap_or(&[]))?;
        let Some((may, stack)) = self.told_of(callee)? else {
            return Err(Trouble::new(Kind::State, "a damaged continuation"));
        };
        check_unspent(may)?;
        if stack.frames.is_empty() {
            return self.finish(step, value);
        }
        let last = code.places.get(step.node()).is_some_and(|place| place.tail);
        let before = self.walk.clone();
        self.walk.done.truncate(step.done());
        if last {
            self.forget_running();
        } else {
            self.walk.set_top(step.called());
            self.walk.waits.push(Wait::Function(self.walk.running));
            self.walk.depth += 1;
        }
        if let Err(trouble) = self.put_stack(&stack, 0) {
            self.walk = before;
            return Err(trouble);
        }
        if may == Use::Once {
            self.heap.spend(callee);
        }
        self.go(Control::Value(value))
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

    /// Forgets what the running function holds.
    pub(super) fn forget_running(&mut self) {
        while let Some(Wait::Step(inner)) = self.walk.waits.last() {
            let done = inner.done();
            self.walk.done.truncate(done);
            self.walk.waits.pop();
        }
        self.walk.locals.truncate(self.walk.running.locals as usize);
    }
}
