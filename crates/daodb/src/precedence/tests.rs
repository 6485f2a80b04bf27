//! Who waits, for whom, and for how long; which tells by a test that ends.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use eve::{Options, Region};

use super::*;

const FOLDER: &str = "DAODB_PRECEDENCE_FOLDER";
/// Longer than anybody would wait for a test.
const EVER: Duration = PATIENCE_MAX;

/// A region that handles of several processes share, and the precedence of one of them.
fn open(folder: &Path) -> (Slab, Precedence) {
    let path = folder.join("region.eve");
    let slab = match path.exists() {
        true => Slab::open(Region::open(&path).unwrap()),
        false => Slab::create(Region::create(&path, &Options::default()).unwrap()),
    };
    (slab.unwrap(), Precedence::new(Some(folder)))
}

fn word(slab: &Slab) -> u64 {
    slab.user_word(WORD).load(Ordering::Relaxed)
}

/// Not a test by itself: a process that goes first until it is killed.
#[test]
fn goes_first_until_it_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let (slab, precedence) = open(Path::new(&folder));
    let _first = precedence.take(&slab, EVER).expect("nobody else is there");
    println!("first");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    panic!("it should have been killed");
}

#[test]
fn nobody_waits_for_one_who_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (slab, precedence) = open(folder.path());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "precedence::tests::goes_first_until_it_is_killed", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("first")));
    assert_eq!(word(&slab), EVER.as_millis() as u64);
    assert!(precedence.take(&slab, EVER).is_none(), "the other has it");
    std::thread::scope(|scope| {
        let waits = || precedence.give_way(&slab);
        let waiting = [scope.spawn(waits), scope.spawn(waits)];
        child.kill().unwrap();
        child.wait().unwrap();
        let _ = waiting.map(|waiting| waiting.join().unwrap());
    });
    assert_eq!(word(&slab), 0);
    assert!(precedence.take(&slab, EVER).is_some());
}

#[test]
fn others_wait_until_it_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let (slab, precedence) = open(folder.path());
    let other = Precedence::new(Some(folder.path()));
    let first = precedence.take(&slab, EVER).unwrap();
    std::thread::scope(|scope| {
        // Of this handle and of another.
        let waiting = [&precedence, &other].map(|mine| {
            let slab = &slab;
            scope.spawn(move || {
                mine.give_way(slab);
                word(slab)
            })
        });
        // It never waits for itself.
        precedence.give_way(&slab);
        assert_eq!(word(&slab), EVER.as_millis() as u64, "nobody took it back meanwhile");
        drop(first);
        assert_eq!(waiting.map(|waiting| waiting.join().unwrap()), [0, 0]);
    });
}

#[test]
fn one_who_does_not_end_is_waited_for_as_long_as_it_asked_and_keeps_the_word() {
    let folder = tempfile::tempdir().unwrap();
    let (slab, precedence) = open(folder.path());
    let other = Precedence::new(Some(folder.path()));
    let _first = precedence.take(&slab, Duration::from_millis(20)).unwrap();
    other.give_way(&slab);
    assert_eq!(word(&slab), 20);
    assert!(other.take(&slab, EVER).is_none());
}

#[test]
fn who_loses_often_and_long_goes_first_and_asks_for_more_when_it_loses_again() {
    let folder = tempfile::tempdir().unwrap();
    let (slab, precedence) = open(folder.path());
    let other = Precedence::new(Some(folder.path()));
    let mut tries = Tries::new(&precedence, &slab);
    let lose = |tries: &mut Tries<'_>, took: Duration| {
        tries.begin();
        tries.began = tries.began.checked_sub(took).unwrap();
        tries.lost();
    };
    for _ in 0..100 {
        lose(&mut tries, Duration::ZERO);
    }
    assert!(tries.first.is_none(), "small ones that lose ask nothing of others");
    lose(&mut tries, Duration::from_millis(30));
    tries.begin();
    let asked = word(&slab);
    assert!(asked >= 120, "{asked}");
    lose(&mut tries, Duration::from_millis(100));
    tries.begin();
    assert!(word(&slab) >= 400, "{}", word(&slab));
    assert!(other.take(&slab, EVER).is_none());
    drop(tries);
    assert!(other.take(&slab, EVER).is_some());
}
