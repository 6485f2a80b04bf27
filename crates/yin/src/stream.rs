//! Streams between the agents of a scheduler: bounded, read by cursors, with back-pressure.
//!
//! | request | answer |
//! | --- | --- |
//! | `(perform :stream/make capacity)` | a stream; 1,024 values fit if no capacity is given |
//! | `(perform :stream/put stream value)` | the value, once there is room for it |
//! | `(perform :stream/cursor stream)` | a reader at the oldest value the stream still has |
//! | `(perform :stream/next cursor)` | the next value, once there is one; nil at the end |
//! | `(perform :stream/close stream)` | nil |
//!
//! 1. A value is kept until every cursor has passed it, or, without cursors, until the end.
//! 2. Whoever finds a stream full or empty is parked, and served in the order of coming.

use std::collections::{BTreeMap, VecDeque};

use datom::Value;

use crate::scheduler::{AgentId, no_such};

/// A stream holds no more values than this, whatever is asked for.
const CAPACITY_MAX: usize = 1 << 20;
const CAPACITY: usize = 1_024;

/// Who asked, and by which request.
type Asker = (AgentId, u64);

/// An answer to a request.
pub(crate) struct Answer {
    pub(crate) to: Asker,
    pub(crate) answer: Result<Value, Value>,
}

#[derive(Clone)]
struct Stream {
    values: VecDeque<Value>,
    /// The position of the oldest value.
    first: u64,
    capacity: usize,
    is_closed: bool,
    putters: VecDeque<(Asker, Value)>,
    takers: VecDeque<(Asker, u64)>,
}

#[derive(Clone)]
struct Cursor {
    stream: u64,
    position: u64,
}

/// A request, and its answer.
pub type Answered = (u64, Result<Value, Value>);

/// All streams and cursors of a scheduler, or of whoever runs a machine without one.
///
/// ```
/// use yin::{Limits, Machine, NoFacts, Outcome, Program, Streams};
///
/// let source = "(let [s (stream/make 4) c (stream/cursor s)] (stream/put s 7) (stream/next c))";
/// let mut machine = Machine::new(NoFacts, Limits::default());
/// machine.start(&Program::read("t", source).unwrap()).unwrap();
/// let mut streams = Streams::default();
/// let value = loop {
///     match machine.run(1_000) {
///         Outcome::Perform { id, op, args } => {
///             for (id, answer) in streams.serve(id, op.as_str(), args).unwrap() {
///                 machine.resume(id, answer).unwrap();
///             }
///         }
///         outcome => break outcome,
///     }
/// };
/// assert_eq!(value, Outcome::Done(7.into()));
/// ```
#[derive(Clone, Default)]
pub struct Streams {
    streams: BTreeMap<u64, Stream>,
    cursors: BTreeMap<u64, Cursor>,
    next: u64,
}

/// An error value's content.
pub(crate) fn refused(kind: &str, message: &str) -> Value {
    Value::map([
        (Value::keyword("kind"), Value::keyword(kind)),
        (Value::keyword("message"), Value::text(message)),
    ])
}

fn named(tag: &str, id: u64) -> Value {
    Value::Tagged(tag.into(), Box::new(Value::Int(id as i64)))
}

fn id_of(tag: &str, value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Tagged(found, id) if found.as_str() == tag => match **id {
            Value::Int(id) => u64::try_from(id).ok(),
            _ => None,
        },
        _ => None,
    }
}

const STREAM: &str = "yin/stream";
const CURSOR: &str = "yin/cursor";

impl Streams {
    /// Serves a request of a machine that has no scheduler: gives the requests that are answered
    /// by now, this one or those that waited for it, with their answers.
    ///
    /// # Errors
    /// The arguments, if the operation is none of streams.
    pub fn serve(
        &mut self,
        request: u64,
        op: &str,
        args: Vec<Value>,
    ) -> Result<Vec<Answered>, Vec<Value>> {
        let answers = self.perform((AgentId::ALONE, request), op, args)?.into_iter();
        Ok(answers.map(|answer| (answer.to.1, answer.answer)).collect())
    }

    /// Serves a request, and whoever it sets free. Hands the arguments back if it is none of ours.
    pub(crate) fn perform(
        &mut self,
        by: Asker,
        op: &str,
        args: Vec<Value>,
    ) -> Result<Vec<Answer>, Vec<Value>> {
        let reply = |answer| Ok(vec![Answer { to: by, answer }]);
        let stream = id_of(STREAM, args.first());
        match op {
            "stream/make" => reply(Ok(self.make(args.first()))),
            "stream/put" => match stream.filter(|id| self.streams.contains_key(id)) {
                Some(id) => Ok(self.put(id, by, args.into_iter().nth(1).unwrap_or(Value::Nil))),
                None => reply(no_such("stream")),
            },
            "stream/cursor" => match stream.and_then(|id| Some((id, self.streams.get(&id)?.first)))
            {
                Some((stream, position)) => {
                    let id = self.fresh();
                    self.cursors.insert(id, Cursor { stream, position });
                    reply(Ok(named(CURSOR, id)))
                }
                None => reply(no_such("stream")),
            },
            "stream/next" => {
                let cursor = id_of(CURSOR, args.first());
                match cursor.and_then(|id| Some((id, self.cursors.get(&id)?.stream))) {
                    Some((cursor, stream)) => {
                        if let Some(stream) = self.streams.get_mut(&stream) {
                            stream.takers.push_back((by, cursor));
                        }
                        Ok(self.settle(stream))
                    }
                    None => reply(no_such("cursor")),
                }
            }
            "stream/close" => match stream.filter(|id| self.streams.contains_key(id)) {
                Some(id) => {
                    if let Some(stream) = self.streams.get_mut(&id) {
                        stream.is_closed = true;
                    }
                    let mut answers = self.settle(id);
                    answers.push(Answer { to: by, answer: Ok(Value::Nil) });
                    Ok(answers)
                }
                None => reply(no_such("stream")),
            },
            _ => Err(args),
        }
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn make(&mut self, capacity: Option<&Value>) -> Value {
        let capacity = match capacity {
            Some(Value::Int(n)) => usize::try_from(*n).unwrap_or(1).clamp(1, CAPACITY_MAX),
            _ => CAPACITY,
        };
        let id = self.fresh();
        let stream = Stream {
            values: VecDeque::new(),
            first: 0,
            capacity,
            is_closed: false,
            putters: VecDeque::new(),
            takers: VecDeque::new(),
        };
        self.streams.insert(id, stream);
        named(STREAM, id)
    }

    fn put(&mut self, id: u64, by: Asker, value: Value) -> Vec<Answer> {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.putters.push_back((by, value));
        }
        self.settle(id)
    }

    /// Serves whoever waits at a stream and can be served.
    fn settle(&mut self, id: u64) -> Vec<Answer> {
        let mut answers = Vec::new();
        let Self { streams, cursors, .. } = self;
        let Some(stream) = streams.get_mut(&id) else { return answers };
        loop {
            let before = answers.len();
            let slowest = cursors.values().filter(|cursor| cursor.stream == id);
            if let Some(slowest) = slowest.map(|cursor| cursor.position).min() {
                while stream.first < slowest && stream.values.pop_front().is_some() {
                    stream.first += 1;
                }
            }
            while let Some((by, value)) = stream.putters.pop_front() {
                if stream.is_closed {
                    let why = refused("stream/closed", "the stream is closed");
                    answers.push(Answer { to: by, answer: Err(why) });
                } else if stream.values.len() < stream.capacity {
                    stream.values.push_back(value.clone());
                    answers.push(Answer { to: by, answer: Ok(value) });
                } else {
                    stream.putters.push_front((by, value));
                    break;
                }
            }
            let mut waiting = VecDeque::new();
            for (by, cursor_id) in std::mem::take(&mut stream.takers) {
                let Some(cursor) = cursors.get_mut(&cursor_id) else { continue };
                let at = cursor.position.saturating_sub(stream.first);
                let value = usize::try_from(at).ok().and_then(|at| stream.values.get(at));
                match value {
                    Some(value) => {
                        cursor.position += 1;
                        answers.push(Answer { to: by, answer: Ok(value.clone()) });
                    }
                    None if stream.is_closed => {
                        answers.push(Answer { to: by, answer: Ok(Value::Nil) });
                    }
                    None => waiting.push_back((by, cursor_id)),
                }
            }
            stream.takers = waiting;
            if answers.len() == before {
                return answers;
            }
        }
    }

    /// An agent has ended: it waits no longer.
    pub(crate) fn forget(&mut self, agent: AgentId) {
        for stream in self.streams.values_mut() {
            stream.putters.retain(|((id, _), _)| *id != agent);
            stream.takers.retain(|((id, _), _)| *id != agent);
        }
    }
}
