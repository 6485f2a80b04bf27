//! Updating in place what nobody else can see.
//!
//! An object's header has a stamp of 24 bits. A collection whose stamp is not 0 is *owned*: exactly
//! one register, or one name of the stepper's, holds it. A part of it with the same stamp was made while
//! it was owned, so nothing else reaches that part, and an update may write to it instead of copying it.
//!
//! 1. Only the instruction that updates a register in place makes owned collections, and leaves them
//!    in that register alone.
//! 2. Whatever copies the word of such a register disowns the collection first: the compiler puts an
//!    instruction for it there, the stepper does so at each reading of a name that may not be its last, and
//!    whoever captures registers does the same.
//! 3. Stamps are never given twice between two collections that clear them, so a stamp that stayed on
//!    a part after its collection was disowned matches nothing.
//! 4. What writes in place happens wholly or not at all: it allocates nothing, or asks for its room before it
//!    begins, and compares before it writes. Where the collector can take no note of it, it makes a copy.

use std::cmp::Ordering;

use datom::Word;

use super::vector::WIDTH;
use super::{Form, Heap, LENGTH_MASK, MAP, OBJECT, PLACE_SHIFT, STAMP_SHIFT, payload, small, sort};
use crate::builtin;
use crate::error::Trouble;

const STAMP_MAX: u32 = (1 << 24) - 1;
/// Stamps beyond this are cleared by the next collection, which is one of all.
const STAMP_SOFT: u32 = STAMP_MAX - (1 << 20);
const STAMP_MASK: u64 = (STAMP_MAX as u64) << STAMP_SHIFT;

/// What came of an update in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    All,
    /// Nothing: a map lacks the key, and may get it in place.
    Lacks,
    Not,
}

impl Heap {
    #[inline(always)]
    pub(super) fn stamp(&self, word: Word) -> u32 {
        match self.words.get(payload(word) as usize) {
            Some(header) if sort(word) == OBJECT => (header >> STAMP_SHIFT) as u32 & STAMP_MAX,
            _ => 0,
        }
    }

    /// From now on others may see this collection: it is never written again.
    #[inline]
    pub(crate) fn disown(&mut self, word: Word) {
        if sort(word) == OBJECT
            && let Some(header) = self.words.get_mut(payload(word) as usize)
        {
            *header &= !STAMP_MASK;
        }
    }

    /// Whether stamps should be cleared.
    pub(super) fn has_few_stamps(&self) -> bool {
        self.stamps >= STAMP_SOFT
    }

    /// What a collection of all keeps of headers.
    pub(super) fn stamps_kept(&mut self) -> u64 {
        if !self.has_few_stamps() {
            return u64::MAX;
        }
        self.stamps = 0;
        !STAMP_MASK
    }

    /// Whether the update that runs now owns an object.
    pub(super) fn is_edited(&self, word: Word) -> bool {
        self.edit != 0 && self.stamp(word) == self.edit
    }

    /// The result of a primitive on a collection that only one register holds, to be left there.
    pub(crate) fn update(
        &mut self,
        id: u32,
        run: builtin::Run,
        args: &[Word],
    ) -> Result<Word, Trouble> {
        let Some((&collection, rest)) = args.split_first() else { return run(self, args) };
        if let (builtin::ASSOC, &[key, value]) = (id, rest)
            && self.assoc_in_place(collection, key, value)
        {
            return Ok(collection);
        }
        let stamp = self.stamp(collection);
        let written = match stamp {
            0 => Written::Not,
            _ => self.write(id, collection, rest, stamp)?,
        };
        if written == Written::All {
            return Ok(collection);
        }
        self.edit = match stamp {
            0 if self.stamps < STAMP_MAX => {
                self.stamps += 1;
                self.stamps
            }
            stamp => stamp,
        };
        let result = match (id, written, rest) {
            (_, Written::Lacks, &[key, value]) => self.tree_grow(MAP, collection, key, value),
            (builtin::STR, ..) => self.appended(collection, run, args),
            _ => {
                if self.form(collection) == Some(Form::Map) {
                    self.fingers.forget();
                }
                run(self, args)
            }
        };
        self.edit = 0;
        result
    }

    /// `assoc` where it is but a write: a finger points at the key of a map or at the leaf of a vector, or a
    /// vector has the place in an array that is owned. False if it is more than that.
    #[inline(always)]
    pub(crate) fn assoc_in_place(&mut self, collection: Word, key: Word, value: Word) -> bool {
        const IS_MAP: u64 = Form::Map as u64;
        if sort(collection) != OBJECT {
            return false;
        }
        let Some(&header) = self.words.get(payload(collection) as usize) else { return false };
        let stamp = (header >> STAMP_SHIFT) as u32 & STAMP_MAX;
        if header >> PLACE_SHIFT == IS_MAP {
            return self.write_pointed(stamp, key, value);
        }
        let Some(at) = key.as_int().and_then(|at| usize::try_from(at).ok()) else { return false };
        self.write_element(stamp, at, value) || self.write_slot(collection, stamp, at, value)
    }

    /// Writes an element of a vector if the array it lies in is owned, too.
    #[inline(never)]
    fn write_slot(&mut self, vector: Word, stamp: u32, at: usize, value: Word) -> bool {
        let Some(slot) = self.slot(vector, at) else { return false };
        if stamp == 0 || self.stamp(slot.array) != stamp {
            return false;
        }
        let done = self.write_word(slot.array, slot.at, value);
        if done && slot.is_leaf {
            self.point_leaf(stamp, at / WIDTH, slot.array);
        }
        done
    }

    /// Writes to the parts that are owned.
    fn write(
        &mut self,
        id: u32,
        collection: Word,
        rest: &[Word],
        stamp: u32,
    ) -> Result<Written, Trouble> {
        let is_done = match (id, self.form(collection), rest) {
            (builtin::ASSOC, Some(Form::Map), &[key, value]) => {
                return self.write_entry(collection, key, value, stamp);
            }
            (builtin::ASSOC, Some(Form::Vector | Form::Array), &[key, value]) => {
                let at = key.as_int().and_then(|at| usize::try_from(at).ok());
                at.is_some_and(|at| self.write_slot(collection, stamp, at, value))
            }
            (builtin::CONJ, Some(Form::Vector), &[element]) => {
                let Some((end, tail, at)) = self.room_in_tail(collection) else {
                    return Ok(Written::Not);
                };
                self.stamp(tail) == stamp
                    && self.write_word(tail, at, element)
                    && self.write_word(collection, 0, small(end + 1))
            }
            (builtin::STR, Some(Form::Text), rest) => self.write_text(collection, rest)?,
            _ => false,
        };
        Ok(if is_done { Written::All } else { Written::Not })
    }

    fn write_entry(
        &mut self,
        mut node: Word,
        key: Word,
        value: Word,
        stamp: u32,
    ) -> Result<Written, Trouble> {
        while let Some((at, left, right)) = self.node_key(node) {
            match self.compare(key, at)? {
                Ordering::Less => node = left,
                Ordering::Greater => node = right,
                Ordering::Equal => {
                    if self.stamp(node) != stamp || !self.write_word(node, 2, value) {
                        return Ok(Written::Not);
                    }
                    self.point(stamp, key, node);
                    return Ok(Written::All);
                }
            }
        }
        Ok(Written::Lacks)
    }

    /// Writes one word of an object of words.
    #[inline]
    fn write_word(&mut self, object: Word, index: usize, word: Word) -> bool {
        let at = payload(object) as usize;
        let Some(header) = self.words.get(at) else { return false };
        if sort(object) != OBJECT || index as u64 >= header & LENGTH_MASK {
            return false;
        }
        self.put(at, index, word)
    }

    /// Writes behind the end of a text, where there is room.
    fn write_text(&mut self, text: Word, pieces: &[Word]) -> Result<bool, Trouble> {
        let piece = self.pieces(pieces)?;
        let done = self.extend_text(text, piece.as_bytes());
        self.scratch = piece;
        Ok(done)
    }

    /// A longer text with room behind it, so that a text that grows is not copied each time.
    fn appended(&mut self, text: Word, run: builtin::Run, args: &[Word]) -> Result<Word, Trouble> {
        if self.form(text) != Some(Form::Text) {
            return run(self, args);
        }
        let whole = self.pieces(args)?;
        let made = self.text_with_room(&whole, whole.len() * 2);
        self.scratch = whole;
        made
    }

    fn pieces(&mut self, words: &[Word]) -> Result<String, Trouble> {
        let mut out = std::mem::take(&mut self.scratch);
        out.clear();
        for &word in words {
            builtin::append(self, word, &mut out)?;
        }
        Ok(out)
    }
}
