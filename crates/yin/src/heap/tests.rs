//! The heap against the host's own collections, with collections of garbage at every turn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datom::{Value, Word};
use num_bigint::BigInt;
use proptest::prelude::*;

use super::*;
use crate::builtin::{self, Body};

fn heap() -> Heap {
    Heap::new(1 << 22, Arc::default())
}

fn int(n: i64) -> Word {
    Word::int(n).unwrap()
}

/// Moves everything that is kept.
fn collect(heap: &mut Heap, roots: &mut [Word]) {
    heap.collect(Reach::All, roots.iter_mut());
}

/// Invariant 2 of trees, at every node.
fn is_balanced(heap: &Heap, word: Word) -> bool {
    if heap.form(word) != Some(Form::Map) {
        return true;
    }
    let (left, right) = (heap.field(word, 3), heap.field(word, 4));
    let (l, r) = (heap.tree_len(left) + 1, heap.tree_len(right) + 1);
    l <= 3 * r && r <= 3 * l && is_balanced(heap, left) && is_balanced(heap, right)
}

#[derive(Clone, Debug)]
enum VectorStep {
    Push(i64),
    Set(usize, i64),
    Drop(usize),
    Rebuild,
    Collect,
}

fn vector_step() -> impl Strategy<Value = VectorStep> {
    prop_oneof![
        8 => (0..100i64).prop_map(VectorStep::Push),
        3 => (0..2000usize, 0..100i64).prop_map(|(at, n)| VectorStep::Set(at, n)),
        1 => (0..40usize).prop_map(VectorStep::Drop),
        1 => Just(VectorStep::Rebuild),
        1 => Just(VectorStep::Collect),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn vectors_are_vectors(start in 0..2200usize, steps in prop::collection::vec(vector_step(), 1..300)) {
        let mut heap = heap();
        let mut model: Vec<i64> = (0..start as i64).collect();
        let words: Vec<Word> = model.iter().map(|&n| int(n)).collect();
        let mut vector = heap.vector(&words).unwrap();
        // An old version that must not change.
        let mut kept = vector;
        for step in steps {
            match step {
                VectorStep::Push(n) => {
                    vector = heap.vector_push(vector, int(n)).unwrap();
                    model.push(n);
                }
                VectorStep::Set(at, n) if !model.is_empty() => {
                    let at = at % model.len();
                    vector = heap.vector_set(vector, at, int(n)).unwrap();
                    model[at] = n;
                }
                VectorStep::Set(..) => {}
                VectorStep::Drop(n) => {
                    vector = heap.vector_drop(vector, n).unwrap();
                    model.drain(..n.min(model.len()));
                }
                VectorStep::Rebuild => {
                    let words = heap.vector_words(vector);
                    vector = heap.vector(&words).unwrap();
                }
                VectorStep::Collect => {
                    let mut roots = [vector, kept];
                    collect(&mut heap, &mut roots);
                    [vector, kept] = roots;
                }
            }
            prop_assert_eq!(heap.vector_len(vector), model.len());
            prop_assert_eq!(heap.vector_get(vector, model.len()), None);
        }
        let expected: Vec<Word> = model.iter().map(|&n| int(n)).collect();
        prop_assert_eq!(heap.vector_words(vector), expected.clone());
        for (at, word) in expected.iter().enumerate() {
            prop_assert_eq!(heap.vector_get(vector, at), Some(*word));
        }
        let unchanged: Vec<Word> = (0..start as i64).map(int).collect();
        prop_assert_eq!(heap.vector_words(kept), unchanged);
    }

    #[test]
    fn maps_are_ordered_maps(steps in prop::collection::vec((0..4u8, 0..200i64, 0..9i64), 1..600)) {
        let mut heap = heap();
        let mut model = BTreeMap::new();
        let mut map = EMPTY_MAP;
        for (step, key, value) in steps {
            match step {
                0 | 1 => {
                    map = heap.tree_insert(MAP, map, int(key), int(value)).unwrap();
                    model.insert(key, value);
                }
                2 => {
                    map = heap.tree_remove(MAP, map, int(key)).unwrap();
                    model.remove(&key);
                }
                _ => {
                    let mut roots = [map];
                    collect(&mut heap, &mut roots);
                    [map] = roots;
                }
            }
            prop_assert_eq!(heap.tree_len(map), model.len());
            prop_assert_eq!(heap.tree_get(map, int(key)).unwrap(), model.get(&key).map(|&n| int(n)));
        }
        prop_assert!(is_balanced(&heap, map));
        let entries: Vec<(Word, Word)> = heap.entries(map).collect();
        let expected: Vec<(Word, Word)> = model.iter().map(|(&k, &v)| (int(k), int(v))).collect();
        prop_assert_eq!(&entries, &expected);
        // A tree built at once equals one built step by step.
        let sorted = heap.tree_sorted(MAP, &entries).unwrap();
        prop_assert!(heap.equal(map, sorted).unwrap());
        prop_assert!(is_balanced(&heap, sorted));
    }

    #[test]
    fn owned_maps_grow_in_place_and_nobody_can_tell(steps in prop::collection::vec((0..16u8, 0..300i64), 1..500)) {
        let mut heap = heap();
        let Some(Body::Plain(run)) = builtin::primitive(builtin::ASSOC).map(|it| it.body) else { panic!() };
        let mut model = BTreeMap::new();
        let mut map = EMPTY_MAP;
        // Versions that others hold, which must not change.
        let mut kept: Vec<(Word, BTreeMap<i64, i64>)> = Vec::new();
        for (turn, (step, key)) in (0i64..).zip(steps) {
            match step {
                0 => {
                    heap.disown(map);
                    kept.push((map, model.clone()));
                }
                1 | 2 => {
                    let reach = if step == 1 { Reach::All } else { Reach::Young };
                    let kept = kept.iter_mut().map(|(word, _)| word);
                    heap.collect(reach, kept.chain([&mut map]));
                }
                _ => {
                    let value = heap.text(&format!("a text of turn {turn}")).unwrap();
                    let value = if turn % 3 == 0 { value } else { int(turn) };
                    map = heap.update(builtin::ASSOC, run, &[map, int(key), value]).unwrap();
                    model.insert(key, turn);
                }
            }
            prop_assert_eq!(heap.tree_len(map), model.len());
        }
        kept.push((map, model));
        for (map, model) in kept {
            prop_assert!(is_balanced(&heap, map));
            prop_assert_eq!(heap.tree_len(map), model.len());
            let entries: Vec<(Word, Word)> = heap.entries(map).collect();
            prop_assert_eq!(entries.len(), model.len());
            for ((key, value), (&expected, &turn)) in entries.into_iter().zip(&model) {
                prop_assert_eq!(key, int(expected));
                let shown = match turn % 3 {
                    0 => format!("\"a text of turn {turn}\""),
                    _ => turn.to_string(),
                };
                prop_assert_eq!(heap.show(value).unwrap(), shown);
                prop_assert_eq!(heap.tree_get(map, key).unwrap(), Some(value));
            }
        }
    }

    #[test]
    fn every_value_comes_back_as_it_went_in(value in value()) {
        let mut heap = heap();
        let mut roots = [heap.word(&value).unwrap()];
        collect(&mut heap, &mut roots);
        prop_assert_eq!(heap.value(roots[0], &|_| String::new()).unwrap(), value);
    }

    #[test]
    fn words_order_as_values_do(a in value(), b in value()) {
        let mut heap = heap();
        let (x, y) = (heap.word(&a).unwrap(), heap.word(&b).unwrap());
        prop_assert_eq!(heap.compare(x, y).unwrap(), a.cmp(&b));
        prop_assert_eq!(heap.equal(x, y).unwrap(), a == b);
        let again = heap.word(&a).unwrap();
        prop_assert!(heap.equal(x, again).unwrap());
    }

    #[test]
    fn arithmetic_is_that_of_integers(a in integer(), b in integer()) {
        let mut heap = heap();
        let (x, y) = (heap.big(&a).unwrap(), heap.big(&b).unwrap());
        for (operation, expected) in [
            (Arithmetic::Add, Some(&a + &b)),
            (Arithmetic::Sub, Some(&a - &b)),
            (Arithmetic::Mul, Some(&a * &b)),
            (Arithmetic::Quot, (b != BigInt::ZERO).then(|| &a / &b)),
            (Arithmetic::Rem, (b != BigInt::ZERO).then(|| &a % &b)),
        ] {
            match (heap.arithmetic(operation, x, y), expected) {
                (Ok(word), Some(expected)) => {
                    prop_assert_eq!(heap.big(&expected).unwrap().tag(), word.tag());
                    let value = heap.value(word, &|_| String::new()).unwrap();
                    prop_assert_eq!(value, Value::integer(expected));
                }
                (Err(_), None) => {}
                (result, expected) => prop_assert!(false, "{:?} {:?}", result, expected),
            }
        }
    }
}

/// Integers around the borders of words.
fn integer() -> impl Strategy<Value = BigInt> {
    (prop_oneof![Just(0u32), Just(1), 28..34u32, 57..66u32, 126..130u32], -3..4i64, any::<bool>())
        .prop_map(|(bits, offset, negative)| {
            let n = (BigInt::from(1) << bits) + offset;
            if negative { -n } else { n }
        })
}

fn value() -> impl Strategy<Value = Value> {
    let float = prop_oneof![any::<f64>(), Just(0.0), Just(-0.0), Just(f64::NAN), Just(1e300)];
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<char>().prop_map(Value::Char),
        any::<i64>().prop_map(Value::Int),
        integer().prop_map(Value::integer),
        float.prop_map(Value::Float),
        (0..1u64 << 60).prop_map(Value::Ref),
        "[a-c]{1,2}".prop_map(|name| Value::keyword(&name)),
        "[a-c]{1,2}".prop_map(|name| Value::symbol(&name)),
        any::<i64>().prop_map(Value::Instant),
        "[a-cé]{0,10}".prop_map(|text| Value::text(&text)),
        prop::collection::vec(any::<u8>(), 0..12).prop_map(|bytes| Value::Bytes(bytes.into())),
        any::<[u8; 16]>().prop_map(Value::Uuid),
        any::<[u8; 32]>().prop_map(Value::Hash),
    ];
    leaf.prop_recursive(4, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Vector),
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            prop::collection::btree_map(inner.clone(), inner.clone(), 0..4).prop_map(Value::Map),
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| Value::Set(items.into_iter().collect::<BTreeSet<_>>())),
            inner.prop_map(|value| Value::Tagged("a/tag".into(), Box::new(value))),
        ]
    })
}

#[test]
fn collecting_forgets_what_nothing_reaches_and_keeps_sharing() {
    let mut heap = heap();
    let shared = heap.vector(&[int(1), int(2)]).unwrap();
    for _ in 0..100 {
        heap.text("some text that nothing reaches").unwrap();
    }
    let mut roots = [heap.vector(&[shared, shared]).unwrap(), shared];
    collect(&mut heap, &mut roots);
    assert_eq!(heap.used(), 3 + 3);
    assert_eq!(heap.vector_get(roots[0], 0), Some(roots[1]));
    assert_eq!(heap.vector_get(roots[0], 1), Some(roots[1]));
}

#[test]
fn a_chain_of_a_million_objects_is_collected_without_depth() {
    let mut heap = Heap::new(1 << 23, Arc::default());
    let mut roots = [EMPTY_VECTOR];
    for _ in 0..1_000_000 {
        roots[0] = heap.vector(&roots).unwrap();
    }
    collect(&mut heap, &mut roots);
    assert_eq!(heap.used(), 2_000_000);
}

#[test]
fn keys_that_come_in_order_make_no_chain() {
    let mut heap = heap();
    let (mut up, mut down) = (EMPTY_MAP, EMPTY_MAP);
    for n in 0..2000 {
        up = heap.tree_insert(MAP, up, int(n), Word::NIL).unwrap();
        down = heap.tree_insert(MAP, down, int(-n), Word::NIL).unwrap();
    }
    assert!(is_balanced(&heap, up) && is_balanced(&heap, down));
    for n in 0..1500 {
        up = heap.tree_remove(MAP, up, int(n)).unwrap();
    }
    assert!(is_balanced(&heap, up));
    assert_eq!(heap.tree_len(up), 500);
}

#[test]
fn a_full_heap_says_so_and_stays_as_it_was() {
    let mut heap = Heap::new(64, Arc::default());
    let kept = heap.vector(&[int(1), int(2)]).unwrap();
    assert!(matches!(heap.vector(&[int(0); 80]), Err(Trouble::Memory)));
    assert!(matches!(heap.text(&"x".repeat(1000)), Err(Trouble::Memory)));
    assert_eq!(heap.vector_words(kept), [int(1), int(2)]);
}

#[test]
fn a_map_that_has_no_room_to_grow_in_place_stays_as_it_was() {
    let Some(Body::Plain(run)) = builtin::primitive(builtin::ASSOC).map(|it| it.body) else {
        panic!()
    };
    let mut heap = Heap::new(4_000, Arc::default());
    let (mut map, mut count) = (EMPTY_MAP, 0);
    let refused = loop {
        match heap.update(builtin::ASSOC, run, &[map, int(count), Word::NIL]) {
            Ok(grown) => (map, count) = (grown, count + 1),
            Err(trouble) => break trouble,
        }
    };
    assert!(matches!(refused, Trouble::Memory));
    assert!(count > 300, "growing in place makes one node: {count}");
    assert_eq!(heap.tree_len(map), count as usize);
    assert_eq!(heap.entries(map).count(), count as usize);
    assert!(is_balanced(&heap, map));
}
