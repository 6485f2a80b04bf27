//! The loop that runs instructions.
//!
//! Registers are reached through a window of exactly 256 words, so an index of one byte needs
//! no check. What is rare or large leaves the loop: it ends with an [`Exit`] that says what the
//! machine must do, with the address of the instruction that needs it.

use datom::Word;

use super::operation::{
    add, add_int, equal, int_order, int_word, mul, rem, rem_int, run_plain, slow_arithmetic,
    slow_assoc, slow_compare, sub,
};
use super::{Frame, Machine};
use crate::builtin::{self, Body, Verb};
use crate::error::{Kind, Trouble};
use crate::heap::{Arithmetic, FUNCTION, OBJECT, UNBOUND, function_word, primitive_word, sort};
use crate::projection::{ARITY_OTHER, Compare, Entry, Instruction as I, UPDATE_ARGS_MAX, WINDOW};

/// Why the loop ended. The machine's address is that of the instruction, to be run again or
/// passed over by whoever serves it; after [`Exit::Settle`] it is the next one.
pub(super) enum Exit {
    Done,
    Poll,
    Settle,
    Compile(u32),
    Literal(u32),
    Grow,
    Depth,
    Call { at: u8, n: u8, tail: bool },
    Apply { at: u8, tail: bool },
    Perform { at: u8, n: u8 },
    Verb { verb: Verb, at: u8, n: u8 },
    Trouble(Trouble),
}

#[inline(always)]
fn jump(pc: &mut usize, by: i32) {
    *pc = pc.wrapping_add_signed(by as isize);
}

impl Machine {
    /// Runs until something else is needed, at most for so much fuel. Answers with what is needed
    /// and the fuel left.
    #[expect(clippy::too_many_lines, reason = "one arm for each instruction")]
    #[expect(clippy::cognitive_complexity, reason = "one arm for each instruction")]
    pub(super) fn steps(&mut self, budget: u64) -> (Exit, u64) {
        let projection = &mut self.projection;
        let code = projection.code.as_slice();
        let entries = projection.entries.as_slice();
        let constants = projection.constants.as_slice();
        let objects = projection.objects.as_slice();
        let globals = projection.values.as_mut_slice();
        let heap = &mut self.heap;
        let frames = &mut self.frames;
        let calls_max = self.limits.calls;
        let registers = self.registers.as_mut_slice();

        let mut left = budget;
        let mut pc = self.pc as usize;
        let mut base = self.base as usize;
        let Some(mut window) = view(registers, base) else { return (Exit::Grow, left) };

        let exit = loop {
            let Some(&instruction) = code.get(pc) else {
                break Exit::Trouble(Trouble::new(Kind::State, "the code has ended"));
            };
            pc += 1;

            macro_rules! r {
                ($register:expr) => {
                    window[usize::from($register)]
                };
            }
            // Leaves the loop at this instruction.
            macro_rules! leave {
                ($exit:expr) => {{
                    pc -= 1;
                    break $exit;
                }};
            }
            macro_rules! check {
                ($result:expr) => {
                    match $result {
                        Ok(value) => value,
                        Err(trouble) => leave!(Exit::Trouble(trouble)),
                    }
                };
            }
            // Leaves the loop behind this instruction if the heap asks for the machine.
            macro_rules! settle {
                () => {
                    if heap.is_pressed() {
                        break Exit::Settle;
                    }
                };
            }
            macro_rules! arithmetic {
                ($fast:expr, $operation:expr, $d:expr, $a:expr, $b:expr) => {
                    match $fast {
                        Some(word) => r!($d) = word,
                        None => {
                            r!($d) = check!(slow_arithmetic(heap, $operation, $a, $b));
                            settle!();
                        }
                    }
                };
            }
            macro_rules! compare {
                ($compare:expr, $a:expr, $b:expr, $by:expr) => {{
                    let (a, b) = ($a, $b);
                    let holds = match int_order(a, b) {
                        Some(order) => $compare.holds(order),
                        None => check!(slow_compare(heap, $compare, a, b)),
                    };
                    if !holds {
                        jump(&mut pc, $by);
                    }
                }};
            }
            macro_rules! go_back {
                ($word:expr) => {{
                    r!(0u8) = $word;
                    let Some(frame) = frames.pop() else { break Exit::Done };
                    pc = frame.pc() as usize;
                    base = frame.base() as usize;
                    match view(registers, base) {
                        Some(found) => window = found,
                        None => break Exit::Grow,
                    }
                }};
            }
            // The entry of a function that can be called at once, or an exit.
            macro_rules! ready {
                ($function:expr, $at:expr, $n:expr, $tail:expr) => {{
                    let function = $function;
                    let Entry { pc: entry, arity } = match entries.get(function as usize) {
                        Some(entry) => *entry,
                        None => Entry { pc: 0, arity: ARITY_OTHER },
                    };
                    if arity != $n {
                        leave!(Exit::Call { at: $at, n: $n, tail: $tail });
                    }
                    if entry == 0 {
                        leave!(Exit::Compile(function));
                    }
                    if left == 0 {
                        leave!(Exit::Poll);
                    }
                    left -= 1;
                    entry as usize
                }};
            }
            macro_rules! enter {
                ($function:expr, $at:expr, $n:expr) => {{
                    let entry = ready!($function, $at, $n, false);
                    if frames.len() >= calls_max {
                        leave!(Exit::Depth);
                    }
                    let next = base + usize::from($at);
                    match view(registers, next) {
                        Some(found) => window = found,
                        None => leave!(Exit::Grow),
                    }
                    frames.push(Frame::new(pc as u32, base as u32));
                    base = next;
                    pc = entry;
                }};
            }
            macro_rules! enter_tail {
                ($function:expr, $at:expr, $n:expr) => {{
                    let entry = ready!($function, $at, $n, true);
                    let at = usize::from($at);
                    for slot in 0..=usize::from($n) {
                        if let Some(&word) = window.get(at + slot) {
                            window[slot & (WINDOW - 1)] = word;
                        }
                    }
                    pc = entry;
                }};
            }
            // A turn of a loop: a safepoint. Most loops begin with the test of a number, which is
            // taken along.
            macro_rules! turn {
                ($by:expr) => {{
                    if left == 0 {
                        leave!(Exit::Poll);
                    }
                    left -= 1;
                    jump(&mut pc, $by);
                    if let Some(&I::EqInt { a, value, by }) = code.get(pc) {
                        pc += 1;
                        if r!(a) != int_word(i64::from(value)) {
                            jump(&mut pc, by);
                        }
                    }
                }};
            }
            // The function a word is, or an exit that calls whatever it is.
            macro_rules! function {
                ($word:expr, $at:expr, $n:expr, $tail:expr) => {{
                    let word = $word;
                    match sort(word) {
                        FUNCTION => word.raw() as u32,
                        OBJECT => match heap.function(word) {
                            Some(function) => function,
                            None => leave!(Exit::Call { at: $at, n: $n, tail: $tail }),
                        },
                        _ => leave!(Exit::Call { at: $at, n: $n, tail: $tail }),
                    }
                }};
            }

            match instruction {
                I::Move { d, a } => r!(d) = r!(a),
                I::Int { d, value } => r!(d) = int_word(i64::from(value)),
                I::Nil { d } => r!(d) = Word::NIL,
                I::Bool { d, value } => r!(d) = Word::bool(value),
                I::Constant { d, id } => {
                    r!(d) = constants.get(id as usize).copied().unwrap_or(Word::NIL);
                }
                I::Literal { d, id } => match objects.get(id as usize) {
                    Some(&word) if word != UNBOUND => r!(d) = word,
                    _ => leave!(Exit::Literal(id)),
                },
                I::Builtin { d, place, id } => {
                    r!(d) = match u64::from(place) {
                        FUNCTION => function_word(id),
                        _ => primitive_word(id),
                    };
                }
                I::Global { d, id } => match globals.get(id as usize) {
                    Some(&word) if word != UNBOUND => r!(d) = word,
                    _ => leave!(Exit::Trouble(Trouble::Unbound(id))),
                },
                I::Define { a, id } => {
                    if let Some(slot) = globals.get_mut(id as usize) {
                        *slot = r!(a);
                    }
                }
                I::Captured { d, index } => r!(d) = heap.captured(r!(0u8), usize::from(index)),
                I::Closure { d, first, n } => {
                    let Some(&I::Operand { id }) = code.get(pc) else {
                        leave!(Exit::Trouble(Trouble::new(Kind::State, "a closure without code")))
                    };
                    let from = usize::from(first);
                    let captured = window.get(from..from + usize::from(n)).unwrap_or(&[]);
                    r!(d) = check!(heap.closure(id, captured));
                    pc += 1;
                    settle!();
                }
                I::Operand { .. } => {}

                I::Add { d, a, b } => {
                    let (a, b) = (r!(a), r!(b));
                    arithmetic!(add(a, b), Arithmetic::Add, d, a, b);
                }
                I::Sub { d, a, b } => {
                    let (a, b) = (r!(a), r!(b));
                    arithmetic!(sub(a, b), Arithmetic::Sub, d, a, b);
                }
                I::Rem { d, a, b } => {
                    let (a, b) = (r!(a), r!(b));
                    arithmetic!(rem(a, b), Arithmetic::Rem, d, a, b);
                }
                I::RemInt { d, a, value } => {
                    let (a, b) = (r!(a), int_word(i64::from(value)));
                    arithmetic!(rem_int(a, value), Arithmetic::Rem, d, a, b);
                }
                I::Mul { d, a, b } => {
                    let (a, b) = (r!(a), r!(b));
                    arithmetic!(mul(a, b), Arithmetic::Mul, d, a, b);
                }
                I::AddInt { d, a, value } => match add_int(r!(a), value) {
                    Some(word) => r!(d) = word,
                    None => {
                        // What subtracts is compiled to the addition of the negative number.
                        let (operation, value) = match value < 0 {
                            true => (Arithmetic::Sub, -i64::from(value)),
                            false => (Arithmetic::Add, i64::from(value)),
                        };
                        r!(d) = check!(slow_arithmetic(heap, operation, r!(a), int_word(value)));
                        settle!();
                    }
                },
                I::Test { d, a, b, compare } => {
                    let (a, b) = (r!(a), r!(b));
                    let holds = match int_order(a, b) {
                        Some(order) => compare.holds(order),
                        None => check!(slow_compare(heap, compare, a, b)),
                    };
                    r!(d) = Word::bool(holds);
                }

                I::Jump { by } => jump(&mut pc, by),
                I::Loop { by } => turn!(by),
                // Whoever comes back here moves once more, from where nothing was written since.
                I::MoveLoop { d, a, by } => {
                    r!(d) = r!(a);
                    turn!(by);
                }
                I::JumpIfFalse { a, by } => {
                    if !r!(a).is_truthy() {
                        jump(&mut pc, by);
                    }
                }
                I::JumpIfTrue { a, by } => {
                    if r!(a).is_truthy() {
                        jump(&mut pc, by);
                    }
                }
                I::Lt { a, b, by } => compare!(Compare::Lt, r!(a), r!(b), by),
                I::Le { a, b, by } => compare!(Compare::Le, r!(a), r!(b), by),
                I::Gt { a, b, by } => compare!(Compare::Gt, r!(a), r!(b), by),
                I::Ge { a, b, by } => compare!(Compare::Ge, r!(a), r!(b), by),
                I::Eq { a, b, by } => {
                    if !check!(equal(heap, r!(a), r!(b))) {
                        jump(&mut pc, by);
                    }
                }
                I::Ne { a, b, by } => {
                    if check!(equal(heap, r!(a), r!(b))) {
                        jump(&mut pc, by);
                    }
                }
                I::LtInt { a, value, by } => {
                    compare!(Compare::Lt, r!(a), int_word(i64::from(value)), by);
                }
                I::LeInt { a, value, by } => {
                    compare!(Compare::Le, r!(a), int_word(i64::from(value)), by);
                }
                I::GtInt { a, value, by } => {
                    compare!(Compare::Gt, r!(a), int_word(i64::from(value)), by);
                }
                I::GeInt { a, value, by } => {
                    compare!(Compare::Ge, r!(a), int_word(i64::from(value)), by);
                }
                // A small integer is no object, so it is equal only to itself.
                I::EqInt { a, value, by } => {
                    if r!(a) != int_word(i64::from(value)) {
                        jump(&mut pc, by);
                    }
                }
                I::NeInt { a, value, by } => {
                    if r!(a) == int_word(i64::from(value)) {
                        jump(&mut pc, by);
                    }
                }

                I::Primitive1 { d, a, id } => {
                    r!(d) = check!(run_plain(heap, id, &[r!(a)]));
                    settle!();
                }
                I::Primitive2 { d, a, b, id } => {
                    r!(d) = check!(run_plain(heap, id, &[r!(a), r!(b)]));
                    settle!();
                }
                I::Assoc { d, a, b } => {
                    if !heap.assoc_in_place(r!(d), r!(a), r!(b)) {
                        r!(d) = check!(slow_assoc(heap, [r!(d), r!(a), r!(b)]));
                        settle!();
                    }
                }
                I::Update { d, at, n, id } => {
                    let mut args = [Word::NIL; UPDATE_ARGS_MAX];
                    let n = usize::from(n) + 1;
                    for (slot, register) in
                        args.iter_mut().zip(std::iter::once(d).chain(at..)).take(n)
                    {
                        *slot = r!(register);
                    }
                    let args = args.get(..n).unwrap_or(&args);
                    match builtin::primitive(id).map(|primitive| primitive.body) {
                        Some(Body::Plain(run)) => r!(d) = check!(heap.update(id, run, args)),
                        _ => leave!(Exit::Trouble(Trouble::new(Kind::State, "no primitive"))),
                    }
                    settle!();
                }
                I::Share { a } => heap.disown(r!(a)),
                I::Primitive { at, n, id } => {
                    let from = usize::from(at);
                    let args = window.get(from..from + usize::from(n)).unwrap_or(&[]);
                    match builtin::primitive(id) {
                        Some(primitive) if !primitive.admits(args.len()) => {
                            leave!(Exit::Trouble(primitive.arity(args.len())))
                        }
                        Some(primitive) => match primitive.body {
                            Body::Plain(run) => r!(at) = check!(run(heap, args)),
                            Body::Verb(verb) => leave!(Exit::Verb { verb, at, n }),
                        },
                        None => leave!(Exit::Trouble(Trouble::new(Kind::State, "no primitive"))),
                    }
                    settle!();
                }

                I::Call { at, n } => {
                    let function = function!(r!(at), at, n, false);
                    enter!(function, at, n);
                }
                I::TailCall { at, n } => {
                    let function = function!(r!(at), at, n, true);
                    enter_tail!(function, at, n);
                }
                I::CallGlobal { at, n, id } => {
                    let word = globals.get(id as usize).copied().unwrap_or(UNBOUND);
                    r!(at) = word;
                    let function = function!(word, at, n, false);
                    enter!(function, at, n);
                }
                I::TailCallGlobal { at, n, id } => {
                    let word = globals.get(id as usize).copied().unwrap_or(UNBOUND);
                    r!(at) = word;
                    let function = function!(word, at, n, true);
                    enter_tail!(function, at, n);
                }
                I::Apply { at, tail } => leave!(Exit::Apply { at, tail }),
                I::Perform { at, n } => leave!(Exit::Perform { at, n }),

                I::Return { a } => go_back!(r!(a)),
                I::ReturnInt { value } => go_back!(int_word(i64::from(value))),
                I::ReturnAdd { a, b } => {
                    let (a, b) = (r!(a), r!(b));
                    match add(a, b) {
                        Some(word) => go_back!(word),
                        None => {
                            let word = check!(slow_arithmetic(heap, Arithmetic::Add, a, b));
                            go_back!(word);
                            settle!();
                        }
                    }
                }
                I::Halt => break Exit::Done,
            }
        };
        self.pc = pc as u32;
        self.base = base as u32;
        (exit, left)
    }
}

#[inline(always)]
fn view(registers: &mut [Word], base: usize) -> Option<&mut [Word; WINDOW]> {
    registers.get_mut(base..)?.first_chunk_mut()
}
