//! What continuations cost: `cargo run --release -p yin --example continuations`.
//!
//! Each figure is the best of several rounds.

use std::time::{Duration, Instant};

use yin::{Engine, Event, Limits, Machine, NoFacts, Outcome, Program, Scheduler, State};

/// Rounds of each program; the best counts.
const ROUNDS: usize = 5;
/// Vectors of three that are made and forgotten.
const TURNS: usize = 10_000_000;
/// Agents that wait at the same time, and what each may take.
const PARKED: usize = 100_000;
const PARKED_BYTES_MAX: f64 = 1024.0;

fn machine(engine: Engine) -> Machine {
    Machine::new(NoFacts, Limits::default()).with_engine(engine)
}

/// A program on a machine that knows nothing yet.
fn first_run(program: &Program) -> Duration {
    let mut machine = machine(Engine::Register);
    machine.start(program).unwrap();
    let started = Instant::now();
    assert!(matches!(machine.run(u64::MAX), Outcome::Done(_)));
    started.elapsed()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The mean time of one call, over the best of some rounds.
fn each(times: u32, mut run: impl FnMut()) -> Duration {
    (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            (0..times).for_each(|_| run());
            started.elapsed() / times
        })
        .min()
        .unwrap_or_default()
}

/// A program that waits in so many calls.
fn waiting(depth: usize) -> (Program, Machine) {
    let source =
        format!("(defn deep [n] (if (= n 0) (perform :ask) (+ n (deep (- n 1))))) (deep {depth})");
    let program = Program::read("deep", &source).unwrap();
    let mut machine = machine(Engine::Register);
    machine.start(&program).unwrap();
    assert!(matches!(machine.run(u64::MAX), Outcome::Perform { .. }));
    (program, machine)
}

fn continuations() {
    println!();
    println!(
        "{:<8} {:>8} {:>12} {:>10} {:>10} {:>10} {:>10}",
        "calls", "bytes", "bytes/call", "capture", "encode", "decode", "resume"
    );
    for depth in [1, 10, 100, 1_000, 10_000] {
        let (_, mut waiting) = waiting(depth);
        let times = (200_000 / depth).clamp(10, 20_000) as u32;
        let capture = each(times, || drop(std::hint::black_box(waiting.capture().unwrap())));
        let state = waiting.capture().unwrap();
        let encode = each(times, || drop(std::hint::black_box(state.to_bytes())));
        let bytes = state.to_bytes();
        let decode = each(times, || drop(std::hint::black_box(State::from_bytes(&bytes).unwrap())));
        let resume = each(times, || {
            waiting.abandon();
            waiting.restore(&state, |_| None).unwrap();
        });
        let empty = each(20, || ()).as_nanos();
        println!(
            "{:<8} {:>8} {:>12.1} {:>7} ns {:>7} ns {:>7} ns {:>7} ns",
            depth,
            bytes.len(),
            bytes.len() as f64 / depth as f64,
            capture.as_nanos() - empty.min(capture.as_nanos()),
            encode.as_nanos(),
            decode.as_nanos(),
            resume.as_nanos()
        );
    }
}

fn single() {
    println!();
    let program =
        Program::read("p", "(defn down [n] (if (= n 0) 0 (down (- n 1)))) (down 1000)").unwrap();
    let mut warm = machine(Engine::Register);
    let countdown = each(200, || {
        warm.start(&program).unwrap();
        assert!(matches!(warm.run(u64::MAX), Outcome::Done(_)));
    });
    println!("countdown 1000, warm: {:.1} us", countdown.as_secs_f64() * 1e6);

    let asking = Program::read("p", "(loop [n 0] (recur (+ n (perform :ask n))))").unwrap();
    let mut parked = machine(Engine::Register);
    parked.start(&asking).unwrap();
    let Outcome::Perform { mut id, .. } = parked.run(u64::MAX) else { panic!() };
    let effect = each(100_000, || {
        parked.resume(id, Ok(1.into())).unwrap();
        let Outcome::Perform { id: next, .. } = parked.run(u64::MAX) else { panic!() };
        id = next;
    });
    println!("park + effect + resume: {} ns", effect.as_nanos());

    let parts: String = (0..200)
        .map(|n| {
            format!("(defn f{n} [a b c] (if (< a b) (let [d (+ a {n})] (* d c)) (- b (+ c {n})))) ")
        })
        .collect();
    let calls: String = (0..200).map(|n| format!("(f{n} 1 2 3) ")).collect();
    let program = Program::read("cold", &format!("{parts} {calls}")).unwrap();
    let nodes = program.tree().len();
    let cold = (0..ROUNDS).map(|_| first_run(&program)).min().unwrap_or_default();
    println!("first calls of {nodes} nodes: {} ns a node", cold.as_nanos() / nodes as u128);
}

/// What a collection costs a program that holds much: all of it is one pause.
fn collections() {
    println!();
    println!(
        "{:<12} {:>12} {:>14} {:>16} {:>18}",
        "live pairs", "collections", "longest slice", "of the time", "allocated MB/s"
    );
    for live in [0, 1_000, 10_000, 100_000, 1_000_000] {
        let source = format!(
            "(def live (loop [n 0 v []] (if (= n {live}) v (recur (inc n) (conj v [n n])))))
             (perform :begin)
             (loop [n 0 last nil] (if (= n {TURNS}) (count live) (recur (inc n) [n n n])))"
        );
        let program = Program::read("garbage", &source).unwrap();
        let mut machine = machine(Engine::Register);
        machine.start(&program).unwrap();
        let Outcome::Perform { id, .. } = machine.run(u64::MAX) else { panic!() };
        machine.resume(id, Ok(1.into())).unwrap();
        let before = machine.collections();
        let mut slices = Vec::new();
        let started = Instant::now();
        loop {
            let slice = Instant::now();
            let outcome = machine.run(1_000);
            slices.push(slice.elapsed());
            match outcome {
                Outcome::OutOfFuel => {}
                Outcome::Done(_) => break,
                other => panic!("{other:?}"),
            }
        }
        let whole = started.elapsed();
        slices.sort();
        let usual = slices[slices.len() / 2] * slices.len() as u32;
        // A vector of three is a header and three words.
        let bytes = TURNS as f64 * 32.0;
        println!(
            "{live:<12} {:>12} {:>11.2} ms {:>14.0} % {:>18.0}",
            machine.collections() - before,
            ms(slices[slices.len() - 1]),
            100.0 * (1.0 - usual.as_secs_f64() / whole.as_secs_f64()).max(0.0),
            bytes / whole.as_secs_f64() / 1e6
        );
    }
}

/// Pages of memory that this process has, in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4096
}

/// Agents that wait for an answer, each with its own state.
fn parked_agents() {
    println!();
    let source =
        "(defn ask [n] (+ n (perform :ask n))) (loop [n 0 sum 0] (recur (+ n 1) (+ sum (ask n))))";
    let program = Program::read("agent", source).unwrap();
    let mut scheduler = Scheduler::new(NoFacts, Limits::default());
    let before = resident();
    for _ in 0..PARKED {
        scheduler.spawn(&program);
    }
    let started = Instant::now();
    let mut asked = Vec::with_capacity(PARKED);
    while let Event::Perform { agent, request, .. } = scheduler.run() {
        asked.push((agent, request));
    }
    assert_eq!(asked.len(), PARKED);
    let bytes = (resident() - before) as f64 / PARKED as f64;
    let each = started.elapsed().as_nanos() / PARKED as u128;
    println!("{PARKED} parked agents: {bytes:.0} bytes each, parked in {each} ns each");
    assert!(bytes <= PARKED_BYTES_MAX, "a parked agent takes more than {PARKED_BYTES_MAX} bytes");
    let started = Instant::now();
    for (agent, request) in asked {
        scheduler.resume(agent, request, Ok(1.into())).unwrap();
    }
    for _ in 0..PARKED {
        assert!(matches!(scheduler.run(), Event::Perform { .. }));
    }
    println!(
        "resumed, asked again and parked: {} ns each",
        started.elapsed().as_nanos() / PARKED as u128
    );
}

fn main() {
    continuations();
    single();
    collections();
    parked_agents();
}
