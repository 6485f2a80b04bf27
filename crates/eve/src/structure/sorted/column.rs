//! One column of a node: words of one width above one base.
//!
//! 1. What is stored of a word is how much it is above the base, in `width` bytes, 0 to 8: none where
//!    all words are the base. Sums wrap, so any bytes are words.
//! 2. [`SLACK`] readable bytes follow the last word of the last column: each word is one load.
//!
//! A column of a few bytes a word is a few cache lines, and a search looks at no others. Widths of 1, 2
//! and 4 are counted through, which takes whole registers at a time; of the others eight places are
//! probed at once, and then all between two, so that a search waits for memory twice ([`partition`]).

use std::ops::Range;

use super::search::partition;

/// Bytes that can be read behind the last column.
pub(super) const SLACK: usize = 8;
/// Bytes of a word, at most.
pub(super) const WIDTH_MAX: u8 = 8;
/// The words that fit a width.
const MASKS: [u64; WIDTH_MAX as usize + 1] = {
    let mut masks = [u64::MAX; WIDTH_MAX as usize + 1];
    let mut width = 0;
    while width < WIDTH_MAX as usize {
        masks[width] = (1 << (8 * width)) - 1;
        width += 1;
    }
    masks
};
/// Words compared one by one before a run's end is searched for.
const NEAR: usize = 8;

/// The greatest word that a width holds above a base.
#[inline]
pub(super) fn mask(width: u8) -> u64 {
    MASKS.get(usize::from(width)).copied().unwrap_or(u64::MAX)
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
        if least > self.mask {
            return rows.end;
        }
        if rows.len() <= 2 {
            return rows.start + self.count(rows, least);
        }
        let part = self.bytes.get(rows.start * self.width..rows.end * self.width);
        let part = part.unwrap_or_default();
        rows.start
            + match self.width {
                1 => below_in_bytes(part, least as u8),
                2 => below_in_pairs(part, least as u16),
                4 => below_in_fours(part, least as u32),
                _ => partition(rows.len(), |i| self.stored(rows.start + i) < least),
            }
    }

    fn count(&self, rows: Range<usize>, least: u64) -> usize {
        rows.fold(0, |below, i| below + usize::from(self.stored(i) < least))
    }

    /// Of rows in which this column ascends from `word` on, the first that has another.
    #[inline]
    pub(super) fn run_end(&self, rows: Range<usize>, word: u64) -> usize {
        if rows.is_empty() || self.width == 0 || self.get(rows.end - 1) == word {
            return rows.end;
        }
        let near = rows.end.min(rows.start + NEAR);
        match (rows.start..near).find(|i| self.get(*i) != word) {
            Some(end) => end,
            None => match word.checked_add(1) {
                Some(next) => self.lower_bound(near..rows.end, next),
                None => rows.end,
            },
        }
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

/// Rows whose counts fit the narrowest sum.
const CHUNK: usize = 128;

#[inline]
fn below_in_bytes(bytes: &[u8], least: u8) -> usize {
    let below = |part: &[u8]| part.iter().map(|b| u8::from(*b < least)).sum::<u8>();
    bytes.chunks(CHUNK).map(|part| usize::from(below(part))).sum()
}

#[inline]
fn below_in_pairs(bytes: &[u8], least: u16) -> usize {
    let below = |part: &[[u8; 2]]| {
        part.iter().map(|b| u16::from(u16::from_le_bytes(*b) < least)).sum::<u16>()
    };
    bytes.as_chunks().0.chunks(CHUNK).map(|part| usize::from(below(part))).sum()
}

#[inline]
fn below_in_fours(bytes: &[u8], least: u32) -> usize {
    let words = bytes.as_chunks().0.iter();
    words.map(|b| u32::from(u32::from_le_bytes(*b) < least)).sum::<u32>() as usize
}
