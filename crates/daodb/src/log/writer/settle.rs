//! What to do where the log ends otherwise than behind a whole frame, or earlier than it did.
//!
//! | what fails or lacks | what is done |
//! | --- | --- |
//! | was never durable | cut off, a copy kept: a torn tail |
//! | was durable, and the region has the frames | cut off, a copy kept: they are written again |
//! | was durable | refused, and nothing is changed |
//! | was durable, and the loss is accepted | set aside; the log goes on in front of it |
//!
//! 1. What was durable is told by the file beside the segments, by the region's mark, by what the
//!    region gave up, and by segments that follow: each is at most the truth, so the greatest counts.
//! 2. With neither file nor mark, whole frames behind the place tell that it was durable too: then a
//!    group that a power cut tore in its middle is refused as well.
//! 3. Nothing is removed before its copy is on the disk under a name of its own.
//! 4. The file is taken back last, and synced: who is interrupted before is asked again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::Lead;
use crate::error::{LogError, WorldError};
use crate::log::segment::{self, Bad, Item, Reader};
use crate::log::source::{self, Kept};
use crate::log::survey::{self, Whole};
use crate::log::{Holding, Link, Position};
use crate::log::{cold, seal};

/// What was cut off the end of the log because it was no whole frame and had never been durable, or
/// because the region has it. The bytes are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Torn {
    /// The segment that lost its tail.
    pub segment: PathBuf,
    /// Where it was cut.
    pub at: u64,
    /// How many bytes were cut off.
    pub bytes: u64,
    /// What was wrong with them.
    pub what: String,
    /// Where the bytes are now, as evidence.
    pub kept: PathBuf,
    /// The last transaction before the cut.
    pub good_through: u64,
}

/// Transactions that were durable once and are not in the log any more, which was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lost {
    /// The last transaction that could be had.
    pub good_through: u64,
    /// The last one that is known to have been durable.
    pub durable_through: u64,
    /// What was wrong, and where.
    pub what: String,
    /// What was set aside, as evidence: empty when nothing but the absence is left.
    pub kept: Vec<PathBuf>,
}

impl Lost {
    pub(super) fn other_history(good_through: u64, t: u64) -> Self {
        let what = format!("another transaction {t} was durable than the log holds");
        Self { good_through, durable_through: t, what, kept: Vec::new() }
    }
}

/// How far whoever takes the lease may go.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trust {
    /// Nobody else has the world open: what the region has now, it will have.
    pub(crate) alone: bool,
    /// What was durable may be given up.
    pub(crate) accept_loss: bool,
}

/// What was done about the end of the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ending {
    pub(crate) torn: Option<Torn>,
    pub(crate) lost: Option<Lost>,
    /// The region has frames that were durable and are not in the log any more.
    pub(crate) rewrite: bool,
}

/// What stands, or stood, behind the last frame that can be read.
struct Rest {
    bad: Option<Bad>,
    /// Whole frames behind it, in the same segment.
    whole: Option<Whole>,
    /// Segments behind it.
    later: Vec<u64>,
    /// The last transaction that was durable.
    durable_t: u64,
    /// The last one that can be had, from the log or from the region.
    had_t: u64,
}

impl Rest {
    fn is_loss(&self) -> bool {
        self.durable_t > self.had_t || !self.later.is_empty()
    }
}

impl Lead<'_> {
    /// Decides about the end that was found. `whole`: the log was read from its beginning.
    pub(super) fn settle(&mut self, bad: Option<Bad>, whole: bool) -> Result<Ending, LogError> {
        if bad.is_none() && !whole && self.position.end.t >= self.told_t() {
            return Ok(Ending::default());
        }
        let rest = self.survey(bad)?;
        if rest.is_loss() {
            return match self.trust.accept_loss {
                true => self.give_up(rest),
                false => Err(self.refusal(rest)),
            };
        }
        let rewrite = rest.durable_t > self.position.end.t;
        let Some(mut bad) = rest.bad else { return Ok(Ending { rewrite, ..Ending::default() }) };
        if let Some(Whole { first_t, last_t, .. }) = rest.whole {
            bad.what += &format!("; whole ones up to {last_t}, from {first_t} on, stand behind it");
        }
        if rewrite {
            bad.what += "; the region has them, and they are written again";
        }
        let torn = Some(self.cut(bad, "torn")?);
        Ok(Ending { torn, lost: None, rewrite })
    }

    /// The last transaction that somebody was told is durable.
    pub(super) fn told_t(&self) -> u64 {
        let told = [self.durable, self.marked].into_iter().flatten();
        told.map(|position| position.end.t).max().unwrap_or(0)
    }

    /// Looks at everything that tells what is behind the last frame. Changes nothing.
    fn survey(&self, bad: Option<Bad>) -> Result<Rest, LogError> {
        let end = self.position.end;
        let folder = &self.writer.folder;
        let later = segment::list_after(folder, self.position.segment)?;
        // Behind a damage of compressed bytes nothing is whole.
        let whole = match &bad {
            Some(bad) if self.kept()?.is_some_and(|(kept, _)| kept == Kept::Plain) => {
                survey::whole_frames(&self.segment_path(), bad.at, end.t)?
            }
            _ => None,
        };
        let by_file = self.durable.map(|durable| durable.end);
        let mut by_region = self.marked.map(|marked| marked.end.t);
        let mut had_t = end.t;
        // A region that cannot be read has nothing.
        match self.mark.holding(end, by_file) {
            Ok(Holding::Frames { through }) if self.trust.alone => had_t = through,
            Ok(Holding::Frames { .. }) | Err(_) => {}
            Ok(Holding::GivenUp { floor }) => by_region = by_region.max(Some(floor)),
            // What it says of the log, it says of another.
            Ok(Holding::OtherHistory) => by_region = None,
        }
        let told = by_region.max(by_file.map(|end| end.t));
        let told = told.or_else(|| whole.map(|whole| whole.last_t));
        // A segment is begun when everything in front of it is durable.
        let by_later = later.last().map(|first_t| first_t - 1);
        let durable_t = told.max(by_later).unwrap_or(0);
        Ok(Rest { bad, whole, later, durable_t, had_t })
    }

    fn refusal(&self, rest: Rest) -> LogError {
        let end = self.position.end;
        let Some(bad) = rest.bad else {
            let path = self.writer.folder.clone();
            return LogError::Short { path, log_t: end.t, state_t: rest.durable_t };
        };
        let lost = lost(end.t, rest.durable_t, rest.whole, rest.later.first().copied());
        let path = self.segment_path();
        LogError::Damaged { path, at: bad.at, what: bad.what, good_through: end.t, lost }
    }

    /// Sets aside what cannot be read, and takes back how far the log is said to be durable.
    fn give_up(&mut self, rest: Rest) -> Result<Ending, LogError> {
        let Rest { bad, later, durable_t, had_t, .. } = rest;
        let mut kept = Vec::new();
        // The last first: what is left in between is a log with one end at any time.
        for &first_t in later.iter().rev() {
            kept.push(self.set_segment_aside(first_t)?);
        }
        let mut what = "the log ends there".to_owned();
        if let Some(bad) = bad {
            let cut = self.cut(bad, "lost")?;
            what = format!("{} is damaged at byte {}: {}", cut.segment.display(), cut.at, cut.what);
            kept.push(cut.kept);
        }
        kept.reverse();
        let path = self.tail.durable.path();
        let failed = |source| WorldError::io(&path, "take back how far the log is durable", source);
        self.tail.durable.replace(&self.position).map_err(failed)?;
        self.durable = Some(self.position);
        let lost = Lost { good_through: had_t, durable_through: durable_t, what, kept };
        Ok(Ending { torn: None, lost: Some(lost), rewrite: had_t > self.position.end.t })
    }

    /// The segment at hand ends earlier than what was durable in it.
    pub(super) fn shrunk(&self, bytes: u64) -> Result<LogError, LogError> {
        let Position { segment, end: durable, .. } = self.position;
        let (mut at, mut good_through) = (0, segment.saturating_sub(1));
        if let Ok(mut reader) = Reader::open_any(&self.writer.folder, segment)? {
            while let Item::Frame(frame) = reader.next()? {
                good_through = frame.t;
            }
            at = reader.at();
        }
        let what = format!("{bytes} bytes are gone from its end");
        let lost = lost(good_through, durable.t, None, None);
        Ok(LogError::Damaged { path: self.segment_path(), at, what, good_through, lost })
    }

    /// Refuses a frame that stands where another was durable.
    pub(super) fn recognise(&mut self, frame: Link) -> Result<(), LogError> {
        let Some(durable) = self.durable.filter(|durable| durable.end.t == frame.t) else {
            return Ok(());
        };
        if durable.end.hash == frame.hash {
            return Ok(());
        }
        if self.trust.accept_loss {
            self.durable = None;
            self.estranged = Some(frame.t);
            return Ok(());
        }
        Err(LogError::Damaged {
            path: self.tail.durable.path(),
            at: 0,
            what: format!(
                "it says that another transaction {} was durable than the log holds, so the two \
                 are of different histories",
                frame.t
            ),
            good_through: frame.t,
            lost: format!("the other {} and what it builds on are not, from this copy", frame.t),
        })
    }

    fn segment_path(&self) -> PathBuf {
        let plain = || segment::path(&self.writer.folder, self.position.segment);
        self.kept().ok().flatten().map_or_else(plain, |(_, path)| path)
    }

    fn kept(&self) -> Result<Option<(Kept, PathBuf)>, WorldError> {
        source::find(&self.writer.folder, self.position.segment)
    }

    /// Cuts the segment at hand at its first bad byte. The bytes are copied aside first.
    fn cut(&mut self, bad: Bad, why: &str) -> Result<Torn, LogError> {
        let good_through = self.position.end.t;
        let path = self.segment_path();
        let failed = |source| WorldError::io(&path, "cut the end of the log off", source);
        let name = format!("{why}-after-{good_through}-at-{}", bad.at);
        let kept = self.free_name(&name).map_err(failed)?;
        if self.kept()?.is_some_and(|(kept, _)| kept != Kept::Plain) {
            return self.unseal(bad, kept);
        }
        let bytes = copy_tail(&path, bad.at, &kept).map_err(failed)?;
        self.sync_folder()?;
        if let Some(file) = self.open()? {
            file.set_len(bad.at).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        self.position.offset = bad.at;
        if bad.at == 0 {
            // Not even the header is whole: the file goes, and its name is free for the next.
            fs::remove_file(&path).map_err(failed)?;
            self.sync_folder()?;
            self.tail.segment = None;
            self.position.segment = 0;
        }
        Ok(Torn { segment: path, at: bad.at, bytes, what: bad.what, kept, good_through })
    }

    /// As [`Lead::cut`], of a segment that is sealed: its readable beginning is a plain one again.
    fn unseal(&mut self, bad: Bad, kept: PathBuf) -> Result<Torn, LogError> {
        let (folder, first_t) = (&self.writer.folder, self.position.segment);
        let segment = self.segment_path();
        let failed = |source| WorldError::io(&segment, "put a sealed segment aside", source);
        let sealed = segment::path_as(folder, first_t, seal::SUFFIX);
        if segment != sealed {
            fs::copy(&segment, &sealed).map_err(failed)?;
            cold::forget_from(folder, first_t)?;
        }
        let bytes = fs::metadata(&sealed).map_err(failed)?.len();
        seal::unseal(folder, first_t, bad.at, &kept).map_err(failed)?;
        self.position.offset = bad.at;
        if bad.at == 0 {
            self.position.segment = 0;
        }
        let good_through = self.position.end.t;
        Ok(Torn { segment, at: bad.at, bytes, what: bad.what, kept, good_through })
    }

    fn set_segment_aside(&mut self, first_t: u64) -> Result<PathBuf, LogError> {
        let folder = &self.writer.folder;
        let path = match source::find(folder, first_t)? {
            // Its file stays where it is, and nothing names it any more.
            Some((Kept::Cold, path)) => {
                cold::forget_from(folder, first_t)?;
                return Ok(path);
            }
            Some((_, path)) => path,
            None => segment::path(folder, first_t),
        };
        let failed = |source| WorldError::io(&path, "set a segment of the log aside", source);
        let name = format!("lost-after-{}-segment-{first_t}", self.position.end.t);
        let kept = self.free_name(&name).map_err(failed)?;
        fs::rename(&path, &kept).map_err(failed)?;
        self.sync_folder()?;
        Ok(kept)
    }

    /// A path that nothing has yet: evidence is never written over.
    fn free_name(&self, name: &str) -> io::Result<PathBuf> {
        let mut path = self.writer.folder.join(format!("{name}.bytes"));
        let mut number = 2_u32;
        while path.try_exists()? {
            path = self.writer.folder.join(format!("{name}-{number}.bytes"));
            number += 1;
        }
        Ok(path)
    }

    fn sync_folder(&self) -> Result<(), LogError> {
        let folder = &self.writer.folder;
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|source| WorldError::io(folder, "sync the log's folder", source).into())
    }
}

/// What lies behind the last transaction that can be read, in words.
fn lost(good_through: u64, durable_t: u64, whole: Option<Whole>, later: Option<u64>) -> String {
    let first = good_through + 1;
    let next = whole.map(|whole| whole.first_t).or(later);
    let last = next.map_or(durable_t, |next| next - 1).max(first);
    let mut lost = match last == first {
        true => format!("{first} is lost from this copy"),
        false => format!("{first} to {last} are lost from this copy"),
    };
    if let Some(Whole { at, first_t, last_t, .. }) = whole {
        lost += &match first_t == last_t {
            true => format!("; {first_t} stands whole behind the damage, at byte {at}, but builds"),
            false => {
                format!(
                    "; {first_t} to {last_t} stand behind the damage, from byte {at} on, but build"
                )
            }
        };
        lost += " on what is lost";
    }
    if let Some(later) = later {
        lost += &format!("; the segments from {later} on build on what is lost as well");
    }
    if durable_t > good_through {
        lost += &format!("; all up to {durable_t} were on the disk once");
    }
    lost
}

/// Copies a file's bytes from `at` on into a new file, and answers how many.
fn copy_tail(from: &Path, at: u64, to: &Path) -> io::Result<u64> {
    let mut source = File::open(from)?;
    source.seek(SeekFrom::Start(at))?;
    let mut target = OpenOptions::new().write(true).create_new(true).open(to)?;
    let bytes = io::copy(&mut source, &mut target)?;
    target.sync_all()?;
    Ok(bytes)
}
