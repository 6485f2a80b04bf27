//! One large query on several threads.
//!
//! The first step of the plan makes rows, or knows the components of a graph; threads take pieces of them
//! from a counter, run the other steps on tools of their own, and keep distinct rows of their own, which are
//! put together at the end.
//!
//! 1. Only plans are run so whose steps make no new words: so what a word means is the same to all.
//! 2. A small query stays on its thread: threads are asked for when rows are at hand to give them, or when a
//!    graph has given many and has more.
//! 3. The first error ends the work of all.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::distinct::Distinct;
use super::env::{Data, Env};
use super::error::Error;
use super::limits;
use super::run::{append, run_part};
use super::search::Parts;
use super::source::Source;
use super::space;
use super::step::{Action, Plan, Search};
use super::tools::{Kind, Tools};

/// Rows of the first step from which on threads are worth their start, and edges of a graph: what is
/// reached along them is mostly much more.
const ROWS_MIN: usize = if cfg!(test) { 4 } else { 1 << 14 };
const EDGES_MIN: usize = if cfg!(test) { 4 } else { 512 };
/// Rows in a piece, and components of a graph.
const PIECE_ROWS: usize = if cfg!(test) { 2 } else { 1 << 12 };
const PIECE_PARTS: usize = if cfg!(test) { 1 } else { 32 };
/// Words that a graph gives before threads are asked for, if there are more: a start costs as much as these.
const ALONE_WORDS: usize = if cfg!(test) { 4 } else { 1 << 15 };
/// Rows that are handed on at once.
const BATCH: usize = if cfg!(test) { 3 } else { 1 << 10 };
/// Threads of a query where nothing is said.
const THREADS_MAX: usize = 4;

/// A plan that may be run by several.
pub(crate) struct Crew<'c, 's> {
    pub(crate) env: &'c Env<'s>,
    pub(crate) plan: &'c Plan,
    /// The row that the plan begins with.
    pub(crate) row: &'c [u64],
    /// The slots of an answer's row.
    pub(crate) vars: &'c [usize],
}

/// What a thread makes an [`Env`] of.
struct Seed<'s> {
    sources: Vec<Option<(&'s dyn Source, bool)>>,
    space: space::Shared<'s>,
    watch: limits::Shared,
}

/// What there is to be done in pieces.
enum Work {
    /// Rows of the first step.
    Rows(Vec<u64>),
    /// A graph of which all pairs are wanted.
    Graph(Parts),
}

/// Whether steps make no word that was not there, and hold nothing that a thread would make again.
fn is_plain(plan: &Plan) -> bool {
    plan.steps.iter().all(|step| is_plain_step(&step.action))
}

fn is_plain_step(action: &Action) -> bool {
    match action {
        Action::Follow(_) | Action::Meet(_) | Action::Compare { .. } | Action::All(_) => true,
        Action::Not { plan, .. } => is_plain(plan),
        Action::Or(plans) => plans.iter().all(is_plain),
        _ => false,
    }
}

impl<'s> Crew<'_, 's> {
    /// Runs the plan on several threads, if that is worth it: the distinct rows of each, which are maybe known
    /// to be so, and maybe wanted in order.
    pub(crate) fn run(
        &self,
        tools: &Tools<'s>,
        (known, ordered): (bool, bool),
    ) -> Result<Option<Vec<Distinct>>, Error> {
        let limits = self.env.watch.limits();
        let wanted = limits.threads.unwrap_or_else(cores);
        let alone = wanted < 2 || limits.max_rows.is_some() || self.env.timed.get();
        let Some((first, rest)) = self.plan.steps.split_first() else { return Ok(None) };
        if alone || !rest.iter().all(|step| is_plain_step(&step.action)) {
            return Ok(None);
        }
        let work = match (&first.action, tools.all().first().map(|tool| &tool.kind)) {
            (Action::Search(Search { ends: [None, None], .. }), Some(Kind::Graph(graph))) => {
                if graph.edges(self.env)? < EDGES_MIN {
                    return Ok(None);
                }
                Work::Graph(graph.parts(self.env)?)
            }
            (action, _)
                if !rest.is_empty()
                    && is_plain_step(action)
                    && first.estimate >= ROWS_MIN as f64 =>
            {
                let (mut rows, mut held) = (Vec::new(), 0);
                run_part(self.env, self.plan, tools, 0..1, self.row, &mut |made| {
                    rows.extend_from_slice(made);
                    self.env.watch.grow(&mut held, 8 * rows.capacity())
                })?;
                Work::Rows(rows)
            }
            _ => return Ok(None),
        };
        let distinct = || Distinct::new(self.vars.len(), known, ordered);
        self.share(&work, tools, &distinct, wanted).map(Some)
    }

    /// Gives the work to threads, the caller's among them.
    fn share(
        &self,
        work: &Work,
        tools: &Tools<'s>,
        distinct: &(dyn Fn() -> Distinct + Sync),
        threads: usize,
    ) -> Result<Vec<Distinct>, Error> {
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let hands = Hands {
            plan: self.plan,
            row: self.row,
            vars: self.vars,
            work,
            next: &next,
            failed: &failed,
        };
        let first = |seed: Seed<'s>| {
            let env = seed.env();
            let tools = Tools::behind_first(&env, hands.plan)
                .inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
            let mut distinct = distinct();
            hands.work(&env, &tools, usize::MAX, &mut distinct).map(|()| distinct)
        };
        let mut own = distinct();
        if matches!(work, Work::Graph(_)) {
            hands.work(self.env, tools, ALONE_WORDS, &mut own)?;
        }
        // Relaxed: nobody else counts yet.
        let pieces = work.pieces(self.plan.width).saturating_sub(next.load(Ordering::Relaxed));
        let seeds: Vec<Seed<'s>> = (1..threads.min(pieces)).map(|_| self.seed()).collect();
        std::thread::scope(|scope| {
            let others: Vec<_> = seeds
                .into_iter()
                // A thread that cannot be had is done without.
                .filter_map(|seed| {
                    std::thread::Builder::new().spawn_scoped(scope, || first(seed)).ok()
                })
                .collect();
            hands.work(self.env, tools, usize::MAX, &mut own)?;
            let mut all = vec![own];
            for other in others {
                let made =
                    other.join().map_err(|_| Error::storage("a thread of the query broke down"))?;
                all.push(made?);
            }
            Ok(all)
        })
    }

    fn seed(&self) -> Seed<'s> {
        let source = |data: &Option<Data<'s>>| match data {
            Some(Data::Facts { source, foreign }) => Some((*source, *foreign)),
            _ => None,
        };
        Seed {
            sources: self.env.data.iter().map(source).collect(),
            space: self.env.space.share(),
            watch: self.env.watch.share(),
        }
    }
}

fn cores() -> usize {
    static CORES: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *CORES.get_or_init(|| {
        std::thread::available_parallelism().map_or(1, |cores| cores.get().min(THREADS_MAX))
    })
}

impl<'s> Seed<'s> {
    fn env(self) -> Env<'s> {
        let data = self
            .sources
            .into_iter()
            .map(|source| source.map(|(source, foreign)| Data::Facts { source, foreign }))
            .collect();
        let watch = Rc::new(self.watch.watch());
        Env::new(data, self.space.space(watch.clone()), watch)
    }
}

impl Work {
    fn pieces(&self, width: usize) -> usize {
        match self {
            Work::Rows(rows) => rows.len().div_ceil(width * PIECE_ROWS),
            Work::Graph(parts) => parts.count().div_ceil(PIECE_PARTS),
        }
    }
}

/// One of those who work.
struct Hands<'h> {
    plan: &'h Plan,
    row: &'h [u64],
    vars: &'h [usize],
    work: &'h Work,
    next: &'h AtomicUsize,
    failed: &'h AtomicBool,
}

impl Hands<'_> {
    /// Takes pieces until none is left, or until a graph has given so many words.
    fn work<'s>(
        &self,
        env: &Env<'s>,
        tools: &Tools<'s>,
        most: usize,
        distinct: &mut Distinct,
    ) -> Result<(), Error> {
        let done = match self.work {
            Work::Rows(rows) => self.rows(env, tools, rows, distinct),
            Work::Graph(parts) => self.graph(env, tools, parts, most, distinct),
        };
        // Relaxed: who sees it late works a little longer.
        done.inspect_err(|_| self.failed.store(true, Ordering::Relaxed))
    }

    /// The next piece.
    fn piece(&self) -> Option<usize> {
        // Relaxed: the pieces were there before the threads were.
        (!self.failed.load(Ordering::Relaxed)).then(|| self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn hand_on<'s>(
        &self,
        env: &Env<'s>,
        tools: &Tools<'s>,
        rows: &[u64],
        distinct: &mut Distinct,
    ) -> Result<(), Error> {
        let rest = 1..self.plan.steps.len();
        run_part(env, self.plan, tools, rest, rows, &mut |rows| {
            distinct.take(rows, self.plan.width, self.vars, &env.watch)
        })
    }

    fn rows<'s>(
        &self,
        env: &Env<'s>,
        tools: &Tools<'s>,
        rows: &[u64],
        distinct: &mut Distinct,
    ) -> Result<(), Error> {
        let piece_words = PIECE_ROWS * self.plan.width;
        while let Some(piece) = self.piece() {
            let from = piece * piece_words;
            let Some(rest) = rows.get(from..).filter(|rest| !rest.is_empty()) else { break };
            let piece = rest.get(..piece_words).unwrap_or(rest);
            for batch in piece.chunks(BATCH * self.plan.width) {
                self.hand_on(env, tools, batch, distinct)?;
            }
        }
        Ok(())
    }

    fn graph<'s>(
        &self,
        env: &Env<'s>,
        tools: &Tools<'s>,
        parts: &Parts,
        most: usize,
        distinct: &mut Distinct,
    ) -> Result<(), Error> {
        let Some(Action::Search(Search { fills: [x, y], same, .. })) =
            self.plan.steps.first().map(|step| &step.action)
        else {
            return Ok(());
        };
        let (mut walk, mut row, mut made) = (parts.walk(), self.row.to_vec(), Vec::new());
        let mut given = 0;
        while given < most
            && let Some(piece) = self.piece()
        {
            let from = piece * PIECE_PARTS;
            if from >= parts.count() {
                break;
            }
            for part in from..(from + PIECE_PARTS).min(parts.count()) {
                walk.from(parts, part, env)?;
                given += walk.words.len() * parts.members(part).len();
                for member in parts.members(part) {
                    env.watch.steps(walk.words.len())?;
                    if walk.words.is_empty() || (*same && !walk.words.contains(member)) {
                        continue;
                    }
                    if let Some(place) = x.and_then(|slot| row.get_mut(slot)) {
                        *place = *member;
                    }
                    match y.filter(|_| !*same) {
                        None => made.extend_from_slice(&row),
                        Some(slot) => append(&mut made, &row, slot, &walk.words),
                    }
                    if made.len() >= BATCH * self.plan.width {
                        self.hand_on(env, tools, &made, distinct)?;
                        made.clear();
                    }
                }
            }
        }
        self.hand_on(env, tools, &made, distinct)
    }
}
