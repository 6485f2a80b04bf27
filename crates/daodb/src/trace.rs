//! Every block that a state can reach.

use datom::Word;
use eve::{Addr, Error as MemoryError, Marks, Snapshot};

use crate::error::Error;
use crate::pending;
use crate::recent;
use crate::record::Record;
use crate::statistics;

/// Marks everything that hangs on the commit record at `root`.
pub(crate) fn trace(
    snapshot: &Snapshot,
    root: Addr,
    marks: &mut Marks<'_>,
) -> Result<(), MemoryError> {
    let record = Record::read(snapshot, root).map_err(|error| plain(error, root))?;
    let mut failed = None;
    let mut visit = |at: Addr| match marks.mark(at) {
        Ok(fresh) => fresh,
        Err(error) => {
            failed.get_or_insert(error);
            false
        }
    };
    visit(root);
    for set in record.current.iter().chain(&record.history) {
        set.trace(snapshot, &mut visit)?;
    }
    record.dictionary.names().trace(snapshot, &mut visit)?;
    record.dictionary.names_by_id().trace(snapshot, &mut visit)?;
    record.dictionary.values().trace(snapshot, &mut visit)?;
    statistics::trace(record.sketches, snapshot, &mut visit)?;
    for entry in record.dictionary.names_by_id().iter(snapshot) {
        visit(Addr::from_raw(entry?.1));
    }
    for entry in record.dictionary.values().iter(snapshot) {
        let granule = Word::from_raw(entry?.1).payload();
        visit(Addr::from_granule(granule).unwrap_or(Addr::NONE));
    }
    let recent = recent::list(snapshot, &record);
    for at in recent.map_err(|error| plain(error, root))?.blocks {
        visit(at);
    }
    let frames = pending::list(snapshot, &record, record.floor);
    for frame in frames.map_err(|error| plain(error, root))? {
        visit(frame.at);
    }
    failed.map_or(Ok(()), Err)
}

/// The memory's own errors go through; ours become its kind.
fn plain(error: Error, root: Addr) -> MemoryError {
    match error {
        Error::Memory(error) => error,
        _ => MemoryError::corrupt("the commit record, its frames or recent facts", root),
    }
}
