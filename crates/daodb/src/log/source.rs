//! Where the bytes of a segment come from: its file, or its sealed copy, here or in the cold folder.
//!
//! 1. Each of the three is made, whole and synced, before the one in front of it is removed. So who
//!    looks in this order finds one of them, whatever others do meanwhile.
//! 2. Places are those of the segment as it was written, however it is kept.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::segment::{self, Bad};
use super::{cold, seal};
use crate::error::WorldError;

/// Bytes read ahead.
const BUFFER_BYTES: usize = 1 << 16;

/// The bytes of one segment.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    /// Bytes of the segment.
    pub(crate) length: u64,
    bytes: Bytes,
}

enum Bytes {
    Plain(BufReader<File>),
    Sealed(Box<dyn Read + Send>),
}

/// How a segment is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Plain,
    Sealed,
    Cold,
}

/// How a segment is kept, and the path of its file; `None` when there is none.
pub(crate) fn find(folder: &Path, first_t: u64) -> Result<Option<(Kept, PathBuf)>, WorldError> {
    if let Some(found) = find_here(folder, first_t)? {
        return Ok(Some(found));
    }
    let entry = cold::manifest(folder)?.into_iter().find(|entry| entry.first_t == first_t);
    Ok(entry.map(|entry| (Kept::Cold, entry.path)))
}

/// The same of the log's own folder: the cold one may be away.
pub(crate) fn find_here(
    folder: &Path,
    first_t: u64,
) -> Result<Option<(Kept, PathBuf)>, WorldError> {
    let plain = segment::path(folder, first_t);
    let sealed = segment::path_as(folder, first_t, seal::SUFFIX);
    for (kept, path) in [(Kept::Plain, plain), (Kept::Sealed, sealed)] {
        let there = path.try_exists();
        if there.map_err(|source| WorldError::io(&path, "look for a segment of the log", source))? {
            return Ok(Some((kept, path)));
        }
    }
    Ok(None)
}

/// How a segment is kept, and the bytes of its file; `None` when there is none.
pub(crate) fn measure(folder: &Path, first_t: u64) -> Result<Option<(Kept, u64)>, WorldError> {
    loop {
        let Some((kept, path)) = find(folder, first_t)? else { return Ok(None) };
        let doing = "look at a segment of the log";
        match path.metadata() {
            Ok(file) => return Ok(Some((kept, file.len()))),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(WorldError::io(&path, doing, error));
            }
            Err(_) if kept == Kept::Cold => return Err(WorldError::ColdGone { path, first_t }),
            // It was sealed, or moved, since it was found.
            Err(_) => {}
        }
    }
}

impl Source {
    /// Opens a segment. `Err(Bad)` within: its sealed copy is damaged.
    pub(crate) fn open(folder: &Path, first_t: u64) -> Result<Result<Self, Bad>, WorldError> {
        let missing = segment::path(folder, first_t);
        let Some((kept, path)) = find(folder, first_t)? else {
            let source = io::ErrorKind::NotFound.into();
            return Err(WorldError::io(&missing, "open a segment of the log", source));
        };
        let failed = |source| WorldError::io(&path, "open a segment of the log", source);
        let file = match File::open(&path) {
            // It was sealed, or moved, since it was found.
            Err(error) if error.kind() == io::ErrorKind::NotFound && kept != Kept::Cold => {
                return Self::open(folder, first_t);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(WorldError::ColdGone { path, first_t });
            }
            file => file.map_err(failed)?,
        };
        let bytes = file.metadata().map_err(failed)?.len();
        let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
        if kept == Kept::Plain {
            return Ok(Ok(Self { path, length: bytes, bytes: Bytes::Plain(file) }));
        }
        match seal::read_header(&mut file, bytes, first_t) {
            Ok(length) => {
                let stream = seal::decoder(file).map_err(failed)?;
                Ok(Ok(Self { path, length, bytes: Bytes::Sealed(Box::new(stream)) }))
            }
            Err(error) if is_damage(&error) => Ok(Err(Bad { at: 0, what: error.to_string() })),
            Err(error) => Err(failed(error)),
        }
    }

    /// Passes over the first bytes of a source that nothing was read of.
    pub(crate) fn skip(&mut self, bytes: u64) -> io::Result<()> {
        match &mut self.bytes {
            Bytes::Plain(file) => file.seek(SeekFrom::Start(bytes)).map(drop),
            Bytes::Sealed(stream) => io::copy(&mut stream.take(bytes), &mut io::sink()).map(drop),
        }
    }

    /// Whether all that was not read yet is zeros.
    pub(crate) fn is_zeros(&mut self) -> io::Result<bool> {
        let mut bytes = vec![0; BUFFER_BYTES];
        loop {
            match self.read(&mut bytes)? {
                0 => return Ok(true),
                read if bytes.get(..read).is_none_or(|bytes| !is_zeros(bytes)) => return Ok(false),
                _ => {}
            }
        }
    }

    /// What is wrong with the bytes, if it is they who failed and not the system.
    pub(crate) fn damage(&self, error: io::Error) -> Result<String, WorldError> {
        match &self.bytes {
            Bytes::Sealed(_) if is_damage(&error) => {
                Ok(format!("the compressed segment is damaged: {error}"))
            }
            _ => Err(WorldError::io(&self.path, "read a segment of the log", error)),
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.bytes {
            Bytes::Plain(file) => file.read(buffer),
            Bytes::Sealed(stream) => stream.read(buffer),
        }
    }
}

pub(crate) fn is_zeros(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Whether an error is one of the bytes: those of the system have a number.
fn is_damage(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
}
