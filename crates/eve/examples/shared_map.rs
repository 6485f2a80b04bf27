//! Two processes share a map, and one of them is killed: `cargo run -p eve --example shared_map`.
//!
//! The program starts itself again as the other process.

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};

use eve::structure::WordMap;
use eve::{Options, Region, Slab};

/// Keys of the map.
const KEYS: u64 = 100;
/// The other process is killed after so many commits.
const COMMITS: u64 = 1_000;

/// Writes the next number under the next key. One commit: all of it happens, or nothing.
fn count_up(slab: &Slab) -> Result<u64, eve::Error> {
    let (commit, ()) = slab.swap(|txn| {
        let next = txn.epoch();
        let (map, _) = WordMap::from_root(txn.base()).insert(txn, &(next % KEYS), next)?;
        Ok::<_, eve::Error>((map.root(), ()))
    })?;
    Ok(commit.epoch)
}

fn other(path: &Path) -> Result<(), eve::Error> {
    let slab = Slab::open(Region::open(path)?)?;
    loop {
        count_up(&slab)?;
    }
}

fn one(path: &Path) -> Result<(), Box<dyn Error>> {
    let slab = Slab::create(Region::create(path, &Options::default())?)?;
    let mut child = Command::new(std::env::current_exe()?).arg(path).spawn()?;
    while slab.commits() < COMMITS {
        let _ = slab.wait(slab.commits(), None); // sleeps until somebody commits
    }
    let held = slab.snapshot()?;
    child.kill()?; // SIGKILL, at whatever it was doing
    child.wait()?;

    let left = slab.commits();
    let goes_on = count_up(&slab)?;
    assert_eq!(goes_on, left + 1);
    let map = WordMap::from_root(held.root());
    let mut numbers: Vec<u64> =
        map.iter(&held).map(|entry| entry.map(|(_, n)| n)).collect::<Result<_, _>>()?;
    numbers.sort_unstable();
    let expected: Vec<u64> = (held.epoch() - KEYS + 1..=held.epoch()).collect();
    assert_eq!(numbers, expected, "a snapshot is a whole version");
    println!("the other process was killed; its commits are all there, and work goes on");
    slab.reclaim()?; // clears away the dead
    println!("attached now: {}", slab.status().attachments.len());
    Ok(())
}

fn main() -> ExitCode {
    let done: Result<(), Box<dyn Error>> = match std::env::args_os().nth(1) {
        Some(path) => other(Path::new(&path)).map_err(Into::into),
        None => tempfile::tempdir()
            .map_err(Into::into)
            .and_then(|folder| one(&folder.path().join("world.eve"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
