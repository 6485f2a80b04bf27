//! Which names of symbols, keywords and tags can be written in EDN.
//!
//! Reader and printer both ask here, so what prints as a plain name reads as that name. Names
//! that cannot be written plainly (they can come from anywhere: JSON keys, say) print with a tag
//! instead: `#keyword "two words"`.

/// Ends a token. Everything else belongs to it, so that `a'b` is one wrong name and not two good
/// ones.
pub(super) fn is_delimiter(c: char) -> bool {
    is_blank(c) || matches!(c, '(' | ')' | '[' | ']' | '{' | '}' | '"' | ';' | '\\')
}

pub(super) fn is_blank(c: char) -> bool {
    c == ',' || c.is_whitespace()
}

fn is_constituent(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '.' | '*' | '+' | '!' | '-' | '_' | '?' | '$' | '%' | '&')
        || matches!(c, '=' | '<' | '>' | ':' | '#')
}

/// One side of the `/` in a keyword.
fn is_keyword_part(part: &str) -> bool {
    !part.is_empty() && !part.starts_with([':', '#']) && part.chars().all(is_constituent)
}

/// One side of the `/` in a symbol: as in a keyword, but it must not look like a number.
fn is_symbol_part(part: &str) -> bool {
    let unsigned = part.strip_prefix(['+', '-', '.']).unwrap_or(part);
    is_keyword_part(part) && !unsigned.starts_with(|c: char| c.is_ascii_digit())
}

fn parts_are(name: &str, good: fn(&str) -> bool) -> bool {
    match name.split_once('/') {
        Some((namespace, name)) => good(namespace) && good(name),
        None => good(name),
    }
}

/// Whether the text, behind a colon, is a keyword.
pub(super) fn is_keyword(name: &str) -> bool {
    parts_are(name, is_keyword_part)
}

/// Whether the text is a symbol, `nil`, `true` and `false` included.
pub(super) fn is_symbol(name: &str) -> bool {
    name == "/" || parts_are(name, is_symbol_part)
}

/// Whether the text, behind a `#`, is a tag.
pub(super) fn is_tag(name: &str) -> bool {
    name.starts_with(char::is_alphabetic) && is_symbol(name) && !is_constant(name)
}

/// Whether the text is one of the three symbols that stand for a value.
pub(super) fn is_constant(name: &str) -> bool {
    matches!(name, "nil" | "true" | "false")
}

/// Whether the text can stand between `#:` and `{`.
pub(super) fn is_namespace(name: &str) -> bool {
    is_symbol_part(name)
}
