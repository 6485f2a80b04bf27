//! Folders that a token names.
//!
//! 1. A folder is an absolute path of plain names: no `.`, no `..`, no empty name, no NUL, no
//!    slash at the end. One folder has one text.
//! 2. A folder contains a path when it is the path or a whole-name prefix of it: `/srv` contains
//!    `/srv/a` and not `/srvx`. What a symbolic link makes of a path is for whoever opens it.

use core::fmt;
use std::sync::Arc;

/// Longest folder, in bytes.
pub(crate) const FOLDER_BYTES_MAX: usize = 1024;

/// Why a text names no folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{path:?} is no folder a token can name: it must be absolute, at most {FOLDER_BYTES_MAX} bytes, without \".\", \"..\", empty names or a slash at the end"
)]
pub struct FolderError {
    path: String,
}

/// An absolute folder, written in its one form (invariant 1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Folder(Arc<str>);

impl Folder {
    /// Takes a path that is already in its one form.
    ///
    /// # Errors
    /// The path is relative, too long, or has names that mean something else.
    pub fn new(path: &str) -> Result<Self, FolderError> {
        let error = || FolderError { path: path.chars().take(FOLDER_BYTES_MAX).collect() };
        let names = path.strip_prefix('/').ok_or_else(error)?;
        if path.len() > FOLDER_BYTES_MAX || !(names.is_empty() || plain(names)) {
            return Err(error());
        }
        Ok(Self(path.into()))
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a path in its one form lies in the folder or is the folder (invariant 2). A path
    /// in any other form lies nowhere.
    #[must_use]
    pub fn contains(&self, path: &str) -> bool {
        self.strip(path).is_some()
    }

    /// The path relative to the folder, empty for the folder itself; `None` if it lies elsewhere
    /// or is not in its one form.
    ///
    /// ```
    /// let srv = shibi::Folder::new("/srv").unwrap();
    /// assert_eq!(srv.strip("/srv/a/b"), Some("a/b"));
    /// assert_eq!(srv.strip("/srv/../etc"), None);
    /// assert_eq!(srv.strip("/srvx"), None);
    /// ```
    #[must_use]
    pub fn strip<'p>(&self, path: &'p str) -> Option<&'p str> {
        let base = self.0.strip_suffix('/').unwrap_or(&self.0);
        let rest = path.strip_prefix(base)?;
        if rest.is_empty() && !base.is_empty() {
            return Some(rest);
        }
        let rest = rest.strip_prefix('/')?;
        (plain(rest) || rest.is_empty() && base.is_empty()).then_some(rest)
    }
}

fn plain(names: &str) -> bool {
    names.split('/').all(|name| !matches!(name, "" | "." | "..") && !name.contains('\0'))
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests;
