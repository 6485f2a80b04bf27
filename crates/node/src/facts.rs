//! The database as a program of a world sees it: its own verbs, signed on the way in.

use daodb::{Database, Input};
use datom::Value;
use yin::{Facts, Refusal};

use crate::ledger::Trail;
use crate::reporter::Reporter;
use crate::schema;

/// What stands behind `transact!`, `q`, `pull` and `entity`.
pub(crate) struct ProgramFacts {
    database: Database,
    reporter: Reporter,
    by: String,
    program: Option<u64>,
    trail: Trail,
}

impl ProgramFacts {
    pub(crate) fn new(
        database: &Database,
        reporter: Reporter,
        by: &str,
        program: Option<u64>,
        trail: Trail,
    ) -> Self {
        Self { database: database.clone(), reporter, by: by.to_owned(), program, trail }
    }
}

impl Facts for ProgramFacts {
    fn transact(&mut self, data: &[Value]) -> Result<Value, Refusal> {
        let mut signed = data.to_vec();
        let tokens = self.trail.tokens();
        signed.push(schema::signature(data, &self.by, "a program's own", self.program, &tokens));
        let report = self.database.transact(&signed).map_err(|error| refusal(&error))?;
        let added = report.datoms.iter().filter(|datom| datom.added()).count();
        let removed = report.datoms.len() - added;
        let details = format!("{added} added, {removed} removed");
        self.reporter.committed("facts", details, report.t);
        let tempids = report.tempids.into_iter().map(|(name, id)| (name, Value::Ref(id)));
        let count = |count: usize| Value::Int(count as i64);
        Ok(Value::map([
            (Value::keyword("t"), Value::Int(report.t as i64)),
            (Value::keyword("added"), count(added)),
            (Value::keyword("retracted"), count(removed)),
            (Value::keyword("tempids"), Value::map(tempids)),
        ]))
    }

    fn q(&mut self, query: &Value, inputs: &[Value]) -> Result<Value, Refusal> {
        let db = self.database.db().map_err(|error| refusal(&error))?;
        let query = daodb::Query::from_value(query).map_err(|error| refusal(&error.into()))?;
        let inputs: Vec<Input> = inputs.iter().cloned().map(Input::Value).collect();
        let answer = db.query(&query, &inputs).map_err(|error| refusal(&error))?;
        Ok(answer.to_value())
    }

    fn pull(&mut self, pattern: &Value, entity: &Value) -> Result<Value, Refusal> {
        let db = self.database.db().map_err(|error| refusal(&error))?;
        db.pull(pattern, entity).map_err(|error| refusal(&error))
    }

    fn entity(&mut self, name: &Value) -> Result<Value, Refusal> {
        let db = self.database.db().map_err(|error| refusal(&error))?;
        match db.entity_id(name).map_err(|error| refusal(&error))? {
            Some(id) => db.touch(id).map_err(|error| refusal(&error)),
            None => Ok(Value::Nil),
        }
    }
}

fn refusal(error: &daodb::Error) -> Refusal {
    let kind = match error {
        daodb::Error::Rejected(rejection) => rejection.category.keyword().as_str().to_owned(),
        daodb::Error::Query(_) => "query/refused".to_owned(),
        daodb::Error::Lookup { .. } => "query/lookup".to_owned(),
        _ => "db/failed".to_owned(),
    };
    Refusal::new(&kind, error.to_string())
}
