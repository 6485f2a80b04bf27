//! Chunks and the blocks in them: the part of the allocator that all processes share.
//!
//! A *directory* word says what a chunk is. In a small chunk a table of *births*, one word per
//! block, is the whole truth about allocation: 0 is free, anything else says since when and for
//! what the block is there. A large block takes a run of chunks and has one birth.
//!
//! 1. A directory word goes from free to claimed by compare-and-swap, so a chunk has one claimer.
//! 2. Blocks of a chunk are taken only by the lane whose active chunk it is, so taking needs no
//!    compare-and-swap; they are freed by anybody.
//! 3. A small chunk is loose, listed on its class's stack, or active in one lane. Only who moves
//!    it from loose to listed pushes it; only who pops it makes it active.
//! 4. What a version may see is a block that a *published* transaction made and that is not dying.
//!    Everything else is refused to readers: blocks of running and lost transactions, which their
//!    makers write, retire records, payloads, shared words.
//! 5. Whoever goes from a directory word to a word of a chunk has a pin or a guard meanwhile, unless
//!    the chunk cannot become empty: it is active in the caller's lane, or the caller holds a block.
//! 6. Counts and stacks are hints. They can lose a chunk when a process dies between two stores,
//!    never hand out a block twice; [`Blocks::rebuild`] makes them anew from the births.

use crate::class::{Class, SMALL_MAX};
use crate::epoch;
use crate::layout::{self, CHUNK, ChunkId, STACK_STRIDE, STACKS, chunk, lane, lane_at, page};
use crate::sync::{AtomicU64, Ordering};
use crate::{Addr, Error, Region};

mod birth;
mod entry;
mod rebuild;
mod rest;
mod run;
mod stack;

pub(crate) use birth::Birth;
pub(crate) use entry::Entry;
pub(crate) use rebuild::clear_above_high_water;
pub(crate) use stack::Taken;

/// A block that was found to be one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) at: u64,
    pub(crate) chunk: ChunkId,
    /// Where its birth lies.
    birth: u64,
    pub(crate) words: u32,
    /// `None` for a run of chunks.
    pub(crate) class: Option<Class>,
}

impl Place {
    /// Block `index` of a small chunk.
    #[inline]
    pub(crate) fn small(chunk: ChunkId, class: Class, index: u32) -> Place {
        let geometry = class.geometry();
        Place {
            at: chunk.start() + u64::from(geometry.offset_of(index)),
            chunk,
            birth: chunk.start() + chunk::BIRTHS + u64::from(index) * 8,
            words: geometry.words,
            class: Some(class),
        }
    }
}

/// The blocks of a region.
#[derive(Debug)]
pub(crate) struct Blocks {
    region: Region,
    /// What this process knows of transactions that ended. See [`Blocks::settle`].
    settled: AtomicU64,
    /// How many claims more look for no empty chunks, since the last look was in vain.
    skips: AtomicU64,
}

impl Blocks {
    pub(crate) fn new(region: Region) -> Blocks {
        Blocks { region, settled: AtomicU64::new(0), skips: AtomicU64::new(0) }
    }

    pub(crate) fn region(&self) -> &Region {
        &self.region
    }

    pub(crate) fn region_mut(&mut self) -> &mut Region {
        &mut self.region
    }

    pub(crate) fn high_water(&self) -> ChunkId {
        let stated = self.region.word(page::HIGH_WATER).load(Ordering::Acquire);
        ChunkId(stated.min(self.region.allocated() / CHUNK) as u32)
    }

    #[inline]
    pub(crate) fn entry(&self, chunk: ChunkId) -> Entry {
        Entry(self.entry_word(chunk).load(Ordering::Acquire))
    }

    #[inline]
    fn entry_word(&self, chunk: ChunkId) -> &AtomicU64 {
        self.region.word(chunk.entry())
    }

    /// The content of the block at `at` if a version whose [`Blocks::sure`] this is may see it (4) and
    /// this process knows that its transaction has ended, which holds for all but the newest blocks:
    /// an address is checked by a handful of loads that are in the caches, and by its birth.
    ///
    /// `own` is a birth of which all blocks may be seen, a transaction's own or the version's, and the epoch
    /// of the version: of its lane whatever was born up to that has ended.
    ///
    /// # Safety
    /// A pin of that version's epoch, held since before this call, outlives the slice, and a
    /// transaction whose birth it gave writes none of its blocks as long.
    #[inline]
    pub(crate) unsafe fn visible(
        &self,
        at: Addr,
        sure: u64,
        own: Option<(Birth, u64)>,
    ) -> Option<&[u64]> {
        let place = self.place_small(at)?;
        let birth = self.birth(&place);
        let ended = birth.is_of_version_to(sure)
            || own.is_some_and(|(own, newest)| {
                // Of this lane's transactions all that came before have ended (lane, 2).
                own == birth || own.lane() == birth.lane() && birth.is_of_version_to(newest)
            });
        if !ended {
            return None;
        }
        // SAFETY: a published block is written by nobody (4), and not used again while the pin
        // lasts, whether its version sees the block (epoch, 3) or only this address does (epoch, 4).
        Some(unsafe { self.content(&place) })
    }

    /// The block that begins at `at`: checked against the allocated size, the directory and the
    /// geometry of its class.
    #[inline]
    pub(crate) fn locate(&self, at: Addr) -> Result<Place, Error> {
        match self.place_small(at) {
            Some(place) => Ok(place),
            None => self.locate_large(at),
        }
    }

    /// The same, if it is a block of a small chunk.
    #[inline]
    pub(crate) fn place_small(&self, at: Addr) -> Option<Place> {
        let raw = at.raw();
        if !self.region.has(raw) {
            return None;
        }
        // SAFETY: the directory of a chunk's group lies before the chunk, which is allocated.
        let entry = unsafe { self.region.word_unchecked(layout::entry_for(raw)) };
        let entry = Entry(entry.load(Ordering::Acquire));
        let geometry = entry.geometry()?;
        let within = raw % CHUNK;
        let index = geometry.block_at(within as u32)?;
        Some(Place {
            at: raw,
            chunk: ChunkId::holding(raw),
            birth: raw - within + chunk::BIRTHS + u64::from(index) * 8,
            words: geometry.words,
            class: entry.class(),
        })
    }

    #[cold]
    fn locate_large(&self, at: Addr) -> Result<Place, Error> {
        if at.raw() >= self.region.allocated() {
            return Err(Error::corrupt("an address outside the region", at));
        }
        let chunk = ChunkId::holding(at.raw());
        let entry = self.entry(chunk);
        if entry.class().is_some() {
            return Err(Error::corrupt("an address inside a block", at));
        }
        let Some(run) = self.run_of(chunk, entry) else {
            return Err(Error::corrupt("an address where no block is", at));
        };
        // Otherwise a damaged directory could lend the same bytes as parts of two blocks.
        if !(1..run).all(|index| self.entry(chunk.plus(index)).is_tail()) {
            return Err(Error::corrupt("a block whose chunks are not all its own", at));
        }
        if at.raw() != chunk.start() + chunk::LARGE_DATA {
            return Err(Error::corrupt("an address inside a block", at));
        }
        let bytes = self.region.word(chunk.start() + chunk::LENGTH).load(Ordering::Acquire);
        let room = u64::from(run) * CHUNK - chunk::LARGE_DATA;
        if bytes > room || !bytes.is_multiple_of(8) {
            return Err(Error::corrupt("a block longer than its chunks", at));
        }
        let birth = chunk.start() + chunk::BIRTHS;
        Ok(Place { at: at.raw(), chunk, birth, words: (bytes / 8) as u32, class: None })
    }

    /// How many chunks the large block that begins here takes, if they are all there.
    fn run_of(&self, start: ChunkId, entry: Entry) -> Option<u32> {
        let run = entry.run()?;
        let end = ChunkId(start.0.checked_add(run)?);
        (end <= start.end_of_group() && end <= self.high_water()).then_some(run)
    }

    /// Since when and for what the block is there.
    #[inline]
    pub(crate) fn birth(&self, place: &Place) -> Birth {
        Birth(self.birth_word(place).load(Ordering::Acquire))
    }

    #[inline]
    pub(crate) fn birth_word(&self, place: &Place) -> &AtomicU64 {
        // SAFETY: a place lies in an allocated chunk, and so does its birth.
        unsafe { self.region.word_unchecked(place.birth) }
    }

    /// The birth of a block that a version of epoch `newest` may see (4); `None` for any other.
    #[inline]
    pub(crate) fn published(&self, place: &Place, newest: u64) -> Option<Birth> {
        // Before the birth: of what was settled then, nothing is left that was not published.
        let settled = self.settled.load(Ordering::Acquire);
        let birth = self.birth(place);
        let epoch = birth.epoch().filter(|epoch| *epoch <= newest)?;
        (epoch <= settled || self.has_ended(place.birth, birth)).then_some(birth)
    }

    /// As [`Blocks::published`], of the birth at `at`, whose transaction may still be running.
    #[cold]
    fn has_ended(&self, at: u64, birth: Birth) -> bool {
        // Acquire: pairs with the release that ends a transaction. One that did not happen has
        // freed its blocks before, so the birth that is looked at once more tells.
        let lane = lane_at(birth.lane());
        let running = self.region.word(lane + lane::RUNNING).load(Ordering::Acquire);
        let published = Some(running) != birth.epoch() || {
            // Others have reached its epoch: did it do so itself?
            let committed = self.region.word(lane + lane::COMMITTED);
            epoch::was_published(self.region.word(page::ROOT), committed, birth.lane(), running)
        };
        published && self.region.word(at).load(Ordering::Acquire) == birth.0
    }

    /// No transaction that wants to become this epoch, or an older one, runs or ever will: what has
    /// such a birth is published.
    pub(crate) fn settle(&self, epoch: u64) {
        self.settled.fetch_max(epoch, Ordering::Release);
    }

    /// The newest epoch up to which a version of epoch `newest` sees whatever has a birth of a version.
    /// Look at the birth later: of what was settled before, nothing is left that was not published.
    #[inline]
    pub(crate) fn sure(&self, newest: u64) -> u64 {
        self.settled.load(Ordering::Acquire).min(newest)
    }

    /// The newest epoch that was settled.
    #[inline]
    pub(crate) fn settled(&self) -> u64 {
        self.settled.load(Ordering::Relaxed)
    }

    /// The births of a small chunk.
    #[inline]
    pub(crate) fn births(&self, chunk: ChunkId, class: Class) -> &[AtomicU64] {
        let capacity = class.geometry().capacity as usize;
        self.region.atomics(chunk.start() + chunk::BIRTHS, capacity)
    }

    /// The content of a block.
    ///
    /// # Safety
    /// Nobody writes the block while the slice lives.
    #[inline]
    pub(crate) unsafe fn content(&self, place: &Place) -> &[u64] {
        // SAFETY: `locate` checked that the block lies in allocated memory; the rest is the
        // caller's promise.
        unsafe { self.region.block(place.at, place.words as usize) }
    }

    /// The content of a block, for writing.
    ///
    /// # Safety
    /// Nobody else accesses the block while the slice lives.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "the caller promises that the block is its own")]
    pub(crate) unsafe fn content_mut(&self, place: &Place) -> &mut [u64] {
        // SAFETY: `locate` checked that the block lies in allocated memory; the rest is the
        // caller's promise.
        unsafe { self.region.block_mut(place.at, place.words as usize) }
    }

    /// Frees a block. Nobody may read it any more, and the caller alone frees it.
    #[inline]
    pub(crate) fn free(&self, place: &Place) {
        // Release: whoever takes the block acquires the 0, after every read of what was there.
        self.birth_word(place).store(0, Ordering::Release);
        self.give_back(place);
    }

    #[inline]
    fn give_back(&self, place: &Place) {
        match place.class {
            Some(class) => self.count_freed(place.chunk, class),
            None => self.free_run(place.chunk),
        }
    }

    /// Frees the block at `at` if `birth` is still its birth.
    pub(crate) fn free_if(&self, at: Addr, birth: Birth) -> bool {
        self.locate(at).is_ok_and(|place| self.free_exactly(&place, birth))
    }

    /// Frees a block if `birth` is its birth: of several who try, one does.
    pub(crate) fn free_exactly(&self, place: &Place, birth: Birth) -> bool {
        let word = self.birth_word(place);
        // Release: as in `free`.
        let freed = word.compare_exchange(birth.0, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if freed {
            self.give_back(place);
        }
        freed
    }

    /// Makes a block that `birth` is the birth of one that a lane keeps for itself. False if it is not,
    /// or is large.
    pub(crate) fn keep_spare(&self, place: &Place, birth: Birth, lane: u8) -> bool {
        let spare = Birth::spare(lane).0;
        let word = self.birth_word(place);
        // Release: as in `free`; whoever buries the lane frees the block for others.
        place.class.is_some()
            && word.compare_exchange(birth.0, spare, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Makes a block one that nobody gets any more, if `birth` is its birth.
    pub(crate) fn mark_dying(&self, place: &Place, birth: Birth) {
        let word = self.birth_word(place);
        // Whoever frees it passes a fence before looking who may have got it.
        let _ =
            word.compare_exchange(birth.0, birth.dying().0, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// The directory has words for the chunks that hold the directory itself, or what comes before
    /// it, which are no chunks of blocks. The first such word that says otherwise.
    pub(crate) fn misplaced(&self) -> Option<Addr> {
        let end = ChunkId::holding(self.region.allocated());
        let mut group = ChunkId(0);
        while group < end {
            let reserved = (group.0..group.first_of_group().0).map(ChunkId);
            let mut wrong = reserved.filter(|chunk| *chunk < end && !self.entry(*chunk).is_free());
            if let Some(chunk) = wrong.next() {
                return Some(Addr::from_raw(chunk.entry()));
            }
            group = group.end_of_group();
        }
        None
    }

    /// The chunks below the high-water mark that can hold blocks, in order.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = ChunkId> + use<> {
        let end = self.high_water().0;
        (0..end).map(ChunkId).filter(|chunk| *chunk >= chunk.first_of_group())
    }

    /// Every block that is there, with its birth.
    pub(crate) fn each(&self, mut see: impl FnMut(Addr, Birth)) -> Result<(), Error> {
        for chunk in self.chunks() {
            let entry = self.entry(chunk);
            if let Some(class) = entry.class() {
                for (index, word) in self.births(chunk, class).iter().enumerate() {
                    let birth = Birth(word.load(Ordering::Acquire));
                    if !birth.is_free() && !birth.is_spare() {
                        see(Blocks::address(chunk, class, index as u32), birth);
                    }
                }
            } else if self.run_of(chunk, entry).is_some() {
                let at = Addr::from_raw(chunk.start() + chunk::LARGE_DATA);
                let word = self.region.word(chunk.start() + chunk::BIRTHS);
                let birth = word.load(Ordering::Acquire);
                match self.locate(at) {
                    _ if birth == 0 => {}
                    Ok(_) => see(at, Birth(birth)),
                    // Unless somebody is just giving it back.
                    Err(error) if word.load(Ordering::Acquire) == birth => return Err(error),
                    Err(_) => {}
                }
            } else if !entry.is_known() {
                let at = Addr::from_raw(chunk.entry());
                return Err(Error::corrupt("a directory word of no kind", at));
            }
        }
        Ok(())
    }

    /// A word of what belongs to a size class.
    fn stack_word(&self, class: Class, field: u64) -> &AtomicU64 {
        self.region.word(STACKS + class.index() as u64 * STACK_STRIDE + field)
    }

    fn root_word(&self) -> &AtomicU64 {
        self.region.word(page::ROOT)
    }
}

/// How many chunks a large block of `bytes` takes.
pub(crate) fn chunks_for(bytes: u64) -> Result<u32, Error> {
    debug_assert!(bytes > SMALL_MAX);
    if bytes > layout::BLOCK_MAX {
        return Err(Error::TooLarge { bytes, limit_bytes: layout::BLOCK_MAX });
    }
    Ok((bytes + chunk::LARGE_DATA).div_ceil(CHUNK) as u32)
}
