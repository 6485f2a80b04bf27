//! What a ring can live in: any run of shared words.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::{Error, header::LINE_WORDS};
use crate::sync::{self, AtomicU64};

const WORD_BYTES: u64 = 8;

/// Shared words. A ring in words that begin at a multiple of 128 bytes is fastest; any other place
/// works.
///
/// # Safety
/// [`Words::words`] gives the same words on every call, at the same place, for as long as the value
/// lives, wherever the value itself is moved.
pub unsafe trait Words {
    /// The words.
    fn words(&self) -> &[AtomicU64];
}

// SAFETY: what is borrowed does not move.
unsafe impl<W: Words + ?Sized> Words for &W {
    fn words(&self) -> &[AtomicU64] {
        (**self).words()
    }
}

// SAFETY: what an `Arc` holds does not move.
unsafe impl<W: Words + ?Sized> Words for Arc<W> {
    fn words(&self) -> &[AtomicU64] {
        (**self).words()
    }
}

// SAFETY: a slice is only ever used behind a pointer, and is its own words.
unsafe impl Words for [AtomicU64] {
    fn words(&self) -> &[AtomicU64] {
        self
    }
}

/// Words on the heap, for threads of one process.
#[derive(Clone, Debug)]
pub struct Heap {
    words: Arc<[AtomicU64]>,
    /// Words before the first that begins a line.
    skipped: usize,
}

impl Heap {
    /// Zeroed words of at least `bytes` bytes, on a line's boundary.
    #[must_use]
    pub fn new(bytes: u64) -> Heap {
        let count = usize::try_from(bytes.div_ceil(WORD_BYTES)).unwrap_or(usize::MAX - LINE_WORDS);
        let words: Arc<[AtomicU64]> = (0..count + LINE_WORDS).map(|_| AtomicU64::new(0)).collect();
        let word_number = words.as_ptr() as usize / size_of::<AtomicU64>();
        let skipped = word_number.next_multiple_of(LINE_WORDS) - word_number;
        Heap { words, skipped }
    }
}

// SAFETY: the same part of what the `Arc` holds, which does not move.
unsafe impl Words for Heap {
    fn words(&self) -> &[AtomicU64] {
        self.words.get(self.skipped..).unwrap_or_default()
    }
}

/// Words of a mapped file, for processes: a file in a folder, or one without a name whose
/// descriptor is handed on.
///
/// ```
/// use eve::ring::{self, Layout, Mapped, Ring};
///
/// let file = tempfile::tempfile()?;
/// let ring = Ring::create(Mapped::create(&file, ring::bytes(Layout::Packed, 64)?)?, Layout::Packed, 64)?;
/// ring.producer()?.try_push([1, 2, 3, 4, 5])?;
///
/// // In another process, which has the same file:
/// let there = Ring::open(Mapped::open(&file)?)?;
/// assert_eq!(there.consumer()?.try_pop()?, Some([1, 2, 3, 4, 5]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The room is allocated and not only sized, so that a full disk is an error and not a signal.
/// Nobody may truncate the file while it is mapped: the system would end whoever touches it.
#[derive(Clone, Debug)]
pub struct Mapped(Arc<memmap2::MmapRaw>);

impl Mapped {
    /// Gives `file` at least `bytes` bytes and maps it.
    ///
    /// # Errors
    /// [`Error::Io`] when there is no room or no permission.
    pub fn create(file: &File, bytes: u64) -> Result<Mapped, Error> {
        let bytes = bytes.next_multiple_of(WORD_BYTES * LINE_WORDS as u64);
        rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes).map_err(
            |source| Error::Io { doing: "allocate the ring's file", source: source.into() },
        )?;
        Mapped::open(file)
    }

    /// Maps all of `file`.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be mapped for reading and writing.
    pub fn open(file: &File) -> Result<Mapped, Error> {
        let failed = |source: io::Error| Error::Io { doing: "map the ring's file", source };
        let map = memmap2::MmapRaw::map_raw(file).map_err(failed)?;
        Ok(Mapped(Arc::new(map)))
    }
}

// SAFETY: all of the mapping, which stays where it is until `self.0` is dropped.
unsafe impl Words for Mapped {
    fn words(&self) -> &[AtomicU64] {
        let count = self.0.len() / WORD_BYTES as usize;
        // SAFETY: the mapping is readable and writable, begins at a page, is `len` bytes long and
        // lives as long as `self.0`, which the slice borrows. Whoever else maps the file writes it
        // outside of this program; on this side every access is atomic.
        unsafe { sync::shared_words(self.0.as_ptr().cast(), count) }
    }
}
