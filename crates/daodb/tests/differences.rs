//! What two states differ in.

mod common;

use std::collections::BTreeSet;

use common::{data, transact};
use daodb::{Database, Db, Diff, Index};
use datom::{Value, id};

const SCHEMA: &str = "
    {:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity}
    {:db/ident :sum  :db/valueType :db.type/long :db/index true}";

type Facts = BTreeSet<(u64, u64, Value)>;

fn facts(db: &Db) -> Facts {
    let all = db.datoms(Index::Eavt, &[]).unwrap().map(Result::unwrap);
    all.map(|datom| (datom.e, datom.a, db.value(datom.v).unwrap())).collect()
}

fn sides(diff: &Diff, before: &Db, after: &Db) -> (Facts, Facts) {
    let side = |db: &Db, datoms: &[datom::Datom]| {
        datoms.iter().map(|datom| (datom.e, datom.a, db.value(datom.v).unwrap())).collect()
    };
    (side(before, &diff.removed), side(after, &diff.added))
}

/// By the definition.
fn check(before: &Db, after: &Db) {
    let diff = before.diff(after).unwrap();
    let (here, there) = (facts(before), facts(after));
    let expected = (&here - &there, &there - &here);
    assert_eq!(sides(&diff, before, after), expected);
    assert_eq!(diff.removed.len() + diff.added.len(), expected.0.len() + expected.1.len());
}

fn states() -> (Database, Vec<Db>) {
    let db = Database::memory().unwrap();
    transact(&db, SCHEMA);
    let mut states = vec![db.db().unwrap()];
    let many: String = (0..300).map(|n| format!("{{:name \"name {n}\" :sum {n}}}")).collect();
    for step in [
        many.as_str(),
        "[:db/add [:name \"name 7\"] :sum 70] {:name \"a new name on the heap\"}",
        "[:db/retractEntity [:name \"name 100\"]]",
        "[:db/add [:name \"name 7\"] :sum 7]",
        "{:db/ident :late :db/valueType :db.type/string} [:db/retract [:name \"name 8\"] :sum 8]",
        "{:name \"name 8\" :sum 8}",
    ] {
        states.push(transact(&db, step).db_after().unwrap());
    }
    (db, states)
}

#[test]
fn states_of_a_world_differ_in_what_was_said_between() {
    let (db, states) = states();
    for before in &states {
        for after in &states {
            check(before, after);
            let said = db.diff(before.basis(), after.basis()).unwrap();
            let found = before.diff(after).unwrap();
            assert_eq!(sides(&found, before, after), sides(&said, before, after));
        }
    }
    // Stated again, it is the same fact.
    let restated = states[4].diff(&states[6]).unwrap();
    assert!(restated.removed.is_empty());
    assert!(restated.added.iter().all(|fact| fact.e >= id::TX_BASE || fact.a < 4096));
}

#[test]
fn speculated_past_and_foreign_states_differ_as_well() {
    let (db, states) = states();
    let (first, now) = (&states[1], states.last().unwrap());
    let one = now.with(&data("{:name \"thought of\" :sum 1}")).unwrap().db_after().unwrap();
    let two = now
        .with(&data("{:name \"thought otherwise, and longer\" :sum 2}"))
        .unwrap()
        .db_after()
        .unwrap();
    let three =
        two.with(&data("[:db/retractEntity [:name \"name 3\"]]")).unwrap().db_after().unwrap();
    let past = db.at(2).unwrap();
    let (other_db, other) = self::states();
    let others = [&other[3], &other_db.at(3).unwrap()];
    let all = [first, now, &one, &two, &three, &past, others[0], others[1]];
    for before in all {
        for after in all {
            check(before, after);
        }
    }
    // Views are states as well.
    check(&now.as_of(2), now);
    check(&now.as_of(2), &now.as_of(4));
    check(&now.filter(|_, fact| fact.e % 2 == 0), now);
    assert_eq!(now.history().diff(&now.history()).unwrap(), Diff::default());
    let history = now.as_of(3).history().diff(&now.as_of(4).history()).unwrap();
    assert_eq!((history.removed.len(), history.added.len()), (0, 1 + 2));
}
