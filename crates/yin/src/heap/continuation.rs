//! Continuations: the waiting calls between a prompt and a place, with their registers.
//!
//! The object is `[use, pc, base, result, frames, (pc, base) …, register …]`; bases and the place
//! of the result count from the first register of the first call.
//!
//! Taken by the stepper, or brought from another machine, it is `[use, -1, frames, (program,
//! node, stance, count) …, word …]`: calls in terms of the AST.
//!
//! 1. What is captured is a copy, so a continuation can be called any number of times; one that
//!    may be called once is marked when it is.
//! 2. Nothing that it holds is owned by a register any more.

use datom::Word;

use super::{Form, Heap, payload, small};
use crate::ast::NodeId;
use crate::error::Trouble;
use crate::machine::{Stack, Stance, Told};

/// Fields in front of the frames.
const HEAD: usize = 5;
const TOLD_HEAD: usize = 3;
/// What stands for an address in a continuation that has none.
const MINUS_ONE: Word = match Word::int(-1) {
    Some(word) => word,
    None => Word::NIL,
};

/// How often a continuation may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Many,
    Once,
    Spent,
}

impl Use {
    pub(crate) const fn of(number: u32) -> Self {
        match number {
            0 => Use::Many,
            1 => Use::Once,
            _ => Use::Spent,
        }
    }
}

/// A continuation, read out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Continuation {
    pub(crate) may: Use,
    /// Where the innermost call goes on.
    pub(crate) pc: u32,
    /// Where its registers begin.
    pub(crate) base: u32,
    /// The register that the value goes to.
    pub(crate) result: u32,
    /// The waiting calls, outermost first: where each goes on, and where its registers begin.
    pub(crate) frames: Vec<(u32, u32)>,
    pub(crate) registers: Vec<Word>,
}

impl Heap {
    /// A new continuation. Costs as much as it is large.
    pub(crate) fn continuation(&mut self, k: &Continuation) -> Result<Word, Trouble> {
        let length = HEAD + 2 * k.frames.len() + k.registers.len();
        self.room(length + 1)?;
        self.charge(length as u64)?;
        k.registers.iter().for_each(|&word| self.disown(word));
        let number = |n: u32| small(n as usize);
        let mut words = Vec::with_capacity(length);
        words.extend([small(k.may as usize), number(k.pc), number(k.base), number(k.result)]);
        words.push(small(k.frames.len()));
        words.extend(k.frames.iter().flat_map(|&(pc, base)| [number(pc), number(base)]));
        words.extend(&k.registers);
        self.object(Form::Continuation, &words)
    }

    /// What a continuation holds; `None` if the word is none.
    pub(crate) fn as_continuation(&self, word: Word) -> Option<Continuation> {
        let raw = self.raw_of(word, Form::Continuation)?;
        let words: Vec<Word> = raw.iter().map(|&raw| Word::from_raw(raw)).collect();
        let number = |word: &Word| word.as_int().and_then(|int| u32::try_from(int).ok());
        let &[may, pc, base, result, frames, ref rest @ ..] = words.as_slice() else { return None };
        let may = Use::of(number(&may)?);
        let (pairs, registers) = rest.split_at_checked(2 * number(&frames)? as usize)?;
        let frames = pairs
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[pc, base]| Some((number(pc)?, number(base)?)))
            .collect::<Option<_>>()?;
        let (pc, base, result) = (number(&pc)?, number(&base)?, number(&result)?);
        Some(Continuation { may, pc, base, result, frames, registers: registers.to_vec() })
    }

    /// A new continuation in terms of the AST.
    pub(crate) fn told_continuation(&mut self, may: Use, stack: &Stack) -> Result<Word, Trouble> {
        let length = TOLD_HEAD + 4 * stack.frames.len() + stack.words.len();
        self.room(length + 1)?;
        self.charge(length as u64)?;
        let mut words = Vec::with_capacity(length);
        words.extend([small(may as usize), MINUS_ONE, small(stack.frames.len())]);
        for told in &stack.frames {
            let numbers = [told.program as usize, told.node.index(), told.stance as usize];
            words.extend(numbers.into_iter().chain([told.count as usize]).map(small));
        }
        words.extend(&stack.words);
        stack.words.iter().for_each(|&word| self.disown(word));
        self.object(Form::Continuation, &words)
    }

    /// What a continuation in terms of the AST holds; `None` if the word is none.
    pub(crate) fn as_told(&self, word: Word) -> Option<(Use, Stack)> {
        let raw = self.raw_of(word, Form::Continuation)?;
        let words: Vec<Word> = raw.iter().map(|&raw| Word::from_raw(raw)).collect();
        let number = |word: &Word| word.as_int().and_then(|int| u32::try_from(int).ok());
        let &[may, MINUS_ONE, count, ref rest @ ..] = words.as_slice() else { return None };
        let (frames, words) = rest.split_at_checked(4 * number(&count)? as usize)?;
        let frames = frames.as_chunks::<4>().0.iter().map(|[program, node, stance, count]| {
            let stance = match number(stance)? {
                0 => Stance::Turn,
                1 => Stance::Call,
                _ => Stance::Wait,
            };
            let (program, node, count) = (number(program)?, number(node)?, number(count)?);
            Some(Told { program, node: NodeId::at(node), stance, count })
        });
        let frames = frames.collect::<Option<_>>()?;
        Some((Use::of(number(&may)?), Stack { frames, words: words.to_vec() }))
    }

    /// Marks a continuation as called.
    pub(crate) fn spend(&mut self, word: Word) {
        if self.form(word) == Some(Form::Continuation)
            && let Some(slot) = self.words.get_mut(payload(word) as usize + 1)
        {
            *slot = small(Use::Spent as usize).raw();
        }
    }
}
