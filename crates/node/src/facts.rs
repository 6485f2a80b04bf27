//! The database as a program of a world sees it: its own verbs, signed on the way in.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use daodb::{Cancel, Database, Db, Input, Limits};
use datom::Value;
use yin::{Facts, Refusal};

use crate::agent::{Agent, Made};
use crate::fault::Fault;
use crate::ledger::Trail;
use crate::reporter::Reporter;
use crate::schema;

/// Mebibytes that a query may hold where nothing is said: functions in recursion can make values without end.
pub(crate) const QUERY_MEBIBYTES: u64 = 4096;

/// Limits of a query that may hold so many mebibytes.
pub(crate) fn limits(mebibytes: u64) -> Limits {
    Limits { max_bytes: Some(mebibytes.saturating_mul(1 << 20)), ..Limits::default() }
}

/// What stands behind `transact!`, `q`, `pull` and `entity`.
#[derive(Clone)]
pub(crate) struct ProgramFacts {
    database: Database,
    reporter: Reporter,
    by: String,
    program: Option<u64>,
    trail: Trail,
    /// The agent that the program is, if it is one.
    agent: Arc<OnceLock<Arc<Agent>>>,
    /// Stops its queries with the program.
    cancel: Arc<OnceLock<Cancel>>,
    /// The transaction whose state is seen, for good; the present, if none.
    as_of: Option<u64>,
}

impl ProgramFacts {
    pub(crate) fn new(
        database: &Database,
        reporter: Reporter,
        by: &str,
        program: Option<u64>,
        trail: Trail,
        as_of: Option<u64>,
    ) -> Self {
        let (database, by) = (database.clone(), by.to_owned());
        let (agent, cancel) = (Arc::default(), Arc::default());
        Self { database, reporter, by, program, trail, agent, cancel, as_of }
    }

    /// Says which flag stops the program, for good.
    pub(crate) fn stop_with(&self, interrupt: Arc<AtomicBool>) {
        self.cancel.get_or_init(|| interrupt.into());
    }

    /// Where to say what agent the program is.
    pub(crate) fn agent(&self) -> Arc<OnceLock<Arc<Agent>>> {
        self.agent.clone()
    }

    /// The world as the program sees it.
    fn db(&self) -> Result<Db, Refusal> {
        match (self.agent.get(), self.as_of) {
            (Some(agent), _) => agent.view().map_err(|fault| lost(&fault)),
            (None, Some(t)) => {
                let db = self.database.db().map_err(|error| refusal(&error))?;
                Ok(db.as_of(t))
            }
            (None, None) => self.database.db().map_err(|error| refusal(&error)),
        }
    }

    fn signature(&self, data: &[Value]) -> Value {
        let tokens = self.trail.tokens();
        schema::signature(data, &self.by, "a program's own", self.program, &tokens)
    }

    fn told(&self, made: &Made) -> Value {
        let details = format!("{} added, {} removed", made.added, made.removed);
        self.reporter.committed("facts", details, made.t);
        made.to_value()
    }
}

impl Facts for ProgramFacts {
    fn transact(&mut self, data: &[Value]) -> Result<Value, Refusal> {
        if let Some(t) = self.as_of {
            let message = format!("this program runs as of transaction {t}; the past is closed");
            return Err(Refusal::new("db/past", message));
        }
        let mut signed = data.to_vec();
        signed.push(self.signature(data));
        let report = self.database.transact(&signed).map_err(|error| refusal(&error))?;
        Ok(self.told(&Made::of_report(&report)))
    }

    fn transact_once(&mut self, request: u64, data: &[Value]) -> Result<Value, Refusal> {
        let Some(agent) = self.agent.get() else { return self.transact(data) };
        agent.keep_answer().map_err(|fault| lost(&fault))?;
        let made = agent.transact_once(request, data, self.signature(data));
        Ok(self.told(&made.map_err(|error| refusal(&error))?))
    }

    fn q(&mut self, query: &Value, inputs: &[Value]) -> Result<Value, Refusal> {
        // What an agent goes through must come out the same when it is replayed: its queries end.
        let is_agent = self.agent.get().is_some();
        let cancel = self.cancel.get().filter(|_| !is_agent).cloned();
        q(&self.db()?, query, inputs, cancel)
    }

    fn pull(&mut self, pattern: &Value, entity: &Value) -> Result<Value, Refusal> {
        self.db()?.pull(pattern, entity).map_err(|error| refusal(&error))
    }

    fn entity(&mut self, name: &Value) -> Result<Value, Refusal> {
        entity(&self.db()?, name)
    }
}

/// The answer to a program's query at one moment of the database.
pub(crate) fn q(
    db: &Db,
    query: &Value,
    inputs: &[Value],
    cancel: Option<Cancel>,
) -> Result<Value, Refusal> {
    let query = daodb::Query::from_value(query).map_err(|error| refusal(&error.into()))?;
    let inputs: Vec<Input> = inputs.iter().cloned().map(Input::Value).collect();
    let limits = Limits { cancel, ..limits(QUERY_MEBIBYTES) };
    let answer = db.query_with(&query, &inputs, &limits).map_err(|error| refusal(&error))?;
    Ok(answer.to_value())
}

/// What is known of an entity at one moment of the database.
pub(crate) fn entity(db: &Db, name: &Value) -> Result<Value, Refusal> {
    match db.entity_id(name).map_err(|error| refusal(&error))? {
        Some(id) => db.touch(id).map_err(|error| refusal(&error)),
        None => Ok(Value::Nil),
    }
}

/// The last answer of an agent could not be kept, so its program goes no further.
fn lost(fault: &Fault) -> Refusal {
    Refusal::new("agent/lost", fault.to_string())
}

pub(crate) fn refusal(error: &daodb::Error) -> Refusal {
    let kind = match error {
        daodb::Error::Rejected(rejection) => rejection.category.keyword().as_str().to_owned(),
        daodb::Error::Query(_) => "query/refused".to_owned(),
        daodb::Error::Lookup { .. } => "query/lookup".to_owned(),
        _ => "db/failed".to_owned(),
    };
    Refusal::new(&kind, error.to_string())
}
