//! A program may be stopped anywhere, written down, and gone on with elsewhere.
//!
//! Each program here is run once without a stop. Then it is run on one engine up to the n-th unit
//! of fuel, for every n until it is done, written as bytes or as datoms, read by a fresh machine with the
//! other engine, and run to its end there: the value, the errors and the effects must be the same.

mod common;

use common::{FUEL, Written};
use datom::Value;
use yin::{Engine, Error, Limits, Machine, NoFacts, Outcome, Program};

/// Programs are stopped at no more than so many ticks.
const TICKS_MAX: u64 = 10_000;

const PROGRAMS: &[&str] = &[
    "(defn fib [n] (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))) (fib 9)",
    "(loop [n 20 s []] (if (= n 0) s (recur (- n 1) (conj s n))))",
    "(defn count-down [n] (if (= n 0) :done (count-down (- n 1)))) (count-down 50)",
    "[(map inc [1 2 3]) (filter odd? (range 9)) (reduce + 0 (range 6)) (sort > [3 1 2])]",
    "(let [k 3 f (fn [x] (fn [y] [k x y]))] (map (f 1) [1 2 3]))",
    "(defn f [a & more] (if (= a 0) more (f (- a 1) a more \"a longer text\"))) (f 4)",
    "(def t {:a [1 2.5e300 \"some text\" #{:x}]}) (defn g [n] (if (= n 0) t (assoc (g (- n 1)) n t))) (g 3)",
    "(let [x (perform :ask 1)] (loop [n 3 s x] (if (= n 0) (perform :tell s) (recur (- n 1) (+ s (perform :ask n))))))",
    "(+ 1 (let [a (perform :ask 1) b (let [c (perform :ask a)] (* c 2))] (if (> (perform :ask b) 2) (- a b) 0)))",
    "((fn [x y] (+ x (perform :ask y))) (perform :ask 1) ((fn [] 5)))",
    "(defn down [n] (+ n (if (= n 0) 0 (down (- n 1))))) (try (down 5) (finally (perform :tell 1)))",
    "(try (map (fn [x] (if (= x 2) (throw [:stop x]) x)) [1 2 3]) (catch e [:caught e (perform :ask 7)]))",
    "(defn boom [n] (if (= n 0) (/ 1 0) (+ 1 (boom (- n 1))))) (try (boom 3) (catch e (error-kind e)))",
    "(prompt :p (+ 1 (control :p k (+ (k 10) (perform :ask 5) (k 20)))))",
    "(prompt :p [(identity 2) (control :p k (map k [1 2 (perform :ask 3)]))])",
    "(def k nil) [(prompt :p (+ (identity 100) (control :p c (do (def k c) (c 1))))) (identity 1) (k (perform :ask 2))]",
    "(defn fact [n] (if (= n 0) 1 (* n (fact (- n 1))))) (fact 30)",
    "(defn f [x] (cond (= x 0) [:end] (and (odd? x) (or nil (f (- x 1)))) (conj (f (- x 1)) x) :else (f (- x 1)))) (f 6)",
    "(defn f [n] (* n n)) (loop [n 5 v [] m {}] (if (= n 0) [v m] (recur (- n 1) (conj v (f n) n) (assoc m n (f (count v))))))",
    "(loop [n 40 s \"\" v []] (if (= n 0) [s v] (recur (- n 1) (str s n) (if (even? n) (conj v s) v))))",
    "(apply (fn [a b & c] [a b c (apply max c)]) 1 [2 3 4])",
    "(defn f [n] (if (= n 0) (fail \"at the end\") (+ 1 (f (- n 1))))) (f 4)",
    "(defn slow [x] x) [(slow 0) (slow 1) (slow 2) (slow 3) (slow 4) (slow 5) (slow 6) (slow 7) (slow 8) (slow 9) (slow 10) (slow 11) (slow 12) (slow 13) (slow 14) (slow 15) (slow 16) (slow 17) (slow 18) (slow 19) (slow 20) (slow 21) (slow 22) (slow 23) (slow 24) (slow 25) (slow 26) (slow 27) (slow 28) (slow 29) (slow 30) (slow 31) (slow 32) (slow 33) (slow 34) (slow 35) (slow 36) (slow 37) (slow 38) (slow 39) (slow 40) (slow 41) (slow 42) (slow 43) (slow 44) (slow 45) (slow 46) (slow 47) (slow 48) (slow 49) (slow 50) (slow 51) (slow 52) (slow 53) (slow 54) (slow 55) (slow 56) (slow 57) (slow 58) (slow 59) (slow 60) (slow 61) (slow 62) (slow 63) (slow 64) (slow 65) (slow 66) (slow 67) (slow 68) (slow 69)]",
];

/// How a program ended, and what it had asked for.
type Run = (Result<Value, Error>, Vec<Value>);

fn fresh(engine: Engine) -> Machine {
    Machine::new(NoFacts, Limits::default()).with_engine(engine)
}

/// Answers every request with its first argument plus one.
fn answer(asked: &mut Vec<Value>, op: &datom::Keyword, args: Vec<Value>) -> Value {
    let first = args.first().cloned().unwrap_or(Value::Nil);
    asked.push(Value::Vector([Value::Keyword(op.clone())].into_iter().chain(args).collect()));
    match first {
        Value::Int(n) => Value::Int(n + 1),
        other => other,
    }
}

fn finish(machine: &mut Machine, mut asked: Vec<Value>) -> Run {
    loop {
        match machine.run(FUEL) {
            Outcome::Done(value) => return (Ok(value), asked),
            Outcome::Failed(error) => return (Err(error), asked),
            Outcome::Perform { id, op, args } => {
                let value = answer(&mut asked, &op, args);
                machine.resume(id, Ok(value)).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Moves a program to a fresh machine.
fn moved(machine: &mut Machine, engine: Engine, program: &Program, as_: &Written) -> Machine {
    let state = machine
        .capture()
        .unwrap_or_else(|error| panic!("{}: {error} {machine:?}", program.source()));
    let state = as_.read_back(&state, std::slice::from_ref(program));
    let mut other = fresh(engine);
    let known = |hash: &[u8; 32]| (*hash == program.hash()).then(|| program.clone());
    other.restore(&state, known).unwrap();
    // Nothing was lost or added on the way.
    assert_eq!(other.capture().unwrap().calls(), state.calls());
    other
}

fn same(found: &Run, expected: &Run, what: &str) {
    assert_eq!(found.1, expected.1, "{what}: effects");
    match (&found.0, &expected.0) {
        (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{what}"),
        (Err(found), Err(expected)) => {
            assert_eq!(
                (found.kind, &found.message, &found.position),
                (expected.kind, &expected.message, &expected.position),
                "{what}"
            );
        }
        other => panic!("{what}: {other:?}"),
    }
}

fn other(engine: Engine) -> Engine {
    if engine == Engine::Register { Engine::Stepper } else { Engine::Register }
}

/// Stops a program after each number of ticks, and goes on with it on the other engine.
fn stop_everywhere(source: &str, first: Engine, second: Engine, as_: &Written) -> u64 {
    let program = Program::read("test.yin", source).unwrap();
    let mut machine = fresh(Engine::Register);
    machine.start(&program).unwrap();
    let expected = finish(&mut machine, Vec::new());
    for stop in 0..TICKS_MAX {
        let mut machine = fresh(first);
        machine.start(&program).unwrap();
        let mut asked = Vec::new();
        let mut left = stop;
        let ended = loop {
            match machine.run(left.min(1)) {
                Outcome::OutOfFuel if left == 0 => break false,
                Outcome::OutOfFuel => left -= 1,
                Outcome::Perform { id, op, args } => {
                    // Parked is a stop of its own.
                    let mut there = moved(&mut machine, second, &program, as_);
                    let mut told = asked.clone();
                    let value = answer(&mut told, &op, args.clone());
                    there.resume(id, Ok(value.clone())).unwrap();
                    same(&finish(&mut there, told), &expected, source);
                    answer(&mut asked, &op, args);
                    machine.resume(id, Ok(value)).unwrap();
                }
                Outcome::Done(_) | Outcome::Failed(_) => break true,
                other => panic!("{other:?}"),
            }
        };
        if ended {
            return stop;
        }
        let mut there = moved(&mut machine, second, &program, as_);
        same(&finish(&mut there, asked), &expected, &format!("{source} after {stop}"));
    }
    TICKS_MAX
}

#[test]
fn a_program_stopped_anywhere_goes_on_on_the_other_engine() {
    let mut stops = 0;
    for source in PROGRAMS {
        for engine in [Engine::Register, Engine::Stepper] {
            stops += stop_everywhere(source, engine, other(engine), &Written::Archive);
        }
    }
    println!("{stops} stops");
    assert!(stops > 500, "{stops}");
}

#[test]
fn a_program_stopped_anywhere_is_datoms_and_goes_on_from_them() {
    let mut stops = 0;
    for (at, source) in PROGRAMS.iter().enumerate() {
        // Each engine is the first for every other program.
        let engine = if at % 2 == 0 { Engine::Register } else { Engine::Stepper };
        stops += stop_everywhere(source, engine, other(engine), &Written::datoms());
    }
    println!("{stops} stops");
    assert!(stops > 250, "{stops}");
}

#[test]
fn a_program_can_change_its_engine_at_every_tick() {
    for source in PROGRAMS {
        let program = Program::read("test.yin", source).unwrap();
        let mut machine = fresh(Engine::Register);
        machine.start(&program).unwrap();
        let expected = finish(&mut machine, Vec::new());
        let mut engine = Engine::Stepper;
        let mut machine = fresh(engine);
        machine.start(&program).unwrap();
        let mut asked = Vec::new();
        let found = loop {
            match machine.run(1) {
                Outcome::Done(value) => break Ok(value),
                Outcome::Failed(error) => break Err(error),
                Outcome::Perform { id, op, args } => {
                    let value = answer(&mut asked, &op, args);
                    machine.resume(id, Ok(value)).unwrap();
                }
                Outcome::OutOfFuel => {
                    engine = other(engine);
                    machine = moved(&mut machine, engine, &program, &Written::Archive);
                }
                other => panic!("{other:?}"),
            }
        };
        same(&(found, asked), &expected, source);
    }
}

#[test]
fn a_state_whose_program_is_unknown_is_refused_by_name() {
    let program = Program::read("t", "(perform :ask)").unwrap();
    let mut machine = fresh(Engine::Register);
    machine.start(&program).unwrap();
    machine.run(10);
    let state = machine.capture().unwrap();
    let mut stranger = fresh(Engine::Register);
    let error = stranger.restore(&state, |_| None).unwrap_err();
    assert!(error.message.contains("is not known here"), "{error}");
    stranger.start(&program).unwrap();
}
