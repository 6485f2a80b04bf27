use std::collections::BTreeMap;

use daodb::{Category, Database, Error};
use datom::{Keyword, Value, edn};
use yin::{StreamRequest, Streams};

use super::{Ask, Turn};
use crate::schema;

fn world() -> Database {
    let database = Database::memory().unwrap();
    for transaction in schema::schema() {
        database.transact(&transaction).unwrap();
    }
    database
}

fn state(database: &Database, agent: &str, status: &str) {
    let text = format!("[{{:agent/name {agent:?} :agent/status :agent.status/{status}}}]");
    database.transact(edn::read(&text).unwrap().as_slice().unwrap()).unwrap();
}

/// What somebody is answered; `None` if it would wait.
fn ask(database: &Database, agent: &str, request: StreamRequest) -> Option<Result<Value, Value>> {
    match Ask::Stream(request).turn(&database.db().unwrap(), agent).unwrap() {
        Turn::Now(facts, answer) => {
            database.transact(&facts).unwrap();
            Some(answer)
        }
        Turn::Wait => None,
    }
}

fn number(value: &Value) -> u64 {
    let Value::Tagged(_, number) = value else { panic!("{value} is no stream") };
    let Value::Int(number) = **number else { panic!() };
    number as u64
}

fn put(stream: u64, value: impl Into<Value>) -> StreamRequest {
    StreamRequest::Put { stream, value: value.into(), within: None }
}

fn next(cursor: u64) -> StreamRequest {
    StreamRequest::Next { cursor, within: None, otherwise: Value::Nil }
}

/// Streams and cursors of the world, and what they are called by the model.
#[derive(Default)]
struct Both {
    streams: Vec<(u64, u64)>,
    cursors: Vec<(u64, u64)>,
}

/// Whatever is asked in whatever order, streams of the world answer as those in memory do.
#[test]
fn streams_of_the_world_are_those_in_memory() {
    for seed in 1..=8_u64 {
        let (database, mut model, mut both) = (world(), Streams::default(), Both::default());
        let mut random = seed;
        let mut below = |bound: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random as usize % bound
        };
        for step in 0..150_u64 {
            let (streams, cursors) = (both.streams.len(), both.cursors.len());
            let stream = (streams > 0).then(|| both.streams[below(streams.max(1))]);
            let cursor = (cursors > 0).then(|| both.cursors[below(cursors.max(1))]);
            let within = Some(std::time::Duration::ZERO);
            let mut ask_both =
                |make: &dyn Fn(bool) -> (StreamRequest, &'static str, Vec<Value>)| {
                    let (request, op, args) = (make(true).0, make(false).1, make(false).2);
                    let known = model.serve(step, op, args).unwrap();
                    // Nobody else comes, so whoever would wait has waited.
                    let asked = Ask::Stream(request.clone());
                    let patience = asked.patience().map(|(_, answer)| answer);
                    let own = ask(&database, "ada", request).or(patience);
                    (own.unwrap(), known[0].1.clone())
                };
            match (below(10), stream, cursor) {
                (0, ..) | (_, None, _) => {
                    let (own, known) = ask_both(&|_| {
                        let capacity = 3;
                        (StreamRequest::Make { capacity }, "stream/make", vec![3.into()])
                    });
                    both.streams.push((number(&own.unwrap()), number(&known.unwrap())));
                }
                (1, Some((own, known)), _) => {
                    let (own, known) = ask_both(&|_| {
                        let args = vec![StreamRequest::stream(known)];
                        (StreamRequest::Cursor { stream: own }, "stream/cursor", args)
                    });
                    both.cursors.push((number(&own.unwrap()), number(&known.unwrap())));
                }
                (2, Some((own, known)), _) if step % 4 == 0 => {
                    let (own, known) = ask_both(&|_| {
                        let args = vec![StreamRequest::stream(known)];
                        (StreamRequest::Close { stream: own }, "stream/close", args)
                    });
                    assert_eq!(own, known, "seed {seed}, step {step}");
                }
                (3..=6, _, Some((own, known))) => {
                    let (own, known) = ask_both(&|_| {
                        let args = vec![StreamRequest::cursor(known), 0.into(), "none".into()];
                        let otherwise = "none".into();
                        let request = StreamRequest::Next { cursor: own, within, otherwise };
                        (request, "stream/next", args)
                    });
                    assert_eq!(own, known, "seed {seed}, step {step}");
                }
                (_, Some((own, known)), _) => {
                    let value = Value::Vector(vec![Value::Int(step as i64), Value::text("täxt")]);
                    let (own, known) = ask_both(&|_| {
                        let args = vec![StreamRequest::stream(known), value.clone(), 0.into()];
                        let value = value.clone();
                        (StreamRequest::Put { stream: own, value, within }, "stream/put", args)
                    });
                    assert_eq!(own, known, "seed {seed}, step {step}");
                }
            }
        }
    }
}

#[test]
fn a_stream_ends_as_its_agent_does_and_a_reader_that_is_no_more_holds_nobody_back() {
    for (status, behind) in [("done", None), ("cancelled", None), ("failed", Some("stream/broken"))]
    {
        let database = world();
        state(&database, "maker", "running");
        let made = ask(&database, "maker", StreamRequest::Make { capacity: 1 });
        let stream = number(&made.unwrap().unwrap());
        let [slow, quick] = ["slow", "quick"].map(|agent| {
            state(&database, agent, "running");
            let opened = ask(&database, agent, StreamRequest::Cursor { stream });
            number(&opened.unwrap().unwrap())
        });
        assert_eq!(ask(&database, "maker", put(stream, 1)), Some(Ok(1.into())));
        assert_eq!(ask(&database, "quick", next(quick)), Some(Ok(1.into())));
        assert_eq!(ask(&database, "maker", put(stream, 2)), None, "one has not read it yet");
        state(&database, "slow", "done");
        assert_eq!(ask(&database, "maker", put(stream, 2)), Some(Ok(2.into())));
        assert_eq!(ask(&database, "quick", next(slow)), Some(Ok(Value::Nil)), "it is over");
        state(&database, "maker", status);
        assert_eq!(ask(&database, "quick", next(quick)), Some(Ok(2.into())));
        let end = ask(&database, "quick", next(quick)).unwrap();
        let kind = end.err().and_then(|why| why.get("kind").cloned());
        assert_eq!(kind, behind.map(Value::keyword), "{status}");
        let late = ask(&database, "quick", put(stream, 3)).unwrap().unwrap_err();
        assert_eq!(late.get("kind"), Some(&Value::keyword("stream/closed")));
    }
}

/// Two come to the same place of a stream at the same time: the later one's transaction is refused, as one to make
/// anew.
#[test]
fn who_is_too_late_is_told_so() {
    let database = world();
    let stream =
        number(&ask(&database, "ada", StreamRequest::Make { capacity: 9 }).unwrap().unwrap());
    let cursor = number(&ask(&database, "ada", StreamRequest::Cursor { stream }).unwrap().unwrap());
    ask(&database, "ada", put(stream, 1)).unwrap().unwrap();
    let requests: BTreeMap<&str, StreamRequest> = [
        ("make", StreamRequest::Make { capacity: 1 }),
        ("cursor", StreamRequest::Cursor { stream }),
        ("put", put(stream, 2)),
        ("next", next(cursor)),
    ]
    .into();
    for (name, request) in requests {
        let db = database.db().unwrap();
        let [one, other] = ["ada", "eve"].map(|agent| {
            match Ask::Stream(request.clone()).turn(&db, agent).unwrap() {
                Turn::Now(facts, _) => facts,
                Turn::Wait => panic!("{name} is answered at once"),
            }
        });
        database.transact(&one).unwrap();
        let Err(Error::Rejected(why)) = database.transact(&other) else { panic!("{name}") };
        assert!(matches!(why.category, Category::Cas | Category::Unique), "{name}: {why}");
    }
}

#[test]
fn an_inbox_is_found_by_name_or_by_number_in_the_group() {
    let read = |args: &[Value]| Ask::read(&Keyword::from("agent/inbox"), args, "team");
    let name = |ask| match ask {
        Some(Ask::Inbox(name)) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(name(read(&[3.into()])), "team/3");
    assert_eq!(name(read(&["boss".into()])), "boss");
    assert!(Ask::read(&Keyword::from("fs/read"), &[], "team").is_none());
}
