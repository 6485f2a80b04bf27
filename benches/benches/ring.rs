//! 40-byte datoms between two pinned threads: throughput one by one and in batches, and round
//! trips, beside `rtrb` and `crossbeam-channel`.
//!
//! Every variant moves the same records: five words made from a counter, of which the other side
//! sums all five. `cargo bench -p benches --bench ring` ends with a table of `ours / peer`.

use std::collections::BTreeMap;
use std::hint::spin_loop;
use std::sync::{Barrier, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use eve::ring::{Consumer, Heap, Layout, Producer, Record, Ring};
use rustix::thread::{CpuSet, sched_setaffinity};

const CAPACITY: u64 = 4096;
const BATCH: usize = 64;
/// Criterion warms up with counts so small that starting the thread is what they time.
const COUNT_MIN: u64 = 1000;
/// A round trip is timed in groups: one by one, the clock would be a third of it.
const TRIPS_PER_GROUP: u64 = 16;

/// Of each variant: nanoseconds for a record, or for a round trip, of every sample.
static TIMES: Mutex<BTreeMap<String, Vec<f64>>> = Mutex::new(BTreeMap::new());

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

fn note(group: &str, name: &str, nanos: f64) {
    let mut times = TIMES.lock().unwrap();
    times.entry(format!("{group}/{name}")).or_default().push(nanos);
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
    round_trips(count, call, |count| {
        for _ in 0..count {
            let record = pop(&mut server);
            push(&mut response, record);
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

fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    group_name: &str,
    name: &str,
    mut run: impl FnMut(u64) -> Duration,
) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|count| {
            let elapsed = run(count);
            if count >= COUNT_MIN {
                note(group_name, name, elapsed.as_nanos() as f64 / count as f64);
            }
            elapsed
        });
    });
}

fn suite(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one_by_one");
    group.throughput(Throughput::Elements(1));
    measure(&mut group, "one_by_one", "eve sequenced", |n| ours_one_by_one(Layout::Sequenced, n));
    measure(&mut group, "one_by_one", "eve packed", |n| ours_one_by_one(Layout::Packed, n));
    measure(&mut group, "one_by_one", "rtrb", rtrb_one_by_one);
    measure(&mut group, "one_by_one", "crossbeam-channel", crossbeam_one_by_one);
    group.finish();

    let mut group = criterion.benchmark_group("batched");
    group.throughput(Throughput::Elements(1));
    measure(&mut group, "batched", "eve packed", |n| ours_in_place(Layout::Packed, n));
    measure(&mut group, "batched", "eve packed, staged", |n| ours_staged(Layout::Packed, n));
    measure(&mut group, "batched", "eve sequenced", |n| ours_in_place(Layout::Sequenced, n));
    measure(&mut group, "batched", "rtrb", rtrb_chunks);
    group.finish();

    let mut group = criterion.benchmark_group("round_trip");
    measure(&mut group, "round_trip", "eve sequenced", |n| ours_round_trips(Layout::Sequenced, n));
    measure(&mut group, "round_trip", "eve packed", |n| ours_round_trips(Layout::Packed, n));
    measure(&mut group, "round_trip", "rtrb", rtrb_round_trips);
    measure(&mut group, "round_trip", "crossbeam-channel", crossbeam_round_trips);
    group.finish();
}

/// Median and best of one variant, in nanoseconds.
fn summary(times: &mut [f64]) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[0])
}

/// Above 1.00 is better than the peer, in median time.
fn print_ratios() {
    let mut times = TIMES.lock().unwrap();
    let variants: BTreeMap<_, _> =
        times.iter_mut().map(|(name, times)| (name.clone(), summary(times))).collect();
    println!("\n{:<34} {:>10} {:>8} {:>10}   ours / peer", "", "ns", "M/s", "best ns");
    for (name, (nanos, best)) in &variants {
        let group = name.split('/').next().unwrap_or_default();
        let peers = variants.iter().filter(|(peer, _)| {
            name.contains("/eve") && peer.starts_with(group) && !peer.contains("/eve")
        });
        let ratios: Vec<_> = peers
            .map(|(peer, (theirs, _))| {
                format!("{:.2} {}", theirs / nanos, peer.split('/').nth(1).unwrap_or_default())
            })
            .collect();
        let rate = 1e3 / nanos;
        println!("{name:<34} {nanos:>10.2} {rate:>8.1} {best:>10.2}   {}", ratios.join(", "));
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    suite(&mut criterion);
    criterion.final_summary();
    print_ratios();
}
