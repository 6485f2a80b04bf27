//! The n-th write or sync fails, for n = 0, 1, 2, … until none is left, once or from then on.

use std::path::Path;

use crate::log::fault::{Plan, plan};
use crate::{Database, Error, LogError, Options};

/// Transactions of one run: they fill more than one small segment.
const TRANSACTIONS: u64 = 5;

fn open(folder: &Path) -> Database {
    // Sealing is another thread's work, and not what fails here.
    Database::open(folder, Options::new().segment_bytes_max(700).seals(false)).unwrap()
}

fn transact(db: &Database, number: u64) -> Result<u64, Error> {
    let text = format!("{{:db/ident :attribute/number-{number} :db/valueType :db.type/long}}");
    db.transact(&datom::edn::read_all(&text).unwrap()).map(|report| report.t)
}

/// Makes transactions while the disk fails as planned. Answers the last `t` that was told of, and
/// whether anything failed.
fn work(db: &Database, left: u32, sticks: bool) -> (u64, bool) {
    let (mut told, mut failed) = (0, false);
    plan(Plan::After { left, sticks });
    for number in 0..TRANSACTIONS {
        match transact(db, number) {
            Ok(t) => told = t,
            Err(Error::NotDurable { t, .. }) => {
                failed = true;
                assert!(t > told);
            }
            // The handle knows nothing of the disk any more, and says so before it does anything.
            Err(Error::Log(LogError::Poisoned { why })) => {
                assert!(failed, "it refuses without a reason");
                assert!(why.contains("log"), "{why}");
                let again = transact(db, 1_000).unwrap_err().to_string();
                assert!(again.contains("open it again"), "{again}");
            }
            Err(other) => {
                failed = true;
                let known = matches!(other, Error::Log(_) | Error::World(_));
                assert!(known, "{other}");
            }
        }
    }
    (told, failed || plan(Plan::Sound) == (Plan::Failed { sticks }))
}

#[test]
fn after_every_failing_write_or_sync_what_was_told_of_is_there() {
    for sticks in [false, true] {
        for loses_region in [false, true] {
            let mut left = 0;
            loop {
                let folder = tempfile::tempdir().unwrap();
                let db = open(folder.path());
                let (told, failed) = work(&db, left, sticks);
                // Leaving drains, which a disk that stays broken lets nobody do.
                drop(db);
                plan(Plan::Sound);
                if loses_region {
                    std::fs::remove_file(folder.path().join("region.eve")).unwrap();
                }
                let db = open(folder.path());
                let now = db.db().unwrap().basis();
                assert!(now >= told, "{told} was told of, {now} is there ({left}, {sticks})");
                assert_eq!(transact(&db, 2_000).unwrap(), now + 1);
                assert_eq!(db.verify().unwrap().problems, Vec::<String>::new());
                if !failed {
                    break;
                }
                left += 1;
            }
            assert!(left > 2 * TRANSACTIONS as u32, "few writes can fail: {left}");
        }
    }
}

#[test]
fn after_a_failed_sync_the_handle_refuses_and_opening_again_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    transact(&db, 0).unwrap();
    // The next write succeeds, its sync does not.
    plan(Plan::After { left: 1, sticks: false });
    let error = transact(&db, 1).unwrap_err();
    assert!(matches!(error, Error::NotDurable { t: 2, .. }), "{error}");
    assert_eq!(plan(Plan::Sound), Plan::Failed { sticks: false });
    let refused = transact(&db, 2).unwrap_err();
    assert!(matches!(refused, Error::Log(LogError::Poisoned { .. })), "{refused}");
    assert_eq!(db.db().unwrap().basis(), 2, "what was refused has done nothing");
    assert!(db.sync().is_err());
    drop(db);
    let db = open(folder.path());
    assert_eq!(transact(&db, 2).unwrap(), 3);
    assert!(db.verify().unwrap().is_clean());
}
