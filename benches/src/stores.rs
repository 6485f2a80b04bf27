//! Two stores of words: the slab, and LMDB by `heed`.

use eve::{Options, Region, Slab};
use heed::types::Bytes;
use heed::{CommitOrAbort, EnvFlags, EnvOpenOptions, PutFlags};
use tempfile::TempDir;

/// What an LMDB may grow to.
const MAP_BYTES: usize = 1 << 34;

/// xorshift64*: the same numbers in every run.
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Any order of the items is as likely as any other.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, (self.draw() % (i as u64 + 1)) as usize);
        }
    }

    /// So many of the items, some maybe twice.
    pub fn sample<T: Copy>(&mut self, items: &[T], count: usize) -> Vec<T> {
        (0..count).map(|_| items[(self.draw() % items.len() as u64) as usize]).collect()
    }
}

/// Random words, the same in every run.
#[must_use]
pub fn words(count: usize) -> Vec<u64> {
    let mut random = Random(42);
    (0..count).map(|_| random.draw()).collect()
}

/// A new folder on the disk of the system's temporary files.
#[must_use]
pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A new slab in a file of the folder.
#[must_use]
pub fn open_slab(folder: &TempDir) -> Slab {
    let region = Region::create(folder.path().join("world.eve"), &Options::default());
    Slab::create(region.expect("a region")).expect("a slab")
}

/// Whether a commit waits until it is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synced {
    /// Every commit does.
    Yes,
    /// None does.
    No,
}

/// LMDB, with one database of byte strings.
pub struct Heed {
    /// The environment, which lives to the end of the program.
    pub env: &'static heed::Env,
    /// The database.
    pub db: heed::Database<'static, Bytes, Bytes>,
}

impl Heed {
    /// A new one in the folder.
    #[must_use]
    pub fn open(folder: &TempDir, synced: Synced) -> Heed {
        let mut options = EnvOpenOptions::new();
        options.map_size(MAP_BYTES);
        let flags = match synced {
            Synced::Yes => EnvFlags::empty(),
            Synced::No => EnvFlags::NO_SYNC,
        };
        // SAFETY: what is lost when the machine stops is a temporary file; the folder is new and
        // nobody else's, so the environment is opened once and not changed behind its back.
        let env = unsafe { options.flags(flags).open(folder.path()) }.expect("a store");
        // LMDB hands out databases that borrow the environment: let it live to the end.
        let env: &'static heed::Env = Box::leak(Box::new(env));
        let txn = env.write_txn().expect("a transaction");
        let db = env.create_databases_and_commit(txn, |opener, txn| {
            opener.create_database(txn, None).map(CommitOrAbort::<_, ()>::Commit)
        });
        Heed { env, db: db.expect("a database").unwrap_commit() }
    }

    /// Entries of a key and a word, in one transaction.
    pub fn put<'p>(&self, flags: PutFlags, entries: impl Iterator<Item = (&'p [u8], u64)>) {
        let mut txn = self.env.write_txn().expect("a transaction");
        for (key, value) in entries {
            self.db.put_with_flags(&mut txn, flags, key, &value.to_le_bytes()).expect("room");
        }
        txn.commit().expect("a commit");
    }
}

/// The word of an entry that [`Heed::put`] made.
#[must_use]
pub fn word(value: &[u8]) -> u64 {
    value.first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}
