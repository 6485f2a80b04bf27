//! Reading facts in the order of an index, as a view shows them, forwards or backwards.
//!
//! 1. The present is the current facts as they stand: no filter, no copy.
//! 2. Any other view merges current facts and history. In every order all statements and
//!    withdrawals of one fact stand together, oldest first; so what holds at `t` is the last of
//!    them up to `t`, if that is a statement.
//! 3. A view of moments that the indexes do not hold any more is refused, wherever it is read.
//! 4. `since` shows what holds and was stated after its moment. `history` shows everything within
//!    both moments. A filter takes from what the rest of the view shows.

use std::iter::Peekable;
use std::sync::Arc;

use datom::{Datom, Value, Word};
use eve::structure::{Few, Keys, SortedSet};

use crate::attribute::ValueType;
use crate::db::{Db, Filter, View};
use crate::error::Error;
use crate::index::{Index, Key};
use crate::overlay::Memory;

/// Facts of a [`Db`] in the order of an index: see [`Db::datoms`].
///
/// An error is given at most once and ends the iteration.
pub struct Datoms<'a> {
    index: Index,
    way: Way,
    source: Source<'a>,
    filter: Option<Box<Filtered>>,
}

/// What a filter says of each fact, and the state that it sees.
struct Filtered {
    db: Db,
    keep: Arc<Filter>,
}

type Sorted<'a> = Keys<'a, 5, Memory>;
/// A few keys, given as [`Sorted`] gives its own.
type FewKeys<'a> = std::iter::Map<Few<'a, 5>, fn(Key) -> Result<Key, eve::Error>>;

/// Looking a fact up takes no memory, and little is moved about: what is larger lies in a box.
enum Source<'a> {
    /// The view is of moments that are not held: the error, until it is told.
    Refused(Option<Box<Error>>),
    /// A few facts of the present, as a look-up finds them.
    Few(Few<'a, 5>),
    /// The same of another view.
    FewMerged(Box<Merged<FewKeys<'a>>>),
    Present(Box<Sorted<'a>>),
    /// Nothing here was ever withdrawn.
    Unchanged(Box<(View, Sorted<'a>)>),
    Merged(Box<Merged<Sorted<'a>>>),
    MergedBack(Box<MergedBack<std::iter::Rev<Sorted<'a>>>>),
}

/// Current facts and history together, and what of them the view shows.
struct Merged<I: Iterator> {
    view: View,
    current: Peekable<I>,
    history: Peekable<I>,
    /// The last statement or withdrawal of the fact at hand.
    last: Option<Key>,
    ended: bool,
}

/// The same from the end: of each fact its newest word comes first.
struct MergedBack<I: Iterator> {
    view: View,
    current: Peekable<I>,
    history: Peekable<I>,
    /// The newest word on the fact at hand was seen.
    seen: Option<Key>,
    ended: bool,
}

/// The bare words of components in the order of an index, and how many they are. Components beyond a
/// key don't count.
pub(crate) fn prefix_of(index: Index, components: &[Word]) -> (Key, usize) {
    let mut words = Key::default();
    for (place, (slot, &word)) in words.iter_mut().zip(components).enumerate() {
        *slot = index.component(place, word);
    }
    (words, components.len().min(words.len()))
}

/// Which way facts are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Forward,
    Back,
}

impl<'a> Datoms<'a> {
    pub(crate) fn prefix(db: &'a Db, index: Index, components: &[Word]) -> Self {
        let (words, len) = prefix_of(index, components);
        let prefix = words.get(..len).unwrap_or_default();
        match Self::few(db, index, prefix) {
            Ok(Some(source)) => Self::of(db, index, Way::Forward, source),
            Ok(None) => {
                Self::new(db, index, Way::Forward, prefix, |set, memory| set.prefix(memory, prefix))
            }
            Err(error) => Self::refused(index, error),
        }
    }

    /// What begins with `prefix`, where that is little.
    #[inline]
    fn few(db: &'a Db, index: Index, prefix: &[u64]) -> Result<Option<Source<'a>>, Error> {
        let (state, view) = (db.state(), db.view());
        db.check_held()?;
        let (memory, current) = state.current_of(index, prefix)?;
        let Some(current) = current.few_with(memory, prefix)? else { return Ok(None) };
        if view.is_present() {
            return Ok(Some(Source::Few(current)));
        }
        let (memory, history) = state.history_of(index, prefix)?;
        let Some(history) = history.few_with(memory, prefix)? else { return Ok(None) };
        let given: fn(Key) -> Result<Key, eve::Error> = Ok;
        let (current, history) = (current.map(given).peekable(), history.map(given).peekable());
        let merged = Merged { view, current, history, last: None, ended: false };
        Ok(Some(Source::FewMerged(Box::new(merged))))
    }

    #[inline]
    fn of(db: &Db, index: Index, way: Way, source: Source<'a>) -> Self {
        let filtered = |keep: &Arc<Filter>| Filtered { db: db.unfiltered(), keep: keep.clone() };
        let filter = db.filtered().map(|keep| Box::new(filtered(keep)));
        Self { index, way, source, filter }
    }

    /// From the first at or above these components on, forwards; or from the last that is at or
    /// below them, or begins with them, backwards. `within` bounds how many components stay equal.
    pub(crate) fn seek(
        db: &'a Db,
        index: Index,
        way: Way,
        components: &[Word],
        within: usize,
    ) -> Self {
        let (words, len) = prefix_of(index, components);
        let words = words.get(..len).unwrap_or_default();
        let bound = |fill: u64, words: &[u64]| {
            let mut key: Key = [fill; 5];
            for (slot, word) in key.iter_mut().zip(words) {
                *slot = *word;
            }
            key
        };
        let fixed = words.get(..within.min(words.len())).unwrap_or_default();
        let (from, to) = match way {
            Way::Forward => (bound(0, words), bound(MAX, fixed)),
            Way::Back => (bound(0, fixed), bound(MAX, words)),
        };
        Self::new(db, index, way, fixed, |set, memory| set.range(memory, from..=to))
    }

    /// What `keys` reads of an index, all of which begins with `prefix`.
    fn new(
        db: &'a Db,
        index: Index,
        way: Way,
        prefix: &[u64],
        keys: impl Fn(SortedSet<5>, &'a Memory) -> Sorted<'a>,
    ) -> Self {
        let facts = db.check_held().and_then(|()| Self::held(db, index, way, prefix, keys));
        facts.unwrap_or_else(|error| Self::refused(index, error))
    }

    fn refused(index: Index, error: Error) -> Self {
        let (way, filter) = (Way::Forward, None);
        Self { index, way, source: Source::Refused(Some(Box::new(error))), filter }
    }

    /// Everything that the indexes hold of what was ever said, however little that is.
    pub(crate) fn all(db: &'a Db, index: Index) -> Datoms<'a> {
        Self::held(db, index, Way::Forward, &[], |set, memory| set.prefix(memory, &[]))
            .unwrap_or_else(|error| Self::refused(index, error))
    }

    fn held(
        db: &'a Db,
        index: Index,
        way: Way,
        prefix: &[u64],
        keys: impl Fn(SortedSet<5>, &'a Memory) -> Sorted<'a>,
    ) -> Result<Self, Error> {
        let (state, view) = (db.state(), db.view());
        let (memory, current) = state.current_of(index, prefix)?;
        let current = keys(current, memory);
        let history =
            || state.history_of(index, prefix).map(|(memory, history)| keys(history, memory));
        let source = match (view.is_present(), way) {
            (true, _) => Source::Present(Box::new(current)),
            (false, Way::Forward) => {
                let mut history = history()?.peekable();
                if history.peek().is_none() {
                    Source::Unchanged(Box::new((view, current)))
                } else {
                    let (current, last, ended) = (current.peekable(), None, false);
                    Source::Merged(Box::new(Merged { view, current, history, last, ended }))
                }
            }
            (false, Way::Back) => {
                let (current, history) = (current.rev().peekable(), history()?.rev().peekable());
                let (seen, ended) = (None, false);
                Source::MergedBack(Box::new(MergedBack { view, current, history, seen, ended }))
            }
        };
        Ok(Self::of(db, index, way, source))
    }

    fn next_key(&mut self) -> Option<Result<Key, Error>> {
        match (&mut self.source, self.way) {
            (Source::Few(few), Way::Forward) => few.next().map(Ok),
            (Source::Few(few), Way::Back) => few.next_back().map(Ok),
            (Source::Refused(error), _) => error.take().map(|error| Err(*error)),
            (Source::Present(keys), Way::Forward) => Some(keys.next()?.map_err(Error::from)),
            (Source::Present(keys), Way::Back) => Some(keys.next_back()?.map_err(Error::from)),
            (Source::Unchanged(keys), _) => loop {
                let (view, keys) = &mut **keys;
                match keys.next()? {
                    Ok(key) if !view.held(&key) || !view.shows(&key) => {}
                    key => return Some(key.map_err(Error::from)),
                }
            },
            (Source::Merged(merged), _) => merged.next(),
            (Source::FewMerged(merged), _) => merged.next(),
            (Source::MergedBack(merged), _) => merged.next(),
        }
    }
}

impl Iterator for Datoms<'_> {
    type Item = Result<Datom, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let datom = match self.next_key()? {
                Ok(key) => self.index.datom(&key),
                Err(error) => return Some(Err(error)),
            };
            match &self.filter {
                Some(filter) if !(filter.keep)(&filter.db, &datom) => {}
                _ => return Some(Ok(datom)),
            }
        }
    }
}

/// What a sorted set gives.
trait Given: Iterator<Item = Result<Key, eve::Error>> {}

impl<I: Iterator<Item = Result<Key, eve::Error>>> Given for I {}

/// Whether the next key is taken from the current facts: where they come first, or are wrong.
fn current_first<I: Given>(
    current: &mut Peekable<I>,
    history: &mut Peekable<I>,
    first: impl Fn(&Key, &Key) -> bool,
) -> bool {
    match (current.peek(), history.peek()) {
        (Some(Ok(current)), Some(Ok(past))) => first(current, past),
        (Some(Err(_)), _) | (Some(_), None) => true,
        _ => false,
    }
}

impl<I: Given> Merged<I> {
    fn next(&mut self) -> Option<Result<Key, Error>> {
        while !self.ended {
            let first =
                current_first(&mut self.current, &mut self.history, |one, other| one < other);
            let side = if first { &mut self.current } else { &mut self.history };
            let key = match side.next() {
                Some(Ok(key)) => key,
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error.into()));
                }
                None => {
                    self.ended = true;
                    return self.last.take().filter(|last| self.view.shows(last)).map(Ok);
                }
            };
            if !self.view.held(&key) {
                continue;
            }
            if self.view.history {
                match self.view.since {
                    Some(since) if key[3] <= since => continue,
                    _ => return Some(Ok(key)),
                }
            }
            let same = self.last.is_some_and(|last| last[..3] == key[..3]);
            let before = self.last.replace(key).filter(|_| !same);
            if let Some(before) = before.filter(|before| self.view.shows(before)) {
                return Some(Ok(before));
            }
        }
        None
    }
}

impl<I: Given> MergedBack<I> {
    fn next(&mut self) -> Option<Result<Key, Error>> {
        while !self.ended {
            let first =
                current_first(&mut self.current, &mut self.history, |one, other| one > other);
            let side = if first { &mut self.current } else { &mut self.history };
            let key = match side.next() {
                Some(Ok(key)) => key,
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error.into()));
                }
                None => {
                    self.ended = true;
                    return None;
                }
            };
            if !self.view.held(&key) {
                continue;
            }
            if self.view.history {
                match self.view.since {
                    Some(since) if key[3] <= since => continue,
                    _ => return Some(Ok(key)),
                }
            }
            if self.seen.is_some_and(|seen| seen[..3] == key[..3]) {
                continue;
            }
            self.seen = Some(key);
            if self.view.shows(&key) {
                return Some(Ok(key));
            }
        }
        None
    }
}

impl View {
    /// Whether the last word on a fact is that it holds, said within the view.
    pub(crate) fn shows(&self, [.., t, m]: &Key) -> bool {
        m & 1 == 1 && self.since.is_none_or(|since| *t > since)
    }

    /// Whether a word on a fact was said by the moment of the view.
    pub(crate) fn held(&self, [.., t, _]: &Key) -> bool {
        self.as_of.is_none_or(|as_of| *t <= as_of)
    }
}

/// See [`Db::index_range`].
pub(crate) fn index_range(
    db: &Db,
    attribute: u64,
    from: Option<&Value>,
    to: Option<&Value>,
) -> Result<Vec<Datom>, Error> {
    let known = db.attribute(attribute);
    let Some(known) = known.filter(|known| known.in_avet()) else {
        let why = "a range needs an attribute with :db/index or :db/unique";
        return Err(Error::lookup(Value::Ref(attribute), why));
    };
    if let Some((from, to)) = inline_bounds(known.value_type, from, to) {
        let (first, last) =
            ([attribute, from.raw(), 0, 0, 0], [attribute, to.raw(), MAX, MAX, MAX]);
        let range = |set: SortedSet<5>, memory| set.range(memory, first..=last);
        return Datoms::new(db, Index::Avet, Way::Forward, &[attribute], range).collect();
    }
    let mut found = Vec::new();
    for datom in db.datoms(Index::Avet, &[Word::entity(attribute)])? {
        let datom = datom?;
        let value = db.value(datom.v)?;
        if from.is_none_or(|from| value >= *from) && to.is_none_or(|to| value <= *to) {
            found.push((value, datom));
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.e.cmp(&other.1.e)));
    Ok(found.into_iter().map(|(_, datom)| datom).collect())
}

const MAX: u64 = u64::MAX;

/// Bounds between which the order of words is the order of values and no heap value lies.
fn inline_bounds(
    value_type: ValueType,
    from: Option<&Value>,
    to: Option<&Value>,
) -> Option<(Word, Word)> {
    let dense = matches!(
        value_type,
        ValueType::Long
            | ValueType::BigInt
            | ValueType::Instant
            | ValueType::Ref
            | ValueType::Boolean
    );
    let (from, to) = (from?.to_inline()?, to?.to_inline()?);
    (dense && from.tag() == to.tag()).then_some((from, to))
}
