//! The elements of a vector, from both ends.

use std::{marker::PhantomData, ops::RangeBounds};

use super::{
    Stored,
    node::{Head, WIDTH, leaf_of},
};
use crate::{Addr, Error, Read};

/// Iterator over a vector's elements: see [`Vector::range`](super::Vector::range).
///
/// It gives an error at most once, and nothing after it.
pub struct Items<'r, T: Stored + ?Sized, R: Read + ?Sized> {
    reader: &'r R,
    head: Head,
    next: u64,
    end: u64,
    /// Number and elements of the leaf read last, from either end.
    front: Option<(u64, &'r [u64])>,
    back: Option<(u64, &'r [u64])>,
    /// Why there is nothing to give.
    failed: Option<Error>,
    element: PhantomData<fn(&T)>,
}

impl<'r, T: Stored + ?Sized, R: Read + ?Sized> Items<'r, T, R> {
    pub(super) fn new(reader: &'r R, root: Addr, range: &impl RangeBounds<u64>) -> Self {
        let (head, failed) = match Head::read::<T, R>(reader, root) {
            Ok(head) => (head, None),
            Err(error) => (Head::EMPTY, Some(error)),
        };
        let (next, end) = crate::structure::limits(range, head.len);
        Items { reader, head, next, end, front: None, back: None, failed, element: PhantomData }
    }

    fn show(&mut self, index: u64, from_back: bool) -> Result<T::Shown<'r>, Error> {
        let kept = if from_back { &mut self.back } else { &mut self.front };
        let leaf = match kept {
            Some((number, leaf)) if *number == index / WIDTH => *leaf,
            _ => {
                let leaf = leaf_of::<T, R>(self.reader, &self.head, index)?;
                kept.insert((index / WIDTH, leaf)).1
            }
        };
        let at = (index % WIDTH) as usize * T::WORDS;
        match leaf.get(at..at + T::WORDS) {
            Some(words) => T::show(self.reader, words),
            None => Err(Error::corrupt("vector leaf that is too short", self.head.at)),
        }
    }

    fn take(&mut self, index: u64, from_back: bool) -> Option<Result<T::Shown<'r>, Error>> {
        let shown = self.show(index, from_back);
        if shown.is_err() {
            self.end = self.next;
        }
        Some(shown)
    }
}

impl<'r, T: Stored + ?Sized, R: Read + ?Sized> Iterator for Items<'r, T, R> {
    type Item = Result<T::Shown<'r>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return self.failed.take().map(Err);
        }
        self.next += 1;
        self.take(self.next - 1, false)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.end - self.next).ok();
        (0, left.map(|left| left + usize::from(self.failed.is_some())))
    }
}

impl<T: Stored + ?Sized, R: Read + ?Sized> DoubleEndedIterator for Items<'_, T, R> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return self.failed.take().map(Err);
        }
        self.end -= 1;
        self.take(self.end, true)
    }
}
