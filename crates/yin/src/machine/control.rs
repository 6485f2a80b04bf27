//! Handlers, prompts and dynamic names.
//!
//! 1. A mark is nothing of its own: it is a waiting call of `%try`, `%prompt` or `%binding`, and
//!    what the mark says are that call's arguments. So whatever can capture, store and restore
//!    calls can do the same with marks.
//! 2. Looking for a mark compares return addresses, innermost first: its cost is the number of calls
//!    between.
//! 3. Whatever a mark leads to is called by `%hand`, which stands where the mark's call stood, so
//!    it is a call like any other.

use datom::{Value, Word};

use super::{Engine, Frame, Machine, Stack};
use crate::builtin::{Verb, failure};
use crate::error::{Error, Kind, Trouble};
use crate::heap::{Continuation, Use};
use crate::projection::{Instruction, Projection, Stand, WINDOW};

type Done = Result<(), Trouble>;

/// The prompt that surrounds every form of a program.
pub(crate) const PROGRAM_TAG: &str = "yin/program";

/// Where a call would go on.
#[derive(Clone, Copy)]
struct Place {
    /// The code and its registers.
    frame: Frame,
    /// The register that its value goes to, counted from the first of all.
    result: u32,
    /// How many calls wait for it.
    waiting: usize,
}

impl Machine {
    /// The return address of the calls that are marks of a kind; `None` if there never was one.
    fn mark(&self, name: &str) -> Option<(u32, u8)> {
        let id = self.projection.prelude_function(name)?;
        let start = self.projection.entries.get(id as usize).map(|entry| entry.pc)?;
        (start..).take(WINDOW).filter(|_| start > 0).find_map(|pc| {
            match self.projection.code.get(pc as usize)? {
                Instruction::Call { at, .. } => Some((pc + 1, *at)),
                _ => None,
            }
        })
    }

    /// The innermost mark of a kind whose first argument is what is looked for.
    fn innermost(
        &self,
        name: &str,
        is: impl Fn(&Self, Word) -> Result<bool, Trouble>,
    ) -> Result<Option<usize>, Trouble> {
        let Some((pc, _)) = self.mark(name) else { return Ok(None) };
        for (at, frame) in self.frames.iter().enumerate().rev() {
            if frame.pc() == pc && is(self, self.register(frame.base(), 1))? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn register(&self, base: u32, register: u32) -> Word {
        self.registers.get((base + register) as usize).copied().unwrap_or(Word::NIL)
    }

    /// Goes on with the call of a function with one argument, its registers from `base` on. What
    /// it returns goes to the innermost waiting call.
    fn hand(&mut self, base: u32, function: Word, argument: Word) -> Done {
        let Some(id) = self.projection.prelude_function("%hand") else {
            return Err(Trouble::new(Kind::State, "the prelude has no `%hand`"));
        };
        while self.registers.len() < base as usize + WINDOW {
            self.grow()?;
        }
        self.base = base;
        for (register, word) in (0..).zip([Projection::plain(id), function, argument]) {
            self.set(register, word);
        }
        if self.projection.entries.get(id as usize).is_none_or(|entry| entry.pc == 0) {
            self.compile(id)?;
        }
        self.pc = self.projection.entries.get(id as usize).map_or(0, |entry| entry.pc);
        Ok(())
    }

    /// Whether a program may handle a kind of error itself.
    const fn is_catchable(kind: Kind) -> bool {
        !matches!(kind, Kind::Interrupted | Kind::State | Kind::Syntax)
    }

    /// Gives a fault to the innermost handler; hands it back if there is none.
    pub(super) fn catch(&mut self, mut trouble: Trouble) -> Done {
        loop {
            if matches!(trouble, Trouble::Interrupted) {
                return Err(trouble);
            }
            let mark = match self.engine {
                Engine::Register => self.innermost("%try", |_, _| Ok(true))?,
                Engine::Stepper => self.mark_in_walk("%try", |_, _| Ok(true))?,
            };
            let Some(at) = mark else { return Err(trouble) };
            let (trouble_, error) = self.told(trouble);
            trouble = trouble_;
            if !Self::is_catchable(error.kind) {
                return Err(trouble);
            }
            if self.engine == Engine::Stepper {
                match self.caught(&error) {
                    Ok(word) => return self.hand_in_walk(at, word),
                    Err(next) => {
                        self.unwind_walk(at);
                        trouble = next;
                    }
                }
                continue;
            }
            let base = self.unwind(at);
            match self.caught(&error) {
                Ok(word) => return self.hand(base, self.register(base, 1), word),
                // What does not even fit here may fit further out.
                Err(next) => trouble = next,
            }
        }
    }

    /// A fault with the error it is, both good for use.
    fn told(&self, trouble: Trouble) -> (Trouble, Error) {
        let error = self.error(trouble);
        let mut again = Trouble::new(error.kind, error.message.clone());
        if let Trouble::Fault(fault) = &mut again {
            fault.help.clone_from(&error.help);
            fault.value = error.value.as_deref().cloned();
        }
        (again, error)
    }

    /// Forgets the calls inside of a mark, and the mark. Answers with where its registers begin.
    fn unwind(&mut self, at: usize) -> u32 {
        if let Some(frame) = self.frames.get(at) {
            (self.pc, self.base) = (frame.pc().saturating_sub(1), frame.base());
        }
        self.frames.truncate(at);
        self.base
    }

    /// The value that a handler gets for an error.
    fn caught(&mut self, error: &Error) -> Result<Word, Trouble> {
        match error.value.as_deref() {
            Some(value) if error.kind == Kind::Failed && value.as_text().is_none() => {
                return self.adopt(value);
            }
            _ => {}
        }
        let mut content = match error.value.as_deref() {
            Some(Value::Map(map)) => map.clone(),
            _ => std::collections::BTreeMap::new(),
        };
        let mut put = |key: &str, value| {
            content.entry(Value::keyword(key)).or_insert(value);
        };
        put("kind", Value::keyword(error.kind.keyword()));
        put("message", Value::text(&error.message));
        if let Some(position) = &error.position {
            put("at", Value::text(&position.to_string()));
        }
        let content = self.adopt(&Value::Map(content))?;
        self.heap.error_value(content)
    }

    /// Runs a verb that decides what comes next. A value would go to the register `at`; in the
    /// last place of a function, it would be the function's.
    pub(super) fn control(&mut self, verb: Verb, args: &[Word], at: u8, tail: bool) -> Done {
        let place = match self.frames.last() {
            Some(&frame) if tail => {
                Place { frame, result: self.base, waiting: self.frames.len() - 1 }
            }
            _ => Place {
                frame: Frame::new(self.pc + 1, self.base),
                result: self.base + u32::from(at),
                waiting: self.frames.len(),
            },
        };
        match (verb, args) {
            (Verb::Namespace, names) => self.namespace(names, at, tail),
            (Verb::Throw, &[word]) => self.throw(word),
            (Verb::Control, &[tag, function]) => {
                self.take_continuation(tag, function, place, Use::Many)
            }
            (Verb::ControlOnce, &[tag, function]) => {
                self.take_continuation(tag, function, place, Use::Once)
            }
            _ => Err(Trouble::new(Kind::State, "an unknown verb")),
        }
    }

    fn throw(&mut self, word: Word) -> Done {
        match self.innermost("%try", |_, _| Ok(true))? {
            Some(at) => {
                let base = self.unwind(at);
                self.hand(base, self.register(base, 1), word)
            }
            None => Err(failure(&self.heap, word)?),
        }
    }

    /// Takes the calls up to a prompt as a continuation and gives it to a function, which is called
    /// inside of the prompt in their stead.
    fn take_continuation(&mut self, tag: Word, function: Word, place: Place, may: Use) -> Done {
        let prompt = self.innermost("%prompt", |this, word| this.heap.equal(word, tag))?;
        let (kept, first, start, base) = match (prompt, self.mark("%prompt")) {
            (Some(index), Some((_, register))) => {
                let base = self.frames.get(index).map_or(0, |frame| frame.base());
                (index + 1, index, base, base + u32::from(register))
            }
            _ if self.heap.name(tag) == Some(PROGRAM_TAG) => (1, 1, 0, 0),
            _ => {
                return Err(no_prompt(&self.heap.excerpt(tag)));
            }
        };
        let Place { frame, result, waiting } = place;
        let running = self.projection.function_at(frame.pc().saturating_sub(1));
        let running = running.map_or(0, |function| u32::from(function.registers));
        let top = (frame.base() + running).max(result + 1) as usize;
        let frames = self.frames.get(first.min(waiting)..waiting).unwrap_or(&[]);
        let k = Continuation {
            may,
            pc: frame.pc(),
            base: frame.base().saturating_sub(start),
            result: result.saturating_sub(start),
            frames: frames.iter().map(|frame| (frame.pc(), frame.base() - start)).collect(),
            registers: self.registers.get(start as usize..top).unwrap_or(&[]).to_vec(),
        };
        let word = self.heap.continuation(&k)?;
        self.frames.truncate(kept);
        self.hand(base, function, word)
    }

    /// Calls a continuation: its calls wait again on top of the present ones, and the innermost
    /// goes on with the value.
    pub(super) fn reinstate(&mut self, word: Word, args: &[Word], at: u8, tail: bool) -> Done {
        let value = continuation_argument(args)?;
        if let Some((may, stack)) = self.heap.as_told(word) {
            return self.reinstate_told(word, may, &stack, value, at, tail);
        }
        let Some(k) = self.heap.as_continuation(word) else {
            return Err(Trouble::new(Kind::State, "a damaged continuation"));
        };
        check_unspent(k.may)?;
        if k.pc == 0 {
            // Nothing waits up to the end of the program's form: the value is the answer.
            self.answer(value, at, tail);
            return Ok(());
        }
        if self.frames.len() + k.frames.len() >= self.limits.calls {
            return Err(self.too_deep());
        }
        let start = if tail { self.base } else { self.base + u32::from(at) };
        while self.registers.len() < start as usize + k.registers.len() + WINDOW {
            self.grow()?;
        }
        self.heap.charge(k.registers.len() as u64)?;
        if k.may == Use::Once {
            self.heap.spend(word);
        }
        if !tail {
            self.frames.push(Frame::new(self.pc + 1, self.base));
        }
        let window = self.registers.get_mut(start as usize..).unwrap_or(&mut []);
        for (slot, word) in window.iter_mut().zip(&k.registers) {
            *slot = *word;
        }
        let frames = k.frames.iter().map(|&(pc, base)| Frame::new(pc, base + start));
        self.frames.extend(frames);
        (self.pc, self.base) = (k.pc, k.base + start);
        if let Some(slot) = self.registers.get_mut((start + k.result) as usize) {
            *slot = value;
        }
        Ok(())
    }

    /// The same for a continuation in terms of the AST.
    fn reinstate_told(
        &mut self,
        word: Word,
        may: Use,
        stack: &Stack,
        value: Word,
        at: u8,
        tail: bool,
    ) -> Done {
        check_unspent(may)?;
        if stack.frames.is_empty() {
            self.answer(value, at, tail);
            return Ok(());
        }
        let before = (self.pc, self.base, self.frames.len());
        let start = if tail { self.base } else { self.base + u32::from(at) };
        if !tail {
            self.frames.push(Frame::new(self.pc + 1, self.base));
        }
        if let Err(trouble) = self.put_stack(stack, start) {
            (self.pc, self.base) = (before.0, before.1);
            self.frames.truncate(before.2);
            return Err(trouble);
        }
        if may == Use::Once {
            self.heap.spend(word);
        }
        if let Some(point) = self.projection.points.at(self.pc, Stand::Call).copied() {
            self.set(point.at, value);
            self.pc += 1;
        }
        Ok(())
    }

    /// The value that the innermost `binding` gives a name, else that of its definition.
    pub(super) fn dynamic(&mut self, name: Word) -> Result<Word, Trouble> {
        if self.engine == Engine::Stepper {
            if let Some(word) = self.bound_in_walk(name)? {
                return Ok(word);
            }
        } else if let Some(at) = self.innermost("%binding", |_, word| Ok(word == name))? {
            let base = self.frames.get(at).map_or(0, |frame| frame.base());
            return Ok(self.register(base, 2));
        }
        let id = self.projection.global(&self.heap.name(name).unwrap_or_default().into());
        match self.projection.values.get(id as usize) {
            Some(&word) if word != crate::heap::UNBOUND => Ok(word),
            _ => Err(Trouble::Unbound(id)),
        }
    }
}

/// The value that a continuation is called with.
pub(crate) fn continuation_argument(args: &[Word]) -> Result<Word, Trouble> {
    match args {
        [] => Ok(Word::NIL),
        &[value] => Ok(value),
        _ => {
            let message = format!("a continuation takes 1 argument, not {}", args.len());
            Err(Trouble::new(Kind::Arity, message))
        }
    }
}

pub(crate) fn check_unspent(may: Use) -> Done {
    if may == Use::Spent {
        return Err(Trouble::new(Kind::Range, "this continuation was called already")
            .help("take it with `control` if it must be called more than once"));
    }
    Ok(())
}

/// The fault of a `control` without its prompt.
pub(crate) fn no_prompt(shown: &str) -> Trouble {
    Trouble::new(Kind::Range, format!("there is no prompt {shown} here"))
        .help(format!("write (prompt {shown} ...) around it"))
}
