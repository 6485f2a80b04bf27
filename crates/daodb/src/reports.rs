//! Transactions as they come: the queue that every process can read at its own pace.

use std::time::{Duration, Instant};

use crate::database::Database;
use crate::error::Error;
use crate::history::{Transaction, Transactions};

/// Transactions that are read before the state they are read from is let go of.
const AT_ONCE_MAX: u64 = 1 << 10;

/// Every transaction from some point on, in order: see [`Database::reports`].
pub struct Reports {
    database: Database,
    /// The last transaction that was given.
    t: u64,
    ready: Option<Transactions>,
}

impl Database {
    /// Every transaction after `t`, by whatever process, as it comes.
    ///
    /// Nothing is queued: a reader that is slow reads the log, and holds up nobody.
    ///
    /// ```
    /// use daodb::Database;
    /// use datom::edn;
    ///
    /// let db = Database::memory()?;
    /// let mut reports = db.reports(0);
    /// db.transact(&edn::read_all("{:db/ident :name :db/valueType :db.type/string}")?)?;
    /// assert_eq!(reports.next(None)?.map(|transaction| transaction.t), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn reports(&self, t: u64) -> Reports {
        Reports { database: self.clone(), t, ready: None }
    }
}

impl Reports {
    /// The last transaction that was given: where [`Database::reports`] goes on.
    #[must_use]
    pub fn t(&self) -> u64 {
        self.t
    }

    /// The next transaction, waiting for it. `None`: the time is over.
    ///
    /// # Errors
    /// When the log cannot be read. The call may be tried again.
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Option<Transaction>, Error> {
        // A time too far away to be told is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if let Some(transaction) = self.ready.as_mut().and_then(Iterator::next) {
                let transaction = transaction.inspect_err(|_| self.ready = None)?;
                self.t = transaction.t;
                return Ok(Some(transaction));
            }
            self.ready = None;
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let newest = self.database.wait(self.t, left)?;
            if newest <= self.t {
                return Ok(None);
            }
            let end = newest.min(self.t + AT_ONCE_MAX);
            self.ready = Some(self.database.tx_range(self.t + 1, end + 1)?);
        }
    }
}

impl std::fmt::Debug for Reports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reports").field("t", &self.t).finish_non_exhaustive()
    }
}
