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
        trace_below::<K, R>(reader, self.root, 0, visit)
    }

    /// Checks every invariant of every node: slots, levels, counts, canonical form. O(n).
    ///
    /// # Errors
    /// What is wrong and where, for the first thing that is.
    pub fn verify<R: Read + ?Sized>(self, reader: &R) -> Result<(), Error> {
        if self.root.is_none() {
            return Ok(());
        }
        verify_node::<K, R>(reader, self.root, 0, 0)
    }
}

fn visit_keys<K: Key + ?Sized>(entries: &[[u64; 2]], visit: &mut impl FnMut(Addr) -> bool) {
    for block in entries.iter().filter_map(|[word, _]| K::block(*word)) {
        visit(block);
    }
}

fn trace_below<K: Key + ?Sized, R: Read + ?Sized>(
    reader: &R,
    at: Addr,
    level: usize,
    visit: &mut impl FnMut(Addr) -> bool,
) -> Result<(), Error> {
    if level == LEVELS {
        visit_keys::<K>(collision_entries::<K, R>(reader, at)?, visit);
        return Ok(());
    }
    let node = Node::read::<K, R>(reader, at, level)?;
    node.visit_children::<K, R>(reader, level, |_| ())?;
    visit_keys::<K>(node.entries(), visit);
    for child in node.children() {
        let child = Addr::from_raw(*child);
        if visit(child) {
            trace_below::<K, R>(reader, child, level + 1, visit)?;
        }
    }
    Ok(())
}

/// `path` holds the bits of the hash that led here.
fn verify_node<K: Key + ?Sized, R: Read + ?Sized>(
    reader: &R,
    at: Addr,
    level: usize,
    path: u64,
) -> Result<(), Error> {
    let seed = reader.seed();
    if level == LEVELS {
        let entries = collision_entries::<K, R>(reader, at)?;
        for [word, _] in entries {
            if K::hash_stored(reader, *word, seed)? != path {
                return Err(Error::corrupt("map entry in a slot that is not its key's", at));
            }
        }
        return Ok(());
    }
    let node = Node::read::<K, R>(reader, at, level)?;
    node.visit_children::<K, R>(reader, level, |_| ())?;
    let below = (1 << (5 * level)) - 1;
    for (place, [word, _]) in node.entry_slots().zip(node.entries()) {
        let hash = K::hash_stored(reader, *word, seed)?;
        if slot(hash, level) != place || hash & below != path {
            return Err(Error::corrupt("map entry in a slot that is not its key's", at));
        }
    }
    for (place, child) in node.child_slots().zip(node.children()) {
        let path = path | u64::from(place) << (5 * level);
        verify_node::<K, R>(reader, Addr::from_raw(*child), level + 1, path)?;
    }
    Ok(())
}
