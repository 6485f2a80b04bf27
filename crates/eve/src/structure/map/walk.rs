//! Walks over every block of a map: for marking, and for looking whether all is well.

use super::{
    Hamt, Key,
    node::{LEVELS, Node, collision_entries, slot},
};
use crate::{Addr, Error, Read};

impl<K: Key + ?Sized> Hamt<K> {
    /// Shows every block of the map, keys included, to `visit`, parents first. Where it answers
    /// `false`, nothing below the block is visited: it was seen before, or is of no interest.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn trace<R: Read + ?Sized>(
        self,
        reader: &R,
        visit: &mut impl FnMut(Addr) -> bool,
    ) -> Result<(), Error> {
        if self.root.is_none() || !visit(self.root) {
            return Ok(());
        }
        let count = Node::read::<K, R>(reader, self.root, 0)?.count;
        trace_below::<K, R>(reader, self.root, 0, count, visit)?;
        Ok(())
    }

    /// Checks every invariant of every node: slots, levels, counts, canonical form. O(n).
    ///
    /// # Errors
    /// What is wrong and where, for the first thing that is.
    pub fn verify<R: Read + ?Sized>(self, reader: &R) -> Result<(), Error> {
        if self.root.is_none() {
            return Ok(());
        }
        let count = Node::read::<K, R>(reader, self.root, 0)?.count;
        if count == 0 {
            return Err(Error::corrupt("map node without entries", self.root));
        }
        verify_node::<K, R>(reader, self.root, 0, 0)?;
        Ok(())
    }
}

fn visit_keys<K: Key + ?Sized>(entries: &[[u64; 2]], visit: &mut impl FnMut(Addr) -> bool) {
    for block in entries.iter().filter_map(|[word, _]| K::block(*word)) {
        visit(block);
    }
}

/// Visits what lies below a node that may count `most`; answers how many entries it counts.
fn trace_below<K: Key + ?Sized, R: Read + ?Sized>(
    reader: &R,
    at: Addr,
    level: usize,
    most: u64,
    visit: &mut impl FnMut(Addr) -> bool,
) -> Result<(), Error> {
    if level == LEVELS {
        visit_keys::<K>(collision_entries::<K, R>(reader, at)?, visit);
        return Ok(());
    }
    let node = Node::read::<K, R>(reader, at, level)?;
    let entries = node.entries().len() as u64;
    // Bounds the walk: a child has at least two entries, and together they have what this one has.
    if node.count > most || entries + 2 * node.children().len() as u64 > node.count {
        return Err(Error::corrupt("map node with a count that cannot be", at));
    }
    visit_keys::<K>(node.entries(), visit);
    let mut left = node.count - entries;
    for child in node.children() {
        let child = Addr::from_raw(*child);
        let count = count_of::<K, R>(reader, child, level + 1)?;
        if visit(child) {
            trace_below::<K, R>(reader, child, level + 1, left, visit)?;
        }
        left = left
            .checked_sub(count)
            .ok_or(Error::corrupt("map node with a count that cannot be", at))?;
    }
    Ok(())
}

fn count_of<K: Key + ?Sized, R: Read + ?Sized>(
    reader: &R,
    at: Addr,
    level: usize,
) -> Result<u64, Error> {
    match level {
        LEVELS => Ok(collision_entries::<K, R>(reader, at)?.len() as u64),
        _ => Ok(Node::read::<K, R>(reader, at, level)?.count),
    }
}

/// Answers how many entries there are; `path` holds the bits of the hash that led here.
fn verify_node<K: Key + ?Sized, R: Read + ?Sized>(
    reader: &R,
    at: Addr,
    level: usize,
    path: u64,
) -> Result<u64, Error> {
    let seed = reader.seed();
    if level == LEVELS {
        let entries = collision_entries::<K, R>(reader, at)?;
        for [word, _] in entries {
            if K::hash_stored(reader, *word, seed)? != path {
                return Err(Error::corrupt("map entry in a slot that is not its key's", at));
            }
        }
        return Ok(entries.len() as u64);
    }
    let node = Node::read::<K, R>(reader, at, level)?;
    let mut count = node.entries().len() as u64;
    let below = (1 << (5 * level)) - 1;
    for (place, [word, _]) in node.entry_slots().zip(node.entries()) {
        let hash = K::hash_stored(reader, *word, seed)?;
        if slot(hash, level) != place || hash & below != path {
            return Err(Error::corrupt("map entry in a slot that is not its key's", at));
        }
    }
    for (place, child) in node.child_slots().zip(node.children()) {
        let path = path | u64::from(place) << (5 * level);
        let found = verify_node::<K, R>(reader, Addr::from_raw(*child), level + 1, path)?;
        if found < 2 {
            return Err(Error::corrupt("map node below the root with one entry", at));
        }
        count = count.saturating_add(found);
    }
    if count != node.count {
        return Err(Error::corrupt("map node that miscounts its entries", at));
    }
    Ok(count)
}
