//! What a program waits for by itself: time, and rows of a query.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bridge::Failure;
use datom::{Keyword, Value};

use super::Runner;
use crate::awaits::{AWAIT, Await};
use crate::fault::Fault;

/// How long a wait goes without looking whether somebody wants it to end.
const LOOK: Duration = Duration::from_millis(100);

/// What a program is answered, or why it ends with nothing answered.
type Served = Result<Result<Value, Value>, Box<Fault>>;

impl Runner {
    /// Serves a request to wait. `None` if it is another one.
    pub(super) fn wait_for(&mut self, op: &Keyword, args: &[Value]) -> Option<Served> {
        match op.as_str() {
            AWAIT if self.is_past => {
                let why = "nothing happens any more in a state of the past";
                Some(Ok(Err(Failure::new("db/past", why).to_value())))
            }
            AWAIT => Some(match Await::new(&self.database, args) {
                Ok(wait) => self.await_rows(wait),
                Err(why) => Ok(Err(why)),
            }),
            "time/sleep" => Some(match args {
                [Value::Int(ms)] => {
                    self.pass(Duration::from_millis(u64::try_from(*ms).unwrap_or(0)))
                }
                _ => {
                    let why = ":time/sleep wants milliseconds";
                    Ok(Err(Failure::new("bridge/bad-args", why).to_value()))
                }
            }),
            _ => None,
        }
    }

    /// An interrupt ends the program while it waits: nothing is answered, so an agent asks again.
    fn look_for_interrupt(&mut self) -> Result<(), Box<Fault>> {
        if !self.interrupt().swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        self.machine.abandon();
        Err(Fault::new("the program was interrupted while it waited").into())
    }

    fn await_rows(&mut self, mut wait: Await) -> Served {
        loop {
            match wait.answer(LOOK) {
                Ok(None) => self.look_for_interrupt()?,
                Ok(Some(answer)) => return Ok(Ok(answer)),
                Err(why) => return Ok(Err(why)),
            }
        }
    }

    fn pass(&mut self, time: Duration) -> Served {
        let end = Instant::now().checked_add(time);
        loop {
            self.look_for_interrupt()?;
            let left = end.map_or(LOOK, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(Ok(Value::Nil));
            }
            std::thread::park_timeout(left.min(LOOK));
        }
    }
}
