//! Transaction data that nobody in his right mind would send.
//!
//! Forms are made of the pieces of good ones, put together at random: names of attributes built in and
//! installed, operations, tempids, lookup refs, entities that are there and that are not, values of
//! every kind. Whatever comes is committed whole or refused whole, and says so.

mod common;

use common::{facts, transact};
use daodb::{Database, Db, Error};
use datom::{Value, edn};
use proptest::prelude::*;

const SCHEMA: &str = "
    {:db/ident :s :db/valueType :db.type/string :db/unique :db.unique/identity}
    {:db/ident :n :db/valueType :db.type/long :db/index true}
    {:db/ident :m :db/valueType :db.type/keyword :db/cardinality :db.cardinality/many}
    {:db/ident :r :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}
    {:db/ident :c :db/valueType :db.type/ref :db/isComponent true}
    {:db/ident :u :db/valueType :db.type/ref :db/unique :db.unique/identity}
    {:db/ident :p :db/tupleAttrs [:s :n] :db/unique :db.unique/identity}
    {:db/ident :t :db/tupleTypes [:db.type/long :db.type/ref]}
    {:db/ident :any :db/valueType :db.type/any}
    {:db/ident :spec :db.entity/attrs [:s :n]}";

fn begun() -> Database {
    let db = Database::memory().unwrap();
    transact(&db, SCHEMA);
    transact(
        &db,
        "{:db/id 9000 :s \"a\" :n 1 :m [:x :y] :c {:n 2}} {:db/id 9001 :s \"b\" :r [9000] :u 9000}",
    );
    db.register("echo", |_: &Db, args: &[Value]| Ok(Value::Vector(args.to_vec())));
    db
}

/// A piece of EDN text that good data are made of.
fn piece() -> impl Strategy<Value = String> + Clone {
    let pieces = [
        ":s",
        ":n",
        ":m",
        ":r",
        ":c",
        ":u",
        ":p",
        ":t",
        ":any",
        ":spec",
        ":_r",
        ":_c",
        ":_s",
        ":nothing",
        ":db/id",
        ":db/ident",
        ":db/valueType",
        ":db/cardinality",
        ":db/unique",
        ":db/index",
        ":db/doc",
        ":db/isComponent",
        ":db/tupleAttrs",
        ":db/tupleType",
        ":db/txInstant",
        ":db/ensure",
        ":db.attr/preds",
        ":db.fork/head",
        ":db.type/long",
        ":db.type/ref",
        ":db.type/tuple",
        ":db.cardinality/many",
        ":db.unique/identity",
        "9000",
        "9001",
        "9002",
        "16",
        "0",
        "-1",
        "-2",
        "4096",
        "288230376151711744",
        "288230376151711746",
        "288230376151711800",
        "1152921504606846975",
        "1152921504606846976",
        "9223372036854775807",
        "123456789012345678901234567890",
        "\"a\"",
        "\"b\"",
        "\"t1\"",
        "\"t2\"",
        "\"datomic.tx\"",
        "\"a text of more than seven bytes\"",
        "\"\"",
        "[:s \"a\"]",
        "[:s \"b\"]",
        "[:s \"c\"]",
        "[:u [:s \"a\"]]",
        "[:p [\"a\" 1]]",
        "[1 9000]",
        "[nil nil]",
        "[]",
        "{}",
        "#{}",
        "nil",
        "true",
        "1.5",
        "##NaN",
        "sym",
        "even?",
        "#inst \"2020-01-01T00:00:00Z\"",
        "#inst \"2099-01-01T00:00:00Z\"",
        "#uuid \"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"",
        "#bytes \"00\"",
        "\\a",
        "(1 2)",
        "#tag 1",
    ];
    prop::sample::select(pieces.to_vec()).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = String> + Clone {
    piece().prop_recursive(3, 16, 4, |inner| {
        let map = prop::collection::vec((piece(), inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(" "))),
            prop::collection::vec(inner, 0..3).prop_map(|items| format!("({})", items.join(" "))),
            map.prop_map(|pairs| as_map(&pairs)),
        ]
    })
}

fn as_map(pairs: &[(String, String)]) -> String {
    let pairs: std::collections::BTreeMap<_, _> = pairs.iter().cloned().collect();
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key} {value}")).collect();
    format!("{{{}}}", pairs.join(" "))
}

fn form() -> impl Strategy<Value = String> {
    let operations = [
        ":db/add",
        ":db/retract",
        ":db/retractEntity",
        ":db/cas",
        ":db.fn/retractAttribute",
        ":db.fn/call echo",
        "echo",
        "nobody",
        ":echo",
        ":db/nonsense",
    ];
    let operation = prop::sample::select(operations.to_vec());
    let entity = prop::sample::select(vec!["9000", "9001", "\"t1\"", "-1", "[:s \"a\"]", ":s"]);
    let attribute = prop::sample::select(vec![
        ":s", ":n", ":m", ":r", ":c", ":u", ":any", ":t", ":p", ":db/doc",
    ]);
    let likely = (entity.clone(), attribute.clone(), value());
    let fitting = prop::sample::select(vec![
        (":s", "\"a\""),
        (":s", "\"c\""),
        (":n", "1"),
        (":n", "-7"),
        (":m", ":x"),
        (":m", "[:x :z]"),
        (":r", "9000"),
        (":r", "[\"t1\" 9001]"),
        (":c", "{:n 5 :c {:s \"d\"}}"),
        (":u", "9001"),
        (":u", "\"t2\""),
        (":t", "[1 9000]"),
        (":any", "[nil {:a 1}]"),
        (":_r", "[:s \"a\"]"),
        (":db/doc", "\"said\""),
        (":db/ensure", ":spec"),
    ]);
    let fit = |(e, pairs): (&str, Vec<(&str, &str)>)| {
        let mut pairs: Vec<(String, String)> =
            pairs.into_iter().map(|(a, v)| (a.to_owned(), v.to_owned())).collect();
        pairs.push((":db/id".into(), e.into()));
        as_map(&pairs)
    };
    prop_oneof![
        30 => (entity.clone(), prop::collection::vec(fitting.clone(), 1..4)).prop_map(fit),
        6 => (entity.clone(), fitting).prop_map(|(e, (a, v))| format!("[:db/retract {e} {a} {v}]")),
        3 => entity.clone().prop_map(|e| format!("[:db/retractEntity {e}]")),
        4 => likely.clone().prop_map(|(e, a, v)| format!("[:db/add {e} {a} {v}]")),
        2 => likely.prop_map(|(e, a, v)| format!("[:db/retract {e} {a} {v}]")),
        3 => (entity, prop::collection::vec((attribute, value()), 0..4)).prop_map(|(e, pairs)| {
            let mut pairs: Vec<(String, String)> =
                pairs.into_iter().map(|(a, v)| (a.to_owned(), v)).collect();
            pairs.push((":db/id".into(), e.into()));
            as_map(&pairs)
        }),
        2 => (operation, prop::collection::vec(value(), 0..5))
            .prop_map(|(operation, parts)| format!("[{operation} {}]", parts.join(" "))),
        1 => value(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_is_committed_whole_or_refused_whole(
        transactions in prop::collection::vec(prop::collection::vec(form(), 1..5), 1..6),
    ) {
        let db = begun();
        for forms in transactions {
            // What is no EDN was refused before.
            let Ok(data) = edn::read_all(&forms.join("\n")) else { continue };
            let before = db.db().unwrap();
            let thought = before.with(&data);
            match db.transact(&data) {
                Ok(report) => {
                    let thought = thought.expect("what is committed could be thought of");
                    prop_assert_eq!(thought.datoms.len(), report.datoms.len());
                    prop_assert_eq!(thought.tempids, report.tempids);
                }
                Err(Error::Rejected(rejection)) => {
                    prop_assert!(thought.is_err());
                    prop_assert!(!rejection.message.is_empty());
                    prop_assert!(rejection.position < data.len().max(1));
                    prop_assert_eq!(rejection.to_value().get("category").is_some(), true);
                    prop_assert_eq!(db.db().unwrap().basis(), before.basis());
                }
                Err(error) => return Err(TestCaseError::fail(format!("{error}: {forms:?}"))),
            }
        }
        let found = db.verify().unwrap();
        prop_assert!(found.is_clean(), "{:?}", found.problems);
        // And it all can be undone.
        let first = db.at(2).unwrap();
        prop_assert_eq!(facts(&first.history()), facts(&db.db().unwrap().as_of(2).history()));
    }
}
