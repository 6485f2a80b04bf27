use std::collections::BTreeMap;
use std::sync::Barrier;

use super::*;
use crate::region::tests::{quick_folder, trace};
use crate::structure::WordMap;
use crate::{Options, Read, Write};

fn memory() -> Slab {
    Slab::create(Region::anonymous(1 << 30).unwrap()).unwrap()
}

fn set(slab: &Slab, changes: &[(u64, u64)]) -> Commit {
    let made = slab.swap(|txn| {
        let mut map = WordMap::from_root(txn.base());
        for (key, value) in changes {
            map = map.insert(txn, key, *value)?.0;
        }
        Ok::<_, Error>((map.root(), ()))
    });
    made.unwrap().0
}

fn content(snapshot: &Snapshot) -> BTreeMap<u64, u64> {
    let map = WordMap::from_root(snapshot.root());
    map.iter(snapshot).map(Result::unwrap).collect()
}

/// Everything is accounted for, nothing twice.
fn assert_whole(slab: &Slab) -> crate::Verification {
    let found = slab.verify(trace).unwrap();
    assert_eq!(found.leaked_blocks, Some(0), "{found:?}");
    found
}

#[test]
fn a_new_slab_is_empty_at_epoch_0() {
    let slab = memory();
    let snapshot = slab.snapshot().unwrap();
    assert_eq!((slab.commits(), snapshot.epoch(), snapshot.root()), (0, 0, Addr::NONE));
    assert_eq!(slab.recovery(), Recovery::None);
}

#[test]
fn a_commit_is_seen_by_later_snapshots_and_not_by_earlier_ones() {
    let slab = memory();
    let before = slab.snapshot().unwrap();
    assert_eq!(set(&slab, &[(1, 10)]).epoch, 1);
    let after = slab.snapshot().unwrap();
    assert_eq!(content(&before), BTreeMap::new());
    assert_eq!(content(&after), BTreeMap::from([(1, 10)]));
    assert_eq!((before.epoch(), after.epoch()), (0, 1));
}

#[test]
fn of_two_transactions_on_one_version_one_commits_and_the_other_leaves_nothing() {
    let slab = memory();
    set(&slab, &[(1, 1)]);
    let mut one = slab.begin().unwrap();
    let mut two = slab.begin().unwrap();
    let first = WordMap::from_root(one.base()).insert(&mut one, &1, 2).unwrap().0;
    let second = WordMap::from_root(two.base()).insert(&mut two, &1, 3).unwrap().0;
    assert_eq!(one.commit(first.root()).unwrap().epoch, 2);
    assert!(matches!(two.commit(second.root()), Err(CommitError::Conflict)));
    assert_eq!(content(&slab.snapshot().unwrap()), BTreeMap::from([(1, 2)]));
    assert_whole(&slab);
}

#[test]
fn a_dropped_transaction_leaves_nothing() {
    let slab = memory();
    set(&slab, &[(1, 1)]);
    let blocks = slab.stats().blocks;
    let mut txn = slab.begin().unwrap();
    for bytes in [1, 100, 5000, 40_000, 300_000] {
        txn.alloc(bytes).unwrap();
    }
    let freed = txn.alloc(64).unwrap();
    txn.retire(freed);
    txn.alloc(64).unwrap();
    drop(txn);
    assert_eq!(slab.stats().blocks, blocks);
    assert_whole(&slab);
}

#[test]
fn blocks_are_zeroed_and_as_long_as_their_class() {
    let slab = memory();
    for _ in 0..3 {
        let mut txn = slab.begin().unwrap();
        for bytes in [0, 1, 16, 17, 255, 257, 4000, 16_385, 32_641, 65_408, 65_409, 1_000_000] {
            let at = txn.alloc(bytes).unwrap();
            let block = txn.words_mut(at).unwrap();
            assert!(block.len() * 8 >= bytes);
            assert!(block.iter().all(|word| *word == 0), "{bytes}");
            block.fill(u64::MAX);
        }
    }
}

#[test]
fn only_blocks_of_the_running_transaction_can_be_written() {
    let slab = memory();
    let mut txn = slab.begin().unwrap();
    let at = txn.alloc(16).unwrap();
    txn.words_mut(at).unwrap()[0] = 7;
    let mut other = slab.begin().unwrap();
    assert!(other.words_mut(at).is_none());
    assert!(other.words(at).is_err(), "not published");
    txn.commit(at).unwrap();
    assert!(other.words(at).is_err(), "published after it began");
    drop(other);
    let mut later = slab.begin().unwrap();
    assert_eq!(later.words(at).unwrap()[0], 7);
    assert!(later.words_mut(at).is_none());
    later.retire(at);
    later.commit(Addr::NONE).unwrap();
}

#[test]
fn an_address_that_is_no_block_is_an_error_wherever_it_points() {
    let slab = memory();
    set(&slab, &[(1, 1)]);
    let large = {
        let mut txn = slab.begin().unwrap();
        let at = txn.alloc(200_000).unwrap();
        let words = txn.words_mut(at).unwrap();
        words.fill(0x0202_0202_0202_0202); // looks like directory words and headers
        txn.commit(at).unwrap();
        at
    };
    let snapshot = slab.snapshot().unwrap();
    let end = slab.stats().used_bytes;
    let mut blocks = 0;
    let near = (0..end).step_by(16).chain([1, 8, end, 1 << 30, 1 << 40, u64::MAX - 15, u64::MAX]);
    for raw in near {
        if snapshot.words(Addr::from_raw(raw)).is_ok() {
            blocks += 1;
            assert!(raw <= large.raw() || raw > large.raw() + 200_000, "{raw:#x}");
        }
    }
    assert!((1..8).contains(&blocks), "{blocks}");
}

#[test]
fn a_renewed_block_is_made_of_the_one_that_it_takes_the_place_of() {
    let slab = memory();
    let mut txn = slab.begin().unwrap();
    let first = txn.alloc(64).unwrap();
    txn.words_mut(first).unwrap()[0] = 7;
    txn.commit(first).unwrap();
    let mut txn = slab.begin().unwrap();
    let mut add = |old: &[u64], new: &mut [u64]| -> Result<(), Error> {
        new.fill(0);
        new[0] = old[0] + 1;
        Ok(())
    };
    let second = txn.renew(first, 9, &mut add).unwrap();
    let third = txn.renew(second, 4, &mut add).unwrap();
    assert_eq!((txn.words(first).unwrap()[0], txn.words(third).unwrap()[0]), (7, 9));
    assert!(txn.words(second).is_err(), "a block of the transaction goes at once");
    let nowhere = Addr::from_raw(first.raw() + 16);
    assert!(txn.renew(nowhere, 4, &mut add).is_err());
    let before = slab.snapshot().unwrap();
    txn.commit(third).unwrap();
    assert_eq!(before.words(first).unwrap()[0], 7);
    drop(before);
    let found = slab.verify(|_, root, marks| marks.mark(root).map(drop));
    assert_eq!(found.unwrap().leaked_blocks, Some(0));
}

#[test]
fn copies_between_blocks_keep_to_both() {
    let slab = memory();
    let mut txn = slab.begin().unwrap();
    let (one, two) = (txn.alloc(32).unwrap(), txn.alloc(32).unwrap());
    txn.words_mut(one).unwrap().copy_from_slice(&[1, 2, 3, 4]);
    txn.copy(one, 1..3, two, 2).unwrap();
    assert_eq!(txn.words(two).unwrap(), [0, 0, 2, 3]);
    txn.copy(one, 0..3, one, 1).unwrap();
    assert_eq!(txn.words(one).unwrap(), [1, 1, 2, 3]);
    assert!(txn.copy(one, 0..5, two, 0).is_err());
    assert!(txn.copy(one, 0..4, two, 1).is_err());
    assert!(txn.copy(one, 0..2, two, usize::MAX).is_err());
    txn.commit(two).unwrap();
    let mut later = slab.begin().unwrap();
    assert!(later.copy(one, 0..1, two, 0).is_err(), "published");
}

/// The headline: what a snapshot shows never changes, whatever is committed after it.
#[test]
fn held_snapshots_never_change() {
    let slab = memory();
    let mut model: BTreeMap<u64, u64> = (0..200).map(|key| (key, key)).collect();
    set(&slab, &model.clone().into_iter().collect::<Vec<_>>());
    let mut held = vec![(slab.snapshot().unwrap(), model.clone())];
    for round in 0..6000_u64 {
        let change = (round * 7919 % 200, round + 1_000_000);
        set(&slab, &[change]);
        model.insert(change.0, change.1);
        if round % 500 == 0 {
            held.push((slab.snapshot().unwrap(), model.clone()));
        }
        if round % 997 == 0 && held.len() > 3 {
            held.remove(1); // the oldest stays, the ones in the middle come and go
        }
    }
    for (snapshot, then) in &held {
        assert_eq!(&content(snapshot), then, "epoch {}", snapshot.epoch());
    }
    assert_whole(&slab);
    drop(held);
    slab.reclaim().unwrap();
    let found = assert_whole(&slab);
    assert!(found.retired_blocks <= 2 * found.reachable_blocks, "{found:?}");
}

#[test]
fn a_hundred_thousand_overwrites_do_not_grow_the_region() {
    let slab = memory();
    let all: Vec<(u64, u64)> = (0..1000).map(|key| (key, 0)).collect();
    set(&slab, &all);
    let live = slab.stats().block_bytes;
    for round in 0..100_000_u64 {
        set(&slab, &[(round * 7919 % 1000, round)]);
    }
    let after = slab.stats();
    assert!(after.block_bytes < 2 * live, "{live} {after:?}");
    assert!(after.used_bytes < (2 << 20) + 4 * live, "{live} {after:?}");
    assert_whole(&slab);
}

#[test]
fn an_old_reader_holds_back_only_what_it_can_see() {
    let slab = memory();
    let all: Vec<(u64, u64)> = (0..1000).map(|key| (key, 0)).collect();
    set(&slab, &all);
    let held = slab.snapshot().unwrap();
    let then = content(&held);
    let live = slab.stats().block_bytes;
    for round in 0..30_000_u64 {
        set(&slab, &[(round * 7919 % 1000, round)]);
    }
    let after = slab.stats();
    assert!(after.block_bytes < 4 * live, "{live} {after:?}");
    assert_eq!(content(&held), then);
}

#[test]
fn large_blocks_are_used_again() {
    let slab = memory();
    for round in 0..500_u64 {
        let commit = slab.swap(|txn| {
            let at = txn.alloc(150_000 + (round % 7) as usize * 50_000)?;
            txn.words_mut(at).expect("born here")[1000] = round;
            let base = txn.base();
            if !base.is_none() {
                assert_eq!(txn.words(base)?[1000], round - 1);
                txn.retire(base);
            }
            Ok::<_, Error>((at, ()))
        });
        commit.unwrap();
    }
    let stats = slab.stats();
    assert!(stats.used_bytes < 10 << 20, "{stats:?}");
}

#[test]
fn threads_that_all_commit_lose_nothing() {
    const THREADS: u64 = 4;
    const COMMITS: u64 = 1000;
    let slab = memory();
    set(&slab, &[(0, 0)]);
    let start = Barrier::new(THREADS as usize + 1);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                for _ in 0..COMMITS {
                    let counted = slab.swap(|txn| {
                        let map = WordMap::from_root(txn.base());
                        let count = map.get(txn, &0)?.unwrap_or_default();
                        Ok::<_, Error>((map.insert(txn, &0, count + 1)?.0.root(), ()))
                    });
                    counted.unwrap();
                }
            });
        }
        start.wait();
        let mut last = 0;
        while last < THREADS * COMMITS {
            let snapshot = slab.snapshot().unwrap();
            let count = WordMap::from_root(snapshot.root()).get(&snapshot, &0).unwrap().unwrap();
            assert_eq!(count + 1, snapshot.epoch(), "a version is a whole one");
            assert!(count >= last, "versions do not go back");
            last = count;
        }
    });
    assert_eq!(slab.commits(), 1 + THREADS * COMMITS);
    assert_whole(&slab);
}

#[test]
fn a_waiter_is_woken_by_a_commit() {
    let slab = memory();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| (0..100).fold(0, |seen, _| slab.wait(seen, None)));
        while !waiter.is_finished() {
            set(&slab, &[(1, 1)]);
        }
        assert!(waiter.join().unwrap() >= 100);
    });
    let seen = slab.commits();
    assert_eq!(slab.wait(seen, Some(Duration::from_millis(1))), seen);
    assert_eq!(slab.wait(seen + 5, None), seen, "anything else than what was seen");
}

#[test]
fn more_snapshots_than_pins_are_refused_and_work_again_when_some_are_gone() {
    let slab = memory();
    let mut held = Vec::new();
    let refused = loop {
        match slab.snapshot() {
            Ok(snapshot) => held.push(snapshot),
            Err(error) => break error,
        }
        // The transaction itself needs one pin, which the next snapshot then gets.
        match slab.begin() {
            Ok(txn) => drop(txn.commit(Addr::NONE).unwrap()),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::PinsFull { .. }), "{refused}");
    assert!(held.len() > 1000);
    let same: Vec<Snapshot> = (0..5000).map(|_| held[0].clone()).collect();
    assert!(same.iter().all(|snapshot| snapshot.epoch() == 0));
    held.truncate(500);
    set(&slab, &[(1, 1)]);
    assert_eq!(held[499].epoch(), 499);
}

/// The last snapshot leaves the region, whichever thread drops it.
#[test]
fn snapshots_outlive_every_handle() {
    let folder = quick_folder();
    let path = folder.path().join("a.eve");
    let slab = Slab::create(Region::create(&path, &Options::default()).unwrap()).unwrap();
    set(&slab, &[(1, 1)]);
    let first = slab.snapshot().unwrap();
    set(&slab, &[(1, 2)]);
    let second = slab.snapshot().unwrap();
    let letter = slab.allocate(10).unwrap();
    drop(slab);
    drop(letter);
    assert_eq!(content(&second.clone()), BTreeMap::from([(1, 2)]));
    std::thread::scope(|scope| drop(scope.spawn(|| drop(second))));
    let many: Vec<Snapshot> = (0..1000).map(|_| first.clone()).collect();
    drop(first);
    let other = Slab::open(Region::open(&path).unwrap()).unwrap();
    assert_eq!(other.stats().attachments.len(), 2);
    assert!(many.iter().all(|snapshot| content(snapshot) == BTreeMap::from([(1, 1)])));
    drop(many);
    assert_eq!(other.stats().attachments.len(), 1, "it left with its last snapshot");
}

#[test]
fn snapshots_of_one_epoch_share_a_pin() {
    let slab = memory();
    set(&slab, &[(1, 1)]);
    let many: Vec<Snapshot> = (0..10_000).map(|_| slab.snapshot().unwrap()).collect();
    assert!(many.iter().all(|snapshot| snapshot.epoch() == 1));
}

#[test]
fn a_region_that_is_full_says_so_and_goes_on() {
    let slab = Slab::create(Region::heap(2 << 20).unwrap()).unwrap();
    set(&slab, &[(1, 1)]);
    let mut txn = slab.begin().unwrap();
    let refused = loop {
        if let Err(error) = txn.alloc(50_000) {
            break error;
        }
    };
    assert!(matches!(refused, Error::RegionFull { .. }), "{refused}");
    drop(txn);
    for round in 0..1000 {
        set(&slab, &[(1, round)]);
    }
    assert_whole(&slab);
    assert!(matches!(slab.begin().unwrap().alloc(2 << 30), Err(Error::TooLarge { .. })));
}

#[test]
fn user_words_are_shared() {
    let folder = quick_folder();
    let path = folder.path().join("words.eve");
    let here = Slab::create(Region::create(&path, &Options::default()).unwrap()).unwrap();
    let there = Slab::open(Region::open(&path).unwrap()).unwrap();
    here.user_word(15).store(9, Ordering::Release);
    assert_eq!(there.user_word(15).load(Ordering::Acquire), 9);
}

#[test]
fn who_sleeps_on_a_user_word_is_woken_through_another_attachment() {
    let folder = quick_folder();
    let path = folder.path().join("words.eve");
    let here = Slab::create(Region::create(&path, &Options::default()).unwrap()).unwrap();
    let there = Slab::open(Region::open(&path).unwrap()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while there.user_word(3).load(Ordering::Acquire) == 0 {
                // Longer than a test may take: who is not woken is seen.
                there.wait_user(3, 0, Duration::from_secs(3_600));
            }
        });
        here.user_word(3).store(1, Ordering::Release);
        here.wake_user(3);
    });
    // A word that is another by now is not slept on.
    there.wait_user(3, 0, Duration::from_secs(3_600));
}

#[test]
fn more_attachments_than_slots_are_refused_until_one_leaves() {
    let folder = quick_folder();
    let path = folder.path().join("many.eve");
    let small = Options { limit_bytes: 1 << 30, ..Options::default() };
    let first = Slab::create(Region::create(&path, &small).unwrap()).unwrap();
    let open = || Slab::open(Region::open(&path).unwrap());
    let mut others: Vec<Slab> = (1..crate::layout::SLOTS).map(|_| open().unwrap()).collect();
    assert!(matches!(open(), Err(Error::SlotsFull { .. })));
    others.pop();
    let last = open().unwrap();
    set(&last, &[(1, 1)]);
    assert_eq!(content(&first.snapshot().unwrap()), BTreeMap::from([(1, 1)]));
    assert_eq!(first.stats().attachments.len(), crate::layout::SLOTS);
}

#[test]
fn more_transactions_than_lanes_are_refused_until_one_ends() {
    let slab = memory();
    let mut running: Vec<Txn> = (0..LANES).map(|_| slab.begin().unwrap()).collect();
    assert!(matches!(slab.begin(), Err(Error::LanesFull { .. })));
    let last = running.pop().unwrap();
    last.commit(Addr::NONE).unwrap();
    set(&slab, &[(1, 1)]);
    drop(running);
    assert_whole(&slab);
}

#[test]
fn what_one_attachment_leaves_behind_the_next_uses() {
    let folder = quick_folder();
    let path = folder.path().join("relay.eve");
    let watcher = Slab::create(Region::create(&path, &Options::default()).unwrap()).unwrap();
    for round in 0..60 {
        let slab = Slab::open(Region::open(&path).unwrap()).unwrap();
        for key in 0..50 {
            set(&slab, &[(key, round)]);
        }
    }
    let stats = watcher.stats();
    assert!(stats.used_bytes < 4 << 20, "{stats:?}");
    assert_whole(&watcher);
}

#[test]
fn a_region_that_goes_on_after_its_last_user_left_is_whole() {
    let folder = quick_folder();
    let path = folder.path().join("again.eve");
    drop(Slab::create(Region::create(&path, &Options::default()).unwrap()).unwrap());
    for round in 0..5 {
        let slab = Slab::open(Region::open(&path).unwrap()).unwrap();
        assert_eq!(slab.recovery(), Recovery::None);
        assert_eq!(slab.commits(), round * 100);
        for key in 0..100 {
            set(&slab, &[(key, round)]);
        }
        assert_whole(&slab);
    }
}

/// A transaction that lost still holds its blocks, though later versions have its number behind them.
#[test]
fn a_snapshot_never_lends_what_a_transaction_still_writes() {
    let slab = memory();
    let mut loser = slab.begin().unwrap();
    let at = loser.alloc(16).unwrap();
    set(&slab, &[(1, 1)]);
    let snapshot = slab.snapshot().unwrap();
    assert!(snapshot.words(at).is_err(), "written by somebody else");
    let mut other = slab.begin().unwrap();
    assert!(other.words(at).is_err() && other.words_mut(at).is_none());
    other.retire(at);
    let root = other.base();
    other.commit(root).unwrap();
    slab.reclaim().unwrap();
    loser.words_mut(at).expect("still its own")[0] = 7;
    drop(loser);
    assert_whole(&slab);
}

/// Addresses are plain numbers: one that was kept too long, or that damage made up, is an error or
/// a block that stands still.
#[test]
fn what_a_snapshot_lends_stands_still_even_behind_a_stale_address() {
    let slab = memory();
    let one_block = |value: u64| {
        let made = slab.swap(|txn| {
            let at = txn.alloc(4096)?; // few of them fill a chunk, so places soon come again
            txn.words_mut(at).expect("born here")[0] = value;
            txn.retire(txn.base());
            Ok::<_, Error>((at, at))
        });
        made.unwrap().1
    };
    let at = one_block(7);
    one_block(8);
    let snapshot = slab.snapshot().unwrap();
    let lent = snapshot.words(at).expect("not reclaimed yet");
    slab.reclaim().unwrap();
    for value in 100..200 {
        one_block(value);
    }
    slab.reclaim().unwrap();
    assert_eq!(lent[0], 7, "as long as the snapshot lives");
    assert!(snapshot.words(at).is_err(), "but nobody gets it any more");
    drop(snapshot);
    slab.reclaim().unwrap();
    assert_eq!(slab.stats().blocks, 1, "and then it is used again");
}

/// Reclaiming writes retire records, so nobody may be reading them.
#[test]
fn a_retire_record_is_no_block_of_a_version() {
    let slab = memory();
    set(&slab, &[(1, 1)]);
    let held = slab.snapshot().unwrap();
    set(&slab, &[(1, 2)]);
    let region = slab.region();
    let record = region.word(crate::layout::lane_at(0) + crate::layout::lane::RETIRED);
    let record = Addr::from_raw(record.load(Ordering::Acquire));
    assert!(!record.is_none());
    assert!(slab.snapshot().unwrap().words(record).is_err());
    let mut txn = slab.begin().unwrap();
    assert!(txn.words(record).is_err());
    txn.retire(record);
    let root = txn.base();
    txn.commit(root).unwrap();
    drop(held);
    slab.reclaim().unwrap();
    assert_whole(&slab);
}

/// One bit in the directory frees the second chunk of a large block.
#[test]
fn a_large_block_whose_chunks_are_not_all_its_own_is_damaged() {
    let slab = memory();
    let mut txn = slab.begin().unwrap();
    let at = txn.alloc(200_000).unwrap();
    txn.commit(at).unwrap();
    let snapshot = slab.snapshot().unwrap();
    assert!(snapshot.words(at).is_ok());
    let second = crate::layout::ChunkId::holding(at.raw()).plus(1);
    slab.region().word(second.entry()).store(0, Ordering::Release);
    assert!(matches!(snapshot.words(at), Err(Error::Corrupt { .. })));
}

/// A stack of chunks that leads back into itself is dropped and not followed for ever.
#[test]
fn a_stack_that_runs_in_a_circle_is_dropped() {
    use crate::layout::{ChunkId, chunk};
    let slab = memory();
    let fill = |count: usize| {
        let mut txn = slab.begin().unwrap();
        let blocks: Vec<Addr> = (0..count).map(|_| txn.alloc(4096).unwrap()).collect();
        (txn, blocks)
    };
    let (txn, blocks) = fill(100); // several chunks, which are listed once they are free again
    drop(txn);
    for at in blocks {
        let start = ChunkId::holding(at.raw());
        slab.region().word(start.start() + chunk::NEXT).store(start.0.into(), Ordering::Release);
    }
    let (txn, blocks) = fill(1000);
    let different: HashSet<Addr> = blocks.iter().copied().collect();
    assert_eq!(different.len(), blocks.len());
    drop(txn);
    assert_whole(&slab);
}

#[test]
fn what_one_that_left_retired_is_used_by_those_who_stay() {
    let folder = quick_folder();
    let path = folder.path().join("left.eve");
    let stays = Slab::create(Region::create(&path, &Options::default()).unwrap()).unwrap();
    set(&stays, &(0..100).map(|key| (key, 0)).collect::<Vec<_>>());
    let held = stays.snapshot().unwrap();
    let leaves = Slab::open(Region::open(&path).unwrap()).unwrap();
    let running = leaves.begin().unwrap(); // so that what follows is in other lanes than the first
    for key in 0..100 {
        set(&leaves, &[(key, 1)]);
    }
    drop((running, leaves));
    assert!(stays.stats().retired_blocks > 0);
    drop(held);
    stays.reclaim().unwrap();
    assert_eq!(stays.stats().retired_blocks, 0);
    assert_whole(&stays);
}

/// Somebody whose `/proc` looks otherwise opens what others are at work in.
#[test]
fn a_boot_that_seems_another_takes_nothing_from_the_living() {
    let folder = quick_folder();
    let path = folder.path().join("boot.eve");
    let here = Slab::create(Region::create(&path, &Options::default()).unwrap()).unwrap();
    set(&here, &[(1, 1)]);
    here.region().word(page::BOOT).store(0x5a5a, Ordering::Release);
    let there = Slab::open(Region::open(&path).unwrap()).unwrap();
    assert_eq!(there.recovery(), Recovery::None);
    assert_eq!((here.commits(), there.commits()), (1, 1));
    assert_eq!(content(&there.snapshot().unwrap()), BTreeMap::from([(1, 1)]));
}

/// A child made by `fork` that ends must not leave in its parent's name.
#[test]
fn a_forked_child_does_not_give_up_its_parents_place() {
    let folder = quick_folder();
    let path = folder.path().join("fork.eve");
    let slab = Slab::create(Region::create(&path, &Options::default()).unwrap()).unwrap();
    set(&slab, &[(1, 1)]);
    // SAFETY: the child drops one value, which allocates nothing, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        drop(slab);
        // SAFETY: ends this process, without the test harness it has a copy of.
        unsafe { libc::_exit(0) };
    }
    let mut status = 0;
    // SAFETY: waits for the child above and writes its status to a local.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child ended by itself");
    assert_eq!(slab.stats().attachments.len(), 1);
    let other = Slab::open(Region::open(&path).unwrap()).unwrap();
    assert_eq!(other.stats().attachments.len(), 2);
    assert_eq!(content(&other.snapshot().unwrap()), BTreeMap::from([(1, 1)]));
}

/// A structure's mistake costs a version its content, and nobody their memory.
#[test]
fn a_block_that_is_retired_twice_is_freed_once() {
    let slab = memory();
    let one_block = |txn: &mut Txn, value: u64| {
        let at = txn.alloc(4096).unwrap();
        txn.words_mut(at).unwrap()[0] = value;
        at
    };
    let mut txn = slab.begin().unwrap();
    let at = one_block(&mut txn, 7);
    txn.commit(at).unwrap();
    let held = slab.snapshot().unwrap();
    // Two lanes: while one transaction runs, the next takes another.
    let idle = slab.begin().unwrap();
    for running in [None, Some(idle)] {
        let mut txn = slab.begin().unwrap();
        txn.retire(at);
        txn.retire(at);
        txn.commit(at).unwrap();
        drop(running);
    }
    assert_eq!(held.words(at).unwrap()[0], 7);
    drop(held);
    slab.reclaim().unwrap();
    slab.reclaim().unwrap();
    assert!(slab.snapshot().unwrap().words(at).is_err(), "gone");
    let mut txn = slab.begin().unwrap();
    let blocks: HashSet<Addr> = (0..100).map(|value| one_block(&mut txn, value)).collect();
    assert_eq!(blocks.len(), 100);
}
