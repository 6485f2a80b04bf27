//! Bytes to value.

use alloc::boxed::Box;
use alloc::vec::Vec;

use num_bigint::BigInt;

use super::{Error, kind};
use crate::Value;
use crate::value::canonical;

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
    let value = input.value(Value::DEPTH_MAX)?;
    Ok((value, input.at))
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

    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        let start = self.at;
        Ok(match self.byte()? {
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
            kind @ (kind::VECTOR | kind::LIST | kind::MAP | kind::SET | kind::TAGGED) => {
                let Some(depth) = depth.checked_sub(1) else {
                    return self.corrupt("the value is nested too deep", start);
                };
                self.parts(kind, depth)?
            }
            _ => return self.corrupt("there is no such kind of value", start),
        })
    }

    fn parts(&mut self, kind: u8, depth: usize) -> Result<Value, Error> {
        if kind == kind::TAGGED {
            let tag = self.text()?.into();
            return Ok(Value::Tagged(tag, Box::new(self.value(depth)?)));
        }
        let count = self.varint()?;
        Ok(match kind {
            kind::MAP => Value::Map(self.pairs(count, depth)?.into_iter().collect()),
            kind::SET => Value::Set(self.elements(count, depth)?.into_iter().collect()),
            kind::LIST => Value::List(self.items(count, depth)?),
            _ => Value::Vector(self.items(count, depth)?),
        })
    }

    // The counts below only say when to stop: the vectors grow with what was really read.

    fn items(&mut self, count: u64, depth: usize) -> Result<Vec<Value>, Error> {
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.value(depth)?);
        }
        Ok(items)
    }

    fn elements(&mut self, count: u64, depth: usize) -> Result<Vec<Value>, Error> {
        let mut elements = Vec::new();
        for _ in 0..count {
            let start = self.at;
            let element = self.value(depth)?;
            if elements.last().is_some_and(|last| *last >= element) {
                return self.corrupt("the elements of a set do not ascend", start);
            }
            elements.push(element);
        }
        Ok(elements)
    }

    fn pairs(&mut self, count: u64, depth: usize) -> Result<Vec<(Value, Value)>, Error> {
        let mut pairs: Vec<(Value, Value)> = Vec::new();
        for _ in 0..count {
            let start = self.at;
            let key = self.value(depth)?;
            if pairs.last().is_some_and(|(last, _)| *last >= key) {
                return self.corrupt("the keys of a map do not ascend", start);
            }
            pairs.push((key, self.value(depth)?));
        }
        Ok(pairs)
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
