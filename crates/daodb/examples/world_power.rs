//! A world on a disk whose power is cut: written and checked by `cargo xtask powercut world`.
//!
//! `write FOLDER` commits to the disk and writes behind each commit how many there are. `check FOLDER` looks at
//! what a disk held at some moment: no fewer commits than were written down, nothing that is not in order, and the
//! facts of each. `careless FOLDER` writes without waiting: there the check must find what is missing.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;

use daodb::{Database, Durability, Index, Options, TransactOptions};
use datom::{Word, edn};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const COMMITS: u64 = 120;
/// Small, so that several segments are begun.
const SEGMENT_BYTES: u64 = 20_000;
/// Every so many commits one is longer than a page.
const LONG: u64 = 9;
/// Commit `n` is about entity `FIRST + n`.
const FIRST: u64 = 5_000;
/// Where a region says in which boot of the machine it was used (`docs/format.md`, page 0).
const BOOT: u64 = 512;

const SCHEMA: &str = "
    {:db/ident :item/number :db/valueType :db.type/long}
    {:db/ident :item/text :db/valueType :db.type/string}";

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", folder] => write(Path::new(folder), Durability::Disk),
        ["careless", folder] => write(Path::new(folder), Durability::Process),
        ["check", folder] => check(Path::new(folder)),
        _ => Err("world_power write|careless|check FOLDER".into()),
    }
}

fn text(number: u64) -> String {
    "x".repeat(if number.is_multiple_of(LONG) { 6_000 } else { 20 })
}

fn write(folder: &Path, durability: Durability) -> Outcome {
    let options = Options::new().segment_bytes_max(SEGMENT_BYTES);
    let db = Database::open(folder.join("world"), options)?;
    db.transact(&edn::read_all(SCHEMA)?)?;
    let told = File::create(folder.join("told"))?;
    let with = TransactOptions::new().durability(durability);
    for number in 1..=COMMITS {
        let (id, text) = (FIRST + number, text(number));
        let facts = format!("{{:db/id {id} :item/number {number} :item/text \"{text}\"}}");
        db.transact_with(&edn::read_all(&facts)?, &with)?;
        told.write_all_at(&number.to_le_bytes(), 0)?;
        told.sync_data()?;
    }
    // Left as by a machine that stops: nothing is put in order.
    std::mem::forget(db);
    Ok(())
}

/// The number that was written down last.
fn told(folder: &Path) -> Outcome<u64> {
    match std::fs::read(folder.join("told")) {
        Ok(bytes) => Ok(bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error.into()),
    }
}

fn check(folder: &Path) -> Outcome {
    let (told, world) = (told(folder)?, folder.join("world"));
    match OpenOptions::new().write(true).open(world.join("region.eve")) {
        Ok(file) => file.write_all_at(&[0x5a; 8], BOOT)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let db = Database::open(&world, Options::new().segment_bytes_max(SEGMENT_BYTES))?;
    let state = db.db()?;
    let numbers = |number: u64| -> Outcome<Vec<Word>> {
        let facts = state.datoms(Index::Eavt, &[Word::entity(FIRST + number)])?;
        Ok(facts.map(|fact| fact.map(|fact| fact.v)).collect::<Result<_, _>>()?)
    };
    let mut there = 0;
    while !numbers(there + 1)?.is_empty() {
        there += 1;
        let facts = numbers(there)?;
        if facts.len() != 2 || !facts.iter().any(|v| v.as_int() == i64::try_from(there).ok()) {
            return Err(format!("commit {there} is not whole: {facts:?}").into());
        }
    }
    if there < told {
        return Err(format!("commit {told} was told of, {there} are there").into());
    }
    let found = db.verify()?;
    if !found.is_clean() {
        return Err(format!("{found:?}").into());
    }
    // And it goes on, if need be with the schema that was lost.
    db.transact(&edn::read_all(SCHEMA)?)?;
    let next = format!("{{:db/id {} :item/number 0}}", FIRST + COMMITS + 1);
    db.transact(&edn::read_all(&next)?)?;
    Ok(())
}
