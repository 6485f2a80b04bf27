//! Changing packed nodes as they are: rows come and go, links change, and nothing is packed anew.
//!
//! 1. A node of this transaction that has the room is changed where it is; any other is copied into a
//!    new block, and changed on the way: each byte moves once.
//! 2. Where rows come, what is stored moves towards the end, from the end on; where rows go, towards
//!    the start, from there. So nothing is overwritten before it moved.

use std::ops::Range;
use std::slice::from_ref;

use super::node::{Cell, HEAD_WORDS, Seen, front_words, header, stride};
use super::write::{Plan, put, replace, room};
use crate::{Addr, Error, Write};

/// Rows that take the place of others: of each of `ranges`, which ascend and are of one length, equally
/// many.
struct Patch<'p> {
    at: Addr,
    plan: &'p Plan,
    /// Rows before.
    before: usize,
    ranges: &'p [Range<usize>],
    with: &'p [u64],
    /// Columns whose first word is that of bound 0, which may be anything.
    unread: usize,
}

/// Replaces the rows in each of `ranges`, which ascend and are of one length, by equally many of `with`.
pub(super) fn splice<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    node: Seen,
    ranges: &[Range<usize>],
    with: &[u64],
    total: u64,
) -> Result<Seen, Error> {
    let stride = stride::<N>(node.height);
    let gone: usize = ranges.iter().map(Range::len).sum();
    let rows = (node.rows + with.len() / stride).saturating_sub(gone);
    if rows == 0 {
        return Ok(Seen { rows, total, ..node });
    }
    let old = node.open::<N, W>(memory)?;
    let plan = Plan::like(&old, rows);
    let first = ranges.first().map_or(0, |range| range.start);
    if !plan.fits::<N>(node.height, first, with) {
        let rows = merged::<N, W>(memory, node, ranges, with)?;
        return replace::<N, W>(memory, node, &rows, total);
    }
    let unread = if node.height > 0 { N } else { 0 };
    let patch = Patch { at: node.at, plan: &plan, before: node.rows, ranges, with, unread };
    let at = change(memory, node.at, plan.words(), rows > node.rows, &mut |old, words| {
        patch.apply(old, words)?;
        words[..HEAD_WORDS].copy_from_slice(&[header::<N>(node.height, rows), total]);
        Ok(())
    })?;
    Ok(Seen { at, rows, total, ..node })
}

/// A node's rows, word by word, with those in `ranges` replaced as [`splice`] does it.
pub(super) fn merged<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    node: Seen,
    ranges: &[Range<usize>],
    with: &[u64],
) -> Result<Vec<u64>, Error> {
    let stride = stride::<N>(node.height);
    let old = node.rows::<N, W>(memory, 0)?;
    let mut rows = Vec::with_capacity(old.len() + with.len());
    let (mut done, mut with, each) = (0, with, with.len() / ranges.len().max(1));
    for range in ranges {
        let (come, rest) = with.split_at(each);
        rows.extend_from_slice(&old[done * stride..range.start * stride]);
        rows.extend_from_slice(come);
        (done, with) = (range.end, rest);
    }
    rows.extend_from_slice(&old[done * stride..]);
    Ok(rows)
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
    let Some(cells) = old.link_cells(i, [child.at.raw(), child.total]) else {
        let mut row = Vec::with_capacity(N + 2);
        child.child(old.bound(i)).push_to(&mut row);
        return splice::<N, W>(memory, node, from_ref(&(i..i + 1)), &row, total);
    };
    let size = old.packed_words();
    let at = change(memory, node.at, size, false, &mut |old, words| {
        if let Some(old) = old {
            let (Some(old), Some((new, rest))) =
                (old.get(..size), words.split_at_mut_checked(size))
            else {
                return Err(shorter(node.at));
            };
            new.copy_from_slice(old);
            rest.fill(0);
        }
        words[1] = total;
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words[front_words(N + 2)..]);
        for Cell { at, width, stored } in &cells {
            put(bytes, *at, *width, *stored);
        }
        Ok(())
    })?;
    Ok(Seen { at, total, ..node })
}

/// Changes a node's words, which are there already unless the old ones are lent beside them.
type Edit<'e> = dyn FnMut(Option<&[u64]>, &mut [u64]) -> Result<(), Error> + 'e;

/// Has `edit` change a node: where it is (and then nothing is lent beside it) if it was born in this
/// transaction and has room for `size` words, else from what it was into a new block.
fn change<W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    size: usize,
    grows: bool,
    edit: &mut Edit<'_>,
) -> Result<Addr, Error> {
    let own = memory.words_mut(at);
    let is_own = own.is_some();
    match own.filter(|words| words.len() >= size) {
        Some(words) => edit(None, words).map(|()| at),
        None => memory.renew(at, room(is_own && grows, size), &mut |old, new| edit(Some(old), new)),
    }
}

#[cold]
fn shorter(at: Addr) -> Error {
    Error::corrupt("sorted set node shorter than it was", at)
}

impl Patch<'_> {
    /// Changes what is in `words`, or makes it of `old`.
    fn apply(&self, old: Option<&[u64]>, words: &mut [u64]) -> Result<(), Error> {
        let front = self.plan.front();
        let (ended, ends) =
            (self.before * self.plan.row_bytes, self.plan.rows * self.plan.row_bytes);
        let had = old.map_or(words.len(), <[u64]>::len) * 8;
        if had < front * 8 + ended || words.len() < self.plan.words() {
            return Err(shorter(self.at));
        }
        let (head, columns) = words.split_at_mut(front);
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(columns);
        match old.map(|old| old.split_at(front)) {
            Some((old_head, old)) => {
                head.copy_from_slice(old_head);
                bytes[ends..].fill(0);
                let old: &[u8] = bytemuck::cast_slice(old);
                self.columns(bytes, |bytes, from, to| {
                    bytes[to..to + from.len()].copy_from_slice(&old[from]);
                });
            }
            None => {
                self.columns(bytes, |bytes, from, to| {
                    if from.start != to {
                        bytes.copy_within(from, to);
                    }
                });
                if let Some(left) = bytes.get_mut(ends..ended) {
                    left.fill(0);
                }
            }
        }
        Ok(())
    }

    /// Column by column, in the order in which nothing is lost.
    fn columns(&self, bytes: &mut [u8], moves: impl Fn(&mut [u8], Range<usize>, usize)) {
        let grows = self.plan.rows > self.before;
        let mut behind = if grows { self.plan.row_bytes } else { 0 };
        for step in 0..self.plan.columns {
            let c = if grows { self.plan.columns - 1 - step } else { step };
            let width = usize::from(self.plan.widths[c]);
            behind -= if grows { width } else { 0 };
            if width > 0 {
                self.column(c, behind, bytes, &moves);
            }
            behind += if grows { 0 } else { width };
        }
    }

    /// One column, which begins `behind` bytes a row behind the first one: what stays between two ranges
    /// moves in one piece.
    #[inline]
    fn column(
        &self,
        c: usize,
        behind: usize,
        bytes: &mut [u8],
        moves: impl Fn(&mut [u8], Range<usize>, usize),
    ) {
        let width = usize::from(self.plan.widths[c]);
        let (from, to) = (behind * self.before, behind * self.plan.rows);
        let count = self.ranges.len();
        let come = self.with.len() / self.plan.columns / count;
        let gone = self.ranges[0].len();
        let grows = come > gone;
        for step in 0..=count {
            let piece = if grows { count - step } else { step };
            let start = if piece == 0 { 0 } else { self.ranges[piece - 1].end };
            let end = self.ranges.get(piece).map_or(self.before, |range| range.start);
            let place = start + piece * come - piece * gone;
            if piece > 0 && !grows {
                self.rows(c, piece - 1, come, to + (place - come) * width, bytes);
            }
            if end > start {
                moves(bytes, from + start * width..from + end * width, to + place * width);
            }
            if piece > 0 && grows {
                self.rows(c, piece - 1, come, to + (place - come) * width, bytes);
            }
        }
    }

    /// Stores the words of the rows that come in place of a range.
    #[inline]
    fn rows(&self, c: usize, range: usize, come: usize, mut at: usize, bytes: &mut [u8]) {
        let columns = self.plan.columns;
        for number in range * come..(range + 1) * come {
            let is_unread = c < self.unread && number == 0 && self.ranges[0].start == 0;
            let word = self.with[number * columns + c];
            let stored = if is_unread { 0 } else { word.wrapping_sub(self.plan.bases[c]) };
            put(bytes, at, self.plan.widths[c], stored);
            at += usize::from(self.plan.widths[c]);
        }
    }
}
