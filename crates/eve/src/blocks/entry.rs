//! Directory words: what a chunk is.

use crate::class::{Class, Geometry};

/// `run << 32 | detail << 8 | kind`. 0 is a free chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry(pub(crate) u64);

const CLAIMED: u64 = 1;
const SMALL: u64 = 2;
const LARGE: u64 = 3;
const TAIL: u64 = 4;
const RESTING: u64 = 5;
const JUDGED: u64 = 6;

impl Entry {
    pub(crate) const FREE: Entry = Entry(0);
    /// All but the first chunk of a run.
    pub(super) const TAIL: Entry = Entry(TAIL);

    /// Claimed by a lane that has not made anything of it yet.
    pub(super) const fn claimed(lane: u8) -> Entry {
        Entry((lane as u64) << 8 | CLAIMED)
    }

    pub(super) const fn small(class: Class) -> Entry {
        Entry((class.raw() as u64) << 8 | SMALL)
    }

    pub(super) const fn large(run: u32) -> Entry {
        Entry((run as u64) << 32 | LARGE)
    }

    /// Empty, hidden since the root was of epoch `stamp`, and still its class's.
    pub(super) const fn resting(class: Class, stamp: u64) -> Entry {
        Entry(stamp << 16 | (class.raw() as u64) << 8 | RESTING)
    }

    /// Empty and hidden, while a lane finds out what becomes of it.
    pub(super) const fn judged(lane: u8, class: Class) -> Entry {
        Entry((class.raw() as u64) << 16 | (lane as u64) << 8 | JUDGED)
    }

    #[inline]
    const fn kind(self) -> u64 {
        self.0 & 0xff
    }

    pub(crate) const fn is_free(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn is_claimed(self) -> bool {
        self.kind() == CLAIMED
    }

    pub(crate) const fn is_tail(self) -> bool {
        self.kind() == TAIL
    }

    /// The class of a chunk at rest, and since which epoch it is.
    pub(crate) fn as_resting(self) -> Option<(Class, u64)> {
        let class = Class::from_raw((self.0 >> 8) as u8)?;
        (self.kind() == RESTING).then_some((class, self.0 >> 16))
    }

    /// The lane that judges a chunk, and its class.
    pub(super) fn as_judged(self) -> Option<(u8, Class)> {
        let class = Class::from_raw((self.0 >> 16) as u8)?;
        (self.kind() == JUDGED).then_some(((self.0 >> 8) as u8, class))
    }

    /// Whether the word says something.
    pub(crate) fn is_known(self) -> bool {
        self.is_free()
            || self.is_claimed()
            || self.is_tail()
            || self.class().is_some()
            || self.run().is_some()
            || self.as_resting().is_some()
            || self.as_judged().is_some()
    }

    /// The class of a small chunk's blocks.
    #[inline]
    pub(crate) const fn class(self) -> Option<Class> {
        if self.kind() == SMALL { Class::from_raw((self.0 >> 8) as u8) } else { None }
    }

    /// How blocks lie in a small chunk; without blocks where the class is none.
    #[inline]
    pub(crate) const fn geometry(self) -> Option<&'static Geometry> {
        if self.kind() == SMALL { Some(Geometry::of((self.0 >> 8) as u8)) } else { None }
    }

    /// How many chunks a large block takes.
    pub(crate) const fn run(self) -> Option<u32> {
        let run = (self.0 >> 32) as u32;
        if self.kind() == LARGE && run != 0 { Some(run) } else { None }
    }
}
