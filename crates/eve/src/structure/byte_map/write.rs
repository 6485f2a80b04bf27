//! One row in, one row out, another value: bytes of a node moved where it lies.
//!
//! A node of this transaction is changed where it is, as long as it has the room; any other is copied
//! first. What does not fit, or would change the prefix, is for [`Rows`](super::rows::Rows).

use std::ops::Range;

use super::node::{HEAD_WORDS, Seen, Shape, bytes_of, cell};
use crate::{Addr, Error, Write};

/// Where the parts of a node begin, in words.
#[derive(Clone, Copy)]
struct Parts {
    rows: usize,
    stride: usize,
}

impl Parts {
    fn values(self) -> usize {
        HEAD_WORDS + self.rows
    }

    fn value(self, i: usize) -> usize {
        self.values() + i * self.stride
    }

    fn text_byte(self) -> usize {
        8 * self.value(self.rows)
    }

    fn words(self, text: usize) -> usize {
        bytes_of(self.rows, self.stride, text).div_ceil(8)
    }
}

/// The text of a key in a node: from, to, and how long the prefix is.
struct Place {
    text: Range<usize>,
    prefix: usize,
}

fn place<W: Write + ?Sized>(
    memory: &W,
    node: Seen,
    shape: Shape,
    i: usize,
    len: usize,
) -> Result<Place, Error> {
    let open = node.open(memory, shape)?;
    let start = open.start(i).min(node.text);
    let end = if len == 0 { start } else { open.start(i + 1).clamp(start, node.text) };
    Ok(Place { text: start..end, prefix: open.prefix().len() })
}

fn write_head(block: &mut [u64], shape: Shape, node: Seen, prefix: usize) {
    block[0] = shape.header(node.height, node.rows);
    block[1] = node.total;
    block[2] = prefix as u64 | (node.text as u64) << 32;
}

/// Puts a row before row `i`; `rest` is what its key has behind the prefix.
pub(super) fn insert_row<W: Write + ?Sized>(
    memory: &mut W,
    shape: Shape,
    node: Seen,
    i: usize,
    (rest, words): (&[u8], &[u64]),
    total: u64,
) -> Result<Seen, Error> {
    let Place { text, prefix } = place(memory, node, shape, i, 0)?;
    let stride = shape.stride(node.height);
    let (old, new) = (Parts { rows: node.rows, stride }, Parts { rows: node.rows + 1, stride });
    let after = Seen { rows: new.rows, total, text: node.text + rest.len(), ..node };
    let (at, block) = memory.rewrite(node.at, old.words(node.text), new.words(after.text))?;
    // From the end on, so that nothing is overwritten before it has moved.
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(block);
    let (from, to) = (old.text_byte(), new.text_byte());
    bytes.copy_within(from + text.start..from + node.text, to + text.start + rest.len());
    bytes.copy_within(from..from + text.start, to);
    bytes[to + text.start..][..rest.len()].copy_from_slice(rest);
    block.copy_within(old.value(i)..old.value(old.rows), new.value(i + 1));
    block.copy_within(old.values()..old.value(i), new.values());
    block[new.value(i)..new.value(i + 1)].copy_from_slice(words);
    block.copy_within(HEAD_WORDS + i..old.values(), HEAD_WORDS + i + 1);
    block[HEAD_WORDS + i] = cell(rest, text.start + rest.len());
    for cell in &mut block[HEAD_WORDS + i + 1..new.values()] {
        *cell = cell.wrapping_add(rest.len() as u64);
    }
    write_head(block, shape, after, prefix);
    Ok(Seen { at, ..after })
}

/// Takes row `i` out. A node that had no other is not written: it has no rows now, and whoever
/// asked gives it up.
pub(super) fn remove_row<W: Write + ?Sized>(
    memory: &mut W,
    shape: Shape,
    node: Seen,
    i: usize,
    total: u64,
) -> Result<Seen, Error> {
    if node.rows == 1 {
        return Ok(Seen { rows: 0, total, ..node });
    }
    let Place { text, prefix } = place(memory, node, shape, i, 1)?;
    let stride = shape.stride(node.height);
    let (old, new) = (Parts { rows: node.rows, stride }, Parts { rows: node.rows - 1, stride });
    let after = Seen { rows: new.rows, total, text: node.text - text.len(), ..node };
    let size = old.words(node.text);
    let (at, block) = memory.rewrite(node.at, size, size)?;
    // From the start on, as in `insert_row` from the end.
    block.copy_within(HEAD_WORDS + i + 1..old.values(), HEAD_WORDS + i);
    for cell in &mut block[HEAD_WORDS + i..new.values()] {
        *cell = cell.wrapping_sub(text.len() as u64);
    }
    block.copy_within(old.values()..old.value(i), new.values());
    block.copy_within(old.value(i + 1)..old.value(old.rows), new.value(i));
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(block);
    let (from, to) = (old.text_byte(), new.text_byte());
    bytes.copy_within(from..from + text.start, to);
    bytes.copy_within(from + text.end..from + node.text, to + text.start);
    bytes[to + after.text..8 * size].fill(0);
    write_head(block, shape, after, prefix);
    Ok(Seen { at, ..after })
}

/// Gives row `i` other words.
pub(super) fn set_words<W: Write + ?Sized>(
    memory: &mut W,
    shape: Shape,
    node: Seen,
    i: usize,
    words: &[u64],
    total: u64,
) -> Result<Seen, Error> {
    let parts = Parts { rows: node.rows, stride: shape.stride(node.height) };
    let size = parts.words(node.text);
    let (at, block) = memory.rewrite(node.at, size, size)?;
    match block.get_mut(parts.value(i)..parts.value(i + 1)) {
        Some(place) => place.copy_from_slice(words),
        None => return Err(Error::corrupt("byte map node is its own descendant", node.at)),
    }
    block[1] = total;
    Ok(Seen { at, total, ..node })
}

/// Points row `i` of an inner node to a child whose bound stays.
pub(super) fn relink<W: Write + ?Sized>(
    memory: &mut W,
    shape: Shape,
    node: Seen,
    i: usize,
    child: (Addr, u64),
    total: u64,
) -> Result<Seen, Error> {
    set_words(memory, shape, node, i, &[child.0.raw(), child.1], total)
}
