//! A domain between processes of which one is killed in the middle. Every test starts its own
//! program again as the other process.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use eve::{Domain, Error};

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
