//! Rings: one producer, one consumer, any two threads or processes.
//!
//! A ring is a run of shared words: a header, then slots. It moves [`Record`]s, the five words of
//! a datom, in order, each exactly once while both sides live. Everything is an atomic word, so
//! that no peer, however broken or hostile, can cause a data race; and nothing that a peer wrote
//! is believed before it was checked.
//!
//! ```
//! use eve::ring::{Layout, Ring};
//!
//! let ring = Ring::heap(Layout::Packed, 1024)?;
//! let (mut producer, mut consumer) = (ring.producer()?, ring.consumer()?);
//!
//! let mut room = producer.reserve(2)?; // in place: nothing is visible before the commit
//! room.put([1, 2, 3, 4, 5]);
//! room.put([6, 7, 8, 9, 10]);
//! room.commit();
//!
//! let view = consumer.peek(16)?; // in place: nothing is given back before the release
//! assert_eq!(view.iter().map(|record| record[0]).collect::<Vec<_>>(), [1, 6]);
//! let seen = view.len();
//! view.release(seen);
//! assert_eq!(consumer.try_pop()?, None);
//! # Ok::<(), eve::ring::Error>(())
//! ```
//!
//! # Invariants
//!
//! Cursors count records from the beginning of the ring's life and never wrap; record `c` lives in
//! slot `c % capacity`. `published` belongs to the producer, `released` to the consumer.
//!
//! 1. `released ≤ published ≤ released + capacity`. A side that reads anything else poisons the
//!    ring, and from then on every operation of both sides fails with [`Error::Poisoned`].
//! 2. A slot belongs to one side at a time: to the consumer from `published` up to `released`
//!    (exclusive), otherwise to the producer. Ownership passes with a release store that the other
//!    side reads with acquire, so accesses to a slot never overlap.
//! 3. Geometry (layout, capacity) is read once, checked against the memory at hand, and kept.
//! 4. The cursors are the whole state. A side that dies between two stores has done nothing since
//!    its last publication or release; whoever replaces it goes on from there. Hence delivery is
//!    exactly once while both sides live. Across the death of a producer nothing is lost or doubled.
//!    Across the death of a consumer it is at most once for [`Consumer::try_pop`] and
//!    [`Consumer::pop`], which release a record as they hand it out, and at least once for
//!    [`Consumer::peek`], of which the same records come again until they are released.
//! 5. A side is one identity word, claimed by one compare-and-swap, and only from nobody or from
//!    a process that no longer lives. A stopped or slow process is never robbed. A child made by
//!    `fork` has a copy of its parent's side, and no side: dropping the copy does nothing, and using
//!    it would be using the parent's.
//! 6. Nobody sleeps through a publication: see `wait`.
//!
//! # Layouts
//!
//! [`Layout::Packed`] keeps records of 40 bytes end to end and publishes them by one shared
//! cursor: with [`Producer::stage`] and [`Producer::flush`], one store makes a whole batch visible.
//! It is for streams. [`Layout::Sequenced`] gives each record a slot of 64 bytes whose first word
//! says what the slot holds (`c + 1`: record `c`), so that a message costs one cache line and the
//! consumer never reads the producer's cursor. It is for calls. The producer still notes its cursor
//! on its own line, after the slot's word, for whoever replaces it; its successor therefore looks
//! whether the slot at the cursor has already moved on.
//!
//! In neither layout does the consumer write a slot. It says what is free by `released`, on a line
//! that the producer reads once a lap, so a record crosses between the caches once and in one
//! direction.
//!
//! # Many producers
//!
//! A [`Fan`] is many rings, its lanes, with one consumer. Each producer has a lane to itself, so that
//! producers never wait for each other, and one that is killed at whatever instant leaves nothing
//! half done in anybody's way.

mod consumer;
mod error;
mod fan;
mod file;
pub mod format;
mod header;
pub(crate) mod identity;
mod link;
mod memory;
mod producer;
mod rests;
mod status;
#[cfg(feature = "stream")]
mod stream;
mod wait;

pub use consumer::{Consumer, View};
pub use error::{Error, Side};
pub use fan::{Fan, FanConsumer};
pub use header::{Layout, bytes};
pub use memory::{Heap, Mapped, Words};
pub use producer::{Producer, Reservation};
pub use status::{Holder, Status};
#[cfg(feature = "stream")]
pub use stream::{OpenError, RingReader, RingStream, RingWriter, Rings};

use header::Geometry;
use link::{Link, Place};

/// What a ring moves: the five words of a datom.
pub type Record = [u64; 5];

/// A ring in some memory, of which nobody has claimed a side yet (or somebody else has).
#[derive(Clone, Debug)]
pub struct Ring<W> {
    words: W,
    geometry: Geometry,
}

impl Ring<Heap> {
    /// A new ring on the heap, for threads of one process.
    ///
    /// # Errors
    /// [`Error::Capacity`] unless `capacity` is a power of two of at least 2.
    pub fn heap(layout: Layout, capacity: u64) -> Result<Self, Error> {
        Ring::create(Heap::new(header::bytes(layout, capacity)?), layout, capacity)
    }
}

impl<W: Words + Clone> Ring<W> {
    /// Makes a ring in `words`, whatever they held.
    ///
    /// # Errors
    /// [`Error::Capacity`] unless `capacity` is a power of two of at least 2;
    /// [`Error::TooSmall`] if it does not fit.
    pub fn create(words: W, layout: Layout, capacity: u64) -> Result<Self, Error> {
        let geometry = header::create(words.words(), format::MAGIC, layout, capacity)?;
        Ok(Ring { words, geometry })
    }

    /// The ring that somebody made in `words`.
    ///
    /// # Errors
    /// [`Error::NotARing`], [`Error::Version`], [`Error::Damaged`] or [`Error::TooSmall`] when
    /// there is none that this program could use.
    pub fn open(words: W) -> Result<Self, Error> {
        let geometry = header::open(words.words(), format::MAGIC)?;
        geometry.fits(words.words())?;
        Ok(Ring { words, geometry })
    }

    /// Claims the producer's side.
    ///
    /// # Errors
    /// [`Error::Occupied`] while another live producer has it, [`Error::Closed`] when either side
    /// closed the ring, [`Error::Poisoned`] when the cursors contradict each other.
    pub fn producer(&self) -> Result<Producer<W>, Error> {
        let words = self.words.clone();
        Producer::attach(Link::claim(words, self.geometry, Place::ALONE, Side::Producer)?)
    }

    /// Claims the consumer's side, also of a ring that its producer closed: what is in it can
    /// still be read.
    ///
    /// # Errors
    /// [`Error::Occupied`] while another live consumer has it, [`Error::Closed`] when a consumer
    /// closed the ring, [`Error::Poisoned`] when the cursors contradict each other.
    pub fn consumer(&self) -> Result<Consumer<W>, Error> {
        let words = self.words.clone();
        Consumer::attach(Link::claim(words, self.geometry, Place::ALONE, Side::Consumer)?)
    }

    /// How many records fit.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.geometry.capacity()
    }

    /// How slots lie in memory.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.geometry.layout()
    }
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
