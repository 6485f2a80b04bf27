//! What a world takes, where, and who has it open.

use std::path::PathBuf;

use crate::database::Database;
use crate::error::{Error, WorldError};
use crate::index::Index;
use crate::log::source::{self, Kept};
use crate::log::{cold, segment};

/// Segments of the log that are kept in one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tier {
    /// How many segments.
    pub segments: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

/// What [`Database::stats`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The last transaction.
    pub t: u64,
    /// The last one that is on the disk.
    pub durable_t: u64,
    /// Facts that hold, by index: EAVT, AEVT, AVET, VAET.
    pub current: [u64; 4],
    /// Statements and withdrawals of the past, by index.
    pub history: [u64; 4],
    /// The first moment whose state the indexes hold: 0, unless history was given up.
    pub history_from: u64,
    /// Bytes of the region's file, and how many of them the disk has room taken for.
    pub region_bytes: u64,
    /// Bytes of the disk that the region takes.
    pub region_disk_bytes: u64,
    /// Bytes of the region in blocks, of all kinds: what the disk takes beyond is room to be used.
    pub block_bytes: u64,
    /// Blocks that commits replaced and that somebody may still see.
    pub retired_blocks: u64,
    /// Segments of the log as they were written.
    pub plain: Tier,
    /// Segments that are compressed.
    pub sealed: Tier,
    /// Segments in the cold folder.
    pub cold: Tier,
    /// The cold folder.
    pub cold_folder: Option<PathBuf>,
    /// Who has the region open: the process, and the oldest commit that it keeps from being reused.
    pub attached: Vec<(u32, Option<u64>)>,
    /// Commits of the region so far: a pin that is far behind this number holds much back.
    pub commits: u64,
    /// Whether a process writes the log at this moment.
    pub lease_held: bool,
}

impl Stats {
    /// Transactions that are committed and not on the disk yet.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.t.saturating_sub(self.durable_t)
    }
}

impl Database {
    /// What the world takes, where, and who has it open. Costs a look at each block of the
    /// region and at each file of the log.
    ///
    /// # Errors
    /// When the world is damaged or a file cannot be looked at.
    pub fn stats(&self) -> Result<Stats, Error> {
        let durable_t = self.durable_t();
        let db = self.db()?;
        let history_from = db.history_from();
        let mut stats = Stats { t: db.basis(), durable_t, history_from, ..Stats::default() };
        for index in Index::ALL {
            let place = index as usize;
            if let (Some(current), Some(history)) =
                (stats.current.get_mut(place), stats.history.get_mut(place))
            {
                let (memory, set) = db.state().current(index)?;
                *current = set.len(memory)?;
                let (memory, set) = db.state().history(index)?;
                *history = set.len(memory)?;
            }
        }
        let slab = self.slab().stats();
        stats.retired_blocks = slab.retired_blocks;
        stats.block_bytes = slab.block_bytes;
        stats.attached = slab.attachments;
        stats.commits = slab.commits;
        if let Some(folder) = self.log_folder() {
            self.measure_log(folder, &mut stats)?;
        }
        Ok(stats)
    }

    fn measure_log(&self, folder: &std::path::Path, stats: &mut Stats) -> Result<(), Error> {
        use std::os::unix::fs::MetadataExt;
        if let Some(region) = self.slab().region().path() {
            let file = std::fs::metadata(region)
                .map_err(|source| WorldError::io(region, "look at the region", source))?;
            (stats.region_bytes, stats.region_disk_bytes) = (file.len(), file.blocks() * 512);
        }
        for first_t in segment::list(folder)? {
            let Some((kept, bytes)) = source::measure(folder, first_t)? else { continue };
            let tier = match kept {
                Kept::Plain => &mut stats.plain,
                Kept::Sealed => &mut stats.sealed,
                Kept::Cold => &mut stats.cold,
            };
            tier.segments += 1;
            tier.bytes += bytes;
        }
        stats.cold_folder = cold::home(folder)?;
        stats.lease_held = self.lease_is_held()?;
        Ok(())
    }
}
