//! Elements set, pushed and popped.

use std::borrow::Borrow;

use super::{
    Stored, Vector,
    node::{BITS, Head, WIDTH, child_index, create, edit, leaf_of, rows},
};
use crate::{Addr, Error, Write};

impl<T: Stored + ?Sized> Vector<T> {
    /// The vector with `element` at `index`, and what was there; `None` beyond the end, where nothing
    /// changes. O(log n).
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn set<W: Write + ?Sized>(
        self,
        memory: &mut W,
        index: u64,
        element: impl Borrow<T>,
    ) -> Result<(Self, Option<T::Owned>), Error> {
        let (element, head) = (element.borrow(), Head::read::<T, W>(memory, self.root)?);
        if index >= head.len {
            return Ok((self, None));
        }
        let (leaf, row) = (index / WIDTH, (index % WIDTH) as usize);
        let place = row * T::WORDS..(row + 1) * T::WORDS;
        let Some(old) = leaf_of::<T, W>(memory, &head, index)?.get(place) else {
            return Err(Error::corrupt("vector leaf that is too short", self.root));
        };
        let before = T::own(memory, old)?;
        if element.is_stored(memory, old)? {
            return Ok((self, Some(before)));
        }
        if let Some(block) = T::block(old) {
            memory.retire(block);
        }
        let mut words = vec![0; T::WORDS];
        element.store(memory, &mut words)?;
        let mut next = head;
        if leaf >= head.leaves() {
            next.tail = set_row::<T, W>(memory, head.tail, 0, row, &words)?;
        } else {
            next.trie = set_below::<T, W>(memory, head.trie, head.height, leaf, row, &words)?;
        }
        if (next.tail, next.trie) == (head.tail, head.trie) {
            return Ok((self, Some(before)));
        }
        Ok((Self::from_root(next.write::<T, W>(memory)?), Some(before)))
    }

    /// The vector with `element` behind the last. O(1), and O(log n) every 32nd time.
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn push<W: Write + ?Sized>(
        self,
        memory: &mut W,
        element: impl Borrow<T>,
    ) -> Result<Self, Error> {
        let mut head = Head::read::<T, W>(memory, self.root)?;
        let mut words = vec![0; T::WORDS];
        element.borrow().store(memory, &mut words)?;
        let in_tail = head.tail_len() % WIDTH;
        if in_tail > 0 {
            head.tail = set_row::<T, W>(memory, head.tail, 0, in_tail as usize, &words)?;
        } else {
            if head.len > 0 {
                hang::<T, W>(memory, &mut head)?;
            }
            head.tail = create::<T, W>(memory, 0, 1, &words)?;
        }
        head.len += 1;
        Ok(Self::from_root(head.write::<T, W>(memory)?))
    }

    /// The vector without its last element, and that; `None` when it is empty. As [`Vector::push`].
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn pop<W: Write + ?Sized>(self, memory: &mut W) -> Result<(Self, Option<T::Owned>), Error> {
        let mut head = Head::read::<T, W>(memory, self.root)?;
        let Some(in_tail) = head.tail_len().checked_sub(1) else { return Ok((self, None)) };
        let at = in_tail as usize * T::WORDS;
        let Some(last) = rows::<T, W>(memory, head.tail, 0)?.get(at..at + T::WORDS) else {
            return Err(Error::corrupt("vector leaf that is too short", self.root));
        };
        let gone = T::own(memory, last)?;
        if let Some(block) = T::block(last) {
            memory.retire(block);
        }
        if in_tail > 0 {
            head.tail = edit::<T, W>(memory, head.tail, 0, in_tail as usize - 1, true)?.0;
        } else {
            memory.retire(head.tail);
            if head.len == 1 {
                memory.retire(self.root);
                return Ok((Self::empty(), Some(gone)));
            }
            unhang::<T, W>(memory, &mut head)?;
        }
        head.len -= 1;
        Ok((Self::from_root(head.write::<T, W>(memory)?), Some(gone)))
    }

    /// The vector of these elements.
    ///
    /// # Errors
    /// When memory is full; then drop the transaction.
    pub fn from_iter<W: Write + ?Sized, U: Borrow<T>>(
        memory: &mut W,
        elements: impl IntoIterator<Item = U>,
    ) -> Result<Self, Error> {
        Self::empty().extend(memory, elements)
    }

    /// The vector with these elements behind the last: a leaf at a time.
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn extend<W: Write + ?Sized, U: Borrow<T>>(
        self,
        memory: &mut W,
        elements: impl IntoIterator<Item = U>,
    ) -> Result<Self, Error> {
        let (mut vector, mut elements) = (self, elements.into_iter());
        // To the end of the leaf at hand, one by one.
        while !vector.len(memory)?.is_multiple_of(WIDTH) {
            match elements.next() {
                Some(element) => vector = vector.push(memory, element)?,
                None => return Ok(vector),
            }
        }
        let mut head = Head::read::<T, W>(memory, vector.root)?;
        let mut words = Vec::with_capacity(WIDTH as usize * T::WORDS);
        loop {
            words.clear();
            for element in elements.by_ref().take(WIDTH as usize) {
                let start = words.len();
                words.resize(start + T::WORDS, 0);
                element.borrow().store(memory, &mut words[start..])?;
            }
            let count = (words.len() / T::WORDS) as u64;
            if count > 0 {
                if head.len > 0 {
                    hang::<T, W>(memory, &mut head)?;
                }
                head.tail = create::<T, W>(memory, 0, count, &words)?;
                head.len += count;
            }
            if count < WIDTH {
                break;
            }
        }
        match head.len {
            0 => Ok(vector),
            _ => Ok(Self::from_root(head.write::<T, W>(memory)?)),
        }
    }
}

/// Writes a row of a node: one that is there, or the next.
fn set_row<T: Stored + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    height: u32,
    row: usize,
    words: &[u64],
) -> Result<Addr, Error> {
    let (at, place) = edit::<T, W>(memory, at, height, row, false)?;
    place.copy_from_slice(words);
    Ok(at)
}

/// Writes an element below a node. As deep as the trie is high.
fn set_below<T: Stored + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    height: u32,
    leaf: u64,
    row: usize,
    words: &[u64],
) -> Result<Addr, Error> {
    if height == 0 {
        return set_row::<T, W>(memory, at, 0, row, words);
    }
    let index = child_index(leaf, height);
    let Some(child) = rows::<T, W>(memory, at, height)?.get(index).copied() else {
        return Err(Error::corrupt("vector node with too few children", at));
    };
    let child = set_below::<T, W>(memory, Addr::from_raw(child), height - 1, leaf, row, words)?;
    set_row::<T, W>(memory, at, height, index, &[child.raw()])
}

/// Hangs the tail, which is full, into the trie.
fn hang<T: Stored + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    head: &mut Head,
) -> Result<(), Error> {
    let leaf = head.leaves();
    if head.trie.is_none() {
        (head.trie, head.height) = (head.tail, 0);
    } else if leaf == 1 << (BITS * head.height) {
        let twig = twig::<T, W>(memory, head.height, head.tail)?;
        let both = [head.trie.raw(), twig.raw()];
        head.height += 1;
        head.trie = create::<T, W>(memory, head.height, 2, &both)?;
    } else {
        head.trie = hang_below::<T, W>(memory, head.trie, head.height, leaf, head.tail)?;
    }
    Ok(())
}

/// A node of this height above nothing but a leaf.
fn twig<T: Stored + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    height: u32,
    leaf: Addr,
) -> Result<Addr, Error> {
    (1..=height).try_fold(leaf, |below, height| create::<T, W>(memory, height, 1, &[below.raw()]))
}

fn hang_below<T: Stored + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    height: u32,
    leaf: u64,
    tail: Addr,
) -> Result<Addr, Error> {
    if height == 0 {
        return Err(Error::corrupt("vector whose trie is full too early", at));
    }
    let index = child_index(leaf, height);
    let child = match rows::<T, W>(memory, at, height)?.get(index).copied() {
        Some(child) => hang_below::<T, W>(memory, Addr::from_raw(child), height - 1, leaf, tail)?,
        None => twig::<T, W>(memory, height - 1, tail)?,
    };
    set_row::<T, W>(memory, at, height, index, &[child.raw()])
}

/// Makes the last leaf of the trie the tail; the trie gets as low as can be.
fn unhang<T: Stored + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    head: &mut Head,
) -> Result<(), Error> {
    let (trie, tail) = unhang_below::<T, W>(memory, head.trie, head.height, head.leaves() - 1)?;
    (head.trie, head.tail) = (trie.unwrap_or(Addr::NONE), tail);
    if head.trie.is_none() {
        head.height = 0;
    }
    while head.height > 0 {
        let &[only] = rows::<T, W>(memory, head.trie, head.height)? else { break };
        memory.retire(head.trie);
        (head.trie, head.height) = (Addr::from_raw(only), head.height - 1);
    }
    Ok(())
}

/// What is left of a node without its last leaf, `leaf`, and that leaf.
fn unhang_below<T: Stored + ?Sized, W: Write + ?Sized>(
    memory: &mut W,
    at: Addr,
    height: u32,
    leaf: u64,
) -> Result<(Option<Addr>, Addr), Error> {
    if height == 0 {
        return Ok((None, at));
    }
    let index = child_index(leaf, height);
    let children = rows::<T, W>(memory, at, height)?;
    let Some(child) = children.get(index).copied().filter(|_| children.len() == index + 1) else {
        return Err(Error::corrupt("vector node with too few children", at));
    };
    let (left, leaf) = unhang_below::<T, W>(memory, Addr::from_raw(child), height - 1, leaf)?;
    let node = match (left, index) {
        (Some(child), _) => Some(set_row::<T, W>(memory, at, height, index, &[child.raw()])?),
        (None, 0) => {
            memory.retire(at);
            None
        }
        (None, _) => Some(edit::<T, W>(memory, at, height, index - 1, true)?.0),
    };
    Ok((node, leaf))
}
