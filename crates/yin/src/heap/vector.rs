//! Vectors: persistent, 32 wide.
//!
//! A vector of up to 32 elements is one [`Form::Array`]. A longer one is a header
//! `[end, start, shift, root, tail]`: a radix tree of arrays under `root`, of full leaves, and
//! the last 1 to 32 elements in `tail`. `start` elements in front have been dropped.
//!
//! 1. `get`, `push`, `set` and dropping the first element touch O(log32 n) arrays.
//! 2. A header holds more than 32 elements; fewer are one array again, so equal vectors may
//!    differ in their trees but not in being arrays or headers.
//! 3. An array that is a tail may have room behind its last element.
//! 4. A list is a vector in a [`Form::List`] wrapper, never empty.

use datom::Word;

use super::{EMPTY_LIST, EMPTY_VECTOR, Form, Heap, OBJECT, payload, small, sort};
use crate::error::Trouble;

const BITS: u32 = 5;
pub(crate) const WIDTH: usize = 1 << BITS;
const MASK: usize = WIDTH - 1;

/// A long vector's header, read out.
#[derive(Clone, Copy)]
struct Header {
    end: usize,
    start: usize,
    shift: u32,
    root: Word,
    tail: Word,
}

/// Where an element lies.
pub(super) struct Slot {
    pub(super) array: Word,
    pub(super) at: usize,
    /// Whether the array is a leaf of a tree of which nothing was dropped.
    pub(super) is_leaf: bool,
}

impl Header {
    /// The index of the first element in the tail.
    fn tail_start(&self) -> usize {
        (self.end.saturating_sub(1)) & !MASK
    }
}

fn index(word: Word) -> usize {
    word.as_int().map_or(0, |n| n as usize)
}

impl Heap {
    /// The vector inside of a list; any other word is itself.
    fn sequence(&self, word: Word) -> Word {
        match self.form(word) {
            Some(Form::List) => self.field(word, 0),
            _ => word,
        }
    }

    #[inline]
    fn header(&self, word: Word) -> Option<Header> {
        const VECTOR: u64 = Form::Vector as u64;
        if sort(word) != OBJECT {
            return None;
        }
        let fields = self.words.get(payload(word) as usize..)?.first_chunk()?;
        let [header, end, start, shift, root, tail] = fields.map(Word::from_raw);
        (sort(header) == VECTOR).then_some(Header {
            end: index(end),
            start: index(start),
            shift: index(shift) as u32,
            root,
            tail,
        })
    }

    fn header_object(&mut self, h: Header) -> Result<Word, Trouble> {
        let fields = [small(h.end), small(h.start), small(h.shift as usize), h.root, h.tail];
        self.object(Form::Vector, &fields)
    }

    fn array(&self, word: Word) -> &[u64] {
        self.raw_of(word, Form::Array).unwrap_or(&[])
    }

    fn array_words(&self, word: Word) -> Vec<Word> {
        self.array(word).iter().map(|&raw| Word::from_raw(raw)).collect()
    }

    /// How many elements a vector or list has.
    #[inline]
    pub(crate) fn vector_len(&self, word: Word) -> usize {
        let word = self.sequence(word);
        match self.raw(word) {
            Some((Form::Array, payload)) => payload.len(),
            Some((Form::Vector, _)) => {
                self.header(word).map_or(0, |h| h.end.saturating_sub(h.start))
            }
            _ => 0,
        }
    }

    /// One element of a vector or list.
    #[inline]
    pub(crate) fn vector_get(&self, word: Word, at: usize) -> Option<Word> {
        let word = self.sequence(word);
        match self.raw(word)? {
            (Form::Array, payload) => payload.get(at).map(|&raw| Word::from_raw(raw)),
            (Form::Vector, _) => {
                let h = self.header(word)?;
                let at = at.checked_add(h.start).filter(|&at| at < h.end)?;
                let leaf = self.leaf(&h, at);
                self.array(leaf).get(at & MASK).map(|&raw| Word::from_raw(raw))
            }
            _ => None,
        }
    }

    /// Where an element lies that exists.
    #[inline]
    pub(super) fn slot(&self, word: Word, at: usize) -> Option<Slot> {
        match self.header(word) {
            Some(h) => {
                let at = at.checked_add(h.start).filter(|&at| at < h.end)?;
                let is_leaf = h.start == 0 && at < h.tail_start();
                Some(Slot { array: self.leaf(&h, at), at: at & MASK, is_leaf })
            }
            None => {
                let exists = at < self.array(word).len();
                exists.then_some(Slot { array: word, at, is_leaf: false })
            }
        }
    }

    /// Where one more element fits into the last array: the end of the vector, the array and the
    /// place in it.
    pub(super) fn room_in_tail(&self, word: Word) -> Option<(usize, Word, usize)> {
        let h = self.header(word)?;
        let at = h.end - h.tail_start();
        (at < self.array(h.tail).len()).then_some((h.end, h.tail, at))
    }

    /// The array that holds the element at an index counted from the dropped ones.
    #[inline]
    fn leaf(&self, h: &Header, at: usize) -> Word {
        if at >= h.tail_start() {
            return h.tail;
        }
        let mut node = h.root;
        let mut shift = h.shift;
        while shift > 0 {
            let inside = payload(node) as usize + 1 + (at >> shift & MASK);
            node = self.words.get(inside).map_or(Word::NIL, |&raw| Word::from_raw(raw));
            shift = shift.saturating_sub(BITS);
        }
        node
    }

    /// Every element of a vector or list.
    pub(crate) fn vector_words(&self, word: Word) -> Vec<Word> {
        let word = self.sequence(word);
        let Some(h) = self.header(word) else { return self.array_words(word) };
        let mut words = Vec::with_capacity(h.end.saturating_sub(h.start));
        let mut at = h.start;
        while at < h.end {
            let leaf = self.array(self.leaf(&h, at));
            let rest = leaf.get(at & MASK..).unwrap_or(&[]);
            if rest.is_empty() {
                break;
            }
            words.extend(rest.iter().take(h.end - at).map(|&raw| Word::from_raw(raw)));
            at += rest.len();
        }
        words
    }

    /// A vector of these elements.
    pub(crate) fn vector(&mut self, words: &[Word]) -> Result<Word, Trouble> {
        if words.is_empty() {
            return Ok(EMPTY_VECTOR);
        }
        if words.len() <= WIDTH {
            return self.object(Form::Array, words);
        }
        self.room(words.len() + words.len() / 8)?;
        let tail_start = (words.len() - 1) & !MASK;
        let (body, tail) = words.split_at(tail_start);
        let tail = self.object(Form::Array, tail)?;
        let mut level = Vec::with_capacity(body.len() / WIDTH);
        for chunk in body.chunks(WIDTH) {
            level.push(self.object(Form::Array, chunk)?);
        }
        let mut shift = BITS;
        while level.len() > WIDTH {
            let mut above = Vec::with_capacity(level.len() / WIDTH + 1);
            for chunk in level.chunks(WIDTH) {
                above.push(self.object(Form::Array, chunk)?);
            }
            level = above;
            shift += BITS;
        }
        let root = self.object(Form::Array, &level)?;
        self.header_object(Header { end: words.len(), start: 0, shift, root, tail })
    }

    /// A list of these elements.
    pub(crate) fn list(&mut self, words: &[Word]) -> Result<Word, Trouble> {
        if words.is_empty() {
            return Ok(EMPTY_LIST);
        }
        let vector = self.vector(words)?;
        self.object(Form::List, &[vector])
    }

    /// The vector with one more element at its end.
    pub(crate) fn vector_push(&mut self, word: Word, element: Word) -> Result<Word, Trouble> {
        let Some(h) = self.header(word) else {
            let length = self.array(word).len();
            if length < WIDTH {
                let mut words = [Word::NIL; WIDTH];
                for (slot, &raw) in words.iter_mut().zip(self.array(word)) {
                    *slot = Word::from_raw(raw);
                }
                if let Some(slot) = words.get_mut(length) {
                    *slot = element;
                }
                return self.object(Form::Array, words.get(..=length).unwrap_or(&words));
            }
            let mut words = self.array_words(word);
            words.push(element);
            return self.vector(&words);
        };
        let length = h.end - h.tail_start();
        if length < WIDTH {
            let tail = self.longer(h.tail, length, element)?;
            return self.header_object(Header { end: h.end + 1, tail, ..h });
        }
        let (root, shift) = if h.tail_start() >> (h.shift + BITS) > 0 {
            let path = self.path(h.shift, h.tail)?;
            (self.object(Form::Array, &[h.root, path])?, h.shift + BITS)
        } else {
            (self.hang(h.root, h.shift, h.tail_start(), h.tail)?, h.shift)
        };
        let tail = self.longer(EMPTY_VECTOR, 0, element)?;
        self.header_object(Header { end: h.end + 1, start: h.start, shift, root, tail })
    }

    /// The first elements of an array and one more; with room behind it if it may be written to.
    fn longer(&mut self, array: Word, length: usize, element: Word) -> Result<Word, Trouble> {
        let mut words = [Word::NIL; WIDTH];
        for (slot, &raw) in words.iter_mut().zip(self.array(array).iter().take(length)) {
            *slot = Word::from_raw(raw);
        }
        if let Some(slot) = words.get_mut(length) {
            *slot = element;
        }
        let size = if self.edit != 0 { WIDTH } else { length + 1 };
        self.object(Form::Array, words.get(..size).unwrap_or(&words))
    }

    /// A chain of single-child nodes down to a leaf.
    fn path(&mut self, shift: u32, leaf: Word) -> Result<Word, Trouble> {
        let mut node = leaf;
        for _ in 0..shift / BITS {
            node = self.object(Form::Array, &[node])?;
        }
        Ok(node)
    }

    /// The tree with a leaf hung in at an index. Recursion is as deep as the tree: at most 12.
    fn hang(&mut self, node: Word, shift: u32, at: usize, leaf: Word) -> Result<Word, Trouble> {
        let mut children = self.array_words(node);
        let slot = at >> shift & MASK;
        let child = match children.get(slot) {
            _ if shift <= BITS => leaf,
            Some(&child) => self.hang(child, shift - BITS, at, leaf)?,
            None => self.path(shift - BITS, leaf)?,
        };
        match children.get_mut(slot) {
            Some(place) => *place = child,
            None => children.push(child),
        }
        self.object(Form::Array, &children)
    }

    /// The vector with another element at an index, which must exist.
    pub(crate) fn vector_set(
        &mut self,
        word: Word,
        at: usize,
        element: Word,
    ) -> Result<Word, Trouble> {
        let Some(h) = self.header(word) else {
            return self.array_set(word, at, element);
        };
        let at = at + h.start;
        if at >= h.tail_start() {
            let tail = self.array_set(h.tail, at & MASK, element)?;
            return self.header_object(Header { tail, ..h });
        }
        let root = self.tree_set(h.root, h.shift, at, element)?;
        self.header_object(Header { root, ..h })
    }

    fn array_set(&mut self, array: Word, at: usize, element: Word) -> Result<Word, Trouble> {
        let mut words = [Word::NIL; WIDTH];
        let raw = self.array(array);
        let length = raw.len().min(WIDTH);
        for (slot, &raw) in words.iter_mut().zip(raw) {
            *slot = Word::from_raw(raw);
        }
        if let Some(slot) = words.get_mut(at) {
            *slot = element;
        }
        self.object(Form::Array, words.get(..length).unwrap_or(&words))
    }

    fn tree_set(&mut self, node: Word, shift: u32, at: usize, to: Word) -> Result<Word, Trouble> {
        if shift == 0 {
            return self.array_set(node, at & MASK, to);
        }
        let child = self.field(node, at >> shift & MASK);
        let child = self.tree_set(child, shift - BITS, at, to)?;
        self.array_set(node, at >> shift & MASK, child)
    }

    /// The vector without its first `n` elements.
    pub(crate) fn vector_drop(&mut self, word: Word, n: usize) -> Result<Word, Trouble> {
        let length = self.vector_len(word);
        if n == 0 {
            return Ok(word);
        }
        let left = length.saturating_sub(n);
        match self.header(word) {
            Some(h) if left > WIDTH => self.header_object(Header { start: h.start + n, ..h }),
            _ => {
                let from = length - left;
                let words: Vec<Word> =
                    (from..length).filter_map(|at| self.vector_get(word, at)).collect();
                self.vector(&words)
            }
        }
    }
}
