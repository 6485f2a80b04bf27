//! How the plan of a query is shown: a step a row, in the order in which they ran, as a tree.

use daodb::{ExplainedStep, Explanation};
use datom::Value;

use crate::render::Output;

/// Each step with what it expected for the rows that came to it and what it made, and what the whole
/// looked at and gave; with the time spent in each, if that is asked for. Steps inside of a `not` or
/// an `or` hang below it, and say what they expect for each row.
pub(crate) fn of_plan(plan: &Explanation, timed: bool) -> Output {
    let mut columns = ["step", "clauses", "index", "expected", "rows"].map(str::to_owned).to_vec();
    if timed {
        columns.push("ms".to_owned());
    }
    let mut came = 1.0;
    let mut rows = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let expected = if step.depth == 0 {
            let total = step.estimate * came;
            came = step.rows as f64;
            total
        } else {
            step.estimate
        };
        let mut row = vec![
            Value::text(&format!("{}{}", branch(&plan.steps, at), step.action)),
            Value::text(&step.clauses.join("\n")),
            Value::text(&step.indexes.join(" ")),
            rounded(expected),
            number(step.rows),
        ];
        if timed {
            row.push(milliseconds(step.time.as_secs_f64()));
        }
        rows.push(row);
    }
    let looked = format!("{} index entries looked at", plan.scanned);
    let mut answer = vec![
        Value::text("answer"),
        Value::text(&looked),
        Value::Nil,
        Value::Nil,
        number(plan.rows),
    ];
    if timed {
        let outer = plan.steps.iter().filter(|step| step.depth == 0);
        answer.push(milliseconds(outer.map(|step| step.time.as_secs_f64()).sum()));
    }
    rows.push(answer);
    Output::Table { columns, rows }
}

/// The lines that lead to a step: `└─` where it is the last of those beside it, else `├─`.
fn branch(steps: &[ExplainedStep], at: usize) -> String {
    let Some(depth) = steps.get(at).map(|step| step.depth) else { return String::new() };
    let behind = steps.get(at + 1..).unwrap_or_default();
    // Whether another step of this depth follows before the tree goes up beyond it.
    let goes_on = |depth: usize| {
        behind.iter().take_while(|step| step.depth >= depth).any(|step| step.depth == depth)
    };
    let mut lines = String::new();
    for level in 1..=depth {
        lines.push_str(match (level == depth, goes_on(level)) {
            (true, true) => "├─ ",
            (true, false) => "└─ ",
            (false, true) => "│  ",
            (false, false) => "   ",
        });
    }
    lines
}

fn number(rows: u64) -> Value {
    Value::Int(i64::try_from(rows).unwrap_or(i64::MAX))
}

fn milliseconds(seconds: f64) -> Value {
    Value::Float((seconds * 1e6).round() / 1e3)
}

/// As many digits as an estimate is worth.
fn rounded(estimate: f64) -> Value {
    if estimate >= 10.0 {
        Value::Int(estimate.round() as i64)
    } else {
        Value::Float((estimate * 10.0).round() / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use daodb::{Database, Limits, Query};
    use datom::edn;

    use super::*;

    #[test]
    fn a_plan_is_a_tree_of_steps_and_ends_with_the_answer() {
        let database = Database::memory().unwrap();
        let schema =
            "{:db/ident :a :db/valueType :db.type/long} {:db/ident :b :db/valueType :db.type/long}";
        database.transact(&edn::read_all(schema).unwrap()).unwrap();
        database.transact(&edn::read_all("{:a 1 :b 1} {:a 2} {:a 3}").unwrap()).unwrap();
        let text = "[:find ?x :where [?x :a ?n] (not [?x :b ?n] [?x :a 1]) [(< ?n 3)]]";
        let query = Query::parse(text).unwrap();
        let plan = database.db().unwrap().explain(&query, &[], &Limits::default()).unwrap();
        let Output::Table { columns, rows } = of_plan(&plan, true) else { panic!("no table") };
        assert_eq!(columns.last().map(String::as_str), Some("ms"));
        let steps: Vec<String> =
            rows.iter().map(|row| row[0].as_text().unwrap().to_owned()).collect();
        assert!(steps.iter().any(|step| step == "not"), "{steps:?}");
        assert!(steps.iter().any(|step| step.starts_with("└─ ")), "{steps:?}");
        assert_eq!(steps.last().map(String::as_str), Some("answer"));
        assert_eq!(rows.last().unwrap()[4], Value::Int(1));
        let expected: Vec<&Value> = rows.iter().map(|row| &row[3]).collect();
        assert!(matches!(expected.first(), Some(Value::Float(_))), "a number, not text of one");
        assert!(expected.iter().all(|value| value.as_text().is_none()), "{expected:?}");
    }
}
