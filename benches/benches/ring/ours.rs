//! The rings of `eve`, in whatever memory.

use std::hint::spin_loop;
use std::time::Duration;

use eve::ring::{Consumer, Heap, Layout, Producer, Record, Ring, Words};

use crate::course::{self, BATCH, CAPACITY, record, sum, transfer};

const TWO_CORES: [usize; 2] = [0, 1];
const ONE_CORE: [usize; 2] = [0, 0];

fn ring(layout: Layout) -> (Producer<Heap>, Consumer<Heap>) {
    let ring = Ring::heap(layout, CAPACITY).unwrap();
    (ring.producer().unwrap(), ring.consumer().unwrap())
}

#[inline(always)]
pub(crate) fn push<W: Words>(producer: &mut Producer<W>, record: Record) {
    while !producer.try_push(record).unwrap() {
        spin_loop();
    }
}

#[inline(always)]
pub(crate) fn pop<W: Words>(consumer: &mut Consumer<W>) -> Record {
    loop {
        if let Some(record) = consumer.try_pop().unwrap() {
            return record;
        }
        spin_loop();
    }
}

pub(crate) fn push_all<W: Words>(producer: &mut Producer<W>, count: u64) {
    (0..count).for_each(|number| push(producer, record(number)));
}

pub(crate) fn pop_all<W: Words>(consumer: &mut Consumer<W>, count: u64) -> u64 {
    (0..count).fold(0, |total, _| total.wrapping_add(sum(pop(consumer))))
}

/// Writes in place; `idle` is what to do when the ring is full.
pub(crate) fn fill<W: Words>(
    producer: &mut Producer<W>,
    count: u64,
    idle: impl Fn(&mut Producer<W>),
) {
    let mut number = 0;
    while number < count {
        let mut room = producer.reserve(BATCH.min((count - number) as usize)).unwrap();
        if room.room() == 0 {
            idle(producer);
            continue;
        }
        while room.put(record(number)) {
            number += 1;
        }
        room.commit();
    }
}

/// Reads in place; `idle` is what to do when the ring is empty.
pub(crate) fn view_all<W: Words>(
    consumer: &mut Consumer<W>,
    count: u64,
    idle: impl Fn(&mut Consumer<W>),
) -> u64 {
    let (mut total, mut seen) = (0_u64, 0);
    while seen < count {
        let view = consumer.peek(BATCH).unwrap();
        let length = view.len();
        if length == 0 {
            idle(consumer);
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

/// A server that releases a request after it responded: the response need not wait for that.
pub(crate) fn echo_all<W: Words>(
    requests: &mut Consumer<W>,
    responses: &mut Producer<W>,
    count: u64,
) {
    let mut served = 0;
    while served < count {
        let view = requests.peek(1).unwrap();
        match view.get(0) {
            Some(record) => {
                push(responses, record);
                view.release(1);
                served += 1;
            }
            None => spin_loop(),
        }
    }
}

pub(crate) fn one_by_one(layout: Layout, count: u64) -> Duration {
    let (mut producer, mut consumer) = ring(layout);
    let consume = |count| pop_all(&mut consumer, count);
    transfer(TWO_CORES, count, |count| push_all(&mut producer, count), consume)
}

pub(crate) fn staged(layout: Layout, count: u64) -> Duration {
    let (mut producer, mut consumer) = ring(layout);
    let produce = |count| {
        for number in 0..count {
            while !producer.stage(record(number)).unwrap() {
                spin_loop();
            }
        }
        producer.flush().unwrap();
    };
    let consume = |count| view_all(&mut consumer, count, |_| spin_loop());
    transfer(TWO_CORES, count, produce, consume)
}

pub(crate) fn in_place(layout: Layout, count: u64) -> Duration {
    let (mut producer, mut consumer) = ring(layout);
    let consume = |count| view_all(&mut consumer, count, |_| spin_loop());
    transfer(TWO_CORES, count, |count| fill(&mut producer, count, |_| spin_loop()), consume)
}

/// Both sides take turns on one core: they wait as the ring waits.
pub(crate) fn on_one_core(layout: Layout, count: u64) -> Duration {
    let (mut producer, mut consumer) = ring(layout);
    let produce = |count| {
        fill(&mut producer, count, |producer| producer.wait(None).unwrap());
        producer.close();
    };
    let consume = |count| view_all(&mut consumer, count, |consumer| consumer.wait(None).unwrap());
    transfer(ONE_CORE, count, produce, consume)
}

pub(crate) fn round_trips(layout: Layout, count: u64) -> Duration {
    let ((mut request, mut server), (mut response, mut client)) = (ring(layout), ring(layout));
    let call = |number| {
        push(&mut request, record(number));
        assert_eq!(pop(&mut client)[0], number);
    };
    course::round_trips(count, call, |count| echo_all(&mut server, &mut response, count))
}
