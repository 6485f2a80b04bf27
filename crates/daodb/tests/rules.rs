//! What transactions must satisfy beyond their form: functions, predicates, specs, tuples, types.

mod common;

use common::{about, changes, data, facts, refuse, transact, value};
use daodb::{
    Category, Database, Db, Error, FunctionError, Index, Library, Rejection, Statement,
    TransactOptions,
};
use datom::{Value, Word};
use std::sync::Arc;

fn rejection(db: &Database, text: &str) -> Rejection {
    let error = db.transact(&data(text)).expect_err(text);
    let Error::Rejected(rejection) = error else { panic!("{text}: {error}") };
    *rejection
}

const ACCOUNTS: &str = "
    {:db/ident :account/name :db/valueType :db.type/string :db/unique :db.unique/identity}
    {:db/ident :account/sum  :db/valueType :db.type/long}
    {:db/ident :account/note :db/valueType :db.type/string}";

/// Two accounts and the function that moves money between them.
fn bank() -> Database {
    let db = Database::memory().unwrap();
    transact(&db, ACCOUNTS);
    transact(&db, "{:account/name \"a\" :account/sum 100} {:account/name \"b\" :account/sum 0}");
    db.register("bank/move", |db: &Db, args: &[Value]| {
        let [from, to, Value::Int(sum)] = args else {
            return Err("[bank/move from to sum]".into());
        };
        let sum_of = |name: &Value| -> Result<i64, FunctionError> {
            let name = name.as_text().ok_or("an account is named by text")?;
            let query = "[:find ?s . :in $ ?n :where [?e :account/name ?n] [?e :account/sum ?s]]";
            match db.q(query, &[Value::text(name)])? {
                Value::Int(sum) => Ok(sum),
                _ => Err(format!("there is no account {name}").into()),
            }
        };
        let (left, right) = (sum_of(from)? - sum, sum_of(to)? + sum);
        if left < 0 {
            return Err("the account has too little".into());
        }
        let set = |name: &Value, sum: i64| {
            let entity = Value::Vector(vec![Value::keyword("account/name"), name.clone()]);
            let add = Value::keyword("db/add");
            Value::Vector(vec![add, entity, Value::keyword("account/sum"), Value::Int(sum)])
        };
        Ok(Value::Vector(vec![set(from, left), set(to, right)]))
    });
    db
}

#[test]
fn a_function_answers_the_forms_that_stand_in_its_place() {
    let db = bank();
    let report = transact(&db, "{:account/name \"c\"} [bank/move \"a\" \"b\" 30]");
    assert_eq!(report.datoms.len(), 1 + 1 + 4);
    assert_eq!(about(&db, "[:account/name \"a\"]")[1], "account/sum 70");
    transact(&db, "[:db.fn/call bank/move \"b\" \"a\" 10]");
    transact(&db, "[:bank/move \"b\" \"a\" 20]");
    assert_eq!(about(&db, "[:account/name \"a\"]")[1], "account/sum 100");
}

#[test]
fn a_function_that_fails_refuses_the_transaction_and_says_why() {
    let db = bank();
    let (category, message) = refuse(&db, "{:account/name \"c\"} [bank/move \"a\" \"b\" 101]");
    assert_eq!(category, Category::Function);
    assert!(message.contains("too little") && message.contains("form 1"), "{message}");
    let (category, message) = refuse(&db, "[bank/steal 1]");
    assert_eq!(category, Category::Function);
    assert!(message.contains("register it"), "{message}");
}

#[test]
fn functions_may_call_functions_and_never_without_end() {
    let db = bank();
    db.register("twice", |_: &Db, args: &[Value]| {
        Ok(Value::Vector(vec![args[0].clone(), args[1].clone()]))
    });
    db.register("forever", |_: &Db, _: &[Value]| Ok(value("[[forever]]")));
    transact(
        &db,
        "[twice {:account/name \"x\"} [twice {:account/name \"y\"} {:account/name \"z\"}]]",
    );
    assert_eq!(about(&db, "[:account/name \"z\"]"), ["account/name \"z\""]);
    assert_eq!(refuse(&db, "[forever]").0, Category::Limit);
}

/// Functions that are kept in the database, as text with a hole.
struct Templates;

impl Library for Templates {
    fn find(&self, db: &Db, name: &str) -> Result<Option<Arc<dyn daodb::Function>>, FunctionError> {
        let query =
            "[:find ?text . :in $ ?name :where [?f :db/ident ?name] [?f :account/note ?text]]";
        let found = db.q(query, &[Value::keyword(name)])?;
        let Some(text) = found.as_text().map(str::to_owned) else { return Ok(None) };
        Ok(Some(Arc::new(move |_: &Db, args: &[Value]| {
            Ok(value(&text.replace('?', &args.first().ok_or("an argument")?.to_string())))
        })))
    }
}

#[test]
fn a_library_finds_functions_that_the_database_holds() {
    let db = bank();
    db.add_library(Templates);
    transact(&db, r#"{:db/ident :open :account/note "[{:account/name ? :account/sum 0}]"}"#);
    transact(&db, "[:open \"new\"]");
    assert_eq!(about(&db, "[:account/name \"new\"]"), ["account/name \"new\"", "account/sum 0"]);
}

#[test]
fn a_predicate_of_an_attribute_holds_for_every_value() {
    let db = bank();
    db.register("even?", |_: &Db, args: &[Value]| match args {
        [Value::Int(n)] => Ok(Value::Bool(n % 2 == 0)),
        _ => Err("a number".into()),
    });
    transact(&db, "{:db/id :account/sum :db.attr/preds [even?]}");
    transact(&db, "[:db/add [:account/name \"a\"] :account/sum 10]");
    let (category, message) = refuse(&db, "[:db/add [:account/name \"a\"] :account/sum 11]");
    assert_eq!(category, Category::Predicate);
    assert!(message.contains("even? answers false about 11"), "{message}");
    transact(&db, "[:db/retract :account/sum :db.attr/preds even?]");
    transact(&db, "[:db/add [:account/name \"a\"] :account/sum 11]");
    assert_eq!(
        refuse(&db, "{:db/ident :r :db/valueType :db.type/ref :db.attr/preds even?}").0,
        Category::Schema
    );
}

#[test]
fn what_is_ensured_holds_in_the_state_after() {
    let db = bank();
    db.register("solvent?", |db: &Db, args: &[Value]| {
        let query = "[:find ?s . :in $ ?e :where [?e :account/sum ?s]]";
        Ok(Value::Bool(matches!(db.q(query, args)?, Value::Int(sum) if sum >= 0)))
    });
    transact(
        &db,
        "{:db/ident :account/valid :db.entity/attrs [:account/name :account/sum] :db.entity/preds [solvent?]}",
    );
    let report = transact(&db, "{:account/name \"c\" :account/sum 5 :db/ensure :account/valid}");
    assert_eq!(report.datoms.len(), 3, "nothing is stored of it");
    let lacks = refuse(&db, "{:account/name \"d\" :db/ensure :account/valid}");
    assert_eq!(lacks.0, Category::Predicate);
    assert!(lacks.1.contains("lacks :account/sum"), "{}", lacks.1);
    let poor = refuse(
        &db,
        "[:db/add \"x\" :account/name \"c\"] {:db/id \"x\" :account/sum -1} [:db/add \"x\" :db/ensure :account/valid]",
    );
    assert!(poor.1.contains("solvent? answers false"), "{}", poor.1);
    assert_eq!(refuse(&db, "{:account/name \"d\" :db/ensure :account/sum}").0, Category::Predicate);
}

#[test]
fn tuples_of_types_hold_what_they_say() {
    let db = bank();
    transact(&db, "{:db/ident :point :db/tupleTypes [:db.type/long :db.type/string :db.type/ref]}
                   {:db/ident :row :db/tupleType :db.type/long :db/cardinality :db.cardinality/many}");
    transact(&db, "{:db/id 9000 :point [1 \"x\" [:account/name \"a\"]] :row [[1 2] [3 nil 5]]}");
    let a = db.db().unwrap().entity_id(&value("[:account/name \"a\"]")).unwrap().unwrap();
    assert_eq!(
        about(&db, "9000"),
        [format!("point [1 \"x\" {a}]"), "row [1 2]".into(), "row [3 nil 5]".into()]
    );
    for wrong in
        ["[1 \"x\"]", "[1 2 nil]", "[1 \"x\" [:account/name \"nobody\"]]", "7", "[1 \"x\" nil 4]"]
    {
        let (category, _) = refuse(&db, &format!("[:db/add 9000 :point {wrong}]"));
        assert!(matches!(category, Category::Type | Category::LookupRef), "{wrong}");
    }
    for wrong in ["[1]", "[1 2 3 4 5 6 7 8 9]", "[1 :a]"] {
        assert_eq!(
            refuse(&db, &format!("[:db/add 9000 :row {wrong}]")).0,
            Category::Type,
            "{wrong}"
        );
    }
    for wrong in [
        "{:db/ident :t :db/tupleType :db.type/tuple}",
        "{:db/ident :t :db/tupleTypes [:db.type/long :db.type/number]}",
        "{:db/ident :t :db/tupleType :db.type/long :db/tupleTypes [:db.type/long :db.type/long]}",
        "{:db/ident :t :db/valueType :db.type/long :db/tupleType :db.type/long}",
        "{:db/id :row :db/tupleType :db.type/string}",
    ] {
        assert_eq!(refuse(&db, wrong).0, Category::Schema, "{wrong}");
    }
}

#[test]
fn every_type_admits_its_own_values_and_no_others() {
    let values = [
        ("long", "1"),
        ("bigint", "123456789012345678901234567890N"),
        ("double", "1.5"),
        ("boolean", "true"),
        ("string", "\"text\""),
        ("keyword", ":a/b"),
        ("symbol", "a/b"),
        ("instant", "#inst \"2026-01-01T00:00:00Z\""),
        ("uuid", "#uuid \"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\""),
        ("bytes", "#bytes \"00ff\""),
        ("tuple", "[1 \"x\"]"),
    ];
    let db = Database::memory().unwrap();
    for (name, _) in values {
        transact(&db, &format!("{{:db/ident :{name} :db/valueType :db.type/{name}}}"));
    }
    transact(
        &db,
        "{:db/ident :uri :db/valueType :db.type/uri} {:db/ident :ref :db/valueType :db.type/ref}",
    );
    for (of, text) in values {
        let report = transact(&db, &format!("[:db/add \"x\" :{of} {text}]"));
        let stored = report.db_after().unwrap().value(report.datoms[1].v).unwrap();
        assert_eq!(stored, value(text));
        for (other, _) in values.iter().filter(|(other, _)| *other != of) {
            if (*other, of) != ("bigint", "long") {
                assert_eq!(
                    refuse(&db, &format!("[:db/add \"x\" :{other} {text}]")).0,
                    Category::Type
                );
            }
        }
    }
    transact(
        &db,
        "[:db/add \"x\" :uri \"https://example.org/a?b\"] [:db/add \"y\" :uri #uri \"urn:isbn:1\"] [:db/add \"x\" :ref \"y\"]",
    );
    assert_eq!(refuse(&db, "[:db/add \"x\" :uri \"not a uri\"]").0, Category::Type);
}

#[test]
fn a_refusal_says_the_way_to_what_is_wrong() {
    let db = bank();
    transact(
        &db,
        "{:db/ident :part :db/valueType :db.type/ref :db/isComponent true :db/cardinality :db.cardinality/many}",
    );
    let nested = rejection(
        &db,
        "{:account/name \"c\"} {:account/name \"d\" :part [{:account/note \"fine\"} {:account/sum \"five\"}]}",
    );
    assert_eq!(Value::Vector(nested.path), value("[1 :part 1 :account/sum]"));
    assert_eq!((nested.category, nested.position), (Category::Type, 1));
    assert_eq!(nested.form, value("{:account/sum \"five\"}"));
    let list = rejection(&db, "[:db/add \"x\" :account/sum \"five\"]");
    assert_eq!(Value::Vector(list.path), value("[0 3]"));
    let as_data = rejection(&db, "[:db/add \"x\" :account/sum \"five\"]").to_value();
    assert_eq!(as_data.get("path"), Some(&value("[0 3]")));
    assert_eq!(as_data.get("category"), Some(&value(":transact/type")));
}

/// The text of a refusal is for whoever wrote the form.
#[test]
fn a_refusal_says_what_to_do() {
    let db = bank();
    transact(&db, "{:db/ident :part :db/valueType :db.type/ref}");
    for (text, category, says) in [
        ("{:db/ident :x :db/valueType :db.type/float}", Category::Schema, "one of :db.type/any"),
        (
            "{:db/ident :x :db/valueType :db.type/long :db/cardinality :many}",
            Category::Schema,
            ":db.cardinality/one or :db.cardinality/many, not :many",
        ),
        (
            "{:db/ident :x :db/valueType :db.type/long :db/unique true}",
            Category::Schema,
            ":db.unique/value or :db.unique/identity, not true",
        ),
        (
            "{:db/ident :x :db/cardinality :db.cardinality/one}",
            Category::Schema,
            "state what its values are",
        ),
        ("{:db/ident :x :db/index true}", Category::Schema, "state what its values are"),
        ("{:db/id 5000 :db/noHistory true}", Category::Attribute, "is the system's; leave it out"),
        ("{:account/name \"c\" :_parts [\"c\"]}", Category::Attribute, "install it in an earlier"),
        ("{:account/name \"c\" :part {}}", Category::Tempid, "this map states nothing"),
        ("[:db/add 3 :account/sum 1]", Category::Entity, "use an id from 4096 on, or a tempid"),
    ] {
        let (found, message) = refuse(&db, text);
        assert_eq!(found, category, "{text}: {message}");
        assert!(message.contains(says), "{text}: {message}");
    }
    // Names and docs are for anybody.
    transact(&db, "{:db/ident :color/red :db/doc \"a colour\"}");
}

/// Nobody stated a tuple, but somebody its parts.
#[test]
fn a_tuple_that_is_taken_is_refused_where_its_parts_are_stated() {
    let db = bank();
    transact(
        &db,
        "{:db/ident :x :db/valueType :db.type/long} {:db/ident :y :db/valueType :db.type/long}
         {:db/ident :x+y :db/tupleAttrs [:x :y] :db/unique :db.unique/value}
         {:db/ident :same :db/tupleAttrs [:x :y]}",
    );
    transact(&db, "{:x 1 :y 2} {:db/id 5001 :y 2}");
    let taken = rejection(&db, "{:account/name \"c\"} {:db/id 5001 :account/sum 7 :x 1}");
    assert_eq!((taken.category, taken.position), (Category::Unique, 1));
    assert_eq!(taken.form, value("{:db/id 5001 :account/sum 7 :x 1}"));
    transact(&db, "[:db/retract :x+y :db/unique]");
    transact(&db, "{:x 1 :y 2}");
    let late = "{:account/name \"c\"} {:db/ident :late :db/tupleAttrs [:x :y] :db/unique :db.unique/value}";
    let taken = rejection(&db, late);
    assert_eq!((taken.category, taken.position), (Category::Unique, 1));
}

/// Ids are given in ascending order, behind the largest that was stated.
#[test]
fn nobody_can_use_up_the_ids_of_entities() {
    let db = bank();
    let last = datom::id::TX_BASE - 1;
    let sum = db.db().unwrap().attribute_named(&"account/sum".into()).unwrap().id;
    let refused = |error: Error| error.rejection().map(|rejection| rejection.category);
    for text in [
        format!("[:db/add {last} :account/sum 1]"),
        format!("[:db/add {} :account/sum 1] {{:account/note \"x\"}}", last / 2 + 1),
        format!("{{:db/id {last} :account/name \"last\"}}"),
    ] {
        let (category, message) = refuse(&db, &text);
        assert_eq!(category, Category::Entity, "{text}");
        assert!(message.contains("the database's to give"), "{message}");
    }
    let loaded = db.load(&[Statement::new(last, sum, 1)], &TransactOptions::default());
    assert_eq!(refused(loaded.unwrap_err()), Some(Category::Entity));
    // The largest that can be made up leaves as many again; those are known once they are given.
    transact(&db, &format!("[:db/add {} :account/sum 1]", last / 2));
    let given = transact(&db, "{:db/id \"t\" :account/sum 2}").tempids[&Value::text("t")];
    assert_eq!(given, last / 2 + 1);
    transact(&db, &format!("[:db/add {given} :account/sum 3]"));
    assert_eq!(about(&db, &given.to_string()), ["account/sum 3"]);
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn what_is_speculated_can_be_gone_on_from_and_leaves_no_trace() {
    let db = bank();
    let now = db.db().unwrap();
    let before = facts(&now.history());
    let mut last = now.clone();
    for number in 0..60 {
        let text = format!(
            "{{:account/name \"a name that is long enough {number}\" :account/sum {number}}}
             [bank/move \"a\" \"b\" 1]"
        );
        last = last.with(&data(&text)).unwrap().db_after().unwrap();
    }
    assert_eq!(last.basis(), now.basis() + 60);
    let sum = "[:find ?s . :where [?e :account/name \"a\"] [?e :account/sum ?s]]";
    assert_eq!(last.q(sum, &[]).unwrap(), Value::Int(40));
    let count = "[:find (count ?e) . :where [?e :account/name]]";
    assert_eq!(last.q(count, &[]).unwrap(), Value::Int(62));
    assert_eq!(last.as_of(now.basis() + 10).q(count, &[]).unwrap(), Value::Int(12));
    assert_eq!(last.as_of(now.basis()).q(sum, &[]).unwrap(), Value::Int(100));
    // Words of one speculation mean nothing to another: queries over both compare values.
    let other = now
        .with(&data("{:account/name \"a name that is long enough 3\"}"))
        .unwrap()
        .db_after()
        .unwrap();
    let shared = daodb::Query::parse(
        "[:find [?n ...] :in $ $other :where [?e :account/name ?n] [$other ?o :account/name ?n]]",
    )
    .unwrap();
    let found = last.query(&shared, &[other.into()]).unwrap().to_value();
    assert_eq!(found.as_slice().unwrap().len(), 3);
    drop(last);
    assert_eq!(facts(&db.db().unwrap().history()), before);
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn a_speculation_is_what_the_transaction_then_does() {
    let db = bank();
    let text = "{:db/id \"t\" :account/name \"c\" :account/note \"a text of more than seven bytes\"} [:db/retractEntity [:account/name \"b\"]]
                {:db/ident :later :db/valueType :db.type/string :db/index true}";
    let thought = db.db().unwrap().with(&data(text)).unwrap();
    let made = transact(&db, text);
    assert_eq!(changes(&thought), changes(&made));
    assert_eq!(thought.tempids, made.tempids);
    let (mut one, mut other) =
        (facts(&thought.db_after().unwrap().history()), facts(&made.db_after().unwrap().history()));
    one.retain(|fact| fact.1 != "db/txInstant");
    other.retain(|fact| fact.1 != "db/txInstant");
    assert_eq!(one, other);
    assert!(thought.db_after().unwrap().attribute_named(&"later".into()).is_some());
    for view in [db.db().unwrap().as_of(1), db.db().unwrap().history(), db.db().unwrap().since(1)] {
        let error = view.with(&data("{:account/name \"d\"}")).unwrap_err();
        assert_eq!(error.rejection().unwrap().category, Category::View);
    }
}

#[test]
fn the_state_after_is_exact_whoever_commits_next() {
    let db = Database::memory().unwrap();
    transact(&db, ACCOUNTS);
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let db = db.clone();
            scope.spawn(move || {
                for number in 0..100 {
                    let text = format!("{{:account/name \"writer {writer} number {number}\"}}");
                    let report = db.transact(&data(&text)).unwrap();
                    assert_eq!(report.db_after().unwrap().basis(), report.t);
                    assert!(report.db_after().unwrap().is_present());
                    let count = "[:find (count ?e) . :where [?e :account/name]]";
                    let after = report.db_after().unwrap().q(count, &[]).unwrap();
                    assert_eq!(after, Value::Int(report.t as i64 - 1));
                    let e = Word::entity(report.datoms[1].e);
                    let found = report
                        .db_after()
                        .unwrap()
                        .datoms(Index::Eavt, &[e])
                        .unwrap()
                        .next()
                        .unwrap()
                        .unwrap();
                    assert_eq!(
                        report.db_after().unwrap().value(found.v).unwrap(),
                        report.db_after().unwrap().value(report.datoms[1].v).unwrap()
                    );
                }
            });
        }
    });
}

#[test]
fn the_schema_changes_where_the_facts_allow_it() {
    let db = bank();
    transact(
        &db,
        "{:db/id [:account/name \"a\"] :account/note \"same\"} {:db/id [:account/name \"b\"] :account/note \"same\"}",
    );
    for allowed in [
        "{:db/id :account/sum :db/index true}",
        "{:db/id :account/note :db/cardinality :db.cardinality/many}",
        "{:db/id :account/note :db/cardinality :db.cardinality/one}",
        "{:db/id :account/sum :db/unique :db.unique/value}",
        "[:db/retract :account/sum :db/unique :db.unique/value]",
        "{:db/id :account/name :db/unique :db.unique/value}",
        "{:db/id :account/name :db/unique :db.unique/identity}",
        "{:db/id :account/sum :db/ident :account/balance}",
        "{:db/id :account/balance :db/doc \"What is left.\"}",
    ] {
        transact(&db, allowed);
        assert!(db.verify().unwrap().is_clean(), "{allowed}");
    }
    for (refused, why) in [
        ("{:db/id :account/note :db/unique :db.unique/value}", "several entities have"),
        ("{:db/id :account/balance :db/valueType :db.type/string}", "for good"),
        ("[:db/retract :account/balance :db/ident :account/balance]", "cannot lose its name"),
        ("[:db/retractEntity :account/balance]", "for good"),
        ("{:db/id :account/balance :db/isComponent true}", "only a reference"),
        ("{:db/ident :db/mine :db/valueType :db.type/long}", "belong to the system"),
    ] {
        let (category, message) = refuse(&db, refused);
        assert_eq!(category, Category::Schema, "{refused}");
        assert!(message.contains(why), "{refused}: {message}");
    }
}
