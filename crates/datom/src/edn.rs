//! EDN: the language of every text interface, read and printed.
//!
//! ```
//! use datom::{Value, edn};
//!
//! let value = edn::read("{:person/name \"Ada\", :person/born #inst \"1815-12-10\"}").unwrap();
//! assert_eq!(value.get("person/name"), Some(&Value::text("Ada")));
//! assert_eq!(edn::read(&value.to_string()).unwrap(), value);
//! ```
//!
//! # What is read
//!
//! All of EDN but exact decimals (`1.5M`), which are refused with a message rather than rounded.
//! So are ratios, which are Clojure's. Integers have any size up to [`DIGITS_MAX`] digits, with or
//! without `N`. Beyond the letter of EDN: `##Inf ##-Inf ##NaN`, namespaced maps
//! (`#:person{:name "Ada"}`), keywords that begin with a digit, and the tags
//!
//! | written | is |
//! | --- | --- |
//! | `#inst "2024-05-17T08:30:00.25Z"` | an instant, to the microsecond |
//! | `#uuid "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"` | a UUID |
//! | `#bytes "00ff"` | bytes |
//! | `#hash "…64 digits…"` | the BLAKE3-256 hash of content kept elsewhere |
//! | `#keyword "two words"`, `#symbol "2nd"` | a name that cannot be written plainly |
//! | `#tagged ["2nd" 1]` | a tag that cannot be written plainly |
//!
//! Any other tag gives a [`Value::Tagged`]. A map or set that has a key or
//! element twice is refused.
//!
//! # Bounds
//!
//! 1. No text overflows the stack: the reader does not recurse, and forms nested deeper than
//!    [`Value::DEPTH_MAX`] are refused, which bounds whatever recurses
//!    over a value later.
//! 2. Memory is proportional to the text.
//! 3. What prints reads back equal, references excepted: they print as integers.

mod error;
mod form;
mod instant;
mod name;
mod number;
mod pretty;
mod print;
mod reader;
mod tag;
mod text;

use alloc::string::String;
use alloc::vec::Vec;

pub use error::Error;
pub use form::{Form, Node, Span};
pub use pretty::pretty;
pub use reader::Reader;

use crate::Value;

/// Most digits of an integer in a text. Reading and printing an integer costs the square of its
/// digits.
pub const DIGITS_MAX: usize = 1 << 15;

/// Characters of foreign text that a message quotes.
const EXCERPT_CHARS_MAX: usize = 40;

/// Reads exactly one value.
///
/// ```
/// let value = datom::edn::read("[1 2.5 #{:a \\b} ; a comment\n nil]").unwrap();
/// assert_eq!(value.to_string(), "[1 2.5 #{\\b :a} nil]");
/// ```
///
/// # Errors
/// If the text is no EDN, or holds no value, or more than one.
pub fn read(text: &str) -> Result<Value, Error> {
    let mut reader = Reader::new(text);
    let Some((_, value)) = reader.next_both().transpose()? else {
        let whole = Span { start: 0, end: text.len() };
        return Err(Error::unfinished(text, whole, "there is no value in this text".into()));
    };
    match reader.next().transpose()? {
        None => Ok(value),
        Some(second) => {
            let message = "one value is wanted, and here begins a second";
            Err(Error::new(text, second.span, message.into()))
        }
    }
}

/// Reads all values of a text, which may be none.
///
/// ```
/// assert_eq!(datom::edn::read_all("1 #_2 3").unwrap().len(), 2);
/// ```
///
/// # Errors
/// If the text is no EDN.
pub fn read_all(text: &str) -> Result<Vec<Value>, Error> {
    let mut reader = Reader::new(text);
    core::iter::from_fn(|| reader.next_both()).map(|read| read.map(|(_, value)| value)).collect()
}

/// Reads all forms of a text, with their places. Here as in [`read`] `'x` is refused.
///
/// ```
/// use datom::edn::{Node, read_forms};
/// let forms = read_forms("(f :x)").unwrap();
/// let Node::List(items) = &forms[0].node else { panic!("a list") };
/// assert_eq!((items[1].span.start, items[1].span.end), (3, 5));
/// ```
///
/// # Errors
/// If the text is no EDN.
pub fn read_forms(text: &str) -> Result<Vec<Form>, Error> {
    Reader::new(text).collect()
}

/// Reads all forms of a program: as [`read_forms`], and `'x` is `(quote x)`.
///
/// ```
/// let forms = datom::edn::read_program("(f 'x)").unwrap();
/// assert_eq!(forms[0].to_value().to_string(), "(f (quote x))");
/// ```
///
/// # Errors
/// If the text is no EDN with quotes.
pub fn read_program(text: &str) -> Result<Vec<Form>, Error> {
    Reader::program(text).collect()
}

/// The beginning of a text, for a message.
fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS_MAX) {
        None => text.into(),
        Some((end, _)) => {
            let mut short: String = text.get(..end).unwrap_or("").into();
            short.push('…');
            short
        }
    }
}

#[cfg(test)]
mod tests;
