//! Many programs on some threads: agents, round robin by fuel.
//!
//! An agent runs until its fuel slice is used up, or it asks for something. Requests for streams, for
//! time and for other agents are answered here; all others are served by an [`Outside`], or leave as
//! [`Event::Perform`], and the agent is parked until [`Scheduler::resume`] brings the answer, in whatever
//! order answers come.
//!
//! 1. Agents share code and nothing else: what one defines, spends or breaks, no other notices.
//! 2. An agent is run by one thread at a time, and moves between them by a change of owner.
//! 3. Every agent that can run is in one queue, first in, first out, so none waits for more than one slice
//!    of each other that is in its queue.
//! 4. What travels on streams are values; functions do not leave their agent.

mod agent;
mod bell;
mod census;
mod clock;
mod desk;
mod gate;
mod live;
#[cfg(all(test, loom_yin))]
mod models;
mod news;
mod number;
mod outside;
mod ports;
mod serve;
mod shared;
mod timers;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use crossbeam_deque::Worker as Queue;
use datom::Value;

use crate::error::{Error, Kind};
use crate::facts::Facts;
use crate::machine::Limits;
use crate::program::Program;
use crate::state::State;
use crate::stream::{End, cursor_value, stream_id, stream_value};

pub use agent::{AgentId, Event, Sight};
use agent::{Beginning, Home};
pub use clock::{Clock, SystemClock, VirtualClock};
use desk::Desk;
use gate::Seized;
pub use live::Redefiner;
pub use outside::{Observer, Outside, Request};
use shared::{NOBODY, Shared};
use worker::{DeskMaker, Worker};

/// How a scheduler works.
#[derive(Clone)]
pub struct Setup {
    threads: usize,
    clock: Arc<dyn Clock>,
    outside: Option<Arc<dyn Outside>>,
    observer: Option<(u64, Arc<dyn Observer>)>,
    fuel: u64,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl Default for Setup {
    /// No threads of its own, the system's clock, nobody outside, and fuel without end.
    fn default() -> Self {
        let clock = Arc::new(SystemClock::default());
        Self { threads: 0, clock, outside: None, observer: None, fuel: u64::MAX }
    }
}

impl Setup {
    /// With so many threads that run agents. Without any, [`Scheduler::run`] runs them on the thread that
    /// calls it, and in the same order each time.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// With another clock.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// With somebody who serves requests.
    #[must_use]
    pub fn outside(self, outside: Arc<dyn Outside>) -> Self {
        Self { outside: Some(outside), ..self }
    }

    /// With somebody who looks at each agent after every so many of its turns (at least 1).
    #[must_use]
    pub fn observer(self, every: u64, observer: Arc<dyn Observer>) -> Self {
        Self { observer: Some((every.max(1), observer)), ..self }
    }

    /// With so much fuel for each agent. One that has used it up, which is found at the end of its slice at the
    /// latest, ends with [`Kind::Limit`].
    #[must_use]
    pub fn fuel(self, fuel: u64) -> Self {
        Self { fuel, ..self }
    }
}

/// Runs agents.
///
/// ```
/// use yin::{Event, Limits, NoFacts, Program, Scheduler};
///
/// let mut scheduler = Scheduler::new(NoFacts, Limits::default());
/// let program = Program::read("p", "(+ 1 (perform :ask))").unwrap();
/// let agents: Vec<_> = (0..3).map(|_| scheduler.spawn(&program)).collect();
/// let mut asked = Vec::new();
/// while let Event::Perform { agent, request, .. } = scheduler.run() {
///     asked.push((agent, request));
/// }
/// // Answers go to who asked, in any order.
/// for (agent, request) in asked.into_iter().rev() {
///     scheduler.resume(agent, request, Ok((agent.number() as i64).into())).unwrap();
/// }
/// let ended = std::iter::from_fn(|| match scheduler.run() {
///     Event::Ended { agent, result } => Some((agent, result.unwrap())),
///     _ => None,
/// });
/// let mut ended: Vec<_> = ended.collect();
/// ended.sort();
/// assert_eq!(ended, agents.iter().map(|&a| (a, (a.number() as i64 + 1).into())).collect::<Vec<_>>());
/// ```
pub struct Scheduler {
    shared: Arc<Shared>,
    /// Runs agents where there are no threads.
    own: Option<Box<Worker>>,
    threads: Vec<JoinHandle<()>>,
    /// For looking into agents.
    desk: Option<Box<Desk>>,
    make_desk: Box<dyn FnMut() -> Desk + Send>,
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler")
            .field("agents", &self.len())
            .field("threads", &self.threads.len())
            .finish_non_exhaustive()
    }
}

/// As long as one lives, agents that wait for each other are not told that nothing will come: more agents
/// may, or values. See [`Scheduler::source`].
pub struct Source(Arc<Shared>);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.0.census.close();
    }
}

/// Stops [`Scheduler::run`] from another thread, such as that of a signal. See [`Scheduler::stopper`].
#[derive(Clone)]
pub struct Stopper(Arc<Shared>);

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stopper")
    }
}

impl Stopper {
    /// Lets [`Scheduler::run`] give [`Event::Stopped`], before whatever else has happened; agents go on.
    pub fn stop(&self) {
        self.0.is_stopped.store(true, Ordering::Release);
        self.0.news.call();
        self.0.bell.ring_all();
    }
}

impl Scheduler {
    /// A scheduler without threads, whose agents share a database and have these limits each.
    #[must_use]
    pub fn new(facts: impl Facts + Clone + Send + 'static, limits: Limits) -> Self {
        Self::with(facts, limits, Setup::default())
    }

    /// A scheduler of another kind. Each thread has a clone of the facts.
    ///
    /// ```
    /// use yin::{Event, Limits, NoFacts, Program, Scheduler, Setup};
    ///
    /// let mut scheduler = Scheduler::with(NoFacts, Limits::default(), Setup::default().threads(2));
    /// let program = Program::read("sum", "(reduce + 0 (range n))").unwrap();
    /// for n in 0..100 {
    ///     scheduler.spawn_with(&program, &[("n", n.into())]);
    /// }
    /// let mut ended = 0;
    /// while let Event::Ended { result, .. } = scheduler.run() {
    ///     result.unwrap();
    ///     ended += 1;
    /// }
    /// assert_eq!(ended, 100);
    /// ```
    ///
    /// If the system starts fewer threads, it works with these.
    #[must_use]
    pub fn with(facts: impl Facts + Clone + Send + 'static, limits: Limits, setup: Setup) -> Self {
        let Setup { threads, clock, outside, observer, fuel } = setup;
        let queues: Vec<_> = (0..threads).map(|_| Queue::new_fifo()).collect();
        let stealers = queues.iter().map(Queue::stealer).collect();
        let shared = Arc::new(Shared::new((clock, outside, observer), fuel, stealers));
        let maker = || -> DeskMaker {
            let facts = facts.clone();
            Box::new(move || Desk::new(facts.clone(), limits))
        };
        let start = |(at, queue)| {
            let (shared, maker) = (shared.clone(), maker());
            let name = format!("yin-{at}");
            let work = move || Worker::new(shared, queue, maker).work();
            std::thread::Builder::new().name(name).spawn(work).ok()
        };
        let threads: Vec<_> = queues.into_iter().enumerate().filter_map(start).collect();
        let own = threads.is_empty();
        let own = own.then(|| Box::new(Worker::new(shared.clone(), Queue::new_fifo(), maker())));
        Self { shared, own, threads, desk: None, make_desk: maker() }
    }

    /// A new agent that runs a program.
    pub fn spawn(&self, program: &Program) -> AgentId {
        self.spawn_with(program, &[])
    }

    /// A new agent that runs a program and finds some names defined, such as the streams it works with.
    pub fn spawn_with(&self, program: &Program, defined: &[(&str, Value)]) -> AgentId {
        let space = self.shared.space(program.hash());
        let program = self.shared.learn(program);
        let defined = defined.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let home = Home::Program(Box::new(Beginning { program, defined: defined.collect() }));
        self.shared.add(home, space, None)
    }

    /// Takes over an agent that another scheduler, or another process, gave up with
    /// [`Scheduler::give_up`]. Its programs must be known here, or be among `programs`.
    pub fn adopt(&self, state: State, programs: &[Program]) -> AgentId {
        for program in programs {
            self.shared.learn(program);
        }
        let request = state.request();
        let space = self.shared.space(state.root());
        self.shared.add(Home::State(Box::new(state)), space, request)
    }

    /// Takes an agent away, to go on elsewhere: in another scheduler, or another process. Whatever streams
    /// it owned end here. If it runs just now, this waits until its slice is over. `None` if there is no
    /// such agent; one that cannot be taken ends with the reason.
    ///
    /// Cost: linear in what the agent holds.
    pub fn give_up(&mut self, agent: AgentId) -> Option<State> {
        let agent = self.seize(agent)?;
        let (home, space, answer) = {
            let mut body = agent.body();
            let home = std::mem::replace(&mut body.home, Home::Away);
            (home, body.space.take(), body.answer.take())
        };
        let mut desk = self.desk.take().unwrap_or_else(|| Box::new((self.make_desk)()));
        let taken = match (home, space) {
            (Home::State(state), _) if answer.is_none() => Ok(*state),
            (_, None) => Err(Error::new(Kind::State, "the agent's state was lost")),
            (home, Some(space)) => {
                desk.open(&space);
                let put = self.shared.put_on(&mut desk.machine, home, answer);
                put.and_then(|()| desk.machine.capture())
            }
        };
        desk.machine.clear();
        self.desk = Some(desk);
        match taken {
            Ok(state) => {
                self.shared.bury(&agent, End::Closed, &mut |agent| self.shared.inject(agent));
                self.shared.rest();
                Some(state)
            }
            Err(error) => {
                self.shared.end(&agent, Err(error), &mut |agent| self.shared.inject(agent));
                None
            }
        }
    }

    /// Ends an agent; its [`Event::Ended`] says that it was interrupted. If it runs just now, this waits
    /// until its slice is over. False if there is no such agent.
    pub fn kill(&self, agent: AgentId) -> bool {
        let Some(agent) = self.seize(agent) else { return false };
        let error = Error::new(Kind::Interrupted, "the agent was ended from outside");
        self.shared.end(&agent, Err(error), &mut |agent| self.shared.inject(agent));
        true
    }

    /// Takes an agent off whatever it does, and counts it as active.
    fn seize(&self, agent: AgentId) -> Option<Arc<agent::Agent>> {
        let agent = self.shared.agent(agent)?;
        loop {
            match agent.gate.seize() {
                Seized::Parked => {
                    self.shared.census.begin();
                    return Some(agent);
                }
                Seized::Queued => return Some(agent),
                Seized::Gone => return None,
                Seized::Busy => self.shared.news.wait_until(|| !agent.gate.is_running()),
            }
        }
    }

    /// How each agent stands, by number.
    #[must_use]
    pub fn agents(&self) -> Vec<Sight> {
        self.shared.agents().iter().map(|agent| Sight::of(agent)).collect()
    }

    /// How many agents there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A stream that no agent owns, for agents to be told of. It is open until somebody closes it.
    #[must_use]
    pub fn stream(&self, capacity: usize) -> Value {
        stream_value(self.shared.ports.make(capacity.max(1), NOBODY))
    }

    /// Puts a value into a stream from outside, where nobody waits. False if it has no room, or is no open
    /// stream.
    pub fn put(&self, stream: &Value, value: Value) -> bool {
        let Some(port) = stream_id(stream).and_then(|id| self.shared.ports.get(id)) else {
            return false;
        };
        let mut answers = Vec::new();
        let is_put = port.channel().offer(value, &mut answers);
        self.shared.answer_all(answers, &mut |agent| self.shared.inject(agent));
        is_put
    }

    /// Closes a stream from outside. Behind the last value its readers find nil, or `why`, an error value.
    pub fn close(&self, stream: &Value, why: Option<Value>) {
        let Some(port) = stream_id(stream).and_then(|id| self.shared.ports.get(id)) else { return };
        let mut answers = Vec::new();
        port.channel().close(why.map_or(End::Closed, End::Failed), &mut answers);
        self.shared.ports.tidy(&port);
        self.shared.answer_all(answers, &mut |agent| self.shared.inject(agent));
    }

    /// A reader of a stream, at the oldest value it has. It is the agent's that first reads from it.
    /// `None` for anything but an open stream.
    #[must_use]
    pub fn cursor(&self, stream: &Value) -> Option<Value> {
        let port = self.shared.ports.get(stream_id(stream)?)?;
        let cursor = self.shared.ports.fresh();
        port.channel().open(cursor, NOBODY);
        self.shared.ports.name(cursor, port);
        Some(cursor_value(cursor))
    }

    /// What redefines names for all agents, those to come included.
    ///
    /// ```
    /// use yin::{Event, Limits, NoFacts, Program, Scheduler};
    ///
    /// let read = |name, source| Program::read(name, source).unwrap();
    /// let mut scheduler = Scheduler::new(NoFacts, Limits::default());
    /// let agent = scheduler.spawn(&read("a", "(defn f [] 1) [(f) (perform :ask) (f)]"));
    /// let Event::Perform { request, .. } = scheduler.run() else { panic!() };
    /// scheduler.redefiner().redefine(&"f".into(), &read("b", "(defn f [] 2)")).unwrap();
    /// scheduler.resume(agent, request, Ok(0.into())).unwrap();
    /// let result = datom::edn::read("[1 0 2]").unwrap();
    /// assert_eq!(scheduler.run(), Event::Ended { agent, result: Ok(result) });
    /// ```
    #[must_use]
    pub fn redefiner(&self) -> Redefiner {
        Redefiner(self.shared.clone())
    }

    /// What stops [`Scheduler::run`] from another thread.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(self.shared.clone())
    }

    /// Fuel that all agents have used so far, those that ended included; of one that runs just now, up to
    /// its last request.
    #[must_use]
    pub fn spent(&self) -> u64 {
        let ended = self.shared.spent.load(Ordering::Relaxed);
        self.agents().iter().fold(ended, |sum, sight| sum.saturating_add(sight.fuel))
    }

    /// Says that whoever has the scheduler may bring more agents. Otherwise, once nobody can run and
    /// neither time nor an answer is awaited, agents that wait at streams are told so by the error
    /// `agent/deadlock`.
    #[must_use]
    pub fn source(&self) -> Source {
        self.shared.census.open();
        Source(self.shared.clone())
    }

    /// Answers a request; the agent goes on when its turn comes.
    ///
    /// # Errors
    /// [`Kind::State`] if the agent does not wait for this request.
    pub fn resume(
        &self,
        agent: AgentId,
        request: u64,
        answer: Result<Value, Value>,
    ) -> Result<(), Error> {
        let waiting =
            self.shared.agent(agent).filter(|agent| agent.body().request == Some(request));
        let Some(waiting) = waiting else {
            let number = agent.number();
            let message = format!("agent {number} does not wait for request {request}");
            return Err(Error::new(Kind::State, message));
        };
        if let Some(agent) = self.shared.answer(&waiting, request, answer) {
            self.shared.inject(agent);
        }
        Ok(())
    }

    /// Gives what happens next: an agent asks for something, or ends, or none can run. Without threads
    /// this is where agents run; with threads they run by themselves, and this waits for them.
    pub fn run(&mut self) -> Event {
        loop {
            if self.shared.is_told_to_stop() {
                return Event::Stopped;
            }
            let (event, seen) = self.shared.news.next();
            if let Some(event) = event {
                return event;
            }
            // Who is told so behind this finds more news than was seen.
            if self.shared.is_told_to_stop() {
                return Event::Stopped;
            }
            if let Some(worker) = &mut self.own
                && worker.turn()
            {
                continue;
            }
            let stands = self.shared.census.look(|| self.shared.timers.next());
            if stands.is_active {
                self.wait(seen);
                continue;
            }
            if self.shared.news.is_more_than(seen) {
                continue;
            }
            // Nobody runs, and the host has heard all that was to be told.
            match stands.next {
                Some(next) if !stands.is_served && self.shared.clock.skip(next) => {
                    self.shared.fire(next, &mut |agent| self.shared.inject(agent));
                }
                Some(_) => self.wait(seen),
                None if stands.is_served => self.wait(seen),
                None if !stands.is_promised && self.shared.break_deadlock() => {}
                None => return Event::Idle,
            }
        }
    }

    /// Waits until something has happened.
    fn wait(&mut self, seen: u64) {
        match &mut self.own {
            Some(worker) => worker.rest(),
            None => self.shared.news.wait(seen),
        }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        self.shared.bell.ring_all();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}
