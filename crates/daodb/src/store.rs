//! One state in shared memory: reading the newest, and publishing the next.
//!
//! 1. One root swap is one commit; `t` grows by one with each, in any process.
//! 2. What loses the race has changed nothing and is worked out again on the new state, so
//!    comparisons, upserts and uniqueness are always judged on the state they are applied to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datom::Frame;
use datom::frame::Header;
use eve::{CommitError, Slab, Snapshot};

use crate::apply::{self, Applier};
use crate::batch::{Batch, Made};
use crate::db::{Db, State};
use crate::error::Error;
use crate::foreign;
use crate::function::Functions;
use crate::log::{Holding, Link, Mark, Position, Writer};
use crate::pending;
use crate::precedence::{Precedence, Tries};
use crate::query::{Budget, Columns};
use crate::recent::Whole;
use crate::record::Record;
use crate::schema::Schema;
use crate::transact::Proposal;

/// Transactions of others that columns are gone on over; beyond, they are read anew.
const FRAMES_MAX: u64 = 256;

/// A slab with a database in it.
pub(crate) struct Store {
    slab: Slab,
    keeps_frames: bool,
    /// The schema that was used last, by the `t` that made it.
    schema: Mutex<Option<(u64, Arc<Schema>)>>,
    /// What queries made of the state that was read last.
    columns: Mutex<Arc<Columns>>,
    /// Held by who gives frames up.
    releasing: Mutex<()>,
    /// Which log the region's mark must be of.
    log_id: u64,
    precedence: Precedence,
    functions: Arc<Functions>,
}

impl Store {
    /// The database of a slab, which is made if the slab is empty.
    /// Without a log, frames stay in memory for good.
    pub(crate) fn new(
        slab: Slab,
        log: Option<&Writer>,
        budget: Arc<Budget>,
    ) -> Result<Self, Error> {
        let store = Self {
            slab,
            keeps_frames: log.is_none(),
            schema: Mutex::new(None),
            columns: Mutex::new(Arc::new(Columns::new(0, budget))),
            releasing: Mutex::new(()),
            log_id: log.map_or(0, Writer::id),
            precedence: Precedence::new(log.map(Writer::folder)),
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

    /// Whether frames stay in memory for good: there is no log.
    pub(crate) fn keeps_frames(&self) -> bool {
        self.keeps_frames
    }

    pub(crate) fn slab(&self) -> &Slab {
        &self.slab
    }

    /// The newest state.
    pub(crate) fn db(&self) -> Result<Db, Error> {
        self.state(self.slab.snapshot()?).map(Db::new)
    }

    /// The tries to make a commit.
    pub(crate) fn tries(&self) -> Tries<'_> {
        Tries::new(&self.precedence, &self.slab)
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
        let whole = Whole::default();
        Ok(Arc::new(State { memory: snapshot.into(), record, schema, functions, columns, whole }))
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

    /// Takes note of what this process has committed.
    pub(crate) fn note(&self, made: &[Made], schema_t: u64, schema: &Arc<Schema>) {
        let mut kept = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        for Made { proposal, datoms, .. } in made {
            if kept.t() + 1 == proposal.frame.t {
                *kept = Arc::new(kept.next(proposal.frame.t, datoms));
            }
        }
        drop(kept);
        if made.iter().any(|made| made.proposal.frame.t == schema_t) {
            let mut cached = self.schema.lock().unwrap_or_else(PoisonError::into_inner);
            *cached = Some((schema_t, schema.clone()));
        }
    }

    /// Publishes a frame that was worked out elsewhere, if it goes on where the state ends: else
    /// answers false.
    pub(crate) fn publish_frame(&self, frame: &Frame, durable_t: u64) -> Result<bool, Error> {
        self.precedence.give_way(&self.slab);
        let mut batch = Batch::begin(self, durable_t)?;
        let before = batch.before();
        if (frame.t, frame.previous) != (before.record.t + 1, before.record.hash) {
            return Ok(false);
        }
        foreign::check(before, frame)?;
        batch.add(Proposal::foreign(frame.clone()))?;
        Ok(batch.publish()?.is_some())
    }

    /// Changes what the region holds, and not what it says: a commit without a transaction. `change`
    /// answers whether there is anything to it, and runs again when another commit came first.
    pub(crate) fn change(
        &self,
        change: impl Fn(&Db, &mut eve::Txn, &mut Record) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut tries = self.tries();
        loop {
            tries.begin();
            let mut txn = self.slab.begin()?;
            let snapshot = txn.snapshot().clone();
            let before = Db::new(self.state(snapshot.clone())?);
            let mut record = before.state().record;
            if !change(&before, &mut txn, &mut record)? {
                return Ok(());
            }
            let root = record.write(&mut txn)?;
            eve::Write::retire(&mut txn, snapshot.root());
            match txn.commit(root) {
                Ok(_) => return Ok(()),
                Err(CommitError::Conflict) => tries.lost(),
                Err(CommitError::Failed(error)) => return Err(error.into()),
                Err(other) => return Err(Error::corrupt(other.to_string())),
            }
        }
    }

    /// Gives back the room of frames that are on the disk, where a large one is among the newest: it would
    /// stay until another transaction came, and take as much as all indexes of what it says.
    pub(crate) fn release_frames(&self) -> Result<(), Error> {
        // Of two at once one would see what the other gives up, and so keep it.
        let _alone = self.releasing.lock().unwrap_or_else(PoisonError::into_inner);
        self.change(|_, txn, record| {
            let dropped = pending::drop_durable(txn, record, self.durable_t())?;
            Ok(dropped >= pending::DROP_BYTES)
        })?;
        // What nobody sees any more goes at once; the rest when those who see it are gone.
        self.slab.reclaim()?;
        Ok(())
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
    /// How often the lease of the log was given back, and what who waits for it sleeps on.
    pub(super) const LEASES: usize = 9;
}

/// Who waits for the lease of the log looks this often whether its holder has died.
const LOOK: Duration = Duration::from_millis(5);

impl Store {
    /// The last transaction that is on the disk.
    pub(crate) fn durable_t(&self) -> u64 {
        // Pairs with the release in `Mark::store`: who sees the number may rely on the file.
        self.word(word::DURABLE_T).load(Ordering::Acquire)
    }

    /// How often the lease of the log was given back.
    pub(crate) fn leases(&self) -> u64 {
        self.word(word::LEASES).load(Ordering::Acquire)
    }

    /// Sleeps until the lease of the log was given back oftener than `seen` times, or its holder may have died.
    pub(crate) fn wait_for_lease(&self, seen: u64) {
        self.slab.wait_user(word::LEASES, seen, LOOK);
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

    fn given_back(&self) {
        // Pairs with the acquire in `leases`: who sees it finds the lease free, or taken anew.
        self.word(word::LEASES).fetch_add(1, Ordering::Release);
        self.slab.wake_user(word::LEASES);
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
