//! A program: the forms of one source text, as AST, and as datoms.
//!
//! 1. The entity of a program is named by the hash of its name, source and code, so storing the
//!    same program again states nothing new.
//! 2. What is particular to a place (name, source, positions) hangs on the program; nodes hold
//!    content only and are shared.

mod load;
mod positions;
mod store;

use std::sync::Arc;

use datom::Value;
use datom::edn::Span;

use crate::ast::{NodeId, Tree};
use crate::error::{Error, Position};
use crate::reader;

pub use load::Code;
pub use store::schema;

/// A program, read from source or loaded from datoms.
///
/// ```
/// let program = yin::Program::read("sum.yin", "(defn twice [x] (* 2 x)) (twice 21)").unwrap();
/// assert_eq!(program.forms().len(), 2);
///
/// let error = yin::Program::read("sum.yin", "(let [x] x)").unwrap_err();
/// assert_eq!(error.to_string(), "sum.yin:1:7: this name has no value");
/// ```
#[derive(Clone, Debug)]
pub struct Program {
    name: Arc<str>,
    source: Arc<str>,
    tree: Tree,
    forms: Vec<NodeId>,
}

impl Program {
    /// Reads a source text. The name is what error messages and the database call it, such as the
    /// path of its file.
    ///
    /// # Errors
    /// [`Kind::Syntax`](crate::Kind::Syntax) with the place, and
    /// [`unfinished`](Error::unfinished) where only an end is missing.
    pub fn read(name: &str, source: &str) -> Result<Self, Error> {
        let (name, source): (Arc<str>, Arc<str>) = (name.into(), source.into());
        let reader::Reading { tree, forms } = reader::read(&name, &source)?;
        Ok(Self { name, source, tree, forms })
    }

    /// What error messages and the database call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text it was read from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its nodes.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Its forms, in the order they are run.
    #[must_use]
    pub fn forms(&self) -> &[NodeId] {
        &self.forms
    }

    /// Where a node stands in the source. `None` if there is no source.
    #[must_use]
    pub fn position(&self, node: NodeId) -> Option<Position> {
        let span = self.tree.span(node);
        (span != Span::default()).then(|| Position::new(&self.name, &self.source, span))
    }

    /// The BLAKE3 hash that names the program in a database: of name, source and code.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"yin/program 1\0");
        for text in [&self.name, &self.source] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        for &form in &self.forms {
            hasher.update(&self.tree.hash(form));
        }
        *hasher.finalize().as_bytes()
    }

    /// The lookup ref of the program's entity: `[:yin.program/hash #hash "…"]`.
    #[must_use]
    pub fn entity(&self) -> Value {
        Value::Vector(vec![Value::keyword("yin.program/hash"), Value::Hash(self.hash())])
    }
}

#[cfg(test)]
mod tests;
