//! Who of a process commits: transactions of threads that come at once become one commit.
//!
//! This is flat combining (Hendler, Incze, Shavit and Tzafrir, SPAA 2010): threads that did as much in turn would
//! hand the state, which is in one processor's cache, from one to the other.
//!
//! 1. One thread leads. It takes what those behind it want, makes one commit of it and its own, and
//!    answers them; who comes meanwhile waits in line.
//! 2. The first of the line leads next: who waits is served by one of the next two commits, but where
//!    more than [`TAKEN_MAX`] wait.
//! 3. Code that a transaction calls runs on the thread that asked for it, which leads then.
//! 4. If the leader panics, those it took do their work themselves, and the next leads.
//!
//! Commits of other processes come in between as they will: the swap of the root decides.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use crate::sleeper::{Call, Sleeper, Work};

/// Threads that a leader works for at once.
const TAKEN_MAX: usize = 64;

/// The writers of a process.
#[derive(Default)]
pub(crate) struct Line {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    leader: Option<ThreadId>,
    waiting: VecDeque<Arc<Sleeper>>,
}

/// How a thread that came to commit goes on.
pub(crate) enum Entered<'l> {
    /// It commits.
    Leads(Leading<'l>),
    /// This thread leads already: code that its transaction calls asks for another.
    Nested,
    /// Another has done its work, or it was called to lead the sync of it.
    Served(Arc<Sleeper>, Call),
}

impl Line {
    /// Waits for this thread's turn, or until another has done its work for it.
    pub(crate) fn enter(&self, work: impl FnOnce() -> Option<Work>) -> Entered<'_> {
        let me = thread::current().id();
        let mut state = self.state();
        match state.leader {
            None => {
                state.leader = Some(me);
                return Entered::Leads(Leading { line: self, taken: Vec::new() });
            }
            Some(leader) if leader == me => return Entered::Nested,
            Some(_) => {}
        }
        drop(state);
        let mut sleeper = Sleeper::new(work());
        loop {
            let mut state = self.state();
            if state.leader.is_none() {
                state.leader = Some(me);
                return Entered::Leads(Leading { line: self, taken: Vec::new() });
            }
            state.waiting.push_back(sleeper.clone());
            drop(state);
            match sleeper.sleep() {
                Call::Again => sleeper = Sleeper::new(None),
                Call::Commit => {
                    return Entered::Leads(Leading { line: self, taken: Vec::new() });
                }
                call => return Entered::Served(sleeper, call),
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// This thread's turn, until it is dropped.
pub(crate) struct Leading<'l> {
    line: &'l Line,
    taken: Vec<Arc<Sleeper>>,
}

impl Leading<'_> {
    /// Takes those at the head of the line whose work another can do.
    pub(crate) fn take(&mut self) -> &[Arc<Sleeper>] {
        let mut state = self.line.state();
        let able = state.waiting.iter().take(TAKEN_MAX).take_while(|next| next.work.is_some());
        let able = able.count();
        self.taken.extend(state.waiting.drain(..able));
        &self.taken
    }

    /// Ends the turn. Those that were taken are the caller's to answer.
    pub(crate) fn end(mut self) -> Vec<Arc<Sleeper>> {
        std::mem::take(&mut self.taken)
    }
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        let mut state = self.line.state();
        let next = state.waiting.pop_front();
        state.leader = next.as_ref().map(|next| next.thread_id());
        drop(state);
        if let Some(next) = next {
            next.wake(Call::Commit);
        }
        self.taken.iter().for_each(|taken| taken.wake(Call::Again));
    }
}
