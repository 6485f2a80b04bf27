//! `:fs/read`, `:fs/write`, `:fs/append`, `:fs/list`: files inside the folders that a token names.
//!
//! 1. A path is first brought into one form, by its text alone: made absolute, `.` dropped, `..`
//!    refused. It must then lie in a folder of the token.
//! 2. The folder is opened, and the rest of the path is resolved below its descriptor by the
//!    kernel (`openat2`, `RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS`). A symbolic link may lead
//!    anywhere inside the folder and nowhere else, whoever changes the tree meanwhile.
//! 3. Only regular files are read and written: no pipe, socket or device can block the bridge.
//! 4. A write is there whole or not at all: a new file beside the target, synced, renamed over it.

use std::path::{Path, PathBuf};

use datom::Value;
use shibi::Folder;

use crate::failure::Failure;
use crate::handler::Call;

#[cfg(target_os = "linux")]
mod append;
#[cfg(target_os = "linux")]
#[path = "fs/linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "fs/elsewhere.rs"]
mod system;

/// The most bytes that are read from or written to a file at once, 32 MiB.
pub const FILE_BYTES_MAX: usize = 32 << 20;
/// The most entries of a folder that is listed.
pub const ENTRIES_MAX: usize = 65_536;

/// The file handlers. Relative paths count from a base folder.
#[derive(Clone, Debug)]
pub struct Files {
    base: PathBuf,
}

/// What a folder holds under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    name: Vec<u8>,
    kind: &'static str,
    bytes: u64,
}

/// Whose append it is, and which of its appends: doing it again with its key does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    writer: [u8; 32],
    /// From 1.
    number: u64,
}

impl Key {
    /// `[#hash "…" 7]`.
    fn from_value(value: &Value) -> Option<Self> {
        match value.as_slice()? {
            [Value::Hash(writer), Value::Int(number @ 1..)] => {
                Some(Self { writer: *writer, number: number.cast_unsigned() })
            }
            _ => None,
        }
    }
}

/// A path inside a folder that the token names.
struct Place {
    folder: Folder,
    /// Relative to the folder; empty for the folder itself.
    rest: String,
    /// For messages.
    path: String,
}

impl Files {
    /// Relative paths count from `base`, an absolute folder.
    #[must_use]
    pub fn at(base: &Path) -> Self {
        Self { base: base.to_owned() }
    }

    /// `:fs/read`: a file's content, as text unless bytes are asked for.
    ///
    /// # Errors
    /// `:fs/denied`, `:fs/not-found`, `:fs/not-a-file`, `:fs/not-text`, `:fs/too-large`, `:fs/io`.
    pub fn read(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let wanted = "a path, or {:path … :as :text} or {:path … :as :bytes}";
        let (path, form) = match call.args {
            Value::Map(_) => (call.args.get("path"), call.args.get("as")),
            path => (Some(path), None),
        };
        let path =
            path.and_then(Value::as_text).ok_or_else(|| Failure::bad_args(wanted, call.args))?;
        let as_text = match form.map(|form| form.as_keyword().map(|k| k.as_str())) {
            None | Some(Some("text")) => true,
            Some(Some("bytes")) => false,
            Some(_) => return Err(Failure::bad_args(wanted, call.args)),
        };
        let place = self.place(call, path)?;
        let bytes = system::read(&place)?;
        if !as_text {
            return Ok(Value::Bytes(bytes.into()));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Value::Text(text.into())),
            Err(error) => Err(place.failure(
                "fs/not-text",
                &format!("no UTF-8 at byte {}; ask for :bytes", error.utf8_error().valid_up_to()),
            )),
        }
    }

    /// `:fs/write`: makes or replaces a file.
    ///
    /// # Errors
    /// `:fs/denied`, `:fs/not-found` (of the folder), `:fs/not-a-file`, `:fs/too-large`, `:fs/io`.
    pub fn write(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let (place, content) =
            self.place_and_content(call, "[path content] or {:path … :content …}")?;
        system::write(&place, content)?;
        Ok(Value::Int(content.len() as i64))
    }

    /// `:fs/append`: adds to the end of a file, which is made if there is none. With a key
    /// (`{:path … :content … :key [writer number]}`), doing it again does nothing. Costs two syncs,
    /// and reads 64 bytes for each writer that the file ever had.
    ///
    /// # Errors
    /// `:fs/stale` for a key that a later one of its writer has followed, `:fs/keys-damaged`, and
    /// those of `:fs/write`.
    pub fn append(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let wanted = "[path content] or {:path … :content … :key [hash number]}";
        let (place, content) = self.place_and_content(call, wanted)?;
        let key = match call.args.get("key") {
            None | Some(Value::Nil) => None,
            Some(key) => {
                let key = Key::from_value(key);
                Some(key.ok_or_else(|| Failure::bad_args(wanted, call.args))?)
            }
        };
        #[cfg(target_os = "linux")]
        append::append(&place, content, key.as_ref())?;
        #[cfg(not(target_os = "linux"))]
        system::append(&place, content, key.as_ref())?;
        Ok(Value::Int(content.len() as i64))
    }

    fn place_and_content<'c>(
        &self,
        call: &Call<'c>,
        wanted: &str,
    ) -> Result<(Place, &'c [u8]), Failure> {
        let bad = || Failure::bad_args(wanted, call.args);
        let (path, content) = match call.args {
            Value::Map(_) => (call.args.get("path"), call.args.get("content")),
            args => match args.as_slice() {
                Some([path, content]) => (Some(path), Some(content)),
                _ => (None, None),
            },
        };
        let path = path.and_then(Value::as_text).ok_or_else(bad)?;
        let content = super::content(content.ok_or_else(bad)?, wanted)?;
        let place = self.place(call, path)?;
        if content.len() > FILE_BYTES_MAX {
            return Err(place.too_large());
        }
        Ok((place, content))
    }

    /// `:fs/list`: what is in a folder, by name.
    ///
    /// # Errors
    /// `:fs/denied`, `:fs/not-found`, `:fs/not-a-folder`, `:fs/too-large`, `:fs/io`.
    pub fn list(&self, call: &Call<'_>) -> Result<Value, Failure> {
        let path = call.args.as_text().ok_or_else(|| Failure::bad_args("a path", call.args))?;
        let place = self.place(call, path)?;
        let mut entries = system::list(&place)?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Value::Vector(entries.into_iter().map(Entry::into_value).collect()))
    }

    /// Invariant 1. The innermost folder is taken, so that the kernel confines as much as it can.
    fn place(&self, call: &Call<'_>, path: &str) -> Result<Place, Failure> {
        let denied =
            |why: &str| Failure::new("fs/denied", &format!("{}: {path}: {why}", call.operation));
        let path = self.one_form(path).map_err(&denied)?;
        let Some(folders) = call.rights.folders() else {
            return Err(denied("the token names no folder"));
        };
        let inside = folders.iter().filter_map(|f| Some((f, f.strip(&path)?)));
        match inside.min_by_key(|(_, rest)| rest.len()) {
            Some((folder, rest)) => {
                Ok(Place { folder: folder.clone(), rest: rest.to_owned(), path: path.clone() })
            }
            None => {
                let names: Vec<&str> = folders.iter().map(Folder::as_str).collect();
                Err(denied(&format!("the token allows only {}", names.join(", "))))
            }
        }
    }

    fn one_form(&self, path: &str) -> Result<String, &'static str> {
        let absolute = self.base.join(path);
        let text = absolute.to_str().ok_or("the base folder's name is not UTF-8")?;
        if path.is_empty() || !text.starts_with('/') {
            return Err("the path is not absolute");
        }
        let mut form = String::with_capacity(text.len());
        for name in text.split('/') {
            match name {
                "" | "." => {}
                ".." => return Err("\"..\" is not allowed in paths"),
                name if name.contains('\0') => return Err("a NUL is not allowed in paths"),
                name => {
                    form.push('/');
                    form.push_str(name);
                }
            }
        }
        if form.is_empty() {
            form.push('/');
        }
        Ok(form)
    }
}

impl Place {
    fn failure(&self, kind: &str, why: &str) -> Failure {
        Failure::new(kind, &format!("{}: {why}", self.path))
    }

    fn too_large(&self) -> Failure {
        self.failure("fs/too-large", &format!("more than {FILE_BYTES_MAX} bytes; split the file"))
    }

    /// The folder that holds the file, relative, and the file's name in it.
    fn split(&self) -> (&str, &str) {
        self.rest.rsplit_once('/').unwrap_or(("", &self.rest))
    }
}

impl Entry {
    /// A name that is no UTF-8 becomes bytes.
    fn into_value(self) -> Value {
        let name = match String::from_utf8(self.name) {
            Ok(text) => Value::Text(text.into()),
            Err(error) => Value::Bytes(error.into_bytes().into()),
        };
        Value::map([
            (Value::keyword("name"), name),
            (Value::keyword("kind"), Value::keyword(self.kind)),
            (Value::keyword("bytes"), Value::Int(i64::try_from(self.bytes).unwrap_or(i64::MAX))),
        ])
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
