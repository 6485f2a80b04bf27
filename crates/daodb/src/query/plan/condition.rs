//! Functions, `not`, `or` and rule calls: when they can run, and the steps they become.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::super::ast::{Arg, Binding, Clause, ClauseKind, Term, Var};
use super::super::callee::{Callable, Callee};
use super::super::closure::closure;
use super::super::demand;
use super::super::error::{Error, ErrorKind};
use super::super::search::Graph;
use super::super::step::{Action, Apply, ArgCell, Call, Cell, Consult, Plan, Search, Take};
use super::{Planner, plan, repeats};

impl<'s> Planner<'_, '_, 's> {
    /// The cost of a clause that is no pattern; `None` while it cannot run.
    pub(super) fn dear_cost(&self, clause: &Clause) -> Result<Option<f64>, Error> {
        let ready = |vars: &[Var]| vars.iter().all(|var| self.bound.contains(var));
        match &clause.kind {
            ClauseKind::Function { args, binding, .. } => {
                let needs = args.iter().filter_map(|arg| match arg {
                    Arg::Var(var) => Some(*var),
                    _ => None,
                });
                if !ready(&needs.collect::<Vec<_>>()) {
                    return Ok(None);
                }
                Ok(Some(match binding {
                    None => 0.01,
                    Some(binding) if binding.collects() => 8.0,
                    Some(_) => 0.05,
                }))
            }
            ClauseKind::Not { clauses, join } => {
                let join = self.not_join(clause, join.as_deref(), clauses)?;
                Ok(ready(&join).then_some(0.1))
            }
            ClauseKind::Or { branches, join, required } => {
                if !ready(required) {
                    return Ok(None);
                }
                let mut cost = 0.0;
                for branch in branches {
                    match self.branch(branch, join) {
                        Ok(plan) => cost += plan.estimate(),
                        Err(error) if waits(&error) => return Ok(None),
                        Err(error) => return Err(error),
                    }
                }
                Ok(Some(cost))
            }
            ClauseKind::Call { rule, source, terms } => {
                let at = source.resolve(self.scope.default);
                let mask = self.mask(terms);
                let env = self.scope.env;
                if let Some(graph) = self.graph(rule, at, &mask)? {
                    return Ok(Some(match mask.as_slice() {
                        [true, true] => 0.6,
                        [false, false] => (8.0 * graph.estimate()).max(64.0),
                        _ => 30.0,
                    }));
                }
                match demand::component(env, rule, at)
                    .and_then(|c| demand::variant(env, &c, rule, &mask))
                {
                    Ok(_) => {}
                    Err(error) if waits(&error) => return Ok(None),
                    Err(error) => return Err(error),
                }
                let bound = mask.iter().filter(|bound| **bound).count();
                Ok(Some(match bound {
                    0 => 1e5,
                    all if all == terms.len() => 0.6,
                    _ => 30.0,
                }))
            }
            _ => Ok(None),
        }
    }

    /// The graph that a call searches, if its rule is a closure.
    fn graph(
        &self,
        rule: &datom::Symbol,
        at: usize,
        mask: &[bool],
    ) -> Result<Option<Rc<Graph<'s>>>, Error> {
        let env = self.scope.env;
        let Some(closure) = closure(env, rule, at) else { return Ok(None) };
        let graph = closure.graph(env, is_backward(mask))?;
        Ok(graph.filter(|graph| mask != [false, false] || graph.is_enumerable()))
    }

    /// Which places of a call are bound.
    fn mask(&self, terms: &[Term]) -> Vec<bool> {
        terms.iter().map(|term| self.cell(term).is_some()).collect()
    }

    /// The variables a `not` shares with what stands beside it.
    fn not_join(
        &self,
        clause: &Clause,
        join: Option<&[Var]>,
        clauses: &[Clause],
    ) -> Result<Vec<Var>, Error> {
        if let Some(join) = join {
            return Ok(join.to_vec());
        }
        let mut vars: Vec<Var> = clauses.iter().flat_map(Clause::vars).collect();
        vars.sort_unstable();
        vars.dedup();
        let shared: Vec<Var> =
            vars.iter().copied().filter(|var| self.producible.contains(var)).collect();
        if shared.is_empty() && !vars.is_empty() {
            return Err(self.unbound(&vars).at(&clause.place));
        }
        Ok(shared)
    }

    fn branch(&self, clauses: &[Clause], join: &[Var]) -> Result<Plan, Error> {
        let bound: BTreeSet<Var> =
            join.iter().copied().filter(|var| self.bound.contains(var)).collect();
        let wanted: BTreeSet<Var> = join.iter().copied().collect();
        plan(self.scope, clauses, &bound, &wanted)
    }

    pub(super) fn condition(&self, at: usize, clause: &Clause) -> Result<Action, Error> {
        match &clause.kind {
            ClauseKind::Function { function, args, binding } => {
                self.function(at, function, args, binding.as_ref())
            }
            ClauseKind::Not { clauses, join } => {
                let join = self.not_join(clause, join.as_deref(), clauses)?;
                let scope = self.scope;
                let depth = scope.depth.get();
                scope.hidden.set(scope.hidden.get().max(depth + 1));
                scope.depth.set(depth + 1);
                let bound = join.into_iter().collect();
                let plan = plan(scope, clauses, &bound, &BTreeSet::new());
                scope.depth.set(depth);
                Ok(Action::Not { plan: plan?, slot: scope.names.len() + depth })
            }
            ClauseKind::Or { branches, join, .. } => {
                let plans = branches.iter().map(|branch| self.branch(branch, join));
                Ok(Action::Or(plans.collect::<Result<_, _>>()?))
            }
            ClauseKind::Call { rule, source, terms } => {
                let source = source.resolve(self.scope.default);
                self.call(at, rule, source, terms)
            }
            _ => Err(Error::storage("a clause out of place")),
        }
    }

    fn call(
        &self,
        at: usize,
        rule: &datom::Symbol,
        source: usize,
        terms: &[Term],
    ) -> Result<Action, Error> {
        let env = self.scope.env;
        let mask = self.mask(terms);
        let mut fixed = Vec::new();
        for (place, term) in terms.iter().enumerate() {
            match term {
                Term::Const(value) => {
                    self.scope.constant(value)?;
                    let mut word = env.space.word(value)?;
                    if let Some(of) = env.program.entity_param(rule, source, place) {
                        word = env.entity(of, word)?;
                    }
                    fixed.push((place, Cell::Const(word)));
                }
                Term::Var(var) if self.bound.contains(var) => {
                    fixed.push((place, self.var_cell(*var)));
                }
                _ => {}
            }
        }
        if self.graph(rule, source, &mask)?.is_some()
            && let [from, to] = terms
        {
            let read = |term: &Term| {
                let free = term.var().filter(|var| !self.bound.contains(var));
                free.filter(|var| self.is_read(*var, at) || repeats(terms, *var))
            };
            let cell = |place| fixed.iter().find(|(at, _)| *at == place).map(|(_, cell)| *cell);
            let same = from.var().is_some() && from.var() == to.var();
            let (ends, fills) = ([cell(0), cell(1)], [read(from), read(to)]);
            let (rule, backward) = (rule.clone(), is_backward(&mask));
            return Ok(Action::Search(Search { rule, at: source, backward, ends, fills, same }));
        }
        let sequence = demand::layout(&mask);
        let probe = self.probe_by(at, 0, 0, &sequence, terms, &fixed);
        let demand = fixed.iter().map(|(_, cell)| *cell).collect();
        Ok(Action::Call(Call { rule: rule.clone(), at: source, mask, demand, probe }))
    }

    fn function(
        &self,
        at: usize,
        function: &Callee,
        args: &[Arg],
        binding: Option<&Binding>,
    ) -> Result<Action, Error> {
        let env = self.scope.env;
        let takes = self.binding_takes(at, binding);
        let cells = |args: &[Arg]| -> Result<Vec<ArgCell>, Error> {
            args.iter()
                .map(|arg| match arg {
                    Arg::Var(var) => Ok(ArgCell::Cell(self.var_cell(*var))),
                    Arg::Const(value) => Ok(ArgCell::Value(value.clone())),
                    Arg::Source(_) => Err(Error::syntax("takes no source")),
                })
                .collect()
        };
        let builtin = match function {
            Callee::Builtin(builtin) => *builtin,
            Callee::Stored(name) => {
                let [Arg::Source(source), args @ ..] = args else {
                    return Err(Error::storage("a function without its database"));
                };
                let function = env.stored(source.resolve(self.scope.default), name)?;
                self.scope.lasting.set(false);
                let function = Callable::Stored(function);
                let (args, binding) = (cells(args)?, binding.cloned());
                return Ok(Action::Apply(Apply { function, args, binding, takes }));
            }
        };
        let function = Callable::Builtin(builtin);
        if let Some(lookup) = builtin.lookup() {
            let [Arg::Source(source), entity, rest @ ..] = args else {
                return Err(Error::syntax("takes a source, an entity and attributes"));
            };
            let source_at = source.resolve(self.scope.default);
            let source = env.source(*source, self.scope.default)?;
            let cell = |arg: &Arg| match arg {
                Arg::Var(var) => Ok(self.var_cell(*var)),
                Arg::Const(value) => self.scope.constant(value),
                Arg::Source(_) => Err(Error::syntax("takes one source")),
            };
            let get_else = lookup == super::super::function::Lookup::GetElse;
            let (names, default) = match rest {
                [name, default] if get_else => {
                    let nil = matches!(default, Arg::Const(datom::Value::Nil));
                    if nil {
                        return Err(Error::new(ErrorKind::Function {
                            function: "get-else".to_owned(),
                            message: "nil cannot be the default".to_owned(),
                        }));
                    }
                    (std::slice::from_ref(name), Some(cell(default)?))
                }
                names => (names, None),
            };
            let mut attributes = Vec::new();
            for name in names {
                let Arg::Const(name) = name else {
                    return Err(Error::syntax("takes attributes by name"));
                };
                attributes.push((super::pattern::known(source, name)?.id, name.clone()));
            }
            let apply = Apply { function, args: Vec::new(), binding: binding.cloned(), takes };
            let entity = cell(entity)?;
            return Ok(Action::Consult(Consult {
                at: source_at,
                lookup,
                entity,
                attributes,
                default,
                apply,
            }));
        }
        if let (Some(comparison), [left, right], None) = (builtin.comparison(), args, binding) {
            let cell = |arg: &Arg| match arg {
                Arg::Var(var) => Ok(self.var_cell(*var)),
                Arg::Const(value) => self.scope.constant(value),
                Arg::Source(_) => Err(Error::syntax("takes no source")),
            };
            return Ok(Action::Compare { comparison, left: cell(left)?, right: cell(right)? });
        }
        Ok(Action::Apply(Apply { function, args: cells(args)?, binding: binding.cloned(), takes }))
    }

    /// What becomes of each variable of a binding.
    fn binding_takes(&self, at: usize, binding: Option<&Binding>) -> Vec<(usize, Take)> {
        let mut vars = Vec::new();
        if let Some(binding) = binding {
            binding.vars(&mut vars);
        }
        let mut filled = BTreeSet::new();
        let mut takes = Vec::new();
        for (place, var) in vars.iter().enumerate() {
            let entity = self.scope.entities.get(var).copied();
            if self.bound.contains(var) {
                takes.push((place, Take::Check { cell: self.var_cell(*var), entity }));
            } else if !filled.insert(*var) {
                takes.push((place, Take::Check { cell: Cell::Slot(*var), entity }));
            } else if self.is_read(*var, at) || vars.iter().filter(|v| *v == var).count() > 1 {
                takes.push((place, Take::Fill { slot: *var, entity }));
            }
        }
        takes
    }
}

/// Whether a call of a closure with these arguments bound goes against the edges.
fn is_backward(mask: &[bool]) -> bool {
    mask == [false, true]
}

/// Whether an error only says that more must be bound first.
pub(crate) fn waits(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unbound { .. })
}
