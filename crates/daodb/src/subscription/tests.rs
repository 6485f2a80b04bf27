//! What is followed is what asking anew finds.

use std::collections::BTreeSet;
use std::time::Duration;

use datom::{Value, edn};
use proptest::prelude::*;

use crate::{Database, Db, Input, Query, Subscription};

const SCHEMA: &str = "
    {:db/ident :to :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}
    {:db/ident :n :db/valueType :db.type/long :db/index true}
    {:db/ident :tag :db/valueType :db.type/string :db/cardinality :db.cardinality/many}
    {:db/ident :any :db/valueType :db.type/any}";

/// Queries that are followed, with what they are given.
const FOLLOWED: [(&str, &[&str]); 22] = [
    ("[:find ?a ?b :where [?a :to ?b]]", &[]),
    ("[:find ?a ?c :where [?a :to ?b] [?b :to ?c]]", &[]),
    ("[:find ?a ?t :where [?a :to ?b] [?b :to ?c] [?c :to ?a] [?b :tag ?t]]", &[]),
    ("[:find ?n :where [?a :n ?n] [?a :to ?b] [?b :n ?n]]", &[]),
    ("[:find [?a ...] :where [?a :to ?a]]", &[]),
    ("[:find ?b ?m :where [?a :n ?n] [?b :n ?m] [(< ?n ?m)] [(- ?m ?n) ?d] [(< ?d 3)]]", &[]),
    ("[:find ?a :where [?a :tag \"a tag that is long\"] [?a :to 5002]]", &[]),
    ("[:find ?a ?tx :where [?a :n ?n ?tx] [?b :to ?a]]", &[]),
    ("[:find ?t :in $ [?n ...] :where [?a :n ?n] [?a :tag ?t]]", &["[1 2]"]),
    ("[:find ?a ?b :in $ ?a ?n :where [?a :to ?b] [?b :n ?n]]", &["5001", "2"]),
    ("[:find ?b :in $ [[?a ?n]] :where [?a :n ?n] [?a :to ?b]]", &["[[5001 1] [5002 2]]"]),
    ("[:find ?a :where [?a :to]]", &[]),
    ("[:find ?a ?v :where [?a :any ?v]]", &[]),
    ("[:find ?a ?b :where [?a :any ?v] [?b :any ?v] [?a :to ?b]]", &[]),
    ("[:find ?a :where [?a :to _] (not [?a :n 1])]", &[]),
    ("[:find ?a ?b :where [?a :to ?b] (not [?b :to ?c] [?c :to ?b]) (not [?a :tag \"b\"])]", &[]),
    ("[:find ?a :where [?a :n ?n] (not-join [?a] [?b :to ?a] [?a :n ?m])]", &[]),
    ("[:find ?a :where [?a :to ?b] (not [?b :to ?a])]", &[]),
    ("[:find ?a :where (or [?a :n 1] [?a :tag \"b\"])]", &[]),
    (
        "[:find ?a ?b :where [?a :to ?b] (or (and [?b :n 1] [?b :to ?a]) (and [?b :tag \"b\"] [?a :n 2]))]",
        &[],
    ),
    ("[:find ?n :where [?a :n ?n] (or [?a :to ?b] [?b :to ?a]) (not [?b :n ?n])]", &[]),
    ("[:find ?n :in $ ?least :where [?a :n ?n] (not [?a :to ?a]) [(<= ?least ?n)]]", &["1"]),
];

/// Queries that are asked anew.
const ASKED: [&str; 9] = [
    "[:find ?a :where [?a :n ?n] (not-join [?n] [?b :to ?c] [?c :n ?n])]",
    "[:find ?a :where [?a :n _] (or-join [?a] [?a :to ?b] (and [?a :tag ?b] [?b :n 1]))]",
    "[:find ?a :where [?a :to _] (not [?a :n 1] (not [?a :tag \"b\"]))]",
    "[:find (count ?a) . :where [?a :n 1]]",
    "[:find ?n :with ?a :where [?a :n ?n]]",
    "[:find ?a ?v :where [?a :n ?n] [(get-else $ ?a :tag \"none\") ?v]]",
    "[:find (pull ?a [:n]) :where [?a :to _]]",
    "[:find ?a ?x :where [?a ?x 1]]",
    "[:find ?a :where [?a :tag \"b\"] [5001 :n 1]]",
];

fn inputs(texts: &[&str]) -> Vec<Input> {
    texts.iter().map(|text| Input::Value(edn::read(text).unwrap())).collect()
}

fn rows_of(db: &Db, query: &Query, inputs: &[Input]) -> BTreeSet<Vec<Value>> {
    super::rows(db.query(query, inputs).unwrap()).into_keys().collect()
}

fn transact(db: &Database, text: &str) -> bool {
    db.transact(&edn::read_all(text).unwrap()).is_ok()
}

#[test]
fn conjunctions_are_followed_and_nothing_else() {
    for (text, given) in FOLLOWED {
        assert!(Query::parse(text).unwrap().deltas(&inputs(given)).is_some(), "{text}");
    }
    for text in ASKED {
        assert!(Query::parse(text).unwrap().deltas(&[]).is_none(), "{text}");
    }
    let by_name = Query::parse("[:find ?b :in $ ?a :where [?a :to ?b]]").unwrap();
    assert!(by_name.deltas(&inputs(&["[:name \"x\"]"])).is_none());
}

/// An entity, an attribute, a value, and whether it is stated.
type Step = (u64, u8, u64, bool);

fn form((e, attribute, v, added): Step) -> String {
    let e = 5_000 + e;
    let operation = if added { "add" } else { "retract" };
    let (attribute, value) = match attribute % 5 {
        0 | 1 => (":to", (5_000 + v % 5).to_string()),
        2 => (":n", v.to_string()),
        3 => (
            ":tag",
            ["\"a tag that is long\"", "\"b\"", "\"another long tag\""][v as usize % 3].into(),
        ),
        _ => (":any", ["nil", "[5001 2]", "\"b\"", "5001", "[]", "2.5"][v as usize % 6].into()),
    };
    format!("[:db/{operation} {e} {attribute} {value}]")
}

fn check(subscription: &mut Subscription, db: &Db, rows: &mut BTreeSet<Vec<Value>>) {
    while let Some(change) = subscription.next(Some(Duration::ZERO)).unwrap() {
        for row in &change.removed {
            assert!(rows.remove(row), "{row:?} is removed at {} and was not there", change.t);
        }
        for row in &change.added {
            assert!(rows.insert(row.clone()), "{row:?} is added at {} and was there", change.t);
        }
        let then = db.as_of(change.t);
        assert_eq!(*rows, rows_of(&then, &subscription.query, &subscription.inputs));
        assert!(subscription.rows().eq(rows.iter().map(Vec::as_slice)));
    }
    assert_eq!(*rows, rows_of(db, &subscription.query, &subscription.inputs));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn following_a_change_finds_what_asking_anew_finds(
        commits in prop::collection::vec(
            (prop::collection::vec((0..5_u64, 0..5_u8, 0..6_u64, prop::bool::weighted(0.6)), 1..6), any::<bool>()),
            1..20,
        ),
    ) {
        let db = Database::memory().unwrap();
        assert!(transact(&db, SCHEMA));
        let mut followed: Vec<_> = FOLLOWED
            .iter()
            .map(|(text, given)| {
                let query = Query::parse(text).unwrap();
                (db.subscribe(&query, &inputs(given)).unwrap(), BTreeSet::new())
            })
            .collect();
        for (steps, is_read) in commits {
            let forms: String = steps.into_iter().map(form).collect();
            // One that contradicts itself is refused.
            if !transact(&db, &forms) || !is_read {
                continue;
            }
            for (subscription, rows) in &mut followed {
                check(subscription, &db.db().unwrap(), rows);
            }
        }
        for (subscription, rows) in &mut followed {
            check(subscription, &db.db().unwrap(), rows);
        }
    }
}

#[test]
fn an_attribute_that_gets_another_name_is_asked_anew() {
    let db = Database::memory().unwrap();
    assert!(transact(&db, SCHEMA));
    assert!(transact(&db, "{:db/id 5001 :n 1 :to 5002} {:db/id 5002 :db/ident :second}"));
    let query = Query::parse("[:find ?a :where [?a :to :second] [?a :n ?n]]").unwrap();
    let mut subscription = db.subscribe(&query, &[]).unwrap();
    let mut rows = rows_of(&db.db().unwrap(), &query, &[]);
    assert_eq!(rows.len(), 1);
    assert!(transact(&db, "[:db/add 5003 :n 3] [:db/add 5003 :to 5002]"));
    assert!(transact(&db, "[:db/add 5001 :n 2] [:db/retract 5001 :to 5002]"));
    check(&mut subscription, &db.db().unwrap(), &mut rows);
    assert!(transact(&db, "[:db/retract 5002 :db/ident :second] [:db/add 5004 :db/ident :second]"));
    assert!(transact(&db, "[:db/add 5001 :to 5004]"));
    check(&mut subscription, &db.db().unwrap(), &mut rows);
    assert_eq!(rows, BTreeSet::from([vec![Value::Ref(5_001)]]));
}

#[test]
fn a_state_before_that_is_not_held_any_more_is_not_asked() {
    let db = Database::memory().unwrap();
    assert!(transact(&db, SCHEMA));
    let query = Query::parse("[:find ?a ?c :where [?a :to ?b] [?b :to ?c]]").unwrap();
    let mut subscription = db.subscribe(&query, &[]).unwrap();
    assert!(transact(&db, "{:db/id 5001 :to 5002} {:db/id 5002 :to [5003 5004]}"));
    assert!(transact(&db, "[:db/retract 5002 :to 5003]"));
    let now = db.db().unwrap().basis();
    db.prune(now).unwrap();
    // The first of them is not held either.
    assert!(subscription.next(Some(Duration::ZERO)).is_err());
    let mut later = db.subscribe_from(now, &query, &[]).unwrap();
    let mut rows = rows_of(&db.db().unwrap(), &query, &[]);
    assert!(transact(&db, "[:db/retract 5002 :to 5004] [:db/add 5002 :to 5001]"));
    check(&mut later, &db.db().unwrap(), &mut rows);
    assert_eq!(rows.len(), 2);
}
