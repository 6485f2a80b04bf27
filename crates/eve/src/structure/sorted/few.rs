//! The keys that begin with some words, where they are few: what looks something up mostly finds.

use std::ops::Range;

use super::{SortedSet, node::Node, pad};
use crate::{Error, Read};

/// Keys that are read one by one. Of more, reading column by column costs less, as
/// [`Keys`](super::Keys) does it.
const FEW_MAX: usize = 16;

/// Some keys of one leaf, read where they lie: see [`SortedSet::few_with`].
#[derive(Clone)]
pub struct Few<'r, const N: usize> {
    /// None where there are no keys.
    leaf: Option<Node<'r, N>>,
    range: Range<usize>,
}

impl<const N: usize> SortedSet<N> {
    /// The keys that begin with `prefix`, if they are few and one leaf has all of them and a key behind
    /// them. `None` says nothing of how many there are: [`SortedSet::prefix`] reads any.
    ///
    /// O(log n), one descent, and no memory is taken: the fastest way to look something up.
    ///
    /// ```
    /// # use eve::{Error, Write, structure::SortedSet};
    /// fn example<W: Write>(memory: &mut W, set: SortedSet<2>) -> Result<(), Error> {
    ///     let second: Vec<u64> = match set.few_with(memory, &[7])? {
    ///         Some(few) => few.map(|key| key[1]).collect(),
    ///         None => set.prefix(memory, &[7]).map(|key| Ok(key?[1])).collect::<Result<_, Error>>()?,
    ///     };
    /// #   let _ = second;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// When a node is damaged.
    #[inline]
    pub fn few_with<'r, R: Read + ?Sized>(
        self,
        reader: &'r R,
        prefix: &[u64],
    ) -> Result<Option<Few<'r, N>>, Error> {
        if self.is_empty() {
            return Ok(Some(Few { leaf: None, range: 0..0 }));
        }
        let target = pad(prefix, 0);
        let node = Node::<N>::leaf_for(reader, self.root, &target)?;
        let start = node.lower_bound(&target);
        let most = node.len().min(start + FEW_MAX + 1);
        let end = (start..most).find(|i| !node.begins_with(*i, prefix));
        Ok(end.map(|end| Few { leaf: Some(node), range: start..end }))
    }
}

impl<const N: usize> Few<'_, N> {
    #[inline]
    fn key(&self, i: usize) -> Option<[u64; N]> {
        self.leaf.as_ref().map(|leaf| leaf.key(i))
    }
}

impl<const N: usize> Iterator for Few<'_, N> {
    type Item = [u64; N];

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.range.next().and_then(|i| self.key(i))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.range.size_hint()
    }
}

impl<const N: usize> DoubleEndedIterator for Few<'_, N> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.range.next_back().and_then(|i| self.key(i))
    }
}

impl<const N: usize> ExactSizeIterator for Few<'_, N> {}
