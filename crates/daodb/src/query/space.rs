//! The words of one run: every value that takes part in it, as 64 bits.
//!
//! 1. Two words of a run are equal exactly when their values are.
//! 2. Words of the home store stand for themselves. A value that the home store does not hold has a
//!    private word, which no fact can have.
//! 3. Words of another store are translated where they enter and leave.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use datom::{Tag, Value, Word};

use super::error::Error;
use super::limits::Watch;
use super::source::Source;
use super::weight::weight;

#[derive(Clone, Default)]
struct Scratch {
    values: Vec<Value>,
    words: HashMap<Value, u64>,
    /// Words of other stores, by store, to words of this run.
    imported: HashMap<(u64, u64), u64>,
}

/// The words of one run.
pub(crate) struct Space<'s> {
    home: Option<&'s dyn Source>,
    watch: Rc<Watch>,
    scratch: RefCell<Scratch>,
}

/// The words of a run, on their way to another thread.
#[derive(Clone)]
pub(crate) struct Shared<'s> {
    home: Option<&'s dyn Source>,
    scratch: Scratch,
}

impl<'s> Shared<'s> {
    pub(crate) fn space(self, watch: Rc<Watch>) -> Space<'s> {
        Space { home: self.home, watch, scratch: RefCell::new(self.scratch) }
    }
}

impl<'s> Space<'s> {
    /// The same words for another thread. Words that are new to one from then on mean nothing to the other.
    pub(crate) fn share(&self) -> Shared<'s> {
        Shared { home: self.home, scratch: self.scratch.borrow().clone() }
    }

    /// The home is the store of the first source; of its views the one that knows most.
    pub(crate) fn new(sources: impl Iterator<Item = &'s dyn Source>, watch: Rc<Watch>) -> Self {
        let mut home: Option<&'s dyn Source> = None;
        for source in sources {
            home = match home {
                Some(known) if known.store() != source.store() => Some(known),
                Some(known) if known.basis() >= source.basis() => Some(known),
                _ => Some(source),
            };
        }
        Self { home, watch, scratch: RefCell::default() }
    }

    /// Whether words of `source` need translation.
    pub(crate) fn is_foreign(&self, source: &dyn Source) -> bool {
        self.home.is_none_or(|home| home.store() != source.store())
    }

    pub(crate) fn word(&self, value: &Value) -> Result<u64, Error> {
        if let Some(word) = value.to_inline() {
            return Ok(word.raw());
        }
        if let Some(home) = self.home
            && let Some(word) = home.word(value)?
        {
            return Ok(word.raw());
        }
        let mut scratch = self.scratch.borrow_mut();
        if let Some(word) = scratch.words.get(value) {
            return Ok(*word);
        }
        let word = Word::new(Tag::Private, scratch.values.len() as u64).raw();
        // Once as a value and once as a key.
        self.watch.take(2 * weight(value) + size_of::<u64>())?;
        scratch.values.push(value.clone());
        scratch.words.insert(value.clone(), word);
        Ok(word)
    }

    pub(crate) fn value(&self, word: u64) -> Result<Value, Error> {
        let word = Word::from_raw(word);
        if let Some(value) = Value::from_inline(word) {
            return Ok(value);
        }
        if word.tag() == Tag::Private {
            let scratch = self.scratch.borrow();
            let found = usize::try_from(word.payload()).ok().and_then(|at| scratch.values.get(at));
            return found.cloned().ok_or_else(|| Error::storage("a private word without value"));
        }
        match self.home {
            Some(home) => home.value(word),
            None => Err(Error::storage("a word without a store")),
        }
    }

    /// A word of `source` as a word of this run.
    pub(crate) fn import(&self, source: &dyn Source, word: u64) -> Result<u64, Error> {
        let tag = Word::from_raw(word).tag();
        if !tag.is_heap() && !tag.is_name() {
            return Ok(word);
        }
        let key = (source.store(), word);
        if let Some(known) = self.scratch.borrow().imported.get(&key) {
            return Ok(*known);
        }
        let own = self.word(&source.value(Word::from_raw(word))?)?;
        self.scratch.borrow_mut().imported.insert(key, own);
        Ok(own)
    }

    /// A word of this run as a word of `source`; `None` where it holds no such value.
    pub(crate) fn export(&self, source: &dyn Source, word: u64) -> Result<Option<u64>, Error> {
        let tag = Word::from_raw(word).tag();
        if !tag.is_heap() && !tag.is_name() && tag != Tag::Private {
            return Ok(Some(word));
        }
        Ok(source.word(&self.value(word)?)?.map(Word::raw))
    }

    /// How two words compare in predicates and in orders of rows.
    pub(crate) fn compare(&self, a: u64, b: u64) -> Result<std::cmp::Ordering, Error> {
        if a == b {
            return Ok(std::cmp::Ordering::Equal);
        }
        if super::aggregate::order_as_words(a, b) {
            return Ok(a.cmp(&b));
        }
        Ok(super::function::compare(&self.value(a)?, &self.value(b)?))
    }
}
