//! The attributes that the node itself states: who made a transaction. Why is its `:db/doc`.

use std::collections::BTreeMap;
use std::path::Path;

use datom::{Value, edn};

/// Attributes of transactions and programs that belong to no lower layer.
const NODE: &str = r#"
[{:db/ident :tx/by :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/doc "Which program or command made the transaction."}
 {:db/ident :tx/program :db/valueType :db.type/ref :db/cardinality :db.cardinality/one
  :db/doc "The stored program that made the transaction."}
 {:db/ident :tx/token :db/valueType :db.type/ref :db/cardinality :db.cardinality/many
  :db/doc "The tokens under which the program had acted when it made the transaction."}
 {:db/id "datomic.tx" :db/doc "the schema of transactions"}]
"#;

/// What a world needs to know before a program runs in it, as transactions: the second can already
/// say who made it and why, in attributes of the first.
pub(crate) fn schema() -> [Vec<Value>; 2] {
    let operations = bridge::handlers::builtin(Path::new("/"))
        .into_iter()
        .map(|(name, _)| Value::map([(Value::keyword("db/ident"), Value::Keyword(name))]));
    let layers = [
        operations.collect(),
        read(crate::agent::SCHEMA),
        read(crate::agent::streams::SCHEMA),
        read(crate::trace::SCHEMA),
        yin::schema(),
        yin::State::schema(),
        shibi::ledger::schema(),
        bridge::audit::schema(),
        vec![reason("datom", "the schema of programs, tokens and effects")],
    ];
    [read(NODE), layers.concat()]
}

/// Data that are part of the program.
fn read(text: &str) -> Vec<Value> {
    edn::read(text).ok().and_then(|data| Some(data.as_slice()?.to_vec())).unwrap_or_default()
}

/// The tempid of the transaction that it stands in.
const TRANSACTION: &str = "datomic.tx";

/// What is added to a transaction to say when it is made.
pub(crate) fn at(instant: i64) -> Value {
    Value::map([
        (Value::keyword("db/id"), Value::text(TRANSACTION)),
        (Value::keyword("db/txInstant"), Value::Instant(instant)),
    ])
}

/// What is added to a transaction to say who made it and why.
pub(crate) fn reason(by: &str, why: &str) -> Value {
    signature(&[], by, why, None, &[])
}

/// What is added to somebody's transaction data: who made it, with what program, under which
/// tokens, and why, unless the data say why themselves.
pub(crate) fn signature(
    data: &[Value],
    by: &str,
    why: &str,
    program: Option<u64>,
    tokens: &[Value],
) -> Value {
    let mut map = BTreeMap::new();
    let mut put = |key: &str, value| map.insert(Value::keyword(key), value);
    put("db/id", Value::text(TRANSACTION));
    put("tx/by", Value::text(by));
    if !data.iter().any(says_why) {
        put("db/doc", Value::text(why));
    }
    if let Some(program) = program {
        put("tx/program", Value::Ref(program));
    }
    if !tokens.is_empty() {
        put("tx/token", Value::Vector(tokens.to_vec()));
    }
    Value::Map(map)
}

fn says_why(form: &Value) -> bool {
    form.get("db/id").and_then(Value::as_text) == Some(TRANSACTION) && form.get("db/doc").is_some()
}

#[cfg(test)]
mod tests {
    use datom::edn;

    #[test]
    fn the_node_states_three_attributes_and_why() {
        let node = edn::read(super::NODE).unwrap();
        assert_eq!(node.as_slice().unwrap().len(), 4);
    }
}
