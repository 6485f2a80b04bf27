//! What instructions do with words: the common case at once, on integers that lie in their words, and
//! everything else out of line.

use std::cmp::Ordering;

use datom::{Tag, Word};

use crate::builtin::{self, Body};
use crate::error::{Kind, Trouble};
use crate::heap::{Arithmetic, Heap};
use crate::projection::Compare;

const INT: u64 = 1 << 60;
/// The word of the integer 0.
const ZERO: u64 = INT | 1 << 59;

#[inline(always)]
fn is_int(raw: u64) -> bool {
    raw >> 60 == 1
}

/// The sum of two inline integers, if it is one. A sum beyond 60 bits carries into the tag.
#[inline(always)]
pub(super) fn add(a: Word, b: Word) -> Option<Word> {
    let sum = a.raw().wrapping_add(b.raw()).wrapping_sub(ZERO);
    (is_int(a.raw()) && is_int(b.raw()) && is_int(sum)).then_some(Word::from_raw(sum))
}

#[inline(always)]
pub(super) fn sub(a: Word, b: Word) -> Option<Word> {
    let rest = a.raw().wrapping_sub(b.raw()).wrapping_add(ZERO);
    (is_int(a.raw()) && is_int(b.raw()) && is_int(rest)).then_some(Word::from_raw(rest))
}

#[inline(always)]
pub(super) fn add_int(a: Word, value: i32) -> Option<Word> {
    let sum = a.raw().wrapping_add(i64::from(value) as u64);
    (is_int(a.raw()) && is_int(sum)).then_some(Word::from_raw(sum))
}

#[inline(always)]
pub(super) fn mul(a: Word, b: Word) -> Option<Word> {
    Word::int(a.as_int()?.checked_mul(b.as_int()?)?)
}

#[inline(always)]
pub(super) fn rem(a: Word, b: Word) -> Option<Word> {
    Word::int(a.as_int()?.checked_rem(b.as_int()?)?)
}

/// The remainder by a number that is not 0. Small dividends take the shorter division.
#[inline(always)]
pub(super) fn rem_int(a: Word, value: i32) -> Option<Word> {
    let int = a.as_int()?;
    let rest = match (u32::try_from(int), u32::try_from(value)) {
        (Ok(int), Ok(value)) => i64::from(int.checked_rem(value)?),
        _ => int.checked_rem(i64::from(value))?,
    };
    Some(int_word(rest))
}

/// The order of two inline integers.
#[inline(always)]
pub(super) fn int_order(a: Word, b: Word) -> Option<Ordering> {
    (is_int(a.raw()) && is_int(b.raw())).then(|| a.raw().cmp(&b.raw()))
}

#[inline(always)]
pub(super) fn int_word(value: i64) -> Word {
    Word::from_raw(ZERO.wrapping_add(value as u64))
}

#[cold]
#[inline(never)]
pub(super) fn slow_arithmetic(
    heap: &mut Heap,
    operation: Arithmetic,
    a: Word,
    b: Word,
) -> Result<Word, Trouble> {
    heap.arithmetic(operation, a, b)
}

/// `assoc` where it is more than a write.
#[inline(never)]
pub(super) fn slow_assoc(heap: &mut Heap, args: [Word; 3]) -> Result<Word, Trouble> {
    match builtin::primitive(builtin::ASSOC).map(|primitive| primitive.body) {
        Some(Body::Plain(run)) => heap.update(builtin::ASSOC, run, &args),
        _ => Err(Trouble::new(Kind::State, "no primitive")),
    }
}

/// Any two values; NaN compares with nothing.
#[cold]
#[inline(never)]
pub(super) fn slow_compare(
    heap: &Heap,
    compare: Compare,
    a: Word,
    b: Word,
) -> Result<bool, Trouble> {
    match compare {
        Compare::Eq => heap.equal(a, b),
        Compare::Ne => heap.equal(a, b).map(|equal| !equal),
        _ => {
            let order = heap.numeric_order(compare.name(), a, b)?;
            Ok(order.is_some_and(|order| compare.holds(order)))
        }
    }
}

#[inline(always)]
pub(super) fn equal(heap: &Heap, a: Word, b: Word) -> Result<bool, Trouble> {
    if a == b {
        return Ok(true);
    }
    // Only objects can be equal without being the same word.
    if a.tag() != Tag::Private || b.tag() != Tag::Private {
        return Ok(false);
    }
    slow_compare(heap, Compare::Eq, a, b)
}

/// A primitive whose number of arguments the compiler has checked.
#[inline]
pub(super) fn run_plain(heap: &mut Heap, id: u32, args: &[Word]) -> Result<Word, Trouble> {
    match builtin::primitive(id).map(|primitive| primitive.body) {
        Some(Body::Plain(run)) => run(heap, args),
        _ => Err(Trouble::new(Kind::State, "no primitive")),
    }
}
