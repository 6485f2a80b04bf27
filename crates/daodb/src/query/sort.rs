//! Sorting that limits can stop.
//!
//! A sort of the standard library runs to its end, and one whose comparisons fail has no answer to give it. So
//! keys are made before, pieces of bounded length are sorted in one go, and loops that look at the limits merge
//! them.

use std::cmp::Ordering;

use super::error::Error;
use super::limits::Watch;

/// Items merged between two looks at the limits.
const STRIDE: usize = if cfg!(test) { 4 } else { 1024 };

/// Sorts; items that are equal come in any order. No more than `piece` items are sorted between two looks.
pub(crate) fn sort<T: Copy>(
    items: &mut Vec<T>,
    piece: usize,
    watch: &Watch,
    compare: impl Fn(&T, &T) -> Ordering,
) -> Result<(), Error> {
    for some in items.chunks_mut(piece) {
        watch.steps(some.len())?;
        some.sort_unstable_by(&compare);
    }
    if items.len() <= piece {
        return Ok(());
    }
    let _other = watch.hold(size_of::<T>() * items.len())?;
    let mut merged = Vec::with_capacity(items.len());
    let mut sorted = piece;
    while sorted < items.len() {
        merged.clear();
        for both in items.chunks(2 * sorted) {
            let (left, right) = both.split_at(sorted.min(both.len()));
            merge(left, right, &mut merged, watch, &compare)?;
        }
        std::mem::swap(items, &mut merged);
        sorted *= 2;
    }
    Ok(())
}

fn merge<T: Copy>(
    mut left: &[T],
    mut right: &[T],
    into: &mut Vec<T>,
    watch: &Watch,
    compare: &impl Fn(&T, &T) -> Ordering,
) -> Result<(), Error> {
    while let (Some((a, after_a)), Some((b, after_b))) = (left.split_first(), right.split_first()) {
        if into.len().is_multiple_of(STRIDE) {
            watch.steps(STRIDE)?;
        }
        if compare(a, b).is_le() {
            into.push(*a);
            left = after_a;
        } else {
            into.push(*b);
            right = after_b;
        }
    }
    into.extend_from_slice(left);
    into.extend_from_slice(right);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::limits::{Cancel, Limits};
    use super::*;

    proptest! {
        #[test]
        fn it_orders_as_the_standard_library_does(
            mut items in prop::collection::vec(0_u16..50, 0..60),
            piece in 1_usize..9,
        ) {
            let mut expected = items.clone();
            expected.sort_unstable();
            sort(&mut items, piece, &Watch::start(&Limits::default()), Ord::cmp).unwrap();
            prop_assert_eq!(items, expected);
        }
    }

    #[test]
    fn a_flag_stops_it_between_any_two_pieces() {
        let mut n = 0;
        loop {
            n += 1;
            let cancel = Cancel::at_look(n);
            let limits = Limits { cancel: Some(cancel.clone()), ..Limits::default() };
            let mut items: Vec<u32> = (0..400).rev().collect();
            let done = sort(&mut items, 16, &Watch::start(&limits), Ord::cmp);
            if done.is_ok() {
                break;
            }
            assert_eq!(cancel.looks(), n, "it went on after the flag was seen");
        }
        // 400 items in pieces of 16 merged five times over: a look for every 64 items, at the least.
        assert!(n > 5 * 400 / 64, "{n}");
    }
}
