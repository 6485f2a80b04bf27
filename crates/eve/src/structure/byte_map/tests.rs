//! The map against a `BTreeMap`, older versions against what they were, damaged nodes against
//! nothing but the clock.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Bound;

use proptest::prelude::*;

use super::{ByteMap, node::HEIGHT_MAX, node::KEY_BYTES_MAX};
use crate::structure::tests::{Counting, Damaged};
use crate::structure::{ByteSet, Change};
use crate::{Addr, Error, Read, Write, memory::Arena};

/// Values of some bytes lie in blocks of their own.
type Texts = ByteMap<[u8], [u8]>;
type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// Few enough distinct keys that insertions meet keys that are there: paths with much in common, short
/// ones, empty, with zeros and ones at the end, and some longer than a node.
fn key(seed: u64) -> Vec<u8> {
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    let (a, b) = (mixed % 7, mixed >> 32 & 63);
    match mixed % 11 {
        0 => vec![],
        1 => vec![0; b as usize % 9],
        2 => vec![0xff; b as usize % 5],
        3 => [a as u8, b as u8 & 3].to_vec(),
        4 => format!("https://example.org/{a}/").into_bytes(),
        5 => [format!("https://example.org/{a}/{b}").as_bytes(), &[0]].concat(),
        6 => format!("https://example.org/{}", "long/".repeat(60 + b as usize)).into_bytes(),
        7 => format!("/home/user{a}/{b}").into_bytes(),
        _ => format!("https://example.org/{a}/page/{b}").into_bytes(),
    }
}

fn value(seed: u64) -> Vec<u8> {
    format!("{seed}").repeat(seed as usize % 4).into_bytes()
}

fn path(n: u64) -> Vec<u8> {
    format!("/srv/files/{:03}/{:03}", n / 7, n % 7 * 100).into_bytes()
}

fn paths(count: u64) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + Clone {
    (0..count).map(|n| (path(n), value(n)))
}

fn all(map: Texts, memory: &Arena) -> Vec<(Vec<u8>, Vec<u8>)> {
    map.iter(memory).map(owned).collect()
}

fn owned(entry: Result<(Vec<u8>, &[u8]), Error>) -> (Vec<u8>, Vec<u8>) {
    let (key, value) = entry.unwrap();
    (key, value.to_vec())
}

fn pairs(model: &Model) -> Vec<(Vec<u8>, Vec<u8>)> {
    model.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn blocks(map: Texts, memory: &Arena) -> usize {
    let mut seen = HashSet::new();
    map.trace(memory, &mut |at| seen.insert(at)).unwrap();
    seen.len()
}

/// Whole, equal to the model, and holding exactly the blocks that are alive.
fn check(map: Texts, memory: &Arena, model: &Model) {
    map.verify(memory).unwrap();
    assert_eq!(all(map, memory), pairs(model));
    assert_eq!(map.len(memory).unwrap(), model.len() as u64);
    assert_eq!(blocks(map, memory), memory.live_blocks());
    for (key, value) in model.iter().step_by(5) {
        assert_eq!(map.get(memory, key).unwrap(), Some(&value[..]));
    }
}

#[test]
fn an_empty_map_holds_nothing_and_answers_so() {
    let memory = Arena::new();
    let map = Texts::empty();
    assert!(map.is_empty());
    check(map, &memory, &Model::new());
    assert_eq!(map.get(&memory, b"").unwrap(), None);
    assert_eq!(map.rank(&memory, b"x").unwrap(), 0);
    assert_eq!(map.count(&memory, ..).unwrap(), 0);
    let mut cursor = map.cursor(&memory);
    assert_eq!(cursor.next().unwrap(), None);
    assert_eq!(cursor.prev().unwrap(), None);
    assert_eq!(cursor.seek(b"a").unwrap(), None);
    assert_eq!(cursor.seek_last(b"a").unwrap(), None);
    assert_eq!(cursor.first().unwrap(), None);
    assert_eq!(cursor.last().unwrap(), None);
}

#[test]
fn the_empty_key_and_keys_that_differ_in_zeros_are_keys_like_others() {
    let mut memory = Arena::new();
    let keys: Vec<Vec<u8>> = (0..40).flat_map(|n| [vec![0; n], vec![0xff; n]]).collect();
    let model: Model = keys.iter().map(|key| (key.clone(), key.clone())).collect();
    let map = keys
        .iter()
        .rev()
        .fold(Texts::empty(), |map, key| map.insert(&mut memory, key, &key[..]).unwrap().0);
    check(map, &memory, &model);
    assert_eq!(map.cursor(&memory).first().unwrap().unwrap().0, b"");
    assert_eq!(map.cursor(&memory).last().unwrap().unwrap().0, [0xff; 39]);
    assert_eq!(map.prefix(&memory, &[0xff; 30]).count(), 10);
    assert_eq!(map.prefix(&memory, &[]).count(), 79);
    assert_eq!(map.count_prefix(&memory, &[0]).unwrap(), 39);
    assert_eq!(map.range(&memory, &[0_u8; 3][..]..&[0_u8; 5][..]).count(), 2);
    let above = (Bound::Excluded(&[0_u8; 3][..]), Bound::Included(&[0_u8; 5][..]));
    assert_eq!(map.count(&memory, above).unwrap(), 2);
}

#[test]
fn what_was_inserted_and_removed_in_any_order_leaves_no_block() {
    for order in 0..4_u64 {
        let mut memory = Arena::new();
        let mut entries: Vec<_> = paths(400).collect();
        match order {
            0 => {}
            1 => entries.reverse(),
            _ => entries.sort_by_key(|(key, _)| {
                let sum =
                    key.iter().fold(order, |sum, byte| (sum % (1 << 50)) * 31 + u64::from(*byte));
                sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
            }),
        }
        let mut map = Texts::empty();
        for (i, (key, value)) in entries.iter().enumerate() {
            map = map.insert(&mut memory, key, &value[..]).unwrap().0;
            if i % 10 == 0 {
                memory.commit();
            }
        }
        check(map, &memory, &entries.iter().cloned().collect());
        let rotation = entries.len() / 3;
        entries.rotate_left(rotation);
        for (i, (key, value)) in entries.iter().enumerate() {
            let (next, was) = map.remove(&mut memory, key).unwrap();
            assert_eq!(was.as_ref(), Some(value));
            map = next;
            if i % 7 == 0 {
                map.verify(&memory).unwrap();
                memory.commit();
                assert_eq!(blocks(map, &memory), memory.live_blocks());
            }
        }
        assert!(map.is_empty());
        assert_eq!(memory.live_blocks(), 0);
    }
}

#[test]
fn keys_that_arrive_in_order_leave_full_nodes() {
    for descending in [false, true] {
        let mut memory = Arena::new();
        let mut keys: Vec<_> = (0..1_000).map(path).collect();
        if descending {
            keys.reverse();
        }
        let set = keys
            .iter()
            .fold(ByteSet::<[u8]>::empty(), |set, key| set.insert(&mut memory, key).unwrap().0);
        let bytes = |at: &Addr| memory.bytes(*at).unwrap().len();
        let used: usize = memory.addresses().iter().map(bytes).sum();
        // Of a key two bytes are its own, and eight its cell.
        assert!(used < 30 * keys.len(), "{used} bytes");
        set.verify(&memory).unwrap();
    }
}

#[test]
fn a_map_of_sorted_entries_equals_one_built_by_insertion() {
    for count in 0..200 {
        let mut memory = Arena::new();
        let map = Texts::from_iter(&mut memory, paths(count)).unwrap();
        check(map, &memory, &paths(count).collect());
    }
}

#[test]
fn of_entries_in_any_order_the_last_of_each_key_counts() {
    let mut memory = Arena::new();
    let entries = (0..500).map(|n| (key(n % 300), value(n)));
    let map = Texts::from_iter(&mut memory, entries.clone()).unwrap();
    check(map, &memory, &entries.clone().collect());
    memory.commit();
    let more = (400..900).map(|n| (key(n), value(n * 3)));
    let map = map.extend(&mut memory, more.clone()).unwrap();
    check(map, &memory, &entries.chain(more).collect());
}

#[test]
fn a_published_block_is_never_written_again() {
    let mut memory = Arena::new();
    let map = Texts::from_iter(&mut memory, paths(300)).unwrap();
    memory.commit();
    let old = memory.clone();
    let (newer, before) = map.insert(&mut memory, b"/srv/files/020/1000", &b"x"[..]).unwrap();
    assert_eq!(before, None);
    let (newer, before) = newer.insert(&mut memory, &path(7), &b"a value in a block"[..]).unwrap();
    assert_eq!(before, Some(value(7)));
    let (newer, _) = newer.remove(&mut memory, &path(200)).unwrap();
    let words = |memory: &Arena, at| memory.words(at).unwrap().to_vec();
    let changed =
        old.addresses().into_iter().filter(|at| words(&memory, *at) != words(&old, *at)).count();
    assert_eq!(changed, 0);
    assert_eq!(all(map, &memory), paths(300).collect::<Vec<_>>());
    assert_eq!(newer.len(&memory).unwrap(), 300);
}

#[test]
fn an_edit_that_changes_nothing_touches_nothing() {
    let mut memory = Arena::new();
    let map = Texts::from_iter(&mut memory, paths(300)).unwrap();
    memory.commit();
    let before = memory.addresses();
    assert_eq!(map.insert(&mut memory, &path(7), value(7)).unwrap(), (map, Some(value(7))));
    assert_eq!(map.remove(&mut memory, b"/srv/files/").unwrap(), (map, None));
    assert_eq!(map.extend(&mut memory, paths(300)).unwrap(), map);
    assert_eq!(memory.addresses(), before);
}

#[test]
fn a_key_that_is_too_long_is_refused_before_anything_is_done() {
    let mut memory = Arena::new();
    let long = vec![1; KEY_BYTES_MAX + 1];
    let set = ByteSet::<[u8]>::from_iter(&mut memory, [&b"a"[..]]).unwrap();
    let before = memory.addresses();
    for refused in [
        set.insert(&mut memory, &long).map(|_| ()),
        set.extend(&mut memory, [&long[..]]).map(|_| ()),
    ] {
        assert!(
            matches!(refused, Err(Error::TooLarge { bytes, .. }) if bytes == long.len() as u64)
        );
    }
    assert_eq!(memory.addresses(), before);
    assert!(!set.contains(&memory, &long).unwrap());
}

#[test]
fn plain_data_sorts_by_its_bytes() {
    let mut memory = Arena::new();
    let keys = (0..500_u32).map(|n| n.wrapping_mul(0x9e37_79b9).to_be_bytes());
    let map =
        ByteMap::<[u8; 4], [u16; 3]>::from_iter(&mut memory, keys.clone().map(|k| (k, [7; 3])))
            .unwrap();
    map.verify(&memory).unwrap();
    let sorted: Vec<_> = keys.clone().collect::<BTreeSet<_>>().into_iter().collect();
    let found: Vec<_> = map.iter(&memory).map(|entry| entry.unwrap()).collect();
    assert_eq!(found, sorted.iter().map(|key| (*key, [7; 3])).collect::<Vec<_>>());
    assert_eq!(map.range(&memory, &sorted[10]..=&sorted[19]).count(), 10);
    // Another type of key is told by its length, another type of value by the node.
    assert!(
        ByteMap::<[u8; 5], [u16; 3]>::from_root(map.root()).iter(&memory).next().unwrap().is_err()
    );
    assert!(ByteMap::<[u8; 4], [u64; 2]>::from_root(map.root()).len(&memory).is_err());
    assert!(ByteMap::<[u8; 4], [u8]>::from_root(map.root()).len(&memory).is_err());
}

#[test]
fn a_cursor_walks_both_ways_from_any_gap() {
    let mut memory = Arena::new();
    let keys: Vec<_> = (0..150).map(|n| path(2 * n)).collect();
    let set = ByteSet::<[u8]>::from_iter(&mut memory, keys.clone()).unwrap();
    let key_of = |i: usize| keys.get(i).map(Vec::as_slice);
    let found = |lent: Option<(&[u8], ())>| lent.map(|(key, ())| key.to_vec());
    for n in 0..303 {
        let probe = path(n);
        for probe in [&probe[..], &probe[..probe.len() - 1], &[&probe[..], b"\0"].concat()] {
            let at = keys.partition_point(|key| &key[..] < probe);
            let mut cursor = set.cursor(&memory);
            assert_eq!(found(cursor.seek(probe).unwrap()).as_deref(), key_of(at));
            assert_eq!(
                found(cursor.prev().unwrap()).as_deref(),
                at.checked_sub(1).and_then(key_of)
            );
            cursor.seek(probe).unwrap();
            assert_eq!(found(cursor.next().unwrap()).as_deref(), key_of(at));
            assert_eq!(found(cursor.next().unwrap()).as_deref(), key_of(at + 1));
            let last = keys.partition_point(|key| &key[..] <= probe);
            let before = last.checked_sub(1).and_then(key_of);
            assert_eq!(found(cursor.seek_last(probe).unwrap()).as_deref(), before);
            assert_eq!(found(cursor.clone().peek_prev().unwrap()).as_deref(), before);
            assert_eq!(found(cursor.next().unwrap()).as_deref(), key_of(last));
        }
    }
    let mut cursor = set.cursor(&memory);
    cursor.last().unwrap();
    let mut back = Vec::new();
    while let Some((key, ())) = cursor.prev().unwrap() {
        back.push(key.to_vec());
    }
    back.reverse();
    assert_eq!(back, keys);
    assert_eq!(found(cursor.next().unwrap()).as_deref(), key_of(0));
}

#[derive(Clone, Debug)]
enum Edit {
    Insert(u64, u64),
    Remove(u64),
    Extend(Vec<u64>),
    RemovePrefix(u64),
    Commit,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        8 => (0..4_000_u64, 0..90_u64).prop_map(|(key, value)| Edit::Insert(key, value)),
        6 => (0..4_000_u64).prop_map(Edit::Remove),
        2 => proptest::collection::vec(0..4_000_u64, 1..60).prop_map(Edit::Extend),
        1 => (0..4_000_u64).prop_map(Edit::RemovePrefix),
        3 => Just(Edit::Commit),
    ]
}

fn apply(edit: &Edit, memory: &mut Arena, map: Texts, model: &mut Model) -> Texts {
    match edit {
        Edit::Insert(n, v) => {
            let (map, before) = map.insert(memory, &key(*n), value(*v)).unwrap();
            assert_eq!(before, model.insert(key(*n), value(*v)));
            map
        }
        Edit::Remove(n) => {
            let (map, before) = map.remove(memory, &key(*n)).unwrap();
            assert_eq!(before, model.remove(&key(*n)));
            map
        }
        Edit::Extend(many) => {
            let entries = many.iter().map(|n| (key(*n), value(n % 90)));
            model.extend(entries.clone());
            map.extend(memory, entries).unwrap()
        }
        Edit::RemovePrefix(n) => {
            let mut prefix = key(*n);
            prefix.truncate(23);
            let gone: Vec<_> = map.prefix(memory, &prefix).map(|entry| entry.unwrap().0).collect();
            assert!(gone.iter().eq(model.keys().filter(|key| key.starts_with(&prefix))));
            gone.iter().fold(map, |map, key| {
                model.remove(key);
                map.remove(memory, key).unwrap().0
            })
        }
        Edit::Commit => {
            memory.commit();
            map
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 96 }, ..Default::default() })]

    #[test]
    fn any_edits_give_what_a_btreemap_gives(
        edits in proptest::collection::vec(edit(), 1..if cfg!(miri) { 40 } else { 300 }),
    ) {
        let (mut memory, mut map, mut model) = (Arena::new(), Texts::empty(), Model::new());
        let mut kept: Vec<(Arena, Texts, Model)> = Vec::new();
        for (i, edit) in edits.iter().enumerate() {
            map = apply(edit, &mut memory, map, &mut model);
            if i % 50 == 0 {
                memory.commit();
                check(map, &memory, &model);
                kept.push((memory.clone(), map, model.clone()));
            }
        }
        check(map, &memory, &model);
        for (memory, map, model) in kept {
            check(map, &memory, &model);
        }
    }

    #[test]
    fn ranges_counts_and_ranks_agree_with_the_model(
        seeds in proptest::collection::vec(0..4_000_u64, 0..300),
        limits in proptest::collection::vec(0..4_500_u64, 2..8),
        ends in proptest::collection::vec(any::<bool>(), 0..400),
    ) {
        let mut memory = Arena::new();
        let model: Model = seeds.into_iter().map(|n| (key(n), value(n))).collect();
        let map = Texts::from_iter(&mut memory, model.clone()).unwrap();
        for pair in limits.windows(2) {
            let (a, b) = (key(pair[0]), key(pair[1]));
            let (from, to) = (&a.clone().min(b.clone())[..], &a.max(b)[..]);
            let want: Vec<_> = model.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)))
                .map(|(key, value)| (key.clone(), value.clone())).collect();
            prop_assert_eq!(map.count(&memory, from..to).unwrap(), want.len() as u64);
            let below = model.keys().filter(|key| key.as_slice() < from).count() as u64;
            prop_assert_eq!(map.rank(&memory, from).unwrap(), below);
            if from < to {
                prop_assert_eq!(map.count(&memory, to..from).unwrap(), 0);
            }
            let with = model.keys().filter(|key| key.as_slice() >= from && key.as_slice() <= to);
            prop_assert_eq!(map.count(&memory, from..=to).unwrap(), with.count() as u64);
            let prefix = model.keys().filter(|key| key.starts_with(from)).count();
            prop_assert_eq!(map.count_prefix(&memory, from).unwrap(), prefix as u64);
            prop_assert_eq!(map.prefix(&memory, from).count(), prefix);

            // Taken from both ends in any order, each entry comes once.
            let mut range = map.range(&memory, from..to);
            let mut wanted = want.into_iter();
            for end in ends.iter().chain([&true; 400]) {
                let (got, want) = match end {
                    true => (range.next(), wanted.next()),
                    false => (range.next_back(), wanted.next_back()),
                };
                prop_assert_eq!(got.map(owned), want);
            }
        }
    }
}

/// Does everything there is to do, and only counts how much was answered.
fn exercise(map: Texts, memory: Arena) -> usize {
    let mut answers = usize::from(map.verify(&memory).is_ok());
    answers += map.iter(&memory).take(10_000).count();
    answers += map.iter(&memory).rev().take(10_000).count();
    answers += usize::from(map.trace(&memory, &mut |_| true).is_ok());
    let mut cursor = map.cursor(&memory);
    for n in (0..50).step_by(3) {
        let (here, there) = (path(n), path(n + 30));
        answers += map.get(&memory, &here).map_or(0, |value| 1 + value.map_or(0, <[u8]>::len));
        answers +=
            map.count(&memory, &here[..]..&there[..]).map_or(0, |count| count as usize % 100);
        answers += usize::from(cursor.seek(&there).is_ok());
        answers += usize::from(cursor.next().is_ok());
        answers += usize::from(cursor.seek_last(&here).is_ok());
        answers += usize::from(cursor.prev().is_ok());
    }
    let mut memory = Damaged::new(memory);
    let mut edited = map;
    for n in (0..50).step_by(3) {
        let key = [&path(n)[..], b"/more"].concat();
        let Ok((next, _)) = edited.insert(&mut memory, &key, &b"some other value"[..]) else {
            break;
        };
        let Ok((next, _)) = next.insert(&mut memory, &path(n + 1), &b"another value"[..]) else {
            break;
        };
        let Ok((next, _)) = next.remove(&mut memory, &path(n)) else { break };
        edited = next;
        answers += 1;
    }
    let many = (0..60).map(|n| ([&path(n)[..], b"x"].concat(), value(n)));
    answers + usize::from(edited.extend(&mut memory, many).is_ok())
}

#[test]
fn a_damaged_word_anywhere_gives_an_error_or_an_answer() {
    let mut memory = Arena::new();
    let map = Texts::from_iter(&mut memory, paths(50)).unwrap();
    memory.commit();
    let whole = exercise(map, memory.clone());
    let mut noticed = 0;
    for at in memory.addresses() {
        let words = memory.words(at).unwrap().to_vec();
        for (i, word) in words.iter().enumerate() {
            let flips = (0..64).step_by(if cfg!(miri) { 17 } else { 5 }).map(|bit| word ^ 1 << bit);
            for value in flips.chain([0, u64::MAX, at.raw(), map.root().raw()]) {
                let mut damaged = memory.clone();
                damaged.damage(at, i, value);
                noticed += usize::from(exercise(map, damaged) != whole);
            }
        }
    }
    assert!(noticed > 400, "{noticed} damages were noticed");
}

#[test]
fn a_tree_that_hangs_in_itself_is_refused() {
    let mut memory = Arena::new();
    let map = Texts::from_iter(&mut memory, paths(80)).unwrap();
    memory.commit();
    let len = memory.words(map.root()).unwrap().len();
    for word in super::node::HEAD_WORDS..len {
        memory.damage(map.root(), word, map.root().raw());
    }
    assert!(map.iter(&memory).take(HEIGHT_MAX * 100).any(|entry| entry.is_err()));
    assert!(map.verify(&memory).is_err());
    assert!(map.insert(&mut memory, b"x", &b""[..]).is_err());
}

#[test]
fn a_root_that_is_something_else_is_refused() {
    let mut memory = Arena::new();
    let other = ByteMap::<[u8], u64>::from_iter(&mut memory, [(&b"a"[..], 1)]).unwrap();
    let foreign = memory.alloc(64).unwrap();
    for root in [other.root(), foreign, Addr::from_raw(12_345)] {
        let map = Texts::from_root(root);
        assert!(map.len(&memory).is_err());
        assert!(map.cursor(&memory).first().is_err());
        assert!(map.insert(&mut memory, b"a", &b""[..]).is_err());
        assert!(map.iter(&memory).next().is_some_and(|entry| entry.is_err()));
    }
}

type Changed = Change<Vec<u8>, Vec<u8>>;

fn changes(old: &Model, new: &Model) -> Vec<Changed> {
    let keys: BTreeSet<&Vec<u8>> = old.keys().chain(new.keys()).collect();
    let change = |key: &&Vec<u8>| match (old.get(*key).cloned(), new.get(*key).cloned()) {
        (None, Some(new)) => Some(Change::Added(key.to_vec(), new)),
        (Some(old), None) => Some(Change::Removed(key.to_vec(), old)),
        (Some(old), Some(new)) if old != new => Some(Change::Changed(key.to_vec(), old, new)),
        _ => None,
    };
    keys.iter().filter_map(change).collect()
}

fn difference(old: (Texts, &Arena), new: (Texts, &Arena)) -> Vec<Changed> {
    let own = |change: Result<Change<Vec<u8>, &[u8]>, Error>| match change.unwrap() {
        Change::Added(key, value) => Change::Added(key, value.to_vec()),
        Change::Removed(key, value) => Change::Removed(key, value.to_vec()),
        Change::Changed(key, old, new) => Change::Changed(key, old.to_vec(), new.to_vec()),
    };
    old.0.diff(old.1, new.0, new.1).map(own).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 64 }, ..Default::default() })]

    #[test]
    fn a_difference_is_what_a_btreemap_says_and_a_merge_takes_it_over(
        first in proptest::collection::vec(any::<u64>(), 0..200),
        edits in proptest::collection::vec(edit(), 0..60),
    ) {
        let mut memory = Arena::new();
        let mut model: Model = first.iter().map(|seed| (key(*seed), value(seed % 90))).collect();
        let old = Texts::from_iter(&mut memory, model.clone()).unwrap();
        memory.commit();
        let (before, first) = (memory.clone(), model.clone());
        let new = edits.iter().fold(old, |map, edit| apply(edit, &mut memory, map, &mut model));
        memory.commit();
        prop_assert_eq!(difference((old, &before), (new, &memory)), changes(&first, &model));
        prop_assert_eq!(difference((new, &memory), (old, &before)), changes(&model, &first));
        // The longer value is kept, or of two as long the one that was here.
        let reader = memory.clone();
        let other = Texts::from_iter(&mut memory, first.clone()).unwrap();
        let longer = |_: &[u8], here: &[u8], there: &[u8]| (there.len() > here.len()).then(|| there.to_vec());
        let merged = other.merge(&mut memory, new, &reader, longer).unwrap();
        merged.verify(&memory).unwrap();
        let mut union = model.clone();
        for (key, here) in first {
            let there = union.entry(key).or_default();
            if here.len() >= there.len() {
                *there = here;
            }
        }
        prop_assert_eq!(all(merged, &memory), pairs(&union));
    }
}

#[test]
fn a_difference_reads_nothing_that_both_have() {
    let mut memory = Arena::new();
    let old = Texts::from_iter(&mut memory, paths(5_000)).unwrap();
    memory.commit();
    let before = memory.clone();
    let (new, _) = old.insert(&mut memory, b"/srv/files/300/9", &b"new"[..]).unwrap();
    memory.commit();
    let counted = Counting::new(&memory);
    let found: Vec<_> = old.diff(&before, new, &counted).map(Result::unwrap).collect();
    assert_eq!(found, [Change::Added(b"/srv/files/300/9".to_vec(), &b"new"[..])]);
    assert!(counted.reads() < 80, "{}", counted.reads());
}
