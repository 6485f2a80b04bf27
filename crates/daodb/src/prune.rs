//! Giving up history before a moment: the region gets smaller, the log stays whole.
//!
//! 1. First a commit says from which moment on history is held; only then does any of it go. So no
//!    state ever shows a past that lacks something: a view of what was before is refused
//!    ([`Error::Pruned`]), and states that were read earlier keep theirs.
//! 2. What goes is what was withdrawn by then: a statement with its withdrawal. What holds now, and
//!    what was withdrawn since, stays; so every moment from there on is answered exactly.
//! 3. It goes in small commits, each of which takes the same facts out of all four orders. Whoever
//!    is killed in between leaves facts that do no harm, and the next goes on.
//! 4. A fork needs its base: history is never given up beyond the base of one.
//! 5. Nothing of the log is touched; a region that is made again from it has all history.

use std::ops::Bound;

use datom::Datom;

use crate::apply::Applier;
use crate::database::Database;
use crate::db::Db;
use crate::error::Error;
use crate::fork;
use crate::index::{Index, Key};
use crate::order;
use crate::store::Store;

/// Statements and withdrawals that one commit gives up: few enough that a transaction which loses
/// the race against it has not lost much.
const BATCH_DATOMS: usize = 512;

/// What [`Database::prune`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// The first moment whose state the indexes still hold. Earlier than what was asked for if a
    /// fork needs it.
    pub from: u64,
    /// Statements and withdrawals that went.
    pub datoms: u64,
}

impl Database {
    /// Gives up, in the region, what was withdrawn up to transaction `before`: `as_of` answers from
    /// that moment on, and says [`Error::Pruned`] of earlier ones. The log keeps everything, and
    /// [`crate::Options::rebuild`] brings it back. A database in memory, which has no log, loses it.
    ///
    /// Costs a walk through the history, in commits of some hundred facts between which others
    /// write.
    ///
    /// ```
    /// use daodb::{Database, Error};
    /// use datom::edn;
    ///
    /// let db = Database::memory()?;
    /// db.transact(&edn::read_all("{:db/ident :n :db/valueType :db.type/long}")?)?;
    /// for n in 1..=3 {
    ///     db.transact(&edn::read_all(&format!("{{:db/id 5000 :n {n}}}"))?)?;
    /// }
    /// db.prune(3)?;
    /// let n = |t| db.db()?.as_of(t).q("[:find ?n . :where [5000 :n ?n]]", &[]);
    /// assert_eq!(n(3)?, edn::read("2")?);
    /// assert!(matches!(db.db()?.as_of(2).blame(5000, None), Err(Error::Pruned { from: 3 })));
    /// assert!(n(2).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the world is damaged or has no room.
    pub fn prune(&self, before: u64) -> Result<Pruned, Error> {
        let store = self.store();
        let from = announce(store, before)?;
        let mut pruned = Pruned { from, datoms: 0 };
        let mut after = Bound::Unbounded;
        loop {
            let (gone, next) = store.db()?.ended_by(from, after)?;
            if !gone.is_empty() {
                give_up(store, &gone)?;
                pruned.datoms += gone.len() as u64;
            }
            match next {
                Some(key) => after = Bound::Excluded(key),
                None => return Ok(pruned),
            }
        }
    }
}

/// Says from when on history is held, and answers that.
fn announce(store: &Store, before: u64) -> Result<u64, Error> {
    store.change(|db, _, record| {
        let forks = fork::list(db)?.into_iter().map(|fork| fork.base);
        let from = forks.fold(before.min(db.basis()), u64::min);
        record.history_from = record.history_from.max(from);
        Ok(true)
    })?;
    Ok(store.db()?.history_from())
}

fn give_up(store: &Store, gone: &[Datom]) -> Result<(), Error> {
    store.change(|db, txn, record| {
        let mut applier = Applier::new(*record, db.state().schema.clone());
        applier.settle(txn)?;
        *record = applier.record;
        for index in Index::ALL {
            let history = &mut record.history[index as usize];
            let keys = order::keys(index, &db.state().schema, gone);
            *history = history.remove_many(txn, &keys)?.0;
        }
        Ok(true)
    })
}

impl Db {
    /// The first moment whose state the indexes hold: 0, unless history was given up by
    /// [`Database::prune`].
    #[must_use]
    pub fn history_from(&self) -> u64 {
        self.state().record.history_from
    }

    /// Whether the view is of moments that the indexes hold.
    pub(crate) fn check_held(&self) -> Result<(), Error> {
        let (view, from) = (self.view(), self.history_from());
        let shows_all = view.history && view.since.unwrap_or(0) < from;
        match view.as_of.is_some_and(|as_of| as_of < from) || shows_all {
            true => Err(Error::Pruned { from }),
            false => Ok(()),
        }
    }

    /// Statements behind `after`, in the order EAVT, that were withdrawn up to `t`, each with its
    /// withdrawal: a batch of them, and where to go on if there is more to look at.
    fn ended_by(&self, t: u64, after: Bound<Key>) -> Result<(Vec<Datom>, Option<Key>), Error> {
        let state = self.state();
        let first = match after {
            Bound::Included(key) | Bound::Excluded(key) => key,
            Bound::Unbounded => [0; 5],
        };
        let (memory, history) = state.history(Index::Eavt)?;
        let mut ended = Vec::new();
        let mut stated: Option<Datom> = None;
        for key in history.range(memory, first..=[u64::MAX; 5]) {
            let key = key?;
            if after == Bound::Excluded(key) {
                continue;
            }
            let datom = Index::Eavt.datom(&key);
            let of = |stated: &Datom| (stated.e, stated.a, stated.v) == (datom.e, datom.a, datom.v);
            match stated.take().filter(of) {
                Some(statement) if !datom.added() && datom.t <= t => {
                    ended.extend([statement, datom]);
                    if ended.len() >= BATCH_DATOMS {
                        return Ok((ended, Some(key)));
                    }
                }
                _ => stated = Some(datom).filter(Datom::added),
            }
        }
        Ok((ended, None))
    }
}

#[cfg(test)]
mod tests {
    use datom::edn;

    use super::*;

    #[test]
    fn what_a_killed_process_left_does_no_harm() -> Result<(), Box<dyn std::error::Error>> {
        let db = Database::memory()?;
        let schema = "{:db/ident :n :db/valueType :db.type/long :db/index true}";
        db.transact(&edn::read_all(schema)?)?;
        for n in 0..2_000 {
            db.transact(&edn::read_all(&format!("{{:db/id {} :n {n}}}", 5_000 + n % 3))?)?;
        }
        // It was killed when it had said what it would do, and again behind the first batch.
        let from = announce(db.store(), 1_500)?;
        assert!(db.verify()?.is_clean());
        let (gone, next) = db.db()?.ended_by(from, Bound::Unbounded)?;
        assert_eq!((gone.len(), next.is_some()), (BATCH_DATOMS, true));
        give_up(db.store(), &gone)?;
        assert!(db.verify()?.is_clean());
        let rest = db.prune(1_500)?;
        assert_eq!(rest.datoms as usize + gone.len(), 2 * (1_499 - 3));
        assert!(db.verify()?.is_clean());
        Ok(())
    }
}
