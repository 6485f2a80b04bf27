//! What is wrong with a region, as far as that shows without knowing what its blocks mean.

use std::collections::HashSet;
use std::fmt;

use super::{Inspection, Kind};
use crate::attachment::Attachment;
use crate::class::Class;
use crate::epoch::{EPOCH_MASK, RootWord, read_cell};
use crate::layout::{ChunkId, LANES, PINS, SLOTS, lane, lane_at, page, pin_at, slot, slot_at};
use crate::record::{CHECKPOINTS, Checkpoint};
use crate::sync::Ordering;
use crate::{Addr, offer, reclaim};

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Problem {
    /// What.
    pub what: &'static str,
    /// Where.
    pub at: Addr,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.what, self.at)
    }
}

/// Looks at a region in use: what is wrong for a moment is not wrong.
const LOOKS: usize = 4;

impl Inspection {
    /// Everything that is wrong, in the order of addresses; of a region in use what stays wrong
    /// through several looks. Sound is not the same as undamaged: content has no checksums, and what
    /// the blocks of a version lead to is known to whoever wrote them ([`Slab::verify`]).
    ///
    /// [`Slab::verify`]: crate::Slab::verify
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = self.look();
        for _ in 1..LOOKS {
            if found.is_empty() || !Attachment::is_somebody_seen(self.region()) {
                break;
            }
            std::thread::yield_now();
            let again: HashSet<Problem> = self.look().into_iter().collect();
            found.retain(|problem| again.contains(problem));
        }
        found.sort_by_key(|problem| problem.at);
        found
    }

    fn look(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut say = |what, at: u64| found.push(Problem { what, at: Addr::from_raw(at) });
        self.look_at_root(&mut say);
        self.look_at_checkpoints(&mut say);
        self.look_at_slots(&mut say);
        self.look_at_directory(&mut say);
        self.look_at_births(&mut say);
        self.look_at_stacks(&mut say);
        self.look_at_records(&mut say);
        found
    }

    fn epoch(&self) -> u64 {
        RootWord(self.region().word(page::ROOT).load(Ordering::Acquire)).epoch()
    }

    /// Whether a version of `epoch` can have a block at `root`.
    fn has_root(&self, root: Addr, epoch: u64) -> bool {
        let place = if root.is_none() { return true } else { self.blocks.locate(root) };
        let birth = place.map(|place| self.blocks.birth(&place).epoch());
        birth.is_ok_and(|born| born.is_some_and(|born| born <= epoch))
    }

    fn look_at_root(&self, say: &mut impl FnMut(&'static str, u64)) {
        let word = self.region().word(page::ROOT);
        let root = RootWord(word.load(Ordering::Acquire));
        // Blocks come back where they were: a root that was replaced since may look damaged in each look.
        let mut say = |what, at| {
            if word.load(Ordering::Acquire) == root.0 {
                say(what, at);
            }
        };
        match read_cell(self.region(), root.cell()) {
            Some(cell) if cell.epoch == root.epoch() => {
                if !self.has_root(cell.root, cell.epoch) {
                    say("a root that is no block of its version", cell.root.raw());
                }
            }
            _ => say("a root word whose cell is damaged", page::ROOT),
        }
    }

    fn look_at_checkpoints(&self, say: &mut impl FnMut(&'static str, u64)) {
        let region = self.region();
        let saved = region.word(page::SAVED).load(Ordering::Acquire);
        let newest = self.checkpoint();
        if newest.as_ref().map_or(0, |(_, record)| record.epoch) < saved {
            say("checkpoint records without the one that was saved last", page::SAVED);
        }
        if let Some((which, record)) = newest {
            let pin = page::CHECKPOINT_PINS + which as u64 * 8;
            if region.word(pin).load(Ordering::Acquire) != record.epoch {
                say("a checkpoint whose version is not pinned", CHECKPOINTS[which]);
            }
            let is_replaced =
                || Checkpoint::newest(region).map(|(_, now)| now.epoch) != Some(record.epoch);
            if !self.has_root(record.root, record.epoch) && !is_replaced() {
                say("a checkpoint whose root is no block of its version", CHECKPOINTS[which]);
            }
        }
        if let Some(offer) = offer::newest(region)
            && !self.has_root(offer.root, offer.epoch)
            && offer::newest(region).is_some_and(|now| now.epoch == offer.epoch)
        {
            say("an offer whose root is no block of its version", page::VIEWS);
        }
    }

    fn look_at_slots(&self, say: &mut impl FnMut(&'static str, u64)) {
        let region = self.region();
        for slot in 0..SLOTS {
            let used = region.word(slot_at(slot) + slot::PINS_USED).load(Ordering::Acquire);
            if used > PINS as u64 {
                say("a slot with more pins than it has room for", slot_at(slot));
            }
            for (pin, number) in region.atomics(pin_at(slot, 0), PINS).iter().zip(0..) {
                let pin = pin.load(Ordering::Acquire) & EPOCH_MASK;
                if pin > self.epoch() {
                    say("a pin of an epoch that has not been", pin_at(slot, number));
                }
            }
        }
        for lane in 0..LANES as u8 {
            if region.word(lane_at(lane) + lane::OWNER).load(Ordering::Acquire) > SLOTS as u64 {
                say("a lane whose owner is no slot", lane_at(lane));
            }
        }
    }

    fn look_at_directory(&self, say: &mut impl FnMut(&'static str, u64)) {
        if let Some(at) = self.blocks.misplaced() {
            say("a directory word of a chunk that cannot have blocks", at.raw());
        }
        let mut run_end = ChunkId(0);
        for chunk in self.blocks.chunks() {
            let entry = self.blocks.entry(chunk);
            let of_run = chunk < run_end;
            if entry.is_tail() && !of_run {
                say("a chunk of a large block whose beginning is not there", chunk.entry());
            } else if !entry.is_tail() && of_run {
                say("a large block whose chunks are not all its own", chunk.entry());
            }
            if let Some(run) = entry.run() {
                run_end = ChunkId(chunk.0.saturating_add(run));
                if run_end > chunk.end_of_group() || run_end > self.blocks.high_water() {
                    say("a large block that is longer than its group", chunk.entry());
                }
            } else if !entry.is_known() {
                say("a directory word of no kind", chunk.entry());
            }
        }
    }

    fn look_at_births(&self, say: &mut impl FnMut(&'static str, u64)) {
        for block in self.blocks(0..u64::MAX) {
            if block.kind == Kind::Unknown {
                say("a block of no kind", block.at.raw());
            }
            if block.length_bytes.is_some_and(|length| length > block.room_bytes) {
                say("a payload longer than its block", block.at.raw());
            }
            if block.epoch.is_some_and(|epoch| self.is_untimely(block.at, block.lane, epoch)) {
                say("a block of an epoch that has not been", block.at.raw());
            }
        }
    }

    /// Whether a block is of an epoch that neither was nor is being made. The block is looked at last: then
    /// the lane that it is of had not gone on to the next when it was asked.
    fn is_untimely(&self, at: Addr, lane: Option<u8>, epoch: u64) -> bool {
        let runs = lane
            .filter(|lane| usize::from(*lane) < LANES)
            .map(|lane| self.region().word(lane_at(lane) + lane::RUNNING).load(Ordering::Acquire));
        if epoch <= self.epoch() || runs == Some(epoch) {
            return false;
        }
        let birth = self.blocks.locate(at).map(|place| self.blocks.birth(&place).epoch());
        birth.is_ok_and(|now| now == Some(epoch))
    }

    fn look_at_stacks(&self, say: &mut impl FnMut(&'static str, u64)) {
        for class in Class::all() {
            let mut seen = HashSet::new();
            for chunk in self.blocks.stacked(class) {
                if !self.blocks.is_small(chunk, class) {
                    say("a stack that names a chunk of another class", chunk.entry());
                } else if !self.blocks.is_listed(chunk) || !seen.insert(chunk) {
                    say("a stack that names a chunk that is not on it", chunk.start());
                } else {
                    continue;
                }
                break;
            }
        }
    }

    fn look_at_records(&self, say: &mut impl FnMut(&'static str, u64)) {
        for lane in 0..LANES as u8 {
            if let Some(at) = reclaim::broken(&self.blocks, lane) {
                say("a list of retired blocks that leads to what is no record", at.raw());
            }
        }
    }
}
