//! Both structures on the slab they are made for: many commits, old snapshots held meanwhile, and at
//! the end every block of the region accounted for.

use std::collections::{BTreeMap, BTreeSet};

use super::{Map, SortedSet};
use crate::{Addr, Error, Read, Region, Slab, Snapshot, Txn, Write};

const COMMITS: u64 = if cfg!(miri) { 30 } else { 1_500 };
const REGION_BYTES: u64 = 64 << 20;

type Set = SortedSet<3>;

/// The root block of these tests: where the set and the map are.
fn read_roots(reader: &impl Read, root: Addr) -> Result<(Set, Map), Error> {
    if root.is_none() {
        return Ok((Set::empty(), Map::empty()));
    }
    let words = reader.words(root)?;
    Ok((Set::from_root(Addr::from_raw(words[0])), Map::from_root(Addr::from_raw(words[1]))))
}

fn write_roots(txn: &mut Txn, old: Addr, set: Set, map: Map) -> Result<Addr, Error> {
    let root = txn.alloc(16)?;
    let words = txn.words_mut(root).ok_or(Error::corrupt("new block cannot be written", root))?;
    words[..2].copy_from_slice(&[set.root().raw(), map.root().raw()]);
    if !old.is_none() {
        txn.retire(old);
    }
    Ok(root)
}

fn key(n: u64) -> [u64; 3] {
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    [mixed % 50, mixed % 7, mixed % 300]
}

#[derive(Clone, Default, PartialEq, Debug)]
struct Model {
    set: BTreeSet<[u64; 3]>,
    map: BTreeMap<Vec<u8>, u64>,
}

fn content(snapshot: &Snapshot) -> Model {
    let (set, map) = read_roots(snapshot, snapshot.root()).unwrap();
    set.verify(snapshot).unwrap();
    map.verify(snapshot).unwrap();
    Model {
        set: set.iter(snapshot).map(|key| *key.unwrap()).collect(),
        map: map.iter(snapshot).map(Result::unwrap).map(|(k, v)| (k.to_vec(), v)).collect(),
    }
}

fn change(slab: &Slab, n: u64, model: &mut Model) {
    let edited = slab.swap(|txn| {
        let old = txn.base();
        let (set, map) = read_roots(txn, old)?;
        let (set, _) = set.insert(txn, key(n))?;
        let (set, _) = set.remove(txn, &key(n / 2))?;
        let (set, _) = set.insert_many(txn, &[key(n + 1), key(n + 2)])?;
        let (map, _) = map.insert(txn, format!("{}", n % 211).as_bytes(), n)?;
        let (map, _) = map.remove(txn, format!("{}", n * 7 % 223).as_bytes())?;
        Ok::<_, Error>((write_roots(txn, old, set, map)?, ()))
    });
    edited.unwrap();
    model.set.insert(key(n));
    model.set.remove(&key(n / 2));
    model.set.extend([key(n + 1), key(n + 2)]);
    model.map.insert(format!("{}", n % 211).into_bytes(), n);
    model.map.remove(format!("{}", n * 7 % 223).as_bytes());
}

#[test]
fn commits_on_a_slab_keep_old_versions_and_lose_no_block() {
    let slab = Slab::create(Region::heap(REGION_BYTES).unwrap()).unwrap();
    let (mut model, mut held) = (Model::default(), Vec::new());
    for n in 0..COMMITS {
        change(&slab, n, &mut model);
        if n % 97 == 0 {
            held.push((slab.snapshot().unwrap(), model.clone()));
        }
        if n % 389 == 388 {
            held.remove(0);
        }
    }
    assert_eq!(content(&slab.snapshot().unwrap()), model);
    for (snapshot, model) in &held {
        assert_eq!(content(snapshot), *model);
    }
    held.clear();
    let found = slab.verify(|snapshot, root, marks| {
        let (set, map) = read_roots(snapshot, root)?;
        marks.mark(root)?;
        let mut failed = Ok(());
        let mut visit = |at| {
            marks.mark(at).unwrap_or_else(|error| {
                failed = Err(error);
                false
            })
        };
        set.trace(snapshot, &mut visit)?;
        map.trace(snapshot, &mut visit)?;
        failed
    });
    let found = found.unwrap();
    assert_eq!(found.leaked_blocks, Some(0));
    assert!(found.reachable_blocks > 100, "{found:?}");
}
