//! The portable frame: one transaction, self-contained, chained to the one before.
//!
//! It is what logs, sockets and backups carry.
//!
//! 1. A frame's hash is BLAKE3-256 over all of it but the hash itself, the hash of the previous
//!    frame included; so a chain of frames is tamper-evident.
//! 2. A frame needs no store: heap, keyword and symbol words carry indexes into the frame's own
//!    table of values, and each such value belongs under the tag of its word.
//! 3. The header has a check of its own. Bytes that end early under a good header are
//!    [`Error::Truncated`], a torn end; all other damage is [`Error::Corrupt`].
//! 4. The decoder never panics and takes memory only for what it has checked.
//!
//! The byte map is in `docs/format.md`.

mod header;

use alloc::vec::Vec;

pub use header::Header;

use crate::{Datom, Tag, Value, Word, portable};

/// One transaction as it travels.
///
/// ```
/// use datom::{Datom, Frame, Tag, Value, Word};
///
/// let frame = Frame {
///     t: 1,
///     instant: 1_700_000_000_000_000,
///     previous: [0; 32],
///     datoms: vec![Datom::assert(4096, 4097, Word::new(Tag::Keyword, 0), 1)],
///     values: vec![Value::keyword("color/red")],
/// };
/// let bytes = frame.encode();
/// assert_eq!(Frame::decode(&bytes).unwrap(), (frame.clone(), bytes.len()));
/// let next = Frame { t: 2, previous: frame.hash(), datoms: vec![], values: vec![], ..frame };
/// assert_ne!(next.hash(), next.previous);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Number of the transaction; every datom of the frame has it.
    pub t: u64,
    /// When it was committed, in microseconds since 1970 UTC.
    pub instant: i64,
    /// Hash of the frame before this one; zeros for the first.
    pub previous: [u8; 32],
    /// The facts. Heap, keyword and symbol words are `Word::new(tag, index into values)`.
    pub datoms: Vec<Datom>,
    /// The values that the words of the datoms refer to.
    pub values: Vec<Value>,
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes end within a frame whose beginning is good.
    #[error("the frame is cut off: it has {have} bytes and needs {need}")]
    Truncated {
        /// Bytes there are.
        have: usize,
        /// Bytes there must be for the next step: the header's, or the frame's.
        need: u64,
    },
    /// The bytes are damaged, or no frame.
    #[error("the frame is damaged at byte {at}: {what}; restore it from another copy of the log")]
    Corrupt {
        /// What is wrong.
        what: &'static str,
        /// Where, from the beginning of the frame.
        at: usize,
    },
    /// A sound frame of a format that this program does not know.
    #[error(
        "the frame has format version {found}, and this program reads version {known}; \
         use a newer program",
        known = Frame::VERSION
    )]
    Version {
        /// The version of the frame.
        found: u16,
    },
}

impl Frame {
    /// The version of the format that is written here.
    pub const VERSION: u16 = 1;
    /// Frames take a multiple of these bytes, so that datoms in a file of frames are aligned.
    pub const ALIGN: usize = 8;

    /// The bytes of the frame.
    ///
    /// What [`Frame::decode`] refuses can be written: words that do not fit `values`, datoms of
    /// another `t`, values that are nested too deep. It is for the store never to make them;
    /// [`Frame::check`] finds them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_and_hash().0
    }

    /// The bytes of the frame, as [`Frame::encode`] makes them, and its hash.
    #[must_use]
    pub fn encode_and_hash(&self) -> (Vec<u8>, [u8; 32]) {
        let mut bytes = Vec::with_capacity(Header::BYTES + self.datoms.len() * Datom::BYTES);
        bytes.resize(Header::BYTES, 0);
        for datom in &self.datoms {
            bytes.extend_from_slice(&datom.to_bytes());
        }
        for value in &self.values {
            portable::encode(value, &mut bytes);
        }
        bytes.resize(bytes.len().next_multiple_of(Self::ALIGN), 0);
        let header = Header {
            length: bytes.len() as u64,
            t: self.t,
            instant: self.instant,
            previous: self.previous,
            datoms: self.datoms.len() as u64,
            values: self.values.len() as u64,
            hash: [0; 32],
        };
        let hash = header.seal(&mut bytes);
        (bytes, hash)
    }

    /// Reads the frame at the beginning of the bytes, and says how many bytes it takes.
    ///
    /// Costs a pass over the frame; what follows it is not looked at.
    ///
    /// # Errors
    /// See [`Error`]: truncated, corrupt, or of an unknown version.
    pub fn decode(bytes: &[u8]) -> Result<(Frame, usize), Error> {
        let header = Header::decode(bytes)?;
        let truncated = Error::Truncated { have: bytes.len(), need: header.length };
        let length = usize::try_from(header.length).map_err(|_| truncated)?;
        let bytes = bytes.get(..length).ok_or(truncated)?;
        header.check_hash(bytes)?;
        let (datoms, at) = datoms(bytes, &header)?;
        let values = values(bytes, at, &header)?;
        let Header { t, instant, previous, .. } = header;
        let frame = Frame { t, instant, previous, datoms, values };
        frame.check()?;
        Ok((frame, length))
    }

    /// The hash that the next frame carries as `previous`. Costs an encoding; who has the bytes
    /// reads it from the [`Header`].
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.encode_and_hash().1
    }

    /// Checks what the datoms mean within this frame: their `t`, and that each word is one of a
    /// value, inline or in the table.
    ///
    /// # Errors
    /// [`Error::Corrupt`] with the place of the first datom or value that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        for (index, datom) in self.datoms.iter().enumerate() {
            let wrong = |what, word| {
                let at = Header::BYTES + index * Datom::BYTES + word * size_of::<u64>();
                Err(Error::Corrupt { what, at })
            };
            if datom.t != self.t {
                return wrong("the datom belongs to another transaction", 3);
            }
            match datom.v.tag() {
                Tag::Private => return wrong("the word is private to a machine", 2),
                tag if tag.is_heap() || tag.is_name() => match self.value(datom.v) {
                    None => return wrong("the word points outside the table of values", 2),
                    Some(value) if value.word_tag() != Some(tag) => {
                        return wrong("the word has another tag than its value", 2);
                    }
                    Some(_) => {}
                },
                _ if Value::from_inline(datom.v).is_none() => {
                    return wrong("the word is no value's", 2);
                }
                _ => {}
            }
        }
        if self.values.iter().any(Value::is_too_deep) {
            let at = Header::BYTES + self.datoms.len() * Datom::BYTES;
            return Err(Error::Corrupt { what: "a value is nested too deep", at });
        }
        Ok(())
    }

    /// The value in the table that a heap, keyword or symbol word of this frame refers to.
    ///
    /// ```
    /// # use datom::{Frame, Tag, Value, Word};
    /// # let values = vec![Value::text("more than seven")];
    /// let frame = Frame { t: 1, instant: 0, previous: [0; 32], datoms: vec![], values };
    /// assert_eq!(frame.value(Word::new(Tag::Text, 0)), Some(&Value::text("more than seven")));
    /// ```
    #[must_use]
    pub fn value(&self, word: Word) -> Option<&Value> {
        if !(word.tag().is_heap() || word.tag().is_name()) {
            return None;
        }
        self.values.get(usize::try_from(word.payload()).ok()?)
    }
}

/// The datoms behind the header, and where they end.
fn datoms(bytes: &[u8], header: &Header) -> Result<(Vec<Datom>, usize), Error> {
    let wrong = Error::Corrupt { what: "more datoms than bytes", at: Header::DATOMS_AT };
    let count = usize::try_from(header.datoms).map_err(|_| wrong)?;
    let end = count.checked_mul(Datom::BYTES).and_then(|size| size.checked_add(Header::BYTES));
    let end = end.ok_or(wrong)?;
    let body = bytes.get(Header::BYTES..end).ok_or(wrong)?;
    let (chunks, _) = body.as_chunks::<{ Datom::BYTES }>();
    Ok((chunks.iter().map(Datom::from_bytes).collect(), end))
}

/// The values behind the datoms, which are followed by zeros up to the alignment alone.
fn values(bytes: &[u8], start: usize, header: &Header) -> Result<Vec<Value>, Error> {
    let mut at = start;
    let mut values = Vec::new();
    for _ in 0..header.values {
        let rest = bytes.get(at..).unwrap_or(&[]);
        let (value, used) = portable::decode(rest).map_err(|error| match error {
            portable::Error::Corrupt { what, at: within } => {
                Error::Corrupt { what, at: at + within }
            }
            portable::Error::Truncated { .. } => {
                Error::Corrupt { what: "the table of values ends early", at: bytes.len() }
            }
        })?;
        values.push(value);
        at += used;
    }
    let padding = bytes.get(at..).unwrap_or(&[]);
    if padding.len() >= Frame::ALIGN || padding.iter().any(|&byte| byte != 0) {
        return Err(Error::Corrupt { what: "something follows the table of values", at });
    }
    Ok(values)
}

#[cfg(test)]
mod tests;
