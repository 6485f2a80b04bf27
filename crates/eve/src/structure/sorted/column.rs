//! One column of a node: words of one width above one base.
//!
//! 1. What is stored of a word is how much it is above the base, in `width` bytes, 0 to 8: none where
//!    all words are the base. Sums wrap, so any bytes are words.
//! 2. [`SLACK`] readable bytes follow the last word of the last column: each word is one load.
//!
//! A column of a few bytes a word is a few cache lines, and a search looks at no others: it halves the
//! rows until a window of them is left, and counts through that. Where a word is 1, 2 or 4 bytes wide, a
//! window is as many rows as a few registers hold.

use std::ops::Range;

/// Bytes that can be read behind the last column.
pub(super) const SLACK: usize = 8;
/// Bytes of a word, at most.
pub(super) const WIDTH_MAX: u8 = 8;
/// The words that fit a width; as many as make any remainder an index.
const MASKS: [u64; 16] = {
    let mut masks = [u64::MAX; 16];
    let mut width = 0;
    while width < WIDTH_MAX as usize {
        masks[width] = (1 << (8 * width)) - 1;
        width += 1;
    }
    masks
};
/// Rows of a window where they are compared one by one.
const WINDOW: usize = 4;

/// The greatest word that a width holds above a base.
#[inline]
pub(super) fn mask(width: u8) -> u64 {
    MASKS[usize::from(width) % MASKS.len()]
}

/// Bytes that a word needs.
#[inline]
pub(super) fn width_of(word: u64) -> u8 {
    (64 - word.leading_zeros()).div_ceil(8) as u8
}

/// The words of one column.
#[derive(Clone, Copy)]
pub(super) struct Column<'r> {
    base: u64,
    width: usize,
    mask: u64,
    /// From its first word to the end of the block.
    bytes: &'r [u8],
}

impl<'r> Column<'r> {
    #[inline]
    pub(super) fn new(base: u64, width: u8, bytes: &'r [u8]) -> Self {
        Column { base, width: usize::from(width), mask: mask(width), bytes }
    }

    /// Word `i`; some word where there is none.
    #[inline(always)]
    pub(super) fn get(&self, i: usize) -> u64 {
        self.base.wrapping_add(self.stored(i))
    }

    #[inline(always)]
    fn stored(&self, i: usize) -> u64 {
        let at = i * self.width;
        match self.bytes.get(at..at + 8).and_then(|bytes| bytes.first_chunk()) {
            Some(bytes) => u64::from_le_bytes(*bytes) & self.mask,
            None => 0,
        }
    }

    /// Of rows in which this column ascends, the first whose word is not below `word`.
    #[inline]
    pub(super) fn lower_bound(&self, rows: Range<usize>, word: u64) -> usize {
        if word <= self.base {
            return rows.start;
        }
        let least = word - self.base;
        match least > self.mask {
            true => rows.end,
            false => self.first_from(rows, least),
        }
    }

    /// Of rows in which this column ascends, those that have `word`; where none has, none at the first that
    /// has a greater one.
    #[inline]
    pub(super) fn equal(&self, rows: Range<usize>, word: u64) -> Range<usize> {
        let start = self.lower_bound(rows.clone(), word);
        match start < rows.end && self.get(start) == word {
            true => start..self.run_end(start..rows.end, word),
            false => start..start,
        }
    }

    /// Of rows in which this column ascends from `word` on, the first that has another.
    #[inline]
    pub(super) fn run_end(&self, rows: Range<usize>, word: u64) -> usize {
        let next = word.wrapping_sub(self.base).wrapping_add(1);
        if self.width == 0 || next > self.mask || next == 0 {
            return rows.end;
        }
        match rows.start + 1 < rows.end && self.stored(rows.start + 1) < next {
            true => self.first_from(rows.start + 2..rows.end, next),
            false => rows.end.min(rows.start + 1),
        }
    }

    /// The first of ascending rows that stores `least` or more.
    #[inline]
    fn first_from(&self, rows: Range<usize>, least: u64) -> usize {
        match self.width {
            1 => self.search::<1, 32>(rows, |word| word < [least as u8]),
            2 => self.search::<2, 32>(rows, |word| u16::from_le_bytes(word) < least as u16),
            4 => self.search::<4, 16>(rows, |word| u32::from_le_bytes(word) < least as u32),
            _ => self.search_singly(rows, least),
        }
    }

    /// The same where words of `WIDTH` bytes are looked at, `ROWS` of them at once.
    #[inline(always)]
    fn search<const WIDTH: usize, const ROWS: usize>(
        &self,
        rows: Range<usize>,
        is_below: impl Fn([u8; WIDTH]) -> bool,
    ) -> usize {
        let part = self.bytes.get(rows.start * WIDTH..rows.end * WIDTH);
        let part = part.unwrap_or_default().as_chunks::<WIDTH>().0;
        let below = |i: usize| part.get(i).is_some_and(|word| is_below(*word));
        if part.len() < ROWS {
            let start = narrow(part.len(), WINDOW, below);
            return rows.start + start + (start..start + WINDOW).filter(|i| below(*i)).count();
        }
        // All before the window are below, also those that it is moved back over at the end.
        let start = narrow(part.len(), ROWS, below).min(part.len() - ROWS);
        let window = part.get(start..).and_then(|rest| rest.first_chunk::<ROWS>());
        let count = |window: &[[u8; WIDTH]; ROWS]| {
            window.iter().map(|word| u8::from(is_below(*word))).sum::<u8>()
        };
        rows.start + start + usize::from(window.map_or(0, count))
    }

    /// The same where words are looked at one by one.
    fn search_singly(&self, rows: Range<usize>, least: u64) -> usize {
        let below = |i: usize| rows.start + i < rows.end && self.stored(rows.start + i) < least;
        let start = narrow(rows.len(), WINDOW, below);
        rows.start + start + (start..start + WINDOW).filter(|i| below(*i)).count()
    }

    /// Gives each row that is shown the word of the next of some rows, in order.
    #[inline]
    pub(super) fn read<T>(
        &self,
        rows: Range<usize>,
        into: impl Iterator<Item = T>,
        give: impl Fn(T, u64),
    ) {
        let base = self.base;
        let bytes = self.bytes.get(rows.start * self.width..rows.end * self.width);
        let bytes = bytes.unwrap_or_default();
        match self.width {
            0 => into.take(rows.len()).for_each(|row| give(row, base)),
            1 => read_wide::<1, T>(base, bytes, into, give),
            2 => read_wide::<2, T>(base, bytes, into, give),
            3 => read_wide::<3, T>(base, bytes, into, give),
            4 => read_wide::<4, T>(base, bytes, into, give),
            5 => read_wide::<5, T>(base, bytes, into, give),
            6 => read_wide::<6, T>(base, bytes, into, give),
            7 => read_wide::<7, T>(base, bytes, into, give),
            _ => read_wide::<8, T>(base, bytes, into, give),
        }
    }
}

/// A loop for each width, so that the steps are constants.
#[inline(always)]
fn read_wide<const WIDTH: usize, T>(
    base: u64,
    bytes: &[u8],
    into: impl Iterator<Item = T>,
    give: impl Fn(T, u64),
) {
    for (row, stored) in into.zip(bytes.as_chunks::<WIDTH>().0) {
        let mut word = [0; 8];
        word[..WIDTH].copy_from_slice(stored);
        give(row, base.wrapping_add(u64::from_le_bytes(word)));
    }
}

/// Halves `len` rows, of which some first ones are `below`, down to a window. Where it begins: what is before
/// it is below, what is behind it is not.
#[inline(always)]
fn narrow(mut len: usize, window: usize, below: impl Fn(usize) -> bool) -> usize {
    let mut start = 0;
    while len > window {
        let half = len / 2;
        start += if below(start + half - 1) { half } else { 0 };
        len -= half;
    }
    start
}
