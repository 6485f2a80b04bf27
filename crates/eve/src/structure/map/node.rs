//! One node of a map: read, checked, and edited.
//!
//! Word 0 says what the node is and how many entries are in and below it, word 1 which slots hold an
//! entry; in a node with children word 2 says which slots hold one. Then come the entries, in the
//! order of their slots, then the children's addresses in the order of theirs. Below the last
//! level, where hashes have no more bits, word 1 is the number of entries, which ascend by key.

use super::Kinds;
use crate::bits::{Count, ones};
use crate::{Addr, Error, Read, Write};

/// Levels that take bits of the hash: ten of six bits, one of the four that are left.
pub(in crate::structure) const LEVELS: usize = 11;
const SLOT_BITS: usize = 6;

/// Words before the entries, without the one for children.
pub(super) const HEAD_WORDS: usize = 2;
const COUNT_MAX: u64 = (1 << 40) - 1;
const INNER: u64 = 1 << 55;
pub(super) const KEYS_APART: u64 = 1 << 54;
pub(super) const VALUES_APART: u64 = 1 << 53;
pub(super) const MAGIC: u64 = (b'm' as u64) << 56;

/// The slot of a hash at a level.
#[inline(always)]
pub(super) const fn slot(hash: u64, level: usize) -> u32 {
    (hash.wrapping_shl((SLOT_BITS * level) as u32) >> (64 - SLOT_BITS)) as u32
}

/// The first level whose slots tell two hashes apart; [`LEVELS`] when none does.
pub(super) const fn level_apart(a: u64, b: u64) -> usize {
    if a == b { LEVELS } else { (a ^ b).leading_zeros() as usize / SLOT_BITS }
}

/// Those bits of a hash that lead to a level.
pub(super) const fn path(hash: u64, level: usize) -> u64 {
    if level == LEVELS { hash } else { hash & !(u64::MAX >> (SLOT_BITS * level)) }
}

#[inline(always)]
const fn tag<K: Kinds>(level: usize) -> u64 {
    K::TAG | (level as u64) << 48
}

/// How many set bits of `map` lie below `slot`.
#[inline(always)]
fn below(map: u64, slot: u32) -> usize {
    ones(map & ((1 << slot) - 1)) as usize
}

/// The slots that are set, ascending.
pub(super) fn slots(mut map: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let slot = (map != 0).then(|| map.trailing_zeros())?;
        map &= map - 1;
        Some(slot)
    })
}

#[cold]
fn misshapen(at: Addr) -> Error {
    Error::corrupt("not a map node of this level and kind", at)
}

/// A node that was checked: every access below stays inside it.
#[derive(Clone, Copy)]
pub(super) struct Node<'r> {
    pub(super) at: Addr,
    pub(super) entry_map: u64,
    pub(super) child_map: u64,
    pub(super) count: u64,
    pub(super) entries: &'r [u64],
    pub(super) children: &'r [u64],
}

impl<'r> Node<'r> {
    pub(super) fn read<K: Kinds, R: Read + ?Sized>(
        reader: &'r R,
        at: Addr,
        level: usize,
    ) -> Result<Node<'r>, Error> {
        Node::parse::<K>(reader.words(at)?, at, level)
    }

    /// A node whose block, found at `at`, is at hand.
    pub(super) fn parse<K: Kinds>(
        words: &'r [u64],
        at: Addr,
        level: usize,
    ) -> Result<Node<'r>, Error> {
        if let Some(shape) = Shape::of::<K>(words, level)
            && let Some(body) = words.get(shape.base()..shape.len(K::ENTRY))
        {
            let (entries, children) = body.split_at(shape.entries() * K::ENTRY);
            let Shape { head, entry_map, child_map } = shape;
            return Ok(Node {
                at,
                entry_map,
                child_map,
                count: head & COUNT_MAX,
                entries,
                children,
            });
        }
        Err(misshapen(at))
    }

    pub(super) fn entry<K: Kinds>(&self, slot: u32) -> Option<&'r [u64]> {
        let at = below(self.entry_map, slot) * K::ENTRY;
        if self.entry_map >> slot & 1 == 1 { self.entries.get(at..at + K::ENTRY) } else { None }
    }

    pub(super) fn child(&self, slot: u32) -> Option<Addr> {
        let there = self.child_map >> slot & 1 == 1;
        let child = if there { self.children.get(below(self.child_map, slot)) } else { None };
        child.copied().map(Addr::from_raw)
    }

    /// Checks that the children count what this node says they do, and at least two each, and
    /// hands out their blocks, the last one first. So a walk gives as many entries as the root
    /// counts, on whatever memory. All heads are fetched at once: the walk then need not wait for
    /// one after the other.
    pub(super) fn visit_children<K: Kinds, R: Read + ?Sized>(
        &self,
        reader: &'r R,
        level: usize,
        mut visit: impl FnMut(Block<'r>),
    ) -> Result<(), Error> {
        let mut sum = u64::from(ones(self.entry_map));
        let mut sound = self.count > 0;
        for child in self.children.iter().rev() {
            let at = Addr::from_raw(*child);
            let words = reader.words(at)?;
            let count = words.first().map_or(0, |head| head & COUNT_MAX);
            sound &= count >= 2;
            sum = sum.wrapping_add(count);
            visit(Block { at, level: level + 1, words });
        }
        match sound && sum == self.count {
            true => Ok(()),
            false => Err(Error::corrupt("map node that miscounts its entries", self.at)),
        }
    }
}

/// What the first words of a node say.
#[derive(Clone, Copy)]
struct Shape {
    head: u64,
    entry_map: u64,
    child_map: u64,
}

impl Shape {
    #[inline(always)]
    fn of<K: Kinds>(words: &[u64], level: usize) -> Option<Shape> {
        let &[head, entry_map, third, ..] = words else { return None };
        let inner = head & INNER != 0;
        let child_map = if inner { third } else { 0 };
        let sound = head & !(COUNT_MAX | INNER) == tag::<K>(level)
            && entry_map & child_map == 0
            && inner == (child_map != 0);
        sound.then_some(Shape { head, entry_map, child_map })
    }

    fn base(&self) -> usize {
        HEAD_WORDS + usize::from(self.child_map != 0)
    }

    fn entries(&self) -> usize {
        ones(self.entry_map) as usize
    }

    fn entry_at(&self, slot: u32, stride: usize) -> usize {
        self.base() + below(self.entry_map, slot) * stride
    }

    fn child_at(&self, slot: u32, stride: usize) -> usize {
        self.base() + self.entries() * stride + below(self.child_map, slot)
    }

    fn len(&self, stride: usize) -> usize {
        self.base() + self.entries() * stride + ones(self.child_map) as usize
    }
}

/// What a slot holds.
#[derive(Clone, Copy)]
pub(super) enum Slot<'r> {
    Empty,
    Entry(&'r [u64]),
    Child(Addr),
}

/// What a head says, without the count and whether there are children: half a word, which is compared
/// with less effort than a whole one.
#[inline(always)]
const fn what(head: u64) -> u32 {
    ((head & !INNER) >> COUNT_MAX.trailing_ones()) as u32
}

/// The slots up to `slot`, shifted so that it comes to lie on the sign.
#[inline(always)]
const fn up_to(map: u64, slot: u32) -> u64 {
    map << (63 - slot)
}

/// Looks at one slot of a node: no more of it is read, counted or checked than that takes.
#[inline(always)]
pub(super) fn peek<K: Kinds>(
    count: impl Count,
    words: &[u64],
    at: Addr,
    level: usize,
    slot: u32,
) -> Result<Slot<'_>, Error> {
    let &[head, entry_map, third, ..] = words else { return Err(misshapen(at)) };
    if what(head) != what(tag::<K>(level)) {
        return Err(misshapen(at));
    }
    let ones = |map: u64| count.ones(map) as usize;
    let inner = head & INNER != 0;
    // In a node with children most slots hold one, in one without there is none.
    let children = up_to(third, slot);
    if inner && (children as i64) < 0 {
        let child = HEAD_WORDS + ones(entry_map) * K::ENTRY + ones(children);
        return match words.get(child) {
            Some(child) => Ok(Slot::Child(Addr::from_raw(*child))),
            None => Err(misshapen(at)),
        };
    }
    let entries = up_to(entry_map, slot);
    if entries as i64 >= 0 {
        return Ok(Slot::Empty);
    }
    let entry = HEAD_WORDS + usize::from(inner) + (ones(entries) - 1) * K::ENTRY;
    match words.get(entry..entry + K::ENTRY) {
        Some(entry) => Ok(Slot::Entry(entry)),
        None => Err(misshapen(at)),
    }
}

/// The way of a hash through a map, at one of its levels.
#[derive(Clone, Copy)]
pub(super) struct Descent {
    /// Its bits from this level on, the highest first.
    hash: u64,
    /// How many entries a node of this level has below it, most of them.
    count: u64,
}

impl Descent {
    /// At the root of a map of so many entries.
    #[inline(always)]
    pub(super) const fn new(hash: u64, count: u64) -> Descent {
        Descent { hash, count }
    }

    /// The slot that it takes.
    #[inline(always)]
    pub(super) const fn slot(self) -> u32 {
        slot(self.hash, 0)
    }

    /// One level deeper, in the node at `child`. Says where in it, whose head one waits for first, one
    /// will look next: in a node above the last level most slots hold a child, in one of the last
    /// there are but a few entries. Were it not for this, each node would be waited for twice.
    #[inline(always)]
    pub(super) fn descend<R: Read + ?Sized>(self, reader: &R, child: Addr) -> Descent {
        let way = Descent { hash: self.hash << SLOT_BITS, count: self.count >> SLOT_BITS };
        let is_last = way.count < 1 << SLOT_BITS;
        let words = if is_last { 8 } else { HEAD_WORDS + 1 + way.slot() as usize };
        reader.prefetch(child, words * 8);
        way
    }
}

/// A block that should hold a node of this level.
#[derive(Clone, Copy)]
pub(super) struct Block<'r> {
    pub(super) at: Addr,
    pub(super) level: usize,
    pub(super) words: &'r [u64],
}

/// How many entries a node says there are in and below it.
pub(super) fn count_of(words: &[u64]) -> u64 {
    words.first().map_or(0, |head| head & COUNT_MAX)
}

/// The entries of a collision node whose block, found at `at`, is at hand.
pub(super) fn collision_entries<K: Kinds>(words: &[u64], at: Addr) -> Result<&[u64], Error> {
    if let &[head, count, ref body @ ..] = words
        && head == tag::<K>(LEVELS) | count
        && count <= COUNT_MAX
        && let Some(len) = usize::try_from(count).ok().and_then(|n| n.checked_mul(K::ENTRY))
        && let Some(entries) = body.get(..len)
    {
        return Ok(entries);
    }
    Err(misshapen(at))
}

/// A written node and what it counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) at: Addr,
    pub(super) count: u64,
}

/// What a new node holds.
pub(super) struct Content<'c> {
    pub(super) entry_map: u64,
    pub(super) child_map: u64,
    pub(super) count: u64,
    pub(super) entries: &'c [u64],
    pub(super) children: &'c [u64],
}

#[cold]
fn unwritable(at: Addr) -> Error {
    Error::corrupt("new block cannot be written", at)
}

/// Writes a new node.
pub(super) fn create<K: Kinds, W: Write + ?Sized>(
    memory: &mut W,
    level: usize,
    content: &Content<'_>,
) -> Result<Counted, Error> {
    let inner = content.child_map != 0;
    let base = HEAD_WORDS + usize::from(inner);
    let (entries, children) = (content.entries.len(), content.children.len());
    let at = memory.alloc((base + entries + children).max(HEAD_WORDS + 1) * 8)?;
    let words = memory.words_mut(at).ok_or_else(|| unwritable(at))?;
    let flag = if inner { INNER } else { 0 };
    words[0] = tag::<K>(level) | flag | content.count & COUNT_MAX;
    words[1] = content.entry_map;
    if inner {
        words[2] = content.child_map;
    }
    words[base..base + entries].copy_from_slice(content.entries);
    words[base + entries..base + entries + children].copy_from_slice(content.children);
    Ok(Counted { at, count: content.count })
}

/// Writes a collision node of these entries, in place of `old` if there is one.
pub(super) fn write_collision<K: Kinds, W: Write + ?Sized>(
    memory: &mut W,
    old: Option<Addr>,
    entries: &[u64],
) -> Result<Counted, Error> {
    let at = memory.alloc((HEAD_WORDS + entries.len()) * 8)?;
    let words = memory.words_mut(at).ok_or_else(|| unwritable(at))?;
    let count = (entries.len() / K::ENTRY) as u64;
    words[..HEAD_WORDS].copy_from_slice(&[tag::<K>(LEVELS) | count, count]);
    words[HEAD_WORDS..HEAD_WORDS + entries.len()].copy_from_slice(entries);
    if let Some(old) = old {
        memory.retire(old);
    }
    Ok(Counted { at, count })
}

/// A node, or its copy, that can be edited.
pub(super) struct Editable<'w> {
    at: Addr,
    words: &'w mut [u64],
    shape: Shape,
    stride: usize,
    len: usize,
}

impl<'w> Editable<'w> {
    /// Makes a node editable, with room for so many words more.
    pub(super) fn open<K: Kinds, W: Write + ?Sized>(
        memory: &'w mut W,
        at: Addr,
        level: usize,
        more: usize,
    ) -> Result<Editable<'w>, Error> {
        let words = memory.words(at)?;
        let Some(shape) = Shape::of::<K>(words, level) else { return Err(misshapen(at)) };
        let (stride, len) = (K::ENTRY, shape.len(K::ENTRY));
        if len > words.len() {
            return Err(misshapen(at));
        }
        let (at, words) = memory.rewrite(at, len, len + more)?;
        Ok(Editable { at, words, shape, stride, len })
    }

    /// Writes the head; what the node is now.
    pub(super) fn close(self, count: u64) -> Counted {
        let inner = if self.shape.child_map != 0 { INNER } else { 0 };
        let what = self.shape.head & !(COUNT_MAX | INNER);
        self.words[0] = what | inner | count & COUNT_MAX;
        self.words[1] = self.shape.entry_map;
        if inner != 0 {
            self.words[2] = self.shape.child_map;
        }
        Counted { at: self.at, count }
    }

    pub(super) fn count(&self) -> u64 {
        self.shape.head & COUNT_MAX
    }

    fn open_gap(&mut self, at: usize, words: usize) {
        self.words.copy_within(at..self.len, at + words);
        self.len += words;
    }

    fn close_gap(&mut self, at: usize, words: usize) {
        self.words.copy_within(at + words..self.len, at);
        self.words[self.len - words..self.len].fill(0);
        self.len -= words;
    }

    /// Puts an entry into an empty slot.
    pub(super) fn put_entry(&mut self, slot: u32, entry: &[u64]) {
        let at = self.shape.entry_at(slot, self.stride);
        self.open_gap(at, self.stride);
        self.words[at..at + self.stride].copy_from_slice(entry);
        self.shape.entry_map |= 1 << slot;
    }

    /// Takes the entry out of a slot that has one.
    pub(super) fn take_entry(&mut self, slot: u32) {
        let at = self.shape.entry_at(slot, self.stride);
        self.close_gap(at, self.stride);
        self.shape.entry_map &= !(1 << slot);
    }

    /// Words of the entry in a slot that has one, from word `from` of it on.
    pub(super) fn entry_mut(&mut self, slot: u32, from: usize) -> &mut [u64] {
        let at = self.shape.entry_at(slot, self.stride);
        &mut self.words[at + from..at + self.stride]
    }

    /// Puts a child into an empty slot. Room for two words must be there.
    pub(super) fn put_child(&mut self, slot: u32, child: Addr) {
        if self.shape.child_map == 0 {
            self.open_gap(HEAD_WORDS, 1);
        }
        self.shape.child_map |= 1 << slot;
        let at = self.shape.child_at(slot, self.stride);
        self.open_gap(at, 1);
        self.words[at] = child.raw();
    }

    /// Takes the child out of a slot that has one.
    pub(super) fn take_child(&mut self, slot: u32) {
        let at = self.shape.child_at(slot, self.stride);
        self.close_gap(at, 1);
        self.shape.child_map &= !(1 << slot);
        if self.shape.child_map == 0 {
            self.close_gap(HEAD_WORDS, 1);
        }
    }

    /// Points a slot that has a child to another one.
    pub(super) fn set_child(&mut self, slot: u32, child: Addr) {
        let at = self.shape.child_at(slot, self.stride);
        self.words[at] = child.raw();
    }
}
