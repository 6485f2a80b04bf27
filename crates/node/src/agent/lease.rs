//! Who runs an agent: a lock that its process holds, and that the system takes back when it ends.
//!
//! 1. No two processes run an agent at a time, and whoever waits for the lock learns of the end of the
//!    other without its help.
//! 2. The lock says who runs the agent, the world how far it came: whoever gets the lock reads the
//!    world then.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

/// The folder of the locks, in that of the world. An agent's file is empty and stays.
const FOLDER: &str = "agents";

/// The right to run an agent, until it is dropped or the process ends.
pub(crate) struct Lease {
    _file: File,
}

impl Lease {
    /// Takes the lease of an agent, unless somebody has it.
    pub(crate) fn of(world: &Path, agent: &str) -> io::Result<Option<Self>> {
        let folder = world.join(FOLDER);
        fs::create_dir_all(&folder)?;
        // Any text may be an agent's name, not every one a file's.
        let name = format!("{}.lock", blake3::hash(agent.as_bytes()).to_hex());
        let file =
            File::options().create(true).truncate(false).write(true).open(folder.join(name))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
