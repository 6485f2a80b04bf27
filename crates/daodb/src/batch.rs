//! Transactions that become one commit: worked out one after the other, each on the state after the
//! one before, and published by one swap of the root.
//!
//! 1. Each has its own `t`, frame, report and fate: one that is refused has done nothing, and the next
//!    is worked out as if it had not been there.
//! 2. All that are not refused are published at once. Only the order is seen, never a part.
//! 3. A batch that lost the race to another process has done nothing and is worked out again on the new
//!    state, so comparisons, upserts and uniqueness are always judged on the state they are applied to.
//! 4. Code sees committed states alone: a transaction that calls some is the first of its batch.
//! 5. Who loses again and again is let go first ([`Tries`](crate::precedence::Tries)).
//! 6. What a transaction's state in between was is made when somebody asks for it ([`Report::db_after`]).

use std::sync::Arc;

use datom::{Datom, Value};
use eve::{CommitError, Txn, Write};

use crate::apply::Applier;
use crate::aside;
use crate::clock;
use crate::db::{Db, State};
use crate::error::Error;
use crate::lookup::Basis;
use crate::pending;
use crate::record::Record;
use crate::report::{Report, Said, Several, States};
use crate::rewind::Moment;
use crate::schema::Schema;
use crate::store::Store;
use crate::transact::{self, Prepared, Proposal, Statement};
use crate::with;

/// Transactions of one batch.
const BATCH_MAX: usize = 1 << 10;
/// A batch ends behind the transaction with which it has so many datoms.
const DATOMS_MAX: usize = 1 << 14;

/// What a transaction is to do.
#[derive(Clone, Copy)]
pub(crate) enum Data<'d> {
    Given(&'d [Value]),
    Facts(&'d [Statement]),
    /// Worked out on the state that it is then committed on.
    Made(&'d Make<'d>),
    /// The same, down to the frame.
    Prepared(&'d Prepare<'d>),
}

/// Data for a state.
pub(crate) type Make<'m> = dyn Fn(&Db) -> Result<Vec<Value>, Error> + 'm;
/// A transaction for a state, made at an instant.
pub(crate) type Prepare<'m> = dyn Fn(&Db, i64) -> Result<Prepared, Error> + 'm;

/// A transaction that is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'d> {
    pub(crate) data: Data<'d>,
    pub(crate) metadata: Option<&'d Value>,
    /// Another thread asked for it, on which alone its code may be called.
    pub(crate) is_anothers: bool,
}

/// What became of it. `None`: it calls code of another thread's.
pub(crate) type Fate = Option<Result<Report, Error>>;

/// How a transaction was worked out.
enum WorkedOut {
    To(Proposal),
    /// It calls code, so it has to be the first of a batch.
    First,
    /// It calls code of another thread's.
    Apart,
}

/// A transaction of a batch.
pub(crate) struct Made {
    pub(crate) proposal: Proposal,
    pub(crate) datoms: Vec<Datom>,
    hash: [u8; 32],
}

/// A commit in the making.
pub(crate) struct Batch<'s> {
    store: &'s Store,
    txn: Txn,
    before: Arc<State>,
    /// The state after what was made so far.
    record: Record,
    schema: Arc<Schema>,
    made: Vec<Made>,
    /// Bytes of durable frames that the region gives up with it.
    dropped: usize,
}

/// How far the working out of a batch came.
enum Round {
    /// So many were answered; what was made is published.
    Done,
    /// Another process was first.
    Lost,
    /// Nothing was published: it has to be tried with fewer.
    Fewer(usize),
}

impl Store {
    /// Makes transactions, in order, and answers for each.
    pub(crate) fn commit(&self, asked: &[Asked<'_>], durable: &dyn Fn() -> u64) -> Vec<Fate> {
        let mut fates = Vec::with_capacity(asked.len());
        let mut limit = BATCH_MAX;
        let mut tries = self.tries();
        while fates.len() < asked.len() {
            let rest = asked.get(fates.len()..).unwrap_or_default();
            let rest = rest.get(..limit).unwrap_or(rest);
            tries.begin();
            match self.round(rest, durable(), &mut fates) {
                Round::Done => {
                    limit = BATCH_MAX;
                    tries = self.tries();
                }
                // A shorter one is sooner done, before another process is again.
                Round::Lost => {
                    limit = (rest.len() / 2).max(1);
                    tries.lost();
                }
                Round::Fewer(fewer) => limit = fewer,
            }
        }
        fates
    }

    /// One batch: as many of those asked for as go into it.
    fn round(&self, asked: &[Asked<'_>], durable_t: u64, fates: &mut Vec<Fate>) -> Round {
        let mut batch = match Batch::begin(self, durable_t) {
            Ok(batch) => batch,
            Err(error) => {
                fates.push(Some(Err(error)));
                return Round::Done;
            }
        };
        // Of each: what became of it, if not that it was made.
        let mut others = Vec::with_capacity(asked.len());
        let mut datoms = 0;
        for asked in asked {
            let proposal = match batch.work_out(*asked) {
                Ok(WorkedOut::To(proposal)) => proposal,
                Ok(WorkedOut::First) => break,
                Ok(WorkedOut::Apart) => {
                    others.push(Some(None));
                    continue;
                }
                Err(error) => {
                    others.push(Some(Some(Err(error))));
                    continue;
                }
            };
            datoms += proposal.frame.datoms.len();
            if let Err(error) = batch.add(proposal) {
                // The batch has traces of it now. Without those before, it is told; they are first.
                if others.is_empty() {
                    fates.push(Some(Err(error)));
                    return Round::Done;
                }
                return Round::Fewer(others.len());
            }
            others.push(None);
            if datoms >= DATOMS_MAX {
                break;
            }
        }
        let published = match batch.publish() {
            Ok(Some(published)) => published,
            Ok(None) => return Round::Lost,
            Err(error) if others.len() == 1 => {
                fates.push(Some(Err(error)));
                return Round::Done;
            }
            Err(_) => return Round::Fewer(1),
        };
        let (mut reports, why) = match published.reports() {
            Ok(reports) => (reports.into_iter(), String::new()),
            Err(error) => (Vec::new().into_iter(), error.to_string()),
        };
        let mut report = || Some(reports.next().ok_or_else(|| Error::corrupt(&*why)));
        fates.extend(others.into_iter().map(|other| other.unwrap_or_else(&mut report)));
        Round::Done
    }
}

impl<'s> Batch<'s> {
    /// A batch on the newest state.
    pub(crate) fn begin(store: &'s Store, durable_t: u64) -> Result<Self, Error> {
        let mut txn = store.slab().begin()?;
        let before = store.state(txn.snapshot().clone())?;
        let (mut record, schema) = (before.record, before.schema.clone());
        let dropped = match store.keeps_frames() {
            true => 0,
            false => pending::drop_durable(&mut txn, &mut record, durable_t)?,
        };
        Ok(Self { store, txn, before, record, schema, made: Vec::new(), dropped })
    }

    /// The state that the batch goes on behind.
    pub(crate) fn before(&self) -> &Arc<State> {
        &self.before
    }

    /// Works out a transaction on the state so far.
    fn work_out(&self, asked: Asked<'_>) -> Result<WorkedOut, Error> {
        let Asked { data, metadata, is_anothers } = asked;
        let now = clock::now();
        let before = &self.before;
        if is_anothers || !self.made.is_empty() {
            let otherwise = if is_anothers { WorkedOut::Apart } else { WorkedOut::First };
            let Data::Given(data) = data else { return Ok(otherwise) };
            let (record, schema) = (&self.record, &*self.schema);
            let basis = Basis { memory: &self.txn, record, schema };
            let plain = transact::prepare_plain(basis, &before.functions, data, metadata, now)?;
            return Ok(plain.map_or(otherwise, WorkedOut::To));
        }
        let state = || Db::new(before.clone());
        let Prepared { proposal, ensures } = match data {
            Data::Given(data) => transact::prepare(before, data, metadata, now)?,
            Data::Facts(facts) => transact::prepare_facts(before, facts, metadata, now)?,
            Data::Made(make) => transact::prepare(before, &make(&state())?, metadata, now)?,
            Data::Prepared(prepare) => prepare(&state(), now)?,
        };
        if !ensures.is_empty() {
            let (_, after) = with::speculate(before, &proposal)?;
            transact::ensure(&before.functions, &after, &ensures)?;
        }
        Ok(WorkedOut::To(proposal))
    }

    /// Applies a transaction that was worked out on the state so far. If that fails, the batch is of no
    /// use any more.
    pub(crate) fn add(&mut self, proposal: Proposal) -> Result<(), Error> {
        let txn = &mut self.txn;
        let Proposal { frame, known, schema, .. } = &proposal;
        let mut next = match proposal.fits {
            true => Applier::fitting(self.record, self.schema.clone()),
            false => Applier::new(self.record, self.schema.clone()),
        };
        let ((bytes, hash), datoms) = aside::both(
            frame.datoms.len() >= aside::FACTS_MIN,
            || frame.encode_and_hash(),
            || {
                let datoms = next.apply(txn, frame, known, schema.clone())?;
                next.conclude(txn).map(|()| datoms)
            },
        );
        let datoms = datoms?;
        (self.record, self.schema) = (next.record, next.schema);
        self.record.hash = hash;
        pending::push(txn, &mut self.record, frame.t, &bytes)?;
        self.made.push(Made { proposal, datoms, hash });
        Ok(())
    }

    /// Publishes what was added. `None`: another commit came first, and nothing happened.
    pub(crate) fn publish(mut self) -> Result<Option<Published>, Error> {
        if self.made.is_empty() {
            return Ok(Some(Published { before: self.before, newest: None, made: Vec::new() }));
        }
        let root = self.record.write(&mut self.txn)?;
        self.txn.retire(self.before.memory.commit().root());
        match self.txn.commit(root) {
            Ok(_) | Err(CommitError::NotDurable { .. }) => {}
            Err(CommitError::Conflict) => return Ok(None),
            Err(CommitError::Failed(error)) => return Err(error.into()),
            Err(other) => return Err(Error::corrupt(other.to_string())),
        }
        let (store, made) = (self.store, self.made);
        if self.dropped >= pending::DROP_BYTES {
            // Not left to the next commits: a load in large transactions would take their room, too. What
            // somebody still sees stays, and what cannot be cleared away now is later.
            let _ = store.slab().reclaim();
        }
        store.note(&made, self.record.schema_t, &self.schema);
        Ok(Some(Published { before: self.before, newest: store.db().ok(), made }))
    }
}

/// A batch that was published: nothing takes it back.
pub(crate) struct Published {
    before: Arc<State>,
    /// The state after it or a later one, if it could be pinned.
    newest: Option<Db>,
    made: Vec<Made>,
}

impl Published {
    fn reports(self) -> Result<Vec<Report>, Error> {
        let Self { before, newest, made } = self;
        let before = Db::new(before);
        let last_t = made.last().map_or(0, |made| made.proposal.frame.t);
        let newest = newest.filter(|newest| newest.state().record.floor <= last_t);
        let Some(newest) = newest else { return thought_of(before, made) };
        if made.len() == 1 && newest.basis() == last_t {
            let states = States::Known { before, after: newest };
            return Ok(made.into_iter().map(|made| made.report(states.clone())).collect());
        }
        let mut said: Vec<Said> = made.iter().map(Made::said).collect();
        let (memory, record) = (&newest.state().memory, &newest.state().record);
        for frame in pending::list(memory, record, last_t)? {
            said.push(Said::read(&newest, frame.t, frame.bytes)?);
        }
        let commit = Arc::new(Several { before, newest, said });
        let between = |place| States::Between { commit: commit.clone(), place };
        Ok((0..).zip(made).map(|(place, made)| made.report(between(place))).collect())
    }
}

/// What was made, where nobody has the state after it: because others have committed so much since that
/// what they said is not in the region any more. It follows from the state before, in memory of this
/// process, where words are its own.
fn thought_of(mut before: Db, made: Vec<Made>) -> Result<Vec<Report>, Error> {
    let mut reports = Vec::with_capacity(made.len());
    for mut made in made {
        // Words of the committed state mean nothing here.
        (made.proposal.known, made.proposal.schema) = (Vec::new(), None);
        let (datoms, after) = with::speculate(before.shared(), &made.proposal)?;
        made.datoms = datoms;
        reports.push(made.report(States::Known { before, after: after.clone() }));
        before = after;
    }
    Ok(reports)
}

impl Made {
    fn report(self, states: States) -> Report {
        let Proposal { frame, tempids, .. } = self.proposal;
        let (t, instant, datoms) = (frame.t, frame.instant, self.datoms);
        Report { t, instant, datoms, tempids, states }
    }

    fn said(&self) -> Said {
        let frame = &self.proposal.frame;
        let (t, instant, previous) = (frame.t, frame.instant, frame.previous);
        let moment = Moment { t, instant, hash: self.hash, previous };
        Said { moment, datoms: self.datoms.clone() }
    }
}
