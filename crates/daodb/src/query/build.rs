//! Queries made in Rust, from typed parts instead of text.
//!
//! A query is data, and what is made here is that data: the same vectors and lists that
//! [`Query::parse`] reads from text, checked by the same checker when [`Find::query`] is called. What
//! Rust's types add is that only what can stand in a place can be put there.
//!
//! ```
//! use daodb::build::{call, desc, fact, find, var};
//! use daodb::Database;
//! use datom::{Value, edn};
//!
//! let db = Database::memory()?;
//! db.transact(&edn::read_all(
//!     "{:db/ident :person/name :db/valueType :db.type/string}
//!      {:db/ident :person/age :db/valueType :db.type/long}",
//! )?)?;
//! db.transact(&edn::read_all(
//!     r#"{:person/name "Ada" :person/age 36} {:person/name "Bob" :person/age 12}"#,
//! )?)?;
//!
//! let (person, name, age, least) = (var("person"), var("name"), var("age"), var("least"));
//! let adults = find((name, age))
//!     .input(least)
//!     .clause(fact(person, "person/name", name))
//!     .clause(fact(person, "person/age", age))
//!     .clause(call(">=", (age, least)))
//!     .order_by(desc(age))
//!     .query()?; // once; then run it often
//! let answer = db.db()?.query(&adults, &[18.into()])?;
//! assert_eq!(answer.to_value(), edn::read(r#"[["Ada" 36]]"#)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clause;
mod find;
mod rule;
mod term;

pub use self::clause::{
    Call, Clause, Fact, RuleCall, all, call, fact, invoke, not, not_join, or, or_join,
};
pub use self::find::{
    Element, Find, Order, aggregate, asc, avg, count, count_distinct, desc, distinct, find,
    find_all, find_one, find_row, max, median, min, pull, stddev, sum, variance,
};
pub use self::rule::{Rule, define, rules};
pub use self::term::{
    Attribute, Binding, Many, Source, Term, Var, any, each, lookup, rows, source, tuple, var,
};

#[allow(unused_imports)] // for the documentation
use super::Query;
