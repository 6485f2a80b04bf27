//! States that are only thought of: what a transaction would make of a state.
//!
//! 1. A speculative state is a state like any other, and can be gone on from.
//! 2. Nobody else sees it, and nothing of it is left when the last value of it is dropped.

use std::sync::Arc;

use datom::{Datom, Frame, Value};

use crate::apply::Applier;
use crate::clock;
use crate::db::{Db, State};
use crate::error::{Category, Error, Rejection};
use crate::options::TransactOptions;
use crate::overlay::LAYERS_MAX;
use crate::recent::Whole;
use crate::report::{Report, States};
use crate::transact::{self, Proposal};

impl Db {
    /// What `data` would make of this state, which stays as it is. Nothing is committed. The report's
    /// `db_after` can be gone on from: `with` on it sees both transactions.
    ///
    /// Costs what the transaction changes, in memory of this process; the facts before are shared.
    ///
    /// ```
    /// use daodb::Database;
    /// use datom::edn;
    ///
    /// let database = Database::memory()?;
    /// database.transact(&edn::read_all("{:db/ident :name :db/valueType :db.type/string}")?)?;
    /// let db = database.db()?;
    /// let ada = db.with(&edn::read_all("{:name \"Ada\"}")?)?.db_after()?;
    /// let both = ada.with(&edn::read_all("{:name \"Mary\"}")?)?.db_after()?;
    ///
    /// let count = "[:find (count ?e) . :where [?e :name]]";
    /// assert_eq!(both.q(count, &[])?, edn::read("2")?);
    /// assert_eq!(ada.q(count, &[])?, edn::read("1")?);
    /// assert_eq!(database.db()?.basis(), db.basis());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Database::transact`](crate::Database::transact); [`Category::View`] for a view: what a
    /// transaction does to a filtered state is not defined. [`crate::Database::at`] gives a state of
    /// the past that can be gone on from.
    pub fn with(&self, data: &[Value]) -> Result<Report, Error> {
        self.with_options(data, &TransactOptions::default())
    }

    /// As [`Db::with`], with a metadata entity. Durability means nothing here.
    ///
    /// # Errors
    /// As [`Db::with`].
    pub fn with_options(&self, data: &[Value], options: &TransactOptions) -> Result<Report, Error> {
        self.propose(data, options).map(|(report, _)| report)
    }

    /// The same with the frame, which a storage can publish behind this state.
    pub(crate) fn propose(
        &self,
        data: &[Value],
        options: &TransactOptions,
    ) -> Result<(Report, Frame), Error> {
        if !self.is_present() {
            let message = "a view (as_of, since, history, filter) cannot be gone on from; use the \
                           state it is of, or Database::at";
            return Err(Rejection::new(Category::View, message).into());
        }
        let before = self.shared();
        let metadata = options.metadata.as_ref();
        let prepared = transact::prepare(before, data, metadata, clock::now())?;
        let proposal = prepared.proposal;
        let (datoms, db_after) = speculate(before, &proposal)?;
        transact::ensure(&before.functions, &db_after, &prepared.ensures)?;
        let report = Report {
            states: States::Known { before: self.clone(), after: db_after },
            t: proposal.frame.t,
            instant: proposal.frame.instant,
            datoms,
            tempids: proposal.tempids,
        };
        Ok((report, proposal.frame))
    }
}

/// The state that a proposal makes of the one it was worked out on, and its datoms with that
/// state's words.
pub(crate) fn speculate(
    before: &Arc<State>,
    proposal: &Proposal,
) -> Result<(Vec<Datom>, Db), Error> {
    if before.memory.depth() >= LAYERS_MAX {
        let message =
            format!("{LAYERS_MAX} speculative transactions stand on each other; make them as one");
        return Err(Rejection::new(Category::Limit, message).into());
    }
    let mut layer = before.memory.layer();
    let (frame, known) = (&proposal.frame, &proposal.known);
    let mut next = match proposal.fits {
        true => Applier::fitting(before.record, before.schema.clone()),
        false => Applier::new(before.record, before.schema.clone()),
    };
    let datoms = next.apply(&mut layer, frame, known, proposal.schema.clone())?;
    next.conclude(&mut layer)?;
    let mut record = next.record;
    record.hash = frame.hash();
    let state = State {
        memory: layer.finish(),
        record,
        schema: next.schema,
        functions: before.functions.clone(),
        columns: Arc::new(before.columns.next(frame.t, &datoms).apart()),
        whole: Whole::default(),
    };
    Ok((datoms, Db::new(Arc::new(state))))
}
