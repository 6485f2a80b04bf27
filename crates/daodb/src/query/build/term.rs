//! What stands in the places of clauses: variables, constants, attributes, sources, bindings.

use datom::{Keyword, Value};

/// A variable, such as `?name`. Equal names are one variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Var<'a>(&'a str);

/// The variable of this name, which is written without the `?`.
///
/// ```
/// assert_eq!(daodb::build::var("name").to_string(), "?name");
/// ```
#[must_use]
pub const fn var(name: &str) -> Var<'_> {
    Var(name)
}

impl std::fmt::Display for Var<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "?{}", self.0)
    }
}

impl From<Var<'_>> for Value {
    fn from(var: Var<'_>) -> Value {
        Value::symbol(&var.to_string())
    }
}

/// What a place of a clause holds: a variable, a constant, [`any`] or a [`source`].
#[derive(Clone, Debug, PartialEq)]
pub struct Term(pub(super) Value);

/// `_`: anything at all.
#[must_use]
pub fn any() -> Term {
    Term(Value::symbol("_"))
}

/// The entity that has this value under an attribute whose values are unique, in place of its number.
///
/// ```
/// use daodb::build::{fact, find_one, lookup, var};
///
/// let age = find_one(var("age")).clause(fact(lookup("person/name", "Ada"), "person/age", var("age")));
/// assert_eq!(
///     age.to_string(),
///     r#"{:find [?age .], :where [[[:person/name "Ada"] :person/age ?age]]}"#
/// );
/// ```
#[must_use]
pub fn lookup(attribute: impl Into<Keyword>, value: impl Into<Value>) -> Term {
    Term(Value::Vector(vec![Value::Keyword(attribute.into()), value.into()]))
}

/// A constant, unless it is a symbol, which stands for what it stands for in text.
impl<V: Into<Value>> From<V> for Term {
    fn from(value: V) -> Term {
        Term(value.into())
    }
}

/// A database or relation that a query reads, such as `$before`.
#[derive(Clone, Debug, PartialEq)]
pub struct Source(Value);

/// The source of this name, which is written without the `$`; that of the empty name is the default one.
#[must_use]
pub fn source(name: &str) -> Source {
    Source(Value::symbol(&format!("${name}")))
}

impl From<Source> for Value {
    fn from(source: Source) -> Value {
        source.0
    }
}

/// What stands for an attribute: its name, or a variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute(pub(super) Value);

impl From<&str> for Attribute {
    fn from(name: &str) -> Attribute {
        Attribute(Value::keyword(name))
    }
}

impl From<Keyword> for Attribute {
    fn from(name: Keyword) -> Attribute {
        Attribute(Value::Keyword(name))
    }
}

impl From<Var<'_>> for Attribute {
    fn from(var: Var<'_>) -> Attribute {
        Attribute(var.into())
    }
}

impl From<Term> for Attribute {
    fn from(term: Term) -> Attribute {
        Attribute(term.0)
    }
}

/// How a value is taken apart and given to variables.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding(pub(super) Value);

impl From<Var<'_>> for Binding {
    fn from(var: Var<'_>) -> Binding {
        Binding(var.into())
    }
}

/// [`any`]: the value is not looked at.
impl From<Term> for Binding {
    fn from(term: Term) -> Binding {
        Binding(term.0)
    }
}

/// `[?x ?y]`: the elements of a tuple.
#[must_use]
pub fn tuple(parts: impl Many<Binding>) -> Binding {
    Binding(Value::Vector(parts.many().into_iter().map(|part| part.0).collect()))
}

/// `[?x ...]`: each element of a collection, a row for each.
#[must_use]
pub fn each(part: impl Into<Binding>) -> Binding {
    Binding(Value::Vector(vec![part.into().0, Value::symbol("...")]))
}

/// `[[?x ?y]]`: each tuple of a relation, a row for each.
#[must_use]
pub fn rows(parts: impl Many<Binding>) -> Binding {
    Binding(Value::Vector(vec![tuple(parts).0]))
}

/// Several parts: an array, a vector, or a tuple of things that each are a `T`.
pub trait Many<T> {
    /// Them, in order.
    fn many(self) -> Vec<T>;
}

impl<T, X: Into<T>, const N: usize> Many<T> for [X; N] {
    fn many(self) -> Vec<T> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<T, X: Into<T>> Many<T> for Vec<X> {
    fn many(self) -> Vec<T> {
        self.into_iter().map(Into::into).collect()
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<T, $($name: Into<T>),+> Many<T> for ($($name,)+) {
            fn many(self) -> Vec<T> {
                #[allow(non_snake_case)]
                let ($($name,)+) = self;
                vec![$($name.into()),+]
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
