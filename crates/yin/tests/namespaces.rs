//! Namespaces come from the database.

use daodb::Database;
use datom::{Value, edn};
use yin::{Error, Kind, Limits, Machine, Outcome, Program};

fn world() -> Database {
    let world = Database::memory().unwrap();
    world.transact(&yin::schema()).unwrap();
    world
}

fn store(world: &Database, name: &str, source: &str) {
    let program = Program::read_with(name, source, &world.db().unwrap()).unwrap();
    world.transact(&program.transaction()).unwrap();
}

fn run(world: &Database, source: &str) -> Result<Value, Error> {
    let program = Program::read_with("main.yin", source, &world.db().unwrap())?;
    let mut machine = Machine::new(world.clone(), Limits::default());
    machine.start(&program)?;
    match machine.run(10_000_000) {
        Outcome::Done(value) => Ok(value),
        Outcome::Failed(error) => Err(error),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn gives(world: &Database, source: &str, expected: &str) {
    assert_eq!(run(world, source).unwrap(), edn::read(expected).unwrap(), "{source}");
}

#[test]
fn a_program_uses_what_another_defined() {
    let world = world();
    store(&world, "price.yin", "(ns shop.price) (def rate 2) (defn net [x] (* x rate))");
    store(
        &world,
        "order.yin",
        "(ns shop.order (:require [shop.price :as p])) (defn total [xs] (reduce + 0 (map p/net xs)))",
    );
    gives(
        &world,
        "(ns main (:require [shop.order :refer [total]] [shop.price :as q])) [(total [1 2]) (q/net 5)]",
        "[6 10]",
    );
}

#[test]
fn the_newest_program_of_a_namespace_counts() {
    let world = world();
    store(&world, "a.yin", "(ns lib) (defn f [] 1)");
    gives(&world, "(ns main (:require lib)) (lib/f)", "1");
    store(&world, "a.yin", "(ns lib) (defn f [] 2)");
    gives(&world, "(ns main (:require lib)) (lib/f)", "2");
}

#[test]
fn a_namespace_is_run_once_and_two_may_need_each_other() {
    let world = world();
    store(&world, "a.yin", "(ns a (:require b)) (defn even [n] (if (= n 0) true (b/odd (dec n))))");
    store(
        &world,
        "b.yin",
        "(ns b (:require a)) (defn odd [n] (if (= n 0) false (a/even (dec n))))",
    );
    gives(&world, "(ns main (:require a b)) [(a/even 10) (b/odd 10)]", "[true false]");
}

#[test]
fn macros_of_another_namespace_are_expanded_here() {
    let world = world();
    store(
        &world,
        "m.yin",
        "(ns m) (defn helper [x] (* 2 x)) (defmacro twice [x] `(helper ~x)) (defmacro four [] (helper 2))",
    );
    gives(
        &world,
        "(ns main (:require [m :as m :refer [twice]])) [(twice 21) (m/twice 1) (m/four)]",
        "[42 2 4]",
    );
}

#[test]
fn what_fails_in_a_required_namespace_says_where() {
    let world = world();
    store(&world, "bad.yin", "(ns bad)\n(def x (+ 1 :a))");
    let error = run(&world, "(ns main (:require bad)) 1").unwrap_err();
    assert_eq!(
        (error.kind, error.position.unwrap().to_string().as_str()),
        (Kind::Type, "bad.yin:2:8")
    );
    assert_eq!(run(&world, "(ns main (:require none))").unwrap_err().kind, Kind::Unbound);
}

#[test]
fn expansions_and_docs_are_queryable() {
    let world = world();
    store(
        &world,
        "m.yin",
        "(ns m \"Macros.\") (defmacro inc2 [x] `(+ ~x 2)) (defn f \"Adds two.\" [x] (inc2 x))",
    );
    let db = world.db().unwrap();
    let made = db
        .q("[:find [?call ...] :where [?e :yin/macro m/inc2] [?e :yin/value ?call]]", &[])
        .unwrap();
    assert_eq!(made.to_string(), "[(inc2 x)]");
    let docs = db
        .q("[:find ?docs . :where [?p :yin.program/namespace m] [?p :yin.program/docs ?docs]]", &[])
        .unwrap();
    assert_eq!(docs.to_string(), "{m \"Macros.\", m/f \"Adds two.\"}");
}

#[test]
fn the_library_is_stored_where_it_is_first_used() {
    let world = world();
    let stored = || {
        world.db().unwrap().q("[:find ?p . :where [?p :yin.program/namespace seq]]", &[]).unwrap()
    };
    assert_eq!(stored(), Value::Nil);
    gives(&world, "(ns main (:require [seq :as s])) (s/sum [1 2 3])", "6");
    let entity = stored();
    assert_ne!(entity, Value::Nil);
    let t = world.db().unwrap().basis();
    gives(&world, "(ns main (:require [seq :as s])) (s/zip [1] [2])", "[[1 2]]");
    assert_eq!((stored(), world.db().unwrap().basis()), (entity, t));
    // From then on it is code like any other.
    store(&world, "mine.yin", "(ns seq) (defn sum [xs] :mine)");
    gives(&world, "(ns main (:require [seq :as s])) (s/sum [1 2 3])", ":mine");
}

#[test]
fn declared_types_are_queryable() {
    let world = world();
    store(
        &world,
        "t.yin",
        "(defn area [w :- :int h :- [:or :int :float] note] :- :number (* w h)) (defn name [x :- :text] x)",
    );
    let db = world.db().unwrap();
    let ask = |query: &str| db.q(query, &[]).unwrap().to_string();
    let params = "[:find ?f ?n ?i ?t :where [?d :yin/name ?f] [?d :yin/definition-of ?l] [?l :fn/param ?p]
                   [?p :param/name ?n] [?p :param/place ?i] [?p :param/type ?k] [?k :type/form ?t]]";
    assert_eq!(ask(params), "#{[area h 1 [:or :int :float]] [area w 0 :int] [name x 0 :text]}");
    assert_eq!(
        ask(
            "[:find [?f ...] :where [?d :yin/name ?f] [?d :yin/definition-of ?l] [?l :fn/returns ?k] [?k :type/name :number]]"
        ),
        "[area]"
    );
    assert_eq!(ask("[:find (count ?p) . :where [?l :fn/param ?p]]"), "4");
}
