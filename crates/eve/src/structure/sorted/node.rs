//! One node of a sorted set: read and checked.
//!
//! A node is a table of packed columns ([`Column`]). Its rows are keys in a leaf; a row of an inner
//! node is a *bound*, the address of a child, and how many keys lie below it.
//!
//! 1. Keys ascend strictly in a leaf, bounds in an inner node.
//! 2. Every key below row `i` is at or above bound `i` and below bound `i + 1`. Nothing is below
//!    bound 0: it reads as zeros, whatever is stored.
//! 3. A child is exactly one lower than its parent and holds exactly as many keys as its row says.
//!    So no damaged link can lead round in a circle.

use std::ops::Range;

use super::column::{Column, SLACK, mask};
use super::front::{Front, width_words};
use crate::{Addr, Error, Read};

/// Levels above the leaves, at most: far more than the fill of nodes can ever need.
pub(in crate::structure) const HEIGHT_MAX: usize = 16;
/// Words in a key, at most.
pub(in crate::structure) const KEY_WORDS_MAX: usize = 16;
/// Columns of a node, at most.
pub(super) const COLUMNS_MAX: usize = KEY_WORDS_MAX + 2;

/// Words before the widths.
pub(super) const HEAD_WORDS: usize = 2;
const MAGIC: u64 = u32::from_le_bytes(*b"sset") as u64;
/// Bytes at the beginning of a leaf in which most searches are decided: its head and the columns of
/// the first words of its keys.
const AHEAD_BYTES: usize = 1024;

/// Columns of a node, and words of a row before it is packed.
pub(super) const fn stride<const N: usize>(height: usize) -> usize {
    if height == 0 { N } else { N + 2 }
}

/// Words before the columns: the head, a byte of width a column, a base a column.
pub(super) const fn front_words(columns: usize) -> usize {
    HEAD_WORDS + width_words(columns) + columns
}

pub(super) const fn header<const N: usize>(height: usize, rows: usize) -> u64 {
    MAGIC << 32 | (N as u64) << 24 | (height as u64) << 16 | rows as u64
}

/// What an inner row says of a child.
#[derive(Clone, Copy, Debug)]
pub(super) struct Child<const N: usize> {
    pub(super) bound: [u64; N],
    pub(super) at: Addr,
    pub(super) total: u64,
}

impl<const N: usize> Child<N> {
    pub(super) fn push_to(&self, rows: &mut Vec<u64>) {
        rows.extend_from_slice(&self.bound);
        rows.extend_from_slice(&[self.at.raw(), self.total]);
    }
}

/// One word of a column: where it is, counted from the first column on, how wide, and what is stored.
pub(super) struct Cell {
    pub(super) at: usize,
    pub(super) width: u8,
    pub(super) stored: u64,
}

/// A node that was checked: every access below stays inside it.
#[derive(Clone, Copy)]
pub(super) struct Node<'r, const N: usize> {
    pub(super) at: Addr,
    pub(super) height: usize,
    pub(super) total: u64,
    len: usize,
    front: Front<'r>,
    /// The columns, and what is behind them.
    bytes: &'r [u8],
}

impl<'r, const N: usize> Node<'r, N> {
    /// The root: whatever height it has.
    #[inline]
    pub(super) fn root<R: Read + ?Sized>(reader: &'r R, at: Addr) -> Result<Self, Error> {
        Self::read(reader, at)
    }

    /// The leaf that `key` lies in, if anywhere.
    #[inline]
    pub(super) fn leaf_for<R: Read + ?Sized>(
        reader: &'r R,
        root: Addr,
        key: &[u64; N],
    ) -> Result<Self, Error> {
        let mut node = Self::read(reader, root)?;
        while node.height > 0 {
            node = node.child_for(reader, key, 0)?.0;
        }
        Ok(node)
    }

    #[inline(always)]
    fn read<R: Read + ?Sized>(reader: &'r R, at: Addr) -> Result<Self, Error> {
        const { assert!(N >= 1 && N <= KEY_WORDS_MAX, "a key has 1 to 16 words") }
        let &[head, total, ref rest @ ..] = reader.words(at)? else {
            return Err(Error::corrupt("sorted set node without a header", at));
        };
        if head >> 24 != MAGIC << 8 | N as u64 {
            return Err(Error::corrupt("not a node of a sorted set with keys of this width", at));
        }
        let (height, len) = ((head >> 16 & 0xff) as usize, (head & 0xffff) as usize);
        if height > HEIGHT_MAX {
            return Err(Error::corrupt("sorted set higher than any can be", at));
        }
        let columns = stride::<N>(height);
        let Some((front, rest)) = Front::read(rest, columns) else {
            return Err(Error::corrupt("sorted set node without columns", at));
        };
        let bytes = bytemuck::cast_slice::<u64, u8>(rest);
        if len == 0 || len * front.before(columns) + SLACK > bytes.len() {
            return Err(Error::corrupt("sorted set node whose columns cannot be", at));
        }
        if height == 0 && total != len as u64 {
            return Err(Error::corrupt("sorted set leaf that counts its keys wrong", at));
        }
        Ok(Node { at, height, total, len, front, bytes })
    }

    /// A node that hangs in a row with this count, in a node one higher (invariant 3).
    #[inline(always)]
    pub(super) fn below<R: Read + ?Sized>(
        reader: &'r R,
        at: Addr,
        height: usize,
        total: u64,
    ) -> Result<Self, Error> {
        let node = Self::read(reader, at)?;
        if node.height != height || node.total != total {
            return Err(Error::corrupt("sorted set node of another height or count", at));
        }
        Ok(node)
    }

    /// The child in row `i` of this inner node.
    #[inline]
    pub(super) fn child<R: Read + ?Sized>(&self, reader: &'r R, i: usize) -> Result<Self, Error> {
        let (at, total) = self.link(i);
        Self::below(reader, at, self.height - 1, total)
    }

    /// The child under which `key` lies, if anywhere, and its row. If that is a leaf, the lines that
    /// most searches need are asked for before the leaf is looked at.
    #[inline]
    pub(super) fn child_for<R: Read + ?Sized>(
        &self,
        reader: &'r R,
        key: &[u64; N],
        from: usize,
    ) -> Result<(Self, usize), Error> {
        let index = self.route(key, from);
        let (at, total) = self.link(index);
        if self.height == 1 {
            (0..AHEAD_BYTES).step_by(64).for_each(|byte| reader.prefetch(at, byte));
        }
        Ok((Self::below(reader, at, self.height - 1, total)?, index))
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    pub(super) fn column(&self, c: usize) -> Column<'r> {
        let bytes = self.bytes.get(self.front.before(c) * self.len..).unwrap_or_default();
        Column::new(self.front.base(c), self.front.width(c), bytes)
    }

    /// Word `i` of column `c`; some word where there is none.
    #[inline(always)]
    fn word(&self, c: usize, i: usize) -> u64 {
        let width = self.front.width(c);
        let at = self.front.before(c) * self.len + i * usize::from(width);
        let stored = self.bytes.get(at..).and_then(|bytes| bytes.first_chunk());
        let stored = stored.map_or(0, |bytes| u64::from_le_bytes(*bytes) & mask(width));
        self.front.base(c).wrapping_add(stored)
    }

    /// Widths and bases of the columns.
    #[inline]
    pub(super) fn front(&self) -> &Front<'r> {
        &self.front
    }

    /// Words of the whole node, without what its block has too much.
    pub(super) fn packed_words(&self) -> usize {
        let columns = self.front.columns();
        front_words(columns) + (self.len * self.front.before(columns) + SLACK).div_ceil(8)
    }

    /// The first `N` words of row `i`, which is below `len`.
    #[inline]
    fn words(&self, i: usize) -> [u64; N] {
        std::array::from_fn(|c| self.word(c, i))
    }

    /// Key `i` of a leaf, which is below `len`.
    #[inline]
    pub(super) fn key(&self, i: usize) -> [u64; N] {
        self.words(i)
    }

    /// Appends the keys of a range of this leaf.
    pub(super) fn read_keys(&self, range: Range<usize>, keys: &mut Vec<[u64; N]>) {
        let start = keys.len();
        keys.resize(start + range.len(), [0; N]);
        let keys = &mut keys[start..];
        for c in 0..N {
            self.column(c).read(range.clone(), keys.iter_mut(), |key, word| key[c] = word);
        }
    }

    /// Appends one word of each key of a range of this leaf.
    pub(super) fn read_column(&self, column: usize, range: Range<usize>, words: &mut Vec<u64>) {
        let start = words.len();
        words.resize(start + range.len(), 0);
        self.column(column).read(range, words[start..].iter_mut(), |place, word| *place = word);
    }

    /// Appends all rows, word by word, with zeros for bound 0.
    pub(super) fn read_rows(&self, rows: &mut Vec<u64>) {
        let (start, stride) = (rows.len(), self.front.columns());
        rows.resize(start + self.len * stride, 0);
        let rows = &mut rows[start..];
        for c in 0..stride {
            let places = rows[c..].iter_mut().step_by(stride);
            self.column(c).read(0..self.len, places, |place, word| *place = word);
        }
        if self.height > 0 {
            rows[..N].fill(0);
        }
    }

    /// Bound of row `i`, which is below `len`.
    #[inline]
    pub(super) fn bound(&self, i: usize) -> [u64; N] {
        if i == 0 { [0; N] } else { self.words(i) }
    }

    /// Address and key count of row `i`, which is below `len`.
    #[inline]
    pub(super) fn link(&self, i: usize) -> (Addr, u64) {
        (Addr::from_raw(self.word(N, i)), self.word(N + 1, i))
    }

    /// Where address and count of row `i`, which is below `len`, are stored, and how these would be; none
    /// if one does not fit.
    pub(super) fn link_cells(&self, i: usize, link: [u64; 2]) -> Option<[Cell; 2]> {
        let mut cells = [const { Cell { at: 0, width: 0, stored: 0 } }; 2];
        for (c, (cell, word)) in cells.iter_mut().zip(link).enumerate() {
            let (base, width) = (self.front.base(N + c), self.front.width(N + c));
            let stored = word.checked_sub(base).filter(|stored| *stored <= mask(width))?;
            let at = self.front.before(N + c) * self.len + i * usize::from(width);
            *cell = Cell { at, width, stored };
        }
        Some(cells)
    }

    pub(super) fn row(&self, i: usize) -> Child<N> {
        let (at, total) = self.link(i);
        Child { bound: self.bound(i), at, total }
    }

    /// The row of an inner node under which `key` lies, if anywhere, at or after row `from`.
    #[inline]
    pub(super) fn route(&self, key: &[u64; N], from: usize) -> usize {
        // Bound 0 is below every key, and so is the one of the row it is routed from.
        let mut rows = from + 1..self.len;
        for (c, word) in key.iter().enumerate() {
            rows = self.column(c).equal(rows, *word);
            if rows.is_empty() {
                return rows.start - 1;
            }
        }
        rows.end - 1
    }

    /// The position in a leaf of the first key that is not below `key`.
    #[inline]
    pub(super) fn lower_bound(&self, key: &[u64; N]) -> usize {
        self.lower_bound_in(0..self.len, key)
    }

    #[inline]
    pub(super) fn lower_bound_in(&self, mut rows: Range<usize>, key: &[u64; N]) -> usize {
        // Nothing is below a zero: the rest of a key that ends with zeros decides nothing.
        let words = N - key.iter().rev().take_while(|word| **word == 0).count();
        for (c, word) in key[..words].iter().enumerate() {
            let column = self.column(c);
            if c + 1 == words {
                return column.lower_bound(rows, *word);
            }
            rows = column.equal(rows, *word);
            if rows.is_empty() {
                break;
            }
        }
        rows.start
    }

    /// Whether key `i`, which is below `len`, sorts before another.
    #[inline]
    pub(super) fn is_below(&self, i: usize, key: &[u64; N]) -> bool {
        for (c, word) in key.iter().enumerate() {
            let known = self.word(c, i);
            if known != *word {
                return known < *word;
            }
        }
        false
    }

    /// Whether key `i`, which is below `len`, begins with these words.
    #[inline]
    pub(super) fn begins_with(&self, i: usize, prefix: &[u64]) -> bool {
        let words = prefix.iter().take(N).enumerate();
        // The last words differ most.
        words.rev().all(|(c, word)| self.word(c, i) == *word)
    }

    /// The first position of this leaf at or after `from` whose key is not below `target`: cheap where
    /// that is near.
    #[inline]
    pub(super) fn gallop(&self, from: usize, target: &[u64; N]) -> usize {
        let (mut low, mut step) = (from, 1);
        while low + step <= self.len {
            if !self.is_below(low + step - 1, target) {
                return self.lower_bound_in(low..low + step - 1, target);
            }
            low += step;
            step *= 2;
        }
        self.lower_bound_in(low.min(self.len)..self.len, target)
    }

    /// The first position of this leaf at or after `from` whose key does not begin with `prefix`, given
    /// that the key at `from` is not below it.
    pub(super) fn end_of(&self, prefix: &[u64], from: usize) -> usize {
        let mut end = self.len;
        for (c, word) in prefix.iter().take(N).enumerate() {
            let column = self.column(c);
            if from >= end || column.get(from) != *word {
                return from;
            }
            end = column.run_end(from..end, *word);
        }
        end
    }

    /// Keys below the rows in `range`.
    pub(super) fn sum(&self, range: Range<usize>) -> u64 {
        let totals = self.column(N + 1);
        range.fold(0, |sum: u64, i| sum.wrapping_add(totals.get(i)))
    }

    /// What an edit must know of this node after it let go of the memory.
    pub(super) fn seen(&self) -> Seen {
        Seen { at: self.at, height: self.height, rows: self.len, total: self.total }
    }
}

/// A node as it was when it was last looked at or written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) at: Addr,
    pub(super) height: usize,
    pub(super) rows: usize,
    pub(super) total: u64,
}

impl Seen {
    pub(super) fn child<const N: usize>(&self, bound: [u64; N]) -> Child<N> {
        Child { bound, at: self.at, total: self.total }
    }

    /// The node again, which nobody should have changed meanwhile.
    pub(super) fn open<'r, const N: usize, R: Read + ?Sized>(
        &self,
        reader: &'r R,
    ) -> Result<Node<'r, N>, Error> {
        let node = Node::root(reader, self.at)?;
        match node.height == self.height && node.len == self.rows {
            true => Ok(node),
            false => Err(Error::corrupt("sorted set node is its own descendant", self.at)),
        }
    }

    /// The node's rows, word by word.
    pub(super) fn rows<const N: usize, R: Read + ?Sized>(
        &self,
        reader: &R,
        more: usize,
    ) -> Result<Vec<u64>, Error> {
        if self.rows == 0 {
            return Ok(Vec::new());
        }
        let mut rows = Vec::with_capacity((self.rows + more) * stride::<N>(self.height));
        self.open::<N, R>(reader)?.read_rows(&mut rows);
        Ok(rows)
    }
}
