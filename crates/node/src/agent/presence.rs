//! How an agent stands just now: what the world says of it, and whether a process runs it.
//!
//! 1. An agent that is to run and that no process runs is stopped: its process was killed, used up its
//!    fuel or was interrupted. That is no fact of the world, for who was killed states nothing.
//! 2. It was so at one moment: the world said the same before and after it was asked who runs it.

use std::path::Path;

use daodb::{Database, Db, Index};
use datom::{Keyword, Value, Word, id};

use super::{Lease, MOVING, RUNNING, Record, lookup};
use crate::fault::Fault;

/// The agent is to run, and no process runs it.
pub(crate) const STOPPED: &str = "agent.status/stopped";

/// How an agent stands.
pub(crate) struct Presence {
    /// What the world knew of it at that moment.
    pub(crate) record: Record,
    /// Its status, or that it is stopped.
    pub(crate) status: Keyword,
    /// The process that runs it.
    pub(crate) process: Option<i64>,
    /// When the world kept something of it last.
    pub(crate) kept: Value,
}

impl Presence {
    /// How the agent of a name stands in the world of a folder; `None` if there is none.
    pub(crate) fn of(
        database: &Database,
        world: &Path,
        name: &str,
    ) -> Result<Option<Self>, Box<Fault>> {
        let known = || -> Result<Option<(Db, Record)>, Box<Fault>> {
            let db = database.db()?;
            Ok(Record::of(&db, name)?.map(|record| (db, record)))
        };
        let Some((mut db, mut record)) = known()? else { return Ok(None) };
        let is_held = loop {
            if !matches!(record.status(), RUNNING | MOVING) {
                break false;
            }
            let is_held = Lease::is_held(world, name)?;
            let Some((later, again)) = known()? else { return Ok(None) };
            let is_same = (again.epoch(), again.status()) == (record.epoch(), record.status());
            (db, record) = (later, again);
            if is_same {
                break is_held;
            }
        };
        let status = match record.status() {
            RUNNING | MOVING if !is_held => STOPPED,
            status => status,
        };
        Ok(Some(Self {
            status: status.into(),
            process: is_held.then(|| record.process()),
            kept: kept(&db, name)?,
            record,
        }))
    }
}

/// When the world kept something of an agent last.
fn kept(db: &Db, name: &str) -> Result<Value, Box<Fault>> {
    let Some(entity) = db.entity_id(&lookup(name))? else { return Ok(Value::Nil) };
    let mut last = 0;
    for fact in db.datoms(Index::Eavt, &[Word::entity(entity)])? {
        last = last.max(fact?.t);
    }
    instant(db, last)
}

/// In which transaction an agent began, and when.
pub(crate) fn began(db: &Db, record: &Record) -> Result<Option<(u64, Value)>, Box<Fault>> {
    // Its name is stated first, and for good.
    let t = record.since(db, "agent/name")?;
    t.map(|t| Ok((t, instant(db, t)?))).transpose()
}

/// When a transaction was made.
fn instant(db: &Db, t: u64) -> Result<Value, Box<Fault>> {
    let transaction = db.entity(&Value::Ref(id::transaction(t)))?;
    let instant = transaction.map(|transaction| transaction.get("db/txInstant")).transpose()?;
    Ok(instant.flatten().unwrap_or(Value::Nil))
}
