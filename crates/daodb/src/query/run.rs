//! Runs plans: batches of rows through steps.
//!
//! A step fills a batch and hands it to the steps behind it before it fills the next, so that a
//! query holds a batch for each step and not whole intermediate results. Batches keep keys in
//! order where the index gave them in order, so that the next step's looks go forward.
//!
//! 1. Recursion is as deep as the plan is long, which [`CLAUSES_MAX`] bounds.
//!
//! [`CLAUSES_MAX`]: super::program::CLAUSES_MAX

use std::time::Instant;

use datom::{Value, Word};

use super::aggregate::order_as_words;
use super::ast::Binding;
use super::demand;
use super::env::Env;
use super::error::Error;
use super::function::{Lookup, truthy};
use super::source::{Reader, Source};
use super::step::{
    Action, All, Apply, ArgCell, Call, Consult, Find, Follow, Meet, Part, Plan, Probe, Scan,
    Search, Step, Take, Then,
};
use crate::index::{Index, Key};

/// Rows in a batch.
const BATCH: usize = if cfg!(test) { 3 } else { 1024 };

/// Takes rows, one behind the other.
pub(crate) type Sink<'k> = dyn FnMut(&[u64]) -> Result<(), Error> + 'k;

/// Runs a plan on rows of `width` words, which is at least the plan's.
pub(crate) fn run<'s>(
    env: &Env<'s>,
    plan: &Plan<'s>,
    width: usize,
    rows: &[u64],
    sink: &mut Sink<'_>,
) -> Result<(), Error> {
    steps(env, &plan.steps, width, rows, sink)
}

fn steps<'s>(
    env: &Env<'s>,
    steps: &[Step<'s>],
    width: usize,
    rows: &[u64],
    sink: &mut Sink<'_>,
) -> Result<(), Error> {
    let Some((step, rest)) = steps.split_first() else {
        return if rows.is_empty() { Ok(()) } else { sink(rows) };
    };
    let started = env.timed.get().then(Instant::now);
    let mut flow = Flow { env, step, rest, width, out: Vec::new(), sink };
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
        Action::Compare { comparison, left, right } => flow.each(rows, |flow, row| {
            let (left, right) = (left.of(row), right.of(row));
            let ordering = match order_as_words(left, right) {
                true => left.cmp(&right),
                false => env.space.compare(left, right)?,
            };
            if comparison.holds(ordering) { flow.pass(row) } else { Ok(()) }
        }),
        Action::Apply(apply) => flow.each(rows, |flow, row| flow.apply(apply, row)),
        Action::Consult(consult) => flow.each(rows, |flow, row| flow.consult(consult, row)),
        Action::Not { plan, slot } => flow.not(plan, *slot, rows),
        Action::Or(plans) => plans
            .iter()
            .try_for_each(|plan| run(env, plan, width, rows, &mut |made| flow.extend(made))),
    };
    let result = result.and_then(|()| flow.flush()).map_err(|error| step.locate(error));
    if let Some(started) = started {
        let spent = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        step.spent_ns.set(step.spent_ns.get().saturating_add(spent));
    }
    result
}

/// One step at work: the batch it fills, and where full batches go.
struct Flow<'f, 'k, 's> {
    env: &'f Env<'s>,
    step: &'f Step<'s>,
    rest: &'f [Step<'s>],
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
        self.step.rows.set(self.step.rows.get() + made as u64);
        self.env.watch.rows(usize::try_from(self.step.rows.get()).unwrap_or(usize::MAX))?;
        let out = std::mem::take(&mut self.out);
        steps(self.env, self.rest, self.width, &out, self.sink)?;
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
            // Rows of a known width are copied in registers.
            macro_rules! widths {
                ($($n:literal)*) => {
                    match self.width {
                        $($n => filled::<$n>(&mut self.out, row, slot, words),)*
                        _ => {
                            for word in words {
                                let base = self.out.len();
                                self.out.extend_from_slice(row);
                                if let Some(place) = self.out.get_mut(base + slot) {
                                    *place = *word;
                                }
                            }
                        }
                    }
                };
            }
            widths!(1 2 3 4 5 6 7 8);
            self.full()?;
        }
        Ok(())
    }

    fn all(&mut self, all: &All<'s>, row: &[u64]) -> Result<(), Error> {
        let mut pairs = all.pairs.borrow_mut();
        let mut row = row.to_vec();
        pairs.each(|key, found| {
            if let Some(place) = all.entity.and_then(|slot| row.get_mut(slot)) {
                *place = key;
            }
            match all.value {
                Some(slot) => self.fill(&row, slot, found),
                None => self.pass(&row),
            }
        })
    }

    fn follow(&mut self, follow: &Follow<'s>, rows: &[u64]) -> Result<(), Error> {
        let mut pairs = follow.pairs.borrow_mut();
        for row in rows.chunks_exact(self.width) {
            let found = pairs.of(follow.key.of(row))?;
            match follow.then {
                Then::Fill(slot) => self.fill(row, slot, found)?,
                Then::Check(cell) => {
                    if has(found, cell.of(row)) {
                        self.pass(row)?;
                    }
                }
                Then::Exists if found.is_empty() => {}
                Then::Exists => self.pass(row)?,
            }
        }
        Ok(())
    }

    /// The words that all members have for the row: the shortest list, and of it what the others
    /// have, too.
    fn meet(&mut self, meet: &Meet<'s>, rows: &[u64]) -> Result<(), Error> {
        let mut members = meet.members.borrow_mut();
        let (mut words, mut next) = (Vec::new(), Vec::new());
        for row in rows.chunks_exact(self.width) {
            words.clear();
            if let [(first, x), (second, y)] = members.as_mut_slice() {
                common(first.of(x.of(row))?, second.of(y.of(row))?, &mut words);
            } else {
                let lists = members.iter_mut().map(|(pairs, cell)| pairs.of(cell.of(row)));
                let mut lists = lists.collect::<Result<Vec<&[u64]>, Error>>()?;
                lists.sort_unstable_by_key(|list| list.len());
                let Some((shortest, others)) = lists.split_first() else { continue };
                words.extend_from_slice(shortest);
                for list in others {
                    next.clear();
                    common(&words, list, &mut next);
                    std::mem::swap(&mut words, &mut next);
                }
            }
            self.fill(row, meet.slot, &words)?;
        }
        Ok(())
    }

    fn scan(&mut self, scan: &Scan<'s>, row: &[u64]) -> Result<(), Error> {
        let mut prefix = [0; 3];
        let mut length = 0;
        for (place, (part, cell)) in prefix.iter_mut().zip(&scan.prefix) {
            let mut word = cell.of(row);
            if scan.foreign && *part == Part::Value {
                match self.env.space.export(scan.source, word)? {
                    Some(own) => word = own,
                    None => return Ok(()),
                }
            }
            let Some(word) = part.key_word(word) else { return Ok(()) };
            *place = word;
            length += 1;
        }
        let prefix = prefix.get(..length).unwrap_or_default();
        let env = self.env;
        let take = |key: &Key| {
            env.watch.scan()?;
            let kept = self.fact(scan, key, row)?;
            Ok(!(kept && scan.once))
        };
        match scan.by_value {
            Some(attribute) => {
                let made = scan.made.borrow().clone();
                let made = match made {
                    Some(made) => made,
                    None => {
                        let made = env.by_value(scan.at, attribute)?;
                        *scan.made.borrow_mut() = Some(made.clone());
                        made
                    }
                };
                Reader::Run { rows: &made, at: 0 }.scan(prefix, take)
            }
            None => scan.reader.borrow_mut().scan(prefix, take),
        }
    }

    fn fact(&mut self, scan: &Scan<'s>, key: &Key, row: &[u64]) -> Result<bool, Error> {
        let index = if scan.by_value.is_some() { Index::Avet } else { scan.index };
        let fact = index.datom(key);
        if scan.reasoned && fact.metadata().is_none() {
            return Ok(false);
        }
        if !scan.foreign {
            return self.emit(row, scan.takes.iter().map(|(part, take)| (*take, part.word(&fact))));
        }
        let mut found = Vec::with_capacity(scan.takes.len());
        for (part, take) in &scan.takes {
            let mut word = part.word(&fact);
            if *part == Part::Value {
                word = self.env.space.import(scan.source, word)?;
            }
            found.push((*take, word));
        }
        self.emit(row, found.into_iter())
    }

    fn find(&mut self, find: &Find, row: &[u64]) -> Result<(), Error> {
        let key: Vec<u64> = find.key.iter().map(|cell| cell.of(row)).collect();
        find.table.each(&find.columns, &key, |found| {
            self.env.watch.tick()?;
            let kept = self.emit(row, taken(&find.takes, found))?;
            Ok(!(kept && find.once))
        })
    }

    fn probe(&mut self, probe: &Probe, row: &[u64]) -> Result<(), Error> {
        let prefix: Vec<u64> = probe.prefix.iter().map(|cell| cell.of(row)).collect();
        let relation = probe.relation.borrow();
        relation.each(probe.order, &prefix, &mut |found| {
            self.env.watch.tick()?;
            let kept = self.emit(row, taken(&probe.takes, found))?;
            Ok(!(kept && probe.once))
        })
    }

    /// Asks the rule for all rows of the batch at once, then looks the answers up row by row.
    fn call(&mut self, call: &Call<'s>, rows: &[u64]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut wanted = Vec::new();
        for row in rows.chunks_exact(self.width) {
            wanted.extend(call.demand.iter().map(|cell| cell.of(row)));
        }
        demand::answer(self.env, &call.component, call.variant, &wanted)?;
        let Probe { relation, order, prefix, takes, once } = &call.probe;
        // Answers are copied out before they are handed on: a step behind this one may ask the same
        // rule, which then grows the relation.
        let (mut answers, mut width) = (Vec::new(), 1);
        self.each(rows, |flow, row| {
            let prefix: Vec<u64> = prefix.iter().map(|cell| cell.of(row)).collect();
            answers.clear();
            relation.borrow().each(*order, &prefix, &mut |found| {
                flow.env.watch.tick()?;
                width = found.len();
                answers.extend_from_slice(found);
                Ok(true)
            })?;
            for found in answers.chunks_exact(width) {
                if flow.emit(row, taken(takes, found))? && *once {
                    break;
                }
            }
            Ok(())
        })
    }

    fn search(&mut self, search: &Search<'s>, rows: &[u64]) -> Result<(), Error> {
        let Search { graph, ends, fills, same } = search;
        let mut found = Vec::new();
        let (given, fill) = match (ends, fills) {
            ([Some(from), Some(to)], _) => {
                // Rows that begin at the same place share a search.
                let mut order: Vec<&[u64]> = rows.chunks_exact(self.width).collect();
                order.sort_by_key(|row| from.of(row));
                return order.into_iter().try_for_each(|row| {
                    let reached = graph.reaches(self.env, from.of(row), to.of(row))?;
                    if reached { self.pass(row) } else { Ok(()) }
                });
            }
            ([Some(from), None], [_, fill]) => (from, fill),
            ([None, Some(to)], [fill, _]) => (to, fill),
            ([None, None], [x, y]) => {
                return self.each(rows, |flow, row| {
                    let mut row = row.to_vec();
                    graph.pairs(flow.env, |from, found| {
                        if *same && !found.contains(&from) {
                            return Ok(());
                        }
                        if let Some(place) = x.and_then(|slot| row.get_mut(slot)) {
                            *place = from;
                        }
                        match y.filter(|_| !*same) {
                            Some(slot) => flow.fill(&row, slot, found),
                            None => flow.pass(&row),
                        }
                    })
                });
            }
        };
        self.each(rows, |flow, row| {
            found.clear();
            graph.reach(flow.env, given.of(row), &mut found)?;
            match fill {
                Some(slot) => flow.fill(row, *slot, &found),
                None if found.is_empty() => Ok(()),
                None => flow.pass(row),
            }
        })
    }

    fn apply(&mut self, apply: &Apply, row: &[u64]) -> Result<(), Error> {
        let mut args = Vec::with_capacity(apply.args.len());
        for arg in &apply.args {
            args.push(match arg {
                ArgCell::Cell(cell) => self.env.space.value(cell.of(row))?,
                ArgCell::Value(value) => value.clone(),
            });
        }
        let value = apply.function.call(&args)?;
        self.bind(apply, &value, row)
    }

    /// Keeps the row if the value is true, or once for each way to bind it.
    fn bind(&mut self, apply: &Apply, value: &Value, row: &[u64]) -> Result<(), Error> {
        let Some(binding) = &apply.binding else {
            return if truthy(value) { self.pass(row) } else { Ok(()) };
        };
        if *value == Value::Nil {
            return Ok(());
        }
        let mut rows = Vec::new();
        take_apart(self.env, binding, value, &mut rows)?;
        for words in rows {
            self.env.watch.tick()?;
            self.emit(row, taken(&apply.takes, &words))?;
        }
        Ok(())
    }

    fn consult(&mut self, consult: &Consult<'s>, row: &[u64]) -> Result<(), Error> {
        let word = self.env.entity(consult.at, consult.entity.of(row))?;
        let entity = Word::from_raw(word).as_entity();
        let mut found = None;
        if let Some(entity) = entity {
            let mut reader = consult.source.reader(Index::Eavt);
            for (attribute, name) in &consult.attributes {
                reader.scan(&[entity, *attribute], |key| {
                    self.env.watch.scan()?;
                    found = Some((name, Index::Eavt.datom(key).v));
                    Ok(false)
                })?;
                if found.is_some() {
                    break;
                }
            }
        }
        let value = match (consult.lookup, found) {
            (Lookup::Missing, found) => Value::Bool(found.is_none()),
            (Lookup::GetElse, Some((_, word))) => value_of(consult.source, word)?,
            (Lookup::GetElse, None) => match consult.default {
                Some(cell) => self.env.space.value(cell.of(row))?,
                None => Value::Nil,
            },
            (Lookup::GetSome, Some((name, word))) => {
                Value::Vector(vec![name.clone(), value_of(consult.source, word)?])
            }
            (Lookup::GetSome, None) => Value::Nil,
        };
        self.bind(&consult.apply, &value, row)
    }

    /// Keeps the rows of the batch for which the plan makes none.
    fn not(&mut self, plan: &Plan<'s>, slot: usize, rows: &[u64]) -> Result<(), Error> {
        let width = self.width;
        let mut numbered = rows.to_vec();
        for (number, row) in numbered.chunks_exact_mut(width).enumerate() {
            if let Some(place) = row.get_mut(slot) {
                *place = number as u64;
            }
        }
        let mut hit = vec![false; rows.len() / width];
        run(self.env, plan, width, &numbered, &mut |made| {
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

/// Whether ascending words hold one.
#[inline]
fn has(words: &[u64], word: u64) -> bool {
    if words.len() <= 8 { words.contains(&word) } else { words.binary_search(&word).is_ok() }
}

/// How much longer a list must be before it is searched and not read.
const LONGER: usize = 8;

/// Appends what two ascending lists both have: a merge, or a search in the longer one, galloping.
fn common(a: &[u64], b: &[u64], into: &mut Vec<u64>) {
    let (short, mut long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if long.len() / LONGER > short.len() {
        for word in short {
            let mut step = 1;
            while long.get(step - 1).is_some_and(|other| other < word) {
                step *= 2;
            }
            let near = long.get(step / 2..step.min(long.len())).unwrap_or_default();
            let at = step / 2 + near.partition_point(|other| other < word);
            long = long.get(at..).unwrap_or_default();
            if long.first() == Some(word) {
                into.push(*word);
            }
        }
        return;
    }
    let (mut i, mut j) = (0, 0);
    while let (Some(x), Some(y)) = (short.get(i), long.get(j)) {
        if x == y {
            into.push(*x);
        }
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
}

fn taken<'t>(takes: &'t [(usize, Take)], found: &'t [u64]) -> impl Iterator<Item = (Take, u64)> {
    takes.iter().map(|(column, take)| (*take, found.get(*column).copied().unwrap_or(0)))
}

/// The rows of words that a value gives a binding's variables, in the order of the variables. A
/// value of another form than the binding is an error: it would silently match nothing.
pub(crate) fn take_apart(
    env: &Env<'_>,
    binding: &Binding,
    value: &Value,
    rows: &mut Vec<Vec<u64>>,
) -> Result<(), Error> {
    match binding {
        Binding::Ignore => rows.push(Vec::new()),
        Binding::Scalar(_) => rows.push(vec![env.space.word(value)?]),
        Binding::Tuple(parts) => {
            let items = value.as_slice().filter(|items| items.len() >= parts.len());
            let Some(items) = items else {
                let message = format!("{value} is no tuple of {} elements", parts.len());
                return Err(Error::syntax(message));
            };
            let mut made = vec![Vec::new()];
            for (part, item) in parts.iter().zip(items) {
                let mut inner = Vec::new();
                take_apart(env, part, item, &mut inner)?;
                env.watch.rows(made.len().saturating_mul(inner.len()))?;
                made = made
                    .iter()
                    .flat_map(|row| inner.iter().map(move |more| [row.as_slice(), more].concat()))
                    .collect();
            }
            rows.append(&mut made);
        }
        Binding::Collection(inner) => {
            let pair = |(k, v): (&Value, &Value)| Value::Vector(vec![k.clone(), v.clone()]);
            match value {
                Value::Vector(items) | Value::List(items) => {
                    items.iter().try_for_each(|item| take_apart(env, inner, item, rows))?;
                }
                Value::Set(items) => {
                    items.iter().try_for_each(|item| take_apart(env, inner, item, rows))?;
                }
                Value::Map(map) => {
                    map.iter().try_for_each(|e| take_apart(env, inner, &pair(e), rows))?;
                }
                other => {
                    return Err(Error::syntax(format!("{other} is no collection")));
                }
            }
            env.watch.rows(rows.len())?;
        }
    }
    Ok(())
}

fn value_of(source: &dyn Source, word: Word) -> Result<Value, Error> {
    Value::from_inline(word).map_or_else(|| source.value(word), Ok)
}
