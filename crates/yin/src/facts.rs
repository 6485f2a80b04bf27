//! The database as a program sees it: four verbs.
//!
//! The machine calls them between two instructions and waits for the answer. Whoever owns the
//! machine decides what stands behind them, and may add to what passes: a node adds which
//! program and which token a transaction came from.

use daodb::{Database, Db, Index, Input};
use datom::{Keyword, Value, Word};

use crate::program::{AttributeValues, Code};

/// Why a verb was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The family of the reason, such as `:db.error/unknown-attribute`.
    pub kind: Keyword,
    /// What was wrong and what to do.
    pub message: String,
}

impl Refusal {
    /// A refusal of a kind, named without the colon.
    #[must_use]
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), message: message.into() }
    }
}

/// The database of a machine.
pub trait Facts {
    /// Makes one transaction and answers with a map of its report:
    /// `{:t 7 :added 3 :retracted 1 :tempids {"a" 4711}}`.
    ///
    /// # Errors
    /// The database refused; nothing happened.
    fn transact(&mut self, data: &[Value]) -> Result<Value, Refusal>;

    /// Makes the transaction of a program's request. The same request of the same program has the
    /// same number, also if the program was restored from an earlier state and comes here again:
    /// whoever can tell by the number that the transaction was made answers as it was answered.
    ///
    /// # Errors
    /// As [`Facts::transact`].
    fn transact_once(&mut self, request: u64, data: &[Value]) -> Result<Value, Refusal> {
        let _ = request;
        self.transact(data)
    }

    /// The answer to a query over the present database and the inputs behind it.
    ///
    /// # Errors
    /// The query is wrong or was bounded.
    fn q(&mut self, query: &Value, inputs: &[Value]) -> Result<Value, Refusal>;

    /// What a pull pattern finds at an entity.
    ///
    /// # Errors
    /// The pattern is wrong.
    fn pull(&mut self, pattern: &Value, entity: &Value) -> Result<Value, Refusal>;

    /// Everything that is known of an entity, as a map; nil if there is no such entity.
    ///
    /// # Errors
    /// The name is no entity's name.
    fn entity(&mut self, name: &Value) -> Result<Value, Refusal>;
}

/// No database: every verb is refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFacts;

impl NoFacts {
    fn refusal<T>() -> Result<T, Refusal> {
        Err(Refusal::new("yin/no-database", "this machine has no database"))
    }
}

impl Facts for NoFacts {
    fn transact(&mut self, _: &[Value]) -> Result<Value, Refusal> {
        Self::refusal()
    }

    fn q(&mut self, _: &Value, _: &[Value]) -> Result<Value, Refusal> {
        Self::refusal()
    }

    fn pull(&mut self, _: &Value, _: &Value) -> Result<Value, Refusal> {
        Self::refusal()
    }

    fn entity(&mut self, _: &Value) -> Result<Value, Refusal> {
        Self::refusal()
    }
}

impl Facts for Database {
    fn transact(&mut self, data: &[Value]) -> Result<Value, Refusal> {
        let report = Database::transact(self, data).map_err(refusal)?;
        let added = report.datoms.iter().filter(|datom| datom.added()).count();
        let tempids = report.tempids.into_iter().map(|(name, id)| (name, Value::Ref(id)));
        Ok(Value::map([
            (Value::keyword("t"), Value::Int(report.t as i64)),
            (Value::keyword("added"), Value::Int(added as i64)),
            (Value::keyword("retracted"), Value::Int((report.datoms.len() - added) as i64)),
            (Value::keyword("tempids"), Value::map(tempids)),
        ]))
    }

    fn q(&mut self, query: &Value, inputs: &[Value]) -> Result<Value, Refusal> {
        let query = daodb::Query::from_value(query).map_err(refusal)?;
        let inputs: Vec<Input> = inputs.iter().cloned().map(Input::Value).collect();
        let answer = self.db().and_then(|db| db.query(&query, &inputs)).map_err(refusal)?;
        Ok(answer.to_value())
    }

    fn pull(&mut self, pattern: &Value, entity: &Value) -> Result<Value, Refusal> {
        self.db().and_then(|db| db.pull(pattern, entity)).map_err(refusal)
    }

    fn entity(&mut self, name: &Value) -> Result<Value, Refusal> {
        let db = self.db().map_err(refusal)?;
        match db.entity_id(name).map_err(refusal)? {
            Some(id) => db.touch(id).map_err(refusal),
            None => Ok(Value::Nil),
        }
    }
}

fn refusal(error: impl std::fmt::Display) -> Refusal {
    Refusal::new("yin/database", error.to_string())
}

impl Code for Db {
    fn entity(&self, name: &Value) -> Result<Option<Value>, String> {
        let Some(id) = self.entity_id(name).map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        match Db::touch(self, id).map_err(|error| error.to_string())? {
            Value::Nil => Ok(None),
            facts => Ok(Some(facts)),
        }
    }

    fn facts(&self, name: &Value) -> Result<Option<(Value, AttributeValues)>, String> {
        let failed = |error: daodb::Error| error.to_string();
        let Some(id) = self.entity_id(name).map_err(failed)? else { return Ok(None) };
        let mut facts = AttributeValues::new();
        for datom in self.datoms(Index::Eavt, &[Word::entity(id)]).map_err(failed)? {
            let datom = datom.map_err(failed)?;
            let Some(attribute) = self.attribute(datom.a) else { continue };
            facts.push((attribute.ident.clone(), self.value(datom.v).map_err(failed)?));
        }
        Ok((!facts.is_empty()).then_some((Value::Ref(id), facts)))
    }
}
