//! Live code: what a name means is a fact, and a running program follows it.
//!
//! `:function/name` names a function and `:function/program` the program that defines it now. Whoever
//! changes the latter changes every program that runs with `--live`, at its next call of the name.

use std::time::Duration;

use daodb::{Database, Db, Query, Subscription};
use datom::{Symbol, Value};
use yin::{Machine, Program};

use crate::agent;
use crate::fault::Fault;
use crate::reporter::Reporter;
use crate::schema;

/// Each function's name, and the hash of the program that defines it.
const FUNCTIONS: &str = "[:find ?name ?hash
  :where [?f :function/name ?name] [?f :function/program ?p] [?p :yin.program/hash ?hash]]";

/// What follows the functions of a world.
pub(crate) struct Live {
    database: Database,
    subscription: Subscription,
    reporter: Reporter,
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

/// Gives the functions of a moment their meaning of that moment.
pub(crate) fn apply_as_of(db: &Db, machine: &mut Machine) -> Result<(), Box<Fault>> {
    let Value::Set(rows) = db.query(&query()?, &[])?.to_value() else { return Ok(()) };
    rows.iter().filter_map(Value::as_slice).try_for_each(|row| redefine(db, machine, row).map(drop))
}

/// Redefines a name; its program's name, if it could be.
fn redefine(db: &Db, machine: &mut Machine, row: &[Value]) -> Result<Option<String>, Box<Fault>> {
    let [Value::Symbol(name), Value::Hash(hash)] = row else { return Ok(None) };
    let Some(program) = agent::program(db, hash) else {
        return Err(Fault::new(format!("the program that defines `{name}` cannot be loaded"))
            .help("`:function/program` must refer to a program that was stored whole")
            .into());
    };
    machine.redefine(&Symbol::from(name.as_str()), &program)?;
    Ok(Some(program.name().to_owned()))
}

impl Live {
    /// Follows the functions of a world from now on, and gives them their meaning of now.
    pub(crate) fn new(
        database: &Database,
        reporter: Reporter,
        machine: &mut Machine,
    ) -> Result<Self, Box<Fault>> {
        let subscription = database.subscribe(&query()?, &[])?;
        let live = Self { database: database.clone(), subscription, reporter };
        let db = database.db()?.as_of(live.subscription.t());
        for row in live.subscription.rows() {
            redefine(&db, machine, row)?;
        }
        Ok(live)
    }

    /// Takes over what has changed since. A change that cannot be followed is told, and nothing
    /// changes.
    pub(crate) fn follow(&mut self, machine: &mut Machine) -> Result<(), Box<Fault>> {
        while let Some(change) = self.subscription.next(Some(Duration::ZERO))? {
            let db = self.database.db()?.as_of(change.t);
            for row in &change.added {
                let name = row.first().map(Value::to_string).unwrap_or_default();
                match redefine(&db, machine, row) {
                    Ok(by) => self.reporter.tell(
                        "live",
                        format_args!("{name} is {} from now on", by.unwrap_or_default()),
                    ),
                    Err(fault) => self.reporter.tell("live", format_args!("{name}: {fault}")),
                }
            }
        }
        Ok(())
    }
}
