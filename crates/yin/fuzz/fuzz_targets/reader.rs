//! Any text: it is a program or an error. A program prints as source that reads to the same AST, and runs
//! on both engines to the same end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yin::{Engine, Limits, Machine, NoFacts, Outcome, Program};

const FUEL: u64 = 20_000;

fn run(program: &Program, engine: Engine) -> Outcome {
    let mut machine =
        Machine::new(NoFacts, Limits::default().heap_words(1 << 18)).with_engine(engine);
    machine.start(program).unwrap();
    machine.run(FUEL)
}

fuzz_target!(|text: &str| {
    let _formatted = yin::format("fuzz", text);
    let Ok(program) = Program::read("fuzz", text) else { return };
    let printed = program.print();
    if let Ok(again) = Program::read("fuzz", &printed) {
        let hashes = |p: &Program| p.forms().iter().map(|&f| p.tree().hash(f)).collect::<Vec<_>>();
        assert_eq!(hashes(&again), hashes(&program), "{printed}");
    }
    if let (Outcome::Done(one), Outcome::Done(other)) =
        (run(&program, Engine::Register), run(&program, Engine::Stepper))
    {
        assert_eq!(one, other, "{printed}");
    }
});
