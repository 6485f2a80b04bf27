//! Fingers: where an owned map keeps the values of the keys that were updated last.
//!
//! Looking a key up in a tree of n entries compares log2 n keys, and a program that counts does that
//! for each step. A map that one register owns stays the same tree as long as only values are
//! written, so the place of a node is worth remembering.
//!
//! 1. A finger is good for one owned map (its stamp), and only until any owned map changes its shape
//!    or the heap is collected: both begin a new era.
//! 2. Keys are words that mean themselves, so equal words are equal keys.

use datom::Word;

use super::{Heap, LENGTH_MASK, OBJECT, payload, sort};

/// Fingers of one heap; a key has one place among them.
const FINGERS: usize = if cfg!(test) { 4 } else { 1 << 12 };
const STAMP_BITS: u32 = 24;
/// The fractional part of the golden ratio (Knuth, volume 3, 6.4): neighbours go far apart.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// The value in a node of a map, counted from its header.
const VALUE: usize = 3;

#[derive(Clone, Copy, Default)]
struct Finger {
    /// Era and stamp; 0 for no map.
    tag: u64,
    key: u64,
    /// The node.
    at: usize,
}

/// What a heap remembers of its owned maps; takes memory once there is one.
#[derive(Default)]
pub(super) struct Fingers {
    fingers: Vec<Finger>,
    era: u64,
}

impl Fingers {
    /// From now on no finger is good.
    pub(super) fn forget(&mut self) {
        self.era += 1;
        if self.era >> (u64::BITS - STAMP_BITS) != 0 {
            *self = Self::default();
        }
    }

    const fn tag(&self, stamp: u32) -> u64 {
        self.era << STAMP_BITS | stamp as u64
    }

    const fn place(key: u64) -> usize {
        (key.wrapping_mul(SPREAD) >> (u64::BITS - FINGERS.trailing_zeros())) as usize
    }

    #[inline(always)]
    fn find(&self, stamp: u32, key: Word) -> Option<usize> {
        let finger = self.fingers.get(Self::place(key.raw()))?;
        (finger.tag == self.tag(stamp) && finger.key == key.raw() && stamp != 0)
            .then_some(finger.at)
    }
}

impl Heap {
    /// Remembers the node of a key of an owned map.
    pub(super) fn point(&mut self, stamp: u32, key: Word, node: Word) {
        if sort(key) == OBJECT || stamp == 0 {
            return;
        }
        if self.fingers.fingers.is_empty() {
            self.fingers.fingers.resize(FINGERS, Finger::default());
        }
        let tag = self.fingers.tag(stamp);
        if let Some(finger) = self.fingers.fingers.get_mut(Fingers::place(key.raw())) {
            *finger = Finger { tag, key: key.raw(), at: payload(node) as usize };
        }
    }

    /// The value of a key of an owned map, if a finger points at it.
    #[inline(always)]
    pub(super) fn pointed(&self, map: Word, key: Word) -> Option<Word> {
        let at = self.fingers.find(self.stamp(map), key)?;
        self.words.get(at + VALUE).map(|&raw| Word::from_raw(raw))
    }

    /// Writes the value of a key of an owned map, if a finger points at it. The node is owned, too:
    /// only such nodes are pointed at.
    #[inline(always)]
    pub(super) fn write_pointed(&mut self, map: Word, key: Word, value: Word) -> bool {
        let Some(at) = self.fingers.find(self.stamp(map), key) else { return false };
        debug_assert!(self.words.get(at).is_some_and(|header| header & LENGTH_MASK == 5));
        match self.words.get_mut(at + VALUE) {
            Some(slot) => {
                *slot = value.raw();
                true
            }
            None => false,
        }
    }
}
