//! Recursion: every way to write a closure ends, on cycles too, and gives the same rows.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const CLOSURES: [(&str, &str); 7] = [
    ("right", "[[(path ?x ?y) [?x :edge ?y]] [(path ?x ?y) [?x :edge ?t] (path ?t ?y)]]"),
    ("left", "[[(path ?x ?y) [?x :edge ?y]] [(path ?x ?y) (path ?x ?t) [?t :edge ?y]]]"),
    ("non-linear", "[[(path ?x ?y) [?x :edge ?y]] [(path ?x ?y) (path ?x ?t) (path ?t ?y)]]"),
    (
        "mutual",
        "[[(path ?x ?y) [?x :edge ?y]] [(path ?x ?y) [?x :edge ?t] (way ?t ?y)]
          [(way ?x ?y) [?x :edge ?y]] [(way ?x ?y) (path ?x ?t) [?t :edge ?y]]]",
    ),
    (
        "in turns",
        "[[(path ?x ?y) [?x :edge ?y]] [(path ?x ?y) [?x :edge ?t] (yaw ?y ?t)]
          [(yaw ?y ?x) [?x :edge ?y]] [(yaw ?y ?x) (path ?t ?y) [?x :edge ?t]]]",
    ),
    (
        "in an or",
        "[[(path ?x ?y) (or-join [?x ?y] [?x :edge ?y] (and [?x :edge ?t] (path ?t ?y)))]]",
    ),
    (
        "both ends",
        "[[(path ?x ?y) [?x :edge ?y]]
          [(path ?x ?y) [?x :edge ?a] (path ?a ?b) [?b :edge ?y]]
          [(path ?x ?y) [?x :edge ?t] [?t :edge ?y]]]",
    ),
];

/// A cycle of three with a tail, a loop of one, and an edge apart.
const EDGES: [(u64, u64); 8] = [(1, 2), (2, 3), (3, 1), (3, 4), (4, 5), (6, 7), (8, 8), (1, 4)];

#[test]
fn every_closure_ends_on_cycles_with_the_same_rows() {
    let all = "#{[1 1] [1 2] [1 3] [1 4] [1 5] [2 1] [2 2] [2 3] [2 4] [2 5] [3 1] [3 2] [3 3]
                 [3 4] [3 5] [4 5] [6 7] [8 8]}";
    for (name, rules) in CLOSURES {
        println!("{name}");
        let memory = graph(&EDGES);
        gives(&memory, "[:find ?x ?y :in $ % :where (path ?x ?y)]", &[rules], all);
    }
}

#[test]
fn a_call_with_one_variable_twice_means_one_value() {
    for (name, rules) in CLOSURES {
        println!("{name}");
        let memory = graph(&EDGES);
        gives(&memory, "[:find [?x ...] :in $ % :where (path ?x ?x)]", &[rules], "[1 2 3 8]");
    }
}

#[test]
fn a_bound_end_gives_the_rows_of_that_end() {
    for (name, rules) in CLOSURES {
        println!("{name}");
        let memory = graph(&EDGES);
        gives(&memory, "[:find [?y ...] :in $ % :where (path 4 ?y)]", &[rules], "[5]");
        gives(&memory, "[:find [?y ...] :in $ % :where (path 2 ?y)]", &[rules], "[1 2 3 4 5]");
        gives(&memory, "[:find [?x ...] :in $ % :where (path ?x 7)]", &[rules], "[6]");
        gives(
            &memory,
            "[:find ?l . :in $ % :where (path 6 7) [6 :label ?l]]",
            &[rules],
            "\"node number 6\"",
        );
        gives(&memory, "[:find ?l . :in $ % :where (path 7 6) [6 :label ?l]]", &[rules], "nil");
        let query = "[:find [?y ...] :in $ % ?l :where [?x :label ?l] (path ?x ?y)]";
        gives(&memory, query, &[rules, "\"node number 3\""], "[1 2 3 4 5]");
    }
}

#[test]
fn a_loop_whose_end_is_also_a_condition_is_no_loop() {
    // Only ends that lead on count, at every step: 4 leads to 5, which leads nowhere.
    let rules = "[[(path ?x ?y) [?x :edge ?y]]
                  [(path ?x ?y) [?x :edge ?t] (path ?t ?y) [?y :edge]]]";
    let memory = graph(&[(1, 2), (2, 3), (3, 4), (4, 5)]);
    gives(&memory, "[:find [?y ...] :in $ % :where (path 2 ?y)]", &[rules], "[3 4]");
    gives(&memory, "[:find [?y ...] :in $ % :where (path 4 ?y)]", &[rules], "[5]");
}

#[test]
fn a_rule_called_twice_in_a_row_may_grow_while_it_is_read() {
    for (name, rules) in CLOSURES {
        println!("{name}");
        let memory = graph(&EDGES);
        let query = "[:find (count ?z) . :in $ % :where (path 1 ?x) (path ?x ?y) (path ?y ?z)]";
        gives(&memory, query, &[rules], "5");
    }
}

#[test]
fn a_closure_of_both_directions_ends() {
    let rules = "[[(near ?x ?y) [?x :edge ?y]] [(near ?x ?y) [?y :edge ?x]]
                  [(joined ?x ?y) (near ?x ?y)]
                  [(joined ?x ?y) (joined ?x ?t) (joined ?t ?y)]]";
    let memory = graph(&EDGES);
    gives(&memory, "[:find [?y ...] :in $ % :where (joined 6 ?y)]", &[rules], "[6 7]");
    gives(&memory, "[:find (count ?y) . :in $ % :where (joined 5 ?y)]", &[rules], "5");
}

#[test]
fn same_generation_ends_and_is_right() {
    // 1 has the children 2 and 3, they have 4, 5 and 6.
    let memory = graph(&[(2, 1), (3, 1), (4, 2), (5, 2), (6, 3)]);
    let rules = "[[(same ?x ?y) [?x :edge ?p] [?y :edge ?p]]
                  [(same ?x ?y) [?x :edge ?p] (same ?p ?q) [?y :edge ?q]]]";
    gives(&memory, "[:find [?y ...] :in $ % :where (same 4 ?y)]", &[rules], "[4 5 6]");
}

#[test]
fn negation_of_a_closure_is_of_the_whole_closure() {
    let memory = graph(&EDGES);
    let rules = CLOSURES[1].1;
    let query = "[:find [?x ...] :in $ % :where [?x :label] (not (path ?x 5))]";
    gives(&memory, query, &[rules], "[5 6 7 8]");
    let rules = "[[(path ?x ?y) [?x :edge ?y]] [(path ?x ?y) (path ?x ?t) [?t :edge ?y]]
                  [(apart ?x ?y) [?x :label] [?y :label] (not (path ?x ?y)) (not (path ?y ?x))]]";
    gives(&memory, "[:find [?y ...] :in $ % :where (apart 6 ?y)]", &[rules], "[1 2 3 4 5 6 8]");
}

#[test]
fn heads_may_hold_constants_and_one_variable_twice() {
    let memory = graph(&[(1, 2), (2, 3)]);
    let rules = "[[(self ?x ?x) [?x :edge]] [(to ?x 9) [?x :edge 2]] [(to ?x ?y) [?x :edge ?y]]]";
    gives(&memory, "[:find ?x ?y :in $ % :where (self ?x ?y)]", &[rules], "#{[1 1] [2 2]}");
    gives(&memory, "[:find ?x . :in $ % :where (self ?x 2)]", &[rules], "2");
    gives(&memory, "[:find ?x . :in $ % :where (self 1 2) [?x :edge 2]]", &[rules], "nil");
    gives(&memory, "[:find [?y ...] :in $ % :where (to 1 ?y)]", &[rules], "[2 9]");
    gives(&memory, "[:find [?x ...] :in $ % :where (to ?x 9)]", &[rules], "[1]");
}

#[test]
fn functions_in_recursion_run_until_their_condition_fails() {
    let memory = graph(&[(1, 2)]);
    let rules = "[[(down ?n ?m) [(identity ?n) ?m]]
                  [(down ?n ?m) [(> ?n 0)] [(dec ?n) ?k] (down ?k ?m)]]";
    gives(
        &memory,
        "[:find [?m ...] :in $ % ?n :where [_ :edge _] (down ?n ?m)]",
        &[rules, "4"],
        "[0 1 2 3 4]",
    );
}

#[test]
fn recursion_is_no_deeper_than_the_machine_whatever_the_chain() {
    let edges: Vec<(u64, u64)> = (1..20_000).map(|n| (n, n + 1)).collect();
    let memory = graph(&edges);
    for (name, rules) in &CLOSURES[..2] {
        println!("{name}");
        gives(&memory, "[:find (count ?y) . :in $ % :where (path 1 ?y)]", &[rules], "19999");
        gives(&memory, "[:find (count ?x) . :in $ % :where (path ?x 20000)]", &[rules], "19999");
    }
}

#[test]
fn a_bound_start_never_computes_the_whole_closure() {
    let edges: Vec<(u64, u64)> = (1..2_000).map(|n| (n, n + 1)).collect();
    let memory = graph(&edges);
    // The whole closure has two million rows.
    let limits = Limits { max_rows: Some(5_000), ..Limits::default() };
    for (name, rules) in &CLOSURES[..3] {
        println!("{name}");
        let rules = edn::read(rules).unwrap();
        let query = "[:find (count ?y) . :in $ % :where (path 1900 ?y)]";
        let answer = ask_within(&memory, query, &[rules], &limits).unwrap();
        assert_eq!(answer.to_value(), Value::Int(100));
    }
    for rules in [CLOSURES[0].1, CLOSURES[1].1] {
        let rules = edn::read(rules).unwrap();
        let query = "[:find (count ?y) . :in $ % :where (path 1 ?y)]";
        let answer = ask_within(&memory, query, std::slice::from_ref(&rules), &limits).unwrap();
        assert_eq!(answer.to_value(), Value::Int(1_999));
        let query = "[:find (count ?y) . :in $ % :where (path ?y 2000)]";
        let answer = ask_within(&memory, query, &[rules], &limits).unwrap();
        assert_eq!(answer.to_value(), Value::Int(1_999));
    }
}

/// Even and odd distances: rules that call each other last, the second with its arguments turned round.
const DISTANCES: &str = "[[(odd ?x ?y) [?x :edge ?y]]
                          [(odd ?x ?y) [?x :edge ?t] (even ?y ?t)]
                          [(even ?y ?x) [?x :edge ?t] (odd ?t ?y)]]";

#[test]
fn rules_that_call_each_other_cost_what_a_bound_start_reaches() {
    let rules = edn::read(DISTANCES).unwrap();
    let chains: Vec<(u64, Memory)> = [400, 4_000]
        .map(|nodes| (nodes, graph(&(1..nodes).map(|n| (n, n + 1)).collect::<Vec<_>>())))
        .into();
    for (query, rows) in [
        ("[:find ?y :in $ % ?last :where (odd 1 ?y)]", 2),
        ("[:find ?y :in $ % ?last :where (even ?y 1)]", 2),
        ("[:find ?x :in $ % ?last :where (odd ?x ?last)]", 2),
        ("[:find ?last :in $ % ?last :where (odd 1 ?last)]", 0),
    ] {
        for (nodes, memory) in &chains {
            // Pairs of nodes would be 80,000 and 8,000,000.
            let (nodes, last) = (*nodes, Value::Ref(*nodes));
            let limits =
                Limits { max_rows: Some(nodes), max_bytes: Some(160 * nodes), ..Limits::default() };
            let given = [Given::Source(memory), Given::Value(&rules), Given::Value(&last)];
            let told = explain(&Query::parse(query).unwrap(), &given, &limits).unwrap();
            let expected = nodes.checked_div(rows).unwrap_or(1);
            assert!(told.rows.abs_diff(expected) <= 1, "{query}: {told}");
            assert!(told.scanned <= 8 * nodes, "{query}: {told}");
        }
    }
}

#[test]
fn a_walk_goes_through_conditions_constants_and_rules_that_need_an_argument() {
    let memory = graph(&[(1, 2), (2, 3), (3, 4), (4, 1), (3, 5), (5, 6)]);
    let rules = "[[(one [?x] ?k ?y) [?x :edge ?y] [(= ?k 1)]]
                  [(one [?x] ?k ?y) [?x :edge ?t] [(!= ?t 4)] (two ?t ?y ?k)]
                  [(two [?x] ?y ?k) [?x :edge ?t] (one ?t ?k ?y)]
                  [(two [?x] 7 ?k) [?x :label \"node number 5\"] [(= ?k 1)]]]";
    let ones = "[:find [?y ...] :in $ % :where (one 1 1 ?y)]";
    gives(&memory, ones, &[rules], "[2 4 5 7]");
    let none = "[:find [?y ...] :in $ % :where (one 1 2 ?y)]";
    gives(&memory, none, &[rules], "[]");
    let unbound = "[:find ?x ?y :in $ % :where (one ?x 1 ?y)]";
    let error = ask(&memory, unbound, &[edn::read(rules).unwrap()]).unwrap_err();
    assert!(error.to_string().contains("?x"), "{error}");
}

proptest! {
    // Each case asks 60 queries.
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn closures_of_any_graph_are_those_of_a_plain_search(
        edges in prop::collection::vec((1..9_u64, 1..9_u64), 1..24),
    ) {
        let mut reaches = [[false; 9]; 9];
        for (from, to) in &edges {
            reaches[*from as usize][*to as usize] = true;
        }
        for middle in 1..9 {
            for from in 1..9 {
                for to in 1..9 {
                    reaches[from][to] |= reaches[from][middle] && reaches[middle][to];
                }
            }
        }
        let memory = graph(&edges);
        let edges = |keep: &dyn Fn(u64, u64) -> bool| -> BTreeSet<Vec<Value>> {
            let pairs = (1..9).flat_map(|x| (1..9).map(move |y| (x, y)));
            let kept = pairs.filter(|(x, y)| reaches[*x as usize][*y as usize] && keep(*x, *y));
            kept.map(|(x, y)| vec![Value::Ref(x), Value::Ref(y)]).collect()
        };
        for (name, rules) in CLOSURES.into_iter().chain(EDGES_OF_CLAUSES) {
            let rules = edn::read(rules).unwrap();
            let given = |text: &str| match ask(&memory, text, std::slice::from_ref(&rules)).unwrap() {
                Answer::Relation { rows, .. } => {
                    rows.iter().map(|row| row.to_vec()).collect::<BTreeSet<_>>()
                }
                other => panic!("{other:?}"),
            };
            let all = given("[:find ?x ?y :in $ % :where (path ?x ?y)]");
            prop_assert_eq!(&all, &edges(&|_, _| true), "{}", name);
            let from = given("[:find ?x ?y :in $ % :where [(ground 3) ?n] [?x :edge] [(= ?x ?n)] (path ?x ?y)]");
            prop_assert_eq!(&from, &edges(&|x, _| x == 3), "{}", name);
            let to = given("[:find ?x ?y :in $ % :where [_ :edge ?y] (path ?x ?y)]");
            prop_assert_eq!(&to, &all, "{}", name);
            let both = given("[:find ?x ?y :in $ % :where [?y :label] [?x :label] (path ?x ?y)]");
            prop_assert_eq!(&both, &all, "{}", name);
            let cyclic = given("[:find ?x ?y :in $ % :where [?x :label] (path ?x ?x) (path ?x ?y)]");
            let on_cycle = |x: u64| reaches[x as usize][x as usize];
            prop_assert_eq!(&cyclic, &edges(&|x, _| on_cycle(x)), "{}", name);
            let apart = given("[:find ?x ?y :in $ % :where [?x :label] [?y :label] (not (path ?x ?y))]");
            prop_assert!(apart.is_disjoint(&all), "{}", name);
        }
    }
}

/// Closures whose edges are several clauses, or of several kinds, written in other orders and names.
const EDGES_OF_CLAUSES: [(&str, &str); 3] = [
    (
        "two clauses",
        "[[(path ?x ?y) [?x :edge ?y] [?x :label ?l]]
          [(path ?from ?to) (path ?via ?to) [?from :label ?name] [?from :edge ?via]]]",
    ),
    (
        "two rules of one edge",
        "[[(step ?x ?y) [?x :edge ?y]]
          [(path ?x ?y) (step ?x ?y)] [(path ?x ?y) [?x :edge ?y] [?y :label]]
          [(path ?x ?y) (step ?x ?t) (path ?t ?y)]
          [(path ?x ?y) (path ?t ?y) [?t :label] [?x :edge ?t]]]",
    ),
    (
        "nothing but itself to go along",
        "[[(path ?x ?y) (or-join [?x ?y] [?x :edge ?y] (and [?x :edge ?t] [?t :edge ?y]))]
          [(path ?a ?b) (path ?t ?b) (path ?a ?t)]]",
    ),
];
