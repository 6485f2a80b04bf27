//! `:json/parse`: JSON text (RFC 8259) to a value.
//!
//! 1. Keys become texts, as in `:toml/parse`. Of equal keys in one object the last one counts.
//! 2. A number without fraction and exponent becomes an integer with all its digits; any other a
//!    float.

use datom::{Value, edn};

use crate::failure::Failure;
use crate::handler::Call;

/// The most digits of an integer.
pub const DIGITS_MAX: usize = 4096;

/// `:json/parse`.
///
/// # Errors
/// The argument is no text (`:bridge/bad-args`), no JSON (`:json/syntax`, with line and column),
/// or has a number out of range (`:json/number`).
pub fn parse(call: &Call<'_>) -> Result<Value, Failure> {
    let Value::Text(text) = call.args else {
        return Err(Failure::bad_args("JSON text", call.args));
    };
    let parsed: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| Failure::new("json/syntax", &format!("no JSON: {error}")))?;
    value(parsed)
}

/// Deep nesting was refused by the reader.
fn value(value: serde_json::Value) -> Result<Value, Failure> {
    Ok(match value {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(bool) => Value::Bool(bool),
        serde_json::Value::Number(number) => self::number(number.as_str())?,
        serde_json::Value::String(text) => Value::text(&text),
        serde_json::Value::Array(items) => {
            Value::Vector(items.into_iter().map(self::value).collect::<Result<_, _>>()?)
        }
        serde_json::Value::Object(object) => {
            let pairs =
                object.into_iter().map(|(key, entry)| Ok((Value::text(&key), self::value(entry)?)));
            Value::Map(pairs.collect::<Result<_, Failure>>()?)
        }
    })
}

fn number(digits: &str) -> Result<Value, Failure> {
    let out_of_range = || {
        let shown: String = digits.chars().take(40).collect();
        Failure::new("json/number", &format!("the number {shown} is out of range"))
    };
    if digits.len() > DIGITS_MAX {
        return Err(out_of_range());
    }
    if digits.contains(['.', 'e', 'E']) {
        let float: f64 = digits.parse().map_err(|_| out_of_range())?;
        return if float.is_finite() { Ok(Value::Float(float)) } else { Err(out_of_range()) };
    }
    match digits.parse() {
        Ok(small) => Ok(Value::Int(small)),
        Err(_) => edn::read(digits).map_err(|_| out_of_range()),
    }
}
