//! Leapfrog joins: datafrog's [`Leaper`] on an index of the slab.
//!
//! A leaper stands for one pattern in which one variable is free. For a row it says how many values
//! the index has for the variable (`count`, from the counts in the tree), lends them straight from
//! the index (`propose`), or strikes out of somebody else's proposal what it does not have
//! (`intersect`, galloping). The leaper with the fewest proposes and all others intersect: no
//! relation is ever copied, and the work is bounded by the worst case of the smallest answer.
//!
//! 1. The free variable's words follow the prefix directly in the index, so they come in order.
//! 2. Proposals are words of keys. Where the variable is an entity they compare by their payload,
//!    because entity positions hold bare ids and value positions whole words.

use std::rc::Rc;

use datafrog::{Leaper, Leapers as Joined};
use datom::Word;

use super::error::Error;
use super::limits::Watch;
use super::source::{Reader, Source, begins};
use super::step::{Cell, Part, parts};
use crate::index::{Index, Key};

/// A row of a batch.
pub(crate) type Row<'r> = &'r [u64];

/// One pattern with one free variable, on the index that has it next.
pub(crate) struct IndexLeaper<'s> {
    source: &'s dyn Source,
    reader: Reader<'s>,
    index: Index,
    prefix: Vec<(Part, Cell)>,
    /// What must follow the variable in the key.
    suffix: Vec<(Part, Cell)>,
    /// Whether the variable is an entity.
    entity: bool,
    /// The prefix counted last, and its count: rows come in order, so it mostly comes again.
    counted: Option<([u64; 3], usize)>,
    watch: Rc<Watch>,
    error: Option<Error>,
}

/// The words of a key that a row fixes.
struct Fixed {
    key: Key,
    prefix: usize,
    /// The words after the variable, and how many.
    suffix: [u64; 2],
    after: usize,
}

impl Fixed {
    fn prefix(&self) -> &[u64] {
        self.key.get(..self.prefix).unwrap_or_default()
    }

    fn suffix(&self) -> &[u64] {
        self.suffix.get(..self.after).unwrap_or_default()
    }

    fn admits(&self, key: &Key) -> bool {
        key.get(self.prefix + 1..).is_some_and(|rest| begins(rest, self.suffix()))
    }
}

impl<'s> IndexLeaper<'s> {
    pub(crate) fn new(
        source: &'s dyn Source,
        index: Index,
        prefix: Vec<(Part, Cell)>,
        suffix: Vec<(Part, Cell)>,
        entity: bool,
        watch: Rc<Watch>,
    ) -> Self {
        let reader = source.reader(index);
        Self { source, reader, index, prefix, suffix, entity, counted: None, watch, error: None }
    }

    /// The part the variable stands in.
    fn part(&self) -> Part {
        parts(self.index).get(self.prefix.len()).copied().unwrap_or(Part::Value)
    }

    /// `None` where no key can have the row's words.
    fn fixed(&self, row: Row<'_>) -> Option<Fixed> {
        let mut fixed = Fixed { key: [0; 5], prefix: self.prefix.len(), suffix: [0; 2], after: 0 };
        for (slot, (part, cell)) in fixed.key.iter_mut().zip(&self.prefix) {
            *slot = part.key_word(cell.of(row))?;
        }
        for (slot, (part, cell)) in fixed.suffix.iter_mut().zip(&self.suffix) {
            *slot = part.key_word(cell.of(row))?;
            fixed.after += 1;
        }
        Some(fixed)
    }

    fn keep(&mut self, result: Result<(), Error>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }

    fn strike(&mut self, row: Row<'_>, values: &mut Vec<&'s u64>) -> Result<(), Error> {
        let Some(fixed) = self.fixed(row) else {
            values.clear();
            return Ok(());
        };
        let part = self.part();
        let at = fixed.prefix;
        let mut target = fixed.key;
        self.reader.rewind(fixed.prefix())?;
        let mut error = None;
        values.retain(|value| {
            let word = if self.entity { as_part(**value, part) } else { **value };
            target[at] = word;
            target[at + 1..].fill(0);
            for (slot, word) in target[at + 1..].iter_mut().zip(fixed.suffix()) {
                *slot = *word;
            }
            let found = self.watch.scan().and_then(|()| self.reader.advance(&target));
            match found {
                Ok(found) => found.is_some_and(|key| {
                    begins(key, target.get(..=at).unwrap_or_default()) && fixed.admits(key)
                }),
                Err(failed) => {
                    error.get_or_insert(failed);
                    false
                }
            }
        });
        error.map_or(Ok(()), Err)
    }
}

/// The word that a key has at `part` for an entity, given as a bare id or as a whole word.
fn as_part(word: u64, part: Part) -> u64 {
    let id = Word::from_raw(word).payload();
    if part == Part::Entity { id } else { Word::entity(id).raw() }
}

impl<'s, 'r> Leaper<'s, Row<'r>, u64> for IndexLeaper<'s> {
    fn count(&mut self, row: &Row<'r>) -> usize {
        let Some(fixed) = self.fixed(row) else { return 0 };
        let [x, y, z, ..] = fixed.key;
        if let Some((prefix, count)) = self.counted
            && prefix == [x, y, z]
        {
            return count;
        }
        match self.source.count(self.index, fixed.prefix()) {
            Ok(count) => {
                // The greatest number is how datafrog says "no proposal".
                let count = usize::try_from(count).unwrap_or(usize::MAX).min(usize::MAX - 1);
                self.counted = Some(([x, y, z], count));
                count
            }
            Err(error) => {
                self.keep(Err(error));
                0
            }
        }
    }

    fn propose(&mut self, row: &Row<'r>, values: &mut Vec<&'s u64>) {
        let Some(fixed) = self.fixed(row) else { return };
        let watch = self.watch.clone();
        let result = self.reader.lend(fixed.prefix(), |key| {
            watch.scan()?;
            if fixed.admits(key)
                && let Some(word) = key.get(fixed.prefix)
                && values.last().is_none_or(|last| *last != word)
            {
                values.push(word);
            }
            Ok(true)
        });
        self.keep(result);
    }

    fn intersect(&mut self, row: &Row<'r>, values: &mut Vec<&'s u64>) {
        let result = self.strike(row, values);
        self.keep(result);
    }
}

/// The patterns that restrict one variable.
pub(crate) struct Leapers<'s> {
    leapers: Vec<IndexLeaper<'s>>,
    /// Whether the variable is an entity, so that proposals compare by payload.
    entity: bool,
    values: Vec<&'s u64>,
}

impl<'s, 'r> Joined<'s, Row<'r>, u64> for Leapers<'s> {
    fn for_each_count(&mut self, row: &Row<'r>, mut op: impl FnMut(usize, usize)) {
        for (at, leaper) in self.leapers.iter_mut().enumerate() {
            op(at, leaper.count(row));
        }
    }

    fn propose(&mut self, row: &Row<'r>, min_index: usize, values: &mut Vec<&'s u64>) {
        if let Some(leaper) = self.leapers.get_mut(min_index) {
            leaper.propose(row, values);
        }
    }

    fn intersect(&mut self, row: &Row<'r>, min_index: usize, values: &mut Vec<&'s u64>) {
        for (at, leaper) in self.leapers.iter_mut().enumerate() {
            if at != min_index && !values.is_empty() {
                leaper.intersect(row, values);
            }
        }
    }
}

impl<'s> Leapers<'s> {
    pub(crate) fn new(leapers: Vec<IndexLeaper<'s>>, entity: bool) -> Self {
        Self { leapers, entity, values: Vec::new() }
    }

    pub(crate) fn indexes(&self) -> impl Iterator<Item = Index> {
        self.leapers.iter().map(|leaper| leaper.index)
    }

    /// The words the variable can have for a row, as queries see them.
    pub(crate) fn join(
        &mut self,
        row: Row<'_>,
        mut take: impl FnMut(u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (mut least, mut proposer) = (usize::MAX, 0);
        self.for_each_count(&row, |at, count| {
            if count < least {
                (least, proposer) = (count, at);
            }
        });
        let mut values = std::mem::take(&mut self.values);
        values.clear();
        if least > 0 {
            self.propose(&row, proposer, &mut values);
            // Entities proposed from a value position stand in the same order as bare ids: their
            // words differ by the tag alone.
            self.intersect(&row, proposer, &mut values);
        }
        for leaper in &mut self.leapers {
            if let Some(error) = leaper.error.take() {
                return Err(error);
            }
        }
        for value in values.drain(..) {
            let word = if self.entity {
                Word::entity(Word::from_raw(*value).payload()).raw()
            } else {
                *value
            };
            take(word)?;
        }
        self.values = values;
        Ok(())
    }
}
