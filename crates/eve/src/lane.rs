//! A lane: what one running transaction allocates from.
//!
//! A lane lives in shared memory; a process claims it, keeps it for its transactions, and leaves it
//! behind for others with everything in it. In this process a [`Lane`] value *is* the exclusive
//! right to the lane.
//!
//! 1. `running` is the epoch that the lane's transaction wants to become, 0 while there is none. It
//!    is written before the first block is taken, so all unpublished blocks of a dead lane are those
//!    whose birth is `(lane, running)`.
//! 2. No two transactions of a lane that took blocks of the same birth both keep them: an epoch
//!    that the lane published is below every later `running`, and one that it did not publish left
//!    no blocks.
//! 3. An active chunk is named by the lane after it became active and forgotten before it is let
//!    loose. A death in between leaves a chunk unused, never used twice.
//! 4. Of the blocks that its commits freed, a lane keeps some for its next transactions. Their births
//!    say so; nobody else takes them, and who buries the lane gives them back.

use std::collections::{BTreeMap, VecDeque};

use crate::blocks::{Birth, Blocks, Place, Taken, chunks_for};
use crate::class::{CLASSES, Class};
use crate::epoch::{self, RootWord};
use crate::layout::{CHUNK, ChunkId, lane, lane_at, page};
use crate::reclaim::{self, Waiting};
use crate::sync::{AtomicU64, Ordering};
use crate::unsaved::Change;
use crate::{Addr, Error};

/// The lane's place in the chunk of one class.
#[derive(Clone, Copy)]
struct Active {
    pass: Taken,
    /// The next block to look at.
    cursor: u32,
    /// Blocks found in this pass.
    taken: u32,
}

const IDLE: Active = Active { pass: Taken { chunk: ChunkId::NONE, free: 0 }, cursor: 0, taken: 0 };

impl Active {
    const fn new(pass: Taken) -> Active {
        Active { pass, cursor: 0, taken: 0 }
    }
}

/// Bytes of free blocks of a class that a lane keeps for itself.
const SPARE_BYTES_MAX: usize = if cfg!(any(test, loom, miri)) { 512 } else { CHUNK as usize };

/// The right to a lane, and what this process remembers about it.
pub(crate) struct Lane {
    number: u8,
    active: [Active; CLASSES],
    /// Free blocks that the lane keeps for itself (4). The last one freed comes first: it is in the
    /// caches.
    spare: [Vec<Place>; CLASSES],
    /// Blocks of the running transaction; may name one twice if it was freed and taken again.
    born: Vec<Addr>,
    /// What the running transaction makes unreachable.
    pub(crate) retired: Vec<(Addr, Birth)>,
    /// Retire records that no scan has looked at yet.
    pub(crate) fresh: VecDeque<Waiting>,
    /// Retire records that wait for the end of a pin, by its epoch.
    pub(crate) held: BTreeMap<u64, Vec<Waiting>>,
    /// Blocks in `fresh`.
    pub(crate) fresh_blocks: u64,
}

impl Lane {
    /// Takes over the lane that this process has just claimed.
    pub(crate) fn adopt(blocks: &Blocks, number: u8) -> Lane {
        let mut active = [IDLE; CLASSES];
        for class in Class::all() {
            let word = active_word(blocks, number, class);
            let chunk = ChunkId(word.load(Ordering::Acquire) as u32);
            match blocks.resume(chunk, class, number) {
                Some(taken) if chunk != ChunkId::NONE => active[class.index()] = Active::new(taken),
                _ => word.store(0, Ordering::Release),
            }
        }
        let mut lane = Lane {
            number,
            active,
            spare: [const { Vec::new() }; CLASSES],
            born: Vec::new(),
            retired: Vec::new(),
            fresh: VecDeque::new(),
            held: BTreeMap::new(),
            fresh_blocks: 0,
        };
        lane.find_records(blocks);
        lane
    }

    pub(crate) fn number(&self) -> u8 {
        self.number
    }

    pub(crate) fn word<'b>(&self, blocks: &'b Blocks, field: u64) -> &'b AtomicU64 {
        blocks.region().word(lane_at(self.number) + field)
    }

    /// Begins a transaction that wants to follow `base`. Returns the birth of its blocks.
    pub(crate) fn begin(&mut self, blocks: &Blocks, base: RootWord) -> Birth {
        debug_assert!(self.born.is_empty());
        let epoch = base.epoch() + 1;
        self.word(blocks, lane::RUNNING).store(epoch, Ordering::Release);
        Birth::transaction(self.number, epoch)
    }

    /// What a transaction, which has just been published, made and made unreachable.
    pub(crate) fn change(&self, blocks: &Blocks, birth: Birth) -> Change {
        let kept = |at: &Addr| blocks.locate(*at).is_ok_and(|place| blocks.birth(&place) == birth);
        Change {
            born: self.born.iter().copied().filter(kept).collect(),
            retired: self.retired.iter().map(|(at, _)| *at).collect(),
        }
    }

    /// Ends a transaction whose blocks are published.
    pub(crate) fn keep_all(&mut self, blocks: &Blocks) {
        self.born.clear();
        self.retired.clear();
        self.word(blocks, lane::RUNNING).store(0, Ordering::Release);
    }

    /// Ends a transaction that did not happen: its blocks are free again.
    pub(crate) fn return_all(&mut self, blocks: &Blocks, birth: Birth) {
        let mut born = std::mem::take(&mut self.born);
        for at in born.drain(..) {
            let Ok(place) = blocks.locate(at) else { continue };
            let there = blocks.birth(&place);
            // Otherwise it was freed before, and may be spare.
            if there == birth || there == birth.record() {
                self.free(blocks, place, there);
            }
        }
        self.born = born;
        self.retired.clear();
        self.word(blocks, lane::RUNNING).store(0, Ordering::Release);
    }

    /// Which of the lane's cells a transaction on `base` writes: the one that is not the root.
    pub(crate) fn spare_cell(&self, base: RootWord) -> u8 {
        let first = self.number << 1;
        if base.cell() == first { first | 1 } else { first }
    }

    /// A zeroed block of the running transaction.
    #[inline]
    pub(crate) fn alloc(
        &mut self,
        blocks: &Blocks,
        bytes: u64,
        birth: Birth,
    ) -> Result<Addr, Error> {
        let place = self.take(blocks, bytes, birth)?;
        let at = Addr::from_raw(place.at);
        self.born.push(at);
        Ok(at)
    }

    /// A block of the running transaction that holds what it held before.
    #[inline]
    pub(crate) fn alloc_unwritten(
        &mut self,
        blocks: &Blocks,
        bytes: u64,
        birth: Birth,
    ) -> Result<Place, Error> {
        let place = self.take_unwritten(blocks, bytes, birth)?;
        self.born.push(Addr::from_raw(place.at));
        Ok(place)
    }

    /// A zeroed block with this birth, which no transaction will take back.
    #[inline]
    pub(crate) fn take(
        &mut self,
        blocks: &Blocks,
        bytes: u64,
        birth: Birth,
    ) -> Result<Place, Error> {
        let place = self.take_unwritten(blocks, bytes, birth)?;
        // SAFETY: the block's birth went from 0, or from a spare one of this lane, to `birth` by this
        // call, so it is this lane's; the address has not been given to anybody, and whoever read
        // the block's last life is gone since it was freed.
        unsafe { blocks.content_mut(&place) }.fill(0);
        Ok(place)
    }

    #[inline]
    fn take_unwritten(
        &mut self,
        blocks: &Blocks,
        bytes: u64,
        birth: Birth,
    ) -> Result<Place, Error> {
        match Class::holding(bytes) {
            Some(class) => self.take_small(blocks, class, birth),
            None => self.take_large(blocks, bytes, birth),
        }
    }

    #[inline]
    fn take_small(&mut self, blocks: &Blocks, class: Class, birth: Birth) -> Result<Place, Error> {
        if let Some(place) = self.spare[class.index()].pop() {
            blocks.birth_word(&place).store(birth.0, Ordering::Release);
            return Ok(place);
        }
        loop {
            let active = &mut self.active[class.index()];
            let chunk = active.pass.chunk;
            if chunk != ChunkId::NONE {
                let births = blocks.births(chunk, class);
                while let Some(word) = births.get(active.cursor as usize) {
                    let index = active.cursor;
                    active.cursor += 1;
                    // Acquire: pairs with the release in `Blocks::free`.
                    if word.load(Ordering::Acquire) == 0 {
                        word.store(birth.0, Ordering::Release);
                        active.taken += 1;
                        return Ok(Place::small(chunk, class, index));
                    }
                }
            }
            self.refill(blocks, class)?;
        }
    }

    /// Frees a block whose birth is `birth`, to this lane if it has not enough of its kind. Of several
    /// who try, one does.
    pub(crate) fn free(&mut self, blocks: &Blocks, place: Place, birth: Birth) {
        let room = |class: Class| {
            self.spare[class.index()].len() * (class.geometry().bytes() as usize) < SPARE_BYTES_MAX
        };
        match place.class {
            Some(class) if room(class) => {
                if blocks.keep_spare(&place, birth, self.number) {
                    self.spare[class.index()].push(place);
                }
            }
            _ => drop(blocks.free_exactly(&place, birth)),
        }
    }

    /// Gives back what the lane keeps for itself: it is not to be used for now.
    pub(crate) fn free_spare(&mut self, blocks: &Blocks) {
        for place in self.spare.iter_mut().flat_map(|spare| spare.drain(..)) {
            blocks.free(&place);
        }
    }

    /// The pass through the active chunk is over: again, or on to another chunk.
    #[cold]
    fn refill(&mut self, blocks: &Blocks, class: Class) -> Result<(), Error> {
        let active = &mut self.active[class.index()];
        let word = active_word(blocks, self.number, class);
        if active.pass.chunk != ChunkId::NONE {
            let chunk = active.pass.chunk;
            if let Some(free) = blocks.end_pass(class, active.pass, active.taken) {
                *active = Active::new(Taken { chunk, free });
                return Ok(());
            }
            *active = IDLE;
            word.store(0, Ordering::Release);
            blocks.let_loose(chunk, class);
        }
        let taken = match blocks.pop(class, self.number) {
            Some(taken) => taken,
            None => match blocks.wake(class, self.number) {
                Some(taken) => taken,
                None => blocks.make_small(self.claim(blocks, 1)?, class, self.number),
            },
        };
        word.store(u64::from(taken.chunk.0), Ordering::Release);
        self.active[class.index()] = Active::new(taken);
        Ok(())
    }

    /// Claims chunks that follow each other. Before the region grows for them, those are looked for that
    /// have become empty.
    fn claim(&mut self, blocks: &Blocks, count: u32) -> Result<ChunkId, Error> {
        if let Some(start) = blocks.claim_freed(count, self.number) {
            return Ok(start);
        }
        if blocks.may_collect(count) {
            self.free_spare(blocks);
            blocks.collect(self.number);
            if let Some(start) = blocks.claim_freed(count, self.number) {
                return Ok(start);
            }
        }
        blocks.claim_new(count, self.number)
    }

    fn take_large(&mut self, blocks: &Blocks, bytes: u64, birth: Birth) -> Result<Place, Error> {
        let count = chunks_for(bytes)?;
        let start = self.claim(blocks, count)?;
        Ok(blocks.make_large(start, count, bytes, birth))
    }
}

fn active_word(blocks: &Blocks, number: u8, class: Class) -> &AtomicU64 {
    blocks.region().word(lane_at(number) + lane::ACTIVE + class.index() as u64 * 8)
}

/// Buries a lane whose owner died: what it published stays, what it did not goes back. Returns how
/// many blocks went back. The caller alone may touch the lane.
pub(crate) fn bury(blocks: &Blocks, number: u8) -> u64 {
    let region = blocks.region();
    let at = lane_at(number);
    let running = region.word(at + lane::RUNNING);
    let epoch = running.load(Ordering::Acquire);
    let committed = region.word(at + lane::COMMITTED);
    let happened =
        epoch != 0 && epoch::was_published(region.word(page::ROOT), committed, number, epoch);
    if happened {
        let cells = [number << 1, number << 1 | 1].map(|cell| epoch::read_cell(region, cell));
        let cell = cells.into_iter().flatten().find(|cell| cell.epoch == epoch);
        if let Some(cell) = cell
            && !cell.retired.is_none()
        {
            region.word(at + lane::RETIRED).store(cell.retired.raw(), Ordering::Release);
        }
    }
    let lost = (epoch != 0 && !happened).then(|| Birth::transaction(number, epoch));
    let returned = blocks.roll_back(number, lost, &reclaim::listed(blocks, number));
    running.store(0, Ordering::Release);
    returned
}
