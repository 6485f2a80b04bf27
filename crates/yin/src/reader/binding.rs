//! The forms that bind names: `let`, `loop`, `fn`, `def`, `defn`.

use datom::Symbol;
use datom::edn::{Form, Node as Edn, Span};

use super::control::is_dynamic;
use super::{Reader, Result1, SPECIAL};
use crate::ast::{Node, NodeId};
use crate::error::Error;

/// What a parameter vector says.
struct Params {
    params: Vec<Symbol>,
    rest: Option<Symbol>,
}

impl Reader<'_> {
    /// A name that can be bound here.
    pub(super) fn local(&self, form: &Form) -> Result1<Symbol> {
        match &form.node {
            Edn::Symbol(name) if SPECIAL.contains(&name.as_str()) => Err(self
                .error(form.span, format!("`{name}` is a form and cannot be a name"))
                .help("choose another name")),
            Edn::Symbol(name) if is_dynamic(name) => Err(self
                .error(form.span, format!("`{name}` is a dynamic name and cannot be local"))
                .help("write (binding [*name* value] ...), or drop the stars")),
            Edn::Symbol(name) if name.as_str() == "&" => {
                Err(self
                    .error(form.span, "`&` stands only before the last name of a parameter vector"))
            }
            Edn::Symbol(name) if name.namespace().is_some() => Err(self
                .error(form.span, format!("`{name}` has a namespace and cannot be bound here"))
                .help("local names are plain, such as `path`")),
            Edn::Symbol(name) => Ok(name.clone()),
            Edn::Vector(_) | Edn::Map(_) => Err(self
                .error(form.span, "a name is wanted here; there is no destructuring")
                .help("bind the whole, then take parts: (let [x (get m :x)] ...)")),
            _ => Err(self.error(form.span, "a name is wanted here")),
        }
    }

    fn global(&self, form: &Form) -> Result1<Symbol> {
        match &form.node {
            Edn::Symbol(name) if name.namespace() == Some("yin") => Err(self
                .error(form.span, format!("`{name}` is in the namespace of the language itself"))
                .help("choose another namespace, or none")),
            Edn::Symbol(name) if name.namespace().is_some() || is_dynamic(name) => Ok(name.clone()),
            _ => self.local(form),
        }
    }

    pub(super) fn binding_form(
        &mut self,
        span: Span,
        rest: &[Form],
        keyword: &str,
    ) -> Result1<NodeId> {
        let shape = format!("({keyword} [name value ...] body ...)");
        let Some((bindings, body)) = rest.split_first() else {
            return Err(self.misshapen(span, 0, &shape));
        };
        let Edn::Vector(items) = &bindings.node else {
            return Err(self
                .error(bindings.span, format!("`{keyword}` wants a vector of names and values"))
                .help(format!("write {shape}")));
        };
        let (pairs, odd) = items.as_chunks::<2>();
        if let [lonely] = odd {
            return Err(self
                .error(lonely.span, "this name has no value")
                .help(format!("write {shape}: names and values alternate")));
        }
        let mut names = Vec::with_capacity(pairs.len());
        let mut values = Vec::with_capacity(pairs.len());
        for [name, value] in pairs {
            names.push(self.local(name)?);
            values.push(self.form(value)?);
        }
        let body = self.body(body, span)?;
        match keyword {
            "loop" => self.add(Node::Loop { names, values, body }, span),
            _ => self.add(Node::Let { names, values, body }, span),
        }
    }

    fn params(&self, span: Span, form: Option<&Form>, shape: &str) -> Result1<Params> {
        let Some(Form { node: Edn::Vector(items), .. }) = form else {
            let span = form.map_or(span, |form| form.span);
            return Err(self.error(span, "a vector of parameters is wanted here").help(shape));
        };
        let ampersand =
            items.iter().position(|item| item.as_symbol().is_some_and(|s| s.as_str() == "&"));
        let (plain, rest) = items.split_at(ampersand.unwrap_or(items.len()));
        let params = plain.iter().map(|item| self.local(item)).collect::<Result<_, _>>()?;
        let rest = match rest {
            [] => None,
            [_, name] => Some(self.local(name)?),
            [ampersand, ..] => {
                return Err(self
                    .error(ampersand.span, "exactly one name must follow `&`")
                    .help("write (fn [a & more] ...)"));
            }
        };
        Ok(Params { params, rest })
    }

    pub(super) fn lambda(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let (own, rest) = match rest {
            [name, rest @ ..] if name.as_symbol().is_some() => (Some(self.local(name)?), rest),
            _ => (None, rest),
        };
        self.function(span, own, rest, "write (fn [x y] body ...)")
    }

    fn function(
        &mut self,
        span: Span,
        own: Option<Symbol>,
        rest: &[Form],
        shape: &str,
    ) -> Result1<NodeId> {
        let Params { params, rest: more } = self.params(span, rest.first(), shape)?;
        let body = self.body(rest.get(1..).unwrap_or(&[]), span)?;
        self.add(Node::Lambda { own, params, rest: more, body }, span)
    }

    pub(super) fn definition(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let (name, value) = match rest {
            [name, value] => (name, value),
            [name, doc, value] if matches!(doc.node, Edn::Text(_)) => (name, value),
            _ => return Err(self.misshapen(span, rest.len(), "(def name value)")),
        };
        let name = self.global(name)?;
        let value = self.form(value)?;
        self.add(Node::Definition { name, value }, span)
    }

    pub(super) fn function_definition(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        const SHAPE: &str = "(defn name [x y] body ...)";
        let Some((name, rest)) = rest.split_first() else {
            return Err(self.misshapen(span, 0, SHAPE));
        };
        let name = self.global(name)?;
        let rest = match rest {
            [Form { node: Edn::Text(_), .. }, rest @ ..] if !rest.is_empty() => rest,
            _ => rest,
        };
        let value = self.function(span, None, rest, "write (defn name [x y] body ...)")?;
        self.add(Node::Definition { name, value }, span)
    }

    /// A `let` of one name that the reader made.
    pub(super) fn let_one(
        &mut self,
        span: Span,
        name: &str,
        value: NodeId,
        body: impl FnOnce(&mut Self) -> Result<NodeId, Error>,
    ) -> Result1<NodeId> {
        let body = body(self)?;
        self.add(Node::Let { names: vec![name.into()], values: vec![value], body }, span)
    }
}
