//! What stands before the columns of a node: how wide each is, and above which word it counts.
//!
//! 1. The widths of the first eight columns are copied when a node is looked at: what is used is what was
//!    checked. Further ones, of keys of more than six words, are read where they are.
//! 2. Where a column begins is known at once: eight widths in a word, times a one in each byte, have in each
//!    byte the sum of the widths up to it, 64 at most.

use super::column::WIDTH_MAX;

/// Widths in a word.
const LANES: usize = 8;
/// A one in each byte.
const ONES: u64 = u64::from_le_bytes([1; LANES]);

/// Widths and bases of a node's columns.
#[derive(Clone, Copy)]
pub(super) struct Front<'r> {
    /// The widths of the first columns.
    first: u64,
    /// In each byte their sum up to it.
    sums: u64,
    /// Of the other columns.
    widths: &'r [u8],
    bases: &'r [u64],
}

/// Words that the widths of so many columns take.
pub(super) const fn width_words(columns: usize) -> usize {
    columns.div_ceil(LANES)
}

impl<'r> Front<'r> {
    /// Reads what `words` begin with, and answers what is behind it. `None`: no node begins so.
    #[inline(always)]
    pub(super) fn read(words: &'r [u64], columns: usize) -> Option<(Self, &'r [u64])> {
        let (widths, rest) = words.split_at_checked(width_words(columns))?;
        let (bases, rest) = rest.split_at_checked(columns)?;
        let unused = (LANES * 8).saturating_sub(columns * 8);
        let first = *widths.first()? & u64::MAX >> unused;
        // Above a byte that is greater than the limit, its highest bit or the sum's is set.
        const LOW: u64 = ONES * 0x7f;
        const LIMIT: u64 = ONES * (0x7f - WIDTH_MAX as u64);
        let is_wide = (((first & LOW) + LIMIT) | first) & !LOW != 0;
        let widths = bytemuck::cast_slice(widths).get(LANES..columns).unwrap_or_default();
        if is_wide || widths.iter().any(|width| *width > WIDTH_MAX) {
            return None;
        }
        let sums = first.wrapping_mul(ONES);
        Some((Front { first, sums, widths, bases }, rest))
    }

    /// How wide column `c` is.
    #[inline(always)]
    pub(super) fn width(&self, c: usize) -> u8 {
        match c.checked_sub(LANES) {
            None => (self.first >> (8 * c)) as u8,
            Some(c) => self.widths[c],
        }
    }

    /// Above which word it counts.
    #[inline(always)]
    pub(super) fn base(&self, c: usize) -> u64 {
        self.bases[c]
    }

    /// The bytes that a row has before column `c`; before the one behind the last, all it has.
    #[inline(always)]
    pub(super) fn before(&self, c: usize) -> usize {
        match c.checked_sub(LANES) {
            None => (self.sums << 8 >> (8 * c)) as usize & 0xff,
            Some(beyond) => {
                let beyond = &self.widths[..beyond];
                (self.sums >> 56) as usize
                    + beyond.iter().map(|width| usize::from(*width)).sum::<usize>()
            }
        }
    }

    /// How many columns there are.
    #[inline]
    pub(super) fn columns(&self) -> usize {
        self.bases.len()
    }

    #[inline]
    pub(super) fn bases(&self) -> &'r [u64] {
        self.bases
    }
}
