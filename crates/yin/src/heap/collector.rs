//! The collector: two generations in one array.
//!
//! The words below `old` were there at the last collection; what has been made since is *young* and lies
//! behind them. A young collection copies what the roots reach of the young out of the array (Cheney, 1970: a
//! breadth-first walk whose queue is the copies themselves, so its depth costs nothing) and puts it back where
//! the young began, where it is old from then on. It costs what it keeps, whatever the old are. The old are
//! collected with the young, into a new array, when they have doubled since that was done last.
//!
//! 1. Between two operations, no old object holds a young one, but those that are *noted*: objects never
//!    change once made, and what writes in place (`Heap::put`) notes the old object it writes a young one to.
//! 2. An object is noted once, its header says so, and a collection, after which nothing is young, forgets it.
//!    No more than [`NOTED_MAX`] are: then nothing is owned until the next collection.
//! 3. The old move only when all are collected; so roots that held no young word and were not written
//!    since hold none, and need not be shown to a young collection.

use datom::Word;

use super::{
    Form, Heap, LENGTH_MASK, NOTED, OBJECT, PLACE_MASK, PLACE_SHIFT, payload, private, sort,
};

/// So many words are made between two collections: they stay in a core's own cache.
const YOUNG_WORDS: usize = 1 << 16;
/// Of a small heap, the young take no more than one part in so many.
const YOUNG_PARTS: usize = 8;
/// All are collected before less than one part in so many of the limit is left.
const RESERVE_PARTS: usize = 16;
const NOTED_MAX: usize = if cfg!(test) { 4 } else { 1 << 16 };

/// What is collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Young,
    All,
}

/// When a heap is collected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Words that are made between two collections.
    pub(super) young: usize,
    /// A twin of the heap that does not note what is written to the old, for its tests: they must find out.
    #[cfg(test)]
    pub(super) is_careless: bool,
}

impl Pace {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            // Under test everything moves whenever anything is made, so a word that was missed shows.
            young: if cfg!(test) { 0 } else { YOUNG_WORDS.min(limit / YOUNG_PARTS) },
            #[cfg(test)]
            is_careless: false,
        }
    }
}

/// What was copied so far: the words of the array to come from `from` on.
struct Copies {
    from: usize,
    words: Vec<u64>,
    /// What is kept of headers.
    kept: u64,
}

impl Heap {
    /// Whether it is time to collect the old, too.
    pub(crate) fn wants_all(&self) -> bool {
        let most = self.limit - self.limit / RESERVE_PARTS;
        self.old > (2 * self.kept).max(self.pace.young).min(most) || self.has_few_stamps()
    }

    /// Forgets the objects that nothing reaches, of the young or of all. The roots are all words that will be
    /// used again and may be what is collected.
    pub(crate) fn collect<'r>(&mut self, reach: Reach, roots: impl Iterator<Item = &'r mut Word>) {
        let mut copies = match reach {
            // In memory that was used for it before.
            Reach::Young => {
                Copies { from: self.old, words: std::mem::take(&mut self.spare), kept: u64::MAX }
            }
            Reach::All => {
                let kept = self.stamps_kept() & !NOTED;
                Copies { from: 0, words: Vec::with_capacity(self.words.len() / 2), kept }
            }
        };
        for root in roots {
            *root = self.moved(*root, &mut copies);
        }
        let mut noted = std::mem::take(&mut self.noted);
        if reach == Reach::Young {
            noted.iter().for_each(|&at| self.follow_noted(at, &mut copies));
        }
        noted.clear();
        self.noted = noted;
        self.follow(&mut copies);
        self.settle_copies(reach, copies);
        self.collections += 1;
        self.soft = self.next_soft();
    }

    /// Moves what the copies hold, and what that holds.
    fn follow(&mut self, copies: &mut Copies) {
        let mut scan = 0;
        while let Some(&header) = copies.words.get(scan) {
            let length = (header & LENGTH_MASK) as usize;
            let is_words = header >> PLACE_SHIFT >= Form::Array as u64;
            scan += 1;
            for at in scan..scan + if is_words { length } else { 0 } {
                if let Some(&raw) = copies.words.get(at) {
                    let word = self.moved(Word::from_raw(raw), copies);
                    if let Some(slot) = copies.words.get_mut(at) {
                        *slot = word.raw();
                    }
                }
            }
            scan += length;
        }
    }

    /// Moves what an old object holds that was noted.
    fn follow_noted(&mut self, at: usize, copies: &mut Copies) {
        let Some(header) = self.words.get_mut(at) else { return };
        *header &= !NOTED;
        let length = (*header & LENGTH_MASK) as usize;
        for at in at + 1..=at + length {
            if let Some(&raw) = self.words.get(at) {
                let word = self.moved(Word::from_raw(raw), copies);
                if let Some(slot) = self.words.get_mut(at) {
                    *slot = word.raw();
                }
            }
        }
    }

    /// Where an object lives after the collection, copied on first sight.
    fn moved(&mut self, word: Word, copies: &mut Copies) -> Word {
        let at = payload(word) as usize;
        if sort(word) != OBJECT || at < copies.from {
            return word;
        }
        let Some(&header) = self.words.get(at) else { return Word::NIL };
        if header >> PLACE_SHIFT == Form::Moved as u64 {
            return private(OBJECT, header & PLACE_MASK);
        }
        let place = (copies.from + copies.words.len()) as u64;
        let length = (header & LENGTH_MASK) as usize;
        copies.words.push(header & copies.kept);
        copies.words.extend_from_slice(self.words.get(at + 1..=at + length).unwrap_or(&[]));
        if let Some(slot) = self.words.get_mut(at) {
            *slot = (Form::Moved as u64) << PLACE_SHIFT | place;
        }
        private(OBJECT, place)
    }

    /// Makes the copies the objects that there are.
    fn settle_copies(&mut self, reach: Reach, copies: Copies) {
        let Copies { from, mut words, .. } = copies;
        match reach {
            Reach::Young => {
                let array = &self.words;
                self.fingers.follow(|at| match array.get(at) {
                    _ if at < from => Some(at),
                    Some(header) if header >> PLACE_SHIFT == Form::Moved as u64 => {
                        Some((header & PLACE_MASK) as usize)
                    }
                    _ => None,
                });
                self.words.truncate(from);
                self.words.extend_from_slice(&words);
                words.clear();
                words.shrink_to(self.pace.young);
                self.spare = words;
            }
            Reach::All => {
                self.fingers.forget();
                self.words = words;
                self.kept = self.words.len();
            }
        }
        self.old = self.words.len();
    }

    /// How many words there may be before the next collection.
    pub(super) fn next_soft(&self) -> usize {
        match self.noted.len() < NOTED_MAX {
            true => (self.old + self.pace.young).min(self.limit),
            false => 0,
        }
    }

    /// Writes one word of an object of words in place. False, and nothing written, if it has no such word, or
    /// if it would have to be noted and cannot be.
    #[inline(always)]
    pub(super) fn put(&mut self, object: usize, index: usize, word: Word) -> bool {
        let is_young = sort(word) == OBJECT && payload(word) as usize >= self.old;
        if is_young && object < self.old && !self.note(object) {
            return false;
        }
        match self.words.get_mut(object + 1 + index) {
            Some(slot) => {
                *slot = word.raw();
                true
            }
            None => false,
        }
    }

    /// Notes that an old object may hold a young one. False if too many are noted.
    #[cold]
    #[inline(never)]
    fn note(&mut self, object: usize) -> bool {
        #[cfg(test)]
        if self.pace.is_careless {
            return true;
        }
        let Some(header) = self.words.get_mut(object) else { return false };
        if *header & NOTED != 0 {
            return true;
        }
        if self.noted.len() >= NOTED_MAX {
            // What is not written is copied, and what was pointed at is no longer part of it.
            self.fingers.forget();
            return false;
        }
        *header |= NOTED;
        self.noted.push(object);
        self.soft = self.next_soft();
        true
    }
}

#[cfg(test)]
mod tests;
