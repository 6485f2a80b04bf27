//! Agents: programs whose state and answers are kept in the world, so that killing their process
//! ends nothing.
//!
//! 1. Before an effect is performed, one transaction keeps the state of the program that asks,
//!    the request and its number; after it, another keeps the answer. So whatever moment a process
//!    ends at, the world says whether the effect was asked for and whether it was answered.
//! 2. What was asked for and not answered may have happened. It is done again only if doing it
//!    twice is doing it once; otherwise its answer is an error of the kind `:effect/ambiguous`.
//! 3. An agent has one owner: every transaction of it compares the agent's epoch, which whoever
//!    takes the agent over has raised. A process that lost its agent stops before its next effect.

use std::collections::BTreeMap;

use daodb::{Database, Db};
use datom::{Keyword, Value, edn};
use yin::{Program, State};

use crate::fault::Fault;
use crate::schema;

/// What an agent is doing.
pub(crate) const RUNNING: &str = "agent.status/running";
pub(crate) const PAUSED: &str = "agent.status/paused";
pub(crate) const CANCELLED: &str = "agent.status/cancelled";
pub(crate) const DONE: &str = "agent.status/done";
pub(crate) const FAILED: &str = "agent.status/failed";

/// Operations whose second performance changes nothing that the first did not.
const REPEATABLE: [&str; 8] = [
    "fs/read",
    "fs/write",
    "fs/list",
    "crypto/blake3",
    "crypto/sha256",
    "toml/parse",
    "json/parse",
    "time/now",
];

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
 {:db/ident :agent/request :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/doc "What an agent asked for last, as EDN: [number operation arguments]."}
 {:db/ident :agent/waits-for :db/valueType :db.type/keyword :db/cardinality :db.cardinality/one
  :db/index true :db/doc "The operation an agent asked for last."}
 {:db/ident :agent/answer :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/doc "What it was answered, as EDN: [number :ok or :error, value]."}
 {:db/ident :agent/result :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/doc "The value a program ended with, as EDN, or its error."}]
"#;

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

    /// The request it made last: number, operation, arguments.
    pub(crate) fn request(&self) -> Option<(u64, Keyword, Vec<Value>)> {
        let value = edn::read(self.text("request")?).ok()?;
        match value.as_slice()? {
            [Value::Int(id), Value::Keyword(op), args] => {
                Some((u64::try_from(*id).ok()?, op.clone(), args.as_slice()?.to_vec()))
            }
            _ => None,
        }
    }

    /// What the request of a number was answered.
    pub(crate) fn answer(&self, request: u64) -> Option<Result<Value, Value>> {
        let value = edn::read(self.text("answer")?).ok()?;
        match value.as_slice()? {
            [Value::Int(id), Value::Keyword(kind), value] if u64::try_from(*id) == Ok(request) => {
                Some(if kind.as_str() == "ok" { Ok(value.clone()) } else { Err(value.clone()) })
            }
            _ => None,
        }
    }

    /// The value it ended with.
    pub(crate) fn result(&self) -> Option<Value> {
        edn::read(self.text("result")?).ok()
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

/// Whether an operation may be performed again when nobody knows whether it was.
pub(crate) fn is_repeatable(op: &Keyword) -> bool {
    REPEATABLE.contains(&op.as_str())
}

/// The answer to a request of which nobody knows whether it was performed.
pub(crate) fn ambiguous(op: &Keyword) -> Value {
    let message = format!("{op} was asked for, and the process ended before it was answered");
    Value::map([
        (Value::keyword("kind"), Value::keyword("effect/ambiguous")),
        (Value::keyword("message"), Value::text(&message)),
    ])
}

/// An agent that this process owns.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    database: Database,
    name: String,
    by: String,
    epoch: i64,
}

impl Agent {
    /// Takes an agent over, from nobody or from whoever owns it, or makes it.
    pub(crate) fn take(
        database: &Database,
        name: &str,
        by: &str,
        program: u64,
    ) -> Result<Self, Box<Fault>> {
        let known = Record::of(&database.db()?, name)?;
        let epoch = known.as_ref().map_or(0, Record::epoch) + 1;
        let agent =
            Self { database: database.clone(), name: name.to_owned(), by: by.to_owned(), epoch };
        let status = (Value::keyword("agent/status"), Value::keyword(RUNNING));
        let data = match known {
            None => vec![Value::map([
                (Value::keyword("agent/name"), Value::text(name)),
                (Value::keyword("agent/program"), Value::Ref(program)),
                (Value::keyword("agent/epoch"), Value::Int(epoch)),
                status,
            ])],
            Some(known) => vec![
                cas(name, known.epoch(), epoch),
                Value::map([(Value::keyword("agent/name"), Value::text(name)), status]),
            ],
        };
        agent.commit(data, "take over")?;
        Ok(agent)
    }

    fn commit(&self, mut data: Vec<Value>, what: &str) -> Result<(), Box<Fault>> {
        data.push(schema::reason(&self.by, &format!("agent {}: {what}", self.name)));
        self.database.transact(&data)?;
        Ok(())
    }

    /// States facts of the agent, if this process still owns it.
    fn state(&self, facts: Vec<(&str, Value)>, what: &str) -> Result<(), Box<Fault>> {
        let name = (Value::keyword("agent/name"), Value::text(&self.name));
        let facts = facts.into_iter();
        let facts = facts.map(|(key, value)| (Value::keyword(&format!("agent/{key}")), value));
        let data = vec![cas(&self.name, self.epoch, self.epoch), Value::map(facts.chain([name]))];
        self.commit(data, what)
    }

    /// What the world wants of the agent now: nothing, or that it stops.
    pub(crate) fn wanted(&self) -> Result<Option<String>, Box<Fault>> {
        let record = Record::of(&self.database.db()?, &self.name)?;
        let Some(record) = record else { return Ok(Some("forgotten".to_owned())) };
        if record.epoch() != self.epoch {
            return Ok(Some("taken over by another process".to_owned()));
        }
        match record.status() {
            PAUSED => Ok(Some("paused".to_owned())),
            CANCELLED => Ok(Some("cancelled".to_owned())),
            _ => Ok(None),
        }
    }

    pub(crate) fn checkpoint(&self, state: &State) -> Result<(), Box<Fault>> {
        self.state(vec![("state", Value::Bytes(state.to_bytes().into()))], "checkpoint")
    }

    /// Keeps what the program asks for, before it is performed.
    pub(crate) fn asks(
        &self,
        state: &State,
        id: u64,
        op: &Keyword,
        args: &[Value],
    ) -> Result<(), Box<Fault>> {
        let request =
            [Value::Int(id as i64), Value::Keyword(op.clone()), Value::Vector(args.to_vec())];
        let facts = vec![
            ("state", Value::Bytes(state.to_bytes().into())),
            ("request", Value::text(&Value::Vector(request.to_vec()).to_string())),
            ("waits-for", Value::Keyword(op.clone())),
        ];
        self.state(facts, &format!("asks {op}"))
    }

    /// Keeps the answer, after it was performed.
    pub(crate) fn answered(
        &self,
        id: u64,
        answer: &Result<Value, Value>,
    ) -> Result<(), Box<Fault>> {
        let (kind, value) = match answer {
            Ok(value) => ("ok", value),
            Err(value) => ("error", value),
        };
        let answer = [Value::Int(id as i64), Value::keyword(kind), value.clone()];
        let text = Value::text(&Value::Vector(answer.to_vec()).to_string());
        self.state(vec![("answer", text)], "is answered")
    }

    /// Keeps how the program ended.
    pub(crate) fn ended(&self, result: &Result<Value, String>) -> Result<(), Box<Fault>> {
        let (status, result) = match result {
            Ok(value) => (DONE, value.clone()),
            Err(message) => (FAILED, Value::text(message)),
        };
        let facts =
            vec![("status", Value::keyword(status)), ("result", Value::text(&result.to_string()))];
        self.state(facts, "ends")
    }
}

fn cas(name: &str, old: i64, new: i64) -> Value {
    let epoch = Value::keyword("agent/epoch");
    Value::Vector(vec![
        Value::keyword("db/cas"),
        lookup(name),
        epoch,
        Value::Int(old),
        Value::Int(new),
    ])
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
