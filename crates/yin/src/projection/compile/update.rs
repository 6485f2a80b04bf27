//! Loops that build a collection: the new one takes the place of the old one, whose last use this
//! is, so it may be updated in place.
//!
//! 1. Only a register that `recur` fills with an update of itself ever holds an owned collection.
//! 2. Whatever hands the word of such a register on is preceded by [`I::Share`]; what only looks at
//!    it is not.

use datom::Symbol;

use super::super::free;
use super::{AGAIN, Compiler, I, Meaning, Result1, Want};
use crate::ast::{Node, NodeId};
use crate::builtin;

/// An update has at most so many operands.
pub(crate) const UPDATE_ARGS_MAX: usize = 8;

impl Compiler<'_> {
    /// Notes which names of a loop are updates of themselves at its turns.
    pub(super) fn own(&mut self, names: &[Symbol], registers: &[u8], body: NodeId) {
        let mut found = Vec::new();
        self.turns(body, names, registers, &mut found);
        self.owned.extend(found);
    }

    /// Walks what comes last in a body.
    fn turns(&self, id: NodeId, names: &[Symbol], registers: &[u8], found: &mut Vec<u8>) {
        match self.tree().node(id) {
            Node::If { consequent, alternate, .. } => {
                self.turns(*consequent, names, registers, found);
                self.turns(*alternate, names, registers, found);
            }
            Node::Let { body, .. } | Node::Expansion { body, .. } => {
                self.turns(*body, names, registers, found);
            }
            Node::Do { operands } => {
                if let Some(&last) = operands.last() {
                    self.turns(last, names, registers, found);
                }
            }
            Node::Recur { operands } => {
                for ((&operand, name), &register) in operands.iter().zip(names).zip(registers) {
                    if self.update_of(operand).is_some_and(|(_, subject, _)| subject == name) {
                        found.push(register);
                    }
                }
            }
            _ => {}
        }
    }

    /// The primitive, the name it updates and the other operands, if a node is an update.
    fn update_of(&self, id: NodeId) -> Option<(u32, &Symbol, &[NodeId])> {
        let Node::Application { operator, operands } = self.tree().node(id) else { return None };
        let (&first, rest) = operands.split_first()?;
        let Node::Variable(subject) = self.tree().node(first) else { return None };
        let primitive = self.primitive_of(*operator).filter(|&id| builtin::is_update(id))?;
        let fits =
            operands.len() <= UPDATE_ARGS_MAX && builtin::is_plain(primitive, operands.len());
        (fits && !rest.is_empty()).then_some((primitive, subject, rest))
    }

    /// Emits the new value of a register as an update of the old one. False if it is none.
    pub(super) fn update(&mut self, id: NodeId, register: u8) -> Result1<bool> {
        let Some((primitive, subject, rest)) = self.update_of(id) else { return Ok(false) };
        if self.local(subject) != Some(Meaning::Register(register))
            || !self.owned.contains(&register)
            || rest.iter().any(|&operand| self.keeps(operand, register))
        {
            return Ok(false);
        }
        let rest = rest.to_vec();
        let outer = std::mem::replace(&mut self.site, id);
        let (next, pending) = (self.next, self.pending.len());
        self.pending.extend([AGAIN, register]);
        let update = match (primitive, rest.as_slice()) {
            (builtin::ASSOC, &[key, value]) => {
                let (a, b) = (self.held_operand(key)?, self.operand(value)?);
                I::Assoc { d: register, a, b }
            }
            _ => {
                for &operand in &rest {
                    self.next_operand(operand)?;
                }
                I::Update { d: register, at: next, n: rest.len() as u8, id: primitive }
            }
        };
        self.pending.truncate(pending);
        self.push(update);
        self.next = next;
        self.site = outer;
        Ok(true)
    }

    /// Whether a node may hand on what a register holds.
    fn keeps(&self, id: NodeId, register: u8) -> bool {
        match self.tree().node(id) {
            Node::Variable(name) => self.local(name) == Some(Meaning::Register(register)),
            Node::Lambda { .. } => {
                let is = |name: &Symbol| self.local(name) == Some(Meaning::Register(register));
                free::uses(self.tree(), id, &is)
            }
            Node::Application { operator, operands } => {
                let looks = self.primitive_of(*operator).is_some_and(builtin::is_look);
                let skipped = operands.first().filter(|&&first| {
                    looks && matches!(self.tree().node(first), Node::Variable(_))
                });
                self.keeps(*operator, register)
                    || operands
                        .iter()
                        .skip(usize::from(skipped.is_some()))
                        .any(|&operand| self.keeps(operand, register))
            }
            node => node.children().any(|child| self.keeps(child, register)),
        }
    }

    /// Others will see what is in a register.
    pub(super) fn share(&mut self, register: u8) {
        if self.owned.contains(&register) {
            self.push(I::Share { a: register });
        }
    }

    /// The register of an operand that a primitive may only look at.
    pub(super) fn looked_at(&mut self, primitive: u32, id: NodeId) -> Result1<u8> {
        if builtin::is_look(primitive)
            && let Node::Variable(name) = self.tree().node(id)
            && let Some(Meaning::Register(register)) = self.local(name)
        {
            return Ok(register);
        }
        self.operand(id)
    }

    /// A value for a primitive that only looks at it, in a register that nothing else reads.
    pub(super) fn lend(&mut self, id: NodeId, to: u8) -> Result1<()> {
        if let Node::Variable(name) = self.tree().node(id)
            && let Some(Meaning::Register(a)) = self.local(name)
        {
            self.push(I::Move { d: to, a });
            return Ok(());
        }
        self.emit(id, Want::Fresh(to))
    }
}
