//! The blocks of a vector: its head, inner nodes and leaves.

use crate::structure::stored::Stored;
use crate::{Addr, Error, Read, Write};

pub(super) const BITS: u32 = 5;
/// Rows of a node, at most: children, or elements.
pub(super) const WIDTH: u64 = 1 << BITS;
/// Levels above the leaves, at most: enough for every index.
pub(in crate::structure) const HEIGHT_MAX: u32 = 12;
/// Words of the vector's root block.
pub(super) const HEAD_WORDS: usize = 4;

const MAGIC: u64 = (u32::from_le_bytes(*b"vect") as u64) << 32;
const ROOT: u64 = 0xff;
const WORDS_MAX: usize = 255;

/// Word 0 of every block: magic, words of an element, what it is (a height, or [`ROOT`]), rows.
const fn tag<T: Stored + ?Sized>(what: u64, rows: u64) -> u64 {
    const { assert!(T::WORDS > 0 && T::WORDS <= WORDS_MAX, "an element has 1 to 255 words") }
    let apart = if T::APART { 1 << 24 } else { 0 };
    MAGIC | apart | (T::WORDS as u64) << 16 | what << 8 | rows
}

#[cold]
fn misshapen(at: Addr) -> Error {
    Error::corrupt("not a vector's block of this height and kind", at)
}

/// What a vector's root says.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) at: Addr,
    pub(super) len: u64,
    pub(super) height: u32,
    pub(super) trie: Addr,
    pub(super) tail: Addr,
}

impl Head {
    pub(super) const EMPTY: Head =
        Head { at: Addr::NONE, len: 0, height: 0, trie: Addr::NONE, tail: Addr::NONE };

    #[inline]
    pub(super) fn read<T: Stored + ?Sized, R: Read + ?Sized>(
        reader: &R,
        at: Addr,
    ) -> Result<Head, Error> {
        if at.is_none() {
            return Ok(Head::EMPTY);
        }
        let &[head, len, trie, tail, ..] = reader.words(at)? else { return Err(misshapen(at)) };
        let (trie, tail, height) =
            (Addr::from_raw(trie), Addr::from_raw(tail), (head & 0xff) as u32);
        let read = Head { at, len, height, trie, tail };
        let sound = head == tag::<T>(ROOT, head & 0xff)
            && height <= HEIGHT_MAX
            && len > 0
            && read.leaves().div_ceil(1 << (BITS * height).min(63)) <= 1
            && (read.leaves() == 0) == trie.is_none();
        if sound { Ok(read) } else { Err(misshapen(at)) }
    }

    /// Elements in the tail.
    pub(super) fn tail_len(&self) -> u64 {
        if self.len == 0 { 0 } else { (self.len - 1) % WIDTH + 1 }
    }

    /// Leaves in the trie.
    pub(super) fn leaves(&self) -> u64 {
        (self.len - self.tail_len()) / WIDTH
    }

    /// Writes the head, in place or anew.
    pub(super) fn write<T: Stored + ?Sized, W: Write + ?Sized>(
        &self,
        memory: &mut W,
    ) -> Result<Addr, Error> {
        let new = match self.at.is_none() {
            true => memory.alloc(HEAD_WORDS * 8)?,
            false => self.at,
        };
        let (at, words) = memory.rewrite(new, HEAD_WORDS, HEAD_WORDS)?;
        let head = tag::<T>(ROOT, u64::from(self.height));
        words[..HEAD_WORDS].copy_from_slice(&[head, self.len, self.trie.raw(), self.tail.raw()]);
        Ok(at)
    }
}

/// The rows of the node of this height at `at`: elements of a leaf, else addresses.
#[inline]
pub(super) fn rows<T: Stored + ?Sized, R: Read + ?Sized>(
    reader: &R,
    at: Addr,
    height: u32,
) -> Result<&[u64], Error> {
    let Some((head, body)) = reader.words(at)?.split_first() else { return Err(misshapen(at)) };
    let (count, stride) = (head & 0xff, if height == 0 { T::WORDS } else { 1 });
    if *head == tag::<T>(u64::from(height), count)
        && (1..=WIDTH).contains(&count)
        && let Some(rows) = body.get(..count as usize * stride)
    {
        return Ok(rows);
    }
    Err(misshapen(at))
}

/// Which child of a node of this height leads to leaf `leaf`.
#[inline]
pub(super) fn child_index(leaf: u64, height: u32) -> usize {
    (leaf >> (BITS * (height - 1)) & (WIDTH - 1)) as usize
}

/// The elements of the leaf that holds element `index`, which is below the length.
#[inline]
pub(super) fn leaf_of<'r, T: Stored + ?Sized, R: Read + ?Sized>(
    reader: &'r R,
    head: &Head,
    index: u64,
) -> Result<&'r [u64], Error> {
    let leaf = index / WIDTH;
    if leaf >= head.leaves() {
        return rows::<T, R>(reader, head.tail, 0);
    }
    let mut at = head.trie;
    for height in (1..=head.height).rev() {
        match rows::<T, R>(reader, at, height)?.get(child_index(leaf, height)) {
            Some(child) => at = Addr::from_raw(*child),
            None => return Err(misshapen(at)),
        }
    }
    rows::<T, R>(reader, at, 0)
}

/// A new node of these rows.
pub(super) fn create<T: Stored + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    height: u32,
    count: u64,
    rows: &[u64],
) -> Result<Addr, Error> {
    let at = memory.alloc((1 + rows.len()) * 8)?;
    let Some(words) = memory.words_mut(at) else { return Err(misshapen(at)) };
    words[0] = tag::<T>(u64::from(height), count);
    words[1..1 + rows.len()].copy_from_slice(rows);
    Ok(at)
}

/// The node at `at`, in place or a copy, with row `row` for writing: one that is there, or the next. What
/// comes after it is cut off if `last`.
pub(super) fn edit<T: Stored + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    height: u32,
    row: usize,
    last: bool,
) -> Result<(Addr, &mut [u64]), Error> {
    let stride = if height == 0 { T::WORDS } else { 1 };
    let old = rows::<T, W>(memory, at, height)?.len() / stride;
    if row > old || row >= WIDTH as usize {
        return Err(misshapen(at));
    }
    let count = if last { row + 1 } else { old.max(row + 1) };
    let keep = 1 + old.min(count) * stride;
    let (at, words) = memory.rewrite(at, keep, 1 + count * stride)?;
    words[0] = tag::<T>(u64::from(height), count as u64);
    let end = words.len().min(1 + old * stride);
    if let Some(rest) = words.get_mut(1 + count * stride..end) {
        rest.fill(0);
    }
    Ok((at, &mut words[1 + row * stride..1 + (row + 1) * stride]))
}
