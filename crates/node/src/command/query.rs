//! `datom q`: a Datalog query.

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;

use daodb::{Db, Input, Row};
use datom::{Value, edn};

use super::Outcome;
use crate::cli::{self, Format};
use crate::facts::limits;
use crate::fault::Fault;
use crate::plan::of_plan;
use crate::render;
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
    if arguments.stream {
        return stream(&db, &query, &inputs, arguments);
    }
    let limits = limits(arguments.memory);
    let output = if arguments.explain || arguments.profile {
        let plan = db.explain(&query, &inputs, &limits).map_err(refused)?;
        of_plan(&plan, arguments.profile)
    } else {
        sight::of_answer(db.query_with(&query, &inputs, &limits).map_err(refused)?)
    };
    Ok(output.print(arguments.format)?)
}

/// Rows as they are found.
fn stream(db: &Db, query: &daodb::Query, inputs: &[Input], arguments: &cli::Query) -> Outcome {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut line = |row: Row<'_>| {
        let row = Value::Vector(row.to_vec());
        match arguments.format {
            Format::Json => writeln!(out, "{}", render::json(&row)),
            _ => writeln!(out, "{row}"),
        }
    };
    let mut written = Ok(());
    let found = db.each_rows(query, inputs, &limits(arguments.memory), |rows| {
        written = rows.iter().try_for_each(&mut line);
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    // What was found before an error is right, and shown.
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        written => written?,
    }
    Ok(found.map_err(|error| Fault::in_query(&error, &arguments.query))?)
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
