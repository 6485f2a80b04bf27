//! The entries of a map, one by one.

use std::{marker::PhantomData, slice};

use super::{
    Kept, Kinds, Of, Stored,
    node::{Block, LEVELS, Node, collision_entries},
};
use crate::{Addr, Error, Read};

/// Iterator over a map's entries: see [`Map::iter`](super::Map::iter).
///
/// It gives an error at most once, and nothing after it; and never more entries than the map's
/// root counts.
pub struct Entries<'r, K: Stored + ?Sized, V: Stored + ?Sized, R: Read + ?Sized> {
    reader: &'r R,
    /// Where to begin; then none.
    root: Addr,
    entries: slice::ChunksExact<'r, u64>,
    /// What is still to visit: of each level at most the siblings of one node.
    nodes: Vec<Block<'r>>,
    kinds: Kept<K, V>,
}

impl<'r, K: Stored + ?Sized, V: Stored + ?Sized, R: Read + ?Sized> Entries<'r, K, V, R> {
    pub(super) fn new(reader: &'r R, root: Addr) -> Self {
        Entries { reader, root, entries: Self::chunks(&[]), nodes: Vec::new(), kinds: PhantomData }
    }

    fn chunks(entries: &[u64]) -> slice::ChunksExact<'_, u64> {
        entries.chunks_exact(<Of<K, V>>::ENTRY)
    }

    /// Moves on to the next node that has entries. Says whether there is one.
    fn load(&mut self) -> Result<bool, Error> {
        if !self.root.is_none() {
            let at = std::mem::take(&mut self.root);
            self.nodes.push(Block { at, level: 0, words: self.reader.words(at)? });
        }
        while self.entries.len() == 0 {
            let Some(Block { at, level, words }) = self.nodes.pop() else { return Ok(false) };
            if level == LEVELS {
                self.entries = Self::chunks(collision_entries::<Of<K, V>>(words, at)?);
                continue;
            }
            let node = Node::parse::<Of<K, V>>(words, at, level)?;
            let nodes = &mut self.nodes;
            node.visit_children::<Of<K, V>, R>(self.reader, level, |child| nodes.push(child))?;
            self.entries = Self::chunks(node.entries);
        }
        Ok(true)
    }

    fn stop(&mut self) {
        self.entries = Self::chunks(&[]);
        self.nodes.clear();
    }

    fn show(&self, entry: &'r [u64]) -> Result<(K::Shown<'r>, V::Shown<'r>), Error> {
        let (key, value) = entry.split_at(K::WORDS);
        Ok((K::show(self.reader, key)?, V::show(self.reader, value)?))
    }
}

impl<'r, K: Stored + ?Sized, V: Stored + ?Sized, R: Read + ?Sized> Iterator
    for Entries<'r, K, V, R>
{
    type Item = Result<(K::Shown<'r>, V::Shown<'r>), Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.entries.len() == 0 {
            match self.load() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.stop();
                    return Some(Err(error));
                }
            }
        }
        let entry = self.entries.next()?;
        let shown = self.show(entry);
        if shown.is_err() {
            self.stop();
        }
        Some(shown)
    }
}
