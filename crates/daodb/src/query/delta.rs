//! The queries that tell how one changed fact changes an answer: semi-naive evaluation, as fixpoints of
//! Datalog use it (Bancilhon and Ramakrishnan, 1986), from one commit to the next.
//!
//! A row that is new has a derivation that uses a new fact. So for each clause there is a query that
//! begins with the facts that changed, in the place of that clause: asked of the state after, with what
//! was stated, it finds every row that is new; asked of the state before, with what was withdrawn, every
//! row that may be gone. Which of these have another derivation is asked by one more query.
//!
//! A fact in the place of a clause inside `not` does the opposite: one that was stated may take rows away,
//! those of the state before with what of its variables is known outside; one that was withdrawn may bring
//! some. A branch of an `or` stands in the place of the `or`.
//!
//! This holds for conjunctions whose answer is a set: patterns of known attributes, functions that read no
//! database, `not` and `or` of such patterns, plain variables to be found. Of any other query there are no
//! such queries.

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
    /// Which of these have variables that the query is asked with, the first of two of one name.
    pub(crate) asks: [bool; 2],
    /// It is inside a `not`: what is stated takes rows away.
    pub(crate) takes: bool,
    /// The query with one more input: a collection of what these variables are, in their order.
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
                ClauseKind::Not { clauses: inner, join } => {
                    for clause in inner {
                        clauses.extend(within_not(parsed, join.as_deref(), clause)?);
                    }
                }
                ClauseKind::Or { branches, .. } => {
                    for branch in branches {
                        let whole = in_place_of(parsed, clause, branch)?;
                        for clause in branch {
                            clauses.extend(changed(&whole, clause)?);
                        }
                    }
                }
                _ => clauses.extend(changed(parsed, clause)?),
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

/// What a fact changes in the place of a clause of the conjunction: nothing where it is a function. `None`
/// if that cannot be told.
fn changed(parsed: &Parsed, clause: &Clause) -> Option<Option<Changed>> {
    let Some((attribute, entity, value)) = plain(parsed, clause)? else { return Some(None) };
    let asks = [entity.var().is_some(), value.var().is_some() && value != entity];
    Some(Some(asked(parsed, attribute, (entity, value), asks, false)?))
}

/// The same for a clause inside a `not`. What is not known outside is not asked for.
fn within_not(parsed: &Parsed, join: Option<&[Var]>, clause: &Clause) -> Option<Option<Changed>> {
    let Some((attribute, entity, value)) = plain(parsed, clause)? else { return Some(None) };
    let outside: BTreeSet<Var> = parsed.clauses.iter().flat_map(Clause::produces).collect();
    let is_joined = |var: &Var| join.is_none_or(|join| join.contains(var));
    let is_outside =
        |term: &Term| term.var().is_some_and(|var| outside.contains(&var) && is_joined(&var));
    let asks = [is_outside(&entity), is_outside(&value) && value != entity];
    Some(Some(asked(parsed, attribute, (entity, value), asks, true)?))
}

fn asked(
    parsed: &Parsed,
    attribute: Value,
    (entity, value): (Term, Term),
    asks: [bool; 2],
    takes: bool,
) -> Option<Changed> {
    let terms = [&entity, &value].into_iter().zip(asks);
    let vars: Vec<Var> =
        terms.filter_map(|(term, is_asked)| term.var().filter(|_| is_asked)).collect();
    if vars.is_empty() {
        return None;
    }
    let query = with_rows(parsed, &vars);
    Some(Changed { attribute, entity, value, asks, takes, query })
}

/// The attribute, the entity and the value of a pattern of this database; nothing for a function of its
/// arguments. `None` for whatever cannot be followed.
fn plain(parsed: &Parsed, clause: &Clause) -> Option<Option<(Value, Term, Term)>> {
    if reads_nothing(clause) {
        return Some(None);
    }
    let ClauseKind::Pattern { source, terms } = &clause.kind else { return None };
    let is_default = match source {
        SourceRef::Default => true,
        SourceRef::Named(at) => *at == parsed.default_source(),
    };
    let is_plain = |term: &&Term| !matches!(term, Term::Const(Value::Vector(_) | Value::List(_)));
    // Behind the transaction stand things of which a fact that is withdrawn has others.
    if !is_default || terms.len() > 4 || !terms.iter().all(|term| is_plain(&term)) {
        return None;
    }
    let Some(Term::Const(attribute)) = terms.get(1) else { return None };
    let value = terms.get(2).cloned().unwrap_or(Term::Blank);
    Some(Some((attribute.clone(), terms.first()?.clone(), value)))
}

/// The query with a branch in the place of its `or`. `None` where the branch has variables that are its own:
/// their names may mean something else outside.
fn in_place_of(parsed: &Parsed, or: &Clause, branch: &[Clause]) -> Option<Parsed> {
    let ClauseKind::Or { join, .. } = &or.kind else { return None };
    if !branch.iter().flat_map(Clause::vars).all(|var| join.contains(&var)) {
        return None;
    }
    let mut whole = parsed.clone();
    let others = parsed.clauses.iter().filter(|clause| !std::ptr::eq(*clause, or));
    whole.clauses = others.chain(branch).cloned().collect();
    Some(whole)
}

/// The query with one more input: a collection of rows of these variables.
fn with_rows(parsed: &Parsed, vars: &[Var]) -> Query {
    let row = Binding::Tuple(vars.iter().map(|var| Binding::Scalar(*var)).collect());
    let mut parsed = parsed.clone();
    parsed.inputs.push(Expected::Binding(Binding::Collection(Box::new(row))));
    parsed.input_places.push(parsed.place.clone());
    Query { parsed: Arc::new(parsed) }
}
