//! A region file looked at from outside, for people: nothing in it is changed, nobody waits, and it may
//! be in use or damaged.
//!
//! ```
//! use eve::inspect::Inspection;
//! use eve::{Options, Region, Slab, Write};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("world.eve");
//! let slab = Slab::create(Region::create(&path, &Options::default())?)?;
//! slab.swap(|txn| Ok::<_, eve::Error>((txn.alloc(100)?, ())))?;
//!
//! let inspection = Inspection::open(&path)?;
//! let overview = inspection.overview();
//! assert_eq!((overview.epoch, overview.attachments[0].lives), (1, true));
//! let blocks: Vec<_> = inspection.blocks(0..u64::MAX).collect();
//! assert_eq!((blocks.len(), blocks[0].room_bytes, blocks[0].epoch), (1, 112, Some(1)));
//! assert!(inspection.problems().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! 1. Every word is read atomically, and none behind the end that the file had when it was opened.
//! 2. What is read while others work need not fit together.

use std::ops::Range;
use std::path::Path;

use crate::blocks::{Birth, Blocks, Place};
use crate::layout::{CHUNK, ChunkId, chunk};
use crate::sync::Ordering;
use crate::{Addr, Error, Region};

mod overview;
mod problems;

pub use overview::{Attached, Checkpointed, ClassUse, Condition, Offered, Overview};
pub use problems::Problem;

/// A region file, opened to be looked at.
#[derive(Debug)]
pub struct Inspection {
    blocks: Blocks,
}

/// What a block is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Of a version, or of a running transaction.
    Version,
    /// A list of blocks that a commit made unreachable.
    Record,
    /// No version sees it any more; it waits for whoever may still read it.
    Dying,
    /// Words that processes share.
    Shared,
    /// A payload that somebody holds.
    Held,
    /// A payload under way.
    Sent,
    /// None that there is: damage.
    Unknown,
}

/// A block that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Block {
    /// Where it begins.
    pub at: Addr,
    /// Bytes it can hold: of its size class, or what was asked for if it takes whole chunks.
    pub room_bytes: u64,
    /// Whether it takes whole chunks.
    pub large: bool,
    /// What it is there for.
    pub kind: Kind,
    /// The lane whose transaction made it.
    pub lane: Option<u8>,
    /// The epoch that its transaction became, or wanted to become.
    pub epoch: Option<u64>,
    /// How long a payload or shared words are.
    pub length_bytes: Option<u64>,
}

impl Block {
    fn new(place: &Place, birth: Birth) -> Block {
        let kind = match birth {
            _ if birth.is_record() => Kind::Record,
            _ if birth.epoch().is_some() => Kind::Version,
            _ if birth.is_of_transaction() => Kind::Dying,
            _ if birth.shared_bytes().is_some() => Kind::Shared,
            _ if birth.held_bytes().is_some() => Kind::Held,
            _ if birth.sent_bytes().is_some() => Kind::Sent,
            _ => Kind::Unknown,
        };
        let lengths = [birth.shared_bytes(), birth.held_bytes(), birth.sent_bytes()];
        let of_transaction = birth.is_of_transaction();
        Block {
            at: Addr::from_raw(place.at),
            room_bytes: u64::from(place.words) * 8,
            large: place.class.is_none(),
            kind,
            lane: of_transaction.then(|| birth.lane()),
            epoch: of_transaction.then(|| birth.wanted_epoch()),
            length_bytes: lengths.into_iter().flatten().next(),
        }
    }
}

impl Inspection {
    /// Opens a region file to look at it; the right to read is enough.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NotARegion`], [`Error::Version`], [`Error::Header`] when there is
    /// too little left to look at, [`Error::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Inspection, Error> {
        Ok(Inspection { blocks: Blocks::new(Region::open_to_read(path.as_ref())?) })
    }

    /// The blocks that begin in a range of addresses, in order. What the directory says nothing
    /// sensible about is left out: [`Inspection::problems`] tells of it.
    pub fn blocks(&self, range: Range<u64>) -> impl Iterator<Item = Block> + use<'_> {
        self.births(range).map(|(place, birth)| Block::new(&place, birth))
    }

    fn births(&self, range: Range<u64>) -> impl Iterator<Item = (Place, Birth)> + use<'_> {
        let chunks = self.blocks.chunks();
        let first = ChunkId::holding(range.start.min(self.region().limit_bytes()));
        let end = range.end;
        let within = move |(place, birth): &(Place, Birth)| {
            range.contains(&place.at) && !birth.is_free() && !birth.is_spare()
        };
        let chunks = chunks.skip_while(move |chunk| *chunk < first);
        let chunks = chunks.take_while(move |chunk| chunk.start() < end);
        chunks.flat_map(|chunk| self.places_of(chunk)).filter(within)
    }

    /// The blocks of a chunk, free ones as well.
    fn places_of(&self, chunk: ChunkId) -> impl Iterator<Item = (Place, Birth)> + use<'_> {
        let class = self.blocks.entry(chunk).class();
        let capacity = class.map_or(0, |class| class.geometry().capacity);
        let small = (0..capacity).filter_map(move |index| Some(Place::small(chunk, class?, index)));
        let large = Addr::from_raw(chunk.start() + chunk::LARGE_DATA);
        let large = (class.is_none() && self.blocks.entry(chunk).run().is_some())
            .then(|| self.blocks.locate(large).ok());
        small.chain(large.flatten()).map(|place| (place, self.blocks.birth(&place)))
    }

    /// How a block begins: `count` words at most, no more than it has.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when no block begins there.
    pub fn words(&self, at: Addr, count: u64) -> Result<Vec<u64>, Error> {
        let place = self.blocks.locate(at)?;
        let count = count.min(u64::from(place.words)) as usize;
        let words = self.region().atomics(place.at, count).iter();
        Ok(words.map(|word| word.load(Ordering::Relaxed)).collect())
    }

    fn region(&self) -> &Region {
        self.blocks.region()
    }

    fn used_bytes(&self) -> u64 {
        u64::from(self.blocks.high_water().0) * CHUNK
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
