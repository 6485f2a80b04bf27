//! Nock 4K: `*[subject formula]`, without recursion and with fuel.
//!
//! | formula | product |
//! | --- | --- |
//! | `[[b c] d]` | the cell of both products |
//! | `[0 b]` | the part of the subject at axis `b` |
//! | `[1 b]` | `b` |
//! | `[2 b c]` | the product of `c`'s product on `b`'s product |
//! | `[3 b]` | 0 if `b`'s product is a cell, 1 if it is an atom |
//! | `[4 b]` | `b`'s product and one |
//! | `[5 b c]` | 0 if both products are equal, else 1 |
//! | `[6 b c d]` | `c`'s product if `b`'s is 0, `d`'s if it is 1 |
//! | `[7 b c]` | `c`'s product on `b`'s product |
//! | `[8 b c]` | `c`'s product on `b`'s product beside the subject |
//! | `[9 b c]` | the product of the formula at axis `b` of `c`'s product, on that |
//! | `[10 [b c] d]` | `d`'s product with `c`'s in place of the part at axis `b` |
//! | `[11 b c]`, `[11 [b c] d]` | the last's product; a hint, of which `c` is computed as well |
//!
//! Everything else crashes: the machine stops with [`Crash::Exit`], which is as determined by the
//! formula as a product is. Running out of fuel or memory is not.
//!
//! 1. What is to be done is a stack of [`Step`]s, what was computed a stack of nouns. A step takes
//!    its operands from the second and leaves one noun there.
//! 2. The last thing a step does is the last step it pushes, so that a loop in Nock (a call in tail
//!    position) needs no room.
//! 3. Fuel falls by at least one a step, and by one for every noun that a step looks at.
//! 4. Nouns made by the run are dropped as soon as the run cannot reach them, at the latest when
//!    memory is short; when it crashes, all are.

use crate::arena::{Arena, Full, Mark};
use crate::noun::{Atom, Noun};

/// A run that made so much garbage looks whether it can be dropped.
const NURSERY_BYTES_MIN: usize = if cfg!(test) { 1 << 12 } else { 1 << 24 };

/// Why a formula has no product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Crash {
    /// The formula is undefined on this subject, on every machine and every time.
    #[error("the formula crashes: {why}")]
    Exit {
        /// What was undefined.
        why: &'static str,
    },
    /// The fuel ran out first.
    #[error("out of fuel: give more, or look for an endless loop")]
    OutOfFuel,
    /// The memory limit was reached first.
    #[error(transparent)]
    Full(#[from] Full),
}

const fn exit<T>(why: &'static str) -> Result<T, Crash> {
    Err(Crash::Exit { why })
}

/// The product of `formula` on `subject`. Takes what it used from `fuel`.
///
/// ```
/// use nock::{Arena, Crash, parse, run, text};
///
/// // Decrement 42: count up from 0 until the successor is the subject.
/// let mut arena = Arena::new();
/// let subject = parse(&mut arena, "42")?;
/// let decrement =
///     parse(&mut arena, "[8 [1 0] 8 [1 6 [5 [0 7] 4 0 6] [0 6] 9 2 [0 2] [4 0 6] 0 7] 9 2 0 1]")?;
/// let mut fuel = 10_000;
/// let product = run(&mut arena, subject, decrement, &mut fuel)?;
/// assert_eq!(text(&arena, product, 1)?, "41");
///
/// let endless = parse(&mut arena, "[2 [0 1] 0 1]")?; // its own product on itself
/// assert_eq!(run(&mut arena, endless, endless, &mut fuel).unwrap_err(), Crash::OutOfFuel);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Crash::Exit`], [`Crash::OutOfFuel`], or [`Crash::Full`] when what the run needs at once takes
/// more than half of the room that the arena had left. Then nothing that it made stays.
pub fn run(arena: &mut Arena, subject: Noun, formula: Noun, fuel: &mut u64) -> Result<Noun, Crash> {
    let mark = arena.mark();
    let mut machine = Machine {
        steps: vec![Step::Eval { subject, formula }],
        products: Vec::new(),
        fuel,
        mark,
        collect_at: arena.bytes().saturating_add(NURSERY_BYTES_MIN),
        arena,
    };
    match machine.run() {
        Ok(mut product) => {
            arena.keep(mark, std::iter::once(&mut product));
            Ok(product)
        }
        Err(crash) => {
            arena.truncate(mark);
            Err(crash)
        }
    }
}

/// Something that is left to do. Operands are on the stack of products, the last on top.
enum Step {
    /// Leaves the product of a formula.
    Eval {
        subject: Noun,
        formula: Noun,
    },
    /// Takes head and tail, leaves the cell.
    Cons,
    /// Takes a subject and a formula, leaves the product.
    Apply,
    IsCell,
    Increment,
    Equal,
    /// Takes 0 or 1.
    Branch {
        subject: Noun,
        yes: Noun,
        no: Noun,
    },
    /// Takes the subject.
    Then {
        formula: Noun,
    },
    /// Takes what stands beside the subject.
    Push {
        subject: Noun,
        formula: Noun,
    },
    /// Takes the core.
    Call {
        axis: Noun,
    },
    /// Takes the new part and the noun to change.
    Edit {
        axis: Noun,
    },
    /// Takes the product of a hint and leaves nothing.
    Drop,
}

impl Step {
    /// The nouns it keeps.
    fn nouns(&mut self) -> [Option<&mut Noun>; 3] {
        match self {
            Step::Eval { subject, formula } | Step::Push { subject, formula } => {
                [Some(subject), Some(formula), None]
            }
            Step::Branch { subject, yes, no } => [Some(subject), Some(yes), Some(no)],
            Step::Then { formula } => [Some(formula), None, None],
            Step::Call { axis } | Step::Edit { axis } => [Some(axis), None, None],
            Step::Cons
            | Step::Apply
            | Step::IsCell
            | Step::Increment
            | Step::Equal
            | Step::Drop => [None, None, None],
        }
    }
}

struct Machine<'a> {
    arena: &'a mut Arena,
    steps: Vec<Step>,
    products: Vec<Noun>,
    fuel: &'a mut u64,
    mark: Mark,
    /// How many bytes the arena may reach before the run looks for garbage.
    collect_at: usize,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Noun, Crash> {
        while let Some(step) = self.steps.pop() {
            self.burn(1)?;
            self.take(step)?;
            self.check_memory()?;
        }
        self.pop()
    }

    fn burn(&mut self, fuel: u64) -> Result<(), Crash> {
        match self.fuel.checked_sub(fuel) {
            Some(left) => *self.fuel = left,
            None => {
                *self.fuel = 0;
                return Err(Crash::OutOfFuel);
            }
        }
        Ok(())
    }

    fn pop(&mut self) -> Result<Noun, Crash> {
        self.products.pop().ok_or(Crash::Exit { why: "no product" })
    }

    /// Drops what cannot be reached once enough was made, and counts the stacks as memory. At least
    /// a quarter of the room is made between two collections, or the run ends: they never cost more
    /// than a constant for each byte made.
    fn check_memory(&mut self) -> Result<(), Crash> {
        let stacks = self.steps.len() * size_of::<Step>() + self.products.len() * size_of::<Noun>();
        let limit_bytes = self.arena.limit_bytes();
        let room = limit_bytes.saturating_sub(self.mark.bytes());
        let full_at = limit_bytes - room / 4;
        if self.arena.bytes().saturating_add(stacks) > self.collect_at.min(full_at) {
            let kept = self.steps.iter_mut().flat_map(|step| step.nouns().into_iter().flatten());
            self.arena.keep(self.mark, kept.chain(&mut self.products));
            let live = self.arena.bytes().saturating_add(stacks);
            if live > limit_bytes - room / 2 {
                return Err(Full { limit_bytes }.into());
            }
            self.collect_at = live.saturating_mul(2).max(live.saturating_add(NURSERY_BYTES_MIN));
        }
        Ok(())
    }

    fn take(&mut self, step: Step) -> Result<(), Crash> {
        match step {
            Step::Eval { subject, formula } => return self.eval(subject, formula),
            Step::Cons => {
                let (tail, head) = (self.pop()?, self.pop()?);
                let cell = self.arena.cell(head, tail)?;
                self.products.push(cell);
            }
            Step::Apply => {
                let (formula, subject) = (self.pop()?, self.pop()?);
                self.steps.push(Step::Eval { subject, formula });
            }
            Step::IsCell => {
                let product = self.pop()?;
                self.products.push(loobean(product.is_cell()));
            }
            Step::Increment => {
                let product = self.pop()?;
                let next = self.increment(product)?;
                self.products.push(next);
            }
            Step::Equal => {
                let (right, left) = (self.pop()?, self.pop()?);
                let (is_equal, cost) = self.arena.equal_counted(left, right);
                self.burn(cost)?;
                self.products.push(loobean(is_equal));
            }
            Step::Branch { subject, yes, no } => {
                let formula = match self.pop()?.as_direct() {
                    Some(0) => yes,
                    Some(1) => no,
                    _ => return exit("a branch on neither 0 nor 1"),
                };
                self.steps.push(Step::Eval { subject, formula });
            }
            Step::Then { formula } => {
                let subject = self.pop()?;
                self.steps.push(Step::Eval { subject, formula });
            }
            Step::Push { subject, formula } => {
                let head = self.pop()?;
                let subject = self.arena.cell(head, subject)?;
                self.steps.push(Step::Eval { subject, formula });
            }
            Step::Call { axis } => {
                let subject = self.pop()?;
                let formula = self.part(subject, axis)?;
                self.steps.push(Step::Eval { subject, formula });
            }
            Step::Edit { axis } => {
                let (whole, part) = (self.pop()?, self.pop()?);
                let edited = self.edit(axis, part, whole)?;
                self.products.push(edited);
            }
            Step::Drop => drop(self.pop()?),
        }
        Ok(())
    }

    fn eval(&mut self, subject: Noun, formula: Noun) -> Result<(), Crash> {
        let (operator, operand) = self.cell(formula, "an atom is no formula")?;
        let eval = |formula| Step::Eval { subject, formula };
        if operator.is_cell() {
            self.steps.extend([Step::Cons, eval(operand), eval(operator)]);
            return Ok(());
        }
        match operator.as_direct() {
            Some(0) => {
                let part = self.part(subject, operand)?;
                self.products.push(part);
            }
            Some(1) => self.products.push(operand),
            Some(2) => {
                let (b, c) = self.cell(operand, "opcode 2 takes two formulas")?;
                self.steps.extend([Step::Apply, eval(c), eval(b)]);
            }
            Some(3) => self.steps.extend([Step::IsCell, eval(operand)]),
            Some(4) => self.steps.extend([Step::Increment, eval(operand)]),
            Some(5) => {
                let (b, c) = self.cell(operand, "opcode 5 takes two formulas")?;
                self.steps.extend([Step::Equal, eval(c), eval(b)]);
            }
            Some(6) => {
                let (test, arms) = self.cell(operand, "opcode 6 takes three formulas")?;
                let (yes, no) = self.cell(arms, "opcode 6 takes three formulas")?;
                self.steps.extend([Step::Branch { subject, yes, no }, eval(test)]);
            }
            Some(7) => {
                let (b, formula) = self.cell(operand, "opcode 7 takes two formulas")?;
                self.steps.extend([Step::Then { formula }, eval(b)]);
            }
            Some(8) => {
                let (b, formula) = self.cell(operand, "opcode 8 takes two formulas")?;
                self.steps.extend([Step::Push { subject, formula }, eval(b)]);
            }
            Some(9) => {
                let (axis, core) = self.cell(operand, "opcode 9 takes an axis and a formula")?;
                self.steps.extend([Step::Call { axis }, eval(core)]);
            }
            Some(10) => {
                let (change, whole) = self.cell(operand, "opcode 10 takes a cell and a formula")?;
                let (axis, part) = self.cell(change, "opcode 10 takes an axis and a formula")?;
                self.steps.extend([Step::Edit { axis }, eval(whole), eval(part)]);
            }
            Some(11) => {
                let (hint, formula) = self.cell(operand, "opcode 11 takes a hint and a formula")?;
                self.steps.push(eval(formula));
                if let Some((_, clue)) = self.arena.as_cell(hint) {
                    self.steps.extend([Step::Drop, eval(clue)]);
                }
            }
            _ => return exit("no such opcode"),
        }
        Ok(())
    }

    fn cell(&self, noun: Noun, why: &'static str) -> Result<(Noun, Noun), Crash> {
        self.arena.as_cell(noun).ok_or(Crash::Exit { why })
    }

    fn axis(&self, axis: Noun) -> Result<Atom<'_>, Crash> {
        match self.arena.as_atom(axis) {
            Some(atom) if atom.bit_count() > 0 => Ok(atom),
            Some(_) => exit("there is no axis 0"),
            None => exit("an axis is an atom"),
        }
    }

    /// `/[axis noun]`: the bits of the axis below its highest say where to turn.
    fn part(&mut self, noun: Noun, axis: Noun) -> Result<Noun, Crash> {
        let path = self.axis(axis)?;
        let depth = path.bit_count() - 1;
        let mut part = noun;
        for level in (0..depth).rev() {
            let (head, tail) = self.cell(part, "an axis leads into an atom")?;
            part = if path.bit(level) { tail } else { head };
        }
        self.burn(depth)?;
        Ok(part)
    }

    /// `#[axis part whole]`: new cells from the part up to the root.
    fn edit(&mut self, axis: Noun, part: Noun, whole: Noun) -> Result<Noun, Crash> {
        let path = self.axis(axis)?;
        let depth = path.bit_count() - 1;
        let mut siblings = Vec::new();
        let mut noun = whole;
        for level in (0..depth).rev() {
            let (head, tail) = self.cell(noun, "an axis leads into an atom")?;
            let is_tail = path.bit(level);
            siblings.push((is_tail, if is_tail { head } else { tail }));
            noun = if is_tail { tail } else { head };
        }
        self.burn(depth)?;
        let mut edited = part;
        for (is_tail, sibling) in siblings.into_iter().rev() {
            let (head, tail) = if is_tail { (sibling, edited) } else { (edited, sibling) };
            edited = self.arena.cell(head, tail)?;
        }
        Ok(edited)
    }

    fn increment(&mut self, noun: Noun) -> Result<Noun, Crash> {
        if let Some(value) = noun.as_direct() {
            return Ok(self.arena.atom(value + 1)?);
        }
        let Some(atom) = self.arena.as_atom(noun) else { return exit("a cell has no successor") };
        let mut limbs: Vec<u64> = atom.iter_limbs().collect();
        self.burn(limbs.len() as u64)?;
        for limb in &mut limbs {
            let (sum, carries) = limb.overflowing_add(1);
            *limb = sum;
            if !carries {
                return Ok(self.arena.atom_from_limbs(&limbs)?);
            }
        }
        limbs.push(1);
        Ok(self.arena.atom_from_limbs(&limbs)?)
    }
}

/// Nock's truth: 0 is yes.
const fn loobean(truth: bool) -> Noun {
    if truth { Noun::ZERO } else { Noun::ONE }
}

#[cfg(test)]
mod tests;
