//! Programs that wait until a query has rows.
//!
//! `(perform :db/await query input ...)` is answered with the answer to the query, as `q` gives it, once it has
//! rows: of the state after the first transaction that gave it some, or of now if it has some already.
//!
//! 1. A wait follows a subscription, so no transaction between the look and the wait is missed, and
//!    transactions of attributes that the query does not read cost nothing.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use daodb::{Database, Input, Query, Subscription};
use datom::Value;
use yin::{Outside, Request};

/// The operation.
pub(crate) const AWAIT: &str = "db/await";
/// How long to wait for another thread that looks at a transaction; it tells when it has.
const BRIEF: Duration = Duration::from_millis(1);
/// How long the thread that watches the commits goes without looking whether anybody wants that.
const LOOK: Duration = Duration::from_secs(1);

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

    /// The answer, if there is one by transaction `t`, which is made.
    ///
    /// # Errors
    /// As [`Await::new`].
    pub(crate) fn answer_by(&mut self, t: u64) -> Result<Option<Value>, Value> {
        let mut within = Duration::ZERO;
        while self.subscription.rows().next().is_none() {
            if within > Duration::ZERO && self.subscription.t() >= t {
                return Ok(None);
            }
            self.subscription.next(Some(within)).map_err(refused)?;
            // Another thread of this process may be looking at the transaction for all.
            within = BRIEF;
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
    news: Sender<News>,
}

/// What the serving thread is told.
#[derive(Debug)]
enum News {
    Asked(Request),
    /// Up to this transaction.
    Committed(u64),
    Over,
}

impl QueryWaits {
    /// Begins to serve, on a thread that ends with this value.
    #[must_use]
    pub fn new(database: &Database) -> Self {
        let (news, receiver) = channel();
        let server = Server {
            database: database.clone(),
            watcher: Watcher::new(database, news.clone()),
            waits: Vec::new(),
        };
        std::thread::spawn(move || server.serve(&receiver));
        Self { news }
    }
}

impl Drop for QueryWaits {
    fn drop(&mut self) {
        // Who does not hear it has ended.
        let _ = self.news.send(News::Over);
    }
}

impl Outside for QueryWaits {
    fn serve(&self, request: Request) -> Option<Request> {
        if request.op.as_str() != AWAIT {
            return Some(request);
        }
        // If the thread is no more, the request comes back, for the host.
        match self.news.send(News::Asked(request)).err()?.0 {
            News::Asked(request) => Some(request),
            _ => None,
        }
    }
}

/// The thread that sleeps on the commit word, once for each time that it is told to: requests come another
/// way, and nobody can sleep on both.
struct Watcher {
    after: Sender<u64>,
    /// It was told to, and has not answered yet.
    watches: bool,
}

impl Watcher {
    fn new(database: &Database, news: Sender<News>) -> Self {
        let (after, told) = channel::<u64>();
        let database = database.clone();
        std::thread::spawn(move || {
            while let Ok(t) = told.recv() {
                // Where the world is damaged, each wait meets that itself, and its program is told.
                let now = database.wait(t, Some(LOOK)).unwrap_or(t + 1);
                if news.send(News::Committed(now)).is_err() {
                    return;
                }
            }
        });
        Self { after, watches: false }
    }

    /// There will be news of the first commit after a transaction.
    fn watch(&mut self, t: u64) {
        if !std::mem::replace(&mut self.watches, true) {
            let _ = self.after.send(t);
        }
    }
}

struct Server {
    database: Database,
    watcher: Watcher,
    waits: Vec<(Await, Request)>,
}

impl Server {
    fn serve(mut self, news: &Receiver<News>) {
        let mut seen = 0;
        while let Ok(next) = news.recv() {
            match next {
                News::Asked(request) => match Await::new(&self.database, &request.args) {
                    Ok(wait) => {
                        let t = self.database.db().map_or(seen, |db| db.basis());
                        self.waits.extend(look((wait, request), t));
                    }
                    Err(why) => request.answer(Err(why)),
                },
                News::Committed(t) => {
                    self.watcher.watches = false;
                    if t > seen {
                        seen = t;
                        let waits = std::mem::take(&mut self.waits);
                        self.waits = waits.into_iter().filter_map(|wait| look(wait, t)).collect();
                    }
                }
                News::Over => return,
            }
            if !self.waits.is_empty() {
                self.watcher.watch(seen);
            }
        }
    }
}

/// Answers a request if it can be answered by a transaction; else it waits on.
fn look((mut wait, request): (Await, Request), t: u64) -> Option<(Await, Request)> {
    match wait.answer_by(t) {
        Ok(None) => return Some((wait, request)),
        Ok(Some(answer)) => request.answer(Ok(answer)),
        Err(why) => request.answer(Err(why)),
    }
    None
}
