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
    says("[:find (pull ?e [:labl]) :where [?e :edge]]", &[], "did you mean :label?", Some((1, 18)));
}

#[test]
fn an_unbound_variable_is_named_with_its_clause() {
    says("[:find ?x :where [?e :edge]]", &[], "?x is not bound", Some((1, 8)));
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
    says("[:find ?e :where [?e :edge]", &[], "no EDN", Some((1, 1)));
    says("[:where [?e :edge]]", &[], ":find", Some((1, 1)));
    says("[:find ?e :wher [?e :edge]]", &[], ":wher is no part of a query", Some((1, 11)));
    says("[:find ?e :where [?e :edge 1 2 3 4 5]]", &[], "one to five positions", Some((1, 18)));
    says("[:find ?e :where (or [?e :edge] [?x :edge])]", &[], "same variables", Some((1, 18)));
    says("[:find ?e :where [?e :edge] :find ?e]", &[], "comes twice", Some((1, 29)));
    says("[:find ?e :where [?e :edge] :limit -1]", &[], "whole number", Some((1, 36)));
    says("[:find ?e :where [$x ?e :edge]]", &[], "$x is not in :in", Some((1, 18)));
    says("[:find ?e :keys a b :where [?e :edge]]", &[], "2 names for 1 column", Some((1, 17)));
    let deep = format!("[:find ?e :where {}[?e :edge]{}]", "(and ".repeat(80), ")".repeat(80));
    says(&deep, &[], "nests deeper", None);
    let long = format!("[:find ?e :where {}]", "[?e :edge] ".repeat(600));
    says(&long, &[], "at most 512", Some((1, 1)));
}

/// A mistake of each kind: the query, what is said, and the line and column it is said of.
const MISTAKES: &[(&str, &str, (usize, usize))] = &[
    // Text that is no query.
    ("[:find ?e\n :where [?e :edge]", "no EDN", (1, 1)),
    ("[:find ?e :where [?e :edge]]\n [:find ?x]", "one query is wanted, not 2", (2, 2)),
    ("\"find\"", "a query is a vector or a map", (1, 1)),
    ("[?e :where [?e :edge]]", "begins with :find", (1, 2)),
    ("[:find :where [?e :edge]]", "needs :find", (1, 1)),
    ("[:find ?e :whre [?e :edge]]", "did you mean :where?", (1, 11)),
    ("[:find ?e :where [?e :edge] :where [?e :label]]", ":where comes twice", (1, 29)),
    // :find.
    ("[:find 7 :where [?e :edge]]", ":find takes variables", (1, 8)),
    ("[:find [] :where [?e :edge]]", "no element", (1, 8)),
    ("[:find (7 ?e) :where [?e :edge]]", "begins with a symbol", (1, 8)),
    ("[:find (cuont ?e) :where [?e :edge]]", "did you mean count?", (1, 8)),
    ("[:find (pul ?e [*]) :where [?e :edge]]", "did you mean pull?", (1, 8)),
    ("[:find (count) :where [?e :edge]]", "takes a variable", (1, 8)),
    ("[:find (count 7) :where [?e :edge]]", "takes a variable last", (1, 15)),
    ("[:find (min 0 ?e) :where [?e :edge]]", "a count from 1", (1, 8)),
    ("[:find (sum 2 ?e) :where [?e :edge]]", "takes one variable, not 2", (1, 8)),
    ("[:find ?labl :where [?e :label ?label]]", "did you mean ?label?", (1, 8)),
    ("[:find ?e :with 3 :where [?e :edge]]", ":with takes variables", (1, 17)),
    // Pull.
    ("[:find (pull ?e) :where [?e :edge]]", "an entity variable and a pattern", (1, 8)),
    ("[:find (pull 7 [*]) :where [?e :edge]]", "an entity variable", (1, 14)),
    ("[:find (pull ?e :label) :where [?e :edge]]", "a pull pattern is a vector", (1, 17)),
    ("[:find (pull ?e pat) :where [?e :edge]]", "pat is not in :in", (1, 17)),
    ("[:find (pull ?e []) :where [?e :edge]]", "no vector with elements", (1, 17)),
    ("[:find (pull ?e [* 7]) :where [?e :edge]]", "7 is no attribute", (1, 20)),
    ("[:find (pull ?e\n  [{:edge [:labell]}]) :where [?e :edge]]", "did you mean :label?", (2, 12)),
    ("[:find (pull ?e [(:label :limt 3)]) :where [?e :edge]]", "did you mean limit?", (1, 18)),
    ("[:find (pull ?e [(:label :limit 0)]) :where [?e :edge]]", "above 0", (1, 18)),
    ("[:find (pull ?e [(:label :as)]) :where [?e :edge]]", "without a value", (1, 18)),
    ("[:find (pull ?e [(:label :xform upcase)]) :where [?e :edge]]", "unknown function", (1, 18)),
    ("[:find (pull ?e [{:label [*]}]) :where [?e :edge]]", "no reference", (1, 19)),
    ("[:find (pull ?e [:_label]) :where [?e :edge]]", "no reference", (1, 18)),
    ("[:find (pull ?e [{:edge 0}]) :where [?e :edge]]", "1 or more levels", (1, 25)),
    // :in.
    ("[:find ?e :in $ [] :where [?e :edge]]", "a binding is", (1, 17)),
    ("[:find ?e :in $ 7 :where [?e :edge]]", "a binding is", (1, 17)),
    ("[:find ?e :in $ $ :where [?e :edge]]", "$ comes twice", (1, 17)),
    // Patterns.
    ("[:find ?e :where [?e :labl]]", "did you mean :label?", (1, 18)),
    ("[:find ?e :where []]", "at least one position", (1, 18)),
    ("[:find ?e :where [?e :edge 1 2 3 4 5]]", "one to five positions", (1, 18)),
    ("[:find ?e :where [?e :label 7]]", "did you mean \"7\"?", (1, 18)),
    ("[:find ?e :where [?e :label :seven]]", "holds values of :db.type/string", (1, 18)),
    ("[:find ?e :where [?e :edge \"x\"]]", "holds values of :db.type/ref", (1, 18)),
    ("[:find ?e :where [[:label \"nobody\"] :edge ?e]]", "nothing found for", (1, 18)),
    ("[:find ?e :where [$old ?e :edge]]", "$old is not in :in", (1, 18)),
    ("[:find ?e :in $graph :where [$grap ?e :edge]]", "did you mean $graph?", (1, 29)),
    ("[:find ?e :in $g :where [?e :edge]]", "reads $, which is not in :in", (1, 25)),
    ("[:find ?e :where ?e]", "a clause is a vector", (1, 18)),
    // Functions and predicates.
    ("[:find ?e :where [?e :edge] [(evn? ?e)]]", "did you mean even?", (1, 29)),
    ("[:find ?e :where [?e :edge] [(my/odd ?e)]]", "a name with a namespace", (1, 29)),
    ("[:find ?e :where [?e :edge] [(inc ?e 1) ?f]]", "takes 1 argument(s), not 2", (1, 29)),
    ("[:find ?e :where [?e :edge] [(subs \"a\") ?f]]", "takes 2 to 3 arguments, not 1", (1, 29)),
    ("[:find ?e :where [?e :edge] [()]]", "a call needs a function", (1, 29)),
    ("[:find ?e :where [?e :edge] [(\"f\" ?e)]]", "named by a symbol", (1, 29)),
    ("[:find ?e :where [?e :edge] [(inc ?e) ?f ?g]]", "one binding at most", (1, 29)),
    ("[:find ?e :where [?e :edge] [(inc ?e) 7]]", "a binding is", (1, 39)),
    ("[:find ?e :where [?e :edge] [(< ?edge 3)]]", "?edge is not bound", (1, 29)),
    ("[:find ?e :where [?e :edge ?target] [(< ?tagret 3)]]", "did you mean ?target?", (1, 37)),
    ("[:find ?e :where [?e :edge] [(missing? ?e :label)]]", "3 argument(s), not 2", (1, 29)),
    ("[:find ?e :where [?e :edge] [(missing? $ ?e :labl)]]", "did you mean :label?", (1, 29)),
    // not, or, rules.
    ("[:find ?e :where [?e :edge] (not)]", "holds no clauses", (1, 29)),
    ("[:find ?e :where [?e :edge] (not [?x :edge ?y])]", "?x, ?y are not bound", (1, 29)),
    ("[:find ?e :where [?e :edge] (not-join [7] [?e :edge])]", "holds variables", (1, 29)),
    ("[:find ?e :where [?e :edge] (or)]", "at least one branch", (1, 29)),
    ("[:find ?e :where (or [?e :edge] [?x :edge])]", "use or-join", (1, 18)),
    ("[:find ?x :where (or-join [?x] [?x :edge] [_ :label])]", "?x is not bound", (1, 18)),
    ("[:find ?e :where (or-join [?e])]", "then branches", (1, 18)),
    ("[:find ?e :where [?e :edge] (> ?e 3)]", "did you mean [(> …)]?", (1, 29)),
    ("[:find ?e :where [?e :edge] (nto [?e :label])]", "did you mean not?", (1, 29)),
    ("[:find ?e :where ()]", "an empty list", (1, 18)),
    ("[:find ?e :where (path)]", "at least one argument", (1, 18)),
    ("[:find ?e :where (path ?e ?x)]", "unknown rule path", (1, 18)),
    ("[:find ?e :where ([?e :edge])]", "begins with a symbol", (1, 18)),
    // The rest.
    ("[:find ?e :where [?e :edge] :limit some]", "takes a whole number", (1, 36)),
    ("[:find ?e :where [?e :edge] :offset 1 2]", "takes one whole number", (1, 37)),
    ("[:find ?e :where [?e :edge] :order-by ?x]", ":order-by takes variables", (1, 39)),
    ("[:find ?label :where [_ :label ?label] :order-by ?lable]", "did you mean ?label?", (1, 50)),
    ("[:find ?e :where [?e :edge] :order-by :asc ?e]", ":asc", (1, 39)),
    ("[:find ?e . :keys a :where [?e :edge]]", "needs a :find of rows", (1, 19)),
    ("[:find ?e :keys a :strs b :where [?e :edge]]", "only one of", (1, 25)),
    ("[:find ?e :keys 7 :where [?e :edge]]", "takes symbols", (1, 17)),
];

#[test]
fn every_mistake_is_one_error_with_its_place_and_what_to_do() {
    let mut wrong = Vec::new();
    for (query, message, place) in MISTAKES {
        let error = refused(query, &[]);
        let position = error.place().and_then(|place| place.position);
        if !error.to_string().contains(message) || position != Some(*place) {
            wrong.push(format!("{query}\n    {error}\n    wanted: {message} at {place:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Mistakes in rules that are text: places are those in that text.
#[test]
fn every_mistake_in_a_rule_is_one_error_with_its_place() {
    let mut wrong = Vec::new();
    for (rules, message, place) in [
        ("[[(path ?x ?y)\n  [?x :edg ?y]]]", "did you mean :edge?", (2, 3)),
        ("7", "rules are a vector of rules", (1, 1)),
        ("[7]", "a rule is a vector", (1, 2)),
        ("[[path ?x ?y]]", "begins with its head", (1, 2)),
        ("[[(not ?x ?y) [?x :edge ?y]]]", "has no other meaning", (1, 2)),
        ("[[(path) [?x :edge ?y]]]", "at least one argument", (1, 2)),
        ("[[(path ?x _) [?x :edge _]]]", "head has no _", (1, 2)),
        ("[[(path ?x ?y) [?x :edge ?y]] [(path ?x) [?x :edge]]]", "path takes 2", (1, 31)),
        ("[[(path ?x ?y) (paht ?x ?y)]]", "did you mean path?", (1, 16)),
        ("[[(path ?x ?y) [?x :edge ?y] (path ?x)]]", "takes 2 argument(s), not 1", (1, 30)),
        ("[[(path ?x ?y) [?x :edge ?y] (not (path ?y ?x))]]", "path -> path", (1, 2)),
        ("[[(path ?x ?y) [?x :edge ?y] [?x :label 7]]]", "did you mean \"7\"?", (1, 30)),
        ("[[(path ?x ?y) [?x :edge ?y]", "no EDN", (1, 2)),
    ] {
        let text = Value::text(rules).to_string();
        let error = refused("[:find ?x ?y :in $ % :where (path ?x ?y)]", &[&text]);
        let position = error.place().and_then(|place| place.position);
        if !error.to_string().contains(message) || position != Some(place) {
            wrong.push(format!("{rules}\n    {error}\n    wanted: {message} at {place:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Inputs that are not what `:in` says: places are those in `:in`.
#[test]
fn every_input_of_another_form_is_one_error_with_the_place_that_wants_it() {
    let mut wrong = Vec::new();
    for (names, inputs, message, place) in [
        ("$ ?x", &[][..], "takes 2 input(s), but 1 were given", (1, 17)),
        ("$", &["7"], "takes 1 input(s), but 2 were given", (1, 1)),
        ("$ [?x ?y]", &["[1]"], "[1] is no tuple of 2", (1, 17)),
        ("$ ?y [?x ...]", &["1", "7"], "7 is no collection", (1, 20)),
        ("$\n [[?x ?y]]", &["[[1 2] [3]]"], "[3] is no tuple of 2", (2, 2)),
        ("$ $r", &["7"], "the relation $r: a database", (1, 17)),
        ("$ $r", &["[[1 2] 3]"], "the relation $r: its rows are vectors", (1, 17)),
        ("$ $r", &["[[1 2] [3]]"], "the relation $r: its rows differ", (1, 17)),
    ] {
        let query = format!("[:find ?e :in {names} :where [?e :edge]]");
        let error = refused(&query, inputs);
        let position = error.place().and_then(|place| place.position);
        if !error.to_string().contains(message) || position != Some(place) {
            wrong.push(format!("{query}\n    {error}\n    wanted: {message} at {place:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_message_repeats_no_more_of_a_form_than_is_read() {
    let long = format!("[{}]", "7 ".repeat(10_000));
    for (query, inputs) in [
        (
            "[:find ?x :in $ [[?x ?y] ...] :where [?e :edge]]".to_owned(),
            &[&*format!("[\"{long}\"]")][..],
        ),
        (format!("[:find ?e :where [?e :label {long}]]"), &[]),
        (format!("[:find ?e :where [?e :edge] [(inc {long}) ?y]]"), &[]),
        (format!("[:find ?e :where (or {}[?x :edge])]", "[?e :edge] ".repeat(400)), &[]),
    ] {
        let error = refused(&query, inputs).to_string();
        assert!(error.len() < 1_500 && error.contains(" …"), "{} bytes: {error:.300}", error.len());
    }
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

    let bytes = run(Limits { max_bytes: Some(2_000), ..Limits::default() });
    assert_eq!(*bytes.kind(), super::super::ErrorKind::TooManyBytes(2_000));

    let inside = "[:find ?a ?b :where [?a :edge] [?b :edge] :max-rows 50]";
    assert!(ask(&memory, inside, &[]).is_err());
}

/// No row of these stands in a database: inputs and functions alone make them.
#[test]
fn limits_count_what_inputs_and_functions_make_before_it_is_made() {
    let memory = graph(&[(1, 2)]);
    let numbers = format!("[{}]", (0..2_000).map(|n| format!("{n} ")).collect::<String>());
    let numbers = edn::read(&numbers).unwrap();
    let both = Value::Vector(vec![numbers.clone(), numbers.clone()]);
    let long = Value::text(&"long ".repeat(2_000));
    let rows = Limits { max_rows: Some(1_000), ..Limits::default() };
    let bytes = Limits { max_bytes: Some(1 << 20), ..Limits::default() };
    for (query, inputs, limits, kind) in [
        ("[:find ?x :in $ [?x ...]]", vec![&numbers], &rows, "more than the 1000 rows"),
        ("[:find ?x :in $ $r :where [$r ?x]]", vec![&numbers], &rows, "its rows are vectors"),
        ("[:find ?x ?y :in $ [[?x ...] [?y ...]]]", vec![&both], &bytes, "bytes it was allowed"),
        (
            "[:find ?x ?y :in $ ?b :where [(identity ?b) [[?x ...] [?y ...]]]]",
            vec![&both],
            &bytes,
            "bytes it was allowed",
        ),
        (
            "[:find ?t :in $ ?l :where [(range 1000) [?n ...]] [(str ?l ?n) ?t]]",
            vec![&long],
            &bytes,
            "bytes it was allowed",
        ),
        (
            "[:find ?t :in $ ?l :where [(range 1000) [?n ...]] [(str ?l ?n) ?t] :order-by ?t]",
            vec![&long],
            &bytes,
            "bytes it was allowed",
        ),
    ] {
        let inputs: Vec<Value> = inputs.into_iter().cloned().collect();
        let error = ask_within(&memory, query, &inputs, limits).unwrap_err().to_string();
        assert!(error.contains(kind), "{query}: {error}");
    }
}

#[test]
fn a_recursion_that_counts_for_ever_is_stopped_by_its_limit() {
    let memory = graph(&[(1, 2)]);
    let rules =
        edn::read("[[(up ?n ?m) [(inc ?n) ?m]] [(up ?n ?m) [(inc ?n) ?k] (up ?k ?m)]]").unwrap();
    let query = "[:find ?m :in $ % :where [_ :edge] (up 0 ?m)]";
    let limits = Limits { max_rows: Some(1_000), ..Limits::default() };
    let error = ask_within(&memory, query, std::slice::from_ref(&rules), &limits).unwrap_err();
    assert_eq!(*error.kind(), super::super::ErrorKind::TooManyRows(1_000));
    let limits = Limits { max_bytes: Some(100_000), ..Limits::default() };
    let error = ask_within(&memory, query, std::slice::from_ref(&rules), &limits).unwrap_err();
    assert_eq!(*error.kind(), super::super::ErrorKind::TooManyBytes(100_000));
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
