//! Functions of the database that are written in Yin: what its transactions and queries call.
//!
//! 1. A function is named `namespace/name`, by the newest program of the namespace (of the library,
//!    where the database has none), or by an entity: a definition, or the function that it names.
//! 2. Of a program only its definitions are run. Calls see the database that is asked, change
//!    nothing and ask nothing of the world.
//! 3. Every call has the same fuel, and the queries inside of it are bounded. A function that calls queries that call functions does so
//!    [`DEPTH_MAX`] deep at most.
//! 4. Machines are kept for later calls by what the code was, so that none runs old code.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daodb::{Db, FunctionError};
use datom::{Symbol, Value};
use yin::{Facts, Limits, Machine, Outcome, Program, Refusal};

/// Calls and turns of loops that one call of a function takes, unless it is told otherwise.
pub(crate) const FUEL: u64 = 1_000_000;
/// Calls inside of calls.
const DEPTH_MAX: u32 = 8;
/// Words on a machine's heap: 64 MiB.
const HEAP_WORDS: usize = 8 << 20;
/// Calls that wait at one time in one machine.
const CALLS: usize = 100_000;
/// What a query inside of a function may take.
const QUERY_SECONDS_MAX: u64 = 60;
const QUERY_ROWS_MAX: u64 = 10_000_000;
/// Functions that are kept ready; all are dropped when another one comes.
const KEPT_MAX: usize = 256;

/// The newest program of each namespace, by hash: what the code of a database is.
type Code = Arc<BTreeMap<Symbol, [u8; 32]>>;

/// Functions by the code that they are of, and by their names.
type Kept = HashMap<(Code, Value), Arc<YinFunction>>;

/// Finds functions in a database.
#[derive(Clone)]
pub(crate) struct YinFunctions {
    fuel: Arc<AtomicU64>,
    kept: Arc<Mutex<Kept>>,
}

impl YinFunctions {
    pub(crate) fn new() -> Self {
        Self { fuel: Arc::new(AtomicU64::new(FUEL)), kept: Arc::default() }
    }

    /// Sets what each call may take from now on.
    pub(crate) fn set_fuel(&self, fuel: u64) {
        self.fuel.store(fuel, Ordering::Relaxed);
    }

    /// The function kept under a name, or one that is made now.
    fn kept(
        &self,
        code: Code,
        name: Value,
        make: impl FnOnce() -> Result<Option<(Program, Symbol)>, FunctionError>,
    ) -> Found {
        let key = (code, name);
        if let Some(known) = locked(&self.kept).get(&key) {
            return Ok(Some(known.clone()));
        }
        let Some((program, name)) = make()? else { return Ok(None) };
        let function = Arc::new(YinFunction {
            call: Program::read(name.as_str(), &format!("(apply {name} {ARGUMENTS})"))?,
            program,
            fuel: self.fuel.clone(),
            idle: Mutex::default(),
        });
        let mut kept = locked(&self.kept);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(key, function.clone());
        Ok(Some(function))
    }
}

type Found = Result<Option<Arc<dyn daodb::Function>>, FunctionError>;

/// The global name by which a call finds its arguments.
const ARGUMENTS: &str = "call-arguments";

const PROGRAMS: &str =
    "[:find ?n ?t ?h :where [?p :yin.program/namespace ?n ?t] [?p :yin.program/hash ?h]]";
/// The programs that hold a definition, oldest first.
const HOLDERS: &str = "[:find [?p ...] :in $ ?d :where [?p :yin.program/definitions ?d]]";
/// The definitions that name a function.
const NAMES: &str = "[:find [?d ...] :in $ ?f :where [?d :yin/definition-of ?f]]";

impl daodb::Library for YinFunctions {
    fn find(&self, db: &Db, name: &str) -> Found {
        let Some((namespace, _)) = name.split_once('/') else { return Ok(None) };
        let (namespace, name) = (Symbol::from(namespace), Symbol::from(name));
        self.kept(code(db)?, Value::Symbol(name.clone()), || {
            let program = yin::Library::namespace(db, &namespace)?;
            Ok(program.filter(|program| defines(program, &name)).map(|program| (program, name)))
        })
    }

    fn find_entity(&self, db: &Db, entity: u64) -> Found {
        let code = code(db)?;
        let entity = Value::Ref(entity);
        self.kept(code, entity.clone(), || {
            let mut definitions = vec![entity.clone()];
            if let Ok(Value::Vector(named)) = db.q(NAMES, std::slice::from_ref(&entity)) {
                definitions.extend(named);
            }
            for definition in definitions {
                let Ok(Value::Vector(programs)) = db.q(HOLDERS, std::slice::from_ref(&definition))
                else {
                    continue;
                };
                let Some(program) = programs.into_iter().max() else { continue };
                let name = db.q("[:find ?n . :in $ ?d :where [?d :yin/name ?n]]", &[definition])?;
                if let Value::Symbol(name) = name {
                    return Ok(Some((Program::load(db, &program)?, name)));
                }
            }
            Ok(None)
        })
    }

    fn names(&self, db: &Db) -> Vec<String> {
        match db.q(DEFINED, &[]) {
            Ok(Value::Vector(names)) => names.iter().map(Value::to_string).collect(),
            _ => Vec::new(),
        }
    }
}

/// Every definition of every namespace.
const DEFINED: &str = "[:find [?n ...] :where [?p :yin.program/namespace] \
                       [?p :yin.program/definitions ?d] [?d :yin/name ?n]]";

/// What the code of a database is. Without the schema of programs there is none.
fn code(db: &Db) -> Result<Code, FunctionError> {
    let mut newest: BTreeMap<Symbol, (Value, [u8; 32])> = BTreeMap::new();
    if db.attribute_named(&"yin.program/namespace".into()).is_some()
        && let Value::Set(rows) = db.q(PROGRAMS, &[])?
    {
        for row in &rows {
            if let Some([Value::Symbol(name), t, Value::Hash(hash)]) = row.as_slice() {
                let known = newest.entry(name.clone()).or_insert((t.clone(), *hash));
                if known.0 <= *t {
                    *known = (t.clone(), *hash);
                }
            }
        }
    }
    Ok(Arc::new(newest.into_iter().map(|(name, (_, hash))| (name, hash)).collect()))
}

fn defines(program: &Program, name: &Symbol) -> bool {
    let is = |node: &yin::Node| matches!(node, yin::Node::Definition { name: n, .. } if n == name);
    program.tree().ids().any(|id| is(program.tree().node(id)))
}

/// One function.
struct YinFunction {
    program: Program,
    /// Calls it with what [`ARGUMENTS`] names.
    call: Program,
    fuel: Arc<AtomicU64>,
    /// Machines in which the program's definitions have run and nothing runs now.
    idle: Mutex<Vec<Seat>>,
}

/// A machine, and the place where it looks for its database.
struct Seat {
    machine: Machine,
    db: Arc<Mutex<Option<Db>>>,
}

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

impl daodb::Function for YinFunction {
    fn call(&self, db: &Db, args: &[Value]) -> Result<Value, FunctionError> {
        let depth = DEPTH.get();
        if depth >= DEPTH_MAX {
            let message = "functions call each other through queries, deeper than";
            return Err(format!("{message} {DEPTH_MAX}").into());
        }
        DEPTH.set(depth + 1);
        let answer = self.call_inside(db, args);
        DEPTH.set(depth);
        answer
    }
}

impl YinFunction {
    fn call_inside(&self, db: &Db, args: &[Value]) -> Result<Value, FunctionError> {
        let idle = locked(&self.idle).pop();
        let mut seat = match idle {
            Some(seat) => {
                *locked(&seat.db) = Some(db.clone());
                seat
            }
            None => self.seat(db)?,
        };
        seat.machine.define(ARGUMENTS, &Value::Vector(args.to_vec()))?;
        let answer = self.run(&mut seat.machine, &self.call);
        // A machine that waits must not hold an old state.
        *locked(&seat.db) = None;
        locked(&self.idle).push(seat);
        answer
    }

    /// A new machine that knows the program's definitions.
    fn seat(&self, db: &Db) -> Result<Seat, FunctionError> {
        let place = Arc::new(Mutex::new(Some(db.clone())));
        let limits = Limits::default().heap_words(HEAP_WORDS).calls(CALLS);
        let mut machine = Machine::new(Snapshot(place.clone()), limits);
        self.run(&mut machine, &self.program.definitions())?;
        Ok(Seat { machine, db: place })
    }

    fn run(&self, machine: &mut Machine, program: &Program) -> Result<Value, FunctionError> {
        let fuel = self.fuel.load(Ordering::Relaxed);
        machine.start(program)?;
        let outcome = machine.run(fuel);
        machine.abandon();
        match outcome {
            Outcome::Done(value) => Ok(value),
            Outcome::Failed(error) => Err(told(&error).into()),
            Outcome::OutOfFuel => {
                Err(format!("took more than the {fuel} steps that a call is allowed").into())
            }
            Outcome::Perform { op, .. } => {
                Err(format!("asks for {op}; a function that the database calls has no effects")
                    .into())
            }
            other => Err(format!("the machine stopped: {other:?}").into()),
        }
    }
}

/// An error on one line, with the place in the function's own text.
fn told(error: &yin::Error) -> String {
    match &error.help {
        Some(help) => format!("{error} ({help})"),
        None => error.to_string(),
    }
}

/// The database that is asked, which nothing can change.
struct Snapshot(Arc<Mutex<Option<Db>>>);

impl Snapshot {
    fn ask<T>(&self, ask: impl FnOnce(&Db) -> Result<T, daodb::Error>) -> Result<T, Refusal> {
        let refusal = |message: String| Refusal::new("query/refused", message);
        let db =
            locked(&self.0).clone().ok_or_else(|| refusal("there is no database".to_owned()))?;
        ask(&db).map_err(|error| refusal(error.to_string()))
    }
}

impl Facts for Snapshot {
    fn transact(&mut self, _: &[Value]) -> Result<Value, Refusal> {
        let message = "a function that the database calls changes nothing";
        Err(Refusal::new("db/read-only", message))
    }

    fn q(&mut self, query: &Value, inputs: &[Value]) -> Result<Value, Refusal> {
        self.ask(|db| {
            let inputs: Vec<_> = inputs.iter().cloned().map(daodb::Input::Value).collect();
            let limits = daodb::Limits {
                timeout: Some(Duration::from_secs(QUERY_SECONDS_MAX)),
                max_rows: Some(QUERY_ROWS_MAX),
                ..daodb::Limits::default()
            };
            let query = daodb::Query::from_value(query)?;
            Ok(db.query_with(&query, &inputs, &limits)?.to_value())
        })
    }

    fn pull(&mut self, pattern: &Value, entity: &Value) -> Result<Value, Refusal> {
        self.ask(|db| db.pull(pattern, entity))
    }

    fn entity(&mut self, name: &Value) -> Result<Value, Refusal> {
        self.ask(|db| match db.entity_id(name)? {
            Some(id) => db.touch(id),
            None => Ok(Value::Nil),
        })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
