//! Equality and order of values: those of `datom::Value`, on words.
//!
//! 1. Values of different kinds order by kind, in the order of [`rank`], so `1` and `1.0` differ.
//! 2. Equal inline words are equal values and nothing else inline is; only objects are walked.

use std::cmp::Ordering;

use datom::{Tag, Value, Word};

use super::{Form, Heap, Number, Sort};
use crate::error::{Kind, Trouble};

/// Values are walked no deeper than this; deeper ones can be held but not compared or shown.
pub(super) const DEPTH_MAX: usize = Value::DEPTH_MAX;

fn rank(sort: Sort) -> u8 {
    match sort {
        Sort::Nil => 0,
        Sort::Bool => 1,
        Sort::Char => 2,
        Sort::Int => 3,
        Sort::Float => 4,
        Sort::Ref => 5,
        Sort::Keyword => 6,
        Sort::Symbol => 7,
        Sort::Instant => 8,
        Sort::Text => 9,
        Sort::Bytes => 10,
        Sort::Uuid => 11,
        Sort::Hash => 12,
        Sort::Vector => 13,
        Sort::List => 14,
        Sort::Map => 15,
        Sort::Set => 16,
        Sort::Tagged => 17,
        Sort::Function => 18,
    }
}

pub(crate) fn too_deep() -> Trouble {
    Trouble::new(Kind::Limit, format!("a value is nested deeper than {DEPTH_MAX} levels"))
        .help("keep nested data flat, or walk it in the program itself")
}

impl Heap {
    /// Whether two values are equal.
    #[inline]
    pub(crate) fn equal(&self, a: Word, b: Word) -> Result<bool, Trouble> {
        if a == b {
            return Ok(true);
        }
        if a.tag() != Tag::Private || b.tag() != Tag::Private {
            return Ok(false);
        }
        Ok(self.order(a, b, 0)? == Ordering::Equal)
    }

    /// The order of two values.
    #[inline]
    pub(crate) fn compare(&self, a: Word, b: Word) -> Result<Ordering, Trouble> {
        if a.tag() == b.tag() && matches!(a.tag(), Tag::Int | Tag::ShortText) {
            return Ok(a.cmp(&b));
        }
        self.order(a, b, 0)
    }

    fn order(&self, a: Word, b: Word, depth: usize) -> Result<Ordering, Trouble> {
        if a == b {
            return Ok(Ordering::Equal);
        }
        self.charge(1)?;
        let tag = a.tag();
        if tag == b.tag() {
            if tag.is_name() {
                let names = &self.names;
                return Ok(names.name(a.payload()).cmp(names.name(b.payload())));
            }
            // Nil, booleans and characters are ordered by their ordinals as by their ranks.
            if tag != Tag::Private {
                return Ok(a.cmp(&b));
            }
        }
        let (sort, other) = (self.sort(a), self.sort(b));
        if sort != other {
            return Ok(rank(sort).cmp(&rank(other)));
        }
        if depth >= DEPTH_MAX {
            return Err(too_deep());
        }
        match sort {
            Sort::Int => self.order_numbers(a, b),
            Sort::Float => Ok(self.total_float(a).total_cmp(&self.total_float(b))),
            Sort::Text => Ok(self.order_texts(a, b)),
            Sort::Bytes => Ok(self.as_bytes(a).cmp(&self.as_bytes(b))),
            Sort::Uuid => Ok(self.bytes_of(a, Form::Uuid).cmp(&self.bytes_of(b, Form::Uuid))),
            Sort::Hash => Ok(self.bytes_of(a, Form::Hash).cmp(&self.bytes_of(b, Form::Hash))),
            Sort::Instant => Ok(self.as_instant(a).cmp(&self.as_instant(b))),
            Sort::Vector | Sort::List => self.order_vectors(a, b, depth),
            Sort::Map => self.order_trees(a, b, depth),
            Sort::Set => self.order_trees(a, b, depth),
            Sort::Tagged => self.order_tagged(a, b, depth),
            _ => Ok(a.cmp(&b)),
        }
    }

    fn order_numbers(&self, a: Word, b: Word) -> Result<Ordering, Trouble> {
        match (self.number(a), self.number(b)) {
            (Some(a), Some(b)) => Ok(a.order(&b).unwrap_or(Ordering::Equal)),
            _ => Ok(Ordering::Equal),
        }
    }

    /// −0 is never made, and the one NaN is greatest.
    fn total_float(&self, word: Word) -> f64 {
        self.number(word).as_ref().map_or(f64::NAN, Number::float)
    }

    fn order_texts(&self, a: Word, b: Word) -> Ordering {
        match (self.as_text(a), self.as_text(b)) {
            (Some(a), Some(b)) => a.as_str().cmp(b.as_str()),
            _ => Ordering::Equal,
        }
    }

    fn order_vectors(&self, a: Word, b: Word, depth: usize) -> Result<Ordering, Trouble> {
        let (length, other) = (self.vector_len(a), self.vector_len(b));
        for index in 0..length.min(other) {
            let (x, y) = (self.vector_get(a, index), self.vector_get(b, index));
            let order = self.order(x.unwrap_or(Word::NIL), y.unwrap_or(Word::NIL), depth + 1)?;
            if order != Ordering::Equal {
                return Ok(order);
            }
        }
        Ok(length.cmp(&other))
    }

    /// Entry by entry in key order, as ordered maps and sets compare.
    fn order_trees(&self, a: Word, b: Word, depth: usize) -> Result<Ordering, Trouble> {
        let (mut left, mut right) = (self.entries(a), self.entries(b));
        loop {
            match (left.next(), right.next()) {
                (None, None) => return Ok(Ordering::Equal),
                (None, Some(_)) => return Ok(Ordering::Less),
                (Some(_), None) => return Ok(Ordering::Greater),
                (Some((k, v)), Some((l, w))) => {
                    let order = self.order(k, l, depth + 1)?;
                    let order = order.then(match order {
                        Ordering::Equal => self.order(v, w, depth + 1)?,
                        _ => order,
                    });
                    if order != Ordering::Equal {
                        return Ok(order);
                    }
                }
            }
        }
    }

    fn order_tagged(&self, a: Word, b: Word, depth: usize) -> Result<Ordering, Trouble> {
        let (Some((tag, value)), Some((other, with))) = (self.untagged(a), self.untagged(b)) else {
            return Ok(Ordering::Equal);
        };
        match self.order(tag, other, depth + 1)? {
            Ordering::Equal => self.order(value, with, depth + 1),
            order => Ok(order),
        }
    }

    pub(crate) fn as_instant(&self, word: Word) -> Option<i64> {
        match word.as_instant() {
            Some(micros) => Some(micros),
            None => self.raw_of(word, Form::Instant)?.first().map(|&bits| bits as i64),
        }
    }
}
