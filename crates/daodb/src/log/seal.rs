//! Sealed segments: a segment that is complete, compressed.
//!
//! | bytes | field |
//! | --- | --- |
//! | 0–7 | magic `DAODBzst` |
//! | 8–11 | version, 1 |
//! | 12–15 | bytes of this header, 40 |
//! | 16–23 | `t` of the first frame |
//! | 24–31 | bytes of the segment |
//! | 32–39 | first 8 bytes of the BLAKE3 hash of bytes 0–31 |
//! | 40– | the segment, header and all, as one zstd frame |
//!
//! 1. Only a segment that another one follows is sealed: nobody appends to it any more.
//! 2. The sealed copy is read back and compared, synced and named before the segment is removed.
//! 3. Sealing the same segment twice does no harm; one process does it at a time.
//! 4. A sealed segment that claims to be more than 1,024 times its file is refused.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::segment;
use crate::error::WorldError;

const MAGIC: [u8; 8] = *b"DAODBzst";
const VERSION: u32 = 1;
/// Bytes of the header.
pub(crate) const HEADER_BYTES: usize = 40;
const CHECKED_BYTES: usize = 32;
/// What the file of a sealed segment is called behind its digits.
pub(crate) const SUFFIX: &str = ".sealed";
/// Fast, and within a tenth of what slower levels reach on frames.
const LEVEL: i32 = 3;
/// How many times its file a segment may be.
pub(crate) const RATIO_MAX: u64 = 1_024;

/// The header of a sealed segment.
pub(crate) fn header(first_t: u64, length: u64) -> [u8; HEADER_BYTES] {
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(HEADER_BYTES as u32).to_le_bytes());
    bytes.extend_from_slice(&first_t.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    let check = blake3::hash(&bytes);
    bytes.extend(check.as_bytes().iter().take(HEADER_BYTES - CHECKED_BYTES));
    let mut header = [0; HEADER_BYTES];
    header.copy_from_slice(&bytes);
    header
}

/// Reads the header of a file of so many bytes; the bytes of the segment.
pub(crate) fn read_header(file: &mut impl Read, bytes: u64, first_t: u64) -> io::Result<u64> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut found = [0; HEADER_BYTES];
    file.read_exact(&mut found)?;
    let length = found.get(24..).and_then(|rest| rest.first_chunk().copied());
    let length = length.map_or(0, u64::from_le_bytes);
    if found != header(first_t, length) {
        return Err(wrong("the header of the sealed segment is damaged, or of another one"));
    }
    if length > bytes.saturating_mul(RATIO_MAX) {
        return Err(wrong("the sealed segment claims to be too much larger than its file"));
    }
    Ok(length)
}

/// What follows the header, decompressed.
pub(crate) fn decoder(file: BufReader<File>) -> io::Result<impl Read + Send> {
    zstd::Decoder::with_buffer(file)
}

/// Seals every segment of a log that another one follows. Answers how many; 0 when another process
/// is at it.
pub(crate) fn seal_all(folder: &Path) -> Result<u64, WorldError> {
    let path = folder.join("sealing");
    let failed = |source| WorldError::io(&path, "lock the sealing of the log", source);
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let lock = lock.map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(0),
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    let last = segment::list_here(folder)?.last().copied().unwrap_or(0);
    let mut sealed = 0;
    for first_t in segment::named(folder, segment::SUFFIX)? {
        if first_t < last {
            sealed += u64::from(seal(folder, first_t)?);
        }
    }
    Ok(sealed)
}

/// Seals one segment. False: it is gone, or compresses so well that nobody would believe it.
fn seal(folder: &Path, first_t: u64) -> Result<bool, WorldError> {
    let path = segment::path(folder, first_t);
    let failed = |source| WorldError::io(&path, "seal a segment of the log", source);
    let fresh = folder.join(format!("sealing-{first_t}"));
    let done = match write(&path, first_t, &fresh) {
        Ok(done) => done,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => {
            // Nothing hangs on it; whoever seals next writes it anew.
            let _ = fs::remove_file(&fresh);
            return Err(failed(error));
        }
    };
    if !done {
        fs::remove_file(&fresh).map_err(failed)?;
        return Ok(false);
    }
    fs::rename(&fresh, segment::path_as(folder, first_t, SUFFIX)).map_err(failed)?;
    sync_folder(folder).map_err(failed)?;
    fs::remove_file(&path).map_err(failed)?;
    Ok(true)
}

/// Compresses a segment into a new file, synced, and compares the two.
fn write(path: &Path, first_t: u64, fresh: &Path) -> io::Result<bool> {
    let mut source = File::open(path)?;
    let length = source.metadata()?.len();
    let mut options = OpenOptions::new();
    let target = options.create(true).truncate(true).read(true).write(true).open(fresh)?;
    let mut target = BufWriter::new(target);
    target.write_all(&header(first_t, length))?;
    let mut encoder = zstd::Encoder::new(target, LEVEL)?;
    encoder.include_checksum(true)?;
    io::copy(&mut Read::take(&mut source, length), &mut encoder)?;
    let target = encoder.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    target.sync_all()?;
    let bytes = target.metadata()?.len();
    drop(target);
    if length > bytes.saturating_mul(RATIO_MAX) {
        return Ok(false);
    }
    let mut sealed = BufReader::new(File::open(fresh)?);
    read_header(&mut sealed, bytes, first_t)?;
    let same = hash(decoder(sealed)?)? == hash(File::open(path)?)?;
    match same {
        true => Ok(true),
        false => Err(io::Error::other("what was compressed is not what was read back")),
    }
}

fn hash(mut bytes: impl Read) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = bytes.read(&mut buffer)?;
        if read == 0 {
            return Ok(hasher.finalize());
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
}

/// Writes the readable beginning of a sealed segment, up to byte `at`, as a plain one in its place.
/// The sealed file gets the name `kept`.
pub(crate) fn unseal(folder: &Path, first_t: u64, at: u64, kept: &Path) -> io::Result<()> {
    let sealed = segment::path_as(folder, first_t, SUFFIX);
    let fresh: PathBuf = folder.join(format!("unsealing-{first_t}"));
    let mut source = BufReader::new(File::open(&sealed)?);
    let bytes = source.get_ref().metadata()?.len();
    let mut target = OpenOptions::new().create(true).truncate(true).write(true).open(&fresh)?;
    if at > 0 {
        read_header(&mut source, bytes, first_t)?;
        io::copy(&mut decoder(source)?.take(at), &mut target)?;
    }
    target.set_len(at)?;
    target.sync_all()?;
    fs::rename(&sealed, kept)?;
    match at {
        0 => fs::remove_file(&fresh)?,
        _ => fs::rename(&fresh, segment::path(folder, first_t))?,
    }
    sync_folder(folder)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(content: &[u8]) -> (tempfile::TempDir, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(segment::path(folder.path(), 5), content).unwrap();
        assert!(seal(folder.path(), 5).unwrap());
        assert!(!segment::path(folder.path(), 5).exists());
        let bytes = fs::read(segment::path_as(folder.path(), 5, SUFFIX)).unwrap();
        (folder, bytes)
    }

    fn open(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealed");
        fs::write(&path, bytes).unwrap();
        let mut file = BufReader::new(File::open(&path).unwrap());
        let length = read_header(&mut file, bytes.len() as u64, 5)?;
        let mut found = Vec::new();
        // To the very end, where the checksum is.
        decoder(file)?.read_to_end(&mut found)?;
        assert_eq!(found.len() as u64, length);
        Ok(found)
    }

    #[test]
    fn every_flipped_bit_of_a_sealed_segment_is_found() {
        let content: Vec<u8> = (0..600_u32).flat_map(|n| (n / 3).to_le_bytes()).collect();
        let (_folder, good) = sealed(&content);
        assert!(good.len() < content.len() / 2);
        assert_eq!(open(&good).unwrap(), content);
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(found) = open(&bytes) {
                // zstd has bits that mean nothing.
                assert!(bit >= HEADER_BYTES * 8 && found == content, "bit {bit}");
            }
        }
    }

    #[test]
    fn what_claims_too_much_is_refused_before_anything_is_read() {
        let mut bytes = header(5, 1 << 40).to_vec();
        bytes.extend_from_slice(&[0; 100]);
        assert!(open(&bytes).unwrap_err().to_string().contains("claims"));
    }

    #[test]
    fn what_would_not_be_believed_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = segment::path(folder.path(), 5);
        fs::write(&path, vec![0; 1 << 20]).unwrap();
        assert!(!seal(folder.path(), 5).unwrap());
        assert!(path.exists() && !segment::path_as(folder.path(), 5, SUFFIX).exists());
    }

    #[test]
    fn the_readable_beginning_comes_back() {
        let content: Vec<u8> = (0..6_000_u32).flat_map(u32::to_le_bytes).collect();
        let (folder, _) = sealed(&content);
        let kept = folder.path().join("kept");
        unseal(folder.path(), 5, 1_000, &kept).unwrap();
        assert!(kept.exists());
        assert_eq!(fs::read(segment::path(folder.path(), 5)).unwrap(), content[..1_000]);
    }
}
