//! The header of a frame: where its parts are, and two checks.
//!
//! 1. The first 88 bytes of every version are laid out as here up to and including the header
//!    check, so that damage is told from a newer version.

use super::{Error, Frame};

/// What a frame says of itself in front of its datoms: enough to find its end, and its place in
/// the chain, without reading the rest.
///
/// ```
/// use datom::{Frame, frame::Header};
///
/// let frame = Frame { t: 7, instant: 0, previous: [0; 32], datoms: vec![], values: vec![] };
/// let header = Header::decode(&frame.encode()).unwrap();
/// assert_eq!((header.t, header.length), (7, 120));
/// assert_eq!(header.hash, frame.hash());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// Bytes of the whole frame.
    pub length: u64,
    /// Number of the transaction.
    pub t: u64,
    /// When it was committed, in microseconds since 1970 UTC.
    pub instant: i64,
    /// Hash of the frame before this one.
    pub previous: [u8; 32],
    /// How many datoms there are.
    pub datoms: u64,
    /// How many values the table has.
    pub values: u64,
    /// Hash of this frame, as it is written there: only [`Frame::decode`] checks it.
    pub hash: [u8; 32],
}

impl Header {
    /// The first bytes of a frame.
    pub const MAGIC: [u8; 6] = *b"DATOMf";
    /// Bytes of the header.
    pub const BYTES: usize = 120;

    pub(crate) const VERSION_AT: usize = 6;
    pub(crate) const LENGTH_AT: usize = 8;
    pub(crate) const T_AT: usize = 16;
    pub(crate) const INSTANT_AT: usize = 24;
    pub(crate) const PREVIOUS_AT: usize = 32;
    pub(crate) const DATOMS_AT: usize = 64;
    pub(crate) const VALUES_AT: usize = 72;
    pub(crate) const CHECK_AT: usize = 80;
    pub(crate) const HASH_AT: usize = 88;

    /// Reads the header at the beginning of the bytes and checks it, but not what follows.
    ///
    /// # Errors
    /// See [`Error`]: truncated, corrupt, or of an unknown version.
    pub fn decode(bytes: &[u8]) -> Result<Header, Error> {
        let magic = bytes.get(..Self::MAGIC.len()).unwrap_or(bytes);
        if !Self::MAGIC.starts_with(magic) {
            return Err(Error::Corrupt { what: "no frame begins here", at: 0 });
        }
        let truncated = Error::Truncated { have: bytes.len(), need: Self::BYTES as u64 };
        let head = bytes.first_chunk::<{ Self::BYTES }>().ok_or(truncated)?;
        let check = u64::from_le_bytes(field(head, Self::CHECK_AT));
        if check != check_of(head) {
            return Err(Error::Corrupt { what: "the header does not match its check", at: 0 });
        }
        let found = u16::from_le_bytes(field(head, Self::VERSION_AT));
        if found != Frame::VERSION {
            return Err(Error::Version { found });
        }
        let header = Header {
            length: u64::from_le_bytes(field(head, Self::LENGTH_AT)),
            t: u64::from_le_bytes(field(head, Self::T_AT)),
            instant: i64::from_le_bytes(field(head, Self::INSTANT_AT)),
            previous: field(head, Self::PREVIOUS_AT),
            datoms: u64::from_le_bytes(field(head, Self::DATOMS_AT)),
            values: u64::from_le_bytes(field(head, Self::VALUES_AT)),
            hash: field(head, Self::HASH_AT),
        };
        if header.length < Self::BYTES as u64 || !header.length.is_multiple_of(Frame::ALIGN as u64)
        {
            return Err(Error::Corrupt { what: "no frame has that length", at: Self::LENGTH_AT });
        }
        Ok(header)
    }

    /// Writes the header, its check and the hash over the beginning of the frame. Answers the hash.
    pub(super) fn seal(&self, frame: &mut [u8]) -> [u8; 32] {
        let Some(head) = frame.first_chunk_mut::<{ Self::BYTES }>() else { return [0; 32] };
        put(head, 0, Self::MAGIC);
        put(head, Self::VERSION_AT, Frame::VERSION.to_le_bytes());
        put(head, Self::LENGTH_AT, self.length.to_le_bytes());
        put(head, Self::T_AT, self.t.to_le_bytes());
        put(head, Self::INSTANT_AT, self.instant.to_le_bytes());
        put(head, Self::PREVIOUS_AT, self.previous);
        put(head, Self::DATOMS_AT, self.datoms.to_le_bytes());
        put(head, Self::VALUES_AT, self.values.to_le_bytes());
        put(head, Self::CHECK_AT, check_of(head).to_le_bytes());
        let hash = Self::hash_of(frame);
        if let Some(head) = frame.first_chunk_mut::<{ Self::BYTES }>() {
            put(head, Self::HASH_AT, hash);
        }
        hash
    }

    /// The hash of a frame's bytes: over all but the hash itself.
    pub(super) fn hash_of(frame: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(frame.get(..Self::HASH_AT).unwrap_or(frame));
        hasher.update(frame.get(Self::BYTES..).unwrap_or(&[]));
        *hasher.finalize().as_bytes()
    }

    pub(super) fn check_hash(&self, frame: &[u8]) -> Result<(), Error> {
        if Self::hash_of(frame) == self.hash {
            return Ok(());
        }
        Err(Error::Corrupt { what: "the frame does not match its hash", at: Self::HASH_AT })
    }
}

/// The check of a header: the first eight bytes of BLAKE3 over what stands in front of it.
fn check_of(head: &[u8; Header::BYTES]) -> u64 {
    let hash = blake3::hash(head.get(..Header::CHECK_AT).unwrap_or(head));
    u64::from_le_bytes(hash.as_bytes().first_chunk().copied().unwrap_or_default())
}

/// `at` is one of the constants above, all of which lie within the header.
fn field<const N: usize>(head: &[u8; Header::BYTES], at: usize) -> [u8; N] {
    head.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

fn put<const N: usize>(head: &mut [u8; Header::BYTES], at: usize, bytes: [u8; N]) {
    if let Some(place) = head.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = bytes;
    }
}
