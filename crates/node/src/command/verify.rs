//! `datom verify`: is everything as it must be?

use datom::Value;

use super::Outcome;
use crate::cli::{self, Format};
use crate::fault::Fault;
use crate::render::Output;
use crate::world::World;

pub(super) fn verify(arguments: &cli::Verify) -> Outcome {
    let dir = &arguments.dir;
    let world = if arguments.repair { World::repair(dir) } else { World::open(dir) }?;
    let verification = world.database().verify()?;
    for problem in &verification.problems {
        eprintln!("problem   {problem}");
    }
    let count = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let shown = Value::map([
        (Value::keyword("t"), count(verification.t)),
        (Value::keyword("transactions"), count(verification.transactions)),
        (Value::keyword("facts"), count(verification.current)),
        (Value::keyword("past-facts"), count(verification.history)),
        (Value::keyword("blocks"), count(verification.blocks)),
        (Value::keyword("problems"), count(verification.problems.len() as u64)),
    ]);
    Output::Value(shown).print(Format::Auto)?;
    if verification.is_clean() {
        return Ok(());
    }
    let dir = arguments.dir.display();
    let help = match verification.transactions < verification.t {
        true => format!(
            "the log cannot be read whole, so nothing can be made again from it: put back what a backup \
             has of it, or take out what is still here with `datom export {dir}`"
        ),
        false => {
            "the log is the truth: if only the region is damaged, `datom rebuild` makes it again"
                .into()
        }
    };
    Err(Fault::new(format!("{dir} is damaged")).help(help).into())
}
