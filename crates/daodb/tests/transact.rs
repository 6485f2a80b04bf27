//! What transactions mean, form by form.

mod common;

use std::collections::BTreeSet;

use common::{about, changes, data, refuse, transact, value};
use daodb::parts::Storage;
use daodb::{Category, Database, Index, TransactOptions};
use datom::{Value, Word, id};
use proptest::prelude::*;

const SCHEMA: &str = "
    {:db/ident :k     :db/valueType :db.type/string :db/unique :db.unique/identity}
    {:db/ident :k2    :db/valueType :db.type/string :db/unique :db.unique/identity}
    {:db/ident :uv    :db/valueType :db.type/long   :db/unique :db.unique/value}
    {:db/ident :name  :db/valueType :db.type/string}
    {:db/ident :age   :db/valueType :db.type/long :db/index true}
    {:db/ident :many  :db/valueType :db.type/string :db/cardinality :db.cardinality/many}
    {:db/ident :ref   :db/valueType :db.type/ref}
    {:db/ident :refs  :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}
    {:db/ident :comp  :db/valueType :db.type/ref :db/isComponent true}
    {:db/ident :a     :db/valueType :db.type/string}
    {:db/ident :b     :db/valueType :db.type/string}
    {:db/ident :a+b   :db/tupleAttrs [:a :b] :db/unique :db.unique/identity}
    {:db/ident :r+b   :db/tupleAttrs [:ref :b] :db/unique :db.unique/identity}
    {:db/ident :any   :db/valueType :db.type/any}
    {:db/ident :color/red} {:db/ident :color/blue}
    {:db/ident :color :db/valueType :db.type/ref}
    {:db/ident :tx/note :db/valueType :db.type/string}";

/// Entities 5001 to 5005, as in the cases that other engines answered.
const FIXTURE: &str = r#"
    {:db/id 5001 :k "one" :k2 "I" :name "n1" :age 1 :uv 1 :many ["x" "y"]}
    {:db/id 5002 :k "two" :k2 "II" :name "n2" :age 2 :uv 2 :ref 5001}
    {:db/id 5003 :k "three" :name "n3" :refs [5001 5002] :comp 5004}
    {:db/id 5004 :name "part" :comp 5005}
    {:db/id 5005 :name "subpart"}"#;

fn fixture() -> Database {
    let db = Database::memory().unwrap();
    transact(&db, SCHEMA);
    transact(&db, FIXTURE);
    db
}

/// The changes that a transaction makes on the fixture, new entities named `new`.
#[track_caller]
fn makes(text: &str, expected: &[&str]) {
    let db = fixture();
    let next = transact(&db, "{:name \"the next entity's number is one more\"}").datoms[1].e + 1;
    let report = transact(&db, text);
    let found: BTreeSet<String> = changes(&report)
        .into_iter()
        .map(|change| change.replace(&next.to_string(), "new"))
        .collect();
    let expected: BTreeSet<String> = expected.iter().map(|change| (*change).to_owned()).collect();
    assert_eq!(found, expected, "{text}");
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn a_fact_is_stated_once() {
    makes("[:db/add 5009 :name \"new\"]", &["+5009 name \"new\""]);
    makes("[:db/add 5001 :name \"n1\"]", &[]);
    makes(
        "{:db/id 5001 :many [\"x\" \"w\"] :ref 5002}",
        &["+5001 many \"w\"", "+5001 ref 5002", "+5001 r+b [5002 nil]"],
    );
    makes("{:db/id 5001 :many []}", &[]);
}

#[test]
fn a_new_value_replaces_that_of_cardinality_one_and_joins_those_of_many() {
    makes("[:db/add 5001 :name \"changed\"]", &["-5001 name \"n1\"", "+5001 name \"changed\""]);
    makes("[:db/add 5001 :many \"z\"]", &["+5001 many \"z\""]);
}

#[test]
fn retractions_withdraw_what_holds() {
    makes("[:db/retract 5001 :name \"n1\"]", &["-5001 name \"n1\""]);
    makes("[:db/retract 5001 :name \"other\"]", &[]);
    makes("[:db/retract 5001 :many]", &["-5001 many \"x\"", "-5001 many \"y\""]);
    makes("[:db.fn/retractAttribute 5001 :many]", &["-5001 many \"x\"", "-5001 many \"y\""]);
    makes("[:db/retract [:k \"one\"] :age 1]", &["-5001 age 1"]);
}

#[test]
fn an_entity_goes_with_its_parts_and_with_what_refers_to_it() {
    makes(
        "[:db/retractEntity 5001]",
        &[
            "-5001 k \"one\"",
            "-5001 k2 \"I\"",
            "-5001 name \"n1\"",
            "-5001 age 1",
            "-5001 uv 1",
            "-5001 many \"x\"",
            "-5001 many \"y\"",
            "-5002 ref 5001",
            "-5003 refs 5001",
            "-5002 r+b [5001 nil]",
        ],
    );
    makes(
        "[:db/retractEntity [:k \"three\"]]",
        &[
            "-5003 k \"three\"",
            "-5003 name \"n3\"",
            "-5003 refs 5001",
            "-5003 refs 5002",
            "-5003 comp 5004",
            "-5004 name \"part\"",
            "-5004 comp 5005",
            "-5005 name \"subpart\"",
        ],
    );
    makes("[:db/retractEntity 5999]", &[]);
}

#[test]
fn tempids_become_entities() {
    makes("{:db/id \"t\" :name \"t\"}", &["+new name \"t\""]);
    makes(
        "{:db/id -1 :name \"t\"} [:db/add 5001 :ref -1]",
        &["+new name \"t\"", "+5001 ref new", "+5001 r+b [new nil]"],
    );
    let db = fixture();
    let report = transact(
        &db,
        "{:db/id \"a\" :name \"a\" :refs [\"b\" -7]} {:db/id \"b\" :name \"b\"} [:db/add -7 :name \"c\"]",
    );
    let names = [value("\"a\""), value("\"b\""), value("-7")];
    let found: BTreeSet<u64> = names.iter().map(|name| report.tempids[name]).collect();
    assert_eq!(found.len(), 3);
    assert_eq!(about(&db, &report.tempids[&names[0]].to_string())[0], "name \"a\"");
}

#[test]
fn a_tempid_of_which_nothing_is_stated_is_refused() {
    let (category, message) = refuse(&fixture(), "[:db/add 5001 :ref \"nobody\"]");
    assert_eq!(category, Category::Tempid);
    assert!(message.contains("nobody"), "{message}");
}

#[test]
fn nested_maps_are_entities_and_backward_attributes_state_the_other_way() {
    let db = fixture();
    let report =
        transact(&db, "{:name \"outer\" :ref {:name \"inner\" :comp {:name \"innermost\"}}}");
    assert_eq!(report.datoms.iter().filter(|datom| datom.added()).count(), 1 + 3 + 2 + 1);
    makes("{:db/id 5002 :_ref 5003}", &["+5003 ref 5002", "+5003 r+b [5002 nil]"]);
    makes("{:db/id 5005 :_refs [5001 [:k \"two\"]]}", &["+5001 refs 5005", "+5002 refs 5005"]);
}

#[test]
fn nesting_costs_no_stack() {
    let db = fixture();
    let deep = (0..400)
        .fold(Value::map([(Value::keyword("name"), Value::text("end"))]), |inner, _| {
            Value::map([(Value::keyword("comp"), inner)])
        });
    assert_eq!(db.transact(&[deep]).unwrap().datoms.len(), 402);
}

#[test]
fn a_stated_identity_means_the_entity_that_has_it() {
    makes("{:k \"one\" :age 11}", &["-5001 age 1", "+5001 age 11"]);
    makes("{:db/id -1 :k \"one\" :age 11}", &["-5001 age 1", "+5001 age 11"]);
    makes("{:db/id -1 :k \"fresh\" :age 11}", &["+new k \"fresh\"", "+new age 11"]);
    makes("{:k \"one\" :k2 \"I\" :age 5}", &["-5001 age 1", "+5001 age 5"]);
    makes("{:k \"one\" :k2 \"fresh\"}", &["-5001 k2 \"I\"", "+5001 k2 \"fresh\""]);
    makes("[:db/add -1 :k \"one\"] [:db/add -1 :age 9]", &["-5001 age 1", "+5001 age 9"]);
    makes("{:db/id 5001 :k \"renamed\"}", &["-5001 k \"one\"", "+5001 k \"renamed\""]);
    let db = fixture();
    assert_eq!(transact(&db, "{:db/id -1 :k \"one\" :age 11}").tempids[&value("-1")], 5001);
    let (category, _) = refuse(&db, "{:k \"one\" :k2 \"II\"}");
    assert_eq!(category, Category::Tempid, "identities of two entities");
}

#[test]
fn two_tempids_with_one_new_identity_are_one_entity() {
    makes(
        "{:db/id \"x\" :k \"fresh\" :age 1} {:db/id \"y\" :k \"fresh\" :name \"both\"}",
        &["+new k \"fresh\"", "+new age 1", "+new name \"both\""],
    );
}

/// Each link is named by the one before; the root by a number.
fn chain(names: &str, links: usize) -> Vec<Value> {
    let link = |number: usize| Value::text(&format!("{names}{number}"));
    let mut forms: Vec<Value> = (1..links)
        .map(|number| {
            Value::map([
                (Value::keyword("db/id"), link(number)),
                (Value::keyword("up"), link(number - 1)),
            ])
        })
        .collect();
    forms.push(Value::map([
        (Value::keyword("db/id"), link(0)),
        (Value::keyword("root"), Value::Int(1)),
    ]));
    // Furthest from the root first: the most that is learnt late.
    forms[..links - 1].reverse();
    forms
}

#[test]
fn identities_name_each_other_in_long_chains() {
    const LINKS: usize = 300;
    let db = Database::memory().unwrap();
    transact(
        &db,
        "{:db/ident :up :db/valueType :db.type/ref :db/unique :db.unique/identity}
         {:db/ident :root :db/valueType :db.type/long :db/unique :db.unique/identity}",
    );
    let twice = [chain("a", LINKS), chain("b", LINKS)].concat();
    let made = db.transact(&twice).unwrap();
    assert_eq!(made.datoms.len(), 1 + LINKS, "one of each, and the instant");
    for number in 0..LINKS {
        let [a, b] =
            ["a", "b"].map(|names| made.tempids[&Value::text(&format!("{names}{number}"))]);
        assert_eq!(a, b, "link {number}");
    }
    let again = db.transact(&chain("c", LINKS)).unwrap();
    assert_eq!(again.datoms.len(), 1, "nothing but the instant");
    for number in 0..LINKS {
        let [a, c] = [(&made, "a"), (&again, "c")]
            .map(|(report, names)| report.tempids[&Value::text(&format!("{names}{number}"))]);
        assert_eq!(a, c, "link {number}");
    }
    assert!(db.verify().unwrap().is_clean());
}

proptest! {
    /// Whatever tempids state of numbers and of each other: who is one entity with whom, and
    /// whether the transaction is refused, does not hang on the order of its forms.
    #[test]
    fn tempids_are_the_same_entities_in_any_order(
        forms in proptest::collection::vec((0..8_usize, 0..3_usize, 0..8_i64), 1..14)
            .prop_flat_map(|forms| (Just(forms.clone()), Just(forms).prop_shuffle())),
    ) {
        let db = Database::memory().unwrap();
        transact(
            &db,
            "{:db/ident :up :db/valueType :db.type/ref :db/unique :db.unique/identity
              :db/cardinality :db.cardinality/many}
             {:db/ident :n :db/valueType :db.type/long :db/unique :db.unique/identity
              :db/cardinality :db.cardinality/many}",
        );
        transact(&db, "{:db/id 5001 :n 0 :up 5002} {:db/id 5002 :n 1 :up 5001}");
        let (one, other) = forms;
        let outcome = |forms: &[(usize, usize, i64)]| {
            let text: String = forms
                .iter()
                .map(|(t, a, v)| match a {
                    0 => format!("[:db/add \"t{t}\" :n {v}]"),
                    1 => format!("[:db/add \"t{t}\" :up \"t{v}\"] [:db/add \"t{v}\" :n {}]", v + 10),
                    _ => format!("[:db/add \"t{t}\" :up {}]", 5001 + v % 2),
                })
                .collect();
            // Refused or made elsewhere: the fixture stays for the other order.
            let fresh = Database::memory().unwrap();
            for frame in db.frames(1, u64::MAX).unwrap() {
                Storage::publish(&fresh, &frame.unwrap()).unwrap();
            }
            let report = fresh.transact(&data(&text)).ok()?;
            assert!(fresh.verify().unwrap().is_clean());
            let classes: BTreeSet<BTreeSet<String>> = report
                .tempids
                .values()
                .map(|entity| {
                    let same = report.tempids.iter().filter(|(_, other)| *other == entity);
                    let mut class: BTreeSet<String> = same.map(|(name, _)| name.to_string()).collect();
                    // The two that were there before are told apart.
                    class.extend((*entity <= 5002).then(|| entity.to_string()));
                    class
                })
                .collect();
            Some((classes, report.datoms.len()))
        };
        prop_assert_eq!(outcome(&one), outcome(&other));
    }
}

#[test]
fn lookup_refs_name_entities_everywhere() {
    makes("{:db/id [:k \"one\"] :age 7}", &["-5001 age 1", "+5001 age 7"]);
    makes(
        "[:db/add 5002 :ref [:k \"three\"]]",
        &["-5002 ref 5001", "+5002 ref 5003", "-5002 r+b [5001 nil]", "+5002 r+b [5003 nil]"],
    );
    makes(
        "{:db/id 5001 :refs [[:k \"two\"] [:k \"three\"]]}",
        &["+5001 refs 5002", "+5001 refs 5003"],
    );
    makes("{:db/id 5001 :refs [:k \"two\"]}", &["+5001 refs 5002"]);
    makes("{:db/id 5001 :color :color/red}", &[&format!("+5001 color {}", red())]);
    let db = fixture();
    let missing = refuse(&db, "[:db/add [:k \"zzz\"] :age 7]");
    assert_eq!(missing.0, Category::LookupRef);
    let not_unique = refuse(&db, "{:db/id [:name \"n1\"] :age 7}");
    assert_eq!(not_unique.0, Category::LookupRef);
    assert!(not_unique.1.contains(":db/unique"), "{}", not_unique.1);
}

fn red() -> u64 {
    fixture().db().unwrap().ident(&"color/red".into()).unwrap().unwrap()
}

#[test]
fn unique_values_have_one_owner() {
    let db = fixture();
    for text in ["{:uv 1}", "{:db/id 5002 :uv 1}", "{:uv 7} {:uv 7}"] {
        let (category, message) = refuse(&db, text);
        assert_eq!(category, Category::Unique, "{message}");
    }
    makes("{:db/id 5001 :uv 1}", &[]);
    makes(
        "[:db/add 5001 :uv 2] [:db/add 5002 :uv 1]",
        &["-5001 uv 1", "-5002 uv 2", "+5001 uv 2", "+5002 uv 1"],
    );
}

#[test]
fn compare_and_swap() {
    makes("[:db/cas 5001 :age 1 10]", &["-5001 age 1", "+5001 age 10"]);
    makes("[:db.fn/cas [:k \"one\"] :age 1 10]", &["-5001 age 1", "+5001 age 10"]);
    makes("[:db/cas 5003 :age nil 10]", &["+5003 age 10"]);
    makes("[:db.fn/cas 5001 :many \"x\" \"q\"]", &["+5001 many \"q\""]);
    let db = fixture();
    let (category, message) = refuse(&db, "[:db/add 5001 :name \"new\"] [:db/cas 5001 :age 2 10]");
    assert_eq!(category, Category::Cas);
    assert!(message.contains("is 1, not what"), "{message}");
    assert_eq!(refuse(&db, "[:db/cas 5001 :age nil 10]").0, Category::Cas);
}

#[test]
fn forms_that_contradict_each_other_are_refused_in_any_order() {
    let db = fixture();
    for text in [
        "[:db/add 5001 :age 2] [:db/add 5001 :age 3]",
        "[:db/add 5001 :age 2] [:db/retract 5001 :age 2]",
        "[:db/retract 5001 :age 1] [:db/add 5001 :age 1]",
        "[:db/retractEntity 5001] [:db/add 5001 :age 1]",
        "[:db/cas 5001 :age 1 5] [:db/add 5001 :age 6]",
    ] {
        assert_eq!(refuse(&db, text).0, Category::Conflict, "{text}");
    }
    makes("[:db/retract 5001 :age 1] [:db/add 5001 :age 2]", &["-5001 age 1", "+5001 age 2"]);
}

#[test]
fn the_transaction_is_an_entity() {
    for name in ["\"datomic.tx\"", ":db/current-tx"] {
        let db = fixture();
        let report = transact(
            &db,
            &format!("{{:db/id {name} :tx/note \"why\"}} [:db/add 5001 :ref {name}]"),
        );
        assert_eq!(report.tx(), id::transaction(report.t));
        let found = about(&db, &report.tx().to_string());
        assert_eq!(found.len(), 2);
        assert_eq!(found[1], "tx/note \"why\"");
        assert_eq!(report.datoms[0].e, report.tx(), "its instant comes first");
    }
    let db = fixture();
    transact(&db, &format!("{{:db/id {} :tx/note \"afterthought\"}}", id::transaction(2)));
    assert_eq!(
        refuse(&db, &format!("{{:db/id {} :tx/note \"x\"}}", id::transaction(9))).0,
        Category::Entity
    );
}

#[test]
fn an_empty_transaction_is_one() {
    let db = fixture();
    let before = db.db().unwrap().basis();
    let report = transact(&db, "");
    assert_eq!((report.t, report.datoms.len()), (before + 1, 1));
}

#[test]
fn time_only_goes_on() {
    let db = Database::memory().unwrap();
    let first = "{:db/id \"datomic.tx\" :db/txInstant #inst \"2020-01-01\"}";
    let report = transact(&db, first);
    assert_eq!(report.instant, 1_577_836_800_000_000);
    transact(&db, "{:db/id \"datomic.tx\" :db/txInstant #inst \"2021-01-01\"}");
    for (text, why) in [
        ("{:db/id \"datomic.tx\" :db/txInstant #inst \"2019-01-01\"}", "before that of"),
        ("{:db/id \"datomic.tx\" :db/txInstant #inst \"9999-01-01\"}", "in the future"),
        ("{:db/id 5001 :db/txInstant #inst \"2021-01-01\"}", "this transaction"),
        ("[:db/retract 288230376151711745 :db/txInstant]", "never changes"),
        ("[:db/retractEntity 288230376151711745]", "never changes"),
    ] {
        let (category, message) = refuse(&db, text);
        assert_eq!(category, Category::Instant, "{message}");
        assert!(message.contains(why), "{message}");
    }
    let now = db.db().unwrap();
    let at = |text: &str| {
        let Value::Instant(micros) = value(text) else { panic!("{text}") };
        now.t_at(micros).unwrap()
    };
    assert_eq!(at("#inst \"2019-12-31\""), 0);
    assert_eq!(at("#inst \"2020-01-01\""), 1);
    assert_eq!(at("#inst \"2020-06-01\""), 1);
    assert_eq!(at("#inst \"2022-01-01\""), 2);
    let next = transact(&db, "").instant;
    assert!(next > now.instant());
}

#[test]
fn tuples_follow_their_parts() {
    makes(
        "{:db/id 5001 :a \"A\" :b \"B\"}",
        &["+5001 a \"A\"", "+5001 b \"B\"", "+5001 a+b [\"A\" \"B\"]", "+5001 r+b [nil \"B\"]"],
    );
    let db = fixture();
    transact(&db, "{:db/id 5001 :a \"A\" :b \"B\"}");
    let report = transact(&db, "[:db/retract 5001 :b \"B\"]");
    let expected = [
        "-5001 b \"B\"",
        "-5001 a+b [\"A\" \"B\"]",
        "+5001 a+b [\"A\" nil]",
        "-5001 r+b [nil \"B\"]",
    ];
    assert_eq!(changes(&report), expected.map(str::to_owned).into());
    let report = transact(&db, "[:db/retract 5001 :a]");
    assert!(changes(&report).contains("-5001 a+b [\"A\" nil]"));
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn tuples_name_entities() {
    let db = fixture();
    transact(&db, "{:db/id 5001 :a \"A\" :b \"B\"}");
    // Through the parts, or as a whole.
    transact(&db, "{:a \"A\" :b \"B\" :age 33}");
    transact(&db, "{:a+b [\"A\" \"B\"] :name \"renamed\"}");
    transact(&db, "{:db/id [:a+b [\"A\" \"B\"]] :many \"z\"}");
    let found = about(&db, "[:a+b [\"A\" \"B\"]]");
    assert!(found.contains(&"age 33".to_owned()) && found.contains(&"name \"renamed\"".to_owned()));
    assert_eq!(refuse(&db, "{:db/id 5002 :a \"A\" :b \"B\"}").0, Category::Unique);
    for text in [
        "{:db/id 5001 :a+b [\"X\" \"Y\"]}",
        "{:a+b [\"X\" \"Y\"] :name \"new\"}",
        "[:db/retract 5001 :a+b]",
    ] {
        assert_eq!(refuse(&db, text).0, Category::Tuple, "{text}");
    }
    // A part may be named like any entity, in the tuple as well.
    transact(&db, "{:db/id 5002 :ref [:k \"three\"] :b \"R\"}");
    assert_eq!(about(&db, "[:r+b [[:k \"three\"] \"R\"]]")[0], "k \"two\"");
    // Without one part there is no name yet.
    transact(&db, "{:a \"half\"} {:a \"half\"}");
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn new_entities_with_one_tuple_are_one_entity_though_a_part_is_new_as_well() {
    let db = fixture();
    let report = transact(
        &db,
        "{:db/id \"p\" :ref {:db/id \"target\" :k \"fresh\"} :b \"v\"}
         {:db/id \"q\" :ref {:k \"fresh\" :name \"same\"} :b \"v\" :age 5}",
    );
    assert_eq!(report.tempids[&value("\"p\"")], report.tempids[&value("\"q\"")]);
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn a_tuple_installed_late_covers_what_is_there() {
    let db = fixture();
    transact(&db, "{:db/ident :n+a :db/tupleAttrs [:name :age] :db/unique :db.unique/identity}");
    assert_eq!(about(&db, "[:n+a [\"n1\" 1]]")[0], "k \"one\"");
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn values_have_their_attributes_type() {
    let db = fixture();
    for text in [
        "[:db/add 5001 :age \"1\"]",
        "[:db/add 5001 :age 1.0]",
        "[:db/add 5001 :name :keyword]",
        "[:db/add 5001 :a+b [1]]",
    ] {
        assert_eq!(refuse(&db, text).0, Category::Type, "{text}");
    }
    for text in ["[:db/add 5001 :name nil]", "{:db/id 5001 :ref nil}", "[:db/add 5001 nil 1]"] {
        assert_eq!(refuse(&db, text).0, Category::Syntax, "{text}");
    }
    let (category, message) = refuse(&db, "[:db/add 5001 :no/such 1]");
    assert_eq!(category, Category::Attribute);
    assert!(message.contains("install"), "{message}");
}

#[test]
fn an_attribute_of_any_type_holds_any_value() {
    let db = fixture();
    for text in [
        "nil",
        "\"x\"",
        "1.5",
        "1e300",
        "\\c",
        "[1 [2 {:a #{nil}}]]",
        "12345678901234567890123",
        "sym",
        "#uuid \"00000000-0000-0000-0000-000000000001\"",
        "()",
    ] {
        transact(&db, &format!("[:db/add 5001 :any {text}]"));
        let found = about(&db, "5001");
        assert!(found.contains(&format!("any {}", value(text))), "{text}: {found:?}");
    }
    assert!(db.verify().unwrap().is_clean());
}

#[test]
fn values_that_no_word_can_stand_for_are_refused() {
    let db = fixture();
    let deep = (0..=Value::DEPTH_MAX).fold(Value::Nil, |inner, _| Value::Vector(vec![inner]));
    for value in [deep, Value::Instant(i64::MAX), Value::Ref(u64::MAX)] {
        let form = vec![Value::keyword("db/add"), Value::Int(5001), Value::keyword("any"), value];
        let error = db.transact(&[Value::Vector(form)]).unwrap_err();
        assert_eq!(error.rejection().unwrap().category, Category::Type, "{error}");
    }
}

#[test]
fn equal_values_have_equal_words() {
    let db = fixture();
    let long = "\"a text that no word can hold\"";
    transact(&db, &format!("{{:db/id 5001 :name {long}}} {{:db/id 5002 :name {long}}}"));
    let now = db.db().unwrap();
    let word = now.word(&value(long)).unwrap().unwrap();
    let attribute = now.attribute_named(&"name".into()).unwrap().id;
    let datoms = now.datoms(Index::Aevt, &[Word::entity(attribute)]).unwrap();
    assert_eq!(datoms.filter(|datom| datom.as_ref().unwrap().v == word).count(), 2);
    assert_eq!(now.word(&value("\"never stored anywhere\"")).unwrap(), None);
}

#[test]
fn forms_that_are_none_are_refused_with_their_place() {
    let db = fixture();
    for text in [
        "17",
        ":db/add",
        "[]",
        "[:db/add 1]",
        "[:nonsense 1 2 3]",
        "[\"db/add\" 1 2 3]",
        "[:db/retract 5001]",
        "[:db/cas 5001 :age 1]",
    ] {
        assert_eq!(refuse(&db, text).0, Category::Syntax, "{text}");
    }
    let error =
        db.transact(&common::data("{:name \"fine\"} [:db/add 5001 :age \"x\"]")).unwrap_err();
    let rejection = error.rejection().unwrap();
    assert_eq!(rejection.position, 1);
    assert_eq!(rejection.form, value("[:db/add 5001 :age \"x\"]"));
    assert_eq!(rejection.to_value().get("category"), Some(&Value::keyword("transact/type")));
    for text in ["[:db/add 3 :age 1]", "[:db/add 1152921504606846976 :age 1]"] {
        assert!(
            matches!(
                refuse(&db, text).0,
                Category::Entity | Category::LookupRef | Category::Schema
            ),
            "{text}"
        );
    }
}

#[test]
fn every_datom_can_name_its_reason() {
    let db = fixture();
    let options = TransactOptions::new().metadata(Value::text("datomic.tx"));
    let report = db.transact_with(&common::data("[:db/add 5001 :age 9]"), &options).unwrap();
    assert!(report.datoms.iter().all(|datom| datom.metadata() == Some(report.tx())));
    assert_eq!(report.datoms.iter().filter(|datom| datom.added()).count(), 2);
    assert!(db.verify().unwrap().is_clean());
    let late = db.db().unwrap().as_of(report.t - 1);
    assert_eq!(about(&db, "5001").iter().filter(|fact| fact.starts_with("age")).count(), 1);
    assert_eq!(late.datoms(Index::Eavt, &[Word::entity(5001)]).unwrap().count(), 7);
}

mod schema {
    use super::*;

    #[track_caller]
    fn refused(text: &str, why: &str) {
        let (category, message) = refuse(&fixture(), text);
        assert_eq!(category, Category::Schema, "{message}");
        assert!(message.contains(why), "{message}");
    }

    #[test]
    fn attributes_are_data() {
        let db = fixture();
        let now = db.db().unwrap();
        let attribute = now.attribute_named(&"k".into()).unwrap();
        assert_eq!(about(&db, ":k")[0], "db/ident :k");
        assert_eq!(now.ident_of(attribute.id).unwrap(), Some("k".into()));
    }

    #[test]
    fn an_attribute_can_be_used_from_the_next_transaction_on() {
        let text = "{:db/ident :fresh :db/valueType :db.type/long} {:fresh 1}";
        assert_eq!(refuse(&fixture(), text).0, Category::Attribute);
    }

    #[test]
    fn what_would_make_stored_facts_wrong_is_refused() {
        refused("[:db/add :age :db/valueType :db.type/string]", "for good");
        refused("[:db/retract :age :db/valueType]", "cannot lose");
        refused("[:db/retractEntity :age]", "cannot lose");
        refused("[:db/add :many :db/cardinality :db.cardinality/one]", "has several");
        refused("{:db/ident :a+b :db/tupleAttrs [:b :a]}", "keeps its parts");
        refused("{:db/ident :a :db/cardinality :db.cardinality/many}", "composite");
        refused("{:db/ident :x :db/tupleAttrs [:many :a]}", "many values");
        refused("{:db/ident :x :db/tupleAttrs [:nope :a]}", "no attribute");
        refused("{:db/ident :x :db/valueType :db.type/long :db/isComponent true}", "component");
        refused(
            "{:db/ident :x :db/cardinality :db/doc :db/valueType :db.type/long}",
            "cardinality",
        );
        refused("{:db/ident :db/mine}", "system");
        refused("[:db/add :db/ident :db/doc \"mine\"]", "built-in");
        refused(
            "{:db/ident :x :db/valueType :db.type/long} [:db/add :db.type/long :db/doc \"mine\"]",
            "built-in",
        );
        refused("{:db/ident :_x :db/valueType :db.type/ref}", "backwards");
        refused("{:db/valueType :db.type/long}", ":db/ident");
    }

    #[test]
    fn uniqueness_is_granted_where_values_are() {
        let db = fixture();
        transact(&db, "{:db/ident :name :db/unique :db.unique/identity}");
        assert_eq!(about(&db, "[:name \"n1\"]")[0], "k \"one\"");
        transact(&db, "[:db/add 5001 :a \"same\"] [:db/add 5002 :a \"same\"]");
        let (category, message) = refuse(&db, "{:db/ident :a :db/unique :db.unique/value}");
        assert_eq!(category, Category::Schema);
        assert!(message.contains("same"), "{message}");
        assert!(db.verify().unwrap().is_clean());
    }

    #[test]
    fn an_index_can_be_added_and_dropped() {
        let db = fixture();
        let count = |db: &Database| {
            let now = db.db().unwrap();
            let id = now.attribute_named(&"many".into()).unwrap().id;
            now.datoms(Index::Avet, &[Word::entity(id)]).unwrap().count()
        };
        assert_eq!(count(&db), 0);
        transact(&db, "[:db/add :many :db/index true]");
        assert_eq!(count(&db), 2);
        assert!(db.verify().unwrap().is_clean());
        transact(&db, "[:db/retract :many :db/index true]");
        assert_eq!(count(&db), 0);
        assert!(db.verify().unwrap().is_clean());
    }

    #[test]
    fn an_attribute_can_be_renamed() {
        let db = fixture();
        transact(&db, "[:db/add :age :db/ident :years]");
        assert_eq!(refuse(&db, "[:db/add 5001 :age 3]").0, Category::Attribute);
        transact(&db, "[:db/add 5001 :years 3]");
        assert!(about(&db, "5001").contains(&"years 3".to_owned()));
    }
}

#[test]
fn ranges_are_in_the_order_of_values() {
    let db = fixture();
    transact(
        &db,
        r#"{:k "b"} {:k "bob@x is longer than a word"} {:k "bob"} {:k "c"} {:k "a long text before the others"}"#,
    );
    let now = db.db().unwrap();
    let named = |name: &str| now.attribute_named(&name.into()).unwrap().id;
    let range = |name: &str, from: Option<&str>, to: Option<&str>| -> Vec<String> {
        let (from, to) = (from.map(value), to.map(value));
        let datoms = now.index_range(named(name), from.as_ref(), to.as_ref()).unwrap();
        datoms.iter().map(|datom| now.value(datom.v).unwrap().to_string()).collect()
    };
    assert_eq!(
        range("k", Some("\"b\""), Some("\"c\"")),
        ["\"b\"", "\"bob\"", "\"bob@x is longer than a word\"", "\"c\""]
    );
    assert_eq!(range("age", Some("1"), Some("1")), ["1"]);
    assert_eq!(range("age", None, Some("9")), ["1", "2"]);
    assert!(now.index_range(named("name"), None, None).is_err());
}
