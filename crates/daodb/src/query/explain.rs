//! How a query was run, as data.

use std::fmt;
use std::time::Duration;

use datom::Value;

use super::error::Error;
use super::pairs::Pairs;
use super::step::{Action, Plan};
use super::tools::{Kind, Tools};
use crate::index::Index;

/// One step of a plan.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExplainedStep {
    /// How deep the step stands inside `not`s and `or`s.
    pub depth: usize,
    /// What the step does: "scan", "leap", "rule", "filter", ….
    pub action: &'static str,
    /// The indexes it reads, such as "avet".
    pub indexes: Vec<&'static str>,
    /// The clauses it answers.
    pub clauses: Vec<String>,
    /// Rows expected for each row that comes in.
    pub estimate: f64,
    /// Rows made.
    pub rows: u64,
    /// Time spent in the step, steps inside it included and those behind it not.
    pub time: Duration,
}

/// The plan of a query in the order in which it ran, with what each step expected and made.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The steps; a step inside another follows it, one deeper.
    pub steps: Vec<ExplainedStep>,
    /// Distinct rows.
    pub rows: u64,
    /// Index entries that were looked at.
    pub scanned: u64,
}

impl Explanation {
    pub(crate) fn new(
        plan: &Plan,
        tools: &Tools<'_>,
        rows: u64,
        scanned: u64,
    ) -> Result<Self, Error> {
        let mut steps = Vec::new();
        collect(plan, tools, 0, &mut steps)?;
        Ok(Self { steps, rows, scanned })
    }

    /// The same as one value: `{:steps [{…}] :rows 1 :scanned 2}`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let number = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        let step = |step: &ExplainedStep| {
            let texts =
                |all: &[String]| Value::Vector(all.iter().map(|t| Value::text(t)).collect());
            let indexes = step.indexes.iter().map(|name| Value::keyword(name)).collect();
            Value::map([
                (Value::keyword("depth"), number(step.depth as u64)),
                (Value::keyword("action"), Value::keyword(step.action)),
                (Value::keyword("indexes"), Value::Vector(indexes)),
                (Value::keyword("clauses"), texts(&step.clauses)),
                (Value::keyword("estimate"), Value::Float(step.estimate)),
                (Value::keyword("rows"), number(step.rows)),
                (Value::keyword("ms"), Value::Float(step.time.as_secs_f64() * 1e3)),
            ])
        };
        Value::map([
            (Value::keyword("steps"), Value::Vector(self.steps.iter().map(step).collect())),
            (Value::keyword("rows"), number(self.rows)),
            (Value::keyword("scanned"), number(self.scanned)),
        ])
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<24} {:>10} {:>10}  clauses", "step", "expected", "made")?;
        for step in &self.steps {
            let indexes = step.indexes.join(" ");
            let name = format!("{:indent$}{} {indexes}", "", step.action, indent = 2 * step.depth);
            let clauses = step.clauses.join(" ");
            writeln!(f, "{name:<24} {:>10.1} {:>10}  {clauses}", step.estimate, step.rows)?;
        }
        write!(f, "{} rows, {} index entries looked at", self.rows, self.scanned)
    }
}

fn collect(
    plan: &Plan,
    tools: &Tools<'_>,
    depth: usize,
    into: &mut Vec<ExplainedStep>,
) -> Result<(), Error> {
    for (at, (step, tool)) in plan.steps.iter().zip(tools.all()).enumerate() {
        // A step hands its rows to the next one before it goes on.
        let behind = tools.all().get(at + 1).map_or(0, |next| next.spent_ns.get());
        let spent = tool.spent_ns.get().saturating_sub(behind);
        let (action, indexes) = named(&step.action, &tool.kind);
        into.push(ExplainedStep {
            depth,
            action,
            indexes,
            clauses: step.places.iter().map(|place| place.clause.clone()).collect(),
            estimate: step.estimate,
            rows: tool.rows.get(),
            time: Duration::from_nanos(spent),
        });
        match &step.action {
            Action::Not { plan, .. } => collect(plan, tool.inner(0)?, depth + 1, into)?,
            Action::Or(plans) => {
                for (at, plan) in plans.iter().enumerate() {
                    collect(plan, tool.inner(at)?, depth + 1, into)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What a step is called, and what it read.
fn named(action: &Action, tool: &Kind<'_>) -> (&'static str, Vec<&'static str>) {
    let index = |index: Index| match index {
        Index::Eavt => "eavt",
        Index::Aevt => "aevt",
        Index::Avet => "avet",
        Index::Vaet => "vaet",
    };
    let read = |pairs: &Pairs<'_>| match pairs.index() {
        Some(of) if !pairs.is_column() => index(of),
        _ => "column",
    };
    let reads = match (tool, action) {
        (Kind::Side(pairs), _) => vec![read(&pairs.borrow())],
        (Kind::Sides(sides), _) => sides.borrow().iter().map(read).collect(),
        (Kind::Sorted(_), _) => vec!["sorted"],
        (_, Action::Scan(scan)) => vec![index(scan.index)],
        (Kind::Index(_), Action::All(_)) => vec!["avet"],
        (_, Action::Consult(_)) => vec!["eavt"],
        _ => Vec::new(),
    };
    let name = match action {
        Action::Nothing => "nothing",
        Action::Scan(_) | Action::All(_) => "scan",
        Action::Follow(_) => "look",
        Action::Meet(_) => "leap",
        Action::Find(_) => "rows",
        Action::Probe(_) => "relation",
        Action::Call(_) => "rule",
        Action::Search(_) => "search",
        Action::Compare { .. } | Action::Apply(_) | Action::Consult(_) => "function",
        Action::Not { .. } => "not",
        Action::Or(_) => "or",
    };
    (name, reads)
}
