//! Rows by what they have in common.

use datom::Word;

use super::error::Error;
use super::limits::Watch;
use crate::mix::WordHashMap;

/// Groups that were found last, by a few bits of their word: most rows are of one of them.
const NEAR: usize = 256;

/// The groups of rows: one for each distinct combination of some columns, in the order of these columns'
/// words.
pub(crate) struct Groups {
    /// By row: its group.
    of: Vec<u32>,
    /// By group: one of its rows, and how many it has.
    firsts: Vec<u32>,
    counts: Vec<u32>,
}

impl Groups {
    /// The groups of rows of `width` words by the columns `by`; all rows are one where there is none.
    pub(crate) fn new(
        words: &[u64],
        width: usize,
        by: &[usize],
        watch: &Watch,
    ) -> Result<Self, Error> {
        let length = words.len() / width;
        u32::try_from(length)
            .map_err(|_| Error::syntax("more than 4,294,967,295 rows to group"))?;
        let mut groups =
            Self { of: Vec::with_capacity(length), firsts: Vec::new(), counts: Vec::new() };
        match by {
            [] if length == 0 => {}
            [] => groups.all(length),
            [column] => groups.by_one(words, width, *column, watch)?,
            _ => groups.by_many(words, width, by, watch)?,
        }
        Ok(groups)
    }

    /// Of each group one row's number.
    pub(crate) fn firsts(&self) -> impl Iterator<Item = usize> {
        self.firsts.iter().map(|row| *row as usize)
    }

    /// How many rows each group has.
    pub(crate) fn counts(&self) -> &[u32] {
        &self.counts
    }

    fn all(&mut self, length: usize) {
        self.of.resize(length, 0);
        self.firsts.push(0);
        self.counts.push(length as u32);
    }

    fn by_one(
        &mut self,
        words: &[u64],
        width: usize,
        column: usize,
        watch: &Watch,
    ) -> Result<(), Error> {
        let length = words.len() / width;
        let mut places: WordHashMap<u64, u32> = WordHashMap::default();
        let mut keys: Vec<u64> = Vec::new();
        let mut near = [(0, u32::MAX); NEAR];
        for (at, row) in words.chunks_exact(width).enumerate() {
            if at % NEAR == 0 {
                watch.steps(NEAR)?;
            }
            let word = row.get(column).copied().unwrap_or(0);
            let slot = (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize;
            let group = match near.get(slot) {
                Some((same, group)) if *same == word && *group != u32::MAX => *group,
                _ => {
                    let next = keys.len() as u32;
                    let group = *places.entry(word).or_insert(next);
                    if group == next {
                        keys.push(word);
                        self.firsts.push(at as u32);
                        self.counts.push(0);
                    }
                    if let Some(place) = near.get_mut(slot) {
                        *place = (word, group);
                    }
                    group
                }
            };
            self.of.push(group);
            if let Some(count) = self.counts.get_mut(group as usize) {
                *count += 1;
            }
        }
        watch.steps(length)?;
        self.order(&keys);
        Ok(())
    }

    /// Numbers the groups in the order of their keys.
    fn order(&mut self, keys: &[u64]) {
        let mut order: Vec<u32> = (0..keys.len() as u32).collect();
        order.sort_unstable_by_key(|group| keys.get(*group as usize));
        let mut number = vec![0; order.len()];
        for (new, old) in order.iter().enumerate() {
            if let Some(place) = number.get_mut(*old as usize) {
                *place = new as u32;
            }
        }
        let in_order = |all: &[u32]| {
            order.iter().map(|old| all.get(*old as usize).copied().unwrap_or(0)).collect()
        };
        (self.firsts, self.counts) = (in_order(&self.firsts), in_order(&self.counts));
        for group in &mut self.of {
            *group = number.get(*group as usize).copied().unwrap_or(0);
        }
    }

    fn by_many(
        &mut self,
        words: &[u64],
        width: usize,
        by: &[usize],
        watch: &Watch,
    ) -> Result<(), Error> {
        let row = |at: u32| {
            let from = at as usize * width;
            words.get(from..from + width).unwrap_or_default()
        };
        let key = |at: u32| by.iter().map(move |column| row(at).get(*column));
        let length = (words.len() / width) as u32;
        watch.steps(length as usize)?;
        let mut order: Vec<u32> = (0..length).collect();
        order.sort_by(|a, b| key(*a).cmp(key(*b)));
        self.of.resize(words.len() / width, 0);
        for rows in order.chunk_by(|a, b| key(*a).eq(key(*b))) {
            watch.steps(rows.len())?;
            for row in rows {
                if let Some(place) = self.of.get_mut(*row as usize) {
                    *place = self.firsts.len() as u32;
                }
            }
            self.firsts.extend(rows.first());
            self.counts.push(rows.len() as u32);
        }
        Ok(())
    }

    /// What the integers of a column come to, group by group; `None` for a group in which a word is no
    /// integer, or whose sum is none.
    pub(crate) fn fold(
        &self,
        words: &[u64],
        width: usize,
        column: usize,
        watch: &Watch,
    ) -> Result<Vec<Option<Fold>>, Error> {
        let empty = Fold { total: 0, least: u64::MAX, most: 0, is_whole: true };
        let mut folds = vec![empty; self.firsts.len()];
        for (rows, groups) in words.chunks(width * NEAR).zip(self.of.chunks(NEAR)) {
            watch.steps(NEAR)?;
            let column = rows.iter().skip(column).step_by(width);
            for (word, group) in column.zip(groups) {
                if let Some(fold) = folds.get_mut(*group as usize) {
                    fold.take(*word);
                }
            }
        }
        Ok(folds.into_iter().map(|fold| fold.is_whole.then_some(fold)).collect())
    }

    /// The words of a column, group behind group, and where each group ends.
    pub(crate) fn bags(
        &self,
        words: &[u64],
        width: usize,
        column: usize,
        watch: &Watch,
    ) -> Result<(Vec<u64>, Vec<usize>), Error> {
        let mut ends = Vec::with_capacity(self.counts.len());
        let mut total = 0;
        for count in &self.counts {
            ends.push(total);
            total += *count as usize;
        }
        watch.take(size_of::<u64>() * total)?;
        let mut bags = vec![0; total];
        let column = words.iter().skip(column).step_by(width);
        for (word, group) in column.zip(&self.of) {
            watch.tick()?;
            let Some(end) = ends.get_mut(*group as usize) else { continue };
            if let Some(place) = bags.get_mut(*end) {
                *place = *word;
            }
            *end += 1;
        }
        Ok((bags, ends))
    }
}

/// Integers of one group, added up.
#[derive(Clone, Copy)]
pub(crate) struct Fold {
    pub(crate) total: i64,
    /// The words of the least and the greatest.
    pub(crate) least: u64,
    pub(crate) most: u64,
    is_whole: bool,
}

impl Fold {
    #[inline]
    fn take(&mut self, word: u64) {
        let sum = Word::from_raw(word).as_int().and_then(|n| self.total.checked_add(n));
        self.is_whole &= sum.is_some();
        self.total = sum.unwrap_or(0);
        self.least = self.least.min(word);
        self.most = self.most.max(word);
    }
}
