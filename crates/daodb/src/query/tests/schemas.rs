//! Generated schemas: whatever attributes hold, how many values of them an entity has, which of them are
//! unique, indexed or parts, every view of a database answers as the naive evaluator does on what it shows.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::super::naive::{Fact, World};
use super::super::parse;
use super::super::syntax::Syntax;
use super::generated::{orders, rows};
use super::*;
use crate::{Category, Database, Db, ErrorKind, Input};

const NODES: usize = 3;

/// A type with two of its values, as they are written; a reference's are nodes.
const TYPES: [(&str, [&str; 2]); 8] = [
    ("ref", ["", ""]),
    ("long", ["1", "2"]),
    ("double", ["1.0", "2.5"]),
    ("string", ["\"one\"", "\"a text that is too long for a word\""]),
    ("keyword", [":one", ":two"]),
    ("boolean", ["true", "false"]),
    ("instant", ["#inst \"2024-05-17T10:20:30Z\"", "#inst \"1969-12-31T00:00:00Z\""]),
    // Its values are those of other types, too.
    ("any", ["1", "\"one\""]),
];

#[derive(Clone, Debug)]
struct Attribute {
    kind: usize,
    many: bool,
    unique: Option<&'static str>,
    index: bool,
    component: bool,
}

impl Attribute {
    fn is_ref(&self) -> bool {
        self.kind == 0
    }

    fn declared(&self, number: usize) -> String {
        let cardinality = if self.many { "many" } else { "one" };
        let mut text = format!(
            "{{:db/ident :a{number} :db/valueType :db.type/{} :db/cardinality :db.cardinality/{cardinality}",
            TYPES[self.kind].0
        );
        if let Some(unique) = self.unique {
            text.push_str(&format!(" :db/unique :db.unique/{unique}"));
        }
        if self.index {
            text.push_str(" :db/index true");
        }
        if self.component && self.is_ref() {
            text.push_str(" :db/isComponent true");
        }
        text + "}"
    }
}

fn attribute() -> impl Strategy<Value = Attribute> {
    let kind = prop_oneof![3 => Just(0), 4 => 1..TYPES.len()];
    let unique = prop_oneof![4 => Just(None), 1 => select(vec![Some("value"), Some("identity")])];
    (kind, any::<bool>(), unique, any::<bool>(), any::<bool>()).prop_map(
        |(kind, many, unique, index, component)| Attribute { kind, many, unique, index, component },
    )
}

/// A change or a clause before the schema is known.
#[derive(Clone, Debug)]
struct Choice {
    attribute: Index,
    node: usize,
    value: usize,
    flag: bool,
    form: usize,
}

fn choice() -> impl Strategy<Value = Choice> {
    (any::<Index>(), 0..NODES, 0..12_usize, prop::bool::weighted(0.7), 0..100_usize).prop_map(
        |(attribute, node, value, flag, form)| Choice { attribute, node, value, flag, form },
    )
}

/// What is known: each fact with the transaction that stated it.
type Known = BTreeMap<(u64, String, Value), u64>;

struct Told {
    database: Database,
    nodes: Vec<u64>,
    schema: Vec<Attribute>,
    known: Known,
    ever: BTreeSet<(u64, String, Value)>,
}

impl Told {
    fn new(schema: Vec<Attribute>) -> Self {
        let database = Database::memory().unwrap();
        let declared: String = schema.iter().enumerate().map(|(at, a)| a.declared(at)).collect();
        database.transact(&edn::read_all(&declared).unwrap()).unwrap();
        database
            .transact(&edn::read_all("{:db/ident :node :db/valueType :db.type/long}").unwrap())
            .unwrap();
        let node = |n: usize| {
            let data = edn::read_all(&format!("{{:db/id \"n\" :node {n}}}")).unwrap();
            database.transact(&data).unwrap().tempids[&Value::text("n")]
        };
        let nodes = (0..NODES).map(node).collect();
        Self { database, nodes, schema, known: Known::new(), ever: BTreeSet::new() }
    }

    fn fact(&self, choice: &Choice) -> (u64, String, Value) {
        let at = choice.attribute.index(self.schema.len());
        let kind = self.schema[at].kind;
        let value = match kind {
            0 => Value::Ref(self.nodes[choice.value % NODES]),
            kind => edn::read(TYPES[kind].1[choice.value % 2]).unwrap(),
        };
        (self.nodes[choice.node], format!("a{at}"), value)
    }

    fn form(&self, choice: &Choice) -> Value {
        let (e, a, v) = self.fact(choice);
        let what = Value::keyword(if choice.flag { "db/add" } else { "db/retract" });
        Value::Vector(vec![what, Value::Ref(e), Value::keyword(&a), v])
    }

    /// What is known after a change, unless the schema refuses it.
    fn after(&self, choice: &Choice, known: &Known, t: u64) -> Option<Known> {
        let fact = self.fact(choice);
        let attribute = &self.schema[choice.attribute.index(self.schema.len())];
        let mut known = known.clone();
        if !choice.flag {
            known.remove(&fact);
            return Some(known);
        }
        let other = |(e, a, v): &(u64, String, Value)| *e != fact.0 && (a, v) == (&fact.1, &fact.2);
        if attribute.unique.is_some() && known.keys().any(other) {
            return None;
        }
        if !attribute.many {
            known.retain(|known, _| (known.0, &known.1) != (fact.0, &fact.1) || *known == fact);
        }
        known.entry(fact).or_insert(t);
        Some(known)
    }

    fn make(&mut self, choice: &Choice) {
        let made = self.database.transact(&[self.form(choice)]);
        let t = self.database.db().unwrap().basis();
        match (made, self.after(choice, &self.known, t)) {
            (Ok(_), Some(known)) => self.known = known,
            (Err(crate::Error::Rejected(refused)), None) => {
                assert_eq!(refused.category, Category::Unique, "{refused}");
            }
            (made, expected) => panic!("{choice:?}: {made:?}, expected {expected:?}"),
        }
        self.ever.extend(self.known.keys().cloned());
    }

    /// A pattern: an entity and a value, each a variable or a constant.
    fn pattern(&self, choice: &Choice) -> String {
        let at = choice.attribute.index(self.schema.len());
        let entity = match choice.form % 12 {
            0 => self.nodes[choice.node].to_string(),
            1 => "_".to_owned(),
            _ => ["?x", "?y", "?z"][choice.node].to_owned(),
        };
        let kind = self.schema[at].kind;
        let value = match (kind, choice.value) {
            (_, 0) => "_".to_owned(),
            (0, 1) => self.nodes[choice.form % NODES].to_string(),
            (0, other) => ["?x", "?y", "?z"][other % 3].to_owned(),
            (kind, 1 | 2) => TYPES[kind].1[choice.form % 2].to_owned(),
            // Values of any type meet those of their own.
            (7, other) => format!("?{}{}", ["long", "string"][choice.form % 2], other % 2),
            (kind, other) => format!("?{}{}", TYPES[kind].0, other % 2),
        };
        format!("[{entity} :a{at} {value}]")
    }

    fn condition(&self, choice: &Choice, other: &Choice) -> String {
        let (one, two) = (self.pattern(choice), self.pattern(other));
        let refers = other.attribute.index(self.schema.len());
        // The last word of a pattern, without its bracket.
        let value = |pattern: &str| {
            let from =
                pattern.find(&format!(":a{refers} ")).unwrap() + format!(":a{refers} ").len();
            pattern[from..pattern.len() - 1].to_owned()
        };
        match choice.form % 6 {
            0 => format!("(not {one} {two})"),
            1 => format!("(not-join [?x] {one} {two})"),
            2 => format!(
                "(or-join [?x] (and [?x :a{refers} _] {one}) [?x :a{refers} {}])",
                value(&two)
            ),
            3 => "(way ?x ?y)".to_owned(),
            4 => "[(!= ?x ?y)]".to_owned(),
            _ => {
                let (kind, compare) =
                    (&TYPES[1 + other.form % 6], ["<", ">=", "=", "!="][other.value % 4]);
                format!("[({compare} ?{}0 {})]", kind.0, kind.1[choice.value % 2])
            }
        }
    }

    /// Rules that follow the references of the schema.
    fn rules(&self) -> Vec<String> {
        let refs = (0..self.schema.len()).filter(|at| self.schema[*at].is_ref());
        let mut rules: Vec<String> =
            refs.map(|at| format!("[(way ?x ?y) [?x :a{at} ?y]]")).collect();
        match rules.is_empty() {
            true => rules.push("[(way ?x ?x) [?x :a0 _]]".to_owned()),
            false => rules.push("[(way ?x ?y) (way ?x ?t) (way ?t ?y)]".to_owned()),
        }
        rules
    }
}

fn shown(body: &[String]) -> Vec<String> {
    let ends = |c: char| " [](){}".contains(c);
    // What stands in a condition alone is not bound by it.
    let patterns =
        body.iter().filter(|clause| clause.starts_with('[') && !clause.starts_with("[("));
    let words = patterns.flat_map(|clause| clause.split(ends)).filter(|word| word.starts_with('?'));
    words.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().take(3).collect()
}

fn facts<'f>(known: impl IntoIterator<Item = &'f (u64, String, Value)>) -> Vec<Fact> {
    known.into_iter().map(|(e, a, v)| (*e, a.clone(), v.clone(), 1)).collect()
}

proptest! {
    // Each case asks seven views, each in three orders.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_schema_and_view_is_answered_as_by_the_naive_evaluator(
        schema in prop::collection::vec(attribute(), 1..5),
        changes in prop::collection::vec(choice(), 1..16),
        later in prop::collection::vec(choice(), 1..8),
        thought in choice(),
        patterns in prop::collection::vec(choice(), 1..4),
        conditions in prop::collection::vec((choice(), choice()), 0..3),
    ) {
        let mut told = Told::new(schema);
        changes.iter().for_each(|change| told.make(change));
        let (t, then) = (told.database.db().unwrap().basis(), told.known.clone());
        let patterns = patterns.iter().map(|choice| told.pattern(choice));
        let conditions = conditions.iter().map(|(one, two)| told.condition(one, two));
        let body: Vec<String> = patterns.chain(conditions).collect();
        let (shown, rules) = (shown(&body), told.rules());
        prop_assume!(!shown.is_empty());
        // Asked now, so that plans and columns of this state are there for the next.
        let mut asked: Vec<(&str, Db, Vec<Fact>)> =
            vec![("before", told.database.db().unwrap(), facts(then.keys()))];
        ask_all(&mut asked, &shown, &body, &rules)?;

        later.iter().for_each(|change| told.make(change));
        let db = told.database.db().unwrap();
        let since = told.known.iter().filter(|(_, stated)| **stated > t).map(|(fact, _)| fact);
        let mut views = vec![
            ("present", db.clone(), facts(told.known.keys())),
            ("filtered", db.filter(|_, _| true), facts(told.known.keys())),
            ("as of", db.as_of(t), facts(then.keys())),
            ("at", told.database.at(t).unwrap(), facts(then.keys())),
            ("since", db.since(t), facts(since)),
            ("history", db.history(), facts(&told.ever)),
        ];
        if let Some(known) = told.after(&thought, &told.known, u64::MAX) {
            let with = db.with(&[told.form(&thought)]).unwrap().db_after().unwrap();
            views.push(("with", with, facts(known.keys())));
        }
        ask_all(&mut views, &shown, &body, &rules)?;
    }
}

/// Asks each view in three orders of clauses and rules, twice each: by a plan that is made and one that is kept.
fn ask_all(
    views: &mut [(&str, Db, Vec<Fact>)],
    shown: &[String],
    body: &[String],
    rules: &[String],
) -> Result<(), TestCaseError> {
    for (view, db, facts) in views {
        let mut expected = None;
        for (clauses, rules) in orders(body).into_iter().zip(orders(rules)) {
            let text = format!("[:find {} :in $ % :where {}]", shown.join(" "), clauses.join(" "));
            let query = Query::of_text(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let set = edn::read(&format!("[{}]", rules.join(" "))).unwrap();
            for turn in ["once", "again"] {
                let given = match db.query(&query, &[Input::from(set.clone())]) {
                    Ok(answer) => rows(&answer),
                    Err(crate::Error::Query(error)) => {
                        let unbound = matches!(error.kind(), ErrorKind::Unbound { .. });
                        prop_assert!(unbound, "{view}: {text} {set}: {error}");
                        continue;
                    }
                    Err(error) => panic!("{view}: {text}: {error}"),
                };
                let expected = expected.get_or_insert_with(|| {
                    let rules =
                        Syntax::from_value(&set).and_then(|set| parse::rules(&set, None, &[]));
                    World::new(facts, 0, rules.unwrap(), &[&["way"]]).answer(&query.parsed)
                });
                prop_assert_eq!(&given, &*expected, "{} {}: {} {}", view, turn, text, set);
            }
        }
    }
    Ok(())
}
