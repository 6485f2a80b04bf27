//! An attribute as arrays: a hash-indexed sorted array of its facts by entity or by value.
//!
//! ```text
//!     key ──▶ row (by subtraction where keys are dense, else by hash) ──▶ starts[row]..starts[row+1]
//!     values:  all values of the first key, of the second key, …
//! ```
//!
//! A look costs a cache miss or two where a descent of the index costs one a level. An index answers
//! few looks and a column many: see [`Pairs`](super::pairs::Pairs), which decides while a query runs.
//!
//! 1. Words are those that queries see: entities are references on both sides.
//! 2. Keys ascend, and so do the values of a key.
//! 3. A column holds exactly the current facts of its basis and never changes.
//! 4. All columns of a process hold at most [`BYTES_MAX`]; what finds no room lives as long as the run
//!    that made it.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datom::Word;

use super::error::Error;
use super::limits::Watch;
use super::source::Source;
use crate::index::Index;
use crate::mix::Mix;

/// Bytes of all columns that outlive their query, in this process.
const BYTES_MAX: usize = 512 << 20;
/// Keys are dense when this many times their number covers their range.
const SPREAD_MAX: u64 = 8;

static HELD: AtomicUsize = AtomicUsize::new(0);

/// What a column is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum By {
    Entity,
    Value,
}

/// The facts of one attribute by one side.
#[derive(Debug)]
pub(crate) struct Column {
    keys: Keys,
    starts: Vec<u32>,
    values: Vec<u64>,
}

#[derive(Debug)]
enum Keys {
    /// Row `key - base`.
    Dense { base: u64 },
    /// Open addressing; a slot is a row and one, or nothing.
    Hashed { keys: Vec<u64>, table: Vec<u32>, shift: u32, mix: Mix },
}

/// Where a key's search begins. Keys are data: the hash is keyed with a secret.
#[inline]
fn slot(mix: &Mix, key: u64, shift: u32) -> usize {
    (mix.hash_one(key) >> shift) as usize
}

impl Column {
    /// The column of pairs of key and value in any order; `None` when there are too many.
    pub(crate) fn new(mut pairs: Vec<(u64, u64)>) -> Option<Self> {
        u32::try_from(pairs.len()).ok()?;
        if !pairs.is_sorted() {
            pairs.sort_unstable();
        }
        pairs.dedup();
        let rows = pairs.chunk_by(|a, b| a.0 == b.0).count();
        let values = pairs.iter().map(|pair| pair.1).collect();
        let (first, last) = match (pairs.first(), pairs.last()) {
            (Some(first), Some(last)) => (first.0, last.0),
            _ => (0, 0),
        };
        if last - first < (rows as u64).saturating_mul(SPREAD_MAX) {
            let mut starts = vec![0; usize::try_from(last - first).ok()? + 2];
            for (key, _) in &pairs {
                starts[usize::try_from(key - first).ok()? + 1] += 1;
            }
            let mut total = 0;
            for start in &mut starts {
                total += *start;
                *start = total;
            }
            return Some(Self { keys: Keys::Dense { base: first }, starts, values });
        }
        let (mut keys, mut starts) = (Vec::with_capacity(rows), Vec::with_capacity(rows + 1));
        let mut at = 0;
        for group in pairs.chunk_by(|a, b| a.0 == b.0) {
            keys.push(group[0].0);
            starts.push(at);
            at += u32::try_from(group.len()).ok()?;
        }
        starts.push(at);
        let size = (2 * rows).next_power_of_two().max(2);
        let shift = 64 - size.trailing_zeros();
        let mix = Mix::default();
        let mut table = vec![0_u32; size];
        for (row, key) in keys.iter().enumerate() {
            let mut at = slot(&mix, *key, shift);
            while table[at] != 0 {
                at = (at + 1) & (size - 1);
            }
            table[at] = u32::try_from(row).ok()? + 1;
        }
        Some(Self { keys: Keys::Hashed { keys, table, shift, mix }, starts, values })
    }

    /// The values of a key, ascending.
    #[inline]
    pub(crate) fn of(&self, key: u64) -> &[u64] {
        let row = match &self.keys {
            Keys::Dense { base } => key.wrapping_sub(*base),
            Keys::Hashed { keys, table, shift, mix } => {
                let mut at = slot(mix, key, *shift);
                loop {
                    match table.get(at) {
                        Some(&row) if row > 0 => {
                            let row = row - 1;
                            if keys.get(row as usize) == Some(&key) {
                                break u64::from(row);
                            }
                        }
                        _ => return &[],
                    }
                    at = (at + 1) & (table.len() - 1);
                }
            }
        };
        let Ok(row) = usize::try_from(row) else { return &[] };
        match (self.starts.get(row), self.starts.get(row.wrapping_add(1))) {
            (Some(from), Some(to)) => {
                self.values.get(*from as usize..*to as usize).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// Every key with its values, in the order of keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &[u64])> {
        self.starts.windows(2).enumerate().filter_map(|(row, ends)| {
            let values = self.values.get(ends[0] as usize..ends[1] as usize)?;
            let key = match &self.keys {
                Keys::Dense { base } => base + row as u64,
                Keys::Hashed { keys, .. } => *keys.get(row)?,
            };
            (!values.is_empty()).then_some((key, values))
        })
    }

    fn bytes(&self) -> usize {
        let keys = match &self.keys {
            Keys::Dense { .. } => 0,
            Keys::Hashed { keys, table, .. } => 8 * keys.len() + 4 * table.len(),
        };
        keys + 4 * self.starts.len() + 8 * self.values.len()
    }

    /// Reads an attribute of a source that lends.
    fn read(
        source: &dyn Source,
        attribute: u64,
        by: By,
        watch: &Watch,
    ) -> Result<Option<Self>, Error> {
        let in_avet = source.attribute(attribute).is_some_and(crate::Attribute::in_avet);
        let index = if by == By::Value && in_avet { Index::Avet } else { Index::Aevt };
        let mut pairs = Vec::new();
        source.reader(index).runs(&[attribute], |run| {
            watch.scan_many(run.len())?;
            pairs.extend(run.iter().map(|[_, second, third, ..]| match (by, index) {
                (By::Entity, _) => (Word::entity(*second).raw(), *third),
                (By::Value, Index::Avet) => (*second, Word::entity(*third).raw()),
                (By::Value, _) => (*third, Word::entity(*second).raw()),
            }));
            Ok(true)
        })?;
        Ok(Self::new(pairs))
    }
}

type Key = (u64, By);

/// The columns of one basis, made when first worth it.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    columns: HashMap<Key, Arc<Column>>,
    bytes: usize,
}

impl Columns {
    /// The column if it was made already.
    pub(crate) fn get(&self, attribute: u64, by: By) -> Option<Arc<Column>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.columns.get(&(attribute, by)).cloned()
    }

    /// The column; `None` where the attribute has too many facts for one. Two threads may make the
    /// same one at once: nobody waits, and both are right.
    pub(crate) fn make(
        &self,
        source: &dyn Source,
        attribute: u64,
        by: By,
        watch: &Watch,
    ) -> Result<Option<Arc<Column>>, Error> {
        if let Some(column) = self.get(attribute, by) {
            return Ok(Some(column));
        }
        let Some(column) = Column::read(source, attribute, by, watch)? else { return Ok(None) };
        let column = Arc::new(column);
        self.keep((attribute, by), &column);
        Ok(Some(column))
    }

    fn keep(&self, key: Key, column: &Arc<Column>) {
        let bytes = column.bytes();
        // Relaxed: a number that bounds memory, and orders nothing.
        if HELD.fetch_add(bytes, Ordering::Relaxed) + bytes > BYTES_MAX {
            HELD.fetch_sub(bytes, Ordering::Relaxed);
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.columns.insert(key, column.clone()).is_none() {
            kept.bytes += bytes;
        } else {
            HELD.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Columns {
    fn drop(&mut self) {
        let kept = self.kept.get_mut().unwrap_or_else(PoisonError::into_inner);
        HELD.fetch_sub(kept.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_and_scattered_keys_give_their_values() {
        for step in [1, 3, 1_000_003] {
            let pairs: Vec<(u64, u64)> =
                (0..200_u64).flat_map(|k| (0..k % 4).map(move |v| (7 + k * step, v))).collect();
            let mut shuffled = pairs.clone();
            shuffled.reverse();
            let column = Column::new(shuffled).unwrap();
            let dense = matches!(column.keys, Keys::Dense { .. });
            assert_eq!(dense, step < 5, "step {step}");
            for key in 0..7 + 201 * step.min(50) {
                let expected: Vec<u64> =
                    pairs.iter().filter(|pair| pair.0 == key).map(|pair| pair.1).collect();
                assert_eq!(column.of(key), expected, "key {key}, step {step}");
            }
            let all: Vec<(u64, u64)> =
                column.iter().flat_map(|(k, vs)| vs.iter().map(move |v| (k, *v))).collect();
            assert_eq!(all, pairs);
        }
        assert!(Column::new(Vec::new()).unwrap().of(0).is_empty());
        assert!(Column::new(vec![(u64::MAX, 1)]).unwrap().of(u64::MAX - 1).is_empty());
    }
}
