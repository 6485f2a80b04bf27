//! Reading facts in the order of an index, as a view shows them.
//!
//! 1. The present is the current facts as they stand: no filter, no copy.
//! 2. Any other view merges current facts and history. In every order all statements and
//!    withdrawals of one fact stand together, oldest first; so what holds at `t` is the last of
//!    them up to `t`, if that is a statement.
//! 3. `since` shows what holds and was stated after its moment. `history` shows everything within
//!    both moments.

use std::iter::Peekable;

use datom::{Datom, Value, Word};
use eve::structure::{Keys, SortedSet};

use crate::attribute::ValueType;
use crate::db::{Db, View};
use crate::error::Error;
use crate::index::{Index, Key};
use crate::overlay::Memory;

/// Facts of a [`Db`] in the order of an index: see [`Db::datoms`].
///
/// An error is given at most once and ends the iteration.
pub struct Datoms<'a> {
    index: Index,
    source: Source<'a>,
}

type Sorted<'a> = Keys<'a, 5, Memory>;

#[allow(clippy::large_enum_variant, reason = "looking one fact up should not allocate")]
enum Source<'a> {
    Present(Sorted<'a>),
    Merged(Box<Merged<'a>>),
}

/// Current facts and history together, and what of them the view shows.
struct Merged<'a> {
    view: View,
    current: Peekable<Sorted<'a>>,
    history: Peekable<Sorted<'a>>,
    /// The last statement or withdrawal of the fact at hand.
    last: Option<Key>,
    ended: bool,
}

/// The bare words of components in the order of an index. Components beyond a key don't count.
pub(crate) fn prefix_of(index: Index, components: &[Word]) -> Vec<u64> {
    let words = components.iter().take(5).enumerate();
    words.map(|(place, &word)| index.component(place, word)).collect()
}

impl<'a> Datoms<'a> {
    pub(crate) fn prefix(db: &'a Db, index: Index, components: &[Word]) -> Self {
        let prefix = prefix_of(index, components);
        Self::new(db, index, |set, memory| set.prefix(memory, &prefix))
    }

    pub(crate) fn from(db: &'a Db, index: Index, components: &[Word]) -> Self {
        let mut from: Key = [0; 5];
        for (slot, word) in from.iter_mut().zip(prefix_of(index, components)) {
            *slot = word;
        }
        Self::new(db, index, |set, memory| set.range(memory, from..))
    }

    fn new(
        db: &'a Db,
        index: Index,
        keys: impl Fn(SortedSet<5>, &'a Memory) -> Sorted<'a>,
    ) -> Self {
        let state = db.state();
        let current = keys(state.record.current(index), &state.memory);
        let view = db.view();
        let source = if view.is_present() {
            Source::Present(current)
        } else {
            Source::Merged(Box::new(Merged {
                view,
                current: current.peekable(),
                history: keys(state.record.history(index), &state.memory).peekable(),
                last: None,
                ended: false,
            }))
        };
        Self { index, source }
    }
}

impl Iterator for Datoms<'_> {
    type Item = Result<Datom, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let key = match &mut self.source {
            Source::Present(keys) => keys.next()?.copied().map_err(Error::from),
            Source::Merged(merged) => merged.next()?,
        };
        Some(key.map(|key| self.index.datom(&key)))
    }
}

impl Merged<'_> {
    /// The next key of either set, in order.
    fn step(&mut self) -> Option<Result<Key, Error>> {
        let current_first = match (self.current.peek(), self.history.peek()) {
            (Some(Ok(current)), Some(Ok(past))) => current < past,
            (Some(Err(_)), _) | (Some(_), None) => true,
            _ => false,
        };
        let side = if current_first { &mut self.current } else { &mut self.history };
        side.next().map(|key| key.copied().map_err(Error::from))
    }

    fn next(&mut self) -> Option<Result<Key, Error>> {
        while !self.ended {
            let key = match self.step() {
                Some(Ok(key)) => key,
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                None => {
                    self.ended = true;
                    return self.last.take().filter(|last| self.shows(last)).map(Ok);
                }
            };
            let t = key[3];
            if self.view.as_of.is_some_and(|as_of| t > as_of) {
                continue;
            }
            if self.view.history {
                match self.view.since {
                    Some(since) if t <= since => continue,
                    _ => return Some(Ok(key)),
                }
            }
            let same = self.last.is_some_and(|last| last[..3] == key[..3]);
            let before = self.last.replace(key).filter(|_| !same);
            if let Some(before) = before.filter(|before| self.shows(before)) {
                return Some(Ok(before));
            }
        }
        None
    }

    /// Whether the last word on a fact is that it holds, said within the view.
    fn shows(&self, [.., t, m]: &Key) -> bool {
        m & 1 == 1 && self.view.since.is_none_or(|since| *t > since)
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
        return Datoms::new(db, Index::Avet, |set, memory| set.range(memory, first..=last))
            .collect();
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
