//! Runs a program without a database and says how long it took:
//! `cargo run --release -p yin --example run -- FILE`.

use std::time::Instant;

use yin::{Limits, Machine, NoFacts, Outcome, Program};

fn main() {
    let Some(path) = std::env::args().nth(1) else { return eprintln!("usage: run FILE") };
    let source = match std::fs::read_to_string(&path) {
        Ok(source) => source,
        Err(error) => return eprintln!("{path}: {error}"),
    };
    let mut machine = Machine::new(NoFacts, Limits::default());
    let started = Program::read(&path, &source).and_then(|program| machine.start(&program));
    if let Err(error) = started {
        return report(&error);
    }
    let start = Instant::now();
    let outcome = machine.run(u64::MAX);
    let elapsed = start.elapsed();
    match outcome {
        Outcome::Done(value) => println!("{value}"),
        Outcome::Failed(error) => report(&error),
        other => println!("{other:?}"),
    }
    eprintln!("{elapsed:?}, {} words, {} collections", machine.heap_words(), machine.collections());
}

fn report(error: &yin::Error) {
    eprintln!("{error}");
    if let Some(help) = &error.help {
        eprintln!("  {help}");
    }
    for call in &error.calls {
        match &call.position {
            Some(position) => eprintln!("  in {} at {position}", call.function),
            None => eprintln!("  in {}", call.function),
        }
    }
}
