//! `datom backup` and `datom restore`: copies of a world, and worlds made from them.

use std::sync::Arc;

use daodb::OnProgress;
use datom::Value;

use super::Outcome;
use super::stats::count;
use crate::cli::{self, Format};
use crate::progress;
use crate::render::Output;
use crate::world::World;

pub(super) fn backup(arguments: &cli::Backup) -> Outcome {
    let world = World::open(&arguments.dir)?;
    let progress: OnProgress = Arc::new(progress::bar("copying", "segments"));
    let done = world.database().backup(&arguments.backup, Some(&progress))?;
    let shown = Value::map([
        (Value::keyword("t"), count(done.t)),
        (Value::keyword("segments"), count(done.segments)),
        (Value::keyword("copied"), count(done.copied)),
        (Value::keyword("bytes"), count(done.bytes)),
    ]);
    Ok(Output::Value(shown).print(Format::Auto)?)
}

pub(super) fn restore(arguments: &cli::Restore) -> Outcome {
    let world = World::restore(&arguments.dir, &arguments.backup)?;
    let t = world.database().db()?.basis();
    let shown = Value::map([(Value::keyword("t"), count(t))]);
    Ok(Output::Value(shown).print(Format::Auto)?)
}
