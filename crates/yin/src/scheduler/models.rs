//! What the scheduler's threads do to each other, every interleaving of it, by loom.
//!
//! Each model has a twin with one ordering relaxed, or one step out of its order, which loom must reject:
//! so each ordering is there for a reason that is checked. Bodies and answers are loom's cells here, not
//! behind their locks, so what orders them is the gate alone.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;

use datom::Value;

use super::bell::Bell;
use super::census::{Awaited, Census};
use super::gate::{Gate, Left, Seized};
use super::news::News;
use crate::replica::{Grow, Original};
use crate::stream::{Channel, Reply};
use crate::sync::{bounded, holds_without, lock};

/// An agent of a model.
struct Agent {
    gate: Gate,
    /// What its claimer leaves behind.
    body: UnsafeCell<u32>,
    answer: UnsafeCell<u32>,
    /// How often somebody went on with it; or the function that it is in.
    runs: AtomicU32,
}

impl Agent {
    fn claimed() -> Arc<Self> {
        let agent = Self {
            gate: Gate::new(false),
            body: UnsafeCell::new(0),
            answer: UnsafeCell::new(0),
            runs: AtomicU32::new(0),
        };
        assert!(agent.gate.claim());
        Arc::new(agent)
    }

    fn write(cell: &UnsafeCell<u32>) {
        cell.with_mut(|_| ());
    }

    fn read(cell: &UnsafeCell<u32>) {
        cell.with(|_| ());
    }

    /// Somebody goes on with the agent, and sees all that was left for it.
    fn go_on(&self) {
        Self::read(&self.body);
        Self::read(&self.answer);
        self.runs.fetch_add(1, Ordering::Relaxed);
    }
}

/// A waker comes while the claimer parks: one of both goes on, with the body and the answer.
fn wake_and_park() {
    let agent = Agent::claimed();
    let waker = {
        let agent = agent.clone();
        thread::spawn(move || {
            Agent::write(&agent.answer);
            if agent.gate.wake() {
                assert!(agent.gate.claim());
                agent.go_on();
            }
        })
    };
    Agent::write(&agent.body);
    if agent.gate.park() == Left::Woken {
        agent.go_on();
    }
    waker.join().unwrap();
    assert_eq!(agent.runs.load(Ordering::Relaxed), 1);
}

#[test]
fn loom_no_wake_up_is_lost() {
    loom::model(wake_and_park);
}

#[test]
fn loom_an_agent_is_left_before_it_is_woken() {
    assert!(!holds_without(&["gate: leave"], wake_and_park));
}

#[test]
fn loom_an_answer_is_there_before_the_wake_up() {
    assert!(!holds_without(&["gate: wake"], wake_and_park));
}

/// Two workers find the agent, as a queue that is stolen from may show it: one has it.
fn leave_and_claim() {
    let agent = Agent::claimed();
    let claim = |agent: Arc<Agent>| {
        move || {
            if agent.gate.claim() {
                Agent::write(&agent.body);
                agent.runs.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let others = [0, 1].map(|_| thread::spawn(claim(agent.clone())));
    Agent::write(&agent.body);
    assert_eq!(agent.gate.give_way(), Left::Ready);
    for other in others {
        other.join().unwrap();
    }
    assert!(agent.runs.load(Ordering::Relaxed) <= 1);
}

#[test]
fn loom_one_worker_has_an_agent() {
    loom::model(leave_and_claim);
}

#[test]
fn loom_an_agent_is_taken_over_by_its_claim() {
    assert!(!holds_without(&["gate: claim"], leave_and_claim));
}

/// Somebody wants an agent that a worker may claim: it gets the agent, whole.
fn seize_and_claim() {
    let agent = Arc::new(Agent {
        gate: Gate::new(false),
        body: UnsafeCell::new(0),
        answer: UnsafeCell::new(0),
        runs: AtomicU32::new(0),
    });
    let worker = {
        let agent = agent.clone();
        thread::spawn(move || {
            if agent.gate.claim() {
                Agent::write(&agent.body);
                let left = agent.gate.give_way();
                assert!(matches!(left, Left::Ready | Left::Wanted));
            }
        })
    };
    loop {
        match agent.gate.seize() {
            Seized::Busy => thread::yield_now(),
            Seized::Gone => unreachable!("nobody else ends it"),
            Seized::Parked | Seized::Queued => break,
        }
    }
    Agent::write(&agent.body);
    worker.join().unwrap();
}

#[test]
fn loom_who_wants_an_agent_gets_it() {
    loom::model(seize_and_claim);
}

#[test]
fn loom_a_seized_agent_was_let_go() {
    assert!(!holds_without(&["gate: seize"], seize_and_claim));
}

/// Work is put down and rung for while a worker goes to sleep. A worker that sleeps beside it sleeps for
/// ever, which loom says.
fn ring_and_sleep() {
    let bell = Arc::new(Bell::new());
    let work = Arc::new(AtomicU32::new(0));
    let sleeper = {
        let (bell, work) = (bell.clone(), work.clone());
        thread::spawn(move || {
            let listening = bell.listen();
            match work.load(Ordering::Relaxed) {
                0 => bell.sleep(listening, None),
                _ => bell.stop(listening),
            }
        })
    };
    work.store(1, Ordering::Relaxed);
    bell.ring();
    sleeper.join().unwrap();
}

#[test]
fn loom_no_worker_sleeps_beside_work() {
    loom::model(ring_and_sleep);
}

#[test]
fn loom_a_sleeper_looks_once_more() {
    assert!(!holds_without(&["bell: listen"], ring_and_sleep));
}

#[test]
fn loom_a_ringer_looks_for_sleepers() {
    assert!(!holds_without(&["bell: ring"], ring_and_sleep));
}

/// The functions that were compiled, as the cells of one machine.
#[derive(Clone, Debug, Default)]
struct Cells(Vec<u32>);

impl Grow for Cells {
    fn catch_up(&mut self, other: &Self) {
        self.0.extend_from_slice(other.0.get(self.0.len()..).unwrap_or(&[]));
    }
}

/// Two machines compile functions while an agent moves from one to the other: what the agent refers to has
/// code there, and the same number.
fn compile_and_move() {
    let original = Arc::new(Original::new(Cells::default()));
    let agent = Agent::claimed();
    let there = {
        let (original, agent) = (original.clone(), agent.clone());
        thread::spawn(move || {
            let (mut cells, mut version) = original.copy(Clone::clone);
            let own = original.change(&mut cells, &mut version, |cells| {
                cells.0.push(2);
                cells.0.len() - 1
            });
            if agent.gate.claim() {
                original.refresh(&mut cells, version);
                Agent::read(&agent.body);
                let moved = agent.runs.load(Ordering::Relaxed);
                assert_eq!(cells.0.get(moved as usize), Some(&1));
            }
            assert_eq!(cells.0.get(own), Some(&2));
        })
    };
    let (mut cells, mut version) = original.copy(Clone::clone);
    let own = original.change(&mut cells, &mut version, |cells| {
        cells.0.push(1);
        cells.0.len() - 1
    });
    Agent::write(&agent.body);
    agent.runs.store(own as u32, Ordering::Relaxed);
    assert_eq!(agent.gate.give_way(), Left::Ready);
    there.join().unwrap();
}

#[test]
fn loom_an_agent_finds_its_code_wherever_it_moves() {
    loom::model(compile_and_move);
}

#[test]
fn loom_code_is_there_before_the_agent() {
    assert!(!holds_without(&["gate: leave"], compile_and_move));
    assert!(!holds_without(&["gate: claim"], compile_and_move));
}

/// Somebody who waits at a stream.
struct Waiting {
    gate: Gate,
    request: Mutex<(Option<u32>, Option<Reply>)>,
    runs: AtomicU32,
}

impl Waiting {
    fn answer(&self, number: u32, reply: Reply) {
        {
            let mut request = lock(&self.request);
            if request.0 != Some(number) {
                return;
            }
            *request = (None, Some(reply));
        }
        if self.gate.wake() {
            self.runs.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A writer comes while a reader begins to wait, and the reader's time may be over: one answer reaches the
/// reader, and the value is in it or still in the stream.
fn put_and_wait(expects_first: bool, has_timer: bool) {
    let reader = Arc::new(Waiting {
        gate: Gate::new(false),
        request: Mutex::new((None, None)),
        runs: AtomicU32::new(0),
    });
    assert!(reader.gate.claim());
    let stream = Arc::new(Mutex::new(Channel::<u32>::new(1, 0)));
    lock(&stream).open(7, 0);
    let writer = {
        let (reader, stream) = (reader.clone(), stream.clone());
        thread::spawn(move || {
            let mut answers = Vec::new();
            let reply = lock(&stream).put(|| 2, Value::Int(5), &mut answers);
            assert_eq!(reply, Some(Ok(Value::Int(5))));
            for (number, reply) in answers {
                reader.answer(number, reply);
            }
        })
    };
    let expect = || lock(&reader.request).0 = Some(1);
    let by = || {
        if expects_first {
            expect();
        }
        1
    };
    let reply = lock(&stream).next(by, 7, &mut Vec::new());
    let has_waited = reply.is_none();
    let timer = (has_timer && has_waited).then(|| {
        let (reader, stream) = (reader.clone(), stream.clone());
        thread::spawn(move || {
            let was_waiting = lock(&stream).withdraw(&1, &mut Vec::new());
            if was_waiting {
                reader.answer(1, Ok(Value::Nil));
            }
        })
    });
    if has_waited {
        if !expects_first {
            expect();
        }
        if reader.gate.park() == Left::Woken {
            reader.runs.fetch_add(1, Ordering::Relaxed);
        }
    }
    writer.join().unwrap();
    if let Some(timer) = timer {
        timer.join().unwrap();
    }
    if has_waited {
        assert_eq!(reader.runs.load(Ordering::Relaxed), 1);
        let answer = lock(&reader.request).1.take();
        if answer != Some(Ok(Value::Int(5))) {
            assert_eq!(lock(&stream).next(|| 3, 7, &mut Vec::new()), Some(Ok(Value::Int(5))));
        }
    }
}

#[test]
fn loom_a_value_reaches_who_waits() {
    loom::model(|| put_and_wait(true, false));
}

#[test]
fn loom_a_value_is_not_lost_to_who_has_waited_too_long() {
    loom::model(|| put_and_wait(true, true));
}

#[test]
fn loom_who_waits_says_so_first() {
    assert!(holds_without(&[], || put_and_wait(true, false)));
    assert!(!holds_without(&[], || put_and_wait(false, false)));
}

/// How the host looks at who may still do something.
#[derive(Clone, Copy)]
enum Look {
    /// As it is written.
    Whole,
    /// At who is active before what is awaited, as it was once.
    ActiveFirst,
    /// At who is active once, behind what is awaited.
    ActiveOnce,
}

impl Look {
    /// Whether somebody is active, and whether somebody serves a request.
    fn at(self, census: &Census) -> (bool, bool) {
        match self {
            Look::Whole => {
                let stands = census.look(|| ());
                (stands.is_active, stands.is_served)
            }
            Look::ActiveFirst => {
                let is_active = census.active().1;
                (is_active, census.is_served())
            }
            Look::ActiveOnce => {
                let is_served = census.is_served();
                (census.active().1, is_served)
            }
        }
    }
}

/// An agent asks on one thread, is answered on another, goes on there and ends. The host hears of the end and never
/// that nobody can run.
fn ask_and_end(look: Look) {
    let census = Arc::new(Census::new());
    let news = Arc::new(News::new());
    census.begin();
    let rest = |census: &Census, news: &News<&'static str>| {
        if census.rest() {
            news.call();
        }
    };
    let worker = {
        let (census, news) = (census.clone(), news.clone());
        thread::spawn(move || {
            census.expect(Awaited::Server);
            let server = {
                let (census, news) = (census.clone(), news.clone());
                thread::spawn(move || {
                    census.begin();
                    census.forget(Awaited::Server);
                    news.tell("ended");
                    rest(&census, &news);
                })
            };
            rest(&census, &news);
            server.join().unwrap();
        })
    };
    loop {
        let (event, seen) = news.next();
        if event.is_some() {
            break;
        }
        let (is_active, is_served) = look.at(&census);
        if is_active {
            news.wait(seen);
        } else if news.is_more_than(seen) {
            continue;
        } else {
            assert!(is_served, "nobody can run, says the host, and somebody will");
            news.wait(seen);
        }
    }
    worker.join().unwrap();
}

#[test]
fn loom_the_host_misses_nobody() {
    bounded().check(|| ask_and_end(Look::Whole));
}

#[test]
fn loom_who_is_awaited_is_looked_at_before_who_is_active() {
    assert!(!holds_without(&[], || ask_and_end(Look::ActiveFirst)));
}

#[test]
fn loom_who_is_active_is_looked_at_twice() {
    assert!(!holds_without(&[], || ask_and_end(Look::ActiveOnce)));
}

#[test]
fn loom_who_is_woken_is_counted_first() {
    assert!(!holds_without(&["census: forget", "census: awaited"], || ask_and_end(Look::Whole)));
}

#[test]
fn loom_who_rests_has_told() {
    assert!(!holds_without(&["census: rest", "census: active"], || ask_and_end(Look::Whole)));
}
