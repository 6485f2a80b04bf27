//! Worlds that earlier versions wrote, opened for ever.
//!
//! `golden/v1` is the log that [`make`] wrote when the layout was new, in segments of 3,000 bytes, then
//! sealed but for the last, without the region and without empty files: the durable end, every type of
//! value, a withdrawn fact, a metadata entity. Transactions name their instants, so what is made today
//! has the same hashes. A folder is never changed; a new layout gets one beside it.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::data;
use daodb::{Database, Durability, Options, TransactOptions};
use datom::Value;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

const FORMS: [&str; 7] = [
    "{:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity}
     {:db/ident :any :db/valueType :db.type/any :db/cardinality :db.cardinality/many}
     {:db/ident :knows :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}
     {:db/ident :why :db/valueType :db.type/string}",
    "{:db/id \"a\" :name \"Ada\" :knows {:name \"Charles, whose name is longer than a word\"}}",
    "{:name \"Ada\" :any #{nil true 7 -1 1152921504606846976 170141183460469231731687303715884105727N}}",
    "{:name \"Ada\" :any #{1.5 -0.1 1e300 \"text\" \"a text that is longer than a word\" :k sym \\c}}",
    "{:name \"Ada\" :any #{#inst \"1969-12-31T23:59:59.999999Z\" #{1 2} {:a [1 \"two\"]}
                         #uuid \"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"}}",
    "[:db/retract [:name \"Ada\"] :any 7] [:db/add [:name \"Ada\"] :name \"Ada Lovelace\"]",
    "{:db/ident :counter :db/valueType :db.type/long :db/index true}",
];

/// The transactions, and enough further ones for several segments.
fn make(db: &Database) {
    let further = (0..20).map(|n| format!("{{:name \"somebody with the number {n}\" :any {n}}}"));
    let forms = FORMS.iter().map(|form| (*form).to_owned()).chain(further);
    for (number, form) in forms.enumerate() {
        let instant = format!("#inst \"2020-01-01T00:00:{number:02}Z\"");
        let form = format!("{form} {{:db/id \"datomic.tx\" :db/txInstant {instant}}}");
        let mut options = TransactOptions::new().durability(Durability::Disk);
        let mut all = data(&form);
        if number > 0 {
            all.extend(data("{:db/id \"datomic.tx\" :why \"because it is golden\"}"));
            options = options.metadata(Value::text("datomic.tx"));
        }
        db.transact_with(&all, &options).unwrap_or_else(|error| panic!("{form}: {error}"));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

fn chain(db: &Database) -> Vec<[u8; 32]> {
    db.log().unwrap().map(|transaction| transaction.unwrap().hash).collect()
}

#[test]
fn the_world_of_the_first_layout_opens_and_says_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    copy(&golden(), folder.path());
    let old = Database::open(folder.path(), Options::new()).unwrap();
    assert!(old.opening().rebuilt.is_some() && old.opening().torn.is_none());
    let verification = old.verify().unwrap();
    assert_eq!((verification.problems, verification.t), (Vec::new(), 27));
    let stats = old.stats().unwrap();
    assert!(stats.sealed.segments > 0 && stats.plain.segments > 0, "{stats:?}");

    let new = Database::memory().unwrap();
    make(&new);
    assert_eq!(chain(&old), chain(&new), "today's frames are those of then");
    let content = |db: &Database| db.db().unwrap().content_hash().unwrap();
    assert_eq!(content(&old), content(&new));
    common::transact(&old, "{:name \"goes on\"}");
}
