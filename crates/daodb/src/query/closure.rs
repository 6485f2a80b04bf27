//! Rules that say "some way leads from x to y": found by their shape, and searched instead of joined.
//!
//! `p(x, y) :- edge(x, y)` beside `p(x, y) :- edge(x, t), p(t, y)`, or with the call first, or with two
//! calls, is the transitive closure of whatever `edge` is; it may be several clauses, and there may be
//! several edges. What can be reached is then a question to a [`Graph`], which goes along each edge
//! once, where a fixpoint derives a row in every way there is.
//!
//! 1. A shape is found whatever the order of clauses and the names of variables are.
//! 2. The recursive rules go along edges of the rules that do not recur and along no others, and one
//!    side goes along all of them; else the rule is left to the fixpoint.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use datom::Symbol;

use super::ast::{Clause, ClauseKind, Rule, SourceRef, Term, Var, walk};
use super::env::Env;
use super::error::Error;
use super::plan::{Scope, plan, waits};
use super::program::Program;
use super::search::{Graph, Way};

/// Clauses of an edge that is compared with another, at most: they are compared in every order.
const COMPARED_MAX: usize = 5;

/// The closures of a run, by rule and source; `None` for a rule of another shape.
pub(crate) type Closures<'s> = HashMap<(Symbol, usize), Option<Rc<Closure<'s>>>>;

/// A rule that is a closure, on one source.
pub(crate) struct Closure<'s> {
    edges: Vec<Edge>,
    source: usize,
    forward: OnceCell<Option<Rc<Graph<'s>>>>,
    backward: OnceCell<Option<Rc<Graph<'s>>>>,
}

/// One way to go: clauses between two variables of a rule.
struct Edge {
    rule: Rule,
    clauses: Vec<Clause>,
    from: Var,
    to: Var,
}

/// The closure that a rule is on a source, if it is one.
pub(crate) fn closure<'s>(env: &Env<'s>, rule: &Symbol, source: usize) -> Option<Rc<Closure<'s>>> {
    let key = (rule.clone(), source);
    let mut closures = env.closures.borrow_mut();
    let made = || {
        let edges = edges(&env.program, rule)?;
        let (forward, backward) = (OnceCell::new(), OnceCell::new());
        Some(Rc::new(Closure { edges, source, forward, backward }))
    };
    closures.entry(key).or_insert_with(made).clone()
}

impl<'s> Closure<'s> {
    /// The graph along the edges, or against them; `None` where they cannot be gone that way,
    /// because a function in them wants the other end.
    pub(crate) fn graph(
        &self,
        env: &Env<'s>,
        backward: bool,
    ) -> Result<Option<Rc<Graph<'s>>>, Error> {
        let cell = if backward { &self.backward } else { &self.forward };
        if let Some(known) = cell.get() {
            return Ok(known.clone());
        }
        let graph = env.deeper(|| self.planned(env, backward))?;
        Ok(cell.get_or_init(|| graph.map(Rc::new)).clone())
    }

    fn planned(&self, env: &Env<'s>, backward: bool) -> Result<Option<Graph<'s>>, Error> {
        let (mut steps, mut all) = (Vec::new(), Some(Vec::new()));
        for edge in &self.edges {
            let (from, to) = if backward { (edge.to, edge.from) } else { (edge.from, edge.to) };
            let entities = env.entities(&edge.clauses, self.source);
            let scope = Scope::new(env, &edge.rule.names, self.source, entities);
            let ends = BTreeSet::from([from, to]);
            let planned = |bound: &BTreeSet<Var>| match plan(&scope, &edge.clauses, bound, &ends) {
                Ok(plan) => Way::new(env, plan, from, to).map(Some),
                Err(error) if waits(&error) => Ok(None),
                Err(error) => Err(error.at(&edge.rule.place)),
            };
            let Some(step) = planned(&BTreeSet::from([from]))? else { return Ok(None) };
            steps.push(step);
            let whole = planned(&BTreeSet::new())?;
            all = match (all, whole) {
                (Some(mut all), Some(whole)) => {
                    all.push(whole);
                    Some(all)
                }
                _ => None,
            };
        }
        Ok(Some(Graph::new(steps, all)))
    }
}

/// The edges of which a rule is the closure.
fn edges(program: &Program, name: &Symbol) -> Option<Vec<Edge>> {
    if !program.is_alone(name) {
        return None;
    }
    let (mut base, mut right, mut left, mut doubled) = (Vec::new(), Vec::new(), Vec::new(), false);
    for rule in program.rules(name) {
        let [Term::Var(x), Term::Var(y)] = rule.head.as_slice() else { return None };
        if x == y || !rule.required.is_empty() {
            return None;
        }
        let calls = calls(rule, name)?;
        match calls.as_slice() {
            [] => base.push(edge(rule, None, *x, *y)),
            [(at, a, b)] => {
                let elsewhere: Vec<Var> = rule
                    .body
                    .iter()
                    .enumerate()
                    .filter(|(other, _)| other != at)
                    .flat_map(|(_, clause)| clause.vars())
                    .collect();
                let inner = |var: &Var| var != x && var != y;
                if b == y && inner(a) && !elsewhere.contains(y) {
                    right.push(edge(rule, Some(*at), *x, *a));
                } else if a == x && inner(b) && !elsewhere.contains(x) {
                    left.push(edge(rule, Some(*at), *b, *y));
                } else {
                    return None;
                }
            }
            [(_, a, t), (_, u, b)] | [(_, u, b), (_, a, t)]
                if rule.body.len() == 2 && a == x && b == y && t == u && t != x && t != y =>
            {
                doubled = true;
            }
            _ => return None,
        }
    }
    let within = |some: &[Edge], all: &[Edge]| some.iter().all(|e| all.iter().any(|o| same(e, o)));
    let known = within(&right, &base) && within(&left, &base);
    let whole = doubled || within(&base, &right) || within(&base, &left);
    (known && whole && !base.is_empty()).then_some(base)
}

/// The calls of the rule itself in its body: place and arguments. `None` where one stands inside
/// another clause, or its arguments are no two variables.
fn calls(rule: &Rule, name: &Symbol) -> Option<Vec<(usize, Var, Var)>> {
    let mut count = 0;
    walk(&rule.body, &mut |clause| {
        count += usize::from(matches!(&clause.kind, ClauseKind::Call { rule, .. } if rule == name));
    });
    let mut calls = Vec::new();
    for (at, clause) in rule.body.iter().enumerate() {
        match &clause.kind {
            ClauseKind::Call { rule, source: SourceRef::Default, terms } if rule == name => {
                let [Term::Var(a), Term::Var(b)] = terms.as_slice() else { return None };
                calls.push((at, *a, *b));
            }
            _ => {}
        }
    }
    (calls.len() == count).then_some(calls)
}

fn edge(rule: &Rule, without: Option<usize>, from: Var, to: Var) -> Edge {
    let clauses = rule.body.iter().enumerate().filter(|(at, _)| Some(*at) != without);
    let clauses = clauses.map(|(_, clause)| clause.clone()).collect();
    Edge { rule: rule.clone(), clauses, from, to }
}

/// Whether two edges say the same, up to the names of variables and the order of clauses.
fn same(a: &Edge, b: &Edge) -> bool {
    if a.clauses.len() != b.clauses.len() || a.clauses.len() > COMPARED_MAX {
        return false;
    }
    let ends = vec![(a.from, b.from), (a.to, b.to)];
    let left: Vec<&Clause> = b.clauses.iter().collect();
    pairs_up(&a.clauses, &left, &ends)
}

/// Whether each clause of `a` has a partner of its own in `b`, under one renaming of variables.
fn pairs_up(a: &[Clause], b: &[&Clause], names: &[(Var, Var)]) -> bool {
    let Some((first, rest)) = a.split_first() else { return true };
    (0..b.len()).any(|at| {
        let mut names = names.to_vec();
        let mut left = b.to_vec();
        let partner = left.remove(at);
        alike(first, partner, &mut names) && pairs_up(rest, &left, &names)
    })
}

fn alike(a: &Clause, b: &Clause, names: &mut Vec<(Var, Var)>) -> bool {
    let (a, b) = match (&a.kind, &b.kind) {
        (
            ClauseKind::Pattern { source: s, terms: a },
            ClauseKind::Pattern { source: o, terms: b },
        ) if s == o => (a, b),
        (
            ClauseKind::Call { rule: r, source: s, terms: a },
            ClauseKind::Call { rule: q, source: o, terms: b },
        ) if r == q && s == o => (a, b),
        _ => return false,
    };
    a.len() == b.len()
        && a.iter().zip(b).all(|pair| match pair {
            (Term::Var(a), Term::Var(b)) => match names.iter().find(|(x, y)| x == a || y == b) {
                Some(known) => *known == (*a, *b),
                None => {
                    names.push((*a, *b));
                    true
                }
            },
            (a, b) => a == b,
        })
}
