//! Free names, and what an expression may do.

use datom::Symbol;

use crate::ast::{Node, NodeId, Tree};

/// The names that a node uses and does not bind, each once, in the order of first use.
pub(crate) fn names(tree: &Tree, id: NodeId) -> Vec<Symbol> {
    let mut found = Vec::new();
    collect(tree, id, &mut Vec::new(), &mut found);
    found
}

/// Whether a node uses a name that it does not bind and that `is` holds for.
pub(super) fn uses(tree: &Tree, id: NodeId, is: &dyn Fn(&Symbol) -> bool) -> bool {
    names(tree, id).iter().any(is)
}

/// Recursion is as deep as the tree.
fn collect(tree: &Tree, id: NodeId, bound: &mut Vec<Symbol>, found: &mut Vec<Symbol>) {
    let height = bound.len();
    match tree.node(id) {
        Node::Variable(name) => {
            if !bound.contains(name) && !found.contains(name) {
                found.push(name.clone());
            }
        }
        Node::Lambda { own, params, rest, body } => {
            bound.extend(own.iter().chain(params).chain(rest).cloned());
            collect(tree, *body, bound, found);
        }
        Node::Let { names, values, body } | Node::Loop { names, values, body } => {
            for (name, value) in names.iter().zip(values) {
                collect(tree, *value, bound, found);
                bound.push(name.clone());
            }
            collect(tree, *body, bound, found);
        }
        node => node.children().for_each(|child| collect(tree, child, bound, found)),
    }
    bound.truncate(height);
}

/// Whether evaluating a node can run code of a program or define a name.
/// `is_pure` says of an operator's name that it is a primitive that does neither.
pub(super) fn is_quiet(tree: &Tree, id: NodeId, is_pure: &dyn Fn(&Symbol) -> bool) -> bool {
    match tree.node(id) {
        Node::Definition { .. } | Node::Perform { .. } => false,
        Node::Lambda { .. } => true,
        Node::Application { operator, operands } => {
            matches!(tree.node(*operator), Node::Variable(name) if is_pure(name))
                && operands.iter().all(|&operand| is_quiet(tree, operand, is_pure))
        }
        node => node.children().all(|child| is_quiet(tree, child, is_pure)),
    }
}
