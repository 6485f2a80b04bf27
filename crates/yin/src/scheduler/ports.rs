//! The streams of a scheduler, by number.
//!
//! 1. A stream has a lock of its own; two agents that use different streams never wait for each other but
//!    for the moment of looking one up.
//! 2. Under the lock of a stream no lock of another stream is taken.

use std::sync::Arc;

use super::agent::Waiter;
use super::number::ByNumber;
use crate::stream::Channel;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, lock};

const SHARDS: usize = 16;

/// A stream of a scheduler.
pub(crate) struct Port {
    id: u64,
    channel: Mutex<Channel<Waiter>>,
}

impl Port {
    /// The number of the stream.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn channel(&self) -> MutexGuard<'_, Channel<Waiter>> {
        lock(&self.channel)
    }
}

/// All streams, by their own numbers and by those of their cursors.
pub(crate) struct Ports {
    shards: [Mutex<ByNumber<Arc<Port>>>; SHARDS],
    last: AtomicU64,
}

impl Ports {
    pub(super) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(ByNumber::default())),
            last: AtomicU64::new(0),
        }
    }

    fn shard(&self, id: u64) -> Option<MutexGuard<'_, ByNumber<Arc<Port>>>> {
        self.shards.get(id as usize % SHARDS).map(lock)
    }

    pub(super) fn fresh(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether a number was ever given.
    pub(super) fn has_been(&self, id: u64) -> bool {
        (1..=self.last.load(Ordering::Relaxed)).contains(&id)
    }

    pub(super) fn make(&self, capacity: usize, owner: u64) -> u64 {
        let id = self.fresh();
        let port = Port { id, channel: Mutex::new(Channel::new(capacity, owner)) };
        self.name(id, Arc::new(port));
        id
    }

    /// Finds a stream under one more number.
    pub(super) fn name(&self, id: u64, port: Arc<Port>) {
        if let Some(mut shard) = self.shard(id) {
            shard.insert(id, port);
        }
    }

    pub(super) fn get(&self, id: u64) -> Option<Arc<Port>> {
        self.shard(id)?.get(&id).cloned()
    }

    pub(super) fn remove(&self, id: u64) -> Option<Arc<Port>> {
        self.shard(id)?.remove(&id)
    }

    /// Forgets a stream that is over, with its cursors.
    pub(super) fn tidy(&self, port: &Port) {
        let numbers: Vec<u64> = {
            let channel = port.channel();
            if !channel.is_over() {
                return;
            }
            channel.cursors().chain([port.id]).collect()
        };
        for id in numbers {
            self.remove(id);
        }
    }
}

/// Streams that one thread has used lately, by their own numbers and those of their cursors: a number means the same
/// stream for good, whatever became of it.
pub(super) struct Recent {
    slots: Vec<Option<(u64, Arc<Port>)>>,
}

/// Streams and cursors of whom as many neighbours are in use at a time.
const RECENT: usize = 256;

impl Recent {
    pub(super) fn new() -> Self {
        Self { slots: vec![None; RECENT] }
    }

    /// The stream of a number.
    pub(super) fn get(&mut self, ports: &Ports, number: u64) -> Option<&Arc<Port>> {
        let slot = self.slots.get_mut(number as usize % RECENT)?;
        if slot.as_ref().is_none_or(|(known, _)| *known != number) {
            *slot = Some((number, ports.get(number)?));
        }
        slot.as_ref().map(|(_, port)| port)
    }

    /// Keeps no stream alive any more.
    pub(super) fn forget(&mut self) {
        self.slots.fill(None);
    }
}
