//! What whoever runs a scheduler has not heard yet.
//!
//! 1. News is counted. Whoever waits says how much there was when he last heard some, and sleeps only while there
//!    is no more.

use std::collections::VecDeque;

use crate::sync::{Condvar, Mutex, MutexGuard, lock};

pub(super) struct News<E> {
    told: Mutex<Told<E>>,
    heard: Condvar,
}

struct Told<E> {
    events: VecDeque<E>,
    /// How often there was any.
    count: u64,
}

impl<E> News<E> {
    pub(super) fn new() -> Self {
        let told = Told { events: VecDeque::new(), count: 0 };
        Self { told: Mutex::new(told), heard: Condvar::new() }
    }

    /// Tells that something is not as it was.
    pub(super) fn call(&self) {
        lock(&self.told).count += 1;
        self.heard.notify_all();
    }

    pub(super) fn tell(&self, event: E) {
        let mut told = lock(&self.told);
        told.events.push_back(event);
        told.count += 1;
        drop(told);
        self.heard.notify_all();
    }

    /// The next event, and how much news there had been by then.
    pub(super) fn next(&self) -> (Option<E>, u64) {
        let mut told = lock(&self.told);
        (told.events.pop_front(), told.count)
    }

    pub(super) fn is_more_than(&self, seen: u64) -> bool {
        lock(&self.told).count != seen
    }

    /// Waits until there is more than so much.
    pub(super) fn wait(&self, seen: u64) {
        let mut told = lock(&self.told);
        while told.count == seen {
            told = self.sleep(told);
        }
    }

    /// Waits until something is so, which becomes so only with news.
    pub(super) fn wait_until(&self, is_so: impl Fn() -> bool) {
        let mut told = lock(&self.told);
        while !is_so() {
            told = self.sleep(told);
        }
    }

    fn sleep<'n>(&self, told: MutexGuard<'n, Told<E>>) -> MutexGuard<'n, Told<E>> {
        self.heard.wait(told).unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
