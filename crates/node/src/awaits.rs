//! Programs that wait until a query has rows.
//!
//! `(perform :db/await query input ...)` is answered with the answer to the query, as `q` gives it, once it has
//! rows: of the state after the first transaction that gave it some, or of now if it has some already.
//!
//! 1. A wait follows a subscription, so no transaction between the look and the wait is missed, and
//!    transactions of attributes that the query does not read cost nothing.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use daodb::{Database, Input, Query, Subscription};
use datom::Value;
use yin::{Outside, Request};

/// The operation.
pub(crate) const AWAIT: &str = "db/await";
/// How long the thread that waits for many goes without looking for new ones.
const LOOK: Duration = Duration::from_millis(20);

/// One wait.
pub(crate) struct Await {
    database: Database,
    query: Query,
    inputs: Vec<Input>,
    subscription: Subscription,
}

/// An error as the program sees it.
fn refused(message: impl std::fmt::Display) -> Value {
    Value::map([
        (Value::keyword("kind"), Value::keyword("yin/database")),
        (Value::keyword("message"), Value::text(&message.to_string())),
    ])
}

impl Await {
    /// Begins to wait for what a request asks for. Costs the query once.
    ///
    /// # Errors
    /// What the program is told: the query is wrong or was bounded.
    pub(crate) fn new(database: &Database, args: &[Value]) -> Result<Self, Value> {
        let Some((query, inputs)) = args.split_first() else {
            return Err(refused(":db/await wants a query"));
        };
        let query = Query::from_value(query).map_err(refused)?;
        let inputs: Vec<Input> = inputs.iter().cloned().map(Input::Value).collect();
        let subscription = database.subscribe(&query, &inputs).map_err(refused)?;
        Ok(Self { database: database.clone(), query, inputs, subscription })
    }

    /// The answer, if there is one by some time.
    ///
    /// # Errors
    /// As [`Await::new`].
    pub(crate) fn answer(&mut self, within: Duration) -> Result<Option<Value>, Value> {
        if self.subscription.rows().next().is_none() {
            self.subscription.next(Some(within)).map_err(refused)?;
        }
        if self.subscription.rows().next().is_none() {
            return Ok(None);
        }
        let db = self.database.db().map_err(refused)?.as_of(self.subscription.t());
        let answer = db.query(&self.query, &self.inputs).map_err(refused)?;
        Ok(Some(answer.to_value()))
    }
}

/// Serves `:db/await` for the agents of a scheduler, on one thread for all of them.
///
/// ```
/// use std::sync::Arc;
///
/// use daodb::Database;
/// use node::QueryWaits;
/// use yin::{Event, Limits, Program, Scheduler, Setup};
///
/// let database = Database::memory()?;
/// database.transact(&datom::edn::read_all("{:db/ident :job/name :db/valueType :db.type/string}")?)?;
/// let outside = Arc::new(QueryWaits::new(&database));
/// let setup = Setup::default().threads(2).outside(outside);
/// let mut scheduler = Scheduler::with(database.clone(), Limits::default(), setup);
/// let waits = "(perform :db/await '[:find ?n . :where [_ :job/name ?n]])";
/// let worker = scheduler.spawn(&Program::read("worker", waits)?);
/// scheduler.spawn(&Program::read("boss", "(transact! [{:job/name \"sweep\"}]) nil")?);
/// for _ in 0..2 {
///     let Event::Ended { agent, result } = scheduler.run() else { panic!() };
///     assert_eq!(result?, if agent == worker { "sweep".into() } else { datom::Value::Nil });
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct QueryWaits {
    requests: Sender<Request>,
}

impl QueryWaits {
    /// Begins to serve. The thread ends with the last of these.
    #[must_use]
    pub fn new(database: &Database) -> Self {
        let (requests, receiver) = channel();
        let database = database.clone();
        std::thread::spawn(move || serve(&database, &receiver));
        Self { requests }
    }
}

impl Outside for QueryWaits {
    fn serve(&self, request: Request) -> Option<Request> {
        if request.op.as_str() != AWAIT {
            return Some(request);
        }
        // If the thread is no more, the request comes back, for the host.
        self.requests.send(request).err().map(|unsent| unsent.0)
    }
}

fn serve(database: &Database, requests: &Receiver<Request>) {
    let mut waits: Vec<(Await, Request)> = Vec::new();
    let mut t = 0;
    loop {
        let next = match waits.is_empty() {
            true => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => requests.try_recv().map_err(|error| match error {
                std::sync::mpsc::TryRecvError::Empty => RecvTimeoutError::Timeout,
                std::sync::mpsc::TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
            }),
        };
        match next {
            Ok(request) => match Await::new(database, &request.args) {
                Ok(wait) => waits.push((wait, request)),
                Err(why) => request.answer(Err(why)),
            },
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => match database.wait(t, Some(LOOK)) {
                Ok(now) => t = now,
                // Each wait meets the damage itself, and its program is told.
                Err(_) => t += 1,
            },
        }
        waits = waits.into_iter().filter_map(look).collect();
    }
}

/// Answers a request if it can be answered; else it waits on.
fn look((mut wait, request): (Await, Request)) -> Option<(Await, Request)> {
    match wait.answer(Duration::ZERO) {
        Ok(None) => return Some((wait, request)),
        Ok(Some(answer)) => request.answer(Ok(answer)),
        Err(why) => request.answer(Err(why)),
    }
    None
}
