//! What the world has kept of an agent, and the world as its program saw it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use daodb::{Database, Db, Index};
use datom::{Datom, Value, Word};
use yin::{Facts, Refusal, State};

use super::code::{self, Code};
use super::lookup;
use super::once::{Made, key};
use crate::facts::{self, refusal};
use crate::fault::Fault;

/// What the world has kept of an agent, by request.
pub(super) struct Journal {
    pub(super) states: BTreeMap<u64, State>,
    pub(super) answers: BTreeMap<u64, (u64, Result<Value, Value>)>,
    pub(super) first: State,
    pub(super) last: State,
    /// The code that it took over.
    pub(super) codes: Vec<Code>,
    /// The transaction up to which the program saw the world when it began.
    pub(super) basis: u64,
}

/// The moment that a program sees, shared by its machine and whoever runs that.
#[derive(Clone)]
pub(super) struct View(Arc<Mutex<Db>>);

impl View {
    pub(super) fn db(&self) -> Db {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on the program sees the world like this.
    pub(super) fn is(&self, db: Db) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = db;
    }
}

/// The database as the program saw it: what it transacted is found, and nothing is committed.
pub(super) struct Past {
    database: Database,
    agent: String,
    view: View,
}

impl Past {
    pub(super) fn new(database: &Database, agent: &str, db: Db) -> Self {
        let view = View(Arc::new(Mutex::new(db)));
        Self { database: database.clone(), agent: agent.to_owned(), view }
    }

    pub(super) fn view(&self) -> View {
        self.view.clone()
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
                self.view.is(now.as_of(made.t));
                Ok(made.to_value())
            }
            // What was refused then left no trace, and is refused again.
            None => self.transact(data),
        }
    }

    fn q(&mut self, query: &Value, inputs: &[Value]) -> Result<Value, Refusal> {
        facts::q(&self.view.db(), query, inputs, None)
    }

    fn pull(&mut self, pattern: &Value, entity: &Value) -> Result<Value, Refusal> {
        self.view.db().pull(pattern, entity).map_err(|error| refusal(&error))
    }

    fn entity(&mut self, name: &Value) -> Result<Value, Refusal> {
        facts::entity(&self.view.db(), name)
    }
}

impl Journal {
    pub(super) fn of(db: &Db, name: &str) -> Result<Option<Self>, Box<Fault>> {
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
        let (codes, basis) = (code::taken_over(db, name)?, basis.cast_unsigned());
        Ok(Some(Self { states, answers, first, last, codes, basis }))
    }
}
