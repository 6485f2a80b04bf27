//! A query on several threads gives what it gives on one, and ends when one of them fails.

use super::generated::rows;
use super::*;
use crate::query::ErrorKind;

const TRIANGLES: &str = "[:find ?a ?b ?c :where [?a :edge ?b] [?b :edge ?c] [?c :edge ?a]]";
const LARGER: &str =
    "[:find ?a ?c :where [?a :edge ?b] [?b :edge ?c] [(< ?a ?c)] (not [?c :edge ?a])]";
const CLOSURE: &str = "[:find ?a ?b :in $ % :where (path ?a ?b)]";
const AGAIN: &str = "[:find ?a ?l :in $ % :where (path ?a ?b) [?b :label ?l]]";
const SELVES: &str = "[:find ?a :in $ % :where (path ?a ?a)]";
const PATH: &str = "[[(path ?a ?b) [?a :edge ?b]] [(path ?a ?b) [?a :edge ?t] (path ?t ?b)]]";

fn edges() -> Vec<(u64, u64)> {
    (0..400_u64).map(|n| (1 + n * 7919 % 97, 1 + n * 104_729 % 89)).collect()
}

fn inputs(query: &str) -> Vec<Value> {
    if query.contains('%') { vec![edn::read(PATH).unwrap()] } else { Vec::new() }
}

#[test]
fn any_number_of_threads_gives_the_same_rows() {
    let memory = graph(&edges());
    for query in [TRIANGLES, LARGER, CLOSURE, AGAIN, SELVES] {
        let given = |threads| {
            let limits = Limits { threads: Some(threads), ..Limits::default() };
            rows(&ask_within(&memory, query, &inputs(query), &limits).unwrap())
        };
        let one = given(1);
        assert!(!one.is_empty(), "{query}");
        for threads in [0, 2, 3, 8] {
            assert_eq!(given(threads), one, "{threads} threads: {query}");
        }
    }
}

#[test]
fn a_bound_that_one_thread_hits_ends_all() {
    let memory = graph(&edges());
    for query in [TRIANGLES, CLOSURE] {
        for threads in [1, 3] {
            let limits =
                Limits { threads: Some(threads), max_bytes: Some(4_000), ..Limits::default() };
            let error = ask_within(&memory, query, &inputs(query), &limits).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::TooManyBytes(4_000), "{threads}: {query}");
            let cancel = crate::Cancel::new();
            cancel.cancel();
            let limits =
                Limits { threads: Some(threads), cancel: Some(cancel), ..Limits::default() };
            let error = ask_within(&memory, query, &inputs(query), &limits).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::Cancelled, "{threads}: {query}");
        }
    }
}
