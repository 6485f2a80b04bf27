//! Functions: parameters with patterns and types, several arities.
//!
//! 1. A pattern is a parameter that the body takes apart first.
//! 2. A declared type is a check in front of the body, and the AST says so; what is not declared is
//!    not checked.
//! 3. A function of several arities takes all its arguments as a vector and picks the body by their
//!    number; each body is a function that is called where it stands, so `recur` finds it.

use datom::edn::{Form, Node as Edn, Span};
use datom::{Symbol, Value};

use super::build::Build;
use super::pattern::is_pattern;
use super::{Reader, Result1};
use crate::ast::{Node, NodeId, OPERANDS_MAX};
use crate::builtin;

/// What all arguments are called in a function of several arities, and their number.
const ARGUMENTS: &str = "yin/arguments";
const NUMBER: &str = "yin/number";

/// What a parameter vector says.
struct Params {
    params: Vec<Symbol>,
    rest: Option<Symbol>,
    /// Parameters that are patterns.
    patterns: Vec<(Form, Form)>,
    types: Vec<(Symbol, Value, Span)>,
}

fn is_colon_dash(form: &Form) -> bool {
    form.as_keyword().is_some_and(|keyword| keyword.as_str() == "-")
}

fn is_ampersand(form: &Form) -> bool {
    form.as_symbol().is_some_and(|symbol| symbol.as_str() == "&")
}

/// The arguments that the body of a short function names: `%` and `%1` the first one, `%2` the
/// second one, `%&` all others.
#[derive(Default)]
struct Short {
    places: usize,
    is_plain: bool,
    is_numbered: bool,
    has_rest: bool,
    /// A short function inside of it.
    inner: Option<Span>,
}

impl Short {
    /// Recursion is as deep as the form, which the EDN reader bounds.
    fn note(&mut self, form: &Form) {
        if let Some(name) = form.as_symbol() {
            match name.as_str().strip_prefix('%') {
                Some("") => self.is_plain = true,
                Some("&") => self.has_rest = true,
                Some("1") => self.is_numbered = true,
                Some(digits) if !digits.starts_with(['0', '+']) => {
                    self.places = self.places.max(digits.parse().unwrap_or(0));
                }
                _ => {}
            }
        } else if let Some(items) = form.as_slice() {
            let head = items.first().and_then(Form::as_symbol);
            if head.is_some_and(|head| head.as_str() == "short-fn") {
                self.inner = Some(form.span);
            }
            items.iter().for_each(|item| self.note(item));
        } else if let Edn::Map(pairs) = &form.node {
            pairs.iter().flat_map(|(k, v)| [k, v]).for_each(|item| self.note(item));
        }
    }
}

impl Reader<'_> {
    /// `#(f % %2)` is `(fn [% %2] (f % %2))`.
    pub(super) fn short_lambda(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let [body] = self.exactly(span, rest, "(short-fn (f % %2))")?;
        let mut short = Short::default();
        short.note(body);
        if let Some(inner) = short.inner {
            return Err(self
                .error(inner, "a short function inside of another one")
                .help("write (fn [x] ...): it is not clear whose argument `%` is"));
        }
        let build = Build(span);
        let places = short.places.max(usize::from(short.is_plain || short.is_numbered));
        let mut params = Vec::new();
        for place in 1..=places.min(OPERANDS_MAX + 1) {
            params.push(match place {
                1 if short.is_plain => build.name("%"),
                _ => build.name(&format!("%{place}")),
            });
        }
        if short.has_rest {
            params.extend([build.name("&"), build.name("%&")]);
        }
        let body = match short.is_plain && short.is_numbered {
            true => {
                let both = vec![build.name("%1"), build.name("%")];
                build.binds("let", both, std::slice::from_ref(body))
            }
            false => body.clone(),
        };
        self.lambda(span, &[build.vector(params), body])
    }

    pub(super) fn lambda(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let (own, rest) = match rest {
            [name, rest @ ..] if name.as_symbol().is_some() => (Some(self.local(name)?), rest),
            _ => (None, rest),
        };
        self.function(span, own, rest, "write (fn [x y] body ...)")
    }

    pub(super) fn function(
        &mut self,
        span: Span,
        own: Option<Symbol>,
        rest: &[Form],
        shape: &str,
    ) -> Result1<NodeId> {
        let height = self.scope.height();
        if let Some(own) = &own {
            self.scope.enter(own);
        }
        let node = match rest {
            [Form { node: Edn::List(_), .. }, ..] => self.arities(span, own, rest, shape),
            _ => self.one_arity(span, own, rest, shape),
        };
        self.scope.leave(height);
        node
    }

    fn one_arity(
        &mut self,
        span: Span,
        own: Option<Symbol>,
        rest: &[Form],
        shape: &str,
    ) -> Result1<NodeId> {
        let params = self.params(span, rest.first(), shape)?;
        let forms = rest.get(1..).unwrap_or(&[]);
        let (returns, forms) = match forms {
            [dash, kind, forms @ ..] if is_colon_dash(dash) => (Some(self.kind(kind)?), forms),
            _ => (None, forms),
        };
        for name in params.params.iter().chain(&params.rest) {
            self.scope.enter(name);
        }
        let mut body = self.taken_apart(&params, forms, span)?;
        if let Some(returns) = returns {
            body = self.returning(&params, returns, body, span)?;
        }
        if !params.types.is_empty() {
            let mut operands = Vec::with_capacity(params.types.len() + 1);
            for (name, kind, span) in params.types {
                let value = self.variable(name.as_str(), span)?;
                operands.push(self.checked(kind, name.as_str(), value, span)?);
            }
            operands.push(body);
            body = self.add(Node::Do { operands }, span)?;
        }
        self.add(Node::Lambda { own, params: params.params, rest: params.rest, body }, span)
    }

    fn taken_apart(&mut self, params: &Params, forms: &[Form], span: Span) -> Result1<NodeId> {
        if params.patterns.is_empty() {
            return self.body(forms, span);
        }
        let build = Build(span);
        let bindings = params.patterns.iter().flat_map(|(p, name)| [p.clone(), name.clone()]);
        self.form(&build.binds("let", bindings.collect(), forms))
    }

    /// The body as a function of its own that is called at once, so that `recur` stays inside of
    /// the check of what it returns.
    fn returning(
        &mut self,
        params: &Params,
        kind: Value,
        body: NodeId,
        span: Span,
    ) -> Result1<NodeId> {
        let all: Vec<Symbol> = params.params.iter().chain(&params.rest).cloned().collect();
        let mut operands = Vec::with_capacity(all.len());
        for name in &all {
            operands.push(self.variable(name.as_str(), span)?);
        }
        let operator = self.add(Node::Lambda { own: None, params: all, rest: None, body }, span)?;
        let value = self.add(Node::Application { operator, operands }, span)?;
        self.checked(kind, "", value, span)
    }

    /// `(yin/check 'kind "name" value)`.
    fn checked(&mut self, kind: Value, name: &str, value: NodeId, span: Span) -> Result1<NodeId> {
        let kind = self.literal(kind, span)?;
        let name = self.literal(Value::text(name), span)?;
        self.call(builtin::CHECK, vec![kind, name, value], span)
    }

    fn kind(&self, form: &Form) -> Result1<Value> {
        let kind = form.to_value();
        builtin::type_flaw(&kind).map_or(Ok(kind), |flaw| {
            Err(self.error(form.span, flaw).help("write :int, [:vector :text], [:or :int :nil] …"))
        })
    }

    fn params(&self, span: Span, form: Option<&Form>, shape: &str) -> Result1<Params> {
        let Some(Form { node: Edn::Vector(items), .. }) = form else {
            let span = form.map_or(span, |form| form.span);
            return Err(self.error(span, "a vector of parameters is wanted here").help(shape));
        };
        let (mut params, mut rest) = (Vec::new(), None);
        let (mut patterns, mut types) = (Vec::new(), Vec::new());
        let mut left = items.iter().peekable();
        while let Some(item) = left.next() {
            let is_rest = is_ampersand(item);
            let item = match (is_rest, left.peek()) {
                (false, _) => item,
                (true, Some(_)) if rest.is_none() => left.next().unwrap_or(item),
                (true, _) => return Err(self.after_ampersand(item)),
            };
            if rest.is_some() {
                return Err(self.after_ampersand(item));
            }
            let name = match is_pattern(item) {
                true => {
                    let name = format!("yin/argument{}", params.len());
                    patterns.push((item.clone(), Build(item.span).name(&name)));
                    name.as_str().into()
                }
                false => self.local(item)?,
            };
            if left.peek().is_some_and(|form| is_colon_dash(form)) {
                let dash = left.next().unwrap_or(item);
                let kind = left.next().ok_or_else(|| {
                    self.error(dash.span, "a type must follow `:-`").help("write [x :- :int]")
                })?;
                types.push((name.clone(), self.kind(kind)?, item.span));
            }
            match is_rest {
                true => rest = Some(name),
                false => params.push(name),
            }
        }
        Ok(Params { params, rest, patterns, types })
    }

    fn after_ampersand(&self, form: &Form) -> crate::Error {
        self.error(form.span, "exactly one name must follow `&`").help("write (fn [a & more] ...)")
    }

    fn arities(
        &mut self,
        span: Span,
        own: Option<Symbol>,
        clauses: &[Form],
        shape: &str,
    ) -> Result1<NodeId> {
        let (arguments, number) = (Symbol::from(ARGUMENTS), Symbol::from(NUMBER));
        self.scope.enter(&arguments);
        self.scope.enter(&number);
        self.has_leftovers = true;
        let mut read = Vec::with_capacity(clauses.len());
        let mut wanted = Vec::with_capacity(clauses.len());
        for clause in clauses {
            let Edn::List(parts) = &clause.node else {
                return Err(self
                    .error(clause.span, "each arity is a list")
                    .help("write (fn ([x] ...) ([x y] ...))"));
            };
            let lambda = self.one_arity(clause.span, None, parts, shape)?;
            let Node::Lambda { params, rest, body, .. } = self.tree.node(lambda).clone() else {
                continue;
            };
            wanted.push(match rest {
                Some(_) => format!("at least {}", params.len()),
                None => params.len().to_string(),
            });
            read.push((params, rest, body, clause.span));
        }
        let wanted = self.literal(Value::text(&wanted.join(" or ")), span)?;
        let found = self.variable(NUMBER, span)?;
        let mut node = self.call(builtin::WRONG_ARITY, vec![wanted, found], span)?;
        for (params, rest, body, span) in read.into_iter().rev() {
            node = self.arity(params, rest, body, node, span)?;
        }
        let all = self.variable(ARGUMENTS, span)?;
        let count = self.call("yin/count", vec![all], span)?;
        let body =
            self.add(Node::Let { names: vec![number], values: vec![count], body: node }, span)?;
        let rest = Some(arguments);
        self.add(Node::Lambda { own, params: Vec::new(), rest, body }, span)
    }

    /// One body, if the number of arguments is its, else what comes behind.
    fn arity(
        &mut self,
        params: Vec<Symbol>,
        rest: Option<Symbol>,
        body: NodeId,
        alternate: NodeId,
        span: Span,
    ) -> Result1<NodeId> {
        let number = self.variable(NUMBER, span)?;
        let least = self.int(params.len(), span)?;
        let compare = if rest.is_some() { "yin/>=" } else { "yin/=" };
        let test = self.call(compare, vec![number, least], span)?;
        let mut operands = Vec::with_capacity(params.len() + 1);
        for at in 0..params.len() {
            let (all, at) = (self.variable(ARGUMENTS, span)?, self.int(at, span)?);
            operands.push(self.call("yin/nth", vec![all, at], span)?);
        }
        let mut names = params;
        if let Some(rest) = rest {
            let (least, all) = (self.int(names.len(), span)?, self.variable(ARGUMENTS, span)?);
            operands.push(self.call("yin/drop", vec![least, all], span)?);
            names.push(rest);
        }
        let operator =
            self.add(Node::Lambda { own: None, params: names, rest: None, body }, span)?;
        let consequent = self.add(Node::Application { operator, operands }, span)?;
        self.add(Node::If { test, consequent, alternate }, span)
    }
}
