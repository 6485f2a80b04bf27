//! Comparisons with the words that a step finds, and the range of values that they leave.

use datom::{Tag, Word};

use super::super::aggregate::order_as_words;
use super::super::env::Env;
use super::super::error::Error;
use super::super::function::Comparison;
use super::super::source::Reader;
use super::super::step::Keep;
use crate::index::Key;

/// Comparisons, and the row that has the words to compare with.
pub(super) struct Kept<'e, 's> {
    pub(super) env: &'e Env<'s>,
    pub(super) keep: &'e [Keep],
    pub(super) row: &'e [u64],
}

impl Kept<'_, '_> {
    /// Whether a word passes.
    #[inline]
    pub(super) fn holds(&self, word: u64) -> Result<bool, Error> {
        for Keep { comparison, cell } in self.keep {
            let other = cell.of(self.row);
            let ordering = match order_as_words(word, other) {
                true => word.cmp(&other),
                false => self.env.space.compare(word, other)?,
            };
            if !comparison.holds(ordering) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The words of one kind that can pass, where words of this kind are ordered as their values are: from the
    /// first to the last. The others are to be compared.
    fn interval(&self) -> Option<(u64, u64, Tag)> {
        let tag = Word::from_raw(self.keep.first()?.cell.of(self.row)).tag();
        let (mut first, mut last) =
            (Word::new(tag, 0).raw(), Word::new(tag, Word::PAYLOAD_LIMIT - 1).raw());
        for Keep { comparison, cell } in self.keep {
            let word = cell.of(self.row);
            if !order_as_words(word, first) {
                return None;
            }
            match comparison {
                Comparison::Less => last = last.min(word.saturating_sub(1)),
                Comparison::LessEqual => last = last.min(word),
                Comparison::Greater => first = first.max(word.saturating_add(1)),
                Comparison::GreaterEqual => first = first.max(word),
                Comparison::Equal => (first, last) = (first.max(word), last.min(word)),
                Comparison::NotEqual => {}
            }
        }
        Some((first, last, tag))
    }

    /// Shows the keys of an attribute in AVET whose values pass, in their order.
    pub(super) fn range(
        &self,
        reader: &mut Reader<'_>,
        attribute: u64,
        mut take: impl FnMut(&Key) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let watch = &self.env.watch;
        let mut each = |first: u64, last: u64, all: bool| {
            reader.between(attribute, first, last, |run| {
                watch.scan_many(run.len())?;
                for key in run {
                    if all || self.holds(key[1])? {
                        take(key)?;
                    }
                }
                Ok(())
            })
        };
        let Some((first, last, tag)) = self.interval() else { return each(0, u64::MAX, false) };
        let (least, most) =
            (Word::new(tag, 0).raw(), Word::new(tag, Word::PAYLOAD_LIMIT - 1).raw());
        if let Some(below) = least.checked_sub(1) {
            each(0, below, false)?;
        }
        if first <= last {
            // Between the ends whatever is not excluded one by one passes.
            let unequal = |keep: &Keep| matches!(keep.comparison, Comparison::NotEqual);
            each(first, last, !self.keep.iter().any(unequal))?;
        }
        match most.checked_add(1) {
            Some(above) => each(above, u64::MAX, false),
            None => Ok(()),
        }
    }
}
