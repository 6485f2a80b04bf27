//! A program as the stepper reads it: the same nodes, each with what the AST says of it.
//!
//! Nothing is decided here that a rule could decide otherwise; it is looked up once.
//!
//! 1. A node has its number of the AST, and one [`Spot`].
//! 2. What a function has at hand is its part of one stack of words: its arguments, then, in the order of the
//!    source, names in scope and evaluated parts of nodes. So how many words are there where a node begins
//!    (its `depth`) follows from the AST, and a name is a number of a word.
//! 3. A node whose value is that of a node around it (a branch, a body, the last of a `do`) gives it at once
//!    to whoever waits for that one. A node for whose value nobody waits gives it to the caller: it is in
//!    tail position.
//! 4. What a free name means holds until a built-in name is defined anew, and then the program is linked
//!    again.

use std::num::NonZeroU8;
use std::sync::Arc;

use datom::{Symbol, Value, Word};

use crate::ast::{Node, NodeId, Tree};
use crate::builtin::{self, Body, Run};
use crate::heap::{Heap, PRIMITIVE, payload, sort};
use crate::machine::Code;
use crate::program::{Meaning, Program, immediate};
use crate::projection::{BATCH, Projection, Site, free_names};

/// Nobody in the same function.
const NOBODY: NodeId = NodeId::at(u32::MAX);
/// A primitive is applied to at most so many leaves at once.
pub(super) const LEAVES_MAX: usize = 3;
const _: () = assert!(size_of::<Form>() == 16 && size_of::<Spot>() == 32);

/// What a node is, 16 bytes with the tag apart.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Form {
    /// A value that is one word: of a literal, a built-in name, a function that captures nothing.
    Word(Word),
    /// A literal that is made on the heap.
    Literal,
    /// A name: the n-th word of the running function, the n-th value of its closure, itself, or a global.
    Local(u16),
    /// The n-th word, for whoever only looks at it, or reads it last: see `heap::owned`.
    Lent(u16),
    Captured(u16),
    Own,
    Global(u32),
    /// A function that captures something.
    Closure(u32),
    If {
        test: NodeId,
        yes: NodeId,
        no: NodeId,
    },
    Do {
        first: u32,
    },
    Definition {
        value: NodeId,
    },
    Expansion {
        body: NodeId,
    },
    /// A call of a built-in function that is no verb with as many operands as it takes.
    Primitive {
        n: u8,
        /// Whether all operands are leaves, and few.
        of_leaves: bool,
        /// The primitive, if it makes a new collection out of one that nothing reads behind it.
        update: Option<NonZeroU8>,
        first: u32,
        run: Run,
    },
    /// Anything else that has its parts evaluated in order before something happens.
    Parts {
        n: u16,
        first: u32,
        then: Then,
    },
}

/// What happens once the parts of a node are evaluated.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Then {
    /// The first is called with the others. `last` says whether nothing is left to do behind the call; of a
    /// whole form, and of a call of a function of the language, never: errors tell of them.
    Call { last: bool },
    /// As a call, with so many operands that they are put into the collection in batches.
    Collect,
    /// They are the values of names in the node behind them.
    Bind,
    /// The same, of a lambda that is called where it stands; its own place holds nil.
    Immediate,
    /// They are the new values of the names of the node behind them.
    Recur,
    /// The world is asked.
    Perform,
}

/// What is known of a node.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    pub(super) form: Form,
    /// Who waits for its value, and which part of that one it is.
    to: NodeId,
    pub(super) part: u16,
    /// Which word its value becomes there.
    pub(super) place: u16,
    /// How many words its function has where it begins.
    pub(super) depth: u16,
}

/// A program that is linked to the names and functions of one machine.
pub(crate) struct Linked {
    pub(super) id: u32,
    pub(super) program: Arc<Program>,
    spots: Vec<Spot>,
    parts: Vec<NodeId>,
    closures: Vec<(u32, Vec<Form>)>,
}

/// Where the value of a node goes, and what is at hand where it begins.
#[derive(Clone, Copy)]
struct Seat {
    to: NodeId,
    part: u16,
    place: u16,
    depth: u16,
}

const NIL: Spot = Spot { form: Form::Word(Word::NIL), to: NOBODY, part: 0, place: 0, depth: 0 };
const ROOT: Seat = Seat { to: NOBODY, part: 0, place: 0, depth: 0 };

impl Spot {
    /// Who waits for the node's value in the same function.
    #[inline(always)]
    pub(super) fn receiver(&self) -> Option<NodeId> {
        (self.to != NOBODY).then_some(self.to)
    }
}

impl Linked {
    /// Cost: linear in the program.
    pub(crate) fn of(code: &Code, projection: &mut Projection, heap: &mut Heap) -> Self {
        let tree = code.program.tree();
        let linked = Self {
            id: code.id,
            program: code.program.clone(),
            spots: vec![NIL; tree.len()],
            parts: Vec::new(),
            closures: Vec::new(),
        };
        let mut linker = Linker { code, tree, projection, heap, linked, in_form: true };
        for &form in code.program.forms() {
            linker.node(form, ROOT, &mut Vec::new());
        }
        linker.linked
    }

    #[inline(always)]
    pub(super) fn spot(&self, node: NodeId) -> &Spot {
        self.spots.get(node.index()).unwrap_or(const { &NIL })
    }

    #[inline(always)]
    pub(super) fn part(&self, at: u32) -> NodeId {
        self.parts.get(at as usize).copied().unwrap_or_default()
    }

    /// Some parts of a node, in order.
    #[inline(always)]
    pub(super) fn parts(&self, from: u32, to: u32) -> &[NodeId] {
        self.parts.get(from as usize..to as usize).unwrap_or(&[])
    }

    /// Whether a node has no part behind the n-th.
    pub(super) fn is_last(&self, node: NodeId, n: usize) -> bool {
        matches!(self.spot(node).form, Form::Parts { n: all, .. } if n + 1 == usize::from(all))
    }

    /// The function of a closure, and where it finds what it captures.
    pub(super) fn closure(&self, at: u32) -> Option<&(u32, Vec<Form>)> {
        self.closures.get(at as usize)
    }
}

/// The primitives that make a collection and that add to it, for a node with more than so many operands in
/// batches: so a literal of any length holds few operands.
pub(crate) fn batched(
    code: &Code,
    projection: &Projection,
    node: NodeId,
    beyond: usize,
) -> Option<(u32, u32)> {
    let tree = code.program.tree();
    let Node::Application { operator, operands } = tree.node(node) else { return None };
    let Node::Variable(name) = tree.node(*operator) else { return None };
    if operands.len() <= beyond || code.places.get(*operator)?.meaning != Meaning::Free {
        return None;
    }
    let id = projection.primitive(code.id, name)?;
    Some((id, builtin::adder(id)?))
}

struct Linker<'p> {
    code: &'p Code,
    tree: &'p Tree,
    projection: &'p mut Projection,
    heap: &'p mut Heap,
    linked: Linked,
    /// Outside of all functions.
    in_form: bool,
}

impl Linker<'_> {
    /// A node and what is below it; `names` are the words of the names in scope. Recursion is as deep as the
    /// tree.
    fn node(&mut self, id: NodeId, seat: Seat, names: &mut Vec<u16>) {
        let scope = names.len();
        let form = self.form(id, seat, names);
        names.truncate(scope);
        let Seat { to, part, place, depth } = seat;
        if let Some(spot) = self.linked.spots.get_mut(id.index()) {
            *spot = Spot { form, to, part, place, depth };
        }
    }

    fn form(&mut self, id: NodeId, seat: Seat, names: &mut Vec<u16>) -> Form {
        let tree = self.tree;
        let Seat { depth, .. } = seat;
        let alone = Seat { to: id, part: 0, place: depth, depth };
        match tree.node(id) {
            Node::Literal(value) => self.literal(value),
            Node::Variable(name) => self.variable(id, name, names),
            Node::Lambda { .. } => self.lambda(id, names),
            Node::If { test, consequent, alternate } => {
                self.node(*test, alone, names);
                self.node(*consequent, seat, names);
                self.node(*alternate, seat, names);
                let [test, yes, no] = [*test, *consequent, *alternate].map(|it| self.meant(it));
                Form::If { test, yes, no }
            }
            Node::Do { operands } => {
                let last = operands.len().saturating_sub(1);
                for (at, &operand) in operands.iter().enumerate() {
                    let seat = if at == last { seat } else { Seat { part: at as u16, ..alone } };
                    self.node(operand, seat, names);
                }
                Form::Do { first: self.parts(operands, None) }
            }
            Node::Definition { value, .. } => {
                self.node(*value, alone, names);
                Form::Definition { value: self.meant(*value) }
            }
            Node::Expansion { body, .. } => {
                self.node(*body, seat, names);
                Form::Expansion { body: self.meant(*body) }
            }
            Node::Perform { operands, .. } => {
                self.each(id, 0, operands, depth, names);
                self.in_order(operands, None, Then::Perform)
            }
            Node::Recur { operands } => {
                self.each(id, 0, operands, depth, names);
                let target = self.code.places.get(id).and_then(|place| place.target);
                let height = target.and_then(|body| self.code.places.get(body));
                let bound = height.map_or(0, |place| usize::from(place.height));
                let bound = names.get(bound.saturating_sub(operands.len())..bound).unwrap_or(&[]);
                for (at, &operand) in operands.iter().enumerate() {
                    let behind = operands.get(at + 1..).unwrap_or(&[]);
                    self.last_use(operand, behind, bound);
                }
                self.in_order(operands, target, Then::Recur)
            }
            Node::Let { values, body, .. } | Node::Loop { values, body, .. } => {
                for (place, (part, &value)) in (depth..).zip((0..).zip(values)) {
                    self.node(value, Seat { to: id, part, place, depth: place }, names);
                    names.push(place);
                }
                let depth = depth + values.len() as u16;
                self.node(*body, Seat { depth, ..seat }, names);
                self.in_order(values, Some(self.meant(*body)), Then::Bind)
            }
            Node::Application { operator, operands } => {
                let whole: Vec<NodeId> = [*operator].iter().chain(operands).copied().collect();
                let Some((_, body)) = immediate(tree, *operator, operands) else {
                    self.each(id, 0, &whole, depth, names);
                    return self.call(id, *operator, &whole, seat);
                };
                // The lambda is no function, so there is nothing to link; its spot is nil.
                self.each(id, 1, operands, depth, names);
                names.extend((depth..).take(operands.len()));
                let depth = depth + operands.len() as u16;
                self.node(body, Seat { depth, ..seat }, names);
                self.in_order(&whole, Some(self.meant(body)), Then::Immediate)
            }
        }
    }

    /// Parts, the n-th and those behind it, that are evaluated one after the other, each to become one more
    /// word.
    fn each(&mut self, id: NodeId, n: usize, parts: &[NodeId], depth: u16, names: &mut Vec<u16>) {
        let is_long = batched(self.code, self.projection, id, BATCH).is_some();
        for (at, &part) in (n..).zip(parts) {
            // Whole batches are one word, behind the operator.
            let held = match at.checked_sub(1) {
                Some(done) if is_long && done >= BATCH => 2 + done % BATCH,
                _ => at,
            };
            let place = depth + held as u16;
            self.node(part, Seat { to: id, part: at as u16, place, depth: place }, names);
        }
    }

    fn call(&mut self, id: NodeId, operator: NodeId, whole: &[NodeId], seat: Seat) -> Form {
        if batched(self.code, self.projection, id, BATCH).is_some() {
            return self.in_order(whole, None, Then::Collect);
        }
        let operands = whole.get(1..).unwrap_or(&[]);
        let function = match self.linked.spot(operator).form {
            Form::Word(word) if sort(word) == PRIMITIVE => payload(word) as u32,
            _ => u32::MAX,
        };
        if let Some(primitive) = builtin::primitive(function)
            && let Body::Plain(run) = primitive.body
            && let Ok(n) = u8::try_from(whole.len())
            && primitive.admits(operands.len())
        {
            let mut parts = operands.iter().map(|&it| self.linked.spot(self.meant(it)).form);
            let of_leaves = operands.len() <= LEAVES_MAX && parts.all(Form::is_leaf);
            if builtin::is_look(function) {
                self.lend(operands.first());
            }
            let first = self.parts(whole, None);
            return Form::Primitive { run, first, n, of_leaves, update: None };
        }
        let is_traced = match self.tree.node(operator) {
            Node::Variable(name) if self.code.places.is_free(operator) => {
                self.projection.is_traced(self.code.id, name)
            }
            _ => false,
        };
        let last = seat.to == NOBODY && !self.in_form && !is_traced;
        self.in_order(whole, None, Then::Call { last })
    }

    /// Where a turn gives a name a new value and nothing behind reads the old one, nobody holds that from
    /// here on: it is handed on as it is, and an update of it may be made in place.
    fn last_use(&mut self, operand: NodeId, behind: &[NodeId], bound: &[u16]) {
        let operand = self.meant(operand);
        let (subject, update) = match self.tree.node(operand) {
            Node::Application { operator, operands } if operands.len() > 1 => {
                let function = match self.linked.spot(*operator).form {
                    Form::Word(word) if sort(word) == PRIMITIVE => payload(word) as u32,
                    _ => return,
                };
                let Some(&subject) = operands.first() else { return };
                let update = u8::try_from(function).ok().and_then(NonZeroU8::new);
                let update = update.filter(|_| builtin::is_update(function));
                if update.is_none() {
                    return;
                }
                (self.meant(subject), update)
            }
            _ => (operand, None),
        };
        let (Node::Variable(name), Form::Local(at)) =
            (self.tree.node(subject), self.linked.spot(subject).form)
        else {
            return;
        };
        if !bound.contains(&at) || behind.iter().any(|&it| free_names(self.tree, it).contains(name))
        {
            return;
        }
        match self.linked.spots.get_mut(operand.index()).map(|spot| &mut spot.form) {
            Some(Form::Primitive { update: slot, .. }) => *slot = update,
            Some(Form::Local(_)) => {}
            _ => return,
        }
        self.lend(Some(&subject));
    }

    /// A name is read by somebody who does not hand its value on.
    fn lend(&mut self, name: Option<&NodeId>) {
        let Some(name) = name.map(|&name| self.meant(name)) else { return };
        if let Some(Form::Local(at)) = self.linked.spots.get(name.index()).map(|spot| spot.form)
            && let Some(spot) = self.linked.spots.get_mut(name.index())
        {
            spot.form = Form::Lent(at);
        }
    }

    fn in_order(&mut self, parts: &[NodeId], behind: Option<NodeId>, then: Then) -> Form {
        Form::Parts { first: self.parts(parts, behind), n: parts.len() as u16, then }
    }

    fn parts(&mut self, parts: &[NodeId], behind: Option<NodeId>) -> u32 {
        let first = self.linked.parts.len() as u32;
        let parts: Vec<NodeId> = parts.iter().map(|&part| self.meant(part)).collect();
        self.linked.parts.extend(parts.into_iter().chain(behind));
        first
    }

    /// What an expansion expands to.
    fn meant(&self, mut id: NodeId) -> NodeId {
        while let Node::Expansion { body, .. } = self.tree.node(id) {
            id = *body;
        }
        id
    }

    fn literal(&mut self, value: &Value) -> Form {
        match self.heap.inline(value) {
            Ok(Some(word)) => Form::Word(word),
            _ => Form::Literal,
        }
    }

    fn variable(&mut self, id: NodeId, name: &Symbol, names: &[u16]) -> Form {
        match self.code.places.get(id).map_or(Meaning::Free, |place| place.meaning) {
            Meaning::Free => match self.projection.built_in(self.code.id, name) {
                Some(word) => Form::Word(word),
                None => Form::Global(self.projection.global(name)),
            },
            bound => Form::bound(bound, names),
        }
    }

    fn lambda(&mut self, id: NodeId, names: &[u16]) -> Form {
        let Node::Lambda { params, rest, body, .. } = self.tree.node(id) else {
            return NIL.form;
        };
        let arguments = (params.len() + usize::from(rest.is_some())) as u16;
        let in_form = std::mem::replace(&mut self.in_form, false);
        self.node(*body, Seat { depth: arguments, ..ROOT }, &mut (0..arguments).collect());
        self.in_form = in_form;
        let captures = self.code.places.captures(id);
        let site = Site { program: self.code.id, node: id };
        let captured = captures.iter().map(|(name, _)| name.clone()).collect();
        let Some(function) = self.projection.lambda(site, captured, self.code.hint(id)) else {
            return NIL.form;
        };
        if captures.is_empty() {
            return Form::Word(Projection::plain(function));
        }
        let found = captures.iter().map(|&(_, meaning)| Form::bound(meaning, names)).collect();
        self.linked.closures.push((function, found));
        Form::Closure(self.linked.closures.len() as u32 - 1)
    }
}

impl Form {
    fn bound(meaning: Meaning, names: &[u16]) -> Self {
        match meaning {
            Meaning::Local(at) => {
                names.get(usize::from(at)).map_or(NIL.form, |&word| Form::Local(word))
            }
            Meaning::Captured(at) => Form::Captured(at),
            Meaning::Own => Form::Own,
            Meaning::Free => NIL.form,
        }
    }

    /// Whether it has its value without anything being evaluated before.
    fn is_leaf(self) -> bool {
        matches!(
            self,
            Form::Word(_)
                | Form::Literal
                | Form::Local(_)
                | Form::Lent(_)
                | Form::Captured(_)
                | Form::Own
                | Form::Global(_)
                | Form::Closure(_)
        )
    }
}
