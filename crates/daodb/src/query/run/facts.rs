//! Steps that read facts: whole attributes, looks, leapfrog joins, scans of an index.

use super::super::error::Error;
use super::super::source::{Reader, Source};
use super::super::step::{All, Follow, Meet, Part, Scan, Then};
use super::super::tools::{Kind, misplaced};
use super::Flow;
use crate::index::{Index, Key};

impl<'s> Flow<'_, '_, 's> {
    pub(super) fn all(&mut self, all: &All, row: &[u64]) -> Result<(), Error> {
        let Kind::Side(pairs) = &self.tool.kind else { return Err(misplaced()) };
        let mut pairs = pairs.borrow_mut();
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

    pub(super) fn follow(&mut self, follow: &Follow, rows: &[u64]) -> Result<(), Error> {
        let Kind::Side(pairs) = &self.tool.kind else { return Err(misplaced()) };
        let mut pairs = pairs.borrow_mut();
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
    pub(super) fn meet(&mut self, meet: &Meet, rows: &[u64]) -> Result<(), Error> {
        let Kind::Sides(sides) = &self.tool.kind else { return Err(misplaced()) };
        let mut sides = sides.borrow_mut();
        let (mut words, mut next) = (Vec::new(), Vec::new());
        for row in rows.chunks_exact(self.width) {
            words.clear();
            if let ([first, second], [(_, x), (_, y)]) = (sides.as_mut_slice(), &*meet.members) {
                common(first.of(x.of(row))?, second.of(y.of(row))?, &mut words);
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
