//! Who said what about an entity, when, and why.

use datom::{Datom, Value, Word, id};

use crate::db::Db;
use crate::error::Error;
use crate::index::Index;

/// One statement or withdrawal, with its reasons: see [`Db::blame`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Blame {
    /// What was said.
    pub datom: Datom,
    /// Its value.
    pub value: Value,
    /// When, in microseconds since 1970 UTC.
    pub instant: i64,
    /// What is known of the transaction: a map, as [`Db::touch`] gives it.
    pub transaction: Value,
    /// What is known of the entity that the datom's `m` names: why it was said. Nil where it names
    /// none.
    pub reason: Value,
}

impl Db {
    /// Everything that was ever said about an entity, or about one attribute of it, oldest first,
    /// each with its transaction and its reason; within the moments of the view.
    ///
    /// Costs what was said about the entity.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn blame(&self, entity: u64, attribute: Option<u64>) -> Result<Vec<Blame>, Error> {
        let history = self.history();
        let mut components = vec![Word::entity(entity)];
        components.extend(attribute.map(Word::entity));
        let facts = history.datoms(Index::Eavt, &components)?;
        let mut datoms = facts.collect::<Result<Vec<Datom>, Error>>()?;
        // A withdrawal makes room for what replaces it in the same transaction.
        datoms.sort_by_key(|datom| (datom.t, datom.a, datom.added(), datom.v));
        let mut blame = Vec::with_capacity(datoms.len());
        for datom in datoms {
            let reason = self.reason(&datom)?;
            blame.push(Blame {
                datom,
                value: self.value(datom.v)?,
                instant: if datom.t == 0 { 0 } else { self.instant_of(datom.t)? },
                transaction: self.touch(id::transaction(datom.t))?,
                reason,
            });
        }
        Ok(blame)
    }

    /// What is known of the entity that a datom's `m` names: why it was said. Of one that is gone, as a
    /// fork may be, what was known when it was said. Nil where `m` names none.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn reason(&self, datom: &Datom) -> Result<Value, Error> {
        let Some(reason) = datom.metadata() else { return Ok(Value::Nil) };
        let (now, then) = (self.moment(), self.moment().as_of(datom.t));
        match now.touch(reason)? {
            Value::Nil if then.check_held().is_ok() => then.touch(reason),
            known => Ok(known),
        }
    }
}
