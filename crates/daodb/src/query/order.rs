//! The order of rows: by the keys of `:order-by`, then by all columns, so that it never depends on the plan.
//!
//! 1. Rows are ordered by one column, those that are equal there by the next, and so on. Where words of a column
//!    do not order as their values, each value is made once, and only for rows that are equal in all columns
//!    before.
//! 2. Rows that cannot be among those that are shown stay in the order they have got so far.

use std::mem;
use std::ops::Range;

use datom::Value;

use super::aggregate::order_as_words;
use super::env::Env;
use super::error::Error;
use super::function::compare;
use super::parse::Parsed;
use super::sort::sort;
use super::weight::weight;

/// Words, and values, that are sorted in one go.
const PIECE_WORDS: usize = if cfg!(test) { 4 } else { 1 << 18 };
const PIECE_VALUES: usize = if cfg!(test) { 4 } else { 1 << 14 };

/// The words of the rows that are shown, in their order: no value is made of any other.
pub(crate) fn ordered(
    env: &Env<'_>,
    parsed: &Parsed,
    words: &[u64],
    width: usize,
) -> Result<Vec<u64>, Error> {
    let length = u32::try_from(words.len() / width)
        .map_err(|_| Error::syntax("more than 4,294,967,295 rows to order"))?;
    let shown = parsed.window(length as usize);
    let _rows = env.watch.hold(size_of::<u32>() * length as usize)?;
    let mut rows: Vec<u32> = (0..length).collect();
    let mut orderer = Orderer { env, words, width, keyed: Vec::new(), values: Vec::new() };
    let mut ties: Vec<Range<usize>> = std::iter::once(0..rows.len()).collect();
    let keys = parsed.order.iter().map(|key| (key.column, key.descending));
    let rest = (0..parsed.find.len()).filter(|at| parsed.order.iter().all(|key| key.column != *at));
    for (column, descending) in keys.chain(rest.map(|column| (column, false))) {
        let mut equal = Vec::new();
        for tie in ties {
            if tie.start < shown.end && shown.start < tie.end {
                orderer.by(column, descending, &mut rows, tie, &mut equal)?;
            }
        }
        ties = equal;
    }
    for tie in ties {
        orderer.by_words(rows.get_mut(tie).unwrap_or_default())?;
    }
    let row = |at: &u32| words.chunks_exact(width).nth(*at as usize).unwrap_or_default();
    Ok(rows.get(shown).unwrap_or_default().iter().flat_map(row).copied().collect())
}

/// Orders rows that are known by their numbers.
struct Orderer<'a, 's> {
    env: &'a Env<'s>,
    words: &'a [u64],
    width: usize,
    /// What the last rows were ordered by, kept for its memory.
    keyed: Vec<(u64, u32)>,
    values: Vec<Value>,
}

impl Orderer<'_, '_> {
    /// Orders some of the rows by a column, and tells which of them are equal in it.
    fn by(
        &mut self,
        column: usize,
        descending: bool,
        rows: &mut [u32],
        some: Range<usize>,
        equal: &mut Vec<Range<usize>>,
    ) -> Result<(), Error> {
        let (start, some) = (some.start, rows.get_mut(some).unwrap_or_default());
        let mut keyed = mem::take(&mut self.keyed);
        let word = |row: &u32| self.words.get(*row as usize * self.width + column).copied();
        keyed.clear();
        keyed.extend(some.iter().map(|row| (word(row).unwrap_or(0), *row)));
        let plain = keyed.windows(2).all(|two| match two {
            [(a, _), (b, _)] => order_as_words(*a, *b),
            _ => true,
        });
        let watch = &self.env.watch;
        let _keys = watch.hold(size_of::<(u64, u32)>() * keyed.len())?;
        let mut end = start;
        let mut tie = |length: usize| {
            if length > 1 {
                equal.push(end..end + length);
            }
            end += length;
        };
        if plain {
            sort(
                &mut keyed,
                PIECE_WORDS,
                watch,
                |(a, _), (b, _)| {
                    if descending { b.cmp(a) } else { a.cmp(b) }
                },
            )?;
            keyed.chunk_by(|(a, _), (b, _)| a == b).for_each(|same| tie(same.len()));
        } else {
            let mut held = 0;
            let mut values = mem::take(&mut self.values);
            values.clear();
            for (place, (word, _)) in (0..).zip(&mut keyed) {
                watch.tick()?;
                let value = self.env.space.value(*word)?;
                held += weight(&value);
                values.push(value);
                *word = place;
            }
            let _values = watch.hold(held)?;
            let order = |a: u64, b: u64| match (values.get(a as usize), values.get(b as usize)) {
                (Some(a), Some(b)) => compare(a, b),
                _ => a.cmp(&b),
            };
            sort(&mut keyed, PIECE_VALUES, watch, |(a, _), (b, _)| {
                if descending { order(*b, *a) } else { order(*a, *b) }
            })?;
            keyed.chunk_by(|(a, _), (b, _)| order(*a, *b).is_eq()).for_each(|same| tie(same.len()));
            self.values = values;
        }
        some.iter_mut().zip(&keyed).for_each(|(row, (_, ordered))| *row = *ordered);
        self.keyed = keyed;
        Ok(())
    }

    /// Orders rows whose values compare as equal in every column, as 1 and 1.0 do.
    fn by_words(&self, rows: &mut [u32]) -> Result<(), Error> {
        self.env.watch.steps(rows.len())?;
        let row = |at: u32| {
            let from = at as usize * self.width;
            self.words.get(from..from + self.width).unwrap_or_default()
        };
        rows.sort_unstable_by(|a, b| row(*a).cmp(row(*b)));
        Ok(())
    }
}

/// Rows that are values, those that are shown, in their order where they have one.
pub(crate) fn ordered_values(
    env: &Env<'_>,
    parsed: &Parsed,
    mut rows: Vec<Vec<Value>>,
) -> Result<Vec<Vec<Value>>, Error> {
    if parsed.order.is_empty() && !parsed.is_cut() {
        return Ok(rows);
    }
    let mut places: Vec<usize> = (0..rows.len()).collect();
    let row = |at: &usize| rows.get(*at).map(Vec::as_slice).unwrap_or_default();
    sort(&mut places, PIECE_VALUES, &env.watch, |a, b| {
        let (a, b) = (row(a), row(b));
        for key in &parsed.order {
            let (Some(x), Some(y)) = (a.get(key.column), b.get(key.column)) else { continue };
            let ordering = compare(x, y);
            if ordering.is_ne() {
                return if key.descending { ordering.reverse() } else { ordering };
            }
        }
        a.cmp(b)
    })?;
    let shown = places.get(parsed.window(rows.len())).unwrap_or_default();
    Ok(shown.iter().filter_map(|at| rows.get_mut(*at).map(mem::take)).collect())
}
