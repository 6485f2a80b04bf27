//! The past: transactions as they were made, and what differs between two moments.

use std::collections::BTreeMap;

use datom::{Datom, Frame, Value, Word, id};

use crate::database::Database;
use crate::db::Db;
use crate::error::Error;
use crate::log::Frames;

/// One transaction of the past.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transaction {
    /// Its number.
    pub t: u64,
    /// When it was made, in microseconds since 1970 UTC.
    pub instant: i64,
    /// The facts it stated and withdrew, with this database's words.
    pub datoms: Vec<Datom>,
    /// The hash of its frame, which the next frame carries.
    pub hash: [u8; 32],
    /// The hash of the frame before it.
    pub previous: [u8; 32],
}

impl Transaction {
    /// The entity that stands for the transaction.
    #[must_use]
    pub fn tx(&self) -> u64 {
        id::transaction(self.t)
    }
}

/// Transactions in order: see [`Database::log`].
///
/// An error is given at most once and ends the iteration.
pub struct Transactions {
    db: Db,
    on_disk: Option<Frames>,
    kept: std::vec::IntoIter<(u64, Vec<u8>)>,
    ended: bool,
}

impl Transactions {
    pub(crate) fn new(db: Db, on_disk: Option<Frames>, kept: Vec<(u64, Vec<u8>)>) -> Self {
        Self { db, on_disk, kept: kept.into_iter(), ended: false }
    }

    /// The next frame, from the log or else from the region.
    pub(crate) fn next_frame(&mut self) -> Option<Result<Frame, Error>> {
        if self.ended {
            return None;
        }
        let frame = match self.on_disk.as_mut().and_then(Frames::next) {
            Some(frame) => frame.map_err(Error::from),
            None => {
                let (t, bytes) = self.kept.next()?;
                let frame = Frame::decode(&bytes).map(|(frame, _)| frame);
                frame.map_err(|error| Error::corrupt(format!("frame {t} in the region: {error}")))
            }
        };
        self.ended = frame.is_err();
        Some(frame)
    }
}

impl Iterator for Transactions {
    type Item = Result<Transaction, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let frame = match self.next_frame()? {
            Ok(frame) => frame,
            Err(error) => return Some(Err(error)),
        };
        let datoms = match self.db.localise(&frame) {
            Ok(datoms) => datoms,
            Err(error) => {
                self.ended = true;
                return Some(Err(error));
            }
        };
        let (t, instant, previous) = (frame.t, frame.instant, frame.previous);
        Some(Ok(Transaction { t, instant, datoms, hash: frame.hash(), previous }))
    }
}

/// What holds at one moment and not at another, both ways.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diff {
    /// Facts that hold at the second moment and not at the first, in the order EAVT.
    pub added: Vec<Datom>,
    /// Facts that hold at the first moment and not at the second, in the order EAVT.
    pub removed: Vec<Datom>,
}

impl Diff {
    /// What is left of everything that was said, in order, when what was undone is left out.
    pub(crate) fn of(said: impl IntoIterator<Item = Datom>) -> Self {
        // The first and the last thing said about each fact.
        let mut facts: BTreeMap<(u64, u64, Word), (Datom, Datom)> = BTreeMap::new();
        for datom in said {
            let entry = facts.entry((datom.e, datom.a, datom.v)).or_insert((datom, datom));
            entry.1 = datom;
        }
        let mut diff = Diff::default();
        for (first, last) in facts.into_values() {
            // What is stated first did not hold before; what is withdrawn last does not hold after.
            match (first.added(), last.added()) {
                (true, true) => diff.added.push(last),
                (false, false) => diff.removed.push(first),
                _ => {}
            }
        }
        diff
    }
}

impl Database {
    /// The facts that hold after transaction `to` and did not after transaction `from`, and the
    /// other way round. What was stated and withdrawn in between does not show.
    ///
    /// Costs the transactions in between.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn diff(&self, from: u64, to: u64) -> Result<Diff, Error> {
        let (low, high) = (from.min(to), from.max(to));
        let mut datoms = Vec::new();
        for transaction in self.tx_range(low + 1, high.saturating_add(1))? {
            datoms.extend(transaction?.datoms);
        }
        let mut diff = Diff::of(datoms);
        if from > to {
            std::mem::swap(&mut diff.added, &mut diff.removed);
        }
        Ok(diff)
    }
}

impl Db {
    /// The datoms of a frame with this database's words.
    pub(crate) fn localise(&self, frame: &Frame) -> Result<Vec<Datom>, Error> {
        let mut datoms = Vec::with_capacity(frame.datoms.len());
        for datom in &frame.datoms {
            let v = match frame.value(datom.v) {
                None => datom.v,
                Some(value) => self.word(value)?.ok_or_else(|| {
                    Error::corrupt(format!("{value} of transaction {} is not stored", frame.t))
                })?,
            };
            datoms.push(Datom { v, ..*datom });
        }
        Ok(datoms)
    }

    /// The value of a datom, with its attribute's name: `[e :a v t added]`, for people.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn datom_to_value(&self, datom: &Datom) -> Result<Value, Error> {
        let attribute = match self.ident_of(datom.a)? {
            Some(ident) => Value::Keyword(ident),
            None => Value::Ref(datom.a),
        };
        Ok(Value::Vector(vec![
            Value::Ref(datom.e),
            attribute,
            self.value(datom.v)?,
            Value::Int(i64::try_from(datom.t).unwrap_or(i64::MAX)),
            Value::Bool(datom.added()),
        ]))
    }
}
