//! When names came to mean something else.
//!
//! A query names attributes and entities, and a view of the past reads its names as the present does. So
//! a subscriber that lags behind a commit which gives one of these names to another entity looks at what
//! was before from the state right before that commit.
//!
//! 1. Each transaction is looked at once, whatever the subscriber lags.
//! 2. The state that is looked from is made once for each such commit; costs what was said since.

use std::collections::{BTreeSet, VecDeque};

use datom::{Frame, Keyword};

use crate::builtin;
use crate::database::Database;
use crate::db::Db;
use crate::error::Error;

/// The names that a query uses.
pub(crate) struct Mentioned {
    pub(crate) names: BTreeSet<Keyword>,
    /// Whether the query may use any name.
    pub(crate) is_any: bool,
}

impl Mentioned {
    /// Whether a name is given or taken away that the query may use. A name that nothing had before is
    /// none of those that a query does not mention.
    fn is_changed_by(&self, frame: &Frame) -> bool {
        let mut namings = frame.datoms.iter().filter(|datom| datom.a == builtin::IDENT);
        namings.any(|datom| {
            let name = frame.value(datom.v).and_then(|value| value.as_keyword());
            name.is_none_or(|name| self.names.contains(name)) || self.is_any && !datom.added()
        })
    }
}

/// What a subscriber knows of its names.
pub(super) struct Names {
    mentioned: Mentioned,
    /// Transactions up to this one were looked at.
    through: u64,
    /// Those that change what a name means and are still to come for the subscriber.
    changes: VecDeque<u64>,
    /// The last of them that has come.
    last: u64,
    /// The state right before the next of them.
    state: Option<Db>,
}

impl Names {
    /// For a subscriber that stands at transaction `t`.
    pub(super) fn new(mentioned: Mentioned, t: u64) -> Self {
        Self { mentioned, through: t, changes: VecDeque::new(), last: 0, state: None }
    }

    /// The newest state in which every name means what it did right after transaction `t`.
    pub(super) fn state(&mut self, database: &Database, t: u64) -> Result<Db, Error> {
        let db = database.db()?;
        if self.through < db.basis() {
            let mut frames = database.tx_range(self.through + 1, db.basis() + 1)?;
            while let Some(frame) = frames.next_frame() {
                let frame = frame?;
                if self.mentioned.is_changed_by(&frame) {
                    self.changes.push_back(frame.t);
                }
                self.through = frame.t;
            }
        }
        while let Some(come) = self.changes.pop_front_if(|change| *change <= t) {
            (self.last, self.state) = (come, None);
        }
        let Some(&next) = self.changes.front() else { return Ok(db) };
        match &self.state {
            Some(state) => Ok(state.clone()),
            None => {
                let state = database.at(next - 1)?;
                self.state = Some(state.clone());
                Ok(state)
            }
        }
    }

    /// Whether some name gets another meaning after the transaction that was asked for last.
    pub(super) fn changes_again(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Whether that transaction, the last that [`Names::state`] was asked for, changed what a name means.
    pub(super) fn changed_at(&self, t: u64) -> bool {
        self.last == t
    }
}
