//! Whichever clause is written first, the same work is done.

use super::*;

/// Packages that depend on each other: one on which all do, and small circles of three.
fn packages() -> Memory {
    let (packages, hub) = (300, 1_000);
    let circle = |n: u64| n / 3 * 3 + (n + 1) % 3;
    let edges: Vec<(u64, u64)> = (0..packages)
        .flat_map(|n| [(n, hub), (n, circle(n)), (n, circle(circle(n))), (n, (7 * n) % packages)])
        .filter(|(from, to)| from != to)
        .collect();
    graph(&edges)
}

/// The index entries that a query looks at, and its rows, for each order of its clauses.
fn work<'c>(memory: &Memory, find: &str, clauses: &[&'c str]) -> Vec<(u64, u64)> {
    let mut orders = vec![Vec::new()];
    for clause in clauses {
        let with = |order: &Vec<&'c str>, at: usize| {
            let mut order = order.clone();
            order.insert(at, *clause);
            order
        };
        orders = orders
            .iter()
            .flat_map(|order| (0..=order.len()).map(move |at| with(order, at)))
            .collect();
    }
    let explained = orders.iter().map(|order| {
        let text = format!("[:find {find} :where {}]", order.join(" "));
        let query = Query::parse(&text).unwrap();
        explain(&query, &[Given::Source(memory)], &Limits::default()).unwrap()
    });
    explained.map(|told| (told.scanned, told.rows)).collect()
}

#[test]
fn joins_of_one_attribute_with_itself_take_the_side_of_few_facts() {
    let memory = packages();
    for (find, clauses) in [
        ("?a ?b ?c", &["[?a :edge ?b]", "[?b :edge ?c]", "[?a :edge ?c]"][..]),
        ("?a ?b", &["[?a :edge ?b]", "[?b :edge ?a]"]),
        ("?a ?b", &["[?a :edge ?b]", "[?b :edge ?a]", "[(< ?a ?b)]"]),
    ] {
        let work = work(&memory, find, clauses);
        let (least, most) = (work.iter().min().unwrap(), work.iter().max().unwrap());
        assert_eq!(least.1, most.1, "{clauses:?}: {work:?}");
        assert!(2 * most.0 <= 3 * least.0, "{clauses:?}: {work:?}");
    }
}

#[test]
fn what_two_patterns_say_of_an_entity_is_joined_entity_by_entity() {
    let memory = packages();
    let query = Query::parse("[:find ?a ?b :where [?a :edge ?b] [?b :edge ?a]]").unwrap();
    let told = explain(&query, &[Given::Source(&memory)], &Limits::default()).unwrap();
    let actions: Vec<&str> = told.steps.iter().map(|step| step.action).collect();
    assert_eq!(actions, ["scan", "leap"], "{told}");
    // Three in every circle reach each other, in two ways each.
    assert!(told.rows >= 600, "{told}");
}
