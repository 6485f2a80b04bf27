//! The word: one self-describing u64.
//!
//! A 4-bit tag stands above a 60-bit payload.
//!
//! 1. Two inline words of one tag compare as plain u64 exactly as their values compare.
//! 2. Equal values have equal words: every value has one canonical word, and heap kinds are
//!    interned by the store that holds them.
//! 3. A heap word (`Tag::is_heap`) means something only together with its store.

use core::fmt;

const TAG_SHIFT: u32 = 60;
const PAYLOAD_BITS: u32 = 60;
const PAYLOAD_MASK: u64 = (1 << PAYLOAD_BITS) - 1;
/// Added to signed payloads so that their unsigned order is their signed order.
const BIAS: i64 = 1 << (PAYLOAD_BITS - 1);

const NIL: u64 = 0;
const FALSE: u64 = 1;
const TRUE: u64 = 2;
/// Characters follow the three ordinals.
const CHAR_MIN: u64 = 16;

const TEXT_BYTES_MAX: usize = 7;

/// f64 exponents are 11 bits; a word keeps 7. Code 0 is zero, codes 1 to 126 are the exponents
/// around 1.0, code 127 is infinity (mantissa 0) and the one NaN.
const EXPONENT_MIN: u64 = 1023 - 63;
const EXPONENT_CODES: u64 = 126;
const MANTISSA_BITS: u32 = 52;
const MANTISSA_MASK: u64 = (1 << MANTISSA_BITS) - 1;
const FLOAT_SIGN: u64 = 1 << (PAYLOAD_BITS - 1);
const INFINITE: u64 = 127 << MANTISSA_BITS;
const NAN: u64 = INFINITE | 1 << (MANTISSA_BITS - 1);

/// What a word holds: its upper four bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Tag {
    /// nil, false, true and characters.
    Ordinal = 0,
    /// A 60-bit integer.
    Int = 1,
    /// A float whose exponent fits seven bits.
    Float = 2,
    /// An entity id.
    Ref = 3,
    /// A keyword, by the id of its name in the store's dictionary.
    Keyword = 4,
    /// A symbol, by the id of its name in the store's dictionary.
    Symbol = 5,
    /// Microseconds since 1970 UTC.
    Instant = 6,
    /// Text of at most seven UTF-8 bytes.
    ShortText = 7,
    /// Longer text.
    Text = 8,
    /// An integer beyond 60 bits.
    BigInt = 9,
    /// A float that [`Tag::Float`] cannot hold.
    BigFloat = 10,
    /// Bytes.
    Bytes = 11,
    /// A UUID.
    Uuid = 12,
    /// A tuple, vector, list, map or set.
    Collection = 13,
    /// The BLAKE3-256 hash of content kept elsewhere.
    Hash = 14,
    /// Private to a virtual machine; never in a datom.
    Private = 15,
}

impl Tag {
    const ALL: [Tag; 16] = [
        Tag::Ordinal,
        Tag::Int,
        Tag::Float,
        Tag::Ref,
        Tag::Keyword,
        Tag::Symbol,
        Tag::Instant,
        Tag::ShortText,
        Tag::Text,
        Tag::BigInt,
        Tag::BigFloat,
        Tag::Bytes,
        Tag::Uuid,
        Tag::Collection,
        Tag::Hash,
        Tag::Private,
    ];

    /// Whether the payload is a granule of a store's heap.
    #[must_use]
    pub const fn is_heap(self) -> bool {
        matches!(
            self,
            Tag::Text
                | Tag::BigInt
                | Tag::BigFloat
                | Tag::Bytes
                | Tag::Uuid
                | Tag::Collection
                | Tag::Hash
        )
    }

    /// Whether the payload is an id of a name in a store's dictionary.
    #[must_use]
    pub const fn is_name(self) -> bool {
        matches!(self, Tag::Keyword | Tag::Symbol)
    }
}

/// One self-describing value in 64 bits: a 4-bit [`Tag`] above a 60-bit payload.
///
/// Inline words of one tag order as their values, and equal values have equal words. So an index
/// key or a register is a plain u64, and comparing two of them asks no store.
///
/// ```
/// use datom::{Tag, Word};
///
/// let ada = Word::short_text("Ada").unwrap();
/// assert_eq!(ada.tag(), Tag::ShortText);
/// assert_eq!(ada.as_short_text().unwrap().as_str(), "Ada");
/// assert!(ada < Word::short_text("Bob").unwrap());
/// assert_eq!(Word::int(i64::MAX), None); // beyond 60 bits: such an integer lives on a heap
/// ```
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(u64);

impl Word {
    /// nil.
    pub const NIL: Word = Word(NIL);
    /// false.
    pub const FALSE: Word = Word(FALSE);
    /// true.
    pub const TRUE: Word = Word(TRUE);
    /// The least integer that is held inline, −2^59.
    pub const INT_MIN: i64 = -BIAS;
    /// The greatest integer that is held inline, 2^59 − 1.
    pub const INT_MAX: i64 = BIAS - 1;
    /// Payloads are below this.
    pub const PAYLOAD_LIMIT: u64 = 1 << PAYLOAD_BITS;

    /// The word with these bits. Every u64 is a word.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Self {
        Word(raw)
    }

    /// All 64 bits.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// A tag over a payload, of which the upper four bits are dropped.
    #[must_use]
    pub const fn new(tag: Tag, payload: u64) -> Self {
        Word((tag as u64) << TAG_SHIFT | payload & PAYLOAD_MASK)
    }

    /// What the word holds.
    #[must_use]
    pub const fn tag(self) -> Tag {
        Tag::ALL[(self.0 >> TAG_SHIFT) as usize]
    }

    /// The lower 60 bits.
    #[must_use]
    pub const fn payload(self) -> u64 {
        self.0 & PAYLOAD_MASK
    }

    /// false or true.
    #[must_use]
    pub const fn bool(value: bool) -> Self {
        if value { Self::TRUE } else { Self::FALSE }
    }

    /// A character.
    #[must_use]
    pub const fn char(value: char) -> Self {
        Self::new(Tag::Ordinal, CHAR_MIN + value as u64)
    }

    /// An integer, if it fits 60 bits.
    #[must_use]
    pub const fn int(value: i64) -> Option<Self> {
        if value < Self::INT_MIN || value > Self::INT_MAX {
            return None;
        }
        Some(Self::new(Tag::Int, (value + BIAS) as u64))
    }

    /// An instant in microseconds since 1970 UTC, if it fits 60 bits (about ± 18,000 years).
    #[must_use]
    pub const fn instant(micros: i64) -> Option<Self> {
        if micros < Self::INT_MIN || micros > Self::INT_MAX {
            return None;
        }
        Some(Self::new(Tag::Instant, (micros + BIAS) as u64))
    }

    /// An entity. Ids are below [`Word::PAYLOAD_LIMIT`]; of a greater one the upper bits are lost.
    #[must_use]
    pub const fn entity(id: u64) -> Self {
        Self::new(Tag::Ref, id)
    }

    /// A float, if it is 0, infinite, NaN, or of a magnitude from 2^−63 up to 2^63. −0 becomes 0
    /// and every NaN the same NaN, which is the greatest float.
    ///
    /// ```
    /// use datom::Word;
    /// assert!(Word::float(-1.5) < Word::float(0.25));
    /// assert_eq!(Word::float(-0.0), Word::float(0.0));
    /// assert_eq!(Word::float(1e300), None); // such floats live on the heap
    /// ```
    #[must_use]
    pub const fn float(value: f64) -> Option<Self> {
        let bits = value.to_bits();
        let exponent = bits >> MANTISSA_BITS & 0x7ff;
        let mantissa = bits & MANTISSA_MASK;
        let magnitude = if value == 0.0 {
            return Some(Self::new(Tag::Float, FLOAT_SIGN));
        } else if value.is_nan() {
            return Some(Self::new(Tag::Float, FLOAT_SIGN | NAN));
        } else if exponent == 0x7ff {
            INFINITE
        } else if exponent >= EXPONENT_MIN && exponent < EXPONENT_MIN + EXPONENT_CODES {
            (exponent - EXPONENT_MIN + 1) << MANTISSA_BITS | mantissa
        } else {
            return None;
        };
        let payload =
            if bits >> 63 == 0 { FLOAT_SIGN | magnitude } else { FLOAT_SIGN - 1 - magnitude };
        Some(Self::new(Tag::Float, payload))
    }

    /// Text of at most seven bytes.
    #[must_use]
    pub fn short_text(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() > TEXT_BYTES_MAX {
            return None;
        }
        let mut padded = [0; 8];
        padded.get_mut(1..=bytes.len())?.copy_from_slice(bytes);
        let payload = u64::from_be_bytes(padded) << 4 | bytes.len() as u64;
        Some(Self::new(Tag::ShortText, payload))
    }

    /// Whether the word is neither nil nor false.
    #[must_use]
    pub const fn is_truthy(self) -> bool {
        self.0 > FALSE
    }

    /// The boolean this is.
    #[must_use]
    pub const fn as_bool(self) -> Option<bool> {
        match self {
            Self::FALSE => Some(false),
            Self::TRUE => Some(true),
            _ => None,
        }
    }

    /// The character this is.
    #[must_use]
    pub fn as_char(self) -> Option<char> {
        let code = self.0.checked_sub(CHAR_MIN)?;
        char::from_u32(u32::try_from(code).ok()?)
    }

    /// The inline integer this is.
    #[must_use]
    pub const fn as_int(self) -> Option<i64> {
        match self.tag() {
            Tag::Int => Some(self.payload() as i64 - BIAS),
            _ => None,
        }
    }

    /// The instant this is, in microseconds since 1970 UTC.
    #[must_use]
    pub const fn as_instant(self) -> Option<i64> {
        match self.tag() {
            Tag::Instant => Some(self.payload() as i64 - BIAS),
            _ => None,
        }
    }

    /// The entity this is.
    #[must_use]
    pub const fn as_entity(self) -> Option<u64> {
        match self.tag() {
            Tag::Ref => Some(self.payload()),
            _ => None,
        }
    }

    /// The inline float this is.
    #[must_use]
    pub const fn as_float(self) -> Option<f64> {
        if !matches!(self.tag(), Tag::Float) {
            return None;
        }
        let payload = self.payload();
        let (sign, magnitude) = if payload & FLOAT_SIGN != 0 {
            (0, payload & !FLOAT_SIGN)
        } else {
            (1 << 63, FLOAT_SIGN - 1 - payload)
        };
        let bits = match magnitude >> MANTISSA_BITS {
            0 => 0,
            127 if magnitude == INFINITE => 0x7ff << MANTISSA_BITS,
            127 => return Some(f64::NAN),
            code => (code + EXPONENT_MIN - 1) << MANTISSA_BITS | magnitude & MANTISSA_MASK,
        };
        Some(f64::from_bits(sign | bits))
    }

    /// The short text this is: its bytes, of which the first `len` count. `None` also for a word
    /// of that tag that is not well formed.
    #[must_use]
    pub fn as_short_text(self) -> Option<ShortText> {
        let length = (self.payload() & 0xf) as usize;
        if self.tag() != Tag::ShortText || length > TEXT_BYTES_MAX {
            return None;
        }
        let padded = (self.payload() >> 4 << 8).to_be_bytes();
        let text = ShortText { bytes: padded, length };
        core::str::from_utf8(padded.get(..length)?).ok()?;
        let clean = padded.get(length..)?.iter().all(|&byte| byte == 0);
        clean.then_some(text)
    }
}

/// The text of a [`Tag::ShortText`] word, by value.
#[derive(Clone, Copy, Debug)]
pub struct ShortText {
    bytes: [u8; 8],
    length: usize,
}

impl ShortText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|b| core::str::from_utf8(b).ok()).unwrap_or("")
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tag() {
            Tag::Ordinal if *self == Self::NIL => f.write_str("nil"),
            Tag::Ordinal => match (self.as_bool(), self.as_char()) {
                (Some(value), _) => write!(f, "{value}"),
                (_, Some(value)) => write!(f, "{value:?}"),
                _ => write!(f, "Ordinal({})", self.payload()),
            },
            Tag::Int => write!(f, "{}", self.payload() as i64 - BIAS),
            Tag::Float => write!(f, "{:?}", self.as_float().unwrap_or(f64::NAN)),
            Tag::ShortText => match self.as_short_text() {
                Some(text) => write!(f, "{:?}", text.as_str()),
                None => write!(f, "ShortText({:#x})", self.payload()),
            },
            tag => write!(f, "{tag:?}({})", self.payload()),
        }
    }
}

#[cfg(test)]
mod tests;
