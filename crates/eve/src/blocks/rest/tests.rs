use std::collections::BTreeMap;

use super::*;
use crate::lane::Lane;
use crate::structure::Map;
use crate::{Addr, Error, Marks, Read, Region, Slab, Snapshot};

type Values = Map<u64, [u8]>;

/// What is held at any time, in bytes, whatever size its values have.
const LIVE: u64 = 4 << 20;
/// Chunks of a class that nobody needs, of every class; what a lane keeps; the part that is not worth
/// a look.
const BOUND: u64 = 3 << 20;

fn memory() -> Slab {
    Slab::create(Region::anonymous(1 << 30).unwrap()).unwrap()
}

fn value(key: u64, size: usize) -> Vec<u8> {
    (0..size).map(|index| (key as usize * 31 + index) as u8).collect()
}

fn insert(slab: &Slab, keys: std::ops::Range<u64>, size: usize) {
    let made = slab.swap(|txn| {
        let mut map = Values::from_root(txn.base());
        for key in keys.clone() {
            map = map.insert(txn, &key, value(key, size))?.0;
        }
        Ok::<_, Error>((map.root(), ()))
    });
    made.unwrap();
}

fn remove(slab: &Slab, keys: std::ops::Range<u64>) {
    let made = slab.swap(|txn| {
        let mut map = Values::from_root(txn.base());
        for key in keys.clone() {
            map = map.remove(txn, &key)?.0;
        }
        Ok::<_, Error>((map.root(), ()))
    });
    made.unwrap();
}

/// Values of `size` bytes come, and then go, some 50 kB at a time: as much as four commits replace
/// waits for its turn to be given back.
fn fill_and_empty(slab: &Slab, size: usize) -> u64 {
    let keys = LIVE / size as u64;
    let step = (50_000 / size as u64).max(1);
    for first in (0..keys).step_by(step as usize) {
        insert(slab, first..(first + step).min(keys), size);
    }
    let used = slab.status().used_bytes;
    for first in (0..keys).step_by(step as usize) {
        remove(slab, first..(first + step).min(keys));
    }
    used
}

fn trace(snapshot: &Snapshot, root: Addr, marks: &mut Marks<'_>) -> Result<(), Error> {
    Values::from_root(root).trace(snapshot, &mut |at| marks.mark(at).unwrap())
}

#[test]
fn values_that_become_larger_or_smaller_take_the_room_of_those_before() {
    let slab = memory();
    let sizes = [120, 1000, 300, 6000, 30_000, 100_000, 500, 200_000, 250];
    for size in sizes {
        let used = fill_and_empty(&slab, size);
        assert!(used < 2 * LIVE + BOUND, "{used} bytes for values of {size}");
    }
    assert!(LIVE * sizes.len() as u64 > 3 * (2 * LIVE + BOUND) / 2, "this means something");
    assert_eq!(slab.verify(trace).unwrap().leaked_blocks, Some(0));
}

/// No commit moves the root on.
#[test]
fn payloads_that_change_their_size_take_the_room_of_those_before() {
    let slab = memory();
    for size in [100, 3000, 600, 20_000, 150_000, 200] {
        let held: Vec<_> =
            (0..LIVE / size).map(|_| slab.allocate(size as usize).unwrap()).collect();
        let used = slab.status().used_bytes;
        assert!(used < 2 * LIVE + BOUND, "{used} bytes for payloads of {size}");
        drop(held);
    }
}

/// A snapshot from before the chunks were emptied keeps their class, not their room from it.
#[test]
fn under_an_old_snapshot_chunks_stay_with_their_class() {
    let slab = memory();
    insert(&slab, 0..1, 10);
    let held = slab.snapshot().unwrap();
    fill_and_empty(&slab, 200);
    slab.reclaim().unwrap();
    let before = slab.status().used_bytes;
    fill_and_empty(&slab, 3000);
    let grown = slab.status().used_bytes;
    assert!(grown > before + LIVE / 2, "another class cannot have it: {before} {grown}");
    fill_and_empty(&slab, 200);
    assert!(slab.status().used_bytes < grown + BOUND, "its own class takes it back");
    let map = Values::from_root(held.root());
    assert_eq!(map.get(&held, &0).unwrap(), Some(&value(0, 10)[..]));
    drop(held);
    fill_and_empty(&slab, 30_000);
    assert!(slab.status().used_bytes < grown + BOUND, "and now any class does");
    slab.verify(trace).unwrap();
}

/// Threads that commit, hold snapshots and move payloads of sizes that change, in chunks that change.
#[test]
fn nothing_that_anybody_holds_changes_while_chunks_do() {
    const ROUNDS: u64 = 60;
    let slab = memory();
    std::thread::scope(|scope| {
        for thread in 0..3_u64 {
            let slab = &slab;
            scope.spawn(move || {
                let mut held: Vec<(Snapshot, BTreeMap<u64, usize>)> = Vec::new();
                let mut model: BTreeMap<u64, usize> = BTreeMap::new();
                for round in 0..ROUNDS {
                    let size = [40, 900, 7000, 90_000, 300][(round / 6 + thread) as usize % 5];
                    let first = thread << 32;
                    let keys = first..first + (300_000 / size as u64).min(200);
                    if round % 2 == 0 {
                        insert(slab, keys.clone(), size);
                        model.extend(keys.map(|key| (key, size)));
                    } else {
                        remove(slab, keys.clone());
                        model.retain(|key, _| !keys.contains(key));
                    }
                    let mut letter = slab.allocate(size * 2).unwrap();
                    letter.fill(thread as u8);
                    held.push((slab.snapshot().unwrap(), model.clone()));
                    if held.len() > 3 {
                        held.remove(round as usize % 3);
                    }
                    for (snapshot, then) in &held {
                        let map = Values::from_root(snapshot.root());
                        for (key, size) in then {
                            let found = map.get(snapshot, key).unwrap();
                            assert_eq!(found, Some(&value(*key, *size)[..]), "{key} of {round}");
                        }
                    }
                    assert!(letter.iter().all(|byte| *byte == thread as u8));
                }
            });
        }
    });
    slab.reclaim().unwrap();
    let found = slab.verify(trace).unwrap();
    assert_eq!((found.leaked_blocks, found.payload_blocks), (Some(0), 0));
}

/// A slab with many empty chunks, and a lane that holds none of them back.
fn emptied() -> (Slab, Box<Lane>) {
    let slab = memory();
    fill_and_empty(&slab, 200);
    slab.reclaim().unwrap();
    let mut lane = slab.inner.attachment.take_lane().unwrap();
    lane.free_spare(slab.inner.blocks());
    (slab, lane)
}

/// A chunk that a dead lane was judging rests on, and is free for any class in the end.
#[test]
fn a_chunk_that_was_judged_by_the_dead_comes_back() {
    let (slab, lane) = emptied();
    let (blocks, number) = (slab.inner.blocks(), lane.number());
    for class in Class::all() {
        blocks.put_to_rest(class, number);
    }
    let resting = blocks.region.word(page::RESTING).load(Ordering::Relaxed);
    // How many are empty depends on how the map lay, which its seed decides.
    assert!(resting > 0);
    let judged: Vec<ChunkId> =
        blocks.chunks().filter(|chunk| blocks.entry(*chunk).as_resting().is_some()).collect();
    for chunk in &judged {
        let (class, _) = blocks.entry(*chunk).as_resting().unwrap();
        blocks.entry_word(*chunk).store(Entry::judged(number, class).0, Ordering::Release);
    }
    assert_eq!(blocks.free_rested(number), 0, "they are somebody's");
    crate::lane::bury(blocks, number);
    assert_eq!(blocks.free_rested(number), resting);
    assert!(judged.iter().all(|chunk| blocks.entry(*chunk).is_free()));
    slab.inner.attachment.return_lane(lane);
    fill_and_empty(&slab, 3000);
}

/// While somebody guards, or pins what was before, a chunk at rest is not free.
#[test]
fn a_look_from_before_keeps_a_chunk_at_rest() {
    let (slab, lane) = emptied();
    let blocks = slab.inner.blocks();
    let (guard, pin) = (slab.inner.attachment.guard(), slab.snapshot().unwrap());
    for class in Class::all() {
        blocks.put_to_rest(class, lane.number());
    }
    assert_eq!(blocks.free_rested(lane.number()), 0);
    drop(pin);
    assert_eq!(blocks.free_rested(lane.number()), 0);
    insert(&slab, 0..1, 10);
    let later = slab.snapshot().unwrap();
    drop(guard);
    let resting = blocks.region.word(page::RESTING).load(Ordering::Relaxed);
    assert!(resting > 5, "{resting}");
    assert_eq!(blocks.free_rested(lane.number()), resting, "who comes later has not seen them");
    assert!(later.words(later.root()).is_ok());
    slab.inner.attachment.return_lane(lane);
}
