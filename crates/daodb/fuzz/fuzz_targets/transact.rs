//! Transaction data from EDN text: refused or done, never a crash; what is refused has done nothing,
//! and what is done can be verified.
//!
//! Text up to a NUL is one transaction, the rest the next. The first byte says whether they are only
//! thought of, which is quick, or made.

#![no_main]

use std::sync::OnceLock;

use daodb::{Database, Db, Index};
use datom::edn;
use libfuzzer_sys::fuzz_target;

const WORLD: [&str; 2] = [
    "{:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity}
     {:db/ident :n :db/valueType :db.type/long :db/index true}
     {:db/ident :big :db/valueType :db.type/bigint}
     {:db/ident :any :db/valueType :db.type/any :db/cardinality :db.cardinality/many}
     {:db/ident :tags :db/valueType :db.type/keyword :db/cardinality :db.cardinality/many}
     {:db/ident :next :db/valueType :db.type/ref}
     {:db/ident :parts :db/valueType :db.type/ref :db/isComponent true :db/cardinality :db.cardinality/many}
     {:db/ident :pair :db/valueType :db.type/tuple :db/tupleAttrs [:name :n] :db/unique :db.unique/identity}
     {:db/ident :point :db/valueType :db.type/tuple :db/tupleTypes [:db.type/long :db.type/ref]}
     {:db/ident :row :db/valueType :db.type/tuple :db/tupleType :db.type/long}",
    "{:db/id 5000 :name \"a name that is long\" :n 1 :tags [:x :y] :parts [{:n 2} {:n 3}]}
     {:name \"b\" :n 2 :next 5000 :any [1 \"two\" nil] :point [1 5000] :row [1 2]}",
];

fn world() -> Database {
    let db = Database::memory().expect("memory");
    for text in WORLD {
        db.transact(&edn::read_all(text).expect("EDN")).expect("a transaction");
    }
    db
}

fn base() -> &'static Db {
    static BASE: OnceLock<Db> = OnceLock::new();
    BASE.get_or_init(|| world().db().expect("a state"))
}

/// Each fact that was stated holds, and none that was withdrawn.
fn check(db: &Db, datoms: &[datom::Datom]) {
    for fact in datoms {
        let key = Index::Eavt.key(fact);
        let mut found = db.cursor(Index::Eavt).expect("whole").expect("the present");
        let holds =
            found.seek(&key[..3]).expect("a sound index").is_some_and(|at| at[..3] == key[..3]);
        assert_eq!(holds, fact.added(), "{fact:?}");
        db.datom_to_value(fact).expect("values of what was stated");
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((first, data)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    let transactions = text.split('\0').filter_map(|text| edn::read_all(text).ok());
    if first % 8 != 0 {
        let mut db = base().clone();
        for forms in transactions {
            if let Ok(report) = db.with(&forms) {
                check(&report.db_after().expect("its state"), &report.datoms);
                db = report.db_after().expect("its state");
            }
        }
        return;
    }
    let db = world();
    for forms in transactions {
        let before = db.db().expect("a state");
        let thought = before.with(&forms).map(|report| report.datoms.len());
        match db.transact(&forms) {
            Ok(report) => {
                assert_eq!(thought.ok(), Some(report.datoms.len()), "what was thought is done");
                check(&report.db_after().expect("its state"), &report.datoms);
            }
            Err(_) => {
                assert!(thought.is_err(), "what is refused was refused in thought");
                assert_eq!(db.db().expect("a state").basis(), before.basis());
            }
        }
    }
    let found = db.verify().expect("a world that can be read");
    assert!(found.is_clean(), "{:?}", found.problems);
});
