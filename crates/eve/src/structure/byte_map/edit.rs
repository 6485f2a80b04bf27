//! One entry in, one entry out.
//!
//! Down: remember the way. At the leaf: decide whether anything is to do at all. Up: point each node
//! of the way to its new child; a node that has too many bytes is cut, one that has few joins a
//! sibling that has the room.

use std::borrow::Borrow;

use super::{
    ByteMap,
    node::{HEIGHT_MAX, KEY_BYTES_MAX, Node, Seen, Shape, VALUE_WORDS_MAX},
    rows::{BYTES_MAX, BYTES_MIN, Child, Grown, Rows},
    write::{insert_row, relink, remove_row, set_words},
};
use crate::structure::stored::Stored;
use crate::{Addr, Error, Read, Write};

/// A node on the way down, and the row that was taken.
#[derive(Clone, Copy)]
struct Step {
    node: Seen,
    index: usize,
}

/// The way from the root to where a key is or would be.
struct Way {
    steps: Vec<Step>,
    leaf: Seen,
    position: usize,
    found: bool,
}

impl Way {
    fn find<R: Read + ?Sized>(
        reader: &R,
        root: Addr,
        shape: Shape,
        key: &[u8],
    ) -> Result<Way, Error> {
        let mut node = Node::root(reader, root, shape)?;
        let mut steps = Vec::with_capacity(node.height);
        while node.height > 0 {
            let (child, index) = node.child_for(reader, key)?;
            steps.push(Step { node: node.seen(), index });
            node = child;
        }
        let (position, found) = node.position(reader, key);
        Ok(Way { steps, leaf: node.seen(), position, found })
    }
}

/// The words of a value on its way into a leaf.
pub(super) struct Words([u64; VALUE_WORDS_MAX]);

impl Words {
    pub(super) fn store<V: Stored + ?Sized, W: Write + ?Sized>(
        memory: &mut W,
        value: &V,
    ) -> Result<Self, Error> {
        let mut words = Words([0; VALUE_WORDS_MAX]);
        value.store(memory, &mut words.0[..V::WORDS])?;
        Ok(words)
    }

    fn of(stored: &[u64]) -> Self {
        let mut words = Words([0; VALUE_WORDS_MAX]);
        words.0[..stored.len()].copy_from_slice(stored);
        words
    }

    pub(super) fn get<V: Stored + ?Sized>(&self) -> &[u64] {
        &self.0[..V::WORDS]
    }
}

/// Refuses keys that no node could hold several of.
pub(super) fn check_key(key: &[u8]) -> Result<(), Error> {
    match key.len() <= KEY_BYTES_MAX {
        true => Ok(()),
        false => {
            let limit_bytes = KEY_BYTES_MAX as u64;
            Err(Error::TooLarge { bytes: key.len() as u64, limit_bytes })
        }
    }
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> ByteMap<K, V> {
    /// The map with `key` at `value`, and the value it had before.
    ///
    /// O(log n): one path is copied, or edited in place where it was born in this transaction.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a key of more than 64 MiB; when memory is full or a node is damaged: then
    /// drop the transaction.
    pub fn insert<W: Write + ?Sized>(
        self,
        memory: &mut W,
        key: &K,
        value: impl Borrow<V>,
    ) -> Result<(Self, Option<V::Owned>), Error> {
        let (key, value) = (key.key_bytes(), value.borrow());
        check_key(key)?;
        if self.is_empty() {
            let mut rows = Rows::new(0, Self::SHAPE);
            rows.push(key, Words::store(memory, value)?.get::<V>());
            return Ok((Self::from_root(rows.write(memory, 0..1, None)?.at), None));
        }
        let way = Way::find(memory, self.root(), Self::SHAPE, key)?;
        if way.found {
            return self.replace(memory, &way, value);
        }
        let words = Words::store(memory, value)?;
        let row = (key, words.get::<V>());
        let total = way.leaf.total + 1;
        let mut grown = add_row(memory, Self::SHAPE, way.leaf, way.position, row, total)?;
        for step in way.steps.iter().rev() {
            grown = add_child(memory, Self::SHAPE, *step, &grown)?;
        }
        Ok((Self::from_root(grow_root(memory, Self::SHAPE, grown)?), None))
    }

    /// The map with another value at a key that is there.
    fn replace<W: Write + ?Sized>(
        self,
        memory: &mut W,
        way: &Way,
        value: &V,
    ) -> Result<(Self, Option<V::Owned>), Error> {
        let stored = way.leaf.open(memory, Self::SHAPE)?.words(way.position);
        let before = V::own(memory, stored)?;
        if value.is_stored(memory, stored)? {
            return Ok((self, Some(before)));
        }
        let block = V::block(stored);
        let words = Words::store(memory, value)?;
        let (leaf, position) = (way.leaf, way.position);
        let leaf = set_words(memory, Self::SHAPE, leaf, position, words.get::<V>(), leaf.total)?;
        if let Some(block) = block {
            memory.retire(block);
        }
        let mut below = (leaf.at, leaf.total);
        for Step { node, index } in way.steps.iter().rev() {
            let node = relink(memory, Self::SHAPE, *node, *index, below, node.total)?;
            below = (node.at, node.total);
        }
        Ok((Self::from_root(below.0), Some(before)))
    }

    /// The map without `key`, and the value it had.
    ///
    /// O(log n), like [`ByteMap::insert`].
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn remove<W: Write + ?Sized>(
        self,
        memory: &mut W,
        key: &K,
    ) -> Result<(Self, Option<V::Owned>), Error> {
        if self.is_empty() {
            return Ok((self, None));
        }
        let way = Way::find(memory, self.root(), Self::SHAPE, key.key_bytes())?;
        if !way.found {
            return Ok((self, None));
        }
        let stored = Words::of(way.leaf.open(memory, Self::SHAPE)?.words(way.position));
        let before = V::own(memory, stored.get::<V>())?;
        let total = way.leaf.total - 1;
        let mut node = remove_row(memory, Self::SHAPE, way.leaf, way.position, total)?;
        if let Some(block) = V::block(stored.get::<V>()) {
            memory.retire(block);
        }
        for step in way.steps.iter().rev() {
            node = shrink_child(memory, Self::SHAPE, *step, node)?;
        }
        Ok((Self::from_root(lower_root(memory, Self::SHAPE, node)?), Some(before)))
    }
}

/// Puts a row before row `position`, and cuts the node where it has too many bytes then.
fn add_row<W: Write + ?Sized>(
    memory: &mut W,
    shape: Shape,
    node: Seen,
    position: usize,
    (key, words): (&[u8], &[u64]),
    total: u64,
) -> Result<Grown, Error> {
    let old = node.open(memory, shape)?;
    if let Some(rest) = key.strip_prefix(old.prefix())
        && node.bytes(shape) + rest.len() + 8 * (1 + words.len()) <= BYTES_MAX
    {
        let node = insert_row(memory, shape, node, position, (rest, words), total)?;
        return Ok(Grown { node, more: Vec::new() });
    }
    let mut rows = Rows::new(node.height, shape);
    rows.push_from(&old, 0..position, &[]);
    rows.push(key, words);
    rows.push_from(&old, position..node.rows, &[]);
    rows.write_all(memory, Some(node.at), position)
}

/// Takes a child that grew, and what was cut from it, into its parent.
fn add_child<W: Write + ?Sized>(
    memory: &mut W,
    shape: Shape,
    Step { node, index }: Step,
    child: &Grown,
) -> Result<Grown, Error> {
    let total = node.total.wrapping_add(1);
    let below = (child.node.at, child.node.total);
    let node = relink(memory, shape, node, index, below, total)?;
    match &child.more[..] {
        [] => Ok(Grown { node, more: Vec::new() }),
        [one] => add_row(memory, shape, node, index + 1, (&one.bound, &one.words()), total),
        several => {
            let old = node.open(memory, shape)?;
            let mut rows = Rows::new(node.height, shape);
            rows.push_from(&old, 0..index + 1, &[]);
            several.iter().for_each(|child| rows.push(&child.bound, &child.words()));
            rows.push_from(&old, index + 1..node.rows, &[]);
            rows.write_all(memory, Some(node.at), index + 1)
        }
    }
}

/// Puts levels above a root that was cut.
pub(super) fn grow_root<W: Write + ?Sized>(
    memory: &mut W,
    shape: Shape,
    mut grown: Grown,
) -> Result<Addr, Error> {
    while !grown.more.is_empty() {
        let Seen { at, height, total, .. } = grown.node;
        if height >= HEIGHT_MAX {
            return Err(Error::corrupt("byte map higher than any can be", at));
        }
        let mut rows = Rows::new(height + 1, shape);
        rows.push(&[], &[at.raw(), total]);
        grown.more.iter().for_each(|child| rows.push(&child.bound, &child.words()));
        grown = rows.write_all(memory, None, rows.len())?;
    }
    Ok(grown.node.at)
}

/// A root without rows is no tree, and one with a single child is that child.
fn lower_root<W: Write + ?Sized>(
    memory: &mut W,
    shape: Shape,
    mut root: Seen,
) -> Result<Addr, Error> {
    while root.rows == 0 || (root.rows == 1 && root.height > 0) {
        let below = match root.rows {
            0 => None,
            _ => Some(root.open(memory, shape)?.child(memory, 0)?.seen()),
        };
        memory.retire(root.at);
        match below {
            None => return Ok(Addr::NONE),
            Some(child) => root = child,
        }
    }
    Ok(root.at)
}

/// Takes a child that lost an entry into its parent; an empty one goes, and a poor one joins the sibling
/// behind it or before it.
fn shrink_child<W: Write + ?Sized>(
    memory: &mut W,
    shape: Shape,
    Step { node: parent, index }: Step,
    child: Seen,
) -> Result<Seen, Error> {
    let total = parent.total.wrapping_sub(1);
    if child.rows == 0 {
        memory.retire(child.at);
        return remove_row(memory, shape, parent, index, total);
    }
    if child.bytes(shape) < BYTES_MIN {
        for first in [Some(index), index.checked_sub(1)].into_iter().flatten() {
            if first + 1 < parent.rows
                && let Some(joined) = join(memory, shape, parent, first, (index, child))?
            {
                let below = (joined.at, joined.total);
                let parent = relink(memory, shape, parent, first, below, total)?;
                return remove_row(memory, shape, parent, first + 1, total);
            }
        }
    }
    relink(memory, shape, parent, index, (child.at, child.total), total)
}

/// Joins the children in rows `first` and `first + 1`, of which the one in row `index` is `child` now, if
/// they fit into one node that still has some room.
fn join<W: Write + ?Sized>(
    memory: &mut W,
    shape: Shape,
    parent: Seen,
    first: usize,
    (index, child): (usize, Seen),
) -> Result<Option<Seen>, Error> {
    let above = parent.open(memory, shape)?;
    let side = |i: usize| match i == index {
        true => child.open(memory, shape),
        false => {
            let (at, total) = above.link(i);
            Node::below(memory, at, shape, child.height, total)
        }
    };
    let (left, right) = (side(first)?, side(first + 1)?);
    const MOST: usize = BYTES_MAX - BYTES_MAX / 4;
    if left.seen().bytes(shape) + right.seen().bytes(shape) > MOST {
        return Ok(None);
    }
    let mut rows = Rows::new(child.height, shape);
    rows.push_from(&left, 0..left.len(), &[]);
    rows.push_from(&right, 0..right.len(), &above.key(first + 1));
    // Their prefixes may differ, and be shorter together.
    if rows.bytes(0..rows.len()) > MOST {
        return Ok(None);
    }
    let (left, right) = (left.at, right.at);
    let joined = rows.write(memory, 0..rows.len(), Some(left))?;
    memory.retire(right);
    Ok(Some(joined))
}

/// The nodes as the rows of one tree.
pub(super) fn root_of<W: Write + ?Sized>(
    memory: &mut W,
    shape: Shape,
    mut nodes: Vec<Child>,
) -> Result<Addr, Error> {
    let Some(first) = nodes.first() else { return Ok(Addr::NONE) };
    let below = Node::root(memory, first.at, shape)?.height;
    for height in below + 1..=HEIGHT_MAX {
        if nodes.len() == 1 {
            break;
        }
        let mut level = super::rows::Pieces::new(height, shape);
        for node in &nodes {
            level.push(memory, &node.bound, &node.words())?;
        }
        nodes = level.finish(memory)?;
    }
    match &nodes[..] {
        [root] => Ok(root.at),
        _ => Err(Error::corrupt("byte map higher than any can be", nodes[0].at)),
    }
}
