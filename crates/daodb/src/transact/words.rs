//! The words of a transaction's values while it is being worked out.
//!
//! 1. Equal values have equal words, also those that were never stored before: these get a
//!    provisional word, whose payload no stored word can have.
//! 2. Nothing is written: what the transaction really adds is interned when it is applied.

use datom::{Value, Word};
use eve::Read;

use crate::dictionary;
use crate::error::Error;
use crate::lookup::Basis;
use crate::mix::WordHashMap;

/// Payloads from here on are provisional: a granule or name this high would lie beyond 2^63 bytes.
const PROVISIONAL_MIN: u64 = 1 << 59;

/// Words by value and values by word, for one transaction.
pub(crate) struct Words<'b, R> {
    basis: Basis<'b, R>,
    words: WordHashMap<Value, Word>,
    values: WordHashMap<Word, Value>,
    provisional: u64,
}

/// Whether a word stands for a value that was never stored before this transaction.
pub(crate) fn is_provisional(word: Word) -> bool {
    let tag = word.tag();
    (tag.is_heap() || tag.is_name()) && word.payload() >= PROVISIONAL_MIN
}

impl<'b, R: Read> Words<'b, R> {
    pub(crate) fn new(basis: Basis<'b, R>) -> Self {
        Self {
            basis,
            words: WordHashMap::default(),
            values: WordHashMap::default(),
            provisional: 0,
        }
    }

    /// The word of a value, provisional if it must be.
    pub(crate) fn word(&mut self, value: &Value) -> Result<Word, Error> {
        if let Some(word) = value.to_inline() {
            return Ok(word);
        }
        if let Some(&word) = self.words.get(value) {
            return Ok(word);
        }
        let word = match self.basis.find(value)? {
            Some(word) => word,
            None => {
                let payload = PROVISIONAL_MIN + self.provisional;
                self.provisional += 1;
                Word::new(dictionary::tag(value), payload)
            }
        };
        self.words.insert(value.clone(), word);
        self.values.insert(word, value.clone());
        Ok(word)
    }

    /// The value of a word, provisional or stored.
    pub(crate) fn value(&self, word: Word) -> Result<Value, Error> {
        match self.values.get(&word) {
            Some(value) => Ok(value.clone()),
            None => self.basis.value(word),
        }
    }
}
