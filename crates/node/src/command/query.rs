//! `datom q`: a Datalog query.

use daodb::{Explanation, Input, Limits};
use datom::{Value, edn};

use super::Outcome;
use crate::cli;
use crate::fault::Fault;
use crate::render::Output;
use crate::reporter::Reporter;
use crate::sight;
use crate::world::World;

pub(super) fn query(arguments: &cli::Query) -> Outcome {
    let refused = |error: daodb::Error| Fault::in_query(&error, &arguments.query);
    let query = daodb::Query::parse(&arguments.query).map_err(|error| refused(error.into()))?;
    let inputs = inputs(&arguments.inputs)?;
    let world = World::open(&arguments.dir)?;
    world.set_function_fuel(arguments.fuel);
    let db = sight::look(&world, &arguments.view)?;
    let output = if arguments.explain || arguments.profile {
        let plan = db.explain(&query, &inputs, &Limits::default()).map_err(refused)?;
        of_plan(&plan, arguments.profile)
    } else {
        sight::of_answer(db.query(&query, &inputs).map_err(refused)?)
    };
    Ok(output.print(arguments.format)?)
}

/// The plan with what it did, a step a row, the steps inside another indented below it.
fn of_plan(plan: &Explanation, timed: bool) -> Output {
    let names = ["step", "clauses", "indexes", "estimate", "rows", "ms"];
    let columns: Vec<String> =
        names.iter().take(if timed { 6 } else { 5 }).map(|name| (*name).to_owned()).collect();
    let width = columns.len();
    let rows = plan.steps.iter().map(|step| {
        let mut row = vec![
            Value::text(&format!("{}{}", "  ".repeat(step.depth), step.action)),
            Value::text(&step.clauses.join(" ")),
            Value::text(&step.indexes.join(" ")),
            Value::Float(step.estimate.round()),
            Value::Int(step.rows as i64),
            Value::Float((step.time.as_secs_f64() * 1e6).round() / 1e3),
        ];
        row.truncate(width);
        row
    });
    Output::Table { columns, rows: rows.collect() }
}

/// The mistake that a shell invites.
const QUOTES: &str = "an input is EDN: a text stands in double quotes, as in --in '\"serde\"'";

pub(super) fn inputs(texts: &[String]) -> Result<Vec<Input>, Box<Fault>> {
    let read = |(number, text): (usize, &String)| {
        let value = edn::read(text).map_err(|error| {
            Fault::in_edn(&error, &format!("input {}", number + 1), text).help(QUOTES)
        })?;
        if matches!(value, Value::Symbol(_)) {
            Reporter::telling()
                .tell("note", format_args!("the input {text} is a symbol; {QUOTES}"));
        }
        Ok(Input::Value(value))
    };
    texts.iter().enumerate().map(read).collect()
}
