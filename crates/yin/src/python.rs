//! A second front end: a subset of Python, read to the same AST.
//!
//! `def`, `lambda`, `if`, `while`, `for`, assignment, `return`, `break`, `continue`, arithmetic,
//! comparison, calls, defaults and named arguments, lists, tuples, dicts, slices, comprehensions, f-strings and
//! `print`. Python's statements become
//! forms, which the reader of Yin takes from there.
//!
//! 1. Values never change: `xs[i] = v` and `xs.append(v)` give the *name* `xs` a new value. Another
//!    name for the old value keeps the old value.
//! 2. An inner function keeps the values that names had when it was made; a name that is assigned
//!    again afterwards is refused.
//! 3. What is not in the subset is an error with its place, never a guess.
//! 4. The parser recurses; so a text is bounded ([`SOURCE_BYTES_MAX`], [`NESTING_MAX`]) and
//!    parsed on a thread with [`STACK_BYTES`], which these bounds cannot exhaust.

mod block;
mod expression;
mod function;
mod parameters;

use std::collections::BTreeMap;
use std::sync::Arc;

use datom::edn::{Form, Span};
use ruff_python_ast::Stmt;
use ruff_text_size::{Ranged, TextRange};

use self::parameters::Signature;
use crate::ast::DEPTH_MAX;
use crate::error::{Error, Kind, Position};
use crate::library::Embedded;
use crate::program::Program;
use crate::reader;

/// A text has at most so many bytes.
const SOURCE_BYTES_MAX: usize = 1 << 20;
/// What the parser recurses for, and how often a text may have it.
const NESTING: &[u8] = b"([{-+~*:=";
const NESTING_WORDS: [&str; 6] = ["not", "lambda", "if", "else", "await", "yield"];
const NESTING_MAX: usize = 1 << 16;
/// The stack of the thread that parses; taken as it is used.
const STACK_BYTES: usize = 256 << 20;

type Result1<T> = Result<T, Error>;

/// What is translated, and how deep it is.
struct Translator<'s> {
    program: &'s Arc<str>,
    source: &'s Arc<str>,
    depth: usize,
    /// Whether a `return` here leaves a loop first.
    is_leaving: bool,
    /// Names made so far, so that no two are the same.
    made: usize,
    /// The functions whose parameters may be named.
    signatures: BTreeMap<String, Signature>,
}

impl Program {
    /// Reads a source text in a subset of Python.
    ///
    /// ```
    /// let program = yin::Program::read_python("twice.py", "def twice(x):\n    return x + x\n").unwrap();
    /// assert_eq!(program.print(), "(def twice (fn [x] (+ x x)))\n");
    /// ```
    ///
    /// # Errors
    /// [`Kind::Syntax`] with the place.
    pub fn read_python(name: &str, source: &str) -> Result<Self, Error> {
        let (name, source): (Arc<str>, Arc<str>) = (name.into(), source.into());
        let forms = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            let translate = || {
                let mut translator = Translator {
                    program: &name,
                    source: &source,
                    depth: 0,
                    is_leaving: false,
                    made: 0,
                    signatures: BTreeMap::new(),
                };
                translator.module()
            };
            match thread.spawn_scoped(scope, translate).map(std::thread::ScopedJoinHandle::join) {
                Ok(Ok(forms)) => forms,
                Ok(Err(_)) => Err(Error::new(Kind::Syntax, "the parser of Python gave up")),
                Err(error) => Err(Error::new(Kind::State, format!("no thread: {error}"))),
            }
        })?;
        let reading = reader::read_forms(&name, &source, (&[], &forms), &Embedded)?;
        Ok(Self::of_reading(&name, &source, reading))
    }
}

impl Translator<'_> {
    fn error(&self, at: impl Ranged, message: impl Into<String>) -> Error {
        let span = span(at.range());
        Error::new(Kind::Syntax, message).at(Position::new(self.program, self.source, span))
    }

    fn unknown<T>(&self, at: impl Ranged, what: &str) -> Result1<T> {
        Err(self
            .error(at, format!("{what} is not in this subset of Python"))
            .help("write it in simpler statements, or in Yin"))
    }

    /// Counts a level of nesting while `inside` runs.
    fn deeper<T>(
        &mut self,
        at: impl Ranged,
        inside: impl FnOnce(&mut Self) -> Result1<T>,
    ) -> Result1<T> {
        if self.depth >= DEPTH_MAX {
            return Err(self.error(at, format!("nested deeper than {DEPTH_MAX} levels")));
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }

    /// A name that no program has.
    fn new_name(&mut self, stem: &str) -> String {
        self.made += 1;
        format!("yin/{stem}{}", self.made)
    }

    fn module(&mut self) -> Result1<Vec<Form>> {
        self.check_size()?;
        let parsed = ruff_python_parser::parse_module(self.source).map_err(|error| {
            let text = error.error.to_string();
            self.error(error.location, text)
        })?;
        let statements: &[Stmt] = &parsed.syntax().body;
        self.signatures = parameters::signatures(statements);
        statements.iter().map(|statement| self.global_statement(statement)).collect()
    }

    /// Whatever the text is, parsing it recurses no more often than it has marks that can nest.
    fn check_size(&self) -> Result1<()> {
        let source = self.source.as_ref();
        let marks = source.bytes().filter(|byte| NESTING.contains(byte)).count();
        let words: usize = NESTING_WORDS.iter().map(|word| source.matches(word).count()).sum();
        if source.len() <= SOURCE_BYTES_MAX && marks + words <= NESTING_MAX {
            return Ok(());
        }
        let position = Position::new(self.program, self.source, Span { start: 0, end: 0 });
        Err(Error::new(Kind::Syntax, "this text of Python is too long")
            .at(position)
            .help("take it apart into several programs"))
    }
}

fn span(range: TextRange) -> Span {
    Span { start: range.start().to_usize(), end: range.end().to_usize() }
}
