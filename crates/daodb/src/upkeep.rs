//! Work on the log that nobody waits for: sealing segments, moving them to a cold folder, and giving up what
//! the region has of it still.
//!
//! None holds the log's lease or any lock that a commit takes: commits go on meanwhile.

use std::path::Path;

use crate::database::Database;
use crate::error::Error;
use crate::log::{cold, seal};

impl Database {
    /// Compresses every segment of the log that another one follows, and gives the room back that large
    /// transactions took in the region until they were on the disk. Answers how many segments: 0 when
    /// another process is at it, or the database is in memory.
    ///
    /// Both happen by themselves in the background; this is for whoever wants it now. Reads and writes
    /// each segment once.
    ///
    /// # Errors
    /// When a segment cannot be read or the disk is full. Nothing is lost then.
    pub fn seal(&self) -> Result<u64, Error> {
        match self.log_folder() {
            Some(folder) => {
                self.store().release_frames()?;
                Ok(seal::seal_all(folder)?)
            }
            None => Ok(0),
        }
    }

    /// Seals the log and moves the segments that hold nothing after transaction `last_t` to another
    /// folder, on a larger or cheaper disk, where they are read from then on. Answers how many were
    /// moved.
    ///
    /// The folder belongs to this world's log alone. Files in it are named for the hash of their
    /// bytes and never changed; a numbered manifest lists them.
    ///
    /// # Errors
    /// When a file cannot be read or written, when the folder is another log's, or when this log has
    /// cold segments elsewhere. Nothing is lost then.
    pub fn freeze(&self, folder: impl AsRef<Path>, last_t: u64) -> Result<u64, Error> {
        let Some(log) = self.log_folder() else { return Ok(0) };
        seal::seal_all(log)?;
        Ok(cold::freeze(log, folder.as_ref(), last_t.min(self.durable_t()))?)
    }
}
