//! Rules that end in a call: walked, where a recursion would keep an answer for every step on the way.
//!
//! A rule whose one call inside the component hands its unbound arguments on as they are, and reads them
//! nowhere else, goes on to the rule it calls and never comes back: what that one answers are its own
//! answers. Where every rule that is reached so has this form, be it one that calls itself or several that
//! call each other, a demand is the start of a *walk* over *stops*. A stop is a rule, and which of its
//! arguments are the unbound ones of the start. Each stop has a relation of pairs: the bound arguments
//! that the walk started with, and those it is at.
//!
//! * `stop(start, start) :- demand(start)` for the first stop;
//! * `next stop(start, bound arguments of the call) :- stop(start, bound head), body without the call`;
//! * `answers(start, unbound head) :- stop(start, bound head), body` for a rule without such a call.
//!
//! 1. A start costs the places that it reaches, once for each stop, and not the square of them.
//! 2. A walk answers exactly what the recursion answers: its ways are the recursion's, from the start on.

use datom::Symbol;

use super::super::ast::{ClauseKind, Names, Term};
use super::super::env::Env;
use super::super::error::Error;
use super::super::plan::waits;
use super::Component;
use super::compile::{Body, derived};

/// Most stops of a walk. Rules that hand arguments on in more orders than this are left to the recursion.
const STOPS_MAX: usize = 64;

/// A rule on a walk.
struct Stop {
    name: Symbol,
    /// Where its head has what the start left unbound, in the order of the start.
    open: Vec<usize>,
    /// Its rules, each with the place of its call and the stop that this leads to.
    legs: Vec<(Body, Option<(usize, usize)>)>,
}

impl Stop {
    fn new(name: Symbol, open: Vec<usize>) -> Self {
        Self { name, open, legs: Vec::new() }
    }

    fn mask(&self, env: &Env<'_>) -> Vec<bool> {
        (0..env.program.arity(&self.name)).map(|place| !self.open.contains(&place)).collect()
    }

    /// The places of its head that are bound.
    fn bound(&self, env: &Env<'_>) -> Vec<usize> {
        let arity = env.program.arity(&self.name);
        (0..arity).filter(|place| !self.open.contains(place)).collect()
    }
}

impl<'s> Component<'s> {
    /// Compiles the variant as a walk; says whether its rules are of that form.
    pub(super) fn compile_walk(&mut self, env: &Env<'s>, at: usize) -> Result<bool, Error> {
        let Some(variant) = self.variants.get(at) else { return Ok(false) };
        let Some(demands) = variant.demands else { return Ok(false) };
        let (mask, answers) = (&variant.mask, variant.answers);
        let open = (0..mask.len()).filter(|place| mask.get(*place) == Some(&false)).collect();
        let Some(stops) = self.stops(env, Stop::new(variant.name.clone(), open))? else {
            return Ok(false);
        };
        let mark = self.mark();
        match self.lay(env, at, &stops, demands, answers) {
            // A call has an argument that nothing before it binds.
            Err(error) if waits(&error) => {
                self.reset(&mark);
                Ok(false)
            }
            done => done.map(|()| true),
        }
    }

    /// All stops of a walk, the given one first; `None` where a rule does something else than go on, or
    /// none goes on.
    fn stops(&self, env: &Env<'s>, first: Stop) -> Result<Option<Vec<Stop>>, Error> {
        let mut stops = vec![first];
        let (mut next, mut goes_on) = (0, false);
        while let Some(stop) = stops.get(next) {
            let bodies = match self.bodies(env, &stop.name, &stop.mask(env)) {
                Err(error) if waits(&error) => return Ok(None),
                bodies => bodies?,
            };
            let (open, mut legs) = (stop.open.clone(), Vec::new());
            for body in bodies {
                let call = match self.calls(env, &body)?.as_slice() {
                    [] => {
                        legs.push((body, None));
                        continue;
                    }
                    [call] => *call,
                    _ => return Ok(None),
                };
                let Some((name, open)) = handed_on(&body, call, &open) else { return Ok(None) };
                let known = stops.iter().position(|stop| stop.name == name && stop.open == open);
                let to = known.unwrap_or(stops.len());
                if known.is_none() {
                    stops.push(Stop::new(name, open));
                }
                legs.push((body, Some((call, to))));
                goes_on = true;
            }
            if stops.len() > STOPS_MAX {
                return Ok(None);
            }
            if let Some(stop) = stops.get_mut(next) {
                stop.legs = legs;
            }
            next += 1;
        }
        Ok(goes_on.then_some(stops))
    }

    /// The places of the calls inside the component.
    fn calls(&self, env: &Env<'s>, body: &Body) -> Result<Vec<usize>, Error> {
        let mut found = Vec::new();
        for (at, clause) in body.clauses.iter().enumerate() {
            if self.is_inner(env, clause)? {
                found.push(at);
            }
        }
        Ok(found)
    }

    /// Adds the relations of the stops, and the flat rules between them.
    fn lay(
        &mut self,
        env: &Env<'s>,
        variant: usize,
        stops: &[Stop],
        demands: usize,
        answers: usize,
    ) -> Result<(), Error> {
        let Some(first) = stops.first() else { return Ok(()) };
        let Some(place) = first.legs.first().map(|(body, _)| body.rule.place.clone()) else {
            return Ok(());
        };
        let keys = first.bound(env).len();
        let start = |names: &mut Names| -> Vec<Term> {
            (0..keys).map(|_| Term::Var(names.add("?start"))).collect()
        };
        let mut reached = Vec::with_capacity(stops.len());
        for stop in stops {
            reached.push(self.add_relation(keys + stop.bound(env).len())?);
        }
        let mut names = Names::default();
        let from = start(&mut names);
        let begin = [derived(demands, from.clone(), &place)];
        let both = [from.as_slice(), &from].concat();
        self.flatten(env, variant, &names, reached[0], &both, &begin, &place)?;
        for (stop, at) in stops.iter().zip(&reached) {
            for (body, call) in &stop.legs {
                let (head, place) = (&body.rule.head, &body.rule.place);
                let mut names = body.rule.names.clone();
                let from = start(&mut names);
                let here = self.terms_at(env, &stop.name, head, &stop.bound(env))?;
                let mut clauses = vec![derived(*at, [from.clone(), here].concat(), place)];
                let rest = body.clauses.iter().enumerate();
                let rest = rest.filter(|(at, _)| call.is_none_or(|(call, _)| call != *at));
                clauses.extend(rest.map(|(_, clause)| clause.clone()));
                let called = call.and_then(|(call, to)| {
                    let ClauseKind::Call { terms, .. } = &body.clauses.get(call)?.kind else {
                        return None;
                    };
                    Some((terms, stops.get(to)?, *reached.get(to)?))
                });
                let (into, terms) = match called {
                    Some((terms, stop, reached)) => {
                        (reached, self.terms_at(env, &stop.name, terms, &stop.bound(env))?)
                    }
                    None => (answers, self.terms_at(env, &stop.name, head, &stop.open)?),
                };
                let terms = [from, terms].concat();
                self.flatten(env, variant, &names, into, &terms, &clauses, place)?;
            }
        }
        Ok(())
    }
}

/// The rule that a body calls, and where its head has what the body's head has at `open`, if the call
/// hands just that on: each a variable that stands nowhere else, and whatever else is handed on has a name.
fn handed_on(body: &Body, call: usize, open: &[usize]) -> Option<(Symbol, Vec<usize>)> {
    let ClauseKind::Call { rule, terms, .. } = &body.clauses.get(call)?.kind else { return None };
    if terms.contains(&Term::Blank) {
        return None;
    }
    let is_once = |terms: &[Term], var| terms.iter().filter(|t| t.var() == Some(var)).count() == 1;
    let others = || body.clauses.iter().enumerate().filter(|(at, _)| *at != call);
    let head = &body.rule.head;
    let mut places = Vec::with_capacity(open.len());
    for place in open {
        let var = head.get(*place)?.var()?;
        let elsewhere = others().any(|(_, clause)| clause.vars().contains(&var));
        if elsewhere || !is_once(head, var) || !is_once(terms, var) {
            return None;
        }
        places.push(terms.iter().position(|term| term.var() == Some(var))?);
    }
    Some((rule.clone(), places))
}
