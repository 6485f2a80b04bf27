//! Rows as a set.
//!
//! 1. Rows that come in ascending order are distinct, and so are those that the plan shows to be: nothing is
//!    looked up. From the first other row on a table says where each row stands.
//! 2. Rows that are wanted in order are sorted in the end, which tells them apart without a table; before that
//!    whenever they have become twice as many.
//! 3. The table is flat: of each row the half of its hash that says where it is looked for, beside its number.
//!    So a row that is new is mostly told by one look, and a table that grows reads no row.

use std::hash::{BuildHasher, Hasher};

use super::error::Error;
use super::limits::Watch;
use super::sort::sort;
use crate::mix::Mix;

/// Places before the table grows for the first time.
const PLACES_MIN: usize = if cfg!(test) { 4 } else { 1 << 10 };
/// Rows that are sorted in one go.
const PIECE: usize = if cfg!(test) { 8 } else { 1 << 20 };
/// Rows that are looked for between two looks at the limits.
const STRIDE: usize = if cfg!(test) { 4 } else { 1024 };

/// Words held before rows that are to be sorted are sorted for the first time.
const HELD_MIN: usize = if cfg!(test) { 8 } else { 1 << 16 };

/// How rows are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// They are distinct.
    Known,
    /// They are looked up as they come.
    Table,
    /// They are sorted, and wanted so.
    Sorted,
}

/// Collects rows of words and keeps the distinct ones.
pub(crate) struct Distinct {
    width: usize,
    words: Vec<u64>,
    how: How,
    /// Whether rows are wanted in the order of their words.
    ordered: bool,
    /// Whether every row was above the one before it.
    ascending: bool,
    table: Table,
    /// Words at which rows are sorted next.
    next: usize,
    /// Bytes that the limits know of.
    held: usize,
    /// Words that were handed on by [`Distinct::fresh`].
    told: usize,
}

impl Distinct {
    /// Rows of so many words, maybe known to be distinct, maybe wanted in the order of their words.
    pub(crate) fn new(width: usize, known: bool, ordered: bool) -> Self {
        let how = match (known, ordered) {
            (true, _) => How::Known,
            (false, false) => How::Table,
            (false, true) => How::Sorted,
        };
        Self {
            width: width.max(1),
            words: Vec::new(),
            how,
            ordered,
            ascending: true,
            table: Table::default(),
            next: HELD_MIN,
            held: 0,
            told: 0,
        }
    }

    /// Takes the words of some slots of rows of so many words.
    pub(crate) fn take(
        &mut self,
        rows: &[u64],
        width: usize,
        slots: &[usize],
        watch: &Watch,
    ) -> Result<(), Error> {
        self.words.reserve(rows.len() / width * self.width);
        // Rows of a known width are copied in registers.
        match *slots {
            [] => self.append(rows, width, [usize::MAX], watch)?,
            [a] => self.append(rows, width, [a], watch)?,
            [a, b] => self.append(rows, width, [a, b], watch)?,
            [a, b, c] => self.append(rows, width, [a, b, c], watch)?,
            [a, b, c, d] => self.append(rows, width, [a, b, c, d], watch)?,
            _ => self.append_any(rows, width, slots, watch)?,
        }
        let bytes = size_of::<u64>() * self.words.capacity() + self.table.bytes();
        watch.grow(&mut self.held, bytes)?;
        if self.how == How::Sorted && !self.ascending && self.words.len() >= self.next {
            self.sort(watch)?;
            self.next = (2 * self.words.len()).max(HELD_MIN);
        }
        Ok(())
    }

    /// Whether the next row is looked up.
    fn looks_up(&self) -> bool {
        self.how == How::Table && !self.ascending
    }

    fn append<const N: usize>(
        &mut self,
        rows: &[u64],
        width: usize,
        slots: [usize; N],
        watch: &Watch,
    ) -> Result<(), Error> {
        let mut before = self.words.last_chunk::<N>().copied();
        let mut rows = rows.chunks_exact(width);
        while !self.looks_up() {
            let Some(row) = rows.next() else { return Ok(()) };
            let made = slots.map(|slot| row.get(slot).copied().unwrap_or(0));
            if self.ascending {
                self.ascending = before.is_none_or(|before| before < made);
                before = Some(made);
                if self.looks_up() {
                    self.look_up(made, watch)?;
                    break;
                }
            }
            self.words.extend_from_slice(&made);
        }
        for (at, row) in rows.enumerate() {
            if at % STRIDE == 0 {
                watch.steps(STRIDE)?;
            }
            self.look_up(slots.map(|slot| row.get(slot).copied().unwrap_or(0)), watch)?;
        }
        Ok(())
    }

    /// Takes a row unless the table knows it.
    #[inline]
    fn look_up<const N: usize>(&mut self, row: [u64; N], watch: &Watch) -> Result<(), Error> {
        self.table.make_room(&self.words, N, watch)?;
        let known = |number: usize| self.words.as_chunks::<N>().0.get(number) == Some(&row);
        if self.table.is_new(&row, self.words.len() / N, known) {
            self.words.extend_from_slice(&row);
        }
        Ok(())
    }

    fn append_any(
        &mut self,
        rows: &[u64],
        width: usize,
        slots: &[usize],
        watch: &Watch,
    ) -> Result<(), Error> {
        let mut made = vec![0; self.width];
        for row in rows.chunks_exact(width) {
            for (word, slot) in made.iter_mut().zip(slots) {
                *word = row.get(*slot).copied().unwrap_or(0);
            }
            if self.ascending {
                let before = self.words.rchunks_exact(self.width).next();
                self.ascending = before.is_none_or(|before| before < &*made);
            }
            if !self.looks_up() {
                self.words.extend_from_slice(&made);
                continue;
            }
            watch.tick()?;
            self.table.make_room(&self.words, self.width, watch)?;
            let (words, width) = (&self.words, self.width);
            let known = |number: usize| words.get(number * width..(number + 1) * width);
            let is_known = |number| known(number) == Some(&made);
            if self.table.is_new(&made, words.len() / width, is_known) {
                self.words.extend_from_slice(&made);
            }
        }
        Ok(())
    }

    /// Takes the rows that another one has.
    pub(crate) fn join(&mut self, other: Self, watch: &Watch) -> Result<(), Error> {
        if self.words.is_empty() {
            *self = other;
        } else if self.how != How::Table {
            self.words.extend_from_slice(&other.words);
            self.ascending &= other.words.is_empty();
        } else {
            let slots: Vec<usize> = (0..self.width).collect();
            self.take(&other.words, self.width, &slots, watch)?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn rows(&self) -> usize {
        self.words.len() / self.width
    }

    /// The rows that were not there when this was asked before. Those that are known to be distinct are not
    /// held any longer.
    pub(crate) fn fresh(&mut self) -> Vec<u64> {
        if self.how == How::Known {
            return std::mem::take(&mut self.words);
        }
        let fresh = self.words.get(self.told..).unwrap_or_default().to_vec();
        self.told = self.words.len();
        fresh
    }

    /// Sorts rows, and keeps one of those that are equal.
    fn sort(&mut self, watch: &Watch) -> Result<(), Error> {
        macro_rules! widths {
            ($($n:literal)*) => {
                match self.width {
                    $($n => {
                        let _rows = watch.hold(size_of_val(&*self.words))?;
                        let mut rows = self.words.as_chunks::<$n>().0.to_vec();
                        sort(&mut rows, PIECE, watch, Ord::cmp)?;
                        rows.dedup();
                        self.words = rows.into_flattened();
                    })*
                    width => {
                        let rows = self.words.chunks_exact(width);
                        let _rows = watch.hold(size_of_val(&*self.words) + rows.len() * size_of::<&[u64]>())?;
                        let mut rows: Vec<&[u64]> = rows.collect();
                        sort(&mut rows, PIECE, watch, Ord::cmp)?;
                        rows.dedup();
                        self.words = rows.concat();
                    }
                }
            };
        }
        widths!(1 2 3 4 5 6 7 8);
        Ok(())
    }

    /// The distinct rows, in the order of their words if that is wanted.
    pub(crate) fn finish(mut self, watch: &Watch) -> Result<Vec<u64>, Error> {
        if self.ordered && !self.ascending {
            self.sort(watch)?;
        }
        Ok(self.words)
    }
}

/// Where rows stand, by their hash.
#[derive(Default)]
struct Table {
    /// A row's number from 1 below the upper half of its hash, 0 where there is none; looked for from the place
    /// on that the hash says. A power of two in length, and at most half full.
    places: Vec<u64>,
    mix: Mix,
}

impl Table {
    fn bytes(&self) -> usize {
        size_of::<u64>() * self.places.len()
    }

    fn hash(&self, row: &[u64]) -> u64 {
        let mut hasher = self.mix.build_hasher();
        row.iter().for_each(|word| hasher.write_u64(*word));
        hasher.finish() & !u64::from(u32::MAX)
    }

    /// Where a hash is looked for first: places are in the order of hashes, so that a table that grows is read
    /// and written from one end to the other.
    fn begin(&self, hash: u64) -> usize {
        (hash >> (u64::BITS - self.places.len().trailing_zeros())) as usize
    }

    /// Makes room for one row more than the words are.
    #[inline]
    fn make_room(&mut self, words: &[u64], width: usize, watch: &Watch) -> Result<(), Error> {
        let rows = words.len() / width;
        if 2 * rows < self.places.len() { Ok(()) } else { self.grow(words, width, watch) }
    }

    #[cold]
    fn grow(&mut self, words: &[u64], width: usize, watch: &Watch) -> Result<(), Error> {
        let rows = words.len() / width;
        // So many rows that places in the order of 32 bits of a hash are too few.
        if rows >= 1 << 30 {
            return Err(Error::syntax("more than 1,073,741,824 rows that may come twice"));
        }
        let length = (2 * rows + 1).next_power_of_two().max(PLACES_MIN);
        let _both = watch.hold(size_of::<u64>() * length)?;
        let old = std::mem::replace(&mut self.places, vec![0; length]);
        if old.is_empty() {
            for (number, row) in (1..).zip(words.chunks_exact(width)) {
                watch.tick()?;
                self.put(self.hash(row) | number);
            }
        }
        for (at, place) in old.into_iter().enumerate() {
            if at % STRIDE == 0 {
                watch.steps(STRIDE)?;
            }
            if place != 0 {
                self.put(place);
            }
        }
        Ok(())
    }

    fn put(&mut self, place: u64) {
        let mut at = self.begin(place);
        while self.places.get(at).is_some_and(|place| *place != 0) {
            at = (at + 1) & (self.places.len() - 1);
        }
        if let Some(free) = self.places.get_mut(at) {
            *free = place;
        }
    }

    /// Whether a row is new: from then on it is known by its number, counted from 0. `is_same` says whether a
    /// number is of the same row.
    #[inline]
    fn is_new(&mut self, row: &[u64], number: usize, is_same: impl Fn(usize) -> bool) -> bool {
        let hash = self.hash(row);
        let mut at = self.begin(hash);
        while let Some(place) = self.places.get_mut(at) {
            if *place == 0 {
                *place = hash | (number as u64 + 1);
                return true;
            }
            let same = *place & !u64::from(u32::MAX) == hash;
            if same && is_same((*place as u32 - 1) as usize) {
                return false;
            }
            at = (at + 1) & (self.places.len() - 1);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::limits::{Limits, Watch};
    use super::*;

    fn rows(width: usize) -> impl Strategy<Value = Vec<Vec<u64>>> {
        prop::collection::vec(prop::collection::vec(0..4_u64, width), 0..80)
    }

    proptest! {
        #[test]
        fn they_are_a_set_and_those_that_are_fresh_come_once(
            (width, batches) in (1..7_usize).prop_flat_map(|width| {
                (Just(width), prop::collection::vec(rows(width), 1..4))
            }),
            sorted: bool,
        ) {
            let watch = Watch::start(&Limits::default());
            let slots: Vec<usize> = (0..width).collect();
            let mut distinct = Distinct::new(width, false, false);
            let mut ordered = Distinct::new(width, false, true);
            let mut model = BTreeSet::new();
            for mut batch in batches {
                if sorted {
                    batch.sort();
                }
                let fresh: Vec<&Vec<u64>> =
                    batch.iter().filter(|row| model.insert((*row).clone())).collect();
                let fresh: Vec<u64> = fresh.into_iter().flatten().copied().collect();
                distinct.take(&batch.concat(), width, &slots, &watch).unwrap();
                prop_assert_eq!(distinct.fresh(), fresh);
                prop_assert_eq!(distinct.rows(), model.len());
                ordered.take(&batch.concat(), width, &slots, &watch).unwrap();
            }
            let all: Vec<u64> = model.iter().flatten().copied().collect();
            prop_assert_eq!(ordered.finish(&watch).unwrap(), all);
            let set: BTreeSet<Vec<u64>> =
                distinct.finish(&watch).unwrap().chunks(width).map(<[u64]>::to_vec).collect();
            prop_assert_eq!(set, model);
        }

        #[test]
        fn two_together_are_the_set_of_both(one in rows(2), other in rows(2), ordered: bool) {
            let watch = Watch::start(&Limits::default());
            let set = |rows: &[Vec<u64>]| {
                let mut distinct = Distinct::new(2, false, ordered);
                distinct.take(&rows.concat(), 2, &[0, 1], &watch).unwrap();
                distinct
            };
            let mut both = set(&one);
            both.join(set(&other), &watch).unwrap();
            let mut both: Vec<Vec<u64>> =
                both.finish(&watch).unwrap().chunks(2).map(<[u64]>::to_vec).collect();
            if !ordered {
                both.sort();
            }
            let model: BTreeSet<Vec<u64>> = one.into_iter().chain(other).collect();
            prop_assert_eq!(both, Vec::from_iter(model));
        }
    }

    #[test]
    fn what_it_holds_is_counted_before_it_is_held() {
        let limits = Limits { max_bytes: Some(10_000), ..Limits::default() };
        let (watch, mut distinct) = (Watch::start(&limits), Distinct::new(1, false, false));
        let mut take = |n: u64| distinct.take(&[n ^ 1], 1, &[0], &watch);
        assert!((0..10_000).any(|n| take(n).is_err()));
        assert!(distinct.rows() < 1_000);
    }
}
