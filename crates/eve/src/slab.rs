//! The slab: blocks, transactions and snapshots on a region.

use std::collections::HashSet;
use std::ops::Deref;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::attachment::Attachment;
use crate::blocks::{Birth, Blocks};
use crate::epoch::read_cell;
use crate::layout::{LANES, USER_WORDS, cell_at, page};
use crate::lease::Lease;
use crate::sync::{AtomicU64, Ordering, fence, futex_wait, futex_wake};
use crate::unsaved::Unsaved;
use crate::verify::{Marks, marked};
use crate::{
    Addr, CommitError, Durability, Error, Region, Snapshot, Txn, checkpoint, offer, reclaim,
};

/// A waiter looks itself this often, should whoever committed have died before waking it.
const WAIT_SLICE: Duration = Duration::from_millis(100);

/// What opening found. See [`Slab::recovery`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recovery {
    /// Nobody had died: the region is new, was left in order, or others are at work in it.
    None,
    /// Processes had died while attached. Nothing committed was lost; `blocks` blocks that they left
    /// behind were given back.
    Processes {
        /// How many blocks were given back.
        blocks: u64,
    },
    /// The machine had stopped without the region being left in order: it was reset to its newest
    /// checkpoint, or to nothing at epoch 0 if it never had one. What was committed after must be
    /// done again from elsewhere (a log).
    Machine {
        /// The epoch of the checkpoint.
        epoch: u64,
    },
}

/// A region with blocks in it, and one root that governs which of them are the state.
///
/// A handle; clones share it. It may move to other threads, but not into a child made by `fork`:
/// a child opens the region itself. It has no copy of a region file's memory, so that using its
/// parent's handle ends it, and dropping that does nothing.
///
/// ```
/// use eve::{Addr, Read, Region, Slab, Write};
///
/// let slab = Slab::create(Region::anonymous(1 << 30)?)?;
/// let mut txn = slab.begin()?;
/// let block = txn.alloc(16)?;
/// txn.words_mut(block).expect("born here")[0] = 42;
/// txn.commit(block)?;
///
/// let snapshot = slab.snapshot()?; // holds what it sees, whatever others commit
/// assert_eq!(snapshot.words(snapshot.root())?[0], 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Slab {
    pub(crate) inner: Arc<Handle>,
    pub(crate) durability: Durability,
}

/// What all clones of a handle, and the payloads of it, share. When they are gone the snapshots that
/// are left keep the attachment.
#[derive(Debug)]
pub(crate) struct Handle(Arc<Inner>);

impl Deref for Handle {
    type Target = Arc<Inner>;

    #[inline]
    fn deref(&self) -> &Arc<Inner> {
        &self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let inner = &self.0;
        let keep = || std::mem::forget(Arc::clone(inner));
        // SAFETY: takes back a count of `keep` that was not handed over.
        let release = || unsafe { Arc::decrement_strong_count(Arc::as_ptr(inner)) };
        if inner.process == std::process::id() {
            inner.attachment.pins.orphan(inner.attachment.region(), keep, release);
        }
    }
}

pub(crate) struct Inner {
    pub(crate) attachment: Attachment,
    pub(crate) sync_failed: AtomicBool,
    pub(crate) checkpointing: Mutex<()>,
    pub(crate) unsaved: Mutex<Unsaved>,
    /// Opening got to its end; otherwise leaving must not say that the region is in order.
    ready: AtomicBool,
    /// Who attached: a child made by `fork` has a copy of this value, but no place in the region.
    process: u32,
    recovery: OnceLock<Recovery>,
}

/// A commit that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Commit {
    /// Its number: how many commits there have been with it.
    pub epoch: u64,
}

impl Slab {
    /// A slab on a new region.
    ///
    /// # Errors
    /// As [`Slab::open`].
    pub fn create(region: Region) -> Result<Slab, Error> {
        Slab::open(region)
    }

    /// The slab of a region. Processes that died attached to it are cleared away: their commits
    /// stay, what they had not committed goes back.
    ///
    /// # Errors
    /// [`Error::SlotsFull`], [`Error::Header`] when the root is damaged, [`Error::Io`].
    pub fn open(region: Region) -> Result<Slab, Error> {
        Slab::attach(region, None::<fn(&Snapshot, Addr, &mut Marks<'_>) -> Result<(), Error>>)
    }

    /// As [`Slab::open`], and if the region was not left in order, every block that `trace` does
    /// not mark goes back. `trace` gets the newest snapshot and its root and marks every block that
    /// the caller's structures can reach.
    ///
    /// # Errors
    /// As [`Slab::open`], and what `trace` returns.
    pub fn open_with<F>(region: Region, trace: F) -> Result<Slab, Error>
    where
        F: FnOnce(&Snapshot, Addr, &mut Marks<'_>) -> Result<(), Error>,
    {
        Slab::attach(region, Some(trace))
    }

    fn attach<F>(region: Region, trace: Option<F>) -> Result<Slab, Error>
    where
        F: FnOnce(&Snapshot, Addr, &mut Marks<'_>) -> Result<(), Error>,
    {
        let path = region.path().map(ToOwned::to_owned).unwrap_or_default();
        let io = |source| Error::Io { path: path.clone(), doing: "lock the region file", source };
        Lease::Gate.take(&region).map_err(io)?;
        let clean = region.word(page::CLEAN).load(Ordering::Acquire) == 1;
        let same_boot = checkpoint::is_this_boot(region.word(page::BOOT).load(Ordering::Acquire));
        let blocks = Blocks::new(region);
        let region = blocks.region();
        let mut recovery = Recovery::None;
        // Whoever lives proves that the machine did not stop, whatever `/proc` says here or there.
        if !clean && !same_boot && !Attachment::somebody_lives(region) {
            // Before anything else: what the dead of another boot left in their lanes is no basis
            // for any decision.
            recovery = Recovery::Machine { epoch: checkpoint::restore(&blocks)? };
        }
        checkpoint::begin_use(region)?;
        let (attachment, arrival) = Attachment::new(blocks)?;
        check_root(&attachment)?;
        check_directory(&attachment.blocks)?;
        let inner = Inner {
            attachment,
            sync_failed: AtomicBool::new(false),
            checkpointing: Mutex::new(()),
            unsaved: Mutex::default(),
            ready: AtomicBool::new(false),
            process: std::process::id(),
            recovery: OnceLock::new(),
        };
        let inner = Arc::new(Handle(Arc::new(inner)));
        let slab = Slab { inner, durability: Durability::None };
        if arrival.alone && !clean {
            let blocks = slab.rebuild(trace)?;
            if recovery == Recovery::None {
                recovery = Recovery::Processes { blocks };
            }
        }
        let _ = slab.inner.recovery.set(recovery);
        slab.inner.ready.store(true, std::sync::atomic::Ordering::Relaxed);
        Lease::Gate.give_back(slab.region());
        Ok(slab)
    }

    fn rebuild<F>(&self, trace: Option<F>) -> Result<u64, Error>
    where
        F: FnOnce(&Snapshot, Addr, &mut Marks<'_>) -> Result<(), Error>,
    {
        let blocks = &self.inner.attachment.blocks;
        // Who looks on without being attached may read what a trace does not find.
        let looked_at = offer::is_looked_at(self.region());
        let reachable = match trace {
            Some(trace) if !looked_at => Some(marked(&self.snapshot()?, trace)?),
            _ => None,
        };
        let mut pending = HashSet::new();
        for lane in 0..LANES as u8 {
            reclaim::accounted(blocks, lane, |at, _| {
                pending.insert(at);
            });
            Attachment::forget_active(blocks, lane);
        }
        Ok(blocks.rebuild(looked_at, |at, birth: Birth| match &reachable {
            // Whoever held it is dead.
            _ if !birth.is_of_transaction() => birth.held_bytes().is_none(),
            None => true,
            Some(reachable) => reachable.contains(at) || pending.contains(&at),
        }))
    }

    /// What opening this handle found and did.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        self.inner.recovery.get().copied().unwrap_or(Recovery::None)
    }

    /// The newest version, held as long as the snapshot or a clone of it lives.
    ///
    /// Costs a store, a fence and three loads; no system call, no lock.
    ///
    /// # Errors
    /// [`Error::PinsFull`] when this process holds snapshots of too many different epochs.
    #[inline]
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        Snapshot::new(&self.inner)
    }

    /// Begins a transaction on the newest version. Any number may run at once, in any threads and
    /// processes; of those that began on the same version one commits.
    ///
    /// # Errors
    /// [`Error::LanesFull`], [`Error::PinsFull`].
    #[inline]
    pub fn begin(&self) -> Result<Txn, Error> {
        Txn::new(&self.inner, self.durability)
    }

    /// Runs `change` until it commits: again on the new root whenever another commit came first.
    /// `change` returns the new root and what [`Slab::swap`] shall return.
    ///
    /// # Errors
    /// What `change` returns, and what keeps a commit from being tried; [`Error::NotDurable`] when it
    /// has happened and this handle's [`Durability`] could not be kept.
    pub fn swap<T, E: From<Error>>(
        &self,
        mut change: impl FnMut(&mut Txn) -> Result<(Addr, T), E>,
    ) -> Result<(Commit, T), E> {
        loop {
            let mut txn = self.begin()?;
            let (root, outcome) = change(&mut txn)?;
            match txn.commit(root) {
                Ok(commit) => return Ok((commit, outcome)),
                Err(CommitError::Conflict) => {}
                Err(CommitError::Failed(error)) => return Err(error.into()),
                Err(CommitError::NotDurable { commit: Commit { epoch }, source }) => {
                    let source = Box::new(source);
                    return Err(Error::NotDurable { epoch, source }.into());
                }
            }
        }
    }

    /// How many commits there have been: the newest epoch.
    #[must_use]
    #[inline]
    pub fn commits(&self) -> u64 {
        self.inner.attachment.root().epoch()
    }

    /// Waits until there are other than `seen` commits, or until the time is over. Returns how many
    /// there are. Any commit in any process wakes it.
    #[must_use]
    pub fn wait(&self, seen: u64, timeout: Option<Duration>) -> u64 {
        let region = self.inner.attachment.region();
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            // Before saying so for whom it waits, which nobody takes back.
            if self.commits() != seen {
                return self.commits();
            }
            let commit = region.word(page::COMMIT);
            let before = commit.load(Ordering::Acquire) as u32;
            region.word(page::WAITING).fetch_max(seen.saturating_add(1), Ordering::Relaxed);
            // Pairs with the fence in `Inner::announce`: either this load of the root sees the
            // commit, or the committer sees somebody waiting for it.
            fence(Ordering::SeqCst);
            let now = self.commits();
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if now != seen || left.is_some_and(|left| left.is_zero()) {
                return now;
            }
            futex_wait(commit, before, Some(left.map_or(WAIT_SLICE, |left| left.min(WAIT_SLICE))));
        }
    }

    /// One of sixteen words of the header for whoever uses the slab: shared by all processes, kept
    /// with the region, no part of any version.
    ///
    /// # Panics
    /// When `index` is 16 or more.
    #[must_use]
    pub fn user_word(&self, index: usize) -> &AtomicU64 {
        assert!(index < USER_WORDS, "a region has {USER_WORDS} user words, not {}", index + 1);
        self.inner.attachment.region().word(page::USER + index as u64 * 8)
    }

    /// Sleeps while the low half of a user word is that of `seen`, until [`Slab::wake_user`] in any process, or
    /// until the time is over; now and then for less, so the caller looks at the word again.
    ///
    /// # Panics
    /// When `index` is 16 or more.
    pub fn wait_user(&self, index: usize, seen: u64, timeout: Duration) {
        futex_wait(self.user_word(index), seen as u32, Some(timeout));
    }

    /// Wakes whoever sleeps on a user word, in any process. It is for who has changed the word.
    ///
    /// # Panics
    /// When `index` is 16 or more.
    pub fn wake_user(&self, index: usize) {
        futex_wake(self.user_word(index));
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &Region {
        self.inner.attachment.region()
    }

    /// Clears away processes that died while attached and makes what they, those that left and this
    /// process retired usable again as far as nobody sees it. Commits do this by themselves now and
    /// then, but for what others left behind.
    ///
    /// # Errors
    /// [`Error::LanesFull`].
    pub fn reclaim(&self) -> Result<(), Error> {
        let attachment = &self.inner.attachment;
        attachment.sweep();
        offer::withdraw_unseen(&self.inner);
        let mut lanes = vec![attachment.take_lane()?];
        while attachment.idle_lanes() > 0 {
            lanes.push(attachment.take_lane()?);
        }
        for mut lane in lanes {
            attachment.reclaim(&mut lane);
            attachment.return_lane(lane);
        }
        attachment.reclaim_left_behind();
        let lane = attachment.take_lane()?;
        attachment.blocks.free_rested(lane.number());
        attachment.return_lane(lane);
        Ok(())
    }
}

impl Inner {
    pub(crate) fn blocks(&self) -> &Blocks {
        &self.attachment.blocks
    }

    /// Tells whoever waits that commit `epoch` has happened.
    #[inline]
    pub(crate) fn announce(&self, epoch: u64) {
        let region = self.attachment.region();
        let commit = region.word(page::COMMIT);
        commit.fetch_add(1, Ordering::Release);
        // Pairs with the fence in `Slab::wait`.
        fence(Ordering::SeqCst);
        if region.word(page::WAITING).load(Ordering::Relaxed) >= epoch {
            futex_wake(commit);
        }
    }
}

/// The root word names a whole cell of its epoch.
fn check_root(attachment: &Attachment) -> Result<(), Error> {
    loop {
        let root = attachment.root();
        let cell = read_cell(attachment.region(), root.cell());
        if cell.is_some_and(|cell| cell.epoch == root.epoch()) {
            return Ok(());
        }
        // Others may be committing: a root that stood still and names no whole cell is damaged.
        if attachment.root() == root {
            let path = attachment.region().path().map(ToOwned::to_owned).unwrap_or_default();
            let what = format!("its root names cell {:#x}, which is damaged", cell_at(root.cell()));
            return Err(Error::Header { path, what });
        }
    }
}

/// No directory word makes blocks of the directory, the header or the lanes.
fn check_directory(blocks: &Blocks) -> Result<(), Error> {
    let Some(at) = blocks.misplaced() else { return Ok(()) };
    let path = blocks.region().path().map(ToOwned::to_owned).unwrap_or_default();
    let what = format!("its directory word at {at} is of a chunk that cannot have blocks");
    Err(Error::Header { path, what })
}

impl Drop for Inner {
    /// Leaves the region. The last to leave writes a checkpoint, so that the region is in order.
    fn drop(&mut self) {
        let ready = *self.ready.get_mut();
        let attachment = &self.attachment;
        let region = attachment.region();
        if region.file().is_none() || self.process != std::process::id() {
            return;
        }
        if ready && !attachment.has_company() {
            // Most of the work, before the gate is shut to those who come. What comes of it is seen
            // below: after a failure nothing is written any more.
            let _ = checkpoint::write(self, u64::MAX);
        }
        if Lease::Gate.take(region).is_err() {
            return;
        }
        let in_order = ready
            && attachment.sweep() == 0
            && !attachment.has_company()
            && checkpoint::write(self, u64::MAX).is_ok();
        attachment.leave();
        if in_order {
            checkpoint::end_use(&attachment.blocks);
        }
        attachment.give_up_slot();
        Lease::Gate.give_back(region);
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("Slab");
        out.field("region", self.attachment.region());
        out.field("commits", &self.attachment.root().epoch()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod heap;
#[cfg(all(test, not(loom)))]
mod tests;
