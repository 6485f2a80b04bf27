//! Calls of rules that are only names for a few clauses, replaced by these clauses.
//!
//! A rule with one body that does not depend on itself says no more than its clauses say. In its
//! place they take part in the order of all clauses, and in leapfrog joins.
//!
//! 1. Variables of the rule get numbers of their own in the scope they come into, so nothing is
//!    captured.
//! 2. What cannot be replaced stays a call and means the same.

use std::collections::{BTreeMap, HashMap};

use datom::{Symbol, Value};

use super::ast::{Arg, Binding, Clause, ClauseKind, Names, Rule, SourceRef, Term, Var, walk};
use super::program::CLAUSES_MAX;

/// Rules whose clauses come in by replacing, one inside the other; what is deeper stays a call.
const DEPTH_MAX: usize = 32;

/// Rules by name, of which those in the list can stand for their calls.
pub(crate) struct Inlining<'r> {
    pub(crate) rules: &'r BTreeMap<Symbol, Vec<Rule>>,
    pub(crate) plain: &'r BTreeMap<Symbol, bool>,
}

/// Whether a rule has one body, a head of distinct variables and asks for no argument: so that its
/// calls may be replaced if it does not depend on itself.
pub(crate) fn is_plain(rules: &[Rule]) -> bool {
    let [rule] = rules else { return false };
    let distinct = rule.head.iter().enumerate().all(|(at, term)| {
        matches!(term, Term::Var(_)) && !rule.head.iter().take(at).any(|other| other == term)
    });
    distinct && rule.required.is_empty()
}

/// What a rule's variables become at a call.
struct Scope<'c> {
    source: SourceRef,
    terms: HashMap<Var, Term>,
    rule: &'c Rule,
    names: &'c mut Names,
}

impl Inlining<'_> {
    /// Replaces calls, those inside other clauses and those that come in by replacing included.
    pub(crate) fn expand(&self, clauses: &[Clause], names: &mut Names) -> Vec<Clause> {
        let mut count = 0;
        walk(clauses, &mut |_| count += 1);
        self.all(clauses, names, &mut count, 0)
    }

    fn all(
        &self,
        clauses: &[Clause],
        names: &mut Names,
        count: &mut usize,
        depth: usize,
    ) -> Vec<Clause> {
        let mut made = Vec::with_capacity(clauses.len());
        for clause in clauses {
            if depth < DEPTH_MAX
                && let ClauseKind::Call { rule, source, terms } = &clause.kind
                && let Some(body) = self.body(rule, *source, terms, names, count)
            {
                made.extend(self.all(&body, names, count, depth + 1));
                continue;
            }
            let kind = match &clause.kind {
                ClauseKind::Not { clauses, join } => {
                    let clauses = self.all(clauses, names, count, depth);
                    ClauseKind::Not { clauses, join: join.clone() }
                }
                ClauseKind::Or { branches, join, required } => {
                    let branches = branches
                        .iter()
                        .map(|branch| self.all(branch, names, count, depth))
                        .collect();
                    let (join, required) = (join.clone(), required.clone());
                    ClauseKind::Or { branches, join, required }
                }
                other => other.clone(),
            };
            made.push(Clause { kind, place: clause.place.clone() });
        }
        made
    }

    /// The clauses that say what a call says, if it can be replaced.
    fn body(
        &self,
        name: &Symbol,
        source: SourceRef,
        terms: &[Term],
        names: &mut Names,
        count: &mut usize,
    ) -> Option<Vec<Clause>> {
        let [rule] = self.rules.get(name)?.as_slice() else { return None };
        let constants = terms.iter().any(|term| matches!(term, Term::Const(_)));
        let nested = terms.iter().any(|term| match term {
            Term::Const(value) => matches!(value, Value::Vector(_) | Value::List(_)),
            _ => false,
        });
        let patterns = rule.body.iter().all(|clause| {
            matches!(clause.kind, ClauseKind::Pattern { .. } | ClauseKind::Call { .. })
        });
        if self.plain.get(name) != Some(&true) || nested || (constants && !patterns) {
            return None;
        }
        let mut size = 0;
        walk(&rule.body, &mut |_| size += 1);
        if *count + size > CLAUSES_MAX {
            return None;
        }
        *count += size;
        let mut scope = Scope { source, terms: HashMap::new(), rule, names };
        for (parameter, term) in rule.head.iter().zip(terms) {
            if let (Term::Var(var), Term::Var(_) | Term::Const(_)) = (parameter, term) {
                scope.terms.insert(*var, term.clone());
            }
        }
        Some(scope.clauses(&rule.body))
    }
}

impl Scope<'_> {
    fn clauses(&mut self, clauses: &[Clause]) -> Vec<Clause> {
        clauses.iter().map(|clause| self.clause(clause)).collect()
    }

    fn clause(&mut self, clause: &Clause) -> Clause {
        let kind = match &clause.kind {
            ClauseKind::Pattern { source, terms } => {
                ClauseKind::Pattern { source: self.source(*source), terms: self.terms(terms) }
            }
            ClauseKind::Call { rule, source, terms } => ClauseKind::Call {
                rule: rule.clone(),
                source: self.source(*source),
                terms: self.terms(terms),
            },
            ClauseKind::Function { function, args, binding } => ClauseKind::Function {
                function: function.clone(),
                args: args.iter().map(|arg| self.arg(arg)).collect(),
                binding: binding.as_ref().map(|binding| self.binding(binding)),
            },
            ClauseKind::Not { clauses, join } => ClauseKind::Not {
                clauses: self.clauses(clauses),
                join: join.as_ref().map(|join| self.vars(join)),
            },
            ClauseKind::Or { branches, join, required } => ClauseKind::Or {
                branches: branches.iter().map(|branch| self.clauses(branch)).collect(),
                join: self.vars(join),
                required: self.vars(required),
            },
            other => other.clone(),
        };
        Clause { kind, place: clause.place.clone() }
    }

    fn source(&self, source: SourceRef) -> SourceRef {
        match source {
            SourceRef::Default => self.source,
            named => named,
        }
    }

    fn term(&mut self, var: Var) -> Term {
        let (rule, names) = (self.rule, &mut *self.names);
        let made = || Term::Var(names.add(rule.names.get(var)));
        self.terms.entry(var).or_insert_with(made).clone()
    }

    /// The variable that a variable becomes. Where constants were given there are only patterns.
    fn var(&mut self, var: Var) -> Var {
        match self.term(var) {
            Term::Var(var) => var,
            _ => var,
        }
    }

    fn vars(&mut self, vars: &[Var]) -> Vec<Var> {
        vars.iter().map(|var| self.var(*var)).collect()
    }

    fn terms(&mut self, terms: &[Term]) -> Vec<Term> {
        let term = |term: &Term| match term {
            Term::Var(var) => self.term(*var),
            other => other.clone(),
        };
        terms.iter().map(term).collect()
    }

    fn arg(&mut self, arg: &Arg) -> Arg {
        match arg {
            Arg::Var(var) => Arg::Var(self.var(*var)),
            Arg::Source(source) => Arg::Source(self.source(*source)),
            Arg::Const(value) => Arg::Const(value.clone()),
        }
    }

    fn binding(&mut self, binding: &Binding) -> Binding {
        match binding {
            Binding::Ignore => Binding::Ignore,
            Binding::Scalar(var) => Binding::Scalar(self.var(*var)),
            Binding::Tuple(parts) => {
                Binding::Tuple(parts.iter().map(|part| self.binding(part)).collect())
            }
            Binding::Collection(inner) => Binding::Collection(Box::new(self.binding(inner))),
        }
    }
}
