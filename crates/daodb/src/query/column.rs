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
//! The column of the next state is the same arrays and a [`Patch`] for the keys that changed, until the
//! patch is so long that new arrays are made of both.
//!
//! 1. Words are those that queries see: entities are references on both sides.
//! 2. Keys ascend, and so do the values of a key.
//! 3. A column holds exactly the current facts of its basis and never changes.

mod patch;

use std::hash::BuildHasher;
use std::sync::Arc;

use datom::{Datom, Word};

use self::patch::Patch;

use super::error::Error;
use super::limits::Watch;
use super::source::Source;
use crate::index::Index;
use crate::mix::Mix;

/// Keys are dense when this many times their number covers their range.
const SPREAD_MAX: u64 = 8;
/// Words of a patch before new arrays are made: some, and a share of those of the arrays. Copying a
/// patch costs each commit microseconds, and new arrays cost about a nanosecond a word.
const PATCH_MIN: usize = if cfg!(test) { 6 } else { 1024 };
const PATCH_SHARE: usize = 256;

/// What a column is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum By {
    Entity,
    Value,
}

/// The facts of one attribute by one side.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    base: Arc<Base>,
    patch: Patch,
}

/// The arrays.
#[derive(Debug)]
struct Base {
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
    pub(crate) fn new(pairs: Vec<(u64, u64)>) -> Option<Self> {
        Some(Self { base: Arc::new(Base::new(pairs)?), patch: Patch::default() })
    }

    /// The values of a key, ascending.
    #[inline]
    pub(crate) fn of(&self, key: u64) -> &[u64] {
        match self.patch.get(key) {
            Some(values) => values,
            None => self.base.of(key),
        }
    }

    /// Every key with its values, in the order of keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &[u64])> {
        self.patch.over(self.base.iter()).filter(|(_, values)| !values.is_empty())
    }

    /// The column after facts of its attribute were stated and withdrawn, in this order.
    pub(crate) fn after<'f>(&self, by: By, facts: impl Iterator<Item = &'f Datom>) -> Option<Self> {
        let mut changed: Vec<(u64, u64, bool)> = facts
            .map(|fact| match (Word::entity(fact.e).raw(), fact.v.raw(), by) {
                (entity, value, By::Entity) => (entity, value, fact.added()),
                (entity, value, By::Value) => (value, entity, fact.added()),
            })
            .collect();
        if changed.is_empty() {
            return Some(self.clone());
        }
        // Stable: what was said later of a key counts.
        changed.sort_by_key(|(key, ..)| *key);
        let groups = changed.chunk_by(|a, b| a.0 == b.0).map(|group| {
            let key = group.first().map_or(0, |first| first.0);
            let mut values = self.of(key).to_vec();
            for (_, value, added) in group {
                match (values.binary_search(value), added) {
                    (Err(at), true) => values.insert(at, *value),
                    (Ok(at), false) => drop(values.remove(at)),
                    _ => {}
                }
            }
            (key, values)
        });
        let patch = self.patch.with(groups);
        let grown = Self { base: self.base.clone(), patch };
        if grown.patch.words() <= PATCH_MIN + self.base.values.len() / PATCH_SHARE {
            return Some(grown);
        }
        let pairs = grown.iter().flat_map(|(key, values)| values.iter().map(move |v| (key, *v)));
        Self::new(pairs.collect())
    }

    /// Bytes that this column takes beside another one that it came from.
    pub(crate) fn bytes_beside(&self, other: Option<&Self>) -> usize {
        let shared = other.is_some_and(|other| Arc::ptr_eq(&self.base, &other.base));
        self.patch.bytes() + if shared { 0 } else { self.base.bytes() }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes_beside(None)
    }

    /// Reads an attribute of a source that lends.
    pub(crate) fn read(
        source: &dyn Source,
        attribute: u64,
        by: By,
        watch: &Watch,
    ) -> Result<Option<Self>, Error> {
        let in_avet = source.attribute(attribute).is_some_and(crate::Attribute::in_avet);
        let index = if by == By::Value && in_avet { Index::Avet } else { Index::Aevt };
        let mut pairs = Vec::new();
        source.reader(index, Some(attribute)).runs(&[attribute], |run| {
            watch.scan_many(run.len())?;
            pairs.extend(run.iter().map(|[_, second, third, ..]| match (by, index) {
                (By::Entity, _) => (Word::entity(*second).raw(), *third),
                (By::Value, Index::Avet) => (*second, Word::entity(*third).raw()),
                (By::Value, _) => (*third, Word::entity(*second).raw()),
            }));
            Ok(true)
        })?;
        watch.steps(pairs.len())?;
        let made = Self::new(pairs);
        watch.tick()?;
        Ok(made)
    }
}

impl Base {
    fn new(mut pairs: Vec<(u64, u64)>) -> Option<Self> {
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

    #[inline]
    fn of(&self, key: u64) -> &[u64] {
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

    fn iter(&self) -> impl Iterator<Item = (u64, &[u64])> {
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
            let dense = matches!(column.base.keys, Keys::Dense { .. });
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
    proptest::proptest! {
        #[test]
        fn a_column_that_was_gone_on_from_is_one_that_was_made_anew(
            first in proptest::collection::vec((0..30_u64, 0..6_u64), 0..40),
            later in proptest::collection::vec((0..30_u64, 0..6_u64, proptest::bool::ANY), 0..60),
            spread in proptest::sample::select(vec![1_u64, 1_000_003]),
            batch in 1..7_usize,
        ) {
            let key = |n: u64| 100 + n * spread;
            let mut facts: std::collections::BTreeSet<(u64, u64)> =
                first.into_iter().map(|(k, v)| (key(k), v)).collect();
            let word = |n: u64| Word::entity(n).raw();
            let column = |facts: &std::collections::BTreeSet<(u64, u64)>| {
                Column::new(facts.iter().map(|(k, v)| (word(*k), *v)).collect()).unwrap()
            };
            let mut gone_on = column(&facts);
            for batch in later.chunks(batch) {
                let datoms: Vec<Datom> = batch
                    .iter()
                    .map(|(k, v, added)| match added {
                        true => Datom::assert(key(*k), 9, Word::from_raw(*v), 1),
                        false => Datom::retract(key(*k), 9, Word::from_raw(*v), 1),
                    })
                    .collect();
                for (k, v, added) in batch {
                    match added {
                        true => facts.insert((key(*k), *v)),
                        false => facts.remove(&(key(*k), *v)),
                    };
                }
                let before = gone_on.clone();
                gone_on = gone_on.after(By::Entity, datoms.iter()).unwrap();
                let anew = column(&facts);
                proptest::prop_assert!(gone_on.iter().eq(anew.iter()));
                for k in 0..31 {
                    proptest::prop_assert_eq!(gone_on.of(word(key(k))), anew.of(word(key(k))));
                }
                proptest::prop_assert!(before.iter().count() <= 31);
            }
        }
    }
}
