//! What a ring promises, one promise a test.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::format::{
    MAGIC, VERSION, WORD_CAPACITY, WORD_CONSUMER, WORD_CONSUMER_SLEEPS, WORD_FORMAT, WORD_MAGIC,
    WORD_PRODUCER, WORD_PRODUCER_SLEEPS, WORD_PUBLISHED, WORD_RECORD, WORD_RELEASED, WORD_SLOTS,
    WORD_STATE,
};
use super::identity::Identity;
use super::{Consumer, Error, Heap, Layout, Mapped, Producer, Record, Ring, Side, Words, bytes};

const BOTH: [Layout; 2] = [Layout::Packed, Layout::Sequenced];
const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));

/// A record of which every word tells whether it is whole.
fn record(number: u64) -> Record {
    [number, number ^ 1, number.wrapping_mul(3), !number, number << 7]
}

fn pair(layout: Layout, capacity: u64) -> (Ring<Heap>, Producer<Heap>, Consumer<Heap>) {
    let ring = Ring::heap(layout, capacity).unwrap();
    let (producer, consumer) = (ring.producer().unwrap(), ring.consumer().unwrap());
    (ring, producer, consumer)
}

/// What the other side, or a broken disk, would do.
fn overwrite(ring: &Ring<Heap>, word: usize, value: u64) {
    ring.words.words()[word].store(value, Ordering::SeqCst);
}

fn read(ring: &Ring<Heap>, word: usize) -> u64 {
    ring.words.words()[word].load(Ordering::SeqCst)
}

#[test]
fn a_full_ring_refuses_and_an_empty_one_gives_nothing() {
    for layout in BOTH {
        let (_, mut producer, mut consumer) = pair(layout, 4);
        assert_eq!(consumer.try_pop().unwrap(), None);
        for number in 0..4 {
            assert!(producer.try_push(record(number)).unwrap());
        }
        assert!(!producer.try_push(record(4)).unwrap());
        for number in 0..4 {
            assert_eq!(consumer.try_pop().unwrap(), Some(record(number)));
        }
        assert_eq!(consumer.try_pop().unwrap(), None);
        assert!(producer.try_push(record(4)).unwrap());
    }
}

#[test]
fn staged_records_appear_by_flush_by_a_full_ring_and_by_dropping_the_producer() {
    for layout in BOTH {
        let (ring, mut producer, mut consumer) = pair(layout, 2);
        assert!(producer.stage(record(0)).unwrap());
        assert_eq!(consumer.try_pop().unwrap(), None);
        producer.flush().unwrap();
        assert_eq!(consumer.try_pop().unwrap(), Some(record(0)));

        assert!(producer.stage(record(1)).unwrap());
        assert!(producer.stage(record(2)).unwrap());
        assert_eq!(consumer.try_pop().unwrap(), None);
        assert!(!producer.stage(record(3)).unwrap());
        assert_eq!(consumer.try_pop().unwrap(), Some(record(1)));
        assert_eq!(consumer.try_pop().unwrap(), Some(record(2)));

        assert!(producer.stage(record(3)).unwrap());
        drop(producer);
        assert_eq!(consumer.try_pop().unwrap(), Some(record(3)));
        assert_eq!(ring.producer().unwrap().published(), 4);
    }
}

#[test]
fn a_reservation_without_commit_and_a_view_without_release_change_nothing() {
    for layout in BOTH {
        let (_, mut producer, mut consumer) = pair(layout, 4);
        assert!(producer.reserve(4).unwrap().put(record(13)));
        assert_eq!(consumer.try_pop().unwrap(), None);
        assert!(producer.try_push(record(0)).unwrap());
        assert_eq!(consumer.peek(9).unwrap().get(0), Some(record(0)));
        assert_eq!(consumer.peek(9).unwrap().get(1), None);
        assert_eq!(consumer.try_pop().unwrap(), Some(record(0)));
    }
}

#[test]
fn closing_lets_the_consumer_finish_and_stops_the_producer() {
    for layout in BOTH {
        let (ring, mut producer, mut consumer) = pair(layout, 4);
        assert!(producer.stage(record(0)).unwrap());
        producer.close();
        assert_eq!(consumer.try_pop().unwrap(), Some(record(0)));
        assert!(matches!(consumer.try_pop(), Err(Error::Closed)));
        assert!(matches!(consumer.pop(None), Err(Error::Closed)));
        assert!(matches!(ring.producer(), Err(Error::Closed)));

        let (ring, mut producer, consumer) = pair(layout, 4);
        consumer.close();
        assert!(matches!(producer.try_push(record(0)), Err(Error::Closed)));
        assert!(matches!(producer.reserve(1), Err(Error::Closed)));
        assert!(matches!(ring.consumer(), Err(Error::Closed)));
    }
}

#[test]
fn each_side_has_one_holder_at_a_time() {
    for layout in BOTH {
        let (ring, producer, consumer) = pair(layout, 4);
        let me = std::process::id();
        assert!(matches!(ring.producer(),
            Err(Error::Occupied { side: Side::Producer, pid }) if pid == me));
        assert!(matches!(ring.consumer(),
            Err(Error::Occupied { side: Side::Consumer, pid }) if pid == me));
        assert!(producer.has_consumer() && consumer.has_producer());
        drop(producer);
        assert!(!consumer.has_producer());
        drop(consumer);
        let (producer, _consumer) = (ring.producer().unwrap(), ring.consumer().unwrap());
        assert!(producer.has_consumer());
    }
}

#[test]
fn only_the_dead_are_replaced() {
    let mine = Identity::current();
    assert!(mine.is_alive());
    assert!(!Identity::nobody_alive().is_alive());
    let reused_pid = Identity::from_raw(mine.raw() ^ 1).unwrap();
    assert!(!reused_pid.is_alive(), "another start time is another process");
    let unknown = Identity::nobody_alive_in(0);
    assert!(unknown.is_alive(), "whose namespace is not known cannot be told");

    let (ring, producer, _consumer) = pair(Layout::Packed, 4);
    std::mem::forget(producer);
    assert!(matches!(ring.producer(), Err(Error::Occupied { .. })));
    overwrite(&ring, WORD_PRODUCER, Identity::nobody_alive().raw());
    assert!(ring.producer().is_ok());
}

/// Far more namespaces than a hash of few bits could tell apart.
#[test]
fn nobody_of_another_pid_namespace_is_taken_for_dead() {
    let here = (Identity::nobody_alive().raw() >> 10) as u32;
    let near = (1..=1 << 14).flat_map(|step| [here.wrapping_sub(step), here.wrapping_add(step)]);
    let far = (0..32).map(|bit| here ^ 1 << bit);
    for elsewhere in near.chain(far) {
        assert!(Identity::nobody_alive_in(elsewhere).is_alive(), "{elsewhere} is not {here}");
    }
    assert!(!Identity::nobody_alive_in(here).is_alive());
}

/// A child made by `fork` that ends must not detach in its parent's name, nor publish.
#[test]
fn a_forked_child_does_not_give_up_its_parents_sides() {
    for layout in BOTH {
        let file = tempfile::tempfile().unwrap();
        let words = Mapped::create(&file, bytes(layout, 4).unwrap()).unwrap();
        let ring = Ring::create(words, layout, 4).unwrap();
        let (mut producer, mut consumer) = (ring.producer().unwrap(), ring.consumer().unwrap());
        assert!(producer.stage(record(0)).unwrap());
        // SAFETY: the child drops two values, which allocates nothing, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            drop((producer, consumer));
            // SAFETY: ends this process, without the test harness it has a copy of.
            unsafe { libc::_exit(0) };
        }
        let mut status = 0;
        // SAFETY: waits for the child above and writes its status to a local.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "the child ended by itself");
        assert!(consumer.has_producer() && producer.has_consumer());
        assert!(matches!(ring.producer(), Err(Error::Occupied { side: Side::Producer, .. })));
        assert!(matches!(ring.consumer(), Err(Error::Occupied { side: Side::Consumer, .. })));
        assert_eq!(consumer.try_pop().unwrap(), None, "what was staged is the parent's to publish");
        producer.flush().unwrap();
        assert_eq!(consumer.try_pop().unwrap(), Some(record(0)));
    }
}

#[test]
fn a_wait_ends_when_the_time_is_up() {
    for layout in BOTH {
        let (_, mut producer, mut consumer) = pair(layout, 2);
        let brief = Some(Duration::from_millis(2));
        assert!(matches!(consumer.pop(brief), Err(Error::TimedOut { other: Side::Producer })));
        while producer.try_push(record(0)).unwrap() {}
        let late = producer.push(record(0), brief);
        assert!(matches!(late, Err(Error::TimedOut { other: Side::Consumer })));
    }
}

#[test]
fn a_sleeper_is_woken_by_a_record_by_room_and_by_a_close() {
    for layout in BOTH {
        let (ring, mut producer, mut consumer) = pair(layout, 2);
        let asleep = |word| {
            while read(&ring, word) == 0 {
                thread::yield_now();
            }
        };
        thread::scope(|scope| {
            let popper = scope.spawn(|| consumer.pop(PATIENCE).unwrap());
            asleep(WORD_CONSUMER_SLEEPS);
            assert!(producer.try_push(record(7)).unwrap());
            assert_eq!(popper.join().unwrap(), record(7));
        });
        while producer.try_push(record(8)).unwrap() {}
        thread::scope(|scope| {
            let pusher = scope.spawn(|| producer.push(record(9), PATIENCE).unwrap());
            asleep(WORD_PRODUCER_SLEEPS);
            assert!(consumer.try_pop().unwrap().is_some());
            pusher.join().unwrap();
        });
        thread::scope(|scope| {
            let pusher = scope.spawn(|| producer.push(record(10), PATIENCE));
            asleep(WORD_PRODUCER_SLEEPS);
            consumer.close();
            assert!(matches!(pusher.join().unwrap(), Err(Error::Closed)));
        });
    }
}

#[test]
fn a_million_records_arrive_in_order_between_two_threads() {
    const COUNT: u64 = 1_000_000;
    for (layout, capacity) in [(Layout::Packed, 64), (Layout::Sequenced, 64), (Layout::Packed, 2)] {
        let count = if capacity == 2 { COUNT / 10 } else { COUNT };
        let (_, mut producer, mut consumer) = pair(layout, capacity);
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut number = 0;
                while number < count {
                    match number % 3 {
                        0 => producer.push(record(number), PATIENCE).unwrap(),
                        1 => {
                            while !producer.stage(record(number)).unwrap() {
                                producer.wait(PATIENCE).unwrap();
                            }
                        }
                        _ => {
                            producer.wait(PATIENCE).unwrap();
                            let mut room = producer.reserve(5).unwrap();
                            while number < count && room.put(record(number)) {
                                number += 1;
                            }
                            room.commit();
                            continue;
                        }
                    }
                    number += 1;
                }
                producer.close();
            });
            let mut expected = 0;
            loop {
                let seen = match consumer.peek(7) {
                    Ok(view) => {
                        let seen = view.len();
                        for found in view.iter() {
                            assert_eq!(found, record(expected));
                            expected += 1;
                        }
                        view.release(seen);
                        seen
                    }
                    Err(Error::Closed) => break,
                    Err(other) => panic!("{other}"),
                };
                if seen == 0 {
                    match consumer.pop(PATIENCE) {
                        Ok(found) => assert_eq!(found, record(expected)),
                        Err(Error::Closed) => break,
                        Err(other) => panic!("{other}"),
                    }
                    expected += 1;
                }
            }
            assert_eq!(expected, count);
        });
    }
}

#[test]
fn a_successor_goes_past_what_the_dead_published_without_noting_it() {
    // Sequenced slots tell the truth; the noted cursor may be behind by what the dead did last.
    for behind in 0..=3 {
        let (ring, mut producer, mut consumer) = pair(Layout::Sequenced, 4);
        for number in 0..5 {
            assert!(producer.try_push(record(number)).unwrap());
            assert_eq!(consumer.try_pop().unwrap(), Some(record(number)));
        }
        for number in 5..7 {
            assert!(producer.try_push(record(number)).unwrap());
        }
        drop(producer);
        overwrite(&ring, WORD_PUBLISHED, 7 - behind);
        let mut producer = ring.producer().unwrap();
        assert_eq!((producer.published(), consumer.released()), (7, 5));
        assert!(producer.try_push(record(7)).unwrap());
        drop(consumer);
        let mut consumer = ring.consumer().unwrap();
        for number in 5..8 {
            assert_eq!(consumer.try_pop().unwrap(), Some(record(number)));
        }
        assert_eq!(consumer.try_pop().unwrap(), None);
    }
}

#[test]
fn a_cursor_out_of_bounds_poisons_the_ring_for_both() {
    for hostile in [4 + 5, u64::MAX, 1, 0] {
        let (ring, mut producer, mut consumer) = pair(Layout::Packed, 4);
        for number in 0..3 {
            assert!(producer.try_push(record(number)).unwrap());
            assert_eq!(consumer.try_pop().unwrap(), Some(record(number)));
        }
        overwrite(&ring, WORD_PUBLISHED, hostile);
        assert!(matches!(consumer.try_pop(), Err(Error::Poisoned { .. })), "{hostile}");
        assert!(matches!(producer.try_push(record(3)), Err(Error::Poisoned { .. })));
        assert!(matches!(consumer.peek(1), Err(Error::Poisoned { .. })));
    }
    for (hostile, layout) in [6, u64::MAX, 0].into_iter().flat_map(|n| BOTH.map(|l| (n, l))) {
        let (ring, mut producer, mut consumer) = pair(layout, 4);
        for number in 0..5 {
            assert!(producer.try_push(record(number)).unwrap());
            assert_eq!(consumer.try_pop().unwrap(), Some(record(number)));
        }
        while producer.try_push(record(5)).unwrap() {}
        overwrite(&ring, WORD_RELEASED, if hostile == 6 { 10 } else { hostile });
        assert!(matches!(producer.try_push(record(6)), Err(Error::Poisoned { .. })), "{hostile}");
        assert!(matches!(producer.flush(), Err(Error::Poisoned { .. })));
    }
    for hostile in [3, 5, u64::MAX] {
        let (ring, mut producer, mut consumer) = pair(Layout::Sequenced, 4);
        overwrite(&ring, WORD_SLOTS, hostile);
        assert!(matches!(consumer.try_pop(), Err(Error::Poisoned { .. })), "{hostile}");
        assert!(matches!(producer.try_push(record(0)), Err(Error::Poisoned { .. })));
    }
}

#[test]
fn a_sleeper_is_woken_by_poison() {
    let (ring, mut producer, mut consumer) = pair(Layout::Packed, 2);
    while producer.try_push(record(0)).unwrap() {}
    thread::scope(|scope| {
        let pusher = scope.spawn(|| producer.push(record(1), PATIENCE));
        while read(&ring, WORD_PRODUCER_SLEEPS) == 0 {
            thread::yield_now();
        }
        overwrite(&ring, WORD_PUBLISHED, 99);
        assert!(matches!(consumer.try_pop(), Err(Error::Poisoned { .. })));
        assert!(matches!(pusher.join().unwrap(), Err(Error::Poisoned { .. })));
    });
}

#[test]
fn what_is_no_ring_is_refused_with_its_reason() {
    let make = || Ring::heap(Layout::Packed, 8).unwrap();
    let reopened = |word: usize, value: u64| {
        let ring = make();
        overwrite(&ring, word, value);
        Ring::open(ring.words).map(|_| ()).unwrap_err()
    };
    assert!(matches!(reopened(WORD_MAGIC, 0), Error::NotARing { found: 0 }));
    assert!(matches!(reopened(WORD_MAGIC, MAGIC.swap_bytes()), Error::NotARing { .. }));
    let newer = 1 << 32 | u64::from(VERSION + 1);
    assert!(matches!(reopened(WORD_FORMAT, newer), Error::Version { found: 4, known: 3 }));
    assert!(matches!(reopened(WORD_FORMAT, 1 << 32 | 1), Error::Version { found: 1, known: 3 }));
    assert!(matches!(reopened(WORD_FORMAT, 3 << 32 | 3), Error::Damaged { .. }));
    assert!(matches!(reopened(WORD_FORMAT, 2 << 32 | 3), Error::Damaged { .. }));
    for capacity in [0, 1, 6, u64::MAX, 1 << 63] {
        assert!(matches!(reopened(WORD_CAPACITY, capacity), Error::Damaged { .. }));
    }
    assert!(matches!(reopened(WORD_CAPACITY, 1 << 40), Error::TooSmall { .. }));
    assert!(matches!(reopened(WORD_RECORD, 0), Error::Damaged { .. }));
    assert!(matches!(
        Ring::open(Heap::new(0)),
        Err(Error::TooSmall { .. } | Error::NotARing { .. })
    ));
    for capacity in [0, 1, 3, 1 << 41] {
        assert!(matches!(Ring::heap(Layout::Packed, capacity), Err(Error::Capacity { .. })));
    }
    let little = Heap::new(bytes(Layout::Packed, 64).unwrap());
    assert!(matches!(Ring::create(little, Layout::Packed, 1024), Err(Error::TooSmall { .. })));
}

#[test]
fn a_ring_has_a_path_that_whoever_comes_first_makes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.ring");
    assert!(matches!(Ring::open_at(&path), Err(Error::File { .. })));
    let rings: Vec<_> = thread::scope(|scope| {
        let open = |_| scope.spawn(|| Ring::at(&path, Layout::Packed, 64).unwrap());
        let threads: Vec<_> = (0..4).map(open).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(rings[0].producer().unwrap().try_push(record(1)).unwrap());
    let status = rings[3].status();
    assert_eq!((status.published, status.released, status.producer), (1, 0, None));
    let mut consumer = rings[1].consumer().unwrap();
    let holder = rings[2].status().consumer.unwrap();
    assert_eq!((holder.pid, holder.lives), (std::process::id(), true));
    assert_eq!(consumer.try_pop().unwrap(), Some(record(1)));
    assert!(matches!(Ring::at(&path, Layout::Packed, 128), Err(Error::Different { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    assert!(matches!(Ring::at(folder.path(), Layout::Packed, 64), Err(Error::File { .. })));
}

#[test]
fn a_ring_without_a_name_cannot_be_cut_off() {
    let (ring, file) = Ring::memfd(Layout::Sequenced, 8).unwrap();
    assert!(file.set_len(0).is_err());
    let there = Ring::open(Mapped::open(&file).unwrap()).unwrap();
    assert!(ring.producer().unwrap().try_push(record(3)).unwrap());
    assert_eq!(there.consumer().unwrap().try_pop().unwrap(), Some(record(3)));
}

#[test]
fn a_ring_takes_the_bytes_it_says() {
    assert_eq!(bytes(Layout::Packed, 16).unwrap(), 512 + 16 * 40);
    assert_eq!(bytes(Layout::Packed, 2).unwrap(), 512 + 128);
    assert_eq!(bytes(Layout::Sequenced, 16).unwrap(), 512 + 16 * 64);
}

#[derive(Clone, Debug)]
enum Step {
    Push,
    Stage(u8),
    Flush,
    Reserve { wanted: usize, put: usize, commit: bool },
    Pop,
    Peek { wanted: usize, release: usize },
    NextProducer,
    NextConsumer,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Push),
        3 => (1u8..40).prop_map(Step::Stage),
        1 => Just(Step::Flush),
        3 => (0usize..80, 0usize..80, any::<bool>())
            .prop_map(|(wanted, put, commit)| Step::Reserve { wanted, put, commit }),
        6 => Just(Step::Pop),
        4 => (0usize..80, 0usize..80).prop_map(|(wanted, release)| Step::Peek { wanted, release }),
        1 => Just(Step::NextProducer),
        1 => Just(Step::NextConsumer),
    ];
    prop::collection::vec(step, 0..120)
}

/// What a ring should be: a queue of which a prefix is visible.
#[derive(Default)]
struct Model {
    records: VecDeque<Record>,
    visible: usize,
    next: u64,
}

impl Model {
    fn push(&mut self) {
        self.records.push_back(record(self.next));
        self.next += 1;
    }

    fn publish(&mut self) {
        self.visible = self.records.len();
    }

    fn pop(&mut self) -> Option<Record> {
        self.visible = self.visible.checked_sub(1)?;
        self.records.pop_front()
    }
}

fn follow(layout: Layout, capacity: usize, steps: Vec<Step>) {
    let ring = Ring::heap(layout, capacity as u64).unwrap();
    let mut producer = ring.producer().unwrap();
    let mut consumer = ring.consumer().unwrap();
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Push => {
                let fits = model.records.len() < capacity;
                assert_eq!(producer.try_push(record(model.next)).unwrap(), fits);
                if fits {
                    model.push();
                }
                model.publish();
            }
            Step::Stage(count) => {
                for _ in 0..count {
                    let fits = model.records.len() < capacity;
                    assert_eq!(producer.stage(record(model.next)).unwrap(), fits);
                    if fits {
                        model.push();
                    }
                    if !fits || model.records.len() - model.visible >= 32 {
                        model.publish();
                    }
                }
            }
            Step::Flush => {
                producer.flush().unwrap();
                model.publish();
            }
            Step::Reserve { wanted, put, commit } => {
                let free = capacity - model.records.len();
                let mut room = producer.reserve(wanted).unwrap();
                assert_eq!(room.room(), wanted.min(free));
                let count = put.min(room.room());
                for offset in 0..count {
                    assert!(room.put(record(model.next + offset as u64)));
                }
                if wanted > 0 && free == 0 {
                    model.publish();
                }
                if commit {
                    room.commit();
                    (0..count).for_each(|_| model.push());
                    model.publish();
                }
            }
            Step::Pop => assert_eq!(consumer.try_pop().unwrap(), model.pop()),
            Step::Peek { wanted, release } => {
                let view = consumer.peek(wanted).unwrap();
                let visible: Vec<_> =
                    model.records.iter().take(model.visible.min(wanted)).copied().collect();
                assert_eq!(view.iter().collect::<Vec<_>>(), visible);
                assert_eq!(view.is_empty(), visible.is_empty());
                view.release(release);
                (0..release.min(visible.len())).for_each(|_| assert!(model.pop().is_some()));
            }
            Step::NextProducer => {
                drop(producer);
                producer = ring.producer().unwrap();
                model.publish();
            }
            Step::NextConsumer => {
                drop(consumer);
                consumer = ring.consumer().unwrap();
            }
        }
        assert_eq!(consumer.released() + model.records.len() as u64, model.next);
    }
}

proptest! {
    #[test]
    fn a_ring_is_a_bounded_queue(steps in steps(), bits in 1u32..7, packed in any::<bool>()) {
        follow(if packed { Layout::Packed } else { Layout::Sequenced }, 1 << bits, steps);
    }

    /// Whatever stands in the shared words at whatever moment: an answer or a typed error, at once.
    #[test]
    fn no_words_make_a_side_panic_or_hang(
        packed in any::<bool>(),
        writes in prop::collection::vec(
            (0usize..64 + 32, prop_oneof![0u64..12, any::<u64>(), (0u64..12).prop_map(|n| !n)], 0u8..8),
            0..60,
        ),
    ) {
        let layout = if packed { Layout::Packed } else { Layout::Sequenced };
        let ring = Ring::heap(layout, 4).unwrap();
        let (mut producer, mut consumer) = (ring.producer().ok(), ring.consumer().ok());
        for (word, value, action) in writes {
            overwrite(&ring, word, value);
            match (action, &mut producer, &mut consumer) {
                (0, Some(producer), _) => drop(producer.try_push(record(1))),
                (1, Some(producer), _) => drop(producer.stage(record(1))),
                (2, Some(producer), _) => drop(producer.reserve(9).map(|mut room| {
                    room.put(record(2));
                    room.commit();
                })),
                (3, _, Some(consumer)) => drop(consumer.try_pop()),
                (4, _, Some(consumer)) => drop(consumer.peek(9).map(|view| view.release(2))),
                (5, _, Some(consumer)) => drop(consumer.pop(Some(Duration::ZERO))),
                (6, producer, _) => {
                    *producer = None;
                    overwrite(&ring, WORD_STATE, 0);
                    overwrite(&ring, WORD_PRODUCER, 0);
                    *producer = ring.producer().ok();
                }
                (_, _, consumer) => {
                    *consumer = None;
                    overwrite(&ring, WORD_STATE, 0);
                    overwrite(&ring, WORD_CONSUMER, 0);
                    *consumer = ring.consumer().ok();
                }
            }
            drop(Ring::open(ring.words.clone()));
        }
    }
}
