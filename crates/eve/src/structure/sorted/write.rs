//! Writing nodes: rows packed into columns, and packed columns changed.
//!
//! 1. A column's base is its least word, unless it is 0: for the addresses and counts of an inner node, so
//!    that new ones fit, and where words need all bytes. Its width is what its greatest word needs.
//! 2. A change that fits bases and widths moves bytes and packs nothing anew; what does not fit has
//!    the node packed anew, which happens a few times in the life of one.
//! 3. A node of this transaction is written where it is as long as it has the room, any other
//!    elsewhere. A node without rows is not written: whoever makes one gives it up or fills it.

use std::ops::Range;

use super::column::{SLACK, WIDTH_MAX, mask, width_of};
use super::node::{COLUMNS_MAX, Cell, HEAD_WORDS, Node, Seen, front_words, header, stride};
use crate::{Addr, Error, Write};

/// Rows of a node, at most, and when it is one of many written at once, with room left for later
/// insertions; fewer where keys are so wide that a node might take more bytes than these.
const ROWS_MAX: usize = 128;
const ROWS_FILL: usize = 112;
const BYTES_MAX: usize = 8192;
/// Under test nodes are so small that a few keys make a tree.
const SMALL: bool = cfg!(any(test, miri));

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

/// Rows that a removal leaves in a node that has a sibling to take some from, at least.
pub(super) const fn rows_min<const N: usize>(height: usize) -> usize {
    if SMALL { 2 } else { rows_max::<N>(height) / 4 }
}

/// Rows in a node that is one of many written at once.
pub(super) const fn rows_fill<const N: usize>(height: usize) -> usize {
    match SMALL {
        true => rows_max::<N>(height) - 1,
        false => rows_max::<N>(height) * ROWS_FILL / ROWS_MAX,
    }
}

/// How rows are packed.
struct Plan {
    columns: usize,
    rows: usize,
    bases: [u64; COLUMNS_MAX],
    widths: [u8; COLUMNS_MAX],
    row_bytes: usize,
}

impl Plan {
    fn of<const N: usize>(height: usize, rows: &[u64]) -> Self {
        let columns = stride::<N>(height);
        let (mut bases, mut widths) = ([0; COLUMNS_MAX], [0; COLUMNS_MAX]);
        for c in 0..columns {
            // Bound 0 is not read.
            let skipped = if height > 0 && c < N { columns } else { 0 };
            let (mut least, mut greatest) = (u64::MAX, 0);
            for word in rows.get(skipped + c..).unwrap_or_default().iter().step_by(columns) {
                (least, greatest) = (least.min(*word), greatest.max(*word));
            }
            let base = if c < N { least.min(greatest) } else { 0 };
            widths[c] = width_of(greatest - base);
            bases[c] = if widths[c] == WIDTH_MAX { 0 } else { base };
        }
        let row_bytes = widths.iter().map(|width| usize::from(*width)).sum();
        Plan { columns, rows: rows.len() / columns, bases, widths, row_bytes }
    }

    /// How those of a node are.
    fn like<const N: usize>(node: &Node<'_, N>, rows: usize) -> Self {
        let columns = stride::<N>(node.height);
        let (mut bases, mut widths) = ([0; COLUMNS_MAX], [0; COLUMNS_MAX]);
        for c in 0..columns {
            (bases[c], widths[c]) = node.base_and_width(c);
        }
        let row_bytes = widths.iter().map(|width| usize::from(*width)).sum();
        Plan { columns, rows, bases, widths, row_bytes }
    }

    /// Whether rows that are put where `first` is fit.
    fn fits<const N: usize>(&self, height: usize, first: usize, rows: &[u64]) -> bool {
        let above = |c: usize, word: u64| word.wrapping_sub(self.bases[c]) <= mask(self.widths[c]);
        rows.chunks_exact(self.columns).enumerate().all(|(number, row)| {
            let skipped = if height > 0 && first + number == 0 { N } else { 0 };
            (skipped..self.columns).all(|c| row[c] >= self.bases[c] && above(c, row[c]))
        })
    }

    fn front(&self) -> usize {
        front_words(self.columns)
    }

    /// Words of the whole node.
    fn words(&self) -> usize {
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

    /// Packs rows into `bytes`, zeros, whose column `c` begins at `at`. Each word is written whole, and
    /// what it has too much is overwritten by the next.
    fn pack(&self, c: usize, first: bool, rows: &[u64], bytes: &mut [u8], mut at: usize) {
        let (base, width) = (self.bases[c], usize::from(self.widths[c]));
        if width == 0 {
            return;
        }
        let mut rest = rows;
        if first {
            // Bound 0 may be anything: it stays zeros.
            at += width;
            rest = rest.get(self.columns..).unwrap_or_default();
        }
        for word in rest.get(c..).unwrap_or_default().iter().step_by(self.columns) {
            if let Some(place) = bytes.get_mut(at..at + 8) {
                place.copy_from_slice(&word.wrapping_sub(base).to_le_bytes());
            }
            at += width;
        }
    }

    /// Writes the whole node into `words`, a new block.
    fn write<const N: usize>(&self, height: usize, rows: &[u64], total: u64, words: &mut [u64]) {
        self.write_front::<N>(height, total, words);
        let bytes = bytemuck::cast_slice_mut(&mut words[self.front()..]);
        let mut at = 0;
        for c in 0..self.columns {
            self.pack(c, height > 0 && c < N, rows, bytes, at);
            at += self.rows * usize::from(self.widths[c]);
        }
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
    let words = memory.words_mut(at).ok_or(Error::corrupt("new block cannot be written", at))?;
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
    let mut image = vec![0; plan.words()];
    plan.write::<N>(node.height, rows, total, &mut image);
    let at = place::<W>(memory, node.at, &image, plan.rows > node.rows)?;
    Ok(Seen { at, rows: plan.rows, total, ..node })
}

/// Replaces the rows in `range` by `with`.
pub(super) fn splice<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    node: Seen,
    range: Range<usize>,
    with: &[u64],
    total: u64,
) -> Result<Seen, Error> {
    let stride = stride::<N>(node.height);
    let rows = node.rows - range.len() + with.len() / stride;
    if rows == 0 {
        return Ok(Seen { rows, total, ..node });
    }
    let old = node.open::<N, W>(memory)?;
    let plan = Plan::like(&old, rows);
    if !plan.fits::<N>(node.height, range.start, with) {
        let mut rows = node.rows::<N, W>(memory, with.len() / stride)?;
        rows.splice(range.start * stride..range.end * stride, with.iter().copied());
        return replace::<N, W>(memory, node, &rows, total);
    }
    let before = Plan { rows: node.rows, ..plan };
    let at = own(memory, node.at, before.words(), plan.words())?;
    let words = memory.words_mut(at).ok_or(Error::corrupt("new block cannot be written", at))?;
    shift::<N>(&plan, node, range, with, words);
    words[..HEAD_WORDS].copy_from_slice(&[header::<N>(node.height, rows), total]);
    Ok(Seen { at, rows, total, ..node })
}

/// Moves what is stored of a node so that other rows, which fit, take those in `range`. What moves towards
/// the end does so from the end on, what moves towards the start from there, so nothing is lost.
fn shift<const N: usize>(
    plan: &Plan,
    node: Seen,
    range: Range<usize>,
    with: &[u64],
    words: &mut [u64],
) {
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words[plan.front()..]);
    let grows = plan.rows > node.rows;
    let (ends, ended) = (plan.rows * plan.row_bytes, node.rows * plan.row_bytes);
    let mut behind = if grows { plan.row_bytes } else { 0 };
    for step in 0..plan.columns {
        let c = if grows { plan.columns - 1 - step } else { step };
        let width = usize::from(plan.widths[c]);
        behind -= if grows { width } else { 0 };
        let (from, to) = (behind * node.rows, behind * plan.rows);
        let end = to + plan.rows * width;
        let head = (from..from + range.start * width, to);
        let rest = from + range.end * width..from + node.rows * width;
        let tail = (rest.clone(), end - rest.len());
        for (part, place) in if grows { [tail, head] } else { [head, tail] } {
            bytes.copy_within(part, place);
        }
        for (number, row) in with.chunks_exact(plan.columns).enumerate() {
            let at = to + (range.start + number) * width;
            let is_bound_0 = node.height > 0 && c < N && range.start + number == 0;
            let stored = if is_bound_0 { 0 } else { row[c].wrapping_sub(plan.bases[c]) };
            bytes[at..at + width].copy_from_slice(&stored.to_le_bytes()[..width]);
        }
        behind += if grows { 0 } else { width };
    }
    if let Some(left) = bytes.get_mut(ends..ended) {
        left.fill(0);
    }
}

/// Points row `i` of an inner node to `child`, whose bound stays: two cells, where they fit.
pub(super) fn relink<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    node: Seen,
    i: usize,
    child: Seen,
    total: u64,
) -> Result<Seen, Error> {
    let old = node.open::<N, W>(memory)?;
    let link = [child.at.raw(), child.total];
    let Some(cells) = old.link_cells(i, link) else {
        let mut row = Vec::with_capacity(N + 2);
        child.child(old.bound(i)).push_to(&mut row);
        return splice::<N, W>(memory, node, i..i + 1, &row, total);
    };
    let size = Plan::like(&old, node.rows).words();
    let at = own(memory, node.at, size, size)?;
    let words = memory.words_mut(at).ok_or(Error::corrupt("new block cannot be written", at))?;
    words[1] = total;
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words[front_words(N + 2)..]);
    for Cell { place, stored } in cells {
        let width = place.len();
        bytes[place].copy_from_slice(&stored.to_le_bytes()[..width]);
    }
    Ok(Seen { at, total, ..node })
}

/// A node of `before` words that may be written, with room for `after`: this one if it was born in this
/// transaction and has it, else a copy.
fn own<W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    before: usize,
    after: usize,
) -> Result<Addr, Error> {
    if memory.words_mut(at).is_some_and(|words| words.len() >= after) {
        return Ok(at);
    }
    let mut image = memory.words(at)?.get(..before).unwrap_or_default().to_vec();
    image.resize(before.max(after), 0);
    place(memory, at, &image, after > before)
}

/// Writes a node: where it is if it was born in this transaction and has the room, else elsewhere.
fn place<W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    image: &[u64],
    grows: bool,
) -> Result<Addr, Error> {
    let fresh = match memory.words_mut(at) {
        Some(words) if words.len() >= image.len() => {
            let (whole, rest) = words.split_at_mut(image.len());
            whole.copy_from_slice(image);
            rest.fill(0);
            return Ok(at);
        }
        other => other.is_some(),
    };
    // A node that grows twice in one transaction will grow again; one that does not stays exact.
    let spare = if fresh && grows { image.len() / 8 } else { 0 };
    let new = memory.alloc((image.len() + spare) * 8)?;
    let words = memory.words_mut(new).and_then(|words| words.get_mut(..image.len()));
    words.ok_or(Error::corrupt("new block cannot be written", new))?.copy_from_slice(image);
    memory.retire(at);
    Ok(new)
}

#[cfg(all(test, not(loom)))]
mod tests;
