//! Values that come to the machine, and those that leave it.

use datom::{Value, Word};

use super::Machine;
use crate::error::Trouble;
use crate::heap::{MAP, Sort, UNBOUND};

impl Machine {
    pub(crate) fn value(&self, word: Word) -> Result<Value, Trouble> {
        self.heap.value(word, &|word| self.show(word))
    }

    /// The word of a value, after a collection if need be.
    pub(super) fn adopt(&mut self, value: &Value) -> Result<Word, Trouble> {
        match self.heap.word(value) {
            Err(Trouble::Memory) => {
                self.collect()?;
                self.heap.word(value)
            }
            other => other,
        }
    }

    /// The error value that a refusal of the world becomes.
    pub(super) fn adopt_error(&mut self, value: &Value) -> Result<Word, Trouble> {
        let content = match value {
            Value::Map(_) => value.clone(),
            Value::Tagged(tag, inner) if tag.as_str() == "yin/error" => inner.as_ref().clone(),
            Value::Text(_) => Value::map([(Value::keyword("message"), value.clone())]),
            other => Value::map([(Value::keyword("message"), Value::text(&other.to_string()))]),
        };
        let word = self.adopt(&content)?;
        let word = if self.heap.sort(word) == Sort::Map { self.with_kind(word)? } else { word };
        self.heap.error_value(word)
    }

    /// Every error value has a kind.
    fn with_kind(&mut self, map: Word) -> Result<Word, Trouble> {
        let kind = self.heap.keyword("kind")?;
        if self.heap.tree_get(map, kind)?.is_some() {
            return Ok(map);
        }
        let unknown = self.heap.keyword("error")?;
        self.heap.tree_insert(MAP, map, kind, unknown)
    }

    /// The object of a literal, made when it is first wanted.
    pub(super) fn make_literal(&mut self, id: u32) -> Result<(), Trouble> {
        let value = self.projection.literals.get(id as usize).cloned().unwrap_or(Value::Nil);
        let word = self.adopt(&value)?;
        let objects = &mut self.projection.objects;
        if objects.len() <= id as usize {
            objects.resize(id as usize + 1, UNBOUND);
        }
        if let Some(slot) = objects.get_mut(id as usize) {
            *slot = word;
        }
        Ok(())
    }
}
