//! Names that mean something else from now on, for all agents: see [`Machine::redefine`].
//!
//! 1. Redefinitions are numbered. Each agent knows up to which it has them, and gets those behind before its next
//!    slice, on whatever thread: so within a slice it runs one code.
//! 2. Of each name the last redefinition is kept, and an agent that comes later gets these.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datom::Symbol;

use super::agent::Agent;
use super::shared::Shared;
use crate::error::Error;
use crate::machine::Machine;
use crate::program::Program;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// The redefinitions of a scheduler.
pub(super) struct Live {
    names: Mutex<BTreeMap<Symbol, (u64, Arc<Program>)>>,
    /// How many there have been: changed under the lock, looked at without it to see whether there is anything new.
    count: AtomicU64,
}

impl Live {
    pub(super) fn new() -> Self {
        Self { names: Mutex::new(BTreeMap::new()), count: AtomicU64::new(0) }
    }

    fn add(&self, name: &Symbol, program: Arc<Program>) {
        let mut names = lock(&self.names);
        let number = self.count.load(Ordering::Relaxed) + 1;
        names.insert(name.clone(), (number, program));
        self.count.store(number, Ordering::Relaxed);
    }

    /// Gives the agent on a machine the redefinitions that it has not got. Cheap where there are none.
    pub(super) fn follow(&self, agent: &Agent, machine: &mut Machine) -> Result<(), Error> {
        let has = agent.redefined.load(Ordering::Relaxed);
        if self.count.load(Ordering::Relaxed) == has {
            return Ok(());
        }
        let (count, fresh): (u64, Vec<_>) = {
            let names = lock(&self.names);
            let count = self.count.load(Ordering::Relaxed);
            let fresh = names.iter().filter(|(_, (number, _))| *number > has);
            let fresh = fresh.map(|(name, (_, program))| (name.clone(), program.clone()));
            (count, fresh.collect())
        };
        for (name, program) in fresh {
            machine.redefine(&name, &program)?;
        }
        agent.redefined.store(count, Ordering::Relaxed);
        Ok(())
    }
}

/// Redefines names for all agents, from any thread. See [`Scheduler::redefiner`](crate::Scheduler::redefiner).
#[derive(Clone)]
pub struct Redefiner(pub(super) Arc<Shared>);

impl fmt::Debug for Redefiner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redefiner")
    }
}

impl Redefiner {
    /// Makes a name mean the function that a program defines it as: for agents that wait or begin, at once; for one
    /// that runs, from its next slice on. Calls that run go on with the code that they began with.
    ///
    /// # Errors
    /// [`Kind::Code`](crate::Kind::Code) if the program does not define the name as a function.
    pub fn redefine(&self, name: &Symbol, program: &Program) -> Result<(), Error> {
        program.defines(name)?;
        self.0.live.add(name, self.0.learn(program));
        Ok(())
    }
}
