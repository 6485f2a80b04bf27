//! The keys of a range, from both ends.

use std::ops::Range;

use super::{Cursor, node::Node, search::less};
use crate::{Error, Read};

/// Iterator over keys in a range: see [`SortedSet::range`](super::SortedSet::range).
///
/// It gives an error at most once, and nothing after it.
pub struct Keys<'r, const N: usize, R: Read + ?Sized> {
    front: Cursor<'r, N, R>,
    /// The run that the front is in, all of it in the range, and how much of it was given.
    run: Vec<[u64; N]>,
    given: usize,
    /// The last key of that run when it was read: the front gave it, or will, or the back did.
    read: Option<[u64; N]>,
    back: Option<Box<Cursor<'r, N, R>>>,
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
        Keys { front, run: Vec::new(), given: 0, read: None, back: None, from, to, state }
    }

    /// The next run of the range, as one slice: the fastest way to read many keys. Empty at the
    /// end.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn next_run(&mut self) -> Result<&[[u64; N]], Error> {
        if self.given == self.run.len() {
            self.run.clear();
            if let Some((leaf, range)) = self.take_run()? {
                leaf.read_keys(range, &mut self.run);
            }
            self.read = self.run.last().copied().or(self.read);
            self.given = 0;
        }
        let left = &self.run[self.given..];
        self.given = self.run.len();
        Ok(left)
    }

    /// Reads on: the first key of the next run. A run of one key, which is what looking something up
    /// mostly finds, takes no memory.
    #[inline(never)]
    fn read_on(&mut self) -> Result<Option<[u64; N]>, Error> {
        self.run.clear();
        self.given = 0;
        let Some((leaf, range)) = self.take_run()?.filter(|(_, range)| !range.is_empty()) else {
            return Ok(None);
        };
        let first = leaf.key(range.start);
        leaf.read_keys(range.start + 1..range.end, &mut self.run);
        self.read = self.run.last().copied().or(Some(first));
        Ok(Some(first))
    }

    /// Where the keys of the next run are, if any are left.
    fn take_run(&mut self) -> Result<Option<(Node<'r, N>, Range<usize>)>, Error> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Done => return Ok(None),
            State::Before => self.front.descend_to(&self.from)?,
            State::Running => {}
        }
        let Some((leaf, range, last)) = self.front.take_run(self.to.as_ref())? else {
            return Ok(None);
        };
        if !last {
            self.state = State::Running;
        }
        Ok(Some((leaf, range)))
    }

    /// Whether the front has already given `key`, or it lies before the range.
    fn is_behind(&self, key: &[u64; N]) -> bool {
        match (self.run.get(self.given), &self.read) {
            (Some(next), _) => less(key, next),
            (None, Some(last)) => !less(last, key),
            (None, None) => less(key, &self.from),
        }
    }

    fn back_key(&mut self) -> Result<Option<[u64; N]>, Error> {
        let back = match &mut self.back {
            Some(back) => back,
            none => {
                let mut back = Box::new(self.front.clone());
                match &self.to {
                    Some(to) => back.descend_to(to)?,
                    None => back.descend_end()?,
                };
                none.insert(back)
            }
        };
        back.prev()
    }

    /// Gives `to` up, and all after it.
    fn end_before(&mut self, to: [u64; N]) {
        let left = &self.run[self.given..];
        self.run.truncate(self.given + left.partition_point(|key| less(key, &to)));
        self.to = Some(to);
    }
}

impl<const N: usize, R: Read + ?Sized> Iterator for Keys<'_, N, R> {
    type Item = Result<[u64; N], Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self.run.get(self.given) {
            Some(key) => {
                self.given += 1;
                Some(Ok(*key))
            }
            None => self.read_on().transpose(),
        }
    }
}

impl<const N: usize, R: Read + ?Sized> DoubleEndedIterator for Keys<'_, N, R> {
    fn next_back(&mut self) -> Option<Self::Item> {
        // The front may be done with reading and still have keys of its last run to give.
        if self.state == State::Done && self.given == self.run.len() {
            return None;
        }
        match self.back_key() {
            Ok(Some(key)) if !self.is_behind(&key) => {
                self.end_before(key);
                Some(Ok(key))
            }
            Ok(_) => {
                self.state = State::Done;
                None
            }
            Err(error) => {
                self.state = State::Done;
                self.run.truncate(self.given);
                Some(Err(error))
            }
        }
    }
}
