//! Making transactions: from what a thread asks for to the answer that it is done.
//!
//! 1. Commits and syncs have a leader each ([`Line`](crate::combine::Line), [`Turn`](crate::turn::Turn)): while
//!    a sync runs, the next commit is made.
//! 2. Who waits for the disk sleeps once, until its transaction is there.

use std::sync::Arc;

use datom::Value;

use crate::batch::{Asked, Data, Fate, Make, Prepare};
use crate::combine::Entered;
use crate::database::{Core, Database};
use crate::error::Error;
use crate::options::{Durability, TransactOptions};
use crate::report::Report;
use crate::sleeper::{Call, Sleeper, Work};
use crate::transact::{self, Statement};
use crate::turn::Waiting;

/// How far the log may fall behind before a writer that does not wait drains by itself.
const LAG_MAX: u64 = 1 << 16;
/// Forms of a transaction that another thread works out: what has more is not worth the copy.
const FORMS_MAX: usize = 64;

type Request<'d> = (Data<'d>, &'d TransactOptions);

impl Database {
    /// Makes a transaction: all of `data` or nothing.
    ///
    /// # Errors
    /// [`Error::Rejected`] when the data are refused. [`Error::NotDurable`] when the transaction was
    /// made but is not on the disk yet.
    pub fn transact(&self, data: &[Value]) -> Result<Report, Error> {
        self.transact_with(data, &TransactOptions::default())
    }

    /// As [`Database::transact`], in another way than the world was opened with.
    ///
    /// # Errors
    /// As [`Database::transact`].
    pub fn transact_with(
        &self,
        data: &[Value],
        options: &TransactOptions,
    ) -> Result<Report, Error> {
        self.commit_one(Data::Given(data), options)
    }

    /// Makes several transactions in one turn: each is worked out on the state after the one before, has
    /// its own `t` and its own report or error, and one that is refused leaves the others alone. They are
    /// published together and share a sync, so a hundred small ones cost little more than one.
    ///
    /// Answers in the order of what was asked for. Transactions of others may come in between, and a death
    /// may leave the first of them alone: what has to be done together is one transaction.
    ///
    /// ```
    /// use daodb::{Database, TransactOptions};
    /// use datom::edn;
    ///
    /// let db = Database::memory()?;
    /// db.transact(&edn::read_all("{:db/ident :name :db/valueType :db.type/string}")?)?;
    /// let asked = |text| Ok::<_, datom::edn::Error>((edn::read_all(text)?, TransactOptions::new()));
    /// let made = db.transact_all(&[
    ///     asked("{:db/id \"ada\" :name \"Ada\"}")?,
    ///     asked("{:nam \"Mary\"}")?,
    ///     asked("{:name \"Grace\"}")?,
    /// ]);
    /// assert_eq!(made[0].as_ref().map(|report| report.t).ok(), Some(2));
    /// assert!(made[1].is_err());
    /// assert_eq!(made[2].as_ref().map(|report| report.t).ok(), Some(3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Of each transaction as of [`Database::transact`].
    #[must_use]
    pub fn transact_all(
        &self,
        transactions: &[(Vec<Value>, TransactOptions)],
    ) -> Vec<Result<Report, Error>> {
        let asked = transactions.iter().map(|(data, options)| (Data::Given(data), options));
        let asked: Vec<_> = asked.collect();
        match self.core().ready() {
            Ok(()) => self.commit(&asked),
            // Each is told for itself.
            Err(_) => asked.iter().map(|&(data, options)| self.commit_one(data, options)).collect(),
        }
    }

    /// Makes a transaction of facts: what `[:db/add e a v]` for each of them would make, without the forms.
    /// The numbers of entities that are not there yet are the caller's to choose.
    ///
    /// It is for loading much at once: facts that are new, of attributes that ask for no more than a type, are
    /// worked out in one pass. Any others go the way of their forms.
    ///
    /// ```
    /// use daodb::{Database, Statement, TransactOptions};
    /// use datom::edn;
    ///
    /// let db = Database::memory()?;
    /// db.transact(&edn::read_all("{:db/ident :name :db/valueType :db.type/string}
    ///                             {:db/ident :friend :db/valueType :db.type/ref}")?)?;
    /// let [name, friend] = ["name", "friend"]
    ///     .map(|name| db.db().unwrap().attribute_named(&name.into()).unwrap().id);
    /// let facts = [
    ///     Statement::new(5_001, name, "Ada"),
    ///     Statement::new(5_002, name, "Mary"),
    ///     Statement::new(5_001, friend, 5_002),
    /// ];
    /// db.load(&facts, &TransactOptions::default())?;
    /// let found = db.db()?.q("[:find ?n . :where [_ :friend ?f] [?f :name ?n]]", &[])?;
    /// assert_eq!(found, edn::read("\"Mary\"")?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Database::transact`]. The position of a rejection is that of the fact, and its form the form.
    pub fn load(&self, facts: &[Statement], options: &TransactOptions) -> Result<Report, Error> {
        self.commit_one(Data::Facts(facts), options)
    }

    /// As [`Database::transact_with`], with data that are worked out on the very state that they are
    /// committed on: `make` runs again when another commit came first.
    pub(crate) fn transact_made(
        &self,
        make: &Make<'_>,
        options: &TransactOptions,
    ) -> Result<Report, Error> {
        self.commit_one(Data::Made(make), options)
    }

    /// As [`Database::transact_made`], for who works the frame out as well. Of the options, the
    /// metadata is for `prepare` to know.
    pub(crate) fn transact_prepared(
        &self,
        prepare: &Prepare<'_>,
        options: &TransactOptions,
    ) -> Result<Report, Error> {
        self.commit_one(Data::Prepared(prepare), options)
    }

    fn commit_one(&self, data: Data<'_>, options: &TransactOptions) -> Result<Report, Error> {
        self.core().ready()?;
        self.commit(&[(data, options)]).pop().unwrap_or_else(|| Err(unanswered()))
    }

    /// Makes transactions, or has them made by the thread that leads.
    fn commit(&self, asked: &[Request<'_>]) -> Vec<Result<Report, Error>> {
        let core = self.core();
        let mut leading = match core.line.enter(|| work(asked)) {
            Entered::Leads(leading) => Some(leading),
            // As another process would.
            Entered::Nested => None,
            Entered::Served(sleeper, call) => return vec![self.served(&sleeper, call)],
        };
        let others = leading.as_mut().map_or(&[][..], |leading| leading.take());
        let mine = asked.iter().map(|&(data, options)| wanted(data, options, false));
        let theirs = others.iter().filter_map(|other| other.work.as_ref());
        let theirs = theirs.map(|work| wanted(Data::Given(&work.data), &work.options, true));
        let all: Vec<Asked<'_>> = mine.chain(theirs).collect();
        let mut fates = core.store.commit(&all, &|| core.store.durable_t()).into_iter();
        let mut made: Vec<_> = fates.by_ref().take(asked.len()).map(known).collect();
        // The next may lead: what is left is for those who wait.
        let others = leading.map_or_else(Vec::new, |leading| leading.end()).into_iter();
        let waiting = others.zip(fates).filter_map(|(other, fate)| core.tell(other, fate));
        let waiting: Vec<Waiting> = waiting.collect();
        self.settle(asked, &mut made, waiting);
        made
    }

    /// Waits for the disk as long as was asked for.
    fn settle(
        &self,
        asked: &[Request<'_>],
        made: &mut [Result<Report, Error>],
        others: Vec<Waiting>,
    ) {
        let core = self.core();
        let ts = asked.iter().zip(&*made);
        let ts =
            ts.filter_map(|((_, options), made)| core.waits_for(options, made.as_ref().ok()?.t));
        let last = ts.max();
        let why = match last.is_some() || !others.is_empty() {
            true => core.drain_with(last, others).err().map(Arc::new),
            false => None,
        };
        self.relieve();
        let mut is_left = false;
        for ((_, options), made) in asked.iter().zip(made) {
            let Ok(report) = &*made else { continue };
            let (t, waits) = (report.t, core.waits_for(options, report.t).is_some());
            match &why {
                Some(why) if waits => *made = Err(Error::NotDurable { t, why: why.clone() }),
                _ => is_left |= core.keeps_log() && t > core.store.durable_t(),
            }
        }
        self.work_later(is_left);
    }

    /// The answer to a thread whose work another did.
    fn served(&self, sleeper: &Sleeper, call: Call) -> Result<Report, Error> {
        let core = self.core();
        let report = sleeper.take_answer().unwrap_or_else(|| Err(unanswered()))?;
        let t = report.t;
        if call == Call::Sync
            && let Err(why) = core.drain_leading(core.turn.lead(), t)
        {
            return Err(Error::NotDurable { t, why: Arc::new(why) });
        }
        self.work_later(core.keeps_log() && t > core.store.durable_t());
        Ok(report)
    }
}

impl Core {
    /// Answers one whose work was done, or lets it wait for the disk.
    fn tell(&self, other: Arc<Sleeper>, fate: Fate) -> Option<Waiting> {
        let Some(fate) = fate else {
            other.wake(Call::Again);
            return None;
        };
        let options = other.work.as_ref().map(|work| &work.options);
        let t = fate.as_ref().ok().map(|report| report.t);
        let waits = options.zip(t).and_then(|(options, t)| self.waits_for(options, t));
        other.answer(fate);
        match waits {
            Some(t) => Some(Waiting { t, sleeper: other }),
            None => {
                other.wake(Call::Done);
                None
            }
        }
    }

    /// The transaction, if whoever asked for it waits until it is on the disk.
    fn waits_for(&self, options: &TransactOptions, t: u64) -> Option<u64> {
        let lag = t - self.store.durable_t().min(t);
        let lag_max = match options.durability.unwrap_or(self.durability) {
            Durability::Disk => 0,
            Durability::Process => LAG_MAX,
        };
        (self.keeps_log() && lag > lag_max).then_some(t)
    }
}

fn wanted<'d>(data: Data<'d>, options: &'d TransactOptions, is_anothers: bool) -> Asked<'d> {
    Asked { data, metadata: options.metadata.as_ref(), is_anothers }
}

/// What another thread can do, if it is worth it.
fn work(asked: &[Request<'_>]) -> Option<Work> {
    let [(Data::Given(data), options)] = asked else { return None };
    if data.len() > FORMS_MAX || transact::calls(data) {
        return None;
    }
    Some(Work { data: data.to_vec(), options: (*options).clone() })
}

fn known(fate: Fate) -> Result<Report, Error> {
    fate.unwrap_or_else(|| Err(unanswered()))
}

fn unanswered() -> Error {
    Error::corrupt("a transaction without an answer")
}
