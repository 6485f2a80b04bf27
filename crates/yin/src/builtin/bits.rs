//! Primitives on the bits of integers, as if these went on with their sign for ever.

use datom::Word;
use num_bigint::BigInt;

use super::arithmetic::arg;
use crate::error::{Kind, Trouble};
use crate::heap::{Heap, Number};

type Answer = Result<Word, Trouble>;

/// No integer has more bits, so no shift needs to be longer.
const SHIFT_MAX: usize = 1 << 18;

fn integer(heap: &Heap, operation: &str, word: Word) -> Result<BigInt, Trouble> {
    match heap.number(word) {
        Some(Number::Int(int)) => Ok(int.into()),
        Some(Number::Big(big)) => {
            heap.charge(big.bits() / 64)?;
            Ok(big)
        }
        _ => Err(heap.wrong(operation, "integers", word)),
    }
}

fn fold(
    heap: &mut Heap,
    operation: &str,
    args: &[Word],
    small: fn(i64, i64) -> i64,
    big: fn(BigInt, BigInt) -> BigInt,
) -> Answer {
    let mut whole = arg(args, 0);
    for &next in args.iter().skip(1) {
        whole = match (whole.as_int(), next.as_int()) {
            (Some(a), Some(b)) => heap.int(small(a, b))?,
            _ => {
                let both = (integer(heap, operation, whole)?, integer(heap, operation, next)?);
                heap.big(&big(both.0, both.1))?
            }
        };
    }
    Ok(whole)
}

pub(super) fn and(heap: &mut Heap, args: &[Word]) -> Answer {
    fold(heap, "bit-and", args, |a, b| a & b, |a, b| a & b)
}

pub(super) fn or(heap: &mut Heap, args: &[Word]) -> Answer {
    fold(heap, "bit-or", args, |a, b| a | b, |a, b| a | b)
}

pub(super) fn xor(heap: &mut Heap, args: &[Word]) -> Answer {
    fold(heap, "bit-xor", args, |a, b| a ^ b, |a, b| a ^ b)
}

pub(super) fn not(heap: &mut Heap, args: &[Word]) -> Answer {
    let int = integer(heap, "bit-not", arg(args, 0))?;
    heap.big(&!int)
}

fn distance(heap: &Heap, operation: &str, word: Word) -> Result<usize, Trouble> {
    match word.as_int().map(usize::try_from) {
        Some(Ok(distance)) => Ok(distance),
        _ => Err(heap.wrong(operation, "a distance from 0 up", word)),
    }
}

pub(super) fn shift_left(heap: &mut Heap, args: &[Word]) -> Answer {
    let int = integer(heap, "bit-shift-left", arg(args, 0))?;
    let by = distance(heap, "bit-shift-left", arg(args, 1))?;
    if by > SHIFT_MAX {
        return Err(Trouble::new(Kind::Limit, format!("a shift by more than {SHIFT_MAX} bits")));
    }
    heap.charge(by as u64 / 64)?;
    heap.big(&(int << by))
}

pub(super) fn shift_right(heap: &mut Heap, args: &[Word]) -> Answer {
    let int = integer(heap, "bit-shift-right", arg(args, 0))?;
    let by = distance(heap, "bit-shift-right", arg(args, 1))?;
    heap.big(&(int >> by.min(SHIFT_MAX)))
}
