use std::cell::Cell;

use datom::edn;
use proptest::prelude::*;

use super::super::{Code, forms, work_out_forms};
use super::*;
use crate::Database;
use crate::db::Db;

const SCHEMA: &str = "
    {:db/ident :n :db/valueType :db.type/long}
    {:db/ident :text :db/valueType :db.type/string :db/index true}
    {:db/ident :kind :db/valueType :db.type/keyword}
    {:db/ident :tags :db/valueType :db.type/string :db/cardinality :db.cardinality/many}
    {:db/ident :to :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}
    {:db/ident :mail :db/valueType :db.type/string :db/unique :db.unique/identity}
    {:db/ident :at :db/valueType :db.type/uri}
    {:db/ident :x :db/valueType :db.type/long}";

/// A database whose entities 5000 to 5002 have facts, and 5003 to 5005 have none.
fn stored() -> Database {
    let db = Database::memory().unwrap();
    db.transact(&edn::read_all(SCHEMA).unwrap()).unwrap();
    db.transact(&edn::read_all("{:db/ident :x+at :db/tupleAttrs [:x :at]}").unwrap()).unwrap();
    let facts =
        "{:db/id 5000 :n 1 :text \"a text of some length\" :tags [\"one of many tags\" \"b\"]}
         {:db/id 5001 :n 2 :mail \"ada@example.org\" :to 5000}
         {:db/id 5002 :kind :kind/one}
         {:db/id 5005 :n 1} [:db/add \"datomic.tx\" :db/doc \"words that are stored\"]";
    db.transact(&edn::read_all(facts).unwrap()).unwrap();
    db.transact(&edn::read_all("[:db/retractEntity 5005]").unwrap()).unwrap();
    db
}

/// What the whole way makes of forms.
fn whole(db: &Db, forms: &[Value], now: i64) -> Result<Proposal, Error> {
    let is_missed = Cell::new(false);
    let state = db.state();
    let code = Code { functions: &state.functions, db: Some(db), is_missed: &is_missed };
    let forms = forms::parse(forms)?;
    Ok(work_out_forms(code, state.basis(), &forms, None, now)?.proposal)
}

/// The short way answers nothing, or what the whole way does. Answers whether it answered.
fn agrees(db: &Db, forms: &[Value]) -> bool {
    let now = db.state().record.instant + 7;
    let short = of_forms(db.state().basis(), forms, None, now).unwrap();
    let Some(short) = short else { return false };
    let whole = whole(db, forms, now).unwrap();
    assert_eq!(short.frame, whole.frame);
    assert!(short.known.is_empty(), "they are found when it is applied");
    assert!(short.tempids.is_empty() && whole.tempids.is_empty());
    assert!(short.schema.is_none() && whole.schema.is_none());
    true
}

fn fact() -> impl Strategy<Value = String> {
    let entity = prop_oneof![
        12 => (5_000..5_012_u64).prop_map(|e| e.to_string()),
        1 => Just("\"tempid\"".to_owned()),
        1 => Just("\"datomic.tx\"".to_owned()),
        1 => Just("17".to_owned()),
    ];
    let text = prop_oneof![
        Just("a text of some length"),
        Just("b"),
        Just("one of many tags"),
        Just("another long text"),
        Just("ada@example.org"),
        Just("words that are stored"),
    ];
    let said = prop_oneof![
        4 => (0..3_i64).prop_map(|n| format!(":n {n}")),
        4 => text.clone().prop_map(|text| format!(":text {text:?}")),
        6 => text.clone().prop_map(|text| format!(":tags {text:?}")),
        4 => (5_000..5_012_u64).prop_map(|to| format!(":to {to}")),
        3 => prop_oneof![Just(":kind :kind/one"), Just(":kind :kind/other")].prop_map(str::to_owned),
        2 => text.prop_map(|text| format!(":mail {text:?}")),
        1 => prop_oneof![
            Just(":n \"no number\""), Just(":at \"no uri\""), Just(":x 1"), Just(":none 1"),
            Just(":n 99999999999999999999"), Just(":to -1"), Just(":db/doc \"words\""),
        ].prop_map(str::to_owned),
    ];
    (entity, said).prop_map(|(e, said)| format!("[:db/add {e} {said}]"))
}

proptest! {
    #[test]
    fn the_short_way_answers_what_the_whole_way_does(forms in prop::collection::vec(fact(), 2..8)) {
        let db = stored().db().unwrap();
        agrees(&db, &edn::read_all(&forms.join(" ")).unwrap());
    }
}

#[test]
fn what_is_plain_goes_the_short_way() {
    let db = stored().db().unwrap();
    for plain in [
        "[:db/add 6000 :n 1] [:db/add 6000 :tags \"one of many tags\"] [:db/add 6000 :tags \"c\"]",
        "[:db/add 6001 :text \"b\"] [:db/add 6000 :text \"a text of some length\"] [:db/add 6000 :to 6001]",
        "[:db/add 5000 :tags \"a new tag, and long\"] [:db/add 5002 :n 3] [:db/add 5003 :kind :kind/one]",
        "[:db/add 6000 :mail \"ada@example.com\"] [:db/add 6001 :mail \"mary@example.com\"]",
        "[:db/add 5005 :n 1] [:db/add 6000 :n 99999999999999999]",
    ] {
        assert!(agrees(&db, &edn::read_all(plain).unwrap()), "{plain}");
    }
}

#[test]
fn what_is_more_goes_the_whole_way() {
    let db = stored().db().unwrap();
    for more in [
        "[:db/add 6000 :n 1] [:db/add 6000 :n 2]",
        "[:db/add 6000 :n 1] [:db/add 6000 :n 1]",
        "[:db/add 6000 :tags \"c\"] [:db/add 6000 :n 1] [:db/add 6000 :tags \"c\"]",
        "[:db/add 5000 :n 2] [:db/add 6000 :n 1]",
        "[:db/add 5000 :tags \"b\"] [:db/add 6000 :n 1]",
        "[:db/add 5000 :tags \"one of many tags\"] [:db/add 6000 :n 1]",
        "[:db/add 6000 :mail \"ada@example.org\"] [:db/add 6000 :n 1]",
        "[:db/add 6000 :mail \"ada@example.com\"] [:db/add 6001 :mail \"ada@example.com\"]",
        "[:db/add 6000 :x 1] [:db/add 6000 :n 1]",
        "[:db/add 6000 :n 1] [:db/retract 5000 :n 1]",
        "[:db/add 6000 :n 1] {:n 2}",
        "[:db/add \"new\" :n 1] [:db/add 6000 :n 1]",
        "[:db/add :text :db/doc \"altered\"] [:db/add 6000 :n 1]",
        "[:db/add 6000 :n \"one\"] [:db/add 6000 :n 1]",
        "[:db/add 6000 :to \"new\"] [:db/add 6000 :n 1]",
        "[:db/add 17 :n 1] [:db/add 6000 :n 1]",
        "[:db/add 6000 :to 3] [:db/add 6000 :n 1]",
        "[:db/add 6000 :_to 6001] [:db/add 6000 :n 1]",
    ] {
        assert!(!agrees(&db, &edn::read_all(more).unwrap()), "{more}");
    }
}

/// Facts and their forms are one transaction, in whatever way they go, and are refused alike.
#[test]
fn facts_say_what_their_forms_say() {
    let (one, other) = (stored(), stored());
    let id = |name: &str| one.db().unwrap().attribute_named(&name.into()).unwrap().id;
    let (n, text, tags, to, at) = (id("n"), id("text"), id("tags"), id("to"), id("at"));
    let facts = [
        vec![Statement::new(6_000, n, 1), Statement::new(6_000, text, "some text that is long")],
        vec![
            Statement::new(6_001, tags, "x"),
            Statement::new(6_001, tags, "y"),
            Statement::new(6_001, to, 6_000),
        ],
        vec![Statement::new(6_000, n, 2), Statement::new(6_000, at, "https://example.org")],
        vec![Statement::new(6_000, n, 2)],
        vec![],
    ];
    for facts in facts {
        let forms: Vec<Value> = facts.iter().map(Statement::form).collect();
        let (loaded, stated) =
            (one.load(&facts, &Default::default()).unwrap(), other.transact(&forms).unwrap());
        let plain =
            |facts: &[Datom]| facts.iter().map(|f| (f.e, f.a, f.added())).collect::<Vec<_>>();
        assert_eq!(plain(&loaded.datoms)[1..], plain(&stated.datoms)[1..]);
    }
    assert!(one.verify().unwrap().is_clean());
    for facts in [
        [Statement::new(6_000, n, 3), Statement::new(6_000, n, 4)],
        [Statement::new(6_000, n, 3), Statement::new(6_000, text, 4)],
        [Statement::new(6_000, n, 3), Statement::new(6_000, 99_999, 4)],
        [Statement::new(6_000, n, 3), Statement::new(12, n, 4)],
        [Statement::new(6_000, n, 3), Statement::new(6_002, to, 12)],
    ] {
        let Error::Rejected(refused) = one.load(&facts, &Default::default()).unwrap_err() else {
            panic!("another error")
        };
        assert_eq!((refused.position, &refused.form), (1, &facts[1].form()), "{refused}");
    }
}
