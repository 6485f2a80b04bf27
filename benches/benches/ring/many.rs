//! Many producers and one consumer: a fan beside the queues that many may push into.
//!
//! Producers are dealt to both cores, the consumer sits on the second: with one producer nothing
//! contends, with more they do as on a machine whose cores are all at work. Whoever cannot go on
//! spins a little and then yields its core, ours and the peers alike. All have room for as many records in all, so a lane of
//! the fan is as much smaller as there are more lanes.

use std::hint::spin_loop;
use std::ops::Range;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;
use disruptor::{BusySpin, Polling, Producer as _, build_multi_producer};
use eve::ring::{Error, Fan, FanConsumer, Heap, Layout, Producer};

use crate::course::{BATCH, CAPACITY, checksum, pin, record, sum};

const CONSUMER_CORE: usize = 1;
const SPINS: u32 = 64;

/// What a side does that cannot go on.
#[derive(Default)]
struct Idle(u32);

impl Idle {
    #[inline(always)]
    fn pass(&mut self) {
        self.0 += 1;
        if self.0.is_multiple_of(SPINS) { thread::yield_now() } else { spin_loop() }
    }
}

/// Lets every producer send its share of `count` records, made by `produce(producer, numbers)`, and
/// one consumer take them all; the time until the last was summed.
fn gather<P: Send>(
    producers: Vec<P>,
    count: u64,
    produce: impl Fn(P, Range<u64>) + Sync,
    consume: impl FnOnce(u64) -> u64,
) -> Duration {
    let each = count / producers.len() as u64;
    let count = each * producers.len() as u64;
    let start_line = Barrier::new(producers.len() + 1);
    thread::scope(|scope| {
        for (number, producer) in producers.into_iter().enumerate() {
            let (produce, start_line) = (&produce, &start_line);
            scope.spawn(move || {
                pin(number % 2);
                start_line.wait();
                produce(producer, number as u64 * each..(number as u64 + 1) * each);
            });
        }
        pin(CONSUMER_CORE);
        start_line.wait();
        let start = Instant::now();
        let total = consume(count);
        let time = start.elapsed();
        assert_eq!(total, checksum(count));
        time
    })
}

fn fan(layout: Layout, producers: usize) -> (Vec<Producer<Heap>>, FanConsumer<Heap>) {
    let fan = Fan::heap(layout, CAPACITY / producers as u64, producers).unwrap();
    ((0..producers).map(|_| fan.producer().unwrap()).collect(), fan.consumer().unwrap())
}

pub(crate) fn one_by_one(layout: Layout, producers: usize, count: u64) -> Duration {
    let (producers, mut consumer) = fan(layout, producers);
    let produce = |mut producer: Producer<Heap>, numbers: Range<u64>| {
        let mut idle = Idle::default();
        for number in numbers {
            while !producer.try_push(record(number)).unwrap() {
                idle.pass();
            }
        }
    };
    let consume = |count| {
        let (mut total, mut idle) = (0_u64, Idle::default());
        for _ in 0..count {
            let taken = loop {
                match consumer.try_pop().unwrap() {
                    Some(record) => break record,
                    None => idle.pass(),
                }
            };
            total = total.wrapping_add(sum(taken));
        }
        total
    };
    gather(producers, count, produce, consume)
}

pub(crate) fn batched(layout: Layout, producers: usize, count: u64) -> Duration {
    let (producers, mut consumer) = fan(layout, producers);
    let produce = |mut producer: Producer<Heap>, numbers: Range<u64>| {
        let mut idle = Idle::default();
        for number in numbers {
            while !producer.stage(record(number)).unwrap() {
                idle.pass();
            }
        }
        producer.close();
    };
    let consume = |_| {
        let (mut total, mut idle) = (0_u64, Idle::default());
        loop {
            let view = match consumer.peek(BATCH) {
                Ok(view) => view,
                Err(Error::Closed) => return total,
                Err(other) => panic!("{other}"),
            };
            let length = view.len();
            if length == 0 {
                idle.pass();
                continue;
            }
            total = view.iter().fold(total, |total, record| total.wrapping_add(sum(record)));
            view.release(length);
        }
    };
    gather(producers, count, produce, consume)
}

pub(crate) fn channel(producers: usize, count: u64) -> Duration {
    let (sender, receiver) = crossbeam_channel::bounded(CAPACITY as usize);
    let senders = vec![sender; producers];
    let produce = |sender: crossbeam_channel::Sender<_>, numbers: Range<u64>| {
        numbers.for_each(|number| sender.send(record(number)).unwrap());
    };
    let consume = |count| {
        (0..count).fold(0, |total: u64, _| total.wrapping_add(sum(receiver.recv().unwrap())))
    };
    gather(senders, count, produce, consume)
}

pub(crate) fn array_queue(producers: usize, count: u64) -> Duration {
    let queue = ArrayQueue::new(CAPACITY as usize);
    let produce = |queue: &ArrayQueue<_>, numbers: Range<u64>| {
        let mut idle = Idle::default();
        for number in numbers {
            while queue.push(record(number)).is_err() {
                idle.pass();
            }
        }
    };
    let consume = |count| {
        let mut idle = Idle::default();
        let pop = |_| loop {
            match queue.pop() {
                Some(record) => break sum(record),
                None => idle.pass(),
            }
        };
        (0..count).map(pop).fold(0, u64::wrapping_add)
    };
    gather(vec![&queue; producers], count, produce, consume)
}

pub(crate) fn disruptor(producers: usize, batch: usize, count: u64) -> Duration {
    let builder = build_multi_producer(CAPACITY as usize, || [0; 5], BusySpin);
    let (mut poller, builder) = builder.new_event_poller();
    let producer = builder.build();
    let produce = |mut producer: disruptor::MultiProducer<_, _>, numbers: Range<u64>| {
        let (mut number, mut idle) = (numbers.start, Idle::default());
        while number < numbers.end {
            let wanted = batch.min((numbers.end - number) as usize);
            let sent = if batch == 1 {
                producer.try_publish(|slot| *slot = record(number)).is_ok()
            } else {
                let sent = producer.try_batch_publish(wanted, |slots| {
                    slots.zip(number..).for_each(|(slot, number)| *slot = record(number));
                });
                sent.is_ok()
            };
            match sent {
                true => number += wanted as u64,
                false => idle.pass(),
            }
        }
    };
    let consume = |count| {
        let (mut total, mut seen, mut idle) = (0_u64, 0, Idle::default());
        while seen < count {
            match poller.poll() {
                Ok(mut events) => {
                    for record in &mut events {
                        total = total.wrapping_add(sum(*record));
                        seen += 1;
                    }
                }
                Err(Polling::NoEvents) => idle.pass(),
                Err(Polling::Shutdown) => panic!("{seen} of {count} came"),
            }
        }
        total
    };
    let copies = vec![producer; producers];
    gather(copies, count, produce, consume)
}
