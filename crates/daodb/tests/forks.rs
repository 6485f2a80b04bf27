//! Forks, merges, blame, and states of the past that can be gone on from.

mod common;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{about, data, facts, transact, value};
use daodb::parts::{Published, Storage};
use daodb::{
    Category, Create, Database, Db, Durability, Error, Fork, Index, Options, Resolution,
    TransactOptions,
};
use datom::{Value, id};

const SCHEMA: &str = "
    {:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity}
    {:db/ident :sum  :db/valueType :db.type/long}
    {:db/ident :note :db/valueType :db.type/string}
    {:db/ident :tags :db/valueType :db.type/keyword :db/cardinality :db.cardinality/many}
    {:db/ident :next :db/valueType :db.type/ref}
    {:db/ident :why  :db/valueType :db.type/string}";

const NAMES: &str = "[:find [?n ...] :where [_ :name ?n]]";

fn begun() -> Database {
    let db = Database::memory().unwrap();
    transact(&db, SCHEMA);
    transact(
        &db,
        "{:name \"a\" :sum 1 :tags [:x :y] :note \"a note of more than seven bytes\"}
         {:name \"b\" :sum 2 :next [:name \"a\"]}"
            .replace("[:name \"a\"]", "{:name \"a\"}")
            .as_str(),
    );
    db
}

fn names(db: &Db) -> BTreeSet<Value> {
    db.q(NAMES, &[]).unwrap().as_slice().unwrap().iter().cloned().collect()
}

fn named(names: &[&str]) -> BTreeSet<Value> {
    names.iter().map(|name| Value::text(name)).collect()
}

fn change(fork: &Fork, text: &str) -> daodb::Report {
    fork.transact(&data(text)).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn get(db: &Db, name: &str, attribute: &str) -> Option<Value> {
    let entity = db.entity(&Value::Vector(vec![Value::keyword("name"), Value::text(name)]));
    entity.unwrap().unwrap().get(attribute).unwrap()
}

#[test]
fn a_fork_goes_its_own_way() {
    let db = begun();
    let base = db.db().unwrap().basis();
    let fork = db.fork("work", None).unwrap();
    assert_eq!((fork.base(), fork.db().unwrap().basis()), (base, base));
    let report = change(&fork, "{:name \"c\" :sum 3} [:db/add [:name \"a\"] :sum 10]");
    assert_eq!(report.t, base + 1);
    transact(&db, "{:name \"d\" :sum 4} [:db/retractEntity [:name \"b\"]]");
    change(&fork, "[:db/retract [:name \"a\"] :tags :x]");

    let (there, here) = (fork.db().unwrap(), db.db().unwrap());
    assert_eq!(names(&there), named(&["a", "b", "c"]));
    assert_eq!(names(&here), named(&["a", "d"]));
    assert_eq!(get(&there, "a", "sum"), Some(Value::Int(10)));
    assert_eq!(get(&here, "a", "sum"), Some(Value::Int(1)));
    assert_eq!(get(&there, "a", "tags"), Some(value("#{:y}")));
    // A fork has a past: its own, and before that ours.
    assert_eq!(names(&there.as_of(base)), named(&["a", "b"]));
    assert_eq!(get(&there.as_of(base + 1), "a", "tags"), Some(value("#{:x :y}")));
    assert_eq!(there.as_of(base - 1).q(NAMES, &[]).unwrap(), value("[]"));
    let again = db.open_fork("work").unwrap().unwrap();
    assert_eq!(facts(&again.db().unwrap().history()), facts(&there.history()));
    let diff = fork.diff().unwrap();
    assert_eq!((diff.added.len(), diff.removed.len()), (3 + 2, 2));
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn a_fork_is_refused_what_a_database_is() {
    let db = begun();
    let fork = db.fork("work", None).unwrap();
    change(&fork, "{:name \"c\" :sum 3}");
    let refused =
        |text: &str| fork.transact(&data(text)).unwrap_err().rejection().unwrap().category;
    assert_eq!(refused("[:db/cas [:name \"c\"] :sum 4 5]"), Category::Cas);
    assert_eq!(refused("[:db/add [:name \"nobody\"] :sum 5]"), Category::LookupRef);
    assert_eq!(refused("{:name 7}"), Category::Type);
    let commits = db.db().unwrap().basis();
    assert_eq!(fork.db().unwrap().basis(), fork.base() + 1);
    assert_eq!(db.db().unwrap().basis(), commits, "a refusal is no commit");
    assert!(matches!(db.fork("work", None), Err(Error::Lookup { .. })), "the name is taken");
    assert!(matches!(db.fork("later", Some(commits + 9)), Err(Error::Lookup { .. })));
}

#[test]
fn a_fork_of_the_past_has_the_schema_of_its_moment() {
    let db = begun();
    let then = db.db().unwrap().basis();
    transact(
        &db,
        "{:db/ident :later :db/valueType :db.type/string} {:db/id :sum :db/index true :db/ident :amount}",
    );
    transact(&db, "{:name \"z\" :amount 9 :later \"x\"}");
    let fork = db.fork("past", Some(then)).unwrap();
    change(&fork, "{:name \"c\" :sum 3}");
    assert!(fork.db().unwrap().attribute_named(&"later".into()).is_none());
    assert_eq!(names(&fork.db().unwrap()), named(&["a", "b", "c"]));
    let error = fork.transact(&data("{:later \"x\"}")).unwrap_err();
    assert_eq!(error.rejection().unwrap().category, Category::Attribute);
}

#[test]
fn forks_survive_their_region_and_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let open = |create| Database::open(folder.path(), Options::new().create(create)).unwrap();
    let db = open(Create::IfMissing);
    transact(&db, SCHEMA);
    let (one, other) = (db.fork("one", None).unwrap(), db.fork("other", None).unwrap());
    for number in 0..80 {
        change(&one, &format!("{{:name \"n{number}\" :sum {number}}}"));
    }
    change(&other, "{:name \"o\"}");
    let before = facts(&one.db().unwrap().history());
    drop((one, other, db));
    std::fs::remove_file(folder.path().join("region.eve")).unwrap();
    let db = open(Create::Never);
    let forks = db.forks().unwrap();
    let listed: Vec<_> =
        forks.iter().map(|fork| (fork.name.as_str(), fork.head - fork.base)).collect();
    assert_eq!(listed, [("one", 80), ("other", 1)]);
    let one = db.open_fork("one").unwrap().unwrap();
    assert_eq!(facts(&one.db().unwrap().history()), before);
    one.retract().unwrap();
    assert!(db.open_fork("one").unwrap().is_none());
    assert_eq!(db.forks().unwrap().len(), 1);
}

#[test]
fn many_threads_commit_to_one_fork() {
    let db = begun();
    let fork = db.fork("work", None).unwrap();
    change(&fork, "{:name \"sum\" :sum 0}");
    db.register("add-one", |db: &Db, _: &[Value]| {
        let sum = db.q("[:find ?s . :where [?e :name \"sum\"] [?e :sum ?s]]", &[])?;
        let Value::Int(sum) = sum else { return Err("no sum".into()) };
        Ok(Value::Vector(data(&format!("{{:name \"sum\" :sum {}}}", sum + 1))))
    });
    let (threads, each) = (3, 25);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let fork = db.open_fork("work").unwrap().unwrap();
            scope.spawn(move || {
                for _ in 0..each {
                    let report = change(&fork, "[add-one]");
                    assert_eq!(report.db_after().unwrap().basis(), report.t);
                }
            });
        }
    });
    assert_eq!(get(&fork.db().unwrap(), "sum", "sum"), Some(Value::Int(threads * each)));
    assert_eq!(fork.db().unwrap().basis(), fork.base() + 1 + (threads * each) as u64);
}

#[test]
fn a_merge_brings_what_the_fork_changed() {
    let db = begun();
    let fork = db.fork("work", None).unwrap();
    change(&fork, "{:name \"c\" :sum 3 :next {:name \"d\" :next [:name \"a\"]}}");
    change(
        &fork,
        "[:db/add [:name \"a\"] :sum 10] [:db/retract [:name \"a\"] :tags :x] [:db/add [:name \"a\"] :tags :z]",
    );
    change(&fork, "[:db/retract [:name \"b\"] :sum] {:name \"gone\"}");
    change(&fork, "[:db/retractEntity [:name \"gone\"]]");
    // Meanwhile numbers are taken here that the fork took too, and other things changed.
    transact(&db, "{:name \"e\"} {:name \"f\"} {:name \"g\"} {:name \"b\" :note \"ours\"}");
    let report = fork.merge(&daodb::refuse).unwrap().unwrap();
    let now = db.db().unwrap();
    assert_eq!(report.t, now.basis());
    assert_eq!(names(&now), named(&["a", "b", "c", "d", "e", "f", "g"]));
    assert_eq!(get(&now, "a", "sum"), Some(Value::Int(10)));
    assert_eq!(get(&now, "a", "tags"), Some(value("#{:y :z}")));
    assert_eq!((get(&now, "b", "sum"), get(&now, "b", "note")), (None, Some(Value::text("ours"))));
    let path = "[:find ?n . :where [?c :name \"c\"] [?c :next ?d] [?d :next ?a] [?a :name ?n]]";
    assert_eq!(now.q(path, &[]).unwrap(), Value::text("a"));
    assert_eq!(fork.merge(&daodb::refuse).unwrap().map(|report| report.t), None, "nothing is left");
    // What the fork does later is merged later, about the same entities.
    change(&fork, "[:db/add [:name \"c\"] :sum 33] {:name \"h\" :next [:name \"d\"]}");
    fork.merge(&daodb::refuse).unwrap().unwrap();
    let now = db.db().unwrap();
    assert_eq!(get(&now, "c", "sum"), Some(Value::Int(33)));
    assert_eq!(names(&now).len(), 8, "no entity came twice");
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn a_merge_brings_attributes_before_it_uses_them() {
    let db = begun();
    let fork = db.fork("work", None).unwrap();
    change(
        &fork,
        "{:db/ident :colour :db/valueType :db.type/keyword :db/index true} {:db/ident :kind :db/valueType :db.type/ref}",
    );
    change(&fork, "{:db/ident :kind/big}");
    change(&fork, "{:name \"a\" :colour :red :kind :kind/big}");
    transact(
        &db,
        "{:name \"takes a number\"} {:db/ident :mine :db/valueType :db.type/long} {:db/ident :kind :db/valueType :db.type/ref}",
    );
    let before = db.db().unwrap().basis();
    let report = fork.merge(&daodb::refuse).unwrap().unwrap();
    assert_eq!(report.t, before + 1, "attributes and facts are one transaction");
    let now = db.db().unwrap();
    assert_eq!(get(&now, "a", "colour"), Some(value(":red")));
    assert_eq!(
        get(&now, "a", "kind"),
        Some(Value::Ref(now.entity_id(&value(":kind/big")).unwrap().unwrap()))
    );
    assert!(now.attribute_named(&"mine".into()).is_some());
    assert!(db.verify().unwrap().is_clean());
    // Who only gets the frames ends with the same facts, indexes and attributes.
    let other = Database::memory().unwrap();
    for frame in db.frames(1, u64::MAX).unwrap() {
        assert_eq!(other.publish(&frame.unwrap()).unwrap(), Published::Yes);
    }
    let there = other.db().unwrap();
    assert_eq!(there.content_hash().unwrap(), now.content_hash().unwrap());
    assert_eq!(there.attributes().collect::<Vec<_>>(), now.attributes().collect::<Vec<_>>());
    assert!(other.verify().unwrap().is_clean());
}

/// A merge that has to install an attribute, with a conflict about the sum of "a".
fn with_an_attribute() -> (Database, Fork) {
    let db = begun();
    let fork = db.fork("work", None).unwrap();
    change(&fork, "{:db/ident :colour :db/valueType :db.type/keyword :db/index true}");
    change(&fork, "{:name \"a\" :colour :red :sum 10} {:name \"new\" :colour :blue}");
    transact(&db, "{:name \"a\" :sum 11}");
    (db, fork)
}

fn add(one: i64) -> impl Fn(&daodb::Conflict) -> Resolution {
    move |_| Resolution::Value(Value::Int(one))
}

/// Everything that a refused merge could have changed.
fn all_of(db: &Database) -> (u64, [u8; 32], Vec<daodb::Attribute>, u64) {
    let now = db.db().unwrap();
    let (hash, attributes) = (now.content_hash().unwrap(), now.attributes().cloned().collect());
    (now.basis(), hash, attributes, now.count(Index::Avet, &[]).unwrap())
}

#[test]
fn a_merge_that_is_refused_has_done_nothing_whatever_refused_it() {
    type Spoil = fn(&Database, &Fork);
    type Policy<'p> = &'p dyn Fn(&daodb::Conflict) -> Resolution;
    let cases: [(&str, Spoil, Policy<'_>); 5] = [
        ("the policy", |_, _| {}, &daodb::refuse),
        ("a value of a wrong type", |_, _| {}, &|_| Resolution::Value(Value::text("x"))),
        (
            "a unique value that is taken",
            |db, fork| {
                change(fork, "{:db/id [:name \"b\"] :name \"z\"}");
                transact(db, "{:name \"z\"}");
            },
            &daodb::theirs,
        ),
        (
            "an attribute of parts that are gone",
            |db, fork| {
                change(fork, "{:db/ident :pair :db/tupleAttrs [:sum :note]}");
                transact(db, "{:db/id :sum :db/ident :total}");
            },
            &daodb::theirs,
        ),
        (
            "a predicate that nobody knows",
            |db, _| {
                transact(db, "[:db/add :sum :db.attr/preds missing]");
            },
            &daodb::theirs,
        ),
    ];
    for (why, spoil, policy) in cases {
        let (db, fork) = with_an_attribute();
        spoil(&db, &fork);
        let before = all_of(&db);
        let refused = fork.merge(policy);
        assert!(refused.is_err(), "{why}: {refused:?}");
        assert_eq!(all_of(&db), before, "{why}");
        assert!(db.verify().unwrap().is_clean(), "{why}");
    }
}

#[test]
fn a_merge_whose_policy_panics_has_done_nothing() {
    let (db, fork) = with_an_attribute();
    let before = all_of(&db);
    let merge = || fork.merge(&|_| panic!("no policy"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(merge)).is_err());
    assert_eq!(all_of(&db), before);
    fork.merge(&add(21)).unwrap().unwrap();
    assert_eq!(get(&db.db().unwrap(), "a", "sum"), Some(Value::Int(21)));
}

#[test]
fn a_merge_that_has_no_room_has_done_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new().region_bytes_max(4 << 20).durability(Durability::Process);
    let db = Database::open(folder.path(), options).unwrap();
    transact(&db, SCHEMA);
    transact(&db, "{:name \"a\" :sum 1}");
    let fork = db.fork("work", None).unwrap();
    let text = "x".repeat(3_000);
    change(&fork, "{:db/ident :colour :db/valueType :db.type/keyword}");
    for number in 0..300 {
        let ahead = format!("{{:name \"{number}\" :colour :red :note \"{number} {text}\"}}");
        let behind = format!("{{:note \"{number} too {text}\"}}");
        if fork.transact(&data(&ahead)).is_err() || db.transact(&data(&behind)).is_err() {
            break;
        }
    }
    let before = all_of(&db);
    let refused = fork.merge(&daodb::refuse);
    assert!(matches!(refused, Err(Error::Memory(_))), "{refused:?}");
    assert_eq!(all_of(&db), before);
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn a_merge_that_another_commit_overtakes_is_worked_out_again() {
    let (db, fork) = with_an_attribute();
    let asked = AtomicU64::new(0);
    let report = fork.merge(&|conflict| {
        if asked.fetch_add(1, Ordering::Relaxed) == 0 {
            transact(
                &db,
                "{:name \"a\" :sum 12} {:db/ident :colour :db/valueType :db.type/keyword}",
            );
        }
        assert!(matches!(conflict.ours, Some(Value::Int(11 | 12))));
        Resolution::Value(conflict.ours.clone().unwrap())
    });
    let report = report.unwrap().unwrap();
    assert_eq!(asked.into_inner(), 2);
    let now = db.db().unwrap();
    assert_eq!((report.t, get(&now, "a", "sum")), (now.basis(), Some(Value::Int(12))));
    assert_eq!(get(&now, "new", "colour"), Some(value(":blue")));
    assert_eq!(now.attributes().filter(|known| known.ident.as_str() == "colour").count(), 1);
    assert!(db.verify().unwrap().is_clean());
}

/// Both sides change the same; what policies make of it.
fn in_conflict() -> (Database, Fork) {
    let db = begun();
    let fork = db.fork("work", None).unwrap();
    change(
        &fork,
        "[:db/add [:name \"a\"] :sum 10] [:db/add [:name \"b\"] :sum 20] {:name \"c\" :sum 3}",
    );
    transact(
        &db,
        "[:db/add [:name \"a\"] :sum 11] [:db/retract [:name \"b\"] :sum 2] {:name \"c\" :sum 30}",
    );
    (db, fork)
}

#[test]
fn conflicts_are_data() {
    let (db, fork) = in_conflict();
    let before = db.db().unwrap().basis();
    let Err(Error::Conflicts { fork: name, conflicts }) = fork.merge(&daodb::refuse) else {
        panic!("must be refused")
    };
    assert_eq!((name.as_str(), conflicts.len()), ("work", 3));
    assert_eq!(db.db().unwrap().basis(), before, "nothing happened");
    let sides: Vec<_> =
        conflicts.iter().map(|c| (c.base.clone(), c.ours.clone(), c.theirs.clone())).collect();
    let int = |number| Some(Value::Int(number));
    assert_eq!(
        sides,
        [(int(1), int(11), int(10)), (int(2), None, int(20)), (None, int(30), int(3))]
    );
    assert_eq!(conflicts[0].to_value().get("theirs"), Some(&Value::Int(10)));
}

#[test]
fn a_policy_resolves_conflicts() {
    let sums = |db: &Database| {
        let db = db.db().unwrap();
        ["a", "b", "c"].map(|name| get(&db, name, "sum"))
    };
    let int = |number| Some(Value::Int(number));
    let (db, fork) = in_conflict();
    fork.merge(&daodb::ours).unwrap().unwrap();
    assert_eq!(sums(&db), [int(11), None, int(30)]);
    let (db, fork) = in_conflict();
    fork.merge(&daodb::theirs).unwrap().unwrap();
    assert_eq!(sums(&db), [int(10), int(20), int(3)]);
    let (db, fork) = in_conflict();
    let sum = |conflict: &daodb::Conflict| match (&conflict.ours, &conflict.theirs) {
        (Some(Value::Int(ours)), Some(Value::Int(theirs))) => {
            Resolution::Value(Value::Int(ours + theirs))
        }
        _ => Resolution::Theirs,
    };
    fork.merge(&sum).unwrap().unwrap();
    assert_eq!(sums(&db), [int(21), int(20), int(33)]);
}

#[test]
fn blame_tells_who_said_what_and_why() {
    let db = begun();
    let reason = TransactOptions::new().metadata(Value::text("reason"));
    let text = "{:name \"a\" :sum 7} {:db/id \"reason\" :why \"a test\"} {:db/id \"datomic.tx\" :note \"the transaction\"}";
    let set = db.transact_with(&data(text), &reason).unwrap();
    let now = db.db().unwrap();
    let a = now.entity_id(&value("[:name \"a\"]")).unwrap().unwrap();
    let sum = now.attribute_named(&"sum".into()).unwrap().id;
    let blame = now.blame(a, Some(sum)).unwrap();
    let said: Vec<_> =
        blame.iter().map(|b| (b.datom.t, b.datom.added(), b.value.clone())).collect();
    let int = Value::Int;
    assert_eq!(said, [(2, true, int(1)), (3, false, int(1)), (3, true, int(7))]);
    assert_eq!(blame[2].reason.get("why"), Some(&Value::text("a test")));
    assert_eq!(blame[2].transaction.get("note"), Some(&Value::text("the transaction")));
    assert_eq!((blame[2].instant, blame[0].reason.clone()), (set.instant, Value::Nil));
    assert_eq!(now.as_of(2).blame(a, Some(sum)).unwrap().len(), 1);
    // A merge's facts name the fork.
    let fork = db.fork("work", None).unwrap();
    change(&fork, "{:name \"a\" :sum 8}");
    fork.merge(&daodb::refuse).unwrap().unwrap();
    let blame = db.db().unwrap().blame(a, Some(sum)).unwrap();
    let reason = &blame.last().unwrap().reason;
    assert_eq!(reason.get("db.fork/name"), Some(&Value::text("work")));
    // And go on to do so when it is gone.
    let base = fork.base();
    fork.retract().unwrap();
    let now = db.db().unwrap();
    for view in [now.clone(), now.since(base + 1), now.as_of(now.basis() - 1)] {
        assert_eq!(view.blame(a, Some(sum)).unwrap().last().unwrap().reason, *reason);
    }
}

#[test]
fn a_state_of_the_past_is_the_one_that_was() {
    let db = begun();
    let mut then = vec![db.at(0).unwrap(), db.at(1).unwrap(), db.at(2).unwrap()];
    let steps = [
        "{:name \"c\" :sum 3 :tags [:p :q]} [:db/add [:name \"a\"] :sum 5]",
        "{:db/id :sum :db/index true}",
        "[:db/retractEntity [:name \"b\"]] [:db/add [:name \"a\"] :sum 1]",
        "[:db/add [:name \"a\"] :sum 5] {:db/ident :more :db/valueType :db.type/ref :db/unique :db.unique/value}",
        "{:name \"c\" :more {:name \"d\"}} [:db/retract :sum :db/index true]",
        "[:db/retract [:name \"c\"] :tags :p] {:name \"a\" :note \"another text on the heap\"}",
    ];
    for step in steps {
        transact(&db, step);
        then.push(db.db().unwrap());
    }
    for (t, state) in (0..).zip(&then) {
        let made = db.at(t).unwrap();
        assert_eq!((made.basis(), made.is_present()), (t, true));
        for index in Index::ALL {
            let said = |db: &Db| -> Vec<_> {
                let facts = common::values(db, db.datoms(index, &[]).unwrap());
                facts.into_iter().filter(|fact| fact.0 >= id::USER_MIN).collect()
            };
            let sorted = |mut facts: Vec<common::Fact>| {
                facts.sort();
                facts
            };
            assert_eq!(sorted(said(&made)), sorted(said(state)), "{index:?} at {t}");
            let history = |db: &Db| sorted(said(&db.history()));
            assert_eq!(history(&made), history(state), "history of {index:?} at {t}");
        }
        let attributes = |db: &Db| db.attributes().cloned().collect::<Vec<_>>();
        assert_eq!(attributes(&made), attributes(state), "at {t}");
    }
    assert!(db.at(99).is_err());
    // It can be gone on from, as if nothing had happened since.
    let other = db.at(2).unwrap().with(&data("[:db/add [:name \"b\"] :sum 7]")).unwrap();
    assert_eq!((other.t, get(&other.db_after().unwrap(), "b", "sum")), (3, Some(Value::Int(7))));
    assert_eq!(about(&db, "[:name \"c\"]")[0], "name \"c\"");
}
