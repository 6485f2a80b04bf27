//! The byte map: addresses of pages to words.

use benches::pages::{Page, pages, section};
use benches::stores::{Heed, Random, Synced, folder, open_slab, word};
use eve::structure::ByteMap;
use heed::PutFlags;

use crate::measure::{COMMITS, PROBES, Row, bytes_on_disk, nanos, pair, row, sum};

type Pages = ByteMap<[u8], u64>;

pub(crate) fn bytes(size: usize) -> Vec<Row> {
    let pages = pages(size);
    let places: Vec<usize> = (0..size).collect();
    let places = Random(7).sample(&places, PROBES);
    let probes: Vec<&Page> = places.into_iter().map(|place| &pages[place]).collect();
    let lent = || pages.iter().map(|(key, value)| (key.as_slice(), *value));
    let folders = [folder(), folder()];
    let (slab, heed) = (open_slab(&folders[0]), Heed::open(&folders[1], Synced::No));
    let build = || {
        let mut txn = slab.begin().expect("a transaction");
        let map = Pages::from_iter(&mut txn, lent()).expect("room");
        txn.commit(map.root()).expect("nobody else writes").epoch
    };
    let mut rows = vec![
        row("bytes build ns", "eve", size, nanos(size, build)),
        row(
            "bytes build ns",
            "LMDB",
            size,
            nanos(size, || {
                heed.put(PutFlags::APPEND, lent());
                0
            }),
        ),
        row("bytes bytes/entry", "eve", size, slab.stats().used_bytes as f64 / size as f64),
        row("bytes bytes/entry", "LMDB", size, bytes_on_disk(&heed) / size as f64),
    ];
    {
        let snapshot = slab.snapshot().expect("a pin");
        let map = Pages::from_root(snapshot.root());
        let txn = heed.env.read_txn().expect("a transaction");
        rows.extend(pair(
            "bytes get ns",
            size,
            PROBES,
            || sum(probes.iter().map(|(key, _)| map.get(&snapshot, key).unwrap().unwrap())),
            || sum(probes.iter().map(|(key, _)| word(heed.db.get(&txn, key).unwrap().unwrap()))),
        ));
        let mut cursor = map.cursor(&snapshot);
        let theirs = |key: &[u8]| {
            let found = heed.db.get_greater_than_or_equal_to(&txn, section(key));
            word(found.unwrap().unwrap().1)
        };
        rows.extend(pair(
            "bytes seek ns",
            size,
            PROBES,
            || sum(probes.iter().map(|(key, _)| cursor.seek(section(key)).unwrap().unwrap().1)),
            || sum(probes.iter().map(|(key, _)| theirs(key))),
        ));
        rows.extend(pair(
            "bytes scan ns",
            size,
            size,
            || {
                let (mut cursor, mut total) = (map.cursor(&snapshot), 0_u64);
                while let Some((key, value)) = cursor.next().unwrap() {
                    total = total.wrapping_add(key.len() as u64 + value);
                }
                total
            },
            || {
                let entries = heed.db.iter(&txn).unwrap().map(Result::unwrap);
                sum(entries.map(|(key, value)| key.len() as u64 + word(value)))
            },
        ));
    }
    let ours = |key: &[u8]| {
        let mut txn = slab.begin().expect("a transaction");
        let map = Pages::from_root(txn.base());
        let (map, _) = map.insert(&mut txn, key, u64::MAX).expect("room");
        txn.commit(map.root()).expect("nobody else writes").epoch
    };
    let theirs = |key| {
        heed.put(PutFlags::empty(), std::iter::once((key, u64::MAX)));
        0
    };
    let changed = || probes[..COMMITS].iter().map(|(key, _)| key.as_slice());
    rows.push(row("bytes commit ns", "eve", size, nanos(COMMITS, || sum(changed().map(ours)))));
    rows.push(row("bytes commit ns", "LMDB", size, nanos(COMMITS, || sum(changed().map(theirs)))));
    rows
}
