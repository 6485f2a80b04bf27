//! A group: several agents that outlive their process, run by one command, each on a thread of its own.
//!
//! 1. Agent n of the group NAME is the agent `NAME/n`: an agent like any other, which can be shown, paused and
//!    migrated alone. What the agents have in common are facts, their streams among them.
//! 2. All inboxes are there before an agent begins, so nobody writes to one in vain.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use datom::Value;

use super::{Ended, Runner};
use crate::agent::streams::member;
use crate::fault::Fault;
use crate::program::Stored;

/// Agents of a group, each of which has a thread.
pub(crate) const GROUP_MAX: u64 = 1_000;

/// Agents of one program, about to begin or to go on.
pub(crate) struct Group<'s> {
    name: String,
    stored: &'s Stored,
    runners: Vec<Runner>,
}

impl<'s> Group<'s> {
    /// A group whose agents are run by these runners, and find `args` defined, their number as `agent`, and how
    /// many there are as `agents`.
    ///
    /// # Errors
    /// The world is damaged, or the inboxes cannot be made.
    pub(crate) fn new(
        name: &str,
        stored: &'s Stored,
        mut runners: Vec<Runner>,
        args: &Value,
    ) -> Result<Self, Box<Fault>> {
        let agents = Value::Int(runners.len() as i64);
        for (number, runner) in (0..).zip(&mut runners) {
            runner.define("args", args)?;
            runner.define("agent", &Value::Int(number))?;
            runner.define("agents", &agents)?;
            runner.define_inbox(&stored.program, &member(name, number))?;
        }
        Ok(Self { name: name.to_owned(), stored, runners })
    }

    /// What ends all of them, where they can go on.
    pub(crate) fn interrupts(&self) -> Vec<Arc<AtomicBool>> {
        self.runners.iter().map(Runner::interrupt).collect()
    }

    /// Works until every agent has ended or left.
    pub(crate) fn work(self, fuel: u64) -> Ended {
        let mut ended = Ended::default();
        let run = |(number, mut runner): (u64, Runner)| {
            let name = member(&self.name, number.cast_signed());
            move || runner.run_durable(self.stored, &name, fuel)
        };
        thread::scope(|scope| {
            let runners = (0..).zip(self.runners);
            let threads: Vec<_> = runners.map(|each| (each.0, scope.spawn(run(each)))).collect();
            for (number, thread) in threads {
                match thread.join() {
                    Ok(Ok(value)) => drop(ended.values.insert(number, value)),
                    Ok(Err(why)) => drop(ended.errors.insert(number, why)),
                    Err(_) => {
                        let broke = Fault::new("the thread of the agent broke");
                        ended.errors.insert(number, broke.into());
                    }
                }
            }
        });
        ended
    }
}

/// Sets all flags.
pub(crate) fn stop(interrupts: &[Arc<AtomicBool>]) {
    interrupts.iter().for_each(|interrupt| interrupt.store(true, Ordering::Relaxed));
}
