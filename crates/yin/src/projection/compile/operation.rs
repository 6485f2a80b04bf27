//! Primitives in place, and tests that jump.

use datom::Value;

use super::super::instruction::Compare;
use super::{AGAIN, Compiler, I, Result1, Want};
use crate::ast::{Node, NodeId};
use crate::builtin;

/// Elements of a collection in the text are handed over in batches of this many.
pub(crate) const BATCH: usize = 64;

impl Compiler<'_> {
    pub(super) fn primitive(&mut self, id: u32, operands: &[NodeId], want: Want) -> Result1<()> {
        if let Some(compare) = builtin::compare(id)
            && let [a, b] = operands
        {
            let (a, b) = (self.held_operand(*a)?, self.operand(*b)?);
            let d = self.destination(want)?;
            self.push(I::Test { d, a, b, compare });
            self.finish(d, want);
            return Ok(());
        }
        match (id, operands) {
            (builtin::ADD, [a, b]) => return self.add(*a, *b, want),
            (builtin::SUB, [a, b]) => match self.small(*b).and_then(i32::checked_neg) {
                Some(value) => return self.add_int(*a, value, want),
                None => return self.arithmetic(id, *a, *b, want),
            },
            (builtin::MUL, [a, b]) => return self.arithmetic(id, *a, *b, want),
            (builtin::ADD | builtin::SUB | builtin::MUL, [a, b, ..]) if operands.len() <= BATCH => {
                return self.chain(id, [*a, *b], operands.get(2..).unwrap_or(&[]), want);
            }
            (builtin::REM, [a, b]) => {
                if let Some(value) = self.small(*b).filter(|&value| value != 0) {
                    let a = self.operand(*a)?;
                    let d = self.destination(want)?;
                    self.push(I::RemInt { d, a, value });
                    self.finish(d, want);
                    return Ok(());
                }
            }
            (builtin::INC, [a]) => return self.add_int(*a, 1, want),
            (builtin::DEC, [a]) => return self.add_int(*a, -1, want),
            _ => {}
        }
        match operands {
            [_, _] if builtin::is_apply(id) => {
                let at = self.next;
                for &operand in operands {
                    self.next_operand(operand)?;
                }
                self.push_call(I::Apply { at, tail: want == Want::Return }, at, 3);
                if want != Want::Return {
                    self.finish(at, want);
                }
            }
            [a] if builtin::is_plain(id, 1) => {
                let a = self.looked_at(id, *a)?;
                let d = self.destination(want)?;
                self.push(I::Primitive1 { d, a, id });
                self.finish(d, want);
            }
            [a, b] if builtin::is_plain(id, 2) => {
                let a = self.looked_at(id, *a)?;
                self.pending.push(a);
                let b = self.operand(*b)?;
                let d = self.destination(want)?;
                self.push(match id {
                    builtin::REM => I::Rem { d, a, b },
                    _ => I::Primitive2 { d, a, b, id },
                });
                self.finish(d, want);
            }
            _ => {
                let at = self.batches(id, operands)?;
                self.finish(at, want);
            }
        }
        Ok(())
    }

    /// A primitive on consecutive registers. The makers of collections get long operand lists in
    /// batches: the first makes, the others add.
    fn batches(&mut self, id: u32, operands: &[NodeId]) -> Result1<u8> {
        let at = self.next;
        let more = builtin::adder(id);
        let size = if more.is_some() { BATCH } else { operands.len().max(1) };
        let (first, rest) = operands.split_at(size.min(operands.len()));
        let pending = self.pending.len();
        for (place, &operand) in first.iter().enumerate() {
            let register = self.fresh()?;
            match place {
                0 if builtin::is_look(id) => self.lend(operand, register)?,
                _ => self.emit(operand, Want::Fresh(register))?,
            }
            self.pending.push(register);
        }
        if operands.is_empty() {
            self.fresh()?;
        }
        let call = I::Primitive { at, n: first.len() as u8, id };
        match builtin::control(id) {
            // Its call may wait in a continuation.
            Some(_) => self.push_call(call, at, first.len() + 1),
            None => self.push(call),
        }
        for batch in rest.chunks(size) {
            self.next = at + 1;
            self.pending.truncate(pending);
            self.pending.push(at);
            for &operand in batch {
                self.next_operand(operand)?;
            }
            self.push(I::Primitive { at, n: batch.len() as u8 + 1, id: more.unwrap_or(id) });
        }
        Ok(at)
    }

    /// A literal that fits an instruction.
    fn small(&self, id: NodeId) -> Option<i32> {
        match self.tree().node(id) {
            Node::Literal(Value::Int(int)) => i32::try_from(*int).ok(),
            _ => None,
        }
    }

    fn add(&mut self, a: NodeId, b: NodeId, want: Want) -> Result1<()> {
        if let Some(value) = self.small(b) {
            return self.add_int(a, value, want);
        }
        if let Some(value) = self.small(a) {
            self.pending.push(AGAIN);
            return self.add_int(b, value, want);
        }
        let (a, b) = (self.held_operand(a)?, self.operand(b)?);
        if want == Want::Return {
            self.push(I::ReturnAdd { a, b });
            return Ok(());
        }
        let d = self.destination(want)?;
        self.push(I::Add { d, a, b });
        Ok(())
    }

    fn add_int(&mut self, a: NodeId, value: i32, want: Want) -> Result1<()> {
        let a = self.operand(a)?;
        let d = self.destination(want)?;
        self.push(I::AddInt { d, a, value });
        self.finish(d, want);
        Ok(())
    }

    fn arithmetic(&mut self, id: u32, a: NodeId, b: NodeId, want: Want) -> Result1<()> {
        let (a, b) = (self.held_operand(a)?, self.operand(b)?);
        let d = self.destination(want)?;
        self.push_arithmetic(id, d, a, b);
        self.finish(d, want);
        Ok(())
    }

    fn push_arithmetic(&mut self, id: u32, d: u8, a: u8, b: u8) {
        self.push(match id {
            builtin::ADD => I::Add { d, a, b },
            builtin::SUB => I::Sub { d, a, b },
            _ => I::Mul { d, a, b },
        });
    }

    /// `(+ a b c ...)`: operands first, from left to right, then the sums.
    fn chain(&mut self, id: u32, two: [NodeId; 2], more: &[NodeId], want: Want) -> Result1<()> {
        let sum = self.fresh()?;
        let mut registers = Vec::with_capacity(more.len() + 2);
        for &operand in two.iter().chain(more) {
            registers.push(self.held_operand(operand)?);
        }
        let mut left = registers.first().copied().unwrap_or(sum);
        for &right in registers.iter().skip(1) {
            self.push_arithmetic(id, sum, left, right);
            left = sum;
        }
        self.finish(sum, want);
        Ok(())
    }

    /// Code that goes on here if a node is true; the places that jump if it is false.
    pub(super) fn branch(&mut self, id: NodeId) -> Result1<Vec<usize>> {
        let outer = std::mem::replace(&mut self.site, id);
        let (next, pending) = (self.next, self.pending.len());
        let result = self.branch_inside(id);
        self.next = next;
        self.pending.truncate(pending);
        self.site = outer;
        result
    }

    fn branch_inside(&mut self, id: NodeId) -> Result1<Vec<usize>> {
        let program = self.program.clone();
        match program.tree().node(id) {
            Node::Application { operator, operands } => {
                if let Some(jump) = self.branch_on(*operator, operands)? {
                    self.push(jump);
                    return Ok(vec![self.code.len() - 1]);
                }
            }
            Node::Expansion { body, .. } => return self.branch(*body),
            Node::Let { names, values, body } => {
                let height = self.locals.len();
                self.let_names(names, values)?;
                let places = self.branch(*body)?;
                self.unbind(height);
                return Ok(places);
            }
            Node::If { test, consequent, alternate } => {
                let to_alternate = self.branch(*test)?;
                let mut places = self.branch(*consequent)?;
                let to_end = self.code.len();
                self.push(I::Jump { by: 0 });
                self.patch_all(&to_alternate);
                places.extend(self.branch(*alternate)?);
                self.patch(to_end);
                return Ok(places);
            }
            _ => {}
        }
        let a = self.operand(id)?;
        self.push(I::JumpIfFalse { a, by: 0 });
        Ok(vec![self.code.len() - 1])
    }

    /// A comparison, or `not`, as one instruction that jumps.
    fn branch_on(&mut self, operator: NodeId, operands: &[NodeId]) -> Result1<Option<I>> {
        let Some(id) = self.primitive_of(operator) else { return Ok(None) };
        let pending = self.pending.len();
        self.pending.push(AGAIN);
        if let (builtin::NOT, [a]) = (id, operands) {
            let a = self.operand(*a)?;
            return Ok(Some(I::JumpIfTrue { a, by: 0 }));
        }
        let (Some(compare), &[a, b]) = (builtin::compare(id), operands) else {
            self.pending.truncate(pending);
            return Ok(None);
        };
        let tiny = |this: &Self, id| this.small(id).and_then(|int| i16::try_from(int).ok());
        if let Some(value) = tiny(self, b) {
            let a = self.operand(a)?;
            return Ok(Some(compare_int(compare, a, value)));
        }
        if let Some(value) = tiny(self, a) {
            self.pending.push(AGAIN);
            let b = self.operand(b)?;
            return Ok(Some(compare_int(compare.swapped(), b, value)));
        }
        let (a, b, by) = (self.held_operand(a)?, self.operand(b)?, 0);
        Ok(Some(match compare {
            Compare::Lt => I::Lt { a, b, by },
            Compare::Le => I::Le { a, b, by },
            Compare::Gt => I::Gt { a, b, by },
            Compare::Ge => I::Ge { a, b, by },
            Compare::Eq => I::Eq { a, b, by },
            Compare::Ne => I::Ne { a, b, by },
        }))
    }
}

fn compare_int(compare: Compare, a: u8, value: i16) -> I {
    let by = 0;
    match compare {
        Compare::Lt => I::LtInt { a, value, by },
        Compare::Le => I::LeInt { a, value, by },
        Compare::Gt => I::GtInt { a, value, by },
        Compare::Ge => I::GeInt { a, value, by },
        Compare::Eq => I::EqInt { a, value, by },
        Compare::Ne => I::NeInt { a, value, by },
    }
}
