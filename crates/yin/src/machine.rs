//! The machine: control, environment, store and continuation, as plain data.
//!
//! Between two instructions its whole state is an address, an array of words (the registers of
//! all waiting calls, their environments), an array of frames of two integers (the
//! continuation), and the heap (the store). Nothing of it lives on the host's stack.
//!
//! 1. No call of a program is a call of the host, so depth is bounded by [`Limits`], not by the
//!    host's stack.
//! 2. Every call and every turn of a loop costs fuel, and every large operation costs fuel for its
//!    size, so every run ends.
//! 3. Words above the running function's registers were written since the last collection, or
//!    are nil: a collection clears them, so no register ever holds a word of an older heap.
//! 4. A failed program leaves the machine idle, its definitions as they were at the failure.

mod adopt;
mod built_in;
mod call;
mod context;
mod control;
mod frame;
mod limits;
mod live;
mod namespace;
mod operation;
mod run;
mod served;
mod stack;
mod step;
mod stepping;
mod still;
mod store;
mod trouble;
mod unbound;
mod view;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datom::{Keyword, Symbol, Value, Word};

use crate::error::{Error, Kind, Trouble};
use crate::facts::Facts;
use crate::heap::Heap;
use crate::program::Program;
use crate::projection::{Projection, Unfit, WINDOW};
use crate::stepper::Walk;

pub(crate) use built_in::prelude;
pub(crate) use context::Context;
pub(crate) use control::{PROGRAM_TAG, check_unspent, continuation_argument, no_prompt};
pub(crate) use frame::Frame;
pub use limits::Limits;
pub use live::Active;
pub(crate) use served::{Answer, REQUEST, Server};
pub(crate) use stack::{Stack, Stance, Told};
pub(crate) use still::Code;
pub use view::Level;

/// A run looks around (interrupts, fuel) at least every so many calls and turns.
const POLL: u64 = 1 << 14;
/// Steps inside of large operations that cost as much fuel as one call.
const STEPS_PER_FUEL: u64 = 8;

/// How a run came to its end.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// The program is done. This is the value of its last form.
    Done(Value),
    /// The program asks the world for something and is parked until it is
    /// [resumed](Machine::resume) with the answer.
    Perform {
        /// Names the request in this machine.
        id: u64,
        /// What is asked for.
        op: Keyword,
        /// What it is given.
        args: Vec<Value>,
    },
    /// The fuel is used up; another [`Machine::run`] goes on.
    OutOfFuel,
    /// The program ended in an error.
    Failed(Error),
}

/// What runs a program: the same AST, values, built-in functions and effects, and the same states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Engine {
    /// Compact register code, made of each function when it is first called.
    #[default]
    Register,
    /// The rules of the machine, one by one: slower, and plain to see.
    Stepper,
}

/// Which form of which program comes next.
#[derive(Clone, Copy, Debug)]
struct Queue {
    program: u32,
    next: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// Between two forms.
    Between,
    Running,
    /// Waiting for the answer to a request, which goes to a register of the running function.
    Parked {
        id: u64,
        at: u8,
    },
}

/// Runs programs.
///
/// ```
/// use yin::{Limits, Machine, NoFacts, Outcome, Program};
///
/// let program = Program::read("greet.yin", r#"(str "Hello, " (perform :user/name) "!")"#).unwrap();
/// let mut machine = Machine::new(NoFacts, Limits::default());
/// machine.start(&program).unwrap();
/// let Outcome::Perform { id, .. } = machine.run(1_000) else { panic!() };
/// machine.resume(id, Ok("Ada".into())).unwrap();
/// assert_eq!(machine.run(1_000), Outcome::Done("Hello, Ada!".into()));
/// ```
pub struct Machine {
    pub(crate) heap: Heap,
    pub(crate) projection: Projection,
    engine: Engine,
    pub(crate) walk: Walk,
    registers: Vec<Word>,
    frames: Vec<Frame>,
    pc: u32,
    base: u32,
    state: State,
    queue: Option<Queue>,
    facts: Box<dyn Facts + Send>,
    pub(crate) limits: Limits,
    pub(crate) fuel: u64,
    /// Stops a run at its next turn: see [`Machine::pause`].
    pause: Arc<AtomicBool>,
    /// A call outside of the loop found no fuel.
    spent: bool,
    requests: u64,
    /// The namespaces that are loaded.
    pub(crate) namespaces: BTreeSet<Symbol>,
    /// What names were redefined as: see `live`.
    live: HashMap<Symbol, Word>,
    /// Calls and turns so far.
    turns: u64,
    /// The instruction that last ran out of memory, and the turns then: running out again without
    /// any progress means that there is not enough.
    starved: Option<(u32, u64)>,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("state", &self.state)
            .field("calls", &self.frames.len())
            .field("heap_words", &self.heap.used())
            .finish_non_exhaustive()
    }
}

impl Machine {
    /// A machine over a database. Give [`NoFacts`](crate::NoFacts) for none.
    #[must_use]
    pub fn new(facts: impl Facts + Send + 'static, limits: Limits) -> Self {
        let mut this = Self {
            heap: Heap::new(limits.heap_words, Arc::new(AtomicBool::new(false))),
            projection: Projection::new(),
            engine: Engine::Register,
            walk: Walk::default(),
            registers: vec![Word::NIL; WINDOW],
            frames: Vec::new(),
            pc: 0,
            base: 0,
            state: State::Idle,
            queue: None,
            facts: Box::new(facts),
            limits,
            fuel: 0,
            pause: Arc::default(),
            spent: false,
            requests: 0,
            namespaces: BTreeSet::new(),
            live: HashMap::new(),
            turns: 0,
            starved: None,
        };
        this.add_builtins();
        this
    }

    /// The same machine, with its programs run in another way.
    ///
    /// ```
    /// use yin::{Engine, Limits, Machine, NoFacts, Outcome, Program};
    ///
    /// let program = Program::read("sum.yin", "(reduce + 0 (range 5))").unwrap();
    /// let mut machine = Machine::new(NoFacts, Limits::default()).with_engine(Engine::Stepper);
    /// machine.start(&program).unwrap();
    /// assert_eq!(machine.run(1_000), Outcome::Done(10.into()));
    /// ```
    #[must_use]
    pub fn with_engine(self, engine: Engine) -> Self {
        Self { engine, ..self }
    }

    /// What runs its programs.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Defines a name for all programs to come, such as `args`.
    ///
    /// # Errors
    /// [`Kind::Memory`] or [`Kind::Limit`] if the value does not fit the machine.
    pub fn define(&mut self, name: &str, value: &Value) -> Result<(), Error> {
        let word = self.adopt(value).map_err(|trouble| self.plain_error(trouble))?;
        self.projection.bind(name, word);
        Ok(())
    }

    /// Makes a program the next to run. Definitions of earlier programs stay.
    ///
    /// # Errors
    /// [`Kind::State`] if a program is running or parked; [`Machine::abandon`] ends it.
    pub fn start(&mut self, program: &Program) -> Result<(), Error> {
        if self.state != State::Idle {
            return Err(Error::new(Kind::State, "another program is not done yet")
                .help("run it to its end, or abandon it"));
        }
        // Whoever pressed Ctrl-C before meant an earlier program.
        self.heap.interrupt.store(false, Ordering::Relaxed);
        let program = match self.projection.program_of(&program.hash()) {
            Some(id) => id,
            None => self.projection.add_program(Arc::new(program.clone())),
        };
        self.projection.shadow_all(program);
        self.queue = Some(Queue { program, next: 0 });
        self.registers_nil();
        self.state = State::Between;
        Ok(())
    }

    /// The value of an empty program is nil.
    fn registers_nil(&mut self) {
        if let Some(first) = self.registers.first_mut() {
            *first = Word::NIL;
        }
    }

    /// Ends the program that is running or parked. Definitions stay.
    pub fn abandon(&mut self) {
        self.walk = Walk::default();
        self.frames.clear();
        self.queue = None;
        self.state = State::Idle;
        (self.pc, self.base) = (0, 0);
    }

    /// A flag that ends the running program at its next safepoint once it is set, from any
    /// thread or signal handler.
    #[must_use]
    pub fn interrupt(&self) -> Arc<AtomicBool> {
        self.heap.interrupt.clone()
    }

    /// A flag that ends a run at the program's next call or turn while it is set, as if there were no more
    /// fuel: the program stands there and can go on. Whatever the program calls may set it, such as the
    /// database.
    ///
    /// ```
    /// use std::sync::atomic::Ordering;
    ///
    /// use yin::{Limits, Machine, NoFacts, Outcome, Program};
    ///
    /// let mut machine = Machine::new(NoFacts, Limits::default());
    /// machine.start(&Program::read("sum", "(reduce + 0 (range 9))").unwrap()).unwrap();
    /// machine.pause().store(true, Ordering::Relaxed);
    /// assert_eq!(machine.run(1_000), Outcome::OutOfFuel);
    /// machine.pause().store(false, Ordering::Relaxed);
    /// assert_eq!(machine.run(1_000), Outcome::Done(36.into()));
    /// ```
    #[must_use]
    pub fn pause(&self) -> Arc<AtomicBool> {
        self.pause.clone()
    }

    /// The names that programs have defined, with their values.
    pub fn definitions(&self) -> Vec<(Symbol, Value)> {
        let show = |word| self.show(word);
        self.projection
            .defined()
            .filter_map(|(name, word)| Some((name.clone(), self.heap.value(word, &show).ok()?)))
            .collect()
    }

    /// Words of 8 bytes the heap takes now, garbage included.
    #[must_use]
    pub fn heap_words(&self) -> usize {
        self.heap.used()
    }

    /// How often the heap was collected.
    #[must_use]
    pub fn collections(&self) -> u64 {
        self.heap.collections
    }

    /// Answers the request that the program is parked under; the next [`Machine::run`] goes on.
    /// `Err` becomes an error value: a map with `:kind` and `:message`, or a text for the latter.
    ///
    /// # Errors
    /// [`Kind::State`] if the program does not wait for this request, and what
    /// [`Machine::define`] fails with if the answer does not fit, which ends the program.
    pub fn resume(&mut self, id: u64, answer: Result<Value, Value>) -> Result<(), Error> {
        let State::Parked { id: waiting, at } = self.state else {
            return Err(Error::new(Kind::State, format!("nothing waits for request {id}")));
        };
        if waiting != id {
            let message = format!("the program waits for request {waiting}, not for {id}");
            return Err(Error::new(Kind::State, message));
        }
        let word = match &answer {
            Ok(value) => self.adopt(value),
            Err(value) => self.adopt_error(value),
        };
        match word {
            Ok(word) => {
                self.answered(at, word);
                self.state = State::Running;
                Ok(())
            }
            Err(trouble) => {
                let error = self.error(trouble);
                self.abandon();
                Err(error)
            }
        }
    }

    /// A register of the running function.
    fn get(&self, register: u8) -> Word {
        self.registers.get(self.base as usize + usize::from(register)).copied().unwrap_or(Word::NIL)
    }

    fn set(&mut self, register: u8, word: Word) {
        if let Some(slot) = self.registers.get_mut(self.base as usize + usize::from(register)) {
            *slot = word;
        }
    }

    fn arguments(&self, at: u8, n: u8) -> Vec<Word> {
        let start = self.base as usize + usize::from(at);
        self.registers.get(start..start + usize::from(n)).unwrap_or(&[]).to_vec()
    }

    fn compile(&mut self, function: u32) -> Result<(), Trouble> {
        let mut tried = self.projection.compile(function, &mut self.heap);
        if let Err(Unfit::Trouble(Trouble::Memory)) = tried {
            self.collect()?;
            tried = self.projection.compile(function, &mut self.heap);
        }
        tried.map_err(|unfit| match unfit {
            Unfit::Trouble(trouble) => trouble,
            Unfit::TooLarge => {
                let name = self.projection.function(function).map(|f| f.name.clone());
                let name = name.unwrap_or_default();
                Trouble::new(Kind::Limit, format!("the function `{name}` is too large to compile"))
                    .help("move parts of it into functions of their own")
            }
        })
    }
}

#[cfg(test)]
mod tests;
