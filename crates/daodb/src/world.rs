//! The world folder: what lies where, and who may do what.
//!
//! ```text
//! region.eve   the shared memory: all indexes, and the frames that are not on disk yet
//! log/         the log: segments, and its lease
//! gate         locked while somebody opens or closes the world
//! attached     locked shared by every process that has the world open
//! ```
//!
//! 1. The log is the truth; the region can be rebuilt from it.
//! 2. The region is replaced only by a process that holds the gate and is attached alone. The old
//!    file is kept under another name, as evidence.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::WorldError;
use crate::options::Create;

/// A world folder, entered: this process counts as attached.
pub(crate) struct World {
    folder: PathBuf,
    gate: File,
    attached: File,
}

/// The gate, held, with what was found on the way in.
pub(crate) struct Gate<'a> {
    world: &'a World,
    /// Nobody else has the world open.
    pub(crate) alone: bool,
}

impl World {
    /// Makes the folder if it should be made, and opens its locks. Nothing else is touched.
    pub(crate) fn enter(folder: &Path, create: Create) -> Result<Self, WorldError> {
        let exists = Self::is_world(folder);
        let path = || folder.to_path_buf();
        match create {
            Create::Never if !exists => return Err(WorldError::Missing { path: path() }),
            Create::New if exists => return Err(WorldError::Exists { path: path() }),
            _ => {}
        }
        let log = folder.join("log");
        fs::create_dir_all(&log)
            .map_err(|source| WorldError::io(&log, "make the world's folders", source))?;
        let lock = |name: &str| {
            let path = folder.join(name);
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
            file.map_err(|source| WorldError::io(&path, "open a lock of the world", source))
        };
        Ok(Self { folder: path(), gate: lock("gate")?, attached: lock("attached")? })
    }

    /// Whether a folder holds a world: its log or its region is there.
    pub(crate) fn is_world(folder: &Path) -> bool {
        folder.join("log").is_dir() || folder.join("region.eve").is_file()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn region(&self) -> PathBuf {
        self.folder.join("region.eve")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Takes the gate, however long that takes, and attaches.
    pub(crate) fn open(&self) -> Result<Gate<'_>, WorldError> {
        let failed = |source| WorldError::io(&self.folder, "lock the world", source);
        self.gate.lock().map_err(failed)?;
        let alone = match self.attached.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        };
        let gate = Gate { world: self, alone };
        if !alone {
            self.attached.lock_shared().map_err(failed)?;
        }
        Ok(gate)
    }

    /// Puts the region file aside under a name that is free.
    pub(crate) fn set_region_aside(&self) -> Result<PathBuf, WorldError> {
        let from = self.region();
        let failed = |source| WorldError::io(&from, "put the damaged region aside", source);
        let mut number = 1_u32;
        let to = loop {
            let to = self.folder.join(format!("region.eve.damaged-{number}"));
            if !to.try_exists().map_err(failed)? {
                break to;
            }
            number += 1;
        };
        fs::rename(&from, &to).map_err(failed)?;
        self.sync_folder()?;
        Ok(to)
    }

    /// Undoes [`World::set_region_aside`].
    pub(crate) fn put_region_back(&self, aside: &Path) -> Result<(), WorldError> {
        let to = self.region();
        let failed = |source| WorldError::io(&to, "put the old region back", source);
        fs::rename(aside, &to).map_err(failed)?;
        self.sync_folder()
    }

    /// Makes the names in the folder durable.
    pub(crate) fn sync_folder(&self) -> Result<(), WorldError> {
        let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
        let synced = synced.or_else(|error| match error.kind() {
            io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput => Ok(()),
            _ => Err(error),
        });
        synced.map_err(|source| WorldError::io(&self.folder, "sync the world's folder", source))
    }
}

impl Drop for Gate<'_> {
    fn drop(&mut self) {
        // Neither can fail for a lock that is held; the kernel would drop both with the files.
        if self.alone {
            let _ = self.world.attached.lock_shared();
        }
        let _ = self.world.gate.unlock();
    }
}
