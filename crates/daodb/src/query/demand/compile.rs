//! From rules to flat rules.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use datom::Symbol;

use super::super::ast::{Clause, ClauseKind, Names, Rule, SourceRef, Term, Var};
use super::super::env::Env;
use super::super::error::{Error, ErrorKind, Place};
use super::super::plan::{Planner, Scope, Shared, waits};
use super::super::step::Cell;
use super::super::tools::Tools;
use super::stand_in::Nothing;
use super::{Component, FlatRule, Variant, layout};

/// Most rules that the `or`s of one rule may multiply into.
const BRANCHES_MAX: usize = 256;

/// How bound arguments are handed to calls inside the component.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// Compute everything: no call inside has a demand.
    Free,
    /// Whatever is bound at a call is its demand.
    Bound,
}

/// One rule with its `or`s over the component's own rules resolved.
pub(super) struct Body {
    pub(super) rule: Rule,
    pub(super) clauses: Vec<Clause>,
}

/// What was there before an attempt, to go back to.
pub(super) struct Mark {
    relations: usize,
    variants: usize,
    rules: usize,
}

impl<'s> Component<'s> {
    /// The variant of a rule for these bound arguments.
    pub(super) fn compile(
        &mut self,
        env: &Env<'s>,
        rule: &Symbol,
        mask: &[bool],
    ) -> Result<usize, Error> {
        if let Some(known) = self.find(rule, mask) {
            return Ok(known);
        }
        let mark = self.mark();
        if !mask.contains(&true) {
            match self.attempt(env, rule, mask, Policy::Free) {
                Err(error) if waits(&error) => self.reset(&mark),
                done => return self.settled(done, &mark),
            }
        }
        let done = self.attempt(env, rule, mask, Policy::Bound);
        self.settled(done, &mark)
    }

    fn settled(&mut self, done: Result<usize, Error>, mark: &Mark) -> Result<usize, Error> {
        if done.is_err() {
            self.reset(mark);
        }
        done
    }

    fn find(&self, name: &Symbol, mask: &[bool]) -> Option<usize> {
        self.variants.iter().position(|v| v.name == *name && v.mask == mask)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            relations: self.relations.len(),
            variants: self.variants.len(),
            rules: self.rules.len(),
        }
    }

    pub(super) fn reset(&mut self, mark: &Mark) {
        self.relations.truncate(mark.relations);
        self.widths.truncate(mark.relations);
        self.variants.truncate(mark.variants);
        self.rules.truncate(mark.rules);
        for variant in &mut self.variants {
            variant.waiting.retain(|rule| *rule < mark.rules);
            variant.calls.retain(|called| *called < mark.variants);
        }
    }

    /// Adds the variant and every variant it calls.
    fn attempt(
        &mut self,
        env: &Env<'s>,
        rule: &Symbol,
        mask: &[bool],
        policy: Policy,
    ) -> Result<usize, Error> {
        let entry = self.add_variant(rule, mask)?;
        let mut next = entry;
        while next < self.variants.len() {
            self.compile_variant(env, next, policy)?;
            next += 1;
        }
        Ok(entry)
    }

    fn add_variant(&mut self, name: &Symbol, mask: &[bool]) -> Result<usize, Error> {
        if let Some(known) = self.find(name, mask) {
            return Ok(known);
        }
        let answers = self.add_relation(mask.len())?;
        let bound = mask.iter().filter(|bound| **bound).count();
        let demands = if bound == 0 { None } else { Some(self.add_relation(bound)?) };
        self.variants.push(Variant {
            name: name.clone(),
            mask: mask.to_vec(),
            answers,
            demands,
            calls: Vec::new(),
            waiting: Vec::new(),
            asked: false,
        });
        Ok(self.variants.len() - 1)
    }

    fn compile_variant(&mut self, env: &Env<'s>, at: usize, policy: Policy) -> Result<(), Error> {
        let Some(variant) = self.variants.get(at) else { return Ok(()) };
        let (name, mask) = (variant.name.clone(), variant.mask.clone());
        let bodies = self.bodies(env, &name, &mask)?;
        if self.compile_walk(env, at)? {
            return Ok(());
        }
        for body in &bodies {
            self.compile_rule(env, at, body, policy).map_err(|e| e.at(&body.rule.place))?;
        }
        Ok(())
    }

    /// The rules of a name, asked with these arguments bound.
    pub(super) fn bodies(
        &self,
        env: &Env<'s>,
        name: &Symbol,
        mask: &[bool],
    ) -> Result<Vec<Body>, Error> {
        let mut bodies = Vec::new();
        for rule in env.program.rules(name) {
            for place in &rule.required {
                if mask.get(*place) == Some(&false) {
                    let var = rule.head.get(*place).and_then(Term::var).unwrap_or(0);
                    let variables = vec![rule.names.get(var).to_owned()];
                    return Err(
                        Error::new(ErrorKind::Unbound { variables, nearest: None }).at(&rule.place)
                    );
                }
            }
            if rule.head.contains(&Term::Blank) {
                return Err(Error::syntax("a rule's head has no _").at(&rule.place));
            }
            self.resolve_ors(env, rule, &mut bodies)?;
        }
        self.straighten(env, &mut bodies, name);
        Ok(bodies)
    }

    /// Whether a clause calls a rule of this component.
    pub(super) fn is_inner(&self, env: &Env<'s>, clause: &Clause) -> Result<bool, Error> {
        let ClauseKind::Call { rule, source, .. } = &clause.kind else { return Ok(false) };
        if env.program.component(rule) != Some(self.number) {
            return Ok(false);
        }
        if source.resolve(self.source) != self.source {
            let message = "a rule cannot depend on itself on another source";
            return Err(Error::syntax(message).at(&clause.place));
        }
        Ok(true)
    }

    /// Splits a rule into one for each branch of every `or` that calls this component: what recurs
    /// must stand in the body itself.
    fn resolve_ors(&self, env: &Env<'s>, rule: &Rule, into: &mut Vec<Body>) -> Result<(), Error> {
        let mut open = vec![rule.body.clone()];
        let limit = into.len() + BRANCHES_MAX;
        while let Some(clauses) = open.pop() {
            let mut recursive = None;
            for (at, clause) in clauses.iter().enumerate() {
                if matches!(clause.kind, ClauseKind::Or { .. }) && self.recurs(env, clause)? {
                    recursive = Some(at);
                    break;
                }
            }
            let split = recursive.and_then(|at| clauses.get(at).map(|clause| (at, &clause.kind)));
            let Some((at, ClauseKind::Or { branches, .. })) = split else {
                into.push(Body { rule: rule.clone(), clauses });
                if into.len() > limit {
                    let message = format!("the ors of a rule make over {BRANCHES_MAX} branches");
                    return Err(Error::syntax(message).at(&rule.place));
                }
                continue;
            };
            for branch in branches.iter().rev() {
                let mut one = clauses.clone();
                one.splice(at..=at, branch.iter().cloned());
                open.push(one);
            }
        }
        Ok(())
    }

    fn recurs(&self, env: &Env<'s>, clause: &Clause) -> Result<bool, Error> {
        match &clause.kind {
            ClauseKind::Call { .. } => self.is_inner(env, clause),
            ClauseKind::Or { branches, .. } => {
                for clause in branches.iter().flatten() {
                    if self.recurs(env, clause)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    fn scope<'p>(&self, env: &'p Env<'s>, names: &'p Names, clauses: &[Clause]) -> Scope<'p, 's> {
        Scope::new(env, names, self.source, env.entities(clauses, self.source))
    }

    /// A term of a head or call: constants in the place of an entity become references.
    fn term(&self, env: &Env<'s>, name: &Symbol, at: usize, term: &Term) -> Result<Term, Error> {
        let Term::Const(value) = term else { return Ok(term.clone()) };
        let Some(of) = env.program.entity_param(name, self.source, at) else {
            return Ok(term.clone());
        };
        let word = env.entity(of, env.space.word(value)?)?;
        Ok(Term::Const(env.space.value(word)?))
    }

    /// Terms in the order of a variant's columns; only the bound ones for demands.
    fn terms(
        &self,
        env: &Env<'s>,
        name: &Symbol,
        mask: &[bool],
        terms: &[Term],
        bound: Option<bool>,
    ) -> Result<Vec<Term>, Error> {
        let mut places = layout(mask);
        places.retain(|at| bound.is_none_or(|bound| mask.get(*at) == Some(&bound)));
        self.terms_at(env, name, terms, &places)
    }

    /// The terms of a head or call at some places.
    pub(super) fn terms_at(
        &self,
        env: &Env<'s>,
        name: &Symbol,
        terms: &[Term],
        places: &[usize],
    ) -> Result<Vec<Term>, Error> {
        let term = |at: &usize| self.term(env, name, *at, terms.get(*at).unwrap_or(&Term::Blank));
        places.iter().map(term).collect()
    }

    fn compile_rule(
        &mut self,
        env: &Env<'s>,
        at: usize,
        body: &Body,
        policy: Policy,
    ) -> Result<(), Error> {
        let Some(variant) = self.variants.get(at) else { return Ok(()) };
        let (name, mask) = (variant.name.clone(), variant.mask.clone());
        let (answers, demands) = (variant.answers, variant.demands);
        let names = body.rule.names.clone();
        let place = &body.rule.place;
        let head = &body.rule.head;
        let demand = match demands {
            Some(relation) => {
                let terms = self.terms(env, &name, &mask, head, Some(true))?;
                Some(derived(relation, terms, place))
            }
            None => None,
        };
        let order = self.sideways(env, body, demand.as_ref())?;
        // Calls of the component become reads of the called variant's answers.
        let mut done: Vec<Clause> = Vec::new();
        let mut lowered: Vec<Option<Clause>> = vec![None; body.clauses.len()];
        for (number, bound) in order {
            let Some(clause) = body.clauses.get(number) else { continue };
            let ClauseKind::Call { rule, terms, .. } = &clause.kind else {
                done.push(clause.clone());
                continue;
            };
            if !self.is_inner(env, clause)? {
                done.push(clause.clone());
                continue;
            }
            let is_bound = |term: &Term| match term {
                Term::Var(var) => bound.contains(var),
                Term::Const(_) => true,
                Term::Blank => false,
            };
            let called: Vec<bool> =
                terms.iter().map(|term| policy == Policy::Bound && is_bound(term)).collect();
            let callee = self.add_variant(rule, &called)?;
            if let Some(variant) = self.variants.get_mut(at) {
                variant.calls.push(callee);
            }
            let Some(callee) = self.variants.get(callee) else { continue };
            let (callee_answers, callee_demands) = (callee.answers, callee.demands);
            if let Some(relation) = callee_demands {
                let asked = self.terms(env, rule, &called, terms, Some(true))?;
                let before: Vec<Clause> = demand.iter().chain(&done).cloned().collect();
                let same = match before.as_slice() {
                    [Clause { kind: ClauseKind::Derived { relation: r, terms: t }, .. }] => {
                        *r == relation && *t == asked
                    }
                    _ => false,
                };
                if !same {
                    self.flatten(env, at, &names, relation, &asked, &before, &clause.place)?;
                }
            }
            let terms = self.terms(env, rule, &called, terms, None)?;
            let read = derived(callee_answers, terms, &clause.place);
            if let Some(slot) = lowered.get_mut(number) {
                *slot = Some(read.clone());
            }
            done.push(read);
        }
        let all: Vec<Clause> = demand
            .into_iter()
            .chain(
                body.clauses.iter().zip(lowered).map(|(clause, low)| low.unwrap_or(clause.clone())),
            )
            .collect();
        let head = self.terms(env, &name, &mask, head, None)?;
        self.flatten(env, at, &names, answers, &head, &all, place)
    }

    /// The order in which a body is done from its demand, and what is bound before each clause.
    fn sideways(
        &self,
        env: &Env<'s>,
        body: &Body,
        demand: Option<&Clause>,
    ) -> Result<Vec<(usize, BTreeSet<Var>)>, Error> {
        let mut goals = Vec::new();
        for clause in &body.clauses {
            goals.push(match &clause.kind {
                ClauseKind::Call { terms, .. } if self.is_inner(env, clause)? => {
                    derived(terms.len(), terms.clone(), &clause.place)
                }
                _ => clause.clone(),
            });
        }
        if !goals.iter().any(|goal| matches!(goal.kind, ClauseKind::Derived { .. })) {
            return Ok((0..goals.len()).map(|at| (at, BTreeSet::new())).collect());
        }
        // Relations that stand for calls not yet compiled: the width is their number.
        let nothing: Shared = Rc::new(RefCell::new(Box::new(Nothing)));
        let stand_in = |width: usize, _: &[usize]| (nothing.clone(), 0, (0..width).collect());
        let mut scope = self.scope(env, &body.rule.names, &body.clauses);
        scope.orders = Some(&stand_in);
        let bound: BTreeSet<Var> = demand.into_iter().flat_map(Clause::vars).collect();
        let goals: Vec<&Clause> = goals.iter().collect();
        let mut planner = Planner::new(&scope, &goals, &bound, &BTreeSet::new());
        planner.run()?;
        Ok(planner.trace)
    }

    /// Adds a flat rule for each of the body's relations of this component.
    #[allow(clippy::too_many_arguments, reason = "a flat rule is all of these, once")]
    pub(super) fn flatten(
        &mut self,
        env: &Env<'s>,
        variant: usize,
        names: &Names,
        head: usize,
        terms: &[Term],
        body: &[Clause],
        place: &Arc<Place>,
    ) -> Result<(), Error> {
        let drivers: Vec<usize> = (0..body.len())
            .filter(|at| matches!(body.get(*at).map(|c| &c.kind), Some(ClauseKind::Derived { .. })))
            .collect();
        let drivers: Vec<Option<usize>> =
            if drivers.is_empty() { vec![None] } else { drivers.into_iter().map(Some).collect() };
        for driver in drivers {
            let rule = self
                .flat_rule(env, names, head, terms, body, driver)
                .map_err(|error| error.at(place))?;
            let number = self.rules.len();
            if rule.driver.is_none()
                && let Some(variant) = self.variants.get_mut(variant)
            {
                variant.waiting.push(number);
            }
            self.rules.push(Rc::new(rule));
        }
        Ok(())
    }

    fn flat_rule(
        &self,
        env: &Env<'s>,
        names: &Names,
        head: usize,
        terms: &[Term],
        body: &[Clause],
        driver: Option<usize>,
    ) -> Result<FlatRule<'s>, Error> {
        let orders = |relation: usize, columns: &[usize]| {
            let shared = self.relation_at(relation);
            let mut iteration = self.iteration.borrow_mut();
            let order = shared.borrow_mut().order(&mut iteration, columns);
            let sequence = shared.borrow().columns(order);
            (shared, order, sequence)
        };
        let mut scope = self.scope(env, names, body);
        scope.orders = Some(&orders);
        let first = driver.and_then(|at| body.get(at));
        let rest: Vec<&Clause> =
            body.iter().enumerate().filter(|(at, _)| Some(*at) != driver).map(|(_, c)| c).collect();
        let wanted: BTreeSet<Var> = terms.iter().filter_map(Term::var).collect();
        let mut bound = BTreeSet::new();
        let (mut fills, mut checks, mut relation) = (Vec::new(), Vec::new(), None);
        if let Some(Clause { kind: ClauseKind::Derived { relation: of, terms }, .. }) = first {
            relation = Some(*of);
            for (column, term) in terms.iter().enumerate() {
                match term {
                    Term::Var(var) if bound.insert(*var) => fills.push((column, *var)),
                    Term::Var(var) => checks.push((column, Cell::Slot(*var))),
                    Term::Const(value) => {
                        checks.push((column, Cell::Const(env.space.word(value)?)));
                    }
                    Term::Blank => {}
                }
            }
        }
        let mut planner = Planner::new(&scope, &rest, &bound, &wanted);
        planner.run()?;
        let plan = planner.finish();
        let mut cells = Vec::new();
        for term in terms {
            cells.push(match term {
                Term::Var(var) => Cell::Slot(*var),
                Term::Const(value) => Cell::Const(env.space.word(value)?),
                Term::Blank => return Err(Error::syntax("a rule is asked with _ bound")),
            });
        }
        let tools = Tools::new(env, &plan, &self.relations)?;
        Ok(FlatRule { driver: relation, fills, checks, plan, tools, head, cells })
    }

    /// `p(x, y) :- p(x, t), p(t, y)` beside rules that do not recur is the closure of these, and so
    /// is `p(x, y) :- p(x, t), base(t, y)`, which does not derive each row in as many ways as there
    /// are places to cut it.
    fn straighten(&self, env: &Env<'s>, bodies: &mut Vec<Body>, name: &Symbol) {
        let recurs = |body: &Body| {
            body.clauses.iter().any(|clause| self.is_inner(env, clause).unwrap_or(true))
        };
        let (recursive, base): (Vec<&Body>, Vec<&Body>) = bodies.iter().partition(|b| recurs(b));
        if recursive.is_empty() || !recursive.iter().all(|body| doubles(body, name)) {
            return;
        }
        let mut straight = Vec::new();
        for body in base {
            let mut rule = body.rule.clone();
            let [from, to] = rule.head.as_slice() else { return };
            let (from, to) = (from.clone(), to.clone());
            let start = Term::Var(rule.names.add("?start"));
            rule.head = vec![start.clone(), to];
            let terms = vec![start, from];
            let kind = ClauseKind::Call { rule: name.clone(), source: SourceRef::Default, terms };
            let mut clauses = body.clauses.clone();
            clauses.push(Clause { kind, place: rule.place.clone() });
            straight.push(Body { rule, clauses });
        }
        bodies.retain(|body| !recurs(body));
        bodies.append(&mut straight);
    }
}

/// Whether a body is `p(x, t), p(t, y)` for the head `p(x, y)`.
fn doubles(body: &Body, name: &Symbol) -> bool {
    let call = |clause: &Clause| match &clause.kind {
        ClauseKind::Call { rule, terms, .. } if rule == name => {
            match terms.iter().map(Term::var).collect::<Vec<_>>().as_slice() {
                [Some(from), Some(to)] => Some((*from, *to)),
                _ => None,
            }
        }
        _ => None,
    };
    let ([Term::Var(x), Term::Var(y)], [first, second]) =
        (body.rule.head.as_slice(), body.clauses.as_slice())
    else {
        return false;
    };
    let (Some(first), Some(second)) = (call(first), call(second)) else { return false };
    let joins = |(a, t): (Var, Var), (u, b): (Var, Var)| {
        a == *x && b == *y && t == u && t != *x && t != *y && x != y
    };
    joins(first, second) || joins(second, first)
}

pub(super) fn derived(relation: usize, terms: Vec<Term>, place: &Arc<Place>) -> Clause {
    Clause { kind: ClauseKind::Derived { relation, terms }, place: place.clone() }
}
