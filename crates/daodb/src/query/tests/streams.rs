//! Rows that come one after the other are those of the answer.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datom::{Value, edn};

use super::graph;
use crate::query::stream::each_rows;
use crate::query::{Given, Memory};
use crate::{Cancel, Database, ErrorKind, Limits, Query};

/// Rows of a query on one source, until so many were taken.
fn streamed(memory: &Memory, text: &str, most: usize) -> Vec<Vec<Value>> {
    let query = Query::parse(text).unwrap();
    let mut found = Vec::new();
    each_rows(&query, &[Given::Source(memory)], &Limits::default(), &mut |rows| {
        assert!(!rows.is_empty());
        found.extend(rows.iter().map(|row| row.to_vec()));
        if found.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
    .unwrap();
    found
}

/// `edges` from node to node, all of a few nodes.
fn dense() -> Memory {
    let edges = (1..=12).flat_map(|from| (1..=12).map(move |to| (from, to)));
    graph(&edges.collect::<Vec<_>>())
}

#[test]
fn they_are_those_of_the_answer_each_once() {
    let memory = dense();
    let queries = [
        "[:find ?x ?y :where [?x :edge ?y]]",
        "[:find ?x :where [?x :edge ?y]]",
        "[:find ?x ?z :where [?x :edge ?y] [?y :edge ?z] [(< ?x ?z)]]",
        "[:find ?l :where [?x :edge ?y] [?x :label ?l]]",
        "[:find ?x :with ?y :where [?x :edge ?y] [(< ?y 3)]]",
        "[:find (pull ?x [:label]) :where [?x :edge 1]]",
        "[:find (count ?y) ?x :where [?x :edge ?y]]",
        "[:find ?x :where [?x :edge ?y] :order-by ?x :desc :limit 3]",
        "[:find ?x :where (or [?x :edge 1] [?x :edge 2])]",
        "[:find ?x ?y :where [?x :edge ?y] [(> ?x 99)]]",
    ];
    for text in queries {
        let answer = super::ask(&memory, text, &[]).unwrap().to_value();
        let mut found = streamed(&memory, text, usize::MAX);
        let answer: Vec<Value> = match &answer {
            Value::Set(rows) => rows.iter().cloned().collect(),
            Value::Vector(rows) => rows.clone(),
            other => panic!("{other}"),
        };
        if text.contains(":order-by") {
            assert_eq!(found.into_iter().map(Value::Vector).collect::<Vec<_>>(), answer, "{text}");
            continue;
        }
        found.sort();
        if text.contains(":with") {
            found.dedup(); // rows that `:with` keeps apart are one as values
        }
        let mut answer: Vec<Vec<Value>> =
            answer.iter().map(|row| row.as_slice().unwrap().to_vec()).collect();
        answer.sort();
        assert_eq!(found, answer, "{text}");
    }
}

#[test]
fn every_form_of_find_gives_rows() {
    let memory = dense();
    let all = streamed(&memory, "[:find [?x ...] :where [?x :edge 1]]", usize::MAX);
    let distinct: BTreeSet<&Vec<Value>> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (12, 12));
    let one = "[:find ?x . :where [?x :edge 1] [(= ?x 3)]]";
    assert_eq!(streamed(&memory, one, usize::MAX), [[Value::Ref(3)]]);
    let row = "[:find [?x ?y] :where [?x :edge ?y] [(= ?x 3)] [(= ?y 4)]]";
    assert_eq!(streamed(&memory, row, usize::MAX), [[Value::Ref(3), Value::Ref(4)]]);
}

/// All of it would be 144^6 rows.
#[test]
fn nothing_is_searched_for_beyond_what_is_wanted() {
    let text = "[:find ?a ?b ?c ?d ?e ?f ?g ?h ?i ?j ?k ?l :where [?a :edge ?b] [?c :edge ?d]
                 [?e :edge ?f] [?g :edge ?h] [?i :edge ?j] [?k :edge ?l]]";
    let found = streamed(&dense(), text, 10);
    assert!((10..100).contains(&found.len()), "{}", found.len());
}

#[test]
fn a_limit_without_an_order_ends_the_search() {
    let product = "[:find ?a ?b ?c ?d ?e ?f ?g ?h ?i ?j ?k ?l :where [?a :edge ?b] [?c :edge ?d]
                    [?e :edge ?f] [?g :edge ?h] [?i :edge ?j] [?k :edge ?l]";
    let found = streamed(&dense(), &format!("{product} :limit 10 :offset 7]"), usize::MAX);
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 10);
    assert!(streamed(&dense(), &format!("{product} :limit 0]"), usize::MAX).is_empty());
    // A row that comes again counts once.
    let few = "[:find ?x :where [?x :edge ?y] :limit 5 :offset 3]";
    assert_eq!(streamed(&dense(), few, usize::MAX).into_iter().collect::<BTreeSet<_>>().len(), 5);
    let rest = "[:find ?x :where [?x :edge ?y] :offset 10]";
    assert_eq!(streamed(&dense(), rest, usize::MAX).len(), 2);
}

fn people() -> Database {
    let database = Database::memory().unwrap();
    let schema = "{:db/ident :age :db/valueType :db.type/long}";
    database.transact(&edn::read_all(schema).unwrap()).unwrap();
    let people: String = (0..50).map(|age| format!("{{:age {age}}}")).collect();
    database.transact(&edn::read_all(&people).unwrap()).unwrap();
    database
}

const ALL_PAIRS: &str = "[:find ?a ?b ?c ?d ?e ?f ?g ?h :where [?a :age ?b] [?c :age ?d]
                         [?e :age ?f] [?g :age ?h]]";

#[test]
fn a_stream_gives_rows_and_ends_when_it_is_dropped() {
    let db = people().db().unwrap();
    let query = Query::parse(ALL_PAIRS).unwrap();
    let first: Vec<_> = db
        .stream(&query, &[], &Limits::default())
        .unwrap()
        .take(5)
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(first.len(), 5);
    let all = Query::parse("[:find ?a :where [_ :age ?a]]").unwrap();
    assert_eq!(db.stream(&all, &[], &Limits::default()).unwrap().count(), 50);
}

#[test]
fn a_stream_that_is_cancelled_says_so_last() {
    let db = people().db().unwrap();
    let cancel = Cancel::new();
    let limits = Limits { cancel: Some(cancel.clone()), ..Limits::default() };
    let mut stream = db.stream(&Query::parse(ALL_PAIRS).unwrap(), &[], &limits).unwrap();
    assert!(stream.next().unwrap().is_ok());
    cancel.cancel();
    let last = stream.by_ref().find_map(Result::err).unwrap();
    let crate::Error::Query(error) = last else { panic!("{last}") };
    assert_eq!(*error.kind(), ErrorKind::Cancelled);
    assert!(stream.next().is_none());
}

#[test]
fn a_flag_that_came_of_another_is_set_with_it_and_alone() {
    let parent = Cancel::new();
    let (one, other) = (parent.child(), parent.child());
    one.cancel();
    assert!(one.is_cancelled() && !other.is_cancelled() && !parent.is_cancelled());
    parent.cancel();
    assert!(other.is_cancelled());
}
