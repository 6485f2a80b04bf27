//! A ring in a file as a stream of datoms: the traits of [`datom::stream`].
//!
//! The descriptor is `{:stream/kind :stream.kind/ring, :stream/path "…", :stream/layout :packed,
//! :stream/capacity 4096}`; whoever opens it first makes the ring. A ring has one writer and one
//! reader, so there is one of each at a time. An item is released as it is read: a reader opened
//! behind what is released begins with a gap, and one opened before it is there skips to its cursor.

use std::path::{Path, PathBuf};

use datom::stream::{Append, Cursor, Next, Open, Reader, Stream, Writer};
use datom::{Datom, Value};

use super::{Consumer, Error, Layout, Mapped, Producer, Ring};

const KIND: &str = "stream/kind";
const KIND_RING: &str = "stream.kind/ring";
const PATH: &str = "stream/path";
const LAYOUT: &str = "stream/layout";
const CAPACITY: &str = "stream/capacity";

/// A ring as a stream.
///
/// ```
/// use datom::{Datom, Word};
/// use datom::stream::{Append, Cursor, Next, Open, Reader, Stream, Writer};
/// use eve::ring::{Layout, RingStream, Rings};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("facts.ring");
///
/// let stream = RingStream::at(&path, Layout::Packed, 1024)?;
/// let fact = Datom { e: 1, a: 2, v: Word::NIL, t: 3, m: 1 };
/// assert_eq!(stream.writer()?.append(&fact)?, Append::Ok);
///
/// let there = Rings.open(&stream.descriptor())?; // in any process
/// assert_eq!(there.reader(Cursor::START)?.next()?, Next::Value(fact));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RingStream {
    path: PathBuf,
    ring: Ring<Mapped>,
}

impl RingStream {
    /// The stream of the ring at `path`, made if there is none.
    ///
    /// # Errors
    /// As [`Ring::at`].
    pub fn at(path: impl AsRef<Path>, layout: Layout, capacity: u64) -> Result<Self, Error> {
        let ring = Ring::at(&path, layout, capacity)?;
        Ok(RingStream { path: path.as_ref().to_owned(), ring })
    }
}

impl Stream for RingStream {
    type Item = Datom;
    type Error = Error;
    type Reader = RingReader;
    type Writer = RingWriter;

    fn descriptor(&self) -> Value {
        let layout = match self.ring.layout() {
            Layout::Packed => "packed",
            Layout::Sequenced => "sequenced",
        };
        let capacity = i64::try_from(self.ring.capacity()).map_or(Value::Nil, Value::Int);
        Value::map([
            (Value::keyword(KIND), Value::keyword(KIND_RING)),
            (Value::keyword(PATH), Value::text(&self.path.to_string_lossy())),
            (Value::keyword(LAYOUT), Value::keyword(layout)),
            (Value::keyword(CAPACITY), capacity),
        ])
    }

    fn reader(&self, from: Cursor) -> Result<RingReader, Error> {
        Ok(RingReader { consumer: self.ring.consumer()?, at: from })
    }

    fn writer(&self) -> Result<RingWriter, Error> {
        match self.ring.producer() {
            Ok(producer) => Ok(RingWriter { producer: Some(producer) }),
            Err(Error::Closed) => Ok(RingWriter { producer: None }),
            Err(other) => Err(other),
        }
    }
}

/// Reads a [`RingStream`].
#[derive(Debug)]
pub struct RingReader {
    consumer: Consumer<Mapped>,
    at: Cursor,
}

impl Reader for RingReader {
    type Item = Datom;
    type Error = Error;

    fn next(&mut self) -> Result<Next<Datom>, Error> {
        loop {
            let released = Cursor(self.consumer.released());
            if self.at < released {
                self.at = released;
                return Ok(Next::Gap);
            }
            match self.consumer.try_pop() {
                Ok(Some(_)) if released < self.at => {} // in front of where the reader was opened
                Ok(Some(words)) => {
                    self.at = self.at.next();
                    return Ok(Next::Value(Datom::from_words(words)));
                }
                Ok(None) => return Ok(Next::Blocked),
                Err(Error::Closed) => return Ok(Next::End),
                Err(other) => return Err(other),
            }
        }
    }

    fn cursor(&self) -> Cursor {
        self.at
    }
}

/// Appends to a [`RingStream`].
#[derive(Debug)]
pub struct RingWriter {
    /// None once the stream is closed.
    producer: Option<Producer<Mapped>>,
}

impl Writer for RingWriter {
    type Item = Datom;
    type Error = Error;

    fn append(&mut self, item: &Datom) -> Result<Append, Error> {
        let Some(producer) = &mut self.producer else { return Ok(Append::Closed) };
        match producer.try_push(item.to_words()) {
            Ok(true) => Ok(Append::Ok),
            Ok(false) => Ok(Append::Full),
            Err(Error::Closed) => Ok(Append::Closed),
            Err(other) => Err(other),
        }
    }

    fn close(&mut self) -> Result<(), Error> {
        if let Some(producer) = self.producer.take() {
            producer.close();
        }
        Ok(())
    }
}

/// Opens the descriptors of [`RingStream`]s.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rings;

/// Why a descriptor cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The value does not describe a ring.
    #[error(
        "{descriptor} describes no ring, which looks like {{:stream/kind :stream.kind/ring, \
         :stream/path \"…\", :stream/layout :packed, :stream/capacity 4096}}"
    )]
    Descriptor {
        /// The value.
        descriptor: Value,
    },
    /// The ring cannot be opened.
    #[error(transparent)]
    Ring(#[from] Error),
}

impl Open for Rings {
    type Stream = RingStream;
    type Error = OpenError;

    fn open(&self, descriptor: &Value) -> Result<RingStream, OpenError> {
        let keyword = |key: &str| descriptor.get(key).and_then(Value::as_keyword);
        let kind = keyword(KIND).map(|kind| kind.as_str());
        let layout = match keyword(LAYOUT).map(|layout| layout.as_str()) {
            Some("packed") => Some(Layout::Packed),
            Some("sequenced") => Some(Layout::Sequenced),
            _ => None,
        };
        let capacity = match descriptor.get(CAPACITY) {
            Some(Value::Int(capacity)) => u64::try_from(*capacity).ok(),
            _ => None,
        };
        let path = descriptor.get(PATH).and_then(Value::as_text);
        match (kind, path, layout, capacity) {
            (Some(KIND_RING), Some(path), Some(layout), Some(capacity)) => {
                Ok(RingStream::at(path, layout, capacity)?)
            }
            _ => Err(OpenError::Descriptor { descriptor: descriptor.clone() }),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use datom::Word;
    use datom::stream::conformance;

    use super::*;

    struct Folder(tempfile::TempDir, Layout, u64);

    impl conformance::Subject for Folder {
        type Item = Datom;
        type Stream = RingStream;

        fn fresh(&mut self) -> RingStream {
            self.2 += 1;
            RingStream::at(self.0.path().join(self.2.to_string()), self.1, 64).unwrap()
        }

        fn open(&mut self, descriptor: &Value) -> RingStream {
            Rings.open(descriptor).unwrap()
        }

        fn item(&self, n: u64) -> Datom {
            Datom { e: n, a: !n, v: Word::NIL, t: n << 3, m: 1 }
        }
    }

    #[test]
    fn a_ring_is_a_stream() {
        for layout in [Layout::Packed, Layout::Sequenced] {
            let mut folder = Folder(tempfile::tempdir().unwrap(), layout, 0);
            assert_eq!(conformance::check(&mut folder), Ok(()));
        }
    }

    #[test]
    fn what_describes_no_ring_is_refused() {
        for text in ["nil", "{}", "{:stream/kind :stream.kind/ring}", "[1 2]"] {
            let descriptor = datom::edn::read(text).unwrap();
            assert!(matches!(Rings.open(&descriptor), Err(OpenError::Descriptor { .. })), "{text}");
        }
    }
}
