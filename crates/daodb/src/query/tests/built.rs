//! Queries built in Rust are the same values that text reads as.

use std::time::Duration;

use datom::{Value, edn};

use crate::Query;
use crate::query::build::*;

const E: Var<'_> = var("e");
const X: Var<'_> = var("x");
const Y: Var<'_> = var("y");
const N: Var<'_> = var("n");

fn pattern(text: &str) -> Value {
    edn::read(text).unwrap()
}

/// Each form of the language, built and as text.
fn forms() -> Vec<(Find, &'static str)> {
    let named = |find: Find| find.clause(fact(E, "name", N));
    vec![
        (named(find([N])), "{:find [?n] :where [[?e :name ?n]]}"),
        (named(find_all(N)), "{:find [[?n ...]] :where [[?e :name ?n]]}"),
        (named(find_row((E, N))), "{:find [[?e ?n]] :where [[?e :name ?n]]}"),
        (named(find_one(N)), "{:find [?n .] :where [[?e :name ?n]]}"),
        (
            named(find((E, count(N), count_distinct(N), aggregate("min", [2], N)))).with([X]),
            "{:find [?e (count ?n) (count-distinct ?n) (min 2 ?n)] :with [?x] :where [[?e :name ?n]]}",
        ),
        (
            named(find((sum(N), avg(N), min(N), max(N), median(N), variance(N), stddev(N)))),
            "{:find [(sum ?n) (avg ?n) (min ?n) (max ?n) (median ?n) (variance ?n) (stddev ?n)]
              :where [[?e :name ?n]]}",
        ),
        (named(find_one(distinct(N))), "{:find [(distinct ?n) .] :where [[?e :name ?n]]}"),
        (
            named(find_all(pull(E, pattern("[:name {:boss ...}]")))),
            "{:find [[(pull ?e [:name {:boss ...}]) ...]] :where [[?e :name ?n]]}",
        ),
        (
            named(find((E, N))).keys(["who", "name"]),
            "{:find [?e ?n] :keys [who name] :where [[?e :name ?n]]}",
        ),
        (
            named(find((E, N))).strs(["who", "name"]),
            "{:find [?e ?n] :strs [who name] :where [[?e :name ?n]]}",
        ),
        (
            named(find((E, N))).syms(["who", "name"]),
            "{:find [?e ?n] :syms [who name] :where [[?e :name ?n]]}",
        ),
        (
            named(find((E, N))).order_by(desc(N)).order_by(E).limit(3).offset(1),
            "{:find [?e ?n] :order-by [?n :desc ?e :asc] :limit 3 :offset 1 :where [[?e :name ?n]]}",
        ),
        (
            named(find((count(E), N))).order_by(Order::from(0).descending()),
            "{:find [(count ?e) ?n] :order-by [0 :desc] :where [[?e :name ?n]]}",
        ),
        (
            named(find([N])).timeout(Duration::from_secs(2)).max_rows(9),
            "{:find [?n] :timeout 2000 :max-rows 9 :where [[?e :name ?n]]}",
        ),
        (
            find([N])
                .input(X)
                .input(tuple((X, any())))
                .input(each(Y))
                .input(rows((X, tuple([Y]))))
                .input(source("old"))
                .rules()
                .clause(fact(E, "name", N).tx(X).meta(Y).added(true).of(source("old"))),
            "{:find [?n] :in [$ ?x [?x _] [?y ...] [[?x [?y]]] $old %]
              :where [[$old ?e :name ?n ?x ?y true]]}",
        ),
        (
            find([N]).input(source("old")).input(source("")).clause(fact(E, X, any()).added(Y)),
            "{:find [?n] :in [$old $] :where [[?e ?x _ _ _ ?y]]}",
        ),
        (
            find([N]).clause(fact(lookup("name", "Ada"), "boss/_of", N)).clause(fact(
                any(),
                any(),
                3,
            )),
            "{:find [?n] :where [[[:name \"Ada\"] :boss/_of ?n] [_ _ 3]]}",
        ),
        (
            find([X])
                .clause(call("<", (X, 3, 4.5)))
                .clause(call("str", ("a", X)).bind(N))
                .clause(call("ground", [Value::Vector(vec![1.into(), 2.into()])]).bind(each(Y)))
                .clause(call("get-else", (source(""), E, Value::keyword("a"), 0)).bind(X))
                .clause(invoke(Value::keyword("my/score"), [X]).bind(any())),
            "{:find [?x] :where [[(< ?x 3 4.5)] [(str \"a\" ?x) ?n] [(ground [1 2]) [?y ...]]
              [(get-else $ ?e :a 0) ?x] [(:my/score ?x) _]]}",
        ),
        (
            find([X])
                .clause(not([fact(X, "a", Y)]))
                .clause(not_join([X], (fact(X, "a", N), call("=", (N, 1)))))
                .clause(or((fact(X, "a", 1), all((fact(X, "a", 2), fact(X, "b", 3))))))
                .clause(or_join([X], [fact(X, "a", Y), fact(X, "b", N)])),
            "{:find [?x] :where [(not [?x :a ?y]) (not-join [?x] [?x :a ?n] [(= ?n 1)])
              (or [?x :a 1] (and [?x :a 2] [?x :b 3])) (or-join [?x] [?x :a ?y] [?x :b ?n])]}",
        ),
        (
            find([X])
                .rules()
                .clause(Rule::call("path", (X, "end")))
                .clause(Rule::call("path", (X, any())).of(source("old"))),
            "{:find [?x] :in [$ %] :where [(path ?x \"end\") ($old path ?x _)]}",
        ),
    ]
}

#[test]
fn every_form_is_built_as_it_is_written() {
    for (built, text) in forms() {
        assert_eq!(built.to_value(), edn::read(text).unwrap(), "{text}");
        let printed = edn::read(&built.to_string()).unwrap();
        assert_eq!(printed, edn::read(text).unwrap(), "what is printed is text of it");
    }
}

#[test]
fn rules_are_built_as_they_are_written() {
    let built = rules([
        define("path", (X, Y)).clause(fact(X, "edge", Y)),
        define("path", [Y])
            .required([X])
            .clause(fact(X, "edge", N))
            .clause(Rule::call("path", (N, Y))),
    ]);
    let text = "[[(path ?x ?y) [?x :edge ?y]] [(path [?x] ?y) [?x :edge ?n] (path ?n ?y)]]";
    assert_eq!(built, edn::read(text).unwrap());
}

#[test]
fn what_is_no_query_is_refused_with_its_clause() {
    let wrong = find([N]).clause(call("upper-cas", [N]).bind(X)).query().unwrap_err();
    assert!(wrong.to_string().contains("did you mean upper-case?"), "{wrong}");
    assert_eq!(wrong.place().unwrap().clause, "[(upper-cas ?n) ?x]");
    assert!(find(Vec::<Element>::new()).query().is_err());
    assert!(find([N]).keys(["a", "b"]).query().is_err());
}

#[test]
fn a_built_query_is_equal_to_the_text_in_what_it_takes() {
    let built = find([N]).input(X).clause(fact(X, "name", N)).query().unwrap();
    let read = Query::parse("[:find ?n :in $ ?x :where [?x :name ?n]]").unwrap();
    assert_eq!(built.inputs(), read.inputs());
}
