//! The entries of a map, one by one.

use std::slice;

use super::{
    Key,
    key::Code,
    node::{LEVELS, Node, collision_entries},
};
use crate::{Addr, Error, Read};

/// Iterator over a map's entries: see [`Hamt::iter`](super::Hamt::iter).
///
/// It gives an error at most once, and nothing after it; and never more entries than the map's
/// root counts.
pub struct Entries<'r, K: Key + ?Sized, R: Read + ?Sized> {
    reader: &'r R,
    /// The root.
    at: Addr,
    started: bool,
    entries: slice::Iter<'r, [u64; 2]>,
    /// The children still to visit, of each node between the root and the one at hand.
    levels: [slice::Iter<'r, u64>; LEVELS],
    level: usize,
    key: std::marker::PhantomData<fn(&K)>,
}

impl<'r, K: Key + ?Sized, R: Read + ?Sized> Entries<'r, K, R> {
    pub(super) fn new(reader: &'r R, root: Addr) -> Self {
        Entries {
            reader,
            at: root,
            started: root.is_none(),
            entries: [].iter(),
            levels: [const { [].as_slice() }; LEVELS].map(|none| none.iter()),
            level: 0,
            key: std::marker::PhantomData,
        }
    }

    /// Moves on to the next node that has entries. Says whether there is one.
    fn load(&mut self) -> Result<bool, Error> {
        if !self.started {
            self.started = true;
            self.enter(self.at, 0)?;
        }
        while self.entries.as_slice().is_empty() {
            match self.levels[self.level].next() {
                Some(child) => self.enter(Addr::from_raw(*child), self.level + 1)?,
                None if self.level == 0 => return Ok(false),
                None => self.level -= 1,
            }
        }
        Ok(true)
    }

    fn enter(&mut self, at: Addr, level: usize) -> Result<(), Error> {
        if level == LEVELS {
            self.entries = collision_entries::<K, R>(self.reader, at)?.iter();
            return Ok(());
        }
        let node = Node::read::<K, R>(self.reader, at, level)?;
        node.check_children::<K, R>(self.reader, level)?;
        self.level = level;
        self.entries = node.entries().iter();
        self.levels[level] = node.children().iter();
        Ok(())
    }

    fn stop(&mut self) {
        self.entries = [].iter();
        self.level = 0;
        self.levels[0] = [].iter();
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
