//! Agents on threads: ten thousand in a ring of streams, looked at and killed; then what threads, messages,
//! changes of agents and waiting agents cost.
//!
//!     cargo run --release --package yin --example agents            the ring
//!     cargo run --release --package yin --example agents measure    the figures
//!
//! With `measure` it fails where a figure misses the bound that stands beside it here.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use datom::Value;
use yin::{AgentId, Event, Limits, NoFacts, Program, Scheduler, Setup};

const RING: usize = 10_000;
const TOKENS: usize = 100;
const COMPUTE: usize = 1_000;
const PARKED: usize = 100_000;
const PARKED_BYTES_MAX: usize = 1_024;
const SWITCH_NS_MAX: f64 = 500.0;
/// Writers and readers at a time.
const PAIRS: i64 = 32;
const MESSAGES: i64 = 300_000;
const YIELDS: i64 = 2_000;
/// The best of so many runs counts.
const ROUNDS: usize = 3;

fn scheduler(threads: usize) -> Scheduler {
    Scheduler::with(NoFacts, Limits::default(), Setup::default().threads(threads))
}

fn program(source: &str) -> Program {
    Program::read("agent.yin", source).expect("the source is a program")
}

/// Runs until all have ended, and none in an error.
fn finish(scheduler: &mut Scheduler) -> BTreeMap<AgentId, Value> {
    let mut values = BTreeMap::new();
    loop {
        match scheduler.run() {
            Event::Ended { agent, result } => {
                values.insert(agent, result.unwrap_or_else(|error| panic!("{error}")));
            }
            Event::Idle => return values,
            other => panic!("{other:?}"),
        }
    }
}

/// Tokens go round until one has made two rounds. Then the ring is looked at, some agents are killed, and
/// the ends of their streams run round the ring.
fn ring() {
    let node = program(
        "(loop [n 0]
           (let [token (stream/next from)]
             (if (int? token)
               (do (if (= token limit) (perform :round) nil) (stream/put to (+ token 1)) (recur (+ n 1)))
               (do (stream/close to) n))))",
    );
    let mut scheduler = scheduler(2);
    let started = Instant::now();
    let streams: Vec<Value> = (0..RING).map(|_| scheduler.stream(TOKENS)).collect();
    let limit = Value::Int(2 * RING as i64);
    let agents: Vec<AgentId> = (0..RING)
        .map(|at| {
            let from = scheduler.cursor(&streams[at]).expect("the stream is open");
            let to = streams[(at + 1) % RING].clone();
            let defined = [("from", from), ("to", to), ("limit", limit.clone())];
            scheduler.spawn_with(&node, &defined)
        })
        .collect();
    let starter = program("(doseq [to streams] (stream/put to 0)) :started");
    let some = streams.iter().step_by(RING / TOKENS).cloned().collect();
    scheduler.spawn_with(&starter, &[("streams", Value::Vector(some))]);
    let ended = scheduler.run();
    assert!(matches!(ended, Event::Ended { result: Ok(_), .. }), "{ended:?}");
    let Event::Perform { agent, .. } = scheduler.run() else { panic!("a token goes round") };
    println!(
        "{RING} agents on 2 threads: agent {} saw a token twice round the ring after {:.2} s",
        agent.number(),
        started.elapsed().as_secs_f64()
    );
    let sights = scheduler.agents();
    let is_waiting =
        |op: &str| sights.iter().filter(|sight| sight.waits_for == Some(op.into())).count();
    let bytes: usize = sights.iter().filter_map(|sight| sight.bytes).sum();
    let fuel: u64 = sights.iter().map(|sight| sight.fuel).sum();
    println!(
        "they have used {fuel} units of fuel, {} wait for a value, and each takes {} bytes",
        is_waiting("stream/next"),
        bytes / sights.len(),
    );
    for agent in agents.iter().step_by(RING / 10) {
        assert!(scheduler.kill(*agent));
    }
    println!("10 killed; {} are left in the ring", scheduler.len());
}

/// The best of some runs.
fn best(mut run: impl FnMut() -> Duration) -> Duration {
    (0..ROUNDS).map(|_| run()).min().unwrap_or_default()
}

fn compute(threads: usize) -> Duration {
    let fib = program("(defn fib [n] (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))) (fib 20)");
    best(|| {
        let mut scheduler = scheduler(threads);
        let started = Instant::now();
        for _ in 0..COMPUTE {
            scheduler.spawn(&fib);
        }
        assert_eq!(finish(&mut scheduler).len(), COMPUTE);
        started.elapsed()
    })
}

/// Values from one agent of each pair to the other, a stream of some capacity between them: nanoseconds for each.
fn messages(pairs: i64, threads: usize, capacity: usize) -> f64 {
    let put = program(
        "(loop [n 0] (if (= n count) (stream/close to) (do (stream/put to n) (recur (+ n 1)))))",
    );
    let take =
        program("(loop [sum 0] (let [x (stream/next from)] (if (nil? x) sum (recur (+ sum x)))))");
    let count = MESSAGES / pairs;
    let elapsed = best(|| {
        let mut scheduler = scheduler(threads);
        let started = Instant::now();
        for _ in 0..pairs {
            let to = scheduler.stream(capacity);
            let from = scheduler.cursor(&to).expect("the stream is open");
            scheduler.spawn_with(&take, &[("from", from)]);
            scheduler.spawn_with(&put, &[("to", to), ("count", Value::Int(count))]);
        }
        let values = finish(&mut scheduler);
        let sum = Value::Int(count * (count - 1) / 2);
        assert_eq!(values.values().filter(|value| **value == sum).count() as i64, pairs);
        started.elapsed()
    });
    elapsed.as_nanos() as f64 / (count * pairs) as f64
}

/// A ring of agents through which one value goes: each step is one agent that parks, and the next that is
/// woken, put on the machine, and served.
fn switch() -> f64 {
    let node = program(
        "(loop [n 0] (let [x (stream/next from)] (if (nil? x) (do (stream/close to) n) (do (stream/put to x) (recur (+ n 1))))))",
    );
    let first = program(
        "(loop [n 0] (if (= n turns) (stream/close to) (do (stream/put to n) (stream/next from) (recur (+ n 1)))))",
    );
    let size = 100;
    let elapsed = best(|| {
        let mut scheduler = scheduler(0);
        let streams: Vec<Value> = (0..size).map(|_| scheduler.stream(1)).collect();
        for at in 0..size {
            let from = scheduler.cursor(&streams[at]).expect("the stream is open");
            let to = streams[(at + 1) % size].clone();
            let names = [("from", from), ("to", to), ("turns", Value::Int(YIELDS))];
            scheduler.spawn_with(if at == 0 { &first } else { &node }, &names);
        }
        let started = Instant::now();
        assert_eq!(finish(&mut scheduler).len(), size);
        started.elapsed()
    });
    elapsed.as_nanos() as f64 / (YIELDS as f64 * size as f64)
}

/// Agents that wait for an answer, each inside a function with a loop behind it.
fn parked() {
    let source =
        "(defn ask [n] (+ n (perform :ask n))) (loop [n 0 sum 0] (recur (+ n 1) (+ sum (ask n))))";
    let program = program(source);
    let mut scheduler = scheduler(0);
    let started = Instant::now();
    for _ in 0..PARKED {
        scheduler.spawn(&program);
    }
    let mut asked = Vec::with_capacity(PARKED);
    while let Event::Perform { agent, request, .. } = scheduler.run() {
        asked.push((agent, request));
    }
    let parked = started.elapsed();
    let bytes: usize = scheduler.agents().iter().filter_map(|sight| sight.bytes).sum();
    let started = Instant::now();
    for (agent, request) in asked {
        scheduler.resume(agent, request, Ok(1.into())).expect("the agent waits");
    }
    while let Event::Perform { .. } = scheduler.run() {}
    let each = |time: Duration| time.as_nanos() / PARKED as u128;
    println!(
        "{PARKED} parked agents: {} bytes each; begun and parked in {} ns each, resumed and parked again in {} ns",
        bytes / PARKED,
        each(parked),
        each(started.elapsed()),
    );
    assert!(
        bytes / PARKED <= PARKED_BYTES_MAX,
        "a parked agent takes more than {PARKED_BYTES_MAX} bytes"
    );
}

fn measure() {
    let (one, two) = (compute(1), compute(2));
    println!(
        "{COMPUTE} agents that compute: {:.0} ms on 1 thread, {:.0} ms on 2: {:.2} times as fast",
        one.as_secs_f64() * 1e3,
        two.as_secs_f64() * 1e3,
        one.as_secs_f64() / two.as_secs_f64(),
    );
    for (pairs, capacity) in [(1, 1), (1, 64), (PAIRS, 64)] {
        println!(
            "a value, {pairs} pairs with streams of {capacity}: {:.0} ns on 1 thread, {:.0} ns on 2",
            messages(pairs, 1, capacity),
            messages(pairs, 2, capacity),
        );
    }
    // A step of that ring is a message, for which somebody parks and somebody is put on the machine; where
    // nobody has to, a message is two requests.
    let (step, message) = (switch(), messages(1, 0, 64));
    let nanoseconds = step - message;
    println!(
        "from agent to agent: {step:.0} ns with a value that is handed on, {nanoseconds:.0} ns without",
    );
    parked();
    assert!(nanoseconds <= SWITCH_NS_MAX, "a change of agents takes more than {SWITCH_NS_MAX} ns");
}

fn main() {
    match std::env::args().any(|argument| argument == "measure") {
        true => measure(),
        false => ring(),
    }
}
