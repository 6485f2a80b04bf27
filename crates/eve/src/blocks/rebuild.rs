//! Making the hints anew from the births, when nobody else is attached.

use super::{Birth, Blocks, Entry, rest};
use crate::class::Class;
use crate::layout::{ChunkId, chunk, page, stack};
use crate::sync::Ordering;
use crate::{Addr, Region};

impl Blocks {
    /// Forgets stacks and counts and finds every free block again. `keeps` decides about each block
    /// that is there. Only while nobody else is attached and no lane has an active chunk. If somebody
    /// looks on, chunks keep their classes. Returns how many blocks were given back.
    pub(crate) fn rebuild(
        &self,
        looked_at: bool,
        mut keeps: impl FnMut(Addr, Birth) -> bool,
    ) -> u64 {
        for class in Class::all() {
            self.stack_word(class, stack::HEAD).store(0, Ordering::Relaxed);
            self.stack_word(class, stack::OTHER).store(0, Ordering::Relaxed);
        }
        self.forget_idle();
        let mut freed = 0;
        let mut run_end = ChunkId(0);
        let mut free_chunks = 0;
        for chunk in self.chunks() {
            let entry = self.entry(chunk);
            if chunk < run_end {
                self.entry_word(chunk).store(Entry::TAIL.0, Ordering::Relaxed);
            } else if let Some(class) = entry.class() {
                freed += self.rebuild_small(chunk, class, looked_at, &mut keeps);
            } else if let Some(run) = self.run_of(chunk, entry) {
                let birth = self.region.word(chunk.start() + chunk::BIRTHS);
                let there = Birth(birth.load(Ordering::Relaxed));
                let at = Addr::from_raw(chunk.start() + chunk::LARGE_DATA);
                if !there.is_free() && keeps(at, there) {
                    run_end = chunk.plus(run);
                } else {
                    freed += u64::from(!there.is_free());
                    birth.store(0, Ordering::Relaxed);
                    self.entry_word(chunk).store(Entry::FREE.0, Ordering::Relaxed);
                }
            } else if let Some((class, _)) = entry.as_resting().filter(|_| looked_at) {
                self.count_resting(class, |resting| resting + 1);
            } else if let Some((_, class)) = entry.as_judged().filter(|_| looked_at) {
                rest::stamp(self.entry_word(chunk), class, self.root_word());
                self.count_resting(class, |resting| resting + 1);
            } else if !entry.is_free() {
                // Claimed by the dead, a tail without its head, or damaged.
                self.entry_word(chunk).store(Entry::FREE.0, Ordering::Relaxed);
            }
            free_chunks += u64::from(self.entry(chunk).is_free());
        }
        self.region.word(page::FREE_CHUNKS).store(free_chunks, Ordering::Release);
        freed
    }

    fn rebuild_small(
        &self,
        chunk: ChunkId,
        class: Class,
        looked_at: bool,
        keeps: &mut impl FnMut(Addr, Birth) -> bool,
    ) -> u64 {
        let mut freed = 0;
        for (index, word) in self.births(chunk, class).iter().enumerate() {
            let birth = Birth(word.load(Ordering::Relaxed));
            let at = Blocks::address(chunk, class, index as u32);
            if birth.is_spare() {
                word.store(0, Ordering::Relaxed);
            } else if !birth.is_free() && !keeps(at, birth) {
                word.store(0, Ordering::Relaxed);
                freed += 1;
            }
        }
        self.relist(chunk, class, looked_at);
        freed
    }
}

/// Forgets what the directory says of chunks that were never used: after the machine stopped, the
/// disk may hold words newer than the high-water mark.
pub(crate) fn clear_above_high_water(region: &Region) {
    let end = ChunkId::holding(region.allocated());
    let mut chunk = ChunkId(region.word(page::HIGH_WATER).load(Ordering::Relaxed) as u32);
    while chunk < end {
        chunk = chunk.max(chunk.first_of_group());
        if chunk < end {
            region.word(chunk.entry()).store(Entry::FREE.0, Ordering::Relaxed);
        }
        chunk = chunk.plus(1);
    }
}
