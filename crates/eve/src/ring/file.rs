//! Rings in files of their own: by a path, or without a name for a child.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, SealFlags};

use super::{Error, Layout, Mapped, Ring, bytes};

/// Who may use a ring must be able to write it: whoever shares the group may.
const MODE: u32 = 0o660;
/// How often a name may vanish again between two looks.
const TRIES: usize = 8;

impl Ring<Mapped> {
    /// The ring in the file at `path`, made if there is none: whoever comes first makes it, whole or
    /// not at all.
    ///
    /// ```
    /// use eve::ring::{Layout, Ring};
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("my.ring");
    ///
    /// // One process:
    /// let ring = Ring::at(&path, Layout::Packed, 4096)?;
    /// let mut producer = ring.producer()?;
    /// producer.push([1, 2, 3, 4, 5], None)?;
    ///
    /// // Another:
    /// let ring = Ring::at(&path, Layout::Packed, 4096)?;
    /// let mut consumer = ring.consumer()?;
    /// assert_eq!(consumer.pop(None)?, [1, 2, 3, 4, 5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The file stays until somebody removes it; a side whose process died is free for the next. In
    /// `/dev/shm` no disk is involved.
    ///
    /// # Errors
    /// [`Error::Different`] when there is a ring of another layout or capacity, [`Error::File`] when
    /// the file cannot be opened or made, and as [`Ring::open`].
    pub fn at(path: impl AsRef<Path>, layout: Layout, capacity: u64) -> Result<Self, Error> {
        let path = path.as_ref();
        for _ in 0..TRIES {
            match Ring::open_at(path) {
                Err(Error::File { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                Ok(ring) if (ring.layout(), ring.capacity()) != (layout, capacity) => {
                    return Err(Error::Different {
                        layout: ring.layout(),
                        capacity: ring.capacity(),
                    });
                }
                opened => return opened,
            }
            if let Some(made) = make(path, layout, capacity)? {
                return Ok(made);
            }
        }
        Err(file_error(path, "make")(ErrorKind::AlreadyExists.into()))
    }

    /// The ring in the file at `path`.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be opened, and as [`Ring::open`].
    pub fn open_at(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let file = File::options().read(true).write(true).open(path);
        let file = file.map_err(file_error(path, "open"))?;
        Ring::open(Mapped::open(&file)?)
    }

    /// A new ring in memory that has no name, and the file that is this memory: a child inherits it,
    /// or gets it through a socket. Nobody can make it shorter, and when the last process that has it
    /// ends, the system takes it back.
    ///
    /// # Errors
    /// [`Error::Capacity`], [`Error::Io`].
    pub fn memfd(layout: Layout, capacity: u64) -> Result<(Self, File), Error> {
        let failed = |source: rustix::io::Errno| Error::Io {
            doing: "make memory without a name for a ring",
            source: source.into(),
        };
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = File::from(rustix::fs::memfd_create(c"eve ring", flags).map_err(failed)?);
        let words = Mapped::create(&file, bytes(layout, capacity)?)?;
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK).map_err(failed)?;
        Ok((Ring::create(words, layout, capacity)?, file))
    }
}

fn file_error(path: &Path, doing: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::File { path: path.to_owned(), doing, source }
}

/// Makes the ring under another name, then names it; `None` if there is one of that name now.
fn make(path: &Path, layout: Layout, capacity: u64) -> Result<Option<Ring<Mapped>>, Error> {
    let wanted = bytes(layout, capacity)?;
    let draft = draft_of(path);
    let _ = fs::remove_file(&draft); // of a process with our id that died here
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(MODE);
    let file = options.open(&draft).map_err(file_error(path, "make"))?;
    let made = Mapped::create(&file, wanted)
        .and_then(|words| Ring::create(words, layout, capacity))
        .and_then(|ring| match fs::hard_link(&draft, path) {
            Ok(()) => Ok(Some(ring)),
            Err(taken) if taken.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(source) => Err(file_error(path, "name")(source)),
        });
    let _ = fs::remove_file(&draft);
    made
}

fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".draft-{}-{:?}", std::process::id(), std::thread::current().id()));
    PathBuf::from(name)
}
