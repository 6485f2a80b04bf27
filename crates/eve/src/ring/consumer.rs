//! The reading end.

use std::fmt;
use std::time::Duration;

use super::format::{WORD_PUBLISHED, WORD_RELEASED};
use super::rests::Rests;
use super::wait::{Waits, until_ready};
use super::{Error, Layout, Record, Side, Words, link::Link};
use crate::sync::{self, Ordering};

/// How many records before it is read a slot is asked for.
const AHEAD: u64 = 16;

/// The reading end of a ring. Dropping it gives the side back; what was not released stays for the
/// next consumer.
pub struct Consumer<W: Words> {
    link: Link<W>,
    /// The next record to read: everything before was given back.
    released: u64,
    /// Records from `released` up to here are known to be there.
    limit: u64,
    rests: Rests,
}

impl<W: Words> Consumer<W> {
    pub(super) fn attach(link: Link<W>) -> Result<Self, Error> {
        link.check_open()?;
        let released = link.word::<WORD_RELEASED>().load(Ordering::Relaxed);
        let mut consumer =
            Consumer { link, released, limit: released, rests: Rests::new(released) };
        consumer.check_note()?;
        consumer.observe(1)?;
        Ok(consumer)
    }

    /// The next record, if there is one, and gives its slot back.
    ///
    /// # Errors
    /// [`Error::Closed`] when the producer closed the ring and everything was read,
    /// [`Error::Poisoned`].
    #[inline(always)]
    pub fn try_pop(&mut self) -> Result<Option<Record>, Error> {
        if self.released == self.limit && !self.refill(1)? {
            return Ok(None);
        }
        Ok(Some(self.take()))
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

    /// The next record that is known to be there.
    #[inline(always)]
    pub(super) fn take(&mut self) -> Record {
        debug_assert_ne!(self.released, self.limit);
        let record = self.link.read(self.released);
        self.release(1);
        record
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
        self.end();
    }

    pub(super) fn end(&self) {
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

    #[inline(always)]
    fn release(&mut self, count: u64) {
        if count == 0 {
            return;
        }
        self.released += count;
        let order = sync::at("ring.release", Ordering::Release);
        // Pairs with the load in `Producer::look`.
        self.link.word::<WORD_RELEASED>().store(self.released, order);
        self.link.notify(Side::Producer);
    }

    /// Looks how many records came, until `wanted` are known; true if any is.
    #[inline(always)]
    fn refill(&mut self, wanted: u64) -> Result<bool, Error> {
        if self.has_record(wanted)? {
            return Ok(true);
        }
        self.rest(wanted)
    }

    /// The ring is empty. Gives the producer a moment, if that is known to pay, and looks again.
    #[cold]
    fn rest(&mut self, wanted: u64) -> Result<bool, Error> {
        let pauses = self.rests.pauses(self.released, self.link.geometry().capacity());
        if pauses == 0 {
            return Ok(false);
        }
        for _ in 0..pauses {
            sync::spin_loop();
        }
        self.has_record(wanted)
    }

    /// As [`Consumer::refill`], at once.
    #[inline(always)]
    pub(super) fn has_record(&mut self, wanted: u64) -> Result<bool, Error> {
        self.link.check_open()?;
        self.observe(wanted)?;
        if self.limit != self.released {
            return Ok(true);
        }
        if self.link.is_closed_by_producer() {
            return self.refill_last(wanted);
        }
        Ok(false)
    }

    /// The producer closed the ring: what it published before is visible now, whatever we saw
    /// before.
    #[cold]
    fn refill_last(&mut self, wanted: u64) -> Result<bool, Error> {
        self.observe(wanted)?;
        if self.limit == self.released {
            return Err(Error::Closed);
        }
        Ok(true)
    }

    #[inline(always)]
    fn observe(&mut self, wanted: u64) -> Result<(), Error> {
        match self.link.geometry().layout() {
            Layout::Packed => self.limit = self.published()?,
            Layout::Sequenced => self.look(wanted)?,
        }
        Ok(())
    }

    /// Packed: records are there up to the producer's cursor.
    #[inline(always)]
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

    /// Sequenced: the producer's note may be behind its slots by a lap, never more.
    fn check_note(&self) -> Result<(), Error> {
        let noted = self.link.word::<WORD_PUBLISHED>().load(Ordering::Relaxed);
        let capacity = self.link.geometry().capacity();
        if self.released.saturating_sub(noted) <= capacity
            && noted.saturating_sub(self.released) <= capacity
        {
            return Ok(());
        }
        Err(self.link.poison("the cursors are out of bounds"))
    }

    /// Sequenced: records are there as far as each slot says so.
    #[inline(always)]
    fn look(&mut self, wanted: u64) -> Result<(), Error> {
        let capacity = self.link.geometry().capacity();
        let wanted = wanted.min(capacity);
        let order = sync::at("ring.observe", Ordering::Acquire);
        while self.limit - self.released < wanted {
            let Some(holds) = self.limit.checked_add(1) else {
                return Err(self.link.poison("the consumer's cursor is out of bounds"));
            };
            let found = self.link.sequence(self.limit).load(order); // pairs with `publish`
            if found == holds {
                self.limit = holds;
            } else if found == holds.saturating_sub(capacity) {
                break; // still the record of the lap before, or none at all
            } else {
                return Err(self.link.poison("a slot's sequence is out of bounds"));
            }
        }
        Ok(())
    }
}

impl<W: Words> Waits for Consumer<W> {
    type Words = W;

    fn link(&self) -> &Link<W> {
        &self.link
    }

    #[inline(always)]
    fn is_ready(&mut self) -> Result<bool, Error> {
        if self.limit != self.released {
            return Ok(true);
        }
        self.has_record(1)
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
        let Consumer { link, released: first, limit, .. } = &*self.consumer;
        let last = limit.saturating_sub(1);
        (*first..first + self.count).map(move |cursor| {
            // Never a slot that the producer may be writing: that would take it away from there.
            link.prefetch_read(cursor.wrapping_add(AHEAD).min(last));
            link.read(cursor)
        })
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
