//! Reading a region without the right to write it, or without wanting to.

use std::fmt;
use std::path::Path;

use crate::attachment::Attachment;
use crate::blocks::Blocks;
use crate::layout::page;
use crate::lease::Lease;
use crate::offer::{self, Offer};
use crate::record::Checkpoint;
use crate::sync::Ordering;
use crate::{Addr, Error, Read, Region, checkpoint, scan};

/// How often an offer may be taken back between finding and locking it.
const ATTEMPTS: usize = 1000;

/// One version of a region file that is mapped for reading alone: what [`Slab::sync`](crate::Slab::sync)
/// saved or [`Slab::offer`](crate::Slab::offer) offered last, or what the last process left.
///
/// It needs the right to read the file and no more, is not counted among the attachments, and changes
/// no byte. Writers go on meanwhile; the version stays as it is as long as the view lives, since the
/// view holds a lock of the kernel's on a byte of the file, which ends with its process.
///
/// What it does not do: it never sees a version that nobody offered, however old the offer is; it
/// cannot wait for commits ([`View::refresh`] looks whether there is something newer); and of
/// [`VIEWS_MAX`](crate::VIEWS_MAX) versions that are looked at at once the newest stays the offer until
/// one of them is let go. Whoever may read a file can also lock it: it can keep others from attaching
/// and hold back room.
///
/// ```
/// use eve::structure::WordMap;
/// use eve::{Error, Options, Region, Slab, View};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("world.eve");
/// let slab = Slab::create(Region::create(&path, &Options::default())?)?;
/// let set = |value| {
///     slab.swap(|txn| {
///         let (map, _) = WordMap::from_root(txn.base()).insert(txn, &1, value)?;
///         Ok::<_, Error>((map.root(), ()))
///     })
/// };
/// set(10)?;
/// slab.sync()?;
///
/// let mut view = View::open(&path)?; // by whoever may read the file
/// set(20)?;
/// let get = |view: &View| WordMap::from_root(view.root()).get(view, &1);
/// assert_eq!(get(&view)?, Some(10));
/// slab.offer()?;
/// assert!(view.refresh()?);
/// assert_eq!(get(&view)?, Some(20));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct View {
    blocks: Blocks,
    /// Whose lock is held; `None` of a region that offers nothing, whose version is the empty one.
    offer: Option<Offer>,
}

impl View {
    /// Looks at the newest version that is offered; of a region whose machine stopped while it was in
    /// use, at its newest checkpoint. A region of which nothing was ever saved or offered is empty.
    ///
    /// # Errors
    /// As [`Region::open`], but no right to write is needed; [`Error::Io`] when the file may not be
    /// read or cannot be locked.
    pub fn open(path: impl AsRef<Path>) -> Result<View, Error> {
        let mut view =
            View { blocks: Blocks::new(Region::open_to_read(path.as_ref())?), offer: None };
        // While it is shared nobody attaches, so a region that nobody uses stays so.
        let gated = Lease::Gate.share(view.region()).map_err(|source| view.no_lock(source));
        let found = gated.and_then(|()| view.find());
        Lease::Gate.give_back(view.region());
        found?;
        Ok(view)
    }

    fn find(&mut self) -> Result<(), Error> {
        let region = self.region();
        let clean = region.word(page::CLEAN).load(Ordering::Acquire) == 1;
        let boot = region.word(page::BOOT).load(Ordering::Acquire);
        if clean || checkpoint::is_this_boot(boot) || Attachment::is_somebody_seen(region) {
            return self.refresh().map(drop);
        }
        let Some((_, record)) = Checkpoint::newest_there(&self.blocks) else { return Ok(()) };
        // Whoever restores the region offers this very version there.
        let view = offer::FIRST;
        Lease::View(view).share(region).map_err(|source| self.no_lock(source))?;
        self.offer = Some(Offer { view, epoch: record.epoch, root: record.root });
        self.blocks.settle(record.epoch); // nobody runs
        Ok(())
    }

    /// Moves on to the newest version that is offered. False if it is the one that is seen already.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be locked.
    pub fn refresh(&mut self) -> Result<bool, Error> {
        for _ in 0..ATTEMPTS {
            let newest = offer::newest(self.region());
            let Some(newest) = newest.filter(|newest| newest.epoch > self.epoch()) else {
                return Ok(false);
            };
            let lease = Lease::View(newest.view);
            let shared = lease.try_share(self.region()).map_err(|source| self.no_lock(source))?;
            if shared && offer::load(self.region(), newest.view) == Some(newest) {
                self.let_go();
                self.offer = Some(newest);
                self.blocks.region_mut().remeasure()?;
                // Nobody runs a transaction that wants to become an epoch that this scan is beyond.
                self.blocks.settle(scan::scan(self.region()).oldest());
                return Ok(true);
            }
            if shared {
                lease.give_back(self.region());
            }
        }
        Err(self.no_lock(std::io::ErrorKind::WouldBlock.into()))
    }

    /// The root of the version; [`Addr::NONE`] of an empty one.
    #[must_use]
    pub fn root(&self) -> Addr {
        self.offer.map_or(Addr::NONE, |offer| offer.root)
    }

    /// The number of the version's commit.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.offer.map_or(0, |offer| offer.epoch)
    }

    /// A block that is large, or of a transaction that may not have ended, or none at all.
    #[cold]
    fn words_of_rare(&self, at: Addr) -> Result<&[u64], Error> {
        let place = self.blocks.locate(at)?;
        if self.blocks.published(&place, self.epoch()).is_none() {
            return Err(Error::corrupt("a block that this version does not have", at));
        }
        // SAFETY: as in `words`.
        Ok(unsafe { self.blocks.content(&place) })
    }

    fn region(&self) -> &Region {
        self.blocks.region()
    }

    fn let_go(&self) {
        if let Some(offer) = self.offer {
            Lease::View(offer.view).give_back(self.region());
        }
    }

    fn no_lock(&self, source: std::io::Error) -> Error {
        checkpoint::no_lock(self.region().path().unwrap_or(Path::new("")), source)
    }
}

impl Read for View {
    #[inline]
    fn words(&self, at: Addr) -> Result<&[u64], Error> {
        // SAFETY: the offer whose lock this value holds pins its version; it is let go by
        // `&mut self` only.
        match unsafe { self.blocks.visible(at, self.blocks.sure(self.epoch()), None) } {
            Some(words) => Ok(words),
            None => self.words_of_rare(at),
        }
    }

    fn prefetch(&self, at: Addr, bytes: usize) {
        self.region().prefetch(at.raw().wrapping_add(bytes as u64));
    }

    fn seed(&self) -> u64 {
        crate::header::seed(self.region())
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("View");
        out.field("epoch", &self.epoch()).field("root", &self.root()).finish_non_exhaustive()
    }
}
