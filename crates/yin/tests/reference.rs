//! The language reference: every example on it is run.

mod common;

use std::sync::Arc;

use daodb::Database;
use datom::{Value, edn};
use yin::{Error, Event, Limits, Program, Scheduler, Setup, VirtualClock};

const REFERENCE: &str = include_str!("../../../docs/yin.md");

type Run = fn(&str) -> Result<Value, Error>;

/// Runs a program as an agent in a world of its own, which knows notes and programs. The host
/// answers `:host/echo` with what it was given, and refuses everything else.
fn run_in_world(source: &str) -> Result<Value, Error> {
    let world = Database::memory().unwrap();
    world.transact(&yin::schema()).unwrap();
    let notes = "[{:db/ident :note/text, :db/valueType :db.type/string, \
                   :db/cardinality :db.cardinality/one, :db/unique :db.unique/identity}]";
    world.transact(edn::read(notes).unwrap().as_slice().unwrap()).unwrap();
    let setup = Setup::default().threads(0).clock(Arc::new(VirtualClock::default()));
    let mut scheduler = Scheduler::with(world, Limits::default(), setup);
    scheduler.spawn(&Program::read("test.yin", source)?);
    loop {
        match scheduler.run() {
            Event::Ended { result, .. } => return result,
            Event::Perform { agent, request, op, args } => {
                let answer = match op.as_str() {
                    "host/echo" => Ok(Value::Vector(args)),
                    _ => Err(Value::map([
                        (Value::keyword("kind"), Value::keyword("host/refused")),
                        (Value::keyword("message"), Value::text("not here")),
                    ])),
                };
                scheduler.resume(agent, request, answer).unwrap();
            }
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn every_example_of_the_reference_is_true() {
    let mut run: Option<Run> = None;
    let mut checked = 0;
    for (at, line) in REFERENCE.lines().enumerate() {
        if line.starts_with("```") {
            run = match line {
                "```yin" => Some(common::run),
                "```yin world" => Some(run_in_world),
                _ => None,
            };
            continue;
        }
        let Some(run) = run.filter(|_| !line.is_empty()) else { continue };
        let place = at + 1;
        let (source, expected) =
            line.split_once(";=>").unwrap_or_else(|| panic!("docs/yin.md:{place}: no `;=>`"));
        let expected = expected.trim();
        match (run(source), expected.strip_prefix("error: ")) {
            (Ok(value), None) => {
                assert_eq!(value, edn::read(expected).unwrap(), "docs/yin.md:{place}: {source}");
            }
            (Err(error), Some(message)) => {
                assert!(error.message.contains(message), "docs/yin.md:{place}: {error}");
                assert!(error.position.is_some(), "docs/yin.md:{place}");
            }
            (result, _) => panic!("docs/yin.md:{place}: {source} gives {result:?}"),
        }
        checked += 1;
    }
    assert!(checked > 50, "{checked}");
}
