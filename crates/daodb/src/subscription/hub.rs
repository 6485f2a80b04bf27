//! Who of a process is to look at which commit.
//!
//! There is no thread for it: of those who wait, one watches the commit word for all.
//!
//! 1. The hub has looked at every transaction up to `t`, once, whoever waits. A member's marks are
//!    the transactions after it joined that its scope concerns.
//! 2. Marks are bounded. A member that has too many is `behind` instead: it looks through the log
//!    itself from there.
//! 3. Looking at a commit costs its facts and the members that they concern, not all members.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::scope::Scope;
use crate::database::Database;
use crate::error::Error;
use crate::mix::WordHashMap;

/// Marks of one member: what a subscriber may lag before it goes back to the log.
const MARKS_MAX: usize = 1 << 10;

/// Transactions that are looked at before the others are let in.
const LOOK_MAX: u64 = 1 << 12;

/// One subscription.
pub(crate) struct Member {
    number: u64,
    pub(crate) scope: Scope,
    marks: Mutex<Marks>,
}

#[derive(Default)]
struct Marks {
    due: VecDeque<u64>,
    /// The first transaction that is not marked although it may be due.
    behind: Option<u64>,
}

/// What a member has to do.
pub(crate) enum Take {
    /// To evaluate these transactions.
    Due(VecDeque<u64>),
    /// To look through these itself.
    Behind { from: u64, to: u64 },
    /// Nothing, up to this transaction; the time is over.
    Nothing { through: u64 },
}

/// The members of a process.
#[derive(Default)]
pub(crate) struct Hub {
    state: Mutex<State>,
    /// Something was marked, or nobody watches any more.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The last transaction that was looked at; none without members.
    t: u64,
    watched: bool,
    next_number: u64,
    members: HashMap<u64, Arc<Member>>,
    /// Members by the attributes of their scope.
    by_attribute: WordHashMap<u64, Vec<u64>>,
    /// Members whose scope is everything.
    of_all: Vec<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// A new member, and the transaction from behind which on it is marked. `now` is the newest that
    /// the caller knows.
    pub(crate) fn join(&self, scope: Scope, now: u64) -> (Arc<Member>, u64) {
        let mut state = lock(&self.state);
        if state.members.is_empty() {
            state.t = now;
        }
        state.next_number += 1;
        let number = state.next_number;
        match &scope {
            Scope::All => state.of_all.push(number),
            Scope::Attributes(attributes) => {
                for &attribute in attributes {
                    state.by_attribute.entry(attribute).or_default().push(number);
                }
            }
        }
        let member = Arc::new(Member { number, scope, marks: Mutex::default() });
        state.members.insert(number, member.clone());
        (member, state.t)
    }

    /// A member with another scope in the place of this one, and the transaction from behind which on it
    /// is marked.
    pub(crate) fn join_again(&self, member: &Member, scope: Scope) -> (Arc<Member>, u64) {
        // In this order: the hub looks at commits as long as it has members.
        let joined = self.join(scope, 0);
        self.leave(member);
        joined
    }

    pub(crate) fn leave(&self, member: &Member) {
        let mut state = lock(&self.state);
        state.members.remove(&member.number);
        let gone = |number: &u64| *number != member.number;
        match &member.scope {
            Scope::All => state.of_all.retain(gone),
            Scope::Attributes(attributes) => {
                for attribute in attributes {
                    if let Some(members) = state.by_attribute.get_mut(attribute) {
                        members.retain(gone);
                        if members.is_empty() {
                            state.by_attribute.remove(attribute);
                        }
                    }
                }
            }
        }
    }

    /// What a member has to do, waiting for something until the deadline.
    pub(crate) fn take(
        &self,
        database: &Database,
        member: &Member,
        deadline: Option<Instant>,
    ) -> Result<Take, Error> {
        let mut state = lock(&self.state);
        loop {
            if let Some(take) = member.take(state.t) {
                return Ok(take);
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let is_over = left.is_some_and(|left| left.is_zero());
            if !state.watched {
                state.watched = true;
                let t = state.t;
                drop(state);
                let watching = Watching { hub: self };
                let seen = database.slab().commits();
                let looked = watching.look(database, t);
                if !is_over && matches!(looked, Ok(0)) {
                    let _ = database.slab().wait(seen, left);
                }
                drop(watching);
                state = lock(&self.state);
                looked?;
                if is_over && member.take_is_empty() {
                    return Ok(Take::Nothing { through: state.t });
                }
                continue;
            }
            if is_over {
                return Ok(Take::Nothing { through: state.t });
            }
            state = match left {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

/// Held by the one who watches for all.
struct Watching<'h> {
    hub: &'h Hub,
}

impl Watching<'_> {
    /// Looks at what was committed after `t` and marks it. Answers how many transactions that were.
    fn look(&self, database: &Database, t: u64) -> Result<u64, Error> {
        let newest = database.db()?.basis();
        if newest <= t {
            return Ok(0);
        }
        let end = newest.min(t + LOOK_MAX);
        let mut frames = database.tx_range(t + 1, end + 1)?;
        let mut looked = t;
        while let Some(frame) = frames.next_frame() {
            let frame = frame?;
            let mut attributes: Vec<u64> = frame.datoms.iter().map(|datom| datom.a).collect();
            attributes.sort_unstable();
            attributes.dedup();
            let mut state = lock(&self.hub.state);
            state.mark(frame.t, &attributes);
            state.t = frame.t;
            looked = frame.t;
        }
        Ok(looked - t)
    }
}

impl Drop for Watching<'_> {
    /// Lets somebody else watch, also when looking failed.
    fn drop(&mut self) {
        lock(&self.hub.state).watched = false;
        self.hub.changed.notify_all();
    }
}

impl State {
    fn mark(&self, t: u64, attributes: &[u64]) {
        let concerned = attributes.iter().filter_map(|a| self.by_attribute.get(a)).flatten();
        for number in concerned.chain(&self.of_all) {
            if let Some(member) = self.members.get(number) {
                member.mark(t);
            }
        }
    }
}

impl Member {
    fn mark(&self, t: u64) {
        let mut marks = lock(&self.marks);
        if marks.behind.is_some() || marks.due.back() == Some(&t) {
            return;
        }
        if marks.due.len() < MARKS_MAX {
            marks.due.push_back(t);
        } else {
            marks.behind = Some(t);
        }
    }

    /// What is marked; the hub has looked up to `t`.
    fn take(&self, t: u64) -> Option<Take> {
        let mut marks = lock(&self.marks);
        if !marks.due.is_empty() {
            return Some(Take::Due(std::mem::take(&mut marks.due)));
        }
        marks.behind.take().map(|from| Take::Behind { from, to: t })
    }

    fn take_is_empty(&self) -> bool {
        let marks = lock(&self.marks);
        marks.due.is_empty() && marks.behind.is_none()
    }
}
