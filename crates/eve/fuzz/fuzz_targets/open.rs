//! Opens a file that anybody may have written, and reads and changes all of it: an error or an
//! answer, never a crash.
//!
//! Input that begins with an even byte is a list of edits to a small region, three bytes of word
//! number and what to put there; any other input is the file itself.

#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use eve::structure::{ByteMap, SortedSet, WordMap};
use eve::{Addr, Error, Options, Read, Region, Slab};
use libfuzzer_sys::fuzz_target;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// A region with a map, a set and a byte map, left in order.
fn region() -> &'static [u8] {
    static IMAGE: OnceLock<Vec<u8>> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let folder = folder();
        let path = folder.path().join("a.eve");
        let options = Options { limit_bytes: 8 << 20, ..Options::default() };
        let slab = Slab::create(Region::create(&path, &options).unwrap()).unwrap();
        for key in 0..60_u64 {
            slab.swap(|txn| {
                let (map, _) = WordMap::from_root(txn.base()).insert(txn, &key, key)?;
                SortedSet::<2>::from_sorted(txn, (0..key).map(|n| [n, n]))?;
                let names = (0..key).map(|n| (format!("/a/path/{n}").into_bytes(), n));
                let names = ByteMap::<[u8], u64>::from_iter(txn, names)?;
                let (map, _) = map.insert(txn, &u64::MAX, names.root().raw())?;
                Ok::<_, Error>((map.root(), ()))
            })
            .unwrap();
        }
        slab.sync().unwrap();
        drop(slab);
        std::fs::read(&path).unwrap()
    })
}

fn edited(edits: &[u8]) -> Vec<u8> {
    let mut image = region().to_vec();
    for edit in edits.chunks_exact(5) {
        let word = u32::from_le_bytes([edit[0], edit[1], edit[2], 0]) as usize;
        let at = (word * 8 + usize::from(edit[3] & 7)) % image.len();
        // The check of the first 64 bytes would only ever refuse.
        if at >= 64 {
            image[at] = edit[4];
        }
    }
    image
}

fn use_all(path: &Path) -> Result<(), Error> {
    let slab = Slab::open(Region::open(path)?)?;
    let snapshot = slab.snapshot()?;
    let map = WordMap::from_root(snapshot.root());
    for entry in map.iter(&snapshot) {
        entry?;
    }
    let _ = map.verify(&snapshot);
    for raw in (0..2 << 20).step_by(4096 - 16) {
        let _ = snapshot.words(Addr::from_raw(raw));
    }
    for key in SortedSet::<2>::from_root(snapshot.root()).iter(&snapshot) {
        key?;
    }
    let names = map.get(&snapshot, &u64::MAX)?.unwrap_or_default();
    let names = ByteMap::<[u8], u64>::from_root(Addr::from_raw(names));
    let _ = names.verify(&snapshot);
    for entry in names.iter(&snapshot).rev().chain(names.prefix(&snapshot, b"/a/path/3")) {
        entry?;
    }
    let mut txn = slab.begin()?;
    let (names, _) = names.insert(&mut txn, b"/a/path/5/more", 5)?;
    let (names, _) = names.remove(&mut txn, b"/a/path/7")?;
    names.extend(&mut txn, [(&b"/a/path/2"[..], 20), (b"/b", 1)])?;
    drop(txn);
    let _ = slab.stats();
    for key in 0..20_u64 {
        slab.swap(|txn| {
            let (map, _) = WordMap::from_root(txn.base()).insert(txn, &key, 0)?;
            Ok::<_, Error>((map.root(), ()))
        })?;
    }
    drop(slab.allocate(100)?);
    slab.reclaim()?;
    slab.sync()?;
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let folder = folder();
    let path = folder.path().join("a.eve");
    let image = match data.split_first() {
        Some((first, edits)) if first % 2 == 0 => edited(edits),
        _ => data.to_vec(),
    };
    std::fs::write(&path, image).expect("room in memory");
    let _ = use_all(&path);
});
