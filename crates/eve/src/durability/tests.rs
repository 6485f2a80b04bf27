use super::*;
use crate::region::disk;
use crate::region::power::{after_power_loss, create, put};
use crate::region::tests::quick_folder;
use crate::structure::WordMap;
use crate::{Error, Recovery, Region};

fn get(slab: &Slab, key: u64) -> Option<u64> {
    let snapshot = slab.snapshot().unwrap();
    WordMap::from_root(snapshot.root()).get(&snapshot, &key).unwrap()
}

#[test]
fn a_commit_that_waits_for_its_checkpoint_survives_the_machine() {
    let folder = quick_folder();
    let (path, copy) = (folder.path().join("a.eve"), folder.path().join("b.eve"));
    let slab = create(&path, Durability::Checkpoint);
    disk::watch();
    for value in 1..40 {
        let epoch = put(&slab, 1, value).unwrap();
        let found = after_power_loss(&disk::image(), &copy);
        assert_eq!((get(&found, 1), found.commits()), (Some(value), epoch));
    }
}

#[test]
fn a_commit_that_waits_for_nothing_is_lost_with_the_machine_until_a_checkpoint() {
    let folder = quick_folder();
    let (path, copy) = (folder.path().join("a.eve"), folder.path().join("b.eve"));
    let slab = create(&path, Durability::None);
    disk::watch();
    put(&slab, 1, 1).unwrap();
    assert_eq!(disk::image(), [], "nothing was asked of the disk");
    slab.sync().unwrap();
    put(&slab, 1, 2).unwrap();
    let found = after_power_loss(&disk::image(), &copy);
    assert_eq!(found.recovery(), Recovery::Machine { epoch: 1 });
    assert_eq!(get(&found, 1), Some(1));
}

/// Both handles are of one slab: a commit that waits makes safe what others did not wait for.
#[test]
fn handles_of_both_kinds_work_side_by_side() {
    let folder = quick_folder();
    let path = folder.path().join("a.eve");
    let quick = create(&path, Durability::None);
    let careful = quick.with_durability(Durability::Checkpoint);
    assert_eq!(
        (quick.durability(), careful.durability()),
        (Durability::None, Durability::Checkpoint)
    );
    for value in 0..20 {
        put(&quick, 1, value).unwrap();
        assert_eq!(quick.status().checkpoint_epoch, value * 2);
        put(&careful, 2, value).unwrap();
        assert_eq!(quick.status().checkpoint_epoch, value * 2 + 2);
    }
}

/// The first thing asked of the disk is refused, then the second, and so on.
#[test]
fn a_commit_whose_checkpoint_is_refused_says_so_and_has_happened() {
    let in_a_thread_of_its_own = |n| std::thread::spawn(move || commit_refused_at(n)).join();
    let refused = (1..).take_while(|n| in_a_thread_of_its_own(*n).unwrap()).count();
    assert_eq!(refused, 2, "a checkpoint asks twice");
}

/// Whether the `n`-th thing that the second commit asks of the disk was refused.
fn commit_refused_at(n: u64) -> bool {
    let folder = quick_folder();
    let (path, copy) = (folder.path().join("a.eve"), folder.path().join("b.eve"));
    let slab = create(&path, Durability::Checkpoint);
    disk::watch();
    put(&slab, 1, 1).unwrap();
    disk::refuse(n);
    let outcome = put(&slab, 1, 2);
    let refused = disk::relent();
    assert_eq!(get(&slab, 1), Some(2), "everybody sees it");
    let saved = get(&after_power_loss(&disk::image(), &copy), 1);
    if !refused {
        outcome.unwrap();
        assert_eq!(saved, Some(2));
        return false;
    }
    assert!(matches!(outcome, Err(Error::NotDurable { epoch: 2, .. })), "{outcome:?}");
    assert_eq!(saved, Some(1), "the checkpoint before it counts");
    let mut txn = slab.begin().unwrap();
    let root = WordMap::from_root(txn.base()).insert(&mut txn, &1, 3).unwrap().0.root();
    let again = txn.commit(root);
    let said = matches!(&again, Err(CommitError::NotDurable { commit, .. }) if commit.epoch == 3);
    assert!(said, "this handle proves nothing any more: {again:?}");
    true
}

/// Another process wrote the record and did not live to flush it.
#[test]
fn a_record_that_was_never_flushed_is_flushed_before_it_counts() {
    let folder = quick_folder();
    let (path, copy) = (folder.path().join("a.eve"), folder.path().join("b.eve"));
    let slab = create(&path, Durability::None);
    let other = Slab::open(Region::open(&path).unwrap()).unwrap();
    disk::watch();
    put(&slab, 1, 1).unwrap();
    slab.sync().unwrap();
    put(&slab, 1, 2).unwrap();
    disk::refuse(2);
    assert!(slab.sync().is_err());
    assert!(disk::relent());
    assert_eq!(get(&after_power_loss(&disk::image(), &copy), 1), Some(1));
    assert_eq!(other.sync().unwrap(), 2, "nothing to write, but to flush");
    assert_eq!(get(&after_power_loss(&disk::image(), &copy), 1), Some(2));
}

/// Those who wait at the same time share checkpoints, and each is safe when its commit returns.
#[test]
fn commits_of_many_threads_are_each_safe_when_they_return() {
    const THREADS: u64 = 4;
    let folder = quick_folder();
    let slab = create(&folder.path().join("a.eve"), Durability::Checkpoint);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let slab = &slab;
            scope.spawn(move || {
                for value in 0..50 {
                    let epoch = put(slab, thread, value).unwrap();
                    assert!(slab.status().checkpoint_epoch >= epoch);
                }
            });
        }
    });
    assert_eq!(slab.commits(), THREADS * 50);
}

#[test]
fn memory_has_no_machine_to_survive() {
    let slab = Slab::create(Region::anonymous(1 << 24).unwrap()).unwrap();
    let careful = slab.with_durability(Durability::Checkpoint);
    assert_eq!(put(&careful, 1, 1).unwrap(), 1);
}
