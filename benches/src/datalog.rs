//! The Datalog comparison: data sets, queries in EDN and SQL, and the databases that hold them.
//!
//! A [`Set`] is facts under a schema, the same for everybody. A [`Case`] is one question about a set,
//! in EDN for `daodb` and in SQL for SQLite, which holds the facts twice: in one table of facts with
//! covering indexes in the orders EAV, AVE and AEV (the layout of a store of datoms), and in tables
//! with indexes as a user of SQL would have them.

pub mod debian;
pub mod genealogy;
pub mod graphs;
pub mod ours;
pub mod people;
pub mod random;
pub mod sqlite;

/// A value of a fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Val {
    /// An integer.
    Int(i64),
    /// Text.
    Text(String),
    /// A keyword, text to SQL.
    Keyword(&'static str),
    /// Another entity, by its number.
    Ref(u32),
}

/// What values an attribute takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Integers.
    Long,
    /// Text.
    Text,
    /// Keywords.
    Keyword,
    /// Entities.
    Ref,
}

/// An attribute.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name, without the colon.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether an entity can have several.
    pub many: bool,
}

/// One value each.
pub const fn one(name: &'static str, kind: Kind) -> Attribute {
    Attribute { name, kind, many: false }
}

/// Many values each.
pub const fn many(name: &'static str, kind: Kind) -> Attribute {
    Attribute { name, kind, many: true }
}

/// Facts and their schema.
#[derive(Clone, Debug)]
pub struct Set {
    /// What it is called.
    pub name: &'static str,
    /// Every attribute; indexed all.
    pub schema: &'static [Attribute],
    /// Entity, number of the attribute in `schema`, value: distinct.
    pub facts: Vec<(u32, usize, Val)>,
    /// Makes the tables of a user of SQL out of the table of facts.
    pub tables: &'static str,
}

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What it is called.
    pub name: &'static str,
    /// In EDN.
    pub query: &'static str,
    /// The rules that the query takes as `%`, or nothing.
    pub rules: Option<&'static str>,
    /// The same in SQL over the table of facts `d(e, a, v)`; `:name` is the number of an attribute.
    pub eav: &'static str,
    /// The same in SQL over tables, where there are any.
    pub tables: Option<&'static str>,
}

/// The closure of `follows`, right-recursive.
pub const FOLLOWS: &str = "[[(follows ?x ?y) [?x :follows ?y]]
  [(follows ?x ?y) [?x :follows ?t] (follows ?t ?y)]]";
