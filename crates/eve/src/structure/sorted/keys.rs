//! The keys of a range, from both ends.

use std::ops::Range;

use super::{Cursor, node::Node, search::less};
use crate::{Addr, Error, Read};

/// Iterator over keys in a range: see [`SortedSet::range`](super::SortedSet::range).
///
/// It gives an error at most once, and nothing after it.
pub struct Keys<'r, const N: usize, R: Read + ?Sized> {
    reader: &'r R,
    root: Addr,
    /// Where reading goes on, once more than one leaf was needed: what looks something up has none, and
    /// is small enough to be moved about.
    front: Option<Box<Cursor<'r, N, R>>>,
    /// The run that the front is in, all of it in the range, and how much of it was given.
    run: Vec<[u64; N]>,
    /// In place of a run of one key, which is what looking something up mostly finds: it takes no memory.
    one: Option<[u64; N]>,
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
    pub(super) fn new(reader: &'r R, root: Addr, from: [u64; N], to: Option<[u64; N]>) -> Self {
        let state = match to {
            Some(to) if !less(&from, &to) => State::Done,
            _ => State::Before,
        };
        let (front, back, run) = (None, None, Vec::new());
        let (given, one, read) = (0, None, None);
        Keys { reader, root, front, run, one, given, read, back, from, to, state }
    }

    /// The next run of the range, as one slice: the fastest way to read many keys. Empty at the
    /// end.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn next_run(&mut self) -> Result<&[[u64; N]], Error> {
        if self.given == self.run().len() {
            self.load()?;
        }
        let given = self.given;
        self.given = self.run().len();
        Ok(&self.run()[given..])
    }

    #[inline(always)]
    fn run(&self) -> &[[u64; N]] {
        match &self.one {
            Some(key) => std::slice::from_ref(key),
            None => &self.run,
        }
    }

    /// Reads on: the next run.
    #[cold]
    fn load(&mut self) -> Result<(), Error> {
        self.run.clear();
        (self.one, self.given) = (None, 0);
        match self.take_run()? {
            Some((leaf, range)) if range.len() == 1 => self.one = Some(leaf.key(range.start)),
            Some((leaf, range)) => leaf.read_keys(range, &mut self.run),
            None => {}
        }
        self.read = self.run().last().copied().or(self.read);
        Ok(())
    }

    /// Where all keys of the range are, if one leaf holds them and a key behind them: what looks something
    /// up mostly finds, without a cursor.
    fn take_whole(&self) -> Result<Option<(Node<'r, N>, Range<usize>)>, Error> {
        let (Some(to), false) = (&self.to, self.root.is_none()) else { return Ok(None) };
        let node = Node::<N>::leaf_for(self.reader, self.root, &self.from)?;
        let first = node.lower_bound(&self.from);
        let end = node.gallop(first, to);
        Ok((end < node.len()).then_some((node, first..end)))
    }

    /// Where the keys of the next run are, if any are left.
    fn take_run(&mut self) -> Result<Option<(Node<'r, N>, Range<usize>)>, Error> {
        let taken = match (std::mem::replace(&mut self.state, State::Done), &mut self.front) {
            (State::Running, Some(front)) => front.take_run(self.to.as_ref())?,
            (State::Before, _) => {
                if let Some(whole) = self.take_whole()? {
                    return Ok(Some(whole));
                }
                let mut front = Cursor::new(self.reader, self.root);
                front.descend_to(&self.from)?;
                let taken = front.take_run(self.to.as_ref())?;
                if taken.as_ref().is_some_and(|(.., last)| !last) {
                    self.front = Some(Box::new(front));
                }
                taken
            }
            _ => None,
        };
        Ok(taken.map(|(leaf, range, last)| {
            self.state = if last { State::Done } else { State::Running };
            (leaf, range)
        }))
    }

    /// Whether the front has already given `key`, or it lies before the range.
    fn is_behind(&self, key: &[u64; N]) -> bool {
        match (self.run().get(self.given), &self.read) {
            (Some(next), _) => less(key, next),
            (None, Some(last)) => !less(last, key),
            (None, None) => less(key, &self.from),
        }
    }

    fn back_key(&mut self) -> Result<Option<[u64; N]>, Error> {
        let back = match &mut self.back {
            Some(back) => back,
            none => {
                let mut back = Box::new(Cursor::new(self.reader, self.root));
                match &self.to {
                    Some(to) => back.descend_to(to)?,
                    None => back.descend_end()?,
                };
                none.insert(back)
            }
        };
        back.prev()
    }

    /// Nothing more is given.
    fn give_up(&mut self) {
        self.run.clear();
        (self.one, self.given) = (None, 0);
    }

    /// Gives `to` up, and all after it.
    fn end_before(&mut self, to: [u64; N]) {
        self.one = self.one.filter(|key| self.given == 1 || less(key, &to));
        if self.one.is_none() {
            let given = self.given.min(self.run.len());
            let left = &self.run[given..];
            self.run.truncate(given + left.partition_point(|key| less(key, &to)));
            self.given = given;
        }
        self.to = Some(to);
    }
}

impl<const N: usize, R: Read + ?Sized> Iterator for Keys<'_, N, R> {
    type Item = Result<[u64; N], Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.given == self.run().len()
            && let Err(error) = self.load()
        {
            return Some(Err(error));
        }
        let key = *self.run().get(self.given)?;
        self.given += 1;
        Some(Ok(key))
    }

    fn fold<B, F: FnMut(B, Self::Item) -> B>(mut self, first: B, mut add: F) -> B {
        let mut sum = first;
        loop {
            match self.next_run() {
                Ok([]) => return sum,
                Ok(run) => sum = run.iter().fold(sum, |sum, key| add(sum, Ok(*key))),
                Err(error) => return add(sum, Err(error)),
            }
        }
    }
}

impl<const N: usize, R: Read + ?Sized> DoubleEndedIterator for Keys<'_, N, R> {
    fn next_back(&mut self) -> Option<Self::Item> {
        // The front may be done with reading and still have keys of its last run to give.
        if self.state == State::Done && self.given == self.run().len() {
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
                self.give_up();
                Some(Err(error))
            }
        }
    }
}
