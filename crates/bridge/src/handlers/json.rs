//! `:json/parse`: JSON text (RFC 8259) to a value.
//!
//! 1. Keys become texts, as in `:toml/parse`. Of equal keys in one object the last one counts.
//! 2. A number without fraction and exponent becomes an integer with all its digits; any other the
//!    nearest float. (General readers round large integers, or give some keys a meaning of their
//!    own; hence a reader of our own.)
//! 3. The work is linear in the text; nesting and digits are bounded.

use datom::{Value, edn};

use crate::failure::Failure;
use crate::handler::Call;

/// The most digits of a number.
pub const DIGITS_MAX: usize = 4096;
/// How deep arrays and objects nest.
pub const DEPTH_MAX: usize = 128;

/// `:json/parse`.
///
/// # Errors
/// The argument is no text (`:bridge/bad-args`), no JSON (`:json/syntax`, with line and column),
/// or has a number out of range (`:json/number`).
pub fn parse(call: &Call<'_>) -> Result<Value, Failure> {
    let Value::Text(text) = call.args else {
        return Err(Failure::bad_args("JSON text", call.args));
    };
    let mut reader = Reader { text, at: 0, depth: 0 };
    reader.document().map_err(|fault| fault.to_failure(text))
}

/// What is wrong, and at which byte.
struct Fault {
    kind: &'static str,
    what: &'static str,
    at: usize,
}

impl Fault {
    fn to_failure(&self, text: &str) -> Failure {
        let before = text.get(..self.at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Failure::new(self.kind, &format!("no JSON: line {line}, column {column}: {}", self.what))
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn fault<T>(&self, what: &'static str) -> Result<T, Fault> {
        Err(Fault { kind: "json/syntax", what, at: self.at })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes past a byte, if it is the next.
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn document(&mut self) -> Result<Value, Fault> {
        let value = self.value()?;
        self.space();
        match self.peek() {
            None => Ok(value),
            Some(_) => self.fault("something follows the value"),
        }
    }

    fn value(&mut self) -> Result<Value, Fault> {
        self.space();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(|text| Value::text(&text)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Nil),
            Some(_) => self.fault("a value must stand here"),
            None => self.fault("the text ends where a value must stand"),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Fault> {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return self.fault("a value must stand here");
        }
        self.at += word.len();
        Ok(value)
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Fault>) -> Result<Value, Fault> {
        if self.depth == DEPTH_MAX {
            return self.fault("nested deeper than 128 levels");
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Value, Fault> {
        let mut items = Vec::new();
        self.space();
        if self.eat(b']') {
            return Ok(Value::Vector(items));
        }
        loop {
            items.push(self.value()?);
            self.space();
            if self.eat(b']') {
                return Ok(Value::Vector(items));
            }
            if !self.eat(b',') {
                return self.fault("a comma or ] must stand here");
            }
        }
    }

    fn object(&mut self) -> Result<Value, Fault> {
        let mut map = std::collections::BTreeMap::new();
        self.space();
        if self.eat(b'}') {
            return Ok(Value::Map(map));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return self.fault("a key in quotes must stand here");
            }
            let key = self.string()?;
            self.space();
            if !self.eat(b':') {
                return self.fault("a colon must stand here");
            }
            let value = self.value()?;
            map.insert(Value::text(&key), value);
            self.space();
            if self.eat(b'}') {
                return Ok(Value::Map(map));
            }
            if !self.eat(b',') {
                return self.fault("a comma or } must stand here");
            }
        }
    }

    fn string(&mut self) -> Result<String, Fault> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..0x20)) {
                self.at += 1;
            }
            text.push_str(self.text.get(start..self.at).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return self.fault("a control character must be escaped"),
                None => return self.fault("the text ends inside of a string"),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let letter = self.text.as_bytes().get(self.at + 1);
        let char = match letter {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.code_point(),
            _ => return self.fault("there is no such escape"),
        };
        self.at += 2;
        Ok(char)
    }

    /// `\uXXXX`, or two of them that make a surrogate pair.
    fn code_point(&mut self) -> Result<char, Fault> {
        let unit = |at: usize| {
            let digits = self.text.get(at..)?.strip_prefix("\\u")?.get(..4)?;
            let all_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            all_hex.then(|| u16::from_str_radix(digits, 16).ok())?
        };
        let Some(first) = unit(self.at) else { return self.fault("\\u takes four hex digits") };
        let pair = [first, unit(self.at + 6).unwrap_or(0)];
        let units = if matches!(first, 0xd800..0xdc00) { 2 } else { 1 };
        match char::decode_utf16(pair).next() {
            Some(Ok(char)) => {
                self.at += 6 * units;
                Ok(char)
            }
            _ => self.fault("half of a surrogate pair stands alone"),
        }
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { self.fault("a digit must stand here") } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Value, Fault> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        let whole = self.at;
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        let out_of_range =
            Fault { kind: "json/number", what: "the number is out of range", at: start };
        if digits.len() > DIGITS_MAX {
            return Err(out_of_range);
        }
        if self.at > whole {
            return match digits.parse::<f64>() {
                Ok(float) if float.is_finite() => Ok(Value::Float(float)),
                _ => Err(out_of_range),
            };
        }
        match digits.parse() {
            Ok(small) => Ok(Value::Int(small)),
            Err(_) => edn::read(digits).map_err(|_| out_of_range),
        }
    }
}

#[cfg(test)]
mod tests;
