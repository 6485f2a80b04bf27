//! Live code: what a name means is a fact, and a running program follows it.
//!
//! `:function/name` names a function and `:function/program` the program that defines it now. Whoever
//! changes the latter changes every program that runs with `--live`, at its next call of the name.

use std::sync::Weak;
use std::thread;
use std::time::Duration;

use daodb::{Database, Db, Query, Subscription};
use datom::{Symbol, Value};
use yin::{Machine, Program, Redefiner};

use crate::agent;
use crate::fault::Fault;
use crate::reporter::Reporter;
use crate::schema;

/// How long the thread that follows functions goes without looking whether anybody wants that.
const LOOK: Duration = Duration::from_secs(1);

/// Each function's name, and the hash of the program that defines it.
const FUNCTIONS: &str = "[:find ?name ?hash
  :where [?f :function/name ?name] [?f :function/program ?p] [?p :yin.program/hash ?hash]]";

/// Whose names are given another meaning.
pub(crate) trait Redefine {
    fn redefine(&mut self, name: &Symbol, program: &Program) -> Result<(), yin::Error>;
}

/// One program.
impl Redefine for Machine {
    fn redefine(&mut self, name: &Symbol, program: &Program) -> Result<(), yin::Error> {
        Machine::redefine(self, name, program)
    }
}

/// All agents of a scheduler.
impl Redefine for Redefiner {
    fn redefine(&mut self, name: &Symbol, program: &Program) -> Result<(), yin::Error> {
        Redefiner::redefine(self, name, program)
    }
}

/// What follows the functions of a world.
pub(crate) struct Live {
    database: Database,
    subscription: Subscription,
    reporter: Reporter,
    /// The functions that are in force.
    taken: Functions,
    /// Something may have changed that was not taken over.
    has_news: bool,
}

fn query() -> Result<Query, Box<Fault>> {
    Ok(Query::parse(FUNCTIONS).map_err(|error| Fault::in_query(&error.into(), FUNCTIONS))?)
}

/// States that the functions of a program mean what it defines.
pub(crate) fn publish(
    database: &Database,
    reporter: Reporter,
    program: &Program,
) -> Result<(), Box<Fault>> {
    let cells = program.functions().map(|(name, _)| {
        Value::map([
            (Value::keyword("function/name"), Value::Symbol(name.clone())),
            (Value::keyword("function/program"), program.entity()),
        ])
    });
    let mut data: Vec<Value> = cells.collect();
    if data.is_empty() {
        return Ok(());
    }
    let details = format!("{} of {}", data.len(), program.name());
    data.push(schema::reason("datom run", &format!("functions of {}", program.name())));
    let report = database.transact(&data)?;
    reporter.committed("functions", details, report.t);
    Ok(())
}

/// What the names of functions mean at a moment: the hash of the program that defines each.
pub(crate) struct Functions {
    rows: Vec<(Symbol, [u8; 32])>,
}

impl Functions {
    /// Those of a moment, in the order of their names.
    pub(crate) fn of(db: &Db) -> Result<Self, Box<Fault>> {
        let answer = db.query(&query()?, &[])?.to_value();
        let rows = match &answer {
            Value::Set(rows) => rows.iter().filter_map(Value::as_slice).filter_map(row).collect(),
            _ => Vec::new(),
        };
        Ok(Self { rows })
    }

    /// The BLAKE3 hash of the names and hashes.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for (name, program) in &self.rows {
            hasher.update(name.as_str().as_bytes()).update(&[0]).update(program);
        }
        hasher.finalize().into()
    }

    /// Gives names their meaning, and tells of each what became of it. One that cannot be given stays as it
    /// was.
    pub(crate) fn apply(
        &self,
        db: &Db,
        machine: &mut impl Redefine,
        mut told: impl FnMut(&Symbol, Result<String, Box<Fault>>),
    ) {
        for (name, program) in &self.rows {
            told(name, redefine(db, machine, name, program));
        }
    }
}

fn row(row: &[Value]) -> Option<(Symbol, [u8; 32])> {
    match row {
        [Value::Symbol(name), Value::Hash(program)] => Some((name.clone(), *program)),
        _ => None,
    }
}

/// Gives the functions of a moment their meaning of that moment.
pub(crate) fn apply_as_of(db: &Db, machine: &mut Machine) -> Result<(), Box<Fault>> {
    let mut failed = None;
    Functions::of(db)?.apply(db, machine, |_, told| failed = failed.take().or(told.err()));
    failed.map_or(Ok(()), Err)
}

/// Redefines a name; its program's name, if it could be.
fn redefine(
    db: &Db,
    machine: &mut impl Redefine,
    name: &Symbol,
    hash: &[u8; 32],
) -> Result<String, Box<Fault>> {
    let Some(program) = agent::program(db, hash) else {
        return Err(Fault::new(format!("the program that defines `{name}` cannot be loaded"))
            .help("`:function/program` must refer to a program that was stored whole")
            .into());
    };
    machine.redefine(name, &program)?;
    Ok(program.name().to_owned())
}

impl Live {
    /// Follows the functions of a world from now on.
    pub(crate) fn new(database: &Database, reporter: Reporter) -> Result<Self, Box<Fault>> {
        let subscription = database.subscribe(&query()?, &[])?;
        let (database, taken) = (database.clone(), Functions { rows: Vec::new() });
        Ok(Self { database, subscription, reporter, taken, has_news: true })
    }

    /// Follows for all agents of a scheduler: what is so by now at once, and what comes on a thread that ends when
    /// nobody has `over` any more.
    pub(crate) fn follow_for(
        mut self,
        mut agents: Redefiner,
        over: Weak<()>,
    ) -> Result<(), Box<Fault>> {
        self.follow(&mut agents)?;
        thread::spawn(move || {
            let mut t = 0;
            while over.strong_count() > 0 {
                let followed = self.follow(&mut agents).map(drop);
                let waited = followed.and_then(|()| Ok(self.database.wait(t, Some(LOOK))?));
                match waited {
                    Ok(now) => t = now,
                    Err(fault) => {
                        let what = "the functions of the world are not followed any longer";
                        self.reporter.tell("live", format_args!("{what}: {fault}"));
                        return;
                    }
                }
            }
        });
        Ok(())
    }

    /// These are in force already.
    pub(crate) fn has_taken(&mut self, functions: Functions) {
        self.taken = functions;
    }

    /// Whether anything may have changed. Cheap while nobody commits anything.
    pub(crate) fn has_news(&mut self) -> Result<bool, Box<Fault>> {
        while self.subscription.next(Some(Duration::ZERO))?.is_some() {
            self.has_news = true;
        }
        Ok(self.has_news)
    }

    /// Takes over what has changed since, at first everything. A change that cannot be followed is told, and
    /// nothing changes. Answers the transaction whose functions are followed now, and their hash, if anything
    /// has changed.
    pub(crate) fn follow(
        &mut self,
        machine: &mut impl Redefine,
    ) -> Result<Option<(u64, [u8; 32])>, Box<Fault>> {
        if !self.has_news()? {
            return Ok(None);
        }
        self.has_news = false;
        let is_first = self.taken.rows.is_empty();
        let t = self.subscription.t();
        let db = self.database.db()?.as_of(t);
        let functions = Functions::of(&db)?;
        let (known, hash) = (&self.taken.rows, functions.hash());
        let fresh = functions.rows.iter().filter(|row| !known.contains(row));
        let fresh = Functions { rows: fresh.cloned().collect() };
        if fresh.rows.is_empty() {
            return Ok(None);
        }
        self.taken = functions;
        fresh.apply(&db, machine, |name, told| match told {
            Ok(_) if is_first => {}
            Ok(by) => self.reporter.tell("live", format_args!("{name} is {by} from now on")),
            Err(fault) => self.reporter.tell("live", format_args!("{name}: {fault}")),
        });
        Ok(Some((t, hash)))
    }
}
