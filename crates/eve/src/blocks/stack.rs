//! Per class: the chunks worth another pass, as a lock-free stack.
//!
//! A head is `version << 32 | chunk`; every change makes a new version, so a head that was popped and
//! pushed again in between is told from one that stood still.
//!
//! 1. A chunk on the stack is taken by one: by whoever replaces the head that names it.
//! 2. Whoever takes a chunk sees all that was done to it by whoever put it there.

use super::{Blocks, Entry};
use crate::Addr;
use crate::class::Class;
use crate::layout::{ChunkId, chunk, stack};
use crate::sync::{self, AtomicU64, Ordering, at};

const STATE_SHIFT: u32 = 32;
const COUNT_MASK: u64 = (1 << STATE_SHIFT) - 1;
const LOOSE: u64 = 0;
const LISTED: u64 = 1;
const ACTIVE: u64 = 2;

/// A chunk that is now active in the lane that asked for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) chunk: ChunkId,
    /// Free blocks it is said to have.
    pub(crate) free: u32,
}

impl Blocks {
    fn state(&self, chunk: ChunkId) -> &AtomicU64 {
        self.region.word(chunk.start() + chunk::STATE)
    }

    /// Which lane an active chunk is active in.
    fn lane_word(&self, chunk: ChunkId) -> &AtomicU64 {
        self.region.word(chunk.start() + chunk::LANE)
    }

    /// One more block of the chunk is free.
    #[inline]
    pub(super) fn count_freed(&self, chunk: ChunkId, class: Class) {
        let worthwhile = u64::from(class.geometry().worthwhile());
        let state = self.state(chunk);
        let mut old = state.load(Ordering::Relaxed);
        loop {
            let count = (old & COUNT_MASK) + 1;
            let lists = old >> STATE_SHIFT == LOOSE && count >= worthwhile;
            let kind = if lists { LISTED } else { old >> STATE_SHIFT };
            let new = kind << STATE_SHIFT | count;
            match state.compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => {
                    if kind == LISTED && count == u64::from(class.geometry().capacity) {
                        self.count_emptied(class, |emptied| emptied.saturating_add(1));
                    }
                    if lists {
                        self.push(chunk, class);
                    }
                    return;
                }
                Err(now) => old = now,
            }
        }
    }

    pub(super) fn push(&self, chunk: ChunkId, class: Class) {
        put(self.stack_word(class, stack::HEAD), self.next(chunk), chunk);
    }

    /// Counts chunks on the class's stacks that are empty.
    fn count_emptied(&self, class: Class, change: impl Fn(u64) -> u64) {
        let word = self.stack_word(class, stack::EMPTIED);
        let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| Some(change(now)));
    }

    /// The chunk below this one on its stack.
    fn next(&self, chunk: ChunkId) -> &AtomicU64 {
        self.region.word(chunk.start() + chunk::NEXT)
    }

    /// Takes a chunk with free blocks from the class's stacks and makes it active.
    pub(crate) fn pop(&self, class: Class, lane: u8) -> Option<Taken> {
        let from = |side| self.pop_from(class, side, lane);
        from(stack::HEAD).or_else(|| from(stack::OTHER))
    }

    /// The same, from one of the two.
    pub(super) fn pop_from(&self, class: Class, side: u64, lane: u8) -> Option<Taken> {
        let head = self.stack_word(class, side);
        // A damaged stack is dropped, not followed; the next rebuild finds its chunks.
        let next = |chunk| self.is_small(chunk, class).then(|| self.next(chunk));
        while let Some(chunk) = take(head, next) {
            if self.is_small(chunk, class)
                && let Some(free) = self.activate(chunk)
            {
                if free >= class.geometry().capacity {
                    self.count_emptied(class, |emptied| emptied.saturating_sub(1));
                }
                self.lane_word(chunk).store(u64::from(lane), Ordering::Release);
                return Some(Taken { chunk, free });
            }
            // Whatever is on the stack is listed. This was not, so what it leads to, maybe to
            // itself, is no better.
            let drop_all = |old| Some(next_version(old));
            let _ = head.fetch_update(Ordering::AcqRel, Ordering::Relaxed, drop_all);
        }
        None
    }

    /// The chunks on a class's stack, from the top, as far as they are there; a damaged stack may name
    /// any chunk, and one again and again.
    pub(crate) fn stacked(&self, class: Class) -> impl Iterator<Item = ChunkId> + use<'_> {
        let there = move |word: u64| {
            let chunk = ChunkId(word as u32);
            (chunk != ChunkId::NONE && chunk < self.high_water()).then_some(chunk)
        };
        [stack::HEAD, stack::OTHER].into_iter().flat_map(move |side| {
            let top = there(self.stack_word(class, side).load(Ordering::Acquire));
            let below = move |chunk: &ChunkId| there(self.next(*chunk).load(Ordering::Relaxed));
            std::iter::successors(top, below)
        })
    }

    /// Whether a chunk says that it is on its class's stack.
    pub(crate) fn is_listed(&self, chunk: ChunkId) -> bool {
        self.state(chunk).load(Ordering::Acquire) >> STATE_SHIFT == LISTED
    }

    pub(crate) fn is_small(&self, chunk: ChunkId, class: Class) -> bool {
        chunk < self.high_water()
            && chunk >= chunk.first_of_group()
            && self.entry(chunk) == Entry::small(class)
    }

    /// From listed to active; `None` if it was not listed.
    fn activate(&self, chunk: ChunkId) -> Option<u32> {
        let state = self.state(chunk);
        let mut old = state.load(Ordering::Relaxed);
        while old >> STATE_SHIFT == LISTED {
            let new = ACTIVE << STATE_SHIFT | old & COUNT_MASK;
            match state.compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Some((old & COUNT_MASK) as u32),
                Err(now) => old = now,
            }
        }
        None
    }

    /// Free blocks of a chunk that a lane says is its active one; `None` unless the chunk says so too.
    pub(crate) fn resume(&self, chunk: ChunkId, class: Class, lane: u8) -> Option<Taken> {
        if !self.is_small(chunk, class)
            || self.lane_word(chunk).load(Ordering::Acquire) != u64::from(lane)
        {
            return None;
        }
        let state = self.state(chunk).load(Ordering::Acquire);
        let free = (state & COUNT_MASK) as u32;
        (state >> STATE_SHIFT == ACTIVE).then_some(Taken { chunk, free })
    }

    /// Ends a pass in which `taken` blocks were found of the `free` the chunk was said to have.
    /// Returns how many are free again, if that is worth another pass.
    pub(crate) fn end_pass(&self, class: Class, pass: Taken, taken: u32) -> Option<u32> {
        let worthwhile = u64::from(class.geometry().worthwhile());
        // Every block that was free at the beginning has been found, so what the count says above
        // that was freed behind the pass.
        let gone = u64::from(taken.max(pass.free));
        let state = self.state(pass.chunk);
        let old = state.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |old| {
            Some((old & !COUNT_MASK) | (old & COUNT_MASK).saturating_sub(gone))
        });
        let (Ok(old) | Err(old)) = old;
        let free = (old & COUNT_MASK).saturating_sub(gone);
        (free >= worthwhile).then_some(free as u32)
    }

    /// An active chunk is nobody's again. The caller has already said that it is not its own, so a
    /// death in between leaves it unused and not used twice.
    pub(crate) fn let_loose(&self, chunk: ChunkId, class: Class) {
        self.let_loose_to(chunk, class, stack::HEAD);
    }

    /// The same, and if it is listed it is on this one of the class's stacks.
    pub(super) fn let_loose_to(&self, chunk: ChunkId, class: Class, side: u64) {
        let worthwhile = u64::from(class.geometry().worthwhile());
        let state = self.state(chunk);
        let mut old = state.load(Ordering::Relaxed);
        loop {
            let count = old & COUNT_MASK;
            let kind = if count >= worthwhile { LISTED } else { LOOSE };
            let new = kind << STATE_SHIFT | count;
            match state.compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if kind == LISTED => {
                    if count >= u64::from(class.geometry().capacity) {
                        self.count_emptied(class, |emptied| emptied.saturating_add(1));
                    }
                    return put(self.stack_word(class, side), self.next(chunk), chunk);
                }
                Ok(_) => return,
                Err(now) => old = now,
            }
        }
    }

    /// Makes a claimed chunk an active one of this class, all of it free.
    pub(crate) fn make_small(&self, chunk: ChunkId, class: Class, lane: u8) -> Taken {
        for birth in self.births(chunk, class) {
            birth.store(0, Ordering::Relaxed);
        }
        let taken = self.make_active(chunk, class, lane);
        self.entry_word(chunk).store(Entry::small(class).0, Ordering::Release);
        taken
    }

    /// Makes a chunk that is the caller's alone an active one of its class, all of it free.
    pub(super) fn make_active(&self, chunk: ChunkId, class: Class, lane: u8) -> Taken {
        let free = class.geometry().capacity;
        self.next(chunk).store(0, Ordering::Relaxed);
        self.lane_word(chunk).store(u64::from(lane), Ordering::Relaxed);
        let state = ACTIVE << STATE_SHIFT | u64::from(free);
        self.state(chunk).store(state, Ordering::Relaxed);
        Taken { chunk, free }
    }

    /// Counts the chunk's free blocks and lists it, or frees it if nothing is in it and nobody looks
    /// on. Only while nobody else is attached and its class's stacks were emptied.
    pub(super) fn relist(&self, chunk: ChunkId, class: Class, looked_at: bool) {
        let free =
            self.births(chunk, class).iter().filter(|b| b.load(Ordering::Relaxed) == 0).count();
        let geometry = class.geometry();
        if free == geometry.capacity as usize && !looked_at {
            self.entry_word(chunk).store(Entry::FREE.0, Ordering::Release);
        } else if free >= geometry.worthwhile() as usize {
            self.state(chunk).store(LISTED << STATE_SHIFT | free as u64, Ordering::Relaxed);
            self.push(chunk, class);
        } else {
            self.state(chunk).store(LOOSE << STATE_SHIFT | free as u64, Ordering::Relaxed);
        }
    }

    /// The address of block `index` of a small chunk.
    #[inline]
    pub(crate) fn address(chunk: ChunkId, class: Class, index: u32) -> Addr {
        Addr::from_raw(chunk.start() + u64::from(class.geometry().offset_of(index)))
    }
}

/// Puts a chunk that is the caller's on a stack; `next` is the chunk's own word for it.
fn put(head: &AtomicU64, next: &AtomicU64, chunk: ChunkId) {
    let mut old = head.load(Ordering::Relaxed);
    loop {
        next.store(old & COUNT_MASK, Ordering::Relaxed);
        let new = next_version(old) | u64::from(chunk.0);
        // Pairs with the load in `take` (2).
        let order = at("stack: put", Ordering::Release);
        match head.compare_exchange_weak(old, new, order, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => old = now,
        }
    }
}

/// Takes the chunk on top. `next` is a chunk's word for the one below it, if it can have one.
fn take<'w>(head: &AtomicU64, next: impl Fn(ChunkId) -> Option<&'w AtomicU64>) -> Option<ChunkId> {
    loop {
        // Pairs with the exchange in `put` (2).
        let old = head.load(at("stack: take", Ordering::Acquire));
        let chunk = ChunkId(old as u32);
        if chunk == ChunkId::NONE {
            return None;
        }
        // Whoever took and put it back meanwhile has made a new version: this one will not do.
        let below = next(chunk).map_or(0, |next| next.load(Ordering::Relaxed) & COUNT_MASK);
        let new = next_version(old) | below;
        if head.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return Some(chunk);
        }
    }
}

fn next_version(head: u64) -> u64 {
    let step = sync::step("stack: version");
    ((head >> STATE_SHIFT).wrapping_add(step)) << STATE_SHIFT
}

#[cfg(all(test, loom))]
mod models;
