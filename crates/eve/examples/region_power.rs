//! A region on a disk whose power is cut: written and checked by `cargo xtask powercut region`.
//!
//! `write FOLDER` commits, waiting for the disk, and writes behind each commit how many there are.
//! `check FOLDER` looks at what a disk held at some moment: no fewer commits than were written down, and each
//! version whole. `careless FOLDER` writes without waiting: there the check must find what is missing.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use eve::structure::WordMap;
use eve::{Durability, Options, Region, Slab};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const COMMITS: u64 = 120;
const KEYS: u64 = 50;
/// Every so many commits one changes more than a record can name.
const LARGE: u64 = 11;
const LARGE_KEYS: u64 = 3_000;
/// Where a region says in which boot of the machine it was used (`docs/format.md`, page 0).
const BOOT: u64 = 512;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", folder] => write(Path::new(folder), Durability::Checkpoint),
        ["careless", folder] => write(Path::new(folder), Durability::None),
        ["check", folder] => check(Path::new(folder)),
        _ => Err("region_power write|careless|check FOLDER".into()),
    }
}

/// What commit `number` puts under a key.
fn keys(number: u64) -> impl Iterator<Item = u64> {
    let many = if number.is_multiple_of(LARGE) { LARGE_KEYS } else { 0 };
    std::iter::once(number % KEYS).chain(KEYS..KEYS + many)
}

fn write(folder: &Path, durability: Durability) -> Outcome {
    let region = Region::create(folder.join("region.eve"), &Options::default())?;
    let slab = Slab::create(region)?.with_durability(durability);
    let told = File::create(folder.join("told"))?;
    for number in 1..=COMMITS {
        slab.swap(|txn| {
            let mut map = WordMap::from_root(txn.base());
            for key in keys(number) {
                map = map.insert(txn, &key, number)?.0;
            }
            Ok::<_, eve::Error>((map.root(), ()))
        })?;
        told.write_all_at(&number.to_le_bytes(), 0)?;
        told.sync_data()?;
    }
    // Left as by a machine that stops: nothing is put in order.
    std::mem::forget(slab);
    Ok(())
}

/// The number that was written down last.
fn told(folder: &Path) -> Outcome<u64> {
    let bytes = match std::fs::read(folder.join("told")) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    Ok(bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
}

fn check(folder: &Path) -> Outcome {
    let told = told(folder)?;
    let path = folder.join("region.eve");
    if !path.exists() {
        return if told == 0 { Ok(()) } else { Err(format!("no region after {told}").into()) };
    }
    let file = OpenOptions::new().write(true).open(&path)?;
    file.write_all_at(&[0x5a; 8], BOOT)?;
    let slab = Slab::open(Region::open(&path)?)?;
    let snapshot = slab.snapshot()?;
    let there = snapshot.epoch();
    if there < told {
        return Err(format!("commit {told} was told of, {there} is there").into());
    }
    let map = WordMap::from_root(snapshot.root());
    for key in 0..KEYS + LARGE_KEYS {
        let expected = (1..=there).rev().find(|number| keys(*number).any(|its| its == key));
        let found = map.get(&snapshot, &key)?;
        if found != expected {
            return Err(format!("key {key} of version {there}: {found:?}, not {expected:?}").into());
        }
    }
    verify(&slab)
}

fn verify(slab: &Slab) -> Outcome {
    slab.verify(|snapshot, root, marks| {
        WordMap::from_root(root).trace(snapshot, &mut |at| marks.mark(at).unwrap_or_default())
    })?;
    Ok(())
}
