//! One changed value a commit: seen by everybody at once, and, where it is durable, on the disk when
//! the next one begins.

use benches::stores::{Heed, Synced, folder, open_slab};
use criterion::Criterion;
use eve::{Durability, Slab};

use crate::{
    EveMap, ImMap, RpdsMap, Suite, WORDS, begin_redb, build_heed_map, build_map, build_redb_map,
    open_redb, value, value_bytes,
};

fn commit(slab: &Slab, word: u64, change: u64) -> u64 {
    let mut txn = slab.begin().expect("a transaction");
    let map = EveMap::from_root(txn.base());
    let (map, _) = map.insert(&mut txn, &word, [change, 0]).expect("room");
    txn.commit(map.root()).expect("nobody else writes");
    change
}

fn commit_heed(heed: &Heed, word: u64, change: u64) -> u64 {
    let mut txn = heed.env.write_txn().expect("a transaction");
    heed.db.put(&mut txn, &word.to_be_bytes(), &value_bytes(change)).expect("room");
    txn.commit().expect("a commit");
    change
}

fn commit_redb(txn: redb::WriteTransaction, word: u64, change: u64) -> u64 {
    txn.open_table(WORDS).expect("a table").insert(word, &value_bytes(change)).expect("room");
    txn.commit().expect("a commit");
    change
}

/// Visible to everybody, not yet on the disk.
pub(crate) fn unsynced(
    criterion: &mut Criterion,
    slab: &Slab,
    heed: &Heed,
    redb: &redb::Database,
    (mut im, mut rpds): (ImMap, RpdsMap),
    probes: &[u64],
) {
    let mut suite = Suite::new(criterion, "map_commit");
    let mut change = 0;
    suite.each("eve", probes, |word| {
        change += 1;
        commit(slab, *word, change)
    });
    suite.each("heed", probes, |word| {
        change += 1;
        commit_heed(heed, *word, change)
    });
    suite.each("redb", probes, |word| {
        change += 1;
        commit_redb(begin_redb(redb), *word, change)
    });
    suite.each("im", probes, |word| {
        change += 1;
        im = im.update(*word, value(change));
        change
    });
    suite.each("rpds", probes, |word| {
        change += 1;
        rpds = rpds.insert(*word, value(change));
        change
    });
}

/// On the disk before the next begins.
pub(crate) fn durable(criterion: &mut Criterion, words: &[u64], probes: &[u64]) {
    const TOGETHER: usize = 50;
    let folders = [folder(), folder(), folder()];
    let slab = open_slab(&folders[0]);
    let heed = Heed::open(&folders[1], Synced::Yes);
    let redb = open_redb(&folders[2]);
    build_map(&slab, words);
    build_heed_map(&heed, words);
    build_redb_map(&redb, words);
    let slab = slab.with_durability(Durability::Checkpoint);

    let mut suite = Suite::new(criterion, "map_commit_durable");
    let mut change = 0;
    suite.some(TOGETHER, "eve", probes, |word| {
        change += 1;
        commit(&slab, *word, change)
    });
    suite.some(TOGETHER, "heed", probes, |word| {
        change += 1;
        commit_heed(&heed, *word, change)
    });
    suite.some(TOGETHER, "redb", probes, |word| {
        change += 1;
        commit_redb(redb.begin_write().expect("a transaction"), *word, change)
    });
}
