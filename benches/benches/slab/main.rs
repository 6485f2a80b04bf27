//! The slab's map and sorted set, in a file that any process could map, beside two embedded stores
//! (LMDB by `heed`, `redb`) and two libraries of persistent collections (`im`, `rpds`).
//!
//! Everybody holds the same random entries of a u64 and sixteen bytes, or the same 32-byte keys as an index of facts
//! has them: dense entities of five attributes each, random values. Stores read in one transaction;
//! nobody's commit waits for the disk. `im` and `rpds` hash with the slab's own mix, so that
//! structures are compared and not hashes. A map is built of all entries at once (`eve`) and by one
//! insertion after the other (`eve_inserts`), LMDB's with random keys (`heed`) and with keys that were
//! sorted for it (`heed_sorted`); lookups are one by one and many at once (`eve_many`).
//! `cargo xtask bench slab` ends with a table of `peer / ours`.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use benches::stores::{Heed, Random, Synced, folder, open_slab, words};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode};
use eve::Slab;
use eve::structure::{Map, SortedSet};
use heed::PutFlags;
use redb::{Durability, ReadableDatabase, ReadableTable, TableDefinition};
use tempfile::TempDir;

mod bytes;
mod commits;

/// Entries that are read: beyond every cache but the last.
const LARGE: usize = 1_000_000;
/// Entries that are read out of the caches.
const SMALL: usize = 10_000;
/// Entries that are built: again and again, so fewer.
const BUILT: usize = 100_000;
const CACHE_BYTES: usize = 1 << 30;

const WORDS: TableDefinition<'_, u64, &[u8; 16]> = TableDefinition::new("words");
const KEYS: TableDefinition<'_, &[u8], ()> = TableDefinition::new("keys");

type Value = [u64; 2];
type EveMap = Map<u64, Value>;
type ImMap = im::HashMap<u64, Value, Mix>;
type RpdsMap = rpds::HashTrieMapSync<u64, Value, Mix>;
type Key = [u64; 4];

/// The slab's hash of words, for the libraries.
#[derive(Clone, Default)]
struct Mix(u64);

impl BuildHasher for Mix {
    type Hasher = Mix;

    fn build_hasher(&self) -> Mix {
        Mix(0)
    }
}

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.chunks(8).for_each(|word| {
            let mut buffer = [0; 8];
            buffer[..word.len()].copy_from_slice(word);
            self.write_u64(u64::from_le_bytes(buffer));
        });
    }

    fn write_u64(&mut self, word: u64) {
        const FACTOR: u64 = 0x0e98_46af_9b1a_615d;
        let mut h = self.0 ^ word;
        h = (h ^ h >> 32).wrapping_mul(FACTOR);
        h = (h ^ h >> 32).wrapping_mul(FACTOR);
        self.0 = h ^ h >> 28;
    }
}

fn keys(count: usize) -> Vec<Key> {
    let mut random = Random(42);
    let key = |i: u64| [4096 + i / 5, 16 + i % 5, random.draw(), 1 + i / 100];
    (0..count as u64).map(key).collect()
}

fn shuffled<T: Clone>(items: &[T]) -> Vec<T> {
    let mut items = items.to_vec();
    Random(7).shuffle(&mut items);
    items
}

/// A key as stores of byte strings want it.
fn bytes(key: &Key) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (word, bytes) in key.iter().zip(bytes.chunks_exact_mut(8)) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

fn third_word(key: &[u8]) -> u64 {
    key.get(16..24).map_or(0, |word| word.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
}

fn value(word: u64) -> Value {
    [!word, 0]
}

/// A value as stores of byte strings want it.
fn value_bytes(word: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(!word).to_le_bytes());
    bytes
}

fn first_word(value: &[u8]) -> u64 {
    value.first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

fn build_map(slab: &Slab, words: &[u64]) {
    let mut txn = slab.begin().expect("a transaction");
    let entries = words.iter().map(|word| (*word, value(*word)));
    let map = EveMap::from_iter(&mut txn, entries).expect("room");
    txn.commit(map.root()).expect("nobody else writes");
}

fn insert_map(slab: &Slab, words: &[u64]) {
    let mut txn = slab.begin().expect("a transaction");
    let map = words.iter().fold(EveMap::empty(), |map, word| {
        map.insert(&mut txn, word, value(*word)).expect("room").0
    });
    txn.commit(map.root()).expect("nobody else writes");
}

fn build_set(slab: &Slab, keys: &[Key]) {
    let mut txn = slab.begin().expect("a transaction");
    let set = SortedSet::<4>::from_sorted(&mut txn, keys.iter().copied()).expect("room");
    txn.commit(set.root()).expect("nobody else writes");
}

fn open_heed(folder: &TempDir) -> Heed {
    Heed::open(folder, Synced::No)
}

fn build_heed_map(heed: &Heed, words: &[u64]) {
    let mut txn = heed.env.write_txn().expect("a transaction");
    for word in words {
        let put = heed.db.put(&mut txn, &word.to_be_bytes(), &value_bytes(*word));
        put.expect("room");
    }
    txn.commit().expect("a commit");
}

fn build_heed_map_sorted(heed: &Heed, words: &[u64]) {
    let mut words = words.to_vec();
    words.sort_unstable();
    let mut txn = heed.env.write_txn().expect("a transaction");
    for word in words {
        let (key, value) = (word.to_be_bytes(), value_bytes(word));
        heed.db.put_with_flags(&mut txn, PutFlags::APPEND, &key, &value).expect("room");
    }
    txn.commit().expect("a commit");
}

fn build_heed_set(heed: &Heed, keys: &[Key]) {
    let mut txn = heed.env.write_txn().expect("a transaction");
    for key in keys {
        let put = heed.db.put_with_flags(&mut txn, PutFlags::APPEND, &bytes(key), &[]);
        put.expect("room");
    }
    txn.commit().expect("a commit");
}

fn open_redb(folder: &TempDir) -> redb::Database {
    let mut options = redb::Database::builder();
    options.set_cache_size(CACHE_BYTES);
    options.create(folder.path().join("store.redb")).expect("a store")
}

fn begin_redb(db: &redb::Database) -> redb::WriteTransaction {
    let mut txn = db.begin_write().expect("a transaction");
    txn.set_durability(Durability::None).expect("no savepoint stands against it");
    txn
}

fn build_redb_map(db: &redb::Database, words: &[u64]) {
    let txn = begin_redb(db);
    {
        let mut table = txn.open_table(WORDS).expect("a table");
        for word in words {
            table.insert(word, &value_bytes(*word)).expect("room");
        }
    }
    txn.commit().expect("a commit");
}

fn build_redb_set(db: &redb::Database, keys: &[Key]) {
    let txn = begin_redb(db);
    {
        let mut table = txn.open_table(KEYS).expect("a table");
        for key in keys {
            table.insert(&bytes(key)[..], ()).expect("room");
        }
    }
    txn.commit().expect("a commit");
}

fn build_im(words: &[u64]) -> ImMap {
    words.iter().fold(ImMap::default(), |mut map, word| {
        map.insert(*word, value(*word));
        map
    })
}

fn build_rpds(words: &[u64]) -> RpdsMap {
    let empty = RpdsMap::new_with_hasher_and_ptr_kind(Mix::default());
    words.iter().fold(empty, |mut map, word| {
        map.insert_mut(*word, value(*word));
        map
    })
}

/// Of each variant: nanoseconds for an operation, of every sample.
static TIMES: Mutex<BTreeMap<String, Vec<f64>>> = Mutex::new(BTreeMap::new());

struct Suite<'c> {
    group: BenchmarkGroup<'c, WallTime>,
    name: &'static str,
}

impl Suite<'_> {
    fn new<'c>(criterion: &'c mut Criterion, name: &'static str) -> Suite<'c> {
        let mut group = criterion.benchmark_group(name);
        group.sampling_mode(SamplingMode::Flat);
        Suite { group, name }
    }

    /// Runs `once`, which does `operations`, and answers something that depends on all of them.
    fn measure(&mut self, peer: &str, operations: usize, mut once: impl FnMut() -> u64) {
        let name = format!("{}/{peer}", self.name);
        self.group.bench_function(peer, |bencher| {
            bencher.iter_custom(|count| {
                let start = Instant::now();
                for _ in 0..count {
                    black_box(once());
                }
                let elapsed = start.elapsed();
                let nanos = elapsed.as_nanos() as f64 / (count * operations as u64) as f64;
                TIMES.lock().unwrap().entry(name.clone()).or_default().push(nanos);
                elapsed
            });
        });
    }

    /// Like [`Suite::measure`], one item after the other, a thousand at a time.
    fn each<T>(&mut self, peer: &str, items: &[T], one: impl FnMut(&T) -> u64) {
        self.some(1_000, peer, items, one);
    }

    /// Like [`Suite::each`], `together` at a time.
    fn some<T>(
        &mut self,
        together: usize,
        peer: &str,
        items: &[T],
        mut one: impl FnMut(&T) -> u64,
    ) {
        let mut items = items.iter().cycle();
        self.measure(peer, together, || {
            items.by_ref().take(together).fold(0, |sum, item| sum.wrapping_add(one(item)))
        });
    }
}

fn sum(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0, u64::wrapping_add)
}

fn builds(criterion: &mut Criterion) {
    let (words, keys) = (words(BUILT), keys(BUILT));
    let mut suite = Suite::new(criterion, "map_build");
    suite.measure("eve", BUILT, || {
        let folder = folder();
        build_map(&open_slab(&folder), &words);
        1
    });
    suite.measure("eve_inserts", BUILT, || {
        let folder = folder();
        insert_map(&open_slab(&folder), &words);
        1
    });
    suite.measure("heed", BUILT, || {
        let folder = folder();
        build_heed_map(&open_heed(&folder), &words);
        1
    });
    suite.measure("heed_sorted", BUILT, || {
        let folder = folder();
        build_heed_map_sorted(&open_heed(&folder), &words);
        1
    });
    suite.measure("redb", BUILT, || {
        let folder = folder();
        build_redb_map(&open_redb(&folder), &words);
        1
    });
    suite.measure("im", BUILT, || build_im(&words).len() as u64);
    suite.measure("rpds", BUILT, || build_rpds(&words).size() as u64);
    drop(suite);

    let mut suite = Suite::new(criterion, "sorted_build");
    suite.measure("eve", BUILT, || {
        let folder = folder();
        build_set(&open_slab(&folder), &keys);
        1
    });
    suite.measure("heed", BUILT, || {
        let folder = folder();
        build_heed_set(&open_heed(&folder), &keys);
        1
    });
    suite.measure("redb", BUILT, || {
        let folder = folder();
        build_redb_set(&open_redb(&folder), &keys);
        1
    });
    suite.measure("im", BUILT, || keys.iter().copied().collect::<im::OrdSet<Key>>().len() as u64);
    suite.measure("rpds", BUILT, || {
        keys.iter().copied().collect::<rpds::RedBlackTreeSetSync<Key>>().size() as u64
    });
}

fn maps(criterion: &mut Criterion, count: usize, get: &'static str, scan: &'static str) {
    let words = words(count);
    let probes = shuffled(&words);
    let folders = [folder(), folder(), folder()];
    let (slab, heed, redb) =
        (open_slab(&folders[0]), open_heed(&folders[1]), open_redb(&folders[2]));
    build_map(&slab, &words);
    build_heed_map(&heed, &words);
    build_redb_map(&redb, &words);
    let (im, rpds) = (build_im(&words), build_rpds(&words));

    let snapshot = slab.snapshot().expect("a pin");
    let map = EveMap::from_root(snapshot.root());
    let heed_txn = heed.env.read_txn().expect("a transaction");
    let table = redb.begin_read().expect("a transaction").open_table(WORDS).expect("a table");

    let mut suite = Suite::new(criterion, get);
    suite.each("eve", &probes, |word| map.get(&snapshot, word).unwrap().unwrap()[0]);
    let mut rest = probes.as_slice();
    suite.measure("eve_many", 1_000, || {
        if rest.len() < 1_000 {
            rest = &probes;
        }
        let (these, others) = rest.split_at(1_000);
        rest = others;
        let mut sum = 0_u64;
        let show = |_: &u64, value: Option<Value>| sum = sum.wrapping_add(value.unwrap()[0]);
        map.get_many(&snapshot, these, show).unwrap();
        sum
    });
    suite.each("heed", &probes, |word| {
        first_word(heed.db.get(&heed_txn, &word.to_be_bytes()).unwrap().unwrap())
    });
    suite.each("redb", &probes, |word| first_word(table.get(word).unwrap().unwrap().value()));
    suite.each("im", &probes, |word| im[word][0]);
    suite.each("rpds", &probes, |word| rpds[word][0]);
    drop(suite);

    let mut suite = Suite::new(criterion, scan);
    suite.measure("eve", count, || sum(map.iter(&snapshot).map(|entry| entry.unwrap().1[0])));
    suite.measure("heed", count, || {
        let entries = heed.db.iter(&heed_txn).unwrap();
        sum(entries.map(|entry| first_word(entry.unwrap().1)))
    });
    suite.measure("redb", count, || {
        sum(table.iter().unwrap().map(|entry| first_word(entry.unwrap().1.value())))
    });
    suite.measure("im", count, || sum(im.values().map(|value| value[0])));
    suite.measure("rpds", count, || sum(rpds.values().map(|value| value[0])));
    drop(suite);

    if count == LARGE {
        drop((snapshot, heed_txn, table));
        commits::unsynced(criterion, &slab, &heed, &redb, (im, rpds), &probes);
        drop((slab, heed, redb));
        commits::durable(criterion, &words, &probes);
    }
}

fn sorted(criterion: &mut Criterion) {
    let keys = keys(LARGE);
    // A seek knows entity and attribute, and looks for the first value.
    let probes = shuffled(&keys);
    let from = |key: &Key| [key[0], key[1], 0, 0];
    let folders = [folder(), folder(), folder()];
    let (slab, heed, redb) =
        (open_slab(&folders[0]), open_heed(&folders[1]), open_redb(&folders[2]));
    build_set(&slab, &keys);
    build_heed_set(&heed, &keys);
    build_redb_set(&redb, &keys);
    let im: im::OrdSet<Key> = keys.iter().copied().collect();
    let rpds: rpds::RedBlackTreeSetSync<Key> = keys.iter().copied().collect();

    let snapshot = slab.snapshot().expect("a pin");
    let set = SortedSet::<4>::from_root(snapshot.root());
    let heed_txn = heed.env.read_txn().expect("a transaction");
    let table = redb.begin_read().expect("a transaction").open_table(KEYS).expect("a table");

    let mut suite = Suite::new(criterion, "sorted_seek");
    let mut cursor = set.cursor(&snapshot);
    suite.each("eve", &probes, |key| cursor.seek(&key[..2]).unwrap().unwrap()[2]);
    suite.each("heed", &probes, |key| {
        let found = heed.db.get_greater_than_or_equal_to(&heed_txn, &bytes(&from(key)));
        third_word(found.unwrap().unwrap().0)
    });
    suite.each("redb", &probes, |key| {
        let mut range = table.range::<&[u8]>(&bytes(&from(key))[..]..).unwrap();
        third_word(range.next().unwrap().unwrap().0.value())
    });
    suite.each("im", &probes, |key| im.range(from(key)..).next().unwrap()[2]);
    suite.each("rpds", &probes, |key| rpds.range(from(key)..).next().unwrap()[2]);
    drop(suite);

    let mut suite = Suite::new(criterion, "sorted_scan");
    suite.measure("eve", LARGE, || sum(set.iter(&snapshot).map(|key| key.unwrap()[2])));
    suite.measure("heed", LARGE, || {
        let entries = heed.db.iter(&heed_txn).unwrap();
        sum(entries.map(|entry| third_word(entry.unwrap().0)))
    });
    suite.measure("redb", LARGE, || {
        sum(table.iter().unwrap().map(|entry| third_word(entry.unwrap().0.value())))
    });
    suite.measure("im", LARGE, || sum(im.iter().map(|key| key[2])));
    suite.measure("rpds", LARGE, || sum(rpds.iter().map(|key| key[2])));
}

/// Above 1.00 is better than the peer, in median time.
fn print_ratios() {
    let mut times = TIMES.lock().unwrap();
    let medians: BTreeMap<&str, (f64, f64)> = times
        .iter_mut()
        .map(|(name, times)| {
            times.sort_by(f64::total_cmp);
            (name.as_str(), (times[times.len() / 2], times[0]))
        })
        .collect();
    println!("\n{:<22} {:>10} {:>10} {:>9}   peer / ours", "", "ns", "best ns", "M/s");
    for (name, (nanos, best)) in &medians {
        let (group, peer) = name.split_once('/').unwrap_or((name, ""));
        let ratio = match medians.get(format!("{group}/eve").as_str()) {
            Some((ours, _)) if peer != "eve" => format!("{:.2}", nanos / ours),
            _ => String::new(),
        };
        println!("{name:<22} {nanos:>10.1} {best:>10.1} {:>9.2}   {ratio}", 1e3 / nanos);
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    maps(&mut criterion, SMALL, "map_get_in_cache", "map_scan_in_cache");
    maps(&mut criterion, LARGE, "map_get", "map_scan");
    sorted(&mut criterion);
    bytes::bytes(&mut criterion);
    builds(&mut criterion);
    criterion.final_summary();
    print_ratios();
}
