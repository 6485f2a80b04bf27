//! Nodes of the size that they have outside tests, against plain tables.

use std::collections::BTreeSet;
use std::ops::Range;
use std::slice::from_ref;

use proptest::prelude::*;

use super::super::patch::{relink, splice};
use super::{Seen, create, replace};
use crate::Read;
use crate::memory::Arena;
use crate::structure::sorted::node::Node;

type Key = [u64; 3];

/// Words near each other and far apart, so that columns of all widths come up.
fn word() -> impl Strategy<Value = u64> {
    (0..9_u32, any::<u64>(), 0..3_u64).prop_map(|(bytes, word, base)| {
        let kept = word & 1_u64.checked_shl(8 * bytes).map_or(u64::MAX, |limit| limit - 1);
        kept.wrapping_add(base << 40)
    })
}

fn key() -> impl Strategy<Value = Key> {
    // First words that come again, else the others decide nothing.
    (prop_oneof![0..4_u64, word()], prop_oneof![0..9_u64, word()], word())
        .prop_map(|(a, b, c)| [a, b, c])
}

#[derive(Clone, Debug)]
enum Edit {
    Insert(BTreeSet<Key>),
    Remove(Vec<prop::sample::Index>),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        proptest::collection::btree_set(key(), 1..9).prop_map(Edit::Insert),
        proptest::collection::vec(any::<prop::sample::Index>(), 1..9).prop_map(Edit::Remove),
    ]
}

fn flat(keys: &BTreeSet<Key>) -> Vec<u64> {
    keys.iter().flatten().copied().collect()
}

/// Words behind a node's rows are zeros, whatever its block held before.
fn check_rest(memory: &Arena, node: super::Seen) {
    let size = Node::<3>::root(memory, node.at).unwrap().packed_words();
    assert!(memory.words(node.at).unwrap()[size..].iter().all(|word| *word == 0));
}

fn check(memory: &Arena, node: super::Seen, model: &BTreeSet<Key>, probes: &[Key]) {
    check_rest(memory, node);
    let keys: Vec<Key> = model.iter().copied().collect();
    let leaf = Node::<3>::root(memory, node.at).unwrap();
    assert_eq!((leaf.len(), leaf.total), (keys.len(), keys.len() as u64));
    let mut read = Vec::new();
    leaf.read_keys(0..keys.len(), &mut read);
    assert_eq!(read, keys);
    assert!((0..keys.len()).all(|i| leaf.key(i) == keys[i]));
    let (from, to) = (keys.len() / 3, keys.len() / 2);
    for column in 0..3 {
        let mut words = vec![1];
        leaf.read_column(column, from..to, &mut words);
        assert_eq!(words[1..], keys[from..to].iter().map(|key| key[column]).collect::<Vec<_>>());
    }
    for probe in probes.iter().chain(&keys) {
        let place = keys.partition_point(|key| key < probe);
        assert_eq!(leaf.lower_bound(probe), place);
        assert_eq!(leaf.gallop(from.min(place), probe), place);
        for words in 0..=3 {
            let prefix = &probe[..words];
            let start = keys.partition_point(|key| key[..words] < *prefix);
            let end = keys.partition_point(|key| key[..words] <= *prefix);
            assert_eq!(leaf.end_of(prefix, start), end);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 64 }, ..Default::default() })]

    #[test]
    fn a_leaf_holds_its_keys_whatever_their_width(
        first in proptest::collection::btree_set(key(), 1..250),
        edits in proptest::collection::vec(edit(), 0..40),
        probes in proptest::collection::vec(key(), 0..40),
    ) {
        let (mut memory, mut model) = (Arena::new(), first);
        let mut node = create::<3, _>(&mut memory, 0, &flat(&model), model.len() as u64).unwrap();
        check(&memory, node, &model, &probes);
        for (i, edit) in edits.into_iter().enumerate() {
            let keys: Vec<Key> = model.iter().copied().collect();
            let (ranges, with): (Vec<Range<usize>>, _) = match edit {
                Edit::Insert(new) => {
                    let new: BTreeSet<Key> = new.difference(&model).copied().collect();
                    model.extend(&new);
                    let place = |key: &Key| keys.partition_point(|known| known < key);
                    (new.iter().map(|key| place(key)..place(key)).collect(), flat(&new))
                }
                Edit::Remove(indexes) => {
                    let places: BTreeSet<_> = indexes.iter().map(|i| i.index(keys.len())).collect();
                    model.retain(|key| !places.iter().any(|place| keys[*place] == *key));
                    (places.into_iter().map(|place| place..place + 1).collect(), Vec::new())
                }
            };
            if ranges.is_empty() || model.is_empty() {
                model = keys.into_iter().collect();
                continue;
            }
            let total = model.len() as u64;
            node = splice::<3, _>(&mut memory, node, &ranges, &with, total).unwrap();
            if i % 3 == 0 {
                memory.commit();
            }
        }
        check(&memory, node, &model, &probes);
        let total = model.len() as u64;
        node = replace::<3, _>(&mut memory, node, &flat(&model), total).unwrap();
        check(&memory, node, &model, &probes);
    }

    #[test]
    fn an_inner_node_routes_as_its_bounds_say(
        bounds in proptest::collection::btree_set(key(), 1..200),
        at in any::<prop::sample::Index>(),
        probes in proptest::collection::vec(key(), 1..40),
    ) {
        let mut memory = Arena::new();
        let mut bounds: Vec<Key> = bounds.into_iter().collect();
        bounds[0] = [0; 3];
        let link = |i: usize| [16 * (i as u64 + 1), 1_000 + i as u64];
        let rows: Vec<u64> =
            bounds.iter().enumerate().flat_map(|(i, b)| b.iter().copied().chain(link(i))).collect();
        let total = (0..bounds.len()).map(|i| link(i)[1]).sum();
        let mut node = create::<3, _>(&mut memory, 1, &rows, total).unwrap();
        // A row that moves to an address which may not fit, there and back.
        let i = at.index(bounds.len());
        let mut row: Vec<u64> = bounds[i].iter().copied().chain(link(i)).collect();
        let own = row[3];
        let ways = [(u64::MAX - 15, false), (1 << 33, true), (own, true), (1 << 40, true), (own, false)];
        for (round, (to, relinks)) in ways.into_iter().enumerate() {
            row[3] = to;
            let child = Seen { at: crate::Addr::from_raw(to), height: 0, rows: 1, total: row[4] };
            node = match relinks {
                true => relink::<3, _>(&mut memory, node, i, child, total).unwrap(),
                false => splice::<3, _>(&mut memory, node, from_ref(&(i..i + 1)), &row, total).unwrap(),
            };
            let inner = Node::<3>::root(&memory, node.at).unwrap();
            prop_assert_eq!(inner.link(i), (crate::Addr::from_raw(to), link(i)[1]));
            prop_assert_eq!(inner.sum(0..bounds.len()), total);
            check_rest(&memory, node);
            for probe in probes.iter().chain(&bounds) {
                let place = bounds[1..].partition_point(|bound| bound <= probe);
                prop_assert_eq!(inner.route(probe, 0), place);
                prop_assert_eq!(inner.route(probe, place), place);
            }
            let mut read = Vec::new();
            inner.read_rows(&mut read);
            prop_assert_eq!(&read[..i * 5], &rows[..i * 5]);
            prop_assert_eq!(&read[i * 5 + 5..], &rows[i * 5 + 5..]);
            if round % 2 == 0 {
                memory.commit();
            }
        }
    }
}
