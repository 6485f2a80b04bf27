//! Keys that are byte strings with much in common, as addresses of pages have them, and values of a word.

use std::ops::Bound;

use benches::pages::{Page, pages, section};
use benches::stores::{Heed, Synced, folder, open_slab, word};
use criterion::Criterion;
use eve::Slab;
use eve::structure::ByteMap;
use heed::PutFlags;

use crate::{BUILT, LARGE, Suite, shuffled, sum};

type Pages = ByteMap<[u8], u64>;
/// Entries that a short scan reads behind its seek.
const SHORT: usize = 20;

fn lent(pages: &[Page]) -> impl Iterator<Item = (&[u8], u64)> {
    pages.iter().map(|(key, value)| (key.as_slice(), *value))
}

fn build(slab: &Slab, pages: &[Page]) {
    let mut txn = slab.begin().expect("a transaction");
    let map = Pages::from_iter(&mut txn, lent(pages)).expect("room");
    txn.commit(map.root()).expect("nobody else writes");
}

fn insert(slab: &Slab, pages: &[Page]) {
    let mut txn = slab.begin().expect("a transaction");
    let map = lent(pages).fold(Pages::empty(), |map, (key, value)| {
        map.insert(&mut txn, key, value).expect("room").0
    });
    txn.commit(map.root()).expect("nobody else writes");
}

pub(crate) fn bytes(criterion: &mut Criterion) {
    let pages = pages(LARGE);
    let probes = shuffled(&pages);
    let folders = [folder(), folder()];
    let (slab, heed) = (open_slab(&folders[0]), Heed::open(&folders[1], Synced::No));
    build(&slab, &pages);
    heed.put(PutFlags::APPEND, lent(&pages));
    print_sizes(&pages, &slab, &heed);
    reads(criterion, &slab, &heed, &pages, &probes);
    commits(criterion, &slab, &heed, &probes);
    builds(criterion, &pages[..BUILT]);
}

fn print_sizes(pages: &[Page], slab: &Slab, heed: &Heed) {
    let raw: usize = pages.iter().map(|(key, _)| key.len() + 8).sum();
    let each = |bytes: f64| bytes / pages.len() as f64;
    println!(
        "bytes_size: {:.1} bytes an entry by themselves, eve {:.1}, heed {:.1}",
        each(raw as f64),
        each(slab.stats().used_bytes as f64),
        each(heed.env.real_disk_size().expect("its size") as f64),
    );
}

fn reads(criterion: &mut Criterion, slab: &Slab, heed: &Heed, pages: &[Page], probes: &[Page]) {
    let snapshot = slab.snapshot().expect("a pin");
    let map = Pages::from_root(snapshot.root());
    let txn = heed.env.read_txn().expect("a transaction");

    let mut suite = Suite::new(criterion, "bytes_get");
    suite.each("eve", probes, |(key, _)| map.get(&snapshot, key).unwrap().unwrap());
    suite.each("heed", probes, |(key, _)| word(heed.db.get(&txn, key).unwrap().unwrap()));
    drop(suite);

    let mut suite = Suite::new(criterion, "bytes_seek");
    let mut cursor = map.cursor(&snapshot);
    suite.each("eve", probes, |(key, _)| {
        let (found, value) = cursor.seek(section(key)).unwrap().unwrap();
        found.len() as u64 + value
    });
    suite.each("heed", probes, |(key, _)| {
        let found = heed.db.get_greater_than_or_equal_to(&txn, section(key));
        let (found, value) = found.unwrap().unwrap();
        found.len() as u64 + word(value)
    });
    drop(suite);

    let mut suite = Suite::new(criterion, "bytes_short_scan");
    suite.each("eve", probes, |(key, _)| {
        let mut total = 0;
        let mut next = cursor.seek(key).unwrap().map(|(key, value)| key.len() as u64 + value);
        for _ in 0..SHORT {
            let Some(found) = next else { break };
            total += found;
            next = cursor.next().unwrap().map(|(key, value)| key.len() as u64 + value);
        }
        total
    });
    suite.each("heed", probes, |(key, _)| {
        let from = (Bound::Included(key.as_slice()), Bound::Unbounded);
        let range = heed.db.range(&txn, &from).unwrap().take(SHORT);
        sum(range.map(|entry| entry.map(|(key, value)| key.len() as u64 + word(value)).unwrap()))
    });
    drop(suite);

    let mut suite = Suite::new(criterion, "bytes_scan");
    suite.measure("eve", pages.len(), || {
        let (mut cursor, mut total) = (map.cursor(&snapshot), 0_u64);
        while let Some((key, value)) = cursor.next().unwrap() {
            total = total.wrapping_add(key.len() as u64 + value);
        }
        total
    });
    suite.measure("heed", pages.len(), || {
        let entries = heed.db.iter(&txn).unwrap();
        sum(entries.map(|entry| entry.map(|(key, value)| key.len() as u64 + word(value)).unwrap()))
    });
}

/// One changed value a commit; nobody's waits for the disk.
fn commits(criterion: &mut Criterion, slab: &Slab, heed: &Heed, probes: &[Page]) {
    let mut suite = Suite::new(criterion, "bytes_commit");
    let mut change = 0;
    suite.each("eve", probes, |(key, _)| {
        change += 1;
        let mut txn = slab.begin().expect("a transaction");
        let map = Pages::from_root(txn.base());
        let (map, _) = map.insert(&mut txn, key, change).expect("room");
        txn.commit(map.root()).expect("nobody else writes");
        change
    });
    suite.each("heed", probes, |(key, _)| {
        change += 1;
        let mut txn = heed.env.write_txn().expect("a transaction");
        heed.db.put(&mut txn, key, &change.to_le_bytes()).expect("room");
        txn.commit().expect("a commit");
        change
    });
}

fn builds(criterion: &mut Criterion, pages: &[Page]) {
    let mixed = shuffled(pages);
    let mut suite = Suite::new(criterion, "bytes_build");
    suite.measure("eve", pages.len(), || {
        let folder = folder();
        build(&open_slab(&folder), pages);
        1
    });
    suite.measure("heed", pages.len(), || {
        let folder = folder();
        Heed::open(&folder, Synced::No).put(PutFlags::APPEND, lent(pages));
        1
    });
    drop(suite);
    let mut suite = Suite::new(criterion, "bytes_inserts");
    suite.measure("eve", pages.len(), || {
        let folder = folder();
        insert(&open_slab(&folder), &mixed);
        1
    });
    suite.measure("heed", pages.len(), || {
        let folder = folder();
        Heed::open(&folder, Synced::No).put(PutFlags::empty(), lent(&mixed));
        1
    });
}
