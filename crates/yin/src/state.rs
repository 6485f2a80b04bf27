//! The state of a program that stands still, apart from any machine.
//!
//! A [`State`] is what [`Machine::capture`](crate::Machine::capture) takes and
//! [`Machine::restore`](crate::Machine::restore) goes on with: in the same process or another, by
//! either engine, whether or not there is code for its functions. It is written as an archive
//! ([`State::to_bytes`]) or as datoms ([`State::transaction`]). Its calls name places of
//! programs, never addresses of code; its values name functions by their places and primitives,
//! keywords and symbols by their names.
//!
//! 1. Everything a state refers to is in it, except its programs, which it names by hash.
//! 2. An object refers only to objects in front of it, so what is read back has no cycles and is
//!    checked in one pass.
//! 3. Collections are kept as their elements, so the format knows nothing of how the heap holds
//!    them.

mod archive;
mod datoms;
mod load;
mod names;
mod pack;
mod unpack;

use crate::error::{Error, Kind};
use names::Table;

/// How a program stands. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Between two of its forms.
    Between,
    /// About to take another turn.
    Turn,
    /// About to call.
    Call,
    /// Waiting for an answer.
    Parked,
}

/// One call: a place of a program, and how many words it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) place: u32,
    pub(crate) program: u16,
    pub(crate) count: u16,
}

/// A function: a lambda of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lambda {
    pub(crate) program: u32,
    pub(crate) place: u32,
}

/// A name that the program defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Global {
    pub(crate) name: u32,
    pub(crate) word: u64,
}

/// The state of a program that stands still.
///
/// ```
/// use yin::{Engine, Limits, Machine, NoFacts, Outcome, Program, State};
///
/// let program = Program::read("p", r#"(+ 1 (perform :ask))"#).unwrap();
/// let mut machine = Machine::new(NoFacts, Limits::default());
/// machine.start(&program).unwrap();
/// let Outcome::Perform { id, .. } = machine.run(100) else { panic!() };
/// let bytes = machine.capture().unwrap().to_bytes();
///
/// // Another machine, another engine, maybe another process.
/// let state = State::from_bytes(&bytes).unwrap();
/// let mut other = Machine::new(NoFacts, Limits::default()).with_engine(Engine::Stepper);
/// other.restore(&state, |hash| (*hash == program.hash()).then(|| program.clone())).unwrap();
/// other.resume(id, Ok(41.into())).unwrap();
/// assert_eq!(other.run(100), Outcome::Done(42.into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub(crate) programs: Vec<[u8; 32]>,
    pub(crate) names: Table,
    pub(crate) lambdas: Vec<Lambda>,
    /// Objects, each behind those it refers to.
    pub(crate) cells: Vec<u64>,
    /// Calls, outermost first.
    pub(crate) frames: Vec<Frame>,
    /// What the calls hold, one after the other.
    pub(crate) words: Vec<u64>,
    pub(crate) globals: Vec<Global>,
    /// The namespaces that are loaded, by name.
    pub(crate) namespaces: Vec<u32>,
    pub(crate) standing: Standing,
    /// The program whose forms are run, and which form is next.
    pub(crate) program: u32,
    pub(crate) next_form: u32,
    /// The value of the last form.
    pub(crate) value: u64,
    pub(crate) requests: u64,
    pub(crate) gensym: u64,
}

impl State {
    /// A state in the making.
    fn empty(standing: Standing) -> Self {
        State {
            programs: Vec::new(),
            names: Table::default(),
            lambdas: Vec::new(),
            cells: Vec::new(),
            frames: Vec::new(),
            words: Vec::new(),
            globals: Vec::new(),
            namespaces: Vec::new(),
            standing,
            program: 0,
            next_form: 0,
            value: 0,
            requests: 0,
            gensym: 0,
        }
    }

    /// The programs it runs, by hash: where [`Machine::restore`](crate::Machine::restore) will ask
    /// for those that its machine does not know.
    pub fn programs(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.programs.iter()
    }

    /// How many calls run and wait.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.frames.len()
    }

    /// The request it waits for, if it does.
    #[must_use]
    pub fn request(&self) -> Option<u64> {
        (self.standing == Standing::Parked).then_some(self.requests)
    }

    /// The program whose forms are run.
    pub(crate) fn root(&self) -> [u8; 32] {
        self.programs.get(self.program as usize).copied().unwrap_or_default()
    }

    /// As bytes, short ones: see `docs/format.md`. Cost: linear in the state.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        archive::write(self)
    }

    /// Reads what [`State::to_bytes`] wrote. What the bytes hold is checked here as far as they
    /// can be checked alone, and the rest by [`Machine::restore`](crate::Machine::restore). Cost:
    /// linear in the bytes, in time and in memory.
    ///
    /// # Errors
    /// [`Kind::Code`] if the bytes are no state, of another format, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        archive::read(bytes)
            .map_err(|what| Error::new(Kind::Code, format!("no state of a program: {what}")))
    }

    /// The BLAKE3 hash of the state: equal for programs that stand alike.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        archive::hash(self)
    }
}
