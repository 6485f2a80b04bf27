//! Streams of agents that outlive their processes: facts of the world, as the agents are.
//!
//! 1. Putting a value and reading one is a transaction that also keeps the state of the program that asks and the
//!    answer it gets: both happened, or neither did, so nothing is put or read twice.
//! 2. Such a transaction compares what it depends on (how far the stream was written, the cursor read). If
//!    somebody else was faster it is refused, and made anew of what is so by then.
//! 3. How a stream ended follows from facts: it was closed, or the agent that made it has ended. A cursor is over
//!    when the agent that read from it last has ended, and holds nobody back then.
//! 4. A value is kept until every cursor has passed it; without cursors, for good.
//!
//! Cost of a request: a transaction, and looking at the cursors of the stream.

use daodb::{Db, Entity, Error, Index};
use datom::{Keyword, Value, Word, edn};
use yin::{StreamRequest, StreamTrouble};

use super::{CANCELLED, DONE, FAILED, lookup};

/// The attributes of streams, as EDN transaction data.
pub(crate) const SCHEMA: &str = r#"
[{:db/ident :stream/number :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/unique :db.unique/value :db/doc "Which stream it is: #yin/stream number."}
 {:db/ident :stream/agent :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/index true :db/doc "The name of the agent that a stream ends with."}
 {:db/ident :stream/inbox :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/unique :db.unique/value :db/doc "The name of the agent whose inbox it is."}
 {:db/ident :stream/capacity :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "Values that fit into a stream."}
 {:db/ident :stream/put :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "How many values were put into a stream."}
 {:db/ident :stream/passed :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "How many of these are kept no more."}
 {:db/ident :stream/closed :db/valueType :db.type/boolean :db/cardinality :db.cardinality/one
  :db/doc "Whether a stream was closed."}
 {:db/ident :stream/values :db/valueType :db.type/ref :db/cardinality :db.cardinality/many
  :db/isComponent true :db/doc "The values that a stream keeps."}
 {:db/ident :stream.value/key :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/unique :db.unique/value :db/doc "stream/place, counted from 0."}
 {:db/ident :stream.value/is :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/doc "A value on a stream, as EDN."}
 {:db/ident :cursor/number :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/unique :db.unique/value :db/doc "Which cursor it is: #yin/cursor number."}
 {:db/ident :cursor/stream :db/valueType :db.type/ref :db/cardinality :db.cardinality/one
  :db/doc "The stream that a cursor reads."}
 {:db/ident :cursor/agent :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/index true :db/doc "The name of the agent that read from a cursor last."}
 {:db/ident :cursor/read :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "How many values of its stream a cursor has passed."}]
"#;

/// Values that fit into an inbox.
const INBOX_VALUES: i64 = 64;

/// What an agent asks of a stream.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// As programs without a world ask.
    Stream(StreamRequest),
    /// The inbox of the agent of this name.
    Inbox(String),
}

/// What becomes of it now.
#[derive(Debug)]
pub(crate) enum Turn {
    /// It is answered, once the facts are stated.
    Now(Vec<Value>, Answer),
    /// Somebody else must do something first.
    Wait,
}

type Answer = Result<Value, Value>;

impl Ask {
    /// Understands a request; `None` if it is none for a stream. Agents are called `group/0`, `group/1` and so on
    /// where they are called by numbers.
    pub(crate) fn read(op: &Keyword, args: &[Value], group: &str) -> Option<Self> {
        if op.as_str() != "agent/inbox" {
            return StreamRequest::read(op.as_str(), args.to_vec()).ok().map(Ask::Stream);
        }
        Some(Ask::Inbox(match args {
            [Value::Int(number)] => member(group, *number),
            [Value::Text(name)] => name.as_ref().to_owned(),
            _ => String::new(),
        }))
    }

    /// How long it may wait, in microseconds, and what it is answered then.
    pub(crate) fn patience(&self) -> Option<(i64, Answer)> {
        let (within, answer) = match self {
            Ask::Stream(StreamRequest::Put { within, .. }) => {
                ((*within)?, Err(StreamTrouble::Full.to_value()))
            }
            Ask::Stream(StreamRequest::Next { within, otherwise, .. }) => {
                ((*within)?, Ok(otherwise.clone()))
            }
            _ => return None,
        };
        Some((i64::try_from(within.as_micros()).unwrap_or(i64::MAX), answer))
    }

    /// What becomes of it, asked by an agent in a state of the world.
    pub(crate) fn turn(&self, db: &Db, agent: &str) -> Result<Turn, Error> {
        match self {
            Ask::Inbox(name) => inbox(db, name),
            Ask::Stream(StreamRequest::Make { capacity }) => {
                let number = fresh(db, "stream/number")?;
                let capacity = i64::try_from(*capacity).unwrap_or(i64::MAX);
                let facts = stream(number, agent, capacity);
                Ok(Turn::Now(vec![Value::map(facts)], Ok(StreamRequest::stream(number))))
            }
            Ask::Stream(StreamRequest::Put { stream, value, .. }) => {
                with_stream(db, *stream, |stream| stream.put(agent, value))
            }
            Ask::Stream(StreamRequest::Cursor { stream }) => {
                with_stream(db, *stream, |stream| stream.open(agent))
            }
            Ask::Stream(StreamRequest::Next { cursor, .. }) => next(db, *cursor, agent),
            Ask::Stream(StreamRequest::Close { stream }) => {
                with_stream(db, *stream, |stream| Ok(stream.close()))
            }
            Ask::Stream(StreamRequest::Wrong(trouble)) => Ok(refused(*trouble)),
            Ask::Stream(_) => Ok(refused(StreamTrouble::NoStream)),
        }
    }
}

/// What an agent of a group is called.
pub(crate) fn member(group: &str, number: i64) -> String {
    format!("{group}/{number}")
}

fn refused(trouble: StreamTrouble) -> Turn {
    Turn::Now(Vec::new(), Err(trouble.to_value()))
}

fn now(answer: Value) -> Turn {
    Turn::Now(Vec::new(), Ok(answer))
}

fn with_stream(
    db: &Db,
    number: u64,
    turn: impl FnOnce(&Stream<'_>) -> Result<Turn, Error>,
) -> Result<Turn, Error> {
    match Stream::numbered(db, number)? {
        Some(stream) => turn(&stream),
        None => Ok(refused(StreamTrouble::NoStream)),
    }
}

fn named(attribute: &str, value: Value) -> Value {
    Value::Vector(vec![Value::keyword(attribute), value])
}

fn numbered(attribute: &str, number: u64) -> Value {
    named(attribute, Value::Int(number.cast_signed()))
}

fn compared(entity: Value, attribute: &str, old: i64, new: i64) -> Value {
    let change = [entity, Value::keyword(attribute), Value::Int(old), Value::Int(new)];
    Value::Vector([&[Value::keyword("db/cas")], &change[..]].concat())
}

fn count_of(entity: &Entity, attribute: &str) -> Result<i64, Error> {
    Ok(match entity.get(attribute)? {
        Some(Value::Int(count)) => count,
        _ => 0,
    })
}

fn text_of(entity: &Entity, attribute: &str) -> Result<String, Error> {
    let text = entity.get(attribute)?;
    Ok(text.as_ref().and_then(Value::as_text).unwrap_or("").to_owned())
}

/// A number that none of a kind has. If somebody else takes it first, the transaction is refused.
fn fresh(db: &Db, attribute: &str) -> Result<u64, Error> {
    let Some(attribute) = db.ident(&attribute.into())? else { return Ok(1) };
    let last = db.rseek_datoms(Index::Avet, &[Word::entity(attribute)])?.next().transpose()?;
    let last = last.filter(|fact| fact.a == attribute).map(|fact| db.value(fact.v)).transpose()?;
    Ok(match last {
        Some(Value::Int(last)) => last.cast_unsigned() + 1,
        _ => 1,
    })
}

/// The facts of a new stream.
fn stream(number: u64, agent: &str, capacity: i64) -> Vec<(Value, Value)> {
    vec![
        (Value::keyword("db/id"), Value::text(&format!("stream of {agent}"))),
        (Value::keyword("stream/number"), Value::Int(number.cast_signed())),
        (Value::keyword("stream/agent"), Value::text(agent)),
        (Value::keyword("stream/capacity"), Value::Int(capacity)),
        (Value::keyword("stream/put"), Value::Int(0)),
        (Value::keyword("stream/passed"), Value::Int(0)),
    ]
}

/// The facts of a new cursor.
fn cursor(number: u64, agent: &str, stream: Value, read: i64) -> Value {
    Value::map([
        (Value::keyword("cursor/number"), Value::Int(number.cast_signed())),
        (Value::keyword("cursor/agent"), Value::text(agent)),
        (Value::keyword("cursor/stream"), stream),
        (Value::keyword("cursor/read"), Value::Int(read)),
    ])
}

/// How an agent has ended: `None` if it has not, or is not known.
fn ended(db: &Db, agent: &str) -> Result<Option<Ended>, Error> {
    let Some(agent) = db.entity(&lookup(agent))? else { return Ok(None) };
    let status = agent.get("agent/status")?;
    Ok(match status.as_ref().and_then(Value::as_keyword).map(Keyword::as_str) {
        Some(DONE | CANCELLED) => Some(Ended::Closed),
        Some(FAILED) => Some(Ended::Broken),
        _ => None,
    })
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Closed,
    Broken,
}

/// A stream of the world.
struct Stream<'d> {
    db: &'d Db,
    entity: Entity,
}

impl<'d> Stream<'d> {
    fn numbered(db: &'d Db, number: u64) -> Result<Option<Self>, Error> {
        let entity = db.entity(&numbered("stream/number", number))?;
        Ok(entity.map(|entity| Self { db, entity }))
    }

    fn count(&self, attribute: &str) -> Result<i64, Error> {
        count_of(&self.entity, attribute)
    }

    fn entity(&self) -> Value {
        Value::Ref(self.entity.id())
    }

    fn end(&self) -> Result<Option<Ended>, Error> {
        if self.entity.get("stream/closed")? == Some(Value::Bool(true)) {
            return Ok(Some(Ended::Closed));
        }
        ended(self.db, &text_of(&self.entity, "stream/agent")?)
    }

    /// How far the slowest of those who read it is. `advanced` is about to be as far as it says.
    fn passed(&self, advanced: Option<(u64, i64)>) -> Result<i64, Error> {
        let passed = self.count("stream/passed")?;
        let mut slowest = None;
        for cursor in self.entity.follow("cursor/_stream")? {
            let read = match advanced {
                Some((advanced, read)) if advanced == cursor.id() => read,
                _ if ended(self.db, &text_of(&cursor, "cursor/agent")?)?.is_some() => continue,
                _ => count_of(&cursor, "cursor/read")?,
            };
            slowest = Some(slowest.map_or(read, |slowest: i64| slowest.min(read)));
        }
        Ok(slowest.map_or(passed, |slowest| slowest.max(passed)))
    }

    fn key(&self, place: i64) -> Result<Value, Error> {
        let number = self.count("stream/number")?;
        Ok(Value::text(&format!("{number}/{place}")))
    }

    fn put(&self, agent: &str, value: &Value) -> Result<Turn, Error> {
        if self.end()?.is_some() {
            return Ok(refused(StreamTrouble::Closed));
        }
        let put = self.count("stream/put")?;
        if put - self.passed(None)? >= self.count("stream/capacity")? {
            return Ok(Turn::Wait);
        }
        let tempid = Value::text(&format!("value of {agent}"));
        let facts = vec![
            compared(self.entity(), "stream/put", put, put + 1),
            Value::map([
                (Value::keyword("db/id"), tempid.clone()),
                (Value::keyword("stream.value/key"), self.key(put)?),
                (Value::keyword("stream.value/is"), Value::text(&value.to_string())),
            ]),
            Value::map([
                (Value::keyword("db/id"), self.entity()),
                (Value::keyword("stream/values"), tempid),
            ]),
        ];
        Ok(Turn::Now(facts, Ok(value.clone())))
    }

    fn open(&self, agent: &str) -> Result<Turn, Error> {
        let number = fresh(self.db, "cursor/number")?;
        let passed = self.count("stream/passed")?;
        let facts = vec![
            // Nobody drops a value meanwhile that the cursor is to read.
            compared(self.entity(), "stream/passed", passed, passed),
            cursor(number, agent, self.entity(), passed),
        ];
        Ok(Turn::Now(facts, Ok(StreamRequest::cursor(number))))
    }

    fn close(&self) -> Turn {
        let closed = Value::map([
            (Value::keyword("db/id"), self.entity()),
            (Value::keyword("stream/closed"), Value::Bool(true)),
        ]);
        Turn::Now(vec![closed], Ok(Value::Nil))
    }

    /// The value at a place, and the facts by which a cursor passes it.
    fn read(&self, cursor: &Entity, agent: &str, read: i64) -> Result<Turn, Error> {
        let name = named("stream.value/key", self.key(read)?);
        let text = match self.db.entity(&name)? {
            Some(value) => text_of(&value, "stream.value/is")?,
            None => String::new(),
        };
        let Ok(value) = edn::read(&text) else { return Ok(refused(StreamTrouble::Broken)) };
        let mut facts = vec![compared(Value::Ref(cursor.id()), "cursor/read", read, read + 1)];
        if text_of(cursor, "cursor/agent")? != agent {
            facts.push(Value::map([
                (Value::keyword("db/id"), Value::Ref(cursor.id())),
                (Value::keyword("cursor/agent"), Value::text(agent)),
            ]));
        }
        let (kept, passed) =
            (self.count("stream/passed")?, self.passed(Some((cursor.id(), read + 1)))?);
        if passed > kept {
            facts.push(compared(self.entity(), "stream/passed", kept, passed));
        }
        for place in kept..passed {
            let name = named("stream.value/key", self.key(place)?);
            facts.push(Value::Vector(vec![Value::keyword("db/retractEntity"), name]));
        }
        Ok(Turn::Now(facts, Ok(value)))
    }
}

fn next(db: &Db, number: u64, agent: &str) -> Result<Turn, Error> {
    let Some(cursor) = db.entity(&numbered("cursor/number", number))? else {
        return Ok(refused(StreamTrouble::NoCursor));
    };
    let holder = text_of(&cursor, "cursor/agent")?;
    let stream = cursor.follow("cursor/stream")?.into_iter().next();
    let Some(entity) = stream.filter(|_| !matches!(ended(db, &holder), Ok(Some(_)))) else {
        return Ok(now(Value::Nil));
    };
    let stream = Stream { db, entity };
    let read = count_of(&cursor, "cursor/read")?;
    if read < stream.count("stream/put")? {
        return stream.read(&cursor, agent, read);
    }
    Ok(match stream.end()? {
        None => Turn::Wait,
        Some(Ended::Closed) => now(Value::Nil),
        Some(Ended::Broken) => refused(StreamTrouble::Broken),
    })
}

fn inbox(db: &Db, agent: &str) -> Result<Turn, Error> {
    let stream = db.entity(&named("stream/inbox", Value::text(agent)))?;
    match stream {
        Some(stream) if ended(db, agent)?.is_none() => {
            let number = count_of(&stream, "stream/number")?.cast_unsigned();
            Ok(now(StreamRequest::stream(number)))
        }
        _ => {
            let message = format!("there is no agent {agent:?} that has an inbox");
            let why = bridge::Failure::new("agent/unknown", &message);
            Ok(Turn::Now(Vec::new(), Err(why.to_value())))
        }
    }
}

/// The reader of an agent's inbox, or the facts that make it.
pub(crate) enum Inbox {
    Known(Value),
    Made(Vec<Value>),
}

impl Inbox {
    pub(crate) fn of(db: &Db, agent: &str) -> Result<Self, Error> {
        if let Some(stream) = db.entity(&named("stream/inbox", Value::text(agent)))? {
            let mut first = None;
            for cursor in stream.follow("cursor/_stream")? {
                let number = count_of(&cursor, "cursor/number")?.cast_unsigned();
                first = Some(first.map_or(number, |first: u64| first.min(number)));
            }
            return Ok(Inbox::Known(first.map_or(Value::Nil, StreamRequest::cursor)));
        }
        let mut facts = stream(fresh(db, "stream/number")?, agent, INBOX_VALUES);
        let tempid = Value::text(&format!("stream of {agent}"));
        facts.push((Value::keyword("stream/inbox"), Value::text(agent)));
        let cursor = cursor(fresh(db, "cursor/number")?, agent, tempid, 0);
        Ok(Inbox::Made(vec![Value::map(facts), cursor]))
    }
}

#[cfg(test)]
mod tests;
