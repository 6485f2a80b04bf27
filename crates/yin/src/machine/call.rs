//! Calls that are not the common case, and the verbs of the database.

use datom::{Tag, Value, Word};

use super::{Frame, Machine};
use crate::builtin::{self, Body, Verb};
use crate::error::{Kind, Trouble};
use crate::facts::Refusal;
use crate::heap::{Form, PRIMITIVE, Sort, payload, sort};
use crate::projection::WINDOW;

type Done = Result<(), Trouble>;

impl Machine {
    /// A call of whatever is in a register with what is behind it.
    pub(super) fn call(&mut self, at: u8, n: u8, tail: bool) -> Done {
        let args = self.arguments(at.saturating_add(1), n);
        self.invoke(self.get(at), args, at, tail)
    }

    /// A call of the function in a register with the elements of the vector behind it.
    pub(super) fn apply(&mut self, at: u8, tail: bool) -> Done {
        let function = self.get(at);
        let operand = self.get(at.saturating_add(1));
        let Some(args) = self.heap.elements(operand)? else {
            return Err(self.heap.wrong("apply", "a collection of arguments", operand));
        };
        self.invoke(function, args, at, tail)
    }

    pub(super) fn invoke(&mut self, callee: Word, args: Vec<Word>, at: u8, tail: bool) -> Done {
        if let Some(function) = self.heap.function(callee) {
            return self.enter(callee, function, args, at, tail);
        }
        if self.heap.form(callee) == Some(Form::Continuation) {
            return self.reinstate(callee, &args, at, tail);
        }
        let result = if sort(callee) == PRIMITIVE {
            self.primitive(payload(callee) as u32, callee, args, at, tail)?
        } else if self.looks_up(callee) {
            Some(self.look_up(callee, &args)?)
        } else {
            return Err(self.not_callable(callee));
        };
        if let Some(word) = result {
            self.answer(word, at, tail);
        }
        Ok(())
    }

    pub(crate) fn not_callable(&self, callee: Word) -> Trouble {
        let found = self.heap.sort(callee).name();
        let shown = self.heap.excerpt(callee);
        Trouble::new(Kind::Type, format!("cannot call a non-function: {shown} is {found}"))
            .help("the first element of (f x) must be a function, a keyword, a map or a set")
    }

    /// The result of a call that needed no frame.
    pub(super) fn answer(&mut self, word: Word, at: u8, tail: bool) {
        if !tail {
            self.set(at, word);
            self.pc += 1;
            return;
        }
        self.set(0, word);
        if let Some(frame) = self.frames.pop() {
            (self.pc, self.base) = (frame.pc(), frame.base());
        }
    }

    /// Whether a call of a value looks something up: of a keyword, a map or a set.
    pub(crate) fn looks_up(&self, callee: Word) -> bool {
        callee.tag() == Tag::Keyword || matches!(self.heap.sort(callee), Sort::Map | Sort::Set)
    }

    /// `(:key map default)`, `(map key default)`.
    pub(crate) fn look_up(&mut self, callee: Word, args: &[Word]) -> Result<Word, Trouble> {
        let Some((&first, rest)) = args.split_first().filter(|(_, rest)| rest.len() <= 1) else {
            let found = self.heap.sort(callee).name();
            let message = format!("{found} takes 1 to 2 arguments, not {}", args.len());
            return Err(Trouble::new(Kind::Arity, message));
        };
        let default = rest.first().copied().unwrap_or(Word::NIL);
        let (collection, key) =
            if callee.tag() == Tag::Keyword { (first, callee) } else { (callee, first) };
        self.plain(builtin::GET, &[collection, key, default])
    }

    pub(crate) fn plain(&mut self, id: u32, args: &[Word]) -> Result<Word, Trouble> {
        let Some(primitive) = builtin::primitive(id) else {
            return Err(Trouble::new(Kind::State, "an unknown primitive"));
        };
        if !primitive.admits(args.len()) {
            return Err(primitive.arity(args.len()));
        }
        match primitive.body {
            Body::Plain(run) => run(&mut self.heap, args),
            Body::Verb(verb) => self.verb(verb, args),
        }
    }

    /// A primitive that was called as a value. `None` if it became a call of something else.
    fn primitive(
        &mut self,
        id: u32,
        callee: Word,
        args: Vec<Word>,
        at: u8,
        tail: bool,
    ) -> Result<Option<Word>, Trouble> {
        if let Some(verb) = builtin::control(id) {
            self.control(verb, &args, at, tail)?;
            return Ok(None);
        }
        if !builtin::is_apply(id) {
            return self.plain(id, &args).map(Some);
        }
        match args.as_slice() {
            [function, operand] => {
                let Some(args) = self.heap.elements(*operand)? else {
                    return Err(self.heap.wrong("apply", "a collection of arguments", *operand));
                };
                self.invoke(*function, args, at, tail).map(|()| None)
            }
            _ => Err(self.heap.wrong("apply", "a function and its arguments", callee)),
        }
    }

    /// How many parameters a function has and whether it takes more, if it takes so many arguments.
    pub(crate) fn check_arity(&self, id: u32, found: usize) -> Result<(usize, bool), Trouble> {
        let Some(function) = self.projection.function(id) else {
            return Err(Trouble::new(Kind::State, "a function of another machine"));
        };
        let (params, variadic) = (function.params.len(), function.rest.is_some());
        if found < params || found > params && !variadic {
            let name = &function.name;
            let least = if variadic { "at least " } else { "" };
            let plural = if params == 1 { "" } else { "s" };
            return Err(Trouble::new(
                Kind::Arity,
                format!("`{name}` takes {least}{params} argument{plural}, not {found}"),
            ));
        }
        Ok((params, variadic))
    }

    /// A call of a function of the program, any number of arguments.
    fn enter(&mut self, callee: Word, id: u32, args: Vec<Word>, at: u8, tail: bool) -> Done {
        let (params, variadic) = self.check_arity(id, args.len())?;
        if self.projection.entries.get(id as usize).is_none_or(|entry| entry.pc == 0) {
            self.compile(id)?;
            // Compiling may collect, and words of the arguments would be stale: begin again.
            return Ok(());
        }
        if self.frames.len() >= self.limits.calls && !tail {
            return Err(self.too_deep());
        }
        if self.fuel == 0 {
            // The run ends here, and the next one calls again.
            self.spent = true;
            return Ok(());
        }
        let (plain, more) = args.split_at(params);
        let rest = if variadic { Some(self.heap.vector(more)?) } else { None };
        let base = if tail { self.base } else { self.base + u32::from(at) };
        while self.registers.len() < base as usize + WINDOW {
            self.grow()?;
        }
        let words = std::iter::once(&callee).chain(plain).chain(&rest);
        let window = self.registers.get_mut(base as usize..).unwrap_or(&mut []);
        for (slot, word) in window.iter_mut().zip(words) {
            *slot = *word;
        }
        if !tail {
            self.frames.push(Frame::new(self.pc + 1, self.base));
        }
        self.fuel -= 1;
        self.base = base;
        self.pc = self.projection.entries.get(id as usize).map_or(0, |entry| entry.pc);
        Ok(())
    }

    /// A verb of the database. It happens once: what comes after it does not run it again.
    pub(crate) fn verb(&mut self, verb: Verb, args: &[Word]) -> Result<Word, Trouble> {
        match (verb, args) {
            (Verb::Dynamic, &[name]) => return self.dynamic(name),
            (Verb::StoreGet, &[key]) => return self.store_get(key),
            (Verb::StorePut, &[key, word]) => return self.store_put(key, word),
            _ => {}
        }
        let values = args.iter().map(|&word| self.value(word)).collect::<Result<Vec<_>, _>>()?;
        let (first, rest) = match values.split_first() {
            Some((first, rest)) => (first, rest),
            None => (&Value::Nil, &[][..]),
        };
        let answer = match verb {
            Verb::Transact => match first {
                Value::Vector(data) | Value::List(data) => {
                    self.requests += 1;
                    self.facts.transact_once(self.requests, data)
                }
                _ => {
                    let word = args.first().copied().unwrap_or(Word::NIL);
                    return Err(self.heap.wrong("transact!", "a vector of facts", word));
                }
            },
            Verb::Query => self.facts.q(first, rest),
            Verb::Pull => self.facts.pull(first, rest.first().unwrap_or(&Value::Nil)),
            Verb::Entity => self.facts.entity(first),
            Verb::ProgramFacts => return self.program_facts(first, rest.first()),
            _ => Err(Refusal::new("yin/verb", "this is no verb of the database")),
        };
        match answer {
            // Out of memory here must not run the verb again.
            Ok(value) => self.adopt(&value).map_err(|trouble| match trouble {
                Trouble::Memory => self.too_much(),
                other => other,
            }),
            Err(Refusal { kind, message }) => {
                let value = Value::map([
                    (Value::keyword("kind"), Value::Keyword(kind)),
                    (Value::keyword("message"), Value::text(&message)),
                ]);
                Err(Trouble::new(Kind::Database, message).value(value))
            }
        }
    }
}
