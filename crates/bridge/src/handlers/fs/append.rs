//! `:fs/append`: bytes behind the end of a file, once a key.
//!
//! A key is a writer and a number that grows with each of its appends. Beside the file `log` lies
//! `.log.keys`: one slot of 64 bytes for each writer, which says what it appended last, and where.
//!
//! An append holds the lock of the file (`flock`) and does in this order: settle what an earlier one
//! left unfinished; write the slot and sync it; write the bytes and sync them.
//!
//! 1. At most one append is unfinished: the one whose slot says that the file should be longer than
//!    it is. Whoever comes next finishes it, if it is the same append, or takes it back by shortening
//!    the file to where it began.
//! 2. So an append is there whole or not at all as soon as the next one is there, and one that is
//!    done again with its key is there once.
//! 3. A number below the writer's last is of a process that lost its agent: it is refused.
//! 4. A slot lies within a sector, so it is written as a whole.
//!
//! Whoever appends to the file in another way keeps clear of all this as long as nothing is
//! unfinished; whoever shortens it, too.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{self, AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::system::{NAMES_MAX, failed, io_failed, open, sync_folder};
use super::{Key, Place};
use crate::failure::Failure;

const SLOT_BYTES: usize = 64;
const CHECKED_BYTES: usize = 56;
/// Writers of one file; each append reads the slots of all.
const WRITERS_MAX: usize = 1 << 16;

/// What a writer appended last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    writer: [u8; 16],
    number: u64,
    offset: u64,
    length: u64,
    digest: [u8; 16],
}

/// A file that this process holds the lock of.
struct Held<'p> {
    place: &'p Place,
    parent: OwnedFd,
    name: &'p str,
    file: File,
}

/// Appends, unless the key says that it was done.
pub(super) fn append(place: &Place, content: &[u8], key: Option<&Key>) -> Result<(), Failure> {
    let held = Held::take(place)?;
    let keys = held.keys(key.is_some())?;
    let slots = keys.as_ref().map_or_else(|| Ok(Vec::new()), |keys| held.slots(keys))?;
    let end = held.settle(keys.as_ref(), &slots, key, content)?;
    let (Some(key), Some(keys)) = (key, keys) else { return held.write(content, end) };
    let writer = key.short_writer();
    let at = slots.iter().position(|slot| slot.writer == writer);
    if let Some(last) = at.and_then(|at| slots.get(at)).filter(|slot| slot.number >= key.number) {
        return match last.number == key.number && last.digest == digest(content) {
            true => Ok(()),
            false => Err(held.stale(key, last)),
        };
    }
    let at = at.unwrap_or(slots.len());
    if at >= WRITERS_MAX {
        let why = format!("more than {WRITERS_MAX} writers; give each its own file");
        return Err(place.failure("fs/too-large", &why));
    }
    let length = content.len() as u64;
    let slot = Slot { writer, number: key.number, offset: end, length, digest: digest(content) };
    held.put(&keys, at, &slot)?;
    held.write(content, end).inspect_err(|_| {
        // It did not happen, so nothing may say that it did. If even that fails, the next append
        // finds the file too short and takes it back.
        let _ = held.put(&keys, at, &slot.taken_back());
    })
}

/// Invariant 2 rests on this alone; 16 bytes of it make a chance collision impossible.
fn digest(content: &[u8]) -> [u8; 16] {
    shortened(blake3::hash(content).as_bytes())
}

fn shortened(hash: &[u8; 32]) -> [u8; 16] {
    hash.first_chunk().copied().unwrap_or_default()
}

impl Key {
    fn short_writer(&self) -> [u8; 16] {
        shortened(&self.writer)
    }
}

impl Slot {
    /// The writer's append before this one.
    const fn taken_back(self) -> Self {
        Self { number: self.number - 1, offset: 0, length: 0, digest: [0; 16], ..self }
    }

    fn to_bytes(self) -> [u8; SLOT_BYTES] {
        let mut bytes = [0; SLOT_BYTES];
        let parts: [&[u8]; 5] = [
            &self.writer,
            &self.number.to_le_bytes(),
            &self.offset.to_le_bytes(),
            &self.length.to_le_bytes(),
            &self.digest,
        ];
        let whole = parts.concat();
        let check = blake3::hash(&whole);
        let all = whole.iter().chain(check.as_bytes());
        bytes.iter_mut().zip(all).for_each(|(slot, byte)| *slot = *byte);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (whole, check) = bytes.split_at_checked(CHECKED_BYTES)?;
        if blake3::hash(whole).as_bytes().get(..SLOT_BYTES - CHECKED_BYTES) != Some(check) {
            return None;
        }
        let (writer, rest) = whole.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        Some(Self {
            writer: *writer,
            number: u64::from_le_bytes(*number),
            offset: u64::from_le_bytes(*offset),
            length: u64::from_le_bytes(*length),
            digest: *rest.first_chunk()?,
        })
    }

    /// Invariant 1.
    const fn is_unfinished(&self, end: u64) -> bool {
        self.offset <= end && end < self.offset.saturating_add(self.length)
    }
}

impl<'p> Held<'p> {
    /// The file, made if there is none, its lock held. A lock on what is no longer the file's, for
    /// somebody replaced it meanwhile, is none.
    fn take(place: &'p Place) -> Result<Self, Failure> {
        let (folder, name) = place.split();
        if name.is_empty() {
            return Err(place.failure("fs/not-a-file", "this is a folder"));
        }
        for _ in 0..NAMES_MAX {
            let parent = open(place, folder, OFlags::PATH | OFlags::DIRECTORY)?;
            let file = open_file(place, &parent, name, true)?;
            let Some(file) = file else { continue };
            fs::flock(&file, FlockOperation::LockExclusive)
                .map_err(|errno| failed(place, errno))?;
            let own = fs::fstat(&file).map_err(|errno| failed(place, errno))?;
            match fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(there) if (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino) => {
                    return Ok(Self { place, parent, name, file });
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed(place, errno)),
            }
        }
        Err(place.failure("fs/io", "the file is replaced all the time"))
    }

    /// The file of slots; `None` if there is none and none is wanted.
    fn keys(&self, wanted: bool) -> Result<Option<File>, Failure> {
        open_file(self.place, &self.parent, &format!(".{}.keys", self.name), wanted)
    }

    fn slots(&self, keys: &File) -> Result<Vec<Slot>, Failure> {
        let bytes = keys.metadata().map_err(|error| io_failed(self.place, &error))?.len();
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let damaged = || {
            let why = format!("the file .{}.keys beside it is damaged", self.name);
            self.place.failure("fs/keys-damaged", &why)
        };
        // A slot at the end that was not written whole was never relied on.
        let bytes = bytes - bytes % SLOT_BYTES;
        if bytes > WRITERS_MAX * SLOT_BYTES {
            return Err(damaged());
        }
        let mut buffer = vec![0; bytes];
        keys.read_exact_at(&mut buffer, 0).map_err(|error| io_failed(self.place, &error))?;
        let slots = buffer.chunks_exact(SLOT_BYTES).map(Slot::from_bytes);
        slots.collect::<Option<_>>().ok_or_else(damaged)
    }

    fn put(&self, keys: &File, at: usize, slot: &Slot) -> Result<(), Failure> {
        let done = keys.write_all_at(&slot.to_bytes(), (at * SLOT_BYTES) as u64);
        let done = done.and_then(|()| keys.sync_data());
        done.map_err(|error| io_failed(self.place, &error))?;
        if at == 0 && slot.number <= 1 { sync_folder(self.place, &self.parent) } else { Ok(()) }
    }

    /// Finishes or takes back what is unfinished; answers with the end of the file.
    fn settle(
        &self,
        keys: Option<&File>,
        slots: &[Slot],
        key: Option<&Key>,
        content: &[u8],
    ) -> Result<u64, Failure> {
        let end = self.file.metadata().map_err(|error| io_failed(self.place, &error))?.len();
        let found = slots.iter().enumerate().find(|(_, slot)| slot.is_unfinished(end));
        let (Some((at, slot)), Some(keys)) = (found, keys) else { return Ok(end) };
        let is_same = key.is_some_and(|key| {
            (slot.writer, slot.number) == (key.short_writer(), key.number)
                && slot.digest == digest(content)
        });
        if is_same {
            self.write(content, slot.offset)?;
            return Ok(slot.offset + slot.length);
        }
        self.file.set_len(slot.offset).map_err(|error| io_failed(self.place, &error))?;
        self.put(keys, at, &slot.taken_back())?;
        Ok(slot.offset)
    }

    /// Writes all of it at the end, or nothing.
    fn write(&self, content: &[u8], end: u64) -> Result<(), Failure> {
        let done = self.file.write_all_at(content, end).and_then(|()| self.file.sync_data());
        if let Err(error) = done {
            let _ = self.file.set_len(end);
            return Err(io_failed(self.place, &error));
        }
        if end == 0 { sync_folder(self.place, &self.parent) } else { Ok(()) }
    }

    fn stale(&self, key: &Key, last: &Slot) -> Failure {
        let why = format!(
            "append {} of this writer comes after its append {}, or is not what it was",
            key.number, last.number
        );
        self.place.failure("fs/stale", &why)
    }
}

/// A regular file for reading and writing; `None` if there is none and none may be made.
fn open_file(
    place: &Place,
    parent: &OwnedFd,
    name: &str,
    may_make: bool,
) -> Result<Option<File>, Failure> {
    let mut flags =
        OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    flags.set(OFlags::CREATE, may_make);
    let fd = match fs::openat(parent.as_fd(), name, flags, Mode::from_raw_mode(0o666)) {
        Ok(fd) => fd,
        Err(Errno::NOENT) if !may_make => return Ok(None),
        Err(Errno::LOOP) => return Err(place.failure("fs/not-a-file", "this is a link")),
        Err(errno) => return Err(failed(place, errno)),
    };
    let stat = fs::fstat(&fd).map_err(|errno| failed(place, errno))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(place.failure("fs/not-a-file", "not a regular file"));
    }
    Ok(Some(File::from(fd)))
}

#[cfg(test)]
mod tests;
