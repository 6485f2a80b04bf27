//! Nouns as text: `[1 2 3]` is `[1 [2 3]]`.
//!
//! | read | as |
//! | --- | --- |
//! | `1000`, `1.000` | an atom, dots anywhere between digits |
//! | `0x1f`, `0xdead.beef` | an atom |
//! | `%fast` | the text as an atom, first byte lowest |
//! | `'a \'text\''` | the same, of any characters |
//! | `~` | 0 |
//! | `[a b c]` | cells, to the right |
//!
//! Printed are decimal numbers, and hexadecimal ones above [`DECIMAL_BITS_MAX`] bits.

use crate::arena::{Arena, Full};
use crate::noun::{Atom, Noun, View};

/// Longer atoms are written in hexadecimal, which takes linear time.
const DECIMAL_BITS_MAX: u64 = 4096;
/// Digits of the greatest power of ten in a limb.
const DECIMAL_CHUNK: usize = 19;

/// Why a text is no noun. Positions are bytes from the beginning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Something else should stand here.
    #[error("at byte {at}: expected {expected}")]
    Expected {
        /// Where.
        at: usize,
        /// What should be there.
        expected: &'static str,
    },
    /// A decimal number is too long to be read quickly.
    #[error("at byte {at}: a decimal number of more than 1233 digits; write it in hexadecimal")]
    TooLong {
        /// Where it begins.
        at: usize,
    },
    /// The arena's memory limit.
    #[error(transparent)]
    Full(#[from] Full),
}

/// The text of a noun would have too many parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the noun has more than {parts_max} parts when written out; jam it instead")]
pub struct TooLong {
    /// The limit that was given.
    pub parts_max: usize,
}

/// The text of a noun of at most `parts_max` atoms. (A noun of few cells can be a tree of very
/// many atoms, since cells are shared.)
///
/// # Errors
/// [`TooLong`] if it has more.
pub fn text(arena: &Arena, noun: Noun, parts_max: usize) -> Result<String, TooLong> {
    enum Part {
        Noun(Noun),
        Tail(Noun),
    }
    let mut out = String::new();
    let mut parts = 0;
    let mut pending = vec![Part::Noun(noun)];
    // A tail that is a cell needs no brackets of its own.
    while let Some(part) = pending.pop() {
        let (noun, is_tail) = match part {
            Part::Noun(noun) => (noun, false),
            Part::Tail(noun) => (noun, true),
        };
        match arena.view(noun) {
            View::Atom(atom) => {
                parts += 1;
                if parts > parts_max {
                    return Err(TooLong { parts_max });
                }
                out.push_str(if is_tail { " " } else { "" });
                write_atom(&mut out, atom);
                out.push_str(if is_tail { "]" } else { "" });
            }
            View::Cell(head, tail) => {
                if pending.len() > parts_max {
                    return Err(TooLong { parts_max });
                }
                out.push(if is_tail { ' ' } else { '[' });
                pending.push(Part::Tail(tail));
                pending.push(Part::Noun(head));
            }
        }
    }
    Ok(out)
}

fn write_atom(out: &mut String, atom: Atom<'_>) {
    if let Some(value) = atom.to_u64() {
        out.push_str(&value.to_string());
    } else if atom.bit_count() > DECIMAL_BITS_MAX {
        let mut limbs = atom.iter_limbs().rev();
        out.push_str(&format!("{:#x}", limbs.next().unwrap_or(0)));
        limbs.for_each(|limb| out.push_str(&format!("{limb:016x}")));
    } else {
        let mut limbs: Vec<u64> = atom.iter_limbs().collect();
        let mut chunks = Vec::new();
        while limbs.iter().any(|&limb| limb != 0) {
            chunks.push(divide(&mut limbs, 10_u64.pow(DECIMAL_CHUNK as u32)));
        }
        let mut chunks = chunks.into_iter().rev();
        out.push_str(&chunks.next().unwrap_or(0).to_string());
        chunks.for_each(|chunk| out.push_str(&format!("{chunk:019}")));
    }
}

/// Divides in place; the remainder.
fn divide(limbs: &mut [u64], divisor: u64) -> u64 {
    let mut remainder = 0;
    for limb in limbs.iter_mut().rev() {
        let dividend = u128::from(remainder) << 64 | u128::from(*limb);
        *limb = (dividend / u128::from(divisor)) as u64;
        remainder = (dividend % u128::from(divisor)) as u64;
    }
    remainder
}

/// Multiplies and adds in place.
fn multiply_add(limbs: &mut Vec<u64>, factor: u64, addend: u64) {
    let mut carry = addend;
    for limb in limbs.iter_mut() {
        let product = u128::from(*limb) * u128::from(factor) + u128::from(carry);
        *limb = product as u64;
        carry = (product >> 64) as u64;
    }
    if carry != 0 {
        limbs.push(carry);
    }
}

/// The noun of a text.
///
/// # Errors
/// [`ParseError`], which says what was expected where.
pub fn parse(arena: &mut Arena, text: &str) -> Result<Noun, ParseError> {
    let mark = arena.mark();
    let outcome = Parser { text, at: 0 }.parse(arena);
    if outcome.is_err() {
        arena.truncate(mark);
    }
    outcome
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn parse(&mut self, arena: &mut Arena) -> Result<Noun, ParseError> {
        // The parts so far of each cell that is open.
        let mut open: Vec<Vec<Noun>> = Vec::new();
        loop {
            self.skip_space();
            let noun = match self.peek() {
                Some('[') => {
                    self.at += 1;
                    open.push(Vec::new());
                    continue;
                }
                Some(']') => self.close(arena, &mut open)?,
                _ => {
                    let atom = self.atom(arena)?;
                    self.check_separate()?;
                    atom
                }
            };
            match open.last_mut() {
                Some(parts) => parts.push(noun),
                None => break self.end(noun),
            }
        }
    }

    fn close(&mut self, arena: &mut Arena, open: &mut Vec<Vec<Noun>>) -> Result<Noun, ParseError> {
        let parts = open.pop().ok_or(self.expected("a noun"))?;
        let (last, init) = parts
            .split_last()
            .filter(|(_, init)| !init.is_empty())
            .ok_or(self.expected("at least two nouns in a cell"))?;
        self.at += 1;
        Ok(init.iter().rev().try_fold(*last, |tail, &head| arena.cell(head, tail))?)
    }

    /// An atom ends at a space, a bracket or the end.
    fn check_separate(&self) -> Result<(), ParseError> {
        match self.peek() {
            None | Some('[' | ']') => Ok(()),
            Some(c) if c.is_whitespace() => Ok(()),
            Some(_) => Err(self.expected("a space or a bracket after the atom")),
        }
    }

    fn end(&mut self, noun: Noun) -> Result<Noun, ParseError> {
        self.skip_space();
        if self.at == self.text.len() { Ok(noun) } else { Err(self.expected("the end")) }
    }

    fn atom(&mut self, arena: &mut Arena) -> Result<Noun, ParseError> {
        match self.peek() {
            Some('0'..='9') if self.rest().starts_with("0x") => {
                self.at += 2;
                self.hexadecimal(arena)
            }
            Some('0'..='9') => self.decimal(arena),
            Some('%') => {
                self.at += 1;
                let name = self.take(|c| matches!(c, 'a'..='z' | '0'..='9' | '-'));
                if name.is_empty() {
                    return Err(self.expected("a name of a-z, 0-9 and -"));
                }
                Ok(arena.atom_from_bytes(name.as_bytes())?)
            }
            Some('\'') => self.cord(arena),
            Some('~') => {
                self.at += 1;
                Ok(Noun::ZERO)
            }
            Some(_) => Err(self.expected("a noun: a number, %name, 'text', ~ or [")),
            None => Err(self.expected("a noun or ], not the end")),
        }
    }

    fn decimal(&mut self, arena: &mut Arena) -> Result<Noun, ParseError> {
        let start = self.at;
        let digits = self.digits(|c| c.is_ascii_digit())?;
        // log10(2^4096) is 1233.02.
        if digits.len() as u64 > DECIMAL_BITS_MAX * 301 / 1000 + 1 {
            return Err(ParseError::TooLong { at: start });
        }
        let mut limbs = Vec::new();
        for digit in digits {
            multiply_add(&mut limbs, 10, u64::from(digit - b'0'));
        }
        Ok(arena.atom_from_limbs(&limbs)?)
    }

    fn hexadecimal(&mut self, arena: &mut Arena) -> Result<Noun, ParseError> {
        let digits = self.digits(|c| c.is_ascii_hexdigit())?;
        let mut limbs = Vec::with_capacity(digits.len().div_ceil(16));
        for chunk in digits.rchunks(16) {
            let digit = |byte: u8| u64::from(char::from(byte).to_digit(16).unwrap_or(0));
            limbs.push(chunk.iter().fold(0, |limb, &byte| limb << 4 | digit(byte)));
        }
        Ok(arena.atom_from_limbs(&limbs)?)
    }

    /// Digits with dots between them, without the dots.
    fn digits(&mut self, is_digit: impl Fn(char) -> bool) -> Result<Vec<u8>, ParseError> {
        let mut all = Vec::new();
        loop {
            let run = self.take(&is_digit);
            if run.is_empty() {
                return Err(self.expected("a digit"));
            }
            all.extend_from_slice(run.as_bytes());
            if self.peek() != Some('.') {
                return Ok(all);
            }
            self.at += 1;
        }
    }

    fn cord(&mut self, arena: &mut Arena) -> Result<Noun, ParseError> {
        self.at += 1;
        let mut cord = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((offset, c)) = chars.next() {
            match c {
                '\'' => {
                    self.at += offset + 1;
                    return Ok(arena.atom_from_bytes(cord.as_bytes())?);
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('\'' | '\\'))) => cord.push(escaped),
                    _ => {
                        self.at += offset + 1;
                        return Err(self.expected("' or \\ after \\"));
                    }
                },
                _ => cord.push(c),
            }
        }
        self.at = self.text.len();
        Err(self.expected("a closing '"))
    }

    fn skip_space(&mut self) {
        self.take(char::is_whitespace);
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn expected(&self, expected: &'static str) -> ParseError {
        ParseError::Expected { at: self.at, expected }
    }
}

#[cfg(test)]
mod tests;
