//! Locks on bytes of the region file that the kernel drops when their holder dies.
//!
//! They are locks of the open file description, so two attachments of one process hold them apart.
//! A process that is stopped keeps its locks: nobody is ever judged by a clock.
//!
//! Memory that is not a file belongs to one process, whose parts all live: there every lock of
//! another attachment is held and every lock of one's own is granted.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use crate::Region;

/// Far beyond any byte a region can have.
const FIRST_BYTE: i64 = 1 << 62;
const GATE: i64 = FIRST_BYTE + 1000;
const CHECKPOINT: i64 = FIRST_BYTE + 1001;
const FIRST_VIEW: i64 = FIRST_BYTE + 2000;

/// A byte that can be locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lease {
    /// Held as long as the attachment in this slot lives.
    Slot(usize),
    /// Held while somebody attaches or detaches.
    Gate,
    /// Held while somebody writes a checkpoint.
    Checkpoint,
    /// Shared by those who look at an offered version; held while it is taken back.
    View(usize),
}

impl Lease {
    fn byte(self) -> i64 {
        match self {
            Lease::Slot(slot) => FIRST_BYTE + slot as i64,
            Lease::Gate => GATE,
            Lease::Checkpoint => CHECKPOINT,
            Lease::View(view) => FIRST_VIEW + view as i64,
        }
    }

    /// Takes the lock if nobody has it. `None` for memory without locks.
    pub(crate) fn try_take(self, region: &Region) -> Option<bool> {
        let file = region.file()?;
        Some(set(file, self.byte(), Kind::Write, false).is_ok())
    }

    /// Takes the lock, however long that takes.
    pub(crate) fn take(self, region: &Region) -> io::Result<()> {
        match region.file() {
            Some(file) => set(file, self.byte(), Kind::Write, true),
            None => Ok(()),
        }
    }

    /// Takes a share of the lock, which needs no right to write, however long that takes.
    pub(crate) fn share(self, region: &Region) -> io::Result<()> {
        region.file().map_or(Ok(()), |file| set(file, self.byte(), Kind::Read, true))
    }

    /// Takes a share of the lock if nobody has it whole.
    pub(crate) fn try_share(self, region: &Region) -> io::Result<bool> {
        match region.file().map_or(Ok(()), |file| set(file, self.byte(), Kind::Read, false)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            // The other errno that a lock held elsewhere may give.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether somebody else has the lock, or a share of it. Needs no right to write.
    pub(crate) fn is_held(self, region: &Region) -> bool {
        region.file().is_some_and(|file| is_locked(file, self.byte()))
    }

    /// Gives the lock back.
    pub(crate) fn give_back(self, region: &Region) {
        if let Some(file) = region.file() {
            // Cannot fail for a lock that is held; the kernel would drop it with the file anyway.
            let _ = set(file, self.byte(), Kind::Unlock, false);
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Read,
    Write,
    Unlock,
}

fn request(byte: i64, kind: Kind) -> libc::flock {
    let kind = match kind {
        Kind::Read => libc::F_RDLCK,
        Kind::Write => libc::F_WRLCK,
        Kind::Unlock => libc::F_UNLCK,
    };
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte,
        l_len: 1,
        l_pid: 0,
    }
}

fn is_locked(file: &File, byte: i64) -> bool {
    let mut lock = request(byte, Kind::Write);
    // SAFETY: the descriptor is open while `file` is borrowed, and the kernel reads and writes the one
    // `flock` it is given.
    let outcome = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    outcome == 0 && lock.l_type != libc::F_UNLCK as libc::c_short
}

fn set(file: &File, byte: i64, kind: Kind, wait: bool) -> io::Result<()> {
    let command = if wait { libc::F_OFD_SETLKW } else { libc::F_OFD_SETLK };
    loop {
        let lock = request(byte, kind);
        // SAFETY: the descriptor is open while `file` is borrowed, and the kernel only reads the
        // one `flock` it is given.
        let outcome = unsafe { libc::fcntl(file.as_raw_fd(), command, &raw const lock) };
        if outcome == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
