//! Export and import: the same facts elsewhere.

mod common;

use std::collections::BTreeMap;

use common::{data, transact, value};
use daodb::{Database, Db, Index};
use datom::{Value, edn, id};
use proptest::prelude::*;

const SCHEMA: &str = "
    {:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity :db/doc \"who\"}
    {:db/ident :n    :db/valueType :db.type/long :db/index true}
    {:db/ident :tags :db/valueType :db.type/keyword :db/cardinality :db.cardinality/many}
    {:db/ident :next :db/valueType :db.type/ref}
    {:db/ident :all  :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}
    {:db/ident :pair :db/tupleAttrs [:name :n]}
    {:db/ident :spot :db/tupleTypes [:db.type/long :db.type/ref]}
    {:db/ident :any  :db/valueType :db.type/any}
    {:db/ident :kind :db/valueType :db.type/ref} {:db/ident :kind/big}";

fn memory(text: &str) -> Database {
    let db = Database::memory().unwrap();
    transact(&db, SCHEMA);
    transact(&db, text);
    db
}

/// An export as text lines, and from there into another database.
fn moved(db: &Database, batch_facts: usize) -> Database {
    let lines: Vec<String> =
        db.db().unwrap().export().map(|form| form.unwrap().to_string()).collect();
    let other = Database::memory().unwrap();
    let mut import = other.import().batch_facts(batch_facts);
    for line in &lines {
        import.add(edn::read(line).unwrap()).unwrap();
    }
    let done = import.finish().unwrap();
    assert_eq!(done.forms, lines.len() as u64);
    assert!(other.verify().unwrap().is_clean());
    other
}

/// The facts with entities named by the order in which a walk over both meets them: here simply by
/// what identifies them, so that numbers do not matter.
fn named(db: &Db) -> Vec<String> {
    let mut names: BTreeMap<u64, String> = BTreeMap::new();
    let all: Vec<_> = db.datoms(Index::Eavt, &[]).unwrap().map(Result::unwrap).collect();
    for fact in &all {
        let name = db.ident_of(fact.a).unwrap().unwrap();
        if matches!(name.as_str(), "name" | "db/ident") {
            names.insert(fact.e, db.value(fact.v).unwrap().to_string());
        }
    }
    let call = |e: u64| names.get(&e).cloned().unwrap_or_else(|| "unnamed".into());
    fn show(value: Value, call: &dyn Fn(u64) -> String) -> Value {
        match value {
            Value::Ref(e) => Value::symbol(&call(e)),
            Value::Vector(items) => {
                Value::Vector(items.into_iter().map(|v| show(v, call)).collect())
            }
            Value::Map(map) => {
                Value::Map(map.into_iter().map(|(k, v)| (k, show(v, call))).collect())
            }
            other => other,
        }
    }
    let users = all.iter().filter(|fact| fact.e >= id::USER_MIN && fact.e < id::TX_BASE);
    let mut facts: Vec<String> = users
        .map(|fact| {
            let name = db.ident_of(fact.a).unwrap().unwrap();
            format!("{} {name} {}", call(fact.e), show(db.value(fact.v).unwrap(), &call))
        })
        .collect();
    facts.sort();
    facts
}

#[test]
fn what_is_exported_is_imported() {
    let db = memory(
        "{:db/id \"a\" :name \"a\" :n 1 :tags [:x :y] :next \"b\" :all [\"a\" \"b\" \"only\"] :kind :kind/big}
         {:db/id \"b\" :name \"b\" :next \"a\" :any {:k [1 \"x\" nil]}}
         {:db/id \"only\" :next \"loop\"} {:db/id \"loop\" :next \"only\"}",
    );
    let a = db.db().unwrap().entity_id(&value("[:name \"a\"]")).unwrap().unwrap();
    db.transact(&[Value::Vector(vec![
        Value::keyword("db/add"),
        value("[:name \"b\"]"),
        Value::keyword("spot"),
        Value::Vector(vec![Value::Int(5), Value::Ref(a)]),
    ])])
    .unwrap();
    db.transact(&[Value::Vector(vec![
        Value::keyword("db/add"),
        Value::Ref(a),
        Value::keyword("any"),
        Value::Vector(vec![Value::Ref(a), Value::Float(f64::NAN)]),
    ])])
    .unwrap();
    for batch in [1, 2, 3, 1000] {
        let other = moved(&db, batch);
        assert_eq!(named(&other.db().unwrap()), named(&db.db().unwrap()), "in batches of {batch}");
        let again = moved(&other, 1000);
        assert_eq!(named(&again.db().unwrap()), named(&db.db().unwrap()));
    }
}

#[test]
fn what_is_there_already_is_found_by_its_identity() {
    let db = memory("{:name \"a\" :n 1 :next {:name \"b\"}}");
    let other = memory("{:name \"b\" :n 7} {:name \"c\"}");
    let mut import = other.import();
    for form in db.db().unwrap().export() {
        import.add(form.unwrap()).unwrap();
    }
    import.finish().unwrap();
    let names = other.db().unwrap().q("[:find (count ?e) . :where [?e :name]]", &[]).unwrap();
    assert_eq!(names, Value::Int(3));
    let next = "[:find ?n . :where [?a :name \"a\"] [?a :next ?b] [?b :n ?n]]";
    assert_eq!(other.db().unwrap().q(next, &[]).unwrap(), Value::Int(7));
}

#[test]
fn what_is_no_form_is_refused_and_leaves_what_was_made() {
    let db = Database::memory().unwrap();
    let mut import = db.import().batch_facts(1);
    import.add(value("{:db/id 1 :db/ident :name :db/valueType :db.type/string}")).unwrap();
    import.add(value("{:db/id 2 :name \"a\"}")).unwrap();
    assert!(import.add(value("[1 2]")).is_err());
    assert!(import.add(value("{:db/id 3 :nothing 1}")).is_err());
    import.add(value("{:name \"nameless\"}")).unwrap();
    assert_eq!(import.finish().unwrap().entities, 2);
    let found = db.db().unwrap().q("[:find (count ?n) . :where [_ :name ?n]]", &[]).unwrap();
    assert_eq!(found, Value::Int(2));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_graph_of_facts_is_moved_whole(
        entities in prop::collection::vec((any::<bool>(), prop::option::of(0..5_i64), prop::collection::vec(0..8_usize, 0..4)), 1..8),
        batch in 1..12_usize,
    ) {
        let db = Database::memory().unwrap();
        transact(&db, SCHEMA);
        let mut text = String::new();
        for (number, (is_named, n, all)) in entities.iter().enumerate() {
            let name = if *is_named { format!(":name \"n{number}\"") } else { ":kind :kind/big".into() };
            let n = n.map(|n| format!(":n {n}")).unwrap_or_default();
            let targets: Vec<String> = all.iter().map(|to| format!("\"t{}\"", to % entities.len())).collect();
            text += &format!("{{:db/id \"t{number}\" {name} {n} :all [{}]}}\n", targets.join(" "));
        }
        db.transact(&data(&text)).unwrap();
        let other = moved(&db, batch);
        prop_assert_eq!(named(&other.db().unwrap()), named(&db.db().unwrap()));
    }
}
