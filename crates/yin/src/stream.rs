//! Streams: bounded, read by cursors, with back-pressure.
//!
//! | request | answer |
//! | --- | --- |
//! | `(perform :stream/make capacity)` | a stream; 1,024 values fit if no capacity is given |
//! | `(perform :stream/put stream value)` | the value, once there is room for it |
//! | `(perform :stream/put stream value ms)` | the same, or the error `stream/full` after so long |
//! | `(perform :stream/cursor stream)` | a reader at the oldest value the stream still has |
//! | `(perform :stream/next cursor)` | the next value, once there is one; nil at the end |
//! | `(perform :stream/next cursor ms else)` | the same, or `else` after so many milliseconds |
//! | `(perform :stream/close stream)` | nil |
//!
//! 1. Streams and cursors have numbers that are never given twice. A number that was given and is not
//!    known any more is that of a stream that is closed and empty, or of a cursor at its end.

pub(crate) mod channel;

use std::collections::BTreeMap;
use std::time::Duration;

use datom::Value;

pub(crate) use channel::{Answers, Channel, End, Reply};

/// A stream holds no more values than this, whatever is asked for.
const CAPACITY_MAX: usize = 1 << 20;
const CAPACITY: usize = 1_024;

/// A request, and its answer.
pub type Answered = (u64, Result<Value, Value>);

/// An error value's content.
pub(crate) fn refused(kind: &str, message: &str) -> Value {
    Value::map([
        (Value::keyword("kind"), Value::keyword(kind)),
        (Value::keyword("message"), Value::text(message)),
    ])
}

/// Why a request for a stream is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamTrouble {
    /// `stream/closed`: it takes no more values.
    Closed,
    /// `stream/broken`: whoever made it failed, and there are no more values.
    Broken,
    /// `stream/full`: there was no room for the value in the time given.
    Full,
    /// `stream/unknown`: no such stream.
    NoStream,
    /// `stream/unknown`: no such cursor.
    NoCursor,
}

impl StreamTrouble {
    /// The error value that a program is answered: a map with `:kind` and `:message`.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self {
            Self::Closed => refused("stream/closed", "the stream is closed"),
            Self::Broken => refused("stream/broken", "whoever made the stream failed"),
            Self::Full => {
                refused("stream/full", "the stream had no room for the value in that time")
            }
            Self::NoStream => refused("stream/unknown", "there is no such stream"),
            Self::NoCursor => refused("stream/unknown", "there is no such cursor"),
        }
    }
}

pub(crate) const STREAM: &str = "yin/stream";
pub(crate) const CURSOR: &str = "yin/cursor";

/// A stream as a value of programs.
pub(crate) fn stream_value(id: u64) -> Value {
    Value::Tagged(STREAM.into(), Box::new(Value::Int(id as i64)))
}

/// A cursor as a value of programs.
pub(crate) fn cursor_value(id: u64) -> Value {
    Value::Tagged(CURSOR.into(), Box::new(Value::Int(id as i64)))
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

/// The number of a stream.
pub(crate) fn stream_id(value: &Value) -> Option<u64> {
    id_of(STREAM, Some(value))
}

/// How long somebody waits, in milliseconds as programs say it.
pub(crate) fn milliseconds(value: Option<&Value>) -> Option<Duration> {
    match value? {
        Value::Int(ms) => Some(Duration::from_millis(u64::try_from(*ms).unwrap_or(0))),
        _ => None,
    }
}

/// A request for a stream, understood.
///
/// ```
/// use yin::StreamRequest;
///
/// let args = vec![StreamRequest::stream(7), 42.into()];
/// let read = StreamRequest::read("stream/put", args);
/// assert_eq!(read, Ok(StreamRequest::Put { stream: 7, value: 42.into(), within: None }));
/// assert_eq!(StreamRequest::read("fs/read", vec![]), Err(vec![]));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StreamRequest {
    /// A new stream.
    Make {
        /// Values that fit into it, at least 1.
        capacity: usize,
    },
    /// To put a value into a stream.
    Put {
        /// The number of the stream.
        stream: u64,
        /// The value, which is also the answer.
        value: Value,
        /// How long to wait for room.
        within: Option<Duration>,
    },
    /// A reader of a stream, at its oldest value.
    Cursor {
        /// The number of the stream.
        stream: u64,
    },
    /// The next value of a cursor.
    Next {
        /// The number of the cursor.
        cursor: u64,
        /// How long to wait for it.
        within: Option<Duration>,
        /// The answer if there is none by then.
        otherwise: Value,
    },
    /// No more values.
    Close {
        /// The number of the stream.
        stream: u64,
    },
    /// It makes no sense, and is refused.
    Wrong(StreamTrouble),
}

impl StreamRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// The arguments, if it is none for a stream.
    pub fn read(op: &str, args: Vec<Value>) -> Result<Self, Vec<Value>> {
        let stream = id_of(STREAM, args.first());
        let within = |at| milliseconds(args.get(at));
        Ok(match (op, stream) {
            ("stream/make", _) => Self::Make {
                capacity: match args.first() {
                    Some(Value::Int(n)) => usize::try_from(*n).unwrap_or(1).clamp(1, CAPACITY_MAX),
                    _ => CAPACITY,
                },
            },
            ("stream/put", Some(stream)) => {
                let within = within(2);
                let value = args.into_iter().nth(1).unwrap_or(Value::Nil);
                Self::Put { stream, value, within }
            }
            ("stream/cursor", Some(stream)) => Self::Cursor { stream },
            ("stream/next", _) => match id_of(CURSOR, args.first()) {
                Some(cursor) => {
                    let within = within(1);
                    let otherwise = args.into_iter().nth(2).unwrap_or(Value::Nil);
                    Self::Next { cursor, within, otherwise }
                }
                None => Self::Wrong(StreamTrouble::NoCursor),
            },
            ("stream/close", Some(stream)) => Self::Close { stream },
            ("stream/put" | "stream/cursor" | "stream/close", None) => {
                Self::Wrong(StreamTrouble::NoStream)
            }
            _ => return Err(args),
        })
    }

    /// A stream as a value of programs: `#yin/stream 7`.
    #[must_use]
    pub fn stream(number: u64) -> Value {
        stream_value(number)
    }

    /// A cursor as a value of programs: `#yin/cursor 7`.
    #[must_use]
    pub fn cursor(number: u64) -> Value {
        cursor_value(number)
    }
}

/// All streams and cursors of whoever runs a machine without a scheduler. Nobody else can put or read
/// meanwhile, so whoever waits for some time only is answered at once, as if it had passed.
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
#[derive(Clone, Debug, Default)]
pub struct Streams {
    streams: BTreeMap<u64, Channel<u64>>,
    /// The stream of each cursor.
    cursors: BTreeMap<u64, u64>,
    last: u64,
}

/// The one program that has these streams.
const ALONE: u64 = 0;

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
        let ask = StreamRequest::read(op, args)?;
        let mut answers = Vec::new();
        if let Some(reply) = self.answer(request, ask, &mut answers) {
            answers.push((request, reply));
        }
        Ok(answers)
    }

    fn answer(&mut self, by: u64, ask: StreamRequest, answers: &mut Answers<u64>) -> Option<Reply> {
        match ask {
            StreamRequest::Wrong(trouble) => Some(Err(trouble.to_value())),
            StreamRequest::Make { capacity } => {
                self.last += 1;
                self.streams.insert(self.last, Channel::new(capacity, ALONE));
                Some(Ok(stream_value(self.last)))
            }
            StreamRequest::Put { stream, value, within } => {
                let Some(channel) = self.streams.get_mut(&stream) else {
                    return Some(Err(StreamTrouble::NoStream.to_value()));
                };
                let reply = channel.put(|| by, value, answers);
                let has_waited = within.is_some() && reply.is_none();
                if has_waited && channel.withdraw(&by, answers) {
                    return Some(Err(StreamTrouble::Full.to_value()));
                }
                reply
            }
            StreamRequest::Cursor { stream } => {
                let Some(channel) = self.streams.get_mut(&stream) else {
                    return Some(Err(StreamTrouble::NoStream.to_value()));
                };
                self.last += 1;
                channel.open(self.last, ALONE);
                self.cursors.insert(self.last, stream);
                Some(Ok(cursor_value(self.last)))
            }
            StreamRequest::Next { cursor, within, otherwise } => {
                let stream = self.cursors.get(&cursor);
                let Some(channel) = stream.and_then(|stream| self.streams.get_mut(stream)) else {
                    return Some(Err(StreamTrouble::NoCursor.to_value()));
                };
                let reply = channel.next(|| by, cursor, answers);
                let has_waited = within.is_some() && reply.is_none();
                if has_waited && channel.withdraw(&by, answers) {
                    return Some(Ok(otherwise));
                }
                reply
            }
            StreamRequest::Close { stream } => match self.streams.get_mut(&stream) {
                Some(channel) => {
                    channel.close(End::Closed, answers);
                    Some(Ok(Value::Nil))
                }
                None => Some(Err(StreamTrouble::NoStream.to_value())),
            },
        }
    }
}
