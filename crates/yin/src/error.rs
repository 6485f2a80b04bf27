//! What went wrong in a program, where in its source, and in which calls.
//!
//! 1. Every error of reading or running names a place in a source text if there is one.
//! 2. The calls are those that were waiting, innermost first, at most [`CALLS_MAX`] of them.

use std::fmt;
use std::sync::Arc;

use datom::edn::{self, Span};

/// At most so many waiting calls are named by an error.
pub const CALLS_MAX: usize = 16;

/// The family an error belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The text is no program: EDN is broken, or a form is written wrongly.
    Syntax,
    /// A name that nothing defines.
    Unbound,
    /// A function was called with the wrong number of arguments.
    Arity,
    /// A value of the wrong kind.
    Type,
    /// Arithmetic without an answer, such as a division by zero.
    Arithmetic,
    /// An index outside of a collection, or a value that an operation refuses.
    Range,
    /// Calls are nested deeper than the machine allows.
    Depth,
    /// The program holds more memory than the machine allows.
    Memory,
    /// One operation, collection, name or function is larger than the machine allows.
    Limit,
    /// The program was told to stop.
    Interrupted,
    /// The program ended itself by `fail`.
    Failed,
    /// The database refused.
    Database,
    /// Code in the database is not what code must be.
    Code,
    /// The machine was asked for something it is not in the state for.
    State,
}

impl Kind {
    /// The `:kind` of the error value that a program catches, without the colon.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Kind::Syntax => "yin/syntax",
            Kind::Unbound => "yin/unbound",
            Kind::Arity => "yin/arity",
            Kind::Type => "yin/type",
            Kind::Arithmetic => "yin/arithmetic",
            Kind::Range => "yin/range",
            Kind::Depth => "yin/depth",
            Kind::Memory => "yin/memory",
            Kind::Limit => "yin/limit",
            Kind::Interrupted => "yin/interrupted",
            Kind::Failed => "yin/failed",
            Kind::Database => "yin/database",
            Kind::Code => "yin/code",
            Kind::State => "yin/state",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Syntax => "syntax",
            Kind::Unbound => "unbound name",
            Kind::Arity => "arity",
            Kind::Type => "type",
            Kind::Arithmetic => "arithmetic",
            Kind::Range => "range",
            Kind::Depth => "depth",
            Kind::Memory => "memory",
            Kind::Limit => "limit",
            Kind::Interrupted => "interrupted",
            Kind::Failed => "failed",
            Kind::Database => "database",
            Kind::Code => "code",
            Kind::State => "state",
        })
    }
}

/// A place in the source of a program.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Position {
    /// The program's name, such as the path of its file.
    pub program: Arc<str>,
    /// The text the span belongs to.
    pub source: Arc<str>,
    /// Byte offsets in the text.
    pub span: Span,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
}

impl Position {
    pub(crate) fn new(program: &Arc<str>, source: &Arc<str>, span: Span) -> Self {
        let (line, column) = span.line_and_column(source);
        Self { program: program.clone(), source: source.clone(), span, line, column }
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.program, self.line, self.column)
    }
}

/// A call that was waiting when the error happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The name of the function that was running.
    pub function: Arc<str>,
    /// Where in it. `None` for the machine's own functions.
    pub position: Option<Position>,
}

/// What went wrong: the family, what, where, what to do, and in which calls.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct Error {
    /// The family it belongs to.
    pub kind: Kind,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Where. `None` when no source is to blame.
    pub position: Option<Box<Position>>,
    /// The calls that were waiting, innermost first.
    pub calls: Vec<Call>,
    /// Whether the text is a good beginning that only lacks its end.
    pub unfinished: bool,
    /// What the program handed to `fail`, or the error value it could not use.
    pub value: Option<Box<datom::Value>>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = &self.position {
            write!(f, "{position}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            help: None,
            position: None,
            calls: Vec::new(),
            unfinished: false,
            value: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn at(mut self, position: Position) -> Self {
        self.position = Some(Box::new(position));
        self
    }

    pub(crate) fn from_edn(program: &Arc<str>, source: &Arc<str>, error: edn::Error) -> Self {
        let position = Position::new(program, source, error.span);
        let mut this = Self::new(Kind::Syntax, error.message).at(position);
        this.unfinished = error.unfinished;
        this
    }
}

/// What an operation of the machine says when it cannot go on; the machine adds the place.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The heap is full: collect, try again, and give up if that did not help.
    Memory,
    /// The program is told to stop.
    Interrupted,
    /// The global of this number is not bound.
    Unbound(u32),
    /// The program is wrong.
    Fault(Box<Fault>),
}

/// A fault without its place.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) value: Option<datom::Value>,
}

impl Trouble {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        Trouble::Fault(Box::new(Fault { kind, message, help: None, value: None }))
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        if let Trouble::Fault(fault) = &mut self {
            fault.help = Some(help.into());
        }
        self
    }

    pub(crate) fn value(mut self, value: datom::Value) -> Self {
        if let Trouble::Fault(fault) = &mut self {
            fault.value = Some(value);
        }
        self
    }
}

/// The beginning of a text, for a message.
pub(crate) fn excerpt(mut text: String) -> String {
    const CHARS_MAX: usize = 100;
    if let Some((at, _)) = text.char_indices().nth(CHARS_MAX) {
        text.truncate(at);
        text.push('…');
    }
    text
}
