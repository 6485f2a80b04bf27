//! Values as words: which tag a value gets, and the values that a word holds by itself.
//!
//! 1. Each value has one tag, so a store that interns by `(tag, value)` keeps equal values at equal
//!    words.
//! 2. `Value::from_inline(word)` is `Some(value)` for exactly the words with
//!    `value.to_inline() == Some(word)`.

use super::Value;
use crate::{Tag, Word};

impl Value {
    /// The tag of the word that holds this value; `None` if no word can: an instant or an entity
    /// beyond 60 bits.
    ///
    /// ```
    /// use datom::{Tag, Value};
    /// assert_eq!(Value::text("seven b").word_tag(), Some(Tag::ShortText));
    /// assert_eq!(Value::text("eight by").word_tag(), Some(Tag::Text));
    /// assert_eq!(Value::Int(i64::MAX).word_tag(), Some(Tag::BigInt));
    /// assert_eq!(Value::Instant(i64::MAX).word_tag(), None);
    /// ```
    #[must_use]
    pub fn word_tag(&self) -> Option<Tag> {
        match self {
            Value::Keyword(_) => Some(Tag::Keyword),
            Value::Symbol(_) => Some(Tag::Symbol),
            Value::Bytes(_) => Some(Tag::Bytes),
            Value::Uuid(_) => Some(Tag::Uuid),
            Value::Hash(_) => Some(Tag::Hash),
            Value::Vector(_)
            | Value::List(_)
            | Value::Map(_)
            | Value::Set(_)
            | Value::Tagged(..) => Some(Tag::Collection),
            Value::Int(_) | Value::BigInt(_) => {
                Some(self.to_inline().map_or(Tag::BigInt, Word::tag))
            }
            Value::Float(_) => Some(self.to_inline().map_or(Tag::BigFloat, Word::tag)),
            Value::Text(_) => Some(self.to_inline().map_or(Tag::Text, Word::tag)),
            Value::Nil | Value::Bool(_) | Value::Char(_) | Value::Ref(_) | Value::Instant(_) => {
                self.to_inline().map(Word::tag)
            }
        }
    }

    /// The word that holds this value by itself; `None` if it needs a store: its heap, or its
    /// dictionary for keywords and symbols.
    ///
    /// ```
    /// use datom::{Value, Word};
    /// assert_eq!(Value::Int(-7).to_inline(), Word::int(-7));
    /// assert_eq!(Value::keyword("a").to_inline(), None);
    /// ```
    #[must_use]
    pub fn to_inline(&self) -> Option<Word> {
        match self {
            Value::Nil => Some(Word::NIL),
            Value::Bool(x) => Some(Word::bool(*x)),
            Value::Char(x) => Some(Word::char(*x)),
            Value::Int(x) => Word::int(*x),
            Value::BigInt(x) => i64::try_from(x).ok().and_then(Word::int),
            Value::Float(x) => Word::float(*x),
            Value::Ref(x) if *x < Word::PAYLOAD_LIMIT => Some(Word::entity(*x)),
            Value::Instant(x) => Word::instant(*x),
            Value::Text(x) => Word::short_text(x),
            _ => None,
        }
    }

    /// The value that a word holds by itself; `None` if it needs a store, and for words that are
    /// no value's.
    ///
    /// ```
    /// use datom::{Tag, Value, Word};
    /// assert_eq!(Value::from_inline(Word::TRUE), Some(Value::Bool(true)));
    /// assert_eq!(Value::from_inline(Word::new(Tag::Text, 1)), None);
    /// assert_eq!(Value::from_inline(Word::new(Tag::Ordinal, 3)), None); // no such ordinal
    /// ```
    #[inline]
    #[must_use]
    pub fn from_inline(word: Word) -> Option<Value> {
        // Most words are one of these, and each of theirs is a value's only one.
        match word.tag() {
            Tag::Int => word.as_int().map(Value::Int),
            Tag::Ref => word.as_entity().map(Value::Ref),
            _ => Self::from_other(word),
        }
    }

    fn from_other(word: Word) -> Option<Value> {
        let value = match word.tag() {
            Tag::Ordinal if word == Word::NIL => Value::Nil,
            Tag::Ordinal => match word.as_bool() {
                Some(x) => Value::Bool(x),
                None => Value::Char(word.as_char()?),
            },
            Tag::Float => Value::Float(word.as_float()?),
            Tag::Instant => Value::Instant(word.as_instant()?),
            Tag::ShortText => Value::text(word.as_short_text()?.as_str()),
            _ => return None,
        };
        // Several words of the float tag would read as the one NaN or as 0.
        (value.to_inline() == Some(word)).then_some(value)
    }
}

#[cfg(test)]
mod tests;
