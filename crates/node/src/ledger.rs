//! What the node writes down about authority: tokens as they are granted, effects as they happen.
//!
//! 1. An effect's request is committed before the effect; what cannot be recorded is not done.
//! 2. What became of it follows with the next record, or when the run ends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bridge::{Audit, Failure, Record};
use daodb::{Index, Report};
use datom::{Keyword, Value, Word};
use shibi::{Grant, Rights, Token, ledger};

use crate::fault::Fault;
use crate::journal::{Entry, Journal, Unkept};
use crate::reporter::Reporter;
use crate::schema;
use crate::world::World;

/// A token for exactly this grant: the one that was recorded before, if it still counts, or a new
/// one from the world's key.
pub(crate) fn standing(world: &World, grant: &Grant, now: i64) -> Result<Token, Box<Fault>> {
    if let Some(token) = recorded(world, grant, now)? {
        return Ok(token);
    }
    let key = world.key();
    Token::mint(key, key.public(), grant).map_err(|error| Fault::new(error).into())
}

fn recorded(world: &World, grant: &Grant, now: i64) -> Result<Option<Token>, Box<Fault>> {
    let db = world.database().db()?;
    let attribute = |name: &str| db.ident(&Keyword::from(name));
    let (Some(operation), Some(block)) = (attribute("shibi/operation")?, attribute("shibi/block")?)
    else {
        return Ok(None);
    };
    let Some(granted) = grant.operations().next() else { return Ok(None) };
    let Some(name) = db.word(&Value::Keyword(granted.clone()))? else { return Ok(None) };
    let trust = world.trust();
    for fact in db.datoms(Index::Aevt, &[Word::entity(operation)])? {
        let fact = fact?;
        if fact.v != name {
            continue;
        }
        let facts = db.datoms(Index::Eavt, &[Word::entity(fact.e), Word::entity(block)])?;
        for fact in facts {
            let Value::Bytes(bytes) = db.value(fact?.v)? else { continue };
            let Ok(token) = Token::from_blocks([&bytes[..]]) else { continue };
            let own = token.holder() == world.key().public().unchecked();
            if own && token.grant() == grant && token.verify(&trust, now).is_ok() {
                return Ok(Some(token));
            }
        }
    }
    Ok(None)
}

/// Records verified tokens, those that are recorded already apart.
pub(crate) fn record(
    world: &World,
    reporter: Reporter,
    by: &str,
    granted: &[Rights],
) -> Result<(), Box<Fault>> {
    let db = world.database().db()?;
    let mut data = Vec::new();
    let mut operations = Vec::new();
    for rights in granted {
        let id = Value::Vector(vec![Value::keyword("shibi/id"), rights.token_id().to_value()]);
        if db.entity_id(&id)?.is_none() {
            data.extend(ledger::transaction(rights));
            operations.extend(rights.operations().map(Keyword::to_string));
        }
    }
    if !data.is_empty() {
        let why = format!("grant {}", operations.join(", "));
        data.push(schema::reason(by, &why));
        let report = world.database().transact(&data)?;
        reporter.committed("grant", operations.join(", "), report.t);
    }
    Ok(())
}

/// The effects of one run, shared by the bridge that reports them and the runner that closes.
#[derive(Clone)]
pub(crate) struct Trail {
    shared: Arc<Mutex<State>>,
}

struct State {
    journal: Arc<Journal>,
    /// Tells the records of this run from those of others in the same transaction.
    number: u64,
    reporter: Reporter,
    by: String,
    program: Option<u64>,
    /// The entity of the call that is under way, from its first record to its last.
    call: Option<u64>,
    /// What became of the call before; committed with the next record.
    outcome: Vec<Value>,
    /// What must be kept before the next effect; committed with its record.
    before: Vec<Value>,
    /// Why that could not be kept, so that the effect did not happen.
    refused: Option<Unkept>,
    /// Tokens under which effects were performed.
    tokens: Vec<Value>,
}

impl Trail {
    pub(crate) fn new(
        journal: &Arc<Journal>,
        reporter: Reporter,
        by: &str,
        program: Option<u64>,
    ) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let state = State {
            journal: journal.clone(),
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            reporter,
            by: by.to_owned(),
            program,
            call: None,
            outcome: Vec::new(),
            before: Vec::new(),
            refused: None,
            tokens: Vec::new(),
        };
        Self { shared: Arc::new(Mutex::new(state)) }
    }

    /// Lookup refs of the tokens under which effects were performed so far.
    pub(crate) fn tokens(&self) -> Vec<Value> {
        self.lock().tokens.clone()
    }

    /// Commits what became of the last effect.
    pub(crate) fn close(&self) -> Result<(), Unkept> {
        let mut state = self.lock();
        if state.outcome.is_empty() {
            return Ok(());
        }
        state.commit(Vec::new(), "effect outcome").map(drop)
    }

    /// Keeps data before the next effect, in the transaction that records it. If they are refused,
    /// the effect does not happen.
    pub(crate) fn keep_before(&self, data: Vec<Value>) {
        self.lock().before = data;
    }

    /// Why the last effect was not recorded, if it was not.
    pub(crate) fn take_refused(&self) -> Option<Unkept> {
        self.lock().refused.take()
    }

    /// Whether data are kept for an effect that was not recorded.
    pub(crate) fn keeps_before(&self) -> bool {
        !self.lock().before.is_empty()
    }

    /// Commits data with what became of the last effect, and what was kept for an effect that the
    /// bridge refused to perform.
    pub(crate) fn commit(&self, data: Vec<Value>, what: &str) -> Result<Arc<Report>, Unkept> {
        self.lock().commit(data, what)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves whole values behind: every change below is one assignment.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn commit(&mut self, data: Vec<Value>, why: &str) -> Result<Arc<Report>, Unkept> {
        let mut whole = std::mem::take(&mut self.before);
        whole.extend(data);
        whole.extend_from_slice(&self.outcome);
        let (by, program) = (self.by.clone(), self.program);
        let kept = self.journal.keep(Entry { data: whole, by, why: why.to_owned(), program })?;
        self.outcome.clear();
        let (kind, what) = why.split_once(' ').unwrap_or((why, ""));
        self.reporter.committed(kind, what, kept.t);
        Ok(kept)
    }

    /// What the record of a call is called in its transaction.
    fn call(&self) -> Value {
        Value::text(&format!("bridge-call-{}", self.number))
    }
}

impl Audit for Trail {
    fn before(&mut self, record: &Record<'_>) -> Result<(), Failure> {
        let mut state = self.lock();
        let what = record.operation.map_or_else(String::new, Keyword::to_string);
        let call = state.call();
        let data = record.transaction().into_iter().map(|entity| named(entity, &call)).collect();
        match state.commit(data, &format!("effect {what}")) {
            Ok(kept) => {
                state.call = kept.tempids.get(&call).copied();
                Ok(())
            }
            Err(error) => {
                let failure = Failure::new("bridge/unaudited", &error.to_string());
                state.refused = Some(error);
                Err(failure)
            }
        }
    }

    fn after(&mut self, record: &Record<'_>) {
        let mut state = self.lock();
        state.reporter.answered(record);
        if let Some(token) = record.token.filter(|_| record.performed) {
            let name = Value::Vector(vec![Value::keyword("shibi/id"), token.to_value()]);
            if !state.tokens.contains(&name) {
                state.tokens.push(name);
            }
        }
        let Some(call) = state.call.take() else {
            // Refused before it was recorded: the whole record follows with the next commit.
            let refused = format!("bridge-refused-{}-{}", state.number, state.outcome.len());
            let refused = Value::text(&refused);
            state
                .outcome
                .extend(record.transaction().into_iter().map(|entity| named(entity, &refused)));
            return;
        };
        let known = [
            ("bridge/outcome", Some(Value::Keyword(record.outcome()))),
            ("bridge/performed", Some(Value::Bool(record.performed))),
            ("bridge/message", message(record)),
        ];
        state.outcome.extend(known.into_iter().filter_map(|(attribute, value)| {
            let add = [Value::keyword("db/add"), Value::Ref(call), Value::keyword(attribute)];
            Some(Value::Vector([&add[..], &[value?]].concat()))
        }));
    }
}

/// The entity map under another tempid, so that two records in one transaction stay two.
fn named(entity: Value, tempid: &Value) -> Value {
    let mut map = entity.as_map().cloned().unwrap_or_default();
    map.insert(Value::keyword("db/id"), tempid.clone());
    Value::Map(map)
}

fn message(record: &Record<'_>) -> Option<Value> {
    let failure = record.answer?.as_ref().err()?;
    Some(Value::text(&failure.message))
}
