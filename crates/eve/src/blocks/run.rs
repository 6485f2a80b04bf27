//! Runs of chunks: claimed, given back.

use std::collections::HashSet;

use super::{Birth, Blocks, Entry, Place, rest};
use crate::class::Class;
use crate::layout::{ChunkId, chunk, page};
use crate::sync::Ordering;
use crate::{Addr, Error};

impl Blocks {
    /// Claims `count` chunks that follow each other and are free, if there are.
    pub(crate) fn claim_freed(&self, count: u32, lane: u8) -> Option<ChunkId> {
        let free = self.region.word(page::FREE_CHUNKS).load(Ordering::Relaxed);
        if free >= u64::from(count) { self.find_freed(count, lane) } else { None }
    }

    /// Claims `count` chunks that were never used before: the region grows.
    pub(crate) fn claim_new(&self, count: u32, lane: u8) -> Result<ChunkId, Error> {
        loop {
            let start = self.advance_high_water(count)?;
            // Somebody looking for freed chunks may have found these first.
            if self.try_claim(start, count, lane) {
                return Ok(start);
            }
        }
    }

    fn find_freed(&self, count: u32, lane: u8) -> Option<ChunkId> {
        let mut run = 0;
        for chunk in self.chunks() {
            let begins_group = chunk == chunk.first_of_group();
            let free = self.entry(chunk).is_free();
            run = match (free, begins_group) {
                (false, _) => 0,
                (true, true) => 1,
                (true, false) => run + 1,
            };
            if run == count {
                let start = ChunkId(chunk.0 + 1 - count);
                if self.try_claim(start, count, lane) {
                    self.count_free_chunks(|free| free.saturating_sub(u64::from(count)));
                    return Some(start);
                }
                run = 0;
            }
        }
        None
    }

    fn try_claim(&self, start: ChunkId, count: u32, lane: u8) -> bool {
        let claimed = Entry::claimed(lane).0;
        for index in 0..count {
            let word = self.entry_word(start.plus(index));
            let free = Entry::FREE.0;
            if word.compare_exchange(free, claimed, Ordering::AcqRel, Ordering::Relaxed).is_err() {
                for taken in 0..index {
                    self.entry_word(start.plus(taken)).store(free, Ordering::Release);
                }
                return false;
            }
        }
        true
    }

    /// Moves the high-water mark over `count` more chunks of one group, growing the region first.
    fn advance_high_water(&self, count: u32) -> Result<ChunkId, Error> {
        let word = self.region.word(page::HIGH_WATER);
        let mut old = word.load(Ordering::Acquire);
        loop {
            let mut start = ChunkId(old as u32).max(ChunkId(old as u32).first_of_group());
            let mut skipped = 0;
            if start.plus(count) > start.end_of_group() {
                skipped = start.end_of_group().0 - start.0;
                start = start.end_of_group().first_of_group();
            }
            let end = start.plus(count);
            self.region.grow_to(end.start())?;
            match word.compare_exchange(old, end.0.into(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    self.count_free_chunks(|free| free + u64::from(skipped));
                    return Ok(start);
                }
                Err(now) => old = now,
            }
        }
    }

    pub(super) fn count_free_chunks(&self, change: impl Fn(u64) -> u64) {
        let word = self.region.word(page::FREE_CHUNKS);
        let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| Some(change(free)));
    }

    /// Makes a claimed run one block. Its birth is there before the directory says so, so it is
    /// never a block without one.
    pub(crate) fn make_large(&self, start: ChunkId, count: u32, bytes: u64, birth: Birth) -> Place {
        let length = bytes.next_multiple_of(16);
        self.region.word(start.start() + chunk::LENGTH).store(length, Ordering::Relaxed);
        self.region.word(start.start() + chunk::BIRTHS).store(birth.0, Ordering::Relaxed);
        // The head last: a block that is there has all its chunks.
        for index in (0..count).rev() {
            let entry = if index == 0 { Entry::large(count) } else { Entry::TAIL };
            self.entry_word(start.plus(index)).store(entry.0, Ordering::Release);
        }
        Place {
            at: start.start() + chunk::LARGE_DATA,
            chunk: start,
            birth: start.start() + chunk::BIRTHS,
            words: (length / 8) as u32,
            class: None,
        }
    }

    /// Gives the chunks of a large block back, whose birth is already 0.
    pub(super) fn free_run(&self, start: ChunkId) {
        let Some(run) = self.run_of(start, self.entry(start)) else { return };
        // The tail first: the head's length is what says which chunks are left to free.
        for index in (0..run).rev() {
            self.entry_word(start.plus(index)).store(Entry::FREE.0, Ordering::Release);
        }
        self.count_free_chunks(|free| free + u64::from(run));
    }

    /// Takes back what a dead lane had: its claimed chunks, its unpublished blocks, what it kept for
    /// itself, and its records that are not `listed`. Returns how many blocks were unpublished.
    pub(crate) fn roll_back(
        &self,
        lane: u8,
        unpublished: Option<Birth>,
        listed: &HashSet<Addr>,
    ) -> u64 {
        let mut blocks = 0;
        let mut headless = false;
        for chunk in self.chunks() {
            let entry = self.entry(chunk);
            // A large block gets its tails first: those after a claimed chunk never got a head.
            headless = entry == Entry::claimed(lane) || headless && entry.is_tail();
            if headless {
                self.entry_word(chunk).store(Entry::FREE.0, Ordering::Release);
                self.count_free_chunks(|free| free + 1);
            } else if let Some((judge, class)) = entry.as_judged() {
                if judge == lane {
                    rest::stamp(self.entry_word(chunk), class, self.root_word());
                }
            } else if let Some(class) = entry.class() {
                let forgotten = |at| !listed.contains(&at);
                blocks += self.roll_back_small(chunk, class, lane, unpublished, forgotten);
            } else if let (Some(birth), Some(_)) = (unpublished, self.run_of(chunk, entry)) {
                let at = Addr::from_raw(chunk.start() + chunk::LARGE_DATA);
                blocks += u64::from(self.free_if(at, birth) || self.free_if(at, birth.record()));
            }
        }
        blocks
    }

    fn roll_back_small(
        &self,
        chunk: ChunkId,
        class: Class,
        lane: u8,
        unpublished: Option<Birth>,
        forgotten: impl Fn(Addr) -> bool,
    ) -> u64 {
        let mut blocks = 0;
        for (index, word) in self.births(chunk, class).iter().enumerate() {
            let found = Birth(word.load(Ordering::Acquire));
            let lost = unpublished.is_some_and(|birth| found == birth || found == birth.record());
            let record = found.is_record() && found.lane() == lane;
            if !lost && !record && found != Birth::spare(lane) {
                continue;
            }
            let at = Blocks::address(chunk, class, index as u32);
            if lost || !record || forgotten(at) {
                blocks += u64::from(self.free_if(at, found) && lost);
            }
        }
        blocks
    }
}
