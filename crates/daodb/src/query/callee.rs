//! What a query calls: a function of the language, or one of a database.
//!
//! 1. A name without a namespace is of the language, and known when the query is parsed. A name with
//!    one (`my/score`) and an entity (an ident, a number, a lookup ref) belong to the database that
//!    the call reads: registered with it, or found by one of its libraries.
//! 2. A function of a database is looked up once a run. It may be called any number of times, in
//!    any order, so it must answer equal arguments equally.

use std::fmt;
use std::sync::Arc;

use datom::Value;

use super::error::{Error, ErrorKind, nearest};
use super::function::{self, Builtin};
use super::source::Source;
use super::syntax::{Node, Syntax};

/// A function as a query names it.
#[derive(Clone, Debug)]
pub(crate) enum Callee {
    Builtin(Builtin),
    /// By a name with a namespace, or by an entity.
    Stored(Arc<Value>),
}

/// A function as it is called.
#[derive(Clone, Debug)]
pub(crate) enum Callable {
    Builtin(Builtin),
    Stored(Stored),
}

/// A function of a database, ready to be called on it.
#[derive(Clone)]
pub(crate) struct Stored {
    name: Arc<str>,
    run: Arc<Run>,
}

/// Calls a function; the text says why it failed.
pub(crate) type Run = dyn Fn(&[Value]) -> Result<Value, String> + Send + Sync;

/// Whether a name is of a database and not of the language.
pub(crate) fn is_stored(name: &str) -> bool {
    let namespace =
        name.split_once('/').filter(|(space, rest)| !space.is_empty() && !rest.is_empty());
    namespace.is_some() && !function::is_of_language(name)
}

impl Callee {
    /// The function that stands first in a call.
    pub(crate) fn parse(item: &Syntax) -> Result<Self, Error> {
        match &item.node {
            Node::Leaf(Value::Symbol(name)) if !is_stored(name.as_str()) => {
                Builtin::named(name.as_str()).map(Self::Builtin)
            }
            Node::Leaf(Value::Symbol(_) | Value::Keyword(_) | Value::Int(_) | Value::Ref(_))
            | Node::Vector(_) => Ok(Self::Stored(Arc::new(item.to_value()))),
            _ => Err(Error::syntax("a function is named by a symbol, or by the entity that it is")),
        }
    }

    pub(crate) fn builtin(&self) -> Option<Builtin> {
        match self {
            Self::Builtin(builtin) => Some(*builtin),
            Self::Stored(_) => None,
        }
    }

    pub(crate) fn reads_database(&self) -> bool {
        self.builtin().is_some_and(Builtin::reads_database)
    }
}

impl Callable {
    /// The function of a name that stands outside of clauses.
    pub(crate) fn of_name(name: &Value, source: &dyn Source) -> Result<Self, Error> {
        match name {
            Value::Symbol(symbol) if !is_stored(symbol.as_str()) => {
                let builtin = Builtin::named(symbol.as_str())?;
                builtin.check_arity(1)?;
                Ok(Self::Builtin(builtin))
            }
            name => source.function(name).map(Self::Stored),
        }
    }

    pub(crate) fn call(&self, args: &[Value]) -> Result<Value, Error> {
        match self {
            Self::Builtin(builtin) => builtin.call(args),
            Self::Stored(stored) => stored.call(args),
        }
    }
}

impl Stored {
    pub(crate) fn new(name: &Value, run: Arc<Run>) -> Self {
        Self { name: name.to_string().into(), run }
    }

    pub(crate) fn call(&self, args: &[Value]) -> Result<Value, Error> {
        let answer = (self.run)(args).and_then(function::bounded);
        answer.map_err(|message| failed(&self.name, message))
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A function was called, or could not be, and failed.
pub(crate) fn failed(function: &str, message: String) -> Error {
    Error::new(ErrorKind::Function { function: function.to_owned(), message })
}

/// Nothing has the name; `known` are names that there are.
pub(crate) fn unknown<'n>(name: &Value, known: impl IntoIterator<Item = &'n str>) -> Error {
    let name = name.to_string();
    let nearest = nearest(&name, known).map(str::to_owned);
    Error::new(ErrorKind::UnknownFunction { name, nearest })
}
