//! Where the nodes of a program stand in its source, as bytes.
//!
//! Two LEB128 numbers a node, forms in order and each in preorder, children in the order of
//! evaluation: the start, as a zigzag difference from the start before, and the length.

use datom::edn::Span;

use crate::ast::{NodeId, Tree};

/// The nodes of all forms in preorder, one for each place in the source.
fn preorder(tree: &Tree, forms: &[NodeId]) -> Vec<NodeId> {
    let mut left: Vec<NodeId> = forms.iter().rev().copied().collect();
    let mut order = Vec::with_capacity(tree.len());
    while let Some(id) = left.pop() {
        order.push(id);
        let from = left.len();
        left.extend(tree.node(id).children());
        if let Some(children) = left.get_mut(from..) {
            children.reverse();
        }
    }
    order
}

pub(super) fn encode(tree: &Tree, forms: &[NodeId]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut before = 0;
    for id in preorder(tree, forms) {
        let span = tree.span(id);
        let step = span.start as i64 - before;
        before = span.start as i64;
        write(&mut out, (step << 1 ^ step >> 63) as u64);
        write(&mut out, span.end.saturating_sub(span.start) as u64);
    }
    out
}

fn write(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Spans in preorder, as they are asked for. `None` once the bytes are used up or make no sense.
#[derive(Clone)]
pub(super) struct Positions<'b> {
    bytes: &'b [u8],
    before: i64,
    /// Spans beyond this length of the source are refused.
    source_bytes: usize,
}

impl<'b> Positions<'b> {
    pub(super) fn new(bytes: &'b [u8], source_bytes: usize) -> Self {
        Self { bytes, before: 0, source_bytes }
    }

    fn number(&mut self) -> Option<u64> {
        let mut n = 0u64;
        for shift in (0..63).step_by(7) {
            let (&byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            n |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(n);
            }
        }
        None
    }

    /// The span behind so many others.
    pub(super) fn nth(&mut self, before: usize) -> Option<Span> {
        for _ in 0..before {
            self.next()?;
        }
        self.next()
    }

    pub(super) fn next(&mut self) -> Option<Span> {
        let step = self.number()?;
        let step = (step >> 1) as i64 ^ -((step & 1) as i64);
        self.before = self.before.checked_add(step)?;
        let start = usize::try_from(self.before).ok()?;
        let end = start.checked_add(usize::try_from(self.number()?).ok()?)?;
        (end <= self.source_bytes).then_some(Span { start, end })
    }
}
