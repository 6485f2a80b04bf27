//! A checkpoint's record: which version is safely on the disk, and how to tell that it got there.
//!
//! 1. A record checks itself; of two, the one with the greater epoch counts, and only the other one is
//!    ever written.
//! 2. A record without blocks was written after all that its version can reach was on the disk. One
//!    with blocks went there together with them, the only ones that the older record's version does not
//!    have: after the machine stopped it counts if each of them is there, else the older one does.

use crate::blocks::Blocks;
use crate::header::check;
use crate::layout::page;
use crate::sync::Ordering;
use crate::{Addr, Region};

/// Where the two records lie.
pub(crate) const CHECKPOINTS: [u64; 2] = [page::CHECKPOINT_A, page::CHECKPOINT_B];

const FIXED_WORDS: usize = 6;
pub(crate) const CHECK: u64 = FIXED_WORDS as u64 * 8;
pub(crate) const BLOCKS: u64 = CHECK + 8;
/// The blocks that a record has room for.
pub(crate) const RECORD_BLOCKS_MAX: usize =
    ((page::CHECKPOINT_B - page::CHECKPOINT_A - BLOCKS) / 8) as usize;
/// The words that those may have: reading them must take less than a flush.
const RECORD_WORDS_MAX: usize = 4096;

/// What is safely on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) epoch: u64,
    pub(crate) root: Addr,
    pub(crate) high_water: u64,
    pub(crate) allocated: u64,
    pub(crate) vouched: Vouched,
}

/// Blocks that go to the disk together with the record that names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vouched {
    blocks: Vec<Addr>,
    check: u64,
}

impl Vouched {
    /// These blocks, if a record has room for them. The caller holds a version that has them.
    pub(crate) fn of(blocks: &Blocks, these: Vec<Addr>) -> Option<Vouched> {
        let check = check_of(blocks, &these)?;
        Some(Vouched { blocks: these, check })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }
}

/// The check of blocks as they are there: their births, lengths and content.
fn check_of(blocks: &Blocks, these: &[Addr]) -> Option<u64> {
    let (mut words, mut left) = (Vec::new(), RECORD_WORDS_MAX);
    if these.len() > RECORD_BLOCKS_MAX {
        return None;
    }
    for at in these {
        let place = blocks.locate(*at).ok()?;
        let len = place.words as usize;
        left = left.checked_sub(len)?;
        words.extend([at.raw(), blocks.birth(&place).0, len as u64]);
        let content = blocks.region().atomics(place.at, len);
        words.extend(content.iter().map(|word| word.load(Ordering::Relaxed)));
    }
    Some(check(&words))
}

impl Checkpoint {
    /// The record that begins at `at`, if there is one and it is whole.
    pub(crate) fn read(at: u64, word: impl Fn(u64) -> u64) -> Option<Checkpoint> {
        let fixed: [u64; FIXED_WORDS] = std::array::from_fn(|i| word(at + i as u64 * 8));
        let [epoch, root, high_water, allocated, count, blocks_check] = fixed;
        if epoch == 0 || count > RECORD_BLOCKS_MAX as u64 {
            return None;
        }
        let blocks = (0..count).map(|i| Addr::from_raw(word(at + BLOCKS + i * 8))).collect();
        let vouched = Vouched { blocks, check: blocks_check };
        let root = Addr::from_raw(root);
        let record = Checkpoint { epoch, root, high_water, allocated, vouched };
        (check(&record.words()) == word(at + CHECK)).then_some(record)
    }

    /// All words but the check.
    fn words(&self) -> Vec<u64> {
        let count = self.vouched.blocks.len() as u64;
        let fixed: [u64; FIXED_WORDS] = [
            self.epoch,
            self.root.raw(),
            self.high_water,
            self.allocated,
            count,
            self.vouched.check,
        ];
        fixed.into_iter().chain(self.vouched.blocks.iter().map(|at| at.raw())).collect()
    }

    /// Record `which`, if there is one and it is whole.
    pub(crate) fn load(region: &Region, which: usize) -> Option<Checkpoint> {
        let at = CHECKPOINTS.get(which)?;
        Checkpoint::read(*at, |at| region.word(at).load(Ordering::Acquire))
    }

    /// The newest whole record and which of the two it is.
    pub(crate) fn newest(region: &Region) -> Option<(usize, Checkpoint)> {
        records(region).max_by_key(|(_, record)| record.epoch)
    }

    /// The same, of a region whose machine has stopped: the newest whose blocks got to the disk.
    pub(crate) fn newest_there(blocks: &Blocks) -> Option<(usize, Checkpoint)> {
        let there = |(_, record): &(usize, Checkpoint)| record.is_there(blocks);
        records(blocks.region()).filter(there).max_by_key(|(_, record)| record.epoch)
    }

    fn is_there(&self, blocks: &Blocks) -> bool {
        let Vouched { blocks: these, check } = &self.vouched;
        these.is_empty() || check_of(blocks, these) == Some(*check)
    }

    pub(crate) fn store(&self, region: &Region, which: usize) {
        let at = CHECKPOINTS[which];
        let words = self.words();
        let (fixed, blocks) = words.split_at(FIXED_WORDS);
        let put = |at: u64, words: &[u64]| {
            for (word, offset) in words.iter().zip((0..).step_by(8)) {
                region.word(at + offset).store(*word, Ordering::Release);
            }
        };
        put(at + BLOCKS, blocks);
        put(at, fixed);
        put(at + CHECK, &[check(&words)]);
    }

    /// Takes record `which` back.
    pub(crate) fn clear(region: &Region, which: usize) {
        region.word(CHECKPOINTS[which]).store(0, Ordering::Release);
    }
}

fn records(region: &Region) -> impl Iterator<Item = (usize, Checkpoint)> {
    [0, 1].into_iter().filter_map(|which| Some((which, Checkpoint::load(region, which)?)))
}

#[cfg(all(test, not(loom)))]
mod tests;
