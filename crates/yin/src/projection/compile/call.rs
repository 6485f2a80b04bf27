//! Calls.

use datom::{Symbol, Value};

use super::super::free;
use super::{AGAIN, Compiler, I, Meaning, Result1, Want};
use crate::ast::{Node, NodeId};
use crate::builtin;
use crate::heap::UNBOUND;

impl Compiler<'_> {
    pub(super) fn application(
        &mut self,
        operator: NodeId,
        operands: &[NodeId],
        want: Want,
    ) -> Result1<()> {
        let program = self.program.clone();
        let built_in = self.pending.len();
        self.pending.push(AGAIN);
        match program.tree().node(operator) {
            Node::Literal(Value::Keyword(_)) if matches!(operands.len(), 1 | 2) => {
                return self.keyword_call(operator, operands, want);
            }
            Node::Lambda { own: None, params, rest: None, body }
                if params.len() == operands.len() =>
            {
                return self.immediate(params, operands, *body, want);
            }
            _ => {}
        }
        match self.primitive_of(operator) {
            Some(primitive) => self.primitive(primitive, operands, want),
            None => {
                self.pending.truncate(built_in);
                self.call(operator, operands, want)
            }
        }
    }

    /// `((fn [x y] body) a b)`: no function is made, for nobody could see it.
    fn immediate(
        &mut self,
        params: &[Symbol],
        operands: &[NodeId],
        body: NodeId,
        want: Want,
    ) -> Result1<()> {
        let (height, pending) = (self.locals.len(), self.pending.len() - 1);
        let mut registers = Vec::with_capacity(params.len());
        for &operand in operands {
            registers.push(self.next_operand(operand)?);
        }
        self.pending.truncate(pending);
        for (name, &register) in params.iter().zip(&registers) {
            self.bind(name, register);
        }
        self.turning(params, registers, body, want)?;
        self.unbind(height);
        Ok(())
    }

    /// `(:key map default)` is `(get map :key default)`.
    fn keyword_call(&mut self, keyword: NodeId, operands: &[NodeId], want: Want) -> Result1<()> {
        let at = self.next;
        for (index, &operand) in operands.iter().enumerate() {
            let register = self.fresh()?;
            match index {
                0 => self.lend(operand, register)?,
                _ => self.emit(operand, Want::Fresh(register))?,
            }
            self.pending.push(register);
            if index == 0 {
                let register = self.fresh()?;
                self.emit(keyword, Want::Fresh(register))?;
            }
        }
        self.push(I::Primitive { at, n: operands.len() as u8 + 1, id: builtin::GET });
        self.finish(at, want);
        Ok(())
    }

    fn call(&mut self, operator: NodeId, operands: &[NodeId], want: Want) -> Result1<()> {
        if want == Want::Return && self.is_traced(operator) {
            let register = self.fresh()?;
            self.call(operator, operands, Want::Fresh(register))?;
            self.push(I::Return { a: register });
            return Ok(());
        }
        let at = match want {
            Want::Fresh(d) if d + 1 == self.next => d,
            _ => self.fresh()?,
        };
        let global = self.global_of(operator, operands);
        if global.is_none() {
            self.emit(operator, Want::Fresh(at))?;
        }
        self.pending.push(if global.is_some() { AGAIN } else { at });
        for &operand in operands {
            self.next_operand(operand)?;
        }
        let n = operands.len() as u8;
        let call = match (global, want) {
            (Some(id), Want::Return) => I::TailCallGlobal { at, n, id },
            (None, Want::Return) => I::TailCall { at, n },
            (Some(id), _) => I::CallGlobal { at, n, id },
            (None, _) => I::Call { at, n },
        };
        self.push_call(call, at, operands.len() + 1);
        if want != Want::Return {
            self.finish(at, want);
        }
        Ok(())
    }

    /// Whether a call stays in the trace even where it comes last: a fault inside one of the
    /// language's own functions is to be blamed on the place that called it.
    fn is_traced(&self, operator: NodeId) -> bool {
        let Node::Variable(name) = self.tree().node(operator) else { return false };
        self.local(name).is_none() && self.projection.is_traced(self.program_id, name)
    }

    /// The global that a call may read after its operands: it is bound, so reading it first could
    /// not fail, and no operand can change it.
    fn global_of(&mut self, operator: NodeId, operands: &[NodeId]) -> Option<u32> {
        let program = self.program.clone();
        let Node::Variable(name) = program.tree().node(operator) else { return None };
        let Meaning::Global(id) = self.meaning(name) else { return None };
        let is_pure = |name: &Symbol| matches!(self.builtin(name), Some(Meaning::Primitive(_)));
        let is_bound = self.projection.values.get(id as usize).is_some_and(|word| *word != UNBOUND);
        let quiet = operands.iter().all(|&operand| free::is_quiet(self.tree(), operand, &is_pure));
        (is_bound && quiet).then_some(id)
    }
}
