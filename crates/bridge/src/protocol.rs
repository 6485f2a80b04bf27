//! The datoms of requests and responses.
//!
//! ```text
//! request   [id  operation       arguments  t  m]
//! response  [id  :bridge/result  value      t  m]
//!           [id  :bridge/error   failure    t  m]
//! ```
//!
//! `id` is chosen by the port and returned as it is. `operation` is the entity whose ident is the
//! operation's keyword. `t` is the basis the program saw, `m` its metadata; both return as they
//! are, and `m` must say "added".
//!
//! 1. A value that an inline word holds travels in the datom. Every other value travels as a
//!    payload: its portable bytes lie in a block of the shared memory, and the word is the tag of
//!    a heap kind above the block's granule. Which heap kind is a hint; the bytes say what it is.
//! 2. Names (keywords, symbols) travel as payloads too: their ids mean something only together
//!    with a store's dictionary.
//! 3. Whoever receives a payload copies the bytes out, gives the block back, and only then looks
//!    at them, so that nothing changes between check and use.
//! 4. A word of any other kind is a bad request, never a panic.

use datom::{Tag, Value, Word, portable};

use crate::failure::Failure;
use crate::payload::{PayloadError, Payloads};

/// The entity of `:bridge/result`: part of the built-in schema, so that a response means the same
/// everywhere.
pub const RESULT: u64 = 128;
/// The entity of `:bridge/error`.
pub const ERROR: u64 = 129;
/// The built-in entities of the protocol with their names.
pub const IDENTS: [(u64, &str); 2] = [(RESULT, "bridge/result"), (ERROR, "bridge/error")];
/// The most bytes of a payload, 64 MiB.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 20;

/// The word of any value; what it does not hold itself is put among the payloads.
pub(crate) fn to_word(value: &Value, payloads: &dyn Payloads) -> Result<Word, PayloadError> {
    if let Some(word) = value.to_inline() {
        return Ok(word);
    }
    if value.is_too_deep() {
        return Err(PayloadError::TooDeep);
    }
    let mut bytes = Vec::new();
    portable::encode(value, &mut bytes);
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(PayloadError::TooLarge { bytes: bytes.len(), limit_bytes: PAYLOAD_BYTES_MAX });
    }
    let granule = payloads.put(&bytes)?;
    Ok(Word::new(heap_tag(value), granule))
}

fn heap_tag(value: &Value) -> Tag {
    match value {
        Value::Text(_) => Tag::Text,
        Value::Int(_) | Value::BigInt(_) | Value::Instant(_) => Tag::BigInt,
        Value::Float(_) => Tag::BigFloat,
        Value::Bytes(_) => Tag::Bytes,
        Value::Uuid(_) => Tag::Uuid,
        Value::Hash(_) => Tag::Hash,
        _ => Tag::Collection,
    }
}

/// The value of a word from the other side. A payload is taken whatever becomes of it.
pub(crate) fn to_value(word: Word, payloads: &dyn Payloads) -> Result<Value, Failure> {
    let tag = word.tag();
    if tag.is_heap() {
        return payload_value(word.payload(), payloads);
    }
    Value::from_inline(word)
        .ok_or_else(|| bad_request(&format!("the word {word:?} is no value that can travel")))
}

fn payload_value(granule: u64, payloads: &dyn Payloads) -> Result<Value, Failure> {
    let bytes = payloads.take(granule, PAYLOAD_BYTES_MAX).map_err(|error| error.to_failure())?;
    match portable::decode(&bytes) {
        Ok((value, used)) if used == bytes.len() => Ok(value),
        Ok((_, used)) => Err(bad_request(&format!("bytes follow the payload's value at {used}"))),
        Err(error) => Err(bad_request(&format!("the payload is no value: {error}"))),
    }
}

pub(crate) fn bad_request(message: &str) -> Failure {
    Failure::new("bridge/bad-request", message)
}

#[cfg(test)]
mod tests;
