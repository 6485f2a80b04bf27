//! Who waits until when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::agent::{Agent, AgentId};
use super::clock::nanoseconds;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

const NEVER: u64 = u64::MAX;

/// Timers, soonest first. Cost: logarithmic in their number.
pub(super) struct Timers {
    all: Mutex<BTreeMap<(Duration, AgentId, u64), Arc<Agent>>>,
    /// The soonest, in nanoseconds, to be looked at without the lock.
    next: AtomicU64,
}

/// An agent whose time has come, and its request.
pub(super) type Due = (Arc<Agent>, u64);

impl Timers {
    pub(super) fn new() -> Self {
        Self { all: Mutex::new(BTreeMap::new()), next: AtomicU64::new(NEVER) }
    }

    fn note(&self, all: &BTreeMap<(Duration, AgentId, u64), Arc<Agent>>) {
        let next = all.first_key_value().map_or(NEVER, |(&(at, ..), _)| nanoseconds(at));
        self.next.store(next, Ordering::Release);
    }

    pub(super) fn add(&self, at: Duration, agent: &Arc<Agent>, request: u64) {
        let mut all = lock(&self.all);
        all.insert((at, agent.id, request), agent.clone());
        self.note(&all);
    }

    pub(super) fn remove(&self, at: Duration, agent: AgentId, request: u64) {
        let mut all = lock(&self.all);
        all.remove(&(at, agent, request));
        self.note(&all);
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Duration> {
        match self.next.load(Ordering::Acquire) {
            NEVER => None,
            at => Some(Duration::from_nanos(at)),
        }
    }

    /// Takes out those that are due.
    pub(super) fn due(&self, now: Duration) -> Vec<Due> {
        let mut all = lock(&self.all);
        let mut due = Vec::new();
        while let Some(first) = all.first_entry().filter(|first| first.key().0 <= now) {
            let (_, _, request) = *first.key();
            due.push((first.remove(), request));
        }
        self.note(&all);
        due
    }
}
