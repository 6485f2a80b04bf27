//! How a query was run, as data.

use std::fmt;
use std::time::Duration;

use datom::Value;

use super::step::{Action, Plan};

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
    pub(crate) fn new(plan: &Plan<'_>, rows: u64, scanned: u64) -> Self {
        let mut steps = Vec::new();
        collect(plan, 0, &mut steps);
        Self { steps, rows, scanned }
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

fn collect(plan: &Plan<'_>, depth: usize, into: &mut Vec<ExplainedStep>) {
    for (at, step) in plan.steps.iter().enumerate() {
        // A step hands its rows to the next one before it goes on.
        let behind = plan.steps.get(at + 1).map_or(0, |next| next.spent_ns.get());
        let spent = step.spent_ns.get().saturating_sub(behind);
        let index = |index: crate::index::Index| match index {
            crate::index::Index::Eavt => "eavt",
            crate::index::Index::Aevt => "aevt",
            crate::index::Index::Avet => "avet",
            crate::index::Index::Vaet => "vaet",
        };
        let read = |pairs: &super::pairs::Pairs<'_>| match pairs.index() {
            Some(of) if !pairs.is_column() => index(of),
            _ => "column",
        };
        let (action, indexes) = match &step.action {
            Action::Nothing => ("nothing", Vec::new()),
            Action::Scan(scan) if scan.by_value.is_some() => ("scan", vec!["sorted"]),
            Action::Scan(scan) => ("scan", vec![index(scan.index)]),
            Action::All(all) => ("scan", vec![read(&all.pairs.borrow())]),
            Action::Follow(follow) => ("look", vec![read(&follow.pairs.borrow())]),
            Action::Meet(meet) => {
                ("leap", meet.members.borrow().iter().map(|(pairs, _)| read(pairs)).collect())
            }
            Action::Find(_) => ("rows", Vec::new()),
            Action::Probe(_) => ("relation", Vec::new()),
            Action::Call(_) => ("rule", Vec::new()),
            Action::Search(_) => ("search", Vec::new()),
            Action::Compare { .. } | Action::Apply(_) => ("function", Vec::new()),
            Action::Consult(_) => ("function", vec!["eavt"]),
            Action::Not { .. } => ("not", Vec::new()),
            Action::Or(_) => ("or", Vec::new()),
        };
        into.push(ExplainedStep {
            depth,
            action,
            indexes,
            clauses: step.places.iter().map(|place| place.clause.clone()).collect(),
            estimate: step.estimate,
            rows: step.rows.get(),
            time: Duration::from_nanos(spent),
        });
        match &step.action {
            Action::Not { plan, .. } => collect(plan, depth + 1, into),
            Action::Or(plans) => plans.iter().for_each(|plan| collect(plan, depth + 1, into)),
            _ => {}
        }
    }
}
