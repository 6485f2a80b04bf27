//! What a name means where it stands: a local name, one of this namespace, or one of another.
//!
//! 1. `ns` gives every definition of its file the namespace's name in front, and every use of one.
//! 2. `alias/name` means the name in the namespace that the alias was given to.
//! 3. A local name wins over both.

use std::collections::{BTreeMap, BTreeSet};

use datom::Symbol;
use datom::edn::{Form, Node as Edn};

/// Names in scope at one place of a source.
#[derive(Default)]
pub(super) struct Scope {
    locals: Vec<Symbol>,
    pub(super) namespace: Option<Symbol>,
    aliases: BTreeMap<Symbol, Symbol>,
    /// Names of other namespaces that may be used without one.
    referred: BTreeMap<Symbol, Symbol>,
    /// Names that this file defines, without the namespace.
    own: BTreeSet<Symbol>,
}

impl Scope {
    /// How many local names there are; for [`Scope::leave`].
    pub(super) fn height(&self) -> usize {
        self.locals.len()
    }

    pub(super) fn enter(&mut self, name: &Symbol) {
        self.locals.push(name.clone());
    }

    pub(super) fn leave(&mut self, height: usize) {
        self.locals.truncate(height);
    }

    pub(super) fn is_local(&self, name: &Symbol) -> bool {
        self.locals.contains(name)
    }

    pub(super) fn alias(&mut self, alias: &Symbol, namespace: &Symbol) {
        self.aliases.insert(alias.clone(), namespace.clone());
    }

    pub(super) fn refer(&mut self, name: &Symbol, namespace: &Symbol) {
        self.referred.insert(name.clone(), within(namespace, name));
    }

    /// Notes what the forms define, wherever in them.
    pub(super) fn note_definitions(&mut self, forms: &[Form]) {
        for form in forms {
            let Some(items) = form.as_slice() else { continue };
            if let (Edn::List(_), [head, name, ..]) = (&form.node, items)
                && let (Some(head), Some(name)) = (head.as_symbol(), name.as_symbol())
                && matches!(head.as_str(), "def" | "defn" | "defmacro")
            {
                self.own.insert(name.clone());
            }
            let is_quote = items.first().and_then(Form::as_symbol);
            if is_quote.is_none_or(|head| head.as_str() != "quote") {
                self.note_definitions(items);
            }
        }
    }

    /// Whether this file defines a full name, or refers to it.
    pub(super) fn is_defined(&self, name: &Symbol) -> bool {
        name.namespace().is_some() || self.own.contains(name)
    }

    /// The full name of a definition.
    pub(super) fn defined(&self, name: &Symbol) -> Symbol {
        match &self.namespace {
            Some(namespace) if name.namespace().is_none() => within(namespace, name),
            _ => name.clone(),
        }
    }

    /// The full name of a name that is not local.
    pub(super) fn resolve(&self, name: &Symbol) -> Symbol {
        if let Some(alias) = name.namespace() {
            let namespace = self.aliases.get(alias);
            return namespace.map_or_else(
                || name.clone(),
                |namespace| format!("{namespace}/{}", name.name()).as_str().into(),
            );
        }
        if self.own.contains(name) {
            return self.defined(name);
        }
        self.referred.get(name).unwrap_or(name).clone()
    }
}

fn within(namespace: &Symbol, name: &Symbol) -> Symbol {
    format!("{namespace}/{name}").as_str().into()
}
