//! Cue: bytes as a noun; the inverse of jam.
//!
//! 1. Memory is linear in the input: a cell takes at least two bits of it, an atom its own length,
//!    and a back reference makes nothing new.
//! 2. A back reference names the first bit of a noun that is complete. What it may name is a
//!    bitmap with a running count, so that finding it takes constant time.

use crate::arena::{Arena, Full};
use crate::bits::BitReader;
use crate::noun::Noun;

/// Why bytes are no jammed noun. Positions are bits from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CueError {
    /// The bytes end inside a noun.
    #[error("the bytes end inside the noun that begins at bit {at}; was the input cut off?")]
    Truncated {
        /// Where that noun begins.
        at: u64,
    },
    /// A reference names a place where no complete noun began.
    #[error("the reference at bit {at} names bit {target}, where no complete noun begins")]
    Reference {
        /// Where the reference begins.
        at: u64,
        /// What it names.
        target: u64,
    },
    /// A number says that it is longer than any number can be.
    #[error("the size at bit {at} is impossible")]
    Size {
        /// Where the noun begins.
        at: u64,
    },
    /// Something follows the noun.
    #[error("something follows the noun, which ends at bit {at}")]
    Trailing {
        /// Where the noun ends.
        at: u64,
    },
    /// The arena's memory limit.
    #[error(transparent)]
    Full(#[from] Full),
}

/// The noun whose jam these bytes are, and nothing else: at most seven zero bits follow.
///
/// # Errors
/// [`CueError`], which says what is wrong at which bit.
pub fn cue(arena: &mut Arena, bytes: &[u8]) -> Result<Noun, CueError> {
    let (noun, end) = cue_prefix(arena, bytes)?;
    let last_byte = usize::try_from(end / 8).ok().and_then(|last| bytes.get(last));
    let is_clean = last_byte.is_none_or(|byte| byte >> (end % 8) == 0);
    if is_clean && end.div_ceil(8) == bytes.len() as u64 {
        Ok(noun)
    } else {
        Err(CueError::Trailing { at: end })
    }
}

/// The noun at the beginning of the bytes, and how many bits it takes: Urbit's `++cue`, which does
/// not look at what follows.
///
/// # Errors
/// [`CueError`], which says what is wrong at which bit.
pub fn cue_prefix(arena: &mut Arena, bytes: &[u8]) -> Result<(Noun, u64), CueError> {
    let mark = arena.mark();
    let mut cue = Cue { bits: BitReader::new(bytes), starts: Starts::default(), open: Vec::new() };
    match cue.run(arena) {
        Ok(noun) => Ok((noun, cue.bits.position())),
        Err(error) => {
            arena.truncate(mark);
            Err(error)
        }
    }
}

struct Cue<'a> {
    bits: BitReader<'a>,
    starts: Starts,
    /// The cells that are not complete, outermost first.
    open: Vec<Open>,
}

struct Open {
    start: StartId,
    head: Option<Noun>,
}

impl Cue<'_> {
    fn run(&mut self, arena: &mut Arena) -> Result<Noun, CueError> {
        loop {
            if let Some(leaf) = self.read_leaf(arena)?
                && let Some(whole) = self.close(arena, leaf)?
            {
                return Ok(whole);
            }
        }
    }

    /// The next atom or reference; `None` for the beginning of a cell.
    fn read_leaf(&mut self, arena: &mut Arena) -> Result<Option<Noun>, CueError> {
        let at = self.bits.position();
        let truncated = CueError::Truncated { at };
        if self.bits.read(1).ok_or(truncated)? == 0 {
            let start = self.starts.begin(at);
            let atom = self.read_atom(arena, at)?;
            self.starts.complete(start, atom);
            return Ok(Some(atom));
        }
        if self.bits.read(1).ok_or(truncated)? == 0 {
            self.open.push(Open { start: self.starts.begin(at), head: None });
            return Ok(None);
        }
        let target = self.read_size(at)?;
        let target = if target <= 64 { self.bits.read(target) } else { None };
        let target = target.ok_or(CueError::Size { at })?;
        let noun = self.starts.noun(target).ok_or(CueError::Reference { at, target })?;
        Ok(Some(noun))
    }

    /// Puts a complete noun where it belongs; the whole, if it was the last.
    fn close(&mut self, arena: &mut Arena, mut noun: Noun) -> Result<Option<Noun>, CueError> {
        while let Some(cell) = self.open.last_mut() {
            let Some(head) = cell.head else {
                cell.head = Some(noun);
                return Ok(None);
            };
            noun = arena.cell(head, noun)?;
            self.starts.complete(cell.start, noun);
            self.open.pop();
        }
        Ok(Some(noun))
    }

    /// How many bits the number that follows has.
    fn read_size(&mut self, at: u64) -> Result<u64, CueError> {
        let truncated = CueError::Truncated { at };
        let width = self.bits.read_zeros().ok_or(truncated)?;
        let Some(low_bits) = width.checked_sub(1) else { return Ok(0) };
        if low_bits >= u64::from(u64::BITS) {
            return Err(CueError::Size { at });
        }
        Ok(1 << low_bits | self.bits.read(low_bits).ok_or(truncated)?)
    }

    fn read_atom(&mut self, arena: &mut Arena, at: u64) -> Result<Noun, CueError> {
        let mut left = self.read_size(at)?;
        if left > self.bits.left() {
            return Err(CueError::Truncated { at });
        }
        let mut limbs = Vec::with_capacity(usize::try_from(left.div_ceil(64)).unwrap_or(0));
        while left > 0 {
            let step = left.min(64);
            limbs.push(self.bits.read(step).ok_or(CueError::Truncated { at })?);
            left -= step;
        }
        Ok(arena.atom_from_limbs(&limbs)?)
    }
}

/// Which noun began at a bit.
#[derive(Default)]
struct Starts {
    /// Bit `n` is set if an atom or a cell began at bit `n` of the input.
    bitmap: Vec<u64>,
    /// How many began before each word of the bitmap.
    before: Vec<usize>,
    /// The nouns in the order in which they began; `None` while incomplete.
    nouns: Vec<Option<Noun>>,
}

#[derive(Clone, Copy)]
struct StartId(usize);

impl Starts {
    /// Notes that a noun begins at `position`, which is beyond every one before.
    fn begin(&mut self, position: u64) -> StartId {
        let word = usize::try_from(position / 64).unwrap_or(usize::MAX);
        while self.bitmap.len() <= word {
            self.bitmap.push(0);
            self.before.push(self.nouns.len());
        }
        if let Some(bits) = self.bitmap.get_mut(word) {
            *bits |= 1 << (position % 64);
        }
        self.nouns.push(None);
        StartId(self.nouns.len() - 1)
    }

    fn complete(&mut self, start: StartId, noun: Noun) {
        if let Some(slot) = self.nouns.get_mut(start.0) {
            *slot = Some(noun);
        }
    }

    /// The complete noun that began at `position`.
    fn noun(&self, position: u64) -> Option<Noun> {
        let word = usize::try_from(position / 64).ok()?;
        let (bits, bit) = (*self.bitmap.get(word)?, 1 << (position % 64));
        if bits & bit == 0 {
            return None;
        }
        let index = self.before.get(word)? + (bits & (bit - 1)).count_ones() as usize;
        *self.nouns.get(index)?
    }
}

#[cfg(test)]
mod tests;
