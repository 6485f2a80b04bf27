//! Safepoints: where register code can stand still, told in terms of the AST.
//!
//! A point says of one address which node it stands at and which registers hold what the
//! stepper would hold there: the names in scope, outermost first, and then the operands that
//! waiting nodes have evaluated already, outermost node first. This is all that capturing and
//! restoring need to know of register code.

use super::shared::extend;
use crate::ast::NodeId;

/// The source of an operand that no register holds, for evaluating it again gives the same: a
/// literal, or a name that the code has built in.
pub(crate) const AGAIN: u8 = u8::MAX;

/// In what way code stands at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// The node is about to be evaluated: the next turn of a loop or function.
    Enter,
    /// The node's operands are evaluated: it is about to call, or waits for what it called.
    Call,
}

/// One safepoint of register code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) pc: u32,
    pub(crate) node: NodeId,
    pub(crate) stand: Stand,
    /// Where the result of the call will be.
    pub(crate) at: u8,
    /// How many operands of the node itself are among the sources.
    pub(crate) own: u8,
    start: u32,
    length: u16,
}

/// The safepoints of all code, by ascending address. Code is only appended, and so are they.
#[derive(Clone, Default)]
pub(crate) struct Points {
    points: Vec<Point>,
    sources: Vec<u8>,
}

impl Points {
    /// Adds a point behind all others.
    pub(crate) fn push(&mut self, mut point: Point, locals: &[u8], pending: &[u8]) {
        point.start = self.sources.len() as u32;
        point.length = (locals.len() + pending.len()) as u16;
        self.sources.extend_from_slice(locals);
        self.sources.extend_from_slice(pending);
        self.points.push(point);
    }

    /// Adds the points of a function whose code begins at an address.
    pub(crate) fn append(&mut self, other: &Points, base: u32) {
        let offset = self.sources.len() as u32;
        self.sources.extend_from_slice(&other.sources);
        self.points.extend(other.points.iter().map(|point| Point {
            pc: point.pc + base,
            start: point.start + offset,
            ..*point
        }));
    }

    /// Takes over what the other, of the same code, has beyond these.
    pub(crate) fn catch_up(&mut self, other: &Points) {
        extend(&mut self.points, &other.points);
        extend(&mut self.sources, &other.sources);
    }

    /// The point at an address.
    pub(crate) fn at(&self, pc: u32, stand: Stand) -> Option<&Point> {
        let from = self.points.partition_point(|point| point.pc < pc);
        let here = self.points.get(from..)?.iter().take_while(|point| point.pc == pc);
        here.into_iter().find(|point| point.stand == stand)
    }

    /// The point at which code from an address on stands at a node.
    pub(crate) fn of(&self, from: u32, to: u32, node: NodeId, stand: Stand) -> Option<&Point> {
        let first = self.points.partition_point(|point| point.pc < from);
        self.points
            .get(first..)?
            .iter()
            .take_while(|point| point.pc < to)
            .find(|point| point.node == node && point.stand == stand)
    }

    /// The registers that hold what the point knows, or [`AGAIN`].
    pub(crate) fn sources(&self, point: &Point) -> &[u8] {
        let start = point.start as usize;
        self.sources.get(start..start + usize::from(point.length)).unwrap_or(&[])
    }
}

impl Point {
    pub(crate) fn new(pc: usize, node: NodeId, stand: Stand, at: u8, own: u8) -> Self {
        Self { pc: pc as u32, node, stand, at, own, start: 0, length: 0 }
    }
}
