//! What two states differ in, in facts.
//!
//! 1. States of one region share the blocks of their indexes that did not change, and a block that
//!    both have is passed over unread: the cost follows the difference.
//! 2. Addresses of layers ([`crate::overlay`]) are names that two speculative states may both have
//!    given, to different blocks. So of such states only those are walked together of which one is
//!    a commit of the same region.

use std::collections::BTreeMap;
use std::iter::Peekable;

use datom::{Datom, Value};
use eve::Read;
use eve::structure::Change;

use crate::datoms::Datoms;
use crate::db::{Db, State};
use crate::error::Error;
use crate::history::Diff;
use crate::index::Index;
use crate::recent;

impl Db {
    /// The facts that hold in `other` and not in this state, and the other way round, with the words
    /// of `other` and of this one. What was withdrawn and stated again does not show.
    ///
    /// Of two states of one world, one of which at least was committed, it costs the difference:
    /// O(d log n). Anything else, views and states of different worlds, is read whole and compared
    /// by value.
    ///
    /// ```
    /// use daodb::Database;
    /// use datom::edn;
    ///
    /// let db = Database::memory()?;
    /// db.transact(&edn::read_all("{:db/ident :n :db/valueType :db.type/long}")?)?;
    /// let before = db.transact(&edn::read_all("{:db/id 5000 :n 1} {:db/id 5001 :n 1}")?)?.db_after()?;
    /// let thought = before.with(&edn::read_all("{:db/id 5000 :n 2}")?)?.db_after()?;
    /// let diff = before.diff(&thought)?;
    /// assert_eq!((diff.removed.len(), diff.added.len()), (1, 2)); // its time is a fact, too
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Pruned`] for a view of moments that are not held any more; else when a world is
    /// damaged.
    pub fn diff(&self, other: &Db) -> Result<Diff, Error> {
        let (here, there) = (&self.state().memory, &other.state().memory);
        let comparable = here.commit().seed() == there.commit().seed()
            && (here.depth() == 0 || there.depth() == 0);
        match self.is_present() && other.is_present() && comparable {
            true => self.diff_of_blocks(other),
            false => self.diff_by_value(other),
        }
    }

    fn diff_of_blocks(&self, other: &Db) -> Result<Diff, Error> {
        let (before, after) = (self.state(), other.state());
        let set = |state: &State| state.record.current(Index::Eavt);
        let noted = |state: &State| recent::list(&state.memory, &state.record);
        let mut diff = Diff::default();
        for change in set(before).diff(&before.memory, set(after), &after.memory) {
            match change? {
                Change::Removed(key, ()) => diff.removed.push(Index::Eavt.datom(&key)),
                Change::Added(key, ()) => diff.added.push(Index::Eavt.datom(&key)),
                Change::Changed(..) => {}
            }
        }
        // What one has in the index the other may have outside, and both outside.
        diff.removed.extend(noted(before)?.instants);
        diff.added.extend(noted(after)?.instants);
        for side in [&mut diff.removed, &mut diff.added] {
            side.sort_unstable_by_key(|datom| Index::Eavt.key(datom));
        }
        Ok(without_restated(diff))
    }

    /// Entity by entity, attribute by attribute: the values of each are compared as sets.
    fn diff_by_value(&self, other: &Db) -> Result<Diff, Error> {
        let history = self.is_history() || other.is_history();
        let mut here = self.datoms(Index::Eavt, &[])?.peekable();
        let mut there = other.datoms(Index::Eavt, &[])?.peekable();
        let mut diff = Diff::default();
        loop {
            let Some(of) = [place(&mut here)?, place(&mut there)?].into_iter().flatten().min()
            else {
                return Ok(diff);
            };
            let mut removed = said(self, &mut here, of, history)?;
            let mut added = said(other, &mut there, of, history)?;
            let both: Vec<Said> =
                removed.keys().filter(|said| added.contains_key(said)).cloned().collect();
            for said in both {
                removed.remove(&said);
                added.remove(&said);
            }
            diff.removed.extend(removed.into_values());
            diff.added.extend(added.into_values());
        }
    }
}

/// A value, and in a history when it was said, and how.
type Said = (Value, Option<(u64, bool)>);

/// The entity and attribute of the next fact.
fn place(facts: &mut Peekable<Datoms<'_>>) -> Result<Option<(u64, u64)>, Error> {
    match facts.peek() {
        Some(Ok(datom)) => Ok(Some((datom.e, datom.a))),
        Some(Err(_)) => facts.next().map_or(Ok(None), |error| error.map(|_| None)),
        None => Ok(None),
    }
}

/// What comes next of an entity's attribute, if it comes next.
fn said(
    db: &Db,
    facts: &mut Peekable<Datoms<'_>>,
    of: (u64, u64),
    history: bool,
) -> Result<BTreeMap<Said, Datom>, Error> {
    let mut said = BTreeMap::new();
    while place(facts)? == Some(of) {
        let Some(datom) = facts.next().transpose()? else { break };
        let when = history.then_some((datom.t, datom.added()));
        said.insert((db.value(datom.v)?, when), datom);
    }
    Ok(said)
}

/// Leaves out what is on both sides, which are in the order EAVT.
fn without_restated(mut diff: Diff) -> Diff {
    let fact = |datom: &Datom| (datom.e, datom.a, datom.v);
    let holds = |side: &[Datom], datom: &Datom| {
        side.binary_search_by_key(&fact(datom), |other| (other.e, other.a, other.v)).is_ok()
    };
    let removed: Vec<Datom> =
        diff.removed.iter().filter(|datom| !holds(&diff.added, datom)).copied().collect();
    diff.added.retain(|datom| !holds(&diff.removed, datom));
    Diff { removed, ..diff }
}
