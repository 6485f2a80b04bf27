//! The word that says since when, and for what, a block is there.

use crate::epoch::{EPOCH_BITS, EPOCH_MASK};
use crate::layout::LANES;

/// `kind << 56 | number`. Kinds below the number of lanes are blocks of transactions: the lane that
/// made them and the epoch it wanted to commit, with two flags above the epoch. 0 is a free block;
/// epochs begin at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Birth(pub(crate) u64);

/// Written and read atomically only; the number is its length in bytes.
const SHARED: u64 = 0xfd;
/// A payload that somebody holds; the number is its length in bytes.
const HELD: u64 = 0xfe;
/// A payload that was sent and that nobody has received.
const SENT: u64 = 0xff;

/// Of a block that no version sees any more: nobody gets it from now on, and when all are gone who
/// may have got it before, it is free.
const DYING: u64 = 1 << 55;
/// Of a retire record, which is no part of any version.
const RECORD: u64 = 1 << 54;

impl Birth {
    /// A block of the transaction in `lane` that wants to become `epoch`.
    #[inline]
    pub(crate) const fn transaction(lane: u8, epoch: u64) -> Birth {
        Birth((lane as u64) << EPOCH_BITS | epoch)
    }

    /// A retire record of the same transaction.
    pub(crate) const fn record(self) -> Birth {
        Birth(self.0 | RECORD)
    }

    /// The same block, once no version sees it any more.
    pub(crate) const fn dying(self) -> Birth {
        Birth(self.0 | DYING)
    }

    /// A free block that a lane keeps for itself. No record is ever dying.
    pub(crate) const fn spare(lane: u8) -> Birth {
        Birth((lane as u64) << EPOCH_BITS | RECORD | DYING)
    }

    pub(crate) const fn held(bytes: u64) -> Birth {
        Birth(HELD << EPOCH_BITS | bytes)
    }

    pub(crate) const fn sent(bytes: u64) -> Birth {
        Birth(SENT << EPOCH_BITS | bytes)
    }

    pub(crate) const fn shared(bytes: u64) -> Birth {
        Birth(SHARED << EPOCH_BITS | bytes)
    }

    #[inline]
    const fn kind(self) -> u64 {
        self.0 >> EPOCH_BITS
    }

    #[inline]
    const fn number(self) -> u64 {
        self.0 & EPOCH_MASK
    }

    pub(crate) const fn is_free(self) -> bool {
        self.0 == 0
    }

    /// Whether a lane keeps it for itself.
    pub(crate) const fn is_spare(self) -> bool {
        self.kind() < LANES as u64 && self.number() == RECORD | DYING
    }

    /// Whether a transaction made it: a block of a version, one that is dying, or a record.
    pub(crate) const fn is_of_transaction(self) -> bool {
        self.kind() < LANES as u64 && self.number() != 0 && !self.is_spare()
    }

    /// Whether it is a retire record.
    pub(crate) const fn is_record(self) -> bool {
        self.is_of_transaction() && self.0 & (RECORD | DYING) == RECORD
    }

    /// The epoch in which a block of a version was born; `None` for any other block.
    #[inline]
    pub(crate) const fn epoch(self) -> Option<u64> {
        if self.is_of_transaction() && self.0 & (RECORD | DYING) == 0 {
            Some(self.number())
        } else {
            None
        }
    }

    /// The epoch that the transaction wanted to become that made it, whatever it is now.
    pub(crate) const fn wanted_epoch(self) -> u64 {
        self.number() & !(RECORD | DYING)
    }

    /// Whether it is a block of a version, born at `newest` or before. Both flags stand above every
    /// epoch, and the kinds that are no lanes above every lane.
    #[inline]
    pub(crate) const fn is_of_version_to(self, newest: u64) -> bool {
        const { assert!(LANES as u64 == 1 << 7 && SHARED >= 1 << 7) };
        self.number().wrapping_sub(1) < newest && self.0 as i64 >= 0
    }

    /// The lane of the transaction that made it.
    #[inline]
    pub(crate) const fn lane(self) -> u8 {
        self.kind() as u8
    }

    /// The length of a payload somebody holds.
    pub(crate) const fn held_bytes(self) -> Option<u64> {
        if self.kind() == HELD { Some(self.number()) } else { None }
    }

    /// The length of a payload under way.
    pub(crate) const fn sent_bytes(self) -> Option<u64> {
        if self.kind() == SENT { Some(self.number()) } else { None }
    }

    /// The length of a block of shared words.
    pub(crate) const fn shared_bytes(self) -> Option<u64> {
        if self.kind() == SHARED { Some(self.number()) } else { None }
    }
}
