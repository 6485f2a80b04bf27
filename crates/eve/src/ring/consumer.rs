//! The reading end.

use std::fmt;
use std::time::Duration;

use super::header::{WORD_PUBLISHED, WORD_RELEASED};
use super::wait::{Waits, until_ready};
use super::{Error, Layout, Record, Side, Words, link::Link};
use crate::sync::{self, Ordering};

/// The reading end of a ring. Dropping it gives the side back; what was not released stays for the
/// next consumer.
pub struct Consumer<W: Words> {
    link: Link<W>,
    /// The next record to read: everything before was given back.
    released: u64,
    /// Records from `released` up to here are known to be there.
    limit: u64,
}

impl<W: Words> Consumer<W> {
    pub(super) fn attach(link: Link<W>) -> Result<Self, Error> {
        link.check_open()?;
        let released = link.word::<WORD_RELEASED>().load(Ordering::Relaxed);
        let mut consumer = Consumer { link, released, limit: released };
        match consumer.link.geometry().layout() {
            Layout::Packed => consumer.limit = consumer.published()?,
            Layout::Sequenced => consumer.catch_up()?,
        }
        Ok(consumer)
    }

    /// The next record, if there is one, and gives its slot back.
    ///
    /// # Errors
    /// [`Error::Closed`] when the producer closed the ring and everything was read,
    /// [`Error::Poisoned`].
    #[inline]
    pub fn try_pop(&mut self) -> Result<Option<Record>, Error> {
        if self.released == self.limit && !self.refill(1)? {
            return Ok(None);
        }
        let record = self.link.read(self.released);
        self.release(1);
        Ok(Some(record))
    }

    /// The next record, waiting for it. Without a timeout it waits for ever, also for a producer
    /// that has not attached yet.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Poisoned`], [`Error::TimedOut`].
    pub fn pop(&mut self, timeout: Option<Duration>) -> Result<Record, Error> {
        loop {
            if let Some(record) = self.try_pop()? {
                return Ok(record);
            }
            self.wait(timeout)?;
        }
    }

    /// Records to read in place, at most `max` and maybe none. They stay in the ring until
    /// [`View::release`].
    ///
    /// # Errors
    /// [`Error::Closed`] when the producer closed the ring and everything was read,
    /// [`Error::Poisoned`].
    pub fn peek(&mut self, max: usize) -> Result<View<'_, W>, Error> {
        let wanted = u64::try_from(max).unwrap_or(u64::MAX);
        if self.limit - self.released < wanted {
            self.refill(wanted)?;
        }
        let count = wanted.min(self.limit - self.released);
        Ok(View { consumer: self, count })
    }

    /// Waits until there is a record.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Poisoned`], [`Error::TimedOut`].
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        until_ready(self, timeout)
    }

    /// Says that nothing more will be taken: the producer sees [`Error::Closed`].
    pub fn close(self) {
        self.link.close();
    }

    /// Whether a live process holds the producer's side.
    #[must_use]
    pub fn has_producer(&self) -> bool {
        self.link.other_lives()
    }

    /// How many records have ever been released in this ring.
    #[must_use]
    pub fn released(&self) -> u64 {
        self.released
    }

    #[inline]
    fn release(&mut self, count: u64) {
        if count == 0 {
            return;
        }
        let end = self.released + count;
        let order = sync::at("ring.release", Ordering::Release);
        if self.link.geometry().layout() == Layout::Sequenced {
            let capacity = self.link.geometry().capacity();
            for cursor in self.released..end {
                // Pairs with the load in `Producer::look`.
                self.link.sequence(cursor).store(cursor + capacity, order);
            }
        }
        // Packed: pairs with the load in `Producer::released_limit`. Sequenced: a note for whoever
        // replaces us; the producer never reads it.
        self.link.word::<WORD_RELEASED>().store(end, order);
        self.released = end;
        self.link.notify(Side::Producer);
    }

    /// Looks how many records came, until `wanted` are known; true if any is.
    #[inline]
    fn refill(&mut self, wanted: u64) -> Result<bool, Error> {
        self.link.check_open()?;
        self.observe(wanted)?;
        if self.limit != self.released {
            return Ok(true);
        }
        if self.link.is_closed_by_producer() {
            // What was published before the close is visible now, whatever we saw before.
            self.observe(wanted)?;
            if self.limit == self.released {
                return Err(Error::Closed);
            }
        }
        Ok(self.limit != self.released)
    }

    #[inline]
    fn observe(&mut self, wanted: u64) -> Result<(), Error> {
        match self.link.geometry().layout() {
            Layout::Packed => self.limit = self.published()?,
            Layout::Sequenced => self.look(wanted)?,
        }
        Ok(())
    }

    /// Packed: records are there up to the producer's cursor.
    #[inline]
    fn published(&self) -> Result<u64, Error> {
        let order = sync::at("ring.observe", Ordering::Acquire);
        let published = self.link.word::<WORD_PUBLISHED>().load(order); // pairs with `publish`
        let capacity = self.link.geometry().capacity();
        let is_sound = published >= self.limit
            && published.checked_sub(self.released).is_some_and(|held| held <= capacity);
        if is_sound {
            return Ok(published); // invariant 1
        }
        Err(self.link.poison("the producer's cursor is out of bounds"))
    }

    /// Sequenced: records are there as far as each slot says so.
    #[inline]
    fn look(&mut self, wanted: u64) -> Result<(), Error> {
        let wanted = wanted.min(self.link.geometry().capacity());
        let order = sync::at("ring.observe", Ordering::Acquire);
        while self.limit - self.released < wanted {
            let cursor = self.limit;
            let found = self.link.sequence(cursor).load(order); // pairs with `publish`
            if found == cursor + 1 {
                self.limit += 1;
            } else if found == cursor {
                break;
            } else {
                return Err(self.link.poison("a slot's sequence is out of bounds"));
            }
        }
        Ok(())
    }

    /// Sequenced: goes past the records that our predecessor released without noting it.
    fn catch_up(&mut self) -> Result<(), Error> {
        let capacity = self.link.geometry().capacity();
        for _ in 0..capacity {
            let cursor = self.released;
            if cursor > u64::MAX - 4 * capacity {
                return Err(self.link.poison("the consumer's cursor is out of bounds"));
            }
            let found = self.link.sequence(cursor).load(Ordering::Relaxed);
            if found != cursor + capacity && found != cursor + capacity + 1 {
                break;
            }
            self.released += 1;
        }
        self.limit = self.released;
        self.link.word::<WORD_RELEASED>().store(self.released, Ordering::Relaxed);
        self.look(1)
    }
}

impl<W: Words> Waits for Consumer<W> {
    type Words = W;

    fn link(&self) -> &Link<W> {
        &self.link
    }

    fn is_ready(&mut self) -> Result<bool, Error> {
        if self.limit != self.released {
            return Ok(true);
        }
        self.refill(1)
    }
}

impl<W: Words> fmt::Debug for Consumer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("released", &self.released).finish_non_exhaustive()
    }
}

/// Records of a ring, to be read in place. Dropped without [`View::release`], it leaves them for
/// the next look.
pub struct View<'c, W: Words> {
    consumer: &'c mut Consumer<W>,
    count: u64,
}

impl<W: Words> View<'_, W> {
    /// How many records are in view.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A copy of record `index`. Check the copy: a hostile producer can change the slot.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Record> {
        let index = u64::try_from(index).ok().filter(|index| *index < self.count)?;
        Some(self.consumer.link.read(self.consumer.released + index))
    }

    /// The records in order.
    pub fn iter(&self) -> impl Iterator<Item = Record> + '_ {
        let first = self.consumer.released;
        (first..first + self.count).map(|cursor| self.consumer.link.read(cursor))
    }

    /// Gives the slots of the first `count` records back to the producer; all, if there are fewer.
    pub fn release(self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX).min(self.count);
        self.consumer.release(count);
    }
}

impl<W: Words> fmt::Debug for View<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("len", &self.count).finish_non_exhaustive()
    }
}
