//! The one seam through which tests let the disk fail.
//!
//! Every write and sync of the log's writer passes [`gate`] first. Outside of tests it is nothing.
//!
//! The fault model: the n-th write or sync of this thread fails as a disk does, having done nothing;
//! or it and every later one does.

use std::io;

#[cfg(test)]
thread_local! {
    static PLAN: std::cell::Cell<Plan> = const { std::cell::Cell::new(Plan::Sound) };
}

/// What is to fail.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    Sound,
    /// So many more succeed; the next fails, and if it `sticks`, so does every later one.
    After {
        left: u32,
        sticks: bool,
    },
    /// It failed, once or for good.
    Failed {
        sticks: bool,
    },
}

/// Fails if it is time to.
#[cfg(not(test))]
#[inline]
pub(crate) fn gate() -> io::Result<()> {
    Ok(())
}

/// Fails if it is time to.
#[cfg(test)]
pub(crate) fn gate() -> io::Result<()> {
    let (next, fails) = match PLAN.get() {
        Plan::Sound => (Plan::Sound, false),
        Plan::After { left: 0, sticks } => (Plan::Failed { sticks }, true),
        Plan::After { left, sticks } => (Plan::After { left: left - 1, sticks }, false),
        Plan::Failed { sticks } => (Plan::Failed { sticks }, sticks),
    };
    PLAN.set(next);
    match fails {
        true => Err(io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error())),
        false => Ok(()),
    }
}

/// Sets the plan of this thread, and answers the one before.
#[cfg(test)]
pub(crate) fn plan(plan: Plan) -> Plan {
    PLAN.replace(plan)
}
