//! The noun: one tagged word.
//!
//! | upper bits | the rest holds |
//! | --- | --- |
//! | `0` | an atom below 2^63 |
//! | `10` | the index of a larger atom in its arena |
//! | `11` | the index of a cell in its arena |
//!
//! 1. Every atom has one form: the direct one if it fits, else limbs whose last is not zero.
//! 2. A word that is no direct atom means something only together with its arena.

use std::fmt;

const INDIRECT: u64 = 0b10 << 62;
const CELL: u64 = 0b11 << 62;
const INDEX_MASK: u64 = (1 << 62) - 1;

/// An atom or a cell, as one word. Copying it is free; comparing goes through
/// [`Arena::equal`](crate::Arena::equal), because equal nouns can lie in different places.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Noun(u64);

/// What a noun is.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// A natural number.
    Atom(Atom<'a>),
    /// A pair: head and tail.
    Cell(Noun, Noun),
}

impl Noun {
    /// The greatest atom that is held in the word itself, 2^63 − 1.
    pub const DIRECT_MAX: u64 = INDIRECT - 1;
    /// The atom 0, which is also "yes" and the end of a list.
    pub const ZERO: Noun = Noun(0);
    /// The atom 1, which is also "no".
    pub const ONE: Noun = Noun(1);

    /// A direct atom; `None` above [`Noun::DIRECT_MAX`].
    #[must_use]
    pub const fn direct(value: u64) -> Option<Noun> {
        if value <= Self::DIRECT_MAX { Some(Noun(value)) } else { None }
    }

    /// The direct atom this is.
    #[must_use]
    pub const fn as_direct(self) -> Option<u64> {
        if self.0 <= Self::DIRECT_MAX { Some(self.0) } else { None }
    }

    /// Whether this is a cell.
    #[must_use]
    pub const fn is_cell(self) -> bool {
        self.0 >= CELL
    }

    pub(crate) const fn indirect(index: usize) -> Noun {
        Noun(INDIRECT | index as u64)
    }

    pub(crate) const fn cell(index: usize) -> Noun {
        Noun(CELL | index as u64)
    }

    /// The word: equal words in one arena are the same noun.
    pub(crate) const fn raw(self) -> u64 {
        self.0
    }

    pub(crate) const fn place(self) -> Place {
        let index = (self.0 & INDEX_MASK) as usize;
        if self.0 >= CELL {
            Place::Cell(index)
        } else if self.0 >= INDIRECT {
            Place::Indirect(index)
        } else {
            Place::Direct(self.0)
        }
    }
}

/// Where a noun lies.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Direct(u64),
    Indirect(usize),
    Cell(usize),
}

impl fmt::Debug for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place() {
            Place::Direct(value) => write!(f, "{value}"),
            Place::Indirect(index) => write!(f, "atom@{index}"),
            Place::Cell(index) => write!(f, "cell@{index}"),
        }
    }
}

/// A natural number of any size, borrowed from its arena.
#[derive(Clone, Copy, Debug)]
pub struct Atom<'a>(Form<'a>);

#[derive(Clone, Copy, Debug)]
enum Form<'a> {
    Direct(u64),
    Limbs(&'a [u64]),
}

impl<'a> Atom<'a> {
    pub(crate) const fn direct(value: u64) -> Atom<'a> {
        Atom(Form::Direct(value))
    }

    pub(crate) const fn limbs(limbs: &'a [u64]) -> Atom<'a> {
        Atom(Form::Limbs(limbs))
    }

    /// The value, if it is below 2^64.
    #[must_use]
    pub fn to_u64(self) -> Option<u64> {
        match self.0 {
            Form::Direct(value) => Some(value),
            Form::Limbs([limb]) => Some(*limb),
            Form::Limbs(_) => None,
        }
    }

    /// How many 64-bit limbs the value has; 0 has none.
    #[must_use]
    pub fn limb_count(self) -> usize {
        match self.0 {
            Form::Direct(value) => usize::from(value != 0),
            Form::Limbs(limbs) => limbs.len(),
        }
    }

    /// Limb `index`, the least significant first; 0 beyond the last.
    #[must_use]
    pub fn limb(self, index: usize) -> u64 {
        match self.0 {
            Form::Direct(value) if index == 0 => value,
            Form::Direct(_) => 0,
            Form::Limbs(limbs) => limbs.get(index).copied().unwrap_or(0),
        }
    }

    /// All limbs, the least significant first.
    pub fn iter_limbs(self) -> impl DoubleEndedIterator<Item = u64> + ExactSizeIterator + 'a {
        (0..self.limb_count()).map(move |index| self.limb(index))
    }

    /// How many bits the value takes; 0 takes none.
    #[must_use]
    pub fn bit_count(self) -> u64 {
        let Some(last) = self.limb_count().checked_sub(1) else { return 0 };
        let top = self.limb(last);
        last as u64 * 64 + u64::from(64 - top.leading_zeros())
    }

    /// Bit `index`, the least significant first.
    #[must_use]
    pub fn bit(self, index: u64) -> bool {
        let limb = usize::try_from(index / 64).map_or(0, |limb| self.limb(limb));
        limb >> (index % 64) & 1 == 1
    }

    /// The bytes, the least significant first, without trailing zeros: what text looks like.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.iter_limbs().flat_map(u64::to_le_bytes).collect();
        let length = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(length);
        bytes
    }
}
