//! Many keys at once: whole sets from sorted keys, and sorted keys into a set.

use super::{
    SortedSet,
    edit::{count_rows, take_bound},
    node::{Child, HEIGHT_MAX, Node, Seen, stride},
    search::{gallop, less},
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

    /// The set with all `keys`, and how many of them are new. The slice should ascend, or it is
    /// sorted in a copy first.
    ///
    /// One descent per leaf that changes, and each node is written once: for keys that lie
    /// together far cheaper than one insertion each.
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn insert_many<W: Write + ?Sized>(
        self,
        memory: &mut W,
        keys: &[[u64; N]],
    ) -> Result<(Self, u64), Error> {
        if !keys.is_sorted_by(less) {
            let mut sorted = keys.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            return self.insert_many(memory, &sorted);
        }
        match keys {
            [] => Ok((self, 0)),
            [key] => self.insert(memory, *key).map(|(set, new)| (set, u64::from(new))),
            _ if self.root.is_none() => {
                Ok((Self::from_sorted(memory, keys.iter().copied())?, keys.len() as u64))
            }
            _ => {
                let root = Node::<N>::root(memory, self.root)?.seen();
                let mut nodes = Vec::with_capacity(1);
                let added = merge(memory, root, [0; N], keys, &mut nodes)?;
                Ok((SortedSet { root: grow_root(memory, nodes)? }, added))
            }
        }
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
fn grow_root<const N: usize, W: Write + ?Sized>(
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

/// Merges ascending `keys`, not empty, into a node that hangs under `bound`. Appends what takes its
/// place to `out`: one child, or several where the node grew too full. Answers how many keys were
/// new. The recursion is as deep as the tree, which [`Node::child`] bounds.
fn merge<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    node: Seen,
    bound: [u64; N],
    keys: &[[u64; N]],
    out: &mut Vec<Child<N>>,
) -> Result<u64, Error> {
    let (rows, added) = match node.height {
        0 => {
            let mut old = Vec::with_capacity(node.rows);
            Node::<N>::root(memory, node.at)?.read_keys(0..node.rows, &mut old);
            merge_keys(&old, keys)
        }
        _ => merge_children(memory, node, keys)?,
    };
    if added == 0 {
        out.push(node.child(bound));
        return Ok(0);
    }
    replace(memory, node, bound, rows, out)?;
    Ok(added)
}

/// The rows of a leaf with `keys` among them.
fn merge_keys<const N: usize>(old: &[[u64; N]], keys: &[[u64; N]]) -> (Vec<u64>, u64) {
    let mut rows = Vec::with_capacity((old.len() + keys.len()) * N);
    let (mut old, mut added) = (old, 0);
    for key in keys {
        let (before, rest) = old.split_at(gallop(old, 0, key));
        rows.extend_from_slice(before.as_flattened());
        old = rest;
        if old.first() != Some(key) {
            rows.extend_from_slice(key);
            added += 1;
        }
    }
    rows.extend_from_slice(old.as_flattened());
    (rows, added)
}

/// The rows of an inner node after `keys` went into its children.
fn merge_children<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    node: Seen,
    keys: &[[u64; N]],
) -> Result<(Vec<u64>, u64), Error> {
    let mut children = Vec::with_capacity(node.rows + 1);
    let (mut keys, mut index, mut added) = (keys, 0, 0);
    while let Some(key) = keys.first() {
        let here = Node::<N>::root(memory, node.at)?;
        if here.len() != node.rows {
            return Err(Error::corrupt("sorted set node is its own descendant", node.at));
        }
        let next = here.route(key, index);
        children.extend((index..next).map(|i| here.row(i)));
        let len = match next + 1 < here.len() {
            // At least one: else a damaged node, whose bounds don't ascend, would hold us for ever.
            true => gallop(keys, 0, &here.bound(next + 1)).max(1),
            false => keys.len(),
        };
        let child = here.child(memory, next)?.seen();
        let bound = here.bound(next);
        let (these, rest) = keys.split_at(len);
        added += merge(memory, child, bound, these, &mut children)?;
        (keys, index) = (rest, next + 1);
        if index >= node.rows {
            break;
        }
    }
    let here = Node::<N>::root(memory, node.at)?;
    children.extend((index..here.len()).map(|i| here.row(i)));
    let mut rows = Vec::with_capacity(children.len() * (N + 2));
    for child in &children {
        child.push_to(&mut rows);
    }
    Ok((rows, added))
}

/// Writes `rows` in place of a node's, as several nodes where one cannot hold them.
fn replace<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    node: Seen,
    bound: [u64; N],
    mut rows: Vec<u64>,
    out: &mut Vec<Child<N>>,
) -> Result<(), Error> {
    let (height, stride) = (node.height, stride::<N>(node.height));
    let count = rows.len() / stride;
    let pieces =
        if count <= rows_max::<N>(height) { 1 } else { count.div_ceil(rows_fill::<N>(height)) };
    let cut = |piece: usize| count * piece / pieces * stride;
    let total = count_rows::<N>(height, &rows[..cut(1)]);
    out.push(write::replace::<N, W>(memory, node, &rows[..cut(1)], total)?.child(bound));
    for piece in 1..pieces {
        let (left, right) = rows.split_at_mut(cut(piece));
        let part = &mut right[..cut(piece + 1) - cut(piece)];
        let bound = take_bound(height, left, part);
        let total = count_rows::<N>(height, part);
        out.push(create::<N, W>(memory, height, part, total)?.child(bound));
    }
    Ok(())
}
