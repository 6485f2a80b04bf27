//! The continuation in terms of the AST: what both engines can make and take over.
//!
//! A frame is one waiting or running call: the node it stands at, and the values it holds there,
//! in an order that follows from the AST alone: the closure, if the function is one; the values
//! of the names in scope, outermost first; and the operands that waiting nodes have evaluated,
//! outermost node first. Frames go from the outermost call to the innermost.
//!
//! 1. Every safepoint of either engine has exactly one such form.
//! 2. [`AGAIN`] stands for an operand that is evaluated again where it is wanted: a literal or a
//!    name that code had built in.

use datom::Word;

use super::{Code, Engine, Frame, Machine, State};
use crate::ast::{Node, NodeId};
use crate::error::{Kind, Trouble};
use crate::heap::{Continuation, UNBOUND, again_word};
use crate::program::immediate;
use crate::projection::{AGAIN, BATCH, Instruction, Point, Projection, Stand, WINDOW};
use crate::stepper::{Activation, Control, batched};

/// How a call stands at its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stance {
    /// About to evaluate it for another turn.
    Turn,
    /// About to call, with all operands.
    Call,
    /// It has called, or asked, and waits.
    Wait,
}

/// One waiting or running call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) program: u32,
    pub(crate) node: NodeId,
    pub(crate) stance: Stance,
    /// How many words it holds.
    pub(crate) count: u32,
}

/// Calls, outermost first, and what they hold, one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Stack {
    pub(crate) frames: Vec<Told>,
    pub(crate) words: Vec<Word>,
}

/// What the AST says of a call that stands at a node.
struct Shape {
    /// Whether it holds a closure.
    closure: bool,
    /// How many names are in scope.
    height: usize,
    /// Whether it is a name that has a word, for each in the order in which it came to be.
    names: Vec<bool>,
    /// The nodes of the held operands; `None` for a batch of them.
    held: Vec<Option<NodeId>>,
}

/// What the code says of calls that stand at one node: of the many calls of a recursion, found out once.
struct Spot {
    program: u32,
    node: NodeId,
    stance: Stance,
    code: Code,
    function: u32,
    shape: Shape,
    /// For register code.
    seat: Option<Seat>,
}

/// Where register code stands at a spot, and which registers hold what the spot holds.
struct Seat {
    point: Point,
    sources: Vec<u8>,
    /// A call in the last place has nothing to go on with: its caller waits for the value.
    is_last: bool,
}

/// What register code says of the calls that stand at one address.
#[derive(Clone, Copy)]
struct Rest<'p> {
    program: u32,
    node: NodeId,
    stance: Stance,
    closure: bool,
    sources: &'p [u8],
}

/// Spots that are remembered while a stack is put back.
const SPOTS_MAX: usize = 8;

impl Stance {
    const fn stand(self) -> Stand {
        match self {
            Stance::Turn => Stand::Enter,
            Stance::Call | Stance::Wait => Stand::Call,
        }
    }
}

impl Rest<'_> {
    /// Tells of a call whose registers begin at `base`.
    fn tell(&self, stack: &mut Stack, registers: &[Word], base: u32) {
        let window = registers.get(base as usize..).unwrap_or(&[]);
        let register = |register: u8| match register {
            AGAIN => again_word(),
            _ => window.get(usize::from(register)).copied().unwrap_or(Word::NIL),
        };
        stack.words.extend(self.closure.then(|| register(0)));
        stack.words.extend(self.sources.iter().map(|&source| register(source)));
        let count = (usize::from(self.closure) + self.sources.len()) as u32;
        let Rest { program, node, stance, .. } = *self;
        stack.frames.push(Told { program, node, stance, count });
    }
}

impl Spot {
    fn is_of(&self, told: &Told) -> bool {
        (self.program, self.node, self.stance) == (told.program, told.node, told.stance)
    }
}

type Result1<T> = Result<T, Trouble>;

fn damaged(what: &str) -> Trouble {
    Trouble::new(Kind::State, format!("the state of a program is damaged: {what}"))
        .help("take it anew from a machine that stands still")
}

impl Machine {
    /// The calls of the program that stands still.
    pub(crate) fn stack(&self) -> Result1<Stack> {
        match self.engine {
            Engine::Register => self.stack_of_registers(),
            Engine::Stepper => self.stack_of_walk(0),
        }
    }

    fn stack_of_registers(&self) -> Result1<Stack> {
        let waiting = self.frames.get(1..).unwrap_or(&[]);
        let mut stack = Stack { frames: Vec::with_capacity(waiting.len() + 1), ..Stack::default() };
        let waits = waiting.iter().map(|frame| (frame.pc(), frame.base()));
        self.tell_waiting(&mut stack, &self.registers, waits)?;
        let (pc, stance) = match self.projection.code.get(self.pc as usize) {
            _ if matches!(self.state, State::Parked { .. }) => (self.pc, Stance::Wait),
            Some(Instruction::Loop { by } | Instruction::MoveLoop { by, .. }) => {
                (self.pc.wrapping_add(1).wrapping_add_signed(*by), Stance::Turn)
            }
            _ => match self.projection.points.at(self.pc, Stand::Call) {
                Some(_) => (self.pc, Stance::Call),
                None => (self.pc, Stance::Turn),
            },
        };
        self.rest(pc, stance)?.tell(&mut stack, &self.registers, self.base);
        Ok(stack)
    }

    /// Tells of calls that wait, by the addresses they go on at and where their registers begin.
    fn tell_waiting(
        &self,
        stack: &mut Stack,
        registers: &[Word],
        waits: impl Iterator<Item = (u32, u32)>,
    ) -> Result1<()> {
        let mut known = None;
        for (pc, base) in waits {
            let rest = match known {
                Some((at, rest)) if at == pc => rest,
                _ => self.rest(pc.saturating_sub(1), Stance::Wait)?,
            };
            known = Some((pc, rest));
            rest.tell(stack, registers, base);
        }
        Ok(())
    }

    fn rest(&self, pc: u32, stance: Stance) -> Result1<Rest<'_>> {
        let point = self.projection.points.at(pc, stance.stand());
        let (Some(point), Some(function)) = (point, self.projection.function_at(pc)) else {
            return Err(Trouble::new(Kind::State, "the program does not stand at a safepoint"));
        };
        let sources = self.projection.points.sources(point);
        let own = if stance == Stance::Wait { usize::from(point.own) } else { 0 };
        Ok(Rest {
            program: function.program,
            node: point.node,
            stance,
            closure: !function.captures.is_empty(),
            sources: sources.get(..sources.len() - own).unwrap_or(&[]),
        })
    }

    /// The calls of a continuation that register code took.
    pub(crate) fn stack_of_continuation(&self, k: &Continuation) -> Result1<Stack> {
        let mut stack = Stack::default();
        let waiting = k.frames.iter().copied().chain([(k.pc, k.base)]);
        self.tell_waiting(&mut stack, &k.registers, waiting.filter(|&(pc, _)| pc > 0))?;
        Ok(stack)
    }

    /// The calls of the stepper from the n-th that waits on.
    pub(crate) fn stack_of_walk(&self, first: usize) -> Result1<Stack> {
        let (node, stance) = match self.walk.control {
            Control::Turn(body) => (body, Stance::Turn),
            Control::Call(node) => (node, Stance::Call),
            Control::Await(node) => (node, Stance::Wait),
            _ => {
                return Err(Trouble::new(Kind::State, "the program does not stand at a safepoint"));
            }
        };
        let waiting = self.walk.calls.get(first..).unwrap_or(&[]);
        let waiting = waiting.iter().map(|call| (*call, call.at, Stance::Wait));
        let mut stack = Stack::default();
        // Of the many calls of a recursion, the shape is found out once.
        let mut known: Option<(Told, Shape)> = None;
        for (call, node, stance) in waiting.chain([(self.walk.running, node, stance)]) {
            let told = Told { program: call.program, node, stance, count: 0 };
            let shape = match known {
                Some((at, shape)) if at == told => shape,
                _ => {
                    let code = self.code_so_far(told.program);
                    self.shape(&code.ok_or_else(|| damaged("a program is missing"))?, &told)?
                }
            };
            let words = self.walk.words.get(call.base as usize..).unwrap_or(&[]);
            let start = stack.words.len();
            stack.words.extend(shape.closure.then_some(call.function));
            for is_name in [true, false] {
                let own = words.iter().zip(&shape.names).filter(|(_, name)| **name == is_name);
                stack.words.extend(own.map(|(word, _)| *word));
            }
            stack.frames.push(Told { count: (stack.words.len() - start) as u32, ..told });
            known = Some((told, shape));
        }
        Ok(stack)
    }

    /// The function of a call: known by its place.
    pub(crate) fn function_of(&mut self, code: &Code, node: NodeId) -> Result1<u32> {
        let root = code.places.get(node).ok_or_else(|| damaged("it stands nowhere"))?.function;
        match self.function_at_lambda(code, root) {
            Some(id) => Ok(id),
            None => Ok(self.projection.form(code.id, root, code.program.name())),
        }
    }

    fn shape(&self, code: &Code, told: &Told) -> Result1<Shape> {
        let place = code.places.get(told.node).ok_or_else(|| damaged("it stands nowhere"))?;
        let tree = code.program.tree();
        let arguments = match tree.node(place.function) {
            Node::Lambda { params, rest, .. } => params.len() + usize::from(rest.is_some()),
            _ => 0,
        };
        let mut shape = Shape {
            closure: !code.places.captures(place.function).is_empty(),
            height: usize::from(place.height),
            names: vec![true; arguments],
            held: Vec::new(),
        };
        let mut path = Vec::new();
        let mut below = place;
        while let Some(parent) = below.parent {
            path.push((parent, usize::from(below.child)));
            below = code.places.get(parent).ok_or_else(|| damaged("it stands nowhere"))?;
        }
        for &(node, child) in path.iter().rev() {
            self.hold(code, node, child, &mut shape);
        }
        match (tree.node(told.node), told.stance) {
            (_, Stance::Turn) | (Node::Application { .. } | Node::Perform { .. }, Stance::Wait) => {
            }
            (Node::Application { operator, operands }, Stance::Call)
                if immediate(tree, *operator, operands).is_none() =>
            {
                self.hold(code, told.node, operands.len() + 1, &mut shape);
            }
            _ => return Err(damaged("it stands where no call can")),
        }
        Ok(shape)
    }

    /// What a node holds while it waits for its n-th part: names, or operands.
    fn hold(&self, code: &Code, node: NodeId, child: usize, shape: &mut Shape) {
        let held = shape.held.len();
        match code.program.tree().node(node) {
            Node::Let { names, .. } | Node::Loop { names, .. } => {
                shape.names.resize(shape.names.len() + child.min(names.len()), true);
            }
            Node::Application { operator, operands } => {
                let is_body = child > operands.len()
                    && immediate(code.program.tree(), *operator, operands).is_some();
                if is_body {
                    shape.names.resize(shape.names.len() + operands.len(), true);
                    return;
                }
                shape.held.extend((child > 0).then_some(Some(*operator)));
                let done = child.saturating_sub(1);
                let is_long = batched(code, &self.projection, node, BATCH).is_some();
                let whole = if is_long { done - done % BATCH } else { 0 };
                shape.held.extend((whole > 0).then_some(None));
                let rest = operands.get(whole..done).unwrap_or(&[]);
                shape.held.extend(rest.iter().map(|&id| Some(id)));
            }
            Node::Perform { operands, .. } | Node::Recur { operands } => {
                shape.held.extend(operands.iter().take(child).map(|&id| Some(id)));
            }
            _ => {}
        }
        shape.names.resize(shape.names.len() + shape.held.len() - held, false);
    }

    /// Puts calls on top of those that wait. In register code the first one's registers begin at
    /// `base`. On failure the machine must be abandoned.
    pub(crate) fn put_stack(&mut self, stack: &Stack, base: u32) -> Result1<()> {
        let mut base = base;
        let mut from = 0;
        let mut spots: Vec<Spot> = Vec::new();
        for (at, told) in stack.frames.iter().enumerate() {
            let known = spots.iter().rposition(|spot| spot.is_of(told));
            let place = match known {
                Some(place) => place,
                None => {
                    if spots.len() == SPOTS_MAX {
                        spots.clear();
                    }
                    spots.push(self.spot(told)?);
                    spots.len() - 1
                }
            };
            let Some(spot) = spots.get(place) else { continue };
            let Spot { code, function: id, shape, .. } = spot;
            let id = *id;
            let words = stack.words.get(from..from + told.count as usize);
            let words = words.ok_or_else(|| damaged("it lacks values"))?;
            from += told.count as usize;
            if words.len() != usize::from(shape.closure) + shape.height + shape.held.len() {
                return Err(damaged("it has too many values, or too few"));
            }
            let (function, words) = match words.split_first() {
                Some((&closure, rest)) if shape.closure => {
                    if self.heap.function(closure) != Some(id) {
                        return Err(damaged("a call of another function"));
                    }
                    (closure, rest)
                }
                _ => (Projection::plain(id), words),
            };
            let is_top = at + 1 == stack.frames.len();
            match &spot.seat {
                Some(seat) => {
                    base = self.put_registers(spot, seat, function, words, base, is_top)?;
                }
                None => self.put_walk(code, (function, id), shape, told, words, is_top)?,
            }
        }
        Ok(())
    }

    fn spot(&mut self, told: &Told) -> Result1<Spot> {
        let code = self.code(told.program).ok_or_else(|| damaged("a program is missing"))?;
        let function = self.function_of(&code, told.node)?;
        let shape = self.shape(&code, told)?;
        let seat = match self.engine {
            Engine::Register => Some(self.seat(function, told)?),
            Engine::Stepper => None,
        };
        let Told { program, node, stance, .. } = *told;
        Ok(Spot { program, node, stance, code, function, shape, seat })
    }

    fn seat(&mut self, function: u32, told: &Told) -> Result1<Seat> {
        if self.projection.entries.get(function as usize).is_none_or(|entry| entry.pc == 0) {
            self.compile(function)?;
        }
        let (from, to) = self.projection.extent(function);
        let point = self.projection.points.of(from, to, told.node, told.stance.stand()).copied();
        let point = point.ok_or_else(|| damaged("its code does not stop there"))?;
        let mut sources = self.projection.points.sources(&point).to_vec();
        if told.stance == Stance::Wait {
            sources.truncate(sources.len() - usize::from(point.own));
        }
        let is_last = matches!(
            self.projection.code.get(point.pc as usize),
            Some(
                Instruction::TailCall { .. }
                    | Instruction::TailCallGlobal { .. }
                    | Instruction::Apply { tail: true, .. }
            )
        );
        Ok(Seat { point, sources, is_last })
    }

    fn put_registers(
        &mut self,
        spot: &Spot,
        seat: &Seat,
        function: Word,
        words: &[Word],
        base: u32,
        is_top: bool,
    ) -> Result1<u32> {
        let Spot { code, shape, .. } = spot;
        while self.registers.len() < base as usize + 2 * WINDOW {
            self.grow()?;
        }
        if seat.sources.len() != words.len() {
            return Err(damaged("its code holds other values there"));
        }
        self.base = base;
        self.set(0, function);
        for (at, (&source, &word)) in seat.sources.iter().zip(words).enumerate() {
            if source == AGAIN {
                continue;
            }
            let node = at.checked_sub(shape.height).and_then(|at| *shape.held.get(at)?);
            let word = match node {
                Some(node) if word == again_word() => self.again(code, node)?,
                _ => word,
            };
            self.set(source, word);
        }
        self.pc = seat.point.pc;
        if is_top {
            if let State::Parked { at, .. } = &mut self.state {
                *at = seat.point.at;
            }
            return Ok(base);
        }
        if seat.is_last {
            return Ok(base);
        }
        if self.frames.len() >= self.limits.calls {
            return Err(self.too_deep());
        }
        self.frames.push(Frame::new(seat.point.pc + 1, base));
        Ok(base + u32::from(seat.point.at))
    }

    fn put_walk(
        &mut self,
        code: &Code,
        (function, id): (Word, u32),
        shape: &Shape,
        told: &Told,
        words: &[Word],
        is_top: bool,
    ) -> Result1<()> {
        let (base, at) = (self.walk.words.len() as u32, told.node);
        self.walk.running = Activation { function, id, program: code.id, base, at };
        let (names, held) = words.split_at(shape.height.min(words.len()));
        let (mut names, mut held) = (names.iter(), held.iter().zip(&shape.held));
        for &is_name in &shape.names {
            let word = match is_name {
                true => names.next().copied(),
                false => match held.next() {
                    Some((&word, Some(node))) if word == again_word() => {
                        Some(self.again(code, *node)?)
                    }
                    other => other.map(|(word, _)| *word),
                },
            };
            self.walk.words.extend(word);
        }
        self.walk.control = match told.stance {
            Stance::Turn => Control::Turn(at),
            Stance::Call => Control::Call(at),
            Stance::Wait => Control::Await(at),
        };
        if !is_top {
            if self.walk.calls.len() + 1 >= self.limits.calls {
                return Err(self.too_deep());
            }
            self.walk.calls.push(self.walk.running);
        }
        Ok(())
    }

    /// The value of an operand that nothing held, for it is the same whenever it is evaluated.
    fn again(&mut self, code: &Code, node: NodeId) -> Result1<Word> {
        match code.program.tree().node(node) {
            Node::Literal(value) => self.heap.word(value),
            Node::Lambda { .. } => Ok(match self.function_at_lambda(code, node) {
                Some(function) => Projection::plain(function),
                None => Word::NIL,
            }),
            Node::Variable(name) => match self.projection.built_in(code.id, name) {
                Some(word) => Ok(word),
                None => {
                    let id = self.projection.global(name);
                    let word = self.projection.values.get(id as usize).copied();
                    word.filter(|&word| word != UNBOUND).ok_or(Trouble::Unbound(id))
                }
            },
            _ => Ok(Word::NIL),
        }
    }
}
