//! All structures on the slab they are made for: thousands of commits, old snapshots held meanwhile, and
//! at the end every block of the region accounted for. And what tests of each of them share.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{Array, ByteMap, ByteSet, Map, Set, SortedMap, SortedSet, Vector};
use crate::memory::Arena;
use crate::{Addr, Error, Read, Region, Slab, Snapshot, Txn, Write};

/// Memory as a damaged file makes it: what a structure retires wrongly is not worth a panic.
pub(super) struct Damaged(Arena, HashSet<Addr>);

impl Damaged {
    pub(super) fn new(memory: Arena) -> Damaged {
        Damaged(memory, HashSet::new())
    }
}

impl Read for Damaged {
    fn words(&self, at: Addr) -> Result<&[u64], Error> {
        self.0.words(at)
    }
}

impl Write for Damaged {
    fn alloc(&mut self, bytes: usize) -> Result<Addr, Error> {
        self.0.alloc(bytes)
    }

    fn words_mut(&mut self, at: Addr) -> Option<&mut [u64]> {
        self.0.words_mut(at)
    }

    fn retire(&mut self, at: Addr) {
        if self.0.words(at).is_ok() && self.1.insert(at) {
            self.0.retire(at);
        }
    }
}

/// Memory that counts how many blocks are read.
pub(super) struct Counting<'m>(&'m Arena, Cell<usize>);

impl<'m> Counting<'m> {
    pub(super) fn new(memory: &'m Arena) -> Self {
        Counting(memory, Cell::new(0))
    }

    pub(super) fn reads(&self) -> usize {
        self.1.get()
    }
}

impl Read for Counting<'_> {
    fn words(&self, at: Addr) -> Result<&[u64], Error> {
        self.1.set(self.1.get() + 1);
        self.0.words(at)
    }
}

const COMMITS: u64 = if cfg!(miri) { 30 } else { 3_000 };
const REGION_BYTES: u64 = 64 << 20;
const STRUCTURES: usize = 8;

/// One of each, as a transaction leaves them: the root block has their roots.
#[derive(Clone, Copy, Default)]
struct World {
    map: Map<[u8], [u8]>,
    set: Set<[u64; 2]>,
    vector: Vector<u32>,
    array: Array<u16>,
    sorted_map: SortedMap<1, 2>,
    sorted_set: SortedSet<3>,
    byte_map: ByteMap<[u8], [u8]>,
    byte_set: ByteSet<[u8; 4]>,
}

impl World {
    fn read(reader: &impl Read, root: Addr) -> Result<World, Error> {
        if root.is_none() {
            return Ok(World::default());
        }
        let words = reader.words(root)?;
        let root = |i: usize| Addr::from_raw(words[i]);
        Ok(World {
            map: Map::from_root(root(0)),
            set: Set::from_root(root(1)),
            vector: Vector::from_root(root(2)),
            array: Array::from_root(root(3)),
            sorted_map: SortedMap::from_root(root(4)),
            sorted_set: SortedSet::from_root(root(5)),
            byte_map: ByteMap::from_root(root(6)),
            byte_set: ByteSet::from_root(root(7)),
        })
    }

    fn write(&self, txn: &mut Txn, old: Addr) -> Result<Addr, Error> {
        let root = txn.alloc(STRUCTURES * 8)?;
        let words =
            txn.words_mut(root).ok_or(Error::corrupt("new block cannot be written", root))?;
        words[..STRUCTURES].copy_from_slice(&[
            self.map.root().raw(),
            self.set.root().raw(),
            self.vector.root().raw(),
            self.array.root().raw(),
            self.sorted_map.root().raw(),
            self.sorted_set.root().raw(),
            self.byte_map.root().raw(),
            self.byte_set.root().raw(),
        ]);
        if !old.is_none() {
            txn.retire(old);
        }
        Ok(root)
    }

    fn verify(&self, reader: &impl Read) -> Result<(), Error> {
        self.map.verify(reader)?;
        self.set.verify(reader)?;
        self.vector.verify(reader)?;
        self.array.verify(reader)?;
        self.sorted_map.verify(reader)?;
        self.sorted_set.verify(reader)?;
        self.byte_map.verify(reader)?;
        self.byte_set.verify(reader)
    }

    fn trace(&self, reader: &impl Read, visit: &mut impl FnMut(Addr) -> bool) -> Result<(), Error> {
        self.map.trace(reader, visit)?;
        self.set.trace(reader, visit)?;
        self.vector.trace(reader, visit)?;
        self.array.trace(reader, visit)?;
        self.sorted_map.trace(reader, visit)?;
        self.sorted_set.trace(reader, visit)?;
        self.byte_map.trace(reader, visit)?;
        self.byte_set.trace(reader, visit)
    }

    /// What commit `n` does.
    fn change(self, txn: &mut Txn, n: u64) -> Result<World, Error> {
        let (map, _) = self.map.insert(txn, &name(n), name(n * 3))?;
        let (map, _) = map.remove(txn, &name(n * 7))?;
        let (set, _) = self.set.insert(txn, &[n % 300, n % 7])?;
        let (set, _) = set.remove(txn, &[n * 5 % 300, n % 7])?;
        let vector = match n % 5 {
            0 => self.vector.pop(txn)?.0,
            1 => self.vector.set(txn, n % 50, n as u32)?.0,
            _ => self.vector.push(txn, n as u32)?,
        };
        let array = match self.array.is_empty() {
            true => Array::from_iter(txn, 0..40)?,
            false => self.array.set(txn, n % 40, n as u16)?,
        };
        let (sorted_map, _) = self.sorted_map.insert(txn, [n % 97, n])?;
        let (sorted_map, _) = sorted_map.remove(txn, &[n * 11 % 97])?;
        let (sorted_set, _) = self.sorted_set.insert(txn, key(n))?;
        let (sorted_set, _) = sorted_set.remove(txn, &key(n / 2))?;
        let (sorted_set, _) = sorted_set.insert_many(txn, &[key(n + 1), key(n + 2)])?;
        let (byte_map, _) = self.byte_map.insert(txn, &path(n), name(n))?;
        let (byte_map, _) = byte_map.remove(txn, &path(n * 7))?;
        let byte_map =
            byte_map.extend(txn, [(path(n + 5), name(n)), (path(n + 3), name(n + 1))])?;
        let (byte_set, _) = self.byte_set.insert(txn, &mixed(n))?;
        let (byte_set, _) = byte_set.remove(txn, &mixed(n / 2))?;
        Ok(World { map, set, vector, array, sorted_map, sorted_set, byte_map, byte_set })
    }
}

fn name(n: u64) -> Vec<u8> {
    format!("{}", n % 211).repeat(1 + n as usize % 4).into_bytes()
}

fn path(n: u64) -> Vec<u8> {
    format!("/home/{}/files/{}", n % 13, n * 37 % 401).into_bytes()
}

fn mixed(n: u64) -> [u8; 4] {
    (n as u32 % 700).wrapping_mul(0x9e37_79b9).to_be_bytes()
}

fn key(n: u64) -> [u64; 3] {
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    [mixed % 50, mixed % 7, mixed % 300]
}

/// The same of the standard library.
#[derive(Clone, Default, PartialEq, Debug)]
struct Model {
    map: BTreeMap<Vec<u8>, Vec<u8>>,
    set: BTreeSet<[u64; 2]>,
    vector: Vec<u32>,
    array: Vec<u16>,
    sorted_map: BTreeMap<u64, u64>,
    sorted_set: BTreeSet<[u64; 3]>,
    byte_map: BTreeMap<Vec<u8>, Vec<u8>>,
    byte_set: BTreeSet<[u8; 4]>,
}

impl Model {
    fn change(&mut self, n: u64) {
        self.map.insert(name(n), name(n * 3));
        self.map.remove(&name(n * 7));
        self.set.insert([n % 300, n % 7]);
        self.set.remove(&[n * 5 % 300, n % 7]);
        match n % 5 {
            0 => drop(self.vector.pop()),
            1 => self.vector.iter_mut().skip(n as usize % 50).take(1).for_each(|e| *e = n as u32),
            _ => self.vector.push(n as u32),
        }
        match self.array.is_empty() {
            true => self.array.extend(0..40),
            false => self.array[n as usize % 40] = n as u16,
        }
        self.sorted_map.insert(n % 97, n);
        self.sorted_map.remove(&(n * 11 % 97));
        self.sorted_set.insert(key(n));
        self.sorted_set.remove(&key(n / 2));
        self.sorted_set.extend([key(n + 1), key(n + 2)]);
        self.byte_map.insert(path(n), name(n));
        self.byte_map.remove(&path(n * 7));
        self.byte_map.extend([(path(n + 5), name(n)), (path(n + 3), name(n + 1))]);
        self.byte_set.insert(mixed(n));
        self.byte_set.remove(&mixed(n / 2));
    }

    fn read(snapshot: &Snapshot) -> Model {
        let world = World::read(snapshot, snapshot.root()).unwrap();
        world.verify(snapshot).unwrap();
        let entry = |entry: Result<(&[u8], &[u8]), Error>| {
            let (key, value) = entry.unwrap();
            (key.to_vec(), value.to_vec())
        };
        Model {
            map: world.map.iter(snapshot).map(entry).collect(),
            set: world.set.iter(snapshot).map(Result::unwrap).collect(),
            vector: world.vector.iter(snapshot).map(Result::unwrap).collect(),
            array: world.array.as_slice(snapshot).unwrap().to_vec(),
            sorted_map: world
                .sorted_map
                .iter(snapshot)
                .map(|r| r.unwrap())
                .map(|r| (r[0], r[1]))
                .collect(),
            sorted_set: world.sorted_set.iter(snapshot).map(|key| key.unwrap()).collect(),
            byte_map: world
                .byte_map
                .iter(snapshot)
                .map(|entry| entry.unwrap())
                .map(|(key, value)| (key, value.to_vec()))
                .collect(),
            byte_set: world.byte_set.iter(snapshot).map(|key| key.unwrap()).collect(),
        }
    }
}

fn commit(slab: &Slab, n: u64) {
    let edited = slab.swap(|txn| {
        let old = txn.base();
        let world = World::read(txn, old)?.change(txn, n)?;
        Ok::<_, Error>((world.write(txn, old)?, ()))
    });
    edited.unwrap();
}

/// The Clojure original lets go of its pin before a value is read: two thousand commits later all of
/// what is held has changed.
#[test]
fn a_held_snapshot_is_what_it_was_thousands_of_commits_later() {
    let slab = Slab::create(Region::heap(REGION_BYTES).unwrap()).unwrap();
    let (mut model, mut held) = (Model::default(), Vec::new());
    for n in 0..COMMITS {
        commit(&slab, n);
        model.change(n);
        if n % 211 == 20 {
            held.push((slab.snapshot().unwrap(), model.clone()));
        }
        // Some are let go, so that memory is used again beneath the others.
        if n % 389 == 388 {
            held.remove(held.len() / 2);
        }
    }
    assert_eq!(Model::read(&slab.snapshot().unwrap()), model);
    for (snapshot, model) in &held {
        assert_eq!(Model::read(snapshot), *model);
    }
    held.clear();
    let found = slab.verify(|snapshot, root, marks| {
        marks.mark(root)?;
        let mut failed = Ok(());
        let mut visit = |at| {
            marks.mark(at).unwrap_or_else(|error| {
                failed = Err(error);
                false
            })
        };
        World::read(snapshot, root)?.trace(snapshot, &mut visit)?;
        failed
    });
    let found = found.unwrap();
    assert_eq!(found.leaked_blocks, Some(0));
    assert!(found.reachable_blocks > 100, "{found:?}");
}

/// Overwriting for ever takes no more room than twice what lives, or three times while somebody still
/// reads the version before the first overwrite.
#[test]
fn overwriting_for_ever_takes_little_more_than_what_lives() {
    const KEYS: u64 = 1_000;
    const ROUNDS: u64 = if cfg!(miri) { 2 } else { 60 };
    let slab = Slab::create(Region::heap(REGION_BYTES).unwrap()).unwrap();
    let write = |value: u64, key: u64| {
        let edited = slab.swap(|txn| {
            let (map, _) = Map::<u64, u64>::from_root(txn.base()).insert(txn, &key, value)?;
            Ok::<_, Error>((map.root(), ()))
        });
        edited.unwrap();
    };
    let built = slab.swap(|txn| {
        let map = Map::<u64, u64>::from_iter(txn, (0..KEYS).map(|key| (key, 0)))?;
        Ok::<_, Error>((map.root(), ()))
    });
    built.unwrap();
    let built = slab.stats().used_bytes;
    (1..ROUNDS / 2).for_each(|round| (0..KEYS).for_each(|key| write(round, key)));
    let without = slab.stats().used_bytes;
    let first = slab.snapshot().unwrap();
    (1..ROUNDS).for_each(|round| (0..KEYS).for_each(|key| write(round, key)));
    let with = slab.stats().used_bytes;
    let map = Map::<u64, u64>::from_root(first.root());
    let old = ROUNDS / 2 - 1;
    (0..KEYS).for_each(|key| assert_eq!(map.get(&first, &key).unwrap(), Some(old)));
    assert!(without <= 2 * built, "{without} bytes used, {built} before");
    assert!(with <= 3 * built, "{with} bytes used, {built} before");
}
