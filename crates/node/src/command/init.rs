//! `datom init`: an empty world.

use super::Outcome;
use crate::cli;
use crate::world::World;

pub(super) fn init(arguments: &cli::World) -> Outcome {
    let world = World::create(&arguments.dir)?;
    eprintln!("created {} (t {})", arguments.dir.display(), world.database().db()?.basis());
    eprintln!("key     {}", world.key().public());
    Ok(())
}
