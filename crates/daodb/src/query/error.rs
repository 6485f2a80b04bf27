//! What can be wrong with a query, and where.

use std::fmt;
use std::sync::Arc;

use datom::Value;

/// Where in a query something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The clause, or the part of the query, as it was written.
    pub clause: String,
    /// Line and column, both from 1; `None` for a query that was built from values, not text.
    pub position: Option<(usize, usize)>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {}", Brief(&self.clause))?;
        match self.position {
            Some((line, column)) => write!(f, " (line {line}, column {column})"),
            None => Ok(()),
        }
    }
}

/// Why a query was refused or given up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is no EDN.
    #[error("the query is no EDN: {0}")]
    Edn(String),
    /// A part of the query does not have the form it must have.
    #[error("{0}")]
    Syntax(String),
    /// No attribute of this name exists.
    #[error("unknown attribute {name}{}", suggest(.nearest))]
    UnknownAttribute {
        /// The name as written.
        name: String,
        /// The nearest name that exists.
        nearest: Option<String>,
    },
    /// No function or predicate of this name exists.
    #[error("unknown function {name}{}", suggest_function(.name, .nearest))]
    UnknownFunction {
        /// The name as written.
        name: String,
        /// The nearest name that exists.
        nearest: Option<String>,
    },
    /// No rule of this name was given.
    #[error("unknown rule {name}{}", suggest(.nearest))]
    UnknownRule {
        /// The name as written.
        name: String,
        /// The nearest name that exists.
        nearest: Option<String>,
    },
    /// A variable is needed that nothing binds.
    #[error("{} {} not bound: no pattern, input or function outside binds {}{}", .variables.join(", "), if .variables.len() == 1 { "is" } else { "are" }, if .variables.len() == 1 { "it" } else { "them" }, suggest(.nearest))]
    Unbound {
        /// The variables.
        variables: Vec<String>,
        /// The nearest name of a variable that is bound.
        nearest: Option<String>,
    },
    /// A constant in the place of a value is of a type that the attribute never holds.
    #[error("{attribute} holds values of {holds}, and {given} is none{}", suggest(.nearest))]
    WrongType {
        /// The attribute.
        attribute: String,
        /// The type of its values.
        holds: String,
        /// The constant as written.
        given: String,
        /// The same as a value of that type, where it has one.
        nearest: Option<String>,
    },
    /// A function, rule or clause has too many or too few arguments.
    #[error("{name} takes {expected}, not {given}")]
    Arity {
        /// What was called.
        name: String,
        /// How many arguments it takes, in words.
        expected: String,
        /// How many it was given.
        given: usize,
    },
    /// Rules depend on their own negation.
    #[error("the rules cannot be stratified: {} depends on its own negation", .cycle.join(" -> "))]
    Unstratified {
        /// The rules of the cycle; the first is also the last.
        cycle: Vec<String>,
    },
    /// The inputs are not those that `:in` names.
    #[error("{0}")]
    Inputs(String),
    /// A function was given arguments it has no answer for.
    #[error("{function}: {message}")]
    Function {
        /// The function.
        function: String,
        /// What was wrong.
        message: String,
    },
    /// Nothing is found for a lookup reference.
    #[error("nothing found for {0}")]
    NoEntity(String),
    /// A pull pattern does not have the form it must have.
    #[error("pull pattern: {0}")]
    Pull(String),
    /// Cancelled from outside.
    #[error("the query was cancelled")]
    Cancelled,
    /// The time allowed has passed.
    #[error("the query took longer than the {0} ms it was allowed")]
    TimedOut(u64),
    /// More rows than allowed.
    #[error("the query made more than the {0} rows it was allowed")]
    TooManyRows(u64),
    /// More bytes than allowed.
    #[error("the query held more than the {0} bytes it was allowed")]
    TooManyBytes(u64),
    /// The database could not be read.
    #[error("reading the database: {0}")]
    Storage(String),
}

fn suggest(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

fn suggest_function(name: &str, nearest: &Option<String>) -> String {
    match nearest {
        None if name.contains('/') => {
            "; a name with a namespace is a function that Database::register named, or that a \
             library of the database finds"
                .to_owned()
        }
        nearest => suggest(nearest),
    }
}

/// A query that was refused or given up: why, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError(Box<(ErrorKind, Option<Place>)>);

impl QueryError {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self(Box::new((kind, None)))
    }

    pub(crate) fn syntax(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Syntax(message.into()))
    }

    pub(crate) fn pull(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Pull(message.into()))
    }

    pub(crate) fn storage(error: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Storage(error.to_string()))
    }

    /// The same error at a place, unless it has one already: the innermost place counts.
    pub(crate) fn at(mut self, place: &Arc<Place>) -> Self {
        // Who stops a query knows why: no clause is at fault.
        if !matches!(self.0.0, ErrorKind::Cancelled) {
            self.0.1.get_or_insert_with(|| Place::clone(place));
        }
        self
    }

    /// The same error about a form that stands somewhere in what was given, unless it has a place already.
    pub(crate) fn about(mut self, form: &Value) -> Self {
        self.0.1.get_or_insert_with(|| Place { clause: form.to_string(), position: None });
        self
    }

    /// The same error with its place made more exact.
    pub(crate) fn placed(mut self, exact: impl FnOnce(Option<Place>) -> Place) -> Self {
        let place = self.0.1.take();
        self.0.1 = Some(exact(place));
        self
    }

    /// Why.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.0
    }

    /// Where, if it is about one place.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.0.1.as_ref()
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)?;
        match self.place() {
            Some(place) => write!(f, ", {place}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for QueryError {}

pub(crate) type Error = QueryError;

/// Most characters of a form that a message repeats.
const BRIEF_CHARS_MAX: usize = 240;

/// Something printed, cut where it is too long to be read. No more of it is printed than is shown.
pub(crate) struct Brief<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Brief<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cut = Cut { text: String::new(), left: BRIEF_CHARS_MAX };
        // What fails is the writer that has enough.
        let is_cut = fmt::write(&mut cut, format_args!("{}", self.0)).is_err();
        f.write_str(&cut.text)?;
        if is_cut { f.write_str(" …") } else { Ok(()) }
    }
}

/// Takes so many characters and no more.
struct Cut {
    text: String,
    left: usize,
}

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(char);
        }
        Ok(())
    }
}

/// The name nearest to `name` by edits, if one is near enough to be what was meant.
pub(crate) fn nearest<'n>(name: &str, among: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let allowed = (name.chars().count() / 3).clamp(1, 4);
    among
        .into_iter()
        .map(|other| (edits(name, other), other))
        .filter(|&(distance, _)| distance <= allowed)
        .min()
        .map(|(_, other)| other)
}

/// Optimal string alignment: insertions, deletions, replacements, and neighbours swapped.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}
