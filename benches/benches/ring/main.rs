//! 40-byte datoms from one core to another: one by one, in batches, and round trips, between
//! threads and between processes, from one and from many, beside the peers.
//!
//! Every variant moves the same records: five words made from a counter, of which the other side
//! sums all five; the sum is compared. `cargo xtask bench ring` ends with a table of
//! `peer's time / ours`, measured in turns. With `table` as an argument there is only the table, and
//! with a part of a group's name behind it only that part of it.

use std::time::Duration;

use criterion::{Criterion, Throughput};
use eve::ring::Layout;

mod course;
mod many;
mod ours;
mod peers;
mod processes;
mod table;

/// One way to move records, in a group of its likes.
struct Variant {
    group: &'static str,
    name: &'static str,
    /// The time that this many records, or round trips, took.
    run: Box<dyn Fn(u64) -> Duration>,
}

const ONE_BY_ONE: &str = "one_by_one";
const BATCHED: &str = "batched";
const ROUND_TRIP: &str = "round_trip";
const ONE_CORE: &str = "one_core";
/// How many producers a fan is measured with, alone and in batches.
const MANY: [(usize, &str, &str); 3] = [
    (1, "many_1", "many_1_batched"),
    (2, "many_2", "many_2_batched"),
    (8, "many_8", "many_8_batched"),
];

/// Ours begin with "eve"; the rest are the peers.
fn variants() -> Vec<Variant> {
    use Layout::{Packed, Sequenced};
    let mut variants = vec![
        variant(ONE_BY_ONE, "eve sequenced", |n| ours::one_by_one(Sequenced, n)),
        variant(ONE_BY_ONE, "eve sequenced, processes", |n| processes::one_by_one(Sequenced, n)),
        variant(ONE_BY_ONE, "eve packed", |n| ours::one_by_one(Packed, n)),
        variant(ONE_BY_ONE, "rtrb", peers::rtrb_one_by_one),
        variant(ONE_BY_ONE, "ringbuf", peers::ringbuf_one_by_one),
        variant(ONE_BY_ONE, "disruptor", peers::disruptor_one_by_one),
        variant(ONE_BY_ONE, "crossbeam-channel", peers::crossbeam_one_by_one),
        variant(BATCHED, "eve packed", |n| ours::in_place(Packed, n)),
        variant(BATCHED, "eve packed, processes", |n| processes::in_place(Packed, n)),
        variant(BATCHED, "eve packed, staged", |n| ours::staged(Packed, n)),
        variant(BATCHED, "eve sequenced", |n| ours::in_place(Sequenced, n)),
        variant(BATCHED, "rtrb", peers::rtrb_chunks),
        variant(BATCHED, "ringbuf", peers::ringbuf_slices),
        variant(BATCHED, "disruptor", peers::disruptor_batches),
        variant(ROUND_TRIP, "eve sequenced", |n| ours::round_trips(Sequenced, n)),
        variant(ROUND_TRIP, "eve sequenced, processes", |n| processes::round_trips(Sequenced, n)),
        variant(ROUND_TRIP, "eve packed", |n| ours::round_trips(Packed, n)),
        variant(ROUND_TRIP, "two lines", course::two_lines_round_trips),
        variant(ROUND_TRIP, "one line", course::one_line_round_trips),
        variant(ROUND_TRIP, "rtrb", peers::rtrb_round_trips),
        variant(ROUND_TRIP, "crossbeam-channel", peers::crossbeam_round_trips),
        variant(ONE_CORE, "eve packed, batched", |n| ours::on_one_core(Packed, n)),
        variant(ONE_CORE, "eve sequenced, batched", |n| ours::on_one_core(Sequenced, n)),
    ];
    for (producers, one_by_one, batched) in MANY {
        variants.extend([
            variant(one_by_one, "eve sequenced", move |n| {
                many::one_by_one(Sequenced, producers, n)
            }),
            variant(one_by_one, "eve packed", move |n| many::one_by_one(Packed, producers, n)),
            variant(one_by_one, "crossbeam-channel", move |n| many::channel(producers, n)),
            variant(one_by_one, "ArrayQueue", move |n| many::array_queue(producers, n)),
            variant(one_by_one, "disruptor", move |n| many::disruptor(producers, 1, n)),
            variant(batched, "eve sequenced", move |n| many::batched(Sequenced, producers, n)),
            variant(batched, "eve packed", move |n| many::batched(Packed, producers, n)),
            variant(batched, "disruptor", move |n| many::disruptor(producers, course::BATCH, n)),
        ]);
    }
    variants
}

fn variant(
    group: &'static str,
    name: &'static str,
    run: impl Fn(u64) -> Duration + 'static,
) -> Variant {
    Variant { group, name, run: Box::new(run) }
}

fn suite(criterion: &mut Criterion, variants: &[Variant]) {
    for variant in variants {
        let mut group = criterion.benchmark_group(variant.group);
        group.throughput(Throughput::Elements(1));
        group.bench_function(variant.name, |bencher| bencher.iter_custom(&variant.run));
        group.finish();
    }
}

fn main() {
    if processes::is_the_other() {
        return processes::be_the_other();
    }
    let mut variants = variants();
    let arguments: Vec<_> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if let Some((_, filter)) = arguments.split_first().filter(|(first, _)| *first == "table") {
        variants.retain(|variant| filter.iter().all(|part| variant.group.contains(part)));
    } else {
        let mut criterion = Criterion::default()
            .sample_size(10)
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_secs(1))
            .configure_from_args();
        suite(&mut criterion, &variants);
        criterion.final_summary();
    }
    table::print(&variants);
}
