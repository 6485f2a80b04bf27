//! What a transaction did.

use std::collections::BTreeMap;
use std::sync::Arc;

use datom::frame::Header;
use datom::{Datom, Frame, Value, id};

use crate::db::Db;
use crate::error::Error;
use crate::rewind;

/// A transaction that was committed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Its number.
    pub t: u64,
    /// When it was made, in microseconds since 1970 UTC.
    pub instant: i64,
    /// The facts it stated and withdrew, `:db/txInstant` of the transaction itself first.
    pub datoms: Vec<Datom>,
    /// What its named tempids became.
    pub tempids: BTreeMap<Value, u64>,
    pub(crate) states: States,
}

impl Report {
    /// The entity that stands for the transaction.
    #[must_use]
    pub fn tx(&self) -> u64 {
        id::transaction(self.t)
    }

    /// The state it was worked out on.
    ///
    /// Costs nothing where the transaction was the first of its commit, as most are; else what the
    /// transactions since said, in memory of this process.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn db_before(&self) -> Result<Db, Error> {
        match &self.states {
            States::Known { before, .. } => Ok(before.clone()),
            States::Between { commit, place } => commit.state(*place),
        }
    }

    /// The state right after it, in which the words of its datoms mean what they do here.
    ///
    /// Costs nothing where nobody had committed anything since when the transaction was done; else
    /// what the transactions since said, in memory of this process.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn db_after(&self) -> Result<Db, Error> {
        match &self.states {
            States::Known { after, .. } => Ok(after.clone()),
            States::Between { commit, place } => commit.state(place + 1),
        }
    }
}

/// The states around a transaction.
#[derive(Clone, Debug)]
pub(crate) enum States {
    Known {
        before: Db,
        after: Db,
    },
    /// It was one of several; so many of them were made before it.
    Between {
        commit: Arc<Several>,
        place: usize,
    },
}

/// Several transactions that followed each other, of which no state in between was ever published.
#[derive(Debug)]
pub(crate) struct Several {
    pub(crate) before: Db,
    /// The state after the last of them, or a later one.
    pub(crate) newest: Db,
    pub(crate) said: Vec<Said>,
}

/// A transaction as it was said, with the words of the newest state.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) moment: rewind::Moment,
    pub(crate) datoms: Vec<Datom>,
}

impl Said {
    /// A frame that the newest state knows of.
    pub(crate) fn read(newest: &Db, t: u64, bytes: &[u8]) -> Result<Said, Error> {
        let damaged = |error| Error::corrupt(format!("frame {t} in the region: {error}"));
        let frame = Frame::decode(bytes).map_err(damaged)?.0;
        let hash = Header::decode(bytes).map_err(damaged)?.hash;
        let (t, instant, previous) = (frame.t, frame.instant, frame.previous);
        let moment = rewind::Moment { t, instant, hash, previous };
        Ok(Said { moment, datoms: newest.localise(&frame)? })
    }
}

impl Several {
    /// The state after so many of them.
    fn state(&self, place: usize) -> Result<Db, Error> {
        let Some(said) = place.checked_sub(1).and_then(|last| self.said.get(last)) else {
            return Ok(self.before.clone());
        };
        let now = self.newest.shared();
        if said.moment.t == now.record.t {
            return Ok(self.newest.clone());
        }
        let since = self.said.iter().skip(place).flat_map(|said| &said.datoms);
        rewind::to(now, said.moment, &since.copied().collect::<Vec<_>>())
    }
}
