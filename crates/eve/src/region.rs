//! A region: memory that is reserved once, grows underneath and never moves.
//!
//! 1. The address space of the whole limit is reserved when the region is mapped. No growth ever
//!    remaps it, so a reference into it stays valid as long as the region lives.
//! 2. Bytes below `allocated` (a word of page 0 that only grows) have room on the disk: it is
//!    taken by `fallocate` *before* the word says so, so a full disk is an error and not a signal.
//! 3. A region file is never truncated, by anybody, while somebody has it mapped.
//! 4. Metadata (everything but the blocks) is accessed atomically only, by every process.

use std::alloc::{self, Layout};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use crate::Error;
use crate::header;
use crate::layout::{self, CHUNK, REGION_MIN, page};
use crate::sync::{self, AtomicU64, Ordering};

mod file;

/// The smallest and the largest step by which a file grows.
const EXTENT_MIN: u64 = 1 << 20;
const EXTENT_MAX: u64 = 64 << 20;
/// The alignment of a region on the heap: that of a page.
const HEAP_ALIGN: usize = 4096;

/// How a region file is made.
///
/// ```
/// let options = eve::Options { limit_bytes: 1 << 30, ..eve::Options::default() };
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The most bytes the region can ever have. This much address space is reserved by whoever maps
    /// it; where the system refuses, less is, down to 1 GiB.
    pub limit_bytes: u64,
    /// Bytes allocated on the disk from the beginning.
    pub initial_bytes: u64,
}

impl Default for Options {
    /// A limit of 1 TiB, and the smallest file.
    fn default() -> Options {
        Options { limit_bytes: 1 << 40, initial_bytes: REGION_MIN }
    }
}

enum Backing {
    File { file: File, path: PathBuf, map: memmap2::MmapRaw },
    Anonymous { _map: memmap2::MmapRaw },
    Heap { layout: Layout },
}

/// Mapped memory with a header: a file that any number of processes share, anonymous memory for
/// the threads of one, or a block of the heap for tests.
///
/// ```
/// use eve::{Options, Region, Slab};
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("world.eve");
/// let here = Slab::create(Region::create(&path, &Options::default())?)?;
/// let there = Slab::open(Region::open(&path)?)?; // in any process
/// assert_eq!(here.commits(), there.commits());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Region {
    start: NonNull<u8>,
    limit: u64,
    /// Nothing from here on is accessed, whatever the header says: of a file that is only read, and
    /// so cannot be made as long as its header says, its length.
    end: u64,
    /// What was allocated when somebody looked last, or less.
    seen: AtomicU64,
    backing: Backing,
}

// SAFETY: the memory belongs to the region, which can move between threads as a `Box` can.
unsafe impl Send for Region {}
// SAFETY: through a shared region metadata is accessed atomically (4) and blocks by the rules of
// `Region::block` and `Region::block_mut`, which their callers keep.
unsafe impl Sync for Region {}

impl Region {
    /// Makes a new region file. It appears under its name complete or not at all.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::ReadOnly`], [`Error::DiskFull`], [`Error::Io`].
    pub fn create(path: impl AsRef<Path>, options: &Options) -> Result<Region, Error> {
        file::create(path.as_ref(), options)
    }

    /// Maps an existing region file.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NotARegion`], [`Error::Version`], [`Error::Header`] when the
    /// header contradicts itself or the file, [`Error::ReadOnly`], [`Error::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Region, Error> {
        file::open(path.as_ref())
    }

    /// Maps an existing region file for reading alone, without the right to write it.
    pub(crate) fn open_to_read(path: &Path) -> Result<Region, Error> {
        file::open_to_read(path)
    }

    /// A region file without a name, in memory: for this process and those it hands the file to, by
    /// [`Region::inheritable`]. It is gone when the last of them is, however they end.
    ///
    /// ```
    /// use eve::{Options, Region, Slab};
    /// use std::os::fd::AsRawFd;
    ///
    /// let slab = Slab::create(Region::memfd(&Options::default())?)?;
    /// let descriptor = slab.region().inheritable()?; // a child that is spawned now has it, too
    /// let there = Region::open(format!("/proc/self/fd/{}", descriptor.as_raw_fd()))?;
    /// assert_eq!(Slab::open(there)?.commits(), slab.commits());
    /// # Ok::<(), eve::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::DiskFull`] when there is no memory for it, [`Error::Io`].
    pub fn memfd(options: &Options) -> Result<Region, Error> {
        file::nameless(options)
    }

    /// A descriptor of the region file that children inherit: one of them opens
    /// `/proc/self/fd/NUMBER`. Close it, and theirs, when it was opened: it keeps the file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::NotARegion`] for memory of this process alone.
    pub fn inheritable(&self) -> Result<OwnedFd, Error> {
        match &self.backing {
            Backing::File { file, path, .. } => file::inheritable(file, path),
            Backing::Anonymous { .. } | Backing::Heap { .. } => Err(Error::NotARegion {
                path: PathBuf::new(),
                found: "memory of one process, which is no file".into(),
            }),
        }
    }

    /// Memory of this process for its threads, of at most `limit_bytes`; pages are taken from the
    /// system when they are first used.
    ///
    /// # Errors
    /// [`Error::Memory`] when the system has no address space for it.
    pub fn anonymous(limit_bytes: u64) -> Result<Region, Error> {
        let limit = rounded(limit_bytes);
        let refused = |_| Error::Memory { bytes: limit };
        let len = usize::try_from(limit).map_err(|_| Error::Memory { bytes: limit })?;
        let mut map =
            memmap2::MmapOptions::new().len(len).no_reserve_swap().map_anon().map_err(refused)?;
        let start = NonNull::new(map.as_mut_ptr()).ok_or(Error::Memory { bytes: limit })?;
        // Half of what a random access costs is the walk through the page tables. A file has no say:
        // a huge page of it would be written to the disk whole.
        let _ = map.advise(memmap2::Advice::HugePage);
        let backing = Backing::Anonymous { _map: map.into() };
        let region = Region::over(start, limit, backing);
        header::format(&region, limit);
        Ok(region)
    }

    /// A block of the heap of `bytes`, for tests and tools that know no mapped memory.
    ///
    /// # Errors
    /// [`Error::Memory`] when there is none.
    pub fn heap(bytes: u64) -> Result<Region, Error> {
        let limit = rounded(bytes);
        let refused = Error::Memory { bytes: limit };
        let Some(layout) = usize::try_from(limit)
            .ok()
            .and_then(|len| Layout::from_size_align(len, HEAP_ALIGN).ok())
        else {
            return Err(refused);
        };
        // SAFETY: the layout's size is at least `REGION_MIN`, so not zero.
        let start = unsafe { alloc::alloc_zeroed(layout) };
        let start = NonNull::new(start).ok_or(refused)?;
        let region = Region::over(start, limit, Backing::Heap { layout });
        header::format(&region, limit);
        Ok(region)
    }

    fn over(start: NonNull<u8>, limit: u64, backing: Backing) -> Region {
        Region { start, limit, end: limit, seen: AtomicU64::new(0), backing }
    }

    /// The most bytes this region can ever have.
    #[must_use]
    pub fn limit_bytes(&self) -> u64 {
        self.limit
    }

    /// The region file; `None` for memory of this process alone.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.backing {
            Backing::File { path, .. } => Some(path),
            Backing::Anonymous { .. } | Backing::Heap { .. } => None,
        }
    }

    /// The open file, whose locks say which attachments live.
    pub(crate) fn file(&self) -> Option<&File> {
        match &self.backing {
            Backing::File { file, .. } => Some(file),
            Backing::Anonymous { .. } | Backing::Heap { .. } => None,
        }
    }

    /// How many bytes have room behind them; only grows.
    #[inline]
    pub(crate) fn allocated(&self) -> u64 {
        // SAFETY: page 0 is always there.
        unsafe { self.word_unchecked(page::ALLOCATED) }.load(Ordering::Acquire).min(self.end)
    }

    /// Whether the byte at `at` has room behind it.
    #[inline]
    pub(crate) fn has(&self, at: u64) -> bool {
        // Acquire and release: as if the one who looked had told the others.
        at < self.seen.load(Ordering::Acquire) || self.has_grown_beyond(at)
    }

    #[cold]
    fn has_grown_beyond(&self, at: u64) -> bool {
        let allocated = self.allocated();
        self.seen.fetch_max(allocated, Ordering::Release);
        at < allocated
    }

    /// Looks how long the file is by now, of one that is only read.
    pub(crate) fn remeasure(&mut self) -> Result<(), Error> {
        if let Backing::File { file, path, .. } = &self.backing
            && self.end < self.limit
        {
            self.end = file::length(file, path)?.min(self.limit);
        }
        Ok(())
    }

    /// Makes sure that `end` bytes are allocated.
    pub(crate) fn grow_to(&self, end: u64) -> Result<(), Error> {
        let allocated = self.allocated();
        if end <= allocated {
            return Ok(());
        }
        if end > self.limit {
            return Err(Error::RegionFull {
                wanted_bytes: end - allocated,
                limit_bytes: self.limit,
            });
        }
        let step = (allocated / 2).clamp(EXTENT_MIN, EXTENT_MAX);
        let roomy = end.max(allocated + step).next_multiple_of(CHUNK).min(self.limit);
        if let Backing::File { file, path, .. } = &self.backing {
            // A disk that cannot take the whole step may still take what is needed now.
            let taken = file::allocate(file, path, allocated, roomy).map(|()| roomy);
            let end = taken.or_else(|_| {
                let exact = end.next_multiple_of(CHUNK);
                file::allocate(file, path, allocated, exact).map(|()| exact)
            })?;
            self.word(page::ALLOCATED).fetch_max(end, Ordering::AcqRel);
        } else {
            self.word(page::ALLOCATED).fetch_max(roomy, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Writes every change of the first `bytes` bytes to the disk and waits for it. Nothing to do
    /// for memory.
    pub(crate) fn flush(&self, bytes: u64) -> Result<(), Error> {
        if let Backing::File { path, map, .. } = &self.backing {
            #[cfg(all(test, not(loom)))]
            disk::ask(path, "write the region to the disk")?;
            map.flush_range(0, bytes.min(self.allocated()) as usize).map_err(|source| {
                Error::Io { path: path.clone(), doing: "write the region to the disk", source }
            })?;
            #[cfg(all(test, not(loom)))]
            disk::note(path);
        }
        Ok(())
    }

    /// One word of metadata.
    ///
    /// # Panics
    /// When `at` is no word of the reserved address space: callers derive it from constants or from
    /// what they checked against `allocated`.
    #[inline]
    pub(crate) fn word(&self, at: u64) -> &AtomicU64 {
        match self.atomics(at, 1) {
            [word] => word,
            _ => unreachable!("a loom model brings its own words"),
        }
    }

    /// One word of metadata, unchecked.
    ///
    /// # Safety
    /// `at` is a multiple of eight, and below what is allocated by at least as much.
    #[inline]
    pub(crate) unsafe fn word_unchecked(&self, at: u64) -> &AtomicU64 {
        debug_assert!(at.is_multiple_of(8) && at + 8 <= self.limit);
        // SAFETY: as in `atomics`, in bounds as the caller promised.
        unsafe {
            match sync::shared_words(self.start.as_ptr().add(at as usize).cast(), 1) {
                [word] => word,
                _ => unreachable!("a loom model brings its own words"),
            }
        }
    }

    /// `count` words of metadata, or of a block that is only ever accessed atomically.
    ///
    /// # Panics
    /// As [`Region::word`].
    #[inline]
    pub(crate) fn atomics(&self, at: u64, count: usize) -> &[AtomicU64] {
        let end = at.saturating_add(count as u64 * 8);
        assert!(at.is_multiple_of(8) && end <= self.limit, "{at:#x} is outside the region");
        // SAFETY: in bounds of the mapping and aligned, by the assertion and because the region
        // begins at a page; the mapping lives as long as `self`. Metadata is only ever accessed
        // atomically (4); of a block the callers promise it (`Shared`).
        unsafe { sync::shared_words(self.start.as_ptr().add(at as usize).cast(), count) }
    }

    /// Asks the processor to fetch the line at `at`, which it may as well ignore.
    #[inline]
    pub(crate) fn prefetch(&self, at: u64) {
        #[cfg(all(target_arch = "x86_64", not(any(miri, loom))))]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let line = self.start.as_ptr().wrapping_add(at as usize).cast::<i8>();
            // SAFETY: a prefetch accesses nothing, whatever the address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line) };
        }
        #[cfg(not(all(target_arch = "x86_64", not(any(miri, loom)))))]
        let _ = at;
    }

    /// The content of a block, for reading.
    ///
    /// # Safety
    /// The bytes `at..at + words * 8` are allocated (2), belong to one block, and nobody writes
    /// that block while the slice lives.
    #[inline]
    pub(crate) unsafe fn block(&self, at: u64, words: usize) -> &[u64] {
        debug_assert!(at.is_multiple_of(8) && at + words as u64 * 8 <= self.limit);
        // SAFETY: in bounds and aligned as a block is, unchanging as the caller promised; every bit
        // pattern is a u64, and mapped memory is initialised (zero).
        unsafe {
            let start = self.start.as_ptr().add(at as usize).cast::<u64>();
            std::slice::from_raw_parts(start, words)
        }
    }

    /// The content of a block, for writing.
    ///
    /// # Safety
    /// As [`Region::block`], and nobody but the caller accesses the block at all while the slice
    /// lives.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "the caller promises that the block is its own")]
    pub(crate) unsafe fn block_mut(&self, at: u64, words: usize) -> &mut [u64] {
        debug_assert!(at.is_multiple_of(8) && at + words as u64 * 8 <= self.limit);
        // SAFETY: as in `block`, and unaliased as the caller promised.
        unsafe {
            let start = self.start.as_ptr().add(at as usize).cast::<u64>();
            std::slice::from_raw_parts_mut(start, words)
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if let Backing::Heap { layout } = self.backing {
            // SAFETY: allocated in `Region::heap` with this layout, and nothing borrows it any more.
            unsafe { alloc::dealloc(self.start.as_ptr(), layout) };
        }
    }
}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &self.backing {
            Backing::File { .. } => "file",
            Backing::Anonymous { .. } => "anonymous",
            Backing::Heap { .. } => "heap",
        };
        f.debug_struct("Region")
            .field("kind", &kind)
            .field("path", &self.path())
            .field("limit_bytes", &self.limit)
            .finish_non_exhaustive()
    }
}

fn rounded(limit_bytes: u64) -> u64 {
    limit_bytes.clamp(REGION_MIN, layout::LIMIT_MAX) / CHUNK * CHUNK
}

#[cfg(all(test, not(loom)))]
pub(crate) mod disk;
#[cfg(all(test, not(loom)))]
pub(crate) mod power;
#[cfg(all(test, not(loom)))]
pub(crate) mod tests;
