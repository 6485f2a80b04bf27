//! Steps that read facts: whole attributes, looks, leapfrog joins, scans of an index.

use datom::Word;

use super::super::error::Error;
use super::super::pairs::Pairs;
use super::super::source::{Reader, Source};
use super::super::step::{All, Cell, Follow, Meet, Part, Scan, Then};
use super::super::tools::{Kind, misplaced};
use super::kept::Kept;
use super::{BATCH, Flow};
use crate::index::{Index, Key};

impl<'s> Flow<'_, '_, 's> {
    pub(super) fn all(&mut self, all: &All, row: &[u64]) -> Result<(), Error> {
        let env = self.env;
        let kept = Kept { env, keep: &all.keep, row };
        let mut found = Vec::with_capacity(BATCH);
        let mut take = |flow: &mut Self, key: u64, value: u64| {
            found.push((key, value));
            if found.len() >= BATCH { flow.spread(all, row, &mut found) } else { Ok(()) }
        };
        match &self.tool.kind {
            Kind::Index(reader) => {
                kept.range(&mut reader.borrow_mut(), all.side.attribute, |key| {
                    let (value, entity) = (key[1], Word::entity(key[2]).raw());
                    take(self, entity, value)
                })?
            }
            Kind::Side(pairs) => pairs.borrow_mut().each(|key, values| {
                if all.value.is_none() {
                    for value in values {
                        if kept.holds(*value)? {
                            return take(self, key, *value);
                        }
                    }
                    return Ok(());
                }
                for value in values {
                    if kept.holds(*value)? {
                        take(self, key, *value)?;
                    }
                }
                Ok(())
            })?,
            _ => return Err(misplaced()),
        }
        self.spread(all, row, &mut found)
    }

    /// Hands on a row once for each entity and value, which are then gone.
    fn spread(&mut self, all: &All, row: &[u64], found: &mut Vec<(u64, u64)>) -> Result<(), Error> {
        // A slot beyond the row takes what nobody reads.
        let slots = [all.entity, all.value].map(|slot| slot.unwrap_or(usize::MAX));
        macro_rules! widths {
            ($($n:literal)*) => {
                match self.width {
                    $($n => spread::<$n>(&mut self.out, row, slots, found),)*
                    _ => {
                        for (key, value) in found.iter() {
                            let base = self.out.len();
                            self.out.extend_from_slice(row);
                            let made = self.out.get_mut(base..).unwrap_or_default();
                            put(made, slots, *key, *value);
                        }
                    }
                }
            };
        }
        widths!(1 2 3 4 5 6 7 8);
        found.clear();
        self.full()
    }

    pub(super) fn follow(&mut self, follow: &Follow, rows: &[u64]) -> Result<(), Error> {
        let Kind::Side(pairs) = &self.tool.kind else { return Err(misplaced()) };
        let mut pairs = pairs.borrow_mut();
        macro_rules! widths {
            ($($n:literal)*) => {
                match (follow.then, self.width) {
                    $((Then::Fill(slot), $n) if follow.keep.is_empty() => {
                        return self.look::<$n>(&mut pairs, follow.key, slot, rows);
                    })*
                    _ => {}
                }
            };
        }
        widths!(1 2 3 4 5 6 7 8);
        let mut held = Vec::new();
        for row in rows.chunks_exact(self.width) {
            let mut found = pairs.of(follow.key.of(row))?;
            if !follow.keep.is_empty() {
                let kept = Kept { env: self.env, keep: &follow.keep, row };
                held.clear();
                for word in found {
                    if kept.holds(*word)? {
                        held.push(*word);
                    }
                }
                found = &held;
            }
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

    /// Looks for rows of a known width, which are copied in registers.
    fn look<const N: usize>(
        &mut self,
        pairs: &mut Pairs<'s>,
        key: Cell,
        slot: usize,
        rows: &[u64],
    ) -> Result<(), Error> {
        for row in rows.as_chunks::<N>().0 {
            let found = pairs.of(key.of(row))?;
            if found.len() > BATCH {
                self.fill(row, slot, found)?;
                continue;
            }
            for word in found {
                let mut made = *row;
                if let Some(place) = made.get_mut(slot) {
                    *place = *word;
                }
                self.out.extend_from_slice(&made);
            }
            self.full()?;
        }
        Ok(())
    }

    /// The words that all members have for the row: the shortest list, and of it what the others
    /// have, too.
    pub(super) fn meet(&mut self, meet: &Meet, rows: &[u64]) -> Result<(), Error> {
        let Kind::Sides(sides) = &self.tool.kind else { return Err(misplaced()) };
        let mut sides = sides.borrow_mut();
        let (mut words, mut next) = (Vec::new(), Vec::new());
        for row in rows.chunks_exact(self.width) {
            words.clear();
            if let ([first, second], [(_, x), (_, y)]) = (sides.as_mut_slice(), &*meet.members) {
                let first = first.of(x.of(row))?;
                if first.is_empty() {
                    continue;
                }
                common(first, second.of(y.of(row))?, &mut words);
            } else {
                let sides = sides.iter_mut().zip(&meet.members);
                let lists = sides.map(|(pairs, (_, cell))| pairs.of(cell.of(row)));
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

    pub(super) fn scan(&mut self, scan: &Scan, row: &[u64]) -> Result<(), Error> {
        let env = self.env;
        let source = env.facts(scan.at).ok_or_else(misplaced)?;
        let mut prefix = [0; 3];
        let mut length = 0;
        for (place, (part, cell)) in prefix.iter_mut().zip(&scan.prefix) {
            let mut word = cell.of(row);
            if scan.foreign && *part == Part::Value {
                match env.space.export(source, word)? {
                    Some(own) => word = own,
                    None => return Ok(()),
                }
            }
            let Some(word) = part.key_word(word) else { return Ok(()) };
            *place = word;
            length += 1;
        }
        let prefix = prefix.get(..length).unwrap_or_default();
        let tool = self.tool;
        let take = |key: &Key| {
            env.watch.scan()?;
            let kept = self.fact(scan, source, key, row)?;
            Ok(!(kept && scan.once))
        };
        match (&tool.kind, scan.by_value) {
            (Kind::Sorted(made), Some(attribute)) => {
                let known = made.borrow().clone();
                let rows = match known {
                    Some(rows) => rows,
                    None => env.by_value(scan.at, attribute)?,
                };
                *made.borrow_mut() = Some(rows.clone());
                Reader::Run { rows: &rows, at: 0 }.scan(prefix, take)
            }
            (Kind::Index(reader), None) => reader.borrow_mut().scan(prefix, take),
            _ => Err(misplaced()),
        }
    }

    fn fact(
        &mut self,
        scan: &Scan,
        source: &'s dyn Source,
        key: &Key,
        row: &[u64],
    ) -> Result<bool, Error> {
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
                word = self.env.space.import(source, word)?;
            }
            found.push((*take, word));
        }
        self.emit(row, found.into_iter())
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

/// Puts two words into the slots of a row that it has.
#[inline]
fn put(row: &mut [u64], slots: [usize; 2], key: u64, value: u64) {
    if let Some(place) = row.get_mut(slots[0]) {
        *place = key;
    }
    if let Some(place) = row.get_mut(slots[1]) {
        *place = value;
    }
}

/// Appends a row of `N` words once for each pair.
fn spread<const N: usize>(
    out: &mut Vec<u64>,
    row: &[u64],
    slots: [usize; 2],
    found: &[(u64, u64)],
) {
    let Some(row) = row.first_chunk::<N>() else { return };
    out.reserve(N * found.len());
    for (key, value) in found {
        let mut made = *row;
        put(&mut made, slots, *key, *value);
        out.extend_from_slice(&made);
    }
}
