//! Many producers, one consumer: a ring for each, and one word to sleep on.
//!
//! A queue into which many reserve and commit has a hole when one of them dies in between, and
//! somebody must know that it will never be filled. Here nobody shares a cursor: each producer claims
//! a *lane*, a ring of its own, and the consumer goes round the lanes.
//!
//! 1. What one producer wrote comes in order; between producers there is no order.
//! 2. A producer that dies leaves its lane as a ring leaves its side: whole, and free for the next
//!    that comes, who goes on behind what the dead one published.
//! 3. A lane that is poisoned is left aside; the others go on.
//! 4. The consumer sleeps on one word of the fan's header, which every lane's producer rings.
//!
//! Going round costs a look at each lane, so a fan has at most [`LANES_MAX`].

use std::time::Duration;

use super::consumer::{Consumer, View};
use super::format::{
    CLOSED_BY_CONSUMER, FAN_MAGIC, LANE_MAGIC, WORD_CONSUMER_SLEEPS, WORD_LANES, WORD_MAGIC,
    WORD_SLOTS, WORD_STATE,
};
use super::header::{self, Geometry};
use super::link::{Link, Place};
use super::wait::{Waits, until_ready};
use super::{Error, Heap, Layout, Producer, Record, Side, Words};
use crate::sync::Ordering;

const LANES_MAX: usize = 64;
/// How many records one lane gives before the next has its turn, if it has any.
const TURN: u32 = 64;

/// Rings for many producers and one consumer, in some memory.
///
/// ```
/// use eve::ring::{Fan, Layout};
///
/// let fan = Fan::heap(Layout::Packed, 1024, 8)?; // 8 producers at a time, 1024 records for each
/// let (mut one, mut other, mut consumer) = (fan.producer()?, fan.producer()?, fan.consumer()?);
/// one.try_push([1; 5])?;
/// other.try_push([2; 5])?;
/// let mut seen = [consumer.pop(None)?[0], consumer.pop(None)?[0]];
/// seen.sort();
/// assert_eq!(seen, [1, 2]);
/// # Ok::<(), eve::ring::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fan<W> {
    words: W,
    geometry: Geometry,
    lanes: usize,
}

impl Fan<Heap> {
    /// A new fan on the heap, for threads of one process.
    ///
    /// # Errors
    /// As [`Fan::create`].
    pub fn heap(layout: Layout, capacity: u64, lanes: usize) -> Result<Self, Error> {
        Fan::create(
            Heap::new(Fan::<Heap>::bytes(layout, capacity, lanes)?),
            layout,
            capacity,
            lanes,
        )
    }
}

impl<W> Fan<W> {
    /// How many bytes of memory a fan takes.
    ///
    /// # Errors
    /// [`Error::Capacity`], [`Error::Lanes`], as [`Fan::create`].
    pub fn bytes(layout: Layout, capacity: u64, lanes: usize) -> Result<u64, Error> {
        let lane = header::bytes(layout, capacity)?;
        if !(1..=LANES_MAX).contains(&lanes) {
            return Err(Error::Lanes { lanes, max: LANES_MAX });
        }
        Ok(WORD_SLOTS as u64 * 8 + lane * lanes as u64)
    }

    /// How many producers there can be at a time.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.lanes
    }
}

impl<W: Words + Clone> Fan<W> {
    /// Makes a fan of `lanes` rings of `capacity` records each in `words`, whatever they held.
    ///
    /// # Errors
    /// [`Error::Capacity`] unless `capacity` is a power of two of at least 2; [`Error::Lanes`] unless
    /// `lanes` is from 1 to 64; [`Error::TooSmall`] if it does not fit.
    pub fn create(words: W, layout: Layout, capacity: u64, lanes: usize) -> Result<Self, Error> {
        let needed_bytes = Fan::<W>::bytes(layout, capacity, lanes)?;
        let all = words.words();
        let found_bytes = all.len() as u64 * 8;
        let geometry = Geometry::new(layout, capacity).ok_or(Error::Capacity { capacity })?;
        if found_bytes < needed_bytes {
            return Err(Error::TooSmall { needed_bytes, found_bytes });
        }
        for word in &all[..WORD_SLOTS] {
            word.store(0, Ordering::Relaxed);
        }
        for lane in 0..lanes {
            header::create(&all[place(geometry, lane).first_word..], LANE_MAGIC, layout, capacity)?;
        }
        header::describe(all, geometry);
        all[WORD_LANES].store(lanes as u64, Ordering::Relaxed);
        all[WORD_MAGIC].store(FAN_MAGIC, Ordering::Release); // pairs with the load in `header::open`
        Ok(Fan { words, geometry, lanes })
    }

    /// The fan that somebody made in `words`.
    ///
    /// # Errors
    /// As [`Ring::open`](super::Ring::open).
    pub fn open(words: W) -> Result<Self, Error> {
        let all = words.words();
        let geometry = header::open(all, FAN_MAGIC)?;
        let lanes = usize::try_from(all[WORD_LANES].load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        if !(1..=LANES_MAX).contains(&lanes) {
            return Err(Error::Damaged { what: "the number of lanes is not from 1 to 64" });
        }
        for lane in 0..lanes {
            let lane = all.get(place(geometry, lane).first_word..).unwrap_or_default();
            geometry.fits(lane)?;
            if header::open(lane, LANE_MAGIC)? != geometry {
                return Err(Error::Damaged { what: "a lane is not as the fan says" });
            }
        }
        Ok(Fan { words, geometry, lanes })
    }

    /// Claims a lane that nobody has, or whose producer died.
    ///
    /// Dropping the producer gives the lane back. Closing it ends the lane for good.
    ///
    /// # Errors
    /// [`Error::NoLane`] when live producers have all of them or ended them; [`Error::Closed`] when the consumer
    /// closed the fan.
    pub fn producer(&self) -> Result<Producer<W>, Error> {
        for lane in 0..self.lanes {
            let place = place(self.geometry, lane);
            let state = self.words.words().get(place.first_word + WORD_STATE);
            if state.is_some_and(|word| word.load(Ordering::Relaxed) & CLOSED_BY_CONSUMER != 0) {
                return Err(Error::Closed);
            }
            let link = Link::claim(self.words.clone(), self.geometry, place, Side::Producer);
            match link.and_then(Producer::attach) {
                Ok(producer) => return Ok(producer),
                Err(Error::Occupied { .. } | Error::Closed | Error::Poisoned { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Err(Error::NoLane { lanes: self.lanes })
    }

    /// Claims the consumer's side of every lane.
    ///
    /// # Errors
    /// [`Error::Occupied`] while another live consumer has it, [`Error::Closed`] when a consumer
    /// closed the fan.
    pub fn consumer(&self) -> Result<FanConsumer<W>, Error> {
        let mut lanes = Vec::with_capacity(self.lanes);
        for lane in 0..self.lanes {
            let place = place(self.geometry, lane);
            let link = Link::claim(self.words.clone(), self.geometry, place, Side::Consumer)?;
            match Consumer::attach(link) {
                Ok(consumer) => lanes.push(consumer),
                Err(Error::Poisoned { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        if lanes.is_empty() {
            return Err(Error::Poisoned { what: "every lane is poisoned" });
        }
        Ok(FanConsumer { lanes, turn: 0, taken: 0 })
    }
}

fn place(geometry: Geometry, lane: usize) -> Place {
    Place {
        first_word: WORD_SLOTS + geometry.words() as usize * lane,
        consumer_sleeps: WORD_CONSUMER_SLEEPS,
        first_slot: geometry.capacity() as usize * lane,
    }
}

/// The reading end of a [`Fan`].
#[derive(Debug)]
pub struct FanConsumer<W: Words> {
    /// Those that can still give something; never empty.
    lanes: Vec<Consumer<W>>,
    /// Whose turn it is.
    turn: usize,
    /// How many records it gave in this turn.
    taken: u32,
}

impl<W: Words> FanConsumer<W> {
    /// A record of whichever producer has one, if any has. Its slot is given back.
    ///
    /// # Errors
    /// [`Error::Closed`] when the producers closed all lanes and everything was read;
    /// [`Error::Poisoned`] once for each lane whose producer broke the protocol: the others go on.
    #[inline(always)]
    pub fn try_pop(&mut self) -> Result<Option<Record>, Error> {
        if !self.find()? {
            return Ok(None);
        }
        self.taken += 1;
        Ok(Some(self.lanes[self.turn].take()))
    }

    /// A record of whichever producer has one, waiting for it.
    ///
    /// # Errors
    /// As [`FanConsumer::try_pop`], and [`Error::TimedOut`].
    pub fn pop(&mut self, timeout: Option<Duration>) -> Result<Record, Error> {
        loop {
            if let Some(record) = self.try_pop()? {
                return Ok(record);
            }
            self.wait(timeout)?;
        }
    }

    /// Records of one producer to read in place, at most `max` and maybe none.
    ///
    /// # Errors
    /// As [`FanConsumer::try_pop`].
    pub fn peek(&mut self, max: usize) -> Result<View<'_, W>, Error> {
        let max = if self.find()? { max } else { 0 };
        self.taken += u32::try_from(max).unwrap_or(TURN).min(TURN);
        self.lanes[self.turn].peek(max)
    }

    /// Waits until some producer has a record.
    ///
    /// # Errors
    /// As [`FanConsumer::try_pop`], and [`Error::TimedOut`].
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        until_ready(self, timeout)
    }

    /// Says that nothing more will be taken: producers see [`Error::Closed`].
    pub fn close(self) {
        self.lanes.iter().for_each(Consumer::end);
    }

    /// How many live processes hold a lane.
    #[must_use]
    pub fn producers(&self) -> usize {
        self.lanes.iter().filter(|lane| lane.has_producer()).count()
    }

    /// Moves the turn to a lane that has a record; false if none has.
    #[inline(always)]
    fn find(&mut self) -> Result<bool, Error> {
        if self.taken < TURN && matches!(self.lanes[self.turn].is_ready(), Ok(true)) {
            return Ok(true);
        }
        self.go_round()
    }

    fn go_round(&mut self) -> Result<bool, Error> {
        if self.taken >= TURN {
            self.pass();
        }
        let mut left = self.lanes.len();
        while left > 0 {
            match self.lanes[self.turn].is_ready() {
                Ok(true) => return Ok(true),
                Ok(false) => self.pass(),
                Err(why) => self.leave_aside(why)?,
            }
            left -= 1;
        }
        Ok(false)
    }

    fn pass(&mut self) {
        self.turn = (self.turn + 1) % self.lanes.len();
        self.taken = 0;
    }

    /// The lane whose turn it is gives nothing any more, and here is why. The last one stays, so
    /// that whoever asks again hears it again.
    fn leave_aside(&mut self, why: Error) -> Result<(), Error> {
        if self.lanes.len() == 1 {
            return Err(why);
        }
        self.lanes.remove(self.turn);
        self.turn %= self.lanes.len();
        self.taken = 0;
        if matches!(why, Error::Closed) { Ok(()) } else { Err(why) }
    }
}

impl<W: Words> Waits for FanConsumer<W> {
    type Words = W;

    /// The link of any lane: all sleep on the same word.
    fn link(&self) -> &Link<W> {
        self.lanes[0].link()
    }

    fn is_ready(&mut self) -> Result<bool, Error> {
        self.find()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
