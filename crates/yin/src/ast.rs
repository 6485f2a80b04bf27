//! The Universal AST: what a program is before it is datoms and after.
//!
//! A [`Tree`] holds the nodes of one program, one for each place in its source. Nodes of equal
//! content have equal [hashes](Tree::hash), and are one entity in a database.
//!
//! 1. Children stand before their parents, so a tree has no cycles and is walked without a guard.
//! 2. Nodes are nested no deeper than [`DEPTH_MAX`], so recursion over a tree is bounded.
//! 3. `recur` stands only where a loop or function body ends, with as many operands as it binds.

mod check;
mod hash;
mod print;

use datom::edn::Span;
use datom::{Keyword, Symbol, Value};

pub(crate) use check::check;

/// Nodes are nested no deeper than this.
pub const DEPTH_MAX: usize = 200;
/// A function has at most so many parameters, a call so many operands.
pub const OPERANDS_MAX: usize = 100;

/// A node of one [`Tree`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

impl NodeId {
    /// The node of a place in a tree.
    pub(crate) const fn at(place: u32) -> Self {
        Self(place)
    }

    /// The place of the node in its tree.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a node is: the vocabulary of `:yin/type`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Node {
    /// A value that stands for itself. `quote` makes one too.
    Literal(Value),
    /// The value of a name.
    Variable(Symbol),
    /// A function.
    Lambda {
        /// What the function calls itself.
        own: Option<Symbol>,
        /// Names of the arguments, in order.
        params: Vec<Symbol>,
        /// The name of the vector of all further arguments.
        rest: Option<Symbol>,
        /// What it computes.
        body: NodeId,
    },
    /// A call: operator first, then operands from left to right.
    Application {
        /// What is called.
        operator: NodeId,
        /// What it is given, in order.
        operands: Vec<NodeId>,
    },
    /// A choice. Only nil and false are false.
    If {
        /// What decides.
        test: NodeId,
        /// What follows if it is true.
        consequent: NodeId,
        /// What follows if it is not.
        alternate: NodeId,
    },
    /// Names for values, one after the other, each seeing those before it.
    Let {
        /// The names, in order.
        names: Vec<Symbol>,
        /// Their values, in order.
        values: Vec<NodeId>,
        /// Where the names hold.
        body: NodeId,
    },
    /// As `let`, and `recur` in the body binds the names anew.
    Loop {
        /// The names, in order.
        names: Vec<Symbol>,
        /// Their first values, in order.
        values: Vec<NodeId>,
        /// Where the names hold.
        body: NodeId,
    },
    /// The next turn of the innermost loop or function.
    Recur {
        /// The new values, in order.
        operands: Vec<NodeId>,
    },
    /// One after the other; the value is the last one's.
    Do {
        /// What is done, in order.
        operands: Vec<NodeId>,
    },
    /// A name for all of the program and those after it.
    Definition {
        /// The name.
        name: Symbol,
        /// What it stands for.
        value: NodeId,
    },
    /// What a macro made of a call. It means its body.
    Expansion {
        /// The macro.
        name: Symbol,
        /// The call as it was written.
        call: Value,
        /// What it became.
        body: NodeId,
    },
    /// A request to the world. The program parks until it is answered.
    Perform {
        /// What is asked for.
        op: Keyword,
        /// What it is given, in order.
        operands: Vec<NodeId>,
    },
}

impl Node {
    /// The name of `:yin/type`, without colon and namespace.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Node::Literal(_) => "literal",
            Node::Variable(_) => "variable",
            Node::Lambda { .. } => "lambda",
            Node::Application { .. } => "application",
            Node::If { .. } => "if",
            Node::Let { .. } => "let",
            Node::Loop { .. } => "loop",
            Node::Recur { .. } => "recur",
            Node::Do { .. } => "do",
            Node::Definition { .. } => "definition",
            Node::Expansion { .. } => "expansion",
            Node::Perform { .. } => "perform",
        }
    }

    /// The nodes this one is made of, in the order they are evaluated.
    pub fn children(&self) -> impl Iterator<Item = NodeId> + '_ {
        let (first, many, last): (&[NodeId], &[NodeId], &[NodeId]) = match self {
            Node::Literal(_) | Node::Variable(_) => (&[], &[], &[]),
            Node::Lambda { body, .. } | Node::Expansion { body, .. } => {
                (&[], &[], std::slice::from_ref(body))
            }
            Node::Application { operator, operands } => {
                (std::slice::from_ref(operator), operands, &[])
            }
            Node::If { test, consequent, alternate } => (
                std::slice::from_ref(test),
                std::slice::from_ref(consequent),
                std::slice::from_ref(alternate),
            ),
            Node::Let { values, body, .. } | Node::Loop { values, body, .. } => {
                (&[], values, std::slice::from_ref(body))
            }
            Node::Recur { operands } | Node::Do { operands } | Node::Perform { operands, .. } => {
                (&[], operands, &[])
            }
            Node::Definition { value, .. } => (&[], &[], std::slice::from_ref(value)),
        };
        first.iter().chain(many).chain(last).copied()
    }
}

impl Node {
    /// Gives a node other children, in the order of [`Node::children`].
    pub(crate) fn adopt(&mut self, children: &[NodeId]) {
        self.children_mut().zip(children).for_each(|(slot, &child)| *slot = child);
    }

    /// As [`Node::children`].
    fn children_mut(&mut self) -> impl Iterator<Item = &mut NodeId> {
        let (first, many, last): (&mut [NodeId], &mut [NodeId], &mut [NodeId]) = match self {
            Node::Literal(_) | Node::Variable(_) => (&mut [], &mut [], &mut []),
            Node::Lambda { body, .. } | Node::Expansion { body, .. } => {
                (&mut [], &mut [], std::slice::from_mut(body))
            }
            Node::Application { operator, operands } => {
                (std::slice::from_mut(operator), operands, &mut [])
            }
            Node::If { test, consequent, alternate } => (
                std::slice::from_mut(test),
                std::slice::from_mut(consequent),
                std::slice::from_mut(alternate),
            ),
            Node::Let { values, body, .. } | Node::Loop { values, body, .. } => {
                (&mut [], values, std::slice::from_mut(body))
            }
            Node::Recur { operands } | Node::Do { operands } | Node::Perform { operands, .. } => {
                (&mut [], operands, &mut [])
            }
            Node::Definition { value, .. } => (&mut [], &mut [], std::slice::from_mut(value)),
        };
        first.iter_mut().chain(many).chain(last)
    }
}

/// The nodes of one program.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: Vec<Node>,
    spans: Vec<Span>,
    hashes: Vec<[u8; 32]>,
    depths: Vec<u16>,
}

impl Tree {
    /// Adds a node whose children are in the tree already. `None` if it would be nested deeper
    /// than [`DEPTH_MAX`].
    pub(crate) fn add(&mut self, node: Node, span: Span) -> Option<NodeId> {
        self.add_hashed(node, span, None)
    }

    /// The same for a node whose hash may be known already.
    pub(crate) fn add_hashed(
        &mut self,
        node: Node,
        span: Span,
        hash: Option<[u8; 32]>,
    ) -> Option<NodeId> {
        let below = node.children().map(|child| self.depth(child)).max().unwrap_or(0);
        if below >= DEPTH_MAX {
            return None;
        }
        let id = NodeId(u32::try_from(self.nodes.len()).ok()?);
        self.hashes.push(hash.unwrap_or_else(|| hash::of(&node, self)));
        self.nodes.push(node);
        self.spans.push(span);
        self.depths.push(below as u16 + 1);
        Some(id)
    }

    /// Copies what is below a node of another tree. `None` if it does not fit.
    pub(crate) fn graft(&mut self, other: &Tree, root: NodeId) -> Option<NodeId> {
        // Recursion is as deep as the tree.
        let mut node = other.node(root).clone();
        for child in node.children_mut() {
            *child = self.graft(other, *child)?;
        }
        self.add(node, other.span(root))
    }

    /// The tree of some nodes and what is below them, without anything else.
    pub(crate) fn swept(&self, roots: &[NodeId]) -> (Self, Vec<NodeId>) {
        let mut tree = Self::default();
        let roots = roots.iter().filter_map(|&root| tree.graft(self, root)).collect();
        (tree, roots)
    }

    fn depth(&self, id: NodeId) -> usize {
        self.depths.get(id.index()).copied().map_or(0, usize::from)
    }

    /// What a node is. A node of another tree is nil.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        const NIL: &Node = &Node::Literal(Value::Nil);
        self.nodes.get(id.index()).unwrap_or(NIL)
    }

    /// Where a node stands in the source.
    #[must_use]
    pub fn span(&self, id: NodeId) -> Span {
        self.spans.get(id.index()).copied().unwrap_or_default()
    }

    /// The BLAKE3 hash of a node's content: of what it says and of the hashes below it.
    #[must_use]
    pub fn hash(&self, id: NodeId) -> [u8; 32] {
        self.hashes.get(id.index()).copied().unwrap_or_default()
    }

    /// How many nodes there are, one for each place in the source.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Every node, children before parents.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }
}

#[cfg(test)]
mod tests;
