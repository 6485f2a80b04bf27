//! How a slab is doing: what it holds, what waits, and for whom.

use std::collections::BTreeMap;

use crate::layout::{CHUNK, page};
use crate::sync::Ordering;
use crate::{Slab, record};

/// Somebody whose oldest pin is the oldest there is. See [`Status::oldest_pin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OldestPin {
    /// The process that holds it.
    pub pid: u32,
    /// The epoch it holds.
    pub epoch: u64,
    /// Its age: how many commits there have been since.
    pub commits_ago: u64,
}

/// How a slab is doing, as far as that is known without looking at blocks. See [`Slab::status`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// How many commits there have been.
    pub commits: u64,
    /// Bytes that have room on the disk or in memory.
    pub allocated_bytes: u64,
    /// The most there can ever be.
    pub limit_bytes: u64,
    /// Bytes of chunks that were ever used.
    pub used_bytes: u64,
    /// Bytes of those that are free for any size, about.
    pub free_chunk_bytes: u64,
    /// Blocks that wait for nobody to see them any more, about.
    pub retired_blocks: u64,
    /// Whose commits retired them: process and blocks. The process is `None` for what was left behind.
    pub retired_by: Vec<(Option<u32>, u64)>,
    /// The epoch of the newest checkpoint; 0 without one.
    pub checkpoint_epoch: u64,
    /// Who is attached: process id and oldest pinned epoch.
    pub attachments: Vec<(u32, Option<u64>)>,
    /// Who holds back the most: the pin to look at when room does not come back.
    pub oldest_pin: Option<OldestPin>,
}

/// The same, and every block counted. See [`Slab::stats`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How many commits there have been.
    pub commits: u64,
    /// Bytes that have room on the disk or in memory.
    pub allocated_bytes: u64,
    /// The most there can ever be.
    pub limit_bytes: u64,
    /// Bytes of chunks that were ever used.
    pub used_bytes: u64,
    /// Bytes in blocks: reachable, retired and payloads.
    pub block_bytes: u64,
    /// Bytes of chunks that were used and that no block takes: free, or of the chunks' own.
    pub free_bytes: u64,
    /// Blocks.
    pub blocks: u64,
    /// Blocks that wait for nobody to see them any more.
    pub retired_blocks: u64,
    /// The epoch of the newest checkpoint; 0 without one.
    pub checkpoint_epoch: u64,
    /// Who is attached: process id and oldest pinned epoch.
    pub attachments: Vec<(u32, Option<u64>)>,
    /// Block size and number of blocks, for each size class that has any.
    pub classes: Vec<(u64, u64)>,
}

impl Slab {
    /// Looks at what is noted down anyway: a few words per process, whatever the region's size.
    /// Others go on meanwhile, so the numbers need not fit together exactly.
    #[must_use]
    pub fn status(&self) -> Status {
        let attachment = &self.inner.attachment;
        let region = attachment.region();
        let commits = self.commits();
        let attachments = attachment.attachments();
        let pins = attachments.iter().filter_map(|(pid, epoch)| Some((epoch.as_ref()?, pid)));
        let oldest_pin = pins.min().map(|(epoch, pid)| OldestPin {
            pid: *pid,
            epoch: *epoch,
            commits_ago: commits.saturating_sub(*epoch),
        });
        let retired_by = attachment.retired_by();
        let free_chunks = region.word(page::FREE_CHUNKS).load(Ordering::Relaxed);
        Status {
            commits,
            allocated_bytes: region.allocated(),
            limit_bytes: region.limit_bytes(),
            used_bytes: u64::from(self.inner.blocks().high_water().0) * CHUNK,
            free_chunk_bytes: free_chunks.saturating_mul(CHUNK),
            retired_blocks: retired_by.iter().map(|(_, blocks)| blocks).sum(),
            retired_by,
            checkpoint_epoch: record::Checkpoint::newest(region).map_or(0, |(_, c)| c.epoch),
            attachments,
            oldest_pin,
        }
    }

    /// Counts every block. Reads one word per block of the region; others go on meanwhile, so the
    /// numbers need not fit together exactly.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let blocks = self.inner.blocks();
        let mut sizes: BTreeMap<u64, u64> = BTreeMap::new();
        let _guard = self.inner.attachment.guard();
        // A chunk whose entry is damaged is not counted; `verify` tells about it.
        let _ = blocks.each(|at, _| {
            if let Ok(place) = blocks.locate(at) {
                *sizes.entry(u64::from(place.words) * 8).or_default() += 1;
            }
        });
        let status = self.status();
        let block_bytes: u64 = sizes.iter().map(|(bytes, count)| bytes * count).sum();
        Stats {
            commits: status.commits,
            allocated_bytes: status.allocated_bytes,
            limit_bytes: status.limit_bytes,
            used_bytes: status.used_bytes,
            block_bytes,
            free_bytes: status.used_bytes.saturating_sub(block_bytes),
            blocks: sizes.values().sum(),
            retired_blocks: status.retired_blocks,
            checkpoint_epoch: status.checkpoint_epoch,
            attachments: status.attachments,
            classes: sizes.into_iter().collect(),
        }
    }
}
