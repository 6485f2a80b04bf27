//! An agent that this process owns: what it keeps in the world as its program goes on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use daodb::{Database, Db};
use datom::Value;
use yin::State;

use super::{DONE, FAILED, Lease, MOVING, PAUSED, RUNNING, Record, Request, lookup};
use crate::fault::Fault;
use crate::ledger::Trail;

/// Which agent is meant, and what its owner brings.
pub(crate) struct Named<'a> {
    pub(crate) name: &'a str,
    /// Tells worlds apart.
    pub(crate) world: &'a [u8],
    /// Where it works and what it may do.
    pub(crate) rights: &'a Value,
    pub(crate) lease: Arc<Lease>,
}

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
    /// The transaction up to which it was looked what the world wants of the agent.
    looked: AtomicU64,
    _lease: Arc<Lease>,
}

impl Agent {
    /// Makes an agent that stands at its beginning.
    pub(crate) fn begin(
        database: &Database,
        trail: &Trail,
        named: Named<'_>,
        program: u64,
        state: &State,
    ) -> Result<Arc<Self>, Box<Fault>> {
        let name = Value::text(named.name);
        let owned = owned(&named);
        let agent = Self::new(database, trail, named, 1)?;
        let id = (Value::keyword("db/id"), Value::text("agent"));
        let facts = [
            id,
            (Value::keyword("agent/name"), name),
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
        let kept = facts.into_iter().chain(owned).chain(agent.kept(state));
        agent.commit(vec![first, Value::map(kept)], "begins")?;
        Ok(Arc::new(agent))
    }

    /// Takes an agent over from whoever owned it; `None` if it is no longer as it was known.
    pub(crate) fn take(
        database: &Database,
        trail: &Trail,
        named: Named<'_>,
        known: &Record,
    ) -> Result<Option<Arc<Self>>, Box<Fault>> {
        let owned = owned(&named);
        let agent = Self::new(database, trail, named, known.epoch() + 1)?;
        let epoch = agent.compared("epoch", Value::Int(known.epoch()), Value::Int(agent.epoch));
        let status = Value::keyword(known.status());
        let status = agent.compared("status", status, Value::keyword(RUNNING));
        let what = format!("agent {} is taken over", agent.name);
        match trail.commit(vec![epoch, status, agent.facts(owned)], &what) {
            Ok(_) => Ok(Some(Arc::new(agent))),
            Err(daodb::Error::Rejected(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn new(
        database: &Database,
        trail: &Trail,
        named: Named<'_>,
        epoch: i64,
    ) -> Result<Self, Box<Fault>> {
        // Names are unique in a world, and worlds have keys of their own.
        let writer = blake3::hash(&[named.world, named.name.as_bytes()].concat()).into();
        Ok(Self {
            database: database.clone(),
            trail: trail.clone(),
            name: named.name.to_owned(),
            epoch,
            writer,
            view: Mutex::new(database.db()?),
            looked: AtomicU64::new(0),
            _lease: named.lease,
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
        report.and_then(|report| report.db_after()).map_err(|error| self.why(&error))
    }

    /// Why a transaction of the agent was refused: what the world wants of it says more than that
    /// two numbers differ.
    pub(crate) fn why(&self, error: &daodb::Error) -> Box<Fault> {
        match self.wanted() {
            Ok(Some(why)) => why,
            _ => Fault::of_database(error).into(),
        }
    }

    /// What the world wants of the agent, if that is new and not that it goes on. Cheap: nothing is
    /// read unless somebody has committed something.
    pub(crate) fn must_stop(&self) -> Result<Option<Box<Fault>>, Box<Fault>> {
        let t = self.database.db()?.basis();
        if self.looked.swap(t, Ordering::Relaxed) == t {
            return Ok(None);
        }
        self.wanted()
    }

    fn wanted(&self) -> Result<Option<Box<Fault>>, Box<Fault>> {
        let stops = |how: &str| Fault::new(format!("the agent {} {how}", self.name));
        let entity = self.database.db()?.entity(&lookup(&self.name))?;
        let Some(entity) = entity else { return Ok(Some(stops("was forgotten").into())) };
        let is_ours = entity.get("agent/epoch")? == Some(Value::Int(self.epoch));
        let status = entity.get("agent/status")?;
        let status = status.as_ref().and_then(Value::as_keyword).map_or("", |name| name.as_str());
        Ok(Some(Box::new(match status {
            _ if !is_ours => stops("was taken over by another process"),
            RUNNING => return Ok(None),
            MOVING => stops("goes on in another process"),
            PAUSED => stops("was paused").help("`datom agent resume` lets a paused agent go on"),
            status => stops(&format!("was {}", status.trim_start_matches("agent.status/"))),
        })))
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
    pub(crate) fn asks(&self, state: &State, request: &Request) -> Vec<Value> {
        self.step(self.kept(state).into_iter().chain(requested(request)))
    }

    /// Keeps where the program stands although it may not go on here: what it was about to ask for was
    /// not asked. An agent that has another owner is left as it is.
    pub(crate) fn leaves(
        &self,
        state: &State,
        request: Option<&Request>,
    ) -> Result<(), Box<Fault>> {
        let request = request.map(|request| Request { was_made: false, ..request.clone() });
        let facts = self.kept(state).into_iter().chain(request.iter().flat_map(requested));
        self.commit(vec![self.guard(), self.facts(facts)], "leaves").map(drop)
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

/// What whoever owns an agent states of himself.
fn owned(named: &Named<'_>) -> [(Value, Value); 2] {
    [
        (Value::keyword("agent/rights"), Value::text(&named.rights.to_string())),
        (Value::keyword("agent/process"), Value::Int(i64::from(std::process::id()))),
    ]
}

fn requested(request: &Request) -> [(Value, Value); 2] {
    [
        (Value::keyword("agent/request"), Value::text(&request.to_value().to_string())),
        (Value::keyword("agent/waits-for"), Value::Keyword(request.op.clone())),
    ]
}
