//! A place between two keys, and how to move it.
//!
//! 1. The cursor stands in a *gap*: [`Cursor::next`] gives the key after it and steps over,
//!    [`Cursor::prev`] the key before it.
//! 2. `keys` is the leaf the gap is in, `position` the number of its keys before the gap; the levels
//!    above hold the row that leads there. A gap between two leaves belongs to either.
//! 3. After an error the cursor stands nowhere: it gives no key until it is moved by a seek.

use super::{
    node::{HEIGHT_MAX, Node},
    pad,
    search::{gallop, less},
};
use crate::{Addr, Error, Read};

/// A place in a [`SortedSet`](super::SortedSet).
///
/// The keys it gives are borrowed from the block they lie in and live as long as the borrow of
/// the memory, not only until the next move.
pub struct Cursor<'r, const N: usize, R: Read + ?Sized> {
    reader: &'r R,
    root: Addr,
    keys: &'r [[u64; N]],
    position: usize,
    levels: [Option<Level<'r, N>>; HEIGHT_MAX],
    depth: usize,
    state: State,
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
        Cursor { ..*self }
    }
}

impl<'r, const N: usize, R: Read + ?Sized> Cursor<'r, N, R> {
    pub(super) fn new(reader: &'r R, root: Addr) -> Self {
        let state = if root.is_none() { State::Nowhere } else { State::Before };
        Cursor { reader, root, keys: &[], position: 0, levels: [None; HEIGHT_MAX], depth: 0, state }
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
    pub fn seek(&mut self, prefix: &[u64]) -> Result<Option<&'r [u64; N]>, Error> {
        self.descend_to(&pad(prefix, 0))?;
        self.peek()
    }

    /// Moves to the gap after the last key at or below `prefix` (padded with ones), that is, after
    /// every key that begins with `prefix`, and gives the key before the gap. O(log n).
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn seek_last(&mut self, prefix: &[u64]) -> Result<Option<&'r [u64; N]>, Error> {
        match super::successor(pad(prefix, u64::MAX)) {
            Some(after) => self.descend_to(&after)?,
            None => self.descend_end()?,
        }
        self.peek_prev()
    }

    /// Moves before the first key and gives it.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn first(&mut self) -> Result<Option<&'r [u64; N]>, Error> {
        self.seek(&[])
    }

    /// Moves after the last key and gives it.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn last(&mut self) -> Result<Option<&'r [u64; N]>, Error> {
        self.seek_last(&[])
    }

    /// The key after the gap.
    ///
    /// # Errors
    /// When a node is damaged.
    #[inline]
    pub fn peek(&mut self) -> Result<Option<&'r [u64; N]>, Error> {
        if self.position >= self.keys.len() && !self.next_leaf()? {
            return Ok(None);
        }
        Ok(self.keys.get(self.position))
    }

    /// The key before the gap.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn peek_prev(&mut self) -> Result<Option<&'r [u64; N]>, Error> {
        if self.position == 0 && !self.prev_leaf()? {
            return Ok(None);
        }
        Ok(self.position.checked_sub(1).and_then(|i| self.keys.get(i)))
    }

    /// The key after the gap, and the gap moves behind it.
    ///
    /// # Errors
    /// When a node is damaged.
    #[inline]
    #[allow(clippy::should_implement_trait, reason = "an iterator cannot answer an error plainly")]
    pub fn next(&mut self) -> Result<Option<&'r [u64; N]>, Error> {
        let key = self.peek()?;
        self.position += usize::from(key.is_some());
        Ok(key)
    }

    /// The key before the gap, and the gap moves before it.
    ///
    /// # Errors
    /// When a node is damaged.
    #[inline]
    pub fn prev(&mut self) -> Result<Option<&'r [u64; N]>, Error> {
        let key = self.peek_prev()?;
        self.position -= usize::from(key.is_some());
        Ok(key)
    }

    /// The keys after the gap that lie side by side with the next one, and the gap moves behind
    /// them: the fastest way to read many. Empty at the end.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn next_run(&mut self) -> Result<&'r [[u64; N]], Error> {
        self.peek()?;
        let run = self.keys.get(self.position..).unwrap_or_default();
        self.position = self.keys.len();
        Ok(run)
    }

    /// The keys after the gap in the leaf at hand, without moving: possibly none.
    #[must_use]
    pub fn rest(&self) -> &'r [[u64; N]] {
        self.keys.get(self.position..).unwrap_or_default()
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
    pub fn advance_to(&mut self, target: &[u64; N]) -> Result<Option<&'r [u64; N]>, Error> {
        match self.keys.last() {
            Some(last) if !less(last, target) => {
                self.position = gallop(self.keys, self.position, target);
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
        while let Some(Level { node, index }) = depth.checked_sub(1).and_then(|d| self.levels[d]) {
            let beyond = index + 1 < node.len() && less(target, node.bound(index + 1));
            if beyond {
                break;
            }
            let last = node.bound(node.len() - 1);
            if depth == 1 || less(target, last) {
                return self.descend_from(depth - 1, node, target, index);
            }
            depth -= 1;
        }
        // `target` is below the child that the cursor is in, at level `depth`: finish there.
        match self.levels.get(depth).copied().flatten() {
            Some(Level { node, index }) if depth < self.depth => {
                self.descend_from(depth, node, target, index)
            }
            _ => {
                self.position = self.keys.len();
                Ok(())
            }
        }
    }

    fn descend_to(&mut self, key: &[u64; N]) -> Result<(), Error> {
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
            self.levels[depth] = Some(Level { node, index });
            (node, depth, from) = (child, depth + 1, 0);
        }
        self.settle(depth, node.keys(), node.lower_bound(key));
        Ok(())
    }

    fn descend_end(&mut self) -> Result<(), Error> {
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
            self.levels[depth] = Some(Level { node, index });
            depth += 1;
            node = node.child(self.reader, index)?;
        }
        let keys = node.keys();
        self.settle(depth, keys, if last { keys.len() } else { 0 });
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
            if let Some(Level { node, index }) = self.levels[depth]
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
            if let Some(Level { node, index }) = self.levels[depth]
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
        self.levels[depth] = Some(Level { node, index });
        let child = node.child(self.reader, index)?;
        self.descend_edge(depth + 1, child, last)
    }

    /// Stands nowhere until [`Cursor::settle`], should reading fail in between (invariant 3).
    fn leave(&mut self) {
        (self.keys, self.position, self.state) = (&[], 0, State::Nowhere);
    }

    fn settle(&mut self, depth: usize, keys: &'r [[u64; N]], position: usize) {
        (self.depth, self.keys, self.position) = (depth, keys, position);
        self.state = State::Placed;
    }
}
