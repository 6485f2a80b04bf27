//! `datom ring stat`: what a ring looks like from outside.

use std::path::Path;

use datom::Value;
use eve::ring::{Holder, Layout, Ring};

use super::Outcome;
use crate::cli::{self, Format};
use crate::fault::Fault;
use crate::render::Output;

pub(super) fn ring(command: &cli::Ring) -> Outcome {
    match command {
        cli::Ring::Stat { file } => stat(file),
    }
}

fn stat(file: &Path) -> Outcome {
    let ring = Ring::open_at(file).map_err(|error| {
        Fault::new(format!("{} is no ring that can be opened: {error}", file.display()))
    })?;
    let status = ring.status();
    let count = |number: u64| i64::try_from(number).map_or(Value::Nil, Value::Int);
    let holder = |holder: Option<Holder>| {
        holder.map_or(Value::Nil, |holder| {
            Value::map([
                (Value::keyword("pid"), count(holder.pid.into())),
                (Value::keyword("lives"), Value::Bool(holder.lives)),
                (Value::keyword("sleeps"), Value::Bool(holder.sleeps)),
            ])
        })
    };
    let layout = match status.layout {
        Layout::Packed => "packed",
        Layout::Sequenced => "sequenced",
    };
    let state = match () {
        () if status.poisoned => "poisoned",
        () if status.closed_by_consumer => "closed-by-consumer",
        () if status.closed_by_producer => "closed-by-producer",
        () => "open",
    };
    let shown = Value::map([
        (Value::keyword("layout"), Value::keyword(layout)),
        (Value::keyword("capacity"), count(status.capacity)),
        (Value::keyword("published"), count(status.published)),
        (Value::keyword("released"), count(status.released)),
        (Value::keyword("waiting"), count(status.published.saturating_sub(status.released))),
        (Value::keyword("state"), Value::keyword(state)),
        (Value::keyword("producer"), holder(status.producer)),
        (Value::keyword("consumer"), holder(status.consumer)),
    ]);
    Output::Value(shown).print(Format::Auto)?;
    Ok(())
}
