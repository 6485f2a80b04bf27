//! Runs plans: batches of rows through steps.
//!
//! A step fills a batch and hands it to the steps behind it before it fills the next, so that a
//! query holds a batch for each step and not whole intermediate results. Batches keep keys in
//! order where the index gave them in order, so that the next step's looks go forward.
//!
//! 1. Recursion is as deep as the plan is long, which [`CLAUSES_MAX`] bounds.
//!
//! [`CLAUSES_MAX`]: super::program::CLAUSES_MAX

mod derived;
mod facts;
mod function;
mod kept;

use std::ops::Range;
use std::time::Instant;

pub(crate) use self::function::take_apart;
use super::env::Env;
use super::error::Error;
use super::step::{Action, Plan, Step, Take};
use super::tools::{Tool, Tools};

/// Rows in a batch.
const BATCH: usize = if cfg!(test) { 3 } else { 1024 };

/// Takes rows, one behind the other.
pub(crate) type Sink<'k> = dyn FnMut(&[u64]) -> Result<(), Error> + 'k;

/// Runs a plan on rows of `width` words, which is at least the plan's.
pub(crate) fn run<'s>(
    env: &Env<'s>,
    plan: &Plan,
    tools: &Tools<'s>,
    width: usize,
    rows: &[u64],
    sink: &mut Sink<'_>,
) -> Result<(), Error> {
    steps(env, &plan.steps, tools.all(), width, rows, sink)
}

/// Runs some of the steps of a plan.
pub(crate) fn run_part<'s>(
    env: &Env<'s>,
    plan: &Plan,
    tools: &Tools<'s>,
    part: Range<usize>,
    rows: &[u64],
    sink: &mut Sink<'_>,
) -> Result<(), Error> {
    let (part, others) = (plan.steps.get(part.clone()), tools.all().get(part));
    let (part, others) = (part.unwrap_or_default(), others.unwrap_or_default());
    steps(env, part, others, plan.width, rows, sink)
}

fn steps<'s>(
    env: &Env<'s>,
    steps: &[Step],
    tools: &[Tool<'s>],
    width: usize,
    rows: &[u64],
    sink: &mut Sink<'_>,
) -> Result<(), Error> {
    let (Some((step, rest)), Some((tool, others))) = (steps.split_first(), tools.split_first())
    else {
        return if rows.is_empty() { Ok(()) } else { sink(rows) };
    };
    let started = env.timed.get().then(Instant::now);
    let mut flow = Flow { env, tool, rest, others, width, out: Vec::new(), sink };
    let result = match &step.action {
        Action::Nothing => Ok(()),
        Action::Scan(scan) => flow.each(rows, |flow, row| flow.scan(scan, row)),
        Action::All(all) => flow.each(rows, |flow, row| flow.all(all, row)),
        Action::Follow(follow) => flow.follow(follow, rows),
        Action::Meet(meet) => flow.meet(meet, rows),
        Action::Find(find) => flow.each(rows, |flow, row| flow.find(find, row)),
        Action::Probe(probe) => flow.each(rows, |flow, row| flow.probe(probe, row)),
        Action::Call(call) => flow.call(call, rows),
        Action::Search(search) => flow.search(search, rows),
        Action::Compare { comparison, left, right } => {
            flow.each(rows, |flow, row| flow.compare(*comparison, *left, *right, row))
        }
        Action::Apply(apply) => flow.each(rows, |flow, row| flow.apply(apply, row)),
        Action::Consult(consult) => flow.each(rows, |flow, row| flow.consult(consult, row)),
        Action::Not { plan, slot } => flow.not(plan, *slot, rows),
        Action::Or(plans) => plans.iter().enumerate().try_for_each(|(at, plan)| {
            let tools = tool.inner(at)?;
            run(env, plan, tools, width, rows, &mut |made| flow.extend(made))
        }),
    };
    let result = result.and_then(|()| flow.flush()).map_err(|error| step.locate(error));
    if let Some(started) = started {
        let spent = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        tool.spent_ns.set(tool.spent_ns.get().saturating_add(spent));
    }
    result
}

/// One step at work: the batch it fills, and where full batches go.
struct Flow<'f, 'k, 's> {
    env: &'f Env<'s>,
    tool: &'f Tool<'s>,
    /// The steps behind it, and their tools.
    rest: &'f [Step],
    others: &'f [Tool<'s>],
    width: usize,
    out: Vec<u64>,
    sink: &'f mut Sink<'k>,
}

impl<'s> Flow<'_, '_, 's> {
    fn each(
        &mut self,
        rows: &[u64],
        mut run: impl FnMut(&mut Self, &[u64]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for row in rows.chunks_exact(self.width) {
            self.env.watch.tick()?;
            run(self, row)?;
        }
        Ok(())
    }

    /// Hands a row on as it is.
    fn pass(&mut self, row: &[u64]) -> Result<(), Error> {
        self.out.extend_from_slice(row);
        self.full()
    }

    fn extend(&mut self, rows: &[u64]) -> Result<(), Error> {
        self.out.extend_from_slice(rows);
        self.full()
    }

    fn full(&mut self) -> Result<(), Error> {
        if self.out.len() >= BATCH * self.width { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let made = self.out.len() / self.width;
        if made == 0 {
            return Ok(());
        }
        self.tool.rows.set(self.tool.rows.get() + made as u64);
        self.env.watch.rows(usize::try_from(self.tool.rows.get()).unwrap_or(usize::MAX))?;
        let out = std::mem::take(&mut self.out);
        steps(self.env, self.rest, self.others, self.width, &out, self.sink)?;
        // The batch is handed back empty, so that its memory serves again.
        self.out = out;
        self.out.clear();
        Ok(())
    }

    /// Hands on a row with what was found for it; says whether it was kept.
    fn emit(
        &mut self,
        row: &[u64],
        takes: impl Iterator<Item = (Take, u64)>,
    ) -> Result<bool, Error> {
        let base = self.out.len();
        self.out.extend_from_slice(row);
        for (take, word) in takes {
            let Some(made) = self.out.get_mut(base..) else { break };
            let coerce = |entity: Option<usize>| match entity {
                Some(at) => self.env.entity(at, word),
                None => Ok(word),
            };
            match take {
                Take::Fill { slot, entity } => {
                    if let Some(place) = made.get_mut(slot) {
                        *place = coerce(entity)?;
                    }
                }
                Take::Check { cell, entity } => {
                    if cell.of(made) != coerce(entity)? {
                        self.out.truncate(base);
                        return Ok(false);
                    }
                }
            }
        }
        self.full()?;
        Ok(true)
    }

    /// Hands on a row once for each word, in the slot.
    #[inline]
    fn fill(&mut self, row: &[u64], slot: usize, words: &[u64]) -> Result<(), Error> {
        for words in words.chunks(BATCH) {
            self.env.watch.steps(words.len())?;
            append(&mut self.out, row, slot, words);
            self.full()?;
        }
        Ok(())
    }

    /// Keeps the rows of the batch for which the plan makes none.
    fn not(&mut self, plan: &Plan, slot: usize, rows: &[u64]) -> Result<(), Error> {
        let width = self.width;
        let mut numbered = rows.to_vec();
        for (number, row) in numbered.chunks_exact_mut(width).enumerate() {
            if let Some(place) = row.get_mut(slot) {
                *place = number as u64;
            }
        }
        let mut hit = vec![false; rows.len() / width];
        run(self.env, plan, self.tool.inner(0)?, width, &numbered, &mut |made| {
            for row in made.chunks_exact(width) {
                let number = row.get(slot).and_then(|number| usize::try_from(*number).ok());
                if let Some(hit) = number.and_then(|number| hit.get_mut(number)) {
                    *hit = true;
                }
            }
            Ok(())
        })?;
        for (row, hit) in rows.chunks_exact(width).zip(hit) {
            if !hit {
                self.pass(row)?;
            }
        }
        Ok(())
    }
}

/// Appends a row once for each word, in the slot.
pub(crate) fn append(out: &mut Vec<u64>, row: &[u64], slot: usize, words: &[u64]) {
    // Rows of a known width are copied in registers.
    macro_rules! widths {
        ($($n:literal)*) => {
            match row.len() {
                $($n => filled::<$n>(out, row, slot, words),)*
                _ => {
                    for word in words {
                        let base = out.len();
                        out.extend_from_slice(row);
                        if let Some(place) = out.get_mut(base + slot) {
                            *place = *word;
                        }
                    }
                }
            }
        };
    }
    widths!(1 2 3 4 5 6 7 8);
}

/// Appends a row of `N` words once for each word, in the slot.
#[inline]
fn filled<const N: usize>(out: &mut Vec<u64>, row: &[u64], slot: usize, words: &[u64]) {
    let Some(row) = row.first_chunk::<N>() else { return };
    out.reserve(N * words.len());
    for word in words {
        let mut made = *row;
        if let Some(place) = made.get_mut(slot) {
            *place = *word;
        }
        out.extend_from_slice(&made);
    }
}

fn taken<'t>(takes: &'t [(usize, Take)], found: &'t [u64]) -> impl Iterator<Item = (Take, u64)> {
    takes.iter().map(|(column, take)| (*take, found.get(*column).copied().unwrap_or(0)))
}
