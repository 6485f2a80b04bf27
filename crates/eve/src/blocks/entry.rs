//! Directory words: what a chunk is.

use crate::class::Class;

/// `run << 32 | detail << 8 | kind`. 0 is a free chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry(pub(crate) u64);

const CLAIMED: u64 = 1;
const SMALL: u64 = 2;
const LARGE: u64 = 3;
const TAIL: u64 = 4;

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

    /// Whether the word says something.
    pub(crate) const fn is_known(self) -> bool {
        self.is_free()
            || self.is_claimed()
            || self.is_tail()
            || self.class().is_some()
            || self.run().is_some()
    }

    /// The class of a small chunk's blocks.
    #[inline]
    pub(crate) const fn class(self) -> Option<Class> {
        if self.kind() == SMALL { Class::from_raw((self.0 >> 8) as u8) } else { None }
    }

    /// How many chunks a large block takes.
    pub(crate) const fn run(self) -> Option<u32> {
        let run = (self.0 >> 32) as u32;
        if self.kind() == LARGE && run != 0 { Some(run) } else { None }
    }
}
