//! The store as programs see it: cells by name; and programs as facts.
//!
//! A symbol names the cell that a definition of that name fills and a variable of that name reads. A
//! keyword names a cell that no variable reaches, for no name begins with a colon.

use datom::{Symbol, Tag, Value, Word};

use super::Machine;
use crate::error::{Kind, Trouble};
use crate::heap::UNBOUND;
use crate::program::Program;

impl Machine {
    /// The name of the cell of a key.
    fn cell(&self, operation: &str, key: Word) -> Result<Symbol, Trouble> {
        match (key.tag(), self.heap.name(key)) {
            (Tag::Symbol, Some(name)) => Ok(name.into()),
            (Tag::Keyword, Some(name)) => Ok(format!(":{name}").as_str().into()),
            _ => Err(self.heap.wrong(operation, "a keyword or symbol as key", key)),
        }
    }

    /// What the store has under a key; nil if nothing.
    pub(super) fn store_get(&self, key: Word) -> Result<Word, Trouble> {
        let cell = self.cell("vm/store-get", key)?;
        Ok(self.projection.definition(&cell).unwrap_or(Word::NIL))
    }

    /// `(program-facts name source)`: the facts that store a program, its hash, and the tempid it
    /// has among them. The source is a text, or its forms.
    pub(super) fn program_facts(
        &mut self,
        name: &Value,
        source: Option<&Value>,
    ) -> Result<Word, Trouble> {
        let source = match source {
            Some(Value::Text(text)) => text.to_string(),
            Some(Value::Vector(forms) | Value::List(forms)) => {
                forms.iter().map(Value::to_string).collect::<Vec<_>>().join("\n\n")
            }
            _ => return Err(Trouble::new(Kind::Type, "`program-facts` wants a text or forms")),
        };
        self.heap.charge(source.len() as u64)?;
        let name = name.as_text().unwrap_or("program");
        let program = Program::read(name, &source)
            .map_err(|error| Trouble::new(Kind::Range, error.to_string()))?;
        let facts = Value::map([
            (Value::keyword("program"), Value::Hash(program.hash())),
            (Value::keyword("tempid"), program.tempid()),
            (Value::keyword("facts"), Value::Vector(program.transaction())),
        ]);
        self.adopt(&facts)
    }

    /// Puts something into the store, and gives it.
    pub(super) fn store_put(&mut self, key: Word, word: Word) -> Result<Word, Trouble> {
        debug_assert_ne!(word, UNBOUND, "no program holds the mark of an empty cell");
        let cell = self.cell("vm/store-put", key)?;
        if !crate::reader::is_definable(&cell) {
            return Err(self.heap.wrong(
                "vm/store-put",
                "the key of a cell that can be defined",
                key,
            ));
        }
        self.projection.bind(cell.as_str(), word);
        Ok(word)
    }
}
