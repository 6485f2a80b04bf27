//! The header: what a ring says of itself.
//!
//! | word | line | holds |
//! | --- | --- | --- |
//! | 0 | 0 | magic, `EVE RING` |
//! | 1 | 0 | layout ` << 32 \| ` format version |
//! | 2 | 0 | capacity in records, a power of two |
//! | 3 | 0 | slot bytes ` << 32 \| ` record bytes |
//! | 4 | 0 | state bits: 1 the producer closed, 2 the consumer closed, 4 poisoned |
//! | 16 | 1 | identity of the producer, or 0 |
//! | 17 | 1 | identity of the consumer, or 0 |
//! | 18 | 1 | 1 while the producer sleeps: a futex |
//! | 19 | 1 | 1 while the consumer sleeps: a futex |
//! | 32 | 2 | `published`, written by the producer |
//! | 48 | 3 | `released`, written by the consumer |
//! | 64 … | 4 … | slots |
//!
//! A [fan](super::Fan) begins with such a header, too, with another magic and the number of its lanes
//! in word 5, of which words 0 to 3, 5 and 19 are used; its lanes follow.
//!
//! A line is 128 bytes: processors fetch cache lines in pairs. Line 0 and 1 are hardly ever
//! written, so both sides keep them in their caches.

use super::Error;
use super::format::{
    CAPACITY_MAX, CAPACITY_MIN, PACKED, RECORD_WORDS, SEQUENCED, SEQUENCED_SLOT_WORDS, VERSION,
    WORD_CAPACITY, WORD_FORMAT, WORD_MAGIC, WORD_RECORD, WORD_SLOTS,
};
use crate::sync::{AtomicU64, Ordering};

/// Words on a pair of cache lines.
pub(super) const LINE_WORDS: usize = 16;
const WORD_BYTES: u64 = 8;

/// How slots lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Layout {
    /// 40-byte slots behind one published cursor: for streams.
    Packed = PACKED,
    /// 64-byte slots that each say what they hold: for calls.
    Sequenced = SEQUENCED,
}

impl Layout {
    pub(super) const fn slot_words(self) -> usize {
        match self {
            Layout::Packed => RECORD_WORDS,
            Layout::Sequenced => SEQUENCED_SLOT_WORDS,
        }
    }

    const fn from_raw(raw: u32) -> Option<Layout> {
        match raw {
            PACKED => Some(Layout::Packed),
            SEQUENCED => Some(Layout::Sequenced),
            _ => None,
        }
    }

    const fn record_word(self) -> u64 {
        ((self.slot_words() as u64 * WORD_BYTES) << 32) | (RECORD_WORDS as u64 * WORD_BYTES)
    }
}

/// A layout and a capacity that were checked against the memory they describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    layout: Layout,
    slot_words: usize,
    capacity: u64,
}

impl Geometry {
    pub(super) fn new(layout: Layout, capacity: u64) -> Option<Geometry> {
        let fits = (CAPACITY_MIN..=CAPACITY_MAX).contains(&capacity);
        (fits && capacity.is_power_of_two()).then(|| Geometry {
            layout,
            slot_words: layout.slot_words(),
            capacity,
        })
    }

    #[inline(always)]
    pub(super) const fn layout(self) -> Layout {
        self.layout
    }

    #[inline(always)]
    pub(super) const fn slot_words(self) -> usize {
        self.slot_words
    }

    #[inline(always)]
    pub(super) const fn capacity(self) -> u64 {
        self.capacity
    }

    /// Which slot record `cursor` lives in.
    #[inline(always)]
    pub(super) const fn slot(self, cursor: u64) -> usize {
        (cursor & (self.capacity - 1)) as usize
    }

    /// Rounded up to whole lines.
    pub(super) const fn words(self) -> u64 {
        let slots = self.capacity * self.slot_words as u64;
        (WORD_SLOTS as u64 + slots).next_multiple_of(LINE_WORDS as u64)
    }

    /// The words of this geometry's ring, of those that begin with it.
    pub(super) fn fits(self, words: &[AtomicU64]) -> Result<&[AtomicU64], Error> {
        let needed = usize::try_from(self.words()).ok();
        needed.and_then(|needed| words.get(..needed)).ok_or(Error::TooSmall {
            needed_bytes: self.words() * WORD_BYTES,
            found_bytes: words.len() as u64 * WORD_BYTES,
        })
    }
}

/// How many bytes of memory a ring takes, a multiple of 128.
///
/// # Errors
/// [`Error::Capacity`] unless `capacity` is a power of two from 2 to 2^40.
pub fn bytes(layout: Layout, capacity: u64) -> Result<u64, Error> {
    let geometry = Geometry::new(layout, capacity).ok_or(Error::Capacity { capacity })?;
    Ok(geometry.words() * WORD_BYTES)
}

/// Writes a header, the magic last: whoever sees the magic sees the rest.
pub(super) fn create(
    words: &[AtomicU64],
    magic: u64,
    layout: Layout,
    capacity: u64,
) -> Result<Geometry, Error> {
    let geometry = Geometry::new(layout, capacity).ok_or(Error::Capacity { capacity })?;
    let words = geometry.fits(words)?;
    for word in &words[..WORD_SLOTS] {
        word.store(0, Ordering::Relaxed);
    }
    if layout == Layout::Sequenced {
        for slot in words[WORD_SLOTS..].chunks(SEQUENCED_SLOT_WORDS) {
            slot[0].store(0, Ordering::Relaxed); // holds nothing yet
        }
    }
    describe(words, geometry);
    words[WORD_MAGIC].store(magic, Ordering::Release); // pairs with the load in `open`
    Ok(geometry)
}

/// Writes what a header says of the slots.
pub(super) fn describe(words: &[AtomicU64], geometry: Geometry) {
    let layout = geometry.layout;
    let format = ((layout as u64) << 32) | u64::from(VERSION);
    words[WORD_FORMAT].store(format, Ordering::Relaxed);
    words[WORD_CAPACITY].store(geometry.capacity, Ordering::Relaxed);
    words[WORD_RECORD].store(layout.record_word(), Ordering::Relaxed);
}

/// Reads and checks a header. What it says is copied; the shared words are not asked again.
pub(super) fn open(words: &[AtomicU64], magic: u64) -> Result<Geometry, Error> {
    let Some(header) = words.get(..WORD_SLOTS) else {
        let needed_bytes = WORD_SLOTS as u64 * WORD_BYTES;
        return Err(Error::TooSmall { needed_bytes, found_bytes: words.len() as u64 * WORD_BYTES });
    };
    let found = header[WORD_MAGIC].load(Ordering::Acquire); // pairs with the store in `create`
    if found != magic {
        return Err(Error::NotARing { found });
    }
    let format = header[WORD_FORMAT].load(Ordering::Relaxed);
    let version = format as u32;
    if version != VERSION {
        return Err(Error::Version { found: version, known: VERSION });
    }
    let layout = Layout::from_raw((format >> 32) as u32)
        .ok_or(Error::Damaged { what: "the slot layout is unknown" })?;
    if header[WORD_RECORD].load(Ordering::Relaxed) != layout.record_word() {
        return Err(Error::Damaged { what: "the slot size does not belong to the layout" });
    }
    let capacity = header[WORD_CAPACITY].load(Ordering::Relaxed);
    let geometry = Geometry::new(layout, capacity)
        .ok_or(Error::Damaged { what: "the capacity is no power of two from 2 to 2^40" })?;
    Ok(geometry)
}

#[cfg(all(test, not(loom)))]
mod tests;
