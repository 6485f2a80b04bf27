//! A map that counts: every version is known from its number, so that whoever reads one can tell
//! whether it is whole.

use eve::structure::WordMap;
use eve::{Addr, Error, Marks, Snapshot, Txn};

/// How many entries the map has, beside the one that counts.
pub(crate) const KEYS: u64 = 50;
pub(crate) const COUNT: u64 = u64::MAX;

/// Counts one up and notes the number under one of the keys.
pub(crate) fn count_up(txn: &mut Txn) -> Result<(Addr, u64), Error> {
    let map = WordMap::from_root(txn.base());
    let next = map.get(txn, &COUNT)?.unwrap_or_default() + 1;
    let (map, _) = map.insert(txn, &(next % KEYS), next)?;
    let (map, _) = map.insert(txn, &COUNT, next)?;
    Ok((map.root(), next))
}

/// The version holds exactly what counting up to its number wrote.
pub(crate) fn assert_counted(snapshot: &Snapshot) {
    let map = WordMap::from_root(snapshot.root());
    map.verify(snapshot).unwrap();
    let count = map.get(snapshot, &COUNT).unwrap().unwrap_or_default();
    assert_eq!(count, snapshot.epoch());
    for key in 0..KEYS {
        let last = (count >= key).then(|| count - (count - key) % KEYS).filter(|last| *last > 0);
        assert_eq!(map.get(snapshot, &key).unwrap(), last, "key {key} of count {count}");
    }
}

pub(crate) fn trace(snapshot: &Snapshot, root: Addr, marks: &mut Marks<'_>) -> Result<(), Error> {
    let mut failed = None;
    let traced = WordMap::from_root(root).trace(snapshot, &mut |at| {
        marks.mark(at).unwrap_or_else(|error| {
            failed = Some(error);
            false
        })
    });
    failed.map_or(traced, Err)
}
