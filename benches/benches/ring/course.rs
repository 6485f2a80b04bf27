//! The course that every variant runs: what is moved, on which cores, and how it is timed.

use std::hint::spin_loop;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use eve::ring::Record;
use rustix::thread::{CpuSet, sched_setaffinity};

pub(crate) const CAPACITY: u64 = 4096;
pub(crate) const BATCH: usize = 64;
/// A round trip is timed in groups: one by one, the clock would be a third of it.
const TRIPS_PER_GROUP: u64 = 16;

pub(crate) fn record(number: u64) -> Record {
    [number, number ^ 0x55, number << 1, number >> 3, 1]
}

#[inline(always)]
pub(crate) fn sum(record: Record) -> u64 {
    record.into_iter().fold(0, u64::wrapping_add)
}

pub(crate) fn checksum(count: u64) -> u64 {
    (0..count).fold(0, |total, number| total.wrapping_add(sum(record(number))))
}

/// Moves this thread to a core. Without such a core it stays where it is, and figures are noisier.
pub(crate) fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    let _ = sched_setaffinity(None, &set);
}

/// Moves `count` records from this thread to another, each on its core; the time until the last was
/// summed.
pub(crate) fn transfer(
    cores: [usize; 2],
    count: u64,
    produce: impl FnOnce(u64),
    consume: impl FnOnce(u64) -> u64 + Send,
) -> Duration {
    let start_line = Barrier::new(2);
    thread::scope(|scope| {
        let consumer = scope.spawn(|| {
            pin(cores[1]);
            start_line.wait();
            let total = consume(count);
            (total, Instant::now())
        });
        pin(cores[0]);
        start_line.wait();
        let start = Instant::now();
        produce(count);
        let (total, end) = consumer.join().unwrap();
        assert_eq!(total, checksum(count));
        end - start
    })
}

/// Calls `count` times, in groups. The median trip, times `count`.
pub(crate) fn timed_trips(count: u64, mut call: impl FnMut(u64)) -> Duration {
    let groups = groups(count);
    let mut times = Vec::with_capacity(groups as usize);
    let mut start = Instant::now();
    for group in 0..groups {
        for trip in 0..TRIPS_PER_GROUP {
            call(group * TRIPS_PER_GROUP + trip);
        }
        let end = Instant::now();
        times.push(end - start);
        start = end;
    }
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    median.mul_f64(count as f64 / TRIPS_PER_GROUP as f64)
}

/// How many calls [`timed_trips`] makes of `count`: whole groups.
pub(crate) fn trips(count: u64) -> u64 {
    groups(count) * TRIPS_PER_GROUP
}

fn groups(count: u64) -> u64 {
    count.div_ceil(TRIPS_PER_GROUP)
}

/// Sends `count` records to another thread that sends each back.
pub(crate) fn round_trips(
    count: u64,
    call: impl FnMut(u64),
    echo: impl FnOnce(u64) + Send,
) -> Duration {
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(1);
            echo(trips(count));
        });
        pin(0);
        timed_trips(count, call)
    })
}

#[repr(align(128))]
struct Line(AtomicU64);

/// The measure of a ring pair: a word that goes there, and another, on its own line, that comes
/// back.
pub(crate) fn two_lines_round_trips(count: u64) -> Duration {
    let (there, back) = (Line(AtomicU64::new(0)), Line(AtomicU64::new(0)));
    let call = |number| {
        there.0.store(number + 1, Ordering::Release);
        await_value(&back.0, number + 1);
    };
    round_trips(count, call, |count| {
        for number in 0..count {
            await_value(&there.0, number + 1);
            back.0.store(number + 1, Ordering::Release);
        }
    })
}

/// What nothing can beat: one cache line that goes to the other core and back.
pub(crate) fn one_line_round_trips(count: u64) -> Duration {
    let line = Line(AtomicU64::new(0));
    let call = |number| {
        line.0.store(number * 2 + 1, Ordering::Release);
        await_value(&line.0, number * 2 + 2);
    };
    round_trips(count, call, |count| {
        for number in 0..count {
            await_value(&line.0, number * 2 + 1);
            line.0.store(number * 2 + 2, Ordering::Release);
        }
    })
}

fn await_value(word: &AtomicU64, value: u64) {
    while word.load(Ordering::Acquire) != value {
        spin_loop();
    }
}
