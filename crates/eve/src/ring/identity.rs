//! Who holds a side: one word that names a process so that its death can be told.
//!
//! | bits | hold |
//! | --- | --- |
//! | 0–31 | start time of the process mixed with the machine's boot id |
//! | 32–41 | its pid namespace, hashed |
//! | 42–63 | its pid |
//!
//! 1. A process that lives is never taken for dead: in doubt (another pid namespace, no `/proc`)
//!    it lives.
//! 2. A pid that was given to a new process is told from the old one by the start time.

use std::fs;

const PID_SHIFT: u32 = 42;
const NAMESPACE_SHIFT: u32 = 32;
const NAMESPACE_MASK: u64 = (1 << (PID_SHIFT - NAMESPACE_SHIFT)) - 1;
const START_MASK: u64 = u32::MAX as u64;

/// A process, at this boot of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64);

impl Identity {
    /// This process.
    pub(crate) fn current() -> Identity {
        let pid = std::process::id();
        let start = match process_state(pid) {
            State::Running { start } => start,
            State::Gone | State::Unknown => 0,
        };
        Identity::new(pid, namespace(), start)
    }

    fn new(pid: u32, namespace: u64, start: u64) -> Identity {
        Identity(u64::from(pid) << PID_SHIFT | namespace << NAMESPACE_SHIFT | start)
    }

    /// A process of this machine that cannot live: its pid is beyond any that Linux gives out.
    #[cfg(test)]
    pub(crate) fn nobody_alive() -> Identity {
        Identity::new((1 << (64 - PID_SHIFT)) - 1, namespace(), 1)
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

    /// Whether the process lives, or might.
    pub(crate) fn is_alive(self) -> bool {
        if self.0 >> NAMESPACE_SHIFT & NAMESPACE_MASK != namespace() {
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

/// The process in `/proc`. One that ended and was not yet collected by its parent is gone.
fn process_state(pid: u32) -> State {
    let Ok(stat) = fs::read(format!("/proc/{pid}/stat")) else {
        let known = fs::exists("/proc/self/stat").unwrap_or(false);
        return if known { State::Gone } else { State::Unknown };
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
    match fields.nth(START_AFTER_STATE) {
        Some(ticks) => {
            let boot = fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
            State::Running { start: hash(&[ticks.as_bytes(), &boot].concat()) & START_MASK }
        }
        None => State::Unknown,
    }
}

fn namespace() -> u64 {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let folded = hash(link.as_os_str().as_encoded_bytes());
    (folded ^ folded >> 32) & NAMESPACE_MASK
}

/// FNV-1a: every program that attaches must find the same word, whatever it was built with.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
