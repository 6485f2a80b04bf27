//! The vector against a `Vec`, its shape against itself built another way, older versions against what
//! they were, damaged nodes against nothing but the clock.

use std::collections::HashSet;

use proptest::prelude::*;

use super::Vector;
use crate::structure::stored::Stored;
use crate::structure::tests::Damaged;
use crate::{Read, memory::Arena};

/// Elements, made of a number.
trait Numbered: Stored<Owned = Self::Mine> {
    type Mine: std::borrow::Borrow<Self> + Clone + PartialEq + std::fmt::Debug;
    fn number(n: u64) -> Self::Mine;
    fn take(shown: Self::Shown<'_>) -> Self::Mine;
}

impl Numbered for u64 {
    type Mine = u64;

    fn number(n: u64) -> u64 {
        n
    }

    fn take(shown: u64) -> u64 {
        shown
    }
}

impl Numbered for [u8; 20] {
    type Mine = [u8; 20];

    fn number(n: u64) -> [u8; 20] {
        [n as u8; 20]
    }

    fn take(shown: [u8; 20]) -> [u8; 20] {
        shown
    }
}

impl Numbered for [u8] {
    type Mine = Vec<u8>;

    fn number(n: u64) -> Vec<u8> {
        n.to_string().repeat(n as usize % 5).into_bytes()
    }

    fn take(shown: &[u8]) -> Vec<u8> {
        shown.to_vec()
    }
}

fn blocks<T: Stored + ?Sized>(vector: Vector<T>, memory: &Arena) -> usize {
    let mut seen = HashSet::new();
    vector.trace(memory, &mut |at| seen.insert(at)).unwrap();
    seen.len()
}

fn all<T: Numbered + ?Sized>(vector: Vector<T>, memory: &Arena) -> Vec<T::Mine> {
    vector.iter(memory).map(|element| T::take(element.unwrap())).collect()
}

fn check<T: Numbered + ?Sized>(vector: Vector<T>, memory: &Arena, model: &[T::Mine]) {
    vector.verify(memory).unwrap();
    assert_eq!(vector.len(memory).unwrap(), model.len() as u64);
    assert_eq!(all(vector, memory), model);
    let mut back: Vec<_> = vector.iter(memory).rev().map(|e| T::take(e.unwrap())).collect();
    back.reverse();
    assert_eq!(back, model);
    for (i, element) in model.iter().enumerate().step_by(7) {
        let found = vector.get(memory, i as u64).unwrap().map(T::take);
        assert_eq!(found.as_ref(), Some(element));
    }
    assert!(vector.get(memory, model.len() as u64).unwrap().is_none());
    let (a, b) = (model.len() / 3, model.len() * 2 / 3);
    let part: Vec<_> =
        vector.range(memory, a as u64..b as u64).map(|e| T::take(e.unwrap())).collect();
    assert_eq!(part, model[a..b]);
    assert_eq!(blocks(vector, memory), memory.live_blocks());
}

#[derive(Clone, Debug)]
enum Edit {
    Push(u64),
    Pop(u64),
    Set(u64, u64),
    Extend(u64),
    Commit,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        6 => (0..250_u64).prop_map(Edit::Push),
        2 => (1..120_u64).prop_map(Edit::Pop),
        4 => (any::<u64>(), 0..250_u64).prop_map(|(at, n)| Edit::Set(at, n)),
        2 => (0..400_u64).prop_map(Edit::Extend),
        2 => Just(Edit::Commit),
    ]
}

fn run<T: Numbered + ?Sized>(edits: &[Edit]) {
    let (mut memory, mut vector, mut model) = (Arena::new(), Vector::<T>::empty(), Vec::new());
    let mut kept: Vec<(Arena, Vector<T>, Vec<T::Mine>)> = vec![(memory.clone(), vector, vec![])];
    for (i, edit) in edits.iter().enumerate() {
        match edit {
            Edit::Push(n) => {
                vector = vector.push(&mut memory, T::number(*n)).unwrap();
                model.push(T::number(*n));
            }
            Edit::Pop(count) => {
                for _ in 0..*count {
                    let (next, last) = vector.pop(&mut memory).unwrap();
                    assert_eq!(last, model.pop());
                    vector = next;
                }
            }
            Edit::Set(at, n) => {
                let at = at % (model.len() as u64 + 1);
                let (next, before) = vector.set(&mut memory, at, T::number(*n)).unwrap();
                assert_eq!(before.as_ref(), model.get(at as usize));
                if let Some(place) = model.get_mut(at as usize) {
                    *place = T::number(*n);
                }
                vector = next;
            }
            Edit::Extend(count) => {
                vector = vector.extend(&mut memory, (0..*count).map(T::number)).unwrap();
                model.extend((0..*count).map(T::number));
            }
            Edit::Commit => memory.commit(),
        }
        if i % 20 == 0 {
            memory.commit();
            kept.push((memory.clone(), vector, model.clone()));
        }
    }
    check(vector, &memory, &model);
    for (memory, vector, model) in &kept {
        check(*vector, memory, model);
    }
    for pair in kept.windows(2) {
        differ(&pair[0], &pair[1]);
        differ(&pair[1], &pair[0]);
    }
    let mut fresh = Arena::new();
    let straight = Vector::<T>::from_iter(&mut fresh, model.iter().cloned()).unwrap();
    check(straight, &fresh, &model);
    assert_eq!(blocks(straight, &fresh), blocks(vector, &memory));
    while let (next, Some(_)) = vector.pop(&mut memory).unwrap() {
        vector = next;
    }
    assert!(vector.is_empty());
    assert_eq!(memory.live_blocks(), 0);
}

type Version<T> = (Arena, Vector<T>, Vec<<T as Numbered>::Mine>);

fn differ<T: Numbered + ?Sized>(old: &Version<T>, new: &Version<T>) {
    let found: Vec<_> = old
        .1
        .diff(&old.0, new.1, &new.0)
        .map(|place| place.unwrap())
        .map(|(i, old, new)| (i, old.map(T::take), new.map(T::take)))
        .collect();
    let places = 0..old.2.len().max(new.2.len());
    let expected: Vec<_> = places
        .map(|i| (i as u64, old.2.get(i).cloned(), new.2.get(i).cloned()))
        .filter(|(_, old, new)| old != new)
        .collect();
    assert_eq!(found, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 32 }, ..Default::default() })]

    #[test]
    fn any_edits_give_what_a_vec_gives(
        edits in proptest::collection::vec(edit(), 1..if cfg!(miri) { 30 } else { 200 }),
    ) {
        run::<u64>(&edits);
        run::<[u8; 20]>(&edits);
        run::<[u8]>(&edits);
    }
}

#[test]
fn a_long_vector_grows_and_shrinks_through_every_height() {
    let (mut memory, count) = (Arena::new(), if cfg!(miri) { 1_200 } else { 40_000 });
    let mut vector = Vector::<u64>::from_iter(&mut memory, 0..count).unwrap();
    vector.verify(&memory).unwrap();
    for n in (0..count).rev() {
        let (next, last) = vector.pop(&mut memory).unwrap();
        assert_eq!(last, Some(n));
        vector = next;
        if n.is_multiple_of(1_000) {
            vector.verify(&memory).unwrap();
        }
    }
    assert_eq!(memory.live_blocks(), 0);
}

#[test]
fn a_difference_reads_nothing_that_both_have() {
    let mut memory = Arena::new();
    let old = Vector::<u64>::from_iter(&mut memory, 0..20_000).unwrap();
    memory.commit();
    let before = memory.clone();
    let (new, _) = old.set(&mut memory, 7_000, 1).unwrap();
    memory.commit();
    let counted = super::super::tests::Counting::new(&memory);
    let found: Vec<_> = old.diff(&before, new, &counted).map(|place| place.unwrap()).collect();
    assert_eq!(found, [(7_000, Some(7_000), Some(1))]);
    assert!(counted.reads() < 200, "{}", counted.reads());
}

fn exercise(vector: Vector<[u8]>, memory: Arena) -> usize {
    let mut answers = usize::from(vector.verify(&memory).is_ok());
    answers += vector.iter(&memory).take(3_000).filter(Result::is_ok).count();
    answers += usize::from(vector.trace(&memory, &mut |_| true).is_ok());
    answers +=
        vector.diff(&memory, Vector::empty(), &memory).take(3_000).filter(Result::is_ok).count();
    let mut memory = Damaged::new(memory);
    let mut edited = vector;
    for n in 0..60_u64 {
        let next = match n % 3 {
            0 => edited.push(&mut memory, &b"a byte string"[..]),
            1 => edited.pop(&mut memory).map(|(vector, _)| vector),
            _ => edited.set(&mut memory, n * 3, &b"another"[..]).map(|(vector, _)| vector),
        };
        if let Ok(next) = next {
            answers += 1;
            edited = next;
        }
    }
    answers
}

#[test]
fn a_damaged_word_anywhere_gives_an_error_or_an_answer() {
    let mut memory = Arena::new();
    let elements = (0..100_u64).map(<[u8]>::number);
    let vector = Vector::<[u8]>::from_iter(&mut memory, elements).unwrap();
    memory.commit();
    let whole = exercise(vector, memory.clone());
    let mut noticed = 0;
    for at in memory.addresses() {
        let words = memory.words(at).unwrap().to_vec();
        for (i, word) in words.iter().enumerate() {
            let flips = (0..64).step_by(if cfg!(miri) { 31 } else { 9 }).map(|bit| word ^ 1 << bit);
            for value in flips.chain([0, u64::MAX, at.raw(), vector.root().raw()]) {
                let mut damaged = memory.clone();
                damaged.damage(at, i, value);
                noticed += usize::from(exercise(vector, damaged) != whole);
            }
        }
    }
    assert!(noticed >= 100, "{noticed} damages were noticed");
}
