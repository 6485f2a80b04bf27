//! Checkpoints: what is safely on the disk, and going back to it.
//!
//! 1. A record counts only when it and everything its version can reach was flushed: first that and
//!    then the record, or both at once where the record can tell that its blocks got there (`record`, 2).
//! 2. While a record counts, its version is pinned, so nothing that it can reach is overwritten.
//! 3. Of two records the older one is overwritten, when the newer one is known to be on the disk: that
//!    counts until the new one does.
//! 4. The disk says that a region is in order only while all of it is there: that is taken back, on
//!    the disk, before the first change, and said again after the last one got there.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering as StdOrdering;

use crate::attachment::lock;
use crate::blocks::{Blocks, clear_above_high_water};
use crate::epoch::{RootWord, write_cell};
use crate::header::check;
use crate::layout::{CHUNK, LANE_STRIDE, LANES, SLOT_STRIDE, SLOTS, lane_at, page, slot_at};
use crate::lease::Lease;
use crate::record::{Checkpoint, Vouched};
use crate::slab::Inner;
use crate::sync::{Ordering, fence};
use crate::{Addr, Error, Region, Slab, offer};

const PAGE: u64 = 4096;

impl Slab {
    /// Makes the newest version safe on the disk and returns its number. Waits for the disk; others
    /// go on reading and committing. Memory that is no file has no disk: nothing happens.
    ///
    /// # Errors
    /// [`Error::Io`] when the disk refuses; then the older checkpoint stays, and this handle
    /// refuses further ones: what the system still holds of the failed write is unknown.
    pub fn sync(&self) -> Result<u64, Error> {
        write(&self.inner, u64::MAX)
    }
}

/// Writes a checkpoint of the newest version, unless there is one of it or of epoch `enough`, or of a
/// later one, when its turn has come. Returns the epoch that is safe.
pub(crate) fn write(inner: &Inner, enough: u64) -> Result<u64, Error> {
    let attachment = &inner.attachment;
    let region = attachment.region();
    let Some(path) = region.path() else { return Ok(attachment.root().epoch()) };
    if inner.sync_failed.load(StdOrdering::Relaxed) {
        return Err(Error::SyncFailed { path: path.to_owned() });
    }
    let _one_at_a_time = lock(&inner.checkpointing);
    let locked = Lease::Checkpoint.take(region);
    locked.map_err(|source| no_lock(path, source))?;
    // Whoever had the turn before may have made safe what this one waits for.
    let saved = region.word(page::SAVED).load(Ordering::Acquire);
    lock(&inner.unsaved).forget_to(saved);
    let written = match saved >= enough {
        true => Ok(saved),
        false if inner.sync_failed.load(StdOrdering::Relaxed) => {
            Err(Error::SyncFailed { path: path.to_owned() })
        }
        false => write_newest(inner),
    };
    Lease::Checkpoint.give_back(region);
    written
}

pub(crate) fn no_lock(path: &Path, source: io::Error) -> Error {
    Error::Io { path: path.to_owned(), doing: "lock the file", source }
}

/// The caller holds the lock of checkpoints.
fn write_newest(inner: &Inner) -> Result<u64, Error> {
    let attachment = &inner.attachment;
    let region = attachment.region();
    attachment.pin().and_then(|(pin, word, root)| {
        let written = write_pinned(inner, word.epoch(), root);
        if written.is_ok() {
            offer::offer(region, word.epoch(), root);
        }
        // Whoever borrows the attachment has it kept, and other views have their own pins' counts.
        attachment.pins.leave_kept(region, pin);
        if written.is_err() {
            inner.sync_failed.store(true, StdOrdering::Relaxed);
        }
        written.map(|()| word.epoch())
    })
}

/// Says on the disk that the region is in use, before anything in it changes: a machine that stops
/// must not leave a page 0 that vouches for what came after it.
pub(crate) fn begin_use(region: &Region) -> Result<(), Error> {
    let clean = region.word(page::CLEAN);
    region.word(page::BOOT).store(boot_id(), Ordering::Release);
    if clean.swap(0, Ordering::AcqRel) == 1 {
        region.flush(PAGE)?;
    }
    Ok(())
}

/// Says that the region is in order, once all of it is on the disk. The caller holds the gate, has
/// written a checkpoint of the newest version, and nobody is attached.
pub(crate) fn end_use(blocks: &Blocks) {
    let region = blocks.region();
    if region.flush(u64::from(blocks.high_water().0) * CHUNK).is_ok() {
        region.word(page::CLEAN).store(1, Ordering::Release);
    }
}

fn write_pinned(inner: &Inner, epoch: u64, root: Addr) -> Result<(), Error> {
    let blocks = inner.blocks();
    let region = blocks.region();
    let high_water = u64::from(blocks.high_water().0);
    let saved = || region.word(page::SAVED).load(Ordering::Acquire);
    let counts = |which: usize, record: &Checkpoint| -> Result<(), Error> {
        let all = if record.vouched.is_empty() { PAGE } else { high_water * CHUNK };
        region.flush(all)?;
        region.word(page::SAVED).store(record.epoch, Ordering::Release);
        region.word(page::CHECKPOINT_PINS + (1 - which as u64) * 8).store(0, Ordering::Release);
        Ok(())
    };
    let newest = Checkpoint::newest(region);
    if let Some((which, newest)) = &newest
        && newest.epoch > saved()
    {
        // Whoever wrote it did not live to flush it. The disk may have it or not: both records would
        // have to be kept.
        counts(*which, newest)?;
    }
    if saved() >= epoch {
        return Ok(());
    }
    let allocated = region.allocated();
    // What the older record does not count on must be there before a record does.
    let same_room = newest.as_ref().is_some_and(|(_, newest)| {
        (newest.high_water, newest.allocated) == (high_water, allocated)
    });
    let unsaved = || lock(&inner.unsaved).blocks(saved(), epoch);
    let vouched = same_room.then(unsaved).flatten().and_then(|these| Vouched::of(blocks, these));
    if vouched.is_none() {
        region.flush(high_water * CHUNK)?;
    }
    let which = newest.map_or(0, |(which, _)| 1 - which);
    // From here on the record's own pin holds the version; the attachment's may end after it.
    region.word(page::CHECKPOINT_PINS + which as u64 * 8).store(epoch, Ordering::Release);
    let vouched = vouched.unwrap_or_default();
    let record = Checkpoint { epoch, root, high_water, allocated, vouched };
    record.store(region, which);
    counts(which, &record)
}

/// After the machine stopped: the newest checkpoint becomes the root, and nothing is left of what
/// processes were doing. The caller holds the gate, and nobody can be attached. Returns the epoch.
pub(crate) fn restore(blocks: &Blocks) -> Result<u64, Error> {
    let region = blocks.region();
    let (which, epoch, root, high_water) = match Checkpoint::newest_there(blocks) {
        Some((which, record)) => (which, record.epoch, record.root, record.high_water),
        None => (0, 0, Addr::NONE, 0),
    };
    let stated = region.word(page::HIGH_WATER);
    stated.fetch_max(high_water, Ordering::Relaxed);
    if stated.load(Ordering::Relaxed).saturating_mul(CHUNK) > region.allocated() {
        let path = region.path().map(ToOwned::to_owned).unwrap_or_default();
        let what = "its checkpoint uses more than the file has: it was truncated".into();
        return Err(Error::Header { path, what });
    }
    for lane in 0..LANES as u8 {
        clear(region, lane_at(lane), LANE_STRIDE);
    }
    for slot in 0..SLOTS {
        clear(region, slot_at(slot), SLOT_STRIDE);
    }
    clear_above_high_water(region);
    write_cell(region, 0, epoch, root, Addr::NONE);
    // Where the other one is newer, not all that it needs got to the disk.
    Checkpoint::clear(region, 1 - which);
    let pins = region.atomics(page::CHECKPOINT_PINS, 2);
    pins[which].store(epoch, Ordering::Relaxed);
    pins[1 - which].store(0, Ordering::Relaxed);
    region.word(page::SAVED).store(epoch, Ordering::Relaxed);
    region.word(page::GATE_GUARD).store(0, Ordering::Relaxed);
    offer::offer_alone(region, epoch, root);
    region.word(page::ROOT).store(RootWord::new(0, epoch).0, Ordering::Relaxed);
    fence(Ordering::SeqCst);
    Ok(epoch)
}

fn clear(region: &Region, at: u64, bytes: u64) {
    for word in region.atomics(at, bytes as usize / 8) {
        word.store(0, Ordering::Relaxed);
    }
}

/// Whether a region was last used since this machine was booted. Where that cannot be known it was
/// not: then what counts is the checkpoint.
pub(crate) fn is_this_boot(boot: u64) -> bool {
    boot != UNKNOWN_BOOT && boot == boot_id()
}

const UNKNOWN_BOOT: u64 = 0;

/// A number for this boot of this machine: memory of processes does not outlive it.
fn boot_id() -> u64 {
    let Ok(id) = std::fs::read("/proc/sys/kernel/random/boot_id") else { return UNKNOWN_BOOT };
    let words =
        id.chunks(8).map(|part| part.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    check(&words.collect::<Vec<_>>())
}

#[cfg(all(test, not(loom)))]
mod tests;
