//! What is different between two maps, and one map taken into another.
//!
//! Both go down together, slot by slot. Where both have the same block nothing is different below
//! it, for published blocks never change; so what is read, and what it costs, follows the
//! difference. The counts bound the walk as they do elsewhere: children that are not shared are
//! looked at when their parents are opened, and must count what the parents leave for them.

use std::marker::PhantomData;

use super::{
    Kept, Kinds, Map, Of, Stored,
    node::{LEVELS, Node, collision_entries, count_of, slot},
};
use crate::{Addr, Error, Read, Write};

/// One difference between an older and a newer map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<K, V> {
    /// Only the newer one has the key.
    Added(K, V),
    /// Only the older one has the key.
    Removed(K, V),
    /// Both have the key: with the older value, and with the newer.
    Changed(K, V, V),
}

impl<K, V> Change<K, V> {
    /// The key, or the element of a set, that is different.
    pub const fn key(&self) -> &K {
        match self {
            Change::Added(key, _) | Change::Removed(key, _) | Change::Changed(key, _, _) => key,
        }
    }
}

/// What one of the maps has in a place.
#[derive(Clone, Copy)]
enum Part<'r> {
    Nothing,
    Entry(&'r [u64]),
    Node(Addr),
}

/// A place in both maps.
#[derive(Clone, Copy)]
struct Place<'r> {
    level: usize,
    old: Part<'r>,
    new: Part<'r>,
}

/// Iterator over what is different: see [`Map::diff`].
///
/// It gives an error at most once, and nothing after it.
pub struct Changes<'r, K, V, R, S>
where
    K: Stored + ?Sized,
    V: Stored + ?Sized,
    R: Read + ?Sized,
    S: Read + ?Sized,
{
    old: &'r R,
    new: &'r S,
    places: Vec<Place<'r>>,
    kinds: Kept<K, V>,
}

impl<K: Stored + ?Sized, V: Stored + ?Sized> Map<K, V> {
    /// What must be done to `self` to get `other`: each key once, in the order of their hashes.
    ///
    /// Both are versions in one memory, each read as its own snapshot sees it. What they share is not
    /// read: the cost follows the difference, O(d log n), not the size.
    pub fn diff<'r, R: Read + ?Sized, S: Read + ?Sized>(
        self,
        reader: &'r R,
        other: Self,
        other_reader: &'r S,
    ) -> Changes<'r, K, V, R, S> {
        let part = |root: Addr| if root.is_none() { Part::Nothing } else { Part::Node(root) };
        let place = Place { level: 0, old: part(self.root), new: part(other.root) };
        Changes { old: reader, new: other_reader, places: vec![place], kinds: PhantomData }
    }

    /// The map with what `other` has besides: its keys that are not here, and for those that are here
    /// with another value what `resolve` makes of the key, the value here and the value there.
    /// [`None`] keeps the one here.
    ///
    /// `other` is a version in the same memory, read by `reader`, usually a
    /// [`Snapshot`](crate::Snapshot). Costs follow the difference, as in [`Map::diff`].
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn merge<W: Write + ?Sized, R: Read + ?Sized>(
        self,
        memory: &mut W,
        other: Self,
        reader: &R,
        mut resolve: impl FnMut(K::Shown<'_>, V::Shown<'_>, V::Shown<'_>) -> Option<V::Owned>,
    ) -> Result<Self, Error>
    where
        K::Owned: std::borrow::Borrow<K>,
        V::Owned: std::borrow::Borrow<V>,
    {
        let mut edits: Vec<(K::Owned, V::Owned)> = Vec::new();
        let mut changes = self.diff(memory, other, reader);
        while let Some(change) = changes.step()? {
            let (key, value) = match (change.old, change.new) {
                (None, Some(new)) => {
                    let (key, value) = new.split_at(K::WORDS);
                    (K::own(reader, key)?, V::own(reader, value)?)
                }
                (Some(old), Some(new)) => {
                    let (key, here) = old.split_at(K::WORDS);
                    let here = V::show(changes.old, here)?;
                    let there = V::show(reader, &new[K::WORDS..])?;
                    match resolve(K::show(changes.old, key)?, here, there) {
                        Some(value) => (K::own(changes.old, key)?, value),
                        None => continue,
                    }
                }
                _ => continue,
            };
            edits.push((key, value));
        }
        self.extend(memory, edits)
    }
}

/// A difference as the entries lie in memory.
#[derive(Clone, Copy)]
struct Raw<'r> {
    old: Option<&'r [u64]>,
    new: Option<&'r [u64]>,
}

impl<'r, K, V, R, S> Changes<'r, K, V, R, S>
where
    K: Stored + ?Sized,
    V: Stored + ?Sized,
    R: Read + ?Sized,
    S: Read + ?Sized,
{
    fn step(&mut self) -> Result<Option<Raw<'r>>, Error> {
        while let Some(Place { level, old, new }) = self.places.pop() {
            match (old, new) {
                (Part::Nothing, Part::Nothing) => {}
                (Part::Entry(old), Part::Nothing) => {
                    return Ok(Some(Raw { old: Some(old), new: None }));
                }
                (Part::Nothing, Part::Entry(new)) => {
                    return Ok(Some(Raw { old: None, new: Some(new) }));
                }
                (Part::Entry(old), Part::Entry(new)) => {
                    if let Some(raw) = self.two_entries(level, old, new)? {
                        return Ok(Some(raw));
                    }
                }
                (Part::Node(old), Part::Node(new)) if old == new => {}
                _ if level == LEVELS => self.open_collision(old, new)?,
                _ => self.open(level, old, new)?,
            }
        }
        Ok(None)
    }

    /// Entries of one place: with one key, or not.
    fn two_entries(
        &mut self,
        level: usize,
        old: &'r [u64],
        new: &'r [u64],
    ) -> Result<Option<Raw<'r>>, Error> {
        let ((old_key, old_value), (new_key, new_value)) =
            (old.split_at(K::WORDS), new.split_at(K::WORDS));
        let seed = self.old.seed();
        let (old_hash, new_hash) =
            (K::hash_stored(self.old, old_key, seed)?, K::hash_stored(self.new, new_key, seed)?);
        let same_key = old_hash == new_hash && self.same::<K>(old_key, new_key)?;
        if same_key {
            return match self.same::<V>(old_value, new_value)? {
                true => Ok(None),
                false => Ok(Some(Raw { old: Some(old), new: Some(new) })),
            };
        }
        let gone = Place { level, old: Part::Entry(old), new: Part::Nothing };
        let come = Place { level, old: Part::Nothing, new: Part::Entry(new) };
        // In the order of hashes; the last one pushed comes first.
        let order = if old_hash <= new_hash { [come, gone] } else { [gone, come] };
        self.places.extend(order);
        Ok(None)
    }

    fn same<T: Stored + ?Sized>(&self, old: &[u64], new: &[u64]) -> Result<bool, Error> {
        T::same_stored(self.old, old, self.new, new)
    }

    /// Both sides of a place where at least one has a node, and they are not the same.
    fn open(&mut self, level: usize, old: Part<'r>, new: Part<'r>) -> Result<(), Error> {
        let old = Opened::open::<K, V, R>(self.old, level, old)?;
        let new = Opened::open::<K, V, S>(self.new, level, new)?;
        let shared = |slot: u32| match (&old, &new) {
            (Opened::Node(old), Opened::Node(new)) => {
                old.child(slot).is_some() && old.child(slot) == new.child(slot)
            }
            _ => false,
        };
        old.check::<K, V, R>(self.old, shared)?;
        new.check::<K, V, S>(self.new, shared)?;
        for slot in (0..64).rev() {
            let place = Place {
                level: level + 1,
                old: old.part::<Of<K, V>>(slot),
                new: new.part::<Of<K, V>>(slot),
            };
            if !matches!((place.old, place.new), (Part::Nothing, Part::Nothing)) && !shared(slot) {
                self.places.push(place);
            }
        }
        Ok(())
    }

    /// Entries of one hash, ascending by key on both sides.
    fn open_collision(&mut self, old: Part<'r>, new: Part<'r>) -> Result<(), Error> {
        let old = all_entries::<K, V, R>(self.old, old)?;
        let new = all_entries::<K, V, S>(self.new, new)?;
        let stride = <Of<K, V>>::ENTRY;
        let start = self.places.len();
        let mut left: Vec<&'r [u64]> = new.chunks_exact(stride).collect();
        for entry in old.chunks_exact(stride) {
            let mut twin = None;
            for (i, other) in left.iter().enumerate() {
                if self.same::<K>(&entry[..K::WORDS], &other[..K::WORDS])? {
                    twin = Some(i);
                    break;
                }
            }
            let new = twin.map_or(Part::Nothing, |i| Part::Entry(left.remove(i)));
            self.places.push(Place { level: LEVELS, old: Part::Entry(entry), new });
        }
        let come = left.into_iter().map(Part::Entry);
        self.places.extend(come.map(|new| Place { level: LEVELS, old: Part::Nothing, new }));
        self.places[start..].reverse();
        Ok(())
    }

    fn show(&self, raw: Raw<'r>) -> Result<Change<K::Shown<'r>, V::Shown<'r>>, Error> {
        let key = |words: &'r [u64]| words.split_at(K::WORDS);
        match (raw.old.map(key), raw.new.map(key)) {
            (Some((key, old)), Some((_, new))) => Ok(Change::Changed(
                K::show(self.old, key)?,
                V::show(self.old, old)?,
                V::show(self.new, new)?,
            )),
            (Some((key, value)), None) => {
                Ok(Change::Removed(K::show(self.old, key)?, V::show(self.old, value)?))
            }
            (None, Some((key, value))) => {
                Ok(Change::Added(K::show(self.new, key)?, V::show(self.new, value)?))
            }
            (None, None) => Err(Error::corrupt("a difference between nothing", Addr::NONE)),
        }
    }
}

fn all_entries<'r, K: Stored + ?Sized, V: Stored + ?Sized, R: Read + ?Sized>(
    reader: &'r R,
    part: Part<'r>,
) -> Result<&'r [u64], Error> {
    match part {
        Part::Nothing => Ok(&[]),
        Part::Entry(entry) => Ok(entry),
        Part::Node(at) => collision_entries::<Of<K, V>>(reader.words(at)?, at),
    }
}

/// One side of a place, taken apart.
enum Opened<'r> {
    Nothing,
    /// An entry in the slot of its hash.
    Entry(u32, &'r [u64]),
    Node(Node<'r>),
}

impl<'r> Opened<'r> {
    fn open<K: Stored + ?Sized, V: Stored + ?Sized, R: Read + ?Sized>(
        reader: &'r R,
        level: usize,
        part: Part<'r>,
    ) -> Result<Self, Error> {
        match part {
            Part::Nothing => Ok(Opened::Nothing),
            Part::Entry(entry) => {
                let hash = K::hash_stored(reader, &entry[..K::WORDS], reader.seed())?;
                Ok(Opened::Entry(slot(hash, level), entry))
            }
            Part::Node(at) => Ok(Opened::Node(Node::read::<Of<K, V>, R>(reader, at, level)?)),
        }
    }

    fn part<K: Kinds>(&self, at: u32) -> Part<'r> {
        match self {
            Opened::Entry(slot, entry) if *slot == at => Part::Entry(entry),
            Opened::Node(node) => match (node.entry::<K>(at), node.child(at)) {
                (Some(entry), _) => Part::Entry(entry),
                (None, Some(child)) => Part::Node(child),
                (None, None) => Part::Nothing,
            },
            _ => Part::Nothing,
        }
    }

    /// What is not shared counts at least two a child, and no more than the node says.
    fn check<K: Stored + ?Sized, V: Stored + ?Sized, R: Read + ?Sized>(
        &self,
        reader: &R,
        shared: impl Fn(u32) -> bool,
    ) -> Result<(), Error> {
        let Opened::Node(node) = self else { return Ok(()) };
        let mut sum = (node.entries.len() / <Of<K, V>>::ENTRY) as u64;
        for slot in super::node::slots(node.child_map).filter(|slot| !shared(*slot)) {
            let Some(child) = node.child(slot) else { continue };
            let count = count_of(reader.words(child)?);
            sum = if count < 2 { u64::MAX } else { sum.saturating_add(count) };
        }
        match sum <= node.count {
            true => Ok(()),
            false => Err(Error::corrupt("map node that miscounts its entries", node.at)),
        }
    }
}

impl<'r, K, V, R, S> Iterator for Changes<'r, K, V, R, S>
where
    K: Stored + ?Sized,
    V: Stored + ?Sized,
    R: Read + ?Sized,
    S: Read + ?Sized,
{
    type Item = Result<Change<K::Shown<'r>, V::Shown<'r>>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.step().transpose()?;
        let shown = found.and_then(|raw| self.show(raw));
        if shown.is_err() {
            self.places.clear();
        }
        Some(shown)
    }
}
