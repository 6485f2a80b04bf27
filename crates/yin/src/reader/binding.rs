//! The forms that bind names: `let`, `loop`, `def`, `defn`, `letfn`, `letrec`.

use datom::Symbol;
use datom::edn::{Form, Node as Edn, Span};

use super::build::Build;
use super::control::is_dynamic;
use super::pattern::is_pattern;
use super::{Reader, Result1, SPECIAL};
use crate::ast::{Node, NodeId};
use crate::builtin;
use crate::error::Error;
use crate::projection::free_names;

/// The function that gives out the functions of a `letfn`, and its parameter.
const TOGETHER: &str = "yin/together";
const WHICH: &str = "yin/which";

impl Reader<'_> {
    /// A name that can be bound here. Those in the namespace `yin` are the reader's, and a program
    /// that was printed may bind them again, but not the language's own functions.
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
            Edn::Symbol(name) if name.namespace() == Some("yin") && !builtin::is_own(name) => {
                Ok(name.clone())
            }
            Edn::Symbol(name) if name.namespace().is_some() => Err(self
                .error(form.span, format!("`{name}` has a namespace and cannot be bound here"))
                .help("local names are plain, such as `path`")),
            Edn::Symbol(name) => Ok(name.clone()),
            _ => Err(self.error(form.span, "a name is wanted here")),
        }
    }

    /// The full name of a definition.
    fn global(&self, form: &Form) -> Result1<Symbol> {
        match &form.node {
            Edn::Symbol(name) if name.namespace() == Some("yin") => Err(self
                .error(form.span, format!("`{name}` is in the namespace of the language itself"))
                .help("choose another namespace, or none")),
            Edn::Symbol(name) if name.namespace().is_some() => Ok(name.clone()),
            Edn::Symbol(name) if is_dynamic(name) => Ok(self.scope.defined(name)),
            _ => self.local(form).map(|name| self.scope.defined(&name)),
        }
    }

    /// Pairs of a binding vector.
    pub(super) fn pairs<'f>(
        &self,
        span: Span,
        rest: &'f [Form],
        keyword: &str,
    ) -> Result1<(&'f [[Form; 2]], &'f [Form])> {
        let shape = format!("({keyword} [name value ...] body ...)");
        let Some((bindings, body)) = rest.split_first() else {
            return Err(self.misshapen(span, 0, &shape));
        };
        let Edn::Vector(items) = &bindings.node else {
            return Err(self
                .error(bindings.span, format!("`{keyword}` wants a vector of names and values"))
                .help(format!("write {shape}")));
        };
        match items.as_chunks::<2>() {
            (pairs, []) => Ok((pairs, body)),
            (_, [lonely, ..]) => Err(self
                .error(lonely.span, "this name has no value")
                .help(format!("write {shape}: names and values alternate"))),
        }
    }

    pub(super) fn let_(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let (pairs, body) = self.pairs(span, rest, "let")?;
        let height = self.scope.height();
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for [name, value] in pairs {
            let bindings = match is_pattern(name) {
                true => self.pattern(name, value.clone())?,
                false => vec![(self.local(name)?, value.clone())],
            };
            for (name, value) in bindings {
                values.push(self.form(&value)?);
                self.scope.enter(&name);
                names.push(name);
            }
        }
        let body = self.body(body, span)?;
        self.scope.leave(height);
        self.add(Node::Let { names, values, body }, span)
    }

    /// With patterns, `(loop [p v] body)` is `(let [x v p x] (loop [x x] (let [p x] body)))`.
    pub(super) fn loop_(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let (pairs, body) = self.pairs(span, rest, "loop")?;
        if pairs.iter().any(|[name, _]| is_pattern(name)) {
            let build = Build(span);
            let (mut before, mut turning, mut inside) = (Vec::new(), Vec::new(), Vec::new());
            for (at, [name, value]) in pairs.iter().enumerate() {
                let plain = match is_pattern(name) {
                    true => build.name(&format!("yin/turn{at}")),
                    false => name.clone(),
                };
                before.extend([plain.clone(), value.clone()]);
                turning.extend([plain.clone(), plain.clone()]);
                if is_pattern(name) {
                    before.extend([name.clone(), plain.clone()]);
                    inside.extend([name.clone(), plain]);
                }
            }
            let inside = build.binds("let", inside, body);
            let turning = build.binds("loop", turning, &[inside]);
            return self.form(&build.binds("let", before, &[turning]));
        }
        let height = self.scope.height();
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for [name, value] in pairs {
            let name = self.local(name)?;
            values.push(self.form(value)?);
            self.scope.enter(&name);
            names.push(name);
        }
        let body = self.body(body, span)?;
        self.scope.leave(height);
        self.add(Node::Loop { names, values, body }, span)
    }

    /// A text in front of the value tells what it is for.
    fn documented<'f>(&mut self, name: &Symbol, rest: &'f [Form]) -> &'f [Form] {
        match rest {
            [Form { node: Edn::Text(text), .. }, rest @ ..] if !rest.is_empty() => {
                self.docs.insert(name.clone(), text.clone());
                rest
            }
            _ => rest,
        }
    }

    pub(super) fn definition(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let Some((name, value)) = rest.split_first() else {
            return Err(self.misshapen(span, 0, "(def name value)"));
        };
        let name = self.global(name)?;
        let [value] = self.documented(&name, value) else {
            return Err(self.misshapen(span, rest.len(), "(def name value)"));
        };
        let value = self.form(value)?;
        self.add(Node::Definition { name, value }, span)
    }

    pub(super) fn function_definition(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        const SHAPE: &str = "(defn name [x y] body ...)";
        let Some((name, rest)) = rest.split_first() else {
            return Err(self.misshapen(span, 0, SHAPE));
        };
        let name = self.global(name)?;
        let rest = self.documented(&name, rest);
        let value = self.function(span, None, rest, "write (defn name [x y] body ...)")?;
        self.add(Node::Definition { name, value }, span)
    }

    /// Functions that know each other: `(letfn [(f [x] ...) (g [x] ...)] body ...)`.
    ///
    /// They become one function that gives out any of them, which each of them captures: no value
    /// is ever part of itself, so nothing that walks values can go in circles.
    pub(super) fn letfn(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        const SHAPE: &str = "(letfn [(f [x] body ...) ...] body ...)";
        let Some((Form { node: Edn::Vector(functions), .. }, body)) = rest.split_first() else {
            return Err(self.misshapen(span, rest.len(), SHAPE));
        };
        let height = self.scope.height();
        let mut names = Vec::with_capacity(functions.len());
        for function in functions {
            let Some([name, ..]) = function.as_slice() else {
                return Err(self.error(function.span, "a function is wanted here").help(SHAPE));
            };
            let name = self.local(name)?;
            self.scope.enter(&name);
            names.push(name);
        }
        let mut lambdas = Vec::with_capacity(functions.len());
        for function in functions {
            let parts = function.as_slice().unwrap_or(&[]);
            lambdas.push((self.lambda(function.span, parts)?, function.span));
        }
        let body = self.body(body, span)?;
        self.scope.leave(height);
        self.has_leftovers = true;
        let mut chain = self.literal(datom::Value::Nil, span)?;
        for (at, &(lambda, span)) in lambdas.iter().enumerate().rev() {
            let lambda = self.knowing(lambda, &names, span)?;
            chain = match at + 1 == lambdas.len() {
                true => lambda,
                false => {
                    let (which, at) = (self.variable(WHICH, span)?, self.int(at, span)?);
                    let test = self.call("yin/=", vec![which, at], span)?;
                    self.add(Node::If { test, consequent: lambda, alternate: chain }, span)?
                }
            };
        }
        let own = Some(TOGETHER.into());
        let params = vec![WHICH.into()];
        let together = self.add(Node::Lambda { own, params, rest: None, body: chain }, span)?;
        let mut values = vec![together];
        for at in 0..names.len() {
            values.push(self.given_out(at, span)?);
        }
        names.insert(0, TOGETHER.into());
        self.add(Node::Let { names, values, body }, span)
    }

    /// `(letrec [f (fn [x] ...)] body)` is `(letfn [(f [x] ...)] body)`.
    pub(super) fn letrec(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let (pairs, body) = self.pairs(span, rest, "letrec")?;
        let functions = pairs.iter().map(|[name, value]| match value.as_slice() {
            Some([head, parts @ ..])
                if head.as_symbol().is_some_and(|head| head.as_str() == "fn")
                    && parts.first().is_some_and(|part| part.as_symbol().is_none()) =>
            {
                let mut items = vec![name.clone()];
                items.extend_from_slice(parts);
                Ok(Build(value.span).list(items))
            }
            _ => Err(self
                .error(value.span, "what knows itself here must be a function without a name")
                .help("write (letrec [f (fn [x] ...)] body ...), and other values with `let`")),
        });
        let mut parts = vec![Build(span).vector(functions.collect::<Result1<_>>()?)];
        parts.extend_from_slice(body);
        self.letfn(span, &parts)
    }

    fn given_out(&mut self, at: usize, span: Span) -> Result1<NodeId> {
        let at = self.int(at, span)?;
        self.call(TOGETHER, vec![at], span)
    }

    /// A function whose body gets the others it names.
    fn knowing(&mut self, lambda: NodeId, names: &[Symbol], span: Span) -> Result1<NodeId> {
        let used = free_names(&self.tree, lambda);
        let Node::Lambda { own, params, rest, body } = self.tree.node(lambda).clone() else {
            return Ok(lambda);
        };
        let (mut known, mut values) = (Vec::new(), Vec::new());
        for (at, name) in names.iter().enumerate().filter(|(_, name)| used.contains(name)) {
            known.push(name.clone());
            values.push(self.given_out(at, span)?);
        }
        let body = match known.is_empty() {
            true => body,
            false => self.add(Node::Let { names: known, values, body }, span)?,
        };
        self.add(Node::Lambda { own, params, rest, body }, span)
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
