//! Programs stored as datoms, run by a CESK machine whose continuations are data.
//!
//! ```
//! use yin::{Limits, Machine, NoFacts, Outcome, Program};
//!
//! let program = Program::read(
//!     "fib.yin",
//!     "(defn fib [n] (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))) (map fib (range 10))",
//! )
//! .unwrap();
//! let mut machine = Machine::new(NoFacts, Limits::default());
//! machine.start(&program).unwrap();
//! let Outcome::Done(value) = machine.run(10_000) else { panic!() };
//! assert_eq!(value.to_string(), "[0 1 1 2 3 5 8 13 21 34]");
//! ```
//!
//! A [`Program`] is read from EDN-style source, or loaded from the datoms that
//! [`Program::transaction`] stored. A [`Machine`] runs it, bounded in fuel, memory and depth. What
//! it asks of the world parks it ([`Outcome::Perform`]); what it asks of a database goes through
//! [`Facts`].
#![forbid(unsafe_code)]

mod ast;
mod builtin;
mod error;
mod facts;
mod format;
mod heap;
mod library;
mod machine;
mod names;
mod program;
mod projection;
#[cfg(feature = "python")]
mod python;
mod reader;
mod replica;
mod scheduler;
mod state;
mod stepper;
mod stream;
mod sync;

pub use ast::{DEPTH_MAX, Node, NodeId, OPERANDS_MAX, Tree};
pub use error::{CALLS_MAX, Call, Error, Kind, Position};
pub use facts::{Facts, NoFacts, Refusal};
pub use format::format;
pub use library::{Embedded, Library};
pub use machine::{Active, Engine, Level, Limits, Machine, Outcome};
pub use program::{AttributeValues, Code, Program, schema};
pub use scheduler::{
    AgentId, Clock, Event, Observer, Outside, Redefiner, Request, Scheduler, Setup, Sight, Source,
    Stopper, SystemClock, VirtualClock,
};
pub use state::State;
pub use stream::{Answered, StreamRequest, StreamTrouble, Streams};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
