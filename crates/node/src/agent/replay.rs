//! Replay: an agent's program run from its beginning, on nothing but what the world has kept of it.
//!
//! 1. Nothing is performed and nothing is committed: requests get the answers they had, transactions
//!    the reports they had, and queries the world as it was then.
//! 2. At each request, and at the end, the program must stand exactly where it stood: the hashes of
//!    the states are compared.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use daodb::{Database, Db, Index};
use datom::{Datom, Value, Word, edn};
use yin::{Facts, Limits, Machine, Outcome, Refusal, State};

use super::once::{Made, key};
use super::{DONE, FAILED, Record, lookup, program};
use crate::facts::{self, refusal};
use crate::fault::Fault;

/// What a replay came to.
pub(crate) struct Replayed {
    /// Requests whose states were compared and whose answers were given.
    pub(crate) requests: u64,
    /// The state it came to: the same as the one that the world has kept last.
    pub(crate) hash: [u8; 32],
    /// Whether it came to the end of the program.
    pub(crate) ended: bool,
}

/// What the world has kept of an agent, by request.
struct Journal {
    states: BTreeMap<u64, State>,
    answers: BTreeMap<u64, (u64, Result<Value, Value>)>,
    first: State,
    last: State,
    /// The transaction up to which the program saw the world when it began.
    basis: u64,
}

/// The database as the program saw it.
struct Past {
    database: Database,
    agent: String,
    view: Arc<Mutex<Db>>,
}

impl Past {
    fn db(&self) -> Db {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Facts for Past {
    fn transact(&mut self, _: &[Value]) -> Result<Value, Refusal> {
        Err(Refusal::new("agent/replay", "a replay commits nothing"))
    }

    fn transact_once(&mut self, request: u64, data: &[Value]) -> Result<Value, Refusal> {
        let now = self.database.db().map_err(|error| refusal(&error))?;
        let key = key(&self.agent, request);
        match Made::known(&self.database, &now, &key).map_err(|error| refusal(&error))? {
            Some(made) => {
                *self.view.lock().unwrap_or_else(PoisonError::into_inner) = now.as_of(made.t);
                Ok(made.to_value())
            }
            // What was refused then left no trace, and is refused again.
            None => self.transact(data),
        }
    }

    fn q(&mut self, query: &Value, inputs: &[Value]) -> Result<Value, Refusal> {
        facts::q(&self.db(), query, inputs)
    }

    fn pull(&mut self, pattern: &Value, entity: &Value) -> Result<Value, Refusal> {
        self.db().pull(pattern, entity).map_err(|error| refusal(&error))
    }

    fn entity(&mut self, name: &Value) -> Result<Value, Refusal> {
        facts::entity(&self.db(), name)
    }
}

impl Journal {
    fn of(db: &Db, name: &str) -> Result<Option<Self>, Box<Fault>> {
        let Some(entity) = db.entity_id(&lookup(name))? else { return Ok(None) };
        let history = db.history();
        let stated = |attribute: &str| -> Result<Vec<Datom>, Box<Fault>> {
            let attribute = db.ident(&attribute.into())?.unwrap_or_default();
            let prefix = [Word::entity(entity), Word::entity(attribute)];
            let mut facts: Vec<Datom> =
                history.datoms(Index::Eavt, &prefix)?.collect::<Result<_, _>>()?;
            facts.retain(Datom::added);
            facts.sort_by_key(|fact| fact.t);
            Ok(facts)
        };
        let mut states = Vec::new();
        for fact in stated("agent/state")? {
            if let Value::Bytes(bytes) = db.value(fact.v)? {
                states.push(State::from_bytes(&bytes)?);
            }
        }
        let mut answers = BTreeMap::new();
        for fact in stated("agent/answer")? {
            let value = db.value(fact.v)?;
            let answer = value.as_text().and_then(super::answer_of);
            if let Some((request, answer)) = answer {
                answers.insert(request, (fact.t, answer));
            }
        }
        let (Some(first), Some(last)) = (states.first().cloned(), states.last().cloned()) else {
            return Ok(None);
        };
        let parked = states.into_iter();
        let states = parked.filter_map(|state| Some((state.request()?, state))).collect();
        let basis = match stated("agent/basis")?.first() {
            Some(fact) => db.value(fact.v)?,
            None => return Ok(None),
        };
        let Value::Int(basis) = basis else { return Ok(None) };
        Ok(Some(Self { states, answers, first, last, basis: basis.cast_unsigned() }))
    }
}

/// Runs an agent's program again, for at most so much fuel.
pub(crate) fn replay(database: &Database, name: &str, fuel: u64) -> Result<Replayed, Box<Fault>> {
    let db = database.db()?;
    let nothing = || Fault::new(format!("the world has kept no state of an agent {name}"));
    let record = Record::of(&db, name)?.ok_or_else(nothing)?;
    let journal = Journal::of(&db, name)?.ok_or_else(nothing)?;
    let view = Arc::new(Mutex::new(db.as_of(journal.basis)));
    let past = Past { database: database.clone(), agent: name.to_owned(), view: view.clone() };
    let mut machine = Machine::new(past, Limits::default());
    machine.restore(&journal.first, |hash| program(&db, hash))?;
    let elsewhere = |what: &str| -> Box<Fault> {
        Fault::new(format!("the replay comes elsewhere than the agent did: {what}")).into()
    };
    let mut requests = 0;
    let mut left = fuel;
    loop {
        // A checkpoint is no request: where the last one was taken, the journal ends.
        let is_over = requests as usize == journal.answers.len();
        let slice = if is_over && journal.last.request().is_none() { 1 } else { left };
        match machine.run(slice.min(left)) {
            Outcome::Done(value) => {
                let same = record.status() == DONE
                    && record.result() == edn::read(&value.to_string()).ok();
                let hash = journal.last.hash();
                return match same {
                    true => Ok(Replayed { requests, hash, ended: true }),
                    false => Err(elsewhere(&format!("it ends with {value}"))),
                };
            }
            Outcome::Failed(error) if record.status() == FAILED => {
                let same =
                    record.result().as_ref().and_then(Value::as_text) == Some(&error.to_string());
                let hash = journal.last.hash();
                return match same {
                    true => Ok(Replayed { requests, hash, ended: true }),
                    false => Err(elsewhere(&format!("it ends with {error}"))),
                };
            }
            Outcome::Failed(error) => return Err(Box::new(Fault::in_program(&error))),
            Outcome::Perform { id, op, .. } => {
                let hash = machine.capture()?.hash();
                if journal.states.get(&id).map(State::hash) != Some(hash) {
                    return Err(elsewhere(&format!("at its request {id}, {op}")));
                }
                requests += 1;
                let Some((t, answer)) = journal.answers.get(&id) else {
                    return Ok(Replayed { requests, hash, ended: false });
                };
                *view.lock().unwrap_or_else(PoisonError::into_inner) = db.as_of(*t);
                machine.resume(id, answer.clone())?;
            }
            Outcome::OutOfFuel => {
                left = left.saturating_sub(slice);
                let hash = machine.capture()?.hash();
                if hash == journal.last.hash() {
                    return Ok(Replayed { requests, hash, ended: false });
                }
                if left == 0 {
                    return Err(elsewhere(&format!("it takes more than {fuel} steps")));
                }
            }
            other => return Err(Fault::new(format!("the machine stopped: {other:?}")).into()),
        }
    }
}
