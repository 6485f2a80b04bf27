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
    left: u64,
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
            left: 0,
            key: std::marker::PhantomData,
        }
    }

    /// Moves on to the next node that has entries. Says whether there is one.
    fn load(&mut self) -> Result<bool, Error> {
        if !self.started {
            self.started = true;
            let node = Node::read::<K, R>(self.reader, self.at, 0)?;
            self.left = node.count;
            self.enter(node.entries(), node.children(), self.at)?;
            self.levels[0] = node.children().iter();
        }
        while self.entries.as_slice().is_empty() {
            let Some(child) = self.levels[self.level].next() else {
                if self.level == 0 {
                    return match std::mem::take(&mut self.left) {
                        0 => Ok(false),
                        _ => Err(Error::corrupt("map with fewer entries than it counts", self.at)),
                    };
                }
                self.level -= 1;
                continue;
            };
            let (at, level) = (Addr::from_raw(*child), self.level + 1);
            if level == LEVELS {
                let entries = collision_entries::<K, R>(self.reader, at)?;
                self.enter(entries, &[], at)?;
                continue;
            }
            let node = Node::read::<K, R>(self.reader, at, level)?;
            // A node counts at least two, so a walk over a damaged map ends as well.
            if node.count < 2 || node.count > self.left {
                return Err(Error::corrupt("map node with a count that cannot be", at));
            }
            self.enter(node.entries(), node.children(), at)?;
            self.level = level;
            self.levels[level] = node.children().iter();
        }
        Ok(true)
    }

    fn enter(
        &mut self,
        entries: &'r [[u64; 2]],
        children: &'r [u64],
        at: Addr,
    ) -> Result<(), Error> {
        let least = entries.len() as u64 + 2 * children.len() as u64;
        if least > self.left || least == 0 {
            return Err(Error::corrupt("map node with more entries than its parents count", at));
        }
        self.left -= entries.len() as u64;
        self.entries = entries.iter();
        Ok(())
    }

    fn stop(&mut self) {
        self.entries = [].iter();
        (self.level, self.left) = (0, 0);
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
