//! Streams: everything that moves, behind one small set of traits.
//!
//! A stream is a sequence of items (datoms, [frames](crate::Frame), whatever an implementation
//! carries). What names it is a *descriptor*, a plain [`Value`] that can be stored, sent and opened
//! elsewhere. Readers hold cursors; writers append.
//!
//! 1. Items come out in the order they went in, each once to each reader, unless the reader is told
//!    of a [`Next::Gap`].
//! 2. A [`Cursor`] counts the items in front of it. A reader opened at the cursor of another goes
//!    on exactly there, or begins with a gap: it never repeats and never skips in silence.
//! 3. What [`Append::Full`] or [`Append::Closed`] answers has changed nothing.
//! 4. [`Next::End`] comes only after a close, behind the last item, and stays.
//! 5. None of it waits. Whoever wants to wait uses what the implementation offers.
//!
//! [`Memory`] is the implementation within one thread. The `conformance` feature has the suite that
//! every implementation runs.
//!
//! ```
//! use datom::stream::{Append, Cursor, Memory, Next, Reader, Stream, WhenFull, Writer};
//!
//! let stream = Memory::new(2, WhenFull::Refuse);
//! let mut writer = stream.writer().unwrap();
//! let mut reader = stream.reader(Cursor::START).unwrap();
//! writer.append(&"a").unwrap();
//! writer.append(&"b").unwrap();
//! assert_eq!(writer.append(&"c"), Ok(Append::Full));
//! assert_eq!(reader.next(), Ok(Next::Value("a")));
//! assert_eq!(writer.append(&"c"), Ok(Append::Ok));
//! ```

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod memory;

pub use memory::{Memory, MemoryReader, MemoryWriter, OpenError, Space, WhenFull};

use crate::Value;

/// A place in a stream: how many items are in front of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(pub u64);

impl Cursor {
    /// In front of the first item.
    pub const START: Cursor = Cursor(0);

    /// Behind one more item.
    #[must_use]
    pub const fn next(self) -> Self {
        Cursor(self.0.saturating_add(1))
    }
}

/// What a reader finds at its cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<T> {
    /// The item there; the cursor now stands behind it.
    Value(T),
    /// Nothing yet: the stream is open and the cursor behind its last item.
    Blocked,
    /// Nothing ever: the stream is closed and the cursor behind its last item.
    End,
    /// The items from here on are gone. The cursor now stands in front of the oldest that is left,
    /// so the difference of the cursors says how many were lost.
    Gap,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Append {
    /// It is in the stream.
    Ok,
    /// It is not: there is no room until a reader goes on.
    Full,
    /// It is not: the stream is closed.
    Closed,
}

/// Reads a stream from a cursor on.
pub trait Reader {
    /// What the stream carries.
    type Item;
    /// Why reading can fail.
    type Error;

    /// What stands at the cursor, which moves behind it. Does not wait.
    ///
    /// # Errors
    /// If the implementation fails; the cursor stays where it was.
    fn next(&mut self) -> Result<Next<Self::Item>, Self::Error>;

    /// Where the reader stands. A reader opened there later goes on with the same item.
    fn cursor(&self) -> Cursor;
}

/// Appends to a stream.
///
/// Dropping a writer does not close the stream: a process that died has not said that nothing
/// follows.
pub trait Writer {
    /// What the stream carries.
    type Item;
    /// Why appending can fail.
    type Error;

    /// Appends an item, or says why it did not. Does not wait.
    ///
    /// # Errors
    /// If the implementation fails; the item may then be in the stream or not.
    fn append(&mut self, item: &Self::Item) -> Result<Append, Self::Error>;

    /// Ends the stream for all its writers; closing it again does nothing.
    ///
    /// # Errors
    /// If the implementation fails.
    fn close(&mut self) -> Result<(), Self::Error>;
}

/// A stream that is open.
pub trait Stream {
    /// What it carries.
    type Item;
    /// Why its operations can fail.
    type Error;
    /// Its readers.
    type Reader: Reader<Item = Self::Item, Error = Self::Error>;
    /// Its writers.
    type Writer: Writer<Item = Self::Item, Error = Self::Error>;

    /// The plain value that [`Open::open`] realises as this stream again.
    fn descriptor(&self) -> Value;

    /// A reader that begins at a cursor.
    ///
    /// # Errors
    /// If the implementation has no reader to give.
    fn reader(&self, from: Cursor) -> Result<Self::Reader, Self::Error>;

    /// A writer.
    ///
    /// # Errors
    /// If the implementation has no writer to give.
    fn writer(&self) -> Result<Self::Writer, Self::Error>;
}

/// Realises descriptors.
pub trait Open {
    /// The streams it opens.
    type Stream: Stream;
    /// Why a descriptor cannot be opened.
    type Error;

    /// The stream that a descriptor names.
    ///
    /// # Errors
    /// If the value is no descriptor of such a stream, or the stream is not there.
    fn open(&self, descriptor: &Value) -> Result<Self::Stream, Self::Error>;
}
