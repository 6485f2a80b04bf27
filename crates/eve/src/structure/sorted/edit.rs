//! Keys in, keys out.
//!
//! Down: to each leaf that has something to do, each node being looked at once. At the leaf: decide
//! whether anything is to do at all. Up: in each node of the way, the row of the child that changed is
//! pointed at what became of it; a full node splits, a poor one shares with a sibling or joins it.

use std::ops::Range;
use std::slice::from_ref;

use super::{
    SortedSet,
    batch::{grow_root, write_pieces},
    node::{Child, Node, Seen, stride},
    patch::{merged, relink, splice},
    search::{gallop, less},
    write::{FEW, replace, rows_max, rows_min},
};
use crate::{Addr, Error, Write};

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
        self.insert_ascending(memory, &[key]).map(|(set, added)| (set, added > 0))
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
        match keys.is_sorted_by(less) {
            true => self.insert_ascending(memory, keys),
            false => self.insert_ascending(memory, &ascending(keys)),
        }
    }

    fn insert_ascending<W: Write + ?Sized>(
        self,
        memory: &mut W,
        keys: &[[u64; N]],
    ) -> Result<(Self, u64), Error> {
        if keys.is_empty() {
            return Ok((self, 0));
        }
        if self.root.is_none() {
            let set = Self::from_sorted(memory, keys.iter().copied())?;
            return Ok((set, keys.len() as u64));
        }
        let Node { at, height, total, .. } = Node::<N>::root(memory, self.root)?;
        let mut right = Vec::new();
        let (node, added) = insert_below(memory, at, height, total, keys, &mut right)?;
        if right.is_empty() {
            return Ok((SortedSet { root: node.at }, added));
        }
        right.insert(0, node.child([0; N]));
        Ok((SortedSet { root: grow_root(memory, right)? }, added))
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
        self.remove_ascending(memory, from_ref(key)).map(|(set, removed)| (set, removed > 0))
    }

    /// The set without any of `keys`, and how many of them were there. As
    /// [`SortedSet::insert_many`] in all else.
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn remove_many<W: Write + ?Sized>(
        self,
        memory: &mut W,
        keys: &[[u64; N]],
    ) -> Result<(Self, u64), Error> {
        match keys.is_sorted_by(less) {
            true => self.remove_ascending(memory, keys),
            false => self.remove_ascending(memory, &ascending(keys)),
        }
    }

    fn remove_ascending<W: Write + ?Sized>(
        self,
        memory: &mut W,
        keys: &[[u64; N]],
    ) -> Result<(Self, u64), Error> {
        if self.root.is_none() || keys.is_empty() {
            return Ok((self, 0));
        }
        let Node { at, height, total, .. } = Node::<N>::root(memory, self.root)?;
        let (node, removed) = remove_below(memory, at, height, total, keys)?;
        match removed {
            0 => Ok((self, 0)),
            _ => Ok((SortedSet { root: lower_root::<N, W>(memory, node)? }, removed)),
        }
    }
}

fn ascending<const N: usize>(keys: &[[u64; N]]) -> Vec<[u64; N]> {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// How many of `keys` belong below row `i`, where the first does.
fn run_below<const N: usize>(node: &Node<'_, N>, i: usize, keys: &[[u64; N]]) -> usize {
    if keys.len() == 1 || i + 1 >= node.len() {
        return keys.len();
    }
    // At least one: else a damaged node, whose bounds don't ascend, would hold us for ever.
    gallop(keys, 0, &node.bound(i + 1)).max(1)
}

/// Inserts ascending `keys`, not empty, below the node at `at`. Answers what became of it, with what
/// it split off appended to `right`, and how many keys were new. The recursion is as deep as the tree,
/// which [`Node::below`] bounds.
fn insert_below<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    height: usize,
    total: u64,
    mut keys: &[[u64; N]],
    right: &mut Vec<Child<N>>,
) -> Result<(Seen, u64), Error> {
    if height == 0 {
        return insert_in_leaf(memory, at, total, keys, right);
    }
    let mut here = Node::<N>::below(memory, at, height, total)?;
    let mut node = here.seen();
    let (mut index, mut added, before) = (0, 0, right.len());
    let (mut places, mut rows) = (Vec::new(), Vec::new());
    while let Some(key) = keys.first() {
        index = here.route(key, index);
        let (child, below) = here.link(index);
        let (these, rest) = keys.split_at(run_below(&here, index, keys));
        let (child, new) = insert_below(memory, child, height - 1, below, these, right)?;
        if new > 0 {
            added += new;
            node = relink::<N, W>(memory, node, index, child, node.total.wrapping_add(new))?;
        }
        for split in right.drain(before..) {
            places.push(index + 1..index + 1);
            split.push_to(&mut rows);
        }
        keys = rest;
        if keys.is_empty() {
            break;
        }
        here = node.open::<N, W>(memory)?;
    }
    if !places.is_empty() {
        node = add_rows(memory, node, &places, &rows, node.total, right)?;
    }
    Ok((node, added))
}

fn insert_in_leaf<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    total: u64,
    keys: &[[u64; N]],
    right: &mut Vec<Child<N>>,
) -> Result<(Seen, u64), Error> {
    let leaf = Node::<N>::below(memory, at, 0, total)?;
    let node = leaf.seen();
    if let [key] = keys {
        let place = leaf.lower_bound(key);
        if place < leaf.len() && leaf.begins_with(place, key) {
            return Ok((node, 0));
        }
        let node =
            add_rows(memory, node, from_ref(&(place..place)), key, total.wrapping_add(1), right)?;
        return Ok((node, 1));
    }
    let mut places = Vec::with_capacity(keys.len());
    let mut rows = Vec::with_capacity(keys.len() * N);
    each_place(&leaf, keys, |key, place, found| {
        if !found {
            places.push(place..place);
            rows.extend_from_slice(key);
        }
    });
    let added = places.len() as u64;
    if added == 0 {
        return Ok((node, 0));
    }
    Ok((add_rows(memory, node, &places, &rows, total.wrapping_add(added), right)?, added))
}

/// Shows where each of ascending `keys` is or would be in a leaf, and whether it is there.
fn each_place<const N: usize>(
    leaf: &Node<'_, N>,
    keys: &[[u64; N]],
    mut see: impl FnMut(&[u64; N], usize, bool),
) {
    let mut place = 0;
    if keys.len() <= FEW {
        for key in keys {
            // Keys mostly come together: at the place that the one before had, or behind it.
            if place < leaf.len() && leaf.is_below(place, key) {
                place = leaf.lower_bound_in(place + 1..leaf.len(), key);
            }
            let found = place < leaf.len() && leaf.begins_with(place, key);
            see(key, place, found);
            place += usize::from(found);
        }
        return;
    }
    let mut old = Vec::with_capacity(leaf.len());
    leaf.read_keys(0..leaf.len(), &mut old);
    for key in keys {
        place = gallop(&old, place, key);
        see(key, place, old.get(place) == Some(key));
    }
}

/// Inserts a row at each of `places`, splitting what grows too full.
fn add_rows<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    node: Seen,
    places: &[Range<usize>],
    rows: &[u64],
    total: u64,
    right: &mut Vec<Child<N>>,
) -> Result<Seen, Error> {
    let count = node.rows + places.len();
    if places.len() <= FEW && count <= rows_max::<N>(node.height) {
        return splice::<N, W>(memory, node, places, rows, total);
    }
    let rows = merged::<N, W>(memory, node, places, rows)?;
    if count <= rows_max::<N>(node.height) {
        return replace::<N, W>(memory, node, &rows, total);
    }
    let first = places.first().map_or(0, |place| place.start);
    write_pieces(memory, node, first, rows, right)
}

/// Removes ascending `keys`, not empty, below the node at `at`. Answers what became of it, which may be
/// a node without rows, and how many keys there were.
fn remove_below<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    height: usize,
    total: u64,
    mut keys: &[[u64; N]],
) -> Result<(Seen, u64), Error> {
    if height == 0 {
        return remove_in_leaf(memory, at, total, keys);
    }
    let mut here = Node::<N>::below(memory, at, height, total)?;
    let mut node = here.seen();
    let (mut index, mut removed) = (0, 0);
    while let Some(key) = keys.first() {
        index = here.route(key, index);
        let (child, below) = here.link(index);
        let (these, rest) = keys.split_at(run_below(&here, index, keys));
        let (child, gone) = remove_below(memory, child, height - 1, below, these)?;
        if gone > 0 {
            removed += gone;
            node = shrink_child::<N, W>(memory, node, index, child, gone)?;
            // What was right of the child may have joined it, or it the one on its left.
            index = index.saturating_sub(1);
        }
        keys = rest;
        if keys.is_empty() || node.rows == 0 {
            break;
        }
        here = node.open::<N, W>(memory)?;
    }
    Ok((node, removed))
}

fn remove_in_leaf<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    total: u64,
    keys: &[[u64; N]],
) -> Result<(Seen, u64), Error> {
    let leaf = Node::<N>::below(memory, at, 0, total)?;
    let node = leaf.seen();
    if let [key] = keys {
        let place = leaf.lower_bound(key);
        if place == leaf.len() || !leaf.begins_with(place, key) {
            return Ok((node, 0));
        }
        let node = splice::<N, W>(
            memory,
            node,
            from_ref(&(place..place + 1)),
            &[],
            total.wrapping_sub(1),
        )?;
        return Ok((node, 1));
    }
    let mut places = Vec::with_capacity(keys.len());
    each_place(&leaf, keys, |_, place, found| {
        if found {
            places.push(place..place + 1);
        }
    });
    let gone = places.len() as u64;
    if gone == 0 {
        return Ok((node, 0));
    }
    Ok((splice::<N, W>(memory, node, &places, &[], total.wrapping_sub(gone))?, gone))
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

/// Takes a child that lost keys into its parent; a poor one is joined or levelled with a sibling.
fn shrink_child<const N: usize, W: Write + ?Sized>(
    memory: &mut W,
    parent: Seen,
    index: usize,
    child: Seen,
    gone: u64,
) -> Result<Seen, Error> {
    let total = parent.total.wrapping_sub(gone);
    if child.rows == 0 && parent.rows == 1 {
        memory.retire(child.at);
        return splice::<N, W>(memory, parent, from_ref(&(0..1)), &[], total);
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
    splice::<N, W>(memory, parent, from_ref(&(first..first + 2)), &replaced, total)
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
    // Where the next insertion splits what was joined, both parts are far from poor.
    if left.rows + right.rows <= rows_max::<N>(height) {
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
