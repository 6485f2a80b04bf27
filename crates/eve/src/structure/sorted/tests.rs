//! The set against a `BTreeSet`, older versions against what they were, damaged nodes against
//! nothing but the clock.

use std::{
    collections::{BTreeSet, HashSet},
    ops::Bound,
};

use proptest::prelude::*;

use super::{SortedSet, node::HEIGHT_MAX};
use crate::structure::Change;
use crate::{Addr, Error, Read, Write, memory::Arena};

type Set = SortedSet<2>;
type Model = BTreeSet<[u64; 2]>;

/// Few enough distinct keys that insertions meet keys that are there.
fn key(seed: u64) -> [u64; 2] {
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    [mixed % 41, mixed >> 32 & 63]
}

fn numbers(count: u64) -> impl Iterator<Item = [u64; 2]> {
    (0..count).map(|i| [i / 7, i % 7])
}

fn all(set: Set, memory: &Arena) -> Vec<[u64; 2]> {
    set.iter(memory).map(|key| key.unwrap()).collect()
}

/// Whole, equal to the model, and holding exactly the blocks that are alive.
fn check(set: Set, memory: &Arena, model: &Model) {
    set.verify(memory).unwrap();
    assert_eq!(all(set, memory), model.iter().copied().collect::<Vec<_>>());
    assert_eq!(set.len(memory).unwrap(), model.len() as u64);
    assert_eq!(blocks(set, memory), memory.live_blocks());
}

fn blocks(set: Set, memory: &Arena) -> usize {
    let mut seen = HashSet::new();
    set.trace(memory, &mut |at| seen.insert(at)).unwrap();
    seen.len()
}

#[test]
fn an_empty_set_holds_nothing_and_answers_so() {
    let memory = Arena::new();
    let set = Set::empty();
    assert!(set.is_empty());
    check(set, &memory, &Model::new());
    assert!(!set.contains(&memory, &[0, 0]).unwrap());
    assert_eq!(set.rank(&memory, &[9, 9]).unwrap(), 0);
    assert_eq!(set.count(&memory, ..).unwrap(), 0);
    let mut cursor = set.cursor(&memory);
    assert_eq!(cursor.next().unwrap(), None);
    assert_eq!(cursor.prev().unwrap(), None);
    assert_eq!(cursor.seek(&[1]).unwrap(), None);
    assert_eq!(cursor.seek_last(&[1]).unwrap(), None);
    assert_eq!(cursor.advance_to(&[1, 1]).unwrap(), None);
    assert!(cursor.next_run().unwrap().is_empty());
}

#[test]
fn the_extreme_keys_are_keys_like_others() {
    let mut memory = Arena::new();
    let (min, max) = ([0, 0], [u64::MAX, u64::MAX]);
    let (mut set, _) = Set::empty().insert(&mut memory, max).unwrap();
    for key in numbers(100).chain([min]) {
        set = set.insert(&mut memory, key).unwrap().0;
    }
    set.verify(&memory).unwrap();
    assert_eq!(set.cursor(&memory).last().unwrap(), Some(max));
    assert_eq!(set.cursor(&memory).first().unwrap(), Some(min));
    assert_eq!(set.range(&memory, ..).next_back().unwrap().unwrap(), max);
    assert_eq!(set.range(&memory, max..=max).count(), 1);
    assert_eq!(set.range(&memory, (Bound::Excluded(max), Bound::Unbounded)).count(), 0);
    assert_eq!(set.prefix(&memory, &[u64::MAX]).count(), 1);
    assert_eq!(set.count_prefix(&memory, &[u64::MAX]).unwrap(), 1);
    assert_eq!(set.count(&memory, min..=max).unwrap(), set.len(&memory).unwrap());
    assert_eq!(set.cursor(&memory).seek_last(&[5]).unwrap(), Some([5, 6]));
}

#[test]
fn what_was_inserted_and_removed_in_any_order_leaves_no_block() {
    for order in 0..4_u64 {
        let mut memory = Arena::new();
        let mut keys: Vec<_> = numbers(600).collect();
        match order {
            0 => {}
            1 => keys.reverse(),
            _ => keys.sort_by_key(|k| (k[0] * 7 + k[1]).wrapping_mul(0x9e37_79b9 + order) & 0xffff),
        }
        let mut set = Set::empty();
        for (i, key) in keys.iter().enumerate() {
            set = set.insert(&mut memory, *key).unwrap().0;
            if i % 10 == 0 {
                memory.commit();
            }
        }
        check(set, &memory, &keys.iter().copied().collect());
        let rotation = keys.len() / 3;
        keys.rotate_left(rotation);
        for (i, key) in keys.iter().enumerate() {
            let (next, was) = set.remove(&mut memory, key).unwrap();
            assert!(was);
            set = next;
            if i % 7 == 0 {
                set.verify(&memory).unwrap();
                memory.commit();
                assert_eq!(blocks(set, &memory), memory.live_blocks());
            }
        }
        assert!(set.is_empty());
        assert_eq!(memory.live_blocks(), 0);
    }
}

#[test]
fn ascending_keys_leave_full_leaves() {
    let mut memory = Arena::new();
    let mut set = Set::empty();
    for key in numbers(1_000) {
        set = set.insert(&mut memory, key).unwrap().0;
    }
    let leaves = 1_000_usize.div_ceil(super::write::rows_max::<2>(0));
    let inner = blocks(set, &memory) - leaves;
    assert!(inner <= leaves / 3, "{inner} inner nodes over {leaves} leaves");
}

#[test]
fn a_set_of_sorted_keys_equals_one_built_by_insertion() {
    for count in 0..200 {
        let mut memory = Arena::new();
        let set = Set::from_sorted(&mut memory, numbers(count)).unwrap();
        check(set, &memory, &numbers(count).collect());
    }
}

#[test]
fn keys_out_of_order_are_taken_all_the_same() {
    let mut memory = Arena::new();
    let keys = (0..500).map(key);
    let set = Set::from_sorted(&mut memory, keys.clone()).unwrap();
    check(set, &memory, &keys.clone().collect());
    let more: Vec<_> = (400..900).map(key).collect();
    let (set, added) = set.insert_many(&mut memory, &more).unwrap();
    let model: Model = keys.chain(more).collect();
    check(set, &memory, &model);
    assert_eq!(added, (model.len() - (0..500).map(key).collect::<Model>().len()) as u64);
}

#[test]
fn a_published_block_is_never_written_again() {
    let mut memory = Arena::new();
    let set = Set::from_sorted(&mut memory, numbers(300)).unwrap();
    memory.commit();
    let old = memory.clone();
    let (newer, new) = set.insert(&mut memory, [20, 100]).unwrap();
    assert!(new);
    let changed = old
        .addresses()
        .into_iter()
        .filter(|at| memory.words(*at).unwrap() != old.words(*at).unwrap())
        .count();
    assert_eq!(changed, 0);
    assert_eq!(all(set, &memory), numbers(300).collect::<Vec<_>>());
    assert_eq!(newer.len(&memory).unwrap(), 301);
}

#[test]
fn an_edit_that_changes_nothing_touches_nothing() {
    let mut memory = Arena::new();
    let set = Set::from_sorted(&mut memory, numbers(300)).unwrap();
    memory.commit();
    let before = memory.addresses();
    assert_eq!(set.insert(&mut memory, [3, 3]).unwrap(), (set, false));
    assert_eq!(set.remove(&mut memory, &[3, 9]).unwrap(), (set, false));
    let known: Vec<_> = numbers(300).collect();
    assert_eq!(set.insert_many(&mut memory, &known).unwrap(), (set, 0));
    let unknown: Vec<_> = numbers(300).map(|[a, b]| [a, b + 7]).collect();
    assert_eq!(set.remove_many(&mut memory, &unknown).unwrap(), (set, 0));
    assert_eq!(memory.addresses(), before);
}

#[test]
fn a_cursor_walks_both_ways_from_any_gap() {
    let mut memory = Arena::new();
    let keys: Vec<_> = numbers(150).map(|[a, b]| [a * 2, b * 2]).collect();
    let set = Set::from_sorted(&mut memory, keys.iter().copied()).unwrap();
    for a in 0..45 {
        for b in [0, 1, 6, 12, 13] {
            let at = keys.partition_point(|k| *k < [a, b]);
            let mut cursor = set.cursor(&memory);
            assert_eq!(cursor.seek(&[a, b]).unwrap(), keys.get(at).copied());
            assert_eq!(cursor.prev().unwrap(), at.checked_sub(1).map(|i| keys[i]));
            cursor.seek(&[a, b]).unwrap();
            assert_eq!(cursor.next().unwrap(), keys.get(at).copied());
            assert_eq!(cursor.next().unwrap(), keys.get(at + 1).copied());
            let last = keys.partition_point(|k| *k <= [a, b]);
            let found = cursor.seek_last(&[a, b]).unwrap();
            assert_eq!(found, last.checked_sub(1).map(|i| keys[i]));
            assert_eq!(cursor.next().unwrap(), keys.get(last).copied());
        }
    }
    let mut cursor = set.cursor(&memory);
    cursor.last().unwrap();
    let mut back = Vec::new();
    while let Some(key) = cursor.prev().unwrap() {
        back.push(key);
    }
    back.reverse();
    assert_eq!(back, keys);
    assert_eq!(cursor.next().unwrap(), keys.first().copied());
}

#[test]
fn few_keys_are_those_with_the_prefix_or_are_not_told() {
    let mut memory = Arena::new();
    let keys: Model = (0..400).map(key).chain([[3, u64::MAX], [u64::MAX; 2]]).collect();
    let set = Set::from_sorted(&mut memory, keys.iter().copied()).unwrap();
    let mut told = 0;
    let probes = keys.iter().flat_map(|key| [vec![key[0]], key.to_vec(), vec![key[0], key[1] ^ 1]]);
    for prefix in probes.chain([vec![], vec![77]]) {
        let expected: Vec<_> = set.prefix(&memory, &prefix).map(Result::unwrap).collect();
        let Some(few) = set.few_with(&memory, &prefix).unwrap() else { continue };
        assert_eq!(few.len(), expected.len());
        assert!(few.clone().rev().eq(expected.iter().rev().copied()));
        assert!(few.eq(expected));
        told += 1;
    }
    assert!(told > keys.len() / 2, "{told} of {}", keys.len());
    assert_eq!(Set::empty().few_with(&memory, &[]).unwrap().map(|few| few.len()), Some(0));
}

#[test]
fn runs_are_the_whole_set_in_leaves() {
    let mut memory = Arena::new();
    let set = Set::from_sorted(&mut memory, numbers(200)).unwrap();
    let (mut cursor, mut keys, mut runs) = (set.cursor(&memory), Vec::new(), 0);
    loop {
        let run = cursor.next_run().unwrap();
        if run.is_empty() {
            break;
        }
        keys.extend_from_slice(run);
        runs += 1;
    }
    assert_eq!(keys, numbers(200).collect::<Vec<_>>());
    assert!(runs > 10 && runs < 60);
}

#[derive(Clone, Debug)]
enum Edit {
    Insert(u64),
    Remove(u64),
    Many(Vec<u64>),
    RemoveRange(u64, u64),
    RemoveMany(Vec<u64>),
    RemoveRunAtOnce(u64, u64),
    Commit,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        8 => (0..4_000_u64).prop_map(Edit::Insert),
        6 => (0..4_000_u64).prop_map(Edit::Remove),
        2 => proptest::collection::vec(0..4_000_u64, 1..60).prop_map(Edit::Many),
        1 => (0..41_u64, 0..12_u64).prop_map(|(from, len)| Edit::RemoveRange(from, from + len)),
        1 => proptest::collection::vec(0..4_000_u64, 1..200).prop_map(Edit::RemoveMany),
        1 => (0..41_u64, 0..30_u64).prop_map(|(from, len)| Edit::RemoveRunAtOnce(from, from + len)),
        3 => Just(Edit::Commit),
    ]
}

fn apply(edit: &Edit, memory: &mut Arena, set: Set, model: &mut Model) -> Set {
    match edit {
        Edit::Insert(n) => {
            let (set, new) = set.insert(memory, key(*n)).unwrap();
            assert_eq!(new, model.insert(key(*n)));
            set
        }
        Edit::Remove(n) => {
            let (set, was) = set.remove(memory, &key(*n)).unwrap();
            assert_eq!(was, model.remove(&key(*n)));
            set
        }
        Edit::Many(many) => {
            let many: BTreeSet<_> = many.iter().map(|n| key(*n)).collect();
            let keys: Vec<_> = many.iter().copied().collect();
            let (set, added) = set.insert_many(memory, &keys).unwrap();
            assert_eq!(added, many.difference(model).count() as u64);
            model.extend(many);
            set
        }
        Edit::RemoveRange(from, to) => {
            let gone: Vec<_> = model.range([*from, 0]..[*to, 0]).copied().collect();
            gone.iter().fold(set, |set, key| {
                model.remove(key);
                set.remove(memory, key).unwrap().0
            })
        }
        Edit::RemoveMany(many) => {
            let many: BTreeSet<_> = many.iter().map(|n| key(*n)).collect();
            let keys: Vec<_> = many.iter().copied().collect();
            let (set, removed) = set.remove_many(memory, &keys).unwrap();
            assert_eq!(removed, many.intersection(model).count() as u64);
            model.retain(|key| !many.contains(key));
            set
        }
        Edit::RemoveRunAtOnce(from, to) => {
            let gone: Vec<_> = model.range([*from, 0]..[*to, 0]).copied().collect();
            let (set, removed) = set.remove_many(memory, &gone).unwrap();
            assert_eq!(removed, gone.len() as u64);
            model.retain(|key| !gone.contains(key));
            set
        }
        Edit::Commit => {
            memory.commit();
            set
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 96 }, ..Default::default() })]

    #[test]
    fn any_edits_give_what_a_btreeset_gives(
        edits in proptest::collection::vec(edit(), 1..if cfg!(miri) { 40 } else { 400 }),
    ) {
        let (mut memory, mut set, mut model) = (Arena::new(), Set::empty(), Model::new());
        let mut kept: Vec<(Arena, Set, Model)> = Vec::new();
        for (i, edit) in edits.iter().enumerate() {
            set = apply(edit, &mut memory, set, &mut model);
            if i % 50 == 0 {
                memory.commit();
                check(set, &memory, &model);
                kept.push((memory.clone(), set, model.clone()));
            }
        }
        check(set, &memory, &model);
        for (memory, set, model) in kept {
            check(set, &memory, &model);
        }
    }

    #[test]
    fn ranges_counts_and_ranks_agree_with_the_model(
        seeds in proptest::collection::vec(0..4_000_u64, 0..300),
        limits in proptest::collection::vec((0..45_u64, 0..70_u64), 2..8),
        ends in proptest::collection::vec(any::<bool>(), 0..400),
    ) {
        let mut memory = Arena::new();
        let model: Model = seeds.into_iter().map(key).collect();
        let set = Set::from_sorted(&mut memory, model.iter().copied()).unwrap();
        for pair in limits.windows(2) {
            let (a, b) = (<[u64; 2]>::from(pair[0]), <[u64; 2]>::from(pair[1]));
            let (from, to) = (a.min(b), a.max(b));
            let want: Vec<_> = model.range(from..to).copied().collect();
            prop_assert_eq!(set.count(&memory, from..to).unwrap(), want.len() as u64);
            prop_assert_eq!(set.rank(&memory, &from).unwrap(), model.range(..from).count() as u64);
            prop_assert_eq!(set.count(&memory, to..from).unwrap(), 0);
            prop_assert_eq!(
                set.count(&memory, from..=to).unwrap(),
                model.range(from..=to).count() as u64
            );
            let prefix = model.range([from[0], 0]..[from[0] + 1, 0]).count();
            prop_assert_eq!(set.count_prefix(&memory, &from[..1]).unwrap(), prefix as u64);
            prop_assert_eq!(set.prefix(&memory, &from[..1]).count(), prefix);

            let mut runs = set.range(&memory, from..to);
            let mut keys = Vec::new();
            while let run @ [_, ..] = runs.next_run().unwrap() {
                keys.extend_from_slice(run);
            }
            prop_assert_eq!(&keys, &want);

            // Taken from both ends in any order, each key comes once.
            let mut range = set.range(&memory, from..to);
            let mut wanted = want.iter();
            for end in ends.iter().chain([&true; 400]) {
                let (got, want) = match end {
                    true => (range.next(), wanted.next()),
                    false => (range.next_back(), wanted.next_back()),
                };
                prop_assert_eq!(got.map(Result::unwrap), want.copied());
            }
        }
    }

    #[test]
    fn advancing_never_goes_back_and_skips_nothing(
        seeds in proptest::collection::vec(0..4_000_u64, 0..500),
        targets in proptest::collection::vec((0..45_u64, 0..70_u64), 1..60),
        sorted in any::<bool>(),
    ) {
        let mut memory = Arena::new();
        let model: Model = seeds.into_iter().map(key).collect();
        let keys: Vec<_> = model.iter().copied().collect();
        let set = Set::from_sorted(&mut memory, keys.iter().copied()).unwrap();
        let mut targets: Vec<_> = targets.into_iter().map(<[u64; 2]>::from).collect();
        if sorted {
            targets.sort();
        }
        let (mut cursor, mut at) = (set.cursor(&memory), 0);
        for (i, target) in targets.iter().enumerate() {
            at = at.max(keys.partition_point(|k| k < target));
            prop_assert_eq!(cursor.advance_to(target).unwrap(), keys.get(at).copied());
            if i % 3 == 0 {
                prop_assert_eq!(cursor.next().unwrap(), keys.get(at).copied());
                at = (at + 1).min(keys.len());
            }
        }
    }

    #[test]
    fn keys_compare_as_words(a in any::<[u64; 3]>(), b in any::<[u64; 3]>(), same in 0..4_usize) {
        let mut b = b;
        b[..same.min(3)].copy_from_slice(&a[..same.min(3)]);
        prop_assert_eq!(super::less(&a, &b), a < b);
    }
}

/// Memory as a damaged file makes it: what a structure retires wrongly is not worth a panic.
struct Damaged(Arena, HashSet<Addr>);

impl Read for Damaged {
    fn words(&self, at: Addr) -> Result<&[u64], Error> {
        self.0.words(at)
    }
}

impl Write for Damaged {
    fn alloc(&mut self, bytes: usize) -> Result<Addr, Error> {
        self.0.alloc(bytes)
    }

    fn words_mut(&mut self, at: Addr) -> Option<&mut [u64]> {
        self.0.words_mut(at)
    }

    fn retire(&mut self, at: Addr) {
        if self.0.words(at).is_ok() && self.1.insert(at) {
            self.0.retire(at);
        }
    }
}

/// Does everything there is to do, and only counts how much was answered.
fn exercise(set: Set, memory: Arena) -> usize {
    let mut answers = usize::from(set.verify(&memory).is_ok());
    answers += set.iter(&memory).take(10_000).count();
    answers += set.iter(&memory).rev().take(10_000).count();
    answers += usize::from(set.trace(&memory, &mut |_| true).is_ok());
    let mut cursor = set.cursor(&memory);
    for n in 0..40 {
        answers += usize::from(set.contains(&memory, &[n, 3]).is_ok());
        answers += set.few_with(&memory, &[n]).map_or(0, |few| few.map_or(1, Iterator::count));
        answers += usize::from(set.count(&memory, [n, 0]..[n + 9, 0]).is_ok());
        answers += usize::from(cursor.seek(&[n]).is_ok());
        answers += usize::from(cursor.advance_to(&[n + 5, 0]).is_ok());
        answers += usize::from(cursor.prev().is_ok());
    }
    let mut memory = Damaged(memory, HashSet::new());
    let mut edited = set;
    for n in 0..40 {
        let Ok((next, _)) = edited.insert(&mut memory, [n, 50]) else { break };
        let Ok((next, _)) = next.remove(&mut memory, &[n, 2]) else { break };
        edited = next;
        answers += 1;
    }
    let many: Vec<_> = numbers(200).map(|[a, b]| [a, b + 9]).collect();
    answers += usize::from(edited.insert_many(&mut memory, &many).is_ok());
    answers + usize::from(edited.remove_many(&mut memory, &many).is_ok())
}

#[test]
fn a_damaged_word_anywhere_gives_an_error_or_an_answer() {
    let mut memory = Arena::new();
    let set = Set::from_sorted(&mut memory, numbers(80)).unwrap();
    memory.commit();
    let whole = exercise(set, memory.clone());
    let mut noticed = 0;
    for at in memory.addresses() {
        let words = memory.words(at).unwrap().to_vec();
        for (i, word) in words.iter().enumerate() {
            let flips = (0..64).step_by(if cfg!(miri) { 17 } else { 3 }).map(|bit| word ^ 1 << bit);
            for value in flips.chain([0, u64::MAX, at.raw(), set.root().raw()]) {
                let mut damaged = memory.clone();
                damaged.damage(at, i, value);
                noticed += usize::from(exercise(set, damaged) != whole);
            }
        }
    }
    assert!(noticed > 400, "{noticed} damages were noticed");
}

#[test]
fn a_tree_that_hangs_in_itself_is_refused() {
    let mut memory = Arena::new();
    let set = Set::from_sorted(&mut memory, numbers(80)).unwrap();
    memory.commit();
    let root = memory.words(set.root()).unwrap().to_vec();
    for word in 2..root.len() {
        memory.damage(set.root(), word, set.root().raw());
    }
    assert!(set.iter(&memory).take(HEIGHT_MAX * 100).any(|key| key.is_err()));
    assert!(set.verify(&memory).is_err());
    assert!(set.insert(&mut memory, [500, 500]).is_err());
}

#[test]
fn a_root_that_is_something_else_is_refused() {
    let mut memory = Arena::new();
    let other = SortedSet::<3>::from_sorted(&mut memory, [[1, 2, 3]]).unwrap();
    let foreign = memory.alloc(64).unwrap();
    for root in [other.root(), foreign, Addr::from_raw(12_345)] {
        let set = Set::from_root(root);
        assert!(set.len(&memory).is_err());
        assert!(set.cursor(&memory).first().is_err());
        assert!(set.insert(&mut memory, [1, 1]).is_err());
        assert!(set.iter(&memory).next().is_some_and(|key| key.is_err()));
    }
}

fn changes(old: &Model, new: &Model) -> Vec<Change<[u64; 2], ()>> {
    let all = old.union(new).filter(|key| old.contains(*key) != new.contains(*key));
    let change = |key: &[u64; 2]| match old.contains(key) {
        true => Change::Removed(*key, ()),
        false => Change::Added(*key, ()),
    };
    all.map(change).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 64 }, ..Default::default() })]

    #[test]
    fn a_difference_is_what_a_btreeset_says_and_a_merge_a_union(
        first in proptest::collection::vec(any::<u64>(), 0..200),
        edits in proptest::collection::vec(edit(), 0..60),
    ) {
        let mut memory = Arena::new();
        let mut model: Model = first.iter().map(|seed| key(*seed)).collect();
        let old = Set::from_sorted(&mut memory, model.iter().copied()).unwrap();
        memory.commit();
        let (before, first) = (memory.clone(), model.clone());
        let new = edits.iter().fold(old, |set, edit| apply(edit, &mut memory, set, &mut model));
        memory.commit();
        let found: Vec<_> = old.diff(&before, new, &memory).map(Result::unwrap).collect();
        prop_assert_eq!(found, changes(&first, &model));
        let found: Vec<_> = new.diff(&memory, old, &before).map(Result::unwrap).collect();
        prop_assert_eq!(found, changes(&model, &first));
        let reader = memory.clone();
        let other = Set::from_sorted(&mut memory, first.iter().copied()).unwrap();
        let merged = other.merge(&mut memory, new, &reader).unwrap();
        merged.verify(&memory).unwrap();
        prop_assert_eq!(all(merged, &memory), first.union(&model).copied().collect::<Vec<_>>());
    }
}

#[test]
fn a_difference_reads_nothing_that_both_have() {
    let mut memory = Arena::new();
    let old = Set::from_sorted(&mut memory, numbers(5_000)).unwrap();
    memory.commit();
    let before = memory.clone();
    let (new, _) = old.insert(&mut memory, [300, 9]).unwrap();
    memory.commit();
    let counted = crate::structure::tests::Counting::new(&memory);
    let found: Vec<_> = old.diff(&before, new, &counted).map(Result::unwrap).collect();
    assert_eq!(found, [Change::Added([300, 9], ())]);
    assert!(counted.reads() < 60, "{}", counted.reads());
}
