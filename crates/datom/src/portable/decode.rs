//! Bytes to value.

use alloc::boxed::Box;
use alloc::vec::Vec;

use num_bigint::BigInt;

use super::{Error, kind};
use crate::value::canonical;
use crate::{Symbol, Value};

/// Bytes of the longest varint.
const VARINT_BYTES_MAX: usize = 10;

/// Reads the value at the beginning of the bytes, and says how many bytes it takes.
///
/// ```
/// use datom::{Value, portable};
/// assert_eq!(portable::decode(&[0x04, 0x01, 0xff]), Ok((Value::Int(-1), 2)));
/// assert_eq!(portable::decode(&[0x0b, 0x02, b'a']), Err(portable::Error::Truncated { at: 3 }));
/// ```
///
/// # Errors
/// [`Error::Truncated`] if more bytes could make it a value, [`Error::Corrupt`] if none could.
pub fn decode(bytes: &[u8]) -> Result<(Value, usize), Error> {
    let mut input = Input { bytes, at: 0 };
    let value = input.value()?;
    Ok((value, input.at))
}

/// A collection or tag whose parts are being read.
struct Open {
    kind: u8,
    start: usize,
    tag: Option<Symbol>,
    /// How many parts are still to come. It only says when to stop: the parts take memory when
    /// they were really read.
    left: u64,
    /// The parts so far; of a map keys and values in turn.
    parts: Vec<Value>,
}

impl Open {
    fn push(&mut self, value: Value) -> Result<(), Error> {
        let (before, what) = match self.kind {
            kind::SET => (1, "the elements of a set do not ascend"),
            kind::MAP if self.parts.len().is_multiple_of(2) => {
                (2, "the keys of a map do not ascend")
            }
            _ => (0, ""),
        };
        if before > 0
            && let Some(at) = self.parts.len().checked_sub(before)
            && self.parts.get(at).is_some_and(|last| *last >= value)
        {
            return Err(Error::Corrupt { what, at: self.start });
        }
        self.parts.push(value);
        self.left -= 1;
        Ok(())
    }

    fn close(mut self) -> Value {
        if let Some(tag) = self.tag {
            return Value::Tagged(tag, Box::new(self.parts.pop().unwrap_or(Value::Nil)));
        }
        match self.kind {
            kind::SET => Value::Set(self.parts.into_iter().collect()),
            kind::LIST => Value::List(self.parts),
            kind::MAP => {
                let mut pairs = Vec::with_capacity(self.parts.len() / 2);
                let mut parts = self.parts.into_iter();
                while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
                    pairs.push((key, value));
                }
                Value::Map(pairs.into_iter().collect())
            }
            _ => Value::Vector(self.parts),
        }
    }
}

struct Input<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Input<'b> {
    fn corrupt<T>(&self, what: &'static str, at: usize) -> Result<T, Error> {
        debug_assert!(at <= self.bytes.len());
        Err(Error::Corrupt { what, at })
    }

    fn byte(&mut self) -> Result<u8, Error> {
        let byte = self.bytes.get(self.at).ok_or(Error::Truncated { at: self.at })?;
        self.at += 1;
        Ok(*byte)
    }

    fn take(&mut self, count: u64) -> Result<&'b [u8], Error> {
        let truncated = Error::Truncated { at: self.bytes.len() };
        let left = self.bytes.get(self.at..).unwrap_or(&[]);
        let count = usize::try_from(count).map_err(|_| truncated)?;
        let taken = left.get(..count).ok_or(truncated)?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let truncated = Error::Truncated { at: self.bytes.len() };
        self.take(N as u64)?.try_into().map_err(|_| truncated)
    }

    /// A varint in its shortest form.
    fn varint(&mut self) -> Result<u64, Error> {
        let start = self.at;
        let mut value = 0;
        for place in 0..VARINT_BYTES_MAX {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if place == VARINT_BYTES_MAX - 1 && bits > 1 {
                break;
            }
            value |= bits << (7 * place);
            if byte & 0x80 == 0 {
                if byte == 0 && place > 0 {
                    return self.corrupt("a number is longer than it need be", start);
                }
                return Ok(value);
            }
        }
        self.corrupt("a number has more than 64 bits", start)
    }

    fn signed(&mut self) -> Result<i64, Error> {
        let folded = self.varint()?;
        Ok((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
    }

    fn run(&mut self) -> Result<&'b [u8], Error> {
        let length = self.varint()?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'b str, Error> {
        let bytes = self.run()?;
        let start = self.at - bytes.len();
        match core::str::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(error) => self.corrupt("the text is not UTF-8", start + error.valid_up_to()),
        }
    }

    /// Open collections stand on a stack of their own, so that the depth of a value costs none of
    /// the machine's.
    fn value(&mut self) -> Result<Value, Error> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let start = self.at;
            let mut value = match self.byte()? {
                kind @ (kind::VECTOR | kind::LIST | kind::MAP | kind::SET | kind::TAGGED) => {
                    if open.len() >= Value::DEPTH_MAX {
                        return self.corrupt("the value is nested too deep", start);
                    }
                    let parts = self.open(kind, start)?;
                    if parts.left > 0 {
                        open.push(parts);
                        continue;
                    }
                    parts.close()
                }
                kind => self.atom(kind, start)?,
            };
            loop {
                let Some(parts) = open.last_mut() else { return Ok(value) };
                parts.push(value)?;
                if parts.left > 0 {
                    break;
                }
                let Some(parts) = open.pop() else { break };
                value = parts.close();
            }
        }
    }

    fn open(&mut self, kind: u8, start: usize) -> Result<Open, Error> {
        let tag = if kind == kind::TAGGED { Some(self.text()?.into()) } else { None };
        let left = match kind {
            kind::TAGGED => 1,
            // A map of that many pairs ends as truncated in any case.
            kind::MAP => self.varint()?.saturating_mul(2),
            _ => self.varint()?,
        };
        Ok(Open { kind, start, tag, left, parts: Vec::new() })
    }

    fn atom(&mut self, kind: u8, start: usize) -> Result<Value, Error> {
        Ok(match kind {
            kind::NIL => Value::Nil,
            kind::FALSE => Value::Bool(false),
            kind::TRUE => Value::Bool(true),
            kind::CHAR => {
                let code = self.varint()?;
                match u32::try_from(code).ok().and_then(char::from_u32) {
                    Some(c) => Value::Char(c),
                    None => return self.corrupt("there is no such character", start),
                }
            }
            kind::INT => Value::Int(self.signed()?),
            kind::BIG_INT => self.big_int()?,
            kind::FLOAT => {
                let bits = u64::from_le_bytes(self.array()?);
                let value = f64::from_bits(bits);
                if canonical(value).to_bits() != bits {
                    return self.corrupt("the float is -0 or another NaN than the one", start);
                }
                Value::Float(value)
            }
            kind::REF => Value::Ref(self.varint()?),
            kind::KEYWORD => Value::keyword(self.text()?),
            kind::SYMBOL => Value::symbol(self.text()?),
            kind::INSTANT => Value::Instant(self.signed()?),
            kind::TEXT => Value::text(self.text()?),
            kind::BYTES => Value::Bytes(self.run()?.into()),
            kind::UUID => Value::Uuid(self.array()?),
            kind::HASH => Value::Hash(self.array()?),
            _ => return self.corrupt("there is no such kind of value", start),
        })
    }

    /// An integer beyond 64 bits: big-endian two's complement of the fewest bytes.
    fn big_int(&mut self) -> Result<Value, Error> {
        let start = self.at;
        let bytes = self.run()?;
        let shortest = match bytes {
            [0x00, next, ..] => *next >= 0x80,
            [0xff, next, ..] => *next < 0x80,
            _ => true,
        };
        if !shortest || bytes.len() <= size_of::<i64>() {
            return self.corrupt("a big integer is longer than it need be", start);
        }
        Ok(Value::BigInt(BigInt::from_signed_bytes_be(bytes)))
    }
}
