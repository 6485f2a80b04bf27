//! The functions and predicates that queries can call.
//!
//! 1. Functions are pure but for the three that read a database (`get-else`, `get-some`,
//!    `missing?`), which the executor answers itself. Those that a database brings are told of in
//!    [`super::callee`].
//! 2. A predicate holds unless it returns nil or false. A function that returns nil binds nothing:
//!    the row is dropped.
//! 3. `=`, `<` and their like compare numbers by value, so that `(= 1 1.0)` holds and an entity
//!    compares as its id; all else compares as [`Value`] orders. Joins are stricter: there equal
//!    means the same value, so 1 and 1.0 never join.

mod collection;
mod date;
mod number;
mod text;

use std::cmp::Ordering;

use datom::Value;

use super::error::{Brief, Error, ErrorKind, nearest};

pub(crate) use self::number::compare;
pub(crate) use self::number::{add, divide};

type Native = fn(&[Value]) -> Result<Value, String>;

#[derive(Clone, Copy)]
enum Body {
    Native(Native),
    Compare(Comparison),
    Database(Lookup),
}

/// A comparison that may be decided on words alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
}

impl Comparison {
    /// The same with its sides exchanged.
    pub(crate) fn turned(self) -> Self {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessEqual => Comparison::GreaterEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterEqual => Comparison::LessEqual,
            same => same,
        }
    }

    pub(crate) fn holds(self, ordering: Ordering) -> bool {
        match self {
            Comparison::Less => ordering.is_lt(),
            Comparison::LessEqual => ordering.is_le(),
            Comparison::Greater => ordering.is_gt(),
            Comparison::GreaterEqual => ordering.is_ge(),
            Comparison::Equal => ordering.is_eq(),
            Comparison::NotEqual => ordering.is_ne(),
        }
    }

    fn of(self, args: &[Value]) -> Value {
        if self == Comparison::NotEqual {
            let equal = args.windows(2).all(|w| compare(&w[0], &w[1]).is_eq());
            return Value::Bool(!equal);
        }
        Value::Bool(args.windows(2).all(|w| self.holds(compare(&w[0], &w[1]))))
    }
}

/// A function that reads a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    GetElse,
    GetSome,
    Missing,
}

struct Entry {
    name: &'static str,
    least: usize,
    most: Option<usize>,
    body: Body,
}

const fn native(name: &'static str, least: usize, most: usize, run: Native) -> Entry {
    Entry { name, least, most: Some(most), body: Body::Native(run) }
}

const fn variadic(name: &'static str, least: usize, run: Native) -> Entry {
    Entry { name, least, most: None, body: Body::Native(run) }
}

const fn comparison(name: &'static str, comparison: Comparison) -> Entry {
    Entry { name, least: 1, most: None, body: Body::Compare(comparison) }
}

const fn lookup(name: &'static str, least: usize, most: Option<usize>, lookup: Lookup) -> Entry {
    Entry { name, least, most, body: Body::Database(lookup) }
}

static TABLE: &[Entry] = &[
    comparison("<", Comparison::Less),
    comparison("<=", Comparison::LessEqual),
    comparison(">", Comparison::Greater),
    comparison(">=", Comparison::GreaterEqual),
    comparison("=", Comparison::Equal),
    comparison("==", Comparison::Equal),
    comparison("!=", Comparison::NotEqual),
    comparison("not=", Comparison::NotEqual),
    lookup("get-else", 4, Some(4), Lookup::GetElse),
    lookup("get-some", 3, None, Lookup::GetSome),
    lookup("missing?", 3, Some(3), Lookup::Missing),
    variadic("+", 0, number::plus),
    variadic("-", 1, number::minus),
    variadic("*", 0, number::times),
    variadic("/", 1, number::over),
    native("quot", 2, 2, number::quot),
    native("rem", 2, 2, number::rem),
    native("mod", 2, 2, number::modulo),
    native("inc", 1, 1, number::inc),
    native("dec", 1, 1, number::dec),
    native("abs", 1, 1, number::abs),
    variadic("max", 1, number::max),
    variadic("min", 1, number::min),
    native("even?", 1, 1, number::even),
    native("odd?", 1, 1, number::odd),
    native("zero?", 1, 1, number::zero),
    native("pos?", 1, 1, number::positive),
    native("neg?", 1, 1, number::negative),
    native("compare", 2, 2, number::compared),
    native("double", 1, 1, number::double),
    native("long", 1, 1, number::long),
    variadic("str", 0, text::str),
    native("subs", 2, 3, text::subs),
    native("upper-case", 1, 1, text::upper_case),
    native("lower-case", 1, 1, text::lower_case),
    native("capitalize", 1, 1, text::capitalize),
    native("trim", 1, 1, text::trim),
    native("blank?", 1, 1, text::blank),
    native("starts-with?", 2, 2, text::starts_with),
    native("ends-with?", 2, 2, text::ends_with),
    native("includes?", 2, 2, text::includes),
    native("re-pattern", 1, 1, text::re_pattern),
    native("re-find", 2, 2, text::re_find),
    native("re-matches", 2, 2, text::re_matches),
    native("index-of", 2, 2, text::index_of),
    native("replace", 3, 3, text::replace),
    native("split", 2, 2, text::split),
    native("join", 1, 2, text::join),
    native("inst", 1, 1, date::inst),
    native("inst-ms", 1, 1, date::inst_ms),
    native("inst-us", 1, 1, date::inst_us),
    native("year", 1, 1, date::year),
    native("month", 1, 1, date::month),
    native("day", 1, 1, date::day),
    native("weekday", 1, 1, date::weekday),
    native("hour", 1, 1, date::hour),
    native("minute", 1, 1, date::minute),
    native("second", 1, 1, date::second),
    native("name", 1, 1, text::name),
    native("namespace", 1, 1, text::namespace),
    native("keyword", 1, 2, text::keyword),
    native("symbol", 1, 1, text::symbol),
    native("ground", 1, 1, collection::identity),
    native("identity", 1, 1, collection::identity),
    variadic("tuple", 1, collection::vector),
    native("untuple", 1, 1, collection::untuple),
    variadic("vector", 0, collection::vector),
    variadic("list", 0, collection::list),
    variadic("set", 0, collection::set),
    variadic("hash-map", 0, collection::hash_map),
    native("count", 1, 1, collection::count),
    native("empty?", 1, 1, collection::empty),
    native("not-empty", 1, 1, collection::not_empty),
    native("first", 1, 1, collection::first),
    native("last", 1, 1, collection::last),
    native("nth", 2, 3, collection::nth),
    native("get", 2, 3, collection::get),
    native("contains?", 2, 2, collection::contains),
    native("range", 1, 3, collection::range),
    variadic("and", 0, collection::and),
    variadic("or", 0, collection::or),
    native("not", 1, 1, collection::not),
    native("nil?", 1, 1, |args| collection::is(args, |v| matches!(v, Value::Nil))),
    native("some?", 1, 1, |args| collection::is(args, |v| !matches!(v, Value::Nil))),
    native("true?", 1, 1, |args| collection::is(args, |v| matches!(v, Value::Bool(true)))),
    native("false?", 1, 1, |args| collection::is(args, |v| matches!(v, Value::Bool(false)))),
    native("boolean?", 1, 1, |args| collection::is(args, |v| matches!(v, Value::Bool(_)))),
    native("string?", 1, 1, |args| collection::is(args, |v| matches!(v, Value::Text(_)))),
    native("keyword?", 1, 1, |args| collection::is(args, |v| matches!(v, Value::Keyword(_)))),
    native("symbol?", 1, 1, |args| collection::is(args, |v| matches!(v, Value::Symbol(_)))),
    native("inst?", 1, 1, |args| collection::is(args, |v| matches!(v, Value::Instant(_)))),
    native("uuid?", 1, 1, |args| collection::is(args, |v| matches!(v, Value::Uuid(_)))),
    native("vector?", 1, 1, |args| collection::is(args, |v| matches!(v, Value::Vector(_)))),
    native("map?", 1, 1, |args| collection::is(args, |v| matches!(v, Value::Map(_)))),
    native("set?", 1, 1, |args| collection::is(args, |v| matches!(v, Value::Set(_)))),
    native("number?", 1, 1, |args| collection::is(args, number::is_number)),
    native("int?", 1, 1, |args| collection::is(args, number::is_integer)),
    native("integer?", 1, 1, |args| collection::is(args, number::is_integer)),
    native("float?", 1, 1, |args| collection::is(args, |v| matches!(v, Value::Float(_)))),
    native("double?", 1, 1, |args| collection::is(args, |v| matches!(v, Value::Float(_)))),
];

/// One of the functions above.
#[derive(Clone, Copy)]
pub(crate) struct Builtin(&'static Entry);

impl std::fmt::Debug for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name)
    }
}

impl Builtin {
    /// Finds a function; the namespaces of Clojure's core and string functions may be written.
    pub(crate) fn named(name: &str) -> Result<Self, Error> {
        let bare = bare(name);
        TABLE.iter().find(|entry| entry.name == bare).map(Self).ok_or_else(|| {
            let nearest = nearest(bare, TABLE.iter().map(|entry| entry.name)).map(str::to_owned);
            Error::new(ErrorKind::UnknownFunction { name: name.to_owned(), nearest })
        })
    }

    pub(crate) fn check_arity(self, given: usize) -> Result<(), Error> {
        let Entry { name, least, most, .. } = *self.0;
        if given >= least && most.is_none_or(|most| given <= most) {
            return Ok(());
        }
        let expected = match most {
            Some(most) if most == least => format!("{least} argument(s)"),
            Some(most) => format!("{least} to {most} arguments"),
            None => format!("at least {least} argument(s)"),
        };
        Err(Error::new(ErrorKind::Arity { name: name.to_owned(), expected, given }))
    }

    pub(crate) fn lookup(self) -> Option<Lookup> {
        match self.0.body {
            Body::Database(lookup) => Some(lookup),
            _ => None,
        }
    }

    pub(crate) fn reads_database(self) -> bool {
        self.lookup().is_some()
    }

    pub(crate) fn comparison(self) -> Option<Comparison> {
        match self.0.body {
            Body::Compare(comparison) => Some(comparison),
            _ => None,
        }
    }

    pub(crate) fn call(self, args: &[Value]) -> Result<Value, Error> {
        let answer = match self.0.body {
            Body::Native(run) => run(args),
            Body::Compare(comparison) => Ok(comparison.of(args)),
            Body::Database(_) => Err("reads a database".to_owned()),
        };
        answer.and_then(bounded).map_err(|message| {
            Error::new(ErrorKind::Function { function: self.0.name.to_owned(), message })
        })
    }
}

/// The names of all of them.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|entry| entry.name)
}

/// A name without the namespaces that mean this language.
fn bare(name: &str) -> &str {
    let prefixes = ["clojure.core/", "clojure.string/", "str/"];
    prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

/// Whether a name with a namespace means a function of this language.
pub(crate) fn is_of_language(name: &str) -> bool {
    name.starts_with("clojure.") || TABLE.iter().any(|entry| entry.name == bare(name))
}

/// Most parts of a value that a function makes, and most bytes of text in it. A recursive rule can
/// hand a function its own answer: without a bound a few rounds of doubling fill the memory.
const PARTS_MAX: usize = 1 << 20;
const TEXT_BYTES_MAX: usize = 1 << 24;

/// Refuses a value that is too large or too deep to be handled further.
pub(super) fn bounded(value: Value) -> Result<Value, String> {
    let is_leaf = !matches!(
        value,
        Value::Text(_)
            | Value::Vector(_)
            | Value::List(_)
            | Value::Map(_)
            | Value::Set(_)
            | Value::Tagged(..)
    );
    if is_leaf {
        return Ok(value);
    }
    if value.is_too_deep() {
        return Err(format!("the result is nested deeper than {}", Value::DEPTH_MAX));
    }
    let (mut parts, mut bytes, mut open) = (0, 0, vec![&value]);
    while let Some(part) = open.pop() {
        parts += 1;
        match part {
            Value::Text(text) => bytes += text.len(),
            Value::Vector(items) | Value::List(items) => open.extend(items),
            Value::Set(items) => open.extend(items),
            Value::Map(map) => open.extend(map.iter().flat_map(|(k, v)| [k, v])),
            Value::Tagged(_, inner) => open.push(inner),
            _ => {}
        }
        if parts + open.len() > PARTS_MAX || bytes > TEXT_BYTES_MAX {
            let message = "the result is larger than";
            return Err(format!("{message} {PARTS_MAX} parts or {TEXT_BYTES_MAX} bytes of text"));
        }
    }
    Ok(value)
}

/// Whether a value counts as true: all but nil and false do.
pub(crate) fn truthy(value: &Value) -> bool {
    !matches!(value, Value::Nil | Value::Bool(false))
}

/// The message for an argument that is not of the kind a function works on.
fn wants(kind: &str, value: &Value) -> String {
    format!("works on {kind}, not on the {} {}", value.kind(), Brief(value))
}

#[cfg(test)]
mod tests;
