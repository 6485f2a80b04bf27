//! What miri runs: everything that a slab does with memory, on a region of the heap.

use super::*;
use crate::structure::WordMap;
use crate::{Read, Write};

fn heap() -> Slab {
    Slab::create(Region::heap(3 << 20).unwrap()).unwrap()
}

fn put(slab: &Slab, key: u64, value: u64) {
    let put = slab.swap(|txn| {
        let (map, _) = WordMap::from_root(txn.base()).insert(txn, &key, value)?;
        Ok::<_, Error>((map.root(), ()))
    });
    put.unwrap();
}

#[test]
fn versions_on_the_heap() {
    let slab = heap();
    let mut held = Vec::new();
    for round in 0..24 {
        put(&slab, round % 5, round);
        if round % 6 == 0 {
            held.push((round, slab.snapshot().unwrap()));
        }
    }
    for (round, snapshot) in held {
        let map = WordMap::from_root(snapshot.root());
        assert_eq!(map.get(&snapshot.clone(), &(round % 5)).unwrap(), Some(round));
    }
    slab.reclaim().unwrap();
}

#[test]
fn lost_and_dropped_transactions_on_the_heap() {
    let slab = heap();
    put(&slab, 1, 1);
    let (mut one, mut two) = (slab.begin().unwrap(), slab.begin().unwrap());
    let first = WordMap::from_root(one.base()).insert(&mut one, &1, 2).unwrap().0;
    let second = WordMap::from_root(two.base()).insert(&mut two, &1, 3).unwrap().0;
    let large = two.alloc(100_000).unwrap();
    two.words_mut(large).unwrap()[7] = 7;
    assert_eq!(two.words(large).unwrap()[7], 7);
    one.commit(first.root()).unwrap();
    assert!(two.commit(second.root()).is_err());
    drop(slab.begin().unwrap());
}

#[test]
fn threads_on_the_heap() {
    let slab = heap();
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let slab = slab.clone();
            scope.spawn(move || (0..4).for_each(|round| put(&slab, thread, round)));
        }
        for _ in 0..3 {
            let snapshot = slab.snapshot().unwrap();
            let map = WordMap::from_root(snapshot.root());
            if !map.root().is_none() {
                map.verify(&snapshot).unwrap();
            }
        }
    });
    assert_eq!(slab.commits(), 8);
}

#[test]
fn payloads_and_late_snapshots_on_the_heap() {
    let slab = heap();
    let mut letter = slab.allocate(40).unwrap();
    letter.fill(3);
    let at = letter.send();
    assert_eq!(&slab.receive(at).unwrap()[..], [3; 40]);
    put(&slab, 1, 1);
    let snapshot = slab.snapshot().unwrap();
    drop(slab);
    let last = snapshot.clone();
    drop(snapshot);
    assert_eq!(WordMap::from_root(last.root()).get(&last, &1).unwrap(), Some(1));
}
