//! Appending to the log, and finding its end.

mod settle;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use datom::frame::Header;

use super::durable::Durable;
use super::fault::gate;
use super::segment::{self, Bad, Item, Reader};
use super::source::{self, is_zeros};
use super::{Link, Mark, Position, cold};
use crate::error::{LogError, WorldError};
pub(crate) use settle::{Ending, Trust};
pub use settle::{Lost, Torn};

/// Bytes gathered before they are handed to the system.
const BUFFER_BYTES: usize = 1 << 18;
/// Room is taken on the disk this far ahead, so that a full disk shows before a transaction is
/// committed and not after.
const RESERVE_BYTES: u64 = 1 << 18;
/// Behind a group of at most so many bytes the room is zeros that were written: what is then written over
/// them changes nothing but data, so its sync waits for no journal. Behind a larger one it is blocks alone,
/// since to write twice would cost more than that.
const FILL_GROUP_MAX: u64 = 1 << 15;

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
struct Tail {
    /// The segment that was written last.
    segment: Option<(u64, File)>,
    /// It was looked through to its very end since it was opened.
    is_known: bool,
    /// The file that says how far the log is durable.
    durable: Durable,
}

impl Writer {
    /// Opens the log in a folder that exists.
    pub(crate) fn open(folder: &Path, segment_bytes_max: u64) -> Result<Self, WorldError> {
        let path = folder.join("lease");
        let lease = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lease =
            lease.map_err(|source| WorldError::io(&path, "open the log's lease", source))?;
        let id = id(folder)?;
        let durable = Durable::new(folder);
        let folder = folder.to_path_buf();
        Ok(Self {
            folder,
            id,
            segment_bytes_max,
            lease,
            tail: Mutex::new(Tail { segment: None, is_known: false, durable }),
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

    /// Whether somebody, in any process, is writing the log at this moment.
    pub(crate) fn is_leased(&self) -> Result<bool, WorldError> {
        let path = self.folder.join("lease");
        let failed =
            |source| WorldError::io(&path, "look whether the log is being written", source);
        // An opened file of its own, lest it give up the lock of this handle.
        let lease = OpenOptions::new().write(true).open(&path).map_err(failed)?;
        match lease.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(failed(source)),
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
    pub(crate) fn lead<'a>(&'a self, mark: &'a dyn Mark) -> Result<(Lead<'a>, Ending), LogError> {
        self.follow(self.take()?, mark, true, Trust::default())
    }

    /// As [`Writer::lead`], unless another process leads.
    pub(crate) fn try_lead<'a>(&'a self, mark: &'a dyn Mark) -> Result<Option<Lead<'a>>, LogError> {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        self.check()?;
        match self.lease.try_lock() {
            Ok(()) => self.follow(tail, mark, true, Trust::default()).map(|(lead, _)| Some(lead)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(self.lease_failed(source).into()),
        }
    }

    /// As [`Writer::lead`], following the log from its beginning, whatever `mark` says.
    pub(crate) fn lead_whole<'a>(
        &'a self,
        mark: &'a dyn Mark,
        trust: Trust,
    ) -> Result<(Lead<'a>, Ending), LogError> {
        self.follow(self.take()?, mark, false, trust)
    }

    fn take(&self) -> Result<MutexGuard<'_, Tail>, LogError> {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        self.check()?;
        self.lease.lock().map_err(|source| self.lease_failed(source))?;
        Ok(tail)
    }

    fn lease_failed(&self, source: io::Error) -> WorldError {
        WorldError::io(&self.folder, "take the log's lease", source)
    }

    /// Follows the log, whose lease was taken.
    fn follow<'a>(
        &'a self,
        mut tail: MutexGuard<'a, Tail>,
        mark: &'a dyn Mark,
        from_mark: bool,
        trust: Trust,
    ) -> Result<(Lead<'a>, Ending), LogError> {
        let marked = mark.load();
        if marked.is_none() {
            mark.forget();
        }
        let durable = tail.durable.load();
        let position = marked.filter(|_| from_mark).unwrap_or(Position::START);
        let mut lead =
            Lead { writer: self, mark, tail, position, marked, durable, estranged: None, trust };
        let ending = lead.walk()?;
        Ok((lead, ending))
    }
}

/// The lease, held: the one place that appends.
pub(crate) struct Lead<'a> {
    writer: &'a Writer,
    mark: &'a dyn Mark,
    tail: MutexGuard<'a, Tail>,
    position: Position,
    /// How far the log is durable by the region,
    marked: Option<Position>,
    /// and by the file beside the segments.
    durable: Option<Position>,
    /// The `t` at which that file named another frame than the log has, which was accepted.
    estranged: Option<u64>,
    trust: Trust,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        // Cannot fail for a lock that is held; the kernel would drop it with the file anyway.
        let _ = self.writer.lease.unlock();
        self.mark.given_back();
    }
}

impl Lead<'_> {
    /// The last frame of the log.
    pub(crate) fn end(&self) -> Link {
        self.position.end
    }

    /// Follows the log to its end and marks it.
    fn walk(&mut self) -> Result<Ending, LogError> {
        let before = self.position;
        let mut bad = None;
        loop {
            if self.position.segment != 0 {
                bad = self.read_segment()?;
            }
            let next = self.position.end.t + 1;
            if bad.is_some() || self.position.segment == next || !self.is_there(next)? {
                break;
            }
            self.position = Position { segment: next, offset: 0, ..self.position };
        }
        let whole = before == Position::START;
        let mut ending = self.settle(bad, whole)?;
        if let Some(estranged) = self.estranged {
            ending.lost.get_or_insert_with(|| Lost::other_history(self.position.end.t, estranged));
        }
        if self.position != before {
            // What a dead holder wrote may not be on disk yet, whole as it is.
            self.open()?
                .map_or(Ok(()), |file| file.sync_all())
                .map_err(|source| WorldError::io(&self.writer.folder, "sync the log", source))?;
            self.mark.store(&self.position);
        } else if whole && self.marked.is_some() {
            // There is no log where the mark says that one is.
            self.mark.forget();
        }
        self.advance();
        Ok(ending)
    }

    /// Whether a segment begins with `first_t`, behind the last frame that was read. The cold folder is
    /// asked only if something is there to be found: it may be away, and others wait for the lease.
    fn is_there(&self, first_t: u64) -> Result<bool, LogError> {
        let folder = &self.writer.folder;
        if source::find_here(folder, first_t)?.is_some() {
            return Ok(true);
        }
        if cold::home(folder)?.is_none() {
            return Ok(false);
        }
        let is_end = self.durable.is_some() && self.told_t() < first_t;
        if is_end && segment::list_after(folder, first_t)?.is_empty() {
            return Ok(false);
        }
        Ok(source::find(folder, first_t)?.is_some())
    }

    /// Writes down how far the log is durable, if that is farther than was written down before.
    fn advance(&mut self) {
        let end = self.position;
        // Whether it succeeds or not: the transactions are on the disk, and nobody must be told that
        // they are not. What is written down too little is made up for by the next.
        let _ = match self.durable {
            Some(durable) if durable.end.t >= end.end.t => return,
            Some(_) => self.tail.durable.store(&end),
            None if end.end.t == 0 => return,
            None => self.tail.durable.replace(&end),
        };
        self.durable = Some(end);
    }

    /// Whether the last segment is there, but sealed: nothing can be appended to it.
    fn is_sealed(&mut self) -> Result<bool, LogError> {
        Ok(self.position.segment != 0 && self.open()?.is_none())
    }

    /// The file of the last segment, unless there is none or it is sealed.
    fn open(&mut self) -> Result<Option<&mut File>, LogError> {
        let first_t = self.position.segment;
        if first_t == 0 {
            return Ok(None);
        }
        if self.tail.segment.as_ref().is_none_or(|(open, _)| *open != first_t) {
            let path = segment::path(&self.writer.folder, first_t);
            let failed = |source| WorldError::io(&path, "open a segment of the log", source);
            let file = match OpenOptions::new().read(true).write(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return match source::find(&self.writer.folder, first_t)? {
                        Some(_) => Ok(None),
                        None => Err(failed(error).into()),
                    };
                }
                file => file.map_err(failed)?,
            };
            self.tail.segment = Some((first_t, file));
            self.tail.is_known = false;
        }
        Ok(self.tail.segment.as_mut().map(|(_, file)| file))
    }

    /// Reads what the segment at hand gained, up to its end or to what is no frame.
    fn read_segment(&mut self) -> Result<Option<Bad>, LogError> {
        let Position { segment, offset, end } = self.position;
        let path = segment::path(&self.writer.folder, segment);
        let failed = |source| WorldError::io(&path, "read a segment of the log", source);
        let known = self.tail.is_known;
        if let Some(file) = self.open()? {
            let length = length(file).map_err(failed)?;
            if length < offset {
                return Err(self.shrunk(offset - length)?);
            }
            // Whoever wrote anything since wrote the beginning of it first; only what a power cut left can be
            // otherwise, and that was looked through.
            let is_end =
                length == offset || known && is_room(file, offset, length).map_err(failed)?;
            if is_end && offset != 0 {
                return Ok(None);
            }
        }
        self.tail.is_known = true;
        let folder = &self.writer.folder;
        let reader = match offset {
            0 => Reader::open(folder, end)?,
            at => Reader::resume(folder, segment, at, end)?,
        };
        let mut reader = match reader {
            Ok(reader) => reader,
            Err(bad) => return Ok(Some(bad)),
        };
        loop {
            self.position.offset = reader.at();
            self.position.end = reader.link();
            match reader.next()? {
                Item::Frame(_) => self.recognise(reader.link())?,
                Item::End => return Ok(None),
                Item::Bad(bad) => return Ok(Some(bad)),
            }
        }
    }

    /// Appends encoded frames, which go on behind [`Lead::end`]. When this returns they are durable
    /// and the mark says so. Answers whether a segment was begun behind another.
    pub(crate) fn append(&mut self, frames: &[Vec<u8>]) -> Result<bool, LogError> {
        let before = self.position.segment;
        let mut rest = frames;
        while !rest.is_empty() {
            let Position { segment, offset, .. } = self.position;
            let max = self.writer.segment_bytes_max.max(segment::HEADER_BYTES as u64 + 1);
            if segment == 0 || offset >= max || self.is_sealed()? {
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
        Ok(before != 0 && before != self.position.segment)
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
            let undone = gate().and_then(|()| file.set_len(offset));
            self.writer.is_full.store(true, Ordering::Relaxed);
            let error = WorldError::io(&path, "append to the log", error);
            if undone.is_err() {
                self.writer.poison(&error);
            }
            return Err(error.into());
        }
        if let Err(error) = gate().and_then(|()| file.sync_data()) {
            let error = WorldError::io(&path, "sync the log", error);
            self.writer.poison(&error);
            return Err(error.into());
        }
        let bytes = group.iter().map(|frame| frame.len() as u64).sum::<u64>();
        self.position.offset += bytes;
        self.position.end = Link { t: header.t, hash: header.hash };
        // In this order: who is told that something is durable may rely on it being written down.
        self.advance();
        self.mark.store(&self.position);
        // What was asked for is on the disk. A lack of room is for the next to hear of.
        let _ = self.reserve(bytes);
        Ok(())
    }

    /// Makes sure that the next frames have room on the disk, where a group had so many bytes.
    pub(crate) fn reserve(&mut self, bytes: u64) -> Result<(), LogError> {
        let offset = self.position.offset;
        let path = segment::path(&self.writer.folder, self.position.segment);
        let Some(file) = self.open()? else { return Ok(()) };
        let taken = match length(file) {
            Ok(length) if length >= offset + RESERVE_BYTES / 2 => Ok(()),
            Ok(length) if bytes <= FILL_GROUP_MAX => fill(file, length, offset + RESERVE_BYTES),
            Ok(_) => allocate(file, offset, RESERVE_BYTES),
            Err(error) => Err(error),
        };
        self.writer.is_full.store(taken.is_err(), Ordering::Relaxed);
        taken.map_err(|source| WorldError::io(&path, "take room for the log", source).into())
    }

    /// Gives back the room that was taken.
    pub(crate) fn trim(&mut self) -> Result<(), LogError> {
        let offset = self.position.offset;
        let path = segment::path(&self.writer.folder, self.position.segment);
        let Some(file) = self.open()? else { return Ok(()) };
        let trimmed = gate().and_then(|()| file.set_len(offset));
        trimmed.map_err(|source| WorldError::io(&path, "trim the log", source).into())
    }

    /// Begins a segment: its header and its name are on disk before any frame is.
    fn begin(&mut self) -> Result<(), LogError> {
        // Where that fails, or is undone by a power cut, zeros stand behind the last frame.
        let _ = self.trim();
        let first_t = self.position.end.t + 1;
        let path = segment::path(&self.writer.folder, first_t);
        let failed = |source| WorldError::io(&path, "begin a segment of the log", source);
        let made = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let mut file = made.map_err(failed)?;
        let made = gate()
            .and_then(|()| file.write_all(&segment::header(&self.position.end)))
            .and_then(|()| gate())
            .and_then(|()| file.sync_all())
            .and_then(|()| gate())
            .and_then(|()| File::open(&self.writer.folder)?.sync_all());
        if let Err(error) = made {
            let error = failed(error);
            if gate().and_then(|()| std::fs::remove_file(&path)).is_err() {
                self.writer.poison(&error);
            }
            return Err(error.into());
        }
        self.tail.segment = Some((first_t, file));
        self.tail.is_known = true;
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

/// Bytes of a file, without looking at its times: those that somebody saw have to change with the next write, and
/// go to the disk with its sync.
fn length(mut file: &File) -> io::Result<u64> {
    file.seek(SeekFrom::End(0))
}

/// Fills a file with zeros from its end on.
fn fill(file: &File, length: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; to.saturating_sub(length) as usize];
    file.write_all_at(&zeros, length)
}

/// Whether room begins at `offset`: nothing, or as many zeros as no frame begins with.
fn is_room(file: &File, offset: u64, length: u64) -> io::Result<bool> {
    let mut beginning = [0; Header::BYTES];
    let left = usize::try_from(length - offset).unwrap_or(usize::MAX).min(Header::BYTES);
    let beginning = beginning.get_mut(..left).unwrap_or_default();
    file.read_exact_at(beginning, offset)?;
    Ok(is_zeros(beginning))
}

fn write_all(file: &File, mut offset: u64, frames: &[Vec<u8>]) -> io::Result<()> {
    gate()?;
    let mut gathered = Vec::new();
    for frame in frames {
        if gathered.len() + frame.len() > BUFFER_BYTES || frames.len() == 1 {
            file.write_all_at(&gathered, offset)?;
            offset += gathered.len() as u64;
            gathered.clear();
            file.write_all_at(frame, offset)?;
            offset += frame.len() as u64;
        } else {
            gathered.extend_from_slice(frame);
        }
    }
    file.write_all_at(&gathered, offset)
}
