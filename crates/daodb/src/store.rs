//! One state in shared memory: reading the newest, and publishing the next.
//!
//! 1. One root swap is one commit; `t` grows by one with each, in any process.
//! 2. What loses the race has changed nothing and is worked out again on the new state, so
//!    comparisons, upserts and uniqueness are always judged on the state they are applied to.
//! 3. Writers of a process that lose queue up behind a lock, so none of them starves the others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datom::frame::Header;
use datom::{Datom, Frame, Value};
use eve::{CommitError, Slab, Snapshot};

use crate::apply::{self, Applier};
use crate::db::{Db, State};
use crate::error::Error;
use crate::foreign;
use crate::function::Functions;
use crate::log::{Holding, Link, Mark, Position};
use crate::pending;
use crate::query::{Budget, Columns};
use crate::record::Record;
use crate::report::Report;
use crate::schema::Schema;
use crate::transact::{self, Prepared, Proposal};
use crate::with;

/// Transactions of others that columns are gone on over; beyond, they are read anew.
const FRAMES_MAX: u64 = 256;

/// What a transaction is to do.
#[derive(Clone, Copy)]
pub(crate) enum Data<'d> {
    Given(&'d [Value]),
    /// Worked out on the state that it is then committed on.
    Made(&'d Make<'d>),
    /// The same, down to the frame.
    Prepared(&'d Prepare<'d>),
}

/// Data for a state.
pub(crate) type Make<'m> = dyn Fn(&Db) -> Result<Vec<Value>, Error> + 'm;
/// A transaction for a state, made at an instant.
pub(crate) type Prepare<'m> = dyn Fn(&Db, i64) -> Result<Prepared, Error> + 'm;

/// A slab with a database in it.
pub(crate) struct Store {
    slab: Slab,
    /// Frames stay in memory for good: there is no log.
    keeps_frames: bool,
    /// The schema that was used last, by the `t` that made it.
    schema: Mutex<Option<(u64, Arc<Schema>)>>,
    /// What queries made of the state that was read last.
    columns: Mutex<Arc<Columns>>,
    /// Writers that lost a race wait here for each other.
    queue: Mutex<()>,
    /// Which log the region's mark must be of.
    log_id: u64,
    functions: Arc<Functions>,
}

impl Store {
    /// The database of a slab, which is made if the slab is empty.
    /// Without a log, whose id is given, frames stay in memory for good.
    pub(crate) fn new(slab: Slab, log_id: Option<u64>, budget: Arc<Budget>) -> Result<Self, Error> {
        let store = Self {
            slab,
            keeps_frames: log_id.is_none(),
            schema: Mutex::new(None),
            columns: Mutex::new(Arc::new(Columns::new(0, budget))),
            queue: Mutex::new(()),
            log_id: log_id.unwrap_or(0),
            functions: Arc::default(),
        };
        while store.slab.snapshot()?.root().is_none() {
            let mut txn = store.slab.begin()?;
            let record = apply::genesis(&mut txn)?.record;
            let root = record.write(&mut txn)?;
            match txn.commit(root) {
                Ok(_) | Err(CommitError::Conflict) => {}
                Err(CommitError::Failed(error)) => return Err(error.into()),
                Err(other) => return Err(Error::corrupt(other.to_string())),
            }
        }
        Ok(store)
    }

    pub(crate) fn slab(&self) -> &Slab {
        &self.slab
    }

    /// The newest state.
    pub(crate) fn db(&self) -> Result<Db, Error> {
        self.state(self.slab.snapshot()?).map(Db::new)
    }

    /// What transactions can call.
    pub(crate) fn functions(&self) -> &Functions {
        &self.functions
    }

    pub(crate) fn state(&self, snapshot: Snapshot) -> Result<Arc<State>, Error> {
        let record = Record::read(&snapshot, snapshot.root())?;
        let schema = self.schema(&snapshot, &record)?;
        let functions = self.functions.clone();
        let columns = self.columns(&snapshot, &record)?;
        Ok(Arc::new(State { memory: snapshot.into(), record, schema, functions, columns }))
    }

    /// The columns of a state: gone on with from those of the state that was read last, if what was
    /// committed since can still be read, else none.
    fn columns(&self, snapshot: &Snapshot, record: &Record) -> Result<Arc<Columns>, Error> {
        let mut kept = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.t() == record.t {
            return Ok(kept.clone());
        }
        let fresh = || kept.anew(record.t);
        if record.t < kept.t() {
            return Ok(Arc::new(fresh()));
        }
        let mut next = None;
        if !kept.is_empty() && kept.t() >= record.floor && record.t - kept.t() <= FRAMES_MAX {
            for frame in pending::list(snapshot, record, kept.t())? {
                let Ok((frame, _)) = Frame::decode(frame.bytes) else {
                    return Err(Error::corrupt(format!("frame {} in the region", frame.t)));
                };
                let datoms = apply::datoms(snapshot, record, &frame)?;
                next = Some(next.as_ref().unwrap_or(&**kept).next(frame.t, &datoms));
            }
        }
        *kept = Arc::new(next.unwrap_or_else(fresh));
        Ok(kept.clone())
    }

    /// Takes note of what this process has committed.
    fn note(&self, t: u64, datoms: &[Datom]) {
        let mut kept = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.t() + 1 == t {
            *kept = Arc::new(kept.next(t, datoms));
        }
    }

    fn schema(&self, snapshot: &Snapshot, record: &Record) -> Result<Arc<Schema>, Error> {
        let mut cached = self.schema.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cached {
            Some((t, schema)) if *t == record.schema_t => Ok(schema.clone()),
            _ => {
                let schema = Arc::new(Schema::load(snapshot, record)?);
                *cached = Some((record.schema_t, schema.clone()));
                Ok(schema)
            }
        }
    }

    /// Works out a transaction and publishes it.
    pub(crate) fn transact(
        &self,
        data: Data<'_>,
        metadata: Option<&Value>,
        durable: impl Fn() -> u64,
        now: impl Fn() -> i64,
    ) -> Result<Report, Error> {
        let mut queued = None;
        loop {
            let txn = self.slab.begin()?;
            let before = self.state(txn.snapshot().clone())?;
            let state = || Db::new(before.clone());
            let prepared = match data {
                Data::Given(data) => transact::prepare(&before, data, metadata, now())?,
                Data::Made(make) => transact::prepare(&before, &make(&state())?, metadata, now())?,
                Data::Prepared(prepare) => prepare(&state(), now())?,
            };
            let proposal = prepared.proposal;
            if !prepared.ensures.is_empty() {
                let (_, after) = with::speculate(&before, &proposal)?;
                transact::ensure(&self.functions, &after, &prepared.ensures)?;
            }
            if let Some((datoms, after)) = self.publish(txn, &before, &proposal, durable())? {
                return Ok(Report {
                    db_before: Db::new(before),
                    db_after: after,
                    t: proposal.frame.t,
                    instant: proposal.frame.instant,
                    datoms,
                    tempids: proposal.tempids,
                });
            }
            if queued.is_none() {
                queued = Some(self.queue.lock().unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    /// Publishes a frame that was worked out elsewhere, if it goes on where the state ends: else
    /// answers false.
    pub(crate) fn publish_frame(&self, frame: &Frame, durable_t: u64) -> Result<bool, Error> {
        let txn = self.slab.begin()?;
        let before = self.state(txn.snapshot().clone())?;
        if (frame.t, frame.previous) != (before.record.t + 1, before.record.hash) {
            return Ok(false);
        }
        foreign::check(&before, frame)?;
        let proposal = Proposal::foreign(frame.clone());
        Ok(self.publish(txn, &before, &proposal, durable_t)?.is_some())
    }

    /// Applies a proposal to the state it was worked out on. `None` when another commit came first.
    fn publish(
        &self,
        mut txn: eve::Txn,
        before: &Arc<State>,
        proposal: &Proposal,
        durable_t: u64,
    ) -> Result<Option<(Vec<Datom>, Db)>, Error> {
        let Proposal { frame, known, schema, .. } = proposal;
        let (bytes, hash) = frame.encode_and_hash();
        let mut record = before.record;
        let mut dropped = 0;
        if !self.keeps_frames {
            dropped = pending::drop_durable(&mut txn, &mut record, durable_t)?;
        }
        let mut next = match proposal.fits {
            true => Applier::fitting(record, before.schema.clone()),
            false => Applier::new(record, before.schema.clone()),
        };
        let datoms = next.apply(&mut txn, frame, known, schema.clone())?;
        next.flush(&mut txn)?;
        let mut record = next.record;
        record.hash = hash;
        pending::push(&mut txn, &mut record, frame.t, &bytes)?;
        let root = record.write(&mut txn)?;
        eve::Write::retire(&mut txn, before.memory.commit().root());
        match txn.commit(root) {
            Ok(_) => {}
            Err(CommitError::Conflict) => return Ok(None),
            Err(CommitError::Failed(error)) => return Err(error.into()),
            Err(other) => return Err(Error::corrupt(other.to_string())),
        }
        if dropped >= pending::DROP_BYTES {
            // Not left to the next commits: a load in large transactions would take their room, too. What
            // somebody still sees stays, and what cannot be cleared away now is later.
            let _ = self.slab.reclaim();
        }
        self.note(frame.t, &datoms);
        if let Some(schema) = schema.as_ref().filter(|_| record.schema_t == frame.t) {
            let mut cached = self.schema.lock().unwrap_or_else(PoisonError::into_inner);
            *cached = Some((frame.t, schema.clone()));
        }
        let after = self.db()?;
        if after.basis() == frame.t {
            return Ok(Some((datoms, after)));
        }
        // Others have committed since, and the state right after this commit is gone. What it was
        // follows from the one before it.
        Ok(Some(with::speculate(before, proposal)?))
    }

    /// Applies frames of the log to the state they go on behind, as one commit, until `frames` ends
    /// or `batch_datoms` are applied. Answers the new `t`.
    pub(crate) fn replay<E>(
        &self,
        frames: &mut impl Iterator<Item = Result<Frame, E>>,
        batch_datoms: usize,
    ) -> Result<u64, Error>
    where
        Error: From<E>,
    {
        let mut txn = self.slab.begin()?;
        let base = txn.snapshot().clone();
        let record = Record::read(&base, base.root())?;
        let schema = Arc::new(Schema::load(&base, &record)?);
        let stale: Vec<_> =
            pending::list(&base, &record, record.floor)?.iter().map(|frame| frame.at).collect();
        let mut next = Applier::new(record, schema);
        let mut datoms = 0;
        while datoms < batch_datoms {
            let Some(frame) = frames.next() else { break };
            let frame = frame?;
            if (frame.t, frame.previous) != (next.record.t + 1, next.record.hash) {
                return Err(Error::corrupt(format!(
                    "frame {} of the log does not go on where the state ends, at {}",
                    frame.t, next.record.t
                )));
            }
            datoms += next.apply(&mut txn, &frame, &[], None)?.len();
            next.record.hash = frame.hash();
        }
        next.flush(&mut txn)?;
        let mut record = next.record;
        for at in stale {
            eve::Write::retire(&mut txn, at);
        }
        record.frame = eve::Addr::NONE;
        record.floor = record.t;
        let root = record.write(&mut txn)?;
        eve::Write::retire(&mut txn, base.root());
        match txn.commit(root) {
            Ok(_) => Ok(record.t),
            Err(CommitError::Failed(error)) => Err(error.into()),
            Err(other) => Err(Error::corrupt(format!("somebody wrote during a rebuild: {other}"))),
        }
    }
}

fn hash_of(frame: &[u8]) -> Result<[u8; 32], Error> {
    let header = Header::decode(frame);
    header.map(|header| header.hash).map_err(|error| Error::corrupt(error.to_string()))
}

/// The words of the region that hold the end of the log.
mod word {
    pub(super) const DURABLE_T: usize = 0;
    pub(super) const SEGMENT: usize = 1;
    pub(super) const OFFSET: usize = 2;
    pub(super) const HASH: usize = 3;
    pub(super) const CHECK: usize = 7;
}

impl Store {
    /// The last transaction that is on the disk.
    pub(crate) fn durable_t(&self) -> u64 {
        // Pairs with the release in `Mark::store`: who sees the number may rely on the file.
        self.word(word::DURABLE_T).load(Ordering::Acquire)
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        self.slab.user_word(index)
    }
}

/// Binds a position to its log: the mark of a region that belongs to another log does not fit.
fn check(log_id: u64, position: &Position) -> u64 {
    let mut bytes = Vec::with_capacity(64);
    for word in [log_id, position.segment, position.offset, position.end.t] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(&position.end.hash);
    let hash = blake3::hash(&bytes);
    hash.as_bytes().first_chunk().map_or(1, |first| u64::from_le_bytes(*first))
}

/// Only the holder of the log's lease calls these, and the lease orders them.
impl Mark for Store {
    fn load(&self) -> Option<Position> {
        let load = |index| self.word(index).load(Ordering::Relaxed);
        let mut hash = [0; 32];
        for (place, bytes) in hash.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            *bytes = load(word::HASH + place).to_le_bytes();
        }
        let end = Link { t: load(word::DURABLE_T), hash };
        let position = Position { segment: load(word::SEGMENT), offset: load(word::OFFSET), end };
        (load(word::CHECK) == check(self.log_id, &position)).then_some(position)
    }

    fn forget(&self) {
        self.word(word::CHECK).store(0, Ordering::Release);
        self.word(word::DURABLE_T).store(0, Ordering::Release);
    }

    fn store(&self, position: &Position) {
        let store = |index, value| self.word(index).store(value, Ordering::Relaxed);
        // Whoever dies in between leaves a check that does not fit, and the log is read again.
        store(word::CHECK, 0);
        store(word::SEGMENT, position.segment);
        store(word::OFFSET, position.offset);
        for (place, bytes) in position.end.hash.as_chunks::<8>().0.iter().enumerate() {
            store(word::HASH + place, u64::from_le_bytes(*bytes));
        }
        // Pairs with the acquire in `Store::durable_t`.
        self.word(word::DURABLE_T).store(position.end.t, Ordering::Release);
        self.word(word::CHECK).store(check(self.log_id, position), Ordering::Release);
    }

    fn holding(&self, end: Link, promised: Option<Link>) -> Result<Holding, Error> {
        let snapshot = self.slab.snapshot()?;
        let record = Record::read(&snapshot, snapshot.root())?;
        if record.t <= end.t {
            return Ok(Holding::Frames { through: end.t });
        }
        if end.t < record.floor {
            return Ok(Holding::GivenUp { floor: record.floor });
        }
        // They may have to stand in for damaged ones, so each is looked through.
        let mut last = end;
        for frame in pending::list(&snapshot, &record, end.t)? {
            let Ok((found, _)) = Frame::decode(frame.bytes) else {
                return Err(Error::corrupt(format!("frame {} in the region", frame.t)));
            };
            let link = Link { t: frame.t, hash: hash_of(frame.bytes)? };
            let is_other = promised.is_some_and(|p| p.t == link.t && p.hash != link.hash);
            if (found.t, found.previous) != (last.t + 1, last.hash) || is_other {
                return Ok(Holding::OtherHistory);
            }
            last = link;
        }
        Ok(Holding::Frames { through: last.t })
    }
}
