//! Sorting facts into the orders of the indexes.
//!
//! 1. What is compared is mostly one word. A transaction numbers its entities densely and knows few
//!    attributes, so the two words that a key begins with, less their least, and the place of the fact fit
//!    64 bits. Such words are sorted digit by digit, in time that grows with their number alone.
//! 2. Equal words in front leave facts as they were. So what is in the order of EAVT is brought into any
//!    other by the words in front of its keys.

use datom::{Datom, Tag, id};

use crate::index::{Index, Key};
use crate::schema::Schema;

/// Facts below which sorting the usual way costs less.
const FEW: usize = 64;
/// Bits of a digit.
const DIGIT: u32 = 11;
/// Digits that are sorted by; with more, comparing costs less.
const DIGITS_MAX: u32 = 4;

/// Brings facts into the order of EAVT.
pub(crate) fn sort(datoms: &mut Vec<Datom>) {
    let less = |one: &Datom, other: &Datom| Index::Eavt.key(one) < Index::Eavt.key(other);
    if datoms.is_sorted_by(less) {
        return;
    }
    if datoms.len() < FEW {
        return datoms.sort_unstable_by_key(|datom| Index::Eavt.key(datom));
    }
    // Transactions are numbered far above all others.
    let entities = datoms.iter().map(|datom| datom.e).filter(|e| *e < id::TX_BASE);
    let gap = id::TX_BASE - 1 - entities.max().unwrap_or(0);
    let nearer = |e: u64| if e < id::TX_BASE { e } else { e - gap };
    let places = places(datoms, |datom| (nearer(datom.e), datom.a));
    let sorted = places.into_iter().filter_map(|place| datoms.get(place as usize).copied());
    let mut sorted: Vec<Datom> = sorted.collect();
    for of_one in sorted.chunk_by_mut(|one, other| (one.e, one.a) == (other.e, other.a)) {
        if of_one.len() > 1 {
            of_one.sort_unstable_by_key(|datom| (datom.v.raw(), datom.t, datom.m));
        }
    }
    *datoms = sorted;
}

/// The keys that an index holds of datoms that are in the order of EAVT, sorted.
pub(crate) fn keys(index: Index, schema: &Schema, datoms: &[Datom]) -> Vec<Key> {
    match index {
        Index::Eavt => datoms.iter().map(|datom| index.key(datom)).collect(),
        Index::Aevt => by(index, datoms, |datom| (datom.a, 0)),
        Index::Avet => {
            let mut last = (None, false);
            let mut belongs = |a: u64| {
                if last.0 != Some(a) {
                    last = (Some(a), schema.attribute(a).is_some_and(|a| a.in_avet()));
                }
                last.1
            };
            let some: Vec<Datom> =
                datoms.iter().copied().filter(|datom| belongs(datom.a)).collect();
            by(index, &some, |datom| (datom.a, datom.v.raw()))
        }
        Index::Vaet => {
            let refers = |datom: &Datom| datom.v.tag() == Tag::Ref;
            let some: Vec<Datom> = datoms.iter().copied().filter(refers).collect();
            by(index, &some, |datom| (datom.v.raw(), datom.a))
        }
    }
}

/// Keys in the order of two words of their facts, those of equal ones in the order they come in.
fn by(index: Index, datoms: &[Datom], words: impl Fn(&Datom) -> (u64, u64)) -> Vec<Key> {
    if datoms.len() < FEW {
        let mut keys: Vec<Key> = datoms.iter().map(|datom| index.key(datom)).collect();
        keys.sort_by_key(|key| words(&index.datom(key)));
        return keys;
    }
    let places = places(datoms, words).into_iter();
    places.filter_map(|place| Some(index.key(datoms.get(place as usize)?))).collect()
}

/// The places of facts in the order of two words, those of equal ones ascending.
pub(crate) fn places(datoms: &[Datom], words: impl Fn(&Datom) -> (u64, u64)) -> Vec<u64> {
    let (mut least, mut most) = ((u64::MAX, u64::MAX), (0, 0));
    for (first, second) in datoms.iter().map(&words) {
        least = (least.0.min(first), least.1.min(second));
        most = (most.0.max(first), most.1.max(second));
    }
    let bits = |greatest: u64| u64::BITS - greatest.leading_zeros();
    let place_bits = bits(datoms.len() as u64);
    let second_bits = bits(most.1.saturating_sub(least.1));
    let word_bits = bits(most.0.saturating_sub(least.0)) + second_bits;
    if place_bits + word_bits > u64::BITS {
        let mut places: Vec<u64> = (0..datoms.len() as u64).collect();
        places.sort_by_key(|place| datoms.get(*place as usize).map(&words));
        return places;
    }
    let mut packed: Vec<u64> = Vec::with_capacity(datoms.len());
    for (place, (first, second)) in (0..).zip(datoms.iter().map(&words)) {
        let word = ((first - least.0) << second_bits) | (second - least.1);
        packed.push(word << place_bits | place);
    }
    sort_packed(&mut packed, place_bits, place_bits + word_bits);
    let mask = (1 << place_bits) - 1;
    packed.iter_mut().for_each(|word| *word &= mask);
    packed
}

/// Sorts words by their bits from `low` up to, but without, `high`; equal ones stay as they are.
fn sort_packed(words: &mut Vec<u64>, low: u32, high: u32) {
    if words.is_sorted() {
        return;
    }
    if (high - low).div_ceil(DIGIT) > DIGITS_MAX {
        return words.sort_unstable();
    }
    let mut moved = vec![0; words.len()];
    for shift in (low..high).step_by(DIGIT as usize) {
        let width = DIGIT.min(high - shift);
        let digit = |word: u64| (word >> shift & ((1 << width) - 1)) as usize;
        let mut ends = vec![0_usize; 1 << width];
        for word in words.iter() {
            ends[digit(*word)] += 1;
        }
        let mut begun = 0;
        for end in &mut ends {
            begun += std::mem::replace(end, begun);
        }
        for word in words.iter() {
            let end = &mut ends[digit(*word)];
            moved[*end] = *word;
            *end += 1;
        }
        std::mem::swap(words, &mut moved);
    }
}

#[cfg(test)]
mod tests {
    use datom::Word;
    use proptest::prelude::*;

    use super::*;

    fn word() -> impl Strategy<Value = u64> {
        prop_oneof![0..40_u64, 4_096..9_000_u64, any::<u64>().prop_map(|word| word >> 4)]
    }

    fn datom() -> impl Strategy<Value = Datom> {
        let small =
            (4_096..4_500_u64, 60..70_u64, 0..50_u64).prop_map(|(e, a, v)| (e, a, Word::entity(v)));
        let transaction =
            (0..3_u64, 60..63_u64).prop_map(|(t, a)| (id::transaction(t), a, Word::entity(a)));
        let any = (word(), word(), word()).prop_map(|(e, a, v)| (e, a, Word::from_raw(v)));
        (prop_oneof![16 => small, 2 => transaction, 1 => any], 0..3_u64, 0..2_u64)
            .prop_map(|((e, a, v), t, m)| Datom { e, a, v, t, m })
    }

    fn sorts_as_comparing_does(mut datoms: Vec<Datom>) {
        let schema = Schema::builtin();
        sort(&mut datoms);
        assert!(datoms.is_sorted_by_key(|datom| Index::Eavt.key(datom)));
        for index in Index::ALL {
            let belongs = |datom: &&Datom| match index {
                Index::Eavt | Index::Aevt => true,
                Index::Avet => schema.attribute(datom.a).is_some_and(|a| a.in_avet()),
                Index::Vaet => datom.v.tag() == Tag::Ref,
            };
            let mut expected: Vec<Key> =
                datoms.iter().filter(belongs).map(|datom| index.key(datom)).collect();
            expected.sort_unstable();
            assert_eq!(keys(index, &schema, &datoms), expected, "{index:?}");
        }
    }

    proptest! {
        #[test]
        fn facts_are_sorted_as_by_comparing_keys(datoms in prop::collection::vec(datom(), 0..300)) {
            sorts_as_comparing_does(datoms);
        }
    }

    #[test]
    fn many_facts_of_few_attributes_are_sorted_digit_by_digit() {
        let fact = |n: u64| {
            let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            Datom::assert(4_096 + (mixed >> 50), 4_000 + n % 3, Word::entity(mixed >> 49), 1)
        };
        sorts_as_comparing_does((0..20_000).map(fact).collect());
    }
}
