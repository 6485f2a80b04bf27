use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::*;
use crate::region::disk;
use crate::region::power::{after_power_loss, create, put, random, stopped};
use crate::region::tests::quick_folder;
use crate::structure::WordMap;
use crate::{Durability, Error, Read, Recovery, Slab, View};

const PAGE: usize = 4096;

fn set(slab: &Slab, key: u64, value: u64) {
    put(slab, key, value).unwrap();
}

fn content<R: Read>(reader: &R, root: Addr) -> BTreeMap<u64, u64> {
    WordMap::from_root(root).iter(reader).map(Result::unwrap).collect()
}

fn newest(slab: &Slab) -> BTreeMap<u64, u64> {
    let snapshot = slab.snapshot().unwrap();
    content(&snapshot, snapshot.root())
}

/// A slab with content whose next small commit goes to the disk in one flush.
fn settled(path: &Path) -> Slab {
    let slab = create(path, Durability::Checkpoint);
    (0..200).for_each(|key| set(&slab, key, key));
    slab
}

/// The record of the newest checkpoint.
fn record(slab: &Slab) -> Checkpoint {
    Checkpoint::newest(slab.region()).unwrap().1
}

#[test]
fn a_small_commit_that_waits_names_its_blocks_and_is_flushed_once() {
    let folder = quick_folder();
    let slab = settled(&folder.path().join("a.eve"));
    disk::watch();
    set(&slab, 7, 1);
    assert!(!record(&slab).vouched.is_empty());
    assert_eq!(disk::flushes(), 1);
}

#[test]
fn a_commit_with_more_blocks_than_a_record_has_room_for_names_none() {
    let folder = quick_folder();
    let slab = settled(&folder.path().join("a.eve"));
    disk::watch();
    let made = slab.swap(|txn| {
        let mut map = WordMap::from_root(txn.base());
        for key in 0..2000 {
            map = map.insert(txn, &key, 1)?.0;
        }
        Ok::<_, Error>((map.root(), ()))
    });
    made.unwrap();
    assert!(record(&slab).vouched.is_empty());
    assert_eq!(disk::flushes(), 2);
}

#[test]
fn a_commit_after_one_that_does_not_wait_names_no_blocks() {
    let folder = quick_folder();
    let slab = settled(&folder.path().join("a.eve"));
    set(&slab.with_durability(Durability::None), 7, 1);
    set(&slab, 7, 2);
    assert!(record(&slab).vouched.is_empty());
    set(&slab, 7, 3);
    assert!(!record(&slab).vouched.is_empty());
}

/// The machine stops within the one flush: of what it was to write, any pages are on the disk.
#[test]
fn any_subset_of_the_pages_of_one_flush_is_the_version_before_or_after_it() {
    let folder = quick_folder();
    let (path, copy) = (folder.path().join("a.eve"), folder.path().join("b.eve"));
    let slab = settled(&path);
    let mut next = random();
    let mut seen = [0, 0];
    for round in 0..24 {
        let (before, saved) = (fs::read(&path).unwrap(), newest(&slab));
        set(&slab, next() % 200, 1000 + round);
        assert!(!record(&slab).vouched.is_empty());
        let (after, made) = (fs::read(&path).unwrap(), newest(&slab));
        let pages = before.chunks(PAGE).zip(after.chunks(PAGE));
        let changed: Vec<usize> =
            (0..).zip(pages).filter(|(_, (old, new))| old != new).map(|(page, _)| page).collect();
        // Each page alone is missing, none is, and any are.
        let missing = changed.iter().map(|page| vec![*page]).chain([Vec::new()]);
        let any =
            (0..4).map(|_| changed.iter().copied().filter(|_| next().is_multiple_of(2)).collect());
        for missing in missing.chain(any.collect::<Vec<Vec<usize>>>()) {
            let mut image = after.clone();
            for page in &missing {
                let page = page * PAGE..(page + 1) * PAGE;
                image[page.clone()].copy_from_slice(&before[page]);
            }
            let found = after_power_loss(&image, &copy).with_durability(Durability::Checkpoint);
            let version = newest(&found);
            assert!(version == saved || version == made, "round {round}, without {missing:?}");
            assert!(!missing.is_empty() || version == made, "all of it was there");
            seen[usize::from(version == made)] += 1;
            // What was not there is not found later, either.
            (0..20).for_each(|key| set(&found, key, round));
            let work = newest(&found);
            let again = after_power_loss(&fs::read(&copy).unwrap(), &folder.path().join("c.eve"));
            assert_eq!(newest(&again), work);
        }
    }
    assert!(seen.iter().all(|times| *times > 24), "{seen:?}");
}

#[test]
fn who_only_looks_at_a_stopped_machine_sees_the_record_whose_blocks_are_there() {
    let folder = quick_folder();
    let (path, copy) = (folder.path().join("a.eve"), folder.path().join("b.eve"));
    let slab = settled(&path);
    let (before, saved) = (fs::read(&path).unwrap(), newest(&slab));
    set(&slab, 7, 1);
    // Of the flush only the first page got to the disk.
    let mut image = before;
    image[..PAGE].copy_from_slice(&fs::read(&path).unwrap()[..PAGE]);
    fs::write(&copy, stopped(image)).unwrap();
    let view = View::open(&copy).unwrap();
    assert_eq!(content(&view, view.root()), saved);
    drop(view);
    let opened = Slab::open(Region::open(&copy).unwrap()).unwrap();
    assert_eq!(opened.recovery(), Recovery::Machine { epoch: 200 });
}

/// Killed between writing a record with blocks and flushing it: who comes next flushes all of it.
#[test]
fn a_record_with_blocks_that_was_never_flushed_is_flushed_with_them() {
    let folder = quick_folder();
    let (path, copy) = (folder.path().join("a.eve"), folder.path().join("b.eve"));
    let slab = settled(&path);
    set(&slab, 7, 1);
    let epoch = slab.commits();
    slab.region().word(page::SAVED).store(epoch - 1, Ordering::Release);
    disk::watch();
    assert_eq!(slab.sync().unwrap(), epoch);
    assert_eq!(newest(&after_power_loss(&disk::image(), &copy)), newest(&slab));
}
