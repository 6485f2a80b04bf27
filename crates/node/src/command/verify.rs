//! `datom verify`: is everything as it must be?

use super::Outcome;
use crate::cli;
use crate::fault::Fault;
use crate::world::World;

pub(super) fn verify(arguments: &cli::World) -> Outcome {
    let world = World::open(&arguments.dir)?;
    let verification = world.database().verify()?;
    println!("{verification}");
    if verification.is_clean() {
        return Ok(());
    }
    Err(Fault::new(format!("{} is damaged", arguments.dir.display()))
        .help("the log is the truth: if only the region is damaged, move it away and open the world again; it is rebuilt")
        .into())
}
