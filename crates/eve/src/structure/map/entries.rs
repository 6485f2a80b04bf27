//! The entries of a map, one by one.

use std::{marker::PhantomData, slice};

use super::{
    Key,
    key::Code,
    node::{Block, LEVELS, Node, parse_collision},
};
use crate::{Addr, Error, Read};

/// Iterator over a map's entries: see [`Hamt::iter`](super::Hamt::iter).
///
/// It gives an error at most once, and nothing after it; and never more entries than the map's
/// root counts.
pub struct Entries<'r, K: Key + ?Sized, R: Read + ?Sized> {
    reader: &'r R,
    /// Where to begin; then none.
    root: Addr,
    entries: slice::Iter<'r, [u64; 2]>,
    /// What is still to visit: of each level at most the siblings of one node.
    nodes: Vec<Block<'r>>,
    key: PhantomData<fn(&K)>,
}

impl<'r, K: Key + ?Sized, R: Read + ?Sized> Entries<'r, K, R> {
    pub(super) fn new(reader: &'r R, root: Addr) -> Self {
        Entries { reader, root, entries: [].iter(), nodes: Vec::new(), key: PhantomData }
    }

    /// Moves on to the next node that has entries. Says whether there is one.
    fn load(&mut self) -> Result<bool, Error> {
        if !self.root.is_none() {
            let at = std::mem::take(&mut self.root);
            self.nodes.push(Block { at, level: 0, words: self.reader.words(at)? });
        }
        while self.entries.as_slice().is_empty() {
            let Some(Block { at, level, words }) = self.nodes.pop() else { return Ok(false) };
            if level == LEVELS {
                self.entries = parse_collision::<K>(words, at)?.iter();
                continue;
            }
            let node = Node::parse::<K>(words, at, level)?;
            let nodes = &mut self.nodes;
            node.visit_children::<K, R>(self.reader, level, |child| nodes.push(child))?;
            self.entries = node.entries().iter();
        }
        Ok(true)
    }

    fn stop(&mut self) {
        self.entries = [].iter();
        self.nodes.clear();
    }
}

impl<'r, K: Key + ?Sized, R: Read + ?Sized> Iterator for Entries<'r, K, R> {
    type Item = Result<(<K as Code>::Shown<'r>, u64), Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.entries.as_slice().is_empty() {
            match self.load() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.stop();
                    return Some(Err(error));
                }
            }
        }
        let [word, value] = self.entries.next()?;
        match K::show(self.reader, *word) {
            Ok(key) => Some(Ok((key, *value))),
            Err(error) => {
                self.stop();
                Some(Err(error))
            }
        }
    }
}
