//! Numbers: integers of any size and floats.

use alloc::format;
use alloc::string::{String, ToString};

use num_bigint::BigInt;

use super::{DIGITS_MAX, Node, excerpt};
use crate::Value;

/// Whether a token is meant as a number: a digit, perhaps behind a sign or a point.
pub(super) fn is_meant(token: &str) -> bool {
    let unsigned = token.strip_prefix(['+', '-']).unwrap_or(token);
    let unsigned = unsigned.strip_prefix('.').unwrap_or(unsigned);
    unsigned.starts_with(|c: char| c.is_ascii_digit())
}

/// Reads a token that [is meant](is_meant) as a number.
pub(super) fn read(token: &str) -> Result<Node, String> {
    let shown = excerpt(token);
    let unsigned = token.strip_prefix(['+', '-']).unwrap_or(token);
    let (whole, rest) = split_digits(unsigned);
    if whole.is_empty() {
        return Err(format!("a digit must stand before the point of `{shown}`"));
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(format!("`{shown}` begins with 0; write the number without leading zeros"));
    }
    match rest.chars().next() {
        None => integer(token),
        Some('N') if rest.len() == 1 => integer(token.strip_suffix('N').unwrap_or(token)),
        Some('/') => Err(format!(
            "`{shown}` is a ratio, and there are none here; write a float or two integers"
        )),
        Some('.' | 'e' | 'E' | 'M') => float(token, rest),
        Some(_) => Err(format!("`{shown}` is neither a number nor a symbol (digits come first)")),
    }
}

fn integer(digits: &str) -> Result<Node, String> {
    if let Ok(small) = digits.parse() {
        return Ok(Node::Int(small));
    }
    if digits.len() > DIGITS_MAX {
        return Err(format!("an integer of more than {DIGITS_MAX} digits; write it as #bytes"));
    }
    match digits.parse::<BigInt>().map(Value::integer) {
        Ok(Value::BigInt(big)) => Ok(Node::BigInt(big)),
        _ => Err(format!("`{}` is no integer", excerpt(digits))),
    }
}

/// `rest` is what follows the digits before the point.
fn float(token: &str, rest: &str) -> Result<Node, String> {
    let shown = excerpt(token);
    let mut left = rest;
    if let Some(fraction) = left.strip_prefix('.') {
        let (digits, after) = split_digits(fraction);
        if digits.is_empty() {
            return Err(format!("a digit must follow the point of `{shown}`"));
        }
        left = after;
    }
    if let Some(exponent) = left.strip_prefix(['e', 'E']) {
        let (digits, after) = split_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
        if digits.is_empty() {
            return Err(format!("a digit must follow the exponent mark of `{shown}`"));
        }
        left = after;
    }
    match left {
        "" => {}
        "M" => {
            return Err(format!(
                "`{shown}` is an exact decimal, and there are none here; drop the M for a float"
            ));
        }
        _ => return Err(format!("`{shown}` is no number")),
    }
    match token.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Node::Float(value)),
        Ok(_) => Err(format!("`{shown}` is beyond the floats; write ##Inf or ##-Inf if meant")),
        Err(error) => Err(error.to_string()),
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}
