//! Looking through a whole slab.

use std::collections::HashMap;

use crate::blocks::{Birth, Blocks};
use crate::layout::{CHUNK, ChunkId, GRANULE, LANES, lane, lane_at, page};
use crate::sync::Ordering;
use crate::{Addr, Error, Read, Slab, Snapshot, reclaim, record};

const BITMAP_WORDS: usize = (CHUNK / GRANULE / 64) as usize;

/// The blocks that a trace has reached.
#[derive(Debug)]
pub struct Marks<'s> {
    snapshot: &'s Snapshot,
    marked: Marked,
}

/// A set of addresses, a bit per granule of the chunks that have any.
#[derive(Debug, Default)]
pub(crate) struct Marked {
    chunks: HashMap<ChunkId, Box<[u64; BITMAP_WORDS]>>,
    count: u64,
}

impl Marks<'_> {
    /// Marks a block of the snapshot as reachable. False if it was marked before: then what it
    /// leads to needs no second look.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the version has no block there.
    pub fn mark(&mut self, at: Addr) -> Result<bool, Error> {
        self.snapshot.words(at)?;
        Ok(self.marked.insert(at))
    }

    /// How many blocks are marked.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.marked.count
    }

    /// Whether nothing is marked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.marked.count == 0
    }
}

impl Marked {
    fn bit(at: Addr) -> (usize, u64) {
        let granule = at.raw() % CHUNK / GRANULE;
        ((granule / 64) as usize, 1 << (granule % 64))
    }

    fn insert(&mut self, at: Addr) -> bool {
        let (word, bit) = Marked::bit(at);
        let chunk = self
            .chunks
            .entry(ChunkId::holding(at.raw()))
            .or_insert_with(|| Box::new([0; BITMAP_WORDS]));
        let fresh = chunk[word] & bit == 0;
        chunk[word] |= bit;
        self.count += u64::from(fresh);
        fresh
    }

    pub(crate) fn contains(&self, at: Addr) -> bool {
        let (word, bit) = Marked::bit(at);
        self.chunks.get(&ChunkId::holding(at.raw())).is_some_and(|chunk| chunk[word] & bit != 0)
    }
}

/// Everything `trace` marks of a snapshot.
pub(crate) fn marked<F>(snapshot: &Snapshot, trace: F) -> Result<Marked, Error>
where
    F: FnOnce(&Snapshot, Addr, &mut Marks<'_>) -> Result<(), Error>,
{
    let mut marks = Marks { snapshot, marked: Marked::default() };
    if !snapshot.root().is_none() {
        trace(snapshot, snapshot.root(), &mut marks)?;
    }
    Ok(marks.marked)
}

/// What [`Slab::verify`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// The version that was looked through.
    pub epoch: u64,
    /// Blocks that its root reaches.
    pub reachable_blocks: u64,
    /// Blocks that commits made unreachable and that wait for nobody to see them any more, with the
    /// lists that name them.
    pub retired_blocks: u64,
    /// Payloads and shared words.
    pub payload_blocks: u64,
    /// Blocks that nothing accounts for: left by a process that died. They harm nothing, and go back
    /// when the region is next opened with a trace by a process that is alone. `None` while anybody's
    /// transactions run, whose blocks would look the same.
    pub leaked_blocks: Option<u64>,
}

impl Slab {
    /// Looks through the newest version: every block that `trace` reaches must be a block of it,
    /// and, if nobody else is at work, every block must be accounted for. Reads everything.
    ///
    /// # Errors
    /// [`Error::Corrupt`] at the first thing that is not as it must be; what `trace` returns.
    pub fn verify<F>(&self, trace: F) -> Result<Verification, Error>
    where
        F: FnOnce(&Snapshot, Addr, &mut Marks<'_>) -> Result<(), Error>,
    {
        let snapshot = self.snapshot()?;
        let reachable = marked(&snapshot, trace)?;
        let blocks = self.inner.blocks();
        check_checkpoint(blocks)?;
        let quiet = self.quiet_at();
        let mut retired = Marked::default();
        if quiet.is_some() {
            for lane in 0..LANES as u8 {
                reclaim::accounted(blocks, lane, |at, birth| {
                    let there = blocks.locate(at).map(|place| blocks.birth(&place));
                    let is_there = |birth: Birth| {
                        there.as_ref().is_ok_and(|now| *now == birth || *now == birth.dying())
                    };
                    if birth.is_none_or(is_there) {
                        retired.insert(at);
                    }
                });
            }
        }
        let mut found = Verification {
            epoch: snapshot.epoch(),
            reachable_blocks: reachable.count,
            ..Verification::default()
        };
        let mut leaked = 0;
        blocks.each(|at, birth: Birth| match birth.is_of_transaction() {
            false => found.payload_blocks += 1,
            true if reachable.contains(at) => {}
            true if retired.contains(at) => found.retired_blocks += 1,
            true => leaked += 1,
        })?;
        let still = quiet.is_some_and(|epoch| epoch == found.epoch) && quiet == self.quiet_at();
        found.leaked_blocks = still.then_some(leaked);
        // A commit behind the snapshot may retire what the snapshot still sees.
        if still {
            for (chunk, bits) in &reachable.chunks {
                check_lives_apart(*chunk, bits, &retired)?;
            }
        }
        Ok(found)
    }

    /// The newest epoch, if no transaction of anybody runs. The dead run none: they are cleared away.
    fn quiet_at(&self) -> Option<u64> {
        self.inner.attachment.sweep();
        let epoch = self.commits();
        let running = |lane| self.region().word(lane_at(lane) + lane::RUNNING);
        let none = (0..LANES as u8).all(|lane| running(lane).load(Ordering::Acquire) == 0);
        (none && self.commits() == epoch).then_some(epoch)
    }
}

fn check_checkpoint(blocks: &Blocks) -> Result<(), Error> {
    let region = blocks.region();
    loop {
        let Some((which, record)) = record::Checkpoint::newest(region) else { return Ok(()) };
        let pinned = region.word(page::CHECKPOINT_PINS + which as u64 * 8).load(Ordering::Acquire);
        if pinned == record.epoch {
            return Ok(());
        }
        // Others may be writing checkpoints: a record that stood still and is not pinned is damaged.
        if record::Checkpoint::newest(region) == Some((which, record)) {
            let at = Addr::from_raw(record::CHECKPOINTS[which]);
            return Err(Error::corrupt("a checkpoint whose version is not pinned", at));
        }
    }
}

fn check_lives_apart(
    chunk: ChunkId,
    bits: &[u64; BITMAP_WORDS],
    retired: &Marked,
) -> Result<(), Error> {
    let Some(other) = retired.chunks.get(&chunk) else { return Ok(()) };
    for (index, (one, two)) in bits.iter().zip(other.iter()).enumerate() {
        if one & two != 0 {
            let granule = index as u64 * 64 + u64::from((one & two).trailing_zeros());
            let at = Addr::from_raw(chunk.start() + granule * GRANULE);
            return Err(Error::corrupt("a block that is reachable and retired at once", at));
        }
    }
    Ok(())
}
