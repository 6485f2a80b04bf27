//! One size: both stores are filled and asked in turns.

use std::hint::black_box;
use std::time::Instant;

use benches::stores::{Heed, Random, Synced, folder, open_slab, words};
use eve::Slab;
use eve::structure::{Map, SortedSet};
use heed::PutFlags;

/// One measured figure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) peer: &'static str,
    pub(crate) size: usize,
    pub(crate) value: f64,
}

pub(crate) type Value = [u64; 2];
pub(crate) type Entries = Map<u64, Value>;
type Key = [u64; 4];

/// Lookups and commits of a size, at most.
pub(crate) const PROBES: usize = 500_000;
pub(crate) const COMMITS: usize = 50_000;
/// Each read is timed so often, in turns; the median counts.
const TURNS: usize = 3;

pub(crate) fn nanos(operations: usize, once: impl FnOnce() -> u64) -> f64 {
    let start = Instant::now();
    black_box(once());
    start.elapsed().as_nanos() as f64 / operations as f64
}

fn median(mut times: [f64; TURNS]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[TURNS / 2]
}

pub(crate) fn pair(
    what: &'static str,
    size: usize,
    operations: usize,
    mut ours: impl FnMut() -> u64,
    mut theirs: impl FnMut() -> u64,
) -> [Row; 2] {
    let times =
        [(); TURNS].map(|()| (nanos(operations, &mut ours), nanos(operations, &mut theirs)));
    [
        Row { what, peer: "eve", size, value: median(times.map(|(ours, _)| ours)) },
        Row { what, peer: "LMDB", size, value: median(times.map(|(_, theirs)| theirs)) },
    ]
}

/// One transaction for all.
fn put(heed: &Heed, flags: PutFlags, entries: impl Iterator<Item = (Vec<u8>, Vec<u8>)>) -> u64 {
    let mut txn = heed.env.write_txn().expect("a transaction");
    for (key, value) in entries {
        heed.db.put_with_flags(&mut txn, flags, &key, &value).expect("room");
    }
    txn.commit().expect("a commit");
    0
}

pub(crate) fn bytes_on_disk(heed: &Heed) -> f64 {
    heed.env.real_disk_size().expect("its size") as f64
}

pub(crate) fn build(slab: &Slab, words: &[u64]) -> u64 {
    let mut txn = slab.begin().expect("a transaction");
    let entries = words.iter().map(|word| (*word, [!*word, 0]));
    let map = Entries::from_iter(&mut txn, entries).expect("room");
    txn.commit(map.root()).expect("nobody else writes");
    0
}

/// The map: random words to sixteen bytes.
pub(crate) fn map(size: usize) -> Vec<Row> {
    let words = words(size);
    let probes = Random(7).sample(&words, PROBES);
    let folders = [folder(), folder()];
    let (slab, heed) = (open_slab(&folders[0]), Heed::open(&folders[1], Synced::No));
    let value = |word: u64| [(!word).to_le_bytes(), [0; 8]].concat();
    let entry = |word: &u64| (word.to_be_bytes().to_vec(), value(*word));
    let mut rows = vec![
        row("map build ns", "eve", size, nanos(size, || build(&slab, &words))),
        row(
            "map build ns",
            "LMDB",
            size,
            nanos(size, || put(&heed, PutFlags::empty(), words.iter().map(entry))),
        ),
    ];
    rows.push(row("map bytes/entry", "eve", size, slab.stats().used_bytes as f64 / size as f64));
    rows.push(row("map bytes/entry", "LMDB", size, bytes_on_disk(&heed) / size as f64));
    {
        let snapshot = slab.snapshot().expect("a pin");
        let map = Entries::from_root(snapshot.root());
        let txn = heed.env.read_txn().expect("a transaction");
        let get = |word: &u64| {
            let value = heed.db.get(&txn, &word.to_be_bytes()).unwrap().unwrap();
            u64::from(value[0])
        };
        rows.extend(pair(
            "map get ns",
            size,
            PROBES,
            || sum(probes.iter().map(|word| map.get(&snapshot, word).unwrap().unwrap()[0])),
            || sum(probes.iter().map(get)),
        ));
        let mut all = 0;
        let many = nanos(PROBES, || {
            let show = |_: &u64, value: Option<Value>| all ^= value.map_or(0, |value| value[0]);
            map.get_many(&snapshot, &probes, show).unwrap();
            0
        });
        black_box(all);
        rows.push(row("map get_many ns", "eve", size, many));
        rows.extend(pair(
            "map scan ns",
            size,
            size,
            || sum(map.iter(&snapshot).map(|entry| entry.unwrap().1[0])),
            || sum(heed.db.iter(&txn).unwrap().map(|entry| u64::from(entry.unwrap().1[0]))),
        ));
    }
    rows.push(row(
        "map commit ns",
        "eve",
        size,
        nanos(COMMITS, || {
            sum(probes[..COMMITS].iter().map(|word| {
                let mut txn = slab.begin().expect("a transaction");
                let map = Entries::from_root(txn.base());
                let (map, _) = map.insert(&mut txn, word, [*word, 1]).expect("room");
                txn.commit(map.root()).expect("nobody else writes").epoch
            }))
        }),
    ));
    rows.push(row(
        "map commit ns",
        "LMDB",
        size,
        nanos(COMMITS, || {
            let one = |word: &u64| put(&heed, PutFlags::empty(), std::iter::once(entry(word)));
            sum(probes[..COMMITS].iter().map(one))
        }),
    ));
    rows
}

pub(crate) fn row(what: &'static str, peer: &'static str, size: usize, value: f64) -> Row {
    Row { what, peer, size, value }
}

pub(crate) fn sum(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0, u64::wrapping_add)
}

fn bytes(key: &Key) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (word, bytes) in key.iter().zip(bytes.chunks_exact_mut(8)) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

/// The sorted set: keys of 32 bytes as an index of facts has them, dense entities of five attributes each,
/// random values.
pub(crate) fn sorted(size: usize) -> Vec<Row> {
    let mut random = Random(42);
    let mut key = |i: u64| [4096 + i / 5, 16 + i % 5, random.draw(), 1 + i / 100];
    let keys: Vec<Key> = (0..size as u64).map(&mut key).collect();
    let probes = Random(7).sample(&keys, PROBES);
    let folders = [folder(), folder()];
    let (slab, heed) = (open_slab(&folders[0]), Heed::open(&folders[1], Synced::No));
    let mut rows = vec![
        row(
            "sorted build ns",
            "eve",
            size,
            nanos(size, || {
                let mut txn = slab.begin().expect("a transaction");
                let set =
                    SortedSet::<4>::from_sorted(&mut txn, keys.iter().copied()).expect("room");
                txn.commit(set.root()).expect("nobody else writes").epoch
            }),
        ),
        row(
            "sorted build ns",
            "LMDB",
            size,
            nanos(size, || {
                put(
                    &heed,
                    PutFlags::APPEND,
                    keys.iter().map(|key| (bytes(key).to_vec(), Vec::new())),
                )
            }),
        ),
    ];
    rows.push(row("sorted bytes/key", "eve", size, slab.stats().used_bytes as f64 / size as f64));
    rows.push(row("sorted bytes/key", "LMDB", size, bytes_on_disk(&heed) / size as f64));
    {
        let snapshot = slab.snapshot().expect("a pin");
        let set = SortedSet::<4>::from_root(snapshot.root());
        let txn = heed.env.read_txn().expect("a transaction");
        let mut cursor = set.cursor(&snapshot);
        let seek = |key: &Key| {
            let from = bytes(&[key[0], key[1], 0, 0]);
            let found = heed.db.get_greater_than_or_equal_to(&txn, &from).unwrap();
            u64::from(found.unwrap().0[16])
        };
        rows.extend(pair(
            "sorted seek ns",
            size,
            PROBES,
            || sum(probes.iter().map(|key| cursor.seek(&key[..2]).unwrap().unwrap()[2])),
            || sum(probes.iter().map(seek)),
        ));
        rows.extend(pair(
            "sorted scan ns",
            size,
            size,
            || sum(set.iter(&snapshot).map(|key| key.unwrap()[2])),
            || sum(heed.db.iter(&txn).unwrap().map(|entry| u64::from(entry.unwrap().0[16]))),
        ));
    }
    let fresh = |key: &Key| [key[0], key[1], key[2] ^ 1, key[3]];
    rows.push(row(
        "sorted commit ns",
        "eve",
        size,
        nanos(COMMITS, || {
            sum(probes[..COMMITS].iter().map(|key| {
                let mut txn = slab.begin().expect("a transaction");
                let set = SortedSet::<4>::from_root(txn.base());
                let (set, _) = set.insert(&mut txn, fresh(key)).expect("room");
                txn.commit(set.root()).expect("nobody else writes").epoch
            }))
        }),
    ));
    rows.push(row(
        "sorted commit ns",
        "LMDB",
        size,
        nanos(COMMITS, || {
            let one = |key: &Key| {
                put(
                    &heed,
                    PutFlags::empty(),
                    std::iter::once((bytes(&fresh(key)).to_vec(), Vec::new())),
                )
            };
            sum(probes[..COMMITS].iter().map(one))
        }),
    ));
    rows
}
