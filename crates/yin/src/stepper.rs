//! The stepper: the machine's rules, one by one. This file is the specification; the register
//! code must do the same, faster.
//!
//! The machine is CESK. **Control** says what is done next: a node is evaluated, or a value goes
//! to whoever waits for it. The **environment** is the running function with the values of the
//! names in scope, which are numbered, not named ([`Places`]). The **store** is the heap with the
//! globals. The **continuation** is a stack of [`Wait`]s: nodes that wait for a part of theirs,
//! and functions that wait for a call.
//!
//! 1. A step either changes control and continuation, or fails and has changed nothing, so it can
//!    be taken again after a collection.
//! 2. Evaluation order: operator, then operands from left to right.
//! 3. A call in the last place of a function forgets what its function holds, so it takes no space.
//! 4. A call of a function and a turn of a loop cost one unit of fuel each, and nothing else stops
//!    the machine: these, and requests, are the safepoints.

mod call;
mod control;
mod waiting;

use std::sync::Arc;

use datom::{Symbol, Word};

use crate::ast::{Node, NodeId, Tree};
use crate::builtin;
use crate::error::{Kind, Trouble};
use crate::heap::UNBOUND;
use crate::machine::Machine;
use crate::program::{Meaning, Places, Program, immediate};
use crate::projection::{BATCH, Free, Projection, Site};

pub(crate) use self::waiting::{CALLED, Step};

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Control {
    /// A node is evaluated.
    Eval(NodeId),
    /// A value goes to whoever waits.
    Value(Word),
    /// The innermost waiting node goes on with its next part.
    Next,
    /// The innermost waiting node has all its operands: it calls.
    Apply,
    /// A body is evaluated for another turn.
    Turn(NodeId),
    /// The innermost waiting node has asked the world.
    Await,
}

/// What the control is about to need from outside.
pub(crate) enum Need {
    Done,
    Fuel,
    Request(NodeId),
}

/// A function that runs or waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Activation {
    /// The function: a closure, or a function without captures.
    pub(crate) function: Word,
    pub(crate) id: u32,
    pub(crate) program: u32,
    /// Where its names begin.
    pub(crate) locals: u32,
}

/// One link of the continuation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wait {
    Step(Step),
    /// A function that goes on when the one above returns.
    Function(Activation),
}

/// The state of the stepper.
#[derive(Clone)]
pub(crate) struct Walk {
    pub(crate) control: Control,
    pub(crate) running: Activation,
    pub(crate) waits: Vec<Wait>,
    /// The values of names in scope, of all waiting functions.
    pub(crate) locals: Vec<Word>,
    /// Evaluated operands of all waiting nodes.
    pub(crate) done: Vec<Word>,
    /// How many functions wait.
    pub(crate) depth: usize,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            control: Control::Value(Word::NIL),
            running: Activation { function: Word::NIL, id: u32::MAX, program: u32::MAX, locals: 0 },
            waits: Vec::new(),
            locals: Vec::new(),
            done: Vec::new(),
            depth: 0,
        }
    }
}

impl Walk {
    /// The innermost waiting node goes on.
    pub(crate) fn set_top(&mut self, step: Step) {
        if let Some(last) = self.waits.last_mut() {
            *last = Wait::Step(step);
        }
    }

    /// The node that steps now.
    pub(crate) fn place(&self) -> u32 {
        match (self.control, self.waits.last()) {
            (Control::Eval(node) | Control::Turn(node), _) => node.index() as u32,
            (_, Some(Wait::Step(step))) => step.node().index() as u32,
            _ => 0,
        }
    }
}

/// The program that runs, with its places.
#[derive(Clone)]
pub(crate) struct Code {
    pub(crate) id: u32,
    pub(crate) program: Arc<Program>,
    pub(crate) places: Arc<Places>,
}

type Rule = Result<Option<Need>, Trouble>;
/// Control was changed; on to the next step.
const ON: Rule = Ok(None);

impl Machine {
    /// Steps until something else is needed or the heap is full.
    pub(crate) fn walk(&mut self) -> Rule {
        loop {
            if self.walk.waits.is_empty() {
                return Ok(Some(Need::Done));
            }
            let Some(code) = self.code(self.walk.running.program) else {
                return Err(Trouble::new(Kind::State, "there is no code to step through"));
            };
            while self.walk.running.program == code.id {
                if let Some(need) = self.step(&code)? {
                    return Ok(Some(need));
                }
                if self.heap.is_full() {
                    self.collect()?;
                }
                if self.heap.is_pressed() {
                    // Large operations cost fuel: whoever runs the stepper counts them.
                    return ON;
                }
            }
        }
    }

    /// One step.
    fn step(&mut self, code: &Code) -> Rule {
        match self.walk.control {
            Control::Eval(node) => self.eval(code, node),
            Control::Value(word) => match self.walk.waits.last().copied() {
                None => Err(Trouble::new(Kind::State, "nobody waits")),
                Some(Wait::Function(caller)) => self.leave(caller),
                Some(Wait::Step(step)) => self.receive(code, step, word),
            },
            Control::Next => match self.walk.waits.last().copied() {
                Some(Wait::Step(step)) => self.proceed(code, step),
                _ => Err(Trouble::new(Kind::State, "nothing waits for its next part")),
            },
            Control::Apply => self.apply_step(code),
            Control::Turn(body) => {
                if self.fuel == 0 {
                    return Ok(Some(Need::Fuel));
                }
                self.fuel -= 1;
                self.go(Control::Eval(body))
            }
            Control::Await => Err(Trouble::new(Kind::State, "the program waits for an answer")),
        }
    }

    fn go(&mut self, control: Control) -> Rule {
        self.walk.control = control;
        ON
    }

    /// A node is evaluated: a leaf gives its value, everything else waits for its first part.
    fn eval(&mut self, code: &Code, node: NodeId) -> Rule {
        if let Node::Expansion { body, .. } = code.tree().node(node) {
            return self.go(Control::Eval(*body));
        }
        if let Some(word) = self.leaf(code, node)? {
            return self.go(Control::Value(word));
        }
        let (done, height) = (self.walk.done.len(), self.walk.locals.len());
        self.walk.waits.push(Wait::Step(Step::new(node, 0, done, height)));
        self.go(Control::Next)
    }

    /// The value of a node without parts.
    pub(crate) fn leaf(&mut self, code: &Code, node: NodeId) -> Result<Option<Word>, Trouble> {
        Ok(Some(match code.tree().node(node) {
            Node::Literal(value) => self.heap.word(value)?,
            Node::Variable(name) => match code.places.get(node).map(|place| place.meaning) {
                Some(Meaning::Free) | None => self.free_name(code, node, name)?,
                Some(bound) => self.bound(bound),
            },
            Node::Lambda { .. } => self.close(code, node)?,
            _ => return Ok(None),
        }))
    }

    /// The value of a name that is bound in the running function.
    fn bound(&self, meaning: Meaning) -> Word {
        let Activation { function, locals, .. } = self.walk.running;
        match meaning {
            Meaning::Local(at) => self
                .walk
                .locals
                .get(locals as usize + usize::from(at))
                .copied()
                .unwrap_or(Word::NIL),
            Meaning::Captured(at) => self.heap.captured(function, usize::from(at)),
            Meaning::Own => function,
            Meaning::Free => Word::NIL,
        }
    }

    /// A built-in name means the built-in value until a program defines it.
    fn free_name(&mut self, code: &Code, node: NodeId, name: &Symbol) -> Result<Word, Trouble> {
        match self.projection.free(Site { program: code.id, node }, name) {
            Free::BuiltIn(word) => Ok(word),
            Free::Global(id) => match self.projection.values.get(id as usize) {
                Some(&word) if word != UNBOUND => Ok(word),
                _ => Err(Trouble::Unbound(id)),
            },
            Free::Unknown => Err(Trouble::new(Kind::State, "a name that means nothing")),
        }
    }

    /// A function, with the values of the names it uses from outside.
    fn close(&mut self, code: &Code, node: NodeId) -> Result<Word, Trouble> {
        let captures = code.places.captures(node);
        let site = Site { program: code.id, node };
        let names = captures.iter().map(|(name, _)| name.clone()).collect();
        let Some(function) = self.projection.lambda(site, names, code.hint(node)) else {
            return Err(Trouble::new(Kind::State, "a function without a lambda"));
        };
        if captures.is_empty() {
            return Ok(Projection::plain(function));
        }
        let captured: Vec<Word> = captures.iter().map(|&(_, bound)| self.bound(bound)).collect();
        self.heap.closure(function, &captured)
    }

    /// The next part of a waiting node is evaluated, or the node has all its parts.
    fn proceed(&mut self, code: &Code, step: Step) -> Rule {
        let at = usize::from(step.child());
        match code.tree().node(step.node()) {
            Node::Application { operator, operands } => {
                let bound = immediate(code.tree(), *operator, operands);
                match (at.checked_sub(1), bound) {
                    // The operator of a `let` in disguise is no function, so it has no value.
                    (None, Some(_)) => self.hold(code, step, Word::NIL),
                    (None, None) => self.part(code, step, *operator),
                    (Some(at), bound) => match (operands.get(at), bound) {
                        (Some(&operand), _) => self.part(code, step, operand),
                        (None, Some((_, body))) => self.bind_operands(step, body),
                        (None, None) => self.complete(code, step, operands.len()),
                    },
                }
            }
            Node::Perform { operands, .. } => match operands.get(at) {
                Some(&operand) => self.part(code, step, operand),
                None => Ok(Some(Need::Request(step.node()))),
            },
            Node::Recur { operands } => match operands.get(at) {
                Some(&operand) => self.part(code, step, operand),
                None => self.turn(code, step, operands.len()),
            },
            Node::If { test, .. } => self.go(Control::Eval(*test)),
            Node::Let { values, body, .. } | Node::Loop { values, body, .. } => {
                self.go(Control::Eval(*values.get(at).unwrap_or(body)))
            }
            Node::Do { operands } => {
                // The last one's value is the node's, so nothing waits for it.
                if at + 1 >= operands.len() {
                    self.walk.waits.pop();
                }
                self.go(operands.get(at).map_or(Control::Value(Word::NIL), |&it| Control::Eval(it)))
            }
            Node::Definition { value, .. } => self.go(Control::Eval(*value)),
            Node::Literal(_) | Node::Variable(_) | Node::Lambda { .. } | Node::Expansion { .. } => {
                Self::no_leaf()
            }
        }
    }

    /// An operand is evaluated; a leaf at once.
    fn part(&mut self, code: &Code, step: Step, operand: NodeId) -> Rule {
        match self.leaf(code, operand) {
            Ok(Some(word)) => self.hold(code, step, word),
            Ok(None) => self.go(Control::Eval(operand)),
            Err(trouble) => {
                // The operand is to blame.
                self.walk.control = Control::Eval(operand);
                Err(trouble)
            }
        }
    }

    /// A waiting node gets the value of the part it waited for.
    fn receive(&mut self, code: &Code, step: Step, word: Word) -> Rule {
        let at = usize::from(step.child());
        match code.tree().node(step.node()) {
            _ if step.child() == CALLED => self.finish(step, word),
            Node::Application { operands, .. } if at > operands.len() => self.finish(step, word),
            Node::Application { .. } | Node::Perform { .. } | Node::Recur { .. } => {
                self.hold(code, step, word)
            }
            Node::If { consequent, alternate, .. } => {
                self.walk.waits.pop();
                self.go(Control::Eval(if word.is_truthy() { *consequent } else { *alternate }))
            }
            Node::Let { values, .. } | Node::Loop { values, .. } => {
                if at == values.len() {
                    return self.finish(step, word);
                }
                self.walk.locals.push(word);
                self.walk.set_top(step.next());
                self.go(Control::Next)
            }
            Node::Do { .. } => {
                self.walk.set_top(step.next());
                self.go(Control::Next)
            }
            Node::Definition { name, .. } => {
                let id = self.projection.global(name);
                if let Some(cell) = self.projection.values.get_mut(id as usize) {
                    *cell = word;
                }
                self.finish(step, word)
            }
            Node::Literal(_) | Node::Variable(_) | Node::Lambda { .. } | Node::Expansion { .. } => {
                Self::no_leaf()
            }
        }
    }

    fn no_leaf() -> Rule {
        Err(Trouble::new(Kind::State, "a leaf waits for nothing"))
    }

    /// A waiting node holds one more operand. The makers of collections take long operand lists in
    /// batches: the first makes, the others add, so a literal of any length holds few operands.
    fn hold(&mut self, code: &Code, step: Step, word: Word) -> Rule {
        let operand = usize::from(step.child());
        if operand > 0
            && operand.is_multiple_of(BATCH)
            && let Some((make, add)) = self.batched(code, step.node(), operand)
        {
            let from = step.done() + 1;
            let mut args = self.walk.done.get(from..).unwrap_or(&[]).to_vec();
            args.push(word);
            let id = if operand == BATCH { make } else { add };
            let whole = builtin::run(&mut self.heap, id, &args)?;
            self.walk.done.truncate(from);
            self.walk.done.push(whole);
        } else {
            self.walk.done.push(word);
        }
        self.walk.set_top(step.next());
        self.go(Control::Next)
    }

    /// The primitives that make and add, for a node with more than so many operands in batches.
    pub(crate) fn batched(&self, code: &Code, node: NodeId, beyond: usize) -> Option<(u32, u32)> {
        let Node::Application { operator, operands } = code.tree().node(node) else { return None };
        let Node::Variable(name) = code.tree().node(*operator) else { return None };
        if operands.len() <= beyond || code.places.get(*operator)?.meaning != Meaning::Free {
            return None;
        }
        let id = self.projection.primitive(code.id, name)?;
        Some((id, builtin::adder(id)?))
    }

    /// A node has its operator and all operands: it calls, or adds its last batch.
    fn complete(&mut self, code: &Code, step: Step, n: usize) -> Rule {
        if n > BATCH
            && let Some((_, add)) = self.batched(code, step.node(), BATCH)
        {
            let args = self.walk.done.get(step.done() + 1..).unwrap_or(&[]);
            let word = builtin::run(&mut self.heap, add, args)?;
            return self.finish(step, word);
        }
        self.go(Control::Apply)
    }

    /// A node has its value: what it held is forgotten.
    fn finish(&mut self, step: Step, word: Word) -> Rule {
        self.walk.waits.pop();
        self.walk.done.truncate(step.done());
        self.walk.locals.truncate(step.height());
        self.go(Control::Value(word))
    }

    /// Names for the operands of a lambda that is called where it stands.
    fn bind_operands(&mut self, step: Step, body: NodeId) -> Rule {
        let from = step.done();
        self.walk.locals.extend_from_slice(self.walk.done.get(from + 1..).unwrap_or(&[]));
        self.walk.done.truncate(from);
        self.go(Control::Eval(body))
    }

    /// `recur`: the names get their new values, and what waits inside of the body is forgotten.
    fn turn(&mut self, code: &Code, step: Step, n: usize) -> Rule {
        let target = code.places.get(step.node()).and_then(|place| place.target);
        let Some((body, place)) = target.and_then(|body| Some((body, code.places.get(body)?)))
        else {
            return Err(Trouble::new(Kind::State, "`recur` without a loop"));
        };
        while let Some(Wait::Step(inner)) = self.walk.waits.last()
            && place.parent != Some(inner.node())
        {
            self.walk.waits.pop();
        }
        let height = self.walk.running.locals as usize + usize::from(place.height);
        self.walk.locals.truncate(height.saturating_sub(n));
        let values = self.walk.done.get(step.done()..).unwrap_or(&[]);
        self.walk.locals.extend_from_slice(values);
        self.walk.done.truncate(step.done());
        self.go(Control::Turn(body))
    }

    /// A function has its value: its caller goes on.
    fn leave(&mut self, caller: Activation) -> Rule {
        self.walk.waits.pop();
        self.walk.depth -= 1;
        self.walk.locals.truncate(self.walk.running.locals as usize);
        self.walk.running = caller;
        ON
    }
}

impl Machine {
    /// The value of a leaf again, for an operand that nothing held.
    pub(crate) fn again(&mut self, code: &Code, node: NodeId) -> Result<Word, Trouble> {
        Ok(self.leaf(code, node)?.unwrap_or(Word::NIL))
    }
}

impl Code {
    fn tree(&self) -> &Tree {
        self.program.tree()
    }

    /// What a function is called if it does not say itself: the name it is bound to.
    pub(crate) fn hint(&self, node: NodeId) -> Option<&Symbol> {
        let place = self.places.get(node)?;
        match self.tree().node(place.parent?) {
            Node::Definition { name, value } if *value == node => Some(name),
            Node::Let { names, values, .. } => {
                let at = usize::from(place.child);
                names.get(at).filter(|_| values.get(at) == Some(&node))
            }
            _ => None,
        }
    }
}
