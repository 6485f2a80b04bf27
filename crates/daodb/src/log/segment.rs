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
//! 4. Behind the last frame there may be zeros up to the end of the file, which are room for the next: no frame
//!    begins with zeros. Zeros that something else follows are damage.
//! 5. A segment that another one follows may be *sealed*: compressed, under another name, possibly in
//!    another folder. What is read of it is the same, and so are the places in it.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use datom::Frame;
use datom::frame::Header;

use super::source::{Source, is_zeros};
use super::{Link, cold, seal};
use crate::error::WorldError;

const MAGIC: [u8; 8] = *b"DAODBlog";
const VERSION: u32 = 1;
/// Bytes of a segment's header.
pub(crate) const HEADER_BYTES: usize = 64;
const CHECKED_BYTES: usize = 56;
pub(crate) const SUFFIX: &str = ".frames";
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
    path_as(folder, first_t, SUFFIX)
}

/// The segments of a log by their first `t`, ascending, however they are kept.
pub(crate) fn list(folder: &Path) -> Result<Vec<u64>, WorldError> {
    let mut segments: BTreeSet<u64> = list_here(folder)?.into_iter().collect();
    segments.extend(cold::manifest(folder)?.iter().map(|entry| entry.first_t));
    Ok(segments.into_iter().collect())
}

/// Those in the log's own folder. The last segment is always among them.
pub(crate) fn list_here(folder: &Path) -> Result<Vec<u64>, WorldError> {
    let mut segments: BTreeSet<u64> = named(folder, SUFFIX)?.into_iter().collect();
    segments.extend(named(folder, seal::SUFFIX)?);
    Ok(segments.into_iter().collect())
}

/// Those that begin after `t`. Whether there are any, the log's own folder says.
pub(crate) fn list_after(folder: &Path, t: u64) -> Result<Vec<u64>, WorldError> {
    if list_here(folder)?.last().is_none_or(|&last| last <= t) {
        return Ok(Vec::new());
    }
    Ok(list(folder)?.into_iter().filter(|&first_t| first_t > t).collect())
}

/// The last one that begins at `t` or before, as far as can be told while the cold folder is away.
pub(crate) fn last_up_to(folder: &Path, t: u64) -> Result<Option<u64>, WorldError> {
    let last = |segments: Vec<u64>| segments.into_iter().rfind(|&first_t| first_t <= t);
    match list(folder) {
        Err(gone @ WorldError::ColdFolderGone { .. }) => {
            last(list_here(folder)?).map_or(Err(gone), |first_t| Ok(Some(first_t)))
        }
        segments => segments.map(last),
    }
}

/// The path of the segment whose first frame is `first_t`, with another suffix than [`path`] has.
pub(crate) fn path_as(folder: &Path, first_t: u64, suffix: &str) -> PathBuf {
    folder.join(format!("{first_t:0DIGITS$}{suffix}"))
}

/// The first `t` of every file of a folder that is named for one and ends in `suffix`.
pub(crate) fn named(folder: &Path, suffix: &str) -> Result<Vec<u64>, WorldError> {
    let failed = |source| WorldError::io(folder, "list the log", source);
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(suffix));
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
    source: Source,
    /// Where the next frame begins.
    at: u64,
    /// The last frame that was read.
    link: Link,
}

impl Reader {
    /// Opens the segment that goes on after `link`. `Err(Bad)` within: it does not.
    pub(crate) fn open(folder: &Path, link: Link) -> Result<Result<Self, Bad>, WorldError> {
        Self::open_at(folder, link.t + 1, Some(link))
    }

    /// Opens a segment wherever it goes on.
    pub(crate) fn open_any(folder: &Path, first_t: u64) -> Result<Result<Self, Bad>, WorldError> {
        Self::open_at(folder, first_t, None)
    }

    fn open_at(
        folder: &Path,
        first_t: u64,
        expected: Option<Link>,
    ) -> Result<Result<Self, Bad>, WorldError> {
        let mut source = match Source::open(folder, first_t)? {
            Ok(source) => source,
            Err(bad) => return Ok(Err(bad)),
        };
        let bad = |what: String| Ok(Err(Bad { at: 0, what }));
        let mut bytes = [0; HEADER_BYTES];
        if source.length < HEADER_BYTES as u64 {
            return bad("the segment is shorter than its header".into());
        }
        if let Err(error) = source.read_exact(&mut bytes) {
            return source.damage(error).map(|what| Err(Bad { at: 0, what }));
        }
        let link = match read_header(&bytes) {
            Ok(link) => link,
            Err(what) => return bad(what.into()),
        };
        if expected.is_some_and(|expected| expected != link) {
            return bad("the segment does not go on where the one before ends".into());
        }
        Ok(Ok(Self { source, at: HEADER_BYTES as u64, link }))
    }

    /// Goes on reading a segment at `at`, which is right behind the frame that `link` names.
    pub(crate) fn resume(
        folder: &Path,
        first_t: u64,
        at: u64,
        link: Link,
    ) -> Result<Result<Self, Bad>, WorldError> {
        let mut source = match Source::open(folder, first_t)? {
            Ok(source) => source,
            Err(bad) => return Ok(Err(bad)),
        };
        source.length = source.length.max(at);
        if let Err(error) = source.skip(at) {
            return source.damage(error).map(|what| Err(Bad { at: 0, what }));
        }
        Ok(Ok(Self { source, at, link }))
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
        let left = self.source.length - self.at;
        if left == 0 {
            return Ok(Item::End);
        }
        let bad = |at: u64, what: String| Ok(Item::Bad(Bad { at, what }));
        let mut bytes = vec![0; (Header::BYTES as u64).min(left) as usize];
        if let Err(error) = self.source.read_exact(&mut bytes) {
            return self.damage(error);
        }
        if is_zeros(&bytes) {
            match self.source.is_zeros() {
                Ok(true) => return Ok(Item::End),
                Ok(false) => {}
                Err(error) => return self.damage(error),
            }
        }
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
        // The header checked itself, and the segment has as many bytes as it asks for.
        let Ok(length) = usize::try_from(header.length) else {
            return bad(self.at, "a frame is larger than memory".into());
        };
        let read = bytes.len();
        bytes.resize(length.max(read), 0);
        if let Some(rest) = bytes.get_mut(read..)
            && let Err(error) = self.source.read_exact(rest)
        {
            return self.damage(error);
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

    fn damage(&self, error: io::Error) -> Result<Item, WorldError> {
        let at = self.at;
        self.source.damage(error).map(|what| Item::Bad(Bad { at, what }))
    }

    /// The path of the segment.
    pub(crate) fn path(&self) -> &Path {
        &self.source.path
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

    #[test]
    fn zeros_are_the_end_unless_something_follows_them() {
        let folder = tempfile::tempdir().unwrap();
        let frame = |t, previous| Frame { t, instant: 0, previous, datoms: vec![], values: vec![] };
        let first = frame(1, [0; 32]);
        let mut whole = header(&Link::START).to_vec();
        whole.extend(first.encode());
        let read = |bytes: &[u8]| {
            std::fs::write(path(folder.path(), 1), bytes).unwrap();
            let mut reader = Reader::open(folder.path(), Link::START).unwrap().unwrap();
            assert!(matches!(reader.next().unwrap(), Item::Frame(_)));
            let at = reader.at();
            (reader.next().unwrap(), at)
        };
        for room in [0, 1, 7, Header::BYTES, 200_000] {
            let mut bytes = whole.clone();
            bytes.resize(whole.len() + room, 0);
            let (next, at) = read(&bytes);
            assert!(matches!(next, Item::End), "{room}");
            assert_eq!(at, whole.len() as u64);
            for stray in [0, room / 2, room.saturating_sub(1)].into_iter().filter(|_| room > 0) {
                let mut bytes = bytes.clone();
                bytes[whole.len() + stray] = 1;
                let Item::Bad(bad) = read(&bytes).0 else { panic!("{room}, {stray}") };
                assert_eq!(bad.at, whole.len() as u64);
            }
            // A whole frame behind a hole of a torn write is not read.
            bytes.extend(frame(2, first.hash()).encode());
            assert!(room == 0 || matches!(read(&bytes).0, Item::Bad(_)), "{room}");
        }
    }
}
