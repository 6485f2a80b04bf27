//! Rules, computed for what is asked: semi-naive fixpoints over demanded rows.
//!
//! A rule is called with some of its arguments bound. The bound words are its *demand*; the rows it
//! answers with are those that the demand asks for, and no others, so that `(path "x" ?y)` follows
//! the edges that start at `x` and leaves the rest of the graph alone.
//!
//! Rules that depend on each other form a component. For each way in which a rule is called, that
//! is for each set of bound arguments, the component has a *variant*: a relation of answers, bound
//! columns first, and a relation of demands (the "magic set"). Rules are compiled to *flat rules*
//! over these relations:
//!
//! * answers: `variant(head) :- demand(bound head), body`, in which calls of the same component
//!   read the answers of the called variant;
//! * demands: `demand of the called(bound arguments) :- demand(bound head), what stands before the
//!   call`.
//!
//! Rules that end in a call, of themselves or of each other, are not answered at every step on the way: see
//! [`walk`].
//!
//! 1. Each flat rule is evaluated once for each of its relations of the component, with that
//!    relation's new rows first; the others are read whole. So every combination of rows is joined
//!    when its last row is new.
//! 2. A run ends when a round makes no new row: rows are of words that exist, so it always ends.
//!    Functions can make new words; then the limits of the run are what ends it.
//! 3. Another component that is called has reached its fixpoint for the demand before its answers
//!    are read. Components are ordered, so none is entered while it runs; a `not` is answered by a
//!    complete relation.

mod compile;
mod stand_in;
mod walk;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use datafrog::Iteration;
use datom::Symbol;

use super::env::Env;
use super::error::{Error, ErrorKind};
use super::plan::Shared;
use super::relation::relation;
use super::run::run;
use super::step::{Cell, Plan};
use super::tools::Tools;

/// The components of a run, by their number and the source they are called on.
pub(crate) type Components<'s> = HashMap<(usize, usize), Rc<RefCell<Component<'s>>>>;

/// How many components may be entered one inside the other.
pub(crate) const DEPTH_MAX: usize = 64;

/// One way a rule is called.
struct Variant {
    name: Symbol,
    mask: Vec<bool>,
    answers: usize,
    /// The relation of demands; none where nothing is bound.
    demands: Option<usize>,
    /// The variants whose answers its rules read.
    calls: Vec<usize>,
    /// Its rules without a driver that have not run yet.
    waiting: Vec<usize>,
    /// Whether it was asked, or is read by one that was.
    asked: bool,
}

/// A flat rule, to be evaluated on the new rows of one relation (or once, on none).
struct FlatRule<'s> {
    driver: Option<usize>,
    /// Which slots the columns of the driver's rows fill, and which they must equal.
    fills: Vec<(usize, usize)>,
    checks: Vec<(usize, Cell)>,
    plan: Plan,
    tools: Tools<'s>,
    head: usize,
    cells: Vec<Cell>,
}

/// Rules that depend on each other, on one source.
pub(crate) struct Component<'s> {
    number: usize,
    source: usize,
    iteration: Rc<RefCell<Iteration>>,
    relations: Vec<Shared>,
    widths: Vec<usize>,
    variants: Vec<Variant>,
    rules: Vec<Rc<FlatRule<'s>>>,
    /// Whether something was added since the last fixpoint.
    dirty: bool,
}

/// The columns of a variant's answers: bound arguments first.
pub(crate) fn layout(mask: &[bool]) -> Vec<usize> {
    let bound = (0..mask.len()).filter(|at| mask.get(*at) == Some(&true));
    let free = (0..mask.len()).filter(|at| mask.get(*at) == Some(&false));
    bound.chain(free).collect()
}

/// The component of a rule on a source.
pub(crate) fn component<'s>(
    env: &Env<'s>,
    rule: &Symbol,
    source: usize,
) -> Result<Rc<RefCell<Component<'s>>>, Error> {
    let Some(number) = env.program.component(rule) else {
        let kind = ErrorKind::UnknownRule { name: rule.to_string(), nearest: None };
        return Err(Error::new(kind));
    };
    let mut components = env.components.borrow_mut();
    let component = components.entry((number, source)).or_insert_with(|| {
        Rc::new(RefCell::new(Component {
            number,
            source,
            iteration: Rc::new(RefCell::new(Iteration::new())),
            relations: Vec::new(),
            widths: Vec::new(),
            variants: Vec::new(),
            rules: Vec::new(),
            dirty: false,
        }))
    });
    Ok(component.clone())
}

/// The variant of a rule for a set of bound arguments, compiled if it is new.
///
/// # Errors
/// [`ErrorKind::Unbound`] when the rule needs more arguments bound.
pub(crate) fn variant<'s>(
    env: &Env<'s>,
    component: &Rc<RefCell<Component<'s>>>,
    rule: &Symbol,
    mask: &[bool],
) -> Result<usize, Error> {
    env.deeper(|| component.borrow_mut().compile(env, rule, mask))
}

pub(crate) fn too_deep() -> Error {
    Error::syntax(format!("rules call other rules through more than {DEPTH_MAX} levels"))
}

/// Computes the answers to demands, given as words one behind the other.
pub(crate) fn answer<'s>(
    env: &Env<'s>,
    component: &Rc<RefCell<Component<'s>>>,
    variant: usize,
    demands: &[u64],
) -> Result<(), Error> {
    env.deeper(|| {
        let mut component = component.borrow_mut();
        let started = component.ask(env, variant);
        let relation = component.variants.get(variant).and_then(|variant| variant.demands);
        if let Some(relation) = relation {
            component.relation_at(relation).borrow().insert(demands);
            component.dirty = true;
        }
        started.and_then(|()| component.fixpoint(env))
    })
}

impl<'s> Component<'s> {
    /// The answers of a variant.
    pub(crate) fn relation(&self, variant: usize) -> Shared {
        self.relation_at(self.variants.get(variant).map_or(0, |variant| variant.answers))
    }

    fn relation_at(&self, at: usize) -> Shared {
        self.relations[at].clone()
    }

    fn add_relation(&mut self, width: usize) -> Result<usize, Error> {
        let made = relation(&mut self.iteration.borrow_mut(), width)
            .ok_or_else(|| Error::syntax(format!("a rule cannot have {width} arguments")))?;
        self.relations.push(Rc::new(RefCell::new(made)));
        self.widths.push(width);
        Ok(self.relations.len() - 1)
    }

    /// Starts what a variant needs without any demand. A variant that was compiled and is not asked
    /// stays empty: planning looks at variants that the plan then does without.
    fn ask(&mut self, env: &Env<'s>, variant: usize) -> Result<(), Error> {
        let mut open = vec![variant];
        while let Some(at) = open.pop() {
            let Some(variant) = self.variants.get_mut(at).filter(|variant| !variant.asked) else {
                continue;
            };
            variant.asked = true;
            open.extend(&variant.calls);
            for rule in std::mem::take(&mut variant.waiting) {
                let Some(rule) = self.rules.get(rule).cloned() else { continue };
                let row = vec![0; rule.plan.width];
                self.derive(env, &rule, &row)?;
                self.dirty = true;
            }
        }
        Ok(())
    }

    /// Runs rounds until nothing is new.
    fn fixpoint(&mut self, env: &Env<'s>) -> Result<(), Error> {
        if !self.dirty {
            return Ok(());
        }
        while self.iteration.borrow_mut().changed() {
            for at in 0..self.rules.len() {
                let Some(rule) = self.rules.get(at).cloned() else { continue };
                let Some(driver) = rule.driver else { continue };
                let rows = self.driven(env, &rule, driver)?;
                if !rows.is_empty() {
                    self.derive(env, &rule, &rows)?;
                }
            }
            env.watch.tick()?;
        }
        self.dirty = false;
        Ok(())
    }

    /// The driver's new rows as rows of the plan.
    fn driven(&self, env: &Env<'s>, rule: &FlatRule<'s>, driver: usize) -> Result<Vec<u64>, Error> {
        let width = self.widths.get(driver).copied().unwrap_or(1);
        let mut recent = Vec::new();
        self.relation_at(driver).borrow().recent(&mut recent);
        let mut rows = Vec::with_capacity(recent.len() / width * rule.plan.width);
        for words in recent.chunks_exact(width) {
            env.watch.tick()?;
            let base = rows.len();
            rows.resize(base + rule.plan.width, 0);
            let Some(row) = rows.get_mut(base..) else { continue };
            for (column, slot) in &rule.fills {
                if let (Some(place), Some(word)) = (row.get_mut(*slot), words.get(*column)) {
                    *place = *word;
                }
            }
            let holds = |(column, cell): &(usize, Cell)| words.get(*column) == Some(&cell.of(row));
            if !rule.checks.iter().all(holds) {
                rows.truncate(base);
            }
        }
        Ok(rows)
    }

    fn derive(&self, env: &Env<'s>, rule: &FlatRule<'s>, rows: &[u64]) -> Result<(), Error> {
        let width = rule.plan.width;
        let head = self.relation_at(rule.head);
        let mut made: Vec<u64> = Vec::new();
        run(env, &rule.plan, &rule.tools, width, rows, &mut |rows| {
            for row in rows.chunks_exact(width) {
                made.extend(rule.cells.iter().map(|cell| cell.of(row)));
            }
            env.watch.rows(made.len() / rule.cells.len().max(1))
        })?;
        if !made.is_empty() {
            env.watch.steps(made.len())?;
            let head = head.borrow();
            head.insert(&made);
            env.watch.take(8 * made.len() * head.orders())?;
        }
        env.watch.rows(head.borrow().len())
    }
}
