//! One number for everything that a state holds.

use datom::portable;

use crate::db::Db;
use crate::error::Error;
use crate::index::Index;

impl Db {
    /// The BLAKE3 hash of every statement and withdrawal up to this value's basis: two databases
    /// that were told the same, in whatever storage and however often rebuilt, have the same.
    ///
    /// It is over entity, attribute, portable value, `t` and `m` of each, in the order of entity,
    /// attribute, bytes of the value and `t`: not over words, which another rebuild may number
    /// otherwise. What is hashed does not depend on the view. Reads everything.
    ///
    /// # Errors
    /// [`Error::Pruned`] when history was given up; else when the world is damaged.
    pub fn content_hash(&self) -> Result<[u8; 32], Error> {
        let mut hasher = blake3::Hasher::new();
        let mut group: Vec<(Vec<u8>, u64, u64)> = Vec::new();
        let mut of = (0, 0);
        let all = Db::new(self.shared().clone()).history();
        for datom in all.datoms(Index::Eavt, &[])? {
            let datom = datom?;
            if (datom.e, datom.a) != of {
                take_in(&mut hasher, of, &mut group);
                of = (datom.e, datom.a);
            }
            let mut bytes = Vec::new();
            portable::encode(&self.value(datom.v)?, &mut bytes);
            group.push((bytes, datom.t, datom.m));
        }
        take_in(&mut hasher, of, &mut group);
        Ok(*hasher.finalize().as_bytes())
    }
}

fn take_in(hasher: &mut blake3::Hasher, (e, a): (u64, u64), group: &mut Vec<(Vec<u8>, u64, u64)>) {
    group.sort_unstable();
    for (value, t, m) in group.drain(..) {
        for word in [e, a, t, m] {
            hasher.update(&word.to_le_bytes());
        }
        hasher.update(&value);
    }
}
