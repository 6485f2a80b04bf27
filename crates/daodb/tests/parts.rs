//! What every storage must do, run on each that there is.

mod common;

use common::{facts, transact};
use daodb::parts::{Published, Storage};
use daodb::{Database, Options};
use datom::Frame;

/// Frames of some transactions, made elsewhere.
fn frames() -> Vec<Frame> {
    let db = Database::memory().unwrap();
    transact(&db, "{:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity}");
    transact(&db, "{:name \"a name that lives on the heap\"} {:name \"short\"}");
    transact(&db, "[:db/retractEntity [:name \"short\"]]");
    transact(&db, "[:db/add :name :db/doc \"what it is called\"]");
    db.frames(1, u64::MAX).unwrap().map(Result::unwrap).collect()
}

fn suite(storage: &dyn Storage, reopened: &dyn Fn() -> Box<dyn Storage>) {
    let frames = frames();
    assert_eq!(storage.newest().unwrap().basis(), 0, "a new storage is empty");
    assert_eq!(storage.publish(&frames[1]).unwrap(), Published::Behind, "one is missing");
    for frame in &frames {
        assert_eq!(storage.publish(frame).unwrap(), Published::Yes);
        assert_eq!(storage.publish(frame).unwrap(), Published::Behind, "once is enough");
    }
    let other = Frame { instant: 1, ..frames[0].clone() };
    let forged = Frame { t: 5, previous: other.hash(), datoms: vec![], ..other };
    assert_eq!(storage.publish(&forged).unwrap(), Published::Behind, "of another history");
    let damaged = Frame { t: 5, previous: frames[3].hash(), ..frames[1].clone() };
    assert!(storage.publish(&damaged).is_err(), "its datoms are of another t");

    let kept: Vec<Frame> = storage.frames(1, u64::MAX).unwrap().map(Result::unwrap).collect();
    assert_eq!(kept, frames);
    let some: Vec<u64> = storage.frames(2, 3).unwrap().map(|frame| frame.unwrap().t).collect();
    assert_eq!(some, [2, 3]);
    assert_eq!(storage.sync().unwrap(), 4);
    let before = facts(&storage.newest().unwrap().history());
    assert_eq!(facts(&reopened().newest().unwrap().history()), before);
}

#[test]
fn in_memory() {
    let db = Database::memory().unwrap();
    suite(&db, &|| Box::new(db.clone()));
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn in_a_world() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Database::open(folder.path(), Options::new()).unwrap();
    let db = open();
    suite(&db, &|| Box::new(open()));
    assert_eq!(db.durable_t(), 4);
    assert!(db.verify().unwrap().is_clean());
}

/// Frames say nothing of the schema but its facts: who only gets frames must end with the same.
#[test]
fn schemas_follow_from_frames() {
    let made = Database::memory().unwrap();
    for text in [
        "{:db/ident :name :db/valueType :db.type/string}",
        "{:db/ident :color/red :db/doc \"no attribute\"} {:db/id 5001 :name \"a\"}",
        "{:db/ident :later} {:db/id 5001 :db/ident :someone}",
        "[:db/add :name :db/index true]",
        "[:db/add :later :db/valueType :db.type/long] [:db/add :later :db/index true]",
        "[:db/add :name :db/ident :title] [:db/retract :color/red :db/doc]",
        "{:db/id 5002 :title \"b\" :later 7}",
        "[:db/retract :title :db/index true] [:db/retractEntity :someone]",
    ] {
        transact(&made, text);
        let given = Database::memory().unwrap();
        for frame in made.frames(1, u64::MAX).unwrap() {
            assert_eq!(Storage::publish(&given, &frame.unwrap()).unwrap(), Published::Yes);
        }
        let (made, now) = (made.db().unwrap(), given.db().unwrap());
        for name in ["name", "title", "later", "color/red", "someone"] {
            let name = name.into();
            assert_eq!(made.attribute_named(&name), now.attribute_named(&name), "{name} in {text}");
            assert_eq!(made.ident(&name).unwrap(), now.ident(&name).unwrap(), "{name} in {text}");
        }
        assert!(given.verify().unwrap().is_clean(), "{text}");
    }
}
