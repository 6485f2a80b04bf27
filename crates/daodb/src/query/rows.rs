//! The rows of an answer.
//!
//! Most words say their values themselves, so rows stay words until somebody reads them, and the
//! answer of half a million rows costs no half a million allocations. Columns in which a word means
//! something only together with its store hold values.

use std::fmt;
use std::hash::BuildHasher;

use datom::{Tag, Value, Word};

use super::error::Error;
use super::field::Field;
use super::limits::Watch;
use super::space::Space;
use crate::mix::Mix;

/// Rows of values, all of one width.
///
/// ```
/// # use {daodb::{Answer, Database, Query}, datom::{Value, edn}};
/// # let database = Database::memory()?;
/// database.transact(&edn::read_all("{:db/ident :age :db/valueType :db.type/long}").unwrap())?;
/// database.transact(&edn::read_all("{:age 36} {:age 61}").unwrap())?;
/// let query = Query::parse("[:find ?e ?a :where [?e :age ?a]]")?;
/// let Answer::Relation { rows, .. } = database.db()?.query(&query, &[])? else { panic!() };
/// let ages: Vec<Value> = rows.iter().map(|row| row.get(1)).collect();
/// assert_eq!(ages.len(), 2);
/// assert!(ages.contains(&Value::Int(36)));
/// # Ok::<(), daodb::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Rows {
    width: usize,
    length: usize,
    /// Row behind row, `stride` words each; the first `width` of them are columns.
    words: Vec<u64>,
    stride: usize,
    /// By column: its values, where words alone don't say them.
    values: Vec<Option<Vec<Value>>>,
}

/// One row of [`Rows`].
#[derive(Clone, Copy)]
pub struct Row<'r> {
    rows: &'r Rows,
    at: usize,
}

/// Values remembered while a column is made.
const REMEMBERED: usize = 1 << 10;
/// One in so many must be found among them, or remembering costs more than it saves.
const AGAIN_SHARE: usize = 8;

impl Rows {
    /// Rows of `stride` words of which the first `width` are shown.
    pub(crate) fn new(
        space: &Space<'_>,
        words: Vec<u64>,
        stride: usize,
        width: usize,
        watch: &Watch,
    ) -> Result<Self, Error> {
        let length = words.len().checked_div(stride).unwrap_or(0);
        let mut values = Vec::with_capacity(width);
        for column in 0..width {
            let column = || words.iter().skip(column).step_by(stride.max(1)).copied();
            let plain = column().all(says_itself);
            watch.steps(length)?;
            values.push(if plain { None } else { Some(remembering(space, column(), watch)?) });
        }
        Ok(Self { width, length, words, stride, values })
    }

    /// Rows that are values already.
    pub(crate) fn from_values(width: usize, rows: Vec<Vec<Value>>) -> Self {
        let length = rows.len();
        let mut values: Vec<Vec<Value>> = (0..width).map(|_| Vec::with_capacity(length)).collect();
        for row in rows {
            for (column, value) in values.iter_mut().zip(row) {
                column.push(value);
            }
        }
        let values = values.into_iter().map(Some).collect();
        Self { width, length, words: Vec::new(), stride: 0, values }
    }

    /// The values of one column.
    pub(crate) fn into_column(mut self, column: usize) -> Vec<Value> {
        match self.values.get_mut(column).and_then(Option::take) {
            Some(values) => values,
            None => self.iter().map(|row| row.get(column)).collect(),
        }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Values in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The row at a place, counted from 0.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<Row<'_>> {
        (at < self.length).then_some(Row { rows: self, at })
    }

    /// The rows, one after the other.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Row<'_>> + Clone {
        (0..self.length).map(|at| Row { rows: self, at })
    }

    #[inline]
    fn field(&self, at: usize, column: usize) -> Field<'_> {
        match self.values.get(column) {
            Some(None) => {
                let word = self.words.get(at * self.stride + column);
                word.map_or(Field::of_value(&Value::Nil), |word| Field::of_word(*word))
            }
            Some(Some(values)) => Field::of_value(values.get(at).unwrap_or(&Value::Nil)),
            _ => Field::of_value(&Value::Nil),
        }
    }

    #[inline]
    fn value(&self, at: usize, column: usize) -> Value {
        match self.values.get(column) {
            Some(Some(values)) => values.get(at).cloned().unwrap_or(Value::Nil),
            Some(None) => {
                self.words.get(at * self.stride + column).map_or(Value::Nil, |w| inline(*w))
            }
            None => Value::Nil,
        }
    }
}

/// The value of a word that says it. The commonest kinds are made where they are wanted: an optional value
/// that is unwrapped is read back in other pieces than it was written in, which a processor waits for.
#[inline]
fn inline(word: u64) -> Value {
    let word = Word::from_raw(word);
    if let Some(entity) = word.as_entity() {
        return Value::Ref(entity);
    }
    if let Some(number) = word.as_int() {
        return Value::Int(number);
    }
    Value::from_inline(word).unwrap_or(Value::Nil)
}

/// Whether a word means the same without its store.
fn says_itself(word: u64) -> bool {
    let tag = Word::from_raw(word).tag();
    !(tag.is_heap() || tag.is_name() || tag == Tag::Private)
}

/// The values of words. Where many come again they are remembered.
fn remembering(
    space: &Space<'_>,
    words: impl Iterator<Item = u64>,
    watch: &Watch,
) -> Result<Vec<Value>, Error> {
    let mix = Mix::default();
    let mut known: Vec<Option<(u64, Value)>> = vec![None; REMEMBERED];
    let mut values = Vec::with_capacity(words.size_hint().0);
    let mut made = 0;
    for word in words {
        watch.tick()?;
        if made > REMEMBERED && made > values.len() - values.len() / AGAIN_SHARE {
            values.push(space.value(word)?);
            made += 1;
            continue;
        }
        let at = (mix.hash_one(word) >> 32) as usize % REMEMBERED;
        let value = match known.get(at) {
            Some(Some((same, value))) if *same == word => value.clone(),
            _ => {
                made += 1;
                let value = space.value(word)?;
                if let Some(place) = known.get_mut(at) {
                    *place = Some((word, value.clone()));
                }
                value
            }
        };
        values.push(value);
    }
    Ok(values)
}

impl<'r> Row<'r> {
    /// The value of a column, counted from 0; nil beyond the last.
    #[inline]
    #[must_use]
    pub fn get(&self, column: usize) -> Value {
        self.rows.value(self.at, column)
    }

    /// The value of a column, counted from 0, as it lies there: for whoever reads many and copies few. nil
    /// beyond the last.
    #[inline]
    #[must_use]
    pub fn field(&self, column: usize) -> Field<'r> {
        self.rows.field(self.at, column)
    }

    /// The values, column by column.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Value> + use<'r> {
        let row = *self;
        (0..row.rows.width).map(move |column| row.get(column))
    }

    /// The values as a vector.
    #[must_use]
    pub fn to_vec(&self) -> Vec<Value> {
        self.iter().collect()
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        self.length == other.length
            && self.width == other.width
            && self.iter().zip(other.iter()).all(|(a, b)| a == b)
    }
}

impl PartialEq for Row<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
