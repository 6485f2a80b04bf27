//! Aggregates: many values of one variable to one.
//!
//! Values come as a bag: one for each distinct row of the `:find` and `:with` variables.

use std::hash::{BuildHasher, RandomState};

use datom::{Tag, Value, Word};

use super::callee::{Stored, is_stored};
use super::error::{Error, ErrorKind, nearest};
use super::function::{add, compare, divide};
use super::group::Fold;

/// One aggregate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Aggregate {
    Count,
    CountDistinct,
    Sum,
    Avg,
    Min,
    Max,
    MinOf(usize),
    MaxOf(usize),
    Median,
    Variance,
    Stddev,
    Distinct,
    Sample(usize),
    SampleOne,
    Rand(usize),
    RandOne,
    /// A function of the database: gets what stands before the variable, then the bag.
    Stored(Box<(Value, Vec<Value>)>),
}

/// The aggregates of the language.
pub(crate) const NAMES: [&str; 12] = [
    "count",
    "count-distinct",
    "sum",
    "avg",
    "min",
    "max",
    "median",
    "variance",
    "stddev",
    "distinct",
    "sample",
    "rand",
];

/// The most elements `(min n …)` and its like return.
const MANY_MAX: i64 = 1 << 20;

impl Aggregate {
    pub(crate) fn named(name: &str, args: &[Value]) -> Result<Self, Error> {
        if is_stored(name) {
            return Ok(Self::Stored(Box::new((Value::symbol(name), args.to_vec()))));
        }
        if !NAMES.contains(&name) {
            let nearest = nearest(name, NAMES.into_iter().chain(["pull"])).map(str::to_owned);
            let name = name.to_owned();
            return Err(Error::new(ErrorKind::UnknownFunction { name, nearest }));
        }
        let many = match args {
            [] => None,
            [Value::Int(n)] if (1..=MANY_MAX).contains(n) => usize::try_from(*n).ok(),
            _ => {
                let message = format!("({name} n ?x) takes a count from 1 to {MANY_MAX}");
                return Err(Error::syntax(message));
            }
        };
        Ok(match (name, many) {
            ("count", None) => Self::Count,
            ("count-distinct", None) => Self::CountDistinct,
            ("sum", None) => Self::Sum,
            ("avg", None) => Self::Avg,
            ("min", None) => Self::Min,
            ("max", None) => Self::Max,
            ("min", Some(n)) => Self::MinOf(n),
            ("max", Some(n)) => Self::MaxOf(n),
            ("median", None) => Self::Median,
            ("variance", None) => Self::Variance,
            ("stddev", None) => Self::Stddev,
            ("distinct", None) => Self::Distinct,
            ("sample", Some(n)) => Self::Sample(n),
            ("sample", None) => Self::SampleOne,
            ("rand", Some(n)) => Self::Rand(n),
            ("rand", None) => Self::RandOne,
            _ => {
                let kind = ErrorKind::Arity {
                    name: name.to_owned(),
                    expected: "one variable".to_owned(),
                    given: 2,
                };
                return Err(Error::new(kind));
            }
        })
    }

    pub(crate) fn is_stored(&self) -> bool {
        matches!(self, Self::Stored(_))
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Count => "count",
            Self::CountDistinct => "count-distinct",
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min | Self::MinOf(_) => "min",
            Self::Max | Self::MaxOf(_) => "max",
            Self::Median => "median",
            Self::Variance => "variance",
            Self::Stddev => "stddev",
            Self::Distinct => "distinct",
            Self::Sample(_) | Self::SampleOne => "sample",
            Self::Rand(_) | Self::RandOne => "rand",
            Self::Stored(call) => call.0.as_symbol().map_or("", |name| name.as_str()),
        }
    }

    /// The aggregate of a bag that is not empty.
    pub(crate) fn of(
        &self,
        words: &mut [u64],
        value: &dyn Fn(u64) -> Result<Value, Error>,
        stored: &dyn Fn(&Value) -> Result<Stored, Error>,
    ) -> Result<Value, Error> {
        let length = |n: usize| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        match self {
            Self::Count => return Ok(length(words.len())),
            Self::CountDistinct => return Ok(length(distinct(words).len())),
            Self::Distinct => {
                let values = distinct(words).into_iter().map(value).collect::<Result<_, _>>()?;
                return Ok(Value::Set(values));
            }
            Self::Sample(n) => {
                let mut words = distinct(words);
                shuffle(&mut words);
                words.truncate(*n);
                let values = words.into_iter().map(value).collect::<Result<_, _>>()?;
                return Ok(Value::Vector(values));
            }
            Self::Stored(call) => {
                words.sort_unstable();
                let (name, args) = &**call;
                let values = words.iter().map(|word| value(*word)).collect::<Result<_, _>>()?;
                let mut args = args.clone();
                args.push(Value::Vector(values));
                return stored(name)?.call(&args);
            }
            _ => {}
        }
        // What is made of floats depends on their order, which must not be that of the rows.
        words.sort_unstable();
        let mut values = words.iter().map(|word| value(*word)).collect::<Result<Vec<_>, _>>()?;
        self.of_values(&mut values).map_err(|message| {
            Error::new(ErrorKind::Function { function: self.name().to_owned(), message })
        })
    }

    /// Whether it follows from the sum, the least and the greatest, where all words are integers.
    pub(crate) fn is_fold(&self) -> bool {
        matches!(self, Self::Sum | Self::Avg | Self::Min | Self::Max)
    }

    /// Sum, mean, least and greatest of so many integers: no value is made but the answer.
    pub(crate) fn of_integers(&self, fold: &Fold, length: usize) -> Option<Value> {
        let integer = |word| Word::from_raw(word).as_int().map(Value::Int);
        match self {
            Self::Sum => Some(Value::Int(fold.total)),
            Self::Avg => divide(&Value::Int(fold.total), length).ok().map(Value::Float),
            Self::Min => integer(fold.least),
            Self::Max => integer(fold.most),
            _ => None,
        }
    }

    fn of_values(&self, values: &mut Vec<Value>) -> Result<Value, String> {
        let length = values.len();
        Ok(match self {
            Self::Sum => sum(values)?,
            Self::Avg => Value::Float(divide(&sum(values)?, length)?),
            Self::Min => values.iter().min_by(|a, b| compare(a, b)).cloned().unwrap_or(Value::Nil),
            Self::Max => values.iter().max_by(|a, b| compare(a, b)).cloned().unwrap_or(Value::Nil),
            Self::MinOf(n) => {
                values.sort_by(compare);
                values.truncate(*n);
                Value::Vector(std::mem::take(values))
            }
            Self::MaxOf(n) => {
                values.sort_by(compare);
                Value::Vector(values.split_off(length.saturating_sub(*n)))
            }
            Self::Median => median(values)?,
            Self::Variance => Value::Float(variance(values)?),
            Self::Stddev => Value::Float(variance(values)?.sqrt()),
            Self::Rand(n) => {
                let mut random = Random::new();
                let mut pick = || values.get(random.below(length)).cloned();
                Value::Vector((0..*n).filter_map(|_| pick()).collect())
            }
            Self::SampleOne | Self::RandOne => {
                values.get(Random::new().below(length)).cloned().unwrap_or(Value::Nil)
            }
            Self::Count
            | Self::CountDistinct
            | Self::Distinct
            | Self::Sample(_)
            | Self::Stored(_) => Value::Nil,
        })
    }
}

fn distinct(words: &[u64]) -> Vec<u64> {
    let mut words = words.to_vec();
    words.sort_unstable();
    words.dedup();
    words
}

fn sum(values: &[Value]) -> Result<Value, String> {
    values.iter().try_fold(Value::Int(0), |total, value| add(&total, value))
}

/// The middle value; of an even number of values the mean of the two in the middle.
fn median(values: &mut [Value]) -> Result<Value, String> {
    values.sort_by(compare);
    let middle = values.len() / 2;
    let (Some(upper), lower) = (values.get(middle), values.get(middle.wrapping_sub(1))) else {
        return Ok(Value::Nil);
    };
    match lower {
        Some(lower) if values.len().is_multiple_of(2) => match add(lower, upper)? {
            Value::Int(total) if total % 2 == 0 => Ok(Value::Int(total / 2)),
            total => Ok(Value::Float(divide(&total, 2)?)),
        },
        _ => add(upper, &Value::Int(0)),
    }
}

/// Of the whole population, not of a sample of it.
fn variance(values: &[Value]) -> Result<f64, String> {
    let mean = divide(&sum(values)?, values.len())?;
    let mut total = 0.0;
    for value in values {
        let deviation = divide(value, 1)? - mean;
        total += deviation * deviation;
    }
    Ok(total / values.len() as f64)
}

/// SplitMix64, seeded from the process's own randomness: for picking, not for secrets.
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(RandomState::new().hash_one(0_u64))
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let wide = u128::from(z ^ (z >> 31)) * limit as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }
}

fn shuffle(words: &mut [u64]) {
    let mut random = Random::new();
    for at in (1..words.len()).rev() {
        words.swap(at, random.below(at + 1));
    }
}

/// Whether two words order as their values do without looking them up.
pub(crate) fn order_as_words(a: u64, b: u64) -> bool {
    let (a, b) = (Word::from_raw(a).tag(), Word::from_raw(b).tag());
    a == b && matches!(a, Tag::Int | Tag::Float | Tag::Ref | Tag::Instant)
}
