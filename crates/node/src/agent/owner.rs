//! An agent that this process owns: what it keeps in the world as its program goes on.
//!
//! 1. An answer that may be got again without harm can be held back until the next thing is kept, and then
//!    is kept in the same transaction. Until then nothing of the world depends on it: whatever the program
//!    reads, transacts or asks for comes after it.
//! 2. A state of the database is held only while the program runs: one that is waited behind would keep what
//!    others have replaced from being used again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use daodb::{Category, Database, Db, Report};
use datom::Value;
use yin::State;

use super::code::Code;
use super::{DONE, FAILED, Lease, MOVING, PAUSED, RUNNING, Record, Request, lookup};
use crate::fault::Fault;
use crate::journal::Unkept;
use crate::ledger::Trail;

/// Which agent is meant, and what its owner brings.
pub(crate) struct Named<'a> {
    pub(crate) name: &'a str,
    /// Tells worlds apart.
    pub(crate) world: &'a [u8],
    /// Where it works and what it may do.
    pub(crate) rights: &'a Value,
    pub(crate) lease: Arc<Lease>,
    /// Stops its program at its next turn, while it is set.
    pub(crate) pause: Arc<AtomicBool>,
}

/// An agent that this process owns.
pub(crate) struct Agent {
    pub(super) database: Database,
    pub(super) trail: Trail,
    pub(crate) name: String,
    epoch: i64,
    /// Under which it does what must be done once, outside of the world.
    writer: [u8; 32],
    /// The world as the program sees it.
    view: Mutex<View>,
    /// The last answer, and what code it is gone on with, if they are not kept yet.
    held: Mutex<Vec<Value>>,
    /// The transaction up to which it was looked what the world wants of the agent.
    looked: AtomicU64,
    /// Stops the program at its next turn, while it is set.
    pause: Arc<AtomicBool>,
    _lease: Arc<Lease>,
}

/// A moment of the world.
enum View {
    /// Held in memory.
    Held(Db),
    /// Up to a transaction.
    At(u64),
}

impl View {
    fn t(&self) -> u64 {
        match self {
            View::Held(db) => db.basis(),
            View::At(t) => *t,
        }
    }
}

impl Agent {
    /// Makes an agent that stands at its beginning.
    pub(crate) fn begin(
        database: &Database,
        trail: &Trail,
        named: Named<'_>,
        program: u64,
        state: &State,
        code: Option<&Code>,
    ) -> Result<Arc<Self>, Box<Fault>> {
        let name = Value::text(named.name);
        let owned = owned(&named);
        let agent = Self::new(database, trail, named, 1)?;
        let tempid = Value::text(&format!("agent {}", agent.name));
        let id = (Value::keyword("db/id"), tempid.clone());
        let facts = [
            id,
            (Value::keyword("agent/name"), name),
            (Value::keyword("agent/program"), Value::Ref(program)),
            (Value::keyword("agent/status"), Value::keyword(RUNNING)),
        ];
        // Of two processes that make the same agent, the second finds that it has an epoch.
        let first = Value::Vector(vec![
            Value::keyword("db/cas"),
            tempid,
            Value::keyword("agent/epoch"),
            Value::Nil,
            Value::Int(1),
        ]);
        let kept = facts.into_iter().chain(owned).chain(agent.kept(state)).chain(code.map(ran));
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
            Err(Unkept::Database(daodb::Error::Rejected(_))) => Ok(None),
            Err(why) => Err(why.into()),
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
            view: Mutex::new(View::At(database.db()?.basis())),
            held: Mutex::default(),
            looked: AtomicU64::new(0),
            pause: named.pause,
            _lease: named.lease,
        })
    }

    /// The world as the program sees it: as it was when the last answer was kept.
    pub(crate) fn view(&self) -> Result<Db, Box<Fault>> {
        self.keep_answer()?;
        let mut seen = self.seen();
        let t = match &*seen {
            View::Held(db) => return Ok(db.clone()),
            View::At(t) => *t,
        };
        let now = self.database.db()?;
        if now.basis() != t {
            return Ok(now.as_of(t));
        }
        *seen = View::Held(now.clone());
        Ok(now)
    }

    /// From now on the program sees the world as it was right after transaction `t`. `db` is that state, if
    /// somebody has it.
    pub(crate) fn sees(&self, t: u64, db: Option<Db>) {
        *self.seen() = db.map_or(View::At(t), View::Held);
    }

    fn seen(&self) -> MutexGuard<'_, View> {
        // One assignment changes it, so a panic elsewhere leaves it whole.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, Vec<Value>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the last answer, if that was not done yet.
    pub(crate) fn keep_answer(&self) -> Result<(), Box<Fault>> {
        if self.held().is_empty() {
            return Ok(());
        }
        let kept = self.commit(vec![self.guard()], "is answered")?;
        self.sees(kept.t, Some(kept.db_after()?));
        Ok(())
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
            (Value::keyword("agent/basis"), Value::Int(self.seen().t() as i64)),
        ]
    }

    /// Commits data, and the answer that is held.
    fn commit(&self, mut data: Vec<Value>, what: &str) -> Result<Arc<Report>, Box<Fault>> {
        data.extend_from_slice(&self.held());
        let kept = self.trail.commit(data, &format!("agent {} {what}", self.name));
        let kept = kept.map_err(|why| self.why(why))?;
        self.held().clear();
        Ok(kept)
    }

    /// Keeps what the program is answered together with the facts that make it so, and with the state that asks
    /// unless that is kept. False if the facts depend on what somebody has changed meanwhile.
    pub(crate) fn has_stated(
        &self,
        asked: Option<(&State, &Request)>,
        facts: Vec<Value>,
        (request, answer): (u64, &Result<Value, Value>),
    ) -> Result<bool, Box<Fault>> {
        let mut data = match asked {
            Some((state, request)) => self.asked(state, request),
            None => self.step([]),
        };
        data.extend(facts);
        data.push(self.answer(request, answer));
        let kept = match self.trail.commit(data, &format!("agent {} is answered", self.name)) {
            Ok(kept) => kept,
            Err(why) => return self.was_too_late(why).map(|()| false),
        };
        self.sees(kept.t, Some(kept.db_after()?));
        Ok(true)
    }

    /// Whether a transaction was refused for nothing but what somebody else did at the same time.
    fn was_too_late(&self, why: Unkept) -> Result<(), Box<Fault>> {
        let Unkept::Database(daodb::Error::Rejected(rejection)) = &why else {
            return Err(self.why(why));
        };
        let is_late = matches!(rejection.category, Category::Cas | Category::Unique);
        match self.wanted()? {
            Some(why) => Err(why),
            None if is_late => Ok(()),
            None => Err(why.into()),
        }
    }

    /// Why a transaction of the agent was refused: what the world wants of it says more than that
    /// two numbers differ.
    pub(crate) fn why(&self, error: Unkept) -> Box<Fault> {
        match self.wanted() {
            Ok(Some(why)) => why,
            _ => error.into(),
        }
    }

    /// What the world wants of the agent, if that is new and not that it goes on. Cheap: nothing is
    /// read unless somebody has committed something.
    pub(crate) fn must_stop(&self) -> Result<Option<Box<Fault>>, Box<Fault>> {
        let t = self.database.db()?.basis();
        if self.looked.swap(t, Ordering::Relaxed) == t {
            return Ok(None);
        }
        let why = self.wanted()?;
        if why.is_some() {
            // It is wanted until it is done.
            self.looked.store(0, Ordering::Relaxed);
        }
        Ok(why)
    }

    /// Stops the program at its next turn if it must leave.
    pub(super) fn pause_if_wanted(&self) {
        if !matches!(self.must_stop(), Ok(None)) {
            self.pause.store(true, Ordering::Relaxed);
        }
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

    /// From here on the program runs this code: kept with the next thing that is kept.
    pub(crate) fn runs(&self, code: &Code) {
        let facts = self.facts([ran(code)]);
        self.held().push(facts);
    }

    /// Keeps where the program stands.
    pub(crate) fn checkpoint(&self, state: &State) -> Result<(), Box<Fault>> {
        self.commit(self.step(self.kept(state)), "stands").map(drop)
    }

    /// Hands over what the program asks for, to be kept before it is performed, with the record of the
    /// effect.
    pub(crate) fn asks(&self, state: &State, request: &Request) {
        let mut data = self.asked(state, request);
        data.extend_from_slice(&self.held());
        self.trail.keep_before(data);
    }

    /// What [`Agent::asks`] handed over is kept.
    pub(crate) fn has_asked(&self) -> Result<(), Box<Fault>> {
        if self.trail.keeps_before() {
            // Nobody performs it, so nobody recorded it.
            let what = format!("agent {} asks", self.name);
            self.trail.commit(vec![self.guard()], &what).map_err(|why| self.why(why))?;
        }
        self.held().clear();
        Ok(())
    }

    /// Keeps that the program waits; when, in microseconds since 1970 UTC.
    pub(crate) fn waits(&self, state: &State, request: &Request) -> Result<i64, Box<Fault>> {
        Ok(self.commit(self.asked(state, request), "waits")?.instant)
    }

    /// The program does not look at the world for now.
    pub(crate) fn looks_away(&self) {
        let mut seen = self.seen();
        *seen = View::At(seen.t());
    }

    fn asked(&self, state: &State, request: &Request) -> Vec<Value> {
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

    /// Takes the answer, after the request was performed: the program sees the world up to where that is
    /// kept. If nothing is lost when it must be got again, it may be kept later (invariant 1).
    pub(crate) fn answered(
        &self,
        id: u64,
        answer: &Result<Value, Value>,
        may_be_later: bool,
    ) -> Result<(), Box<Fault>> {
        let answer = self.answer(id, answer);
        self.held().push(answer);
        if may_be_later { Ok(()) } else { self.keep_answer() }
    }

    fn answer(&self, request: u64, answer: &Result<Value, Value>) -> Value {
        let (kind, value) = match answer {
            Ok(value) => ("ok", value),
            Err(value) => ("error", value),
        };
        let answer = [Value::Int(request as i64), Value::keyword(kind), value.clone()];
        let text = Value::text(&Value::Vector(answer.to_vec()).to_string());
        self.facts([(Value::keyword("agent/answer"), text)])
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

fn ran(code: &Code) -> (Value, Value) {
    (Value::keyword("agent/code"), Value::text(&code.to_value().to_string()))
}

fn requested(request: &Request) -> [(Value, Value); 2] {
    [
        (Value::keyword("agent/request"), Value::text(&request.to_value().to_string())),
        (Value::keyword("agent/waits-for"), Value::Keyword(request.op.clone())),
    ]
}
