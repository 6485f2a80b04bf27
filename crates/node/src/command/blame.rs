//! `datom blame`: who said what about an entity, when, and why.

use datom::{Value, edn};

use super::Outcome;
use crate::cli;
use crate::fault::Fault;
use crate::render::Output;
use crate::sight;
use crate::world::World;

const COLUMNS: [&str; 8] = ["t", "time", "change", "attribute", "value", "by", "why", "reason"];

pub(super) fn blame(arguments: &cli::Blame) -> Outcome {
    let name = edn::read(&arguments.entity)
        .map_err(|error| Fault::in_edn(&error, "entity", &arguments.entity))?;
    let world = World::open(&arguments.dir)?;
    let db = sight::look(&world, &arguments.view)?;
    let entity = db.entity_id(&name)?.ok_or_else(|| {
        Fault::new(format!("no entity is {name}"))
            .help("name an entity by its number, its ident, or a unique attribute and its value")
    })?;
    let attribute = match &arguments.attribute {
        None => None,
        Some(name) => {
            let bare = name.strip_prefix(':').unwrap_or(name);
            let found = db.attribute_named(&bare.into()).map(|attribute| attribute.id);
            Some(found.ok_or_else(|| Fault::new(format!("there is no attribute :{bare}")))?)
        }
    };
    let mut rows = Vec::new();
    for said in db.blame(entity, attribute)? {
        let of_transaction = |name: &str| said.transaction.get(name).cloned().unwrap_or(Value::Nil);
        rows.push(vec![
            Value::Int(i64::try_from(said.datom.t).unwrap_or(i64::MAX)),
            Value::Instant(said.instant),
            Value::keyword(if said.datom.added() { "added" } else { "removed" }),
            sight::entity(&db, said.datom.a)?,
            said.value.clone(),
            of_transaction("tx/by"),
            of_transaction("db/doc"),
            sight::reason(said.reason),
        ]);
    }
    let columns = COLUMNS.map(str::to_owned).to_vec();
    Ok(Output::Table { columns, rows }.print(arguments.format)?)
}
