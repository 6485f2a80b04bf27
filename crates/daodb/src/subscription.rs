//! Subscriptions: the rows that each commit adds to a query's answer, and those it removes.
//!
//! A subscriber *pulls*. Whoever commits does nothing for subscriptions; the commit word, which is a futex,
//! wakes those who wait, in any process, and the log holds what they have not looked at yet.
//!
//! 1. Changes come in the order of commits, none skipped, none doubled: every commit that can matter
//!    is answered for by the state right before and right after it.
//! 2. A commit can matter only if it has a fact of an attribute that the query reads ([`scope`]). The
//!    others are not evaluated.
//! 3. Names mean what they meant right after the commit that is answered for ([`names`]). Where one goes
//!    to another entity, it is found out anew which commits matter.
//! 4. Where the query is a conjunction, what a commit changes is found from the facts that it changes
//!    ([`follow`]); else, and where the whole answer is cheap, the query is asked of the state after.
//! 5. A subscriber that is slow holds up nobody and costs no memory but its last rows: it goes on
//!    from the log, from wherever it is. Its [`t`](Subscription::t) is all it takes to go on later,
//!    in another process.

mod follow;
pub(crate) mod hub;
mod names;
mod scope;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use datom::Value;

use crate::database::Database;
use crate::db::Db;
use crate::error::Error;
use crate::query::{Answer, Deltas, ErrorKind, Input, Query};
use follow::Difference;
pub(crate) use hub::Hub;
use hub::{Member, Take};
use names::Names;

/// How many transactions of the log a subscriber looks at before it lets go of the state that it
/// looks from.
const CATCH_UP_MAX: u64 = 1 << 10;

/// A query that looks at so few facts is asked anew: following a change takes a few queries of its own.
const ANEW_MAX: u64 = if cfg!(test) { 0 } else { 1 << 9 };

/// What one commit changes of a query's answer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// The transaction.
    pub t: u64,
    /// When it was made, in microseconds since 1970 UTC.
    pub instant: i64,
    /// Rows that the answer has from now on. A collection or scalar is a row of one value.
    pub added: Vec<Vec<Value>>,
    /// Rows that it had before.
    pub removed: Vec<Vec<Value>>,
}

/// Rows, and how often the answer has each.
type Rows = BTreeMap<Vec<Value>, usize>;

/// A query that is told of what changes: see [`Database::subscribe`].
pub struct Subscription {
    database: Database,
    member: Arc<Member>,
    query: Query,
    inputs: Vec<Input>,
    deltas: Option<Deltas>,
    names: Names,
    rows: Rows,
    /// Facts that the query looked at when it was asked last.
    looked: u64,
    /// The state that `rows` are of.
    t: u64,
    /// Transactions that this subscription has to look through itself.
    behind: Option<(u64, u64)>,
    /// Those of them that can matter.
    due: VecDeque<u64>,
}

impl Database {
    /// Follows the answer of a query, from now on.
    ///
    /// ```
    /// use daodb::{Database, Query};
    /// use datom::edn;
    ///
    /// let db = Database::memory()?;
    /// db.transact(&edn::read_all("{:db/ident :name :db/valueType :db.type/string}")?)?;
    /// let query = Query::parse("[:find ?name :where [_ :name ?name]]")?;
    /// let mut names = db.subscribe(&query, &[])?;
    ///
    /// let report = db.transact(&edn::read_all("{:name \"Ada\"}")?)?;
    /// let change = names.next(None)?.expect("nothing ends a wait without a time");
    /// assert_eq!(change.t, report.t);
    /// assert_eq!(change.added, [[edn::read("\"Ada\"")?]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Costs the query once. Then, for each commit that can matter, of a conjunction (patterns of named
    /// attributes, `not` and `or` of such, functions of their values, and variables to be found) the rows that its
    /// facts take part in, and of any other query the query once more.
    ///
    /// # Errors
    /// As [`Db::query`].
    pub fn subscribe(&self, query: &Query, inputs: &[Input]) -> Result<Subscription, Error> {
        let db = self.db()?;
        self.subscribe_at(&db, query, inputs, db.basis())
    }

    /// Follows the answer of a query from behind transaction `t` on: where a subscription that told
    /// its [`t`](Subscription::t) goes on.
    ///
    /// # Errors
    /// As [`Database::subscribe`]; [`Error::Lookup`] when `t` is not made yet.
    pub fn subscribe_from(
        &self,
        t: u64,
        query: &Query,
        inputs: &[Input],
    ) -> Result<Subscription, Error> {
        let db = self.db()?;
        if t > db.basis() {
            let why = format!("transactions run to {}", db.basis());
            return Err(Error::lookup(Value::Int(i64::try_from(t).unwrap_or(i64::MAX)), why));
        }
        self.subscribe_at(&db, query, inputs, t)
    }

    fn subscribe_at(
        &self,
        db: &Db,
        query: &Query,
        inputs: &[Input],
        t: u64,
    ) -> Result<Subscription, Error> {
        let mut names = Names::new(scope::mentioned(query, inputs)?, t);
        let then = names.state(self, t)?;
        let (rows, looked) = match t < db.basis() {
            true => asked(&at(&then, t), query, inputs)?,
            false => {
                then.query_scanned(query, inputs).map(|(answer, looked)| (rows(answer), looked))?
            }
        };
        let deltas = query.deltas(inputs);
        let scope = scope::of(query, inputs, &then)?;
        // What was committed up to now is this subscription's to look through; what comes later
        // the hub marks.
        let (member, marked_from) = self.hub().join(scope, db.basis());
        let behind = (t < marked_from).then_some((t + 1, marked_from));
        let (query, inputs) = (query.clone(), inputs.to_vec());
        let (database, due) = (self.clone(), VecDeque::new());
        Ok(Subscription {
            database,
            member,
            query,
            inputs,
            deltas,
            names,
            rows,
            looked,
            t,
            behind,
            due,
        })
    }
}

fn at(db: &Db, t: u64) -> Db {
    if t == db.basis() { db.clone() } else { db.as_of(t) }
}

/// The rows of an answer, and how many facts were looked at. There are none while a lookup ref names
/// nobody yet, or nobody any more.
fn asked(db: &Db, query: &Query, inputs: &[Input]) -> Result<(Rows, u64), Error> {
    match db.query_scanned(query, inputs) {
        Ok((answer, looked)) => Ok((rows(answer), looked)),
        Err(Error::Query(error)) if matches!(error.kind(), ErrorKind::NoEntity(_)) => {
            Ok((Rows::new(), 0))
        }
        Err(error) => Err(error),
    }
}

fn rows(answer: Answer) -> Rows {
    let found: Vec<Vec<Value>> = match answer {
        Answer::Relation { rows, .. } => {
            rows.iter().map(|row| (0..rows.width()).map(|at| row.get(at)).collect()).collect()
        }
        Answer::Collection(values) => values.into_iter().map(|value| vec![value]).collect(),
        Answer::Tuple { row, .. } => row.into_iter().collect(),
        Answer::Scalar(value) => value.into_iter().map(|value| vec![value]).collect(),
    };
    let mut rows = Rows::new();
    for row in found {
        *rows.entry(row).or_insert(0) += 1;
    }
    rows
}

/// The rows that `one` has more often than `other`.
fn surplus(one: &Rows, other: &Rows) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for (row, &count) in one {
        let more = count.saturating_sub(other.get(row).copied().unwrap_or(0));
        rows.extend(std::iter::repeat_n(row, more).cloned());
    }
    rows
}

impl Subscription {
    /// The transaction up to which the subscriber knows everything.
    #[must_use]
    pub fn t(&self) -> u64 {
        self.t
    }

    /// The rows of the answer as of [`Subscription::t`].
    pub fn rows(&self) -> impl Iterator<Item = &[Value]> {
        self.rows.iter().flat_map(|(row, &count)| std::iter::repeat_n(row.as_slice(), count))
    }

    /// The next change, waiting for it. `None`: the time is over.
    ///
    /// # Errors
    /// When the query fails on a state, or the log cannot be read. The subscription stands where it
    /// stood; the call may be tried again.
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Option<Change>, Error> {
        // A time too far away to be told is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if let Some(&t) = self.due.front() {
                let change = self.evaluate(t)?;
                if change.is_some() {
                    return Ok(change);
                }
            } else if let Some((from, to)) = self.behind {
                self.catch_up(from, to)?;
            } else {
                match self.database.hub().take(&self.database, &self.member, deadline)? {
                    Take::Due(due) => self.due = due,
                    Take::Behind { from, to } => self.behind = Some((from, to)),
                    Take::Nothing { through } => {
                        self.t = self.t.max(through);
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Looks through a stretch of the log for what can matter.
    fn catch_up(&mut self, from: u64, to: u64) -> Result<(), Error> {
        let end = to.min(from.saturating_add(CATCH_UP_MAX - 1));
        let mut frames = self.database.tx_range(from, end.saturating_add(1))?;
        let mut due = Vec::new();
        while let Some(frame) = frames.next_frame() {
            let frame = frame?;
            if self.member.scope.concerns(frame.datoms.iter().map(|datom| datom.a)) {
                due.push(frame.t);
            }
        }
        self.due.extend(due);
        self.behind = (end < to).then_some((end + 1, to));
        Ok(())
    }

    /// What the first transaction that is due changed of the answer.
    fn evaluate(&mut self, t: u64) -> Result<Option<Change>, Error> {
        let db = self.names.state(&self.database, t)?;
        let scope = match self.names.changed_at(t) {
            true => Some(scope::of(&self.query, &self.inputs, &db)?),
            false => None,
        };
        let instant = db.instant_of(t)?;
        let Difference { added, removed } = match self.difference(&db, t) {
            // A name means nothing for now, but does so again: then it is asked anew.
            Err(Error::Query(_)) if self.names.changes_again() => Difference::default(),
            difference => difference?,
        };
        self.t = t;
        self.due.pop_front();
        if let Some(scope) = scope {
            self.look_again(scope);
        }
        if added.is_empty() && removed.is_empty() {
            return Ok(None);
        }
        Ok(Some(Change { t, instant, added, removed }))
    }

    /// What the answer gains and loses at a transaction. The rows are those after it from then on.
    fn difference(&mut self, db: &Db, t: u64) -> Result<Difference, Error> {
        if let Some(difference) = self.followed(db, t)? {
            for row in &difference.removed {
                self.rows.remove(row);
            }
            self.rows.extend(difference.added.iter().map(|row| (row.clone(), 1)));
            return Ok(difference);
        }
        let (next, looked) = asked(&at(db, t), &self.query, &self.inputs)?;
        let (added, removed) = (surplus(&next, &self.rows), surplus(&self.rows, &next));
        (self.rows, self.looked) = (next, looked);
        Ok(Difference { added, removed })
    }

    /// From here on other commits matter than was thought.
    fn look_again(&mut self, scope: scope::Scope) {
        let (member, marked_from) = self.database.hub().join_again(&self.member, scope);
        let to = self.behind.map_or(0, |(_, to)| to).max(marked_from);
        self.member = member;
        self.due.clear();
        self.behind = (self.t < to).then_some((self.t + 1, to));
    }

    /// The same by following the facts of the transaction, if that can be done and is worth it.
    fn followed(&self, db: &Db, t: u64) -> Result<Option<Difference>, Error> {
        let Some(deltas) = self.deltas.as_ref().filter(|_| self.looked > ANEW_MAX) else {
            return Ok(None);
        };
        let before = db.as_of(t - 1);
        if before.check_held().is_err() {
            return Ok(None);
        }
        let made = self.database.tx_range(t, t + 1)?.next().transpose()?;
        let Some(made) = made else { return Ok(None) };
        let states = (&before, &at(db, t));
        match follow::difference(deltas, &self.inputs, states, &made.datoms, &self.rows) {
            // What cannot be asked of a part can be asked of the whole, or fails there as it should.
            Err(Error::Query(_)) => Ok(None),
            difference => difference,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.database.hub().leave(&self.member);
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("t", &self.t).finish_non_exhaustive()
    }
}
