//! A place between two keys, and how to move it.
//!
//! 1. The cursor stands in a *gap*: [`Cursor::next`] gives the key after it and steps over,
//!    [`Cursor::prev`] the key before it.
//! 2. `leaf` is the leaf the gap is in, `position` the number of its keys before the gap; the levels
//!    above hold the row that leads there. A gap between two leaves belongs to either.
//! 3. After an error the cursor stands nowhere: it gives no key until it is moved by a seek.
//! 4. `window` holds keys of `leaf` that were read out already, those from its `start` on.

use std::ops::Range;

use super::{node::Node, pad, search::less, successor};
use crate::{Addr, Error, Read};

/// Keys that a step reads out at once: who steps once mostly steps again.
const AHEAD: usize = 16;

/// A place in a [`SortedSet`](super::SortedSet).
///
/// Keys are given by value. A run of them is read out into the cursor's own buffer and lent until the
/// next move.
pub struct Cursor<'r, const N: usize, R: Read + ?Sized> {
    reader: &'r R,
    root: Addr,
    leaf: Option<Node<'r, N>>,
    position: usize,
    window: Window<N>,
    levels: Levels<'r, N>,
    depth: usize,
    state: State,
}

/// Levels that a cursor holds in itself: those of a hundred million keys. It is moved while it is made,
/// so it had better be small.
const NEAR: usize = 3;

/// The rows that lead to a leaf, from the root down.
#[derive(Clone)]
struct Levels<'r, const N: usize> {
    near: [Option<Level<'r, N>>; NEAR],
    far: Vec<Level<'r, N>>,
}

impl<'r, const N: usize> Levels<'r, N> {
    #[inline]
    fn get(&self, depth: usize) -> Option<Level<'r, N>> {
        match self.near.get(depth) {
            Some(level) => *level,
            None => self.far.get(depth - NEAR).copied(),
        }
    }

    /// Sets a level; those above are set.
    #[inline]
    fn set(&mut self, depth: usize, level: Level<'r, N>) {
        match self.near.get_mut(depth) {
            Some(place) => *place = Some(level),
            None => {
                self.far.truncate(depth - NEAR);
                self.far.push(level);
            }
        }
    }
}

/// Keys of the leaf at hand that were read out.
struct Window<const N: usize> {
    start: usize,
    keys: Vec<[u64; N]>,
}

impl<const N: usize> Window<N> {
    const fn empty() -> Self {
        Window { start: 0, keys: Vec::new() }
    }

    #[inline]
    fn get(&self, index: usize) -> Option<&[u64; N]> {
        self.keys.get(index.wrapping_sub(self.start))
    }

    fn fill(&mut self, leaf: &Node<'_, N>, range: Range<usize>) {
        self.start = range.start;
        self.keys.clear();
        leaf.read_keys(range, &mut self.keys);
    }
}

#[derive(Clone, Copy)]
struct Level<'r, const N: usize> {
    node: Node<'r, N>,
    index: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was read yet; the gap is before the first key.
    Before,
    Placed,
    Nowhere,
}

impl<const N: usize, R: Read + ?Sized> Clone for Cursor<'_, N, R> {
    fn clone(&self) -> Self {
        // What was read out stays: whoever clones a cursor moves it.
        Cursor { window: Window::empty(), levels: self.levels.clone(), ..*self }
    }
}

impl<'r, const N: usize, R: Read + ?Sized> Cursor<'r, N, R> {
    pub(super) fn new(reader: &'r R, root: Addr) -> Self {
        let state = if root.is_none() { State::Nowhere } else { State::Before };
        let levels = Levels { near: [None; NEAR], far: Vec::new() };
        let window = Window::empty();
        Cursor { reader, root, leaf: None, position: 0, window, levels, depth: 0, state }
    }

    /// The memory this cursor reads.
    pub fn reader(&self) -> &'r R {
        self.reader
    }

    /// Moves to the gap before the first key at or above `prefix` (padded with zeros) and gives
    /// that key. O(log n).
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn seek(&mut self, prefix: &[u64]) -> Result<Option<[u64; N]>, Error> {
        self.descend_to(&pad(prefix, 0))?;
        self.peek()
    }

    /// Moves to the gap after the last key at or below `prefix` (padded with ones), that is, after
    /// every key that begins with `prefix`, and gives the key before the gap. O(log n).
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn seek_last(&mut self, prefix: &[u64]) -> Result<Option<[u64; N]>, Error> {
        match successor(pad(prefix, u64::MAX)) {
            Some(after) => self.descend_to(&after)?,
            None => self.descend_end()?,
        }
        self.peek_prev()
    }

    /// Moves before the first key and gives it.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn first(&mut self) -> Result<Option<[u64; N]>, Error> {
        self.seek(&[])
    }

    /// Moves after the last key and gives it.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn last(&mut self) -> Result<Option<[u64; N]>, Error> {
        self.seek_last(&[])
    }

    /// Like [`Cursor::seek`], for prefixes that mostly come in order: nothing is read where the gap is
    /// the one already, and where it lies before, the way is galloped.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn seek_near(&mut self, prefix: &[u64]) -> Result<Option<[u64; N]>, Error> {
        let target = pad(prefix, 0);
        match self.here() {
            Some(key) if less(&key, &target) => self.advance_to(&target),
            Some(key) if self.before().is_some_and(|before| less(&before, &target)) => {
                Ok(Some(key))
            }
            _ => self.seek(prefix),
        }
    }

    /// The key after the gap in the leaf at hand: nothing is read to find it.
    #[inline]
    fn here(&self) -> Option<[u64; N]> {
        match self.window.get(self.position) {
            Some(key) => Some(*key),
            None => self
                .leaf
                .filter(|leaf| self.position < leaf.len())
                .map(|leaf| leaf.key(self.position)),
        }
    }

    /// The key before the gap in the leaf at hand.
    #[inline]
    fn before(&self) -> Option<[u64; N]> {
        let before = self.position.checked_sub(1)?;
        match self.window.get(before) {
            Some(key) => Some(*key),
            None => self.leaf.map(|leaf| leaf.key(before)),
        }
    }

    /// The leaf that the key after the gap is in.
    #[inline]
    fn leaf_ahead(&mut self) -> Result<Option<Node<'r, N>>, Error> {
        if self.leaf.is_none_or(|leaf| self.position >= leaf.len()) && !self.next_leaf()? {
            return Ok(None);
        }
        Ok(self.leaf)
    }

    /// The key after the gap.
    ///
    /// # Errors
    /// When a node is damaged.
    #[inline]
    pub fn peek(&mut self) -> Result<Option<[u64; N]>, Error> {
        self.leaf_ahead()?;
        Ok(self.here())
    }

    /// The key before the gap.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn peek_prev(&mut self) -> Result<Option<[u64; N]>, Error> {
        if self.position == 0 && !self.prev_leaf()? {
            return Ok(None);
        }
        Ok(self.before())
    }

    /// The key after the gap, and the gap moves behind it.
    ///
    /// # Errors
    /// When a node is damaged.
    #[inline]
    #[allow(clippy::should_implement_trait, reason = "an iterator cannot answer an error plainly")]
    pub fn next(&mut self) -> Result<Option<[u64; N]>, Error> {
        if self.window.get(self.position).is_none() {
            let Some(leaf) = self.leaf_ahead()? else { return Ok(None) };
            let end = leaf.len().min(self.position + AHEAD);
            self.window.fill(&leaf, self.position..end);
        }
        let key = self.window.get(self.position).copied();
        self.position += usize::from(key.is_some());
        Ok(key)
    }

    /// The key before the gap, and the gap moves before it.
    ///
    /// # Errors
    /// When a node is damaged.
    #[inline]
    pub fn prev(&mut self) -> Result<Option<[u64; N]>, Error> {
        if self.position == 0 && !self.prev_leaf()? {
            return Ok(None);
        }
        let (Some(leaf), Some(before)) = (self.leaf, self.position.checked_sub(1)) else {
            return Ok(None);
        };
        if self.window.get(before).is_none() {
            self.window.fill(&leaf, self.position.saturating_sub(AHEAD)..self.position);
        }
        let key = self.window.get(before).copied();
        self.position -= usize::from(key.is_some());
        Ok(key)
    }

    /// The keys after the gap that lie in one leaf with the next one, and the gap moves behind
    /// them: the fastest way to read many. Empty at the end.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn next_run(&mut self) -> Result<&[[u64; N]], Error> {
        let Some(leaf) = self.leaf_ahead()? else { return Ok(&[]) };
        Ok(self.read_run(&leaf, leaf.len()))
    }

    /// The keys after the gap that begin with `prefix`, as far as they lie in one leaf with the next
    /// one, and the gap moves behind them. Empty where the next key begins otherwise: so, after a seek
    /// to the prefix, runs follow until an empty one.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn next_run_with(&mut self, prefix: &[u64]) -> Result<&[[u64; N]], Error> {
        let Some(leaf) = self.leaf_ahead()? else { return Ok(&[]) };
        Ok(self.read_run(&leaf, leaf.end_of(prefix, self.position)))
    }

    /// Appends word `column` of every key after the gap that begins with `prefix`, and the gap moves
    /// behind them. No other word is read out.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn next_column(
        &mut self,
        prefix: &[u64],
        column: usize,
        words: &mut Vec<u64>,
    ) -> Result<(), Error> {
        while let Some(leaf) = self.leaf_ahead()? {
            let end = leaf.end_of(prefix, self.position);
            leaf.read_column(column, self.position..end, words);
            self.position = end;
            if end < leaf.len() {
                break;
            }
        }
        Ok(())
    }

    /// What is left below `to` of one leaf, and whether that is the last of it; the gap moves behind it.
    #[inline]
    pub(super) fn take_run(
        &mut self,
        to: Option<&[u64; N]>,
    ) -> Result<Option<(Node<'r, N>, Range<usize>, bool)>, Error> {
        let Some(leaf) = self.leaf_ahead()? else { return Ok(None) };
        let start = self.position;
        self.position = to.map_or(leaf.len(), |to| leaf.gallop(start, to));
        Ok(Some((leaf, start..self.position, self.position < leaf.len())))
    }

    fn read_run(&mut self, leaf: &Node<'r, N>, end: usize) -> &[[u64; N]] {
        self.window.fill(leaf, self.position..end);
        self.position = end;
        &self.window.keys
    }

    /// Moves forward to the gap before the first key at or above `target`, and gives that key;
    /// where the gap is already at or beyond it, nothing moves.
    ///
    /// Galloping: O(log d) in the distance d, so a merge of two sets of very different sizes costs
    /// what the smaller one costs.
    ///
    /// # Errors
    /// When a node is damaged.
    #[inline]
    pub fn advance_to(&mut self, target: &[u64; N]) -> Result<Option<[u64; N]>, Error> {
        match self.leaf {
            Some(leaf) if !less(&leaf.key(leaf.len() - 1), target) => {
                self.position = leaf.gallop(self.position, target);
            }
            _ => self.climb_to(target)?,
        }
        self.peek()
    }

    /// Leaves the leaf at hand, whose keys are all below `target`, upwards only as far as needed.
    #[cold]
    fn climb_to(&mut self, target: &[u64; N]) -> Result<(), Error> {
        match self.state {
            State::Before => return self.descend_to(target),
            State::Nowhere => return Ok(()),
            State::Placed => {}
        }
        // The lowest level whose next rows say that `target` is below one of its children.
        let mut depth = self.depth;
        while let Some(Level { node, index }) =
            depth.checked_sub(1).and_then(|d| self.levels.get(d))
        {
            let beyond = index + 1 < node.len() && less(target, &node.bound(index + 1));
            if beyond {
                break;
            }
            let last = node.bound(node.len() - 1);
            if depth == 1 || less(target, &last) {
                return self.descend_from(depth - 1, node, target, index);
            }
            depth -= 1;
        }
        // `target` is below the child that the cursor is in, at level `depth`: finish there.
        match self.levels.get(depth) {
            Some(Level { node, index }) if depth < self.depth => {
                self.descend_from(depth, node, target, index)
            }
            _ => {
                self.position = self.leaf.map_or(0, |leaf| leaf.len());
                Ok(())
            }
        }
    }

    pub(super) fn descend_to(&mut self, key: &[u64; N]) -> Result<(), Error> {
        if self.root.is_none() {
            return Ok(());
        }
        self.state = State::Nowhere;
        let root = Node::root(self.reader, self.root)?;
        self.descend_from(0, root, key, 0)
    }

    /// From `node`, which is `depth` levels below the root, to the gap before `key`; rows of `node`
    /// before `from` need no look.
    fn descend_from(
        &mut self,
        mut depth: usize,
        mut node: Node<'r, N>,
        key: &[u64; N],
        from: usize,
    ) -> Result<(), Error> {
        self.leave();
        let mut from = from;
        while node.height > 0 {
            let (child, index) = node.child_for(self.reader, key, from)?;
            self.levels.set(depth, Level { node, index });
            (node, depth, from) = (child, depth + 1, 0);
        }
        self.settle(depth, node, node.lower_bound(key));
        Ok(())
    }

    pub(super) fn descend_end(&mut self) -> Result<(), Error> {
        if self.root.is_none() {
            return Ok(());
        }
        self.leave();
        let root = Node::root(self.reader, self.root)?;
        self.descend_edge(0, root, true)
    }

    /// Down the first or the last rows.
    fn descend_edge(
        &mut self,
        mut depth: usize,
        mut node: Node<'r, N>,
        last: bool,
    ) -> Result<(), Error> {
        while node.height > 0 {
            let index = if last { node.len() - 1 } else { 0 };
            self.levels.set(depth, Level { node, index });
            depth += 1;
            node = node.child(self.reader, index)?;
        }
        self.settle(depth, node, if last { node.len() } else { 0 });
        Ok(())
    }

    /// Moves the gap from the end of one leaf to the start of the next. Says whether there is one.
    #[cold]
    fn next_leaf(&mut self) -> Result<bool, Error> {
        match self.state {
            State::Nowhere => return Ok(false),
            State::Before => {
                self.leave();
                let root = Node::root(self.reader, self.root)?;
                self.descend_edge(0, root, false)?;
                return Ok(true);
            }
            State::Placed => {}
        }
        for depth in (0..self.depth).rev() {
            if let Some(Level { node, index }) = self.levels.get(depth)
                && index + 1 < node.len()
            {
                return self.enter(depth, node, index + 1, false).map(|()| true);
            }
        }
        Ok(false)
    }

    /// Moves the gap from the start of one leaf to the end of the one before, if there is one.
    #[cold]
    fn prev_leaf(&mut self) -> Result<bool, Error> {
        if self.state != State::Placed {
            return Ok(false);
        }
        for depth in (0..self.depth).rev() {
            if let Some(Level { node, index }) = self.levels.get(depth)
                && index > 0
            {
                return self.enter(depth, node, index - 1, true).map(|()| true);
            }
        }
        Ok(false)
    }

    /// Into child `index` of the node at `depth`, at its near edge.
    fn enter(
        &mut self,
        depth: usize,
        node: Node<'r, N>,
        index: usize,
        last: bool,
    ) -> Result<(), Error> {
        self.leave();
        self.levels.set(depth, Level { node, index });
        let child = node.child(self.reader, index)?;
        self.descend_edge(depth + 1, child, last)
    }

    /// Stands nowhere until [`Cursor::settle`], should reading fail in between (invariant 3).
    fn leave(&mut self) {
        (self.leaf, self.position, self.state) = (None, 0, State::Nowhere);
        self.window.keys.clear();
    }

    fn settle(&mut self, depth: usize, leaf: Node<'r, N>, position: usize) {
        (self.depth, self.leaf, self.position) = (depth, Some(leaf), position);
        self.state = State::Placed;
    }
}
