//! What one commit changes of an answer, found from the facts that it states and withdraws.
//!
//! The cost is that of the rows that the changed facts take part in; how many rows the answer has does not
//! matter. See [`Deltas`] for why it is right.

use std::collections::BTreeSet;

use datom::{Datom, Value, Word};

use super::{Rows, rows};
use crate::builtin;
use crate::db::Db;
use crate::error::Error;
use crate::query::{Changed, Deltas, Input, Query, Term};

type Row = Vec<Value>;

/// Rows that an answer gains and loses.
#[derive(Default)]
pub(super) struct Difference {
    pub(super) added: Vec<Row>,
    pub(super) removed: Vec<Row>,
}

/// What the facts of a commit change of an answer whose rows before it are `known`. `None` where they
/// may change what the query means, so that it has to be asked anew.
pub(super) fn difference(
    deltas: &Deltas,
    inputs: &[Input],
    (before, after): (&Db, &Db),
    facts: &[Datom],
    known: &Rows,
) -> Result<Option<Difference>, Error> {
    if facts.iter().any(|fact| fact.a == builtin::IDENT) {
        return Ok(None);
    }
    let brought = reached(deltas, inputs, after, facts, true)?;
    let added = brought.into_iter().filter(|row| !known.contains_key(row)).collect();
    let mut removed: Vec<Row> =
        reached(deltas, inputs, before, facts, false)?.into_iter().collect();
    if !removed.is_empty() {
        let asked = removed.iter().cloned().map(Value::Vector).collect();
        let held = ask(&deltas.support, inputs, after, asked)?;
        removed.retain(|row| !held.contains_key(row));
    }
    Ok(Some(Difference { added, removed }))
}

/// The rows of the answer on a state that one of the facts may have brought there, or may take from there.
fn reached(
    deltas: &Deltas,
    inputs: &[Input],
    db: &Db,
    facts: &[Datom],
    brings: bool,
) -> Result<BTreeSet<Row>, Error> {
    let mut reached = BTreeSet::new();
    for clause in &deltas.clauses {
        let attribute = match &clause.attribute {
            Value::Keyword(name) => db.attribute_named(name),
            Value::Int(id) => u64::try_from(*id).ok().and_then(|id| db.attribute(id)),
            Value::Ref(id) => db.attribute(*id),
            _ => None,
        };
        let Some(attribute) = attribute else { continue };
        let mut matches = Vec::new();
        let does = |fact: &&Datom| (fact.added() != clause.takes) == brings;
        for fact in facts.iter().filter(|fact| fact.a == attribute.id).filter(does) {
            matches.extend(matched(clause, db, fact, attribute.is_ref())?);
        }
        if !matches.is_empty() {
            reached.extend(ask(&clause.query, inputs, db, matches)?.into_keys());
        }
    }
    Ok(reached)
}

/// What the variables of the clause are if it matches the fact.
fn matched(clause: &Changed, db: &Db, fact: &Datom, is_ref: bool) -> Result<Option<Value>, Error> {
    let entity = Word::entity(fact.e);
    let names = |term: &Term, word: Word, is_entity: bool| match term {
        Term::Const(name) if is_entity => Ok(db.entity_id(name)?.map(Word::entity) == Some(word)),
        Term::Const(value) => Ok::<_, Error>(db.word(value)? == Some(word)),
        Term::Var(_) | Term::Blank => Ok(true),
    };
    let is_loop = clause.entity.var().is_some() && clause.entity == clause.value;
    if is_loop && entity != fact.v
        || !names(&clause.entity, entity, true)?
        || !names(&clause.value, fact.v, is_ref)?
    {
        return Ok(None);
    }
    let mut row = Vec::with_capacity(2);
    let [asks_entity, asks_value] = clause.asks;
    if asks_entity {
        row.push(Value::Ref(fact.e));
    }
    if asks_value {
        row.push(db.value(fact.v)?);
    }
    Ok(Some(Value::Vector(row)))
}

fn ask(query: &Query, inputs: &[Input], db: &Db, asked: Vec<Value>) -> Result<Rows, Error> {
    let inputs: Vec<Input> =
        inputs.iter().cloned().chain([Input::Value(Value::Vector(asked))]).collect();
    Ok(rows(db.query(query, &inputs)?))
}
