//! Text and characters: their escapes, read and written.

use alloc::format;
use alloc::string::String;
use core::fmt;

use super::{Span, excerpt};

/// Characters with a name. The first of two names for a character would be the one printed.
const NAMED: [(char, &str); 6] = [
    ('\n', "newline"),
    (' ', "space"),
    ('\t', "tab"),
    ('\r', "return"),
    ('\u{c}', "formfeed"),
    ('\u{8}', "backspace"),
];

/// Most bytes of text that are written at once, but for one character.
const PIECE_BYTES: usize = 256;

/// What is wrong within a text literal, and where, relative to its body.
pub(super) type Wrong = (String, Span);

/// Reads the body of a text literal: `rest` begins behind the opening quote. Gives the text and
/// the bytes up to and including the closing quote; `None` if it is never closed.
pub(super) fn read(rest: &str) -> Result<Option<(String, usize)>, Wrong> {
    let mut text = String::new();
    let mut at = 0;
    loop {
        let left = rest.get(at..).unwrap_or("");
        let Some(stop) = left.find(['"', '\\']) else { return Ok(None) };
        let (plain, marked) = left.split_at(stop);
        text.push_str(plain);
        at += stop;
        if marked.starts_with('"') {
            return Ok(Some((text, at + 1)));
        }
        let Some(escape) = marked.chars().nth(1) else { return Ok(None) };
        let length = 1 + escape.len_utf8();
        match escape {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            '"' | '\\' => text.push(escape),
            'u' => match unicode(marked) {
                Some((c, length)) => {
                    text.push(c);
                    at += length;
                    continue;
                }
                None if marked.len() < 6 && !marked.contains('"') => return Ok(None),
                None => {
                    let what = "\\u needs the four hexadecimal digits of a character";
                    return Err((what.into(), Span { start: at, end: at + length }));
                }
            },
            _ => {
                let what = format!(
                    "there is no escape `\\{escape}` in text; \
                     there are \\n \\t \\r \\b \\f \\\\ \\\" \\u0041"
                );
                return Err((what, Span { start: at, end: at + length }));
            }
        }
        at += length;
    }
}

/// The character of `\uXXXX`, or of two of them that are a surrogate pair, and its bytes.
fn unicode(escape: &str) -> Option<(char, usize)> {
    let first = unit(escape)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, 6));
    }
    let second = unit(escape.get(6..)?)?;
    let units = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
    let c = char::decode_utf16(units).next()?.ok()?;
    Some((c, 12))
}

fn unit(escape: &str) -> Option<u32> {
    hexadecimal(escape.strip_prefix("\\u")?.get(..4)?)
}

fn hexadecimal(digits: &str) -> Option<u32> {
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}

/// Reads a character from what follows its backslash.
pub(super) fn read_char(token: &str) -> Result<char, String> {
    let mut chars = token.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        return Ok(c);
    }
    if let Some((c, _)) = NAMED.iter().find(|(_, name)| *name == token) {
        return Ok(*c);
    }
    let code = token.strip_prefix('u').filter(|digits| digits.len() == 4).and_then(hexadecimal);
    code.and_then(char::from_u32).ok_or_else(|| {
        format!(
            "there is no character `\\{}`; a character is written \\a, \\newline or \\u0041",
            excerpt(token)
        )
    })
}

/// Writes a text literal.
pub(super) fn write(text: &str, out: &mut dyn fmt::Write) -> fmt::Result {
    out.write_char('"')?;
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        let escape = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\t' => "\\t",
            '\r' => "\\r",
            c if is_invisible(c) => "",
            // In pieces, so that who measures a long text can stop early.
            _ if at - plain < PIECE_BYTES => continue,
            c => {
                let end = at + c.len_utf8();
                out.write_str(text.get(plain..end).unwrap_or(""))?;
                plain = end;
                continue;
            }
        };
        out.write_str(text.get(plain..at).unwrap_or(""))?;
        if escape.is_empty() {
            write_units(c, out)?
        } else {
            out.write_str(escape)?
        }
        plain = at + c.len_utf8();
    }
    out.write_str(text.get(plain..).unwrap_or(""))?;
    out.write_char('"')
}

/// Writes a character literal.
pub(super) fn write_char(c: char, out: &mut dyn fmt::Write) -> fmt::Result {
    if let Some((_, name)) = NAMED.iter().find(|(named, _)| *named == c) {
        return write!(out, "\\{name}");
    }
    if (c.is_control() || c.is_whitespace() || is_invisible(c))
        && u16::try_from(u32::from(c)).is_ok()
    {
        return write!(out, "\\u{:04x}", u32::from(c));
    }
    write!(out, "\\{c}")
}

/// Controls, and what could reorder or hide the text around it on a terminal.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn write_units(c: char, out: &mut dyn fmt::Write) -> fmt::Result {
    let mut units = [0; 2];
    c.encode_utf16(&mut units).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
}
