//! The log: every transaction, in order, in files that outlive the shared memory.
//!
//! 1. Frames are appended in the order of `t`, without gaps, each naming the hash of the one before.
//! 2. Only the holder of the lease appends: a kernel lock on `lease`, which dies with its process.
//!    Whoever takes it looks first how far the log got in the meantime.
//! 3. A frame is durable when the file that holds it was synced after it was written, and only then
//!    does `durable_t` reach it. A segment is begun only when the one before is synced.
//! 4. After a write that could not be undone, or a failed sync, nobody knows what is on disk: the
//!    handle refuses further writes.
//! 5. A reader is only ever told of durable frames.
//! 6. A segment that another one follows may be sealed (compressed) and moved to a cold folder, by
//!    anybody at any time: whoever reads finds it.
//! 7. Only what was never told of can be torn. How far that was told is written down beside the
//!    segments; what fails in front of it is damage: it is refused and nothing is changed, unless
//!    the region still has the frames or somebody accepts the loss.

pub(crate) mod cold;
pub(crate) mod durable;
mod fault;
pub(crate) mod places;
pub(crate) mod seal;
pub(crate) mod segment;
pub(crate) mod source;
mod survey;
mod writer;

use std::path::{Path, PathBuf};

use datom::Frame;

use crate::error::{Error, LogError, WorldError};
use places::{APART_BYTES, Place, Places};
use segment::{Item, Reader};
pub(crate) use writer::{Ending, Lead, Trust, Writer};
pub use writer::{Lost, Torn};

/// A place in the log: behind this frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) t: u64,
    pub(crate) hash: [u8; 32],
}

impl Link {
    /// In front of the first frame.
    pub(crate) const START: Link = Link { t: 0, hash: [0; 32] };
}

/// Where the log ends, as far as it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The first `t` of the segment; 0 when there is none yet.
    pub(crate) segment: u64,
    /// Bytes of the segment, up to the end of the last frame.
    pub(crate) offset: u64,
    /// The last frame.
    pub(crate) end: Link,
}

impl Position {
    /// In front of the first segment.
    pub(crate) const START: Position = Position { segment: 0, offset: 0, end: Link::START };
}

/// Where the position is kept for all processes: moved only by the holder of the lease, only
/// forward, and only after what it passes was synced. So it may be behind, never ahead.
pub(crate) trait Mark {
    /// The position, unless it was being written when its writer died.
    fn load(&self) -> Option<Position>;
    /// Nothing counts as durable any more, until the next [`Mark::store`].
    fn forget(&self);
    fn store(&self, position: &Position);
    /// The lease was given back: wakes who waits for it.
    fn given_back(&self);
    /// What the state has behind `end`. `promised` is a frame that was durable once: a state with
    /// another at its place is of another history.
    fn holding(&self, end: Link, promised: Option<Link>) -> Result<Holding, Error>;
}

/// What a state has of the log's frames behind some frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holding {
    /// All of them up to this one, which may be that frame itself.
    Frames { through: u64 },
    /// It gave some up when they were durable, up to this one.
    GivenUp { floor: u64 },
    /// Frames that do not go on there.
    OtherHistory,
}

/// Frames of the log from some `t` up to another, both included.
pub(crate) struct Frames {
    folder: PathBuf,
    reader: Option<Reader>,
    /// What is known of where frames stand, and the first `t` of the segment that is read.
    places: Places,
    segment: u64,
    /// Where in the segment the last place was noted.
    noted: u64,
    /// Frames before this one are skipped.
    from: u64,
    /// The last one to be given.
    to: u64,
    ended: bool,
}

impl Frames {
    pub(crate) fn new(folder: &Path, from: u64, to: u64) -> Self {
        Self {
            folder: folder.to_path_buf(),
            reader: None,
            places: Places::default(),
            segment: 0,
            noted: 0,
            from: from.max(1),
            to,
            ended: from.max(1) > to,
        }
    }

    /// Begins to read at a place that is known, and makes others known.
    pub(crate) fn with_places(self, places: &Places) -> Self {
        Self { places: places.clone(), ..self }
    }

    fn step(&mut self) -> Result<Option<Frame>, LogError> {
        loop {
            let Some(reader) = &mut self.reader else {
                self.reader = Some(self.first()?);
                continue;
            };
            if reader.at() >= self.noted + APART_BYTES {
                let (segment, at, link) = (self.segment, reader.at(), reader.link());
                self.places.note(Place { segment, at, link });
                self.noted = at;
            }
            match reader.next()? {
                Item::Frame(frame) if frame.t < self.from => {}
                Item::Frame(frame) => {
                    self.ended = frame.t >= self.to;
                    return Ok(Some(*frame));
                }
                Item::End => {
                    let link = reader.link();
                    let opened = self.open_next(link)?;
                    self.reader = Some(opened);
                    (self.segment, self.noted) = (link.t + 1, 0);
                }
                Item::Bad(bad) => {
                    let (path, t) = (reader.path().to_path_buf(), reader.link().t);
                    return Err(self.damaged(path, bad, t));
                }
            }
        }
    }

    fn first(&mut self) -> Result<Reader, LogError> {
        let first_t = segment::last_up_to(&self.folder, self.from)?;
        let Some(first_t) = first_t else { return Err(self.short(0)) };
        self.segment = first_t;
        if let Some(Place { segment, at, link }) = self.places.before(first_t, self.from)
            && let Ok(reader) = Reader::resume(&self.folder, segment, at, link)?
        {
            self.noted = at;
            return Ok(reader);
        }
        let opened = Reader::open_any(&self.folder, first_t)?;
        opened.map_err(|bad| self.damaged(segment::path(&self.folder, first_t), bad, first_t - 1))
    }

    fn open_next(&self, link: Link) -> Result<Reader, LogError> {
        let path = segment::path(&self.folder, link.t + 1);
        match Reader::open(&self.folder, link) {
            Ok(opened) => opened.map_err(|bad| self.damaged(path, bad, link.t)),
            Err(WorldError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Err(self.short(link.t))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn short(&self, log_t: u64) -> LogError {
        LogError::Short { path: self.folder.clone(), log_t, state_t: self.to }
    }

    fn damaged(&self, path: PathBuf, bad: segment::Bad, good_through: u64) -> LogError {
        let lost = format!("{} to {} are not, from this copy", good_through + 1, self.to);
        LogError::Damaged { path, at: bad.at, what: bad.what, good_through, lost }
    }
}

impl Iterator for Frames {
    type Item = Result<Frame, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.step().transpose();
        self.ended |= !matches!(item, Some(Ok(_)));
        item
    }
}
