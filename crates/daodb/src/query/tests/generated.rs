//! Generated data, queries and rules: the engine answers as the naive evaluator does.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::super::naive::{Fact, World};
use super::super::parse;
use super::super::syntax::Syntax;
use super::*;

pub(super) const NODES: u64 = 4;

/// What was generated as it is asked where node `n` is the entity `n + behind`: nodes are written
/// `@1` to `@4` until then.
pub(super) fn named(text: &str, behind: u64) -> String {
    (1..=NODES).fold(text.to_owned(), |text, node| {
        text.replace(&format!("@{node}"), &(node + behind).to_string())
    })
}

pub(super) fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let edge = (1..=NODES, 1..=NODES).prop_map(|(a, b)| (a, "edge".to_owned(), Value::Ref(b), 1));
    let boss = (1..=NODES, 1..=NODES).prop_map(|(a, b)| (a, "boss".to_owned(), Value::Ref(b), 1));
    let weight = (1..=NODES, 0..3_i64).prop_map(|(a, n)| (a, "weight".to_owned(), n.into(), 1));
    let age = (1..=NODES, 0..3_i64).prop_map(|(a, n)| (a, "age".to_owned(), n.into(), 1));
    prop::collection::vec(prop_oneof![4 => edge, 1 => boss, 2 => weight, 2 => age], 1..14)
}

fn memory(facts: &[Fact], computed: bool) -> Memory {
    let mut memory = Memory::new(&[
        ("edge", ValueType::Ref, "many"),
        ("boss", ValueType::Ref, "many index"),
        ("weight", ValueType::Long, "many"),
        ("age", ValueType::Long, "many index"),
    ]);
    add(&mut memory, facts);
    memory.computed = computed;
    memory
}

fn add(memory: &mut Memory, facts: &[Fact]) {
    let facts: Vec<(u64, &str, Value)> =
        facts.iter().map(|(e, a, v, _)| (*e, a.as_str(), v.clone())).collect();
    memory.add(1, &facts);
}

/// A variable that is an entity, `_`, or an entity.
fn node() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(vec!["?a", "?b", "?c"]).prop_map(str::to_owned),
        1 => Just("_".to_owned()),
        1 => (1..=NODES).prop_map(|n| format!("@{n}")),
    ]
}

/// A variable that is a number, `_`, or a number.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => select(vec!["?n", "?m"]).prop_map(str::to_owned),
        1 => Just("_".to_owned()),
        2 => (0..3_i64).prop_map(|n| n.to_string()),
    ]
}

fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (node(), select(vec!["edge", "boss"]), node()).prop_map(|(x, a, y)| format!("[{x} :{a} {y}]")),
        3 => (node(), select(vec!["weight", "age"]), number()).prop_map(|(x, a, n)| format!("[{x} :{a} {n}]")),
        1 => (node(), select(vec!["edge", "weight"])).prop_map(|(x, a)| format!("[{x} :{a}]")),
    ]
}

fn call() -> impl Strategy<Value = String> {
    (select(vec!["path", "other", "far"]), node(), node())
        .prop_map(|(r, x, y)| format!("({r} {x} {y})"))
}

fn condition() -> impl Strategy<Value = String> {
    let compare = (select(vec!["<", "<=", "=", "!="]), number(), number())
        .prop_map(|(f, a, b)| format!("[({f} {} {})]", a.replace('_', "1"), b.replace('_', "2")));
    let nodes = (select(vec!["<", "!="]), select(vec!["?a", "?b"]), select(vec!["?b", "?c", "@3"]))
        .prop_map(|(f, a, b)| format!("[({f} {a} {b})]"));
    let not = prop::collection::vec(prop_oneof![pattern(), call()], 1..3)
        .prop_map(|inner| format!("(not {})", inner.join(" ")));
    let not_join = (select(vec!["?a", "?b"]), pattern(), pattern())
        .prop_map(|(v, p, q)| format!("(not-join [{v}] [{v} :edge _] {p} {q})"));
    let or = (node(), node(), number()).prop_map(|(x, y, n)| {
        format!("(or-join [?a] (and [?a :edge {x}] [{x} :age {n}]) [{y} :boss ?a])")
    });
    prop_oneof![compare, nodes, not, not_join, or]
}

/// Bodies and rules over the nodes as they are.
pub(super) fn body() -> impl Strategy<Value = Vec<String>> {
    unnamed_body().prop_map(|body| body.iter().map(|clause| named(clause, 0)).collect())
}

pub(super) fn rules() -> impl Strategy<Value = Vec<String>> {
    unnamed_rules().prop_map(|rules| rules.iter().map(|rule| named(rule, 0)).collect())
}

pub(super) fn unnamed_rules() -> impl Strategy<Value = Vec<String>> {
    let recursive = vec![
        "[(path ?x ?y) [?x :edge ?t] (path ?t ?y)]",
        "[(path ?x ?y) (path ?x ?t) [?t :edge ?y]]",
        "[(path ?x ?y) [?x :edge ?t] (path ?t ?y) [?y :boss]]",
        "[(path ?x ?y) [?x :boss ?t] (path ?t ?y) (other ?y ?x)]",
        "[(path ?x ?y) (path ?x ?t) (path ?t ?y)]",
        "[(path ?x ?y) (other ?x ?t) (path ?t ?y)]",
        "[(path ?x ?y) [?x :edge ?a] (other ?a ?b) [?b :edge ?y]]",
        "[(path ?x ?y) (or-join [?x ?y] (and [?x :boss ?t] (path ?t ?y)) [?x :boss ?y])]",
        "[(path ?x ?x) [?x :age 1]]",
        "[(path ?x @2) [?x :weight 2]]",
        "[(other ?x ?y) [?y :boss ?x]]",
        "[(path ?x ?y) [?x :edge ?t] (other ?y ?t)]",
        "[(other ?y ?x) [?x :boss ?t] (path ?t ?y)]",
        "[(other ?x ?y) (path ?y ?x)]",
        "[(other ?x ?y) (other ?y ?x) [?x :edge]]",
        "[(other ?x ?y) (path ?x ?t) (other ?t ?y) (path ?y ?t)]",
        "[(far ?x ?y) [?x :edge] [_ :edge ?y] (not (path ?x ?y))]",
        "[(far ?x ?y) (path ?x ?y) (not-join [?x ?y] (path ?x ?t) [?t :boss ?y])]",
    ];
    let count = recursive.len();
    subsequence(recursive, 0..=count).prop_map(|some| {
        let base = [
            "[(path ?x ?y) [?x :edge ?y]]",
            "[(other ?x ?y) [?x :boss ?y]]",
            "[(far ?x ?y) [?x :boss ?y]]",
        ];
        base.into_iter().chain(some).map(str::to_owned).collect()
    })
}

pub(super) fn unnamed_body() -> impl Strategy<Value = Vec<String>> {
    let positive = prop::collection::vec(prop_oneof![4 => pattern(), 1 => call()], 1..4);
    let conditions = prop::collection::vec(condition(), 0..3);
    (positive, conditions).prop_map(|(a, b)| [a, b].concat())
}

/// Orders of the clauses of a query.
pub(super) fn orders(clauses: &[String]) -> Vec<Vec<String>> {
    let mut reversed = clauses.to_vec();
    reversed.reverse();
    let mut turned = clauses.to_vec();
    turned.rotate_left(clauses.len() / 2);
    turned.chunks_mut(2).for_each(<[String]>::reverse);
    vec![clauses.to_vec(), reversed, turned]
}

/// Variables of a body to ask for, three at most.
pub(super) fn shown(body: &[String]) -> Vec<&'static str> {
    let occurs = |var: &&str| body.iter().any(|clause| clause.contains(var));
    ["?a", "?b", "?c", "?n", "?m"].into_iter().filter(occurs).take(3).collect()
}

pub(super) fn rows(answer: &Answer) -> BTreeSet<Vec<Value>> {
    match answer {
        Answer::Relation { rows, .. } => rows.iter().map(|row| row.to_vec()).collect(),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn the_engine_answers_as_the_naive_evaluator(
        facts in facts(),
        later in facts(),
        body in body(),
        rules in rules(),
        computed in any::<bool>(),
    ) {
        let shown = shown(&body);
        prop_assume!(!shown.is_empty());
        let mut memory = memory(&facts, computed);
        let mut agreed: Option<Result<BTreeSet<Vec<Value>>, ()>> = None;
        for (clauses, rules) in orders(&body).into_iter().zip(orders(&rules)) {
            let text = format!(
                "[:find {} :in $ % :where {}]", shown.join(" "), clauses.join(" ")
            );
            let set = edn::read(&format!("[{}]", rules.join(" "))).unwrap();
            let given = ask(&memory, &text, std::slice::from_ref(&set));
            let given = match given {
                Ok(answer) => Ok(rows(&answer)),
                Err(error) => {
                    let unbound = matches!(error.kind(), super::super::ErrorKind::Unbound { .. });
                    prop_assert!(unbound, "{text} {set}: {error}");
                    Err(())
                }
            };
            if let Some(before) = &agreed {
                prop_assert_eq!(before, &given, "the order matters: {}", text);
                continue;
            }
            if let Ok(given) = &given {
                let query = Query::parse(&text).unwrap();
                let rules = parse::rules(&Syntax::from_value(&set).unwrap(), None, &[]).unwrap();
                let world = World::new(&facts, NODES, rules, &[&["path", "other"], &["far"]]);
                let expected = world.answer(&query.parsed);
                prop_assert_eq!(given, &expected, "{} {}", text, set);
                let again = ask(&memory, &text, std::slice::from_ref(&set)).unwrap();
                prop_assert_eq!(rows(&again), expected, "by the plan that was kept: {} {}", text, set);
            }
            agreed = Some(given);
        }
        // The plans that were kept answer for a state that they were not made on.
        add(&mut memory, &later);
        let text = format!("[:find {} :in $ % :where {}]", shown.join(" "), body.join(" "));
        let set = edn::read(&format!("[{}]", rules.join(" "))).unwrap();
        if let Ok(given) = ask(&memory, &text, std::slice::from_ref(&set)) {
            let all = [facts, later].concat();
            let rules = parse::rules(&Syntax::from_value(&set).unwrap(), None, &[]).unwrap();
            let world = World::new(&all, NODES, rules, &[&["path", "other"], &["far"]]);
            let expected = world.answer(&Query::parse(&text).unwrap().parsed);
            prop_assert_eq!(rows(&given), expected, "after more facts: {} {}", text, set);
        }
    }
}

#[test]
fn most_generated_queries_are_answered() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut answered = 0;
    for _ in 0..200 {
        let body = body().new_tree(&mut runner).unwrap().current();
        let facts = facts().new_tree(&mut runner).unwrap().current();
        let text = format!("[:find (count ?a) . :where [?a :edge] {}]", body.join(" "));
        let text = text.replace("(path", "(or-join [?z] [?z :edge]) (path");
        if !text.contains("path") && !text.contains("(other") && !text.contains("(far") {
            answered += u32::from(ask(&memory(&facts, false), &text, &[]).is_ok());
        }
    }
    assert!(answered > 40, "only {answered} of 200 queries were answered");
}
