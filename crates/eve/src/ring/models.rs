//! Loom explores every interleaving, and every value that a load may see, of small runs. Each
//! model has twins in which one ordering is relaxed, and which loom must reject: so each ordering
//! is needed, and each model would notice its loss.

use loom::thread;

use super::format::{WORD_CONSUMER, WORD_PRODUCER};
use super::identity::Identity;
use super::{Error, Fan, Heap, Layout, Record, Ring, Words};
use crate::sync::{self, Ordering};

const CAPACITY: u64 = 2;

fn record(number: u64) -> Record {
    [number, 0, 0, 0, number]
}

fn ring(layout: Layout) -> Ring<Heap> {
    sync::witness_slots(CAPACITY as usize);
    Ring::heap(layout, CAPACITY).unwrap()
}

/// The model holds as it is, and with none of the `twins`' orderings.
fn check(twins: &[&'static [&'static str]], model: fn()) {
    loom::model(model);
    for &twin in twins {
        assert!(!sync::holds_without(twin, model), "the model holds without {twin:?}");
    }
}

/// As [`check`], without the barrier that only a sleeper may count on: for loom it is a fence, and
/// a fence would stand in for the orderings that the twins relax.
fn check_awake(twins: &[&'static [&'static str]], model: fn()) {
    assert!(sync::holds_without(&["ring.notify"], model), "only the sleeper's barrier holds it up");
    check(twins, model);
}

/// Three records through two slots: each slot changes hands, one twice.
fn transfer(layout: Layout) {
    let ring = ring(layout);
    let mut producer = ring.producer().unwrap();
    let mut consumer = ring.consumer().unwrap();
    let writer = thread::spawn(move || {
        for number in 1..=3 {
            while !producer.try_push(record(number)).unwrap() {
                sync::yield_now();
            }
        }
    });
    for number in 1..=3 {
        loop {
            match consumer.try_pop().unwrap() {
                Some(found) => break assert_eq!(found, record(number)),
                None => sync::yield_now(),
            }
        }
    }
    writer.join().unwrap();
}

/// Records written in place become visible together and in order, and are read in place.
fn in_place(layout: Layout) {
    let ring = ring(layout);
    let mut producer = ring.producer().unwrap();
    let mut consumer = ring.consumer().unwrap();
    let writer = thread::spawn(move || {
        let mut number = 1;
        while number <= 3 {
            let mut room = producer.reserve(2).unwrap();
            while number <= 3 && room.put(record(number)) {
                number += 1;
            }
            room.commit();
            sync::yield_now();
        }
    });
    let mut number = 1;
    while number <= 3 {
        let view = consumer.peek(2).unwrap();
        for found in view.iter() {
            assert_eq!(found, record(number));
            number += 1;
        }
        view.release(2);
        sync::yield_now();
    }
    writer.join().unwrap();
}

/// Whoever sees the close sees every record before it.
fn close(layout: Layout) {
    let ring = ring(layout);
    let mut producer = ring.producer().unwrap();
    let mut consumer = ring.consumer().unwrap();
    let writer = thread::spawn(move || {
        assert!(producer.try_push(record(1)).unwrap());
        producer.close();
    });
    let mut seen = 0;
    loop {
        match consumer.try_pop() {
            Ok(Some(_)) => seen += 1,
            Ok(None) => sync::yield_now(),
            Err(Error::Closed) => break,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(seen, 1);
    writer.join().unwrap();
}

/// A side that sleeps is woken by whatever it waits for.
fn sleep(layout: Layout) {
    let ring = ring(layout);
    let mut producer = ring.producer().unwrap();
    let mut consumer = ring.consumer().unwrap();
    let writer = thread::spawn(move || assert!(producer.try_push(record(1)).unwrap()));
    assert_eq!(consumer.pop(None).unwrap(), record(1));
    writer.join().unwrap();
}

/// A producer detaches while another waits for its side: the second goes on where the first was.
fn producer_replaced(layout: Layout) {
    let ring = ring(layout);
    let mut first = ring.producer().unwrap();
    let again = ring.clone();
    let leaver = thread::spawn(move || assert!(first.try_push(record(1)).unwrap()));
    let comer = thread::spawn(move || {
        let mut second = loop {
            match again.producer() {
                Ok(producer) => break producer,
                Err(Error::Occupied { .. }) => sync::yield_now(),
                Err(other) => panic!("{other}"),
            }
        };
        assert!(second.try_push(record(2)).unwrap());
    });
    leaver.join().unwrap();
    comer.join().unwrap();
    let mut consumer = ring.consumer().unwrap();
    assert_eq!(consumer.try_pop().unwrap(), Some(record(1)));
    assert_eq!(consumer.try_pop().unwrap(), Some(record(2)));
}

/// A producer dies with a slot half done while the consumer reads: nothing of that slot is ever
/// seen, and the next producer uses it.
fn producer_dies(layout: Layout) {
    let ring = ring(layout);
    let mut consumer = ring.consumer().unwrap();
    let mut first = ring.producer().unwrap();
    let reader = thread::spawn(move || {
        for number in 1..=2 {
            loop {
                match consumer.try_pop().unwrap() {
                    Some(found) => break assert_eq!(found, record(number)),
                    None => sync::yield_now(),
                }
            }
        }
    });
    assert!(first.try_push(record(1)).unwrap());
    assert!(first.reserve(1).unwrap().put([13; 5]));
    std::mem::forget(first);
    bury(&ring, WORD_PRODUCER);
    assert!(ring.producer().unwrap().try_push(record(2)).unwrap());
    reader.join().unwrap();
}

/// A consumer dies between reading and releasing: the next one reads the record again.
fn consumer_dies(layout: Layout) {
    let ring = ring(layout);
    let mut producer = ring.producer().unwrap();
    let mut first = ring.consumer().unwrap();
    assert!(producer.try_push(record(1)).unwrap());
    let writer = thread::spawn(move || {
        for number in 2..=3 {
            while !producer.try_push(record(number)).unwrap() {
                sync::yield_now();
            }
        }
    });
    assert_eq!(first.peek(1).unwrap().get(0), Some(record(1)));
    std::mem::forget(first);
    bury(&ring, WORD_CONSUMER);
    let mut second = ring.consumer().unwrap();
    for number in 1..=3 {
        loop {
            match second.try_pop().unwrap() {
                Some(found) => break assert_eq!(found, record(number)),
                None => sync::yield_now(),
            }
        }
    }
    writer.join().unwrap();
}

/// Two producers, a lane each, of which one writes now: the consumer gets what both wrote.
fn merge(layout: Layout) {
    sync::witness_slots(2 * CAPACITY as usize);
    let fan = Fan::heap(layout, CAPACITY, 2).unwrap();
    let mut consumer = fan.consumer().unwrap();
    let mut first = fan.producer().unwrap();
    let mut second = fan.producer().unwrap();
    assert!(first.try_push(record(1)).unwrap());
    let writer = thread::spawn(move || assert!(second.try_push(record(2)).unwrap()));
    for _ in 0..2 {
        loop {
            match consumer.try_pop().unwrap() {
                Some(found) => break assert_eq!(found, record(found[0])),
                None => sync::yield_now(),
            }
        }
    }
    assert_eq!(consumer.try_pop().unwrap(), None);
    writer.join().unwrap();
}

/// The consumer sleeps on one word for all lanes, and whichever producer comes wakes it.
fn merge_sleep(layout: Layout) {
    sync::witness_slots(2 * CAPACITY as usize);
    let fan = Fan::heap(layout, CAPACITY, 2).unwrap();
    let mut consumer = fan.consumer().unwrap();
    let _first = fan.producer().unwrap();
    let mut second = fan.producer().unwrap();
    let writer = thread::spawn(move || assert!(second.try_push(record(1)).unwrap()));
    assert_eq!(consumer.pop(None).unwrap(), record(1));
    writer.join().unwrap();
}

/// Makes the holder of a side one that the system knows to be dead.
fn bury(ring: &Ring<Heap>, owner_word: usize) {
    ring.words.words()[owner_word].store(Identity::nobody_alive().raw(), Ordering::Relaxed);
}

macro_rules! models {
    ($($name:ident: $check:ident $model:ident, twins $twins:expr;)*) => { $(
        mod $name {
            use super::*;

            #[test]
            fn loom_packed() {
                $check(&$twins, || $model(Layout::Packed));
            }

            #[test]
            fn loom_sequenced() {
                $check(&$twins, || $model(Layout::Sequenced));
            }
        }
    )* };
}

const PUBLICATION: [&[&str]; 2] =
    [&["ring.publish", "ring.notify"], &["ring.observe", "ring.notify"]];
const RELEASE: [&[&str]; 2] = [&["ring.release", "ring.notify"], &["ring.reuse", "ring.notify"]];
const BOTH_WAYS: [&[&str]; 4] = [PUBLICATION[0], PUBLICATION[1], RELEASE[0], RELEASE[1]];

models! {
    transfers: check_awake transfer, twins BOTH_WAYS;
    transfers_in_place: check_awake in_place, twins BOTH_WAYS;
    closes: check_awake close, twins [&["ring.close", "ring.notify"], &["ring.closed", "ring.notify"]];
    sleeps: check sleep, twins [&["ring.notify"], &["ring.sleep"]];
    replaces_a_producer: check_awake producer_replaced,
        twins [&["ring.detach", "ring.notify"], &["ring.attach", "ring.notify"]];
    merges: check_awake merge, twins PUBLICATION;
    merges_asleep: check merge_sleep, twins [&["ring.notify"], &["ring.sleep"]];
    outlives_a_producer: check_awake producer_dies, twins PUBLICATION;
    outlives_a_consumer: check_awake consumer_dies, twins BOTH_WAYS;
}
