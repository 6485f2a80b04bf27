//! Yin beside Lua 5.4, rhai and CPython: the same programs, taken in turns; the best of several rounds counts.
//! With `agents`, its scheduler beside tokio's and Lua's coroutines, by Criterion; with `collections`, its collector
//! beside Lua's.

mod agents;
mod cases;
mod collections;
mod peers;

use std::time::{Duration, Instant};

use cases::CASES;
use yin::{Engine, Limits, Machine, NoFacts, Outcome, Program};

/// What the measurements of the scheduler are called.
const AGENTS: &str = "agents";
/// What the measurements of the collector are called.
const COLLECTIONS: &str = "collections";
/// Rounds of each program; the best counts.
const ROUNDS: usize = 5;

fn machine(engine: Engine) -> Machine {
    Machine::new(NoFacts, Limits::default()).with_engine(engine)
}

fn yin(program: &Program, engine: Engine) -> (Duration, String) {
    let mut machine = machine(engine);
    machine.start(program).unwrap();
    let started = Instant::now();
    match machine.run(u64::MAX) {
        Outcome::Done(value) => (started.elapsed(), value.to_string()),
        other => panic!("{other:?}"),
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The best of a program's rounds in one language, which has to give what the others do.
struct Best {
    time: Duration,
}

impl Best {
    const fn new() -> Best {
        Best { time: Duration::MAX }
    }

    fn take(&mut self, name: &str, expected: &str, (time, value): (Duration, String)) {
        assert_eq!(value, expected, "{name}");
        self.time = self.time.min(time);
    }
}

fn main() {
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    if filter.starts_with(AGENTS) {
        let mut criterion = criterion::Criterion::default().configure_from_args();
        agents::measure(&mut criterion);
        criterion.final_summary();
        return;
    }
    if filter == COLLECTIONS {
        return collections::measure();
    }
    programs(&filter);
}

fn programs(filter: &str) {
    println!(
        "{:<18} {:>9} {:>9} {:>9} {:>12} {:>10} {:>10}",
        "program", "yin ms", "lua ms", "yin/lua", "stepper/lua", "yin/rhai", "yin/cpython"
    );
    for case in CASES.iter().filter(|case| case.name.contains(filter)) {
        let program = Program::read(case.name, case.yin).unwrap();
        let [mut ours, mut lua, mut rhai, mut python] = [const { Best::new() }; 4];
        let expected = peers::lua(case.lua).1;
        for round in 0..ROUNDS {
            ours.take(case.name, &expected, yin(&program, Engine::Register));
            lua.take(case.name, &expected, peers::lua(case.lua));
            // These are slow enough for one.
            if round == 0 {
                rhai.take(case.name, &expected, peers::rhai(case.rhai));
                if let Some(ran) = peers::python(case.python) {
                    python.take(case.name, &expected, ran);
                }
            }
        }
        let stepped = yin(&program, Engine::Stepper).0;
        let beside = |one: Duration, other: Duration| match other {
            Duration::MAX => "-".to_owned(),
            other => format!("{:.2}", ms(one) / ms(other)),
        };
        println!(
            "{:<18} {:>9.2} {:>9.2} {:>9} {:>12} {:>10} {:>10}",
            case.name,
            ms(ours.time),
            ms(lua.time),
            beside(ours.time, lua.time),
            beside(stepped, lua.time),
            beside(ours.time, rhai.time),
            beside(ours.time, python.time)
        );
    }
}
