//! What commits said lately and nobody reads often, in front of the indexes.
//!
//! Two kinds of facts cost a small transaction as much as all others together, for each goes to leaves of
//! its own: the instant of the transaction itself, and what it withdraws, which history keeps. A commit
//! notes them in one block, linked to those of the commits before; after some commits all that was noted
//! goes into the indexes at once, sorted, so that those which lie together share the way.
//!
//! 1. A fact is in its indexes or in the list from the record's `recent`, never in both. Current facts
//!    in the list are instants of transactions, which never change; the rest is history.
//! 2. The list is short: at most [`COMMITS_MAX`] blocks with [`PAST_MAX`] words on facts of the past. So
//!    what a commit takes up at once, and what a reader does, is bounded.
//! 3. Readers see whole indexes. The first that asks a state for one that lacks something has it made, in
//!    a layer ([`crate::overlay`]) above the state; whoever asks for user facts alone needs none.
//!
//! A block: the address of the one before, how many blocks there are and how many words on the past in
//! all of them, `t`, the instant's word, its `m`, how many words on the past follow, and these, of five
//! words each, in the order of EAVT.

use std::sync::OnceLock;

use datom::{Datom, Word, id};
use eve::structure::SortedSet;
use eve::{Addr, Read, Write};

use crate::builtin;
use crate::db::State;
use crate::error::Error;
use crate::index::Index;
use crate::order;
use crate::overlay::Memory;
use crate::record::Record;

/// Commits that note what they said before it goes into the indexes.
const COMMITS_MAX: u64 = if cfg!(test) { 3 } else { 64 };
/// Words on facts of the past in the list.
const PAST_MAX: u64 = if cfg!(test) { 6 } else { 768 };
/// A transaction of more facts takes up what was noted before it: it has its way to most leaves anyway, and
/// after a load the indexes are whole.
const SMALL_MAX: usize = 64;

const HEAD_WORDS: usize = 7;

/// What is in the list, or one block of it.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// Instants of transactions, in the order of EAVT.
    pub(crate) instants: Vec<Datom>,
    /// Statements that ended, and withdrawals.
    pub(crate) past: Vec<Datom>,
    /// Where the blocks are.
    pub(crate) blocks: Vec<Addr>,
}

/// Whether a fact is the instant that transaction `t` gives itself.
fn is_instant(datom: &Datom, t: u64) -> bool {
    datom.a == builtin::TX_INSTANT && datom.e == id::transaction(t)
}

/// Notes what need not be in the indexes yet of a small transaction: takes its instant out of `born` and
/// all of `past`. Answers whether it did; if not, what was noted earlier is to be taken up.
pub(crate) fn note(
    memory: &mut impl Write,
    record: &mut Record,
    born: &mut Vec<Datom>,
    past: &mut Vec<Datom>,
) -> Result<bool, Error> {
    if born.len() + past.len() > SMALL_MAX {
        return Ok(false);
    }
    let [_, commits, said, ..] = match record.recent.is_none() {
        true => [0; HEAD_WORDS],
        false => head(memory, record.recent)?,
    };
    let said = said + past.len() as u64;
    let instant = born.iter().position(|datom| is_instant(datom, record.t));
    let Some(instant) = instant.filter(|_| commits < COMMITS_MAX && said <= PAST_MAX) else {
        return Ok(false);
    };
    let Datom { v, t, m, .. } = born.remove(instant);
    let at = memory.alloc((HEAD_WORDS + past.len() * 5) * 8)?;
    let words = memory.words_mut(at).and_then(|words| words.split_at_mut_checked(HEAD_WORDS));
    let (start, rest) = words.ok_or_else(|| Error::corrupt("a new block cannot be written"))?;
    let before = record.recent.raw();
    start.copy_from_slice(&[before, commits + 1, said, t, v.raw(), m, past.len() as u64]);
    for (words, datom) in rest.as_chunks_mut::<5>().0.iter_mut().zip(past.drain(..)) {
        *words = Index::Eavt.key(&datom);
    }
    record.recent = at;
    Ok(true)
}

fn head(memory: &impl Read, at: Addr) -> Result<[u64; HEAD_WORDS], Error> {
    let head = memory.words(at)?.first_chunk().copied();
    head.ok_or_else(|| Error::corrupt(format!("no list of recent facts goes on at {at}")))
}

/// Everything in the list of a record.
pub(crate) fn list(memory: &impl Read, record: &Record) -> Result<Recent, Error> {
    let (mut recent, mut pasts) = (Recent::default(), Vec::new());
    let mut at = record.recent;
    // What a damaged block leads to could be anything: the way is no longer than it may be.
    while !at.is_none() {
        let [before, _, _, t, v, m, past] = head(memory, at)?;
        let words = memory.words(at)?.get(HEAD_WORDS..).unwrap_or_default().as_chunks::<5>().0;
        let past = usize::try_from(past).ok().and_then(|past| words.get(..past));
        let Some(past) = past.filter(|_| (recent.blocks.len() as u64) < COMMITS_MAX) else {
            return Err(Error::corrupt(format!("no list of recent facts goes on at {at}")));
        };
        pasts.push(past);
        recent.instants.push(instant_of(t, v, m));
        recent.blocks.push(at);
        at = Addr::from_raw(before);
    }
    recent.instants.reverse();
    recent.past.extend(pasts.iter().rev().copied().flatten().map(|key| Index::Eavt.datom(key)));
    // Each block's are in order: runs, which a stable sort merges.
    recent.past.sort_by_key(|datom| Index::Eavt.key(datom));
    Ok(recent)
}

fn instant_of(t: u64, v: u64, m: u64) -> Datom {
    Datom { e: id::transaction(t), a: builtin::TX_INSTANT, v: Word::from_raw(v), t, m }
}

/// The indexes of a state that were made whole: of most states none is.
#[derive(Default)]
pub(crate) struct Whole(OnceLock<Box<Made>>);

#[derive(Default)]
struct Made {
    /// What is in none of them.
    noted: OnceLock<Recent>,
    /// Those of current facts, and the memory that holds them.
    current: OnceLock<(Memory, Record)>,
    /// Those of history, by their place.
    history: [OnceLock<(Memory, SortedSet<5>)>; 4],
}

impl Whole {
    fn made(&self) -> &Made {
        self.0.get_or_init(Box::default)
    }
}

impl Made {
    fn noted(&self, state: &State) -> Result<&Recent, Error> {
        if let Some(noted) = self.noted.get() {
            return Ok(noted);
        }
        let noted = list(&state.memory, &state.record)?;
        Ok(self.noted.get_or_init(|| noted))
    }
}

impl State {
    /// The current facts in the order of an index, and the memory to read them from.
    pub(crate) fn current(&self, index: Index) -> Result<(&Memory, SortedSet<5>), Error> {
        self.current_of(index, &[])
    }

    /// The same for whoever reads only what begins with these words: where instants of transactions don't,
    /// the latest may be missing.
    pub(crate) fn current_of(
        &self,
        index: Index,
        prefix: &[u64],
    ) -> Result<(&Memory, SortedSet<5>), Error> {
        let lacks_none = match (index, prefix) {
            (Index::Eavt, [e, ..]) => *e < id::TX_BASE,
            (Index::Aevt, [a, ..]) => *a != builtin::TX_INSTANT,
            (Index::Eavt | Index::Aevt, []) => false,
            // An instant is no reference, and not indexed by its value: its schema never changes.
            (Index::Avet | Index::Vaet, _) => true,
        };
        let (memory, record) = match lacks_none {
            true => (&self.memory, &self.record),
            false => self.whole()?,
        };
        Ok((memory, record.current(index)))
    }

    /// The same for whoever reads facts of one attribute alone, if it is given.
    pub(crate) fn current_with(
        &self,
        index: Index,
        attribute: Option<u64>,
    ) -> Result<(&Memory, SortedSet<5>), Error> {
        match attribute {
            Some(a) if a != builtin::TX_INSTANT => Ok((&self.memory, self.record.current(index))),
            _ => self.current(index),
        }
    }

    /// The state with all current facts in its indexes; of these its record says that nothing was noted.
    pub(crate) fn whole(&self) -> Result<(&Memory, &Record), Error> {
        if self.record.recent.is_none() {
            return Ok((&self.memory, &self.record));
        }
        let made = self.whole.made();
        let whole = match made.current.get() {
            Some(whole) => whole,
            None => {
                let recent = made.noted(self)?;
                let (mut layer, mut record) = (self.memory.layer(), self.record);
                record.recent = Addr::NONE;
                for index in Index::ALL {
                    let keys = order::keys(index, &self.schema, &recent.instants);
                    let set = &mut record.current[index as usize];
                    *set = set.insert_many(&mut layer, &keys)?.0;
                }
                made.current.get_or_init(|| (layer.finish(), record))
            }
        };
        Ok((&whole.0, &whole.1))
    }

    /// History for whoever reads only what begins with these words: of an entity of which nothing was
    /// noted it is in the index.
    pub(crate) fn history_of(
        &self,
        index: Index,
        prefix: &[u64],
    ) -> Result<(&Memory, SortedSet<5>), Error> {
        if index == Index::Eavt && !prefix.is_empty() && !self.record.recent.is_none() {
            let past = &self.whole.made().noted(self)?.past;
            let begins = |datom: &Datom| Index::Eavt.key(datom).starts_with(prefix);
            let at = past.partition_point(|datom| Index::Eavt.key(datom).as_slice() < prefix);
            if !past.get(at).is_some_and(begins) {
                return Ok((&self.memory, self.record.history(index)));
            }
        }
        self.history(index)
    }

    /// History in the order of an index, and the memory to read it from.
    pub(crate) fn history(&self, index: Index) -> Result<(&Memory, SortedSet<5>), Error> {
        let set = self.record.history(index);
        if self.record.recent.is_none() {
            return Ok((&self.memory, set));
        }
        let made = self.whole.made();
        let whole = &made.history[index as usize];
        let (memory, set) = match whole.get() {
            Some(whole) => whole,
            None => {
                let keys = order::keys(index, &self.schema, &made.noted(self)?.past);
                let mut layer = self.memory.layer();
                let (set, _) = set.insert_many(&mut layer, &keys)?;
                whole.get_or_init(|| (layer.finish(), set))
            }
        };
        Ok((memory, *set))
    }
}

#[cfg(test)]
mod tests;
