//! What the query engine needs of a database, and nothing more.
//!
//! 1. Keys come as an [`Index`] orders them; entity and attribute words are bare ids, the value is
//!    a whole word of the source's store, `t` counts transactions.
//! 2. What a source promises is its [`Standing`]: the present and moments of the past are walked in
//!    place and have columns, other views make the facts of one prefix at a time.

use std::sync::Arc;

use datom::{Keyword, Value, Word};

use super::callee::Stored;
use super::columns::Columns;
use super::error::Error;
use super::past::Past;
use super::plans::Plans;
use crate::attribute::Attribute;
use crate::index::{Index, Key};

/// What can be counted on of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Every fact keeps to the schema, and columns are lent.
    Present,
    /// Columns are lent. Facts keep to the schema that was, which may have let an attribute have many
    /// values, or several entities one.
    Past,
    /// Facts of a prefix are made; nothing is lent.
    Computed,
}

/// One view of one database.
pub(crate) trait Source: Sync {
    /// Words of two sources of the same store mean the same.
    fn store(&self) -> u64;

    /// Of two sources of a store, the one of the greater basis knows every word of the other.
    fn basis(&self) -> u64;

    fn attribute(&self, id: u64) -> Option<&Attribute>;

    fn attribute_named(&self, name: &Keyword) -> Option<&Attribute>;

    /// Every attribute's name, for suggestions.
    fn attribute_names(&self) -> Vec<&str>;

    /// The word of a value that the store holds.
    fn word(&self, value: &Value) -> Result<Option<Word>, Error>;

    fn value(&self, word: Word) -> Result<Value, Error>;

    /// The entity that an id, an ident or a lookup ref names.
    fn entity_id(&self, name: &Value) -> Result<Option<u64>, Error>;

    /// Facts whose key begins with `prefix`: exact for the present, else the present's figure.
    fn count(&self, index: Index, prefix: &[u64]) -> Result<u64, Error>;

    /// How many facts an attribute has, and how many entities or values; the present's figures.
    fn statistics(&self, attribute: u64, entities: bool) -> Result<(u64, u64), Error>;

    /// The function of a name or entity.
    fn function(&self, name: &Value) -> Result<Stored, Error>;

    /// Reads an index; facts of one attribute alone, if it is given.
    fn reader(&self, index: Index, attribute: Option<u64>) -> Reader<'_>;

    /// What was planned for databases of the same schema.
    fn plans(&self) -> &Plans;

    fn standing(&self) -> Standing;

    /// The columns made of the source so far, unless it is [`Standing::Computed`].
    fn columns(&self) -> Option<Arc<Columns>>;
}

/// Makes the facts of one prefix, in order.
pub(crate) type Make<'s> = Box<dyn Fn(&[u64]) -> Result<Vec<Key>, Error> + 's>;

/// Reads one index of one source.
pub(crate) enum Reader<'s> {
    /// A sorted run in memory, and where it was read last.
    #[cfg_attr(not(test), allow(dead_code, reason = "the source of tests"))]
    Run { rows: &'s [Key], at: usize },
    /// A cursor over shared memory.
    Tree(Box<crate::facts::Cursor<'s>>),
    /// Two of them, merged.
    Past(Box<Past<'s>>),
    /// A view that is computed.
    View(Make<'s>),
}

/// Whether reading goes on.
pub(crate) type Go = Result<bool, Error>;

impl<'s> Reader<'s> {
    /// Shows the keys that begin with `prefix`, in order, as many at a time as lie side by side,
    /// until told to stop.
    pub(crate) fn runs(
        &mut self,
        prefix: &[u64],
        mut take: impl FnMut(&[Key]) -> Go,
    ) -> Result<(), Error> {
        match self {
            Reader::Run { rows, at } => {
                *at = place(rows, *at, prefix);
                let rest = rows.get(*at..).unwrap_or_default();
                let run = rest.get(..leading(rest, prefix)).unwrap_or_default();
                if !run.is_empty() {
                    take(run)?;
                }
            }
            Reader::Tree(cursor) => {
                cursor.seek_near(prefix).map_err(Error::storage)?;
                loop {
                    let run = cursor.next_run_with(prefix).map_err(Error::storage)?;
                    if run.is_empty() || !take(run)? {
                        break;
                    }
                }
            }
            Reader::Past(past) => past.runs(prefix, prefix, |_| true, take)?,
            Reader::View(make) => {
                let made = make(prefix)?;
                if !made.is_empty() {
                    take(&made)?;
                }
            }
        }
        Ok(())
    }

    /// Shows the keys that begin with a word and have the second one between two others, both included, in
    /// order, as many at a time as lie side by side.
    pub(crate) fn between(
        &mut self,
        word: u64,
        first: u64,
        last: u64,
        mut take: impl FnMut(&[Key]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let below = |key: &Key| key[..2] < [word, first][..];
        let within = |key: &Key| key[..2] <= [word, last][..];
        match self {
            Reader::Run { rows, .. } => {
                let rest = rows.get(rows.partition_point(below)..).unwrap_or_default();
                take(rest.get(..rest.partition_point(within)).unwrap_or_default())
            }
            Reader::Tree(cursor) => {
                cursor.seek(&[word, first]).map_err(Error::storage)?;
                loop {
                    let run = cursor.next_run_with(&[word]).map_err(Error::storage)?;
                    let length = run.partition_point(within);
                    if length > 0 {
                        take(run.get(..length).unwrap_or_default())?;
                    }
                    if length == 0 || length < run.len() {
                        break;
                    }
                }
                Ok(())
            }
            Reader::Past(past) => {
                past.runs(&[word, first], &[word], within, |run| take(run).map(|()| true))
            }
            Reader::View(make) => {
                let made = make(&[word])?;
                let rest = made.get(made.partition_point(below)..).unwrap_or_default();
                take(rest.get(..rest.partition_point(within)).unwrap_or_default())
            }
        }
    }

    /// Shows each key that begins with `prefix`, in order, until told to stop.
    pub(crate) fn scan(
        &mut self,
        prefix: &[u64],
        mut take: impl FnMut(&Key) -> Go,
    ) -> Result<(), Error> {
        self.runs(prefix, |run| {
            for key in run {
                if !take(key)? {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }
}

/// Whether a row begins with these words. Word by word, for prefixes are short.
#[inline]
pub(crate) fn begins(row: &[u64], prefix: &[u64]) -> bool {
    row.len() >= prefix.len() && row.iter().zip(prefix).all(|(a, b)| a == b)
}

/// How many of sorted keys, none of them below `prefix`, begin with it.
fn leading(keys: &[Key], prefix: &[u64]) -> usize {
    match keys.last() {
        Some(last) if begins(last, prefix) => keys.len(),
        Some(_) => {
            let near = keys.iter().take(4).take_while(|key| begins(*key, prefix)).count();
            match keys.get(near..) {
                Some(rest) if near == 4 => near + rest.partition_point(|key| begins(key, prefix)),
                _ => near,
            }
        }
        None => 0,
    }
}

/// The first place at or above `target` in sorted rows: galloping from `at` where that is before
/// it, else by halves.
fn place(rows: &[Key], at: usize, target: &[u64]) -> usize {
    let below = |key: &Key| key.as_slice() < target;
    match rows.get(at) {
        Some(key) if below(key) => {
            let (mut low, mut step) = (at, 1);
            while rows.get(low + step).is_some_and(below) {
                low += step;
                step *= 2;
            }
            let high = (low + step).min(rows.len());
            low + rows.get(low..high).unwrap_or_default().partition_point(below)
        }
        _ => rows.get(..at.min(rows.len())).unwrap_or_default().partition_point(below),
    }
}
