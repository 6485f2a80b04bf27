//! The writing end.

use std::fmt;
use std::time::Duration;

use super::format::{WORD_PUBLISHED, WORD_RELEASED};
use super::wait::{Waits, until_ready};
use super::{Error, Layout, Record, Side, Words, link::Link};
use crate::sync::{self, Ordering};

/// Records that [`Producer::stage`] gathers before it publishes them together.
const BATCH: u64 = 32;

/// How many records before it is written a slot is asked for.
const AHEAD: u64 = 32;

/// A pause is 10 to 60 ns, in which a consumer that has nothing else to do takes some ten records.
const CAPACITY_PER_PAUSE: u64 = 64;
const PAUSES_MAX: u64 = 64;

/// The writing end of a ring. Dropping it publishes what was staged and gives the side back; the
/// ring stays open for another producer until [`Producer::close`].
pub struct Producer<W: Words> {
    link: Link<W>,
    /// The first record that the consumer cannot see yet.
    published: u64,
    /// The next record to write; those from `published` up to here are staged.
    next: u64,
    /// Slots from `next` up to here are known to be ours.
    limit: u64,
    /// The record that found the ring full last.
    full_at: u64,
}

impl<W: Words> Producer<W> {
    pub(super) fn attach(link: Link<W>) -> Result<Self, Error> {
        link.check_open()?;
        let published = link.word::<WORD_PUBLISHED>().load(Ordering::Relaxed);
        let mut producer =
            Producer { link, published, next: published, limit: published, full_at: published };
        if producer.link.geometry().layout() == Layout::Sequenced {
            producer.catch_up()?;
        }
        producer.look()?;
        Ok(producer)
    }

    /// Writes and publishes one record; false when the ring is full.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Poisoned`].
    #[inline(always)]
    pub fn try_push(&mut self, record: Record) -> Result<bool, Error> {
        self.link.check_open()?;
        if self.next == self.limit && !self.make_room()? {
            return Ok(false);
        }
        self.link.write(self.next, &record);
        self.next += 1;
        self.publish();
        Ok(true)
    }

    /// Writes and publishes one record, waiting for room. Without a timeout it waits for ever, also
    /// for a consumer that has not attached yet.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Poisoned`], [`Error::TimedOut`].
    pub fn push(&mut self, record: Record, timeout: Option<Duration>) -> Result<(), Error> {
        while !self.try_push(record)? {
            self.wait(timeout)?;
        }
        Ok(())
    }

    /// Writes one record and publishes it with others: when a batch has gathered, when the ring is
    /// full, or by [`Producer::flush`]. False when the ring is full.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Poisoned`].
    #[inline(always)]
    pub fn stage(&mut self, record: Record) -> Result<bool, Error> {
        if self.next == self.limit {
            self.link.check_open()?;
            if !self.make_room()? {
                return Ok(false);
            }
        }
        self.link.prefetch_write(self.next.wrapping_add(AHEAD));
        self.link.write(self.next, &record);
        self.next += 1;
        if self.next - self.published >= BATCH {
            self.link.check_open()?;
            self.publish();
        }
        Ok(true)
    }

    /// Publishes what was staged. Call it whenever there is nothing more to stage for now: then
    /// batching never delays a record.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Poisoned`].
    pub fn flush(&mut self) -> Result<(), Error> {
        self.link.check_open()?;
        self.publish();
        Ok(())
    }

    /// Slots to write in place, at most `max` and maybe none. Nothing of it is visible before
    /// [`Reservation::commit`].
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Poisoned`].
    pub fn reserve(&mut self, max: usize) -> Result<Reservation<'_, W>, Error> {
        self.link.check_open()?;
        let wanted = u64::try_from(max).unwrap_or(u64::MAX);
        if self.limit - self.next < wanted {
            self.make_room()?;
        }
        let room = wanted.min(self.limit - self.next);
        Ok(Reservation { end: self.next + room, at: self.next, producer: self })
    }

    /// Waits until there is room for a record.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Poisoned`], [`Error::TimedOut`].
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        until_ready(self, timeout)
    }

    /// Publishes what was staged and says that nothing more will come: the consumer reads what is
    /// there and then sees [`Error::Closed`].
    pub fn close(mut self) {
        self.publish();
        self.link.close();
    }

    /// Whether a live process holds the consumer's side.
    #[must_use]
    pub fn has_consumer(&self) -> bool {
        self.link.other_lives()
    }

    /// How many records have ever been published in this ring.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.published
    }

    #[inline(always)]
    fn publish(&mut self) {
        if self.next == self.published {
            return;
        }
        let order = sync::at("ring.publish", Ordering::Release);
        if self.link.geometry().layout() == Layout::Sequenced {
            for cursor in self.published..self.next {
                // Pairs with the load in `Consumer::look`.
                self.link.sequence(cursor).store(cursor + 1, order);
            }
        }
        // Packed: pairs with the load in `Consumer::published`. Sequenced: a note for whoever
        // replaces us; the consumer never reads it.
        self.link.word::<WORD_PUBLISHED>().store(self.next, order);
        self.published = self.next;
        self.link.notify(Side::Consumer);
    }

    /// Looks how many slots came back; true if any is ours.
    fn make_room(&mut self) -> Result<bool, Error> {
        if !self.has_room()? {
            self.rest()?;
        }
        Ok(self.limit != self.next)
    }

    /// As [`Producer::make_room`], at once. What is staged is published if there is no room, for
    /// else a consumer could wait for us and we for it.
    fn has_room(&mut self) -> Result<bool, Error> {
        self.look()?;
        if self.limit == self.next {
            self.publish();
        }
        Ok(self.limit != self.next)
    }

    /// The ring is full, and was a moment ago. Were the producer to look again at once, it would
    /// take the line of `released` from the consumer for each slot that comes back, and both would
    /// go at the pace of that line. So it lets the consumer, which has a whole ring before it, get
    /// ahead first: for less than it needs for a quarter of the ring. If nothing came back since, the
    /// consumer does not run, maybe for want of this core: whoever called should give way.
    #[cold]
    fn rest(&mut self) -> Result<(), Error> {
        let capacity = self.link.geometry().capacity();
        let since = self.next - self.full_at;
        self.full_at = self.next;
        if (1..capacity / 8).contains(&since) {
            for _ in 0..(capacity / CAPACITY_PER_PAUSE).min(PAUSES_MAX) {
                sync::spin_loop();
            }
            self.look()?;
        }
        Ok(())
    }

    /// Slots are ours up to what the consumer released plus the capacity. Less than we knew before
    /// would be a cursor that runs backwards.
    #[inline]
    fn look(&mut self) -> Result<(), Error> {
        let order = sync::at("ring.reuse", Ordering::Acquire);
        let released = self.link.word::<WORD_RELEASED>().load(order); // pairs with `Consumer::release`
        let capacity = self.link.geometry().capacity();
        let limit = released.checked_add(capacity).filter(|limit| {
            *limit >= self.limit && released <= self.published // invariant 1
        });
        let unsound = || self.link.poison("the consumer's cursor is out of bounds");
        self.limit = limit.ok_or_else(unsound)?;
        Ok(())
    }

    /// Sequenced: goes past the records that our predecessor published without noting it. It can
    /// have been a whole lap at most.
    fn catch_up(&mut self) -> Result<(), Error> {
        let capacity = self.link.geometry().capacity();
        for _ in 0..capacity {
            let Some(after) = self.next.checked_add(1) else {
                return Err(self.link.poison("the producer's cursor is out of bounds"));
            };
            if self.link.sequence(self.next).load(Ordering::Relaxed) != after {
                break;
            }
            self.next = after;
        }
        (self.published, self.limit) = (self.next, self.next);
        self.link.word::<WORD_PUBLISHED>().store(self.next, Ordering::Relaxed);
        Ok(())
    }
}

impl<W: Words> Waits for Producer<W> {
    type Words = W;

    fn link(&self) -> &Link<W> {
        &self.link
    }

    fn is_ready(&mut self) -> Result<bool, Error> {
        self.link.check_open()?;
        self.has_room()
    }
}

impl<W: Words> Drop for Producer<W> {
    fn drop(&mut self) {
        if !self.link.is_inherited() {
            self.publish();
        }
    }
}

impl<W: Words> fmt::Debug for Producer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("published", &self.published)
            .field("staged", &(self.next - self.published))
            .finish_non_exhaustive()
    }
}

/// Slots of a ring, to be written in place. Dropped without [`Reservation::commit`], it leaves the
/// ring as it was.
#[must_use = "nothing is visible before the commit"]
pub struct Reservation<'p, W: Words> {
    producer: &'p mut Producer<W>,
    at: u64,
    end: u64,
}

impl<W: Words> Reservation<'_, W> {
    /// How many more records fit.
    #[must_use]
    pub fn room(&self) -> usize {
        (self.end - self.at) as usize
    }

    /// Writes the next record; false when no room is left.
    #[inline]
    pub fn put(&mut self, record: Record) -> bool {
        if self.at == self.end {
            return false;
        }
        self.producer.link.prefetch_write(self.at.wrapping_add(AHEAD));
        self.producer.link.write(self.at, &record);
        self.at += 1;
        true
    }

    /// Publishes every record that was put, all at once in the packed layout.
    pub fn commit(self) {
        self.producer.next = self.at;
        self.producer.publish();
    }
}

impl<W: Words> fmt::Debug for Reservation<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").field("room", &self.room()).finish_non_exhaustive()
    }
}
