//! The suite that every implementation of [streams](super) runs.
//!
//! It drives a stream and a plain vector of all appended items through the same pseudo-random
//! operations, and compares them after each. The cited numbers are the laws of the
//! [module](super).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Debug;

use super::{Append, Cursor, Next, Reader, Stream, Writer};
use crate::{Value, edn, portable};

/// Operations of one run.
const STEPS: usize = 2_000;
/// Runs, each with another seed and another mix of operations.
const RUNS: u64 = 8;

/// What an implementation lends to the suite.
pub trait Subject {
    /// What the stream carries.
    type Item: PartialEq + Debug;
    /// The stream.
    type Stream: Stream<Item = Self::Item, Error: Debug>;

    /// A new empty stream.
    fn fresh(&mut self) -> Self::Stream;

    /// The stream of a descriptor, opened as another process would.
    fn open(&mut self, descriptor: &Value) -> Self::Stream;

    /// The n-th item; the items of different numbers must differ.
    fn item(&self, n: u64) -> Self::Item;
}

/// Checks an implementation. One reader and one writer exist at a time.
///
/// ```
/// # #[cfg(feature = "conformance")] {
/// use datom::Value;
/// use datom::stream::{Memory, Open, Space, WhenFull, conformance};
///
/// struct Spaces(Space<u64>);
/// impl conformance::Subject for Spaces {
///     type Item = u64;
///     type Stream = Memory<u64>;
///     fn fresh(&mut self) -> Memory<u64> {
///         self.0.create("it", 8, WhenFull::Refuse)
///     }
///     fn open(&mut self, descriptor: &Value) -> Memory<u64> {
///         self.0.open(descriptor).unwrap()
///     }
///     fn item(&self, n: u64) -> u64 {
///         n
///     }
/// }
/// assert_eq!(conformance::check(&mut Spaces(Space::default())), Ok(()));
/// # }
/// ```
///
/// # Errors
/// The first law that is broken, with the run and step.
pub fn check<S: Subject>(subject: &mut S) -> Result<(), String> {
    descriptor_is_plain(subject)?;
    for seed in 1..=RUNS {
        run(subject, seed)?;
    }
    Ok(())
}

/// A descriptor survives text and bytes, and what was appended is there for who opens it.
fn descriptor_is_plain<S: Subject>(subject: &mut S) -> Result<(), String> {
    let stream = subject.fresh();
    let descriptor = stream.descriptor();
    let read = edn::read(&descriptor.to_string()).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    portable::encode(&descriptor, &mut bytes);
    let (decoded, _) = portable::decode(&bytes).map_err(|error| error.to_string())?;
    if read != descriptor || decoded != descriptor {
        return Err(format!("the descriptor {descriptor} is no plain value"));
    }
    let mut writer = stream.writer().map_err(failed)?;
    let item = subject.item(0);
    if writer.append(&item).map_err(failed)? != Append::Ok {
        return Err("a fresh stream takes no item".into());
    }
    let other = subject.open(&descriptor);
    match other.reader(Cursor::START).map_err(failed)?.next().map_err(failed)? {
        Next::Value(found) if found == item => Ok(()),
        found => Err(format!("the stream opened by its descriptor has {found:?}, not {item:?}")),
    }
}

fn failed(error: impl Debug) -> String {
    format!("an operation failed: {error:?}")
}

/// A stream beside the items that it must hold.
struct Pair<S: Subject> {
    stream: S::Stream,
    /// None only while it is replaced.
    reader: Option<<S::Stream as Stream>::Reader>,
    writer: <S::Stream as Stream>::Writer,
    appended: u64,
    closed: bool,
}

fn run<S: Subject>(subject: &mut S, seed: u64) -> Result<(), String> {
    let stream = subject.fresh();
    let reader = stream.reader(Cursor::START).map_err(failed)?;
    let writer = stream.writer().map_err(failed)?;
    let mut pair: Pair<S> =
        Pair { stream, reader: Some(reader), writer, appended: 0, closed: false };
    let mut random = seed;
    // Runs differ in how much they write for what they read.
    let writes = 2 + seed % 5;
    for step in 0..STEPS {
        random = next_random(random);
        let result = match random % 8 {
            0 if random.is_multiple_of(64) => pair.reopen(),
            kind if kind < writes => pair.append(subject),
            _ => pair.next(subject),
        };
        result.map_err(|error| format!("run {seed}, step {step}: {error}"))?;
    }
    pair.drain_and_append(subject)?;
    pair.writer.close().map_err(failed)?;
    pair.writer.close().map_err(failed)?;
    pair.closed = true;
    pair.append(subject)?;
    while pair.next(subject)? {}
    for _ in 0..3 {
        pair.next(subject)?;
    }
    pair.reopen()?;
    pair.next(subject).map(drop)
}

impl<S: Subject> Pair<S> {
    /// Appends; whether the item was taken.
    fn append(&mut self, subject: &S) -> Result<bool, String> {
        let answer = self.writer.append(&subject.item(self.appended)).map_err(failed)?;
        match (answer, self.closed) {
            (Append::Ok, false) => self.appended += 1,
            (Append::Full, false) | (Append::Closed, true) => {}
            (answer, closed) => {
                return Err(format!("law 3: append says {answer:?} though closed is {closed}"));
            }
        }
        Ok(answer == Append::Ok)
    }

    /// Reads; whether there may be more.
    fn next(&mut self, subject: &S) -> Result<bool, String> {
        let reader = self.reader.as_mut().ok_or("the reader is gone")?;
        let before = reader.cursor();
        let found = reader.next().map_err(failed)?;
        let after = reader.cursor();
        let left = self.appended.saturating_sub(before.0);
        let wrong = |law: &str| {
            let (appended, closed) = (self.appended, self.closed);
            Err(format!(
                "law {law}: {found:?} moved {before:?} to {after:?} \
                 with {appended} appended, closed: {closed}"
            ))
        };
        match &found {
            Next::Value(item) => {
                if left == 0 || *item != subject.item(before.0) {
                    return wrong("1");
                }
                if after != before.next() {
                    return wrong("2");
                }
            }
            Next::Gap if after <= before || after.0 > self.appended => return wrong("2"),
            Next::Gap => {}
            Next::Blocked if left > 0 || self.closed || after != before => return wrong("1"),
            Next::End if left > 0 || !self.closed || after != before => return wrong("4"),
            Next::Blocked | Next::End => return Ok(false),
        }
        Ok(true)
    }

    /// Replaces the reader by one that begins at its cursor.
    fn reopen(&mut self) -> Result<bool, String> {
        let cursor = self.reader.take().ok_or("the reader is gone")?.cursor();
        let reader = self.stream.reader(cursor).map_err(failed)?;
        let stands = reader.cursor();
        self.reader = Some(reader);
        if stands != cursor {
            return Err(format!("law 2: a reader opened at {cursor:?} stands elsewhere"));
        }
        Ok(true)
    }

    /// Once all is read there is room.
    fn drain_and_append(&mut self, subject: &S) -> Result<(), String> {
        while self.next(subject)? {}
        if self.append(subject)? {
            return Ok(());
        }
        Err("law 3: the stream is full though its reader has read everything".to_string())
    }
}

/// xorshift64, after Marsaglia.
fn next_random(mut state: u64) -> u64 {
    state ^= state << 13;
    state ^= state >> 7;
    state ^ state << 17
}
