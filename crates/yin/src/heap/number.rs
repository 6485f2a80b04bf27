//! Numbers: integers that grow, and floats.
//!
//! 1. An integer that fits 60 bits is inline; any other is an object of its sign and digits.
//! 2. An integer and a float together make a float. Integers alone make integers, except that a
//!    division that leaves a rest makes a float.
//! 3. Integers have at most [`BITS_MAX`] bits.

use std::cmp::Ordering;

use datom::{Tag, Word};
use num_bigint::{BigInt, BigUint, Sign};
use num_traits::{FromPrimitive, Signed, ToPrimitive, Zero};

use super::{Form, Heap};
use crate::error::{Kind, Trouble};

/// Integers have at most so many bits.
const BITS_MAX: u64 = 1 << 18;

/// A number, out of its word.
#[derive(Clone, Debug)]
pub(crate) enum Number {
    Int(i64),
    Big(BigInt),
    Float(f64),
}

impl Number {
    fn big(&self) -> Option<BigInt> {
        match self {
            Number::Int(int) => Some(BigInt::from(*int)),
            Number::Big(big) => Some(big.clone()),
            Number::Float(_) => None,
        }
    }

    pub(crate) fn float(&self) -> f64 {
        match self {
            Number::Int(int) => *int as f64,
            Number::Big(big) => big.to_f64().unwrap_or(f64::NAN),
            Number::Float(float) => *float,
        }
    }

    fn is_float(&self) -> bool {
        matches!(self, Number::Float(_))
    }

    fn is_zero(&self) -> bool {
        match self {
            Number::Int(int) => *int == 0,
            Number::Big(big) => big.is_zero(),
            Number::Float(float) => *float == 0.0,
        }
    }

    /// The order of numbers as numbers: exact between integers and floats. NaN has none.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => Some(a.cmp(b)),
            (Number::Float(a), Number::Float(b)) => a.partial_cmp(b),
            (Number::Float(a), b) => b.order_to_float(*a).map(Ordering::reverse),
            (a, Number::Float(b)) => a.order_to_float(*b),
            (a, b) => Some(a.big()?.cmp(&b.big()?)),
        }
    }

    fn order_to_float(&self, float: f64) -> Option<Ordering> {
        if float.is_nan() {
            return None;
        }
        if float.is_infinite() {
            return Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater });
        }
        let whole = BigInt::from_f64(float.trunc())?;
        let fraction = float.fract();
        let rest = fraction.partial_cmp(&0.0)?.reverse();
        Some(self.big()?.cmp(&whole).then(rest))
    }
}

/// The operations of arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Quot,
    Rem,
    Mod,
}

impl Arithmetic {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Sub => "-",
            Arithmetic::Mul => "*",
            Arithmetic::Div => "/",
            Arithmetic::Quot => "quot",
            Arithmetic::Rem => "rem",
            Arithmetic::Mod => "mod",
        }
    }
}

impl Heap {
    /// The number a word is.
    pub(crate) fn number(&self, word: Word) -> Option<Number> {
        match word.tag() {
            Tag::Int => word.as_int().map(Number::Int),
            Tag::Float => word.as_float().map(Number::Float),
            Tag::Private => match self.raw(word)? {
                (Form::Big, payload) => Some(Number::Big(big(payload)?)),
                (Form::Float, payload) => Some(Number::Float(f64::from_bits(*payload.first()?))),
                _ => None,
            },
            _ => None,
        }
    }

    /// The word of a float.
    pub(crate) fn float(&mut self, float: f64) -> Result<Word, Trouble> {
        match Word::float(float) {
            Some(word) => Ok(word),
            None => self.raw_object(Form::Float, &[float.to_bits()]),
        }
    }

    /// The word of an integer of 64 bits.
    pub(crate) fn int(&mut self, int: i64) -> Result<Word, Trouble> {
        match Word::int(int) {
            Some(word) => Ok(word),
            None => self.big_object(&BigInt::from(int)),
        }
    }

    /// The word of an integer.
    pub(crate) fn big(&mut self, int: &BigInt) -> Result<Word, Trouble> {
        match int.to_i64().and_then(Word::int) {
            Some(word) => Ok(word),
            None => self.big_object(int),
        }
    }

    fn big_object(&mut self, int: &BigInt) -> Result<Word, Trouble> {
        if int.bits() > BITS_MAX {
            return Err(too_large());
        }
        let mut units = vec![u64::from(int.sign() == Sign::Minus)];
        units.extend(int.iter_u64_digits());
        self.raw_object(Form::Big, &units)
    }

    /// The number a word is, or the fault that it is none.
    pub(crate) fn expect_number(&self, word: Word, operation: &str) -> Result<Number, Trouble> {
        match self.number(word) {
            Some(number) => Ok(number),
            None => Err(self.wrong(operation, "numbers", word)),
        }
    }

    /// One step of arithmetic, any numbers.
    #[inline(always)]
    pub(crate) fn arithmetic(
        &mut self,
        operation: Arithmetic,
        a: Word,
        b: Word,
    ) -> Result<Word, Trouble> {
        if let (Some(a), Some(b)) = (a.as_int(), b.as_int())
            && let Some(word) = int_arithmetic(operation, a, b).and_then(Word::int)
        {
            return Ok(word);
        }
        self.large_arithmetic(operation, a, b)
    }

    #[inline(never)]
    fn large_arithmetic(
        &mut self,
        operation: Arithmetic,
        a: Word,
        b: Word,
    ) -> Result<Word, Trouble> {
        let a = self.expect_number(a, operation.name())?;
        let b = self.expect_number(b, operation.name())?;
        if a.is_float() || b.is_float() {
            let float = float_arithmetic(operation, a.float(), b.float())?;
            return self.float(float);
        }
        if let (Number::Int(a), Number::Int(b)) = (&a, &b)
            && let Some(int) = int_arithmetic(operation, *a, *b)
        {
            return self.int(int);
        }
        self.big_arithmetic(operation, &a, &b)
    }

    fn big_arithmetic(
        &mut self,
        operation: Arithmetic,
        a: &Number,
        b: &Number,
    ) -> Result<Word, Trouble> {
        let (Some(x), Some(y)) = (a.big(), b.big()) else {
            return Err(Trouble::new(Kind::Type, "arithmetic of a float met an integer"));
        };
        if operation == Arithmetic::Mul && x.bits() + y.bits() > BITS_MAX + 64 {
            return Err(too_large());
        }
        self.charge((x.bits() / 64 + 1) * (y.bits() / 64 + 1) / 16)?;
        if b.is_zero() && !matches!(operation, Arithmetic::Add | Arithmetic::Sub | Arithmetic::Mul)
        {
            return Err(by_zero(operation));
        }
        let result = match operation {
            Arithmetic::Add => x + y,
            Arithmetic::Sub => x - y,
            Arithmetic::Mul => x * y,
            Arithmetic::Div if (&x % &y).is_zero() => x / y,
            Arithmetic::Div => return self.float(a.float() / b.float()),
            Arithmetic::Quot => x / y,
            Arithmetic::Rem => x % y,
            Arithmetic::Mod => {
                let rest = x % &y;
                if !rest.is_zero() && rest.is_negative() != y.is_negative() {
                    rest + y
                } else {
                    rest
                }
            }
        };
        self.big(&result)
    }

    /// The order of two numbers; NaN compares with nothing.
    pub(crate) fn numeric_order(
        &self,
        operation: &str,
        a: Word,
        b: Word,
    ) -> Result<Option<Ordering>, Trouble> {
        if let (Some(a), Some(b)) = (a.as_int(), b.as_int()) {
            return Ok(Some(a.cmp(&b)));
        }
        let a = self.expect_number(a, operation)?;
        let b = self.expect_number(b, operation)?;
        Ok(a.order(&b))
    }
}

fn big(payload: &[u64]) -> Option<BigInt> {
    let (sign, digits) = payload.split_first()?;
    let halves = digits.iter().flat_map(|&digit| [digit as u32, (digit >> 32) as u32]).collect();
    let magnitude = BigUint::new(halves);
    Some(BigInt::from_biguint(if *sign == 0 { Sign::Plus } else { Sign::Minus }, magnitude))
}

/// `None` where 64 bits do not suffice or the answer is no integer.
#[inline(always)]
fn int_arithmetic(operation: Arithmetic, a: i64, b: i64) -> Option<i64> {
    match operation {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Sub => a.checked_sub(b),
        Arithmetic::Mul => a.checked_mul(b),
        Arithmetic::Div if a.checked_rem(b)? == 0 => a.checked_div(b),
        Arithmetic::Div => None,
        Arithmetic::Quot => a.checked_div(b),
        Arithmetic::Rem => a.checked_rem(b),
        Arithmetic::Mod => {
            let rest = a.checked_rem(b)?;
            Some(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
        }
    }
}

fn float_arithmetic(operation: Arithmetic, a: f64, b: f64) -> Result<f64, Trouble> {
    Ok(match operation {
        Arithmetic::Add => a + b,
        Arithmetic::Sub => a - b,
        Arithmetic::Mul => a * b,
        Arithmetic::Div => a / b,
        Arithmetic::Quot | Arithmetic::Rem | Arithmetic::Mod if b == 0.0 => {
            return Err(by_zero(operation));
        }
        Arithmetic::Quot => (a / b).trunc(),
        Arithmetic::Rem => a % b,
        Arithmetic::Mod => {
            let rest = a % b;
            if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
        }
    })
}

fn by_zero(operation: Arithmetic) -> Trouble {
    Trouble::new(Kind::Arithmetic, format!("`{}` by zero", operation.name()))
        .help("test the divisor first, or use a float: (/ 1.0 0) is infinite")
}

fn too_large() -> Trouble {
    Trouble::new(Kind::Limit, format!("an integer grows beyond {BITS_MAX} bits"))
}
