//! iceoryx2: a publisher that waits for room, a subscriber that polls, one sample a record or a
//! slice of records a sample.
//!
//! As its documentation advises for streams that may lose nothing: no overflow, retry until
//! delivered, samples loaned and written in place. A port belongs to the thread that made it, so each
//! side opens the service for itself, as two processes do.

use std::env;
use std::hint::spin_loop;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use eve::ring::{Layout, Record, Ring};
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::{BackpressureStrategy, Node, NodeBuilder, Service, ZeroCopySend, ipc};
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;

use crate::course::{BATCH, CAPACITY, checksum, pin, record, sum};
use crate::ours::{pop, push};

/// Tells a started program that it is the subscriber: what, how much, the service, the way back.
const TASK: &str = "ICEORYX2_BENCH_TASK";
const SINGLE: &str = "single";
const SLICES: &str = "slices";

fn node<S: Service>() -> Node<S> {
    NodeBuilder::new().create().unwrap()
}

/// One sample a record.
fn single<S: Service>(node: &Node<S>, name: &str) -> PortFactory<S, Record, ()> {
    let builder = node.service_builder(&name.try_into().unwrap()).publish_subscribe::<Record>();
    builder
        .enable_safe_overflow(false)
        .subscriber_max_buffer_size(CAPACITY as usize)
        .history_size(0)
        .max_publishers(1)
        .max_subscribers(1)
        .open_or_create()
        .unwrap()
}

/// One sample a batch of records.
fn slices<S: Service>(node: &Node<S>, name: &str) -> PortFactory<S, [Record], ()> {
    let builder = node.service_builder(&name.try_into().unwrap()).publish_subscribe::<[Record]>();
    builder
        .enable_safe_overflow(false)
        .subscriber_max_buffer_size(CAPACITY as usize / BATCH)
        .history_size(0)
        .max_publishers(1)
        .max_subscribers(1)
        .open_or_create()
        .unwrap()
}

fn publish<S: Service>(publisher: &Publisher<S, Record, ()>, count: u64) {
    for number in 0..count {
        let sample = publisher.loan_uninit().unwrap().write_payload(record(number));
        assert_eq!(sample.send().unwrap(), 1);
    }
}

fn publish_slices<S: Service>(publisher: &Publisher<S, [Record], ()>, count: u64) {
    let mut number = 0;
    while number < count {
        let length = BATCH.min((count - number) as usize);
        let sample = publisher.loan_slice_uninit(length).unwrap();
        let sample = sample.write_from_fn(|index| record(number + index as u64));
        assert_eq!(sample.send().unwrap(), 1);
        number += length as u64;
    }
}

fn receive<S: Service>(subscriber: &Subscriber<S, Record, ()>, count: u64) -> u64 {
    let (mut total, mut seen) = (0_u64, 0);
    while seen < count {
        match subscriber.receive().unwrap() {
            Some(sample) => {
                total = total.wrapping_add(sum(*sample));
                seen += 1;
            }
            None => spin_loop(),
        }
    }
    total
}

fn receive_slices<S: Service>(subscriber: &Subscriber<S, [Record], ()>, count: u64) -> u64 {
    let (mut total, mut seen) = (0_u64, 0);
    while seen < count {
        match subscriber.receive().unwrap() {
            Some(sample) => {
                total = sample.iter().fold(total, |total, record| total.wrapping_add(sum(*record)));
                seen += sample.len() as u64;
            }
            None => spin_loop(),
        }
    }
    total
}

fn publisher<S: Service, P: ZeroCopySend + std::fmt::Debug>(
    service: &PortFactory<S, P, ()>,
) -> Publisher<S, P, ()> {
    let builder = service.publisher_builder();
    builder.backpressure_strategy(BackpressureStrategy::RetryUntilDelivered).create().unwrap()
}

fn slice_publisher<S: Service>(
    service: &PortFactory<S, [Record], ()>,
) -> Publisher<S, [Record], ()> {
    let builder = service.publisher_builder().initial_max_slice_len(BATCH);
    builder.backpressure_strategy(BackpressureStrategy::RetryUntilDelivered).create().unwrap()
}

/// A name that no other run has.
fn name() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("eve beside iceoryx2 {} {}", std::process::id(), now.as_nanos())
}

/// Both sides on threads: each makes its port, then they begin together.
fn transfer(
    count: u64,
    produce: impl FnOnce(&str, &Barrier) -> Instant,
    consume: impl FnOnce(&str, &Barrier) -> u64 + Send,
) -> Duration {
    let (name, start_line) = (name(), Barrier::new(2));
    thread::scope(|scope| {
        let consumer = scope.spawn(|| {
            pin(1);
            let total = consume(&name, &start_line);
            (total, Instant::now())
        });
        pin(0);
        let start = produce(&name, &start_line);
        let (total, end) = consumer.join().unwrap();
        assert_eq!(total, checksum(count));
        end - start
    })
}

pub(crate) fn one_by_one<S: Service>(count: u64) -> Duration {
    let produce = |name: &str, start_line: &Barrier| {
        let node = node::<S>();
        let service = single(&node, name);
        let publisher = publisher(&service);
        start_line.wait();
        let start = Instant::now();
        publish(&publisher, count);
        // Samples lie in the publisher's memory: it stays until all were read.
        start_line.wait();
        start
    };
    let consume = |name: &str, start_line: &Barrier| {
        let node = node::<S>();
        let service = single(&node, name);
        let subscriber = service.subscriber_builder().create().unwrap();
        start_line.wait();
        let total = receive(&subscriber, count);
        start_line.wait();
        total
    };
    transfer(count, produce, consume)
}

pub(crate) fn batches<S: Service>(count: u64) -> Duration {
    let produce = |name: &str, start_line: &Barrier| {
        let node = node::<S>();
        let service = slices(&node, name);
        let publisher = slice_publisher(&service);
        start_line.wait();
        let start = Instant::now();
        publish_slices(&publisher, count);
        start_line.wait();
        start
    };
    let consume = |name: &str, start_line: &Barrier| {
        let node = node::<S>();
        let service = slices(&node, name);
        let subscriber = service.subscriber_builder().create().unwrap();
        start_line.wait();
        let total = receive_slices(&subscriber, count);
        start_line.wait();
        total
    };
    transfer(count, produce, consume)
}

pub(crate) fn is_the_other() -> bool {
    env::var_os(TASK).is_some()
}

/// Subscribes, says that it is there, receives, and says what it saw.
pub(crate) fn be_the_other() {
    let task = env::var(TASK).unwrap();
    let parts: Vec<_> = task.splitn(4, '|').collect();
    let (count, name) = (parts[1].parse().unwrap(), parts[2]);
    pin(1);
    let mut back = Ring::open_at(parts[3]).unwrap().producer().unwrap();
    let node = node::<ipc::Service>();
    let total = if parts[0] == SINGLE {
        let subscriber = single(&node, name).subscriber_builder().create().unwrap();
        push(&mut back, record(0));
        receive(&subscriber, count)
    } else {
        let subscriber = slices(&node, name).subscriber_builder().create().unwrap();
        push(&mut back, record(0));
        receive_slices(&subscriber, count)
    };
    push(&mut back, record(total));
}

/// Starts this program again as the subscriber and publishes to it.
fn to_another(work: &str, count: u64, name: &str, publish: impl FnOnce()) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("back");
    let mut back = Ring::at(&path, Layout::Sequenced, 64).unwrap().consumer().unwrap();
    let task = format!("{work}|{count}|{name}|{}", path.display());
    let mut command = Command::new(env::current_exe().unwrap());
    let mut other = command.env(TASK, task).stdout(Stdio::null()).spawn().unwrap();
    pin(0);
    pop(&mut back);
    let start = Instant::now();
    publish();
    let total = pop(&mut back)[0];
    let time = start.elapsed();
    assert_eq!(total, checksum(count));
    assert!(other.wait().unwrap().success());
    time
}

pub(crate) fn one_by_one_processes(count: u64) -> Duration {
    let (node, name) = (node::<ipc::Service>(), name());
    let publisher = publisher(&single(&node, &name));
    to_another(SINGLE, count, &name, || publish(&publisher, count))
}

pub(crate) fn batches_processes(count: u64) -> Duration {
    let (node, name) = (node::<ipc::Service>(), name());
    let publisher = slice_publisher(&slices(&node, &name));
    to_another(SLICES, count, &name, || publish_slices(&publisher, count))
}
