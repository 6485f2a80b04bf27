//! The planner: which clause next, and by which index.
//!
//! Greedy by cost. Conditions run as soon as their variables are bound; of the clauses that make
//! rows the one that is expected to make fewest comes next, by the counts that the index itself
//! keeps (exact for constants) and by how many facts stand under one entity or value on average.
//! Where several patterns have the same one variable free they become one leapfrog join.
//!
//! 1. The rows of a plan do not depend on the order in which clauses were written; only ties in
//!    cost are settled by it.
//! 2. A clause is planned only when everything it needs is bound; if none can be, the variables
//!    that nothing binds are named.

mod access;
mod condition;
mod keep;
mod pattern;

use std::cell::{Cell as Count, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use datom::Value;

pub(crate) use self::condition::waits;
pub(crate) use self::pattern::unknown_attribute;
use super::ast::{Arg, Clause, ClauseKind, Names, Term, Var};
use super::env::Env;
use super::error::{Error, ErrorKind, Place, nearest};
use super::plans::Guard;
use super::relation::Relation;
use super::step::{Action, At, Cell, Find, Plan, Probe, Step, Take};

/// Rows from which on it is looked further ahead than the next clause, where several cost the same, and how
/// many of these are looked at.
const TIED_ROWS_MIN: f64 = if cfg!(test) { 1.0 } else { 64.0 };
const TIED_MAX: usize = 16;

/// A relation of the component that is being compiled.
pub(crate) type Shared = Rc<RefCell<Box<dyn Relation>>>;

/// Makes an order of a relation: its number and its columns.
pub(crate) type MakeOrder<'m> = dyn Fn(usize, &[usize]) -> (Shared, usize, Vec<usize>) + 'm;

/// What planning a scope needs to know, the same for the plans inside it.
pub(crate) struct Scope<'p, 's> {
    pub(crate) env: &'p Env<'s>,
    pub(crate) names: &'p Names,
    /// What `$` means.
    pub(crate) default: usize,
    /// Variables that are entities.
    pub(crate) entities: HashMap<Var, usize>,
    /// Variables that have one word in the whole run.
    pub(crate) constants: HashMap<Var, u64>,
    /// How many `not`s are open around what is being planned, and at most were: each has a slot of
    /// its own behind those of the variables.
    pub(crate) depth: Count<usize>,
    pub(crate) hidden: Count<usize>,
    pub(crate) orders: Option<&'p MakeOrder<'p>>,
    /// The figures that costs were worked out from.
    pub(crate) guards: RefCell<Vec<Guard>>,
    /// Whether the plan holds no word or function of a store, and no input.
    pub(crate) lasting: Count<bool>,
}

impl<'p, 's> Scope<'p, 's> {
    pub(crate) fn new(
        env: &'p Env<'s>,
        names: &'p Names,
        default: usize,
        entities: HashMap<Var, usize>,
    ) -> Self {
        Self {
            env,
            names,
            default,
            entities,
            constants: HashMap::new(),
            depth: Count::new(0),
            hidden: Count::new(0),
            orders: None,
            guards: RefCell::default(),
            lasting: Count::new(true),
        }
    }

    /// A constant that was left in its place.
    pub(crate) fn constant(&self, value: &Value) -> Result<Cell, Error> {
        if value.to_inline().is_none() {
            self.lasting.set(false);
        }
        self.env.space.word(value).map(Cell::Const)
    }

    /// The word of a cell, where it is one word in the whole run.
    pub(crate) fn known(&self, cell: Cell) -> Option<u64> {
        match cell {
            Cell::Const(word) => Some(word),
            Cell::Slot(slot) => self.constants.get(&slot).copied(),
        }
    }

    pub(crate) fn width(&self) -> usize {
        // At least one, so that a row without variables is still a row.
        (self.names.len() + self.hidden.get()).max(1)
    }
}

/// A plan in the making.
pub(crate) struct Planner<'c, 'p, 's> {
    scope: &'p Scope<'p, 's>,
    /// The clauses still to do, by their place among the given.
    left: Vec<(usize, &'c Clause)>,
    bound: BTreeSet<Var>,
    /// Variables that somebody reads after the plan.
    wanted: BTreeSet<Var>,
    /// Variables that some clause, or whoever runs the plan, gives words to.
    producible: BTreeSet<Var>,
    steps: Vec<Step>,
    /// The order in which clauses were done, and what was bound before each.
    pub(crate) trace: Vec<(usize, BTreeSet<Var>)>,
    /// Costs of clauses that are dear to cost, by what was bound.
    costs: HashMap<(usize, Vec<Var>), Option<f64>>,
}

/// Plans clauses for rows in which `bound` are bound; `wanted` are read afterwards.
pub(crate) fn plan<'c, 's>(
    scope: &Scope<'_, 's>,
    clauses: &'c [Clause],
    bound: &BTreeSet<Var>,
    wanted: &BTreeSet<Var>,
) -> Result<Plan, Error> {
    let clauses: Vec<&'c Clause> = clauses.iter().collect();
    let mut planner = Planner::new(scope, &clauses, bound, wanted);
    planner.run()?;
    Ok(planner.finish())
}

impl<'c, 'p, 's> Planner<'c, 'p, 's> {
    pub(crate) fn new(
        scope: &'p Scope<'p, 's>,
        clauses: &[&'c Clause],
        bound: &BTreeSet<Var>,
        wanted: &BTreeSet<Var>,
    ) -> Self {
        let mut bound = bound.clone();
        bound.extend(scope.constants.keys());
        let mut producible = bound.clone();
        producible.extend(clauses.iter().flat_map(|clause| clause.produces()));
        Self {
            scope,
            left: clauses.iter().copied().enumerate().collect(),
            bound,
            wanted: wanted.clone(),
            producible,
            steps: Vec::new(),
            trace: Vec::new(),
            costs: HashMap::new(),
        }
    }

    pub(crate) fn run(&mut self) -> Result<(), Error> {
        while !self.left.is_empty() {
            let mut best: Option<(f64, usize)> = None;
            for at in 0..self.left.len() {
                self.scope.env.watch.tick()?;
                let Some(cost) = self.cost(at)? else { continue };
                if best.is_none_or(|(least, _)| cost < least) {
                    best = Some((cost, at));
                }
            }
            let Some((cost, first)) = best else { return Err(self.stuck()) };
            let at = self.settle(first, cost)?;
            self.take(at, cost)?;
        }
        let missing: Vec<Var> = self.wanted.difference(&self.bound).copied().collect();
        if missing.is_empty() { Ok(()) } else { Err(self.unbound(&missing)) }
    }

    /// Of clauses that cost the same, the one behind which the others cost least together: so that a join
    /// goes along the side on which fewer facts stand side by side, whichever clause was written first.
    fn settle(&mut self, first: usize, cost: f64) -> Result<usize, Error> {
        if cost < TIED_ROWS_MIN {
            return Ok(first);
        }
        let mut tied = Vec::new();
        for at in first..self.left.len() {
            if tied.len() < TIED_MAX && self.cost(at)?.is_some_and(|other| other <= cost) {
                tied.push(at);
            }
        }
        let mut best: Option<(f64, usize)> = None;
        for at in tied.iter().copied().filter(|_| tied.len() > 1) {
            let Some(&(_, clause)) = self.left.get(at) else { continue };
            let before = self.bound.clone();
            self.bound.extend(clause.produces());
            let mut rest = 0.0;
            for other in (0..self.left.len()).filter(|other| *other != at) {
                self.scope.env.watch.tick()?;
                rest += self.cost(other)?.unwrap_or(0.0);
            }
            self.bound = before;
            if best.is_none_or(|(least, _)| rest < least) {
                best = Some((rest, at));
            }
        }
        Ok(best.map_or(first, |(_, at)| at))
    }

    pub(crate) fn finish(self) -> Plan {
        Plan { width: self.scope.width(), steps: self.steps }
    }

    fn unbound(&self, vars: &[Var]) -> Error {
        let name = |var: &Var| self.scope.names.get(*var);
        let variables = vars.iter().map(|var| name(var).to_owned()).collect();
        // One letter is never near to another.
        let long = vars.first().map(name).filter(|name| name.chars().count() > 3);
        let nearest = long.and_then(|long| nearest(long, self.bound.iter().map(name)));
        Error::new(ErrorKind::Unbound { variables, nearest: nearest.map(str::to_owned) })
    }

    /// Nothing can be done next: says which clause waits for which variables.
    fn stuck(&self) -> Error {
        let waiting = self.left.iter().find_map(|(_, clause)| {
            let missing = self.missing(clause);
            (!missing.is_empty()).then(|| self.unbound(&missing).at(&clause.place))
        });
        waiting.unwrap_or_else(|| {
            let place = self.left.first().map(|(_, clause)| clause.place.clone());
            let error = Error::syntax("no order of clauses binds what each of them needs");
            place.map_or(error.clone(), |place| error.at(&place))
        })
    }

    /// The variables a clause needs and does not have.
    fn missing(&self, clause: &Clause) -> Vec<Var> {
        let mut needs: Vec<Var> = match &clause.kind {
            ClauseKind::Function { args, .. } => args
                .iter()
                .filter_map(|arg| match arg {
                    Arg::Var(var) => Some(*var),
                    _ => None,
                })
                .collect(),
            ClauseKind::Not { .. } | ClauseKind::Call { .. } => clause.vars(),
            ClauseKind::Or { required, join, branches } => {
                if required.is_empty() {
                    // What a branch neither binds itself, nor has from outside.
                    let binds = |branch: &Vec<Clause>, var| {
                        branch.iter().any(|clause| clause.produces().contains(var))
                    };
                    let unbound =
                        join.iter().filter(|var| branches.iter().any(|branch| !binds(branch, var)));
                    let inside = branches.iter().flatten().flat_map(|c| self.missing(c));
                    inside.chain(unbound.copied()).collect()
                } else {
                    required.iter().chain(join).copied().collect()
                }
            }
            _ => Vec::new(),
        };
        needs.retain(|var| !self.bound.contains(var));
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    /// What a clause costs if it comes next; `None` while it cannot.
    fn cost(&mut self, at: usize) -> Result<Option<f64>, Error> {
        let Some(&(number, clause)) = self.left.get(at) else { return Ok(None) };
        match &clause.kind {
            ClauseKind::Pattern { source, terms } => self
                .pattern_cost(source.resolve(self.scope.default), terms)
                .map(Some)
                .map_err(|error| error.at(&clause.place)),
            ClauseKind::Rows { table, terms } => {
                let rows = self.scope.env.tables.get(*table).map_or(0, |table| table.len());
                Ok(Some(self.rows_cost(rows as f64, terms)))
            }
            ClauseKind::Derived { relation, terms } => {
                let rows = self.scope.orders.map_or(1.0, |orders| {
                    let (relation, ..) = orders(*relation, &[]);
                    let rows = relation.borrow().len() as f64;
                    rows.max(64.0)
                });
                Ok(Some(self.rows_cost(rows, terms)))
            }
            ClauseKind::Function { .. }
            | ClauseKind::Not { .. }
            | ClauseKind::Or { .. }
            | ClauseKind::Call { .. } => {
                let bound: Vec<Var> =
                    clause.vars().into_iter().filter(|var| self.bound.contains(var)).collect();
                let key = (number, bound);
                if let Some(known) = self.costs.get(&key) {
                    return Ok(*known);
                }
                let cost = self.dear_cost(clause)?;
                self.costs.insert(key, cost);
                Ok(cost)
            }
        }
    }

    /// Rows of a table or relation: fewer by a guess for every bound column.
    fn rows_cost(&self, rows: f64, terms: &[Term]) -> f64 {
        let bound = terms.iter().filter(|term| self.cell(term).is_some()).count();
        if bound == terms.len() {
            return 0.5;
        }
        rows.powf(1.0 / (1 + bound) as f64)
    }

    /// The cell of a term that is bound. Constants of terms are words already resolved elsewhere.
    fn cell(&self, term: &Term) -> Option<Cell> {
        match term {
            Term::Var(var) if self.bound.contains(var) => Some(self.var_cell(*var)),
            Term::Const(_) => Some(Cell::Const(0)),
            _ => None,
        }
    }

    #[allow(clippy::unused_self, reason = "a variable is of the planner's scope")]
    fn var_cell(&self, var: Var) -> Cell {
        Cell::Slot(var)
    }

    /// Whether anybody reads a variable besides the clause at `at`.
    fn is_read(&self, var: Var, at: usize) -> bool {
        self.wanted.contains(&var)
            || self
                .left
                .iter()
                .enumerate()
                .any(|(other, (_, clause))| other != at && clause.vars().contains(&var))
    }

    fn take(&mut self, at: usize, cost: f64) -> Result<(), Error> {
        let Some(&(number, clause)) = self.left.get(at) else { return Ok(()) };
        self.trace.push((number, self.bound.clone()));
        let place = clause.place.clone();
        let located = |error: Error| error.at(&place);
        let (action, places) = match &clause.kind {
            ClauseKind::Pattern { source, terms } => {
                let source = source.resolve(self.scope.default);
                return self.take_pattern(at, source, terms, cost).map_err(located);
            }
            ClauseKind::Rows { table, terms } => {
                let (columns, key, takes, once) = self.columns(at, terms)?;
                let find = Find { table: At::Input(*table), columns, key, takes, once };
                (Action::Find(find), vec![place.clone()])
            }
            ClauseKind::Derived { relation, terms } => {
                (Action::Probe(self.probe(at, *relation, terms)?), vec![place.clone()])
            }
            _ => (self.condition(at, clause).map_err(located)?, vec![place.clone()]),
        };
        self.left.remove(at);
        self.bound.extend(clause.produces());
        self.push(action, cost, places);
        Ok(())
    }

    fn push(&mut self, action: Action, estimate: f64, places: Vec<Arc<Place>>) {
        self.steps.push(Step { action, estimate, places });
    }

    /// How a row of a table or relation is matched: columns that are bound, their cells, and what
    /// becomes of the others.
    #[allow(clippy::type_complexity, reason = "four lists that only ever travel together")]
    fn columns(
        &self,
        at: usize,
        terms: &[Term],
    ) -> Result<(Vec<usize>, Vec<Cell>, Vec<(usize, Take)>, bool), Error> {
        let (mut columns, mut key, mut takes) = (Vec::new(), Vec::new(), Vec::new());
        let mut filled = BTreeSet::new();
        for (column, term) in terms.iter().enumerate() {
            match term {
                Term::Blank => {}
                Term::Const(value) => {
                    columns.push(column);
                    key.push(self.scope.constant(value)?);
                }
                Term::Var(var) => {
                    let entity = self.scope.entities.get(var).copied();
                    if self.bound.contains(var) && entity.is_none() {
                        columns.push(column);
                        key.push(self.var_cell(*var));
                    } else if self.bound.contains(var) {
                        // The table may hold an id where the variable holds a reference.
                        takes.push((column, Take::Check { cell: self.var_cell(*var), entity }));
                    } else if !filled.insert(*var) {
                        takes.push((column, Take::Check { cell: Cell::Slot(*var), entity }));
                    } else if self.is_read(*var, at) || repeats(terms, *var) {
                        takes.push((column, Take::Fill { slot: *var, entity }));
                    }
                }
            }
        }
        let once = !takes.iter().any(|(_, take)| matches!(take, Take::Fill { .. }));
        Ok((columns, key, takes, once))
    }

    /// A look into a relation by what is bound.
    fn probe(&self, at: usize, relation: usize, terms: &[Term]) -> Result<Probe, Error> {
        let orders = self.scope.orders.ok_or_else(|| Error::storage("a relation out of place"))?;
        let fixed: Vec<(usize, Cell)> = terms
            .iter()
            .enumerate()
            .filter_map(|(column, term)| match term {
                Term::Const(value) => Some(self.scope.constant(value).map(|cell| (column, cell))),
                Term::Var(var) if self.bound.contains(var) => {
                    Some(Ok((column, self.var_cell(*var))))
                }
                _ => None,
            })
            .collect::<Result<_, Error>>()?;
        let columns: Vec<usize> = fixed.iter().map(|(column, _)| *column).collect();
        let (_, order, sequence) = orders(relation, &columns);
        Ok(self.probe_by(at, relation, order, &sequence, terms, &fixed))
    }

    fn probe_by(
        &self,
        at: usize,
        relation: usize,
        order: usize,
        sequence: &[usize],
        terms: &[Term],
        fixed: &[(usize, Cell)],
    ) -> Probe {
        let cell = |column: usize| fixed.iter().find(|(c, _)| *c == column).map(|(_, cell)| *cell);
        let prefix: Vec<Cell> = sequence.iter().map_while(|column| cell(*column)).collect();
        let mut takes = Vec::new();
        let mut filled = BTreeSet::new();
        for (place, column) in sequence.iter().enumerate().skip(prefix.len()) {
            let check = |cell| (place, Take::Check { cell, entity: None });
            match terms.get(*column) {
                _ if cell(*column).is_some() => takes.extend(cell(*column).map(check)),
                Some(Term::Var(var)) if !filled.insert(*var) => takes.push(check(Cell::Slot(*var))),
                Some(Term::Var(var)) if self.is_read(*var, at) || repeats(terms, *var) => {
                    takes.push((place, Take::Fill { slot: *var, entity: None }));
                }
                _ => {}
            }
        }
        let once = !takes.iter().any(|(_, take)| matches!(take, Take::Fill { .. }));
        Probe { relation, order, prefix, takes, once }
    }
}

/// Whether a variable stands in more than one position.
fn repeats(terms: &[Term], var: Var) -> bool {
    terms.iter().filter(|term| term.var() == Some(var)).count() > 1
}
