//! Plans that are kept: a query that is asked again answers for the state it is asked of.

use daodb::{Database, Input, Query};
use datom::{Value, edn};

fn database(schema: &str) -> Database {
    let database = Database::memory().unwrap();
    transact(&database, schema);
    database
}

fn transact(database: &Database, data: &str) {
    database.transact(&edn::read_all(data).unwrap()).unwrap();
}

fn ask(database: &Database, text: &str, inputs: &[Value]) -> String {
    database.db().unwrap().q(text, inputs).unwrap().to_string()
}

const NAME: &str = "{:db/ident :name :db/valueType :db.type/string}
    {:db/ident :knows :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}";
const LONG: &str = "a name of more bytes than a word has";

#[test]
fn a_constant_that_the_store_did_not_know_is_found_once_it_does() {
    let database = database(NAME);
    let text = format!("[:find ?x . :where [?e :name \"{LONG}\"] [?e :name ?x]]");
    let unequal = format!("[:find [?x ...] :where [_ :name ?x] [(!= ?x \"{LONG}\")]]");
    assert_eq!(ask(&database, &text, &[]), "nil");
    transact(&database, &format!("{{:name \"{LONG}\"}} {{:name \"Bob\"}}"));
    assert_eq!(ask(&database, &text, &[]), format!("\"{LONG}\""));
    assert_eq!(ask(&database, &unequal, &[]), "[\"Bob\"]");
    let input = "[:find ?e . :in $ ?n :where [?e :name ?n]]";
    assert_eq!(ask(&database, input, &[Value::text("nobody has this name")]), "nil");
    assert_ne!(ask(&database, input, &[Value::text(LONG)]), "nil");
}

#[test]
fn an_ident_names_what_it_names_now() {
    let database = database(NAME);
    let knows = "[:find [?n ...] :where [?e :knows :the/boss] [?e :name ?n]]";
    let boss = "[:find ?n . :where [:the/boss :name ?n]]";
    assert_eq!(ask(&database, knows, &[]), "[]");
    transact(&database, r#"{:db/id "a" :db/ident :the/boss :name "Ada"} {:name "Bob" :knows "a"}"#);
    assert_eq!(ask(&database, knows, &[]), "[\"Bob\"]");
    assert_eq!(ask(&database, boss, &[]), "\"Ada\"");
    // The name goes to somebody else, whom nobody knows.
    transact(&database, "[:db/retract :the/boss :db/ident :the/boss]");
    transact(&database, r#"{:db/ident :the/boss :name "Cyd"}"#);
    assert_eq!(ask(&database, knows, &[]), "[]");
    assert_eq!(ask(&database, boss, &[]), "\"Cyd\"");
}

#[test]
fn a_lookup_ref_finds_who_has_the_value_now() {
    let schema = "{:db/ident :id :db/valueType :db.type/long :db/unique :db.unique/identity}
        {:db/ident :name :db/valueType :db.type/string}";
    let database = database(schema);
    transact(&database, r#"{:id 1 :name "Ada"} {:id 2 :name "Bob"}"#);
    let first = "[:find ?n . :where [[:id 1] :name ?n]]";
    assert_eq!(ask(&database, first, &[]), "\"Ada\"");
    transact(&database, "[:db/retract [:id 1] :id 1]");
    let nobody = database.db().unwrap().q(first, &[]).unwrap_err().to_string();
    assert!(nobody.contains("nothing found for [:id 1]"), "{nobody}");
    transact(&database, "[:db/add [:id 2] :id 1]");
    assert_eq!(ask(&database, first, &[]), "\"Bob\"");
}

#[test]
fn a_change_of_the_schema_changes_what_a_query_means() {
    let database = database(NAME);
    let text = "[:find ?v . :where [?e :name \"Ada\"] [?e :alias ?v]]";
    let unknown = database.db().unwrap().q(text, &[]).unwrap_err().to_string();
    assert!(unknown.contains("unknown attribute :alias"), "{unknown}");
    transact(&database, "{:db/ident :alias :db/valueType :db.type/string}");
    assert_eq!(ask(&database, text, &[]), "nil");
    transact(&database, r#"{:name "Ada" :alias "Countess"}"#);
    assert_eq!(ask(&database, text, &[]), "\"Countess\"");
    // Now the attribute is another one of the same name, with an index and many values.
    transact(&database, "[:db/add :alias :db/ident :alias/old]");
    let renamed = database.db().unwrap().q(text, &[]).unwrap_err().to_string();
    assert!(renamed.contains("unknown attribute :alias"), "{renamed}");
    transact(
        &database,
        "{:db/ident :alias :db/valueType :db.type/keyword :db/index true
          :db/cardinality :db.cardinality/many}",
    );
    assert_eq!(ask(&database, text, &[]), "nil");
    assert_eq!(ask(&database, &text.replace(":alias", ":alias/old"), &[]), "\"Countess\"");
}

#[test]
fn databases_with_one_text_have_plans_of_their_own() {
    let text =
        format!("[:find [?n ...] :where [?e :knows ?k] [?e :name ?n] [?k :name \"{LONG}\"]]");
    let query = Query::parse(&text).unwrap();
    let databases: Vec<Database> = (0..3)
        .map(|number| {
            let database = database(if number == 1 {
                "{:db/ident :other :db/valueType :db.type/long}"
            } else {
                ""
            });
            transact(&database, NAME);
            transact(
                &database,
                &format!("{{:db/id \"a\" :name \"{LONG}\"}} {{:name \"{number}\" :knows \"a\"}}"),
            );
            database
        })
        .collect();
    for _ in 0..2 {
        for (number, database) in databases.iter().enumerate() {
            let expected = format!("[\"{number}\"]");
            assert_eq!(ask(database, &text, &[]), expected);
            let answer = database.db().unwrap().query(&query, &[]).unwrap();
            assert_eq!(answer.to_value().to_string(), expected);
        }
    }
}

#[test]
fn views_and_speculations_share_a_schema_and_answer_for_themselves() {
    let database = database(NAME);
    let before = database.db().unwrap();
    transact(&database, &format!("{{:name \"{LONG}\"}} {{:name \"Bob\"}}"));
    let db = database.db().unwrap();
    let text = format!("[:find (count ?e) . :where [?e :name ?n] [(!= ?n \"{LONG}\")]]");
    let long = format!("[:find (count ?e) . :where [?e :name \"{LONG}\"]]");
    let more = edn::read_all(&format!("{{:name \"{LONG}\"}} {{:name \"Cyd\"}}")).unwrap();
    let after = db.with(&more).unwrap().db_after().unwrap();
    for _ in 0..2 {
        for (db, bob, longs) in [
            (&before, "nil", "nil"),
            (&db, "1", "1"),
            (&after, "2", "2"),
            (&db.as_of(before.basis()), "nil", "nil"),
            (&db.history(), "1", "1"),
            (&db.filter(|_, _| true), "1", "1"),
        ] {
            assert_eq!(db.q(&text, &[]).unwrap().to_string(), bob);
            assert_eq!(db.q(&long, &[]).unwrap().to_string(), longs);
        }
    }
}

#[test]
fn inputs_of_another_form_or_kind_get_what_they_ask_for() {
    let database = database(
        "{:db/ident :name :db/valueType :db.type/string :db/index true}
         {:db/ident :age :db/valueType :db.type/long}",
    );
    transact(&database, r#"{:name "Ada" :age 36} {:name "Bob" :age 25} {:name "Cyd" :age 25}"#);
    let many = "[:find [?n ...] :in $ [?a ...] :where [?e :age ?a] [?e :name ?n] :order-by ?n]";
    let ages = |ages: &[i64]| [Value::Vector(ages.iter().map(|age| Value::Int(*age)).collect())];
    for _ in 0..2 {
        assert_eq!(ask(&database, many, &ages(&[36])), "[\"Ada\"]");
        assert_eq!(ask(&database, many, &ages(&[])), "[]");
        assert_eq!(ask(&database, many, &ages(&[25, 36])), "[\"Ada\" \"Bob\" \"Cyd\"]");
        assert_eq!(ask(&database, many, &ages(&[25])), "[\"Bob\" \"Cyd\"]");
    }
    let any = "[:find ?v . :in $ ?a :where [?e :name \"Ada\"] [?e ?a ?v]]";
    for (attribute, value) in [("name", "\"Ada\""), ("age", "36"), ("name", "\"Ada\"")] {
        assert_eq!(ask(&database, any, &[Value::keyword(attribute)]), value);
    }
    let rules = "[:find [?n ...] :in $ % :where (r ?e) [?e :name ?n]]";
    for (rule, names) in [("36", "[\"Ada\"]"), ("25", "[\"Bob\" \"Cyd\"]"), ("36", "[\"Ada\"]")] {
        let rule = edn::read(&format!("[[(r ?e) [?e :age {rule}]]]")).unwrap();
        let query = rules.replace("]]", "] :order-by ?n]");
        assert_eq!(ask(&database, &query, &[rule]), names, "{query}");
    }
}

#[test]
fn a_plan_is_made_anew_when_its_figures_are_of_long_ago() {
    let database = database(
        "{:db/ident :kind :db/valueType :db.type/long :db/index true}
         {:db/ident :size :db/valueType :db.type/long :db/index true}
         {:db/ident :to :db/valueType :db.type/ref}",
    );
    let others = r#"{:size 6 :to "a"}"#.repeat(5000) + &"{:size 5}".repeat(500);
    transact(&database, &format!(r#"{{:db/id "a" :size 5}} {{:kind 1 :to "a"}} {others}"#));
    let query = Query::parse("[:find ?e ?f :where [?e :kind 1] [?e :to ?f] [?f :size 5]]").unwrap();
    let first = || {
        let db = database.db().unwrap();
        let explained = db.explain(&query, &[], &daodb::Limits::default()).unwrap();
        assert_eq!(explained.rows, 1);
        explained.steps[0].clauses[0].clone()
    };
    assert_eq!(first(), "[?e :kind 1]");
    assert_eq!(first(), "[?e :kind 1]");
    transact(&database, &"{:kind 1}".repeat(3000));
    assert_eq!(first(), "[?f :size 5]");
}

#[test]
fn more_queries_than_are_kept_are_answered_all_the_same() {
    let database = database(NAME);
    transact(&database, r#"{:name "Ada"} {:name "Bob"}"#);
    let db = database.db().unwrap();
    for round in 0..2 {
        for number in 0..600 {
            let text = format!(
                "[:find ?n{number} . :where [?e :name ?n{number}] [(= ?n{number} \"Bob\")]]"
            );
            assert_eq!(db.q(&text, &[]).unwrap(), Value::text("Bob"), "{round} {number}");
        }
    }
}

#[test]
fn a_query_that_is_a_value_is_looked_up_as_a_text_is() {
    let database = database(NAME);
    transact(&database, r#"{:name "Ada"}"#);
    let value = edn::read("[:find ?n . :where [_ :name ?n]]").unwrap();
    let db = database.db().unwrap();
    for _ in 0..2 {
        let query = Query::of_value(&value).unwrap();
        assert_eq!(db.query(&query, &[] as &[Input]).unwrap().to_value(), Value::text("Ada"));
    }
    assert!(Query::of_value(&edn::read("[:find]").unwrap()).is_err());
    assert!(Query::of_text("[:find]").is_err());
}
