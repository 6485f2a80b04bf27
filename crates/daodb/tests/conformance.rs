//! Recorded cases: queries, pulls, transactions and index reads with the answers of other engines.
//!
//! The cases lie outside of the repository: in `$CONFORMANCE_DIR/datalog`, or beside the workspace
//! in `../shared/conformance/datalog`. Where neither is there the test says that it skips.
//!
//! The recorded engines differ from us in form, which this file translates, and nothing else:
//!
//! * their attributes need no schema: every attribute of a fixture or case is declared, with values
//!   of any kind where no type is given;
//! * their fixtures use small entity ids, which are built-in entities here: ids are shifted;
//! * they show attributes as keywords and transactions as 2^29 + n: answers are translated back;
//! * they make doubles of what would be ratios: numbers compare by value.
//!
//! Each query runs as written and with its clauses (and those of its rules) in two other orders.

#[path = "conformance/compare.rs"]
mod compare;
#[path = "conformance/fixture.rs"]
mod fixture;
#[path = "conformance/shift.rs"]
mod shift;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use daodb::{ErrorKind, Input, Limits, Query};
use datom::{Value, edn};

use compare::same;
use fixture::{Fixture, Schema};

/// Cases on which ours is right and the recording is not, with what ours is: `docs/query.md` says why.
const DIFFER: &[(&str, &str, &str)] = &[
    (
        "not-016",
        "a not needs no clause in front of it: the order of clauses means nothing here",
        "gives #{[2] [3] [4] [5] [6]}",
    ),
    ("query-022", "a variable that stands twice in a pattern is one variable", "not #{}"),
    ("tx-057", "an attribute of any type holds nil as well", "must be refused"),
    ("tx-066", "a transaction that states and retracts the same fact is refused", "and retracted"),
    (
        "rules-023",
        "a rule called with too many arguments is refused, not answered with nothing",
        "takes 1 argument(s), not 2",
    ),
];

enum Outcome {
    Passed,
    Skipped(String),
}

type Verdict = Result<Outcome, String>;

fn folder() -> Option<PathBuf> {
    let given = std::env::var_os("CONFORMANCE_DIR").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    let folder = given.unwrap_or(beside).join("datalog");
    folder.join("cases.edn").is_file().then_some(folder)
}

#[test]
fn every_recorded_case_is_answered_as_recorded() {
    let Some(folder) = folder() else {
        println!("skipped: no conformance cases; CONFORMANCE_DIR names their folder");
        return;
    };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let fixtures = edn::read(&read("fixtures.edn")).unwrap();
    let cases = edn::read_all(&read("cases.edn")).unwrap();
    let (mut passed, mut skipped, mut failed) = (BTreeMap::new(), Vec::new(), Vec::new());
    for case in &cases {
        let text = |key: &str| case.get(key).map(plain).unwrap_or_default();
        let (id, kind) = (text("id"), text("kind"));
        match run(case, &id, &kind, &fixtures) {
            Ok(Outcome::Passed) => *passed.entry(kind).or_insert(0) += 1,
            Ok(Outcome::Skipped(why)) => skipped.push(format!("{id} ({kind}): {why}")),
            Err(why) => failed.push(format!("{id} ({kind}): {why}")),
        }
    }
    for line in skipped
        .iter()
        .map(|l| format!("skipped {l}"))
        .chain(failed.iter().map(|l| format!("FAILED {l}")))
    {
        println!("{line}");
    }
    println!("passed {passed:?}, skipped {}, failed {}", skipped.len(), failed.len());
    assert!(failed.is_empty(), "{} cases failed", failed.len());
    assert!(!passed.is_empty(), "no case was run");
}

fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Keyword(name) => name.as_str().to_owned(),
        other => other.to_string(),
    }
}

fn run(case: &Value, id: &str, kind: &str, fixtures: &Value) -> Verdict {
    if kind == "schema" {
        let body = case.get("body").ok_or("no schema")?;
        let made = Schema::from_recorded(body).and_then(|schema| schema.database().map(drop));
        return expect_error(case, made.map(|()| Value::keyword("ok")));
    }
    let name = case.get("fixture").map(plain);
    let recorded = name.as_deref().and_then(|name| fixtures.get("fixtures")?.get(name));
    let fixture = Fixture::new(recorded, case)?;
    let body = case.get("body").ok_or("no body")?;
    let none = Vec::new();
    let args = match case.get("args") {
        Some(Value::Vector(args)) => args,
        _ => &none,
    };
    if kind == "q" {
        return query(case, id, &fixture, body, args);
    }
    judged(id, fixture.run(kind, body, args, case))
}

/// A verdict, where ours may be known to differ.
fn judged(id: &str, verdict: Verdict) -> Verdict {
    match (verdict, DIFFER.iter().find(|(known, ..)| *known == id)) {
        (Ok(Outcome::Passed), Some(_)) => Err("is listed as different, but agrees".into()),
        (Err(ours), Some((_, why, known))) if ours.contains(known) => {
            Ok(Outcome::Skipped((*why).to_owned()))
        }
        (Err(ours), Some((_, _, known))) => Err(format!("ours was {known}, and is: {ours}")),
        (verdict, _) => verdict,
    }
}

/// Compares an outcome with what the case expects: a value, or that it fails.
fn expect_error(case: &Value, outcome: Result<Value, String>) -> Verdict {
    match (case.get("expected"), outcome) {
        (None, Err(_)) => Ok(Outcome::Passed),
        (None, Ok(value)) => Err(format!("must fail, but gives {value}")),
        (Some(_), Err(error)) => Err(error),
        (Some(expected), Ok(value)) => {
            let unordered = case.get("unordered") == Some(&Value::Bool(true));
            if same(expected, &value, unordered) {
                Ok(Outcome::Passed)
            } else {
                Err(format!("expected {expected}, not {value}"))
            }
        }
    }
}

fn query(case: &Value, id: &str, fixture: &Fixture, body: &Value, args: &[Value]) -> Verdict {
    let mut answers = Vec::new();
    for order in [Order::Written, Order::Reversed, Order::Turned] {
        let (body, args) = fixture.translate(&order.of_query(body), args, order)?;
        answers.push(ask(fixture, &body, &args));
    }
    let [written, rest @ ..] = answers.as_slice() else { return Err("not run".into()) };
    for other in rest {
        let agree = match (written, other) {
            (Ok(a), Ok(b)) => same(a, b, true),
            (Err(_), Err(_)) => true,
            _ => false,
        };
        if !agree {
            return Err(format!("the order of clauses matters: {written:?}, then {other:?}"));
        }
    }
    let recorded_without_facts = case.get("group") == Some(&Value::keyword("gen"));
    if recorded_without_facts {
        // Every one of these expects nothing, also where the fixture plainly has matching facts:
        // they were recorded on a database without facts, so there ours is compared. With facts
        // only the order of clauses is checked here; queries of the same kind are compared with a
        // naive evaluator by the unit tests.
        let empty = fixture.without_facts()?;
        let (body, args) = empty.translate(body, args, Order::Written)?;
        written.as_ref().map_err(Clone::clone)?;
        return expect_error(case, ask(&empty, &body, &args));
    }
    judged(id, expect_error(case, written.clone()))
}

fn ask(fixture: &Fixture, body: &Value, args: &[Input]) -> Result<Value, String> {
    let query = Query::from_value(body).map_err(|error| error.to_string())?;
    let answer = daodb::query(&query, args, &Limits::default()).map_err(|error| {
        assert!(!matches!(error.kind(), ErrorKind::Storage(_)), "{error}");
        error.to_string()
    })?;
    Ok(fixture.show(&answer.to_value()))
}

/// An order of clauses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Written,
    Reversed,
    /// The second half first, with its neighbours swapped.
    Turned,
}

impl Order {
    fn of_clauses(self, clauses: &mut [Value]) {
        match self {
            Order::Written => {}
            Order::Reversed => clauses.reverse(),
            Order::Turned => {
                let half = clauses.len() / 2;
                clauses.rotate_left(half);
                clauses.chunks_mut(2).for_each(<[Value]>::reverse);
            }
        }
    }

    fn of_query(self, query: &Value) -> Value {
        match query {
            Value::Vector(items) => {
                let mut items = items.clone();
                let key = Value::keyword("where");
                if let Some(start) = items.iter().position(|item| *item == key) {
                    let rest = items.get_mut(start + 1..).unwrap_or_default();
                    let is_key = |item: &Value| matches!(item, Value::Keyword(_));
                    let end = rest.iter().position(is_key).unwrap_or(rest.len());
                    self.of_clauses(rest.get_mut(..end).unwrap_or_default());
                }
                Value::Vector(items)
            }
            Value::Map(map) => {
                let mut map = map.clone();
                if let Some(Value::Vector(clauses)) = map.get_mut(&Value::keyword("where")) {
                    self.of_clauses(clauses);
                }
                Value::Map(map)
            }
            other => other.clone(),
        }
    }

    /// Rules in another order, and the clauses of each.
    pub(crate) fn of_rules(self, rules: &Value) -> Value {
        let Value::Vector(rules) = rules else { return rules.clone() };
        let mut rules = rules.clone();
        for rule in &mut rules {
            if let Value::Vector(parts) = rule {
                self.of_clauses(parts.get_mut(1..).unwrap_or_default());
            }
        }
        self.of_clauses(&mut rules);
        Value::Vector(rules)
    }
}
