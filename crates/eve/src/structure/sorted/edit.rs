//! One key in, one key out.
//!
//! Down: remember the way. At the leaf: decide whether anything is to do at all. Up: replace, in
//! each node of the way, the row of the child that changed; a full node splits in two, a poor one
//! shares with a sibling or joins it.

use super::{
    SortedSet,
    node::{Child, HEIGHT_MAX, Node, Seen, stride},
    write::{create, relink, replace, rows_max, rows_min, splice},
};
use crate::{Addr, Error, Read, Write};

/// A node on the way down, and the row that was taken.
#[derive(Clone, Copy)]
struct Step {
    node: Seen,
    index: usize,
}

/// The way from the root to where a key is or would be.
struct Way {
    steps: [Step; HEIGHT_MAX],
    depth: usize,
    leaf: Seen,
    position: usize,
    found: bool,
}

impl Way {
    fn find<const N: usize, R: Read + ?Sized>(
        reader: &R,
        root: Addr,
        key: &[u64; N],
    ) -> Result<Way, Error> {
        let mut node = Node::<N>::root(reader, root)?;
        let mut steps = [Step { node: node.seen(), index: 0 }; HEIGHT_MAX];
        let mut depth = 0;
        while node.height > 0 {
            let index = node.route(key, 0);
            steps[depth] = Step { node: node.seen(), index };
            depth += 1;
            node = node.child(reader, index)?;
        }
        let position = node.lower_bound(key);
        let found = position < node.len() && node.key(position) == *key;
        Ok(Way { steps, depth, leaf: node.seen(), position, found })
    }
}

/// What became of a node: itself or its copy, and a right half if it split.
struct Grown<const N: usize> {
    node: Seen,
    right: Option<Child<N>>,
}

impl<const N: usize> SortedSet<N> {
    /// The set with `key`, and whether it is new.
    ///
    /// O(log n): one path is copied, or edited in place where it was born in this transaction.
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn insert<W: Write + ?Sized>(
        self,
        memory: &mut W,
        key: [u64; N],
    ) -> Result<(Self, bool), Error> {
        if self.root.is_none() {
            let leaf = create::<N, W>(memory, 0, &key, 1)?;
            return Ok((SortedSet { root: leaf.at }, true));
        }
        let way = Way::find(memory, self.root, &key)?;
        if way.found {
            return Ok((self, false));
        }
        let total = way.leaf.total + 1;
        let mut grown = add_row::<N, W>(memory, way.leaf, way.position, &key, total)?;
        for step in way.steps[..way.depth].iter().rev() {
            grown = add_child(memory, *step, grown)?;
        }
        let root = match grown.right {
            None => grown.node.at,
            Some(right) => {
                let left = grown.node.child([0; N]);
                let height = grown.node.height + 1;
                if height > HEIGHT_MAX {
                    return Err(Error::corrupt("sorted set higher than any can be", left.at));
                }
                let mut rows = Vec::with_capacity(2 * (N + 2));
                left.push_to(&mut rows);
                right.push_to(&mut rows);
                let total = left.total.wrapping_add(right.total);
                create::<N, W>(memory, height, &rows, total)?.at
            }
        };
        Ok((SortedSet { root }, true))
    }

    /// The set without `key`, and whether it was there.
    ///
    /// O(log n), like [`SortedSet::insert`].
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn remove<W: Write + ?Sized>(
        self,
        memory: &mut W,
        key: &[u64; N],
    ) -> Result<(Self, bool), Error> {
        if self.root.is_none() {
            return Ok((self, false));
        }
        let way = Way::find(memory, self.root, key)?;
        if !way.found {
            return Ok((self, false));
        }
        let gone = way.position..way.position + 1;
        let mut node = splice::<N, W>(memory, way.leaf, gone, &[], way.leaf.total - 1)?;
        for step in way.steps[..way.depth].iter().rev() {
            node = shrink_child::<N, W>(memory, *step, node)?;
        }
        Ok((SortedSet { root: lower_root::<N, W>(memory, node)? }, true))
    }
}

/// A root without rows is no tree, and one with a single child is that child.
fn lower_root<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    mut root: Seen,
) -> Result<Addr, Error> {
    while root.rows == 0 || (root.rows == 1 && root.height > 0) {
        let below = match root.rows {
            0 => None,
            _ => Some(Node::<N>::root(memory, root.at)?.child(memory, 0)?.seen()),
        };
        memory.retire(root.at);
        match below {
            None => return Ok(Addr::NONE),
            Some(child) => root = child,
        }
    }
    Ok(root.at)
}

/// Inserts one row at `position`, splitting a full node.
fn add_row<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    node: Seen,
    position: usize,
    row: &[u64],
    total: u64,
) -> Result<Grown<N>, Error> {
    if node.rows < rows_max::<N>(node.height) {
        let node = splice::<N, W>(memory, node, position..position, row, total)?;
        return Ok(Grown { node, right: None });
    }
    let stride = stride::<N>(node.height);
    let mut rows = node.rows::<N, W>(memory, 1)?;
    rows.splice(position * stride..position * stride, row.iter().copied());
    // Keys that arrive in order leave full nodes behind, not half empty ones.
    let cut = match position {
        p if p == node.rows => node.rows,
        0 => 1,
        _ => node.rows.div_ceil(2),
    };
    let (left, right) = rows.split_at_mut(cut * stride);
    let bound = take_bound::<N>(node.height, left, right);
    let left_total = count_rows::<N>(node.height, left);
    let right_total = count_rows::<N>(node.height, right);
    let node = replace::<N, W>(memory, node, left, left_total)?;
    let right = create::<N, W>(memory, node.height, right, right_total)?;
    Ok(Grown { node, right: Some(right.child(bound)) })
}

/// Takes a changed child, and its right half, into its parent.
fn add_child<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    step: Step,
    child: Grown<N>,
) -> Result<Grown<N>, Error> {
    let total = step.node.total.wrapping_add(1);
    let node = relink::<N, W>(memory, step.node, step.index, child.node, total)?;
    match child.right {
        None => Ok(Grown { node, right: None }),
        Some(right) => {
            let mut row = Vec::with_capacity(N + 2);
            right.push_to(&mut row);
            add_row(memory, node, step.index + 1, &row, total)
        }
    }
}

/// Takes a child that lost a key into its parent; a poor one is joined or levelled with a sibling.
fn shrink_child<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    step: Step,
    child: Seen,
) -> Result<Seen, Error> {
    let Step { node: parent, index } = step;
    let total = parent.total.wrapping_sub(1);
    if child.rows == 0 && parent.rows == 1 {
        memory.retire(child.at);
        return splice::<N, W>(memory, parent, 0..1, &[], total);
    }
    if child.rows >= rows_min::<N>(child.height) || parent.rows == 1 {
        return relink::<N, W>(memory, parent, index, child, total);
    }
    let first = if index + 1 < parent.rows { index } else { index - 1 };
    let (left_row, right_row) = {
        let node = parent.open::<N, W>(memory)?;
        (node.row(first), node.row(first + 1))
    };
    let sibling = |row: Child<N>, memory: &W| -> Result<Seen, Error> {
        Ok(Node::<N>::below(memory, row.at, child.height, row.total)?.seen())
    };
    let (left, right) = match first == index {
        true => (child, sibling(right_row, memory)?),
        false => (sibling(left_row, memory)?, child),
    };
    let replaced = level::<N, W>(memory, left, right, left_row.bound, right_row.bound)?;
    splice::<N, W>(memory, parent, first..first + 2, &replaced, total)
}

/// Joins two neighbours, or gives each half of what they have: the rows their parent needs.
fn level<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    left: Seen,
    right: Seen,
    left_bound: [u64; N],
    right_bound: [u64; N],
) -> Result<Vec<u64>, Error> {
    let height = left.height;
    let stride = stride::<N>(height);
    let mut rows = left.rows::<N, W>(memory, right.rows)?;
    let seam = rows.len();
    rows.append(&mut right.rows::<N, W>(memory, 0)?);
    if height > 0 && right.rows > 0 {
        rows[seam..seam + N].copy_from_slice(&right_bound);
        // An emptied left neighbour leaves its place, and the bound of it, to the right one.
        rows[..N].fill(0);
    }
    let mut replaced = Vec::with_capacity(2 * (N + 2));
    let total = left.total.wrapping_add(right.total);
    // Joined nodes keep some room, lest the next insertion split them again.
    if left.rows + right.rows <= rows_max::<N>(height) - rows_max::<N>(height) / 4 {
        let joined = replace::<N, W>(memory, left, &rows, total)?;
        memory.retire(right.at);
        joined.child(left_bound).push_to(&mut replaced);
        return Ok(replaced);
    }
    let (first, second) = rows.split_at_mut((left.rows + right.rows) / 2 * stride);
    let bound = take_bound::<N>(height, first, second);
    let left_total = count_rows::<N>(height, first);
    let left = replace::<N, W>(memory, left, first, left_total)?;
    let right_total = count_rows::<N>(height, second);
    let right = replace::<N, W>(memory, right, second, right_total)?;
    left.child(left_bound).push_to(&mut replaced);
    right.child(bound).push_to(&mut replaced);
    Ok(replaced)
}

/// The bound under which the second of two neighbours hangs in their parent. Of leaves it is the
/// shortest that lies between their keys, filled up with zeros, which pack into nothing. An inner node
/// gives its own first bound, which becomes zero.
pub(super) fn take_bound<const N: usize>(
    height: usize,
    left: &[u64],
    right: &mut [u64],
) -> [u64; N] {
    let Some(first) = right.first_chunk_mut::<N>() else { return [0; N] };
    if height > 0 {
        return std::mem::replace(first, [0; N]);
    }
    let mut bound = *first;
    if let Some(last) = left.last_chunk::<N>() {
        let same = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        bound.iter_mut().skip(same + 1).for_each(|word| *word = 0);
    }
    bound
}

/// Keys at or below these rows.
pub(super) fn count_rows<const N: usize>(height: usize, rows: &[u64]) -> u64 {
    match height {
        0 => (rows.len() / N) as u64,
        _ => rows.chunks_exact(N + 2).fold(0, |sum: u64, row| sum.wrapping_add(row[N + 1])),
    }
}
