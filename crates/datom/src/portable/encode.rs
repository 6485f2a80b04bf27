//! Value to bytes.

use alloc::vec::Vec;

use super::kind;
use crate::Value;
use crate::value::canonical;

/// Appends the bytes of a value.
///
/// Recurses as deep as the value is nested. A value that [`Value::is_too_deep`] is written, but no
/// decoder reads it: check before storing what a program has built.
///
/// ```
/// let mut bytes = Vec::new();
/// datom::portable::encode(&datom::Value::Int(-1), &mut bytes);
/// assert_eq!(bytes, [0x04, 0x01]);
/// ```
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Nil => out.push(kind::NIL),
        Value::Bool(x) => out.push(if *x { kind::TRUE } else { kind::FALSE }),
        Value::Char(x) => number(kind::CHAR, u64::from(u32::from(*x)), out),
        Value::Int(x) => number(kind::INT, zigzag(*x), out),
        // The canonical variant: a BigInt built by hand may fit an i64.
        Value::BigInt(x) => match i64::try_from(x) {
            Ok(small) => number(kind::INT, zigzag(small), out),
            Err(_) => run(kind::BIG_INT, &x.to_signed_bytes_be(), out),
        },
        Value::Float(x) => fixed(kind::FLOAT, &canonical(*x).to_bits().to_le_bytes(), out),
        Value::Ref(x) => number(kind::REF, *x, out),
        Value::Keyword(x) => run(kind::KEYWORD, x.as_str().as_bytes(), out),
        Value::Symbol(x) => run(kind::SYMBOL, x.as_str().as_bytes(), out),
        Value::Instant(x) => number(kind::INSTANT, zigzag(*x), out),
        Value::Text(x) => run(kind::TEXT, x.as_bytes(), out),
        Value::Bytes(x) => run(kind::BYTES, x, out),
        Value::Uuid(x) => fixed(kind::UUID, x, out),
        Value::Hash(x) => fixed(kind::HASH, x, out),
        Value::Vector(items) => many(kind::VECTOR, items, out),
        Value::List(items) => many(kind::LIST, items, out),
        Value::Set(items) => many(kind::SET, items, out),
        Value::Map(pairs) => {
            number(kind::MAP, pairs.len() as u64, out);
            for (key, value) in pairs {
                encode(key, out);
                encode(value, out);
            }
        }
        Value::Tagged(tag, value) => {
            run(kind::TAGGED, tag.as_str().as_bytes(), out);
            encode(value, out);
        }
    }
}

fn many<'v>(
    kind: u8,
    items: impl IntoIterator<Item = &'v Value, IntoIter: ExactSizeIterator>,
    out: &mut Vec<u8>,
) {
    let items = items.into_iter();
    number(kind, items.len() as u64, out);
    items.for_each(|item| encode(item, out));
}

fn run(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    number(kind, bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn fixed(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(bytes);
}

fn number(kind: u8, mut value: u64, out: &mut Vec<u8>) {
    out.push(kind);
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

const fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}
