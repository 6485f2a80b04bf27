//! Running programs in tests.
#![allow(dead_code, reason = "each test file uses a part of it")]

use datom::{Value, edn};
use yin::{Error, Limits, Machine, NoFacts, Outcome, Program};

/// More than any program here needs.
pub(crate) const FUEL: u64 = 50_000_000;

/// Runs a program without a database and without effects.
pub(crate) fn run(source: &str) -> Result<Value, Error> {
    run_in(Limits::default(), source)
}

pub(crate) fn run_in(limits: Limits, source: &str) -> Result<Value, Error> {
    let mut machine = Machine::new(NoFacts, limits);
    step(&mut machine, source)
}

/// Runs one more program on a machine.
pub(crate) fn step(machine: &mut Machine, source: &str) -> Result<Value, Error> {
    let program = Program::read("test.yin", source)?;
    machine.start(&program)?;
    match machine.run(FUEL) {
        Outcome::Done(value) => Ok(value),
        Outcome::Failed(error) => Err(error),
        other => panic!("{source}: {other:?}"),
    }
}

/// The value of a program must be what the EDN text reads to.
#[track_caller]
pub(crate) fn gives(source: &str, expected: &str) {
    match run(source) {
        Ok(value) => assert_eq!(value, edn::read(expected).unwrap(), "{source}"),
        Err(error) => panic!("{source}: {error}"),
    }
}

/// A program must fail with an error of a kind, at a line and column, whose message contains a text.
#[track_caller]
pub(crate) fn fails(source: &str, kind: yin::Kind, place: (usize, usize), message: &str) {
    let error = run(source).expect_err(source);
    assert_eq!(error.kind, kind, "{source}: {error}");
    assert!(error.message.contains(message), "{source}: {error}");
    let position = error.position.unwrap_or_else(|| panic!("{source}: no place"));
    assert_eq!((position.line, position.column), place, "{source}: {}", error.message);
}
