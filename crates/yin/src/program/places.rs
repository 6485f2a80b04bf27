//! Places: what can be said of each node of a program before it runs.
//!
//! A place is named by its ordinal, its number in preorder over the forms, which is the same
//! wherever the program was read or loaded. Continuations name places, never addresses of code.
//!
//! 1. The names in scope at a node are numbered from the outermost of its function inwards; what
//!    comes from outside of the function is captured, in the order of first use.
//! 2. A lambda that is called where it stands, with as many operands as it has parameters, is no
//!    function but a `let` ([`immediate`]).

use datom::Symbol;

use super::Program;
use crate::ast::{Node, NodeId, Tree};
use crate::projection::free_names;

/// Where a name finds its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The n-th name in scope of the running function.
    Local(u16),
    /// The n-th value of the closure.
    Captured(u16),
    /// The running function itself.
    Own,
    /// A global or built-in name.
    Free,
}

/// What is known of one node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) ordinal: u32,
    /// The node that waits for this one's value; `None` for the body of a function.
    pub(crate) parent: Option<NodeId>,
    /// Which of its parent's steps this is: children in order of evaluation, the body last.
    pub(crate) child: u16,
    /// How many names its function has in scope where the node begins.
    pub(crate) height: u16,
    /// The lambda or form it belongs to.
    pub(crate) function: NodeId,
    /// For a name: what it means. Free for everything else.
    pub(crate) meaning: Meaning,
    /// For `recur`: the body it goes back to.
    pub(crate) target: Option<NodeId>,
    /// For a lambda: where its captures lie.
    captures: (u32, u16),
}

/// The places of one program.
#[derive(Debug, Default)]
pub(crate) struct Places {
    places: Vec<Option<Place>>,
    order: Vec<NodeId>,
    captures: Vec<(Symbol, Meaning)>,
}

/// The parameters and body of an operator that is a lambda called where it stands.
pub(crate) fn immediate<'t>(
    tree: &'t Tree,
    operator: NodeId,
    operands: &[NodeId],
) -> Option<(&'t [Symbol], NodeId)> {
    match tree.node(operator) {
        Node::Lambda { own: None, params, rest: None, body } if params.len() == operands.len() => {
            Some((params, *body))
        }
        _ => None,
    }
}

impl Places {
    /// Cost: linear in the program for each level of nested functions.
    pub(crate) fn of(program: &Program) -> Self {
        let mut this = Self { places: vec![None; program.tree().len()], ..Self::default() };
        for &form in program.forms() {
            let mut scope = Scope::new(form, None, Vec::new());
            this.walk(program.tree(), form, Step { parent: None, child: 0 }, &mut scope);
        }
        this
    }

    /// What is known of a node that some form reaches.
    pub(crate) fn get(&self, node: NodeId) -> Option<&Place> {
        self.places.get(node.index())?.as_ref()
    }

    /// The node of an ordinal.
    pub(crate) fn node(&self, ordinal: u32) -> Option<NodeId> {
        self.order.get(ordinal as usize).copied()
    }

    /// Whether a node is a name that nothing around it binds.
    pub(crate) fn is_free(&self, name: NodeId) -> bool {
        self.get(name).is_some_and(|place| place.meaning == Meaning::Free)
    }

    /// What a lambda captures, in order, and what each name means where the lambda stands.
    pub(crate) fn captures(&self, lambda: NodeId) -> &[(Symbol, Meaning)] {
        let (start, length) = self.get(lambda).map_or((0, 0), |place| place.captures);
        self.captures.get(start as usize..start as usize + usize::from(length)).unwrap_or(&[])
    }

    /// Recursion is as deep as the tree.
    fn walk(&mut self, tree: &Tree, id: NodeId, step: Step, scope: &mut Scope) {
        let mut place = Place {
            ordinal: self.order.len() as u32,
            parent: step.parent,
            child: step.child,
            height: scope.locals.len() as u16,
            function: scope.function,
            meaning: Meaning::Free,
            target: None,
            captures: (0, 0),
        };
        self.order.push(id);
        match tree.node(id) {
            Node::Variable(name) => place.meaning = scope.meaning(name),
            Node::Recur { .. } => place.target = scope.target,
            Node::Lambda { .. } => {
                let start = self.captures.len();
                let free = free_names(tree, id).into_iter();
                let bound = free.map(|name| (scope.meaning(&name), name));
                let bound = bound.filter(|(meaning, _)| *meaning != Meaning::Free);
                self.captures.extend(bound.map(|(meaning, name)| (name, meaning)));
                place.captures = (start as u32, (self.captures.len() - start) as u16);
            }
            _ => {}
        }
        if let Some(slot) = self.places.get_mut(id.index()) {
            *slot = Some(place);
        }
        match tree.node(id) {
            // An expansion means its body, so nothing ever waits at it.
            Node::Expansion { body, .. } => self.walk(tree, *body, step, scope),
            _ => self.below(tree, id, scope),
        }
    }

    fn below(&mut self, tree: &Tree, id: NodeId, scope: &mut Scope) {
        let inner = |child: usize| Step { parent: Some(id), child: child as u16 };
        let height = scope.locals.len();
        match tree.node(id) {
            Node::Lambda { own, params, rest, body } => {
                let captures = self.captures(id).iter().map(|(name, _)| name.clone()).collect();
                let mut own_scope = Scope::new(id, own.clone(), captures);
                own_scope.locals = params.iter().chain(rest).cloned().collect();
                own_scope.target = Some(*body);
                let root = Step { parent: None, child: 0 };
                self.walk(tree, *body, root, &mut own_scope);
            }
            Node::Application { operator, operands } => {
                let bound = immediate(tree, *operator, operands);
                match bound {
                    None => self.walk(tree, *operator, inner(0), scope),
                    // The lambda has its place, though nobody evaluates it.
                    Some(_) => self.order_only(*operator, inner(0), scope),
                }
                for (at, &operand) in operands.iter().enumerate() {
                    self.walk(tree, operand, inner(at + 1), scope);
                }
                if let Some((params, body)) = bound {
                    scope.locals.extend_from_slice(params);
                    self.body(tree, body, inner(operands.len() + 1), scope);
                }
            }
            Node::If { test, consequent, alternate } => {
                self.walk(tree, *test, inner(0), scope);
                self.walk(tree, *consequent, inner(1), scope);
                self.walk(tree, *alternate, inner(2), scope);
            }
            Node::Let { names, values, body } | Node::Loop { names, values, body } => {
                for (at, (name, &value)) in names.iter().zip(values).enumerate() {
                    self.walk(tree, value, inner(at), scope);
                    scope.locals.push(name.clone());
                }
                let step = inner(values.len());
                match tree.node(id) {
                    Node::Loop { .. } => self.body(tree, *body, step, scope),
                    _ => self.walk(tree, *body, step, scope),
                }
            }
            Node::Do { operands } => {
                for (at, &operand) in operands.iter().enumerate() {
                    self.walk(tree, operand, inner(at), scope);
                }
            }
            node => {
                for (at, child) in node.children().enumerate() {
                    self.walk(tree, child, inner(at), scope);
                }
            }
        }
        scope.locals.truncate(height);
    }

    /// A body that `recur` goes back to.
    fn body(&mut self, tree: &Tree, body: NodeId, step: Step, scope: &mut Scope) {
        let outer = scope.target.replace(body);
        self.walk(tree, body, step, scope);
        scope.target = outer;
    }

    fn order_only(&mut self, id: NodeId, step: Step, scope: &Scope) {
        let place = Place {
            ordinal: self.order.len() as u32,
            parent: step.parent,
            child: step.child,
            height: scope.locals.len() as u16,
            function: scope.function,
            meaning: Meaning::Free,
            target: None,
            captures: (0, 0),
        };
        self.order.push(id);
        if let Some(slot) = self.places.get_mut(id.index()) {
            *slot = Some(place);
        }
    }
}

#[derive(Clone, Copy)]
struct Step {
    parent: Option<NodeId>,
    child: u16,
}

/// What is in scope while a function is walked.
struct Scope {
    function: NodeId,
    own: Option<Symbol>,
    captures: Vec<Symbol>,
    locals: Vec<Symbol>,
    target: Option<NodeId>,
}

impl Scope {
    fn new(function: NodeId, own: Option<Symbol>, captures: Vec<Symbol>) -> Self {
        Self { function, own, captures, locals: Vec::new(), target: None }
    }

    fn meaning(&self, name: &Symbol) -> Meaning {
        if let Some(at) = self.locals.iter().rposition(|local| local == name) {
            return Meaning::Local(at as u16);
        }
        if self.own.as_ref() == Some(name) {
            return Meaning::Own;
        }
        match self.captures.iter().position(|captured| captured == name) {
            Some(at) => Meaning::Captured(at as u16),
            None => Meaning::Free,
        }
    }
}

impl Program {
    /// The names in scope where a node begins, outermost first, and behind the first so many
    /// values of a node that binds names.
    pub(crate) fn names_at(&self, places: &Places, node: NodeId) -> Vec<Symbol> {
        let mut path = Vec::new();
        let mut at = Some(node);
        while let Some(id) = at {
            path.push(id);
            at = places.get(id).and_then(|place| place.parent);
        }
        let mut names = Vec::new();
        let function = places.get(node).map_or(node, |place| place.function);
        if let Node::Lambda { params, rest, .. } = self.tree.node(function) {
            names.extend(params.iter().chain(rest).cloned());
        }
        for pair in path.windows(2).rev() {
            let &[below, above] = pair else { continue };
            let child = places.get(below).map_or(0, |place| usize::from(place.child));
            match self.tree.node(above) {
                Node::Let { names: bound, .. } | Node::Loop { names: bound, .. } => {
                    names.extend(bound.iter().take(child).cloned());
                }
                Node::Application { operator, operands } if child > operands.len() => {
                    if let Some((params, _)) = immediate(&self.tree, *operator, operands) {
                        names.extend_from_slice(params);
                    }
                }
                _ => {}
            }
        }
        names
    }
}
