//! What is different between two byte maps, and one taken into the other.
//!
//! Both are walked in the order of keys. Where both are before the same block, it is passed over
//! whole: a published block never changes. Otherwise the higher of the two is opened, so that what
//! is shared is met at the same height; a run of entries on one side is compared with what lies beyond
//! the other's next bound without opening that.

use std::{borrow::Borrow, cmp::Ordering, marker::PhantomData};

use super::{
    ByteMap, Kept,
    node::{HEIGHT_MAX, Node, Shape},
};
use crate::structure::map::Change;
use crate::structure::stored::Stored;
use crate::{Addr, Error, Read, Write};

impl<K: Stored + ?Sized, V: Stored + ?Sized> ByteMap<K, V> {
    /// What must be done to `self` to get `other`: each key once, ascending.
    ///
    /// Both are versions in one memory, each read as its own snapshot sees it. What they share is not
    /// read: the cost follows the difference, O(d log n), not the size.
    pub fn diff<'r, R: Read + ?Sized, S: Read + ?Sized>(
        self,
        reader: &'r R,
        other: Self,
        other_reader: &'r S,
    ) -> ByteChanges<'r, K, V, R, S> {
        ByteChanges {
            old: Side::new(reader, self.root(), Self::SHAPE),
            new: Side::new(other_reader, other.root(), Self::SHAPE),
            over: false,
            kinds: PhantomData,
        }
    }

    /// The map with what `other` has besides: its keys that are not here, and for those that are here
    /// with another value what `resolve` makes of the key, the value here and the value there.
    /// [`None`] keeps the one here.
    ///
    /// `other` is a version in the same memory, read by `reader`, usually a
    /// [`Snapshot`](crate::Snapshot). Costs follow the difference, as in [`ByteMap::diff`].
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn merge<W: Write + ?Sized, R: Read + ?Sized>(
        self,
        memory: &mut W,
        other: Self,
        reader: &R,
        mut resolve: impl FnMut(&[u8], V::Shown<'_>, V::Shown<'_>) -> Option<V::Owned>,
    ) -> Result<Self, Error>
    where
        K::Owned: Borrow<K>,
        V::Owned: Borrow<V>,
    {
        let mut edits: Vec<(K::Owned, V::Owned)> = Vec::new();
        let mut changes = self.diff(memory, other, reader);
        while let Some(raw) = changes.step()? {
            let value = match raw {
                Raw { old: None, new: Some(new) } => V::own(reader, new)?,
                Raw { old: Some(old), new: Some(new) } => {
                    let here = V::show(changes.old.reader, old)?;
                    match resolve(&changes.new.key, here, V::show(reader, new)?) {
                        Some(value) => value,
                        None => continue,
                    }
                }
                _ => continue,
            };
            edits.push((changes.key(raw)?, value));
        }
        self.extend(memory, edits)
    }
}

/// What comes next on one side; its key, or the least that can be below the node, is in [`Side::key`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ahead {
    End,
    /// A node that was not opened yet.
    Node,
    Entry,
}

/// A walk through one of the maps.
struct Side<'r, R: Read + ?Sized> {
    reader: &'r R,
    shape: Shape,
    root: Option<Addr>,
    /// Nodes that are open, and their next row.
    open: Vec<(Node<'r>, usize)>,
    /// A node that is not.
    ahead: Option<Node<'r>>,
    /// The leaf that is open, and how many of its entries are done.
    leaf: Option<Node<'r>>,
    done: usize,
    key: Vec<u8>,
    /// Whether `key` is of what comes next.
    is_read: bool,
}

impl<'r, R: Read + ?Sized> Side<'r, R> {
    fn new(reader: &'r R, root: Addr, shape: Shape) -> Self {
        let root = Some(root).filter(|root| !root.is_none());
        let (open, key) = (Vec::new(), Vec::new());
        Side { reader, shape, root, open, ahead: None, leaf: None, done: 0, key, is_read: false }
    }

    fn ahead(&mut self) -> Result<Ahead, Error> {
        if let Some(leaf) = self.leaf {
            if self.done < leaf.len() {
                if !self.is_read {
                    leaf.read_key(self.done, &mut self.key);
                    self.is_read = true;
                }
                return Ok(Ahead::Entry);
            }
            self.leaf = None;
        }
        if let Some(root) = self.root.take() {
            self.ahead = Some(Node::root(self.reader, root, self.shape)?);
            self.key.clear();
        }
        while self.ahead.is_none() {
            let Some((node, row)) = self.open.last_mut() else { return Ok(Ahead::End) };
            if *row < node.len() {
                node.read_key(*row, &mut self.key);
                self.ahead = Some(node.child(self.reader, *row)?);
                *row += 1;
            } else {
                self.open.pop();
            }
        }
        Ok(Ahead::Node)
    }

    /// Opens the node ahead.
    fn open(&mut self) {
        let Some(node) = self.ahead.take() else { return };
        match node.height {
            0 => (self.leaf, self.done, self.is_read) = (Some(node), 0, false),
            _ if self.open.len() <= HEIGHT_MAX => self.open.push((node, 0)),
            _ => {}
        }
    }

    /// The words of the entry ahead, which is passed over.
    fn take(&mut self) -> Option<&'r [u64]> {
        let words = self.leaf.map(|leaf| leaf.words(self.done));
        self.done += 1;
        self.is_read = false;
        words
    }

    fn skip_leaf(&mut self) {
        (self.leaf, self.is_read) = (None, false);
    }

    fn height(&self) -> usize {
        self.ahead.map_or(0, |node| node.height)
    }
}

/// A difference as the values lie in memory; the key is in the [`Side`] that has it, of both in either.
#[derive(Clone, Copy)]
struct Raw<'r> {
    old: Option<&'r [u64]>,
    new: Option<&'r [u64]>,
}

/// Iterator over what is different: see [`ByteMap::diff`].
///
/// It gives an error at most once, and nothing after it.
pub struct ByteChanges<'r, K, V, R, S>
where
    K: Stored + ?Sized,
    V: Stored + ?Sized,
    R: Read + ?Sized,
    S: Read + ?Sized,
{
    old: Side<'r, R>,
    new: Side<'r, S>,
    over: bool,
    kinds: Kept<K, V>,
}

impl<'r, K, V, R, S> ByteChanges<'r, K, V, R, S>
where
    K: Stored + ?Sized,
    V: Stored + ?Sized,
    R: Read + ?Sized,
    S: Read + ?Sized,
{
    fn step(&mut self) -> Result<Option<Raw<'r>>, Error> {
        loop {
            let (old, new) = (self.old.ahead()?, self.new.ahead()?);
            let order = self.old.key.cmp(&self.new.key);
            match (old, new) {
                (Ahead::End, Ahead::End) => return Ok(None),
                (Ahead::Node, Ahead::Node) => self.open_higher(),
                (Ahead::Entry, Ahead::Entry) if order.is_eq() => {
                    if let Some(raw) = self.both()? {
                        return Ok(Some(raw));
                    }
                }
                (Ahead::Entry, Ahead::Entry | Ahead::Node) if order == Ordering::Less => {
                    return Ok(Some(self.removed()));
                }
                (Ahead::Entry | Ahead::Node, Ahead::Entry) if order == Ordering::Greater => {
                    return Ok(Some(self.added()));
                }
                (Ahead::Entry, Ahead::End) => return Ok(Some(self.removed())),
                (Ahead::End, Ahead::Entry) => return Ok(Some(self.added())),
                (Ahead::Node, _) => self.old.open(),
                (_, Ahead::Node) => self.new.open(),
                // Of two entries one is less, or both are equal.
                (Ahead::Entry, Ahead::Entry) => return Ok(Some(self.removed())),
            }
        }
    }

    /// Passes over a node that both have; else opens the higher one, or both.
    fn open_higher(&mut self) {
        if let (Some(old), Some(new)) = (self.old.ahead, self.new.ahead)
            && old.at == new.at
        {
            (self.old.ahead, self.new.ahead) = (None, None);
            return;
        }
        let (old, new) = (self.old.height(), self.new.height());
        if old >= new {
            self.old.open();
        }
        if new >= old {
            self.new.open();
        }
    }

    /// An entry that both have, or what is left of a leaf that both are in.
    fn both(&mut self) -> Result<Option<Raw<'r>>, Error> {
        let place = |leaf: Option<Node<'r>>| leaf.map(|leaf| leaf.at);
        if (place(self.old.leaf), self.old.done) == (place(self.new.leaf), self.new.done) {
            self.old.skip_leaf();
            self.new.skip_leaf();
            return Ok(None);
        }
        let (old, new) = (self.old.take(), self.new.take());
        let (here, there) = (old.unwrap_or_default(), new.unwrap_or_default());
        match V::same_stored(self.old.reader, here, self.new.reader, there)? {
            true => Ok(None),
            false => Ok(Some(Raw { old, new })),
        }
    }

    fn removed(&mut self) -> Raw<'r> {
        Raw { old: self.old.take(), new: None }
    }

    fn added(&mut self) -> Raw<'r> {
        Raw { old: None, new: self.new.take() }
    }

    fn key(&self, raw: Raw<'_>) -> Result<K::Owned, Error> {
        let key = if raw.new.is_some() { &self.new.key } else { &self.old.key };
        K::from_key_bytes(key).ok_or(Error::corrupt("a key of another length", Addr::NONE))
    }

    fn show(&self, raw: Raw<'r>) -> Result<Change<K::Owned, V::Shown<'r>>, Error> {
        let key = self.key(raw)?;
        let old = raw.old.map(|words| V::show(self.old.reader, words)).transpose()?;
        let new = raw.new.map(|words| V::show(self.new.reader, words)).transpose()?;
        match (old, new) {
            (Some(old), Some(new)) => Ok(Change::Changed(key, old, new)),
            (Some(old), None) => Ok(Change::Removed(key, old)),
            (None, Some(new)) => Ok(Change::Added(key, new)),
            (None, None) => Err(Error::corrupt("a difference between nothing", Addr::NONE)),
        }
    }
}

impl<'r, K, V, R, S> Iterator for ByteChanges<'r, K, V, R, S>
where
    K: Stored + ?Sized,
    V: Stored + ?Sized,
    R: Read + ?Sized,
    S: Read + ?Sized,
{
    type Item = Result<Change<K::Owned, V::Shown<'r>>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let step = self.step().transpose().map(|raw| raw.and_then(|raw| self.show(raw)));
        self.over = !matches!(step, Some(Ok(_)));
        step
    }
}
