//! Datalog queries over databases and relations.
//!
//! A query is parsed and checked once ([`Query`]), planned for the databases and inputs it is given,
//! and run: parse → check → plan → run. `docs/query.md` is the reference of the language.
//!
//! ```text
//!     text or value ──parse──▶ clauses ──plan──▶ steps ──run──▶ distinct rows ──answer──▶ Answer
//!                                 │                 │
//!                               rules ──demand──▶ flat rules, one datafrog iteration a component
//! ```
//!
//! 1. The answer does not depend on the order of the clauses.
//! 2. Equal words are equal values; rows are words until the answer is made.
//! 3. Every query ends: recursion is a fixpoint over finite relations, and [`Limits`] bound what
//!    functions could make without end.

mod aggregate;
mod answer;
mod ast;
pub mod build;
mod callee;
mod closure;
mod column;
mod columns;
mod crew;
mod delta;
mod demand;
mod distinct;
mod env;
mod error;
mod execution;
mod explain;
mod field;
mod function;
mod group;
mod inline;
mod kinds;
mod lift;
mod limits;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod naive;
mod order;
mod pairs;
mod parse;
mod past;
mod plan;
mod plans;
mod program;
mod reads;
mod relation;
mod rows;
mod run;
mod search;
mod sort;
mod source;
mod space;
mod step;
mod stream;
mod syntax;
mod table;
#[cfg(test)]
mod tests;
mod texts;
mod tools;
mod view;
mod weight;

use std::sync::Arc;

use datom::{Value, edn};

pub use self::answer::Answer;
pub use self::error::{ErrorKind, Place, QueryError};
pub use self::explain::{ExplainedStep, Explanation};
pub use self::field::Field;
pub use self::limits::{Cancel, Limits};
pub use self::rows::{Row, Rows};
pub use self::stream::RowStream;
pub use self::view::{Input, query};

pub(crate) use self::ast::Term;
pub(crate) use self::callee::Callable;
pub(crate) use self::columns::{BYTES_MAX as COLUMN_BYTES_MAX, Budget, Columns};
pub(crate) use self::delta::{Changed, Deltas};
pub(crate) use self::error::nearest;
pub(crate) use self::limits::Watch;
#[cfg(test)]
pub(crate) use self::memory::Memory;
pub(crate) use self::plan::unknown_attribute;
pub(crate) use self::plans::Plans;
pub(crate) use self::reads::Reads;
pub(crate) use self::source::{Reader, Source};

use self::execution::{Given, execute, execute_scanned, explain};
use self::parse::Parsed;
use self::syntax::Syntax;

/// A query that was parsed and checked: make it once, run it often, from any thread.
///
/// ```
/// use daodb::Query;
///
/// let query = Query::parse("[:find ?name :where [?e :person/name ?name]]").unwrap();
/// let wrong = Query::parse("[:find ?name\n :where [(upper-cas ?n) ?name]]").unwrap_err();
/// assert!(wrong.to_string().contains("did you mean upper-case?"));
/// assert_eq!(wrong.place().unwrap().position, Some((2, 9)));
/// # let _ = query;
/// ```
#[derive(Clone, Debug)]
pub struct Query {
    parsed: Arc<Parsed>,
}

impl Query {
    /// Reads a query from EDN text.
    ///
    /// # Errors
    /// Where the text is no EDN or no query; errors name the clause, line and column.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let forms = edn::read_forms(text).map_err(|error| no_edn(&error, text))?;
        let [form] = forms.as_slice() else {
            let error = QueryError::syntax(format!("one query is wanted, not {}", forms.len()));
            let second = forms.get(1).map(|form| Place {
                clause: form.to_value().to_string(),
                position: Some(form.span.line_and_column(text)),
            });
            return Err(match second {
                Some(place) => error.placed(|_| place),
                None => error,
            });
        };
        Self::check(parse::parse(&Syntax::from_form(form)?, Some(text))?)
    }

    /// Takes a query that is a value.
    ///
    /// # Errors
    /// Where the value is no query; errors name the clause.
    pub fn from_value(query: &Value) -> Result<Self, QueryError> {
        Self::check(parse::parse(&Syntax::from_value(query)?, None)?)
    }

    fn check(parsed: Parsed) -> Result<Self, QueryError> {
        program::check_size(&parsed.clauses).map_err(|error| error.at(&parsed.place))?;
        Ok(Self { parsed: Arc::new(parsed) })
    }

    /// The words of the language: its functions, aggregates and clauses, and the parts of a query with their
    /// colon. For editors that complete them.
    ///
    /// ```
    /// let words: Vec<String> = daodb::Query::words().collect();
    /// assert!([":where", "or-join", "starts-with?", "median", "pull"].iter().all(|w| words.contains(&(*w).into())));
    /// ```
    pub fn words() -> impl Iterator<Item = String> {
        let parts = parse::SECTIONS.into_iter().map(|part| format!(":{part}"));
        let named = function::names().chain(aggregate::NAMES).chain(parse::FORMS).chain(["pull"]);
        let words: std::collections::BTreeSet<String> =
            parts.chain(named.map(str::to_owned)).collect();
        words.into_iter()
    }

    /// How many inputs the query takes, `$` included where it reads it.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.parsed.inputs.len()
    }

    /// Whether the input at a place is `$`.
    pub(crate) fn is_default_source(&self, at: usize) -> bool {
        self.parsed.default_source() == at
    }
}

/// Text that could not be read, and where it broke off.
fn no_edn(error: &edn::Error, text: &str) -> QueryError {
    let clause = error.span.of(text).unwrap_or_default().to_owned();
    let position = Some((error.line(), error.column()));
    QueryError::new(ErrorKind::Edn(error.message.clone())).placed(|_| Place { clause, position })
}

fn rules_text(text: &str) -> Result<Syntax, QueryError> {
    let forms = edn::read_forms(text).map_err(|error| no_edn(&error, text))?;
    match forms.as_slice() {
        [form] => Syntax::from_form(form),
        _ => Err(QueryError::syntax("rules are one vector of rules")),
    }
}
