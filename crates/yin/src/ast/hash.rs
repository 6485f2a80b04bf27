//! The hash of a node: BLAKE3 over a domain mark, the type, its own fields and its children's hashes.
//!
//! 1. Every field is preceded by its length or count, so no two nodes have the same bytes.
//! 2. Values enter as their portable bytes, the same in every store.

use datom::{Symbol, portable};

use super::{Node, NodeId, Tree};

const DOMAIN: &[u8] = b"yin/node 1\0";

struct Bytes<'t> {
    tree: &'t Tree,
    bytes: Vec<u8>,
}

impl Bytes<'_> {
    fn field(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    fn count(&mut self, n: usize) {
        self.bytes.extend_from_slice(&(n as u64).to_le_bytes());
    }

    fn name(&mut self, name: &Symbol) {
        self.field(name.as_str().as_bytes());
    }

    fn names(&mut self, names: &[Symbol]) {
        self.count(names.len());
        names.iter().for_each(|name| self.name(name));
    }

    fn optional(&mut self, name: Option<&Symbol>) {
        self.names(name.map(std::slice::from_ref).unwrap_or_default());
    }

    fn node(&mut self, id: NodeId) {
        self.bytes.extend_from_slice(&self.tree.hash(id));
    }

    fn nodes(&mut self, ids: &[NodeId]) {
        self.count(ids.len());
        ids.iter().for_each(|&id| self.node(id));
    }
}

pub(super) fn of(node: &Node, tree: &Tree) -> [u8; 32] {
    let mut out = Bytes { tree, bytes: DOMAIN.to_vec() };
    out.field(node.type_name().as_bytes());
    match node {
        Node::Literal(value) => portable::encode(value, &mut out.bytes),
        Node::Variable(name) => out.name(name),
        Node::Lambda { own, params, rest, body } => {
            out.optional(own.as_ref());
            out.names(params);
            out.optional(rest.as_ref());
            out.node(*body);
        }
        Node::Application { operator, operands } => {
            out.node(*operator);
            out.nodes(operands);
        }
        Node::If { test, consequent, alternate } => {
            out.node(*test);
            out.node(*consequent);
            out.node(*alternate);
        }
        Node::Let { names, values, body } | Node::Loop { names, values, body } => {
            out.names(names);
            out.nodes(values);
            out.node(*body);
        }
        Node::Recur { operands } | Node::Do { operands } => out.nodes(operands),
        Node::Definition { name, value } => {
            out.name(name);
            out.node(*value);
        }
        Node::Expansion { name, call, body } => {
            out.name(name);
            let mut bytes = Vec::new();
            portable::encode(call, &mut bytes);
            out.field(&bytes);
            out.node(*body);
        }
        Node::Perform { op, operands } => {
            out.field(op.as_str().as_bytes());
            out.nodes(operands);
        }
    }
    *blake3::hash(&out.bytes).as_bytes()
}
