//! What several test binaries use.
#![allow(dead_code, reason = "each test binary uses some of it")]

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use daodb::{Category, Database, Datoms, Db, Error, Index, Options, Report};
use datom::{Value, edn};

/// Transaction data from EDN text.
pub(crate) fn data(text: &str) -> Vec<Value> {
    edn::read_all(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn value(text: &str) -> Value {
    edn::read(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Makes a transaction that must be accepted.
pub(crate) fn transact(db: &Database, text: &str) -> Report {
    db.transact(&data(text)).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Makes a transaction that must be refused, and checks that nothing happened.
pub(crate) fn refuse(db: &Database, text: &str) -> (Category, String) {
    let before = facts(&db.db().unwrap().history());
    let error = db.transact(&data(text)).expect_err(text);
    let Error::Rejected(rejection) = error else { panic!("{text}: {error}") };
    assert_eq!(facts(&db.db().unwrap().history()), before, "{text} left a trace");
    (rejection.category, rejection.to_string())
}

/// A fact as values: entity, attribute's name, value, t, added.
pub(crate) type Fact = (u64, String, Value, u64, bool);

/// Values of all datoms.
pub(crate) fn values(db: &Db, datoms: Datoms<'_>) -> Vec<Fact> {
    let mut facts = Vec::new();
    for datom in datoms {
        let datom = datom.unwrap();
        let name = db.ident_of(datom.a).unwrap().unwrap().as_str().to_owned();
        facts.push((datom.e, name, db.value(datom.v).unwrap(), datom.t, datom.added()));
    }
    facts
}

/// Everything that a view shows of what users stated.
pub(crate) fn facts(db: &Db) -> BTreeSet<Fact> {
    let all = values(db, db.datoms(Index::Eavt, &[]).unwrap());
    all.into_iter().filter(|fact| fact.0 >= datom::id::USER_MIN).collect()
}

/// The facts of one entity now, as `name value` lines.
pub(crate) fn about(db: &Database, entity: &str) -> Vec<String> {
    let db = &db.db().unwrap();
    let Some(e) = db.entity_id(&value(entity)).unwrap() else { return Vec::new() };
    let datoms = db.datoms(Index::Eavt, &[datom::Word::entity(e)]).unwrap();
    values(db, datoms).into_iter().map(|(_, a, v, ..)| format!("{a} {v}")).collect()
}

/// What a transaction changed, without its instant: `+e a v`, `-e a v`.
pub(crate) fn changes(report: &Report) -> BTreeSet<String> {
    let db = &report.db_after().unwrap();
    let mut changes = BTreeSet::new();
    for datom in report.datoms.iter().skip(1) {
        let name = db.ident_of(datom.a).unwrap().unwrap();
        let sign = if datom.added() { '+' } else { '-' };
        changes.insert(format!(
            "{sign}{} {} {}",
            datom.e,
            name.as_str(),
            db.value(datom.v).unwrap()
        ));
    }
    changes
}

pub(crate) const SCHEMA: &str = "
    {:db/ident :n    :db/valueType :db.type/long}
    {:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity}
    {:db/ident :sum  :db/valueType :db.type/long}";

/// A world with some transactions in small segments, closed.
pub(crate) fn closed(folder: &Path) -> BTreeSet<Fact> {
    let options = Options::new().segment_bytes_max(2_000).seals(false);
    let db = Database::open(folder, options).unwrap();
    transact(&db, SCHEMA);
    for number in 0..30 {
        transact(&db, &format!("{{:name \"a name that is long enough {number}\" :n {number}}}"));
    }
    facts(&db.db().unwrap().history())
}

pub(crate) fn segments(folder: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(folder.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<PathBuf> =
        names.filter(|path| path.extension().is_some_and(|e| e == "frames")).collect();
    segments.sort();
    segments
}

pub(crate) fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

pub(crate) const ROLE: &str = "DAODB_TEST_ROLE";
pub(crate) const FOLDER: &str = "DAODB_TEST_FOLDER";
pub(crate) const NUMBER: &str = "DAODB_TEST_NUMBER";

/// Another process: this test binary again, whose test `role` does what [`role`] tells it.
pub(crate) fn spawn(role: &str, folder: &Path, number: u64) -> Child {
    spawn_in("role", role, folder, number)
}

/// The same of a test with another name.
pub(crate) fn spawn_in(test: &str, role: &str, folder: &Path, number: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--quiet"])
        .env(ROLE, role)
        .env(FOLDER, folder)
        .env(NUMBER, number.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What this process was spawned for, if it was.
pub(crate) fn role() -> Option<(String, PathBuf, u64)> {
    let role = std::env::var(ROLE).ok()?;
    let folder = PathBuf::from(std::env::var(FOLDER).unwrap());
    Some((role, folder, std::env::var(NUMBER).unwrap().parse().unwrap()))
}
