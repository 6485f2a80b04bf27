//! Walks over every block of a sorted set: for marking, and for looking whether all is well.

use super::{SortedSet, node::Node, search::less};
use crate::{Addr, Error, Read};

impl<const N: usize> SortedSet<N> {
    /// Shows every block of the set to `visit`, parents first. Where it answers `false`, nothing
    /// below the block is visited: it was seen before, or is of no interest.
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
        trace_below(reader, Node::<N>::root(reader, self.root)?, visit)
    }

    /// Checks every invariant of every node: order, bounds, heights, counts. O(n).
    ///
    /// # Errors
    /// What is wrong and where, for the first thing that is.
    pub fn verify<R: Read + ?Sized>(self, reader: &R) -> Result<(), Error> {
        if self.root.is_none() {
            return Ok(());
        }
        verify_node(reader, Node::<N>::root(reader, self.root)?, &[0; N], None)
    }
}

fn trace_below<'r, const N: usize, R: Read + ?Sized>(
    reader: &'r R,
    node: Node<'r, N>,
    visit: &mut impl FnMut(Addr) -> bool,
) -> Result<(), Error> {
    if node.height == 0 {
        return Ok(());
    }
    for index in 0..node.len() {
        if visit(node.link(index).0) {
            trace_below(reader, node.child(reader, index)?, visit)?;
        }
    }
    Ok(())
}

fn verify_node<'r, const N: usize, R: Read + ?Sized>(
    reader: &'r R,
    node: Node<'r, N>,
    from: &[u64; N],
    to: Option<&[u64; N]>,
) -> Result<(), Error> {
    let fits = |key: &[u64; N]| !less(key, from) && to.is_none_or(|to| less(key, to));
    if node.height == 0 {
        let mut keys = Vec::with_capacity(node.len());
        node.read_keys(0..node.len(), &mut keys);
        if !keys.is_sorted_by(less) || !keys.iter().all(fits) {
            return Err(Error::corrupt("sorted set keys out of order", node.at));
        }
        return Ok(());
    }
    if node.sum(0..node.len()) != node.total || node.bound(0) != [0; N] {
        return Err(Error::corrupt("sorted set node contradicts its rows", node.at));
    }
    for index in 0..node.len() {
        let low = if index == 0 { *from } else { node.bound(index) };
        let high = if index + 1 < node.len() { Some(node.bound(index + 1)) } else { to.copied() };
        if !fits(&low) || high.is_some_and(|high| !less(&low, &high)) {
            return Err(Error::corrupt("sorted set bounds out of order", node.at));
        }
        verify_node(reader, node.child(reader, index)?, &low, high.as_ref())?;
    }
    Ok(())
}
