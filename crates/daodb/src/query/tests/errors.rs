//! What is refused, where, and what is suggested instead; what limits do.

use std::time::Duration;

use super::super::limits::Cancel;
use super::*;

fn refused(query: &str, inputs: &[&str]) -> QueryError {
    let memory = graph(&[(1, 2), (2, 3), (3, 1)]);
    let inputs: Vec<Value> = inputs.iter().map(|text| edn::read(text).unwrap()).collect();
    match ask(&memory, query, &inputs) {
        Err(error) => error,
        Ok(answer) => panic!("{query} is answered: {answer:?}"),
    }
}

fn says(query: &str, inputs: &[&str], message: &str, position: Option<(usize, usize)>) {
    let error = refused(query, inputs);
    assert!(error.to_string().contains(message), "{query}: {error}");
    assert_eq!(error.place().and_then(|place| place.position), position, "{query}: {error}");
}

#[test]
fn an_unknown_attribute_is_named_with_the_nearest() {
    says("[:find ?e\n :where [?e :lable \"x\"]]", &[], "did you mean :label?", Some((2, 9)));
    says("[:find (pull ?e [:labl]) :where [?e :edge]]", &[], "did you mean :label?", None);
}

#[test]
fn an_unbound_variable_is_named_with_its_clause() {
    says("[:find ?x :where [?e :edge]]", &[], "?x is not bound", Some((1, 1)));
    says("[:find ?e :where [?e :edge] [(< ?z 1)]]", &[], "?z is not bound", Some((1, 29)));
    says(
        "[:find ?e :where [?e :edge] (not [?y :edge ?z])]",
        &[],
        "?y, ?z are not bound",
        Some((1, 29)),
    );
    says(
        "[:find ?e :where [?e :edge] [(inc ?u) ?w] [(inc ?w) ?u]]",
        &[],
        "?u is not bound",
        Some((1, 29)),
    );
}

#[test]
fn an_unknown_function_or_rule_is_named_with_the_nearest() {
    says(
        "[:find ?e :where [?e :label ?l] [(start-with? ?l \"n\")]]",
        &[],
        "did you mean starts-with?",
        Some((1, 33)),
    );
    let rules = "[[(path ?x ?y) [?x :edge ?y]]]";
    says("[:find ?x :in $ % :where (paht ?x ?y)]", &[rules], "did you mean path?", Some((1, 26)));
    says(
        "[:find ?x :in $ % :where (path ?x)]",
        &[rules],
        "takes 2 argument(s), not 1",
        Some((1, 26)),
    );
    says("[:find (cuont ?e) :where [?e :edge]]", &[], "did you mean count?", Some((1, 8)));
}

#[test]
fn a_required_argument_must_be_bound() {
    let rules = "[[(after [?x] ?y) [?x :edge ?y]]]";
    says("[:find ?x :in $ % :where (after ?x 2)]", &[rules], "?x is not bound", Some((1, 26)));
    let memory = graph(&[(1, 2)]);
    gives(&memory, "[:find ?y . :in $ % :where (after 1 ?y)]", &[rules], "2");
}

#[test]
fn rules_that_negate_themselves_are_refused_with_the_cycle() {
    let rules = "[[(win ?x) [?x :edge ?y] (not (win ?y))]]";
    says("[:find ?x :in $ % :where (win ?x)]", &[rules], "win -> win", None);
    let rules = "[[(a ?x) [?x :edge] (b ?x)] [(b ?x) [?x :edge] (not (c ?x))] [(c ?x) (a ?x)]]";
    let error = refused("[:find ?x :in $ % :where (a ?x)]", &[rules]);
    assert!(error.to_string().contains("b -> c -> a -> b"), "{error}");
}

#[test]
fn malformed_queries_are_refused_where_they_are_wrong() {
    says("[:find ?e :where [?e :edge]", &[], "no EDN", None);
    says("[:where [?e :edge]]", &[], ":find", Some((1, 1)));
    says("[:find ?e :wher [?e :edge]]", &[], ":wher is no part of a query", Some((1, 11)));
    says("[:find ?e :where [?e :edge 1 2 3 4 5]]", &[], "one to five positions", Some((1, 18)));
    says("[:find ?e :where (or [?e :edge] [?x :edge])]", &[], "same variables", Some((1, 18)));
    says("[:find ?e :where [?e :edge] :find ?e]", &[], "comes twice", Some((1, 29)));
    says("[:find ?e :where [?e :edge] :limit -1]", &[], "whole number", Some((1, 36)));
    says("[:find ?e :in $ ?x :where [?e :edge]]", &[], "takes 2 input(s), but 1 were given", None);
    says("[:find ?e :in $ [?x ?y] :where [?e :edge ?x]]", &["[1]"], "no tuple of 2", None);
    says("[:find ?e :where [$x ?e :edge]]", &[], "$x is not in :in", Some((1, 18)));
    says("[:find ?e :keys a b :where [?e :edge]]", &[], "2 names for 1 column", None);
    let deep = format!("[:find ?e :where {}[?e :edge]{}]", "(and ".repeat(80), ")".repeat(80));
    says(&deep, &[], "nests deeper", None);
    let long = format!("[:find ?e :where {}]", "[?e :edge] ".repeat(600));
    says(&long, &[], "at most 512", Some((1, 1)));
}

#[test]
fn a_function_that_fails_names_its_clause() {
    says("[:find ?y :where [?e :label ?l] [(+ ?l 1) ?y]]", &[], "works on numbers", Some((1, 33)));
    says("[:find ?y :where [?e :edge ?x] [(/ ?x 0) ?y]]", &[], "division by zero", Some((1, 32)));
}

#[test]
fn limits_stop_a_query_and_say_which() {
    let edges: Vec<(u64, u64)> = (1..60).map(|n| (n, n + 1)).collect();
    let memory = graph(&edges);
    let product = "[:find ?a ?b ?c :where [?a :edge] [?b :edge] [?c :edge]]";
    let run = |limits: Limits| ask_within(&memory, product, &[], &limits).unwrap_err();

    let rows = run(Limits { max_rows: Some(100), ..Limits::default() });
    assert_eq!(*rows.kind(), super::super::ErrorKind::TooManyRows(100));

    let time = run(Limits { timeout: Some(Duration::ZERO), ..Limits::default() });
    assert_eq!(*time.kind(), super::super::ErrorKind::TimedOut(0));

    let cancel = Cancel::new();
    cancel.cancel();
    let stopped = run(Limits { cancel: Some(cancel), ..Limits::default() });
    assert_eq!(*stopped.kind(), super::super::ErrorKind::Cancelled);

    let inside = "[:find ?a ?b :where [?a :edge] [?b :edge] :max-rows 50]";
    assert!(ask(&memory, inside, &[]).is_err());
}

#[test]
fn a_recursion_that_counts_for_ever_is_stopped_by_its_limit() {
    let memory = graph(&[(1, 2)]);
    let rules =
        edn::read("[[(up ?n ?m) [(inc ?n) ?m]] [(up ?n ?m) [(inc ?n) ?k] (up ?k ?m)]]").unwrap();
    let query = "[:find ?m :in $ % :where [_ :edge] (up 0 ?m)]";
    let limits = Limits { max_rows: Some(1_000), ..Limits::default() };
    let error = ask_within(&memory, query, &[rules], &limits).unwrap_err();
    assert_eq!(*error.kind(), super::super::ErrorKind::TooManyRows(1_000));
}

#[test]
fn a_recursion_that_feeds_a_function_its_own_answer_is_stopped_by_size_and_depth() {
    let memory = graph(&[(1, 2)]);
    for (grow, message) in [
        ("(str ?v ?v \"x\")", "larger than"),
        ("(vector ?v ?v)", "larger than"),
        ("(vector ?v)", "nested deeper"),
        ("(* ?v ?v)", "bits"),
    ] {
        let rules =
            format!("[[(grows ?v ?w) [{grow} ?w]] [(grows ?v ?w) [{grow} ?k] (grows ?k ?w)]]");
        let rules = edn::read(&rules).unwrap();
        let query = "[:find (count ?w) :in $ % ?v :where [_ :edge] (grows ?v ?w)]";
        let start = if grow.contains('*') { Value::Int(3) } else { Value::text("xy") };
        let error = ask(&memory, query, &[rules, start]).unwrap_err();
        assert!(error.to_string().contains(message), "{grow}: {error}");
    }
}

#[test]
fn rules_nested_too_deep_are_refused_and_do_not_overflow() {
    let memory = graph(&[(1, 2)]);
    let mut rules = String::from("[[(r0 ?x) [?x :edge]]");
    for n in 1..300 {
        rules.push_str(&format!("[(r{n} ?x) (r{} ?x)]", n - 1));
    }
    let names = edn::read(&format!("{rules}]")).unwrap();
    let found = ask(&memory, "[:find ?x :in $ % :where (r299 ?x)]", &[names]).unwrap();
    assert_eq!(found.len(), 1, "rules that are only names for others are no levels");
    for n in 1..300 {
        rules.push_str(&format!("[(r{n} ?x) (r{} ?x) [?x :label]]", n - 1));
    }
    let rules = edn::read(&format!("{rules}]")).unwrap();
    let error = ask(&memory, "[:find ?x :in $ % :where (r299 ?x)]", &[rules]).unwrap_err();
    assert!(error.to_string().contains("levels"), "{error}");
}
