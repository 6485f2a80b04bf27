//! Forms: what was written, in the order it was written, with places.
//!
//! 1. A form that the reader made has no duplicate keys or elements in any map or set, and is
//!    nested no deeper than [`Value::DEPTH_MAX`].

use alloc::boxed::Box;
use alloc::collections::btree_map::Entry;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use num_bigint::BigInt;

use crate::{Keyword, Symbol, Value};

/// A part of a text, as byte offsets: `start` belongs to it, `end` does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset behind the last byte.
    pub end: usize,
}

impl Span {
    /// The text of this span; `None` if the span belongs to another text.
    ///
    /// ```
    /// let text = "(add 1 2)";
    /// let forms = datom::edn::read_forms(text).unwrap();
    /// assert_eq!(forms[0].span.of(text), Some("(add 1 2)"));
    /// ```
    #[must_use]
    pub fn of(self, text: &str) -> Option<&str> {
        text.get(self.start..self.end)
    }

    /// Line and column of the start, both counted from 1, columns in characters. Costs a pass
    /// over the text in front of it.
    ///
    /// ```
    /// let text = "é\n  x";
    /// let forms = datom::edn::read_forms(text).unwrap();
    /// assert_eq!(forms[1].span.line_and_column(text), (2, 3));
    /// ```
    #[must_use]
    pub fn line_and_column(self, text: &str) -> (usize, usize) {
        let before = text.get(..self.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
        (line, column)
    }
}

/// A value as it was written, with its place in the text.
#[derive(Clone, Debug)]
pub struct Form {
    /// What it is.
    pub node: Node,
    /// Where it stands.
    pub span: Span,
}

/// A [`Value`] whose parts are forms, in the order they were written.
#[derive(Clone, Debug)]
pub enum Node {
    /// nil.
    Nil,
    /// true or false.
    Bool(bool),
    /// A character.
    Char(char),
    /// An integer of 64 bits.
    Int(i64),
    /// An integer beyond 64 bits.
    BigInt(BigInt),
    /// A float.
    Float(f64),
    /// A keyword.
    Keyword(Keyword),
    /// A symbol.
    Symbol(Symbol),
    /// Microseconds since 1970 UTC.
    Instant(i64),
    /// Text.
    Text(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A UUID.
    Uuid([u8; 16]),
    /// The hash of content kept elsewhere.
    Hash([u8; 32]),
    /// A vector.
    Vector(Vec<Form>),
    /// A list.
    List(Vec<Form>),
    /// A map.
    Map(Vec<(Form, Form)>),
    /// A set.
    Set(Vec<Form>),
    /// A tagged form.
    Tagged(Symbol, Box<Form>),
}

impl Form {
    /// The value this form denotes.
    ///
    /// Of equal keys in a form built by hand the last one counts; forms that were read have none.
    ///
    /// ```
    /// let forms = datom::edn::read_forms("{:b 1, :a 2}").unwrap();
    /// assert_eq!(forms[0].to_value().to_string(), "{:a 2, :b 1}");
    /// ```
    #[must_use]
    pub fn to_value(&self) -> Value {
        self.value(&mut None)
    }

    /// The value, and the first form that repeats a key or element beside it.
    pub(super) fn value<'f>(&'f self, repeated: &mut Option<&'f Form>) -> Value {
        match &self.node {
            Node::Nil => Value::Nil,
            Node::Bool(x) => Value::Bool(*x),
            Node::Char(x) => Value::Char(*x),
            Node::Int(x) => Value::Int(*x),
            Node::BigInt(x) => Value::integer(x.clone()),
            Node::Float(x) => Value::Float(*x),
            Node::Keyword(x) => Value::Keyword(x.clone()),
            Node::Symbol(x) => Value::Symbol(x.clone()),
            Node::Instant(x) => Value::Instant(*x),
            Node::Text(x) => Value::Text(x.clone()),
            Node::Bytes(x) => Value::Bytes(x.clone()),
            Node::Uuid(x) => Value::Uuid(*x),
            Node::Hash(x) => Value::Hash(*x),
            Node::Vector(items) => Value::Vector(values(items, repeated)),
            Node::List(items) => Value::List(values(items, repeated)),
            Node::Map(pairs) => map(pairs, repeated),
            Node::Set(items) => set(items, repeated),
            Node::Tagged(tag, form) => Value::Tagged(tag.clone(), Box::new(form.value(repeated))),
        }
    }

    /// The symbol this is.
    #[must_use]
    pub fn as_symbol(&self) -> Option<&Symbol> {
        match &self.node {
            Node::Symbol(symbol) => Some(symbol),
            _ => None,
        }
    }

    /// The keyword this is.
    #[must_use]
    pub fn as_keyword(&self) -> Option<&Keyword> {
        match &self.node {
            Node::Keyword(keyword) => Some(keyword),
            _ => None,
        }
    }

    /// The elements of a vector or list.
    #[must_use]
    pub fn as_slice(&self) -> Option<&[Form]> {
        match &self.node {
            Node::Vector(items) | Node::List(items) => Some(items),
            _ => None,
        }
    }
}

fn values<'f>(items: &'f [Form], repeated: &mut Option<&'f Form>) -> Vec<Value> {
    items.iter().map(|item| item.value(repeated)).collect()
}

fn map<'f>(pairs: &'f [(Form, Form)], repeated: &mut Option<&'f Form>) -> Value {
    let mut map = BTreeMap::new();
    for (key, form) in pairs {
        let entry = map.entry(key.value(repeated));
        if matches!(entry, Entry::Occupied(_)) {
            repeated.get_or_insert(key);
        }
        entry.insert_entry(form.value(repeated));
    }
    Value::Map(map)
}

fn set<'f>(items: &'f [Form], repeated: &mut Option<&'f Form>) -> Value {
    let mut set = BTreeSet::new();
    for item in items {
        if !set.insert(item.value(repeated)) {
            repeated.get_or_insert(item);
        }
    }
    Value::Set(set)
}
