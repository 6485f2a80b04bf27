//! Who holds a side: one word that names a process so that its death can be told.
//!
//! | bits | hold |
//! | --- | --- |
//! | 0–9 | start time of the process and the machine's boot id, hashed |
//! | 10–41 | the number of its pid namespace, 0 if that could not be told |
//! | 42–63 | its pid |
//!
//! 1. A process that lives is never taken for dead: unless it is proven to be of our pid namespace,
//!    and that `/proc` shows this namespace, it lives. Hence the namespace stands here in full; no
//!    two that live have one number.
//! 2. A pid that was given to a new process is told from the old one by the start time, but for one
//!    in 1024: then the old one is taken for alive, until the new one ends.

use std::fs;
use std::os::linux::fs::MetadataExt;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

const PID_SHIFT: u32 = 42;
const NAMESPACE_SHIFT: u32 = 10;
const START_MASK: u64 = (1 << NAMESPACE_SHIFT) - 1;
const UNKNOWN_NAMESPACE: u32 = 0;

/// A process, at this boot of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64);

impl Identity {
    /// This process.
    pub(crate) fn current() -> Identity {
        let pid = std::process::id();
        match (namespace(), process_state(pid)) {
            (Some(namespace), State::Running { start }) => Identity::new(pid, namespace, start),
            _ => Identity::new(pid, UNKNOWN_NAMESPACE, 0),
        }
    }

    fn new(pid: u32, namespace: u32, start: u64) -> Identity {
        Identity(u64::from(pid) << PID_SHIFT | u64::from(namespace) << NAMESPACE_SHIFT | start)
    }

    /// A process of this machine that cannot live: its pid is beyond any that Linux gives out.
    #[cfg(test)]
    pub(crate) fn nobody_alive() -> Identity {
        Identity::nobody_alive_in(namespace().expect("a /proc of this pid namespace"))
    }

    /// The same, had it been of the pid namespace with this number.
    #[cfg(test)]
    pub(crate) fn nobody_alive_in(namespace: u32) -> Identity {
        Identity::new((1 << (64 - PID_SHIFT)) - 1, namespace, 1)
    }

    /// The identity with this word; `None` for 0, which is nobody.
    pub(crate) fn from_raw(raw: u64) -> Option<Identity> {
        (raw != 0).then_some(Identity(raw))
    }

    pub(crate) fn raw(self) -> u64 {
        self.0
    }

    pub(crate) fn pid(self) -> u32 {
        (self.0 >> PID_SHIFT) as u32
    }

    fn namespace(self) -> u32 {
        (self.0 >> NAMESPACE_SHIFT) as u32
    }

    /// Whether the process lives, or might.
    pub(crate) fn is_alive(self) -> bool {
        if namespace() != Some(self.namespace()) {
            return true;
        }
        match process_state(self.pid()) {
            State::Running { start } => self.0 & START_MASK == start,
            State::Gone => false,
            State::Unknown => true,
        }
    }
}

enum State {
    Running { start: u64 },
    Gone,
    Unknown,
}

/// The process of our namespace with this pid, if `/proc` is of that namespace. One that ended and
/// was not yet collected by its parent is gone.
fn process_state(pid: u32) -> State {
    let Ok(stat) = fs::read(format!("/proc/{pid}/stat")) else {
        // `/proc` may hide other users' processes; from a signal nobody hides.
        let signalled = i32::try_from(pid).ok().and_then(Pid::from_raw).map(test_kill_process);
        return if signalled == Some(Err(Errno::SRCH)) { State::Gone } else { State::Unknown };
    };
    // The name stands in parentheses and may itself hold any of ") ".
    let Some(name_end) = stat.iter().rposition(|&byte| byte == b')') else {
        return State::Unknown;
    };
    let rest = String::from_utf8_lossy(stat.get(name_end + 1..).unwrap_or_default()).into_owned();
    let mut fields = rest.split_ascii_whitespace();
    match fields.next() {
        Some("Z" | "X" | "x") => return State::Gone,
        Some(_) => {}
        None => return State::Unknown,
    }
    const START_AFTER_STATE: usize = 18; // starttime is field 22, the state field 3
    match (fields.nth(START_AFTER_STATE), fs::read("/proc/sys/kernel/random/boot_id")) {
        (Some(ticks), Ok(boot)) => {
            let hash = hash(&[ticks.as_bytes(), &boot].concat());
            State::Running { start: (hash ^ hash >> 32) & START_MASK }
        }
        _ => State::Unknown,
    }
}

/// The number of our pid namespace; none unless `/proc` shows the processes of that very namespace.
fn namespace() -> Option<u32> {
    let status = fs::read("/proc/self/status").ok()?;
    let status = String::from_utf8_lossy(&status);
    // Our pid in every namespace from that of `/proc` down to our own: one, if they are the same.
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    if pids.split_ascii_whitespace().count() != 1 {
        return None;
    }
    let number = fs::metadata("/proc/self/ns/pid").ok()?.st_ino();
    u32::try_from(number).ok().filter(|number| *number != UNKNOWN_NAMESPACE)
}

/// FNV-1a: every program that attaches must find the same word, whatever it was built with.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
