//! What is different between two sorted sets, and one taken into the other.
//!
//! Both are walked in the order of keys. Where both are before the same block, it is passed over
//! whole: a published block never changes. Otherwise the higher of the two is opened, so that what
//! is shared is met at the same height; a run of keys on one side is compared with what lies beyond
//! the other's next bound without opening that.

use super::{
    SortedSet,
    node::{HEIGHT_MAX, Node},
    search::less,
};
use crate::structure::map::Change;
use crate::{Addr, Error, Read, Write};

impl<const N: usize> SortedSet<N> {
    /// What must be added to and removed from `self` to get `other`, ascending.
    ///
    /// Both are versions in one memory, each read as its own snapshot sees it. What they share is not
    /// read: the cost follows the difference, O(d log n), not the size.
    pub fn diff<'r, R: Read + ?Sized, S: Read + ?Sized>(
        self,
        reader: &'r R,
        other: Self,
        other_reader: &'r S,
    ) -> Differences<'r, N, R, S> {
        Differences {
            old: Side::new(reader, self.root),
            new: Side::new(other_reader, other.root),
            over: false,
        }
    }

    /// The set with the keys of `other`, read by `reader`, besides. Costs follow the difference, as in
    /// [`SortedSet::diff`].
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn merge<W: Write + ?Sized, R: Read + ?Sized>(
        self,
        memory: &mut W,
        other: Self,
        reader: &R,
    ) -> Result<Self, Error> {
        let mut new = Vec::new();
        for change in self.diff(&*memory, other, reader) {
            if let Change::Added(key, ()) = change? {
                new.push(key);
            }
        }
        Ok(self.insert_many(memory, &new)?.0)
    }
}

/// What comes next on one side.
#[derive(Clone, Copy)]
enum Ahead<'r, const N: usize> {
    End,
    /// A node that was not opened yet, and the least key that can be below it.
    Node(Node<'r, N>, [u64; N]),
    Key([u64; N]),
}

/// A walk through one of the sets.
struct Side<'r, const N: usize, R: Read + ?Sized> {
    reader: &'r R,
    root: Option<Addr>,
    /// Nodes that are open, and their next row.
    open: Vec<(Node<'r, N>, usize)>,
    /// A node that is not.
    ahead: Option<(Node<'r, N>, [u64; N])>,
    /// The leaf that is open, its keys, and how many of them are done.
    leaf: Addr,
    keys: Vec<[u64; N]>,
    done: usize,
}

impl<'r, const N: usize, R: Read + ?Sized> Side<'r, N, R> {
    fn new(reader: &'r R, root: Addr) -> Self {
        let root = Some(root).filter(|root| !root.is_none());
        let (open, keys, leaf) = (Vec::new(), Vec::new(), Addr::NONE);
        Side { reader, root, open, ahead: None, leaf, keys, done: 0 }
    }

    fn ahead(&mut self) -> Result<Ahead<'r, N>, Error> {
        if let Some(key) = self.keys.get(self.done) {
            return Ok(Ahead::Key(*key));
        }
        if let Some(root) = self.root.take() {
            self.ahead = Some((Node::root(self.reader, root)?, [0; N]));
        }
        while self.ahead.is_none() {
            let Some((node, row)) = self.open.last_mut() else { return Ok(Ahead::End) };
            if *row < node.len() {
                let (node, at) = (*node, *row);
                *row += 1;
                self.ahead = Some((node.child(self.reader, at)?, node.bound(at)));
            } else {
                self.open.pop();
            }
        }
        Ok(self.ahead.map_or(Ahead::End, |(node, bound)| Ahead::Node(node, bound)))
    }

    /// Opens the node ahead.
    fn open(&mut self) {
        let Some((node, _)) = self.ahead.take() else { return };
        match node.height {
            0 => {
                self.keys.clear();
                node.read_keys(0..node.len(), &mut self.keys);
                (self.leaf, self.done) = (node.at, 0);
            }
            _ if self.open.len() <= HEIGHT_MAX => self.open.push((node, 0)),
            _ => {}
        }
    }

    fn skip_node(&mut self) {
        self.ahead = None;
    }

    fn skip_key(&mut self) {
        self.done += 1;
    }
}

/// Iterator over what is different: see [`SortedSet::diff`].
///
/// It gives an error at most once, and nothing after it.
pub struct Differences<'r, const N: usize, R: Read + ?Sized, S: Read + ?Sized> {
    old: Side<'r, N, R>,
    new: Side<'r, N, S>,
    over: bool,
}

impl<'r, const N: usize, R: Read + ?Sized, S: Read + ?Sized> Differences<'r, N, R, S> {
    fn step(&mut self) -> Result<Option<Change<[u64; N], ()>>, Error> {
        loop {
            match (self.old.ahead()?, self.new.ahead()?) {
                (Ahead::End, Ahead::End) => return Ok(None),
                (Ahead::Node(old, _), Ahead::Node(new, _)) => {
                    if old.at == new.at {
                        self.old.skip_node();
                        self.new.skip_node();
                        continue;
                    }
                    if old.height >= new.height {
                        self.old.open();
                    }
                    if new.height >= old.height {
                        self.new.open();
                    }
                }
                (Ahead::Key(old), Ahead::Key(new)) => {
                    if old == new {
                        self.skip_equal();
                    } else if less(&old, &new) {
                        return Ok(Some(self.removed(old)));
                    } else {
                        return Ok(Some(self.added(new)));
                    }
                }
                (Ahead::Key(old), Ahead::Node(_, bound)) if less(&old, &bound) => {
                    return Ok(Some(self.removed(old)));
                }
                (Ahead::Node(_, bound), Ahead::Key(new)) if less(&new, &bound) => {
                    return Ok(Some(self.added(new)));
                }
                (Ahead::Key(old), Ahead::End) => return Ok(Some(self.removed(old))),
                (Ahead::End, Ahead::Key(new)) => return Ok(Some(self.added(new))),
                (Ahead::Node(..), _) => self.old.open(),
                (_, Ahead::Node(..)) => self.new.open(),
            }
        }
    }

    /// Passes over a key that both have, or what is left of a leaf that both are in.
    fn skip_equal(&mut self) {
        if (self.old.leaf, self.old.done) == (self.new.leaf, self.new.done) {
            (self.old.done, self.new.done) = (self.old.keys.len(), self.new.keys.len());
            return;
        }
        self.old.skip_key();
        self.new.skip_key();
    }

    fn removed(&mut self, key: [u64; N]) -> Change<[u64; N], ()> {
        self.old.skip_key();
        Change::Removed(key, ())
    }

    fn added(&mut self, key: [u64; N]) -> Change<[u64; N], ()> {
        self.new.skip_key();
        Change::Added(key, ())
    }
}

impl<'r, const N: usize, R: Read + ?Sized, S: Read + ?Sized> Iterator for Differences<'r, N, R, S> {
    type Item = Result<Change<[u64; N], ()>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let step = self.step();
        self.over = !matches!(step, Ok(Some(_)));
        step.transpose()
    }
}
