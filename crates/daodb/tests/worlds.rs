//! Worlds on disk: many processes, dead processes, lost and damaged files.
//!
//! Other processes are this test binary again, told by an environment variable what to do.

mod common;

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{FOLDER, NUMBER, ROLE, SCHEMA, closed, facts, flip, segments, spawn, transact};
use daodb::{Create, Database, Durability, Error, Index, LogError, Options, WorldError};
use datom::{Value, Word};

fn open(folder: &Path) -> Database {
    Database::open(folder, Options::new().durability(Durability::Process)).unwrap()
}

/// Not a test by itself: what the other processes do.
#[test]
fn role() {
    let Some((role, folder, number)) = common::role() else { return };
    match role.as_str() {
        "add" => add(&folder, number),
        "acknowledge" => acknowledge(&folder, number),
        "fill" => fill(&folder),
        "compete" => compete(&folder, number),
        "hold" => hold_the_lease(&folder),
        other => panic!("no role {other}"),
    }
}

const EACH: i64 = 1_000;

/// Adds to a sum that others add to as well: lost updates would show.
fn add(folder: &Path, writer: u64) {
    let db = open(folder);
    for number in 0..EACH {
        let text = format!("{{:name \"writer {writer} number {number}\" :n {number}}}");
        loop {
            let now = db.db().unwrap();
            let sum = now.entity_id(&common::value("[:name \"sum\"]")).unwrap().unwrap();
            let at = now.datoms(daodb::Index::Eavt, &[datom::Word::entity(sum)]).unwrap();
            let values = common::values(&now, at);
            let old = &values.iter().find(|fact| fact.1 == "sum").unwrap().2;
            let Value::Int(old) = old else { panic!("{old}") };
            let swap = format!("{text} [:db/cas {sum} :sum {old} {}]", old + 1);
            match db.transact(&common::data(&swap)) {
                Ok(_) => break,
                Err(Error::Rejected(rejection)) => {
                    assert_eq!(rejection.category, daodb::Category::Cas, "{rejection}");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Makes transactions and tells of each, until it is killed.
fn acknowledge(folder: &Path, round: u64) {
    let durability = if round.is_multiple_of(2) { Durability::Process } else { Durability::Disk };
    let db = Database::open(folder, Options::new().durability(durability)).unwrap();
    let mut out = std::io::stdout();
    for number in 0.. {
        let text = format!("{{:name \"round {round} number {number}\" :n {number}}}");
        let t = transact(&db, &text).t;
        writeln!(out, "t {t}").and_then(|()| out.flush()).unwrap();
    }
}

/// Writes until the disk is full, and looks whether that changed anything.
fn fill(folder: &Path) {
    let db = Database::open(folder, Options::new().segment_bytes_max(1 << 20)).unwrap();
    let mut kept = transact(&db, SCHEMA).t;
    let mut refusals = 0;
    for number in 0.. {
        let text = format!("{{:name \"{number} {}\"}}", "x".repeat(3_000));
        match db.transact(&common::data(&text)) {
            // After a refusal, too: sealing a segment makes room again.
            Ok(report) => {
                kept += 1;
                assert_eq!(report.t, kept);
            }
            Err(Error::Memory(eve::Error::DiskFull { .. }))
            | Err(Error::Log(LogError::File(WorldError::DiskFull { .. }))) => refusals += 1,
            Err(error) => panic!("{error}"),
        }
        let basis = db.db().unwrap().basis();
        assert_eq!(basis, kept, "refused transactions leave no trace");
        assert_eq!(db.durable_t(), basis, "nothing is half done");
        if refusals == 3 {
            let found = db.verify().unwrap();
            assert!(found.is_clean(), "{:?}", found.problems);
            return;
        }
    }
}

/// A small disk of its own, where the system lets us have one.
#[test]
fn a_full_disk_refuses_and_changes_nothing() {
    for megabytes in [12, 13, 14] {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            "mount -t tmpfs -o size={megabytes}m tmpfs \"${FOLDER}\" || exit 99; \
             exec \"$0\" --exact role --nocapture --quiet"
        );
        let made = Command::new("unshare")
            .args(["--mount", "--map-root-user", "sh", "-c", &script])
            .arg(std::env::current_exe().unwrap())
            .env(ROLE, "fill")
            .env(FOLDER, folder.path())
            .env(NUMBER, "0")
            .output();
        match made.as_ref().map(|made| made.status.code()) {
            Ok(Some(0)) => {}
            Ok(Some(101)) => panic!("{}", String::from_utf8_lossy(&made.unwrap().stderr)),
            other => {
                eprintln!("skipped: a disk of our own cannot be mounted here ({other:?})");
                return;
            }
        }
    }
}

#[test]
fn processes_write_one_world_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    transact(&db, SCHEMA);
    let begin = transact(&db, "{:name \"sum\" :sum 0}").t;
    let mut writers: Vec<Child> =
        (0..2).map(|writer| spawn("add", folder.path(), writer)).collect();
    for writer in &mut writers {
        let mut said = String::new();
        writer.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(writer.wait().unwrap().success(), "{said}");
    }
    let now = db.db().unwrap();
    assert_eq!(now.basis(), begin + 2 * EACH as u64);
    assert!(common::about(&db, "[:name \"sum\"]").contains(&format!("sum {}", 2 * EACH)));
    let transactions = db.log().unwrap().map(|transaction| transaction.unwrap().t);
    assert!(transactions.eq(1..=now.basis()), "t has no gaps");
    let found = db.verify().unwrap();
    assert!(found.is_clean(), "{:?}", found.problems);
    assert_eq!(found.transactions, now.basis());
}

/// Commits that all writers together make while their shares are counted.
const SHARED: u64 = 1_200;

/// Writes until enough was written by all, from when all four are there.
fn compete(folder: &Path, writer: u64) {
    let db = open(folder);
    transact(&db, &format!("{{:name \"writer {writer} is here\"}}"));
    let ready = |db: &Database| {
        let db = db.db().unwrap();
        let name = |n: u64| Value::text(&format!("writer {n} is here"));
        (0..4).all(|n| db.entity_id(&lookup(name(n))).unwrap().is_some()).then(|| db.basis())
    };
    while ready(&db).is_none() {
        let t = db.db().unwrap().basis();
        db.wait(t, Some(Duration::from_millis(50))).unwrap();
    }
    let mut number = 0;
    // The last of the four to say so marks the start for everybody.
    let start = start_of(&db);
    while db.db().unwrap().basis() < start + SHARED {
        transact(&db, &format!("{{:db/id \"datomic.tx\" :n {writer}}}"));
        number += 1;
    }
    println!("{number}");
}

fn lookup(name: Value) -> Value {
    Value::Vector(vec![Value::keyword("name"), name])
}

/// The transaction in which the last writer said that it is there.
fn start_of(db: &Database) -> u64 {
    let db = db.db().unwrap();
    let name = Word::entity(db.attribute_named(&"name".into()).unwrap().id);
    let said = db.datoms(Index::Aevt, &[name]).unwrap().map(|datom| datom.unwrap().t);
    said.max().unwrap()
}

#[test]
fn no_writer_of_four_processes_starves() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    transact(&db, SCHEMA);
    let children: Vec<Child> = (0..4).map(|n| spawn("compete", folder.path(), n)).collect();
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    let start = start_of(&db);
    let now = db.db().unwrap();
    let n = Word::entity(now.attribute_named(&"n".into()).unwrap().id);
    let mut shares = [0_u64; 4];
    for datom in now.datoms(Index::Aevt, &[n]).unwrap().map(Result::unwrap) {
        let Value::Int(writer) = now.value(datom.v).unwrap() else { panic!("{datom:?}") };
        if (start..=start + SHARED).contains(&datom.t) {
            shares[writer as usize] += 1;
        }
    }
    // A fair share would be a quarter; starving would be next to nothing.
    assert!(shares.iter().all(|share| *share >= SHARED / 40), "{shares:?}");
}

/// Keeps the log from everybody until it is killed.
fn hold_the_lease(folder: &Path) {
    let lease = OpenOptions::new().write(true).open(folder.join("log/lease")).unwrap();
    lease.lock().unwrap();
    println!("held");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn who_waits_for_the_lease_of_a_process_that_is_killed_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    let db = Database::open(folder.path(), Options::new()).unwrap();
    let before = transact(&db, SCHEMA).t;
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "role", "--nocapture", "--quiet"])
        .env(ROLE, "hold")
        .env(FOLDER, folder.path())
        .env(NUMBER, "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("held")));
    std::thread::scope(|scope| {
        // Of one handle and of another, each with several threads.
        let other = Database::open(folder.path(), Options::new()).unwrap();
        let handles = [db.clone(), db.clone(), other.clone(), other];
        let waiting = handles.map(|db| {
            scope.spawn(move || {
                let t = transact(&db, "[:db/add \"datomic.tx\" :n 1]").t;
                assert!(db.durable_t() >= t);
            })
        });
        while db.db().unwrap().basis() < before + 4 {
            let t = db.db().unwrap().basis();
            db.wait(t, Some(Duration::from_millis(50))).unwrap();
        }
        assert_eq!(db.durable_t(), before, "nobody can write it");
        holder.kill().unwrap();
        holder.wait().unwrap();
        let _ = waiting.map(|waiting| waiting.join().unwrap());
    });
    assert_eq!(db.durable_t(), before + 4);
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn replaying_the_log_twice_gives_the_same_content_and_the_same_chain() {
    let folder = tempfile::tempdir().unwrap();
    closed(folder.path());
    let of = |db: &Database| {
        let last = db.log().unwrap().last().unwrap().unwrap();
        (db.db().unwrap().content_hash().unwrap(), last.hash)
    };
    let first = of(&open(folder.path()));
    for _ in 0..2 {
        fs::remove_file(folder.path().join("region.eve")).unwrap();
        let db = open(folder.path());
        assert!(db.opening().rebuilt.is_some());
        assert_eq!(of(&db), first);
    }
    let db = open(folder.path());
    assert_eq!(db.db().unwrap().as_of(3).content_hash().unwrap(), first.0, "whatever the view");
    transact(&db, "[:db/add 9999 :n 1]");
    let stated = of(&db).0;
    assert_ne!(stated, first.0);
    transact(&db, "[:db/retract 9999 :n 1]");
    assert!(![stated, first.0].contains(&of(&db).0), "the past counts");
}

#[test]
fn threads_write_one_world_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let db = Database::open(folder.path(), Options::new()).unwrap();
    transact(&db, SCHEMA);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let db = &db;
            scope.spawn(move || {
                for number in 0..50 {
                    let t = transact(db, &format!("{{:name \"{thread} {number}\"}}")).t;
                    assert!(db.durable_t() >= t, "it was waited for");
                }
            });
        }
    });
    assert_eq!((db.db().unwrap().basis(), db.durable_t()), (201, 201));
    assert!(db.verify().unwrap().is_clean());
}

/// Lets a process work, kills it after it told of some transactions, and answers the last of them.
fn kill_at_work(folder: &Path, round: u64) -> u64 {
    let mut process = spawn("acknowledge", folder, round);
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut last = 0;
    // Killed at another place each time, while it works.
    for _ in 0..(round * 7 + 1) {
        last = told(&mut lines).expect("it goes on until it is killed");
    }
    process.kill().unwrap();
    process.wait().unwrap();
    while let Some(t) = told(&mut lines) {
        last = t;
    }
    last
}

#[test]
fn a_killed_process_loses_nothing_that_it_told_of() {
    const ROUNDS: u64 = 12;
    let folder = tempfile::tempdir().unwrap();
    transact(&open(folder.path()), SCHEMA);
    for round in 0..ROUNDS {
        let last = kill_at_work(folder.path(), round);
        let db = open(folder.path());
        assert!(db.db().unwrap().basis() >= last, "round {round}");
        assert!(db.opening().rebuilt.is_none(), "{:?}", db.opening());
        let found = db.verify().unwrap();
        assert!(found.is_clean(), "round {round}: {:?}", found.problems);
        assert_eq!(found.leaked_blocks, Some(0), "round {round}");
    }
}

#[test]
fn a_killed_process_loses_nothing_that_waited_for_the_disk_though_the_region_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    transact(&Database::open(folder.path(), Options::new()).unwrap(), SCHEMA);
    // In odd rounds the process waits for the disk.
    for round in [1, 3, 5, 7, 9, 11] {
        let last = kill_at_work(folder.path(), round);
        fs::remove_file(folder.path().join("region.eve")).unwrap();
        let db = open(folder.path());
        assert!(db.db().unwrap().basis() >= last, "round {round}");
        assert!(db.opening().lost.is_none(), "{:?}", db.opening());
        assert!(db.verify().unwrap().is_clean(), "round {round}");
    }
}

/// The next transaction that a process tells of.
fn told(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Option<u64> {
    lines.find_map(|line| {
        let line = line.unwrap();
        // The harness writes into the same pipe, once before the first line.
        let number = line.rsplit_once("t ").map(|(_, number)| number.parse());
        number.and_then(Result::ok)
    })
}

#[test]
fn a_living_process_sees_what_another_commits_and_sleeps_until_then() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (open(folder.path()), open(folder.path()));
    let seen = one.db().unwrap().basis();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| one.wait(seen, None).unwrap());
        let t = transact(&other, SCHEMA).t;
        assert_eq!(waiting.join().unwrap(), t);
    });
    assert!(one.db().unwrap().attribute_named(&"n".into()).is_some(), "the schema as well");
}

#[test]
fn a_region_that_is_lost_or_damaged_is_made_again() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 5] = [
        ("lost", |region| fs::remove_file(region).unwrap()),
        ("empty", |region| fs::write(region, "").unwrap()),
        ("something else", |region| fs::write(region, "x".repeat(1 << 20)).unwrap()),
        ("a flipped bit in the header", |region| flip(region, 32)),
        ("another layout", |region| flip(region, 8)),
    ];
    for (what, damage) in damages {
        let folder = tempfile::tempdir().unwrap();
        let before = closed(folder.path());
        damage(&folder.path().join("region.eve"));
        let progress = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = progress.clone();
        let options = Options::new().progress(move |at| seen.lock().unwrap().push(at));
        let db = Database::open(folder.path(), options).unwrap();
        assert!(db.opening().rebuilt.is_some(), "{what}: {:?}", db.opening());
        assert_eq!(
            db.opening().set_aside.is_some(),
            what != "lost",
            "{what}: the evidence is kept"
        );
        assert_eq!(facts(&db.db().unwrap().history()), before, "{what}");
        let last = *progress.lock().unwrap().last().unwrap();
        assert_eq!((last.done, last.total), (31, 31), "{what}");
        transact(&db, "{:name \"life goes on\"}");
        assert!(db.verify().unwrap().is_clean(), "{what}");
    }
}

#[test]
fn what_a_killed_writer_left_half_written_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let before = closed(folder.path());
    let last = segments(folder.path()).pop().unwrap();
    // Garbage beyond what was ever durable, with the region in order.
    OpenOptions::new().append(true).open(&last).unwrap().write_all(b"half a frame").unwrap();
    let db = Database::open(folder.path(), Options::new()).unwrap();
    assert_eq!(db.opening().torn.as_ref().unwrap().bytes, 12);
    assert_eq!(facts(&db.db().unwrap().history()), before);
    transact(&db, "{:name \"on\"}");
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn every_flipped_byte_of_the_log_is_found() {
    let folder = tempfile::tempdir().unwrap();
    closed(folder.path());
    let db = Database::open(folder.path(), Options::new()).unwrap();
    let segment = &segments(folder.path())[0];
    let length = fs::metadata(segment).unwrap().len();
    for at in (0..length).step_by(97) {
        flip(segment, at);
        assert!(!db.verify().unwrap().is_clean(), "byte {at}");
        flip(segment, at);
    }
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn a_region_of_another_history_is_put_aside() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let before = closed(one.path());
    let db = open(other.path());
    transact(&db, "{:db/ident :other :db/valueType :db.type/long}");
    drop(db);
    let region = |folder: &Path| folder.join("region.eve");
    fs::copy(region(other.path()), region(one.path())).unwrap();
    let db = open(one.path());
    assert!(db.opening().rebuilt.as_ref().is_some_and(|why| why.contains("another history")));
    assert_eq!(facts(&db.db().unwrap().history()), before);
}

#[test]
fn an_old_copy_of_the_region_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    closed(folder.path());
    let (region, copy) = (folder.path().join("region.eve"), folder.path().join("copy"));
    fs::copy(&region, &copy).unwrap();
    let db = open(folder.path());
    for number in 0..5 {
        transact(&db, &format!("{{:name \"later {number}\"}}"));
    }
    let before = facts(&db.db().unwrap().history());
    drop(db);
    fs::rename(&copy, &region).unwrap();
    let db = open(folder.path());
    assert_eq!((db.opening().replayed, &db.opening().rebuilt), (5, &None));
    assert_eq!(facts(&db.db().unwrap().history()), before);
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn worlds_are_made_only_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    let none = Database::open(&path, Options::new().create(Create::Never)).unwrap_err();
    assert!(matches!(none, Error::World(WorldError::Missing { .. })), "{none}");
    assert!(!path.exists(), "looking makes nothing");
    let db = Database::open(&path, Options::new().create(Create::New)).unwrap();
    assert!(db.opening().created && Database::exists(&path));
    let there = Database::open(&path, Options::new().create(Create::New)).unwrap_err();
    assert!(matches!(there, Error::World(WorldError::Exists { .. })), "{there}");
    let in_the_way = folder.path().join("file");
    fs::write(&in_the_way, "").unwrap();
    let error = Database::open(&in_the_way, Options::new()).unwrap_err();
    assert!(matches!(error, Error::World(WorldError::Io { .. })), "{error}");
}

#[test]
fn a_log_that_cannot_grow_says_so_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let db = Database::open(folder.path(), Options::new()).unwrap();
    transact(&db, SCHEMA);
    let before = db.db().unwrap().basis();
    // A folder stands where the next segment would: this one is full.
    drop(db);
    let small = || Options::new().segment_bytes_max(1);
    let db = Database::open(folder.path(), small()).unwrap();
    let next = folder.path().join("log").join(format!("{:020}.frames", before + 1));
    fs::create_dir(&next).unwrap();
    let error = db.transact(&common::data("{:name \"stuck\"}")).unwrap_err();
    fs::remove_dir(&next).unwrap();
    let Error::NotDurable { t, .. } = error else { panic!("{error}") };
    assert_eq!(t, before + 1, "it is committed all the same");
    assert_eq!(db.sync().unwrap(), t, "and on the disk as soon as there is room");
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn a_value_outlives_the_database_it_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    transact(&db, SCHEMA);
    let value = db.db().unwrap();
    let before = facts(&value);
    transact(&db, "{:name \"later\"}");
    drop(db);
    assert_eq!(facts(&value), before);
}

/// Sketches follow every commit, a change of the schema, and a rebuild.
#[test]
fn statistics_are_kept_by_commits_and_made_again_from_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    transact(
        &db,
        "{:db/ident :n :db/valueType :db.type/long}
         {:db/ident :tag :db/valueType :db.type/string :db/cardinality :db.cardinality/many}",
    );
    for number in 0..300 {
        let tags = if number % 3 == 0 { "[\"x\" \"y\"]" } else { "[]" };
        transact(&db, &format!("{{:db/id {} :n {} :tag {tags}}}", 5_000 + number, number % 5));
    }
    let found = |db: &Database, name: &str| {
        let db = db.db().unwrap();
        let statistics = db.statistics(db.attribute_named(&name.into()).unwrap().id).unwrap();
        (statistics.datoms, statistics.entities, statistics.values)
    };
    assert_eq!(found(&db, "n"), (300, 300, 5));
    let (datoms, entities, values) = found(&db, "tag");
    assert_eq!((datoms, values), (200, 2));
    assert!(entities.abs_diff(100) < 20, "{entities}");
    transact(&db, "[:db/add :n :db/cardinality :db.cardinality/many]");
    let (datoms, entities, values) = found(&db, "n");
    assert_eq!((datoms, values), (300, 5));
    assert!(entities.abs_diff(300) < 60, "{entities}");
    for number in 0..300 {
        transact(&db, &format!("[:db/retract {} :n]", 5_000 + number));
    }
    assert_eq!(found(&db, "n"), (0, 0, 0));
    assert_eq!(db.db().unwrap().statistics(1).unwrap(), daodb::AttributeStatistics::default());
    assert!(db.verify().unwrap().is_clean());
    drop(db);
    fs::remove_file(folder.path().join("region.eve")).unwrap();
    let db = open(folder.path());
    assert_eq!(found(&db, "tag").0, 200);
    assert!(db.verify().unwrap().is_clean());
}
