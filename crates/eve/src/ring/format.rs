//! The numbers of the format: where in a ring's header each word is, and what it can say.
//!
//! For whoever joins a ring by its bytes: bindings of other languages, and programs that only look.
//! `docs/format.md` draws the same ("Ring"). The C header `include/eve_ring_format.h` is written from
//! this file by `cargo xtask header`, so constants here are literals.
//!
//! ```
//! use eve::ring::{Heap, Layout, Ring, Words, bytes, format};
//! use std::sync::atomic::Ordering::Acquire;
//!
//! let memory = Heap::new(bytes(Layout::Packed, 64)?);
//! let ring = Ring::create(memory.clone(), Layout::Packed, 64)?;
//! ring.producer()?.try_push([7; 5])?;
//! assert_eq!(memory.words()[format::WORD_MAGIC].load(Acquire), format::MAGIC);
//! assert_eq!(memory.words()[format::WORD_PUBLISHED].load(Acquire), 1);
//! # Ok::<(), eve::ring::Error>(())
//! ```

/// What the magic of a ring is: `EVE RING` in ASCII, the first letter in the lowest byte.
pub const MAGIC: u64 = 0x474e_4952_2045_5645;
/// What the magic of a fan is, many rings that one consumer reads: `EVE FAN `.
pub const FAN_MAGIC: u64 = 0x204e_4146_2045_5645;
/// What the magic of a ring is that is a lane of a fan: `EVE LANE`. Alone it would not wake its
/// consumer.
pub const LANE_MAGIC: u64 = 0x454e_414c_2045_5645;
/// The version of the format.
pub const VERSION: u32 = 3;

/// The layout of 40-byte slots behind one published cursor.
pub const PACKED: u32 = 1;
/// The layout of 64-byte slots that each say what they hold.
pub const SEQUENCED: u32 = 2;

/// The word that is the magic.
pub const WORD_MAGIC: usize = 0;
/// The word that is the layout above 32 bits of version.
pub const WORD_FORMAT: usize = 1;
/// The word that is the capacity in records, a power of two.
pub const WORD_CAPACITY: usize = 2;
/// The word that is the bytes of a slot above 32 bits of the bytes of a record.
pub const WORD_RECORD: usize = 3;
/// The word of the state bits.
pub const WORD_STATE: usize = 4;
/// The word that is the number of lanes, in a fan.
pub const WORD_LANES: usize = 5;
/// The word that is the identity of the producer, or 0.
pub const WORD_PRODUCER: usize = 16;
/// The word that is the identity of the consumer, or 0.
pub const WORD_CONSUMER: usize = 17;
/// The word that is 1 while the producer sleeps on it, a futex.
pub const WORD_PRODUCER_SLEEPS: usize = 18;
/// The word that is 1 while the consumer sleeps on it, a futex.
pub const WORD_CONSUMER_SLEEPS: usize = 19;
/// The word that counts published records, which the producer writes.
pub const WORD_PUBLISHED: usize = 32;
/// The word that counts released records, which the consumer writes.
pub const WORD_RELEASED: usize = 48;
/// The first word of the slots.
pub const WORD_SLOTS: usize = 64;

/// The state bit by which the producer says that nothing more will come.
pub const CLOSED_BY_PRODUCER: u64 = 1;
/// The state bit by which the consumer says that nothing more will be taken.
pub const CLOSED_BY_CONSUMER: u64 = 2;
/// The state bit by which a side says that the other broke the protocol.
pub const POISONED: u64 = 4;

/// Words of a record, and of a slot in the packed layout.
pub const RECORD_WORDS: usize = 5;
/// Words of a slot in the sequenced layout: what it holds, the record, two that are unused.
pub const SEQUENCED_SLOT_WORDS: usize = 8;
/// The smallest capacity in records.
pub const CAPACITY_MIN: u64 = 2;
/// The largest capacity in records.
pub const CAPACITY_MAX: u64 = 0x0100_0000_0000;

const _: () = {
    assert!(MAGIC == u64::from_le_bytes(*b"EVE RING"));
    assert!(FAN_MAGIC == u64::from_le_bytes(*b"EVE FAN "));
    assert!(LANE_MAGIC == u64::from_le_bytes(*b"EVE LANE"));
};
