//! One node of a sorted set: read, checked, and rewritten.
//!
//! A node is two words and rows. Rows of a leaf are keys; a row of an inner node is a *bound*, the
//! address of a child, and how many keys lie below it.
//!
//! 1. Keys ascend strictly in a leaf, bounds in an inner node.
//! 2. Every key below row `i` is at or above bound `i` and below bound `i + 1`. Bound 0 is all
//!    zeros: nothing is below it.
//! 3. A child is exactly one lower than its parent and holds exactly as many keys as its row says.
//!    So no damaged link can lead round in a circle.

use std::ops::Range;

use super::search::{WINDOW, gallop, guess, less, near, partition};
use crate::{Addr, Error, Read, Write};

/// Bytes of a node, at most; and when it is one of many written at once, with room left for later
/// insertions. Both are sizes of which the slab has blocks, so that next to nothing is wasted.
const BYTES_MAX: usize = 3072;
const BYTES_FILL: usize = 2560;
/// Under test nodes are so small that a few keys make a tree.
const SMALL: bool = cfg!(any(test, miri));
/// Levels above the leaves, at most: far more than the fill of nodes can ever need.
pub(in crate::structure) const HEIGHT_MAX: usize = 16;
/// Words in a key, at most.
pub(in crate::structure) const KEY_WORDS_MAX: usize = 16;

/// Words before the rows.
pub(super) const HEAD_WORDS: usize = 2;
const MAGIC: u64 = u32::from_le_bytes(*b"sset") as u64;

pub(super) const fn stride<const N: usize>(height: usize) -> usize {
    if height == 0 { N } else { N + 2 }
}

const fn rows_in<const N: usize>(bytes: usize, height: usize) -> usize {
    (bytes / 8 - HEAD_WORDS) / stride::<N>(height)
}

/// Rows in a node, at most.
pub(super) const fn rows_max<const N: usize>(height: usize) -> usize {
    match (SMALL, height) {
        (true, 0) => 6,
        (true, _) => 5,
        _ => rows_in::<N>(BYTES_MAX, height),
    }
}

/// Rows that a removal leaves in a node that has a sibling to take some from, at least.
pub(super) const fn rows_min<const N: usize>(height: usize) -> usize {
    if SMALL { 2 } else { rows_max::<N>(height) / 4 }
}

/// Rows in a node that is one of many written at once.
pub(super) const fn rows_fill<const N: usize>(height: usize) -> usize {
    match (SMALL, height) {
        (true, 0) => 5,
        (true, _) => 4,
        _ => rows_in::<N>(BYTES_FILL, height),
    }
}

const fn header<const N: usize>(height: usize, rows: usize) -> u64 {
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

/// A node that was checked: every access below stays inside it.
#[derive(Clone, Copy)]
pub(super) struct Node<'r, const N: usize> {
    pub(super) at: Addr,
    pub(super) height: usize,
    pub(super) total: u64,
    len: usize,
    rows: &'r [u64],
    /// What its ancestors say of its keys: at or above the one, below the other.
    low: Option<&'r [u64; N]>,
    high: Option<&'r [u64; N]>,
}

impl<'r, const N: usize> Node<'r, N> {
    /// The root: whatever height it has.
    #[inline]
    pub(super) fn root<R: Read + ?Sized>(reader: &'r R, at: Addr) -> Result<Self, Error> {
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
        match rest.get(..len * stride::<N>(height)) {
            Some(rows) if len > 0 && (height > 0 || total == len as u64) => {
                Ok(Node { at, height, total, len, rows, low: None, high: None })
            }
            _ => Err(Error::corrupt("sorted set node whose row count cannot be", at)),
        }
    }

    /// A node that hangs in a row with this count, in a node one higher (invariant 3).
    #[inline]
    pub(super) fn below<R: Read + ?Sized>(
        reader: &'r R,
        at: Addr,
        height: usize,
        total: u64,
    ) -> Result<Self, Error> {
        if height == 0 {
            return Self::leaf(reader, at, total);
        }
        let node = Self::root(reader, at)?;
        if node.height != height || node.total != total {
            return Err(Error::corrupt("sorted set node of another height or count", at));
        }
        Ok(node)
    }

    /// A leaf of so many keys. The header is compared but nothing is taken from it: the search
    /// need not wait until it has come from memory.
    #[inline]
    fn leaf<R: Read + ?Sized>(reader: &'r R, at: Addr, total: u64) -> Result<Self, Error> {
        let len = (total & 0xffff) as usize;
        let &[head, count, ref rest @ ..] = reader.words(at)? else {
            return Err(Error::corrupt("sorted set node without a header", at));
        };
        match rest.get(..len * N) {
            Some(rows) if len > 0 && count == total && head == header::<N>(0, len) => {
                if total > 0xffff {
                    return Err(Error::corrupt("sorted set leaf with too many keys", at));
                }
                Ok(Node { at, height: 0, total, len, rows, low: None, high: None })
            }
            _ => Err(Error::corrupt("not a leaf of a sorted set with so many keys", at)),
        }
    }

    /// The child in row `i` of this inner node.
    #[inline]
    pub(super) fn child<R: Read + ?Sized>(&self, reader: &'r R, i: usize) -> Result<Self, Error> {
        let (at, total) = self.link(i);
        let child = Self::below(reader, at, self.height - 1, total)?;
        let low = if i > 0 { Some(self.bound_ref(i)) } else { self.low };
        let high = if i + 1 < self.len() { Some(self.bound_ref(i + 1)) } else { self.high };
        Ok(Node { low, high, ..child })
    }

    /// The child under which `key` lies, if anywhere, at or after row `from`, and its row. If that is a
    /// leaf, the lines where the key should be are asked for before the leaf is looked at.
    #[inline]
    pub(super) fn child_for<R: Read + ?Sized>(
        &self,
        reader: &'r R,
        key: &[u64; N],
        from: usize,
    ) -> Result<(Self, usize), Error> {
        let index = self.route(key, from);
        if self.height == 1 {
            let (at, total) = self.link(index);
            let low = if index > 0 { Some(self.bound_ref(index)) } else { self.low };
            let high =
                if index + 1 < self.len() { Some(self.bound_ref(index + 1)) } else { self.high };
            if let (Some(low), Some(high)) = (low, high)
                && let Some(place) = guess((total & 0xffff) as usize, low, high, key)
            {
                let start = (HEAD_WORDS + place.saturating_sub(WINDOW / 2) * N) * 8;
                (0..=WINDOW * N * 8 / 64).for_each(|line| reader.prefetch(at, start + line * 64));
            }
        }
        Ok((self.child(reader, index)?, index))
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The keys of a leaf; of an inner node, none.
    #[inline]
    pub(super) fn keys(&self) -> &'r [[u64; N]] {
        if self.height == 0 { self.rows.as_chunks().0 } else { &[] }
    }

    /// Key `i` of a leaf, which is below `len`.
    #[inline]
    pub(super) fn key(&self, i: usize) -> [u64; N] {
        self.keys()[i]
    }

    /// Appends the keys of a range of this leaf.
    pub(super) fn read_keys(&self, range: Range<usize>, keys: &mut Vec<[u64; N]>) {
        keys.extend_from_slice(&self.keys()[range]);
    }

    /// Appends one word of each key of a range of this leaf.
    pub(super) fn read_column(&self, column: usize, range: Range<usize>, words: &mut Vec<u64>) {
        words.extend(self.keys()[range].iter().map(|key| key[column]));
    }

    /// The first position of this leaf at or after `from` whose key is not below `target`: cheap where
    /// that is near.
    #[inline]
    pub(super) fn gallop(&self, from: usize, target: &[u64; N]) -> usize {
        gallop(self.keys(), from, target)
    }

    /// The first position of this leaf at or after `from` whose key does not begin with `prefix`, given
    /// that the key at `from` is not below it.
    pub(super) fn end_of(&self, prefix: &[u64], from: usize) -> usize {
        let prefix = &prefix[..prefix.len().min(N)];
        let rest = self.keys().get(from..).unwrap_or_default();
        let begins = |key: &[u64; N]| key.iter().zip(prefix).all(|(a, b)| a == b);
        let mut step = 1;
        while rest.get(step - 1).is_some_and(begins) {
            step *= 2;
        }
        let low = step / 2;
        let part = &rest[low..(step - 1).min(rest.len()).max(low)];
        from + low + part.partition_point(begins)
    }

    /// Bound of row `i`, which is below `len`.
    #[inline]
    pub(super) fn bound(&self, i: usize) -> [u64; N] {
        *self.bound_ref(i)
    }

    #[inline]
    fn bound_ref(&self, i: usize) -> &'r [u64; N] {
        let row = &self.rows[i * (N + 2)..];
        row.first_chunk().unwrap_or(&[0; N])
    }

    /// Address and key count of row `i`, which is below `len`.
    #[inline]
    pub(super) fn link(&self, i: usize) -> (Addr, u64) {
        let row = &self.rows[i * (N + 2)..(i + 1) * (N + 2)];
        (Addr::from_raw(row[N]), row[N + 1])
    }

    pub(super) fn row(&self, i: usize) -> Child<N> {
        let (at, total) = self.link(i);
        Child { bound: self.bound(i), at, total }
    }

    /// The row of an inner node under which `key` lies, if anywhere, at or after row `from`.
    #[inline]
    pub(super) fn route(&self, key: &[u64; N], from: usize) -> usize {
        // Bound 0 is below every key, and so is the one of the row it is routed from.
        let (first, len) = (from + 1, self.len() - from - 1);
        let before = |i| !less(key, self.bound_ref(first + i));
        from + match self.guess(key) {
            Some(guess) => near(len, guess.saturating_sub(first), before),
            None => partition(len, before),
        }
    }

    /// The position in a leaf of the first key that is not below `key`.
    #[inline]
    pub(super) fn lower_bound(&self, key: &[u64; N]) -> usize {
        let keys = self.keys();
        let before = |i: usize| keys.get(i).is_some_and(|k| less(k, key));
        match self.guess(key) {
            Some(guess) => near(keys.len(), guess, before),
            None => partition(keys.len(), before),
        }
    }

    #[inline]
    fn guess(&self, key: &[u64; N]) -> Option<usize> {
        guess(self.len(), self.low?, self.high?, key)
    }

    /// Keys below the rows in `range`.
    pub(super) fn sum(&self, range: Range<usize>) -> u64 {
        range.fold(0, |sum: u64, i| sum.wrapping_add(self.link(i).1))
    }

    /// What an edit must know of this node after it let go of the memory.
    pub(super) fn seen(&self) -> Seen {
        Seen { at: self.at, height: self.height, rows: self.len(), total: self.total }
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

    /// The node's rows, as they are in memory.
    pub(super) fn raw_rows<'r, const N: usize, R: Read + ?Sized>(
        &self,
        reader: &'r R,
    ) -> Result<&'r [u64], Error> {
        let words = reader.words(self.at)?;
        words
            .get(HEAD_WORDS..HEAD_WORDS + self.rows * stride::<N>(self.height))
            .ok_or(Error::corrupt("sorted set node shorter than its rows", self.at))
    }
}

/// A new node with these rows.
pub(super) fn create<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    height: usize,
    rows: &[u64],
    total: u64,
) -> Result<Seen, Error> {
    let at = memory.alloc((HEAD_WORDS + rows.len()) * 8)?;
    let count = rows.len() / stride::<N>(height);
    let words = memory.words_mut(at).ok_or(Error::corrupt("new block cannot be written", at))?;
    words[0] = header::<N>(height, count);
    words[1] = total;
    words[HEAD_WORDS..HEAD_WORDS + rows.len()].copy_from_slice(rows);
    Ok(Seen { at, height, rows: count, total })
}

/// Replaces the rows in `range` by `with`: in place where the node was born in this transaction
/// and has the room, in a copy otherwise.
pub(super) fn splice<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    node: Seen,
    range: Range<usize>,
    with: &[u64],
    total: u64,
) -> Result<Seen, Error> {
    let stride = stride::<N>(node.height);
    let rows = node.rows - range.len() + with.len() / stride;
    let word = |row: usize| HEAD_WORDS + row * stride;
    let (start, end, old_end) = (word(range.start), word(range.end), word(node.rows));
    let (middle, new_end) = (start + with.len(), word(rows));
    let seen = Seen { rows, total, ..node };

    let fresh = match memory.words_mut(node.at) {
        Some(words) if words.len() >= new_end.max(old_end) => {
            words.copy_within(end..old_end, middle);
            words[start..middle].copy_from_slice(with);
            words[new_end.min(old_end)..old_end].fill(0);
            words[0] = header::<N>(node.height, rows);
            words[1] = total;
            return Ok(seen);
        }
        other => other.is_some(),
    };
    // A node that grows twice in one transaction will grow again; one that does not stays exact.
    let spare = if fresh && rows > node.rows { (rows / 8).max(1) } else { 0 };
    let room = (rows + spare).min(rows_max::<N>(node.height).max(rows));
    let at = memory.alloc(word(room) * 8)?;
    memory.copy(node.at, HEAD_WORDS..start, at, HEAD_WORDS)?;
    memory.copy(node.at, end..old_end, at, middle)?;
    let words = memory.words_mut(at).ok_or(Error::corrupt("new block cannot be written", at))?;
    words[0] = header::<N>(node.height, rows);
    words[1] = total;
    words[start..middle].copy_from_slice(with);
    memory.retire(node.at);
    Ok(Seen { at, ..seen })
}

/// Points row `i` of an inner node to `child`, whose bound stays.
pub(super) fn relink<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    node: Seen,
    i: usize,
    child: Seen,
    total: u64,
) -> Result<Seen, Error> {
    let same = splice::<N, W>(memory, node, 0..0, &[], total)?;
    let word = HEAD_WORDS + i * (N + 2) + N;
    let link = memory.words_mut(same.at).and_then(|words| words.get_mut(word..word + 2));
    let link = link.ok_or(Error::corrupt("copied block cannot be written", same.at))?;
    link.copy_from_slice(&[child.at.raw(), child.total]);
    Ok(same)
}
