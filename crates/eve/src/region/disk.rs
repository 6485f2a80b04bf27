//! What a test sees of a disk: how the file was when it was last flushed, and what it is like when
//! the n-th thing that is asked of the disk is refused.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;

use crate::Error;

std::thread_local! {
    static IMAGE: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
    static FLUSHES: Cell<u64> = const { Cell::new(0) };
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// From now on, this thread's flushes are noted.
pub(crate) fn watch() {
    IMAGE.set(Some(Vec::new()));
    FLUSHES.set(0);
}

pub(super) fn note(path: &Path) {
    IMAGE.with_borrow_mut(|image| {
        if let Some(image) = image {
            *image = std::fs::read(path).unwrap();
            FLUSHES.set(FLUSHES.get() + 1);
        }
    });
}

/// The file when it was last flushed; empty if it never was.
pub(crate) fn image() -> Vec<u8> {
    IMAGE.with_borrow(|image| image.clone().unwrap_or_default())
}

/// How often it was, since it is watched.
pub(crate) fn flushes() -> u64 {
    FLUSHES.get()
}

/// The `n`-th thing that this thread asks of the disk from now on is refused, once; 1 is the next.
pub(crate) fn refuse(n: u64) {
    LEFT.set(Some(n));
}

/// No more of that. Whether something was refused.
pub(crate) fn relent() -> bool {
    LEFT.take() == Some(0)
}

/// The seam: called before the disk is asked to grow a file or to flush one.
pub(super) fn ask(path: &Path, doing: &'static str) -> Result<(), Error> {
    match LEFT.get() {
        Some(1) => {
            LEFT.set(Some(0));
            Err(Error::Io { path: path.to_owned(), doing, source: io::ErrorKind::Other.into() })
        }
        Some(left) if left > 1 => {
            LEFT.set(Some(left - 1));
            Ok(())
        }
        _ => Ok(()),
    }
}
