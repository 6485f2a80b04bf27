//! Running programs in tests.
#![allow(dead_code, reason = "each test file uses a part of it")]

use daodb::Database;
use datom::{Value, edn};
use yin::{Engine, Error, Kind, Limits, Machine, NoFacts, Outcome, Program, State};

/// More than any program here needs.
pub(crate) const FUEL: u64 = 50_000_000;

/// As much of a program as is stepped through.
const STEPPER_FUEL: u64 = 300_000;

/// Runs a program without a database and without effects, on both engines.
pub(crate) fn run(source: &str) -> Result<Value, Error> {
    run_in(Limits::default(), source)
}

#[track_caller]
pub(crate) fn run_in(limits: Limits, source: &str) -> Result<Value, Error> {
    let register = step(&mut Machine::new(NoFacts, limits), source);
    let mut machine = Machine::new(NoFacts, limits).with_engine(Engine::Stepper);
    let stepper = Program::read("test.yin", source).and_then(|program| machine.start(&program));
    let stepper = match stepper.map(|()| machine.run(STEPPER_FUEL)) {
        Ok(Outcome::Done(value)) => Ok(value),
        Ok(Outcome::Failed(error)) | Err(error) => Err(error),
        // Long programs are not stepped to their end.
        Ok(Outcome::OutOfFuel) => return register,
        Ok(other) => panic!("{source}: {other:?}"),
    };
    match (&register, &stepper) {
        // What needs the last word of memory is not the same node in both.
        (Err(one), Err(other)) if matches!(one.kind, Kind::Memory | Kind::Depth) => {
            assert_eq!(one.kind, other.kind, "the engines differ: {source}");
        }
        // Register code has a bound of its own for one function.
        (Err(error), _) if error.message.contains("too large to compile") => {}
        _ => assert_eq!(register, stepper, "the engines differ: {source}"),
    }
    register
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

/// In what form a state travels.
pub(crate) enum Written {
    Archive,
    Datoms(Database),
}

impl Written {
    /// A database that knows programs and states, and no program.
    pub(crate) fn datoms() -> Self {
        let world = Database::memory().unwrap();
        world.transact(&yin::schema()).unwrap();
        world.transact(&State::schema()).unwrap();
        Self::Datoms(world)
    }

    /// A state as it is read back.
    pub(crate) fn read_back(&self, state: &State, programs: &[Program]) -> State {
        match self {
            Self::Archive => State::from_bytes(&state.to_bytes()).unwrap(),
            Self::Datoms(world) => {
                let known = |hash: &[u8; 32]| programs.iter().find(|p| p.hash() == *hash).cloned();
                world.transact(&state.transaction(known).unwrap()).unwrap();
                State::load(&world.db().unwrap(), &state.entity()).unwrap()
            }
        }
    }
}
