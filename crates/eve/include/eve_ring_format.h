/* eve_ring_format.h: the numbers of the rings of eve, which docs/format.md of the project draws.
 *
 * Written by `cargo xtask header` from src/ring/format.rs: change it there.
 */

#ifndef EVE_RING_FORMAT_H
#define EVE_RING_FORMAT_H

// What the magic of a ring is: `EVE RING` in ASCII, the first letter in the lowest byte.
#define EVE_RING_MAGIC 5138124841953875525

// What the magic of a fan is, many rings that one consumer reads: `EVE FAN `.
#define EVE_RING_FAN_MAGIC 2327869826842056261

// What the magic of a ring is that is a lane of a fan: `EVE LANE`. Alone it would not wake its
// consumer.
#define EVE_RING_LANE_MAGIC 4994000832015193669

// The version of the format.
#define EVE_RING_VERSION 3

// The layout of 40-byte slots behind one published cursor.
#define EVE_RING_PACKED 1

// The layout of 64-byte slots that each say what they hold.
#define EVE_RING_SEQUENCED 2

// The word that is the magic.
#define EVE_RING_WORD_MAGIC 0

// The word that is the layout above 32 bits of version.
#define EVE_RING_WORD_FORMAT 1

// The word that is the capacity in records, a power of two.
#define EVE_RING_WORD_CAPACITY 2

// The word that is the bytes of a slot above 32 bits of the bytes of a record.
#define EVE_RING_WORD_RECORD 3

// The word of the state bits.
#define EVE_RING_WORD_STATE 4

// The word that is the number of lanes, in a fan.
#define EVE_RING_WORD_LANES 5

// The word that is the identity of the producer, or 0.
#define EVE_RING_WORD_PRODUCER 16

// The word that is the identity of the consumer, or 0.
#define EVE_RING_WORD_CONSUMER 17

// The word that is 1 while the producer sleeps on it, a futex.
#define EVE_RING_WORD_PRODUCER_SLEEPS 18

// The word that is 1 while the consumer sleeps on it, a futex.
#define EVE_RING_WORD_CONSUMER_SLEEPS 19

// The word that counts published records, which the producer writes.
#define EVE_RING_WORD_PUBLISHED 32

// The word that counts released records, which the consumer writes.
#define EVE_RING_WORD_RELEASED 48

// The first word of the slots.
#define EVE_RING_WORD_SLOTS 64

// The state bit by which the producer says that nothing more will come.
#define EVE_RING_CLOSED_BY_PRODUCER 1

// The state bit by which the consumer says that nothing more will be taken.
#define EVE_RING_CLOSED_BY_CONSUMER 2

// The state bit by which a side says that the other broke the protocol.
#define EVE_RING_POISONED 4

// Words of a record, and of a slot in the packed layout.
#define EVE_RING_RECORD_WORDS 5

// Words of a slot in the sequenced layout: what it holds, the record, two that are unused.
#define EVE_RING_SEQUENCED_SLOT_WORDS 8

// The smallest capacity in records.
#define EVE_RING_CAPACITY_MIN 2

// The largest capacity in records.
#define EVE_RING_CAPACITY_MAX 1099511627776

#endif  /* EVE_RING_FORMAT_H */
