//! The set against a `HashSet`; the map below it has the tests of nodes.

use std::collections::HashSet;

use proptest::prelude::*;

use super::Set;
use crate::memory::Arena;
use crate::structure::Change;

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 48 }, ..Default::default() })]

    #[test]
    fn any_edits_give_what_a_hashset_gives(
        edits in proptest::collection::vec((any::<bool>(), 0..120_u64), 1..300),
    ) {
        let (mut memory, mut set, mut model) = (Arena::new(), Set::<u64>::empty(), HashSet::new());
        for (insert, n) in &edits {
            let changed = match insert {
                true => set.insert(&mut memory, n).map(|(next, new)| (next, new, model.insert(*n))),
                false => set.remove(&mut memory, n).map(|(next, was)| (next, was, model.remove(n))),
            };
            let (next, ours, theirs) = changed.unwrap();
            prop_assert_eq!(ours, theirs);
            set = next;
            if n % 10 == 0 {
                memory.commit();
            }
        }
        set.verify(&memory).unwrap();
        prop_assert_eq!(set.len(&memory).unwrap(), model.len() as u64);
        prop_assert_eq!(set.iter(&memory).map(Result::unwrap).collect::<HashSet<u64>>(), model.clone());
        memory.commit();
        let reader = memory.clone();
        let other = Set::<u64>::from_iter(&mut memory, 100..140_u64).unwrap();
        let merged = other.merge(&mut memory, set, &reader).unwrap();
        let all: HashSet<u64> = merged.iter(&memory).map(Result::unwrap).collect();
        prop_assert_eq!(&all, &model.iter().copied().chain(100..140).collect());
        let added = merged.diff(&memory, set, &reader).map(|change| match change.unwrap() {
            Change::Removed(n, ()) => n,
            other => panic!("{other:?}"),
        });
        prop_assert_eq!(added.collect::<HashSet<u64>>(), &all - &model);
    }
}
