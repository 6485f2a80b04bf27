//! The stepper: the machine's rules, one by one. This file is the specification; the register
//! code must do the same, faster.
//!
//! The machine is CESK. **Control** is a node that is evaluated, or one that has its value. The
//! **environment** is the running function's part of a stack of words: the values of the names in
//! scope, and those parts of nodes that have theirs already, each where the AST says ([`Linked`]).
//! The **store** is the heap with the globals. The **continuation** is the calls that wait; within
//! a function nothing is kept, for who waits for the value of a node is in the AST, too.
//!
//! 1. A step that fails leaves the control at the node to blame, and can be taken again after a
//!    collection.
//! 2. Evaluation order: operator, then operands from left to right.
//! 3. An atom has its value at once: a leaf (a literal, a name, a function), or a primitive of
//!    leaves. The value of anything else comes by steps.
//! 4. A call in the last place of a function forgets what its function holds, so it takes no space.
//! 5. A call of a function and a turn of a loop cost one unit of fuel each, and nothing else stops
//!    the machine: these, and requests, are the safepoints.

mod call;
mod control;
mod linked;

use std::num::NonZeroU8;
use std::sync::Arc;

use datom::Word;

use crate::ast::{Node, NodeId};
use crate::builtin::{self, Run};
use crate::error::{Kind, Trouble};
use crate::heap::{Heap, UNBOUND, payload};
use crate::machine::Machine;
use crate::projection::BATCH;

use self::linked::{Form, LEAVES_MAX, Then};
pub(crate) use self::linked::{Linked, batched};

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Control {
    /// A node is evaluated.
    Eval(NodeId),
    /// A node has its value, which goes to whoever waits for it.
    Value(NodeId, Word),
    /// A node has all its parts: it calls.
    Call(NodeId),
    /// A body is evaluated for another turn.
    Turn(NodeId),
    /// A node has all its operands: it asks the world.
    Ask(NodeId),
    /// A node has asked, or what it called is gone: it waits for a value.
    Await(NodeId),
    /// The form has its value.
    Done(Word),
}

/// A function that runs or waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Activation {
    /// The function: a closure, or a function without captures.
    pub(crate) function: Word,
    pub(crate) id: u32,
    pub(crate) program: u32,
    /// Where its words begin.
    pub(crate) base: u32,
    /// If it waits: the node that called.
    pub(crate) at: NodeId,
}

/// The state of the stepper.
pub(crate) struct Walk {
    pub(crate) control: Control,
    pub(crate) running: Activation,
    /// The functions that wait, outermost first.
    pub(crate) calls: Vec<Activation>,
    /// What all functions hold, one after the other.
    pub(crate) words: Vec<Word>,
}

impl Default for Walk {
    fn default() -> Self {
        let at = NodeId::default();
        let running =
            Activation { function: Word::NIL, id: u32::MAX, program: u32::MAX, base: 0, at };
        Self { control: Control::Await(at), running, calls: Vec::new(), words: Vec::new() }
    }
}

impl Control {
    /// The node that steps.
    pub(crate) fn node(self) -> Option<NodeId> {
        match self {
            Control::Eval(node)
            | Control::Value(node, _)
            | Control::Call(node)
            | Control::Turn(node)
            | Control::Ask(node)
            | Control::Await(node) => Some(node),
            Control::Done(_) => None,
        }
    }
}

/// The value of a primitive, in place where nobody can see it.
#[inline(always)]
fn apply(
    heap: &mut Heap,
    run: Run,
    update: Option<NonZeroU8>,
    args: &[Word],
) -> Result<Word, Trouble> {
    match update {
        None => run(heap, args),
        Some(id) => heap.update(u32::from(id.get()), run, args),
    }
}

/// What comes next.
type Rule = Result<Control, Trouble>;

impl Machine {
    /// Steps until something is needed from outside: fuel for a call or a turn, an answer, another
    /// form, or a look at the heap. The control tells which.
    pub(crate) fn walk(&mut self) -> Result<(), Trouble> {
        loop {
            let Some(code) = self.linked(self.walk.running.program) else {
                return Err(Trouble::new(Kind::State, "there is no code to step through"));
            };
            if self.walk_in(&code)? {
                return Ok(());
            }
        }
    }

    /// Steps in one program; false if another one goes on.
    fn walk_in(&mut self, code: &Linked) -> Result<bool, Trouble> {
        let mut control = self.walk.control;
        while self.walk.running.program == code.id {
            control = match control {
                Control::Eval(node) => self.eval(code, node)?,
                Control::Value(node, word) => self.receive(code, node, word)?,
                Control::Call(node) => match self.complete(code, node)? {
                    Control::Call(_) => return Ok(true),
                    next => next,
                },
                Control::Turn(body) if self.fuel > 0 => {
                    self.fuel -= 1;
                    Control::Eval(body)
                }
                Control::Turn(_) | Control::Ask(_) | Control::Await(_) | Control::Done(_) => {
                    return Ok(true);
                }
            };
            self.walk.control = control;
            if self.heap.is_pressed() {
                if self.heap.is_full() {
                    self.settle()?;
                }
                // Large operations cost fuel: whoever runs the stepper counts them.
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A node is evaluated: an atom gives its value, anything else begins with its first part.
    #[inline(always)]
    fn eval(&mut self, code: &Linked, node: NodeId) -> Rule {
        match code.spot(node).form {
            Form::If { test, yes, no } => Ok(match self.atom(code, test)? {
                Some(word) => Control::Eval(if word.is_truthy() { yes } else { no }),
                None => Control::Eval(test),
            }),
            Form::Do { first } => Ok(Control::Eval(code.part(first))),
            Form::Definition { value: part } | Form::Expansion { body: part } => {
                Ok(Control::Eval(part))
            }
            _ => match self.atom(code, node)? {
                Some(word) => Ok(Control::Value(node, word)),
                None => self.proceed(code, node, 0),
            },
        }
    }

    /// The value of an atom.
    #[inline(always)]
    fn atom(&mut self, code: &Linked, node: NodeId) -> Result<Option<Word>, Trouble> {
        let Form::Primitive { run, first, n, of_leaves: true, update } = code.spot(node).form
        else {
            return self.leaf(code, node);
        };
        if self.heap.is_pressed() {
            // Between two operations somebody looks at the heap.
            return Ok(None);
        }
        let mut args = [Word::NIL; LEAVES_MAX];
        let operands = code.parts(first + 1, first + u32::from(n));
        for (slot, &operand) in args.iter_mut().zip(operands) {
            *slot = match self.leaf(code, operand) {
                Ok(word) => word.unwrap_or(Word::NIL),
                // By steps it fails again, where all can see.
                Err(_) => return Ok(None),
            };
        }
        match apply(&mut self.heap, run, update, args.get(..operands.len()).unwrap_or(&[])) {
            Ok(word) => Ok(Some(word)),
            Err(trouble) => self.blame(Control::Eval(node), trouble),
        }
    }

    /// The value of a leaf.
    #[inline(always)]
    fn leaf(&mut self, code: &Linked, node: NodeId) -> Result<Option<Word>, Trouble> {
        let word = match code.spot(node).form {
            Form::Word(word) => Ok(word),
            Form::Global(id) => match self.projection.values.get(id as usize) {
                Some(&word) if word != UNBOUND => Ok(word),
                _ => Err(Trouble::Unbound(id)),
            },
            form @ (Form::Local(_) | Form::Lent(_) | Form::Captured(_) | Form::Own) => {
                Ok(self.bound(form))
            }
            Form::Literal => match code.program.tree().node(node) {
                Node::Literal(value) => self.heap.word(value),
                _ => Ok(Word::NIL),
            },
            Form::Closure(at) => self.close(code, at),
            _ => return Ok(None),
        };
        match word {
            Ok(word) => Ok(Some(word)),
            Err(trouble) => self.blame(Control::Eval(node), trouble),
        }
    }

    /// The value of a name that is bound in the running function.
    #[inline(always)]
    fn bound(&mut self, form: Form) -> Word {
        let Activation { function, base, .. } = self.walk.running;
        match form {
            Form::Local(at) => {
                let word = self.held(base as usize + usize::from(at));
                // From now on two hold it.
                self.heap.disown(word);
                word
            }
            Form::Lent(at) => self.held(base as usize + usize::from(at)),
            Form::Captured(at) => self.heap.captured(function, usize::from(at)),
            Form::Own => function,
            _ => Word::NIL,
        }
    }

    #[inline(always)]
    fn held(&self, at: usize) -> Word {
        self.walk.words.get(at).copied().unwrap_or(Word::NIL)
    }

    /// A function, with the values of the names it uses from outside.
    fn close(&mut self, code: &Linked, at: u32) -> Result<Word, Trouble> {
        let Some((function, captures)) = code.closure(at) else { return Ok(Word::NIL) };
        let from = self.walk.words.len();
        for &form in captures {
            let word = self.bound(form);
            self.walk.words.push(word);
        }
        let closure = self.heap.closure(*function, self.walk.words.get(from..).unwrap_or(&[]));
        self.walk.words.truncate(from);
        closure
    }

    /// A step fails at another place than it began.
    #[cold]
    fn blame<T>(&mut self, at: Control, trouble: Trouble) -> Result<T, Trouble> {
        self.walk.control = at;
        Err(trouble)
    }

    /// The n-th part of a node and those behind it are evaluated, as far as they are atoms; then
    /// the node has all its parts.
    #[inline(always)]
    fn proceed(&mut self, code: &Linked, node: NodeId, n: u16) -> Rule {
        let (first, end, is_long) = match code.spot(node).form {
            Form::Primitive { first, n, .. } => (first, u16::from(n), false),
            Form::Parts { first, n, then } => (first, n, then == Then::Collect),
            _ => return Err(Trouble::new(Kind::State, "a leaf waits for nothing")),
        };
        for at in n..end {
            let part = code.part(first + u32::from(at));
            let Some(word) = self.atom(code, part)? else { return Ok(Control::Eval(part)) };
            self.walk.words.push(word);
            if is_long {
                self.batch(code, node, part)?;
            }
        }
        self.complete(code, node)
    }

    /// A node has all its parts.
    #[inline(always)]
    fn complete(&mut self, code: &Linked, node: NodeId) -> Rule {
        let at = self.first_part(code, node);
        match code.spot(node).form {
            Form::Primitive { run, update, .. } => {
                let args = self.walk.words.get(at + 1..).unwrap_or(&[]);
                match apply(&mut self.heap, run, update, args) {
                    Ok(word) => Ok(Control::Value(node, word)),
                    Err(trouble) => self.blame(Control::Call(node), trouble),
                }
            }
            Form::Parts { first, n, then } => {
                let behind = code.part(first + u32::from(n));
                match then {
                    Then::Call { last } => self.call_parts(code, node, last),
                    Then::Collect => self.add_rest(node, at),
                    Then::Bind => Ok(Control::Eval(behind)),
                    Then::Immediate => {
                        self.walk.words.remove(at);
                        Ok(Control::Eval(behind))
                    }
                    Then::Recur => Ok(self.turn(code, behind, usize::from(n))),
                    Then::Perform => Ok(Control::Ask(node)),
                }
            }
            _ => Err(Trouble::new(Kind::State, "a node without parts calls nothing")),
        }
    }

    /// `recur`: the names get their new values, and what is in scope inside of the body is
    /// forgotten.
    fn turn(&mut self, code: &Linked, body: NodeId, n: usize) -> Control {
        let end = self.first_part(code, body);
        let words = &mut self.walk.words;
        let from = words.len() - n;
        words.copy_within(from.., end - n);
        words.truncate(end);
        Control::Turn(body)
    }

    /// Whoever waits for a node gets its value: a node in the same function, or the caller.
    #[inline(always)]
    fn receive(&mut self, code: &Linked, node: NodeId, word: Word) -> Rule {
        let spot = code.spot(node);
        let Some(to) = spot.receiver() else { return Ok(self.leave(word)) };
        self.walk.words.truncate(self.walk.running.base as usize + usize::from(spot.place));
        match code.spot(to).form {
            Form::If { yes, no, .. } => Ok(Control::Eval(if word.is_truthy() { yes } else { no })),
            Form::Do { first } => Ok(Control::Eval(code.part(first + u32::from(spot.part) + 1))),
            Form::Definition { .. } => {
                self.define_global(code, to, word);
                Ok(Control::Value(to, word))
            }
            form => {
                self.walk.words.push(word);
                if matches!(form, Form::Parts { then: Then::Collect, .. }) {
                    self.batch(code, to, node)?;
                }
                self.proceed(code, to, spot.part + 1)
            }
        }
    }

    /// A function has its value: its caller goes on.
    #[inline(always)]
    fn leave(&mut self, word: Word) -> Control {
        match self.walk.calls.pop() {
            None => Control::Done(word),
            Some(caller) => {
                self.walk.running = caller;
                Control::Value(caller.at, word)
            }
        }
    }

    fn define_global(&mut self, code: &Linked, node: NodeId, word: Word) {
        let Node::Definition { name, .. } = code.program.tree().node(node) else { return };
        let id = self.projection.global(name);
        if let Some(cell) = self.projection.values.get_mut(id as usize) {
            *cell = word;
        }
    }

    /// The makers of collections take long operand lists in batches: the first makes, the others
    /// add, so a literal of any length holds few operands.
    fn batch(&mut self, code: &Linked, node: NodeId, part: NodeId) -> Result<(), Trouble> {
        let at = self.first_part(code, node);
        let n = usize::from(code.spot(part).part);
        if n == 0 || !n.is_multiple_of(BATCH) || code.is_last(node, n) {
            return Ok(());
        }
        let make = payload(self.held(at)) as u32;
        let id = if n == BATCH { Some(make) } else { builtin::adder(make) };
        let args = self.walk.words.get(at + 1..).unwrap_or(&[]);
        match builtin::run(&mut self.heap, id.unwrap_or(make), args) {
            Ok(whole) => {
                self.walk.words.truncate(at + 1);
                self.walk.words.push(whole);
                Ok(())
            }
            Err(trouble) => {
                let word = self.walk.words.pop().unwrap_or(Word::NIL);
                self.blame(Control::Value(part, word), trouble)
            }
        }
    }

    /// The last batch.
    fn add_rest(&mut self, node: NodeId, at: usize) -> Rule {
        let make = payload(self.held(at)) as u32;
        let args = self.walk.words.get(at + 1..).unwrap_or(&[]);
        match builtin::run(&mut self.heap, builtin::adder(make).unwrap_or(make), args) {
            Ok(word) => Ok(Control::Value(node, word)),
            Err(trouble) => self.blame(Control::Call(node), trouble),
        }
    }

    /// A program as the stepper reads it.
    fn linked(&mut self, id: u32) -> Option<Arc<Linked>> {
        if let Some(linked) = self.projection.linked(id) {
            return Some(linked.clone());
        }
        let code = self.code(id)?;
        let linked = Arc::new(Linked::of(&code, &mut self.projection, &mut self.heap));
        self.projection.link(id, &linked);
        Some(linked)
    }
}
