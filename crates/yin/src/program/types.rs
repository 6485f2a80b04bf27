//! Declared types as facts: what a function says of its parameters and of what it returns.
//!
//! The types are part of the AST, as checks in front of the body; here they are told once more, so
//! that a query finds them by name: `:fn/param`, `:fn/returns`, `:param/…`, `:type/…`.

use datom::{Symbol, Value, portable};

use crate::ast::{Node, NodeId, Tree};
use crate::builtin;

/// What a function declares.
pub(super) struct Declared {
    /// Its parameters in order, with the types that are declared.
    pub(super) params: Vec<(Symbol, Option<Value>)>,
    pub(super) returns: Option<Value>,
}

/// The type, the name and the value of a check.
fn check(tree: &Tree, id: NodeId) -> Option<(&Value, &str, NodeId)> {
    let Node::Application { operator, operands } = tree.node(id) else { return None };
    let Node::Variable(name) = tree.node(*operator) else { return None };
    let &[kind, what, value] = operands.as_slice() else { return None };
    match (tree.node(kind), tree.node(what)) {
        (Node::Literal(kind), Node::Literal(Value::Text(what)))
            if name.as_str() == builtin::CHECK =>
        {
            Some((kind, what, value))
        }
        _ => None,
    }
}

/// What a function declares; `None` if nothing.
pub(super) fn declared(tree: &Tree, id: NodeId) -> Option<Declared> {
    let Node::Lambda { params, rest, body, .. } = tree.node(id) else { return None };
    let (checks, last) = match tree.node(*body) {
        Node::Do { operands } => {
            let (last, checks) = operands.split_last()?;
            (checks, *last)
        }
        _ => (&[][..], *body),
    };
    let checks: Vec<_> = checks.iter().map_while(|&operand| check(tree, operand)).collect();
    let returns = check(tree, last).filter(|(_, what, _)| what.is_empty());
    if checks.is_empty() && returns.is_none() {
        return None;
    }
    let kind = |name: &Symbol| {
        let found = checks.iter().find(|(_, what, _)| *what == name.as_str());
        found.map(|(kind, ..)| (*kind).clone())
    };
    let params = params.iter().chain(rest).map(|name| (name.clone(), kind(name))).collect();
    Some(Declared { params, returns: returns.map(|(kind, ..)| kind.clone()) })
}

fn hash(domain: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(domain);
    parts.iter().for_each(|part| {
        hasher.update(part);
    });
    *hasher.finalize().as_bytes()
}

/// What names a type in a database: equal types are one entity.
pub(super) fn type_id(kind: &Value) -> [u8; 32] {
    let mut bytes = Vec::new();
    portable::encode(kind, &mut bytes);
    hash(b"yin/type 1\0", &[&bytes])
}

/// What names a parameter of a function.
pub(super) fn param_id(function: &[u8; 32], place: usize) -> [u8; 32] {
    hash(b"yin/param 1\0", &[function, &(place as u64).to_le_bytes()])
}
