//! A place between two entries, and how to move it.
//!
//! 1. The cursor stands in a *gap*: [`ByteCursor::next`] gives the entry after it and steps over,
//!    [`ByteCursor::prev`] the one before it.
//! 2. `leaf` is the leaf the gap is in, `position` the number of its entries before the gap; the levels
//!    above hold the row that leads there. A gap between two leaves belongs to either.
//! 3. After an error the cursor stands nowhere: it gives no entry until it is moved by a seek.

use std::marker::PhantomData;

use super::{Kept, node::Node, node::Shape};
use crate::structure::stored::Stored;
use crate::{Addr, Error, Read};

/// A place in a [`ByteMap`](super::ByteMap).
///
/// Keys are lent, as bytes, until the next move: they lie in pieces in memory and are put together in the
/// cursor's own buffer.
pub struct ByteCursor<'r, K: Stored + ?Sized, V: Stored + ?Sized, R: Read + ?Sized> {
    reader: &'r R,
    root: Addr,
    levels: Vec<(Node<'r>, usize)>,
    leaf: Option<Node<'r>>,
    position: usize,
    /// Before the first entry, and nothing was read yet.
    is_before: bool,
    /// The key that was lent last: of a leaf whose prefix it begins with.
    key: Vec<u8>,
    key_of: Addr,
    kinds: Kept<K, V>,
}

/// An entry as a cursor lends it.
type Lent<'c, 'r, V> = Option<(&'c [u8], <V as crate::structure::stored::Code>::Shown<'r>)>;

impl<'r, K: Stored + ?Sized, V: Stored + ?Sized, R: Read + ?Sized> ByteCursor<'r, K, V, R> {
    const SHAPE: Shape = Shape::of::<V>();

    pub(super) fn new(reader: &'r R, root: Addr) -> Self {
        ByteCursor {
            reader,
            root,
            levels: Vec::new(),
            leaf: None,
            position: 0,
            is_before: true,
            key: Vec::new(),
            key_of: Addr::NONE,
            kinds: PhantomData,
        }
    }

    /// The memory this cursor reads.
    pub fn reader(&self) -> &'r R {
        self.reader
    }

    /// Moves to the gap before the first entry whose key is at or above `key`, and gives that entry.
    /// O(log n).
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn seek(&mut self, key: &[u8]) -> Result<Lent<'_, 'r, V>, Error> {
        self.descend_to(key)?;
        self.peek()
    }

    /// Moves to the gap after the last entry whose key is at or below `key`, and gives that entry.
    /// O(log n).
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn seek_last(&mut self, key: &[u8]) -> Result<Lent<'_, 'r, V>, Error> {
        if self.descend_to(key)? {
            self.position += 1;
        }
        self.peek_prev()
    }

    /// Moves before the first entry and gives it.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn first(&mut self) -> Result<Lent<'_, 'r, V>, Error> {
        self.leave();
        self.is_before = true;
        self.peek()
    }

    /// Moves after the last entry and gives it.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn last(&mut self) -> Result<Lent<'_, 'r, V>, Error> {
        self.descend_end()?;
        self.peek_prev()
    }

    /// The entry after the gap.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn peek(&mut self) -> Result<Lent<'_, 'r, V>, Error> {
        match self.is_ahead()? {
            true => self.lend(self.position),
            false => Ok(None),
        }
    }

    /// The entry before the gap.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn peek_prev(&mut self) -> Result<Lent<'_, 'r, V>, Error> {
        match self.is_behind()? {
            true => self.lend(self.position - 1),
            false => Ok(None),
        }
    }

    /// The entry after the gap, and the gap moves behind it.
    ///
    /// # Errors
    /// When a node is damaged.
    #[inline]
    #[allow(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Result<Lent<'_, 'r, V>, Error> {
        if !self.is_ahead()? {
            return Ok(None);
        }
        self.position += 1;
        self.lend(self.position - 1)
    }

    /// The entry before the gap, and the gap moves before it.
    ///
    /// # Errors
    /// When a node is damaged.
    #[inline]
    pub fn prev(&mut self) -> Result<Lent<'_, 'r, V>, Error> {
        if !self.is_behind()? {
            return Ok(None);
        }
        self.position -= 1;
        self.lend(self.position)
    }

    /// Puts entry `i` of the leaf at hand together.
    #[inline]
    fn lend(&mut self, i: usize) -> Result<Lent<'_, 'r, V>, Error> {
        let Some(leaf) = &self.leaf else { return Ok(None) };
        if self.key_of != leaf.at {
            self.key.clear();
            self.key.extend_from_slice(leaf.prefix());
            self.key_of = leaf.at;
        }
        self.key.truncate(leaf.prefix().len());
        self.key.extend_from_slice(leaf.rest(i));
        let value = V::show(self.reader, leaf.words(i))?;
        Ok(Some((&self.key, value)))
    }

    /// Whether an entry is after the gap; then it is in the leaf at hand.
    #[inline]
    fn is_ahead(&mut self) -> Result<bool, Error> {
        match &self.leaf {
            Some(leaf) if self.position < leaf.len() => Ok(true),
            _ => self.next_leaf(),
        }
    }

    /// Whether an entry is before the gap; then it is in the leaf at hand.
    #[inline]
    fn is_behind(&mut self) -> Result<bool, Error> {
        match self.leaf {
            Some(_) if self.position > 0 => Ok(true),
            _ => self.prev_leaf(),
        }
    }

    /// To the gap before `key`, whether that is there or not.
    pub(super) fn descend_to(&mut self, key: &[u8]) -> Result<bool, Error> {
        self.leave();
        if self.root.is_none() {
            return Ok(false);
        }
        let mut node = Node::root(self.reader, self.root, Self::SHAPE)?;
        while node.height > 0 {
            let (child, index) = node.child_for(self.reader, key)?;
            self.levels.push((node, index));
            node = child;
        }
        let (position, found) = node.position(self.reader, key);
        (self.leaf, self.position) = (Some(node), position);
        Ok(found)
    }

    /// To the gap after everything.
    pub(super) fn descend_end(&mut self) -> Result<(), Error> {
        self.leave();
        if self.root.is_none() {
            return Ok(());
        }
        let root = Node::root(self.reader, self.root, Self::SHAPE)?;
        self.descend_edge(root, true)
    }

    /// Down the first or the last rows.
    fn descend_edge(&mut self, mut node: Node<'r>, last: bool) -> Result<(), Error> {
        while node.height > 0 {
            let index = if last { node.len() - 1 } else { 0 };
            self.levels.push((node, index));
            node = node.child(self.reader, index)?;
        }
        (self.leaf, self.position) = (Some(node), if last { node.len() } else { 0 });
        Ok(())
    }

    /// Moves the gap from the end of one leaf to the start of the next. Says whether there is one.
    #[cold]
    fn next_leaf(&mut self) -> Result<bool, Error> {
        if self.is_before && !self.root.is_none() {
            self.leave();
            let root = Node::root(self.reader, self.root, Self::SHAPE)?;
            return self.descend_edge(root, false).map(|()| true);
        }
        let more = |(node, index): &(Node<'r>, usize)| index + 1 < node.len();
        self.turn(more, |index| index + 1, false)
    }

    /// Moves the gap from the start of one leaf to the end of the one before, if there is one.
    #[cold]
    fn prev_leaf(&mut self) -> Result<bool, Error> {
        self.turn(|(_, index)| *index > 0, |index| index - 1, true)
    }

    /// Up to the lowest level that has a row on that side, and down to the edge beneath it.
    fn turn(
        &mut self,
        has: impl Fn(&(Node<'r>, usize)) -> bool,
        side: impl Fn(usize) -> usize,
        last: bool,
    ) -> Result<bool, Error> {
        let Some(depth) = self.levels.iter().rposition(has) else { return Ok(false) };
        let (node, index) = self.levels[depth];
        let levels = std::mem::take(&mut self.levels);
        self.leave();
        self.levels = levels;
        self.levels.truncate(depth);
        let index = side(index);
        self.levels.push((node, index));
        let edge = node.child(self.reader, index).and_then(|child| self.descend_edge(child, last));
        if edge.is_err() {
            self.leave();
        }
        edge.map(|()| true)
    }

    /// Stands nowhere (invariant 3).
    fn leave(&mut self) {
        self.levels.clear();
        (self.leaf, self.position, self.is_before) = (None, 0, false);
    }
}

impl<K: Stored + ?Sized, V: Stored + ?Sized, R: Read + ?Sized> Clone for ByteCursor<'_, K, V, R> {
    fn clone(&self) -> Self {
        let (levels, key) = (self.levels.clone(), self.key.clone());
        ByteCursor { levels, key, ..*self }
    }
}
