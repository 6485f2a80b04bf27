//! Forks: named branches of a database that share everything before.
//!
//! A fork is an entity of the database that it is a fork of. `:db.fork/base` says behind which transaction it
//! goes its own way, and each of its commits is one transaction there, which adds the fork's frame to
//! `:db.fork/frames` and moves `:db.fork/head`. So a fork is as durable, as shared between
//! processes and as well remembered as every other fact, and needs nothing of its own for it.
//!
//! 1. A fork's `t` goes on from its base without gaps; its frames are chained by their hashes.
//! 2. Who loses the race for the head works the transaction out again on the fork's new state.
//! 3. The state of a fork is that of its base ([`Database::at`]) with its frames applied: it costs
//!    what was said since, on either side, and nothing for what is shared.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use datom::{Datom, Frame, Value, Word};

use crate::apply::Applier;
use crate::builtin;
use crate::clock;
use crate::database::Database;
use crate::db::{Db, State};
use crate::error::Error;
use crate::history::Diff;
use crate::index::Index;
use crate::options::TransactOptions;
use crate::query::Columns;
use crate::recent::Whole;
use crate::report::{Report, States};
use crate::transact;
use crate::with;

/// Layers that a fork's state may grow to before it is made again from its base, in one.
const LAYERS_KEPT: usize = 64;

/// A named branch of a database: see [`Database::fork`].
pub struct Fork {
    database: Database,
    entity: u64,
    name: String,
    base: u64,
    /// The state that was made last; its basis is the head that it is of.
    made: Mutex<Option<Db>>,
}

/// What a fork is, without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForkInfo {
    /// Its name.
    pub name: String,
    /// The entity that stands for it.
    pub entity: u64,
    /// The transaction behind which it goes its own way.
    pub base: u64,
    /// Its own last transaction; the base, if there is none.
    pub head: u64,
}

impl Database {
    /// Makes a fork of the database as it is, or as it was right after transaction `at`.
    ///
    /// ```
    /// use daodb::Database;
    /// use datom::edn;
    ///
    /// let database = Database::memory()?;
    /// database.transact(&edn::read_all("{:db/ident :name :db/valueType :db.type/string}")?)?;
    /// let fork = database.fork("draft", None)?;
    /// fork.transact(&edn::read_all("{:name \"Ada\"}")?)?;
    ///
    /// let names = "[:find [?n ...] :where [_ :name ?n]]";
    /// assert_eq!(fork.db()?.q(names, &[])?, edn::read("[\"Ada\"]")?);
    /// assert_eq!(database.db()?.q(names, &[])?, edn::read("[]")?);
    /// fork.merge(&daodb::refuse)?;
    /// assert_eq!(database.db()?.q(names, &[])?, edn::read("[\"Ada\"]")?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Lookup`] when there is a fork of this name, or no such transaction yet;
    /// [`Error::Pruned`] when the state of that moment was given up; else as [`Database::transact`].
    pub fn fork(&self, name: &str, at: Option<u64>) -> Result<Fork, Error> {
        let make = |db: &Db| {
            if entity_of(db, name)?.is_some() {
                let why = "a fork of this name is there already; open it, or choose another name";
                return Err(Error::lookup(Value::text(name), why));
            }
            let base = at.unwrap_or(db.basis());
            if base > db.basis() {
                return Err(db.not_made(base));
            }
            db.as_of(base).check_held()?;
            Ok(vec![Value::map([
                (Value::keyword("db/id"), Value::text("fork")),
                (Value::keyword("db.fork/name"), Value::text(name)),
                (Value::keyword("db.fork/base"), number(base)),
                (Value::keyword("db.fork/head"), number(base)),
            ])])
        };
        self.transact_made(&make, &TransactOptions::default())?;
        self.open_fork(name)?.ok_or_else(|| Error::corrupt("a fork that was just made is gone"))
    }

    /// The fork of a name, if there is one.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn open_fork(&self, name: &str) -> Result<Option<Fork>, Error> {
        let db = self.db()?;
        let Some(entity) = entity_of(&db, name)? else { return Ok(None) };
        let ForkInfo { base, name, .. } = info(&db, entity)?;
        Ok(Some(Fork { database: self.clone(), entity, name, base, made: Mutex::default() }))
    }

    /// Every fork, by name.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn forks(&self) -> Result<Vec<ForkInfo>, Error> {
        list(&self.db()?)
    }
}

/// The forks that a state knows, by name.
pub(crate) fn list(db: &Db) -> Result<Vec<ForkInfo>, Error> {
    let facts = db.datoms(Index::Aevt, &[Word::entity(builtin::FORK_NAME)])?;
    let mut forks =
        facts.map(|fact| info(db, fact?.e)).collect::<Result<Vec<ForkInfo>, Error>>()?;
    forks.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(forks)
}

pub(crate) fn number(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn entity_of(db: &Db, name: &str) -> Result<Option<u64>, Error> {
    let name = [Value::keyword("db.fork/name"), Value::text(name)];
    db.entity_id(&Value::Vector(name.to_vec()))
}

fn info(db: &Db, entity: u64) -> Result<ForkInfo, Error> {
    let value = |a: u64| -> Result<Option<Value>, Error> {
        let mut facts = db.datoms(Index::Eavt, &[Word::entity(entity), Word::entity(a)])?;
        facts.next().transpose()?.map(|fact| db.value(fact.v)).transpose()
    };
    let number = |a: u64| match value(a)? {
        Some(Value::Int(number)) => {
            u64::try_from(number).map_err(|_| Error::corrupt(format!("fork {entity}: {number}")))
        }
        _ => Err(Error::corrupt(format!("fork {entity} lacks its base or head"))),
    };
    let (base, head) = (number(builtin::FORK_BASE)?, number(builtin::FORK_HEAD)?);
    let name = value(builtin::FORK_NAME)?;
    let name = name.as_ref().and_then(Value::as_text).unwrap_or_default().to_owned();
    Ok(ForkInfo { name, entity, base, head })
}

impl Fork {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The entity that stands for it in the database.
    #[must_use]
    pub fn entity(&self) -> u64 {
        self.entity
    }

    /// The database that it is a fork of.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The transaction behind which it goes its own way.
    #[must_use]
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The fork as it is now.
    ///
    /// # Errors
    /// When it is gone, or the world is damaged.
    pub fn db(&self) -> Result<Db, Error> {
        self.state(&self.database.db()?)
    }

    /// The fork as the database in state `db` knows it.
    pub(crate) fn state(&self, db: &Db) -> Result<Db, Error> {
        if entity_of(db, &self.name)? != Some(self.entity) {
            return Err(Error::lookup(Value::text(&self.name), "the fork was retracted"));
        }
        let head = info(db, self.entity)?.head;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made.as_ref().filter(|known| known.basis() == head) {
            return Ok(known.clone());
        }
        let go_on = made
            .take()
            .filter(|known| known.basis() < head && known.state().memory.depth() < LAYERS_KEPT);
        let from = match go_on {
            Some(known) => known,
            None => self.database.at(self.base)?,
        };
        let frames = self.frames(db, from.basis(), head)?;
        let state = replay(from.shared(), &frames)?;
        *made = Some(state.clone());
        Ok(state)
    }

    /// The fork's frames after `from` up to and with `to`, in order.
    pub(crate) fn frames(&self, db: &Db, from: u64, to: u64) -> Result<Vec<Frame>, Error> {
        if from >= to {
            return Ok(Vec::new());
        }
        let key = [Word::entity(self.entity), Word::entity(builtin::FORK_FRAMES)];
        let mut frames = BTreeMap::new();
        // The newest are those that are wanted, and words of values say nothing of their order.
        let mut facts: Vec<Datom> = db.datoms(Index::Eavt, &key)?.collect::<Result<_, Error>>()?;
        facts.sort_unstable_by_key(|fact| std::cmp::Reverse(fact.t));
        for fact in facts {
            let Value::Bytes(bytes) = db.value(fact.v)? else { continue };
            let (frame, _) = Frame::decode(&bytes).map_err(|error| {
                Error::corrupt(format!("a frame of fork {}: {error}", self.name))
            })?;
            let t = frame.t;
            if t > from && t <= to {
                frames.insert(t, frame);
            }
            if t <= from + 1 {
                break;
            }
        }
        if frames.len() as u64 != to - from {
            return Err(Error::corrupt(format!("fork {} lacks frames up to {to}", self.name)));
        }
        Ok(frames.into_values().collect())
    }

    /// Makes a transaction in the fork.
    ///
    /// # Errors
    /// As [`Database::transact`].
    pub fn transact(&self, data: &[Value]) -> Result<Report, Error> {
        self.transact_with(data, &TransactOptions::default())
    }

    /// As [`Fork::transact`], in another way than the world was opened with.
    ///
    /// # Errors
    /// As [`Database::transact`].
    pub fn transact_with(
        &self,
        data: &[Value],
        options: &TransactOptions,
    ) -> Result<Report, Error> {
        let made: Mutex<Option<Report>> = Mutex::default();
        let make = |db: &Db| {
            let before = self.state(db)?;
            let metadata = options.metadata.as_ref();
            let prepared = transact::prepare(before.shared(), data, metadata, clock::now())?;
            let proposal = prepared.proposal;
            let (datoms, db_after) = with::speculate(before.shared(), &proposal)?;
            transact::ensure(&before.state().functions, &db_after, &prepared.ensures)?;
            let head = number(proposal.frame.t);
            let bytes = Value::Bytes(proposal.frame.encode().into());
            let entity = Value::Ref(self.entity);
            let add = |name: &str, value: Value| {
                Value::Vector(vec![
                    Value::keyword("db/add"),
                    entity.clone(),
                    Value::keyword(name),
                    value,
                ])
            };
            *made.lock().unwrap_or_else(PoisonError::into_inner) = Some(Report {
                states: States::Known { before, after: db_after },
                t: proposal.frame.t,
                instant: proposal.frame.instant,
                datoms,
                tempids: proposal.tempids,
            });
            Ok(vec![add("db.fork/head", head), add("db.fork/frames", bytes)])
        };
        let own = TransactOptions { metadata: None, ..options.clone() };
        self.database.transact_made(&make, &own)?;
        let report = made.into_inner().unwrap_or_else(PoisonError::into_inner);
        let report = report.ok_or_else(|| Error::corrupt("a transaction without a report"))?;
        let kept = report.db_after()?;
        if kept.state().memory.depth() < LAYERS_KEPT {
            *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        }
        Ok(report)
    }

    /// The facts that hold in the fork and did not at its base, and the other way round.
    ///
    /// Costs what was said in the fork.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn diff(&self) -> Result<Diff, Error> {
        let db = self.database.db()?;
        let state = self.state(&db)?;
        self.changes(&db, &state, self.base)
    }

    /// What the fork changed after its transaction `from`, in the words of its state.
    pub(crate) fn changes(&self, db: &Db, state: &Db, from: u64) -> Result<Diff, Error> {
        let mut datoms = Vec::new();
        for frame in self.frames(db, from, state.basis())? {
            datoms.extend(state.localise(&frame)?);
        }
        Ok(Diff::of(datoms))
    }

    /// Retracts the fork. Its commits stay in the history of the database.
    ///
    /// # Errors
    /// As [`Database::transact`].
    pub fn retract(self) -> Result<Report, Error> {
        let entity = Value::Ref(self.entity);
        let form = vec![Value::keyword("db/retractEntity"), entity];
        self.database.transact(&[Value::Vector(form)])
    }
}

/// A state with frames applied, as one layer.
fn replay(from: &Arc<State>, frames: &[Frame]) -> Result<Db, Error> {
    if frames.is_empty() {
        return Ok(Db::new(from.clone()));
    }
    let mut layer = from.memory.layer();
    let mut next = Applier::new(from.record, from.schema.clone());
    for frame in frames {
        if (frame.t, frame.previous) != (next.record.t + 1, next.record.hash) {
            return Err(Error::corrupt(format!(
                "frame {} of a fork does not go on where its state ends, at {}",
                frame.t, next.record.t
            )));
        }
        next.apply(&mut layer, frame, &[], None)?;
        next.record.hash = frame.hash();
    }
    next.flush(&mut layer)?;
    let (record, schema) = (next.record, next.schema);
    let functions = from.functions.clone();
    Ok(Db::new(Arc::new(State {
        memory: layer.finish(),
        record,
        schema,
        functions,
        columns: Arc::new(Columns::new(record.t, from.columns.budget().clone())),
        whole: Whole::default(),
    })))
}

impl Db {
    pub(crate) fn not_made(&self, t: u64) -> Error {
        Error::lookup(number(t), format!("transactions run from 1 to {}", self.basis()))
    }
}

impl std::fmt::Debug for Fork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fork").field("name", &self.name).field("base", &self.base).finish()
    }
}
