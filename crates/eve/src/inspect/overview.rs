//! What a region holds, for whom, and what is safe of it.

use std::collections::{BTreeMap, HashSet};

use super::{Inspection, Kind};
use crate::attachment::Attachment;
use crate::class::Class;
use crate::epoch::{EPOCH_MASK, RootWord};
use crate::layout::{
    self, LANES, LAYOUT_VERSION, PINS, SLOTS, VIEWS, lane, lane_at, page, pin_at, slot, slot_at,
};
use crate::lease::Lease;
use crate::record::Checkpoint;
use crate::ring::identity::Identity;
use crate::sync::Ordering;
use crate::{Addr, checkpoint, offer, reclaim};

/// What the header says of how the region was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// The last process to leave left everything on the disk.
    InOrder,
    /// Processes are attached.
    InUse,
    /// Nobody is attached any more, but the last ones died: whoever opens it clears that away.
    Left,
    /// The machine stopped while it was in use: whoever opens it goes back to the newest checkpoint.
    Stopped,
}

/// A process that is attached, or died attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attached {
    /// The slot.
    pub slot: usize,
    /// Its process, in its own pid namespace.
    pub pid: u32,
    /// Whether the process holds the slot's lock: it lives, or is stopped.
    pub lives: bool,
    /// How many versions it holds.
    pub pins: u64,
    /// The oldest of them.
    pub oldest: Option<u64>,
    /// How many commits there have been since that.
    pub commits_ago: Option<u64>,
    /// Transactions it runs.
    pub running: u64,
    /// Blocks that its commits made unreachable and that wait, about.
    pub retired_blocks: u64,
}

/// What is used of a size class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassUse {
    /// Bytes of one block.
    pub block_bytes: u64,
    /// Chunks of the class.
    pub chunks: u64,
    /// Blocks of versions, of running transactions and of payloads.
    pub live: u64,
    /// Blocks that wait for nobody to see them any more, and the records that name them.
    pub retired: u64,
    /// Free blocks, those included that a lane keeps for itself.
    pub free: u64,
}

/// A checkpoint record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpointed {
    /// The version.
    pub epoch: u64,
    /// Its root.
    pub root: Addr,
    /// Whether it is known to be on the disk.
    pub saved: bool,
    /// Whether it is what counts after a power cut.
    pub newest: bool,
}

/// A version offered to those who may only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offered {
    /// The version.
    pub epoch: u64,
    /// Whether somebody looks at it.
    pub looked_at: bool,
}

/// All that. See [`Inspection::overview`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overview {
    /// The layout's version.
    pub version: u32,
    /// When the region was made, in microseconds since 1970 UTC.
    pub created_micros: u64,
    /// How it was left.
    pub condition: Condition,
    /// The newest commit.
    pub epoch: u64,
    /// Its root, as its cell says.
    pub root: Option<Addr>,
    /// The most bytes there can be.
    pub limit_bytes: u64,
    /// Bytes that have room on the disk.
    pub allocated_bytes: u64,
    /// Bytes of chunks that were ever used.
    pub used_bytes: u64,
    /// Chunks of those that are free for any size.
    pub free_chunks: u64,
    /// Empty chunks that wait for whoever looks, before another size class can have them.
    pub resting_chunks: u64,
    /// Large blocks that live, and their bytes.
    pub large: (u64, u64),
    /// Large blocks that wait for nobody to see them any more, and their bytes.
    pub large_retired: (u64, u64),
    /// Size classes that have any chunk.
    pub classes: Vec<ClassUse>,
    /// Who is attached or died attached.
    pub attachments: Vec<Attached>,
    /// Blocks that wait in lanes that nobody owns, about.
    pub left_behind_blocks: u64,
    /// The checkpoint records that are whole.
    pub checkpoints: Vec<Checkpointed>,
    /// What is offered to those who may only read.
    pub offers: Vec<Offered>,
}

impl Overview {
    /// Who holds the oldest version: the one to look at when room does not come back.
    #[must_use]
    pub fn oldest_pin(&self) -> Option<&Attached> {
        self.attachments.iter().filter(|at| at.oldest.is_some()).min_by_key(|at| at.oldest)
    }
}

impl Inspection {
    /// Looks at the header, the processes and every block. Costs a word per block.
    #[must_use]
    pub fn overview(&self) -> Overview {
        let region = self.region();
        let root = RootWord(region.word(page::ROOT).load(Ordering::Acquire));
        let cell = crate::epoch::read_cell(region, root.cell());
        let retired = self.retired();
        let mut large = (0, 0);
        let mut large_retired = (0, 0);
        for block in self.blocks(0..u64::MAX).filter(|block| block.large) {
            let sum = if is_retired(&retired, &block) { &mut large_retired } else { &mut large };
            *sum = (sum.0 + 1, sum.1 + block.room_bytes);
        }
        let lanes = (0..LANES as u8).map(lane_at);
        let left = lanes.filter(|at| region.word(at + lane::OWNER).load(Ordering::Relaxed) == 0);
        let pending = left.map(|at| region.word(at + lane::PENDING).load(Ordering::Relaxed));
        Overview {
            version: LAYOUT_VERSION,
            created_micros: region.word(page::CREATED).load(Ordering::Relaxed),
            condition: self.condition(),
            epoch: root.epoch(),
            root: cell.filter(|cell| cell.epoch == root.epoch()).map(|cell| cell.root),
            limit_bytes: region.limit_bytes(),
            allocated_bytes: region.allocated(),
            used_bytes: self.used_bytes(),
            free_chunks: self.blocks.chunks().filter(|c| self.blocks.entry(*c).is_free()).count()
                as u64,
            resting_chunks: self
                .blocks
                .chunks()
                .filter(|chunk| self.blocks.entry(*chunk).as_resting().is_some())
                .count() as u64,
            large,
            large_retired,
            classes: self.classes(&retired),
            attachments: (0..SLOTS).filter_map(|slot| self.attached(slot, root.epoch())).collect(),
            left_behind_blocks: pending.fold(0, u64::saturating_add),
            checkpoints: self.checkpoints(),
            offers: (0..VIEWS).filter_map(|view| self.offered(view)).collect(),
        }
    }

    fn condition(&self) -> Condition {
        let region = self.region();
        let clean = region.word(page::CLEAN).load(Ordering::Acquire) == 1;
        match Attachment::is_somebody_seen(region) {
            true => Condition::InUse,
            false if clean => Condition::InOrder,
            false if checkpoint::is_this_boot(region.word(page::BOOT).load(Ordering::Acquire)) => {
                Condition::Left
            }
            false => Condition::Stopped,
        }
    }

    /// The blocks that retire records name.
    fn retired(&self) -> HashSet<Addr> {
        let mut retired = HashSet::new();
        for lane in 0..LANES as u8 {
            reclaim::accounted(&self.blocks, lane, |at, birth| {
                let birth = birth.map_or(0, |birth| birth.0);
                let there = self.blocks.locate(at).map(|place| self.blocks.birth(&place).0);
                if birth == 0 || there.is_ok_and(|there| there == birth) {
                    retired.insert(at);
                }
            });
        }
        retired
    }

    fn classes(&self, retired: &HashSet<Addr>) -> Vec<ClassUse> {
        let mut classes: BTreeMap<u8, ClassUse> = BTreeMap::new();
        for chunk in self.blocks.chunks() {
            let Some(class) = self.blocks.entry(chunk).class() else { continue };
            let sums = classes.entry(class.raw()).or_default();
            sums.block_bytes = u64::from(class.geometry().bytes());
            sums.chunks += 1;
            sums.free += u64::from(class.geometry().capacity);
        }
        for block in self.blocks(0..u64::MAX).filter(|block| !block.large) {
            // A chunk that got its class just now is left out.
            let class = Class::holding(block.room_bytes).map(Class::raw);
            let Some(sums) = class.and_then(|class| classes.get_mut(&class)) else { continue };
            sums.free = sums.free.saturating_sub(1);
            *(if is_retired(retired, &block) { &mut sums.retired } else { &mut sums.live }) += 1;
        }
        classes.into_values().collect()
    }

    fn attached(&self, slot: usize, epoch: u64) -> Option<Attached> {
        let region = self.region();
        let word = |field| region.word(slot_at(slot) + field).load(Ordering::Acquire);
        let identity = Identity::from_raw(word(slot::IDENTITY))?;
        let used = PINS.min(word(slot::PINS_USED) as usize);
        let pins = region.atomics(pin_at(slot, 0), used).iter();
        let pins = pins.map(|pin| pin.load(Ordering::Acquire)).filter(|pin| *pin != 0);
        let pins: Vec<u64> = pins.map(|pin| pin & EPOCH_MASK).collect();
        let oldest = pins.iter().min().copied();
        let lanes = (0..LANES as u8).map(layout::lane_at);
        let is_own =
            |at: &u64| region.word(at + lane::OWNER).load(Ordering::Relaxed) == slot as u64 + 1;
        let lanes: Vec<u64> = lanes.filter(is_own).collect();
        let sum = |value: &dyn Fn(u64) -> u64| {
            lanes.iter().map(|at| value(*at)).fold(0, u64::saturating_add)
        };
        let lane_word = |at: u64, field| region.word(at + field).load(Ordering::Relaxed);
        Some(Attached {
            slot,
            pid: identity.pid(),
            lives: Lease::Slot(slot).is_held(region),
            pins: pins.len() as u64,
            oldest,
            commits_ago: oldest.map(|oldest| epoch.saturating_sub(oldest)),
            running: sum(&|at| u64::from(lane_word(at, lane::RUNNING) != 0)),
            retired_blocks: sum(&|at| lane_word(at, lane::PENDING)),
        })
    }

    /// The record that counts, and which of the two it is.
    pub(super) fn checkpoint(&self) -> Option<(usize, Checkpoint)> {
        match self.condition() {
            Condition::Stopped => Checkpoint::newest_there(&self.blocks),
            _ => Checkpoint::newest(self.region()),
        }
    }

    fn checkpoints(&self) -> Vec<Checkpointed> {
        let region = self.region();
        let saved = region.word(page::SAVED).load(Ordering::Acquire);
        let newest = self.checkpoint().map(|(which, _)| which);
        let records = [0, 1].map(|which| (which, Checkpoint::load(region, which)));
        let whole = records.into_iter().filter_map(|(which, record)| Some((which, record?)));
        let shown = whole.map(|(which, record)| Checkpointed {
            epoch: record.epoch,
            root: record.root,
            saved: record.epoch <= saved,
            newest: newest == Some(which),
        });
        shown.collect()
    }

    fn offered(&self, view: usize) -> Option<Offered> {
        let offer = offer::load(self.region(), view)?;
        let looked_at = Lease::View(view).is_held(self.region());
        Some(Offered { epoch: offer.epoch, looked_at })
    }
}

fn is_retired(retired: &HashSet<Addr>, block: &super::Block) -> bool {
    matches!(block.kind, Kind::Record | Kind::Dying) || retired.contains(&block.at)
}
