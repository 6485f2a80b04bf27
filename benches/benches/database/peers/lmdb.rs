//! LMDB, both orders in one database, behind a byte that tells them apart.

use heed::types::Bytes;
use heed::{CommitOrAbort, EnvFlags, EnvOpenOptions, RwTxn};
use tempfile::TempDir;

use super::ordered::{Keys, Ordered};

const MAP_BYTES: usize = 1 << 32;

type Database = heed::Database<'static, Bytes, Bytes>;

/// An environment with one database.
pub(crate) struct Store {
    env: &'static heed::Env,
    db: Database,
    folder: TempDir,
}

pub(crate) struct Txn<'s> {
    txn: RwTxn<'s>,
    db: Database,
}

/// A key of the one database.
fn ordered(order: usize, key: &[u8]) -> Vec<u8> {
    [&[order as u8], key].concat()
}

impl Keys for Txn<'_> {
    fn put(&mut self, order: usize, key: &[u8]) {
        self.db.put(&mut self.txn, &ordered(order, key), &[]).expect("room");
    }

    fn remove(&mut self, order: usize, key: &[u8]) {
        self.db.delete(&mut self.txn, &ordered(order, key)).expect("a fact");
    }

    fn of(&self, prefix: &[u8]) -> Vec<Vec<u8>> {
        let found = self.db.prefix_iter(&self.txn, &ordered(0, prefix)).expect("facts");
        found.map(|fact| fact.expect("a fact").0[1..].to_vec()).collect()
    }
}

impl Ordered for Store {
    const NAME: &'static str = "lmdb";
    type Txn<'s> = Txn<'s>;

    fn new(durable: bool) -> Self {
        let folder = super::folder();
        let mut options = EnvOpenOptions::new();
        options.map_size(MAP_BYTES);
        let flags = if durable { EnvFlags::empty() } else { EnvFlags::NO_SYNC };
        // SAFETY: the folder is new and nobody else's, so the environment is opened once and not
        // changed behind its back; nobody relies on the file after a crash.
        let env = unsafe { options.flags(flags).open(folder.path()) }.expect("a store");
        // LMDB hands out databases that borrow the environment: let it live to the end.
        let env: &'static heed::Env = Box::leak(Box::new(env));
        let txn = env.write_txn().expect("a transaction");
        let db = env.create_databases_and_commit(txn, |opener, txn| {
            opener.create_database(txn, None).map(CommitOrAbort::<_, ()>::Commit)
        });
        Store { env, db: db.expect("a database").unwrap_commit(), folder }
    }

    fn write(&self, work: impl FnOnce(&mut Txn<'_>)) {
        let mut txn = Txn { txn: self.env.write_txn().expect("a transaction"), db: self.db };
        work(&mut txn);
        txn.txn.commit().expect("a commit");
    }

    fn count(&self, prefixes: impl Iterator<Item = Vec<u8>>) -> usize {
        let txn = self.env.read_txn().expect("a transaction");
        let of = |prefix: Vec<u8>| {
            self.db.prefix_iter(&txn, &ordered(0, &prefix)).expect("facts").count()
        };
        prefixes.map(of).sum()
    }

    fn bytes(&mut self) -> u64 {
        std::fs::metadata(self.folder.path().join("data.mdb")).expect("a file").len()
    }
}
