//! The queries that tell how one changed fact changes an answer: semi-naive evaluation, as fixpoints of
//! Datalog use it (Bancilhon and Ramakrishnan, 1986), from one commit to the next.
//!
//! A row that is new has a derivation that uses a new fact. So for each clause there is a query that
//! begins with the facts that changed, in the place of that clause: asked of the state after, with what
//! was stated, it finds every row that is new; asked of the state before, with what was withdrawn, every
//! row that may be gone. Which of these have another derivation is asked by one more query.
//!
//! This holds for conjunctions whose answer is a set: patterns of known attributes, functions that read no
//! database, plain variables to be found. Of any other query there are no such queries.

use std::collections::BTreeSet;
use std::sync::Arc;

use datom::Value;

use super::Query;
use super::ast::{
    Arg, Binding, Clause, ClauseKind, Find, Input as Expected, Shape, SourceRef, Term, Var,
};
use super::callee::Callee;
use super::parse::Parsed;
use super::view::Input;

/// The queries that follow a change.
pub(crate) struct Deltas {
    pub(crate) clauses: Vec<Changed>,
    /// The query with one more input: a collection of rows of its answer, of which it finds those that hold.
    pub(crate) support: Query,
}

/// One clause, in whose place the change stands.
pub(crate) struct Changed {
    /// The attribute, as the query names it.
    pub(crate) attribute: Value,
    pub(crate) entity: Term,
    pub(crate) value: Term,
    /// The query with one more input: a collection of what the variables of the two terms are, in their
    /// order, each named once.
    pub(crate) query: Query,
}

impl Query {
    /// The queries that follow a change of facts, if the query is one that can be followed by them.
    pub(crate) fn deltas(&self, inputs: &[Input]) -> Option<Deltas> {
        let parsed = &*self.parsed;
        let is_set = matches!(parsed.shape, Shape::Relation | Shape::Collection)
            && parsed.with.is_empty()
            && parsed.limit.is_none()
            && parsed.offset == 0;
        if !is_set || !self.takes_plain(inputs) {
            return None;
        }
        let mut found = BTreeSet::new();
        let is_new = |find: &Find| matches!(find, Find::Var(var) if found.insert(*var));
        if !parsed.find.iter().all(is_new) {
            return None;
        }
        let mut clauses = Vec::new();
        for clause in &parsed.clauses {
            match &clause.kind {
                ClauseKind::Pattern { source, terms } => {
                    clauses.push(changed(parsed, *source, terms)?);
                }
                _ if reads_nothing(clause) => {}
                _ => return None,
            }
        }
        let shown: Vec<Var> = parsed.find.iter().map(Find::var).collect();
        Some(Deltas { clauses, support: with_rows(parsed, &shown) })
    }

    /// Whether the inputs are `$` and values that name no entity by a fact.
    fn takes_plain(&self, inputs: &[Input]) -> bool {
        let mut rest = inputs.iter();
        self.parsed.inputs.iter().enumerate().all(|(at, expected)| match expected {
            Expected::Source(_) => self.is_default_source(at),
            Expected::Rules => false,
            Expected::Binding(binding) => match rest.next() {
                Some(Input::Value(value)) => is_plain(binding, value),
                _ => false,
            },
        })
    }
}

/// Whether nothing that is bound can be a lookup ref.
fn is_plain(binding: &Binding, value: &Value) -> bool {
    let items = match value {
        Value::Vector(items) | Value::List(items) => Some(items),
        _ => None,
    };
    match (binding, items) {
        (Binding::Ignore, _) => true,
        (Binding::Scalar(_), items) => items.is_none(),
        (Binding::Collection(inner), Some(items)) => items.iter().all(|item| is_plain(inner, item)),
        (Binding::Tuple(parts), Some(items)) => {
            parts.iter().zip(items).all(|(part, item)| is_plain(part, item))
        }
        // A set, or what the query will refuse.
        (Binding::Collection(_) | Binding::Tuple(_), None) => false,
    }
}

/// Whether the clause is a function of its arguments alone.
fn reads_nothing(clause: &Clause) -> bool {
    match &clause.kind {
        ClauseKind::Function { function: Callee::Builtin(_), args, .. } => {
            !args.iter().any(|arg| matches!(arg, Arg::Source(_)))
        }
        _ => false,
    }
}

fn changed(parsed: &Parsed, source: SourceRef, terms: &[Term]) -> Option<Changed> {
    let is_default = match source {
        SourceRef::Default => true,
        SourceRef::Named(at) => at == parsed.default_source(),
    };
    let is_plain = |term: &&Term| !matches!(term, Term::Const(Value::Vector(_) | Value::List(_)));
    // Behind the transaction stand things of which a fact that is withdrawn has others.
    if !is_default || terms.len() > 4 || !terms.iter().all(|term| is_plain(&term)) {
        return None;
    }
    let Some(Term::Const(attribute)) = terms.get(1) else { return None };
    let entity = terms.first()?.clone();
    let value = terms.get(2).cloned().unwrap_or(Term::Blank);
    let mut vars: Vec<Var> = entity.var().into_iter().chain(value.var()).collect();
    vars.dedup();
    if vars.is_empty() {
        return None;
    }
    let query = with_rows(parsed, &vars);
    Some(Changed { attribute: attribute.clone(), entity, value, query })
}

/// The query with one more input: a collection of rows of these variables.
fn with_rows(parsed: &Parsed, vars: &[Var]) -> Query {
    let row = Binding::Tuple(vars.iter().map(|var| Binding::Scalar(*var)).collect());
    let mut parsed = parsed.clone();
    parsed.inputs.push(Expected::Binding(Binding::Collection(Box::new(row))));
    parsed.input_places.push(parsed.place.clone());
    Query { parsed: Arc::new(parsed) }
}
