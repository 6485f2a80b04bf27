//! The cases of another implementation: AST in map form, or source, with the value it must have.
//!
//! They lie in `$CONFORMANCE_DIR/yin`, or in `../shared/conformance/yin` beside the project. Each AST is
//! printed and read again, so printer and reader are under test as well.

mod common;

use std::path::PathBuf;

use common::{FUEL, Written};
use datom::{Value, edn};
use yin::{Engine, Limits, Machine, NoFacts, Outcome, Program, Streams};

fn cases() -> Option<Value> {
    let folder = std::env::var_os("CONFORMANCE_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance")),
        PathBuf::from,
    );
    let text = std::fs::read_to_string(folder.join("yin/cases.edn")).ok()?;
    Some(edn::read(&text).unwrap())
}

/// A literal that stands for the value of an earlier step becomes that value.
fn substitute(value: &Value, values: &[Value]) -> Value {
    match value {
        Value::Vector(items) if items.first() == Some(&Value::keyword("case/parked-id-of")) => {
            let Value::Int(step) = items[1] else { panic!("{value}") };
            let Value::Tagged(tag, id) = &values[step as usize] else { panic!("{values:?}") };
            assert_eq!(tag.as_str(), "yin/parked");
            id.as_ref().clone()
        }
        Value::Vector(items) if items.first() == Some(&Value::keyword("case/value-of")) => {
            let Value::Int(step) = items[1] else { panic!("{value}") };
            values[step as usize].clone()
        }
        Value::Vector(items) => {
            Value::Vector(items.iter().map(|item| substitute(item, values)).collect())
        }
        Value::Map(map) => Value::Map(
            map.iter().map(|(key, item)| (key.clone(), substitute(item, values))).collect(),
        ),
        other => other.clone(),
    }
}

/// Lists and vectors count as equal there.
fn as_vectors(value: &Value) -> Value {
    match value {
        Value::List(items) | Value::Vector(items) => {
            Value::Vector(items.iter().map(as_vectors).collect())
        }
        other => other.clone(),
    }
}

fn handler(bridge: &Value, op: &str, args: &[Value]) -> Value {
    match bridge.get(op).and_then(Value::as_keyword).map(|name| name.as_str().to_owned()).as_deref()
    {
        Some("identity") => args[0].clone(),
        Some("sum") => Value::Int(
            args.iter().map(|arg| if let Value::Int(n) = arg { *n } else { panic!() }).sum(),
        ),
        _ => panic!("no handler for {op}"),
    }
}

/// How programs are run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    On(Engine),
    /// Moved to a fresh machine with the other engine at each unit of fuel.
    Alternating,
}

/// A machine, and the programs it has seen.
struct Bench {
    machine: Machine,
    way: Way,
    programs: Vec<Program>,
    streams: Streams,
}

impl Bench {
    fn new(way: Way) -> Self {
        let engine = if let Way::On(engine) = way { engine } else { Engine::Register };
        let machine = Machine::new(NoFacts, Limits::default()).with_engine(engine);
        Self { machine, way, programs: Vec::new(), streams: Streams::default() }
    }

    fn start(&mut self, program: Program) {
        self.machine.start(&program).unwrap();
        self.programs.push(program);
    }

    fn run(&mut self, program: Program, bridge: &Value) -> Outcome {
        self.start(program);
        loop {
            match self.go_on(bridge, if self.way == Way::Alternating { 1 } else { FUEL }) {
                Outcome::OutOfFuel if self.way == Way::Alternating => {
                    self.machine = self.moved(&Written::Archive);
                }
                outcome => return outcome,
            }
        }
    }

    /// Runs until the program ends, waits for somebody, or has used up its fuel.
    fn go_on(&mut self, bridge: &Value, fuel: u64) -> Outcome {
        loop {
            match self.machine.run(fuel) {
                Outcome::Perform { id, op, args } => {
                    let args = match self.streams.serve(id, op.as_str(), args.clone()) {
                        Err(args) => args,
                        Ok(none) if none.is_empty() => return Outcome::Perform { id, op, args },
                        Ok(answers) => {
                            for (id, answer) in answers {
                                self.machine.resume(id, answer).unwrap();
                            }
                            continue;
                        }
                    };
                    self.machine.resume(id, Ok(handler(bridge, op.as_str(), &args))).unwrap();
                }
                outcome => return outcome,
            }
        }
    }

    /// A fresh machine with the other engine, where the program stands as it does here.
    fn moved(&mut self, written: &Written) -> Machine {
        let engine = match self.machine.engine() {
            Engine::Register => Engine::Stepper,
            _ => Engine::Register,
        };
        let state = written.read_back(&self.machine.capture().unwrap(), &self.programs);
        let mut other = Machine::new(NoFacts, Limits::default()).with_engine(engine);
        let known = |hash: &[u8; 32]| self.programs.iter().find(|p| p.hash() == *hash).cloned();
        other.restore(&state, known).unwrap();
        other
    }

    fn fork(&mut self, written: &Written) -> Self {
        let machine = self.moved(written);
        let (programs, streams) = (self.programs.clone(), self.streams.clone());
        Self { machine, way: Way::On(Engine::Register), programs, streams }
    }
}

fn check(name: &str, step: &Value, outcome: &Outcome) -> Value {
    if let Some(expected) = step.get("expect-error").and_then(Value::as_text) {
        let Outcome::Failed(error) = outcome else { panic!("{name}: {outcome:?}") };
        assert!(error.message.contains(expected), "{name}: {error}");
        return Value::Nil;
    }
    if step.get("expect-blocked") == Some(&Value::Bool(true)) {
        assert!(matches!(outcome, Outcome::Perform { .. }), "{name}: {outcome:?}");
        return Value::Nil;
    }
    let Outcome::Done(value) = outcome else { panic!("{name}: {outcome:?}") };
    if let Some(expected) = step.get("expect") {
        assert_eq!(as_vectors(value), as_vectors(expected), "{name}");
    }
    if let Some(kind) = step.get("expect-type").and_then(Value::as_keyword) {
        let wanted = match kind.as_str() {
            "closure" => "yin/function",
            "reified-continuation" => "yin/continuation",
            "parked-continuation" => "yin/parked",
            "stream-ref" => "yin/stream",
            "cursor-ref" => "yin/cursor",
            other => panic!("{name}: {other}"),
        };
        assert!(matches!(value, Value::Tagged(tag, _) if tag.as_str() == wanted), "{name}");
    }
    if step.get("expect-kind") == Some(&Value::keyword("keyword")) {
        assert!(value.as_keyword().is_some(), "{name}");
    }
    value.clone()
}

#[test]
fn programs_of_the_original_have_their_values_on_each_engine_and_between_them() {
    for way in [Way::On(Engine::Register), Way::On(Engine::Stepper), Way::Alternating] {
        pass(way);
    }
}

/// One case: programs that are run in order.
struct Case<'c> {
    name: &'c str,
    bridge: &'c Value,
    steps: Vec<Value>,
}

impl<'c> Case<'c> {
    fn of(case: &'c Value) -> Self {
        let steps = match case.get("steps") {
            Some(steps) => steps.as_slice().unwrap().to_vec(),
            None => vec![case.clone()],
        };
        let name = case.get("name").unwrap().as_text().unwrap();
        Self { name, bridge: case.get("bridge").unwrap_or(&Value::Nil), steps }
    }

    fn program(&self, at: usize, values: &[Value]) -> Program {
        let step = &self.steps[at];
        let program = match (step.get("source"), step.get("ast")) {
            (Some(source), _) => Program::read("case", source.as_text().unwrap()),
            (None, Some(ast)) => Program::from_ast("case", &substitute(ast, values)),
            _ => panic!("{}: neither source nor AST", self.name),
        };
        program.unwrap()
    }

    /// The rest of the case, from a step on.
    fn finish(&self, bench: &mut Bench, from: usize, values: &mut Vec<Value>) {
        for at in from..self.steps.len() {
            let outcome = bench.run(self.program(at, values), self.bridge);
            values.push(check(self.name, &self.steps[at], &outcome));
        }
    }
}

fn pass(way: Way) {
    let Some(cases) = cases() else {
        return println!("skipped: no conformance cases beside the project");
    };
    let cases = cases.as_slice().unwrap();
    for case in cases {
        let case = Case::of(case);
        case.finish(&mut Bench::new(way), 0, &mut Vec::new());
    }
    println!("{way:?}: all {} cases pass", cases.len());
    assert!(cases.len() >= 52);
}

/// Programs are stopped at no more than so many ticks.
const TICKS_MAX: usize = 10_000;

/// Stops the programs of a case at each tick, and goes on with what was written on the other engine.
fn stop_everywhere(case: &Case<'_>, first: Engine, written: &Written) -> usize {
    let mut expected = Vec::new();
    case.finish(&mut Bench::new(Way::On(Engine::Register)), 0, &mut expected);
    let mut bench = Bench::new(Way::On(first));
    let (mut values, mut ticks, mut stops) = (Vec::new(), 0, 0);
    for at in 0..case.steps.len() {
        bench.start(case.program(at, &values));
        let outcome = loop {
            match bench.go_on(case.bridge, 1) {
                Outcome::OutOfFuel => {}
                outcome => break outcome,
            }
            ticks += 1;
            if ticks > TICKS_MAX {
                continue;
            }
            stops += 1;
            let mut there = bench.fork(written);
            let outcome = there.go_on(case.bridge, FUEL);
            let mut found = values.clone();
            found.push(check(case.name, &case.steps[at], &outcome));
            case.finish(&mut there, at + 1, &mut found);
            assert_eq!(found, expected, "{}: stopped after {ticks}", case.name);
        };
        values.push(check(case.name, &case.steps[at], &outcome));
    }
    assert_eq!(values, expected, "{}", case.name);
    stops
}

#[test]
fn programs_of_the_original_go_on_anywhere_from_archives_and_from_datoms() {
    let Some(cases) = cases() else {
        return println!("skipped: no conformance cases beside the project");
    };
    let mut stops = 0;
    for case in cases.as_slice().unwrap() {
        let case = Case::of(case);
        for engine in [Engine::Register, Engine::Stepper] {
            stops += stop_everywhere(&case, engine, &Written::datoms());
            stops += stop_everywhere(&case, engine, &Written::Archive);
        }
    }
    println!("{stops} stops");
    assert!(stops > 400, "{stops}");
}
