//! What commits made unreachable, and when it can be used again.
//!
//! A commit's *retire records* are blocks of the region: the epoch at which their blocks died, and
//! each block's address and birth. A lane's records hang in one list from the lane, which a commit
//! extends by the single store after its root swap, so nothing is lost with a process.
//!
//! 1. **A block is freed only when no pinned epoch lies in `[birth, death)`**, judged by a scan that
//!    began after its death. Then it is *marked*: nobody gets it any more, whatever address they make
//!    up. And it is freed when a scan that began after that finds no pin since its birth but of
//!    epochs from after the marking. An old reader holds back what it can see, and the little that
//!    was waiting when it began.
//! 2. An entry is freed only while the block's birth is the recorded one; births of transactions do
//!    not repeat, so working through a record twice, or half of it before a death, is harmless.
//! 3. A record that waits is looked at again when the pin that it waits for has ended: the youngest
//!    of those that hold its blocks. A pin that stays costs nothing per commit.
//!
//! ```text
//! record: death | count | next | previous | (address, birth) ...
//! ```

use std::collections::HashSet;

use crate::blocks::{Birth, Blocks, Place};
use crate::epoch::Scan;
use crate::lane::Lane;
use crate::layout::lane;
use crate::sync::{AtomicU64, Ordering};
use crate::{Addr, Error};

const DEATH: u64 = 0;
const COUNT: u64 = 8;
const NEXT: u64 = 16;
/// A hint: found again by whoever adopts the lane.
const PREVIOUS: u64 = 24;
const ENTRIES: u64 = 32;
const ENTRY: u64 = 16;
/// Entries of the largest record; what a commit retires beyond that gets more records.
const ENTRIES_MAX: usize = 250;

/// Records that wait for a scan before one is made. A scan costs little beside what it gives back, and what is
/// given back soon is still in the caches when it is written again.
pub(crate) const FRESH_RECORDS_MAX: usize = if cfg!(any(test, loom, miri)) { 4 } else { 16 };
/// Blocks in them before one is made.
pub(crate) const FRESH_BLOCKS_MAX: u64 = 8192;

/// A record that was not worked through to its end yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    record: Addr,
    marked: Marked,
}

/// How far the marking of a record's blocks has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marked {
    None,
    /// Some were marked since the last scan.
    Now,
    /// Who got one of the marked blocks before it was marked pins this epoch or an older one.
    By(u64),
}

impl Waiting {
    fn new(record: Addr) -> Waiting {
        Waiting { record, marked: Marked::None }
    }

    /// Marks every block of the record that no version sees any more. Returns the youngest pin that
    /// the others wait for. Where each block is is appended to `places`.
    fn mark(
        &mut self,
        blocks: &Blocks,
        scan: &Scan,
        places: &mut Vec<Option<Place>>,
    ) -> Option<u64> {
        let record = Record::of(blocks, self.record)?;
        let mut youngest = None;
        for entry in (0..record.count()).map(|index| record.entry(index)) {
            let place = entry.place(blocks);
            places.push(place);
            match entry.state(blocks, place) {
                State::Whole(place) => match scan.holder(entry.birth.epoch()?, record.death()) {
                    None => {
                        blocks.mark_dying(&place, entry.birth);
                        self.marked = Marked::Now;
                    }
                    pin => youngest = youngest.max(pin),
                },
                // By somebody before: who that knew of is forgotten.
                State::Dying(_) if self.marked == Marked::None => self.marked = Marked::Now,
                State::Dying(_) | State::Gone => {}
            }
        }
        youngest
    }

    /// With what a scan that began after the marking knows.
    fn sealed(self, scan: &Scan) -> Waiting {
        let marked = match self.marked {
            Marked::Now => Marked::By(scan.newest()),
            other => other,
        };
        Waiting { marked, ..self }
    }

    /// Frees the marked blocks that nobody can have got, by way of `lane`, and moves what is left to
    /// the record's front. Returns how many entries are gone and the youngest pin that marked ones
    /// wait for. `places` are those of this marking.
    fn free(
        &self,
        blocks: &Blocks,
        lane: &mut Lane,
        scan: &Scan,
        places: &[Option<Place>],
    ) -> (u64, Option<u64>) {
        let Some(record) = Record::of(blocks, self.record) else { return (0, None) };
        let (mut kept, mut youngest) = (0, None);
        for index in 0..record.count() {
            let entry = record.entry(index);
            let place = places.get(index as usize).copied().flatten();
            let stays = match (entry.state(blocks, place), self.marked) {
                (State::Gone, _) => false,
                (State::Dying(place), Marked::By(newest)) => {
                    let first = entry.birth.epoch().unwrap_or_default();
                    let holder = scan.reader(first, newest);
                    if holder.is_none() {
                        // Unless another lane did: a block that was retired twice.
                        lane.free(blocks, place, entry.birth.dying());
                    }
                    youngest = youngest.max(holder);
                    holder.is_some()
                }
                (State::Whole(_) | State::Dying(_), _) => true,
            };
            if stays {
                if kept != index {
                    record.put(kept, entry);
                }
                kept += 1;
            }
        }
        let gone = record.count() - kept;
        record.word(COUNT).store(kept, Ordering::Release);
        (gone, youngest)
    }
}

/// A retired block, and when it was born.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Addr,
    birth: Birth,
}

/// What has become of a retired block.
enum State {
    Whole(Place),
    Dying(Place),
    /// Freed before; whatever is there now is another one.
    Gone,
}

impl Entry {
    #[inline]
    fn place(&self, blocks: &Blocks) -> Option<Place> {
        blocks.place_small(self.at).or_else(|| blocks.locate(self.at).ok())
    }

    #[inline]
    fn state(&self, blocks: &Blocks, place: Option<Place>) -> State {
        let Some(place) = place else { return State::Gone };
        match blocks.birth(&place) {
            _ if self.birth.epoch().is_none() => State::Gone, // damaged
            birth if birth == self.birth => State::Whole(place),
            birth if birth == self.birth.dying() => State::Dying(place),
            _ => State::Gone,
        }
    }
}

/// The words of a record.
struct Record<'b> {
    blocks: &'b Blocks,
    at: u64,
}

impl Record<'_> {
    fn of(blocks: &Blocks, at: Addr) -> Option<Record<'_>> {
        checked(blocks, at).map(|place| Record { blocks, at: place.at })
    }

    fn word(&self, offset: u64) -> &AtomicU64 {
        self.blocks.region().word(self.at + offset)
    }

    fn death(&self) -> u64 {
        self.word(DEATH).load(Ordering::Relaxed)
    }

    fn count(&self) -> u64 {
        self.word(COUNT).load(Ordering::Relaxed)
    }

    fn entry(&self, index: u64) -> Entry {
        let word = |offset| self.word(ENTRIES + index * ENTRY + offset).load(Ordering::Relaxed);
        Entry { at: Addr::from_raw(word(0)), birth: Birth(word(8)) }
    }

    fn put(&self, index: u64, entry: Entry) {
        let at = ENTRIES + index * ENTRY;
        self.word(at).store(entry.at.raw(), Ordering::Relaxed);
        self.word(at + 8).store(entry.birth.0, Ordering::Relaxed);
    }
}

impl Lane {
    /// Writes records of what the running transaction retires, in front of the lane's list but not
    /// yet in it. Returns the first of them.
    pub(crate) fn write_records(
        &mut self,
        blocks: &Blocks,
        own: Birth,
        death: u64,
    ) -> Result<Addr, Error> {
        let mut next = self.word(blocks, lane::RETIRED).load(Ordering::Relaxed);
        let retired = std::mem::take(&mut self.retired);
        for entries in retired.chunks(ENTRIES_MAX) {
            let bytes = ENTRIES + entries.len() as u64 * ENTRY;
            let record = self.alloc(blocks, bytes, own.record())?;
            let at = record.raw();
            let word = |offset: u64| blocks.region().word(at + offset);
            word(DEATH).store(death, Ordering::Relaxed);
            word(COUNT).store(entries.len() as u64, Ordering::Relaxed);
            word(NEXT).store(next, Ordering::Relaxed);
            for ((address, birth), offset) in entries.iter().zip((ENTRIES..).step_by(16)) {
                word(offset).store(address.raw(), Ordering::Relaxed);
                word(offset + 8).store(birth.0, Ordering::Relaxed);
            }
            next = at;
        }
        self.retired = retired;
        Ok(if self.retired.is_empty() { Addr::NONE } else { Addr::from_raw(next) })
    }

    /// Puts the records that begin with `first` into the list: their commit has happened.
    pub(crate) fn link_records(&mut self, blocks: &Blocks, first: Addr) {
        if first.is_none() {
            return;
        }
        let head = self.word(blocks, lane::RETIRED);
        let old = head.load(Ordering::Relaxed);
        head.store(first.raw(), Ordering::Release);
        let (mut at, mut previous) = (first.raw(), 0);
        while at != old {
            blocks.region().word(at + PREVIOUS).store(previous, Ordering::Relaxed);
            self.fresh.push_back(Waiting::new(Addr::from_raw(at)));
            previous = at;
            at = blocks.region().word(at + NEXT).load(Ordering::Relaxed);
        }
        if old != 0 {
            blocks.region().word(old + PREVIOUS).store(previous, Ordering::Relaxed);
        }
        let retired = self.retired.len() as u64;
        self.fresh_blocks += retired;
        self.word(blocks, lane::PENDING).fetch_add(retired, Ordering::Relaxed);
    }

    /// Remembers the records of a lane that was just adopted. A damaged list ends where it is
    /// damaged: what it said is lost, which wastes room and harms nobody.
    pub(crate) fn find_records(&mut self, blocks: &Blocks) {
        let head = self.word(blocks, lane::RETIRED);
        let mut place = head;
        let mut previous = 0;
        let mut pending = 0;
        for record in records(blocks, Addr::from_raw(head.load(Ordering::Acquire))) {
            let region = blocks.region();
            region.word(record.at + PREVIOUS).store(previous, Ordering::Relaxed);
            self.fresh.push_front(Waiting::new(Addr::from_raw(record.at)));
            pending += region.word(record.at + COUNT).load(Ordering::Relaxed);
            previous = record.at;
            place = region.word(record.at + NEXT);
        }
        place.store(0, Ordering::Release);
        self.fresh_blocks = pending;
        self.word(blocks, lane::PENDING).store(pending, Ordering::Relaxed);
    }

    /// Whether enough waits to be worth a scan.
    #[inline]
    pub(crate) fn wants_reclaim(&self) -> bool {
        self.fresh.len() >= FRESH_RECORDS_MAX || self.fresh_blocks >= FRESH_BLOCKS_MAX
    }

    /// Whether something waits for a pin to end.
    pub(crate) fn is_held_up(&self) -> bool {
        !self.held.is_empty()
    }

    /// Frees what no pin holds. Every `scan` begins when it is asked for, after every death in the
    /// lane's list.
    pub(crate) fn reclaim(&mut self, blocks: &Blocks, scan: impl Fn() -> Scan) {
        let before = scan();
        let ended: Vec<u64> = self.held.keys().copied().filter(|pin| !before.holds(*pin)).collect();
        for pin in ended {
            self.fresh.extend(self.held.remove(&pin).unwrap_or_default());
        }
        let mut marked: Vec<_> = self.fresh.drain(..).collect();
        let mut places = Vec::with_capacity(self.fresh_blocks as usize);
        let holders: Vec<_> = marked
            .iter_mut()
            .map(|waiting| {
                let start = places.len();
                let holder = waiting.mark(blocks, &before, &mut places);
                (holder, start..places.len())
            })
            .collect();
        // Sees whoever got one of these blocks before it was marked (1).
        let after = scan();
        let mut freed = 0;
        for (waiting, (holder, range)) in marked.into_iter().zip(holders) {
            let waiting = waiting.sealed(&after);
            let (count, other) = waiting.free(blocks, self, &after, &places[range]);
            freed += count;
            match holder.max(other) {
                Some(pin) => self.held.entry(pin).or_default().push(waiting),
                None => self.unlink(blocks, waiting.record),
            }
        }
        self.fresh_blocks = 0;
        let pending = self.word(blocks, lane::PENDING);
        let _ = pending.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| {
            Some(old.saturating_sub(freed))
        });
    }

    fn unlink(&mut self, blocks: &Blocks, record: Addr) {
        let Some(place) = checked(blocks, record) else { return };
        let region = blocks.region();
        let next = region.word(place.at + NEXT).load(Ordering::Relaxed);
        let previous = region.word(place.at + PREVIOUS).load(Ordering::Relaxed);
        if previous == 0 {
            self.word(blocks, lane::RETIRED).store(next, Ordering::Release);
        } else if checked(blocks, Addr::from_raw(previous)).is_some() {
            region.word(previous + NEXT).store(next, Ordering::Release);
        }
        if next != 0 && checked(blocks, Addr::from_raw(next)).is_some() {
            region.word(next + PREVIOUS).store(previous, Ordering::Relaxed);
        }
        let birth = blocks.birth(&place);
        self.free(blocks, place, birth);
    }
}

/// A block that was made as a record and whose count fits it.
fn checked(blocks: &Blocks, record: Addr) -> Option<Place> {
    let place = blocks.locate(record).ok()?;
    blocks.birth(&place).is_record().then_some(())?;
    let count = blocks.region().word(place.at + COUNT).load(Ordering::Relaxed);
    let room = (u64::from(place.words) * 8).checked_sub(ENTRIES)? / ENTRY;
    (count <= room).then_some(place)
}

/// The records of a list, each at most once.
fn records(blocks: &Blocks, first: Addr) -> impl Iterator<Item = Place> + use<'_> {
    let mut seen = HashSet::new();
    let mut at = first;
    std::iter::from_fn(move || {
        let place = if at.is_none() { None } else { checked(blocks, at) }?;
        at = Addr::from_raw(blocks.region().word(place.at + NEXT).load(Ordering::Relaxed));
        seen.insert(place.at).then_some(place)
    })
}

/// Where a lane's list leads to that is no record, if it does.
pub(crate) fn broken(blocks: &Blocks, lane_number: u8) -> Option<Addr> {
    let head = blocks.region().word(crate::layout::lane_at(lane_number) + lane::RETIRED);
    let first = Addr::from_raw(head.load(Ordering::Acquire));
    let next = |place: Place| blocks.region().word(place.at + NEXT).load(Ordering::Relaxed);
    let last = records(blocks, first).last().map_or(first, |place| Addr::from_raw(next(place)));
    (!last.is_none()).then_some(last)
}

/// The records of a lane's list.
pub(crate) fn listed(blocks: &Blocks, lane_number: u8) -> HashSet<Addr> {
    let head = blocks.region().word(crate::layout::lane_at(lane_number) + lane::RETIRED);
    let first = Addr::from_raw(head.load(Ordering::Acquire));
    records(blocks, first).map(|place| Addr::from_raw(place.at)).collect()
}

/// Everything a lane's list still accounts for: the records themselves and what they name.
pub(crate) fn accounted(
    blocks: &Blocks,
    lane_number: u8,
    mut see: impl FnMut(Addr, Option<Birth>),
) {
    let head = blocks.region().word(crate::layout::lane_at(lane_number) + lane::RETIRED);
    for record in records(blocks, Addr::from_raw(head.load(Ordering::Acquire))) {
        see(Addr::from_raw(record.at), None);
        let word = |offset: u64| blocks.region().word(record.at + offset).load(Ordering::Relaxed);
        for index in 0..word(COUNT) {
            let at = ENTRIES + index * ENTRY;
            see(Addr::from_raw(word(at)), Some(Birth(word(at + 8))));
        }
    }
}
