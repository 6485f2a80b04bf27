//! Words to values and back: the border between the machine and everybody else.

use std::collections::{BTreeMap, BTreeSet};

use datom::{Tag, Value, Word};

use super::order::{DEPTH_MAX, too_deep};
use super::tree::{MAP, SET};
use super::{EMPTY_VECTOR, Form, Heap, Number, Sort};
use crate::error::{Kind, Trouble};

/// The tag of error values.
pub(crate) const ERROR_TAG: &str = "yin/error";
/// A value that leaves the machine may have one part for so many words of the heap.
const WORDS_PER_PART: usize = 8;
/// The tag a function is shown with outside of its machine.
const FUNCTION_TAG: &str = "yin/function";
const CONTINUATION_TAG: &str = "yin/continuation";

impl Heap {
    /// The word of a value.
    pub(crate) fn word(&mut self, value: &Value) -> Result<Word, Trouble> {
        self.word_at(value, 0)
    }

    /// The word of a value that needs no object.
    pub(crate) fn inline(&mut self, value: &Value) -> Result<Option<Word>, Trouble> {
        Ok(match value {
            Value::Nil => Some(Word::NIL),
            Value::Bool(x) => Some(Word::bool(*x)),
            Value::Char(x) => Some(Word::char(*x)),
            Value::Int(x) => Word::int(*x),
            Value::Float(x) => Word::float(*x),
            Value::Ref(x) => Some(Word::entity(*x)),
            Value::Keyword(x) => Some(self.keyword(x.as_str())?),
            Value::Symbol(x) => Some(self.symbol(x.as_str())?),
            Value::Instant(x) => Word::instant(*x),
            Value::Text(x) => Word::short_text(x),
            _ => None,
        })
    }

    fn words(&mut self, values: &[Value], depth: usize) -> Result<Vec<Word>, Trouble> {
        self.room(values.len())?;
        values.iter().map(|value| self.word_at(value, depth + 1)).collect()
    }

    fn word_at(&mut self, value: &Value, depth: usize) -> Result<Word, Trouble> {
        if depth > DEPTH_MAX {
            return Err(too_deep());
        }
        self.charge(1)?;
        match value {
            Value::Nil => Ok(Word::NIL),
            Value::Bool(x) => Ok(Word::bool(*x)),
            Value::Char(x) => Ok(Word::char(*x)),
            Value::Int(x) => self.int(*x),
            Value::BigInt(x) => self.big(x),
            Value::Float(x) => self.float(*x),
            Value::Ref(x) => Ok(Word::entity(*x)),
            Value::Keyword(x) => self.keyword(x.as_str()),
            Value::Symbol(x) => self.symbol(x.as_str()),
            Value::Instant(x) => match Word::instant(*x) {
                Some(word) => Ok(word),
                None => self.raw_object(Form::Instant, &[*x as u64]),
            },
            Value::Text(x) => self.text(x),
            Value::Bytes(x) => self.byte_object(Form::Bytes, x),
            Value::Uuid(x) => self.byte_object(Form::Uuid, x),
            Value::Hash(x) => self.byte_object(Form::Hash, x),
            Value::Vector(items) => {
                let words = self.words(items, depth)?;
                self.vector(&words)
            }
            Value::List(items) => {
                let words = self.words(items, depth)?;
                self.list(&words)
            }
            Value::Map(map) => {
                let mut entries = Vec::with_capacity(map.len());
                for (key, value) in map {
                    entries.push((self.word_at(key, depth + 1)?, self.word_at(value, depth + 1)?));
                }
                self.tree_sorted(MAP, &entries)
            }
            Value::Set(set) => {
                let mut entries = Vec::with_capacity(set.len());
                for value in set {
                    entries.push((self.word_at(value, depth + 1)?, Word::NIL));
                }
                self.tree_sorted(SET, &entries)
            }
            Value::Tagged(tag, value) => {
                let tag = self.symbol(tag.as_str())?;
                let value = self.word_at(value, depth + 1)?;
                self.tagged(tag, value)
            }
        }
    }

    /// The value of a word. `name` says what a function is called.
    pub(crate) fn value(
        &self,
        word: Word,
        name: &dyn Fn(Word) -> String,
    ) -> Result<Value, Trouble> {
        Leaving { heap: self, name, parts: self.limit / WORDS_PER_PART }.value(word, 0)
    }

    fn leaf_value(&self, word: Word, sort: Sort) -> Value {
        let found = match sort {
            Sort::Bool => word.as_bool().map(Value::Bool),
            Sort::Char => word.as_char().map(Value::Char),
            Sort::Int | Sort::Float => self.number(word).map(|number| match number {
                Number::Int(int) => Value::Int(int),
                Number::Big(big) => Value::integer(big),
                Number::Float(float) => Value::Float(float),
            }),
            Sort::Ref => word.as_entity().map(Value::Ref),
            Sort::Keyword => self.shared_name(word).map(|name| Value::Keyword(name.into())),
            Sort::Symbol => self.shared_name(word).map(|name| Value::Symbol(name.into())),
            Sort::Instant => self.as_instant(word).map(Value::Instant),
            Sort::Text => self.as_text(word).map(|text| Value::text(text.as_str())),
            Sort::Bytes => self.as_bytes(word).map(|bytes| Value::Bytes(bytes.into())),
            Sort::Uuid => self
                .bytes_of(word, Form::Uuid)
                .and_then(|bytes| bytes.try_into().ok())
                .map(Value::Uuid),
            Sort::Hash => self
                .bytes_of(word, Form::Hash)
                .and_then(|bytes| bytes.try_into().ok())
                .map(Value::Hash),
            _ => None,
        };
        found.unwrap_or(Value::Nil)
    }

    /// An error value of a kind and a message.
    pub(crate) fn error_value(&mut self, content: Word) -> Result<Word, Trouble> {
        let tag = self.symbol(ERROR_TAG)?;
        self.tagged(tag, content)
    }

    /// What an error value holds.
    pub(crate) fn error_content(&self, word: Word) -> Option<Word> {
        let (tag, content) = self.untagged(word)?;
        (self.name(tag) == Some(ERROR_TAG)).then_some(content)
    }

    /// What an error value says.
    pub(crate) fn error_message(&self, word: Word) -> Option<String> {
        let content = self.error_content(word)?;
        if let Some(text) = self.as_text(content) {
            return Some(text.as_str().to_owned());
        }
        for (key, value) in self.entries(content) {
            if self.name(key) == Some("message")
                && key.tag() == Tag::Keyword
                && let Some(text) = self.as_text(value)
            {
                return Some(text.as_str().to_owned());
            }
        }
        self.show(content).ok()
    }

    /// A value as EDN text.
    pub(crate) fn show(&self, word: Word) -> Result<String, Trouble> {
        Ok(self.value(word, &|_| "fn".to_owned())?.to_string())
    }

    /// A value as text for a message: EDN where it is small, else the name of its kind.
    pub(crate) fn excerpt(&self, word: Word) -> String {
        const CHARS_MAX: usize = 60;
        const PARTS_MAX: usize = 24;
        if self.is_small(word, &mut { PARTS_MAX })
            && let Ok(text) = self.show(word)
            && text.chars().count() <= CHARS_MAX
        {
            return text;
        }
        self.sort(word).name().to_owned()
    }

    /// Whether a value has at most so many parts. Looks at no more than it counts.
    fn is_small(&self, word: Word, parts: &mut usize) -> bool {
        let Some(left) = parts.checked_sub(1 + self.text_units(word)) else { return false };
        *parts = left;
        match self.sort(word) {
            Sort::Vector | Sort::List => (0..self.vector_len(word))
                .all(|at| self.is_small(self.vector_get(word, at).unwrap_or(Word::NIL), parts)),
            Sort::Map | Sort::Set => self
                .entries(word)
                .all(|(key, value)| self.is_small(key, parts) && self.is_small(value, parts)),
            Sort::Tagged => {
                self.untagged(word).is_none_or(|(_, value)| self.is_small(value, parts))
            }
            _ => true,
        }
    }

    /// The size of an opaque object in eights of bytes.
    fn text_units(&self, word: Word) -> usize {
        match self.raw(word) {
            Some((form, payload)) if !form.has_words() => payload.len(),
            _ => 0,
        }
    }

    /// The fault that an operation met a word of a kind it has no use for.
    pub(crate) fn wrong(&self, operation: &str, wanted: &str, word: Word) -> Trouble {
        let sort = self.sort(word).name();
        if let Some(message) = self.error_message(word) {
            let value = self.value(word, &|_| "fn".to_owned()).unwrap_or(Value::Nil);
            return Trouble::new(
                Kind::Type,
                format!("`{operation}` wants {wanted}, not an error value: {message}"),
            )
            .help("test what an effect answers with `error?` before using it")
            .value(value);
        }
        let shown = self.excerpt(word);
        let message = if shown == sort || shown == "nil" {
            format!("`{operation}` wants {wanted}, not {sort}")
        } else {
            format!("`{operation}` wants {wanted}, not {sort}: {shown}")
        };
        Trouble::new(Kind::Type, message)
    }

    /// How many elements a collection or text has; `None` for anything else.
    pub(crate) fn count(&self, word: Word) -> Option<usize> {
        match self.sort(word) {
            Sort::Nil => Some(0),
            Sort::Vector | Sort::List => Some(self.vector_len(word)),
            Sort::Map | Sort::Set => Some(self.tree_len(word)),
            Sort::Text => self.as_text(word).map(|text| text.as_str().chars().count()),
            Sort::Bytes => self.as_bytes(word).map(<[u8]>::len),
            _ => None,
        }
    }

    /// The elements of anything that has elements, in order: of a map its entries as pairs, of a
    /// text its characters, of bytes integers, of nil none.
    pub(crate) fn elements(&mut self, word: Word) -> Result<Option<Vec<Word>>, Trouble> {
        Ok(Some(match self.sort(word) {
            Sort::Nil => Vec::new(),
            Sort::Vector | Sort::List => self.vector_words(word),
            Sort::Set => self.entries(word).map(|(element, _)| element).collect(),
            Sort::Map => {
                let entries: Vec<_> = self.entries(word).collect();
                self.room(entries.len() * 3)?;
                entries
                    .into_iter()
                    .map(|(key, value)| self.object(Form::Array, &[key, value]))
                    .collect::<Result<_, _>>()?
            }
            Sort::Text => match self.as_text(word) {
                Some(text) => text.as_str().chars().map(Word::char).collect(),
                None => Vec::new(),
            },
            Sort::Bytes => {
                let byte = |&byte: &u8| Word::int(i64::from(byte)).unwrap_or(Word::NIL);
                self.as_bytes(word).unwrap_or(&[]).iter().map(byte).collect()
            }
            _ => return Ok(None),
        }))
    }

    /// A sequence as a vector: lists, sets, maps, texts, bytes and nil become one.
    pub(crate) fn vector_of(&mut self, word: Word) -> Result<Option<Word>, Trouble> {
        if self.sort(word) == Sort::Vector {
            return Ok(Some(word));
        }
        match self.elements(word)? {
            Some(words) if words.is_empty() => Ok(Some(EMPTY_VECTOR)),
            Some(words) => self.vector(&words).map(Some),
            None => Ok(None),
        }
    }
}

/// Values that leave the machine. Shared parts are shared no longer outside, so what leaves can be
/// exponentially larger than it is here, and is counted.
struct Leaving<'h> {
    heap: &'h Heap,
    name: &'h dyn Fn(Word) -> String,
    /// How many more parts may leave.
    parts: usize,
}

impl Leaving<'_> {
    fn value(&mut self, word: Word, depth: usize) -> Result<Value, Trouble> {
        if depth > DEPTH_MAX {
            return Err(too_deep());
        }
        let size = 1 + self.heap.text_units(word) / WORDS_PER_PART;
        self.parts = self.parts.checked_sub(size).ok_or_else(|| {
            Trouble::new(Kind::Limit, "a value is too large to leave the machine or to be shown")
        })?;
        self.heap.charge(1)?;
        Ok(match self.heap.sort(word) {
            Sort::Vector => Value::Vector(self.elements(word, depth)?),
            Sort::List => Value::List(self.elements(word, depth)?),
            Sort::Map => {
                let mut map = BTreeMap::new();
                for (key, value) in self.heap.entries(word) {
                    let key = self.value(key, depth + 1)?;
                    map.insert(key, self.value(value, depth + 1)?);
                }
                Value::Map(map)
            }
            Sort::Set => {
                let mut set = BTreeSet::new();
                for (element, _) in self.heap.entries(word) {
                    set.insert(self.value(element, depth + 1)?);
                }
                Value::Set(set)
            }
            Sort::Tagged => {
                let (tag, value) = self.heap.untagged(word).unwrap_or((Word::NIL, Word::NIL));
                let value = self.value(value, depth + 1)?;
                let tag = self.heap.shared_name(tag).unwrap_or_default();
                Value::Tagged(tag.into(), Box::new(value))
            }
            Sort::Function => {
                let tag = match self.heap.form(word) {
                    Some(Form::Continuation) => CONTINUATION_TAG,
                    _ => FUNCTION_TAG,
                };
                Value::Tagged(tag.into(), Box::new(Value::symbol(&(self.name)(word))))
            }
            sort => self.heap.leaf_value(word, sort),
        })
    }

    fn elements(&mut self, word: Word, depth: usize) -> Result<Vec<Value>, Trouble> {
        let words = self.heap.vector_words(word).into_iter();
        words.map(|element| self.value(element, depth + 1)).collect()
    }
}
