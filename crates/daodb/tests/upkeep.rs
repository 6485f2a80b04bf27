//! Sealed and cold segments, backups, and what the world says of itself.

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use common::{SCHEMA, closed, facts, flip, segments, transact};
use daodb::{Database, Durability, Error, LogError, Options, WorldError};

/// Small segments, which are sealed when the test says so.
fn options() -> Options {
    Options::new().segment_bytes_max(2_000).seals(false)
}

fn open(folder: &Path) -> Database {
    Database::open(folder, options()).unwrap()
}

fn named(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        names.filter(|path| path.extension().is_some_and(|e| e == suffix)).collect();
    found.sort();
    found
}

fn sealed(folder: &Path) -> Vec<PathBuf> {
    named(&folder.join("log"), "sealed")
}

fn lose_region(folder: &Path) {
    fs::remove_file(folder.join("region.eve")).unwrap();
}

#[test]
fn a_sealed_log_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let before = closed(folder.path());
    let count = segments(folder.path()).len();
    assert!(count > 3);
    let db = open(folder.path());
    let log: Vec<_> = db.log().unwrap().map(Result::unwrap).collect();
    assert!(db.seal().unwrap() > 0);
    assert_eq!(db.seal().unwrap(), 0, "once is enough");
    assert_eq!((sealed(folder.path()).len(), segments(folder.path()).len()), (count - 1, 1));
    assert_eq!(db.log().unwrap().map(Result::unwrap).collect::<Vec<_>>(), log);
    let some: Vec<u64> = db.tx_range(5, 20).unwrap().map(|tx| tx.unwrap().t).collect();
    assert_eq!(some, (5..20).collect::<Vec<_>>());
    assert!(db.verify().unwrap().is_clean());
    transact(&db, "{:name \"after sealing\"}");
    drop(db);
    lose_region(folder.path());
    let db = open(folder.path());
    let now = facts(&db.db().unwrap().history());
    assert!(now.is_superset(&before) && now.len() == before.len() + 2);
    assert!(db.verify().unwrap().is_clean());
}

/// A mark that stands in a segment which was sealed meanwhile is followed all the same.
#[test]
fn a_living_process_goes_on_behind_what_another_sealed() {
    let folder = tempfile::tempdir().unwrap();
    closed(folder.path());
    let (one, other) = (open(folder.path()), open(folder.path()));
    for number in 0..20 {
        transact(&one, &format!("{{:name \"from the one, long enough to fill it {number}\"}}"));
        other.seal().unwrap();
        transact(&other, &format!("{{:name \"from the other, long enough to fill it {number}\"}}"));
        one.seal().unwrap();
    }
    assert!(one.verify().unwrap().is_clean());
    assert!(sealed(folder.path()).len() > 5);
}

#[test]
fn full_segments_are_sealed_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let db = Database::open(folder.path(), options().seals(true)).unwrap();
    transact(&db, common::SCHEMA);
    let mut number = 0;
    while sealed(folder.path()).is_empty() {
        number += 1;
        transact(&db, &format!("{{:name \"a name that is long enough {number}\"}}"));
        assert!(number < 100_000, "nothing was ever sealed");
    }
    assert!(db.verify().unwrap().is_clean());
}

/// As a power cut leaves it: both are there, and the plain one counts.
#[test]
fn a_segment_that_is_there_twice_is_sealed_again() {
    let folder = tempfile::tempdir().unwrap();
    let before = closed(folder.path());
    let first = segments(folder.path()).remove(0);
    let plain = fs::read(&first).unwrap();
    let db = open(folder.path());
    db.seal().unwrap();
    fs::write(&first, plain).unwrap();
    fs::write(folder.path().join("log/sealing-1"), "half").unwrap();
    assert_eq!(facts(&db.db().unwrap().history()), before);
    assert!(db.verify().unwrap().is_clean());
    assert_eq!(db.seal().unwrap(), 1);
    assert!(!first.exists() && db.verify().unwrap().is_clean());
}

#[test]
fn a_damaged_sealed_segment_is_refused_or_given_up_with_all_behind_it() {
    for place in [3, 60, 300] {
        let folder = tempfile::tempdir().unwrap();
        closed(folder.path());
        open(folder.path()).seal().unwrap();
        let count = sealed(folder.path()).len();
        flip(&sealed(folder.path())[1], place);
        lose_region(folder.path());
        let error = Database::open(folder.path(), options()).unwrap_err();
        let Error::Log(LogError::Damaged { path, good_through, .. }) = &error else {
            panic!("{error}")
        };
        assert_eq!(*path, sealed(folder.path())[1], "byte {place}");
        let (good_through, text) = (*good_through, error.to_string());
        assert!(text.contains("damaged") && text.contains("accept_loss"), "{text}");
        assert_eq!(sealed(folder.path()).len(), count, "nothing was changed");

        let db = Database::open(folder.path(), options().accept_loss(true)).unwrap();
        let lost = db.opening().lost.clone().expect("a loss");
        assert_eq!((lost.good_through, db.db().unwrap().basis()), (good_through, good_through));
        assert_eq!(lost.kept.len(), count, "all but the first, and the last that was plain");
        assert!(lost.kept.iter().all(|kept| kept.exists()));
        transact(&db, "{:name \"goes on\"}");
        drop(db);
        lose_region(folder.path());
        let db = open(folder.path());
        assert_eq!(db.db().unwrap().basis(), good_through + 1);
        assert!(db.verify().unwrap().is_clean(), "byte {place}");
    }
}

#[test]
fn a_log_whose_last_segment_is_sealed_goes_on_in_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    closed(folder.path());
    open(folder.path()).seal().unwrap();
    let last = segments(folder.path()).remove(0);
    fs::remove_file(last).unwrap();
    lose_region(folder.path());
    assert!(Database::open(folder.path(), options()).is_err());
    let db = Database::open(folder.path(), options().accept_loss(true)).unwrap();
    transact(&db, "{:name \"goes on\"}");
    assert_eq!(segments(folder.path()).len(), 1);
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn cold_segments_are_read_where_they_are() {
    let (folder, cold) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let before = closed(folder.path());
    let db = open(folder.path());
    let all = segments(folder.path()).len() as u64 - 1;
    assert_eq!(db.freeze(cold.path(), 0).unwrap(), 0, "everything is after that");
    let some = db.freeze(cold.path(), 10).unwrap();
    assert!(some > 0 && some < all);
    assert_eq!(db.freeze(cold.path(), u64::MAX).unwrap(), all - some);
    assert_eq!((sealed(folder.path()).len(), segments(folder.path()).len()), (0, 1));
    let stats = db.stats().unwrap();
    assert_eq!((stats.cold.segments, stats.plain.segments), (all, 1));
    assert_eq!(stats.cold_folder, Some(cold.path().canonicalize().unwrap()));
    for path in named(cold.path(), "segment") {
        let hash = blake3::hash(&fs::read(&path).unwrap()).to_hex();
        assert_eq!(path.file_stem().unwrap().to_str().unwrap(), hash.as_str());
    }
    assert!(db.verify().unwrap().is_clean());
    drop(db);
    lose_region(folder.path());
    let db = open(folder.path());
    assert_eq!(facts(&db.db().unwrap().history()), before);

    let elsewhere = tempfile::tempdir().unwrap();
    let error = db.freeze(elsewhere.path(), u64::MAX).unwrap_err().to_string();
    assert!(error.contains("are in"), "{error}");
    let other = tempfile::tempdir().unwrap();
    closed(other.path());
    let error = open(other.path()).freeze(cold.path(), u64::MAX).unwrap_err().to_string();
    assert!(error.contains("another log"), "{error}");
}

#[test]
fn a_cold_segment_that_is_damaged_or_gone_is_named() {
    for damage in [false, true] {
        let (folder, cold) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        closed(folder.path());
        open(folder.path()).freeze(cold.path(), u64::MAX).unwrap();
        lose_region(folder.path());
        let victim = named(cold.path(), "segment").remove(0);
        match damage {
            true => flip(&victim, 100),
            false => fs::remove_file(&victim).unwrap(),
        }
        let error = Database::open(folder.path(), options()).unwrap_err().to_string();
        assert!(error.contains(victim.to_str().unwrap()), "{error}");
        assert!(damage || error.contains("copy the file back"), "{error}");
        if damage {
            let db = Database::open(folder.path(), options().accept_loss(true)).unwrap();
            transact(&db, "{:db/ident :goes/on}");
            assert!(db.verify().unwrap().is_clean() && victim.exists());
        }
    }
}

/// The disk of the cold folder may be unmounted: what is there is missed by whoever needs it, and by
/// nobody else.
#[test]
fn while_its_cold_folder_is_away_a_world_goes_on() {
    for is_mount_point in [false, true] {
        let (folder, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let before = closed(folder.path());
        let (cold, away) = (disk.path().join("cold"), disk.path().join("away"));
        let db = open(folder.path());
        assert!(db.freeze(&cold, u64::MAX).unwrap() > 1);
        fs::rename(&cold, &away).unwrap();
        if is_mount_point {
            fs::create_dir(&cold).unwrap();
        }
        transact(&db, "{:name \"who had it open\"}");
        drop(db);
        let db = open(folder.path());
        let now = db.db().unwrap();
        assert_eq!(facts(&now.as_of(now.basis() - 1).history()), before);
        for number in 0..200 {
            transact(&db, &format!("{{:name \"a name that fills segments {number}\"}}"));
        }
        db.seal().unwrap();
        let last = db.db().unwrap().basis();
        assert_eq!(db.tx_range(last - 50, last).unwrap().map(Result::unwrap).count(), 50);
        let gone = |error: Error| matches!(error, Error::Log(LogError::File(WorldError::ColdFolderGone { path })) if path.ends_with("cold"));
        assert!(gone(db.log().unwrap().find_map(Result::err).unwrap()));
        drop(db);

        // A torn tail is cut; a lost region waits for the disk.
        let tail = segments(folder.path()).pop().unwrap();
        fs::OpenOptions::new().append(true).open(&tail).unwrap().write_all(b"torn").unwrap();
        let db = open(folder.path());
        assert_eq!((db.opening().rebuilt.clone(), db.db().unwrap().basis()), (None, last));
        let all = facts(&db.db().unwrap().history());
        drop(db);
        lose_region(folder.path());
        assert!(gone(Database::open(folder.path(), options()).unwrap_err()));
        assert!(gone(Database::open(folder.path(), options().accept_loss(true)).unwrap_err()));
        if is_mount_point {
            fs::remove_dir(&cold).unwrap();
        }
        fs::rename(&away, &cold).unwrap();
        let db = open(folder.path());
        assert_eq!(facts(&db.db().unwrap().history()), all);
        assert!(db.verify().unwrap().is_clean());
    }
}

#[test]
fn a_backup_has_what_was_committed_and_is_continued() {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    closed(folder.path());
    let db = open(folder.path());
    let first = db.backup(copy.path(), None).unwrap();
    assert_eq!((first.t, first.copied), (31, first.segments));
    let again = db.backup(copy.path(), None).unwrap();
    assert_eq!((again.t, again.copied), (31, 0));
    for number in 0..30 {
        transact(&db, &format!("{{:name \"and another name that is long {number}\"}}"));
    }
    db.seal().unwrap();
    let second = db.backup(copy.path(), None).unwrap();
    assert_eq!(second.t, 61);
    let third = db.backup(copy.path(), None).unwrap();
    assert_eq!((third.t, third.copied), (61, 0));
    let all = facts(&db.db().unwrap().history());
    let hash = db.db().unwrap();

    let target = tempfile::tempdir().unwrap();
    let restored = Database::restore(copy.path(), target.path(), options()).unwrap();
    assert_eq!(facts(&restored.db().unwrap().history()), all);
    assert_eq!(restored.db().unwrap().basis(), hash.basis());
    assert!(restored.verify().unwrap().is_clean());
    transact(&restored, "{:name \"its own way\"}");
    transact(&db, "{:name \"another way\"}");
    let error = restored.backup(copy.path(), None).map(|backup| backup.t);
    assert_eq!(error.unwrap(), 62, "it goes on where the backup ends");
    let error = db.backup(copy.path(), None).unwrap_err().to_string();
    assert!(error.contains("another history"), "{error}");
    let error = Database::restore(copy.path(), target.path(), options()).unwrap_err();
    assert!(matches!(error, Error::World(WorldError::Exists { .. })), "{error}");
    let error = Database::restore(target.path().join("none"), copy.path().join("x"), options());
    assert!(matches!(error.unwrap_err(), Error::World(WorldError::Missing { .. })));
}

#[test]
fn a_backup_is_whole_while_others_write_seal_and_freeze() {
    let (folder, cold) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let db = Database::open(folder.path(), options().durability(Durability::Process)).unwrap();
    transact(&db, common::SCHEMA);
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let db = &db;
            scope.spawn(move || {
                for number in 0..300 {
                    transact(db, &format!("{{:name \"writer {writer} number {number}\"}}"));
                }
            });
        }
        let (db, cold) = (&db, cold.path());
        scope.spawn(move || {
            for last_t in 0..40 {
                db.freeze(cold, last_t * 10).unwrap();
            }
        });
        for _ in 0..5 {
            let (copy, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let backup = db.backup(copy.path(), None).unwrap();
            let restored = Database::restore(copy.path(), target.path(), options()).unwrap();
            assert_eq!(restored.db().unwrap().basis(), backup.t);
            assert!(restored.verify().unwrap().is_clean());
            let now = db.db().unwrap().as_of(backup.t);
            assert_eq!(facts(&restored.db().unwrap()), facts(&now));
        }
    });
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn a_world_says_what_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    closed(folder.path());
    let db = open(folder.path());
    let stats = db.stats().unwrap();
    assert_eq!((stats.t, stats.durable_t, stats.lag()), (31, 31, 0));
    assert_eq!(stats.current[0], db.verify().unwrap().current);
    assert_eq!(stats.plain.segments, segments(folder.path()).len() as u64);
    let bytes: u64 =
        segments(folder.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert_eq!(stats.plain.bytes, bytes);
    assert!(stats.block_bytes > 0 && stats.block_bytes <= stats.region_disk_bytes);
    assert_eq!(stats.attached.len(), 1);
    assert_eq!(stats.attached[0].0, std::process::id());
    let memory = Database::memory().unwrap().stats().unwrap();
    assert_eq!((memory.t, memory.plain.segments, memory.region_bytes), (0, 0, 0));
}

/// What a large transaction said is in the log and the indexes. Its frame does not stay in the region,
/// too, once the disk has it: nobody has to make another transaction for that.
#[test]
fn the_frame_of_a_large_transaction_goes_when_the_disk_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let db = Database::open(folder.path(), Options::new()).unwrap();
    transact(&db, SCHEMA);
    let before = db.stats().unwrap().block_bytes;
    let data: String = (0..30_000).map(|n| format!("{{:n {n}}}")).collect();
    transact(&db, &data);
    db.seal().unwrap();
    let (t, frame) = (2, 30_000 * 40);
    let after = db.stats().unwrap().block_bytes;
    assert!(after < before + frame, "{before} {after}, of which the frame would be {frame}");
    assert_eq!((db.db().unwrap().basis(), db.durable_t()), (t, t), "no transaction was made");
    assert_eq!(db.log().unwrap().map(|tx| tx.unwrap().t).collect::<Vec<_>>(), [1, 2]);
    assert!(db.verify().unwrap().is_clean());
    drop(db);
    let db = open(folder.path());
    assert_eq!(db.opening().rebuilt, None);
    transact(&db, "{:n 1}");
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn frames_of_large_transactions_do_not_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let db = Database::open(folder.path(), Options::new().durability(Durability::Process)).unwrap();
    transact(&db, SCHEMA);
    let mut blocks = Vec::new();
    for step in 0..10 {
        let data: String = (0..27_000).map(|n| format!("{{:n {}}}", step * 27_000 + n)).collect();
        transact(&db, &data);
        db.seal().unwrap();
        blocks.push(db.stats().unwrap().block_bytes);
    }
    // The thread in the background may still see one or two; eight would be there if they added up.
    let frame = 27_000 * 40;
    assert!(blocks[9] < blocks[1] + 4 * frame, "{blocks:?} in steps of {frame} of frames");
    assert_eq!(db.verify().unwrap().problems, Vec::<String>::new());
}

/// What cannot be looked at is named, and what to do about it.
#[test]
fn a_world_without_its_cold_segments_says_which_it_lacks() {
    let (folder, cold) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    closed(folder.path());
    let db = open(folder.path());
    db.freeze(cold.path(), u64::MAX).unwrap();
    let victim = named(cold.path(), "segment").remove(0);
    fs::remove_file(&victim).unwrap();
    let error = db.stats().unwrap_err();
    assert!(
        matches!(&error, Error::World(WorldError::ColdGone { path, .. }) if path.ends_with(victim.file_name().unwrap())),
        "{error}"
    );
    let home = cold.path().canonicalize().unwrap();
    drop(cold);
    let error = db.stats().unwrap_err();
    assert!(
        matches!(&error, Error::World(WorldError::ColdFolderGone { path }) if *path == home),
        "{error}"
    );
    assert!(error.to_string().contains("mount the disk"), "{error}");
}

/// Of the last segment, which grows, only what it gained is copied, behind a copy that is the same; a
/// copy that is not is made anew.
#[test]
fn a_backup_is_continued_within_a_segment() {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let db = Database::open(folder.path(), options().segment_bytes_max(1 << 20)).unwrap();
    transact(&db, SCHEMA);
    let first = db.backup(copy.path(), None).unwrap();
    transact(&db, "{:name \"one\"}");
    let second = db.backup(copy.path(), None).unwrap();
    assert_eq!((first.copied, second.copied), (1, 1));
    let segment = segments(copy.path()).remove(0);
    let size = || fs::metadata(&segment).unwrap().len();
    assert_eq!(first.bytes + second.bytes, size());
    assert!(second.bytes < first.bytes);

    // Whoever was killed within leaves the beginning of what comes next, or not even that.
    for (damage, name) in [("", "two"), ("garbage", "three")] {
        transact(&db, &format!("{{:name {name:?}}}"));
        let before = size();
        let whole = fs::read(segments(folder.path()).remove(0)).unwrap();
        let next = &whole[before as usize..before as usize + 20];
        let left: &[u8] = if damage.is_empty() { next } else { damage.as_bytes() };
        fs::write(&segment, [&fs::read(&segment).unwrap()[..], left].concat()).unwrap();
        let third = db.backup(copy.path(), None).unwrap();
        let expected = if damage.is_empty() { size() - before - 20 } else { size() };
        assert_eq!(third.bytes, expected, "{name}");
    }
    transact(&db, "{:name \"four\"}");
    flip(&segment, 100);
    assert_eq!(db.backup(copy.path(), None).unwrap().bytes, size());
    let target = tempfile::tempdir().unwrap();
    let restored = Database::restore(copy.path(), target.path(), options()).unwrap();
    assert_eq!(facts(&restored.db().unwrap()), facts(&db.db().unwrap()));
    assert!(restored.verify().unwrap().is_clean());
}
