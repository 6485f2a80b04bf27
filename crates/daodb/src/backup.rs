//! Copies of a world that others go on writing, and worlds made from them.
//!
//! A backup is a folder with the log of a world and nothing else; the region can be made from it.
//!
//! 1. What counts as durable when the backup begins is in it; nothing later is.
//! 2. The file that says how far the log is durable is written last. A backup that was interrupted is
//!    the one before, with more behind its end.
//! 3. A segment that is complete never changes: the next backup does not copy it again. To one that
//!    grew, what it gained is appended, once the earlier copy was found to be what it begins with.
//! 4. A backup is never continued with another history: where the two ends differ, it is refused.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek};
use std::path::Path;

use crate::database::Database;
use crate::error::{Error, WorldError};
use crate::log::durable::Durable;
use crate::log::source::{self, Kept, Source};
use crate::log::{Frames, Position, seal, segment};
use crate::options::{Create, OnProgress, Options, Progress};
use crate::world::World;

/// Bytes of two copies that are compared at a time.
const COMPARED_BYTES: u64 = 1 << 16;

/// What [`Database::backup`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// The last transaction that the backup has.
    pub t: u64,
    /// Segments that it has.
    pub segments: u64,
    /// Segments that were copied this time, or what they gained.
    pub copied: u64,
    /// Bytes that were copied this time.
    pub bytes: u64,
}

impl Database {
    /// Copies the log into a folder, which is made if it is not there: everything that is committed
    /// now. Others write on meanwhile. Into a folder that has an earlier backup of this world only
    /// what is new is copied.
    ///
    /// Costs reading and writing what is new, and reading both copies of a segment that grew.
    ///
    /// # Errors
    /// When a file cannot be read or written, or the folder has the backup of another history. The
    /// earlier backup is as it was then.
    pub fn backup(
        &self,
        folder: impl AsRef<Path>,
        progress: Option<&OnProgress>,
    ) -> Result<Backup, Error> {
        self.sync()?;
        let Some(from) = self.log_folder() else {
            let path = folder.as_ref();
            let why = io::Error::new(io::ErrorKind::Unsupported, "a database in memory has no log");
            return Err(WorldError::io(path, "make a backup there", why).into());
        };
        let end = durable_end(from)?;
        let to = folder.as_ref().join("log");
        fs::create_dir_all(&to)
            .map_err(|source| WorldError::io(&to, "make the folder of a backup", source))?;
        check_earlier(from, &to, end)?;
        let mut done = Backup { t: end.end.t, ..Backup::default() };
        let segments = segment::list(from)?;
        let segments: Vec<u64> = segments.into_iter().take_while(|t| *t <= end.segment).collect();
        for &first_t in &segments {
            let length = (first_t == end.segment).then_some(end.offset);
            if let Some(bytes) = copy_segment(from, &to, first_t, length)? {
                done.copied += 1;
                done.bytes += bytes;
            }
            done.segments += 1;
            if let Some(progress) = progress {
                progress(Progress { done: done.segments, total: segments.len() as u64 });
            }
        }
        let id = from.join("id");
        let file = File::open(&id).map_err(|source| WorldError::io(&id, "copy", source))?;
        copy(file, &to.join("id"))?;
        let mut durable = Durable::new(&to);
        let failed = |source| WorldError::io(&to, "write how far the backup goes", source);
        durable.replace(&end).map_err(failed)?;
        Ok(done)
    }

    /// Makes a world in `folder` from a backup, and opens it. Its region is made from the log, which
    /// `options` can have the progress told of.
    ///
    /// # Errors
    /// When there is no backup, when there is a world in `folder` already, when a file cannot be read
    /// or written. A folder that was made and could not be filled is left for the next attempt.
    pub fn restore(
        backup: impl AsRef<Path>,
        folder: impl AsRef<Path>,
        options: Options,
    ) -> Result<Database, Error> {
        let (from, folder) = (backup.as_ref().join("log"), folder.as_ref());
        if World::is_world(folder) && folder.join("region.eve").exists() {
            return Err(WorldError::Exists { path: folder.to_path_buf() }.into());
        }
        let end = durable_end(&from)?;
        let to = folder.join("log");
        if Durable::new(&to).load().is_some() {
            return Err(WorldError::Exists { path: folder.to_path_buf() }.into());
        }
        fs::create_dir_all(&to)
            .map_err(|source| WorldError::io(&to, "make the world's folders", source))?;
        for first_t in segment::list(&from)?.into_iter().take_while(|t| *t <= end.segment) {
            let length = (first_t == end.segment).then_some(end.offset);
            copy_segment(&from, &to, first_t, length)?;
        }
        let failed = |source| WorldError::io(&to, "write how far the log goes", source);
        Durable::new(&to).replace(&end).map_err(failed)?;
        Database::open(folder, options.create(Create::IfMissing))
    }
}

/// How far a log is durable, from its own file.
fn durable_end(folder: &Path) -> Result<Position, Error> {
    // A writer may be at it, whose write is one; so a second look finds it whole.
    const LOOKS_MAX: usize = 100;
    let mut durable = Durable::new(folder);
    let found = (0..LOOKS_MAX).find_map(|_| {
        let found = durable.load();
        if found.is_none() {
            std::thread::yield_now();
        }
        found
    });
    let missing = || WorldError::Missing { path: folder.to_path_buf() };
    Ok(found.ok_or_else(missing)?)
}

/// Refuses a backup of another history (invariant 4).
fn check_earlier(from: &Path, to: &Path, end: Position) -> Result<(), Error> {
    let Some(earlier) = Durable::new(to).load() else { return Ok(()) };
    let same = match earlier.end.t {
        t if t == end.end.t => earlier.end.hash == end.end.hash,
        t if t > end.end.t => false,
        0 => true,
        t => match Frames::new(from, t + 1, t + 1).next() {
            Some(frame) => frame?.previous == earlier.end.hash,
            None => false,
        },
    };
    if same {
        return Ok(());
    }
    let why = io::Error::other("it has the backup of another history; choose another folder");
    Err(WorldError::io(to, "make a backup there", why).into())
}

/// Copies a segment, the first `length` bytes of it or all, unless it is there. Answers the bytes.
fn copy_segment(
    from: &Path,
    to: &Path,
    first_t: u64,
    length: Option<u64>,
) -> Result<Option<u64>, WorldError> {
    let sealed = segment::path_as(to, first_t, seal::SUFFIX);
    if sealed.exists() {
        return Ok(None);
    }
    let plain = segment::path(to, first_t);
    if let Some(length) = length {
        return copy_beginning(from, first_t, &plain, length);
    }
    loop {
        let Some((kept, source)) = source::find(from, first_t)? else {
            let gone = io::ErrorKind::NotFound.into();
            return Err(WorldError::io(&segment::path(from, first_t), "copy a segment", gone));
        };
        let target = if kept == Kept::Plain { &plain } else { &sealed };
        let failed = |error| WorldError::io(&source, "copy a segment", error);
        let file = match File::open(&source) {
            // It was sealed or moved since it was found.
            Err(error) if error.kind() == io::ErrorKind::NotFound && kept != Kept::Cold => continue,
            file => file.map_err(failed)?,
        };
        let bytes = file.metadata().map_err(failed)?.len();
        if fs::metadata(target).is_ok_and(|there| there.len() == bytes) {
            return Ok(None);
        }
        if kept == Kept::Plain {
            let from_start = || {
                let mut file = &file;
                file.rewind().map_err(failed)?;
                Ok(file)
            };
            return bring_up(from_start, target, bytes).map(Some);
        }
        copy(file, target)?;
        if target == &sealed && plain.exists() {
            fs::remove_file(&plain)
                .map_err(|source| WorldError::io(&plain, "remove what is sealed now", source))?;
        }
        return Ok(Some(bytes));
    }
}

/// Copies the first bytes of a segment, however it is kept, as a plain one.
fn copy_beginning(
    from: &Path,
    first_t: u64,
    plain: &Path,
    length: u64,
) -> Result<Option<u64>, WorldError> {
    if fs::metadata(plain).is_ok_and(|there| there.len() == length) {
        return Ok(None);
    }
    let open = || match Source::open(from, first_t)? {
        Ok(source) => Ok(source),
        Err(bad) => {
            let path = segment::path(from, first_t);
            Err(WorldError::io(&path, "copy a segment", io::Error::other(bad.what)))
        }
    };
    bring_up(open, plain, length).map(Some)
}

/// Makes a copy of the first `length` bytes of a segment, or of an earlier copy one. Answers how many
/// bytes were copied.
fn bring_up<R: Read>(
    open: impl Fn() -> Result<R, WorldError>,
    to: &Path,
    length: u64,
) -> Result<u64, WorldError> {
    let extended = extend(open()?, to, length);
    if let Some(gained) = extended.map_err(|source| WorldError::io(to, "extend a copy", source))? {
        return Ok(gained);
    }
    copy(open()?.take(length), to)?;
    Ok(length)
}

/// Appends to an earlier copy what it lacks, and answers how many bytes that are. `None`: there is no
/// copy, or not of this segment.
fn extend(mut from: impl Read, to: &Path, length: u64) -> io::Result<Option<u64>> {
    let mut earlier = match OpenOptions::new().read(true).write(true).open(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let there = earlier.metadata()?.len();
    if there > length || !are_same(&mut from, &mut earlier, there)? {
        return Ok(None);
    }
    let lacks = length - there;
    if io::copy(&mut from.take(lacks), &mut earlier)? < lacks {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    earlier.sync_all()?;
    Ok(Some(lacks))
}

/// Whether the next `length` bytes of both are the same.
fn are_same(one: &mut impl Read, other: &mut impl Read, length: u64) -> io::Result<bool> {
    let (mut these, mut those) = (Vec::new(), Vec::new());
    let mut left = length;
    while left > 0 {
        let next = left.min(COMPARED_BYTES);
        for (from, bytes) in [(&mut *one as &mut dyn Read, &mut these), (other, &mut those)] {
            bytes.clear();
            from.take(next).read_to_end(bytes)?;
        }
        if these != those || these.len() as u64 != next {
            return Ok(false);
        }
        left -= next;
    }
    Ok(true)
}

/// Writes a file that appears whole and synced, or not at all.
fn copy(mut from: impl Read, to: &Path) -> Result<(), WorldError> {
    let fresh = to.with_extension("copying");
    let folder = to.parent().unwrap_or(Path::new("."));
    let copied = (|| {
        let mut target = OpenOptions::new().create(true).truncate(true).write(true).open(&fresh)?;
        io::copy(&mut from, &mut target)?;
        target.sync_all()?;
        fs::rename(&fresh, to)?;
        seal::sync_folder(folder)
    })();
    copied.map_err(|source| WorldError::io(to, "write a copy", source))
}
