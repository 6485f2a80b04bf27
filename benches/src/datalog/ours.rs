//! Sets and cases in `daodb`.

use std::collections::{BTreeSet, HashMap};

use daodb::{Answer, Database, Error, Input, Query};
use datom::{Value, edn};

use super::{Attribute, Case, Kind, Set, Val};

/// Facts in one transaction.
const CHUNK: usize = 100_000;

/// A database that holds the set, every attribute indexed.
///
/// # Errors
/// When it has no room.
pub fn load(set: &Set) -> Result<Database, Error> {
    let database = Database::memory()?;
    let schema: Vec<Value> = set.schema.iter().map(definition).collect();
    database.transact(&schema)?;
    let known = entities(&database, set)?;
    for facts in set.facts.chunks(CHUNK) {
        let entity = |e: u32| known.get(&e).map_or(Value::Nil, |e| Value::Ref(*e));
        let data: Vec<Value> = facts
            .iter()
            .map(|(e, a, v)| {
                let value = match v {
                    Val::Int(n) => Value::Int(*n),
                    Val::Text(text) => Value::from(text.as_str()),
                    Val::Keyword(name) => Value::Keyword((*name).into()),
                    Val::Ref(to) => entity(*to),
                };
                let attribute = Value::Keyword(set.schema[*a].name.into());
                let add = Value::Keyword("db/add".into());
                Value::Vector(vec![add, entity(*e), attribute, value])
            })
            .collect();
        database.transact(&data)?;
    }
    Ok(database)
}

/// Makes the entities, in the order of their numbers.
fn entities(database: &Database, set: &Set) -> Result<HashMap<u32, u64>, Error> {
    let mut numbers = BTreeSet::new();
    for (e, _, v) in &set.facts {
        numbers.insert(*e);
        if let Val::Ref(to) = v {
            numbers.insert(*to);
        }
    }
    let attribute = Attribute { name: "number", kind: Kind::Long, many: false };
    database.transact(&[definition(&attribute)])?;
    let numbers: Vec<u32> = numbers.into_iter().collect();
    let mut known = HashMap::new();
    for numbers in numbers.chunks(CHUNK) {
        let add = |e: &u32| {
            let (add, attribute) =
                (Value::Keyword("db/add".into()), Value::Keyword("number".into()));
            let tempid = Value::Int(-i64::from(*e) - 1);
            Value::Vector(vec![add, tempid, attribute, Value::Int(i64::from(*e))])
        };
        let data: Vec<Value> = numbers.iter().map(add).collect();
        let made = database.transact(&data)?.tempids;
        for e in numbers {
            known.extend(made.get(&Value::Int(-i64::from(*e) - 1)).map(|entity| (*e, *entity)));
        }
    }
    Ok(known)
}

fn definition(attribute: &Attribute) -> Value {
    let kind = match attribute.kind {
        Kind::Long => "long",
        Kind::Text => "string",
        Kind::Keyword => "keyword",
        Kind::Ref => "ref",
    };
    let many = if attribute.many { "many" } else { "one" };
    let text = format!(
        "{{:db/ident :{} :db/valueType :db.type/{kind} :db/cardinality :db.cardinality/{many}
           :db/index true}}",
        attribute.name
    );
    edn::read(&text).unwrap_or(Value::Nil)
}

/// A case, ready to run.
///
/// # Errors
/// When it is no query.
pub fn prepare(case: &Case) -> Result<(Query, Vec<Input>), Error> {
    let inputs = case.rules.map(|rules| Input::from(Value::from(rules)));
    Ok((Query::parse(case.query)?, inputs.into_iter().collect()))
}

/// Reads every value of an answer where it lies, as is done with the peers' rows, and says how many rows there are.
#[must_use]
pub fn fetch(answer: &Answer) -> usize {
    match answer {
        Answer::Relation { rows, .. } => {
            for row in rows.iter() {
                for column in 0..rows.width() {
                    std::hint::black_box(row.field(column));
                }
            }
            rows.len()
        }
        other => {
            std::hint::black_box(other);
            other.len()
        }
    }
}
