//! Transactions that share a commit are what they would be one after the other.

mod common;

use std::collections::BTreeSet;

use common::{changes, data, facts, transact};
use daodb::{Category, Create, Database, Durability, Error, Options, Report, TransactOptions};
use datom::{Value, Word, edn};
use proptest::prelude::*;

const SCHEMA: &str = "
    {:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity}
    {:db/ident :sum :db/valueType :db.type/long :db/index true}
    {:db/ident :friends :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}
    {:db/ident :note :db/valueType :db.type/string :db.attr/preds [kind?]}
    {:db/ident :named :db.entity/attrs [:name]}";

fn with_schema() -> Database {
    let db = Database::memory().unwrap();
    db.register("kind?", |_: &daodb::Db, args: &[Value]| {
        Ok(Value::Bool(args.first().and_then(Value::as_text) != Some("unkind")))
    });
    db.register("double", |db: &daodb::Db, args: &[Value]| {
        let name = args.first().ok_or("whose?")?;
        let of = Value::Vector(vec![Value::keyword("name"), name.clone()]);
        let sum = db.entity(&of)?.map(|entity| entity.get("sum")).transpose()?.flatten();
        let Some(Value::Int(sum)) = sum else { return Err("nobody has that name".into()) };
        let add = vec![Value::keyword("db/add"), of, Value::keyword("sum"), Value::Int(sum * 2)];
        Ok(Value::Vector(vec![Value::Vector(add)]))
    });
    transact(&db, SCHEMA);
    db
}

fn asked<'t>(texts: impl IntoIterator<Item = &'t str>) -> Vec<(Vec<Value>, TransactOptions)> {
    texts.into_iter().map(|text| (data(text), TransactOptions::new())).collect()
}

/// What a report says, but for times.
fn told(report: &Result<Report, Error>) -> Result<(u64, BTreeSet<String>, String), String> {
    match report {
        Ok(report) => Ok((report.t, changes(report), format!("{:?}", report.tempids))),
        Err(error) => Err(error.to_string()),
    }
}

fn timeless(db: &daodb::Db) -> BTreeSet<common::Fact> {
    facts(db).into_iter().filter(|fact| fact.1 != "db/txInstant").collect()
}

const TEXTS: [&str; 16] = [
    "{:db/id \"a\" :name \"Ada\" :sum 1}",
    "{:name \"Ada\" :sum 2}",
    "{:name \"a name that is long\" :sum 1} {:name \"Ada\" :friends [[:name \"a name that is long\"]]}",
    "{:db/id \"g\" :name \"Grace\" :friends [{:name \"Mary\" :sum 7}]}",
    "[:db/cas [:name \"Ada\"] :sum 1 5]",
    "[:db/cas [:name \"Ada\"] :sum 2 5]",
    "[:db/retractEntity [:name \"Ada\"]]",
    "[:db/retract [:name \"Mary\"] :sum]",
    "[double \"Ada\"]",
    "{:name \"Ada\" :note \"kind\"}",
    "{:name \"Ada\" :note \"unkind\"}",
    "{:sum 3 :db/ensure :named}",
    "{:name \"Mary\" :db/ensure :named}",
    "{:db/ident :late :db/valueType :db.type/string :db/index true}",
    "{:name \"Grace\" :late \"a word of the new attribute\"}",
    "{:nam \"nobody\"}",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_batch_does_what_its_transactions_do_one_by_one(
        batches in prop::collection::vec(prop::collection::vec(0..TEXTS.len(), 1..9), 1..5),
    ) {
        let (one, other) = (with_schema(), with_schema());
        for batch in batches {
            let texts = || batch.iter().map(|&text| TEXTS[text]);
            let together = one.transact_all(&asked(texts()));
            let mut before = timeless(&one.db().unwrap().as_of(other.db().unwrap().basis()));
            for (text, made) in texts().zip(&together) {
                let single = other.transact(&data(text));
                prop_assert_eq!(told(made), told(&single));
                let Ok(made) = made else { continue };
                // The states around it are states like any other.
                let (was, is) = (made.db_before().unwrap(), made.db_after().unwrap());
                prop_assert!(is.is_present() && is.basis() == made.t && was.basis() == made.t - 1);
                prop_assert_eq!(timeless(&was), before);
                before = timeless(&is);
                prop_assert_eq!(&before, &timeless(&single.unwrap().db_after().unwrap()));
                let again = is.with(&data("{:name \"somebody else\"}")).unwrap();
                prop_assert_eq!(again.t, made.t + 1);
                for datom in &made.datoms {
                    prop_assert!(is.value(datom.v).is_ok());
                }
            }
            prop_assert_eq!(timeless(&one.db().unwrap().history()), timeless(&other.db().unwrap().history()));
        }
        let found = one.verify().unwrap();
        prop_assert!(found.is_clean(), "{found:?}");
    }
}

#[test]
fn a_batch_syncs_once_and_survives_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let db = Database::open(folder.path(), Options::new().create(Create::New)).unwrap();
    transact(&db, "{:db/ident :n :db/valueType :db.type/long}");
    let texts: Vec<String> = (0..3_000).map(|number| format!("{{:n {number}}}")).collect();
    let made = db.transact_all(&asked(texts.iter().map(String::as_str)));
    let ts: Vec<u64> = made.iter().map(|made| made.as_ref().unwrap().t).collect();
    assert!(ts.iter().copied().eq(2..3_002), "one `t` after the other");
    assert_eq!(db.durable_t(), 3_001);
    let log: Vec<u64> = db.log().unwrap().map(|transaction| transaction.unwrap().t).collect();
    assert!(log.into_iter().eq(1..3_002));
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn each_waits_for_what_it_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new().create(Create::New).durability(Durability::Process);
    let db = Database::open(folder.path(), options).unwrap();
    db.transact(&data("{:db/ident :n :db/valueType :db.type/long}")).unwrap();
    let with = |text, durability| (data(text), TransactOptions::new().durability(durability));
    let made = db.transact_all(&[
        with("{:n 1}", Durability::Process),
        with("{:n 2}", Durability::Disk),
        with("{:m 2}", Durability::Disk),
    ]);
    let second = made[1].as_ref().unwrap().t;
    assert_eq!((second, made[2].is_err()), (3, true));
    assert!(db.durable_t() >= second);
}

#[test]
fn batches_of_several_handles_each_end_where_their_reports_say() {
    let folder = tempfile::tempdir().unwrap();
    let open =
        || Database::open(folder.path(), Options::new().durability(Durability::Process)).unwrap();
    transact(
        &open(),
        "{:db/ident :n :db/valueType :db.type/long} {:db/ident :who :db/valueType :db.type/string :db/unique :db.unique/identity}",
    );
    transact(&open(), "{:who \"everybody\" :n 0}");
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let db = open();
            scope.spawn(move || {
                for round in 0..30 {
                    let text = format!("{{:who \"writer number {writer}, round {round}\"}}");
                    let sum = db
                        .db()
                        .unwrap()
                        .q("[:find ?n . :where [[:who \"everybody\"] :n ?n]]", &[])
                        .unwrap();
                    let Value::Int(sum) = sum else { panic!("{sum}") };
                    let cas = format!("[:db/cas [:who \"everybody\"] :n {sum} {}]", sum + 1);
                    let made = db.transact_all(&asked([
                        &*text,
                        &*cas,
                        &*text.replace("writer", "reader"),
                    ]));
                    for made in made.iter().flatten() {
                        let (was, is) = (made.db_before().unwrap(), made.db_after().unwrap());
                        assert_eq!((was.basis(), is.basis()), (made.t - 1, made.t));
                        let who = edn::read("[:find (count ?e) . :where [?e :who]]").unwrap();
                        let count = |db: &daodb::Db| db.q(&who.to_string(), &[]).unwrap();
                        let told = made.datoms.iter().filter(|datom| {
                            datom.a == is.attribute_named(&"who".into()).unwrap().id
                        });
                        let Value::Int(before) = count(&was) else { panic!("no count") };
                        assert_eq!(count(&is), Value::Int(before + told.count() as i64));
                        for datom in made.datoms.iter().skip(1) {
                            let key = [Word::entity(datom.e), Word::entity(datom.a), datom.v];
                            let holds = is.datoms(daodb::Index::Eavt, &key).unwrap().count() == 1;
                            assert_eq!(holds, datom.added());
                        }
                    }
                    let refused = made[1].as_ref().err().and_then(Error::rejection);
                    assert!(refused.is_none_or(|refused| refused.category == Category::Cas));
                    assert!(made[0].is_ok() && made[2].is_ok());
                }
            });
        }
    });
    let db = open();
    let found = db.db().unwrap().q("[:find (count ?e) . :where [?e :who]]", &[]).unwrap();
    assert_eq!(found, Value::Int(1 + 3 * 30 * 2));
    assert!(db.verify().unwrap().is_clean());
}

/// As many threads as each make so many transactions.
fn threads(
    db: &Database,
    threads: u64,
    each: u64,
    text: impl Fn(u64, u64) -> String + Sync,
) -> Vec<Result<Report, Error>> {
    std::thread::scope(|scope| {
        let text = &text;
        let made = (0..threads).map(|thread| {
            let db = db.clone();
            let made = move || {
                (0..each)
                    .map(|number| db.transact(&data(&text(thread, number))))
                    .collect::<Vec<_>>()
            };
            scope.spawn(made)
        });
        let made: Vec<_> = made.collect();
        made.into_iter().flat_map(|made| made.join().unwrap()).collect()
    })
}

#[test]
fn threads_that_commit_at_once_are_each_told_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let db = Database::open(folder.path(), Options::new().create(Create::New)).unwrap();
    transact(&db, "{:db/ident :n :db/valueType :db.type/long :db/unique :db.unique/value}");
    let made = threads(&db, 8, 50, |thread, number| match number % 5 {
        4 => format!("{{:m {thread}}}"),
        _ => format!("{{:n {}}}", thread * 1_000 + number),
    });
    let mut ts = BTreeSet::new();
    for (at, made) in (0..).zip(&made) {
        assert_eq!(made.is_ok(), at % 5 != 4);
        let Ok(made) = made else { continue };
        assert!(ts.insert(made.t) && made.t <= db.durable_t());
        let word = made.datoms[1].v;
        assert_eq!(
            made.db_after().unwrap().value(word).unwrap(),
            Value::Int(at / 50 * 1_000 + at % 50)
        );
    }
    assert!(ts.into_iter().eq(2..2 + 8 * 40), "no gaps");
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn code_runs_on_the_thread_that_asked_for_it() {
    thread_local!(static CALLER: std::cell::Cell<u64> = const { std::cell::Cell::new(u64::MAX) });
    let db = with_schema();
    db.register("mine", |_: &daodb::Db, args: &[Value]| {
        let Some(Value::Int(caller)) = args.first() else { return Err("[mine n]".into()) };
        let here = CALLER.get();
        if here != u64::MAX && here != *caller as u64 {
            return Err(format!("{caller} was called on {here}").into());
        }
        CALLER.set(*caller as u64);
        Ok(Value::Vector(vec![Value::map([(Value::keyword("sum"), Value::Int(*caller))])]))
    });
    db.register("kind?", |_: &daodb::Db, args: &[Value]| {
        let caller = args.first().and_then(Value::as_text).and_then(|text| text.parse().ok());
        Ok(Value::Bool(caller == Some(CALLER.get())))
    });
    let made = threads(&db, 6, 60, |thread, number| match number % 3 {
        0 => format!("[mine {thread}]"),
        1 => format!("{{:note \"{thread}\"}}"),
        _ => format!("{{:sum {number}}}"),
    });
    for made in made {
        made.unwrap();
    }
}

#[test]
fn code_that_panics_takes_only_its_own_transaction_with_it() {
    let db = with_schema();
    db.register("panic", |_: &daodb::Db, _: &[Value]| panic!("on purpose"));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let db = db.clone();
            scope.spawn(move || {
                for number in 0..40 {
                    if thread == 0 {
                        let panics = || db.transact(&data("[panic]"));
                        std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).unwrap_err();
                    } else {
                        transact(&db, &format!("{{:sum {number}}}"));
                    }
                }
            });
        }
    });
    assert_eq!(db.db().unwrap().basis(), 1 + 3 * 40);
}
