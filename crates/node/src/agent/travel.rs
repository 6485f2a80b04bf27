//! Time travel: an agent's program, step by step and back, on what the world has kept of it.
//!
//! 1. Steps are numbered from the program's beginning. A step goes on to where the program stands
//!    still next: before a call or a turn of a loop, at a request, or at its end. The same number is
//!    always the same moment, because the machine is deterministic, requests get the answers they had,
//!    and the database is seen as it was then.
//! 2. Back is forward from an earlier mark. Marks lie equally far apart; when there are too many, every
//!    other one goes and the distance doubles, so a step back costs what lies between two marks.
//! 3. Nothing is performed and nothing is committed.
//! 4. Whatever lies before the present step was gone through, so all requests there are known.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use daodb::{Database, Db};
use datom::{Keyword, Value};
use yin::{Engine, Level, Limits, Machine, Outcome, State};

use super::code::Course;
use super::past::{Journal, Past, View};
use super::program;
use crate::fault::Fault;
use crate::progress::Patient;

/// Marks that are kept.
const MARKS_MAX: usize = 64;
/// Steps between two marks at first.
const APART_MIN: u64 = 256;
/// Steps between two looks at whether somebody wants it to stop: some milliseconds.
const LOOK_STEPS: u64 = 1 << 16;

/// How the program stands at a step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Standing {
    /// It is about to call, or to take another turn.
    Runs,
    /// It has asked for something.
    Asks { id: u64, op: Keyword, args: Vec<Value> },
    /// It ended with a value, or an error.
    Ended(Result<Value, yin::Error>),
}

/// A moment that can be gone on from.
struct Mark {
    step: u64,
    state: State,
    standing: Standing,
    seen: Db,
    course: Course,
}

/// An agent's program at one step.
pub(crate) struct Travel {
    db: Db,
    journal: Journal,
    view: View,
    machine: Machine,
    step: u64,
    standing: Standing,
    marks: Vec<Mark>,
    apart: u64,
    /// Where it is among the code that the agent took over.
    course: Course,
    /// The steps at which it was seen to ask for something.
    asked: BTreeSet<u64>,
}

impl Travel {
    /// The agent's program at its beginning.
    pub(crate) fn begin(database: &Database, name: &str) -> Result<Self, Box<Fault>> {
        let db = database.db()?;
        let journal = Journal::of(&db, name)?
            .ok_or_else(|| Fault::new(format!("the world has kept no state of an agent {name}")))?;
        let seen = db.as_of(journal.basis);
        let past = Past::new(database, name, seen.clone());
        let view = past.view();
        let machine = Machine::new(past, Limits::default()).with_engine(Engine::Stepper);
        let (state, standing, course) = (journal.first.clone(), Standing::Runs, Course::default());
        let first = Mark { step: 0, state, standing, seen, course };
        let mut travel = Self {
            db,
            journal,
            view,
            machine,
            step: 0,
            standing: Standing::Runs,
            marks: vec![first],
            apart: APART_MIN,
            course: Course::default(),
            asked: BTreeSet::new(),
        };
        travel.back_to(0)?;
        Ok(travel)
    }

    /// Where it is.
    pub(crate) fn step(&self) -> u64 {
        self.step
    }

    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The calls, innermost first.
    pub(crate) fn levels(&mut self) -> Vec<Level> {
        self.machine.levels()
    }

    /// The hash of the state; `None` at the end.
    pub(crate) fn hash(&mut self) -> Option<[u8; 32]> {
        self.machine.capture().ok().map(|state| state.hash())
    }

    /// The world as the program sees it there.
    pub(crate) fn seen(&self) -> Db {
        self.view.db()
    }

    /// Goes to a step, or as near as the program came: to its end, or to a request that has no answer
    /// yet. Once `stop` is set it stays where it is.
    pub(crate) fn go_to(&mut self, step: u64, stop: &AtomicBool) -> Result<(), Box<Fault>> {
        if step < self.step {
            self.back_to(step)?;
        }
        let shown = Patient::counting("steps");
        while self.step < step && !stop.load(Ordering::Relaxed) && self.forward(step)? {
            shown.is_at(self.step);
        }
        Ok(())
    }

    /// Goes on to where the program asks for something next, or to its end.
    pub(crate) fn go_to_next_request(&mut self, stop: &AtomicBool) -> Result<(), Box<Fault>> {
        let shown = Patient::counting("steps");
        while !stop.load(Ordering::Relaxed) && self.forward(u64::MAX)? {
            shown.is_at(self.step);
            if matches!(self.standing, Standing::Asks { .. }) {
                break;
            }
        }
        Ok(())
    }

    /// Goes back to where the program asked for something last, or to its beginning.
    pub(crate) fn go_to_previous_request(&mut self, stop: &AtomicBool) -> Result<(), Box<Fault>> {
        let last = self.asked.range(..self.step).next_back().copied();
        self.go_to(last.unwrap_or(0), stop)
    }

    /// Back to the last mark up to a step.
    fn back_to(&mut self, step: u64) -> Result<(), Box<Fault>> {
        let Some(mark) = self.marks.iter().rev().find(|mark| mark.step <= step) else {
            return Ok(());
        };
        self.machine.abandon();
        self.machine.restore(&mark.state, |hash| program(&self.db, hash))?;
        self.view.is(mark.seen.clone());
        (self.step, self.standing) = (mark.step, mark.standing.clone());
        self.course = mark.course.clone();
        self.course.apply_again(&self.journal.codes, &self.db, &mut self.machine)
    }

    /// Goes on, at most to a step. False if it cannot.
    fn forward(&mut self, to: u64) -> Result<bool, Box<Fault>> {
        match &self.standing {
            Standing::Ended(_) => return Ok(false),
            Standing::Asks { id, .. } => {
                let Some((t, answer)) = self.journal.answers.get(id) else { return Ok(false) };
                self.view.is(self.db.as_of(*t));
                self.machine.resume(*id, answer.clone())?;
                self.course.answered(*id);
            }
            Standing::Runs => {}
        }
        self.course.apply(&self.journal.codes, &self.db, &mut self.machine)?;
        let next = self.marks.last().map_or(0, |mark| mark.step) + self.apart;
        let fuel = (to.min(next.max(self.step + 1)) - self.step).min(LOOK_STEPS);
        let before = self.machine.turns();
        let outcome = self.machine.run(fuel);
        let turns = self.machine.turns() - before;
        // What stands still otherwise did so behind the last turn, in the same step.
        self.step += if outcome == Outcome::OutOfFuel { turns } else { turns.max(1) };
        self.standing = match outcome {
            Outcome::OutOfFuel => Standing::Runs,
            Outcome::Perform { id, op, args } => Standing::Asks { id, op, args },
            Outcome::Done(value) => Standing::Ended(Ok(value)),
            Outcome::Failed(error) => Standing::Ended(Err(error)),
            other => return Err(Fault::new(format!("the machine stopped: {other:?}")).into()),
        };
        if matches!(self.standing, Standing::Asks { .. }) {
            self.asked.insert(self.step);
        }
        if self.step >= next && !matches!(self.standing, Standing::Ended(_)) {
            self.mark()?;
        }
        Ok(true)
    }

    fn mark(&mut self) -> Result<(), Box<Fault>> {
        if self.marks.len() >= MARKS_MAX {
            let mut at = 0;
            self.marks.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.apart *= 2;
        }
        self.marks.push(Mark {
            step: self.step,
            state: self.machine.capture()?,
            standing: self.standing.clone(),
            seen: self.view.db(),
            course: self.course.clone(),
        });
        Ok(())
    }
}
