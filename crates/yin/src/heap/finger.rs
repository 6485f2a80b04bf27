//! Fingers: where an owned collection keeps what was updated last.
//!
//! Looking a key up in a tree of n entries compares log2 n keys, and the element of a vector lies behind
//! log32 n arrays; a program that counts does that for each step. A collection that one register owns stays
//! the same tree as long as only values are written, so a place in it is worth remembering: the node of a key
//! of a map, and the leaf of 32 elements of a vector.
//!
//! 1. A finger is good for one owned collection (its stamp), and only until any owned map is changed otherwise
//!    than by an entry (see `tree_grow`) or all of the heap is collected: both begin a new era. The leaves of a vector stay where they are as it
//!    grows, but its tail does not, so no finger points at a tail. A collection of the young moves fingers with
//!    what they point at.
//! 2. Only what is owned itself is pointed at.
//! 3. Keys are words that mean themselves, so equal words are equal keys.

use datom::Word;

use super::vector::WIDTH;
use super::{Heap, LENGTH_MASK, OBJECT, payload, sort};

/// Fingers of one heap; a key has one place among them.
const FINGERS: usize = if cfg!(test) { 4 } else { 1 << 12 };
const STAMP_BITS: u32 = 24;
/// Eras before all fingers are cleared.
const ERAS: u32 = if cfg!(test) { 4 } else { 1 << (u32::BITS - STAMP_BITS) };
/// The value in a node of a map.
const VALUE: usize = 2;

#[derive(Clone, Copy, Default)]
struct Finger {
    key: u64,
    /// Era and stamp; 0 for no collection.
    tag: u32,
    /// The node or leaf.
    at: u32,
}

/// What a heap remembers of its owned collections; takes memory once there is one.
#[derive(Default)]
pub(super) struct Fingers {
    fingers: Vec<Finger>,
    era: u32,
}

impl Fingers {
    /// From now on no finger is good.
    pub(super) fn forget(&mut self) {
        self.era += 1;
        if self.era == ERAS {
            self.fingers.fill(Finger::default());
            self.era = 0;
        }
    }

    /// Moves what the fingers point at, or makes those no good whose objects are gone.
    pub(super) fn follow(&mut self, to: impl Fn(usize) -> Option<usize>) {
        for finger in &mut self.fingers {
            match to(finger.at as usize).and_then(|at| u32::try_from(at).ok()) {
                Some(at) => finger.at = at,
                None => *finger = Finger::default(),
            }
        }
    }

    const fn tag(&self, stamp: u32) -> u32 {
        self.era << STAMP_BITS | stamp
    }

    /// Neighbours lie side by side, so that keys that are numbers from 0 on take little of the caches.
    const fn place(key: u64) -> usize {
        const BITS: u32 = FINGERS.trailing_zeros();
        (key ^ key >> BITS ^ key >> (3 * BITS)) as usize & (FINGERS - 1)
    }

    #[inline(always)]
    fn find(&self, stamp: u32, key: Word) -> Option<usize> {
        let finger = self.fingers.get(Self::place(key.raw()))?;
        (finger.tag == self.tag(stamp) && finger.key == key.raw() && stamp != 0)
            .then_some(finger.at as usize)
    }

    fn point(&mut self, stamp: u32, key: u64, object: Word) {
        let Ok(at) = u32::try_from(payload(object)) else { return };
        if stamp == 0 {
            return;
        }
        if self.fingers.is_empty() {
            self.fingers.resize(FINGERS, Finger::default());
        }
        let tag = self.tag(stamp);
        if let Some(finger) = self.fingers.get_mut(Self::place(key)) {
            *finger = Finger { key, tag, at };
        }
    }
}

impl Heap {
    /// Remembers the node of a key of an owned map.
    pub(super) fn point(&mut self, stamp: u32, key: Word, node: Word) {
        if sort(key) != OBJECT {
            self.fingers.point(stamp, key.raw(), node);
        }
    }

    /// Remembers a leaf of an owned vector of which nothing was dropped, by its number.
    pub(super) fn point_leaf(&mut self, stamp: u32, number: usize, leaf: Word) {
        self.fingers.point(stamp, number as u64, leaf);
    }

    /// The value of a key of an owned map, if a finger points at it.
    #[inline(always)]
    pub(super) fn pointed(&self, map: Word, key: Word) -> Option<Word> {
        let at = self.fingers.find(self.stamp(map), key)?;
        self.words.get(at + 1 + VALUE).map(|&raw| Word::from_raw(raw))
    }

    /// Writes the value of a key of an owned map, if a finger points at it. The node is owned, too.
    #[inline(always)]
    pub(super) fn write_pointed(&mut self, stamp: u32, key: Word, value: Word) -> bool {
        let Some(at) = self.fingers.find(stamp, key) else { return false };
        debug_assert!(self.words.get(at).is_some_and(|header| header & LENGTH_MASK == 5));
        self.put(at, VALUE, value)
    }

    /// Writes an element of an owned vector, if a finger points at its leaf. The leaf is owned, too.
    #[inline(always)]
    pub(super) fn write_element(&mut self, stamp: u32, at: usize, value: Word) -> bool {
        let number = Word::from_raw((at / WIDTH) as u64);
        let Some(leaf) = self.fingers.find(stamp, number) else { return false };
        debug_assert!(self.words.get(leaf).is_some_and(|h| h & LENGTH_MASK == WIDTH as u64));
        self.put(leaf, at % WIDTH, value)
    }
}
