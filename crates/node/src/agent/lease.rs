//! Who runs an agent: a lock that its process holds, and that the system takes back when it ends.
//!
//! 1. No two processes run an agent at a time, and whoever waits for the lock learns of the end of the
//!    other without its help.
//! 2. The lock says who runs the agent, the world how far it came: whoever gets the lock reads the
//!    world then.
//! 3. The lock belongs to the open file, not to the process, so it can be asked whether somebody has
//!    it without taking it, and a question does not disturb who is about to take it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// The folder of the locks, in that of the world. An agent's file is empty and stays.
const FOLDER: &str = "agents";

/// The right to run an agent, until it is dropped or the process ends.
pub(crate) struct Lease {
    _file: File,
}

impl Lease {
    /// Takes the lease of an agent, unless somebody has it.
    pub(crate) fn of(world: &Path, agent: &str) -> io::Result<Option<Self>> {
        fs::create_dir_all(world.join(FOLDER))?;
        let path = path(world, agent);
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole())) {
            Ok(_) => Ok(Some(Self { _file: file })),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether somebody has the lease of an agent just now.
    pub(crate) fn is_held(world: &Path, agent: &str) -> io::Result<bool> {
        let file = match File::open(path(world, agent)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut lock = whole();
        fcntl(&file, FcntlArg::F_OFD_GETLK(&mut lock))?;
        Ok(i32::from(lock.l_type) != libc::F_UNLCK)
    }
}

/// Any text may be an agent's name, not every one a file's.
fn path(world: &Path, agent: &str) -> PathBuf {
    world.join(FOLDER).join(format!("{}.lock", blake3::hash(agent.as_bytes()).to_hex()))
}

/// A lock on all of a file, for one holder.
fn whole() -> libc::flock {
    // The constants are tiny; the system's structure has shorter fields for them than C has.
    let (l_type, l_whence) = (libc::F_WRLCK as i16, libc::SEEK_SET as i16);
    libc::flock { l_type, l_whence, l_start: 0, l_len: 0, l_pid: 0 }
}

#[cfg(test)]
mod tests {
    use super::Lease;

    #[test]
    fn one_holds_a_lease_and_asking_who_takes_nothing() {
        let world = tempfile::tempdir().unwrap();
        let held = |agent| Lease::is_held(world.path(), agent).unwrap();
        assert!(!held("ada"), "nobody ever had it");
        let lease = Lease::of(world.path(), "ada").unwrap().unwrap();
        assert!(held("ada") && !held("eve"));
        assert!(Lease::of(world.path(), "ada").unwrap().is_none(), "also within one process");
        assert!(held("ada"), "who asked and who was refused took nothing");
        drop(lease);
        assert!(!held("ada"));
        assert!(Lease::of(world.path(), "ada").unwrap().is_some());
    }
}
