//! The three parts of a database, and what passes between them.
//!
//! A [`Storage`] keeps states and frames and publishes the next one. A [`Transactor`] turns
//! transaction data into frames. A [`Query`] answers from a state. Between them there is only data:
//! frames, the `t` and hash they go on behind, and immutable states. So one process can hold all
//! three, as a [`Database`] does, or each its own.
//!
//! 1. A storage publishes a frame only if the frame names the newest state as the one it goes on
//!    behind. That comparison is the whole of concurrency control.
//! 2. Equal frames in equal order make equal states, in any storage.
//!
//! ```
//! use daodb::Database;
//! use daodb::parts::{Published, Storage};
//! use datom::edn;
//!
//! let (one, other) = (Database::memory()?, Database::memory()?);
//! one.transact(&edn::read_all("{:db/ident :name :db/valueType :db.type/string}").unwrap())?;
//! for frame in one.frames(1, 1)? {
//!     assert_eq!(other.publish(&frame?)?, Published::Yes);
//! }
//! assert_eq!(one.db()?.attribute_named(&"name".into()), other.db()?.attribute_named(&"name".into()));
//! # Ok::<(), daodb::Error>(())
//! ```

use datom::{Frame, Value};

use crate::database::Database;
use crate::db::Db;
use crate::error::Error;
use crate::options::TransactOptions;
use crate::report::Report;

/// Frames in order.
pub type Frames<'a> = Box<dyn Iterator<Item = Result<Frame, Error>> + 'a>;

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It is the newest state's.
    Yes,
    /// It does not go on behind the newest state: another frame came first, or one in between is
    /// missing. Nothing happened.
    Behind,
}

/// Keeps states and frames.
pub trait Storage: Send + Sync {
    /// The newest state.
    ///
    /// # Errors
    /// When it cannot be read.
    fn newest(&self) -> Result<Db, Error>;

    /// Publishes a frame behind the newest state.
    ///
    /// # Errors
    /// When there is no room, the frame is damaged, or it was worked out on another state: it states what
    /// holds already, or withdraws what does not ([`Error::Misfit`]). Nothing happened then.
    fn publish(&self, frame: &Frame) -> Result<Published, Error>;

    /// The frames `from` up to and with `to`, as far as there are.
    ///
    /// # Errors
    /// When they cannot be read.
    fn frames(&self, from: u64, to: u64) -> Result<Frames<'_>, Error>;

    /// The last frame that survives a power cut.
    fn durable_t(&self) -> u64;

    /// Waits until everything published survives a power cut, as far as the storage can promise.
    ///
    /// # Errors
    /// When the disk refuses.
    fn sync(&self) -> Result<u64, Error>;
}

/// Turns transaction data into committed frames.
pub trait Transactor: Send + Sync {
    /// Makes a transaction: all of `data` or nothing.
    ///
    /// # Errors
    /// As [`Database::transact`].
    fn transact_with(&self, data: &[Value], options: &TransactOptions) -> Result<Report, Error>;

    /// Makes transactions one after the other, each on the state after the one before; one that is
    /// refused leaves the others alone. A transactor may commit them together.
    ///
    /// # Errors
    /// Of each, as [`Transactor::transact_with`].
    fn transact_all(
        &self,
        transactions: &[(Vec<Value>, TransactOptions)],
    ) -> Vec<Result<Report, Error>> {
        transactions.iter().map(|(data, options)| self.transact_with(data, options)).collect()
    }
}

/// Answers from a state.
pub trait Query: Send + Sync {
    /// The state to ask: the newest that this part knows.
    ///
    /// # Errors
    /// When it cannot be read.
    fn db(&self) -> Result<Db, Error>;
}

impl Storage for Database {
    fn newest(&self) -> Result<Db, Error> {
        Database::db(self)
    }

    fn publish(&self, frame: &Frame) -> Result<Published, Error> {
        let published = Database::publish(self, frame)?;
        Ok(if published { Published::Yes } else { Published::Behind })
    }

    fn frames(&self, from: u64, to: u64) -> Result<Frames<'_>, Error> {
        let mut transactions = self.tx_range(from, to.saturating_add(1))?;
        Ok(Box::new(std::iter::from_fn(move || transactions.next_frame())))
    }

    fn durable_t(&self) -> u64 {
        Database::durable_t(self)
    }

    fn sync(&self) -> Result<u64, Error> {
        Database::sync(self)
    }
}

impl Transactor for Database {
    fn transact_with(&self, data: &[Value], options: &TransactOptions) -> Result<Report, Error> {
        Database::transact_with(self, data, options)
    }

    fn transact_all(
        &self,
        transactions: &[(Vec<Value>, TransactOptions)],
    ) -> Vec<Result<Report, Error>> {
        Database::transact_all(self, transactions)
    }
}

impl Query for Database {
    fn db(&self) -> Result<Db, Error> {
        Database::db(self)
    }
}
