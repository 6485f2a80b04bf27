//! The durable end: one small file beside the segments that says how far the log was synced.
//!
//! | bytes | field |
//! | --- | --- |
//! | 0–7 | magic `DAODBend` |
//! | 8–11 | version, 1 |
//! | 12–15 | bytes of this file, 80 |
//! | 16–23 | `t` of the first frame of the segment; 0 when there is none |
//! | 24–31 | bytes of the segment up to the end of the last durable frame |
//! | 32–39 | `t` of that frame |
//! | 40–71 | hash of that frame |
//! | 72–79 | first 8 bytes of the BLAKE3 hash of bytes 0–71 |
//!
//! 1. It is written after a sync and before anybody is told of what was synced. So whatever stands
//!    in front of it was whole on the disk once: what fails there is damage, never a torn end.
//! 2. It is rewritten in place, in one write within one sector, and not synced: after a power cut it
//!    may be behind the log by what the system had not written back, but never ahead of it.
//! 3. It moves forward only, except when a loss is accepted; then it is synced.
//! 4. Without it, or when its check fails, nothing is known of the end, and less is taken for torn.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::fault::gate;
use super::{Link, Position};

const MAGIC: [u8; 8] = *b"DAODBend";
const VERSION: u32 = 1;
const CHECKED_BYTES: usize = 72;
/// Bytes of the file.
pub(crate) const BYTES: usize = 80;
const NAME: &str = "durable";

/// The bytes that say so.
pub(crate) fn encode(end: &Position) -> [u8; BYTES] {
    let mut bytes = Vec::with_capacity(BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(BYTES as u32).to_le_bytes());
    for number in [end.segment, end.offset, end.end.t] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&end.end.hash);
    let check = blake3::hash(&bytes);
    bytes.extend(check.as_bytes().iter().take(BYTES - CHECKED_BYTES));
    let mut file = [0; BYTES];
    file.copy_from_slice(&bytes);
    file
}

/// What the bytes say. `None`: they are damaged, or of a version that is not known here.
fn decode(bytes: &[u8; BYTES]) -> Option<Position> {
    let (checked, check) = bytes.split_at(CHECKED_BYTES);
    if !blake3::hash(checked).as_bytes().starts_with(check) || !checked.starts_with(&MAGIC) {
        return None;
    }
    let small = |at: usize| Some(u32::from_le_bytes(*checked.get(at..)?.first_chunk()?));
    let number = |at: usize| Some(u64::from_le_bytes(*checked.get(at..)?.first_chunk()?));
    if (small(8)?, small(12)?) != (VERSION, BYTES as u32) {
        return None;
    }
    let end = Link { t: number(32)?, hash: *checked.get(40..)?.first_chunk()? };
    Some(Position { segment: number(16)?, offset: number(24)?, end })
}

/// The file, for the holder of the lease.
pub(crate) struct Durable {
    folder: PathBuf,
    file: Option<File>,
}

impl Durable {
    /// The file of a log's folder. Nothing is opened or made yet.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), file: None }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    /// What it says, if it is there and whole. Whatever is wrong with it, the log can be read.
    pub(crate) fn load(&mut self) -> Option<Position> {
        if self.file.is_none() {
            self.file = OpenOptions::new().read(true).write(true).open(self.path()).ok();
        }
        let mut bytes = [0; BYTES];
        self.file.as_ref()?.read_exact_at(&mut bytes, 0).ok()?;
        decode(&bytes)
    }

    /// Says so from now on. Only the first time, when the file is made, is it synced.
    pub(crate) fn store(&mut self, end: &Position) -> io::Result<()> {
        match &self.file {
            Some(file) => gate().and_then(|()| file.write_all_at(&encode(end), 0)),
            None => self.replace(end),
        }
    }

    /// Says so from now on, even after a power cut.
    pub(crate) fn replace(&mut self, end: &Position) -> io::Result<()> {
        gate()?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        let file = options.open(self.path())?;
        file.write_all_at(&encode(end), 0)?;
        file.sync_all()?;
        File::open(&self.folder)?.sync_all()?;
        self.file = Some(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Position =
        Position { segment: 40, offset: 1 << 20, end: Link { t: 99, hash: [7; 32] } };

    #[test]
    fn what_was_stored_is_loaded_by_whoever_comes_next() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = Durable::new(folder.path());
        assert_eq!(file.load(), None);
        file.store(&END).unwrap();
        assert_eq!((file.load(), Durable::new(folder.path()).load()), (Some(END), Some(END)));
        let later = Position { offset: 2 << 20, end: Link { t: 100, hash: [8; 32] }, ..END };
        file.store(&later).unwrap();
        assert_eq!(Durable::new(folder.path()).load(), Some(later));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let good = encode(&END);
        assert_eq!(decode(&good), Some(END));
        for bit in 0..BYTES * 8 {
            let mut bytes = good;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&bytes), None, "bit {bit}");
        }
    }

    #[test]
    fn a_file_that_is_too_short_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = Durable::new(folder.path());
        std::fs::write(file.path(), &encode(&END)[..BYTES - 1]).unwrap();
        assert_eq!(file.load(), None);
        file.store(&END).unwrap();
        assert_eq!(file.load(), Some(END));
    }
}
