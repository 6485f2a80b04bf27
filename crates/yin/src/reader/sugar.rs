//! Sugar: forms that become other forms.

mod repetition;

use datom::Value;
use datom::edn::{Form, Node as Edn, Span};

use super::build::Build;
use super::{Reader, Result1};
use crate::ast::{DEPTH_MAX, Node, NodeId};
use crate::error::excerpt;

/// The names under which `and` and `or` keep the value they look at.
const AND: &str = "yin/and";
const OR: &str = "yin/or";

impl Reader<'_> {
    pub(super) fn sugar(&mut self, name: &str, span: Span, rest: &[Form]) -> Result1<NodeId> {
        match name {
            "and" => self.and(span, rest),
            "or" => self.or(span, rest),
            "when" => self.when(span, rest, true),
            "when-not" => self.when(span, rest, false),
            "if-not" => self.if_not(span, rest),
            "if-let" | "if-some" => self.if_let(name, span, rest),
            "when-let" | "when-some" => self.when_let(name, span, rest),
            "cond" => self.cond(span, rest),
            "condp" => self.cond_by(span, rest),
            "->" => self.thread(span, rest, false),
            "->>" => self.thread(span, rest, true),
            "case" => self.case(span, rest),
            "as->" => self.thread_as(span, rest),
            "some->" | "some->>" => self.thread_some(name, span, rest),
            "cond->" | "cond->>" => self.thread_if(name, span, rest),
            "assert" => self.assert(span, rest),
            "comment" => self.literal(Value::Nil, span),
            _ => self.repetition(name, span, rest),
        }
    }

    /// `(and a b)` is `(let [x a] (if x b x))`.
    fn and(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let nodes = self.forms(rest)?;
        let Some((&last, before)) = nodes.split_last() else {
            return self.literal(Value::Bool(true), span);
        };
        let mut node = last;
        for &value in before.iter().rev() {
            node = self.let_one(span, AND, value, |this| {
                let test = this.variable(AND, span)?;
                let alternate = this.variable(AND, span)?;
                this.add(Node::If { test, consequent: node, alternate }, span)
            })?;
        }
        Ok(node)
    }

    /// `(or a b)` is `(let [x a] (if x x b))`.
    fn or(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let nodes = self.forms(rest)?;
        let Some((&last, before)) = nodes.split_last() else {
            return self.literal(Value::Nil, span);
        };
        let mut node = last;
        for &value in before.iter().rev() {
            node = self.let_one(span, OR, value, |this| {
                let test = this.variable(OR, span)?;
                let consequent = this.variable(OR, span)?;
                this.add(Node::If { test, consequent, alternate: node }, span)
            })?;
        }
        Ok(node)
    }

    fn when(&mut self, span: Span, rest: &[Form], wanted: bool) -> Result1<NodeId> {
        let Some((test, body)) = rest.split_first() else {
            let shape = if wanted { "(when test body ...)" } else { "(when-not test body ...)" };
            return Err(self.misshapen(span, 0, shape));
        };
        let test = self.form(test)?;
        let body = self.body(body, span)?;
        let nil = self.literal(Value::Nil, span)?;
        let (consequent, alternate) = if wanted { (body, nil) } else { (nil, body) };
        self.add(Node::If { test, consequent, alternate }, span)
    }

    fn if_not(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let (test, alternate, consequent) = match rest {
            [test, alternate] => (test, alternate, None),
            [test, alternate, consequent] => (test, alternate, Some(consequent)),
            _ => return Err(self.misshapen(span, rest.len(), "(if-not test then else)")),
        };
        let test = self.form(test)?;
        let alternate = self.form(alternate)?;
        let consequent = self.form_or_nil(consequent, span)?;
        self.add(Node::If { test, consequent, alternate }, span)
    }

    fn form_or_nil(&mut self, form: Option<&Form>, span: Span) -> Result1<NodeId> {
        match form {
            Some(form) => self.form(form),
            None => self.literal(Value::Nil, span),
        }
    }

    /// `(if-let [x v] a b)` is `(let [y v] (if y (let [x y] a) b))`: `b` does not see `x`. With
    /// `if-some` only nil is refused.
    fn if_let(&mut self, name: &str, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let (bindings, then, otherwise) = match rest {
            [bindings, then] => (bindings, then, None),
            [bindings, then, otherwise] => (bindings, then, Some(otherwise)),
            _ => {
                let shape = format!("({name} [name value] then else)");
                return Err(self.misshapen(span, rest.len(), &shape));
            }
        };
        self.bind_and_test(name, span, bindings, std::slice::from_ref(then), otherwise)
    }

    fn when_let(&mut self, name: &str, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let Some((bindings, body)) = rest.split_first() else {
            return Err(self.misshapen(span, 0, &format!("({name} [name value] body ...)")));
        };
        self.bind_and_test(name, span, bindings, body, None)
    }

    fn bind_and_test(
        &mut self,
        form: &str,
        span: Span,
        bindings: &Form,
        body: &[Form],
        otherwise: Option<&Form>,
    ) -> Result1<NodeId> {
        let shape = || format!("write ({form} [name value] ...)");
        let items = match &bindings.node {
            Edn::Vector(items) => items.as_slice(),
            _ => &[],
        };
        let [name, value] = items else {
            let message = format!("`{form}` wants a vector of one name and one value");
            return Err(self.error(bindings.span, message).help(shape()));
        };
        let value = self.form(value)?;
        let alternate = self.form_or_nil(otherwise, span)?;
        let kept = Build(span).name(OR);
        let then = Build(span).binds("let", vec![name.clone(), kept], body);
        self.let_one(span, OR, value, |this| {
            let mut test = this.variable(OR, span)?;
            if form.ends_with("some") {
                test = this.call("yin/some?", vec![test], span)?;
            }
            let consequent = this.form(&then)?;
            this.add(Node::If { test, consequent, alternate }, span)
        })
    }

    /// `(assert test)` is an error unless the test holds, and tells what was tested.
    fn assert(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let build = Build(span);
        let (test, message) = match rest {
            [test] => {
                let shown = excerpt(format!("not true: {}", test.to_value()));
                (test, build.form(Edn::Text(shown.as_str().into())))
            }
            [test, message] => (test, message.clone()),
            _ => return Err(self.misshapen(span, rest.len(), "(assert test message)")),
        };
        let fail = build.call("yin/fail", vec![message]);
        self.form(&build.call("if", vec![test.clone(), build.form(Edn::Nil), fail]))
    }

    fn cond(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let (clauses, odd) = rest.as_chunks::<2>();
        if let [lonely] = odd {
            return Err(self
                .error(lonely.span, "this test of `cond` has no value")
                .help("write (cond test value ... :else value)"));
        }
        let mut read = Vec::with_capacity(clauses.len());
        for [test, value] in clauses {
            // `:else`, as any keyword or true, needs no test.
            let always = matches!(test.node, Edn::Keyword(_) | Edn::Bool(true));
            let condition = if always { None } else { Some(self.form(test)?) };
            let clause = Span { start: test.span.start, end: value.span.end };
            read.push((condition, self.form(value)?, clause));
        }
        let mut node = self.literal(Value::Nil, span)?;
        for (test, consequent, clause) in read.into_iter().rev() {
            node = match test {
                None => consequent,
                Some(test) => self.add(Node::If { test, consequent, alternate: node }, clause)?,
            };
        }
        Ok(node)
    }

    /// `(-> x (f a) g)` is `(g (f x a))`; `->>` puts the value last.
    fn thread(&mut self, span: Span, rest: &[Form], last: bool) -> Result1<NodeId> {
        let Some((first, steps)) = rest.split_first() else {
            let shape = if last { "(->> value (f a) ...)" } else { "(-> value (f a) ...)" };
            return Err(self.misshapen(span, 0, shape));
        };
        if steps.len() > DEPTH_MAX {
            return Err(self.too_deep(span));
        }
        let mut form = first.clone();
        for step in steps {
            let span = Span { start: first.span.start, end: step.span.end };
            let items = match &step.node {
                Edn::List(items) if !items.is_empty() => {
                    let at = if last { items.len() } else { 1 };
                    let mut items = items.clone();
                    items.insert(at.min(items.len()), form);
                    items
                }
                _ => vec![step.clone(), form],
            };
            form = Form { node: Edn::List(items), span };
        }
        self.form(&form)
    }
}
