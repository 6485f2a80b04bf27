//! The three parts of a database, and what passes between them.
//!
//! A [`Storage`] keeps states and frames and publishes the next one. A [`Transactor`] turns
//! transaction data into frames. A [`Query`] answers from a state. Between them there is only data:
//! frames, the `t` and hash they go on behind, and immutable states. So one process can hold all
//! three, as a [`Database`] does, or each its own. A storage is all that has to be written for a new
//! place: [`Over`] makes a transactor and a query of any.
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

use std::sync::Arc;
use std::time::Duration;

use datom::{Frame, Value};

use crate::database::Database;
use crate::db::Db;
use crate::error::Error;
use crate::options::{Durability, TransactOptions};
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

    /// Waits until a frame after `t` is published, by anybody, or the time is over. Answers the newest
    /// `t`.
    ///
    /// # Errors
    /// When the newest state cannot be read.
    fn wait(&self, t: u64, timeout: Option<Duration>) -> Result<u64, Error>;

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
    /// Makes a transaction as the transactor does when nothing else is said.
    ///
    /// # Errors
    /// As [`Database::transact`].
    fn transact(&self, data: &[Value]) -> Result<Report, Error> {
        self.transact_with(data, &TransactOptions::default())
    }

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

    /// Waits until there is a state after `t`, or the time is over. Answers the newest `t`.
    ///
    /// # Errors
    /// When the newest state cannot be read.
    fn wait(&self, t: u64, timeout: Option<Duration>) -> Result<u64, Error>;
}

/// A transactor and a query over any storage: a transaction is worked out on the newest state, and
/// again when the frame of another came first.
///
/// ```
/// use daodb::Database;
/// use daodb::parts::{Over, Query, Transactor};
/// use datom::{Value, edn};
///
/// let parts = Over(Database::memory()?); // or whatever else keeps states and frames
/// parts.transact(&edn::read_all("{:db/ident :name :db/valueType :db.type/string}")?)?;
/// parts.transact(&edn::read_all("{:name \"Ada\"}")?)?;
/// assert_eq!(parts.db()?.q("[:find ?n . :where [_ :name ?n]]", &[])?, Value::text("Ada"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Over<S>(pub S);

impl<S: Storage> Transactor for Over<S> {
    fn transact_with(&self, data: &[Value], options: &TransactOptions) -> Result<Report, Error> {
        let Over(storage) = self;
        let report = loop {
            let (report, frame) = storage.newest()?.propose(data, options)?;
            if storage.publish(&frame)? == Published::Yes {
                break report;
            }
        };
        if options.durability.unwrap_or_default() == Durability::Disk {
            let failed = |why| Error::NotDurable { t: report.t, why: Arc::new(why) };
            storage.sync().map_err(failed)?;
        }
        Ok(report)
    }
}

impl<S: Storage> Query for Over<S> {
    fn db(&self) -> Result<Db, Error> {
        self.0.newest()
    }

    fn wait(&self, t: u64, timeout: Option<Duration>) -> Result<u64, Error> {
        self.0.wait(t, timeout)
    }
}

impl<S: Storage + ?Sized> Storage for &S {
    fn newest(&self) -> Result<Db, Error> {
        (**self).newest()
    }

    fn publish(&self, frame: &Frame) -> Result<Published, Error> {
        (**self).publish(frame)
    }

    fn frames(&self, from: u64, to: u64) -> Result<Frames<'_>, Error> {
        (**self).frames(from, to)
    }

    fn wait(&self, t: u64, timeout: Option<Duration>) -> Result<u64, Error> {
        (**self).wait(t, timeout)
    }

    fn durable_t(&self) -> u64 {
        (**self).durable_t()
    }

    fn sync(&self) -> Result<u64, Error> {
        (**self).sync()
    }
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

    fn wait(&self, t: u64, timeout: Option<Duration>) -> Result<u64, Error> {
        Database::wait(self, t, timeout)
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

    fn wait(&self, t: u64, timeout: Option<Duration>) -> Result<u64, Error> {
        Database::wait(self, t, timeout)
    }
}
