//! No writer starves: a transaction that takes long to work out gets its turn beside others that never pause.

mod common;

use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier};

use common::{SCHEMA, spawn, transact};
use daodb::{Database, Db, Durability, Options};
use datom::Value;

/// Facts of the long transaction, which takes hundreds of times as long as a short one.
const FACTS: i64 = 1_500;
/// How often it may be worked out. It loses twice, then goes first, and loses at most once more to each of the
/// others that had begun by then; the rest is for a machine that stands still. Without a turn it would be worked
/// out as long as the others go on.
const TRIES_MAX: u32 = 20;
const OTHERS: u64 = 3;

fn open(folder: &Path) -> Database {
    Database::open(folder, Options::new().durability(Durability::Process)).unwrap()
}

/// Not a test by itself: another process, which commits one fact after the other.
#[test]
fn role() {
    let Some((_, folder, number)) = common::role() else { return };
    let db = open(&folder);
    commit_until(&db, number, || db.folder().unwrap().join("enough").exists());
}

fn commit_until(db: &Database, writer: u64, is_enough: impl Fn() -> bool) {
    let mut number = 0;
    while !is_enough() {
        transact(db, &format!("{{:name \"writer {writer}\" :n {number}}}"));
        number += 1;
    }
}

/// Makes long transactions, and answers how often each was worked out.
fn commit_long_ones(db: &Database, count: u32) -> Vec<u32> {
    let tries = Arc::new(AtomicU32::new(0));
    let counter = tries.clone();
    db.register("long", move |_: &Db, _: &[Value]| {
        if counter.fetch_add(1, Ordering::Relaxed) >= TRIES_MAX {
            return Err("it starves".into());
        }
        let fact = |n: i64| {
            Value::map([
                (Value::keyword("name"), Value::text(&format!("long {n}"))),
                (Value::keyword("n"), Value::Int(n)),
            ])
        };
        Ok(Value::Vector((0..FACTS).map(fact).collect()))
    });
    (0..count)
        .map(|_| {
            tries.store(0, Ordering::Relaxed);
            transact(db, "[long]");
            tries.load(Ordering::Relaxed)
        })
        .collect()
}

#[test]
fn a_long_transaction_gets_its_turn_beside_processes_that_never_pause() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    transact(&db, SCHEMA);
    let others: Vec<Child> =
        (0..OTHERS).map(|number| spawn("commit", folder.path(), number)).collect();
    // All of them are there.
    let has = |n| {
        let name = common::value(&format!("[:name \"writer {n}\"]"));
        db.db().unwrap().entity_id(&name).unwrap().is_some()
    };
    while !(0..OTHERS).all(has) {
        let t = db.db().unwrap().basis();
        db.wait(t, None).unwrap();
    }
    let tries = commit_long_ones(&db, 3);
    assert!(tries.iter().any(|tries| *tries > 1), "nobody was in its way: {tries:?}");
    std::fs::write(folder.path().join("enough"), []).unwrap();
    for other in others {
        assert!(other.wait_with_output().unwrap().status.success());
    }
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn a_long_transaction_gets_its_turn_beside_threads_that_never_pause() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    transact(&db, SCHEMA);
    let (is_enough, all) = (AtomicBool::new(false), Barrier::new(OTHERS as usize + 2));
    std::thread::scope(|scope| {
        // Of handles of their own, and one that shares the handle.
        let handles: Vec<_> =
            (0..OTHERS).map(|_| open(folder.path())).chain([db.clone()]).collect();
        for (handle, number) in handles.into_iter().zip(0..) {
            let (is_enough, all) = (&is_enough, &all);
            scope.spawn(move || {
                all.wait();
                commit_until(&handle, number, || is_enough.load(Ordering::Relaxed));
            });
        }
        all.wait();
        let tries = std::panic::catch_unwind(|| commit_long_ones(&db, 3));
        is_enough.store(true, Ordering::Relaxed);
        let tries = tries.expect("each is made");
        assert!(tries.iter().any(|tries| *tries > 1), "nobody was in its way: {tries:?}");
    });
    assert!(db.verify().unwrap().is_clean());
}
