//! What is different between two vectors, place by place.
//!
//! Leaf by leaf, but where both have the same node above a leaf, all leaves below it are passed over: a
//! published block never changes.

use std::marker::PhantomData;

use super::{
    Stored, Vector,
    node::{BITS, HEIGHT_MAX, Head, WIDTH, child_index, rows},
};
use crate::{Addr, Error, Read};

/// One place of two vectors where they are different: its index, what the older has there, what the
/// newer; `None` beyond the end.
pub type Replaced<T> = (u64, Option<T>, Option<T>);

impl<T: Stored + ?Sized> Vector<T> {
    /// The places in which `other` is different, in order: `(index, here, there)`.
    ///
    /// Both are versions in one memory, each read as its own snapshot sees it. What they share is not
    /// read: the cost follows the difference, O(d log n), not the length.
    pub fn diff<'r, R: Read + ?Sized, S: Read + ?Sized>(
        self,
        reader: &'r R,
        other: Self,
        other_reader: &'r S,
    ) -> impl Iterator<Item = Result<Replaced<T::Shown<'r>>, Error>> {
        let heads = Head::read::<T, R>(reader, self.root)
            .and_then(|old| Ok((old, Head::read::<T, S>(other_reader, other.root)?)));
        let (heads, failed) = match heads {
            Ok(heads) => (heads, None),
            Err(error) => ((Head::EMPTY, Head::EMPTY), Some(error)),
        };
        Places::<T, R, S> {
            old: Side { reader, head: heads.0, leaf: &[] },
            new: Side { reader: other_reader, head: heads.1, leaf: &[] },
            next: 0,
            failed,
            element: PhantomData,
        }
    }
}

/// One of the two, and its leaf at hand.
struct Side<'r, R: Read + ?Sized> {
    reader: &'r R,
    head: Head,
    leaf: &'r [u64],
}

/// The nodes above a leaf, by height, the leaf itself first.
type Way = [Addr; HEIGHT_MAX as usize + 1];

impl<'r, R: Read + ?Sized> Side<'r, R> {
    fn way<T: Stored + ?Sized>(&self, leaf: u64) -> Result<Way, Error> {
        let mut way = [Addr::NONE; HEIGHT_MAX as usize + 1];
        if leaf * WIDTH >= self.head.len {
            return Ok(way);
        }
        if leaf >= self.head.leaves() {
            way[0] = self.head.tail;
            return Ok(way);
        }
        way[self.head.height as usize] = self.head.trie;
        for height in (1..=self.head.height).rev() {
            let at = way[height as usize];
            match rows::<T, R>(self.reader, at, height)?.get(child_index(leaf, height)) {
                Some(child) => way[height as usize - 1] = Addr::from_raw(*child),
                None => return Err(Error::corrupt("vector node with too few children", at)),
            }
        }
        Ok(way)
    }

    fn open<T: Stored + ?Sized>(&mut self, at: Addr) -> Result<(), Error> {
        self.leaf = if at.is_none() { &[] } else { rows::<T, R>(self.reader, at, 0)? };
        Ok(())
    }

    fn element<T: Stored + ?Sized>(&self, index: u64) -> Result<Option<&'r [u64]>, Error> {
        if index >= self.head.len {
            return Ok(None);
        }
        let at = (index % WIDTH) as usize * T::WORDS;
        match self.leaf.get(at..at + T::WORDS) {
            Some(element) => Ok(Some(element)),
            None => Err(Error::corrupt("vector leaf that is too short", self.head.at)),
        }
    }
}

struct Places<'r, T: Stored + ?Sized, R: Read + ?Sized, S: Read + ?Sized> {
    old: Side<'r, R>,
    new: Side<'r, S>,
    next: u64,
    failed: Option<Error>,
    element: PhantomData<fn(&T)>,
}

impl<'r, T: Stored + ?Sized, R: Read + ?Sized, S: Read + ?Sized> Places<'r, T, R, S> {
    /// Goes on to the next leaf that is not shared, from the start of a leaf. Says whether there is
    /// one.
    fn open_leaf(&mut self) -> Result<bool, Error> {
        while self.next < self.old.head.len.max(self.new.head.len) {
            let leaf = self.next / WIDTH;
            let (old, new) = (self.old.way::<T>(leaf)?, self.new.way::<T>(leaf)?);
            let shared = (0..old.len()).rev().find(|h| old[*h] == new[*h] && !old[*h].is_none());
            let Some(height) = shared else {
                self.old.open::<T>(old[0])?;
                self.new.open::<T>(new[0])?;
                return Ok(true);
            };
            let bits = BITS * height as u32;
            let after = ((leaf >> bits) + 1).checked_shl(bits).unwrap_or(u64::MAX);
            // Behind the last leaf of a node that both have come the tails, which may differ.
            let leaves = self.old.head.leaves().min(self.new.head.leaves());
            let after = after.min(leaves).max(leaf + 1);
            self.next = after.saturating_mul(WIDTH);
        }
        Ok(false)
    }

    fn step(&mut self) -> Result<Option<Replaced<T::Shown<'r>>>, Error> {
        loop {
            if self.next.is_multiple_of(WIDTH) && !self.open_leaf()? {
                return Ok(None);
            }
            let index = self.next;
            self.next += 1;
            let (old, new) = (self.old.element::<T>(index)?, self.new.element::<T>(index)?);
            let same = match (old, new) {
                (Some(old), Some(new)) => {
                    T::same_stored(self.old.reader, old, self.new.reader, new)?
                }
                (None, None) => true,
                _ => false,
            };
            if !same {
                let old = old.map(|old| T::show(self.old.reader, old)).transpose()?;
                let new = new.map(|new| T::show(self.new.reader, new)).transpose()?;
                return Ok(Some((index, old, new)));
            }
        }
    }
}

impl<'r, T: Stored + ?Sized, R: Read + ?Sized, S: Read + ?Sized> Iterator for Places<'r, T, R, S> {
    type Item = Result<Replaced<T::Shown<'r>>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        let step = self.step();
        if step.is_err() {
            (self.old.head, self.new.head, self.next) = (Head::EMPTY, Head::EMPTY, 0);
        }
        step.transpose()
    }
}
