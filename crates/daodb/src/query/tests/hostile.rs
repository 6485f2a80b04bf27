//! Any EDN as query, rules and inputs: an answer or an error, and always an end.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Pieces of queries, in any order and nesting.
fn form() -> impl Strategy<Value = String> {
    let leaf = select(vec![
        "?x",
        "?y",
        "?z",
        "_",
        "$",
        "%",
        "...",
        ".",
        ":find",
        ":where",
        ":in",
        ":with",
        ":edge",
        ":label",
        ":limit",
        ":order-by",
        ":nope",
        "1",
        "2",
        "-1",
        "1.5",
        "\"node number 1\"",
        "nil",
        "true",
        "not",
        "or",
        "or-join",
        "not-join",
        "and",
        "path",
        "count",
        "sum",
        "pull",
        "*",
        "<",
        "=",
        "+",
        "/",
        "ground",
        "get-else",
        "missing?",
        "subs",
        "re-find",
        "range",
        "[*]",
        "#{1 2}",
        "99999999999999999999",
        "[[(path ?x ?y) [?x :edge ?y]]]",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 5, |inner| {
        prop::collection::vec(inner, 0..5).prop_flat_map(|parts| {
            let parts = parts.join(" ");
            select(vec![format!("[{parts}]"), format!("({parts})"), format!("[({parts}) ?x]")])
        })
    })
}

proptest! {
    #[test]
    fn no_form_panics_or_runs_for_ever(
        parts in prop::collection::vec(form(), 0..5),
        clauses in prop::collection::vec(form(), 0..4),
        rules in prop::collection::vec(form(), 0..3),
        input in form(),
        shape in 0..4,
    ) {
        let memory = graph(&[(1, 2), (2, 3), (3, 1)]);
        let (parts, clauses, rules) = (parts.join(" "), clauses.join(" "), rules.join(" "));
        let text = match shape {
            0 => format!("[:find {parts} :where {clauses}]"),
            1 => format!("[:find ?x :in $ % ?y :where [?x :edge ?z] {clauses}]"),
            2 => format!("[:find ?x :in $ % {parts} :where (path ?x ?y) {clauses}]"),
            _ => format!("[{parts} {clauses}]"),
        };
        let limits = Limits {
            max_rows: Some(10_000),
            max_bytes: Some(10 << 20),
            threads: None,
            timeout: Some(Duration::from_secs(5)),
            cancel: None,
        };
        let rules = [
            format!("[[(path ?x ?y) [?x :edge ?y]] {rules}]"),
            format!("[[(path ?x ?y) [?x :edge ?y]] [(path ?x ?y) {rules}]]"),
        ];
        for rules in rules {
            let values = [rules, input.clone()].map(|text| edn::read(&text).unwrap_or(Value::Nil));
            for inputs in [&values[..], &values[..1], &[]] {
                let _ = ask_within(&memory, &text, inputs, &limits);
            }
        }
        let pattern = edn::read(&format!("[{parts}]")).unwrap_or(Value::Nil);
        if let Ok(pattern) = crate::pull::Pattern::parse(&pattern, &memory) {
            let _ = pattern.pull(&memory, 1, &super::super::Watch::start(&limits));
        }
    }
}
