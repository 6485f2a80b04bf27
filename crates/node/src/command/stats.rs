//! `datom stats`, `datom gc` and `datom rebuild`: what a world takes, and making that less.

use daodb::{Db, Tier};
use datom::Value;

use super::Outcome;
use crate::cli::{self, Format, Moment};
use crate::render::Output;
use crate::world::World;

/// A number as a value.
pub(super) fn count(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A map with keywords for keys.
pub(super) fn map(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::map(entries.into_iter().map(|(name, value)| (Value::keyword(name), value)))
}

fn tier(tier: Tier) -> Value {
    map([("segments", count(tier.segments)), ("bytes", count(tier.bytes))])
}

pub(super) fn stats(arguments: &cli::Stats) -> Outcome {
    let world = World::open(&arguments.dir)?;
    let stats = world.database().stats()?;
    let indexes = |facts: [u64; 4]| {
        let names = ["eavt", "aevt", "avet", "vaet"];
        map(names.into_iter().zip(facts.map(count)))
    };
    let attached = stats.attached.iter().map(|(process, pinned)| {
        let behind =
            pinned.map_or(Value::Nil, |pinned| count(stats.commits.saturating_sub(pinned)));
        map([("process", count(u64::from(*process))), ("commits-behind", behind)])
    });
    let cold_folder = stats.cold_folder.as_ref();
    let cold_folder =
        cold_folder.map_or(Value::Nil, |folder| Value::text(&folder.display().to_string()));
    let shown = map([
        ("t", count(stats.t)),
        ("durable-t", count(stats.durable_t)),
        ("lag", count(stats.lag())),
        ("facts", indexes(stats.current)),
        ("past-facts", indexes(stats.history)),
        ("history-from", count(stats.history_from)),
        (
            "region",
            map([
                ("file-bytes", count(stats.region_bytes)),
                ("disk-bytes", count(stats.region_disk_bytes)),
                ("block-bytes", count(stats.block_bytes)),
                ("retired-blocks", count(stats.retired_blocks)),
            ]),
        ),
        (
            "log",
            map([
                ("plain", tier(stats.plain)),
                ("sealed", tier(stats.sealed)),
                ("cold", tier(stats.cold)),
                ("cold-folder", cold_folder),
                ("being-written", Value::Bool(stats.lease_held)),
            ]),
        ),
        ("attached", Value::Vector(attached.collect())),
    ]);
    Ok(Output::Value(shown).print(arguments.format)?)
}

pub(super) fn gc(arguments: &cli::Gc) -> Outcome {
    let world = World::open(&arguments.dir)?;
    let database = world.database();
    let sealed = database.seal()?;
    let keep = database.db()?.basis().saturating_sub(arguments.keep);
    let moved = match &arguments.cold {
        Some(folder) => database.freeze(folder, keep)?,
        None => 0,
    };
    let mut shown = vec![("sealed", count(sealed)), ("moved", count(moved))];
    if let Some(before) = arguments.before {
        let pruned = database.prune(transaction(&database.db()?, before)?)?;
        shown.extend([("history-from", count(pruned.from)), ("pruned", count(pruned.datoms))]);
    }
    Ok(Output::Value(map(shown)).print(Format::Auto)?)
}

/// The last transaction at a moment.
fn transaction(db: &Db, moment: Moment) -> Result<u64, daodb::Error> {
    match moment {
        Moment::Transaction(t) => Ok(t),
        Moment::Instant(instant) => db.t_at(instant),
    }
}

pub(super) fn rebuild(arguments: &cli::World) -> Outcome {
    let world = World::rebuild(&arguments.dir)?;
    let stats = world.database().stats()?;
    let shown = map([
        ("replayed", count(world.database().opening().replayed)),
        ("t", count(stats.t)),
        ("block-bytes", count(stats.block_bytes)),
    ]);
    Ok(Output::Value(shown).print(Format::Auto)?)
}
