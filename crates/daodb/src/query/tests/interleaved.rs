//! Transactions and queries in turns: whatever a query finds made by the queries before it, plans or
//! columns, it answers as the naive evaluator does.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::naive::{Fact, World};
use super::super::parse;
use super::super::syntax::Syntax;
use super::generated::{body, rows, rules, shown};
use super::*;
use crate::{Database, Db, Input};

const NODES: usize = 4;

/// A fact by the numbers of its nodes, stated or withdrawn.
#[derive(Clone, Debug)]
struct Change {
    attribute: &'static str,
    node: usize,
    /// A number, or the number of a node.
    value: i64,
    added: bool,
}

fn change() -> impl Strategy<Value = Change> {
    let attribute = prop::sample::select(vec!["edge", "edge", "boss", "weight", "age"]);
    (attribute, 0..NODES, 0..3_i64, prop::bool::weighted(0.7))
        .prop_map(|(attribute, node, value, added)| Change { attribute, node, value, added })
}

fn database() -> (Database, Vec<u64>) {
    let schema = "{:db/ident :edge :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}
        {:db/ident :boss :db/valueType :db.type/ref :db/cardinality :db.cardinality/many :db/index true}
        {:db/ident :weight :db/valueType :db.type/long :db/cardinality :db.cardinality/many}
        {:db/ident :age :db/valueType :db.type/long :db/cardinality :db.cardinality/many :db/index true}
        {:db/ident :node :db/valueType :db.type/long}";
    let database = Database::memory().unwrap();
    database.transact(&edn::read_all(schema).unwrap()).unwrap();
    let nodes = (0..NODES).map(|n| {
        let data = edn::read_all(&format!("{{:db/id \"n\" :node {n}}}")).unwrap();
        database.transact(&data).unwrap().tempids[&Value::text("n")]
    });
    let nodes = nodes.collect();
    (database, nodes)
}

/// Takes the change into the database and into the set of all facts.
fn make(database: &Database, nodes: &[u64], change: &Change, facts: &mut BTreeSet<Fact>) {
    let Change { attribute, node, value, added } = change;
    let is_ref = matches!(*attribute, "edge" | "boss");
    let value = match usize::try_from(*value) {
        Ok(to) if is_ref => Value::Ref(nodes[to]),
        _ => Value::Int(*value),
    };
    let what = Value::keyword(if *added { "db/add" } else { "db/retract" });
    let form = vec![what, Value::Ref(nodes[*node]), Value::keyword(attribute), value.clone()];
    database.transact(&[Value::Vector(form)]).unwrap();
    let fact = (nodes[*node], (*attribute).to_owned(), value, 1);
    match added {
        true => facts.insert(fact),
        false => facts.remove(&fact),
    };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn writes_and_queries_in_turns(
        turns in prop::collection::vec(prop::collection::vec(change(), 1..5), 1..7),
        bodies in prop::collection::vec(body(), 1..4),
        rules in rules(),
    ) {
        let (database, nodes) = database();
        let set = edn::read(&format!("[{}]", rules.join(" "))).unwrap();
        let rules = parse::rules(&Syntax::from_value(&set).unwrap(), None, &[]).unwrap();
        let inputs = [Input::from(set)];
        let mut facts: BTreeSet<Fact> = BTreeSet::new();
        let mut before = None;
        for changes in &turns {
            changes.iter().for_each(|change| make(&database, &nodes, change, &mut facts));
            let known: Vec<Fact> = facts.iter().cloned().collect();
            let world = World::new(&known, 4, rules.clone(), &[&["path", "other"], &["far"]]);
            let db = database.db().unwrap();
            for body in &bodies {
                let shown = shown(body);
                if shown.is_empty() {
                    continue;
                }
                let (shown, body) = (shown.join(" "), body.join(" "));
                let text = format!("[:find {shown} :in $ % :where {body}]");
                let query = Query::of_text(&text).unwrap();
                let Ok(given) = db.query(&query, &inputs) else { continue };
                let expected = world.answer(&query.parsed);
                prop_assert_eq!(rows(&given), expected.clone(), "{} {:?}", text, turns);
                // What would be, from the same columns, and the state before, which stays.
                if let Some((before, answer)) = before.replace((db.clone(), expected))
                    && bodies.len() == 1
                {
                    let before: Db = before;
                    prop_assert_eq!(rows(&before.query(&query, &inputs).unwrap()), answer);
                }
            }
        }
    }
}
