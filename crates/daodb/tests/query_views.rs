//! Queries over views of a database: the past, what is new, all of history, and two at once.

use std::time::Duration;

use daodb::{Cancel, Database, Input, Limits, Query};
use datom::{Value, edn};

fn transact(database: &Database, data: &str) -> u64 {
    database.transact(&edn::read_all(data).unwrap()).unwrap().t
}

/// Names longer than a word holds, an attribute with a value index and one without.
fn world() -> (Database, [u64; 3]) {
    let database = Database::memory().unwrap();
    transact(
        &database,
        "{:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity}
         {:db/ident :age :db/valueType :db.type/long :db/index true}
         {:db/ident :town :db/valueType :db.type/string}
         {:db/ident :knows :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}",
    );
    let first = transact(
        &database,
        "{:db/id \"a\" :name \"Ada Lovelace\" :age 36 :town \"a town of some size\"}
         {:db/id \"b\" :name \"Bob the Builder\" :age 25 :town \"London\" :knows \"a\"}",
    );
    let second = transact(&database, "{:name \"Ada Lovelace\" :age 37 :town \"London\"}");
    let third = transact(
        &database,
        "{:name \"Cyd\" :age 37 :knows [:name \"Bob the Builder\"]}
         [:db/retract [:name \"Bob the Builder\"] :age 25]",
    );
    (database, [first, second, third])
}

fn shown(value: Value) -> String {
    value.to_string()
}

const AGES: &str = "[:find ?n ?a :where [?p :name ?n] [?p :age ?a]]";

#[test]
fn the_past_is_as_it_was() {
    let (database, [first, second, third]) = world();
    let db = database.db().unwrap();
    let ages = |t| shown(db.as_of(t).q(AGES, &[]).unwrap());
    assert_eq!(ages(first), "#{[\"Ada Lovelace\" 36] [\"Bob the Builder\" 25]}");
    assert_eq!(ages(second), "#{[\"Ada Lovelace\" 37] [\"Bob the Builder\" 25]}");
    assert_eq!(ages(third), shown(db.q(AGES, &[]).unwrap()));
    assert_eq!(ages(third), "#{[\"Ada Lovelace\" 37] [\"Cyd\" 37]}");
    let towns = "[:find [?n ...] :in $ ?t :where [?p :town ?t] [?p :name ?n]]";
    let london = [Value::text("London")];
    assert_eq!(shown(db.as_of(first).q(towns, &london).unwrap()), "[\"Bob the Builder\"]");
    let pulled = db.as_of(first).pull(
        &edn::read("[:age {:_knows [:name]}]").unwrap(),
        &edn::read("[:name \"Ada Lovelace\"]").unwrap(),
    );
    assert_eq!(shown(pulled.unwrap()), "{:_knows [{:name \"Bob the Builder\"}], :age 36}");
}

#[test]
fn what_is_new_and_all_that_ever_was() {
    let (database, [_, second, _]) = world();
    let db = database.db().unwrap();
    let new = "[:find [?a ...] :where [_ :age ?a]]";
    assert_eq!(shown(db.since(second).q(new, &[]).unwrap()), "[37]");
    let all = "[:find ?a ?op :where [?p :name \"Ada Lovelace\"] [?p :age ?a _ ?op]]";
    let history = "#{[36 false] [36 true] [37 true]}";
    assert_eq!(shown(db.history().q(all, &[]).unwrap()), history);
    let lost = "[:find ?n ?a :where [?p :age ?a _ false] [?p :name ?n] (not [?p :age 37 _ true])]";
    assert_eq!(shown(db.history().q(lost, &[]).unwrap()), "#{[\"Bob the Builder\" 25]}");
}

#[test]
fn two_moments_join_in_one_query() {
    let (database, [first, ..]) = world();
    let db = database.db().unwrap();
    let text =
        "[:find ?n ?was ?is :in $ $old :where [$old ?p :age ?was] [?p :age ?is] [?p :name ?n]]";
    let query = Query::parse(text).unwrap();
    let answer = db.query(&query, &[Input::Db(db.as_of(first))]).unwrap();
    assert_eq!(shown(answer.to_value()), "#{[\"Ada Lovelace\" 36 37]}");
}

#[test]
fn two_databases_join_by_value() {
    let (database, _) = world();
    let other = Database::memory().unwrap();
    transact(
        &other,
        "{:db/ident :who :db/valueType :db.type/string}
                      {:db/ident :likes :db/valueType :db.type/keyword}",
    );
    transact(
        &other,
        "{:who \"Ada Lovelace\" :likes :engines} {:who \"Cyd\" :likes :ops}
                      {:who \"nobody of this name\" :likes :nothing}",
    );
    let (db, other) = (database.db().unwrap(), other.db().unwrap());
    let text = "[:find ?n ?l :in $ $o :where [$o ?w :who ?n] [$o ?w :likes ?l] [?p :name ?n]]";
    let answer = db.query(&Query::parse(text).unwrap(), &[Input::Db(other)]).unwrap();
    assert_eq!(shown(answer.to_value()), "#{[\"Ada Lovelace\" :engines] [\"Cyd\" :ops]}");
}

#[test]
fn one_query_runs_on_many_threads() {
    let (database, _) = world();
    let db = database.db().unwrap();
    let query = Query::parse(AGES).unwrap();
    let answers: Vec<usize> = std::thread::scope(|scope| {
        let run = || scope.spawn(|| db.query(&query, &[]).unwrap().len());
        (0..4).map(|_| run()).map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers, [2, 2, 2, 2]);
}

#[test]
fn limits_hold_on_a_database() {
    let (database, _) = world();
    let db = database.db().unwrap();
    let query = Query::parse(AGES).unwrap();
    let cancel = Cancel::new();
    cancel.cancel();
    let limits = Limits { cancel: Some(cancel), ..Limits::default() };
    let error = db.query_with(&query, &[], &limits).unwrap_err();
    assert_eq!(error.to_string(), "the query was cancelled");
    let limits = Limits { timeout: Some(Duration::ZERO), ..Limits::default() };
    assert!(db.query_with(&query, &[], &limits).unwrap_err().to_string().contains("0 ms"));
}
