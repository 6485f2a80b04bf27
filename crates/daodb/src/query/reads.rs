//! What a query reads of its databases, as far as it says so.

use std::sync::Arc;

use datom::Value;

use super::ast::{Arg, Clause, ClauseKind, Find, Input as Expected, SourceRef, Term, walk};
use super::callee::Callee;
use super::error::QueryError;
use super::syntax::Syntax;
use super::{Input, Query, parse, rules_text};

/// One thing that a query reads.
pub(crate) enum Reads<'q> {
    /// What the query does not say: any attribute.
    Everything,
    /// The facts of an attribute, by its name or id.
    Attribute(&'q Value),
    /// A constant, which may name entities.
    Constant(&'q Value),
}

impl Query {
    /// Visits what the query reads, given the inputs that [`crate::Db::query`] gets. Things may come
    /// more than once.
    ///
    /// # Errors
    /// When rules among the inputs are none.
    pub(crate) fn reads(
        &self,
        inputs: &[Input],
        visit: &mut dyn FnMut(Reads<'_>),
    ) -> Result<(), QueryError> {
        let mut rest = inputs.iter();
        let (mut relations, mut sources, mut rules) = (Vec::new(), Vec::new(), Vec::new());
        for (at, expected) in self.parsed.inputs.iter().enumerate() {
            let given = if self.is_default_source(at) { None } else { rest.next() };
            match (expected, given) {
                (Expected::Source(name), given) => {
                    sources.push((Arc::clone(name), at));
                    if matches!(given, Some(Input::Value(_))) {
                        relations.push(at);
                    }
                }
                (Expected::Rules, Some(Input::Value(value))) => rules.push(value),
                (_, Some(Input::Value(value))) => visit(Reads::Constant(value)),
                _ => {}
            }
        }
        for find in &self.parsed.find {
            let named = |find: &Find| match find {
                Find::Aggregate { aggregate, .. } => aggregate.is_stored(),
                _ => false,
            };
            if matches!(find, Find::Pull { .. }) || named(find) {
                visit(Reads::Everything);
            }
        }
        walk(&self.parsed.clauses, &mut |clause| reads(clause, &relations, visit));
        for value in rules {
            let syntax = match value {
                Value::Text(text) => rules_text(text)?,
                value => Syntax::from_value(value)?,
            };
            for rule in parse::rules(&syntax, value.as_text(), &sources)? {
                walk(&rule.body, &mut |clause| reads(clause, &relations, visit));
            }
        }
        Ok(())
    }
}

fn reads(clause: &Clause, relations: &[usize], visit: &mut dyn FnMut(Reads<'_>)) {
    match &clause.kind {
        ClauseKind::Pattern { source, terms } => {
            if matches!(source, SourceRef::Named(at) if relations.contains(at)) {
                return;
            }
            match terms.get(1) {
                Some(Term::Const(name)) => visit(Reads::Attribute(name)),
                _ => visit(Reads::Everything),
            }
            constants(terms, visit);
        }
        // What such a function reads nobody says.
        ClauseKind::Function { function: Callee::Stored(_), .. } => visit(Reads::Everything),
        ClauseKind::Function { args, .. } => {
            if !args.iter().any(|arg| matches!(arg, Arg::Source(_))) {
                return;
            }
            // The database, the entity, and then attributes, all of which may be missing.
            for arg in args.iter().skip(2) {
                match arg {
                    Arg::Const(value) => visit(Reads::Constant(value)),
                    _ => visit(Reads::Everything),
                }
            }
        }
        ClauseKind::Call { terms, .. } => constants(terms, visit),
        _ => {}
    }
}

fn constants(terms: &[Term], visit: &mut dyn FnMut(Reads<'_>)) {
    for term in terms {
        if let Term::Const(value) = term {
            visit(Reads::Constant(value));
        }
    }
}
