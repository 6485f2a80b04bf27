//! Opening a world: finding the newest state, or making it again from the log.
//!
//! What is found decides:
//!
//! | region | state | log ends | what is done |
//! | --- | --- | --- | --- |
//! | none | | anywhere | made, and the whole log replayed |
//! | unreadable, or of another layout | | anywhere | put aside, made, and the whole log replayed |
//! | readable | before the log's end | | the rest of the log replayed |
//! | readable | at or after the log's end | | nothing: what is missing in the log is still in the region |
//! | readable | of another history | | put aside, made, and the whole log replayed |
//! | readable | has what is damaged or missing in the log | | written again, and kept what was damaged |
//!
//! A region that is well is made again all the same if [`Options::rebuild`] asks for it.
//!
//! 1. A killed process loses nothing: the kernel keeps the region's pages, and what it committed is
//!    drained by whoever comes next.
//! 2. After a power cut the region is that of its last checkpoint, or empty; the log has the rest.
//! 3. Only a process that is alone repairs. One that is not finds a state that others work on.
//! 4. A log that lost what was durable is refused, and the folder is as it was before, unless the
//!    loss is accepted: then the log goes on behind the last frame that can be had, and a region
//!    that is ahead of that is put aside and made again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eve::{Region, Slab};

use crate::error::{Error, LogError, WorldError};
use crate::log::{Ending, Frames, Holding, Link, Lost, Mark, Torn, Trust, Writer};
use crate::options::{Options, Progress};
use crate::pending;
use crate::query::Budget;
use crate::record::Record;
use crate::store::Store;
use crate::trace::trace;
use crate::world::World;

/// How many datoms a rebuild applies at a time.
const BATCH_DATOMS: usize = 1 << 16;

/// What opening a world found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opening {
    /// There was no world, and one was made.
    pub created: bool,
    /// The region was made anew from the log, and why.
    pub rebuilt: Option<String>,
    /// Where the old region file was put.
    pub set_aside: Option<PathBuf>,
    /// How many transactions of the log were replayed.
    pub replayed: u64,
    /// What was cut off the end of the log without loss.
    pub torn: Option<Torn>,
    /// What is lost, which [`Options::accept_loss`] accepted.
    pub lost: Option<Lost>,
}

/// Opens the world: its store, its log, and what was done.
pub(crate) fn open(world: &World, options: &Options) -> Result<(Store, Writer, Opening), Error> {
    let gate = world.open()?;
    let writer = Writer::open(&world.log(), options.segment_bytes_max)?;
    let mut opening = Opening::default();
    if !gate.alone {
        if options.rebuild {
            let (path, why) = (world.folder().to_path_buf(), "it was asked for".into());
            return Err(WorldError::Busy { path, why }.into());
        }
        let slab = Slab::open(Region::open(world.region())?)?;
        let store = Store::new(slab, Some(&writer), budget(options))?;
        return Ok((store, writer, opening));
    }
    let store = match find(world, &writer, options, &mut opening) {
        Ok(store) if options.rebuild && opening.rebuilt.is_none() && !opening.created => {
            rebuild(world, &writer, store, options, &mut opening)?
        }
        Ok(store) => store,
        Err(Unusable::Region(why)) => {
            let aside = world.set_region_aside()?;
            let store = fresh(world, &writer, options, &mut opening).inspect_err(|_| {
                // The folder is left as it was; if it cannot be, the old region is not lost either.
                let _ = world.put_region_back(&aside);
            })?;
            opening.set_aside = Some(aside);
            opening.rebuilt = Some(why);
            store
        }
        Err(Unusable::World(error)) => return Err(error),
    };
    Ok((store, writer, opening))
}

/// Why a region does not do.
enum Unusable {
    /// It can be made again from the log.
    Region(String),
    /// Nothing can be done about it here.
    World(Error),
}

impl From<Error> for Unusable {
    fn from(error: Error) -> Self {
        match error {
            Error::Memory(error) => error.into(),
            Error::Corrupt { what } => Unusable::Region(what),
            other => Unusable::World(other),
        }
    }
}

impl From<eve::Error> for Unusable {
    fn from(error: eve::Error) -> Self {
        use eve::Error as Memory;
        match error {
            Memory::NotARegion { .. }
            | Memory::Version { .. }
            | Memory::Header { .. }
            | Memory::Corrupt { .. } => Unusable::Region(error.to_string()),
            other => Unusable::World(other.into()),
        }
    }
}

/// A new region with everything that the log has. It is gone again if that fails.
fn fresh(
    world: &World,
    writer: &Writer,
    options: &Options,
    opening: &mut Opening,
) -> Result<Store, Error> {
    let store = make(world, writer, options)?;
    let error = match catch_up(&store, writer, options, opening) {
        Ok(()) => return Ok(store),
        Err(Unusable::World(error)) => error,
        Err(Unusable::Region(why)) => Error::corrupt(why),
    };
    drop(store);
    // What is left of it if this fails is a region that says nothing.
    let _ = std::fs::remove_file(world.region());
    Err(error)
}

fn budget(options: &Options) -> Arc<Budget> {
    Budget::new(options.column_bytes_max)
}

/// The region made again, though nothing is wrong with it.
fn rebuild(
    world: &World,
    writer: &Writer,
    store: Store,
    options: &Options,
    opening: &mut Opening,
) -> Result<Store, Error> {
    let (mut lead, _) = writer.lead(&store)?;
    let behind = frames_behind(&store, lead.end()).map_err(|error| match error {
        Unusable::World(error) => error,
        Unusable::Region(what) => Error::corrupt(what),
    })?;
    lead.append(&behind)?;
    drop(lead);
    drop(store);
    let aside = world.set_region_aside()?;
    let store = fresh(world, writer, options, opening).inspect_err(|_| {
        // As above: the old region is there under one name or the other.
        let _ = world.put_region_back(&aside);
    })?;
    let removed = std::fs::remove_file(&aside);
    removed.map_err(|source| WorldError::io(&aside, "remove the old region", source))?;
    opening.rebuilt = Some("it was asked for".into());
    Ok(store)
}

fn make(world: &World, writer: &Writer, options: &Options) -> Result<Store, Error> {
    let limit = eve::Options { limit_bytes: options.region_bytes_max, ..eve::Options::default() };
    let slab = Slab::create(Region::create(world.region(), &limit)?)?;
    let store = Store::new(slab, Some(writer), budget(options))?;
    world.sync_folder()?;
    Ok(store)
}

/// The region as it is, brought up to the end of the log.
fn find(
    world: &World,
    writer: &Writer,
    options: &Options,
    opening: &mut Opening,
) -> Result<Store, Unusable> {
    let path = world.region();
    let there = path.try_exists();
    let there = there.map_err(|source| Error::from(WorldError::io(&path, "look for", source)))?;
    if !there {
        let store = fresh(world, writer, options, opening).map_err(Unusable::World)?;
        opening.created = opening.replayed == 0 && opening.lost.is_none();
        opening.rebuilt = (!opening.created).then(|| "the region file was missing".into());
        return Ok(store);
    }
    let store =
        Store::new(Slab::open_with(Region::open(&path)?, trace)?, Some(writer), budget(options))?;
    // The state must be readable before anything else is decided.
    store.db()?;
    catch_up(&store, writer, options, opening)?;
    Ok(store)
}

/// Replays what the log has and the state has not.
fn catch_up(
    store: &Store,
    writer: &Writer,
    options: &Options,
    opening: &mut Opening,
) -> Result<(), Unusable> {
    let trust = Trust { alone: true, accept_loss: options.accept_loss };
    let (mut lead, Ending { torn, lost, rewrite }) = match writer.lead(store) {
        // The mark may be of another time than the log, and the region may have what the log lacks.
        Err(LogError::Damaged { .. } | LogError::Short { .. }) => writer.lead_whole(store, trust),
        found => found,
    }
    .map_err(Error::from)?;
    if rewrite {
        lead.append(&frames_behind(store, lead.end())?).map_err(Error::from)?;
    }
    let end = lead.end();
    opening.torn = torn.or(opening.torn.take());
    opening.lost = lost.or(opening.lost.take());
    drop(lead);
    check_history(store, writer.folder(), end, options)?;
    let snapshot = store.slab().snapshot()?;
    let mut t = Record::read(&snapshot, snapshot.root())?.t;
    drop(snapshot);
    if t >= end.t {
        return Ok(());
    }
    let (from, total) = (t, end.t - t);
    let mut frames = Frames::new(writer.folder(), t + 1, end.t);
    while t < end.t {
        t = store.replay(&mut frames, BATCH_DATOMS)?;
        if let Some(progress) = &options.progress {
            progress(Progress { done: t - from, total });
        }
    }
    opening.replayed = total;
    Ok(())
}

/// The frames that the state has and the log has not.
fn frames_behind(store: &Store, end: Link) -> Result<Vec<Vec<u8>>, Unusable> {
    let snapshot = store.slab().snapshot()?;
    let record = Record::read(&snapshot, snapshot.root())?;
    let frames = pending::list(&snapshot, &record, end.t)?;
    Ok(frames.iter().map(|frame| frame.bytes.to_vec()).collect())
}

/// Whether log and state are of one history.
fn check_history(store: &Store, log: &Path, end: Link, options: &Options) -> Result<(), Unusable> {
    let snapshot = store.slab().snapshot()?;
    let record = Record::read(&snapshot, snapshot.root())?;
    let other = || Unusable::Region("the region is of another history than the log".into());
    if record.t <= end.t {
        // Where the state stands in the log: the frame behind it must name its hash.
        let hash = match record.t {
            t if t == end.t => end.hash,
            t => match Frames::new(log, t + 1, t + 1).next() {
                Some(frame) => frame.map_err(Error::from)?.previous,
                None => return Err(other()),
            },
        };
        return if hash == record.hash { Ok(()) } else { Err(other()) };
    }
    match store.holding(end, None)? {
        Holding::Frames { .. } => Ok(()),
        Holding::OtherHistory => Err(other()),
        Holding::GivenUp { .. } if options.accept_loss => Err(Unusable::Region(format!(
            "the region is at transaction {}, and the log lost some in front of that",
            record.t
        ))),
        // The log is short, and what the region still has must not be thrown away.
        Holding::GivenUp { floor } => {
            let path = log.to_path_buf();
            Err(Error::from(LogError::Short { path, log_t: end.t, state_t: floor }).into())
        }
    }
}
