//! Versions offered to those who may only read.
//!
//! Whoever cannot write the region can pin nothing in it. So writers keep a table of *offered*
//! versions, each pinned by its entry, and each with a byte of the file to lock: a reader holds the
//! shared lock of an entry's byte, and the kernel drops that lock with its process.
//!
//! 1. An entry's version is pinned from before the entry says so until it says otherwise: it is
//!    offered under another pin of the same version, and [scanned](crate::scan::scan) after it.
//! 2. An entry goes back to 0 only under the exclusive lock of its byte. A reader that got the shared
//!    lock and then finds the entry unchanged keeps its version as long as it keeps the lock.
//! 3. Entries change under the lock of checkpoints. The newest one stays until there is a newer one.
//! 4. Nobody waits: entries that are looked at stay, and if all are, no newer version is offered.

use crate::attachment::lock;
use crate::layout::{VIEWS, view_at};
use crate::lease::Lease;
use crate::slab::Inner;
use crate::sync::Ordering;
use crate::{Addr, Error, Region, Slab, checkpoint};

/// An entry of the table that offers something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) view: usize,
    pub(crate) epoch: u64,
    pub(crate) root: Addr,
}

/// What an entry offers.
pub(crate) fn load(region: &Region, view: usize) -> Option<Offer> {
    let epoch = region.word(view_at(view)).load(Ordering::Acquire);
    let root = Addr::from_raw(region.word(view_at(view) + 8).load(Ordering::Acquire));
    (epoch != 0).then_some(Offer { view, epoch, root })
}

pub(crate) fn newest(region: &Region) -> Option<Offer> {
    (0..VIEWS).filter_map(|view| load(region, view)).max_by_key(|offer| offer.epoch)
}

fn store(region: &Region, offer: Offer) {
    region.word(view_at(offer.view) + 8).store(offer.root.raw(), Ordering::Release);
    region.word(view_at(offer.view)).store(offer.epoch, Ordering::Release);
}

impl Slab {
    /// Offers the newest version to those who may only read ([`View`](crate::View)) and returns its
    /// number. [`Slab::sync`] does the same when it has made it safe; this does not wait for the disk.
    /// What is offered is held until something newer is, and as long as anybody looks at it.
    ///
    /// # Errors
    /// [`Error::PinsFull`], [`Error::Io`] when the file cannot be locked.
    pub fn offer(&self) -> Result<u64, Error> {
        let region = self.region();
        let Some(path) = region.path() else { return Ok(self.commits()) };
        let _one_at_a_time = lock(&self.inner.checkpointing);
        let locked = Lease::Checkpoint.take(region);
        locked.map_err(|source| checkpoint::no_lock(path, source))?;
        let attachment = &self.inner.attachment;
        let offered = attachment.pin().map(|(pin, word, root)| {
            offer(region, word.epoch(), root);
            attachment.pins.leave_kept(region, pin);
            word.epoch()
        });
        Lease::Checkpoint.give_back(region);
        offered
    }
}

/// Offers a version that the caller has pinned, who holds the lock of checkpoints.
pub(crate) fn offer(region: &Region, epoch: u64, root: Addr) {
    let newest = newest(region);
    if region.file().is_none() || newest.map_or(0, |newest| newest.epoch) >= epoch {
        return;
    }
    let is_newest = |view| newest.is_some_and(|newest| newest.view == view);
    let free = |view: &usize| load(region, *view).is_none() || withdraw(region, *view);
    if let Some(view) = (0..VIEWS).filter(|view| !is_newest(*view)).find(free) {
        store(region, Offer { view, epoch, root });
        withdraw_but(region, view);
    }
}

/// The only offer, of a region that nobody is attached to.
pub(crate) fn offer_alone(region: &Region, epoch: u64, root: Addr) {
    (1..VIEWS).for_each(|view| region.word(view_at(view)).store(0, Ordering::Release));
    store(region, Offer { view: FIRST, epoch, root });
}

/// Which entry [`offer_alone`] takes: whoever looks at the checkpoint of a machine that stopped holds
/// its lock before it offers anything.
pub(crate) const FIRST: usize = 0;

/// Takes back what nobody looks at any more, unless others are just at it.
pub(crate) fn withdraw_unseen(inner: &Inner) {
    let region = inner.attachment.region();
    if (0..VIEWS).filter(|view| load(region, *view).is_some()).count() < 2 {
        return; // the newest stays
    }
    let Ok(_one_at_a_time) = inner.checkpointing.try_lock() else { return };
    if let Some(newest) = newest(region)
        && Lease::Checkpoint.try_take(region) == Some(true)
    {
        withdraw_but(region, newest.view);
        Lease::Checkpoint.give_back(region);
    }
}

fn withdraw_but(region: &Region, kept: usize) {
    for view in (0..VIEWS).filter(|view| *view != kept && load(region, *view).is_some()) {
        withdraw(region, view);
    }
}

/// Whether nobody looked at the entry, which is free now.
fn withdraw(region: &Region, view: usize) -> bool {
    let nobody = Lease::View(view).try_take(region) == Some(true);
    if nobody {
        region.word(view_at(view)).store(0, Ordering::Release);
        Lease::View(view).give_back(region);
    }
    nobody
}

/// Whether somebody looks at any version without being attached.
pub(crate) fn is_looked_at(region: &Region) -> bool {
    region.file().is_some() && (0..VIEWS).any(|view| Lease::View(view).is_held(region))
}
