//! What a query says, once parsed. Names are resolved to numbers; nothing here knows a database.
//!
//! 1. A [`Var`] names one variable of one scope: the variables of an `or-join` or `not-join` that
//!    are not in its list have numbers of their own, so equal numbers always mean equal values.
//! 2. Every clause carries the place it was written at.

use std::sync::Arc;

use datom::{Symbol, Value};

use super::callee::Callee;
use super::error::Place;
use super::syntax::Written;

/// A variable: an index into its scope's [`Names`].
pub(crate) type Var = usize;

/// A data source, as an index into the query's `:in`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum SourceRef {
    /// `$`, or inside a rule the source the rule was called on.
    Default,
    /// A source that was named.
    Named(usize),
}

/// The names of a scope's variables, for messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(Vec<Arc<str>>);

impl Names {
    pub(crate) fn add(&mut self, name: &str) -> Var {
        self.0.push(name.into());
        self.0.len() - 1
    }

    pub(crate) fn get(&self, var: Var) -> &str {
        self.0.get(var).map_or("_", |name| name)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// What stands in a position of a pattern or rule call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Term {
    Var(Var),
    Blank,
    Const(Value),
}

impl Term {
    pub(crate) fn var(&self) -> Option<Var> {
        match self {
            Term::Var(var) => Some(*var),
            _ => None,
        }
    }
}

/// An argument of a function.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    Var(Var),
    Const(Value),
    Source(SourceRef),
}

/// How a value is taken apart and bound.
#[derive(Clone, Debug)]
pub(crate) enum Binding {
    Ignore,
    Scalar(Var),
    Tuple(Vec<Binding>),
    Collection(Box<Binding>),
}

impl Binding {
    /// Whether it makes many rows of one value.
    pub(crate) fn collects(&self) -> bool {
        match self {
            Binding::Collection(_) => true,
            Binding::Tuple(parts) => parts.iter().any(Binding::collects),
            Binding::Ignore | Binding::Scalar(_) => false,
        }
    }

    pub(crate) fn vars(&self, into: &mut Vec<Var>) {
        match self {
            Binding::Ignore => {}
            Binding::Scalar(var) => into.push(*var),
            Binding::Tuple(parts) => parts.iter().for_each(|part| part.vars(into)),
            Binding::Collection(inner) => inner.vars(into),
        }
    }
}

/// One clause of a `:where` or of a rule's body.
#[derive(Clone, Debug)]
pub(crate) struct Clause {
    pub(crate) kind: ClauseKind,
    pub(crate) place: Arc<Place>,
}

#[derive(Clone, Debug)]
pub(crate) enum ClauseKind {
    /// `[?e :a ?v]`, at most five positions.
    Pattern { source: SourceRef, terms: Vec<Term> },
    /// `[(f ?x ?y)]` and `[(f ?x ?y) ?z]`.
    Function { function: Callee, args: Vec<Arg>, binding: Option<Binding> },
    /// `(not …)`, `(not-join [?x] …)`; `join` only for the latter.
    Not { clauses: Vec<Clause>, join: Option<Vec<Var>> },
    /// `(or …)`, `(or-join [[?r] ?x] …)`.
    Or { branches: Vec<Vec<Clause>>, join: Vec<Var>, required: Vec<Var> },
    /// `(rule ?x "y")`.
    Call { rule: Symbol, source: SourceRef, terms: Vec<Term> },
    /// Rows given from outside. Made when inputs are bound, never written.
    Rows { table: usize, terms: Vec<Term> },
    /// Rows of a relation of the component a rule is part of. Made when rules are compiled.
    Derived { relation: usize, terms: Vec<Term> },
}

/// Visits every clause, those inside other clauses after the one that holds them.
pub(crate) fn walk<'c>(clauses: &'c [Clause], visit: &mut dyn FnMut(&'c Clause)) {
    for clause in clauses {
        visit(clause);
        match &clause.kind {
            ClauseKind::Not { clauses, .. } => walk(clauses, visit),
            ClauseKind::Or { branches, .. } => {
                branches.iter().for_each(|branch| walk(branch, visit));
            }
            _ => {}
        }
    }
}

impl Clause {
    /// Every variable in the clause, those inside included; a variable may come more than once.
    pub(crate) fn vars(&self) -> Vec<Var> {
        let mut found = Vec::new();
        self.collect_vars(&mut found);
        found
    }

    fn collect_vars(&self, found: &mut Vec<Var>) {
        match &self.kind {
            ClauseKind::Pattern { terms, .. }
            | ClauseKind::Call { terms, .. }
            | ClauseKind::Rows { terms, .. }
            | ClauseKind::Derived { terms, .. } => {
                found.extend(terms.iter().filter_map(Term::var));
            }
            ClauseKind::Function { args, binding, .. } => {
                found.extend(args.iter().filter_map(|arg| match arg {
                    Arg::Var(var) => Some(*var),
                    _ => None,
                }));
                if let Some(binding) = binding {
                    binding.vars(found);
                }
            }
            ClauseKind::Not { clauses, join } => match join {
                Some(join) => found.extend(join),
                None => clauses.iter().for_each(|clause| clause.collect_vars(found)),
            },
            ClauseKind::Or { join, .. } => found.extend(join),
        }
    }

    /// The variables that rows of this clause give values to.
    pub(crate) fn produces(&self) -> Vec<Var> {
        match &self.kind {
            ClauseKind::Pattern { .. }
            | ClauseKind::Call { .. }
            | ClauseKind::Rows { .. }
            | ClauseKind::Derived { .. } => self.vars(),
            ClauseKind::Function { binding, .. } => {
                let mut found = Vec::new();
                if let Some(binding) = binding {
                    binding.vars(&mut found);
                }
                found
            }
            ClauseKind::Not { .. } => Vec::new(),
            ClauseKind::Or { join, .. } => join.clone(),
        }
    }
}

/// One rule: a head and a body, with variables of its own.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) name: Symbol,
    pub(crate) head: Vec<Term>,
    /// Positions of the head that a caller must bind.
    pub(crate) required: Vec<usize>,
    pub(crate) body: Vec<Clause>,
    pub(crate) names: Names,
    pub(crate) place: Arc<Place>,
}

/// What one element of `:find` shows.
#[derive(Clone, Debug)]
pub(crate) enum Find {
    Var(Var),
    Aggregate { aggregate: super::aggregate::Aggregate, var: Var },
    Pull { source: SourceRef, var: Var, pattern: PatternRef, written: Arc<Written> },
}

impl Find {
    pub(crate) fn var(&self) -> Var {
        match self {
            Find::Var(var) | Find::Aggregate { var, .. } | Find::Pull { var, .. } => *var,
        }
    }
}

/// A pull pattern: written in the query, or given as an input.
#[derive(Clone, Debug)]
pub(crate) enum PatternRef {
    Const(Value),
    Input(Var),
}

/// The form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Relation,
    Collection,
    Tuple,
    Scalar,
}

/// What a place of `:in` takes.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Source(Arc<str>),
    Rules,
    Binding(Binding),
}

/// One key of `:order-by`: the column of `:find`, and whether the greatest comes first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderBy {
    pub(crate) column: usize,
    pub(crate) descending: bool,
}
