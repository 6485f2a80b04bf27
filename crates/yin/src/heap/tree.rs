//! Maps and sets: persistent weight-balanced trees, ordered by the order of values.
//!
//! A node is `[count, key, value, left, right]` (Adams 1992, with the parameters (3, 2) that
//! Hirai and Yamamoto proved correct in 2011); a set's values are nil.
//!
//! 1. Keys ascend from left to right, so entries come out in one order in every machine.
//! 2. Neither side of a node weighs more than three times the other, so paths are O(log n).

use std::cmp::Ordering;

use datom::Word;

use super::{EMPTY_MAP, EMPTY_SET, Form, Heap, OBJECT, PLACE_SHIFT, payload, small, sort};
use crate::error::Trouble;

const DELTA: usize = 3;
const GAMMA: usize = 2;
/// A node with its header.
const NODE_WORDS: usize = 6;
const COUNT: usize = 0;
const LEFT: usize = 3;
const RIGHT: usize = 4;

/// A map or a set: what its nodes are and how its emptiness is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    form: Form,
    empty: Word,
}

pub(crate) const MAP: Tree = Tree { form: Form::Map, empty: EMPTY_MAP };
pub(crate) const SET: Tree = Tree { form: Form::Set, empty: EMPTY_SET };

/// A node, read out.
#[derive(Clone, Copy)]
struct Node {
    key: Word,
    value: Word,
    left: Word,
    right: Word,
}

/// The entries of a map or set in order.
pub(crate) struct Entries<'h> {
    heap: &'h Heap,
    /// Nodes whose left sides are done.
    path: Vec<Node>,
}

impl Entries<'_> {
    fn descend(&mut self, mut word: Word) {
        while let Some(node) = self.heap.node(word) {
            self.path.push(node);
            word = node.left;
        }
    }
}

impl Iterator for Entries<'_> {
    type Item = (Word, Word);

    fn next(&mut self) -> Option<Self::Item> {
        let node = self.path.pop()?;
        self.descend(node.right);
        Some((node.key, node.value))
    }
}

impl Heap {
    #[inline]
    fn node(&self, word: Word) -> Option<Node> {
        const MAP: u64 = Form::Map as u64;
        const SET: u64 = Form::Set as u64;
        if sort(word) != OBJECT {
            return None;
        }
        let at = payload(word) as usize;
        let &[header, _, key, value, left, right] = self.words.get(at..)?.first_chunk()?;
        matches!(header >> PLACE_SHIFT, MAP | SET).then_some(Node {
            key: Word::from_raw(key),
            value: Word::from_raw(value),
            left: Word::from_raw(left),
            right: Word::from_raw(right),
        })
    }

    /// The key of a node, and the nodes on its two sides.
    #[inline]
    pub(super) fn node_key(&self, word: Word) -> Option<(Word, Word, Word)> {
        self.node(word).map(|node| (node.key, node.left, node.right))
    }

    /// How many entries a map or set has.
    pub(crate) fn tree_len(&self, word: Word) -> usize {
        self.node(word).and_then(|_| self.field(word, 0).as_int()).map_or(0, |count| count as usize)
    }

    /// The entries of a map or set; a set's values are nil.
    pub(crate) fn entries(&self, word: Word) -> Entries<'_> {
        let mut entries = Entries { heap: self, path: Vec::new() };
        entries.descend(word);
        entries
    }

    /// The value under a key.
    pub(crate) fn tree_get(&self, mut word: Word, key: Word) -> Result<Option<Word>, Trouble> {
        if let Some(value) = self.pointed(word, key) {
            return Ok(Some(value));
        }
        while let Some(node) = self.node(word) {
            match self.compare(key, node.key)? {
                Ordering::Less => word = node.left,
                Ordering::Greater => word = node.right,
                Ordering::Equal => return Ok(Some(node.value)),
            }
        }
        Ok(None)
    }

    fn make(&mut self, tree: Tree, n: Node) -> Result<Word, Trouble> {
        let count = self.tree_len(n.left) + self.tree_len(n.right) + 1;
        self.object(tree.form, &[small(count), n.key, n.value, n.left, n.right])
    }

    /// The tree with a value under a key. Recursion is as deep as the tree: O(log n).
    pub(crate) fn tree_insert(
        &mut self,
        tree: Tree,
        word: Word,
        key: Word,
        value: Word,
    ) -> Result<Word, Trouble> {
        let Some(node) = self.node(word) else {
            return self.make(tree, Node { key, value, left: tree.empty, right: tree.empty });
        };
        match self.compare(key, node.key)? {
            Ordering::Less => {
                let left = self.tree_insert(tree, node.left, key, value)?;
                if left == node.left {
                    return Ok(word);
                }
                self.balance(tree, Node { left, ..node })
            }
            Ordering::Greater => {
                let right = self.tree_insert(tree, node.right, key, value)?;
                if right == node.right {
                    return Ok(word);
                }
                self.balance(tree, Node { right, ..node })
            }
            Ordering::Equal if node.value == value => Ok(word),
            Ordering::Equal => self.make(tree, Node { value, ..node }),
        }
    }

    /// A tree with a key that it does not have yet. What the update that runs now owns of it is written in place,
    /// and each object keeps its key. Fails with nothing written. Recursion is as deep as the tree.
    pub(super) fn tree_grow(
        &mut self,
        tree: Tree,
        word: Word,
        key: Word,
        value: Word,
    ) -> Result<Word, Trouble> {
        // Balanced by (3, 2), n entries lie at most log4/3 n deep, each of which makes three nodes at most.
        let depth = (self.tree_len(word) + 2).ilog2() as usize * 5 / 2 + 2;
        self.room(3 * NODE_WORDS * depth)?;
        self.grow_below(tree, word, key, value)
    }

    fn grow_below(
        &mut self,
        tree: Tree,
        word: Word,
        key: Word,
        value: Word,
    ) -> Result<Word, Trouble> {
        let Some(node) = self.node(word) else {
            let made = self.make(tree, Node { key, value, left: tree.empty, right: tree.empty })?;
            self.point(self.stamp(made), key, made);
            return Ok(made);
        };
        match self.compare(key, node.key)? {
            Ordering::Less => {
                let left = self.grow_below(tree, node.left, key, value)?;
                self.rebalance(tree, word, Node { left, ..node })
            }
            Ordering::Greater => {
                let right = self.grow_below(tree, node.right, key, value)?;
                self.rebalance(tree, word, Node { right, ..node })
            }
            Ordering::Equal => Ok(word),
        }
    }

    /// The same as `balance`, with the objects there are.
    fn rebalance(&mut self, tree: Tree, word: Word, n: Node) -> Result<Word, Trouble> {
        let (left, right) = (self.weight(n.left), self.weight(n.right));
        match (self.node(n.left), self.node(n.right)) {
            (_, Some(r)) if right > DELTA * left => {
                let inner = self.node(r.left);
                let Some(m) = inner.filter(|_| !self.is_single(r.left, r.right)) else {
                    let left = self.remake(tree, word, Node { right: r.left, ..n })?;
                    return self.remake(tree, n.right, Node { left, ..r });
                };
                let left = self.remake(tree, word, Node { right: m.left, ..n })?;
                let right = self.remake(tree, n.right, Node { left: m.right, ..r })?;
                self.remake(tree, r.left, Node { left, right, ..m })
            }
            (Some(l), _) if left > DELTA * right => {
                let inner = self.node(l.right);
                let Some(m) = inner.filter(|_| !self.is_single(l.right, l.left)) else {
                    let right = self.remake(tree, word, Node { left: l.right, ..n })?;
                    return self.remake(tree, n.left, Node { right, ..l });
                };
                let right = self.remake(tree, word, Node { left: m.right, ..n })?;
                let left = self.remake(tree, n.left, Node { right: m.left, ..l })?;
                self.remake(tree, l.right, Node { left, right, ..m })
            }
            _ => self.remake(tree, word, n),
        }
    }

    /// Whether one rotation is enough, by the inner and the outer side of the side that is too heavy.
    fn is_single(&self, inner: Word, outer: Word) -> bool {
        self.weight(inner) < GAMMA * self.weight(outer)
    }

    /// A node with other sides: the same object, if the update that runs now owns it.
    fn remake(&mut self, tree: Tree, word: Word, n: Node) -> Result<Word, Trouble> {
        let count = self.tree_len(n.left) + self.tree_len(n.right) + 1;
        let at = payload(word) as usize;
        let is_done = self.is_edited(word)
            && self.put(at, COUNT, small(count))
            && self.put(at, LEFT, n.left)
            && self.put(at, RIGHT, n.right);
        if is_done { Ok(word) } else { self.make(tree, n) }
    }

    /// The tree without a key.
    pub(crate) fn tree_remove(
        &mut self,
        tree: Tree,
        word: Word,
        key: Word,
    ) -> Result<Word, Trouble> {
        let Some(node) = self.node(word) else { return Ok(word) };
        match self.compare(key, node.key)? {
            Ordering::Less => {
                let left = self.tree_remove(tree, node.left, key)?;
                if left == node.left {
                    return Ok(word);
                }
                self.balance(tree, Node { left, ..node })
            }
            Ordering::Greater => {
                let right = self.tree_remove(tree, node.right, key)?;
                if right == node.right {
                    return Ok(word);
                }
                self.balance(tree, Node { right, ..node })
            }
            Ordering::Equal => self.glue(tree, node.left, node.right),
        }
    }

    /// One tree of two whose keys do not overlap and whose weights are balanced.
    fn glue(&mut self, tree: Tree, left: Word, right: Word) -> Result<Word, Trouble> {
        if self.node(left).is_none() {
            return Ok(right);
        }
        if self.node(right).is_none() {
            return Ok(left);
        }
        let (first, rest) = self.take_first(tree, right)?;
        self.balance(tree, Node { key: first.key, value: first.value, left, right: rest })
    }

    /// The first entry of a tree that has one, and the tree without it.
    fn take_first(&mut self, tree: Tree, word: Word) -> Result<(Node, Word), Trouble> {
        let Some(node) = self.node(word) else {
            let nil = Word::NIL;
            return Ok((Node { key: nil, value: nil, left: nil, right: nil }, word));
        };
        if self.node(node.left).is_none() {
            return Ok((node, node.right));
        }
        let (first, left) = self.take_first(tree, node.left)?;
        Ok((first, self.balance(tree, Node { left, ..node })?))
    }

    fn weight(&self, word: Word) -> usize {
        self.tree_len(word) + 1
    }

    /// A node over two trees of which one may be one entry too heavy.
    fn balance(&mut self, tree: Tree, n: Node) -> Result<Word, Trouble> {
        let (left, right) = (self.weight(n.left), self.weight(n.right));
        match (self.node(n.left), self.node(n.right)) {
            (_, Some(r)) if right > DELTA * left => {
                if self.is_single(r.left, r.right) {
                    let left = self.make(tree, Node { right: r.left, ..n })?;
                    return self.make(tree, Node { left, ..r });
                }
                let Some(m) = self.node(r.left) else { return self.make(tree, n) };
                let left = self.make(tree, Node { right: m.left, ..n })?;
                let right = self.make(tree, Node { left: m.right, ..r })?;
                self.make(tree, Node { left, right, ..m })
            }
            (Some(l), _) if left > DELTA * right => {
                if self.is_single(l.right, l.left) {
                    let right = self.make(tree, Node { left: l.right, ..n })?;
                    return self.make(tree, Node { right, ..l });
                }
                let Some(m) = self.node(l.right) else { return self.make(tree, n) };
                let right = self.make(tree, Node { left: m.right, ..n })?;
                let left = self.make(tree, Node { right: m.left, ..l })?;
                self.make(tree, Node { left, right, ..m })
            }
            _ => self.make(tree, n),
        }
    }

    /// A balanced tree of entries whose keys ascend.
    pub(crate) fn tree_sorted(
        &mut self,
        tree: Tree,
        entries: &[(Word, Word)],
    ) -> Result<Word, Trouble> {
        let (left, rest) = entries.split_at(entries.len() / 2);
        let Some((&(key, value), right)) = rest.split_first() else { return Ok(tree.empty) };
        let left = self.tree_sorted(tree, left)?;
        let right = self.tree_sorted(tree, right)?;
        self.make(tree, Node { key, value, left, right })
    }
}
