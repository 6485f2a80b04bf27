//! Replay: an agent's program run from its beginning, on nothing but what the world has kept of it.
//!
//! 1. Nothing is performed and nothing is committed: requests get the answers they had, transactions
//!    the reports they had, and queries the world as it was then.
//! 2. At each request, and at the end, the program must stand exactly where it stood: the hashes of
//!    the states are compared.

use daodb::Database;
use datom::{Value, edn};
use yin::{Limits, Machine, Outcome, State};

use super::code::Course;
use super::past::{Journal, Past};
use super::{DONE, FAILED, Record, program};
use crate::fault::Fault;
use crate::progress::Patient;

/// Machine steps between two looks at how far it is.
const SLICE: u64 = 1 << 22;

/// What a replay came to.
pub(crate) struct Replayed {
    /// Requests whose states were compared and whose answers were given.
    pub(crate) requests: u64,
    /// The state it came to: the same as the one that the world has kept last.
    pub(crate) hash: [u8; 32],
    /// Whether it came to the end of the program.
    pub(crate) ended: bool,
}

/// Runs an agent's program again, for at most so much fuel.
pub(crate) fn replay(database: &Database, name: &str, fuel: u64) -> Result<Replayed, Box<Fault>> {
    let db = database.db()?;
    let nothing = || Fault::new(format!("the world has kept no state of an agent {name}"));
    let record = Record::of(&db, name)?.ok_or_else(nothing)?;
    let journal = Journal::of(&db, name)?.ok_or_else(nothing)?;
    let past = Past::new(database, name, db.as_of(journal.basis));
    let view = past.view();
    let mut machine = Machine::new(past, Limits::default());
    machine.restore(&journal.first, |hash| program(&db, hash))?;
    let elsewhere = |what: &str| -> Box<Fault> {
        Fault::new(format!("the replay comes elsewhere than the agent did: {what}")).into()
    };
    let shown = Patient::counting("turns");
    let mut requests = 0;
    let mut left = fuel;
    let mut course = Course::default();
    let has_ended = matches!(record.status(), DONE | FAILED);
    loop {
        course.apply(&journal.codes, &db, &mut machine)?;
        // A checkpoint is no request: where the last one was taken, the journal ends.
        let ends_here = requests as usize == journal.answers.len()
            && journal.last.request().is_none()
            && !has_ended;
        let slice = if ends_here { 1 } else { left.min(SLICE) };
        match machine.run(slice.min(left)) {
            Outcome::Done(value) => {
                let same = record.status() == DONE
                    && record.result() == edn::read(&value.to_string()).ok();
                let hash = journal.last.hash();
                return match same {
                    true => Ok(Replayed { requests, hash, ended: true }),
                    false => Err(elsewhere(&format!("it ends with {value}"))),
                };
            }
            Outcome::Failed(error) if record.status() == FAILED => {
                let same =
                    record.result().as_ref().and_then(Value::as_text) == Some(&error.to_string());
                let hash = journal.last.hash();
                return match same {
                    true => Ok(Replayed { requests, hash, ended: true }),
                    false => Err(elsewhere(&format!("it ends with {error}"))),
                };
            }
            Outcome::Failed(error) => return Err(Box::new(Fault::in_program(&error))),
            Outcome::Perform { id, op, .. } => {
                let hash = machine.capture()?.hash();
                if journal.states.get(&id).map(State::hash) != Some(hash) {
                    return Err(elsewhere(&format!("at its request {id}, {op}")));
                }
                requests += 1;
                let Some((t, answer)) = journal.answers.get(&id) else {
                    return Ok(Replayed { requests, hash, ended: false });
                };
                view.is(db.as_of(*t));
                machine.resume(id, answer.clone())?;
                course.answered(id);
            }
            Outcome::OutOfFuel => {
                left = left.saturating_sub(slice);
                shown.is_at(machine.turns());
                let hash = journal.last.hash();
                if ends_here && machine.capture()?.hash() == hash {
                    return Ok(Replayed { requests, hash, ended: false });
                }
                if left == 0 {
                    return Err(elsewhere(&format!("it takes more than {fuel} steps")));
                }
            }
            other => return Err(Fault::new(format!("the machine stopped: {other:?}")).into()),
        }
    }
}
