//! Memory after ten million overwrites of a thousand keys: with nobody reading, and with one reader who
//! pinned the version before the first.

use eve::structure::WordMap;
use eve::{Region, Slab};

use benches::stores::Random;

const KEYS: u64 = 1_000;
const OVERWRITES: u64 = 10_000_000;
const REGION_BYTES: u64 = 1 << 30;

fn overwrite(slab: &Slab) {
    let mut random = Random(3);
    for value in 0..OVERWRITES {
        let mut txn = slab.begin().expect("a transaction");
        let map = WordMap::from_root(txn.base());
        let (map, _) = map.insert(&mut txn, &(random.draw() % KEYS), value).expect("room");
        txn.commit(map.root()).expect("nobody else writes");
    }
}

pub(crate) fn run() {
    println!(
        "\n| {OVERWRITES} overwrites of {KEYS} keys | region bytes | ratio | block bytes | ratio |"
    );
    println!("| --- | --- | --- | --- | --- |");
    for pinned in [false, true] {
        let slab = Slab::create(Region::anonymous(REGION_BYTES).expect("memory")).expect("a slab");
        let mut txn = slab.begin().expect("a transaction");
        let map = WordMap::from_iter(&mut txn, (0..KEYS).map(|key| (key, 0))).expect("room");
        txn.commit(map.root()).expect("nobody else writes");
        let live = slab.stats();
        let reader = pinned.then(|| slab.snapshot().expect("a pin"));
        overwrite(&slab);
        let after = slab.stats();
        if let Some(reader) = reader {
            let map = WordMap::from_root(reader.root());
            let unchanged = (0..KEYS).all(|key| map.get(&reader, &key).unwrap() == Some(0));
            assert!(unchanged, "a held snapshot changed");
        }
        println!(
            "| {} | {} | {:.2} | {} | {:.2} |",
            if pinned { "one reader pinned" } else { "nobody reads" },
            after.used_bytes,
            after.used_bytes as f64 / live.used_bytes as f64,
            after.block_bytes,
            after.block_bytes as f64 / live.block_bytes as f64,
        );
    }
}
