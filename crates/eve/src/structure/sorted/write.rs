//! Writing nodes: rows packed into columns.
//!
//! 1. A column's base is its least word, unless it is 0: for the addresses and counts of an inner node, so
//!    that new ones fit, and where words need all bytes. Its width is what its greatest word needs.
//! 2. A change that fits bases and widths moves bytes and packs nothing anew (`patch`); what does not
//!    fit has the node packed anew, which happens a few times in the life of one.
//! 3. A node of this transaction is written where it is as long as it has the room, any other
//!    elsewhere. A node without rows is not written: whoever makes one gives it up or fills it.

use super::column::{SLACK, WIDTH_MAX, mask, width_of};
use super::node::{COLUMNS_MAX, HEAD_WORDS, Node, Seen, front_words, header, stride};
use crate::{Error, Write};

/// Rows of a node, at most, and when it is one of many written at once, with room left for later
/// insertions; fewer where keys are so wide that a node might take more bytes than these.
const ROWS_MAX: usize = 128;
const ROWS_FILL: usize = 112;
const BYTES_MAX: usize = 8192;
/// Under test nodes are so small that a few keys make a tree.
const SMALL: bool = cfg!(any(test, miri));

/// Rows that are moved into a node one by one: that costs less than packing it anew.
pub(super) const FEW: usize = if SMALL { 2 } else { 24 };

/// Rows in a node, at most.
pub(super) const fn rows_max<const N: usize>(height: usize) -> usize {
    let wide = BYTES_MAX / 8 / stride::<N>(height);
    match (SMALL, height) {
        (true, 0) => 6,
        (true, _) => 5,
        _ if wide < ROWS_MAX => wide,
        _ => ROWS_MAX,
    }
}

/// Rows that a removal leaves in a node that has a sibling to take some from, at least: so few that one
/// which was filled in order is joined to its poor neighbour whole. Whoever removes in order so joins
/// once for as many keys as a node holds, and does not share them out again and again.
pub(super) const fn rows_min<const N: usize>(height: usize) -> usize {
    if SMALL { 2 } else { rows_max::<N>(height) - rows_fill::<N>(height) }
}

/// Rows in a node that is one of many written at once.
pub(super) const fn rows_fill<const N: usize>(height: usize) -> usize {
    match SMALL {
        true => rows_max::<N>(height) - 1,
        false => rows_max::<N>(height) * ROWS_FILL / ROWS_MAX,
    }
}

/// How rows are packed.
pub(super) struct Plan {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) bases: [u64; COLUMNS_MAX],
    pub(super) widths: [u8; COLUMNS_MAX],
    pub(super) row_bytes: usize,
}

impl Plan {
    fn of<const N: usize>(height: usize, rows: &[u64]) -> Self {
        let columns = stride::<N>(height);
        let (mut bases, mut widths) = ([0; COLUMNS_MAX], [0; COLUMNS_MAX]);
        let mut column = |c: usize, least: u64, greatest: u64| {
            let base = if c < N { least.min(greatest) } else { 0 };
            widths[c] = width_of(greatest - base);
            bases[c] = if widths[c] == WIDTH_MAX { 0 } else { base };
        };
        if height == 0 {
            let (mut least, mut greatest) = ([u64::MAX; N], [0; N]);
            for row in rows.as_chunks::<N>().0 {
                for (c, word) in row.iter().enumerate() {
                    (least[c], greatest[c]) = (least[c].min(*word), greatest[c].max(*word));
                }
            }
            (0..N).for_each(|c| column(c, least[c], greatest[c]));
        } else {
            for c in 0..columns {
                // Bound 0 is not read.
                let skipped = if c < N { columns } else { 0 };
                let words = rows.get(skipped + c..).unwrap_or_default().iter().step_by(columns);
                let ends = |(least, greatest): (u64, u64), word: &u64| {
                    (least.min(*word), greatest.max(*word))
                };
                let (least, greatest) = words.fold((u64::MAX, 0), ends);
                column(c, least, greatest);
            }
        }
        let row_bytes = widths.iter().map(|width| usize::from(*width)).sum();
        Plan { columns, rows: rows.len() / columns, bases, widths, row_bytes }
    }

    /// How those of a node are.
    pub(super) fn like<const N: usize>(node: &Node<'_, N>, rows: usize) -> Self {
        let columns = stride::<N>(node.height);
        let (mut bases, mut widths) = ([0; COLUMNS_MAX], [0; COLUMNS_MAX]);
        let front = node.front();
        for (c, width) in widths[..columns].iter_mut().enumerate() {
            *width = front.width(c);
        }
        bases[..columns].copy_from_slice(front.bases());
        Plan { columns, rows, bases, widths, row_bytes: front.before(columns) }
    }

    /// Whether rows that are put where `first` is fit.
    pub(super) fn fits<const N: usize>(&self, height: usize, first: usize, rows: &[u64]) -> bool {
        let above = |c: usize, word: u64| word.wrapping_sub(self.bases[c]) <= mask(self.widths[c]);
        rows.chunks_exact(self.columns).enumerate().all(|(number, row)| {
            let skipped = if height > 0 && first + number == 0 { N } else { 0 };
            (skipped..self.columns).all(|c| row[c] >= self.bases[c] && above(c, row[c]))
        })
    }

    pub(super) fn front(&self) -> usize {
        front_words(self.columns)
    }

    /// Words of the whole node.
    pub(super) fn words(&self) -> usize {
        self.front() + (self.rows * self.row_bytes + SLACK).div_ceil(8)
    }

    fn write_front<const N: usize>(&self, height: usize, total: u64, words: &mut [u64]) {
        words[0] = header::<N>(height, self.rows);
        words[1] = total;
        let (widths, bases) =
            words[HEAD_WORDS..self.front()].split_at_mut(self.columns.div_ceil(8));
        bases.copy_from_slice(&self.bases[..self.columns]);
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(widths);
        bytes[..self.columns].copy_from_slice(&self.widths[..self.columns]);
    }

    /// Packs column `c` of rows into `bytes`.
    fn pack(&self, c: usize, first: bool, rows: &[u64], bytes: &mut [u8]) {
        // Bound 0 may be anything: it is zeros.
        let skipped = usize::from(first);
        let (bound, bytes) = bytes.split_at_mut(skipped * usize::from(self.widths[c]));
        bound.fill(0);
        let words = rows.get(skipped * self.columns + c..).unwrap_or_default();
        let (base, words) = (self.bases[c], words.iter().step_by(self.columns));
        match self.widths[c] {
            0 => {}
            1 => pack_wide::<1>(base, words, bytes),
            2 => pack_wide::<2>(base, words, bytes),
            3 => pack_wide::<3>(base, words, bytes),
            4 => pack_wide::<4>(base, words, bytes),
            5 => pack_wide::<5>(base, words, bytes),
            6 => pack_wide::<6>(base, words, bytes),
            7 => pack_wide::<7>(base, words, bytes),
            _ => pack_wide::<8>(base, words, bytes),
        }
    }

    /// Writes the whole node into `words`, whatever they were; behind it all are zeros.
    fn write<const N: usize>(&self, height: usize, rows: &[u64], total: u64, words: &mut [u64]) {
        self.write_front::<N>(height, total, words);
        let mut rest: &mut [u8] = bytemuck::cast_slice_mut(&mut words[self.front()..]);
        for c in 0..self.columns {
            let (column, behind) = rest.split_at_mut(self.rows * usize::from(self.widths[c]));
            self.pack(c, height > 0 && c < N, rows, column);
            rest = behind;
        }
        rest.fill(0);
    }
}

/// A loop for each width, so that the steps are constants.
#[inline(always)]
fn pack_wide<'w, const WIDTH: usize>(
    base: u64,
    words: impl Iterator<Item = &'w u64>,
    bytes: &mut [u8],
) {
    for (place, word) in bytes.as_chunks_mut::<WIDTH>().0.iter_mut().zip(words) {
        place.copy_from_slice(&word.wrapping_sub(base).to_le_bytes()[..WIDTH]);
    }
}

/// Stores what is to be stored of a word, and nothing else. [`SLACK`] bytes can be written behind.
pub(super) fn put(bytes: &mut [u8], at: usize, width: u8, stored: u64) {
    if let Some(place) = bytes.get_mut(at..).and_then(|bytes| bytes.first_chunk_mut()) {
        let mask = mask(width);
        *place = (u64::from_le_bytes(*place) & !mask | stored & mask).to_le_bytes();
    }
}

/// A new node with these rows.
pub(super) fn create<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    height: usize,
    rows: &[u64],
    total: u64,
) -> Result<Seen, Error> {
    let plan = Plan::of::<N>(height, rows);
    let at = memory.alloc(plan.words() * 8)?;
    let words = memory.words_mut(at).filter(|words| words.len() >= plan.words());
    let words = words.ok_or(Error::corrupt("new block cannot be written", at))?;
    plan.write::<N>(height, rows, total, words);
    Ok(Seen { at, height, rows: plan.rows, total })
}

/// Gives a node these rows in place of its own.
pub(super) fn replace<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    node: Seen,
    rows: &[u64],
    total: u64,
) -> Result<Seen, Error> {
    let plan = Plan::of::<N>(node.height, rows);
    let size = plan.words();
    let own = memory.words_mut(node.at).map(|words| words.len());
    let mut at = node.at;
    if own.is_none_or(|words| words < size) {
        at = memory.alloc(room(own.is_some() && plan.rows > node.rows, size) * 8)?;
        memory.retire(node.at);
    }
    let words = memory.words_mut(at).filter(|words| words.len() >= size);
    let words = words.ok_or(Error::corrupt("new block cannot be written", at))?;
    plan.write::<N>(node.height, rows, total, words);
    Ok(Seen { at, rows: plan.rows, total, ..node })
}

/// Words for a node of so many: one that grows twice in one transaction will grow again, one that does
/// not stays exact.
pub(super) fn room(grows_again: bool, size: usize) -> usize {
    if grows_again { size + size / 8 } else { size }
}

#[cfg(all(test, not(loom)))]
mod tests;
