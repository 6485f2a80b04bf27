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
mod callee;
mod closure;
mod column;
mod demand;
mod distinct;
mod env;
mod error;
mod explain;
mod function;
mod group;
mod inline;
mod limits;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod naive;
mod pairs;
mod parse;
mod plan;
mod program;
mod reads;
mod relation;
mod rows;
mod run;
mod search;
mod source;
mod space;
mod step;
mod syntax;
mod table;
#[cfg(test)]
mod tests;
mod tools;
mod view;

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use datom::{Value, edn};

pub use self::answer::Answer;
pub use self::error::{ErrorKind, Place, QueryError};
pub use self::explain::{ExplainedStep, Explanation};
pub use self::limits::{Cancel, Limits};
pub use self::rows::{Row, Rows};
pub use self::view::{Input, query};

pub(crate) use self::callee::Callable;
pub(crate) use self::column::Columns;
pub(crate) use self::limits::Watch;
#[cfg(test)]
pub(crate) use self::memory::Memory;
pub(crate) use self::plan::unknown_attribute;
pub(crate) use self::reads::Reads;
pub(crate) use self::source::{Reader, Source};

use self::ast::{
    Binding, Clause, ClauseKind, Find, Input as Expected, Names, PatternRef, Term, Var,
};
use self::distinct::Distinct;
use self::env::{Data, Env};
use self::parse::Parsed;
use self::plan::{Planner, Scope};
use self::program::Program;
use self::space::Space;
use self::step::Plan;
use self::syntax::Syntax;
use self::table::Table;
use self::tools::Tools;
use crate::pull::Pattern;

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
        let forms = edn::read_forms(text)
            .map_err(|error| QueryError::new(ErrorKind::Edn(error.to_string())))?;
        let [form] = forms.as_slice() else {
            return Err(QueryError::syntax(format!("one query is wanted, not {}", forms.len())));
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

/// What is given for an input.
pub(crate) enum Given<'s> {
    Source(&'s dyn Source),
    Value(&'s Value),
}

/// Runs a query.
pub(crate) fn execute(
    query: &Query,
    given: &[Given<'_>],
    limits: &Limits,
) -> Result<Answer, QueryError> {
    Run::new(query, given, limits)?.answer()
}

/// Runs a query and tells how.
pub(crate) fn explain(
    query: &Query,
    given: &[Given<'_>],
    limits: &Limits,
) -> Result<Explanation, QueryError> {
    let run = Run::new(query, given, limits)?;
    let plan = run.plan()?;
    let tools = Tools::new(&run.env, &plan, &[])?;
    run.env.timed.set(true);
    let words = run.rows(&plan, &tools)?;
    let scanned = run.env.watch.scanned();
    Explanation::new(&plan, &tools, words.len() as u64 / run.width() as u64, scanned)
}

/// One run of one query.
struct Run<'q, 's> {
    parsed: &'q Parsed,
    /// The query's variables, and those that rules brought in.
    names: Names,
    env: Env<'s>,
    /// What `$` means.
    default: usize,
    /// Clauses of the query and those that inputs became.
    clauses: Vec<Clause>,
    entities: HashMap<Var, usize>,
    constants: HashMap<Var, u64>,
    /// Whether an input has no row, so that nothing can match.
    empty: bool,
}

impl<'q, 's> Run<'q, 's> {
    fn new(query: &'q Query, given: &[Given<'s>], limits: &Limits) -> Result<Self, QueryError> {
        let parsed = &*query.parsed;
        check_inputs(parsed, given)?;
        let limits = Limits {
            cancel: limits.cancel.clone(),
            timeout: min(limits.timeout, parsed.timeout),
            max_rows: min(limits.max_rows, parsed.max_rows),
        };
        let space = Space::new(given.iter().filter_map(|given| match given {
            Given::Source(source) => Some(*source),
            Given::Value(_) => None,
        }));
        let (mut data, mut rules, default) = (Vec::new(), Vec::new(), parsed.default_source());
        let mut sources = Vec::new();
        for (at, expected) in parsed.inputs.iter().enumerate() {
            if let Expected::Source(name) = expected {
                sources.push((name.clone(), at));
            }
        }
        for (expected, given) in parsed.inputs.iter().zip(given) {
            data.push(match (expected, given) {
                (Expected::Source(_), Given::Source(source)) => {
                    let foreign = space.is_foreign(*source);
                    Some(Data::Facts { source: *source, foreign })
                }
                (Expected::Source(name), Given::Value(value)) => {
                    Some(Data::Rows(Rc::new(relation_table(&space, name, value)?)))
                }
                (Expected::Rules, Given::Value(value)) => {
                    let syntax = match value {
                        Value::Text(text) => rules_text(text)?,
                        value => Syntax::from_value(value)?,
                    };
                    let text = value.as_text();
                    rules.extend(parse::rules(&syntax, text, &sources)?);
                    None
                }
                _ => None,
            });
        }
        let program = Program::new(rules)?;
        program.check_calls(&parsed.clauses)?;
        let mut env = Env::new(data, space, Rc::new(Watch::start(&limits)), program);
        env.type_rules();
        let mut names = parsed.names.clone();
        let clauses = env.program.expand(&parsed.clauses, &mut names);
        let mut run = Self {
            parsed,
            names,
            entities: env.entities(&clauses, default),
            env,
            default,
            clauses,
            constants: HashMap::new(),
            empty: false,
        };
        for find in &parsed.find {
            if let Find::Pull { source, var, .. } = find {
                run.entities.entry(*var).or_insert(source.resolve(default));
            }
        }
        for (expected, given) in parsed.inputs.iter().zip(given) {
            if let (Expected::Binding(binding), Given::Value(value)) = (expected, given) {
                run.bind(binding, value)?;
            }
        }
        Ok(run)
    }

    /// An input becomes constants where it is one row, else a table to be joined.
    fn bind(&mut self, binding: &Binding, value: &Value) -> Result<(), QueryError> {
        let mut vars = Vec::new();
        binding.vars(&mut vars);
        let mut rows = Vec::new();
        run::take_apart(&self.env, binding, value, &mut rows)
            .map_err(|error| QueryError::new(ErrorKind::Inputs(error.to_string())))?;
        for row in &mut rows {
            for (word, var) in row.iter_mut().zip(&vars) {
                if let Some(at) = self.entities.get(var) {
                    *word = self.env.entity(*at, *word)?;
                }
            }
        }
        if let [row] = rows.as_slice() {
            for (var, word) in vars.iter().zip(row) {
                let known = *self.constants.entry(*var).or_insert(*word);
                self.empty |= known != *word;
            }
            return Ok(());
        }
        self.empty |= rows.is_empty();
        let table = Table::new(vars.len(), rows.concat());
        self.env.tables.push(Rc::new(table));
        let terms = vars.into_iter().map(Term::Var).collect();
        let kind = ClauseKind::Rows { table: self.env.tables.len() - 1, terms };
        self.clauses.push(Clause { kind, place: self.parsed.place.clone() });
        Ok(())
    }

    /// Columns of a row: those of `:find`, then those of `:with`.
    fn vars(&self) -> impl Iterator<Item = Var> {
        self.parsed.find.iter().map(Find::var).chain(self.parsed.with.iter().copied())
    }

    fn width(&self) -> usize {
        (self.parsed.find.len() + self.parsed.with.len()).max(1)
    }

    fn plan(&self) -> Result<Plan, QueryError> {
        let mut scope = Scope::new(&self.env, &self.names, self.default, self.entities.clone());
        scope.constants = self.constants.clone();
        let bound: BTreeSet<Var> = self.constants.keys().copied().collect();
        let wanted: BTreeSet<Var> = self.vars().collect();
        let clauses: Vec<&Clause> = self.clauses.iter().collect();
        let mut planner = Planner::new(&scope, &clauses, &bound, &wanted);
        planner.run().map_err(|error| error.at(&self.parsed.place))?;
        Ok(planner.finish())
    }

    /// The distinct rows.
    fn rows(&self, plan: &Plan, tools: &Tools<'s>) -> Result<Vec<u64>, QueryError> {
        self.env.watch.tick()?;
        let vars: Vec<Var> = self.vars().collect();
        let known = plan.is_distinct(&vars, self.constants.keys());
        let mut distinct = Distinct::new(self.width(), known);
        if self.empty {
            return Ok(Vec::new());
        }
        let mut row = vec![0; plan.width];
        for (var, word) in &self.constants {
            if let Some(place) = row.get_mut(*var) {
                *place = *word;
            }
        }
        run::run(&self.env, plan, tools, plan.width, &row, &mut |rows| {
            distinct.take(rows, plan.width, &vars);
            Ok(())
        })?;
        self.env.watch.rows(distinct.rows())?;
        Ok(distinct.finish(answer::wants_order(self.parsed)))
    }

    fn answer(&self) -> Result<Answer, QueryError> {
        let patterns = self.patterns()?;
        let plan = self.plan()?;
        let tools = Tools::new(&self.env, &plan, &[])?;
        let words = self.rows(&plan, &tools)?;
        answer::answer(&self.env, self.parsed, &patterns, words)
    }

    /// The pull pattern of each column that has one, with the source it reads.
    fn patterns(&self) -> Result<Vec<Option<(usize, Pattern)>>, QueryError> {
        let pattern = |find: &Find| {
            let Find::Pull { source, pattern, .. } = find else { return Ok(None) };
            let value = match pattern {
                PatternRef::Const(value) => value.clone(),
                PatternRef::Input(var) => match self.constants.get(var) {
                    Some(word) => self.env.space.value(*word)?,
                    None => return Err(QueryError::syntax("the pull pattern is no single input")),
                },
            };
            let facts = self.env.source(*source, self.default)?;
            Ok(Some((source.resolve(self.default), Pattern::parse(&value, facts)?)))
        };
        self.parsed.find.iter().map(pattern).collect()
    }
}

fn min<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn check_inputs(parsed: &Parsed, given: &[Given<'_>]) -> Result<(), QueryError> {
    let refuse = |message: String| Err(QueryError::new(ErrorKind::Inputs(message)));
    if parsed.inputs.len() != given.len() {
        let (takes, given) = (parsed.inputs.len(), given.len());
        return refuse(format!("the query takes {takes} input(s), but {given} were given"));
    }
    for (at, (expected, given)) in parsed.inputs.iter().zip(given).enumerate() {
        match (expected, given) {
            (Expected::Source(_), _) | (_, Given::Value(_)) => {}
            (_, Given::Source(_)) => {
                return refuse(format!("input {} of the query is no source", at + 1));
            }
        }
    }
    Ok(())
}

fn rules_text(text: &str) -> Result<Syntax, QueryError> {
    let forms = edn::read_forms(text)
        .map_err(|error| QueryError::new(ErrorKind::Edn(error.to_string())))?;
    match forms.as_slice() {
        [form] => Syntax::from_form(form),
        _ => Err(QueryError::syntax("rules are one vector of rules")),
    }
}

/// A relation given in place of a database: rows of equal width.
fn relation_table(space: &Space<'_>, name: &str, value: &Value) -> Result<Table, QueryError> {
    let refuse = |message: &str| {
        Err(QueryError::new(ErrorKind::Inputs(format!("the relation {name}: {message}"))))
    };
    let rows: Vec<Vec<Value>> = match value {
        Value::Map(map) => map.iter().map(|(k, v)| vec![k.clone(), v.clone()]).collect(),
        Value::Vector(_) | Value::List(_) | Value::Set(_) => {
            let items: Vec<&Value> = match value {
                Value::Set(set) => set.iter().collect(),
                other => other.as_slice().unwrap_or_default().iter().collect(),
            };
            let mut rows = Vec::with_capacity(items.len());
            for item in items {
                match item.as_slice() {
                    Some(row) => rows.push(row.to_vec()),
                    None => return refuse("its rows are vectors"),
                }
            }
            rows
        }
        _ => return refuse("a database, or a vector, set or map of rows is wanted"),
    };
    let width = rows.first().map_or(0, Vec::len);
    if rows.iter().any(|row| row.len() != width) {
        return refuse("its rows differ in length");
    }
    let mut words = Vec::with_capacity(rows.len() * width);
    for value in rows.iter().flatten() {
        words.push(space.word(value)?);
    }
    Ok(Table::new(width, words))
}
