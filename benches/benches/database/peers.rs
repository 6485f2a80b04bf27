//! The others.

mod corium;
mod lmdb;
mod ordered;
mod redb;
mod sqlite;

use tempfile::TempDir;

pub(crate) use self::corium::Corium;
pub(crate) use self::ordered::Facts;
pub(crate) use self::sqlite::Sqlite;

/// LMDB, by `heed`.
pub(crate) type Lmdb = Facts<lmdb::Store>;
/// redb.
pub(crate) type Redb = Facts<redb::Store>;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}
