use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::*;
use crate::region::disk;
use crate::region::power::{self, stopped};
use crate::region::tests::quick_folder;
use crate::structure::WordMap;
use crate::{Durability, Marks, Recovery, Snapshot};

fn create(path: &Path) -> Slab {
    power::create(path, Durability::None)
}

fn set(slab: &Slab, key: u64, value: u64) {
    power::put(slab, key, value).unwrap();
}

fn content(snapshot: &Snapshot) -> BTreeMap<u64, u64> {
    WordMap::from_root(snapshot.root()).iter(snapshot).map(Result::unwrap).collect()
}

fn trace(snapshot: &Snapshot, root: Addr, marks: &mut Marks<'_>) -> Result<(), Error> {
    WordMap::from_root(root).trace(snapshot, &mut |at| marks.mark(at).unwrap())
}

#[test]
fn a_region_left_in_order_opens_as_it_was_on_any_boot() {
    let folder = quick_folder();
    let path = folder.path().join("a.eve");
    let slab = create(&path);
    set(&slab, 1, 1);
    drop(slab);
    let mut image = fs::read(&path).unwrap();
    let boot = page::BOOT as usize;
    image[boot..boot + 8].fill(0x5a);
    fs::write(&path, image).unwrap();
    let slab = Slab::open(Region::open(&path).unwrap()).unwrap();
    assert_eq!(slab.recovery(), Recovery::None);
    assert_eq!(content(&slab.snapshot().unwrap()), BTreeMap::from([(1, 1)]));
}

#[test]
fn without_a_checkpoint_a_stopped_machine_leaves_nothing() {
    let folder = quick_folder();
    let (path, copy) = (folder.path().join("a.eve"), folder.path().join("b.eve"));
    let slab = create(&path);
    set(&slab, 1, 1);
    fs::write(&copy, stopped(fs::read(&path).unwrap())).unwrap();
    let slab = Slab::open_with(Region::open(&copy).unwrap(), trace).unwrap();
    assert_eq!(slab.recovery(), Recovery::Machine { epoch: 0 });
    assert_eq!((slab.commits(), slab.stats().blocks), (0, 0));
    set(&slab, 2, 2);
    assert_eq!(content(&slab.snapshot().unwrap()), BTreeMap::from([(2, 2)]));
}

/// The disk holds everything of the moment of the checkpoint, and of what was written after it any
/// pages at all: the version of the checkpoint is there, and work goes on.
#[test]
fn any_subset_of_later_pages_leaves_the_checkpoint_whole() {
    const IMAGES: u64 = 48;
    let folder = quick_folder();
    let (path, copy) = (folder.path().join("a.eve"), folder.path().join("b.eve"));
    let slab = create(&path);
    let mut next = power::random();
    for round in 0..500 {
        set(&slab, round % 200, round);
    }
    for image in 0..IMAGES {
        let epoch = slab.sync().unwrap();
        assert_eq!(epoch, slab.commits());
        let saved = content(&slab.snapshot().unwrap());
        let durable = fs::read(&path).unwrap();
        for _ in 0..next() % 300 {
            set(&slab, next() % 200, next());
        }
        let mut disk = fs::read(&path).unwrap();
        for (page, then) in disk.chunks_mut(4096).zip(durable.chunks(4096)) {
            if next() % 4 < image % 4 {
                page.copy_from_slice(then);
            }
        }
        fs::write(&copy, stopped(disk)).unwrap();
        let opened = if image % 2 == 0 {
            Slab::open_with(Region::open(&copy).unwrap(), trace)
        } else {
            Slab::open(Region::open(&copy).unwrap())
        };
        let opened = opened.unwrap();
        assert_eq!(opened.recovery(), Recovery::Machine { epoch });
        let held = opened.snapshot().unwrap();
        assert_eq!(content(&held), saved);
        if image % 2 == 0 {
            assert_eq!(opened.verify(trace).unwrap().leaked_blocks, Some(0));
        }
        for round in 0..300 {
            set(&opened, round % 200, round);
        }
        assert_eq!(content(&held), saved, "image {image}");
        opened.verify(trace).unwrap();
    }
}

#[test]
fn a_torn_record_leaves_the_older_one() {
    let folder = quick_folder();
    let (path, copy) = (folder.path().join("a.eve"), folder.path().join("b.eve"));
    let slab = create(&path);
    set(&slab, 1, 1);
    assert_eq!(slab.sync().unwrap(), 1);
    let before = fs::read(&path).unwrap();
    set(&slab, 1, 2);
    assert_eq!(slab.sync().unwrap(), 2);
    // Half of the second record got to the disk.
    let mut image = before;
    let record = page::CHECKPOINT_B as usize;
    image[record..record + 16].copy_from_slice(&fs::read(&path).unwrap()[record..record + 16]);
    fs::write(&copy, stopped(image)).unwrap();
    let opened = Slab::open(Region::open(&copy).unwrap()).unwrap();
    assert_eq!(opened.recovery(), Recovery::Machine { epoch: 1 });
    assert_eq!(content(&opened.snapshot().unwrap()), BTreeMap::from([(1, 1)]));
}

#[test]
fn a_file_that_had_not_grown_on_the_disk_yet_grows_again() {
    let folder = quick_folder();
    let (path, copy) = (folder.path().join("a.eve"), folder.path().join("b.eve"));
    let slab = create(&path);
    set(&slab, 1, 1);
    slab.sync().unwrap();
    let small = fs::metadata(&path).unwrap().len();
    drop(slab.allocate(20 << 20).unwrap());
    let mut image = stopped(fs::read(&path).unwrap());
    assert!(image.len() as u64 > small);
    image.truncate(small as usize);
    fs::write(&copy, &image).unwrap();
    let opened = Slab::open(Region::open(&copy).unwrap()).unwrap();
    assert_eq!(content(&opened.snapshot().unwrap()), BTreeMap::from([(1, 1)]));
    drop(opened.allocate(20 << 20).unwrap());

    image.truncate(840 << 10); // less than the checkpoint needs
    fs::write(&copy, &image).unwrap();
    assert!(matches!(Region::open(&copy), Err(Error::Header { .. })));
}

#[test]
fn memory_has_nothing_to_save() {
    let slab = Slab::create(Region::anonymous(1 << 24).unwrap()).unwrap();
    set(&slab, 1, 1);
    assert_eq!(slab.sync().unwrap(), 1);
}

#[test]
fn a_checkpoint_that_got_no_pin_leaves_others_to_write_theirs() {
    let folder = quick_folder();
    let path = folder.path().join("a.eve");
    let slab = create(&path);
    let mut held = Vec::new();
    while let Ok(snapshot) = slab.snapshot() {
        held.push(snapshot);
        match slab.begin() {
            Ok(txn) => drop(txn.commit(Addr::NONE).unwrap()),
            Err(_) => break,
        }
    }
    set(&Slab::open(Region::open(&path).unwrap()).unwrap(), 1, 1);
    assert!(matches!(slab.sync(), Err(Error::PinsFull { .. })));
    let other = Slab::open(Region::open(&path).unwrap()).unwrap();
    assert_eq!(Lease::Checkpoint.try_take(other.region()), Some(true), "nobody holds it");
    Lease::Checkpoint.give_back(other.region());
    assert_eq!(other.sync().unwrap(), other.commits());
}

/// Killed between pinning the version and writing the record.
#[test]
fn a_pin_without_its_record_is_no_damage() {
    let folder = quick_folder();
    let path = folder.path().join("a.eve");
    let slab = create(&path);
    set(&slab, 1, 1);
    slab.sync().unwrap();
    set(&slab, 1, 2);
    let pins = slab.region().atomics(page::CHECKPOINT_PINS, 2);
    pins[1].store(2, Ordering::Release);
    slab.verify(trace).unwrap();
    pins[0].store(0, Ordering::Release);
    assert!(slab.verify(trace).is_err(), "a record that counts is pinned");
}

/// The disk keeps what page 0 said when it was last disk, and everything else as it came to be.
#[test]
fn a_region_that_was_in_order_is_in_use_on_the_disk_before_anything_changes() {
    let folder = quick_folder();
    let (path, copy) = (folder.path().join("a.eve"), folder.path().join("b.eve"));
    let slab = create(&path);
    set(&slab, 1, 1);
    drop(slab);
    let clean = fs::read(&path).unwrap();
    disk::watch();
    let slab = Slab::open(Region::open(&path).unwrap()).unwrap();
    for value in 2..200 {
        set(&slab, 1, value);
    }
    let mut image = fs::read(&path).unwrap();
    let page_0 = if disk::image().is_empty() { clean } else { disk::image() };
    image[..PAGE as usize].copy_from_slice(&page_0[..PAGE as usize]);
    image[page::BOOT as usize..page::BOOT as usize + 8].fill(0x5a);
    fs::write(&copy, image).unwrap();
    let opened = Slab::open(Region::open(&copy).unwrap()).unwrap();
    assert_eq!(opened.recovery(), Recovery::Machine { epoch: 1 });
    for value in 1000..1200 {
        set(&opened, value % 7 + 1, value);
        opened.sync().unwrap();
        opened.reclaim().unwrap();
        opened.verify(trace).unwrap();
    }
}

#[test]
fn a_region_is_in_order_only_when_all_of_it_is_on_the_disk() {
    let folder = quick_folder();
    let path = folder.path().join("a.eve");
    let slab = create(&path);
    set(&slab, 1, 1);
    slab.sync().unwrap();
    drop(slab.allocate(100_000).unwrap()); // changes what no later checkpoint is needed for
    disk::watch();
    drop(slab);
    let (last, mut now) = (disk::image(), fs::read(&path).unwrap());
    assert_eq!(now[page::CLEAN as usize], 1);
    now[page::CLEAN as usize] = 0;
    assert!(last == now, "nothing else changed after it was flushed");
}
