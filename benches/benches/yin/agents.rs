//! Agents beside tokio's tasks, which do the same with channels, and Lua's coroutines, which only change.
//!
//! 1. A peer does what we do: as many tasks, channels as wide, as many threads, each value handed on
//!    by whoever waited for it. Rust tasks hand on numbers as they are; agents are interpreted, and what they
//!    hand on leaves one heap and enters another.
//! 2. A time is that of one step: one value from one to the next.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use datom::Value;
use tokio::sync::mpsc;
use yin::{Event, Limits, NoFacts, Outside, Program, Request, Scheduler, Setup};

/// Agents in the ring.
const RING: u64 = 100;
/// Values that fit into the streams of the pairs.
const CAPACITY: usize = 64;
/// Pairs that share two threads.
const PAIRS: u64 = 32;

pub(crate) fn measure(criterion: &mut Criterion) {
    ring(criterion);
    change(criterion);
    ping_pong(criterion);
    streams(criterion);
}

fn program(source: &str) -> Program {
    Program::read("agent.yin", source).unwrap()
}

fn scheduler(threads: usize) -> Scheduler {
    Scheduler::with(NoFacts, Limits::default(), Setup::default().threads(threads))
}

/// Runs until all agents have ended, and none in an error.
fn finish(scheduler: &mut Scheduler) {
    loop {
        match scheduler.run() {
            Event::Ended { result, .. } => drop(result.unwrap()),
            Event::Idle => return,
            other => panic!("{other:?}"),
        }
    }
}

fn number(n: u64) -> Value {
    Value::Int(n.cast_signed())
}

/// Measures one contender: it is given how many rounds, of so many steps each, and says how long they took.
fn contender(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    steps: u64,
    mut run: impl FnMut(u64) -> Duration,
) {
    group.throughput(Throughput::Elements(1));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|wanted| {
            let rounds = wanted.div_ceil(steps).max(1);
            let taken = run(rounds);
            taken.mul_f64(wanted as f64 / (rounds * steps) as f64)
        });
    });
}

fn tokio_on_one_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// One value goes round a ring, on one thread: each step wakes the one that waits for it.
fn ring(criterion: &mut Criterion) {
    let node = program(
        "(loop [n 0] (let [x (stream/next from)] (if (nil? x) (do (stream/close to) n) (do (stream/put to x) (recur (+ n 1))))))",
    );
    let first = program(
        "(loop [n 0] (if (= n turns) (stream/close to) (do (stream/put to n) (stream/next from) (recur (+ n 1)))))",
    );
    let mut group = criterion.benchmark_group("agents/ring of 100");
    contender(&mut group, "yin", RING, |rounds| {
        let mut scheduler = scheduler(0);
        let streams: Vec<Value> = (0..RING).map(|_| scheduler.stream(1)).collect();
        for (at, from) in streams.iter().enumerate() {
            let from = scheduler.cursor(from).unwrap();
            let to = streams[(at + 1) % streams.len()].clone();
            let names = [("from", from), ("to", to), ("turns", number(rounds))];
            scheduler.spawn_with(if at == 0 { &first } else { &node }, &names);
        }
        let started = Instant::now();
        finish(&mut scheduler);
        started.elapsed()
    });
    contender(&mut group, "tokio", RING, |rounds| {
        tokio_on_one_thread().block_on(async {
            let (first, mut from) = mpsc::channel::<u64>(1);
            let mut tasks = Vec::new();
            for _ in 1..RING {
                let (to, next) = mpsc::channel(1);
                let mut from = std::mem::replace(&mut from, next);
                tasks.push(tokio::spawn(async move {
                    while let Some(value) = from.recv().await {
                        to.send(value).await.unwrap();
                    }
                }));
            }
            let started = Instant::now();
            for round in 0..rounds {
                first.send(round).await.unwrap();
                assert_eq!(from.recv().await, Some(round));
            }
            let taken = started.elapsed();
            drop(first);
            for task in tasks {
                task.await.unwrap();
            }
            taken
        })
    });
    group.finish();
}

/// Whoever asks is answered at once, and yet gives way: what it costs to put one agent aside, and the next on
/// the machine.
fn change(criterion: &mut Criterion) {
    struct Echo;
    impl Outside for Echo {
        fn serve(&self, mut request: Request) -> Option<Request> {
            let value = request.args.pop().unwrap_or(Value::Nil);
            request.answer(Ok(value));
            None
        }
    }
    let asks = program("(loop [n 0] (if (= n turns) n (recur (+ 1 (perform :echo n)))))");
    let mut group = criterion.benchmark_group("agents/change among 100");
    contender(&mut group, "yin", RING, |rounds| {
        let setup = Setup::default().outside(Arc::new(Echo));
        let mut scheduler = Scheduler::with(NoFacts, Limits::default(), setup);
        for _ in 0..RING {
            scheduler.spawn_with(&asks, &[("turns", number(rounds))]);
        }
        let started = Instant::now();
        finish(&mut scheduler);
        started.elapsed()
    });
    contender(&mut group, "lua", RING, |rounds| {
        let lua = mlua::Lua::new();
        let source = "local size, rounds = ...
            local ring = {}
            for i = 1, size do
              ring[i] = coroutine.wrap(function(n) while true do n = coroutine.yield(n + 1) end end)
            end
            local n = 0
            for _ = 1, rounds do for i = 1, size do n = ring[i](n) end end
            return n";
        let run = lua.load(source).into_function().unwrap();
        let started = Instant::now();
        let steps: u64 = run.call((RING, rounds)).unwrap();
        assert_eq!(steps, RING * rounds);
        started.elapsed()
    });
    group.finish();
}

/// A value that waits for its agent, or an agent that waits for a value.
#[derive(Default)]
struct Mailbox {
    value: Option<Value>,
    waiting: Option<Request>,
}

/// What agents of one scheduler send is received by those of another.
struct Link {
    own: Arc<Mutex<Mailbox>>,
    other: Arc<Mutex<Mailbox>>,
}

impl Outside for Link {
    fn serve(&self, mut request: Request) -> Option<Request> {
        let is_sent = request.op.as_str() == "send";
        let mut mailbox = if is_sent { &self.other } else { &self.own }.lock().unwrap();
        let (answered, value) = match (is_sent, mailbox.value.take()) {
            (true, None) => {
                let value = request.args.pop().unwrap_or(Value::Nil);
                let waiting = mailbox.waiting.take();
                if waiting.is_none() {
                    mailbox.value = Some(value.clone());
                }
                drop(mailbox);
                if let Some(waiting) = waiting {
                    waiting.answer(Ok(value));
                }
                (request, Value::Nil)
            }
            (true, Some(_)) => panic!("each value is received before the next one is sent"),
            (false, Some(value)) => (request, value),
            (false, None) => {
                mailbox.waiting = Some(request);
                return None;
            }
        };
        answered.answer(Ok(value));
        None
    }
}

/// One value to and fro between two threads, each of which has nothing else to do: every step wakes a thread.
fn ping_pong(criterion: &mut Criterion) {
    let pings = program(
        "(loop [n 0] (if (= n turns) n (do (perform :send n) (if (= (perform :receive) n) (recur (+ n 1)) (fail \"another value\")))))",
    );
    let pongs = program(
        "(loop [n 0] (if (= n turns) n (do (perform :send (perform :receive)) (recur (+ n 1)))))",
    );
    let mut group = criterion.benchmark_group("agents/ping-pong across two threads");
    contender(&mut group, "yin", 2, |rounds| {
        let (one, other) = (Arc::<Mutex<Mailbox>>::default(), Arc::<Mutex<Mailbox>>::default());
        let run = |program: &Program, own: &Arc<Mutex<Mailbox>>, other: &Arc<Mutex<Mailbox>>| {
            let link = Link { own: own.clone(), other: other.clone() };
            let setup = Setup::default().outside(Arc::new(link));
            let mut scheduler = Scheduler::with(NoFacts, Limits::default(), setup);
            scheduler.spawn_with(program, &[("turns", number(rounds))]);
            finish(&mut scheduler);
        };
        let started = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| run(&pongs, &other, &one));
            run(&pings, &one, &other);
        });
        started.elapsed()
    });
    contender(&mut group, "tokio", 2, |rounds| {
        let (to, mut received) = mpsc::channel::<u64>(1);
        let (back, mut returned) = mpsc::channel::<u64>(1);
        let started = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                tokio_on_one_thread().block_on(async move {
                    while let Some(value) = received.recv().await {
                        back.send(value).await.unwrap();
                    }
                });
            });
            tokio_on_one_thread().block_on(async move {
                for round in 0..rounds {
                    to.send(round).await.unwrap();
                    assert_eq!(returned.recv().await, Some(round));
                }
                drop(to);
            });
        });
        started.elapsed()
    });
    group.finish();
}

/// Writers and readers in pairs, a stream of 64 between the two of each.
fn streams(criterion: &mut Criterion) {
    for (name, pairs, threads) in [
        ("agents/a stream of 64 on one thread", 1, 0),
        ("agents/32 streams of 64 on two threads", PAIRS, 2),
    ] {
        let mut group = criterion.benchmark_group(name);
        contender(&mut group, "yin", pairs, |rounds| yin_pairs(pairs, threads, rounds));
        contender(&mut group, "tokio", pairs, |rounds| tokio_pairs(pairs, threads, rounds));
        group.finish();
    }
}

fn yin_pairs(pairs: u64, threads: usize, values: u64) -> Duration {
    let put = program(
        "(loop [n 0] (if (= n count) (stream/close to) (do (stream/put to n) (recur (+ n 1)))))",
    );
    let take = program(
        "(loop [sum 0] (let [x (stream/next from)] (if (nil? x) (if (= sum all) sum (fail \"lost\")) (recur (+ sum x)))))",
    );
    let mut scheduler = scheduler(threads);
    let started = Instant::now();
    for _ in 0..pairs {
        let to = scheduler.stream(CAPACITY);
        let from = scheduler.cursor(&to).unwrap();
        let all = number(values * values.saturating_sub(1) / 2);
        scheduler.spawn_with(&take, &[("from", from), ("all", all)]);
        scheduler.spawn_with(&put, &[("to", to), ("count", number(values))]);
    }
    finish(&mut scheduler);
    started.elapsed()
}

fn tokio_pairs(pairs: u64, threads: usize, values: u64) -> Duration {
    let runtime = match threads {
        0 => tokio_on_one_thread(),
        _ => tokio::runtime::Builder::new_multi_thread().worker_threads(threads).build().unwrap(),
    };
    let started = Instant::now();
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for _ in 0..pairs {
            let (to, mut from) = mpsc::channel::<u64>(CAPACITY);
            tasks.push(tokio::spawn(async move {
                let mut sum = 0;
                while let Some(value) = from.recv().await {
                    sum += value;
                }
                assert_eq!(sum, values * values.saturating_sub(1) / 2);
            }));
            tasks.push(tokio::spawn(async move {
                for value in 0..values {
                    to.send(value).await.unwrap();
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    started.elapsed()
}
