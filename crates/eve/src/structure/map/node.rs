//! One node of a map: read, checked, and rewritten.
//!
//! Word 0 has a bit for each slot that holds an entry (low half) or a child (high half); word 1 the
//! kind of key, the level, and how many entries are in and below the node. Then come the entries, two
//! words each, in the order of their slots, then the children's addresses in the order of theirs.
//! Below the last level, where hashes have no more bits, word 0 is the number of entries, which
//! ascend by key.

use super::key::Code;
use crate::{Addr, Error, Read, Write};

/// Levels that take bits of the hash: twelve of five bits, one of the four that are left.
pub(in crate::structure) const LEVELS: usize = 13;
const SLOT_BITS: usize = 5;
const SLOTS: usize = 1 << SLOT_BITS;
const HEAD_WORDS: usize = 2;
const COUNT_MAX: u64 = (1 << 48) - 1;

/// The slot of a hash at a level.
#[inline]
pub(super) fn slot(hash: u64, level: usize) -> u32 {
    (hash >> (SLOT_BITS * level)) as u32 % SLOTS as u32
}

/// The first level whose slots tell two hashes apart; [`LEVELS`] when none does.
pub(super) fn level_apart(a: u64, b: u64) -> usize {
    if a == b { LEVELS } else { (a ^ b).trailing_zeros() as usize / SLOT_BITS }
}

const fn tag<K: Code + ?Sized>(level: usize) -> u64 {
    (K::MAGIC as u64) << 56 | (level as u64) << 48
}

/// How many set bits of `map` lie below `slot`.
#[inline]
fn below(map: u32, slot: u32) -> usize {
    (map & ((1 << slot) - 1)).count_ones() as usize
}

/// A node that was checked: every access below stays inside it.
#[derive(Clone, Copy)]
pub(super) struct Node<'r> {
    pub(super) at: Addr,
    entry_map: u32,
    child_map: u32,
    pub(super) count: u64,
    body: &'r [u64],
}

impl<'r> Node<'r> {
    #[inline]
    pub(super) fn read<K: Code + ?Sized, R: Read + ?Sized>(
        reader: &'r R,
        at: Addr,
        level: usize,
    ) -> Result<Node<'r>, Error> {
        Node::parse::<K>(reader.words(at)?, at, level)
    }

    /// A node whose block, found at `at`, is at hand.
    #[inline]
    pub(super) fn parse<K: Code + ?Sized>(
        words: &'r [u64],
        at: Addr,
        level: usize,
    ) -> Result<Node<'r>, Error> {
        let &[maps, head, ref body @ ..] = words else {
            return Err(Error::corrupt("map node without a header", at));
        };
        if head & !COUNT_MAX != tag::<K>(level) {
            return Err(Error::corrupt("not a map node of this level and kind of key", at));
        }
        let (entry_map, child_map) = (maps as u32, (maps >> 32) as u32);
        let len = 2 * entry_map.count_ones() as usize + child_map.count_ones() as usize;
        match body.get(..len) {
            Some(body) if entry_map & child_map == 0 => {
                Ok(Node { at, entry_map, child_map, count: head & COUNT_MAX, body })
            }
            _ => Err(Error::corrupt("map node whose slots cannot be", at)),
        }
    }

    #[inline]
    pub(super) fn entry(&self, slot: u32) -> Option<[u64; 2]> {
        let there = self.entry_map & 1 << slot != 0;
        let entry = if there { self.entries().get(below(self.entry_map, slot)) } else { None };
        entry.copied()
    }

    #[inline]
    pub(super) fn child(&self, slot: u32) -> Option<Addr> {
        let there = self.child_map & 1 << slot != 0;
        let child = if there { self.children().get(below(self.child_map, slot)) } else { None };
        child.copied().map(Addr::from_raw)
    }

    #[inline]
    fn split(&self) -> (&'r [u64], &'r [u64]) {
        self.body.split_at(2 * self.entry_map.count_ones() as usize)
    }

    #[inline]
    pub(super) fn entries(&self) -> &'r [[u64; 2]] {
        self.split().0.as_chunks().0
    }

    #[inline]
    pub(super) fn children(&self) -> &'r [u64] {
        self.split().1
    }

    /// Checks that the children count what this node says they do, and at least two each, and
    /// hands out their blocks, the last one first. So a walk gives as many entries as the root
    /// counts, on whatever memory. All heads are fetched at once: the walk then need not wait for
    /// one after the other.
    pub(super) fn visit_children<K: Code + ?Sized, R: Read + ?Sized>(
        &self,
        reader: &'r R,
        level: usize,
        mut visit: impl FnMut(Block<'r>),
    ) -> Result<(), Error> {
        let mut sum = self.entries().len() as u64;
        let mut sound = self.count > 0;
        for child in self.children().iter().rev() {
            let at = Addr::from_raw(*child);
            let words = reader.words(at)?;
            let head = words.get(1).copied().unwrap_or(0);
            let count = head & COUNT_MAX;
            sound &= head & !COUNT_MAX == tag::<K>(level + 1) && count >= 2;
            sum = sum.wrapping_add(count);
            visit(Block { at, level: level + 1, words });
        }
        match sound && sum == self.count {
            true => Ok(()),
            false => Err(Error::corrupt("map node that miscounts its entries", self.at)),
        }
    }

    /// Slots with an entry, ascending.
    pub(super) fn entry_slots(&self) -> impl Iterator<Item = u32> + use<> {
        let map = self.entry_map;
        (0..SLOTS as u32).filter(move |slot| map & 1 << slot != 0)
    }

    /// Slots with a child, ascending.
    pub(super) fn child_slots(&self) -> impl Iterator<Item = u32> + use<> {
        let map = self.child_map;
        (0..SLOTS as u32).filter(move |slot| map & 1 << slot != 0)
    }
}

/// What a slot holds.
pub(super) enum Slot {
    Empty,
    Entry([u64; 2]),
    Child(Addr),
}

/// Looks at one slot of a node: no more of it is read, counted or checked than that takes.
#[inline]
pub(super) fn peek<K: Code + ?Sized, R: Read + ?Sized>(
    reader: &R,
    at: Addr,
    level: usize,
    slot: u32,
) -> Result<Slot, Error> {
    let &[maps, head, ref body @ ..] = reader.words(at)? else {
        return Err(Error::corrupt("map node without a header", at));
    };
    if head & !COUNT_MAX != tag::<K>(level) {
        return Err(Error::corrupt("not a map node of this level and kind of key", at));
    }
    let (entry_map, child_map) = (maps as u32, (maps >> 32) as u32);
    let bit = 1 << slot;
    let found = if entry_map & bit != 0 {
        body.get(2 * below(entry_map, slot)..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .map(Slot::Entry)
    } else if child_map & bit != 0 {
        let before = 2 * entry_map.count_ones() as usize + below(child_map, slot);
        body.get(before).map(|child| Slot::Child(Addr::from_raw(*child)))
    } else {
        Some(Slot::Empty)
    };
    found.ok_or(Error::corrupt("map node whose slots cannot be", at))
}

/// A block that should hold a node of this level.
#[derive(Clone, Copy)]
pub(super) struct Block<'r> {
    pub(super) at: Addr,
    pub(super) level: usize,
    pub(super) words: &'r [u64],
}

/// The entries of a collision node.
pub(super) fn collision_entries<K: Code + ?Sized, R: Read + ?Sized>(
    reader: &R,
    at: Addr,
) -> Result<&[[u64; 2]], Error> {
    parse_collision::<K>(reader.words(at)?, at)
}

/// The entries of a collision node whose block, found at `at`, is at hand.
pub(super) fn parse_collision<K: Code + ?Sized>(
    words: &[u64],
    at: Addr,
) -> Result<&[[u64; 2]], Error> {
    let &[count, head, ref body @ ..] = words else {
        return Err(Error::corrupt("map node without a header", at));
    };
    if head != tag::<K>(LEVELS) | count & COUNT_MAX {
        return Err(Error::corrupt("not a map node of this level and kind of key", at));
    }
    let entries = body.as_chunks().0;
    let entries = usize::try_from(count).ok().and_then(|count| entries.get(..count));
    entries.ok_or(Error::corrupt("map node shorter than its entries", at))
}

/// A node being rewritten: a copy that can be changed and then written, in place where the
/// old one was born in this transaction and has the room.
pub(super) struct Draft {
    level: usize,
    entry_map: u32,
    child_map: u32,
    count: u64,
    body: [u64; 2 * SLOTS + 1],
}

impl Draft {
    pub(super) fn new(level: usize) -> Draft {
        Draft { level, entry_map: 0, child_map: 0, count: 0, body: [0; 2 * SLOTS + 1] }
    }

    pub(super) fn of(node: &Node<'_>, level: usize) -> Draft {
        let mut draft = Draft::new(level);
        (draft.entry_map, draft.child_map) = (node.entry_map, node.child_map);
        draft.count = node.count;
        draft.body[..node.body.len()].copy_from_slice(node.body);
        draft
    }

    fn entries_end(&self) -> usize {
        2 * self.entry_map.count_ones() as usize
    }

    fn len(&self) -> usize {
        self.entries_end() + self.child_map.count_ones() as usize
    }

    /// Puts an entry into an empty slot; counts it.
    pub(super) fn put_entry(&mut self, slot: u32, entry: [u64; 2]) {
        let (at, len) = (2 * below(self.entry_map, slot), self.len());
        // Overlapping slots never get past reading, so there is room for one more of either kind.
        self.body.copy_within(at..len, at + 2);
        self.body[at..at + 2].copy_from_slice(&entry);
        self.entry_map |= 1 << slot;
        self.count = self.count.wrapping_add(1) & COUNT_MAX;
    }

    /// Takes the entry out of a slot that has one; counts it.
    pub(super) fn take_entry(&mut self, slot: u32) {
        let (at, len) = (2 * below(self.entry_map, slot), self.len());
        self.body.copy_within(at + 2..len, at);
        self.body[len - 2..len].fill(0);
        self.entry_map &= !(1 << slot);
        self.count = self.count.wrapping_sub(1) & COUNT_MAX;
    }

    /// Puts a child, with what it counts, into an empty slot.
    pub(super) fn put_child(&mut self, slot: u32, child: Counted) {
        let (at, len) = (self.entries_end() + below(self.child_map, slot), self.len());
        self.body.copy_within(at..len, at + 1);
        self.body[at] = child.at.raw();
        self.child_map |= 1 << slot;
        self.count = self.count.wrapping_add(child.count) & COUNT_MAX;
    }

    /// Takes the child out of a slot that has one; `count` is what it counted.
    pub(super) fn take_child(&mut self, slot: u32, count: u64) {
        let (at, len) = (self.entries_end() + below(self.child_map, slot), self.len());
        self.body.copy_within(at + 1..len, at);
        self.body[len - 1] = 0;
        self.child_map &= !(1 << slot);
        self.count = self.count.wrapping_sub(count) & COUNT_MAX;
    }

    /// The one entry of a node that should not be (invariant 1 of the map).
    pub(super) fn only_entry(&self) -> Option<[u64; 2]> {
        let alone = self.child_map == 0 && self.entry_map.count_ones() == 1;
        if alone { self.body.first_chunk().copied() } else { None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.child_map == 0 && self.entry_map == 0
    }

    /// Writes it as a new node.
    pub(super) fn create<K: Code + ?Sized, W: Write + ?Sized>(
        &self,
        memory: &mut W,
    ) -> Result<Counted, Error> {
        let at = memory.alloc((HEAD_WORDS + self.len()) * 8)?;
        let words =
            memory.words_mut(at).ok_or(Error::corrupt("new block cannot be written", at))?;
        self.write::<K>(words);
        Ok(Counted { at, count: self.count })
    }

    /// Writes it in place of `old`.
    pub(super) fn replace<K: Code + ?Sized, W: Write + ?Sized>(
        &self,
        memory: &mut W,
        old: Addr,
    ) -> Result<Counted, Error> {
        match memory.words_mut(old) {
            Some(words) if words.len() >= HEAD_WORDS + self.len() => {
                self.write::<K>(words);
                Ok(Counted { at: old, count: self.count })
            }
            _ => {
                let new = self.create::<K, W>(memory)?;
                memory.retire(old);
                Ok(new)
            }
        }
    }

    fn write<K: Code + ?Sized>(&self, words: &mut [u64]) {
        let (head, body) = words.split_at_mut(HEAD_WORDS);
        let maps = u64::from(self.child_map) << 32 | u64::from(self.entry_map);
        head.copy_from_slice(&[maps, tag::<K>(self.level) | self.count]);
        let (used, rest) = body.split_at_mut(self.len());
        used.copy_from_slice(&self.body[..used.len()]);
        rest.fill(0);
    }
}

/// A written node and what it counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) at: Addr,
    pub(super) count: u64,
}

/// Writes a collision node of these entries, in place of `old` if there is one.
pub(super) fn write_collision<K: Code + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    old: Option<Addr>,
    entries: &[[u64; 2]],
) -> Result<Counted, Error> {
    let at = memory.alloc((HEAD_WORDS + 2 * entries.len()) * 8)?;
    let words = memory.words_mut(at).ok_or(Error::corrupt("new block cannot be written", at))?;
    let count = entries.len() as u64;
    words[..HEAD_WORDS].copy_from_slice(&[count, tag::<K>(LEVELS) | count]);
    words[HEAD_WORDS..HEAD_WORDS + 2 * entries.len()].copy_from_slice(entries.as_flattened());
    if let Some(old) = old {
        memory.retire(old);
    }
    Ok(Counted { at, count })
}

/// Changes what a node says of itself and of one child, in place or in a copy: the way up after an
/// edit below.
pub(super) fn relink<K: Code + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    node: Visited,
    child: Addr,
    count: u64,
) -> Result<Counted, Error> {
    let at = match memory.words_mut(node.at) {
        Some(_) => node.at,
        None => {
            let at = memory.alloc(node.words * 8)?;
            memory.copy(node.at, 0..node.words, at, 0)?;
            memory.retire(node.at);
            at
        }
    };
    let words = memory.words_mut(at).filter(|words| node.child_word < words.len());
    let words = words.ok_or(Error::corrupt("copied block cannot be written", at))?;
    words[1] = words[1] & !COUNT_MAX | count & COUNT_MAX;
    words[node.child_word] = child.raw();
    Ok(Counted { at, count })
}

/// A node on the way down: what must be known to come back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visited {
    pub(super) at: Addr,
    pub(super) slot: u32,
    pub(super) count: u64,
    words: usize,
    child_word: usize,
}

impl Visited {
    pub(super) const NONE: Visited =
        Visited { at: Addr::NONE, slot: 0, count: 0, words: 0, child_word: 0 };

    pub(super) fn new(node: &Node<'_>, slot: u32) -> Visited {
        let child_word =
            HEAD_WORDS + 2 * node.entry_map.count_ones() as usize + below(node.child_map, slot);
        let words = HEAD_WORDS + node.body.len();
        Visited { at: node.at, slot, count: node.count, words, child_word }
    }
}
