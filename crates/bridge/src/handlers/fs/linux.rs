//! The system calls of the file handlers.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::{ENTRIES_MAX, Entry, FILE_BYTES_MAX, Place};
use crate::failure::Failure;

/// How often a name for the new file beside the target is tried.
pub(super) const NAMES_MAX: usize = 16;
/// `openat2` asks to try again when the tree changes under it.
const TRIES_MAX: usize = 64;

pub(super) fn read(place: &Place) -> Result<Vec<u8>, Failure> {
    // Without waiting: opening a pipe would (invariant 3).
    let fd = open(place, &place.rest, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
    let stat = fs::fstat(&fd).map_err(|errno| failed(place, errno))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(place.failure("fs/not-a-file", "not a regular file"));
    }
    let size = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
    if size > FILE_BYTES_MAX {
        return Err(place.too_large());
    }
    // One byte more than what is there shows the end without another read. Some files grow, and
    // some say that they are empty, so the limit is asked again.
    let mut bytes = Vec::with_capacity(size + 1);
    let mut file = File::from(fd).take(FILE_BYTES_MAX as u64 + 1);
    file.read_to_end(&mut bytes).map_err(|error| io_failed(place, &error))?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(place.too_large());
    }
    Ok(bytes)
}

pub(super) fn write(place: &Place, content: &[u8]) -> Result<(), Failure> {
    let (parent, name) = place.split();
    if name.is_empty() {
        return Err(place.failure("fs/not-a-file", "this is a folder"));
    }
    let parent = open(place, parent, OFlags::PATH | OFlags::DIRECTORY)?;
    let mode = target_mode(place, &parent, name)?;
    let (beside, fd) = create_beside(place, &parent)?;
    let result = fill(place, fd, content, mode).and_then(|()| {
        fs::renameat(&parent, &beside, &parent, name).map_err(|errno| failed(place, errno))
    });
    if result.is_err() {
        // What is left over is a hidden file that nothing points to.
        let _ = fs::unlinkat(&parent, &beside, AtFlags::empty());
        return result;
    }
    sync_folder(place, &parent)
}

/// A new name is on disk once its folder is.
pub(super) fn sync_folder(place: &Place, folder: &OwnedFd) -> Result<(), Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = fs::openat(folder, ".", flags, Mode::empty());
    folder.and_then(fs::fsync).map_err(|errno| failed(place, errno))
}

/// The mode of the file that is replaced; `None` where there is none. Only a regular file is
/// replaced: renaming over a symbolic link would silently cut it.
fn target_mode(place: &Place, parent: &OwnedFd, name: &str) -> Result<Option<Mode>, Failure> {
    match fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(failed(place, errno)),
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
            Ok(Some(Mode::from_raw_mode(stat.st_mode & 0o777)))
        }
        Ok(_) => Err(place.failure("fs/not-a-file", "there is something else than a regular file")),
    }
}

fn create_beside(place: &Place, parent: &OwnedFd) -> Result<(String, OwnedFd), Failure> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for _ in 0..NAMES_MAX {
        let mut random = [0; 8];
        getrandom::fill(&mut random)
            .map_err(|error| place.failure("fs/io", &format!("no randomness: {error}")))?;
        let name = format!(".{:016x}.part", u64::from_le_bytes(random));
        match fs::openat(parent, &name, flags, Mode::from_raw_mode(0o666)) {
            Ok(fd) => return Ok((name, fd)),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed(place, errno)),
        }
    }
    Err(place.failure("fs/io", "found no free name for the new file beside it"))
}

fn fill(place: &Place, fd: OwnedFd, content: &[u8], mode: Option<Mode>) -> Result<(), Failure> {
    if let Some(mode) = mode {
        fs::fchmod(&fd, mode).map_err(|errno| failed(place, errno))?;
    }
    let mut file = File::from(fd);
    file.write_all(content).and_then(|()| file.sync_all()).map_err(|error| io_failed(place, &error))
}

pub(super) fn list(place: &Place) -> Result<Vec<Entry>, Failure> {
    let fd = open(place, &place.rest, OFlags::RDONLY | OFlags::DIRECTORY)?;
    let folder = fs::Dir::read_from(&fd).map_err(|errno| failed(place, errno))?;
    let mut entries = Vec::new();
    for entry in folder {
        let entry = entry.map_err(|errno| failed(place, errno))?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        if entries.len() == ENTRIES_MAX {
            let why = format!("the folder has more than {ENTRIES_MAX} entries");
            return Err(place.failure("fs/too-large", &why));
        }
        let stat = match fs::statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // Removed meanwhile.
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(failed(place, errno)),
        };
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => "file",
            FileType::Directory => "folder",
            FileType::Symlink => "link",
            _ => "other",
        };
        let bytes = u64::try_from(stat.st_size).unwrap_or(0);
        entries.push(Entry { name: name.to_bytes().to_vec(), kind, bytes });
    }
    Ok(entries)
}

/// Invariant 2.
pub(super) fn open(place: &Place, rest: &str, flags: OFlags) -> Result<OwnedFd, Failure> {
    let flags = flags | OFlags::CLOEXEC;
    let folder_flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = fs::open(place.folder.as_str(), folder_flags, Mode::empty())
        .map_err(|errno| failed(place, errno))?;
    let rest = if rest.is_empty() { "." } else { rest };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..TRIES_MAX {
        match fs::openat2(folder.as_fd(), rest, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(Errno::XDEV) => {
                let why = format!(
                    "a link leads out of the folder {} that the token allows",
                    place.folder
                );
                return Err(place.failure("fs/denied", &why));
            }
            opened => return opened.map_err(|errno| failed(place, errno)),
        }
    }
    Err(failed(place, Errno::AGAIN))
}

pub(super) fn failed(place: &Place, errno: Errno) -> Failure {
    let (kind, why) = match errno {
        Errno::NOENT => ("fs/not-found", "there is no such file or folder"),
        Errno::NOTDIR => ("fs/not-a-folder", "not a folder"),
        Errno::ISDIR => ("fs/not-a-file", "this is a folder"),
        Errno::LOOP => ("fs/denied", "too many symbolic links, or one that is not allowed"),
        Errno::NXIO => ("fs/not-a-file", "not a regular file"),
        Errno::ACCESS | Errno::PERM => ("fs/io", "the system gives this process no permission"),
        Errno::NOSYS => ("fs/unsupported", "this kernel has no openat2, Linux 5.6 or later has"),
        errno => return io_failed(place, &errno.into()),
    };
    place.failure(kind, why)
}

pub(super) fn io_failed(place: &Place, error: &io::Error) -> Failure {
    place.failure("fs/io", &error.to_string())
}
