//! A program: the forms of one source text, as AST, and as datoms.
//!
//! 1. The entity of a program is named by the hash of its name, source and code, so storing the
//!    same program again states nothing new.
//! 2. What is particular to a place (name, source, positions) hangs on the program; nodes hold
//!    content only and are shared.

mod load;
mod places;
mod positions;
mod store;
mod types;
mod universal;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use datom::edn::Span;
use datom::{Symbol, Value};

use crate::ast::{Node, NodeId, Tree};
use crate::builtin;
use crate::error::{Error, Position};
use crate::library::{Embedded, Library};
use crate::reader;

pub use load::{AttributeValues, Code};
pub(crate) use places::{Meaning, Places, immediate};
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
    /// What its definitions are for, where the source says so.
    docs: BTreeMap<Symbol, Arc<str>>,
    hash: OnceLock<[u8; 32]>,
}

impl Program {
    /// Reads a source text. The name is what error messages and the database call it, such as the
    /// path of its file.
    ///
    /// # Errors
    /// [`Kind::Syntax`](crate::Kind::Syntax) with the place, and
    /// [`unfinished`](Error::unfinished) where only an end is missing.
    pub fn read(name: &str, source: &str) -> Result<Self, Error> {
        Self::read_with(name, source, &Embedded)
    }

    /// As [`Program::read`], with the namespaces of a database or another place, whose macros the
    /// source may use.
    ///
    /// # Errors
    /// As [`Program::read`].
    pub fn read_with(name: &str, source: &str, library: &dyn Library) -> Result<Self, Error> {
        let (name, source): (Arc<str>, Arc<str>) = (name.into(), source.into());
        let reading = reader::read(&name, &source, library)?;
        Ok(Self::of_reading(&name, &source, reading))
    }

    /// As [`Program::read_with`], behind other texts: the namespace that they begin, what they define and their
    /// macros mean the same here. They are no part of the program. So a session reads what is typed
    /// behind what was typed before.
    ///
    /// ```
    /// use yin::{Embedded, Program};
    ///
    /// let before = ["(ns shop)".into(), "(defmacro twice [x] `(* 2 ~x))".into()];
    /// let program = Program::read_behind("entry", "(def y (twice 4))", &before, &Embedded).unwrap();
    /// assert!(program.print().starts_with("(def shop/y"));
    /// ```
    ///
    /// # Errors
    /// As [`Program::read`], also if the other texts cannot be read.
    pub fn read_behind(
        name: &str,
        source: &str,
        before: &[Arc<str>],
        library: &dyn Library,
    ) -> Result<Self, Error> {
        let (name, source): (Arc<str>, Arc<str>) = (name.into(), source.into());
        let reading = reader::read_behind(&name, &source, before, library)?;
        Ok(Self::of_reading(&name, &source, reading))
    }

    pub(crate) fn of_reading(name: &Arc<str>, source: &Arc<str>, reading: reader::Reading) -> Self {
        let reader::Reading { tree, forms, docs } = reading;
        Self {
            name: name.clone(),
            source: source.clone(),
            tree,
            forms,
            docs,
            hash: OnceLock::new(),
        }
    }

    /// Some nodes of a tree as a program of their own.
    pub(crate) fn of_parts(
        name: &Arc<str>,
        source: &Arc<str>,
        tree: &Tree,
        roots: &[NodeId],
    ) -> Self {
        let (tree, forms) = tree.swept(roots);
        let (name, source) = (name.clone(), source.clone());
        Self { name, source, tree, forms, docs: BTreeMap::new(), hash: OnceLock::new() }
    }

    /// The call of a macro with forms as data.
    pub(crate) fn of_macro_call(name: &Symbol, arguments: Vec<Value>) -> Option<Self> {
        let mut tree = Tree::default();
        let none = Span::default();
        let unmark = tree.add(Node::Variable(builtin::UNMARK.into()), none)?;
        let marked = tree.add(Node::Variable(name.clone()), none)?;
        let operator =
            tree.add(Node::Application { operator: unmark, operands: vec![marked] }, none)?;
        let operands = arguments
            .into_iter()
            .map(|argument| tree.add(Node::Literal(argument), none))
            .collect::<Option<_>>()?;
        let call = tree.add(Node::Application { operator, operands }, none)?;
        let (name, source) = (name.as_str().into(), "".into());
        Some(Self {
            name,
            source,
            tree,
            forms: vec![call],
            docs: BTreeMap::new(),
            hash: OnceLock::new(),
        })
    }

    /// The program without the forms that define nothing: what it says of its namespace, and its
    /// definitions. Running it makes its functions known and does little else.
    ///
    /// ```
    /// let program = yin::Program::read("a.yin", "(ns a) (defn f [] 1) (perform :fs/write [\"b\" \"\"])")?;
    /// assert_eq!(program.definitions().forms().len(), 2);
    /// # Ok::<(), yin::Error>(())
    /// ```
    #[must_use]
    pub fn definitions(&self) -> Self {
        let own = |(at, form): (usize, &NodeId)| {
            let states = at == 0 && self.namespace().is_some();
            states || matches!(self.tree.node(*form), Node::Definition { .. })
        };
        let kept = self.forms.iter().enumerate().filter(|(at, form)| own((*at, form)));
        let roots: Vec<NodeId> = kept.map(|(_, form)| *form).collect();
        Self {
            docs: self.docs.clone(),
            ..Self::of_parts(&self.name, &self.source, &self.tree, &roots)
        }
    }

    /// The namespace of its definitions, which its first form states.
    #[must_use]
    pub fn namespace(&self) -> Option<&Symbol> {
        let Node::Application { operator, operands } = self.tree.node(*self.forms.first()?) else {
            return None;
        };
        match (self.tree.node(*operator), self.tree.node(*operands.first()?)) {
            (Node::Variable(name), Node::Literal(Value::Symbol(namespace)))
                if name.as_str() == builtin::NAMESPACE =>
            {
                Some(namespace)
            }
            _ => None,
        }
    }

    /// What a definition is for, if its source says so; of a namespace, what the whole is for.
    #[must_use]
    pub fn doc(&self, name: &Symbol) -> Option<&str> {
        self.docs.get(name).map(|text| &**text)
    }

    /// Source that reads to the same AST: core forms, formatted.
    ///
    /// ```
    /// let program = yin::Program::read("t", "(defn f [x] (when x 1))").unwrap();
    /// assert_eq!(program.print(), "(def f (fn [x] (if x 1 nil)))\n");
    /// ```
    #[must_use]
    pub fn print(&self) -> String {
        let forms: Vec<String> =
            self.forms.iter().map(|&form| self.tree.form(form).to_string()).collect();
        let text = forms.join("\n\n");
        crate::format::format(&self.name, &text).unwrap_or(text)
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
        *self.hash.get_or_init(|| self.find_hash())
    }

    fn find_hash(&self) -> [u8; 32] {
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
