//! The printer: values to compact EDN.

use core::fmt;

use super::{instant, name, tag, text};
use crate::{Keyword, Symbol, Value};

/// Prints compact EDN, which reads back as an equal value (references as integers).
///
/// ```
/// use datom::Value;
/// assert_eq!(Value::Float(1.0).to_string(), "1.0");
/// assert_eq!(Value::text("a\n\"b\"").to_string(), r#""a\n\"b\"""#);
/// assert_eq!(Value::Instant(250_000).to_string(), "#inst \"1970-01-01T00:00:00.25Z\"");
/// assert_eq!(Value::keyword("two words").to_string(), "#keyword \"two words\"");
/// ```
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self, f)
    }
}

pub(super) fn write(value: &Value, out: &mut dyn fmt::Write) -> fmt::Result {
    match value {
        Value::Vector(items) => sequence(items, "[", "]", out),
        Value::List(items) => sequence(items, "(", ")", out),
        Value::Set(items) => sequence(items, "#{", "}", out),
        Value::Map(pairs) => {
            out.write_char('{')?;
            for (at, (key, value)) in pairs.iter().enumerate() {
                out.write_str(if at == 0 { "" } else { ", " })?;
                write(key, out)?;
                out.write_char(' ')?;
                write(value, out)?;
            }
            out.write_char('}')
        }
        Value::Tagged(symbol, value) if is_plain_tag(symbol) => {
            write!(out, "#{} ", symbol.as_str())?;
            write(value, out)
        }
        Value::Tagged(symbol, value) => {
            out.write_str("#tagged [")?;
            text::write(symbol.as_str(), out)?;
            out.write_char(' ')?;
            write(value, out)?;
            out.write_char(']')
        }
        atom => write_atom(atom, out),
    }
}

fn sequence<'v>(
    items: impl IntoIterator<Item = &'v Value>,
    open: &str,
    close: &str,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    out.write_str(open)?;
    for (at, item) in items.into_iter().enumerate() {
        out.write_str(if at == 0 { "" } else { " " })?;
        write(item, out)?;
    }
    out.write_str(close)
}

fn write_atom(value: &Value, out: &mut dyn fmt::Write) -> fmt::Result {
    match value {
        Value::Nil => out.write_str("nil"),
        Value::Bool(x) => write!(out, "{x}"),
        Value::Char(x) => text::write_char(*x, out),
        Value::Int(x) => write!(out, "{x}"),
        Value::BigInt(x) => write!(out, "{x}N"),
        Value::Float(x) => float(*x, out),
        Value::Ref(x) => write!(out, "{x}"),
        Value::Keyword(x) => keyword(x, out),
        Value::Symbol(x) => symbol(x, out),
        Value::Instant(x) => {
            out.write_str("#inst \"")?;
            instant::write(*x, out)?;
            out.write_char('"')
        }
        Value::Text(x) => text::write(x, out),
        Value::Bytes(x) => {
            out.write_str("#bytes \"")?;
            hexadecimal(x, out)?;
            out.write_char('"')
        }
        Value::Hash(x) => {
            out.write_str("#hash \"")?;
            hexadecimal(x, out)?;
            out.write_char('"')
        }
        Value::Uuid(x) => uuid(x, out),
        Value::Vector(_) | Value::List(_) | Value::Map(_) | Value::Set(_) | Value::Tagged(..) => {
            write(value, out)
        }
    }
}

/// The shortest digits that read back as the same float, always with a point or an exponent.
/// Equal floats print alike: −0 as 0.
fn float(value: f64, out: &mut dyn fmt::Write) -> fmt::Result {
    if value.is_nan() {
        out.write_str("##NaN")
    } else if value.is_infinite() {
        out.write_str(if value > 0.0 { "##Inf" } else { "##-Inf" })
    } else {
        write!(out, "{:?}", value + 0.0)
    }
}

fn keyword(keyword: &Keyword, out: &mut dyn fmt::Write) -> fmt::Result {
    if name::is_keyword(keyword.as_str()) {
        return write!(out, ":{}", keyword.as_str());
    }
    out.write_str("#keyword ")?;
    text::write(keyword.as_str(), out)
}

fn symbol(symbol: &Symbol, out: &mut dyn fmt::Write) -> fmt::Result {
    let name = symbol.as_str();
    if name::is_symbol(name) && !name::is_constant(name) {
        return out.write_str(name);
    }
    out.write_str("#symbol ")?;
    text::write(name, out)
}

pub(super) fn is_plain_tag(symbol: &Symbol) -> bool {
    name::is_tag(symbol.as_str()) && !tag::is_ours(symbol.as_str())
}

fn uuid(bytes: &[u8; 16], out: &mut dyn fmt::Write) -> fmt::Result {
    out.write_str("#uuid \"")?;
    for (at, byte) in bytes.iter().enumerate() {
        out.write_str(if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" })?;
        write!(out, "{byte:02x}")?;
    }
    out.write_char('"')
}

fn hexadecimal(bytes: &[u8], out: &mut dyn fmt::Write) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
}
