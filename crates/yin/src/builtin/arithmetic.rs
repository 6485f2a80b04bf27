//! Primitives on numbers.

use std::cmp::Ordering;

use datom::{Tag, Value, Word};
use num_bigint::BigInt;
use num_traits::FromPrimitive;

use crate::error::{Kind, Trouble};
use crate::heap::{Arithmetic, Heap, Number, Sort};
use crate::projection::Compare;

type Answer = Result<Word, Trouble>;

/// An argument the arity check has made sure of.
pub(super) fn arg(args: &[Word], at: usize) -> Word {
    args.get(at).copied().unwrap_or(Word::NIL)
}

#[inline(always)]
fn fold(heap: &mut Heap, operation: Arithmetic, unit: i64, args: &[Word]) -> Answer {
    match args {
        &[a, b] => heap.arithmetic(operation, a, b),
        _ => fold_any(heap, operation, unit, args),
    }
}

#[inline(never)]
fn fold_any(heap: &mut Heap, operation: Arithmetic, unit: i64, args: &[Word]) -> Answer {
    let mut sum = match args.split_first() {
        None => return heap.int(unit),
        Some((&first, [])) => return heap.arithmetic(operation, first, arg_int(unit)),
        Some((&first, _)) => first,
    };
    for &next in args.iter().skip(1) {
        sum = heap.arithmetic(operation, sum, next)?;
    }
    Ok(sum)
}

fn arg_int(int: i64) -> Word {
    Word::int(int).unwrap_or(Word::NIL)
}

pub(super) fn add(heap: &mut Heap, args: &[Word]) -> Answer {
    fold(heap, Arithmetic::Add, 0, args)
}

pub(super) fn mul(heap: &mut Heap, args: &[Word]) -> Answer {
    fold(heap, Arithmetic::Mul, 1, args)
}

pub(super) fn sub(heap: &mut Heap, args: &[Word]) -> Answer {
    match args {
        [one] => heap.arithmetic(Arithmetic::Sub, arg_int(0), *one),
        _ => fold(heap, Arithmetic::Sub, 0, args),
    }
}

pub(super) fn div(heap: &mut Heap, args: &[Word]) -> Answer {
    match args {
        [one] => heap.arithmetic(Arithmetic::Div, arg_int(1), *one),
        _ => fold(heap, Arithmetic::Div, 1, args),
    }
}

pub(super) fn inc(heap: &mut Heap, args: &[Word]) -> Answer {
    heap.arithmetic(Arithmetic::Add, arg(args, 0), arg_int(1))
}

pub(super) fn dec(heap: &mut Heap, args: &[Word]) -> Answer {
    heap.arithmetic(Arithmetic::Sub, arg(args, 0), arg_int(1))
}

/// Two integers of a word each, the second not 0. They are of 60 bits, so nothing overflows.
#[inline]
fn small(args: &[Word]) -> Option<(i64, i64)> {
    let (a, b) = (arg(args, 0).as_int()?, arg(args, 1).as_int()?);
    (b != 0).then_some((a, b))
}

pub(super) fn quot(heap: &mut Heap, args: &[Word]) -> Answer {
    match small(args) {
        Some((a, b)) => heap.int(a / b),
        None => heap.arithmetic(Arithmetic::Quot, arg(args, 0), arg(args, 1)),
    }
}

pub(super) fn rem(heap: &mut Heap, args: &[Word]) -> Answer {
    match small(args) {
        Some((a, b)) => heap.int(a % b),
        None => heap.arithmetic(Arithmetic::Rem, arg(args, 0), arg(args, 1)),
    }
}

pub(super) fn modulo(heap: &mut Heap, args: &[Word]) -> Answer {
    match small(args) {
        // The rest has the sign of the divisor.
        Some((a, b)) => match a % b {
            rest if rest != 0 && (rest < 0) != (b < 0) => heap.int(rest + b),
            rest => heap.int(rest),
        },
        None => heap.arithmetic(Arithmetic::Mod, arg(args, 0), arg(args, 1)),
    }
}

/// The quotient rounded down, as the first of Python's divisions of integers.
pub(super) fn floor_div(heap: &mut Heap, args: &[Word]) -> Answer {
    let rest = modulo(heap, args)?;
    let whole = heap.arithmetic(Arithmetic::Sub, arg(args, 0), rest)?;
    heap.arithmetic(Arithmetic::Quot, whole, arg(args, 1))
}

/// A power: exact for integers with an exponent from 0 up, else a float.
pub(super) fn pow(heap: &mut Heap, args: &[Word]) -> Answer {
    let exponent = match (heap.sort(arg(args, 0)), arg(args, 1).as_int()) {
        (Sort::Int, Some(exponent)) => u64::try_from(exponent).ok(),
        _ => None,
    };
    let Some(mut left) = exponent else {
        heap.expect_number(arg(args, 0), "pow")?;
        heap.expect_number(arg(args, 1), "pow")?;
        let float = |word| heap.number(word).map_or(f64::NAN, |number| number.float());
        let power = libm::pow(float(arg(args, 0)), float(arg(args, 1)));
        return heap.float(power);
    };
    // By squaring; the size of integers is bounded by every multiplication.
    let (mut power, mut square) = (arg_int(1), arg(args, 0));
    while left > 0 {
        if left & 1 == 1 {
            power = heap.arithmetic(Arithmetic::Mul, power, square)?;
        }
        left >>= 1;
        if left > 0 {
            square = heap.arithmetic(Arithmetic::Mul, square, square)?;
        }
    }
    Ok(power)
}

pub(super) fn abs(heap: &mut Heap, args: &[Word]) -> Answer {
    let zero = arg_int(0);
    match heap.numeric_order("abs", arg(args, 0), zero)? {
        Some(Ordering::Less) => heap.arithmetic(Arithmetic::Sub, zero, arg(args, 0)),
        _ => Ok(arg(args, 0)),
    }
}

fn extreme(heap: &Heap, name: &str, args: &[Word], wanted: Ordering) -> Answer {
    let mut best = arg(args, 0);
    heap.expect_number(best, name)?;
    for &next in args.iter().skip(1) {
        if heap.numeric_order(name, next, best)? == Some(wanted) {
            best = next;
        }
    }
    Ok(best)
}

pub(super) fn min(heap: &mut Heap, args: &[Word]) -> Answer {
    extreme(heap, "min", args, Ordering::Less)
}

pub(super) fn max(heap: &mut Heap, args: &[Word]) -> Answer {
    extreme(heap, "max", args, Ordering::Greater)
}

#[inline(always)]
fn chain(heap: &Heap, compare: Compare, args: &[Word]) -> Answer {
    if let &[a, b] = args
        && let (Some(a), Some(b)) = (a.as_int(), b.as_int())
    {
        return Ok(Word::bool(compare.holds(a.cmp(&b))));
    }
    any_chain(heap, compare, args)
}

#[inline(never)]
fn any_chain(heap: &Heap, compare: Compare, args: &[Word]) -> Answer {
    heap.expect_number(arg(args, 0), compare.name())?;
    let mut all = true;
    for pair in args.array_windows::<2>() {
        let [a, b] = *pair;
        let order = heap.numeric_order(compare.name(), a, b)?;
        all &= order.is_some_and(|order| compare.holds(order));
    }
    Ok(Word::bool(all))
}

pub(super) fn lt(heap: &mut Heap, args: &[Word]) -> Answer {
    chain(heap, Compare::Lt, args)
}

pub(super) fn le(heap: &mut Heap, args: &[Word]) -> Answer {
    chain(heap, Compare::Le, args)
}

pub(super) fn gt(heap: &mut Heap, args: &[Word]) -> Answer {
    chain(heap, Compare::Gt, args)
}

pub(super) fn ge(heap: &mut Heap, args: &[Word]) -> Answer {
    chain(heap, Compare::Ge, args)
}

/// Equality of numbers as numbers: `(== 1 1.0)`.
pub(super) fn numerically_equal(heap: &mut Heap, args: &[Word]) -> Answer {
    let mut all = true;
    for pair in args.array_windows::<2>() {
        let [a, b] = *pair;
        all &= heap.numeric_order("==", a, b)? == Some(Ordering::Equal);
    }
    Ok(Word::bool(all))
}

fn sign(heap: &Heap, name: &str, args: &[Word], wanted: Ordering) -> Answer {
    Ok(Word::bool(heap.numeric_order(name, arg(args, 0), arg_int(0))? == Some(wanted)))
}

pub(super) fn is_zero(heap: &mut Heap, args: &[Word]) -> Answer {
    sign(heap, "zero?", args, Ordering::Equal)
}

pub(super) fn is_positive(heap: &mut Heap, args: &[Word]) -> Answer {
    sign(heap, "pos?", args, Ordering::Greater)
}

pub(super) fn is_negative(heap: &mut Heap, args: &[Word]) -> Answer {
    sign(heap, "neg?", args, Ordering::Less)
}

fn parity(heap: &Heap, name: &str, args: &[Word]) -> Result<bool, Trouble> {
    match heap.number(arg(args, 0)) {
        Some(Number::Int(int)) => Ok(int & 1 == 1),
        Some(Number::Big(big)) => Ok(big.bit(0)),
        _ => Err(heap.wrong(name, "an integer", arg(args, 0))),
    }
}

pub(super) fn is_even(heap: &mut Heap, args: &[Word]) -> Answer {
    Ok(Word::bool(!parity(heap, "even?", args)?))
}

pub(super) fn is_odd(heap: &mut Heap, args: &[Word]) -> Answer {
    Ok(Word::bool(parity(heap, "odd?", args)?))
}

fn whole(heap: &mut Heap, name: &str, word: Word, round: fn(f64) -> f64) -> Answer {
    match heap.expect_number(word, name)? {
        Number::Float(float) => match BigInt::from_f64(round(float)) {
            Some(big) => heap.big(&big),
            None => {
                Err(Trouble::new(Kind::Arithmetic, format!("`{name}` of {float} is no integer")))
            }
        },
        _ => Ok(word),
    }
}

/// The integer part of a number; the code of a character; the number of an entity; the
/// microseconds of an instant since 1970.
pub(super) fn to_int(heap: &mut Heap, args: &[Word]) -> Answer {
    let word = arg(args, 0);
    if let Some(c) = word.as_char() {
        return heap.int(i64::from(u32::from(c)));
    }
    if word.tag() == Tag::Ref {
        return heap.int(word.payload() as i64);
    }
    if heap.sort(word) == Sort::Instant {
        let instant = heap.as_instant(word).unwrap_or(0);
        return heap.int(instant);
    }
    whole(heap, "int", word, f64::trunc)
}

/// The instant so many microseconds after the beginning of 1970.
pub(super) fn to_instant(heap: &mut Heap, args: &[Word]) -> Answer {
    match heap.number(arg(args, 0)) {
        Some(Number::Int(int)) => heap.word(&Value::Instant(int)),
        Some(Number::Big(big)) if i64::try_from(&big).is_ok() => {
            heap.word(&Value::Instant(i64::try_from(&big).unwrap_or(0)))
        }
        _ => Err(heap.wrong("inst", "microseconds since 1970", arg(args, 0))),
    }
}

/// The character of a code.
pub(super) fn to_char(heap: &mut Heap, args: &[Word]) -> Answer {
    let code = arg(args, 0).as_int().and_then(|int| u32::try_from(int).ok());
    match code.and_then(char::from_u32) {
        Some(c) => Ok(Word::char(c)),
        None => Err(heap.wrong("char", "the code of a character", arg(args, 0))),
    }
}

pub(super) fn floor(heap: &mut Heap, args: &[Word]) -> Answer {
    whole(heap, "floor", arg(args, 0), f64::floor)
}

pub(super) fn ceil(heap: &mut Heap, args: &[Word]) -> Answer {
    whole(heap, "ceil", arg(args, 0), f64::ceil)
}

pub(super) fn round(heap: &mut Heap, args: &[Word]) -> Answer {
    whole(heap, "round", arg(args, 0), f64::round)
}

pub(super) fn to_float(heap: &mut Heap, args: &[Word]) -> Answer {
    let number = heap.expect_number(arg(args, 0), "float")?;
    heap.float(number.float())
}

pub(super) fn sqrt(heap: &mut Heap, args: &[Word]) -> Answer {
    let number = heap.expect_number(arg(args, 0), "sqrt")?;
    heap.float(number.float().sqrt())
}

/// The integer a text writes, or nil.
pub(super) fn parse_int(heap: &mut Heap, args: &[Word]) -> Answer {
    const DIGITS_MAX: usize = 10_000;
    let Some(text) = heap.as_text(arg(args, 0)).map(|text| text.as_str().trim().to_owned()) else {
        return Err(heap.wrong("parse-int", "a text", arg(args, 0)));
    };
    if text.len() > DIGITS_MAX || text.contains('_') {
        return Ok(Word::NIL);
    }
    match text.parse::<BigInt>() {
        Ok(big) => heap.big(&big),
        Err(_) => Ok(Word::NIL),
    }
}

/// The float a text writes, or nil.
pub(super) fn parse_float(heap: &mut Heap, args: &[Word]) -> Answer {
    let Some(parsed) = heap.as_text(arg(args, 0)).map(|text| text.as_str().trim().parse::<f64>())
    else {
        return Err(heap.wrong("parse-float", "a text", arg(args, 0)));
    };
    match parsed {
        Ok(float) => heap.float(float),
        Err(_) => Ok(Word::NIL),
    }
}
