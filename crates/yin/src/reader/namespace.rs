//! `ns`: what the definitions of a file are called, and what it needs of other files.

use datom::edn::{Form, Node as Edn, Span};
use datom::{Symbol, Value};

use super::{Reader, Result1};
use crate::ast::NodeId;
use crate::builtin;

const SHAPE: &str = "(ns name (:require [other :as o] [another :refer [f g]]))";

impl Reader<'_> {
    /// `(ns a (:require [b :as c]))` is `(yin/ns 'a 'b)`, which loads what is not loaded yet.
    pub(super) fn namespace(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let Some((name, clauses)) = rest.split_first() else {
            return Err(self.misshapen(span, 0, SHAPE));
        };
        let namespace = self.namespace_name(name)?;
        if !self.tree.is_empty() || self.scope.namespace.is_some() {
            return Err(self.error(span, "`ns` must be the first form of its file").help(SHAPE));
        }
        let clauses = match clauses {
            [Form { node: Edn::Text(text), .. }, rest @ ..] => {
                self.docs.insert(namespace.clone(), text.clone());
                rest
            }
            _ => clauses,
        };
        self.scope.namespace = Some(namespace.clone());
        let mut operands = vec![self.literal(Value::Symbol(namespace), name.span)?];
        for clause in clauses {
            let Some([head, required @ ..]) = clause.as_slice() else {
                return Err(self.error(clause.span, "a clause of `ns` is wanted here").help(SHAPE));
            };
            if head.as_keyword().is_none_or(|keyword| keyword.as_str() != "require") {
                return Err(self.error(head.span, "`ns` knows the clause :require").help(SHAPE));
            }
            for form in required {
                let other = self.require(form)?;
                operands.push(self.literal(Value::Symbol(other), form.span)?);
            }
        }
        self.call(builtin::NAMESPACE, operands, span)
    }

    fn namespace_name(&self, form: &Form) -> Result1<Symbol> {
        match form.as_symbol() {
            Some(name) if name.namespace().is_none() && name.as_str() != "yin" => Ok(name.clone()),
            _ => Err(self.error(form.span, "the name of a namespace is wanted here").help(SHAPE)),
        }
    }

    fn require(&mut self, form: &Form) -> Result1<Symbol> {
        let (name, options) = match form.as_slice() {
            Some([name, options @ ..]) => (name, options),
            _ => (form, &[][..]),
        };
        let other = self.namespace_name(name)?;
        let mut referred = Vec::new();
        for pair in options.chunks(2) {
            let [option, value] = pair else {
                return Err(self
                    .error(form.span, "an option of :require has no value")
                    .help(SHAPE));
            };
            match (
                option.as_keyword().map(|option| option.as_str().to_owned()).as_deref(),
                &value.node,
            ) {
                (Some("as"), Edn::Symbol(alias)) => self.scope.alias(alias, &other),
                (Some("refer"), Edn::Vector(names)) => {
                    for name in names {
                        let name = self.local(name)?;
                        self.scope.refer(&name, &other);
                        referred.push(name);
                    }
                }
                _ => {
                    return Err(self
                        .error(option.span, ":require knows the options :as and :refer")
                        .help(SHAPE));
                }
            }
        }
        match self.library.namespace(&other) {
            Ok(Some(program)) => {
                self.import_macros(&program, &|name| referred.contains(name));
                Ok(other)
            }
            Ok(None) => Ok(other),
            Err(message) => Err(self.error(form.span, message)),
        }
    }
}
