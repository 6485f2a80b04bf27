//! The engine against the naive evaluator, and the cases that other engines get wrong.

mod built;
mod cancel;
mod errors;
mod generated;
mod hostile;
mod interleaved;
mod language;
mod ordered;
mod orders;
mod recursion;
mod reference;
mod schemas;
mod streams;
mod threads;
mod views;

use datom::{Value, edn};

use super::memory::Memory;
use super::{Answer, Given, Limits, Query, QueryError, execute, explain};
use crate::attribute::ValueType;

/// A graph: `:edge` from entity to entity, `:label` text.
fn graph(edges: &[(u64, u64)]) -> Memory {
    let mut memory =
        Memory::new(&[("edge", ValueType::Ref, "many"), ("label", ValueType::String, "identity")]);
    let mut facts: Vec<(u64, &str, Value)> = Vec::new();
    for (from, to) in edges {
        facts.push((*from, "edge", Value::Ref(*to)));
        for node in [*from, *to] {
            facts.push((node, "label", Value::text(&format!("node number {node}"))));
        }
    }
    memory.add(1, &facts);
    memory
}

fn ask(memory: &Memory, query: &str, inputs: &[Value]) -> Result<Answer, QueryError> {
    ask_within(memory, query, inputs, &Limits::default())
}

/// Runs a query on one source, which stands first in `:in`, and values.
fn ask_within(
    memory: &Memory,
    query: &str,
    inputs: &[Value],
    limits: &Limits,
) -> Result<Answer, QueryError> {
    let query = Query::of_text(query)?;
    let mut given = vec![Given::Source(memory)];
    given.extend(inputs.iter().map(Given::Value));
    execute(&query, &given, limits)
}

/// The answer must print as given; entities print as integers.
fn gives(memory: &Memory, query: &str, inputs: &[&str], answer: &str) {
    let inputs: Vec<Value> = inputs.iter().map(|text| edn::read(text).unwrap()).collect();
    let given = ask(memory, query, &inputs).unwrap_or_else(|error| panic!("{query}: {error}"));
    let plain = edn::read(&given.to_value().to_string()).unwrap();
    assert_eq!(plain, edn::read(answer).unwrap(), "{query}");
}
