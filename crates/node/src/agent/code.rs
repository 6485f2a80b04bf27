//! What the names of an agent's program mean, and from when on: the code that each of its steps ran.
//!
//! 1. An agent that follows the functions of the world takes changes over where it gets an answer: what runs up to
//!    its next request is one code.
//! 2. What it took over is a fact, `:agent/code`, which is kept before anything comes of it: so whoever takes the
//!    agent over, or replays it, runs the code of then.

use daodb::{Db, Index};
use datom::{Value, Word, edn};
use yin::Machine;

use super::lookup;
use crate::fault::Fault;
use crate::live;

/// From when on the names mean what they mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    /// Since the answer to this request; since the beginning, if 0.
    pub(crate) request: u64,
    /// As the functions of the world were after this transaction.
    pub(crate) t: u64,
    /// Of the names and the programs that define them.
    pub(crate) hash: [u8; 32],
}

impl Code {
    /// `[request t hash]`
    pub(crate) fn to_value(&self) -> Value {
        let number = |number: u64| Value::Int(number.cast_signed());
        let parts = [number(self.request), number(self.t), Value::Hash(self.hash)];
        Value::Vector(parts.to_vec())
    }

    fn of_text(text: &str) -> Option<Self> {
        let value = edn::read(text).ok()?;
        match value.as_slice()? {
            [Value::Int(request), Value::Int(t), Value::Hash(hash)] => Some(Self {
                request: u64::try_from(*request).ok()?,
                t: u64::try_from(*t).ok()?,
                hash: *hash,
            }),
            _ => None,
        }
    }

    /// Gives names their meaning.
    pub(crate) fn apply(&self, db: &Db, machine: &mut Machine) -> Result<(), Box<Fault>> {
        let functions = live::Functions::of(&db.as_of(self.t))?;
        if functions.hash() != self.hash {
            let when = self.t;
            return Err(Fault::new(format!(
                "the functions after transaction {when} are not those that the agent ran"
            ))
            .into());
        }
        functions.apply(&db.as_of(self.t), machine, |_, _| {});
        Ok(())
    }
}

/// Everything that an agent took over, in order.
pub(crate) fn taken_over(db: &Db, name: &str) -> Result<Vec<Code>, Box<Fault>> {
    let (Some(entity), Some(attribute)) =
        (db.entity_id(&lookup(name))?, db.ident(&"agent/code".into())?)
    else {
        return Ok(Vec::new());
    };
    let prefix = [Word::entity(entity), Word::entity(attribute)];
    let mut codes = Vec::new();
    for fact in db.history().datoms(Index::Eavt, &prefix)? {
        let fact = fact?;
        if fact.added()
            && let Some(code) = db.value(fact.v)?.as_text().and_then(Code::of_text)
        {
            codes.push((fact.t, code));
        }
    }
    codes.sort_by_key(|(t, _)| *t);
    Ok(codes.into_iter().map(|(_, code)| code).collect())
}

/// Where a replay is among what its agent took over.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    /// How many were applied so far.
    applied: usize,
    /// The request that was answered last.
    request: u64,
}

impl Course {
    /// A request was answered.
    pub(super) fn answered(&mut self, request: u64) {
        self.request = request;
    }

    /// Applies what is due.
    pub(super) fn apply(
        &mut self,
        codes: &[Code],
        db: &Db,
        machine: &mut Machine,
    ) -> Result<(), Box<Fault>> {
        let due = |code: &&Code| code.request == self.request;
        while let Some(code) = codes.get(self.applied).filter(due) {
            code.apply(db, machine)?;
            self.applied += 1;
        }
        Ok(())
    }

    /// Applies again what was applied up to here.
    pub(super) fn apply_again(
        &self,
        codes: &[Code],
        db: &Db,
        machine: &mut Machine,
    ) -> Result<(), Box<Fault>> {
        codes.iter().take(self.applied).try_for_each(|code| code.apply(db, machine))
    }
}
