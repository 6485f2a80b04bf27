//! The entries of a range, from both ends.

use std::ops::{Bound, RangeBounds};

use super::{ByteCursor, ByteMap};
use crate::structure::stored::{Code, Stored};
use crate::{Error, Read};

/// Iterator over the entries of a range: see [`ByteMap::range`].
///
/// It counts the range when it gives its first entry, and so knows when both ends have met. It gives an
/// error at most once, and nothing after it.
pub struct ByteEntries<'r, K: Stored + ?Sized, V: Stored + ?Sized, R: Read + ?Sized> {
    map: ByteMap<K, V>,
    limits: Limits,
    front: ByteCursor<'r, K, V, R>,
    back: Option<ByteCursor<'r, K, V, R>>,
    /// How many entries were given neither from the front nor from the back.
    left: Option<u64>,
}

/// An entry as the iterator gives it.
type Entry<'r, K, V> = (<K as Code>::Owned, <V as Code>::Shown<'r>);

/// The least key of a range, and the least above all of it.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) from: Vec<u8>,
    pub(super) to: Option<Vec<u8>>,
}

impl Limits {
    pub(super) fn of<'k, K: Stored + ?Sized + 'k>(range: &impl RangeBounds<&'k K>) -> Self {
        let from = match range.start_bound() {
            Bound::Unbounded => Vec::new(),
            Bound::Included(key) => key.key_bytes().to_vec(),
            Bound::Excluded(key) => after(key.key_bytes()),
        };
        let to = match range.end_bound() {
            Bound::Unbounded => None,
            Bound::Included(key) => Some(after(key.key_bytes())),
            Bound::Excluded(key) => Some(key.key_bytes().to_vec()),
        };
        Limits { from, to }
    }

    pub(super) fn of_prefix(prefix: &[u8]) -> Self {
        // The last byte that can be one more, and is.
        let kept = prefix.iter().rposition(|byte| *byte < u8::MAX);
        let to = kept.map(|last| {
            let mut to = prefix[..=last].to_vec();
            to[last] += 1;
            to
        });
        Limits { from: prefix.to_vec(), to }
    }
}

/// The least key above `key`.
fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

impl<'r, K: Stored + ?Sized, V: Stored + ?Sized, R: Read + ?Sized> ByteEntries<'r, K, V, R> {
    pub(super) fn new(reader: &'r R, map: ByteMap<K, V>, limits: Limits) -> Self {
        ByteEntries { map, limits, front: map.cursor(reader), back: None, left: None }
    }

    /// Takes one of the entries that are left, if any is.
    #[inline]
    fn take(&mut self) -> Result<bool, Error> {
        let left = match self.left {
            Some(left) => left,
            None => self.start()?,
        };
        self.left = Some(left.saturating_sub(1));
        Ok(left > 0)
    }

    #[cold]
    fn start(&mut self) -> Result<u64, Error> {
        let Limits { from, to } = &self.limits;
        let left = self.map.count_between(self.front.reader(), from, to.as_deref())?;
        if !from.is_empty() {
            self.front.descend_to(from)?;
        }
        Ok(left)
    }

    fn step(&mut self) -> Result<Option<Entry<'r, K, V>>, Error> {
        if !self.take()? {
            return Ok(None);
        }
        self.map.own(self.front.next()?).map(Some)
    }

    fn step_back(&mut self) -> Result<Option<Entry<'r, K, V>>, Error> {
        if !self.take()? {
            return Ok(None);
        }
        if self.back.is_none() {
            let mut back = self.map.cursor(self.front.reader());
            match &self.limits.to {
                Some(to) => drop(back.descend_to(to)?),
                None => back.descend_end()?,
            }
            self.back = Some(back);
        }
        let given = self.back.as_mut().map_or(Ok(None), ByteCursor::prev)?;
        self.map.own(given).map(Some)
    }
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> ByteMap<K, V> {
    /// A lent entry to keep; that there is one was counted.
    fn own<T>(self, lent: Option<(&[u8], T)>) -> Result<(K::Owned, T), Error> {
        match lent.map(|(key, value)| (K::from_key_bytes(key), value)) {
            Some((Some(key), value)) => Ok((key, value)),
            Some((None, _)) => Err(Error::corrupt("a key of another length", self.root())),
            None => Err(Error::corrupt("byte map that miscounts its entries", self.root())),
        }
    }
}

impl<'r, K: Stored + ?Sized, V: Stored + ?Sized, R: Read + ?Sized> Iterator
    for ByteEntries<'r, K, V, R>
{
    type Item = Result<(K::Owned, V::Shown<'r>), Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.left = Some(0);
        }
        step.transpose()
    }
}

impl<K: Stored + ?Sized, V: Stored + ?Sized, R: Read + ?Sized> DoubleEndedIterator
    for ByteEntries<'_, K, V, R>
{
    fn next_back(&mut self) -> Option<Self::Item> {
        let step = self.step_back();
        if step.is_err() {
            self.left = Some(0);
        }
        step.transpose()
    }
}
