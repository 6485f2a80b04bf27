//! What both ends share: the claim on a side, the state word, the slots, and the bell.

use std::ptr::NonNull;

use super::format::{
    CLOSED_BY_CONSUMER, CLOSED_BY_PRODUCER, POISONED, RECORD_WORDS, SEQUENCED_SLOT_WORDS,
    WORD_CONSUMER, WORD_CONSUMER_SLEEPS, WORD_PRODUCER, WORD_PRODUCER_SLEEPS, WORD_SLOTS,
    WORD_STATE,
};
use super::header::Geometry;
use super::identity::Identity;
use super::{Error, Layout, Record, Side, Words};
use crate::sync::{self, Access, AtomicU64, LightBarrier, Ordering};

/// Where in some words a ring lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The index of its first word.
    pub(super) first_word: usize,
    /// The index of the word by which its consumer says that it sleeps.
    pub(super) consumer_sleeps: usize,
    /// The number of its first slot, where several rings lie in the words.
    pub(super) first_slot: usize,
}

impl Place {
    /// A ring that has the words for itself.
    pub(super) const ALONE: Place =
        Place { first_word: 0, consumer_sleeps: WORD_CONSUMER_SLEEPS, first_slot: 0 };
}

/// One claimed side of a ring. Gives the side back when dropped.
#[derive(Debug)]
pub(super) struct Link<W: Words> {
    /// Where the ring begins; its words stay there while `_words` lives.
    first: NonNull<AtomicU64>,
    /// The word by which the consumer says that it sleeps: the ring's own, or that of the fan whose
    /// lane the ring is.
    consumer_sleeps: NonNull<AtomicU64>,
    /// The number of the ring's first slot among those of its fan.
    first_slot: usize,
    geometry: Geometry,
    /// A sequenced slot's record follows its sequence.
    record_offset: usize,
    barrier: LightBarrier,
    side: Side,
    identity: Identity,
    _words: W,
}

// SAFETY: the words are atomics, which any thread may use; they live as long as `_words`, which is
// sent along.
unsafe impl<W: Words + Send> Send for Link<W> {}

impl<W: Words> Link<W> {
    /// Claims a side of the ring that `geometry` describes and `words` hold at `place`, for this
    /// process.
    pub(super) fn claim(
        words: W,
        geometry: Geometry,
        place: Place,
        side: Side,
    ) -> Result<Self, Error> {
        let all = words.words();
        let mine = geometry.fits(all.get(place.first_word..).unwrap_or_default())?;
        let bell = all.get(place.consumer_sleeps).ok_or(Error::TooSmall {
            needed_bytes: place.consumer_sleeps as u64 * 8 + 8,
            found_bytes: all.len() as u64 * 8,
        })?;
        let identity = Identity::current();
        claim_word(&mine[owner_word(side)], side, identity)?;
        Ok(Link {
            first: NonNull::from(mine).cast(),
            consumer_sleeps: NonNull::from(bell),
            first_slot: place.first_slot,
            geometry,
            record_offset: match geometry.layout() {
                Layout::Packed => WORD_SLOTS,
                Layout::Sequenced => WORD_SLOTS + 1,
            },
            barrier: LightBarrier::new(),
            side,
            identity,
            _words: words,
        })
    }

    #[inline(always)]
    pub(super) fn geometry(&self) -> Geometry {
        self.geometry
    }

    pub(super) fn side(&self) -> Side {
        self.side
    }

    /// Whether this is the copy that a child made by `fork` has of its parent's side.
    pub(super) fn is_inherited(&self) -> bool {
        self.identity.pid() != std::process::id()
    }

    /// A word of the header.
    #[inline(always)]
    pub(super) fn word<const INDEX: usize>(&self) -> &AtomicU64 {
        const { assert!(INDEX < WORD_SLOTS) };
        // SAFETY: `claim` checked that a whole header and all slots are there.
        unsafe { self.first.add(INDEX).as_ref() }
    }

    /// The word by which the slot of record `cursor` says what it holds (sequenced layout).
    #[inline(always)]
    pub(super) fn sequence(&self, cursor: u64) -> &AtomicU64 {
        debug_assert_eq!(self.geometry.layout(), Layout::Sequenced);
        let index = WORD_SLOTS + self.geometry.slot(cursor) * SEQUENCED_SLOT_WORDS;
        // SAFETY: a slot's number is below the capacity, and `claim` checked that all are there.
        unsafe { self.first.add(index).as_ref() }
    }

    /// Where the five words of record `cursor` lie.
    #[inline(always)]
    fn record(&self, cursor: u64) -> &[AtomicU64; RECORD_WORDS] {
        let start = self.geometry.slot(cursor) * self.geometry.slot_words() + self.record_offset;
        // SAFETY: as in `sequence`; a record lies within its slot.
        unsafe { self.first.add(start).cast().as_ref() }
    }

    /// Asks for the slot of a record that will be written soon. Sequenced slots are whole lines,
    /// which the processor asks for by itself.
    #[inline(always)]
    pub(super) fn prefetch_write(&self, cursor: u64) {
        if self.geometry.layout() == Layout::Packed {
            sync::prefetch_write(self.slot(cursor));
        }
    }

    /// Asks for the slot of a record that will be read soon.
    #[inline(always)]
    pub(super) fn prefetch_read(&self, cursor: u64) {
        if self.geometry.layout() == Layout::Packed {
            sync::prefetch_read(self.slot(cursor));
        }
    }

    #[inline(always)]
    fn slot(&self, cursor: u64) -> *const AtomicU64 {
        let start = self.geometry.slot(cursor) * self.geometry.slot_words();
        self.first.as_ptr().wrapping_add(WORD_SLOTS + start)
    }

    /// Writes a slot that is ours: plain stores, published later by a release store.
    #[inline(always)]
    pub(super) fn write(&self, cursor: u64, record: &Record) {
        sync::witness(self.first_slot + self.geometry.slot(cursor), Access::Write);
        for (word, value) in self.record(cursor).iter().zip(record) {
            word.store(*value, Ordering::Relaxed);
        }
    }

    /// Copies a slot that is ours. The other process could still write it if it is hostile, so
    /// whoever checks the record checks this copy.
    #[inline(always)]
    pub(super) fn read(&self, cursor: u64) -> Record {
        sync::witness(self.first_slot + self.geometry.slot(cursor), Access::Read);
        let mut record = [0; RECORD_WORDS];
        for (value, word) in record.iter_mut().zip(self.record(cursor)) {
            *value = word.load(Ordering::Relaxed);
        }
        record
    }

    /// `Ok` while the ring is open and sound.
    #[inline(always)]
    pub(super) fn check_open(&self) -> Result<(), Error> {
        match self.word::<WORD_STATE>().load(Ordering::Relaxed) {
            0 => Ok(()),
            state => self.refusal(state),
        }
    }

    #[cold]
    fn refusal(&self, state: u64) -> Result<(), Error> {
        let closed = match self.side {
            Side::Producer => CLOSED_BY_PRODUCER | CLOSED_BY_CONSUMER,
            Side::Consumer => CLOSED_BY_CONSUMER,
        };
        if state & POISONED != 0 {
            Err(Error::Poisoned { what: "one side found the other breaking the protocol" })
        } else if state & closed != 0 {
            Err(Error::Closed)
        } else {
            Ok(())
        }
    }

    /// Whether the producer said that nothing more will come. Acquire pairs with the release in
    /// `close`: what was published before is seen after.
    pub(super) fn is_closed_by_producer(&self) -> bool {
        let order = sync::at("ring.closed", Ordering::Acquire);
        self.word::<WORD_STATE>().load(order) & CLOSED_BY_PRODUCER != 0
    }

    /// Ends the ring from this side and wakes the other.
    pub(super) fn close(&self) {
        let bit = match self.side {
            Side::Producer => CLOSED_BY_PRODUCER,
            Side::Consumer => CLOSED_BY_CONSUMER,
        };
        let order = sync::at("ring.close", Ordering::Release);
        self.word::<WORD_STATE>().fetch_or(bit, order); // pairs with `is_closed_by_producer`
        self.notify(self.side.other());
    }

    /// Ends the ring because the other side broke the protocol.
    #[cold]
    pub(super) fn poison(&self, what: &'static str) -> Error {
        self.word::<WORD_STATE>().fetch_or(POISONED, Ordering::Relaxed);
        self.notify(self.side.other());
        Error::Poisoned { what }
    }

    /// Wakes the other side, which is `other`, if it sleeps. Called after every publication and
    /// release; a constant `other` saves the question.
    #[inline(always)]
    pub(super) fn notify(&self, other: Side) {
        debug_assert_eq!(other, self.side.other());
        self.barrier.pass("ring.notify"); // pairs with the barrier in `wait`
        if self.sleeps_of(other).load(Ordering::Relaxed) != 0 {
            self.wake(other);
        }
    }

    #[cold]
    fn wake(&self, other: Side) {
        let sleeps = self.sleeps_of(other);
        sleeps.store(0, Ordering::Relaxed);
        sync::futex_wake(sleeps);
    }

    /// The word by which this side says that it sleeps.
    pub(super) fn sleeps(&self) -> &AtomicU64 {
        self.sleeps_of(self.side)
    }

    #[inline(always)]
    fn sleeps_of(&self, side: Side) -> &AtomicU64 {
        match side {
            Side::Producer => self.word::<WORD_PRODUCER_SLEEPS>(),
            // SAFETY: `claim` found it in the words, which stay while `_words` lives.
            Side::Consumer => unsafe { self.consumer_sleeps.as_ref() },
        }
    }

    fn owner_of(&self, side: Side) -> &AtomicU64 {
        match side {
            Side::Producer => self.word::<WORD_PRODUCER>(),
            Side::Consumer => self.word::<WORD_CONSUMER>(),
        }
    }

    /// Whether a live process holds the other side.
    pub(super) fn other_lives(&self) -> bool {
        let owner = self.owner_of(self.side.other()).load(Ordering::Relaxed);
        Identity::from_raw(owner).is_some_and(Identity::is_alive)
    }
}

impl<W: Words> Drop for Link<W> {
    fn drop(&mut self) {
        if self.is_inherited() {
            return;
        }
        // Release pairs with the acquire in `claim_word`: the next owner sees our cursors. Should
        // somebody else's identity stand there, it is not ours to clear.
        let order = sync::at("ring.detach", Ordering::Release);
        let owner = self.owner_of(self.side);
        let _ = owner.compare_exchange(self.identity.raw(), 0, order, Ordering::Relaxed);
    }
}

/// Invariant 5: one compare-and-swap, from nobody or from the dead.
fn claim_word(owner: &AtomicU64, side: Side, claimant: Identity) -> Result<(), Error> {
    let mut seen = owner.load(Ordering::Relaxed);
    loop {
        if let Some(holder) = Identity::from_raw(seen).filter(|holder| holder.is_alive()) {
            return Err(Error::Occupied { side, pid: holder.pid() });
        }
        // Acquire pairs with the release in `drop` of the last owner. What a dead owner stored,
        // the system has made visible before it let anybody see the death.
        let order = sync::at("ring.attach", Ordering::Acquire);
        match owner.compare_exchange(seen, claimant.raw(), order, Ordering::Relaxed) {
            Ok(_) => return Ok(()),
            Err(now) => seen = now,
        }
    }
}

const fn owner_word(side: Side) -> usize {
    match side {
        Side::Producer => WORD_PRODUCER,
        Side::Consumer => WORD_CONSUMER,
    }
}
