//! A persistent sorted map: a sorted set of rows of which only the first words are the key.
//!
//! Of the rows of a map no two have the same key; that is all that makes it one. Keys and
//! values lie together.

use std::ops::{Bound, RangeBounds};

use super::map::Change;
use super::sorted::{Cursor, Differences, Keys, SortedSet};
use crate::{Addr, Error, Read, Write};

/// A persistent sorted map of rows of `W` words, whose first `N` words are the key and whose others are
/// the value. Keys compare word by word as numbers.
///
/// Handles, versions and costs are as those of [`SortedSet`].
///
/// ```
/// # use eve::{Error, Read, Write, structure::SortedMap};
/// fn example<W: Write>(memory: &mut W) -> Result<(), Error> {
///     // A key of one word, a value of two.
///     let map = SortedMap::<1, 3>::empty();
///     let (map, before) = map.insert(memory, [1815, 12, 10])?;
///     assert_eq!(before, None);
///     let (map, before) = map.insert(memory, [1815, 12, 11])?;
///     assert_eq!(before, Some([1815, 12, 10]));
///     assert_eq!(map.get(memory, &[1815])?, Some([1815, 12, 11]));
///     assert_eq!(map.range(memory, [1800]..[1900]).count(), 1);
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SortedMap<const N: usize, const W: usize> {
    rows: SortedSet<W>,
}

impl<const N: usize, const W: usize> SortedMap<N, W> {
    const SOUND: () = assert!(N >= 1 && N <= W, "a key is the first words of a row");

    /// The map without rows; it needs no memory.
    #[must_use]
    pub const fn empty() -> Self {
        Self::from_root(Addr::NONE)
    }

    /// The map whose [`root`](SortedMap::root) this is.
    #[must_use]
    pub const fn from_root(root: Addr) -> Self {
        let () = Self::SOUND;
        SortedMap { rows: SortedSet::from_root(root) }
    }

    /// What to store in order to find the map again; [`Addr::NONE`] when it is empty.
    #[must_use]
    pub const fn root(self) -> Addr {
        self.rows.root()
    }

    /// The rows, as the set they are.
    #[must_use]
    pub const fn rows(self) -> SortedSet<W> {
        self.rows
    }

    /// Whether there is no row.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.rows.is_empty()
    }

    /// How many rows there are. O(1).
    ///
    /// # Errors
    /// When the root is damaged.
    pub fn len<R: Read + ?Sized>(self, reader: &R) -> Result<u64, Error> {
        self.rows.len(reader)
    }

    /// The row of `key`. O(log n).
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn get<R: Read + ?Sized>(
        self,
        reader: &R,
        key: &[u64; N],
    ) -> Result<Option<[u64; W]>, Error> {
        self.rows.first_with(reader, key)
    }

    /// The map with `row`, and the row that its key had before. O(log n).
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn insert<M: Write + ?Sized>(
        self,
        memory: &mut M,
        row: [u64; W],
    ) -> Result<(Self, Option<[u64; W]>), Error> {
        let before = self.get(memory, &key_of(&row))?;
        if before == Some(row) {
            return Ok((self, before));
        }
        let rows = match before {
            Some(before) => self.rows.remove(memory, &before)?.0,
            None => self.rows,
        };
        Ok((SortedMap { rows: rows.insert(memory, row)?.0 }, before))
    }

    /// The map without `key`, and the row it had. O(log n).
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn remove<M: Write + ?Sized>(
        self,
        memory: &mut M,
        key: &[u64; N],
    ) -> Result<(Self, Option<[u64; W]>), Error> {
        let Some(before) = self.get(memory, key)? else { return Ok((self, None)) };
        Ok((SortedMap { rows: self.rows.remove(memory, &before)?.0 }, Some(before)))
    }

    /// The map of these rows. Of rows with one key the last one counts. O(n) for rows that ascend, or
    /// else what sorting them takes.
    ///
    /// # Errors
    /// When memory is full; then drop the transaction.
    pub fn from_iter<M: Write + ?Sized>(
        memory: &mut M,
        rows: impl IntoIterator<Item = [u64; W]>,
    ) -> Result<Self, Error> {
        Self::empty().extend(memory, rows)
    }

    /// The map with these rows, the last of each key. One descent per leaf that changes, for rows whose
    /// keys are new; two besides for each row that takes another's place.
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn extend<M: Write + ?Sized>(
        self,
        memory: &mut M,
        rows: impl IntoIterator<Item = [u64; W]>,
    ) -> Result<Self, Error> {
        let mut rows: Vec<[u64; W]> = rows.into_iter().collect();
        // Stable: of one key, the last stays last.
        rows.sort_by_key(key_of::<N, W>);
        rows.reverse();
        rows.dedup_by_key(|row| key_of::<N, W>(row));
        rows.reverse();
        let mut set = self.rows;
        if !self.is_empty() {
            for row in &rows {
                if let Some(before) = (SortedMap::<N, W> { rows: set }).get(memory, &key_of(row))?
                    && before != *row
                {
                    set = set.remove(memory, &before)?.0;
                }
            }
        }
        Ok(SortedMap { rows: set.insert_many(memory, &rows)?.0 })
    }

    /// The rows whose keys lie in `range`, ascending, and from both ends.
    ///
    /// O(log n) to start, O(1) a row.
    pub fn range<'r, R: Read + ?Sized>(
        self,
        reader: &'r R,
        range: impl RangeBounds<[u64; N]>,
    ) -> Keys<'r, W, R> {
        let start = match range.start_bound() {
            Bound::Unbounded => Bound::Unbounded,
            Bound::Included(key) => Bound::Included(row(key, 0)),
            Bound::Excluded(key) => Bound::Excluded(row(key, u64::MAX)),
        };
        let end = match range.end_bound() {
            Bound::Unbounded => Bound::Unbounded,
            Bound::Included(key) => Bound::Included(row(key, u64::MAX)),
            Bound::Excluded(key) => Bound::Excluded(row(key, 0)),
        };
        self.rows.range(reader, (start, end))
    }

    /// All rows, ascending, and from both ends.
    pub fn iter<R: Read + ?Sized>(self, reader: &R) -> Keys<'_, W, R> {
        self.rows.iter(reader)
    }

    /// A cursor before the first row.
    pub fn cursor<R: Read + ?Sized>(self, reader: &R) -> Cursor<'_, W, R> {
        self.rows.cursor(reader)
    }

    /// What must be done to `self` to get `other`, ascending: each key once, with the whole rows. As
    /// [`SortedSet::diff`].
    pub fn diff<'r, R: Read + ?Sized, S: Read + ?Sized>(
        self,
        reader: &'r R,
        other: Self,
        other_reader: &'r S,
    ) -> RowChanges<'r, N, W, R, S> {
        RowChanges { rows: self.rows.diff(reader, other.rows, other_reader), ahead: None }
    }

    /// The map with the rows of `other`, read by `reader`, whose keys are not here, and for those that
    /// are here with another value the row that `resolve` makes of the one here and the one there.
    /// [`None`] keeps the one here, and so does a row of another key.
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn merge<M: Write + ?Sized, R: Read + ?Sized>(
        self,
        memory: &mut M,
        other: Self,
        reader: &R,
        mut resolve: impl FnMut(&[u64; W], &[u64; W]) -> Option<[u64; W]>,
    ) -> Result<Self, Error> {
        let mut rows = Vec::new();
        for change in self.diff(&*memory, other, reader) {
            rows.extend(match change? {
                Change::Added(_, row) => Some(row),
                Change::Removed(..) => None,
                Change::Changed(key, here, there) => {
                    resolve(&here, &there).filter(|row| row.starts_with(&key))
                }
            });
        }
        self.extend(memory, rows)
    }

    /// Shows every block of the map to `visit`. As [`SortedSet::trace`].
    ///
    /// # Errors
    /// When a node is damaged.
    pub fn trace<R: Read + ?Sized>(
        self,
        reader: &R,
        visit: &mut impl FnMut(Addr) -> bool,
    ) -> Result<(), Error> {
        self.rows.trace(reader, visit)
    }

    /// Checks every invariant of every node, and that no key comes twice. O(n).
    ///
    /// # Errors
    /// What is wrong and where, for the first thing that is.
    pub fn verify<R: Read + ?Sized>(self, reader: &R) -> Result<(), Error> {
        self.rows.verify(reader)?;
        let mut last = None;
        for row in self.iter(reader) {
            let key = key_of::<N, W>(&row?);
            if last == Some(key) {
                return Err(Error::corrupt("sorted map with two rows of one key", self.root()));
            }
            last = Some(key);
        }
        Ok(())
    }
}

/// Iterator over what is different: see [`SortedMap::diff`].
///
/// It gives an error at most once, and nothing after it.
pub struct RowChanges<'r, const N: usize, const W: usize, R: Read + ?Sized, S: Read + ?Sized> {
    rows: Differences<'r, W, R, S>,
    /// A row that was read ahead.
    ahead: Option<Change<[u64; W], ()>>,
}

impl<const N: usize, const W: usize, R: Read + ?Sized, S: Read + ?Sized> Iterator
    for RowChanges<'_, N, W, R, S>
{
    type Item = Result<Change<[u64; N], [u64; W]>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = match self.ahead.take() {
            Some(first) => first,
            None => match self.rows.next()? {
                Ok(first) => first,
                Err(error) => return Some(Err(error)),
            },
        };
        // The two rows of one key lie side by side: no other is between them.
        let second = match self.rows.next().transpose() {
            Ok(second) => second,
            Err(error) => return Some(Err(error)),
        };
        let key = key_of::<N, W>(first.key());
        Some(Ok(match (first, second) {
            (Change::Removed(old, ()), Some(Change::Added(new, ())))
            | (Change::Added(new, ()), Some(Change::Removed(old, ())))
                if key_of::<N, W>(&old) == key_of::<N, W>(&new) =>
            {
                Change::Changed(key, old, new)
            }
            (Change::Removed(old, ()), second) => {
                self.ahead = second;
                Change::Removed(key, old)
            }
            (Change::Added(new, ()) | Change::Changed(new, (), ()), second) => {
                self.ahead = second;
                Change::Added(key, new)
            }
        }))
    }
}

fn key_of<const N: usize, const W: usize>(row: &[u64; W]) -> [u64; N] {
    row.first_chunk().copied().unwrap_or([0; N])
}

/// The row of `key` and then `fill`.
fn row<const N: usize, const W: usize>(key: &[u64; N], fill: u64) -> [u64; W] {
    let mut row = [fill; W];
    row[..N].copy_from_slice(key);
    row
}

#[cfg(all(test, not(loom)))]
mod tests;
