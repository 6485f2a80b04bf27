//! `docs/query.md` has an example of everything that a query can say. That each example gives what stands
//! behind it is tested by `tests/query_reference.rs`.

use super::super::aggregate;
use super::super::function;
use super::super::parse::{FORMS, SECTIONS};
use crate::pull::OPTIONS;

const REFERENCE: &str = include_str!("../../../../../docs/query.md");

/// The text of the blocks that are run.
fn examples() -> String {
    let of = |kind: &str| -> Vec<&str> {
        REFERENCE.split(kind).skip(1).filter_map(|rest| rest.split("```").next()).collect()
    };
    [of("```edn\n"), of("```calls\n")].concat().join("\n")
}

fn missing<'n>(
    names: impl Iterator<Item = &'n str>,
    written: impl Fn(&str) -> String,
) -> Vec<String> {
    let examples = examples();
    let ends = |c: char| c.is_whitespace() || ")]}".contains(c);
    let stands = |text: &str| {
        let mut at = examples.match_indices(text).map(|(at, _)| at + text.len());
        at.any(|end| examples.get(end..).is_some_and(|rest| rest.starts_with(ends)))
    };
    names.map(written).filter(|text| !stands(text)).collect()
}

#[test]
fn every_function_predicate_and_aggregate_has_an_example() {
    let none: Vec<String> = Vec::new();
    assert_eq!(missing(function::names(), |name| format!("({name}")), none);
    let finds: Vec<&str> = aggregate::NAMES.to_vec();
    let shown = |name: &str| {
        let find = |line: &str| line.trim_start().starts_with("[:find");
        let called = format!("({name} ");
        examples()
            .lines()
            .filter(|line| find(line))
            .any(|line| line.split(":where").next().is_some_and(|find| find.contains(&called)))
    };
    let missing: Vec<&str> = finds.into_iter().filter(|name| !shown(name)).collect();
    assert!(missing.is_empty(), "aggregates without an example: {missing:?}");
}

#[test]
fn every_part_clause_and_option_has_an_example() {
    let none: Vec<String> = Vec::new();
    assert_eq!(missing(SECTIONS.into_iter(), |name| format!(":{name}")), none);
    assert_eq!(missing(FORMS.into_iter(), |name| format!("({name}")), none);
    assert_eq!(missing(OPTIONS.into_iter(), |name| format!(":{name}")), none);
    // Forms that no registry holds, each by what only it has.
    for form in [
        "[?a ...]",
        " . :where",
        "[:find [?n ?a]",
        "{:find",
        "(pull ?p",
        "[*",
        "{:person/boss ...}",
        ":person/_boss",
        "$rooms",
        "[[?n ?tag]]",
        "[?a ...]",
        ":in $ %",
        " _ ",
        "[:person/name \"Dee\"]",
        "[[?p] ?n]",
        "[?p] ?rank",
    ] {
        assert!(examples().contains(form), "no example of {form}");
    }
}
