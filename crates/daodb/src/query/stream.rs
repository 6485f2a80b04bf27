//! Rows as they are found, before the last is known.
//!
//! 1. Rows that the plan shows to be distinct go straight from its last step to whoever asked: what is held is
//!    a batch for each step. Others are remembered, and handed on the first time.
//! 2. What needs all rows (aggregates, orders, one row of many) is worked out first, then handed on.
//! 3. A limit without an order ends the search when so many rows were found.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use datom::Value;

use super::answer;
use super::ast::{Find, Shape, Var};
use super::distinct::Distinct;
use super::error::{Error, ErrorKind, QueryError};
use super::execution::{Given, Run};
use super::limits::{Cancel, Limits};
use super::parse::Parsed;
use super::rows::Rows;
use super::run;
use super::tools::Tools;
use super::{Input, Query};
use crate::Db;

/// Batches that wait for whoever takes them.
const AHEAD: usize = 2;

/// Takes rows, and says whether it wants more.
type Take<'t> = dyn FnMut(Rows) -> ControlFlow<()> + 't;

impl Db {
    /// Runs a query and hands on its rows in batches, as they are found: the distinct rows of the columns of
    /// `:find`, in no promised order, unless the query orders or aggregates them. The search ends as soon as no more are wanted,
    /// or when it found as many as a `:limit` allows: any of the answer's, where [`Db::query`] finds all and shows those
    /// that come first in order.
    ///
    /// It holds no more than a batch for each step of the plan, where that shows rows to be distinct, as it
    /// does when `:find` has all variables that the steps need; otherwise also the rows there were.
    ///
    /// ```
    /// # use {daodb::{Database, Limits, Query}, datom::{Value, edn}};
    /// use std::ops::ControlFlow;
    /// # let database = Database::memory()?;
    /// # database.transact(&edn::read_all("{:db/ident :age :db/valueType :db.type/long}").unwrap())?;
    /// # let people: String = (0..5_000).map(|age| format!("{{:age {age}}}")).collect();
    /// # database.transact(&edn::read_all(&people).unwrap())?;
    /// let query = Query::parse("[:find ?e ?a :where [?e :age ?a]]")?;
    /// let mut adults = Vec::new();
    /// database.db()?.each_rows(&query, &[], &Limits::default(), |rows| {
    ///     adults.extend(rows.iter().map(|row| row.get(1)).filter(|age| *age >= Value::Int(18)));
    ///     if adults.len() < 10 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    /// })?;
    /// assert!((10..5_000).contains(&adults.len()));
    /// # Ok::<(), daodb::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Db::query_with`]; rows that were handed on before are right, but not all.
    pub fn each_rows(
        &self,
        query: &Query,
        inputs: &[Input],
        limits: &Limits,
        mut take: impl FnMut(Rows) -> ControlFlow<()>,
    ) -> Result<(), crate::Error> {
        Ok(each_rows(query, &self.given(query, inputs), limits, &mut take)?)
    }

    /// The rows of a query, one after the other: [`Db::each_rows`] on a thread of its own, which waits for
    /// whoever reads and ends when the stream is dropped.
    ///
    /// ```
    /// # use {daodb::{Database, Limits, Query}, datom::{Value, edn}};
    /// # let database = Database::memory()?;
    /// # database.transact(&edn::read_all("{:db/ident :age :db/valueType :db.type/long}").unwrap())?;
    /// # database.transact(&edn::read_all("{:age 36} {:age 61}").unwrap())?;
    /// let query = Query::parse("[:find [?a ...] :where [_ :age ?a]]")?;
    /// let mut ages = Vec::new();
    /// for row in database.db()?.stream(&query, &[], &Limits::default())? {
    ///     ages.extend(row?);
    /// }
    /// ages.sort();
    /// assert_eq!(ages, [Value::Int(36), Value::Int(61)]);
    /// # Ok::<(), daodb::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::Query`] when there is no thread to be had. What [`Db::query_with`] returns is the last
    /// thing that the stream gives.
    pub fn stream(
        &self,
        query: &Query,
        inputs: &[Input],
        limits: &Limits,
    ) -> Result<RowStream, crate::Error> {
        let (send, receive) = sync_channel(AHEAD);
        let cancel = limits.cancel.as_ref().map_or_else(Cancel::new, Cancel::child);
        let (db, query, inputs) = (self.clone(), query.clone(), inputs.to_vec());
        let limits = Limits { cancel: Some(cancel.clone()), ..limits.clone() };
        let work = move || feed(&db, &query, &inputs, &limits, &send);
        let spawned = thread::Builder::new().name("rows of a query".to_owned()).spawn(work);
        spawned.map_err(|error| Error::storage(format!("no thread for the query: {error}")))?;
        Ok(RowStream { receive: Some(receive), cancel, rows: Rows::default(), at: 0 })
    }
}

type Batch = Result<Rows, crate::Error>;

fn feed(db: &Db, query: &Query, inputs: &[Input], limits: &Limits, to: &SyncSender<Batch>) {
    let done = db.each_rows(query, inputs, limits, |rows| match to.send(Ok(rows)) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    });
    if let Err(error) = done {
        // Nobody reads any more: nobody wants to know.
        let _ = to.send(Err(error));
    }
}

/// Rows of a query as they are found. See [`Db::stream`].
#[derive(Debug)]
pub struct RowStream {
    /// Gone after the last row or an error.
    receive: Option<Receiver<Batch>>,
    cancel: Cancel,
    rows: Rows,
    /// The next row of `rows`.
    at: usize,
}

impl Iterator for RowStream {
    type Item = Result<Vec<Value>, crate::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.get(self.at) {
                self.at += 1;
                return Some(Ok(row.to_vec()));
            }
            match self.receive.as_ref()?.recv() {
                Ok(Ok(rows)) => (self.rows, self.at) = (rows, 0),
                Ok(Err(error)) => {
                    self.receive = None;
                    return Some(Err(error));
                }
                Err(_) => self.receive = None,
            }
        }
    }
}

impl Drop for RowStream {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Whether rows can be shown before all are known.
fn streams(parsed: &Parsed) -> bool {
    matches!(parsed.shape, Shape::Relation | Shape::Collection)
        && parsed.order.is_empty()
        && !parsed.find.iter().any(|find| matches!(find, Find::Aggregate { .. }))
}

pub(crate) fn each_rows(
    query: &Query,
    given: &[Given<'_>],
    limits: &Limits,
    take: &mut Take<'_>,
) -> Result<(), QueryError> {
    let run = Run::new(query, given, limits)?;
    let patterns = run.patterns()?;
    let planned = run.planned()?;
    let tools = Tools::new(&run.env, &planned.plan, &[])?;
    if !streams(run.parsed) {
        let words = run.rows(&planned, &tools)?;
        let rows = answer::rows(&run.env, run.parsed, &patterns, words)?;
        if !rows.is_empty() {
            let _ = take(rows);
        }
        return Ok(());
    }
    run.env.watch.tick()?;
    let mut window = Window::of(run.parsed);
    if run.empty || window.left == 0 {
        return Ok(());
    }
    let (plan, vars) = (&planned.plan, run.vars().collect::<Vec<Var>>());
    let mut row = run.row.clone();
    row.resize(plan.width, 0);
    let mut distinct = Distinct::new(run.width(), planned.distinct, false);
    let (mut ended, mut shown) = (false, 0);
    let done = run::run(&run.env, plan, &tools, plan.width, &row, &mut |rows| {
        distinct.take(rows, plan.width, &vars, &run.env.watch)?;
        let mut words = distinct.fresh();
        shown += words.len() / run.width();
        run.env.watch.rows(shown)?;
        window.cut(&mut words, run.width());
        if words.is_empty() {
            return Ok(());
        }
        let rows = answer::shown(&run.env, run.parsed, &patterns, words)?;
        if take(rows).is_break() || window.left == 0 {
            ended = true;
            return Err(Error::new(ErrorKind::Cancelled));
        }
        Ok(())
    });
    if ended { Ok(()) } else { Ok(done?) }
}

/// Rows that are left out, and rows that may be shown, of those that are still to come.
struct Window {
    skipped: usize,
    left: usize,
}

impl Window {
    fn of(parsed: &Parsed) -> Window {
        Window { skipped: parsed.offset, left: parsed.limit.unwrap_or(usize::MAX) }
    }

    /// Takes away those of the words' rows that are not shown.
    fn cut(&mut self, words: &mut Vec<u64>, width: usize) {
        let skipped = self.skipped.min(words.len() / width);
        self.skipped -= skipped;
        words.drain(..skipped * width);
        let shown = self.left.min(words.len() / width);
        self.left -= shown;
        words.truncate(shown * width);
    }
}
