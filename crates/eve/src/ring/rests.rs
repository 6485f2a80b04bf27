//! When a consumer that finds nothing should look away for a moment.
//!
//! A consumer as fast as its producer finds each record the moment it is there. By looking so often
//! it takes the line that the producer is about to write, each record then costs both a trip of that
//! line, and the two stay in step at a tenth of their pace. If it looks away while some records
//! gather, both go on at full pace, a little apart. But in a call the next record comes only after
//! we answered the last, and nothing gathers.
//!
//! Nobody says which it is, so the consumer tries: a rest that made records gather is followed by
//! another the next time the ring is empty; one that did not, by twice as many times without one. A
//! stream so rests whenever it catches up, and calls hardly ever, one in [`SKIPS_MAX`].

/// What a rest must bring to be worth it.
const GAIN: u64 = 8;
/// A run of this many records shows that the sides are apart without any rest.
const APART: u64 = 64;
const SKIPS_MIN: u32 = 4;
const SKIPS_MAX: u32 = 4096;
/// 0.1 to 0.5 µs: what a producer needs for some tens of records.
const PAUSES: u64 = 8;
/// A ring of fewer records has no room for the sides to be apart.
const CAPACITY_MIN: u64 = 64;

#[derive(Debug)]
pub(super) struct Rests {
    /// The record that was not there when the ring was found empty last.
    empty_at: u64,
    rested: bool,
    /// How often the ring may be found empty again before the next rest.
    skips: u32,
    /// How many skips the next failure costs.
    price: u32,
}

impl Rests {
    pub(super) fn new(cursor: u64) -> Rests {
        Rests { empty_at: cursor, rested: false, skips: 0, price: SKIPS_MIN }
    }

    /// How many pauses to make, now that record `cursor` is not there.
    pub(super) fn pauses(&mut self, cursor: u64, capacity: u64) -> u64 {
        let run = cursor.wrapping_sub(self.empty_at);
        if run == 0 || capacity < CAPACITY_MIN {
            return 0; // nothing came since: there is nobody to be in step with
        }
        self.empty_at = cursor;
        if self.rested {
            self.rested = false;
            if run < GAIN {
                self.skips = self.price;
                self.price = (self.price * 2).min(SKIPS_MAX);
            } else {
                self.price = SKIPS_MIN;
            }
        }
        if run >= APART {
            return 0;
        }
        if self.skips > 0 {
            self.skips -= 1;
            return 0;
        }
        self.rested = true;
        PAUSES
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// How often in `empties` a consumer rests that gets so many records after a rest, and so many
    /// without.
    fn rests(empties: u32, after_rest: u64, without: u64) -> u32 {
        let mut rests = Rests::new(0);
        let (mut cursor, mut count) = (without, 0);
        for _ in 0..empties {
            let rested = rests.pauses(cursor, 4096) > 0;
            count += u32::from(rested);
            cursor += if rested { after_rest } else { without };
        }
        count
    }

    #[test]
    fn a_stream_in_step_rests_each_time() {
        assert_eq!(rests(1000, 40, 1), 1000);
    }

    #[test]
    fn a_stream_that_is_apart_never_rests() {
        assert_eq!(rests(1000, 100, 100), 0);
    }

    #[test]
    fn calls_hardly_ever_rest() {
        assert!(rests(100_000, 1, 1) < 40);
    }

    #[test]
    fn whoever_waits_for_the_next_record_does_not_rest_again() {
        let mut rests = Rests::new(0);
        assert!(rests.pauses(1, 4096) > 0);
        assert!((0..100).all(|_| rests.pauses(1, 4096) == 0));
        assert_eq!(rests.pauses(2, 32), 0, "a small ring");
    }
}
