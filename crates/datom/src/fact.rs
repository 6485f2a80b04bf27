//! The datom: one fact in five words.

use crate::Word;

/// One fact: entity, attribute, value, transaction, metadata. 40 bytes, align 8, little-endian
/// wherever it leaves the process.
///
/// `m` is `metadata-entity << 1 | added`: 0 is a plain retraction, 1 a plain assertion; anything
/// above names an entity whose own datoms say why the fact was stated.
///
/// The order of the fields is the order EAVT.
///
/// ```
/// use datom::{Datom, Word};
///
/// let fact = Datom::assert(4096, 20, Word::int(36).unwrap(), 7);
/// assert!(fact.added());
/// assert_eq!(Datom::from_bytes(&fact.to_bytes()), fact);
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Datom {
    /// Entity the fact is about.
    pub e: u64,
    /// Attribute, itself an entity.
    pub a: u64,
    /// Value. A heap word means something only together with its store.
    pub v: Word,
    /// Transaction number: 1, 2, 3, … without gaps.
    pub t: u64,
    /// `metadata-entity << 1 | added`.
    pub m: u64,
}

impl Datom {
    /// Bytes of the fixed binary form.
    pub const BYTES: usize = 40;

    /// A plain assertion.
    #[must_use]
    pub const fn assert(e: u64, a: u64, v: Word, t: u64) -> Self {
        Self { e, a, v, t, m: 1 }
    }

    /// A plain retraction.
    #[must_use]
    pub const fn retract(e: u64, a: u64, v: Word, t: u64) -> Self {
        Self { e, a, v, t, m: 0 }
    }

    /// Whether the fact was stated (true) or withdrawn (false).
    #[must_use]
    pub const fn added(&self) -> bool {
        self.m & 1 == 1
    }

    /// The entity that says why, if there is one.
    #[must_use]
    pub const fn metadata(&self) -> Option<u64> {
        if self.m > 1 { Some(self.m >> 1) } else { None }
    }

    /// The five words in the order of the fields.
    #[must_use]
    pub const fn to_words(self) -> [u64; 5] {
        [self.e, self.a, self.v.raw(), self.t, self.m]
    }

    /// A datom from its five words. Any words are a datom; what they mean is for the store to
    /// check.
    #[must_use]
    pub const fn from_words([e, a, v, t, m]: [u64; 5]) -> Self {
        Self { e, a, v: Word::from_raw(v), t, m }
    }

    /// The fixed binary form: five little-endian words.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        for (slot, word) in bytes.chunks_exact_mut(8).zip(self.to_words()) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Reads the fixed binary form.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let mut words = [0; 5];
        for (word, chunk) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*chunk);
        }
        Self::from_words(words)
    }
}
