//! What one run of a plan reads its sources through: cursors, columns, relations, graphs.
//!
//! 1. A plan's tools stand in the order of its steps; those of the plans inside a step stand inside it.
//! 2. Tools belong to one run on one thread. The plan they are for is read only.

use std::cell::{Cell as Count, RefCell};
use std::rc::Rc;

use super::demand::{self, Component};
use super::env::{Env, Sorted};
use super::error::Error;
use super::pairs::Pairs;
use super::plan::Shared;
use super::search::Graph;
use super::source::Reader;
use super::step::{Action, Plan, Side, Step};
use crate::index::Index;

/// The tools of a plan, one for each step.
pub(crate) struct Tools<'s>(Vec<Tool<'s>>);

/// The tool of one step, and what it did.
pub(crate) struct Tool<'s> {
    /// Rows made so far.
    pub(crate) rows: Count<u64>,
    /// Nanoseconds spent in the step and those behind it, where that is measured.
    pub(crate) spent_ns: Count<u64>,
    pub(crate) kind: Kind<'s>,
}

pub(crate) enum Kind<'s> {
    /// The step needs nothing but its rows.
    Bare,
    Index(Box<RefCell<Reader<'s>>>),
    /// The facts of an attribute in the order of values, sorted when first asked for.
    Sorted(RefCell<Option<Sorted>>),
    Side(Box<RefCell<Pairs<'s>>>),
    Sides(RefCell<Vec<Pairs<'s>>>),
    Relation(Shared),
    Rule(Rule<'s>),
    Graph(Rc<Graph<'s>>),
    Inner(Vec<Tools<'s>>),
}

/// A variant of a rule, and its answers.
pub(crate) struct Rule<'s> {
    pub(crate) component: Rc<RefCell<Component<'s>>>,
    pub(crate) variant: usize,
    pub(crate) answers: Shared,
}

impl<'s> Tools<'s> {
    /// The tools of a plan; `relations` are those of the component that it is of.
    pub(crate) fn new(
        env: &Env<'s>,
        plan: &Plan,
        relations: &[Shared],
    ) -> Result<Tools<'s>, Error> {
        let tool = |action| {
            let kind = kind(env, action, relations)?;
            Ok(Tool { rows: Count::new(0), spent_ns: Count::new(0), kind })
        };
        plan.steps.iter().map(|step| tool(&step.action)).collect::<Result<_, Error>>().map(Tools)
    }

    /// The tools of all steps but the first, which is done without.
    pub(crate) fn behind_first(env: &Env<'s>, plan: &Plan) -> Result<Tools<'s>, Error> {
        let tool = |(at, step): (usize, &Step)| {
            let kind = if at == 0 { Kind::Bare } else { kind(env, &step.action, &[])? };
            Ok(Tool { rows: Count::new(0), spent_ns: Count::new(0), kind })
        };
        plan.steps.iter().enumerate().map(tool).collect::<Result<_, Error>>().map(Tools)
    }

    pub(crate) fn all(&self) -> &[Tool<'s>] {
        &self.0
    }
}

impl<'s> Tool<'s> {
    /// The tools of a plan inside the step.
    pub(crate) fn inner(&self, at: usize) -> Result<&Tools<'s>, Error> {
        match &self.kind {
            Kind::Inner(inner) => inner.get(at).ok_or_else(misplaced),
            _ => Err(misplaced()),
        }
    }
}

/// A tool of another kind than its step: a fault of this program.
#[cold]
pub(crate) fn misplaced() -> Error {
    Error::storage("a step of a plan without its tool")
}

fn kind<'s>(env: &Env<'s>, action: &Action, relations: &[Shared]) -> Result<Kind<'s>, Error> {
    Ok(match action {
        Action::Scan(scan) if scan.by_value.is_some() => Kind::Sorted(RefCell::new(None)),
        Action::Scan(scan) => {
            let source = env.facts(scan.at).ok_or_else(misplaced)?;
            Kind::Index(Box::new(RefCell::new(source.reader(scan.index, scan.attribute()))))
        }
        Action::All(all) if all.ranged => {
            let source = env.facts(all.side.at).ok_or_else(misplaced)?;
            Kind::Index(Box::new(RefCell::new(source.reader(Index::Avet, None))))
        }
        Action::All(all) => Kind::Side(Box::new(RefCell::new(pairs(env, all.side)?))),
        Action::Follow(follow) => Kind::Side(Box::new(RefCell::new(pairs(env, follow.side)?))),
        Action::Meet(meet) => {
            let sides = meet.members.iter().map(|(side, _)| pairs(env, *side));
            Kind::Sides(RefCell::new(sides.collect::<Result<_, _>>()?))
        }
        Action::Probe(probe) => {
            Kind::Relation(relations.get(probe.relation).cloned().ok_or_else(misplaced)?)
        }
        Action::Call(call) => {
            let component = demand::component(env, &call.rule, call.at)?;
            let variant = demand::variant(env, &component, &call.rule, &call.mask)?;
            let answers = component.borrow().relation(variant);
            Kind::Rule(Rule { component, variant, answers })
        }
        Action::Search(search) => {
            let closure = super::closure::closure(env, &search.rule, search.at);
            let graph = closure.ok_or_else(misplaced)?.graph(env, search.backward)?;
            Kind::Graph(graph.ok_or_else(misplaced)?)
        }
        Action::Not { plan, .. } => Kind::Inner(vec![Tools::new(env, plan, relations)?]),
        Action::Or(plans) => {
            let inner = plans.iter().map(|plan| Tools::new(env, plan, relations));
            Kind::Inner(inner.collect::<Result<_, _>>()?)
        }
        Action::Nothing
        | Action::Find(_)
        | Action::Compare { .. }
        | Action::Apply(_)
        | Action::Consult(_) => Kind::Bare,
    })
}

fn pairs<'s>(env: &Env<'s>, side: Side) -> Result<Pairs<'s>, Error> {
    let source = env.facts(side.at).ok_or_else(misplaced)?;
    let attribute = source.attribute(side.attribute).ok_or_else(misplaced)?;
    Pairs::new(source, attribute, side.by, env.watch.clone()).ok_or_else(misplaced)
}
