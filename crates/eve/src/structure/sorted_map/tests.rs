//! The sorted map against a `BTreeMap`.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::SortedMap;
use crate::memory::Arena;
use crate::structure::Change;

type Rows = SortedMap<1, 2>;
type Model = BTreeMap<u64, u64>;

#[derive(Clone, Debug)]
enum Edit {
    Insert(u64, u64),
    Remove(u64),
    Extend(Vec<(u64, u64)>),
    Commit,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        6 => (0..90_u64, 0..5_u64).prop_map(|(key, value)| Edit::Insert(key, value)),
        4 => (0..90_u64).prop_map(Edit::Remove),
        1 => proptest::collection::vec((0..90_u64, 0..5_u64), 0..40).prop_map(Edit::Extend),
        1 => Just(Edit::Commit),
    ]
}

fn check(map: Rows, memory: &Arena, model: &Model) {
    map.verify(memory).unwrap();
    assert_eq!(map.len(memory).unwrap(), model.len() as u64);
    let rows: Vec<_> = map.iter(memory).map(|row| row.unwrap()).collect();
    assert_eq!(rows, model.iter().map(|(key, value)| [*key, *value]).collect::<Vec<_>>());
    for key in 0..95 {
        let found = map.get(memory, &[key]).unwrap().map(|row| row[1]);
        assert_eq!(found, model.get(&key).copied());
    }
    let part = map.range(memory, [20]..=[60]).rev().map(|row| row.unwrap()[0]);
    assert!(part.eq(model.range(20..=60).rev().map(|(key, _)| *key)));
}

type Found = Vec<Change<[u64; 1], u64>>;

fn difference(old: &(Arena, Rows, Model), new: &(Arena, Rows, Model)) -> (Found, Found) {
    let value = |row: &[u64; 2]| row[1];
    let found = old.1.diff(&old.0, new.1, &new.0).map(|change| match change.unwrap() {
        Change::Added(key, row) => Change::Added(key, value(&row)),
        Change::Removed(key, row) => Change::Removed(key, value(&row)),
        Change::Changed(key, here, there) => Change::Changed(key, value(&here), value(&there)),
    });
    let expected = (0..90).filter_map(|key| match (old.2.get(&key), new.2.get(&key)) {
        (None, Some(new)) => Some(Change::Added([key], *new)),
        (Some(old), None) => Some(Change::Removed([key], *old)),
        (Some(old), Some(new)) if old != new => Some(Change::Changed([key], *old, *new)),
        _ => None,
    });
    (found.collect(), expected.collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 48 }, ..Default::default() })]

    #[test]
    fn any_edits_give_what_a_btreemap_gives(
        edits in proptest::collection::vec(edit(), 1..if cfg!(miri) { 30 } else { 200 }),
    ) {
        let (mut memory, mut map, mut model) = (Arena::new(), Rows::empty(), Model::new());
        let mut kept = vec![(memory.clone(), map, model.clone())];
        for (i, edit) in edits.iter().enumerate() {
            match edit {
                Edit::Insert(key, value) => {
                    let (next, before) = map.insert(&mut memory, [*key, *value]).unwrap();
                    let old = model.insert(*key, *value);
                    prop_assert_eq!(before, old.map(|old| [*key, old]));
                    map = next;
                }
                Edit::Remove(key) => {
                    let (next, before) = map.remove(&mut memory, &[*key]).unwrap();
                    prop_assert_eq!(before.map(|row| row[1]), model.remove(key));
                    map = next;
                }
                Edit::Extend(rows) => {
                    model.extend(rows.iter().copied());
                    let rows = rows.iter().map(|(key, value)| [*key, *value]);
                    map = map.extend(&mut memory, rows).unwrap();
                }
                Edit::Commit => memory.commit(),
            }
            if i % 40 == 0 {
                memory.commit();
                kept.push((memory.clone(), map, model.clone()));
            }
        }
        check(map, &memory, &model);
        for (memory, map, model) in &kept {
            check(*map, memory, model);
        }
        for pair in kept.windows(2) {
            let (found, expected) = difference(&pair[0], &pair[1]);
            prop_assert_eq!(found, expected);
            let (found, expected) = difference(&pair[1], &pair[0]);
            prop_assert_eq!(found, expected);
        }
    }
}

#[test]
fn a_merge_asks_about_rows_of_one_key() {
    let mut memory = Arena::new();
    let theirs = Rows::from_iter(&mut memory, (5..15).map(|n| [n, 2])).unwrap();
    memory.commit();
    let reader = memory.clone();
    let ours = Rows::from_iter(&mut memory, (0..10).map(|n| [n, 1])).unwrap();
    let add = |here: &[u64; 2], there: &[u64; 2]| Some([here[0], here[1] + there[1]]);
    let merged = ours.merge(&mut memory, theirs, &reader, add).unwrap();
    let model: Model = (0..15).map(|n| (n, [1, 3, 2][n as usize / 5])).collect();
    check(merged, &memory, &model);
}
