//! What a program waits for by itself: time, and rows of a query.
//!
//! 1. A wait sleeps on the commit word, so it ends with the transaction that ends it, and sees one that asks the
//!    agent to leave.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bridge::Failure;
use datom::{Keyword, Value};

use super::Runner;
use crate::awaits::{AWAIT, Await};
use crate::clock;
use crate::fault::Fault;

/// How long a wait goes without looking whether a signal wants it to end.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// What a program is answered, or why it ends with nothing answered.
type Served = Result<Result<Value, Value>, Box<Fault>>;

impl Runner {
    /// Whether a request is one to wait, and allowed.
    pub(super) fn is_wait(&self, op: &Keyword) -> bool {
        matches!(op.as_str(), AWAIT | "time/sleep") && !self.denied.contains(op)
    }

    /// Serves a request to wait that was made at an instant, in microseconds since 1970 UTC. An error is why
    /// the program does not wait any longer: nothing is answered then, so an agent asks again.
    pub(super) fn wait_for(&mut self, op: &Keyword, args: &[Value], asked: i64) -> Served {
        if op.as_str() == AWAIT && self.is_past {
            let why = "nothing happens any more in a state of the past";
            return Ok(Err(Failure::new("db/past", why).to_value()));
        }
        match (op.as_str(), args) {
            (AWAIT, _) => match Await::new(&self.database, args) {
                Ok(wait) => self.await_rows(wait),
                Err(why) => Ok(Err(why)),
            },
            (_, [Value::Int(ms)]) => {
                self.pass(asked.saturating_add(ms.max(&0).saturating_mul(1_000)))
            }
            _ => {
                let why = ":time/sleep wants milliseconds";
                Ok(Err(Failure::new("bridge/bad-args", why).to_value()))
            }
        }
    }

    /// Whether anybody wants the program to end while it waits.
    pub(super) fn look_up(&mut self) -> Result<(), Box<Fault>> {
        if let Some(why) = self.agent.get().map_or(Ok(None), |agent| agent.must_stop())? {
            return Err(why);
        }
        if !self.interrupt().swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        self.machine.abandon();
        Err(Fault::new("the program was interrupted while it waited").into())
    }

    fn await_rows(&mut self, mut wait: Await) -> Served {
        let mut t = self.database.db()?.basis();
        loop {
            match wait.answer_by(t) {
                Ok(None) => self.look_up()?,
                Ok(Some(answer)) => return Ok(Ok(answer)),
                Err(why) => return Ok(Err(why)),
            }
            t = self.database.wait(t, Some(LOOK))?;
        }
    }

    /// Until an instant.
    fn pass(&mut self, end: i64) -> Served {
        let mut t = 0;
        loop {
            self.look_up()?;
            let left = u64::try_from(end.saturating_sub(clock::micros())).unwrap_or(0);
            if left == 0 {
                return Ok(Ok(Value::Nil));
            }
            t = self.database.wait(t, Some(Duration::from_micros(left).min(LOOK)))?;
        }
    }
}
