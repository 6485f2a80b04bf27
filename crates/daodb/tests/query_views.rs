//! Queries over views of a database: the past, what is new, all of history, and two at once.

use std::time::Duration;

use daodb::{Cancel, Database, Input, Limits, Query};
use datom::{Value, edn};

fn transact(database: &Database, data: &str) -> u64 {
    database.transact(&edn::read_all(data).unwrap()).unwrap().t
}

fn value(text: &str) -> Value {
    edn::read(text).unwrap()
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

/// Who is looked up in a state of the past is who had the value then.
#[test]
fn a_lookup_ref_names_who_had_the_value_then() {
    let database = Database::memory().unwrap();
    let unique = ":db/valueType :db.type/string :db/unique :db.unique/identity";
    transact(
        &database,
        &format!(
            "{{:db/ident :mail {unique}}} {{:db/ident :n :db/valueType :db.type/long}}
             {{:db/ident :late :db/valueType :db.type/string}}
             {{:db/ident :of :db/valueType :db.type/ref :db/unique :db.unique/identity}}"
        ),
    );
    let long = "an address that no word can hold";
    for text in [
        format!("{{:db/id 5001 :mail \"{long}\" :n 1 :late \"l\"}}"),
        format!("{{:db/id 5001 :mail \"short\"}} {{:db/id 5002 :mail \"{long}\" :n 2}}"),
        "[:db/retractEntity 5002] {:db/id 5003 :of 5001 :n 3}".to_owned(),
        format!("{{:db/ident :late {unique}}} {{:db/id 5004 :mail \"{long}\" :n 4}}"),
    ] {
        transact(&database, &text);
    }
    let now = database.db().unwrap();
    let text = format!("[:mail \"{long}\"]");
    let name = value(&text);
    let constant = format!("[:find ?n . :where [{text} :n ?n]]");
    let input = "[:find ?n . :in $ ?e :where [?e :n ?n]]";
    for (t, owner) in [(1, None), (2, Some(1)), (3, Some(2)), (4, None), (5, Some(4))] {
        let said = owner.map_or(Value::Nil, Value::Int);
        let views = [now.as_of(t), now.as_of(t).history(), now.as_of(t).since(1)];
        for then in &views {
            let entity = owner.map(|n| 5000 + n.unsigned_abs());
            assert_eq!(then.entity_id(&name).unwrap(), entity, "as of {t}");
            assert_eq!(then.entity(&name).unwrap().map(|found| found.id()), entity);
        }
        let found = views[0].pull(&value("[:n]"), &name).unwrap();
        assert_eq!(found.get("n").cloned().unwrap_or(Value::Nil), said, "as of {t}");
        match owner {
            Some(_) => assert_eq!(views[0].q(&constant, &[]).unwrap(), said, "as of {t}"),
            None => assert!(views[0].q(&constant, &[]).is_err(), "as of {t}"),
        }
        let given = views[0].q(input, std::slice::from_ref(&name)).unwrap();
        assert_eq!(given, said, "as of {t}");
        // The state that was made of that moment says the same.
        let made = database.at(t).unwrap();
        assert_eq!(made.entity_id(&name).unwrap(), views[0].entity_id(&name).unwrap());
    }
    // Names within names; an attribute that names only since; what a filter does not show.
    let within = value("[:of [:mail \"short\"]]");
    assert_eq!(now.as_of(4).entity_id(&within).unwrap(), Some(5003));
    assert_eq!(now.as_of(3).entity_id(&within).unwrap(), None);
    assert_eq!(now.as_of(2).entity_id(&value("[:late \"l\"]")).unwrap(), Some(5001));
    assert_eq!(now.as_of(1).entity_id(&value("[:late \"l\"]")).unwrap(), None);
    assert_eq!(now.filter(|_, fact| fact.e != 5004).entity_id(&name).unwrap(), None);
    assert_eq!(now.filter(|_, fact| fact.e == 5004).entity_id(&name).unwrap(), Some(5004));
}

#[test]
fn the_past_keeps_to_the_schema_that_was() {
    let database = Database::memory().unwrap();
    transact(
        &database,
        "{:db/ident :tag :db/valueType :db.type/long :db/cardinality :db.cardinality/many}
         {:db/ident :code :db/valueType :db.type/long :db/index true}",
    );
    let many = transact(
        &database,
        "{:db/id 5001 :tag [1 2 3] :code 7} {:db/id 5002 :tag [2 3] :code 7} {:db/id 5003 :tag 2}",
    );
    transact(
        &database,
        "[:db/retract 5001 :tag 1] [:db/retract 5001 :tag 2] [:db/retract 5002 :tag 3]
         [:db/add 5002 :code 8]",
    );
    transact(
        &database,
        "{:db/ident :tag :db/cardinality :db.cardinality/one} {:db/ident :code :db/unique :db.unique/value}",
    );
    let then = database.db().unwrap().as_of(many);
    let count = |text: &str| then.query(&Query::parse(text).unwrap(), &[]).unwrap().len();
    // Asked often enough that columns are made, with steps from either side.
    for _ in 0..4 {
        assert_eq!(count("[:find ?e :where [?e :tag ?t] [?o :tag ?t] [?o :code 7]]"), 3);
        assert_eq!(count("[:find ?t :where [?e :tag ?t]]"), 3);
        assert_eq!(count("[:find ?c :where [?e :tag 2] [?e :code ?c]]"), 1);
        assert_eq!(count("[:find ?t :where [?e :code 7] [?e :tag ?t]]"), 3);
        assert_eq!(count("[:find ?e :where [?e :code ?c] [(< 6 ?c)]]"), 2);
        assert_eq!(count("[:find ?e :where [?e :tag ?t] [(< 1 ?t)]]"), 3);
    }
}

/// Columns of moments outlive commits and are given up for others; speculation has its own.
#[test]
fn moments_that_are_asked_in_turns_stay_what_they_were() {
    let database = Database::memory().unwrap();
    transact(
        &database,
        "{:db/ident :n :db/valueType :db.type/long :db/index true}
         {:db/ident :to :db/valueType :db.type/ref}",
    );
    let edges: String = (0..200)
        .map(|n| format!("{{:db/id {} :n {} :to {}}}", 5000 + n, n % 7, 5000 + (n + 1) % 200))
        .collect();
    let mut moments = vec![transact(&database, &edges)];
    let text = "[:find (sum ?b) . :with ?x :where [?x :n ?a] [?x :to ?y] [?y :n ?b] [(< ?a ?b)]]";
    let query = Query::parse(text).unwrap();
    let mut known = vec![database.db().unwrap().query(&query, &[]).unwrap().to_value()];
    for turn in 0..12_u64 {
        let (e, other) = (5000 + turn * 13, 5000 + turn * 7 % 200);
        let form = format!("[:db/add {e} :n {}] [:db/add {other} :to {e}]", turn + 20);
        let thought = database.db().unwrap().with(&edn::read_all(&form).unwrap()).unwrap();
        let later = thought
            .db_after()
            .unwrap()
            .with(&edn::read_all("[:db/add 5000 :n 0]").unwrap())
            .unwrap();
        let seen =
            later.db_after().unwrap().as_of(thought.t).query(&query, &[]).unwrap().to_value();
        // What was thought of that transaction is not what it becomes.
        moments.push(transact(&database, &format!("[:db/add {e} :n {}]", turn % 7)));
        let db = database.db().unwrap();
        known.push(db.query(&query, &[]).unwrap().to_value());
        let again =
            later.db_after().unwrap().as_of(thought.t).query(&query, &[]).unwrap().to_value();
        assert_eq!(seen, again);
        for (t, known) in moments.iter().zip(&known) {
            assert_eq!(&db.as_of(*t).query(&query, &[]).unwrap().to_value(), known, "as of {t}");
        }
        let since = db.since(moments[turn as usize]);
        let added = Query::parse("[:find ?e :where [?e :n ?n]]").unwrap();
        assert!(since.query(&added, &[]).unwrap().len() <= 1);
    }
}
