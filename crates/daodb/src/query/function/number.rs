//! Arithmetic and comparison. Integers grow; a float among the arguments makes the result a float.

use std::cmp::Ordering;

use datom::Value;
use num_bigint::{BigInt, Sign};
use num_traits::{FromPrimitive, Signed, ToPrimitive, Zero};

use super::wants;

/// A number of either kind. An entity counts as its id.
enum Number {
    Int(BigInt),
    Float(f64),
}

/// The most bits an integer may grow to: a query cannot fill memory with one number.
const BITS_MAX: u64 = 1 << 16;

fn number(value: &Value) -> Result<Number, String> {
    match value {
        Value::Int(n) => Ok(Number::Int(BigInt::from(*n))),
        Value::BigInt(n) => Ok(Number::Int(n.clone())),
        Value::Ref(id) => Ok(Number::Int(BigInt::from(*id))),
        Value::Float(x) => Ok(Number::Float(*x)),
        other => Err(wants("numbers", other)),
    }
}

fn integer(value: &Value) -> Result<BigInt, String> {
    match number(value)? {
        Number::Int(n) => Ok(n),
        Number::Float(_) => Err(wants("integers", value)),
    }
}

pub(super) fn is_number(value: &Value) -> bool {
    is_integer(value) || matches!(value, Value::Float(_))
}

pub(super) fn is_integer(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::BigInt(_))
}

fn float(number: &Number) -> f64 {
    match number {
        Number::Int(n) => n.to_f64().unwrap_or(f64::NAN),
        Number::Float(x) => *x,
    }
}

/// The order of predicates: numbers and entities by value across kinds, the rest as values order.
pub(crate) fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Float(_), Value::Float(_)) => a.cmp(b),
        _ => match (number(a), number(b)) {
            (Ok(Number::Int(a)), Ok(Number::Int(b))) => a.cmp(&b),
            (Ok(Number::Int(a)), Ok(Number::Float(b))) => integer_with_float(&a, b),
            (Ok(Number::Float(a)), Ok(Number::Int(b))) => integer_with_float(&b, a).reverse(),
            _ => a.cmp(b),
        },
    }
}

/// Exact: no integer is rounded to a float. NaN is the greatest number.
fn integer_with_float(a: &BigInt, b: f64) -> Ordering {
    match BigInt::from_f64(b.trunc()) {
        Some(whole) => a.cmp(&whole).then_with(|| {
            let rest = b.fract();
            if rest > 0.0 {
                Ordering::Less
            } else if rest < 0.0 {
                Ordering::Greater
            } else {
                Ordering::Equal
            }
        }),
        None if b == f64::NEG_INFINITY => Ordering::Greater,
        None => Ordering::Less,
    }
}

fn fold(
    args: &[Value],
    quick: fn(i64, i64) -> Option<i64>,
    exact: fn(BigInt, BigInt) -> BigInt,
    rough: fn(f64, f64) -> f64,
) -> Result<Value, String> {
    let Some((first, rest)) = args.split_first() else {
        return Err("takes at least one argument".to_owned());
    };
    let mut total = first.clone();
    number(first)?;
    for arg in rest {
        total = match (&total, arg) {
            (Value::Int(a), Value::Int(b)) if quick(*a, *b).is_some() => {
                quick(*a, *b).map_or(Value::Nil, Value::Int)
            }
            _ => match (number(&total)?, number(arg)?) {
                (Number::Int(a), Number::Int(b)) => {
                    if a.bits() + b.bits() > BITS_MAX {
                        return Err(format!("the result is beyond {BITS_MAX} bits"));
                    }
                    Value::integer(exact(a, b))
                }
                (a, b) => Value::Float(rough(float(&a), float(&b))),
            },
        };
    }
    Ok(match total {
        Value::Ref(id) => Value::integer(BigInt::from(id)),
        total => total,
    })
}

/// The sum of two numbers.
pub(crate) fn add(a: &Value, b: &Value) -> Result<Value, String> {
    fold(&[a.clone(), b.clone()], i64::checked_add, |a, b| a + b, |a, b| a + b)
}

/// The quotient of two numbers, as a float.
pub(crate) fn divide(a: &Value, b: usize) -> Result<f64, String> {
    Ok(float(&number(a)?) / b as f64)
}

pub(super) fn plus(args: &[Value]) -> Result<Value, String> {
    match args {
        [] => Ok(Value::Int(0)),
        _ => fold(args, i64::checked_add, |a, b| a + b, |a, b| a + b),
    }
}

pub(super) fn minus(args: &[Value]) -> Result<Value, String> {
    match args {
        [one] => minus(&[Value::Int(0), one.clone()]),
        _ => fold(args, i64::checked_sub, |a, b| a - b, |a, b| a - b),
    }
}

pub(super) fn times(args: &[Value]) -> Result<Value, String> {
    match args {
        [] => Ok(Value::Int(1)),
        _ => fold(args, i64::checked_mul, |a, b| a * b, |a, b| a * b),
    }
}

/// Exact where an integer divides an integer; a float otherwise, for there are no ratios.
pub(super) fn over(args: &[Value]) -> Result<Value, String> {
    match args {
        [one] => over(&[Value::Int(1), one.clone()]),
        [a, b] => match (number(a)?, number(b)?) {
            (Number::Int(_), Number::Int(b)) if b.is_zero() => Err("division by zero".to_owned()),
            (Number::Int(a), Number::Int(b)) if (&a % &b).is_zero() => Ok(Value::integer(a / b)),
            (a, b) => Ok(Value::Float(float(&a) / float(&b))),
        },
        [a, b, rest @ ..] => {
            let mut args = vec![over(&[a.clone(), b.clone()])?];
            args.extend_from_slice(rest);
            over(&args)
        }
        [] => Err("takes at least one argument".to_owned()),
    }
}

fn whole(
    args: &[Value],
    exact: fn(BigInt, BigInt) -> BigInt,
    rough: fn(f64, f64) -> f64,
) -> Result<Value, String> {
    let [a, b] = args else { return Err("takes two arguments".to_owned()) };
    match (number(a)?, number(b)?) {
        (_, Number::Int(b)) if b.is_zero() => Err("division by zero".to_owned()),
        (_, Number::Float(0.0)) => Err("division by zero".to_owned()),
        (Number::Int(a), Number::Int(b)) => Ok(Value::integer(exact(a, b))),
        (a, b) => Ok(Value::Float(rough(float(&a), float(&b)))),
    }
}

pub(super) fn quot(args: &[Value]) -> Result<Value, String> {
    whole(args, |a, b| a / b, |a, b| (a / b).trunc())
}

pub(super) fn rem(args: &[Value]) -> Result<Value, String> {
    whole(args, |a, b| a % b, |a, b| a % b)
}

/// The remainder with the sign of the divisor.
pub(super) fn modulo(args: &[Value]) -> Result<Value, String> {
    let exact = |a: BigInt, b: BigInt| {
        let rest = a % &b;
        let crosses = rest.sign() != Sign::NoSign && rest.sign() != b.sign();
        if crosses { rest + b } else { rest }
    };
    whole(args, exact, |a, b| a - b * (a / b).floor())
}

pub(super) fn inc(args: &[Value]) -> Result<Value, String> {
    plus(&[args, &[Value::Int(1)]].concat())
}

pub(super) fn dec(args: &[Value]) -> Result<Value, String> {
    minus(&[args, &[Value::Int(1)]].concat())
}

pub(super) fn abs(args: &[Value]) -> Result<Value, String> {
    let [arg] = args else { return Err("takes one argument".to_owned()) };
    Ok(match number(arg)? {
        Number::Int(n) => Value::integer(n.abs()),
        Number::Float(x) => Value::Float(x.abs()),
    })
}

pub(super) fn max(args: &[Value]) -> Result<Value, String> {
    args.iter().max_by(|a, b| compare(a, b)).cloned().ok_or_else(|| "nothing given".to_owned())
}

pub(super) fn min(args: &[Value]) -> Result<Value, String> {
    args.iter().min_by(|a, b| compare(a, b)).cloned().ok_or_else(|| "nothing given".to_owned())
}

fn test(args: &[Value], holds: fn(&BigInt) -> bool) -> Result<Value, String> {
    let [arg] = args else { return Err("takes one argument".to_owned()) };
    Ok(Value::Bool(holds(&integer(arg)?)))
}

pub(super) fn even(args: &[Value]) -> Result<Value, String> {
    test(args, |n| !n.bit(0))
}

pub(super) fn odd(args: &[Value]) -> Result<Value, String> {
    test(args, |n| n.bit(0))
}

fn against_zero(args: &[Value], holds: fn(Ordering) -> bool) -> Result<Value, String> {
    let [arg] = args else { return Err("takes one argument".to_owned()) };
    number(arg)?;
    Ok(Value::Bool(holds(compare(arg, &Value::Int(0)))))
}

pub(super) fn zero(args: &[Value]) -> Result<Value, String> {
    against_zero(args, Ordering::is_eq)
}

pub(super) fn positive(args: &[Value]) -> Result<Value, String> {
    against_zero(args, Ordering::is_gt)
}

pub(super) fn negative(args: &[Value]) -> Result<Value, String> {
    against_zero(args, Ordering::is_lt)
}

pub(super) fn compared(args: &[Value]) -> Result<Value, String> {
    let [a, b] = args else { return Err("takes two arguments".to_owned()) };
    Ok(Value::Int(compare(a, b) as i64))
}

pub(super) fn double(args: &[Value]) -> Result<Value, String> {
    let [arg] = args else { return Err("takes one argument".to_owned()) };
    Ok(Value::Float(float(&number(arg)?)))
}

pub(super) fn long(args: &[Value]) -> Result<Value, String> {
    let [arg] = args else { return Err("takes one argument".to_owned()) };
    match number(arg)? {
        Number::Int(n) => Ok(Value::integer(n)),
        Number::Float(x) => BigInt::from_f64(x.trunc())
            .map(Value::integer)
            .ok_or_else(|| format!("{x} is no integer")),
    }
}
