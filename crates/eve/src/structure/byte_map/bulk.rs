//! Many entries at once: whole maps from sorted entries, and sorted entries into a map.

use std::borrow::Borrow;

use super::{
    ByteMap,
    edit::{Words, check_key, root_of},
    node::{Node, Seen},
    rows::{Child, Pieces, Rows},
};
use crate::structure::stored::Stored;
use crate::{Error, Write};

impl<K: Stored + ?Sized, V: Stored + ?Sized> ByteMap<K, V> {
    /// The map of these entries, which should ascend by key: each node is then written once, full but for
    /// some room to grow. Entries that come out of order are kept aside and taken in at the end. Of
    /// entries with one key the last one counts.
    ///
    /// O(n), and memory for the leaves' addresses.
    ///
    /// # Errors
    /// As [`ByteMap::insert`].
    pub fn from_iter<W: Write + ?Sized, Q: Borrow<K>, U: Borrow<V>>(
        memory: &mut W,
        entries: impl IntoIterator<Item = (Q, U)>,
    ) -> Result<Self, Error> {
        let (mut leaves, mut late) = (Pieces::new(0, Self::SHAPE), Vec::new());
        for (key, value) in entries {
            let bytes = Borrow::<K>::borrow(&key).key_bytes();
            check_key(bytes)?;
            if leaves.last().is_some_and(|last| last >= bytes) {
                late.push((key, value));
                continue;
            }
            let words = Words::store::<V, W>(memory, value.borrow())?;
            leaves.push(memory, bytes, words.get::<V>())?;
        }
        let leaves = leaves.finish(memory)?;
        Self::from_root(root_of(memory, Self::SHAPE, leaves)?).extend(memory, late)
    }

    /// The map with these entries, the last of each key.
    ///
    /// One descent per leaf that changes, and each node is written once: for keys that lie together far
    /// cheaper than one insertion each. What comes unsorted is sorted first.
    ///
    /// # Errors
    /// As [`ByteMap::insert`].
    pub fn extend<W: Write + ?Sized, Q: Borrow<K>, U: Borrow<V>>(
        self,
        memory: &mut W,
        entries: impl IntoIterator<Item = (Q, U)>,
    ) -> Result<Self, Error> {
        if self.is_empty() {
            let mut entries = entries.into_iter().peekable();
            return match entries.peek() {
                Some(_) => Self::from_iter(memory, entries),
                None => Ok(self),
            };
        }
        let mut entries: Vec<(Q, U)> = entries.into_iter().collect();
        entries.iter().try_for_each(|(key, _)| check_key(bytes_of::<K, Q>(key)))?;
        // Stable: of one key, the last stays last.
        entries.sort_by(|(a, _), (b, _)| bytes_of::<K, Q>(a).cmp(bytes_of::<K, Q>(b)));
        entries.reverse();
        entries.dedup_by(|(a, _), (b, _)| bytes_of::<K, Q>(a) == bytes_of::<K, Q>(b));
        entries.reverse();
        if entries.is_empty() {
            return Ok(self);
        }
        let root = Node::root(memory, self.root(), Self::SHAPE)?.seen();
        let mut nodes = Vec::with_capacity(1);
        Self::merge_into(memory, root, Vec::new(), &entries, &mut nodes)?;
        Ok(Self::from_root(root_of(memory, Self::SHAPE, nodes)?))
    }

    /// Merges ascending entries, not none, into a node that hangs under `bound`. Appends what takes its
    /// place to `out`: one child, or several where the node grew too large. The recursion is as deep as
    /// the tree, which [`Node::child`] bounds.
    fn merge_into<W: Write + ?Sized, Q: Borrow<K>, U: Borrow<V>>(
        memory: &mut W,
        node: Seen,
        bound: Vec<u8>,
        entries: &[(Q, U)],
        out: &mut Vec<Child>,
    ) -> Result<(), Error> {
        let rows = match node.height {
            0 => Self::merge_entries(memory, node, entries)?,
            _ => Self::merge_children(memory, node, entries)?,
        };
        let Some(rows) = rows else {
            out.push(Child { bound, at: node.at, total: node.total });
            return Ok(());
        };
        let grown = rows.write_all(memory, Some(node.at), rows.len())?;
        out.push(Child { bound, at: grown.node.at, total: grown.node.total });
        out.extend(grown.more);
        Ok(())
    }

    /// The rows of a leaf with these entries among them; none if they are what it has.
    fn merge_entries<W: Write + ?Sized, Q: Borrow<K>, U: Borrow<V>>(
        memory: &mut W,
        leaf: Seen,
        entries: &[(Q, U)],
    ) -> Result<Option<Rows>, Error> {
        let mut old = Rows::new(0, Self::SHAPE);
        old.push_from(&leaf.open(memory, Self::SHAPE)?, 0..leaf.rows, &[]);
        let mut rows = Rows::new(0, Self::SHAPE);
        let (mut next, mut changed) = (0, false);
        for (key, value) in entries {
            let (key, value): (&[u8], &V) = (bytes_of::<K, Q>(key), value.borrow());
            while next < old.len() && old.key(next) < key {
                rows.push(old.key(next), old.words(next));
                next += 1;
            }
            if next < old.len() && old.key(next) == key {
                let before = old.words(next);
                next += 1;
                if value.is_stored(memory, before)? {
                    rows.push(key, before);
                    continue;
                }
                if let Some(block) = V::block(before) {
                    memory.retire(block);
                }
            }
            rows.push(key, Words::store::<V, W>(memory, value)?.get::<V>());
            changed = true;
        }
        (next..old.len()).for_each(|i| rows.push(old.key(i), old.words(i)));
        Ok(changed.then_some(rows))
    }

    /// The rows of an inner node after the entries went into its children; none if nothing changed.
    fn merge_children<W: Write + ?Sized, Q: Borrow<K>, U: Borrow<V>>(
        memory: &mut W,
        node: Seen,
        entries: &[(Q, U)],
    ) -> Result<Option<Rows>, Error> {
        let (mut entries, mut changed) = (entries, false);
        let (mut rows, mut children) = (Rows::new(node.height, Self::SHAPE), Vec::new());
        for i in 0..node.rows {
            let open = node.open(memory, Self::SHAPE)?;
            let here = match i + 1 < node.rows {
                true => {
                    let next = open.key(i + 1);
                    entries.partition_point(|(key, _)| bytes_of::<K, Q>(key) < &next[..])
                }
                false => entries.len(),
            };
            let (these, rest) = entries.split_at(here);
            entries = rest;
            if these.is_empty() {
                rows.push_from(&open, i..i + 1, &[]);
                continue;
            }
            let (child, bound) = (open.child(memory, i)?.seen(), open.key(i));
            children.clear();
            Self::merge_into(memory, child, bound, these, &mut children)?;
            for Child { bound, at, total } in &children {
                changed |= (*at, *total) != (child.at, child.total);
                rows.push(bound, &[at.raw(), *total]);
            }
        }
        Ok(changed.then_some(rows))
    }
}

fn bytes_of<'k, K: Stored + ?Sized + 'k, Q: Borrow<K>>(key: &'k Q) -> &'k [u8] {
    key.borrow().key_bytes()
}
