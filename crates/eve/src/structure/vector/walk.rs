//! Walks over every block of a vector: for marking, and for looking whether all is well.

use super::{
    Stored, Vector,
    node::{BITS, Head, WIDTH, rows},
};
use crate::{Addr, Error, Read};

impl<T: Stored + ?Sized> Vector<T> {
    /// Shows every block of the vector, those of elements included, to `visit`, parents first. Where it
    /// answers `false`, nothing below the block is visited: it was seen before, or is of no interest.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn trace<R: Read + ?Sized>(
        self,
        reader: &R,
        visit: &mut impl FnMut(Addr) -> bool,
    ) -> Result<(), Error> {
        if self.root.is_none() || !visit(self.root) {
            return Ok(());
        }
        let head = Head::read::<T, R>(reader, self.root)?;
        if !head.trie.is_none() && visit(head.trie) {
            Self::trace_below(reader, head.trie, head.height, visit)?;
        }
        if visit(head.tail) {
            Self::trace_below(reader, head.tail, 0, visit)?;
        }
        Ok(())
    }

    fn trace_below<R: Read + ?Sized>(
        reader: &R,
        at: Addr,
        height: u32,
        visit: &mut impl FnMut(Addr) -> bool,
    ) -> Result<(), Error> {
        let rows = rows::<T, R>(reader, at, height)?;
        if height == 0 {
            rows.chunks_exact(T::WORDS).filter_map(T::block).for_each(|block| {
                visit(block);
            });
            return Ok(());
        }
        for child in rows {
            let child = Addr::from_raw(*child);
            if visit(child) {
                Self::trace_below(reader, child, height - 1, visit)?;
            }
        }
        Ok(())
    }

    /// Checks every invariant of every node: heights, how full each is, that all elements can be
    /// shown. O(n).
    ///
    /// # Errors
    /// What is wrong and where, for the first thing that is.
    pub fn verify<R: Read + ?Sized>(self, reader: &R) -> Result<(), Error> {
        if self.root.is_none() {
            return Ok(());
        }
        let head = Head::read::<T, R>(reader, self.root)?;
        if !head.trie.is_none() {
            if head.height > 0 && head.leaves() <= 1 << (BITS * (head.height - 1)) {
                return Err(Error::corrupt("vector higher than it needs be", self.root));
            }
            Self::verify_node(reader, head.trie, head.height, head.leaves())?;
        }
        Self::verify_leaf(reader, head.tail, head.tail_len())
    }

    fn verify_leaf<R: Read + ?Sized>(reader: &R, at: Addr, count: u64) -> Result<(), Error> {
        let elements = rows::<T, R>(reader, at, 0)?;
        if elements.len() as u64 != count * T::WORDS as u64 {
            return Err(Error::corrupt("vector leaf of another length", at));
        }
        elements.chunks_exact(T::WORDS).try_for_each(|element| T::show(reader, element).map(|_| ()))
    }

    /// A node above so many leaves.
    fn verify_node<R: Read + ?Sized>(
        reader: &R,
        at: Addr,
        height: u32,
        leaves: u64,
    ) -> Result<(), Error> {
        if height == 0 {
            return Self::verify_leaf(reader, at, WIDTH);
        }
        let (children, each) = (rows::<T, R>(reader, at, height)?, 1 << (BITS * (height - 1)));
        if children.len() as u64 != leaves.div_ceil(each) {
            return Err(Error::corrupt("vector node of another length", at));
        }
        let mut left = leaves;
        for child in children {
            let here = left.min(each);
            Self::verify_node(reader, Addr::from_raw(*child), height - 1, here)?;
            left -= here;
        }
        Ok(())
    }
}
