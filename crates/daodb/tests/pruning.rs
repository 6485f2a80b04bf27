//! Giving up history before a moment: what is refused, what stays exact, what comes back.

mod common;

use common::{data, facts, transact, value};
use daodb::{Create, Database, Db, Durability, Error, Index, Options};
use datom::{Value, Word};

const SCHEMA: &str = "
    {:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity}
    {:db/ident :sum  :db/valueType :db.type/long :db/index true}
    {:db/ident :tags :db/valueType :db.type/keyword :db/cardinality :db.cardinality/many}
    {:db/ident :next :db/valueType :db.type/ref}";

/// 60 transactions that state, change, withdraw and state again.
fn written(db: &Database) {
    transact(db, SCHEMA);
    for number in 0..59_i64 {
        let (who, sum) = (number % 7, number % 3);
        let tag = if number % 2 == 0 { "db/add" } else { "db/retract" };
        transact(
            db,
            &format!(
                "{{:db/id {e} :name \"name {who} {changes}\" :sum {sum} :next {other}}}
                 [:{tag} {e} :tags :t{which}]",
                e = 5_000 + who,
                changes = number / 20,
                other = 5_000 + (who * 3) % 7,
                which = number % 4,
            ),
        );
    }
}

fn open(folder: &std::path::Path) -> Database {
    let options = Options::new().durability(Durability::Process).segment_bytes_max(4_000);
    Database::open(folder, options).unwrap()
}

fn is_pruned<T>(answer: Result<T, Error>, moment: u64) -> bool {
    matches!(answer, Err(Error::Pruned { from }) if from == moment)
}

/// Every order, forwards and backwards.
fn all(db: &Db) -> Vec<Vec<common::Fact>> {
    let read = |index| common::values(db, db.datoms(index, &[]).unwrap());
    let back = |index| common::values(db, db.rseek_datoms(index, &[]).unwrap());
    Index::ALL.into_iter().flat_map(|index| [read(index), back(index)]).collect()
}

#[test]
fn what_is_left_is_exact_and_what_is_not_is_refused() {
    let (whole, db) = (Database::memory().unwrap(), Database::memory().unwrap());
    written(&whole);
    for frame in whole.log().unwrap().map(|transaction| transaction.unwrap().t) {
        use daodb::parts::Storage;
        let frame = Storage::frames(&whole, frame, frame).unwrap().next().unwrap().unwrap();
        Storage::publish(&db, &frame).unwrap();
    }
    let held = db.db().unwrap();
    let mut last = held.count(Index::Eavt, &[]).unwrap() as usize + 10_000;
    for moment in [1, 13, 14, 40, 60] {
        let pruned = db.prune(moment).unwrap();
        assert_eq!(pruned.from, moment);
        assert!(db.verify().unwrap().is_clean(), "{:?}", db.verify().unwrap().problems);
        let (now, full) = (db.db().unwrap(), whole.db().unwrap());
        assert_eq!((now.history_from(), now.basis()), (moment, 60));
        assert_eq!(all(&now), all(&full));
        for t in moment..=60 {
            assert_eq!(all(&now.as_of(t)), all(&full.as_of(t)), "as of {t} from {moment}");
            let since = |db: &Db| all(&db.since(t).history());
            assert_eq!(since(&now), since(&full), "since {t} from {moment}");
            assert_eq!(facts(&db.at(t).unwrap()), facts(&whole.at(t).unwrap()), "at {t}");
        }
        for t in 0..moment {
            for index in Index::ALL {
                let then = now.as_of(t);
                assert!(is_pruned(
                    then.datoms(index, &[]).unwrap().collect::<Result<Vec<_>, _>>(),
                    moment
                ));
                let back = then.rseek_datoms(index, &[]).unwrap().next().unwrap();
                assert!(is_pruned(back, moment), "{index:?} as of {t}");
            }
        }
        let left: u64 = db.stats().unwrap().history.iter().sum();
        assert!((left as usize) < last, "{left} at {moment}");
        last = left as usize + usize::from(moment == 1);
    }
    assert_eq!(all(&held.history()), all(&whole.db().unwrap().history()), "who read it keeps it");
    assert_eq!(
        db.prune(20).unwrap().from,
        60,
        "what is gone does not come back by asking for less"
    );
}

#[test]
fn every_way_to_read_says_which_moment_is_held() {
    let db = Database::memory().unwrap();
    written(&db);
    db.prune(30).unwrap();
    let now = db.db().unwrap();
    let then = now.as_of(29);
    let e = Value::Int(5_000);
    let said = |error: String| {
        assert!(error.contains("history before transaction 30 was given up"), "{error}");
    };
    let names = "[:find ?n :where [_ :name ?n]]";
    said(then.q(names, &[]).unwrap_err().to_string());
    said(now.history().q(names, &[]).unwrap_err().to_string());
    said(then.pull(&value("[*]"), &e).unwrap_err().to_string());
    let entity = then.entity(&e).and_then(|found| found.map_or(Ok(None), |e| e.get("sum")));
    said(entity.unwrap_err().to_string());
    let sum = now.attribute_named(&"sum".into()).unwrap().id;
    let (from, to) = (Value::Int(0), Value::Int(9));
    assert!(is_pruned(then.index_range(sum, Some(&from), Some(&to)), 30));
    assert!(is_pruned(now.blame(5_000, None), 30));
    assert!(now.since(30).blame(5_000, None).is_ok());
    assert!(is_pruned(now.content_hash(), 30));
    assert!(is_pruned(now.diff(&then), 30));
    assert!(is_pruned(db.at(29), 30));
    assert!(is_pruned(db.fork("early", Some(29)), 30));
    let seek = now.history();
    assert!(is_pruned(
        seek.seek_datoms(Index::Eavt, &[Word::entity(5_000)]).unwrap().next().unwrap(),
        30
    ));
    // What does not need the indexes of the past is there.
    assert_eq!(db.log().unwrap().count(), 60);
    assert_eq!(then.instant_of(5).unwrap(), db.log().unwrap().nth(4).unwrap().unwrap().instant);
    assert!(!db.diff(3, 20).unwrap().added.is_empty());
}

#[test]
fn the_moment_stays_and_a_rebuild_brings_everything_back() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    written(&db);
    let (hash, before) =
        (db.db().unwrap().content_hash().unwrap(), facts(&db.db().unwrap().history()));
    let full = db.stats().unwrap();
    let pruned = db.prune(50).unwrap();
    let left = db.stats().unwrap();
    assert_eq!(full.history[0] - left.history[0], pruned.datoms);
    assert_eq!((left.history_from, full.history_from), (50, 0));
    drop(db);
    let db = open(folder.path());
    assert_eq!(db.opening().rebuilt, None);
    assert_eq!(db.db().unwrap().history_from(), 50);
    let again = Database::open(folder.path(), Options::new().rebuild(true));
    assert!(again.is_err(), "others have it open");
    transact(&db, "{:name \"later\"}");
    drop(db);
    let options = Options::new().create(Create::Never).rebuild(true);
    let db = Database::open(folder.path(), options).unwrap();
    assert_eq!((db.opening().rebuilt.is_some(), db.opening().replayed), (true, 61));
    let now = db.db().unwrap();
    assert_eq!(now.history_from(), 0);
    assert_eq!(facts(&now.as_of(60).history()), before);
    assert_ne!(now.content_hash().unwrap(), hash, "something was said since");
    assert!(db.verify().unwrap().is_clean());
    let files = std::fs::read_dir(folder.path()).unwrap();
    let regions = files
        .filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with("region"));
    assert_eq!(regions.count(), 1, "no second region takes room");
}

#[test]
fn history_goes_while_others_write() {
    let db = Database::memory().unwrap();
    written(&db);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|who| {
                let db = db.clone();
                scope.spawn(move || {
                    for number in 0..60 {
                        transact(&db, &format!("{{:db/id {} :sum {number}}}", 6_000 + who));
                    }
                })
            })
            .collect();
        while writers.iter().any(|writer| !writer.is_finished()) {
            db.prune(db.db().unwrap().basis()).unwrap();
        }
    });
    let now = db.db().unwrap();
    assert_eq!(now.basis(), 180);
    assert_eq!(now.q("[:find ?s . :where [6000 :sum ?s]]", &[]).unwrap(), Value::Int(59));
    let found = db.verify().unwrap();
    assert!(found.is_clean(), "{:?}", found.problems);
}

#[test]
fn a_fork_keeps_the_history_that_it_stands_on() {
    let db = Database::memory().unwrap();
    written(&db);
    let fork = db.fork("work", Some(20)).unwrap();
    fork.transact(&data("{:db/id 5001 :sum 77} {:name \"of the fork\"}")).unwrap();
    assert_eq!(db.prune(50).unwrap().from, 20);
    let again = db.open_fork("work").unwrap().unwrap();
    assert_eq!(facts(&again.db().unwrap()), facts(&fork.db().unwrap()));
    again.merge(&daodb::theirs).unwrap().unwrap();
    assert_eq!(
        db.db().unwrap().q("[:find ?s . :where [5001 :sum ?s]]", &[]).unwrap(),
        Value::Int(77)
    );
    assert!(db.verify().unwrap().is_clean());
    again.retract().unwrap();
    assert_eq!(db.prune(50).unwrap().from, 50);
}

#[test]
fn a_subscriber_of_what_is_gone_is_told_so() {
    let db = Database::memory().unwrap();
    written(&db);
    db.prune(30).unwrap();
    let query = daodb::Query::parse("[:find ?e ?s :where [?e :sum ?s]]").unwrap();
    let early = db.subscribe_from(10, &query, &[]).and_then(|mut early| early.next(None));
    assert!(early.unwrap_err().to_string().contains("transaction 30"));
    let mut late = db.subscribe_from(30, &query, &[]).unwrap();
    assert!(late.next(None).unwrap().unwrap().t > 30);
}
