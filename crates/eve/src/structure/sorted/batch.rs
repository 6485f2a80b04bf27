//! Many nodes at once: whole sets from sorted keys, and what one node cannot hold.

use super::{
    SortedSet,
    edit::{count_rows, take_bound},
    node::{Child, HEIGHT_MAX, Node, Seen, stride},
    search::less,
    write::{self, create, rows_fill, rows_max, rows_min},
};
use crate::{Addr, Error, Write};

impl<const N: usize> SortedSet<N> {
    /// A set of these keys, which should ascend: each node is then written once, full but for some
    /// room to grow. Keys that come twice count once; keys that come out of order are kept aside
    /// and inserted at the end.
    ///
    /// O(n), and memory for the leaves' addresses.
    ///
    /// # Errors
    /// When memory is full; then drop the transaction.
    pub fn from_sorted<W: Write + ?Sized>(
        memory: &mut W,
        keys: impl IntoIterator<Item = [u64; N]>,
    ) -> Result<Self, Error> {
        let mut leaves = Pieces::<N>::new(0);
        let mut late: Vec<[u64; N]> = Vec::new();
        let mut last = None;
        for key in keys {
            match &last {
                Some(last) if !less(last, &key) => {
                    if *last != key {
                        late.push(key);
                    }
                    continue;
                }
                _ => last = Some(key),
            }
            leaves.push(memory, &key)?;
        }
        let leaves = leaves.finish(memory)?;
        let set = SortedSet { root: grow_root(memory, leaves)? };
        if late.is_empty() {
            return Ok(set);
        }
        Ok(set.insert_many(memory, &late)?.0)
    }
}

/// Nodes of one height in the making, from rows that come in order.
struct Pieces<const N: usize> {
    height: usize,
    rows: Vec<u64>,
    /// The last row that was written.
    last: Vec<u64>,
    done: Vec<Child<N>>,
}

impl<const N: usize> Pieces<N> {
    fn new(height: usize) -> Self {
        let most = rows_fill::<N>(height) + rows_min::<N>(height);
        let rows = Vec::with_capacity(most * stride::<N>(height));
        Pieces { height, rows, last: Vec::new(), done: Vec::new() }
    }

    /// Takes a row; writes a node as soon as what is left over would make another.
    fn push<W: Write + ?Sized>(&mut self, memory: &mut W, row: &[u64]) -> Result<(), Error> {
        self.rows.extend_from_slice(row);
        let stride = stride::<N>(self.height);
        let (fill, min) = (rows_fill::<N>(self.height), rows_min::<N>(self.height));
        if self.rows.len() < (fill + min) * stride {
            return Ok(());
        }
        self.write(memory, fill)
    }

    fn write<W: Write + ?Sized>(&mut self, memory: &mut W, rows: usize) -> Result<(), Error> {
        let end = rows * stride::<N>(self.height);
        let part = &mut self.rows[..end];
        let bound =
            if self.done.is_empty() { [0; N] } else { take_bound(self.height, &self.last, part) };
        let total = count_rows::<N>(self.height, part);
        let node = create::<N, W>(memory, self.height, part, total)?;
        self.done.push(node.child(bound));
        self.last.clear();
        self.last.extend_from_slice(&part[end - stride::<N>(self.height)..]);
        self.rows.drain(..end);
        Ok(())
    }

    fn finish<W: Write + ?Sized>(mut self, memory: &mut W) -> Result<Vec<Child<N>>, Error> {
        let rows = self.rows.len() / stride::<N>(self.height);
        if rows > rows_max::<N>(self.height) {
            self.write(memory, rows / 2)?;
        }
        let rows = self.rows.len() / stride::<N>(self.height);
        if rows > 0 {
            self.write(memory, rows)?;
        }
        Ok(self.done)
    }
}

/// Puts levels above `nodes`, which are neighbours of one height, until one node is left.
pub(super) fn grow_root<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    mut nodes: Vec<Child<N>>,
) -> Result<Addr, Error> {
    let Some(first) = nodes.first() else { return Ok(Addr::NONE) };
    if nodes.len() == 1 {
        return Ok(first.at);
    }
    let below = Node::<N>::root(memory, first.at)?.height;
    for height in below + 1..=HEIGHT_MAX {
        let mut level = Pieces::<N>::new(height);
        let mut row = Vec::with_capacity(N + 2);
        for node in &nodes {
            row.clear();
            node.push_to(&mut row);
            level.push(memory, &row)?;
        }
        nodes = level.finish(memory)?;
        if let [root] = &nodes[..] {
            return Ok(root.at);
        }
    }
    Err(Error::corrupt("sorted set higher than any can be", nodes[0].at))
}

/// Writes `rows` in place of a node's, which are too many for one: what does not stay in it is appended
/// to `right`. The first of those that came stands at `place`.
pub(super) fn write_pieces<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    node: Seen,
    place: usize,
    mut rows: Vec<u64>,
    right: &mut Vec<Child<N>>,
) -> Result<Seen, Error> {
    let (height, stride) = (node.height, stride::<N>(node.height));
    let count = rows.len() / stride;
    let (fill, max) = (rows_fill::<N>(height), rows_max::<N>(height));
    let pieces = |rows: usize| if rows <= max { 1 } else { rows.div_ceil(fill) };
    // Keys that arrive in order leave full nodes behind, not half empty ones.
    let first = match place {
        0 if count == node.rows + 1 => 1,
        end if end == node.rows && end >= fill => end,
        _ => count / pieces(count),
    };
    let stays = height == 0 && place == node.rows && first == node.rows;
    let (rest, others) = (count - first, pieces(count - first));
    let cut = |piece: usize| (first + rest * piece / others) * stride;
    let node = match stays {
        true => node,
        false => {
            let total = count_rows::<N>(height, &rows[..cut(0)]);
            write::replace::<N, W>(memory, node, &rows[..cut(0)], total)?
        }
    };
    for piece in 0..others {
        let (left, after) = rows.split_at_mut(cut(piece));
        let part = &mut after[..cut(piece + 1) - cut(piece)];
        let bound = take_bound(height, left, part);
        let total = count_rows::<N>(height, part);
        right.push(create::<N, W>(memory, height, part, total)?.child(bound));
    }
    Ok(node)
}
