//! Where agents stand, told as facts: calls, environments and store cells become entities.
//!
//! 1. An agent refers to one state, the last that it was told of; an older one is retracted with all
//!    its parts, unless another agent stands alike.
//! 2. What has ended stands nowhere.

use daodb::{Database, Db, Index};
use datom::{Value, Word};

use super::{CANCELLED, DONE, FAILED, Record, lookup, program};
use crate::fault::Fault;
use crate::schema;

/// States where an agent stands as facts; the transaction, unless they are stated already.
pub(crate) fn state(database: &Database, name: &str) -> Result<Option<u64>, Box<Fault>> {
    let db = database.db()?;
    let Some(record) = Record::of(&db, name)? else { return Ok(None) };
    let state = match record.status() {
        DONE | FAILED | CANCELLED => None,
        _ => record.state()?,
    };
    let known = known(&db, name)?;
    let now = match &state {
        Some(state) => db.entity_id(&state.entity())?,
        None => None,
    };
    if known == now && (known.is_some() || state.is_none()) {
        return Ok(None);
    }
    let fact = |verb: &str, state: Value| {
        let stands = Value::keyword("agent/stands");
        Value::Vector(vec![Value::keyword(verb), lookup(name), stands, state])
    };
    let mut data = Vec::new();
    match (&state, now) {
        (Some(_), Some(now)) => data.push(fact("db/add", Value::Ref(now))),
        (Some(state), None) => {
            data = state.transaction(|hash| program(&db, hash))?;
            data.push(fact("db/add", Value::text("yin/state")));
        }
        (None, _) => {}
    }
    if let Some(known) = known {
        if state.is_none() {
            data.push(fact("db/retract", Value::Ref(known)));
        }
        if !stands_another(&db, known, name)? {
            let retract = [Value::keyword("db/retractEntity"), Value::Ref(known)];
            data.push(Value::Vector(retract.to_vec()));
        }
    }
    data.push(schema::reason("datom agent facts", &format!("where agent {name} stands")));
    Ok(Some(database.transact(&data)?.t))
}

/// The state that an agent was told of last.
fn known(db: &Db, name: &str) -> Result<Option<u64>, Box<Fault>> {
    let agent = db.entity(&lookup(name))?;
    let stands = agent.map(|agent| agent.follow("agent/stands")).transpose()?;
    Ok(stands.and_then(|states| states.first().map(daodb::Entity::id)))
}

/// Whether another agent refers to the same state.
fn stands_another(db: &Db, state: u64, name: &str) -> Result<bool, Box<Fault>> {
    let own = db.entity_id(&lookup(name))?;
    let Some(attribute) = db.ident(&"agent/stands".into())? else { return Ok(false) };
    let prefix = [Word::entity(state), Word::entity(attribute)];
    for fact in db.datoms(Index::Vaet, &prefix)? {
        if Some(fact?.e) != own {
            return Ok(true);
        }
    }
    Ok(false)
}
