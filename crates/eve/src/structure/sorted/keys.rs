//! The keys of a range, from both ends.

use std::slice;

use super::{
    Cursor,
    search::{less, lower_bound},
};
use crate::{Error, Read};

/// Iterator over keys in a range: see [`SortedSet::range`](super::SortedSet::range).
///
/// It gives an error at most once, and nothing after it.
pub struct Keys<'r, const N: usize, R: Read + ?Sized> {
    front: Cursor<'r, N, R>,
    /// What is left of the run that the front is in: all of it lies in the range.
    run: slice::Iter<'r, [u64; N]>,
    /// The last key that the front gave lies in here, at its end, once `run` is empty.
    given: &'r [[u64; N]],
    back: Option<Cursor<'r, N, R>>,
    from: [u64; N],
    /// The first key that is not to be given any more.
    to: Option<[u64; N]>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    Running,
    /// Nothing more is to be read; `run` may still hold keys.
    Done,
}

impl<'r, const N: usize, R: Read + ?Sized> Keys<'r, N, R> {
    pub(super) fn new(front: Cursor<'r, N, R>, from: [u64; N], to: Option<[u64; N]>) -> Self {
        let state = match to {
            Some(to) if !less(&from, &to) => State::Done,
            _ => State::Before,
        };
        Keys { front, run: [].iter(), given: &[], back: None, from, to, state }
    }

    /// Clips what lies in front to what lies below `to`.
    fn clip(&self, run: &'r [[u64; N]]) -> &'r [[u64; N]] {
        match (&self.to, run.last()) {
            (Some(to), Some(last)) if !less(last, to) => &run[..lower_bound(run, to)],
            _ => run,
        }
    }

    /// The next run of the range, as one slice: the fastest way to read many keys. Empty at the
    /// end.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn next_run(&mut self) -> Result<&'r [[u64; N]], Error> {
        let left = std::mem::replace(&mut self.run, [].iter()).as_slice();
        if left.is_empty() { self.load() } else { Ok(left) }
    }

    /// Reads on: the next run, which is taken as given.
    fn load(&mut self) -> Result<&'r [[u64; N]], Error> {
        let run = match self.state {
            State::Done => return Ok(&[]),
            State::Before => self.front.seek(&self.from).and_then(|_| self.front.next_run()),
            State::Running => self.front.next_run(),
        };
        self.state = State::Done;
        let whole = run?;
        let run = self.clip(whole);
        if !run.is_empty() {
            self.given = run;
            // A clipped run is the last one.
            self.state = if run.len() == whole.len() { State::Running } else { State::Done };
        }
        Ok(run)
    }

    #[cold]
    fn next_slow(&mut self) -> Option<Result<&'r [u64; N], Error>> {
        match self.load() {
            Ok(run) => {
                self.run = run.iter();
                self.run.next().map(Ok)
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// Whether the front has already given `key`, or it lies before the range.
    fn is_behind(&self, key: &[u64; N]) -> bool {
        match (self.run.as_slice().first(), self.given.last()) {
            (Some(next), _) => less(key, next),
            (None, Some(last)) => !less(last, key),
            (None, None) => less(key, &self.from),
        }
    }

    fn back_key(&mut self) -> Result<Option<&'r [u64; N]>, Error> {
        let back = match &mut self.back {
            Some(back) => back,
            none => {
                let mut back = self.front.clone();
                match &self.to {
                    Some(to) => back.seek(to)?,
                    None => back.last()?,
                };
                none.insert(back)
            }
        };
        back.prev()
    }
}

impl<'r, const N: usize, R: Read + ?Sized> Iterator for Keys<'r, N, R> {
    type Item = Result<&'r [u64; N], Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self.run.next() {
            Some(key) => Some(Ok(key)),
            None => self.next_slow(),
        }
    }
}

impl<const N: usize, R: Read + ?Sized> DoubleEndedIterator for Keys<'_, N, R> {
    fn next_back(&mut self) -> Option<Self::Item> {
        // The front may be done with reading and still have keys of its last run to give.
        if self.state == State::Done && self.run.as_slice().is_empty() {
            return None;
        }
        match self.back_key() {
            Ok(Some(key)) if !self.is_behind(key) => {
                self.to = Some(*key);
                self.run = self.clip(self.run.as_slice()).iter();
                Some(Ok(key))
            }
            Ok(_) => {
                self.state = State::Done;
                None
            }
            Err(error) => {
                (self.state, self.run) = (State::Done, [].iter());
                Some(Err(error))
            }
        }
    }
}
