//! A thread that waits until others have seen to its transaction, or until it is its turn to.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread, ThreadId};

use datom::Value;

use crate::error::Error;
use crate::options::TransactOptions;
use crate::report::Report;

/// What another thread can do for one that waits.
pub(crate) struct Work {
    pub(crate) data: Vec<Value>,
    pub(crate) options: TransactOptions,
}

/// One who waits.
pub(crate) struct Sleeper {
    thread: Thread,
    call: AtomicU8,
    /// None: it has to do its work itself.
    pub(crate) work: Option<Work>,
    answer: Mutex<Option<Result<Report, Error>>>,
}

/// What a sleeper is woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Call {
    /// Everything is done.
    Done = 1,
    /// It leads those who commit.
    Commit,
    /// It leads those who wait for the disk.
    Sync,
    /// It has to do its work itself, in its turn.
    Again,
}

const ASLEEP: u8 = 0;

impl Sleeper {
    /// This thread, about to sleep.
    pub(crate) fn new(work: Option<Work>) -> Arc<Self> {
        let (thread, call) = (thread::current(), AtomicU8::new(ASLEEP));
        Arc::new(Self { thread, call, work, answer: Mutex::default() })
    }

    pub(crate) fn thread_id(&self) -> ThreadId {
        self.thread.id()
    }

    /// Sleeps until it is called. Only the thread that made it does.
    pub(crate) fn sleep(&self) -> Call {
        loop {
            thread::park();
            // Pairs with the release in `wake`.
            for call in [Call::Done, Call::Commit, Call::Sync, Call::Again] {
                if self.call.load(Ordering::Acquire) == call as u8 {
                    return call;
                }
            }
        }
    }

    pub(crate) fn wake(&self, call: Call) {
        // Pairs with the acquire in `sleep`.
        self.call.store(call as u8, Ordering::Release);
        self.thread.unpark();
    }

    pub(crate) fn answer(&self, fate: Result<Report, Error>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(fate);
    }

    /// What became of its work, if somebody did it.
    pub(crate) fn take_answer(&self) -> Option<Result<Report, Error>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
