//! Region files: made under another name and then named, so that nobody opens half of one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use rustix::fs::{FallocateFlags, MemfdFlags, RenameFlags};
use rustix::io::Errno;

use super::{Backing, Options, Region, rounded};
use crate::layout::{CHUNK, REGION_MIN};
use crate::{Error, header};

/// Below this the reservation is refused rather than shrunk further.
const LIMIT_FALLBACK: u64 = 1 << 30;
/// Who may use a region must be able to write it: whoever shares the group may.
const MODE: u32 = 0o660;

pub(super) fn create(path: &Path, options: &Options) -> Result<Region, Error> {
    if path.exists() {
        return Err(Error::Exists { path: path.to_owned() });
    }
    let draft = draft_of(path);
    let _ = fs::remove_file(&draft); // of a process with our id that died here
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(&draft)
        .map_err(|source| refused(path, "create the file", source))?;
    let made = fill(file, path, options).and_then(|region| {
        // First what it is, then its name: no machine that stops leaves a name of nothing.
        region.flush(region.allocated())?;
        name(&draft, path)?;
        sync_folder(path).inspect_err(|_| drop(fs::remove_file(path)))?;
        Ok(region)
    });
    if made.is_err() {
        let _ = fs::remove_file(&draft);
    }
    made
}

fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    let thread = std::thread::current().id();
    name.push(format!(".draft-{}-{thread:?}", std::process::id()));
    PathBuf::from(name)
}

fn fill(file: File, path: &Path, options: &Options) -> Result<Region, Error> {
    let initial = rounded(options.initial_bytes).max(REGION_MIN);
    allocate(&file, path, 0, initial)?;
    let region = reserve(file, path, rounded(options.limit_bytes).max(initial))?;
    header::format(&region, initial);
    Ok(region)
}

/// Maps as much of `limit` as the system has address space for.
fn reserve(file: File, path: &Path, limit: u64) -> Result<Region, Error> {
    let mut limit = limit;
    loop {
        match memmap2::MmapOptions::new().len(limit as usize).no_reserve_swap().map_raw(&file) {
            Ok(map) => return mapped(file, path, map, limit, 0),
            Err(_) if limit > LIMIT_FALLBACK => limit = (limit / 2).max(LIMIT_FALLBACK),
            Err(source) => return Err(refused(path, "map the file", source)),
        }
    }
}

/// A region whose bytes from `written` on nobody has used yet.
fn mapped(
    file: File,
    path: &Path,
    map: memmap2::MmapRaw,
    limit: u64,
    written: u64,
) -> Result<Region, Error> {
    let start = NonNull::new(map.as_mut_ptr()).ok_or(Error::Memory { bytes: limit })?;
    // A child made by `fork` would share pins and lanes with its parent, who knows nothing of it.
    // Where the system cannot keep the memory from it, the word of `Slab`'s documentation stands.
    let _ = map.advise(memmap2::Advice::DontFork);
    // There is nothing to read ahead in what is not written yet. Doing so caches it in large pieces, and
    // for a byte that changes later the system writes the whole piece.
    if written < limit {
        let unwritten = (limit - written) as usize;
        let _ = map.advise_range(memmap2::Advice::Random, written as usize, unwritten);
    }
    let backing = Backing::File { file, path: path.to_owned(), map };
    Ok(Region::over(start, limit, backing))
}

fn name(draft: &Path, path: &Path) -> Result<(), Error> {
    let here = rustix::fs::CWD;
    match rustix::fs::renameat_with(here, draft, here, path, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(Error::Exists { path: path.to_owned() }),
        // A file system without this flag: a link refuses to replace just as well.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            let linked = fs::hard_link(draft, path);
            let _ = fs::remove_file(draft);
            linked.map_err(|source| refused(path, "name the new file", source))
        }
        Err(errno) => Err(refused(path, "name the new file", errno.into())),
    }
}

/// A file without a name, which is gone with the last process that has it.
pub(super) fn nameless(options: &Options) -> Result<Region, Error> {
    let path = Path::new("memfd:eve");
    let made = rustix::fs::memfd_create(c"eve", MemfdFlags::CLOEXEC);
    let file = made.map_err(|errno| refused(path, "make a file in memory", errno.into()))?;
    let path = descriptor_path(&file);
    fill(file.into(), &path, options)
}

/// Opens the file of a region once more, for a child to inherit. A descriptor that was only copied
/// would share the locks by which the living are told from the dead.
pub(super) fn inheritable(file: &File, path: &Path) -> Result<OwnedFd, Error> {
    let refused = |source| refused(path, "open the file again", source);
    let again = OpenOptions::new().read(true).write(true).open(descriptor_path(file));
    let again = again.map_err(refused)?;
    rustix::io::fcntl_setfd(&again, rustix::io::FdFlags::empty())
        .map_err(|errno| refused(errno.into()))?;
    Ok(again.into())
}

fn descriptor_path(file: &impl AsRawFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Makes a new name durable.
fn sync_folder(path: &Path) -> Result<(), Error> {
    #[cfg(all(test, not(loom)))]
    super::disk::ask(path, "write the folder to the disk")?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| refused(path, "write the folder to the disk", source))
}

pub(super) fn open(path: &Path) -> Result<Region, Error> {
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.map_err(|source| refused(path, "open the file", source))?;
    let (stated, length) = look_at(&file, path)?;
    if length < stated.allocated {
        allocate(&file, path, length, stated.allocated)?;
    }
    let map = memmap2::MmapOptions::new()
        .len(stated.limit as usize)
        .no_reserve_swap()
        .map_raw(&file)
        .map_err(|source| refused(path, RESERVE, source))?;
    mapped(file, path, map, stated.limit, stated.allocated)
}

const RESERVE: &str = "reserve the address space of the file's limit";

pub(super) fn open_to_read(path: &Path) -> Result<Region, Error> {
    let refused = |doing, source: io::Error| match source.kind() {
        ErrorKind::NotFound => Error::Missing { path: path.to_owned() },
        _ => Error::Io { path: path.to_owned(), doing, source },
    };
    let file = File::open(path).map_err(|source| refused("open the file", source))?;
    let (stated, length) = look_at(&file, path)?;
    let map = memmap2::MmapOptions::new()
        .len(stated.limit as usize)
        .no_reserve_swap()
        .map_raw_read_only(&file)
        .map_err(|source| refused(RESERVE, source))?;
    let end = length.min(stated.limit);
    let mut region = mapped(file, path, map, stated.limit, stated.allocated)?;
    region.end = end;
    Ok(region)
}

/// Whether a file is a region that is all there: what it says of itself, and how long it is.
fn look_at(file: &File, path: &Path) -> Result<(header::Stated, u64), Error> {
    let kind = file.metadata().map_err(|source| refused(path, "look at the file", source))?;
    if !kind.is_file() {
        return Err(Error::NotARegion {
            path: path.to_owned(),
            found: "it is not a regular file".into(),
        });
    }
    let stated = settled_header(file, path)?;
    // After the header: the file only grows.
    let length = length(file, path)?;
    let needed = stated.needed.max(REGION_MIN);
    if length < needed || stated.allocated < REGION_MIN {
        return Err(Error::Header {
            path: path.to_owned(),
            what: format!(
                "the file has {length} bytes where its header counts on {needed}: it was truncated"
            ),
        });
    }
    Ok((stated, length))
}

pub(super) fn length(file: &File, path: &Path) -> Result<u64, Error> {
    let metadata = file.metadata().map_err(|source| refused(path, "look at the file", source))?;
    Ok(metadata.len())
}

/// Reads the header, again if it seems damaged: a process that grows the region meanwhile may be
/// seen half way.
fn settled_header(file: &File, path: &Path) -> Result<header::Stated, Error> {
    const ATTEMPTS: usize = 3;
    for _ in 1..ATTEMPTS {
        match header::read(file, path) {
            Err(Error::Header { .. }) => {}
            read => return read,
        }
    }
    header::read(file, path)
}

/// Gives `from..to` of the file room on the disk.
pub(super) fn allocate(file: &File, path: &Path, from: u64, to: u64) -> Result<(), Error> {
    debug_assert!(to.is_multiple_of(CHUNK));
    #[cfg(all(test, not(loom)))]
    super::disk::ask(path, "allocate room for the file")?;
    loop {
        return match rustix::fs::fallocate(file, FallocateFlags::empty(), from, to - from) {
            Ok(()) => Ok(()),
            Err(Errno::INTR) => continue,
            Err(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => {
                Err(Error::DiskFull { path: path.to_owned(), from_bytes: from, to_bytes: to })
            }
            Err(errno) => Err(refused(path, "allocate room for the file", errno.into())),
        };
    }
}

fn refused(path: &Path, doing: &'static str, source: io::Error) -> Error {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::NotFound if doing == "open the file" => Error::Missing { path },
        ErrorKind::AlreadyExists => Error::Exists { path },
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::ReadOnly { path },
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Error::DiskFull { path, from_bytes: 0, to_bytes: REGION_MIN }
        }
        _ => Error::Io { path, doing, source },
    }
}
