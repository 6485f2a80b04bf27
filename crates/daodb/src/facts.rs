//! Reading the sorted sets that facts are kept in.

use eve::structure::SortedSet;
use eve::{Error, Read};

use crate::index::Key;
use crate::overlay::Memory;

/// A zero-copy cursor over the facts of one index: see [`Db::cursor`](crate::Db::cursor).
pub type Cursor<'a> = eve::structure::Cursor<'a, 5, Memory>;

/// The first key of a set that begins with `prefix`: cheaper than an iterator over all of them.
pub(crate) fn first<'r, R: Read>(
    set: SortedSet<5>,
    memory: &'r R,
    prefix: &[u64],
) -> Result<Option<&'r Key>, Error> {
    let found = set.cursor(memory).seek(prefix)?;
    Ok(found.filter(|key| key.starts_with(prefix)))
}
