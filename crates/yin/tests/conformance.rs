//! The cases of another implementation: AST in map form, or source, with the value it must have.
//!
//! They lie in `$CONFORMANCE_DIR/yin`, or in `../shared/conformance/yin` beside the project. Each AST is written as the
//! source form it stands for, so the reader is under test as well.

mod common;

use std::path::PathBuf;

use common::FUEL;
use datom::{Value, edn};
use yin::{Engine, Limits, Machine, NoFacts, Outcome, Program, State};

/// What is not part of the vocabulary, and why.
const SKIPPED: &[(&str, &str)] = &[
    ("stream/", "streams between programs are not part of the language"),
    ("vm/park", "a continuation parks by `perform` only"),
    ("vm/resume", "a continuation is resumed by whoever runs the machine"),
    ("vm/current-continuation", "continuations are no values of the language"),
    ("vm/store-get", "globals are read by name only"),
];

fn cases() -> Option<Value> {
    let folder = std::env::var_os("CONFORMANCE_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance")),
        PathBuf::from,
    );
    let text = std::fs::read_to_string(folder.join("yin/cases.edn")).ok()?;
    Some(edn::read(&text).unwrap())
}

fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::List(items.into_iter().collect())
}

/// The source form of an AST in map form.
fn form(ast: &Value) -> Result<Value, String> {
    let get = |key| ast.get(key).cloned().unwrap_or(Value::Nil);
    let child = |key| form(&get(key));
    let children = |key| -> Result<Vec<Value>, String> {
        get(key).as_slice().unwrap_or(&[]).iter().map(form).collect()
    };
    let kind = get("type");
    let kind = kind.as_keyword().unwrap().as_str();
    if let Some((_, reason)) = SKIPPED.iter().find(|(prefix, _)| kind.starts_with(prefix)) {
        return Err((*reason).to_owned());
    }
    Ok(match kind {
        "literal" => list([Value::symbol("quote"), get("value")]),
        "variable" => get("name"),
        "lambda" => list([Value::symbol("fn"), get("params"), child("body")?]),
        "if" => {
            list([Value::symbol("if"), child("test")?, child("consequent")?, child("alternate")?])
        }
        "application" => {
            let operands = children("operands")?;
            if get("operator").get("name") == Some(&Value::symbol("yin/def")) {
                let [Value::List(name), value] = operands.as_slice() else { panic!("{ast}") };
                return Ok(list([Value::symbol("def"), name[1].clone(), value.clone()]));
            }
            list([child("operator")?].into_iter().chain(operands))
        }
        "dao.stream.apply/call" => {
            list([Value::symbol("perform"), get("op")].into_iter().chain(children("operands")?))
        }
        "vm/gensym" => list([Value::symbol("gensym"), get("prefix")]),
        other => panic!("an unknown type {other}"),
    })
}

/// A literal that stands for the value of an earlier step becomes that value.
fn substitute(value: &Value, values: &[Value]) -> Value {
    match value {
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
}

impl Bench {
    fn new(way: Way) -> Self {
        let engine = if let Way::On(engine) = way { engine } else { Engine::Register };
        let machine = Machine::new(NoFacts, Limits::default()).with_engine(engine);
        Self { machine, way, programs: Vec::new() }
    }

    fn run(&mut self, source: &str, bridge: &Value) -> Outcome {
        let program = Program::read("case", source).unwrap();
        self.programs.push(program.clone());
        self.machine.start(&program).unwrap();
        loop {
            match self.machine.run(if self.way == Way::Alternating { 1 } else { FUEL }) {
                Outcome::Perform { id, op, args } => {
                    self.machine.resume(id, Ok(handler(bridge, op.as_str(), &args))).unwrap();
                }
                Outcome::OutOfFuel if self.way == Way::Alternating => self.change(),
                outcome => return outcome,
            }
        }
    }

    fn change(&mut self) {
        let engine = match self.machine.engine() {
            Engine::Register => Engine::Stepper,
            _ => Engine::Register,
        };
        let bytes = self.machine.capture().unwrap().to_bytes();
        let mut other = Machine::new(NoFacts, Limits::default()).with_engine(engine);
        let known = |hash: &[u8; 32]| self.programs.iter().find(|p| p.hash() == *hash).cloned();
        other.restore(&State::from_bytes(&bytes).unwrap(), known).unwrap();
        self.machine = other;
    }
}

fn check(name: &str, step: &Value, outcome: &Outcome) -> Value {
    if let Some(expected) = step.get("expect-error").and_then(Value::as_text) {
        let Outcome::Failed(error) = outcome else { panic!("{name}: {outcome:?}") };
        assert!(error.message.contains(expected), "{name}: {error}");
        return Value::Nil;
    }
    let Outcome::Done(value) = outcome else { panic!("{name}: {outcome:?}") };
    if let Some(expected) = step.get("expect") {
        assert_eq!(as_vectors(value), as_vectors(expected), "{name}");
    }
    match step.get("expect-type").and_then(Value::as_keyword).map(|kind| kind.as_str().to_owned()) {
        Some(kind) if kind == "closure" => {
            assert!(
                matches!(value, Value::Tagged(tag, _) if tag.as_str() == "yin/function"),
                "{name}"
            );
        }
        Some(kind) => panic!("{name}: {kind}"),
        None => {}
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

fn pass(way: Way) {
    let Some(cases) = cases() else {
        return println!("skipped: no conformance cases beside the project");
    };
    let (mut passed, mut skipped) = (0, Vec::new());
    for case in cases.as_slice().unwrap() {
        let name = case.get("name").unwrap().as_text().unwrap();
        let nil = Value::Nil;
        let bridge = case.get("bridge").unwrap_or(&nil);
        let single = Value::Vector(vec![case.clone()]);
        let steps = case.get("steps").unwrap_or(&single).as_slice().unwrap();
        let mut bench = Bench::new(way);
        let mut values = Vec::new();
        let mut reason = None;
        for step in steps {
            let source = match (step.get("source"), step.get("ast")) {
                (Some(source), _) => source.as_text().unwrap().to_owned(),
                (None, Some(ast)) => match form(&substitute(ast, &values)) {
                    Ok(form) => form.to_string(),
                    Err(why) => {
                        reason = Some(why);
                        break;
                    }
                },
                _ => panic!("{name}: neither source nor AST"),
            };
            let outcome = bench.run(&source, bridge);
            values.push(check(name, step, &outcome));
        }
        match reason {
            Some(why) => skipped.push(format!("{name}: {why}")),
            None => passed += 1,
        }
    }
    println!(
        "{way:?}: {passed} cases pass, {} skipped:\n  {}",
        skipped.len(),
        skipped.join("\n  ")
    );
    assert!(passed > 0);
    assert!(skipped.len() <= 9, "more is skipped than is known: {skipped:#?}");
}
