//! The tags that mean something to us.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Form, Node, instant};
use crate::Symbol;

/// What a tag makes of the form behind it; `Err` says what is wrong with that form.
pub(super) fn apply(tag: Symbol, form: Form) -> Result<Node, String> {
    match (tag.as_str(), &form.node) {
        ("inst", Node::Text(text)) => instant::read(text).map(Node::Instant),
        ("uuid", Node::Text(text)) => uuid(text),
        ("bytes", Node::Text(text)) => bytes(text),
        ("hash", Node::Text(text)) => hash(text),
        ("keyword", Node::Text(name)) => Ok(Node::Keyword((&**name).into())),
        ("symbol", Node::Text(name)) => Ok(Node::Symbol((&**name).into())),
        ("tagged", _) => tagged(form),
        ("inst" | "uuid" | "bytes" | "hash" | "keyword" | "symbol", _) => {
            Err(format!("text must follow #{tag}, as in #{tag} {}", example(&tag)))
        }
        _ => Ok(Node::Tagged(tag, Box::new(form))),
    }
}

/// Whether a value of this tag would not read back as one.
pub(super) fn is_ours(tag: &str) -> bool {
    matches!(tag, "inst" | "uuid" | "bytes" | "hash" | "keyword" | "symbol" | "tagged")
}

fn example(tag: &Symbol) -> &'static str {
    match tag.as_str() {
        "inst" => "\"2024-05-17T08:30:00Z\"",
        "uuid" => "\"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"",
        "keyword" | "symbol" => "\"two words\"",
        _ => "\"00ff\"",
    }
}

fn uuid(text: &str) -> Result<Node, String> {
    let wrong = || {
        format!(
            "a UUID has 32 hexadecimal digits in groups of 8-4-4-4-12, which `{}` has not",
            super::excerpt(text)
        )
    };
    let groups_are_right = text.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    if !groups_are_right {
        return Err(wrong());
    }
    let mut digits = text.as_bytes().to_vec();
    digits.retain(|&byte| byte != b'-');
    let bytes = hexadecimal(&digits).ok_or_else(wrong)?;
    bytes.try_into().map(Node::Uuid).map_err(|_| wrong())
}

fn bytes(text: &str) -> Result<Node, String> {
    let bytes = hexadecimal(text.as_bytes())
        .ok_or("#bytes needs hexadecimal digits, two for each byte, as in #bytes \"00ff\"")?;
    Ok(Node::Bytes(bytes.into()))
}

fn hash(text: &str) -> Result<Node, String> {
    hexadecimal(text.as_bytes())
        .and_then(|bytes| bytes.try_into().ok())
        .map(Node::Hash)
        .ok_or_else(|| "#hash needs the 64 hexadecimal digits of 32 bytes".into())
}

fn hexadecimal(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, odd) = digits.as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// `#tagged ["any tag" value]`: how tags print that cannot stand behind a `#`.
fn tagged(form: Form) -> Result<Node, String> {
    if let Node::Vector(parts) = form.node
        && let Ok([tag, form]) = <[Form; 2]>::try_from(parts)
        && let Node::Text(tag) = tag.node
    {
        return Ok(Node::Tagged((&*tag).into(), Box::new(form)));
    }
    Err("a vector of text and a value must follow #tagged, as in #tagged [\"any tag\" 1]".into())
}
