//! Generated queries through every view of a real database: each answers as the naive evaluator does
//! on the facts that the view shows.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::naive::{Fact, World};
use super::super::parse;
use super::super::syntax::Syntax;
use super::generated::{NODES, facts, named, orders, rows, shown, unnamed_body, unnamed_rules};
use super::*;
use crate::{Database, Db, ErrorKind};

const SCHEMA: &str = "
    {:db/ident :edge :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}
    {:db/ident :boss :db/valueType :db.type/ref :db/cardinality :db.cardinality/many :db/index true}
    {:db/ident :weight :db/valueType :db.type/long :db/cardinality :db.cardinality/many}
    {:db/ident :age :db/valueType :db.type/long :db/cardinality :db.cardinality/many :db/index true}
    {:db/ident :node :db/valueType :db.type/long}";

type Set = BTreeSet<Fact>;

/// A database whose node `n` is the entity `n + behind`.
struct Shifted {
    database: Database,
    behind: u64,
}

impl Shifted {
    fn new() -> Self {
        let database = Database::memory().unwrap();
        database.transact(&edn::read_all(SCHEMA).unwrap()).unwrap();
        let nodes: Vec<String> =
            (1..=NODES).map(|n| format!("{{:db/id \"{n}\" :node {n}}}")).collect();
        let report = database.transact(&edn::read_all(&nodes.join(" ")).unwrap()).unwrap();
        let mut ids: Vec<(&Value, &u64)> = report.tempids.iter().collect();
        ids.sort();
        let behind = ids[0].1 - 1;
        assert!(ids.iter().zip(1..).all(|((_, id), n)| **id == n + behind), "{ids:?}");
        Self { database, behind }
    }

    fn forms(&self, operation: &str, facts: &Set) -> Vec<Value> {
        let form = |(e, a, v, _): &Fact| {
            let value = match v {
                Value::Ref(node) => (node + self.behind).to_string(),
                other => other.to_string(),
            };
            edn::read(&format!("[:db/{operation} {} :{a} {value}]", e + self.behind)).unwrap()
        };
        facts.iter().map(form).collect()
    }

    /// States or withdraws facts, and tells the transaction.
    fn transact(&self, operation: &str, facts: &Set) -> u64 {
        self.database.transact(&self.forms(operation, facts)).unwrap().t
    }

    /// Rows with nodes by their own numbers.
    fn nodes(&self, answer: &Answer) -> BTreeSet<Vec<Value>> {
        let node = |value: Value| match value {
            Value::Ref(id) => Value::Ref(id - self.behind),
            other => other,
        };
        rows(answer).into_iter().map(|row| row.into_iter().map(node).collect()).collect()
    }
}

proptest! {
    // Each case asks seven views, each in three orders.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_view_answers_as_the_naive_evaluator_on_what_it_shows(
        first in facts(),
        drop in prop::collection::vec(any::<bool>(), 14),
        third in facts(),
        thought in facts(),
        body in unnamed_body(),
        rules in unnamed_rules(),
    ) {
        let shown = shown(&body);
        prop_assume!(!shown.is_empty());
        let (first, third): (Set, Set) = (first.into_iter().collect(), third.into_iter().collect());
        let gone: Set = first.iter().zip(&drop).filter(|(_, gone)| **gone).map(|(f, _)| f.clone()).collect();
        let thought: Set = thought.into_iter().collect();
        let kept: Set = first.difference(&gone).cloned().collect();
        let now: Set = kept.union(&third).cloned().collect();

        let world = Shifted::new();
        let t1 = world.transact("add", &first);
        let t2 = world.transact("retract", &gone);
        world.transact("add", &third);
        let db = world.database.db().unwrap();
        let with = db.with(&world.forms("add", &thought)).unwrap().db_after().unwrap();
        let views: [(&str, Db, Set); 7] = [
            ("present", db.clone(), now.clone()),
            ("as of the first", db.as_of(t1), first.clone()),
            ("as of the second", db.as_of(t2), kept.clone()),
            ("at the first", world.database.at(t1).unwrap(), first.clone()),
            ("since the second", db.since(t2), third.difference(&kept).cloned().collect()),
            ("history", db.history(), first.union(&third).cloned().collect()),
            ("with", with, now.union(&thought).cloned().collect()),
        ];
        for (view, db, facts) in views {
            let facts: Vec<Fact> = facts.into_iter().collect();
            let mut expected = None;
            for (clauses, rules) in orders(&body).into_iter().zip(orders(&rules)) {
                let text = format!(
                    "[:find {} :in $ % :where {}]", shown.join(" "), clauses.join(" ")
                );
                let rules = format!("[{}]", rules.join(" "));
                let asked = Query::parse(&named(&text, world.behind)).unwrap();
                let set = edn::read(&named(&rules, world.behind)).unwrap();
                let given = match db.query(&asked, &[set.into()]) {
                    Ok(answer) => world.nodes(&answer),
                    Err(crate::Error::Query(error)) => {
                        let unbound = matches!(error.kind(), ErrorKind::Unbound { .. });
                        prop_assert!(unbound, "{view}: {text} {rules}: {error}");
                        continue;
                    }
                    Err(error) => panic!("{view}: {text}: {error}"),
                };
                let expected = expected.get_or_insert_with(|| {
                    let set = edn::read(&named(&rules, 0)).unwrap();
                    let rules = parse::rules(&Syntax::from_value(&set).unwrap(), None, &[]).unwrap();
                    let naive = World::new(&facts, NODES, rules, &[&["path", "other"], &["far"]]);
                    naive.answer(&Query::parse(&named(&text, 0)).unwrap().parsed)
                });
                prop_assert_eq!(&given, &*expected, "{}: {} {}", view, text, rules);
            }
        }
    }
}
