//! One entry in, one entry out.
//!
//! Down: remember the way to the node where the key's slot holds no child. There: decide whether
//! anything is to do, and rewrite that node. Up: point each node of the way to its new child; after
//! a removal, a node left with one entry dissolves into its parent.

use std::cmp::Ordering;

use super::{
    Hamt, Key,
    node::{
        Counted, Draft, LEVELS, Node, Visited, collision_entries, level_apart, relink, slot,
        write_collision,
    },
};
use crate::{Addr, Error, Read, Write};

/// The nodes above the one where a key is or would be.
struct Way {
    above: [Visited; LEVELS],
    level: usize,
    at: Addr,
}

impl Way {
    fn find<K: Key + ?Sized, R: Read + ?Sized>(
        reader: &R,
        root: Addr,
        hash: u64,
    ) -> Result<Way, Error> {
        let mut way = Way { above: [Visited::NONE; LEVELS], level: 0, at: root };
        while way.level < LEVELS {
            let node = Node::read::<K, R>(reader, way.at, way.level)?;
            let slot = slot(hash, way.level);
            let Some(child) = node.child(slot) else { break };
            way.above[way.level] = Visited::new(&node, slot);
            way.level += 1;
            way.at = child;
        }
        Ok(way)
    }

    fn above(&self) -> impl Iterator<Item = (usize, &Visited)> {
        self.above.iter().enumerate().take(self.level).rev()
    }
}

/// What an insertion did to the node it ended in.
enum Put {
    Same(u64),
    Replaced(Counted, u64),
    Added(Counted),
}

impl<K: Key + ?Sized> Hamt<K> {
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
        value: u64,
    ) -> Result<(Self, Option<u64>), Error> {
        let hash = key.hash(memory.seed());
        if self.root.is_none() {
            let mut draft = Draft::new(0);
            draft.put_entry(slot(hash, 0), [key.store(memory)?, value]);
            return Ok((Self::from_root(draft.create::<K, W>(memory)?.at), None));
        }
        let way = Way::find::<K, W>(memory, self.root, hash)?;
        let put = match way.level < LEVELS {
            true => put(memory, way.at, way.level, key, hash, value)?,
            false => put_collision(memory, way.at, key, value)?,
        };
        let (mut node, before, added) = match put {
            Put::Same(before) => return Ok((self, Some(before))),
            Put::Replaced(node, before) => (node, Some(before), 0),
            Put::Added(node) => (node, None, 1),
        };
        for (_, above) in way.above() {
            node = relink::<K, W>(memory, *above, node.at, above.count.wrapping_add(added))?;
        }
        Ok((Self::from_root(node.at), before))
    }

    /// The map without `key`, and the value it had.
    ///
    /// O(log n), like [`Hamt::insert`]. What a removal leaves is what never inserting the key would
    /// have left.
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn remove<W: Write + ?Sized>(
        self,
        memory: &mut W,
        key: &K,
    ) -> Result<(Self, Option<u64>), Error> {
        if self.root.is_none() {
            return Ok((self, None));
        }
        let hash = key.hash(memory.seed());
        let way = Way::find::<K, W>(memory, self.root, hash)?;
        let taken = match way.level < LEVELS {
            true => take(memory, way.at, way.level, key, hash)?,
            false => take_collision(memory, way.at, key)?,
        };
        let Some((mut left, [word, before])) = taken else { return Ok((self, None)) };
        if let Some(block) = K::block(word) {
            memory.retire(block);
        }
        for (level, above) in way.above() {
            left = match left {
                Left::Node(child) => {
                    let count = above.count.wrapping_sub(1);
                    Left::Node(relink::<K, W>(memory, *above, child.at, count)?)
                }
                Left::Entry(entry) => {
                    let node = Node::read::<K, W>(memory, above.at, level)?;
                    let mut draft = Draft::of(&node, level);
                    // The child counted two: the entry that went and the one that is left.
                    draft.take_child(above.slot, 2);
                    draft.put_entry(above.slot, entry);
                    leave::<K, W>(memory, above.at, level, &draft)?
                }
            };
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

fn put<K: Key + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    level: usize,
    key: &K,
    hash: u64,
    value: u64,
) -> Result<Put, Error> {
    let slot = slot(hash, level);
    let node = Node::read::<K, W>(memory, at, level)?;
    let mut draft = Draft::of(&node, level);
    match node.entry(slot) {
        None => {
            draft.put_entry(slot, [key.store(memory)?, value]);
            Ok(Put::Added(draft.replace::<K, W>(memory, at)?))
        }
        Some([word, before]) if key.is_stored(memory, word)? => {
            if before == value {
                return Ok(Put::Same(before));
            }
            draft.take_entry(slot);
            draft.put_entry(slot, [word, value]);
            Ok(Put::Replaced(draft.replace::<K, W>(memory, at)?, before))
        }
        Some(entry) => {
            let other = K::hash_stored(memory, entry[0], memory.seed())?;
            if level_apart(hash, other) <= level {
                return Err(Error::corrupt("map entry in a slot that is not its key's", at));
            }
            let new = [key.store(memory)?, value];
            let child = pair(memory, level + 1, key, (hash, new), (other, entry))?;
            draft.take_entry(slot);
            draft.put_child(slot, child);
            Ok(Put::Added(draft.replace::<K, W>(memory, at)?))
        }
    }
}

/// A chain of nodes from `level` down to where two entries part.
fn pair<K: Key + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    level: usize,
    key: &K,
    new: (u64, [u64; 2]),
    old: (u64, [u64; 2]),
) -> Result<Counted, Error> {
    let apart = level_apart(new.0, old.0);
    let mut child = match apart < LEVELS {
        true => {
            let mut draft = Draft::new(apart);
            draft.put_entry(slot(new.0, apart), new.1);
            draft.put_entry(slot(old.0, apart), old.1);
            draft.create::<K, W>(memory)?
        }
        false => {
            let entries = match key.compare(memory, old.1[0])? {
                Ordering::Less => [new.1, old.1],
                _ => [old.1, new.1],
            };
            write_collision::<K, W>(memory, None, &entries)?
        }
    };
    for level in (level..apart).rev() {
        let mut draft = Draft::new(level);
        draft.put_child(slot(new.0, level), child);
        child = draft.create::<K, W>(memory)?;
    }
    Ok(child)
}

/// Where a key is, or would be, among the entries of a collision node.
fn search_collision<K: Key + ?Sized, R: Read + ?Sized>(
    reader: &R,
    entries: &[[u64; 2]],
    key: &K,
) -> Result<Result<usize, usize>, Error> {
    for (i, [word, _]) in entries.iter().enumerate() {
        match key.compare(reader, *word)? {
            Ordering::Equal => return Ok(Ok(i)),
            Ordering::Less => return Ok(Err(i)),
            Ordering::Greater => {}
        }
    }
    Ok(Err(entries.len()))
}

fn put_collision<K: Key + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    key: &K,
    value: u64,
) -> Result<Put, Error> {
    let mut entries = collision_entries::<K, W>(memory, at)?.to_vec();
    match search_collision(memory, &entries, key)? {
        Ok(i) if entries[i][1] == value => Ok(Put::Same(value)),
        Ok(i) => {
            let before = std::mem::replace(&mut entries[i][1], value);
            Ok(Put::Replaced(write_collision::<K, W>(memory, Some(at), &entries)?, before))
        }
        Err(i) => {
            entries.insert(i, [key.store(memory)?, value]);
            Ok(Put::Added(write_collision::<K, W>(memory, Some(at), &entries)?))
        }
    }
}

/// What a removal left of a node: the node, or its last entry for the parent to take.
enum Left {
    Node(Counted),
    Entry([u64; 2]),
}

/// Writes what is left of a node, unless it dissolves. The root never does.
fn leave<K: Key + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    level: usize,
    draft: &Draft,
) -> Result<Left, Error> {
    match draft.only_entry() {
        Some(entry) if level > 0 => {
            memory.retire(at);
            Ok(Left::Entry(entry))
        }
        _ if draft.is_empty() => Ok(Left::Node(Counted { at, count: 0 })),
        _ => Ok(Left::Node(draft.replace::<K, W>(memory, at)?)),
    }
}

fn take<K: Key + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    level: usize,
    key: &K,
    hash: u64,
) -> Result<Option<(Left, [u64; 2])>, Error> {
    let slot = slot(hash, level);
    let node = Node::read::<K, W>(memory, at, level)?;
    match node.entry(slot) {
        Some(entry) if key.is_stored(memory, entry[0])? => {
            let mut draft = Draft::of(&node, level);
            draft.take_entry(slot);
            if draft.is_empty() && level > 0 {
                return Err(Error::corrupt("map node below the root with one entry", at));
            }
            Ok(Some((leave::<K, W>(memory, at, level, &draft)?, entry)))
        }
        _ => Ok(None),
    }
}

fn take_collision<K: Key + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    key: &K,
) -> Result<Option<(Left, [u64; 2])>, Error> {
    let mut entries = collision_entries::<K, W>(memory, at)?.to_vec();
    let Ok(i) = search_collision(memory, &entries, key)? else { return Ok(None) };
    let entry = entries.remove(i);
    match entries[..] {
        [] => Err(Error::corrupt("map node below the root with one entry", at)),
        [last] => {
            memory.retire(at);
            Ok(Some((Left::Entry(last), entry)))
        }
        _ => {
            let node = write_collision::<K, W>(memory, Some(at), &entries)?;
            Ok(Some((Left::Node(node), entry)))
        }
    }
}
