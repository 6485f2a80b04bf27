//! Forms of the language that the other tests leave out.

use super::super::memory::transaction;
use super::*;

fn people() -> Memory {
    let mut memory = Memory::new(&[
        ("name", ValueType::String, "identity"),
        ("age", ValueType::Long, ""),
        ("boss", ValueType::Ref, ""),
        ("skill", ValueType::String, "many"),
        ("score", ValueType::Double, ""),
    ]);
    let text = |t: &str| Value::text(t);
    memory.add(
        1,
        &[
            (1, "name", text("Ada Lovelace")),
            (1, "age", 36.into()),
            (1, "skill", text("mathematics")),
            (1, "skill", text("code")),
            (2, "name", text("Bob")),
            (2, "age", 25.into()),
            (2, "boss", Value::Ref(1)),
            (2, "score", 36.0.into()),
        ],
    );
    memory.add(
        2,
        &[
            (3, "name", text("Cydonia the Great")),
            (3, "age", 25.into()),
            (3, "boss", Value::Ref(1)),
            (3, "skill", text("code")),
        ],
    );
    memory
}

#[test]
fn joins_want_the_same_value_and_predicates_the_same_number() {
    let memory = people();
    gives(&memory, "[:find ?a . :where [1 :age ?a] [2 :score ?a]]", &[], "nil");
    gives(&memory, "[:find ?a . :where [1 :age ?a] [2 :score ?s] [(= ?a ?s)]]", &[], "36");
}

#[test]
fn a_join_strikes_out_what_has_another_value() {
    let memory = people();
    // Whichever proposes, the other has a greater value in the place of what is asked for.
    gives(&memory, "[:find [?e ...] :where [?e :boss 1] [?e :age 25]]", &[], "[2 3]");
    gives(&memory, "[:find [?e ...] :where [?e :boss 1] [?e :age 24]]", &[], "[]");
    gives(&memory, "[:find [?e ...] :where [?e :boss 1] [?e :skill \"cod\"]]", &[], "[]");
    gives(&memory, "[:find [?e ...] :where [?e :boss 1] [?e :skill \"code\"]]", &[], "[3]");
}

#[test]
fn rows_are_ordered_by_value_and_cut() {
    let memory = people();
    let q = "[:find ?n ?a :where [?e :name ?n] [?e :age ?a] :order-by ?a :desc ?n :limit 2]";
    gives(&memory, q, &[], "[[\"Ada Lovelace\" 36] [\"Bob\" 25]]");
    let q = "[:find [?n ...] :where [?e :name ?n] :order-by ?n :desc :offset 1]";
    gives(&memory, q, &[], "[\"Bob\" \"Ada Lovelace\"]");
    let q = "{:find [?n] :where [[?e :name ?n]] :limit 1}";
    gives(&memory, q, &[], "[[\"Ada Lovelace\"]]");
    let q = "[:find ?a (count ?e) :where [?e :age ?a] :order-by 1 :desc :limit 1]";
    gives(&memory, q, &[], "[[25 2]]");
}

#[test]
fn transactions_and_assertions_can_be_asked_for() {
    let memory = people();
    let rows = ask(&memory, "[:find ?t ?op . :where [3 :name _ ?t ?op]]", &[]);
    assert!(rows.is_err(), "a scalar has one element");
    let t = ask(&memory, "[:find ?t . :where [3 :name _ ?t]]", &[]).unwrap();
    assert_eq!(t.to_value(), transaction(2));
    gives(&memory, "[:find [?e ...] :where [?e :name _ 2]]", &[], "[3]");
    gives(&memory, "[:find [?e ...] :where [?e :name _ _ true]]", &[], "[1 2 3]");
    gives(&memory, "[:find [?e ...] :where [?e :name _ _ false]]", &[], "[]");
}

#[test]
fn attributes_can_be_variables() {
    let memory = people();
    gives(&memory, "[:find (count ?a) . :where [1 ?a]]", &[], "3");
    gives(&memory, "[:find ?v . :in $ ?a :where [2 ?a ?v]]", &[":age"], "25");
    gives(&memory, "[:find [?v ...] :in $ [?a ...] :where [2 ?a ?v]]", &["[:age :boss]"], "[25 1]");
}

#[test]
fn two_sources_join_by_value_though_their_words_differ() {
    let (first, mut second) =
        (people(), Memory::new(&[("alias", ValueType::String, ""), ("of", ValueType::String, "")]));
    second.add(
        1,
        &[
            (9, "of", Value::text("Cydonia the Great")),
            (9, "alias", Value::text("the one and only")),
            (8, "of", Value::text("Ada Lovelace")),
            (8, "alias", Value::text("Bob")),
        ],
    );
    for text in [
        "[:find ?n ?a :in $ $b :where [_ :name ?n] [$b ?x :of ?n] [$b ?x :alias ?a]]",
        "[:find ?n ?a :in $b $ :where [$b ?x :alias ?a] [_ :name ?n] [$b ?x :of ?n]]",
    ] {
        let query = Query::parse(text).unwrap();
        let (a, b): (Given<'_>, Given<'_>) = (Given::Source(&first), Given::Source(&second));
        let given = if text.contains(":in $ $b") { [a, b] } else { [b, a] };
        let answer = execute(&query, &given, &Limits::default()).unwrap().to_value();
        let expected = "#{[\"Ada Lovelace\" \"Bob\"] [\"Cydonia the Great\" \"the one and only\"]}";
        assert_eq!(answer, edn::read(expected).unwrap(), "{text}");
    }
}

#[test]
fn rules_and_clauses_can_be_asked_of_another_source() {
    let (first, second) = (graph(&[(1, 2), (2, 3)]), graph(&[(3, 4)]));
    let rules =
        edn::read("[[(path ?x ?y) [?x :edge ?y]] [(path ?x ?y) (path ?x ?t) [?t :edge ?y]]]")
            .unwrap();
    let query =
        Query::parse("[:find ?y ?z :in $ $b % :where (path 1 ?y) ($b path ?y ?z)]").unwrap();
    let given = [Given::Source(&first), Given::Source(&second), Given::Value(&rules)];
    let answer = execute(&query, &given, &Limits::default()).unwrap().to_value();
    assert_eq!(answer.to_string(), "#{[3 4]}");
    let query = Query::parse("[:find [?y ...] :in $ $b % :where [?y :label] (not ($b path ?y _))]")
        .unwrap();
    let answer = execute(&query, &given, &Limits::default()).unwrap().to_value();
    assert_eq!(answer.to_string(), "[1 2]");
}

#[test]
fn many_values_of_an_input_meet_an_attribute_without_index() {
    let memory = people();
    let q = "[:find [?e ...] :in $ [?s ...] :where [?e :skill ?s]]";
    gives(&memory, q, &["[\"code\" \"mathematics\" \"nothing of the kind\"]"], "[1 3]");
    gives(
        &memory,
        "[:find ?e ?f :where [?e :skill ?s] [?f :skill ?s] [(< ?e ?f)]]",
        &[],
        "#{[1 3]}",
    );
}

#[test]
fn an_input_may_be_empty_or_contradict_itself() {
    let memory = people();
    gives(&memory, "[:find ?e :in $ [?x ...] :where [?e :age]]", &["[]"], "#{}");
    gives(&memory, "[:find ?e :in $ ?x ?x :where [?e :age ?x]]", &["25", "36"], "#{}");
    gives(&memory, "[:find [?e ...] :in $ ?x ?x :where [?e :age ?x]]", &["25", "25"], "[2 3]");
}

#[test]
fn aggregates_count_rows_of_find_and_with() {
    let memory = people();
    gives(&memory, "[:find (sum ?a) . :where [_ :age ?a]]", &[], "61");
    gives(&memory, "[:find (sum ?a) . :with ?e :where [?e :age ?a]]", &[], "86");
    gives(&memory, "[:find (min 2 ?a) . :with ?e :where [?e :age ?a]]", &[], "[25 25]");
    gives(&memory, "[:find (max 2 ?a) . :with ?e :where [?e :age ?a]]", &[], "[25 36]");
    gives(&memory, "[:find (avg ?a) . :where [_ :age ?a]]", &[], "30.5");
    gives(&memory, "[:find (median ?a) . :with ?e :where [?e :age ?a]]", &[], "25");
    gives(
        &memory,
        "[:find (count-distinct ?a) (count ?a) :with ?e :where [?e :age ?a]]",
        &[],
        "[[2 3]]",
    );
    gives(
        &memory,
        "[:find (min ?n) (max ?n) :where [_ :name ?n]]",
        &[],
        "[[\"Ada Lovelace\" \"Cydonia the Great\"]]",
    );
}

#[test]
fn explain_tells_the_steps_with_expected_and_made_rows() {
    let memory = people();
    let query = Query::parse("[:find ?n :where [?e :age 25] [?e :boss 1] [?e :name ?n]]").unwrap();
    let told =
        super::super::explain(&query, &[Given::Source(&memory)], &Limits::default()).unwrap();
    assert_eq!(told.rows, 2);
    let first = &told.steps[0];
    assert_eq!((first.action, first.rows), ("leap", 2), "{told}");
    assert_eq!(first.clauses.len(), 2, "both patterns restrict ?e: {told}");
    assert_eq!(first.indexes, ["column", "vaet"], "no index has ages: {told}");
    assert!(told.to_string().contains("[?e :name ?n]"), "{told}");
}
