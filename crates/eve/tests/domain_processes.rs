//! A domain between processes of which one is killed in the middle. Every test starts its own
//! program again as the other process.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use eve::structure::{ByteMap, Map};
use eve::{Addr, Domain, Error, Marks, Snapshot};

const FOLDER: &str = "EVE_DOMAIN_FOLDER";
const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));
const TOTAL: u64 = 1000;

fn open(folder: &Path) -> Domain {
    Domain::open(folder.join("bank.eve")).unwrap()
}

fn folder_of_the_other() -> Option<PathBuf> {
    env::var_os(FOLDER).map(PathBuf::from)
}

fn start(test: &str, folder: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test]).env(FOLDER, folder).stdout(Stdio::null()).spawn().unwrap()
}

/// Moves one coin and counts it: three atoms in one swap.
fn move_a_coin(bank: &Domain, from: &str, to: &str) {
    let moved: Result<(), Error> = bank.transact(|atoms| {
        let (source, target) = (atoms.get::<u64>(from)?, atoms.get::<u64>(to)?);
        let step = source.min(1);
        atoms.set(from, &(source - step))?;
        atoms.set(to, &(target + step))?;
        let moves = atoms.get::<u64>("moves")?;
        atoms.set("moves", &(moves + 1))
    });
    moved.unwrap();
}

/// The other process moves coins until it is killed; we watch it, move coins, too, and count them
/// after each death.
#[test]
fn a_killed_process_leaves_every_atom_whole() {
    if let Some(folder) = folder_of_the_other() {
        let bank = open(&folder);
        loop {
            move_a_coin(&bank, "ada", "ben");
            move_a_coin(&bank, "ben", "ada");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let bank = open(folder.path());
    bank.swap("ada", |_, _: u64| Ok::<_, Error>((TOTAL, ()))).unwrap();
    for _ in 0..10 {
        let mut other = start("a_killed_process_leaves_every_atom_whole", folder.path());
        let mut seen = bank.load::<u64>("moves").unwrap();
        let goal = *seen + 300;
        while *seen < goal {
            seen = bank.watch("moves", &seen, PATIENCE).unwrap().expect("the other is at work");
            move_a_coin(&bank, "ada", "ben");
            let all: Result<u64, Error> =
                bank.transact(|atoms| Ok(atoms.get::<u64>("ada")? + atoms.get::<u64>("ben")?));
            assert_eq!(all.unwrap(), TOTAL);
        }
        other.kill().unwrap();
        other.wait().unwrap();
        let all = bank
            .transact(|atoms| Ok::<_, Error>(atoms.get::<u64>("ada")? + atoms.get::<u64>("ben")?));
        assert_eq!(all.unwrap(), TOTAL);
    }
}

/// Whoever watches is woken from another process.
#[test]
fn a_watch_is_woken_by_another_process() {
    if let Some(folder) = folder_of_the_other() {
        let bank = open(&folder);
        let seen = bank.load::<Vec<u8>>("question").unwrap();
        let question = bank.watch("question", &seen, None).unwrap().unwrap_or(seen);
        bank.swap("answer", |_, _: Vec<u8>| Ok::<_, Error>((question.to_vec(), ()))).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let bank = open(folder.path());
    let seen = bank.load::<Vec<u8>>("answer").unwrap();
    let mut other = start("a_watch_is_woken_by_another_process", folder.path());
    let mut n = 0u64;
    // Asked until it is heard: the other may not watch yet, and takes the first question it sees.
    let answer = loop {
        n += 1;
        bank.swap("question", |_, _: Vec<u8>| Ok::<_, Error>((n.to_le_bytes().to_vec(), ())))
            .unwrap();
        if let Some(answer) = bank.watch("answer", &seen, Some(Duration::from_millis(20))).unwrap()
        {
            break answer;
        }
    };
    assert!(u64::from_le_bytes(answer[..].try_into().unwrap()) <= n);
    assert!(other.wait().unwrap().success());
}

/// How many files there are at a time.
const FILES: u64 = 100;

type Files = ByteMap<[u8], [u8]>;

fn file(n: u64) -> Vec<u8> {
    format!("/home/{}/notes/{n}", n % 7).into_bytes()
}

fn text(n: u64) -> Vec<u8> {
    format!("{n} ").repeat(n as usize % 9).into_bytes()
}

/// One file more and the oldest one less, and both counted.
fn turn(disk: &Domain) {
    let turned: Result<(), Error> = disk.transact(|atoms| {
        let n = atoms.get::<u64>("n")?;
        let files = atoms.get::<Files>("files")?;
        let (mut files, _) = files.insert(atoms.txn(), &file(n), text(n))?;
        if n >= FILES {
            (files, _) = files.remove(atoms.txn(), &file(n - FILES))?;
        }
        atoms.set("files", &files)?;
        atoms.set("n", &(n + 1))
    });
    turned.unwrap();
}

/// Names of any length, sorted, are whole in every version, whoever is killed while making the next.
#[test]
fn a_killed_process_leaves_a_byte_map_whole() {
    if let Some(folder) = folder_of_the_other() {
        let disk = open(&folder);
        loop {
            turn(&disk);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let disk = open(folder.path());
    for kill in 0..10 {
        let mut other = start("a_killed_process_leaves_a_byte_map_whole", folder.path());
        let mut seen = disk.load::<u64>("n").unwrap();
        let goal = *seen + 150 + kill;
        while *seen < goal {
            seen = disk.watch("n", &seen, PATIENCE).unwrap().expect("the other is at work");
            turn(&disk);
        }
        other.kill().unwrap();
        other.wait().unwrap();
        let files = disk.load::<Files>("files").unwrap();
        let snapshot = files.snapshot();
        files.verify(snapshot).unwrap();
        let n = *disk.load::<u64>("n").unwrap();
        let mut wanted: Vec<_> = (n - FILES..n).map(|n| (file(n), text(n))).collect();
        wanted.sort();
        let found: Result<Vec<_>, Error> = files
            .iter(snapshot)
            .map(|entry| entry.map(|(name, text)| (name, text.to_vec())))
            .collect();
        assert_eq!(found.unwrap(), wanted);
        // What it had not committed goes back, but for what it was killed in the middle of taking.
        let found = disk.slab().verify(trace).unwrap();
        assert!(found.leaked_blocks.unwrap() <= kill + 1, "{found:?}");
    }
}

/// Marks every block of the disk.
fn trace(snapshot: &Snapshot, root: Addr, marks: &mut Marks<'_>) -> Result<(), Error> {
    let names = Map::<[u8], u64>::from_root(root);
    let value = |name: &[u8]| names.get(snapshot, name).map(Option::unwrap_or_default);
    let files = Files::from_root(Addr::from_raw(value(b"files")?));
    marks.mark(Addr::from_raw(value(b"n")?))?;
    let mut failed = Ok(());
    let mut visit = |at| {
        marks.mark(at).unwrap_or_else(|error| {
            failed = Err(error);
            false
        })
    };
    names.trace(snapshot, &mut visit)?;
    files.trace(snapshot, &mut visit)?;
    failed
}
