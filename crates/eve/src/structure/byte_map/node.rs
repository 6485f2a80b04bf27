//! One node of a byte map: read and checked.
//!
//! A node is a table of rows in the order of their keys. A row of a leaf is a key and the words of its
//! value; a row of an inner node is a *bound*, the address of a child, and how many entries lie below it.
//!
//! ```text
//! head   3 words: what it is; entries in and below; bytes of prefix and text
//! cell   a word a row: the first four bytes of its key behind the prefix, above where its key ends
//! value  words of a row in a leaf; address and entries of a child in an inner node
//! text   the prefix that all keys have, then what each key has behind it
//! ```
//!
//! 1. Keys ascend strictly in a leaf, bounds in an inner node.
//! 2. Every key below row `i` is at or above bound `i` and below bound `i + 1`. Nothing is below
//!    bound 0: it counts as empty, whatever is stored, and need not have the prefix.
//! 3. A child is exactly one lower than its parent and holds exactly as many entries as its row says.
//!    So no damaged link can lead round in a circle.

use std::{cmp::Ordering, ops::Range};

use crate::structure::stored::Stored;
use crate::{Addr, Error, Read};

/// Levels above the leaves, at most: with two rows a node as many as there can be blocks.
pub(in crate::structure) const HEIGHT_MAX: usize = 40;
/// Words of a value where it is used, at most.
pub(in crate::structure) const VALUE_WORDS_MAX: usize = 31;
/// The longest key, in bytes.
pub(in crate::structure) const KEY_BYTES_MAX: usize = 1 << 26;

pub(super) const HEAD_WORDS: usize = 3;
const MAGIC: u64 = u32::from_le_bytes(*b"btxt") as u64;
/// In a node's shape: values may lie in blocks of their own.
const APART: u8 = 0x80;
/// Words of an inner row behind its bound.
const LINK_WORDS: usize = 2;
/// Bytes at the beginning of a leaf in which most rows have their cells.
const AHEAD_BYTES: usize = 768;
/// Bytes of text, at most, that are asked for before keys are compared.
const TEXT_AHEAD_BYTES: usize = 1024;

/// How the values of a map lie in its nodes, as each of them says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape(u8);

impl Shape {
    pub(super) const fn of<V: Stored + ?Sized>() -> Self {
        const { assert!(V::WORDS <= VALUE_WORDS_MAX, "a value has at most 31 words") }
        Shape(V::WORDS as u8 | if V::APART { APART } else { 0 })
    }

    /// Words of a row besides its cell.
    pub(super) const fn stride(self, height: usize) -> usize {
        if height == 0 { (self.0 & !APART) as usize } else { LINK_WORDS }
    }

    pub(super) const fn header(self, height: usize, rows: usize) -> u64 {
        MAGIC << 32 | (self.0 as u64) << 24 | (height as u64) << 16 | rows as u64
    }
}

/// The first four bytes of a key, as a number that compares as they do.
#[inline]
fn head_of(key: &[u8]) -> u64 {
    if let Some(head) = key.first_chunk::<4>() {
        return u64::from(u32::from_be_bytes(*head));
    }
    let mut head = [0; 4];
    head[..key.len()].copy_from_slice(key);
    u64::from(u32::from_be_bytes(head))
}

/// What a row says of its key: how it begins behind the prefix, and where it ends in the text.
#[inline]
pub(super) fn cell(rest: &[u8], end: usize) -> u64 {
    head_of(rest) << 32 | end as u64 & 0xffff_ffff
}

/// How many bytes two keys have in common at the beginning.
pub(super) fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// A node that was checked: every access below stays inside it.
#[derive(Clone, Copy)]
pub(super) struct Node<'r> {
    pub(super) at: Addr,
    pub(super) height: usize,
    pub(super) total: u64,
    shape: Shape,
    cells: &'r [u64],
    values: &'r [u64],
    text: &'r [u8],
    prefix: usize,
}

impl<'r> Node<'r> {
    /// The root: whatever height it has.
    #[inline]
    pub(super) fn root<R: Read + ?Sized>(
        reader: &'r R,
        at: Addr,
        shape: Shape,
    ) -> Result<Self, Error> {
        let &[head, total, lengths, ref rest @ ..] = reader.words(at)? else {
            return Err(Error::corrupt("byte map node without a header", at));
        };
        let (height, len) = ((head >> 16 & 0xff) as usize, (head & 0xffff) as usize);
        if head != shape.header(height, len) {
            return Err(Error::corrupt("not a node of a byte map with such values", at));
        }
        if height > HEIGHT_MAX {
            return Err(Error::corrupt("byte map higher than any can be", at));
        }
        let (prefix, text) = ((lengths & 0xffff_ffff) as usize, (lengths >> 32) as usize);
        if let Some((cells, rest)) = rest.split_at_checked(len)
            && let Some((values, rest)) = rest.split_at_checked(len * shape.stride(height))
            && let Some(text) = bytemuck::cast_slice(rest).get(..text)
            && len > 0
            && prefix <= text.len()
        {
            if height == 0 && total != len as u64 {
                return Err(Error::corrupt("byte map leaf that counts its entries wrong", at));
            }
            return Ok(Node { at, height, total, shape, cells, values, text, prefix });
        }
        Err(Error::corrupt("byte map node whose rows cannot be", at))
    }

    /// A node that hangs in a row with this count, in a node one higher (invariant 3).
    #[inline]
    pub(super) fn below<R: Read + ?Sized>(
        reader: &'r R,
        at: Addr,
        shape: Shape,
        height: usize,
        total: u64,
    ) -> Result<Self, Error> {
        let node = Self::root(reader, at, shape)?;
        if node.height != height || node.total != total {
            return Err(Error::corrupt("byte map node of another height or count", at));
        }
        Ok(node)
    }

    /// The child in row `i` of this inner node.
    #[inline]
    pub(super) fn child<R: Read + ?Sized>(&self, reader: &'r R, i: usize) -> Result<Self, Error> {
        let (at, total) = self.link(i);
        Self::below(reader, at, self.shape, self.height - 1, total)
    }

    /// The child under which `key` lies, if anywhere, and its row. If that is a leaf, the lines that
    /// most searches need are asked for before the leaf is looked at.
    #[inline]
    pub(super) fn child_for<R: Read + ?Sized>(
        &self,
        reader: &'r R,
        key: &[u8],
    ) -> Result<(Self, usize), Error> {
        let index = self.route(reader, key);
        let (at, total) = self.link(index);
        if self.height == 1 {
            (0..AHEAD_BYTES).step_by(64).for_each(|byte| reader.prefetch(at, byte));
        }
        Ok((Self::below(reader, at, self.shape, self.height - 1, total)?, index))
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// What all keys begin with.
    #[inline]
    pub(super) fn prefix(&self) -> &'r [u8] {
        self.text.get(..self.prefix).unwrap_or_default()
    }

    /// Where in the text begins what key `i`, which is at most `len`, has behind the prefix.
    #[inline]
    pub(super) fn start(&self, i: usize) -> usize {
        match i.checked_sub(1).and_then(|before| self.cells.get(before)) {
            Some(before) => (*before & 0xffff_ffff) as usize,
            None => self.prefix,
        }
    }

    /// What key `i` has behind the prefix.
    #[inline]
    pub(super) fn rest(&self, i: usize) -> &'r [u8] {
        self.text.get(self.start(i)..self.start(i + 1)).unwrap_or_default()
    }

    /// Key or bound `i`, which is below `len`, in place of what is in `key`.
    pub(super) fn read_key(&self, i: usize, key: &mut Vec<u8>) {
        key.clear();
        if self.height == 0 || i > 0 {
            key.extend_from_slice(self.prefix());
            key.extend_from_slice(self.rest(i));
        }
    }

    /// Key or bound `i`, which is below `len`.
    pub(super) fn key(&self, i: usize) -> Vec<u8> {
        let mut key = Vec::new();
        self.read_key(i, &mut key);
        key
    }

    /// The words of row `i`, which is below `len`.
    #[inline]
    pub(super) fn words(&self, i: usize) -> &'r [u64] {
        let stride = self.shape.stride(self.height);
        self.values.get(i * stride..(i + 1) * stride).unwrap_or_default()
    }

    /// Address and entries of child `i`, which is below `len`.
    #[inline]
    pub(super) fn link(&self, i: usize) -> (Addr, u64) {
        match *self.words(i) {
            [at, total] => (Addr::from_raw(at), total),
            _ => (Addr::NONE, 0),
        }
    }

    /// Entries below the rows before `end`.
    pub(super) fn sum(&self, end: usize) -> u64 {
        (0..end).fold(0, |sum: u64, i| sum.wrapping_add(self.link(i).1))
    }

    /// Where among the rows from `from` on, whose keys all have the prefix, `key` is or would be, and
    /// whether it is there.
    #[inline]
    fn find<R: Read + ?Sized>(&self, reader: &R, from: usize, key: &[u8]) -> (usize, bool) {
        let prefix = self.prefix();
        let Some(rest) = key.strip_prefix(prefix) else {
            return (if key < prefix { from } else { self.len() }, false);
        };
        let head = head_of(rest);
        let cells = self.cells.get(from..).unwrap_or_default();
        let mut start = from + cells.partition_point(|cell| cell >> 32 < head);
        let mut end = start;
        if self.cells.get(start).is_some_and(|cell| cell >> 32 == head) {
            end += self.cells[start..].partition_point(|cell| cell >> 32 == head);
        }
        if self.height == 0 && start < end {
            self.ask_for_text(reader, self.start(start)..self.start(end));
        }
        while start < end {
            let middle = start.midpoint(end);
            match self.rest(middle).cmp(rest) {
                Ordering::Less => start = middle + 1,
                Ordering::Greater => end = middle,
                Ordering::Equal => return (middle, true),
            }
        }
        (start, false)
    }

    /// Asks for the lines of some of the text: one after the other, each would be waited for.
    #[inline]
    fn ask_for_text<R: Read + ?Sized>(&self, reader: &R, range: Range<usize>) {
        let text = bytes_of(self.len(), self.shape.stride(self.height), 0);
        let len = range.len().min(TEXT_AHEAD_BYTES);
        (0..len).step_by(64).for_each(|byte| reader.prefetch(self.at, text + range.start + byte));
    }

    /// Where in this leaf `key` is or would be, and whether it is there.
    #[inline]
    pub(super) fn position<R: Read + ?Sized>(&self, reader: &R, key: &[u8]) -> (usize, bool) {
        self.find(reader, 0, key)
    }

    /// The row of this inner node under which `key` lies, if anywhere.
    #[inline]
    pub(super) fn route<R: Read + ?Sized>(&self, reader: &R, key: &[u8]) -> usize {
        let (position, found) = self.find(reader, 1, key);
        if found { position } else { position - 1 }
    }

    /// Whether what is stored of row `i` is as an honest writer leaves it.
    pub(super) fn is_sound(&self, i: usize) -> bool {
        let (start, end) = (self.start(i), self.start(i + 1));
        start <= end && end <= self.text.len() && self.cells[i] == cell(self.rest(i), end)
    }

    /// What an edit must know of this node after it let go of the memory.
    pub(super) fn seen(&self) -> Seen {
        let (rows, text) = (self.len(), self.text.len());
        Seen { at: self.at, height: self.height, rows, total: self.total, text }
    }
}

/// A node as it was when it was last looked at or written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) at: Addr,
    pub(super) height: usize,
    pub(super) rows: usize,
    pub(super) total: u64,
    /// Bytes of prefix and keys.
    pub(super) text: usize,
}

impl Seen {
    /// The node again, which nobody should have changed meanwhile.
    pub(super) fn open<'r, R: Read + ?Sized>(
        &self,
        reader: &'r R,
        shape: Shape,
    ) -> Result<Node<'r>, Error> {
        let node = Node::root(reader, self.at, shape)?;
        let same = node.height == self.height && node.len() == self.rows;
        match same && node.text.len() == self.text {
            true => Ok(node),
            false => Err(Error::corrupt("byte map node is its own descendant", self.at)),
        }
    }

    /// Bytes of the node.
    pub(super) fn bytes(&self, shape: Shape) -> usize {
        bytes_of(self.rows, shape.stride(self.height), self.text)
    }
}

/// Bytes of a node with so many rows of so many words, and so many bytes of text.
pub(super) const fn bytes_of(rows: usize, stride: usize, text: usize) -> usize {
    8 * (HEAD_WORDS + rows * (1 + stride)) + text
}
