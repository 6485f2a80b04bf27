//! Walks over every block of a byte map: for marking, and for looking whether all is well.

use super::{ByteMap, node::Node};
use crate::structure::stored::Stored;
use crate::{Addr, Error, Read};

impl<K: Stored + ?Sized, V: Stored + ?Sized> ByteMap<K, V> {
    /// Shows every block of the map, those of values included, to `visit`, parents first. Where it answers
    /// `false`, nothing below the block is visited: it was seen before, or is of no interest.
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn trace<R: Read + ?Sized>(
        self,
        reader: &R,
        visit: &mut impl FnMut(Addr) -> bool,
    ) -> Result<(), Error> {
        if self.is_empty() || !visit(self.root()) {
            return Ok(());
        }
        Self::trace_below(reader, &Node::root(reader, self.root(), Self::SHAPE)?, visit)
    }

    fn trace_below<R: Read + ?Sized>(
        reader: &R,
        node: &Node<'_>,
        visit: &mut impl FnMut(Addr) -> bool,
    ) -> Result<(), Error> {
        for i in 0..node.len() {
            if node.height > 0 {
                if visit(node.link(i).0) {
                    Self::trace_below(reader, &node.child(reader, i)?, visit)?;
                }
            } else if let Some(block) = V::block(node.words(i)) {
                visit(block);
            }
        }
        Ok(())
    }

    /// Checks every invariant of every node: order, bounds, heights, counts. O(n).
    ///
    /// # Errors
    /// What is wrong and where, for the first thing that is.
    pub fn verify<R: Read + ?Sized>(self, reader: &R) -> Result<(), Error> {
        if self.is_empty() {
            return Ok(());
        }
        let root = Node::root(reader, self.root(), Self::SHAPE)?;
        Self::verify_node(reader, &root, &[], None)
    }

    /// Everything below the node shall lie from `from` on and before `to`.
    fn verify_node<R: Read + ?Sized>(
        reader: &R,
        node: &Node<'_>,
        from: &[u8],
        to: Option<&[u8]>,
    ) -> Result<(), Error> {
        let (keyed, mut last) = (usize::from(node.height > 0), None);
        for i in keyed..node.len() {
            let key = node.key(i);
            let ascends = last.as_ref().is_none_or(|last| *last < key);
            let fits = key.as_slice() >= from && to.is_none_or(|to| key.as_slice() < to);
            if !ascends || !fits || !node.is_sound(i) {
                return Err(Error::corrupt("byte map keys out of order", node.at));
            }
            last = Some(key);
        }
        if node.height == 0 {
            return Self::verify_entries(reader, node);
        }
        if node.sum(node.len()) != node.total {
            return Err(Error::corrupt("byte map node contradicts its rows", node.at));
        }
        for i in 0..node.len() {
            let low = if i == 0 { from.to_vec() } else { node.key(i) };
            let high =
                if i + 1 < node.len() { Some(node.key(i + 1)) } else { to.map(<[u8]>::to_vec) };
            Self::verify_node(reader, &node.child(reader, i)?, &low, high.as_deref())?;
        }
        Ok(())
    }

    fn verify_entries<R: Read + ?Sized>(reader: &R, leaf: &Node<'_>) -> Result<(), Error> {
        for i in 0..leaf.len() {
            V::show(reader, leaf.words(i))?;
            if K::from_key_bytes(&leaf.key(i)).is_none() {
                return Err(Error::corrupt("a key of another length", leaf.at));
            }
        }
        Ok(())
    }
}
