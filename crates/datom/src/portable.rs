//! Canonical bytes of a value, independent of any store.
//!
//! 1. Equal values have equal bytes, and only equal values have: the decoder refuses whatever the
//!    encoder would not have written.
//! 2. The bytes say where they end, so values can follow each other.
//! 3. The decoder never panics, does not recurse, accepts values at most [`Value::DEPTH_MAX`]
//!    deep, and takes memory only for parts that it has read.
//!
//! One byte says the kind; numbers and lengths are LEB128 varints, signed ones zigzag. The byte map
//! is in `docs/format.md`.
//!
//! ```
//! use datom::{Value, edn, portable};
//!
//! let value = edn::read("{:name \"Ada\", :langs #{1 2}}").unwrap();
//! let mut bytes = Vec::new();
//! portable::encode(&value, &mut bytes);
//! assert_eq!(portable::decode(&bytes).unwrap(), (value, bytes.len()));
//! ```
//!
//! [`Value::DEPTH_MAX`]: crate::Value::DEPTH_MAX

mod decode;
mod encode;

pub use decode::decode;
pub use encode::encode;

/// Why bytes are no portable value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes end within a value: more of them are needed.
    #[error("the value is cut off at byte {at}; fetch the rest of it")]
    Truncated {
        /// Where the first missing byte would stand.
        at: usize,
    },
    /// No encoder wrote these bytes.
    #[error("the value is damaged at byte {at}: {what}; restore it from another copy")]
    Corrupt {
        /// What is wrong.
        what: &'static str,
        /// Where.
        at: usize,
    },
}

/// The first byte of a value. Part of the format: numbers are never reused.
mod kind {
    pub(super) const NIL: u8 = 0x00;
    pub(super) const FALSE: u8 = 0x01;
    pub(super) const TRUE: u8 = 0x02;
    pub(super) const CHAR: u8 = 0x03;
    pub(super) const INT: u8 = 0x04;
    pub(super) const BIG_INT: u8 = 0x05;
    pub(super) const FLOAT: u8 = 0x06;
    pub(super) const REF: u8 = 0x07;
    pub(super) const KEYWORD: u8 = 0x08;
    pub(super) const SYMBOL: u8 = 0x09;
    pub(super) const INSTANT: u8 = 0x0a;
    pub(super) const TEXT: u8 = 0x0b;
    pub(super) const BYTES: u8 = 0x0c;
    pub(super) const UUID: u8 = 0x0d;
    pub(super) const HASH: u8 = 0x0e;
    pub(super) const VECTOR: u8 = 0x0f;
    pub(super) const LIST: u8 = 0x10;
    pub(super) const MAP: u8 = 0x11;
    pub(super) const SET: u8 = 0x12;
    pub(super) const TAGGED: u8 = 0x13;
}

#[cfg(test)]
mod tests;
