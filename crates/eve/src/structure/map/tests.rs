//! The map against a `HashMap`, its shape against itself built another way, older versions against
//! what they were, damaged nodes against nothing but the clock.

use std::{
    borrow::Borrow,
    cmp::Ordering,
    collections::{HashMap, HashSet},
};

use proptest::prelude::*;

use super::{Change, Map, WordMap, node::LEVELS};
use crate::structure::{
    hash::{hash_bytes, hash_word, sip_1_3},
    stored::{Code, Stored},
    tests::{Counting, Damaged},
};
use crate::{Addr, Error, Read, Write, memory::Arena};

/// A key whose hash is as bad as can be: many equal, many that part only at the last level.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
struct Weak(u64);

impl Stored for Weak {}

impl Code for Weak {
    type Shown<'r> = Weak;
    type Owned = Weak;
    const WORDS: usize = 1;
    const APART: bool = false;

    fn hash(&self, _seed: u64) -> u64 {
        ((self.0 & 1) << 61 | (self.0 & 2) << 29 | (self.0 & 4)).reverse_bits()
    }

    fn key_bytes(&self) -> &[u8] {
        bytemuck::bytes_of(&self.0)
    }

    fn from_key_bytes(bytes: &[u8]) -> Option<Weak> {
        u64::from_key_bytes(bytes).map(Weak)
    }

    fn store<W: Write + ?Sized>(&self, _memory: &mut W, words: &mut [u64]) -> Result<(), Error> {
        words[0] = self.0;
        Ok(())
    }

    fn block(_words: &[u64]) -> Option<Addr> {
        None
    }

    fn show<'r, R: Read + ?Sized>(_reader: &'r R, words: &'r [u64]) -> Result<Weak, Error> {
        Ok(Weak(words[0]))
    }

    fn own<R: Read + ?Sized>(_reader: &R, words: &[u64]) -> Result<Weak, Error> {
        Ok(Weak(words[0]))
    }

    fn hash_stored<R: Read + ?Sized>(_reader: &R, words: &[u64], seed: u64) -> Result<u64, Error> {
        Ok(Weak(words[0]).hash(seed))
    }

    fn same_stored<R: Read + ?Sized, S: Read + ?Sized>(
        _reader: &R,
        words: &[u64],
        _other_reader: &S,
        other: &[u64],
    ) -> Result<bool, Error> {
        Ok(words == other)
    }

    fn compare<R: Read + ?Sized>(&self, _reader: &R, words: &[u64]) -> Result<Ordering, Error> {
        Ok(self.0.cmp(&words[0]))
    }
}

fn blocks<K: Stored + ?Sized, V: Stored + ?Sized>(map: Map<K, V>, memory: &Arena) -> usize {
    let mut seen = HashSet::new();
    map.trace(memory, &mut |at| seen.insert(at)).unwrap();
    seen.len()
}

/// The heads of every node below, without the addresses: equal for maps of one shape.
fn shape<K: Stored + ?Sized, V: Stored + ?Sized>(map: Map<K, V>, memory: &Arena) -> Vec<[u64; 2]> {
    let mut shape = Vec::new();
    let trace = map.trace(memory, &mut |at| {
        let words = memory.words(at).unwrap();
        shape.push([words[0], words[1]]);
        true
    });
    trace.unwrap();
    shape
}

/// Kinds of keys and values, made of a small number.
trait Numbered: Stored {
    type Mine: std::borrow::Borrow<Self> + Eq + std::hash::Hash + Clone + std::fmt::Debug;
    fn number(n: u64) -> Self::Mine;
    fn take(shown: <Self as Code>::Shown<'_>) -> Self::Mine;
    fn owned(owned: <Self as Code>::Owned) -> Self::Mine;
}

macro_rules! plain {
    ($($kind:ty: $number:expr),*) => {
        $(impl Numbered for $kind {
            type Mine = $kind;

            fn number(n: u64) -> $kind {
                $number(n)
            }

            fn take(shown: $kind) -> $kind {
                shown
            }

            fn owned(owned: $kind) -> $kind {
                owned
            }
        })*
    };
}

plain!(
    u64: |n| n,
    Weak: |n| Weak(n % 37),
    u16: |n| n as u16,
    (): |_| (),
    [u32; 5]: |n| [n as u32 % 5, 7, n as u32, 0, 1]
);

impl Numbered for [u8] {
    type Mine = Vec<u8>;

    fn number(n: u64) -> Vec<u8> {
        n.to_string().repeat(n as usize % 5).into_bytes()
    }

    fn take(shown: &[u8]) -> Vec<u8> {
        shown.to_vec()
    }

    fn owned(owned: Vec<u8>) -> Vec<u8> {
        owned
    }
}

type Model<K, V> = HashMap<<K as Numbered>::Mine, <V as Numbered>::Mine>;

fn all<K: Numbered + ?Sized, V: Numbered + ?Sized>(map: Map<K, V>, memory: &Arena) -> Model<K, V> {
    let mut entries = Model::<K, V>::new();
    for entry in map.iter(memory) {
        let (key, value) = entry.unwrap();
        assert_eq!(entries.insert(K::take(key), V::take(value)), None, "an entry came twice");
    }
    entries
}

fn check<K: Numbered + ?Sized, V: Numbered + ?Sized>(
    map: Map<K, V>,
    memory: &Arena,
    model: &Model<K, V>,
) {
    map.verify(memory).unwrap();
    assert_eq!(map.len(memory).unwrap(), model.len() as u64);
    assert_eq!(map.is_empty(), model.is_empty());
    assert_eq!(all(map, memory), *model);
    for (key, value) in model {
        assert_eq!(map.get(memory, key.borrow()).unwrap().map(V::take).as_ref(), Some(value));
    }
    let keys: Vec<K::Mine> = (0..250).map(K::number).collect();
    let mut shown = Vec::new();
    let show = |key: &K, value| shown.push((map.get(memory, key).unwrap().map(V::take), value));
    map.get_many(memory, keys.iter().map(Borrow::borrow), show).unwrap();
    assert_eq!(shown.len(), 250);
    shown.into_iter().for_each(|(one, many)| assert_eq!(one, many.map(V::take)));
    assert_eq!(blocks(map, memory), memory.live_blocks());
}

#[derive(Clone, Debug)]
enum Edit {
    Insert(u64, u64),
    Remove(u64),
    Extend(u64, u64),
    Commit,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        10 => (0..200_u64, 0..14_u64).prop_map(|(key, value)| Edit::Insert(key, value)),
        8 => (0..200_u64).prop_map(Edit::Remove),
        1 => (0..200_u64, 0..30_u64).prop_map(|(from, count)| Edit::Extend(from, count)),
        2 => Just(Edit::Commit),
    ]
}

fn run<K: Numbered + ?Sized, V: Numbered + ?Sized>(edits: &[Edit]) {
    let (mut memory, mut map, mut model) =
        (Arena::new(), Map::<K, V>::empty(), Model::<K, V>::new());
    let mut kept = vec![(memory.clone(), map, model.clone())];
    for (i, edit) in edits.iter().enumerate() {
        match edit {
            Edit::Insert(n, value) => {
                let (key, value) = (K::number(*n), V::number(*value));
                let (next, before) = map.insert(&mut memory, key.borrow(), value.borrow()).unwrap();
                assert_eq!(before.map(V::owned), model.insert(key, value));
                map = next;
            }
            Edit::Remove(n) => {
                let key = K::number(*n);
                let (next, before) = map.remove(&mut memory, key.borrow()).unwrap();
                assert_eq!(before.map(V::owned), model.remove::<K::Mine>(&key));
                assert!(next.get(&memory, key.borrow()).unwrap().is_none());
                map = next;
            }
            Edit::Extend(from, count) => {
                let entries = (*from..from + count).map(|n| (K::number(n), V::number(n % 14)));
                model.extend(entries.clone());
                map = map.extend(&mut memory, entries).unwrap();
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
        differ(&pair[0], &pair[1]);
        differ(&pair[1], &pair[0]);
    }
    same_shape(map, &memory, &model);
    let mut left = map;
    for key in model.keys() {
        left = left.remove(&mut memory, key.borrow()).unwrap().0;
    }
    assert!(left.is_empty());
    assert_eq!(memory.live_blocks(), 0);
}

/// Canonical form: built straight from the content, the map has the same nodes.
fn same_shape<K: Numbered + ?Sized, V: Numbered + ?Sized>(
    map: Map<K, V>,
    memory: &Arena,
    model: &Model<K, V>,
) {
    let mut fresh = Arena::new();
    let straight = model.iter().fold(Map::<K, V>::empty(), |map, (key, value)| {
        map.insert(&mut fresh, key.borrow(), value.borrow()).unwrap().0
    });
    assert_eq!(shape(map, memory), shape(straight, &fresh));
    let mut fresh = Arena::new();
    let twice = model.iter().chain(model.iter()).map(|(k, v)| (k.borrow(), v.borrow()));
    let bulk = Map::<K, V>::from_iter(&mut fresh, twice).unwrap();
    assert_eq!(shape(map, memory), shape(bulk, &fresh));
    check(bulk, &fresh, model);
}

type Version<K, V> = (Arena, Map<K, V>, Model<K, V>);

/// The difference of two versions, done to the older, gives the newer; and so does a merge of all
/// that the newer has.
fn differ<K: Numbered + ?Sized, V: Numbered + ?Sized>(old: &Version<K, V>, new: &Version<K, V>) {
    let mut model = old.2.clone();
    for change in old.1.diff(&old.0, new.1, &new.0) {
        match change.unwrap() {
            Change::Added(key, value) => {
                assert_eq!(model.insert(K::take(key), V::take(value)), None);
            }
            Change::Removed(key, value) => {
                assert_eq!(model.remove::<K::Mine>(&K::take(key)), Some(V::take(value)));
            }
            Change::Changed(key, old, new) => {
                let (old, new) = (V::take(old), V::take(new));
                assert_ne!(old, new);
                assert_eq!(model.insert(K::take(key), new), Some(old));
            }
        }
    }
    assert_eq!(model, new.2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 64 }, ..Default::default() })]

    #[test]
    fn any_edits_give_what_a_hashmap_gives(
        edits in proptest::collection::vec(edit(), 1..if cfg!(miri) { 60 } else { 600 }),
    ) {
        run::<u64, u64>(&edits);
        run::<[u8], [u8]>(&edits);
        run::<Weak, ()>(&edits);
        run::<[u32; 5], u16>(&edits);
    }

    #[test]
    fn distinct_words_have_distinct_hashes(a in any::<u64>(), b in any::<u64>(), seed in any::<u64>()) {
        prop_assert_eq!(a == b, hash_word(a, seed) == hash_word(b, seed));
    }
}

#[test]
fn an_empty_map_holds_nothing_and_answers_so() {
    let memory = Arena::new();
    check(Map::<[u8], u64>::empty(), &memory, &HashMap::new());
    assert_eq!(Map::<[u8]>::empty().get(&memory, b"").unwrap(), None);
    let mut memory = memory;
    assert_eq!(
        Map::<[u8]>::empty().remove(&mut memory, b"").unwrap(),
        (Map::<[u8]>::empty(), None)
    );
    assert_eq!(memory.live_blocks(), 0);
}

#[test]
fn hashes_are_what_they_were_when_the_format_was_fixed() {
    // Computed apart from this code.
    assert_eq!(hash_bytes(b"The quick brown fox", 0x5eed), 0x5e5e634720e430d1);
    assert_eq!(hash_word(7, 0x5eed), 0x90eec1f36039149e);
}

#[test]
fn byte_strings_are_hashed_by_siphash_1_3() {
    // The standard library's hasher is SipHash-1-3 under a key of zeros.
    for len in 0..70 {
        let bytes: Vec<u8> = (0..len).collect();
        let mut hasher = std::hash::DefaultHasher::new();
        std::hash::Hasher::write(&mut hasher, &bytes);
        assert_eq!(sip_1_3(&bytes, 0, 0), std::hash::Hasher::finish(&hasher));
    }
}

#[test]
fn a_hash_spreads_over_every_slot_of_every_level() {
    for seed in [0, 1, 0x5eed, u64::MAX] {
        for level in 0..LEVELS {
            let mut slots = [0_u32; 64];
            for n in 0..64_000 {
                slots[super::node::slot(hash_word(n, seed), level) as usize] += 1;
            }
            // The last level has four bits, the upper ones of its slots.
            let step = if level + 1 == LEVELS { 4 } else { 1 };
            let used: Vec<u32> = slots.iter().copied().step_by(step).collect();
            let (least, most) = (used.iter().min(), used.iter().max());
            let used = used.len();
            assert!(*least.unwrap() > 64_000 / used as u32 * 8 / 10, "{seed} {level} {slots:?}");
            assert!(*most.unwrap() < 64_000 / used as u32 * 12 / 10, "{seed} {level} {slots:?}");
        }
    }
}

#[test]
fn an_edit_that_changes_nothing_touches_nothing() {
    let mut memory = Arena::new();
    let map =
        (0..500_u64).fold(WordMap::empty(), |map, n| map.insert(&mut memory, &n, n).unwrap().0);
    memory.commit();
    let before = memory.addresses();
    assert_eq!(map.insert(&mut memory, &7, 7).unwrap(), (map, Some(7)));
    assert_eq!(map.remove(&mut memory, &700).unwrap(), (map, None));
    assert_eq!(memory.addresses(), before);
}

#[test]
fn a_published_block_is_never_written_again() {
    let mut memory = Arena::new();
    let map =
        (0..500_u64).fold(WordMap::empty(), |map, n| map.insert(&mut memory, &n, n).unwrap().0);
    memory.commit();
    let old = memory.clone();
    let (newer, _) = map.insert(&mut memory, &1_000, 1).unwrap();
    let (newer, _) = newer.remove(&mut memory, &3).unwrap();
    let (newer, _) = newer.insert(&mut memory, &4, 0).unwrap();
    for at in old.addresses() {
        assert_eq!(memory.words(at).unwrap(), old.words(at).unwrap());
    }
    assert_eq!(all::<u64, u64>(map, &memory), (0..500).map(|n| (n, n)).collect());
    assert_eq!(newer.len(&memory).unwrap(), 500);
}

#[test]
fn a_map_of_one_kind_of_key_is_refused_as_one_of_the_other() {
    let mut memory = Arena::new();
    let (words, _) = WordMap::empty().insert(&mut memory, &1, 1).unwrap();
    let bytes = Map::<[u8]>::from_root(words.root());
    assert!(bytes.get(&memory, b"1").is_err());
    assert!(bytes.insert(&mut memory, b"1", 1).is_err());
    assert!(bytes.iter(&memory).next().is_some_and(|entry| entry.is_err()));
}

#[test]
fn a_difference_reads_nothing_that_both_have() {
    let mut memory = Arena::new();
    let old = WordMap::from_iter(&mut memory, (0..20_000_u64).map(|n| (n, n))).unwrap();
    memory.commit();
    let before = memory.clone();
    let (new, _) = old.insert(&mut memory, &7, 0).unwrap();
    memory.commit();
    let counted = Counting::new(&memory);
    let found: Vec<_> = old.diff(&before, new, &counted).map(Result::unwrap).collect();
    assert_eq!(found, [Change::Changed(7, 7, 0)]);
    assert!(counted.reads() < 20, "{}", counted.reads());
}

#[test]
fn a_merge_takes_what_the_other_has_and_asks_about_what_both_have() {
    let mut memory = Arena::new();
    let entries = |range: std::ops::Range<u64>| range.map(|n| (n, n));
    let old = WordMap::from_iter(&mut memory, entries(0..500)).unwrap();
    memory.commit();
    let theirs = {
        let mut branch = memory.clone();
        let map = old.extend(&mut branch, (490..510_u64).map(|n| (n, n * 2))).unwrap();
        (map.remove(&mut branch, &3).unwrap().0, branch)
    };
    // Both branches take the same addresses: they must not share a memory. So one is kept whole.
    let (map, mut memory) = theirs;
    memory.commit();
    let reader = memory.clone();
    let mut asked = Vec::new();
    let merged = old_again(&mut memory)
        .merge(&mut memory, map, &reader, |key, here, there| {
            asked.push((key, here, there));
            (key % 2 == 0).then_some(there)
        })
        .unwrap();
    merged.verify(&memory).unwrap();
    asked.sort();
    assert_eq!(asked, (490..500).map(|n| (n, n, n * 2)).collect::<Vec<_>>());
    let expected: HashMap<u64, u64> = entries(0..490)
        .chain((490..500).map(|n| (n, if n % 2 == 0 { n * 2 } else { n })))
        .chain((500..510).map(|n| (n, n * 2)))
        .collect();
    assert_eq!(all::<u64, u64>(merged, &memory), expected);
}

/// The same content as another map, in blocks of its own.
fn old_again(memory: &mut Arena) -> WordMap {
    WordMap::from_iter(memory, (0..500_u64).map(|n| (n, n))).unwrap()
}

/// Does everything there is to do, and only counts how much was answered.
fn exercise<K: Numbered + ?Sized, V: Numbered + ?Sized>(map: Map<K, V>, memory: Arena) -> usize {
    let mut answers = usize::from(map.verify(&memory).is_ok());
    answers += map.iter(&memory).take(10_000).filter(|entry| entry.is_ok()).count();
    answers += usize::from(map.trace(&memory, &mut |_| true).is_ok());
    let whole = Map::<K, V>::empty();
    answers += whole.diff(&memory, map, &memory).take(10_000).filter(Result::is_ok).count();
    let mut memory = Damaged::new(memory);
    let mut edited = map;
    for n in 0..80 {
        let key = K::number(n);
        answers += usize::from(map.get(&memory, key.borrow()).is_ok_and(|value| value.is_some()));
        let next = match n % 2 {
            0 => edited.remove(&mut memory, key.borrow()),
            _ => edited.insert(&mut memory, key.borrow(), V::number(9).borrow()),
        };
        if let Ok((next, before)) = next {
            answers += usize::from(before.is_some());
            edited = next;
        }
    }
    answers
}

fn damage<K: Numbered + ?Sized, V: Numbered + ?Sized>(least: usize) {
    let mut memory = Arena::new();
    let map = (0..60).fold(Map::<K, V>::empty(), |map, n| {
        map.insert(&mut memory, K::number(n).borrow(), V::number(n).borrow()).unwrap().0
    });
    memory.commit();
    let whole = exercise(map, memory.clone());
    let mut noticed = 0;
    for at in memory.addresses() {
        let words = memory.words(at).unwrap().to_vec();
        for (i, word) in words.iter().enumerate() {
            let flips = (0..64).step_by(if cfg!(miri) { 17 } else { 7 }).map(|bit| word ^ 1 << bit);
            for value in flips.chain([0, u64::MAX, at.raw(), map.root().raw()]) {
                let mut damaged = memory.clone();
                damaged.damage(at, i, value);
                noticed += usize::from(exercise(map, damaged) != whole);
            }
        }
    }
    assert!(noticed >= least, "{noticed} damages were noticed");
}

#[test]
fn a_damaged_word_anywhere_gives_an_error_or_an_answer() {
    damage::<u64, u64>(100);
    damage::<[u8], [u8]>(100);
    damage::<Weak, u16>(100);
}

#[test]
fn a_map_that_hangs_in_itself_is_refused() {
    let mut memory = Arena::new();
    let map = (0..60).fold(Map::<Weak, u64>::empty(), |map, n| {
        map.insert(&mut memory, &Weak::number(n), n).unwrap().0
    });
    memory.commit();
    for word in 2..memory.words(map.root()).unwrap().len() {
        memory.damage(map.root(), word, map.root().raw());
    }
    assert!(map.iter(&memory).any(|entry| entry.is_err()));
    assert!(map.verify(&memory).is_err());
    assert!(map.trace(&memory, &mut |_| true).is_err());
}
