//! What live code, cold code and states as datoms cost.
//!
//!     cargo run --release -p yin --example live

use std::time::{Duration, Instant};

use daodb::Database;
use yin::{Limits, Machine, NoFacts, Outcome, Program, State};

fn best(rounds: u32, mut run: impl FnMut() -> Duration) -> Duration {
    (0..rounds).map(|_| run()).min().unwrap_or_default()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// A name is redefined while a program with a thousand functions runs.
fn redefinition() {
    let functions: String = (0..1_000).map(|n| format!("(defn f{n} [x] (+ x {n})) ")).collect();
    let source = format!("{functions} (loop [] (do (f7 1) (recur)))");
    let program = Program::read("main", &source).unwrap();
    let versions: Vec<Program> = (0..200)
        .map(|n| Program::read("new", &format!("(defn f7 [x] (- x {n}))")).unwrap())
        .collect();
    let hashes: std::collections::BTreeSet<_> = versions.iter().map(Program::hash).collect();
    assert_eq!(hashes.len(), versions.len());
    let mut machine = Machine::new(NoFacts, Limits::default());
    machine.start(&program).unwrap();
    let name = "f7".into();
    let mut new = Vec::new();
    for version in &versions {
        assert_eq!(machine.run(100), Outcome::OutOfFuel);
        let started = Instant::now();
        machine.redefine(&name, version).unwrap();
        new.push(started.elapsed());
    }
    new.sort();
    let known = best(50, || {
        let started = Instant::now();
        versions.iter().for_each(|version| machine.redefine(&name, version).unwrap());
        started.elapsed() / versions.len() as u32
    });
    println!("redefine by a program that is new: {:.2} us (median)", micros(new[new.len() / 2]));
    println!("redefine by a program that is known: {:.2} us", micros(known));
}

/// A program is loaded from a database, and every function called for the first time.
fn cold() {
    let functions: String = (0..1_000)
        .map(|n| {
            format!("(defn f{n} [a b] (if (< a b) (let [d (+ a {n})] (* d b)) (- b (+ a {n})))) ")
        })
        .collect();
    let calls: String = (0..1_000).map(|n| format!("(f{n} 1 2) ")).collect();
    let program = Program::read("cold", &format!("{functions} {calls}")).unwrap();
    let nodes = program.tree().len();
    let world = Database::memory().unwrap();
    world.transact(&yin::schema()).unwrap();
    world.transact(&program.transaction()).unwrap();
    let db = world.db().unwrap();
    let load = best(5, || {
        let started = Instant::now();
        Program::load(&db, &program.entity()).unwrap();
        started.elapsed()
    });
    let loaded = Program::load(&db, &program.entity()).unwrap();
    let call = best(5, || {
        let mut machine = Machine::new(NoFacts, Limits::default());
        machine.start(&loaded).unwrap();
        let started = Instant::now();
        assert!(matches!(machine.run(1_000_000), Outcome::Done(_)));
        started.elapsed()
    });
    let each = |time| micros(time) / nodes as f64;
    println!(
        "{nodes} nodes: loaded in {:.2} us a node, compiled and called in {:.2}",
        each(load),
        each(call)
    );
}

/// A state of ten calls, as an archive and as datoms.
fn states() {
    let source = "(defn deep [n] (if (= n 0) (perform :ask) (+ n (deep (- n 1))))) (deep 10)";
    let program = Program::read("deep", source).unwrap();
    let mut machine = Machine::new(NoFacts, Limits::default());
    machine.start(&program).unwrap();
    machine.run(1_000);
    let state = machine.capture().unwrap();
    let world = Database::memory().unwrap();
    world.transact(&yin::schema()).unwrap();
    world.transact(&State::schema()).unwrap();
    world.transact(&program.transaction()).unwrap();
    let facts = |state: &State| state.transaction(|_| Some(program.clone())).unwrap();
    let report = world.transact(&facts(&state)).unwrap();
    let db = world.db().unwrap();
    let timed = |run: &dyn Fn()| {
        best(20, || {
            let started = Instant::now();
            run();
            started.elapsed()
        })
    };
    let archive = timed(&|| drop(State::from_bytes(&state.to_bytes()).unwrap()));
    let told = timed(&|| drop(facts(&state)));
    let read = timed(&|| drop(State::load(&db, &state.entity()).unwrap()));
    println!(
        "{} calls: archive {} bytes, written and read in {:.1} us; {} datoms, told in {:.0} us, read in {:.0} us",
        state.calls(),
        state.to_bytes().len(),
        micros(archive),
        report.datoms.len(),
        micros(told),
        micros(read),
    );
}

fn main() {
    redefinition();
    cold();
    states();
}
