//! Calls: what is asked of a guest, and what comes of it.

use crate::value::{Kind, Value};

/// The fuel of a call that names none: well under a second of simple instructions.
pub const FUEL_DEFAULT: u64 = 100_000_000;
/// The memory limit of a call that names none, 64 MiB.
pub const MEMORY_BYTES_DEFAULT: usize = 64 << 20;

/// A call of a guest's exported function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub(crate) function: String,
    pub(crate) args: Vec<Value>,
    pub(crate) fuel: u64,
    pub(crate) memory_bytes: usize,
}

impl Call {
    /// A call without arguments and with default limits.
    #[must_use]
    pub fn new(function: &str) -> Self {
        Self {
            function: function.to_owned(),
            args: Vec::new(),
            fuel: FUEL_DEFAULT,
            memory_bytes: MEMORY_BYTES_DEFAULT,
        }
    }

    /// One argument more.
    #[must_use]
    pub fn arg(mut self, value: Value) -> Self {
        self.args.push(value);
        self
    }

    /// The steps the call may take: about one an instruction, the same on every machine. They are
    /// counted off where code loops or is called, so what has no more than a straight run to its
    /// end may come to it.
    #[must_use]
    pub const fn fuel(mut self, fuel: u64) -> Self {
        self.fuel = fuel;
        self
    }

    /// The bytes the guest's memory may have. Growing beyond fails in the guest, as WebAssembly
    /// says; a module that begins with more is refused.
    #[must_use]
    pub const fn memory_bytes(mut self, bytes: usize) -> Self {
        self.memory_bytes = bytes;
        self
    }
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// What the function returned.
    pub results: Vec<Value>,
    /// The fuel it used, never more than it had; a start function's included.
    pub fuel_used: u64,
}

/// Why a guest stopped by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrapKind {
    /// It said that it must never come there: a panic, an abort.
    Unreachable,
    /// It read or wrote outside of its memory.
    MemoryOutOfBounds,
    /// It used a table's element that is not there.
    TableOutOfBounds,
    /// It called through a table what is no function of that type.
    BadCall,
    /// It divided by zero.
    DivisionByZero,
    /// An integer overflowed, or a float fits no integer.
    Overflow,
    /// Its calls nested too deep.
    StackExhausted,
    /// Anything else; the message says what.
    Other,
}

/// Why a call has no outcome. Nothing of it stays.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The guest exports no such function.
    #[error("the guest exports no function {name:?}; it exports {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") })]
    NoFunction {
        /// Which.
        name: String,
        /// What it exports.
        known: Vec<String>,
    },
    /// The function takes another number of arguments.
    #[error("{name} takes {wanted} arguments, the call has {got}")]
    Arity {
        /// Which function.
        name: String,
        /// How many it takes.
        wanted: usize,
        /// How many it got.
        got: usize,
    },
    /// An argument has another type.
    #[error("argument {index} of {name} is {wanted}, the call has {got}")]
    Type {
        /// Which function.
        name: String,
        /// Which argument, from 0.
        index: usize,
        /// Its type.
        wanted: Kind,
        /// The type of what it got.
        got: Kind,
    },
    /// The function takes or returns vectors or references.
    #[error("{name} takes or returns a {kind}, which does not cross a guest's border")]
    Foreign {
        /// Which function.
        name: String,
        /// The type.
        kind: String,
    },
    /// The module begins with more memory than it may have.
    #[error("the guest begins with {wanted_bytes} bytes of memory, the call allows {limit_bytes}")]
    Memory {
        /// How much it wants.
        wanted_bytes: u64,
        /// The limit.
        limit_bytes: usize,
    },
    /// The fuel was used up.
    #[error("the guest used up its {fuel} units of fuel; give it more, or mend its loop")]
    OutOfFuel {
        /// How much it had.
        fuel: u64,
    },
    /// The guest stopped by itself.
    #[error("the guest trapped: {message}")]
    Trap {
        /// Why.
        kind: TrapKind,
        /// The engine's words.
        message: String,
    },
    /// The guest could not be set up on this machine.
    #[error("the guest was not started: {message}")]
    Setup {
        /// Why.
        message: String,
    },
}
