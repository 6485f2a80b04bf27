//! Functions written in Yin, called by queries and transactions.

use crate::place::Place;

const PEOPLE: &str = r#"
    [{:db/ident :person/name :db/valueType :db.type/string :db/unique :db.unique/identity}
     {:db/ident :person/age :db/valueType :db.type/long}
     {:db/ident :person/boss :db/valueType :db.type/ref}]
    [{:db/id "ada" :person/name "Ada" :person/age 36}
     {:db/id "bob" :person/name "Bob" :person/age 25 :person/boss "ada"}]"#;

const SCORE: &str = "
(ns score (:require [math :as m]))
(defn points [age] (m/clamp 0 60 (* 2 age)))
(defn old? [age] (> age 30))
(defn worst [n ages] (vec (take n (sort ages))))
(defn boss [p] (q '[:find ?n . :in $ ?p :where [?p :person/boss ?b] [?b :person/name ?n]] p))
(defn again [p] (q '[:find ?x . :in $ ?p :where [(score/again ?p) ?x]] p))
(defn forever [x] (loop [] (recur)))
(defn bad [x] (+ x :a))
(defn write [x] (transact! [[:db/add x :person/age 1]]))
(defn ask [x] (perform :time/now))
(defn birthday [name]
  [[:db/add [:person/name name] :person/age
    (inc (q '[:find ?a . :in $ ?n :where [?p :person/name ?n] [?p :person/age ?a]] name))]])
(perform :time/now)";

const POINTS: &str =
    "[:find ?n ?p :where [?e :person/name ?n] [?e :person/age ?a] [(score/points ?a) ?p]]";

fn world() -> Place {
    let place = Place::new();
    place.write("people.edn", PEOPLE);
    place.write("score.yin", SCORE);
    place.ok(&["transact", "world", "people.edn"]);
    place.ok(&["run", "world", "score.yin"]);
    place
}

#[test]
fn queries_call_functions_by_name_and_by_entity() {
    let place = world();
    let asks = |query: &str| place.ok(&["q", "world", query]).trim().to_owned();
    let points = "[[\"Ada\" 60]\n [\"Bob\" 50]]";
    assert_eq!(asks(POINTS), points);
    let old = "[:find [?a ...] :where [_ :person/age ?a] [(score/old? ?a)]]";
    assert_eq!(asks(old), "[36]");
    assert_eq!(asks("[:find (score/worst 1 ?a) . :where [_ :person/age ?a]]"), "[25]");
    let bosses = "[:find [?b ...] :where [?e :person/name] [(score/boss ?e) ?b]]";
    assert_eq!(asks(bosses), "[\"Ada\"]");
    assert_eq!(asks("[:find ?g . :where [_ :person/age 36] [(math/gcd 12 18) ?g]]"), "6");
    let (pattern, bob) = ("[(:person/age :xform score/points)]", "[:person/name \"Bob\"]");
    assert_eq!(place.ok(&["pull", "world", pattern, bob]).trim(), "{:person/age 50}");
    for entity in ["?d", "?f"] {
        let named = "[?d :yin/name score/points] [?d :yin/definition-of ?f]";
        let entity = asks(&format!("[:find {entity} . :where {named}]"));
        assert_eq!(asks(&POINTS.replace("score/points", &entity)), points);
    }
}

#[test]
fn what_is_called_is_the_newest_code_and_of_the_past_the_code_of_then() {
    let place = world();
    let then = place.ok(&["q", "world", POINTS]);
    let t = place.ok(&["log", "world", "--format", "json"]).lines().count();
    place.write("score.yin", &SCORE.replace("(* 2 age)", "age"));
    place.ok(&["run", "world", "score.yin"]);
    assert_eq!(place.ok(&["q", "world", POINTS]).trim(), "[[\"Ada\" 36]\n [\"Bob\" 25]]");
    assert_eq!(place.ok(&["q", "world", POINTS, "--as-of", &t.to_string()]), then);
}

#[test]
fn a_function_that_fails_ends_the_query_with_its_place_and_its_clause() {
    let place = world();
    let fails = |function: &str, said: &[&str]| {
        let query = format!("[:find ?x . :where [?e :person/age 36] [({function} ?e) ?x]]");
        place.run(&["q", "world", &query, "--fuel", "20000"]).fails_with(1, said);
    };
    fails("score/forever", &["score/forever", "more than the 20000 steps", "query:1:"]);
    fails("score/bad", &["score.yin:9:", "wants numbers"]);
    fails("score/write", &["changes nothing"]);
    fails("score/ask", &["asks for :time/now", "no effects"]);
    fails("score/again", &["deeper than 8"]);
    fails("score/point", &["did you mean score/points?"]);
    fails("nowhere/at-all", &["unknown function nowhere/at-all", "library"]);
}

#[test]
fn transactions_call_functions() {
    let place = world();
    place.write("birthday.edn", "[score/birthday \"Bob\"]");
    place.ok(&["transact", "world", "birthday.edn"]);
    let age = "[:find ?a . :where [?e :person/name \"Bob\"] [?e :person/age ?a]]";
    assert_eq!(place.ok(&["q", "world", age]).trim(), "26");
    place.write("check.edn", "{:db/ident :person/age :db.attr/preds score/old?}");
    place.ok(&["transact", "world", "check.edn"]);
    place.write("young.edn", "{:person/name \"Eve\" :person/age 3}");
    place.run(&["transact", "world", "young.edn"]).fails_with(1, &["score/old?"]);
}
