//! One function: nodes to instructions.
//!
//! 1. A destination that is no fresh register is written by the last step of an expression
//!    only, so `recur` may compute a new value in the place of the old one.
//! 2. Registers are taken and given back like a stack; what is called and its arguments are
//!    always the topmost ones.

mod call;
mod operation;
mod update;

pub(crate) use operation::BATCH;

use std::sync::Arc;

use datom::{Symbol, Value};

pub(crate) use update::UPDATE_ARGS_MAX;

use super::free;
use super::instruction::Instruction as I;
use super::point::{AGAIN, Point, Points, Stand};
use super::shared::Edit;
use super::{Function, Projection, Site};
use crate::ast::{Node, NodeId, Tree};
use crate::error::Trouble;
use crate::heap::{FUNCTION, Heap, PRIMITIVE, payload, sort};
use crate::program::Program;

/// The registers of a function are below this, so counting them cannot overflow.
const REGISTERS_MAX: u8 = u8::MAX - 1;

/// Why a function could not be compiled.
#[derive(Debug)]
pub(crate) enum Unfit {
    Trouble(Trouble),
    /// It needs too many registers or instructions.
    TooLarge,
}

impl From<Trouble> for Unfit {
    fn from(trouble: Trouble) -> Self {
        Unfit::Trouble(trouble)
    }
}

type Result1<T> = Result<T, Unfit>;

/// Where a value is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// In a register that holds nothing yet.
    Fresh(u8),
    /// In a register that may be read until the last step.
    Into(u8),
    /// As the result of the function.
    Return,
}

/// What a name means at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Register(u8),
    Captured(u8),
    Primitive(u32),
    Function(u32),
    Global(u32),
}

#[derive(Clone)]
struct LoopTarget {
    start: usize,
    registers: Vec<u8>,
}

impl Projection {
    /// Compiles a function that has no code yet. On failure nothing has changed but names and constants.
    pub(crate) fn compile(&mut self, id: u32, heap: &mut Heap) -> Result<(), Unfit> {
        if self.has_code(id) {
            return Ok(());
        }
        self.edit(|this| match this.has_code(id) {
            true => Ok(()),
            false => this.compile_alone(id, heap),
        })
    }

    fn has_code(&self, id: u32) -> bool {
        self.entries.get(id as usize).is_some_and(|entry| entry.pc != 0)
    }

    fn compile_alone(&mut self, id: u32, heap: &mut Heap) -> Result<(), Unfit> {
        let Some(function) = self.function(id).cloned() else { return Ok(()) };
        let Some(program) = self.program(function.program).cloned() else { return Ok(()) };
        let mut compiler = Compiler::new(self, heap, program, &function);
        compiler.function(&function)?;
        let Compiler { code, sites, top, points, .. } = compiler;
        let base = self.code.len() as u32;
        self.code.extend(code);
        self.sites.extend(sites);
        self.starts.push((base, id));
        self.points.append(&points, base);
        self.note(Edit::Compiled { function: id, pc: base, registers: u16::from(top) + 1 });
        Ok(())
    }
}

struct Compiler<'p> {
    projection: &'p mut Projection,
    heap: &'p mut Heap,
    program: Arc<Program>,
    program_id: u32,
    own: Option<Symbol>,
    captures: Vec<Symbol>,
    code: Vec<I>,
    sites: Vec<Site>,
    site: NodeId,
    /// Names in scope, innermost last.
    locals: Vec<(Symbol, u8)>,
    points: Points,
    /// Where the operands are that waiting nodes have evaluated, outermost node first.
    pending: Vec<u8>,
    /// The next free register.
    next: u8,
    /// The highest register that was ever taken.
    top: u8,
    target: Option<LoopTarget>,
    /// Registers whose collections may be updated in place.
    owned: Vec<u8>,
}

impl<'p> Compiler<'p> {
    fn new(
        projection: &'p mut Projection,
        heap: &'p mut Heap,
        program: Arc<Program>,
        function: &Function,
    ) -> Self {
        Self {
            projection,
            heap,
            program,
            program_id: function.program,
            own: function.own.clone(),
            captures: function.captures.clone(),
            code: Vec::new(),
            sites: Vec::new(),
            site: function.node,
            locals: Vec::new(),
            points: Points::default(),
            pending: Vec::new(),
            next: 1,
            top: 0,
            target: None,
            owned: Vec::new(),
        }
    }

    fn function(&mut self, function: &Function) -> Result1<()> {
        let mut registers = Vec::new();
        for name in function.params.iter().chain(&function.rest) {
            let register = self.fresh()?;
            self.bind(name, register);
            registers.push(register);
        }
        let names: Vec<_> = function.params.iter().chain(&function.rest).cloned().collect();
        self.own(&names, &registers, function.body);
        self.target = Some(LoopTarget { start: 0, registers });
        self.stand(function.body, Stand::Enter, 0, 0);
        if function.is_form {
            let register = self.fresh()?;
            self.emit(function.body, Want::Fresh(register))?;
            self.finish(register, Want::Return);
        } else {
            self.emit(function.body, Want::Return)?;
        }
        self.unbind(0);
        Ok(())
    }

    fn tree(&self) -> &Tree {
        self.program.tree()
    }

    /// Notes that code can stand still here, at a node.
    fn stand(&mut self, node: NodeId, stand: Stand, at: u8, own: u8) {
        let locals: Vec<u8> = self.locals.iter().map(|&(_, register)| register).collect();
        let point = Point::new(self.code.len(), node, stand, at, own);
        self.points.push(point, &locals, &self.pending);
    }

    /// An instruction that calls, or parks, with so many operands of its node, operator included.
    fn push_call(&mut self, instruction: I, at: u8, own: usize) {
        self.stand(self.site, Stand::Call, at, own as u8);
        self.push(instruction);
    }

    fn push(&mut self, instruction: I) {
        self.code.push(instruction);
        self.sites.push(Site { program: self.program_id, node: self.site });
    }

    fn fresh(&mut self) -> Result1<u8> {
        let register = self.next;
        if register >= REGISTERS_MAX {
            return Err(Unfit::TooLarge);
        }
        self.next += 1;
        self.top = self.top.max(register);
        Ok(register)
    }

    fn bind(&mut self, name: &Symbol, register: u8) {
        self.locals.push((name.clone(), register));
    }

    /// Forgets all names beyond the first so many.
    fn unbind(&mut self, height: usize) {
        self.locals.truncate(height);
    }

    /// Jumps to here from an instruction that was pushed before.
    fn patch(&mut self, at: usize) {
        let by = (self.code.len() as i64 - at as i64 - 1) as i32;
        if let Some(instruction) = self.code.get_mut(at) {
            instruction.set_jump(by);
        }
    }

    fn patch_all(&mut self, places: &[usize]) {
        places.iter().for_each(|&at| self.patch(at));
    }

    fn local(&self, name: &Symbol) -> Option<Meaning> {
        if let Some((_, register)) = self.locals.iter().rev().find(|(bound, _)| bound == name) {
            return Some(Meaning::Register(*register));
        }
        if self.own.as_ref() == Some(name) {
            return Some(Meaning::Register(0));
        }
        let index = self.captures.iter().position(|captured| captured == name)?;
        Some(Meaning::Captured(index as u8))
    }

    fn meaning(&mut self, name: &Symbol) -> Meaning {
        match self.local(name).or_else(|| self.builtin(name)) {
            Some(meaning) => meaning,
            None => Meaning::Global(self.projection.global(name)),
        }
    }

    /// The built-in meaning of a name that is neither bound here nor defined by a program.
    fn builtin(&self, name: &Symbol) -> Option<Meaning> {
        if self.local(name).is_some() {
            return None;
        }
        let word = self.projection.built_in(self.program_id, name)?;
        match sort(word) {
            PRIMITIVE => Some(Meaning::Primitive(payload(word) as u32)),
            FUNCTION => Some(Meaning::Function(payload(word) as u32)),
            _ => None,
        }
    }

    fn primitive_of(&self, operator: NodeId) -> Option<u32> {
        let Node::Variable(name) = self.tree().node(operator) else { return None };
        match self.builtin(name)? {
            Meaning::Primitive(id) => Some(id),
            _ => None,
        }
    }

    /// A value where it is wanted.
    fn emit(&mut self, id: NodeId, want: Want) -> Result1<()> {
        let outer = std::mem::replace(&mut self.site, id);
        let (next, pending) = (self.next, self.pending.len());
        let result = self.emit_inside(id, want);
        self.next = next;
        self.pending.truncate(pending);
        self.site = outer;
        result
    }

    fn emit_inside(&mut self, id: NodeId, want: Want) -> Result1<()> {
        let program = self.program.clone();
        match program.tree().node(id) {
            Node::Literal(value) => self.literal(value, want),
            Node::Variable(name) => self.variable(name, want),
            Node::Lambda { .. } => self.lambda(id, None, want),
            Node::Application { operator, operands } => self.application(*operator, operands, want),
            Node::If { test, consequent, alternate } => {
                let to_alternate = self.branch(*test)?;
                self.emit(*consequent, want)?;
                if want == Want::Return {
                    self.patch_all(&to_alternate);
                    return self.emit(*alternate, want);
                }
                let to_end = self.code.len();
                self.push(I::Jump { by: 0 });
                self.patch_all(&to_alternate);
                self.emit(*alternate, want)?;
                self.patch(to_end);
                Ok(())
            }
            Node::Let { names, values, body } => {
                let height = self.locals.len();
                self.let_names(names, values)?;
                self.emit(*body, want)?;
                self.unbind(height);
                Ok(())
            }
            Node::Loop { names, values, body } => {
                let height = self.locals.len();
                let mut registers = Vec::with_capacity(names.len());
                for (name, value) in names.iter().zip(values) {
                    let register = self.fresh()?;
                    self.emit(*value, Want::Fresh(register))?;
                    self.bind(name, register);
                    registers.push(register);
                }
                self.turning(names, registers, *body, want)?;
                self.unbind(height);
                Ok(())
            }
            Node::Recur { operands } => self.recur(operands),
            Node::Do { operands } => match operands.split_last() {
                Some((last, before)) => {
                    for &operand in before {
                        let next = self.next;
                        self.operand(operand)?;
                        self.next = next;
                    }
                    self.emit(*last, want)
                }
                None => self.literal(&Value::Nil, want),
            },
            Node::Definition { name, value } => self.definition(name, *value, want),
            Node::Expansion { body, .. } => self.emit(*body, want),
            Node::Perform { operands, .. } => {
                let at = self.next;
                for &operand in operands {
                    self.next_operand(operand)?;
                }
                if operands.is_empty() {
                    self.fresh()?;
                }
                self.push_call(I::Perform { at, n: operands.len() as u8 }, at, operands.len());
                self.finish(at, want);
                Ok(())
            }
        }
    }

    /// A body that `recur` goes back to.
    fn turning(
        &mut self,
        names: &[Symbol],
        registers: Vec<u8>,
        body: NodeId,
        want: Want,
    ) -> Result1<()> {
        let start = self.code.len();
        let owned = self.owned.len();
        self.own(names, &registers, body);
        self.stand(body, Stand::Enter, 0, 0);
        let outer = self.target.replace(LoopTarget { start, registers });
        self.emit(body, want)?;
        self.target = outer;
        self.owned.truncate(owned);
        Ok(())
    }

    /// What is in a register goes where it is wanted.
    fn finish(&mut self, a: u8, want: Want) {
        match want {
            Want::Return => self.push(I::Return { a }),
            Want::Fresh(d) | Want::Into(d) if d != a => self.push(I::Move { d, a }),
            _ => {}
        }
    }

    /// The register an instruction should write for what is wanted.
    fn destination(&mut self, want: Want) -> Result1<u8> {
        match want {
            Want::Fresh(d) | Want::Into(d) => Ok(d),
            Want::Return => self.fresh(),
        }
    }

    /// The register that holds a value: that of its name if it has one, else a fresh one.
    fn operand(&mut self, id: NodeId) -> Result1<u8> {
        if let Node::Variable(name) = self.tree().node(id)
            && let Some(Meaning::Register(register)) = self.local(name)
        {
            self.share(register);
            return Ok(register);
        }
        let register = self.fresh()?;
        self.emit(id, Want::Fresh(register))?;
        Ok(register)
    }

    /// The same for an operand whose node waits for more.
    fn held_operand(&mut self, id: NodeId) -> Result1<u8> {
        let register = self.operand(id)?;
        self.pending.push(register);
        Ok(register)
    }

    /// An operand in the next register, of a node that waits for more.
    fn next_operand(&mut self, id: NodeId) -> Result1<u8> {
        let register = self.fresh()?;
        self.emit(id, Want::Fresh(register))?;
        self.pending.push(register);
        Ok(register)
    }

    fn literal(&mut self, value: &Value, want: Want) -> Result1<()> {
        if let (Value::Int(int), Want::Return) = (value, want)
            && let Ok(value) = i32::try_from(*int)
        {
            self.push(I::ReturnInt { value });
            return Ok(());
        }
        let d = self.destination(want)?;
        match value {
            Value::Nil => self.push(I::Nil { d }),
            Value::Bool(value) => self.push(I::Bool { d, value: *value }),
            Value::Int(int) if i32::try_from(*int).is_ok() => {
                self.push(I::Int { d, value: *int as i32 });
            }
            _ => match self.heap.inline(value)? {
                Some(word) => {
                    let id = self.projection.constants.len() as u32;
                    self.projection.constants.push(word);
                    self.push(I::Constant { d, id });
                }
                None => {
                    let id = self.projection.literals.len() as u32;
                    self.projection.literals.push(value.clone());
                    self.push(I::Literal { d, id });
                }
            },
        }
        self.finish(d, want);
        Ok(())
    }

    fn variable(&mut self, name: &Symbol, want: Want) -> Result1<()> {
        let meaning = self.meaning(name);
        if let Meaning::Register(register) = meaning {
            self.share(register);
            self.finish(register, want);
            return Ok(());
        }
        let d = self.destination(want)?;
        self.push(match meaning {
            Meaning::Register(a) => I::Move { d, a },
            Meaning::Captured(index) => I::Captured { d, index },
            Meaning::Primitive(id) => I::Builtin { d, place: PRIMITIVE as u8, id },
            Meaning::Function(id) => I::Builtin { d, place: FUNCTION as u8, id },
            Meaning::Global(id) => I::Global { d, id },
        });
        self.finish(d, want);
        Ok(())
    }

    fn lambda(&mut self, id: NodeId, hint: Option<&Symbol>, want: Want) -> Result1<()> {
        let mut captures = free::names(self.tree(), id);
        captures.retain(|name| self.local(name).is_some());
        let site = Site { program: self.program_id, node: id };
        let function =
            self.projection.lambda(site, captures.clone(), hint).ok_or(Unfit::TooLarge)?;
        let d = self.destination(want)?;
        if captures.is_empty() {
            self.push(I::Builtin { d, place: FUNCTION as u8, id: function });
        } else {
            let first = self.next;
            for name in &captures {
                let register = self.fresh()?;
                self.variable(name, Want::Fresh(register))?;
            }
            self.push(I::Closure { d, first, n: captures.len() as u8 });
            self.push(I::Operand { id: function });
        }
        self.finish(d, want);
        Ok(())
    }

    fn definition(&mut self, name: &Symbol, value: NodeId, want: Want) -> Result1<()> {
        let a = match self.tree().node(value) {
            Node::Lambda { .. } => {
                let register = self.fresh()?;
                self.lambda(value, Some(name), Want::Fresh(register))?;
                register
            }
            _ => self.operand(value)?,
        };
        let id = self.projection.global(name);
        self.push(I::Define { a, id });
        self.finish(a, want);
        Ok(())
    }

    /// Names for values, one after the other. A name for a name costs nothing.
    fn let_names(&mut self, names: &[Symbol], values: &[NodeId]) -> Result1<()> {
        for (name, &value) in names.iter().zip(values) {
            let register = match self.tree().node(value) {
                Node::Lambda { .. } => {
                    let register = self.fresh()?;
                    self.site = value;
                    self.lambda(value, Some(name), Want::Fresh(register))?;
                    self.next = register + 1;
                    register
                }
                _ => self.operand(value)?,
            };
            self.bind(name, register);
        }
        Ok(())
    }

    fn recur(&mut self, operands: &[NodeId]) -> Result1<()> {
        let Some(target) = self.target.clone() else { return Err(Unfit::TooLarge) };
        let mut moves = Vec::new();
        for (at, (&operand, &register)) in operands.iter().zip(&target.registers).enumerate() {
            let later = operands.get(at + 1..).unwrap_or(&[]);
            let is_read_later = later.iter().any(|&other| {
                let reads = |name: &Symbol| self.local(name) == Some(Meaning::Register(register));
                free::uses(self.tree(), other, &reads)
            });
            if is_read_later {
                // A copy, for the register of a name may itself be a target.
                let fresh = self.fresh()?;
                self.emit(operand, Want::Fresh(fresh))?;
                moves.push((register, fresh));
                self.pending.push(fresh);
            } else {
                if !self.update(operand, register)? {
                    self.emit(operand, Want::Into(register))?;
                }
                self.pending.push(register);
            }
        }
        let last = moves.pop();
        for (d, a) in moves {
            self.push(I::Move { d, a });
        }
        let by = (target.start as i64 - self.code.len() as i64 - 1) as i32;
        self.push(match last {
            Some((d, a)) => I::MoveLoop { d, a, by },
            None => I::Loop { by },
        });
        Ok(())
    }
}
