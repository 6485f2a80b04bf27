//! Applying frames: from one state to the next.
//!
//! 1. The next state is a function of the state and the frame alone; so a rebuild from the log ends
//!    in the state that was lost.
//! 2. A fact is current from its assertion to its retraction; then the assertion moves to history
//!    and the retraction joins it. Every datom ever applied is in exactly one of the two.
//! 3. AVET holds exactly the facts, current and past, of the attributes that the schema says.

use std::collections::BTreeSet;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use datom::{Datom, Frame, Word, id};
use eve::structure::Cursor;
use eve::{Addr, Write};

use crate::aside;
use crate::builtin;
use crate::dictionary;
use crate::error::Error;
use crate::index::{Index, Key};
use crate::mix::{WordHashMap, WordHashSet};
use crate::order;
use crate::recent;
use crate::record::Record;
use crate::schema::Schema;
use crate::statistics;

/// A frame's datoms with the words that a state has for their values: one that the frame is part of.
pub(crate) fn datoms(
    memory: &impl eve::Read,
    record: &Record,
    frame: &Frame,
) -> Result<Vec<Datom>, Error> {
    let missing = || Error::corrupt(format!("a value of frame {} is in no dictionary", frame.t));
    let mut words = Vec::with_capacity(frame.values.len());
    for value in &frame.values {
        let word = dictionary::find(memory, &record.dictionary, value)?;
        words.push(word.ok_or_else(missing)?);
    }
    frame.datoms.iter().map(|datom| in_store(datom, &words, frame.t)).collect()
}

/// A datom of a frame, given the words of the frame's values.
fn in_store(datom: &Datom, words: &[Word], t: u64) -> Result<Datom, Error> {
    let tag = datom.v.tag();
    if !tag.is_heap() && !tag.is_name() {
        return Ok(*datom);
    }
    let place = usize::try_from(datom.v.payload()).ok();
    let word = place.and_then(|place| words.get(place)).copied();
    let v = word.ok_or_else(|| Error::corrupt(format!("frame {t} lacks a value")))?;
    Ok(Datom { v, ..*datom })
}

/// The current facts in the order of EAVT.
type Known<'m, R> = Cursor<'m, 5, R>;

/// A state that frames are applied to, index changes being gathered until [`Applier::flush`].
pub(crate) struct Applier {
    pub(crate) record: Record,
    pub(crate) schema: Arc<Schema>,
    /// Facts stated since the last flush.
    born: Vec<Datom>,
    /// Places in `born` of facts that were retracted again.
    undone: WordHashSet<usize>,
    /// Where in `born` a fact stands, unless the frames are known to fit the state.
    places: WordHashMap<(u64, u64, Word), usize>,
    /// Stored assertions whose facts were retracted since the last flush.
    ended: Vec<Datom>,
    /// Their facts, unless the frames are known to fit the state.
    gone: WordHashSet<(u64, u64, Word)>,
    /// Entities from here on have no stored facts.
    fresh: u64,
    /// The one frame was worked out on this very state: each fact that it states is new, and each
    /// that it withdraws is stored.
    fits: bool,
    /// What history gains: assertions that ended, and retractions.
    past: Vec<Datom>,
}

impl Applier {
    pub(crate) fn new(record: Record, schema: Arc<Schema>) -> Self {
        Self {
            record,
            schema,
            born: Vec::new(),
            undone: WordHashSet::default(),
            places: WordHashMap::default(),
            ended: Vec::new(),
            gone: WordHashSet::default(),
            fresh: record.next_entity,
            past: Vec::new(),
            fits: false,
        }
    }

    /// For one frame that was worked out on this very state.
    pub(crate) fn fitting(record: Record, schema: Arc<Schema>) -> Self {
        Self { fits: true, ..Self::new(record, schema) }
    }

    /// Applies one frame and answers its datoms with this store's words. `known` holds the words of
    /// the frame's values as far as the caller has looked them up.
    pub(crate) fn apply(
        &mut self,
        memory: &mut impl Write,
        frame: &Frame,
        known: &[Option<Word>],
        after: Option<Arc<Schema>>,
    ) -> Result<Vec<Datom>, Error> {
        if !self.fits {
            self.settle(memory)?;
        }
        let words = self.words(memory, frame, known)?;
        let mut known = self.record.current(Index::Eavt).cursor(&*memory);
        let added = frame.datoms.iter().filter(|datom| datom.added()).count();
        let withdrawn = frame.datoms.len() - added;
        self.born.reserve(added);
        self.ended.reserve(withdrawn);
        self.past.reserve(2 * withdrawn);
        let mut datoms = Vec::with_capacity(frame.datoms.len());
        let mut altered = BTreeSet::new();
        for datom in &frame.datoms {
            let datom = in_store(datom, &words, frame.t)?;
            if self.schema.concerns(datom.e, datom.a) {
                altered.insert(datom.e);
            }
            if datom.e < id::TX_BASE {
                self.record.next_entity = self.record.next_entity.max(datom.e + 1);
            }
            if datom.added() {
                self.assert(&mut known, datom)?
            } else {
                self.retract(&mut known, datom)?
            }
            datoms.push(datom);
        }
        self.record.t = frame.t;
        self.record.instant = frame.instant;
        self.record.previous = frame.previous;
        if !altered.is_empty() {
            self.alter(memory, &altered, after)?;
        }
        Ok(datoms)
    }

    /// The words of the frame's values, in this store.
    fn words(
        &mut self,
        memory: &mut impl Write,
        frame: &Frame,
        known: &[Option<Word>],
    ) -> Result<Vec<Word>, Error> {
        let mut words = Vec::with_capacity(frame.values.len());
        for (place, value) in frame.values.iter().enumerate() {
            words.push(match known.get(place).copied().flatten() {
                Some(word) => word,
                None => dictionary::intern(memory, &mut self.record.dictionary, value)?,
            });
        }
        Ok(words)
    }

    fn assert(&mut self, known: &mut Known<'_, impl eve::Read>, datom: Datom) -> Result<(), Error> {
        // A frame states no fact that holds; one that does anyway (made by other hands) is a
        // restatement, and the first statement counts.
        let fact = (datom.e, datom.a, datom.v);
        if self.fits {
            self.born.push(datom);
        } else if self.stored(known, fact)?.is_none() {
            self.bear(datom);
        }
        Ok(())
    }

    /// Notes a fact that holds from now on. The first statement counts.
    fn bear(&mut self, datom: Datom) {
        if let Entry::Vacant(place) = self.places.entry((datom.e, datom.a, datom.v)) {
            place.insert(self.born.len());
            self.born.push(datom);
        }
    }

    fn retract(
        &mut self,
        known: &mut Known<'_, impl eve::Read>,
        datom: Datom,
    ) -> Result<(), Error> {
        let fact = (datom.e, datom.a, datom.v);
        let born = self.places.remove(&fact);
        if let Some((place, &born)) = born.and_then(|place| Some((place, self.born.get(place)?))) {
            self.undone.insert(place);
            self.past.push(born);
        } else if let Some(stored) = self.stored(known, fact)? {
            if !self.fits {
                self.gone.insert(fact);
            }
            self.ended.push(stored);
            self.past.push(stored);
        } else {
            return Ok(());
        }
        self.past.push(datom);
        Ok(())
    }

    /// The stored assertion of a fact that holds.
    fn stored(
        &self,
        known: &mut Known<'_, impl eve::Read>,
        (e, a, v): (u64, u64, Word),
    ) -> Result<Option<Datom>, Error> {
        // A transaction has no facts before it is made, nor has an entity.
        let is_fresh = e >= self.fresh && e < id::TX_BASE || e > id::transaction(self.record.t);
        if is_fresh || self.gone.contains(&(e, a, v)) {
            return Ok(None);
        }
        // Facts of one entity mostly come together, and in order: the next is the one behind.
        let fact = [e, a, v.raw()];
        let key = known.seek_near(&fact)?.filter(|key| key.starts_with(&fact));
        if key.is_some() {
            known.next()?;
        }
        Ok(key.map(|key| Index::Eavt.datom(&key)))
    }

    /// Writes what was gathered into the indexes.
    pub(crate) fn flush(&mut self, memory: &mut impl Write) -> Result<(), Error> {
        let gathered = self.gathered();
        self.write(memory, gathered)
    }

    /// The same for a transaction of its own: of a small one the facts that nobody reads often are only
    /// noted, until there are more of them.
    pub(crate) fn conclude(&mut self, memory: &mut impl Write) -> Result<(), Error> {
        let mut gathered = self.gathered();
        let Gathered { born, past, .. } = &mut gathered;
        order::sort(past);
        // Before a frame of other hands everything noted is taken up: it would not stay long.
        if !self.fits || !recent::note(memory, &mut self.record, born, past)? {
            self.take_up(memory, &mut gathered)?;
        }
        self.write(memory, gathered)
    }

    /// Writes what earlier transactions noted into the indexes.
    pub(crate) fn settle(&mut self, memory: &mut impl Write) -> Result<(), Error> {
        if self.record.recent.is_none() {
            return Ok(());
        }
        let mut gathered = Gathered::default();
        self.take_up(memory, &mut gathered)?;
        self.write(memory, gathered)
    }

    fn take_up(&mut self, memory: &mut impl Write, gathered: &mut Gathered) -> Result<(), Error> {
        let recent = recent::list(memory, &self.record)?;
        for at in recent.blocks {
            memory.retire(at);
        }
        self.record.recent = Addr::NONE;
        gathered.born.extend(recent.instants);
        // Mostly what was said later is behind what was said before: then it is in order.
        gathered.past.splice(..0, recent.past);
        Ok(())
    }

    /// What was gathered since the last time.
    fn gathered(&mut self) -> Gathered {
        let mut born = std::mem::take(&mut self.born);
        if !self.undone.is_empty() {
            let mut places = 0..;
            born.retain(|_| places.next().is_some_and(|place| !self.undone.contains(&place)));
            self.undone.clear();
        }
        self.places.clear();
        self.gone.clear();
        let ended = std::mem::take(&mut self.ended);
        let past = std::mem::take(&mut self.past);
        self.fresh = self.record.next_entity;
        Gathered { born, ended, past }
    }

    fn write(&mut self, memory: &mut impl Write, gathered: Gathered) -> Result<(), Error> {
        let Gathered { mut born, mut ended, mut past } = gathered;
        for datoms in [&mut born, &mut ended, &mut past] {
            order::sort(datoms);
        }
        let schema = self.schema.clone();
        let keys = |index| [&born, &ended, &past].map(|datoms| order::keys(index, &schema, datoms));
        let [first, rest @ ..] = Index::ALL;
        let (rest_keys, first) = aside::both(
            born.len() + past.len() >= aside::FACTS_MIN,
            || rest.map(keys),
            || self.change(memory, first, keys(first)),
        );
        first?;
        rest.into_iter()
            .zip(rest_keys)
            .try_for_each(|(index, keys)| self.change(memory, index, keys))
    }

    /// Brings an index up to date: facts that hold from now on, that did, and what history gains.
    fn change(
        &mut self,
        memory: &mut impl Write,
        index: Index,
        [born, ended, past]: [Vec<Key>; 3],
    ) -> Result<(), Error> {
        let place = index as usize;
        let current = self.record.current[place].remove_many(memory, &ended)?.0;
        if index == Index::Aevt {
            let attribute = |id| self.schema.attribute(id);
            statistics::note_all(memory, &mut self.record, attribute, &born)?;
        }
        self.record.current[place] = current.insert_many(memory, &born)?.0;
        self.record.history[place] = self.record.history[place].insert_many(memory, &past)?.0;
        Ok(())
    }

    /// Takes in a change of the schema, which may bring attributes into AVET or out of it.
    fn alter(
        &mut self,
        memory: &mut impl Write,
        altered: &BTreeSet<u64>,
        after: Option<Arc<Schema>>,
    ) -> Result<(), Error> {
        self.flush(memory)?;
        let after = match after {
            Some(after) => after,
            None => Arc::new(self.schema.reload(memory, &self.record, altered)?),
        };
        for attribute in altered.iter().filter_map(|&e| after.attribute(e)) {
            let before = self.schema.attribute(attribute.id);
            statistics::renew(memory, &mut self.record, before, attribute)?;
            let was = before.is_some_and(|known| known.in_avet());
            if was != attribute.in_avet() {
                self.reindex(memory, attribute.id, attribute.in_avet())?;
            }
        }
        self.schema = after;
        self.record.schema_t = self.record.t;
        Ok(())
    }

    /// Brings all facts of an attribute, current and past, into AVET or out of it.
    pub(crate) fn reindex(
        &mut self,
        memory: &mut impl Write,
        a: u64,
        present: bool,
    ) -> Result<(), Error> {
        let (aevt, avet) = (Index::Aevt as usize, Index::Avet as usize);
        for sets in [&mut self.record.current, &mut self.record.history] {
            let mut keys = Vec::new();
            for key in sets[aevt].prefix(memory, &[a]) {
                keys.push(Index::Avet.key(&Index::Aevt.datom(&key?)));
            }
            keys.sort_unstable();
            sets[avet] = match present {
                true => sets[avet].insert_many(memory, &keys)?.0,
                false => sets[avet].remove_many(memory, &keys)?.0,
            };
        }
        Ok(())
    }
}

/// What the indexes gain and lose.
#[derive(Default)]
struct Gathered {
    born: Vec<Datom>,
    ended: Vec<Datom>,
    /// What history gains: assertions that ended, and retractions.
    past: Vec<Datom>,
}

/// The state of `t` 0: the built-in schema and nothing else.
pub(crate) fn genesis(memory: &mut impl Write) -> Result<Applier, Error> {
    let mut state = Applier::new(Record::empty(id::USER_MIN), Arc::new(Schema::builtin()));
    for (e, a, value) in builtin::facts() {
        let v = dictionary::intern(memory, &mut state.record.dictionary, &value)?;
        state.bear(Datom::assert(e, a, v, 0));
    }
    state.flush(memory)?;
    Ok(state)
}
