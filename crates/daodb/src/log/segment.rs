//! A segment: one file of the log, a header and then frames back to back.
//!
//! | bytes | field |
//! | --- | --- |
//! | 0–7 | magic `DAODBlog` |
//! | 8–11 | version, 1 |
//! | 12–15 | bytes of this header, 64 |
//! | 16–23 | `t` of the first frame |
//! | 24–55 | hash of the frame before it, zeros when there is none |
//! | 56–63 | first 8 bytes of the BLAKE3 hash of bytes 0–55 |
//!
//! 1. The file is named for the `t` of its first frame, twenty digits and `.frames`, so names sort
//!    as the log does.
//! 2. Bytes once written are never changed, and a file only ever loses a tail that no reader was
//!    ever told of, or that is damaged and whose loss was accepted.
//! 3. All numbers are little-endian.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use datom::Frame;
use datom::frame::Header;

use super::Link;
use crate::error::WorldError;

const MAGIC: [u8; 8] = *b"DAODBlog";
const VERSION: u32 = 1;
/// Bytes of a segment's header.
pub(crate) const HEADER_BYTES: usize = 64;
const CHECKED_BYTES: usize = 56;
const SUFFIX: &str = ".frames";
const DIGITS: usize = 20;

/// The header of a segment that goes on after `link`.
pub(crate) fn header(link: &Link) -> [u8; HEADER_BYTES] {
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(HEADER_BYTES as u32).to_le_bytes());
    bytes.extend_from_slice(&(link.t + 1).to_le_bytes());
    bytes.extend_from_slice(&link.hash);
    let check = blake3::hash(&bytes);
    bytes.extend(check.as_bytes().iter().take(HEADER_BYTES - CHECKED_BYTES));
    let mut header = [0; HEADER_BYTES];
    header.copy_from_slice(&bytes);
    header
}

/// What a segment's header says it goes on after.
fn read_header(bytes: &[u8; HEADER_BYTES]) -> Result<Link, &'static str> {
    let (checked, check) = bytes.split_at(CHECKED_BYTES);
    if !checked.starts_with(&MAGIC) {
        return Err("it is no segment of a log");
    }
    if !blake3::hash(checked).as_bytes().starts_with(check) {
        return Err("the segment's header does not match its check");
    }
    let number =
        |at: usize| checked.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    if (number(8), number(12)) != (Some(VERSION), Some(HEADER_BYTES as u32)) {
        return Err("the segment has a format version that this program does not know");
    }
    let first_t = checked.get(16..24).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
    let hash = checked.get(24..56).and_then(|b| b.try_into().ok());
    match (first_t.and_then(|t| t.checked_sub(1)), hash) {
        (Some(t), Some(hash)) => Ok(Link { t, hash }),
        _ => Err("the segment's header begins at transaction 0"),
    }
}

/// The path of the segment whose first frame is `first_t`.
pub(crate) fn path(folder: &Path, first_t: u64) -> PathBuf {
    folder.join(format!("{first_t:0DIGITS$}{SUFFIX}"))
}

/// The segments of a folder by their first `t`, ascending.
pub(crate) fn list(folder: &Path) -> Result<Vec<u64>, WorldError> {
    let failed = |source| WorldError::io(folder, "list the log", source);
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        if let Some(number) = number.filter(|number| number.len() == DIGITS)
            && let Ok(first_t) = number.parse()
        {
            segments.push(first_t);
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

/// What stands next in a segment.
pub(crate) enum Item {
    /// A sound frame that goes on where the one before ended.
    Frame(Box<Frame>),
    /// The end of the file, right behind the last frame.
    End,
    /// Something else.
    Bad(Bad),
}

/// Bytes that are no frame of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bad {
    pub(crate) at: u64,
    pub(crate) what: String,
}

/// Reads a segment from its beginning.
pub(crate) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    /// Where the next frame begins.
    at: u64,
    /// Bytes of the file.
    length: u64,
    /// The last frame that was read.
    link: Link,
}

impl Reader {
    /// Opens the segment that goes on after `link`. `Err(Bad)` within: it does not.
    pub(crate) fn open(folder: &Path, link: Link) -> Result<Result<Self, Bad>, WorldError> {
        Self::open_at(path(folder, link.t + 1), Some(link))
    }

    /// Opens a segment wherever it goes on.
    pub(crate) fn open_any(folder: &Path, first_t: u64) -> Result<Result<Self, Bad>, WorldError> {
        Self::open_at(path(folder, first_t), None)
    }

    fn open_at(path: PathBuf, expected: Option<Link>) -> Result<Result<Self, Bad>, WorldError> {
        let failed = |source| WorldError::io(&path, "open a segment of the log", source);
        let file = File::open(&path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut file = BufReader::with_capacity(1 << 16, file);
        let bad = |what: &str| Ok(Err(Bad { at: 0, what: what.into() }));
        let mut bytes = [0; HEADER_BYTES];
        if length < HEADER_BYTES as u64 {
            return bad("the segment is shorter than its header");
        }
        file.read_exact(&mut bytes).map_err(failed)?;
        let link = match read_header(&bytes) {
            Ok(link) => link,
            Err(what) => return bad(what),
        };
        if expected.is_some_and(|expected| expected != link) {
            return bad("the segment does not go on where the one before ends");
        }
        Ok(Ok(Self { path, file, at: HEADER_BYTES as u64, length, link }))
    }

    /// Goes on reading at `at`, which is right behind the frame that `link` names.
    pub(crate) fn resume(path: &Path, at: u64, link: Link) -> Result<Self, WorldError> {
        let failed = |source| WorldError::io(path, "open a segment of the log", source);
        let mut file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        file.seek(SeekFrom::Start(at)).map_err(failed)?;
        let file = BufReader::with_capacity(1 << 16, file);
        Ok(Self { path: path.to_path_buf(), file, at, length: length.max(at), link })
    }

    /// Where the next frame begins.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The last frame that was read.
    pub(crate) fn link(&self) -> Link {
        self.link
    }

    /// Reads on. After anything but a frame the reader is at its end.
    pub(crate) fn next(&mut self) -> Result<Item, WorldError> {
        let left = self.length - self.at;
        if left == 0 {
            return Ok(Item::End);
        }
        let bad = |at: u64, what: String| Ok(Item::Bad(Bad { at, what }));
        let mut bytes = vec![0; (Header::BYTES as u64).min(left) as usize];
        self.read(&mut bytes)?;
        let header = match Header::decode(&bytes) {
            Ok(header) => header,
            Err(error) => return bad(self.at, error.to_string()),
        };
        if header.length > left {
            return bad(
                self.at,
                format!("a frame of {} bytes is cut off after {left}", header.length),
            );
        }
        if (header.t, header.previous) != (self.link.t + 1, self.link.hash) {
            return bad(
                self.at,
                format!("frame {} does not follow frame {}", header.t, self.link.t),
            );
        }
        // The header checked itself, and the file has as many bytes as it asks for.
        let Ok(length) = usize::try_from(header.length) else {
            return bad(self.at, "a frame is larger than memory".into());
        };
        let read = bytes.len();
        bytes.resize(length.max(read), 0);
        if let Some(rest) = bytes.get_mut(read..) {
            self.file.read_exact(rest).map_err(|source| self.failed(source))?;
        }
        match Frame::decode(&bytes) {
            Ok((frame, _)) => {
                self.at += header.length;
                self.link = Link { t: header.t, hash: header.hash };
                Ok(Item::Frame(Box::new(frame)))
            }
            Err(error) => bad(self.at, error.to_string()),
        }
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), WorldError> {
        self.file.read_exact(bytes).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: std::io::Error) -> WorldError {
        WorldError::io(&self.path, "read a segment of the log", source)
    }

    /// The path of the segment.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_what_it_goes_on_after() {
        let link = Link { t: 41, hash: [7; 32] };
        assert_eq!(read_header(&header(&link)), Ok(link));
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_found() {
        let good = header(&Link { t: 41, hash: [7; 32] });
        for bit in 0..HEADER_BYTES * 8 {
            let mut bytes = good;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(read_header(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn names_sort_as_the_log_does() {
        let names = [9, 10, u64::MAX].map(|t| path(Path::new("log"), t));
        assert!(names.is_sorted());
    }
}
