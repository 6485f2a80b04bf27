//! 40-byte datoms between two pinned threads: throughput one by one and in batches, and round
//! trips, beside `rtrb` and `crossbeam-channel`.
//!
//! Every variant moves the same records: five words made from a counter, of which the other side
//! sums all five. `cargo bench -p benches --bench ring` ends with a table of `ours / peer`.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use eve::ring::{Consumer, Heap, Layout, Producer, Record, Ring};
use rustix::thread::{CpuSet, sched_setaffinity};

const CAPACITY: u64 = 4096;
const BATCH: usize = 64;
/// Of the comparison at the end: how often every variant takes its turn, and with how much.
const ROUNDS: usize = 21;
const ROUND_RECORDS: u64 = 500_000;
const ROUND_TRIPS: u64 = 20_000;
/// A round trip is timed in groups: one by one, the clock would be a third of it.
const TRIPS_PER_GROUP: u64 = 16;

fn record(number: u64) -> Record {
    [number, number ^ 0x55, number << 1, number >> 3, 1]
}

fn sum(record: Record) -> u64 {
    record.into_iter().fold(0, u64::wrapping_add)
}

fn checksum(count: u64) -> u64 {
    (0..count).fold(0, |total, number| total.wrapping_add(sum(record(number))))
}

/// Two cores if there are two.
fn pin(core: usize) {
    // Asked once: a thread that is pinned sees one core.
    static CORES: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));
    let mut set = CpuSet::new();
    set.set(core % *CORES);
    // Unpinned threads only make the figures noisier.
    let _ = sched_setaffinity(None, &set);
}

/// Moves `count` records from this thread to another; the time until the last was summed.
fn transfer(
    count: u64,
    produce: impl FnOnce(u64),
    consume: impl FnOnce(u64) -> u64 + Send,
) -> Duration {
    let start_line = Barrier::new(2);
    thread::scope(|scope| {
        let consumer = scope.spawn(|| {
            pin(1);
            start_line.wait();
            let total = consume(count);
            (total, Instant::now())
        });
        pin(0);
        start_line.wait();
        let start = Instant::now();
        produce(count);
        let (total, end) = consumer.join().unwrap();
        assert_eq!(total, checksum(count));
        end - start
    })
}

/// Sends `count` records to another thread that sends each back. The median trip, times `count`.
fn round_trips(count: u64, mut call: impl FnMut(u64), echo: impl FnOnce(u64) + Send) -> Duration {
    let groups = count.div_ceil(TRIPS_PER_GROUP);
    let mut times = Vec::with_capacity(groups as usize);
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(1);
            echo(groups * TRIPS_PER_GROUP);
        });
        pin(0);
        let mut start = Instant::now();
        for group in 0..groups {
            for trip in 0..TRIPS_PER_GROUP {
                call(group * TRIPS_PER_GROUP + trip);
            }
            let end = Instant::now();
            times.push(end - start);
            start = end;
        }
    });
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    median.mul_f64(count as f64 / TRIPS_PER_GROUP as f64)
}

fn ring(layout: Layout) -> (Producer<Heap>, Consumer<Heap>) {
    let ring = Ring::heap(layout, CAPACITY).unwrap();
    (ring.producer().unwrap(), ring.consumer().unwrap())
}

fn push(producer: &mut Producer<Heap>, record: Record) {
    while !producer.try_push(record).unwrap() {
        spin_loop();
    }
}

fn pop(consumer: &mut Consumer<Heap>) -> Record {
    loop {
        if let Some(record) = consumer.try_pop().unwrap() {
            return record;
        }
        spin_loop();
    }
}

fn ours_one_by_one(layout: Layout, count: u64) -> Duration {
    let (mut producer, mut consumer) = ring(layout);
    transfer(
        count,
        |count| (0..count).for_each(|number| push(&mut producer, record(number))),
        |count| (0..count).fold(0, |total, _| total.wrapping_add(sum(pop(&mut consumer)))),
    )
}

fn consume_views(consumer: &mut Consumer<Heap>, count: u64) -> u64 {
    let (mut total, mut seen) = (0_u64, 0);
    while seen < count {
        let view = consumer.peek(BATCH).unwrap();
        let length = view.len();
        if length == 0 {
            spin_loop();
            continue;
        }
        for record in view.iter() {
            total = total.wrapping_add(sum(record));
        }
        view.release(length);
        seen += length as u64;
    }
    total
}

fn ours_staged(layout: Layout, count: u64) -> Duration {
    let (mut producer, mut consumer) = ring(layout);
    let produce = |count| {
        for number in 0..count {
            while !producer.stage(record(number)).unwrap() {
                spin_loop();
            }
        }
        producer.flush().unwrap();
    };
    transfer(count, produce, |count| consume_views(&mut consumer, count))
}

fn ours_in_place(layout: Layout, count: u64) -> Duration {
    let (mut producer, mut consumer) = ring(layout);
    let produce = |count| {
        let mut number = 0;
        while number < count {
            let mut room = producer.reserve(BATCH.min((count - number) as usize)).unwrap();
            while room.put(record(number)) {
                number += 1;
            }
            room.commit();
        }
    };
    transfer(count, produce, |count| consume_views(&mut consumer, count))
}

fn rtrb_push(producer: &mut rtrb::Producer<Record>, record: Record) {
    while producer.push(record).is_err() {
        spin_loop();
    }
}

fn rtrb_pop(consumer: &mut rtrb::Consumer<Record>) -> Record {
    loop {
        if let Ok(record) = consumer.pop() {
            return record;
        }
        spin_loop();
    }
}

fn rtrb_one_by_one(count: u64) -> Duration {
    let (mut producer, mut consumer) = rtrb::RingBuffer::new(CAPACITY as usize);
    transfer(
        count,
        |count| (0..count).for_each(|number| rtrb_push(&mut producer, record(number))),
        |count| (0..count).fold(0, |total, _| total.wrapping_add(sum(rtrb_pop(&mut consumer)))),
    )
}

fn rtrb_chunks(count: u64) -> Duration {
    let (mut producer, mut consumer) = rtrb::RingBuffer::<Record>::new(CAPACITY as usize);
    let produce = |count| {
        let mut number = 0;
        while number < count {
            let wanted = BATCH.min(producer.slots()).min((count - number) as usize);
            let Ok(chunk) = producer.write_chunk_uninit(wanted) else { continue };
            number += chunk.fill_from_iter((number..count).map(record)) as u64;
        }
    };
    let consume = |count| {
        let (mut total, mut seen) = (0_u64, 0);
        while seen < count {
            let wanted = BATCH.min(consumer.slots());
            if wanted == 0 {
                spin_loop();
                continue;
            }
            let chunk = consumer.read_chunk(wanted).unwrap();
            let (first, second) = chunk.as_slices();
            for record in first.iter().chain(second) {
                total = total.wrapping_add(sum(*record));
            }
            chunk.commit_all();
            seen += wanted as u64;
        }
        total
    };
    transfer(count, produce, consume)
}

fn crossbeam_one_by_one(count: u64) -> Duration {
    let (sender, receiver) = crossbeam_channel::bounded(CAPACITY as usize);
    transfer(
        count,
        |count| (0..count).for_each(|number| sender.send(record(number)).unwrap()),
        |count| (0..count).fold(0, |total, _| total.wrapping_add(sum(receiver.recv().unwrap()))),
    )
}

fn ours_round_trips(layout: Layout, count: u64) -> Duration {
    let ((mut request, mut server), (mut response, mut client)) = (ring(layout), ring(layout));
    let call = |number| {
        push(&mut request, record(number));
        assert_eq!(pop(&mut client)[0], number);
    };
    // A server releases the request after it responded: the response need not wait for that.
    round_trips(count, call, |count| {
        let mut served = 0;
        while served < count {
            let view = server.peek(1).unwrap();
            match view.get(0) {
                Some(record) => {
                    push(&mut response, record);
                    view.release(1);
                    served += 1;
                }
                None => spin_loop(),
            }
        }
    })
}

fn rtrb_round_trips(count: u64) -> Duration {
    let (mut request, mut server) = rtrb::RingBuffer::new(CAPACITY as usize);
    let (mut response, mut client) = rtrb::RingBuffer::<Record>::new(CAPACITY as usize);
    let call = |number| {
        rtrb_push(&mut request, record(number));
        assert_eq!(rtrb_pop(&mut client)[0], number);
    };
    round_trips(count, call, |count| {
        for _ in 0..count {
            let record = rtrb_pop(&mut server);
            rtrb_push(&mut response, record);
        }
    })
}

fn crossbeam_round_trips(count: u64) -> Duration {
    let (request, server) = crossbeam_channel::bounded(CAPACITY as usize);
    let (response, client) = crossbeam_channel::bounded::<Record>(CAPACITY as usize);
    let call = |number| {
        request.send(record(number)).unwrap();
        assert_eq!(client.recv().unwrap()[0], number);
    };
    round_trips(count, call, |count| {
        for _ in 0..count {
            response.send(server.recv().unwrap()).unwrap();
        }
    })
}

/// What no ring can beat: one cache line that goes to the other core and back.
fn floor_round_trips(count: u64) -> Duration {
    let line = AtomicU64::new(0);
    let call = |number| {
        line.store(number * 2 + 1, Ordering::Release);
        while line.load(Ordering::Acquire) != number * 2 + 2 {
            spin_loop();
        }
    };
    round_trips(count, call, |count| {
        for number in 0..count {
            while line.load(Ordering::Acquire) != number * 2 + 1 {
                spin_loop();
            }
            line.store(number * 2 + 2, Ordering::Release);
        }
    })
}

/// One way to move records, in a group of its likes.
struct Variant {
    group: &'static str,
    name: &'static str,
    run: fn(u64) -> Duration,
}

const ONE_BY_ONE: &str = "one_by_one";
const BATCHED: &str = "batched";
const ROUND_TRIP: &str = "round_trip";

/// Ours begin with "eve"; the rest are the peers.
fn variants() -> Vec<Variant> {
    let variant = |group, name, run| Variant { group, name, run };
    vec![
        variant(ONE_BY_ONE, "eve sequenced", |n| ours_one_by_one(Layout::Sequenced, n)),
        variant(ONE_BY_ONE, "eve packed", |n| ours_one_by_one(Layout::Packed, n)),
        variant(ONE_BY_ONE, "rtrb", rtrb_one_by_one),
        variant(ONE_BY_ONE, "crossbeam-channel", crossbeam_one_by_one),
        variant(BATCHED, "eve packed", |n| ours_in_place(Layout::Packed, n)),
        variant(BATCHED, "eve packed, staged", |n| ours_staged(Layout::Packed, n)),
        variant(BATCHED, "eve sequenced", |n| ours_in_place(Layout::Sequenced, n)),
        variant(BATCHED, "rtrb", rtrb_chunks),
        variant(ROUND_TRIP, "eve sequenced", |n| ours_round_trips(Layout::Sequenced, n)),
        variant(ROUND_TRIP, "eve packed", |n| ours_round_trips(Layout::Packed, n)),
        variant(ROUND_TRIP, "rtrb", rtrb_round_trips),
        variant(ROUND_TRIP, "crossbeam-channel", crossbeam_round_trips),
        variant(ROUND_TRIP, "floor", floor_round_trips),
    ]
}

fn suite(criterion: &mut Criterion, variants: &[Variant]) {
    for variant in variants {
        let mut group = criterion.benchmark_group(variant.group);
        group.throughput(Throughput::Elements(1));
        group.bench_function(variant.name, |bencher| bencher.iter_custom(variant.run));
        group.finish();
    }
}

/// Runs all variants in turn, again and again, so that whatever else the machine does hits all
/// alike, and prints medians. Above 1.00 is better than the peer.
fn compare(variants: &[Variant]) {
    let mut nanos = vec![Vec::new(); variants.len()];
    for _ in 0..ROUNDS {
        for (variant, nanos) in variants.iter().zip(&mut nanos) {
            let count = if variant.group == ROUND_TRIP { ROUND_TRIPS } else { ROUND_RECORDS };
            nanos.push((variant.run)(count).as_nanos() as f64 / count as f64);
        }
    }
    for nanos in &mut nanos {
        nanos.sort_by(f64::total_cmp);
    }
    println!("\n{:<32} {:>9} {:>8} {:>9}   ours / peer", "", "median ns", "M/s", "best ns");
    for (variant, times) in variants.iter().zip(&nanos) {
        let median = times[ROUNDS / 2];
        let is_ours = variant.name.starts_with("eve");
        let peers = variants.iter().zip(&nanos).filter(|(peer, _)| {
            is_ours && peer.group == variant.group && !peer.name.starts_with("eve")
        });
        let ratio = |(peer, theirs): (&Variant, &Vec<f64>)| {
            format!("{:.2} {}", theirs[ROUNDS / 2] / median, peer.name)
        };
        let ratios: Vec<_> = peers.map(ratio).collect();
        let name = format!("{}/{}", variant.group, variant.name);
        let (rate, best) = (1e3 / median, times[0]);
        println!("{name:<32} {median:>9.2} {rate:>8.1} {best:>9.2}   {}", ratios.join(", "));
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let variants = variants();
    suite(&mut criterion, &variants);
    criterion.final_summary();
    compare(&variants);
}
