//! A query that is cancelled at any moment ends at once, and what it read from answers as before.

use super::super::{Cancel, ErrorKind};
use super::*;
use crate::query::Input;
use crate::{Database, Error};

const RULES: &str = "[
    [(path ?x ?y) [?x :edge ?y]]
    [(path ?x ?y) [?x :edge ?t] (path ?t ?y)]
    [(odd ?x ?y) [?x :edge ?y]]
    [(odd ?x ?y) [?x :edge ?t] (even ?t ?y)]
    [(even ?x ?y) [?x :edge ?t] (odd ?t ?y)]
    [(same ?x ?y) [?x :edge ?p] [?y :edge ?p]]
    [(same ?x ?y) [?x :edge ?p] (same ?p ?q) [?y :edge ?q]]
    [(live ?x) [?x :age 3]]
    [(live ?y) (live ?x) [?x :edge ?y]]]";

/// A query for each kind of step and of answer.
const KINDS: [(&str, &str); 29] = [
    ("scan", "[:find ?e ?a ?v :where [?e ?a ?v]]"),
    ("a column", "[:find ?e ?v :where [?e :edge ?v]]"),
    ("a range", "[:find ?e ?n :where [?e :age ?n] [(> ?n 4)] [(!= ?n 9)]]"),
    ("a look", "[:find ?e ?n :where [?e :edge ?f] [?f :age ?n]]"),
    ("a look back", "[:find ?e ?n :where [?e :age ?n] [?f :edge ?e] [?f :age 2]]"),
    ("no index", "[:find ?e ?f :where [?e :weight ?w] [?f :weight ?w]]"),
    ("a leap", "[:find ?a ?b ?c :where [?a :edge ?b] [?b :edge ?c] [?a :edge ?c]]"),
    ("a pair", "[:find ?a ?b :where [?a :edge ?b] [?b :edge ?a]]"),
    ("a product", "[:find ?e ?f :where [?e :age 1] [?f :age 2]]"),
    ("rows", "[:find ?e ?n :in $ % [?n ...] :where [?e :age ?n]]"),
    ("texts", "[:find ?e ?l :where [?e :label ?l]]"),
    ("a function", "[:find ?e ?u :where [?e :label ?l] [(upper-case ?l) ?u]]"),
    ("a collection", "[:find ?e ?x :where [?e :age ?n] [(ground [1 2 3]) [?x ...]] [(< ?n ?x)]]"),
    ("a default", "[:find ?e ?w :where [?e :age] [(get-else $ ?e :weight 0) ?w]]"),
    ("a comparison", "[:find ?e ?f :where [?e :edge ?f] [?e :age ?n] [?f :age ?m] [(< ?n ?m)]]"),
    ("not", "[:find ?e :where [?e :age] (not [?e :edge ?f] [?f :age 5])]"),
    ("or", "[:find ?e :where (or-join [?e] [?e :age 3] (and [?e :edge ?f] [?f :age 3]))]"),
    ("a search", "[:find ?y :in $ % _ :where [?x :label \"the node of number 1\"] (path ?x ?y)]"),
    (
        "a search back",
        "[:find ?x :in $ % _ :where [?y :label \"the node of number 1\"] (path ?x ?y)]",
    ),
    (
        "a search of both ends",
        "[:find ?n :in $ % _ :where [?n :age 7] [?x :label \"the node of number 1\"] (path ?x ?n)]",
    ),
    ("all pairs", "[:find ?x ?y :in $ % _ :where (path ?x ?y)]"),
    ("a walk", "[:find ?y :in $ % _ :where [?x :label \"the node of number 1\"] (odd ?x ?y)]"),
    (
        "a recursion",
        "[:find ?y :in $ % _ :where [?x :label \"the node of number 1\"] (same ?x ?y)]",
    ),
    ("a fixpoint", "[:find ?x :in $ % _ :where (live ?x)]"),
    ("groups", "[:find ?n (count ?e) (sum ?e2) (median ?e2) :where [?e :age ?n] [?e :weight ?e2]]"),
    ("groups by two", "[:find ?n ?w (max ?e) :where [?e :age ?n] [?e :weight ?w]]"),
    ("order", "[:find ?l ?n :where [?e :label ?l] [?e :age ?n] :order-by [?n :desc] :limit 9]"),
    ("pull", "[:find (pull ?e [* {:edge [:label]}]) :where [?e :age 2]]"),
    ("a collection of values", "[:find [?l ...] :where [_ :label ?l]]"),
];

fn query(text: &str) -> Query {
    let text = if text.contains(":in") {
        text.to_owned()
    } else {
        text.replace(" :where", " :in $ % _ :where")
    };
    Query::parse(&text).unwrap()
}

fn inputs() -> [Value; 2] {
    [edn::read(RULES).unwrap(), edn::read("[1 2 3]").unwrap()]
}

const NODES: u64 = 12;

/// Entity, attribute, value: a ring with cords.
fn facts() -> Vec<(u64, &'static str, Value)> {
    let number = |n: u64| Value::Int(i64::try_from(n).unwrap());
    (1..=NODES)
        .flat_map(|n| {
            [
                (n, "edge", Value::Ref(n % NODES + 1)),
                (n, "edge", Value::Ref(n * n % NODES + 1)),
                (n, "label", Value::text(&format!("the node of number {n}"))),
                (n, "age", number(n % 10)),
                (n, "weight", number(n % 7)),
            ]
        })
        .collect()
}

fn world(computed: bool) -> Memory {
    let mut memory = Memory::new(&[
        ("edge", ValueType::Ref, "many"),
        ("label", ValueType::String, "identity"),
        ("age", ValueType::Long, "index"),
        ("weight", ValueType::Long, ""),
    ]);
    memory.add(1, &facts());
    memory.computed = computed;
    memory
}

/// Stops the query at the first look at the flag, at a later one, and so on until it ends before.
fn stop_everywhere(
    name: &str,
    threads: usize,
    mut run: impl FnMut(Option<&Limits>) -> Result<Answer, QueryError>,
) {
    let whole = run(None).unwrap_or_else(|error| panic!("{name}: {error}")).to_value();
    let mut n = 0;
    loop {
        // Each of the first looks, and behind them one in every so many.
        n += 1 + n / 64;
        let cancel = Cancel::at_look(n);
        let limits =
            Limits { cancel: Some(cancel.clone()), threads: Some(threads), ..Limits::default() };
        match run(Some(&limits)) {
            Ok(answer) => {
                assert!(cancel.looks() < n, "{name} went on after look {n}");
                assert_eq!(answer.to_value(), whole, "{name}");
                // A look for every 16 steps, and a step for every four rows.
                assert!(64 * cancel.looks() >= answer.len(), "{name}: {} looks", cancel.looks());
                break;
            }
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Cancelled), "{name}: {error:?}");
                let late = cancel.looks() - n;
                assert!(late < threads, "{name} looked {late} times after look {n}");
            }
        }
        // What was made until then is left to later runs: mostly to those that are stopped, too.
        if n % 8 == 0 {
            assert_eq!(run(None).unwrap().to_value(), whole, "{name} after it was stopped at {n}");
        }
    }
}

#[test]
fn a_query_is_stopped_wherever_it_is() {
    let inputs = inputs();
    for (name, text) in KINDS {
        let query = query(text);
        for (computed, threads) in [(false, 1), (false, 2), (true, 1)] {
            let (memory, fresh) = (world(computed), world(computed));
            stop_everywhere(name, threads, |limits| {
                let memory = if limits.is_some() { &fresh } else { &memory };
                let mut given = vec![Given::Source(memory)];
                given.extend(inputs.iter().map(Given::Value));
                execute(&query, &given, limits.unwrap_or(&Limits::default()))
            });
        }
    }
}

#[test]
fn a_database_is_as_it_was_after_queries_of_its_views_were_stopped() {
    let database = Database::memory().unwrap();
    let schema = "{:db/ident :edge :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}
        {:db/ident :label :db/valueType :db.type/string :db/unique :db.unique/identity}
        {:db/ident :age :db/valueType :db.type/long :db/index true}
        {:db/ident :weight :db/valueType :db.type/long}";
    database.transact(&edn::read_all(schema).unwrap()).unwrap();
    let named = |n: &u64| {
        let label = Value::text(&format!("the node of number {n}"));
        Value::Vector(vec![Value::keyword("label"), label])
    };
    let add = |e: Value, a: &str, v: Value| {
        Value::Vector(vec![Value::keyword("db/add"), e, Value::keyword(a), v])
    };
    let (edges, others): (Vec<_>, Vec<_>) = facts().into_iter().partition(|fact| fact.1 == "edge");
    let others = others.iter().map(|(e, a, v)| add(Value::text(&e.to_string()), a, v.clone()));
    database.transact(&others.collect::<Vec<_>>()).unwrap();
    for edges in edges.chunks(16) {
        let edges = edges.iter().map(|(e, a, v)| match v {
            Value::Ref(to) => add(named(e), a, named(to)),
            other => panic!("{other}"),
        });
        database.transact(&edges.collect::<Vec<_>>()).unwrap();
    }
    let db = database.db().unwrap();
    let views = [db.clone(), db.as_of(db.basis() - 1), db.history()];
    let count =
        || views.each_ref().map(|view| view.datoms(crate::Index::Eavt, &[]).unwrap().count());
    let before = count();
    let inputs = inputs().map(Input::Value);
    for (name, text) in KINDS.iter().step_by(2) {
        let query = query(text);
        for view in &views {
            stop_everywhere(name, 1, |limits| {
                let limits = limits.cloned().unwrap_or_default();
                match view.query_with(&query, &inputs, &limits) {
                    Err(Error::Query(error)) => Err(*error),
                    answer => Ok(answer.unwrap()),
                }
            });
        }
    }
    assert_eq!((count(), database.db().unwrap().basis()), (before, db.basis()));
}
