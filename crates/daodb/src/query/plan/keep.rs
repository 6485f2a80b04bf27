//! Comparisons that a pattern's step takes in, so that rows they refuse are never made.

use std::sync::Arc;

use super::super::ast::{Arg, Binding, Clause, ClauseKind, Var};
use super::super::column::By;
use super::super::error::{Error, Place};
use super::super::function::Comparison;
use super::super::step::{Keep, Part};
use super::Planner;
use super::pattern::{Facts, Slot};

/// The share of rows that a comparison keeps, by want of knowledge.
const KEPT: f64 = 0.4;

impl<'s> Planner<'_, '_, 's> {
    /// The variable that the step of a pattern finds last, if it can compare what it finds: the value, or
    /// the entity where the value is given.
    fn found(&self, facts: &Facts<'s>) -> Option<Var> {
        let (var, by) = match (facts.slot(Part::Entity), facts.slot(Part::Value)) {
            (Slot::Free(e), Slot::Free(v)) if e == v => return None,
            (Slot::Free(_) | Slot::Fixed(_), Slot::Free(value)) => (value, By::Entity),
            (Slot::Free(entity), Slot::Fixed(_)) => (entity, By::Value),
            _ => return None,
        };
        self.side(facts, by).map(|_| var)
    }

    /// What a clause says of a variable and something that is bound before.
    fn compares<'c>(&self, clause: &'c Clause, var: Var) -> Option<(Comparison, &'c Arg)> {
        let ClauseKind::Function { function, args, binding: None::<Binding> } = &clause.kind else {
            return None;
        };
        let comparison = function.builtin()?.comparison()?;
        let is_var = |arg: &Arg| matches!(arg, Arg::Var(other) if *other == var);
        let is_bound = |arg: &Arg| match arg {
            Arg::Var(other) => self.bound.contains(other),
            Arg::Const(_) => true,
            Arg::Source(_) => false,
        };
        match args.as_slice() {
            [left, right] if is_var(left) && is_bound(right) => Some((comparison, right)),
            [left, right] if is_var(right) && is_bound(left) => Some((comparison.turned(), left)),
            _ => None,
        }
    }

    /// The share of a pattern's facts that comparisons keep.
    pub(super) fn kept(&self, facts: &Facts<'s>) -> f64 {
        let Some(var) = self.found(facts) else { return 1.0 };
        let clauses = self.left.iter().map(|(_, clause)| clause);
        let count = clauses.filter(|clause| self.compares(clause, var).is_some()).count();
        KEPT.powi(i32::try_from(count).unwrap_or(i32::MAX))
    }

    /// Takes the comparisons with what a pattern finds out of the clauses that are left. `at` stays the
    /// pattern's place.
    pub(super) fn absorb(
        &mut self,
        facts: &Facts<'s>,
        at: &mut usize,
        places: &mut Vec<Arc<Place>>,
    ) -> Result<Vec<Keep>, Error> {
        let mut keep = Vec::new();
        let Some(var) = self.found(facts) else { return Ok(keep) };
        let mut next = 0;
        while let Some(&(number, clause)) = self.left.get(next) {
            let Some((comparison, arg)) = self.compares(clause, var) else {
                next += 1;
                continue;
            };
            let cell = match arg {
                Arg::Var(var) => self.var_cell(*var),
                Arg::Const(value) => {
                    self.scope.constant(value).map_err(|error| error.at(&clause.place))?
                }
                Arg::Source(_) => break,
            };
            keep.push(Keep { comparison, cell });
            places.push(clause.place.clone());
            self.left.remove(next);
            *at -= usize::from(next < *at);
            let mut bound = self.bound.clone();
            bound.insert(var);
            self.trace.push((number, bound));
        }
        Ok(keep)
    }
}
