//! Rows taken out of their nodes, and packed into nodes again.

use std::ops::Range;

use super::node::{HEAD_WORDS, Node, Seen, Shape, bytes_of, cell, common};
use crate::{Addr, Error, Write};

/// Bytes of a node, at most, unless it has too few rows to be cut; and of one of many that are written
/// at once, with room left for later insertions. Under test nodes are so small that a few keys make
/// a tree.
pub(super) const BYTES_MAX: usize = if cfg!(any(test, miri)) { 192 } else { 4096 };
pub(super) const BYTES_FILL: usize = BYTES_MAX * 7 / 8;
/// A node with fewer bytes is joined with a sibling that has the room.
pub(super) const BYTES_MIN: usize = BYTES_MAX / 4;
/// A node with fewer rows is never cut, however long its keys are.
const ROWS_CUT: usize = 4;

/// What an inner row says of a child.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) bound: Vec<u8>,
    pub(super) at: Addr,
    pub(super) total: u64,
}

impl Child {
    pub(super) fn words(&self) -> [u64; 2] {
        [self.at.raw(), self.total]
    }
}

/// What became of a node: itself or its copy, and those that were cut from it.
pub(super) struct Grown {
    pub(super) node: Seen,
    pub(super) more: Vec<Child>,
}

/// Rows of one height, with whole keys.
pub(super) struct Rows {
    height: usize,
    shape: Shape,
    text: Vec<u8>,
    ends: Vec<usize>,
    words: Vec<u64>,
}

impl Rows {
    pub(super) fn new(height: usize, shape: Shape) -> Self {
        Rows { height, shape, text: Vec::new(), ends: Vec::new(), words: Vec::new() }
    }

    pub(super) fn push(&mut self, key: &[u8], words: &[u64]) {
        self.text.extend_from_slice(key);
        self.ends.push(self.text.len());
        self.words.extend_from_slice(words);
    }

    /// Appends some rows of a node, the first under `bound` if it is row 0 of an inner node.
    pub(super) fn push_from(&mut self, node: &Node<'_>, range: Range<usize>, bound: &[u8]) {
        for i in range {
            if node.height > 0 && i == 0 {
                self.text.extend_from_slice(bound);
            } else {
                self.text.extend_from_slice(node.prefix());
                self.text.extend_from_slice(node.rest(i));
            }
            self.ends.push(self.text.len());
            self.words.extend_from_slice(node.words(i));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn stride(&self) -> usize {
        self.shape.stride(self.height)
    }

    fn start(&self, i: usize) -> usize {
        i.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    pub(super) fn key(&self, i: usize) -> &[u8] {
        &self.text[self.start(i)..self.ends[i]]
    }

    pub(super) fn words(&self, i: usize) -> &[u64] {
        &self.words[i * self.stride()..(i + 1) * self.stride()]
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.words.clear();
    }

    /// The rows of a node from these on whose keys are stored: bound 0 is not.
    fn keyed(&self, range: &Range<usize>) -> Range<usize> {
        (range.start + usize::from(self.height > 0)).min(range.end)..range.end
    }

    /// How long the prefix of a node of these rows is: what the first and the last key share.
    fn prefix(&self, range: &Range<usize>) -> usize {
        match self.keyed(range) {
            keyed if keyed.is_empty() => 0,
            keyed => common(self.key(keyed.start), self.key(keyed.end - 1)),
        }
    }

    /// Bytes of a node of these rows.
    pub(super) fn bytes(&self, range: Range<usize>) -> usize {
        let (keyed, prefix) = (self.keyed(&range), self.prefix(&range));
        let text: usize = keyed.map(|i| self.key(i).len().saturating_sub(prefix)).sum();
        bytes_of(range.len(), self.stride(), prefix + text)
    }

    fn total(&self, range: &Range<usize>) -> u64 {
        match self.height {
            0 => range.len() as u64,
            _ => range.clone().fold(0, |sum: u64, i| sum.wrapping_add(self.words(i)[1])),
        }
    }

    /// A node of these rows, not none: where `place` is, or in a new block.
    pub(super) fn write<W: Write + ?Sized>(
        &self,
        memory: &mut W,
        range: Range<usize>,
        place: Option<Addr>,
    ) -> Result<Seen, Error> {
        let (image, text) = self.image(&range)?;
        let at = settle(memory, &image, place)?;
        let total = self.total(&range);
        Ok(Seen { at, height: self.height, rows: range.len(), total, text })
    }

    /// The words of a node, and how many bytes of text it has.
    fn image(&self, range: &Range<usize>) -> Result<(Vec<u64>, usize), Error> {
        let (keyed, prefix) = (self.keyed(range), self.prefix(range));
        let (rows, stride) = (range.len(), self.stride());
        let bytes = self.bytes(range.clone());
        let text_len = bytes - bytes_of(rows, stride, 0);
        if rows > usize::from(u16::MAX) || text_len > u32::MAX as usize {
            let limit_bytes = u64::from(u32::MAX);
            return Err(Error::TooLarge { bytes: bytes as u64, limit_bytes });
        }
        let mut image = vec![0; bytes.div_ceil(8)];
        image[0] = self.shape.header(self.height, rows);
        image[1] = self.total(range);
        image[2] = prefix as u64 | (text_len as u64) << 32;
        let (cells, rest) = image[HEAD_WORDS..].split_at_mut(rows);
        let (values, rest) = rest.split_at_mut(rows * stride);
        values.copy_from_slice(&self.words[range.start * stride..range.end * stride]);
        let text: &mut [u8] = bytemuck::cast_slice_mut(rest);
        if !keyed.is_empty() {
            text[..prefix].copy_from_slice(&self.key(keyed.start)[..prefix]);
        }
        let mut end = prefix;
        for (cell_of, i) in cells.iter_mut().zip(range.clone()) {
            let key = match keyed.contains(&i) {
                true => self.key(i).get(prefix..).unwrap_or_default(),
                false => &[],
            };
            text[end..end + key.len()].copy_from_slice(key);
            end += key.len();
            *cell_of = cell(key, end);
        }
        Ok((image, text_len))
    }

    /// The bound under which the rows from `cut` on hang: of leaves the shortest that lies between the
    /// keys beside the cut.
    fn bound(&self, cut: usize) -> Vec<u8> {
        let key = self.key(cut);
        match self.height {
            0 => between(self.key(cut - 1), key).to_vec(),
            _ => key.to_vec(),
        }
    }

    /// All rows as one node, or as several if they are too many bytes; the first takes `place`.
    ///
    /// `near` is where rows were inserted: keys that arrive in order leave full nodes behind.
    pub(super) fn write_all<W: Write + ?Sized>(
        &self,
        memory: &mut W,
        place: Option<Addr>,
        near: usize,
    ) -> Result<Grown, Error> {
        let mut cuts = self.cuts(near);
        cuts.push(self.len());
        let node = self.write(memory, 0..cuts[0], place)?;
        let mut more = Vec::with_capacity(cuts.len() - 1);
        for cut in cuts.windows(2) {
            let Seen { at, total, .. } = self.write(memory, cut[0]..cut[1], None)?;
            more.push(Child { bound: self.bound(cut[0]), at, total });
        }
        Ok(Grown { node, more })
    }

    /// Where to cut rows that are too many bytes for one node; ascending.
    fn cuts(&self, near: usize) -> Vec<usize> {
        let (rows, all) = (self.len(), 0..self.len());
        let bytes = self.bytes(all.clone());
        if bytes <= BYTES_MAX || rows < ROWS_CUT {
            return Vec::new();
        }
        if near + 1 == rows && self.bytes(0..near) <= BYTES_MAX {
            return vec![near];
        }
        if near == 0 && self.bytes(1..rows) <= BYTES_MAX {
            return vec![1];
        }
        let pieces = bytes.div_ceil(BYTES_FILL).clamp(2, rows / 2);
        let prefix = self.prefix(&all);
        let row_bytes =
            |i: usize| 8 * (1 + self.stride()) + self.key(i).len().saturating_sub(prefix);
        let whole: usize = all.map(row_bytes).sum();
        let (mut cuts, mut before, mut last) = (Vec::with_capacity(pieces), row_bytes(0), 0);
        for i in 2..=rows - 2 {
            before += row_bytes(i - 1);
            let is_full = before >= whole * (cuts.len() + 1) / pieces;
            if is_full && i >= last + 2 || i == rows - 2 && cuts.is_empty() {
                cuts.push(i);
                last = i;
            }
        }
        cuts
    }
}

/// The shortest key above `left` and not above `right`, which is above it.
pub(super) fn between<'k>(left: &[u8], right: &'k [u8]) -> &'k [u8] {
    right.get(..=common(left, right)).unwrap_or(right)
}

/// Puts a node where it is, if it was born in this transaction and has the room, else elsewhere.
fn settle<W: Write + ?Sized>(
    memory: &mut W,
    image: &[u64],
    place: Option<Addr>,
) -> Result<Addr, Error> {
    if let Some(at) = place
        && let Some(words) = memory.words_mut(at)
        && let Some((whole, rest)) = words.split_at_mut_checked(image.len())
    {
        whole.copy_from_slice(image);
        rest.fill(0);
        return Ok(at);
    }
    let new = memory.alloc(image.len() * 8)?;
    let words = memory.words_mut(new).and_then(|words| words.get_mut(..image.len()));
    words.ok_or(Error::corrupt("new block cannot be written", new))?.copy_from_slice(image);
    if let Some(at) = place {
        memory.retire(at);
    }
    Ok(new)
}

/// Nodes of one height in the making, from rows that come in order.
pub(super) struct Pieces {
    rows: Rows,
    /// Of the keys at hand that will be stored: how many, how long together, and what they share.
    keyed: usize,
    text: usize,
    prefix: usize,
    /// Of the node at hand.
    bound: Vec<u8>,
    done: Vec<Child>,
}

impl Pieces {
    pub(super) fn new(height: usize, shape: Shape) -> Self {
        let rows = Rows::new(height, shape);
        Pieces { rows, keyed: 0, text: 0, prefix: 0, bound: Vec::new(), done: Vec::new() }
    }

    /// The key that came last.
    pub(super) fn last(&self) -> Option<&[u8]> {
        self.rows.len().checked_sub(1).map(|last| self.rows.key(last))
    }

    /// Takes a row; writes a node first if it would not fit into that at hand.
    pub(super) fn push<W: Write + ?Sized>(
        &mut self,
        memory: &mut W,
        key: &[u8],
        words: &[u64],
    ) -> Result<(), Error> {
        let rows = self.rows.len();
        let is_inner = self.rows.height > 0;
        let (mut keyed, mut text, mut prefix) = (self.keyed, self.text, self.prefix);
        if !is_inner || rows > 0 {
            prefix = match keyed {
                0 => key.len(),
                _ => common(self.rows.key(usize::from(is_inner)), key),
            };
            (keyed, text) = (keyed + 1, text + key.len());
        }
        let stored = text.saturating_sub(prefix * keyed.saturating_sub(1));
        if rows >= 2 && bytes_of(rows + 1, self.rows.stride(), stored) > BYTES_FILL {
            let bound = if is_inner { key } else { between(self.rows.key(rows - 1), key) };
            self.write(memory)?;
            self.bound = bound.to_vec();
            return self.push(memory, key, words);
        }
        (self.keyed, self.text, self.prefix) = (keyed, text, prefix);
        self.rows.push(key, words);
        Ok(())
    }

    fn write<W: Write + ?Sized>(&mut self, memory: &mut W) -> Result<(), Error> {
        let Seen { at, total, .. } = self.rows.write(memory, 0..self.rows.len(), None)?;
        self.done.push(Child { bound: std::mem::take(&mut self.bound), at, total });
        self.rows.clear();
        (self.keyed, self.text, self.prefix) = (0, 0, 0);
        Ok(())
    }

    /// The nodes, with their bounds.
    pub(super) fn finish<W: Write + ?Sized>(mut self, memory: &mut W) -> Result<Vec<Child>, Error> {
        if self.rows.len() > 0 {
            self.write(memory)?;
        }
        Ok(self.done)
    }
}
