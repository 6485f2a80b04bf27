//! `datom q`: a Datalog query.

use daodb::{Input, Limits};
use datom::{Value, edn};

use super::Outcome;
use crate::cli;
use crate::fault::Fault;
use crate::plan::of_plan;
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
