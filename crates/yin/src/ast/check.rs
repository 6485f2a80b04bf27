//! What every tree must obey, wherever it came from: source or datoms.
//!
//! `recur` ends a loop or function body and fits what it binds; names are plain and distinct;
//! counts are within bounds.

use datom::Symbol;

use super::{Node, NodeId, OPERANDS_MAX, Tree};
use crate::reader;

/// What is wrong with a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) node: NodeId,
    pub(crate) message: String,
    pub(crate) help: Option<&'static str>,
}

/// What `recur` would bind: nothing, or so many names.
#[derive(Clone, Copy)]
enum Target {
    None,
    /// There is a target, but something is left to do after this node.
    Behind,
    Names(usize),
}

/// Checks what is below a root.
pub(crate) fn check(tree: &Tree, root: NodeId) -> Result<(), Flaw> {
    visit(tree, root, Target::None)
}

/// Recursion is as deep as the tree.
fn visit(tree: &Tree, id: NodeId, target: Target) -> Result<(), Flaw> {
    let flaw = |message: String, help| Err(Flaw { node: id, message, help });
    let behind = match target {
        Target::Names(_) => Target::Behind,
        other => other,
    };
    match tree.node(id) {
        Node::Recur { operands } => {
            let found = operands.len();
            match target {
                Target::Names(wanted) if wanted == found => {}
                Target::Names(wanted) => {
                    return flaw(
                        format!("`recur` gives {found} values to {wanted} names"),
                        Some("give one value for each name of the loop or parameter"),
                    );
                }
                Target::Behind => {
                    return flaw(
                        "`recur` must be the last thing its loop or function does".to_owned(),
                        Some("call the function by its name to go on with its result"),
                    );
                }
                Target::None => {
                    return flaw(
                        "`recur` stands outside of a loop or function".to_owned(),
                        Some("write (loop [name value ...] ...) around it"),
                    );
                }
            }
            operands.iter().try_for_each(|&child| visit(tree, child, behind))
        }
        Node::Variable(name) => match reader::is_plain(name) {
            true => Ok(()),
            false => flaw(format!("`{name}` cannot be the name of a variable"), None),
        },
        Node::Definition { name, value } => {
            if !reader::is_definable(name) {
                return flaw(format!("`{name}` cannot be defined"), None);
            }
            visit(tree, *value, behind)
        }
        Node::Lambda { own, params, rest, body } => {
            let names: Vec<&Symbol> = params.iter().chain(rest).collect();
            bindable(id, names.iter().copied().chain(own))?;
            count(id, names.len(), "parameters")?;
            distinct(id, &names)?;
            visit(tree, *body, Target::Names(names.len()))
        }
        Node::Loop { names, values, body } => {
            bindings(id, names, values)?;
            distinct(id, &names.iter().collect::<Vec<_>>())?;
            values.iter().try_for_each(|&child| visit(tree, child, behind))?;
            visit(tree, *body, Target::Names(names.len()))
        }
        Node::Let { names, values, body } => {
            bindings(id, names, values)?;
            values.iter().try_for_each(|&child| visit(tree, child, behind))?;
            visit(tree, *body, target)
        }
        Node::Expansion { body, .. } => visit(tree, *body, target),
        Node::If { test, consequent, alternate } => {
            visit(tree, *test, behind)?;
            visit(tree, *consequent, target)?;
            visit(tree, *alternate, target)
        }
        Node::Do { operands } => match operands.split_last() {
            _ if operands.len() < 2 => {
                flaw("a `do` has at least two operands; one alone stands for itself".into(), None)
            }
            Some((last, before)) => {
                before.iter().try_for_each(|&child| visit(tree, child, behind))?;
                visit(tree, *last, target)
            }
            None => Ok(()),
        },
        node => node.children().try_for_each(|child| visit(tree, child, behind)),
    }
}

fn bindings(id: NodeId, names: &[Symbol], values: &[NodeId]) -> Result<(), Flaw> {
    if names.len() != values.len() {
        let message = format!("{} names are bound to {} values", names.len(), values.len());
        return Err(Flaw { node: id, message, help: None });
    }
    bindable(id, names.iter())?;
    count(id, names.len(), "names in one form")
}

fn bindable<'n>(id: NodeId, mut names: impl Iterator<Item = &'n Symbol>) -> Result<(), Flaw> {
    match names.find(|name| !reader::is_bindable(name)) {
        None => Ok(()),
        Some(name) => {
            let message = format!("`{name}` cannot be bound");
            Err(Flaw { node: id, message, help: Some("local names are plain, such as `path`") })
        }
    }
}

fn count(id: NodeId, found: usize, what: &str) -> Result<(), Flaw> {
    if found > OPERANDS_MAX {
        let message = format!("{found} {what}; at most {OPERANDS_MAX} are possible");
        return Err(Flaw { node: id, message, help: None });
    }
    Ok(())
}

fn distinct(id: NodeId, names: &[&Symbol]) -> Result<(), Flaw> {
    for (at, name) in names.iter().enumerate() {
        if name.as_str() != "_" && names.iter().take(at).any(|before| before == name) {
            let message = format!("the name `{name}` is bound twice");
            return Err(Flaw { node: id, message, help: Some("give each a name of its own") });
        }
    }
    Ok(())
}
