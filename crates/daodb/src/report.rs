//! What a transaction did.

use std::collections::BTreeMap;

use datom::{Datom, Value, id};

use crate::db::Db;

/// A transaction that was committed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The state it was worked out on.
    pub db_before: Db,
    /// The state right after it.
    pub db_after: Db,
    /// Its number.
    pub t: u64,
    /// When it was made, in microseconds since 1970 UTC.
    pub instant: i64,
    /// The facts it stated and withdrew, `:db/txInstant` of the transaction itself first.
    pub datoms: Vec<Datom>,
    /// What its named tempids became.
    pub tempids: BTreeMap<Value, u64>,
}

impl Report {
    /// The entity that stands for the transaction.
    #[must_use]
    pub fn tx(&self) -> u64 {
        id::transaction(self.t)
    }
}
