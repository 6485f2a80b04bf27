//! A secret key in a file that only its owner may read.
//!
//! The file holds one line: `shibi-key1_`, 43 letters of base64url, a newline.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{KEY_BYTES, Keypair};
use crate::text;

const SECRET_PREFIX: &str = "shibi-key1_";
/// The longest key file that is read at all.
const FILE_BYTES_MAX: u64 = 256;

/// Why a key file was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The system refused.
    #[error("key file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than the owner may read or write the file.
    #[error(
        "key file {} has mode {mode:o}, so others may read the key; chmod 600 it, and make a new key if anyone did",
        path.display()
    )]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error("key file {} does not hold one line of \"{SECRET_PREFIX}\" and 43 letters", path.display())]
    Content {
        /// The file.
        path: PathBuf,
    },
}

impl Keypair {
    /// Writes the secret key to a new file with mode 0600 and syncs it. Never overwrites, and the
    /// file is there whole or not at all, whoever is killed and however many save at once.
    ///
    /// # Errors
    /// The file exists, or the system refuses.
    pub fn save(&self, path: &Path) -> Result<(), KeyFileError> {
        let failed = |source| KeyFileError::Io { path: path.to_owned(), source };
        let draft = draft_path(path).map_err(|error| failed(io::Error::other(error)))?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&draft).map_err(failed)?;
        let body = Zeroizing::new(text::encode(self.secret.as_bytes()));
        let line = Zeroizing::new([SECRET_PREFIX, &body, "\n"].concat());
        let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_all());
        // A link, unlike a rename, refuses where a file is.
        let linked = written.and_then(|()| fs::hard_link(&draft, path));
        let removed = fs::remove_file(&draft);
        linked.and(removed).and_then(|()| sync_folder(path)).map_err(failed)
    }

    /// Reads a key that [`Keypair::save`] wrote.
    ///
    /// # Errors
    /// The file is missing, readable for others, or holds something else.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let failed = |source| KeyFileError::Io { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        check_mode(path, &file.metadata().map_err(failed)?)?;
        let mut line = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize));
        let content = || KeyFileError::Content { path: path.to_owned() };
        match Read::by_ref(&mut file).take(FILE_BYTES_MAX).read_to_string(&mut line) {
            Ok(_) => {}
            Err(source) if source.kind() == io::ErrorKind::InvalidData => return Err(content()),
            Err(source) => return Err(failed(source)),
        }
        let body = line.trim_end().strip_prefix(SECRET_PREFIX).ok_or_else(content)?;
        let bytes = Zeroizing::new(text::decode(body).ok_or_else(content)?);
        let seed: &[u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(|_| content())?;
        Ok(Self::from_seed(seed))
    }
}

/// A name beside the file that nobody else uses, neither another process nor another thread.
fn draft_path(path: &Path) -> Result<PathBuf, getrandom::Error> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{:016x}.new", getrandom::u64()?));
    Ok(draft.into())
}

/// The new name is on disk once its folder is.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Permissions { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata) -> Result<(), KeyFileError> {
    Ok(())
}
