//! The stream in memory, for one thread: the reference for the others, and for tests and replays.
//!
//! 1. At most `capacity` items are held. Item `i` is held exactly while
//!    `first <= i < first + items.len()`.
//! 2. Under [`WhenFull::Refuse`] an item is dropped only after every living reader went past it, to
//!    make room for a new one.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::{Rc, Weak};
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::convert::Infallible;

use super::{Append, Cursor, Next, Open, Reader, Stream, Writer};
use crate::Value;

/// What a full stream does with one more item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// Refuses it, until the slowest reader goes on.
    Refuse,
    /// Forgets the oldest item; a reader that still wanted it sees a gap.
    Forget,
}

/// A stream in memory. Clones are the same stream.
#[derive(Debug)]
pub struct Memory<T> {
    shared: Rc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    name: Option<String>,
    capacity: usize,
    when_full: WhenFull,
    state: RefCell<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    /// Cursor of the oldest item.
    first: u64,
    closed: bool,
    readers: Vec<Weak<Cell<u64>>>,
}

impl<T> State<T> {
    fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    /// Whether there are readers and all of them are past the oldest item.
    fn oldest_is_read(&mut self) -> bool {
        self.readers.retain(|reader| reader.strong_count() > 0);
        let slowest = self.readers.iter().filter_map(Weak::upgrade).map(|at| at.get()).min();
        slowest.is_some_and(|at| at > self.first)
    }
}

impl<T: Clone> Memory<T> {
    /// An empty stream that holds at most `capacity` items (at least one).
    #[must_use]
    pub fn new(capacity: usize, when_full: WhenFull) -> Self {
        Self::named(None, capacity, when_full)
    }

    fn named(name: Option<String>, capacity: usize, when_full: WhenFull) -> Self {
        let state = State { items: VecDeque::new(), first: 0, closed: false, readers: Vec::new() };
        let capacity = capacity.max(1);
        Self { shared: Rc::new(Shared { name, capacity, when_full, state: RefCell::new(state) }) }
    }
}

impl<T> Clone for Memory<T> {
    fn clone(&self) -> Self {
        Self { shared: Rc::clone(&self.shared) }
    }
}

impl<T: Clone> Stream for Memory<T> {
    type Item = T;
    type Error = Infallible;
    type Reader = MemoryReader<T>;
    type Writer = MemoryWriter<T>;

    /// `{:stream/kind :stream.kind/memory, :stream/name "…"}`; the name is nil outside a [`Space`].
    fn descriptor(&self) -> Value {
        let name = self.shared.name.as_deref().map_or(Value::Nil, Value::text);
        Value::map([
            (Value::keyword(KIND), Value::keyword(KIND_MEMORY)),
            (Value::keyword(NAME), name),
        ])
    }

    fn reader(&self, from: Cursor) -> Result<MemoryReader<T>, Infallible> {
        let at = Rc::new(Cell::new(from.0));
        self.shared.state.borrow_mut().readers.push(Rc::downgrade(&at));
        Ok(MemoryReader { shared: Rc::clone(&self.shared), at })
    }

    fn writer(&self) -> Result<MemoryWriter<T>, Infallible> {
        Ok(MemoryWriter { shared: Rc::clone(&self.shared) })
    }
}

/// Reads a [`Memory`].
#[derive(Debug)]
pub struct MemoryReader<T> {
    shared: Rc<Shared<T>>,
    at: Rc<Cell<u64>>,
}

impl<T: Clone> Reader for MemoryReader<T> {
    type Item = T;
    type Error = Infallible;

    fn next(&mut self) -> Result<Next<T>, Infallible> {
        let state = self.shared.state.borrow();
        let at = self.at.get();
        let Some(index) = at.checked_sub(state.first) else {
            self.at.set(state.first);
            return Ok(Next::Gap);
        };
        let item = usize::try_from(index).ok().and_then(|index| state.items.get(index));
        Ok(match item {
            Some(item) => {
                self.at.set(at + 1);
                Next::Value(item.clone())
            }
            None if state.closed => Next::End,
            None => Next::Blocked,
        })
    }

    fn cursor(&self) -> Cursor {
        Cursor(self.at.get())
    }
}

/// Appends to a [`Memory`].
#[derive(Debug)]
pub struct MemoryWriter<T> {
    shared: Rc<Shared<T>>,
}

impl<T: Clone> Writer for MemoryWriter<T> {
    type Item = T;
    type Error = Infallible;

    fn append(&mut self, item: &T) -> Result<Append, Infallible> {
        let mut state = self.shared.state.borrow_mut();
        if state.closed {
            return Ok(Append::Closed);
        }
        if state.items.len() >= self.shared.capacity {
            if self.shared.when_full == WhenFull::Refuse && !state.oldest_is_read() {
                return Ok(Append::Full);
            }
            state.items.pop_front();
            state.first += 1;
        }
        state.items.push_back(item.clone());
        debug_assert!(state.end() > state.first && state.items.len() <= self.shared.capacity);
        Ok(Append::Ok)
    }

    fn close(&mut self) -> Result<(), Infallible> {
        self.shared.state.borrow_mut().closed = true;
        Ok(())
    }
}

const KIND: &str = "stream/kind";
const KIND_MEMORY: &str = "stream.kind/memory";
const NAME: &str = "stream/name";

/// Named streams in memory: where their descriptors can be opened.
///
/// ```
/// use datom::stream::{Open, Space, Stream, WhenFull};
///
/// let space = Space::<u64>::default();
/// let stream = space.create("numbers", 16, WhenFull::Refuse);
/// let descriptor = stream.descriptor();
/// assert_eq!(
///     descriptor.to_string(),
///     "{:stream/kind :stream.kind/memory, :stream/name \"numbers\"}"
/// );
/// assert_eq!(space.open(&descriptor).unwrap().descriptor(), descriptor);
/// ```
#[derive(Clone, Debug)]
pub struct Space<T> {
    streams: Rc<RefCell<BTreeMap<String, Memory<T>>>>,
}

impl<T> Default for Space<T> {
    fn default() -> Self {
        Self { streams: Rc::default() }
    }
}

impl<T: Clone> Space<T> {
    /// Makes an empty stream of a name, in place of one that had it.
    pub fn create(&self, name: &str, capacity: usize, when_full: WhenFull) -> Memory<T> {
        let stream = Memory::named(Some(name.into()), capacity, when_full);
        self.streams.borrow_mut().insert(name.into(), stream.clone());
        stream
    }
}

/// Why a [`Space`] cannot open a descriptor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The value does not describe a stream in memory.
    #[error(
        "{descriptor} describes no stream in memory, which looks like \
         {{:stream/kind :stream.kind/memory, :stream/name \"…\"}}"
    )]
    Descriptor {
        /// The value.
        descriptor: Value,
    },
    /// There is no stream of that name here.
    #[error("there is no stream named {name:?} in this space; create it first")]
    Unknown {
        /// The name.
        name: String,
    },
}

impl<T: Clone> Open for Space<T> {
    type Stream = Memory<T>;
    type Error = OpenError;

    fn open(&self, descriptor: &Value) -> Result<Memory<T>, OpenError> {
        let kind = descriptor.get(KIND).and_then(Value::as_keyword);
        let name = descriptor.get(NAME).and_then(Value::as_text);
        let (Some(KIND_MEMORY), Some(name)) = (kind.map(|kind| kind.as_str()), name) else {
            return Err(OpenError::Descriptor { descriptor: descriptor.clone() });
        };
        let stream = self.streams.borrow().get(name).cloned();
        stream.ok_or_else(|| OpenError::Unknown { name: name.into() })
    }
}

#[cfg(test)]
mod tests;
