//! A node that waits for a part of its own.

use crate::ast::NodeId;

/// The part of a node that is the value of its own call.
pub(crate) const CALLED: u16 = u16::MAX;

/// A node that waits for a part of its own, as two words: so each step hands it on in registers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    /// The node above where its evaluated operands begin.
    place: u64,
    /// How many names were in scope above the part.
    scope: u64,
}

impl Step {
    /// A node that waits for a part, while so many operands are held and so many names in scope, callers'
    /// included.
    pub(crate) const fn new(node: NodeId, child: u16, done: usize, height: usize) -> Self {
        let place = (node.index() as u64) << u32::BITS | done as u32 as u64;
        Self { place, scope: (height as u32 as u64) << u32::BITS | child as u64 }
    }

    pub(crate) const fn node(self) -> NodeId {
        NodeId::at((self.place >> u32::BITS) as u32)
    }

    /// Which part: see [`Place::child`](crate::program::Place); [`CALLED`] for the call itself.
    pub(crate) const fn child(self) -> u16 {
        self.scope as u16
    }

    /// Where its evaluated operands begin.
    pub(crate) const fn done(self) -> usize {
        self.place as u32 as usize
    }

    /// How many names were in scope when it began, callers' included.
    pub(crate) const fn height(self) -> usize {
        (self.scope >> u32::BITS) as usize
    }

    /// It waits for the part behind.
    pub(crate) const fn next(self) -> Self {
        Self { scope: self.scope + 1, ..self }
    }

    /// It waits for what it called.
    pub(crate) const fn called(self) -> Self {
        Self { scope: self.scope | CALLED as u64, ..self }
    }
}
