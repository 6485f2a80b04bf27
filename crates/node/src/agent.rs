//! Agents: programs whose state and answers are kept in the world, so that killing their process
//! ends nothing.
//!
//! 1. Before an effect is performed, one transaction keeps the state of the program that asks,
//!    the request and its number; after it, another keeps the answer. So whatever moment a process
//!    ends at, the world says whether the effect was asked for and whether it was answered.
//! 2. What was asked for and not answered may have happened. It is done again if doing it twice is
//!    doing it once, by its nature or because it is done under a key, the number of the request;
//!    otherwise its answer is an error of the kind `:effect/ambiguous`.
//! 3. A transaction of the program itself carries the number of its request as a unique fact. Where
//!    that fact is known, the transaction is not made again, and answered as it was.
//! 4. The program sees the world as it was at its last answer or transaction, so from one state on
//!    it does the same however often it is taken up there, and a replay comes to the same states.
//! 5. An agent has one owner, which holds its lease; and every transaction of it, the program's own
//!    included, compares the agent's epoch, which whoever takes the agent over has raised.
//! 6. An owner that is asked to leave does so before its next effect, and keeps where the program
//!    stands: nothing is under way then, so whoever takes over does nothing twice.

pub(crate) mod code;
mod lease;
mod once;
mod owner;
mod past;
pub(crate) mod presence;
pub(crate) mod replay;
pub(crate) mod stated;
pub(crate) mod streams;
pub(crate) mod travel;

use std::collections::BTreeMap;

use daodb::{Database, Db, Index};
use datom::{Keyword, Value, Word, edn};
use yin::{Program, State};

use crate::fault::Fault;
use crate::schema;

pub(crate) use lease::Lease;
pub(crate) use once::Made;
pub(crate) use owner::{Agent, Named};

/// What an agent is doing.
pub(crate) const RUNNING: &str = "agent.status/running";
/// Asked to go on in another process: its owner leaves, or has left.
pub(crate) const MOVING: &str = "agent.status/moving";
pub(crate) const PAUSED: &str = "agent.status/paused";
pub(crate) const CANCELLED: &str = "agent.status/cancelled";
pub(crate) const DONE: &str = "agent.status/done";
pub(crate) const FAILED: &str = "agent.status/failed";

/// The attributes of agents, as EDN transaction data.
pub(crate) const SCHEMA: &str = r#"
[{:db/ident :agent/name :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/unique :db.unique/identity :db/doc "What an agent is called."}
 {:db/ident :agent/program :db/valueType :db.type/ref :db/cardinality :db.cardinality/one
  :db/doc "The program that an agent runs."}
 {:db/ident :agent/status :db/valueType :db.type/keyword :db/cardinality :db.cardinality/one
  :db/index true :db/doc "What an agent is doing."}
 {:db/ident :agent/epoch :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "How often an agent was taken over; its owner knows the number."}
 {:db/ident :agent/state :db/valueType :db.type/bytes :db/cardinality :db.cardinality/one
  :db/doc "Where an agent stands, as yin's State."}
 {:db/ident :agent/basis :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "The transaction up to which the agent sees the world in that state."}
 {:db/ident :agent/stands :db/valueType :db.type/ref :db/cardinality :db.cardinality/one
  :db/doc "The state of an agent, told as facts."}
 {:db/ident :agent/rights :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/doc "Where an agent works and what it may do, as EDN: {:folder path, :tokens texts, :deny operations}."}
 {:db/ident :agent/process :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "The process that took the agent last, as the system numbers it."}
 {:db/ident :agent/key :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/unique :db.unique/value
  :db/doc "Of a transaction that a program made: agent/number of its request, made once."}
 {:db/ident :agent.tempid/name :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/doc "A name in the data of such a transaction, as EDN."}
 {:db/ident :agent.tempid/is :db/valueType :db.type/ref :db/cardinality :db.cardinality/one
  :db/doc "The entity that the name became."}
 {:db/ident :agent/request :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/doc "What an agent asked for last, as EDN: [number operation arguments], and :left if it was left unasked."}
 {:db/ident :agent/waits-for :db/valueType :db.type/keyword :db/cardinality :db.cardinality/one
  :db/index true :db/doc "The operation an agent asked for last."}
 {:db/ident :agent/code :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/doc "The functions an agent follows, as EDN: [request t hash], from the answer to a request on, as they were after transaction t."}
 {:db/ident :agent/answer :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/doc "What it was answered, as EDN: [number :ok or :error, value]."}
 {:db/ident :agent/result :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/doc "The value a program ended with, as EDN, or its error."}]
"#;

/// What a program asks for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) op: Keyword,
    pub(crate) args: Vec<Value>,
    /// Whether it may have been performed: false if its owner left before.
    pub(crate) was_made: bool,
}

impl Request {
    /// `[17 :fs/read ["a"]]`
    fn to_value(&self) -> Value {
        let id = Value::Int(self.id.cast_signed());
        let args = Value::Vector(self.args.clone());
        let mut parts = vec![id, Value::Keyword(self.op.clone()), args];
        if !self.was_made {
            parts.push(Value::keyword("left"));
        }
        Value::Vector(parts)
    }
}

/// The group of an agent: its name without its number there, if it has one.
pub(crate) fn group_of(name: &str) -> &str {
    match name.rsplit_once('/') {
        Some((group, number)) if number.parse::<u64>().is_ok() => group,
        _ => name,
    }
}

/// What the world knows of an agent.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    map: BTreeMap<Value, Value>,
}

impl Record {
    /// The record of a name at a moment of the database.
    pub(crate) fn of(db: &Db, name: &str) -> Result<Option<Self>, Box<Fault>> {
        let lookup = lookup(name);
        if db.entity_id(&lookup)?.is_none() {
            return Ok(None);
        }
        let pattern = Value::Vector(vec![Value::symbol("*")]);
        let map = db.pull(&pattern, &lookup)?.as_map().cloned().unwrap_or_default();
        Ok(Some(Self { map }))
    }

    pub(crate) fn get(&self, attribute: &str) -> Option<&Value> {
        self.map.get(&Value::keyword(&format!("agent/{attribute}")))
    }

    pub(crate) fn status(&self) -> &str {
        self.get("status").and_then(Value::as_keyword).map_or("", Keyword::as_str)
    }

    pub(crate) fn epoch(&self) -> i64 {
        match self.get("epoch") {
            Some(Value::Int(epoch)) => *epoch,
            _ => 0,
        }
    }

    fn text(&self, attribute: &str) -> Option<&str> {
        self.get(attribute).and_then(Value::as_text)
    }

    /// Where it stands, if it was ever stopped.
    pub(crate) fn state(&self) -> Result<Option<State>, Box<Fault>> {
        match self.get("state") {
            Some(Value::Bytes(bytes)) => Ok(Some(State::from_bytes(bytes)?)),
            _ => Ok(None),
        }
    }

    /// The request it made last, or was about to make when it left.
    pub(crate) fn request(&self) -> Option<Request> {
        let value = edn::read(self.text("request")?).ok()?;
        let [Value::Int(id), Value::Keyword(op), args, left @ ..] = value.as_slice()? else {
            return None;
        };
        Some(Request {
            id: u64::try_from(*id).ok()?,
            op: op.clone(),
            args: args.as_slice()?.to_vec(),
            was_made: left.is_empty(),
        })
    }

    /// The process that took it last.
    pub(crate) fn process(&self) -> i64 {
        match self.get("process") {
            Some(Value::Int(process)) => *process,
            _ => 0,
        }
    }

    /// The program that it runs.
    pub(crate) fn program(&self) -> Option<Value> {
        match self.get("program")? {
            Value::Map(map) => map.get(&Value::keyword("db/id")).cloned(),
            reference => Some(reference.clone()),
        }
    }

    /// Where it works, and what it may do.
    pub(crate) fn rights(&self) -> Option<Value> {
        edn::read(self.text("rights")?).ok()
    }

    /// What the request of a number was answered.
    pub(crate) fn answer(&self, request: u64) -> Option<Result<Value, Value>> {
        let (answered, answer) = answer_of(self.text("answer")?)?;
        (answered == request).then_some(answer)
    }

    /// The transaction up to which the program sees the world, once it has the answer to the
    /// request it waits for: that of the answer, or else what was kept with the state.
    pub(crate) fn basis(&self, db: &Db, request: Option<u64>) -> Result<u64, Box<Fault>> {
        if request.and_then(|request| self.answer(request)).is_some()
            && let Some(t) = self.since(db, "agent/answer")?
        {
            return Ok(t);
        }
        match self.get("basis") {
            Some(Value::Int(t)) => Ok(t.cast_unsigned()),
            _ => Ok(db.basis()),
        }
    }

    /// The transaction that stated the present value of an attribute.
    fn since(&self, db: &Db, attribute: &str) -> Result<Option<u64>, Box<Fault>> {
        let (Some(Value::Ref(entity)), Some(attribute)) =
            (self.map.get(&Value::keyword("db/id")), db.ident(&attribute.into())?)
        else {
            return Ok(None);
        };
        let prefix = [Word::entity(*entity), Word::entity(attribute)];
        let mut facts = db.datoms(Index::Eavt, &prefix)?;
        Ok(facts.next().transpose()?.map(|fact| fact.t))
    }

    /// When it made its last request, in microseconds since 1970 UTC.
    pub(crate) fn asked(&self, db: &Db) -> Result<i64, Box<Fault>> {
        let t = self.since(db, "agent/request")?.unwrap_or_else(|| db.basis());
        Ok(db.instant_of(t)?)
    }

    /// The value it ended with.
    pub(crate) fn result(&self) -> Option<Value> {
        edn::read(self.text("result")?).ok()
    }
}

/// The number of a request, and what it was answered.
fn answer_of(text: &str) -> Option<(u64, Result<Value, Value>)> {
    let value = edn::read(text).ok()?;
    match value.as_slice()? {
        [Value::Int(id), Value::Keyword(kind), value] => {
            let answer = if kind.as_str() == "ok" { Ok(value.clone()) } else { Err(value.clone()) };
            Some((u64::try_from(*id).ok()?, answer))
        }
        _ => None,
    }
}

fn lookup(name: &str) -> Value {
    Value::Vector(vec![Value::keyword("agent/name"), Value::text(name)])
}

/// The programs of a state, from the database.
pub(crate) fn program(db: &Db, hash: &[u8; 32]) -> Option<Program> {
    let lookup = Value::Vector(vec![Value::keyword("yin.program/hash"), Value::Hash(*hash)]);
    Program::load(db, &lookup).ok()
}

/// The answer to a request of which nobody knows whether it was performed.
pub(crate) fn ambiguous(op: &Keyword) -> Value {
    let message = format!("{op} was asked for, and the process ended before it was answered");
    Value::map([
        (Value::keyword("kind"), Value::keyword("effect/ambiguous")),
        (Value::keyword("message"), Value::text(&message)),
    ])
}

/// Makes one status another. False if it is another already.
pub(crate) fn turn(
    database: &Database,
    name: &str,
    (from, to): (&str, &str),
) -> Result<bool, Box<Fault>> {
    let data = vec![
        Value::Vector(vec![
            Value::keyword("db/cas"),
            lookup(name),
            Value::keyword("agent/status"),
            Value::keyword(from),
            Value::keyword(to),
        ]),
        schema::reason("datom agent", &format!("agent {name}: {to}")),
    ];
    match database.transact(&data) {
        Ok(_) => Ok(true),
        Err(daodb::Error::Rejected(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Tells an agent what to do from outside: its owner looks at each effect.
pub(crate) fn tell(database: &Database, name: &str, status: &str) -> Result<(), Box<Fault>> {
    let data = vec![
        Value::map([
            (Value::keyword("agent/name"), Value::text(name)),
            (Value::keyword("agent/status"), Value::keyword(status)),
        ]),
        schema::reason("datom agent", &format!("agent {name}: {status}")),
    ];
    database.transact(&data)?;
    Ok(())
}
