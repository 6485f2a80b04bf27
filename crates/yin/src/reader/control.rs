//! The forms of control: `try`, `prompt`, `control`, `binding`.
//!
//! Each becomes a call of a function of the language with functions of no argument, so the core
//! needs no node for it: what a program catches and where it can be cut is still read off its AST.

use datom::edn::{Form, Node as Edn, Span};
use datom::{Symbol, Value};

use super::{Reader, Result1};
use crate::ast::{Node, NodeId};

/// What a handler calls the error, and what the value of a `try` is called while `finally` runs.
const ERROR: &str = "yin/thrown";
const VALUE: &str = "yin/value";
const FINALLY: &str = "yin/finally";

const TRY: &str = "(try body ... (catch e handler ...) (finally cleanup ...))";

/// One `(catch :kind name handler ...)`.
struct Catch<'f> {
    kind: Option<&'f Form>,
    name: &'f Form,
    handler: &'f [Form],
    span: Span,
}

impl Reader<'_> {
    /// A function of these parameters around a node.
    fn around(&mut self, params: &[Symbol], body: NodeId, span: Span) -> Result1<NodeId> {
        let params = params.to_vec();
        self.add(Node::Lambda { own: None, params, rest: None, body }, span)
    }

    /// A body in which one more name is local.
    fn body_under(&mut self, name: &Symbol, forms: &[Form], span: Span) -> Result1<NodeId> {
        let height = self.scope.height();
        self.scope.enter(name);
        let body = self.body(forms, span)?;
        self.scope.leave(height);
        Ok(body)
    }

    fn thunk(&mut self, forms: &[Form], span: Span) -> Result1<NodeId> {
        let body = self.body(forms, span)?;
        self.around(&[], body, span)
    }

    /// `(try body (catch e handler))` is `(yin/try (fn [e] handler) (fn [] body))`.
    pub(super) fn try_(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let is = |form: &Form, name: &str| {
            let head = form.as_slice().filter(|_| matches!(form.node, Edn::List(_)));
            head.and_then(|items| items.first()?.as_symbol()).is_some_and(|s| s.as_str() == name)
        };
        let (rest, cleanup) = match rest.split_last() {
            Some((last, before)) if is(last, "finally") => (before, last.as_slice()),
            _ => (rest, None),
        };
        let body = rest.iter().position(|form| is(form, "catch")).unwrap_or(rest.len());
        let (body, catches) = rest.split_at(body);
        if let Some(stray) = catches.iter().find(|form| !is(form, "catch")) {
            return Err(self
                .error(stray.span, "the body of `try` ends at its first `catch`")
                .help(TRY));
        }
        let catches = catches.iter().map(|form| self.catch(form)).collect::<Result1<Vec<_>>>()?;
        let node = match catches.is_empty() {
            true => self.body(body, span)?,
            false => {
                let body = self.thunk(body, span)?;
                let handler = self.handler(&catches, span)?;
                self.call("yin/try", vec![handler, body], span)?
            }
        };
        match cleanup {
            Some(cleanup) => self.finally(span, node, cleanup.get(1..).unwrap_or(&[])),
            None => Ok(node),
        }
    }

    fn catch<'f>(&self, form: &'f Form) -> Result1<Catch<'f>> {
        let parts = form.as_slice().and_then(|items| items.get(1..)).unwrap_or(&[]);
        match parts {
            [kind, name, handler @ ..] if matches!(kind.node, Edn::Keyword(_)) => {
                Ok(Catch { kind: Some(kind), name, handler, span: form.span })
            }
            [name, handler @ ..] => Ok(Catch { kind: None, name, handler, span: form.span }),
            [] => Err(self.error(form.span, "`catch` wants a name for the error").help(TRY)),
        }
    }

    /// One function that tries the clauses in order and throws again what none of them takes.
    fn handler(&mut self, catches: &[Catch<'_>], span: Span) -> Result1<NodeId> {
        if let [Catch { kind: None, name, handler, span }] = catches {
            let name = self.local(name)?;
            let body = self.body_under(&name, handler, *span)?;
            return self.around(&[name], body, *span);
        }
        let error = self.variable(ERROR, span)?;
        let mut node = self.call("throw", vec![error], span)?;
        for clause in catches.iter().rev() {
            let error = self.variable(ERROR, clause.span)?;
            let name = self.local(clause.name)?;
            let body = self.body_under(&name, clause.handler, clause.span)?;
            let taken =
                self.add(Node::Let { names: vec![name], values: vec![error], body }, clause.span)?;
            node = match clause.kind {
                None => taken,
                Some(kind) => {
                    let kind = self.form(kind)?;
                    let error = self.variable(ERROR, clause.span)?;
                    let found = self.call("yin/kind", vec![error], clause.span)?;
                    let test = self.call("=", vec![found, kind], clause.span)?;
                    let alternate = node;
                    self.add(Node::If { test, consequent: taken, alternate }, clause.span)?
                }
            };
        }
        self.around(&[ERROR.into()], node, span)
    }

    /// The cleanup runs behind the value and behind an error, which is then thrown again.
    fn finally(&mut self, span: Span, node: NodeId, cleanup: &[Form]) -> Result1<NodeId> {
        let cleanup = self.thunk(cleanup, span)?;
        let body = self.around(&[], node, span)?;
        let clean = self.call(FINALLY, Vec::new(), span)?;
        let error = self.variable(ERROR, span)?;
        let again = self.call("throw", vec![error], span)?;
        let both = self.add(Node::Do { operands: vec![clean, again] }, span)?;
        let handler = self.around(&[ERROR.into()], both, span)?;
        let tried = self.call("yin/try", vec![handler, body], span)?;
        let clean = self.call(FINALLY, Vec::new(), span)?;
        let value = self.variable(VALUE, span)?;
        let body = self.add(Node::Do { operands: vec![clean, value] }, span)?;
        let names = vec![FINALLY.into(), VALUE.into()];
        self.add(Node::Let { names, values: vec![cleanup, tried], body }, span)
    }

    /// `(prompt tag body)` is `(yin/prompt tag (fn [] body))`.
    pub(super) fn prompt(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let Some((tag, body)) = rest.split_first() else {
            return Err(self.misshapen(span, 0, "(prompt :tag body ...)"));
        };
        let tag = self.form(tag)?;
        let body = self.thunk(body, span)?;
        self.call("yin/prompt", vec![tag, body], span)
    }

    /// `(control tag k body)` is `(yin/control tag (fn [k] body))`.
    pub(super) fn control(&mut self, name: &str, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let [tag, k, body @ ..] = rest else {
            return Err(self.misshapen(span, rest.len(), &format!("({name} :tag k body ...)")));
        };
        let tag = self.form(tag)?;
        let k = self.local(k)?;
        let body = self.body_under(&k, body, span)?;
        let function = self.around(&[k], body, span)?;
        self.call(&format!("yin/{name}"), vec![tag, function], span)
    }

    /// `(binding [*x* value] body)` is `(yin/binding '*x* value (fn [] body))`.
    pub(super) fn binding(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let (pairs, body) = self.pairs(span, rest, "binding")?;
        let mut node = self.thunk(body, span)?;
        for (left, [name, value]) in pairs.iter().enumerate().rev() {
            let Some(symbol) = name.as_symbol().filter(|name| is_dynamic(name)) else {
                return Err(self
                    .error(name.span, "only dynamic names can be bound here")
                    .help("a dynamic name begins and ends with a star, such as *depth*"));
            };
            let symbol = self.scope.resolve(symbol);
            let quoted = self.literal(Value::Symbol(symbol), name.span)?;
            let value = self.form(value)?;
            node = self.call("yin/binding", vec![quoted, value, node], span)?;
            if left > 0 {
                node = self.around(&[], node, span)?;
            }
        }
        Ok(node)
    }

    /// `*x*` is `(yin/dynamic '*x*)`.
    pub(super) fn dynamic(&mut self, name: &Symbol, span: Span) -> Result1<NodeId> {
        let quoted = self.literal(Value::Symbol(name.clone()), span)?;
        self.call("yin/dynamic", vec![quoted], span)
    }
}

/// Whether a name is dynamic: it begins and ends with a star.
pub(super) fn is_dynamic(name: &Symbol) -> bool {
    let name = name.name();
    name.len() > 2 && name.starts_with('*') && name.ends_with('*')
}
