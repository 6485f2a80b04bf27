//! The peers, each used as its documentation advises.

use std::hint::spin_loop;
use std::time::Duration;

use disruptor::{BusySpin, Producer as _, build_single_producer};
use eve::ring::Record;
use ringbuf::HeapRb;
use ringbuf::traits::{Consumer as _, Observer as _, Producer as _, Split as _};

use crate::course::{BATCH, CAPACITY, record, round_trips, sum, transfer};

const TWO_CORES: [usize; 2] = [0, 1];

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

pub(crate) fn rtrb_one_by_one(count: u64) -> Duration {
    let (mut producer, mut consumer) = rtrb::RingBuffer::new(CAPACITY as usize);
    transfer(
        TWO_CORES,
        count,
        |count| (0..count).for_each(|number| rtrb_push(&mut producer, record(number))),
        |count| (0..count).fold(0, |total, _| total.wrapping_add(sum(rtrb_pop(&mut consumer)))),
    )
}

pub(crate) fn rtrb_chunks(count: u64) -> Duration {
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
    transfer(TWO_CORES, count, produce, consume)
}

pub(crate) fn rtrb_round_trips(count: u64) -> Duration {
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

pub(crate) fn ringbuf_one_by_one(count: u64) -> Duration {
    let (mut producer, mut consumer) = HeapRb::<Record>::new(CAPACITY as usize).split();
    let produce = |count| {
        for number in 0..count {
            while producer.try_push(record(number)).is_err() {
                spin_loop();
            }
        }
    };
    let consume = |count| {
        let pop = |_| loop {
            match consumer.try_pop() {
                Some(record) => break sum(record),
                None => spin_loop(),
            }
        };
        (0..count).map(pop).fold(0, u64::wrapping_add)
    };
    transfer(TWO_CORES, count, produce, consume)
}

pub(crate) fn ringbuf_slices(count: u64) -> Duration {
    let (mut producer, mut consumer) = HeapRb::<Record>::new(CAPACITY as usize).split();
    let produce = |count| {
        let mut number = 0;
        while number < count {
            let batch = (number..count).take(BATCH).map(record);
            number += producer.push_iter(batch) as u64;
        }
    };
    let consume = |count| {
        let (mut total, mut seen) = (0_u64, 0);
        while seen < count {
            let wanted = BATCH.min(consumer.occupied_len());
            if wanted == 0 {
                spin_loop();
                continue;
            }
            let (first, second) = consumer.as_slices();
            for record in first.iter().chain(second).take(wanted) {
                total = total.wrapping_add(sum(*record));
            }
            seen += consumer.skip(wanted) as u64;
        }
        total
    };
    transfer(TWO_CORES, count, produce, consume)
}

pub(crate) fn disruptor_one_by_one(count: u64) -> Duration {
    disruptor(count, 1)
}

pub(crate) fn disruptor_batches(count: u64) -> Duration {
    disruptor(count, BATCH as u64)
}

fn disruptor(count: u64, batch: u64) -> Duration {
    let builder = build_single_producer(CAPACITY as usize, || [0; 5], BusySpin);
    let (mut poller, builder) = builder.new_event_poller();
    let mut producer = builder.build();
    let produce = |count| {
        let mut number = 0;
        while number < count {
            let wanted = batch.min(count - number);
            if batch == 1 {
                producer.publish(|slot| *slot = record(number));
            } else {
                producer.batch_publish(wanted as usize, |slots| {
                    for (slot, number) in slots.zip(number..) {
                        *slot = record(number);
                    }
                });
            }
            number += wanted;
        }
    };
    let consume = |count| {
        let (mut total, mut seen) = (0_u64, 0);
        while seen < count {
            match poller.poll() {
                Ok(mut events) => {
                    for record in &mut events {
                        total = total.wrapping_add(sum(*record));
                        seen += 1;
                    }
                }
                Err(_) => spin_loop(),
            }
        }
        total
    };
    transfer(TWO_CORES, count, produce, consume)
}

pub(crate) fn crossbeam_one_by_one(count: u64) -> Duration {
    let (sender, receiver) = crossbeam_channel::bounded(CAPACITY as usize);
    transfer(
        TWO_CORES,
        count,
        |count| (0..count).for_each(|number| sender.send(record(number)).unwrap()),
        |count| (0..count).fold(0, |total, _| total.wrapping_add(sum(receiver.recv().unwrap()))),
    )
}

pub(crate) fn crossbeam_round_trips(count: u64) -> Duration {
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
