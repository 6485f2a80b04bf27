//! Memory of states that were never committed, on top of one that was.
//!
//! A speculative state ([`Db::with`](crate::Db::with)), a fork and a state of the past are made as
//! every other state is: by path copying. Only that their new blocks lie on the heap of this process, in
//! a [`Layer`] above the pinned commit; nobody else sees them and nothing has to be taken back.
//!
//! 1. Addresses from [`FLOOR`] on are of layers, those below of the region, which never reaches it.
//!    Each layer has the addresses from its `start` up to the next one's.
//! 2. A layer that a state is made of never changes again; states share it.
//! 3. Words of a layer mean nothing to other states: each layered memory is a store of its own.
//! 4. What a layer's transaction retires of what lies below stays: the commit is pinned.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eve::{Addr, Error, Read, Snapshot, Write};

/// The first address of layers. Its granules are below those of provisional words.
const FLOOR: u64 = 1 << 61;
/// Bytes between the addresses of two blocks: an address is a name here, not a place.
const STEP: u64 = Addr::GRANULE;
/// Layers of one state. Beyond, a lookup through them would cost more than what they save.
pub(crate) const LAYERS_MAX: usize = 1 << 12;

/// What a state is read from: a pinned commit, or what was speculated above one.
///
/// Cheap to clone: clones share the pin.
#[derive(Clone, Debug)]
pub struct Memory(Ground);

#[derive(Clone, Debug)]
enum Ground {
    Commit(Snapshot),
    Layered(Arc<Layers>),
}

/// Layers above a pinned commit, lowest first.
#[derive(Debug)]
struct Layers {
    commit: Snapshot,
    /// Different for every layered memory of this process.
    number: u64,
    layers: Vec<Arc<Layer>>,
}

/// The blocks of one uncommitted transaction.
#[derive(Debug)]
struct Layer {
    start: u64,
    /// None where a block was given back.
    blocks: Vec<Option<Box<[u64]>>>,
}

impl Layer {
    fn place(&self, at: Addr) -> Option<usize> {
        let offset = at.raw().checked_sub(self.start).filter(|_| at.is_aligned())?;
        usize::try_from(offset / STEP).ok()
    }

    fn words(&self, at: Addr) -> Option<&[u64]> {
        self.blocks.get(self.place(at)?)?.as_deref()
    }

    fn end(&self) -> u64 {
        self.start + self.blocks.len() as u64 * STEP
    }
}

impl From<Snapshot> for Memory {
    fn from(snapshot: Snapshot) -> Self {
        Memory(Ground::Commit(snapshot))
    }
}

impl Memory {
    /// The commit at the bottom.
    pub(crate) fn commit(&self) -> &Snapshot {
        match &self.0 {
            Ground::Commit(snapshot) => snapshot,
            Ground::Layered(layers) => &layers.commit,
        }
    }

    /// Equal for memories in which equal words are equal values: a region's seed is drawn when it
    /// is made, and the numbers of layered memories are far from it.
    pub(crate) fn store(&self) -> u64 {
        match &self.0 {
            Ground::Commit(snapshot) => snapshot.seed(),
            Ground::Layered(layers) => layers.commit.seed() ^ layers.number.rotate_right(16),
        }
    }

    /// How many layers lie above the commit.
    pub(crate) fn depth(&self) -> usize {
        match &self.0 {
            Ground::Commit(_) => 0,
            Ground::Layered(layers) => layers.layers.len(),
        }
    }

    /// Begins a layer above.
    pub(crate) fn layer(&self) -> Drafting {
        let start = match &self.0 {
            Ground::Commit(_) => FLOOR,
            Ground::Layered(layers) => layers.layers.last().map_or(FLOOR, |top| top.end()),
        };
        Drafting { below: self.clone(), layer: Layer { start, blocks: Vec::new() } }
    }
}

impl Read for Memory {
    #[inline]
    fn words(&self, at: Addr) -> Result<&[u64], Error> {
        match &self.0 {
            Ground::Commit(snapshot) => snapshot.words(at),
            Ground::Layered(layers) => layers.words(at),
        }
    }

    #[inline]
    fn prefetch(&self, at: Addr, bytes: usize) {
        self.commit().prefetch(at, bytes);
    }

    fn seed(&self) -> u64 {
        self.commit().seed()
    }
}

impl Layers {
    fn words(&self, at: Addr) -> Result<&[u64], Error> {
        if at.raw() < FLOOR {
            return self.commit.words(at);
        }
        let above = self.layers.partition_point(|layer| layer.start <= at.raw());
        let layer = above.checked_sub(1).and_then(|place| self.layers.get(place));
        let words = layer.and_then(|layer| layer.words(at));
        words.ok_or(Error::corrupt("no block of a layer begins here", at))
    }
}

/// A layer in the making.
pub(crate) struct Drafting {
    below: Memory,
    layer: Layer,
}

impl Drafting {
    /// The memory with the layer on top. It never changes again.
    pub(crate) fn finish(self) -> Memory {
        let (commit, mut layers) = match &self.below.0 {
            Ground::Commit(snapshot) => (snapshot.clone(), Vec::with_capacity(1)),
            Ground::Layered(below) => (below.commit.clone(), below.layers.clone()),
        };
        static NEXT: AtomicU64 = AtomicU64::new(1);
        layers.push(Arc::new(self.layer));
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Memory(Ground::Layered(Arc::new(Layers { commit, number, layers })))
    }
}

impl Read for Drafting {
    fn words(&self, at: Addr) -> Result<&[u64], Error> {
        match at.raw() >= self.layer.start {
            true => {
                let words = self.layer.words(at);
                words.ok_or(Error::corrupt("no block of a layer begins here", at))
            }
            false => self.below.words(at),
        }
    }

    fn seed(&self) -> u64 {
        self.below.seed()
    }
}

impl Write for Drafting {
    fn alloc(&mut self, bytes: usize) -> Result<Addr, Error> {
        let at = Addr::from_raw(self.layer.end());
        // Whole granules, as a region's blocks are.
        let words = bytes.div_ceil(Addr::GRANULE as usize).max(1) * (Addr::GRANULE as usize / 8);
        self.layer.blocks.push(Some(vec![0; words].into_boxed_slice()));
        Ok(at)
    }

    fn words_mut(&mut self, at: Addr) -> Option<&mut [u64]> {
        let place = self.layer.place(at)?;
        self.layer.blocks.get_mut(place)?.as_deref_mut()
    }

    fn retire(&mut self, at: Addr) {
        let place = self.layer.place(at);
        if let Some(block) = place.and_then(|place| self.layer.blocks.get_mut(place)) {
            *block = None;
        }
    }
}
