//! A transaction: a new version in the making.
//!
//! ```text
//! begin    take a lane, pin the newest version, write down the epoch to become
//! ...      take blocks of the lane's chunks; what becomes unreachable is remembered
//! commit   write retire records and the spare cell; swap the root; then, and only then, the
//!          records join the lane's list and the blocks are no longer taken back
//! ```
//!
//! A death before the swap leaves blocks of a birth that was never published; after it, a cell from
//! which the records are found. There is no moment at which anything needs repair.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::attachment::lock;
use crate::blocks::{Birth, Place};
use crate::durability;
use crate::epoch::{self, RootWord};
use crate::lane::Lane;
use crate::layout::{lane, lane_at};
use crate::slab::Inner;
use crate::sync::Ordering;
use crate::{Addr, Commit, CommitError, Durability, Error, Fill, Read, Snapshot, Write, offer};

/// A new version in the making, on the version that was the newest when it began. Dropping it
/// gives back what it took.
pub struct Txn {
    base: Snapshot,
    /// Always there, but for the end of `commit` and `drop`.
    lane: Option<Box<Lane>>,
    birth: Birth,
    durability: Durability,
}

impl Txn {
    #[inline]
    pub(crate) fn new(inner: &Arc<Inner>, durability: Durability) -> Result<Txn, Error> {
        let mut lane = inner.attachment.take_lane()?;
        // After the lane: so its last commit is at or before the base (lane, invariant 2).
        match Snapshot::new(inner) {
            Ok(base) => {
                let birth = lane.begin(inner.blocks(), base.word);
                Ok(Txn { base, lane: Some(lane), birth, durability })
            }
            Err(error) => {
                inner.attachment.return_lane(lane);
                Err(error)
            }
        }
    }

    /// The root it started from.
    #[must_use]
    #[inline]
    pub fn base(&self) -> Addr {
        self.base.root()
    }

    /// The version it started from.
    #[must_use]
    #[inline]
    pub fn snapshot(&self) -> &Snapshot {
        &self.base
    }

    /// The number its commit will have.
    #[must_use]
    #[inline]
    pub fn epoch(&self) -> u64 {
        self.base.epoch() + 1
    }

    /// Makes `root` the newest version's root. Everything written in this transaction becomes
    /// immutable and visible to every process at once.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when another commit came first, [`CommitError::Failed`] when
    /// `root` is no block or there is no room for the list of what was retired. In both cases
    /// nothing happened. [`CommitError::NotDurable`] when it has happened, and the disk refused what
    /// the handle's [`Durability`] asks for.
    pub fn commit(mut self, root: Addr) -> Result<Commit, CommitError> {
        if !root.is_none() {
            self.words(root)?;
        }
        let inner = Arc::clone(self.base.inner());
        let blocks = inner.blocks();
        let (base, epoch, durability) = (self.base.word, self.epoch(), self.durability);
        let Some(lane) = self.lane.as_mut() else { unreachable!("a lane until the end") };
        let records = lane.write_records(blocks, self.birth, epoch)?;
        let cell = lane.spare_cell(base);
        epoch::write_cell(blocks.region(), cell, epoch, root, records);
        let base_committed = blocks.region().word(lane_at(base.lane()) + lane::COMMITTED);
        let next = RootWord::new(cell, epoch);
        if !epoch::publish(inner.attachment.root_word(), base, base_committed, next) {
            return Err(CommitError::Conflict);
        }
        lane.word(blocks, lane::COMMITTED).store(epoch, Ordering::Release);
        lane.link_records(blocks, records);
        if durability == Durability::Checkpoint {
            lock(&inner.unsaved).note(epoch, lane.change(blocks, self.birth));
        }
        lane.keep_all(blocks);
        inner.announce(epoch);
        let lane = self.lane.take();
        drop(self); // and with it the base's pin, which would hold what was just retired
        if let Some(mut lane) = lane {
            if lane.wants_reclaim() {
                reclaim(&inner, &mut lane);
            }
            inner.attachment.return_lane(lane);
        }
        durability::keep(&inner, durability, Commit { epoch })
    }

    #[cold]
    fn words_of_rare(&self, at: Addr) -> Result<&[u64], Error> {
        match self.locate_own(at) {
            // SAFETY: as in `words`.
            Some(place) => Ok(unsafe { self.base.inner().blocks().content(&place) }),
            None => self.base.words_of_rare(at),
        }
    }

    #[inline]
    fn locate_own(&self, at: Addr) -> Option<Place> {
        let blocks = self.base.inner().blocks();
        let place = blocks.place_small(at).or_else(|| blocks.locate(at).ok())?;
        (blocks.birth(&place) == self.birth).then_some(place)
    }
}

#[cold]
fn reclaim(inner: &Inner, lane: &mut Lane) {
    inner.attachment.reclaim(lane);
    if lane.is_held_up() {
        offer::withdraw_unseen(inner);
        if inner.attachment.sweep() > 0 {
            inner.attachment.reclaim_left_behind();
        }
    }
}

impl Read for Txn {
    #[inline]
    fn words(&self, at: Addr) -> Result<&[u64], Error> {
        let blocks = self.base.inner().blocks();
        // SAFETY: the base owns its pin and lives as long as the slice's borrow of `self`, and the
        // transaction's own blocks are written through `&mut self` only, which that excludes.
        match unsafe { blocks.visible(at, self.base.sure(), Some((self.birth, self.base.epoch()))) }
        {
            Some(words) => Ok(words),
            None => self.words_of_rare(at),
        }
    }

    #[inline]
    fn prefetch(&self, at: Addr, bytes: usize) {
        self.base.prefetch(at, bytes);
    }

    #[inline]
    fn seed(&self) -> u64 {
        self.base.seed()
    }
}

impl Write for Txn {
    #[inline]
    fn alloc(&mut self, bytes: usize) -> Result<Addr, Error> {
        let Some(lane) = self.lane.as_mut() else { unreachable!("a lane until the end") };
        lane.alloc(self.base.inner().blocks(), bytes as u64, self.birth)
    }

    #[inline]
    fn words_mut(&mut self, at: Addr) -> Option<&mut [u64]> {
        let place = self.locate_own(at)?;
        // SAFETY: the block is of this transaction and of no other (lane, invariant 2), so this
        // `&mut self` is the only way to it.
        Some(unsafe { self.base.inner().blocks().content_mut(&place) })
    }

    #[inline]
    fn retire(&mut self, at: Addr) {
        let blocks = self.base.inner().blocks();
        // An address that is no block has nothing to give back; whoever read it was told.
        let Ok(place) = blocks.locate(at) else { return };
        let Some(lane) = self.lane.as_mut() else { unreachable!("a lane until the end") };
        if blocks.birth(&place) == self.birth {
            lane.free(blocks, place, self.birth);
        } else if let Some(birth) = blocks.published(&place, self.base.epoch()) {
            lane.retired.push((at, birth));
        }
    }

    #[inline]
    fn rewrite(&mut self, at: Addr, keep: usize, room: usize) -> Result<(Addr, &mut [u64]), Error> {
        let blocks = self.base.inner().blocks();
        let place = blocks.locate(at)?;
        let birth = blocks.birth(&place);
        let own = birth == self.birth;
        if own && place.words as usize >= room {
            // SAFETY: as in `words_mut`.
            return Ok((at, unsafe { blocks.content_mut(&place) }));
        }
        if !own && blocks.published(&place, self.base.epoch()).is_none() {
            return Err(Error::corrupt("a block that this version does not have", at));
        }
        let Some(lane) = self.lane.as_mut() else { unreachable!("a lane until the end") };
        // What grows twice in one transaction will grow again; what does not stays exact.
        let spare = if own { room / 4 } else { 0 };
        let to = lane.alloc(blocks, (room + spare) as u64 * 8, self.birth)?;
        let new = blocks.locate(to)?;
        // SAFETY: the old block is the transaction's own or published, and read here; the new one is
        // the transaction's own and another, which nobody has seen yet.
        let (source, target) = unsafe { (blocks.content(&place), blocks.content_mut(&new)) };
        match (source.get(..keep), target.get_mut(..keep)) {
            (Some(source), Some(target)) => target.copy_from_slice(source),
            _ => return Err(Error::corrupt("block shorter than its content", at)),
        }
        match own {
            true => lane.free(blocks, place, birth),
            false => lane.retired.push((at, birth)),
        }
        Ok((to, target))
    }

    fn renew(&mut self, at: Addr, room: usize, fill: &mut Fill<'_>) -> Result<Addr, Error> {
        let blocks = self.base.inner().blocks();
        let place = blocks.locate(at)?;
        let birth = blocks.birth(&place);
        let own = birth == self.birth;
        if !own && blocks.published(&place, self.base.epoch()).is_none() {
            return Err(Error::corrupt("a block that this version does not have", at));
        }
        let Some(lane) = self.lane.as_mut() else { unreachable!("a lane until the end") };
        let new = lane.alloc_unwritten(blocks, room as u64 * 8, self.birth)?;
        // SAFETY: the old block is the transaction's own or published, and read here; the new one is
        // the transaction's own and another, which nobody has seen yet.
        let (source, target) = unsafe { (blocks.content(&place), blocks.content_mut(&new)) };
        fill(source, target)?;
        match own {
            true => lane.free(blocks, place, birth),
            false => lane.retired.push((at, birth)),
        }
        Ok(Addr::from_raw(new.at))
    }

    #[inline]
    fn copy(
        &mut self,
        from: Addr,
        words: Range<usize>,
        to: Addr,
        to_word: usize,
    ) -> Result<(), Error> {
        let refused = || Error::corrupt("block is too short or published", to);
        let Some(place) = self.locate_own(to) else { return Err(refused()) };
        let end = to_word.saturating_add(words.len());
        if from == to {
            let whole = self.words_mut(to).unwrap_or_default();
            if words.end > whole.len() || end > whole.len() {
                return Err(refused());
            }
            whole.copy_within(words, to_word);
            return Ok(());
        }
        let Some(source) = self.words(from)?.get(words) else {
            return Err(Error::corrupt("block too short", from));
        };
        // SAFETY: the target is this transaction's own block, reached through `&mut self`, and
        // another one than the source: `locate` finds blocks by their beginning, which differ.
        let target = unsafe { self.base.inner().blocks().content_mut(&place) };
        match target.get_mut(to_word..end) {
            Some(target) => target.copy_from_slice(source),
            None => return Err(refused()),
        }
        Ok(())
    }
}

impl Drop for Txn {
    fn drop(&mut self) {
        if let Some(mut lane) = self.lane.take() {
            lane.return_all(self.base.inner().blocks(), self.birth);
            self.base.inner().attachment.return_lane(lane);
        }
    }
}

impl fmt::Debug for Txn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Txn").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}
