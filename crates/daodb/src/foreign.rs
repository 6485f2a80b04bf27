//! What a frame that was worked out elsewhere must keep to before it is published.
//!
//! A transactor works a frame out on the very state that it goes on behind, so each fact that it states is new,
//! each that it withdraws holds, and none is named twice. Whoever hands in another kind of frame has
//! worked it out on another state: to take it would make what the transactions say and what the
//! indexes hold differ for ever.

use std::collections::{HashMap, HashSet};

use datom::{Frame, Value, Word, id};

use crate::db::State;
use crate::dictionary;
use crate::error::Error;
use crate::index::Index;

/// Checks a frame against the state that it goes on behind. Costs a look into EAVT for each datom.
///
/// # Errors
/// [`Error::Misfit`] names the first datom that does not fit, [`Error::Corrupt`] a frame that is none.
pub(crate) fn check(before: &State, frame: &Frame) -> Result<(), Error> {
    frame.check().map_err(|error| Error::corrupt(format!("frame {}: {error}", frame.t)))?;
    let words = words(before, frame)?;
    let mut named = HashSet::with_capacity(frame.datoms.len());
    for datom in &frame.datoms {
        let misfit = |why| Err(Error::Misfit { t: frame.t, datom: *datom, why });
        let in_table = frame.value(datom.v).and_then(|_| words.get(place(datom.v)?)).copied();
        let (word, is_known) = in_table.unwrap_or((datom.v, true));
        let fact = [datom.e, datom.a, word.raw()];
        if datom.e > id::transaction(frame.t) {
            return misfit("is about a transaction to come");
        }
        if !named.insert(fact) {
            return misfit("is named twice");
        }
        let (memory, eavt) = before.current_of(Index::Eavt, &fact)?;
        let holds = is_known && eavt.first_with(memory, &fact)?.is_some();
        match (datom.added(), holds) {
            (true, true) => return misfit("is stated, and holds already"),
            (false, false) => return misfit("is withdrawn, and does not hold"),
            _ => {}
        }
    }
    Ok(())
}

fn place(word: Word) -> Option<usize> {
    usize::try_from(word.payload()).ok()
}

/// The word of each value of the frame, and whether it is the state's: equal values have equal words.
fn words(before: &State, frame: &Frame) -> Result<Vec<(Word, bool)>, Error> {
    let mut first: HashMap<&Value, (Word, bool)> = HashMap::new();
    let mut words = Vec::with_capacity(frame.values.len());
    for (at, value) in frame.values.iter().enumerate() {
        let word = match first.get(value) {
            Some(word) => *word,
            None => match dictionary::find(&before.memory, &before.record.dictionary, value)? {
                Some(word) => (word, true),
                None => {
                    (Word::new(value.word_tag().unwrap_or(datom::Tag::Private), at as u64), false)
                }
            },
        };
        first.insert(value, word);
        words.push(word);
    }
    Ok(words)
}
