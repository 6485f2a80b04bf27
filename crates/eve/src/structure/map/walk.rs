//! Walks over every block of a map: for marking, and for looking whether all is well.

use super::{
    Kinds, Map, Of, Stored,
    node::{LEVELS, Node, collision_entries, path, slot, slots},
};
use crate::{Addr, Error, Read};

impl<K: Stored + ?Sized, V: Stored + ?Sized> Map<K, V> {
    /// Shows every block of the map, those of keys and values included, to `visit`, parents first.
    /// Where it answers `false`, nothing below the block is visited: it was seen before, or is of no
    /// interest.
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
        Self::trace_below(reader, self.root, 0, visit)
    }

    fn trace_below<R: Read + ?Sized>(
        reader: &R,
        at: Addr,
        level: usize,
        visit: &mut impl FnMut(Addr) -> bool,
    ) -> Result<(), Error> {
        if level == LEVELS {
            Self::visit_apart(collision_entries::<Of<K, V>>(reader.words(at)?, at)?, visit);
            return Ok(());
        }
        let node = Node::read::<Of<K, V>, R>(reader, at, level)?;
        node.visit_children::<Of<K, V>, R>(reader, level, |_| ())?;
        Self::visit_apart(node.entries, visit);
        for child in node.children {
            let child = Addr::from_raw(*child);
            if visit(child) {
                Self::trace_below(reader, child, level + 1, visit)?;
            }
        }
        Ok(())
    }

    fn visit_apart(entries: &[u64], visit: &mut impl FnMut(Addr) -> bool) {
        for entry in entries.chunks_exact(<Of<K, V>>::ENTRY) {
            let (key, value) = entry.split_at(K::WORDS);
            [K::block(key), V::block(value)].into_iter().flatten().for_each(|at| {
                visit(at);
            });
        }
    }

    /// Checks every invariant of every node: slots, levels, counts, canonical form. O(n).
    ///
    /// # Errors
    /// What is wrong and where, for the first thing that is.
    pub fn verify<R: Read + ?Sized>(self, reader: &R) -> Result<(), Error> {
        if self.root.is_none() {
            return Ok(());
        }
        Self::verify_node(reader, self.root, 0, 0)
    }

    /// `way` holds the bits of the hash that led here.
    fn verify_node<R: Read + ?Sized>(
        reader: &R,
        at: Addr,
        level: usize,
        way: u64,
    ) -> Result<(), Error> {
        let seed = reader.seed();
        let check = |entry: &[u64], place: Option<u32>| -> Result<(), Error> {
            let (key, value) = entry.split_at(K::WORDS);
            let hash = K::hash_stored(reader, key, seed)?;
            V::show(reader, value)?;
            match path(hash, level) == way && place.is_none_or(|place| slot(hash, level) == place) {
                true => Ok(()),
                false => Err(Error::corrupt("map entry in a slot that is not its key's", at)),
            }
        };
        if level == LEVELS {
            let entries = collision_entries::<Of<K, V>>(reader.words(at)?, at)?;
            return entries
                .chunks_exact(<Of<K, V>>::ENTRY)
                .try_for_each(|entry| check(entry, None));
        }
        let node = Node::read::<Of<K, V>, R>(reader, at, level)?;
        node.visit_children::<Of<K, V>, R>(reader, level, |_| ())?;
        let entries = node.entries.chunks_exact(<Of<K, V>>::ENTRY);
        for (place, entry) in slots(node.entry_map).zip(entries) {
            check(entry, Some(place))?;
        }
        for (place, child) in slots(node.child_map).zip(node.children) {
            // The last level has but four bits, the upper ones of its slots.
            let way = way | u64::from(place) << 58 >> (6 * level);
            Self::verify_node(reader, Addr::from_raw(*child), level + 1, way)?;
        }
        Ok(())
    }
}
