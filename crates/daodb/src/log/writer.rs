//! Appending to the log, and finding its end.

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use datom::frame::Header;

use super::segment::{self, Item, Reader};
use super::{Link, Mark, Position};
use crate::error::{LogError, WorldError};

/// Bytes gathered before they are handed to the system.
const BUFFER_BYTES: usize = 1 << 18;
/// Room is taken on the disk this far ahead, so that a full disk shows before a transaction is
/// committed and not after.
const RESERVE_BYTES: u64 = 1 << 18;

/// What was cut off the end of the log because it was no whole frame. The bytes are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Torn {
    /// The segment that lost its tail.
    pub segment: PathBuf,
    /// Where it was cut.
    pub at: u64,
    /// How many bytes were cut off.
    pub bytes: u64,
    /// What was wrong with them.
    pub what: String,
    /// Where the bytes are now, as evidence.
    pub kept: PathBuf,
    /// The last transaction before the cut.
    pub good_through: u64,
}

/// The log of a world, for the threads of one process.
pub(crate) struct Writer {
    folder: PathBuf,
    id: u64,
    /// Segments are closed when they have this many bytes.
    segment_bytes_max: u64,
    lease: File,
    tail: Mutex<Tail>,
    /// The last append or reservation failed for want of room.
    is_full: AtomicBool,
    /// The first failure after which nobody knows what is on the disk.
    poisoned: OnceLock<String>,
}

/// What this process keeps between two turns.
#[derive(Default)]
struct Tail {
    /// The segment that was written last.
    segment: Option<(u64, File)>,
    /// Up to where that segment has room on the disk for sure.
    reserved: u64,
}

impl Writer {
    /// Opens the log in a folder that exists.
    pub(crate) fn open(folder: &Path, segment_bytes_max: u64) -> Result<Self, WorldError> {
        let path = folder.join("lease");
        let lease = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lease =
            lease.map_err(|source| WorldError::io(&path, "open the log's lease", source))?;
        let id = id(folder)?;
        let folder = folder.to_path_buf();
        Ok(Self {
            folder,
            id,
            segment_bytes_max,
            lease,
            tail: Mutex::default(),
            is_full: AtomicBool::new(false),
            poisoned: OnceLock::new(),
        })
    }

    /// Which log this is.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the log can still be written by this handle. Never waits.
    pub(crate) fn check(&self) -> Result<(), LogError> {
        match self.poisoned.get() {
            Some(why) => Err(LogError::Poisoned { why: why.clone() }),
            None => Ok(()),
        }
    }

    fn poison(&self, why: &WorldError) {
        // The first failure is the one to tell of.
        let _ = self.poisoned.set(why.to_string());
    }

    /// Whether the disk had no room when this handle last wrote. [`Lead::reserve`] tries again.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Takes the lease, first among the threads of this process, then among processes, and follows
    /// the log from `mark` to its end. What a dead holder left half written is cut.
    pub(crate) fn lead<'a>(
        &'a self,
        mark: &'a dyn Mark,
    ) -> Result<(Lead<'a>, Option<Torn>), LogError> {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        self.check()?;
        let failed = |source| WorldError::io(&self.folder, "take the log's lease", source);
        self.lease.lock().map_err(failed)?;
        let position = mark.load().unwrap_or_else(|| {
            mark.forget();
            Position::START
        });
        let mut lead = Lead { writer: self, mark, tail, position };
        let torn = lead.walk()?;
        Ok((lead, torn))
    }
}

/// The lease, held: the one place that appends.
pub(crate) struct Lead<'a> {
    writer: &'a Writer,
    mark: &'a dyn Mark,
    tail: MutexGuard<'a, Tail>,
    position: Position,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        // Cannot fail for a lock that is held; the kernel would drop it with the file anyway.
        let _ = self.writer.lease.unlock();
    }
}

impl Lead<'_> {
    /// The last frame of the log.
    pub(crate) fn end(&self) -> Link {
        self.position.end
    }

    /// Refuses a log whose segments do not end where it does: one in between is lost.
    pub(crate) fn check_whole(&self) -> Result<(), LogError> {
        let end = self.end().t;
        match segment::list(&self.writer.folder)?.last() {
            Some(&first_t) if first_t > end + 1 => Err(LogError::Short {
                path: self.writer.folder.clone(),
                log_t: end,
                state_t: first_t - 1,
            }),
            _ => Ok(()),
        }
    }

    /// Follows the log to its end and marks it.
    fn walk(&mut self) -> Result<Option<Torn>, LogError> {
        let before = self.position;
        let mut torn = None;
        while torn.is_none() {
            if self.position.segment != 0 {
                torn = self.walk_segment()?;
            }
            let next = self.position.end.t + 1;
            let path = segment::path(&self.writer.folder, next);
            if torn.is_some() || self.position.segment == next || !exists(&path)? {
                break;
            }
            self.position = Position { segment: next, offset: 0, ..self.position };
        }
        if self.position != before {
            // What a dead holder wrote may not be on disk yet, whole as it is.
            self.open()?
                .map_or(Ok(()), |file| file.sync_all())
                .map_err(|source| WorldError::io(&self.writer.folder, "sync the log", source))?;
            self.mark.store(&self.position);
        }
        Ok(torn)
    }

    /// The file of the last segment.
    fn open(&mut self) -> Result<Option<&mut File>, LogError> {
        let first_t = self.position.segment;
        if first_t == 0 {
            return Ok(None);
        }
        if self.tail.segment.as_ref().is_none_or(|(open, _)| *open != first_t) {
            let path = segment::path(&self.writer.folder, first_t);
            let file = OpenOptions::new().read(true).write(true).open(&path);
            let file =
                file.map_err(|source| WorldError::io(&path, "open a segment of the log", source))?;
            self.tail.segment = Some((first_t, file));
            self.tail.reserved = 0;
        }
        Ok(self.tail.segment.as_mut().map(|(_, file)| file))
    }

    /// Reads what the segment at hand gained, and cuts what is no frame.
    fn walk_segment(&mut self) -> Result<Option<Torn>, LogError> {
        let Position { segment, offset, end } = self.position;
        let path = segment::path(&self.writer.folder, segment);
        let Some(file) = self.open()? else { return Ok(None) };
        let failed = |source| WorldError::io(&path, "read a segment of the log", source);
        let length = file.metadata().map_err(failed)?.len();
        if length == offset && offset != 0 {
            return Ok(None);
        }
        if length < offset {
            let what = format!("{} bytes of it are gone", offset - length);
            return Err(self.damaged(&path, segment::Bad { at: length, what }, None));
        }
        let opened = match offset {
            0 => Reader::open(&self.writer.folder, end)?,
            at => Ok(Reader::resume(&path, at, end)?),
        };
        let bad = match opened {
            Ok(mut reader) => loop {
                self.position.offset = reader.at();
                self.position.end = reader.link();
                match reader.next()? {
                    Item::Frame(_) => {}
                    Item::End => return Ok(None),
                    Item::Bad(bad) => break bad,
                }
            },
            Err(bad) => bad,
        };
        self.cut(bad, length).map(Some)
    }

    fn damaged(&self, path: &Path, bad: segment::Bad, next: Option<u64>) -> LogError {
        let first_lost = self.position.end.t + 1;
        let lost = match next {
            Some(next) => format!(
                "{first_lost} to {} are not, from this copy, and those of the segments from \
                 {next} on, though they look whole, build on them",
                next - 1
            ),
            None => format!("those from {first_lost} on are not, from this copy"),
        };
        LogError::Damaged {
            path: path.to_path_buf(),
            at: bad.at,
            what: bad.what,
            good_through: self.position.end.t,
            lost,
        }
    }

    /// Cuts the last segment at its first bad byte. The bytes are copied aside first.
    fn cut(&mut self, bad: segment::Bad, length: u64) -> Result<Torn, LogError> {
        let folder = self.writer.folder.clone();
        let Position { segment, end, .. } = self.position;
        let path = segment::path(&folder, segment);
        let later = segment::list(&folder)?.into_iter().find(|&first_t| first_t > segment);
        if later.is_some() {
            return Err(self.damaged(&path, bad, later));
        }
        let failed = |source| WorldError::io(&path, "cut a torn tail off", source);
        let kept = folder.join(format!("torn-after-{}-at-{}.bytes", end.t, bad.at));
        copy_tail(&path, bad.at, &kept).map_err(failed)?;
        if let Some(file) = self.open()? {
            file.set_len(bad.at).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        self.position.offset = bad.at;
        if bad.at == 0 {
            // Not even the header is whole: the file goes, and its name is free for the next.
            std::fs::remove_file(&path).map_err(failed)?;
            self.tail.segment = None;
            self.position.segment = 0;
        }
        let bytes = length.saturating_sub(bad.at);
        let what = bad.what;
        Ok(Torn { segment: path, at: bad.at, bytes, what, kept, good_through: end.t })
    }

    /// Appends encoded frames, which go on behind [`Lead::end`]. When this returns they are durable
    /// and the mark says so.
    pub(crate) fn append(&mut self, frames: &[Vec<u8>]) -> Result<(), LogError> {
        let mut rest = frames;
        while !rest.is_empty() {
            let Position { segment, offset, .. } = self.position;
            let max = self.writer.segment_bytes_max.max(segment::HEADER_BYTES as u64 + 1);
            if segment == 0 || offset >= max {
                self.begin()?;
                continue;
            }
            // As many as begin before the segment is full.
            let mut next = offset;
            let fits = |frame: &&Vec<u8>| {
                let begins = next;
                next += frame.len() as u64;
                begins < max
            };
            let (group, left) = rest.split_at(rest.iter().take_while(fits).count());
            self.append_group(group)?;
            rest = left;
        }
        Ok(())
    }

    fn append_group(&mut self, group: &[Vec<u8>]) -> Result<(), LogError> {
        let header = group.last().and_then(|last| Header::decode(last).ok());
        let Some(header) = header else {
            return Err(LogError::Poisoned { why: "a frame to be written is none".into() });
        };
        let path = segment::path(&self.writer.folder, self.position.segment);
        let offset = self.position.offset;
        let Some(file) = self.open()? else { return Ok(()) };
        if let Err(error) = write_all(file, offset, group) {
            let undone = file.set_len(offset);
            self.tail.reserved = 0;
            self.writer.is_full.store(true, Ordering::Relaxed);
            let error = WorldError::io(&path, "append to the log", error);
            if undone.is_err() {
                self.writer.poison(&error);
            }
            return Err(error.into());
        }
        if let Err(error) = file.sync_data() {
            let error = WorldError::io(&path, "sync the log", error);
            self.writer.poison(&error);
            return Err(error.into());
        }
        self.position.offset += group.iter().map(|frame| frame.len() as u64).sum::<u64>();
        self.position.end = Link { t: header.t, hash: header.hash };
        self.mark.store(&self.position);
        // What was asked for is on the disk. A lack of room is for the next to hear of.
        let _ = self.reserve();
        Ok(())
    }

    /// Makes sure that the next frames have room on the disk.
    pub(crate) fn reserve(&mut self) -> Result<(), LogError> {
        let offset = self.position.offset;
        let path = segment::path(&self.writer.folder, self.position.segment);
        let reserved = self.tail.reserved;
        let Some(file) = self.open()? else { return Ok(()) };
        let mut taken = Ok(());
        if reserved < offset + RESERVE_BYTES / 2 {
            taken = allocate(file, offset, RESERVE_BYTES);
            self.tail.reserved = if taken.is_ok() { offset + RESERVE_BYTES } else { 0 };
        }
        self.writer.is_full.store(taken.is_err(), Ordering::Relaxed);
        taken.map_err(|source| WorldError::io(&path, "take room for the log", source).into())
    }

    /// Begins a segment: its header and its name are on disk before any frame is.
    fn begin(&mut self) -> Result<(), LogError> {
        let first_t = self.position.end.t + 1;
        let path = segment::path(&self.writer.folder, first_t);
        let failed = |source| WorldError::io(&path, "begin a segment of the log", source);
        let made = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let mut file = made.map_err(failed)?;
        let made = file
            .write_all(&segment::header(&self.position.end))
            .and_then(|()| file.sync_all())
            .and_then(|()| File::open(&self.writer.folder)?.sync_all());
        if let Err(error) = made {
            let error = failed(error);
            if std::fs::remove_file(&path).is_err() {
                self.writer.poison(&error);
            }
            return Err(error.into());
        }
        self.tail.segment = Some((first_t, file));
        self.tail.reserved = 0;
        self.position.segment = first_t;
        self.position.offset = segment::HEADER_BYTES as u64;
        self.mark.store(&self.position);
        Ok(())
    }
}

/// The number that tells this log from others, made at random with it. A new one does no harm: the
/// log is then read from its beginning once.
fn id(folder: &Path) -> Result<u64, WorldError> {
    let path = folder.join("id");
    let failed = |source| WorldError::io(&path, "read or write the log's id", source);
    let known = match std::fs::read_to_string(&path) {
        Ok(text) => u64::from_str_radix(text.trim(), 16).ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    if let Some(id) = known {
        return Ok(id);
    }
    let id = RandomState::new().hash_one(std::process::id());
    let fresh = folder.join(format!("id-{:x}", std::process::id()));
    std::fs::write(&fresh, format!("{id:016x}\n")).map_err(failed)?;
    std::fs::rename(&fresh, &path).map_err(failed)?;
    Ok(id)
}

fn exists(path: &Path) -> Result<bool, LogError> {
    let found = path.try_exists();
    found.map_err(|source| WorldError::io(path, "look for a segment of the log", source).into())
}

/// Takes room behind the end of a file without making it longer, where the system can.
fn allocate(file: &File, offset: u64, bytes: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::KEEP_SIZE, offset, bytes) {
        Ok(()) => Ok(()),
        Err(error) => match io::Error::from(error) {
            error if error.kind() == io::ErrorKind::Unsupported => Ok(()),
            error => Err(error),
        },
    }
}

fn write_all(file: &mut File, offset: u64, frames: &[Vec<u8>]) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    let mut buffered = BufWriter::with_capacity(BUFFER_BYTES, file);
    for frame in frames {
        buffered.write_all(frame)?;
    }
    buffered.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(())
}

fn copy_tail(from: &Path, at: u64, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    source.seek(SeekFrom::Start(at))?;
    let mut target = File::create(to)?;
    io::copy(&mut source, &mut target)?;
    target.sync_all()
}
