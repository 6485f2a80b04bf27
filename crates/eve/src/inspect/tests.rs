use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::*;
use crate::layout::{lane_at, page, slot_at};
use crate::region::tests::quick_folder;
use crate::structure::WordMap;
use crate::{Options, Slab, Snapshot, Write};

fn create(path: &Path) -> Slab {
    let options = Options { limit_bytes: 64 << 20, ..Options::default() };
    Slab::create(Region::create(path, &options).unwrap()).unwrap()
}

fn set(slab: &Slab, key: u64, value: u64) {
    let made = slab.swap(|txn| {
        let map = WordMap::from_root(txn.base()).insert(txn, &key, value)?.0;
        Ok::<_, Error>((map.root(), ()))
    });
    made.unwrap();
}

fn says(path: &Path, part: &str) {
    let problems = Inspection::open(path).unwrap().problems();
    let said = problems.iter().any(|problem| problem.what.contains(part));
    assert!(said, "{part}: {problems:?}");
}

/// Every kind of block, a held version, a checkpoint, a view.
fn busy(path: &Path) -> (Slab, Snapshot) {
    let slab = create(path);
    set(&slab, 0, 0);
    let held = slab.snapshot().unwrap();
    for key in 0..200 {
        set(&slab, key, key);
    }
    slab.sync().unwrap();
    let _ = slab.allocate(100_000).unwrap().send();
    let _ = slab.share(100).unwrap();
    (slab, held)
}

#[test]
fn the_overview_counts_what_the_slab_counts() {
    let folder = quick_folder();
    let path = folder.path().join("a.eve");
    let (slab, held) = busy(&path);
    let view = crate::View::open(&path).unwrap();
    let (overview, stats) = (Inspection::open(&path).unwrap().overview(), slab.stats());
    let sum = |of: fn(&ClassUse) -> u64| overview.classes.iter().map(of).sum::<u64>();
    assert_eq!(sum(|class| class.live + class.retired) + overview.large.0, stats.blocks);
    let room = sum(|class| (class.live + class.retired) * class.block_bytes) + overview.large.1;
    assert_eq!(room, stats.block_bytes);
    assert!(sum(|class| class.retired) >= stats.retired_blocks && stats.retired_blocks > 0);
    assert_eq!((overview.epoch, overview.condition), (201, Condition::InUse));
    assert_eq!(overview.used_bytes, stats.used_bytes);
    let oldest = overview.oldest_pin().unwrap();
    assert_eq!((oldest.pid, oldest.lives), (std::process::id(), true));
    assert_eq!((oldest.oldest, oldest.commits_ago), (Some(held.epoch()), Some(200)));
    assert_eq!(oldest.retired_blocks, stats.retired_blocks);
    let [saved] = overview.checkpoints[..] else { panic!("{:?}", overview.checkpoints) };
    assert!(saved.epoch == 201 && saved.saved && saved.newest);
    assert_eq!(overview.offers, [Offered { epoch: 201, looked_at: true }]);
    drop((view, held, slab));
    let overview = Inspection::open(&path).unwrap().overview();
    assert_eq!((overview.condition, overview.attachments.len()), (Condition::InOrder, 0));
}

#[test]
fn every_block_is_shown_with_what_it_is() {
    let folder = quick_folder();
    let path = folder.path().join("a.eve");
    let (slab, _held) = busy(&path);
    let letter = slab.allocate(5).unwrap();
    let mut txn = slab.begin().unwrap();
    let own = txn.alloc(24).unwrap();
    txn.words_mut(own).unwrap()[0] = 7;
    let inspection = Inspection::open(&path).unwrap();
    let blocks: Vec<Block> = inspection.blocks(0..u64::MAX).collect();
    assert_eq!(blocks.len() as u64, slab.stats().blocks);
    for kind in [Kind::Version, Kind::Record, Kind::Shared, Kind::Held, Kind::Sent] {
        assert!(blocks.iter().any(|block| block.kind == kind), "{kind:?}");
    }
    let shown = blocks.iter().find(|block| block.at == own).unwrap();
    assert_eq!((shown.kind, shown.epoch, shown.room_bytes), (Kind::Version, Some(202), 32));
    assert_eq!(inspection.words(own, 2).unwrap(), [7, 0]);
    assert_eq!(inspection.words(own, u64::MAX).unwrap().len(), 4);
    let range = own.raw()..own.raw() + 1;
    assert_eq!(inspection.blocks(range).collect::<Vec<_>>(), [*shown]);
    let sent = blocks.iter().find(|block| block.kind == Kind::Sent).unwrap();
    assert_eq!((sent.large, sent.length_bytes), (true, Some(100_000)));
    drop((letter, txn));
}

#[test]
fn a_region_at_work_has_no_problems() {
    let folder = quick_folder();
    let path = folder.path().join("a.eve");
    let slab = create(&path);
    let inspection = Inspection::open(&path).unwrap();
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            for round in 0..3000 {
                set(&slab, round % 300, round);
                drop(slab.allocate((round * 997 % 90_000) as usize).unwrap());
            }
        });
        while !worker.is_finished() {
            assert_eq!(inspection.problems(), []);
        }
    });
    drop(slab);
    assert_eq!(Inspection::open(&path).unwrap().problems(), []);
}

#[test]
fn each_kind_of_damage_is_said() {
    let folder = quick_folder();
    let (path, copy) = (folder.path().join("a.eve"), folder.path().join("b.eve"));
    let (slab, _held) = busy(&path);
    let image = fs::read(&path).unwrap();
    let inspection = Inspection::open(&path).unwrap();
    let (small, _) = inspection.births(0..u64::MAX).next().unwrap();
    let large = inspection.blocks(0..u64::MAX).find(|block| block.large).unwrap();
    let large = ChunkId::holding(large.at.raw());
    let record = slab.region().word(lane_at(0) + crate::layout::lane::RETIRED);
    let cases = [
        (page::ROOT, 5, "root word whose cell"),
        (page::CHECKPOINT_A, 1, "checkpoint records without"),
        (page::CHECKPOINT_PINS, 1, "not pinned"),
        (slot_at(3) + crate::layout::slot::PINS, 1 << 40, "a pin of an epoch"),
        (lane_at(9), 1000, "owner is no slot"),
        (ChunkId(3).entry(), 2, "cannot have blocks"),
        (ChunkId::holding(small.at).entry(), 77, "of no kind"),
        (large.entry(), 0, "beginning is not there"),
        (large.plus(1).entry(), 0, "not all its own"),
        (ChunkId::holding(small.at).start() + chunk::BIRTHS, 200 << 56, "block of no kind"),
        (ChunkId::holding(small.at).start() + chunk::BIRTHS, 1 << 40, "epoch that has not been"),
        (large.start() + chunk::BIRTHS, 0xff << 56 | 1 << 30, "longer than its block"),
        (crate::layout::STACKS, large.0.into(), "another class"),
        (crate::layout::STACKS, ChunkId::holding(small.at).0.into(), "class"),
        (record.load(Ordering::Acquire) + 16, 12_345, "no record"),
    ];
    for (at, word, part) in cases {
        fs::write(&copy, &image).unwrap();
        let file = fs::File::options().write(true).open(&copy).unwrap();
        file.write_all_at(&u64::to_le_bytes(word), at).unwrap();
        says(&copy, part);
    }
    fs::write(&copy, &image).unwrap();
    assert_eq!(Inspection::open(&copy).unwrap().problems(), []);
}

/// Whatever a file holds, looking at it is an answer or an error.
#[test]
fn nothing_that_a_file_holds_breaks_an_inspection() {
    let folder = quick_folder();
    let (path, copy) = (folder.path().join("a.eve"), folder.path().join("b.eve"));
    drop(busy(&path));
    let image = fs::read(&path).unwrap();
    let filled = (0..image.len()).step_by(8).filter(|at| image[*at..*at + 8] != [0; 8]);
    let mut opened = 0;
    for (at, turn) in filled.step_by(61).zip(0_usize..) {
        let mut damaged = image.clone();
        match turn % 3 {
            0 => damaged[at + turn % 8] ^= 1 << (turn / 8 % 8),
            1 => damaged[at..at + 8].fill(0xff),
            _ => damaged.truncate(at.max(2 << 20)),
        }
        damaged[page::CLEAN as usize] = (turn % 2) as u8;
        fs::write(&copy, &damaged).unwrap();
        let Ok(inspection) = Inspection::open(&copy) else { continue };
        opened += 1;
        let _ = (inspection.overview(), inspection.problems());
        for block in inspection.blocks(0..u64::MAX) {
            let _ = inspection.words(block.at, 10);
        }
    }
    assert!(opened > 50, "{opened}");
}
