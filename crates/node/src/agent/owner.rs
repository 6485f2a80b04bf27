//! An agent that this process owns: what it keeps in the world as its program goes on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use daodb::{Database, Db};
use datom::{Keyword, Value};
use yin::State;

use super::{CANCELLED, DONE, FAILED, PAUSED, RUNNING, Record, lookup};
use crate::fault::Fault;
use crate::ledger::Trail;

/// An agent that this process owns.
pub(crate) struct Agent {
    pub(super) database: Database,
    pub(super) trail: Trail,
    pub(super) name: String,
    epoch: i64,
    /// Under which it does what must be done once, outside of the world.
    writer: [u8; 32],
    /// The world as the program sees it.
    view: Mutex<Db>,
}

impl Agent {
    /// Makes an agent that stands at its beginning.
    pub(crate) fn begin(
        database: &Database,
        trail: &Trail,
        (name, world): (&str, &[u8]),
        program: u64,
        state: &State,
    ) -> Result<Arc<Self>, Box<Fault>> {
        let agent = Self::new(database, trail, (name, world), 1)?;
        let id = (Value::keyword("db/id"), Value::text("agent"));
        let facts = [
            id,
            (Value::keyword("agent/name"), Value::text(name)),
            (Value::keyword("agent/program"), Value::Ref(program)),
            (Value::keyword("agent/status"), Value::keyword(RUNNING)),
        ];
        // Of two processes that make the same agent, the second finds that it has an epoch.
        let first = Value::Vector(vec![
            Value::keyword("db/cas"),
            Value::text("agent"),
            Value::keyword("agent/epoch"),
            Value::Nil,
            Value::Int(1),
        ]);
        let kept = facts.into_iter().chain(agent.kept(state));
        agent.commit(vec![first, Value::map(kept)], "begins")?;
        Ok(Arc::new(agent))
    }

    /// Takes an agent over from whoever owns it.
    pub(crate) fn take(
        database: &Database,
        trail: &Trail,
        (name, world): (&str, &[u8]),
        known: &Record,
    ) -> Result<Arc<Self>, Box<Fault>> {
        let agent = Self::new(database, trail, (name, world), known.epoch() + 1)?;
        let epoch = agent.compared("epoch", Value::Int(known.epoch()), Value::Int(agent.epoch));
        agent.commit(vec![epoch], "is taken over")?;
        Ok(Arc::new(agent))
    }

    fn new(
        database: &Database,
        trail: &Trail,
        (name, world): (&str, &[u8]),
        epoch: i64,
    ) -> Result<Self, Box<Fault>> {
        // Names are unique in a world, and worlds have keys of their own.
        let writer = blake3::hash(&[world, name.as_bytes()].concat()).into();
        Ok(Self {
            database: database.clone(),
            trail: trail.clone(),
            name: name.to_owned(),
            epoch,
            writer,
            view: Mutex::new(database.db()?),
        })
    }

    /// The world as the program sees it.
    pub(crate) fn view(&self) -> Db {
        self.seen().clone()
    }

    /// From now on the program sees the world like this.
    pub(crate) fn sees(&self, db: Db) {
        *self.seen() = db;
    }

    fn seen(&self) -> MutexGuard<'_, Db> {
        // One assignment changes it, so a panic elsewhere leaves it whole.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The arguments of an operation with the key of the request, unless the program gave one.
    pub(crate) fn with_key(&self, request: u64, args: Vec<Value>) -> Vec<Value> {
        let key = Value::Vector(vec![Value::Hash(self.writer), Value::Int(request as i64)]);
        let map = match args.as_slice() {
            [Value::Map(map)] if !map.contains_key(&Value::keyword("key")) => map.clone(),
            [path, content] => [("path", path), ("content", content)]
                .map(|(name, value)| (Value::keyword(name), value.clone()))
                .into(),
            _ => return args,
        };
        vec![Value::map(map.into_iter().chain([(Value::keyword("key"), key)]))]
    }

    /// Data for a transaction that is made only while this process owns the agent.
    pub(crate) fn guard(&self) -> Value {
        self.compared("epoch", Value::Int(self.epoch), Value::Int(self.epoch))
    }

    fn compared(&self, attribute: &str, old: Value, new: Value) -> Value {
        let attribute = Value::keyword(&format!("agent/{attribute}"));
        Value::Vector(vec![Value::keyword("db/cas"), lookup(&self.name), attribute, old, new])
    }

    fn facts(&self, facts: impl IntoIterator<Item = (Value, Value)>) -> Value {
        let name = (Value::keyword("agent/name"), Value::text(&self.name));
        Value::map(facts.into_iter().chain([name]))
    }

    fn kept(&self, state: &State) -> [(Value, Value); 2] {
        [
            (Value::keyword("agent/state"), Value::Bytes(state.to_bytes().into())),
            (Value::keyword("agent/basis"), Value::Int(self.seen().basis() as i64)),
        ]
    }

    fn commit(&self, data: Vec<Value>, what: &str) -> Result<Db, Box<Fault>> {
        let report = self.trail.commit(data, &format!("agent {} {what}", self.name));
        report.map(|report| report.db_after).map_err(|error| self.why(&error))
    }

    /// Why a transaction of the agent was refused: what the world wants of it says more than that
    /// two numbers differ.
    pub(crate) fn why(&self, error: &daodb::Error) -> Box<Fault> {
        match self.wanted() {
            Ok(Some(how)) => Fault::new(format!("the agent was {how}"))
                .help("`datom agent resume` lets a paused agent go on")
                .into(),
            _ => Fault::of_database(error).into(),
        }
    }

    /// What the world wants of the agent now: nothing, or that it stops.
    fn wanted(&self) -> Result<Option<String>, Box<Fault>> {
        let record = Record::of(&self.database.db()?, &self.name)?;
        let Some(record) = record else { return Ok(Some("forgotten".to_owned())) };
        if record.epoch() != self.epoch {
            return Ok(Some("taken over by another process".to_owned()));
        }
        let how = |status| matches!(status, PAUSED | CANCELLED | DONE | FAILED);
        let status = record.status();
        Ok(how(status).then(|| status.trim_start_matches("agent.status/").to_owned()))
    }

    /// Data for a transaction that is made only while the agent may go on.
    fn step(&self, facts: impl IntoIterator<Item = (Value, Value)>) -> Vec<Value> {
        let running = || Value::keyword(RUNNING);
        vec![self.guard(), self.compared("status", running(), running()), self.facts(facts)]
    }

    /// Keeps where the program stands.
    pub(crate) fn checkpoint(&self, state: &State) -> Result<(), Box<Fault>> {
        self.commit(self.step(self.kept(state)), "stands").map(drop)
    }

    /// What the program asks for, to be kept before it is performed.
    pub(crate) fn asks(&self, state: &State, id: u64, op: &Keyword, args: &[Value]) -> Vec<Value> {
        let request =
            [Value::Int(id as i64), Value::Keyword(op.clone()), Value::Vector(args.to_vec())];
        let request = Value::text(&Value::Vector(request.to_vec()).to_string());
        let facts = [
            (Value::keyword("agent/request"), request),
            (Value::keyword("agent/waits-for"), Value::Keyword(op.clone())),
        ];
        self.step(self.kept(state).into_iter().chain(facts))
    }

    /// Keeps the answer, after the request was performed: the program sees the world up to here.
    pub(crate) fn answered(
        &self,
        id: u64,
        answer: &Result<Value, Value>,
    ) -> Result<(), Box<Fault>> {
        let (kind, value) = match answer {
            Ok(value) => ("ok", value),
            Err(value) => ("error", value),
        };
        let answer = [Value::Int(id as i64), Value::keyword(kind), value.clone()];
        let text = Value::text(&Value::Vector(answer.to_vec()).to_string());
        let facts = self.facts([(Value::keyword("agent/answer"), text)]);
        let db = self.commit(vec![self.guard(), facts], "is answered")?;
        self.sees(db);
        Ok(())
    }

    /// Keeps how the program ended.
    pub(crate) fn ended(&self, result: &Result<Value, String>) -> Result<(), Box<Fault>> {
        let (status, result) = match result {
            Ok(value) => (DONE, value.clone()),
            Err(message) => (FAILED, Value::text(message)),
        };
        let facts = self.facts([
            (Value::keyword("agent/status"), Value::keyword(status)),
            (Value::keyword("agent/result"), Value::text(&result.to_string())),
        ]);
        self.commit(vec![self.guard(), facts], "ends").map(drop)
    }
}
