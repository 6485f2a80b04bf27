//! AST to source: forms that read to the same AST.
//!
//! 1. Core forms only: what was sugar is printed as what it became, so no reader state (a namespace,
//!    a macro) is needed to read it back.
//! 2. Every tree that obeys [`check`](super::check) prints, but for literals that hold an entity of a
//!    database, which no source can name: they print as integers.

use datom::{Symbol, Value};

use super::{Node, NodeId, Tree};

impl Tree {
    /// The source form of a node. Reading it gives a node with the same [hash](Tree::hash).
    ///
    /// ```
    /// let program = yin::Program::read("t", "(when (pos? x) `(a ~x))").unwrap();
    /// let form = program.tree().form(program.forms()[0]);
    /// let again = yin::Program::read("t", &form.to_string()).unwrap();
    /// assert_eq!(
    ///     again.tree().hash(again.forms()[0]),
    ///     program.tree().hash(program.forms()[0]),
    /// );
    /// ```
    #[must_use]
    pub fn form(&self, id: NodeId) -> Value {
        let one = |id: &NodeId| self.form(*id);
        match self.node(id) {
            Node::Literal(value) if is_constant(value) => value.clone(),
            Node::Literal(value) => list("quote", [value.clone()]),
            Node::Variable(name) => Value::Symbol(name.clone()),
            Node::Lambda { own, params, rest, body } => {
                let mut parts: Vec<Value> = own.iter().cloned().map(Value::Symbol).collect();
                let mut names: Vec<Value> = params.iter().cloned().map(Value::Symbol).collect();
                if let Some(rest) = rest {
                    names.extend([Value::symbol("&"), Value::Symbol(rest.clone())]);
                }
                parts.extend([Value::Vector(names), self.form(*body)]);
                list("fn", parts)
            }
            Node::Application { operator, operands } => {
                let forms: Vec<Value> = operands.iter().map(one).collect();
                match self.node(*operator) {
                    Node::Variable(maker)
                        if maker.as_str() == "yin/vector" && !forms.iter().all(is_constant) =>
                    {
                        Value::Vector(forms)
                    }
                    _ => Value::List(std::iter::once(self.form(*operator)).chain(forms).collect()),
                }
            }
            Node::If { test, consequent, alternate } => {
                list("if", [test, consequent, alternate].map(one))
            }
            Node::Let { names, values, body } => self.binding("let", names, values, *body),
            Node::Loop { names, values, body } => self.binding("loop", names, values, *body),
            Node::Recur { operands } => list("recur", operands.iter().map(one)),
            Node::Do { operands } => list("do", operands.iter().map(one)),
            Node::Definition { name, value } => {
                list("def", [Value::Symbol(name.clone()), self.form(*value)])
            }
            Node::Expansion { name, call, body } => {
                list("yin/expansion", [Value::Symbol(name.clone()), call.clone(), self.form(*body)])
            }
            Node::Perform { op, operands } => list(
                "perform",
                std::iter::once(Value::Keyword(op.clone())).chain(operands.iter().map(one)),
            ),
        }
    }

    fn binding(&self, head: &str, names: &[Symbol], values: &[NodeId], body: NodeId) -> Value {
        let pairs = names
            .iter()
            .zip(values)
            .flat_map(|(name, &value)| [Value::Symbol(name.clone()), self.form(value)]);
        list(head, [Value::Vector(pairs.collect()), self.form(body)])
    }
}

fn list(head: &str, rest: impl IntoIterator<Item = Value>) -> Value {
    Value::List(std::iter::once(Value::symbol(head)).chain(rest).collect())
}

/// Whether the form of a value means the value: the same question as the reader's.
fn is_constant(value: &Value) -> bool {
    match value {
        Value::Symbol(_) => false,
        Value::List(items) => items.is_empty(),
        Value::Vector(items) => items.iter().all(is_constant),
        Value::Set(items) => items.iter().all(is_constant),
        Value::Map(map) => map.iter().all(|(key, value)| is_constant(key) && is_constant(value)),
        _ => true,
    }
}
