//! `datom pull`: an entity by a pattern.

use datom::edn;

use super::Outcome;
use crate::cli;
use crate::fault::Fault;
use crate::render::Output;
use crate::sight;
use crate::world::World;

pub(super) fn pull(arguments: &cli::Pull) -> Outcome {
    let pattern = edn::read(&arguments.pattern)
        .map_err(|error| Fault::in_edn(&error, "pattern", &arguments.pattern))?;
    let entity = edn::read(&arguments.entity)
        .map_err(|error| Fault::in_edn(&error, "entity", &arguments.entity))?;
    let world = World::open(&arguments.dir)?;
    let db = sight::look(&world, &arguments.view)?;
    if db.entity_id(&entity)?.is_none() {
        return Err(Fault::new(format!("no entity is {entity}"))
            .help("name an entity by its number, its ident, or a unique attribute and its value")
            .into());
    }
    Ok(Output::Value(db.pull(&pattern, &entity)?).print(arguments.format)?)
}
