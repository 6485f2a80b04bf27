//! `datom slab stat|verify|dump`: what a region looks like from outside.

use std::fmt::Write;
use std::path::Path;

use datom::Value;
use eve::inspect::{Attached, Block, ClassUse, Condition, Inspection, Kind, Overview};

use super::Outcome;
use super::stats::{count, map};
use crate::cli::{self, Format};
use crate::fault::Fault;
use crate::render::Output;

pub(super) fn slab(command: &cli::Slab) -> Outcome {
    match command {
        cli::Slab::Stat { file, format } => stat(file, *format),
        cli::Slab::Verify { file, format } => verify(file, *format),
        cli::Slab::Dump(arguments) => dump(arguments),
    }
}

fn open(file: &Path) -> Result<Inspection, Box<Fault>> {
    let opened = Inspection::open(file);
    opened.map_err(|error| match error {
        // These name the file.
        eve::Error::Missing { .. } => {
            Fault::new(format!("{}: no such file", file.display())).into()
        }
        error => Fault::new(error).into(),
    })
}

/// `:a-name` for what the crate calls `AName`.
fn keyword(debug: &impl std::fmt::Debug) -> Value {
    let mut name = String::new();
    for letter in format!("{debug:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(letter.to_lowercase());
    }
    Value::keyword(&name)
}

fn address(at: eve::Addr) -> Value {
    if at.is_none() { Value::Nil } else { Value::text(&format!("{:#x}", at.raw())) }
}

fn stat(file: &Path, format: Format) -> Outcome {
    let overview = open(file)?.overview();
    let parts = vec![
        ("region", Output::Value(region(&overview))),
        ("classes", classes(&overview)),
        ("attached", attached(&overview)),
        ("checkpoints", checkpoints(&overview)),
        ("offers", offers(&overview)),
    ];
    Ok(Output::Parts(parts).print(format)?)
}

fn region(overview: &Overview) -> Value {
    let retired = |classes: &[ClassUse]| classes.iter().map(|class| class.retired).sum::<u64>();
    let live = |class: &ClassUse| class.live * class.block_bytes;
    let oldest = overview.oldest_pin().map_or(Value::Nil, |holder| {
        map([
            ("pid", count(holder.pid.into())),
            ("epoch", holder.oldest.map_or(Value::Nil, count)),
            ("commits-ago", holder.commits_ago.map_or(Value::Nil, count)),
        ])
    });
    let created = i64::try_from(overview.created_micros).map_or(Value::Nil, Value::Instant);
    map([
        ("layout-version", count(overview.version.into())),
        ("created", created),
        ("condition", keyword(&overview.condition)),
        ("commits", count(overview.epoch)),
        ("root", overview.root.map_or(Value::keyword("damaged"), address)),
        ("limit-bytes", count(overview.limit_bytes)),
        ("allocated-bytes", count(overview.allocated_bytes)),
        ("used-bytes", count(overview.used_bytes)),
        ("free-chunks", count(overview.free_chunks)),
        ("resting-chunks", count(overview.resting_chunks)),
        ("live-bytes", count(overview.classes.iter().map(live).sum::<u64>() + overview.large.1)),
        ("retired-blocks", count(retired(&overview.classes) + overview.large_retired.0)),
        ("left-behind-blocks", count(overview.left_behind_blocks)),
        ("oldest-pin", oldest),
    ])
}

fn table(columns: &[&str], rows: impl IntoIterator<Item = Vec<Value>>) -> Output {
    let columns = columns.iter().map(|&name| name.to_owned()).collect();
    Output::Table { columns, rows: rows.into_iter().collect() }
}

fn classes(overview: &Overview) -> Output {
    let small = overview.classes.iter().map(|class| {
        let sums = [class.block_bytes, class.chunks, class.live, class.retired, class.free];
        sums.map(count).to_vec()
    });
    let (live, retired) = (overview.large, overview.large_retired);
    let large = vec![
        Value::keyword("large"),
        count((live.1 + retired.1).div_ceil(64 << 10)),
        count(live.0),
        count(retired.0),
        Value::Nil,
    ];
    let large = (live.0 + retired.0 > 0).then_some(large);
    table(&["block-bytes", "chunks", "live", "retired", "free"], small.chain(large))
}

fn attached(overview: &Overview) -> Output {
    let row = |process: &Attached| {
        let optional = |number: Option<u64>| number.map_or(Value::Nil, count);
        vec![
            count(process.slot as u64),
            count(process.pid.into()),
            Value::Bool(process.lives),
            count(process.running),
            count(process.pins),
            optional(process.oldest),
            optional(process.commits_ago),
            count(process.retired_blocks),
        ]
    };
    let columns =
        ["slot", "pid", "lives", "running", "pins", "oldest", "commits-ago", "retired-blocks"];
    table(&columns, overview.attachments.iter().map(row))
}

fn checkpoints(overview: &Overview) -> Output {
    let row = |record: &eve::inspect::Checkpointed| {
        vec![
            count(record.epoch),
            address(record.root),
            Value::Bool(record.saved),
            Value::Bool(record.newest),
        ]
    };
    table(&["epoch", "root", "saved", "newest"], overview.checkpoints.iter().map(row))
}

fn offers(overview: &Overview) -> Output {
    let row =
        |offer: &eve::inspect::Offered| vec![count(offer.epoch), Value::Bool(offer.looked_at)];
    table(&["epoch", "looked-at"], overview.offers.iter().map(row))
}

fn verify(file: &Path, format: Format) -> Outcome {
    let inspection = open(file)?;
    let problems = inspection.problems();
    for problem in &problems {
        eprintln!("problem   {problem}");
    }
    let overview = inspection.overview();
    let blocks = inspection.blocks(0..u64::MAX).count() as u64;
    let shown = map([
        ("condition", keyword(&overview.condition)),
        ("commits", count(overview.epoch)),
        ("blocks", count(blocks)),
        ("problems", count(problems.len() as u64)),
    ]);
    Output::Value(shown).print(format)?;
    if problems.is_empty() {
        return Ok(());
    }
    let advice = match overview.condition {
        Condition::Stopped => "the next process that opens it goes back to its newest checkpoint",
        _ => "restore the file from a backup; the region of a world is rebuilt from its log",
    };
    Err(Fault::new(format!("{} is damaged", file.display())).help(advice).into())
}

fn dump(arguments: &cli::Dump) -> Outcome {
    let inspection = open(&arguments.file)?;
    let range = arguments.from..arguments.to.unwrap_or(u64::MAX);
    let blocks = inspection.blocks(range);
    let wanted = |block: &Block| arguments.kind.is_none_or(|kind| kind == shown_as(block.kind));
    let rows = blocks.filter(wanted).map(|block| {
        let words = inspection.words(block.at, arguments.bytes.div_ceil(8)).unwrap_or_default();
        let optional = |number: Option<u64>| number.map_or(Value::Nil, count);
        vec![
            address(block.at),
            if block.large { Value::keyword("large") } else { count(block.room_bytes) },
            keyword(&block.kind),
            optional(block.lane.map(u64::from)),
            optional(block.epoch),
            count(block.length_bytes.unwrap_or(block.room_bytes)),
            Value::text(&content(&words, arguments)),
        ]
    });
    let columns = ["address", "class", "kind", "lane", "birth", "bytes", "content"];
    Ok(table(&columns, rows).print(arguments.format)?)
}

fn shown_as(kind: Kind) -> cli::Block {
    match kind {
        Kind::Version => cli::Block::Version,
        Kind::Record => cli::Block::Record,
        Kind::Dying => cli::Block::Dying,
        Kind::Held | Kind::Sent => cli::Block::Payload,
        Kind::Shared => cli::Block::Shared,
        _ => cli::Block::Unknown,
    }
}

/// Words as words, or as the bytes they are in the file.
fn content(words: &[u64], arguments: &cli::Dump) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    if arguments.words {
        for (index, word) in words.iter().enumerate() {
            let _ = write!(text, "{}{word:016x}", if index == 0 { "" } else { " " });
        }
        return text;
    }
    let bytes = words.iter().flat_map(|word| word.to_le_bytes());
    let limit = usize::try_from(arguments.bytes).unwrap_or(usize::MAX);
    for (index, byte) in bytes.take(limit).enumerate() {
        let between = if index > 0 && index % 8 == 0 { " " } else { "" };
        let _ = write!(text, "{between}{byte:02x}");
    }
    text
}
