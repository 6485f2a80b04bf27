//! `datom stats`, `datom gc` and `datom rebuild`: what a world takes, and making that less.

use std::path::Path;

use daodb::{Db, Tier};
use datom::Value;

use super::Outcome;
use crate::cli::{self, Format, Moment};
use crate::render::Output;
use crate::reporter::Reporter;
use crate::world::World;

/// A number as a value.
pub(super) fn count(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A map with keywords for keys.
pub(super) fn map(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::map(entries.into_iter().map(|(name, value)| (Value::keyword(name), value)))
}

/// Rows under names, a part of what is shown.
fn rows<const N: usize>(columns: [&str; N], rows: impl IntoIterator<Item = [Value; N]>) -> Output {
    let rows = rows.into_iter().map(|row| row.to_vec()).collect();
    Output::Table { columns: columns.map(str::to_owned).to_vec(), rows }
}

pub(super) fn stats(arguments: &cli::Stats) -> Outcome {
    let world = World::open(&arguments.dir)?;
    let stats = world.database().stats()?;
    let log_bytes = stats.plain.bytes + stats.sealed.bytes;
    let summary = map([
        ("t", count(stats.t)),
        ("durable-t", count(stats.durable_t)),
        ("lag", count(stats.lag())),
        ("history-from", count(stats.history_from)),
        ("log-being-written", Value::Bool(stats.lease_held)),
        ("disk-bytes", count(stats.region_disk_bytes + log_bytes)),
    ]);
    let indexes = ["eavt", "aevt", "avet", "vaet"].into_iter();
    let facts = indexes.zip(stats.current).zip(stats.history);
    let facts = facts.map(|((index, now), past)| [Value::keyword(index), count(now), count(past)]);
    let region = map([
        ("file-bytes", count(stats.region_bytes)),
        ("disk-bytes", count(stats.region_disk_bytes)),
        ("block-bytes", count(stats.block_bytes)),
        ("retired-blocks", count(stats.retired_blocks)),
    ]);
    let here = world.dir().join("log");
    let kept = |kept: &str, tier: Tier, folder: Option<&Path>| {
        let folder = folder.map_or(Value::Nil, |folder| Value::text(&folder.display().to_string()));
        [Value::keyword(kept), count(tier.segments), count(tier.bytes), folder]
    };
    let log = [
        kept("plain", stats.plain, Some(&here)),
        kept("sealed", stats.sealed, Some(&here)),
        kept("cold", stats.cold, stats.cold_folder.as_deref()),
    ];
    // This process looks on, and is gone when it is read of.
    let others = stats.attached.iter().filter(|(process, _)| *process != std::process::id());
    let others = others.map(|(process, pinned)| {
        let behind =
            pinned.map_or(Value::Nil, |pinned| count(stats.commits.saturating_sub(pinned)));
        [count(u64::from(*process)), behind]
    });
    let parts = vec![
        ("world", Output::Value(summary)),
        ("facts", rows(["index", "now", "past"], facts)),
        ("region", Output::Value(region)),
        ("log", rows(["kept", "segments", "bytes", "folder"], log)),
        ("attached", rows(["process", "commits-behind"], others)),
    ];
    Ok(Output::Parts(parts).print(arguments.format)?)
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
        let before = transaction(&database.db()?, before)?;
        let pruned = database.prune(before)?;
        let forks = database.forks()?.into_iter().filter(|fork| fork.base == pruned.from);
        let forks: Vec<String> = forks.map(|fork| fork.name).collect();
        if pruned.from < before && !forks.is_empty() {
            let (from, forks) = (pruned.from, forks.join(", "));
            let details = format_args!("history from t {from} on, where a fork stands: {forks}");
            Reporter::telling().tell("kept", details);
        }
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
