//! One entry in, one entry out.
//!
//! Down: remember the way to the node where the key's slot holds no child. There: decide whether
//! anything is to do, and edit that node. Up: point each node of the way to its new child; after
//! a removal, a node left with one entry dissolves into its parent.

use std::{borrow::Borrow, cmp::Ordering};

use super::{
    ENTRY_WORDS_MAX, Kept, Kinds, Map, Of, Stored,
    node::{
        Content, Counted, Descent, Editable, LEVELS, Slot, collision_entries, count_of, create,
        level_apart, peek, slot, write_collision,
    },
};
use crate::bits::Asking;
use crate::{Addr, Error, Read, Write};

/// The nodes above the one where a key is or would be, and that one.
struct Way {
    nodes: [Addr; LEVELS + 1],
    level: usize,
}

impl Way {
    fn find<K: Kinds, R: Read + ?Sized>(reader: &R, root: Addr, hash: u64) -> Result<Way, Error> {
        let mut way = Way { nodes: [root; LEVELS + 1], level: 0 };
        let mut descent = Descent::new(hash, count_of(reader.words(root)?));
        while way.level < LEVELS {
            let at = way.at();
            match peek::<K>(Asking, reader.words(at)?, at, way.level, descent.slot())? {
                Slot::Child(child) => {
                    descent = descent.descend(reader, child);
                    way.level += 1;
                    way.nodes[way.level] = child;
                }
                _ => break,
            }
        }
        Ok(way)
    }

    fn at(&self) -> Addr {
        self.nodes[self.level]
    }

    /// Levels above, the nearest first.
    fn above(&self) -> impl Iterator<Item = (usize, Addr)> {
        self.nodes[..self.level].iter().copied().enumerate().rev()
    }
}

/// An entry on its way into a node.
struct Entry<K: ?Sized, V: ?Sized> {
    words: [u64; ENTRY_WORDS_MAX],
    kinds: Kept<K, V>,
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> Entry<K, V> {
    fn store<W: Write + ?Sized>(memory: &mut W, key: &K, value: &V) -> Result<Self, Error> {
        let mut words = [0; ENTRY_WORDS_MAX];
        key.store(memory, &mut words[..K::WORDS])?;
        value.store(memory, &mut words[K::WORDS..<Of<K, V>>::ENTRY])?;
        Ok(Entry { words, kinds: std::marker::PhantomData })
    }

    fn of(entry: &[u64]) -> Self {
        let mut words = [0; ENTRY_WORDS_MAX];
        words[..entry.len()].copy_from_slice(entry);
        Entry { words, kinds: std::marker::PhantomData }
    }

    fn words(&self) -> &[u64] {
        &self.words[..<Of<K, V>>::ENTRY]
    }

    fn key(&self) -> &[u64] {
        &self.words[..K::WORDS]
    }

    fn value(&self) -> &[u64] {
        &self.words[K::WORDS..<Of<K, V>>::ENTRY]
    }
}

/// What an insertion did to the node it ended in.
enum Put<V> {
    Same(V),
    Replaced(Counted, V),
    Added(Counted),
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> Map<K, V> {
    /// The map with `key` at `value`, and the value it had before.
    ///
    /// O(log n): one path is copied, or edited in place where it was born in this transaction.
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn insert<W: Write + ?Sized>(
        self,
        memory: &mut W,
        key: &K,
        value: impl Borrow<V>,
    ) -> Result<(Self, Option<V::Owned>), Error> {
        let (value, hash) = (value.borrow(), key.hash(memory.seed()));
        if self.root.is_none() {
            let entry = Entry::store(memory, key, value)?;
            let root = leaf::<K, V, W>(memory, 0, &[(hash, entry.words())])?;
            return Ok((Self::from_root(root.at), None));
        }
        let way = Way::find::<Of<K, V>, W>(memory, self.root, hash)?;
        let put = match way.level < LEVELS {
            true => put(memory, way.at(), way.level, key, hash, value)?,
            false => put_collision(memory, way.at(), key, value)?,
        };
        let (node, before, added) = match put {
            Put::Same(before) => return Ok((self, Some(before))),
            Put::Replaced(node, before) => (node, Some(before), 0),
            Put::Added(node) => (node, None, 1),
        };
        let root = lift::<Of<K, V>, W>(memory, &way, way.level, node, hash, added)?;
        Ok((Self::from_root(root.at), before))
    }

    /// The map without `key`, and the value it had.
    ///
    /// O(log n), like [`Map::insert`]. What a removal leaves is what never inserting the key would
    /// have left.
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn remove<W: Write + ?Sized>(
        self,
        memory: &mut W,
        key: &K,
    ) -> Result<(Self, Option<V::Owned>), Error> {
        if self.root.is_none() {
            return Ok((self, None));
        }
        let hash = key.hash(memory.seed());
        let way = Way::find::<Of<K, V>, W>(memory, self.root, hash)?;
        let taken = match way.level < LEVELS {
            true => take::<K, V, W>(memory, way.at(), way.level, key, hash)?,
            false => take_collision::<K, V, W>(memory, way.at(), key)?,
        };
        let Some((mut left, gone)) = taken else { return Ok((self, None)) };
        let before = V::own(memory, gone.value())?;
        for block in [K::block(gone.key()), V::block(gone.value())].into_iter().flatten() {
            memory.retire(block);
        }
        for (level, at) in way.above() {
            match left {
                Left::Node(node) => {
                    let root = lift::<Of<K, V>, W>(memory, &way, level + 1, node, hash, u64::MAX)?;
                    left = Left::Node(root);
                    break;
                }
                Left::Entry(entry) => {
                    left = take_in::<K, V, W>(memory, at, level, slot(hash, level), &entry)?;
                }
            }
        }
        let root = match left {
            Left::Node(node) if node.count == 0 => {
                memory.retire(node.at);
                Addr::NONE
            }
            Left::Node(node) => node.at,
            Left::Entry(_) => return Err(Error::corrupt("map without a root", self.root)),
        };
        Ok((Self::from_root(root), Some(before)))
    }
}

/// The way up from `node` at `level` after an edit: each node points to its new child and counts
/// `added` more. Ends where nothing changes any more; answers the root.
fn lift<K: Kinds, W: Write + ?Sized>(
    memory: &mut W,
    way: &Way,
    level: usize,
    mut node: Counted,
    hash: u64,
    added: u64,
) -> Result<Counted, Error> {
    for level in (0..level).rev() {
        if added == 0 && node.at == way.nodes[level + 1] {
            return Ok(Counted { at: way.nodes[0], count: node.count });
        }
        let mut above = Editable::open::<K, W>(memory, way.nodes[level], level, 0)?;
        above.set_child(slot(hash, level), node.at);
        let count = above.count().wrapping_add(added);
        node = above.close(count);
    }
    Ok(node)
}

/// A node of one or two entries without children.
fn leaf<K: Stored + ?Sized, V: Stored + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    level: usize,
    entries: &[(u64, &[u64])],
) -> Result<Counted, Error> {
    let mut words = [0; 2 * ENTRY_WORDS_MAX];
    let (mut entry_map, mut len) = (0, 0);
    for (hash, entry) in entries {
        entry_map |= 1 << slot(*hash, level);
        words[len..len + entry.len()].copy_from_slice(entry);
        len += entry.len();
    }
    let count = entries.len() as u64;
    let (entries, children) = (&words[..len], &[][..]);
    create::<Of<K, V>, W>(
        memory,
        level,
        &Content { entry_map, child_map: 0, count, entries, children },
    )
}

fn put<K: Stored + ?Sized, V: Stored + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    level: usize,
    key: &K,
    hash: u64,
    value: &V,
) -> Result<Put<V::Owned>, Error> {
    let (slot, stride) = (slot(hash, level), <Of<K, V>>::ENTRY);
    let there = match peek::<Of<K, V>>(Asking, memory.words(at)?, at, level, slot)? {
        Slot::Entry(entry) => Entry::<K, V>::of(entry),
        Slot::Empty => {
            let entry = Entry::store(memory, key, value)?;
            let mut node = Editable::open::<Of<K, V>, W>(memory, at, level, stride)?;
            node.put_entry(slot, entry.words());
            let count = node.count().wrapping_add(1);
            return Ok(Put::Added(node.close(count)));
        }
        Slot::Child(_) => return Err(Error::corrupt("map node changed while it was read", at)),
    };
    if key.is_stored(memory, there.key())? {
        let before = V::own(memory, there.value())?;
        if value.is_stored(memory, there.value())? {
            return Ok(Put::Same(before));
        }
        let mut words = [0; ENTRY_WORDS_MAX];
        value.store(memory, &mut words[..V::WORDS])?;
        if let Some(block) = V::block(there.value()) {
            memory.retire(block);
        }
        let mut node = Editable::open::<Of<K, V>, W>(memory, at, level, 0)?;
        node.entry_mut(slot, K::WORDS).copy_from_slice(&words[..V::WORDS]);
        let count = node.count();
        return Ok(Put::Replaced(node.close(count), before));
    }
    let other = K::hash_stored(memory, there.key(), memory.seed())?;
    if level_apart(hash, other) <= level {
        return Err(Error::corrupt("map entry in a slot that is not its key's", at));
    }
    let entry = Entry::store(memory, key, value)?;
    let child = pair(memory, level + 1, key, (hash, &entry), (other, &there))?;
    let mut node =
        Editable::open::<Of<K, V>, W>(memory, at, level, 2_usize.saturating_sub(stride))?;
    node.take_entry(slot);
    node.put_child(slot, child.at);
    let count = node.count().wrapping_add(1);
    Ok(Put::Added(node.close(count)))
}

/// A chain of nodes from `level` down to where two entries part.
fn pair<K: Stored + ?Sized, V: Stored + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    level: usize,
    key: &K,
    new: (u64, &Entry<K, V>),
    old: (u64, &Entry<K, V>),
) -> Result<Counted, Error> {
    let apart = level_apart(new.0, old.0);
    let (new_entry, old_entry) = ((new.0, new.1.words()), (old.0, old.1.words()));
    let mut child = if apart < LEVELS {
        let new_first = slot(new.0, apart) < slot(old.0, apart);
        let entries = if new_first { [new_entry, old_entry] } else { [old_entry, new_entry] };
        leaf::<K, V, W>(memory, apart, &entries)?
    } else {
        let entries = match key.compare(memory, old.1.key())? {
            Ordering::Less => [new_entry.1, old_entry.1],
            _ => [old_entry.1, new_entry.1],
        };
        write_collision::<Of<K, V>, W>(memory, None, &entries.concat())?
    };
    for level in (level..apart).rev() {
        let content = Content {
            entry_map: 0,
            child_map: 1 << slot(new.0, level),
            count: 2,
            entries: &[],
            children: &[child.at.raw()],
        };
        child = create::<Of<K, V>, W>(memory, level, &content)?;
    }
    Ok(child)
}

/// Where a key is, or would be, among the entries of a collision node: a number of words.
fn search_collision<K: Stored + ?Sized, V: Stored + ?Sized, R: Read + ?Sized>(
    reader: &R,
    entries: &[u64],
    key: &K,
) -> Result<Result<usize, usize>, Error> {
    let stride = <Of<K, V>>::ENTRY;
    for (i, entry) in entries.chunks_exact(stride).enumerate() {
        match key.compare(reader, &entry[..K::WORDS])? {
            Ordering::Equal => return Ok(Ok(i * stride)),
            Ordering::Less => return Ok(Err(i * stride)),
            Ordering::Greater => {}
        }
    }
    Ok(Err(entries.len()))
}

fn put_collision<K: Stored + ?Sized, V: Stored + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    key: &K,
    value: &V,
) -> Result<Put<V::Owned>, Error> {
    let mut entries = collision_entries::<Of<K, V>>(memory.words(at)?, at)?.to_vec();
    match search_collision::<K, V, W>(memory, &entries, key)? {
        Ok(i) => {
            let stored = &mut entries[i + K::WORDS..i + <Of<K, V>>::ENTRY];
            let before = V::own(memory, stored)?;
            if value.is_stored(memory, stored)? {
                return Ok(Put::Same(before));
            }
            if let Some(block) = V::block(stored) {
                memory.retire(block);
            }
            stored.fill(0);
            value.store(memory, stored)?;
            let node = write_collision::<Of<K, V>, W>(memory, Some(at), &entries)?;
            Ok(Put::Replaced(node, before))
        }
        Err(i) => {
            let entry = Entry::store(memory, key, value)?;
            entries.splice(i..i, entry.words().iter().copied());
            Ok(Put::Added(write_collision::<Of<K, V>, W>(memory, Some(at), &entries)?))
        }
    }
}

/// What a removal left of a node: the node, or its last entry for the parent to take.
#[expect(clippy::large_enum_variant, reason = "lives on the stack, for one step of the way up")]
enum Left<K: Stored + ?Sized, V: Stored + ?Sized> {
    Node(Counted),
    Entry(Entry<K, V>),
}

/// What is left of a node, and the entry that was taken out.
type Taken<K, V> = (Left<K, V>, Entry<K, V>);

/// Takes the last entry of a child in the child's place. The child counted two: the entry that went
/// and this one.
fn take_in<K: Stored + ?Sized, V: Stored + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    level: usize,
    slot: u32,
    entry: &Entry<K, V>,
) -> Result<Left<K, V>, Error> {
    let node = super::node::Node::read::<Of<K, V>, W>(memory, at, level)?;
    if level > 0 && node.entry_map == 0 && node.child_map == 1 << slot {
        memory.retire(at);
        return Ok(Left::Entry(Entry::of(entry.words())));
    }
    let mut node = Editable::open::<Of<K, V>, W>(memory, at, level, <Of<K, V>>::ENTRY - 1)?;
    node.take_child(slot);
    node.put_entry(slot, entry.words());
    let count = node.count().wrapping_sub(1);
    Ok(Left::Node(node.close(count)))
}

fn take<K: Stored + ?Sized, V: Stored + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    level: usize,
    key: &K,
    hash: u64,
) -> Result<Option<Taken<K, V>>, Error> {
    let slot = slot(hash, level);
    let node = super::node::Node::read::<Of<K, V>, W>(memory, at, level)?;
    let Some(entry) = node.entry::<Of<K, V>>(slot) else { return Ok(None) };
    let gone = Entry::<K, V>::of(entry);
    if !key.is_stored(memory, gone.key())? {
        return Ok(None);
    }
    let (others, alone) = (node.entry_map & !(1 << slot), node.child_map == 0);
    if alone && others == 0 {
        return match level {
            0 => Ok(Some((Left::Node(Counted { at, count: 0 }), gone))),
            _ => Err(Error::corrupt("map node below the root with one entry", at)),
        };
    }
    if alone && others.is_power_of_two() && level > 0 {
        let last = node.entry::<Of<K, V>>(others.trailing_zeros()).map(Entry::of);
        let last = last.ok_or(Error::corrupt("map node shorter than its entries", at))?;
        memory.retire(at);
        return Ok(Some((Left::Entry(last), gone)));
    }
    let mut node = Editable::open::<Of<K, V>, W>(memory, at, level, 0)?;
    node.take_entry(slot);
    let count = node.count().wrapping_sub(1);
    Ok(Some((Left::Node(node.close(count)), gone)))
}

fn take_collision<K: Stored + ?Sized, V: Stored + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    key: &K,
) -> Result<Option<Taken<K, V>>, Error> {
    let stride = <Of<K, V>>::ENTRY;
    let mut entries = collision_entries::<Of<K, V>>(memory.words(at)?, at)?.to_vec();
    let Ok(i) = search_collision::<K, V, W>(memory, &entries, key)? else { return Ok(None) };
    let gone = Entry::of(&entries[i..i + stride]);
    entries.drain(i..i + stride);
    match entries.len() / stride {
        0 => Err(Error::corrupt("map node below the root with one entry", at)),
        1 => {
            memory.retire(at);
            Ok(Some((Left::Entry(Entry::of(&entries)), gone)))
        }
        _ => {
            let node = write_collision::<Of<K, V>, W>(memory, Some(at), &entries)?;
            Ok(Some((Left::Node(node), gone)))
        }
    }
}
